"""`init --update`: what migrations have added since a map was written, as Python that works where it is pasted."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Urls
from tests.seedjournal.commands import Done, asked
from tests.seedjournal.test_init import make, seed

Run = Callable[..., Done]


@pytest.fixture(autouse=True)
def _own_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "seeds", raising=False)


SHOP = """
CREATE TABLE customer (id INTEGER PRIMARY KEY, email VARCHAR(100) NOT NULL UNIQUE, name TEXT NOT NULL,
    status VARCHAR(10) NOT NULL CHECK (status IN ('new', 'regular')), hint TEXT, created_at TIMESTAMP NOT NULL);
CREATE TABLE product (sku VARCHAR(12) PRIMARY KEY, title TEXT NOT NULL, price DECIMAL(8, 2) NOT NULL CHECK (price > 0));
CREATE TABLE "order" (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customer,
    placed_at TIMESTAMP NOT NULL);
CREATE TABLE order_line (order_id INTEGER NOT NULL REFERENCES "order", sku VARCHAR(12) NOT NULL REFERENCES product,
    quantity INTEGER NOT NULL, PRIMARY KEY (order_id, sku));
CREATE TABLE logged (what TEXT);
INSERT INTO customer VALUES (1, 'ada@example.com', 'Ada', 'new', NULL, '2024-01-01 00:00:00')
"""

MIGRATION = """
CREATE TABLE warehouse (id INTEGER PRIMARY KEY, code VARCHAR(8) NOT NULL UNIQUE, city TEXT NOT NULL);
CREATE TABLE review (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customer,
    sku VARCHAR(12) NOT NULL REFERENCES product, stars INTEGER NOT NULL CHECK (stars BETWEEN 1 AND 5), body TEXT NOT NULL);
CREATE TABLE order_note (order_id INTEGER NOT NULL REFERENCES "order", number INTEGER NOT NULL, body TEXT NOT NULL,
    token UUID NOT NULL, weight DECIMAL(5, 1), PRIMARY KEY (order_id, number));
CREATE TABLE profile (customer_id INTEGER PRIMARY KEY REFERENCES customer, bio TEXT NOT NULL);
CREATE TABLE line_note (id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL, sku VARCHAR(12) NOT NULL, body TEXT NOT NULL,
    FOREIGN KEY (order_id, sku) REFERENCES order_line (order_id, sku));
CREATE TABLE unseen (what TEXT);
CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY);
ALTER TABLE customer ADD phone VARCHAR(20);
ALTER TABLE customer ADD points INTEGER NOT NULL DEFAULT 0;
ALTER TABLE customer ADD password VARCHAR(100) NOT NULL DEFAULT '';
ALTER TABLE customer ADD referrer_id INTEGER REFERENCES customer;
ALTER TABLE customer ADD card INTEGER;
CREATE UNIQUE INDEX one_card ON customer (card);
ALTER TABLE "order" ADD delivered_at TIMESTAMP;
ALTER TABLE "order" ADD warehouse_id INTEGER REFERENCES warehouse
"""


REMEMBER = """

def remember(made, cls):
    return lambda **given: made.append(cls(**given)) or made[-1]
"""


def paste(document: dict[str, Any], domain: str) -> None:  # noqa: C901 - one for each place
    """Put what was printed into the module that `init` wrote, where the comments say."""
    file = Path(document["files"]["domain"])
    text, added = file.read_text(encoding="utf-8"), document["added"]

    def put(pattern: str, more: str) -> None:
        nonlocal text
        text, count = re.subn(pattern, lambda match: match[0] + more, text, count=1)
        assert count == 1, pattern

    def replace(pattern: str, by: str) -> None:
        nonlocal text
        text, count = re.subn(pattern, lambda _: by, text, count=1)
        assert count == 1, pattern

    for one in added["tables"].values():
        python = one["python"]
        replace(rf"\n{domain} = Domain\(", f"\n{python['class']}\n\n\n{domain} = Domain(")
        put(r"kinds=\(", python["kinds"])
        put(r"settings=\{.*\n", f"        {python['settings']}\n")
        text += f"\n\n{python['simulator']}\n\n\n{python['map']}\n"
    for one in added["columns"]:
        python, row = (
            one["python"],
            rf"\n(?P<indent> +)(?:yield |made\.append\()(?:remember\(made, )?{one['class']}\)?\(",
        )
        if python["field"]:
            put(rf"class {one['class']}\(.*\n", f"    {python['field']}\n")
            put(row, python["value"])
        head = rf"def {one['simulator']}\([^:]*(?:: [^:]*)*\) -> .*:\n"
        if any("made" in need for need in one["needs"]):
            put(head, f"    made: list[{one['class']}] = []\n")
            replace(rf"yield {one['class']}\(", f"yield remember(made, {one['class']})(")
            text += REMEMBER
        if any("enumerate" in need for need in one["needs"]):
            replace(
                rf'for one in (draw.many\("{one["simulator"]}".*\)):', "for place, one in enumerate(draw.many(…), 1):"
            )
            text = text.replace("draw.many(…)", f'draw.many("{one["simulator"]}", settings["{one["simulator"]}"])')
        for parameter in one["parameters"]:
            put(rf"def {one['simulator']}\(", "" if parameter in text else f"{parameter}, ")
        for line in one["before"]:
            name = line.partition(" = ")[0]
            replace(rf"{name}={re.escape(line.partition(' = ')[2])}", f"{name}={name}")
            found = re.search(row, text)
            assert found
            text = f"{text[: found.start()]}\n{found['indent']}{line}{text[found.start() :]}"
        if python["map"]:
            is_argument = python["map"].startswith(("theirs", "filled_by_trigger"))
            if is_argument:
                text = text.replace(f", {declared_theirs(text, one)}", "")
            more = f", {python['map']}" if is_argument else f", columns={{{python['map']}}}"
            put(rf'target\.table\(\s*"{one["kind"]}",\s*"{one["table"]}"', more)
    for one in added["labels"]:
        replace(rf"\n    {one['field']}: Literal\[[^\]]*\].*", f"\n    {one['python']}")
    for line in added["imports"]:
        replace("\nfrom seedjournal import", f"\n{line}\nfrom seedjournal import")
    file.write_text(text, encoding="utf-8")
    sys.modules.pop("seeds", None)


def declared_theirs(text: str, column: dict[str, Any]) -> str:
    """What the map says so far of the columns that are left to the application."""
    found = re.search(rf'target\.table\(\s*"{column["kind"]}"[^)]*?(theirs=\[.*?\])', text)
    return found[1] if found else "nothing"


def name_of(url: str) -> str:
    """The database's name, which `project` asks for."""
    return Path(url).name if url.startswith("sqlite") else str(asked(url, "SELECT current_database()")[0][0])


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_what_migrations_added_is_printed_and_works_where_it_is_pasted(kind: str, run: Run, make_url: Urls) -> None:
    url = make_url(kind)
    make(url, SHOP)
    project = run("init", "--from", url, "--rows", "60", "--json").json["project"]
    assert "nothing was added" in run("init", "--update").out
    seed(run, project, name_of(url))
    make(url, MIGRATION)
    before = Path("seeds.py").read_text(encoding="utf-8")
    done = run("init", "--update", "--json").json
    assert Path("seeds.py").read_text(encoding="utf-8") == before
    new = {"warehouse", "review", "order_note", "profile", "line_note"}
    assert set(done["added"]["tables"]) == new
    assert [(one["table"], one["column"], one["theirs"]) for one in done["added"]["columns"]] == [
        ("customer", "phone", False),
        ("customer", "points", True),
        ("customer", "password", True),
        ("customer", "referrer_id", False),
        ("customer", "card", False),
        ("order", "delivered_at", False),
        ("order", "warehouse_id", False),
    ]
    assert set(done["left_out"]) == {"logged", "unseen", "alembic_version"}
    assert done["changed"] == []
    said = run("init", "--update").out
    for one in (*done["added"]["tables"].values(), *done["added"]["columns"]):
        assert all(line.strip() in said for part in one["python"].values() for line in part.split("\n"))
    paste(done, project)
    assert "nothing was added" in run("init", "--update").out
    first = seed(run, project, name_of(url))
    assert all(first[one]["inserted"] for one in new)
    assert asked(url, "SELECT count(*) FROM customer WHERE id = 1 AND phone IS NULL AND points = 0") == [(1,)]
    assert asked(
        url, 'SELECT count(*) > 9, min(delivered_at) > min(placed_at) FROM "order" WHERE warehouse_id > 0'
    ) in (
        [(1, 1)],
        [(True, True)],
    )

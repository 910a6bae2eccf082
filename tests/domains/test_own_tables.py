"""docs/own-tables.md is right, and the examples go into tables that others made, on both databases."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import MAKES, Urls
from tests.domains.conftest import EXAMPLES
from tests.seedjournal.commands import Done, asked, execute

Run = Callable[..., Done]
PAGE = (EXAMPLES.parent / "docs" / "own-tables.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


@pytest.fixture(autouse=True)
def _own_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("seeds", "map"):
        monkeypatch.delitem(sys.modules, name, raising=False)


def take(example: str, folder: Path, url: str, tables: str, settings: str) -> None:
    """Copy an example, give it a map, and make the application's tables."""
    for file in (EXAMPLES / example).iterdir():
        if file.is_file():
            shutil.copy(file, folder)
    (folder / "seedjournal.toml").write_text(settings)
    for statement in tables.split(";\n"):
        if statement.strip():
            execute(url, statement)


def changes(done: Done, project: str) -> dict[str, tuple[int, int, int]]:
    kinds: dict[str, Any] = done.json["projects"][project]["kinds"]
    return {kind: (one["inserted"], one["updated"], one["deleted"]) for kind, one in kinds.items()}


def test_the_page(run: Run, tmp_path: Path) -> None:
    take("library", tmp_path, f"sqlite:///{tmp_path}/app.db", block("sql"), block("toml"))
    (tmp_path / "map.py").write_text(block("python"))
    for line in block("console").splitlines():
        program, *arguments = shlex.split(line.removeprefix("$ "))
        assert program == "seedjournal"
        done = run(*arguments)
    assert done.out.startswith("ok")
    url = f"sqlite:///{tmp_path}/app.db"
    assert asked(url, "SELECT name FROM catalogue ORDER BY isbn") == [("Dune",), ("Emma",), ("Moby, Dick",)]
    assert asked(url, "SELECT count(*) > 0 FROM lending WHERE status = 'returned'") == [(1,)]
    assert set(changes(run("project", "--json"), "library").values()) == {(0, 0, 0)}


SHOP = """
CREATE TABLE stores ({id}, code VARCHAR(40) NOT NULL UNIQUE, label TEXT NOT NULL, opened DATE);
CREATE TABLE people ({id}, store_id {ref} NOT NULL REFERENCES stores, mail VARCHAR(200) NOT NULL, full_name TEXT NOT NULL,
    since DATE NOT NULL, order_count INTEGER, vip BOOLEAN, UNIQUE (store_id, mail));
CREATE TABLE "order" (number VARCHAR(20) NOT NULL, store_id {ref} NOT NULL REFERENCES stores, buyer {ref} NOT NULL REFERENCES
    people, "when" {moment} NOT NULL, state VARCHAR(8) NOT NULL, cents INTEGER NOT NULL, PRIMARY KEY (store_id, number))
"""
SHOP_TYPES = {
    "sqlite": {"id": "id INTEGER PRIMARY KEY AUTOINCREMENT", "ref": "INTEGER", "moment": "TIMESTAMP"},
    "postgresql": {"id": "id SERIAL PRIMARY KEY", "ref": "INTEGER", "moment": "TIMESTAMP"},
}
SHOP_MAP = """
from seeds import shop
from seedjournal import Tables, initial, ref, sql, values

target = Tables(shop)
target.table("shop", "stores", columns={"code": "slug", "label": "name"}, ids="database")
target.table("customer", "people", ids="database", by="since", columns={
    "store_id": ref("shop"), "mail": "email", "full_name": "name"})
target.table("order", "order", columns={
    "store_id": ref("shop"), "buyer": ref("customer"), "when": "placed_at", "state": values("status", returned="back"),
    "cents": sql("cast(round(:total * 100) as integer)")})
if "customer_total" in shop.by_name:
    target.leave_out("customer_total")
"""


@pytest.mark.parametrize("make", MAKES)
def test_a_shop_in_tables_with_other_names_types_and_ids(
    make: str, run: Run, make_url: Urls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = make_url(make)
    monkeypatch.setenv("SEEDJOURNAL_TARGET", url)
    take("shop", tmp_path, url, SHOP.format(**SHOP_TYPES[make]), 'domain = "seeds:shop"\ntables = "map:target"\n')
    (tmp_path / "map.py").write_text(SHOP_MAP)
    run("check")
    run("record", "--project", "acme", "--set", "customers=30")
    first = changes(run("project", "--json"), "acme")
    assert first["shop"] == (1, 0, 0)
    assert first["customer"] == (31, 0, 0)
    assert asked(url, "SELECT id FROM people ORDER BY since, mail") == [(number,) for number in range(1, 32)]
    assert set(changes(run("project", "--json"), "acme").values()) == {(0, 0, 0)}
    execute(
        url, "INSERT INTO people (store_id, mail, full_name, since) VALUES (1, 'new@example.com', 'New', '2026-01-01')"
    )
    execute(url, "UPDATE people SET full_name = 'Edited' WHERE id = 5")
    assert asked(url, "SELECT id FROM people WHERE mail = 'new@example.com'") == [(32,)]
    run("record", "--project", "acme", "--set", "customers=20")
    second = changes(run("project", "--json", "--yes"), "acme")
    assert second["customer"][:2] == (0, 0)
    assert second["customer"][2] in {9, 10}  # the edited one stays, should it have left
    assert asked(url, "SELECT count(*) FROM people WHERE id IN (5, 32)") == [(2,)]
    run("project", "--rebuild", "--yes")
    assert run("verify", "--json").json["findings"] == []
    assert asked(url, "SELECT count(*) FROM people") == [(22,)]
    run("unseed", "acme", "--yes")
    assert asked(url, 'SELECT count(*) FROM "order"') == [(0,)]
    assert asked(url, "SELECT mail FROM people") == [("new@example.com",)]

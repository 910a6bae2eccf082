"""Domains of a user's own, through the real commands, on either database."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from seedjournal.simulators import domain_recording
from seedjournal.simulators.domain import load_domain
from seedjournal.simulators.drawing import Draw
from tests.conftest import MAKES
from tests.domains.conftest import EXAMPLES
from tests.seedjournal.commands import Done, driver_url

Run = Callable[..., Done]


@pytest.fixture
def make() -> str:
    """One make: test_laws.py says that both show the same rows."""
    return "sqlite"


def rows(url: str, table: str) -> list[tuple[Any, ...]]:
    engine = create_engine(driver_url(url))
    try:
        with engine.connect() as connection:
            return sorted(tuple(map(str, row)) for row in connection.execute(text(f'SELECT * FROM "{table}"')))
    finally:
        engine.dispose()


def test_one_row_more_in_a_reordered_file_changes_nothing_else(
    example: Callable[[str], Path], run: Run, at: str
) -> None:
    folder = example("shop")
    file = folder / "vip.csv"
    head = "email,name,since\n"
    lines = ["a@example.com,Ann,2024-01-01\n", "b@example.com,Bob,2024-01-02\n", "c@example.com,Cy,2024-01-03\n"]
    few = ("--project", "acme", "--set", "customers=4")
    file.write_text(head + lines[0] + lines[2])
    run("record", *few)
    run("project")
    file.write_text(head + lines[2] + lines[1] + lines[0])
    counts = run("record", *few, "--json").first["counts"]
    assert (counts["changed"], counts["removed"]) == (0, 0)
    changes = run("diff", "--json").json["changes"]
    assert {change["change"] for change in changes} == {"added"}
    assert all("b@example.com" in str(change) for change in changes)
    run("project")
    assert run("verify", "--json").json["ok"]


def test_facts_that_lose_most_of_their_rows_are_asked_for(example: Callable[[str], Path], run: Run, at: str) -> None:
    file = example("library") / "books.csv"
    run("record", "--project", "library")
    whole = file.read_text().splitlines(keepends=True)
    file.write_text("".join(whole[:2]))
    refused = run("record", "--project", "library", status=2)
    assert f"{len(whole) - 2} of the {len(whole) - 1} entities of run 1 are gone" in refused.err
    counts = run("record", "--project", "library", "--yes", "--json").first["counts"]
    assert counts["removed"] >= len(whole) - 2


@pytest.mark.parametrize(("name", "project"), [("library", "library"), ("tenants", "acme")])
def test_what_a_newer_tool_makes_otherwise_is_asked_for(
    name: str, project: str, example: Callable[[str], Path], run: Run, at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the newer tool changes what all projects share."""
    example(name)
    record = ("record", "--project", project)
    first = run(*record, "--json").json["runs"]
    monkeypatch.setattr(domain_recording, "faker_version", lambda: "0.1")
    assert [one["root"] for one in run(*record, "--json").json["runs"]] == [one["root"] for one in first]
    monkeypatch.setattr(domain_recording, "faker_version", lambda: "0.2")
    monkeypatch.setattr(domain_recording, "refuse_impure", lambda *_: None)  # the other process has no such tool
    monkeypatch.setattr(Draw, "name", lambda self, name: f"Reader {self.integer(name, 1, 999)}")
    refused = run(*record, status=3)
    assert "Faker 0.1 → 0.2" in refused.err
    assert run(*record, "--accept-upgrade", "--json").json["runs"][0]["root"] != first[0]["root"]


def test_a_customer_by_hand_wins_over_a_simulated_one(example: Callable[[str], Path], run: Run, at: str) -> None:
    folder = example("shop")
    run("record", "--project", "acme", "--set", "customers=3")
    run("project")
    simulated = next(row for row in rows(at, "customers") if "vip@" not in str(row))
    email = next(part for part in simulated if "@" in part)
    (folder / "vip.csv").write_text(f"email,name,since\n{email},By Hand,2024-05-05\n")
    run("record", "--project", "acme", "--set", "customers=3")
    run("project", "--yes")
    assert any(email in row and "By Hand" in row for row in rows(at, "customers"))
    assert run("show", "customer", "acme", email).out.count("By Hand") == 1


def test_the_first_hundred_are_the_same_among_more(example: Callable[[str], Path], run: Run, at: str) -> None:
    example("shop")
    run("record", "--project", "acme", "--set", "customers=5")
    counts = run("record", "--project", "acme", "--set", "customers=8", "--json").first["kinds"]
    assert counts["customer"]["added"] == 3
    assert not any(kind["changed"] or kind["removed"] for kind in counts.values())


def test_profiles_set_what_they_name(example: Callable[[str], Path], run: Run, at: str) -> None:
    example("shop")
    small = run("record", "--project", "acme", "--profile", "small", "--json").first
    assert small["kinds"]["customer"]["total"] == 21
    wrong = run("record", "--project", "acme", "--profile", "smal", "--json", status=2).error
    assert "smal" in wrong["message"]
    assert "small" in wrong["hint"]


def test_an_unknown_project_and_foreign_options_are_refused(example: Callable[[str], Path], run: Run, at: str) -> None:
    example("shop")
    assert "acme" in run("record", "--project", "acne", "--json", status=2).error["message"]
    assert "--source" in run("record", "--project", "acme", "--source", "demo", "--json", status=2).error["message"]
    wrong = run("record", "--project", "acme", "--policy", "customer_total=once", "--json", status=2).error
    assert "computed" in wrong["message"]
    assert "customers" in run("record", "--project", "acme", "--set", "customer=3", "--json", status=2).error["message"]
    assert not Path("seedjournal.db").exists()


def test_plain_sql_reads_the_events(example: Callable[[str], Path], run: Run) -> None:
    example("library")
    run("record", "--project", "library", "--journal", "sqlite:///x.db")
    with sqlite3.connect("x.db") as connection:
        titles = connection.execute("SELECT json_extract(event, '$.data.title') FROM journal_events").fetchall()
    assert ("Emma",) in titles


TREE = """
    class Part(Kind, key="code"):
        code: str
        inside: Part | None
        weight: Annotated[Decimal, Places(3)]

    one = Domain("one", kinds=(Part,), today=date(2026, 1, 5))

    @one.simulate()
    def parts(draw: Draw, settings: dict[str, int]) -> Iterator[Part]:
        for number in range(50):
            inside = at(Part, code=f"p{number // 2:03}") if number else None
            yield Part(code=f"p{number:03}", inside=inside, weight=draw.decimal(f"w{number}", 0, 9, places=3))
"""


@pytest.mark.parametrize("make", MAKES)
def test_a_tree_of_one_kind_goes_into_one_table(declare: Callable[..., Path], run: Run, at: str) -> None:
    declare(TREE)
    run("record", "--project", "one")
    run("project")
    found = {row[0]: row[1] for row in rows(at, "parts")}
    assert len(found) == 50
    assert set(found.values()) <= {*found, "None"}
    assert run("verify", "--json").json["ok"]


TYPES = """
    from datetime import UTC, time
    from enum import Enum
    from uuid import UUID
    from seedjournal import Fixed, Json

    class Colour(Enum):
        RED = "red"
        BLUE = "blue"

    class Sample(Kind, key=("day", "colour")):
        day: date
        colour: Colour
        at: datetime
        opens: time
        name: UUID
        share: float
        price: Annotated[Decimal, Places(4)]
        note: Json
        born: Annotated[date, Fixed()] | None
        level: Literal[1, 2, 3]

    one = Domain("one", kinds=(Sample,))
    one.facts(Sample, [
        Sample(day=date(2026, 1, n), colour=Colour.RED, at=datetime(2026, 1, n, 8, 30, tzinfo=UTC), opens=time(9, 15),
               name=UUID(int=n), share=n / 3, price=Decimal(n), note={"a": [1, "x", None]}, born=None, level=2)
        for n in range(1, 6)
    ])
"""


@pytest.mark.parametrize("make", MAKES)
def test_every_type_comes_back_as_it_went_in(declare: Callable[..., Path], run: Run, at: str) -> None:
    declare(TYPES)
    assert run("record", "--project", "one", "--json").first["counts"]["total"] == 5
    run("project")
    assert run("verify", "--json").json["ok"]
    assert run("project", "--json").json["projects"]["one"]["kinds"]["sample"]["unchanged"] == 5
    assert "2026-01-05" in run("log", "--json").out


def test_a_domain_may_be_named_on_the_command_line(example: Callable[[str], Path], run: Run, at: str) -> None:
    (example("library") / "seedjournal.toml").unlink()
    assert run("record", "--domain", "seeds:library", "--project", "library", "--json").first["counts"]["total"] > 3
    assert run("project", "--json").json["projects"]["library"]["kinds"]["book"]["inserted"] == 3
    assert run("verify", "--json").json["ok"]
    wrong = run("record", "--domain", "seeds:libary", "--project", "library", "--json", status=2).error
    assert "library" in wrong["message"]


JSON_VALUES = """
    from seedjournal import Json

    class Sample(Kind, key="name"):
        name: str
        note: Json

    one = Domain("one", kinds=(Sample,), today=date(2026, 1, 5))
    one.facts(Sample, [
        Sample(name="a", note={"share": 0.25, "tiny": 1.5e-9, "list": [1, 2.5, None], "whole": 3.0, "größe": {"大": 1}}),
        Sample(name="b", note=0.1),
    ])
"""


@pytest.mark.parametrize("make", MAKES)
def test_json_values_may_hold_fractions(declare: Callable[..., Path], run: Run, at: str) -> None:
    declare(JSON_VALUES)
    first = run("record", "--project", "one", "--json").first
    run("project")
    assert run("verify", "--json").json["ok"]
    assert run("diff", "--target", "--json").json["equal"]
    again = run("record", "--project", "one", "--no-reuse", "--json").first
    assert (again["root"], again["appended"]) == (first["root"], 0)
    assert run("show", "sample", "a", "--json").json["contents"][0]["data"]["note"] == {
        "share": 0.25,
        "tiny": 1.5e-9,
        "list": [1, 2.5, None],
        "whole": 3,
        "größe": {"大": 1},
    }


def test_what_cannot_be_written_is_told_with_its_entity(declare: Callable[..., Path], run: Run, at: str) -> None:
    declare(JSON_VALUES.replace("note=0.1", 'note=["a", {"deep": "b\\0"}]'))
    refused = run("record", "--project", "one", status=3)
    assert "sample b cannot be recorded: note[1].deep: the text holds a NUL" in refused.err


def test_the_code_of_a_domain_inside_a_checkout_counts() -> None:
    """A domain that lies beside seedjournal's own code is a user's too."""
    assert load_domain("seeds:shop", EXAMPLES / "shop").code_digest() != ""


NAMED = """
    class Row(Kind, key="key"):
        key: str
        self: int
        data: str
        kind: str = "x"

    one = Domain("one", kinds=(Row,), today=date(2026, 1, 5))
    one.facts(Row, [Row(key="a", self=1, data="b")])
"""


def test_fields_may_have_the_names_that_the_program_uses(declare: Callable[..., Path], run: Run, at: str) -> None:
    declare(NAMED)
    run("record", "--project", "one")
    run("project")
    assert [row[1:] for row in rows(at, "rows")] == [("a", "1", "b", "x")]

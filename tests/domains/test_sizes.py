"""Large tables that others own: ids that the database gives, and a tree, at a size that `make test-more` multiplies."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from tests.conftest import MAKES, Urls
from tests.seedjournal.commands import Done, asked, execute, peak_of

Run = Callable[..., Done]

SEEDS = """
from collections.abc import Iterator
from datetime import date

from seedjournal import Domain, Kind, Tables, at, ref

CHAIN, PRIME = 1000, 1_000_003


class Branch(Kind, key="name"):
    name: str
    place: int
    above: "Branch | None"


tree = Domain("tree", kinds=(Branch,), settings={"rows": 100, "step": 7919}, today=date(2026, 1, 5))


def branches(settings: dict[str, int]) -> Iterator[Branch]:
    for number in range(settings["rows"]):
        above = number - 1 if number < CHAIN else number // 7
        parent = at(Branch, name=f"b{above:06}") if number else None
        yield Branch(name=f"b{number:06}", place=number * settings["step"] % PRIME, above=parent)


tree.facts(Branch, branches)
target = Tables(tree)
target.table("branch", "branches", ids="database", by="place", columns={"position": "place", "parent": ref("above")})
"""
MADE = {
    "postgresql": "CREATE TABLE branches (id SERIAL PRIMARY KEY, name TEXT NOT NULL UNIQUE, position INT NOT NULL UNIQUE,"
    " parent INT REFERENCES branches DEFERRABLE, colour TEXT)",
    "sqlite": "CREATE TABLE branches (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, position INTEGER NOT NULL UNIQUE,"
    " parent INTEGER REFERENCES branches, colour TEXT)",
}
MOST = 350  # MB
LOOKED_THROUGH = 20_000  # rows: SQLite looks through all of them for each that goes, as no index has `parent` first


@contextmanager
def counting(found: list[int]) -> Iterator[None]:
    """Count the statements that write, or ask, while something is done."""
    sent: Counter[str] = Counter()

    def see(*given: object) -> None:
        sent[str(given[2])] += 1

    event.listen(Engine, "before_cursor_execute", see)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", see)
    found.append(sent.total())


@pytest.fixture
def tree(request: pytest.FixtureRequest, make_url: Urls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The database of an application that has an empty table for a tree; the folder has the domain and the map."""
    url = make_url(request.param)
    execute(url, MADE[request.param])
    (tmp_path / "seeds.py").write_text(SEEDS)
    (tmp_path / "seedjournal.toml").write_text('domain = "seeds:tree"\ntables = "seeds:target"\n')
    monkeypatch.setenv("SEEDJOURNAL_TARGET", url)
    monkeypatch.delitem(sys.modules, "seeds", raising=False)
    monkeypatch.chdir(tmp_path)
    return url


def record(run: Run, rows: int, step: int = 7919) -> None:
    run("record", "--project", "tree", "--set", f"rows={rows}", "--set", f"step={step}")


def is_as_the_state_says(url: str, rows: int) -> None:
    """Ids follow `by` among rows of ours, and each row leads to the one that is above it."""
    ours = asked(url, "SELECT id, position, name FROM branches WHERE name LIKE 'b%' ORDER BY position")
    assert len(ours) == rows
    pairs = (
        "SELECT one.name, two.name FROM branches one JOIN branches two ON two.id = one.parent WHERE one.name LIKE 'b%'"
    )
    above = {int(one[1:]): int(two[1:]) for one, two in asked(url, pairs)}
    assert above == {number: number - 1 if number < 1000 else number // 7 for number in range(1, rows)}


@pytest.mark.parametrize("tree", MAKES, indirect=True)
def test_ids_that_the_database_gives_while_the_application_inserts(tree: str, run: Run) -> None:
    grows_while_others_insert(run, tree, rows=600)


@pytest.mark.more
@pytest.mark.parametrize("tree", MAKES, indirect=True)
def test_120_000_ids_that_the_database_gives_while_the_application_inserts(tree: str, run: Run, tmp_path: Path) -> None:
    grows_while_others_insert(run, tree, rows=120_000)
    assert peak_of("project", "--repair", folder=tmp_path) < MOST


def grows_while_others_insert(run: Run, url: str, *, rows: int) -> None:
    half = rows // 2
    record(run, half)
    assert run("project", "--json").json["projects"]["tree"]["kinds"]["branch"]["inserted"] == half
    is_as_the_state_says(url, half)
    in_order = asked(url, "SELECT id FROM branches ORDER BY position")
    assert in_order == [(number,) for number in range(1, half + 1)]
    execute(url, "INSERT INTO branches (name, position, parent) SELECT 'mine', -1, max(id) FROM branches")
    assert asked(url, "SELECT id FROM branches WHERE name = 'mine'") == [(half + 1,)]
    execute(url, "UPDATE branches SET colour = 'red'")
    record(run, rows)
    done = run("project", "--json").json["projects"]["tree"]["kinds"]["branch"]
    assert (done["inserted"], done["deleted"]) == (rows - half, 0)
    is_as_the_state_says(url, rows)
    new = asked(url, f"SELECT id FROM branches WHERE name >= 'b{half:06}' AND name LIKE 'b%' ORDER BY position")
    assert new == [(number,) for number in range(half + 2, rows + 2)]
    assert asked(url, "SELECT count(*) FROM branches WHERE colour = 'red'") == [(half + 1,)]
    if url.startswith("postgresql") or rows <= LOOKED_THROUGH:
        record(run, rows, step=7907)  # all but one of them change places, and others hold values that they take
        assert run("project", "--json").json["projects"]["tree"]["kinds"]["branch"]["updated"] == rows - 1
        assert asked(url, "SELECT count(*) FROM branches WHERE colour = 'red'") == [(half + 1,)]
    again = run("project", "--json").json["projects"]["tree"]["kinds"]["branch"]
    assert (again["inserted"], again["updated"], again["deleted"]) == (0, 0, 0)
    assert run("verify", "--json").json["findings"] == []


@pytest.mark.parametrize("tree", MAKES, indirect=True)
def test_a_larger_tree_takes_no_more_statements(tree: str, run: Run) -> None:
    found: list[int] = []
    for rows in (120, 2400):
        record(run, rows)
        for more in ((), (), ("--repair",)):
            with counting(found):
                run("project", "--yes", *more)
        record(run, 1)
        with counting(found):
            run("project", "--yes")
    assert [more - less for less, more in zip(found[:4], found[4:], strict=True)] == pytest.approx([0] * 4, abs=12)


@pytest.mark.more
@pytest.mark.parametrize("tree", MAKES, indirect=True)
def test_a_tree_of_50_000(tree: str, run: Run, tmp_path: Path) -> None:
    record(run, 50_000)
    assert peak_of("project", folder=tmp_path) < MOST
    is_as_the_state_says(tree, 50_000)
    record(run, 25_000)
    assert peak_of("project", "--yes", folder=tmp_path) < MOST
    is_as_the_state_says(tree, 25_000)
    assert run("verify", "--json").json["findings"] == []

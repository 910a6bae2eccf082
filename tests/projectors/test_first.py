"""A first projection creates its tables bare, loads them and then adds keys and indexes; what exists stays as it was."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, event, inspect

from seedjournal.journal import Database, Unavailable
from seedjournal.projectors import make_tables
from seedjournal.projectors.stage import Stage
from tests.model.sides import lose
from tests.projectors.invented import (
    cold,
    drop_tables,
    dump,
    everything,
    execute,
    note,
    rows,
    show,
    team,
    totals,
)
from tests.projectors.kept import LAYOUT, emptied

OTHER = "gulls"


def made_of(database: Database) -> dict[str, object]:
    """Every table's columns, keys and indexes."""
    with database.read() as connection:
        seen = inspect(connection)
        asked = (
            seen.get_columns,
            seen.get_foreign_keys,
            seen.get_unique_constraints,
            seen.get_indexes,
            lambda name: [seen.get_pk_constraint(name)],
        )
        return {one.name: [sorted(map(repr, ask(one.name))) for ask in asked] for one in LAYOUT.tables}  # type: ignore[operator]


def nothing_is_staged(patch: pytest.MonkeyPatch) -> None:
    """Let the careful way fail where it is taken."""

    def refuse(*_: object) -> None:
        raise AssertionError("rows were staged")

    patch.setattr(Stage, "fill", refuse)


def test_a_first_projection_makes_the_tables_that_migrate_makes(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = made_of(database)
    drop_tables(database)
    nothing_is_staged(monkeypatch)
    run = note(database, everything())
    show(database, run)
    assert made_of(database) == before
    first = rows(database)
    drop_tables(database)
    assert make_tables(database, LAYOUT)
    show(database, run)  # what exists is loaded as it is
    assert made_of(database) == before
    assert rows(database) == first


def test_nothing_is_dropped_or_altered_in_tables_that_exist(database: Database) -> None:
    seen: list[str] = []

    def listen(*arguments: object) -> None:
        seen.append(str(arguments[2]).split()[0])

    runs = [note(database, everything(slug=slug), slug=slug) for slug in ("terns", OTHER)]
    event.listen(database.engine, "before_cursor_execute", listen)
    try:
        for run in runs:
            show(database, run)
    finally:
        event.remove(database.engine, "before_cursor_execute", listen)
    assert not {"DROP", "ALTER", "CREATE"} & set(seen)


def test_a_dry_run_creates_nothing(database: Database) -> None:
    drop_tables(database)
    run = note(database, everything())
    before = dump(database)
    assert totals(show(database, run, dry_run=True)) == (len(everything()), 0, 0)
    assert dump(database) == before


def test_a_second_project_is_loaded_beside_the_first(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    first = note(database, everything())
    show(database, first)
    run = note(database, everything(slug=OTHER), slug=OTHER)
    with monkeypatch.context() as patch:
        nothing_is_staged(patch)
        done = show(database, run)
    shown = rows(database)
    assert totals(done) == (len(everything()), 0, 0)
    both = cold(database, run)
    assert all(row in shown[name] for name, listed in both.items() for row in listed)


def test_rows_under_the_projects_name_are_met_with_care(database: Database) -> None:
    """A hand-made team with the project's slug is adopted, though nothing was projected yet."""
    execute(database, "INSERT INTO teams (id, slug, name) VALUES (7, 'terns', 'By hand')")
    done = show(database, note(database, [team()]))
    assert done.kinds["team"].foreign == 1
    assert [row[0] for row in execute(database, "SELECT id FROM teams")] == [7]


@pytest.mark.parametrize("moment", ["CREATE TABLE teams", "ALTER TABLE", "INSERT INTO"])
def test_a_lost_connection_leaves_nothing(moment: str) -> None:
    target, journal = emptied("postgresql"), emptied("sqlite")
    drop_tables(target)
    run = note(journal, everything())
    before = dump(target)
    met = []

    def lose_it(connection: Connection, _: object, statement: str, *__: object) -> None:
        if statement.strip().startswith(moment):
            met.append(statement)
            lose(connection)

    event.listen(target.engine, "before_cursor_execute", lose_it)
    try:
        with pytest.raises(Unavailable):
            show(journal, run, target)
    finally:
        event.remove(target.engine, "before_cursor_execute", lose_it)
    assert len(met) == 1
    assert dump(target) == before
    assert totals(show(journal, run, target)) == (len(everything()), 0, 0)
    assert rows(target) == cold(journal, run, "postgresql")

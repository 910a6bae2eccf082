"""Loading where the target shows nothing: it leaves tables as they were made, and steps back where something is there."""

from __future__ import annotations

import time

import pytest
from sqlalchemy import Connection, event, inspect, text

from seedjournal.journal import Database, Unavailable
from seedjournal.projectors import RULES
from seedjournal.projectors.load.stage import Stage
from tests.model.sides import lose
from tests.projectors.invented import cold, everything, execute, note, rows, show, team, totals
from tests.projectors.kept import emptied

OTHER = "gulls"


def made_of(database: Database) -> dict[str, object]:
    """Every table's constraints and indexes."""
    with database.read() as connection:
        seen = inspect(connection)
        return {
            rule.table.name: [
                sorted(map(str, ask(rule.table.name)))
                for ask in (seen.get_foreign_keys, seen.get_unique_constraints, seen.get_indexes)
            ]
            for rule in RULES.values()
        }


def nothing_is_staged(patch: pytest.MonkeyPatch) -> None:
    """Let the careful way fail where it is taken."""

    def refuse(*_: object) -> None:
        raise AssertionError("rows were staged")

    patch.setattr(Stage, "fill", refuse)


def test_constraints_and_indexes_are_afterwards_what_they_were(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = made_of(database)
    nothing_is_staged(monkeypatch)
    show(database, note(database, everything()))
    assert made_of(database) == before


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
    """A hand-made team with the project's slug is honoured, though nothing was projected yet."""
    execute(database, "INSERT INTO teams (id, slug, name) VALUES (7, 'terns', 'By hand')")
    done = show(database, note(database, [team()]))
    assert done.kinds["team"].foreign == 1
    assert [row[0] for row in execute(database, "SELECT id FROM teams")] == [7]


@pytest.mark.parametrize("moment", ["SELECT format", "SELECT set_config", "ALTER TABLE", "DROP INDEX", "CREATE INDEX"])
def test_a_lost_connection_is_told_as_such(moment: str) -> None:
    """It is no refusal to take constraints off, after which loading would go on."""
    target, journal = emptied("postgresql"), emptied("sqlite")
    run = note(journal, everything())
    before = made_of(target)
    met = []

    def lose_it(connection: Connection, _: object, statement: str, *__: object) -> None:
        if statement.startswith(moment):
            met.append(statement)
            lose(connection)

    event.listen(target.engine, "before_cursor_execute", lose_it)
    try:
        with pytest.raises(Unavailable):
            show(journal, run, target)
    finally:
        event.remove(target.engine, "before_cursor_execute", lose_it)
    assert len(met) == 1
    assert made_of(target) == before
    assert totals(show(journal, run, target)) == (len(everything()), 0, 0)


def test_who_reads_the_empty_tables_is_not_waited_for() -> None:
    target, journal = emptied("postgresql"), emptied("sqlite")
    run = note(journal, everything())
    before = made_of(target)
    with target.engine.connect() as reader, reader.begin():
        for rule in RULES.values():
            reader.execute(text(f"SELECT count(*) FROM {rule.table.name}"))
        started = time.monotonic()
        show(journal, run, target)
        assert time.monotonic() - started < 20  # seconds; a lock that was waited for would take 120
    assert rows(target) == cold(journal, run, "postgresql")
    assert made_of(target) == before

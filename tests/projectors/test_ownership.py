"""Tables are created only where none of their names is taken; what exists is never changed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from seedjournal.journal import JOURNAL_HISTORY, Database, WrongSchema, ensure, open_database
from seedjournal.projectors import TARGET_HISTORY, ensure_target, make_tables
from tests.projectors.invented import dump, everything, execute, note, show, totals
from tests.projectors.kept import LAYOUT, emptied

TABLES = sorted(LAYOUT.metadata.tables)
NOTES = sorted(TARGET_HISTORY.metadata.tables)


@pytest.mark.parametrize("make", ["sqlite", "postgresql"])
@pytest.mark.parametrize("made", ["TABLE {} (id INTEGER PRIMARY KEY, own TEXT)", "VIEW {} AS SELECT 1 AS id"])
def test_a_database_with_any_of_our_names_is_refused_untouched(
    make: str, made: str, make_url: Callable[[str], str]
) -> None:
    database = open_database(make_url(make), create=True)
    try:
        for name in (*TABLES, *NOTES):
            execute(database, f"CREATE {made.format(name)}")
            before = dump(database)
            with pytest.raises(WrongSchema, match=f"already has {name}, not made by seedjournal"):
                ensure_target(database, LAYOUT)
            assert dump(database) == before
            execute(database, f"DROP {made.partition(' ')[0]} {name}")
        ensure_target(database, LAYOUT)
        assert make_tables(database, LAYOUT)
        assert not make_tables(database, LAYOUT)
    finally:
        database.engine.dispose()


def test_tables_of_a_stranger_beside_the_notes_are_refused_untouched(database: Database) -> None:
    run = note(database, everything())
    for damage in ("DROP TABLE weekly_metrics", "ALTER TABLE pr_files DROP COLUMN status"):
        execute(database, damage)
        before = dump(database)
        with pytest.raises(WrongSchema, match="nothing was written"):
            show(database, run)
        assert dump(database) == before
    with database.write("target") as connection:
        LAYOUT.metadata.drop_all(connection)


def test_tables_that_somebody_dropped_are_made_and_filled_again(database: Database) -> None:
    run = note(database, everything())
    show(database, run)
    with database.write("target") as connection:
        LAYOUT.metadata.drop_all(connection)
    assert totals(show(database, run)) == (len(everything()), 0, 0)
    assert totals(show(database, run)) == (0, 0, 0)


def test_a_schema_of_its_own_beside_a_users_tables(make_url: Callable[[str], str]) -> None:
    url = make_url("postgresql")
    plain = open_database(url, create=True)
    execute(plain, "CREATE TABLE teams (id INTEGER)")
    execute(plain, "CREATE SCHEMA seeds")
    target = open_database(url, create=True, schema="seeds")
    journal = emptied("sqlite")
    ensure(journal, JOURNAL_HISTORY, create=True)
    try:
        ensure_target(target, LAYOUT)
        show(journal, note(journal, everything()), target)
        made = {f"seeds.{name}" for name in (*TABLES, *NOTES, TARGET_HISTORY.version_table)}
        assert dump(plain).keys() == {"public.teams", *made}
        with pytest.raises(WrongSchema):
            ensure_target(plain, LAYOUT)
    finally:
        plain.engine.dispose()
        target.engine.dispose()

"""Journal and target apart, of the same make and of different ones, and targets that another journal filled."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from seedjournal.journal import JOURNAL_HISTORY, Busy, Database, Policy, Unavailable, ensure, open_database
from seedjournal.projectors import TARGET_HISTORY, both, check
from tests.projectors.invented import (
    ALL_EXACT,
    cold,
    everything,
    execute,
    note,
    rows,
    show,
    team,
    total,
    totals,
    with_changed,
)
from tests.projectors.kept import LAYOUT, emptied

PAIRS = [("sqlite", "postgresql"), ("postgresql", "sqlite")]


@pytest.mark.parametrize(("make", "target_make"), PAIRS)
def test_journal_and_target_of_any_makes(make: str, target_make: str) -> None:
    journal, target = emptied(make), emptied(target_make, "other")
    show(journal, note(journal, everything()), target)
    run = note(journal, with_changed(everything(numbers=(1, 4)), "jira_issue", status="To Do"), ALL_EXACT)
    done = show(journal, run, target, prune=True)
    assert totals(done) == (10, 1, 20)
    assert rows(target) == cold(journal, run, make)
    with journal.read() as source, target.read() as connection:
        assert list(check(source, connection, LAYOUT)) == []


def test_a_lost_position_means_a_full_comparison(database: Database) -> None:
    run = note(database, everything(), {"pr_file": Policy.EXACT})
    show(database, run)
    execute(database, "DELETE FROM seedjournal_positions")
    assert totals(show(database, run)) == (0, 0, 0)
    execute(database, "DELETE FROM seedjournal_positions")
    done = show(database, note(database, [team()], fresh=True))
    assert total(done, "stale") == len(everything()) - 1


def test_a_file_of_a_users_own_in_rollback_mode(tmp_path: Path) -> None:
    path = tmp_path / "own.db"
    connection = sqlite3.connect(path)
    connection.executescript("CREATE TABLE own (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO own VALUES (1, 'mine')")
    connection.close()
    database = open_database(f"sqlite:///{path}", create=True)
    ensure(database, JOURNAL_HISTORY, create=True)
    ensure(database, TARGET_HISTORY, create=True)
    try:
        show(database, note(database, everything()))
        done = show(database, note(database, everything(numbers=(1, 2)), ALL_EXACT), prune=True)
        assert totals(done) == (0, 0, 10)
        assert execute(database, "PRAGMA journal_mode") == [("delete",)]
        assert execute(database, "SELECT * FROM own") == [(1, "mine")]
        with database.read() as reading:
            assert list(check(reading, reading, LAYOUT)) == []
    finally:
        database.engine.dispose()


def test_a_locked_target_is_not_taken_for_a_locked_journal(
    make_url: Callable[[str], str], open_url: Callable[[str], Database]
) -> None:
    """Of the same make, where the driver's errors do not tell which of them failed."""
    journal = open_url(make_url("postgresql"))
    url = make_url("postgresql")
    owner = open_url(url)
    show(journal, note(journal, everything()), owner)
    run = note(journal, with_changed(everything(), "team", name="new"))
    target = open_database(url, create=True, wait=1)
    try:
        with owner.engine.connect() as another:
            another.execute(text("LOCK TABLE teams IN ACCESS EXCLUSIVE MODE"))
            with pytest.raises(Busy) as refused:
                show(journal, run, target)
            assert target.shown in refused.value.message
            with pytest.raises(Busy) as refused, both(journal, target, writes=False) as (source, connection):
                list(check(source, connection, LAYOUT))
            assert target.shown in refused.value.message
    finally:
        target.engine.dispose()


def test_a_users_trigger_that_raises_says_so_itself(database: Database) -> None:
    show(database, note(database, everything(numbers=(1,))))
    if database.name == "postgresql":
        execute(database, "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''not here''; END'")
        execute(database, "CREATE TRIGGER no BEFORE INSERT ON pr_files FOR EACH ROW EXECUTE FUNCTION no()")
    else:
        execute(database, "CREATE TRIGGER no BEFORE INSERT ON pr_files BEGIN SELECT RAISE(ABORT, 'not here'); END")
    try:
        with pytest.raises(Unavailable, match="not here"):
            show(database, note(database, everything()))
    finally:
        execute(database, "DROP FUNCTION no() CASCADE" if database.name == "postgresql" else "DROP TRIGGER no")

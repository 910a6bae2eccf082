"""Several processes at one journal: nothing lost, nothing doubled, nobody stuck."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Thread

import pytest
from sqlalchemy import func, insert, select

from seedjournal.journal import JOURNAL_HISTORY, Busy, Database, all_runs, encode, ensure, open_database
from seedjournal.journal.tables import EVENTS
from tests.conftest import MAKES
from tests.journal.processes import ended, opened, start_context, start_journal, stated, write_runs
from tests.journal.things import content_of, findings, record_all, row_counts, thing, things

WRITERS, TURNS = 3, 2


def test_writers_take_turns(url: str) -> None:
    context = start_context()
    barrier, told = context.Barrier(WRITERS), context.Queue()
    processes = [context.Process(target=write_runs, args=(url, one, TURNS, barrier, told)) for one in range(WRITERS)]
    for process in processes:
        process.start()
    rows = [told.get(timeout=120) for _ in range(WRITERS * TURNS * 2)]
    assert ended(processes) == [0] * WRITERS
    rows.sort(key=lambda row: row[3])
    assert [row[3] for row in rows] == list(range(1, len(rows) + 1))
    with opened(url) as database:
        with database.read() as connection:
            runs = all_runs(connection)
            assert [(run.run, run.project, run.root, run.state) for run in runs] == [
                (row[3], *row[2:3], *row[4:6]) for row in rows
            ]
            ids = connection.execute(select(EVENTS.c.id).order_by(EVENTS.c.id)).scalars().all()
        for writer, turn, project, number, root, *_ in rows:
            expected = {(event.kind, event.key["number"]): event.data for event in stated(writer, turn, project)}
            assert content_of(database, root) == expected, number
        distinct = {
            encode(event).hash
            for writer in range(WRITERS)
            for turn in range(TURNS)
            for project in ("shared", f"own{writer}")
            for event in stated(writer, turn, project)
        }
        assert list(ids) == list(range(1, len(distinct) + 1))
        assert sum(row[6] for row in rows) == len(distinct)
        assert findings(database) == []
        assert_order_is_that_of_numbers(database)


def assert_order_is_that_of_numbers(database: Database) -> None:
    """Recorded by one writer in the order of the numbers, the runs give the same states."""
    with database.read() as connection:
        runs = all_runs(connection, "shared")
    state: dict[tuple[str, int], object] = {}
    for run in runs:
        now = content_of(database, run.root)
        stays = {place: content for place, content in state.items() if place[0] != "mirror"}
        fixed = {place: content for place, content in stays.items() if place[0] == "fixed"}
        state = {**stays, **now, **fixed}
        assert content_of(database, run.state) == state


def test_a_journal_is_made_once_by_all_who_start_at_once(make_url: Callable[[str], str]) -> None:
    context = start_context()
    for make in MAKES * 2:
        url = make_url(make)
        barrier, told = context.Barrier(4), context.Queue()
        processes = [context.Process(target=start_journal, args=(url, barrier, told)) for _ in range(4)]
        for process in processes:
            process.start()
        assert ended(processes) == [0] * 4
        assert len({told.get(timeout=10) for _ in range(4)}) == 1


def test_who_waits_too_long_is_told_and_changes_nothing(url: str, open_url: Callable[[str], Database]) -> None:
    holder = open_url(url)
    record_all(holder, things(3))
    before = row_counts(holder)
    waiting = open_database(url, create=False, wait=1)
    with holder.write():
        ensure(waiting, JOURNAL_HISTORY, create=False)
        with pytest.raises(Busy) as refused:
            record_all(waiting, things(9))
        assert row_counts(waiting) == before
    assert "is locked by another process (waited 1 s)" in refused.value.message
    assert "--wait" in refused.value.hint
    record_all(waiting, things(9))
    waiting.engine.dispose()
    assert row_counts(holder)["journal_runs"] == 2


@pytest.mark.parametrize("level", ["read committed", "repeatable read", "serializable"])
def test_who_waited_sees_what_was_written_meanwhile(
    level: str, make_url: Callable[[str], str], open_url: Callable[[str], Database]
) -> None:
    """Whatever isolation the server gives by default."""
    url = make_url("postgresql")
    asking = open_url(url)
    with asking.write("schema") as connection:
        name = connection.execute(func.current_database().select()).scalar_one()
        connection.exec_driver_sql(f"ALTER DATABASE {name} SET default_transaction_isolation = '{level}'")
    first, second = (open_database(url, create=False, wait=60) for _ in range(2))
    waiting = Thread(target=record_all, args=(second, things(3)))
    with first.write() as connection:
        waiting.start()
        while not _is_waited_for(asking):
            time.sleep(0.01)
        event = encode(thing(9))
        row = {"id": 1, "hash": event.hash, "event": event.event.decode(), "provenance": "test/1"}
        connection.execute(insert(EVENTS).values(row))
    waiting.join()
    counts = row_counts(asking)
    assert (counts["journal_events"], counts["journal_nodes"], counts["journal_runs"]) == (4, 2, 1)
    for database in (first, second):
        database.engine.dispose()


def _is_waited_for(database: Database) -> bool:
    query = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    with database.read() as connection:
        return bool(connection.exec_driver_sql(query).scalar_one())


def test_who_reads_is_not_kept_waiting(url: str, open_url: Callable[[str], Database]) -> None:
    """A reader sees the journal as it was when it began, and a writer goes on meanwhile."""
    database = open_url(url)
    record_all(database, things(3))
    other = open_database(url, create=False, wait=1)
    with other.read() as connection:
        count = select(func.count()).select_from(EVENTS)
        assert connection.execute(count).scalar_one() == 3
        record_all(database, things(9))
    assert row_counts(other)["journal_events"] == 9
    other.engine.dispose()

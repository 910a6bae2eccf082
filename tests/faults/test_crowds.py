"""Many at once at one journal and target: nothing lost, nobody stuck, and who only reads misses nothing."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine

from tests import scale, tally
from tests.conftest import MAKES
from tests.faults.bases import Base
from tests.faults.commands import LIMIT, RECORD, SECOND, SMALL, Command, assert_told, done, run
from tests.seedjournal.commands import driver_url

pytestmark = [pytest.mark.soak, pytest.mark.xdist_group("faults")]

RECORDERS, PROJECTORS = 8, 2


class Tail:
    """A reader that follows the journal by number, as somebody's own program would."""

    def __init__(self, url: str) -> None:
        self._engine = create_engine(driver_url(url))
        self.last = 0

    def read(self) -> None:
        """Take what is new: it begins behind what was there before, and has no gap."""
        with self._engine.connect() as connection:
            query = f"SELECT id FROM journal_events WHERE id > {self.last} ORDER BY id"
            for (number,) in connection.exec_driver_sql(query):
                assert number == self.last + 1
                self.last = number

    def close(self) -> None:
        """Read no more."""
        self._engine.dispose()


def work(turn: int) -> list[tuple[str, ...]]:
    """What a crowd does at once: half of it records one project, half projects of their own."""
    recorded = [
        (*RECORD, "--set", f"prs={12 + turn + number}")
        if number % 2
        else ("record", "--project", f"own-{number}", "--new", *SMALL, "--set", f"prs={5 + turn}")
        for number in range(RECORDERS)
    ]
    return [*recorded, *[("project",)] * PROJECTORS, ("verify",)]


def test_a_crowd(base: Base) -> None:
    url = base.copy()
    tail = Tail(url)
    runs = 1
    for turn in range(scale.times(1, 2)):
        if scale.is_over():
            break
        commands = [Command(base.folder, (*one, "--wait", "250", "--journal", url)) for one in work(turn)]
        until = time.monotonic() + LIMIT
        while any(one.is_running() for one in commands) and time.monotonic() < until:
            tail.read()
            time.sleep(0.002)
        ends = [one.ended() for one in commands]
        assert [one.code for one in ends] == [0] * len(commands), ends
        runs += RECORDERS
        tally.count("commands at once", base.make, len(commands))
    listed = done(base.folder, "log", "--journal", url)["runs"]
    assert [one["run"] for one in listed] == list(range(1, runs + 1))
    checked = done(base.folder, "verify", "--journal", url)
    assert checked["ok"]
    tail.read()
    tail.close()
    assert tail.last == checked["events"]
    done(base.folder, "project", "--journal", url)
    again = done(base.folder, "project", "--rebuild", "--yes", "--journal", url)
    for project in again["projects"].values():
        for counts in project["kinds"].values():
            assert (counts["inserted"], counts["updated"], counts["deleted"]) == (0, 0, 0)
    base.drop(url)


def test_first_starts_at_once(make_url: Callable[[str], str], tmp_path: Path) -> None:
    for make in MAKES:
        url = make_url(make)
        commands = [
            Command(tmp_path, ("record", "--project", f"own-{n}", "--new", *SMALL, "--set", "prs=3", "--journal", url))
            for n in range(4)
        ]
        ends = [one.ended() for one in commands]
        assert [one.code for one in ends] == [0] * 4, ends
        projections = [Command(tmp_path, ("project", "--journal", url)) for _ in range(3)]
        ends = [one.ended() for one in projections]
        assert [one.code for one in ends] == [0] * 3, ends
        assert len(done(tmp_path, "log", "--journal", url)["runs"]) == 4
        assert done(tmp_path, "verify", "--journal", url)["ok"]
        tally.count("first starts at once", make, 7)


def test_who_merely_reads_for_ever_blocks_nobody(base: Base) -> None:
    url = base.copy()
    engine = create_engine(driver_url(url))
    with engine.connect() as reader:
        for table in ("journal_events", "journal_nodes", "journal_runs", "pull_requests"):
            reader.exec_driver_sql(f"SELECT count(*) FROM {table}").all()
        base.assert_recorded(url)
        base.assert_projected(url)
    engine.dispose()
    base.drop(url)


def test_who_writes_for_ever_blocks_for_a_bounded_time(base: Base) -> None:
    url = base.copy()
    holder = hold(base, url)
    for arguments in (SECOND, ("project", "--run", "1", "--rebuild", "--yes")):
        started = time.monotonic()
        ended = run(base.folder, *arguments, "--wait", "1", "--journal", url)
        assert_told(ended, 3, "is locked by another process (waited 1 s)")
        assert 1 <= time.monotonic() - started < 60
        tally.count("busy database waited for", base.make)
    holder()
    base.assert_whole(url)
    base.assert_recorded(url)
    base.assert_projected(url)
    base.drop(url)


def hold(base: Base, url: str) -> Callable[[], None]:
    """Write and do not end; a function that ends it."""
    if base.make == "sqlite":
        connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE teams SET name = name")
        return connection.close
    holder = psycopg.connect(url)
    holder.execute("LOCK TABLE journal_events IN SHARE ROW EXCLUSIVE MODE")
    holder.execute("LOCK TABLE teams IN ACCESS EXCLUSIVE MODE")  # a projection of an unchanged state reads only
    return holder.close


def test_who_reads_a_file_in_rollback_mode_is_waited_for_with_a_bound(base_of: Callable[[str], Base]) -> None:
    """There a reader keeps the writer out, as SQLite documents."""
    base = base_of("sqlite")
    url = base.copy()
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as reader:
        reader.execute("PRAGMA journal_mode = DELETE")
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM journal_runs").fetchone()
        ended = run(base.folder, *SECOND, "--wait", "1", "--journal", url)
        assert_told(ended, 3, "is locked by another process (waited 1 s)")
    base.assert_recorded(url)
    base.assert_projected(url)
    base.drop(url)

"""What other processes do to a journal while tests look on; they start from one server process that imported this."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.context import ForkServerContext, ForkServerProcess
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from sqlalchemy import event

from seedjournal.journal import JOURNAL_HISTORY, Database, Event, appending, ensure, journal_id, open_database
from tests.journal.things import POLICIES, forget_all_but, record_all, thing

ROOT = Path(__file__).parents[2]
AT_ONCE = 10  # events that are staged at a time, so that a small run takes several statements
LIMIT = 120  # seconds until a test gives a process up


def start_context() -> ForkServerContext:
    """Processes that start fast and share nothing with the one that tests."""
    os.environ["PYTHONPATH"] = str(ROOT)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


@contextmanager
def opened(url: str) -> Iterator[Database]:
    """A journal for this process alone."""
    database = open_database(url, create=True, wait=60)
    try:
        ensure(database, JOURNAL_HISTORY, create=True)
        yield database
    finally:
        database.engine.dispose()


def ended(processes: Sequence[ForkServerProcess]) -> list[int | None]:
    """How the processes ended; one that does not in time is ended here and counts as None."""
    codes: list[int | None] = []
    for process in processes:
        process.join(LIMIT)
        codes.append(process.exitcode)
        if process.exitcode is None:
            process.kill()
            process.join()
    return codes


def start_journal(url: str, barrier: Barrier, told: Any) -> None:
    """Make a journal at the same moment as others do, and tell its id."""
    barrier.wait(LIMIT)
    with opened(url) as database, database.read() as connection:
        told.put(journal_id(connection))


def stated(writer: int, turn: int, project: str) -> list[Event]:
    """What a writer states in a turn: some that all state, some that change with turn and writer."""
    return [
        *(thing(number, kind="fixed", project=project) for number in range(60)),
        *(thing(number, turn, project=project) for number in range(60)),
        *(thing(number, f"{writer} {turn}", project=project) for number in range(60, 90)),
        *(thing(1000 * writer + number, turn, kind="mirror", project=project) for number in range(30)),
    ]


def write_runs(url: str, writer: int, turns: int, barrier: Barrier, told: Any) -> None:
    """Record the same project as others do, and one's own, by turns; tell each run."""
    appending._GROUP = AT_ONCE
    with opened(url) as database:
        barrier.wait(LIMIT)
        for turn in range(turns):
            for project in ("shared", f"own{writer}"):
                sealed = record_all(database, stated(writer, turn, project), project=project)
                told.put((writer, turn, project, sealed.run.run, sealed.run.root, sealed.run.state, sealed.appended))


def forget_by_turns(url: str, turns: int, barrier: Barrier, told: Any) -> None:
    """Forget all but the newest run of each project, by turns, while others record; tell how many went each time."""
    with opened(url) as database:
        barrier.wait(LIMIT)
        for _ in range(turns):
            told.put(sum(map(len, forget_all_but(database, 1).runs.values())))
            time.sleep(0.02)


def die_while_forgetting(url: str, moment: int | None) -> int:
    """Forget and be killed at the moment; without one, tell how many moments there are."""
    steps = 0

    def count(*_: object) -> None:
        nonlocal steps
        if steps == moment:
            os.kill(os.getpid(), signal.SIGKILL)
        steps += 1

    with opened(url) as database:
        for name in ("before_cursor_execute", "after_cursor_execute", "commit"):
            event.listen(database.engine, name, count)
        forget_all_but(database, 1)
    return steps


def victim_events(project: str, *, later: bool) -> list[Event]:
    """Two runs' worth: the later one changes, adds and leaves out."""
    start, content = (20, "later") if later else (0, "")
    return [
        thing(number, content, kind=kind, project=project) for kind in POLICIES for number in range(start, start + 50)
    ]


def die_while_recording(url: str, project: str, moment: int | None, first: str = "") -> int:
    """Record and be killed at the moment; without one, tell how many moments there are.

    Moments are before and after statements and at commits, counted from the first statement that contains `first`.
    """
    steps = 0

    def count(*given: object) -> None:
        nonlocal steps
        if steps or any(isinstance(one, str) and first in one for one in given):
            if steps == moment:
                os.kill(os.getpid(), signal.SIGKILL)
            steps += 1

    appending._GROUP = AT_ONCE
    with opened(url) as database:
        for name in ("before_cursor_execute", "after_cursor_execute", "commit"):
            event.listen(database.engine, name, count)
        record_all(database, victim_events(project, later=True), project=project)
    return steps


def record_until_killed(url: str, project: str, started: Any) -> None:
    """Record once, after telling that it begins; the test kills when it likes."""
    appending._GROUP = AT_ONCE
    with opened(url) as database:
        started.send(None)
        record_all(database, victim_events(project, later=True), project=project)

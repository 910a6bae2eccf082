"""A projection that is killed changes nothing, two at once take turns, and readers never see half of one."""

from __future__ import annotations

import os
import signal
import traceback
import warnings
from collections.abc import Callable

import pytest
from sqlalchemy import event

from seedjournal.journal import Database, Run
from seedjournal.projectors import Choice, project
from tests import scale
from tests.projectors.invented import ALL_EXACT, cold, dump, everything, note, rows, show, total, totals, with_changed
from tests.projectors.kept import LAYOUT

KILLED, DONE = -signal.SIGKILL, 0


def forked(work: Callable[[], None]) -> int:
    """Start a process that does this work; its id."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        except BaseException:  # noqa: BLE001 - a forked test process must never return into the test runner
            traceback.print_exc()
            os._exit(1)
    return child


def ended(child: int) -> int:
    """How the process ended: its exit code, or the signal that killed it, negative."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def projecting(database: Database, run: Run, choice: Choice, die_at: int | None = None) -> Callable[[], None]:
    """Project in a process of its own, which may kill itself right before a statement, counted from 1.

    It makes connections of its own: its parent has closed all that there were.
    """

    def work() -> None:
        executed = 0

        def count(*_: object) -> None:
            nonlocal executed
            executed += 1
            if executed == die_at:
                os.kill(os.getpid(), signal.SIGKILL)

        event.listen(database.engine, "before_cursor_execute", count)
        event.listen(database.engine, "commit", count)
        project(database, database, LAYOUT, run, choice)

    return work


def statements(database: Database, run: Run, choice: Choice) -> int:
    """How many statements a projection takes, its commit counted; it is not carried out."""
    executed = 0

    def count(*_: object) -> None:
        nonlocal executed
        executed += 1

    event.listen(database.engine, "before_cursor_execute", count)
    project(database, database, LAYOUT, run, Choice(prune=choice.prune, dry_run=True))
    event.remove(database.engine, "before_cursor_execute", count)
    return executed - 2 + 1  # without the savepoint of the dry run, and going back to it


@pytest.mark.scales
@pytest.mark.parametrize("first", [True, False])
def test_a_killed_projection_changes_nothing_and_the_next_one_is_as_undisturbed(
    database: Database, first: bool
) -> None:
    if not first:
        show(database, note(database, everything(), ALL_EXACT))
    run = note(database, with_changed(everything(numbers=(1, 3, 4)), "pr_file", status="removed"), ALL_EXACT)
    choice = Choice(prune=True)
    before = dump(database)
    last = statements(database, run, choice)
    moments = scale.times(1, 10)
    for moment in sorted({last - (last - 1) * step // moments for step in range(moments + 1)}):
        database.engine.dispose()
        assert ended(forked(projecting(database, run, choice, moment))) == KILLED, moment
        assert dump(database) == before, moment
    database.engine.dispose()
    assert ended(forked(projecting(database, run, choice))) == DONE
    assert rows(database) == cold(database, run)
    assert totals(show(database, run, prune=True)) == (0, 0, 0)


def test_projections_at_once_take_turns(database: Database) -> None:
    runs = [note(database, everything(numbers=numbers), ALL_EXACT) for numbers in ((1, 2), (2, 3), (1, 3, 4))]
    database.engine.dispose()
    children = [forked(projecting(database, run, Choice(prune=True))) for run in runs]
    assert [ended(child) for child in children] == [DONE] * 3
    with database.read() as connection:
        (number,) = set(connection.exec_driver_sql("SELECT run FROM seedjournal_positions").scalars())
    shown = next(run for run in runs if run.run == number)
    assert rows(database) == cold(database, shown)
    assert total(show(database, shown), "stale") == 0

"""A recording is killed without warning at any moment: it leaves nothing, and the next one is as if it never was."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import pytest

from seedjournal.journal import Database, Run, appending
from tests import scale
from tests.conftest import MAKES
from tests.journal.processes import (
    AT_ONCE,
    die_while_recording,
    ended,
    opened,
    record_until_killed,
    start_context,
    victim_events,
)
from tests.journal.things import content_of, findings, record_all, row_counts

KILLED = -9


def record_one(database: Database, project: str, *, later: bool) -> Run:
    """One of a project's two runs, undisturbed."""
    return record_all(database, victim_events(project, later=later), project=project).run


def assert_recovers(database: Database, undisturbed: Database, project: str) -> None:
    """Whatever was left, the same recording once more gives what it gives where nothing was in its way."""
    again = record_one(database, project, later=True)
    record_one(undisturbed, project, later=False)
    expected = record_one(undisturbed, project, later=True)
    assert (again.root, again.state) == (expected.root, expected.state)
    assert content_of(database, again.state) == content_of(undisturbed, expected.state)


@pytest.mark.scales
@pytest.mark.parametrize("make", MAKES)
def test_killed_at_every_step(
    make: str, make_url: Callable[[str], str], open_url: Callable[[str], Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before and after statements and at commits, from the first one to that of the run itself."""
    context = start_context()
    url = make_url(make)
    undisturbed = open_url(make_url("sqlite"))
    with opened(url) as database:
        record_one(database, "p", later=False)
        with monkeypatch.context() as patched:
            patched.setattr(appending, "_GROUP", AT_ONCE)
            steps = die_while_recording(url, "p", None)
        spread = [(moment, "") for moment in range(steps // 2, steps, steps)]
        if scale.is_soak():
            spread = [(moment, "") for moment in range(0, steps, steps // 22)]
        ends = [(step, "INSERT INTO journal_runs") for step in range(scale.times(1, 3))]
        killed = 0
        for moment, first in [*spread, *ends]:
            project = f"p{moment}{first}"
            record_one(database, project, later=False)
            before = row_counts(database)
            process = context.Process(target=die_while_recording, args=(url, project, moment, first))
            process.start()
            (code,) = ended([process])
            assert code == KILLED or (code == 0 and not first)  # another project's recording may have fewer steps
            assert (row_counts(database) == before) == (code == KILLED)
            assert_recovers(database, undisturbed, project)
            killed += code == KILLED
        assert killed >= scale.times(2, 20)
        assert findings(database) == []


@pytest.mark.soak
@pytest.mark.parametrize("make", MAKES)
def test_killed_at_any_time(make: str, make_url: Callable[[str], str], open_url: Callable[[str], Database]) -> None:
    """Also in the middle of a statement."""
    context = start_context()
    chance = random.Random(11)
    url = make_url(make)
    with opened(url) as database:
        undisturbed = open_url(make_url("sqlite"))
        for turn in range(5):
            project = f"p{turn}"
            record_one(database, project, later=False)
            here, there = context.Pipe(duplex=False)
            process = context.Process(target=record_until_killed, args=(url, project, there))
            process.start()
            here.recv()
            time.sleep(chance.uniform(0, 0.1))
            process.kill()
            assert ended([process])[0] in {KILLED, 0}
            assert findings(database) == []
            assert_recovers(database, undisturbed, project)
        assert findings(database) == []

"""SIGKILL of real commands at random moments: what is there is whole, and the next command completes it."""

from __future__ import annotations

import time

import pytest

from tests import scale, tally
from tests.faults.bases import TABLES, Base
from tests.faults.commands import SECOND, Command
from tests.seedjournal.commands import rows_of

pytestmark = [pytest.mark.soak, pytest.mark.xdist_group("faults")]

KILLED = -9


def seconds(base: Base, url: str, *arguments: str) -> float:
    """How long a command takes undisturbed."""
    started = time.monotonic()
    assert Command(base.folder, (*arguments, "--journal", url)).ended().code == 0
    return time.monotonic() - started


def killed_after(base: Base, url: str, delay: float, *arguments: str) -> bool:
    """Kill a command so many seconds after its start; whether that was the end of it."""
    command = Command(base.folder, (*arguments, "--journal", url))
    time.sleep(delay)
    command.kill()
    code = command.ended().code
    assert code in {KILLED, 0}
    return code == KILLED


def test_killed_at_any_moment(base: Base) -> None:
    chance = scale.chance("kills", base.make)
    url = base.copy()
    recording = seconds(base, url, *SECOND)
    projecting = seconds(base, url, "project")
    base.drop(url)
    for _ in range(scale.times(3, 20)):
        if scale.is_over():
            break
        url = base.copy()
        if killed_after(base, url, chance.uniform(0, recording), *SECOND):
            tally.count("SIGKILL of record", base.make)
        base.assert_whole(url)
        base.assert_recorded(url)
        if killed_after(base, url, chance.uniform(0, projecting), "project"):
            tally.count("SIGKILL of project", base.make)
        assert rows_of(url, *TABLES) in (base.old, base.new)
        base.assert_projected(url)
        base.drop(url)

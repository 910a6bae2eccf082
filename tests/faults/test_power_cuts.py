"""Power cuts on SQLite: its files as they are at arbitrary moments, and with torn ends, open and complete."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from random import Random

import pytest

from tests import scale, tally
from tests.faults.bases import Base
from tests.faults.commands import SECOND, Command

pytestmark = [pytest.mark.soak, pytest.mark.xdist_group("faults")]


@pytest.fixture
def base(base_of: Callable[[str], Base]) -> Base:
    return base_of("sqlite")


def stopped(pid: int) -> bool:
    """Stop a process wherever it is; whether it was still there."""
    try:
        os.kill(pid, signal.SIGSTOP)
        while (state := Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]) not in "TZ":
            time.sleep(0.001)
    except (ProcessLookupError, FileNotFoundError):
        return False
    return state == "T"


def files_at_moments(
    path: Path, command: Command, moments: int, chance: Random, seconds: float
) -> Iterator[dict[str, bytes]]:
    """The database's files at so many moments of a command, which stands still while they are read."""
    for _ in range(moments):
        time.sleep(chance.uniform(0, 2 * seconds / moments))
        if not stopped(command.pid):
            break
        found = {}
        for end in ("", "-wal", "-journal"):
            with suppress(FileNotFoundError):
                found[end] = Path(f"{path}{end}").read_bytes()
        os.kill(command.pid, signal.SIGCONT)
        yield found
    assert command.ended().code == 0


def torn(log: bytes, chance: Random) -> bytes:
    """A log whose last part never reached the disk, or reached it as anything."""
    kept = chance.randint(0, len(log))
    return log[:kept] + (chance.randbytes(min(len(log) - kept, 5000)) if chance.random() < 0.5 else b"")


@pytest.mark.parametrize("way", ["torn", "log", "rollback"])
@pytest.mark.parametrize("name", ["record", "project"])
def test_every_state_of_the_files_opens_and_completes(base: Base, way: str, name: str) -> None:
    """A reader keeps the log from being written back, so that all of it may be torn; else it is taken as it is."""
    chance = scale.chance("power", way, name)
    url = base.copy()
    path = Path(url.removeprefix("sqlite:///"))
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        if way == "rollback":
            reader.execute("PRAGMA journal_mode = DELETE")
        if name == "project":
            base.assert_recorded(url)
        if way == "torn":
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM journal_runs").fetchone()
        command = Command(base.folder, (*(SECOND if name == "record" else ("project",)), "--journal", url))
        moments = list(files_at_moments(path, command, scale.times(2, 4), chance, seconds=0.5))
    for files in moments:
        if scale.is_over():
            break
        copy = path.with_name("cut.db")
        for end, content in files.items():
            Path(f"{copy}{end}").write_bytes(torn(content, chance) if (way, end) == ("torn", "-wal") else content)
        cut = f"sqlite:///{copy}"
        base.assert_whole(cut)
        base.assert_recorded(cut)
        base.assert_projected(cut)
        base.drop(cut)
        tally.count(f"power cut in {name}, {way}", "sqlite")
    base.drop(url)

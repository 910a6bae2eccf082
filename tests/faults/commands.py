"""Real commands as processes of their own, which start fast: they are forked from a server that has imported all."""

from __future__ import annotations

import json
import multiprocessing
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any

from seedjournal.cli import COMMANDS, main

ROOT = Path(__file__).parents[2]
_NEEDED = (
    "psycopg",
    *(f"seedjournal.commands.{family}" for family, _ in COMMANDS.values()),
    "seedjournal.failures",
    "seedjournal.simulators.engineering.demo.source",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.sqlite",
)
LIMIT = 300  # seconds until a command is given up

SMALL = ("--source", "demo", "--set", "members=4", "--set", "days=40", "--set", "days_back=20")
RECORD = ("record", "--project", "demo", "--new", *SMALL)
FIRST = (*RECORD, "--set", "prs=12")
SECOND = (*RECORD, "--set", "prs=30")


def context() -> ForkServerContext:
    """Processes that start fast and share nothing with the one that tests."""
    os.environ["PYTHONPATH"] = str(ROOT)
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload([__name__, *_NEEDED])
    return found


@dataclass(frozen=True)
class Ended:
    """How a command ended and what it printed; negative is the signal that ended it."""

    code: int | None
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one document on stdout."""
        document: dict[str, Any] = json.loads(self.out)
        return document


class Command:
    """A command that runs."""

    def __init__(
        self, folder: Path, arguments: Sequence[str], prepare: Callable[..., None] | None = None, *given: Any
    ) -> None:
        name = f"{time.monotonic_ns()}"
        self._out, self._err = folder / f"{name}.out", folder / f"{name}.err"
        self.process: ForkServerProcess = context().Process(
            target=_run, args=(tuple(arguments), folder, self._out, self._err, prepare, given)
        )
        self.process.start()

    @property
    def pid(self) -> int:
        """The process."""
        assert self.process.pid is not None
        return self.process.pid

    def is_running(self) -> bool:
        """Whether it still runs."""
        return self.process.is_alive()

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()

    def ended(self) -> Ended:
        """Wait for its end; a command that does not end in time is killed here."""
        self.process.join(LIMIT)
        code = self.process.exitcode
        if code is None:
            self.process.kill()
            self.process.join()
        texts = []
        for file in (self._out, self._err):
            texts.append(file.read_text(encoding="utf-8") if file.exists() else "")
            with suppress(FileNotFoundError):
                file.unlink()
        return Ended(code, *texts)


def run(folder: Path, *arguments: str) -> Ended:
    """Run a command to its end."""
    return Command(folder, arguments).ended()


def done(folder: Path, *arguments: str) -> dict[str, Any]:
    """Run a command that does what it should; its document."""
    ended = run(folder, *arguments, "--json")
    assert ended.code == 0, ended
    return ended.json


def assert_told(ended: Ended, status: int, *words: str) -> None:
    """A clear error: the status, one line and a hint, these words, and no traceback."""
    assert ended.code == status, ended
    assert ended.err.splitlines()[-2].startswith("error: "), ended
    assert ended.err.splitlines()[-1].startswith("  try: "), ended
    assert "Traceback" not in ended.err, ended
    assert any(word in ended.err for word in words) or not words, ended


def _run(
    arguments: Sequence[str],
    folder: Path,
    out: Path,
    err: Path,
    prepare: Callable[..., None] | None,
    given: tuple[Any, ...],
) -> None:
    for number, file in ((1, out), (2, err)):
        os.dup2(os.open(file, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o666), number)
    os.chdir(folder)
    if prepare:
        prepare(*given)
    main(arguments)

"""Every history of `../shared/cases/git`, through the real commands, against its right values."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.faults.commands import Command

CASES = Path(__file__).parents[3] / "shared" / "cases" / "git"
PROGRAM = str(Path(sys.executable).parent / "seedjournal")


@pytest.mark.shared
def test_every_history_has_its_right_values(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As somebody would run it, but for the program's processes: they are forked, which takes a third of the time."""
    whole = subprocess.run

    def run(command: Sequence[Any], *, env: Mapping[str, str], cwd: Path | None = None, **others: Any) -> Any:
        if command[0] != PROGRAM:
            return whole(command, env=env, cwd=cwd, **others)
        assert cwd is not None
        ended = Command(cwd, command[1:], live_with, dict(env)).ended()
        return subprocess.CompletedProcess(command, ended.code or 0, ended.out + ended.err)

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(sys, "argv", ["check.py", "--command", PROGRAM])
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(str(CASES / "check.py"), run_name="__main__")
    out = capsys.readouterr().out
    assert not stop.value.code, "\n".join(line for line in out.splitlines() if not line.startswith("right"))


def live_with(environment: Mapping[str, str]) -> None:
    """Give this process these environment variables and no others."""
    os.environ.clear()
    os.environ.update(environment)

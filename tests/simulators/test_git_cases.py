"""Every history of `shared/cases/git`, through the real commands, against its right values."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CASES = Path(__file__).parents[3] / "shared" / "cases" / "git"


@pytest.mark.skipif(not CASES.is_dir(), reason="the histories are not beside this repository")
def test_every_history_has_its_right_values() -> None:
    command = Path(sys.executable).parent / "seedjournal"
    done = subprocess.run(
        [sys.executable, str(CASES / "check.py"), "--command", str(command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    wrong = [line for line in done.stdout.splitlines() if not line.startswith("right")]
    assert done.returncode == 0, "\n".join(wrong)

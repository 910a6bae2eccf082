"""The long run: rounds of everything that tries much, each with a seed of its own, until the time is over.

`SOAK_MINUTES` (30) says for how long, `SOAK_SEED` which seed comes first; a failure prints the one command that repeats
it. Marked `soak` or `scales`, or a property of Hypothesis's: those are the tests that run, whichever room's they are.
"""

from __future__ import annotations

import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from tests import scale, tally

_TESTS = "soak or scales or hypothesis"
_HOW = ("-q", "-n", "2", "--dist", "loadgroup", "-rfE", "--tb=short", "-p", "no:cacheprovider")
_GRACE = 120  # seconds beyond the end that a round is given to stop by itself
_FAILED = re.compile(r"^(?:FAILED|ERROR) (tests/.+?)(?: - .*)?$", re.MULTILINE)


def main() -> int:
    """Run until the time is over; 1 where anything was found."""
    minutes = float(os.environ.get("SOAK_MINUTES", "30"))
    first = int(os.environ.get(scale.SEED) or secrets.randbelow(10**9))
    until = time.time() + minutes * 60
    signal.signal(signal.SIGINT, signal.default_int_handler)  # rounds are ended by it, also where a shell ignores it
    print(f"soak: {minutes:g} minutes, first seed {first}", flush=True)
    failures: dict[str, str] = {}
    rounds = 0
    with tempfile.TemporaryDirectory(prefix="seedjournal-soak-") as folder:
        counted = Path(folder) / "tally"
        counted.touch()
        while time.time() < until:
            seed = first + rounds
            rounds += 1
            for test in _round(seed, until, counted):
                again = f"SOAK_SEED={seed} {sys.executable} -m pytest -n 0 -m '' --hypothesis-seed={seed} '{test}'"
                failures.setdefault(test, again)
                print(f"found by {test}; again:\n  {again}", flush=True)
        told = _table(tally.total(counted), rounds, len(failures))
    print(told)
    for again in failures.values():
        print(again)
    return 1 if failures else 0


def _round(seed: int, until: float, counted: Path) -> list[str]:
    """Run every long test once; those that failed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", *_HOW, "-m", _TESTS, f"--hypothesis-seed={seed}", *sys.argv[1:]],
        env={**os.environ, scale.SEED: str(seed), scale.UNTIL: str(until), tally.FILE: str(counted)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    is_cut = False
    try:
        out, _ = process.communicate(timeout=max(0, until - time.time()) + _GRACE)
    except subprocess.TimeoutExpired:
        is_cut = True
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate()
    summary = out.rstrip().rpartition("\n")[2]
    print(f"seed {seed}: {summary}{' (time is over)' if is_cut else ''}", flush=True)
    found = _FAILED.findall(out)
    if found or (process.returncode not in {0, 5} and not is_cut):
        print(out, flush=True)
        return found or [f"the round itself, which ended with {process.returncode}"]
    return []


def _table(counted: Mapping[tuple[str, str], int], rounds: int, findings: int) -> str:
    """What was tried, as a table."""
    lines = [
        "",
        "| tried | SQLite | PostgreSQL | both or neither |",
        "|---|---:|---:|---:|",
        f"| rounds | | | {rounds} |",
    ]
    for what in sorted({what for what, _ in counted}):
        numbers = [counted.get((what, make), 0) for make in ("sqlite", "postgresql", "")]
        lines.append(f"| {what} | " + " | ".join(f"{number:,}" if number else "" for number in numbers) + " |")
    return "\n".join([*lines, f"| findings | | | {findings} |"])


if __name__ == "__main__":
    sys.exit(main())

"""`make demo`: the main job on an invented project, told step by step."""

from __future__ import annotations

import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import orjson

_PROJECT = "demo"
_MORE = 20
_START = 200


def main() -> int:
    """Record, project, record again, diff; then twenty more pull requests. The exit status tells whether all held."""
    with tempfile.TemporaryDirectory(prefix="seedjournal-demo-") as folder:
        there = Path(folder)
        record = ["record", "--project", _PROJECT, "--new", "--source", "demo", "--set"]
        _step(
            there,
            "Record an invented project: every distinct event goes into the journal once.",
            *record,
            f"prs={_START}",
        )
        _step(there, "Project it: tables are made and brought to the run's state.", "project")
        _step(
            there,
            "Record the same again: the run is there, and nothing is appended.",
            *record,
            f"prs={_START}",
            "--no-reuse",
        )
        _step(there, "Project again: no row is touched.", "project")
        _step(there, "What separates the two runs?", "diff")
        _step(there, f"Now {_MORE} more pull requests.", *record, f"prs={_START + _MORE}")
        _step(there, "What changed, and what did not?", "diff", "--stat")
        _step(there, "Project: only what differs is written.", "project")
        _step(there, "And everything is as its hash says.", "verify")
        added, moved = _summary(_json(there, "diff", f"{_PROJECT}@-1", f"{_PROJECT}@latest"))
    print(f"\n{added} pull requests added, {moved} old simulated entities moved")  # noqa: T201 - a demo talks
    return 0 if (added, moved) == (_MORE, 0) else 1


def _summary(difference: dict[str, Any]) -> tuple[int, int]:
    """How many pull requests a difference adds, and how many simulated entities it moves.

    Weekly metrics are sums over what there is, no simulated entities, and move with it.
    """
    simulated = {"jira_issue", "pr_survey", "pr_survey_review", "ai_usage_daily"}
    moved = [one for one in difference["changes"] if one["kind"] in simulated and one["change"] != "added"]
    return difference["kinds"].get("pull_request", {}).get("added", 0), len(moved)


def _step(there: Path, why: str, *arguments: str) -> None:
    print(f"\n# {why}\n$ seedjournal {shlex.join(arguments)}", flush=True)  # noqa: T201 - a demo talks
    _run(there, *arguments)


def _json(there: Path, *arguments: str) -> dict[str, Any]:
    document: dict[str, Any] = orjson.loads(_run(there, *arguments, "--json", "--quiet", capture=True))
    return document


def _run(there: Path, *arguments: str, capture: bool = False) -> bytes:
    command = [sys.executable, "-P", "-m", "seedjournal", *arguments]
    done = subprocess.run(command, cwd=there, check=False, stdout=subprocess.PIPE if capture else None)  # noqa: S603 - our own program
    if done.returncode:
        raise SystemExit(done.returncode)
    return done.stdout or b""


if __name__ == "__main__":
    sys.exit(main())

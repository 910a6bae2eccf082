"""`python -m seedjournal.demo [FOLDER]`: what a seeding script does on its second run, and what seedjournal does.

The folder stays, so that you can go on from there. The exit status says whether all held.
"""

from __future__ import annotations

import shlex
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson

_PROJECT = "demo"
_START, _MORE = 200, 20
_RECORD = ("record", "--project", _PROJECT, "--source", "demo", "--set")

_SCRIPT = """\
import random, sqlite3

db = sqlite3.connect("script.db")
columns = "login TEXT PRIMARY KEY, hours REAL"
db.execute(f"CREATE TABLE IF NOT EXISTS members ({columns})")
for login in ("ada", "grace"):
    db.execute("INSERT INTO members VALUES (?, ?)", (login, random.random()))
db.commit()
"""

_QUESTION = """\
SELECT CASE is_ai_assisted WHEN 1 THEN 'yes' ELSE 'no' END AS assistant,
       count(*) AS merged, round(avg(cycle_time_hours), 1) AS hours_to_merge
FROM pull_requests WHERE state = 'merged' GROUP BY assistant;"""

_LATEST_ISSUE = "SELECT jira_key FROM jira_issues ORDER BY issue_created_at DESC, jira_key LIMIT 1"


def main() -> int:
    """Show everything; return 0 if twenty more pull requests moved nothing that was simulated before."""
    there = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp(prefix="seedjournal-demo-"))
    there.mkdir(parents=True, exist_ok=True)
    _fail_with_a_script(there)
    _screen("`record` stores an invented project as events in a journal.")
    _show(there, *_RECORD, f"prs={_START}", "--new")
    _screen("`project` brings tables to what was recorded.")
    _show(there, "project")
    _screen(
        "The second run adds nothing to the journal, and writes no row.\n"
        "# (Without --no-reuse, `record` would not even simulate again.)"
    )
    _show(there, *_RECORD, f"prs={_START}", "--no-reuse")
    _show(there, "project")
    _screen("The tables answer questions. Do assistants make merging faster?")
    _say(_QUESTION, "", _answer(there))
    _screen("Why is a value what it is? An entity's content, and what made it:")
    _show(there, "show", "jira_issue", _PROJECT, _asked(there, _LATEST_ISSUE)[1][0][0])
    _screen(f"{_MORE} more pull requests. What changed, and what did not?")
    _show(there, *_RECORD, f"prs={_START + _MORE}", "--quiet")
    _show(there, "diff", "--stat")
    added, moved = _summary(_json(there, "diff", f"{_PROJECT}@-1", f"{_PROJECT}@latest"))
    _screen("One setting changes: fewer people answer surveys. What moves?")
    _show(there, *_RECORD, f"prs={_START + _MORE}", "--set", "survey_response_rate=0.3", "--quiet")
    _show(there, "diff", "--stat")
    _say("", "Surveys, and the weekly sums over them. Nothing else.")
    _screen("The tables follow, and every hash and every row is checked.")
    _show(there, "project", "--yes", "--quiet")
    _show(there, "verify")
    _say(
        "",
        f"Everything is in {there}. Try there:",
        f"  cd {shlex.quote(str(there))}",
        "  seedjournal log",
        f"  seedjournal show {_PROJECT}@latest",
        "  seedjournal diff --kind pr_survey --limit 10",
        "",
        f"{added} pull requests added, {moved} old simulated entities moved",
    )
    return 0 if (added, moved) == (_MORE, 0) else 1


def _fail_with_a_script(there: Path) -> None:
    """Run a seeding script twice; the second time it fails."""
    _say("# A seeding script. Its first run works, its second one does not.", "")
    (there / "seed.py").write_text(_SCRIPT, encoding="utf-8")
    (there / "script.db").unlink(missing_ok=True)
    _say(_SCRIPT)
    for _ in range(2):
        _say("$ python seed.py")
        command = [sys.executable, "-P", "seed.py"]
        done = subprocess.run(command, cwd=there, check=False, capture_output=True, text=True)  # noqa: S603 - the script above
        if done.stderr:
            _say(f"… {done.stderr.splitlines()[-1]}")


def _summary(difference: dict[str, Any]) -> tuple[int, int]:
    """Return how many pull requests a difference adds, and how many simulated entities it moves.

    Weekly metrics are sums over what is there, no simulated entities, and move with it.
    """
    simulated = {"jira_issue", "pr_survey", "pr_survey_review", "ai_usage_daily"}
    moved = [one for one in difference["changes"] if one["kind"] in simulated and one["change"] != "added"]
    return difference["kinds"].get("pull_request", {}).get("added", 0), len(moved)


def _answer(there: Path) -> str:
    """Return the question's answer as a table."""
    from .terminal import table

    heads, rows = _asked(there, _QUESTION)
    return table(heads, rows)


def _asked(there: Path, query: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Return the columns' names and the rows that a query selects."""
    with closing(sqlite3.connect(there / "seedjournal.db")) as connection:
        cursor = connection.execute(query)
        return [one[0] for one in cursor.description], cursor.fetchall()


def _screen(title: str) -> None:
    """Begin a part; on a terminal, wait until the reader has read the one before."""
    if sys.stdin.isatty() and sys.stdout.isatty():
        input("\n— Enter shows the next part —")
    _say("", f"# {title}", "")


def _show(there: Path, *arguments: str) -> None:
    """Run a command, and print it with what it prints."""
    _say(f"$ seedjournal {shlex.join(arguments)}")
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


def _say(*lines: str) -> None:
    for line in lines:
        print(line, flush=True)  # noqa: T201 - a demo talks


if __name__ == "__main__":
    sys.exit(main())

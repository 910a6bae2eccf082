"""Running the program, and small inputs for it."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, inspect, make_url, text

from seedjournal.cli import main
from tests.seedjournal import documents

SMALL = ("--source", "demo", "--set", "members=4", "--set", "days=40", "--set", "days_back=20", "--set", "prs=5")
DEMO = ("record", "--project", "demo", "--new", *SMALL)
TWENTY = (*DEMO, "--set", "prs=20")
FORTY = (*DEMO, "--set", "prs=40")

PROGRAM = (sys.executable, "-P", "-m", "seedjournal")


@dataclass(frozen=True, slots=True)
class Done:
    """What a command printed and how it ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one document on stdout."""
        document: dict[str, Any] = json.loads(self.out)
        return document

    @property
    def error(self) -> dict[str, str]:
        """The error of a `--json` command."""
        assert set(self.json) == {"error"}
        error: dict[str, str] = self.json["error"]
        assert set(error) == {"kind", "message", "hint"}
        return error

    @property
    def first(self) -> dict[str, Any]:
        """The one run of `record --json`."""
        (run,) = self.json["runs"]
        found: dict[str, Any] = run
        return found


def valid(arguments: Sequence[str], done: Done) -> Done:
    """Fail where a command's JSON document is not as docs/reference/json.schema.json says."""
    if "--json" in arguments and done.out and "--help" not in arguments:
        documents.refuse(arguments[0], json.loads(done.out))
    return done


def call(capsys: pytest.CaptureFixture[str], arguments: Sequence[str]) -> Done:
    """Run a command line in this process."""
    interrupts = signal.getsignal(signal.SIGINT)  # a command that was interrupted is deaf to more of it
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    signal.signal(signal.SIGINT, interrupts)
    out, err = capsys.readouterr()
    return valid(arguments, Done(int(stop.value.code or 0), out, err))


def spawn(*arguments: str, folder: Path, **environment: str) -> Done:
    """Run a command line in a process of its own."""
    done = subprocess.run(
        [*PROGRAM, *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,  # a machine may be busy with other things
    )
    return valid(arguments, Done(done.returncode, done.stdout, done.stderr))


def peak_of(*arguments: str, folder: Path) -> float:
    """Run a command line in a process of its own; the most memory that it held, in MB, which others do not change."""
    process = subprocess.Popen([*PROGRAM, *arguments, "--quiet"], cwd=folder)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, arguments
    return usage.ru_maxrss / 1024


def driver_url(url: str) -> str:
    """The URL with the driver that the tests have."""
    return make_url(url).set(drivername="postgresql+psycopg").render_as_string(False) if "postgres" in url else url


def rows_of(url: str, *tables: str) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of these tables, or of all, sorted."""
    engine = create_engine(driver_url(url))
    try:
        with engine.connect() as connection:
            names = tables or inspect(connection).get_table_names()
            return {
                name: sorted((tuple(row) for row in connection.execute(text(f"SELECT * FROM {name}"))), key=repr)
                for name in names
            }
    finally:
        engine.dispose()


def asked(url: str, query: str) -> list[tuple[Any, ...]]:
    """The rows that a query selects."""
    engine = create_engine(driver_url(url))
    try:
        with engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(query))]
    finally:
        engine.dispose()


def execute(url: str, statement: str) -> None:
    """Do something to a database behind the program's back."""
    engine = create_engine(driver_url(url))
    try:
        with engine.begin() as connection:
            connection.execute(text(statement))
    finally:
        engine.dispose()


def entry(number: int, **others: Any) -> dict[str, Any]:
    """A pull request as a cache file holds it."""
    return {
        "github_pr_id": number,
        "number": number,
        "github_repo": "acme/rocket",
        "title": f"Change {number}",
        "state": "closed",
        "is_merged": True,
        "is_draft": False,
        "created_at": f"2025-03-{number:02}T08:00:00Z",
        "updated_at": f"2025-03-{number:02}T12:00:00Z",
        "merged_at": f"2025-03-{number:02}T12:00:00Z",
        "closed_at": f"2025-03-{number:02}T12:00:00Z",
        "additions": 10,
        "deletions": 2,
        "changed_files": 0,
        "commits_count": 0,
        "author_login": "wile",
        "author_id": 0,
        "head_ref": "topic",
        "base_ref": "main",
        "labels": [],
        "commits": [],
        "reviews": [],
        "files": [],
        "check_runs": [],
        "assignees": [],
        "linked_issues": [],
        **others,
    }


def write_cache(folder: Path, *entries: dict[str, Any], repo: str = "acme/rocket") -> Path:
    """A cache file of these pull requests."""
    file = folder / f"{repo}.json.gz"
    file.parent.mkdir(parents=True, exist_ok=True)
    document = {
        "repo": repo,
        "fetched_at": "2025-06-30T00:00:00Z",
        "since_date": "2025-01-01",
        "prs": [{**one, "github_repo": repo} for one in entries],
    }
    file.write_bytes(gzip.compress(json.dumps(document).encode(), mtime=0))
    return file

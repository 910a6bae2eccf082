"""Exports that must be read correctly, through the real commands: ours here, and all of `shared/cases/github`.

That folder lies beside this repository or not; the situations that it has are also made here, with values of their own.
"""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from seedjournal.cli import main
from tests.simulators.test_cache_source import check_run, commit, entry, review, top, write

CASES = Path(__file__).parents[3] / "shared" / "cases" / "github"

Entry = dict[str, Any]
Rows = list[tuple[Any, ...]]


def one(number: int, **fields: Any) -> Entry:
    """A merged pull request with a commit, a review and a check run of its own."""
    parts = {
        "commits": [commit(sha=f"{number:040x}")],
        "reviews": [review(github_review_id=30 + number)],
        "check_runs": [check_run(github_id=50 + number)],
    }
    return entry(number, **(parts | fields))


OPEN = {"state": "open", "is_merged": False, "merged_at": None, "closed_at": None}
BEFORE, AFTER = "2024-02-20T10:00:00Z", "2024-03-06T10:00:00Z"
PR = "select state, merged_at is null, cycle_time_hours is null, first_review_at is null from pull_requests where number = 2"
MERGED = "select sum(prs_merged) from weekly_metrics"

# By case: the exports, one after another, whether `record` speaks of impossible times, and what tables must hold.
CASES_OF_OUR_OWN: dict[str, tuple[list[list[Entry]], bool, dict[str, Rows]]] = {
    "plain": ([[one(1), one(2)]], False, {PR: [("merged", 0, 0, 0)], MERGED: [(2,)]}),
    "check-negative": (
        [[one(1), one(2, check_runs=[check_run(github_id=52, completed_at=BEFORE)])]],
        True,
        {"select completed_at, duration_seconds from pr_check_runs where github_check_run_id = 52": [(None, None)]},
    ),
    "merged-before-created": (
        [[one(1), one(2, merged_at=BEFORE, closed_at=BEFORE)]],
        True,
        {PR: [("merged", 1, 1, 1)], MERGED: [(1,)]},
    ),
    "review-before-pr": (
        [[one(1), one(2, reviews=[review(submitted_at=BEFORE)])]],
        True,
        {PR: [("merged", 0, 0, 1)], "select count(*), count(submitted_at) from pr_reviews": [(2, 1)]},
    ),
    "review-after-merge": (
        [[one(1), one(2, reviews=[review(submitted_at=AFTER)])]],
        False,
        {PR: [("merged", 0, 0, 1)], "select count(*), count(submitted_at) from pr_reviews": [(2, 2)]},
    ),
    "review-by-ghost-only": (
        [[one(1), one(2, reviews=[review(reviewer_login=None)])]],
        False,
        {PR: [("merged", 0, 0, 1)], "select count(*), count(reviewer_id) from pr_reviews": [(2, 1)]},
    ),
}
TWO_RECORDINGS: dict[str, tuple[list[list[Entry]], dict[str, Rows]]] = {
    "open-merged": (
        [[one(1), one(2, **OPEN)], [one(1), one(2)]],
        {
            "select sum(prs_merged) - (select count(*) from pull_requests where state = 'merged') from weekly_metrics": [
                (0,)
            ],
            "select count(*) from pr_surveys join pull_requests on pull_requests.id = pull_request_id"
            " where state <> 'merged'": [(0,)],
        },
    ),
    "rename": (
        [[one(1)], [one(1, author_login="Ada-new"), one(2, author_login="Ada-new")]],
        {
            MERGED: [(2,)],
            "select count(distinct id) from team_members where github_id = 12": [(1,)],
            "select count(*) from pull_requests join weekly_metrics on team_member_id = author_id where prs_merged = 2": [
                (2,)
            ],
        },
    ),
}


def called(folder: Path, *arguments: str) -> str:
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.chdir(folder),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as ended,
    ):
        main(arguments)
    assert not ended.value.code, out.getvalue() + err.getvalue()
    return out.getvalue()


def recorded(folder: Path, *inputs: Path) -> str:
    """Record and project each input under one file name; return what the last recording says."""
    folder.mkdir(exist_ok=True)
    said = ""
    for given in inputs:
        shutil.copy(given, folder / "app.json")
        said = called(folder, "record", "--project", "acme", "--new", "--source", "cache:app.json")
        called(folder, "project")
    return said


def rows_of(folder: Path, queries: dict[str, Rows]) -> dict[str, Rows]:
    database = sqlite3.connect(folder / "seedjournal.db")
    try:
        return {query: database.execute(query).fetchall() for query in queries}
    finally:
        database.close()


def written(folder: Path, exports: list[list[Entry]]) -> list[Path]:
    return [write(folder / f"export{place}.json", top(*entries)) for place, entries in enumerate(exports)]


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES_OF_OUR_OWN)
def test_an_export_of_our_own_is_read_correctly(case: str, tmp_path: Path) -> None:
    exports, is_reported, right = CASES_OF_OUR_OWN[case]
    said = recorded(tmp_path / "place", *written(tmp_path, exports))
    assert rows_of(tmp_path / "place", right) == right
    assert ("1 impossible time" in said or "2 impossible times" in said) == is_reported


@pytest.mark.slow
@pytest.mark.parametrize("case", TWO_RECORDINGS)
def test_two_recordings_of_our_own_agree(case: str, tmp_path: Path) -> None:
    exports, right = TWO_RECORDINGS[case]
    recorded(tmp_path / "place", *written(tmp_path, exports))
    assert rows_of(tmp_path / "place", right) == right


@pytest.mark.shared
def test_every_shared_export_is_read_correctly(tmp_path: Path) -> None:
    names = sorted(path.name.removesuffix(".json") for path in CASES.glob("*.json") if ".cache" not in path.name)
    wrong = {name: shared(name, tmp_path / name) for name in names}
    assert {name: why for name, why in wrong.items() if why} == {}


def shared(case: str, folder: Path) -> str:
    """Record a shared case, and return what its check says is wrong; empty where it is right, or not there."""
    expectation = CASES / f"{case}.json"
    if not expectation.is_file():
        return ""
    right = json.loads(expectation.read_text())
    said = recorded(folder, *(CASES / name for name in right["inputs"]))
    done = subprocess.run(
        [sys.executable, CASES / "check.py", folder / "seedjournal.db", expectation],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if ("impossible" in said) != ("says" in right):
        return f"it says {said}"
    return done.stdout if done.returncode else ""

"""Strategies for arbitrary facts: all that real ones hold, and as close together as they never stand there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from seedjournal.simulators.engineering.facts import (
    ChangedFile,
    CheckRun,
    Commit,
    LooseCommit,
    PullRequest,
    Repository,
    Review,
)
from tests.simulators.acme import SHOP, SITE, TOOLS, at, who

_PEOPLE = st.sampled_from(
    [
        None,
        who("ada", "Ada", 11),
        who("Ada", "Ada of Acme"),
        who("ADA", None, 12),
        who("bo", "Bo"),
        who("bo-renamed", "Bo", 11),
        who("cy"),
        who("renovate[bot]"),
        who("Deploy-Bot", "Deploy"),
        who("coderabbitai[bot]"),
        who(None, "Dee of Acme"),
        who(None, " DEE of acme "),
        who("éa"),
    ]
)
_TIMES = st.sampled_from(
    [at(), at(), at(seconds=1), at(hours=1), at(-0.5), at(4), at(6), at(6.9), at(30), at(400), at(-90), at(-2000)]
) | st.datetimes(datetime(2023, 1, 1), datetime(2025, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - Hypothesis adds it
_TITLES = st.sampled_from(
    [
        "Sell apples",
        "fix: ABC-1 use UTF-8",
        "ACME-2",
        "ACME-100001 feature",
        'Revert "Sell"',
        "hotfix prices",
        "Written with Copilot",
        "",
        "é" * 600,
        "😀" * 600,
        "chore",
        "improve",
    ]
)
_LINES = st.sampled_from([0, 1, 49, 50, 149, 150, 151, 300, 301, 399, 400, 800, 2**40])
_WORDS = st.lists(st.sampled_from(["b", "a", "A", "bug", "é"]), max_size=3).map(tuple)
_MAYBE_TIMES = st.none() | _TIMES

_REVIEWS = st.builds(
    Review,
    id=st.none() | st.integers(1, 4),
    reviewer=_PEOPLE,
    state=st.sampled_from(["approved", "changes_requested", "commented", "dismissed", "pending"]),
    submitted_at=_MAYBE_TIMES,
    body=st.sampled_from([None, "", "Fine"]),
)
_COMMITS = st.builds(
    Commit,
    sha=st.integers(1, 6).map(lambda number: f"{number:040x}"),
    message=st.sampled_from(["Sell", "Sell\n\nCo-authored-by: Claude <noreply@anthropic.com>"]),
    author=_PEOPLE,
    committed_at=_TIMES,
    additions=_LINES,
    deletions=_LINES,
)
_FILES = st.builds(
    ChangedFile,
    filename=st.sampled_from(
        ["a.py", "B.py", "b.py", "web/é.tsx", "tests/a.py", "x.ts", "go.mod", "y.go", "z.rs", "w.c"]
    ),
    status=st.sampled_from(["added", "modified", "removed", "renamed", "copied"]),
    additions=_LINES,
    deletions=_LINES,
)
_CHECK_RUNS = st.builds(
    CheckRun,
    id=st.integers(1, 4),
    name=st.just("tests"),
    status=st.just("completed"),
    conclusion=st.sampled_from([None, "success"]),
    started_at=_MAYBE_TIMES,
    completed_at=_MAYBE_TIMES,
)


@st.composite
def pull_requests(draw: st.DrawFn, repo: Repository, number: int) -> PullRequest:
    """Any pull request under this number."""
    created = draw(_TIMES)
    end = created + timedelta(seconds=draw(st.sampled_from([0, 17, 18, 3600, 5 * 86_400, 400 * 86_400])))
    state = draw(st.sampled_from(["open", "closed", "merged", "merged"]))
    return PullRequest(
        repo=repo,
        number=number,
        title=draw(_TITLES),
        body=draw(st.sampled_from([None, "", "Generated with Claude Code", "No AI was used"])),
        state=state,
        is_draft=draw(st.booleans()),
        created_at=created,
        merged_at=end if state == "merged" else None,
        closed_at=draw(st.sampled_from([end, None])) if state != "open" else None,
        author=draw(_PEOPLE),
        additions=draw(_LINES),
        deletions=draw(_LINES),
        changed_files=draw(_LINES),
        commits_count=draw(_LINES),
        head_ref=draw(st.sampled_from([None, "main", "hotfix/x", "feature/DOC-3-thing"])),
        base_ref=draw(st.sampled_from([None, "main"])),
        labels=draw(_WORDS),
        milestone=draw(st.none() | st.just("Spring")),
        assignees=draw(_WORDS),
        linked_issues=draw(st.lists(st.sampled_from([2, 10, "2", "OPS-1"]), max_size=4).map(tuple)),
        commits=draw(st.lists(_COMMITS, max_size=3, unique_by=lambda one: one.sha).map(tuple)),
        reviews=draw(st.lists(_REVIEWS, max_size=4).map(tuple)),
        files=draw(st.lists(_FILES, max_size=7, unique_by=lambda one: one.filename).map(tuple)),
        check_runs=draw(st.lists(_CHECK_RUNS, max_size=2, unique_by=lambda one: one.id).map(tuple)),
    )


@st.composite
def lists_of_pull_requests(draw: st.DrawFn, numbers: range = range(1, 4), most: int = 5) -> list[PullRequest]:
    """Pull requests of three repositories, no number twice in one."""
    names = [(repo, number) for repo in (SHOP, SITE, TOOLS) for number in numbers]
    chosen = draw(st.lists(st.sampled_from(names), max_size=most, unique=True))
    return [draw(pull_requests(repo, number)) for repo, number in chosen]


LOOSE = st.lists(
    st.builds(LooseCommit, repo=st.sampled_from([SHOP, SITE]), commit=_COMMITS),
    max_size=3,
    unique_by=lambda one: (one.repo, one.commit.sha),
)

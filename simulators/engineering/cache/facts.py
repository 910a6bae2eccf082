"""The fact that an entry of a cache file states, or what in it is impossible."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable
from datetime import datetime
from typing import TypeVar

from ..facts import (
    ChangedFile,
    CheckRun,
    Commit,
    Person,
    PullRequest,
    Repository,
    Review,
)
from ..times import (
    CLOCKS_DIFFER,
    CLOSED_BEFORE_MERGED,
    CLOSED_EARLY,
    ENDED_EARLY,
    MERGED_EARLY,
    REVIEWED_EARLY,
    Checked,
    ImpossibleTimes,
)
from .entry import (
    CheckRunEntry,
    CommitEntry,
    FileEntry,
    PullRequestEntry,
    ReviewEntry,
    WrongField,
)

_Raw = TypeVar("_Raw")
_Fact = TypeVar("_Fact", bound=Hashable)

_SHA = re.compile(r"(?:[0-9a-fA-F]{40}|[0-9a-fA-F]{64})\Z")
_LONGEST_SHOWN = 80
_STATES = frozenset(("open", "closed", "merged"))
_REVIEW_STATES = frozenset(("approved", "changes_requested", "commented", "dismissed", "pending"))
# The first five are the facts' own; the rest is what GitHub's API and the seed system write as well.
_FILE_STATUSES = {
    "added": "added",
    "modified": "modified",
    "removed": "removed",
    "renamed": "renamed",
    "copied": "copied",
    "deleted": "removed",
    "changed": "modified",
    "unchanged": "modified",
}


def pull_request(
    entry: PullRequestEntry, repo: Repository, impossible: ImpossibleTimes, *, times_may_lack: bool = False
) -> PullRequest:
    """Return the fact; raise WrongField for the first thing in the entry that cannot be right.

    Impossible times become None and are counted in `impossible`. `times_may_lack` accepts a merge or a review without
    its time, which a cache file never has.
    """
    if entry.github_pr_id is not None and entry.github_pr_id != entry.number:
        raise WrongField("github_pr_id", f"is {_shown(entry.github_pr_id)}, but number is {entry.number}")
    if entry.github_repo is not None and entry.github_repo != repo:
        raise WrongField("github_repo", f"is {_shown(entry.github_repo)}, but the file's repo is {_shown(repo)}")
    state = _state(entry)
    times = Checked(f"{repo}#{entry.number}", impossible)
    created_at = times.created(entry.created_at, _other_times(entry))
    if created_at is None:
        raise WrongField("created_at", f"{entry.created_at.isoformat()} is outside the years 1970 to 9999")
    merged_at, closed_at = _end(entry, state, created_at, times, may_lack_time=times_may_lack)
    return PullRequest(
        repo=repo,
        number=entry.number,
        title=entry.title,
        body=entry.body,
        state=state,
        is_draft=entry.is_draft,
        created_at=created_at,
        updated_at=times.possible(entry.updated_at, "updated_at"),
        merged_at=merged_at,
        closed_at=closed_at,
        author=_person(entry.author_login, entry.author_name, entry.author_id),
        additions=entry.additions,
        deletions=entry.deletions,
        changed_files=entry.changed_files,
        commits_count=entry.commits_count,
        head_ref=entry.head_ref,
        base_ref=entry.base_ref,
        labels=entry.labels,
        milestone=entry.milestone_title,
        assignees=entry.assignees,
        linked_issues=entry.linked_issues,
        commits=_parts("commits", entry.commits, lambda commit: _commit(commit, times), lambda commit: commit.sha),
        reviews=_parts(
            "reviews",
            entry.reviews,
            lambda review: _review(review, created_at, times, may_lack_time=times_may_lack),
            lambda review: review.id,
        ),
        files=_parts("files", entry.files, _file, lambda file: file.filename),
        check_runs=_parts(
            "check_runs", entry.check_runs, lambda check_run: _check_run(check_run, times), lambda run: run.id
        ),
    )


def _state(entry: PullRequestEntry) -> str:
    if entry.state not in _STATES:
        raise WrongField("state", f"is {_shown(entry.state)}, not one of open, closed, merged")
    if entry.is_merged and entry.state == "open":
        raise WrongField("state", "is 'open', but is_merged is true")
    return "merged" if entry.is_merged else entry.state


def _other_times(entry: PullRequestEntry) -> list[datetime | None]:
    """Return the times of a pull request that may stand for an impossible creation."""
    return [
        *(entry.merged_at, entry.closed_at, entry.updated_at),
        *(review.submitted_at for review in entry.reviews),
        *(commit.committed_at for commit in entry.commits),
    ]


def _end(
    entry: PullRequestEntry, state: str, created_at: datetime, times: Checked, *, may_lack_time: bool
) -> tuple[datetime | None, datetime | None]:
    """Return when it was merged and closed.

    Raises WrongField for a merge without its time and a time without its merge, and for the end of what is open (GitHub
    clears it when a pull request is opened again). An end before the beginning, and a close before the merge, are
    impossible times. Possible is a close a second before its merge, and a close whose time the source does not know.
    """
    merged_at, closed_at = entry.merged_at, entry.closed_at
    if state == "merged" and merged_at is None and not may_lack_time:
        raise WrongField("merged_at", "is missing, but the pull request is merged")
    if state != "merged" and merged_at is not None:
        raise WrongField("merged_at", f"is {merged_at.isoformat()}, but the pull request is {state}")
    if state == "open" and closed_at is not None:
        raise WrongField("closed_at", f"is {closed_at.isoformat()}, but the pull request is open")
    merged_at = times.not_before(times.possible(merged_at, "merged_at"), created_at, MERGED_EARLY, "merged_at")
    closed_at = times.not_before(times.possible(closed_at, "closed_at"), created_at, CLOSED_EARLY, "closed_at")
    return merged_at, times.not_before(closed_at, merged_at, CLOSED_BEFORE_MERGED, "closed_at", by=CLOCKS_DIFFER)


def _commit(entry: CommitEntry, times: Checked) -> Commit:
    if not _SHA.match(entry.sha):
        raise WrongField("sha", f"is {_shown(entry.sha)}, not 40 or 64 hexadecimal digits")
    return Commit(
        sha=entry.sha.lower(),
        message=entry.message,
        author=_person(entry.author_login, entry.author_name),
        committed_at=times.possible(entry.committed_at, f"commit {entry.sha[:7]}"),
        additions=entry.additions,
        deletions=entry.deletions,
    )


def _review(entry: ReviewEntry, created_at: datetime, times: Checked, *, may_lack_time: bool) -> Review:
    state = entry.state.lower()
    if state not in _REVIEW_STATES:
        raise WrongField("state", f"is {_shown(entry.state)}, not one of {', '.join(sorted(_REVIEW_STATES))}")
    if entry.submitted_at is None and state != "pending" and not may_lack_time:
        raise WrongField("submitted_at", f"is null, but the review is {state}; only a pending one has no time")
    what = f"review {entry.github_review_id or ''}".rstrip()
    submitted_at = times.not_before(times.possible(entry.submitted_at, what), created_at, REVIEWED_EARLY, what)
    return Review(
        id=entry.github_review_id or None,
        reviewer=_person(entry.reviewer_login, None),
        state=state,
        submitted_at=submitted_at,
        body=entry.body,
    )


def _file(entry: FileEntry) -> ChangedFile:
    status = _FILE_STATUSES.get(entry.status.lower())
    if status is None:
        raise WrongField("status", f"is {_shown(entry.status)}, not one of {', '.join(sorted(_FILE_STATUSES))}")
    if not entry.filename:
        raise WrongField("filename", "is empty")
    return ChangedFile(filename=entry.filename, status=status, additions=entry.additions, deletions=entry.deletions)


def _check_run(entry: CheckRunEntry, times: Checked) -> CheckRun:
    what = f"check run {entry.github_id}"
    started_at = times.possible(entry.started_at, what)
    completed_at = times.possible(entry.completed_at, what)
    completed_at = times.not_before(completed_at, started_at, ENDED_EARLY, what, by=CLOCKS_DIFFER)
    return CheckRun(
        id=entry.github_id,
        name=entry.name,
        status=entry.status,
        conclusion=entry.conclusion,
        started_at=started_at,
        completed_at=completed_at,
    )


def _person(login: str | None, name: str | None, number: int | None = None) -> Person | None:
    """Return the person, None for a deleted account: an id alone names nobody."""
    login = login if login and not login.isspace() else None
    name = name if name and not name.isspace() else None
    if login is None and name is None:
        return None
    return Person(login=login, name=name, id=number or None)


def _parts(
    name: str,
    entries: Iterable[_Raw],
    made: Callable[[_Raw], _Fact],
    identity: Callable[[_Fact], str | int | None],
) -> tuple[_Fact, ...]:
    """Return the facts of one list of an entry, each part once.

    A part that is repeated word for word is what overlapping pages of an interface leave behind: it says the same
    thing twice, and collapses. Two different statements about one identity cannot both be right.
    """
    facts: list[_Fact] = []
    try:
        for entry in entries:
            facts.append(made(entry))  # noqa: PERF401, its length tells which part was wrong
    except WrongField as wrong:
        raise WrongField(f"{name}[{len(facts)}].{wrong.field}", wrong.reason) from wrong
    if len({identity(fact) for fact in facts}) == len(facts):
        return tuple(facts)
    first: dict[Hashable, tuple[int, _Fact]] = {}
    for index, fact in enumerate(facts):
        known = identity(fact)
        place, other = first.setdefault(fact if known is None else known, (index, fact))
        if other != fact:
            raise WrongField(f"{name}[{index}]", f"contradicts {name}[{place}] about {_shown(known)}")
    return tuple(fact for _, fact in first.values())


def _shown(value: object) -> str:
    """Return a value as messages print it, cut where it is long."""
    text = repr(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 3]}..."

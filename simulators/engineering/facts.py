"""Facts: what every source yields. The same repository read by another source gives equal facts.

Facts say what happened, and not how events write it: logins as written, times in UTC, counts as the source has
them. Whatever a source does not know is None or empty, never a made-up value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from hashlib import sha256
from typing import Annotated, Any, NewType, Protocol, runtime_checkable

from msgspec import Meta, Struct, to_builtins

from seedjournal.journal import BadInput

Repository = NewType("Repository", str)

Count = Annotated[int, Meta(ge=0, le=2**53 - 1)]
Identifier = Annotated[int, Meta(ge=1, le=2**53 - 1)]
Instant = Annotated[datetime, Meta(tz=True)]

# GitHub's own shapes: an owner and a name of letters, digits, dot, dash and underscore, neither of them dots alone.
_REPOSITORY = re.compile(r"(?!\.+/)[A-Za-z0-9_.-]{1,100}/(?!\.+\Z)[A-Za-z0-9_.-]{1,100}\Z")

# PostgreSQL indexes entries of up to 2,704 bytes; a key has other parts as well.
LONGEST = 1_000
_DIGITS = 16
_HUNDREDTH = Decimal("0.01")


class Person(Struct, frozen=True, kw_only=True, gc=False):
    """Somebody who did something.

    At least one of `login` and `name` is there. `id` is GitHub's number; None is unknown.
    """

    login: str | None = None
    name: str | None = None
    id: Identifier | None = None


class Commit(Struct, frozen=True, kw_only=True, gc=False):
    """A commit; `sha` is its full lower-case hexadecimal name. Lines are those of its own change."""

    sha: str
    message: str
    author: Person | None = None
    committed_at: Instant | None
    additions: Count = 0
    deletions: Count = 0


class Review(Struct, frozen=True, kw_only=True, gc=False):
    """A review; `state` is approved, changes_requested, commented, dismissed or pending."""

    id: Identifier | None = None
    reviewer: Person | None = None
    state: str
    submitted_at: Instant | None = None
    body: str | None = None


class ChangedFile(Struct, frozen=True, kw_only=True, gc=False):
    """A file of a pull request; `status` is added, modified, removed, renamed or copied."""

    filename: str
    status: str
    additions: Count = 0
    deletions: Count = 0


class CheckRun(Struct, frozen=True, kw_only=True, gc=False):
    """A check run on a pull request's head commit."""

    id: Identifier
    name: str
    status: str
    conclusion: str | None = None
    started_at: Instant | None = None
    completed_at: Instant | None = None


class PullRequest(Struct, frozen=True, kw_only=True):
    """A pull request with its parts; `state` is open, closed or merged."""

    repo: Repository
    number: Identifier
    title: str
    body: str | None = None
    state: str
    is_draft: bool = False
    created_at: Instant
    updated_at: Instant | None = None
    merged_at: Instant | None = None
    closed_at: Instant | None = None
    author: Person | None = None
    additions: Count = 0
    deletions: Count = 0
    changed_files: Count = 0
    commits_count: Count = 0
    head_ref: str | None = None
    base_ref: str | None = None
    labels: tuple[str, ...] = ()
    milestone: str | None = None
    assignees: tuple[str, ...] = ()
    linked_issues: tuple[int | str, ...] = ()
    commits: tuple[Commit, ...] = ()
    reviews: tuple[Review, ...] = ()
    files: tuple[ChangedFile, ...] = ()
    check_runs: tuple[CheckRun, ...] = ()


class LooseCommit(Struct, frozen=True, kw_only=True):
    """A commit that no pull request is known to hold."""

    repo: Repository
    commit: Commit


class Skipped(Struct, frozen=True, kw_only=True):
    """An entry that was left out on request: where it stands and what is wrong with it."""

    file: str
    entry: str
    reason: str


class Facts(Protocol):
    """Two streams of facts."""

    def pull_requests(self) -> Iterator[PullRequest]:
        """Yield every pull request, a piece at a time."""

    def loose_commits(self) -> Iterator[LooseCommit]:
        """Yield every commit that is in no pull request."""


class Source(Facts, Protocol):
    """Where facts come from.

    Both streams can be read as often as wanted and give the same facts each time, in any order; a pull request holds
    each commit, file and check run once. Reading raises BadInput for an entry that cannot be right, naming file, entry
    and field; a source that skips such entries lists them in `skipped`, each once however often it is read.
    """

    @property
    def name(self) -> str:
        """The source's name, for people and for the run's inputs, such as `cache`: no path, no address, no secret."""

    @property
    def repositories(self) -> tuple[Repository, ...]:
        """The repositories that the source holds, sorted by name."""

    @property
    def versions(self) -> dict[str, str]:
        """Tools outside Python on which the facts depend, such as git's version."""

    @property
    def skipped(self) -> list[Skipped]:
        """What was left out so far."""

    def digest(self) -> str:
        """Return a hexadecimal digest of everything that the facts are read from: equal digests, equal facts."""


@runtime_checkable
class Fetched(Protocol):
    """A source of what was fetched, which knows what it lacks of what there is."""

    def completeness(self) -> dict[str, Any]:
        """Return, by repository, how many pull requests there are of how many, and how many connections lack parts."""


@runtime_checkable
class Reporting(Protocol):
    """A source that reports what it chose, and what it does not fully understand."""

    def notices(self) -> list[str]:
        """Return plain sentences for people, in a fixed order; complete once the source was read."""


def repository(name: str) -> Repository:
    """Return the repository OWNER/NAME; raise BadInput for any other name, such as one with `..`."""
    if not _REPOSITORY.match(name):
        raise BadInput(
            f"{name!r} is not a repository's name.",
            "Write OWNER/NAME, of letters, digits, dots, dashes and underscores.",
        )
    return Repository(name)


def utc(moment: datetime) -> datetime:
    """Return the same instant in UTC."""
    return moment.astimezone(UTC)


def instant(moment: datetime) -> str:
    """Return an instant as events write it: RFC 3339, UTC, `Z`, a fraction only where there is one.

    >>> instant(datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC))
    '2024-01-02T03:04:05Z'
    """
    told: str = to_builtins(moment if moment.tzinfo is UTC else moment.astimezone(UTC))  # a tenth of isoformat's time
    return told


def ratio(part: int, whole: int) -> str:
    """Return a quotient as events write it: with two places, half upward.

    >>> ratio(1, 3), ratio(1, 200)
    ('0.33', '0.01')
    """
    return str((Decimal(part) / whole).quantize(_HUNDREDTH, ROUND_HALF_UP))


def key_text(text: str) -> str:
    """Return a text as a key holds it: one of more than 1,000 bytes is cut, and ends in its digest.

    >>> key_text("src/app.py"), len(key_text("x" * 5000))
    ('src/app.py', 1000)
    """
    if len(text) * 4 <= LONGEST:
        return text
    raw = text.encode("utf-8", "surrogatepass")
    if len(raw) <= LONGEST:
        return text
    return raw[: LONGEST - _DIGITS - 1].decode("utf-8", "ignore") + "~" + sha256(raw).hexdigest()[:_DIGITS]

"""The census: what the rules must know of all facts before the first event can be stated.

Who the members are, which pull request owns a shared commit or check run, which one makes an issue whose key several
name, and what a window lets through. It is one pass over the facts and keeps no fact: its memory grows with the number
of people and pull requests, and by a few bytes for each commit and check run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from hashlib import blake2b
from itertools import pairwise
from typing import Any

from .facts import Facts, LooseCommit, Person, PullRequest, Repository, Source
from .people import is_bot, key_of
from .project import Project, places
from .signs import jira_key

_PLACE_IN_KEYS = 100_000

# Bytes of a commit's name, of an id, of an issue key's digest, and of a pull request's place.
_SHA, _ID, _ISSUE, _PLACE = 20, 8, 16, 4
_LOOSE = 2**32 - 1  # claims a commit for no pull request
_BUCKETS = 256

PullRequestOrder = tuple[datetime, int, Repository]


@dataclass(slots=True)
class Member:
    """A person as the facts show them: each shown value is that of the latest activity that tells it."""

    key: str
    login: tuple[datetime, str] | None = None
    name: tuple[datetime, str] | None = None
    id: tuple[datetime, int] | None = None
    merged: int = 0

    def see(self, person: Person, moment: datetime) -> None:
        """Take what one activity tells; ties go by code point."""
        if person.login and (self.login is None or (moment, person.login) > self.login):
            self.login = (moment, person.login)
        if person.name and person.name.strip() and (self.name is None or (moment, person.name) > self.name):
            self.name = (moment, person.name)
        if person.id and (self.id is None or (moment, person.id) > self.id):
            self.id = (moment, person.id)

    def merge(self, other: Member) -> None:
        """Take what another part of the facts shows."""
        self.login = max(self.login, other.login, key=_known)
        self.name = max(self.name, other.name, key=_known)
        self.id = max(self.id, other.id, key=_known)
        self.merged += other.merged


class Claims:
    """Which pull request owns a thing that several may hold: the earliest.

    A claim is a record of a few bytes until the census is closed; then only what is claimed more than once is kept,
    which is little. `width` is the length of a thing's name in bytes.
    """

    __slots__ = ("_held", "_owners", "_records", "_width")

    def __init__(self, width: int) -> None:
        self._width = width
        self._records = [bytearray() for _ in range(_BUCKETS)]  # by the name's last byte: name, pull request
        self._owners: dict[bytes, PullRequestOrder] = {}
        self._held: set[bytes] = set()

    def add(self, name: bytes, claimant: int) -> None:
        """Take a claim: a pull request's place in the census, or _LOOSE."""
        self._records[name[-1]] += name + claimant.to_bytes(_PLACE, "big")

    def merge(self, other: Claims, before: int) -> None:
        """Take another census's claims; so many pull requests are counted here already."""
        for records in other._records:
            for name, claimant in other._split(records):
                self.add(name, claimant if claimant == _LOOSE else before + claimant)

    def close(self, orders: Sequence[PullRequestOrder]) -> None:
        """Settle what is claimed more than once."""
        for records in self._records:
            claims = sorted(self._split(records))
            for (name, first), (again, second) in pairwise(claims):
                if name != again or first == _LOOSE:  # which sorts last
                    continue
                if second == _LOOSE:
                    self._held.add(name)
                else:
                    self._owners[name] = min(orders[second], self._owners.get(name, orders[first]))
            records.clear()

    def is_owner(self, pr: PullRequest, name: bytes) -> bool:
        """Whether of those that claim it, of which it is one, the pull request is the earliest."""
        owner = self._owners.get(name)
        return owner is None or owner == order(pr)

    def is_held(self, name: bytes) -> bool:
        """Whether a pull request claims what is also claimed as loose."""
        return name in self._held

    def _split(self, records: bytearray) -> Iterator[tuple[bytes, int]]:
        step = self._width + _PLACE
        for start in range(0, len(records), step):
            end = start + self._width
            yield bytes(records[start:end]), int.from_bytes(records[end : start + step], "big")


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Which pull requests a run states: created in [since, until), UTC, and of these the newest of each repository."""

    since: date | None = None
    until: date | None = None
    newest: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether everything is stated."""
        return self.since is None and self.until is None and self.newest is None

    def holds(self, moment: datetime) -> bool:
        """Whether something of this moment is stated, but for the limit on numbers."""
        day = moment.astimezone(UTC).date()
        return (self.since is None or day >= self.since) and (self.until is None or day < self.until)


@dataclass(slots=True)
class Census:
    """What one pass over the facts found. Censuses of parts are merged, and the whole one is closed.

    Questions are for a closed one, which holds little more than the people.
    """

    project: Project
    places: dict[Repository, int]
    window: Window
    members: dict[str, Member] = field(default_factory=dict)
    newest: datetime | None = None
    lead: str | None = None
    pull_requests: int = 0
    _orders: list[PullRequestOrder] = field(default_factory=list)
    _commits: Claims = field(default_factory=lambda: Claims(_SHA))
    _check_runs: Claims = field(default_factory=lambda: Claims(_ID))
    _issues: Claims = field(default_factory=lambda: Claims(_ISSUE))
    _by_loose_commit: dict[bytes, Repository] = field(default_factory=dict)
    _thresholds: dict[Repository, PullRequestOrder] = field(default_factory=dict)

    @property
    def newest_day(self) -> date | None:
        """The day of the newest activity, UTC."""
        return self.newest.astimezone(UTC).date() if self.newest else None

    def owns_commit(self, pr: PullRequest, sha: str) -> bool:
        """Whether the pull request is the earliest that holds the commit."""
        return self._commits.is_owner(pr, bytes.fromhex(sha))

    def owns_check_run(self, pr: PullRequest, number: int) -> bool:
        """Whether the pull request is the earliest that holds the check run."""
        return self._check_runs.is_owner(pr, number.to_bytes(_ID, "big"))

    def makes_issue(self, pr: PullRequest, key: str) -> bool:
        """Whether the pull request is the earliest that names the issue."""
        return self._issues.is_owner(pr, _digest(key))

    def issue_key(self, pr: PullRequest) -> str:
        """The Jira key in title or branch, else one made from number and repository."""
        number = pr.number + _PLACE_IN_KEYS * self.places[pr.repo]
        return jira_key(pr.title, pr.head_ref) or f"{self.project.jira_project_key}-{number}"

    def states(self, pr: PullRequest) -> bool:
        """Whether the run's window lets the pull request through."""
        if not self.window.holds(pr.created_at):
            return False
        return self.window.newest is None or order(pr) >= self._thresholds[pr.repo]

    def is_loose(self, commit: LooseCommit) -> bool:
        """Whether no pull request holds the commit; of several repositories that have it the first by name tells it."""
        sha = bytes.fromhex(commit.commit.sha)
        return not self._commits.is_held(sha) and self._by_loose_commit[sha] == commit.repo

    def add(self, pr: PullRequest) -> None:
        """Take a pull request's place among those that hold the same."""
        here = len(self._orders)
        self._orders.append(order(pr))
        for commit in pr.commits:
            self._commits.add(bytes.fromhex(commit.sha), here)
        for run in pr.check_runs:
            self._check_runs.add(run.id.to_bytes(_ID, "big"), here)
        self._issues.add(_digest(self.issue_key(pr)), here)

    def add_loose(self, loose: LooseCommit) -> None:
        """Take a loose commit's repository, if it is the first by name."""
        sha = bytes.fromhex(loose.commit.sha)
        self._by_loose_commit[sha] = min(loose.repo, self._by_loose_commit.get(sha, loose.repo))
        self._commits.add(sha, _LOOSE)

    def see(self, person: Person | None, moment: datetime) -> None:
        """Take what an activity tells of a person, and when it was."""
        if self.newest is None or moment > self.newest:
            self.newest = moment
        key = key_of(person)
        if key is None or person is None:
            return
        member = self.members.get(key)
        if member is None:
            member = self.members[key] = Member(key)
        member.see(person, moment)

    def read(self, source: Facts) -> None:
        """Take all that a source, or a part of one, holds."""
        for pr in source.pull_requests():
            self.add(pr)
            for person, moment in activities(pr):
                self.see(person, moment)
            author = key_of(pr.author)
            if author and pr.merged_at and not is_bot(author):
                self.members[author].merged += 1
        for loose in source.loose_commits():
            self.add_loose(loose)
            self.see(loose.commit.author, loose.commit.committed_at)

    def merge(self, other: Census) -> None:
        """Take what the census of another part found."""
        before = len(self._orders)
        self._orders += other._orders
        self._commits.merge(other._commits, before)
        self._check_runs.merge(other._check_runs, before)
        self._issues.merge(other._issues, before)
        for sha, repo in other._by_loose_commit.items():
            self._by_loose_commit[sha] = min(repo, self._by_loose_commit.get(sha, repo))
        for key, member in other.members.items():
            if key in self.members:
                self.members[key].merge(member)
            else:
                self.members[key] = member
        self.newest = max(filter(None, (self.newest, other.newest)), default=None)

    def close(self) -> None:
        """Draw the conclusions, once every fact was seen."""
        for claims in (self._commits, self._check_runs, self._issues):
            claims.close(self._orders)
        most = max((member.merged for member in self.members.values()), default=0)
        if most:
            self.lead = min(member.key for member in self.members.values() if member.merged == most)
        if self.window.newest is not None:
            by_repo: dict[Repository, list[PullRequestOrder]] = {}
            for one in self._orders:
                if not self.window.holds(one[0]):
                    continue
                by_repo.setdefault(one[2], []).append(one)
            for repo, orders in by_repo.items():
                self._thresholds[repo] = sorted(orders)[-self.window.newest :][0]
        self.pull_requests = len(self._orders)
        self._orders.clear()


def order(pr: PullRequest) -> PullRequestOrder:
    """What "earliest" goes by: creation, then number, then repository."""
    return (pr.created_at, pr.number, pr.repo)


def activities(pr: PullRequest) -> Iterator[tuple[Person | None, datetime]]:
    """Who did something in a pull request, and when: opening, merging, reviewing, committing.

    A merge is the author's activity: who pressed the button is not told.
    """
    yield pr.author, pr.created_at
    if pr.merged_at:
        yield pr.author, pr.merged_at
    for review in pr.reviews:
        if review.state != "pending":
            yield review.reviewer, review.submitted_at or pr.created_at
    for commit in pr.commits:
        yield commit.author, commit.committed_at


def open_census(source: Source, project: Project, window: Window) -> Census:
    """A census that has read nothing yet."""
    return Census(project, places(project, source.repositories), window)


def _known(told: tuple[datetime, Any] | None) -> tuple[bool, Any]:
    return (told is not None, told)


def _digest(key: str) -> bytes:
    return blake2b(key.encode(), digest_size=_ISSUE).digest()

"""The first pass over the facts: what the rules must know of all of them before the first event can be stated.

Who the members are, which pull request owns a shared commit or check run, and which one makes an issue whose key
several name. It keeps no fact: its memory grows with the number of people, and by a few dozen bytes for each commit,
check run and issue.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TypeVar

from .facts import Facts, LooseCommit, Person, PullRequest, Repository
from .people import key_of
from .project import Project, places
from .reading import PullRequestOrder, order
from .signs import jira_key

Thing = TypeVar("Thing", bound=Hashable)

_PLACE_IN_KEYS = 100_000
_NAMED = 3  # accounts that a sentence names
UNKNOWN = datetime.min.replace(tzinfo=UTC)  # the time of an activity of which nothing tells when it was


@dataclass(slots=True)
class Member:
    """A person as the facts show them: each shown value is that of the latest activity that tells it."""

    key: str
    login: tuple[datetime, str] | None = None
    name: tuple[datetime, str] | None = None
    id: tuple[datetime, int] | None = None

    def see(self, person: Person, moment: datetime) -> None:
        """Take name, id and login from one activity. Of two at one moment, the order by code point decides."""
        if person.login and (self.login is None or (moment, person.login) > self.login):
            self.login = (moment, person.login)
        if person.name and person.name.strip() and (self.name is None or (moment, person.name) > self.name):
            self.name = (moment, person.name)
        if person.id and (self.id is None or (moment, person.id) > self.id):
            self.id = (moment, person.id)

    def joined(self, other: Member | None, key: str) -> Member:
        """Return this member under a key, merged with another login of the same person."""
        if other is None:
            return replace(self, key=key)
        return Member(
            key,
            login=max(filter(None, (self.login, other.login)), default=None),
            name=max(filter(None, (self.name, other.name)), default=None),
            id=max(filter(None, (self.id, other.id)), default=None),
        )


@dataclass(slots=True)
class Census:
    """What the first pass over the facts found."""

    project: Project
    places: dict[Repository, int]
    members: dict[str, Member] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)  # from the key of a login to the key that the member keeps
    pull_requests: int = 0
    # The reviews of an earlier run that stay, by their pull request and id, with their reviewers and times; and whether
    # they stay as they were where this run names them too.
    earlier_reviews: Mapping[tuple[str, int], Mapping[int, tuple[str | None, datetime | None]]] = field(
        default_factory=dict
    )
    keeps_reviews: bool = False
    # The earliest pull request that holds a commit or a check run, or names an issue.
    _commits: dict[bytes, PullRequestOrder] = field(default_factory=dict)
    _check_runs: dict[int, PullRequestOrder] = field(default_factory=dict)
    _issues: dict[str, PullRequestOrder] = field(default_factory=dict)
    _loose_commits: dict[bytes, Repository] = field(default_factory=dict)
    # Two pull requests whose synthetic Jira keys are one, and how many such pairs there are.
    _collision: tuple[str, PullRequestOrder, PullRequestOrder] | None = None
    _collisions: int = 0

    def owns_commit(self, pr: PullRequest, sha: str) -> bool:
        """Return whether the pull request is the earliest that holds the commit."""
        return self._commits[bytes.fromhex(sha)] == order(pr)

    def owns_check_run(self, pr: PullRequest, number: int) -> bool:
        """Return whether the pull request is the earliest that holds the check run."""
        return self._check_runs[number] == order(pr)

    def key_of(self, person: Person | None) -> str | None:
        """Return a person's key: that of their login, or the one that they had under an earlier login."""
        key = key_of(person)
        return key if key is None else self.renamed.get(key, key)

    def keep_keys(self, known: Mapping[int, str]) -> None:
        """Let a member whose GitHub id an earlier run knew keep that key, whatever the login is now.

        Two logins of one id within one source stay two members.
        """
        taken = set(known.values())
        newest = sorted(
            (member for member in self.members.values() if member.id and member.key not in taken),
            key=lambda member: (member.id, member.key),
            reverse=True,
        )
        for member in newest:
            earlier = known.get(member.id[1]) if member.id else None
            if earlier is None or (earlier in self.members and self.members[earlier].id):
                continue
            self.renamed[member.key] = earlier
            self.members[earlier] = self.members.pop(member.key).joined(self.members.get(earlier), earlier)

    def issue_key(self, pr: PullRequest) -> str:
        """Return the Jira key in title or branch, else one made from number and repository."""
        return jira_key(pr.title, pr.head_ref) or self._synthetic_key(pr.repo, pr.number)

    def notices(self) -> list[str]:
        """Say which accounts have several logins, and which pull requests share one synthetic Jira key."""
        return [*self._of_logins(), *self._of_keys()]

    def _of_logins(self) -> list[str]:
        """Name accounts that have two logins in this source: they stay two members."""
        logins: dict[int, list[str]] = {}
        for member in self.members.values():
            if member.id and member.login:
                logins.setdefault(member.id[1], []).append(member.login[1])
        several = {number: sorted(names) for number, names in sorted(logins.items()) if len(names) > 1}
        if not several:
            return []
        named = [f"{' and '.join(names)} ({number})" for number, names in list(several.items())[:_NAMED]]
        more = f" and {len(several) - _NAMED:,} more" if len(several) > _NAMED else ""
        return [f"One account's id stands at several logins, which stay several members: {', '.join(named)}{more}"]

    def _of_keys(self) -> list[str]:
        """Say which pull requests share one synthetic Jira key, so that one issue stands for both."""
        if self._collision is None:
            return []
        key, first, second = self._collision
        one, other = (f"{repo}#{number}" for _, number, repo in (first, second))
        more = f" (and {self._collisions - 1:,} more such pairs)" if self._collisions > 1 else ""
        problem = f"{one} and {other} share the synthetic Jira key {key}, so only one issue stands for both{more}"
        return [f"{problem}; --set jira_key_per_repository=true keeps the repositories' keys apart"]

    def _synthetic_key(self, repo: Repository, number: int) -> str:
        """Return the key of a pull request that names none; see docs/data.md."""
        head, place = self.project.jira_project_key, self.places[repo]
        if self.project.jira_key_per_repository:
            return f"{head}{place + 1 if place else ''}-{number}"
        return f"{head}-{number + _PLACE_IN_KEYS * place}"

    def _note_collision(self, key: str, here: PullRequestOrder) -> None:
        """Remember the earliest pair of two repositories whose synthetic keys are one."""
        other = self._issues.get(key)
        if other is None or other[2] == here[2] or self._synthetic_key(other[2], other[1]) != key:
            return
        if self._synthetic_key(here[2], here[1]) != key:  # it names the issue in its title or branch
            return
        self._collisions += 1
        first, second = sorted((other, here))
        if self._collision is None or (first, second) < self._collision[1:]:
            self._collision = (key, first, second)

    def is_loose(self, commit: LooseCommit) -> bool:
        """Return whether no pull request holds the commit, and its repository is the first by name that has it."""
        sha = bytes.fromhex(commit.commit.sha)
        return sha not in self._commits and self._loose_commits[sha] == commit.repo

    def add(self, pr: PullRequest) -> None:
        """Take a pull request, with what it holds and who was active in it."""
        self.pull_requests += 1
        here = order(pr)
        for commit in pr.commits:
            _claim(self._commits, bytes.fromhex(commit.sha), here)
        for run in pr.check_runs:
            _claim(self._check_runs, run.id, here)
        key = self.issue_key(pr)
        self._note_collision(key, here)
        _claim(self._issues, key, here)
        for person, moment in activities(pr):
            self.see(person, moment or pr.created_at)

    def add_loose(self, loose: LooseCommit) -> None:
        """Take a commit outside of pull requests."""
        sha = bytes.fromhex(loose.commit.sha)
        self._loose_commits[sha] = min(loose.repo, self._loose_commits.get(sha, loose.repo))
        self.see(loose.commit.author, loose.commit.committed_at or UNKNOWN)

    def see(self, person: Person | None, moment: datetime) -> None:
        """Take what an activity tells of a person, and when it was."""
        key = key_of(person)
        if key is None or person is None:
            return
        member = self.members.get(key)
        if member is None:
            member = self.members[key] = Member(key)
        member.see(person, moment)


def take_census(
    facts: Facts,
    repositories: tuple[Repository, ...],
    project: Project,
    known: Mapping[int, str] = MappingProxyType({}),
) -> Census:
    """Read all facts once.

    The repositories are those that the source holds; `known` has the members' keys of an earlier run by GitHub id.
    """
    census = Census(project, places(project, repositories))
    for pr in facts.pull_requests():
        census.add(pr)
    for loose in facts.loose_commits():
        census.add_loose(loose)
    census.keep_keys(known)
    return census


def activities(pr: PullRequest) -> Iterator[tuple[Person | None, datetime | None]]:
    """Yield who did something in a pull request, and when: opening, merging, reviewing, committing; None is unknown.

    A merge is the author's activity: sources do not say who pressed the button.
    """
    yield pr.author, pr.created_at
    if pr.merged_at:
        yield pr.author, pr.merged_at
    for review in pr.reviews:
        if review.state != "pending":
            yield review.reviewer, review.submitted_at
    for commit in pr.commits:
        yield commit.author, commit.committed_at


def _claim(owners: dict[Thing, PullRequestOrder], thing: Thing, claimant: PullRequestOrder) -> None:
    """Make the pull request the owner, if it is the earliest so far."""
    if claimant < owners.setdefault(thing, claimant):
        owners[thing] = claimant

"""Facts of an invented company, and an in-memory source that holds them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec

from seedjournal.journal import Event, Spool, canonical_key, decode, encode
from seedjournal.simulators.engineering.categories import file_category, is_code
from seedjournal.simulators.engineering.census import Census, take_census
from seedjournal.simulators.engineering.facts import (
    ChangedFile,
    CheckRun,
    Commit,
    LooseCommit,
    Person,
    PullRequest,
    Repository,
    Review,
    Skipped,
    Source,
)
from seedjournal.simulators.engineering.people import key_of
from seedjournal.simulators.engineering.project import Project, make_project
from seedjournal.simulators.engineering.pull_requests import pull_request as pull_request_event
from seedjournal.simulators.engineering.reading import FactsInWindow, Window
from seedjournal.simulators.engineering.shown import Shown
from seedjournal.simulators.engineering.simulate import simulate

SHOP, SITE, TOOLS = Repository("acme/shop"), Repository("acme/Site"), Repository("acme/tools")
MONDAY = datetime(2024, 3, 4, 9, tzinfo=UTC)

Stated = dict[tuple[str, bytes], bytes]


class Facts:
    """A source that holds its facts in memory."""

    name = "memory"

    def __init__(
        self,
        *pull_requests: PullRequest,
        loose: Sequence[LooseCommit] = (),
        repositories: Iterable[Repository] | None = None,
    ) -> None:
        self._pull_requests = pull_requests
        self._loose = loose
        there = {one.repo for one in (*pull_requests, *loose)} if repositories is None else repositories
        self.repositories = tuple(sorted(there))
        self.versions: dict[str, str] = {}
        self.skipped: list[Skipped] = []

    def digest(self) -> str:
        return hashlib.sha256(msgspec.json.encode([self._pull_requests, self._loose])).hexdigest()

    def pull_requests(self) -> Iterator[PullRequest]:
        return iter(self._pull_requests)

    def loose_commits(self) -> Iterator[LooseCommit]:
        return iter(self._loose)


def at(days: float = 0, hours: float = 0, seconds: float = 0) -> datetime:
    """A time so long after the first Monday's morning."""
    return MONDAY + timedelta(days=days, hours=hours, seconds=seconds)


def who(login: str | None = None, name: str | None = None, number: int | None = None) -> Person:
    return Person(login=login, name=name, id=number)


def commit(number: int, author: Person | None = None, when: datetime = MONDAY, **fields: Any) -> Commit:
    return Commit(
        **({"sha": f"{number:040x}", "message": "Sell apples", "author": author, "committed_at": when} | fields)
    )


def review(reviewer: Person | None, when: datetime | None = MONDAY, state: str = "approved", **fields: Any) -> Review:
    return Review(reviewer=reviewer, submitted_at=when, state=state, **fields)


def file(name: str, **fields: Any) -> ChangedFile:
    return ChangedFile(**({"filename": name, "status": "modified", "additions": 3, "deletions": 1} | fields))


def pull_request(number: int = 1, **fields: Any) -> PullRequest:
    """An open pull request by Ada; `merged_at` merges it."""
    made = {"repo": SHOP, "title": "Sell apples", "created_at": MONDAY, "author": who("Ada")} | fields
    made.setdefault("state", "merged" if made.get("merged_at") else "open")
    return PullRequest(number=number, **made)


def acme(**settings: Any) -> Project:
    """The project over the three repositories."""
    return make_project("acme", {"repos": [SHOP, SITE, TOOLS]} | settings)


def census(*pull_requests: PullRequest, **settings: Any) -> Census:
    return take_census(Facts(*pull_requests), Facts(*pull_requests).repositories, acme(**settings))


def events_of(
    source: Facts,
    project: Project | None = None,
    window: Window = Window(),  # noqa: B008 - frozen
    seed: int = 1,
    as_of: date | None = None,
) -> list[Event]:
    """Every event of a run."""
    return [event for event, _ in made_of(source, project, window, seed, as_of)]


def made_of(
    source: Source,
    project: Project | None = None,
    window: Window = Window(),  # noqa: B008 - frozen
    seed: int = 1,
    as_of: date | None = None,
) -> list[tuple[Event, str]]:
    """Every event of a first run, with the simulator that made it."""
    facts = FactsInWindow(source, window)
    counted = take_census(facts, source.repositories, project or acme())
    with Spool() as spool:
        simulate(facts, counted, spool, seed=seed, as_of=as_of)
        return [(decode(entry.event.decode()), entry.provenance.partition("/")[0]) for entry in spool.entries()]


def shown(pr: PullRequest, **settings: Any) -> Shown:
    """A pull request as computed kinds see it."""
    counted = census(pr, **settings)
    author = key_of(pr.author)
    reviewers = [key for one in pr.reviews if one.state != "pending" and (key := key_of(one.reviewer)) != author]
    return Shown(
        pr.repo,
        pr.number,
        pull_request_event(pr, counted).data,
        tuple(sorted({key for key in reviewers if key is not None})),
        len(reviewers),
        sum(is_code(file_category(one.filename)) for one in pr.files),
    )


def stated(events: Iterable[Event]) -> Stated:
    """Canonical bytes by kind and key; no key twice."""
    found: Stated = {}
    for event in events:
        place = (event.kind, canonical_key(event.key))
        assert place not in found, place
        found[place] = encode(event).event
    return found


def of_kind(events: Iterable[Event], kind: str) -> list[Event]:
    return [event for event in events if event.kind == kind]


def only(events: Iterable[Event], kind: str) -> Event:
    (event,) = of_kind(events, kind)
    return event


def digest(events: Iterable[Event]) -> str:
    """One hash of a whole run."""
    return hashlib.sha256(b"\n".join(sorted(encode(event).event for event in events))).hexdigest()


def story() -> Facts:
    """A small project that never changes: what is pinned by literal hashes."""
    ada, bo, cy = who("Ada", "Ada of Acme", 11), who("bo", "Bo", 12), who("cy")
    return Facts(
        pull_request(
            1,
            title="Fix the scale [ABC-7]",
            body="Written with Claude Code.",
            author=ada,
            created_at=at(),
            merged_at=at(1, hours=5, seconds=18),
            closed_at=at(1, hours=5, seconds=18),
            additions=420,
            deletions=12,
            changed_files=2,
            commits_count=2,
            head_ref="scale",
            base_ref="main",
            labels=("ui", "bug"),
            milestone="Spring",
            assignees=("bo", "Ada"),
            linked_issues=(12, "OPS-3"),
            commits=(
                commit(
                    1, ada, at(), additions=400, deletions=2, message="Weigh\n\nCo-authored-by: Cursor <x@y.example>"
                ),
                commit(2, bo, at(hours=2), additions=20, deletions=10),
            ),
            reviews=(
                review(bo, at(hours=7), id=901, body="Fine"),
                review(who("renovate[bot]"), at(hours=1), "commented", id=902),
                review(cy, at(1), "changes_requested"),
            ),
            files=(file("web/Scale.tsx", status="added"), file("tests/test_scale.py")),
            check_runs=(
                CheckRun(
                    id=5,
                    name="tests",
                    status="completed",
                    conclusion="success",
                    started_at=at(),
                    completed_at=at(seconds=61),
                ),
            ),
        ),
        pull_request(
            2, repo=SITE, title="Hotfix: prices", author=bo, created_at=at(8), commits=(commit(2, bo, at(hours=2)),)
        ),
        pull_request(
            3, title='Revert "Fix the scale"', author=None, created_at=at(9), closed_at=at(10), state="closed"
        ),
        loose=(LooseCommit(repo=TOOLS, commit=commit(9, who(None, "Dee of Acme"), at(11), message="Oil the wheels")),),
    )

"""A hub's content, a client of it, and time that moves only where it is slept."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from seedjournal.simulators.engineering.facts import (
    ChangedFile,
    CheckRun,
    Commit,
    Person,
    PullRequest,
    Repository,
    Review,
    repository,
)
from seedjournal.simulators.engineering.github import GitHubSource, Server, Store, fetch
from seedjournal.simulators.engineering.github.api import Api, Clock
from seedjournal.simulators.engineering.github.tokens import Pool, Token
from tests.simulators.github.hub import Hub, Node, Serving, pull

REPO = repository("example/thing")
START = datetime(2024, 1, 1, tzinfo=UTC)
SECRET = "ghp_0123456789abcdefghijABCDEFGHIJ012345"


def fact(number: int, **others: Any) -> PullRequest:
    """A merged pull request with one of everything."""
    opened = START + timedelta(hours=number)
    return PullRequest(
        **{
            "repo": REPO,
            "number": number,
            "title": f"Change {number}",
            "state": "merged",
            "created_at": opened,
            "updated_at": opened + timedelta(hours=2),
            "merged_at": opened + timedelta(hours=1),
            "closed_at": opened + timedelta(hours=1),
            "author": Person(login="dev-1", name="Dev One", id=1),
            "additions": 1,
            "changed_files": 1,
            "commits_count": 1,
            "head_ref": f"topic-{number}",
            "base_ref": "main",
            "commits": (commit(number),),
            "reviews": (
                Review(
                    id=number * 1000 + 1,
                    reviewer=Person(login="dev-2", id=2),
                    state="approved",
                    submitted_at=opened + timedelta(minutes=30),
                ),
            ),
            "files": (ChangedFile(filename="a.py", status="modified", additions=1),),
            **others,
        }
    )


def commit(number: int, place: int = 0) -> Commit:
    return Commit(
        sha=f"{number:020x}{place:020x}",
        message=f"Work {number}.{place}",
        author=Person(login="dev-1", name="Dev One", id=1),
        committed_at=START + timedelta(hours=number, minutes=-30),
        additions=1,
    )


def hub_of(count: int) -> Hub:
    return Hub(pull(fact(number)) for number in range(1, count + 1))


def large(number: int, *, reviews: int = 1, commits: int = 1, files: int = 1, labels: int = 0) -> Node:
    """A pull request whose connections take several pages."""
    opened = START + timedelta(hours=number)
    return pull(
        fact(
            number,
            commits=tuple(commit(number, place) for place in range(commits)),
            commits_count=commits,
            files=tuple(ChangedFile(filename=f"f{place}.py", status="added", additions=1) for place in range(files)),
            changed_files=files,
            labels=tuple(f"label {place}" for place in range(labels)),
            reviews=tuple(
                Review(
                    id=number * 1_000_000 + place,
                    reviewer=Person(login=f"dev-{place % 7}"),
                    state="commented",
                    submitted_at=opened + timedelta(minutes=place),
                )
                for place in range(reviews)
            ),
        )
    )


def check_run(number: int) -> CheckRun:
    return CheckRun(
        id=number,
        name="build",
        status="completed",
        conclusion="success",
        started_at=START + timedelta(days=1),
        completed_at=START + timedelta(days=1, minutes=5),
    )


class HubClock(Clock):
    """The hub's time: sleeping moves it, nothing else does."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self._hub.now

    def elapsed(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._hub.now += timedelta(seconds=seconds)

    def jitter(self) -> float:
        return 0.5


class Client:
    """A store and what fetches into it; `told` is what progress was told."""

    def __init__(self, hub: Hub, address: str, path: Path, *secrets: str, repo: str = REPO) -> None:
        self.hub = hub
        self.clock = HubClock(hub)
        self.repo: Repository = repository(repo)
        self.store = Store(path, create=True)
        self.told: list[tuple[str, int, int | None, str]] = []
        tokens = [Token(secret, f"place {place}") for place, secret in enumerate(secrets or (SECRET,), 1)]
        self.pool = Pool(tokens)
        self.api = Api(Server.at(address), self.pool, clock=self.clock)

    def fetch(self, since: datetime | None = None, *, check_runs: bool = True) -> int:
        """Fetch; how many requests it took."""
        before = len(self.hub.asked)
        fetch(
            self.api,
            self.store,
            self.repo,
            since=since,
            check_runs=check_runs,
            clock=self.clock,
            tell=lambda *told: self.told.append(told),
        )
        return len(self.hub.asked) - before

    def source(self, since: datetime | None = None, **options: Any) -> GitHubSource:
        return GitHubSource([(self.repo, Store(self.store.path))], since=since, **options)

    def facts(self, since: datetime | None = None, **options: Any) -> dict[int, PullRequest]:
        source = self.source(since, **options)
        found = {one.number: one for one in source.pull_requests()}
        assert found == {one.number: one for one in source.pull_requests()}
        return found

    def close(self) -> None:
        self.api.close()
        self.store.close()


@contextmanager
def client_of(hub: Hub, path: Path, *secrets: str, repo: str = REPO) -> Iterator[Client]:
    serving = Serving(hub)
    client = Client(hub, serving.address, path, *secrets, repo=repo)
    try:
        yield client
    finally:
        client.close()
        serving.close()

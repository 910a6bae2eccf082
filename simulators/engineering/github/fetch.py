"""Fetching a repository's pull requests into its store, so that whatever came is there for ever.

Pull requests are walked in the order of their last update. A walk goes upward from where the last one was sure, and
ends where there is nothing more; where only the later part of history is wanted, it first goes down from what is
covered to there. Each page is stored, then its connections are followed to their ends, then it is settled: only then
does the walk stand behind it. A fetch that ends anywhere goes on from there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from seedjournal.journal import Unavailable
from seedjournal.progress import Tell

from ..facts import Repository
from . import coverage
from .api import RESOURCE, Answer, Api, Clock, StaleCursor, TooMuch
from .assembly import (
    Node,
    edges,
)
from .coverage import Interval, Seen, Stretch
from .entries import moment
from .parts import follow, settled_versions
from .queries import BACKWARD, FORWARD
from .server import Server, delete, place
from .store import Page, Step, Store

_OVERLAP = timedelta(minutes=5)  # servers' clocks differ, and a replica answers later
_FIRST_SIZE = 20
_LARGEST_SIZE = 50
_GROWS_AFTER = 8  # pages in a row that came at the first try


def fetched(
    api: Api,
    server: Server,
    repo: Repository,
    *,
    since: datetime | None = None,
    check_runs: bool = True,
    clock: Clock | None = None,
    tell: Tell = lambda *_: None,
) -> Store:
    """The repository's store, brought up to date as `fetch` does; none is left behind where there is nothing in it."""
    path = place(server, repo)
    store = Store(path, create=True)
    try:
        fetch(api, store, repo, since=since, check_runs=check_runs, clock=clock, tell=tell)
    except BaseException:
        empty = store.is_empty
        store.close()
        if empty:
            delete(path)
        raise
    return store


def fetch(
    api: Api,
    store: Store,
    repo: Repository,
    *,
    since: datetime | None = None,
    check_runs: bool = True,
    clock: Clock | None = None,
    tell: Tell = lambda *_: None,
) -> None:
    """Bring the store up to date for pull requests updated at `since` or later, None being all of them.

    Raises Unavailable where the server refuses, is gone, or knows no such repository; what came stays, and the next
    fetch goes on from there.
    """
    with store.fetching(lambda: tell(f"waiting for another fetch of {repo}", 0, None)):
        walk = _Walk(api, store, repo, check_runs, clock or Clock(), tell)
        api.say = walk.wait
        while (page := store.pending()) is not None:
            walk.use(page)
        try:
            walk.cover(since)
        except StaleCursor:  # nobody promises that cursors last
            with store.writing():
                store.forget_coverage()
            try:
                walk.cover(since)
            except StaleCursor:
                raise Unavailable(f"{repo}: GitHub refuses cursors that it has just given", "try later") from None


@dataclass(slots=True)
class _Walk:
    """One fetch of one repository; `start` is the server's time at its first answer, less the overlap."""

    api: Api
    store: Store
    repo: Repository
    check_runs: bool
    clock: Clock
    tell: Tell
    start: datetime | None = None
    counted: int | None = None

    def wait(self, what: str, seconds: float) -> None:
        """Tell what is waited for, and how long yet."""
        left = f"{seconds / 60:.0f} min" if seconds > 90 else f"{math.ceil(seconds)} s"  # noqa: PLR2004 - reads best
        self._tell(0, f"{what} in {left}")

    def cover(self, since: datetime | None) -> None:
        """Walk until everything from `since` on is covered, up to now."""
        while True:
            since = self._not_too_late(since)
            found = coverage.stretches(self.store.intervals(check_runs=self.check_runs))
            held = coverage.holding(found, since)
            if held is None and since is not None:
                self._down(next((one for one in found if one.bottom.low and one.bottom.low > since), None), since)
            elif self._up(held, next((one for one in found if held is None or _is_above(one, held)), None)):
                return

    def use(self, page: Page) -> None:
        """Follow the connections of a page to their ends, and settle it."""
        follow(self.api, self.store, page)
        versions = settled_versions(self.store, page)
        pulls = page.data["repository"]["pullRequests"]
        interval = self._grown(page)
        with self.store.writing():
            self.store.settle(page, versions)
            if interval is not None:
                self.store.save(interval)
            self.store.set(name=page.data["repository"]["nameWithOwner"], counted=pulls["totalCount"])
        self.counted = None if page.step.since else pulls["totalCount"]
        self._tell(len(versions), self._left)

    def _up(self, held: Stretch | None, above: Stretch | None) -> bool:
        """Walk up from what is held, or from the beginning; True at the end, False where the next stretch begins."""
        row = self._row(held.top, held.top.high, held.top.high_cursor) if held else self.store.new_interval()
        cursor = held.top.high_cursor if held else None
        while True:
            page = self._page(Step(interval=row, backward=False, check_runs=self.check_runs, start=_NEVER), cursor)
            self.use(page)
            info = page.data["repository"]["pullRequests"]["pageInfo"]
            if not info["hasNextPage"]:
                return True
            cursor = info["endCursor"]
            if above is not None and any(moment > _low(above) for moment, _ in _seen(page).edges):
                return False

    def _down(self, above: Stretch | None, since: datetime) -> None:
        """Walk down to `since` from the next stretch above, or from the end."""
        row = self._row(above.bottom, _low(above), above.bottom.low_cursor) if above else self.store.new_interval()
        cursor = above.bottom.low_cursor if above else None
        while True:
            step = Step(interval=row, backward=True, check_runs=self.check_runs, start=_NEVER, since=since)
            page = self._page(step, cursor)
            self.use(page)
            info = page.data["repository"]["pullRequests"]["pageInfo"]
            saved = self._saved(row)
            if not info["hasPreviousPage"] or (saved and saved.holds(min(since, saved.high))):
                return
            cursor = info["startCursor"]

    def _row(self, end: Interval, at: datetime, cursor: str | None) -> int:
        """The row to extend: the stretch's own, or a new one at its end where it was fetched with more than now."""
        if end.check_runs == self.check_runs:
            return end.id
        row = self.store.new_interval()
        with self.store.writing():
            self.store.save(
                Interval(id=row, check_runs=self.check_runs, low=at, low_cursor=cursor, high=at, high_cursor=cursor)
            )
        return row

    def _saved(self, row: int) -> Interval | None:
        return next((one for one in self.store.intervals(check_runs=False) if one.id == row), None)

    def _grown(self, page: Page) -> Interval | None:
        """The interval that a page extends, as it is behind the page; None where it does not begin yet."""
        seen, step = _seen(page), page.step
        saved = self._saved(step.interval)
        if not step.backward:
            fresh = Interval(id=step.interval, check_runs=step.check_runs, high=_NEVER)
            interval = coverage.grown_upward(saved or fresh, seen)
            return interval if interval.high > _NEVER else None
        if saved is None:
            fresh = Interval(id=step.interval, check_runs=step.check_runs, high=_NEVER)
            saved = coverage.begun_at_end(fresh, seen)
        return saved and coverage.grown_downward(saved, seen, step.since or _NEVER)

    def _page(self, step: Step, cursor: str | None) -> Page:
        """The next page of pull requests, stored; smaller and smaller where the server cannot give as much."""
        size = min(_LARGEST_SIZE, int(self.store.get("page_size") or _FIRST_SIZE))
        whole = True
        query, first, after = (BACKWARD, "last", "before") if step.backward else (FORWARD, "first", "after")
        while True:
            variables = {**self._names, first: size, "parts": whole, "checks": whole and step.check_runs}
            if cursor is not None:
                variables[after] = cursor
            try:
                answer = self.api.ask(query, variables)
                self._check(answer, size)
                break
            except TooMuch as reason:
                if size == 1 and not whole:
                    raise Unavailable(
                        f"{self.repo}: not even one pull request at a time can be fetched: {reason}",
                        "try later: what was fetched is kept; the same command goes on from there",
                    ) from None
                whole = size > 1
                size = max(1, size // 2)
                with self.store.writing():
                    self.store.set(page_size=size, streak=0)
        if self.start is None:
            self.start = answer.served_at - _OVERLAP
        step = replace(step, start=self.start, since=self._not_too_late(step.since))
        with self.store.writing():
            self._grow(size)
            return self.store.add_page(query, variables, answer.content, answer.served_at, step)

    def _not_too_late(self, since: datetime | None) -> datetime | None:
        """The moment, or the last that can be covered, where it lies behind that."""
        return since if since is None or self.start is None else min(since, self.start - coverage.TICK)

    def _grow(self, size: int) -> None:
        """Remember the size that worked, and ask for more after a while."""
        streak = int(self.store.get("streak") or 0) + 1
        if streak >= _GROWS_AFTER:
            size, streak = min(_LARGEST_SIZE, size + max(1, size // 4)), 0
        self.store.set(page_size=size, streak=streak)

    def _check(self, answer: Answer, size: int) -> None:
        """Raise Unavailable where the server knows no such repository, or another one under its name.

        And TooMuch where a pull request came out empty: asked for by itself, it may not, and spoils no other.
        """
        found = answer.data.get("repository")
        if not isinstance(found, dict) or not isinstance(found.get("pullRequests"), dict):
            reason = next((str(error.get("message", "")) for error in answer.errors), "it does not say why")
            raise Unavailable(
                f"{self.repo}: GitHub does not give its pull requests: {reason}",
                "is the name right, and may the token read the repository?",
            )
        known = self.store.get("id")
        if known is None:
            with self.store.writing():
                self.store.set(id=found["id"], repo=self.repo)
        elif known != found["id"]:
            raise Unavailable(
                f"{self.repo} is now another repository than the one that was fetched",
                f"`seedjournal fetched --delete {self.repo}` forgets the other one",
            )
        if size > 1 and not all(edge and edge.get("node") for edge in _pulls(answer.data)["edges"]):
            raise TooMuch("a pull request came out empty")

    def _tell(self, more: int, note: str) -> None:
        self.tell(f"fetching {self.repo}", more, self.counted, note)

    @property
    def _names(self) -> dict[str, Any]:
        owner, _, name = self.repo.partition("/")
        return {"owner": owner, "name": name}

    @property
    def _left(self) -> str:
        now = self.clock.now()
        left = self.api.pool.left(RESOURCE, now)
        if left is None:
            return ""
        minutes = max(0, round((self.api.pool.next_reset(RESOURCE) - now).total_seconds() / 60))
        return f"{left:,} points, more in {minutes} min"


_NEVER = moment("0001-01-01T00:00:00Z")


def _pulls(data: Mapping[str, Any]) -> Node:
    pulls: Node = data["repository"]["pullRequests"]
    return pulls


def _seen(page: Page) -> Seen:
    info = _pulls(page.data)["pageInfo"]
    return Seen(
        edges=[(moment(node["updatedAt"]), cursor) for cursor, node in edges(page.data)],
        is_first=page.step.backward and not info["hasPreviousPage"],
        is_last=not page.step.backward and not info["hasNextPage"],
        start=page.step.start,
    )


def _low(stretch: Stretch) -> datetime:
    return stretch.bottom.low or _NEVER


def _is_above(one: Stretch, held: Stretch) -> bool:
    return one.bottom.low is not None and one.bottom.low > held.top.high

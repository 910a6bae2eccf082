"""Fetching a repository's pull requests into its store, so that whatever came stays there.

Pull requests are walked in the order of their last update. A walk goes upward from where the last one was sure, and
ends where there is nothing more; where only the later part of history is wanted, it first goes down from what is
covered to there. Each page is stored, then its connections are followed to their ends, then it is settled: only then
does it count as covered. A fetch that is interrupted anywhere continues there.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from seedjournal.journal import Unavailable
from seedjournal.progress import Tell

from ..facts import Repository
from . import coverage
from .api import LACKING_RIGHTS, RESOURCE, Answer, Api, Clock, StaleCursor, TooMuch
from .assembly import Node, edges
from .coverage import Interval, Seen, Stretch
from .entries import moment
from .parts import endless, follow, missed, read
from .queries import AGAIN, AGAIN_MANY, BACKWARD, BACKWARD_BARE, FORWARD, FORWARD_BARE
from .server import Server, delete, place
from .store import Page, Step, Store, Trouble

_OVERLAP = timedelta(minutes=5)  # servers' clocks differ, and a replica answers later
_FIRST_SIZE = 20
_LARGEST_SIZE = 50
_GROWS_AFTER = 3  # pages in a row that came at the first try; then twice as many are asked for
_LONGEST_PATIENCE = 24
_TRIES_AT_SMALLEST = 5  # of a page of one pull request, the last ones without its connections
_TRIES_WITH_PARTS = 2
_MOST_FAILED = 8  # pull requests in a row that do not come: then it is no matter of theirs
_MOST_STALLED = 3  # pages in a row that bring nothing new
_ROUNDS = 3  # in which pull requests are asked for again that did not come whole
_MOST_TRIES = 3  # of what the server does not give, without an error
_BATCH = 20
_ALONE = 3  # so many are asked for one by one
_BARE_SIZE = 100
_READING = "2"  # the version of what is read from pages


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
    """Yield the repository's store, brought up to date as `fetch` does; leave no store if there is nothing in it."""
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
        _read_anew(store)
        with store.writing():
            store.set(fetches=store.fetches + 1)
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
                raise Unavailable(
                    f"{repo}: GitHub refuses page cursors that it returned a moment ago.", "Try later."
                ) from None
        if since is None:
            walk.find_missing()
        walk.ask_again()


def _read_anew(store: Store) -> None:
    """Read all pages again where an earlier version of seedjournal read them, which took errors for nobody."""
    if store.get("reading") == _READING:
        return
    with store.writing():
        store.forget_versions()
        for page in store.settled():
            found = read(store, page, {})
            store.settle(page, found.versions, found.troubles, found.accounts)
        store.set(reading=_READING)


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
    failed: int = 0  # pull requests in a row that did not come

    def wait(self, what: str, seconds: float) -> None:
        """Report what the fetch waits for, and how long."""
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
        failed = {} if page.step.bare else follow(self.api, self.store, page)
        found = read(self.store, page, failed)
        pulls = page.data["repository"].get("pullRequests")
        with self.store.writing():
            self.store.settle(page, found.versions, found.troubles, found.accounts)
            if pulls is not None:
                grown = self._grown(page)
                if grown is not None:
                    self.store.save(grown)
                self.store.set(name=page.data["repository"]["nameWithOwner"], counted=pulls["totalCount"])
                self.counted = None if page.step.since else pulls["totalCount"]
        self._tell(len(found.versions) if pulls is not None else 0, self._left)

    def find_missing(self) -> None:
        """Look for pull requests that GitHub counts and no page held, by a list of numbers; note them as trouble."""
        known = self.store.numbers(check_runs=self.check_runs)
        if self.counted is None or len(known) >= self.counted:
            return
        cursor: str | None = None
        used: set[str | None] = set()
        while cursor not in used:
            used.add(cursor)
            after = {} if cursor is None else {"after": cursor}
            try:
                answer = self.api.ask_patiently(FORWARD_BARE, {**self._names, "first": _BARE_SIZE, **after})
            except (TooMuch, StaleCursor):
                return
            pulls = (answer.data.get("repository") or {}).get("pullRequests")
            if not pulls:
                return
            self._note_missed(pulls, known)
            if not pulls["edges"] or not pulls["pageInfo"]["hasNextPage"]:
                return
            cursor = pulls["pageInfo"]["endCursor"]

    def _note_missed(self, pulls: Node, known: Collection[int]) -> None:
        """Note as trouble what a bare page lists and is not known."""
        nodes = [edge["node"] for edge in pulls["edges"] if edge and edge.get("node")]
        with self.store.writing():
            for node in nodes:
                if node["number"] not in known:
                    self.store.add_trouble(missed(node, check_runs=self.check_runs))

    def ask_again(self) -> None:
        """Ask again for incomplete pull requests; for what the token has no right to read, only once in each fetch."""
        for attempt in range(_ROUNDS):
            troubles = [one for one in self.store.troubles(check_runs=self.check_runs) if self._is_asked(one, attempt)]
            if not troubles:
                return
            if attempt:
                self.api.pause(attempt - 1)
            alike: dict[tuple[bool, tuple[str, ...]], list[Trouble]] = {}
            for one in troubles:
                alike.setdefault((one.check_runs, _lacking_rights(one)), []).append(one)
            for (_, rights), same in alike.items():
                self._ask_all(same, probe=bool(rights))

    def _is_asked(self, one: Trouble, attempt: int) -> bool:
        if any(gap.may_heal for gap in one.missing):
            return True
        is_due = attempt == 0 and one.fetch < self.store.fetches
        return is_due and (bool(_lacking_rights(one)) or one.tries < _MOST_TRIES)

    def _ask_all(self, troubles: Sequence[Trouble], *, probe: bool) -> None:
        """Ask for pull requests by themselves, several at once where they are many.

        With `probe` ask for one first, and for no more if it is no better.
        """
        size = 1 if probe or len(troubles) <= _ALONE else _BATCH
        failed = place = 0
        while place < len(troubles) and failed < _MOST_FAILED:
            batch = troubles[place : place + size]
            is_better = self._ask_batch(batch)
            if is_better is None and len(batch) > 1:
                size = 1
                continue
            failed = 0 if is_better else failed + 1
            place += len(batch)
            if probe and not is_better:
                return
            if probe and len(troubles) > _ALONE:
                size = _BATCH
            probe = False

    def _ask_batch(self, batch: Sequence[Trouble]) -> bool | None:
        """Ask for these; return whether the first is better now, None where the server does not give them at once."""
        first = batch[0]
        alone = {"id": first.node} if len(batch) == 1 else {"ids": [one.node for one in batch]}
        query = AGAIN if len(batch) == 1 else AGAIN_MANY
        variables = {**self._names, **alone, "parts": True, "checks": first.check_runs}
        try:
            answer = (
                self.api.ask_patiently(query, variables, tries=2) if len(batch) == 1 else self.api.ask(query, variables)
            )
        except (TooMuch, StaleCursor):
            return None
        except Unavailable:
            if len(batch) == 1:
                raise
            return None
        self._check_repository(answer)
        step = Step(interval=0, backward=False, check_runs=first.check_runs, start=_NEVER)
        with self.store.writing():
            page = self.store.add_page(query, variables, answer.content, answer.served_at, step)
            for place, node in enumerate(answer.data.get("nodes") or [answer.data.get("node")]):
                if node is None and any(
                    error.get("type") == "NOT_FOUND" and (error.get("path") or [])[:2] in (["node"], ["nodes", place])
                    for error in answer.errors
                ):
                    self.store.forget_trouble(batch[place].number)
        self.use(page)
        left = {one.number: one for one in self.store.troubles(check_runs=first.check_runs)}
        return first.number not in left or len(left[first.number].missing) < len(first.missing)

    def _up(self, held: Stretch | None, above: Stretch | None) -> bool:
        """Walk up from what is covered, or from the beginning; return True at the end, False at the next stretch."""
        row = self._row(held.top, held.top.high, held.top.high_cursor) if held else self.store.new_interval()
        cursor = held.top.high_cursor if held else None
        way = _Way(self.repo, {cursor})
        while True:
            page = self._page(Step(interval=row, backward=False, check_runs=self.check_runs, start=_NEVER), cursor)
            self.use(page)
            info = page.data["repository"]["pullRequests"]["pageInfo"]
            if not info["hasNextPage"]:
                return True
            cursor = way.next(info["endCursor"], page)
            if above is not None and any(moment > _low(above) for moment, _ in _seen(page).edges):
                return False

    def _down(self, above: Stretch | None, since: datetime) -> None:
        """Walk down to `since` from the next stretch above, or from the end."""
        row = self._row(above.bottom, _low(above), above.bottom.low_cursor) if above else self.store.new_interval()
        cursor = above.bottom.low_cursor if above else None
        way = _Way(self.repo, {cursor})
        while True:
            step = Step(interval=row, backward=True, check_runs=self.check_runs, start=_NEVER, since=since)
            page = self._page(step, cursor)
            self.use(page)
            info = page.data["repository"]["pullRequests"]["pageInfo"]
            saved = self._saved(row)
            if not info["hasPreviousPage"] or (saved and saved.holds(min(since, saved.high))):
                return
            cursor = way.next(info["startCursor"], page)

    def _row(self, end: Interval, at: datetime, cursor: str | None) -> int:
        """Return the row to extend: the stretch's own, or a new one at its end if it was fetched with more parts."""
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
        """Return the interval that a page extends, as it is after the page; None if it does not begin yet."""
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
        """Return the next page of pull requests, stored; smaller and smaller where the server cannot give as much.

        A pull request that it cannot give at all is listed by a bare page, so that the others come.
        """
        size = self._size()
        failures = 0
        tries = _TRIES_AT_SMALLEST if not self.failed else _TRIES_WITH_PARTS
        query, first, after = (BACKWARD, "last", "before") if step.backward else (FORWARD, "first", "after")
        begin = {} if cursor is None else {after: cursor}
        while True:
            whole = failures < _TRIES_WITH_PARTS
            variables = {**self._names, **begin, first: size, "parts": whole, "checks": whole and step.check_runs}
            try:
                answer = self.api.ask(query, variables)
                break
            except TooMuch as reason:
                if size == 1:
                    failures += 1
                    if failures >= tries:
                        return self._bare_page(step, {**self._names, **begin, first: 1}, str(reason))
                    self.api.pause(failures - 1)
                size = self._shrink(size)
        self._check(answer)
        self.failed = 0
        page = self._stored(query, variables, answer, step, size)
        if not all(edge and edge.get("node") for edge in _pulls(answer.data)["edges"]):
            self._note_empty(step, {**self._names, **begin, first: size})
        return page

    def _stored(self, query: str, variables: Mapping[str, Any], answer: Answer, step: Step, size: int) -> Page:
        if self.start is None:
            self.start = answer.served_at - _OVERLAP
        step = replace(step, start=self.start, since=self._not_too_late(step.since))
        with self.store.writing():
            if not step.bare:
                self._grow(size)
            return self.store.add_page(query, variables, answer.content, answer.served_at, step)

    def _bare_page(self, step: Step, variables: Mapping[str, Any], reason: str) -> Page:
        """Return a page that only names the next pull request, because the server fails to return its content."""
        query = BACKWARD_BARE if step.backward else FORWARD_BARE
        self.failed += 1
        try:
            if self.failed > _MOST_FAILED:
                raise TooMuch(reason)
            answer = self.api.ask_patiently(query, variables)
        except TooMuch:
            raise Unavailable(
                f"{self.repo}: GitHub fails even when asked for one pull request at a time: {reason}",
                "Try later. What was fetched is kept; the same command goes on from there.",
            ) from None
        self._check(answer)
        return self._stored(query, variables, answer, replace(step, bare=True), 1)

    def _note_empty(self, step: Step, variables: Mapping[str, Any]) -> None:
        """Note which pull requests of a page came without content, to ask for each of them alone."""
        with suppress(TooMuch, StaleCursor):
            answer = self.api.ask_patiently(BACKWARD_BARE if step.backward else FORWARD_BARE, variables)
            pulls = (answer.data.get("repository") or {}).get("pullRequests")
            if pulls:
                self._note_missed(pulls, self.store.numbers(check_runs=self.check_runs))

    def _not_too_late(self, since: datetime | None) -> datetime | None:
        """Return the moment, or the latest moment that can be covered, whichever is earlier."""
        return since if since is None or self.start is None else min(since, self.start - coverage.TICK)

    def _size(self) -> int:
        """Return how many pull requests to ask for: twice as many as worked, after a few good pages."""
        size, streak = int(self.store.get("page_size") or _FIRST_SIZE), int(self.store.get("streak") or 0)
        return min(_LARGEST_SIZE, size * 2 if streak >= self._patience else size)

    @property
    def _patience(self) -> int:
        """The number of good pages after which to ask for larger ones; it grows each time that a larger one fails."""
        return int(self.store.get("patience") or _GROWS_AFTER)

    def _grow(self, size: int) -> None:
        """Remember a size that worked."""
        is_larger = size > int(self.store.get("page_size") or _FIRST_SIZE)
        streak = 1 if is_larger else int(self.store.get("streak") or 0) + 1
        patience = _GROWS_AFTER if is_larger else self._patience
        self.store.set(page_size=size, streak=streak, patience=patience)

    def _shrink(self, size: int) -> int:
        """Remember that a size did not work; return the one to try next."""
        is_larger = size > int(self.store.get("page_size") or _FIRST_SIZE)
        patience = min(_LONGEST_PATIENCE, 2 * self._patience) if is_larger else self._patience
        with self.store.writing():
            self.store.set(page_size=max(1, size // 2), streak=0, patience=patience)
        return max(1, size // 2)

    def _check(self, answer: Answer) -> None:
        """Raise Unavailable where the server does not give a page, or knows no such repository."""
        self._check_repository(answer)
        pulls = answer.data["repository"].get("pullRequests")
        if not isinstance(pulls, dict):
            raise self._not_given(answer)

    def _check_repository(self, answer: Answer) -> None:
        """Raise Unavailable where the server knows no such repository, or another one under its name."""
        found = answer.data.get("repository")
        if not isinstance(found, dict):
            raise self._not_given(answer)
        known = self.store.get("id")
        if known is None:
            with self.store.writing():
                self.store.set(id=found["id"], repo=self.repo)
        elif known != found["id"]:
            raise Unavailable(
                f"{self.repo} is now another repository than the one that was fetched.",
                f"Delete what was fetched with `seedjournal fetched --delete {self.repo}`, and record again.",
            )

    def _not_given(self, answer: Answer) -> Unavailable:
        reason = next((str(error.get("message", "")) for error in answer.errors), "it does not say why")
        return Unavailable(
            f"GitHub does not return the pull requests of {self.repo}: {reason}",
            "Check the name, and that the token may read the repository.",
        )

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


@dataclass(slots=True)
class _Way:
    """Checks that a walk through pages ends, and that each page brings something new."""

    repo: Repository
    used: set[str | None]
    seen: set[str] = field(default_factory=set)
    stalled: int = 0

    def next(self, cursor: str | None, page: Page) -> str:
        """Return where the next page begins; raise Unavailable where the server's pages do not end."""
        here = {edge["cursor"] for edge in _pulls(page.data)["edges"] if edge}
        self.stalled = self.stalled + 1 if here <= self.seen else 0
        self.seen |= here
        if cursor is None or cursor in self.used or self.stalled >= _MOST_STALLED:
            raise endless(self.repo, "pull requests")
        self.used.add(cursor)
        return cursor


def _lacking_rights(one: Trouble) -> tuple[str, ...]:
    """Return what a pull request lacks because the token lacks a right, if it lacks nothing else that may come."""
    if any(gap.may_heal for gap in one.missing):
        return ()
    return tuple(gap.connection for gap in one.missing if gap.error in LACKING_RIGHTS)


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

"""Whatever was fetched, broken off, and changed meanwhile: what is said to be covered is there, in its newest version."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedjournal.journal import Unavailable
from seedjournal.simulators.engineering.github import GitHubSource, Store, fetch
from seedjournal.simulators.engineering.github.api import Answer, Api
from seedjournal.simulators.engineering.github.coverage import Interval, holding, stretches
from seedjournal.simulators.engineering.github.tokens import Pool, Token
from tests import scale
from tests.simulators.github.hub import Asked, Hub, pull, stamp
from tests.simulators.github.world import REPO, SECRET, START, HubClock, fact


class Killed(BaseException):
    """The process ended here."""


class Direct(Api):
    """A hub without HTTP; it kills its client after so many answers."""

    def __init__(self, hub: Hub, answers: int) -> None:
        self.pool = Pool([Token(SECRET, "here")])
        self.hub = hub
        self.answers = answers

    def ask(self, query: str, variables: Mapping[str, Any]) -> Answer:
        self.answers -= 1
        if self.answers < 0:
            raise Killed
        asked = Asked(place=0, name="", variables=dict(variables), token=SECRET)
        document = self.hub.answer(asked, query)
        content = json.dumps(document).encode()
        return Answer(content=content, data=document["data"], errors=(), served_at=self.hub.now)


def at(hour: int) -> datetime:
    return START + timedelta(hours=hour)


moments = st.none() | st.integers(0, 60).map(at)
steps = st.one_of(
    st.tuples(st.just("fetch"), moments, st.integers(0, 12), st.booleans()),
    st.tuples(st.just("touch"), st.integers(1, 40)),
    st.tuples(st.just("open"), st.integers(1, 4)),
    st.tuples(st.just("wait"), st.sampled_from([1, 6, 600])),
    st.tuples(st.just("shrink"), st.integers(1, 15)),
)


@settings(max_examples=scale.times(8, 100))
@given(st.lists(steps, max_size=8), moments, st.booleans())
def test_what_is_covered_is_there_after_any_history(
    history: list[tuple[Any, ...]], since: datetime | None, check_runs: bool
) -> None:
    hub = Hub(pull(fact(number)) for number in range(1, 41))
    hub.limit = 10**9
    hub.now = at(44)
    with TemporaryDirectory() as folder:
        store = Store(Path(folder) / "store.db", create=True)
        with store.writing():
            store.set(page_size=5)
        for step in history:
            play(hub, store, step)
        bring(hub, store, since, 10**6, check_runs=check_runs)
        compare(hub, store, since, check_runs=check_runs)
        store.close()


def bring(hub: Hub, store: Store, since: datetime | None, answers: int, *, check_runs: bool) -> None:
    fetch(Direct(hub, answers), store, REPO, since=since, check_runs=check_runs, clock=HubClock(hub))


def play(hub: Hub, store: Store, step: tuple[Any, ...]) -> None:
    match step:
        case ("fetch", since, answers, check_runs):
            try:
                bring(hub, store, since, answers, check_runs=check_runs)
            except Killed:
                return
            compare(hub, store, since, check_runs=check_runs)
        case ("touch", number):
            hub.now += timedelta(seconds=7)
            hub.touch(number, hub.now, title=f"Changed at {hub.now}")
        case ("open", count):
            for _ in range(count):
                hub.now += timedelta(seconds=3)
                number = len(hub.pulls) + 1
                hub.pulls[number] = pull(fact(number, created_at=hub.now, updated_at=hub.now, state="open"))
                hub.pulls[number] |= {"mergedAt": None, "closedAt": None, "state": "OPEN", "reviews": []}
            hub._order = None
        case ("wait", minutes):
            hub.now += timedelta(minutes=minutes)
        case ("shrink", size):
            with store.writing():
                store.set(page_size=size)


def compare(hub: Hub, store: Store, since: datetime | None, *, check_runs: bool) -> None:
    source = GitHubSource([(REPO, Store(store.path))], since=since, check_runs=check_runs)
    found = {one.number: (one.title, stamp(one.updated_at)) for one in source.pull_requests()}
    there = {number: (node["title"], node["updatedAt"]) for number, node in hub.pulls.items()}
    wanted = {number: one for number, one in there.items() if since is None or one[1] >= (stamp(since) or "")}
    assert wanted.items() <= found.items()
    assert found.items() <= there.items()


@settings(max_examples=scale.times(5, 50))
@given(st.lists(st.integers(0, 6), max_size=6), st.sampled_from([None, at(20)]))
def test_broken_off_anywhere_it_ends_as_if_it_never_was(kills: list[int], since: datetime | None) -> None:
    digests = set()
    for broken in (kills, []):
        hub = Hub(pull(fact(number)) for number in range(1, 41))
        hub.limit = 10**9
        with TemporaryDirectory() as folder:
            store = Store(Path(folder) / "store.db", create=True)
            with store.writing():
                store.set(page_size=4)
            for answers in broken:
                try:
                    bring(hub, store, since, answers, check_runs=True)
                except Killed:
                    continue
            bring(hub, store, since, 10**6, check_runs=True)
            digests.add(GitHubSource([(REPO, Store(store.path))], since=since).digest())
            store.close()
    assert len(digests) == 1


def interval(low: int | None, high: int, row: int = 1, *, ended: bool = False) -> Interval:
    return Interval(
        id=row,
        check_runs=True,
        low=None if low is None else at(low),
        high=at(high),
        high_cursor=str(high),
        ended_at=at(high) if ended else None,
    )


def test_intervals_that_touch_are_one_stretch() -> None:
    found = stretches([interval(5, 9, 2), interval(None, 3, 1), interval(9, 12, 3, ended=True)])
    assert [(one.bottom.id, one.top.id, one.ended_at) for one in found] == [(1, 1, None), (2, 3, at(12))]
    assert holding(found, None) is found[0]
    assert holding(found, at(10)) is found[1]
    assert holding(found, at(4)) is None


def test_one_inside_another_adds_nothing() -> None:
    found = stretches([interval(None, 20, 1), interval(5, 9, 2)])
    assert [(one.bottom.id, one.top.id) for one in found] == [(1, 1)]


def test_a_part_of_history_is_never_taken_for_the_whole(tmp_path: Path) -> None:
    hub = Hub(pull(fact(number)) for number in range(1, 41))
    store = Store(tmp_path / "store.db", create=True)
    bring(hub, store, at(30), 10**6, check_runs=True)
    for wish in (None, at(10)):
        with pytest.raises(Unavailable, match="was fetched only back to 2024-01-02"):
            GitHubSource([(REPO, Store(store.path))], since=wish)
    store.close()

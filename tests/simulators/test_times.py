"""Impossible times: they become null with what is computed from them, are counted, and refuse nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seedjournal.journal import BadInput
from seedjournal.simulators.engineering.cache.source import CacheSource
from seedjournal.simulators.engineering.facts import PullRequest
from seedjournal.simulators.engineering.times import CLOCKS_DIFFER
from tests import scale
from tests.simulators.acme import Facts, events_of, of_kind
from tests.simulators.test_cache_source import Change, check_run, commit, entry, put, review, top, write

YEAR_1 = "0001-01-01T00:00:00Z"
BEFORE = "2024-03-01T09:00:00Z"  # of the entry's creation

# A change of a possible entry, the sentence's words, what became null, and what was computed from it.
IMPOSSIBLE: list[tuple[Change, str, Callable[[PullRequest], list[Any]]]] = [
    (put("updated_at", YEAR_1), "a time outside the years 1970 to 9999 (1: ", lambda pr: [pr.updated_at]),
    (put("updated_at", "9999-12-31T23:59:59-05:00"), "outside the years", lambda pr: [pr.updated_at]),
    (put("merged_at", BEFORE), "a merge before the creation (1: acme/shop#7 merged_at 2024", lambda pr: [pr.merged_at]),
    (put("merged_at", "1969-12-31T23:59:59Z"), "outside the years", lambda pr: [pr.merged_at]),
    (put("closed_at", BEFORE), "a close before the creation (1: acme/shop#7 closed_at", lambda pr: [pr.closed_at]),
    (put("merged_at", "2025-03-02T10:00:00Z"), "a close before the merge (1: ", lambda pr: [pr.closed_at]),
    (put("reviews.0.submitted_at", BEFORE), "a review before the pull", lambda pr: [pr.reviews[0].submitted_at]),
    (put("reviews.0.submitted_at", YEAR_1), "outside the years", lambda pr: [pr.reviews[0].submitted_at]),
    (put("commits.0.committed_at", "1966-01-01T00:00:00Z"), "outside", lambda pr: [pr.commits[0].committed_at]),
    (put("check_runs.0.completed_at", BEFORE), "a check run's end", lambda pr: [pr.check_runs[0].completed_at]),
    (put("check_runs.0.completed_at", YEAR_1), "outside the years", lambda pr: [pr.check_runs[0].completed_at]),
    (put("check_runs.0.started_at", YEAR_1), "outside the years", lambda pr: [pr.check_runs[0].started_at]),
]


@pytest.mark.parametrize(("change", "words", "null"), IMPOSSIBLE, ids=[words for _, words, _ in IMPOSSIBLE])
def test_an_impossible_time_is_null_counted_and_refused_where_that_is_wanted(
    tmp_path: Path, change: Change, words: str, null: Callable[[PullRequest], list[Any]]
) -> None:
    wrong = entry()
    change(wrong)
    path = write(tmp_path / "shop.json", top(entry(1), wrong, entry(9)))
    source = CacheSource(path)
    for _ in range(2):  # each reading counts anew
        found = list(source.pull_requests())
        assert [pr.number for pr in found] == [1, 7, 9]
        assert null(found[1]) == [None]
        (sentence,) = source.notices()
        assert sentence.startswith("1 impossible time became null")
        assert words in sentence
    assert source.skipped == []
    with pytest.raises(BadInput, match="The source cache has 1 impossible time: ") as refused:
        list(CacheSource(path, strict=True).pull_requests())
    assert words in refused.value.message
    assert "record without --strict" in refused.value.hint


def test_many_are_counted_by_kind_and_the_first_are_named(tmp_path: Path) -> None:
    wrong = [entry(number, merged_at=BEFORE, closed_at=BEFORE) for number in range(1, 6)]
    source = CacheSource(write(tmp_path / "shop.json", top(*wrong)))
    list(source.pull_requests())
    (sentence,) = source.notices()
    assert sentence.startswith("10 impossible times became null, and so did what is computed from them: a close")
    assert "a merge before the creation (5: acme/shop#1 merged_at" in sentence
    assert "acme/shop#3 merged_at 2024-03-01T09:00:00Z, …)" in sentence
    assert "#4" not in sentence


def test_an_impossible_creation_is_the_earliest_other_time(tmp_path: Path) -> None:
    wrong = entry(created_at=YEAR_1, commits=[commit(committed_at="1969-01-01T00:00:00Z")])
    source = CacheSource(write(tmp_path / "shop.json", top(wrong)))
    (pr,) = source.pull_requests()
    assert pr.created_at == pr.reviews[0].submitted_at == datetime(2024, 3, 2, 9, tzinfo=UTC)
    assert "a creation outside the years 1970 to 9999" in source.notices()[0]
    nothing = entry(created_at=YEAR_1, updated_at=None, state="open", is_merged=False, merged_at=None, closed_at=None)
    nothing |= {"commits": [], "reviews": []}
    with pytest.raises(BadInput, match="created_at: 0001-01-01"):
        list(CacheSource(write(tmp_path / "none" / "shop.json", top(nothing))).pull_requests())


def test_possible_times_are_not_reported(tmp_path: Path) -> None:
    skew = check_run(started_at="2024-03-01T10:02:00Z", completed_at="2024-03-01T10:01:00Z")
    source = CacheSource(write(tmp_path / "shop.json", top(entry(check_runs=[skew]))), strict=True)
    (pr,) = source.pull_requests()
    assert source.notices() == []
    (run,) = of_kind(events_of(Facts(pr)), "pr_check_run")
    assert run.data["duration_seconds"] == 0


_TIMES = st.sampled_from(
    [YEAR_1, "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59.999999-12:00", "1969-12-31T23:59:59Z", BEFORE]
    + [f"2024-03-0{day}T10:0{minute}:00Z" for day in (1, 2) for minute in (0, 1, 2)]
)


@settings(
    max_examples=scale.times(60, 1000), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_no_times_refuse_a_pull_request_and_those_that_stay_agree(tmp_path: Path, data: st.DataObject) -> None:
    draw = lambda: data.draw(_TIMES)  # noqa: E731
    wrong = entry(
        created_at=draw(),
        updated_at="2024-03-02T10:00:00Z",
        merged_at=draw(),
        closed_at=draw(),
        commits=[commit(committed_at=draw())],
        reviews=[review(submitted_at=draw())],
        check_runs=[check_run(started_at=draw(), completed_at=draw())],
    )
    (pr,) = CacheSource(write(tmp_path / "shop.json", top(wrong))).pull_requests()
    times = [pr.merged_at, pr.closed_at, pr.reviews[0].submitted_at]
    assert all(time is None or time >= pr.created_at for time in times)
    assert all(time is None or time.year >= 1970 for time in [*times, pr.commits[0].committed_at])
    run = pr.check_runs[0]
    if run.started_at and run.completed_at:
        assert run.completed_at - run.started_at >= -CLOCKS_DIFFER
    events = events_of(Facts(pr))
    (told,) = of_kind(events, "pull_request")
    assert (told.data["cycle_time_hours"] is None) == (pr.merged_at is None)
    assert sum(week.data["prs_merged"] for week in of_kind(events, "weekly_metrics")) == (pr.merged_at is not None)
    (issue,) = of_kind(events, "jira_issue")
    assert issue.data["status"] == "Done"
    assert len(of_kind(events, "pr_survey")) == 1

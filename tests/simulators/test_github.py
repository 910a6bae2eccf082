"""What came from GitHub: each rule at its edges."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedjournal.journal import Event
from seedjournal.simulators.engineering.facts import CheckRun, Person, PullRequest, Review, instant
from seedjournal.simulators.engineering.pull_requests import hours, review_id
from tests.simulators.acme import (
    MONDAY,
    SHOP,
    SITE,
    TOOLS,
    Facts,
    acme,
    at,
    census,
    commit,
    events_of,
    file,
    of_kind,
    only,
    pull_request,
    review,
    who,
)


def told(pr: PullRequest, **settings: Any) -> Any:
    return only(events_of(Facts(pr), acme(**settings)), "pull_request").data


def owner(event: Event) -> tuple[Any, Any]:
    pull: Any = event.data["pull_request"]
    return pull["github_repo"], pull["number"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.00"),
        (17, "0.00"),
        (17.999999, "0.00"),
        (18, "0.01"),
        (53, "0.01"),
        (54, "0.02"),
        (3600, "1.00"),
        (3600 * 26 + 1800, "26.50"),
        (-1, "0.00"),
        (-1_000_000, "0.00"),
        (3600 * 24 * 365 * 50, "438000.00"),
    ],
)
def test_hours_have_two_places_half_upward(seconds: float, text: str) -> None:
    assert hours(MONDAY, MONDAY + timedelta(seconds=seconds)) == text


def test_unknown_hours_are_null() -> None:
    assert hours(MONDAY, None) is None
    data = told(pull_request())
    assert (data["cycle_time_hours"], data["review_time_hours"], data["first_review_at"]) == (None, None, None)


def test_a_closed_one_has_no_cycle() -> None:
    data = told(pull_request(state="closed", closed_at=at(1)))
    assert (data["state"], data["cycle_time_hours"], data["closed_at"]) == ("closed", None, "2024-03-05T09:00:00Z")


@pytest.mark.parametrize(
    ("reviews", "first"),
    [
        ((review(who("bo"), at(2)), review(who("cy"), at(1))), at(1)),
        ((review(who("ADA"), at(1)), review(who("bo"), at(2))), at(2)),  # her own
        ((review(who("renovate[bot]"), at(1)), review(who("bo"), at(2))), at(2)),
        ((review(who("coderabbitai"), at(1)),), None),
        ((review(who("bo"), at(1), "pending"),), None),
        ((review(who("bo"), None),), None),
        ((review(None, at(1)),), None),  # an account that is gone may have been her own
        ((review(who("ada-before", None, 7), at(1)), review(who("bo"), at(2))), at(2)),  # her own, renamed
        ((), None),
    ],
)
def test_the_first_review_is_somebody_elses_and_no_programs(
    reviews: tuple[Review, ...], first: datetime | None
) -> None:
    data = told(pull_request(reviews=reviews, author=who("Ada", None, 7)))
    assert data["first_review_at"] == (first.isoformat().replace("+00:00", "Z") if first else None)
    assert (data["review_time_hours"] is None) == (first is None)


@pytest.mark.parametrize(
    ("merged", "state", "first"),
    [
        (at(2), "merged", at(1)),
        (at(1), "merged", at(1)),
        (at(0.5), "merged", None),
        (None, "merged", None),
        (None, "closed", at(1)),
    ],
)
def test_the_first_review_is_not_after_the_merge(merged: datetime | None, state: str, first: datetime | None) -> None:
    data = told(pull_request(reviews=(review(who("bo"), at(1)),), state=state, merged_at=merged))
    assert data["first_review_at"] == (first and first.isoformat().replace("+00:00", "Z"))
    if data["cycle_time_hours"] and data["review_time_hours"]:
        assert Decimal(data["review_time_hours"]) <= Decimal(data["cycle_time_hours"])


def test_lists_are_sorted_and_hold_nothing_twice() -> None:
    data = told(
        pull_request(
            labels=("ui", "Bug", "bug", "ui"), assignees=("bo", "Ada", "bo"), linked_issues=("OPS-3", 12, 2, "OPS-3", 2)
        )
    )
    assert data["labels"] == ["Bug", "bug", "ui"]
    assert data["assignees"] == ["Ada", "bo"]
    assert data["linked_issues"] == [2, 12, "OPS-3"]


def test_a_title_is_cut_by_characters() -> None:
    assert told(pull_request(title="😀" * 501))["title"] == "😀" * 500
    assert told(pull_request(title="é" * 500))["title"] == "é" * 500


def test_signs_of_title_body_and_trailers_meet() -> None:
    data = told(
        pull_request(
            title="Written with Copilot",
            body="No AI was used.\n\nCo-authored-by: Cursor <cursoragent@cursor.com>",
            commits=(commit(1, message="x\n\nCo-authored-by: Claude <noreply@anthropic.com>"),),
        )
    )
    assert (data["is_ai_assisted"], data["ai_tools_detected"]) == (True, ["claude", "copilot", "cursor"])
    assert told(pull_request(body="No AI was used"))["is_ai_assisted"] is False


def test_a_shared_commit_belongs_to_the_earliest_that_holds_it() -> None:
    def holder(*facts: PullRequest) -> tuple[Any, Any]:
        return owner(only(events_of(Facts(*facts)), "commit"))

    one = (commit(1, who("ada")),)
    assert holder(pull_request(2, commits=one), pull_request(1, commits=one, created_at=at(1))) == (SHOP, 2)
    assert holder(pull_request(2, commits=one), pull_request(1, commits=one)) == (SHOP, 1)
    assert holder(pull_request(1, repo=SITE, commits=one), pull_request(1, repo=SHOP, commits=one)) == (SITE, 1)
    assert holder(pull_request(1, repo=TOOLS, commits=one), pull_request(2, repo=SITE, commits=one)) == (TOOLS, 1)


def test_a_shared_check_run_belongs_to_the_earliest_that_holds_it() -> None:
    run = CheckRun(id=5, name="tests", status="completed", started_at=at(), completed_at=at(seconds=61.9))
    facts = Facts(pull_request(1, check_runs=(run,), created_at=at(1)), pull_request(2, check_runs=(run,)))
    event = only(events_of(facts), "pr_check_run")
    assert owner(event) == (SHOP, 2)
    assert event.data["duration_seconds"] == 61
    assert not of_kind(events_of(facts, acme(check_runs=False)), "pr_check_run")


def test_a_check_run_that_ends_before_it_starts_lasted_no_time() -> None:
    run = CheckRun(id=5, name="tests", status="completed", started_at=at(1), completed_at=at())
    assert only(events_of(Facts(pull_request(check_runs=(run,)))), "pr_check_run").data["duration_seconds"] == 0
    run = CheckRun(id=5, name="tests", status="queued")
    assert only(events_of(Facts(pull_request(check_runs=(run,)))), "pr_check_run").data["duration_seconds"] is None


@pytest.mark.parametrize(("most", "kept"), [(100, 100), (3, 3), (0, 120), (500, 120)])
def test_the_first_files_by_name(most: int, kept: int) -> None:
    names = [f"src/{number:03}.py" for number in range(118)] + ["B.py", "a.py"]
    events = events_of(
        Facts(pull_request(files=tuple(file(name) for name in reversed(names)))), acme(max_files_per_pr=most)
    )
    assert [event.key["filename"] for event in of_kind(events, "pr_file")] == sorted(names)[:kept]


def test_file_names_are_case_sensitive() -> None:
    events = of_kind(
        events_of(Facts(pull_request(files=(file("A.py"), file("a.py", additions=7, deletions=2))))), "pr_file"
    )
    assert [(event.key["filename"], event.data["changes"]) for event in events] == [("A.py", 4), ("a.py", 9)]


def test_pending_reviews_are_skipped_and_unknown_reviewers_kept() -> None:
    reviews = (review(who("bo"), None, "pending", id=1), review(None, id=2), review(who("zed"), id=3))
    events = of_kind(events_of(Facts(pull_request(reviews=reviews))), "pr_review")
    assert {event.key["github_review_id"]: event.data["reviewer"] for event in events} == {2: None, 3: "zed"}


def test_a_number_twice_is_one_review_the_latest() -> None:
    reviews = (review(who("bo"), at(2), "approved", id=1), review(who("bo"), at(1), "commented", id=1))
    assert only(events_of(Facts(pull_request(reviews=reviews))), "pr_review").data["state"] == "approved"


def id_of(one: Review) -> int:
    return review_id(one, census())


def test_a_missing_review_id_is_made_of_reviewer_time_and_state() -> None:
    one = review(who("Bo", "Bo", 7), at(1), body="Fine")
    assert id_of(one) == id_of(review(who("bo"), at(1), body=None)) == 6116661399147942
    others = [
        review(who("cy"), at(1)),
        review(who("bo"), at(2)),
        review(who("bo"), at(1), "commented"),
        review(None, None),
    ]
    assert len({id_of(one), *map(id_of, others)}) == 5
    assert id_of(review(who("bo"), id=7)) == 7


@given(st.text().filter(lambda one: one.isprintable()), st.datetimes(datetime(1970, 1, 1)))  # noqa: DTZ001 - any will do
def test_made_up_review_ids_are_safe_in_json(login: str, when: datetime) -> None:
    assert 0 < id_of(Review(reviewer=Person(login=login), submitted_at=when, state="approved")) < 2**53


def test_reviews_by_services_are_told() -> None:
    reviews = (review(who("coderabbitai[bot]"), id=1), review(who("renovate[bot]"), id=2), review(who("bo"), id=3))
    events = of_kind(events_of(Facts(pull_request(reviews=reviews))), "pr_review")
    services = {
        event.key["github_review_id"]: (event.data["is_ai_review"], event.data["ai_reviewer_type"]) for event in events
    }
    assert services == {1: (True, "coderabbit"), 2: (False, None), 3: (False, None)}


def test_what_is_not_known_is_null() -> None:
    data = told(pull_request(author=None, body=None))
    assert [data[name] for name in ("author", "body", "merged_at", "head_ref", "milestone_title")] == [None] * 5


@given(st.datetimes(timezones=st.timezones()))
def test_instants_are_written_as_rfc_3339_in_utc(moment: datetime) -> None:
    try:
        expected = moment.astimezone(UTC)
    except OverflowError:  # outside the years 1 to 9999 in UTC
        return
    assert instant(moment) == expected.isoformat()[:-6] + "Z"


def test_instants_keep_their_fractions() -> None:
    data = told(pull_request(created_at=at(seconds=0.25), merged_at=at(1)))
    assert (data["pr_created_at"], data["merged_at"]) == ("2024-03-04T09:00:00.250000Z", "2024-03-05T09:00:00Z")

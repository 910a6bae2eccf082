"""Weekly metrics: which weeks there are, and every column."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings

from seedjournal.journal import Event
from seedjournal.simulators.engineering.facts import LooseCommit, PullRequest
from seedjournal.simulators.engineering.weekly import Weeks
from tests import scale
from tests.simulators.acme import (
    TOOLS,
    Facts,
    acme,
    at,
    commit,
    events_of,
    of_kind,
    pull_request,
    review,
    who,
)
from tests.simulators.arbitrary import lists_of_pull_requests

QUIET = {"survey_response_rate": 0.0, "reviewer_response_rate": 0.0}


def weeks(*facts: PullRequest, loose: Any = (), **others: Any) -> dict[tuple[Any, Any], Any]:
    events = events_of(Facts(*facts, loose=loose), acme(**others))
    return {(event.key["login"], event.key["week_start"]): event.data for event in of_kind(events, "weekly_metrics")}


def test_weeks_begin_on_monday_at_midnight_utc() -> None:
    sunday = at(-1, hours=14, seconds=59 * 60 + 59)
    assert str(sunday) == "2024-03-03 23:59:59+00:00"
    found = weeks(pull_request(1, created_at=sunday), pull_request(2, created_at=sunday + timedelta(seconds=1)))
    assert list(found) == [("ada", "2024-02-26"), ("ada", "2024-03-04")]


@pytest.mark.parametrize(
    "facts",
    [
        (pull_request(author=who("bo")),),
        (pull_request(author=who("bo"), created_at=at(-30), merged_at=at()),),
        (pull_request(author=None, reviews=(review(who("bo")),)),),
        (pull_request(author=None, commits=(commit(1, who("bo")),)),),
    ],
)
def test_opening_merging_reviewing_and_committing_make_a_week(facts: tuple[PullRequest, ...]) -> None:
    assert ("bo", "2024-03-04") in weeks(*facts, **QUIET)


def test_a_loose_commit_makes_a_week() -> None:
    found = weeks(loose=(LooseCommit(repo=TOOLS, commit=commit(1, who("bo"), additions=3, deletions=2)),))
    assert found["bo", "2024-03-04"]["lines_added"] == 3


def test_closing_a_pending_review_an_answer_or_an_issue_make_none() -> None:
    assert list(weeks(pull_request(state="closed", closed_at=at(7)))) == [("ada", "2024-03-04")]
    assert not weeks(pull_request(author=None, reviews=(review(who("bo"), state="pending"),)))
    sunday = at(6)
    late = weeks(
        *(
            pull_request(number, created_at=sunday, merged_at=sunday, reviews=(review(who("bo"), sunday),))
            for number in range(1, 30)
        ),
        survey_response_rate=1.0,
        reviewer_response_rate=1.0,
    )
    assert {start for _, start in late} == {"2024-03-04"}
    assert late["ada", "2024-03-04"]["surveys_completed"] < 29  # the others fell into a week without activity


def test_every_column() -> None:
    project = acme(**QUIET)
    counted = Weeks()

    def take(kind: str, key: dict[str, Any], **data: Any) -> None:
        if kind == "pull_request":
            counted.pull_request(data)
        elif kind == "commit":
            counted.commit(data)
        else:
            counted.take(Event(project="acme", kind=kind, key={"team": "acme", **key}, data=data))

    for number, (cycle, review_time, revert) in enumerate((("1.00", "0.10", True), ("2.01", None, False)), 1):
        take(
            "pull_request",
            {"github_repo": "acme/shop", "number": number},
            author="ada",
            pr_created_at="2024-03-01T00:00:00Z",
            merged_at="2024-03-04T00:00:00Z",
            cycle_time_hours=cycle,
            review_time_hours=review_time,
            is_revert=revert,
            is_hotfix=True,
            is_ai_assisted=revert,
        )
    take(
        "commit",
        {"github_sha": "a"},
        author="ada",
        committed_at="2024-03-10T23:59:59.999999Z",
        additions=7,
        deletions=2,
    )
    take("commit", {"github_sha": "b"}, author="ada", committed_at="2024-03-04T00:00:00Z", additions=1, deletions=0)
    take(
        "jira_issue",
        {"jira_key": "ABC-1"},
        assignee="ada",
        resolved_at="2024-03-05T00:00:00Z",
        status="Done",
        story_points="5.0",
    )
    take(
        "jira_issue",
        {"jira_key": "ABC-2"},
        assignee="ada",
        resolved_at="2024-03-05T00:00:00Z",
        status="Won't Do",
        story_points="8.0",
    )
    take("jira_issue", {"jira_key": "ABC-3"}, assignee="ada", resolved_at=None, status="To Do", story_points="8.0")
    take(
        "pr_survey", {"github_repo": "acme/shop", "number": 1}, author="ada", author_responded_at="2024-03-06T00:00:00Z"
    )
    for reviewer, quality, right in (("bo", 3, True), ("cy", 2, False), ("dee", 3, None)):
        take(
            "pr_survey_review",
            {"github_repo": "acme/shop", "number": 1, "reviewer": reviewer},
            responded_at="2024-03-06T00:00:00Z",
            quality_rating=quality,
            guess_correct=right,
        )
    counted.active("bo", "2024-03-07T00:00:00Z")
    found = {(event.key["login"], event.key["week_start"]): event.data for event in counted.events(project)}
    nothing = dict.fromkeys(found["ada", "2024-02-26"], 0) | {
        "avg_cycle_time_hours": None,
        "avg_review_time_hours": None,
        "story_points_completed": "0.0",
        "avg_quality_rating": None,
        "guess_accuracy": None,
    }
    assert found == {
        ("ada", "2024-02-26"): nothing,
        ("ada", "2024-03-04"): {
            "prs_merged": 2,
            "avg_cycle_time_hours": "1.51",  # 1.505, half upward
            "avg_review_time_hours": "0.10",
            "commits_count": 2,
            "lines_added": 8,
            "lines_removed": 2,
            "revert_count": 1,
            "hotfix_count": 2,
            "ai_assisted_prs": 1,
            "story_points_completed": "5.0",
            "issues_resolved": 1,
            "surveys_completed": 1,
            "avg_quality_rating": "2.67",
            "guess_accuracy": None,
        },
        ("bo", "2024-03-04"): nothing | {"surveys_completed": 1, "guess_accuracy": "100.00"},
    }


@given(lists_of_pull_requests())
@settings(max_examples=scale.times(15, 300))
def test_sums_are_those_of_the_same_runs_events(facts: list[PullRequest]) -> None:
    events = events_of(Facts(*facts))
    told = of_kind(events, "weekly_metrics")

    def total(name: str) -> int:
        return sum(int(str(event.data[name])) for event in told)

    merged = [
        event.data for event in of_kind(events, "pull_request") if event.data["merged_at"] and event.data["author"]
    ]
    assert total("prs_merged") == len(merged)
    assert total("revert_count") == sum(bool(data["is_revert"]) for data in merged)
    assert total("hotfix_count") == sum(bool(data["is_hotfix"]) for data in merged)
    assert total("ai_assisted_prs") == sum(bool(data["is_ai_assisted"]) for data in merged)
    commits: list[Any] = [event.data for event in of_kind(events, "commit") if event.data["author"]]
    assert total("commits_count") == len(commits)
    assert total("lines_added") == sum(data["additions"] for data in commits)
    assert total("lines_removed") == sum(data["deletions"] for data in commits)
    for event in told:
        assert datetime.fromisoformat(str(event.key["week_start"])).weekday() == 0

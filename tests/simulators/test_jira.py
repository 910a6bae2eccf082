"""Issues: one for a key, and each rule at its edges."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from seedjournal.journal import Database
from seedjournal.simulators.engineering.facts import PullRequest
from seedjournal.simulators.engineering.jira import issue_type, points, sprint, status
from seedjournal.simulators.engineering.recording import RecordOptions, record
from tests.simulators.acme import (
    SHOP,
    SITE,
    TOOLS,
    Facts,
    acme,
    at,
    census,
    events_of,
    of_kind,
    only,
    pull_request,
    review,
    shown,
    who,
)


@pytest.mark.parametrize(
    ("lines", "value"),
    [(0, 1), (49, 1), (50, 2), (149, 2), (150, 3), (399, 3), (400, 5), (799, 5), (800, 8), (10**9, 8)],
)
def test_points_by_lines(lines: int, value: int) -> None:
    assert points(lines) == value
    data = only(events_of(Facts(pull_request(additions=lines // 2, deletions=lines - lines // 2))), "jira_issue").data
    assert data["story_points"] == f"{value}.0"


@pytest.mark.parametrize(
    ("day", "number"),
    [
        (date(2024, 1, 1), 1),
        (date(2024, 1, 14), 1),
        (date(2024, 1, 15), 2),
        (date(2023, 12, 31), 0),
        (date(2023, 12, 18), 0),
        (date(2023, 12, 17), -1),
        (date(2024, 12, 30), 27),
    ],
)
def test_sprints(day: date, number: int) -> None:
    assert sprint(day, 14) == (number, f"Sprint {number}")
    made = datetime.combine(day, at().timetz())
    assert only(events_of(Facts(pull_request(created_at=made))), "jira_issue").data["sprint_id"] == number


@pytest.mark.parametrize(
    ("title", "labels", "name"),
    [
        ("fix: scale", (), "Bug"),
        ("Fixes the scale", (), "Bug"),
        ("A bug", (), "Bug"),
        ("Sell", ("kind/bug",), "Bug"),
        ("feat(shop): fix prices", (), "Bug"),
        ("feat: sell", (), "Story"),
        ("Sell", ("Feature",), "Story"),
        ("Improve the scale", (), "Improvement"),
        ("refactor!: scale", (), "Improvement"),
        ("Sell", ("enhancement",), "Improvement"),
        ("chore: sell", (), "Task"),
        ("Sell", ("task",), "Task"),
        ("Sell apples", (), None),
        ("Prefix the debugger's featherweight", ("multitasking",), None),
    ],
)
def test_types_that_are_told(title: str, labels: tuple[str, ...], name: str | None) -> None:
    assert issue_type(title, labels) == name


@pytest.mark.parametrize(
    ("pr", "name"),
    [
        (pull_request(merged_at=at(1)), "Done"),
        (pull_request(state="closed", closed_at=at(1)), "Won't Do"),
        (pull_request(state="closed"), "Won't Do"),
        (pull_request(), "To Do"),
        (pull_request(is_draft=True), "In Progress"),
        (pull_request(is_draft=True, reviews=(review(who("bo")),)), "In Progress"),
        (pull_request(reviews=(review(who("bo")),)), "In Review"),
        (pull_request(reviews=(review(who("bo"), None, "pending"),)), "To Do"),
    ],
)
def test_status(pr: PullRequest, name: str) -> None:
    assert status(shown(pr)) == name


def keys(*facts: PullRequest, **settings: Any) -> dict[tuple[Any, Any], Any]:
    events = of_kind(events_of(Facts(*facts), acme(**settings)), "pull_request")
    return {(event.key["github_repo"], event.key["number"]): event.data["jira_key"] for event in events}


def test_a_key_is_in_the_title_else_in_the_branch_else_made_up() -> None:
    found = keys(
        pull_request(1, title="ABC-1 sell", head_ref="ABD-2"),
        pull_request(2, title="Use UTF-8", head_ref="ada/ABD-2"),
        pull_request(3, title="Use UTF-8"),
        pull_request(3, repo=SITE),
        pull_request(3, repo=TOOLS),
    )
    assert found == {
        (SHOP, 1): "ABC-1",
        (SHOP, 2): "ABD-2",
        (SHOP, 3): "ACME-3",
        (SITE, 3): "ACME-100003",
        (TOOLS, 3): "ACME-200003",
    }


def test_the_place_in_the_settings_counts_whatever_the_source_holds() -> None:
    assert keys(pull_request(3, repo=TOOLS)) == {(TOOLS, 3): "ACME-200003"}
    assert keys(pull_request(3, repo=TOOLS), repos=["ACME/Tools"]) == {(TOOLS, 3): "ACME-3"}
    twice = keys(
        pull_request(3, repo=TOOLS), pull_request(3, repo=SITE), repos=["acme/other", "ACME/Other", "acme/Site"]
    )
    assert twice == {(TOOLS, 3): "ACME-300003", (SITE, 3): "ACME-200003"}


def test_one_key_is_one_issue_made_by_the_earliest() -> None:
    facts = [
        pull_request(1, title="Later ABC-1", created_at=at(2), author=who("bo")),
        pull_request(2, title="First ABC-1", created_at=at(1)),
        pull_request(3, title="ACME-4", created_at=at(3)),
        pull_request(4, created_at=at(2)),
    ]
    events = {event.key["jira_key"]: event.data for event in of_kind(events_of(Facts(*facts)), "jira_issue")}
    assert {key: data["summary"] for key, data in events.items()} == {"ABC-1": "First ABC-1", "ACME-4": "Sell apples"}
    assert events["ABC-1"]["assignee"] == "ada"
    assert set(keys(*facts).values()) == {"ABC-1", "ACME-4"}


def test_an_issue_is_written_before_its_pull_request_and_ends_with_it() -> None:
    facts = Facts(*(pull_request(number, merged_at=at(1), closed_at=at(1)) for number in range(1, 200)))
    for event in of_kind(events_of(facts), "jira_issue"):
        created = datetime.fromisoformat(str(event.data["issue_created_at"]))
        assert timedelta(hours=1) <= at() - created <= timedelta(hours=72)
        assert event.data["resolved_at"] == "2024-03-05T09:00:00Z"
        assert float(str(event.data["cycle_time_hours"])) == pytest.approx(
            (at(1) - created).total_seconds() / 3600, abs=0.0051
        )


def test_open_issues_are_not_resolved() -> None:
    data = only(events_of(Facts(pull_request(title="é" * 300))), "jira_issue").data
    assert (data["resolved_at"], data["cycle_time_hours"], data["summary"]) == (None, None, "é" * 200)


def test_drawn_types_and_priorities_have_their_weights() -> None:
    facts = Facts(*(pull_request(number, repo=SHOP) for number in range(1, 4001)))
    events = of_kind(events_of(facts), "jira_issue")
    types = Counter(event.data["issue_type"] for event in events)
    priorities = Counter(event.data["priority"] for event in events)
    for counted, rates in (
        (types, {"Story": 0.50, "Task": 0.25, "Bug": 0.20, "Improvement": 0.05}),
        (priorities, {"Medium": 0.50, "High": 0.25, "Low": 0.20, "Critical": 0.05}),
    ):
        for name, rate in rates.items():
            assert counted[name] / 4000 == pytest.approx(rate, abs=0.03)


def test_rates_are_settings() -> None:
    project = acme(issue_type_rates={"Bug": 1.0}, priority_rates={"Low": 1.0}, sprint_days=7)
    data = only(events_of(Facts(pull_request(created_at=at(-56))), project), "jira_issue").data
    assert (data["issue_type"], data["priority"], data["sprint_id"]) == ("Bug", "Low", 2)


@pytest.mark.parametrize("turned", [False, True])
def test_synthetic_keys_that_collide_are_named_and_can_be_kept_apart(turned: bool, database: Database) -> None:
    both = [pull_request(100_005, repo=SHOP), pull_request(5, repo=SITE, title="Sell pears")]
    source = Facts(*(both[::-1] if turned else both), repositories=(SHOP, SITE))
    (notice,) = record(database, acme(), source).notices
    assert "acme/Site#5 and acme/shop#100005 share the synthetic Jira key ACME-100005" in notice
    assert "--set jira_key_per_repository=true" in notice
    apart = record(database, acme(jira_key_per_repository=True), source, RecordOptions(fresh=True))
    assert apart.notices == []
    assert apart.sealed.run.counts["kinds"]["jira_issue"]["total"] == 2


def test_a_key_that_titles_name_is_no_collision() -> None:
    facts = (pull_request(7, repo=SHOP, title="ACME-100005: sell"), pull_request(5, repo=SITE))
    assert census(*facts).notices() == []
    assert census(pull_request(1), pull_request(1, repo=SITE)).notices() == []

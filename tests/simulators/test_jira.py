"""Issues: one for a key, and each rule at its edges."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from seedjournal.journal import Database
from seedjournal.simulators.engineering.facts import PullRequest
from seedjournal.simulators.engineering.jira import issue_id, issue_type, points, sprint, status, summary
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


def test_points_follow_lines_reviews_and_time_with_some_noise() -> None:
    def mean(**fields: Any) -> float:
        facts = Facts(*(pull_request(number, additions=100, **fields) for number in range(1, 400)))
        found = [float(str(event.data["story_points"])) for event in of_kind(events_of(facts), "jira_issue")]
        return sum(found) / len(found)

    few = mean(merged_at=at(1))
    assert 2 <= few < 2.1
    rounds = tuple(review(who("bo"), at(place), "commented") for place in range(6))
    assert few + 0.1 < mean(merged_at=at(1), reviews=rounds) < 3
    assert few + 0.05 < mean(merged_at=at(30)) < 3


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
    assert sprint(day, 14) == number


def sprints(*facts: PullRequest, as_of: date | None = None, **settings: Any) -> list[Any]:
    events = of_kind(events_of(Facts(*facts), acme(**settings), as_of=as_of), "jira_issue")
    assert all(event.data["sprint_name"] == f"Sprint {event.data['sprint_id']}" for event in events)
    return [event.data["sprint_id"] for event in sorted(events, key=lambda event: str(event.key["jira_key"]))]


def test_sprints_count_from_the_projects_first_and_issues_move_on_until_they_are_done() -> None:
    years_ago = at(-3000)
    facts = (
        pull_request(1, created_at=years_ago, merged_at=years_ago + timedelta(days=1)),
        pull_request(2, created_at=years_ago, merged_at=years_ago + timedelta(days=15)),
        pull_request(3, created_at=years_ago, state="closed", closed_at=years_ago + timedelta(days=29)),
        pull_request(4, created_at=years_ago),
    )
    days = (2, 16, 30, 100)
    assert sprints(*facts, as_of=(years_ago + timedelta(days=99)).date()) == [
        sprint((years_ago + timedelta(days=day - 1)).date(), 14) - sprint(years_ago.date(), 14) + 1 for day in days
    ]
    assert sprints(*facts, as_of=years_ago.date())[3] == 1
    assert sprints(*facts[3:], as_of=(years_ago + timedelta(days=700)).date(), sprint_days=7)[0] in {101, 100}


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
        ("docs: a feature", (), "Task"),
        ("Bump apples from 1 to 2", (), "Task"),
        ("test(shop): sell", (), "Task"),
        ("Test apples", (), "Task"),
        ("Sell", ("task",), "Task"),
        ("Sell apples", (), None),
        ("Prefix the debugger's featherweight", ("multitasking",), None),
    ],
)
def test_types_that_are_told(title: str, labels: tuple[str, ...], name: str | None) -> None:
    assert issue_type(title, labels, {"Bug", "Story", "Task", "Improvement"}) == name


def test_a_type_without_a_rate_does_not_occur() -> None:
    assert issue_type("feat: fix prices", (), {"Story", "Task"}) == "Story"
    titles = ("fix: scale", "feat: sell", "chore: sell", "Sell")
    facts = Facts(*(pull_request(number, title=title) for number, title in enumerate(titles, 1)))
    for name in ("Bug", "Story", "Task", "Improvement"):
        events = of_kind(events_of(facts, acme(issue_type_rates={name: 1.0})), "jira_issue")
        assert {event.data["issue_type"] for event in events} == {name}


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
        (pull_request(reviews=(review(who("Ada")),)), "To Do"),
        (pull_request(commits_count=1), "In Progress"),
        (pull_request(commits_count=1, reviews=(review(who("bo")),)), "In Review"),
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


def test_an_issue_is_written_at_work_before_its_pull_request_and_ends_with_it() -> None:
    facts = Facts(*(pull_request(number, merged_at=at(1), closed_at=at(1)) for number in range(1, 200)))
    for event in of_kind(events_of(facts), "jira_issue"):
        created = datetime.fromisoformat(str(event.data["issue_created_at"]))
        assert timedelta(hours=1) <= at() - created <= timedelta(days=7)
        assert created.hour >= 6
        assert event.data["resolved_at"] == "2024-03-05T09:00:00Z"
        assert float(str(event.data["cycle_time_hours"])) == pytest.approx(
            (at(1) - created).total_seconds() / 3600, abs=0.0051
        )


def test_ids_follow_from_keys_have_five_to_nine_digits_and_are_unique() -> None:
    keys = [f"{head}-{number}" for head in ("ACME", "ACME2", "OPS", "ABC") for number in (*range(2000), 300_007)]
    keys += ["ACME-01", "OPS-01", "ACME-999999999", "OPS-999999999"]
    ids = [issue_id(key, "ACME") for key in keys]
    assert len(set(ids)) == len(ids)
    assert all(5 <= len(one) <= 9 for one in ids)
    assert [issue_id(f"ACME-{number}", "ACME") for number in (1, 2, 100_001)] == ["10001", "10002", "110001"]


@pytest.mark.parametrize(
    ("title", "told"),
    [
        ("feat(shop)!: sell pears", "Sell pears"),
        ("ABC-12: sell pears (#7)", "Sell pears"),
        ("[ABC-12] Sell pears", "Sell pears"),
        ("Sell pears [ABC-12]", "Sell pears"),
        ("fix: ", "Fix: "),
        ("ABC-12", "ABC-12"),
        ("", ""),
        ("note: sell", "Sell"),
    ],
)
def test_a_summary_is_a_title_for_people(title: str, told: str) -> None:
    assert summary(title) == told


def test_open_issues_are_not_resolved() -> None:
    data = only(events_of(Facts(pull_request(title="é" * 300))), "jira_issue").data
    assert (data["resolved_at"], data["cycle_time_hours"], data["summary"]) == (None, None, "É" + "é" * 199)


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
    assert (data["issue_type"], data["priority"], data["sprint_id"]) == ("Bug", "Low", 1)


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

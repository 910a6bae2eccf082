"""Settings do what they say, at both of their ends; rates change over time; scenarios are realised."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from functools import cache
from statistics import fmean, median, stdev
from typing import Any

import pytest

from seedjournal.journal import BadInput, Event
from seedjournal.simulators.engineering.assistants import assistants
from seedjournal.simulators.engineering.demo.cast import People, Setting
from seedjournal.simulators.engineering.demo.source import DEFAULT_AS_OF, RATES, DemoSource
from seedjournal.simulators.engineering.project import SCENARIOS, SETTINGS, make_project
from seedjournal.simulators.engineering.schedules import Schedule, schedule
from tests.simulators.acme import Facts, acme, at, events_of, file, of_kind, pull_request, who


def demo(prs: int = 100, seed: int = 1, **settings: Any) -> list[Event]:
    """Every event of an invented project with these settings."""
    project = make_project("demo", {"prs": prs} | settings)
    source = DemoSource(
        project="demo",
        seed=seed,
        members=project.members,
        prs=project.prs,
        days=project.days,
        ai_rate=project.ai_base_adoption_rate,
        highest_ai_rate=project.highest_ai_rate,
        ai_tools=project.usage_source_rates,
        rates={name: getattr(project, name) for name in RATES},
    )
    facts = Facts(*source.pull_requests(), loose=list(source.loose_commits()), repositories=source.repositories)
    return events_of(facts, project, seed=seed, as_of=source.as_of)


def every(kind: str, field: str) -> Callable[[list[Event]], list[Any]]:
    """Return what reads a field of every event of a kind."""
    return lambda events: [event.data[field] for event in of_kind(events, kind)]


def count(kind: str) -> Callable[[list[Event]], int]:
    return lambda events: len(of_kind(events, kind))


def share(kind: str, field: str) -> Callable[[list[Event]], float]:
    return lambda events: fmean(bool(one) for one in every(kind, field)(events) if one is not None)


def hours(events: list[Event]) -> list[float]:
    return [float(one) for one in every("ai_usage_daily", "active_hours")(events)]


def right(events: list[Event]) -> set[Any]:
    return set(every("pr_survey_review", "guess_correct")(events)) - {None}


def ratios(events: list[Event]) -> list[float]:
    return [
        float(event.data["suggestions_accepted"]) / float(event.data["suggestions_shown"])  # type: ignore[arg-type]
        for event in of_kind(events, "ai_usage_daily")
    ]


def answers(events: list[Event]) -> set[bool]:
    return {one is not None for one in every("pr_survey", "author_responded_at")(events)}


def assisted(events: list[Event]) -> tuple[float, int, float]:
    """How many say AI, have usage, and show signs."""
    return (
        share("pr_survey", "author_ai_assisted")(events),
        len({event.key["login"] for event in of_kind(events, "ai_usage_daily")}),
        share("pull_request", "is_ai_assisted")(events),
    )


def lines(events: list[Event]) -> float:
    return median(event.data["additions"] + event.data["deletions"] for event in of_kind(events, "pull_request"))  # type: ignore[operator]


def cycle(events: list[Event]) -> float:
    return median(float(one) for one in every("pull_request", "cycle_time_hours")(events) if one is not None)


def opened(events: list[Event]) -> list[datetime]:
    return [datetime.fromisoformat(one) for one in every("pull_request", "pr_created_at")(events)]


def weekend(events: list[Event]) -> float:
    return fmean(at.weekday() >= 5 for at in opened(events))


def authors(events: list[Event]) -> list[int]:
    names = every("pull_request", "author")(events)
    return sorted((names.count(name) for name in set(names)), reverse=True)


def failed(events: list[Event]) -> float:
    return fmean(one == "failure" for one in every("pr_check_run", "conclusion")(events))


ALL = {"survey_response_rate": 1.0, "reviewer_response_rate": 1.0, "ai_base_adoption_rate": 1.0}
# The first end, what holds there, the other end, what holds there. With `more`, the other end gives more of something.
ENDS: dict[str, tuple[Any, Callable[[list[Event]], bool], Any, Callable[[list[Event]], bool]]] = {
    "ai_base_adoption_rate": (
        0.0,
        lambda events: assisted(events) == (0.0, 0, 0.0),
        1.0,
        lambda events: assisted(events)[0] > 0.95 and assisted(events)[1] > 8 and assisted(events)[2] > 0.9,
    ),
    "highest_ai_rate": (
        0.0,
        lambda events: assisted(events) == (0.0, 0, 0.0) and not any(every("pr_survey_review", "ai_guess")(events)),
        1.0,
        lambda events: assisted(events)[0] > 0.1,
    ),
    "survey_response_rate": (0.0, lambda events: answers(events) == {False}, 1.0, lambda e: share("pr_survey", "author_responded_at")(e) > 0.9),
    "reviewer_response_rate": (0.0, lambda events: not count("pr_survey_review")(events), 1.0, lambda e: count("pr_survey_review")(e) > 60),
    "issue_type_rates": (
        {"Bug": 1.0}, lambda events: set(every("jira_issue", "issue_type")(events)) == {"Bug"},
        {"Task": 1.0}, lambda events: set(every("jira_issue", "issue_type")(events)) == {"Task"},
    ),
    "priority_rates": (
        {"Low": 1.0}, lambda events: set(every("jira_issue", "priority")(events)) == {"Low"},
        {"Critical": 1.0}, lambda events: set(every("jira_issue", "priority")(events)) == {"Critical"},
    ),
    "quality_rates": (
        {"1": 1.0}, lambda events: set(every("pr_survey_review", "quality_rating")(events)) == {1},
        {"3": 1.0}, lambda events: set(every("pr_survey_review", "quality_rating")(events)) == {3},
    ),
    "usage_source_rates": (
        {"copilot": 1.0}, lambda events: {event.key["source"] for event in of_kind(events, "ai_usage_daily")} == {"copilot"},
        {"cursor": 1.0}, lambda events: {event.key["source"] for event in of_kind(events, "ai_usage_daily")} == {"cursor"},
    ),
    "sprint_days": (
        1, lambda events: max(every("jira_issue", "sprint_id")(events)) == 180,
        365, lambda events: max(every("jira_issue", "sprint_id")(events)) <= 2,
    ),
    "lowest_guess_rate": (0.0, lambda e: right(e) == {True, False}, 0.75, lambda e: right(e) == {True, False}),
    "highest_guess_rate": (0.60, lambda e: right(e) == {True, False}, 1.0, lambda e: right(e) == {True, False}),
    "usage_day_rate": (0.0, lambda events: not count("ai_usage_daily")(events), 1.0, lambda e: count("ai_usage_daily")(e) > 60),
    "lowest_usage_hours": (0.0, lambda e: fmean(hours(e)) < 4.2, 6.0, lambda e: min(hours(e)) >= 4.19),
    "highest_usage_hours": (2.0, lambda e: max(hours(e)) <= 2.6, 24.0, lambda e: max(hours(e)) > 7.8),
    "lowest_suggestions": (0, lambda e: min(every("ai_usage_daily", "suggestions_shown")(e)) < 279, 400, lambda e: min(every("ai_usage_daily", "suggestions_shown")(e)) >= 279),
    "highest_suggestions": (100, lambda e: max(every("ai_usage_daily", "suggestions_shown")(e)) <= 130, 1_000_000, lambda e: max(every("ai_usage_daily", "suggestions_shown")(e)) > 520),
    "lowest_acceptance": (0.0, lambda e: min(ratios(e)) < 0.22, 0.45, lambda e: min(ratios(e)) > 0.39),
    "highest_acceptance": (0.25, lambda e: max(ratios(e)) <= 0.276, 1.0, lambda e: max(ratios(e)) > 0.5),
    "days_back": (1, lambda e: count("ai_usage_daily")(e) < 12, 3650, lambda e: count("ai_usage_daily")(e) > 60),
    "max_files_per_pr": (1, lambda e: count("pr_file")(e) == 100, 0, lambda e: count("pr_file")(e) > 250),
    "check_runs": (False, lambda events: not count("pr_check_run")(events), True, lambda e: count("pr_check_run")(e) > 200),
    "members": (1, lambda events: authors(events) == [100], 40, lambda events: len(authors(events)) > 15),
    "prs": (0, lambda events: not count("pull_request")(events), 300, lambda e: count("pull_request")(e) == 300),
    "days": (
        1, lambda e: {at.date() for at in opened(e)} == {DEFAULT_AS_OF} and 0.02 < fmean(one == "open" for one in every("pull_request", "state")(e)) < 0.3,
        3650, lambda events: min(at.year for at in opened(events)) < 2017,
    ),
    "size_factor": (0.01, lambda events: lines(events) < 10, 100, lambda events: lines(events) > 1000),
    "cycle_time_factor": (0.01, lambda events: cycle(events) < 4, 100, lambda events: cycle(events) > 100),
    "failing_check_rate": (0.0, lambda events: failed(events) == 0, 1.0, lambda events: failed(events) > 0.2),
    "incident_rate": (0.0, lambda e: not any(every("pull_request", "is_hotfix")(e)), 1.0, lambda e: share("pull_request", "is_hotfix")(e) > 0.005),
    "hotfix_rate": (0.0, lambda e: not any(every("pull_request", "is_hotfix")(e)), 1.0, lambda e: share("pull_request", "is_hotfix")(e) > 0.01),
    "weekend_rate": (0.0, lambda events: weekend(events) == 0, 1.0, lambda events: weekend(events) > 0.2),
    "concentration": (0.0, lambda events: authors(events)[0] < 50, 1.0, lambda events: authors(events)[0] > 53),
    "joining_rate": (0.0, lambda events: len(authors(events)) >= 9, 0.85, lambda events: authors(events)[0] > 30),
    "leaving_rate": (0.0, lambda events: len(authors(events)) >= 9, 0.80, lambda events: authors(events)[0] > 25),
}  # fmt: skip
_BONUSES = ("large_pr_ai_bonus", "medium_pr_ai_bonus", "many_files_ai_bonus", "some_files_ai_bonus")
# What a source is read by, and names: tests of sources, projects and recordings try them.
ELSEWHERE = {
    *("repos", "source", "branch", "use_mailmap", "team_name", "jira_project_key", "jira_key_per_repository"),
    *("description", "industry", "policy", "max_prs", "max_cache_mb"),
    *_BONUSES,
}


def test_every_setting_is_tried() -> None:
    assert set(ENDS) | ELSEWHERE == set(SETTINGS)


@pytest.mark.slow
@pytest.mark.parametrize("setting", ENDS)
def test_a_setting_does_what_it_says_at_both_ends(setting: str) -> None:
    low, holds_there, high, holds_here = ENDS[setting]
    assert holds_there(demo(**{setting: low}))
    assert holds_here(demo(**{setting: high}))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("setting", "lines", "files"),
    [(_BONUSES[0], 400, 0), (_BONUSES[1], 200, 0), (_BONUSES[2], 0, 6), (_BONUSES[3], 0, 4)],
)
def test_a_bonus_makes_ai_more_likely(setting: str, lines: int, files: int) -> None:
    facts = Facts(
        *(
            pull_request(
                number,
                author=who(f"author-{number}"),
                merged_at=at(1),
                additions=lines,
                files=tuple(file(f"shop/{place}.py") for place in range(files)),
            )
            for number in range(1, 600)
        )
    )
    settings: dict[str, Any] = dict.fromkeys(_BONUSES, 0.0) | {"survey_response_rate": 1.0, "highest_ai_rate": 1.0}
    yes = [
        sum(
            map(
                bool,
                every("pr_survey", "author_ai_assisted")(
                    events_of(facts, acme(**settings | {setting: bonus}), as_of=at(60).date())
                ),
            )
        )
        for bonus in (0.0, 1.0)
    ]
    assert yes[0] + 30 < yes[1]


def test_no_suggestions_are_no_hours() -> None:
    assert not count("ai_usage_daily")(demo(lowest_suggestions=0, highest_suggestions=0))
    assert not count("ai_usage_daily")(demo(lowest_usage_hours=0, highest_usage_hours=0))


# Schedules


def test_a_schedule_is_even_between_its_days_and_constant_outside() -> None:
    found = schedule({"2026-01-01": 0.1, "2026-07-01": 0.6}, DEFAULT_AS_OF)
    days = [date(2025, 1, 1), date(2026, 1, 1), date(2026, 4, 1), date(2026, 7, 1), date(2027, 1, 1)]
    assert [round(found.at(day.toordinal()), 2) for day in days] == [0.1, 0.1, 0.35, 0.6, 0.6]
    assert schedule(0.3, DEFAULT_AS_OF) == Schedule((), (0.3,))
    back = schedule({"-10": 0.0, "0": 1.0}, DEFAULT_AS_OF)
    assert back.at((DEFAULT_AS_OF - timedelta(days=5)).toordinal()) == 0.5


@pytest.mark.parametrize(
    ("setting", "value", "told"),
    [
        ("survey_response_rate", {}, "is an empty table"),
        ("survey_response_rate", {"soon": 0.5}, "'soon' is not a day"),
        ("survey_response_rate", {"2026-02-30": 0.5}, "is not a day"),
        ("survey_response_rate", {"5": 0.5}, "is not a day"),
        ("survey_response_rate", {"-5": 1.5}, "survey_response_rate"),
        ("quality_rates", {"-5": {"1": 0.5, "3": 0.4}}, "sum to 0.9"),
        ("quality_rates", {"-5": {"1": 1.0}, "3": 0.4}, "is not a day"),
        ("quality_rates", {"-5": {"1": 1.0}, "0": 0.4}, "for some days only"),
        ("lowest_guess_rate", {"-5": 0.5, "0": 0.9}, "above"),
        ("joining_rate", 0.9, "more than 1"),
    ],
)
def test_a_schedule_that_is_none_is_refused(setting: str, value: Any, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        make_project("demo", {setting: value})


@pytest.mark.slow
def test_a_rate_that_changes_is_realised() -> None:
    events = demo(1500, survey_response_rate={"-90": 0.0, "-89": 1.0}, reviewer_response_rate=0.0)
    merged = {
        (event.key["github_repo"], event.key["number"]): event.data["merged_at"]
        for event in of_kind(events, "pull_request")
    }
    limit = (DEFAULT_AS_OF - timedelta(days=90)).isoformat()
    for event in of_kind(events, "pr_survey"):
        when = str(merged[event.key["github_repo"], event.key["number"]])
        if when[:10] <= limit:
            assert event.data["author_responded_at"] is None


# Scenarios

SEEDS = range(1, 6)


@cache
def told(scenario: str, seed: int) -> list[Event]:
    return demo(500, seed=seed, members=24, survey_response_rate=1.0, **SCENARIOS[scenario])


def between(events: list[Event], first: int, last: int, kind: str = "pull_request") -> list[Event]:
    """The events of what was opened from so many days before the end up to so many."""
    numbers = {
        event.key["number"]
        for event in of_kind(events, "pull_request")
        if first <= (DEFAULT_AS_OF - date.fromisoformat(str(event.data["pr_created_at"])[:10])).days < last
    }
    return [event for event in of_kind(events, kind) if event.key["number"] in numbers]


def mean_of(values: Iterable[float]) -> tuple[float, float]:
    """The mean over seeds, and how far 95 of 100 such means lie from the true one (Student's t of 5)."""
    found = list(values)
    return fmean(found), 2.776 * stdev(found) / len(found) ** 0.5


@pytest.mark.slow
@pytest.mark.parametrize(("first", "last", "rate"), [(150, 180, 0.14), (75, 105, 0.35), (0, 30, 0.56)])
def test_the_rollout_goes_from_one_in_ten_to_six(first: int, last: int, rate: float) -> None:
    def yes(seed: int) -> float:
        return share("pr_survey", "author_ai_assisted")(
            between(told("assistant-rollout", seed), first, last, "pr_survey")
        )

    mean, bound = mean_of(map(yes, SEEDS))
    assert abs(mean - rate) < bound + 0.06  # sizes raise the rate a little, and who works that month


@pytest.mark.slow
def test_the_rollouts_quality_dips_and_recovers_and_cycles_are_shorter() -> None:
    def quality(seed: int, first: int, last: int, scenario: str) -> float:
        return fmean(
            every("pr_survey_review", "quality_rating")(between(told(scenario, seed), first, last, "pr_survey_review"))
        )

    usual, dip, after = (
        mean_of(quality(seed, *days, "assistant-rollout") for seed in SEEDS)
        for days in ((140, 180), (92, 108), (20, 55))
    )
    assert dip[0] + dip[1] < usual[0] - usual[1]
    assert dip[0] + dip[1] < after[0] - after[1]
    assert abs(usual[0] - after[0]) < usual[1] + after[1] + 0.05
    ratio = [
        cycle(between(told("assistant-rollout", seed), 20, 60)) / cycle(between(told("steady", seed), 20, 60))
        for seed in SEEDS
    ]
    mean, bound = mean_of(ratio)
    assert abs(mean - 0.81) < bound + 0.05  # three quarters at the end


@pytest.mark.slow
def test_a_crunch_has_larger_pull_requests_weekends_and_hotfixes_after() -> None:
    for measure, days in (
        (lines, (17, 38)),
        (weekend, (17, 38)),
        (share("pull_request", "is_hotfix"), (0, 12)),
    ):
        crunch, steady = (
            mean_of(measure(between(told(name, seed), *days)) for seed in SEEDS) for name in ("crunch", "steady")
        )
        assert crunch[0] > steady[0]
        assert crunch[0] + crunch[1] > 1.3 * (steady[0] - steady[1])
    before = [mean_of(weekend(between(told(name, seed), 60, 180)) for seed in SEEDS) for name in ("crunch", "steady")]
    assert abs(before[0][0] - before[1][0]) < before[0][1] + before[1][1]


@pytest.mark.slow
def test_growth_brings_people_and_fewer_do_half_of_the_work() -> None:
    rates = {name: schedule(SCENARIOS["growth"].get(name, rate), DEFAULT_AS_OF) for name, rate in RATES.items()}
    nobodys = assistants("demo", 1, DEFAULT_AS_OF, rate=0, highest=0, tools={})
    people = People(
        Setting(
            project="demo",
            seed=1,
            repositories=(),
            members=1000,
            days=180,
            as_of=DEFAULT_AS_OF,
            assistants=nobodys,
            rates=rates,
        )
    )
    everybody = [people.member(place) for place in range(1, 1001)]
    for found, rate in ((sum(one.comes > 0 for one in everybody), 0.5), (sum(one.goes < 1 for one in everybody), 0.1)):
        assert abs(found / 1000 - rate) < 1.96 * (rate * (1 - rate) / 1000) ** 0.5

    def bus_factor(scenario: str, seed: int) -> int:
        found = authors(between(told(scenario, seed), 0, 40))
        return next(place for place in range(1, len(found) + 1) if 2 * sum(found[:place]) >= sum(found))

    growth, steady = (mean_of(bus_factor(name, seed) for seed in SEEDS) for name in ("growth", "steady"))
    assert growth[0] + growth[1] < steady[0] - steady[1]

"""Daily use of assistants: which days, whose, and how much."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedjournal.journal import Event
from seedjournal.simulators.engineering.assistants import PUBLIC_SINCE
from seedjournal.simulators.engineering.facts import ratio
from tests.simulators.acme import MONDAY, Facts, acme, at, commit, events_of, of_kind, pull_request, review, who


def used(*facts: Any, as_of: date | None = None, **settings: Any) -> list[Event]:
    project = acme(**{"ai_base_adoption_rate": 1.0, **settings})
    return of_kind(events_of(Facts(*facts), project, as_of=as_of), "ai_usage_daily")


def days(events: list[Event]) -> list[date]:
    return [date.fromisoformat(str(event.key["date"])) for event in events]


def every_day(number: int, first: int = 0, count: int = 26, **fields: Any) -> Any:
    """A pull request with a commit of its author on each of some days."""
    author = fields.setdefault("author", who(f"member-{number}"))
    commits = tuple(commit(number * 1000 + day, author, at(first + day)) for day in range(count))
    return pull_request(number, created_at=at(first), commits=commits, **fields)


def busy(people: int, **fields: Any) -> list[Any]:
    return [every_day(number, **fields) for number in range(1, people + 1)]


def test_only_working_days_of_the_window_and_of_those_most() -> None:
    found = days(used(*busy(200), as_of=date(2024, 3, 31), days_back=28))
    assert {day.weekday() for day in found} == {0, 1, 2, 3, 4}
    assert min(found) == MONDAY.date()
    assert max(found) == date(2024, 3, 29)
    assert len(found) / (200 * 20) == pytest.approx(0.85, abs=0.02)


@pytest.mark.slow
def test_who_does_more_uses_more_and_who_does_nothing_nothing() -> None:
    def a_week(days_a_week: int) -> float:
        return len(used(*busy(300, count=days_a_week), as_of=date(2024, 4, 30))) / 300

    amounts = [a_week(count) for count in (1, 2, 3, 4, 5)]
    assert amounts == sorted(amounts)
    assert amounts[0] == pytest.approx(0.85 * (1 + 4 * 0.8 / 5), abs=0.2)
    assert amounts[4] == pytest.approx(0.85 * 5, abs=0.2)
    found = days(used(every_day(1, count=2), every_day(2, first=21, count=2), as_of=date(2024, 4, 30)))
    assert {(day - MONDAY.date()).days // 7 for day in found} <= {0, 3}


def test_reviews_and_merges_alone_are_no_coding() -> None:
    facts = [pull_request(number, author=None, reviews=(review(who("bo")),)) for number in range(1, 20)]
    assert not used(*facts, as_of=date(2024, 3, 29))
    merged = used(pull_request(created_at=at(-30), merged_at=at()), as_of=date(2024, 3, 29), days_back=27)
    assert not merged


def test_the_window_ends_with_the_day() -> None:
    always: dict[str, Any] = {"usage_day_rate": 1.0}
    assert days(used(every_day(1, count=5), as_of=date(2024, 3, 5), days_back=2, **always)) == [
        date(2024, 3, 4),
        date(2024, 3, 5),
    ]
    assert days(used(pull_request(), as_of=date(2024, 3, 4), days_back=1, **always)) == [date(2024, 3, 4)]
    assert days(used(pull_request(), as_of=date(2024, 3, 11), days_back=1, **always)) == []


def test_what_comes_after_the_day_does_not_count() -> None:
    assert not used(pull_request(created_at=at(30)), as_of=date(2024, 3, 29))


def test_members_adopt_with_the_rate_and_have_one_source() -> None:
    events = used(*busy(1500, count=1), as_of=date(2024, 3, 8), ai_base_adoption_rate=0.35, usage_day_rate=1.0)
    sources: dict[Any, set[Any]] = defaultdict(set)
    for event in events:
        sources[event.key["login"]].add(event.key["source"])
    assert len(sources) / 1500 == pytest.approx(0.35, abs=0.04)
    assert {len(one) for one in sources.values()} == {1}
    share = Counter(source for one in sources.values() for source in one)
    assert share["copilot"] / share.total() == pytest.approx(0.70, abs=0.07)
    assert set(share) == {"copilot", "cursor"}


def test_a_sign_makes_its_week_a_users_week_and_nothing_else() -> None:
    def found(*facts: Any) -> list[tuple[Any, Any]]:
        events = used(*facts, as_of=date(2024, 4, 30), ai_base_adoption_rate=0.0, usage_day_rate=1.0)
        return sorted((event.key["date"], event.key["source"]) for event in events)

    later = every_day(2, first=14, count=5, author=who("ada"))
    assert found(later) == []
    copilot, claude = (f"Written with {name}" for name in ("Copilot", "Claude"))
    assert ("2024-03-04", "copilot") in found(pull_request(title=copilot), later)
    assert {day[:10] <= "2024-03-08" for day, _ in found(pull_request(title=copilot), later)} == {True}
    assert len({tool for _, tool in found(pull_request(title=claude))}) == 1
    assert {tool for _, tool in found(pull_request(title=copilot))} == {"copilot"}
    sunday = found(pull_request(title=copilot, created_at=at(6)))
    assert ("2024-03-08", "copilot") in sunday
    signed = commit(1, who("bo"), message="Sell\n\nCo-authored-by: Cursor <cursoragent@cursor.com>")
    assert ("2024-03-04", "cursor") in found(pull_request(author=None, commits=(signed,)))


def test_two_tools_share_a_day() -> None:
    tools = ("Cursor <cursoragent@cursor.com>", "Copilot <copilot@github.com>")
    signs = [(who(f"m{number}"), tool) for number in range(40) for tool in tools]
    facts = [
        pull_request(number, author=None, commits=(commit(number, author, message=f"Sell\n\nCo-authored-by: {tool}"),))
        for number, (author, tool) in enumerate(signs, 1)
    ]
    hours: dict[Any, list[float]] = defaultdict(list)
    for event in used(*facts, as_of=date(2024, 4, 30), usage_day_rate=1.0):
        hours[event.key["login"], event.key["date"]].append(float(event.data["active_hours"]))
    both = [one for one in hours.values() if len(one) == 2]
    assert len(both) >= 40
    assert max(map(sum, hours.values())) < 10
    assert all(min(one) < 0.3 * max(one) for one in both)


@pytest.mark.slow
def test_nobody_uses_a_tool_before_it_is_there() -> None:
    def sources(year: int) -> set[Any]:
        start = date(year, 1, 1)
        facts = [every_day(number, first=(start - MONDAY.date()).days, count=200) for number in range(1, 40)]
        return {(event.key["source"]) for event in used(*facts, as_of=date(year, 6, 30))}

    assert sources(2021) == set()
    assert sources(2022) == {"copilot"}
    assert sources(2024) == {"copilot", "cursor"}
    early = days(used(every_day(1, first=(date(2022, 6, 1) - MONDAY.date()).days, count=60), as_of=date(2022, 7, 29)))
    assert min(early) >= PUBLIC_SINCE["copilot"]
    told = pull_request(title="Written with Copilot", created_at=datetime(2020, 5, 4, 9, tzinfo=UTC))
    assert not used(told, as_of=date(2020, 6, 1))


def test_amounts_keep_their_bounds() -> None:
    events = used(*busy(300), as_of=date(2024, 3, 29), days_back=26)
    hours = [float(str(event.data["active_hours"])) for event in events]
    assert 1.4 <= min(hours) < 1.7
    assert 7.2 < max(hours) <= 7.8
    shown: list[Any] = [event.data["suggestions_shown"] for event in events]
    assert 69 <= min(shown) < 90
    assert 480 < max(shown) <= 520
    for event in events:
        accepted: Any = event.data["suggestions_accepted"]
        whole: Any = event.data["suggestions_shown"]
        assert 0 <= accepted <= whole
        assert 0.25 * 0.9 - 0.02 <= accepted / whole <= 0.45 * 1.1
        assert event.data["acceptance_rate"] == ratio(100 * accepted, whole or 1)


def test_amounts_are_bounded_for_any_setting() -> None:
    most = used(*busy(20), lowest_acceptance=1.0, highest_acceptance=1.0, lowest_usage_hours=24, highest_usage_hours=24)
    assert most
    for event in most:
        assert event.data["suggestions_accepted"] <= event.data["suggestions_shown"]  # type: ignore[operator]
        assert float(str(event.data["active_hours"])) <= 24
    assert not used(*busy(3), lowest_suggestions=0, highest_suggestions=0)
    assert not used(*busy(3), lowest_usage_hours=0, highest_usage_hours=0)
    some = used(*busy(30), lowest_usage_hours=0)
    assert 0 < min(float(str(event.data["active_hours"])) for event in some) < 0.5


@given(st.integers(0, 10**6), st.integers(1, 10**6))
def test_a_ratio_is_exact_half_upward(part: int, whole: int) -> None:
    part = min(part, whole)
    told = Fraction(ratio(100 * part, whole))
    exact = Fraction(100 * part, whole)
    assert -Fraction(1, 200) < told - exact <= Fraction(1, 200)
    assert ratio(100, 1) == "100.00"
    assert ratio(100, 800) == "0.13"  # 0.125


@given(st.dates(date(1, 1, 1), date(9999, 12, 31)), st.integers(1, 3650))
def test_any_date_will_do(as_of: date, days_back: int) -> None:
    used(pull_request(), as_of=as_of, days_back=days_back)


def test_programs_use_no_assistant() -> None:
    told = "Written with Copilot"
    facts = (pull_request(1, title=told), every_day(2, author=who("dependabot[bot]"), title=told))
    assert {event.key["login"] for event in used(*facts, as_of=date(2024, 8, 30), days_back=365)} == {"ada"}

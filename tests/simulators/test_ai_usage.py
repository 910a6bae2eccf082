"""Daily use of assistants: which days, whose, and how much."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedjournal.journal import Event
from seedjournal.simulators.engineering.facts import ratio
from tests.simulators.acme import MONDAY, Facts, acme, at, events_of, of_kind, pull_request, who

MONTHS_LATER = date(2024, 8, 30)


def used(*facts: Any, as_of: date | None = None, **settings: Any) -> list[Event]:
    project = acme(**{"ai_base_adoption_rate": 1.0, **settings})
    return of_kind(events_of(Facts(*facts), project, as_of=as_of), "ai_usage_daily")


def days(events: list[Event]) -> list[date]:
    return [date.fromisoformat(str(event.key["date"])) for event in events]


def team(count: int) -> list[Any]:
    return [pull_request(number, author=who(f"member-{number}")) for number in range(1, count + 1)]


def test_only_working_days_of_the_window_and_of_those_most() -> None:
    found = days(used(*team(300), as_of=date(2024, 3, 31), days_back=28))
    assert {day.weekday() for day in found} == {0, 1, 2, 3, 4}
    assert min(found) == MONDAY.date()
    assert max(found) == date(2024, 3, 29)
    assert len(found) / (300 * 20) == pytest.approx(0.85, abs=0.02)


def test_the_window_ends_with_the_day() -> None:
    everyday = used(pull_request(), as_of=date(2024, 3, 5), days_back=2, usage_day_rate=1.0)
    assert days(everyday) == [date(2024, 3, 4), date(2024, 3, 5)]
    assert days(used(pull_request(), as_of=date(2024, 3, 6), days_back=1, usage_day_rate=1.0)) == []
    assert days(used(pull_request(), as_of=date(2024, 3, 4), days_back=1, usage_day_rate=1.0)) == [date(2024, 3, 4)]


def test_who_did_nothing_for_long_is_not_active() -> None:
    assert not used(pull_request(), as_of=MONTHS_LATER, days_back=90)
    found = days(used(pull_request(), as_of=date(2024, 4, 30), days_back=30, usage_day_rate=1.0))
    assert max(found) == (MONDAY + timedelta(days=29)).date()


def test_what_comes_after_the_day_does_not_count() -> None:
    assert not used(pull_request(created_at=at(30)), as_of=date(2024, 3, 29))


def test_members_adopt_with_the_rate_and_have_one_source() -> None:
    events = used(*team(1500), as_of=date(2024, 3, 8), ai_base_adoption_rate=0.35, days_back=5)
    sources: dict[Any, set[Any]] = defaultdict(set)
    for event in events:
        sources[event.key["login"]].add(event.key["source"])
    assert len(sources) / 1500 == pytest.approx(0.35, abs=0.04)
    assert {len(one) for one in sources.values()} == {1}
    share = Counter(source for one in sources.values() for source in one)
    assert share["copilot"] / share.total() == pytest.approx(0.70, abs=0.07)
    assert set(share) == {"copilot", "cursor"}


def test_amounts_keep_their_bounds() -> None:
    events = used(*team(300), as_of=date(2024, 3, 29), days_back=26)
    hours = [float(str(event.data["active_hours"])) for event in events]
    assert 1.4 <= min(hours) < 1.6
    assert 7.4 < max(hours) <= 7.8
    shown: list[Any] = [event.data["suggestions_shown"] for event in events]
    assert 69 <= min(shown) < 80
    assert 500 < max(shown) <= 520
    for event in events:
        accepted: Any = event.data["suggestions_accepted"]
        whole: Any = event.data["suggestions_shown"]
        assert 0 <= accepted <= whole
        assert 0.25 * 0.9 - 0.02 <= accepted / whole <= 0.45 * 1.1
        assert event.data["acceptance_rate"] == ratio(100 * accepted, whole or 1)


def test_amounts_are_bounded_for_any_setting() -> None:
    most = used(*team(20), lowest_acceptance=1.0, highest_acceptance=1.0, lowest_usage_hours=24, highest_usage_hours=24)
    assert most
    for event in most:
        assert event.data["suggestions_accepted"] <= event.data["suggestions_shown"]  # type: ignore[operator]
        assert float(str(event.data["active_hours"])) <= 24
    none = used(*team(3), lowest_suggestions=0, highest_suggestions=0)
    assert {(event.data["suggestions_shown"], event.data["acceptance_rate"]) for event in none} == {(0, "0.00")}


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
    found = used(pull_request(1), pull_request(2, author=who("dependabot[bot]")), as_of=MONTHS_LATER, days_back=365)
    assert {event.key["login"] for event in found} == {"ada"}

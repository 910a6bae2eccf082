"""Draws are functions of their names: laws, shares and a golden list."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal
from statistics import fmean, pstdev
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedjournal.journal import BadInput, Misuse
from seedjournal.simulators.drawing import All, Draw, draws_of

names = st.text(min_size=1, max_size=8)
DRAWS = draws_of(42, "loans", 1)


def test_draws_are_these_for_ever() -> None:
    draw = DRAWS.of("golden", 1)
    found = (
        draw.integer("i", 0, 999),
        draw.decimal("d", 5, 500),
        draw.day("day", date(2024, 1, 1), date(2024, 12, 31)),
        draw.code("c", 10),
        str(draw.uuid("u")),
        draw.choose("s", {"paid": 8, "shipped": 3}),
        [one.integer("n", 0, 9) for one in draw.many("m", 4)],
    )
    assert found == (
        399,
        Decimal("156.25"),
        date(2024, 10, 14),
        "CEX7ZVSCJR",
        "b9fea86b-e29f-8c3f-8559-38fe0033ebc0",
        "paid",
        [5, 2, 5, 1],
    )


@given(names, names, st.integers(-(2**53), 2**53))
def test_a_draw_depends_on_its_names_alone(entity: str, name: str, number: int) -> None:
    alone = DRAWS.of(entity, number).bits(name)
    other = DRAWS.of(entity, number)
    other.bits(name + "x")
    for one in other.many(name + "y", 3):
        one.bits(name)
    assert other.bits(name) == alone
    assert draws_of(42, "loans", 1).of(entity, number).bits(name) == alone


@given(names, st.integers(0, 50), st.integers(0, 50))
def test_the_first_of_many_are_those_of_few(entity: str, few: int, more: int) -> None:
    def made(count: int) -> list[int]:
        return [one.bits("x") for one in DRAWS.of(entity).many("m", count)]

    assert made(few + more)[:few] == made(few)


def test_seed_function_version_and_entity_all_matter() -> None:
    found = {
        draws_of(seed, function, version).of(entity).bits("x")
        for seed in (1, 2)
        for function in ("a", "b")
        for version in (1, 2)
        for entity in ("p", "q", 1, "1")
    }
    assert len(found) == 32


def test_all_functions_share_what_is_about_an_entity() -> None:
    one, other = draws_of(1, "a", 1).of("x"), draws_of(1, "b", 3).of("y")
    assert one.of("x").bits("t") != other.of("x").bits("t")
    shared = draws_of(1, "c", 1).traits
    assert shared.of("x").bits("t") == draws_of(1, "d", 2).traits.of("x").bits("t")


def many(count: int) -> list[Draw]:
    return [DRAWS.of(number) for number in range(count)]


def test_shares_are_those_of_the_weights() -> None:
    drawn = Counter(draw.choose("s", {"a": 8, "b": 3, "c": 1}) for draw in many(12_000))
    assert drawn["a"] == pytest.approx(8_000, abs=250)
    assert drawn["c"] == pytest.approx(1_000, abs=120)
    picked = Counter(
        draw.pick("p", ("a", "b", "c"), weight=lambda one: {"a": 8, "b": 3, "c": 1}[one]) for draw in many(12_000)
    )
    assert picked["a"] == pytest.approx(8_000, abs=250)
    assert picked["c"] == pytest.approx(1_000, abs=120)


def test_names_are_independent_of_each_other() -> None:
    pairs = [(draw.unit("a"), draw.unit("b")) for draw in many(5_000)]
    mean_a, mean_b = fmean(a for a, _ in pairs), fmean(b for _, b in pairs)
    spread = pstdev([a for a, _ in pairs]) * pstdev([b for _, b in pairs])
    assert abs(fmean((a - mean_a) * (b - mean_b) for a, b in pairs) / spread) < 0.05
    assert (mean_a, mean_b) == (pytest.approx(0.5, abs=0.02), pytest.approx(0.5, abs=0.02))


@pytest.mark.parametrize("size", [20, 500])
def test_one_entity_more_takes_only_a_few_picks(size: int) -> None:
    few, more = All(f"e{number}" for number in range(size)), All(f"e{number}" for number in range(size + 1))
    moved = sum(draw.of(n).pick("x", few) != draw.of(n).pick("x", more) for n, draw in enumerate(many(2_000)))
    assert moved < 2_000 * 6 / size + 20


def test_a_sample_holds_different_entities() -> None:
    things = list("abcdefghij")
    for draw in many(50):
        assert len(set(draw.sample("s", things, 4))) == 4
    assert sorted(DRAWS.of("all").sample("s", things, 99)) == things


@given(st.dates(date(1990, 1, 1), date(2050, 1, 1)), st.integers(0, 500))
def test_days_and_instants_stay_in_their_range(first: date, days: int) -> None:
    last = date.fromordinal(first.toordinal() + days)
    draw = DRAWS.of(first, days)
    assert first <= draw.day("d", first, last) <= last
    begin = datetime(first.year, first.month, first.day, tzinfo=UTC)
    assert begin <= draw.instant("i", first, last) <= max(begin, datetime(last.year, last.month, last.day, tzinfo=UTC))


def test_decimals_have_their_places_and_their_range() -> None:
    found = [draw.decimal("d", "0.5", "0.75") for draw in many(500)]
    assert {one.as_tuple().exponent for one in found} == {-2}
    assert Decimal("0.5") <= min(found) <= max(found) <= Decimal("0.75")


def test_addresses_belong_to_nobody_and_differ() -> None:
    found = [draw.email("e") for draw in many(300)]
    assert len(set(found)) == 300
    assert all(one.isascii() and one.endswith("@example.com") for one in found)
    assert all(" 555 01" in draw.phone("p") for draw in many(50))


def test_one_name_twice_is_refused() -> None:
    draw = DRAWS.of("x")
    draw.unit("a")
    with pytest.raises(Misuse, match="'a' twice"):
        draw.unit("a")


def test_nothing_to_pick_from_is_told() -> None:
    with pytest.raises(BadInput, match="nothing to pick from"):
        DRAWS.of("x").pick("p", [])


def test_skewed_and_lognormal_numbers_have_the_medians_that_they_say() -> None:
    skewed = sorted(DRAWS.of(one).skewed("s", 10, 20) for one in range(2_000))
    assert 10 <= skewed[0] < skewed[-1] < 20
    assert abs(skewed[1_000] - 11.25) < 0.2  # half of all draws are below 10 + 10 / 2³
    sizes = sorted(DRAWS.of(one).lognormal("l", 50, 0.5) for one in range(2_000))
    assert abs(sizes[1_000] - 50) < 3
    assert sizes[0] > 0


@pytest.mark.parametrize("choices", [[], {}, {"a": 0, "b": 0}, {"a": -1, "b": 2}, [("a", 0)]])
def test_no_choice_is_told(choices: Any) -> None:
    with pytest.raises(BadInput, match="choose"):
        DRAWS.of("x").choose("c", choices)


def test_a_range_that_is_empty_is_told() -> None:
    for make in (
        lambda one: one.integer("x", 5, 2),
        lambda one: list(one.many("x", 3, 1)),
        lambda one: one.decimal("x", 5, 1),
    ):
        with pytest.raises(BadInput, match="no number lies there"):
            make(DRAWS.of("x"))


def test_a_type_checker_knows_what_is_chosen() -> None:
    mark: Literal[1, 2] | None = DRAWS.of("x").choose("m", [None, 1, 2])
    vote: Literal[-1, 1] = DRAWS.of("x").choose("m", [(1, 4), (-1, 1)])
    status: Literal["paid", "open"] = DRAWS.of("x").choose("m", {"paid": 8, "open": 1})
    assert (mark in {None, 1, 2}, vote in {-1, 1}, status in {"paid", "open"}) == (True, True, True)

"""Draws are functions of their keys, evenly spread, and pinned."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedjournal.simulators.draws import Draws

FIELDS = tuple(f"field_{place}" for place in range(20))
KEYS = st.lists(st.text(max_size=4).filter(lambda one: one.isprintable()) | st.integers(-3, 30), max_size=4).map(tuple)


def drawn(seed: int = 1, simulator: str = "test", version: int = 1) -> Draws:
    return Draws(seed, simulator, version, FIELDS)


def test_these_draws_never_change() -> None:
    draw = drawn().of("acme", 7)
    assert [f"{draw.bits(field):016x}" for field in ("field_0", "field_7", "field_8", "field_19")] == GOLDEN
    assert draw.integer("field_1", 1, 100) == 60
    assert draw.chance("field_1", 0.5) is False


GOLDEN = ["ec1114451e908889", "81db6be279980b82", "12a43becaa77c81d", "a5b09be0360c3ec6"]


@given(KEYS, KEYS, st.permutations(FIELDS))
def test_a_draw_is_a_function_of_its_key_and_field_alone(
    key: tuple[str | int, ...], other: tuple[str | int, ...], order: list[str]
) -> None:
    draws = drawn()
    first = {field: draws.of(*key).bits(field) for field in FIELDS}
    draws.of(*other).bits("field_3")
    again = draws.of(*key)
    assert {field: again.bits(field) for field in order} == first
    assert key == other or draws.of(*other).bits("field_0") != first["field_0"]


def test_parts_of_a_key_are_told_apart() -> None:
    keys: list[tuple[str | int, ...]] = [
        ("a", "b"),
        ("ab",),
        ("a", "", "b"),
        ("", "ab"),
        ("1:a",),
        (1,),
        ("1",),
        ("#1;",),
        (1, 1),
        (11,),
        (-1,),
        (),
    ]
    assert len({drawn().of(*key).bits("field_0") for key in keys}) == len(keys)


def test_seed_simulator_version_and_field_all_matter() -> None:
    several = [drawn(), drawn(seed=2), drawn(simulator="tests"), drawn(version=2), drawn(seed=-1)]
    assert len({draws.of("a").bits(field) for draws in several for field in FIELDS}) == len(several) * len(FIELDS)


def test_another_field_at_the_end_moves_none() -> None:
    more = Draws(1, "test", 1, (*FIELDS, "another")).of("a")
    assert [more.bits(field) for field in FIELDS] == [drawn().of("a").bits(field) for field in FIELDS]


@given(KEYS, st.integers(-5, 5), st.integers(0, 10), st.floats(0, 1))
def test_draws_keep_their_bounds(key: tuple[str | int, ...], low: int, width: int, rate: float) -> None:
    draw = drawn().of(*key)
    assert 0 <= draw.unit("field_0") < 1
    assert low <= draw.integer("field_1", low, low + width) <= low + width
    assert low <= draw.between("field_2", low, low + width + 1) < low + width + 1
    assert draw.chance("field_3", 1.0)
    assert not draw.chance("field_3", 0.0)
    assert draw.choose("field_4", (("a", rate), ("b", 1 - rate))) in ("a", "b")
    assert draw.choose("field_4", (("a", 0.0), ("b", 1.0))) == "b"


def test_draws_are_evenly_spread() -> None:
    draws = [drawn().of("entity", number) for number in range(20_000)]
    assert Counter(draw.choose("field_0", (("a", 0.5), ("b", 0.35), ("c", 0.15))) for draw in draws)[
        "b"
    ] == pytest.approx(7000, abs=300)
    assert sum(draw.unit("field_1") for draw in draws) / 20_000 == pytest.approx(0.5, abs=0.01)
    faces = Counter(draw.integer("field_2", 1, 6) for draw in draws)
    assert sorted(faces) == [1, 2, 3, 4, 5, 6]
    assert all(abs(count - 20_000 / 6) < 250 for count in faces.values())
    both = sum(draw.chance("field_3", 0.5) and draw.chance("field_4", 0.5) for draw in draws)
    assert both == pytest.approx(5000, abs=250)  # fields of one entity have nothing to do with each other


def test_an_unknown_field_is_a_bug() -> None:
    with pytest.raises(KeyError):
        drawn().of("a").bits("nothing")

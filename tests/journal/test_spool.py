"""A spool: sorted, re-readable, and one event for each entity."""

from __future__ import annotations

import random
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedjournal.journal import Event, Spool, TwoEventsOneKey, encode
from tests.journal.things import thing

KEYS = st.integers(-3, 300) | st.text(max_size=3).filter(lambda text: "\0" not in text and text.isprintable())


@given(st.sets(st.tuples(st.sampled_from(["a", "aé", "b", "\U0001f600"]), KEYS), max_size=40), st.randoms())
def test_entries_come_in_order_whatever_the_order_of_events(
    places: set[tuple[str, int | str]], chance: random.Random
) -> None:
    made = [encode(Event(project="p", kind=kind, key={"id": key}, data={})) for kind, key in places]
    chance.shuffle(made)
    with Spool() as spool:
        spool.add((one, "x/1") for one in made[: len(made) // 2])
        spool.add((one, "y/1") for one in made[len(made) // 2 :])
        first, second = list(spool.entries()), list(spool.entries())
    assert first == second
    assert [(entry.kind, entry.key, entry.hash) for entry in first] == sorted(one[:3] for one in made)


def test_events_are_given_back_with_their_provenance() -> None:
    made = [encode(thing(number)) for number in range(1200)]
    with Spool() as spool:
        spool.add((one, f"maker/{index}") for index, one in enumerate(made))
        found = {tuple(entry) for entry in spool.entries()}
    assert found == {(*one, f"maker/{index}") for index, one in enumerate(made)}


@pytest.mark.parametrize("contents", [("one", "two"), ("same", "same")])
def test_two_events_of_one_key_are_named(contents: tuple[str, str]) -> None:
    both = [encode(thing(7, content)) for content in contents]
    with Spool() as spool:
        spool.add((one, "test/1") for one in [encode(thing(6)), *both, encode(thing(8))])
        with pytest.raises(TwoEventsOneKey) as refused:
            list(spool.entries())
    first, second = sorted(one.hash.hex()[:12] for one in both)
    assert refused.value.message == f'thing {{"number":7}} occurs twice in one run: {first} and {second}.'
    assert refused.value.hint


def test_one_key_in_two_kinds_is_two_entities() -> None:
    with Spool() as spool:
        spool.add((encode(thing(7, kind=kind)), "test/1") for kind in ("thing", "mirror"))
        assert [entry.kind for entry in spool.entries()] == ["mirror", "thing"]


def test_memory_does_not_grow_with_the_events() -> None:
    def peak(count: int) -> int:
        tracemalloc.start()
        with Spool() as spool:
            spool.add((encode(thing(number, "x" * 9_000)), "test/1") for number in range(count))
            for _ in spool.entries():
                pass
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    assert peak(6_000) < 1.3 * peak(2_000)

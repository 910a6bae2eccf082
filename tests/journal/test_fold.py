"""What stands, and how a run is laid over what stood: against a plain dictionary."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedjournal.journal import Policy
from seedjournal.journal.fold import overlay, stands

PLACES = st.tuples(st.sampled_from("ab"), st.binary(max_size=2))
ROWS = st.dictionaries(PLACES, st.integers(), max_size=12)


@pytest.mark.parametrize(
    ("policy", "before", "now", "stood"),
    [
        (Policy.ONCE, None, None, None),
        (Policy.ONCE, None, "new", "new"),
        (Policy.ONCE, "old", None, "old"),
        (Policy.ONCE, "old", "new", "old"),
        (Policy.UPSERT, None, None, None),
        (Policy.UPSERT, None, "new", "new"),
        (Policy.UPSERT, "old", None, "old"),
        (Policy.UPSERT, "old", "new", "new"),
        (Policy.EXACT, None, None, None),
        (Policy.EXACT, None, "new", "new"),
        (Policy.EXACT, "old", None, None),
        (Policy.EXACT, "old", "new", "new"),
    ],
)
def test_what_stands(policy: Policy, before: str | None, now: str | None, stood: str | None) -> None:
    assert stands(policy, before=before, now=now) == stood


@given(st.sampled_from(Policy), st.none() | st.integers(), st.none() | st.integers())
def test_the_same_run_again_changes_nothing(policy: Policy, before: int | None, now: int | None) -> None:
    stood = stands(policy, before=before, now=now)
    assert stands(policy, before=stood, now=now) == stood


def flat(rows: Mapping[tuple[str, bytes], int]) -> list[tuple[str, bytes, int]]:
    """Rows in order of their places, as a manifest gives them."""
    return [(*place, value) for place, value in sorted(rows.items())]


@given(ROWS, ROWS)
def test_an_overlay_is_the_run_with_what_stands(
    run: Mapping[tuple[str, bytes], int], standing: Mapping[tuple[str, bytes], int]
) -> None:
    assert list(overlay(flat(run), flat(standing))) == flat({**run, **standing})

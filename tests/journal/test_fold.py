"""How policies resolve, and how a run is merged with what is carried over: against a plain dictionary."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedjournal.journal import Policy
from seedjournal.journal.fold import merge, resolve

PLACES = st.tuples(st.sampled_from("ab"), st.binary(max_size=2))
ROWS = st.dictionaries(PLACES, st.integers(), max_size=12)


@pytest.mark.parametrize(
    ("policy", "previous", "recorded", "content"),
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
def test_policies_resolve(policy: Policy, previous: str | None, recorded: str | None, content: str | None) -> None:
    assert resolve(policy, previous=previous, recorded=recorded) == content


@given(st.sampled_from(Policy), st.none() | st.integers(), st.none() | st.integers())
def test_the_same_run_again_changes_nothing(policy: Policy, previous: int | None, recorded: int | None) -> None:
    content = resolve(policy, previous=previous, recorded=recorded)
    assert resolve(policy, previous=content, recorded=recorded) == content


def flat(rows: Mapping[tuple[str, bytes], int]) -> list[tuple[str, bytes, int]]:
    """Rows in order of their places, as a manifest gives them."""
    return [(*place, value) for place, value in sorted(rows.items())]


@given(ROWS, ROWS)
def test_merging_puts_what_is_carried_over_in_the_runs_place(
    run: Mapping[tuple[str, bytes], int], carried: Mapping[tuple[str, bytes], int]
) -> None:
    assert list(merge(flat(run), flat(carried))) == flat({**run, **carried})

"""Policies, and the state that follows from a run: previous state + this run.

What a project shows is a function of its runs, never of the order of rows: one pure function decides each key of the
new state from the previous content and the run's.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from enum import StrEnum
from operator import itemgetter
from typing import TypeVar

Content = TypeVar("Content")
Row = TypeVar("Row", bound=tuple[object, ...])


class Policy(StrEnum):
    """Which content of an entity the state keeps when runs disagree."""

    ONCE = "once"
    UPSERT = "upsert"
    EXACT = "exact"


def resolve(policy: Policy, *, previous: Content | None, recorded: Content | None) -> Content | None:
    """Return the content that the new state keeps for one key, or None if the key leaves the state.

    >>> resolve(Policy.ONCE, previous="first", recorded="second")
    'first'
    >>> resolve(Policy.UPSERT, previous="first", recorded=None)
    'first'
    >>> resolve(Policy.EXACT, previous="first", recorded=None) is None
    True
    """
    if previous is None:
        return recorded
    if recorded is None:
        return None if policy is Policy.EXACT else previous
    return previous if policy is Policy.ONCE else recorded


def merge(recorded: Iterable[Row], carried_over: Iterable[Row]) -> Iterator[Row]:
    """Yield the rows of the new state, sorted: those carried over, and the run's other rows.

    Both inputs are sorted by (kind, key), their first two columns. If both have a row for a key, the one carried over
    wins.
    """
    place = itemgetter(0, 1)
    last: object = None
    for row in heapq.merge(carried_over, recorded, key=place):  # stable: of equal keys the first one's comes first
        if place(row) != last:
            yield row
        last = place(row)

"""Policies, and the state that follows from a run: previous state + this run.

What a project shows is a function of its runs, never of the order of rows: each key of the new state is decided by one
pure function of what stood before and what the run says.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from enum import StrEnum
from operator import itemgetter
from typing import TypeVar

Stated = TypeVar("Stated")
Row = TypeVar("Row", bound=tuple[object, ...])


class Policy(StrEnum):
    """Which content of an entity stands when runs disagree."""

    ONCE = "once"
    UPSERT = "upsert"
    EXACT = "exact"


def stands(policy: Policy, *, before: Stated | None, now: Stated | None) -> Stated | None:
    """What the state holds for a key, from what it held and what the run says; None is absent.

    >>> stands(Policy.ONCE, before="first", now="second")
    'first'
    >>> stands(Policy.UPSERT, before="first", now=None)
    'first'
    >>> stands(Policy.EXACT, before="first", now=None) is None
    True
    """
    if before is None:
        return now
    if now is None:
        return None if policy is Policy.EXACT else before
    return before if policy is Policy.ONCE else now


def overlay(run: Iterable[Row], standing: Iterable[Row]) -> Iterator[Row]:
    """The run's rows, in order, with what stands from before in their place or between them.

    Both come sorted by (kind, key), their first two columns; where both have a key, `standing` is taken.
    """
    place = itemgetter(0, 1)
    last: object = None
    for row in heapq.merge(standing, run, key=place):  # stable: of equal keys the standing one comes first
        if place(row) != last:
            yield row
        last = place(row)

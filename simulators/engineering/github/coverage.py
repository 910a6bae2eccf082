"""What is covered of a repository's history, in the order of updates; pure.

An interval says: every pull request whose last update lies in [low, high] is stored in that version. It stays true
forever, since an update moves a pull request to the end. So an interval may grow at either end, page by page, and
end at any page; it never reaches into the last minutes before its page was asked for, where order is not settled yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

TICK = timedelta(microseconds=1)  # of two pull requests of one moment, a page may hold only the first


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A piece of history; `low` None is its beginning.

    The cursors are where to go on: downward before `low_cursor`, upward behind `high_cursor` (None: at the beginning).
    `ended_at` is the server's time when upward there was nothing more, None where nobody went so far. `check_runs`
    says whether they were asked for.
    """

    id: int
    check_runs: bool
    low: datetime | None = None
    low_cursor: str | None = None
    high: datetime
    high_cursor: str | None = None
    ended_at: datetime | None = None

    def ends(self) -> tuple[datetime | str | None, ...]:
        """Return both ends, each with its cursor, and when it had ended."""
        return self.low, self.low_cursor, self.high, self.high_cursor, self.ended_at

    def holds(self, moment: datetime | None) -> bool:
        """Return whether the moment is covered; None is the beginning of history."""
        return self.low is None if moment is None else (self.low is None or self.low <= moment) and moment <= self.high


@dataclass(frozen=True, slots=True)
class Stretch:
    """Intervals that touch, as one: `bottom` and `top` are the rows at its ends."""

    bottom: Interval
    top: Interval
    ended_at: datetime | None

    def holds(self, moment: datetime | None) -> bool:
        """Return whether the moment is covered."""
        return replace(self.bottom, high=self.top.high).holds(moment)


def stretches(intervals: Sequence[Interval]) -> list[Stretch]:
    """Return the intervals joined where they touch, from the earliest on."""
    found: list[Stretch] = []
    for one in sorted(intervals, key=lambda one: (one.low is not None, one.low or one.high, one.id)):
        if found and (one.low is None or one.low <= found[-1].top.high):
            last = found[-1]
            ends = [moment for moment in (last.ended_at, one.ended_at) if moment]
            top = one if (one.high, one.id) > (last.top.high, last.top.id) else last.top
            found[-1] = Stretch(last.bottom, top, max(ends, default=None))
        else:
            found.append(Stretch(one, one, one.ended_at))
    return found


def holding(found: Sequence[Stretch], moment: datetime | None) -> Stretch | None:
    """Return the stretch that covers the moment."""
    return next((one for one in found if one.holds(moment)), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a page showed: when its pull requests were updated, in order and with cursors, and whether there are more.

    `start` is the server's time before which order is settled.
    """

    edges: Sequence[tuple[datetime, str]]
    is_first: bool
    is_last: bool
    start: datetime


def grown_upward(interval: Interval, seen: Seen) -> Interval:
    """Return the interval after a page that continues it upward."""
    settled = [edge for edge in seen.edges if edge[0] < seen.start]
    if settled:
        moment, cursor = settled[-1]
        interval = replace(interval, high=max(interval.high, moment - TICK), high_cursor=cursor)
    if seen.is_last:
        interval = replace(interval, high=max(interval.high, seen.start - TICK), ended_at=seen.start)
    return interval


def grown_downward(interval: Interval, seen: Seen, since: datetime) -> Interval:
    """Return the interval after a page that continues it downward, to `since` and no further.

    How far a page reaches beyond is chance, and must not decide what the facts are.
    """
    kept = [edge for edge in seen.edges if edge[0] >= since]
    low: datetime | None = since
    if len(kept) == len(seen.edges):
        low = None if seen.is_first else kept[0][0] + TICK
    return replace(interval, low=low, low_cursor=kept[0][1] if kept else interval.low_cursor)


def begun_at_end(interval: Interval, seen: Seen) -> Interval | None:
    """Return an interval that a page at the end of history begins; None if nothing on it is settled yet."""
    settled = [cursor for moment, cursor in seen.edges if moment < seen.start]
    if not settled and not seen.is_first:
        return None
    return replace(interval, high=seen.start - TICK, high_cursor=settled[-1] if settled else None)

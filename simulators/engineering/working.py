"""When people work: the hours of a week and the days of a year, for what is simulated."""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate

# Month and day on which hardly anybody works.
HOLIDAYS = frozenset({(1, 1), (5, 1), (7, 4), (12, 24), (12, 25), (12, 26), (12, 31)})

HOUR = 3600
_WEEK = 168 * HOUR
_SATURDAY, _MONDAY_OF_1970 = 5, 4  # 1970-01-05 is a Monday
_FRIDAY = 4

# How much is written in each hour of a weekday, and of a day at the weekend (UTC).
_WEEKDAY = (0, 0, 0, 0, 0, 0, 4, 20, 40, 44, 44, 40, 30, 40, 44, 44, 40, 30, 16, 8, 6, 4, 2, 1)
_WEEKEND = (0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 2, 1, 1, 1, 2, 2, 1, 1, 1, 1, 0, 0, 0)
_WEIGHTS = (*_WEEKDAY * 5, *_WEEKEND * 2)
_UNTIL = (0, *accumulate(weight * HOUR for weight in _WEIGHTS))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def between(low: datetime, high: datetime, unit: float) -> datetime:
    """Return a moment from low to high, in working hours where these hold any; the draw tells which."""
    first, last = (int((moment - _EPOCH).total_seconds()) - _MONDAY_OF_1970 * 24 * HOUR for moment in (low, high))
    start, end = _worked(first), _worked(last)
    if start == end:
        return low + timedelta(seconds=int(unit * (last - first)))
    weeks, rest = divmod(start + int(unit * (end - start)), _UNTIL[-1])
    hour = bisect_right(_UNTIL, rest) - 1
    seconds = weeks * _WEEK + hour * HOUR + (rest - _UNTIL[hour]) // _WEIGHTS[hour]
    return low + timedelta(seconds=min(max(seconds, first), last) - first)


def _worked(moment: int) -> int:
    """Return how much is done up to a moment, in seconds since a Monday."""
    weeks, second = divmod(moment, _WEEK)
    hour, rest = divmod(second, HOUR)
    return weeks * _UNTIL[-1] + _UNTIL[hour] + rest * _WEIGHTS[hour]


def is_working_day(day: date) -> bool:
    """Return whether people work on a day."""
    return day.weekday() < _SATURDAY and (day.month, day.day) not in HOLIDAYS


def working_day(day: date) -> date:
    """Return the working day of the same week that is nearest, rather before than after; the day itself if none is."""
    monday = day.toordinal() - day.weekday()
    week = [date.fromordinal(one) for one in range(monday, min(monday + _FRIDAY, date.max.toordinal()) + 1)]
    days = [one for one in week if is_working_day(one)]
    return min(days, key=lambda one: (abs((day - one).days), one), default=day)

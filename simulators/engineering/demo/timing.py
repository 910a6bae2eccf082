"""When things happen in the invented project: its order, its working hours, its days off and its incidents.

Times are whole seconds since 1970, and shares of a whole are products: both are the same on every machine.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from itertools import accumulate

from ..schedules import Schedule
from ..working import HOLIDAYS
from . import words
from .cast import Person, Setting

EPOCH_DAY = date(1970, 1, 1).toordinal()
MINUTE = 60
HOUR = 3600
DAY = 24 * HOUR
_SATURDAY = 5

# How much is begun in each hour of a weekday (UTC), where most people live in Europe and some in America and Asia.
_HOURS = (2, 2, 2, 2, 3, 5, 9, 16, 24, 26, 25, 21, 21, 26, 27, 26, 22, 16, 12, 10, 9, 7, 5, 3)
_WEEKDAYS = (92, 104, 106, 102, 84, 11, 11)
_WEEKEND_OF = 10_000  # a weekday's weight
_HOLIDAY = 12
_QUIET = frozenset({(1, 2), (1, 3), (12, 22), (12, 23), (12, 27), (12, 28), (12, 29), (12, 30)})
_HALF = 50

_FEWEST_NUMBERS, _MOST_NUMBERS = 2**10, 2**17
_A_DAY = 4  # pull requests of a member, at most, while numbers follow time
_BETWEEN = 1.5  # days, about, from a pull request to one that takes it back
_MOST_STRETCHES = 512

_INCIDENT_LASTS = 0.07  # of what is begun in a week: half a working day, about


@dataclass(frozen=True, slots=True)
class Incident:
    """Something broke: where, and when it was noticed."""

    area: str
    at: int


class Shuffle:
    """An order of the numbers below a power of two, drawn by a key: each has one place, whatever else is asked for."""

    __slots__ = ("_bits", "_keys", "_mask", "_start")

    def __init__(self, size: int, key: int) -> None:
        self._bits = size.bit_length() - 1
        self._mask = size - 1
        keys = [(key * (2 * turn + 1) * 0x9E3779B97F4A7C15 >> 11) for turn in range(3)]
        self._keys = tuple(((one | 1) & self._mask, (one >> 24) & self._mask) for one in keys)
        self._start = 0
        self._start = self.place(0)

    def place(self, number: int) -> int:
        """Return the place of a number; that of 0 is 0."""
        mask, half = self._mask, self._bits // 2 or 1
        for factor, shift in self._keys:
            number = number * factor + shift & mask
            number ^= number >> half
        return number - self._start & mask


class Timing:
    """The window's hours, weighed by how much is begun in them, and what falls on each of its moments.

    Pull request number n is one of many places in the window, and a later place has a greater number. Which of them are
    taken is drawn: so numbers follow time, and one more pull request lies between the others and moves none. The gaps
    are those that issues leave, which GitHub counts together with pull requests.
    """

    def __init__(self, setting: Setting) -> None:
        last_day = setting.as_of.toordinal() - EPOCH_DAY
        self.days = setting.days
        self.first = (last_day - setting.days + 1) * DAY
        self.last = (last_day + 1) * DAY - 1
        weekends = setting.rates["weekend_rate"]
        days = [_begun_on(self.first // DAY + day, weekends) for day in range(setting.days)]
        weights = [hour * day for day in days for hour in _HOURS]
        self._until = [*accumulate(weights)]
        wanted = min(max(_FEWEST_NUMBERS, _A_DAY * setting.members * setting.days), _MOST_NUMBERS)
        self._numbers = 1 << (wanted - 1).bit_length()
        stretches = min(max(1, int(setting.days / _BETWEEN)), _MOST_STRETCHES)
        self._stretches = 1 << stretches.bit_length() - 1
        self._a_stretch = self._numbers // self._stretches // 2
        draw = setting.draws("order", ("pairs", "seconds")).of()
        self._pairs = Shuffle(self._numbers // 2, draw.bits("pairs"))
        self._seconds = Shuffle(self._a_stretch, draw.bits("seconds"))
        self._incident_rate = setting.rates["incident_rate"]
        self._incidents = setting.draws("incident", ("happens", "at", "area"))

    def place(self, index: int) -> tuple[int, int]:
        """Return the round and the place in the window of the pull request with that index, from 0.

        Each round has every place once. An even index and the next one are a pair: the second lies a stretch later,
        as what takes back the first would.
        """
        turn, index = divmod(index, self._numbers)
        stretch, place = divmod(self._pairs.place(index >> 1), self._a_stretch)
        if index & 1:
            stretch = (stretch + 1) % self._stretches
            place = self._seconds.place(place)
        return turn, stretch * 2 * self._a_stretch + 2 * place + (index & 1)

    def number(self, turn: int, place: int) -> int:
        """Return the number that a pull request at that place has."""
        return turn * self._numbers + place + 1

    def share(self, place: int, unit: float) -> float:
        """Return how much has begun when the pull request at that place is opened; the draw tells where within it."""
        return (place + unit) / self._numbers

    def moment(self, share: float) -> int:
        """Return the moment by which that share of everything has begun."""
        until = self._until
        begun = share * until[-1]
        hour = min(bisect_right(until, begun), len(until) - 1)
        before = until[hour - 1] if hour else 0
        rest = (begun - before) / (until[hour] - before)
        return min(self.last, self.first + hour * HOUR + int(rest * HOUR))

    def incident(self, share: float) -> Incident | None:
        """Return the incident that people see to when that share of everything has begun.

        It is the same on whatever day the window ends.
        """
        week, rest = divmod(share * self.days / 7, 1)
        draw = self._incidents.of(int(week))
        at = draw.unit("at") * (1 - _INCIDENT_LASTS)
        if not at <= rest < at + _INCIDENT_LASTS:
            return None
        since = self.moment(min(1.0, (int(week) + at) * 7 / self.days))
        if not draw.chance("happens", self._incident_rate.at(day_of(since).toordinal())):
            return None
        return Incident(words.NAMES[draw.integer("area", 0, len(words.NAMES) - 1)], since)


def at_work(person: Person, moment: int) -> bool:
    """Return whether a moment is in somebody's working hours."""
    local = moment + person.zone * HOUR
    return 8 * HOUR <= local % DAY < 19 * HOUR and _is_working_day(local // DAY)


def next_work(person: Person, moment: int, unit: float) -> int:
    """Return a moment in somebody's working hours, not before the given one; the draw tells when in the morning."""
    local = moment + person.zone * HOUR
    day, second = divmod(local, DAY)
    if 8 * HOUR <= second < 19 * HOUR and _is_working_day(day):
        return moment
    if unit < 0.06:  # noqa: PLR2004 - some work at night
        return moment
    day += second >= 8 * HOUR
    if not _is_working_day(day):  # what waited over days off is not all seen to on the first morning
        day += int(unit * 1000) % 4
    while not _is_working_day(day):
        day += 1
    return day * DAY + 8 * HOUR + int(unit * 10 * HOUR) - person.zone * HOUR


def day_of(moment: int) -> date:
    """Return the day of a moment, UTC."""
    return date.fromordinal(EPOCH_DAY + moment // DAY)


def _begun_on(day: int, weekends: Schedule) -> int:
    """Return how much is begun on a day; at weekends it is a share of a weekday's."""
    if date.fromordinal(max(1, EPOCH_DAY + day)).weekday() < _SATURDAY:
        return 100 * _day_weight(day)
    return max(1, int(_WEEKEND_OF * weekends.at(EPOCH_DAY + day)))


@lru_cache(maxsize=8192)
def _day_weight(day: int) -> int:
    it = date.fromordinal(max(1, (EPOCH_DAY + day) % date.max.toordinal()))  # any, beyond the years that have dates
    weight = _WEEKDAYS[it.weekday()]
    if (it.month, it.day) in HOLIDAYS or _near_easter(it):
        return min(weight, _HOLIDAY)
    return weight * _HALF // 100 if (it.month, it.day) in _QUIET else weight


def _is_working_day(day: int) -> bool:
    return _day_weight(day) > _HOLIDAY


@lru_cache(maxsize=1024)
def _easter(year: int) -> date:
    """Return Easter Sunday (Gauss's rule as Butcher wrote it down)."""
    a, (b, c) = year % 19, divmod(year, 100)
    h = (19 * a + b - b // 4 - (b - (b + 8) // 25 + 1) // 3 + 15) % 30
    k = (32 + 2 * (b % 4) + 2 * (c // 4) - h - c % 4) % 7
    month, day = divmod(h + k - 7 * ((a + 11 * h + 22 * k) // 451) + 114, 31)
    return date(year, month, day + 1)


def _near_easter(day: date) -> bool:
    return (day - _easter(day.year)) in {timedelta(-2), timedelta(1)}

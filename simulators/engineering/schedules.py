"""Rates that may change over time: a number, or a table of days and numbers.

A day is a date, or counts back from the run's date: `-180` is 180 days before it, and `0` the date itself. Between two
days a rate moves evenly; before the first and after the last it stays.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

_BACK = re.compile(r"0|-[1-9][0-9]{0,4}")


@dataclass(frozen=True, slots=True)
class Schedule:
    """A rate on each day: `values` at the ordinals `days`, and evenly between them; one value alone always holds."""

    days: tuple[int, ...]
    values: tuple[float, ...]

    def at(self, day: int) -> float:
        """Return the rate on a day.

        >>> Schedule((10, 20), (0.0, 1.0)).at(15), Schedule((), (0.3,)).at(7)
        (0.5, 0.3)
        """
        place = bisect_right(self.days, day)
        if place == 0 or not self.days:
            return self.values[0]
        if place == len(self.days):
            return self.values[-1]
        low, high = self.days[place - 1], self.days[place]
        return self.values[place - 1] + (self.values[place] - self.values[place - 1]) * (day - low) / (high - low)

    def both(self, other: Schedule, choose: Callable[[float, float], float]) -> Schedule:
        """Return what two rates give together, at every day of either.

        >>> Schedule((), (0.3,)).both(Schedule((10, 20), (0.0, 1.0)), min)
        Schedule(days=(10, 20), values=(0.0, 0.3))
        """
        days = tuple(sorted({*self.days, *other.days}))
        return Schedule(days, tuple(choose(self.at(day), other.at(day)) for day in days or (0,)))


@dataclass(frozen=True, slots=True)
class Weighting:
    """Weights of choices, in the order of their names, each a schedule of its own."""

    choices: tuple[tuple[str, Schedule], ...]

    def at(self, day: int) -> tuple[tuple[str, float], ...]:
        """Return each choice with its weight on a day."""
        return tuple((choice, weight.at(day)) for choice, weight in self.choices)


def schedule(value: Any, as_of: date) -> Schedule:
    """Return the schedule that a setting means, its days counted back from the run's date.

    >>> schedule({"-30": 0.1, "2024-03-31": 0.4}, date(2024, 3, 31)).at(date(2024, 3, 16).toordinal())
    0.25
    """
    if not isinstance(value, Mapping):
        return Schedule((), (float(value),))
    points = sorted((day_of(name, as_of), float(one)) for name, one in value.items())
    return Schedule(tuple(day for day, _ in points), tuple(one for _, one in points))


def weighting(value: Mapping[str, Any], as_of: date) -> Weighting:
    """Return the weights that a setting means: of choices, or for each day of choices."""
    if not is_scheduled(value):
        return Weighting(tuple((choice, schedule(weight, as_of)) for choice, weight in sorted(value.items())))
    choices = sorted({choice for weights in value.values() for choice in weights})
    return Weighting(
        tuple(
            (choice, schedule({day: weights.get(choice, 0.0) for day, weights in value.items()}, as_of))
            for choice in choices
        )
    )


def is_scheduled(value: Any) -> bool:
    """Return whether weights are given for days."""
    return isinstance(value, Mapping) and any(isinstance(one, Mapping) for one in value.values())


def day_of(name: str, as_of: date) -> int:
    """Return the ordinal of a schedule's day; raise ValueError for what is none."""
    if _BACK.fullmatch(name):
        return max(1, as_of.toordinal() + int(name))
    return date.fromisoformat(name).toordinal()

"""Simulated daily use of AI assistants by active members.

A day's content depends on the member and the day alone, and whether a member counts as active on it on the `days_back`
days up to and with that day: moving `as_of` adds and drops days at the ends and changes no other day.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterator
from datetime import date

from seedjournal.journal import Event

from ..draws import Draws
from .facts import ratio
from .project import Project

VERSION = 1
DRAWN = ("kept", "factor", "acceptance")
HABIT_DRAWN = ("adopts", "source", "hours", "shown", "acceptance")

_SATURDAY = 5
_FACTORS = (0.7, 1.3)
_WOBBLE = (0.9, 1.1)


def usage(
    project: Project, member: str, active: Collection[int], as_of: date, habits: Draws, draws: Draws
) -> Iterator[Event]:
    """A member's days up to and with `as_of`; `active` holds the ordinals of the days with any activity."""
    habit = habits.of(project.name, member)
    if not active or not habit.chance("adopts", project.ai_base_adoption_rate):
        return
    source = habit.choose("source", tuple(project.usage_source_rates.items()))
    base_hours = habit.between("hours", project.lowest_usage_hours, project.highest_usage_hours)
    base_shown = habit.between("shown", project.lowest_suggestions, project.highest_suggestions)
    base_acceptance = habit.between("acceptance", project.lowest_acceptance, project.highest_acceptance)
    days = sorted(active)
    last = as_of.toordinal()
    for ordinal in range(max(1, last - project.days_back + 1), last + 1):
        day = date.fromordinal(ordinal)
        if day.weekday() >= _SATURDAY or not _is_active(days, ordinal, project.days_back):
            continue
        draw = draws.of(project.name, member, day.isoformat())
        if not draw.chance("kept", project.usage_day_rate):
            continue
        factor = draw.between("factor", *_FACTORS)
        shown = int(base_shown * factor)
        accepted = min(shown, int(shown * base_acceptance * draw.between("acceptance", *_WOBBLE)))
        yield Event(
            project=project.name,
            kind="ai_usage_daily",
            key={"team": project.name, "login": member, "date": day.isoformat(), "source": source},
            data={
                "active_hours": f"{min(base_hours * factor, 24.0):.2f}",
                "suggestions_shown": shown,
                "suggestions_accepted": accepted,
                "acceptance_rate": ratio(100 * accepted, shown or 1),
            },
        )


def _is_active(days: list[int], day: int, window: int) -> bool:
    place = bisect_right(days, day)
    return place > 0 and days[place - 1] > day - window

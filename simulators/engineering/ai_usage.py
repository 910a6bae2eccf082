"""Simulated daily use of AI assistants, as much as somebody codes.

A day's content depends on the member, the day and the tool alone. Whether there is such a day depends on what the
member did in its week, and one more commit only adds days: so a larger source moves no day, and moving `as_of` adds and
drops days at the ends.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from datetime import date

from seedjournal.journal import Event

from ..draws import Draws
from .assistants import Assistants, Trait, monday_of
from .facts import ratio
from .project import Project
from .schedules import schedule
from .shapes import blend
from .working import is_working_day, working_day

VERSION = 3
_DRAWS = 2  # raised only if everything is to be drawn again
DRAWN = ("kept", "factor", "acceptance")
HABIT_DRAWN = ("shown", "acceptance")

_WORKING_DAYS, _WEEK = 5, 7
_BESIDE = 0.8  # of a week's rate goes to the days on which nothing is seen of the work
_FACTORS = (0.7, 1.3)
_WOBBLE = (0.9, 1.1)
_LONGEST = 18.0
_BESIDE_OWN = 0.25  # of the hours and suggestions that somebody's own tool would have are another one's

Shown = Mapping[int, AbstractSet[str | None]]


class Usage:
    """The daily use in a project up to and with `as_of`."""

    def __init__(self, project: Project, seed: int, as_of: date, assistants: Assistants) -> None:
        self._project = project
        self._assistants = assistants
        self._days = Draws(seed, "ai_usage", _DRAWS, DRAWN)
        self._habits = Draws(seed, "ai_habit", _DRAWS, HABIT_DRAWN)
        self._rate = schedule(project.usage_day_rate, as_of)
        self._hours = (project.lowest_usage_hours, project.highest_usage_hours)
        self._acceptance = [schedule(one, as_of) for one in (project.lowest_acceptance, project.highest_acceptance)]
        self._last = as_of.toordinal()
        self._first = max(1, self._last - project.days_back + 1)

    def of(self, member: str, coding: AbstractSet[int], shown: Shown, tried: AbstractSet[int]) -> Iterator[Event]:
        """Yield a member's days.

        `coding` has the ordinals of the days with a commit or an opening. `shown` has days on which facts show an
        assistant, and which ones, None for one without daily usage of its own: these make their week a user's week.
        `tried` are days on which an assistant helped that nothing shows.
        """
        weeks: dict[int, set[int]] = {}
        for day in coding:
            monday = monday_of(day)
            if self._first - _WEEK < monday <= self._last:
                weeks.setdefault(monday, set()).add(day)
        told = self._told(member, shown, tried)
        seen: dict[int, set[str]] = {}
        for day, tools in self._told(member, shown, frozenset()).items():
            seen.setdefault(monday_of(day), set()).update(tools)
        begun = min(coding, default=0)
        for monday in sorted(weeks):
            trait = self._assistants.of(member, monday)
            usual = {trait.tool} if trait else seen.get(monday, set())
            for day in range(max(monday, self._first), min(monday + _WORKING_DAYS - 1, self._last) + 1):
                tools = set(told.get(day, ())) if self._rate.at(day) else set()
                if usual and day >= begun and self._is_used(member, day, weeks[monday]):
                    tools |= usual
                for tool in sorted(tools):
                    its = self._assistants.shown(member, day, tool)
                    if its is not None:
                        yield from self._day(member, day, its)

    def _told(self, member: str, shown: Shown, tried: AbstractSet[int]) -> dict[int, set[str]]:
        """Return the tools that must have been used, by the working day that is nearest to where they show."""
        found: dict[int, set[str]] = {}
        for day in shown.keys() | tried:
            if self._first - _WEEK < day <= self._last + _WEEK:
                tools = set(shown.get(day, ()))
                own = self._assistants.shown(member, day) if None in tools or day in tried else None
                named = {tool for tool in tools if tool} | ({own.tool} if own else set())
                found.setdefault(working_day(date.fromordinal(day)).toordinal(), set()).update(named)
        return found

    def _is_used(self, member: str, day: int, coding: AbstractSet[int]) -> bool:
        """Return whether a user uses an assistant on a day of a week with these days of coding."""
        if not is_working_day(date.fromordinal(day)):
            return False
        rate = self._rate.at(day)
        if day not in coding:
            rate *= _BESIDE * min(1.0, len(coding) / _WORKING_DAYS)
        return self._days.of(self._project.name, member, day).chance("kept", rate)

    def _day(self, member: str, day: int, trait: Trait) -> Iterator[Event]:
        """Yield what was used on a day: nothing where it comes to no time, or to no suggestion."""
        project = self._project
        habit = self._habits.of(project.name, member)
        draw = self._days.of(project.name, member, day)
        factor = draw.between("factor", *_FACTORS)
        own = self._assistants.shown(member, day)
        share = 1.0 if own is None or own.tool == trait.tool else _BESIDE_OWN
        low, high = self._hours
        hours = f"{share * min((low + (high - low) * trait.intensity) * factor, _LONGEST):.2f}"
        least, most = project.lowest_suggestions, project.highest_suggestions
        shown = int(share * (least + (most - least) * blend(trait.intensity, habit.unit("shown"), 0.5)) * factor)
        if not shown or not float(hours):
            return
        lowest, highest = (one.at(day) for one in self._acceptance)
        acceptance = habit.between("acceptance", lowest, max(lowest, highest))
        accepted = min(shown, int(shown * acceptance * draw.between("acceptance", *_WOBBLE)))
        key = {"team": project.name, "login": member, "date": date.fromordinal(day).isoformat(), "source": trait.tool}
        yield Event(
            project=project.name,
            kind="ai_usage_daily",
            key=key,
            data={
                "active_hours": hours,
                "suggestions_shown": shown,
                "suggestions_accepted": accepted,
                "acceptance_rate": ratio(100 * accepted, shown),
            },
        )

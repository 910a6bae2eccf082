"""Who uses which assistant in which week: drawn once, and read by signs, surveys and daily usage.

What facts show goes before: a sign of an assistant makes its week a user's week, whatever was drawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from ..draws import Draws
from .people import is_bot
from .schedules import Schedule, Weighting, schedule, weighting
from .shapes import blend

VERSION = 1

# Since when everybody can have a tool (docs/data.md has the sources), and the first day on which anybody had any.
PUBLIC_SINCE = {"claude": date(2025, 2, 24), "copilot": date(2022, 6, 21), "cursor": date(2023, 3, 14)}
FIRST_ASSISTANT = date(2021, 6, 29)

_PERSON = ("adopts", "tool", "intensity")
_WEEK = ("intensity",)
_OF_PERSON = 0.75  # of an intensity; the rest is the week's


@dataclass(frozen=True, slots=True)
class Trait:
    """What somebody who uses an assistant is like in one week: the tool, and how much it is used, in [0, 1)."""

    tool: str
    intensity: float


class Assistants:
    """One trait for each person and week. Programs have none, and nobody has one before the tool is there for all."""

    def __init__(self, seed: int, project: str, rate: Schedule, tools: Weighting) -> None:
        self.rate = rate
        self._project = project
        self._people = Draws(seed, "assistant", VERSION, _PERSON)
        self._weeks = Draws(seed, "assistant_week", VERSION, _WEEK)
        self._tools = tools
        self._since = {tool: day.toordinal() for tool, day in PUBLIC_SINCE.items()}

    def of(self, member: str, day: int) -> Trait | None:
        """Return a member's trait in the week of a day, given by its ordinal; None for who uses nothing."""
        rate = self.rate_at(day)
        if not rate or is_bot(member) or self.reluctance(member) >= rate:
            return None
        return self.shown(member, day)

    def reluctance(self, member: str) -> float:
        """Return the rate, in [0, 1), above which a member uses an assistant."""
        return self._people.of(self._project, member).unit("adopts")

    def shown(self, member: str, day: int, tool: str | None = None) -> Trait | None:
        """Return a member's trait for a week in which facts show an assistant (`tool`, if it is known).

        None for a program, and where there was no such tool at all.
        """
        monday = monday_of(day)
        tool = tool or self._tool(member, monday)
        if tool is None or is_bot(member) or day < FIRST_ASSISTANT.toordinal():
            return None
        week = self._weeks.of(self._project, member, monday).unit("intensity")
        return Trait(tool, blend(self._people.of(self._project, member).unit("intensity"), week, _OF_PERSON))

    def rate_at(self, day: int) -> float:
        """Return the share of people who use an assistant in the week of a day; 0 where nobody can."""
        monday = monday_of(day)
        return self.rate.at(monday) if self._there(monday) else 0.0

    def _tool(self, member: str, monday: int) -> str | None:
        """Return which of the tools that are there a member uses."""
        weights = self._there(monday)
        if not weights:
            return None
        whole = sum(weight for _, weight in weights)
        choices = [(tool, weight / whole) for tool, weight in weights]
        return self._people.of(self._project, member).choose("tool", choices)

    def _there(self, monday: int) -> list[tuple[str, float]]:
        """Return the tools that everybody can have in a week, with their weights."""
        return [(tool, weight) for tool, weight in self._tools.at(monday) if weight and self._since[tool] <= monday]


def assistants(
    project: str, seed: int, as_of: date, *, rate: Any, highest: Any, tools: Mapping[str, Any]
) -> Assistants:
    """Return a project's traits by its settings; where no pull request may be assisted, nobody has any."""
    adopted = schedule(rate, as_of).both(schedule(highest, as_of), lambda share, most: share if most else 0.0)
    return Assistants(seed, project, adopted, weighting(tools, as_of))


def monday_of(day: int) -> int:
    """Return the ordinal of the Monday of a day's week.

    >>> date.fromordinal(monday_of(date(2024, 3, 10).toordinal()))
    datetime.date(2024, 3, 4)
    """
    return day - (day - 1) % 7

"""The demo: an invented project of any size, for people with no token and no network.

A pull request is the same whatever the number of pull requests is: a demo of 220 is the demo of 200 and 20 more. These
lie between the others, since the window stays: numbers follow time, and have the gaps that issues leave.
Seed, project and every other setting are part of what is invented: with another number of members, days or
repositories, or another last day, it is another project. (A member's name, login and id stay.)

Nobody in it is real: names are made up, ids lie where GitHub has none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from hashlib import sha256
from typing import Any

from seedjournal.journal import BadInput

from ...faking import faker_version
from ..assistants import Assistants, assistants
from ..facts import LooseCommit, PullRequest, Repository, Skipped, repository
from ..schedules import Schedule, schedule, weighting
from .cast import VERSION, Setting
from .invention import Invention

DEFAULT_AS_OF = date(2025, 6, 30)

# Settings of the demo that may change over time, but for who joins and leaves, with their defaults.
RATES = {
    "size_factor": 1.0,
    "cycle_time_factor": 1.0,
    "failing_check_rate": 0.035,
    "incident_rate": 0.6,
    "hotfix_rate": 0.4,
    "weekend_rate": 0.11,
    "concentration": 0.0,
    "joining_rate": 0.20,
    "leaving_rate": 0.15,
}

_BOUNDS = {"members": (1, 100_000), "prs": (0, 10_000_000), "days": (1, 3650)}
_LONGEST_NAME = 100
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_.-]+")


@dataclass(frozen=True, kw_only=True)
class DemoSource:
    """A source of invented facts.

    `prs` pull requests lie in the `days` days up to and with `as_of`, and nothing lies outside of these. `ai_rate` says
    how much assistants are used: 0 is never, 1 is by everybody. `highest_ai_rate` 0 is never as well, and `ai_tools`
    has the tools' weights; `rates` are other settings of the demo, over their defaults. Without `repos` there is one
    repository, named after the project. Raises BadInput for a setting out of its bounds.
    """

    project: str
    seed: int
    repos: tuple[str, ...] = ()
    members: int = 12
    prs: int = 200
    days: int = 180
    as_of: date = DEFAULT_AS_OF
    ai_rate: float | Mapping[str, float] = 0.35
    highest_ai_rate: float | Mapping[str, float] = 0.85
    ai_tools: Mapping[str, Any] = field(default_factory=lambda: {"copilot": 0.7, "cursor": 0.3})

    rates: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what cannot be invented, before anything is read."""
        for setting, (low, high) in _BOUNDS.items():
            value = getattr(self, setting)
            if not low <= value <= high:
                raise BadInput(f"demo: {setting} = {value} is out of bounds.", f"Give {low:,} to {high:,}.")
        if self.as_of.toordinal() < self.days:
            raise BadInput(
                f"demo: there are no {self.days} days up to {self.as_of}.", "Give a later as_of or fewer days."
            )
        if not self.project.isprintable():
            raise BadInput(f"demo: {self.project!r} is not a project's name.", "Use printable text.")
        rates = schedule(self.ai_rate, self.as_of).values
        if not all(0 <= rate <= 1 for rate in rates):
            raise BadInput(f"demo: ai_rate = {self.ai_rate} is out of bounds.", "Give 0 to 1.")
        _ = self.repositories

    @property
    def name(self) -> str:
        """The source's name, for people and for the run's inputs."""
        return "demo"

    @cached_property
    def repositories(self) -> tuple[Repository, ...]:
        """The repositories, each once, sorted by name: their order in the settings changes nothing."""
        names = self.repos or (_named_after(self.project),)
        return tuple(sorted({repository(name) for name in names}))

    @property
    def versions(self) -> dict[str, str]:
        """Faker's: its names are in the facts."""
        return {"faker": faker_version()}

    @property
    def skipped(self) -> list[Skipped]:
        """Nothing: what is invented is whole."""
        return []

    def digest(self) -> str:
        """Return a hexadecimal digest of every setting and of every name.

        The names and not a sample of them: whatever another version of Faker writes differently, it is another digest.
        """
        settings = [VERSION, self.project, self.seed, self.repositories, self.members, self.prs, self.days]
        rates = repr((self._assistants.rate, weighting(self.ai_tools, self.as_of), self._rates))
        digest = sha256(json.dumps([*settings, self.as_of.toordinal(), rates]).encode())
        for place in range(1, self.members + 1):
            digest.update(f"{self._invention.people.member(place).fact.name}\n".encode())
        return digest.hexdigest()

    def pull_requests(self) -> Iterator[PullRequest]:
        """Yield every pull request, made one at a time; a larger demo begins with those of a smaller one."""
        return map(self._invention.pull_request, self._indexes)

    def loose_commits(self) -> Iterator[LooseCommit]:
        """Yield the commits pushed to the main branch: about one for every twenty pull requests."""
        return filter(None, map(self._invention.loose_commit, self._indexes))

    @property
    def _indexes(self) -> range:
        return range(1, self.prs + 1)

    @cached_property
    def _rates(self) -> dict[str, Schedule]:
        return {name: schedule(self.rates.get(name, rate), self.as_of) for name, rate in RATES.items()}

    @cached_property
    def _assistants(self) -> Assistants:
        return assistants(
            self.project,
            self.seed,
            self.as_of,
            rate=self.ai_rate,
            highest=self.highest_ai_rate,
            tools=self.ai_tools,
        )

    @cached_property
    def _invention(self) -> Invention:
        return Invention(
            Setting(
                project=self.project,
                seed=self.seed,
                repositories=self.repositories,
                members=self.members,
                days=self.days,
                as_of=self.as_of,
                assistants=self._assistants,
                rates=self._rates,
            )
        )


def _named_after(project: str) -> str:
    name = _NOT_IN_A_NAME.sub("-", project).strip("-.")[:_LONGEST_NAME].rstrip("-.") or "demo"
    return f"{name}/{name}"

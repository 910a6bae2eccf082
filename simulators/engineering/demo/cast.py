"""The invented project's people and phrases: all that Faker writes for the demo, drawn once and chosen from.

A sentence or a task of one's own for each pull request would cost more time than everything else about it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from ...draws import Draws
from ...faking import Texts
from ..facts import Person, Repository

# Raised by whatever changes a fact of the demo.
VERSION = 1

TASKS = 500
SENTENCES = 250

# GitHub counts accounts in the hundreds of millions: an invented id beyond 2^42 is nobody's. A member's place, below
# 2^17, fills its low bits: no two members share one.
_INVENTED = 2**42
_PLACE_BITS = 17
_DRAWN_BITS = 24

_NOT_LETTERS = re.compile(r"[^a-z]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What the facts depend on besides the number of a pull request."""

    project: str
    seed: int
    repositories: tuple[Repository, ...]
    members: int
    days: int
    as_of: date

    def draws(self, name: str, fields: tuple[str, ...]) -> Draws:
        """The draws of one sort of thing in this project."""
        return Draws(self.seed, f"demo/{self.project}/{name}", VERSION, fields)

    def texts(self) -> Texts:
        """The texts of this project."""
        return Texts(self.seed, f"demo/{self.project}", VERSION)


class Phrases:
    """A few hundred texts; each is told by its place.

    `slugs` are the tasks as branches write them: letters and dashes only, since a number could pass for an issue's.
    `messages` are the tasks with a capital.
    """

    __slots__ = ("messages", "sentences", "slugs", "tasks")

    def __init__(self, setting: Setting) -> None:
        texts = setting.texts()
        self.tasks = tuple(texts.task(place) for place in range(TASKS))
        self.messages = tuple(task[0].upper() + task[1:] for task in self.tasks)
        self.slugs = tuple(_slug(task) for task in self.tasks)
        self.sentences = tuple(texts.sentence(place) for place in range(SENTENCES))


class People:
    """The members, by their place from 1: a member's login, name and id depend on no other member.

    Those who were asked for are kept.
    """

    __slots__ = ("_ids", "_members", "_people", "_texts")

    def __init__(self, setting: Setting) -> None:
        self._members = setting.members
        self._texts = setting.texts()
        self._ids = setting.draws("member", ("id",))
        self._people: dict[int, Person] = {}

    def member(self, place: int) -> Person:
        """The member with that place; the number at the login's end keeps it apart from every other."""
        person = self._people.get(place)
        if person is None:
            name = self._texts.name(place)
            drawn = self._ids.of(place).integer("id", 0, 2**_DRAWN_BITS - 1)
            number = _INVENTED | drawn << _PLACE_BITS | place
            person = self._people[place] = Person(login=f"{_slug(name)}-{place}", name=name, id=number)
        return person

    def anyone(self, unit: float) -> int:
        """A member's place, by a draw in [0, 1); the first ones are the busiest."""
        return 1 + int(unit * unit * self._members)

    def another(self, unit: float, place: int) -> int | None:
        """The place of a member who is not the given one; None where there is nobody else."""
        if self._members == 1:
            return None
        other = 1 + int(unit * unit * (self._members - 1))
        return other + (other >= place)


def _slug(text: str) -> str:
    return _NOT_LETTERS.sub("-", text.lower()).strip("-")

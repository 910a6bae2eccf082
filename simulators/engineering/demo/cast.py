"""The invented project's people: who they are, where they live, when they came and how much they do.

Faker writes their names, and nothing else in the demo.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from itertools import accumulate

from ...draws import Draw, Draws
from ...faking import Texts
from .. import facts
from ..assistants import Assistants
from ..facts import Repository
from ..schedules import Schedule

# Raised by every change of a fact of the demo.
VERSION = 4
_DRAWS = 3  # raised only if everything is to be drawn again

# GitHub counts accounts in the hundreds of millions: an invented id beyond 2^42 is nobody's. A member's place, below
# 2^17, fills its low bits: no two members share one.
_INVENTED = 2**42
_PLACE_BITS = 17
_DRAWN_BITS = 24

_NOT_LETTERS = re.compile(r"[^a-z]+")
_TRIES = 5
_FIELDS = ("id", "zone", "hours", "coming", "at", "style", "claude", "tool", "login", "prefix", "signs")
# Hours from UTC, summer time left out, and how many people live there.
_ZONES = ((1, 0.38), (2, 0.16), (0, 0.10), (-5, 0.17), (-8, 0.08), (5, 0.07), (8, 0.04))
_LONGEST_LOGIN = 39
# Of every eight members, by how busy they are, who takes to assistants first and who last: so those who use one do
# about as large a share of the work as they are of the people. The first members are chosen so.
_EAGER = (2, 8, 5, 3, 6, 1, 7, 4)
_CHOSEN = 32
_CLAUDE = 0.4  # of those who use an assistant show Claude


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What the facts depend on besides the number of pull requests."""

    project: str
    seed: int
    repositories: tuple[Repository, ...]
    members: int
    days: int
    as_of: date
    assistants: Assistants
    rates: Mapping[str, Schedule]

    def draws(self, name: str, fields: tuple[str, ...]) -> Draws:
        """Return the draws of one sort of thing in this project."""
        return Draws(self.seed, f"demo/{self.project}/{name}", _DRAWS, fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A member: `zone` in hours from UTC; in the project from share `comes` to share `goes` of the window.

    In a week in which the person uses an assistant, the share `signs` of the work shows it, or Claude instead.
    """

    place: int
    fact: facts.Person
    zone: int
    comes: float
    goes: float
    is_conventional: bool
    shows_claude: bool
    signs: float

    @property
    def login(self) -> str:
        """The login, which is the member's key."""
        return self.fact.login or ""

    @property
    def first_name(self) -> str:
        """What colleagues say."""
        return (self.fact.name or "").partition(" ")[0]


class People:
    """The members, by their place from 1. A member depends on nobody who comes after: one more changes none.

    Those who were asked for are kept, and all before them: their names are taken.
    """

    __slots__ = (
        "_assistants",
        "_comes",
        "_concentration",
        "_draws",
        "_leaves",
        "_logins",
        "_names",
        "_people",
        "_shares",
        "_texts",
        "_uneven",
    )

    def __init__(self, setting: Setting) -> None:
        self._texts = Texts(setting.seed, f"demo/{setting.project}", _DRAWS)
        self._draws = setting.draws("member", _FIELDS)
        self._people: list[Person] = []
        self._names: set[str] = set()
        self._logins: set[str] = set()
        self._assistants = setting.assistants
        # The busiest do most by far.
        shares = [1 / (place + 1.5) for place in range(setting.members)]
        self._shares = [*accumulate(shares)]
        self._uneven = [*accumulate(share * share * share for share in shares)]
        self._concentration = setting.rates["concentration"]
        self._leaves = 1 - setting.rates["leaving_rate"].at(0)
        self._comes = self._leaves - setting.rates["joining_rate"].at(0)

    @property
    def size(self) -> int:
        """How many members there are."""
        return len(self._shares)

    def member(self, place: int) -> Person:
        """Return the member with that place."""
        while len(self._people) < place:
            self._people.append(self._next(len(self._people) + 1))
        return self._people[place - 1]

    def working(
        self, draw: Draw, field: str, share: float, without: tuple[int, ...] = (), day: int | None = None
    ) -> Person | None:
        """Return a member who is there at that share of the window, the busiest most often; None for nobody else."""
        person = None
        uneven = 0.0 if day is None else self._concentration.at(day)
        for attempt in range(_TRIES):
            unit = draw.unit(f"{field}{attempt}")
            shares = self._uneven if unit < uneven else self._shares
            unit = unit / uneven if unit < uneven else (unit - uneven) / (1 - uneven)
            place = 1 + min(bisect_right(shares, unit * shares[-1]), len(shares) - 1)
            if place in without:
                continue
            person = self.member(place)
            if person.comes <= share < person.goes:
                return person
        if person is not None:
            return person
        return next((self.member(one) for one in range(1, len(self._shares) + 1) if one not in without), None)

    def _next(self, place: int) -> Person:
        draw = self._draws.of(place)
        name, login = self._named(place, draw)
        number = _INVENTED | draw.integer("id", 0, 2**_DRAWN_BITS - 1) << _PLACE_BITS | place
        coming, at = draw.unit("coming"), 0.1 + 0.75 * draw.unit("at")
        stays = place == 1 or coming < self._comes
        return Person(
            place=place,
            fact=facts.Person(login=login, name=name, id=number),
            zone=draw.choose("zone", _ZONES),
            comes=0.0 if stays or coming >= self._leaves else at,
            goes=1.0 if stays or coming < self._leaves else at,
            is_conventional=draw.chance("style", 0.6),
            shows_claude=draw.chance("claude", _CLAUDE),
            signs=draw.between("signs", 0.6, 1.0),
        )

    def _named(self, place: int, draw: Draw) -> tuple[str, str]:
        """Return a name and a login that nobody before has."""
        for attempt in range(1_000):
            name = self._texts.name(place, attempt) if attempt else self._texts.name(place)
            first, _, last = name.lower().partition(" ")
            first, last = _NOT_LETTERS.sub("", first), _NOT_LETTERS.sub("", last)
            forms = (f"{first}{last}", f"{first}-{last}", f"{first[0]}{last}", f"{last}{first[0]}", f"{first}{last[0]}")
            login = forms[draw.integer("login", 0, len(forms) - 1)]
            if login in self._logins:
                login = forms[1]
            is_free = name not in self._names and login not in self._logins and len(login) <= _LONGEST_LOGIN
            if is_free and self._is_wanted(place, login):
                self._names.add(name)
                self._logins.add(login)
                break
        return name, login

    def _is_wanted(self, place: int, login: str) -> bool:
        """Return whether somebody of that name takes to assistants as early as this place asks for."""
        degrees = len(_EAGER)
        wanted = _EAGER.index((place - 1) % degrees + 1)
        return place > _CHOSEN or int(self._assistants.reluctance(login) * degrees) == wanted

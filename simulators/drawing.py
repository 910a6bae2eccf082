"""Draws: pseudo-random choices that survive change.

Each draw is a pure function of (seed, function's name and version, entity's key, draw's name): a keyed hash of the
entity and one of the name, mixed. There is no sequence behind it: adding, removing or reordering entities changes no
draw of the others, and neither do processes, threads or hash seeds.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from hashlib import blake2b
from statistics import NormalDist
from typing import Any, TypeVar
from unicodedata import normalize
from uuid import UUID

from seedjournal.journal import BadInput, Misuse

from .faking import Faking
from .kinds import Document, Kind, document_key, key_of

Choice = TypeVar("Choice")

_SCALE = 2.0**-53
_MASK = 2**64 - 1
_GOLDEN = 0x9E3779B97F4A7C15
_MOST_NAMES = 10_000  # that are remembered: a name may hold a number
_DIGEST = "·digest"  # under which an entity remembers its digest; no field can have this name
_LETTERS = "ABCDEFGHJKMNPQRSTVWXYZ0123456789"  # Crockford's alphabet has 32 letters, none of them alike
_PAIRS = [one + other for other in _LETTERS for one in _LETTERS]  # by ten bits, of which the lower five come first
_POINTS = 1 << 17  # on the ring of a `pick`, at most
_MOST_POINTS = 1 << 10  # of one entity of average weight
_FEW = 64  # entities among which a pick compares all
_ATTEMPTS = 20
_OPENS, _CLOSES = 9, 18  # working hours
_SATURDAY = 5
_NORMAL = NormalDist()


class Draw:
    """The draws of one function for one entity, each by a name of its own.

    A draw depends on the seed, the function's name, the entity's key and the draw's name, and on nothing else. Methods
    raise Misuse for a name that was drawn before for the same entity.
    """

    __slots__ = ("_drawn", "_names", "_source", "_state")

    def __init__(self, source: Draws, state: int) -> None:
        self._source = source
        self._names = source.names
        self._state = state
        self._drawn: set[str] = set()

    def of(self, *entity: Kind | Document | date | str | int) -> Draw:
        """Return this function's draws about another thing: an entity, date, text or number, or several of them."""
        return self._source.of(*entity)

    def about(self, entity: Kind | Document) -> Draw:
        """Return draws about an entity that all functions share, such as a trait that has no column."""
        return self._source.traits.of(entity)

    def many(self, name: str, low: int, high: int | None = None) -> Iterator[Draw]:
        """Yield a `Draw` for each of `low` new things, or for each of a drawn number of things from `low` to `high`.

        The first 100 of 1,000 things get the same draws as the 100 of 100.
        """
        bits = self.bits(name)
        count = low if high is None else low + (bits * (high - low + 1) >> 64)
        source, state = self._source, _mixed(bits)
        for number in range(count):
            yield Draw(source, _mixed(state ^ number * _GOLDEN & _MASK))

    def bits(self, name: str) -> int:
        """Return 64 random bits."""
        drawn = self._drawn
        if name in drawn:
            raise Misuse(
                f"{self._source.function} draws {name!r} twice for one entity.",
                "Give each draw a name of its own, or use draw.of(…) to draw about another thing.",
            )
        drawn.add(name)
        bits = self._state ^ self._names[name]
        bits = (bits ^ bits >> 30) * 0xBF58476D1CE4E5B9 & _MASK  # as in _mixed, which a call would make slower
        bits = (bits ^ bits >> 27) * 0x94D049BB133111EB & _MASK
        return bits ^ bits >> 31

    def unit(self, name: str) -> float:
        """Return a number in [0, 1), with 53 random bits."""
        return (self.bits(name) >> 11) * _SCALE

    def chance(self, name: str, rate: float) -> bool:
        """Return True at this rate: 0 is never, 1 is always."""
        return (self.bits(name) >> 11) * _SCALE < rate

    def integer(self, name: str, low: int, high: int) -> int:
        """Return an integer from `low` to `high`, both included."""
        return low + (self.bits(name) * (high - low + 1) >> 64)

    def between(self, name: str, low: float, high: float) -> float:
        """Return a number in [low, high)."""
        return low + (high - low) * self.unit(name)

    def decimal(self, name: str, low: float | Decimal, high: float | Decimal, places: int = 2) -> Decimal:
        """Return a decimal from `low` to `high`, both included, with fixed places."""
        unit = 10**places
        first, last = _whole(low, high, unit)
        return Decimal(self.integer(name, first, last)).scaleb(-places)

    def skewed(self, name: str, low: float, high: float, power: float = 3) -> float:
        """Return a number in [low, high) that is mostly near `low`; a greater power brings it nearer."""
        return low + (high - low) * math.pow(self.unit(name), power)

    def normal(self, name: str, mean: float = 0, deviation: float = 1) -> float:
        """Return a number from the normal distribution with this mean and standard deviation."""
        return mean + deviation * _NORMAL.inv_cdf(max(self.unit(name), _SCALE))

    def lognormal(self, name: str, median: float, sigma: float) -> float:
        """Return a log-normal number; `sigma` is the standard deviation of its logarithm."""
        return median * math.exp(self.normal(name, 0, sigma))

    def choose(
        self, name: str, choices: Mapping[Choice, float] | Sequence[tuple[Choice, float]] | Sequence[Choice]
    ) -> Choice:
        """Return one of the choices: by weight, for a mapping or pairs of choice and weight; else each equally often.

        There must be at least one choice. Weights are zero or more, and not all of them zero.
        """
        if isinstance(choices, Mapping):
            found, weights = list(choices), list(choices.values())
        elif choices and isinstance(choices[0], tuple) and len(choices[0]) == 2:  # noqa: PLR2004 - (choice, weight)
            found, weights = map(list, zip(*choices, strict=True))
        else:
            return choices[int(self.unit(name) * len(choices))]  # type: ignore[return-value]
        left = self.unit(name) * sum(weights)
        for choice, weight in zip(found, weights, strict=True):
            left -= weight
            if left < 0:
                return choice
        return next((found[-n] for n, weight in enumerate(reversed(weights), 1) if weight > 0), found[-1])

    def pick(self, name: str, entities: Sequence[Choice], weight: Callable[[Choice], float] | None = None) -> Choice:
        """Return one of many entities, by weight. One more entity changes only those picks that it wins.

        Raise BadInput for no entities, a negative weight, or weights that sum to zero.
        """
        if not entities:
            raise BadInput(
                f"pick({name!r}, …): there is nothing to pick from.", "Make sure that the list is not empty."
            )
        bits = self.bits(name)
        is_few = len(entities) <= _FEW and not isinstance(entities, All)
        place = _best_of_few(entities, weight, bits) if is_few else _ring(entities, weight).place(bits)
        chosen: Choice = entities[place]
        return chosen

    def sample(
        self, name: str, entities: Sequence[Choice], count: int, weight: Callable[[Choice], float] | None = None
    ) -> list[Choice]:
        """Return `count` different entities, or all where there are fewer."""
        state = _mixed(self.bits(name))
        found: dict[int, Choice] = {}
        wanted = min(count, len(entities))
        for attempt in range(_ATTEMPTS * wanted):
            if len(found) == wanted:
                break
            one = Draw(self._source, _mixed(state ^ attempt * _GOLDEN & _MASK)).pick("", entities, weight)
            found.setdefault(id(one), one)
        else:  # the rest weighs next to nothing
            rest = [one for one in entities if id(one) not in found]
            found.update((id(one), one) for one in rest[: wanted - len(found)])
        return list(found.values())

    def day(self, name: str, first: date, last: date) -> date:
        """Return a day from `first` to `last`, both included; `first` where `last` is before it."""
        begin, end = _day(first).toordinal(), _day(last).toordinal()
        return date.fromordinal(begin + (self.bits(name) * (max(0, end - begin) + 1) >> 64))

    def instant(self, name: str, start: date, end: date, *, working_hours: bool = False) -> datetime:
        """Return an instant in [start, end), UTC, in whole seconds; `working_hours`: 9 to 18 o'clock, Monday to Friday.

        A day means its beginning, as an end too. Where `end` is not after `start`, the result is `start`.
        """
        begin, finish = _moment(start), _moment(end)
        between = finish - begin
        seconds = between.days * 86_400 + between.seconds
        if seconds <= 0:
            return begin
        if working_hours:
            return self._in_working_hours(name, begin, finish)
        return begin + timedelta(0, self.bits(name) * seconds >> 64)

    def _in_working_hours(self, name: str, begin: datetime, finish: datetime) -> datetime:
        share = self.unit(name)
        days = (finish.date() - begin.date()).days
        working = [day for n in range(days + 1) if (day := begin.date() + timedelta(days=n)).weekday() < _SATURDAY] or [
            begin.date()
        ]
        place = share * len(working)
        seconds = _OPENS * 3600 + int((place % 1) * (_CLOSES - _OPENS) * 3600)
        moment = datetime(*working[int(place)].timetuple()[:3], tzinfo=UTC) + timedelta(seconds=seconds)
        return min(max(moment, begin), finish - timedelta(seconds=1))

    def code(self, name: str, length: int = 8) -> str:
        """Return a text of `length` letters and digits that are not easily confused, 5 random bits each."""
        text, bits, pairs = "", self.bits(name), _PAIRS
        while True:
            text += pairs[bits & 1023] + pairs[bits >> 10 & 1023] + pairs[bits >> 20 & 1023]
            text += pairs[bits >> 30 & 1023] + pairs[bits >> 40 & 1023] + pairs[bits >> 50 & 1023]
            if len(text) >= length:
                return text[:length]
            bits = _mixed(bits ^ len(text) * _GOLDEN & _MASK)

    def uuid(self, name: str) -> UUID:
        """Return a UUID of version 8."""
        high = self.bits(name)
        low = _mixed(high ^ _GOLDEN)
        return UUID(int=(high << 64 | low) & ~(0xF << 76) & ~(0x3 << 62) | 8 << 76 | 2 << 62)

    def name(self, name: str) -> str:
        """Return a person's first and last name."""
        return self._source.faking.name(self.bits(name))

    def company(self, name: str) -> str:
        """Return a company's name."""
        return self._source.faking.company(self.bits(name))

    def city(self, name: str) -> str:
        """Return a city's name."""
        return self._source.faking.city(self.bits(name))

    def street(self, name: str) -> str:
        """Return a street with a number."""
        return self._source.faking.street(self.bits(name))

    def word(self, name: str) -> str:
        """Return a word."""
        return self._source.faking.word(self.bits(name))

    def sentence(self, name: str) -> str:
        """Return a sentence of common words."""
        return self._source.faking.sentence(self.bits(name))

    def email(self, name: str) -> str:
        """Return an e-mail address at example.com, which belongs to nobody; 45 random bits keep any two apart."""
        bits = self.bits(name)
        first, _, last = self._source.faking.name(bits).lower().partition(" ")
        tail = "".join(_LETTERS[bits >> (5 * place) & 31] for place in range(9)).lower()
        plain = normalize("NFKD", f"{first}.{last}.{tail}")
        return "".join(one for one in plain if one.isascii() and (one.isalnum() or one == ".")) + "@example.com"

    def phone(self, name: str) -> str:
        """Return a telephone number that is reserved for fiction: +1 XXX 555 0100 to 0199."""
        bits = self.bits(name)
        return f"+1 {200 + bits % 800} 555 {100 + (bits >> 32) % 100:04d}"


class Draws:
    """The draws of one function under one seed."""

    __slots__ = ("_key", "faking", "function", "names", "traits")

    def __init__(self, seed: int, function: str, version: int, faking: Faking, traits: Draws | None = None) -> None:
        self.function = function
        self.faking = faking
        self.traits = traits or self
        self._key = blake2b(f"seedjournal:draw:2\n{seed}\n{function}\n{version}".encode(), digest_size=32).digest()
        self.names = _Names(self._key)

    def of(self, *entity: Kind | Document | date | str | int) -> Draw:
        """Return the draws for an entity, or for other things that have a name."""
        digest = blake2b(_name_of(entity), digest_size=8, key=self._key).digest()
        return Draw(self, int.from_bytes(digest, "big"))


class _Names(dict[str, int]):
    """64 random bits for each name of a draw."""

    def __init__(self, key: bytes) -> None:
        super().__init__()
        self._key = key

    def __missing__(self, name: str) -> int:
        digest = blake2b(b"name\n" + name.encode("utf-8", "surrogatepass"), digest_size=8, key=self._key).digest()
        bits = int.from_bytes(digest, "big")
        if len(self) < _MOST_NAMES:
            self[name] = bits
        return bits


def _mixed(bits: int) -> int:
    """Return other 64 bits that depend on all of these: the finalizer of SplitMix64."""
    bits = (bits ^ bits >> 30) * 0xBF58476D1CE4E5B9 & _MASK
    bits = (bits ^ bits >> 27) * 0x94D049BB133111EB & _MASK
    return bits ^ bits >> 31


@lru_cache(maxsize=1024)
def _whole(low: float | Decimal, high: float | Decimal, unit: int) -> tuple[int, int]:
    """Return the least and the greatest whole number of units in a range."""
    return math.ceil(Decimal(str(low)) * unit), math.floor(Decimal(str(high)) * unit)


def draws_of(seed: int, function: str, version: int, locale: str = "en_US") -> Draws:
    """Return the draws of a function, and with them those that all functions share."""
    faking = Faking(locale)
    return Draws(seed, function, version, faking, Draws(seed, "", 1, faking))


def _name_of(entity: Sequence[Any]) -> bytes:
    """Return an entity as bytes: the length of each part comes first, so that no two entities have the same bytes."""
    text = ""
    for one in entity:
        if isinstance(one, Kind):
            text += f"{type(one).__declared__.name}:" + _parts(key_of(one))
        elif isinstance(one, Document):
            text += f"{type(one).__name__}:" + _parts(document_key(one))
        elif isinstance(one, (str, int)):
            text += _parts((one,))
        elif isinstance(one, date):
            text += _parts((one.isoformat(),))
        else:
            raise BadInput(
                f"A draw cannot be about {one!r}, a {type(one).__name__}.",
                "Give an entity, a date, a text or a number.",
            )
    return text.encode("utf-8", "surrogatepass") + b"\n"


def _parts(key: Sequence[str | int]) -> str:
    return "".join([f"{len(part)}:{part}" if isinstance(part, str) else f"#{part};" for part in key])


def _day(moment: date) -> date:
    return moment.astimezone(UTC).date() if isinstance(moment, datetime) else moment


def _moment(day: date) -> datetime:
    return day if isinstance(day, datetime) else _midnight(day)


@lru_cache(maxsize=4096)
def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


class All(tuple[Choice, ...]):
    """All entities of a kind, in the order of their keys: what a simulator asks for with `All[Product]`."""

    __slots__ = ()


def _best_of_few(entities: Sequence[Any], weight: Callable[[Any], float] | None, bits: int) -> int:
    """Return the place of the entity that wins a race, in which each entity's chance follows its weight."""
    best, place = math.inf, -1
    for number, one in enumerate(entities):
        heavy = weight(one) if weight else 1.0
        if heavy < 0:
            raise BadInput(f"A pick has the negative weight {heavy} for {one!r}.", "Give positive weights.")
        mixed = _mixed(_digest(one, number) ^ bits)
        time = -math.log((mixed >> 11) * _SCALE + _SCALE) / heavy if heavy else math.inf
        if time < best:
            best, place = time, number
    if place < 0:
        raise BadInput("The weights of a pick sum to zero.", "Give positive weights.")
    return place


def _digest(one: Any, number: int) -> int:
    """Return 64 bits that stand for one of the things to pick from; for a thing without a name, its place."""
    if isinstance(one, Kind):
        values = one.__dict__
        known = values.get(_DIGEST)
        if known is None:
            known = values[_DIGEST] = _hashed(_name_of((one,)))
        return known
    return _hashed(_name_of((one,)) if isinstance(one, (Document, date, str, int)) else b"%d" % number)


def _hashed(name: bytes) -> int:
    return int.from_bytes(blake2b(name, digest_size=8).digest(), "big")


class _Ring:
    """Entities at places on a ring, more places for more weight: one entity more takes a few picks from the others."""

    __slots__ = ("_owners", "_points")

    def __init__(self, entities: Sequence[Any], weights: Sequence[float]) -> None:
        total = sum(weights)
        if total <= 0 or min(weights) < 0:
            raise BadInput("The weights of a pick sum to zero, or one is negative.", "Give positive weights.")
        average = total / sum(1 for weight in weights if weight)
        # Powers of two: one entity more rarely changes how many points another one has.
        each = 2 ** math.floor(math.log2(max(1, min(_MOST_POINTS, _POINTS // len(entities)))))
        unit = 2.0 ** math.floor(math.log2(average)) / each
        points: list[tuple[int, int]] = []
        for place, (entity, weight) in enumerate(zip(entities, weights, strict=True)):
            name = _digest(entity, place).to_bytes(8, "big")
            points += [(_hashed(name + b"%d" % number), place) for number in range(math.ceil(weight / unit))]
        points.sort()
        self._points = [point for point, _ in points]
        self._owners = [place for _, place in points]

    def place(self, bits: int) -> int:
        return self._owners[bisect_right(self._points, bits) % len(self._owners)]


_RINGS: dict[tuple[int, ...], tuple[tuple[Any, ...], _Ring]] = {}
_MOST_RINGS = 64


def _ring(entities: Sequence[Any], weight: Callable[[Any], float] | None) -> _Ring:
    """Return the ring of these entities, made once for a sequence and for what weighs it."""
    used = (entities, *_weighing(weight))
    name = (len(entities), *map(id, used))
    known = _RINGS.get(name)
    if known is not None and all(mine is theirs for mine, theirs in zip(known[0], used, strict=True)):
        return known[1]
    ring = _Ring(entities, [weight(one) for one in entities] if weight else [1.0] * len(entities))
    if len(_RINGS) >= _MOST_RINGS:
        _RINGS.pop(next(iter(_RINGS)))
    _RINGS[name] = (used, ring)
    return ring


def _weighing(weight: Any) -> tuple[Any, ...]:
    """Return what a weighing function consists of: a lambda in a simulator is a new object at each call."""
    code = getattr(weight, "__code__", None)
    if code is None:
        return (weight,)
    return (code, *(cell.cell_contents for cell in weight.__closure__ or ()), *(weight.__defaults__ or ()))

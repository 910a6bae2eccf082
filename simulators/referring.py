"""Referring: an entity may refer only to entities that the tables will show too.

Memory stays small, since only a hash of each key is kept, eight bytes. If a hash is missing, the entities themselves
are read to name the one that refers to nothing.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from typing import Any

from seedjournal.journal import BadInput

from .kinds import Declared, Key, Kind, key_of, shown_key

_PIECE = 1 << 20  # hashes that are looked up at a time


def hash_key(key: Key) -> int:
    """Return 64 bits for a key. Its text is hashed, as Python gives the integers -1 and -2 the same hash."""
    return hash(repr(key))


class References:
    """The references of one kind's entities, by what they lead to."""

    __slots__ = ("_fields", "keys", "led_to")

    def __init__(self, declared: Declared) -> None:
        self._fields = tuple(name for name in declared.fields if declared.columns[name].to) if declared.recorded else ()
        self.keys = array("q")
        self.led_to: dict[type[Kind], array[int]] = {}
        for name in self._fields:
            for kind in declared.columns[name].to:
                self.led_to.setdefault(kind, array("q"))

    def take(self, entity: Kind) -> None:
        """Remember an entity, and what it refers to."""
        self.keys.append(hash_key(key_of(entity)))
        values = entity.__dict__
        for name in self._fields:
            value = values[name]
            if value is not None:
                self.led_to[value.__class__].append(hash_key(key_of(value)))

    def wrong(self, entity: Kind, is_there: Callable[[type[Kind], Key], bool]) -> str | None:
        """Return the first field by which an entity refers to one that is not there."""
        for name in self._fields:
            value = entity.__dict__[name]
            if value is not None and not is_there(type(value), key_of(value)):
                return name
        return None


def lacks(known: array[int], wanted: array[int]) -> bool:
    """Return whether some wanted hash is not among the known ones; a piece of the numbers at a time."""
    pieces = max(len(known), 1) // _PIECE + 1
    for number in range(pieces):
        found = {one for one in known if one % pieces == number} if pieces > 1 else set(known)
        if not all(one in found for one in wanted if one % pieces == number):
            return True
    return False


def refuse_dangling(
    entities: Iterable[Kind], references: References, find: Callable[[type[Kind], Key], Any | None]
) -> None:
    """Raise BadInput for the first entity that refers to one that is not there."""
    for entity in entities:
        name = references.wrong(entity, lambda kind, key: find(kind, key) is not None)
        if name:
            raise _dangling(entity, name)


def _dangling(entity: Kind, name: str) -> BadInput:
    led_to = entity.__dict__[name]
    kind = type(led_to).__declared__.name
    return BadInput(
        f"{type(entity).__declared__.name} {shown_key(entity)}: its field {name!r} refers to {kind} "
        f"{shown_key(led_to)}, which does not exist.",
        f"State the {kind} among the facts, let a simulator make it, or refer to another one.",
    )


def all_of(entities: Iterable[Any], declared: Declared) -> References:
    """Collect the references of these entities."""
    found = References(declared)
    for one in entities:
        found.take(one)
    return found

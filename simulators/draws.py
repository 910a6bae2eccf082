"""Draws: pseudo-random choices that survive change.

Each draw is a pure function of (seed, simulator, generator version, natural key, field). No sequence stands behind it:
adding, removing or reordering entities moves no draw of the others, and neither do processes, threads or hash seeds.
One keyed digest serves eight fields of an entity.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar

Choice = TypeVar("Choice")

_SLOTS = 8
_SCALE = 2.0**-53


class Draws:
    """The draws of one simulator under one seed.

    `fields` names everything the simulator draws, in an order that only ever grows: a field's place in it is part of
    the format.
    """

    __slots__ = ("_key", "_places")

    def __init__(self, seed: int, simulator: str, version: int, fields: Sequence[str]) -> None:
        self._key = blake2b(f"seedjournal:draw:1\n{seed}\n{simulator}\n{version}".encode(), digest_size=32).digest()
        self._places = {field: place for place, field in enumerate(fields)}

    def of(self, *key: str | int) -> Draw:
        """The draws for the entity with that natural key; the parts are told apart by their lengths."""
        return Draw(self._key, self._places, key)


class Draw:
    """One entity's draws, by field."""

    __slots__ = ("_blocks", "_entity", "_key", "_places")

    def __init__(self, key: bytes, places: dict[str, int], entity: tuple[str | int, ...]) -> None:
        self._key = key
        self._places = places
        self._entity = "".join(
            f"{len(part)}:{part}" if isinstance(part, str) else f"#{part};" for part in entity
        ).encode()
        self._blocks: dict[int, bytes] = {}

    def bits(self, field: str) -> int:
        """A number of 64 random bits."""
        block, slot = divmod(self._places[field], _SLOTS)
        digest = self._blocks.get(block)
        if digest is None:
            digest = blake2b(self._entity, key=self._key, salt=block.to_bytes(16, "big")).digest()
            self._blocks[block] = digest
        return int.from_bytes(digest[slot * 8 : slot * 8 + 8], "big")

    def unit(self, field: str) -> float:
        """A number in [0, 1), with 53 random bits."""
        return (self.bits(field) >> 11) * _SCALE

    def chance(self, field: str, rate: float) -> bool:
        """Whether something that happens with this rate happened."""
        return self.unit(field) < rate

    def integer(self, field: str, low: int, high: int) -> int:
        """An integer from low to high, both included."""
        return low + (self.bits(field) * (high - low + 1) >> 64)

    def between(self, field: str, low: float, high: float) -> float:
        """A number in [low, high)."""
        return low + (high - low) * self.unit(field)

    def choose(self, field: str, choices: Sequence[tuple[Choice, float]]) -> Choice:
        """One of the choices, by their weights, which sum to 1."""
        left = self.unit(field)
        for choice, weight in choices:
            left -= weight
            if left < 0:
                return choice
        return choices[-1][0]

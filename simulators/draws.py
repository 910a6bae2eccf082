"""Draws: pseudo-random choices that survive change.

Each draw is a pure function of (seed, simulator, generator version, natural key, field). No sequence stands behind it:
adding, removing or reordering entities moves no draw of the others, and neither do processes, threads or hash seeds.
One keyed digest serves eight fields of an entity.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from struct import Struct
from typing import TypeVar

Choice = TypeVar("Choice")

_SLOTS = 8
_SCALE = 2.0**-53
_NUMBERS = Struct(f">{_SLOTS}Q").unpack


class Draws:
    """The draws of one simulator under one seed.

    `fields` names everything the simulator draws, in an order that only ever grows: a field's place in it is part of
    the format.
    """

    __slots__ = ("_places", "_states")

    def __init__(self, seed: int, simulator: str, version: int, fields: Sequence[str]) -> None:
        key = blake2b(f"seedjournal:draw:1\n{seed}\n{simulator}\n{version}".encode(), digest_size=32).digest()
        self._places = {field: divmod(place, _SLOTS) for place, field in enumerate(fields)}
        # Keyed once and copied for each entity: half the work of a digest is its key.
        blocks = -(-len(fields) // _SLOTS)
        self._states = [blake2b(key=key, salt=block.to_bytes(16, "big")) for block in range(blocks)]

    def of(self, *key: str | int) -> Draw:
        """Return the draws for the entity with that natural key; each part's length keeps keys apart."""
        return Draw(self._states, self._places, key)


class Draw:
    """One entity's draws, by field."""

    __slots__ = ("_blocks", "_entity", "_places", "_states")

    def __init__(
        self, states: list[blake2b], places: dict[str, tuple[int, int]], entity: tuple[str | int, ...]
    ) -> None:
        self._states = states
        self._places = places
        text = ""
        for part in entity:
            text += f"{len(part)}:{part}" if isinstance(part, str) else f"#{part};"
        self._entity = text.encode()
        self._blocks: dict[int, tuple[int, ...]] = {}

    def bits(self, field: str) -> int:
        """Return a number of 64 random bits."""
        block, slot = self._places[field]
        numbers = self._blocks.get(block)
        if numbers is None:
            state = self._states[block].copy()
            state.update(self._entity)
            numbers = self._blocks[block] = _NUMBERS(state.digest())
        return numbers[slot]

    def unit(self, field: str) -> float:
        """Return a number in [0, 1), with 53 random bits."""
        return (self.bits(field) >> 11) * _SCALE

    def chance(self, field: str, rate: float) -> bool:
        """Return whether something that happens with this rate happened."""
        return self.unit(field) < rate

    def integer(self, field: str, low: int, high: int) -> int:
        """Return an integer from low to high, both included."""
        return low + (self.bits(field) * (high - low + 1) >> 64)

    def between(self, field: str, low: float, high: float) -> float:
        """Return a number in [low, high)."""
        return low + (high - low) * self.unit(field)

    def choose(self, field: str, choices: Sequence[tuple[Choice, float]]) -> Choice:
        """Return one of the choices, by their weights, which sum to 1."""
        left = self.unit(field)
        for choice, weight in choices:
            left -= weight
            if left < 0:
                return choice
        return choices[-1][0]

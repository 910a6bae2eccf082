"""Surrogate ids that are derived from natural keys: the same in every database and after every rebuild.

An id is the first 53 bits of a hash of (kind, natural key): safe in JavaScript and JSON. Of two keys that collide the
greater one takes the next 53 bits of its hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from journal import KeyBytes

ID_TAG = b"seedjournal:id:1\n"
BITS = 53
_WIDTH = 256


def derived_id(kind: str, key: KeyBytes, window: int = 0) -> int:
    """The key's id; `window` counts the 53 bits taken, from the first on."""
    text = ID_TAG + kind.encode() + b"\n" + key
    per_digest = _WIDTH // BITS
    block, place = divmod(window, per_digest)
    digest = hashlib.sha256(text if block == 0 else text + b"\n%d" % block).digest()
    if window == 0:
        return int.from_bytes(digest[:7], "big") >> 3
    return (int.from_bytes(digest, "big") >> (_WIDTH - BITS * (place + 1))) & (2**BITS - 1)


def later_ids(kind: str, key: KeyBytes) -> Iterator[int]:
    """The ids that a key takes when its first one is taken, in order."""
    window = 1
    while True:
        yield derived_id(kind, key, window)
        window += 1


@dataclass(slots=True)
class Ids:
    """The ids that rows have in one target: derived, but for those remembered there."""

    remembered: dict[tuple[str, KeyBytes], int] = field(default_factory=dict)

    def of(self, kind: str, key: KeyBytes) -> int:
        """The id under which children point to the entity."""
        if self.remembered:
            known = self.remembered.get((kind, key))
            if known is not None:
                return known
        return derived_id(kind, key)


def is_ours(kind: str, key: KeyBytes, number: int, shifted: Mapping[tuple[str, KeyBytes], int]) -> bool:
    """Whether a row with this id and key is one that a projection made."""
    return number == derived_id(kind, key) or shifted.get((kind, key)) == number

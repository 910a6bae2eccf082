"""Surrogate ids that are derived from natural keys: the same in every database and after every rebuild.

An id is the first 53 bits of a hash of (kind, natural key): safe in JavaScript and JSON. Of two keys that collide the
greater one takes the next 53 bits of its hash.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import count, dropwhile, islice

from seedjournal.journal import KeyBytes

from .notes import Noted

ID_TAG = b"seedjournal:id:1\n"
BITS = 53
_WIDTH = 256


def derived_id(kind: str, key: KeyBytes, window: int = 0) -> int:
    """The key's id; `window` counts the 53 bits taken, from the first on."""
    text = b"%b%b\n%b" % (ID_TAG, kind.encode(), key)
    if window == 0:  # nearly every row's, several times over
        return int.from_bytes(sha256(text).digest(), "big") >> (_WIDTH - BITS)
    block, place = divmod(window, _WIDTH // BITS)
    digest = sha256(text if block == 0 else text + b"\n%d" % block).digest()
    return (int.from_bytes(digest, "big") >> (_WIDTH - BITS * (place + 1))) & ((1 << BITS) - 1)


def windows(kind: str, key: KeyBytes) -> Iterator[int]:
    """The ids that a key would have, in order: each where all before it are taken."""
    return (derived_id(kind, key, window) for window in count())


def later_ids(kind: str, key: KeyBytes, number: int) -> Iterator[int]:
    """The ids that a key would have instead of this one of its own, in order."""
    return islice(dropwhile(lambda one: one != number, windows(kind, key)), 1, None)


@dataclass(slots=True)
class Ids:
    """The ids that rows have in one target: derived, but for those remembered there."""

    noted: Noted = field(default_factory=dict)

    def of(self, kind: str, key: KeyBytes) -> int:
        """The id under which children point to the entity."""
        if self.noted:
            known = self.noted.get((kind, key))
            if known is not None:
                return known.id
        return derived_id(kind, key)

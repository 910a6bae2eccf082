"""What a database's error means for people: kind, reason and the way out; each dialect names its own errors."""

from __future__ import annotations

from typing import NamedTuple

from ..errors import Busy, Unavailable


class Trouble(NamedTuple):
    """A known failure: the error to raise, what to say before the database's own words, and what to do."""

    error: type[Unavailable]
    says: str
    hint: str


LOCKED = Trouble(Busy, "is locked by another process", "Wait for the other process, or give a longer --wait SECONDS.")

REFUSAL = "rows of a journal are never changed; seedjournal forget removes runs"  # what the guards say

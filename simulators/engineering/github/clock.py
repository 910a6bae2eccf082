"""Time and chance of a fetch, handed in so that tests neither wait nor draw."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime


class Clock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """The present moment, in UTC."""
        return datetime.now(UTC)

    def elapsed(self) -> float:
        """Seconds since some moment; never goes back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    def jitter(self) -> float:
        """A number in [0, 1), so that many clients do not come back at once."""
        return random.random()  # noqa: S311 - no secret depends on it

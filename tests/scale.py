"""How much a test tries: little in `make test`, much in `make soak`, which sets a seed and a moment to stop at."""

from __future__ import annotations

import os
import random
import time

SEED = "SOAK_SEED"  # a number; that it is set tells that this is a soak
UNTIL = "SOAK_UNTIL"  # seconds since the epoch


def is_soak() -> bool:
    """Whether this is a long run."""
    return SEED in os.environ


def times(quick: int, long: int) -> int:
    """How often something is tried."""
    return long if is_soak() else quick


def is_over() -> bool:
    """Whether a long run's time is over: what repeats itself stops, having tried less."""
    return time.time() > float(os.environ.get(UNTIL, "inf"))


def chance(*about: object) -> random.Random:
    """Random choices that are the same each time in `make test`, and follow from the seed in a soak."""
    return random.Random(f"{os.environ.get(SEED, '0')} {about}")

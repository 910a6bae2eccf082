"""Replays journal states into relational tables by natural-key rules. Knows no source and no simulator."""

from .check import check, has_positions, listed
from .replay import Choice, KindResult, Projected, preview, project
from .tables import METADATA, RULES, TARGET_HISTORY

__all__ = [
    "METADATA",
    "RULES",
    "TARGET_HISTORY",
    "Choice",
    "KindResult",
    "Projected",
    "check",
    "has_positions",
    "listed",
    "preview",
    "project",
]

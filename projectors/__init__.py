"""Replays journal states into relational tables by natural-key rules. Knows no source and no simulator."""

from .check import check, has_positions, listed, unchecked
from .notes import positioned_projects as shown_projects
from .replay import Choice, KindResult, Projected, preview, project
from .tables import METADATA, RULES, TARGET_HISTORY
from .withdrawal import withdraw

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
    "shown_projects",
    "unchecked",
    "withdraw",
]

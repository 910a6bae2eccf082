"""Replays journal states into relational tables by natural key. Knows no source, no simulator and no domain.

Whoever calls passes a layout: a domain's kinds and the tables that hold them. Two rooms are imported by their own
names, when they are needed: `mapped` for tables that others own, and `starting` for `init`.
"""

from .check import check, days_moved, listed, unchecked
from .compare import compare_target
from .layout import Layout, build_layout, ensure_target, is_ready, make_tables
from .notes import TARGET_HISTORY
from .notes import shown_projects as shown_projects
from .replay import Choice, DeletesMany, KindResult, Projected, Today, both, preview, project, remove_project

__all__ = [
    "TARGET_HISTORY",
    "Choice",
    "DeletesMany",
    "KindResult",
    "Layout",
    "Projected",
    "Today",
    "both",
    "build_layout",
    "check",
    "compare_target",
    "days_moved",
    "ensure_target",
    "is_ready",
    "listed",
    "make_tables",
    "preview",
    "project",
    "remove_project",
    "shown_projects",
    "unchecked",
]

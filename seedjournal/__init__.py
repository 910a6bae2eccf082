"""seedjournal: record seed data once, project it into any database, and know exactly what changed.

The public API. Names are loaded when they are first used, so that importing the package costs next to nothing.

>>> import seedjournal
>>> seedjournal.Policy.ONCE.value
'once'
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .journal import (
        Database,
        Event,
        Kind,
        Policy,
        Run,
        SeedJournalError,
        Vocabulary,
        compare,
        find_run,
        open_database,
        verify,
    )
    from .projectors import Choice, Projected, check, project
    from .simulators import Project, Recorded, RecordOptions, Source, make_project, record

_ROOMS = ("journal", "projectors", "simulators")

__all__ = [
    "Choice",
    "Database",
    "Event",
    "Kind",
    "Policy",
    "Project",
    "Projected",
    "RecordOptions",
    "Recorded",
    "Run",
    "SeedJournalError",
    "Source",
    "Vocabulary",
    "__version__",
    "check",
    "compare",
    "find_run",
    "make_project",
    "open_database",
    "project",
    "record",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module(f"{__name__}.version").VERSION
    if name in __all__:
        rooms = (import_module(f"{__name__}.{room}") for room in _ROOMS)
        return next(getattr(room, name) for room in rooms if hasattr(room, name))
    raise AttributeError(f"module 'seedjournal' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__

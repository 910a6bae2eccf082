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
    from .simulators import Order, Project, Recorded, Source, make_project, record

_ROOMS = {
    "journal": (
        "Database",
        "Event",
        "Kind",
        "Policy",
        "Run",
        "SeedJournalError",
        "Vocabulary",
        "compare",
        "find_run",
        "open_database",
        "verify",
    ),
    "projectors": ("Choice", "Projected", "check", "project"),
    "simulators": ("Order", "Project", "Recorded", "Source", "make_project", "record"),
}
_HOME = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = [
    "Choice",
    "Database",
    "Event",
    "Kind",
    "Order",
    "Policy",
    "Project",
    "Projected",
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
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version("seedjournal")
        except PackageNotFoundError:
            return "0+checkout"
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module 'seedjournal' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__

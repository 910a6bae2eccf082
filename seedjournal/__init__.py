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
        Policy,
        SeedJournalError,
        Vocabulary,
        compare,
        find_run,
        open_database,
        verify,
    )
    from .projectors import Choice, Projected, check, project
    from .projectors.mapping import (
        Tables,
        const,
        field,
        generic,
        initial,
        lookup,
        now,
        null_as,
        ref,
        soft_delete,
        touch,
        values,
    )
    from .simulators.domain import Domain, Its, Summary, by
    from .simulators.drawing import All, Draw
    from .simulators.engineering.api import Project, Recorded, RecordOptions, Source, make_project, record
    from .simulators.engineering.kinds import ENGINEERING
    from .simulators.facts import Run, csv, json_lines
    from .simulators.kinds import Document, Fixed, Json, KeyAs, Kind, Places, Size, at

_DOMAIN = {
    "domain": ("Domain", "Its", "Summary", "by"),
    "drawing": ("All", "Draw"),
    "engineering.kinds": ("ENGINEERING",),
    "facts": ("Run", "csv", "json_lines"),
    "kinds": ("Document", "Fixed", "Json", "KeyAs", "Kind", "Places", "Size", "at"),
}
_MAP = (
    "Tables",
    "const",
    "field",
    "generic",
    "initial",
    "lookup",
    "now",
    "null_as",
    "ref",
    "soft_delete",
    "touch",
    "values",
)
_HOMES = {
    **{name: f"simulators.{module}" for module, names in _DOMAIN.items() for name in names},
    **dict.fromkeys(_MAP, "projectors.mapping"),
}
_ROOMS = ("journal", "projectors", "simulators.engineering.api")

__all__ = [
    "ENGINEERING",
    "All",
    "Choice",
    "Database",
    "Document",
    "Domain",
    "Draw",
    "Event",
    "Fixed",
    "Its",
    "Json",
    "KeyAs",
    "Kind",
    "Places",
    "Policy",
    "Project",
    "Projected",
    "RecordOptions",
    "Recorded",
    "Run",
    "SeedJournalError",
    "Size",
    "Source",
    "Summary",
    "Tables",
    "Vocabulary",
    "__version__",
    "at",
    "by",
    "check",
    "compare",
    "const",
    "csv",
    "field",
    "find_run",
    "generic",
    "initial",
    "json_lines",
    "lookup",
    "make_project",
    "now",
    "null_as",
    "open_database",
    "project",
    "record",
    "ref",
    "soft_delete",
    "sql",
    "touch",
    "values",
    "verify",
]


def sql(text: str, query: str | None = None, **constants: Any) -> Any:
    """State facts by a query, `sql("postgresql://…", "SELECT …")`, or compute a map's column, `sql("lower(:name)")`."""
    if query is None:
        from .projectors.mapping import sql as computed

        return computed(text)
    from .simulators.facts import sql as stated

    return stated(text, query, **constants)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module(f"{__name__}.version").VERSION
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    if name in __all__:
        rooms = (import_module(f"{__name__}.{room}") for room in _ROOMS)
        return next(getattr(room, name) for room in rooms if hasattr(room, name))
    raise AttributeError(f"module 'seedjournal' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__

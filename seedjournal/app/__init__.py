"""The commands' use cases: plain functions from choices to result documents, the same that `--json` prints.

Nothing here prints; progress goes to the `tell` that the caller gives. Names are loaded when they are first used, so
that a command costs the start-up of what it needs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .checking import migrate, verify
    from .comparing import Comparison, diff
    from .documents import FORMAT, Tell, window_of
    from .fetching import delete_fetched, estimate, export_fetched, list_fetched
    from .forgetting import ForgetChoice, forget
    from .looking import log, names_run, registry, show_entity, show_run
    from .place import Place
    from .projecting import project
    from .recording import RecordChoice, record

_MODULES = {
    "checking": ("migrate", "verify"),
    "comparing": ("Comparison", "diff"),
    "documents": ("FORMAT", "Tell", "window_of"),
    "fetching": ("delete_fetched", "estimate", "export_fetched", "list_fetched"),
    "forgetting": ("ForgetChoice", "forget"),
    "looking": ("log", "names_run", "registry", "show_entity", "show_run"),
    "place": ("Place",),
    "projecting": ("project",),
    "recording": ("RecordChoice", "record"),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "FORMAT",
    "Comparison",
    "ForgetChoice",
    "Place",
    "RecordChoice",
    "Tell",
    "delete_fetched",
    "diff",
    "estimate",
    "export_fetched",
    "forget",
    "list_fetched",
    "log",
    "migrate",
    "names_run",
    "project",
    "record",
    "registry",
    "show_entity",
    "show_run",
    "verify",
    "window_of",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

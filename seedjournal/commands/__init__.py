"""The commands, one file a family: options, work and printing. A family is loaded when one of its commands runs.

Here are the exit statuses, which every command's help explains, and the moment at which the rooms are loaded.
"""

from __future__ import annotations

import sys
from importlib.util import LazyLoader, find_spec, module_from_spec

FINE, DIFFERENT, WRONG_USE, NOT_DONE, OUR_BUG, INTERRUPTED = 0, 1, 2, 3, 4, 130

_PACKAGE = __name__.partition(".")[0]
_ROOMS = tuple(f"{_PACKAGE}.{room}" for room in ("journal", "projectors", "simulators.engineering.api"))


def load_rooms_later() -> None:
    """Let each room load when something in it is first used, so that no help and no mistyped option waits for it."""
    for name in _ROOMS:
        if name not in sys.modules and (spec := find_spec(name)) and spec.loader:
            spec.loader = LazyLoader(spec.loader)
            sys.modules[name] = room = module_from_spec(spec)
            spec.loader.exec_module(room)
            parent, _, last = name.rpartition(".")
            setattr(sys.modules[parent], last, room)


def load_rooms_of(family: str) -> None:
    """Load the rooms that a family of commands works with, while an interrupt still ends the process at once."""
    named = [id(one) for one in vars(sys.modules[family]).values()]
    for name in _ROOMS:
        if id(sys.modules.get(name)) in named:
            getattr(sys.modules[name], "__all__")  # noqa: B009 - what is first asked of a room loads it


def exits(fine: str, different: str = "") -> str:
    """Return the exit statuses, as the end of a command's help."""
    meant = {
        FINE: fine,
        DIFFERENT: different,
        WRONG_USE: "usage error",
        NOT_DONE: "failed: bad input, no database, no such file",
        OUR_BUG: "a bug in seedjournal",
        INTERRUPTED: "interrupted; nothing is half written",
    }
    return "\b\nExit status:\n" + "\n".join(f"  {status:<4} {text}" for status, text in meant.items() if text)

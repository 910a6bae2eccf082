"""Failing: what a user's own code raised, in their words and with their own lines."""

from __future__ import annotations

import sysconfig
import traceback
from pathlib import Path
from types import TracebackType
from typing import Any

from seedjournal.journal import BadInput, SeedJournalError

_NOT_THEIRS = (  # folders: the package's, and those of libraries
    str(Path(__file__).parents[1]),
    *{path for name, path in sysconfig.get_paths().items() if name.endswith("lib")},
)
_MOST_LINES = 6
_LONGEST = 60  # characters of a value that an error shows


class SimulatorFailed(BadInput):
    """A simulator, a summary or a function that states facts raised an exception, or is not pure."""

    kind = "simulator"


def failed(what: str, error: BaseException) -> SimulatorFailed:
    """Return the error of a user's function: what failed, why, and the user's own lines."""
    return SimulatorFailed(
        f"{what}: {reason_of(error)}{own_lines(error.__traceback__)}",
        error.hint
        if isinstance(error, SeedJournalError) and error.hint
        else "Correct the function; nothing was recorded.",
    )


def reason_of(error: BaseException) -> str:
    """Return an exception's message. The name of its type comes first, unless it is an error of seedjournal's own."""
    if isinstance(error, SeedJournalError):
        return error.message
    if isinstance(error, SyntaxError) and error.filename:
        line = (error.text or "").strip()
        return f"{type(error).__name__}: {error.msg}\n  {Path(error.filename).name}, line {error.lineno}: {line}"
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def own_lines(trace: TracebackType | None) -> str:
    """Return the user's own lines of a traceback, one below the other; at most the last six."""
    own = [one for one in traceback.extract_tb(trace) if not _is_foreign(one.filename)]
    shown = [f"\n  {Path(one.filename).name}, line {one.lineno}, in {one.name}: {one.line}" for one in own]
    return ("\n  …" if len(shown) > _MOST_LINES else "") + "".join(shown[-_MOST_LINES:])


def _is_foreign(file: str) -> bool:
    return file.startswith("<") or any(Path(file).is_relative_to(one) for one in _NOT_THEIRS)


def brief(value: Any) -> str:
    """Return a value as an error shows it: its beginning, where it is long.

    >>> brief("x" * 100)
    "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…"
    """
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"

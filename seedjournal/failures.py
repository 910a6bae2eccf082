"""Failures: the message, kind and exit status that users see for an exception. Only this module decides them.

Imported only when something did go wrong, so that nothing else waits for it.
"""

from __future__ import annotations

import re
import sqlite3
import sys
import traceback
from dataclasses import dataclass
from typing import Any

import click

from seedjournal import journal as j

from .commands import INTERRUPTED, NOT_DONE, OUR_BUG, WRONG_USE
from .settings import FILLED
from .terminal import folded, shown

_PASSWORD = re.compile(r"(://[^\s/@:]*):\S*@")
_TOKEN = re.compile(r"(\bhttps?://)[^\s/@:]+@")
_PARAMETER = re.compile(r"((?:password|token)\w{0,30}=)[^&\s'\"]+", re.IGNORECASE)
_GITHUB_TOKEN = re.compile(r"\b(?:gh[pousr]|github_pat)_\w+")
_LONGEST_LINE = 4_000
_SECRETS = ((_PASSWORD, r"\1:***@"), (_TOKEN, r"\1***@"), (_PARAMETER, r"\1***"), (_GITHUB_TOKEN, "***"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What failed and which thing, what to do next, and the exit status; without control characters or passwords."""

    kind: str
    message: str
    hint: str
    status: int

    @property
    def document(self) -> dict[str, Any]:
        """The failure as `--json` prints it."""
        return {"error": {"kind": self.kind, "message": self.message, "hint": self.hint}}

    @property
    def text(self) -> str:
        """The failure as people read it."""
        return f"error: {self.message}" + (f"\n  try: {self.hint}" if self.hint else "")


def explain(error: BaseException) -> Failure:
    """Return the failure that describes what was raised."""
    kind, message, hint, status = _told(error)
    return Failure(kind=kind, message=without_secrets(message), hint=without_secrets(hint), status=status)


def complain(failure: Failure) -> None:
    """Say on stderr what failed, over as many lines as a terminal needs."""
    is_terminal = sys.stderr is not None and sys.stderr.isatty()
    click.echo(folded(failure.text) if is_terminal else failure.text, err=True)


def trace(error: BaseException) -> None:
    """Print a traceback on stderr."""
    click.echo(without_secrets("".join(traceback.format_exception(error))), err=True)


def without_secrets(text: str) -> str:
    """Return text with `***` for passwords in addresses, and with everything escaped that a terminal should not get.

    >>> without_secrets("postgresql://me:s@cret@localhost/db and https://token@host/x")
    'postgresql://me:***@localhost/db and https://***@host/x'
    """
    lines = []
    for line in map(_cut, text.split("\n")):
        for secret, instead in _SECRETS:
            line = secret.sub(instead, line)  # noqa: PLW2901 - piece by piece
        for name, value in FILLED.items():
            if value:
                line = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", f"${{{name}}}", line)  # noqa: PLW2901
        lines.append(shown(line))
    return "\n".join(lines)


def _cut(line: str) -> str:
    """Return a line that people can read; what is cut off begins with a word, so that no address loses only its end."""
    if len(line) <= _LONGEST_LINE:
        return line
    return f"{line[:_LONGEST_LINE].rpartition(' ')[0]} … (+{len(line) - _LONGEST_LINE:,} characters)"


def _told(error: BaseException) -> tuple[str, str, str, int]:
    """Return kind, message, hint and exit status."""
    match error:
        case KeyboardInterrupt() | click.Abort():
            return "interrupted", "Interrupted; nothing is half written.", "", INTERRUPTED
        case click.ClickException():
            context = getattr(error, "ctx", None)
            path = context.command_path if context else "seedjournal"
            return "usage", error.format_message(), f"Run `{path} --help`.", WRONG_USE
        case j.SeedJournalError():  # behind click's own errors, for which the journal need not be loaded
            status = WRONG_USE if isinstance(error, j.Misuse) else NOT_DONE
            return error.kind, error.message, error.hint, status
        case UnicodeEncodeError():  # which texts of a source are not: they were looked at
            part = error.object[error.start : error.end]
            return "usage", f"{part!r} is not valid UTF-8.", "Write it in UTF-8.", WRONG_USE
        case MemoryError() | RecursionError() | OSError() | sqlite3.OperationalError():
            return "unavailable", _named(error), "Check disk, memory and permissions.", NOT_DONE
    return (
        "bug",
        f"A bug in seedjournal: {_named(error)}",
        "Run the command again with --debug, and report what it prints.",
        OUR_BUG,
    )


def _named(error: BaseException) -> str:
    first = str(error).strip().splitlines()
    return ": ".join([type(error).__name__, *first[:1]])

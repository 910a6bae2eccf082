"""The commands, one file a family: options, work and printing. A family is loaded when one of its commands runs.

Here are only the exit statuses, which every command's help explains.
"""

from __future__ import annotations

FINE, DIFFERENT, WRONG_USE, NOT_DONE, OUR_BUG, INTERRUPTED = 0, 1, 2, 3, 4, 130


def exits(fine: str, different: str = "") -> str:
    """The exit statuses, as the end of a command's help."""
    meant = {
        FINE: fine,
        DIFFERENT: different,
        WRONG_USE: "the command was used wrongly",
        NOT_DONE: "it could not be done: bad input, no database, no such file",
        OUR_BUG: "a bug of seedjournal's",
        INTERRUPTED: "interrupted; nothing is half done",
    }
    return "\b\nExit status:\n" + "\n".join(f"  {status:<4} {text}" for status, text in meant.items() if text)

"""Errors that carry facts and a hint.

One base class and a few kinds. The command line maps each kind to an exit code, in one place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar


class SeedJournalError(Exception):
    """What failed, which thing, and what to do next.

    `kind` names the sort of failure for programs; `hint` is the way out for people.
    """

    kind: ClassVar[str] = "error"

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Misuse(SeedJournalError):
    """The call was wrong: a bad option, an unknown project, a run that does not exist."""

    kind = "usage"


class BadInput(SeedJournalError):
    """A source or a setting holds something that cannot be right; nothing was recorded."""

    kind = "input"


class NotCanonical(BadInput):
    """A value has no canonical form: a float, a naive time, a NUL, a lone surrogate, an integer beyond 2^53 - 1."""

    kind = "not_canonical"

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(
            f"{path}: {reason}",
            "Canonical content is text, booleans, null, integers within ±(2^53 - 1), and lists and objects of these. "
            "Write decimals, instants and dates as text.",
        )
        self.path = path


class TwoEventsOneKey(BadInput):
    """A run names one entity twice; a manifest holds at most one event for each key."""

    kind = "two_events_one_key"

    def __init__(self, kind: str, key: bytes, first: bytes, second: bytes) -> None:
        super().__init__(
            f"{kind} {key.decode()} occurs twice in one run: {first.hex()[:12]} and {second.hex()[:12]}.",
            "A run holds one event for each entity. Remove one of the two from the source.",
        )


class ChangedByUpgrade(SeedJournalError):
    """Other versions of tools make different events from the same input; nothing was recorded.

    `tools` says what differs, such as "Faker 40.54 → 41.0"; `events` counts by kind what would be added, changed or
    removed against `run`.
    """

    kind = "upgrade"

    def __init__(self, project: str, run: int, tools: Sequence[str], events: Mapping[str, int]) -> None:
        kinds = ", ".join(f"{kind} {count:,}" for kind, count in events.items())
        what = ", ".join(tools)
        super().__init__(
            f"{what[:1].upper()}{what[1:]} would change {sum(events.values()):,} events of project {project!r}, "
            f"although the input is the same as in run {run} ({kinds}); nothing was recorded.",
            f"Add --accept-upgrade to accept the changes, or install the versions that `seedjournal show {run}` lists.",
        )
        self.tools = tuple(tools)
        self.events = dict(events)


class Unavailable(SeedJournalError):
    """A database or a file that is needed cannot be used."""

    kind = "unavailable"


class Busy(Unavailable):
    """Another process holds what this one needs, and the wait is over."""

    kind = "busy"


class WrongSchema(Unavailable):
    """A database's tables are absent, older or newer than this version's, or somebody else's."""

    kind = "schema"


class Damaged(Unavailable):
    """A journal refers to something that it does not hold."""

    kind = "damaged"

    def __init__(self, message: str) -> None:
        super().__init__(message, "Run `seedjournal verify` to see everything that is wrong with this journal.")

"""What all facts together say of a member: who leads, and who is active on the run's day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

from seedjournal.journal import Event

from .people import is_bot
from .project import Project

VERSION = 1

_ACTIVE_DAYS = 180


class Statuses:
    """Takes what members did, and then tells who leads and who is active."""

    __slots__ = ("_latest", "_merged")

    def __init__(self) -> None:
        self._merged: Counter[str] = Counter()
        self._latest: dict[str, str] = {}

    def active(self, member: str | None, moment: str) -> None:
        """Note that a member did something."""
        if member is not None and moment > self._latest.get(member, ""):
            self._latest[member] = moment

    def pull_request(self, data: Any) -> None:
        """Count a merge for the author; a program never leads."""
        author = data["author"]
        if author is not None and data["merged_at"] and not is_bot(author):
            self._merged[author] += 1

    def events(self, project: Project, members: Iterable[str], as_of: date) -> Iterator[Event]:
        """Yield each member's status: the author of most merges leads, and of those with as many the first by login.

        Who did nothing in the 180 days up to `as_of` is not active.
        """
        most = max(self._merged.values(), default=0)
        lead = min((member for member, count in self._merged.items() if count == most), default=None)
        for member in sorted(members):
            latest = self._latest.get(member)
            days = (as_of - date.fromisoformat(latest[:10])).days if latest else _ACTIVE_DAYS
            yield Event(
                project=project.name,
                kind="member_status",
                key={"team": project.name, "login": member},
                data={"role": "lead" if member == lead else "developer", "is_active": days < _ACTIVE_DAYS},
            )

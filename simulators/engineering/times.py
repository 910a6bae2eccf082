"""Times that cannot be: which they are, and how a recording counts them.

Imported histories are full of them. An impossible time becomes null, and so does what is computed from it; the rest
stays. docs/data.md lists the fields.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from seedjournal.journal import BadInput

from .facts import instant, utc

CLOCKS_DIFFER = timedelta(minutes=1)  # two machines' clocks may show one moment so far apart

OUTSIDE = "a time outside the years 1970 to 9999"
CREATED_OUTSIDE = "a creation outside the years 1970 to 9999 (the pull request's earliest other time replaces it)"
AUTHORED_OUTSIDE = "an author's time outside the years 1970 to 9999 (the committer's time replaces it)"
MERGED_EARLY = "a merge before the creation"
CLOSED_EARLY = "a close before the creation"
CLOSED_BEFORE_MERGED = "a close before the merge"
REVIEWED_EARLY = "a review before the pull request's creation"
ENDED_EARLY = "a check run's end before its start"

_FIRST_YEAR = 1970
_NAMED = 3  # places of each kind that a message names


def possible(moment: datetime) -> datetime | None:
    """Return an instant in UTC; None where no source can have been: before 1970, or after 9999."""
    if moment.tzinfo is not UTC:
        try:
            moment = utc(moment)
        except OverflowError:
            return None
    return moment if moment.year >= _FIRST_YEAR else None


@dataclass(slots=True)
class ImpossibleTimes:
    """The impossible times that one reading of a source found: how many of each kind, and where the first ones are."""

    counts: dict[str, int] = field(default_factory=dict)
    named: dict[str, list[str]] = field(default_factory=dict)

    def add(self, kind: str, where: str) -> None:
        """Count one more of a kind; `where` names the thing and its field."""
        self.counts[kind] = self.counts.get(kind, 0) + 1
        named = self.named.setdefault(kind, [])
        if len(named) < _NAMED:
            named.append(where)

    def notices(self) -> list[str]:
        """Return a sentence that counts them by kind; nothing where all times are possible."""
        if not self.counts:
            return []
        them = "it" if sum(self.counts.values()) == 1 else "them"
        sentence = f"{self._number()} became null, and so did what is computed from {them}: {self._kinds()}"
        return [f"{sentence}. docs/data.md lists the fields; --strict refuses such a source"]

    def refuse(self, source: str) -> None:
        """Raise BadInput that names the first ones, if there are any."""
        if self.counts:
            raise BadInput(
                f"The source {source} has {self._number()}: {self._kinds()}",
                "Correct the source, or record without --strict, which stores these times as null.",
            )

    def _number(self) -> str:
        total = sum(self.counts.values())
        return f"{total:,} impossible time{'' if total == 1 else 's'}"

    def _kinds(self) -> str:
        return "; ".join(
            f"{kind} ({count:,}: {', '.join(self.named[kind])}{', …' if count > _NAMED else ''})"
            for kind, count in sorted(self.counts.items())
        )


@dataclass(frozen=True, slots=True)
class Checked:
    """The times of one pull request, or of one commit, `where`; counts in `found` what is impossible."""

    where: str
    found: ImpossibleTimes

    def possible(self, moment: datetime | None, what: str) -> datetime | None:
        """Return the instant in UTC; None where it is unknown or lies outside the years 1970 to 9999."""
        if moment is None:
            return None
        kept = possible(moment)
        if kept is None:
            self.found.add(OUTSIDE, f"{self.where} {what} {moment.isoformat()}")
        return kept

    def created(self, moment: datetime, others: Sequence[datetime | None]) -> datetime | None:
        """Return when the pull request was created: where that is impossible, its earliest possible other time."""
        kept = possible(moment)
        if kept is not None:
            return kept
        kept = min((time for other in others if other and (time := possible(other))), default=None)
        if kept is not None:
            self.found.add(CREATED_OUTSIDE, f"{self.where} created_at {moment.isoformat()}")
        return kept

    def not_before(
        self,
        moment: datetime | None,
        start: datetime | None,
        kind: str,
        what: str,
        *,
        by: timedelta = timedelta(),
    ) -> datetime | None:
        """Return the time; None where it is unknown or lies before `start`, by more than `by`."""
        if moment is None or start is None or start - moment <= by:
            return moment
        self.found.add(kind, f"{self.where} {what} {instant(moment)}")
        return None

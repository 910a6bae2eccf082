"""A pull request as its row will show it: what computed kinds are made from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from .shapes import HOURS, LINES, REVIEWS, blend, rank


@dataclass(frozen=True, slots=True)
class Shown:
    """A pull request as its row will show it.

    `data` is its event's content; `reviewers` has each other account once, sorted, programs too; `reviews` counts
    the reviews by others, by nobody known as well; `code_files` counts files of code.
    """

    repo: str
    number: int
    data: Any
    reviewers: tuple[str, ...] = ()
    reviews: int = 0
    code_files: int = 0

    @property
    def lines(self) -> int:
        """The lines changed."""
        return int(self.data["additions"] + self.data["deletions"])

    @property
    def hours(self) -> float:
        """The hours from opening to merge; 0 where they are unknown."""
        return float(self.data["cycle_time_hours"] or 0)

    @property
    def strain(self) -> float:
        """How much it asked of people, in [0, 1]: by its size, its time and its reviews, among real ones."""
        size = blend(rank(LINES, self.lines), rank(HOURS, self.hours), 0.6)
        return blend(size, rank(REVIEWS, self.reviews), 0.7)

    @property
    def is_merged(self) -> bool:
        """Whether it was merged, known when or not."""
        return bool(self.data["state"] == "merged")

    @property
    def opened(self) -> date:
        """The day of its opening."""
        return date.fromisoformat(self.data["pr_created_at"][:10])

    def moment(self, field: str) -> datetime | None:
        """Return the instant in a field."""
        text = self.data[field]
        return None if text is None else datetime.fromisoformat(text)

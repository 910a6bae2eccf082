"""A pull request as its row will show it: what computed kinds are made from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Shown:
    """A pull request as its row will show it.

    `data` is its event's content; `reviewers` has each other account once, sorted, programs too; `is_reviewed` counts
    reviews by nobody known; `code_files` counts files of code.
    """

    repo: str
    number: int
    data: Any
    reviewers: tuple[str, ...] = ()
    is_reviewed: bool = False
    code_files: int = 0

    @property
    def lines(self) -> int:
        """The lines changed."""
        return int(self.data["additions"] + self.data["deletions"])

    @property
    def is_merged(self) -> bool:
        """Whether it was merged, known when or not."""
        return bool(self.data["state"] == "merged")

    def moment(self, field: str) -> datetime | None:
        """Return the instant in a field."""
        text = self.data[field]
        return None if text is None else datetime.fromisoformat(text)

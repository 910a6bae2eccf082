"""Progress of long work, as every room reports it."""

from __future__ import annotations

from typing import Protocol


class Tell(Protocol):
    """Hears of progress: the stage, how many more, of how many, and what else is worth knowing."""

    def __call__(self, stage: str, more: int, total: int | None, note: str = "", /) -> None:
        """Take it."""

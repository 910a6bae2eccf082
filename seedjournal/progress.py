"""Progress on stderr: a live bar on a terminal, a line a stage otherwise, nothing when quiet."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from .app import Tell

_EVERY = 0.1  # seconds between two updates of a bar
_WORTH_A_LINE = 1.0  # seconds a stage takes before it is told of where there is no bar
_WORTH_ANOTHER = 60.0


class Progress:
    """Shows what long work does; used as a context manager around it."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet or sys.stderr is None
        self._live = not self._quiet and sys.stderr.isatty()
        self._bars: Bars | None = None

    def __enter__(self) -> Self:
        """Start; nothing is drawn before there is something to tell."""
        return self

    def __exit__(self, *_: object) -> None:
        """Take the bar away."""
        if self._bars is not None:
            self._bars.stop()

    def stage(self, name: str) -> Tell:
        """A function that hears (stage, how many more, of how many, what else) of one piece of work."""
        if self._quiet:
            return lambda *_: None
        return _Stages(self._live_bars() if self._live else None, name).tell

    def _live_bars(self) -> Bars:
        if self._bars is None:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
            from rich.progress import Progress as Bars

            self._bars = Bars(
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=None),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._bars.start()
        return self._bars


class _Stages:
    """The stages of one piece of work, one after another."""

    def __init__(self, bars: Bars | None, name: str) -> None:
        self._bars = bars
        self._name = name
        self._stage = ""
        self._task: TaskID | None = None
        self._done = 0
        self._since = 0.0
        self._shown = 0.0

    def tell(self, stage: str, more: int, total: int | None, note: str = "", /) -> None:
        """Take what the work says."""
        now = time.monotonic()
        if stage != self._stage:
            self._begin(stage, total, now)
        self._done += more
        if self._bars is None:
            self._say_sometimes(total, note, now)
        elif self._task is not None and (now - self._shown > _EVERY or self._done == total):
            self._shown = now
            title = f"{self._title}: {note}" if note else self._title
            self._bars.update(self._task, completed=self._done, total=total, description=title)

    def _begin(self, stage: str, total: int | None, now: float) -> None:
        self._stage, self._done, self._since, self._shown = stage, 0, now, 0.0
        if self._bars is not None:
            if self._task is not None:
                self._bars.remove_task(self._task)
            self._task = self._bars.add_task(self._title, total=total)

    def _say_sometimes(self, total: int | None, note: str, now: float) -> None:
        """A line for a stage that takes its time, and a line a minute then; quick ones are not worth any."""
        if now - (self._shown or self._since) > (_WORTH_ANOTHER if self._shown else _WORTH_A_LINE):
            self._shown = now
            text = f"{self._title}: {self._done:,} of {total:,} …" if total else f"{self._title} …"
            text += f" ({note})" if note else ""
            with suppress(BrokenPipeError):  # that nobody listens is no reason not to work
                print(text, file=sys.stderr)  # noqa: T201 - this is where it is said

    @property
    def _title(self) -> str:
        from .terminal import shown

        return f"{shown(self._name)}: {self._stage}" if self._name else self._stage

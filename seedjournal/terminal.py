"""What terminals and pipes show: text that is safe and fits, and the progress of long work. Knows no document."""

from __future__ import annotations

import io
import re
import shutil
import sys
import textwrap
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from .progress import Tell

SHORT = 12  # digits of a digest that people see

_LONGEST_VALUE = 60
_DIGEST = re.compile(r"[0-9a-f]{40,}")
_WIDE = 10_000  # in a pipe nothing is folded

_EVERY = 0.1  # seconds between two updates of a bar
_WORTH_A_LINE = 1.0  # seconds a stage takes before a line reports it where there is no bar
_WORTH_ANOTHER = 60.0


def shown(text: str) -> str:
    r"""Return text that a terminal may show: control characters and marks that reverse the writing are escaped.

    >>> shown("a\x1b[31mb")
    'a\\x1b[31mb'
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def folded(text: str) -> str:
    """Return a message's lines, each over as many as the terminal needs; no word is broken."""
    width = shutil.get_terminal_size().columns
    fold = textwrap.TextWrapper(width, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False).fill
    return "\n".join(map(fold, text.split("\n")))


def table(
    heads: Sequence[str], rows: Sequence[Sequence[Any]], *, indent: int = 0, folds: Mapping[str, int] | None = None
) -> str:
    """Return columns that fit the terminal, numbers to the right.

    Only the columns in `folds` may take several lines; it says how wide a word in them stays whole. Where the terminal
    is too narrow for all columns, each row becomes a list of its values, but for zeros.
    """
    folds = folds or {}
    from rich.cells import cell_len
    from rich.console import Console
    from rich.table import Table

    texts = [[f"{cell:,}" if isinstance(cell, int) else shown(str(cell)) for cell in row] for row in rows]
    width = _width() - indent
    for gap in (2, 1):
        drawn = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="", show_edge=False)
        for place, head in enumerate(heads):
            column = [head, *(row[place] for row in texts)]
            least = max(map(cell_len, column if head not in folds else " ".join(column).split()))
            drawn.add_column(
                head,
                justify="right" if rows and all(isinstance(row[place], int) for row in rows) else "left",
                overflow="fold",
                min_width=min(least, folds.get(head, least)),
            )
        for row in texts:
            drawn.add_row(*row)
        out = io.StringIO()
        console = Console(file=out, width=_WIDE, highlight=False, markup=False, emoji=False, color_system=None)
        needed = console.measure(drawn)
        if needed.maximum <= width:
            break
    if needed.minimum > width:
        lists = (_as_list(heads, row, texts[place]) for place, row in enumerate(rows))
        return "\n".join(line for text in lists for line in wrapped(text, " " * indent))
    console.width = width
    console.print(drawn)
    return "\n".join(" " * indent + line.rstrip() for line in out.getvalue().rstrip("\n").split("\n"))


def _as_list(heads: Sequence[str], row: Sequence[Any], texts: Sequence[str]) -> str:
    """Return a table's row as a list, behind the value of its first column."""
    named = [f"{head} {text}" for head, value, text in zip(heads, row, texts, strict=True) if value != 0]
    return f"{texts[0]}: {', '.join(named[1:] if row[0] != 0 else named)}"


def _width() -> int:
    """Return the terminal's columns; a pipe has no limit."""
    return shutil.get_terminal_size().columns if sys.stdout is not None and sys.stdout.isatty() else _WIDE


def wrapped(text: str, indent: str = "  ") -> list[str]:
    """Return a message, indented or not, over as many lines as the terminal needs; no word is broken."""
    return textwrap.wrap(
        text, _width(), initial_indent=indent, subsequent_indent="    ", break_on_hyphens=False, break_long_words=False
    )


def fitted(line: str) -> list[str]:
    """Return a line as it is, or over several lines, further indented, if the terminal is too narrow for it."""
    if len(line) <= _width():
        return [line]
    indent = line[: len(line) - len(line.lstrip())]
    return textwrap.wrap(
        line, _width(), subsequent_indent=f"{indent}    ", break_on_hyphens=False, break_long_words=False
    )


def wrapped_all(texts: Iterable[str]) -> list[str]:
    """Return messages, one after the other, as `wrapped` gives them."""
    return [line for text in texts for line in wrapped(text)]


def old_and_new(head: str, old: Any, new: Any) -> list[str]:
    """Return one field's old and new value, long ones from where they differ; on two lines if one is too short."""
    before, now = _text(old), _text(new)
    start = 0
    if max(len(before), len(now)) > _LONGEST_VALUE:
        common = next((place for place, pair in enumerate(zip(before, now, strict=False)) if pair[0] != pair[1]), 0)
        start = max(0, common - _LONGEST_VALUE // 4)
    line = f"{head}: {_cut(before, start)} → {_cut(now, start)}"
    if len(line) <= _width():
        return [line]
    return [f"{head}: {_cut(before, start)}", f"{' ' * len(head)}→ {_cut(now, start)}"]


def minute(instant: str) -> str:
    """Return an instant for a list, to the minute.

    >>> minute("2024-01-31T10:20:30Z")
    '2024-01-31 10:20'
    """
    return instant[:16].replace("T", " ")


def number_of(count: int, noun: str) -> str:
    """Return a count with its noun.

    >>> number_of(1, "run"), number_of(-1, "week"), number_of(1200, "event")
    ('1 run', '-1 week', '1,200 events')
    """
    return f"{count:,} {noun}" + ("" if abs(count) == 1 else "s")


def value_text(value: Any) -> str:
    """Return a field's value on one line, the beginning of a long one."""
    return _cut(_text(value), 0)


def _text(value: Any) -> str:
    import orjson

    text = shown(value if value and isinstance(value, str) else orjson.dumps(value).decode())
    return f"{text[:SHORT]}…" if _DIGEST.fullmatch(text) else text


def _cut(text: str, start: int) -> str:
    """Return a piece of a text, with how many characters are left out of it."""
    piece = text[start : start + _LONGEST_VALUE]
    behind = len(text) - start - len(piece)
    return ("…" if start else "") + piece + (f"… (+{behind:,} characters)" if behind > 0 else "")


def duration(seconds: int) -> str:
    """Return a duration in words.

    >>> duration(40), duration(400), duration(9000)
    ('40 s', '7 min', '2 h 30 min')
    """
    minutes = -(-seconds // 60)
    if seconds < 90:  # noqa: PLR2004 - what reads best
        return f"{seconds} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"  # noqa: PLR2004


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

    def pause(self) -> None:
        """Take the bar away for a question; the next work draws a new one."""
        if self._bars is not None:
            self._bars.stop()
            self._bars = None

    def stage(self, name: str) -> Tell:
        """Return a function that reports progress of one piece of work: stage, how many more, of how many, a note."""
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
        """Take a report of progress."""
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
        """Print a line for a stage that takes longer than a moment, and then a line a minute."""
        if now - (self._shown or self._since) > (_WORTH_ANOTHER if self._shown else _WORTH_A_LINE):
            self._shown = now
            text = f"{self._title}: {self._done:,} of {total:,} …" if total else f"{self._title} …"
            text += f" ({note})" if note else ""
            with suppress(BrokenPipeError):  # that nobody listens is no reason not to work
                print(text, file=sys.stderr)  # noqa: T201 - this is where it is said

    @property
    def _title(self) -> str:
        return f"{shown(self._name)}: {self._stage}" if self._name else self._stage

"""What all commands share: common options, types of values, parts of help, and printing."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import click

from ..interrupts import begin_work
from ..terminal import fitted, shown
from . import load_rooms_of
from .databases import Databases

LARGEST = 2**53 - 1  # an integer that every JSON reader holds

_IN_MEMORY = 1 << 20  # bytes of a JSON document before it goes through a file
_LONGEST_WAIT = 86_400

RUN = (
    "\b\nRUN is one of\n"
    "  3                a run's number\n"
    "  1280b9c          the first 7 or more digits of a root\n"
    "  PROJECT@latest   the project's newest run\n"
    "  PROJECT@-2       2 runs before it\n\n"
)


class Day(click.ParamType):  # type: ignore[type-arg]
    """A date, YYYY-MM-DD."""

    name = "date"
    says = "a date like 2025-06-30"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Return the date that the text says."""
        if isinstance(value, date):
            return value
        try:
            return datetime.strptime(value, "%Y-%m-%d").date()  # noqa: DTZ007 - a day, no instant
        except ValueError:
            self.fail(f"{value!r} is not {self.says}.", param, ctx)


DAY = Day()


class Today(Day):
    """The date to treat as today: DATE, now, or off."""

    says = "a date like 2025-06-30, now or off"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the date, or off."""
        if value == "off":
            return value
        return datetime.now(UTC).date() if value == "now" else super().convert(value, param, ctx)


TODAY = Today()


class Whole(click.ParamType):  # type: ignore[type-arg]
    """A whole number in a range. An error names the range; click's own type would print it in every help."""

    name = "number"

    def __init__(self, lowest: int, highest: int) -> None:
        self._range = click.IntRange(lowest, highest)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number that the text says."""
        if isinstance(value, str):
            try:
                int(value)
            except ValueError:
                self.fail(f"{value[:40]!r} is not a whole number.", param, ctx)
        return int(self._range.convert(value, param, ctx))


@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """The options that every command has."""

    journal: str | None
    target: str | None
    as_json: bool
    quiet: bool
    wait: int
    debug: bool

    def databases(self, schema: str | None = None) -> Databases:
        """Return the databases to work on."""
        return Databases(journal=self.journal, target=self.target, wait=self.wait, schema=schema)

    def give(self, document: Any, render: Callable[[Any], str], *, folds: bool = True) -> None:
        """Print a result on stdout: as JSON, or rendered for people. What is to be pasted is not folded."""
        if self.as_json:
            print_json(document)
        elif not self.quiet:
            print_text(render(document), folds=folds)


def common_options(command: Callable[..., int]) -> Callable[..., int]:
    """Give a command the options that every command has, as its first argument."""
    options = (
        click.option(
            "--journal",
            metavar="URL",
            help="The journal's database. [env SEEDJOURNAL_JOURNAL; default sqlite:///seedjournal.db]",
        ),
        click.option(
            "--target",
            metavar="URL",
            help="The database that rows go to. [env SEEDJOURNAL_TARGET; default: the journal's]",
        ),
        click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout, also for an error."),
        click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors, or the JSON document."),
        click.option(
            "--wait",
            metavar="SECONDS",
            type=Whole(0, _LONGEST_WAIT),
            default=120,
            help="How long to wait for a busy database. [default: 120]",
        ),
        click.option("--debug", is_flag=True, help="Show a traceback with an error."),
    )

    @functools.wraps(command)
    def run(
        *, journal: str | None, target: str | None, as_json: bool, quiet: bool, wait: int, debug: bool, **own: Any
    ) -> int:
        load_rooms_of(command.__module__)
        begin_work()
        common = Common(journal=journal, target=target, as_json=as_json, quiet=quiet, wait=wait, debug=debug)
        return command(common, **own)

    for option in reversed(options):
        run = option(run)
    return run


def is_terminal(stream: Any) -> bool:
    """Return whether people read or write there."""
    return stream is not None and stream.isatty()


def echo_if_read(text: str) -> None:
    """Print a line before the work starts. If nobody reads the output any more, work all the same."""
    try:
        click.echo(text)
    except BrokenPipeError:
        silence(sys.stdout)


def silence(stream: Any) -> None:
    """Discard everything that is still to be printed, so that no flush fails."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def print_text(text: str, colour: str | None = None, *, folds: bool = True) -> None:
    """Print text for people, with control characters escaped, whatever a database or a source holds."""
    lines = "\n".join(part for line in text.split("\n") for part in (fitted(shown(line)) if folds else [shown(line)]))
    click.echo(click.style(lines, fg=colour) if colour else lines, nl=False)


def print_json(document: Any) -> None:
    """Print a JSON document."""
    import orjson

    click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS))


def print_whole(pieces: Iterable[bytes]) -> None:
    """Print a document once it is complete, so that an error on the way leaves nothing of it on stdout."""
    from tempfile import SpooledTemporaryFile

    with SpooledTemporaryFile(max_size=_IN_MEMORY) as whole:
        whole.writelines(pieces)
        whole.seek(0)
        while piece := whole.read(_IN_MEMORY):
            click.echo(piece, nl=False)

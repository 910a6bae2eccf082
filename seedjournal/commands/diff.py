"""`diff`: the differences of two runs, or of tables and a state."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import click

from seedjournal import journal as j

from .. import settings as config
from ..terminal import SHORT, number_of, old_and_new, shown, table, wrapped
from . import DIFFERENT, FINE, exits
from .databases import Databases, layout, layout_in, opened, opened_journal, opened_target
from .domains import key_text, known_kinds
from .options import LARGEST, RUN, Common, Whole, common_options, is_terminal, print_text, print_whole
from .runs import FORMAT, no_runs, weeks_text, window_of

_TWO = 2
_ON_A_TERMINAL = 200  # changes that diff shows there unless told otherwise
_SIGNS = {"added": "+", "removed": "-", "changed": "~"}
_COLOURS = {"+": "green", "-": "red", "~": "yellow"}


@dataclass(slots=True)
class Comparison:
    """Two runs and their differences. The changes are a stream; the counts fill while it is read.

    `of_states` compares what tables show after the runs, not what the runs say. `other_counts` are those of the states,
    where they are not those of the runs.
    """

    old: j.Run
    new: j.Run
    changes: Iterator[j.EntityChange]
    of_states: bool = False
    of_target: bool = False
    days_moved: int = 0  # of the tables' dates
    other_counts: dict[str, int] | None = None
    kinds: dict[str, dict[str, int]] = field(default_factory=dict)
    left_out: int = 0
    known: Mapping[str, j.Kind] = field(default_factory=dict)
    last_different: tuple[j.Run, j.Run] | None = None

    @property
    def equal(self) -> bool:
        """Whether the runs, their states, or the tables and the state are equal."""
        if self.of_target:
            return not self.shown
        return self.old.state == self.new.state if self.of_states else self.old.root == self.new.root

    @property
    def shown(self) -> int:
        """How many changes passed the filters, including those left out."""
        return sum(sum(counts.values()) for counts in self.kinds.values())


@click.command(
    help="List what differs between two runs, entity by entity and field by field.\n\n"
    "Without runs, it compares the project's last two. With one run, it compares that run and the project's newest. "
    "With --target, it compares the tables as they are with the state after run A, or after the newest run; edits by "
    "others show as differences.",
    epilog="\b\nSymbols:\n"
    "  + kind key           only run B has the entity\n"
    "  - kind key           only run A has it\n"
    "  ~ kind key           both have it, with different content:\n"
    "      field: old → new\n\n" + RUN + exits("compared", "with --exit-code only: something differs"),
)
@click.argument("runs", metavar="[A [B]]", nargs=-1)
@click.option("--project", "project_name", metavar="NAME", help="The project to compare, if the journal has several.")
@click.option("--stat", is_flag=True, help="Print only how many entities of each kind differ.")
@click.option("--schema", metavar="NAME", help="The PostgreSQL schema of the rows, with --target.")
@click.option("--state", is_flag=True, help="Compare the states after the runs, which tables show.")
@click.option("--kind", "kinds", metavar="KIND", multiple=True, help="Show only this kind; may be repeated.")
@click.option(
    "--change",
    "changes",
    metavar="CHANGE",
    type=click.Choice(["added", "removed", "changed"]),
    multiple=True,
    help="Show only what is added, removed or changed; may be repeated.",
)
@click.option(
    "--limit",
    type=Whole(0, LARGEST),
    metavar="N",
    help=f"Show at most N changes, and say how many are left out. [default: {_ON_A_TERMINAL} on a terminal, else none]",
)
@click.option("--exit-code", is_flag=True, help="Exit with 1 when the shown difference is not empty.")
@common_options
def diff(  # noqa: PLR0913 - its options
    common: Common,
    *,
    runs: tuple[str, ...],
    project_name: str | None,
    schema: str | None,
    stat: bool,
    state: bool,
    kinds: tuple[str, ...],
    changes: tuple[str, ...],
    limit: int | None,
    exit_code: bool,
) -> int:
    """Print the differences of two runs, or of tables and a state."""
    of_target = common.target is not None and len(runs) < _TWO  # two runs are in the journal, whatever the target
    if len(runs) > _TWO:
        raise click.UsageError("`diff` compares two runs, but more than two were given.")
    if of_target and state:
        raise click.UsageError("--target compares tables with a state already. Leave out --state.")
    if stat:
        limit = 0
    elif limit is None and not common.as_json and is_terminal(sys.stdout):
        limit = _ON_A_TERMINAL
    choice: dict[str, Any] = {"kinds": kinds, "changes": changes, "limit": limit}
    with (
        compare_rows(replace(common.databases(schema), target=common.target or None), runs, project_name, **choice)
        if of_target
        else compare_runs(common.databases(), runs, project_name, **choice, of_states=state)
    ) as comparison:
        if common.as_json:
            print_whole(_json(comparison))
        else:
            for piece in _text(comparison, stat=stat):
                if not common.quiet:
                    print_text(piece, colour=_COLOURS.get(piece[0]) if is_coloured() else None)
    return DIFFERENT if exit_code and comparison.shown else FINE


diff.params = [
    click.Option(
        ["--target"],
        metavar="[URL]",
        is_flag=False,
        flag_value="",
        help="Compare the tables of the target, or of the one at URL, with a state.",
    )
    if one.name == "target"
    else one
    for one in diff.params
]


def is_coloured() -> bool:
    """Say whether changes are coloured: on a terminal that knows colours, unless NO_COLOR is set."""
    return is_terminal(sys.stdout) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


@contextmanager
def compare_runs(
    databases: Databases,
    names: Sequence[str],
    project_name: str | None,
    *,
    kinds: Sequence[str],
    changes: Sequence[str],
    limit: int | None,
    of_states: bool = False,
) -> Iterator[Comparison]:
    """Compare two runs, or the states after them: those named, or the project's last two."""
    settings = config.load()
    with opened_journal(databases, settings, create=False) as database, database.read() as connection:
        known = _known(connection, kinds)
        old, new = _two_runs(connection, names, project_name)
        if project_name not in {None, new.project}:
            raise j.Misuse(
                f"Run {new.run} belongs to project {new.project!r}, not {project_name!r}.", "Leave out --project."
            )
        comparison = Comparison(old, new, iter(()), of_states=of_states, known=known)
        if comparison.equal and not names and not of_states:
            comparison.last_different = j.last_different(connection, new.project)
        if not of_states:
            comparison.other_counts = _other_counts(connection, old, new)
        compared = (_state_of(old), _state_of(new)) if of_states else (old, new)
        comparison.changes = _filtered(
            j.compare(connection, *compared, set(kinds) or None), comparison, set(changes) or set(j.CHANGES), limit
        )
        yield comparison


@contextmanager
def compare_rows(
    databases: Databases,
    names: Sequence[str],
    project_name: str | None,
    *,
    kinds: Sequence[str],
    changes: Sequence[str],
    limit: int | None,
) -> Iterator[Comparison]:
    """Compare the tables as they are with the state after a run, or after the newest."""
    from seedjournal import projectors

    settings = config.load()
    where = config.addresses(settings, databases.journal, databases.target)
    with (
        opened(where.journal, databases, j.JOURNAL_HISTORY, create=False) as database,
        opened_target(where, databases, create=False) as target,
    ):
        if target is None or not projectors.is_ready(target, layout_in(database)):
            raise j.Misuse(f"There are no rows of seedjournal in {where.target}.", "Check the address and --schema.")
        with projectors.both(database, target, writes=False) as (source, connection):
            run = j.find_run(source, names[0]) if names else _newest_run(source, project_name)
            days = projectors.days_moved(connection).get(run.project, 0)
            known = _known(source, kinds)
            comparison = Comparison(run, run, iter(()), of_target=True, known=known, days_moved=days)
            found = projectors.compare_target(source, connection, layout(source), run, set(kinds) or None)
            comparison.changes = _filtered(found, comparison, set(changes) or set(j.CHANGES), limit)
            yield comparison


def _known(connection: Any, asked: Sequence[str]) -> Mapping[str, j.Kind]:
    """Return the kinds that the journal knows; raise Misuse where one that was asked for is not among them."""
    known = known_kinds(connection)
    for kind in asked:
        if kind not in known:
            raise j.Misuse(f"There is no kind {kind!r}.", f"The kinds are {', '.join(known)}.")
    return known


def _newest_run(connection: Any, project_name: str | None) -> j.Run:
    newest = j.newest_of_each(connection)
    if project_name is None and len(newest) > 1:
        raise j.Misuse("The journal has several projects.", f"Choose one with --project: {', '.join(newest)}.")
    if not newest:
        raise j.Misuse("The journal has no runs.", "Make the first one with `seedjournal record`.")
    name = project_name or next(iter(newest))
    if name not in newest:
        raise no_runs(connection, name)
    return newest[name]


def _state_of(run: j.Run) -> j.Run:
    """Return the run with its state in the place of what it says."""
    return replace(run, root=run.state)


def _other_counts(connection: Any, old: j.Run, new: j.Run) -> dict[str, int] | None:
    """Count what separates the states, if that is not what separates the runs."""
    if (old.root, new.root) == (old.state, new.state):
        return None
    of_states = Counter((one.kind, one.change) for one in j.compare(connection, _state_of(old), _state_of(new)))
    if of_states == Counter((one.kind, one.change) for one in j.compare(connection, old, new)):
        return None
    return {name: sum(count for (_, change), count in of_states.items() if change == name) for name in j.CHANGES}


def _filtered(
    found: Iterator[j.EntityChange], comparison: Comparison, wanted: set[str], limit: int | None
) -> Iterator[j.EntityChange]:
    given = 0
    for one in found:
        if one.change not in wanted:
            continue
        counts = comparison.kinds.setdefault(one.kind, dict.fromkeys(j.CHANGES, 0))
        counts[one.change] += 1
        if limit is None or given < limit:
            given += 1
            yield one
        else:
            comparison.left_out += 1


def _two_runs(connection: Any, names: Sequence[str], project_name: str | None) -> tuple[j.Run, j.Run]:
    if len(names) == 2:  # noqa: PLR2004 - two runs
        old, new = (j.find_run(connection, name) for name in names)
        if old.project != new.project:
            raise j.Misuse(
                f"Run {old.run} belongs to project {old.project!r}, and run {new.run} to project {new.project!r}.",
                "Compare two runs of one project.",
            )
        return old, new
    if len(names) == 1:
        old = j.find_run(connection, names[0])
        newest = j.newest(connection, old.project)
        return old, newest or old
    projects = list(j.newest_of_each(connection))
    if project_name is None:
        if len(projects) > 1:
            raise j.Misuse("The journal has several projects.", f"Choose one with --project: {', '.join(projects)}.")
        if not projects:
            raise j.Misuse("The journal has no runs.", "Make the first one with `seedjournal record`.")
        project_name = projects[0]
    runs = j.all_runs(connection, project_name)
    if not runs:
        raise no_runs(connection, project_name)
    if len(runs) == 1:
        raise j.Misuse(
            f"Project {project_name!r} has only one run, so there is nothing to compare.", "Record it again."
        )
    return runs[-2], runs[-1]


def _text(comparison: Comparison, *, stat: bool) -> Iterator[str]:
    """Yield the comparison as text, in pieces."""
    old, new = comparison.old, comparison.new
    if comparison.of_target:
        yield f"{shown(new.project)}: the tables as they are → the state after run {new.run}\n"
        if comparison.days_moved:
            yield f"  {weeks_text(comparison.days_moved)}; below they are as recorded\n"
    else:
        runs = (f"run {one.run} ({one.root.hex()[:SHORT]})" for one in (old, new))
        yield f"{shown(new.project)}: {' → '.join(runs)}\n"
    if new.inputs["window"]:
        yield f"  run {new.run} was recorded with a window; what is removed may only lie outside it\n"
    if comparison.of_states:
        yield "  the states after these runs\n"
    for change in comparison.changes:
        key = key_text(comparison.known, change.kind, change.key)
        yield f"{_SIGNS[change.change]} {change.kind} {key}\n"
        if change.change == "changed":
            for name, (before, now) in change.fields.items():
                yield "\n".join(old_and_new(f"    {name}", before, now)) + "\n"
    yield from _summary(comparison, stat=stat)
    if counts := comparison.other_counts:
        told = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count) or "nothing"
        command = f"seedjournal diff --state {old.run} {new.run}"
        text = f"the states, which tables show, differ as well: {told}; see `{command}`"
        yield "".join(f"{line}\n" for line in wrapped(text, ""))


def _summary(comparison: Comparison, *, stat: bool) -> Iterator[str]:
    if comparison.equal:
        yield "equal\n"
        if comparison.last_different:
            one, other = comparison.last_different
            yield f"the last two runs that differ: `seedjournal diff {one.run} {other.run}`\n"
        return
    if comparison.left_out and not stat:
        yield f"… {number_of(comparison.left_out, 'more change')} left out; --limit N shows more\n"
    rows = [[kind, *counts.values()] for kind, counts in comparison.kinds.items()]
    if rows:
        yield table(("kind", "added", "removed", "changed"), rows) + "\n"
    else:
        yield "no differences match the filters\n"


def _json(comparison: Comparison) -> Iterator[bytes]:
    """Yield the document of `diff` in pieces: its changes are never all in memory."""
    import orjson

    head = {
        "format": FORMAT,
        "project": comparison.new.project,
        "from": comparison.old.run,
        "to": comparison.new.run,
        "from_root": comparison.old.root.hex(),
        "to_root": comparison.new.root.hex(),
        "of_states": comparison.of_states,
        "of_target": comparison.of_target,
        "days_moved": comparison.days_moved,
        "window": window_of(comparison.new),
    }
    yield orjson.dumps(head)[:-1] + b',"changes":['
    comma = b"\n"
    for change in comparison.changes:
        one = {
            "kind": change.kind,
            "key": change.key,
            "change": change.change,
            "fields": {name: {"old": old, "new": new} for name, (old, new) in change.fields.items()},
        }
        yield comma + orjson.dumps(one)
        comma = b",\n"
    last = comparison.last_different
    tail = {
        "equal": comparison.equal,
        "kinds": comparison.kinds,
        "truncated": bool(comparison.left_out),
        "left_out": comparison.left_out,
        "states_differ_otherwise": comparison.other_counts,
        "last_different": [last[0].run, last[1].run] if last else None,
    }
    yield b"]," + orjson.dumps(tail)[1:] + b"\n"

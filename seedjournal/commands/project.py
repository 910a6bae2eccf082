"""`project`: tables to the state of runs."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import click

from seedjournal import journal as j
from seedjournal import projectors
from seedjournal.journal import Misuse, Run
from seedjournal.progress import Tell
from seedjournal.projectors import Choice

from .. import settings as config
from ..terminal import SHORT, Progress, number_of, shown, table, wrapped
from . import FINE, exits
from .databases import Databases, layout, opened, opened_target
from .options import RUN, Common, common_options, echo_if_read, is_terminal
from .runs import FORMAT, Document, no_runs, window_of, window_text

_ROWS = ("inserted", "updated", "unchanged", "kept", "deleted", "stale", "retained", "foreign")
_ROWS_ALWAYS = 3  # the first columns stand even where they are all zero


@click.command(
    epilog="\b\nWhat is counted, for each kind:\n"
    "  inserted   rows added\n"
    "  updated    rows brought to the state's content\n"
    "  unchanged  rows that were as they should be\n"
    "  kept       entities whose first content stands against the run (once)\n"
    "  deleted    stale rows that --prune took away\n"
    "  stale      rows of ours whose entity has left the state\n"
    "  retained   stale rows that another row still refers to\n"
    "  foreign    rows that were there under ids of their own\n\n" + RUN + exits("the tables are as they should be"),
)
@click.option("--project", "projects", metavar="NAME", multiple=True, help="Only this project; may be repeated.")
@click.option("--run", metavar="RUN", help="The state after this run, of its project only. [default: the newest]")
@click.option("--schema", metavar="NAME", help="The PostgreSQL schema that rows go to.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.option("--prune", is_flag=True, help="Delete stale rows that no other row refers to.")
@click.option("--rebuild", is_flag=True, help="Restore every row of the projects, whatever was done to it, and prune.")
@click.option("--yes", is_flag=True, help="Do not ask before --prune or --rebuild.")
@common_options
def project(
    common: Common,
    *,
    projects: tuple[str, ...],
    run: str | None,
    schema: str | None,
    dry_run: bool,
    prune: bool,
    rebuild: bool,
    yes: bool,
) -> int:
    """Bring tables to the state of each project's newest run, or of a run.

    Only what differs is written. Rows that were there under ids of their own are honoured; rows of ours whose entity
    has left the state stay, counted stale, until --prune. Everything happens in one transaction a project.
    """
    deed = "" if yes or dry_run else "rebuild rows and prune" if rebuild else "prune stale rows" if prune else ""
    if deed and not is_terminal(sys.stdin):
        raise click.UsageError(f"--yes is needed to {deed} without a terminal")

    def say(address: str) -> None:
        if not common.as_json and not common.quiet:
            echo_if_read(f"target: {shown(address)}")
        if deed:
            click.confirm(f"{deed.capitalize()} in {shown(address)}?", abort=True, err=True)

    choice = Choice(prune=prune, rebuild=rebuild, dry_run=dry_run)
    with Progress(quiet=common.quiet) as progress:
        document = project_runs(common.databases(schema), projects, run, choice, progress.stage, say)
    common.give(document, _projected_text)
    return FINE


def project_runs(
    databases: Databases,
    names: Sequence[str],
    run: str | None,
    choice: Choice,
    tell: Callable[[str], Tell],
    say: Callable[[str], None],
) -> Document:
    """Bring the target to the chosen projects' newest runs, or to one run; `say` hears the target's address first."""
    started = time.monotonic()
    settings = config.load()
    where = config.addresses(settings, databases.journal, databases.target)
    if run is not None and len(names) > 1:
        raise Misuse("--run names a run of one project", "give one --project, or none")
    with opened(where.journal, databases, j.JOURNAL_HISTORY, create=False) as source:
        with source.read() as connection:
            runs = _runs_to_project(connection, names, run)
        with opened_target(where, databases, create=not choice.dry_run) as target:
            shown = target.shown if target else where.target  # a file's address has no password
            say(shown + (f" (schema {databases.schema})" if databases.schema else ""))
            if target and not choice.dry_run:
                projectors.ensure_target(target, layout())
            made = target if target and (not choice.dry_run or projectors.is_ready(target, layout())) else None
            done = [
                projectors.project(source, made, layout(), one, choice, tell(one.project))
                if made
                else projectors.preview(source, layout(), one)
                for one in runs
            ]
    return {
        "format": FORMAT,
        "target": shown,
        "dry_run": choice.dry_run,
        "projects": {one.run.project: _projected(one) for one in done},
        "seconds": round(time.monotonic() - started, 3),
    }


def _projected(done: projectors.Projected) -> Document:
    return {
        "run": done.run.run,
        "root": done.run.root.hex(),
        "state": done.run.state.hex(),
        "window": window_of(done.run),
        "forgotten": done.forgotten,
        "kept_fields": dict(done.kept_fields),
        "kinds": {kind: asdict(result) for kind, result in done.kinds.items()},
    }


def _runs_to_project(connection: Any, names: Sequence[str], run: str | None) -> list[Run]:
    if run is not None:
        found = j.find_run(connection, run)
        if names and found.project != names[0]:
            raise Misuse(
                f"run {found.run} is one of project {found.project!r}, not {names[0]!r}", "leave --project out"
            )
        return [found]
    newest = j.newest_of_each(connection)
    if not newest:
        raise Misuse("the journal has no runs", "`seedjournal record` makes the first")
    for name in names:
        if name not in newest:
            raise no_runs(connection, name)
    return [newest[name] for name in (dict.fromkeys(names) or newest)]


def _projected_text(document: Mapping[str, Any]) -> str:
    """What `project` did, project by project."""
    lines = [line for name, one in document["projects"].items() for line in _projected_one(name, one, document)]
    return "\n".join([*lines, f"{document['seconds']:.1f} s"]) + "\n"


def _projected_one(name: str, one: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[str]:
    sums = {column: sum(result[column] for result in one["kinds"].values()) for column in _ROWS}
    yield f"{shown(name)}: run {one['run']}, state {one['state'][:SHORT]}" + (
        " (dry run: nothing was done)" if document["dry_run"] else ""
    )
    if one["forgotten"]:
        yield "  the state that the target showed was forgotten: all rows were compared"
    if one["window"]:
        yield from wrapped(window_text(one["window"]))
    if any(sums[column] for column in _ROWS if column not in {"unchanged", "kept"}):
        columns = [*_ROWS[:_ROWS_ALWAYS], *(column for column in _ROWS[_ROWS_ALWAYS:] if sums[column])]
        rows = [[kind, *(result[column] for column in columns)] for kind, result in one["kinds"].items()]
        yield table(("rows of", *columns), [*rows, ["all", *(sums[column] for column in columns)]], indent=2)
    else:
        yield f"  nothing changed: {number_of(sums['unchanged'], 'row')} as they should be"
    for kind, result in one["kinds"].items():
        if result["kept"]:
            fields = ", ".join(one["kept_fields"].get(kind, ()))
            way_out = f"`--policy {kind}=upsert` when recording takes the new content"
            yield from wrapped(f"{result['kept']:,} {kind} kept: {fields}; {way_out}")
    if sums["stale"]:
        yield from wrapped(
            f"{number_of(sums['stale'], 'stale row')} left; `seedjournal project --prune` deletes those that nothing "
            "refers to"
        )

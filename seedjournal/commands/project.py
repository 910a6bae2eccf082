"""`project`: tables to the state of runs."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from seedjournal import journal as j
from seedjournal import projectors
from seedjournal.progress import Tell

from .. import settings as config
from ..terminal import SHORT, Progress, number_of, shown, table, wrapped
from . import DIFFERENT, FINE, exits
from .databases import Databases, layout_in, opened, opened_target
from .options import RUN, TODAY, Common, common_options, echo_if_read, is_terminal
from .runs import FORMAT, Document, no_runs, weeks_text, window_of, window_text

if TYPE_CHECKING:
    from seedjournal.projectors.mapping import Tables

_ROWS = ("inserted", "updated", "unchanged", "kept", "deleted", "stale", "retained", "foreign")
_FOUND = {
    "restored": "restored that somebody had deleted",
    "differing": "left that differ from the state (`seedjournal project --repair` restores them)",
    "extra": "left that neither the state nor seedjournal knows",
}
_ROWS_ALWAYS = 3  # the first columns stand even where they are all zero


@click.command(
    help="Bring tables to the state after each project's newest run, or after one run.\n\n"
    "Writes only what differs. Restores rows of its own that somebody deleted. Adopts rows that others had created "
    "for the same entities. Each project is one transaction.\n\n"
    "A row whose entity has left the state is stale. `project` deletes a stale row if its kind is computed or has the "
    "policy exact, if nobody edited the row, and if no row refers to it. Other stale rows stay until --prune.",
    epilog="\b\nWhat is counted, for each kind:\n"
    "  inserted   rows added\n"
    "  updated    rows brought to the state's content\n"
    "  unchanged  rows that needed no change\n"
    "  kept       entities that keep their first content (policy: once)\n"
    "  deleted    stale rows that were deleted\n"
    "  stale      rows of ours whose entity has left the state\n"
    "  retained   stale rows that another row still refers to\n"
    "  foreign    adopted rows: others had created them, under other ids\n\n"
    + RUN
    + exits("the tables are equal to the state", "with --check only: rows differ from the state"),
)
@click.option("--project", "projects", metavar="NAME", multiple=True, help="Only this project; may be repeated.")
@click.option("--run", metavar="RUN", help="The state after this run, of its project only. [default: the newest]")
@click.option("--schema", metavar="NAME", help="The PostgreSQL schema that rows go to.")
@click.option("--dry-run", is_flag=True, help="Print what would be done, and do nothing.")
@click.option(
    "--prune/--no-prune",
    default=None,
    help="Delete all stale rows that no other row refers to, or none. "
    "[default: those of computed kinds and of exact fact kinds that nobody edited]",
)
@click.option("--check", is_flag=True, help="Compare all rows, and say how many differ; exit with 1 if any do.")
@click.option("--repair", is_flag=True, help="Restore edited and deleted rows and tables; delete nothing.")
@click.option("--rebuild", is_flag=True, help="Repair and prune.")
@click.option(
    "--take-over", is_flag=True, help="Continue even if another journal, or a copy of this one, filled the target."
)
@click.option(
    "--today",
    metavar="[DATE]",
    is_flag=False,
    flag_value="now",
    type=TODAY,
    help="Move all dates by whole weeks, so that the newest are less than a week before DATE, or before today; "
    "off puts them back. Later projections keep them moved.",
)
@click.option("--yes", is_flag=True, help="Do not ask before rows are deleted.")
@click.option(
    "--confirm",
    metavar="NAME",
    help="Allow a first projection into an application's tables that already have rows. NAME is the database's name; "
    "without this option, `project` asks for it.",
)
@common_options
def project(  # noqa: C901, PLR0913 - its options
    common: Common,
    *,
    projects: tuple[str, ...],
    run: str | None,
    schema: str | None,
    dry_run: bool,
    prune: bool | None,
    check: bool,
    repair: bool,
    rebuild: bool,
    take_over: bool,
    today: projectors.Today | None,
    yes: bool,
    confirm: str | None,
) -> int:
    """Project the chosen runs, and print what became of the rows."""
    deed = "" if yes or dry_run else "rebuilds rows and prunes" if rebuild else "prunes stale rows" if prune else ""
    if deed and not is_terminal(sys.stdin):
        raise click.UsageError(f"`project` asks before it {deed}, and there is no terminal. Add --yes.")

    def say(address: str) -> None:
        if not common.as_json and not common.quiet:
            echo_if_read(f"target: {shown(address)}")

    def ask(address: str, stale: int) -> None:
        rows = number_of(stale, "stale row")
        what = f"Rebuild rows and prune {rows}" if rebuild else f"Prune {rows}"
        click.confirm(f"{what} in {shown(address)}?", abort=True, err=True)

    if prune is None and not config.load().prune:
        prune = False
    choice = projectors.Choice(
        prune=prune,
        delete_many=yes,
        check=check,
        repair=repair,
        rebuild=rebuild,
        take_over=take_over,
        dry_run=dry_run,
        today=today if today is not None else config.load().today,
    )

    def ask_to_delete(error: projectors.DeletesMany) -> None:
        if not is_terminal(sys.stdin):
            raise error
        progress.pause()
        question = error.message.removesuffix("; nothing was written.")
        click.confirm(f"{shown(question)}. Delete them?", abort=True, err=True)

    def ask_for_name(name: str, counts: Mapping[str, int]) -> None:
        tables = ", ".join(f"{one} {number_of(count, 'row')}" for one, count in counts.items())
        question = f"Database {name!r} has tables with rows that seedjournal did not make ({tables})"
        if confirm is None and is_terminal(sys.stdin):
            progress.pause()
            typed = click.prompt(f"{shown(question)}. To project into it, type its name", err=True)
        else:
            typed = confirm or ""
        if typed != name:
            raise j.Misuse(
                f"{question}; nothing was written.", f"If this is the right database, add `--confirm {name}`."
            )

    with Progress(quiet=common.quiet) as progress:
        document = project_runs(
            common.databases(schema),
            projects,
            run,
            choice,
            progress.stage,
            say,
            ask if deed else None,
            ask_to_delete,
            ask_for_name,
        )
    common.give(document, _projected_text)
    return DIFFERENT if check and any(one["differing"] for one in document["projects"].values()) else FINE


def project_runs(  # noqa: PLR0913, PLR0917 - what it does, and whom it asks
    databases: Databases,
    names: Sequence[str],
    run: str | None,
    choice: projectors.Choice,
    tell: Callable[[str], Tell],
    say: Callable[[str], None],
    ask: Callable[[str, int], None] | None = None,
    ask_to_delete: Callable[[projectors.DeletesMany], None] | None = None,
    ask_for_name: Callable[[str, Mapping[str, int]], None] | None = None,
) -> Document:
    """Bring the target to the chosen projects' newest runs, or to one run; `say` hears the target's address first.

    `ask` gets the address and how many rows a dry run leaves stale, and may stop everything. `ask_to_delete` hears
    of a projection that would delete many rows, and may stop it; without it that is an error. `ask_for_name` hears the
    database's name and how many rows its tables have before the first projection into others' tables, and may stop it.
    """
    started = time.monotonic()
    settings = config.load()
    where = config.addresses(settings, databases.journal, databases.target)
    if run is not None and len(names) > 1:
        raise j.Misuse(
            "--run names a run of one project, but several projects were given.", "Give one --project, or none."
        )
    with opened(where.journal, databases, j.JOURNAL_HISTORY, create=False) as source:
        with source.read() as connection:
            runs = _runs_to_project(connection, names, run)
        tables = layout_in(source)
        with opened_target(where, databases, create=not choice.dry_run) as target:
            shown = target.shown if target else where.target  # a file's address has no password
            schema = config.schema(settings, databases.schema)
            say(shown + (f" (schema {schema})" if schema else ""))
            if not isinstance(tables, projectors.Layout):
                _look_at_tables(target, tables, shown, ask_for_name)
            if target and not choice.dry_run:
                projectors.ensure_target(target, tables, repair=choice.writes_all)
            made = target if target and (not choice.dry_run or projectors.is_ready(target, tables)) else None
            if ask:
                ask(shown, _stale_after(source, made, tables, runs, choice))

            def bring(one: j.Run) -> projectors.Projected:
                if made is None:
                    return projectors.preview(source, tables, one)
                try:
                    return projectors.project(source, made, tables, one, choice, tell(one.project))
                except projectors.DeletesMany as error:
                    if ask_to_delete is None:
                        raise
                    ask_to_delete(error)
                    allowed = replace(choice, delete_many=True)
                    return projectors.project(source, made, tables, one, allowed, tell(one.project))

            done = [bring(one) for one in runs]
    return {
        "format": FORMAT,
        "target": shown,
        "dry_run": choice.dry_run,
        "projects": {one.run.project: _projected(one) for one in done},
        "seconds": round(time.monotonic() - started, 3),
    }


def _look_at_tables(
    target: j.Database | None,
    tables: Tables,
    address: str,
    ask_for_name: Callable[[str, Mapping[str, int]], None] | None,
) -> None:
    """Check that a map fits the target's tables, and that the user means this database; raise Misuse otherwise."""
    if target is None or target.is_absent:
        raise j.Misuse(
            f"There is no database at {address}.",
            "Check the address. seedjournal does not create the tables of a map: your application does.",
        )
    from seedjournal.projectors.mapped import strangers  # tables of ours have no use for it

    name, counts = strangers(target, tables)
    if counts and ask_for_name:
        ask_for_name(name, counts)


def _stale_after(
    source: j.Database,
    target: j.Database | None,
    tables: projectors.Layout | Tables,
    runs: Sequence[j.Run],
    choice: projectors.Choice,
) -> int:
    """Count the rows that would be stale, by a dry run that prunes nothing."""
    if target is None:
        return 0
    dry = replace(choice, prune=False, repair=choice.writes_all, rebuild=False, dry_run=True)
    done = [projectors.project(source, target, tables, one, dry) for one in runs]
    return sum(result.stale for one in done for result in one.kinds.values())


def _projected(done: projectors.Projected) -> Document:
    return {
        "run": done.run.run,
        "root": done.run.root.hex(),
        "state": done.run.state.hex(),
        "window": window_of(done.run),
        "forgotten": done.forgotten,
        "taken_over": done.taken_over,
        "compared": done.compared,
        "days_moved": done.days,
        "rows_moved": done.moved,
        "kept_fields": dict(done.kept_fields),
        "kinds": {kind: {name: getattr(result, name) for name in _ROWS} for kind, result in done.kinds.items()},
        **{
            name: {kind: count for kind, result in done.kinds.items() if (count := getattr(result, name))}
            for name in _FOUND
        },
    }


def _runs_to_project(connection: Any, names: Sequence[str], run: str | None) -> list[j.Run]:
    """Return the runs to project. The run of shared kinds comes first, since rows of the others refer to them."""
    if run is not None:
        found = j.find_run(connection, run)
        if names and found.project != names[0]:
            raise j.Misuse(
                f"Run {found.run} belongs to project {found.project!r}, not {names[0]!r}.", "Leave out --project."
            )
        return [found]
    newest = j.newest_of_each(connection)
    if not newest:
        raise j.Misuse("The journal has no runs.", "Make the first one with `seedjournal record`.")
    for name in names:
        if name not in newest:
            raise no_runs(connection, name)
    wanted = [newest[name] for name in dict.fromkeys(names) or newest]
    shared = {kinds.common for one in wanted if (kinds := j.kinds_of(connection, one))} & newest.keys()
    return [newest[name] for name in dict.fromkeys([*sorted(filter(None, shared)), *(one.project for one in wanted)])]


def _projected_text(document: Mapping[str, Any]) -> str:
    """Return what `project` did, project by project, as text."""
    lines = [line for name, one in document["projects"].items() for line in _projected_one(name, one, document)]
    return "\n".join([*lines, f"{document['seconds']:.1f} s"]) + "\n"


def _projected_one(name: str, one: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[str]:
    sums = {column: sum(result[column] for result in one["kinds"].values()) for column in _ROWS}
    yield f"{shown(name)}: run {one['run']}, state {one['state'][:SHORT]}" + (
        " (dry run: nothing was done)" if document["dry_run"] else ""
    )
    if one["forgotten"]:
        yield "  the state that the target showed was forgotten: all rows were compared"
    if one["taken_over"]:
        yield "  taken over from another journal, or a copy of this one: all rows were compared"
    if one["days_moved"] or one["rows_moved"]:
        moved = f" ({number_of(one['rows_moved'], 'row')} moved now)" if one["rows_moved"] else ""
        yield f"  {weeks_text(one['days_moved'])}{moved}"
    if one["window"]:
        yield from wrapped(window_text(one["window"]))
    if any(sums[column] for column in _ROWS if column not in {"unchanged", "kept"}):
        columns = [*_ROWS[:_ROWS_ALWAYS], *(column for column in _ROWS[_ROWS_ALWAYS:] if sums[column])]
        rows = [[kind, *(result[column] for column in columns)] for kind, result in one["kinds"].items()]
        yield table(("rows of", *columns), [*rows, ["all", *(sums[column] for column in columns)]], indent=2)
    else:
        yield "  nothing changed"
    yield from _looked_at(one, sums)
    for kind, result in one["kinds"].items():
        if result["kept"]:
            fields = ", ".join(one["kept_fields"].get(kind, ()))
            way_out = f"`--policy {kind}=upsert` when recording takes the new content"
            yield from wrapped(f"{result['kept']:,} {kind} kept: {fields}; {way_out}")
    if sums["stale"] and sums["stale"] == sums["retained"]:
        yield from wrapped(f"{number_of(sums['stale'], 'stale row')} left, as other rows refer to them")
    elif sums["stale"]:
        yield from wrapped(
            f"{number_of(sums['stale'], 'stale row')} left; `seedjournal project --prune` deletes those that nothing "
            "refers to"
        )


def _looked_at(one: Mapping[str, Any], sums: Mapping[str, int]) -> Iterator[str]:
    """Say how many rows were counted or compared, and what was found."""
    found = {name: sum(one[name].values()) for name in _FOUND}
    count = sum(sums[name] for name in ("inserted", "updated", "unchanged")) + found["differing"]
    if one["compared"]:
        yield from wrapped(f"{number_of(count, 'row')} compared")
    elif sums["unchanged"]:
        yield from wrapped(f"{number_of(count, 'row')} counted; contents are compared by `verify` or `project --check`")
    for name, what in _FOUND.items():
        if found[name]:
            kinds = ", ".join(f"{kind} {count:,}" for kind, count in one[name].items())
            yield from wrapped(f"{number_of(found[name], 'row')} {what}: {kinds}")

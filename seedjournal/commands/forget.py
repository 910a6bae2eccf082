"""`forget`: old runs, or whole projects, out of the journal; `unseed`: a project's rows out of the target."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import click

from seedjournal import journal as j
from seedjournal import projectors

from .. import settings as config
from ..terminal import number_of, shown, table, wrapped
from . import FINE, exits
from .databases import Databases, layout, layout_in, opened, opened_target
from .options import LARGEST, Common, Whole, common_options, is_terminal
from .runs import FORMAT, Document, no_runs, runs_of, runs_text

Rows: TypeAlias = "dict[str, dict[str, projectors.KindResult]]"

_REMOVED = ("deleted", "retained", "foreign")


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetChoice:
    """What to forget: all but the newest `keep` runs of `projects`, or of every project; without `keep` all runs."""

    projects: tuple[str, ...] = ()
    keep: int | None = None
    dry_run: bool = False

    def __post_init__(self) -> None:
        """Refuse a choice that names nothing, or that would keep no run of what it does not name."""
        if self.keep is None and not self.projects:
            raise j.Misuse(
                "Neither runs nor a project were named, so there is nothing to forget.",
                "Give --keep-runs N to keep the newest N runs of each project, or --project NAME to forget all runs "
                "of one.",
            )
        if self.keep is not None and self.keep < 1:
            raise j.Misuse(
                f"--keep-runs {self.keep} would keep no run.",
                "To forget all runs of a project, give --project NAME alone.",
            )


@click.command(
    help="Remove runs from the journal, with the events and nodes that only they need. This cannot be undone.\n\n"
    "--keep-runs N keeps the newest N runs of each project, or of the projects named. --project alone removes all "
    "runs of a project; with --target also its rows there, except adopted ones. The states that remain do not "
    "change, and verify still checks them.",
    epilog="\b\nExamples:\n"
    "  seedjournal forget --keep-runs 3 --dry-run\n"
    "  seedjournal forget --keep-runs 1 --project demo\n"
    "  seedjournal forget --project demo --target sqlite:///seedjournal.db\n\n" + exits("forgotten"),
)
@click.option("--keep-runs", "keep", metavar="N", type=Whole(0, LARGEST), help="Keep each project's newest N runs.")
@click.option("--project", "projects", metavar="NAME", multiple=True, help="Only of this project; may be repeated.")
@click.option("--schema", metavar="NAME", help="The PostgreSQL schema of the rows.")
@click.option("--dry-run", is_flag=True, help="Print what would be removed, and change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask before it deletes anything.")
@common_options
def forget(
    common: Common, *, keep: int | None, projects: tuple[str, ...], schema: str | None, dry_run: bool, yes: bool
) -> int:
    """Forget the chosen runs, and print what that freed."""
    choice = ForgetChoice(projects=projects, keep=keep, dry_run=dry_run)

    def ask(runs: Mapping[str, list[int]], journal: str, target: str | None) -> None:
        if not (yes or dry_run) and (runs or target):
            if not is_terminal(sys.stdin):
                raise click.UsageError("`forget` asks before it deletes runs, and there is no terminal. Add --yes.")
            rows = f" and the rows in {shown(target)}" if target else ""
            which = runs_of(runs) or "no runs"
            click.confirm(f"Forget {which} in {shown(journal)}{rows}?", abort=True, err=True)

    common.give(forget_runs(common.databases(schema), choice, ask), _text)
    return FINE


def forget_runs(
    databases: Databases, choice: ForgetChoice, ask: Callable[[Mapping[str, list[int]], str, str | None], None]
) -> Document:
    """Forget the chosen runs; `ask` hears which, of which journal and with which target's rows, and may raise.

    Where a target is named and whole projects are forgotten, their rows of ours go from there as well: in the same
    transaction where journal and target are one database, and else in one before it.
    """
    started = time.monotonic()
    where = config.addresses(config.load(), databases.journal, databases.target)
    with ExitStack() as stack:
        database = stack.enter_context(opened(where.journal, databases, j.JOURNAL_HISTORY, create=False))
        target = None
        if choice.keep is None and databases.target is not None:
            target = stack.enter_context(opened_target(where, databases, create=False))
            if target is None or not projectors.is_ready(target, layout_in(database)):
                raise j.Misuse(
                    f"There are no rows of seedjournal in {where.target}.", "Check the address, or leave out --target."
                )
        with database.read() as connection:
            runs = _chosen(connection, target, choice)
        ask(runs, database.shown, target.shown if target else None)
        rows, gone = (_measure if choice.dry_run else _forget)(database, target, choice)
    return {
        "format": FORMAT,
        "journal": database.shown,
        "target": target.shown if target else None,
        "dry_run": choice.dry_run,
        "runs": [{"run": run, "project": project} for project, numbers in gone.runs.items() for run in numbers],
        "events": gone.events,
        "nodes": gone.nodes,
        "bytes": gone.octets,
        "rows": {project: {kind: asdict(one) for kind, one in kinds.items()} for project, kinds in rows.items()},
        "seconds": round(time.monotonic() - started, 3),
    }


def _chosen(connection: Any, target: j.Database | None, choice: ForgetChoice) -> dict[str, list[int]]:
    """Return the runs to forget; raise Misuse for a project that neither the journal nor the target has."""
    known = set(j.newest_of_each(connection))
    if target is not None:
        with target.read() as rows:
            known |= set(projectors.shown_projects(rows))
    for name in choice.projects:
        if name not in known:
            raise no_runs(connection, name)
    return _runs(connection, choice)


def _runs(connection: Any, choice: ForgetChoice) -> dict[str, list[int]]:
    return j.runs_before_newest(connection, choice.keep or 0, choice.projects or None)


def _forget(database: j.Database, target: j.Database | None, choice: ForgetChoice) -> tuple[Rows, j.Forgettable]:
    """Forget the runs. Wait for projections into the journal's own database, since they read the journal."""
    rows: Rows = {}
    if target is not None and not database.is_same(target):
        with projectors.both(database, target) as (source, connection):
            rows = _remove(source, connection, choice)
    with database.write("journal", "target") as connection:
        if target is not None and database.is_same(target):
            rows = _remove(connection, connection, choice)
        return rows, j.forget(connection, _runs(connection, choice))


def _measure(database: j.Database, target: j.Database | None, choice: ForgetChoice) -> tuple[Rows, j.Forgettable]:
    """Say what would be done: delete the rows, and roll the transaction back."""
    rows: Rows = {}
    with database.read() as connection:
        gone = j.measure(connection, _runs(connection, choice))
    if target is not None:
        rows = _rows_to_remove(database, target, choice)
    return rows, gone


def _rows_to_remove(database: j.Database, target: j.Database, choice: ForgetChoice) -> Rows:
    """Count the rows that would go: delete them, and roll the transaction back."""
    with projectors.both(database, target) as (source, connection):
        savepoint = connection.begin_nested()
        rows = _remove(source, connection, choice)
        savepoint.rollback()
        return rows


def _remove(source: Any, target: Any, choice: ForgetChoice) -> Rows:
    return {project: projectors.remove_project(source, target, layout(source), project) for project in choice.projects}


def _text(document: Mapping[str, Any]) -> str:
    """Return what `forget` removed."""
    runs: dict[str, list[int]] = {}
    for one in document["runs"]:
        runs.setdefault(one["project"], []).append(one["run"])
    lines = [f"{shown(project)}: {runs_text(numbers)}" for project, numbers in runs.items()]
    for project, kinds in document["rows"].items():
        rows = [[kind, *(one[name] for name in _REMOVED)] for kind, one in kinds.items()]
        sums = [sum(row[place] for row in rows) for place in range(1, len(_REMOVED) + 1)]
        lines.append(f"{shown(project)}: {number_of(sums[0], 'row')} of {shown(document['target'])}")
        if any(sums):
            lines.append(table(("rows of", *_REMOVED), [row for row in rows if any(row[1:])], indent=2))
    if not document["runs"] and not document["rows"]:
        return "nothing to forget: no project has more runs\n"
    told = "would be forgotten (dry run: nothing was done)" if document["dry_run"] else "forgotten"
    found = [number_of(len(document["runs"]), "run"), number_of(document["events"], "event")]
    found += [number_of(document["nodes"], "node"), f"{document['bytes']:,} bytes"]
    lines.append(f"{told}: {', '.join(found)}; {document['seconds']:.1f} s")
    if document["bytes"] and not document["dry_run"] and document["journal"].startswith("sqlite"):
        lines += wrapped("later records use the space that is free now; VACUUM gives it back to the disk")
    return "\n".join(lines) + "\n"


@click.command(
    help="Delete the rows that seedjournal made for a project from the target. The journal keeps its runs.\n\n"
    "Adopted rows stay, and so does every row that another row refers to.",
    epilog=exits("deleted, except rows that other rows refer to"),
)
@click.argument("project", metavar="PROJECT")
@click.option("--schema", metavar="NAME", help="The PostgreSQL schema of the rows.")
@click.option("--dry-run", is_flag=True, help="Count the rows, and change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask before it deletes anything.")
@common_options
def unseed(common: Common, *, project: str, schema: str | None, dry_run: bool, yes: bool) -> int:
    """Delete a project's rows, and print how many."""
    if not (yes or dry_run or is_terminal(sys.stdin)):
        raise click.UsageError("`unseed` asks before it deletes rows, and there is no terminal. Add --yes.")

    def ask(count: int, target: str) -> None:
        if not yes:
            click.confirm(
                f"Delete {number_of(count, 'row')} of {shown(project)} from {shown(target)}?", abort=True, err=True
            )

    common.give(remove_rows(common.databases(schema), project, ask, dry_run=dry_run), _unseeded_text)
    return FINE


def remove_rows(databases: Databases, project: str, ask: Callable[[int, str], None], *, dry_run: bool) -> Document:
    """Delete a project's rows from the target; `ask` hears how many, and may raise."""
    started = time.monotonic()
    where = config.addresses(config.load(), databases.journal, databases.target)
    choice = ForgetChoice(projects=(project,), dry_run=dry_run)
    with (
        opened(where.journal, databases, j.JOURNAL_HISTORY, create=False) as database,
        opened_target(where, databases, create=False) as target,
    ):
        if target is None or not projectors.is_ready(target, layout_in(database)):
            raise j.Misuse(f"There are no rows of seedjournal in {where.target}.", "Check the address and --schema.")
        with target.read() as connection:
            known = projectors.shown_projects(connection)
        if project not in known:
            raise j.Misuse(
                f"{target.shown} has no rows of project {project!r}.",
                f"It has rows of {', '.join(known) or 'no project'}.",
            )
        rows = _rows_to_remove(database, target, choice)
        if not dry_run:
            ask(sum(one.deleted for one in rows[project].values()), target.shown)
            with projectors.both(database, target) as (source, connection):
                rows = _remove(source, connection, choice)
        return {
            "format": FORMAT,
            "target": target.shown,
            "project": project,
            "dry_run": dry_run,
            "kinds": {kind: {name: getattr(one, name) for name in _REMOVED} for kind, one in rows[project].items()},
            "seconds": round(time.monotonic() - started, 3),
        }


def _unseeded_text(document: Mapping[str, Any]) -> str:
    """Return what `unseed` deleted."""
    rows = [[kind, *one.values()] for kind, one in document["kinds"].items() if any(one.values())]
    deleted = number_of(sum(one["deleted"] for one in document["kinds"].values()), "row")
    told = "would be deleted (dry run: nothing was done)" if document["dry_run"] else "deleted"
    lines = [f"{shown(document['project'])}: {deleted} of {shown(document['target'])} {told}"]
    if rows:
        lines.append(table(("rows of", *_REMOVED), rows, indent=2))
    return "\n".join([*lines, f"{document['seconds']:.1f} s"]) + "\n"

"""`verify`: whether everything is as it should be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import click

from seedjournal import journal as j
from seedjournal import projectors
from seedjournal.progress import Tell

from .. import settings as config
from ..terminal import Progress, number_of, shown
from . import DIFFERENT, FINE, exits
from .databases import Databases, is_made, layout, opened, opened_target
from .options import Common, common_options
from .runs import FORMAT, Document


@click.command(
    help="Check every hash, manifest and state of the journal, and the target's rows against the state they show.\n\n"
    "Rows that are missing or different are findings; foreign and stale rows are listed. Nothing is changed.",
    epilog=exits("everything is as it should be", "something is not; each finding says where and what"),
)
@click.option("--schema", metavar="NAME", help="The PostgreSQL schema of the rows.")
@common_options
def verify(common: Common, *, schema: str | None) -> int:
    """Print what is not as it should be."""
    with Progress(quiet=common.quiet) as progress:
        document = check_all(common.databases(schema), progress.stage(""))
    common.give(document, _text)
    return FINE if document["ok"] else DIFFERENT


def check_all(databases: Databases, tell: Tell) -> Document:
    """Check the journal and, where the target has a position, its rows."""
    settings = config.load()
    where = config.addresses(settings, databases.journal, databases.target)
    listed: Document = {}
    unchecked: list[j.Finding] = []
    checked = None
    with opened(where.journal, databases, j.JOURNAL_HISTORY, create=False) as database:
        with database.read() as connection:
            findings = list(j.verify(connection, tell))
            events, runs = j.count_events(connection), len(j.stored_seals(connection))
        with opened_target(where, databases, create=False) as target:
            if target and is_made(target):
                more, unchecked, listed, projected = _check_target(database, target, tell)
                checked = target.shown if projected else None
                findings += more
    return {
        "format": FORMAT,
        "ok": not findings,
        "events": events,
        "runs": runs,
        "target": checked,
        "findings": [asdict(one) for one in findings],
        "unchecked": [asdict(one) for one in unchecked],
        "listed": listed,
    }


def _check_target(
    database: j.Database, target: j.Database, tell: Tell
) -> tuple[list[j.Finding], list[j.Finding], Document, bool]:
    """The findings in the target's rows, what cannot be checked, what is listed, and whether it has any position."""
    j.ensure(target, projectors.TARGET_HISTORY, create=False)
    with projectors.both(database, target, writes=False) as (connection, rows):
        findings = list(projectors.check(connection, rows, layout(), tell))
        unchecked = list(projectors.unchecked(connection, rows))
        return findings, unchecked, projectors.listed(rows, layout()), projectors.has_positions(rows)


def _text(document: Mapping[str, Any]) -> str:
    """What `verify` found."""
    lines = [f"{shown(one['where'])}: {shown(one['what'])}: {shown(one['problem'])}" for one in document["findings"]]
    lines += [f"{shown(one['what'])}: not checked: {shown(one['problem'])}" for one in document["unchecked"]]
    for project, kinds in document["listed"].items():
        for kind, counts in kinds.items():
            told = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
            lines.append(f"{shown(project)}: {kind}: {told}")
    found = "ok" if document["ok"] else number_of(len(document["findings"]), "finding")
    rows = f"rows in {shown(document['target'])}" if document["target"] else "no rows: none were projected yet"
    lines.append(f"{found}: {number_of(document['events'], 'event')}, {number_of(document['runs'], 'run')}, {rows}")
    return "\n".join(lines) + "\n"

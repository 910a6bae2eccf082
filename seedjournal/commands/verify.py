"""`verify`: whether everything is right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import click

from seedjournal import journal as j
from seedjournal import projectors
from seedjournal.progress import Tell

from .. import settings as config
from ..terminal import Progress, number_of, shown, table, wrapped
from . import DIFFERENT, FINE, exits
from .databases import Databases, layout, opened, opened_target
from .domains import key_text, known_kinds
from .options import LARGEST, Common, Whole, common_options
from .runs import FORMAT, Document, weeks_text

if TYPE_CHECKING:
    from seedjournal.projectors.mapping import Tables

_LONGEST_WORD = 30  # in a column that may fold
_OF_EACH = 20  # findings of each kind that are printed unless told otherwise

# What helps against each kind of finding, in the order in which to try it.
REMEDIES = {
    "damaged journal": "restore a backup of the journal; or record into a new journal, and `seedjournal project "
    "--take-over` with it",
    "damaged storage": "REINDEX repairs an index; if that does not help, restore a backup",
    "missing guard": "`seedjournal migrate` restores guards",
    "wrong position": "`seedjournal project --take-over` brings the rows to this journal's newest state",
    "changed table": "`seedjournal project --repair` makes a missing table again; give a changed column the name and "
    "type that it had",
    "missing row": "`seedjournal project --repair` restores missing rows",
    "different row": "`seedjournal project --repair` restores edited rows",
    "row too many": "`seedjournal project --repair` notes these rows as stale, `seedjournal project --prune` then "
    "deletes those that nothing refers to",
    "wrong note": "`seedjournal project --repair` writes the notes again",
}


@click.command(
    help="Check every hash, manifest and state of the journal, and the target's rows against their state.\n\n"
    "Missing and different rows are findings; adopted and stale rows are listed. Changes nothing.",
    epilog=exits("everything is right", "something is wrong; each finding says where and what"),
)
@click.option("--schema", metavar="NAME", help="The PostgreSQL schema of the rows.")
@click.option(
    "--limit",
    type=Whole(0, LARGEST),
    metavar="N",
    help=f"Show at most N findings of each kind, and count the others. [default: {_OF_EACH}; with --json none]",
)
@common_options
def verify(common: Common, *, schema: str | None, limit: int | None) -> int:
    """Print what is not as it should be."""
    if limit is None and not common.as_json:
        limit = _OF_EACH
    with Progress(quiet=common.quiet) as progress:
        document = check_all(common.databases(schema), progress.stage(""), limit)
    common.give(document, _text)
    return FINE if document["ok"] else DIFFERENT


@dataclass(slots=True)
class _Found:
    """Counts findings by kind and place, and keeps the first of each kind: at most `limit`, or all."""

    limit: int | None
    kept: list[j.Finding] = field(default_factory=list)
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    _of_kind: Counter[str] = field(default_factory=Counter)

    def add(self, findings: Iterable[j.Finding]) -> None:
        """Take what was found."""
        for one in findings:
            self.counts[one.fault, one.where] += 1
            self._of_kind[one.fault] += 1
            if self.limit is None or self._of_kind[one.fault] <= self.limit:
                self.kept.append(one)


def check_all(databases: Databases, tell: Tell, limit: int | None = None) -> Document:
    """Check the journal and, where the target has a position, its rows; list at most `limit` findings of each kind."""
    settings = config.load()
    where = config.addresses(settings, databases.journal, databases.target)
    listed: Document = {}
    unchecked: list[j.Finding] = []
    moved: dict[str, int] = {}
    checked = None
    found = _Found(limit)
    with opened(where.journal, databases, j.JOURNAL_HISTORY, create=False) as database:
        with database.read() as connection:
            found.add(j.verify(connection, tell))
            events, runs = j.count_events(connection), len(j.stored_seals(connection))
            known = _kinds(connection)
        with opened_target(where, databases, create=False) as target:
            if target and j.is_ready(target, projectors.TARGET_HISTORY):
                with projectors.both(database, target, writes=False) as (source, rows):
                    tables = _layout(source)
                    found.add(projectors.check(source, rows, tables, tell))
                    unchecked = list(projectors.unchecked(source, rows))
                    listed = projectors.listed(rows, tables)
                    moved = projectors.days_moved(rows)
                    is_any_compared = len(projectors.shown_projects(rows)) > len(unchecked)
                    checked = target.shown if is_any_compared else None
    return {
        "format": FORMAT,
        "ok": not found.counts,
        "events": events,
        "runs": runs,
        "target": checked,
        "findings": [_finding(one, known) for one in found.kept],
        "left_out": found.counts.total() - len(found.kept),
        "summary": [
            {"fault": fault, "where": place, "findings": count, "remedy": REMEDIES[fault]}
            for (fault, place), count in sorted(found.counts.items(), key=lambda one: list(REMEDIES).index(one[0][0]))
        ],
        "unchecked": [{"where": one.where, "what": one.what, "problem": one.problem} for one in unchecked],
        "listed": listed,
        "days_moved": moved,
    }


def _layout(source: Any) -> projectors.Layout | Tables:
    """Return the tables that the journal means; where its kinds are damaged, which is a finding, the domain's."""
    try:
        return layout(source)
    except j.Damaged:
        return layout()


def _kinds(connection: Any) -> Mapping[str, j.Kind]:
    try:
        return known_kinds(connection)
    except j.Damaged:  # which is a finding
        return {}


def _key(text: bytes) -> Mapping[str, Any]:
    """Return what a key says; nothing where it is a note that somebody edited, and no key."""
    import orjson

    try:
        key = orjson.loads(text)
    except ValueError:
        return {}
    return key if isinstance(key, dict) else {}


def _finding(one: j.Finding, known: Mapping[str, j.Kind]) -> Document:
    """Return a finding; where it is about an entity, with its kind and key, in the order in which `show` takes it."""
    entity = None
    if one.entity:
        kind, key = one.entity[0], _key(one.entity[1])
        names = known[kind].key if kind in known and set(known[kind].key) == set(key) else tuple(key)
        entity = {"kind": kind, "key": {name: key[name] for name in names}} if key else None
    return {**asdict(one), "entity": entity}


def _text(document: Mapping[str, Any]) -> str:
    """Return what `verify` found."""
    lines = [line for one in document["findings"] for line in wrapped(_found_text(one), "")]
    if document["left_out"]:
        lines += wrapped(f"… {number_of(document['left_out'], 'more finding')} left out; --limit N shows more", "")
    if not document["ok"]:
        counted = [[one["fault"], one["where"], one["findings"]] for one in document["summary"]]
        lines.append(table(("kind of finding", "where", "findings"), counted, folds={"where": _LONGEST_WORD}))
        remedies = {one["fault"]: one["remedy"] for one in document["summary"]}
        lines += [line for fault, remedy in remedies.items() for line in wrapped(f"{fault}: {remedy}", "")]
    for one in document["unchecked"]:
        lines += wrapped(f"{shown(one['what'])}: not checked: {shown(one['problem'])}", "")
    lines += [f"{shown(project)}: {weeks_text(days)}" for project, days in document["days_moved"].items()]
    for project, kinds in document["listed"].items():
        for kind, counts in kinds.items():
            told = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
            lines += wrapped(f"{shown(project)}: {kind}: {told}", "")
    found = "ok" if document["ok"] else number_of(sum(one["findings"] for one in document["summary"]), "finding")
    rows = (
        f"rows in {shown(document['target'])}"
        if document["target"]
        else "no rows compared: the target shows no run of this journal"
    )
    counts = f"{number_of(document['events'], 'event')}, {number_of(document['runs'], 'run')}"
    lines += wrapped(f"{found}: {counts}, {rows}", "")
    return "\n".join(lines) + "\n"


def _found_text(one: Mapping[str, Any]) -> str:
    """Return a finding in one line; an entity is named as `show` takes it."""
    entity = one["entity"]
    what = f"{entity['kind']} {key_text({}, entity['kind'], entity['key'])}" if entity else shown(one["what"])
    return f"{shown(one['where'])}: {what}: {shown(one['problem'])}"

"""`verify` and `migrate`: whether everything is as it should be, and bringing schemas up to date."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import asdict

from seedjournal import journal as j
from seedjournal import projectors
from seedjournal.journal import Database

from .. import settings as config
from .documents import FORMAT, Document, Tell
from .place import Place, is_made, layout, opened, opened_target


def verify(place: Place, tell: Tell) -> Document:
    """Check the journal and, where the target has a position, its rows."""
    settings = config.load()
    where = config.addresses(settings, place.journal, place.target)
    listed: Document = {}
    unchecked: list[j.Finding] = []
    checked = None
    with opened(where.journal, place, j.JOURNAL_HISTORY, create=False) as database:
        with database.read() as connection:
            findings = list(j.verify(connection, tell))
            events, runs = j.count_events(connection), len(j.stored_seals(connection))
        with opened_target(where, place, create=False) as target:
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
    database: Database, target: Database, tell: Tell
) -> tuple[list[j.Finding], list[j.Finding], Document, bool]:
    """The findings in the target's rows, what cannot be checked, what is listed, and whether it has any position."""
    j.ensure(target, projectors.TARGET_HISTORY, create=False)
    with target.read() as rows:
        with nullcontext(rows) if database.is_same(target) else database.read() as connection:
            findings = list(projectors.check(connection, rows, layout(), tell))
            unchecked = list(projectors.unchecked(connection, rows))
        return findings, unchecked, projectors.listed(rows, layout()), projectors.has_positions(rows)


def migrate(place: Place, *, tables: bool) -> Document:
    """Create or upgrade the journal and the notes in the target, with `tables` also the tables that rows go to."""
    where = config.addresses(config.load(), place.journal, place.target)
    done: list[Document] = []
    for name, address, history, schema in (
        ("journal", where.journal, j.JOURNAL_HISTORY, None),
        ("target", where.target, projectors.TARGET_HISTORY, place.schema),
    ):
        database = j.open_database(address, create=True, wait=place.wait, schema=schema)
        try:
            made = None
            if tables and history is projectors.TARGET_HISTORY:
                database.set_up_file()
                made = projectors.make_tables(database, layout())
            before, after = j.migrate(database, history)
            done.append({"what": name, "database": database.shown, "from": before, "to": after})
            if made is not None:
                done.append(
                    {"what": "tables", "database": database.shown, "from": None if made else after, "to": after}
                )
        finally:
            database.engine.dispose()
    return {"format": FORMAT, "migrated": done}

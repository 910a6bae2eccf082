"""`migrate`: the tables of journal and target, up to date."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from seedjournal import journal as j
from seedjournal import projectors

from .. import settings as config
from ..terminal import shown
from . import FINE, exits
from .databases import Databases, layout
from .options import Common, common_options
from .runs import FORMAT, Document


@click.command(
    epilog=exits("the tables are those of this version"),
)
@click.option("--schema", metavar="NAME", help="The PostgreSQL schema that rows go to.")
@click.option("--tables", is_flag=True, help="Create the tables that rows go to as well, if there are none.")
@common_options
def migrate(common: Common, *, schema: str | None, tables: bool) -> int:
    """Create or upgrade the journal's tables, and the notes that seedjournal keeps in the target.

    New databases need no migrate: the first record makes the journal, the first project the notes and the tables. With
    --tables, who projects needs no right to create any.
    """
    common.give(migrate_databases(common.databases(schema), tables=tables), _text)
    return FINE


def migrate_databases(databases: Databases, *, tables: bool) -> Document:
    """Create or upgrade the journal and the notes in the target, with `tables` also the tables that rows go to."""
    where = config.addresses(config.load(), databases.journal, databases.target)
    done: list[Document] = []
    for name, address, history, schema in (
        ("journal", where.journal, j.JOURNAL_HISTORY, None),
        ("target", where.target, projectors.TARGET_HISTORY, databases.schema),
    ):
        database = j.open_database(address, create=True, wait=databases.wait, schema=schema)
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


def _text(document: Mapping[str, Any]) -> str:
    """What `migrate` did."""
    lines = []
    for one in document["migrated"]:
        did = "is current" if one["from"] == one["to"] else f"upgraded from {one['from']}" if one["from"] else "made"
        lines.append(f"{one['what']} in {shown(one['database'])}: {did} (schema {one['to']})")
    return "\n".join(lines) + "\n"

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
from .databases import Databases
from .options import Common, common_options
from .runs import FORMAT, Document


@click.command(
    epilog=exits("the tables are those of this version"),
)
@click.option("--schema", metavar="NAME", help="The PostgreSQL schema that rows go to.")
@common_options
def migrate(common: Common, *, schema: str | None) -> int:
    """Create or upgrade the tables of journal and target.

    New databases need no migrate: the first record and the first project make their tables.
    """
    common.give(migrate_databases(common.databases(schema)), _text)
    return FINE


def migrate_databases(databases: Databases) -> Document:
    """Create or upgrade the tables of journal and target."""
    where = config.addresses(config.load(), databases.journal, databases.target)
    done: list[Document] = []
    for name, address, history, schema in (
        ("journal", where.journal, j.JOURNAL_HISTORY, None),
        ("target", where.target, projectors.TARGET_HISTORY, databases.schema),
    ):
        database = j.open_database(address, create=True, wait=databases.wait, schema=schema)
        try:
            before, after = j.migrate(database, history)
        finally:
            database.engine.dispose()
        done.append({"what": name, "database": database.shown, "from": before, "to": after})
    return {"format": FORMAT, "migrated": done}


def _text(document: Mapping[str, Any]) -> str:
    """What `migrate` did."""
    lines = []
    for one in document["migrated"]:
        did = "is current" if one["from"] == one["to"] else f"upgraded from {one['from']}" if one["from"] else "made"
        lines.append(f"{one['what']} in {shown(one['database'])}: {did} (schema {one['to']})")
    return "\n".join(lines) + "\n"

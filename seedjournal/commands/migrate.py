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
from .databases import Databases, layout, refuse_system_schema
from .options import Common, common_options
from .runs import FORMAT, Document


@click.command(
    help="Create or upgrade the journal's tables, and seedjournal's own tables in the target.\n\n"
    "New databases need no migrate: the first `record` creates the journal, and the first `project` creates the tables "
    "in the target. After `migrate --tables`, `project` needs no right to create tables.",
    epilog=exits("the tables are those of this version"),
)
@click.option("--schema", metavar="NAME", help="The PostgreSQL schema that rows go to; created if absent.")
@click.option("--tables", is_flag=True, help="Also create the missing tables that rows go to.")
@common_options
def migrate(common: Common, *, schema: str | None, tables: bool) -> int:
    """Create or upgrade tables, and print which."""
    common.give(migrate_databases(common.databases(schema), tables=tables), _text)
    return FINE


def migrate_databases(databases: Databases, *, tables: bool) -> Document:
    """Create or upgrade the journal and the notes in the target, with `tables` also the tables that rows go to."""
    settings = config.load()
    where = config.addresses(settings, databases.journal, databases.target)
    target_schema = config.schema(settings, databases.schema)
    done: list[Document] = []
    for name, address, history, schema in (
        ("journal", where.journal, j.JOURNAL_HISTORY, None),
        ("target", where.target, projectors.TARGET_HISTORY, target_schema),
    ):
        database = j.open_database(address, create=True, wait=databases.wait, schema=schema)
        try:
            if schema is not None and _make_schema(database, schema):
                done.append({"what": f"schema {schema}", "database": database.shown, "from": None, "to": ""})
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


def _make_schema(database: j.Database, schema: str) -> bool:
    """Create a PostgreSQL schema where there is none of the name; say whether it did."""
    from sqlalchemy import inspect
    from sqlalchemy.schema import CreateSchema

    refuse_system_schema(schema)
    with database.write("schema") as connection:
        if inspect(connection).has_schema(schema):
            return False
        connection.execute(CreateSchema(schema))
        return True


def _text(document: Mapping[str, Any]) -> str:
    """Return what `migrate` did."""
    lines = []
    for one in document["migrated"]:
        did = "is current" if one["from"] == one["to"] else f"upgraded from {one['from']}" if one["from"] else "made"
        version = f" (schema {one['to']})" if one["to"] else ""
        lines.append(f"{one['what']} in {shown(one['database'])}: {did}{version}")
    return "\n".join(lines) + "\n"

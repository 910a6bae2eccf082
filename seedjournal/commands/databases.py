"""Which databases a command works on, and opening them."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from seedjournal import journal as j

from .. import settings as config

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from seedjournal.projectors import Layout
    from seedjournal.projectors.mapping import Tables


@dataclass(frozen=True, slots=True, kw_only=True)
class Databases:
    """Which databases a command works on, and how long it waits for a busy one."""

    journal: str | None = None
    target: str | None = None
    wait: int = field(default_factory=lambda: j.DEFAULT_WAIT)
    schema: str | None = None


@contextmanager
def opened(
    address: str, databases: Databases, history: j.History, *, create: bool, schema: str | None = None
) -> Iterator[j.Database]:
    """Open a database with the tables of one history in it; raise WrongSchema if they are absent.

    With `create`, the first writer makes absent tables; a command that fails before leaves nothing behind.
    """
    database = j.open_database(address, create=create, wait=databases.wait, schema=schema)
    try:
        if create:
            j.is_ready(database, history)  # a database that cannot be written to is reported before the work
        else:
            j.ensure(database, history, create=False)
        yield database
    finally:
        database.engine.dispose()


@contextmanager
def opened_journal(databases: Databases, settings: config.Settings, *, create: bool) -> Iterator[j.Database]:
    """Open the command's journal."""
    address = config.addresses(settings, databases.journal, databases.target).journal
    with opened(address, databases, j.JOURNAL_HISTORY, create=create) as database:
        yield database


@contextmanager
def opened_target(where: config.Addresses, databases: Databases, *, create: bool) -> Iterator[j.Database | None]:
    """Open the target; give None if it is a file that does not exist and may not be made.

    Raise Misuse for a schema that does not exist, naming the nearest.
    """
    schema = config.schema(config.load(), databases.schema)
    database = j.open_database(where.target, create=True, wait=databases.wait, schema=schema)
    try:
        if schema is not None:
            _refuse_unknown_schema(database, schema)
        yield None if database.is_absent and not create else database
    finally:
        database.engine.dispose()


def _refuse_unknown_schema(database: j.Database, schema: str) -> None:
    from sqlalchemy import inspect

    refuse_system_schema(schema)
    with database.read() as connection:
        known = [name for name in inspect(connection).get_schema_names() if name != "information_schema"]
    if schema not in known:
        near = difflib.get_close_matches(schema, known, n=1, cutoff=0)
        raise j.Misuse(
            f"{database.shown} has no schema {schema!r}.",
            (f"Did you mean {near[0]!r}? " if near else "") + f"`seedjournal migrate --schema {schema}` makes it.",
        )


def refuse_system_schema(schema: str) -> None:
    """Raise Misuse for a schema in which PostgreSQL keeps what is its own, or what goes with the session."""
    if schema.startswith("pg_") or schema == "information_schema":
        raise j.Misuse(f"Schema {schema!r} is PostgreSQL's own.", "Choose another name.")


def layout(journal: Connection | None = None) -> Layout | Tables:
    """Return the tables that every command means: others' that a map names, or those of the kinds of the journal.

    Kinds of the journal's newest run need no Python of the user's; where it tells none, they are the domain's. Each run
    is projected, and each project's rows are checked, by the kinds that they were recorded with.
    """
    from seedjournal.projectors import build_layout

    from .domains import own_tables, vocabulary

    settings = config.load()
    if settings.tables is not None:
        return own_tables(settings.tables)
    recorded = None
    if journal is not None:
        newest = max(j.newest_of_each(journal).values(), key=lambda run: run.run, default=None)
        recorded = j.kinds_of(journal, newest) if newest else None
    return build_layout(recorded or vocabulary(settings))


def layout_in(journal: j.Database) -> Layout | Tables:
    """Return the tables that a command on this journal means."""
    with journal.read() as connection:
        return layout(connection)

"""Creating, checking and upgrading tables: two histories of migrations, the journal's and the target's.

Each has a version table of its own name, so that a user's `alembic_version` is never touched, and tables are made only
where none of their names is taken or the version table says that they are ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Column, Connection, MetaData, String, Table, inspect, select, text

from ..errors import Unavailable, WrongSchema
from ..tables import GUARDS, METADATA
from .database import Database

_ROOT = Path(__file__).resolve().parents[2]  # a checkout, or the installed package
_PLACES = (_ROOT / "alembic", _ROOT / "migrations")


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """One line of migrations; `head` is the revision that this version of seedjournal works with."""

    name: str
    version_table: str
    head: str
    metadata: MetaData
    guards: Mapping[str, str] = field(default_factory=dict)  # tables whose rows triggers guard, by their key

    @property
    def folder(self) -> Path:
        """Where the migrations lie: in a checkout's alembic/, or inside the installed package."""
        for place in _PLACES:
            if (place / self.name / "env.py").is_file():
                return place / self.name
        raise Unavailable("The migrations of seedjournal are not installed.", "Reinstall seedjournal.")

    @property
    def table_names(self) -> set[str]:
        """Every table that the history makes."""
        return {table.name for table in self.metadata.tables.values()}


JOURNAL = History(
    name="journal", version_table="seedjournal_journal_version", head="0001", metadata=METADATA, guards=GUARDS
)


def ensure(database: Database, history: History, *, create: bool) -> bool:
    """Make sure that the tables exist and are current; return whether they had to be created.

    With `create`, absent tables are created; of several processes that start at once, one creates them. Raise
    WrongSchema if the tables have another version, are absent, or belong to another program.
    """
    found = _found(database, history)
    if found is not None:
        _refuse_other_version(database, history, found)
        return False
    if not create:
        raise _absent(database, history)
    database.set_up_file()
    with database.write("schema") as connection:
        if _version(connection, history) is None:
            _refuse_foreign(connection, database, history)
            _upgrade(connection, history)
    return True


def is_ready(database: Database, history: History) -> bool:
    """Return whether `ensure` would find the tables, not make them; raise WrongSchema if it would refuse."""
    found = _found(database, history)
    if found is not None:
        _refuse_other_version(database, history, found)
    elif not database.is_absent:
        with database.read() as connection:
            _refuse_foreign(connection, database, history)
    return found is not None


def migrate(database: Database, history: History) -> tuple[str | None, str]:
    """Create the tables where they are absent, and a version, notes or a journal's guards that are missing.

    Return the revision before (None: there were none) and after.
    """
    database.set_up_file()
    with database.write("schema") as connection:
        found = _version(connection, history)
        if found is None and _lacks_version_alone(connection, history):
            _upgrade(connection, history, stamp_only=True)
        elif found is None:
            _refuse_foreign(connection, database, history)
            _upgrade(connection, history)
        else:
            _refuse_other_version(database, history, found)
        if not history.guards:  # a journal's rows cannot be made again
            history.metadata.create_all(connection)
        _refuse_scattered(connection, database, history)
        database.dialect.guard(connection, history.guards)
    return found, history.head


def is_present(connection: Connection, history: History) -> bool:
    """Return whether the version table of this history exists, whatever it says."""
    return _version(connection, history) is not None


def run_migrations(context: Any, history: History) -> None:
    """Migrate the connection that is given, or the one that the configuration names. A history's env.py calls this."""
    given = context.config.attributes.get("connection")
    if given is not None:
        _configure_and_run(context, history, given)
        return
    from .database import open_database

    database = open_database(context.config.get_main_option("sqlalchemy.url"), create=True)
    database.set_up_file()
    with database.write("schema") as connection:
        _configure_and_run(context, history, connection)


def _configure_and_run(context: Any, history: History, connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=history.metadata,
        version_table=history.version_table,
        include_name=lambda name, type_, _: type_ != "table" or name in history.table_names,
        compare_type=True,
        render_as_batch=connection.dialect.name == "sqlite",
    )
    context.run_migrations()


def _found(database: Database, history: History) -> str | None:
    if database.is_absent:
        return None
    with database.read() as connection:
        found = _version(connection, history)
        if found == history.head:
            _refuse_scattered(connection, database, history)
        elif found is None and _lacks_version_alone(connection, history):
            raise WrongSchema(
                f"The {history.name} in {database.shown} lacks the row of {history.version_table} that tells its "
                "version. Somebody deleted it.",
                "`seedjournal migrate` writes it again, as the tables are those of this version.",
            )
        return found


def _absent(database: Database, history: History) -> WrongSchema:
    """Return the error for a database without the tables, which names the schema where others have them."""
    none = f"{database.shown} holds no seedjournal {history.name}"
    found: Sequence[Any] = ()
    if database.name == "postgresql":
        query = text(
            "SELECT nspname, has_schema_privilege(space.oid, 'USAGE') FROM pg_catalog.pg_class "
            "JOIN pg_catalog.pg_namespace space ON space.oid = relnamespace "
            "WHERE relname = :version AND relkind = 'r' ORDER BY 2 DESC, 1"
        )
        with database.read() as connection:
            found = connection.execute(query, {"version": history.version_table}).all()
    for schema, may_use in found:
        if may_use:
            return WrongSchema(
                f"{none} in its search path; schema {schema} has one.",
                f"Add ?options=-csearch_path%3D{quote(schema)} to the address, or set search_path for this user.",
            )
        return WrongSchema(
            f"{none} that this user may see; schema {schema} has one.",
            "Grant this user USAGE on the schema; docs/postgresql.md lists what each command needs.",
        )
    return WrongSchema(
        f"{none}.", "Check the address. `seedjournal record` makes a journal; `seedjournal project` fills a target."
    )


def _version(connection: Connection, history: History) -> str | None:
    table = Table(history.version_table, MetaData(), Column("version_num", String(32)))
    if not inspect(connection).has_table(history.version_table):
        return None
    found = connection.execute(select(table.c.version_num).order_by(table.c.version_num)).scalars()
    return ", ".join(found) or None  # several, where somebody restored rows of another version into the tables


def _lacks_version_alone(connection: Connection, history: History) -> bool:
    """Return whether all tables are there with the columns that this version gives them; the version table is not."""
    seen = inspect(connection)
    return all(
        seen.has_table(one.name) and {column["name"] for column in seen.get_columns(one.name)} == set(one.c.keys())
        for one in history.metadata.tables.values()
    )


def _refuse_other_version(database: Database, history: History, found: str) -> None:
    if found == history.head:
        return
    raise WrongSchema(
        f"The {history.name} in {database.shown} has schema {found}, which this version does not know.",
        "A newer seedjournal made it: upgrade this one."
        if found > history.head
        else f"No version of seedjournal wrote that: restore a backup of {history.version_table}.",
    )


def _refuse_scattered(connection: Connection, database: Database, history: History) -> None:
    """Raise WrongSchema unless all tables are there, in the schema of the version table.

    The search path finds each table by itself, and may find one of another journal.
    """
    names = sorted(history.table_names)
    if connection.dialect.name == "postgresql":
        found = text(
            "SELECT relname FROM pg_catalog.pg_class WHERE oid IN "
            "(SELECT to_regclass(n) FROM unnest(CAST(:names AS text[])) n) AND relnamespace = "
            "(SELECT relnamespace FROM pg_catalog.pg_class WHERE oid = to_regclass(:version))"
        )
        there = set(connection.execute(found, {"names": names, "version": history.version_table}).scalars())
    else:
        there = set(inspect(connection).get_table_names())
    if missing := [name for name in names if name not in there]:
        raise WrongSchema(
            f"The {history.name} in {database.shown} is incomplete: {', '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} missing beside {history.version_table}.",
            "Somebody dropped a table, or another schema comes earlier in the search path. Restore a backup, or name "
            "the schema."
            if history.guards
            else "Somebody dropped a table, or another schema comes earlier in the search path: name the schema. "
            "`seedjournal project --repair` makes a dropped table again, and fills it.",
        )


def _refuse_foreign(connection: Connection, database: Database, history: History) -> None:
    taken = sorted(filter(inspect(connection).has_table, history.table_names))  # views as well
    if taken:
        raise WrongSchema(
            f"{database.shown} already has {', '.join(taken)}, not made by seedjournal; nothing was written.",
            "Use a database of its own, or on PostgreSQL a schema of its own with --schema NAME."
            if history.name != "journal"
            else "Use a database of its own for the journal.",
        )


def _upgrade(connection: Connection, history: History, *, stamp_only: bool = False) -> None:
    from alembic.config import Config

    from alembic import command

    attributes: Mapping[str, Any] = {"connection": connection}
    config = Config(attributes=dict(attributes))
    config.set_main_option("script_location", str(history.folder).replace("%", "%%"))
    (command.stamp if stamp_only else command.upgrade)(config, "head")

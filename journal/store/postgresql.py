"""PostgreSQL: how a server is connected to, locked, read and written."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from sqlalchemy import (
    URL,
    BigInteger,
    ColumnElement,
    Connection,
    Engine,
    LargeBinary,
    Table,
    any_,
    func,
    literal,
    select,
    text,
    true,
)
from sqlalchemy.exc import ProgrammingError

from ..errors import Busy, Unavailable
from .trouble import LOCKED, REFUSAL, Trouble

_NOT_ALLOWED = "42501"
_FULL_WORDS = (
    "too many connections",
    "too many clients",
    "connection slots are reserved",
    "no more connections allowed",
    "the database system is starting up",
)
_FULL = Trouble(
    Busy,
    "too many connections are open, or the server is starting",
    "Close a connection, raise the limit (max_connections, or the role's or database's), or give a longer --wait.",
)
_LOST = Trouble(
    Unavailable,
    "the connection was lost; this step was undone",
    "Run the command again. The server's log says why it ended the connection.",
)
_HIDDEN_ROWS = Trouble(
    Unavailable,
    "row-level security hides rows of a table from this user, so seedjournal would take them for missing",
    "Connect as the tables' owner or as a role with BYPASSRLS, or switch it off with "
    "`ALTER TABLE … DISABLE ROW LEVEL SECURITY`.",
)
_TIMED_OUT = Trouble(
    Unavailable,
    "a timeout of the server ended the command; this step was undone",
    "Raise the timeout for this user, for example with `ALTER ROLE … SET statement_timeout = 0`.",
)
_OTHER_TABLES = Trouble(
    Unavailable,
    "a table is not as seedjournal made it",
    "Somebody changed it. Put the table or column back, or restore a backup.",
)
_SET_BACK = Trouble(
    Unavailable,
    "a table that a migration would create exists already",
    "Somebody set the version table back, or put another one there. Put it back as it was, or restore a backup.",
)
_ENCODING = Trouble(
    Unavailable,
    "the database's encoding does not have every character",
    "Use a database with the encoding UTF8: `CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0`.",
)
_RAISED = Trouble(
    Unavailable,
    "a trigger or a rule refused it; this step was undone",
    "Look at the triggers of the table that it names.",
)
# By SQLSTATE, or by its class where every member means the same.
_TROUBLES = {
    "55P03": LOCKED,
    "40P01": Trouble(
        Busy,
        "deadlock: this command and another program waited for each other, and the server ended this one; "
        "this step was undone",
        "Run the command again.",
    ),
    "40001": Trouble(
        Busy, "another program changed the same rows meanwhile; this step was undone", "Run the command again."
    ),
    "57014": _TIMED_OUT,
    "25P03": _TIMED_OUT,
    "25P04": _TIMED_OUT,
    "57P05": _TIMED_OUT,
    "57P01": _LOST,
    "57P02": _LOST,
    "08": _LOST,
    "25006": Trouble(
        Unavailable,
        "this database may only be read",
        "Write to the primary server, or see default_transaction_read_only of this role and database.",
    ),
    "53100": Trouble(Unavailable, "the server's disk is full", "Free some space there, and run the command again."),
    "53200": Trouble(Unavailable, "the server is out of memory", "See the server's log."),
    _NOT_ALLOWED: Trouble(
        Unavailable, "this user may not do this", "Grant it; docs/postgresql.md lists what each command needs."
    ),
    "3F000": Trouble(
        Unavailable, "there is no such schema", "Name one that exists, with --schema NAME or in search_path."
    ),
    "42P01": _OTHER_TABLES,
    "42703": _OTHER_TABLES,
    "42804": _OTHER_TABLES,
    "42883": _OTHER_TABLES,
    "428C9": _OTHER_TABLES,
    "22P02": _OTHER_TABLES,
    "22P03": _OTHER_TABLES,
    "42P07": _SET_BACK,
    "42701": _SET_BACK,
    "42710": _SET_BACK,
    "22021": _ENCODING,
    "22P05": _ENCODING,
    "P0001": _RAISED,
    "XX001": Trouble(Unavailable, "the database is damaged", "Restore a backup; the server's log says more."),
    "XX002": Trouble(Unavailable, "an index is damaged", "Run `REINDEX` on it, then `seedjournal verify`."),
}
_SETTINGS = {
    "timezone": "UTC",
    "datestyle": "ISO",
    "bytea_output": "hex",
    "standard_conforming_strings": "on",
    "transform_null_equals": "off",
    "quote_all_identifiers": "off",  # SQLAlchemy reads the names of types
    "row_security": "off",  # rather an error than half of the rows
    "idle_in_transaction_session_timeout": "0",  # a simulation takes its time
}


class PostgreSQL:
    """Implement `Dialect` for PostgreSQL servers."""

    def engine_arguments(self, address: URL, wait: int) -> dict[str, Any]:  # noqa: ARG002 - the signature of `Dialect`
        """Bound the wait for a connection, and look first whether one that was not used for hours is still there."""
        arguments = {
            "connect_timeout": max(2, min(wait, 30)),
            "application_name": "seedjournal",
            "client_encoding": "UTF8",
        }
        return {"connect_args": arguments, "pool_pre_ping": True}

    def listen(self, engine: Engine, event: Any) -> None:
        """Read in REPEATABLE READ (one snapshot), and write in READ COMMITTED, whatever the server's default is.

        So writers see what others committed while they waited for the lock.
        """
        event.listen(engine, "begin", _begin)

    def prepare(self, connection: Connection, *, schema: str | None, wait: int) -> None:
        """Set what we rely on for this transaction, whatever the server, the role or a pooler's last user set.

        A `lock_timeout` of 0 would mean no limit. Where another process answers than the one that the connection was
        made to, there is a pooler between, which would run a prepared statement where nobody prepared it.
        """
        settings = {**_SETTINGS, "lock_timeout": f"{wait * 1000 or 1}"}
        if schema is not None:
            settings["search_path"] = _quoted(schema)
        chosen = (func.set_config(name, value, true()) for name, value in settings.items())
        answering, *_ = connection.execute(select(func.pg_backend_pid(), *chosen)).one()
        driver: Any = connection.connection.driver_connection
        if answering != driver.info.backend_pid:
            driver.prepare_threshold = None

    def lock(self, connection: Connection, name: str) -> None:
        """Take an advisory lock."""
        number = zlib.crc32(b"seedjournal:" + name.encode()) | (0x5EED << 32)
        connection.execute(select(func.pg_advisory_xact_lock(number)))

    def check_after(self, connection: Connection) -> None:
        """Do nothing: a server answers for what it has committed."""

    def set_up_file(self, engine: Engine, wait: int) -> None:
        """Do nothing: a server has no file of ours."""

    def trouble(self, error: BaseException) -> Trouble | None:
        """Look at the SQLSTATE; a failure to connect, or a lost connection, has none."""
        state = getattr(error, "sqlstate", None)
        if self.is_full(error):
            return _FULL
        if state is None:
            lost = any(words in str(error) for words in ("server closed the connection", "connection is lost"))
            return _LOST if lost or "terminating connection" in str(error) else None
        if state == _NOT_ALLOWED and "row-level security" in str(error):
            return _HIDDEN_ROWS
        return _TROUBLES.get(state) or _TROUBLES.get(state[:2])

    def is_full(self, error: BaseException) -> bool:
        """Return whether all connections are in use or the server starts; where connecting fails, only words tell."""
        if getattr(error, "sqlstate", None) in {"53300", "57P03"}:
            return True
        return any(words in str(error) for words in _FULL_WORDS) and getattr(error, "sqlstate", None) is None

    def reading_leniently(self, connection: Connection) -> AbstractContextManager[None]:  # noqa: ARG002 - the signature of `Dialect`
        """Do nothing: PostgreSQL's texts are always UTF-8."""
        return nullcontext()

    @contextmanager
    def changeable(self, connection: Connection, tables: Sequence[Table]) -> Iterator[None]:
        """Lift the triggers that refuse changes of these tables, within the caller's transaction.

        Raise Unavailable if the user does not own the tables.
        """
        found = self._guards(connection, [one.name for one in tables])
        try:
            for name, of in found.items():
                connection.exec_driver_sql(f"ALTER TABLE {of} DISABLE TRIGGER {name}")
        except ProgrammingError as error:
            if getattr(error.orig, "sqlstate", None) != _NOT_ALLOWED:
                raise
            raise Unavailable(
                "Only the owner of the journal's tables may delete rows from them, and this user is not the owner.",
                "Connect as the user that made the journal or ran `seedjournal migrate`.",
            ) from error
        yield
        for name, of in found.items():
            connection.exec_driver_sql(f"ALTER TABLE {of} ENABLE TRIGGER {name}")

    def damage(self, connection: Connection, tables: Sequence[Table]) -> Iterator[str]:
        """Yield each index that does not have as many entries as its table has rows."""
        for one in tables:
            with _planned(connection, enable_indexscan="off", enable_indexonlyscan="off", enable_bitmapscan="off"):
                rows = connection.execute(select(func.count()).select_from(one)).scalar_one()
            keys = [*one.primary_key.columns, *(each for each in one.columns if each.unique or each.index)]
            for key in keys:
                with _planned(connection, enable_seqscan="off", enable_bitmapscan="off"):
                    counted = select(func.count(key)).where(key.is_not(None))
                    entries = connection.execute(counted).scalar_one()
                if entries != rows:
                    yield (
                        f"the index of {one.name}.{key.name} has {entries:,} entries for {rows:,} rows; "
                        f"REINDEX TABLE {one.name} builds it again"
                    )

    def missing_guards(self, connection: Connection, guards: Mapping[str, str]) -> dict[str, str]:
        """Look for a trigger that is switched on and calls a function that refuses."""
        found = self._guards(connection, list(guards))
        return {f"{of}_stays": of for of in guards if f"{of}_stays" not in found}

    def guard(self, connection: Connection, guards: Mapping[str, str]) -> None:
        """Make the triggers that are missing, and their function."""
        missing = self.missing_guards(connection, guards)
        if missing:
            connection.exec_driver_sql(
                "CREATE OR REPLACE FUNCTION seedjournal_refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
                f"$$ BEGIN RAISE EXCEPTION '%%: {REFUSAL}', TG_TABLE_NAME USING ERRCODE = 'restrict_violation'; END $$",
                (),
            )
        for name, of in missing.items():
            connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {name} ON {of}")
            connection.exec_driver_sql(
                f"CREATE TRIGGER {name} BEFORE UPDATE OR DELETE OR TRUNCATE ON {of} "
                "FOR EACH STATEMENT EXECUTE FUNCTION seedjournal_refuse_change()"
            )

    def _guards(self, connection: Connection, names: Sequence[str]) -> dict[str, str]:
        """Return the guards that work, each with its table."""
        query = text(
            "SELECT t.tgname, c.relname FROM pg_catalog.pg_trigger t "
            "JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid "
            "WHERE c.oid IN (SELECT to_regclass(n) FROM unnest(CAST(:names AS text[])) n) "
            "AND t.tgname = c.relname || '_stays' AND t.tgenabled <> 'D' AND p.prosrc LIKE '%RAISE EXCEPTION%'"
        )
        return {str(name): str(of) for name, of in connection.execute(query, {"names": list(names)})}

    def octets(self, text: ColumnElement[Any]) -> ColumnElement[int]:
        """Return the number of bytes of a text or a blob."""
        return func.octet_length(text)

    def among(self, tested: ColumnElement[Any], values: Sequence[int] | Sequence[bytes]) -> ColumnElement[bool]:
        """Compare with one bound array."""
        from sqlalchemy.dialects.postgresql import ARRAY  # loads what a journal in SQLite never needs

        of_bytes = bool(values) and isinstance(values[0], bytes)
        return tested == any_(literal(list(values), ARRAY(LargeBinary if of_bytes else BigInteger)))

    def insert_rows(
        self, connection: Connection, table: Table, names: Sequence[str], rows: Iterable[Sequence[Any]]
    ) -> int:
        """Insert rows by binary COPY."""
        from psycopg import sql

        statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(
            sql.Identifier(table.name), sql.SQL(", ").join(map(sql.Identifier, names))
        )
        types = [table.c[name].type.compile(connection.dialect).lower() for name in names]
        cursor = connection.connection.cursor()
        with cursor.copy(statement) as copy:
            copy.set_types(types)
            for row in rows:
                copy.write_row(row)
        return int(cursor.rowcount)


def _begin(connection: Connection) -> None:
    from psycopg import IsolationLevel

    driver: Any = connection.connection.driver_connection
    writes = connection.get_execution_options().get("seedjournal_writes")
    if not writes:  # verification compares by temporary tables, which a read-only transaction may not make
        is_standby = driver.info.parameter_status("in_hot_standby") == "on"
        driver.read_only = None if is_standby else False
    else:
        driver.read_only = None
    driver.isolation_level = IsolationLevel.READ_COMMITTED if writes else IsolationLevel.REPEATABLE_READ


def _quoted(name: str) -> str:
    """Return a name as SQL writes it in a setting; SQLAlchemy's own quoting is for statements, and doubles each %."""
    return '"' + name.replace('"', '""') + '"'


@contextmanager
def _planned(connection: Connection, **settings: str) -> Iterator[None]:
    """Change settings of the query planner within the block, and restore them afterwards."""
    before = connection.execute(select(*(func.current_setting(name) for name in settings))).one()
    connection.execute(select(*(func.set_config(name, value, true()) for name, value in settings.items())))
    yield
    connection.execute(select(*(func.set_config(*one, true()) for one in zip(settings, before, strict=True))))

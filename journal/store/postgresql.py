"""PostgreSQL: how a server is connected to, locked, read and written."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from sqlalchemy import (
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
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import ProgrammingError

from ..errors import Unavailable

_BUSY = {"55P03", "40P01", "40001"}
_NOT_ALLOWED = "42501"
_REFUSALS = {_NOT_ALLOWED, "3F000", "42P01"}


class PostgreSQL:
    """Implement `Dialect` for PostgreSQL servers."""

    def connect_args(self, wait: int) -> dict[str, Any]:
        """Bound the wait for a connection."""
        return {"connect_timeout": max(2, min(wait, 30)), "application_name": "seedjournal"}

    def listen(self, engine: Engine, event: Any) -> None:
        """Read in REPEATABLE READ (one snapshot), and write in READ COMMITTED, whatever the server's default is.

        So writers see what others committed while they waited for the lock.
        """
        event.listen(engine, "begin", _begin)

    def prepare(self, connection: Connection, *, schema: str | None, wait: int) -> None:
        """Set `lock_timeout` (0 would mean no limit) and the search path."""
        settings = {"lock_timeout": f"{wait * 1000 or 1}", "timezone": "UTC"}
        if schema is not None:
            settings["search_path"] = connection.dialect.identifier_preparer.quote(schema)
        connection.execute(select(*(func.set_config(name, value, true()) for name, value in settings.items())))

    def lock(self, connection: Connection, name: str) -> None:
        """Take an advisory lock."""
        number = zlib.crc32(b"seedjournal:" + name.encode()) | (0x5EED << 32)
        connection.execute(select(func.pg_advisory_xact_lock(number)))

    def set_up_file(self, engine: Engine, wait: int) -> None:
        """Do nothing: a server has no file of ours."""

    def is_busy(self, error: object) -> bool:
        """Return whether the server gave up waiting for a lock."""
        return getattr(error, "sqlstate", None) in _BUSY

    def is_refusal(self, error: object) -> bool:
        """Return whether a privilege, a schema or a table is missing."""
        return getattr(error, "sqlstate", None) in _REFUSALS

    def reading_leniently(self, connection: Connection) -> AbstractContextManager[None]:  # noqa: ARG002 - the signature of `Dialect`
        """Do nothing: PostgreSQL's texts are always UTF-8."""
        return nullcontext()

    @contextmanager
    def changeable(self, connection: Connection, tables: Sequence[Table]) -> Iterator[None]:
        """Lift the triggers that refuse changes of these tables, within the caller's transaction.

        Raise Unavailable if the user does not own the tables.
        """
        try:
            for one in tables:
                connection.exec_driver_sql(f"ALTER TABLE {one.name} DISABLE TRIGGER {one.name}_stays")
        except ProgrammingError as error:
            if getattr(error.orig, "sqlstate", None) != _NOT_ALLOWED:
                raise
            raise Unavailable(
                "only the owner of the journal's tables may take rows out of them, and this user is not",
                "connect as the user that ran `seedjournal migrate`, or made the journal",
            ) from error
        yield
        for one in tables:
            connection.exec_driver_sql(f"ALTER TABLE {one.name} ENABLE TRIGGER {one.name}_stays")

    def octets(self, text: ColumnElement[Any]) -> ColumnElement[int]:
        """Return the number of bytes of a text or a blob."""
        return func.octet_length(text)

    def among(self, tested: ColumnElement[Any], values: Sequence[int] | Sequence[bytes]) -> ColumnElement[bool]:
        """Compare with one bound array."""
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
    driver.isolation_level = IsolationLevel.READ_COMMITTED if writes else IsolationLevel.REPEATABLE_READ

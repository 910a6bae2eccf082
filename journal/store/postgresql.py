"""How PostgreSQL is spoken to. The same verbs stand in sqlite.py."""

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


def connect_args(wait: int) -> dict[str, Any]:
    """What the driver is opened with."""
    return {"connect_timeout": max(2, min(wait, 30)), "application_name": "seedjournal"}


def listen(engine: Engine, event: Any) -> None:
    """Let who reads see one moment throughout, and who writes all that was written while waiting for the lock.

    Whatever the server's default is.
    """
    event.listen(engine, "begin", _begin)


def _begin(connection: Connection) -> None:
    from psycopg import IsolationLevel

    driver: Any = connection.connection.driver_connection
    writes = connection.get_execution_options().get("seedjournal_writes")
    driver.isolation_level = IsolationLevel.READ_COMMITTED if writes else IsolationLevel.REPEATABLE_READ


def prepare(connection: Connection, *, schema: str | None, wait: int) -> None:
    """Bound every wait for a lock (nought would mean for ever), and say which schema unqualified names mean."""
    settings = {"lock_timeout": f"{wait * 1000 or 1}", "timezone": "UTC"}
    if schema is not None:
        settings["search_path"] = connection.dialect.identifier_preparer.quote(schema)
    connection.execute(select(*(func.set_config(name, value, true()) for name, value in settings.items())))


def lock(connection: Connection, name: str) -> None:
    """Wait for the write lock of that name, which the transaction's end gives back."""
    number = zlib.crc32(b"seedjournal:" + name.encode()) | (0x5EED << 32)
    connection.execute(select(func.pg_advisory_xact_lock(number)))


def set_up_file(engine: Engine, wait: int) -> None:
    """Nothing: there is no file."""


def is_busy(error: object) -> bool:
    """Whether the wait for a lock is over."""
    return getattr(error, "sqlstate", None) in _BUSY


def is_refusal(error: object) -> bool:
    """Whether the server refused for a reason of the user's: no privilege, no such schema."""
    return getattr(error, "sqlstate", None) in _REFUSALS


def reading_leniently(_connection: Connection) -> AbstractContextManager[None]:
    """Nothing: PostgreSQL's texts are always UTF-8."""
    return nullcontext()


@contextmanager
def changeable(connection: Connection, tables: Sequence[Table]) -> Iterator[None]:
    """Lift the triggers that refuse changes of these tables, within the caller's transaction.

    Raises Unavailable for who does not own the tables.
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


def octets(text: ColumnElement[Any]) -> ColumnElement[int]:
    """How many bytes a text or a blob has."""
    return func.octet_length(text)


def among(tested: ColumnElement[Any], values: Sequence[int] | Sequence[bytes]) -> ColumnElement[bool]:
    """`tested` is one of these integers or hashes, with one bound value however many they are."""
    of_bytes = bool(values) and isinstance(values[0], bytes)
    return tested == any_(literal(list(values), ARRAY(LargeBinary if of_bytes else BigInteger)))


def insert_rows(connection: Connection, table: Table, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
    """Add rows by binary COPY, given as tuples in the order of `names`; how many the database added."""
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

"""SQLite: how a file is opened, locked, read and written."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Integer,
    LargeBinary,
    Table,
    bindparam,
    cast,
    column,
    func,
    insert,
    literal,
    select,
    table,
)

_WIDTH = 32
_ASK_AGAIN = 0.02  # seconds
_PAGE = 8192  # bytes; the index of hashes is written all over, and fewer and larger pages are written less often
_CHECKPOINT = 8000  # pages of the write-ahead log before they are copied into the file


class SQLite:
    """Implement `Dialect` for SQLite files."""

    def connect_args(self, wait: int) -> dict[str, Any]:
        """Bound the wait for the write lock."""
        return {"timeout": wait}

    def listen(self, engine: Engine, event: Any) -> None:
        """Set up every connection, and let transactions be SQLAlchemy's alone, DDL included."""
        event.listen(engine, "connect", _connect)
        event.listen(engine, "begin", _begin)

    def prepare(self, connection: Connection, *, schema: str | None, wait: int) -> None:
        """Do nothing: a new connection sets everything."""

    def lock(self, connection: Connection, name: str) -> None:
        """Do nothing: BEGIN IMMEDIATE already holds SQLite's only write lock."""

    def set_up_file(self, engine: Engine, wait: int) -> None:
        """Create a file that only its owner may use, and that can be read while it is written.

        An existing file stays as it is. SQLite does not wait for this lock by itself: of two processes that start at
        once, SQLite refuses one, which then asks again.
        """
        with suppress(OSError):  # it is there, or SQLite says what is wrong
            os.close(os.open(Path(engine.url.database or "").resolve(), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        connection = sqlite3.connect(engine.url.database or "", timeout=wait, isolation_level=None)
        until = time.monotonic() + wait
        try:
            while connection.execute("PRAGMA page_count").fetchone()[0] == 0:
                try:
                    connection.execute(f"PRAGMA page_size = {_PAGE}")
                    connection.execute("PRAGMA journal_mode = WAL")
                except sqlite3.OperationalError as error:
                    if not self.is_busy(error) or time.monotonic() > until:
                        raise
                    time.sleep(_ASK_AGAIN)
                else:
                    return
        finally:
            connection.close()

    def is_busy(self, error: object) -> bool:
        """Return whether SQLite gave up waiting for a lock."""
        return isinstance(error, sqlite3.OperationalError) and "locked" in str(error)

    def is_refusal(self, error: object) -> bool:  # noqa: ARG002 - the signature of `Dialect`
        """Return False: SQLite has no users and no privileges."""
        return False

    @contextmanager
    def reading_leniently(self, connection: Connection) -> Iterator[None]:
        """Read texts that are not valid UTF-8 any more, with marks in place of the broken bytes."""
        driver: Any = connection.connection.driver_connection
        driver.text_factory = lambda raw: raw.decode(errors="replace")
        try:
            yield
        finally:
            driver.text_factory = str

    @contextmanager
    def changeable(self, connection: Connection, tables: Sequence[Table]) -> Iterator[None]:
        """Lift the triggers that refuse changes of these tables, within the caller's transaction."""
        triggers = table("sqlite_master", column("type"), column("name"), column("tbl_name"), column("sql"))
        query = select(triggers.c.name, triggers.c.sql).where(
            triggers.c.type == "trigger", triggers.c.tbl_name.in_([one.name for one in tables])
        )
        lifted = connection.execute(query).all()
        for name, _ in lifted:
            connection.exec_driver_sql(f"DROP TRIGGER {connection.dialect.identifier_preparer.quote(name)}")
        yield
        for _, statement in lifted:
            connection.exec_driver_sql(statement)

    def octets(self, text: ColumnElement[Any]) -> ColumnElement[int]:
        """Return the number of bytes of a text or a blob."""
        return func.length(cast(text, LargeBinary))

    def among(self, tested: ColumnElement[Any], values: Sequence[int] | Sequence[bytes]) -> ColumnElement[bool]:
        """Compare with a JSON list of integers, or with the 32-byte pieces of one blob."""
        if values and isinstance(values[0], bytes):
            joined = literal(b"".join(values), LargeBinary)  # type: ignore[arg-type]  # all are what the first is
            place = select(literal(0, Integer).label("i")).cte("place", recursive=True)
            place = place.union_all(select(place.c.i + 1).where(place.c.i < len(values) - 1))
            return tested.in_(select(func.substr(joined, place.c.i * _WIDTH + 1, _WIDTH)))
        listed = func.json_each(bindparam(None, json.dumps(list(values)), unique=True)).table_valued(
            column("value", Integer)
        )
        return tested.in_(select(listed.c.value))

    def insert_rows(
        self, connection: Connection, table: Table, names: Sequence[str], rows: Iterable[Sequence[Any]]
    ) -> int:
        """Insert rows with one prepared statement."""
        rows = list(rows)
        if not rows:
            return 0
        statement = insert(table).values({name: bindparam(name) for name in names})
        text = str(statement.compile(dialect=connection.dialect, column_keys=list(names)))
        return connection.exec_driver_sql(text, rows).rowcount


def _connect(connection: sqlite3.Connection, _: object) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA cache_size = -65536")
    cursor.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT}")
    cursor.close()


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("seedjournal_writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

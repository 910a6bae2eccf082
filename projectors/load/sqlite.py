"""How rows are loaded into SQLite. The same verbs stand in postgresql.py."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Table, column, insert, select, table, update

from .pointers import Pointer, moved

_MASTER = table("sqlite_master", *map(column, ("type", "name", "tbl_name", "sql")))


def load(connection: Connection, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Add rows, in the order of `columns`, in one statement."""
    if rows:
        statement = insert(table(name, *map(column, columns))).values(dict.fromkeys(columns))
        text = str(statement.compile(dialect=connection.dialect, column_keys=list(columns)))
        connection.exec_driver_sql(text, [tuple(row) for row in rows])


@contextmanager
def bare(connection: Connection, table: Table, *, is_empty: bool) -> Iterator[None]:
    """Take the indexes off an empty table, to build them over all of its rows at the end."""
    query = select(_MASTER.c.name, _MASTER.c.sql).where(
        _MASTER.c.type == "index", _MASTER.c.tbl_name == table.name, _MASTER.c.sql.is_not(None)
    )
    taken = connection.execute(query).all() if is_empty else []
    for name, _ in taken:
        connection.exec_driver_sql(f"DROP INDEX {connection.dialect.identifier_preparer.quote(name)}")
    yield
    for _, statement in taken:
        connection.exec_driver_sql(statement)


def schemas(connection: Connection) -> tuple[str | None, list[str | None]]:  # noqa: ARG001 - one signature for both makes
    """The schema that our tables are in, and all that may hold tables that point to them: there is but one."""
    return None, [None]


def fold(name: str) -> str:
    """A name as the database compares it."""
    return name.lower()


def move_id(connection: Connection, rows: Table, pointers: Sequence[Pointer], old: int, new: int) -> None:
    """Change a row's id and all that points to it; until the end of it foreign keys wait."""
    connection.exec_driver_sql("PRAGMA defer_foreign_keys = 1")
    for statement in moved(pointers, old, new):
        connection.execute(statement)
    connection.execute(update(rows).where(rows.c.id == old).values(id=new))
    connection.exec_driver_sql("PRAGMA defer_foreign_keys = 0")

"""How rows are loaded into PostgreSQL. The same verbs stand in sqlite.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Table, func, inspect, select, update
from sqlalchemy.exc import DBAPIError

from .pointers import Pointer, moved


def load(connection: Connection, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Add rows, in the order of `columns`, by COPY; the server parses texts by the columns' types.

    Raises what SQLAlchemy raises for a statement of its own.
    """
    from psycopg import Error, sql

    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(name), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    try:
        with connection.connection.cursor().copy(statement) as copy:
            for row in rows:
                copy.write_row(row)
    except Error as error:
        raise DBAPIError.instance(f"COPY {name}", None, error, Error, dialect=connection.dialect) from error


def schemas(connection: Connection) -> tuple[str | None, list[str | None]]:
    """The schema that our tables are in, and all that may hold tables that point to them."""
    own = connection.execute(select(func.current_schema())).scalar()
    return own, [name for name in inspect(connection).get_schema_names() if name != "information_schema"]


def fold(name: str) -> str:
    """A name as the database compares it."""
    return name


def move_id(connection: Connection, rows: Table, pointers: Sequence[Pointer], old: int, new: int) -> None:
    """Change a row's id and all that points to it, in one statement: at its end every foreign key holds again."""
    statement = update(rows).where(rows.c.id == old).values(id=new)
    for number, one in enumerate(moved(pointers, old, new)):
        statement = statement.add_cte(one.cte(f"moved_{number}"))
    connection.execute(statement)

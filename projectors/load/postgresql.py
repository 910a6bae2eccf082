"""How rows are loaded into PostgreSQL. The same verbs stand in sqlite.py."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Table, func, inspect, select, text, true, update
from sqlalchemy.exc import DBAPIError

from .pointers import Pointer, moved

_AT_ONCE = "100ms"


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


@contextmanager
def bare(connection: Connection, table: Table, *, is_empty: bool) -> Iterator[None]:
    """Take foreign keys, unique keys and indexes off an empty table, to build them over all of its rows at the end.

    That is several times as fast. Where it cannot be had at once, because somebody reads the table or it is somebody
    else's, they stay.
    """
    names = {str(one.name) for one in table.constraints if one is not table.primary_key}
    names |= {str(one.name) for one in table.indexes}
    taken = _definitions(connection, table.name, names) if is_empty else []
    wait = connection.execute(select(func.current_setting("lock_timeout"))).scalar_one()
    try:
        with connection.begin_nested():
            connection.execute(select(func.set_config("lock_timeout", _AT_ONCE, true())))
            for take_off, _ in taken:
                connection.exec_driver_sql(take_off)
            connection.execute(select(func.set_config("lock_timeout", wait, true())))
    except DBAPIError as error:
        if error.connection_invalidated:  # that is no refusal: there is nobody to ask any more
            raise
        taken = []
    yield
    for _, put_back in taken:
        connection.exec_driver_sql(put_back)


def _definitions(connection: Connection, table: str, names: Collection[str]) -> list[tuple[str, str]]:
    """For each of the table's constraints and indexes of these names the statements that take it off and put it back.

    Foreign keys come last: what they are checked with is there by then.
    """
    query = text(
        "SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname),"
        " format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid)),"
        " contype = 'f' AS is_last"
        " FROM pg_constraint WHERE conrelid = to_regclass(quote_ident(:table)) AND conname = ANY(:names)"
        " UNION ALL"
        " SELECT format('DROP INDEX %s', indexrelid::regclass), pg_get_indexdef(indexrelid), false"
        " FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid"
        " WHERE indrelid = to_regclass(quote_ident(:table)) AND relname = ANY(:names)"
        " AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid AND conrelid = indrelid)"
        " ORDER BY is_last"
    )
    rows = connection.execute(query, {"table": table, "names": sorted(names)})
    return [(take_off.replace("%", "%%"), put_back.replace("%", "%%")) for take_off, put_back, _ in rows]


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

"""How rows are loaded into PostgreSQL. The same verbs stand in sqlite.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

try:
    from psycopg import sql
    from psycopg.errors import IntegrityError as DRIVER_INTEGRITY_ERROR  # noqa: N812 - the verb's name in both files
except ImportError:  # the extra `postgres` is not installed: no connection will ever come here
    DRIVER_INTEGRITY_ERROR = RuntimeError  # type: ignore[assignment, misc]


def load(connection: Connection, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Add rows, in the order of `columns`, by COPY; the server parses texts by the columns' types."""
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(name), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with connection.connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)

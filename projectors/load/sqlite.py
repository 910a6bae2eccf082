"""How rows are loaded into SQLite. The same verbs stand in postgresql.py."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, column, insert, table

DRIVER_INTEGRITY_ERROR = sqlite3.IntegrityError


def load(connection: Connection, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Add rows, in the order of `columns`, in one statement."""
    if rows:
        statement = insert(table(name, *map(column, columns))).values(dict.fromkeys(columns))
        text = str(statement.compile(dialect=connection.dialect, column_keys=list(columns)))
        connection.exec_driver_sql(text, [tuple(row) for row in rows])

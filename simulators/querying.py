"""Rows of a database, as facts: the one place where simulators speak to a database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import text

from seedjournal.journal import open_database


def rows_of(address: str, statement: str, at_once: int) -> Iterator[dict[str, Any]]:
    """Yield a query's rows by column name, in the order that the query gives them."""
    database = open_database(address, create=False)
    try:
        with database.read() as connection:
            result = connection.execution_options(yield_per=at_once).execute(text(statement))
            for row in result.mappings():
                yield dict(row)
    finally:
        database.engine.dispose()

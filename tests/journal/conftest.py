"""The journal's tests need a journal only."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from seedjournal.journal import JOURNAL_HISTORY, Database, ensure, open_database


@pytest.fixture
def open_url() -> Iterator[Callable[[str], Database]]:
    """A function that opens a database with a journal in it; closed when the test ends."""
    opened: list[Database] = []

    def open_(address: str) -> Database:
        database = open_database(address, create=True)
        opened.append(database)
        ensure(database, JOURNAL_HISTORY, create=True)
        return database

    yield open_
    for database in opened:
        database.engine.dispose()

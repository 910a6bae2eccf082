"""Databases that tests of projecting share, emptied for each of them.

A database costs a second to make and its statements as much to compile, which is more than most tests need themselves.
"""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from pathlib import Path

import psycopg
from sqlalchemy import delete, inspect, table, text

from seedjournal.journal import JOURNAL_HISTORY, Database, ensure, open_database
from seedjournal.projectors import TARGET_HISTORY, build_layout, make_tables
from seedjournal.simulators.engineering.kinds import ENGINEERING
from tests.conftest import SERVER
from tests.journal.things import tampering

LAYOUT = build_layout(ENGINEERING.vocabulary)
_OPEN: dict[tuple[str, str], Database] = {}
_FOLDERS: list[Path] = []


def emptied(make: str, use: str = "main") -> Database:
    """A database with an empty journal and an empty target: always the same one for a make and a use."""
    if (make, use) not in _OPEN:
        database = open_database(_url(make), create=True)
        ensure(database, JOURNAL_HISTORY, create=True)
        ensure(database, TARGET_HISTORY, create=True)
        make_tables(database, LAYOUT)
        _OPEN[make, use] = database
    else:
        make_tables(_OPEN[make, use], LAYOUT)
        _empty(_OPEN[make, use])
    return _OPEN[make, use]


def close() -> None:
    """Remove every database."""
    while _OPEN:
        (make, _), database = _OPEN.popitem()
        database.engine.dispose()
        if make == "postgresql":
            with psycopg.connect(os.environ[SERVER], autocommit=True) as connection:
                connection.execute(f"DROP DATABASE {database.engine.url.database} WITH (FORCE)")
    while _FOLDERS:
        shutil.rmtree(_FOLDERS.pop())


def _url(make: str) -> str:
    name = f"t_{secrets.token_hex(6)}"
    if make == "sqlite":
        _FOLDERS.append(Path(tempfile.mkdtemp(prefix="seedjournal-")))
        return f"sqlite:///{_FOLDERS[-1]}/{name}.db"
    with psycopg.connect(os.environ[SERVER], autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    head, _, query = os.environ[SERVER].partition("?")
    return f"{head.rpartition('/')[0]}/{name}" + (f"?{query}" if query else "")


def _empty(database: Database) -> None:
    notes = TARGET_HISTORY.metadata.sorted_tables
    ours = [*reversed(LAYOUT.tables), *notes, *JOURNAL_HISTORY.metadata.sorted_tables]
    stay = {"journal", JOURNAL_HISTORY.version_table, TARGET_HISTORY.version_table}
    with database.write("target") as connection:
        for name in set(inspect(connection).get_table_names()) - {one.name for one in ours} - stay:
            connection.execute(text(f"DROP TABLE {name}"))
        with tampering(connection):
            for one in ours:
                if one.name not in stay:
                    connection.execute(delete(table(one.name)))

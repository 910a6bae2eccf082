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
from sqlalchemy import inspect

from seedjournal.journal import JOURNAL_HISTORY, Database, ensure, open_database
from seedjournal.projectors import TARGET_HISTORY, build_layout, make_tables
from seedjournal.simulators.engineering.kinds import ENGINEERING
from tests.conftest import SERVER

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
        if make == "sqlite":
            database.engine.dispose()
            shutil.copy(_file(database), f"{_file(database)}.empty")
    elif make == "sqlite":
        _copy_back(_OPEN[make, use])
    else:
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


def _file(database: Database) -> str:
    return str(database.engine.url.database)


def _copy_back(database: Database) -> None:
    """Put the empty file into the place of SQLite's."""
    database.engine.dispose()
    for end in ("-wal", "-shm"):
        Path(_file(database) + end).unlink(missing_ok=True)
    shutil.copy(f"{_file(database)}.empty", _file(database))


def _empty(database: Database) -> None:
    """Delete every row of PostgreSQL's tables but those that say what they are, and every table that is nobody's."""
    notes = TARGET_HISTORY.metadata.sorted_tables
    ours = [one.name for one in (*LAYOUT.tables, *notes, *JOURNAL_HISTORY.metadata.sorted_tables)]
    stay = {"journal", JOURNAL_HISTORY.version_table, TARGET_HISTORY.version_table}
    with database.engine.begin() as connection:
        found = set(inspect(connection).get_table_names())
        statements = [f"DROP TABLE {name}" for name in found - {*ours} - stay]
        statements.append("SET LOCAL session_replication_role = replica")  # no trigger fires
        statements += [f"DELETE FROM {name}" for name in ours if name in found - stay]
        connection.exec_driver_sql("; ".join(statements))
    if not found.issuperset(ours):
        make_tables(database, LAYOUT)

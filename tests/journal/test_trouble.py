"""What a database refuses is said in words of its own, with a way out; nothing of it is called a bug."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url as parse
from sqlalchemy import text

from seedjournal.journal import JOURNAL_HISTORY, Busy, Database, Unavailable, all_runs, ensure, open_database
from tests.conftest import Urls
from tests.journal.things import findings, record_all, row_counts, things


@pytest.fixture
def on_postgresql(make_url: Urls, open_url: Callable[[str], Database]) -> Database:
    database = open_url(make_url("postgresql"))
    record_all(database, things(3))
    return database


def plain(database: Database) -> str:
    """The address as psycopg takes it."""
    return database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)


def administer(database: Database, *statements: str) -> None:
    with psycopg.connect(plain(database), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)  # type: ignore[arg-type]


@pytest.fixture
def role(on_postgresql: Database) -> Iterator[str]:
    """A user who may read every table, and nothing else."""
    name = f"r_{on_postgresql.engine.url.database}"
    grant = f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name}"
    administer(on_postgresql, f"CREATE ROLE {name} LOGIN PASSWORD 'x'", grant)
    yield name
    administer(on_postgresql, f"DROP OWNED BY {name}", f"DROP ROLE {name}")


def as_role(database: Database, role: str, wait: int = 1) -> Database:
    url = parse(plain(database)).set(username=role, password="x").render_as_string(hide_password=False)
    return open_database(url, create=False, wait=wait)


@pytest.mark.parametrize("table", ["journal_events", "journal_runs", "seedjournal_journal_version"])
def test_hidden_rows_are_no_damage_and_no_absence(on_postgresql: Database, role: str, table: str) -> None:
    administer(on_postgresql, f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    reader = as_role(on_postgresql, role)
    with pytest.raises(Unavailable, match=f"row-level security.*{table}") as told:  # noqa: PT012
        ensure(reader, JOURNAL_HISTORY, create=False)
        findings(reader)
    assert "BYPASSRLS" in told.value.hint
    reader.engine.dispose()
    assert findings(on_postgresql) == []


def test_a_reader_without_rights_is_told_so(on_postgresql: Database, role: str) -> None:
    administer(on_postgresql, f"REVOKE SELECT ON journal_events FROM {role}")
    reader = as_role(on_postgresql, role)
    with pytest.raises(Unavailable, match=r"may not do this.*journal_events"):
        findings(reader)
    reader.engine.dispose()


def test_all_connections_in_use_are_waited_for(on_postgresql: Database, role: str) -> None:
    administer(on_postgresql, f"ALTER ROLE {role} CONNECTION LIMIT 1")
    url = parse(plain(on_postgresql)).set(username=role, password="x").render_as_string(hide_password=False)
    holder = psycopg.connect(url)
    with pytest.raises(Busy, match="too many connections"):
        row_counts(as_role(on_postgresql, role))
    threading.Timer(1, holder.close).start()
    patient = as_role(on_postgresql, role, wait=30)
    assert row_counts(patient)["journal_runs"] == 1
    patient.engine.dispose()


def test_a_deadlock_is_called_one(on_postgresql: Database) -> None:
    """Another program holds a table, and then wants what this command holds."""
    administer(on_postgresql, "CREATE TABLE one (note text)", "CREATE TABLE two (note text)")
    with psycopg.connect(plain(on_postgresql)) as other:
        other.execute("SET deadlock_timeout = '60s'")
        other.execute("LOCK TABLE two")
        held = threading.Event()

        def wait_for_one() -> None:
            held.wait(30)
            other.execute("LOCK TABLE one")

        waiting = threading.Thread(target=wait_for_one)
        waiting.start()
        with pytest.raises(Busy, match="deadlock") as told, on_postgresql.write() as connection:  # noqa: PT012
            connection.execute(text("LOCK TABLE one"))
            held.set()
            connection.execute(text("LOCK TABLE two"))
        waiting.join(30)
    assert "waited" not in told.value.message.replace("waited for each other", "")


def test_a_lost_connection_is_called_one(on_postgresql: Database) -> None:
    with pytest.raises(Unavailable, match="connection was lost"), on_postgresql.write() as connection:  # noqa: PT012
        number = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        administer(on_postgresql, f"SELECT pg_terminate_backend({number}, 10000)")
        connection.execute(text("SELECT 1"))


def test_sessions_as_people_configure_them(on_postgresql: Database) -> None:
    name = on_postgresql.engine.url.database
    for setting in (
        "standard_conforming_strings = off",
        "client_encoding = 'LATIN1'",
        "bytea_output = 'escape'",
        "DateStyle = 'German'",
        "row_security = off",
        "default_transaction_isolation = 'serializable'",
        "idle_in_transaction_session_timeout = '1s'",
        "backslash_quote = on",
        "transform_null_equals = on",
    ):
        administer(on_postgresql, f"ALTER DATABASE {name} SET {setting}")
    on_postgresql.engine.dispose()
    record_all(on_postgresql, things(4, n1="a\\'b ✓"))
    assert findings(on_postgresql) == []


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_databases_of_other_encodings(on_postgresql: Database, encoding: str, request: pytest.FixtureRequest) -> None:
    name = f"{on_postgresql.engine.url.database}_e"
    administer(on_postgresql, f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0")
    request.addfinalizer(lambda: administer(on_postgresql, f"DROP DATABASE {name} WITH (FORCE)"))
    url = parse(plain(on_postgresql)).set(database=name).render_as_string(hide_password=False)
    database = open_database(url, create=True)
    request.addfinalizer(database.engine.dispose)
    ensure(database, JOURNAL_HISTORY, create=True)
    record_all(database, things(4, n1="é"))
    assert findings(database) == []
    if encoding == "LATIN1":
        with pytest.raises(Unavailable, match="encoding") as told:
            record_all(database, things(4, n1="✓"))
        assert "UTF8" in told.value.hint
    else:
        record_all(database, things(4, n1="✓"))
    assert findings(database) == []


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE journal_runs RENAME COLUMN project TO theirs",
        "ALTER TABLE journal_runs RENAME TO theirs",
    ],
)
def test_a_changed_table_is_named(database: Database, change: str) -> None:
    with database.write() as connection:
        connection.execute(text(change))
    with (
        pytest.raises(Unavailable, match=r"not as seedjournal made it.*(project|journal_runs)"),
        database.read() as one,
    ):
        all_runs(one, "p")


def test_half_a_file_is_damaged(tmp_path: Path, open_url: Callable[[str], Database]) -> None:
    whole = open_url(f"sqlite:///{tmp_path}/x.db")
    record_all(whole, things(3000))
    whole.engine.dispose()
    content = (tmp_path / "x.db").read_bytes()
    (tmp_path / "half.db").write_bytes(content[: len(content) // 2])
    half = open_database(f"sqlite:///{tmp_path}/half.db", create=False)
    with pytest.raises(Unavailable, match="damaged") as told:
        row_counts(half)
    assert "backup" in told.value.hint
    half.engine.dispose()

"""Rows of a journal stay as they are: both makes refuse every change, whoever asks for it; and how the owner may."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import pytest
from alembic.config import Config
from sqlalchemy import Table, delete, insert, text, update

from alembic import command
from seedjournal.journal import (
    JOURNAL_HISTORY,
    Database,
    Unavailable,
    WrongSchema,
    all_runs,
    ensure,
    migrate,
    open_database,
)
from seedjournal.journal import sealing as sealing_module
from seedjournal.journal.tables import FORGOTTEN, JOURNAL, METADATA, NODES, RUNS
from tests.conftest import MAKES
from tests.journal.things import findings, record_all, row_counts, tampering, things

TABLES = list(METADATA.tables.values())


@pytest.fixture
def filled(database: Database) -> Database:
    """A journal with a row in every table."""
    record_all(database, things(200))
    row = {"id": 1, "forgotten_at": "", "forgotten_by": "", "runs": "{}", "seal": b""}
    with database.write() as connection:
        connection.execute(insert(FORGOTTEN).values(**row, events=0, nodes=0, last_run=0, last_event=0))
    return database


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_no_row_is_changed_or_deleted(filled: Database, table: Table) -> None:
    before = row_counts(filled)
    first = next(iter(table.columns))
    statements = [update(table).values({first.name: first}), delete(table)]
    if filled.name == "postgresql":
        statements.append(text(f"TRUNCATE {table.name}"))
    for statement in statements:
        with (
            pytest.raises(Unavailable, match=f"{table.name}: rows of a journal are never changed"),
            filled.write() as connection,
        ):
            connection.execute(statement)
    assert row_counts(filled) == before


def test_no_row_is_replaced(make_url: Callable[[str], str], open_url: Callable[[str], Database]) -> None:
    """SQLite's own way round a delete trigger; only events, of which there are millions, are left to their hashes."""
    database = open_url(make_url("sqlite"))
    record_all(database, things(5))
    for table in (JOURNAL, NODES, RUNS):
        with pytest.raises(Unavailable, match=f"{table.name}: rows"), database.write() as connection:
            connection.execute(text(f"INSERT OR REPLACE INTO {table.name} SELECT * FROM {table.name}"))


def test_no_row_is_changed_by_an_insert_that_conflicts(filled: Database) -> None:
    change = "ON CONFLICT (id) DO UPDATE SET event = ''"
    with pytest.raises(Unavailable, match="never changed"), filled.write() as connection:
        connection.execute(text(f"INSERT INTO journal_events SELECT * FROM journal_events WHERE true {change}"))


def test_the_owners_way_round_ends_with_the_transaction(filled: Database) -> None:
    with filled.write() as connection, tampering(connection):
        for table in TABLES:
            name = next(iter(table.columns))
            connection.execute(update(table).values({name.name: name}))
    for table in TABLES:
        with pytest.raises(Unavailable, match="never changed"), filled.write() as connection:
            connection.execute(delete(table))


def test_a_step_that_fails_leaves_the_guards(filled: Database) -> None:
    with pytest.raises(ZeroDivisionError), filled.write() as connection, tampering(connection):  # noqa: PT012
        connection.execute(delete(RUNS))
        raise ZeroDivisionError
    with pytest.raises(Unavailable, match="never changed"), filled.write() as connection:
        connection.execute(delete(RUNS))
    assert row_counts(filled)["journal_runs"] == 1


def test_who_does_not_own_the_tables_is_told_so(
    make_url: Callable[[str], str], open_url: Callable[[str], Database]
) -> None:
    database = open_url(make_url("postgresql"))
    with pytest.raises(Unavailable, match="only the owner of the journal's tables") as refused:  # noqa: SIM117, PT012
        with database.write() as connection:  # and with it goes the role
            role = f"recorder_{secrets.token_hex(4)}"
            connection.execute(text(f"CREATE ROLE {role}"))
            connection.execute(text(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}"))
            connection.execute(text(f"SET LOCAL ROLE {role}"))
            with tampering(connection):
                connection.execute(delete(RUNS))
    assert "connect as" in refused.value.hint


@pytest.fixture
def old(make_url: Callable[[str], str], open_url: Callable[[str], Database], monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function from a make to a journal of schema 0001 with two runs in it, as the version of that schema left it."""

    def make_old(make: str) -> Database:
        new = open_url(make_url(make))
        with monkeypatch.context() as then:
            then.setattr(sealing_module, "user_at_host", lambda: None)
            record_all(new, things(200))
            record_all(new, things(201))
        database = open_database(make_url(make), create=True)
        with database.write("schema") as connection:
            config = Config(attributes={"connection": connection})
            config.set_main_option("script_location", str(JOURNAL_HISTORY.folder))
            command.upgrade(config, "0001")
            connection.execute(text("DELETE FROM journal"))
            for name, columns in COLUMNS_OF_0001.items():
                with new.read() as source:
                    rows = source.execute(text(f"SELECT {', '.join(columns)} FROM {name}")).mappings().all()
                places = ", ".join(f":{column}" for column in columns)
                statement = text(f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({places})")
                connection.execute(statement, [dict(row) for row in rows])
        return database

    return make_old


COLUMNS_OF_0001 = {
    "journal": ("id", "created_at"),
    "journal_events": ("id", "hash", "event", "provenance"),
    "journal_nodes": ("hash", "level", "payload"),
    "journal_runs": (
        *("run", "project", "namespace", "root", "state", "fingerprint", "inputs", "counts", "sealed_at", "seal"),
    ),
}


@pytest.mark.parametrize("make", MAKES)
def test_a_journal_of_the_first_schema_is_upgraded_with_all_it_holds(old: Callable[[str], Database], make: str) -> None:
    database = old(make)
    try:
        with pytest.raises(WrongSchema, match="has schema 0001"):
            ensure(database, JOURNAL_HISTORY, create=True)
        assert migrate(database, JOURNAL_HISTORY) == ("0001", JOURNAL_HISTORY.head)
        assert findings(database) == []
        sealed = record_all(database, things(202))
        assert (sealed.run.run, sealed.appended) == (3, 1)
        assert findings(database) == []
        with database.read() as connection:
            assert [run.recorded_by is None for run in all_runs(connection)] == [True, True, False]
        with pytest.raises(Unavailable, match="never changed"), database.write() as connection:
            connection.execute(delete(RUNS))
        with database.write("schema") as connection:
            config = Config(attributes={"connection": connection})
            config.set_main_option("script_location", str(JOURNAL_HISTORY.folder))
            command.downgrade(config, "0001")
            connection.execute(text("DELETE FROM journal_runs WHERE run = 3"))
        assert migrate(database, JOURNAL_HISTORY) == ("0001", JOURNAL_HISTORY.head)
        assert findings(database) == []
    finally:
        database.engine.dispose()

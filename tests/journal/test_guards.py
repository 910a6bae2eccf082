"""Rows of a journal stay as they are: both makes refuse every change, whoever asks for it; and how the owner may."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Table, delete, insert, text, update

from seedjournal.journal import (
    JOURNAL_HISTORY,
    Damaged,
    Database,
    Fault,
    Unavailable,
    WrongSchema,
    count_events,
    ensure,
    journal_id,
    migrate,
)
from seedjournal.journal.store.contents import journal_seal
from seedjournal.journal.tables import JOURNAL, METADATA, NODES, RUNS
from tests.conftest import Urls
from tests.journal.things import findings, forget_all_but, record_all, row_counts, tampering, things

TABLES = list(METADATA.tables.values())


def a_row_in_every_table(database: Database) -> None:
    record_all(database, things(200))
    record_all(database, things(200), project="q")
    forget_all_but(database, 0, ["q"])


@pytest.fixture
def filled(copy_of: Callable[[Callable[[Database], None]], Database]) -> Database:
    """A journal with a row in every table."""
    return copy_of(a_row_in_every_table)


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
    with pytest.raises(Unavailable, match="Only the owner of the journal's tables") as refused:  # noqa: SIM117, PT012
        with database.write() as connection:  # and with it goes the role
            role = f"recorder_{secrets.token_hex(4)}"
            connection.execute(text(f"CREATE ROLE {role}"))
            connection.execute(text(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}"))
            connection.execute(text(f"SET LOCAL ROLE {role}"))
            with tampering(connection):
                connection.execute(delete(RUNS))
    assert "Connect as" in refused.value.hint


def drop_guard(database: Database, table: str) -> str:
    """Drop a table's guard against deletions, and return its name."""
    name = f"{table}_stays" if database.name == "postgresql" else f"{table}_no_delete"
    on = f" ON {table}" if database.name == "postgresql" else ""
    with database.write() as connection:
        connection.execute(text(f"DROP TRIGGER {name}{on}"))
    return name


@pytest.mark.parametrize("table", list(METADATA.tables))
def test_a_missing_guard_is_named_and_put_back(filled: Database, table: str) -> None:
    name = drop_guard(filled, table)
    (found,) = findings(filled)
    assert (found.where, found.what) == (table, f"trigger {name}")
    assert found.fault is Fault.GUARD
    migrate(filled, JOURNAL_HISTORY)
    assert findings(filled) == []
    if table != "journal_forgotten":
        with pytest.raises(Unavailable, match="never changed"), filled.write() as connection:
            connection.execute(text(f"DELETE FROM {table}"))


def test_forgetting_goes_on_where_a_guard_is_missing(filled: Database) -> None:
    record_all(filled, things(9))
    name = drop_guard(filled, "journal_runs")
    forget_all_but(filled, 1)
    assert [found.what for found in findings(filled)] == [f"trigger {name}"]
    assert row_counts(filled)["journal_runs"] == 1


def test_guards_without_their_function(make_url: Urls, open_url: Callable[[str], Database]) -> None:
    database = open_url(make_url("postgresql"))
    with database.write() as connection:
        connection.execute(text("DROP FUNCTION seedjournal_refuse_change() CASCADE"))
    assert {found.where for found in findings(database)} == set(METADATA.tables)
    migrate(database, JOURNAL_HISTORY)
    body = "AS $$ BEGIN RETURN NULL; END $$"
    with database.write() as connection:
        connection.execute(
            text(f"CREATE OR REPLACE FUNCTION seedjournal_refuse_change() RETURNS trigger LANGUAGE plpgsql {body}")
        )
        connection.execute(text("ALTER TABLE journal_runs DISABLE TRIGGER journal_runs_stays"))
    assert {found.where for found in findings(database)} == set(METADATA.tables)
    migrate(database, JOURNAL_HISTORY)
    assert findings(database) == []


def test_two_journals_in_one_are_both_named(filled: Database) -> None:
    with filled.write() as connection:
        first = journal_id(connection)
        values = {"id": "theirs", "created_at": "then", "seal": journal_seal("theirs", "then")}
        connection.execute(insert(JOURNAL).values(values))
    (found,) = findings(filled)
    assert found.where == "journal"
    for name in (first, "theirs"):
        assert name in found.problem
    with pytest.raises(Damaged, match="theirs"), filled.read() as connection:
        journal_id(connection)


def test_an_index_of_sqlite_that_lost_its_entries(tmp_path: Path, open_url: Callable[[str], Database]) -> None:
    database = open_url(f"sqlite:///{tmp_path}/x.db")
    record_all(database, things(5))
    database.engine.dispose()
    connection = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
    for statement in (
        "create table zz(h blob, unique(h))",
        "pragma writable_schema=1",
        "update sqlite_master set rootpage = (select rootpage from sqlite_master where name = 'sqlite_autoindex_zz_1') where name = 'sqlite_autoindex_journal_events_1'",
        "pragma schema_version=99",
    ):
        connection.execute(statement)
    connection.close()
    assert any("journal_events" in found.problem for found in findings(database) if found.where == "storage")
    with database.read() as reading:
        assert count_events(reading) == 5


@pytest.mark.parametrize(
    ("index", "said"),
    [
        ("pk_journal_events", "journal_events.id"),
        ("pk_journal_nodes", "journal_nodes.hash"),
        ("pk_journal_runs", "journal_runs.run"),
        ("ix_journal_runs_project", "journal_runs.project"),
    ],
)
def test_an_index_of_postgresql_that_lost_its_entries(
    make_url: Urls, open_url: Callable[[str], Database], index: str, said: str
) -> None:
    database = open_url(make_url("postgresql"))

    def switch(ready: str) -> None:
        with database.write() as connection:
            connection.execute(
                text(f"UPDATE pg_index SET indisready = {ready} WHERE indexrelid = CAST(:name AS regclass)"),
                {"name": index},
            )

    switch("false")
    database.engine.dispose()
    record_all(database, things(5))
    switch("true")
    database.engine.dispose()
    problems = [found.problem for found in findings(database) if found.where == "storage"]
    assert any(f"the index of {said} has 0 entries" in problem for problem in problems)


def test_tables_of_two_schemas_are_no_journal(make_url: Urls, open_url: Callable[[str], Database]) -> None:
    """Another schema comes first in the search path, and has a table of that name."""
    url = make_url("postgresql")
    database = open_url(url)
    with database.write() as connection:
        connection.execute(text("CREATE SCHEMA theirs"))
        connection.execute(text("CREATE TABLE theirs.journal_events (note text)"))
        connection.execute(text(f"ALTER DATABASE {database.engine.url.database} SET search_path = theirs, public"))
    database.engine.dispose()
    with pytest.raises(WrongSchema, match="is incomplete: journal_events is missing"):
        ensure(database, JOURNAL_HISTORY, create=False)


def test_a_dropped_table_is_named(filled: Database) -> None:
    with filled.write() as connection:
        connection.execute(text("DROP TABLE journal_nodes"))
    with pytest.raises(WrongSchema, match="journal_nodes is missing"):
        ensure(filled, JOURNAL_HISTORY, create=False)


def test_a_version_table_that_was_set_back(filled: Database) -> None:
    with filled.write() as connection:
        connection.execute(text("UPDATE seedjournal_journal_version SET version_num = '0000'"))
    for way in (lambda: ensure(filled, JOURNAL_HISTORY, create=True), lambda: migrate(filled, JOURNAL_HISTORY)):
        with pytest.raises(WrongSchema, match="has schema 0000") as told:
            way()
        assert "backup of seedjournal_journal_version" in told.value.hint

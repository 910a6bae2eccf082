"""Rows of a journal stay as they are: both makes refuse every change, whoever asks for it; and how the owner may."""

from __future__ import annotations

import secrets
from collections.abc import Callable

import pytest
from sqlalchemy import Table, delete, text, update

from seedjournal.journal import Database, Unavailable
from seedjournal.journal.tables import JOURNAL, METADATA, NODES, RUNS
from tests.journal.things import forget_all_but, record_all, row_counts, tampering, things

TABLES = list(METADATA.tables.values())


@pytest.fixture
def filled(database: Database) -> Database:
    """A journal with a row in every table."""
    record_all(database, things(200))
    record_all(database, things(200), project="q")
    forget_all_but(database, 0, ["q"])
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

"""Tables: made where nothing is in the way, checked, and never adopted or guessed at."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alembic.config import Config
from sqlalchemy import Connection, MetaData, inspect, text
from sqlalchemy.event import listen

from alembic import command
from seedjournal.journal import (
    JOURNAL_HISTORY,
    Database,
    History,
    WrongSchema,
    ensure,
    is_present,
    is_ready,
    journal_id,
    migrate,
    open_database,
)
from seedjournal.projectors import TARGET_HISTORY
from tests.conftest import MAKES
from tests.journal.things import record_all, things

HISTORIES = pytest.mark.parametrize("history", [JOURNAL_HISTORY, TARGET_HISTORY], ids=lambda history: history.name)


@pytest.fixture
def empty(url: str) -> Any:
    """An empty database, on either make."""
    database = open_database(url, create=True)
    database.set_up_file()
    yield database
    database.engine.dispose()


def tables_of(database: Database) -> set[str]:
    """Every table there is."""
    with database.read() as connection:
        return set(inspect(connection).get_table_names())


def run_sql(database: Database, *statements: str) -> None:
    """What the database's owner does."""
    with database.write() as connection:
        for statement in statements:
            connection.execute(text(statement))


def shape(connection: Connection, metadata: MetaData) -> dict[str, Any]:
    """Tables as the database describes them."""
    seen = inspect(connection)
    return {
        name: {
            "columns": [{key: str(value) for key, value in column.items()} for column in seen.get_columns(name)],
            "primary key": seen.get_pk_constraint(name),
            "foreign keys": sorted(seen.get_foreign_keys(name), key=repr),
            "unique": sorted(seen.get_unique_constraints(name), key=repr),
            "indexes": sorted(seen.get_indexes(name), key=repr),
            "checks": sorted(seen.get_check_constraints(name), key=repr),
        }
        for name in metadata.tables
    }


@HISTORIES
def test_tables_are_made_once(empty: Database, history: History) -> None:
    with empty.read() as connection:
        assert not is_present(connection, history)
    assert ensure(empty, history, create=True)
    assert tables_of(empty) == history.table_names | {history.version_table}
    assert not ensure(empty, history, create=True)
    assert not ensure(empty, history, create=False)
    assert migrate(empty, history) == (history.head, history.head)
    with empty.read() as connection:
        assert is_present(connection, history)


def test_migrate_makes_what_is_absent(empty: Database) -> None:
    assert migrate(empty, JOURNAL_HISTORY) == (None, JOURNAL_HISTORY.head)
    assert not ensure(empty, JOURNAL_HISTORY, create=False)


@HISTORIES
def test_alembic_finds_nothing_to_do(empty: Database, history: History) -> None:
    ensure(empty, history, create=True)
    with empty.write() as connection:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(history.folder))
        command.check(config)


@HISTORIES
def test_the_migrated_schema_is_the_declared_one(
    make_url: Callable[[str], str], history: History, request: pytest.FixtureRequest
) -> None:
    for make in MAKES:
        shapes = []
        for migrated in (True, False):
            database = open_database(make_url(make), create=True)
            request.addfinalizer(database.engine.dispose)
            database.set_up_file()
            if migrated:
                ensure(database, history, create=True)
            with database.write() as connection:
                if not migrated:
                    history.metadata.create_all(connection)
                shapes.append(shape(connection, history.metadata))
        assert shapes[0] == shapes[1]


def test_both_histories_share_a_database(empty: Database) -> None:
    for history in (JOURNAL_HISTORY, TARGET_HISTORY):
        ensure(empty, history, create=True)
        assert not ensure(empty, history, create=False)


def test_each_journal_has_an_id_of_its_own(make_url: Callable[[str], str], open_url: Callable[[str], Database]) -> None:
    ids = set()
    for make in MAKES * 2:
        with open_url(make_url(make)).read() as connection:
            ids.add(journal_id(connection))
    assert len(ids) == 4
    assert {len(one) for one in ids} == {32}


def test_absent_tables_are_not_made_for_who_only_reads(empty: Database) -> None:
    with pytest.raises(WrongSchema, match="holds no seedjournal journal") as refused:
        ensure(empty, JOURNAL_HISTORY, create=False)
    assert "record" in refused.value.hint
    assert not tables_of(empty)


@pytest.mark.parametrize("made", ["TABLE journal_events (note TEXT)", "VIEW journal_events AS SELECT 1 AS note"])
@pytest.mark.parametrize("way", [lambda *given: ensure(*given, create=True), migrate], ids=["ensure", "migrate"])
def test_what_somebody_else_made_is_refused_and_left_alone(empty: Database, made: str, way: Callable[..., Any]) -> None:
    run_sql(empty, f"CREATE {made}")
    before = tables_of(empty)
    with pytest.raises(WrongSchema, match="already has journal_events, not made by seedjournal") as refused:
        way(empty, JOURNAL_HISTORY)
    assert "database of its own" in refused.value.hint
    assert tables_of(empty) == before
    with empty.read() as connection:
        assert [column["name"] for column in inspect(connection).get_columns("journal_events")] == ["note"]


def test_another_schema_is_refused(empty: Database) -> None:
    ensure(empty, JOURNAL_HISTORY, create=True)
    run_sql(empty, "UPDATE seedjournal_journal_version SET version_num = '9999'")
    for way in (lambda: ensure(empty, JOURNAL_HISTORY, create=True), lambda: migrate(empty, JOURNAL_HISTORY)):
        with pytest.raises(WrongSchema, match="has schema 9999, which this version does not know") as refused:
            way()
        assert "upgrade" in refused.value.hint


def test_rows_of_two_versions_are_refused(empty: Database) -> None:
    """Somebody restored another version's rows, and no others, into the tables."""
    ensure(empty, JOURNAL_HISTORY, create=True)
    run_sql(empty, "INSERT INTO seedjournal_journal_version VALUES ('9999')")
    with pytest.raises(WrongSchema, match="has schema 0001, 9999, which this version does not know"):
        ensure(empty, JOURNAL_HISTORY, create=False)


@HISTORIES
@pytest.mark.parametrize("lost", ["DELETE FROM", "DROP TABLE"])
def test_a_lost_version_is_told_and_written_again(empty: Database, history: History, lost: str) -> None:
    """The tables are not taken for somebody else's, nor for absent ones."""
    ensure(empty, history, create=True)
    run_sql(empty, f"{lost} {history.version_table}")
    for way in (lambda: ensure(empty, history, create=True), lambda: is_ready(empty, history)):
        with pytest.raises(WrongSchema, match=f"lacks the row of {history.version_table}") as refused:
            way()
        assert "`seedjournal migrate`" in refused.value.hint
    assert migrate(empty, history) == (None, history.head)
    assert not ensure(empty, history, create=False)


@pytest.mark.parametrize("name", sorted(TARGET_HISTORY.table_names))
def test_a_dropped_table_of_notes_is_made_again(empty: Database, name: str) -> None:
    ensure(empty, TARGET_HISTORY, create=True)
    run_sql(empty, f"DROP TABLE {name}")
    with pytest.raises(WrongSchema, match=f"{name} is missing") as refused:
        ensure(empty, TARGET_HISTORY, create=True)
    assert "`seedjournal project --repair`" in refused.value.hint
    migrate(empty, TARGET_HISTORY)
    assert not ensure(empty, TARGET_HISTORY, create=False)


def test_a_dropped_table_of_a_journal_is_not_made_again(empty: Database) -> None:
    """Its rows are lost, and an empty one would hide that."""
    ensure(empty, JOURNAL_HISTORY, create=True)
    run_sql(empty, "DROP TABLE journal_events")
    with pytest.raises(WrongSchema, match="journal_events is missing") as refused:
        migrate(empty, JOURNAL_HISTORY)
    assert "backup" in refused.value.hint
    assert "journal_events" not in tables_of(empty)


def test_the_users_own_migrations_stay_as_they_are(empty: Database) -> None:
    run_sql(
        empty,
        "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)",
        "INSERT INTO alembic_version VALUES ('theirs')",
        "CREATE TABLE theirs (note TEXT)",
    )
    for history in (JOURNAL_HISTORY, TARGET_HISTORY):
        ensure(empty, history, create=True)
        migrate(empty, history)
        with empty.write() as connection:
            config = Config(attributes={"connection": connection})
            config.set_main_option("script_location", str(history.folder))
            command.check(config)
    with empty.read() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all() == ["theirs"]
        assert inspect(connection).has_table("theirs")


def test_the_working_folder_does_not_matter(empty: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ensure(empty, JOURNAL_HISTORY, create=True)
    record_all(empty, things(3))


def test_a_migration_that_fails_leaves_nothing(empty: Database) -> None:
    """The last table's index is in the way: none of the tables before it stays."""
    run_sql(empty, "CREATE TABLE theirs (note TEXT)", "CREATE INDEX ix_journal_runs_project ON theirs (note)")
    with pytest.raises(Exception, match="ix_journal_runs_project"):
        ensure(empty, JOURNAL_HISTORY, create=True)
    assert tables_of(empty) == {"theirs"}


def test_a_journal_beyond_the_search_path_is_told(make_url: Callable[[str], str], open_url: Any) -> None:
    url = make_url("postgresql")
    owner = open_url(url)
    role = f"user_{owner.engine.url.database}"
    run_sql(owner, f"CREATE ROLE {role}", "REVOKE USAGE ON SCHEMA public FROM PUBLIC")
    other = open_database(url, create=False)
    listen(other.engine, "begin", lambda connection: connection.exec_driver_sql(f"SET LOCAL ROLE {role}"))
    with pytest.raises(WrongSchema, match="that this user may see; schema public has one") as hidden:
        ensure(other, JOURNAL_HISTORY, create=False)
    assert "USAGE" in hidden.value.hint
    other.engine.dispose()
    run_sql(owner, f"DROP ROLE {role}")
    run_sql(owner, f"ALTER DATABASE {owner.engine.url.database} SET search_path = elsewhere")
    for address, is_found in ((url, False), (f"{url}{'&' if '?' in url else '?'}options=-csearch_path%3Dpublic", True)):
        database = open_database(address, create=False)
        try:
            if is_found:
                assert not ensure(database, JOURNAL_HISTORY, create=False)
            else:
                with pytest.raises(WrongSchema, match="search path; schema public has one") as refused:
                    ensure(database, JOURNAL_HISTORY, create=False)
                assert "?options=-csearch_path%3Dpublic" in refused.value.hint
        finally:
            database.engine.dispose()

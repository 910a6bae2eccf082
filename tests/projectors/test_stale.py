"""Rows of ours whose key has left the state: they stay and are counted, until somebody prunes and nothing holds them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.event import listen

from seedjournal.journal import Database, Run, Unavailable, WrongSchema, ensure, open_database
from seedjournal.projectors import (
    TARGET_HISTORY,
    DeletesMany,
    both,
    check,
    compare_target,
    listed,
    remove_project,
)
from tests.projectors.invented import (
    ALL_EXACT,
    SLUG,
    check_run,
    cold,
    everything,
    execute,
    file,
    member,
    note,
    pull_request,
    rows,
    show,
    team,
    total,
    totals,
    with_changed,
)
from tests.projectors.kept import LAYOUT, emptied

LEFT = 10  # rows that hang on one pull request, with its issue


def leave(database: Database, how: str) -> Run:
    """The run to project, after which the third pull request is gone."""
    if how == "older":
        run = note(database, everything(numbers=(1, 2)))
        show(database, note(database, everything()))
        return run
    show(database, note(database, everything(), ALL_EXACT))
    policies = ALL_EXACT if how == "exact" else {}
    return note(database, everything(numbers=(1, 2)), policies, fresh=how == "fresh")


@pytest.mark.parametrize("how", ["fresh", "older"])
def test_what_left_the_state_stays_until_it_is_pruned(database: Database, how: str) -> None:
    run = leave(database, how)
    before = rows(database)
    done = show(database, run)
    assert (total(done, "stale"), total(done, "retained"), totals(done)) == (LEFT, 0, (0, 0, 0))
    assert rows(database) == before
    assert total(show(database, run), "stale") == LEFT
    with database.read() as connection:
        assert listed(connection, LAYOUT)[SLUG]["pr_file"] == {"foreign": 0, "stale": 2}
    done = show(database, run, prune=True)
    assert (total(done, "stale"), totals(done)) == (0, (0, 0, LEFT))
    assert rows(database) == cold(database, run)
    assert totals(show(database, run, prune=True)) == (0, 0, 0)


def test_what_left_the_state_of_an_exact_kind_is_deleted_unasked(database: Database) -> None:
    run = leave(database, "exact")
    done = show(database, run, prune=None, delete_many=True)
    assert (total(done, "stale"), totals(done)) == (0, (0, 0, LEFT))
    assert rows(database) == cold(database, run)
    assert totals(show(database, run, prune=None)) == (0, 0, 0)


def test_what_left_the_state_of_another_kind_stays(database: Database) -> None:
    done = show(database, leave(database, "older"), prune=None)
    assert (total(done, "stale"), totals(done)) == (LEFT, (0, 0, 0))


def test_what_somebody_edited_or_refers_to_is_not_deleted_unasked(database: Database) -> None:
    run = leave(database, "exact")
    execute(
        database,
        "UPDATE pr_files SET additions = 77 WHERE pull_request_id IN (SELECT id FROM pull_requests WHERE number = 3)",
    )
    files = [row for row in rows(database)["pr_files"] if row["additions"] == 77]
    done = show(database, run, prune=None, delete_many=True)
    left = [row for row in rows(database)["pr_files"] if row["additions"] == 77]
    assert left == files != []
    assert total(done, "deleted") < LEFT
    assert done.kinds["pull_request"].deleted == 0  # the file refers to it
    assert total(done, "stale") > 0


def test_many_rows_are_deleted_only_when_that_is_allowed(database: Database) -> None:
    run = leave(database, "exact")
    before = rows(database)
    with pytest.raises(DeletesMany, match="left the state and would be deleted") as refused:
        show(database, run, prune=None)
    assert "--yes" in refused.value.hint
    assert rows(database) == before
    assert total(show(database, run, prune=None, dry_run=True), "deleted") == LEFT
    assert rows(database) == before


def test_a_key_that_comes_back_is_stale_no_longer_and_gets_the_states_content(database: Database) -> None:
    show(database, leave(database, "exact"))
    execute(database, "UPDATE pull_requests SET title = 'edited while stale' WHERE number = 3")
    run = note(database, with_changed(everything(), "pr_file", status="removed"), ALL_EXACT)
    done = show(database, run)
    assert (total(done, "stale"), total(done, "inserted")) == (0, 0)
    assert done.kinds["pr_file"].updated == 6
    assert [row["title"] for row in rows(database)["pull_requests"] if row["number"] == 3] == ["Change 3"]
    assert totals(show(database, run, prune=True)) == (0, 0, 0)


def test_stale_rows_that_somebody_deleted_are_not_counted(database: Database) -> None:
    run = leave(database, "exact")
    show(database, run)
    execute(database, "DELETE FROM pr_files WHERE id IN (SELECT id FROM seedjournal_rows WHERE kind = 'pr_file')")
    assert total(show(database, run), "stale") == LEFT - 2
    assert totals(show(database, run, prune=True)) == (0, 0, LEFT - 2)


def test_an_edited_note_does_not_lead_to_somebodys_row(database: Database) -> None:
    """Ids follow from keys: another id in a note is not the row that left."""
    run = leave(database, "exact")
    show(database, run)
    execute(
        database,
        "INSERT INTO pr_files (id, pull_request_id, filename, status, additions, deletions, changes, file_category) "
        "SELECT 1, id, 'mine', '', 0, 0, 0, '' FROM pull_requests WHERE number = 1",
    )
    key = "(SELECT min(key) FROM seedjournal_rows WHERE kind = 'pr_file')"
    execute(database, f"UPDATE seedjournal_rows SET id = 1 WHERE kind = 'pr_file' AND key = {key}")
    show(database, run, prune=True)
    assert "mine" in {row["filename"] for row in rows(database)["pr_files"]}


# -- retained ------------------------------------------------------------------------------------------------------

SMALL = [team(), member(), pull_request(1), file(1, "a"), pull_request(2), check_run(2)]


def shrink(database: Database) -> Run:
    """A run that has no pull request any more, after one that had two."""
    show(database, note(database, SMALL, ALL_EXACT))
    return note(database, [team(), member()], ALL_EXACT)


@pytest.mark.parametrize(
    ("action", "choice"),
    [("NO ACTION", {"prune": True}), ("CASCADE", {"prune": True}), ("SET NULL", {"rebuild": True})],
)
def test_a_row_that_a_users_table_holds_is_retained(database: Database, action: str, choice: dict[str, Any]) -> None:
    run = shrink(database)
    execute(
        database,
        "CREATE TABLE bookmarks (id INTEGER PRIMARY KEY, "
        f"pull_request BIGINT REFERENCES pull_requests (id) ON DELETE {action})",
    )
    execute(database, "INSERT INTO bookmarks SELECT 1, id FROM pull_requests WHERE number = 1")
    execute(database, "INSERT INTO bookmarks VALUES (2, NULL)")
    held = execute(database, "SELECT * FROM bookmarks")
    done = show(database, run, **choice)
    assert (total(done, "deleted"), total(done, "retained"), total(done, "stale")) == (3, 1, 1)
    assert execute(database, "SELECT * FROM bookmarks") == held
    assert [row["number"] for row in rows(database)["pull_requests"]] == [1]
    execute(database, "DELETE FROM bookmarks")
    done = show(database, run, **choice)
    assert (total(done, "deleted"), total(done, "retained"), total(done, "stale")) == (1, 0, 0)


def test_a_row_that_a_users_row_in_a_table_of_ours_holds_is_retained(database: Database) -> None:
    run = shrink(database)
    execute(
        database,
        "INSERT INTO pr_files (id, pull_request_id, filename, status, additions, deletions, changes, file_category) "
        "SELECT 1, id, 'mine', '', 0, 0, 0, '' FROM pull_requests WHERE number = 1",
    )
    done = show(database, run, prune=True)
    assert (total(done, "deleted"), total(done, "retained")) == (3, 1)
    assert [row["filename"] for row in rows(database)["pr_files"]] == ["mine"]
    execute(database, "DELETE FROM pr_files WHERE id = 1")
    assert totals(show(database, run, prune=True)) == (0, 0, 1)


def test_a_reference_to_a_natural_key_holds_as_well(database: Database) -> None:
    show(database, note(database, everything(), ALL_EXACT))
    execute(database, "CREATE TABLE notes (slug TEXT REFERENCES teams (slug))")
    execute(database, f"INSERT INTO notes VALUES ('{SLUG}')")
    done = show(database, note(database, [], ALL_EXACT), prune=True)
    assert total(done, "retained") == 1


@pytest.mark.parametrize("make", ["sqlite", "postgresql"])
def test_a_reference_to_a_column_that_a_user_added_holds_as_well(
    make: str, make_url: Callable[[str], str], open_url: Callable[[str], Database]
) -> None:
    database = open_url(make_url(make))
    run = shrink(database)
    execute(database, "ALTER TABLE pull_requests ADD COLUMN tag TEXT")
    execute(database, "CREATE UNIQUE INDEX one_tag ON pull_requests (tag)")
    execute(database, "UPDATE pull_requests SET tag = 'mine' WHERE number = 2")
    execute(database, "CREATE TABLE tags (tag TEXT REFERENCES pull_requests (tag) ON DELETE CASCADE)")
    execute(database, "INSERT INTO tags VALUES ('mine')")
    assert total(show(database, run, prune=True), "retained") == 1
    assert execute(database, "SELECT tag FROM tags") == [("mine",)]


def test_sqlite_reads_names_in_any_case() -> None:
    database = emptied("sqlite")
    run = shrink(database)
    execute(database, "CREATE TABLE bookmarks (pr INTEGER REFERENCES Pull_Requests (ID) ON DELETE CASCADE)")
    execute(database, "CREATE TABLE others (pr INTEGER REFERENCES Pull_requests ON DELETE CASCADE)")
    execute(database, "INSERT INTO bookmarks SELECT id FROM pull_requests WHERE number = 1")
    execute(database, "INSERT INTO others SELECT id FROM pull_requests WHERE number = 2")
    assert total(show(database, run, prune=True), "retained") == 2
    assert len(execute(database, "SELECT pr FROM bookmarks UNION ALL SELECT pr FROM others")) == 2


@pytest.mark.parametrize(("schema", "theirs"), [(None, "desk"), ("seeds", "desk"), ("seeds", "public")])
def test_a_users_table_in_another_schema_holds_a_row(
    schema: str | None, theirs: str, make_url: Callable[[str], str], open_url: Callable[[str], Database]
) -> None:
    url = make_url("postgresql")
    journal = open_url(make_url("sqlite"))
    plain = open_database(url, create=True)
    for name in ("desk", "seeds"):
        execute(plain, f"CREATE SCHEMA {name}")
    target = open_database(url, create=True, schema=schema)
    ensure(target, TARGET_HISTORY, create=True)
    try:
        show(journal, note(journal, SMALL, ALL_EXACT), target)
        run = note(journal, [team(), member()], ALL_EXACT)
        ours = f"{schema or 'public'}.pull_requests"
        execute(plain, f"CREATE TABLE {theirs}.bookmarks (pr BIGINT REFERENCES {ours} (id) ON DELETE CASCADE)")
        execute(plain, f"INSERT INTO {theirs}.bookmarks SELECT id FROM {ours} WHERE number = 1")
        # Others that are named as ours, and what points to them, are no matter.
        execute(plain, "CREATE TABLE desk.pull_requests (id BIGINT PRIMARY KEY)")
        execute(plain, "CREATE TABLE desk.likes (pr BIGINT REFERENCES desk.pull_requests (id))")
        execute(plain, f"INSERT INTO desk.pull_requests SELECT id FROM {ours}")
        execute(plain, f"INSERT INTO desk.likes SELECT id FROM {ours}")
        done = show(journal, run, target, prune=True)
        assert (total(done, "deleted"), total(done, "retained")) == (3, 1)
        assert len(execute(plain, f"SELECT pr FROM {theirs}.bookmarks")) == 1
        execute(plain, f"DELETE FROM {theirs}.bookmarks")
        assert totals(show(journal, run, target, prune=True)) == (0, 0, 1)
    finally:
        plain.engine.dispose()
        target.engine.dispose()


@pytest.fixture
def server(make_url: Callable[[str], str]) -> Iterator[tuple[str, Database]]:
    """The address of a PostgreSQL database with an empty target, and its owner's connections."""
    url = make_url("postgresql")
    owner = open_database(url, create=True)
    yield url, owner
    owner.engine.dispose()


def test_tables_beyond_the_first_schema_of_the_search_path_are_held_as_well(
    server: tuple[str, Database], open_url: Callable[[str], Database], make_url: Callable[[str], str]
) -> None:
    url, owner = server
    journal = open_url(make_url("sqlite"))
    target = open_url(url)
    show(journal, note(journal, SMALL, ALL_EXACT), target)
    run = note(journal, [team(), member()], ALL_EXACT)
    execute(owner, "CREATE TABLE bookmarks (pr BIGINT REFERENCES pull_requests (id) ON DELETE CASCADE)")
    execute(owner, "INSERT INTO bookmarks SELECT id FROM pull_requests WHERE number = 1")
    execute(owner, "CREATE SCHEMA desk")
    execute(owner, f"ALTER DATABASE {make_url_name(url)} SET search_path = desk, public")
    later = open_database(url, create=True)
    try:
        assert total(show(journal, run, later, prune=True), "retained") == 1
        assert len(execute(owner, "SELECT pr FROM public.bookmarks")) == 1
    finally:
        later.engine.dispose()


def make_url_name(url: str) -> str:
    """The database's name in an address."""
    return url.partition("?")[0].rpartition("/")[2]


@pytest.mark.parametrize("way", ["project", "remove", "compare"])
def test_rows_of_a_table_that_inherits_from_ours_are_not_touched(
    way: str, server: tuple[str, Database], open_url: Callable[[str], Database], make_url: Callable[[str], str]
) -> None:
    """A statement on our table means the rows of both, and would delete somebody's copies together with ours."""
    url, owner = server
    journal = open_url(make_url("sqlite"))
    target = open_url(url)
    show(journal, note(journal, SMALL, ALL_EXACT), target)
    run = note(journal, [team(), member()], ALL_EXACT)
    execute(owner, "CREATE SCHEMA desk")
    execute(owner, "CREATE TABLE desk.kept (note TEXT) INHERITS (pull_requests)")
    execute(owner, "INSERT INTO desk.kept SELECT *, 'mine' FROM pull_requests")
    with both(journal, target) as (source, connection):
        assert [one.where for one in check(source, connection, LAYOUT)] == ["pull_requests"]

    def go() -> None:
        if way == "project":
            show(journal, run, target, prune=True)
        with both(journal, target) as (source, connection):
            if way == "remove":
                remove_project(source, connection, LAYOUT, SLUG)
            list(compare_target(source, connection, LAYOUT, run))

    with pytest.raises(WrongSchema, match=r"desk\.kept from pull_requests") as refused:
        go()
    (statement,) = re.findall("`(ALTER [^`]*)`", refused.value.hint)
    execute(owner, statement)
    show(journal, run, target, prune=True)
    assert len(execute(owner, "SELECT id FROM desk.kept")) == 2


@pytest.mark.parametrize("make", ["sqlite", "postgresql"])
def test_a_view_in_the_place_of_a_table_is_refused(
    make: str, make_url: Callable[[str], str], open_url: Callable[[str], Database]
) -> None:
    """Keys refer to the table behind the view, and their cascades would fire."""
    database = open_url(make_url(make))
    run = shrink(database)
    execute(database, "CREATE TABLE bookmarks (pr BIGINT REFERENCES pull_requests (id) ON DELETE CASCADE)")
    execute(database, "INSERT INTO bookmarks SELECT id FROM pull_requests")
    execute(database, "ALTER TABLE pull_requests RENAME TO behind")
    execute(database, "CREATE VIEW pull_requests AS SELECT * FROM behind")
    if make == "sqlite":
        execute(
            database,
            "CREATE TRIGGER gone INSTEAD OF DELETE ON pull_requests BEGIN DELETE FROM behind WHERE id = old.id; END",
        )
    with pytest.raises(WrongSchema, match="pull_requests: no table but a view"):
        show(database, run, prune=True)
    with database.read() as connection:
        assert [one.where for one in check(connection, connection, LAYOUT)] == ["pull_requests"]
    assert len(execute(database, "SELECT pr FROM bookmarks")) == 2
    execute(database, "DROP VIEW pull_requests")
    execute(database, "ALTER TABLE behind RENAME TO pull_requests")
    assert total(show(database, run, prune=True), "retained") == 2


def test_partitions_are_no_tables_of_their_own(
    server: tuple[str, Database], open_url: Callable[[str], Database], make_url: Callable[[str], str]
) -> None:
    """A user's table of partitions refers to ours by each of them."""
    url, owner = server
    journal = open_url(make_url("sqlite"))
    target = open_url(url)
    show(journal, note(journal, SMALL, ALL_EXACT), target)
    execute(
        owner,
        "CREATE TABLE likes (pr BIGINT REFERENCES pull_requests (id) ON DELETE CASCADE, day DATE) "
        "PARTITION BY RANGE (day)",
    )
    execute(owner, "CREATE TABLE early PARTITION OF likes FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')")
    execute(owner, "CREATE TABLE others PARTITION OF likes DEFAULT")
    execute(owner, "INSERT INTO likes SELECT id, '2024-06-01'::date + 365 * (number - 1)::int FROM pull_requests")
    done = show(journal, note(journal, [team(), member()], ALL_EXACT), target, prune=True)
    assert total(done, "retained") == 2
    assert len(execute(owner, "SELECT pr FROM likes")) == 2


def test_rows_that_a_policy_hides_are_not_taken_for_absent(
    server: tuple[str, Database], open_url: Callable[[str], Database], make_url: Callable[[str], str]
) -> None:
    """The role may see none of the rows that point to ours: the server's refusal names the table."""
    url, owner = server
    journal = open_url(make_url("sqlite"))
    show(journal, note(journal, SMALL, ALL_EXACT), open_url(url))
    run = note(journal, [team(), member()], ALL_EXACT)
    execute(owner, "CREATE TABLE bookmarks (pr BIGINT REFERENCES pull_requests (id) ON DELETE CASCADE)")
    execute(owner, "INSERT INTO bookmarks SELECT id FROM pull_requests WHERE number = 1")
    execute(owner, "ALTER TABLE bookmarks ENABLE ROW LEVEL SECURITY")
    role = f"seeder_{make_url_name(url)}"
    execute(owner, f"CREATE ROLE {role}")
    execute(owner, f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}")
    target = open_url(url)
    listen(target.engine, "begin", lambda connection: connection.exec_driver_sql(f"SET ROLE {role}"))
    try:
        with pytest.raises(Unavailable, match='row-level security policy for table "bookmarks"'):
            show(journal, run, target, prune=True)
        assert len(execute(owner, "SELECT pr FROM bookmarks")) == 1
    finally:
        target.engine.dispose()
        execute(owner, f"DROP OWNED BY {role}")
        execute(owner, f"DROP ROLE {role}")


def test_a_reference_that_is_committed_while_the_rows_are_locked_is_seen(
    server: tuple[str, Database], open_url: Callable[[str], Database], make_url: Callable[[str], str]
) -> None:
    url, owner = server
    journal = open_url(make_url("sqlite"))
    target = open_url(url)
    show(journal, note(journal, SMALL, ALL_EXACT), target)
    run = note(journal, [team(), member()], ALL_EXACT)
    execute(owner, "CREATE TABLE bookmarks (pr BIGINT REFERENCES pull_requests (id) ON DELETE CASCADE)")
    with ThreadPoolExecutor() as pool, owner.engine.connect() as another:
        another.execute(text("INSERT INTO bookmarks SELECT id FROM pull_requests WHERE number = 1"))
        done = pool.submit(show, journal, run, target, prune=True)
        waiting = text("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()")
        is_waiting = False
        while not is_waiting:
            time.sleep(0.01)
            with owner.read() as looking:
                is_waiting = looking.execute(waiting).first() is not None
        another.commit()
        assert total(done.result(), "retained") == 1
    assert len(execute(owner, "SELECT pr FROM bookmarks")) == 1

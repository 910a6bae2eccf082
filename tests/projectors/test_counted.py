"""What `project` finds where the position is unchanged: rows that are counted, restored, and left."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import inspect, text

from seedjournal.journal import Database, WrongSchema
from seedjournal.projectors import Choice, Layout, check, make_tables, preview, project
from tests.projectors.invented import (
    SLUG,
    dump,
    everything,
    execute,
    note,
    rows,
    show,
    total,
    totals,
    with_changed,
)
from tests.projectors.kept import LAYOUT


@pytest.mark.parametrize("emptied", ["pr_files", "pull_requests", "teams"])
def test_deleted_rows_are_restored(database: Database, emptied: str) -> None:
    show(database, note(database, everything("gulls"), slug="gulls"))
    run = note(database, everything())
    show(database, run)
    before = rows(database)
    _take_out(database, emptied)
    lost = sum(map(len, before.values())) - sum(map(len, rows(database).values()))
    left = dump(database)
    for choice in ({"dry_run": True}, {}):
        assert dump(database) == left
        done = show(database, run, **choice)
        assert (total(done, "restored"), total(done, "inserted"), done.compared) == (lost, lost, False)
    assert rows(database) == before
    assert totals(show(database, run)) == (0, 0, 0)


def _take_out(database: Database, name: str) -> None:
    """Delete the project's rows of a table, and all that hang on them."""
    if name == "teams":
        for table in reversed(LAYOUT.tables):
            if table.name != "teams" or not execute(database, f"SELECT 1 FROM teams WHERE slug <> '{SLUG}'"):
                _delete(database, table.name)
    elif name == "pull_requests":
        for child in ("pr_survey_reviews", "pr_surveys", "jira_issues", "pr_check_runs", "pr_files", "commits"):
            _delete(database, child)
        _delete(database, "pr_reviews")
        _delete(database, name)
    else:
        _delete(database, name)


def _delete(database: Database, name: str) -> None:
    (mapped,) = (one for one in LAYOUT.maps.values() if one.table.name == name and not one.whole)
    with database.write("target") as connection:
        query, parts = LAYOUT.natural_keys(mapped)
        ids = connection.execute(query.where(parts[mapped.kind.key[0]] == SLUG)).scalars().all()
        connection.execute(text(f"DELETE FROM {name} WHERE id IN ({', '.join(map(str, ids)) or '0'})"))


def test_edited_rows_are_left_where_others_are_restored_and_repaired_on_request(database: Database) -> None:
    run = note(database, everything())
    show(database, run)
    before = rows(database)
    execute(database, "DELETE FROM pr_files WHERE status = 'renamed'")
    execute(database, "UPDATE pr_files SET additions = 99")
    done = show(database, run)
    assert (total(done, "restored"), total(done, "differing"), totals(done)) == (3, 3, (3, 0, 0))
    done = show(database, run, check=True)
    assert (total(done, "differing"), totals(done), done.compared) == (3, (0, 0, 0), True)
    execute(database, "DELETE FROM commits")
    done = show(database, run, repair=True)
    assert totals(done) == (4, 3, 0)
    assert rows(database) == before


def test_missing_rows_are_restored_where_the_run_is_another_one(database: Database) -> None:
    show(database, note(database, everything()))
    execute(database, "DELETE FROM jira_issues")
    run = note(database, with_changed(everything(numbers=(1, 2, 3, 4)), "jira_issue", status="To Do"))
    done = show(database, run)
    assert len(rows(database)["jira_issues"]) == 4
    assert done.kinds["jira_issue"].inserted == 4
    assert findings(database) == []


def test_rows_that_are_too_many_are_told_and_left(database: Database) -> None:
    run = note(database, everything())
    show(database, run)
    execute(
        database,
        "INSERT INTO pr_files (id, pull_request_id, filename, status, additions, deletions, changes, file_category) "
        "SELECT 1, id, 'mine', '', 0, 0, 0, '' FROM pull_requests WHERE number = 1",
    )
    for choice in ({}, {"check": True}, {"repair": True}):
        done = show(database, run, **choice)
        assert (done.kinds["pr_file"].extra, total(done, "extra"), totals(done)) == (1, 1, (0, 0, 0))


def test_repair_does_not_prune(database: Database) -> None:
    show(database, note(database, everything()))
    run = note(database, everything(numbers=(1,)), fresh=True)
    show(database, run)
    done = show(database, run, repair=True)
    assert (total(done, "deleted"), total(done, "stale") > 0) == (0, True)


# -- kinds and tables ----------------------------------------------------------------------------------------------


def test_a_run_of_kinds_without_table_is_refused(database: Database) -> None:
    run = note(database, everything())
    show(database, run)
    small = Layout(LAYOUT.vocabulary, {"team": LAYOUT["team"]}, LAYOUT.metadata)
    for refused in (lambda: project(database, database, small, run, Choice()), lambda: preview(database, small, run)):
        with pytest.raises(WrongSchema, match=r"kinds that no table holds: .*pr_file, "):
            refused()
    with database.read() as connection:
        assert any("pr_file" in one.problem for one in check(connection, connection, small))


@pytest.mark.parametrize("way", ["repair", "migrate"])
def test_a_dropped_table_is_made_again_with_its_rows(database: Database, way: str) -> None:
    run = note(database, everything())
    show(database, run)
    before, shape = rows(database), _shape(database)
    if database.name == "postgresql":
        execute(database, "DROP TABLE pull_requests CASCADE")
    else:
        with closing(sqlite3.connect(database.engine.url.database or "")) as connection:  # keeps no foreign keys
            connection.execute("DROP TABLE pull_requests")
    assert [one.where for one in findings(database)] == ["pull_requests"]
    with pytest.raises(WrongSchema, match="lacks pull_requests; nothing was written"):
        show(database, run)
    if way == "repair":
        assert show(database, run, repair=True).kinds["pull_request"].inserted == 3
    else:
        assert make_tables(database, LAYOUT)
        assert total(show(database, run), "restored") == 3
        show(database, run, repair=True)
    assert (rows(database), _shape(database)) == (before, shape)
    assert findings(database) == []


def _shape(database: Database) -> Any:
    with database.read() as connection:
        inspector = inspect(connection)
        names = [table.name for table in LAYOUT.tables]
        return {
            name: (
                sorted(str(key["constrained_columns"]) for key in inspector.get_foreign_keys(name)),
                sorted(str(index["name"]) for index in inspector.get_indexes(name)),
            )
            for name in names
        }


def findings(database: Database) -> list[Any]:
    """What a check finds."""
    with database.read() as connection:
        return list(check(connection, connection, LAYOUT))

"""A rebuild: the nightly reset of this journal's rows, and of nothing else."""

from __future__ import annotations

import pytest

from seedjournal.journal import Database
from seedjournal.projectors import check
from tests.projectors.invented import (
    ALL_EXACT,
    ALL_UPSERT,
    cold,
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

EDITS = {
    "values and rows": (
        "UPDATE pull_requests SET title = 'edited' WHERE number = 2",
        "UPDATE pull_requests SET merged_at = NULL, author_id = NULL, cycle_time_hours = 0.01, labels = '[]'",
        "DELETE FROM pr_survey_reviews",
        "DELETE FROM pr_files",
    ),
    "keys": (
        "UPDATE teams SET slug = 'edited'",
        "UPDATE pr_files SET filename = 'edited' WHERE filename = 'src/part.py'",
        "UPDATE weekly_metrics SET week_start = '1999-01-04'",
        "UPDATE pr_reviews SET pull_request_id = (SELECT max(id) FROM pull_requests) WHERE pull_request_id = (SELECT min(id) FROM pull_requests)",
    ),
}


@pytest.mark.parametrize("edit", EDITS)
def test_edited_and_deleted_rows_are_restored(database: Database, edit: str) -> None:
    run = note(database, everything())
    show(database, run)
    before = dump(database)
    for statement in EDITS[edit]:
        execute(database, statement)
    assert dump(database) != before
    done = show(database, run, rebuild=True)
    assert dump(database) == before
    assert total(done, "inserted") + total(done, "updated") > 0
    with database.read() as connection:
        assert list(check(connection, connection, LAYOUT)) == []


def test_a_change_of_an_entity_restores_its_edited_key(database: Database) -> None:
    show(database, note(database, everything(), ALL_UPSERT))
    execute(database, "UPDATE jira_issues SET jira_key = 'EDIT-1' WHERE jira_key = 'TERN-1'")
    run = note(database, with_changed(everything(), "jira_issue", status="To Do"), ALL_UPSERT)
    assert totals(show(database, run)) == (0, 3, 0)
    assert {row["jira_key"] for row in rows(database)["jira_issues"]} == {"TERN-1", "TERN-2", "TERN-3"}


def test_other_projects_and_users_rows_are_not_touched(database: Database) -> None:
    show(database, note(database, everything("gulls"), slug="gulls"))
    execute(database, "INSERT INTO teams (id, slug, name, description, industry) VALUES (5, 'own', '', '', '')")
    execute(database, "CREATE TABLE own (id INTEGER PRIMARY KEY, team BIGINT REFERENCES teams (id))")
    execute(database, "INSERT INTO own SELECT 1, id FROM teams WHERE slug = 'gulls'")
    execute(database, "UPDATE teams SET name = 'edited' WHERE slug = 'gulls'")
    before = rows(database)
    show(database, note(database, everything(), ALL_EXACT))
    show(database, note(database, [], ALL_EXACT), rebuild=True)
    assert rows(database) == before
    assert len(execute(database, "SELECT * FROM own")) == 1


def test_nothing_is_dropped(database: Database) -> None:
    run = note(database, everything())
    show(database, run)
    execute(database, "CREATE INDEX own_index ON pull_requests (title)")
    execute(database, "CREATE TABLE own (pr BIGINT REFERENCES pull_requests (id))")
    before = dump(database).keys()
    show(database, run, rebuild=True)
    assert dump(database).keys() == before
    execute(database, "DROP INDEX own_index")


def test_a_rebuild_back_in_time(database: Database) -> None:
    old = note(database, everything(numbers=(1, 2)))
    show(database, note(database, with_changed(everything(), "jira_issue", status="To Do")))
    show(database, old, rebuild=True)
    assert rows(database) == cold(database, old)

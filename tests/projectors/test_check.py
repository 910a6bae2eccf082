"""Checking a target against the state that its position names."""

from __future__ import annotations

import pytest

from seedjournal.journal import Database, Finding
from seedjournal.projectors import check, listed
from tests.projectors.invented import ALL_EXACT, SLUG, damage, everything, execute, note, rows, show, with_changed
from tests.projectors.kept import LAYOUT

EDITS = {
    "title": ("pull_requests", "pull_request", "title = title || 'x'"),
    "body": ("pull_requests", "pull_request", "body = 'no longer null'"),
    "is_draft": ("pull_requests", "pull_request", "is_draft = NOT is_draft"),
    "cycle_time_hours": ("pull_requests", "pull_request", "cycle_time_hours = cycle_time_hours + 0.01"),
    "pr_created_at": ("pull_requests", "pull_request", "pr_created_at = '2024-03-04T10:30:01Z'"),
    "merged_at": ("pull_requests", "pull_request", "merged_at = NULL"),
    "additions": ("pull_requests", "pull_request", "additions = additions + 1"),
    "labels": ("pull_requests", "pull_request", "labels = '[\"other\"]'"),
    "author_id": ("pull_requests", "pull_request", "author_id = (SELECT id FROM team_members WHERE is_bot)"),
    "github_id": ("team_members", "team_member", "github_id = 9007199254740990"),
    "pull_request_id": ("commits", "commit", "pull_request_id = (SELECT max(id) FROM pull_requests)"),
    "story_points": ("jira_issues", "jira_issue", "story_points = 3.1"),
}


def findings(database: Database) -> list[Finding]:
    """What a check finds."""
    with database.read() as connection:
        return list(check(connection, connection, LAYOUT))


def test_a_projected_target_is_clean(database: Database) -> None:
    assert findings(database) == []
    show(database, note(database, everything()))
    told: list[tuple[str, int, int | None]] = []
    with database.read() as connection:
        assert list(check(connection, connection, LAYOUT, lambda *step: told.append(step))) == []
    assert sum(rows for _, rows, _ in told) == len(everything())


def test_a_projection_meanwhile_makes_no_difference(database: Database) -> None:
    """A check sees the target at one moment."""
    show(database, note(database, everything(), ALL_EXACT))
    run = note(database, with_changed(everything(numbers=(1,)), "jira_issue", status="New"), ALL_EXACT)
    told: list[str] = []

    def meanwhile(kind: str, *_: object) -> None:
        if not told:
            show(database, run, prune=True)
        told.append(kind)

    with database.read() as connection:
        assert list(check(connection, connection, LAYOUT, meanwhile)) == []
    assert findings(database) == []
    assert "jira_issue" in told[1:]


@pytest.mark.parametrize("column", EDITS)
def test_an_edited_value_is_found_with_kind_key_and_column(database: Database, column: str) -> None:
    show(database, note(database, everything(numbers=(1, 3))))
    table, kind, edit = EDITS[column]
    key = {"pull_request": "number = 1", "team_member": "login = 'first-tester'", "jira_issue": "jira_key = 'TERN-1'"}
    chosen = key.get(kind, "pull_request_id = (SELECT min(id) FROM pull_requests)")
    execute(database, f"UPDATE {table} SET {edit} WHERE {chosen}")
    (finding,) = findings(database)
    assert finding.where == table
    assert finding.what.startswith(f'{kind} {{"')
    assert finding.problem == f"its row differs in {column}"


def test_all_differing_columns_are_named(database: Database) -> None:
    show(database, note(database, everything()))
    execute(database, "UPDATE teams SET name = 'x', industry = 'y'")
    assert [one.problem for one in findings(database)] == ["its row differs in name, industry"]


def test_a_deleted_row_is_missing(database: Database) -> None:
    show(database, note(database, everything()))
    execute(database, "DELETE FROM pr_survey_reviews WHERE quality_rating = 3")
    assert [one.problem for one in findings(database)] == ["its row is missing"] * 3


def test_an_edited_key_is_missing_and_different(database: Database) -> None:
    show(database, note(database, everything(numbers=(1,))))
    execute(database, "UPDATE weekly_metrics SET week_start = '1999-01-04' WHERE guess_accuracy IS NULL")
    assert [one.problem for one in findings(database)] == ["its row is missing", "its row differs in week_start"]


def test_another_id_is_found(database: Database) -> None:
    show(database, note(database, everything(numbers=(1,))))
    execute(database, "UPDATE jira_issues SET id = 5")
    (finding,) = findings(database)
    assert finding.what == 'jira_issue {"jira_key":"TERN-1","team":"terns"}'
    assert finding.problem == "its row has id 5, which is neither derived nor remembered"


def test_stale_rows_are_listed_and_not_failed(database: Database) -> None:
    show(database, note(database, everything(), ALL_EXACT))
    show(database, note(database, everything(numbers=(1, 2)), ALL_EXACT))
    assert findings(database) == []
    with database.read() as connection:
        assert listed(connection, LAYOUT)[SLUG]["pull_request"] == {"foreign": 0, "stale": 1}
        assert "team" not in listed(connection, LAYOUT)[SLUG]


def test_users_own_rows_are_not_failed(database: Database) -> None:
    show(database, note(database, everything()))
    execute(database, "INSERT INTO teams (id, slug, name, description, industry) VALUES (5, 'own', '', '', '')")
    assert findings(database) == []


def test_every_project_is_checked(database: Database) -> None:
    for slug in ("gulls", "terns"):
        show(database, note(database, everything(slug), slug=slug))
    execute(database, "UPDATE teams SET name = 'edited'")
    assert [one.what for one in findings(database)] == ['team {"slug":"gulls"}', 'team {"slug":"terns"}']


def test_a_state_that_the_journal_lost_is_a_finding(database: Database) -> None:
    run = note(database, everything())
    show(database, run)
    damage(database, 'DELETE FROM journal_events WHERE event LIKE \'%"kind":"team"%\'')
    (finding,) = findings(database)
    assert (finding.where, finding.what) == ("seedjournal_positions", "terns team")
    damage(database, "DELETE FROM journal_nodes WHERE hash = :hash", hash=run.state)
    assert {one.where for one in findings(database)} == {"seedjournal_positions"}


def test_a_check_changes_nothing(database: Database) -> None:
    show(database, note(database, everything()))
    before = rows(database)
    execute(database, "UPDATE teams SET name = 'edited'")
    findings(database)
    execute(database, "UPDATE teams SET name = :name", name=before["teams"][0]["name"])
    assert rows(database) == before

"""Checking a target against the state that its position names."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing

import pytest
from sqlalchemy import text
from sqlalchemy.event import listen

from seedjournal.journal import Database, Fault, Finding, Unavailable, WrongSchema, open_database
from seedjournal.projectors import check, listed
from tests.projectors.invented import ALL_EXACT, SLUG, damage, everything, execute, note, rows, show, with_changed
from tests.projectors.kept import LAYOUT, emptied

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


def found_after(database: Database, *statements: str) -> list[Finding]:
    """What a check finds after changes, which are then taken back."""
    with database.write("target") as connection:
        step = connection.begin_nested()
        for statement in statements:
            connection.execute(text(statement))
        found = list(check(connection, connection, LAYOUT))
        step.rollback()
    return found


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


def test_edited_values_are_found_with_kind_key_and_column(database: Database) -> None:
    show(database, note(database, everything(numbers=(1, 3))))
    key = {"pull_request": "number = 1", "team_member": "login = 'first-tester'", "jira_issue": "jira_key = 'TERN-1'"}
    edited: dict[str, set[str]] = {}
    for column, (table, kind, edit) in EDITS.items():
        chosen = key.get(kind, "pull_request_id = (SELECT min(id) FROM pull_requests)")
        execute(database, f"UPDATE {table} SET {edit} WHERE {chosen}")
        edited.setdefault(kind, set()).add(column)
    found = {one.what.partition(" ")[0]: one for one in findings(database)}
    assert {
        kind: set(one.problem.removeprefix("its row differs in ").split(", ")) for kind, one in found.items()
    } == edited
    assert all(one.what.startswith(f'{kind} {{"') for kind, one in found.items())
    assert {(kind, one.where) for kind, one in found.items()} == {(kind, table) for table, kind, _ in EDITS.values()}


def test_a_deleted_row_is_missing(database: Database) -> None:
    show(database, note(database, everything()))
    execute(database, "DELETE FROM pr_survey_reviews WHERE quality_rating = 3")
    assert [one.problem for one in findings(database)] == ["its row is missing"] * 3


def test_an_edited_key_is_one_finding(database: Database) -> None:
    show(database, note(database, everything(numbers=(1,))))
    execute(database, "UPDATE weekly_metrics SET week_start = '1999-01-04' WHERE guess_accuracy IS NULL")
    assert [one.problem for one in findings(database)] == ["its row differs in week_start"]


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


# -- notes and rows that are too many ------------------------------------------------------------------------------


def shrunk(database: Database) -> None:
    """A target with adopted rows and stale ones."""
    execute(database, f"INSERT INTO teams (id, slug, name) VALUES (7, '{SLUG}', 'theirs')")
    show(database, note(database, everything(), ALL_EXACT))
    show(database, note(database, everything(numbers=(1, 2)), ALL_EXACT))
    assert findings(database) == []


def test_a_position_of_an_earlier_run_is_found(database: Database) -> None:
    show(database, note(database, everything(numbers=(1,))))
    (earlier,) = execute(database, "SELECT run, state FROM seedjournal_positions")
    show(database, note(database, everything(numbers=(1, 2))))
    execute(database, "UPDATE seedjournal_positions SET run = :run, state = :state", run=earlier[0], state=earlier[1])
    wrong = findings(database)
    assert {one.problem for one in wrong} == {"its row is neither in the state nor noted as stale"}
    assert len(wrong) == len(everything(numbers=(1, 2))) - len(everything(numbers=(1,)))


def test_a_deleted_note_of_a_stale_row_is_found(database: Database) -> None:
    shrunk(database)
    execute(database, "DELETE FROM seedjournal_rows WHERE kind = 'pull_request'")
    (wrong,) = findings(database)
    assert (wrong.where, wrong.problem) == ("pull_requests", "its row is neither in the state nor noted as stale")


def test_a_missing_row_does_not_hide_one_too_many(database: Database) -> None:
    shrunk(database)
    execute(database, "DELETE FROM seedjournal_rows WHERE kind = 'pr_check_run'")
    execute(
        database, "DELETE FROM pr_check_runs WHERE pull_request_id = (SELECT id FROM pull_requests WHERE number = 1)"
    )
    assert sorted(one.problem for one in findings(database)) == [
        "its row is missing",
        "its row is neither in the state nor noted as stale",
    ]


FALSIFIED: tuple[dict[str, str], ...] = (
    {
        "id = 5 WHERE kind = 'pull_request'": "it is noted as stale with id 5, and seedjournal gives it",
        "why = 'adopted' WHERE kind = 'pr_check_run'": "it is noted as adopted, and",
        "why = 'other' WHERE kind = 'jira_issue'": "1 rows are noted as 'other'",
        "project = 'gulls' WHERE kind = 'pr_survey'": "neither in the state nor noted as stale",
        "kind = 'ship' WHERE kind = 'pr_survey_review'": "a kind that no table holds",
        "why = 'stale' WHERE kind = 'team'": "it is noted as stale, and the state has it",
    },
    {"project = 'gulls' WHERE kind = 'team'": "noted as adopted, but the project has no position"},
    {"id = 8 WHERE kind = 'team'": "its row has id 7, which is neither derived nor remembered"},
)


def test_falsified_notes_are_found(database: Database) -> None:
    shrunk(database)
    for falsified in FALSIFIED:
        changes = (f"UPDATE seedjournal_rows SET {change}" for change in falsified)
        problems = [one.problem for one in found_after(database, *changes)]
        for change, problem in falsified.items():
            assert any(problem in one for one in problems), (change, problems)


def test_texts_are_compared_by_their_bytes_whatever_a_columns_collation(
    make_url: Callable[[str], str], open_url: Callable[[str], Database]
) -> None:
    """On SQLite, as the tests' PostgreSQL has no collation that takes upper and lower case for equal."""
    database = open_url(make_url("sqlite"))
    run = note(database, everything())
    show(database, run)
    before = rows(database)
    with closing(sqlite3.connect(database.engine.url.database or "")) as connection, connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_master SET sql = replace(sql, 'title VARCHAR(500)', 'title VARCHAR(500) COLLATE NOCASE') "
            "WHERE name = 'pull_requests'"
        )
    database.engine.dispose()
    execute(database, "UPDATE pull_requests SET title = upper(title)")
    assert execute(database, "SELECT DISTINCT title = lower(title) FROM pull_requests") == [(1,)]
    assert [one.problem for one in findings(database)] == ["its row differs in title"] * 3
    show(database, run, rebuild=True)
    assert rows(database) == before


def test_a_damaged_index_of_a_target_is_found(
    database: Database, make_url: Callable[[str], str], open_url: Callable[[str], Database]
) -> None:
    target = open_url(make_url("sqlite"))
    show(database, note(database, everything()), target)
    with closing(sqlite3.connect(target.engine.url.database or "", isolation_level=None)) as connection:
        other = "(SELECT rootpage FROM sqlite_master WHERE name = 'zi')"
        connection.executescript(
            "CREATE TABLE zz (h INTEGER); CREATE INDEX zi ON zz (h); PRAGMA writable_schema = ON; "
            f"UPDATE sqlite_master SET rootpage = {other} WHERE name = 'uq_jira_issues'; PRAGMA schema_version = 99"
        )
    target.engine.dispose()
    with database.read() as source, target.read() as connection:
        assert any(one.where == "the target's file" for one in check(source, connection, LAYOUT))


# -- tables that are not as they were ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "change", "problem"),
    [
        ("sqlite", "RENAME COLUMN title TO t", "column title is not there"),
        ("postgresql", "DROP COLUMN title", "column title is not there"),
        ("postgresql", "ALTER title TYPE integer USING 1", "column title has type INTEGER, not VARCHAR(500)"),
        ("postgresql", "ALTER labels TYPE text", "column labels has type TEXT, not JSONB"),
        ("postgresql", "ALTER id ADD GENERATED ALWAYS AS IDENTITY", "column id is GENERATED ALWAYS"),
    ],
)
def test_a_changed_column_is_named(
    make: str, change: str, problem: str, make_url: Callable[[str], str], open_url: Callable[[str], Database]
) -> None:
    database, target = emptied(make), open_url(make_url(make))
    run = note(database, everything())
    show(database, run, target)
    if "IDENTITY" in change:
        execute(target, "ALTER TABLE pull_requests ALTER id DROP DEFAULT")
    execute(target, f"ALTER TABLE pull_requests {change}")
    for choice in ({}, {"rebuild": True}, {"dry_run": True}):
        with pytest.raises(WrongSchema, match=re.escape(problem.replace("column ", "column pull_requests."))):
            show(database, run, target, **choice)
    with database.read() as source, target.read() as connection:
        wrong = list(check(source, connection, LAYOUT))
    assert [(one.where, problem in one.problem) for one in wrong] == [("pull_requests", True)]


def test_rows_without_a_position_are_found(database: Database) -> None:
    """Whoever deleted the position would else be told that there is nothing to compare."""
    show(database, note(database, everything()))
    (finding,) = found_after(database, "DELETE FROM seedjournal_positions")
    assert (finding.fault, finding.what) == (Fault.POSITION, SLUG)
    assert finding.problem == "table teams has rows of it, and no position says of which run"
    show(database, note(database, everything()))
    assert findings(database) == []


@pytest.mark.parametrize("days", [3, 7_000_000, -(10**12)])
def test_a_position_with_days_that_no_projection_writes_is_found_and_not_followed(
    database: Database, days: int
) -> None:
    run = note(database, everything())
    show(database, run)
    before = rows(database)
    execute(database, f"UPDATE seedjournal_positions SET days = {days}")
    assert [one.fault for one in findings(database)] == [Fault.POSITION]
    with pytest.raises(Unavailable, match="somebody edited the position"):
        show(database, run, repair=True)
    show(database, run, take_over=True)
    assert rows(database) == before
    assert findings(database) == []


def test_dates_beyond_the_calendar_are_a_finding(database: Database) -> None:
    show(database, note(database, everything()))
    found = found_after(database, "UPDATE seedjournal_positions SET days = 3500000 / 7 * 7")
    assert "cannot move" in found[0].problem


def test_a_server_that_quotes_everything_makes_no_difference(
    make_url: Callable[[str], str], open_url: Callable[[str], Database]
) -> None:
    url = make_url("postgresql")
    owner = open_url(url)
    execute(owner, f"ALTER DATABASE {owner.engine.url.database} SET quote_all_identifiers = on")
    database = open_url(url)
    show(database, note(database, everything()))
    assert findings(database) == []


def test_a_missing_right_is_no_finding(make_url: Callable[[str], str], open_url: Callable[[str], Database]) -> None:
    """Whoever may make no temporary tables has not compared anything."""
    url = make_url("postgresql")
    owner = open_url(url)
    show(owner, note(owner, everything()))
    name = str(owner.engine.url.database)
    execute(owner, f"CREATE ROLE reader_{name}")
    execute(owner, f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader_{name}")
    execute(owner, f"REVOKE TEMPORARY ON DATABASE {name} FROM PUBLIC")
    reader = open_database(url, create=False)
    listen(reader.engine, "begin", lambda connection: connection.exec_driver_sql(f"SET LOCAL ROLE reader_{name}"))
    try:
        with pytest.raises(Unavailable, match="may not do this: permission denied to create temporary tables"):
            findings(reader)
    finally:
        reader.engine.dispose()
        execute(owner, f"DROP OWNED BY reader_{name}")
        execute(owner, f"DROP ROLE reader_{name}")

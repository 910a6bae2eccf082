"""Dates that move with today: the same rows under the same ids, some whole weeks later, on either database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from tests.seedjournal.commands import Done, driver_url

Run = Callable[..., Done]
Filled = Callable[..., str]
Dump = dict[str, list[tuple[Any, ...]]]

RECORD = ("record", "--project", "demo", "--new", "--source", "demo", "--set", "prs=12")
TABLES = {
    "pull_requests": ("pr_created_at", "merged_at", "closed_at"),
    "commits": ("committed_at",),
    "jira_issues": ("issue_created_at", "resolved_at"),
    "ai_usage_daily": ("date",),
    "weekly_metrics": ("week_start",),
}


def statements(url: str, *lines: str) -> None:
    engine = create_engine(driver_url(url))
    with engine.begin() as connection:
        for line in lines:
            connection.execute(text(line))
    engine.dispose()


def dump(url: str) -> Dump:
    """Every row of the tables that hold dates, in UTC, by id."""
    engine = create_engine(driver_url(url))
    found: Dump = {}
    with engine.connect() as connection:
        for table in TABLES:
            rows = connection.execute(text(f'SELECT * FROM "{table}" ORDER BY id')).all()
            found[table] = [
                tuple(one.astimezone(UTC) if isinstance(one, datetime) else one for one in row) for row in rows
            ]
    engine.dispose()
    return found


def created(url: str) -> dict[int, str]:
    """The instants at which pull requests were created, by the rows' ids."""
    engine = create_engine(driver_url(url))
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT id, pr_created_at FROM pull_requests")).all()
    engine.dispose()
    return {
        number: (when.astimezone(UTC) if isinstance(when, datetime) else datetime.fromisoformat(when)).isoformat()
        for number, when in rows
    }


def later(found: Dump, days: int) -> Dump:
    """What the rows are when every date in them is some days later."""

    def one(value: Any) -> Any:
        if isinstance(value, date):
            return value + timedelta(days)
        if isinstance(value, str) and len(value) >= 10 and value[:4].isdigit() and value[4] == value[7] == "-":
            return (date.fromisoformat(value[:10]) + timedelta(days)).isoformat() + value[10:]
        return value

    return {table: [tuple(map(one, row)) for row in rows] for table, rows in found.items()}


def as_of(run: Run) -> date:
    return date.fromisoformat(run("log", "--json").json["runs"][0]["as_of"])


@pytest.mark.parametrize(("make", "weeks"), [("sqlite", -300), ("postgresql", 30)])
def test_dates_move_by_whole_weeks_under_the_same_ids(weeks: int, run: Run, filled: Filled) -> None:
    at = filled(RECORD, ("project",))
    before, today = dump(at), as_of(run) + timedelta(7 * weeks + 6)
    moved = run("project", "--today", today.isoformat(), "--json").json["projects"]["demo"]
    assert moved["days_moved"] == 7 * weeks
    assert moved["rows_moved"] > len(before["pull_requests"])
    assert not any(kind["inserted"] or kind["updated"] or kind["deleted"] for kind in moved["kinds"].values())
    assert dump(at) == later(before, 7 * weeks)
    again = run("project", "--today", (today - timedelta(6)).isoformat(), "--json").json["projects"]["demo"]
    assert (again["days_moved"], again["rows_moved"]) == (7 * weeks, 0)
    document = run("verify", "--json").json
    assert document["ok"]
    assert document["days_moved"] == {"demo": 7 * weeks}
    compared = run("diff", "--target", at, "--json").json
    assert (compared["equal"], compared["days_moved"]) == (True, 7 * weeks)
    back = run("project", "--today", "off", "--json").json["projects"]["demo"]
    assert back["days_moved"] == 0
    assert dump(at) == before


@pytest.mark.slow
def test_later_runs_are_shown_as_far_moved(run: Run, filled: Filled, make_url: Callable[[str], str]) -> None:
    at = filled(RECORD, ("project",))
    today = (as_of(run) + timedelta(70)).isoformat()
    assert run("project", "--today", today, "--json").json["projects"]["demo"]["days_moved"] == 70
    run(*RECORD[:-1], "prs=15")
    assert run("project", "--yes", "--json").json["projects"]["demo"]["days_moved"] == 70
    assert run("verify", "--json").json["ok"]
    elsewhere = make_url("sqlite")
    run("project", "--target", elsewhere)
    moved, still = dump(at), dump(elsewhere)
    assert {table: len(rows) for table, rows in moved.items()} == {table: len(rows) for table, rows in still.items()}
    if at.startswith("sqlite"):
        assert moved == later(still, 70)
    run("project", "--rebuild", "--yes")
    assert dump(at) == moved


def test_edits_adopted_rows_and_rows_of_others_stay(run: Run, filled: Filled) -> None:
    at = filled(RECORD, ("project",))
    before = created(at)
    edited, other = sorted(before)[:2]
    statements(
        at,
        f"UPDATE pull_requests SET title = 'mine' WHERE id = {edited}",
        "INSERT INTO pull_requests (id, team_id, github_repo, number, title, state, is_draft, pr_created_at, is_revert, "
        "is_hotfix, is_ai_assisted) "
        f"SELECT 7, team_id, github_repo, 900001, 'theirs', state, is_draft, pr_created_at, is_revert, is_hotfix, "
        f"is_ai_assisted FROM pull_requests WHERE id = {other}",
    )
    run("project", "--today", (as_of(run) + timedelta(21)).isoformat())
    after = created(at)
    assert after[7] == before[other]
    assert datetime.fromisoformat(after[edited]) == datetime.fromisoformat(before[edited]) + timedelta(21)
    assert [row for row in dump(at)["pull_requests"] if row[0] == edited and "mine" in row]
    findings = run("verify", "--json", status=1).json["findings"]
    assert [one["problem"] for one in findings] == ["its row differs in title"]


@pytest.mark.slow
def test_a_settings_file_moves_dates_at_every_projection(run: Run, at: str, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    Path("seedjournal.toml").write_text('today = "now"\n')
    run(*RECORD, "--as-of", "2025-07-01")
    done = run("project")
    assert "dates moved by" in done.out
    newest = max(created(at).values())[:10]
    today = datetime.now(UTC).date()
    assert date.fromisoformat(newest) <= today
    moved = run("project", "--json").json["projects"]["demo"]
    assert timedelta(0) <= today - (date(2025, 7, 1) + timedelta(moved["days_moved"])) < timedelta(7)
    Path("seedjournal.toml").write_text("today = 7\n")
    assert "today = 7 is neither" in run("project", status=3).err


@pytest.mark.slow
def test_moved_rows_can_be_taken_away(run: Run, filled: Filled) -> None:
    at = filled(RECORD, ("project",))
    run("project", "--today", (as_of(run) + timedelta(21)).isoformat())
    run("unseed", "demo", "--yes")
    assert not any(dump(at).values())


def test_somebody_elses_row_in_the_way_is_told_and_nothing_moves(run: Run, filled: Filled) -> None:
    at = filled(RECORD, ("project",))
    statements(
        at,
        "CREATE TABLE copied AS SELECT * FROM weekly_metrics WHERE week_start = "
        "(SELECT max(week_start) FROM weekly_metrics)",
        "UPDATE copied SET id = id % 1000",
        "UPDATE copied SET week_start = "
        + ("week_start + 7" if at.startswith("postgresql") else "date(week_start, '+7 days')"),
        "INSERT INTO weekly_metrics SELECT * FROM copied",
    )
    before = dump(at)
    refused = run("project", "--today", (as_of(run) + timedelta(7)).isoformat(), status=3)
    assert "the database refuses to move dates by 1 week:" in refused.err
    assert "nothing was written" in refused.err
    assert dump(at) == before


@pytest.mark.parametrize("wrong", ["tomorrow", "2025-13-01"])
def test_a_wrong_date_is_refused(wrong: str, run: Run) -> None:
    assert "is not a date" in run("project", "--today", wrong, status=2).err


def test_a_date_long_ago_is_refused(run: Run) -> None:
    run(*RECORD)
    assert "--today 1969-12-31 is before 1970" in run("project", "--today", "1969-12-31", status=2).err

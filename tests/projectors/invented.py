"""Invented projects for the tests of projecting: events made by hand, recorded, and rows read back as plain values."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Select, inspect, literal_column, select, table, text

from seedjournal.journal import (
    Database,
    Event,
    Inputs,
    Json,
    Policy,
    Run,
    Spool,
    Type,
    encode,
    record,
)
from seedjournal.projectors import Choice, Projected, project
from seedjournal.simulators.engineering.kinds import ENGINEERING
from tests.journal.things import tampering
from tests.projectors.kept import LAYOUT, emptied

MAPS = {kind: one for kind, one in LAYOUT.maps.items() if not one.whole}  # of kinds that have tables
SLUG = "terns"
REPO = "invented/terns"
ALL_ONCE = {kind.name: Policy.ONCE for kind in ENGINEERING.vocabulary.kinds}
# Any policies: projecting knows nothing of which kinds are computed.
POLICIES = {
    kind.name: Policy.UPSERT
    if kind.name not in ENGINEERING.fact_kinds and kind.name != "weekly_metrics"
    else Policy.ONCE
    for kind in ENGINEERING.vocabulary.kinds
}
ALL_UPSERT = {kind.name: Policy.UPSERT for kind in ENGINEERING.vocabulary.kinds}
ALL_EXACT = {kind.name: Policy.EXACT for kind in ENGINEERING.vocabulary.kinds}

Rows = dict[str, list[dict[str, Any]]]
Dump = dict[str, list[tuple[Any, ...]]]
_START = datetime(2024, 3, 4, 9, 30, 0, tzinfo=UTC)
_TURN = itertools.count()


def instant(hours: int) -> str:
    """A moment so many hours after the invented project's first."""
    return (_START + timedelta(hours=hours)).isoformat().replace("+00:00", "Z")


def event(kind: str, key: dict[str, str | int], data: dict[str, Json], changed: Mapping[str, Any]) -> Event:
    """An event of the project that is named as its team; `changed` replaces parts of its data."""
    assert changed.keys() <= data.keys()
    return Event(project=str(next(iter(key.values()))), kind=kind, key=key, data={**data, **changed})


def team(slug: str = SLUG, **changed: Json) -> Event:
    """A team."""
    data: dict[str, Json] = {
        "name": f"Team {slug}",
        "description": "Invented; naïve “quotes” \\ and\ttabs",
        "industry": "",
    }
    return event("team", {"slug": slug}, data, changed)


def member(login: str = "first-tester", slug: str = SLUG, **changed: Json) -> Event:
    """A team member."""
    data: dict[str, Json] = {
        "github_login": login.title(),
        "github_id": None,
        "display_name": f"Tester {login}",
        "email": f"{login}@example.com",
        "jira_account_id": f"jira-{login}",
        "slack_user_id": f"U-{login}",
        "is_bot": login.endswith("-bot"),
    }
    return event("team_member", {"team": slug, "login": login}, data, changed)


def pull_request(number: int = 1, slug: str = SLUG, **changed: Json) -> Event:
    """A pull request."""
    data: dict[str, Json] = {
        "author": "first-tester",
        "title": f"Change {number}",
        "body": None if number % 2 else "Line one\nline two\r\n\\N",
        "state": "merged",
        "is_draft": False,
        "pr_created_at": instant(number),
        "merged_at": instant(number + 12),
        "closed_at": None,
        "first_review_at": None,
        "cycle_time_hours": "12.00",
        "review_time_hours": None,
        "additions": number * 10,
        "deletions": 0,
        "changed_files": 2,
        "commits_count": 1,
        "head_ref": f"branch-{number}",
        "base_ref": "main",
        "labels": ["a label", "ünïcode", 'with "quotes"'],
        "milestone_title": None,
        "assignees": [],
        "linked_issues": [number, {"b": None, "a": True}],
        "jira_key": f"TERN-{number}",
        "is_revert": False,
        "is_hotfix": False,
        "is_ai_assisted": True,
        "ai_tools_detected": ["tool"],
    }
    return event("pull_request", {"team": slug, "github_repo": REPO, "number": number}, data, changed)


def review(number: int = 1, review_id: int = 2**52 + 1, slug: str = SLUG, **changed: Json) -> Event:
    """A review."""
    data: dict[str, Json] = {
        "reviewer": "second-tester",
        "state": "approved",
        "body": "",
        "submitted_at": instant(number + 1),
        "is_ai_review": False,
        "ai_reviewer_type": None,
    }
    key: dict[str, str | int] = {"team": slug, "github_repo": REPO, "number": number, "github_review_id": review_id}
    return event("pr_review", key, data, changed)


def commit(number: int | None = 1, name: str = "c", slug: str = SLUG, **changed: Json) -> Event:
    """A commit, of a pull request or of none."""
    sha = hashlib.sha1(f"{slug} {name} {number}".encode(), usedforsecurity=False).hexdigest()
    data: dict[str, Json] = {
        "github_repo": REPO,
        "pull_request": None if number is None else {"github_repo": REPO, "number": number},
        "author": None if number is None else "first-tester",
        "message": "Make it so",
        "committed_at": instant(3),
        "additions": 5,
        "deletions": 6,
        "is_ai_assisted": False,
        "ai_co_authors": [],
    }
    return event("commit", {"team": slug, "github_sha": sha}, data, changed)


def file(number: int = 1, filename: str = "src/part.py", slug: str = SLUG, **changed: Json) -> Event:
    """A file of a pull request."""
    data: dict[str, Json] = {
        "status": "added",
        "additions": 3,
        "deletions": 1,
        "changes": 4,
        "file_category": "backend",
    }
    key: dict[str, str | int] = {"team": slug, "github_repo": REPO, "number": number, "filename": filename}
    return event("pr_file", key, data, changed)


def check_run(number: int = 1, slug: str = SLUG, **changed: Json) -> Event:
    """A check run."""
    data: dict[str, Json] = {
        "pull_request": {"github_repo": REPO, "number": number},
        "name": "build",
        "status": "completed",
        "conclusion": "success",
        "started_at": instant(4),
        "completed_at": None,
        "duration_seconds": None,
    }
    return event("pr_check_run", {"team": slug, "github_check_run_id": 1000 + number}, data, changed)


def issue(number: int = 1, slug: str = SLUG, **changed: Json) -> Event:
    """A Jira issue."""
    data: dict[str, Json] = {
        "jira_id": f"{10_000 + number}",
        "summary": f"Issue {number}",
        "issue_type": "Story",
        "status": "Done",
        "priority": "High",
        "story_points": "3.0",
        "assignee": "second-tester",
        "sprint_id": -4,
        "sprint_name": "Sprint -4",
        "cycle_time_hours": "0.00",
        "issue_created_at": instant(-5),
        "resolved_at": None,
    }
    return event("jira_issue", {"team": slug, "jira_key": f"TERN-{number}"}, data, changed)


def survey(number: int = 1, slug: str = SLUG, **changed: Json) -> Event:
    """A survey."""
    data: dict[str, Json] = {
        "author": "first-tester",
        "author_ai_assisted": None,
        "author_responded_at": None,
        "author_response_source": None,
        "ai_modification_effort": None,
    }
    return event("pr_survey", {"team": slug, "github_repo": REPO, "number": number}, data, changed)


def survey_review(number: int = 1, reviewer: str = "second-tester", slug: str = SLUG, **changed: Json) -> Event:
    """A reviewer's answer to a survey."""
    data: dict[str, Json] = {
        "quality_rating": 3,
        "ai_guess": True,
        "guess_correct": None,
        "responded_at": instant(40),
        "feedback_clarity": 4,
        "review_burden": 2,
    }
    key: dict[str, str | int] = {"team": slug, "github_repo": REPO, "number": number, "reviewer": reviewer}
    return event("pr_survey_review", key, data, changed)


def usage(login: str = "first-tester", slug: str = SLUG, **changed: Json) -> Event:
    """A day's use of an assistant."""
    data: dict[str, Json] = {
        "active_hours": "2.50",
        "suggestions_shown": 120,
        "suggestions_accepted": 40,
        "acceptance_rate": "33.33",
    }
    key: dict[str, str | int] = {"team": slug, "login": login, "date": "2024-03-05", "source": "copilot"}
    return event("ai_usage_daily", key, data, changed)


def week(login: str = "first-tester", slug: str = SLUG, **changed: Json) -> Event:
    """A member's week."""
    data: dict[str, Json] = {
        "prs_merged": 2,
        "avg_cycle_time_hours": "12.25",
        "avg_review_time_hours": None,
        "commits_count": 3,
        "lines_added": 30,
        "lines_removed": 4,
        "revert_count": 0,
        "hotfix_count": 0,
        "ai_assisted_prs": 1,
        "story_points_completed": "8.0",
        "issues_resolved": 1,
        "surveys_completed": 1,
        "avg_quality_rating": "2.50",
        "guess_accuracy": None,
    }
    return event("weekly_metrics", {"team": slug, "login": login, "week_start": "2024-03-04"}, data, changed)


def everything(slug: str = SLUG, numbers: Iterable[int] = (1, 2, 3)) -> list[Event]:
    """A small project with all kinds that have tables: role and activity are left at the defaults."""
    events = [
        team(slug),
        member("first-tester", slug, github_id=2**53 - 1),
        member("second-tester", slug),
        member("build-bot", slug),
        usage("first-tester", slug),
        usage("second-tester", slug, active_hours="0.05", acceptance_rate="100.00"),
        week("first-tester", slug),
        week("second-tester", slug, guess_accuracy="66.67"),
        commit(None, "loose", slug),
    ]
    for number in numbers:
        events += [
            pull_request(number, slug),
            review(number, 500 + number, slug),
            review(number, 900 + number, slug, reviewer=None, submitted_at=None, state="commented"),
            commit(number, "c", slug),
            file(number, "src/part.py", slug),
            file(number, "Src/Part.py", slug, status="renamed"),
            check_run(number, slug),
            issue(number, slug),
            survey(number, slug, author_ai_assisted=number % 2 == 0, author_responded_at=instant(20)),
            survey_review(number, "second-tester", slug, guess_correct=False),
        ]
    return events


def without(events: Iterable[Event], *kinds: str, number: int | None = None) -> list[Event]:
    """The events but those of some kinds, or but all that hang on one pull request."""
    return [
        one
        for one in events
        if one.kind not in kinds and (number is None or number not in (one.key.get("number"), _pull_request_of(one)))
    ]


def with_changed(events: Iterable[Event], kind: str, **changed: Json) -> list[Event]:
    """The events, with the data of one kind changed."""
    return [
        Event(project=one.project, kind=kind, key=one.key, data={**one.data, **changed}) if one.kind == kind else one
        for one in events
    ]


def _pull_request_of(one: Event) -> Any:
    value = one.data.get("pull_request")
    return value["number"] if isinstance(value, dict) else None


def note(
    database: Database,
    events: Iterable[Event],
    policies: Mapping[str, Policy] | None = None,
    *,
    slug: str = SLUG,
    fresh: bool = False,
) -> Run:
    """Record the events as a run of the project that its team has the name of; a fresh one is `exact` throughout."""
    with Spool() as spool:
        spool.add((encode(one), "hand/1") for one in events)
        inputs = Inputs(
            project=slug,
            policies=ALL_EXACT if fresh else {**POLICIES, **(policies or {})},
            window=False,
            values={"source": "hand"},
            fingerprint=hashlib.sha256(b"%d" % next(_TURN)).digest(),
        )
        return record(database, inputs, spool).run


def show(database: Database, run: Run, target: Database | None = None, **choice: Any) -> Projected:
    """Project a run; what left the state stays, unless something else is chosen."""
    return project(database, target or database, LAYOUT, run, Choice(**{"prune": False, **choice}))


def totals(done: Projected) -> tuple[int, int, int]:
    """Rows inserted, updated and deleted."""
    results = done.kinds.values()
    return (
        sum(one.inserted for one in results),
        sum(one.updated for one in results),
        sum(one.deleted for one in results),
    )


def total(done: Projected, name: str) -> int:
    """One of the counts, over all kinds."""
    return sum(getattr(one, name) for one in done.kinds.values())


def rows(database: Database, *kinds: str, ids: bool = True) -> Rows:
    """The target's rows by table and as plain values: decimals, UTC times, parsed JSON; sorted."""
    found: Rows = {}
    with database.read() as connection:
        for kind in kinds or tuple(MAPS):
            mapped = MAPS[kind]
            fields = {field.name: field for field in mapped.kind.fields}
            query = select(*(mapped.table.c[name] for name in mapped.columns if ids or not name.endswith("id")))
            found[mapped.table.name] = sorted(
                (
                    {name: plain(value, fields.get(name)) for name, value in row._mapping.items()}
                    for row in connection.execute(query)
                ),
                key=repr,
            )
    return found


def plain(value: Any, field: Any) -> Any:
    """A value as every database means it."""
    if value is None or field is None:
        return value
    match field.type:
        case Type.DECIMAL:
            return Decimal(str(value)).quantize(Decimal(1).scaleb(-field.places))
        case Type.INSTANT:
            return value if isinstance(value, datetime) else datetime.fromisoformat(value)
        case Type.DATE:
            return value if isinstance(value, date) else date.fromisoformat(value)
        case _:
            return value


def dump(database: Database) -> Dump:
    """Everything in the database: every table of every schema with its rows."""
    found: Dump = {}
    with database.read() as connection:
        inspector = inspect(connection)
        schemas: list[str | None] = [None]
        if connection.dialect.name == "postgresql":
            schemas = [name for name in inspector.get_schema_names() if name != "information_schema"]
        for schema in schemas:
            for name in inspector.get_table_names(schema=schema):
                everything_in: Select[Any] = select(literal_column("*")).select_from(table(name, schema=schema))
                found[f"{schema or ''}.{name}"] = sorted(map(tuple, connection.execute(everything_in)), key=repr)
    return found


def execute(database: Database, statement: str, **values: Any) -> list[tuple[Any, ...]]:
    """What a user does by hand; rows, where there are any."""
    database.set_up_file()
    with database.write("target") as connection:
        result = connection.execute(text(statement), values)
        return [tuple(row) for row in result] if result.returns_rows else []


def damage(database: Database, statement: str, **values: Any) -> None:
    """What happens to a journal's rows, which refuse it from everybody."""
    with database.write() as connection, tampering(connection):
        connection.execute(text(statement), values)


def drop_tables(database: Database) -> None:
    """Leave a target with no more than its notes, as it is before the first projection."""
    with database.write("target") as connection:
        LAYOUT.metadata.drop_all(connection)


def cold(source: Database, run: Run, make: str | None = None) -> Rows:
    """The rows that a projection of the run into an empty database gives."""
    target = emptied(make or source.name, "cold")
    drop_tables(target)
    show(source, run, target)
    return rows(target)

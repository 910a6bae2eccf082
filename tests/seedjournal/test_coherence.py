"""Tables never contradict themselves, whatever was recorded before, in whatever order, by whatever policies."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from tests.seedjournal.commands import DEMO, Done, asked, driver_url, entry, write_cache

Run = Callable[..., Done]
Step = tuple[str, ...]

# What must select no row, in both databases' SQL.
RULES = {
    "a week counts the pull requests merged in it": """
        SELECT sum(prs_merged) - (SELECT count(*) FROM pull_requests WHERE merged_at IS NOT NULL AND author_id IS NOT NULL)
        FROM weekly_metrics HAVING sum(prs_merged) <>
        (SELECT count(*) FROM pull_requests WHERE merged_at IS NOT NULL AND author_id IS NOT NULL)""",
    "a week counts the commits in it": """
        SELECT sum(commits_count), sum(lines_added) FROM weekly_metrics
        HAVING sum(commits_count) <> (SELECT count(*) FROM commits WHERE author_id IS NOT NULL)
        OR sum(lines_added) <> (SELECT sum(additions) FROM commits WHERE author_id IS NOT NULL)""",
    "a week of a merge counts it for its author": """
        SELECT author_id, count(*) FROM pull_requests WHERE merged_at IS NOT NULL AND author_id IS NOT NULL GROUP BY author_id
        HAVING count(*) <> (SELECT coalesce(sum(prs_merged), 0) FROM weekly_metrics WHERE team_member_id = author_id)""",
    "an issue stands as its pull request does": """
        SELECT p.number FROM pull_requests p JOIN jira_issues j ON j.jira_key = p.jira_key AND j.team_id = p.team_id
        WHERE (p.state = 'merged') <> (j.status = 'Done') OR (p.state = 'closed') <> (j.status = 'Won''t Do')
        OR coalesce(p.author_id, 0) <> coalesce(j.assignee_id, 0)
        OR (j.resolved_at IS NULL) <> (coalesce(p.merged_at, p.closed_at) IS NULL)""",
    "every pull request has an issue": """
        SELECT p.number FROM pull_requests p
        WHERE NOT EXISTS (SELECT 1 FROM jira_issues j WHERE j.jira_key = p.jira_key AND j.team_id = p.team_id)""",
    "every issue has a pull request": """
        SELECT j.jira_key FROM jira_issues j
        WHERE NOT EXISTS (SELECT 1 FROM pull_requests p WHERE j.jira_key = p.jira_key AND j.team_id = p.team_id)""",
    "what was merged has a survey, and nothing else has": """
        SELECT p.number FROM pull_requests p WHERE (p.state = 'merged') <>
        EXISTS (SELECT 1 FROM pr_surveys s WHERE s.pull_request_id = p.id)""",
    "who answers a survey reviewed": """
        SELECT a.id FROM pr_survey_reviews a JOIN pr_surveys s ON s.id = a.pr_survey_id
        WHERE NOT EXISTS (SELECT 1 FROM pr_reviews r WHERE r.pull_request_id = s.pull_request_id
        AND r.reviewer_id = a.reviewer_id)""",
    "nobody answers before the merge or after the day": """
        SELECT p.number FROM pull_requests p JOIN pr_surveys s ON s.pull_request_id = p.id
        LEFT JOIN pr_survey_reviews a ON a.pr_survey_id = s.id WHERE s.author_responded_at < p.merged_at
        OR a.responded_at < p.merged_at OR substr(CAST(s.author_responded_at AS TEXT), 1, 10) > '{as_of}'
        OR substr(CAST(a.responded_at AS TEXT), 1, 10) > '{as_of}'""",
    "no program answers or uses an assistant": """
        SELECT id FROM team_members WHERE is_bot AND (id IN (SELECT team_member_id FROM ai_usage_daily)
        OR id IN (SELECT reviewer_id FROM pr_survey_reviews)
        OR id IN (SELECT author_id FROM pr_surveys WHERE author_responded_at IS NOT NULL))""",
    "an author says what the pull request shows": """
        SELECT p.number FROM pull_requests p JOIN pr_surveys s ON s.pull_request_id = p.id
        WHERE p.is_ai_assisted AND s.author_responded_at IS NOT NULL AND NOT s.author_ai_assisted""",
    "a guess is right where it is the author's answer": """
        SELECT a.id FROM pr_survey_reviews a JOIN pr_surveys s ON s.id = a.pr_survey_id
        WHERE (s.author_ai_assisted IS NULL) <> (a.guess_correct IS NULL)
        OR a.guess_correct <> (a.ai_guess = s.author_ai_assisted)""",
    "who shows Copilot or Cursor uses it by the end of the week of the merge": """
        SELECT p.number FROM pull_requests p JOIN team_members m ON m.id = p.author_id,
        (SELECT 'copilot' AS tool UNION ALL SELECT 'cursor') AS tools
        WHERE CAST(ai_tools_detected AS TEXT) LIKE '%"' || tool || '"%' AND NOT m.is_bot
        AND substr(CAST(pr_created_at AS TEXT), 1, 10) BETWEEN '{first_week}' AND '{last_week}' AND NOT EXISTS
        (SELECT 1 FROM ai_usage_daily u WHERE u.team_member_id = p.author_id AND u.source = tool)""",
    "an issue is written before its pull request ends, and resolved with it": """
        SELECT p.number FROM pull_requests p JOIN jira_issues j ON j.jira_key = p.jira_key AND j.team_id = p.team_id
        WHERE j.issue_created_at > coalesce(p.merged_at, p.closed_at)
        OR j.resolved_at <> coalesce(p.merged_at, p.closed_at)""",
    "sprints have their names, and begin with 1": """
        SELECT jira_key FROM jira_issues WHERE sprint_id < 1 OR sprint_name <> 'Sprint ' || CAST(sprint_id AS TEXT)""",
    "issues have ids of their own, of five to nine digits": """
        SELECT jira_id FROM jira_issues GROUP BY team_id, jira_id
        HAVING count(*) > 1 OR length(jira_id) NOT BETWEEN 5 AND 9""",
}
# What a real source may break, and the demo does not, on whatever day it is recorded again.
RULES_OF_THE_DEMO = {
    "a pull request has as many files and commits as it says": """
        SELECT p.number FROM pull_requests p
        WHERE (SELECT count(*) FROM pr_files f WHERE f.pull_request_id = p.id) > changed_files
        OR (SELECT count(*) FROM commits c WHERE c.pull_request_id = p.id) > commits_count""",
    "an assisted commit makes its pull request assisted": """
        SELECT p.number FROM pull_requests p JOIN commits c ON c.pull_request_id = p.id
        WHERE c.is_ai_assisted AND NOT p.is_ai_assisted""",
    "the first review is the earliest of a person": """
        SELECT p.number FROM pull_requests p WHERE first_review_at <> (SELECT min(submitted_at) FROM pr_reviews r
        JOIN team_members m ON m.id = r.reviewer_id WHERE r.pull_request_id = p.id AND NOT m.is_bot
        AND r.reviewer_id <> p.author_id)""",
}

SMALL, MORE = (*DEMO, "--set", "prs=12"), (*DEMO, "--set", "prs=16")
HISTORIES: dict[str, tuple[Step, ...]] = {
    "grown and shrunk": (SMALL, MORE, SMALL),
    "another day": (SMALL, (*SMALL, "--as-of", "2025-06-20"), (*SMALL, "--as-of", "2025-06-21")),
    "the next day": (MORE, (*MORE, "--as-of", "2025-07-01"), (*MORE, "--as-of", "2025-07-08")),
    "another seed": (SMALL, (*SMALL, "--seed", "7")),
    "by all policies": (SMALL, (*MORE, "--policy", "github=upsert"), (*SMALL, "--policy", "github=exact"), MORE),
    "some upsert": (
        SMALL,
        (*SMALL, "--seed", "7", "--policy", "pull_request=upsert"),
        (*MORE, "--policy", "commit=upsert"),
    ),
    "a window": (MORE, (*MORE, "--until", "2025-06-20"), SMALL),
}


OF_ONE_DEMO = ("grown and shrunk", "the next day")
# What is recorded does not depend on the database; the rules themselves and what policies keep may.
BY_MAKE = [*(("sqlite", name) for name in HISTORIES), ("postgresql", "by all policies"), ("postgresql", "the next day")]


def broken(at: str, rules: Mapping[str, str] = RULES) -> dict[str, list[tuple[object, ...]]]:
    """What the rules select, by rule."""
    ((inputs,),) = asked(at, "SELECT inputs FROM journal_runs ORDER BY run DESC LIMIT 1")
    told = inputs if isinstance(inputs, dict) else json.loads(inputs)
    day = date.fromisoformat(told["as_of"])
    days = {
        "as_of": day,
        "first_week": day - timedelta(days=told["settings"]["days_back"] - 8),
        "last_week": day - timedelta(days=7),
    }
    engine = create_engine(driver_url(at))
    with engine.connect() as connection:
        found = {
            rule: [tuple(row) for row in connection.execute(text(sql.format(**days)))] for rule, sql in rules.items()
        }
    engine.dispose()
    return {rule: rows for rule, rows in found.items() if rows}


@pytest.mark.parametrize(("make", "history"), BY_MAKE)
def test_tables_agree_with_each_other(history: str, filled: Callable[..., str], run: Run) -> None:
    first, *others = HISTORIES[history]
    at = filled(first, ("project",))
    assert broken(at) == {}
    for step in others:
        run(*step)
        run("project", "--yes")
        assert broken(at) == {}
        if history in OF_ONE_DEMO:
            assert broken(at, RULES_OF_THE_DEMO) == {}
    assert run("verify", "--json").json["ok"]


@pytest.mark.parametrize(("make", "policy"), [("sqlite", "once"), ("postgresql", "upsert"), ("sqlite", "exact")])
def test_tables_agree_whatever_export_comes_first(policy: str, at: str, run: Run, tmp_path: Path) -> None:
    still_open = {"state": "open", "is_merged": False, "merged_at": None, "closed_at": None}
    exports = (
        [entry(1, **still_open), entry(2)],
        [entry(1), entry(2, author_login="Renamed"), entry(3)],
        [entry(1, **still_open), entry(3)],
    )
    for export in exports:
        write_cache(tmp_path / "cache", *export)
        run(
            "record", "--project", "rocket", "--new", "--source", "cache:cache", "--policy", f"github={policy}", "--yes"
        )
        run("project", "--yes")
        assert broken(at) == {}

"""Tables never contradict themselves, whatever was recorded before, in whatever order, by whatever policies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.seedjournal.commands import DEMO, Done, asked, entry, write_cache

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
}

SMALL, MORE = (*DEMO, "--set", "prs=12"), (*DEMO, "--set", "prs=16")
HISTORIES: dict[str, tuple[Step, ...]] = {
    "first": (SMALL,),
    "grown and shrunk": (SMALL, MORE, SMALL),
    "another day": (SMALL, (*SMALL, "--as-of", "2025-06-20"), (*SMALL, "--as-of", "2025-06-21")),
    "another seed": (SMALL, (*SMALL, "--seed", "7")),
    "by all policies": (SMALL, (*MORE, "--policy", "github=upsert"), (*SMALL, "--policy", "github=exact"), MORE),
    "some upsert": (
        SMALL,
        (*SMALL, "--seed", "7", "--policy", "pull_request=upsert"),
        (*MORE, "--policy", "commit=upsert"),
    ),
    "a window": (MORE, (*MORE, "--until", "2025-06-20"), SMALL),
}


def broken(at: str) -> dict[str, list[tuple[object, ...]]]:
    """What the rules select, by rule."""
    found = {rule: asked(at, sql) for rule, sql in RULES.items()}
    return {rule: rows for rule, rows in found.items() if rows}


@pytest.mark.parametrize("history", HISTORIES)
def test_tables_agree_with_each_other(history: str, filled: Callable[..., str], run: Run) -> None:
    first, *others = HISTORIES[history]
    at = filled(first, ("project",))
    assert broken(at) == {}
    for step in others:
        run(*step)
        run("project", "--yes")
        assert broken(at) == {}
    assert run("verify", "--json").json["ok"]


@pytest.mark.parametrize("policy", ["once", "upsert", "exact"])
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

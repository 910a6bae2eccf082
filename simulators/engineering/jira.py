"""Simulated Jira issues: one for each key, made by the earliest pull request that names it."""

from __future__ import annotations

import re
from datetime import date, timedelta

from seedjournal.journal import Event

from ..draws import Draws
from .census import Census
from .facts import PullRequest, instant
from .people import key_of
from .pull_requests import hours

VERSION = 1
DRAWN = ("issue_type", "priority", "issue_id", "lead_time")

FIRST_SPRINT = date(2024, 1, 1)  # a Monday

_SUMMARY = 200
_LONGEST_LEAD = 72 * 3600  # an issue is written up to three days before its pull request
_TYPES = (
    ("Bug", re.compile(r"\b(?:bugs?|bugfix|fix|fixes|fixed|fixing|hotfix)\b", re.IGNORECASE)),
    ("Story", re.compile(r"\b(?:features?|feat)\b", re.IGNORECASE)),
    (
        "Improvement",
        re.compile(r"\b(?:enhancements?|improve[sd]?|improving|improvements?|refactor(?:s|ed|ing)?)\b", re.IGNORECASE),
    ),
    ("Task", re.compile(r"\b(?:chores?|tasks?)\b", re.IGNORECASE)),
)
_POINTS = ((50, 1), (150, 2), (400, 3), (800, 5))
_MOST_POINTS = 8


def issue(pr: PullRequest, census: Census, draws: Draws) -> Event | None:
    """The issue that the pull request makes; None where an earlier one makes it."""
    project = census.project
    key = census.issue_key(pr)
    if not census.is_first_to_name(pr, key):
        return None
    draw = draws.of(project.name, key)
    created = pr.created_at - timedelta(seconds=draw.integer("lead_time", 3600, _LONGEST_LEAD))
    resolved = pr.merged_at or pr.closed_at
    number, name = sprint(pr.created_at.date(), project.sprint_days)
    return Event(
        project=project.name,
        kind="jira_issue",
        key={"team": project.name, "jira_key": key},
        data={
            "jira_id": str(10_000 + (draw.bits("issue_id") >> 12)),
            "summary": pr.title[:_SUMMARY],
            "issue_type": issue_type(pr) or draw.choose("issue_type", tuple(project.issue_type_rates.items())),
            "status": status(pr),
            "priority": draw.choose("priority", tuple(project.priority_rates.items())),
            "story_points": f"{points(pr.additions + pr.deletions)}.0",
            "assignee": key_of(pr.author),
            "sprint_id": number,
            "sprint_name": name,
            "cycle_time_hours": hours(created, resolved),
            "issue_created_at": instant(created),
            "resolved_at": instant(resolved) if resolved else None,
        },
    )


def issue_type(pr: PullRequest) -> str | None:
    """The type that labels or title tell; None where they do not."""
    text = "\n".join((*sorted(pr.labels), pr.title))
    return next((name for name, pattern in _TYPES if pattern.search(text)), None)


def status(pr: PullRequest) -> str:
    """Where the issue stands: a draft is in progress, what has reviews is in review."""
    if pr.state == "merged":
        return "Done"
    if pr.state == "closed":
        return "Won't Do"
    if pr.is_draft:
        return "In Progress"
    return "In Review" if any(review.state != "pending" for review in pr.reviews) else "To Do"


def points(lines: int) -> int:
    """Story points by lines changed.

    >>> points(49), points(50), points(800)
    (1, 2, 8)
    """
    return next((value for limit, value in _POINTS if lines < limit), _MOST_POINTS)


def sprint(day: date, length: int) -> tuple[int, str]:
    """The sprint that holds a day: the first begins on Monday 2024-01-01, earlier ones count down.

    >>> sprint(date(2024, 1, 14), 14), sprint(date(2023, 12, 31), 14)
    ((1, 'Sprint 1'), (0, 'Sprint 0'))
    """
    number = (day - FIRST_SPRINT).days // length + 1
    return number, f"Sprint {number}"

"""Simulated Jira issues: one for each key, made by the earliest pull request that names it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime, timedelta

from seedjournal.journal import Event

from ..draws import Draws
from .facts import instant
from .project import Project
from .pull_requests import hours
from .shown import Shown

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


def issue(pr: Shown, project: Project, draws: Draws) -> Event:
    """Return the issue that a pull request makes: the earliest one that names it."""
    data = pr.data
    key = data["jira_key"]
    draw = draws.of(project.name, key)
    opened = datetime.fromisoformat(data["pr_created_at"])
    created = opened - timedelta(seconds=draw.integer("lead_time", 3600, _LONGEST_LEAD))
    resolved = pr.moment("merged_at") or (None if pr.is_merged else pr.moment("closed_at"))
    number, name = sprint(opened.date(), project.sprint_days)
    return Event(
        project=project.name,
        kind="jira_issue",
        key={"team": project.name, "jira_key": key},
        data={
            "jira_id": str(10_000 + (draw.bits("issue_id") >> 12)),
            "summary": data["title"][:_SUMMARY],
            "issue_type": issue_type(data["title"], data["labels"])
            or draw.choose("issue_type", tuple(project.issue_type_rates.items())),
            "status": status(pr),
            "priority": draw.choose("priority", tuple(project.priority_rates.items())),
            "story_points": f"{points(pr.lines)}.0",
            "assignee": data["author"],
            "sprint_id": number,
            "sprint_name": name,
            "cycle_time_hours": hours(created, resolved),
            "issue_created_at": instant(created),
            "resolved_at": instant(resolved) if resolved else None,
        },
    )


def issue_type(title: str, labels: Iterable[str]) -> str | None:
    """Return the type that labels or title tell; None where they do not."""
    text = "\n".join((*sorted(labels), title))
    return next((name for name, pattern in _TYPES if pattern.search(text)), None)


def status(pr: Shown) -> str:
    """Return where the issue stands: a draft is in progress, what has reviews is in review."""
    if pr.is_merged:
        return "Done"
    if pr.data["state"] == "closed":
        return "Won't Do"
    if pr.data["is_draft"]:
        return "In Progress"
    return "In Review" if pr.is_reviewed else "To Do"


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

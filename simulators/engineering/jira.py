"""Simulated Jira issues: one for each key, made by the earliest pull request that names it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b

from seedjournal.journal import Event

from ..draws import Draw, Draws
from .facts import instant
from .project import Project
from .pull_requests import hours
from .schedules import weighting
from .shown import Shown
from .working import between

VERSION = 2
DRAWN = ("issue_type", "priority", "points", "lead_time")

FIRST_SPRINT = date(2024, 1, 1)  # a Monday: sprints begin so many times their length before or after it

_SUMMARY = 200
_SHORTEST_LEAD, _LONGEST_LEAD = timedelta(hours=1), timedelta(days=7)  # an issue is written so long before its work
_BEGINNING = datetime.min.replace(tzinfo=UTC)
_TYPES = (
    ("Bug", re.compile(r"\b(?:bugs?|bugfix|fix|fixes|fixed|fixing|fixups?|hotfix)\b", re.IGNORECASE)),
    (
        "Task",
        re.compile(
            r"^[^\w\n]*(?:docs?|documentation|tests?|ci|build|deps|typos?)\b|\bbump\b", re.IGNORECASE | re.MULTILINE
        ),
    ),
    ("Story", re.compile(r"\b(?:features?|feat)\b", re.IGNORECASE)),
    (
        "Improvement",
        re.compile(r"\b(?:enhancements?|improve[sd]?|improving|improvements?|refactor(?:s|ed|ing)?)\b", re.IGNORECASE),
    ),
    ("Task", re.compile(r"\b(?:chores?|tasks?)\b", re.IGNORECASE)),
)
_POINTS = ((50, 1), (150, 2), (400, 3), (800, 5))
_MOST_POINTS = 8
_NOISE = (0.75, 1.3)  # how far an estimate is off
_BY_ROUND, _MOST_ROUNDS = 0.06, 6  # each review beyond the first makes it feel so much larger
_BY_TIME, _LONG = 0.25, 500.0  # and a cycle time of so many hours

# What a title says for machines: a prefix with its scope, a key in brackets, a number behind.
_PREFIX = re.compile(r"^[a-z]{2,12}(?:\([^()]{0,60}\))?!?:\s+(?=\S)", re.IGNORECASE)
_KEY_OR_NUMBER = re.compile(
    r"^\[?[A-Z][A-Z0-9]{1,19}-[0-9]{1,9}\]?:?\s+(?=\S)|\s+\(#[0-9]{1,9}\)$|\s+\[[A-Z][A-Z0-9]{1,19}-[0-9]{1,9}\]$"
)

# Ids have five to nine digits. Those of the project's own keys come first, as in a tracker of its own.
_SMALLEST_ID, _IDS = 10_000, 999_990_000
_FOREIGN, _FOREIGN_PREFIXES = 2_000_000, 90_000_000
_KEY = re.compile(r"(.*?-0*)([0-9]+)\Z", re.DOTALL)


class Issues:
    """The issues of a project, as they stand on `as_of`; sprints count from the one that holds `first_day`."""

    def __init__(self, project: Project, seed: int, as_of: date, first_day: date) -> None:
        self._project = project
        self._draws = Draws(seed, "jira", VERSION, DRAWN)
        self._today = max(as_of, first_day)
        self._before = sprint(first_day, project.sprint_days) - 1
        self._types = weighting(project.issue_type_rates, as_of)
        self._priorities = weighting(project.priority_rates, as_of)

    def of(self, pr: Shown) -> Event:
        """Return the issue that a pull request makes: the earliest one that names it."""
        data, project = pr.data, self._project
        key = data["jira_key"]
        draw = self._draws.of(project.name, key)
        day = pr.opened.toordinal()
        created = _written(datetime.fromisoformat(data["pr_created_at"]), draw.unit("lead_time"))
        resolved = pr.moment("merged_at") or (None if pr.is_merged else pr.moment("closed_at"))
        number = sprint(resolved.date() if resolved else self._today, project.sprint_days) - self._before
        types = self._types.at(day)
        told = issue_type(data["title"], data["labels"], {name for name, weight in types if weight})
        return Event(
            project=project.name,
            kind="jira_issue",
            key={"team": project.name, "jira_key": key},
            data={
                "jira_id": issue_id(key, project.jira_project_key),
                "summary": summary(data["title"]),
                "issue_type": told or draw.choose("issue_type", types),
                "status": status(pr),
                "priority": draw.choose("priority", self._priorities.at(day)),
                "story_points": f"{points(_effort(pr, draw))}.0",
                "assignee": data["author"],
                "sprint_id": number,
                "sprint_name": f"Sprint {number}",
                "cycle_time_hours": hours(created, resolved),
                "issue_created_at": instant(created),
                "resolved_at": instant(resolved) if resolved else None,
            },
        )


def issue_type(title: str, labels: Iterable[str], possible: Iterable[str]) -> str | None:
    """Return the first of the possible types that labels or title name; None if they name none."""
    text = "\n".join((title, *sorted(labels)))
    return next((name for name, pattern in _TYPES if name in possible and pattern.search(text)), None)


def summary(title: str) -> str:
    """Return what a title says to people, beginning with a capital.

    >>> summary("fix(billing): retry webhooks (#12)"), summary("Sell apples"), summary("fix:")
    ('Retry webhooks', 'Sell apples', 'Fix:')
    """
    text = _KEY_OR_NUMBER.sub("", _PREFIX.sub("", title)) or title
    return (text[:1].upper() + text[1:])[:_SUMMARY]


def issue_id(key: str, own: str) -> str:
    """Return an issue's id, which follows from its key: in order in each project, and no other project's.

    >>> issue_id("ACME-7", "ACME"), issue_id("ACME-07", "ACME"), issue_id("OPS-7", "ACME")
    ('10007', '91075524', '59277026')
    """
    match = _KEY.fullmatch(key)
    head, number = (match[1], int(match[2])) if match else (key, 0)
    return str(_SMALLEST_ID + (_offset(head, own) + number) % _IDS)


@lru_cache(maxsize=4096)
def _offset(head: str, own: str) -> int:
    if head == f"{own}-":
        return 0
    digest = blake2b(f"seedjournal:issue:1\n{head}".encode(), digest_size=8).digest()
    return _FOREIGN + int.from_bytes(digest, "big") % _FOREIGN_PREFIXES


def status(pr: Shown) -> str:
    """Return the issue's status: in review if the pull request has reviews, in progress for a draft or with commits."""
    if pr.is_merged:
        return "Done"
    if pr.data["state"] == "closed":
        return "Won't Do"
    if pr.reviews and not pr.data["is_draft"]:
        return "In Review"
    return "In Progress" if pr.data["is_draft"] or pr.data["commits_count"] else "To Do"


def points(lines: float) -> int:
    """Return story points by lines changed.

    >>> points(49), points(50), points(800)
    (1, 2, 8)
    """
    return next((value for limit, value in _POINTS if lines < limit), _MOST_POINTS)


def sprint(day: date, length: int) -> int:
    """Return the number of the sprint that holds a day, if that which begins on Monday 2024-01-01 is 1.

    >>> sprint(date(2024, 1, 14), 14), sprint(date(2023, 12, 31), 14)
    (1, 0)
    """
    return (day - FIRST_SPRINT).days // length + 1


def _effort(pr: Shown, draw: Draw) -> float:
    """Return a pull request's effort in lines: more for each review and the longer it takes, with noise."""
    rounds = 1 + _BY_ROUND * min(max(0, pr.reviews - 1), _MOST_ROUNDS)
    time = 1 + _BY_TIME * min(pr.hours, _LONG) / _LONG
    return pr.lines * rounds * time * draw.between("points", *_NOISE)


def _written(opened: datetime, unit: float) -> datetime:
    """Return when somebody wrote the issue: in working hours of the week before the opening."""
    room = opened - _BEGINNING
    return between(opened - min(_LONGEST_LEAD, room), opened - min(_SHORTEST_LEAD, room), unit)

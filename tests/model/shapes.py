"""The twelve kinds as plain tables, written by hand: where an entity stands in the target, and what it points to.

Nothing of the product is used here, so that what it does can be compared with what is meant. A *place* is a kind and
its natural key's values in the order in which people give them: `("pull_request", "terns", "invented/terns", 1)`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

Place = tuple[Any, ...]
Data = Mapping[str, Any]


@dataclass(frozen=True)
class Shape:
    """A kind's table and natural key.

    `within` are the columns that point to an entity which the key names, with those of the key's fields that name it;
    `beside` are the columns that point to an entity which the data names, with the field that does.
    """

    table: str
    key: tuple[str, ...]
    within: Mapping[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)
    beside: Mapping[str, tuple[str, str]] = field(default_factory=dict)


_TEAM = {"team_id": ("team", ("team",))}
_CHANGE = ("team", "github_repo", "number")
_OF_CHANGE = {"pull_request_id": ("pull_request", _CHANGE)}
_OF_MEMBER = {"team_member_id": ("team_member", ("team", "login"))}

SHAPES = {  # parents before children
    "team": Shape("teams", ("slug",)),
    "team_member": Shape("team_members", ("team", "login"), _TEAM),
    "pull_request": Shape("pull_requests", _CHANGE, _TEAM, {"author_id": ("team_member", "author")}),
    "pr_review": Shape(
        "pr_reviews", (*_CHANGE, "github_review_id"), _OF_CHANGE, {"reviewer_id": ("team_member", "reviewer")}
    ),
    "commit": Shape(
        "commits",
        ("team", "github_sha"),
        _TEAM,
        {"pull_request_id": ("pull_request", "pull_request"), "author_id": ("team_member", "author")},
    ),
    "pr_file": Shape("pr_files", (*_CHANGE, "filename"), _OF_CHANGE),
    "pr_check_run": Shape(
        "pr_check_runs",
        ("team", "github_check_run_id"),
        _TEAM,
        {"pull_request_id": ("pull_request", "pull_request")},
    ),
    "jira_issue": Shape("jira_issues", ("team", "jira_key"), _TEAM, {"assignee_id": ("team_member", "assignee")}),
    "pr_survey": Shape("pr_surveys", _CHANGE, _OF_CHANGE, {"author_id": ("team_member", "author")}),
    "pr_survey_review": Shape(
        "pr_survey_reviews",
        (*_CHANGE, "reviewer"),
        {"pr_survey_id": ("pr_survey", _CHANGE), "reviewer_id": ("team_member", ("team", "reviewer"))},
    ),
    "ai_usage_daily": Shape("ai_usage_daily", ("team", "login", "date", "source"), _OF_MEMBER),
    "weekly_metrics": Shape("weekly_metrics", ("team", "login", "week_start"), _OF_MEMBER),
}
KINDS = tuple(SHAPES)
# Parts have no rows of their own: their keys, and the columns that they fill in the rows of their wholes.
PARTS = {"member_status": (("team", "login"), "team_members", ("role", "is_active"))}
POLICIES = {
    kind: "upsert" if kind in {"jira_issue", "pr_survey", "pr_survey_review", "ai_usage_daily"} else "once"
    for kind in KINDS
}

_BOOLEANS = frozenset(
    "is_bot is_draft is_revert is_hotfix is_ai_assisted is_ai_review author_ai_assisted ai_guess guess_correct".split()
)
_LISTS = frozenset("labels assignees linked_issues ai_tools_detected ai_co_authors".split())
_PLACES = {
    **dict.fromkeys(
        "cycle_time_hours review_time_hours active_hours acceptance_rate avg_cycle_time_hours avg_review_time_hours "
        "avg_quality_rating guess_accuracy".split(),
        2,
    ),
    **dict.fromkeys(("story_points", "story_points_completed"), 1),
}


def place_of(kind: str, key: Mapping[str, Any]) -> Place:
    """Where an entity with this natural key stands."""
    return (kind, *(key[name] for name in _key_of(kind)))


def key_at(place: Place) -> dict[str, Any]:
    """The natural key at a place."""
    return dict(zip(_key_of(place[0]), place[1:], strict=True))


def _key_of(kind: str) -> tuple[str, ...]:
    return PARTS[kind][0] if kind in PARTS else SHAPES[kind].key


def derived(place: Place) -> int:
    """The id that a row of ours has where no other key has it."""
    key = json.dumps(key_at(place), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    digest = hashlib.sha256(f"seedjournal:id:1\n{place[0]}\n{key}".encode()).digest()
    return int.from_bytes(digest, "big") >> (256 - 53)


def holders(place: Place) -> Iterator[Place]:
    """The entities that the key itself names: an entity is nothing without them."""
    key = key_at(place)
    for kind, names in SHAPES[place[0]].within.values():
        yield (kind, *(key[name] for name in names))


def pointed_to(place: Place, data: Data) -> Iterator[Place]:
    """Every entity that this one points to."""
    yield from holders(place)
    for kind, name in SHAPES[place[0]].beside.values():
        value = data[name]
        if isinstance(value, dict):
            yield (kind, place[1], value["github_repo"], value["number"])
        elif value is not None:
            yield (kind, place[1], value)


def entities(tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[Place, tuple[int, dict[str, Any]]]:
    """Every row of these tables as the entity that it shows, with its id."""
    found: dict[Place, tuple[int, dict[str, Any]]] = {}
    named: dict[str, dict[int, Place]] = {}
    for kind, shape in SHAPES.items():
        named[kind] = {}
        beside = {name for _, table, names in PARTS.values() if table == shape.table for name in names}
        for row in tables.get(shape.table, ()):
            parts = {name: _plain(name, value) for name, value in row.items() if name not in beside}
            number = parts.pop("id")
            for column, (parent, names) in shape.within.items():
                parts.update(zip(names, named[parent][parts.pop(column)][1:], strict=True))
            for column, (parent, name) in shape.beside.items():
                pointer = parts.pop(column)
                parts[name] = None if pointer is None else _told(named[parent][pointer])
            place = (kind, *(parts.pop(name) for name in shape.key))
            assert place not in found, f"two rows of {place}"
            found[place] = (number, {name: value for name, value in parts.items() if name not in shape.key})
            named[kind][number] = place
    return found


def _told(place: Place) -> Any:
    """How data names an entity of the same team."""
    return place[2] if place[0] == "team_member" else {"github_repo": place[2], "number": place[3]}


def _plain(name: str, value: Any) -> Any:
    """A column's value as events tell it, from either make of database."""
    if value is None:
        return None
    if name in _PLACES:
        return f"{Decimal(str(value)):.{_PLACES[name]}f}"
    if name in _BOOLEANS:
        return bool(value)
    if name in _LISTS and isinstance(value, str):
        return json.loads(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else value

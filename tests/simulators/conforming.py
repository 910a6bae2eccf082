"""What every event must be: of the vocabulary, in every field, with all that it points to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from seedjournal.journal import Event, Field, Kind, Type, canonical_key, referred_key
from seedjournal.simulators.engineering.kinds import ENGINEERING
from tests.simulators.acme import stated

KINDS = ENGINEERING.vocabulary

CHOICES = {
    ("member_status", "role"): {"lead", "developer", "admin"},
    ("pull_request", "state"): {"open", "closed", "merged"},
    ("pr_review", "state"): {"approved", "changes_requested", "commented", "dismissed"},
    ("pr_file", "status"): {"added", "modified", "removed", "renamed", "copied"},
    ("pr_file", "file_category"): {"test", "frontend", "backend", "javascript", "docs", "config", "other"},
    ("jira_issue", "issue_type"): {"Bug", "Story", "Improvement", "Task"},
    ("jira_issue", "status"): {"Done", "Won't Do", "To Do", "In Progress", "In Review"},
    ("jira_issue", "priority"): {"Medium", "High", "Low", "Critical"},
    ("ai_usage_daily", "source"): {"copilot", "cursor"},
}
BOUNDS = {"quality_rating": (1, 3), "feedback_clarity": (1, 5), "review_burden": (1, 5)}


def check_value(kind: Kind, field: Field, value: Any) -> None:
    where = (kind.name, field.name, value)
    if value is None:
        assert field.nullable, where
        return
    match field.type:
        case Type.TEXT:
            assert type(value) is str, where
            assert field.size is None or len(value) <= field.size, where
        case Type.INTEGER:
            assert type(value) is int, where
            low, high = BOUNDS.get(field.name, (-(2**31) if field.name == "sprint_id" else 0, 2**53 - 1))
            assert low <= value <= high, where
        case Type.BOOLEAN:
            assert type(value) is bool, where
        case Type.DECIMAL:
            whole = field.precision - field.places
            assert re.fullmatch(rf"(0|[1-9]\d{{0,{whole - 1}}})\.\d{{{field.places}}}", value), where
        case Type.INSTANT:
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z", value), where
            datetime.fromisoformat(value)
        case Type.DATE:
            assert date.fromisoformat(value).isoformat() == value, where
        case Type.JSON:
            assert type(value) is list, where
            assert len(value) == len({(type(one), one) for one in value}), where
            texts = [one for one in value if isinstance(one, str)]
            assert field.name == "linked_issues" or texts == sorted(value), where
    if choices := CHOICES.get((kind.name, field.name)):
        assert value in choices, where


def check_conforms(events: Sequence[Event]) -> None:
    """Every event has exactly its kind's fields, of their types, and points to entities of the same run."""
    present = set(stated(events))
    for event in events:
        kind = KINDS[event.kind]
        assert sorted(event.key) == sorted(kind.key)
        own = {field.name for field in kind.fields} - set(kind.key)
        pointers = {one.name for one in kind.references if set(one.shared) != set(KINDS[one.to].key)}
        assert set(event.data) == own | pointers, event.kind
        for field in kind.fields:
            check_value(kind, field, event.data[field.name] if field.name in own else event.key[field.name])
        for reference in kind.references:
            key = referred_key(KINDS, event, reference)
            assert reference.nullable or key is not None
            if key is not None:
                ordered = {name: key[name] for name in KINDS[reference.to].key}
                assert (reference.to, canonical_key(ordered)) in present, (event.kind, reference.name, key)

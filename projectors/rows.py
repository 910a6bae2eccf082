"""Events to rows: pure, and plain values only, which either database parses by the column's type."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from journal import Content, Json, KeyBytes, Reference, Type, canonical_key, key_of

from .ids import Ids
from .rules import Rule, is_in_key

Row = tuple[Any, ...]


def row_maker(rule: Rule, ids: Ids) -> Callable[[Content], tuple[KeyBytes, Row]]:
    """A function from a kind's event to its key and its row, in the order of the rule's columns."""
    kind = rule.kind
    key_fields = set(kind.key)
    fields = tuple((field.name, field.name in key_fields, field.type is Type.JSON) for field in kind.fields)
    references = tuple(_pointer(rule, reference, ids) for reference in kind.references)

    def make(content: Content) -> tuple[KeyBytes, Row]:
        event = orjson.loads(content.text)
        key, data = event["key"], event["data"]
        key_bytes = key_of(content.text)
        return key_bytes, (
            ids.of(kind.name, key_bytes),
            *[pointer(key, data) for pointer in references],
            *[
                orjson.dumps(data[name]).decode() if is_json else key[name] if in_key else data[name]
                for name, in_key, is_json in fields
            ],
        )

    return make


def _pointer(rule: Rule, reference: Reference, ids: Ids) -> Callable[[dict[str, Any], dict[str, Any]], int | None]:
    """A function from an event's key and data to the id that a reference holds."""
    shared = tuple(reference.shared.items())
    name, to = reference.name, reference.to
    rest = tuple(part for part in rule.vocabulary[to].key if part not in reference.shared)

    def told_by_key(key: dict[str, Any], _: dict[str, Any]) -> int:
        return ids.of(to, canonical_key({theirs: key[ours] for theirs, ours in shared}))

    def told_by_data(key: dict[str, Any], data: dict[str, Json]) -> int | None:
        value: Any = data[name]
        if value is None:
            return None
        parts = {theirs: key[ours] for theirs, ours in shared}
        for part in rest:
            parts[part] = value[part] if isinstance(value, dict) else value
        return ids.of(to, canonical_key(parts))

    return told_by_key if is_in_key(reference, rule.vocabulary) else told_by_data

"""Events to rows: pure, and plain values only, which either database parses by the column's type."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import orjson

from journal import Content, Json, KeyBytes, Reference, Type, canonical_key

from .ids import Ids
from .rules import Rule, is_in_key

Row = tuple[Any, ...]

_REMEMBERED_PARENTS = 4096  # siblings come one after another, members again and again


def row_maker(rule: Rule, ids: Ids) -> Callable[[KeyBytes, Content], Row]:
    """A function from a kind's event, and its key's bytes, to its row in the order of the rule's columns.

    What its parents' ids are must be settled by then.
    """
    kind = rule.kind
    key_fields = set(kind.key)
    fields = tuple((field.name, field.name in key_fields, field.type is Type.JSON) for field in kind.fields)
    references = tuple(_pointer(rule, reference, ids) for reference in kind.references)

    def make(key_bytes: KeyBytes, content: Content) -> Row:
        event = orjson.loads(content.text)
        key, data = event["key"], event["data"]
        return (
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
    ours = tuple(reference.shared.values())
    to = reference.to
    rest = tuple(part for part in rule.vocabulary[to].key if part not in reference.shared)
    names = (*reference.shared, *rest)

    @lru_cache(maxsize=_REMEMBERED_PARENTS)
    def of(*parts: str | int) -> int:
        return ids.of(to, canonical_key(dict(zip(names, parts, strict=True))))

    def told_by_key(key: dict[str, Any], _: dict[str, Any]) -> int:
        return of(*[key[name] for name in ours])

    def told_by_data(key: dict[str, Any], data: dict[str, Json]) -> int | None:
        value: Any = data[reference.name]
        if value is None:
            return None
        return of(*[key[name] for name in ours], *[value[name] if isinstance(value, dict) else value for name in rest])

    return told_by_key if is_in_key(reference, rule.vocabulary) else told_by_data

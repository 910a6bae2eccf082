"""Events to rows: pure, and plain values only, which either database parses by the column's type."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from operator import itemgetter
from typing import Any

import orjson

from seedjournal.journal import Json, KeyBytes, Reference, Type, canonical_key

from .ids import Ids
from .rules import Rule, is_in_key

Row = tuple[Any, ...]

_REMEMBERED_PARENTS = 1 << 15  # entities come in order of their keys, so those of a parent need not be neighbours


def row_maker(rule: Rule, ids: Ids) -> Callable[[str], Row]:
    """A function from the canonical text of a kind's event to its row in the order of the rule's columns.

    What its parents' ids are must be settled by then.
    """
    kind = rule.kind
    fields = _taker(tuple(field.name for field in kind.fields))
    lists = tuple(place for place, field in enumerate(kind.fields) if field.type is Type.JSON)
    references = tuple(_pointer(rule, reference, ids) for reference in kind.references)

    def make(text: str) -> Row:
        event = orjson.loads(text)
        key, data = event["key"], event["data"]
        number = ids.of(kind.name, KeyBytes(orjson.dumps(key)))  # read in canonical order, written in the same
        pointers = [pointer(key, data) for pointer in references]
        data.update(key)
        values = fields(data)
        if lists:
            values = [*values]
            for place in lists:
                values[place] = orjson.dumps(values[place]).decode()
        return (number, *pointers, *values)

    return make


def _pointer(rule: Rule, reference: Reference, ids: Ids) -> Callable[[dict[str, Any], dict[str, Any]], int | None]:
    """A function from an event's key and data to the id that a reference holds."""
    ours = _taker(tuple(reference.shared.values()))
    to = reference.to
    rest = tuple(part for part in rule.vocabulary[to].key if part not in reference.shared)
    names = (*reference.shared, *rest)
    theirs = _taker(rest)

    @lru_cache(maxsize=_REMEMBERED_PARENTS)
    def of(parts: tuple[str | int, ...]) -> int:
        return ids.of(to, canonical_key(dict(zip(names, parts, strict=True))))

    def told_by_key(key: dict[str, Any], _: dict[str, Any]) -> int:
        return of(ours(key))

    def told_by_data(key: dict[str, Any], data: dict[str, Json]) -> int | None:
        value: Any = data[reference.name]
        if value is None:
            return None
        return of(ours(key) + (theirs(value) if isinstance(value, dict) else (value,)))

    return told_by_key if is_in_key(reference, rule.vocabulary) else told_by_data


def _taker(names: tuple[str, ...]) -> Callable[[dict[str, Any]], Any]:
    """A function that takes these values out of a dictionary, as a tuple."""
    if len(names) == 1:
        (name,) = names
        return lambda values: (values[name],)
    return itemgetter(*names) if names else lambda _: ()

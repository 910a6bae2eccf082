"""Events to rows, and keys to ids: pure, and plain values only, which either database parses by the column's type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from operator import itemgetter
from typing import Any

import orjson

from seedjournal.journal import Damaged, KeyBytes, Kind, Reference, Type, canonical_key

from .layout import TableMap, is_in_key, moved
from .notes import Adopted

Row = tuple[Any, ...]
Pointer = Callable[[dict[str, Any], dict[str, Any]], Any]  # from an event's key and data to what a column holds

ID_TAG = b"seedjournal:id:1\n"
BITS = 53
_BYTES = 7
_REMEMBERED_PARENTS = 1 << 15  # entities come in order of their keys, so those of a parent need not be neighbours


def derived_id(kind: str, key: KeyBytes) -> int:
    """Derive a key's id: the first 53 bits of a hash, which JavaScript and JSON hold exactly.

    It is the same in every database and after every rebuild.
    """
    digest = sha256(b"%b%b\n%b" % (ID_TAG, kind.encode(), key)).digest()
    return int.from_bytes(digest[:_BYTES], "big") >> (_BYTES * 8 - BITS)


@dataclass(slots=True)
class Ids:
    """The ids that a project's rows have in one target: derived, but for those of adopted rows."""

    adopted: Adopted = field(default_factory=dict)
    _adopted_at_first: Adopted = field(init=False)

    def __post_init__(self) -> None:
        """Remember which rows were adopted when a projection began."""
        self._adopted_at_first = dict(self.adopted)

    def at_first(self) -> Ids:
        """Return the ids that the target's rows had when a projection began."""
        return Ids(self._adopted_at_first)

    def of(self, kind: str, key: KeyBytes) -> int:
        """Return the id under which children point to the entity."""
        if self.adopted:
            known = self.adopted.get((kind, key))
            if known is not None:
                return known
        return derived_id(kind, key)

    def is_adopted(self, kind: str, key: KeyBytes) -> bool:
        """Say whether the entity's row is somebody else's."""
        return (kind, key) in self.adopted

    def has_adopted(self, kind: str) -> bool:
        """Say whether any row of the kind is somebody else's."""
        return any(of == kind for of, _ in self.adopted)


def row_maker(mapped: TableMap, ids: Ids) -> Callable[[str], Row]:
    """Return a function from the canonical text of a kind's event to its row in the order of the map's columns.

    Its parents' rows must be adopted by then, if they will be. The function raises Damaged for a text that is none.
    """
    kind = mapped.kind
    fields = taker(tuple(one.name for one in kind.fields))
    dates = tuple(place for place, one in enumerate(kind.fields) if one.name in mapped.moving)
    lists = tuple(place for place, one in enumerate(kind.fields) if one.type is Type.JSON)
    pointers = tuple(one for reference in mapped.pointers for one in _pointers(mapped, reference, ids))
    of_whole = _to_whole(mapped, ids)

    def make(text: str) -> Row:
        try:
            return row_of(text)
        except (KeyError, TypeError, ValueError) as error:
            raise Damaged(f"An event of kind {kind.name} cannot be read: {error!r}") from None

    def row_of(text: str) -> Row:
        event = orjson.loads(text)
        key, data = event["key"], event["data"]
        # A key is read in canonical order, and written in the same.
        number = of_whole(key, data) if of_whole else ids.of(kind.name, KeyBytes(orjson.dumps(key)))
        held = [pointer(key, data) for pointer in pointers]
        data.update(key)
        values = fields(data)
        if lists or dates:
            values = [*values]
            for place in lists:
                values[place] = orjson.dumps(values[place]).decode()
            for place in dates:
                if values[place] is not None:
                    values[place] = moved(values[place], mapped.days)
        return (number, *held, *values)

    return make


def _to_whole(mapped: TableMap, ids: Ids) -> Pointer | None:
    """Return for a part the function that finds the id of its row."""
    if not mapped.whole:
        return None
    (reference,) = (one for one in mapped.kind.references if one not in mapped.pointers)
    return _pointer(mapped, reference, ids)


def _pointers(mapped: TableMap, reference: Reference, ids: Ids) -> tuple[Pointer, ...]:
    """Return a function for each of the columns that hold a reference; of a generic one these are kind and id."""
    if not reference.also:
        return (_pointer(mapped, reference, ids),)

    def kind(_: dict[str, Any], data: dict[str, Any]) -> str | None:
        value = data[reference.name]
        return None if value is None else value["kind"]

    def number(_: dict[str, Any], data: dict[str, Any]) -> int | None:
        value = data[reference.name]
        return None if value is None else ids.of(value["kind"], canonical_key(value["key"]))

    return kind, number


def _pointer(mapped: TableMap, reference: Reference, ids: Ids) -> Pointer:
    """Return a function from an event's key and data to the id that a reference holds."""
    told_by = None if is_in_key(reference, mapped.vocabulary) else reference.name
    return pointer_to(mapped.vocabulary[reference.to], reference.shared, told_by, ids.of)


def pointer_to(
    to: Kind, shared: Mapping[str, str], told_by: str | None, id_of: Callable[[str, KeyBytes], Any]
) -> Pointer:
    """Return a function from an event's key and data to the id of an entity that the event tells.

    `shared` maps parts of the entity's key to parts of the event's. What the data has under `told_by` tells the others;
    without it, the event's key tells all.
    """
    rest = tuple(part for part in to.key if part not in shared)
    names = (*shared, *rest)
    ours, theirs = taker(tuple(shared.values())), taker(rest)

    @lru_cache(maxsize=_REMEMBERED_PARENTS)
    def of(parts: tuple[str | int, ...]) -> Any:
        return id_of(to.name, canonical_key(dict(zip(names, parts, strict=True))))

    if told_by is None:
        return lambda key, _: of(ours(key))

    def told_by_data(key: dict[str, Any], data: dict[str, Any]) -> Any:
        value = data[told_by]
        if value is None:
            return None
        return of(ours(key) + (theirs(value) if isinstance(value, dict) else (value,)))

    return told_by_data


def taker(names: tuple[str, ...]) -> Callable[[dict[str, Any]], Any]:
    """Return a function that takes these values out of a dictionary, as a tuple."""
    if len(names) == 1:
        (name,) = names
        return lambda values: (values[name],)
    return itemgetter(*names) if names else lambda _: ()

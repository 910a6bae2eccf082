"""Raw rows: what an event says, with the ids of its own entity and of those that it refers to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Connection, or_, select

from seedjournal.journal import KeyBytes, Type, canonical_key

from ..layout import moved
from ..mapping import DATABASE, DERIVED, KEY, PARENT, FieldValue, Path
from ..notes import ADOPTED, LEDGER
from ..rows import ID_TAG, Pointer, derived_id, pointer_to, taker
from .kinds import FittedMap, MappedKind


def derived_uuid(kind: str, key: KeyBytes) -> str:
    """Derive a key's id as a UUID of version 8."""
    digest = bytearray(sha256(b"%b%b\n%b" % (ID_TAG, kind.encode(), key)).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x80
    digest[8] = digest[8] & 0x3F | 0x80
    return str(UUID(bytes=bytes(digest)))


@dataclass(slots=True)
class EntityIds:
    """The ids of entities: derived or told by their key, but for those that the ledger has."""

    connection: Connection
    fitted: FittedMap
    known: dict[tuple[str, bytes], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Read what the ledger has of all kinds."""
        self.load(*self.fitted.maps)

    def load(self, *kinds: str) -> None:
        """Read what the ledger has of kinds: rows that their owners made, and ids that the database gave."""
        given = [kind for kind in kinds if self.fitted.maps[kind].scheme == DATABASE]
        query = select(LEDGER.c.kind, LEDGER.c.key, LEDGER.c.id).where(LEDGER.c.kind.in_(kinds))
        query = query.where(or_(LEDGER.c.why == ADOPTED, LEDGER.c.kind.in_(given)))
        self.known = {known: id_ for known, id_ in self.known.items() if known[0] not in kinds}
        self.known.update({(kind, key.encode()): id_ for kind, key, id_ in self.connection.execute(query)})

    def finder(self, kind: str) -> Callable[[KeyBytes], Any]:
        """Return a function from keys of a kind to ids."""
        mapped = self.fitted.maps[kind]
        if mapped.scheme == DERIVED and mapped.has_whole_numbers and not self.known:
            return partial(derived_id, kind)
        return partial(self.of, kind)

    def of(self, kind: str, key: KeyBytes) -> Any:
        """Return an entity's id; None where the database has not given it one."""
        if self.known and (given := self.known.get((kind, key))) is not None:
            return given
        mapped = self.fitted.maps[kind]
        if mapped.scheme == DERIVED and mapped.has_whole_numbers:
            return derived_id(kind, key)
        if mapped.is_part:
            return self.of(mapped.kind.part_of or "", self._key_of_owner(mapped, key))
        if mapped.scheme == DERIVED:
            return self._derived(mapped, key)
        if mapped.scheme in {KEY, PARENT} and len(mapped.identity) == 1:
            return self._told(mapped, key)
        return None

    def _derived(self, mapped: MappedKind, key: KeyBytes) -> Any:
        info = mapped.info.columns[mapped.identity[0]]
        made = derived_uuid(mapped.kind.name, key)
        return made.replace("-", "") if "32" in info.type else made

    def _told(self, mapped: MappedKind, key: KeyBytes) -> Any:
        """Return the id that is itself a part of the key, or another entity's id."""
        value = next(one.value for one in mapped.columns if one.name == mapped.identity[0])
        parts = orjson.loads(key)
        if isinstance(value, FieldValue):
            return parts.get(value.name)
        name = getattr(value, "name", None)
        path = mapped.paths.get(name) if name else None
        if path is None or path.reference is not None:
            return None
        return self.of(path.to, canonical_key({theirs: parts[ours] for theirs, ours in path.shared.items()}))

    def _key_of_owner(self, mapped: MappedKind, key: KeyBytes) -> KeyBytes:
        parts = orjson.loads(key)
        reference = next(one for one in mapped.kind.references if one.to == mapped.kind.part_of)
        return canonical_key({theirs: parts[ours] for theirs, ours in reference.shared.items()})


def raw_maker(mapped: MappedKind, ids: EntityIds, days: int = 0) -> Callable[[str], tuple[Any, ...]]:
    """Return a function from an event's text to its raw row: key, id, fields, ids of other entities, their kinds."""
    inputs, generics = mapped.inputs, mapped.generics
    fields = {one.name: one for one in mapped.kind.fields}
    take = taker(inputs)
    lists = [place for place, name in enumerate(inputs) if fields[name].type is Type.JSON]
    dates = [place for place, name in enumerate(inputs) if days and fields[name].moves]
    pointers = [_pointer(mapped.paths[name], ids) for name in mapped.refs]
    id_of = ids.finder(mapped.kind.name) if mapped.gives_ids or mapped.is_part else lambda _: None

    def make(text: str) -> tuple[Any, ...]:
        event = orjson.loads(text)
        key, data = event["key"], event["data"]
        bytes_ = KeyBytes(orjson.dumps(key))
        held = [pointer(key, data) for pointer in pointers]
        kinds = [(data[name] or {}).get("kind") for name in generics]
        data.update(key)
        values = take(data)
        if lists or dates:
            values = [*values]
            for place in lists:
                if values[place] is not None:
                    values[place] = orjson.dumps(values[place]).decode()
            for place in dates:
                if values[place] is not None:
                    values[place] = moved(values[place], days)
        return (bytes_.decode(), id_of(bytes_), *values, *held, *kinds)

    return make


def _pointer(path: Path, ids: EntityIds) -> Pointer:
    """Return a function from an event's key and data to another entity's id."""
    reference = path.reference
    if reference is None or not reference.also:
        told_by = reference.name if reference else None
        return pointer_to(ids.fitted.vocabulary[path.to], path.shared, told_by, ids.of)
    name = reference.name

    def of_any(_: dict[str, Any], data: dict[str, Any]) -> Any:
        value = data[name]
        if value is None or value["kind"] not in ids.fitted.maps:
            return None
        return ids.of(value["kind"], canonical_key(value["key"]))

    return of_any

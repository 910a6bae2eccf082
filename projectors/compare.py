"""Comparing tables as they are with the state that a projection would bring: rows and fields, edits by others too."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import Connection, select

from seedjournal.journal import (
    EntityChange,
    Field,
    KeyBytes,
    Reference,
    Run,
    Subtree,
    Type,
    batched,
    changes,
    decode,
    read_manifest,
)

from . import notes
from .dialects import dialect_of
from .layout import (
    Layout,
    TableMap,
    foreign_key,
    is_in_key,
    key_from_row,
    kind_column,
    kinds_led_to,
    layout_of,
    moved,
    pointer_columns,
    refuse_others_rows,
)
from .parts import unseen_parts
from .rows import Ids, row_maker
from .stage import Stage
from .writing import UnseenRows

if TYPE_CHECKING:
    from .mapping import Tables

_PIECE = 10_000


def compare_target(
    source: Connection, target: Connection, layout: Layout | Tables, run: Run, kinds: Collection[str] | None = None
) -> Iterator[EntityChange]:
    """Yield what separates a project's rows from a run's state: added and changed are what a projection would write.

    Removed are rows of the project that the state does not have. Dates are those of the events.
    """
    if not isinstance(layout, Layout):
        from .mapped import compare, fit

        yield from compare(source, target, fit(target, layout, "the target"), run, kinds)
        return
    dialect_of(target).see_all_rows()
    layout = layout_of(source, run, layout)
    refuse_others_rows(target, layout)
    state, ids = read_manifest(source, run.state), Ids(notes.adopted(target, run.project))
    position = notes.position(target, run.project)
    layout = layout.moved(position.days if position else 0)
    for kind, mapped in layout.maps_of(run.project).items():
        if kinds is None or kind in kinds:
            yield from _compare_kind(source, target, layout, mapped, run.project, ids, state.kinds.get(kind))


def _compare_kind(
    source: Connection,
    target: Connection,
    layout: Layout,
    mapped: TableMap,
    project: str,
    ids: Ids,
    subtree: Subtree | None,
) -> Iterator[EntityChange]:
    kind, make = mapped.kind.name, row_maker(mapped, ids)
    stage, unseen = Stage(target, layout, mapped), UnseenRows(target, layout, mapped)
    for piece in batched(changes(source, None, subtree.top if subtree else None), _PIECE):
        texts = [one.now.text for one in piece if one.now]
        stage.fill([make(text) for text in texts])
        stage.take_ids_of_rows()
        unseen.see(stage.ids())
        missing, differing = set(stage.places_without_row()), dict(stage.differences())
        numbers = dict(zip(sorted(differing), stage.ids(sorted(differing)), strict=True))
        rows = _rows_as_events(target, layout, mapped, list(numbers.values()))
        for place in sorted(missing | differing.keys()):
            key, now = orjson.loads(piece[place].key), dict(decode(texts[place]).data)
            if place in missing:
                fields: dict[str, tuple[Any, Any]] = {name: (None, value) for name, value in now.items()}
            else:
                row = {**key, **rows[numbers[place]]}
                fields = {name: (row.get(name), now.get(name)) for name in _names(mapped, differing[place])}
            yield EntityChange(kind=kind, key=key, change="added" if place in missing else "changed", fields=fields)
    beyond = unseen_parts(target, layout, mapped, project, ids) if mapped.whole else unseen.all(project)
    for batch in batched(sorted(beyond.items()), _PIECE):
        rows = _rows_as_events(target, layout, mapped, [number for _, number in batch])
        for key_bytes, number in batch:
            fields = {name: (value, None) for name, value in rows[number].items()}
            yield EntityChange(kind=kind, key=orjson.loads(key_bytes), change="removed", fields=fields)
    stage.drop()
    unseen.drop()


def _names(mapped: TableMap, columns: Sequence[str]) -> list[str]:
    """Name the fields and references that columns hold, as events name them."""
    references = {column: one.name for one in mapped.pointers for column in pointer_columns(one)}
    return list(dict.fromkeys(references.get(name, name) for name in columns))


def _rows_as_events(
    target: Connection, layout: Layout, mapped: TableMap, ids: Sequence[int]
) -> dict[int, dict[str, Any]]:
    """Return the data of these rows, by id, as events write it."""
    if not ids:
        return {}
    table = mapped.table
    found = target.execute(select(table).where(dialect_of(target).among(table.c.id, ids))).mappings().all()
    fields = {one.name: one for one in mapped.kind.fields if one.name not in mapped.kind.key}
    data = {row["id"]: {name: _as_event(row[name], field) for name, field in fields.items()} for row in found}
    for name in mapped.moving & fields.keys():
        for one in data.values():
            one[name] = None if one[name] is None else moved(one[name], -mapped.days)
    for reference in mapped.pointers:
        if is_in_key(reference, mapped.vocabulary):
            continue
        column, kinds = foreign_key(reference), kinds_led_to(reference)
        for kind in kinds:
            meant = [row for row in found if not reference.also or row[kind_column(reference)] == kind]
            keys = _keys(target, layout, layout[kind], {row[column] for row in meant} - {None})
            for row in meant:
                data[row["id"]][reference.name] = _as_reference(reference, kind, keys.get(row[column]))
    return data


def _keys(target: Connection, layout: Layout, mapped: TableMap, ids: Collection[int]) -> dict[int, KeyBytes]:
    query, parts = layout.natural_keys(mapped)
    query = query.where(dialect_of(target).among(mapped.table.c.id, list(ids)))
    return {number: key_from_row(mapped, parts, values) for number, *values in target.execute(query)} if ids else {}


def _as_reference(reference: Reference, kind: str, key: KeyBytes | None) -> Any:
    """Return what an event says of the entity: the parts of its key that the event's own key does not have."""
    if key is None:
        return None
    parts: Mapping[str, Any] = orjson.loads(key)
    if reference.also:
        return {"kind": kind, "key": parts}
    rest = {name: value for name, value in parts.items() if name not in reference.shared}
    return next(iter(rest.values())) if len(rest) == 1 else rest


def _as_event(value: Any, field: Field) -> Any:
    if value is None:
        return None
    match field.type:
        case Type.DECIMAL:
            return f"{Decimal(str(value)):.{field.places}f}"
        case Type.INSTANT if isinstance(value, datetime):
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case Type.DATE if isinstance(value, date):
            return value.isoformat()
        case _:
            return value

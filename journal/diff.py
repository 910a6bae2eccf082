"""The difference of two runs, entity by entity and field by field."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection

from .changes import Change, changes
from .event import decode, differing_fields
from .runs import Run, all_runs
from .store.contents import read_manifest

CHANGES = ("added", "removed", "changed")


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityChange:
    """One entity that two runs state differently; `fields` maps each differing field to (old, new)."""

    kind: str
    key: dict[str, str | int]
    change: str
    fields: dict[str, tuple[Any, Any]]


def compare(connection: Connection, old: Run, new: Run, kinds: Collection[str] | None = None) -> Iterator[EntityChange]:
    """Every entity that differs, by kind and natural key; equal subtrees are never read."""
    before, now = read_manifest(connection, old.root).kinds, read_manifest(connection, new.root).kinds
    for kind in sorted(before.keys() | now.keys()):
        if kinds is not None and kind not in kinds:
            continue
        top_before, top_now = before.get(kind), now.get(kind)
        for change in changes(connection, top_before.top if top_before else None, top_now.top if top_now else None):
            yield _describe(kind, change)


def last_different(connection: Connection, project: str) -> tuple[Run, Run] | None:
    """The project's last two neighbouring runs whose roots differ."""
    runs = all_runs(connection, project)
    for old, new in zip(reversed(runs[:-1]), reversed(runs[1:]), strict=True):
        if old.root != new.root:
            return old, new
    return None


def _describe(kind: str, change: Change) -> EntityChange:
    before, now = (decode(one.text) if one else None for one in (change.before, change.now))
    old, new = (dict(before.data) if before else {}), (dict(now.data) if now else {})
    return EntityChange(
        kind=kind,
        key=orjson.loads(change.key),
        change="added" if before is None else "removed" if now is None else "changed",
        fields={name: (old.get(name), new.get(name)) for name in differing_fields(old, new)},
    )

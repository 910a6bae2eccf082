"""What people see of differences: between two runs, and of one entity over all runs."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import Connection

from .changes import Change, changes
from .event import KeyBytes, decode, differing_fields
from .manifest import EventId, NodeHash, difference
from .runs import Run, all_runs
from .store.contents import Content, events_of_key, node_reader, provenance, read_manifest

CHANGES = ("added", "removed", "changed")


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityChange:
    """One entity that two runs state differently; `fields` maps each differing field to (old, new)."""

    kind: str
    key: dict[str, str | int]
    change: str
    fields: dict[str, tuple[Any, Any]]


def compare(connection: Connection, old: Run, new: Run, kinds: Collection[str] | None = None) -> Iterator[EntityChange]:
    """Yield every entity that differs, by kind and natural key; equal subtrees are never read."""
    before, now = read_manifest(connection, old.root).kinds, read_manifest(connection, new.root).kinds
    for kind in sorted(before.keys() | now.keys()):
        if kinds is not None and kind not in kinds:
            continue
        top_before, top_now = before.get(kind), now.get(kind)
        for change in changes(connection, top_before.top if top_before else None, top_now.top if top_now else None):
            yield _describe(kind, change)


def last_different(connection: Connection, project: str) -> tuple[Run, Run] | None:
    """Return the project's last two neighbouring runs whose roots differ."""
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


@dataclass(slots=True)
class Stated:
    """One content of an entity: the runs that have it, and the runs after which the state has it."""

    project: str
    content: Content
    provenance: str
    runs: list[Run] = field(default_factory=list)
    in_state_of: list[Run] = field(default_factory=list)


def history(connection: Connection, kind: str, key: KeyBytes) -> list[Stated]:
    """Return every content that the entity had in a run, in the order of first appearance.

    Reads the first manifest of each project once, and of every later one only what it changed.
    """
    candidates = {content.id: content for content in events_of_key(connection, kind, key)}
    found: dict[EventId, Stated] = {}
    tops: dict[tuple[str, bool], NodeHash | None] = {}
    held: dict[tuple[str, bool], set[EventId]] = {}
    for run in all_runs(connection):
        for is_state, root in ((False, run.root), (True, run.state)):
            line = (run.project, is_state)
            subtree = read_manifest(connection, root).kinds.get(kind)
            top = subtree.top if subtree else None
            removed, added = difference(tops.get(line), top, node_reader(connection))
            here = held.setdefault(line, set())
            here.difference_update(event for leaf in removed for event in leaf)
            here.update(event for leaf in added for event in leaf if event in candidates)
            tops[line] = top
            for event in here:
                stated = found.setdefault(event, Stated(run.project, candidates[event], provenance(connection, event)))
                (stated.in_state_of if is_state else stated.runs).append(run)
    return list(found.values())

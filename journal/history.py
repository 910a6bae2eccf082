"""One entity over a journal's runs: which contents it had, when, and what made them."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import Connection

from .event import KeyBytes
from .manifest import EventId, NodeHash, difference
from .runs import Run, all_runs
from .store.contents import Content, events_of_key, node_reader, provenance, read_manifest


@dataclass(slots=True)
class Stated:
    """One content of an entity: the runs that state it, and those after which it stands."""

    project: str
    content: Content
    provenance: str
    runs: list[Run] = field(default_factory=list)
    in_state_of: list[Run] = field(default_factory=list)


def history(connection: Connection, kind: str, key: KeyBytes) -> list[Stated]:
    """Every content of the entity that some run states, in the order in which they first appeared.

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

"""Forgetting: runs go, and with them the events and nodes that no remaining run needs.

What stays is marked by walking the remaining runs' manifests and states; the marks are tables of the transaction's own,
so that neither the journal's size nor the number of its runs is held in memory.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    MetaData,
    Table,
    delete,
    exists,
    func,
    select,
)

from .errors import Damaged, Misuse, Unavailable
from .manifest import LEAF, ROOT, read_root
from .runs import Forgotten, RunNumber, add_forgotten, all_runs, user_at_host
from .store.contents import HASH_SIZE, last_event_id, unpack_ids
from .store.dialects import dialect_of
from .store.pointers import pointers_to
from .tables import EVENTS, KINDS, NODES, RUNS

_NODES_AT_ONCE = 1_000

_MARKS = MetaData()
_KEPT_NODES = Table(
    "seedjournal_kept_nodes", _MARKS, Column("hash", NODES.c.hash.type, primary_key=True), prefixes=["TEMPORARY"]
)
# An event can be in several leaves, and is here as often.
_KEPT_EVENTS = Table(
    "seedjournal_kept_events", _MARKS, Column("id", EVENTS.c.id.type, index=True), prefixes=["TEMPORARY"]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgettable:
    """What `forget` would remove: run numbers by project, and the number of events and nodes that go with them.

    `octets` counts the bytes of their content, without what a database keeps around it.
    """

    runs: Mapping[str, list[int]]
    events: int = 0
    nodes: int = 0
    octets: int = 0


def runs_before_newest(connection: Connection, keep: int, projects: Collection[str] | None) -> dict[str, list[int]]:
    """Return the runs to forget if only the newest `keep` of each project stay; `projects` None means all projects.

    Raise Misuse for a negative number.
    """
    if keep < 0:
        raise Misuse(f"Cannot keep {keep} runs.", "Say how many of each project's newest runs stay: 0 or more.")
    numbers: dict[str, list[int]] = {}
    for project, number in connection.execute(select(RUNS.c.project, RUNS.c.run).order_by(RUNS.c.project, RUNS.c.run)):
        if projects is None or project in projects:
            numbers.setdefault(project, []).append(number)
    return {project: runs[: len(runs) - keep] for project, runs in numbers.items() if len(runs) > keep}


def measure(connection: Connection, runs: Mapping[str, list[int]]) -> Forgettable:
    """Return what would go with these runs, and change nothing."""
    if not runs:
        return Forgettable(runs={})
    _mark(connection, [number for numbers in runs.values() for number in numbers])
    _refuse_held(connection, runs)
    weight = _weigh(connection, runs)
    _MARKS.drop_all(connection, checkfirst=False)
    return weight


def forget(connection: Connection, runs: Mapping[str, list[int]]) -> Forgettable:
    """Remove these runs from the journal, and all that only they need; return what was removed.

    Needs the write lock. The removed numbers and ids are never used again. Raise Unavailable if this user does not own
    the tables, and Damaged if a remaining run names an event or node that is not there.
    """
    if not runs:
        return Forgettable(runs={})
    numbers = [number for of_project in runs.values() for number in of_project]
    _mark(connection, numbers)
    _refuse_held(connection, runs)
    gone = _weigh(connection, runs)
    gone_for_good = [
        Forgotten(
            run=RunNumber(number),
            project=project,
            forgotten_at=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            forgotten_by=user_at_host(),
            last_event=last_event_id(connection),
        )
        for project, of_project in runs.items()
        for number in of_project
    ]
    with dialect_of(connection).changeable(connection, [RUNS, KINDS, NODES, EVENTS]):
        connection.execute(delete(RUNS).where(dialect_of(connection).among(RUNS.c.run, numbers)))
        named = {bytes.fromhex(one.inputs["kinds"]) for one in all_runs(connection) if "kinds" in one.inputs}
        connection.execute(delete(KINDS).where(KINDS.c.hash.not_in(sorted(named))))
        connection.execute(delete(NODES).where(_unmarked_node()))
        connection.execute(delete(EVENTS).where(_unmarked_event()))
    add_forgotten(connection, gone_for_good)
    _MARKS.drop_all(connection, checkfirst=False)
    return gone


def _refuse_held(connection: Connection, runs: Mapping[str, list[int]]) -> None:
    """Raise Unavailable where somebody's row refers to one that would go, whatever its foreign key says of deletions.

    The rows are locked first: whoever is about to refer to one has either committed and is seen, or finds it gone.
    """
    numbers = [number for of_project in runs.values() for number in of_project]
    going = {
        RUNS: dialect_of(connection).among(RUNS.c.run, numbers),
        NODES: _unmarked_node(),
        EVENTS: _unmarked_event(),
    }
    for table, goes in going.items():
        for pointer in pointers_to(connection, table):
            going_rows = select(*table.primary_key.columns).where(goes)
            connection.execute(going_rows.with_for_update()).all()
            if connection.execute(going_rows.where(pointer.points_to(table)).limit(1)).first():
                raise Unavailable(
                    f"Rows of table {pointer.table} refer to rows of {table.name} that would be forgotten; nothing was "
                    "forgotten.",
                    "Delete those rows, or keep these runs.",
                )


def _mark(connection: Connection, gone: Sequence[int]) -> None:
    """Note every node and event that the manifest or state of a remaining run reaches."""
    _MARKS.create_all(connection, checkfirst=False)
    stays = ~dialect_of(connection).among(RUNS.c.run, gone)
    waiting = set(connection.execute(select(RUNS.c.root).where(stays)).scalars())
    waiting |= set(connection.execute(select(RUNS.c.state).where(stays)).scalars())
    stack = [bytes(root) for root in waiting]
    while stack:
        batch = set(stack[-_NODES_AT_ONCE:])
        del stack[-_NODES_AT_ONCE:]
        known = select(_KEPT_NODES.c.hash).where(dialect_of(connection).among(_KEPT_NODES.c.hash, list(batch)))
        batch.difference_update(bytes(hashed) for hashed in connection.execute(known).scalars())
        if batch:
            stack += _mark_nodes(connection, list(batch))


def _mark_nodes(connection: Connection, hashes: list[bytes]) -> list[bytes]:
    """Note these nodes, the events of the leaves among them, and all nodes below the inner ones."""
    below: list[bytes] = []
    events: list[tuple[int]] = []
    for level, payload in _payloads(connection, hashes):
        if level == LEAF:
            events += [(number,) for number in unpack_ids(payload)]
        elif level == ROOT:
            below += [subtree.top for subtree in read_root(payload).kinds.values()]
        else:
            below += [payload[at : at + HASH_SIZE] for at in range(0, len(payload), HASH_SIZE)]
    insert_rows = dialect_of(connection).insert_rows
    insert_rows(connection, _KEPT_NODES, ("hash",), [(hashed,) for hashed in hashes])
    insert_rows(connection, _KEPT_EVENTS, ("id",), sorted(events))
    return below


def _payloads(connection: Connection, hashes: list[bytes]) -> list[tuple[int, bytes]]:
    """Return level and payload of these nodes, in any order; raise Damaged where one is not there."""
    query = select(NODES.c.hash, NODES.c.level, NODES.c.payload)
    rows = connection.execute(query.where(dialect_of(connection).among(NODES.c.hash, hashes))).all()
    if missing := set(hashes).difference(bytes(hashed) for hashed, *_ in rows):
        raise Damaged(
            f"Nothing was forgotten: a run that would stay refers to node {min(missing).hex()[:12]}, which the "
            "journal does not hold."
        )
    return [(level, bytes(payload)) for _, level, payload in rows]


def _weigh(connection: Connection, runs: Mapping[str, list[int]]) -> Forgettable:
    """Return how many rows are not marked."""
    octets = dialect_of(connection).octets
    sizes = {
        EVENTS: (octets(EVENTS.c.hash) + octets(EVENTS.c.event) + octets(EVENTS.c.provenance), _unmarked_event()),
        NODES: (octets(NODES.c.hash) + octets(NODES.c.payload), _unmarked_node()),
    }
    (events, its), (nodes, theirs) = (
        connection.execute(
            select(func.count(), func.coalesce(func.sum(size), 0)).select_from(table).where(unmarked)
        ).one()
        for table, (size, unmarked) in sizes.items()
    )
    return Forgettable(runs=runs, events=events, nodes=nodes, octets=int(its) + int(theirs))


def _unmarked_event() -> ColumnElement[bool]:
    return ~exists().where(_KEPT_EVENTS.c.id == EVENTS.c.id)


def _unmarked_node() -> ColumnElement[bool]:
    return ~exists().where(_KEPT_NODES.c.hash == NODES.c.hash)

"""The journal's queries: one named function each. The caller owns the transaction."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import ColumnElement, Connection, func, select
from sqlalchemy import text as sql_text
from sqlalchemy.exc import SQLAlchemyError

from ..errors import BadInput, Damaged
from ..event import EventHash, KeyBytes
from ..manifest import (
    LEAF,
    ROOT,
    EventId,
    Node,
    NodeHash,
    ReadNodes,
    Root,
    StoredNode,
    batched,
    read_root,
    root_text,
)
from ..tables import EVENTS, FORGOTTEN, JOURNAL, NODES
from .dialects import dialect_of

Found = TypeVar("Found")

_PROBE = 10_000
_DENSE = 1.5  # ids of which so many in one are wanted are read as a range
HASH_SIZE = 32
_SEVEN_BITS = 0x7F
_LARGEST_ID = 2**63 - 1


class Content(NamedTuple):
    """An event as the journal holds it."""

    id: EventId
    hash: EventHash
    text: str


_A_PARAMETER = re.compile(r"(?<![:\w\\]):(?=\w)")  # what SQLAlchemy would take for one, in the midst of a text too


def query_rows(connection: Connection, statement: str, at_once: int) -> Iterator[dict[str, Any]]:
    """Yield the rows of a user's query by column name, in the order that the query gives them; BadInput if it fails."""
    try:
        plain = sql_text(_A_PARAMETER.sub(r"\\:", statement))
        with connection.execution_options(yield_per=at_once).execute(plain) as result:
            names = list(result.keys())
            if len(set(names)) < len(names):
                twice = next(name for name in names if names.count(name) > 1)
                raise BadInput(
                    f"The query {statement.strip()[:80]!r} gives two columns named {twice!r}.",
                    "Give one of them another name with AS.",
                )
            for row in result.mappings():
                yield dict(row)
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
        raise BadInput(
            f"The query {statement.strip()[:80]!r} failed: {reason.rstrip('.')}.", "Correct the query."
        ) from None


def journal_id(connection: Connection) -> str:
    """Return the random id that this journal was given when it was made."""
    names = [str(name) for name in connection.execute(select(JOURNAL.c.id)).scalars()]
    if len(names) != 1:
        raise Damaged(f"The journal is damaged: {several_journals(names)}.")
    return names[0]


def several_journals(names: Sequence[str]) -> str:
    """Say what is wrong where the journal's own table has no row, or more than one."""
    return f"there should be one row, not {len(names)}" + (
        f" ({', '.join(sorted(names))}): rows of two journals were put into one database, as by a restore of the data "
        "alone; delete the row of the journal that `migrate` had made"
        if names
        else ""
    )


def journal_seal(name: str, created_at: str) -> bytes:
    """Return SHA-256 over a journal's own row; its migration writes the same."""
    return hashlib.sha256(f"seedjournal:journal:1\n{name}\n{created_at}".encode(errors="replace")).digest()


def contents(connection: Connection, ids: Sequence[EventId]) -> list[Content]:
    """Return these events in this order; raise Damaged for one that is not there."""
    found: dict[int, Content] = {}
    for batch in batched(ids, _PROBE):
        query = select(EVENTS.c.id, EVENTS.c.hash, EVENTS.c.event).where(_among_ids(connection, batch))
        for number, hashed, text in connection.execute(query).all():
            found[number] = Content(EventId(number), EventHash(bytes(hashed)), text)
    return _in_order(found, ids)


def texts(connection: Connection, ids: Sequence[EventId]) -> list[str]:
    """Return the canonical texts of these events in this order; raise Damaged for one that is not there."""
    found: dict[int, str] = {}
    for batch in batched(ids, _PROBE):
        query = select(EVENTS.c.id, EVENTS.c.event).where(_among_ids(connection, batch))
        found.update((number, text) for number, text in connection.execute(query).all())
    return _in_order(found, ids)


def _among_ids(connection: Connection, ids: Sequence[EventId]) -> ColumnElement[bool]:
    """Return a condition for events with these ids, and few others: events appended together have neighbouring ids."""
    first, last = min(ids), max(ids)
    if last - first < _DENSE * len(ids):
        return EVENTS.c.id.between(first, last)
    return dialect_of(connection).among(EVENTS.c.id, ids)


def _in_order(found: Mapping[int, Found], ids: Sequence[EventId]) -> list[Found]:
    try:
        return [found[number] for number in ids]
    except KeyError as error:
        raise Damaged(f"A manifest refers to event {error.args[0]}, which the journal does not hold.") from None


def events_of_key(connection: Connection, kind: str, key: KeyBytes) -> list[Content]:
    """Return the events of one entity, of any project and run; reads the whole table, as no index holds keys."""
    tail = f',"key":{key.decode()},"kind":"{kind}","project":'
    query = select(EVENTS.c.id, EVENTS.c.hash, EVENTS.c.event).where(EVENTS.c.event.contains(tail, autoescape=True))
    return [
        Content(EventId(number), EventHash(bytes(hashed)), text)
        for number, hashed, text in connection.execute(query)
        if tail in text  # SQLite's LIKE knows no case
    ]


def provenance(connection: Connection, event: EventId) -> str:
    """Return what made the event when it was first appended."""
    return str(connection.execute(select(EVENTS.c.provenance).where(EVENTS.c.id == event)).scalar_one())


def last_event_id(connection: Connection) -> int:
    """Return the greatest id given out so far, also to events that were forgotten; to append needs the write lock."""
    given = (func.coalesce(func.max(column), 0) for column in (EVENTS.c.id, FORGOTTEN.c.last_event))
    return max(int(connection.execute(select(last)).scalar_one()) for last in given)


def known_nodes(connection: Connection, hashes: Collection[bytes]) -> set[NodeHash]:
    """Return which of these nodes the journal holds. If it holds a node, it holds everything below it."""
    found: set[NodeHash] = set()
    for batch in batched(hashes, _PROBE):
        query = select(NODES.c.hash).where(dialect_of(connection).among(NODES.c.hash, batch))
        found.update(NodeHash(bytes(hashed)) for (hashed,) in connection.execute(query))
    return found


def append_leaf_nodes(connection: Connection, leaves: Iterable[tuple[NodeHash, Iterable[int]]]) -> None:
    """Add leaves that are not there yet, each with its events' ids."""
    rows = [(hashed, LEAF, pack_ids(ids)) for hashed, ids in leaves]
    dialect_of(connection).insert_rows(connection, NODES, ("hash", "level", "payload"), rows)


def append_upper_nodes(connection: Connection, nodes: Iterable[Node], root: Root) -> None:
    """Add the inner nodes and the root that are not there yet."""
    rows = {node.hash: (node.hash, node.level, b"".join(node.children)) for node in nodes}
    rows[root.hash] = (root.hash, ROOT, root_text(root.kinds))
    known = known_nodes(connection, list(rows))
    new = [row for hashed, row in rows.items() if hashed not in known]
    dialect_of(connection).insert_rows(connection, NODES, ("hash", "level", "payload"), new)


def node_reader(connection: Connection) -> ReadNodes:
    """Return the function that reads this journal's nodes; it raises Damaged for a node that is not there."""

    def read(hashes: Collection[NodeHash]) -> Mapping[NodeHash, StoredNode]:
        found: dict[NodeHash, StoredNode] = {}
        for batch in batched(hashes, _PROBE):
            query = select(NODES.c.hash, NODES.c.level, NODES.c.payload).where(
                dialect_of(connection).among(NODES.c.hash, batch)
            )
            for hashed, level, payload in connection.execute(query):
                found[NodeHash(bytes(hashed))] = _stored(level, bytes(payload))
        for hashed in hashes:
            if hashed not in found:
                raise Damaged(f"A manifest refers to node {hashed.hex()[:12]}, which the journal does not hold.")
        return found

    return read


def read_manifest(connection: Connection, root: bytes) -> Root:
    """Return the root node of that hash; raise Damaged where there is none."""
    payload = connection.execute(select(NODES.c.payload).where(NODES.c.hash == root, NODES.c.level == ROOT)).scalar()
    if payload is None:
        raise Damaged(f"A run refers to manifest {root.hex()[:12]}, which the journal does not hold.")
    try:
        return read_root(bytes(payload))
    except (ValueError, TypeError) as error:
        raise Damaged(f"Manifest {root.hex()[:12]} cannot be read: {error}") from None


def _stored(level: int, payload: bytes) -> StoredNode:
    if level == LEAF:
        return StoredNode(level, unpack_ids(payload), ())
    children = [NodeHash(payload[at : at + HASH_SIZE]) for at in range(0, len(payload), HASH_SIZE)]
    return StoredNode(level, (), children)


def pack_ids(ids: Iterable[int]) -> bytes:
    """Return event ids as zigzag varints of differences: about a byte for an event appended with its neighbours.

    >>> unpack_ids(pack_ids([7, 8, 9, 3, 1_000_000]))
    [7, 8, 9, 3, 1000000]
    """
    packed = bytearray()
    before = 0
    for number in ids:
        step = number - before
        before = number
        rest = step << 1 if step >= 0 else (-step << 1) - 1
        while rest > _SEVEN_BITS:
            packed.append(rest & _SEVEN_BITS | 0x80)
            rest >>= 7
        packed.append(rest)
    return bytes(packed)


def unpack_ids(payload: bytes) -> list[EventId]:
    """Return the event ids that `pack_ids` packed; raise Damaged for other bytes."""
    ids: list[EventId] = []
    before = rest = shift = 0
    for byte in payload:
        rest |= (byte & 0x7F) << shift
        if byte & 0x80:
            shift += 7
            continue
        before += rest >> 1 if not rest & 1 else -((rest + 1) >> 1)
        if not 0 < before <= _LARGEST_ID:
            raise Damaged(f"A leaf of a manifest refers to event {before}, which is not an event's id.")
        ids.append(EventId(before))
        rest = shift = 0
    if shift:
        raise Damaged("A leaf of a manifest is cut short: its last event is not whole.")
    return ids

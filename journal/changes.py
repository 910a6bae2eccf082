"""The differences of two manifests, entity by entity, which `diff` shows and `project` writes.

And the state that follows from it.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, groupby
from operator import itemgetter
from typing import NamedTuple

from sqlalchemy import Connection

from .appending import grow
from .errors import Damaged
from .event import KeyBytes, decode, differing_fields
from .fold import Policy, merge, resolve
from .manifest import (
    LEAF,
    EventId,
    NodeHash,
    Root,
    Subtree,
    Tree,
    batched,
    difference,
    events_below,
    make_root,
)
from .spool import Entry
from .store.contents import Content, contents, node_reader, read_manifest, texts

_BATCH = 5_000


class Change(NamedTuple):
    """An entity whose content differs: absent before (added), absent now (removed), or both there (changed)."""

    key: KeyBytes
    before: Content | None
    now: Content | None


def changes(connection: Connection, before: NodeHash | None, now: NodeHash | None) -> Iterator[Change]:
    """Yield every difference between two trees of one kind, in key order.

    Costs O(changes), not O(events): equal subtrees are skipped. Where one side is empty nothing but a batch is held;
    otherwise the keys of what differs are.
    """
    removed, added = difference(before, now, node_reader(connection))
    if before is None or now is None:
        for batch in batched((event for leaf in (removed if now is None else added) for event in leaf), _BATCH):
            for content in contents(connection, batch):
                key = key_of(content.text)
                yield Change(key, content, None) if now is None else Change(key, None, content)
        return
    old = _by_key(connection, [event for leaf in removed for event in leaf])
    new = _by_key(connection, [event for leaf in added for event in leaf])
    for keys in batched(sorted(old.keys() | new.keys()), _BATCH):
        before_of = dict(_contents_of(connection, keys, old))
        now_of = dict(_contents_of(connection, keys, new))
        for key in keys:
            yield Change(key, before_of.get(key), now_of.get(key))


def event_texts(connection: Connection, top: NodeHash, size: int) -> Iterator[list[str]]:
    """Yield the canonical texts of a tree's events, in key order, `size` at a time."""
    ids = (event for leaf in events_below(top, node_reader(connection)) for event in leaf)
    for batch in batched(ids, size):
        yield texts(connection, batch)


def entries_of(connection: Connection, kind: str, subtree: Subtree | None) -> Iterator[Entry]:
    """Yield a stored tree's entries, in key order, without their texts."""
    ids = (event for leaf in events_below(subtree.top if subtree else None, node_reader(connection)) for event in leaf)
    for batch in batched(ids, _BATCH):
        for content in contents(connection, batch):
            yield Entry(kind, key_of(content.text), content.hash)


def state_of_kind(connection: Connection, state: bytes, kind: str) -> Iterator[tuple[KeyBytes, str]]:
    """Yield one kind's keys and canonical texts in a stored manifest, in key order."""
    subtree = read_manifest(connection, state).kinds.get(kind)
    for batch in event_texts(connection, subtree.top, _BATCH) if subtree else ():
        for text in batch:
            yield key_of(text), text


def merged(
    connection: Connection,
    state: bytes,
    policies: Mapping[str, Policy],
    recorded: Callable[[], Iterable[Entry]],
) -> Iterator[Entry]:
    """Yield the entries of a new state, sorted and with texts: a run's, merged with the previous state's by policy.

    Only kinds in `policies` are merged. `recorded` yields the run's entries, sorted, each time that it is called.
    Leaves that the run and the previous state share are not read.
    """
    leaves = {node.hash for nodes, _, _ in grow(recorded()) for node in nodes if node.level == LEAF}
    earlier = _outside(connection, read_manifest(connection, state), policies, leaves)
    place = itemgetter(0, 1)
    for (kind, _), both in groupby(heapq.merge(_marked(earlier, 0), _marked(recorded(), 1), key=place), key=place):
        sides: dict[int, Entry] = {side: entry for _, _, side, entry in both}
        content = resolve(policies[kind], previous=sides.get(0), recorded=sides.get(1))
        if content is not None:
            yield content


def _marked(entries: Iterable[Entry], side: int) -> Iterator[tuple[str, KeyBytes, int, Entry]]:
    return ((entry.kind, entry.key, side, entry) for entry in entries)


def _outside(
    connection: Connection, state: Root, policies: Mapping[str, Policy], leaves: Container[NodeHash]
) -> Iterator[Entry]:
    """Yield the entries of the state's other leaves, for every kind that is not exact."""
    read = node_reader(connection)
    for kind, subtree in sorted(state.kinds.items()):
        if policies.get(kind, Policy.EXACT) is Policy.EXACT:
            continue
        ids = (event for leaf in events_below(subtree.top, read, leaves) for event in leaf)
        for batch in batched(ids, _BATCH):
            for content in contents(connection, batch):
                yield Entry(kind, key_of(content.text), content.hash, content.text.encode())


@dataclass(slots=True)
class Kept:
    """How many entities of a run keep older content in the state, and the fields in which the two differ."""

    count: int = 0
    fields: set[str] = field(default_factory=set)


def carried_over(
    connection: Connection,
    kind: str,
    policy: Policy,
    previous: Subtree | None,
    recorded: Subtree | None,
    kept: Kept | None = None,
) -> Iterator[Entry]:
    """Yield the entries of the previous state that override or outlive this run, and count the `kept` ones."""
    if previous is None or policy is Policy.EXACT:
        return
    for change in changes(connection, previous.top, recorded.top if recorded else None):
        content = resolve(policy, previous=change.before, recorded=change.now)
        if content is None or content is change.now:
            continue
        if change.now is not None and kept is not None:
            kept.count += 1
            kept.fields.update(differing_fields(decode(content.text).data, decode(change.now.text).data))
        yield Entry(kind, change.key, content.hash)


def fold_root(connection: Connection, policies: Mapping[str, Policy], previous: Root | None, run: Root) -> Root:
    """Return the state that should follow from a state and a run, built from scratch, without storing anything."""
    before = previous.kinds if previous else {}
    trees: dict[str, Subtree] = {}
    for kind in sorted(run.kinds.keys() | before.keys()):
        now = run.kinds.get(kind)
        carried = carried_over(connection, kind, policies.get(kind, Policy.EXACT), before.get(kind), now)
        first = next(carried, None)
        if first is None:
            if now:
                trees[kind] = now
            continue
        tree = Tree()
        for entry in merge(entries_of(connection, kind, now), chain([first], carried)):
            tree.add(entry.hash)
        trees[kind] = tree.close()[1]
    return make_root(trees)


def key_of(text: str) -> KeyBytes:
    """Return the key's canonical bytes inside an event's canonical text; raise Damaged for any other text.

    The event's own key is the last object of that name: only two texts follow it, in which quotes are escaped.

    >>> key_of('{"data":{"key":{"a":1}},"key":{"slug":"x"},"kind":"team","project":"p"}')
    b'{"slug":"x"}'
    """
    try:
        return KeyBytes(text[text.rindex(',"key":{') + 7 : text.rindex(',"kind":"')].encode())
    except ValueError:
        raise Damaged(f"An event's text was changed after it was stored: {text[:40]!r}…") from None


def _by_key(connection: Connection, ids: Sequence[EventId]) -> dict[KeyBytes, EventId]:
    return {
        key_of(content.text): content.id for batch in batched(ids, _BATCH) for content in contents(connection, batch)
    }


def _contents_of(
    connection: Connection, keys: Sequence[KeyBytes], ids: dict[KeyBytes, EventId]
) -> Iterator[tuple[KeyBytes, Content]]:
    here = [key for key in keys if key in ids]
    return zip(here, contents(connection, [ids[key] for key in here]), strict=True)

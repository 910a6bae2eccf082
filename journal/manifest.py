"""Manifests: sets of events as Merkle trees.

A manifest lists a run's events in order of (kind, natural key as bytes). Each kind is a tree of its own: leaves are cut
where an event's hash says so, inner nodes the same way over their children's hashes, so that a tree depends on its
content alone and two manifests share every subtree in which they agree. A root lists (kind, subtree, count).

Everything here is pure: nodes come out of a stream and go into a function that the caller gives.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple, NewType, TypeVar

import orjson

from .event import EventHash

NodeHash = NewType("NodeHash", bytes)
EventId = NewType("EventId", int)
Item = TypeVar("Item")

NODE_TAG = b"seedjournal:node:1\n"
ROOT_TAG = b"seedjournal:root:1\n"
LEAF = 0
ROOT = 255

# A node ends behind a child whose hash ends in seven zero bits: 128 children on average. The cap bounds a node where
# chance leaves no such child; e^-8 of all nodes reach it.
CUT_MASK = 0x7F
LARGEST_NODE = 1024


@dataclass(frozen=True, slots=True)
class Node:
    """A leaf over event hashes (level 0) or an inner node over node hashes."""

    hash: NodeHash
    level: int
    children: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Subtree:
    """A kind's tree in a root: its top node and how many events it holds."""

    top: NodeHash
    count: int


@dataclass(frozen=True, slots=True)
class Root:
    """A whole manifest: each kind's subtree. The hash is the run root that people see."""

    hash: NodeHash
    kinds: Mapping[str, Subtree]

    @property
    def count(self) -> int:
        """How many events the manifest holds."""
        return sum(subtree.count for subtree in self.kinds.values())


class StoredNode(NamedTuple):
    """A node as a store gives it back: a leaf holds event ids, an inner node its children's hashes."""

    level: int
    events: Sequence[EventId]
    nodes: Sequence[NodeHash]


ReadNodes = Callable[[Collection[NodeHash]], Mapping[NodeHash, StoredNode]]


def hash_node(level: int, children: Iterable[bytes]) -> NodeHash:
    """Return SHA-256 over level and children. It does not depend on the ids that a database gave them."""
    return NodeHash(hashlib.sha256(NODE_TAG + bytes((level,)) + b"".join(children)).digest())


def is_last(child: bytes, size: int) -> bool:
    """Return whether a node ends behind this child, its `size`-th."""
    return not child[-1] & CUT_MASK or size >= LARGEST_NODE


def root_text(kinds: Mapping[str, Subtree]) -> bytes:
    """Return a root's canonical bytes: `[[kind, subtree in hex, count], …]`, by kind."""
    return orjson.dumps([[kind, kinds[kind].top.hex(), kinds[kind].count] for kind in sorted(kinds)])


def make_root(kinds: Mapping[str, Subtree]) -> Root:
    """Return the root over the kinds that have events."""
    listed = {kind: kinds[kind] for kind in sorted(kinds) if kinds[kind].count}
    return Root(NodeHash(hashlib.sha256(ROOT_TAG + root_text(listed)).digest()), listed)


def read_root(text: bytes) -> Root:
    """Return the root that its canonical bytes describe."""
    return make_root({kind: Subtree(NodeHash(bytes.fromhex(top)), count) for kind, top, count in orjson.loads(text)})


class Tree:
    """Builds one kind's tree from a stream of event hashes, each node given out when it is complete."""

    __slots__ = ("_pending", "count")

    def __init__(self) -> None:
        self._pending: list[list[bytes]] = [[]]
        self.count = 0

    def add(self, event: EventHash) -> list[Node]:
        """Take the next event in key order; return the nodes that it completed, lowest first."""
        self.count += 1
        leaf = self._pending[LEAF]
        leaf.append(event)
        if not is_last(event, len(leaf)):
            return []
        done: list[Node] = []
        self._cut(LEAF, done)
        return done

    def add_leaf(self, events: Iterable[EventHash]) -> list[Node]:
        """Take the events of a whole leaf, cut where `add` would cut; return the nodes that it completed."""
        self._pending[LEAF].extend(events)
        self.count += len(self._pending[LEAF])
        done: list[Node] = []
        self._cut(LEAF, done)
        return done

    def close(self) -> tuple[list[Node], Subtree]:
        """Return the nodes that were still open, and the finished tree."""
        done: list[Node] = []
        if not self.count:
            return done, Subtree(NodeHash(b""), 0)
        level = LEAF
        while True:
            open_children = self._pending[level]
            if level > LEAF and level == len(self._pending) - 1 and len(open_children) == 1:
                return done, Subtree(NodeHash(open_children[0]), self.count)
            if open_children:
                self._cut(level, done)
            level += 1

    def _cut(self, level: int, done: list[Node]) -> None:
        children = tuple(self._pending[level])
        self._pending[level] = []
        node = Node(hash_node(level, children), level, children)
        done.append(node)
        if level + 1 == len(self._pending):
            self._pending.append([])
        above = self._pending[level + 1]
        above.append(node.hash)
        if is_last(node.hash, len(above)):
            self._cut(level + 1, done)


def events_below(
    top: NodeHash | None, read: ReadNodes, without: Container[NodeHash] = ()
) -> Iterator[Sequence[EventId]]:
    """Return the events of a tree in key order, a leaf at a time, but for some leaves; holds one path of the tree."""
    return _leaves([top] if top and top not in without else [], read, without=without)


class Difference(NamedTuple):
    """Events that only one of two trees holds, a leaf at a time, in key order."""

    removed: Iterator[Sequence[EventId]]
    added: Iterator[Sequence[EventId]]


def difference(old: NodeHash | None, new: NodeHash | None, read: ReadNodes) -> Difference:
    """Return what differs between two trees of one kind. Subtrees that both hold are not read.

    Reads O(changes · depth) nodes. An event is in both trees exactly when its id is, so that no event need be read.
    """
    old_nodes, new_nodes = _differing_leaves(old, new, read)
    if not old_nodes or not new_nodes:
        return Difference(_leaves(old_nodes, read), _leaves(new_nodes, read))
    old_events = [event for leaf in _leaves(old_nodes, read) for event in leaf]
    new_events = [event for leaf in _leaves(new_nodes, read) for event in leaf]
    shared = set(old_events).intersection(new_events)
    return Difference(
        iter([[event for event in old_events if event not in shared]]),
        iter([[event for event in new_events if event not in shared]]),
    )


def _differing_leaves(
    old: NodeHash | None, new: NodeHash | None, read: ReadNodes
) -> tuple[list[NodeHash], list[NodeHash]]:
    """Descend both trees level by level, dropping at each level what both have."""
    if old == new:
        return [], []
    if old is None or new is None:
        return [top for top in (old,) if top], [top for top in (new,) if top]
    tops = read([old, new])
    sides = [(tops[old].level, [old]), (tops[new].level, [new])]
    while True:
        level = max(sides[0][0], sides[1][0])
        if sides[0][0] == sides[1][0]:
            shared = set(sides[0][1]).intersection(sides[1][1])
            sides = [(level, [node for node in nodes if node not in shared]) for _, nodes in sides]
        if level == LEAF or not sides[0][1] or not sides[1][1]:
            return sides[0][1], sides[1][1]
        sides = [(depth, nodes) if depth < level else (level - 1, _children(nodes, read)) for depth, nodes in sides]


def _children(nodes: Sequence[NodeHash], read: ReadNodes) -> list[NodeHash]:
    stored = read(nodes)
    return [child for node in nodes for child in stored[node].nodes]


def _leaves(
    nodes: Sequence[NodeHash], read: ReadNodes, batch: int = 64, without: Container[NodeHash] = ()
) -> Iterator[Sequence[EventId]]:
    for start in range(0, len(nodes), batch):
        group = nodes[start : start + batch]
        stored = read(group)
        for node in group:
            if stored[node].level == LEAF:
                yield stored[node].events
            else:
                below = [child for child in stored[node].nodes if child not in without]
                yield from _leaves(below, read, batch, without)


def batched(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield lists of `size` items, the last one shorter.

    >>> list(batched("abcde", 2))
    [['a', 'b'], ['c', 'd'], ['e']]
    """
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch

"""Merkle manifests: one tree for one set, shared where two agree, and a difference that costs the changes."""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from seedjournal.journal import Damaged, NodeHash, Root, Subtree, encode
from seedjournal.journal.event import EventHash
from seedjournal.journal.manifest import (
    CUT_MASK,
    LARGEST_NODE,
    LEAF,
    EventId,
    Node,
    StoredNode,
    Tree,
    difference,
    events_below,
    hash_node,
    make_root,
    read_root,
    root_text,
)
from seedjournal.journal.store.contents import pack_ids, unpack_ids
from tests.journal.things import thing


class Nodes:
    """Trees over numbers, kept in memory; it counts what is read."""

    def __init__(self) -> None:
        self.stored: dict[NodeHash, StoredNode] = {}
        self.numbers: dict[bytes, EventId] = {}
        self.reads = 0

    def build(self, numbers: Iterable[int], event: Callable[[int], EventHash]) -> tuple[NodeHash | None, list[Node]]:
        """The tree over these numbers in order: its top, None for no tree, and all its nodes."""
        tree = Tree()
        made: list[Node] = []
        for number in sorted(numbers):
            hashed = event(number)
            self.numbers[hashed] = EventId(number)
            made += tree.add(hashed)
        rest, subtree = tree.close()
        made += rest
        for node in made:
            if node.level == LEAF:
                self.stored[node.hash] = StoredNode(LEAF, [self.numbers[child] for child in node.children], ())
            else:
                self.stored[node.hash] = StoredNode(node.level, (), [NodeHash(child) for child in node.children])
        return (subtree.top if subtree.count else None), made

    def read(self, hashes: Collection[NodeHash]) -> Mapping[NodeHash, StoredNode]:
        """What the trees ask for."""
        self.reads += len(hashes)
        return {hashed: self.stored[hashed] for hashed in hashes}

    def below(self, top: NodeHash | None) -> list[int]:
        """A tree's numbers in order."""
        return [number for leaf in events_below(top, self.read) for number in leaf]


def by_chance(number: int) -> EventHash:
    """A hash like a real event's: one in 128 ends a node."""
    return EventHash(hashlib.sha256(b"%d" % number).digest())


def often_cut(number: int) -> EventHash:
    """A hash that ends a node for every third number, so that small trees are high."""
    head = hashlib.sha256(b"%d" % number).digest()[:-1]
    return EventHash(head + (b"\0" if number % 3 == 0 else b"\1"))


def never_cut(number: int) -> EventHash:
    """A hash that ends no node, so that the cap does."""
    return EventHash(hashlib.sha256(b"%d" % number).digest()[:-1] + b"\1")


WORDS = st.text(min_size=1, max_size=3)
TOPS = st.integers(0, 255).map(lambda byte: bytes([byte]) * 32)
HASHES = st.sampled_from([by_chance, often_cut, never_cut])
SETS = st.builds(
    lambda start, count, without, more: set(range(start, start + count)).difference(without) | more,
    st.integers(1, 50),
    st.sampled_from([0, 1, 10, 400, 3000]),
    st.sets(st.integers(1, 3000), max_size=10),
    st.sets(st.integers(1, 6000), max_size=10),
)


def flat(leaves: Iterable[Sequence[EventId]]) -> list[int]:
    """Leaves' events in one list."""
    return [event for leaf in leaves for event in leaf]


@given(SETS, SETS, HASHES)
@example(set(), set(), often_cut)
@example({1}, set(), often_cut)
@example(set(range(1, 3000)), {3}, often_cut)
@example(set(range(1, 3000)), set(range(2999, 6000)), never_cut)
def test_a_difference_is_that_of_the_sets(old: set[int], new: set[int], event: Callable[[int], EventHash]) -> None:
    nodes = Nodes()
    before, now = nodes.build(old, event)[0], nodes.build(new, event)[0]
    removed, added = difference(before, now, nodes.read)
    assert (flat(removed), flat(added)) == (sorted(old - new), sorted(new - old))
    assert nodes.below(now) == sorted(new)
    assert (before == now) == (old == new)


@given(SETS, HASHES)
def test_equal_trees_are_not_read(numbers: set[int], event: Callable[[int], EventHash]) -> None:
    nodes = Nodes()
    top, _ = nodes.build(numbers, event)
    removed, added = difference(top, top, nodes.read)
    assert not flat(removed) + flat(added)
    assert nodes.reads == 0


@pytest.mark.parametrize("event", [by_chance, often_cut, never_cut])
def test_every_node_is_what_its_content_says(event: Callable[[int], EventHash]) -> None:
    _, made = Nodes().build(range(1, 5000), event)
    for node in made:
        assert node.hash == hash_node(node.level, node.children)
        assert 0 < len(node.children) <= LARGEST_NODE
        inner = node.children[:-1]
        assert all(child[-1] & CUT_MASK for child in inner)
    closed = [node for node in made if node.children[-1][-1] & CUT_MASK and len(node.children) < LARGEST_NODE]
    assert len(closed) <= max(node.level for node in made) + 1  # only the last node of each level ends by itself


def test_the_cap_bounds_a_node() -> None:
    _, made = Nodes().build(range(1, 3 * LARGEST_NODE + 1), never_cut)
    assert [len(node.children) for node in made if node.level == LEAF] == [LARGEST_NODE] * 3


def test_a_tree_of_one_event_is_one_leaf() -> None:
    top, made = Nodes().build([1], often_cut)
    assert [(node.level, node.hash) for node in made] == [(LEAF, top)]


def test_no_event_is_no_tree() -> None:
    assert Tree().close() == ([], Subtree(NodeHash(b""), 0))
    assert make_root({"thing": Tree().close()[1]}) == make_root({})


@pytest.mark.parametrize("size", [10_000, 40_000])
@pytest.mark.parametrize("count", [1, 10, 100])
def test_changes_cost_what_they_are(size: int, count: int) -> None:
    """Some changed events make, and their difference reads, a path of nodes each, however many events there are."""
    nodes = Nodes()
    chance = random.Random(size + count)
    numbers = set(range(1, size))
    before, made = nodes.build(numbers, by_chance)
    known = {node.hash for node in made}
    changed = chance.sample(sorted(numbers), count)
    later = numbers.difference(changed[::2]) | {number + size for number in changed}
    now, made = nodes.build(later, by_chance)
    depth = max(node.level for node in made) + 1
    new = [node for node in made if node.hash not in known]
    assert len(new) <= 3 * count * depth
    removed, added = difference(before, now, nodes.read)
    assert (flat(removed), flat(added)) == (sorted(numbers - later), sorted(later - numbers))
    assert nodes.reads <= 6 * count * depth + 2 * depth
    assert depth <= 2 + math.log(size, 40)


def test_nodes_come_out_as_they_are_completed() -> None:
    """A tree holds one open node a level: what is given out while it grows is all but those."""
    tree, given_out = Tree(), 0
    for number in range(20_000):
        given_out += sum(len(node.children) for node in tree.add(by_chance(number)) if node.level == LEAF)
        assert number + 1 - given_out < LARGEST_NODE
    rest, subtree = tree.close()
    assert subtree.count == 20_000
    assert given_out + sum(len(node.children) for node in rest if node.level == LEAF) == 20_000


@given(st.dictionaries(WORDS, st.tuples(TOPS, st.integers(0, 9)), max_size=5))
def test_a_root_is_read_back_and_lists_what_has_events(kinds: dict[str, tuple[bytes, int]]) -> None:
    trees = {kind: Subtree(NodeHash(top), count) for kind, (top, count) in kinds.items()}
    root = make_root(trees)
    assert read_root(root_text(root.kinds)) == root == make_root(dict(reversed(trees.items())))
    assert root.count == sum(count for _, count in kinds.values())
    assert list(root.kinds) == sorted(kind for kind, (_, count) in kinds.items() if count)


def golden() -> Root:
    """A manifest of two kinds."""
    trees = {}
    for kind, count in (("thing", 1000), ("mirror", 3)):
        tree = Tree()
        for made in sorted(encode(thing(number, "same", kind=kind)) for number in range(count)):
            tree.add(made.hash)
        trees[kind] = tree.close()[1]
    return make_root(trees)


def test_the_format_of_roots_stays_as_it_is() -> None:
    root = golden()
    assert make_root({}).hash.hex() == "b93d44453425007147de3337571c27c54a40de46ede0e5dd72848a35f8396505"
    assert root.kinds["mirror"].top.hex() == "1b20a4cd55db81649e510e253fdf56075e7054deb54e79593b1c2b44f89e149d"
    assert root.kinds["thing"].top.hex() == "acf51c6eea9db4ce478a97f96aca08b95df6412d7b5045d7bcdf02643512bd06"
    assert root.hash.hex() == "b5e82b161a232bcb70ac377da7090513f11c99d18c91c9274276943bd98115c5"
    assert root_text({"a": Subtree(NodeHash(b"\1" * 32), 5)}) == b'[["a","' + b"01" * 32 + b'",5]]'


@given(st.lists(st.integers(1, 2**63 - 1) | st.integers(1, 300)))
def test_packed_ids_are_read_back(ids: list[int]) -> None:
    assert unpack_ids(pack_ids(ids)) == ids


def test_neighbouring_ids_take_a_byte_each() -> None:
    assert len(pack_ids(range(1000, 1128))) <= 128 + 1


@given(st.binary(max_size=40))
def test_ids_are_read_from_bytes_that_were_packed_and_from_no_others(payload: bytes) -> None:
    try:
        ids = unpack_ids(payload)
    except Damaged:
        return
    assert unpack_ids(pack_ids(ids)) == ids


@pytest.mark.parametrize("ids", [[0], [-5], [3, -1], [2**63]])
def test_a_number_that_is_no_events_id_is_refused(ids: list[int]) -> None:
    with pytest.raises(Damaged):
        unpack_ids(pack_ids(ids))


def test_ids_that_are_cut_short_are_refused() -> None:
    with pytest.raises(Damaged, match="cut short"):
        unpack_ids(pack_ids([1, 1_000_000])[:-1])

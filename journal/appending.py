"""Appending what a journal lacks of a manifest: events, leaves, and the nodes above them.

In short transactions under the write lock, children before parents: whoever finds a node may rely on all below it, and
a recording that dies leaves at most unreferenced rows, which the next one finds and uses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter

from sqlalchemy import Connection

from .errors import Damaged
from .forgotten import check_epoch
from .manifest import LEAF, EventId, Node, Root, Subtree, Tree, is_last, make_root
from .spool import Entry
from .store.contents import (
    append_events,
    append_leaf_nodes,
    append_upper_nodes,
    event_ids,
    known_nodes,
    last_event_id,
)
from .store.database import Database

_GROUP = 20_000  # events that are looked up and appended together
_GROUPS_AT_ONCE = 10  # groups in a transaction: a long one writes each page of the index of hashes less often

Leaves = Sequence[tuple[Node, Sequence[Entry]]]


def manifest_of(entries: Iterable[Entry]) -> Root:
    """The manifest of entries, built from scratch; nothing is stored, and what is wrong with them is found."""
    return make_root({kind: subtree for _, _, finished in _grow(entries) for kind, subtree in finished.items()})


def append_manifest(
    database: Database, entries: Iterable[Entry], tell: Callable[[int], None], began: int
) -> tuple[Root, int]:
    """Append what the journal lacks of the entries' manifest; its root, and how many events were new.

    `began` is the epoch in which this recording began; raises Damaged where it is over.
    """
    upper: list[Node] = []
    kinds: dict[str, Subtree] = {}
    appended = _append(database, _groups(entries, upper, kinds), tell, began)
    root = make_root(kinds)
    if not is_appended(database, root):
        with database.write() as connection:
            check_epoch(connection, began)
            append_upper_nodes(connection, upper, root)
    return root, appended


def is_appended(database: Database, root: Root) -> bool:
    """Whether the journal holds this manifest, and so all that it needs."""
    with database.read() as connection:
        return bool(known_nodes(connection, [root.hash]))


def _groups(entries: Iterable[Entry], upper: list[Node], kinds: dict[str, Subtree]) -> Iterator[Leaves]:
    """The leaves with their entries, a group at a time; inner nodes are put into `upper`, and subtrees into `kinds`."""
    group: list[tuple[Node, Sequence[Entry]]] = []
    waiting = 0
    for nodes, rows, finished in _grow(entries):
        kinds.update(finished)
        for node in nodes:
            if node.level == LEAF:
                group.append((node, rows))
                waiting += len(rows)
            else:
                upper.append(node)
        if waiting >= _GROUP:
            yield group
            group, waiting = [], 0
    if group:
        yield group


def _grow(entries: Iterable[Entry]) -> Iterator[tuple[list[Node], list[Entry], dict[str, Subtree]]]:
    """The manifest's nodes as they are completed: with a leaf its entries, with a kind's last nodes its subtree."""
    for kind, listed in groupby(entries, itemgetter(0)):
        tree = Tree()
        rows: list[Entry] = []
        for entry in listed:
            rows.append(entry)
            if is_last(entry.hash, len(rows)):
                yield tree.add_leaf(row.hash for row in rows), rows, {}
                rows = []
        done = tree.add_leaf(row.hash for row in rows) if rows else []
        last, subtree = tree.close()
        yield [*done, *last], rows, {kind: subtree}


def _append(database: Database, groups: Iterator[Leaves], tell: Callable[[int], None], began: int) -> int:
    """Add the leaves that the journal lacks and their events; how many events were added.

    The write lock is taken where something is lacking, and kept no longer than for the groups that lack something.
    """
    appended = 0
    group = next(groups, ())
    while group:
        done = 0
        with database.read() as connection:
            missing = _missing(connection, group)
        if missing:
            with database.write() as connection:
                check_epoch(connection, began)
                for _ in range(_GROUPS_AT_ONCE):
                    missing = _missing(connection, group)
                    if not missing:
                        break
                    appended += _add(connection, missing, appended)
                    done += _size(group)
                    group = next(groups, ())
        else:
            done = _size(group)
            group = next(groups, ())
        tell(done)
    return appended


def _size(group: Leaves) -> int:
    return sum(len(rows) for _, rows in group)


def _missing(connection: Connection, group: Leaves) -> Leaves:
    known = known_nodes(connection, [leaf.hash for leaf, _ in group])
    return [(leaf, rows) for leaf, rows in group if leaf.hash not in known]


def _add(connection: Connection, leaves: Leaves, appended: int) -> int:
    """Add leaves and those of their events that the journal lacks; `appended` of the same run were added before."""
    first = last_event_id(connection) + 1
    # Ids are whole numbers from 1: where the greatest is the number of events that this run appended, all are its own.
    ids = {} if first == appended + 1 else event_ids(connection, [row.hash for _, rows in leaves for row in rows])
    new = [row for _, rows in leaves for row in rows if row.hash not in ids]
    lost = sum(1 for row in new if not row.event)
    if lost:
        raise Damaged(f"{lost} events of the previous state are not in the journal")
    append_events(
        connection, [(number, row.hash, row.event.decode(), row.provenance) for number, row in enumerate(new, first)]
    )
    ids.update((row.hash, EventId(number)) for number, row in enumerate(new, first))
    append_leaf_nodes(connection, [leaf for leaf, _ in leaves], ids)
    return len(new)

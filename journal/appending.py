"""Appending: the events and nodes of a manifest that a journal does not have yet go into its tables.

All within one transaction of the caller's: `stage` copies rows into a temporary table, before the write lock is taken
where the database allows it, and `append` moves them into the journal under the lock, set-wise.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    LargeBinary,
    MetaData,
    Table,
    Text,
    exists,
    func,
    insert,
    literal,
    select,
)

from .errors import Damaged
from .manifest import LEAF, Node, NodeHash, Root, Subtree, Tree, is_last, make_root
from .spool import Entry
from .store.contents import append_leaf_nodes, append_upper_nodes, known_nodes, last_event_id
from .store.dialects import dialect_of
from .tables import EVENTS

_GROUP = 20_000  # events whose leaves are looked up and staged together

_STAGED = Table(
    "seedjournal_staged",
    MetaData(),
    Column("place", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary, nullable=False),
    Column("event", Text),  # null where the journal must hold the event
    Column("provenance", Text, nullable=False),
    prefixes=["TEMPORARY"],
)

Leaves = Sequence[tuple[Node, Sequence[Entry]]]


def manifest_of(entries: Iterable[Entry]) -> Root:
    """Return the manifest of sorted entries, and store nothing."""
    return make_root({kind: subtree for _, _, finished in grow(entries) for kind, subtree in finished.items()})


class Addition:
    """The events and nodes of one manifest that the journal does not have. `entries` yields all of its entries, sorted.

    If the caller knows the manifest, it gives `root`. Then one look-up tells whether the journal has all of it.
    """

    def __init__(
        self,
        connection: Connection,
        entries: Callable[[], Iterable[Entry]],
        root: Root | None = None,
        tell: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._connection = connection
        self._root = root
        self._entries = entries
        self._tell = tell
        self._staged: dict[NodeHash, int] = {}  # leaves that the journal lacked, and how many events each has
        self._found: set[NodeHash] = set()  # nodes that the journal held
        self._upper: list[Node] = []

    def stage(self) -> None:
        """Copy the events of the leaves that the journal lacks into a temporary table."""
        _STAGED.create(self._connection)
        self._staged, self._found, self._upper = {}, set(), []
        if self._root:
            self._found = known_nodes(self._connection, [self._root.hash])
            if self._found:
                return
        place = 0
        kinds: dict[str, Subtree] = {}
        for group in _groups(self._entries(), self._upper, kinds):
            known = known_nodes(self._connection, [leaf.hash for leaf, _ in group])
            self._found |= known
            missing = [(leaf, rows) for leaf, rows in group if leaf.hash not in known]
            self._staged.update((leaf.hash, len(rows)) for leaf, rows in missing)
            dialect_of(self._connection).insert_rows(
                self._connection,
                _STAGED,
                ("place", "hash", "event", "provenance"),
                (
                    (number, row.hash, row.event.decode() or None, row.provenance)
                    for number, row in enumerate((row for _, rows in missing for row in rows), place)
                ),
            )
            place += sum(len(rows) for _, rows in missing)
            self._tell(sum(len(rows) for _, rows in group))
        self._root = make_root(kinds)

    def append(self) -> tuple[Root, int]:
        """Insert what the journal lacks; return the manifest's root and how many events were new. Needs the write lock.

        Raise Damaged if an entry without a text is not in the journal.
        """
        if known_nodes(self._connection, self._found) != self._found:  # somebody forgot runs since `stage`
            _STAGED.drop(self._connection)
            self.stage()
        appended = self._append_events() if self._staged else 0
        root = self._root or make_root({})
        if root.hash not in self._found:
            self._append_leaves()
            append_upper_nodes(self._connection, self._upper, root)
        _STAGED.drop(self._connection)
        return root, appended

    def _append_events(self) -> int:
        first = literal(last_event_id(self._connection), BigInteger)
        number = first + func.row_number().over(order_by=_STAGED.c.place)
        is_there = exists().where(EVENTS.c.hash == _STAGED.c.hash)
        new = select(number, _STAGED.c.hash, _STAGED.c.event, _STAGED.c.provenance).where(
            _STAGED.c.event.is_not(None), ~is_there
        )
        names = ["id", "hash", "event", "provenance"]
        statement = insert(EVENTS).from_select(names, new.order_by(_STAGED.c.place))
        return self._connection.execute(statement.execution_options(preserve_rowcount=True)).rowcount

    def _append_leaves(self) -> None:
        query = select(EVENTS.c.id).join(_STAGED, EVENTS.c.hash == _STAGED.c.hash).order_by(_STAGED.c.place)
        ids = array("q", self._connection.execute(query).scalars())
        if lost := sum(self._staged.values()) - len(ids):
            raise Damaged(f"{lost} events of the previous state are not in the journal.")
        known = known_nodes(self._connection, self._staged.keys())
        leaves, end = [], 0
        for leaf, size in self._staged.items():
            end += size
            if leaf not in known:
                leaves.append((leaf, ids[end - size : end]))
        append_leaf_nodes(self._connection, leaves)


def _groups(entries: Iterable[Entry], upper: list[Node], kinds: dict[str, Subtree]) -> Iterator[Leaves]:
    """Yield the leaves with their entries, a group at a time; inner nodes go into `upper`, subtrees into `kinds`."""
    group: list[tuple[Node, Sequence[Entry]]] = []
    waiting = 0
    for nodes, rows, finished in grow(entries):
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


def grow(entries: Iterable[Entry]) -> Iterator[tuple[list[Node], list[Entry], dict[str, Subtree]]]:
    """Yield the manifest's nodes once complete: with a leaf its entries, with a kind's last nodes its subtree."""
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

"""Verification: that every hash is what it says, and that everything that a run names exists.

Findings are precise and verification goes on behind each of them; nothing is repaired.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import orjson
from sqlalchemy import Connection, Table, func, select

from .changes import fold_root, key_of
from .errors import Damaged
from .event import KeyBytes, hash_event
from .manifest import (
    LEAF,
    ROOT,
    NodeHash,
    Root,
    Tree,
    events_below,
    hash_node,
    make_root,
    read_root,
)
from .runs import Progress, Run, RunNumber, forgotten_runs, kinds_of, numbered, seal_of, stored_seals
from .store.contents import (
    HASH_SIZE,
    contents,
    journal_seal,
    node_reader,
    read_manifest,
    several_journals,
    unpack_ids,
)
from .store.dialects import dialect_of
from .tables import EVENTS, FORGOTTEN, GUARDS, JOURNAL, KINDS, METADATA, NODES
from .vocabulary import hash_kinds

_PIECE = 10_000


class Fault(StrEnum):
    """The kinds of findings; each has a remedy of its own."""

    JOURNAL = "damaged journal"
    STORAGE = "damaged storage"
    GUARD = "missing guard"
    POSITION = "wrong position"
    TABLE = "changed table"
    MISSING = "missing row"
    DIFFERENT = "different row"
    EXTRA = "row too many"
    NOTE = "wrong note"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that is not as it should be: in what table, which thing, and what is wrong with it.

    `entity` is the kind and key of the thing, where it is the row or the note of an entity.
    """

    where: str
    what: str
    problem: str
    fault: Fault = Fault.JOURNAL
    entity: tuple[str, KeyBytes] | None = None


def verify(connection: Connection, progress: Progress = lambda *_: None) -> Iterator[Finding]:
    """Yield everything wrong with the journal: events, nodes, runs, manifests and states."""
    with dialect_of(connection).reading_leniently(connection):
        yield from check_storage(connection, METADATA.sorted_tables)
        yield from _guards(connection)
        yield from _journal(connection)
        yield from _forgotten(connection)
        yield from _events(connection, progress)
        yield from _nodes(connection, progress)
        yield from _kinds(connection)
        yield from _runs(connection, progress)


def count_events(connection: Connection) -> int:
    """Return how many events the journal holds."""
    counted = func.count(EVENTS.c.event)  # in no index: one that lost entries would count too few
    return int(connection.execute(select(counted)).scalar_one())


def check_storage(connection: Connection, tables: Sequence[Table]) -> Iterator[Finding]:
    """Yield what the database itself finds wrong with its file or with the indexes of these tables."""
    for problem in dialect_of(connection).damage(connection, tables):
        what = connection.engine.url.database or "the database"
        yield Finding(where="storage", what=what, problem=problem, fault=Fault.STORAGE)


def _guards(connection: Connection) -> Iterator[Finding]:
    for name, of in dialect_of(connection).missing_guards(connection, GUARDS).items():
        problem = "this guard against changes is missing or altered"
        yield Finding(where=of, what=f"trigger {name}", problem=problem, fault=Fault.GUARD)


def _events(connection: Connection, progress: Progress) -> Iterator[Finding]:
    total = count_events(connection)
    last = None
    while True:
        query = select(EVENTS.c.id, EVENTS.c.hash, EVENTS.c.event).order_by(EVENTS.c.id).limit(_PIECE)
        rows = connection.execute(query if last is None else query.where(EVENTS.c.id > last)).all()
        if not rows:
            return
        for number, hashed, text in rows:
            if hash_event(text.encode()) != bytes(hashed):
                problem = "its content does not have its hash"
                yield Finding(where="journal_events", what=f"event {number}", problem=problem)
        last = rows[-1].id
        progress("events", len(rows), total)


def _journal(connection: Connection) -> Iterator[Finding]:
    """Check the journal's own row: there is one, and it has its seal."""
    rows = connection.execute(select(JOURNAL.c.id, JOURNAL.c.created_at, JOURNAL.c.seal)).all()
    if len(rows) != 1:
        yield Finding(where="journal", what="its row", problem=several_journals([str(name) for name, *_ in rows]))
    for name, created_at, seal in rows:
        if journal_seal(str(name), str(created_at)) != seal:
            yield Finding(where="journal", what=f"journal {name}", problem="its row does not have its seal")


def _forgotten(connection: Connection) -> Iterator[Finding]:
    seals = stored_seals(connection, FORGOTTEN)
    for number, run in forgotten_runs(connection).items():
        if seal_of(run) != seals[number]:
            yield Finding(where="journal_forgotten", what=f"run {number}", problem="its row does not have its seal")


def _nodes(connection: Connection, progress: Progress) -> Iterator[Finding]:
    """Check each node's hash, from the hashes of its events or children."""
    hashes = connection.execute(select(NODES.c.hash)).scalars().all()
    for start in range(0, len(hashes), 100):
        piece = [bytes(hashed) for hashed in hashes[start : start + 100]]
        query = select(NODES.c.hash, NODES.c.level, NODES.c.payload)
        for hashed, level, payload in connection.execute(
            query.where(dialect_of(connection).among(NODES.c.hash, piece))
        ):
            problem = _node_problem(connection, bytes(hashed), level, bytes(payload))
            if problem:
                yield Finding(where="journal_nodes", what=f"node {bytes(hashed).hex()}", problem=problem)
        progress("nodes", len(piece), len(hashes))


def _node_problem(connection: Connection, hashed: bytes, level: int, payload: bytes) -> str | None:
    try:
        if level == ROOT:
            actual = read_root(payload).hash
        elif level == LEAF:
            actual = hash_node(LEAF, [one.hash for one in contents(connection, unpack_ids(payload))])
        elif len(payload) % HASH_SIZE:
            return "its payload is not a list of hashes"
        else:
            actual = hash_node(level, [payload])
    except Damaged as error:
        return error.message
    except (ValueError, TypeError, OverflowError, orjson.JSONDecodeError) as error:
        return f"its payload cannot be read: {error}"
    return None if actual == hashed else "its payload does not have its hash"


def _kinds(connection: Connection) -> Iterator[Finding]:
    """Check each vocabulary's hash."""
    for hashed, text in connection.execute(select(KINDS.c.hash, KINDS.c.kinds).order_by(KINDS.c.hash)):
        if hash_kinds(text) != bytes(hashed):
            problem = "their text does not have their hash"
            yield Finding(where="journal_kinds", what=f"kinds {bytes(hashed).hex()[:12]}", problem=problem)


def _runs(connection: Connection, progress: Progress) -> Iterator[Finding]:
    """Check each run's number, seal, manifest and state."""
    seals = stored_seals(connection)
    gone = forgotten_runs(connection)
    gaps = _gaps(seals.keys() | gone.keys())
    chain = _RunChain(connection)
    for number in sorted({*seals, *gone, *gaps}):
        if number in seals:
            progress("runs", 1, len(seals))
            yield from chain.check_next(number, seals[number])
        elif number in gone:
            chain.previous[gone[number].project] = None
        else:
            yield Finding(
                where="journal_runs", what=_named(gaps[number]), problem="it is not there, and was not forgotten"
            )
            chain.break_chain()


class _RunChain:
    """Check runs in the order of their numbers, and fold each state again from the one before it.

    If the run before is forgotten or lost, that is not possible; all else of the run is checked.
    """

    def __init__(self, connection: Connection) -> None:
        self.previous: dict[str, Run | None] = {}  # by project; None: there was one, and it was forgotten
        self._connection = connection
        self._sound: dict[NodeHash, bool] = {}
        self._lost = False

    def break_chain(self) -> None:
        """Note a run that is lost or altered: it may be the one before any project's next run."""
        self.previous = {}
        self._lost = True

    def check_next(self, number: RunNumber, seal: bytes) -> Iterator[Finding]:
        """Yield everything wrong with the next run."""
        what = f"run {number}"
        run, wrong = _sealed(self._connection, number, seal)
        if run is None:
            self.break_chain()
            yield Finding(where="journal_runs", what=what, problem=wrong)
            return
        try:
            kinds_of(self._connection, run)
        except Damaged as error:
            yield Finding(where="journal_runs", what=what, problem=error.message)
        for name, root in (("manifest", run.root), ("state", run.state)):
            if root not in self._sound:
                problem = _manifest_problem(self._connection, run.project, root)
                self._sound[root] = problem is None
                if problem:
                    yield Finding(where="journal_runs", what=what, problem=f"its {name} {root.hex()[:12]}: {problem}")
        before = self.previous.get(run.project)
        starts = run.project not in self.previous and not self._lost
        self.previous[run.project] = run
        if not (self._sound[run.root] and self._sound[run.state]):
            return
        if starts or (before is not None and self._sound[before.state]):
            problem = _fold_problem(self._connection, run, None if starts else before)
            if problem:
                yield Finding(where="journal_runs", what=what, problem=problem)


def _gaps(known: Collection[RunNumber]) -> dict[RunNumber, range]:
    """Return the numbers below the last that are not known, by the first of each gap."""
    gaps: dict[RunNumber, range] = {}
    last = 0
    for number in sorted(known):
        if number > last + 1:
            gaps[RunNumber(last + 1)] = range(last + 1, number)
        last = number
    return gaps


def _named(numbers: range) -> str:
    return f"run {numbers[0]}" if len(numbers) == 1 else f"runs {numbers[0]} to {numbers[-1]}"


def _sealed(connection: Connection, number: RunNumber, seal: bytes) -> tuple[Run | None, str]:
    """Return the run if its row is what was sealed, else what is wrong with it."""
    try:
        run = numbered(connection, number)
    except Damaged as error:
        return None, error.message
    if run is None or seal != seal_of(run):
        return None, "its row does not have its seal"
    return run, ""


def _manifest_problem(connection: Connection, project: str, root: NodeHash) -> str | None:
    """Walk a whole manifest: sorted, each key once, of the right kind and project, and built as it should be."""
    try:
        return _walk_problem(connection, project, read_manifest(connection, root), root)
    except Damaged as error:
        return error.message
    except (ValueError, RecursionError) as error:  # no key in a text; a node below itself
        return f"it cannot be read: {error}"


def _walk_problem(connection: Connection, project: str, listed: Root, root: NodeHash) -> str | None:
    for kind, subtree in listed.kinds.items():
        tail = f',"kind":{orjson.dumps(kind).decode()},"project":{orjson.dumps(project).decode()}}}'
        tree = Tree()
        last = b""
        for leaf in events_below(subtree.top, node_reader(connection)):
            for one in contents(connection, leaf):
                key = key_of(one.text)
                if not one.text.endswith(tail):
                    return f"event {one.id} is not a {kind} of {project}"
                if key <= last:
                    return f"event {one.id} is out of order or a second one of its key"
                last = key
                tree.add(one.hash)
        _, built = tree.close()
        if built != subtree:
            return f"its {kind} tree is not the one that its events make"
    return None if make_root(listed.kinds).hash == root else "its root does not have its hash"


def _fold_problem(connection: Connection, run: Run, before: Run | None) -> str | None:
    state = read_manifest(connection, before.state) if before else None
    folded = fold_root(connection, run.policies, state, read_manifest(connection, run.root))
    return (
        None
        if folded.hash == run.state
        else f"its state should be {folded.hash.hex()[:12]}, not {run.state.hex()[:12]}"
    )

"""From sorted events to a sealed run.

Events and nodes are appended first. The run itself is one row in one transaction, and exists from its commit on.

What a recording found it may rely on until somebody forgets runs: whenever it has taken the write lock it looks whether
the journal's epoch is still the one in which it began, and else begins again.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from heapq import merge
from itertools import groupby
from typing import TypeVar

from sqlalchemy import Connection

from .appending import append_manifest, is_appended, manifest_of
from .batches import batched
from .changes import changes, key_of
from .errors import Damaged, Misuse
from .event import KeyBytes, decode, differing_fields
from .fold import Policy, overlay, stands
from .forgotten import check_epoch, epoch
from .manifest import EventId, Root, Subtree, Tree, events_below, make_root
from .runs import (
    COUNTS,
    Inputs,
    Run,
    add,
    newest,
    newest_of_each,
    next_number,
    numbered,
    with_fingerprint,
)
from .spool import Entry, Spool
from .store.contents import (
    Content,
    contents,
    node_reader,
    read_manifest,
)
from .store.database import Database
from .store.schema import JOURNAL, ensure, is_ready
from .who import user_at_host

_PIECE = 20_000  # stored events that are read at a time

Result = TypeVar("Result")
Tell = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Sealed:
    """A run that now exists: how many journal rows it added, and the project's run before it."""

    run: Run
    appended: int
    reused: bool
    previous: Run | None


def record(database: Database, inputs: Inputs, spool: Spool, tell: Tell = lambda *_: None) -> Sealed:
    """Append what is new of the spooled events, and seal a run over all of them; the first to do so makes the journal.

    `tell` hears from time to time how many more events were dealt with, of how many.
    """
    root = manifest_of(spool.entries())
    ensure(database, JOURNAL, create=True)

    def attempt(began: int) -> Sealed:
        with database.read() as connection:
            _check_namespace(connection, inputs)
        appended = 0
        if not is_appended(database, root):
            _, appended = append_manifest(database, spool.entries(), lambda more: tell(more, root.count), began)
        return _seal(database, inputs, root, spool.entries, began, appended=appended, reused=False)

    return _in_one_epoch(database, attempt)


def reuse(database: Database, inputs: Inputs) -> Sealed | None:
    """Seal a run over what the same inputs gave before, without simulating; None where they never were recorded."""
    if not is_ready(database, JOURNAL):
        return None

    def attempt(began: int) -> Sealed | None:
        with database.read() as connection:
            _check_namespace(connection, inputs)
            earlier = with_fingerprint(connection, inputs.project, inputs.fingerprint)
            if earlier is None:
                return None
            root = read_manifest(connection, earlier.root)
        values = {name: earlier.inputs.get(name) for name in inputs.values}  # with what was then found in the source
        now = replace(inputs, values=values)
        return _seal(database, now, root, lambda: _entries(database, root), began, appended=0, reused=True)

    return _in_one_epoch(database, attempt)


def _in_one_epoch(database: Database, attempt: Callable[[int], Result]) -> Result:
    """What the attempt gives, begun anew where runs were forgotten meanwhile: what it found before may be gone."""
    while True:
        with database.read() as connection:
            began = epoch(connection)
        try:
            return attempt(began)
        except Damaged:
            with database.read() as connection:
                if epoch(connection) == began:
                    raise


def last_run(database: Database, project: str) -> Run | None:
    """The project's newest run; None where it has none, or where there is no journal yet."""
    if not is_ready(database, JOURNAL):
        return None
    with database.read() as connection:
        return newest(connection, project)


def would_change(database: Database, run: Run, spool: Spool) -> dict[str, int]:
    """How many events of a run would be added, changed or gone if the spooled ones were recorded, by kind.

    Nothing is stored. Where nothing would change that costs hashing alone; else both sides are read, in order. From a
    run that is forgotten meanwhile nothing differs.
    """
    if manifest_of(spool.entries()).hash == run.root:
        return {}

    def attempt(_began: int) -> Counter[str]:
        with database.read() as connection:
            if numbered(connection, run.run) is None:
                return Counter()
            root = read_manifest(connection, run.root)
        counts: Counter[str] = Counter()
        both = merge(_entries(database, root), spool.entries(), key=_place_in_a_manifest)
        for (kind, _), stated in groupby(both, key=_place_in_a_manifest):
            hashes = [entry.hash for entry in stated]
            counts[kind] += len(hashes) == 1 or hashes[0] != hashes[1]
        return counts

    return {kind: count for kind, count in _in_one_epoch(database, attempt).most_common() if count}


def _place_in_a_manifest(entry: Entry) -> tuple[str, KeyBytes]:
    return entry.kind, entry.key


def _entries(database: Database, root: Root) -> Iterator[Entry]:
    """A stored manifest's entries, in order; a transaction a piece, so that no writer waits for the whole."""
    for kind, subtree in root.kinds.items():
        with database.read() as connection:
            ids = array("q", (event for leaf in events_below(subtree.top, node_reader(connection)) for event in leaf))
        for batch in batched(ids, _PIECE):
            with database.read() as connection:
                rows = contents(connection, [EventId(number) for number in batch])
            for row in rows:
                yield _entry(kind, row)


def _entry(kind: str, content: Content) -> Entry:
    return Entry(kind, key_of(content.text), content.hash)


def _seal(
    database: Database,
    inputs: Inputs,
    root: Root,
    entries: Callable[[], Iterable[Entry]],
    began: int,
    *,
    appended: int,
    reused: bool,
) -> Sealed:
    """Fold the state and add the run, again if another run of the project was sealed meanwhile."""
    while True:
        with database.read() as connection:
            previous = newest(connection, inputs.project)
            counts, standing = _compare(connection, inputs, previous, root)
        state = _fold(database, inputs, previous, root, entries, standing, began)
        with database.write() as connection:
            check_epoch(connection, began)
            now = newest(connection, inputs.project)
            if (now.run if now else None) != (previous.run if previous else None):
                continue
            _check_namespace(connection, inputs)
            run = Run(
                run=next_number(connection),
                project=inputs.project,
                namespace=inputs.namespace,
                root=root.hash,
                state=state.hash,
                fingerprint=inputs.fingerprint,
                inputs={
                    **inputs.values,
                    "policies": {kind: str(policy) for kind, policy in inputs.policies.items()},
                    "fresh": inputs.fresh,
                    "window": inputs.window,
                },
                counts={**counts, "appended": appended},
                sealed_at=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
                recorded_by=user_at_host(),
            )
            add(connection, run)
        return Sealed(run=run, appended=appended, reused=reused, previous=previous)


def _check_namespace(connection: Connection, inputs: Inputs) -> None:
    """Raise Misuse where the project would take another's name for its keys, or change its own without `fresh`."""
    for project, run in newest_of_each(connection).items():
        if project != inputs.project and run.namespace == inputs.namespace:
            raise Misuse(
                f"project {project!r} already has the team slug {inputs.namespace!r}",
                "give this project another one: --set team_slug=…",
            )
        if project == inputs.project and run.namespace != inputs.namespace and not inputs.fresh:
            raise Misuse(
                f"project {project!r} was recorded with the team slug {run.namespace!r}, not {inputs.namespace!r}",
                "keep the slug, or start the project's state anew with --fresh",
            )


def _compare(
    connection: Connection, inputs: Inputs, previous: Run | None, root: Root
) -> tuple[dict[str, object], list[Entry]]:
    """The run's counts against the previous run, and the entries of the previous state that stand against this run."""
    last = read_manifest(connection, previous.root).kinds if previous else {}
    before = read_manifest(connection, previous.state).kinds if previous and not inputs.fresh else {}
    kinds: dict[str, dict[str, int]] = {}
    kept_fields: dict[str, list[str]] = {}
    standing: list[Entry] = []
    for kind in sorted(root.kinds.keys() | last.keys() | before.keys()):
        now = root.kinds.get(kind)
        count = dict.fromkeys(COUNTS, 0)
        _count(connection, last.get(kind), now, count)
        fields: set[str] = set()
        policy = inputs.policies.get(kind, Policy.UPSERT)
        standing.extend(_standing(connection, kind, policy, before.get(kind), now, count, fields))
        if now or last.get(kind):
            kinds[kind] = count
        if fields:
            kept_fields[kind] = sorted(fields)
    return {"kinds": kinds, "kept_fields": kept_fields}, standing


def _count(connection: Connection, last: Subtree | None, now: Subtree | None, count: dict[str, int]) -> None:
    count["total"] = now.count if now else 0
    if last is None or now is None:
        count["added"] = now.count if now else 0
        count["removed"] = last.count if last else 0
        return
    for change in changes(connection, last.top, now.top):
        name = "added" if change.before is None else "removed" if change.now is None else "changed"
        count[name] += 1
    count["unchanged"] = now.count - count["added"] - count["changed"]


def _standing(
    connection: Connection,
    kind: str,
    policy: Policy,
    before: Subtree | None,
    now: Subtree | None,
    count: dict[str, int],
    fields: set[str] | None,
) -> Iterator[Entry]:
    """The entries of the state that the policy lets stand, counting what is kept against the run, and its fields.

    Without `fields` no event is decoded.
    """
    if before is None or policy is Policy.EXACT:
        return
    for change in changes(connection, before.top, now.top if now else None):
        stood = stands(policy, before=change.before, now=change.now)
        if stood is None or stood is change.now:
            continue
        if change.now is not None:
            count["kept"] += 1
            if fields is not None:
                fields.update(differing_fields(decode(stood.text).data, decode(change.now.text).data))
        yield Entry(kind, change.key, stood.hash)


def _fold(
    database: Database,
    inputs: Inputs,
    previous: Run | None,
    root: Root,
    entries: Callable[[], Iterable[Entry]],
    standing: list[Entry],
    began: int,
) -> Root:
    """The state's manifest, stored: the run's where nothing else stands."""
    if not standing:
        return root
    if previous and previous.root == root.hash and previous.policies == inputs.policies:
        with database.read() as connection:
            return read_manifest(connection, previous.state)
    state, _ = append_manifest(database, overlay(entries(), standing), lambda _: None, began)
    return state


def fold_root(connection: Connection, policies: Mapping[str, Policy], before: Root | None, run: Root) -> Root:
    """The state that should follow from a state and a run, built anew without storing anything: what verify checks."""
    trees: dict[str, Subtree] = {}
    read = node_reader(connection)
    for kind in sorted(run.kinds.keys() | (before.kinds.keys() if before else set())):
        old, now = (before.kinds.get(kind) if before else None), run.kinds.get(kind)
        policy = policies.get(kind, Policy.UPSERT)
        standing = list(_standing(connection, kind, policy, old, now, dict.fromkeys(COUNTS, 0), None))
        if not standing:
            if now:
                trees[kind] = now
            continue
        tree = Tree()
        entries = (
            _entry(kind, content)
            for leaf in events_below(now.top if now else None, read)
            for content in contents(connection, leaf)
        )
        for entry in overlay(entries, standing):
            tree.add(entry.hash)
        trees[kind] = tree.close()[1]
    return make_root(trees)

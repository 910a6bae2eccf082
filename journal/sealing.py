"""From sorted events to a sealed run: events, nodes and the run's row, in one transaction under the write lock.

They appear together or not at all. A recording that dies leaves nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from heapq import merge as merge_sorted
from itertools import groupby
from operator import itemgetter
from typing import Any, Protocol

from sqlalchemy import Connection

from .appending import Addition, manifest_of
from .changes import Kept, carried_over, changes, entries_of
from .fold import Policy, merge
from .manifest import Root, Subtree
from .runs import (
    COUNTS,
    Inputs,
    Progress,
    Run,
    add,
    add_kinds,
    newest,
    next_number,
    numbered,
    user_at_host,
    with_fingerprint,
)
from .spool import Entry
from .store.contents import read_manifest
from .store.database import Database
from .store.schema import JOURNAL, ensure, is_ready

Entries = Callable[[], Iterable[Entry]]

# Called before a run is sealed, with the previous run, if there is one, and the new run's counts by kind. If it raises,
# the journal stays as it was.
Examine = Callable[[Run | None, Mapping[str, Mapping[str, int]]], None]


class Overtaken(Exception):
    """Another run of the project was sealed after this recording had read the previous state. Start over."""


def follows(state_of: Run | None) -> Examine:
    """Return a check that raises Overtaken if the project has a newer run than the one whose state was read."""

    def examine(newest: Run | None, _: Mapping[str, Mapping[str, int]]) -> None:
        if (newest and newest.run) != (state_of and state_of.run):
            raise Overtaken

    return examine


class Spooled(Protocol):
    """What a recording made, outside of any journal."""

    def entries(self) -> Iterable[Entry]:
        """Yield the run's entries in the order of (kind, key bytes), as often as asked."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A run that now exists: how many journal rows it added, and the project's run before it."""

    run: Run
    appended: int
    reused: bool
    previous: Run | None


def record(
    database: Database,
    inputs: Inputs,
    spool: Spooled,
    progress: Progress = lambda *_: None,
    examine: Examine = lambda *_: None,
) -> Sealed:
    """Append those spooled events that are new, and seal a run over all of them; create the journal if there is none.

    Report progress from time to time: how many more events are stored, and how many there are in all.
    """
    root = manifest_of(spool.entries())
    ensure(database, JOURNAL, create=True)
    with database.write_later() as connection:
        addition = Addition(connection, spool.entries, root, lambda more: progress("appending", more, root.count))
        addition.stage()
        database.dialect.lock(connection, "journal")
        _, appended = addition.append()
        return _seal(connection, inputs, root, spool.entries, examine, appended=appended, reused=False)


def reuse(database: Database, inputs: Inputs, examine: Examine = lambda *_: None) -> Sealed | None:
    """Seal a run over the events that the same inputs gave before; return None if no run has these inputs."""
    if not is_ready(database, JOURNAL):
        return None
    with database.read() as connection:
        if with_fingerprint(connection, inputs.project, inputs.fingerprint) is None:
            return None
    with database.write() as connection:
        earlier = with_fingerprint(connection, inputs.project, inputs.fingerprint)
        if earlier is None:  # somebody forgot it while this one waited for the lock
            return None
        root = read_manifest(connection, earlier.root)
        values = {name: earlier.inputs.get(name) for name in inputs.values}  # with what was then found in the source
        entries = partial(_entries, connection, root)
        return _seal(connection, replace(inputs, values=values), root, entries, examine, appended=0, reused=True)


def last_run(database: Database, project: str) -> Run | None:
    """Return the project's newest run, or None where it has none, or where there is no journal yet."""
    if not is_ready(database, JOURNAL):
        return None
    with database.read() as connection:
        return newest(connection, project)


def would_change(database: Database, run: Run, spool: Spooled) -> dict[str, int]:
    """Count, by kind, the events of a run that would be added, changed or gone if the spooled ones were recorded.

    Store nothing. Where nothing would change that costs hashing alone; else both sides are read, in order. A run that
    somebody forgot meanwhile differs in nothing.
    """
    if manifest_of(spool.entries()).hash == run.root:
        return {}
    place = itemgetter(0, 1)
    counts: Counter[str] = Counter()
    with database.read() as connection:
        if numbered(connection, run.run) is None:
            return {}
        stored = _entries(connection, read_manifest(connection, run.root))
        for (kind, _), both in groupby(merge_sorted(stored, spool.entries(), key=place), key=place):
            hashes = [entry.hash for entry in both]
            counts[kind] += len(hashes) == 1 or hashes[0] != hashes[1]
    return {kind: count for kind, count in counts.most_common() if count}


def _entries(connection: Connection, root: Root) -> Iterable[Entry]:
    for kind, subtree in root.kinds.items():
        yield from entries_of(connection, kind, subtree)


def _seal(
    connection: Connection,
    inputs: Inputs,
    root: Root,
    entries: Entries,
    examine: Examine,
    *,
    appended: int,
    reused: bool,
) -> Sealed:
    """Fold the state and add the run."""
    previous = newest(connection, inputs.project)
    counts, carried = _compare(connection, inputs, previous, root)
    examine(previous, counts["kinds"])
    run = Run(
        run=next_number(connection),
        project=inputs.project,
        root=root.hash,
        state=_fold(connection, inputs, previous, root, entries, carried).hash,
        fingerprint=inputs.fingerprint,
        inputs={
            **inputs.values,
            **({"kinds": add_kinds(connection, inputs.kinds)} if inputs.kinds else {}),
            "policies": {kind: str(policy) for kind, policy in inputs.policies.items()},
            "window": inputs.window,
        },
        counts={**counts, "appended": appended},
        sealed_at=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        recorded_by=user_at_host(),
    )
    add(connection, run)
    return Sealed(run=run, appended=appended, reused=reused, previous=previous)


def _compare(
    connection: Connection, inputs: Inputs, previous: Run | None, root: Root
) -> tuple[dict[str, Any], list[Entry]]:
    """Return the run's counts against the previous run, and the entries carried over from the previous state."""
    last = read_manifest(connection, previous.root).kinds if previous else {}
    before = read_manifest(connection, previous.state).kinds if previous else {}
    kinds: dict[str, dict[str, int]] = {}
    kept_fields: dict[str, list[str]] = {}
    carried: list[Entry] = []
    for kind in sorted(root.kinds.keys() | last.keys() | before.keys()):
        now = root.kinds.get(kind)
        kept = Kept()
        policy = inputs.policies.get(kind, Policy.EXACT)  # a kind that the domain no longer has leaves the state
        carried.extend(carried_over(connection, kind, policy, before.get(kind), now, kept))
        if now or last.get(kind):
            kinds[kind] = {**_counts(connection, last.get(kind), now), "kept": kept.count}
        if kept.fields:
            kept_fields[kind] = sorted(kept.fields)
    return {"kinds": kinds, "kept_fields": kept_fields}, carried


def _counts(connection: Connection, last: Subtree | None, now: Subtree | None) -> dict[str, int]:
    count = dict.fromkeys(COUNTS, 0)
    count["total"] = now.count if now else 0
    if last is None or now is None:
        count["added"] = now.count if now else 0
        count["removed"] = last.count if last else 0
        return count
    for change in changes(connection, last.top, now.top):
        name = "added" if change.before is None else "removed" if change.now is None else "changed"
        count[name] += 1
    count["unchanged"] = now.count - count["added"] - count["changed"]
    return count


def _fold(
    connection: Connection, inputs: Inputs, previous: Run | None, root: Root, entries: Entries, carried: list[Entry]
) -> Root:
    """Return the state's manifest, stored: the run's if nothing is carried over."""
    if not carried:
        return root
    if previous and previous.root == root.hash and previous.policies == inputs.policies:
        return read_manifest(connection, previous.state)

    def merged() -> Iterable[Entry]:
        return merge(entries(), carried)

    addition = Addition(connection, merged)
    addition.stage()
    state, _ = addition.append()
    return state

"""A small artificial domain, and what tests of the journal ask of one."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from sqlalchemy import Connection, func, select

from seedjournal.journal import (
    Data,
    Database,
    Event,
    Field,
    Finding,
    Forgettable,
    Inputs,
    Kind,
    Policy,
    Run,
    Sealed,
    Spool,
    Type,
    Vocabulary,
    contents,
    decode,
    dialect_of,
    encode,
    forget,
    read_manifest,
    record,
    runs_before_newest,
    verify,
)
from seedjournal.journal.manifest import events_below
from seedjournal.journal.store.contents import node_reader
from seedjournal.journal.tables import EVENTS, METADATA

POLICIES = {"fixed": Policy.ONCE, "mirror": Policy.EXACT, "thing": Policy.UPSERT}

KINDS = Vocabulary(
    tuple(
        Kind(name=name, key=("number",), fields=(Field(name="number", type=Type.INTEGER), Field(name="content")))
        for name in POLICIES
    )
)

Content = dict[tuple[str, int], Data]


def thing(number: int, content: Any = "", *, kind: str = "thing", project: str = "p") -> Event:
    """An entity with a number for a key and one field."""
    return Event(project=project, kind=kind, key={"number": number}, data={"content": content})


def things(count: int, *, project: str = "p", **changed: Any) -> list[Event]:
    """As many entities; `changed` gives some of them, `n7` for number 7, another content."""
    return [thing(number, changed.get(f"n{number}", ""), project=project) for number in range(count)]


def make_inputs(project: str = "p", *, fresh: bool = False, **others: Any) -> Inputs:
    """The inputs of a run, with a fingerprint of their own unless one is given; a fresh one is `exact` throughout."""
    given: dict[str, Any] = {
        "project": project,
        "policies": dict.fromkeys(POLICIES, Policy.EXACT) if fresh else POLICIES,
        "window": False,
        "values": {"source": "test"},
        "kinds": KINDS,
        "fingerprint": hashlib.sha256(repr(sorted(others.items(), key=str)).encode()).digest(),
    }
    return Inputs(**{**given, **others})


def record_all(database: Database, events: Iterable[Event], **inputs: Any) -> Sealed:
    """Record these events as one run."""
    with Spool() as spool:
        spool.add((encode(event), "test/1") for event in events)
        return record(database, make_inputs(**inputs), spool)


def row_counts(database: Database) -> dict[str, int]:
    """How many rows each of the journal's tables holds."""
    with database.read() as connection:
        return {
            name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for name, table in METADATA.tables.items()
        }


def tampering(connection: Connection) -> AbstractContextManager[None]:
    """The journal's triggers are lifted, as its owner can: what a disk, a program or a person may do to its rows."""
    return dialect_of(connection).changeable(connection, list(METADATA.tables.values()))


def forget_all_but(database: Database, keep: int, projects: Collection[str] | None = None) -> Forgettable:
    """Forget every run but the newest of each project, or of some."""
    with database.write() as connection:
        return forget(connection, runs_before_newest(connection, keep, projects))


def holds(database: Database, events: Iterable[Event]) -> bool:
    """Whether the journal has any of these events."""
    hashes = {encode(event).hash for event in events}
    with database.read() as connection:
        return not hashes.isdisjoint(map(bytes, connection.execute(select(EVENTS.c.hash)).scalars()))


def content_of(database: Database, root: bytes) -> Content:
    """A stored manifest's whole content, by kind and number."""
    found: Content = {}
    with database.read() as connection:
        for kind, subtree in read_manifest(connection, root).kinds.items():
            for leaf in events_below(subtree.top, node_reader(connection)):
                for one in contents(connection, leaf):
                    event = decode(one.text)
                    found[kind, int(event.key["number"])] = event.data
    return found


def findings(database: Database) -> list[Finding]:
    """Everything that verification finds."""
    with database.read() as connection:
        return list(verify(connection))


def content_findings(connection: Connection) -> list[Finding]:
    """What verification finds in the rows, by a transaction that has lifted the guards."""
    return [found for found in verify(connection) if not found.what.startswith("trigger ")]


def counts_of(run: Run) -> Mapping[str, Mapping[str, int]]:
    """A run's counts by kind."""
    counts: Mapping[str, Mapping[str, int]] = run.counts["kinds"]
    return counts

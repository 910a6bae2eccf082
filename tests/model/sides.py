"""The product as histories drive it: a journal and a target of some makes, asked and answering in plain values."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from importlib import import_module
from typing import Any, NamedTuple

import psycopg
import pytest
from sqlalchemy import Connection, event, text

from seedjournal import journal as j
from seedjournal.journal.manifest import events_below
from seedjournal.journal.store.contents import node_reader
from seedjournal.projectors import Choice, check, project
from tests.conftest import SERVER
from tests.model.oracle import text_of
from tests.model.shapes import SHAPES, Data, Place, entities, key_at, place_of
from tests.projectors.kept import LAYOUT

# Everything that the product takes in pieces, in pieces so small that even small histories have several.
_PIECES = {
    "seedjournal.journal.appending": {"_GROUP": 5},
    "seedjournal.journal.changes": {"_BATCH": 3},
    "seedjournal.journal.manifest": {"CUT_MASK": 1},
    "seedjournal.journal.spool": {"_PIECE": 2000, "_BLOCK": 300},
    "seedjournal.journal.store.contents": {"_PROBE": 8},
    "seedjournal.journal.verify": {"_PIECE": 8},
    "seedjournal.projectors.check": {"_PIECE": 4},
    "seedjournal.projectors.writing": {"_PIECE": 3, "_BATCH": 2},
    "seedjournal.projectors.notes": {"_BATCH": 2},
}


def in_small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let all that is done in pieces be done in small ones."""
    for module, sizes in _PIECES.items():
        for name, size in sizes.items():
            monkeypatch.setattr(import_module(module), name, size)


class Cut(Exception):
    """The connection was lost in the midst of something."""


@contextmanager
def cut_off(databases: Iterable[j.Database], after: int | None) -> Iterator[None]:
    """Lose the connection when so many statements and commits were begun; raises Cut if that was the end of it."""
    begun = 0

    def count(connection: Connection, *_: object) -> None:
        nonlocal begun
        begun += 1
        if begun == after:
            lose(connection)

    engines = {id(one.engine): one.engine for one in databases}.values() if after else ()
    for engine in engines:
        event.listen(engine, "before_cursor_execute", count)
        event.listen(engine, "commit", count)
    try:
        yield
    except j.Unavailable as error:
        if after is None or begun < after or not ("injected" in error.message or "connection" in error.message):
            raise
        raise Cut from error
    finally:
        for engine in engines:
            event.remove(engine, "before_cursor_execute", count)
            event.remove(engine, "commit", count)


def lose(connection: Connection) -> None:
    """End the connection's server process, or be refused by the driver where there is none."""
    if connection.dialect.name == "sqlite":
        raise sqlite3.OperationalError("disk I/O error (injected)")
    pid = connection.connection.driver_connection.info.backend_pid  # type: ignore[union-attr]
    with psycopg.connect(os.environ[SERVER], autocommit=True) as admin:
        admin.execute("SELECT pg_terminate_backend(%s, 10000)", [pid])


class Stored(NamedTuple):
    """A journal's events by id, its runs, and how many nodes it has."""

    events: dict[int, str]
    runs: list[int]
    nodes: int


class Shown(NamedTuple):
    """A target's rows (id, data), its positions (run), its adopted rows' ids, and its stale rows."""

    rows: dict[Place, tuple[int, Data]]
    positions: dict[str, int]
    foreign: dict[Place, int]
    stale: set[Place]


class Side:
    """A journal and a target, in which rows of these kinds are looked at."""

    def __init__(self, journal: j.Database, target: j.Database, kinds: Collection[str] = tuple(SHAPES)) -> None:
        self.journal = journal
        self.target = target
        self.kinds = kinds

    def record(
        self,
        project_name: str,
        events: Iterable[j.Event],
        policies: Mapping[str, str],
        *,
        fresh: bool,
        window: bool,
        fingerprint: str,
        may_reuse: bool,
        cut: int | None,
    ) -> j.Sealed:
        """Record a run, reusing an earlier one of the same fingerprint if that may be."""
        chosen = {kind: j.Policy(name) for kind, name in policies.items()}
        inputs = j.Inputs(
            project=project_name,
            policies=dict.fromkeys(chosen, j.Policy.EXACT) if fresh else chosen,
            window=window,
            values={"source": "model"},
            fingerprint=hashlib.sha256(fingerprint.encode()).digest(),
        )
        with cut_off([self.journal], cut):
            sealed = j.reuse(self.journal, inputs) if may_reuse else None
            if sealed is None:
                with j.Spool() as spool:
                    spool.add((j.encode(one), "model/1") for one in events)
                    sealed = j.record(self.journal, inputs, spool)
        return sealed

    def project(self, number: int, *, cut: int | None = None, **choice: Any) -> dict[str, dict[str, int]]:
        """Project a run; the counts by kind."""
        with self.journal.read() as connection:
            run = j.find_run(connection, str(number))
        with cut_off([self.journal, self.target], cut):
            done = project(self.journal, self.target, LAYOUT, run, Choice(delete_many=True, **choice))
        return {kind: asdict(result) for kind, result in done.kinds.items() if kind in SHAPES}

    def run(self, number: int) -> j.Run:
        """A run as the journal tells it."""
        with self.journal.read() as connection:
            return j.find_run(connection, str(number))

    def stored(self) -> Stored:
        """What the journal holds, asked by plain SQL."""
        with self.journal.engine.connect() as connection:
            events = {}
            for number, told in connection.exec_driver_sql("SELECT id, event FROM journal_events"):
                one = json.loads(told)
                events[number] = text_of(one["project"], place_of(one["kind"], one["key"]), one["data"])
            runs = connection.exec_driver_sql("SELECT run FROM journal_runs ORDER BY run").scalars().all()
            nodes = connection.exec_driver_sql("SELECT count(*) FROM journal_nodes").scalar_one()
        return Stored(events, list(runs), nodes)

    def content(self, root: bytes) -> dict[Place, Data]:
        """What a manifest names."""
        found: dict[Place, Data] = {}
        with self.journal.read() as connection:
            for subtree in j.read_manifest(connection, root).kinds.values():
                ids = [number for leaf in events_below(subtree.top, node_reader(connection)) for number in leaf]
                for one in j.contents(connection, ids):
                    told = json.loads(one.text)
                    place = place_of(told["kind"], told["key"])
                    assert place not in found, f"{place} twice in one manifest"
                    found[place] = told["data"]
        return found

    def difference(self, old: int, new: int) -> dict[Place, tuple[str, dict[str, tuple[Any, Any]]]]:
        """What separates two runs."""
        with self.journal.read() as connection:
            runs = [j.find_run(connection, str(number)) for number in (old, new)]
            return {
                place_of(one.kind, one.key): (one.change, one.fields) for one in j.compare(connection, runs[0], runs[1])
            }

    def shown(self) -> Shown:
        """What the target holds, asked by plain SQL: its rows as the entities that they show, and its notes."""
        with self.target.engine.connect() as connection:
            tables = {
                shape.table: connection.exec_driver_sql(f"SELECT * FROM {shape.table}").mappings().all()
                for kind, shape in SHAPES.items()
                if kind in self.kinds
            }
            rows = entities(tables)
            positions = dict(
                tuple(row) for row in connection.exec_driver_sql("SELECT project, run FROM seedjournal_positions")
            )
            foreign = connection.exec_driver_sql("SELECT kind, key, id FROM seedjournal_rows WHERE why = 'adopted'")
            ours = {place_of(kind, json.loads(key)): number for kind, key, number in foreign}
            places = {(place[0], number): place for place, (number, _) in rows.items()}
            stale = connection.exec_driver_sql("SELECT kind, id FROM seedjournal_rows WHERE why = 'stale'").all()
        return Shown(rows, positions, ours, {places[kind, n] for kind, n in stale if (kind, n) in places})

    def damage(self) -> list[j.Finding]:
        """What verification finds wrong with the journal."""
        with self.journal.read() as connection:
            return list(j.verify(connection))

    def differing_rows(self) -> set[tuple[Place, str]]:
        """What verification finds wrong with the rows."""
        with self.target.read() as rows, self.journal.read() as source:
            found = list(check(source, rows, LAYOUT))
        told = {(one.what.partition(" "), one.problem) for one in found}
        return {(place_of(kind, json.loads(key)), problem) for (kind, _, key), problem in told}

    def change(self, number: int, place: Place, name: str, value: str) -> None:
        """Edit a row as users do."""
        self._by_hand(
            f"UPDATE {SHAPES[place[0]].table} SET {name} = :value WHERE id = :id", {"value": value, "id": number}
        )

    def delete(self, number: int, place: Place) -> None:
        """Delete a row as users do."""
        self._by_hand(f"DELETE FROM {SHAPES[place[0]].table} WHERE id = :id", {"id": number})

    def _by_hand(self, statement: str, values: Mapping[str, Any]) -> None:
        with self.target.write("target") as connection:
            connection.execute(text(statement), dict(values))

    def insert(self, place: Place, data: Data, number: int) -> None:
        """Add a user's own row, under an id of theirs."""
        shape, key = SHAPES[place[0]], key_at(place)
        ids = {at: one for at, (one, _) in self.shown().rows.items()}
        values: dict[str, Any] = {"id": number, **key, **data}
        for column, (kind, names) in shape.within.items():
            values[column] = ids[kind, *(key[name] for name in names)]
        for column, (kind, name) in shape.beside.items():
            values[column] = None if data[name] is None else ids[kind, place[1], data[name]]
        told_by_pointers = {name for _, names in shape.within.values() for name in names}
        for name in told_by_pointers | {name for _, name in shape.beside.values()}:
            del values[name]
        columns = {name: json.dumps(one) if isinstance(one, list) else one for name, one in values.items()}
        self._by_hand(
            f"INSERT INTO {shape.table} ({', '.join(columns)}) VALUES ({', '.join(f':{name}' for name in columns)})",
            columns,
        )

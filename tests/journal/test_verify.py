"""Verification: nothing in a sound journal, and whatever is damaged is found and named, never an exception."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

import pytest
from sqlalchemy import Connection, Table, delete, select, text, update
from sqlalchemy.exc import DBAPIError

from seedjournal.journal import (
    Database,
    Finding,
    Policy,
    Unavailable,
    all_runs,
    contents,
    count_events,
    manifest,
    verify,
)
from seedjournal.journal.manifest import LEAF, ROOT
from seedjournal.journal.store.contents import pack_ids
from seedjournal.journal.tables import EVENTS, JOURNAL, NODES, RUNS
from tests import scale
from tests.journal.things import POLICIES, content_findings, findings, record_all, tampering, thing, things


@pytest.fixture(autouse=True, scope="module")
def _small_nodes() -> Iterator[None]:
    """Let trees of few events have some height."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest, "CUT_MASK", 0x0F)
        yield


def five_runs(database: Database) -> None:
    record_all(database, [*things(40), *(thing(number, kind=kind) for kind in POLICIES for number in range(40, 46))])
    record_all(database, [thing(number, project='Zoë "q"') for number in range(5)], project='Zoë "q"')
    later = [thing(number, "é", kind=kind) for kind in POLICIES for number in range(43, 60)]
    record_all(database, later, values={"source": "test", "name": "é"})
    record_all(database, later, policies={**POLICIES, "fixed": Policy.EXACT})
    record_all(database, things(20), fresh=True)


@pytest.fixture
def filled(kept: Callable[[Callable[[Database], None]], Database]) -> Database:
    """A journal with two projects, runs whose state is not their root, trees of some height, and other policies."""
    return kept(five_runs)


class Undone(Exception):
    """Ends a transaction that is not to be kept."""


@contextmanager
def damaged(database: Database) -> Iterator[Connection]:
    """A transaction in which damage is done, and of which nothing is kept."""
    try:
        with database.write() as connection, tampering(connection):
            yield connection
            raise Undone
    except Undone:
        pass


def flipped(value: Any, chance: random.Random) -> Any:
    """The value with one bit of one byte turned over."""
    if isinstance(value, int):
        return value ^ 1 << chance.randrange(14)
    raw = bytearray(value.encode() if isinstance(value, str) else value)
    raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(7 if isinstance(value, str) else 8)
    return bytes(raw)


def test_a_sound_journal_has_no_findings(filled: Database) -> None:
    told: list[tuple[str, int, int | None]] = []
    with filled.read() as connection:
        assert list(verify(connection, lambda *step: told.append(step))) == []
        assert {(what, total) for what, _, total in told} == {("events", count_events(connection)), ("runs", 5)} | {
            step[::2] for step in told if step[0] == "nodes"
        }
    assert sum(done for what, done, _ in told if what == "runs") == 5


def test_an_empty_journal_has_no_findings(database: Database) -> None:
    assert findings(database) == []


COLUMNS = [
    (table, column.name)
    for table in (JOURNAL, EVENTS, NODES, RUNS)
    for column in table.columns
    if column is not EVENTS.c.provenance  # what made an event is not part of it
]


def test_a_flipped_bit_is_found_in_every_column(filled: Database) -> None:
    chance = random.Random(3)
    for table, column in COLUMNS:
        key = next(iter(table.primary_key.columns))
        with filled.read() as connection:
            rows = connection.execute(select(key, table.c[column]).order_by(key)).all()
        for name, value in chance.sample(rows, min(scale.times(1, 4), len(rows))):
            broken = flipped(value, chance)
            with damaged(filled) as connection:
                try:
                    with connection.begin_nested():
                        store(connection, table, column, name, broken)
                except DBAPIError:  # PostgreSQL takes no broken text, and no second row under a key
                    continue
                found = content_findings(connection)
                assert found, f"{table.name}.{column}: {value!r} became {broken!r}"
                assert_precise(connection, table, column, name, broken, found)


def store(connection: Connection, table: Table, column: str, name: Any, value: Any) -> None:
    """Put a value into a row, behind the journal's back; text also where it is no UTF-8 any more."""
    key = next(iter(table.primary_key.columns)).name
    is_text = isinstance(value, bytes) and str(table.c[column].type) == "TEXT"
    given: Any = value
    if is_text and connection.dialect.name == "postgresql":
        given = value.decode(errors="surrogateescape").encode("utf-8", "replace").decode()
    target = "CAST(:value AS TEXT)" if is_text else ":value"
    connection.execute(
        text(f"UPDATE {table.name} SET {column} = {target} WHERE {key} = :name"),
        {"value": given, "name": name},
    )


def assert_precise(
    connection: Connection, table: Table, column: str, name: Any, broken: Any, found: list[Finding]
) -> None:
    """What was damaged is named itself, and nothing else of its table but what rests on it."""
    if table is JOURNAL:
        shown = name if column != "id" else broken.decode(errors="replace")
        assert found == [Finding(where="journal", what=f"journal {shown}", problem="its row does not have its seal")]
    elif table is EVENTS and column != "id":
        problem = "its content does not have its hash"
        assert Finding(where="journal_events", what=f"event {name}", problem=problem) in found
        assert sum(one.where == "journal_events" for one in found) == 1
    elif table is EVENTS:
        assert any(f"refers to event {name}, which the journal does not hold" in one.problem for one in found)
    elif table is NODES and column == "hash":
        assert any(one.what == f"node {broken.hex()}" for one in found)
    elif table is NODES:
        assert [one.what for one in found if one.where == "journal_nodes"] == [f"node {bytes(name).hex()}"]
    else:
        assert f"run {name if column != 'run' else broken}" in {one.what for one in found}
        assert column == "run" or len({one.what for one in found}) == 1
        assert any("seal" in one.problem or "cannot be read" in one.problem for one in found)


@pytest.mark.parametrize("column", ["event", "inputs", "counts", "project", "recorded_by", "sealed_at"])
def test_text_that_is_no_utf_8_is_found(
    make_url: Callable[[str], str], open_url: Callable[[str], Database], column: str
) -> None:
    """Only SQLite lets such text in; verification reads on, everybody else is told."""
    database = open_url(make_url("sqlite"))
    record_all(database, things(5))
    table = EVENTS if column == "event" else RUNS
    with database.write() as connection, tampering(connection):
        connection.execute(text(f"UPDATE {table.name} SET {column} = CAST(X'7BFF80' AS TEXT)"))
    assert findings(database)
    with pytest.raises(Unavailable), database.read() as connection:
        all_runs(connection) if table is RUNS else contents(connection, [1])  # type: ignore[list-item]


@pytest.mark.parametrize("stride", [31, pytest.param(1, marks=pytest.mark.soak)])
def test_every_byte_of_a_small_journal_is_guarded(database: Database, stride: int) -> None:
    """Each byte of each row turned over, or each of some, one at a time; each time what was damaged is named."""
    record_all(database, [thing(1, "é")])
    tried = 0
    for table, column in COLUMNS:
        key = next(iter(table.primary_key.columns))
        with database.read() as connection:
            rows = connection.execute(select(key, table.c[column]).order_by(key)).all()
        with damaged(database) as connection:
            for name, value in rows:
                for broken in islice(every_flip(value), 0, None, stride):
                    step = connection.begin_nested()
                    try:
                        store(connection, table, column, name, broken)
                    except DBAPIError:
                        step.rollback()
                        continue
                    found = content_findings(connection)
                    assert found, f"{table.name}.{column}: {value!r} became {broken!r}"
                    assert_precise(connection, table, column, name, broken, found)
                    step.rollback()
                    tried += 1
    assert tried > 700 // stride


def every_flip(value: Any) -> Iterator[Any]:
    """The value with each of its bytes turned over in one bit, one at a time; a number in each of some bits."""
    if isinstance(value, int):
        yield from (value ^ 1 << bit for bit in range(31))
        return
    raw = value.encode() if isinstance(value, str) else value
    for place, byte in enumerate(raw):
        yield raw[:place] + bytes([byte ^ 1]) + raw[place + 1 :]


def test_a_run_whose_root_is_anothers_is_named(filled: Database) -> None:
    with damaged(filled) as connection:
        roots = dict(connection.execute(select(RUNS.c.run, RUNS.c.root)).all())
        connection.execute(update(RUNS).where(RUNS.c.run == 3).values(root=roots[1]))
        found = content_findings(connection)
    assert found == [Finding(where="journal_runs", what="run 3", problem="its row does not have its seal")]


@pytest.mark.parametrize("cut", [1, 32])
def test_a_truncated_node_is_named(filled: Database, cut: int) -> None:
    for level in (LEAF, 1, ROOT):
        with damaged(filled) as connection:
            row = connection.execute(select(NODES).where(NODES.c.level == level).order_by(NODES.c.hash)).first()
            assert row is not None
            connection.execute(update(NODES).where(NODES.c.hash == row.hash).values(payload=bytes(row.payload)[:-cut]))
            found = content_findings(connection)
        assert [one.what for one in found if one.where == "journal_nodes"] == [f"node {bytes(row.hash).hex()}"]


def test_swapped_nodes_are_both_named(filled: Database) -> None:
    with damaged(filled) as connection:
        query = select(NODES.c.hash, NODES.c.payload).where(NODES.c.level == LEAF).order_by(NODES.c.hash).limit(2)
        (one, its), (other, others) = ((bytes(row.hash), bytes(row.payload)) for row in connection.execute(query))
        for hashed, payload in ((one, others), (other, its)):
            connection.execute(update(NODES).where(NODES.c.hash == hashed).values(payload=payload))
        found = content_findings(connection)
    named = [found_one.what for found_one in found if found_one.where == "journal_nodes"]
    assert sorted(named) == sorted(f"node {hashed.hex()}" for hashed in (one, other))


def test_a_journal_without_its_own_row_is_named(filled: Database) -> None:
    with damaged(filled) as connection:
        connection.execute(delete(JOURNAL))
        found = content_findings(connection)
    assert found == [Finding(where="journal", what="its row", problem="there should be one row, not 0")]


def test_a_text_that_is_no_json_is_survived(database: Database) -> None:
    """Also where a state keeps it against a run, which compares fields."""
    record_all(database, [thing(1, kind="fixed")])
    record_all(database, [thing(1, "x", kind="fixed")])
    with damaged(database) as connection:
        for number in (1, 2):
            broken = select(text("'z' || substr(event, 2)")).select_from(EVENTS).where(EVENTS.c.id == number)
            values = {"event": connection.execute(broken).scalar_one()}
            connection.execute(update(EVENTS).where(EVENTS.c.id == number).values(values))
        found = content_findings(connection)
    assert [one.what for one in found] == ["event 1", "event 2"]


def test_a_deleted_event_is_named(filled: Database) -> None:
    with damaged(filled) as connection:
        connection.execute(delete(EVENTS).where(EVENTS.c.id == 30))
        found = content_findings(connection)
    assert found
    assert all("A manifest refers to event 30, which the journal does not hold" in one.problem for one in found)
    assert {one.where for one in found} == {"journal_nodes", "journal_runs"}


@pytest.mark.parametrize("level", [LEAF, 1, ROOT])
def test_a_deleted_node_is_named(filled: Database, level: int) -> None:
    with damaged(filled) as connection:
        one_of_it = connection.execute(select(NODES.c.hash).where(NODES.c.level == level).limit(1)).scalar_one()
        connection.execute(delete(NODES).where(NODES.c.hash == one_of_it))
        found = content_findings(connection)
    assert found
    assert {one.where for one in found} == {"journal_runs"}
    assert all("which the journal does not hold" in one.problem for one in found)


def test_swapped_texts_are_both_named(filled: Database) -> None:
    with damaged(filled) as connection:
        texts = dict(connection.execute(select(EVENTS.c.id, EVENTS.c.event).where(EVENTS.c.id.in_([3, 4]))).all())
        for number in (3, 4):
            connection.execute(update(EVENTS).where(EVENTS.c.id == number).values(event=texts[7 - number]))
        found = content_findings(connection)
    assert [one.what for one in found if one.where == "journal_events"] == ["event 3", "event 4"]
    assert any("out of order" in one.problem for one in found)


def test_swapped_events_are_named_by_what_rests_on_them(filled: Database) -> None:
    """Hash and text together under each other's ids: every event is sound, and no leaf is."""
    with damaged(filled) as connection:
        rows = {row.id: row for row in connection.execute(select(EVENTS).where(EVENTS.c.id.in_([3, 4])))}
        for number, hashed in ((3, b"3"), (4, rows[3].hash), (3, rows[4].hash)):
            other = rows[7 - number]
            values = {"hash": hashed, "event": other.event}
            connection.execute(update(EVENTS).where(EVENTS.c.id == number).values(values))
        found = content_findings(connection)
    assert {one.where for one in found} == {"journal_nodes", "journal_runs"}


def test_a_removed_run_is_named_where_it_left_a_gap(filled: Database) -> None:
    with damaged(filled) as connection:
        connection.execute(delete(RUNS).where(RUNS.c.run == 3))
        found = content_findings(connection)
    assert found == [Finding(where="journal_runs", what="run 3", problem="it is not there, and was not forgotten")]


def test_a_damaged_run_is_not_held_against_the_next(filled: Database) -> None:
    with damaged(filled) as connection:
        connection.execute(update(RUNS).where(RUNS.c.run == 3).values(recorded_by="other"))
        found = content_findings(connection)
    assert found == [Finding(where="journal_runs", what="run 3", problem="its row does not have its seal")]


PAYLOADS: list[tuple[int, bytes | None]] = [
    (LEAF, b""),
    (LEAF, b"\x80"),
    (LEAF, b"\xff" * 40 + b"\x01"),
    (LEAF, pack_ids([5, -3])),
    (LEAF, pack_ids([2**63 + 5])),
    (1, b""),
    (1, b"x" * 33),
    (1, None),
    (300, b"x" * 32),
    (-1, b"x" * 32),
    (ROOT, b""),
    (ROOT, b"[]"),
    (ROOT, b"null"),
    (ROOT, b"[[]]"),
    (ROOT, b'[["thing","xx",1]]'),
    (ROOT, b'[["thing","",1]]'),
    (ROOT, b'[[["thing"],"00",1]]'),
    (ROOT, b'[["thing",5,"1"]]'),
    (ROOT, b"\xff"),
]


def test_any_payload_of_a_node_is_survived(database: Database) -> None:
    """Also a node below itself, which None stands for here."""
    record_all(database, things(50))
    for level, payload in PAYLOADS:
        with damaged(database) as connection:
            for hashed in connection.execute(select(NODES.c.hash)).scalars().all():
                values = {"level": level, "payload": bytes(hashed) * 2 if payload is None else payload}
                connection.execute(update(NODES).where(NODES.c.hash == hashed).values(values))
            assert {one.where for one in content_findings(connection)} == {"journal_nodes", "journal_runs"}, (
                level,
                payload,
            )


def test_a_root_over_nodes_that_are_not_what_they_say_is_survived(database: Database) -> None:
    """The root is sound, and a walk below it comes by one node again and again."""
    record_all(database, things(50))
    with damaged(database) as connection:
        for hashed in connection.execute(select(NODES.c.hash).where(NODES.c.level != ROOT)).scalars().all():
            values = {"level": 1, "payload": bytes(hashed) * 2}
            connection.execute(update(NODES).where(NODES.c.hash == hashed).values(values))
        assert {one.where for one in content_findings(connection)} == {"journal_nodes", "journal_runs"}


def test_a_state_that_does_not_follow_is_named(database: Database) -> None:
    """Every hash and seal is right, and yet the state is not what the runs say."""
    from dataclasses import replace

    from seedjournal.journal.runs import RunNumber, add

    first = record_all(database, things(5)).run
    second = record_all(database, things(6)).run
    with database.write() as connection:
        add(connection, replace(second, run=RunNumber(3), root=first.root, state=first.state))
    (found,) = findings(database)
    assert found.what == "run 3"
    assert found.problem == f"its state should be {second.state.hex()[:12]}, not {first.state.hex()[:12]}"


def test_a_run_of_another_projects_events_is_named(database: Database) -> None:
    record_all(database, [thing(1, project="q")])
    (found,) = findings(database)
    assert "event 1 is not a thing of p" in found.problem


def test_leftovers_are_no_findings(filled: Database) -> None:
    """Sound events and nodes that no run names: a recording died."""
    with damaged(filled) as connection:
        connection.execute(delete(RUNS).where(RUNS.c.run == 5))
        assert content_findings(connection) == []

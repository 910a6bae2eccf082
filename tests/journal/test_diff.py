"""The difference of two runs: entities, fields, order, and that it never reads what is equal."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs
from sqlalchemy import event

from seedjournal.journal import (
    Damaged,
    Database,
    EntityChange,
    Event,
    Run,
    canonical_key,
    changes,
    compare,
    last_different,
    read_manifest,
)
from seedjournal.journal.manifest import NodeHash
from tests.journal.things import record_all, thing, things

ENTITIES = st.dictionaries(st.tuples(st.sampled_from(["fixed", "thing"]), st.integers(0, 20)), st.integers(0, 2))


def compared(database: Database, old: Run, new: Run, kinds: set[str] | None = None) -> list[EntityChange]:
    """What separates two runs."""
    with database.read() as connection:
        return list(compare(connection, old, new, kinds))


def test_entities_and_fields(database: Database) -> None:
    def one(number: int, **data: str | int | bool | None) -> Event:
        return structs.replace(thing(number), data=data)

    old = record_all(database, [one(1, a="x", b="same", c=None), one(2, a="y"), one(3, a="z")]).run
    new = record_all(database, [one(1, a="w", b="same", d=True), one(3, a="z"), one(10, a="new", b=None)]).run
    assert compared(database, old, new) == [  # by the keys' bytes, in which 10 comes before 1}
        EntityChange(kind="thing", key={"number": 10}, change="added", fields={"a": (None, "new"), "b": (None, None)}),
        EntityChange(
            kind="thing",
            key={"number": 1},
            change="changed",
            fields={"a": ("x", "w"), "c": (None, None), "d": (None, True)},
        ),
        EntityChange(kind="thing", key={"number": 2}, change="removed", fields={"a": ("y", None)}),
    ]
    assert compared(database, old, old) == []


def test_true_is_not_one(database: Database) -> None:
    old, new = record_all(database, [thing(1, 1)]).run, record_all(database, [thing(1, True)]).run
    (change,) = compared(database, old, new)
    assert change.fields == {"content": (1, True)}


def test_kinds_are_compared_in_order_and_chosen_ones_alone(database: Database) -> None:
    old = record_all(database, [thing(1, kind="thing"), thing(1, kind="mirror")]).run
    new = record_all(database, [thing(1, "new", kind="thing"), thing(1, kind="fixed")]).run
    assert [(one.kind, one.change) for one in compared(database, old, new)] == [
        ("fixed", "added"),
        ("mirror", "removed"),
        ("thing", "changed"),
    ]
    assert [one.kind for one in compared(database, old, new, {"thing", "fixed", "unknown"})] == ["fixed", "thing"]
    assert compared(database, old, new, set()) == []


@settings(max_examples=8)
@given(ENTITIES, ENTITIES)
def test_a_difference_is_that_of_the_runs(
    database: Database, old: Mapping[tuple[str, int], int], new: Mapping[tuple[str, int], int]
) -> None:
    runs = [
        record_all(database, [thing(number, content, kind=kind) for (kind, number), content in entities.items()]).run
        for entities in (old, new)
    ]
    expected = {
        place: "added" if place not in old else "removed" if place not in new else "changed"
        for place in old.keys() | new.keys()
        if old.get(place) != new.get(place)
    }
    found = compared(database, *runs)
    assert {(one.kind, int(one.key["number"])): one.change for one in found} == expected
    places = [(one.kind, canonical_key(one.key)) for one in found]
    assert places == sorted(places)
    back = compared(database, *reversed(runs))
    opposite = {"added": "removed", "removed": "added", "changed": "changed"}
    assert [(one.kind, one.key, opposite[one.change]) for one in back] == [
        (one.kind, one.key, one.change) for one in found
    ]


def test_changes_give_contents_in_key_order(database: Database) -> None:
    old = record_all(database, things(2_000)).run
    new = record_all(database, [*things(1_990, n77="new", n500="new"), thing(7_000)]).run
    with database.read() as connection:
        tops = [read_manifest(connection, run.root).kinds["thing"].top for run in (old, new)]
        found = list(changes(connection, *tops))
        assert [one.key for one in found] == sorted(one.key for one in found)
        assert sum(one.before is not None and one.now is not None for one in found) == 2
        assert sum(one.now is None for one in found) == 10
        assert sum(one.before is None for one in found) == 1
        everything = list(changes(connection, None, tops[1]))
        assert len(everything) == 1_991
        assert all(one.before is None for one in everything)
        assert [one.now for one in everything] == [one.before for one in changes(connection, tops[1], None)]
        assert [one.key for one in everything] == sorted(one.key for one in everything)
        assert not list(changes(connection, None, None))


def test_what_is_equal_is_not_read(database: Database) -> None:
    old, new = (record_all(database, things(4_000, n2000=content)).run for content in ("a", "b"))
    statements: list[str] = []
    event.listen(
        database.engine,
        "before_cursor_execute",
        lambda _connection, _cursor, statement, *_: statements.append(statement),
    )
    assert len(compared(database, old, new)) == 1
    assert len([one for one in statements if "FROM journal_events" in one]) <= 6
    assert len([one for one in statements if "FROM journal_nodes" in one]) <= 12


def test_a_missing_node_is_named(database: Database) -> None:
    run = record_all(database, things(5)).run
    with database.read() as connection, pytest.raises(Damaged, match="refers to node 616161616161"):
        list(changes(connection, NodeHash(b"a" * 32), read_manifest(connection, run.root).kinds["thing"].top))


def test_the_last_two_runs_that_differ(database: Database) -> None:
    def numbers() -> tuple[int, int] | None:
        with database.read() as connection:
            found = last_different(connection, "p")
        return (found[0].run, found[1].run) if found else None

    assert numbers() is None
    record_all(database, things(3))
    assert numbers() is None
    record_all(database, things(3))
    assert numbers() is None
    record_all(database, things(4))
    record_all(database, [thing(1, project="q")], project="q")
    assert numbers() == (2, 3)
    record_all(database, things(4))
    assert numbers() == (2, 3)
    record_all(database, things(3))
    assert numbers() == (5, 6)

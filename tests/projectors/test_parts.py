"""Parts, references to several kinds, and references in a circle, in tables of our own: equal states give equal rows."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event as events
from sqlalchemy import select, text

from seedjournal.journal import (
    Database,
    Event,
    Field,
    Inputs,
    Kind,
    Misuse,
    Policy,
    Reference,
    Run,
    Spool,
    Type,
    Vocabulary,
    encode,
    record,
)
from seedjournal.projectors import Choice, Projected, both, build_layout, check, compare_target, project, remove_project
from tests import scale
from tests.conftest import MAKES, Urls
from tests.projectors.invented import total, totals

TEAM = Kind(name="team", key=("slug",), fields=(Field(name="slug"),), policy=Policy.EXACT)
OF_TEAM = Reference(name="team", to="team", shared={"slug": "team"})


def to(name: str, kind: str, *, nullable: bool = True, also: tuple[str, ...] = ()) -> Reference:
    return Reference(name=name, to=kind, also=also, shared={} if also else {"team": "team"}, nullable=nullable)


TASK = Kind(
    name="task",
    key=("team", "number"),
    fields=(Field(name="number", type=Type.INTEGER), Field(name="title")),
    references=(OF_TEAM, to("above", "task"), to("owner", "person")),
    policy=Policy.EXACT,
)
PERSON = Kind(
    name="person",
    key=("team", "login"),
    fields=(Field(name="login"),),
    references=(OF_TEAM, to("works_on", "task")),
    policy=Policy.EXACT,
)
REMARK = Kind(
    name="remark",
    key=("team", "number"),
    fields=(Field(name="number", type=Type.INTEGER),),
    references=(OF_TEAM, to("target", "task", also=("person", "remark"))),
    policy=Policy.EXACT,
)
SUM = Kind(
    name="task_sum",
    key=("team", "number"),
    part_of="task",
    fields=(
        Field(name="remarks", type=Type.INTEGER, default=0),
        Field(name="cost", type=Type.DECIMAL, default="1.50"),
        Field(name="label", default="it's 100%"),
        Field(name="is_open", type=Type.BOOLEAN, default=True),
        Field(name="tags", type=Type.JSON, default=["a", 1]),
        Field(name="until", type=Type.DATE, nullable=True),
    ),
    references=(
        Reference(name="task", to="task", shared={"team": "team", "number": "number"}),
        to("last", "remark"),
    ),
    policy=Policy.EXACT,
)
KINDS = (TEAM, TASK, PERSON, REMARK, SUM)
LAYOUT = build_layout(Vocabulary(KINDS))
EXACT = {kind.name: Policy.EXACT for kind in KINDS}
_TURN = itertools.count()

# -- states: what is there, by number and name ---------------------------------------------------------------------

NUMBERS = st.integers(1, 4)
LOGINS = st.sampled_from("ab")
TARGETS = st.one_of(
    st.none(),
    NUMBERS.map(lambda one: ("task", {"team": "t", "number": one})),
    LOGINS.map(lambda one: ("person", {"team": "t", "login": one})),
    NUMBERS.map(lambda one: ("remark", {"team": "t", "number": one})),
)
SUMS = st.tuples(st.integers(0, 2), st.sampled_from(["1.50", "2.00"]), st.booleans(), st.none() | NUMBERS)
State = Mapping[str, Mapping[Any, Any]]
STATES: st.SearchStrategy[State] = st.fixed_dictionaries(
    {
        "task": st.dictionaries(NUMBERS, st.tuples(st.none() | NUMBERS, st.none() | LOGINS, st.sampled_from("xy"))),
        "person": st.dictionaries(LOGINS, st.none() | NUMBERS),
        "remark": st.dictionaries(NUMBERS, TARGETS),
        "task_sum": st.dictionaries(NUMBERS, SUMS),
    }
)


def events_of(state: State) -> Iterator[Event]:
    """The state's events; a reference to what is not there is null, and a part without its row is left out."""

    def there(kind: str, key: Any) -> Any:
        return key if key in state[kind] else None

    def event(kind: str, key: dict[str, Any], data: dict[str, Any]) -> Event:
        return Event(project="t", kind=kind, key={"team": "t", **key}, data=data)

    yield Event(project="t", kind="team", key={"slug": "t"}, data={})
    for number, (above, owner, title) in state["task"].items():
        data = {"above": there("task", above), "owner": there("person", owner), "title": title}
        yield event("task", {"number": number}, data)
    for login, works_on in state["person"].items():
        yield event("person", {"login": login}, {"works_on": there("task", works_on)})
    for number, target in state["remark"].items():
        led_to = None
        if target and target[1].get("number", target[1].get("login")) in state[target[0]]:
            led_to = {"kind": target[0], "key": target[1]}
        yield event("remark", {"number": number}, {"target": led_to})
    for number, (remarks, cost, is_open, last) in state["task_sum"].items():
        if number in state["task"]:
            data = {"remarks": remarks, "cost": cost, "is_open": is_open, "last": there("remark", last)}
            yield event("task_sum", {"number": number}, {**data, "label": "it's", "tags": [], "until": None})


def note(database: Database, state: State) -> Run:
    with Spool() as spool:
        spool.add((encode(one), "hand/1") for one in events_of(state))
        fingerprint = hashlib.sha256(b"%d" % next(_TURN)).digest()
        inputs = Inputs(project="t", policies=EXACT, window=False, values={}, fingerprint=fingerprint)
        return record(database, inputs, spool).run


def show(database: Database, run: Run, target: Database | None = None, **choice: Any) -> Projected:
    return project(database, target or database, LAYOUT, run, Choice(**{"delete_many": True, **choice}))


def rows(database: Database) -> dict[str, list[str]]:
    with database.read() as connection:
        return {
            table.name: sorted(str(tuple(map(str, row))) for row in connection.execute(select(table)))
            for table in LAYOUT.tables
        }


def findings(database: Database) -> list[str]:
    with database.read() as connection:
        return [f"{one.what} {one.problem}" for one in check(connection, connection, LAYOUT)]


def differences(database: Database, run: Run) -> list[Any]:
    with database.read() as connection:
        return list(compare_target(connection, connection, LAYOUT, run))


def execute(database: Database, statement: str) -> None:
    with database.write("target") as connection:
        connection.execute(text(statement))


def emptied(target: Database, source: Database | None = None) -> Database:
    with both(source or target, target) as (of_journal, connection):
        remove_project(of_journal, connection, LAYOUT, "t")
    return target


@pytest.fixture(scope="module", params=MAKES)
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, _ready: Callable[[str], str]
) -> Iterator[tuple[Database, Database]]:
    """Two databases of a make: the second is for projecting what the first one recorded into empty tables."""
    from seedjournal.journal import open_database

    urls = Urls(tmp_path_factory.mktemp("parts"), _ready)
    both = [open_database(urls.ready(request.param), create=True) for _ in range(2)]
    yield both[0], both[1]
    for database in both:
        database.engine.dispose()
    urls.remove()


EMPTY: State = {"task": {}, "person": {}, "remark": {}, "task_sum": {}}
SOME: State = {
    "task": {1: (2, "a", "x"), 2: (None, None, "x"), 3: (3, "b", "y")},
    "person": {"a": 1, "b": 2},
    "remark": {1: ("task", {"team": "t", "number": 1}), 2: ("person", {"team": "t", "login": "b"})},
    "task_sum": {1: (2, "2.00", False, 1), 3: (1, "1.50", True, 2)},
}


@settings(max_examples=scale.times(5, 100))
@given(states=st.lists(STATES, min_size=2, max_size=3))
def test_equal_states_give_equal_rows_whatever_was_projected_before(
    pair: tuple[Database, Database], states: list[State]
) -> None:
    database, other = pair
    for state in states:
        run = note(database, state)
        show(database, run)
    assert findings(database) == []
    assert differences(database, run) == []
    done = show(database, run)
    assert (totals(done), total(done, "unchanged")) == ((0, 0, 0), run.totals["total"])
    show(database, run, emptied(other, database))
    assert rows(database) == rows(other)
    emptied(database)
    assert not any(rows(database).values())


def test_a_second_projection_sends_no_writing_statement(pair: tuple[Database, Database]) -> None:
    database = emptied(pair[0])
    run = note(database, SOME)
    show(database, run)
    sent: list[str] = []
    events.listen(database.engine, "before_cursor_execute", lambda *given: sent.append(given[2]))
    show(database, run)
    words = ("INSERT", "UPDATE", "DELETE")
    assert {one for one in sent if one.startswith(words) and "seedjournal_" not in one} == set()


def test_the_columns_of_a_part_hold_the_defaults_while_it_is_absent(pair: tuple[Database, Database]) -> None:
    database = emptied(pair[0])
    show(database, note(database, SOME))
    done = show(database, note(database, {**SOME, "task_sum": {1: (5, "2.00", False, None)}}))
    assert (done.kinds["task_sum"].updated, done.kinds["task_sum"].deleted, totals(done)) == (1, 1, (0, 1, 1))
    with database.read() as connection:
        found = connection.execute(text("SELECT number, remarks, cost, label, until FROM tasks ORDER BY number")).all()
    assert [(number, remarks, float(cost), label) for number, remarks, cost, label, _ in found] == [
        (1, 5, 2, "it's"),
        (2, 0, 1.5, "it's 100%"),
        (3, 0, 1.5, "it's 100%"),
    ]


@pytest.mark.parametrize("change", ["label = 'x'", "last_id = NULL"])
def test_an_edited_part_is_found_and_restored(pair: tuple[Database, Database], change: str) -> None:
    database = emptied(pair[0])
    run = note(database, SOME)
    show(database, run)
    before = rows(database)
    execute(database, f"UPDATE tasks SET {change}")
    assert any("task_sum" in one for one in findings(database))
    assert {one.kind for one in differences(database, run)} == {"task_sum"}
    done = show(database, run, check=True)
    assert done.kinds["task_sum"].differing == 2
    assert rows(database) != before
    done = show(database, run, repair=True)
    assert rows(database) == before
    assert findings(database) == []


def test_a_deleted_row_comes_back_with_its_part(pair: tuple[Database, Database]) -> None:
    database = emptied(pair[0])
    run = note(database, SOME)
    show(database, run)
    before = rows(database)
    execute(database, "UPDATE tasks SET above_id = NULL WHERE number = 2")
    execute(database, "DELETE FROM tasks WHERE number = 3")
    done = show(database, run)
    assert (done.kinds["task"].restored, done.kinds["task_sum"].updated) == (1, 0)
    assert rows(database) == before


def test_an_edited_part_keeps_its_row_from_being_deleted(pair: tuple[Database, Database]) -> None:
    database = emptied(pair[0])
    show(database, note(database, SOME))
    execute(database, "UPDATE tasks SET remarks = 77 WHERE number = 3")
    run = note(database, EMPTY)
    done = show(database, run)
    assert (done.kinds["task"].deleted, done.kinds["task"].stale) == (1, 2)  # it is above nothing, and refers to b
    assert show(database, run, prune=True).kinds["task"].stale == 0
    assert [name for name, left in rows(database).items() if left] == ["teams"]


def test_a_row_that_a_reference_to_several_kinds_points_to_is_not_deleted(pair: tuple[Database, Database]) -> None:
    database = emptied(pair[0])
    show(database, note(database, SOME))
    with database.read() as connection:
        (number,) = connection.execute(text("SELECT id FROM tasks WHERE number = 1")).scalars()
    stranger = (
        f"INSERT INTO remarks (team_id, number, target_kind, target_id) SELECT id, 99, 'task', {number} FROM teams"
    )
    execute(database, stranger)
    done = show(database, note(database, EMPTY), prune=True)
    assert done.kinds["task"].retained == 2  # the first, and what is above it
    execute(database, "DELETE FROM remarks WHERE number = 99")


def test_a_reference_that_leads_nowhere_is_refused_by_name(pair: tuple[Database, Database]) -> None:
    database = emptied(pair[0])
    lost = Event(
        project="t",
        kind="remark",
        key={"team": "t", "number": 1},
        data={"target": {"kind": "person", "key": {"team": "t", "login": "z"}}},
    )
    with Spool() as spool:
        team = Event(project="t", kind="team", key={"slug": "t"}, data={})
        spool.add((encode(one), "hand/1") for one in (team, lost))
        inputs = Inputs(project="t", policies=EXACT, window=False, values={}, fingerprint=b"lost" * 8)
        run = record(database, inputs, spool).run
    with pytest.raises(Misuse, match=r"remark .*person that its target refers to has no row"):
        show(database, run)


def test_references_lead_to_adopted_rows_that_were_found_later(pair: tuple[Database, Database]) -> None:
    database = emptied(pair[0])
    execute(database, "INSERT INTO teams (id, slug) VALUES (4, 't')")
    execute(database, "INSERT INTO persons (id, team_id, login) VALUES (5, 4, 'a')")
    run = note(database, SOME)
    show(database, run)
    with database.read() as connection:
        query = "SELECT owner_id FROM tasks WHERE number = 1"
        assert connection.execute(text(query)).scalar() == 5
    assert findings(database) == []
    done = show(database, run)
    assert (totals(done), total(done, "unchanged")) == ((0, 0, 0), run.totals["total"])


def test_two_fields_for_one_column_are_refused_by_name() -> None:
    part = Kind(name="more", key=SUM.key, part_of="task", fields=(Field(name="title"),), references=SUM.references[:1])
    with pytest.raises(Misuse, match=r"tasks\.title would hold a field of task and one of more"):
        build_layout(Vocabulary((TEAM, TASK, PERSON, part)))

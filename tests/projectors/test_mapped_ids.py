"""Ids in tables of others: given by the database, told by keys, of parents; circles, parts, references to several kinds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from seedjournal import field, generic, initial, lookup, ref
from seedjournal.journal import (
    Database,
    Event,
    Field,
    Json,
    Kind,
    Misuse,
    Policy,
    Reference,
    Type,
    Vocabulary,
    open_database,
)
from seedjournal.projectors.mapped import check_fit
from seedjournal.projectors.mapping import Tables
from tests.conftest import MAKES, Urls
from tests.projectors.test_mapped import changed, do, faults, note, show

PROJECT = "work"
TASK = Kind(
    name="task",
    key=("number",),
    fields=(Field(name="number", type=Type.INTEGER), Field(name="title")),
    references=(Reference(name="owner", to="person", shared={}, nullable=True),),
    policy=Policy.EXACT,
)
PERSON = Kind(
    name="person",
    key=("login",),
    fields=(Field(name="login"),),
    references=(Reference(name="works_on", to="task", shared={}, nullable=True),),
    policy=Policy.EXACT,
)
PROFILE = Kind(
    name="profile",
    key=("login",),
    fields=(Field(name="words"),),
    references=(Reference(name="person", to="person", shared={"login": "login"}),),
    policy=Policy.EXACT,
)
TAG = Kind(name="tag", key=("name",), fields=(Field(name="name"), Field(name="colour")), policy=Policy.EXACT)
TAGGED = Kind(
    name="tagged",
    key=("number", "name"),
    fields=(),
    references=(
        Reference(name="task", to="task", shared={"number": "number"}),
        Reference(name="tag", to="tag", shared={"name": "name"}),
    ),
    policy=Policy.EXACT,
)
REMARK = Kind(
    name="remark",
    key=("id",),
    fields=(Field(name="id", type=Type.INTEGER),),
    references=(Reference(name="target", to="task", also=("person",), shared={}, nullable=True),),
    policy=Policy.EXACT,
)
TASK_SUM = Kind(
    name="task_sum",
    key=("number",),
    part_of="task",
    fields=(Field(name="remarks", type=Type.INTEGER, default=0),),
    references=(
        Reference(name="task", to="task", shared={"number": "number"}),
        Reference(name="last", to="remark", shared={}, nullable=True),
    ),
    policy=Policy.EXACT,
)
WORK = Vocabulary((TASK, TASK_SUM, PERSON, PROFILE, TAG, TAGGED, REMARK))

SQL = """
CREATE TABLE content_types (id INTEGER PRIMARY KEY, model TEXT NOT NULL);
INSERT INTO content_types VALUES (11, 'task'), (12, 'person');
CREATE TABLE tasks (id {always}, number INTEGER NOT NULL UNIQUE, title TEXT NOT NULL, owner_id INTEGER,
    remarks INTEGER NOT NULL, last_id INTEGER);
CREATE TABLE people (id {serial}, login TEXT NOT NULL UNIQUE, works_on_id INTEGER REFERENCES tasks);
CREATE TABLE profiles (person_id INTEGER PRIMARY KEY REFERENCES people, words TEXT NOT NULL);
CREATE TABLE tags (name TEXT PRIMARY KEY, colour TEXT NOT NULL);
CREATE TABLE task_tags (task_id INTEGER NOT NULL REFERENCES tasks, tag TEXT NOT NULL REFERENCES tags,
    PRIMARY KEY (task_id, tag));
CREATE TABLE remarks (id INTEGER PRIMARY KEY, content_type_id INTEGER REFERENCES content_types, object_id TEXT)
"""
IDS = {
    "sqlite": {"always": "INTEGER PRIMARY KEY AUTOINCREMENT", "serial": "INTEGER PRIMARY KEY"},
    "postgresql": {"always": "INT GENERATED ALWAYS AS IDENTITY PRIMARY KEY", "serial": "SERIAL PRIMARY KEY"},
}


def work(**more: Any) -> Tables:
    tables = Tables(WORK)
    tables.table("task", "tasks", ids="database")
    tables.table("person", "people", ids="database")
    tables.table("profile", "profiles")
    tables.table("tag", "tags")
    tables.table("tagged", "task_tags", columns={"tag": ref("tag")})
    kinds = {kind: lookup("content_types", model=kind) for kind in ("task", "person")}
    tables.table("remark", "remarks", columns={"target": generic("content_type_id", "object_id", **kinds)}, **more)
    return tables


def made(kind: str, key: dict[str, str | int], **data: Json) -> Event:
    return Event(project=PROJECT, kind=kind, key=key, data=data)


def all_of_it() -> list[Event]:
    return [
        made("task", {"number": 1}, title="one", owner="ann"),
        made("task", {"number": 2}, title="two", owner=None),
        made("task_sum", {"number": 2}, remarks=5, last=3),
        made("person", {"login": "ann"}, works_on=2),
        made("person", {"login": "bob"}, works_on=None),
        made("profile", {"login": "bob"}, words="hello"),
        made("tag", {"name": "red"}, colour="ff0000"),
        made("tagged", {"number": 1, "name": "red"}),
        made("tagged", {"number": 2, "name": "red"}),
        made("remark", {"id": 1}, target={"kind": "person", "key": {"login": "ann"}}),
        made("remark", {"id": 2}, target={"kind": "task", "key": {"number": 2}}),
        made("remark", {"id": 3}, target=None),
    ]


@pytest.fixture(params=MAKES)
def database(request: pytest.FixtureRequest, make_url: Urls) -> Iterable[Database]:
    database = open_database(make_url.ready(request.param), create=True)
    do(database, SQL.format(**IDS[request.param]))
    yield database
    database.engine.dispose()


def record(database: Database, facts: Iterable[Event]) -> Any:
    return note(database, facts, slug=PROJECT, domain=WORK)


TASKS = "SELECT t.number, p.login, t.remarks FROM tasks t LEFT JOIN people p ON p.id = t.owner_id ORDER BY 1"
PEOPLE = "SELECT p.login, t.number FROM people p LEFT JOIN tasks t ON t.id = p.works_on_id ORDER BY 1"


def test_every_scheme_of_ids(database: Database) -> None:
    do(database, "INSERT INTO tasks (number, title, remarks) VALUES (99, 'mine', 0)")
    run = record(database, all_of_it())
    assert changed(show(database, run, work()))[0] == 12
    assert do(database, TASKS) == [(1, "ann", 0), (2, None, 5), (99, None, 0)]
    assert do(database, "SELECT id FROM tasks ORDER BY id") == [(1,), (2,), (3,)]
    assert do(database, PEOPLE) == [("ann", 2), ("bob", None)]
    assert do(database, "SELECT login, words FROM profiles JOIN people ON id = person_id") == [("bob", "hello")]
    assert do(database, "SELECT count(*), min(tag) FROM task_tags JOIN tasks ON id = task_id") == [(2, "red")]
    targets = (
        "SELECT r.id, model, p.login, t.number FROM remarks r LEFT JOIN content_types c ON c.id = content_type_id "
        "LEFT JOIN people p ON model = 'person' AND cast(p.id AS varchar(9)) = object_id "
        "LEFT JOIN tasks t ON model = 'task' AND cast(t.id AS varchar(9)) = object_id ORDER BY 1"
    )
    assert do(database, targets) == [(1, "person", "ann", None), (2, "task", None, 2), (3, None, None, None)]
    assert changed(show(database, run, work())) == (0, 0, 0)
    assert faults(database, work()) == []
    do(database, "INSERT INTO tasks (number, title, remarks) VALUES (98, 'mine', 0)")
    assert do(database, "SELECT id FROM tasks WHERE number = 98") == [(4,)]


def test_a_sequence_that_is_behind_gives_no_id_of_another_row(database: Database) -> None:
    """Rows that somebody inserted with ids of their own, as fixtures do, move no sequence."""
    theirs = [(number, f"their {number}") for number in range(1, 41)]
    do(database, f"INSERT INTO people (id, login) VALUES {', '.join(map(str, theirs))}")
    run = record(database, all_of_it())
    show(database, run, work())
    assert do(database, "SELECT id, login FROM people WHERE id <= 40 ORDER BY id") == theirs
    ours = do(database, "SELECT login FROM people WHERE id > 40 ORDER BY id")
    assert ours == [("ann",), ("bob",)]
    assert changed(show(database, run, work())) == (0, 0, 0)


def test_a_row_goes_along_when_a_part_of_its_primary_key_changes_that_the_kinds_key_does_not_hold(
    database: Database,
) -> None:
    """A number with a fraction is in primary keys of published applications, and in no kind's key."""
    fields = (Field(name="name"), Field(name="value", type=Type.FLOAT), Field(name="unit"))
    measure = Kind(name="measure", key=("name",), fields=fields, policy=Policy.EXACT)
    measures = Vocabulary((measure,))
    tables = Tables(measures)
    tables.table("measure", "measures", ids="key")
    do(database, "CREATE TABLE measures (name TEXT, value FLOAT, unit TEXT, PRIMARY KEY (name, value))")
    do(database, "INSERT INTO measures VALUES ('height', 9, 'their own')")

    def of(value: float, unit: str) -> Any:
        facts = [
            made("measure", {"name": "height"}, value=value, unit=unit),
            made("measure", {"name": "x"}, value=1, unit="m"),
        ]
        return note(database, facts, slug=PROJECT, domain=measures)

    assert changed(show(database, of(1.5, "m"), tables)) == (2, 0, 0)
    for value, unit in ((2.25, "m"), (3.5, "ft")):
        run = of(value, unit)
        assert changed(show(database, run, tables)) == (0, 1, 0)
        rows = [("height", value, unit), ("height", 9, "their own"), ("x", 1, "m")]
        assert do(database, "SELECT * FROM measures ORDER BY name, value") == rows
        assert changed(show(database, run, tables)) == (0, 0, 0)
        assert faults(database, tables) == []
    fewer = note(database, [made("measure", {"name": "x"}, value=1, unit="m")], slug=PROJECT, domain=measures)
    assert changed(show(database, fewer, tables)) == (0, 0, 1)


def test_what_leaves_takes_its_part_and_children_along(database: Database) -> None:
    show(database, record(database, all_of_it()), work())
    fewer = [
        one for one in all_of_it() if one.key.get("number") != 2 and one.key.get("id") != 2 and one.kind != "person"
    ]
    fewer = [one for one in fewer if one.kind not in {"profile", "remark"}] + [
        made("task", {"number": 3}, title="three", owner=None)
    ]
    fewer = [
        made("task", {"number": 1}, title="one", owner=None) if one.key == {"number": 1} and one.kind == "task" else one
        for one in fewer
    ]
    show(database, record(database, fewer), work())
    assert do(database, TASKS) == [(1, None, 0), (3, None, 0)]
    assert do(database, "SELECT count(*) FROM people") == do(database, "SELECT count(*) FROM remarks") == [(0,)]
    assert faults(database, work()) == []
    show(database, record(database, all_of_it()), work())
    assert do(database, TASKS) == [(1, "ann", 0), (2, None, 5)]
    assert do(database, "SELECT number, last_id FROM tasks ORDER BY 1") == [(1, None), (2, 3)]
    assert do(database, PEOPLE) == [("ann", 2), ("bob", None)]
    without_part = [one for one in all_of_it() if one.kind != "task_sum"]
    show(database, record(database, without_part), work())
    assert do(database, TASKS) == [(1, "ann", 0), (2, None, 0)]
    assert do(database, "SELECT number, last_id FROM tasks ORDER BY 1") == [(1, None), (2, None)]
    assert faults(database, work()) == []


def test_a_circle_that_nothing_can_break_is_refused(database: Database) -> None:
    tables = work()
    if database.name == "postgresql":
        do(database, "ALTER TABLE tasks ALTER owner_id SET NOT NULL")
    else:
        do(database, "ALTER TABLE tasks DROP COLUMN owner_id")
        do(database, "ALTER TABLE tasks ADD COLUMN owner_id INTEGER NOT NULL DEFAULT 0")
    with pytest.raises(Misuse, match=r"tasks\.owner_id is NOT NULL"):
        check_fit(database, tables)


def test_a_reference_to_several_kinds_needs_two_columns(database: Database) -> None:
    tables = Tables(WORK)
    tables.leave_out("task task_sum person profile tag tagged")
    tables.table("remark", "remarks")
    with pytest.raises(Misuse, match=r"remark\.target refers to several kinds; name its columns"):
        check_fit(database, tables)


def test_a_text_id_without_a_value_is_refused(database: Database) -> None:
    tables = Tables(WORK)
    tables.leave_out("task task_sum person profile tagged remark")
    tables.table("tag", "tags", columns={"name": initial("x"), "colour": field("colour")}, leave_out="name")
    check_fit(database, tables)
    do(database, "CREATE TABLE coded (code TEXT PRIMARY KEY, colour TEXT)")
    tables = Tables(WORK)
    tables.leave_out("task task_sum person profile tagged remark")
    tables.table("tag", "coded", leave_out="name")
    with pytest.raises(Misuse, match=r"its id code is (TEXT|text), for which no id can be made"):
        check_fit(database, tables)


BOSSES = """
CREATE TABLE bosses (id INTEGER PRIMARY KEY, login TEXT NOT NULL UNIQUE, boss_id INTEGER REFERENCES bosses, room TEXT UNIQUE)
"""
BOSS = Kind(
    name="boss",
    key=("login",),
    fields=(Field(name="login"), Field(name="room", nullable=True)),
    references=(Reference(name="boss", to="boss", shared={}, nullable=True),),
    policy=Policy.EXACT,
)


def test_a_row_that_is_there_comes_to_lead_to_a_new_one_of_its_table(database: Database) -> None:
    """The new row may take a unique value of the old one, too, so neither of the two can be written as a whole first."""
    do(database, BOSSES)
    domain = Vocabulary((BOSS,))
    tables = Tables(domain)
    tables.table("boss", "bosses", ids="database")

    def shown(*people: tuple[str, str | None, str]) -> tuple[int, int, int]:
        facts = [made("boss", {"login": login}, boss=boss, room=room) for login, boss, room in people]
        return changed(show(database, note(database, facts, slug=PROJECT, domain=domain), tables))

    assert shown(("ann", None, "1")) == (1, 0, 0)
    assert shown(("ann", "bob", "2"), ("bob", "ann", "1")) == (1, 1, 0)
    query = "SELECT p.login, b.login, p.room FROM bosses p LEFT JOIN bosses b ON b.id = p.boss_id ORDER BY 1"
    assert do(database, query) == [("ann", "bob", "2"), ("bob", "ann", "1")]
    assert shown(("ann", None, "2"), ("cem", "ann", "3")) == (1, 1, 1)

"""What rows of files become, and how one that does not fit is told; without a command and without a journal."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import pytest

from seedjournal import Domain, Json, Kind, Places, at, csv, json_lines, sql
from seedjournal.journal import BadInput, Misuse
from seedjournal.simulators.facts import Asked, Facts, Run, as_facts
from seedjournal.simulators.kinds import DeclarationError
from tests.seedjournal.commands import execute


class Shelf(Kind, key=("room", "number")):
    room: str
    number: int


class Thing(Kind, key="code"):
    code: str
    width: int
    price: Annotated[Decimal, Places(2)] | None = None
    seen: datetime | None = None
    more: Json = None
    shelf: Shelf | None = None


things = Domain("things", kinds=(Shelf, Thing))


def stated(facts: Facts, folder: Path, kind: type[Kind] = Thing) -> list[Any]:
    asked = Asked(folder=folder, settings={}, run=Run(project="things", seed=42))
    return list(facts.entities(kind.__declared__, asked))


def of_lines(folder: Path, *lines: str) -> list[Any]:
    (folder / "things.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return stated(json_lines("things.jsonl"), folder)


def of_csv(folder: Path, text: str | bytes) -> list[Any]:
    (folder / "things.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return stated(csv("things.csv"), folder)


def test_each_line_of_json_may_have_other_names(tmp_path: Path) -> None:
    one, other, third = of_lines(
        tmp_path,
        '{"code": "a", "width": 1}',
        '{"code": "b", "width": 2, "price": 1.50}',
        '{"width": 3, "code": "c", "seen": "2026-01-05T09:00:00Z"}',
    )
    assert (one.price, other.price, third.price) == (None, Decimal("1.50"), None)
    assert third.seen == datetime(2026, 1, 5, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"code": "b"}', "line 2: the column 'width' is missing"),
        ('{"code": "b", "width": 1, "widht": 2}', "line 2: the column 'widht' is not a field of Thing (the nearest is"),
        ('{"code": ["b"], "width": 1}', "line 2, field code: ['b'] does not fit: it is not a text"),
        ('{"code": true, "width": 1}', "line 2, field code: True does not fit: it is not a text"),
        ('{"code": "b", "width": 1.5}', "line 2, field width: Decimal('1.5') does not fit: it is not an integer"),
    ],
)
def test_a_later_line_that_does_not_fit_is_told(line: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput) as error:
        of_lines(tmp_path, '{"code": "a", "width": 1}', line)
    assert told in error.value.message


@pytest.mark.parametrize("value", ["plain", "", "[1]", 1.5, [1, {"a": 2.5}], None, True])
def test_json_values_of_json_lines_are_what_they_are(value: Any, tmp_path: Path) -> None:
    import json

    (one,) = of_lines(tmp_path, json.dumps({"code": "a", "width": 1, "more": value}))
    assert one.more == value


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("code,width,seen\na,1,0001-01-01T00:00:00+05:00\n", "field seen: '0001-01-01T00:00:00+05:00' does not fit"),
        ("code,width,seen\na,1,5.1.2026\n", "write an instant such as 2026-01-05T09:00:00Z"),
        ("code,width\na,x\n", "line 2, field width: 'x' does not fit: write an integer such as 12"),
        ("code,width\na," + "9" * 5000 + "\n", "line 2, field width: '99"),
        ("code,width,shelf.room\na,1,r\n", "line 2: the reference 'shelf' lacks its part 'number'"),
        ("code,width,shelf.room,shelf.nr\na,1,r,2\n", "line 2: the reference 'shelf' has no part 'nr'"),
        ("code,width,shelf\na,1,r\n", "line 2: the reference 'shelf' has several parts"),
        ('code,width\n"a,1\n', "things.csv, line 2: unexpected end of data"),
        ("code,width\nä,1\n".encode("latin-1"), "things.csv is not utf-8 text"),
    ],
)
def test_a_row_that_does_not_fit_is_told(text: str | bytes, told: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput) as error:
        of_csv(tmp_path, text)
    assert told in error.value.message


def test_a_long_text_and_blank_lines_first_are_read(tmp_path: Path) -> None:
    (one,) = of_csv(tmp_path, "\n\ncode,width\n" + "x" * 200_000 + ",1\n")
    assert len(one.code) == 200_000


@pytest.mark.parametrize("wrong", [{"delimiter": ";;"}, {"encoding": "nope"}])
def test_a_file_that_cannot_be_read_so_is_refused_at_once(wrong: dict[str, str]) -> None:
    with pytest.raises(Misuse, match=next(iter(wrong.values()))):
        csv("things.csv", **wrong)


@pytest.mark.parametrize("source", ["things.csv", None, {"code": "a"}])
def test_what_states_no_facts_is_refused(source: Any) -> None:
    with pytest.raises(Misuse, match="is not a source of facts"):
        as_facts(source)


def test_a_list_of_something_else_is_refused_when_it_is_declared() -> None:
    with pytest.raises(DeclarationError, match=r"\{'code': 'a'\} is not a Thing"):
        things.facts(Thing, [{"code": "a"}, Shelf(room="a", number=1)])


@pytest.mark.parametrize(("made", "told"), [(3, "gives a int"), ([1], "is not a Thing")])
def test_a_function_that_states_something_else_is_told(made: Any, told: str, tmp_path: Path) -> None:
    def wrong() -> Any:
        return made

    with pytest.raises(BadInput) as error:
        stated(as_facts(wrong), tmp_path)
    assert told in error.value.message


def test_a_function_that_raises_is_told_with_its_line(tmp_path: Path) -> None:
    def breaks() -> Iterator[Thing]:
        yield Thing(code="a", width=1)
        raise ValueError("no more")

    with pytest.raises(BadInput) as error:
        stated(as_facts(breaks), tmp_path)
    assert "The function breaks, which states facts, failed: ValueError: no more" in error.value.message
    assert 'in breaks: raise ValueError("no more")' in error.value.message


def test_a_value_of_another_type_in_a_list_is_told_with_its_entity(tmp_path: Path) -> None:
    asked = Asked(folder=tmp_path, settings={}, run=Run(project="things", seed=42))
    wrong: Any = "wide"
    with pytest.raises(BadInput, match=r"<thing a> of the list .* 'wide', of type str, is not an integer"):
        as_facts([Thing(code="a", width=wrong)]).digest(asked)


@pytest.mark.parametrize(
    ("query", "told"),
    [("SELECT nope FROM shelves", "nope"), ("SELEC 1", "SELEC"), ("DELETE FROM shelves", "DELETE")],
)
def test_a_query_that_fails_is_told(query: str, told: str, url: str, tmp_path: Path) -> None:
    execute(url, "CREATE TABLE shelves (room TEXT, number INTEGER)")
    execute(url, "INSERT INTO shelves VALUES ('a', 1)")
    assert stated(sql(url, "SELECT * FROM shelves"), tmp_path, Shelf) == [Shelf(room="a", number=1)]
    with pytest.raises(BadInput) as error:
        stated(sql(url, query), tmp_path, Shelf)
    assert f"The query {query!r} failed: " in error.value.message
    assert told.lower() in error.value.message.lower()
    assert len(stated(sql(url, "SELECT * FROM shelves"), tmp_path, Shelf)) == 1


def test_a_database_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="there is no database"):
        stated(sql(f"sqlite:///{tmp_path}/none.db", "SELECT 1"), tmp_path, Shelf)


class House(Kind, key="house"):
    house: str


class Door(Kind, key=("house", "number")):
    house: House
    number: int


class Bell(Kind, key=("door", "name")):
    door: Door
    name: str
    rings: Door | None = None
    any: House | Door | None = None


bells = Domain("bells", kinds=(House, Door, Bell))


def test_a_reference_shares_the_beginning_of_a_key_that_several_columns_give(tmp_path: Path) -> None:
    (tmp_path / "bells.csv").write_text("door.house,door.number,name,rings\nred,1,a,2\nred,1,b,\n")
    one, other = stated(csv("bells.csv"), tmp_path, Bell)
    assert (one.rings, other.rings) == (at(Door, house="red", number=2), None)
    (tmp_path / "bells.csv").write_text("name,rings\na,2\n")
    (one,) = stated(csv("bells.csv", door=at(Door, house="red", number=1)), tmp_path, Bell)
    assert (one.door.number, one.rings) == (1, at(Door, house="red", number=2))


def test_a_column_cannot_say_to_which_of_several_kinds_it_leads(tmp_path: Path) -> None:
    (tmp_path / "bells.csv").write_text("door.house,door.number,name,any\nred,1,a,\nred,1,b,red\n")
    with pytest.raises(BadInput, match=r"line 3, field any: 'red' does not fit: it may be a House or Door") as error:
        stated(csv("bells.csv"), tmp_path, Bell)
    assert "with a function" in error.value.message
    (tmp_path / "bells.csv").write_text("door.house,door.number,name\nred,1,a\n")
    (one,) = stated(csv("bells.csv", any=at(House, house="red")), tmp_path, Bell)
    assert one.any == at(House, house="red")


def test_a_query_may_have_colons_and_percents_and_no_two_columns_of_a_name(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path}/things.db"
    execute(address, "CREATE TABLE t (a)")
    (one,) = stated(sql(address, "SELECT 'x :y 100%' AS code, 1 AS width WHERE 'a' LIKE '%a%'"), tmp_path)
    assert one.code == "x :y 100%"
    with pytest.raises(BadInput, match="gives two columns named 'code'"):
        stated(sql(address, "SELECT 'x' AS code, 'y' AS code, 1 AS width"), tmp_path)
    with pytest.raises(Misuse, match="needs two texts"):
        sql(None, "SELECT 1")  # type: ignore[arg-type]


def test_what_has_no_signature_is_no_function_of_facts(tmp_path: Path) -> None:
    with pytest.raises(Misuse, match="dict cannot state facts"):
        stated(as_facts(dict), tmp_path)


def test_what_is_no_kind_cannot_be_referred_to() -> None:
    with pytest.raises(BadInput, match=r"at\(<class 'int'>, …\): that is no kind"):
        at(int, a=1)  # type: ignore[arg-type]

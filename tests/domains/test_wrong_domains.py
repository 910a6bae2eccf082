"""What is wrong with a domain is reported by name, and nothing is recorded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.seedjournal.commands import Done

Run = Callable[..., Done]
Declare = Callable[..., Path]

SHELF = """
    class Shelf(Kind, key="code"):
        code: str
        width: int

    class Thing(Kind, key=("shelf", "number")):
        shelf: Shelf
        number: int
        note: str

    one = Domain("one", kinds=(Shelf, Thing), today=date(2026, 1, 5))
"""
TWO = (
    SHELF
    + """
    one.facts(Shelf, [Shelf(code="a", width=1), Shelf(code="b", width=2)])
"""
)


def refused(run: Run, status: int, *arguments: str) -> str:
    error = run("record", "--project", "one", "--json", *arguments, status=status).error
    assert not Path("seedjournal.db").exists()
    return f"{error['message']} {error['hint']}"


def test_everything_wrong_with_a_declaration_is_told_at_once(declare: Declare, run: Run) -> None:
    declare(
        """
        class Shelf(Kind, key="cod"):
            code: str
            thing: Annotated[complex, Size(3)]

        class Book(Kind, key=("shelf", "shelf2")):
            shelf: Shelf
            shelf2: Shelv
            note: "str | None"

        one = Domain("one", kinds=(Shelf, Book))
        """
    )
    told = refused(run, 2)
    assert "complex" in told
    assert "Shelv" in told
    assert "Shelf" in told


@pytest.mark.parametrize(
    ("kinds", "told"),
    [
        ('class A(Kind, key="b"):\n    a: str', "'b', which is not a field (the nearest is 'a')"),
        ('class A(Kind, key="a"):\n    a: str | None', "may be null"),
        ("class A(Kind):\n    a: str", "has no key"),
        ('class A(Kind, key="a"):\n    a: float', "cannot be in a key"),
        ('class A(Kind, key="a", policy="never"):\n    a: str', "once, upsert and exact"),
    ],
)
def test_a_key_that_cannot_be_is_refused(kinds: str, told: str, declare: Declare, run: Run) -> None:
    folder = declare("")
    seeds = folder / "seeds.py"
    seeds.write_text(seeds.read_text() + kinds + '\none = Domain("one", kinds=(A,))\n')
    assert told in refused(run, 2)


@pytest.mark.usefixtures("repeated_elsewhere")
@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("note=str(random())", "thing.note"),
        ("note=str(uuid4())", "thing.note"),
        ('note=",".join({*map(str, range(64))})', "thing.note"),
        ("note=str(next(counter))", "thing.note"),
        ("note=str(time_ns())", "thing.note"),
    ],
)
def test_an_impure_simulator_is_refused_by_name(line: str, field: str, declare: Declare, run: Run) -> None:
    declare(
        "from itertools import count\nfrom random import random\nfrom time import time_ns\nfrom uuid import uuid4\n"
        "counter = count()\n" + __import__("textwrap").dedent(TWO) + "@one.simulate(each=Shelf)\n"
        "def things(shelf: Shelf) -> Iterator[Thing]:\n"
        f"    yield Thing(shelf=shelf, number=1, {line})\n"
    )
    told = refused(run, 3)
    assert "things" in told
    assert field in told
    assert "not pure" in told


def test_a_simulator_that_raises_names_the_entity_and_the_users_line(declare: Declare, run: Run) -> None:
    declare(
        TWO
        + """
    @one.simulate(each=Shelf)
    def things(shelf: Shelf) -> Iterator[Thing]:
        yield Thing(shelf=shelf, number=1 // (shelf.width - 2), note="")
    """
    )
    told = refused(run, 3)
    assert "things" in told
    assert "shelf b" in told
    assert "ZeroDivisionError" in told
    assert "shelf.width - 2" in told


def test_two_entities_of_one_key_are_both_named(declare: Declare, run: Run) -> None:
    declare(
        TWO
        + """
    @one.simulate(each=Shelf)
    def things(shelf: Shelf) -> Iterator[Thing]:
        yield Thing(shelf=shelf, number=1, note="x")
        yield Thing(shelf=shelf, number=1, note="y")
    """
    )
    told = refused(run, 3)
    assert "thing a/1" in told
    assert "twice" in told


def test_two_entities_that_share_a_unique_value_are_both_named(declare: Declare, run: Run) -> None:
    declare(
        """
    class Shelf(Kind, key="code", unique=["place"]):
        code: str
        place: int

    one = Domain("one", kinds=(Shelf,), today=date(2026, 1, 5))
    one.facts(Shelf, [Shelf(code="a", place=7), Shelf(code="b", place=7)])
    """
    )
    told = refused(run, 3)
    assert "a and b" in told
    assert "place" in told


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("code,width\na,1\nb,x\n", "line 3, field width: 'x'"),
        ("code,width\na,\n", "line 2, field width: ''"),
        ("code,with\na,1\n", "'with' is not a field of Shelf (the nearest is 'width')"),
        ("code,width\na,1,2\n", "line 2: 3 values for 2 columns"),
    ],
)
def test_a_wrong_fact_is_told_by_file_line_and_field(content: str, told: str, declare: Declare, run: Run) -> None:
    folder = declare(SHELF + '\n    one.facts(Shelf, csv("shelf.csv"))\n')
    (folder / "shelf.csv").write_text(content)
    found = refused(run, 3)
    assert told in found
    assert "shelf.csv" in found


def test_a_draw_by_one_name_twice_is_refused(declare: Declare, run: Run) -> None:
    declare(
        TWO
        + """
    @one.simulate(each=Shelf)
    def things(shelf: Shelf, draw: Draw) -> Iterator[Thing]:
        yield Thing(shelf=shelf, number=draw.integer("n", 1, 9), note=str(draw.integer("n", 1, 9)))
    """
    )
    assert "draws 'n' twice" in refused(run, 3)


def test_simulators_that_wait_for_one_another_are_refused(declare: Declare, run: Run) -> None:
    declare(
        TWO
        + """
    @one.simulate(each=Shelf)
    def things(shelf: Shelf, all_: All[Thing]) -> Iterator[Thing]:
        yield Thing(shelf=shelf, number=1, note="")
    """
    )
    assert "circle" in refused(run, 2)


def test_another_type_than_declared_is_refused_by_field(declare: Declare, run: Run) -> None:
    declare(
        TWO
        + """
    @one.simulate(each=Shelf)
    def things(shelf: Shelf) -> Iterator[Thing]:
        yield Thing(shelf=shelf, number=1, note=5)
    """
    )
    assert "thing.note: 5 is a int, not text" in refused(run, 3)


def test_a_field_that_is_not_loaded_says_what_to_take(declare: Declare, run: Run) -> None:
    declare(
        TWO
        + """
    class Label(Kind, key="code"):
        code: str
        thing: Thing

    two = Domain("one", kinds=(Shelf, Thing, Label), today=date(2026, 1, 5))
    two.facts(Shelf, [Shelf(code="a", width=1)])
    two.facts(Thing, [Thing(shelf=at(Shelf, code="a"), number=1, note="n")])
    two.facts(Label, [Label(code="x", thing=at(Thing, shelf="a", number=1))])

    class Copy(Kind, key="label"):
        label: Label
        note: str

    one = Domain("one", kinds=(Shelf, Thing, Label, Copy), today=date(2026, 1, 5))
    one.stated = two.stated

    @one.simulate(each=Label)
    def copies(label: Label) -> Iterator[Copy]:
        yield Copy(label=label, note=label.thing.note)
    """
    )
    assert "All[Thing]" in refused(run, 3)

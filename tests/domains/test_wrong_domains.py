"""What is wrong with a domain is reported by name, and nothing is recorded."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import pytest

from seedjournal import Domain, Fixed, KeyAs, Kind, Places, Size
from seedjournal.journal import Misuse
from seedjournal.simulators.domain import load_domain
from seedjournal.simulators.kinds import DeclarationError
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


def test_two_rows_of_one_key_are_told_by_their_lines(declare: Declare, run: Run) -> None:
    declare(SHELF + "    one.facts(Shelf, csv('a.csv'))\n", a_csv="code,width\na,1\nb,1\na,2\n")
    assert "shelf a is made twice: by facts:a.csv and by facts:a.csv (a.csv, line 2; a.csv, line 4)." in refused(run, 3)


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
    assert "thing.note: 5, of type int, is not text" in refused(run, 3)


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


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (
            "import nothing_such",
            "No module named 'nothing_such'\n  seeds.py, line 12, in <module>: import nothing_such",
        ),
        ("def (", "SyntaxError: invalid syntax\n  seeds.py, line 12: def ("),
        ("raise SystemExit(3)", "SystemExit: 3\n  seeds.py, line 12, in <module>: raise SystemExit(3)"),
        ("one.facts(Shelf, [Shelf(cod=1)])", "unexpected keyword argument 'cod'\n  seeds.py, line 12, in <module>"),
    ],
)
def test_a_module_that_cannot_be_imported_is_told_with_its_line(
    lines: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = "from seedjournal import Domain, Kind\n\n\nclass Shelf(Kind, key='code'):\n    code: str\n\n\n"
    (tmp_path / "seeds.py").write_text(f"{head}one = Domain('one', kinds=(Shelf,))\n\n\n\n{lines}\n")
    monkeypatch.delitem(sys.modules, "seeds", raising=False)
    with pytest.raises(Misuse) as error:
        load_domain("seeds:one", tmp_path)
    assert "The module 'seeds' cannot be imported: " in error.value.message
    assert told in error.value.message


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"kinds": (int,)}, "kinds names <class 'int'>, which is no subclass of Kind"),
        ({"kinds": ()}, "it has no kinds"),
        ({"kinds": Kind}, "is no list of kinds"),
        ({"today": "2026-01-05"}, "today='2026-01-05' is no date"),
        ({"today": datetime(2026, 1, 5, tzinfo=UTC)}, "is no date"),
        ({"settings": {"a": [1]}}, "the setting 'a' is [1]"),
        ({"settings": {"a": float("nan")}}, "the setting 'a' is nan"),
        ({"settings": {1: 2}}, "the setting 1 is named by something else than a text"),
        ({"policy_groups": {"all_of_them": Kind}}, "the policy group 'all_of_them' is <class"),
    ],
)
def test_wrong_arguments_of_a_domain_are_refused(wrong: dict[str, Any], told: str) -> None:
    class Shelf(Kind, key="code"):
        code: str

    arguments: dict[str, Any] = {"kinds": (Shelf,), **wrong}
    with pytest.raises(DeclarationError) as error:
        Domain("one", **arguments)
    assert told in error.value.message


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ("shelf: Shelf, /", "the parameter 'shelf' cannot be given by its name"),
        ("*shelf: Shelf", "the parameter 'shelf' cannot be given by its name"),
        ("shelf: Shelf, all: All[Shelf | Thing]", "all takes all seeds.Shelf | seeds.Thing, which is not among"),
        ("shelf: Shelf, its: Its[Shelf | Thing]", "its takes Its[seeds.Shelf | seeds.Thing], which needs"),
        ("shelf: Shelf, its: Its[Thing] = by(3)", "its: by(3) is not a field of Thing"),
        ("shelf: Shelf, sees: Vague", "the summary Vague does not say what it sees"),
        ("shelf: Shelf, sees: Strange", "the summary Strange sees Other, which is not among the kinds"),
    ],
)
def test_what_a_simulator_cannot_take_is_refused(parameters: str, told: str, declare: Declare, run: Run) -> None:
    declare(
        TWO
        + f"""
    class Other(Kind, key="code"):
        code: str

    class Vague(Summary):
        pass

    class Strange(Summary[Other]):
        pass

    @one.simulate(each=Shelf)
    def things({parameters}) -> Iterator[Thing]:
        yield from ()
    """
    )
    assert told in refused(run, 2)


@pytest.mark.parametrize(
    ("setting", "told"), [("rate=nan", "a finite number"), ("n=99999999999999999999", "within ±(2^53 - 1)")]
)
def test_a_setting_that_cannot_be_recorded_is_refused(setting: str, told: str) -> None:
    class Shelf(Kind, key="code"):
        code: str

    one = Domain("one", kinds=(Shelf,), settings={"n": 1, "rate": 0.5})
    name, _, value = setting.partition("=")
    with pytest.raises(Misuse) as error:
        one.settings_of({name: value}, "Project 'one'")
    assert told in error.value.message


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("yield Thing(shelf=None, number=1, note='')", "thing.shelf: None is not a Shelf"),
        (
            "yield Thing(shelf=shelf, number=1, note=3)",
            "yields <thing a/1> for <shelf a>, which does not fit: thing.no",
        ),
        ("yield draw.pick('x', [])", "failed for <shelf a>: pick('x', …): there is nothing to pick from."),
        ("raise SystemExit(3)", "failed for <shelf a>: SystemExit: 3"),
        ("return 3", "it gives a int, not entities"),
        ("yield from things(shelf, draw)", "RecursionError"),
    ],
)
def test_what_a_simulator_does_wrong_is_told_with_its_entity(line: str, told: str, declare: Declare, run: Run) -> None:
    declare(
        TWO
        + f"""
    @one.simulate(each=Shelf)
    def things(shelf: Shelf, draw: Draw) -> Iterator[Thing]:
        {line}
    """
    )
    error = refused(run, 3)
    assert "The simulator things" in error
    assert told in error
    assert len(error) < 2_000


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ({"b": Annotated[str, Size(0)]}, "Shelf.b: Size(0) must be an integer of 1 or more"),
        ({"b": Annotated[int, Size(3)]}, "Shelf.b: Size belongs to a str"),
        ({"b": Annotated[str, Size]}, "Shelf.b: write Size(…), with a value"),
        ({"b": Annotated[Decimal, Places(-1)]}, "Shelf.b: Places(-1) must be an integer of 0 or more"),
        ({"b": Annotated[Decimal, Places(12)]}, "Shelf.b: Places(12, 10) needs as many digits as places"),
        ({"b": Annotated[str, Places(2)]}, "Shelf.b: Places belongs to a Decimal"),
        ({"b": Annotated[str, Fixed()]}, "Shelf.b: Fixed belongs to a date or a datetime"),
        ({"b": Annotated[str, KeyAs("x")]}, "Shelf.b: KeyAs belongs to a reference"),
        ({"b": Enum("Empty", {})}, "Shelf.b: it has no values"),
        ({"_b": int}, "Shelf has a field named '_b', which begins with _"),
        ({"b": "Shelv", "c": "Shelw"}, "Shelf refers to 'Shelw', which is not known (the nearest is 'Shelf')"),
        ({"b": "3 |"}, "the annotations of Shelf cannot be read: SyntaxError"),
    ],
)
def test_a_field_that_cannot_be_is_refused_when_it_is_declared(kind: dict[str, Any], told: str) -> None:
    shelf = type("Shelf", (Kind,), {"__annotations__": {"code": str, **kind}}, key="code")
    with pytest.raises(DeclarationError) as error:
        Domain("one", kinds=(shelf,))
    assert told in error.value.message


@pytest.mark.parametrize(("hint", "value"), [(int, "x"), (Literal["a"], "b"), (str, None)])
def test_a_default_of_another_type_is_refused_when_it_is_declared(hint: Any, value: object) -> None:
    shelf = type("Shelf", (Kind,), {"__annotations__": {"code": str, "b": hint}, "b": value}, key="code")
    with pytest.raises(DeclarationError, match=r"the default of Shelf\.b"):
        Domain("one", kinds=(shelf,))


def test_everything_wrong_is_told_at_once_also_where_a_type_is_wrong() -> None:
    shelf = type("Shelf", (Kind,), {"__annotations__": {"code": str, "b": complex}}, key="code")
    book = type("Book", (Kind,), {"__annotations__": {"isbn": str, "n": int}, "n": "x"}, key="isbm", policy="never")
    with pytest.raises(DeclarationError) as error:
        Domain("one", kinds=(shelf, book))
    for told in ("complex", "'isbm', which is not a field", "never", "the default of Book.n"):
        assert told in error.value.message


def test_a_literal_may_name_none_and_a_class_have_variables() -> None:
    nullable = Literal["a", None]  # noqa: PYI061 - what people write
    hints = {"code": str, "b": nullable, "shown": ClassVar[int], "other": "ClassVar[int]"}
    shelf = type("Shelf", (Kind,), {"__annotations__": hints, "shown": 3}, key="code")
    (kind,) = Domain("one", kinds=(shelf,)).vocabulary.kinds
    assert [(one.name, one.nullable, one.choices) for one in kind.fields] == [("code", False, ()), ("b", True, ("a",))]
    assert getattr(shelf, "shown") == 3  # noqa: B009 - a class made here has no such attribute for a type checker


def test_a_domain_without_a_date_says_where_to_get_one() -> None:
    class Shelf(Kind, key="code"):
        code: str

    with pytest.raises(Misuse, match="was given no today"):
        _ = Domain("one", kinds=(Shelf,)).today

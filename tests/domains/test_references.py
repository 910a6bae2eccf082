"""An entity refers to what is there; else nothing is recorded, and both are named."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedjournal.simulators import referring
from seedjournal.simulators.referring import lacks
from tests.seedjournal.commands import Done

Run = Callable[..., Done]
Declare = Callable[..., Path]

HEAD = """
    class A(Kind, key="a", policy="upsert"):
        a: str

    class B(Kind, key=("a", "k")):
        a: A
        k: int
        other: A | None = None
        any: "A | B | None" = None

    one = Domain("one", kinds=(A, B), today=date(2026, 1, 5))
    one.facts(A, csv("a.csv"))

    @one.simulate(each=A)
    def things(a: A) -> Iterator[B]:
        yield B(a=a, k=1)
"""


@pytest.mark.parametrize(
    ("made", "told"),
    [
        ("B(a=a, k=2, other=at(A, a='no'))", "b x/2: its field 'other' refers to a no, which does not exist"),
        ("B(a=at(A, a='no'), k=2)", "b no/2: its field 'a' refers to a no, which does not exist"),
        ("B(a=a, k=2, any=at(A, a='no'))", "b x/2: its field 'any' refers to a no, which does not exist"),
        ("B(a=a, k=2, any=at(B, a='x', k=9))", "b x/2: its field 'any' refers to b x/9, which does not exist"),
    ],
)
def test_what_is_not_there_is_told(made: str, told: str, declare: Declare, run: Run) -> None:
    declare(HEAD + f"        yield {made}\n", a_csv="a\nx\n")
    assert told in run("record", "--project", "one", "--json", status=3).error["message"]
    assert not Path("seedjournal.db").exists()


def test_a_number_that_python_hashes_alike_is_another_key(declare: Declare, run: Run) -> None:
    made = "B(a=a, k=-2)\n        yield B(a=a, k=3, any=at(B, a='x', k=-1))"
    declare(HEAD + f"        yield {made}\n", a_csv="a\nx\n")
    told = "b x/3: its field 'any' refers to b x/-1, which does not exist"
    assert told in run("record", "--project", "one", "--json", status=3).error["message"]


def test_what_a_policy_keeps_is_there(declare: Declare, run: Run, at: str) -> None:
    del at
    folder = declare(HEAD + "        yield B(a=a, k=2, other=at(A, a='x'), any=at(B, a='x', k=1))\n", a_csv="a\nx\ny\n")
    run("record", "--project", "one")
    (folder / "a.csv").write_text("a\ny\n")  # x stays, as its policy says
    run("record", "--project", "one", "--yes")
    run("project")
    run("verify")


@given(st.sets(st.integers(-(2**63), 2**63 - 1)), st.sets(st.integers(-(2**63), 2**63 - 1)), st.booleans())
def test_pieces_say_what_a_set_says(known: set[int], wanted: set[int], is_subset: bool) -> None:
    wanted = known & wanted if is_subset else wanted
    before = referring._PIECE
    referring._PIECE = 3
    try:
        assert lacks(array("q", known), array("q", wanted)) == (not wanted <= known)
    finally:
        referring._PIECE = before

"""Names of fields and kinds that databases have opinions about."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from seedjournal import Domain, Kind
from seedjournal.journal import Misuse
from seedjournal.projectors import build_layout
from tests.seedjournal.commands import Done

Run = Callable[..., Done]
TABLE, FIELD = "t" * 63, "f" * 60  # FIELD_id has 63


def test_names_as_long_as_postgresql_keeps_them_work(declare: Callable[..., Path], run: Run, at: str) -> None:
    del at
    declare(
        f"""
    class Select(Kind, key="from_", table="select"):
        from_: str
        {FIELD}xyz: int

    class Order(Kind, key="key", table="{TABLE}"):
        key: str
        kind: str
        project: str
        data: str
        seed: int
        {FIELD}: Select

    one = Domain("one", kinds=(Select, Order), today=date(2026, 1, 5))
    to = Select(from_="a", {FIELD}xyz=1)
    one.facts(Select, [to])
    one.facts(Order, [Order(key="a", kind="b", project="c", data="d", seed=1, {FIELD}=to)])
    """
    )
    run("record", "--project", "one")
    run("project")
    run("verify")
    run("diff", "--target", "--exit-code")


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"id": int}, "shelf has a field id, and each table has a column id for itself"),
        ({"ID": int}, "shelf has a field ID, and each table has a column id for itself"),
        ({"name": str, "Name": str}, "shelfs.name and shelfs.Name differ in case only"),
        ({"x" * 64: str}, f"{'x' * 64} is longer than 63 bytes"),
    ],
)
def test_names_that_one_database_does_not_take_are_refused(fields: dict[str, type], told: str) -> None:
    shelf = type("Shelf", (Kind,), {"__annotations__": {"code": str, **fields}}, key="code")
    with pytest.raises(Misuse) as error:
        build_layout(Domain("one", kinds=(shelf,)).vocabulary)
    assert told in error.value.message


def test_tables_that_differ_in_case_only_are_refused() -> None:
    class Shelf(Kind, key="code", table="Things"):
        code: str

    class Book(Kind, key="isbn", table="things"):
        isbn: str

    with pytest.raises(Misuse, match="the tables Things and things differ in case only"):
        build_layout(Domain("one", kinds=(Shelf, Book)).vocabulary)

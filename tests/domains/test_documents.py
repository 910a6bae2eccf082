"""Documents: facts that simulators take and no table holds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.seedjournal.commands import Done, asked

Run = Callable[..., Done]
Declare = Callable[..., Path]

TILLS = """
from dataclasses import dataclass, field

from seedjournal import Document


@dataclass(frozen=True)
class Line:
    product: str
    price: Decimal
    count: int = 1


class Receipt(Document, key=("till", "number")):
    till: str
    number: int
    at: datetime
    lines: tuple[Line, ...] = ()
    note: str | None = None


class Till(Kind, key="code", policy="once"):
    code: str


class Product(Kind, key="name", policy="once"):
    name: str


class Sale(Kind, key=("till", "number"), policy="once"):
    till: Till
    number: int
    at: datetime
    total: Annotated[Decimal, Places(2)]
    clerk: str
    note: str | None


class Sold(Kind, key=("sale", "product"), policy="once"):
    sale: Sale
    product: Product
    count: int


class Day(Kind, key="number"):
    number: int
    sales: int


one = Domain("one", kinds=(Till, Product, Sale, Sold, Day), settings={"clerks": 3})
one.facts(Receipt, json_lines("receipts.jsonl"))


class Names(Summary[Receipt]):
    def __init__(self) -> None:
        self.tills: set[str] = set()
        self.products: set[str] = set()

    def see(self, entity: Receipt) -> None:
        self.tills.add(entity.till)
        self.products |= {line.product for line in entity.lines}


@one.simulate()
def names(names: Names) -> Iterator[Till | Product]:
    for till in sorted(names.tills):
        yield Till(code=till)
    for product in sorted(names.products):
        yield Product(name=product)


@one.simulate(each=Receipt)
def sales(receipt: Receipt, draw: Draw, settings: dict[str, int]) -> Iterator[Sale | Sold]:
    sale = Sale(
        till=at(Till, code=receipt.till),
        number=receipt.number,
        at=receipt.at,
        total=sum((line.price * line.count for line in receipt.lines), Decimal(0)),
        clerk=f"clerk {draw.integer('clerk', 1, settings['clerks'])}",
        note=receipt.note,
    )
    yield sale
    for line in receipt.lines:
        yield Sold(sale=sale, product=at(Product, name=line.product), count=line.count)


@one.simulate()
def days(receipts: All[Receipt]) -> Iterator[Day]:
    yield Day(number=1, sales=len(receipts))
"""


def receipt(till: str, number: int, *products: str, **others: Any) -> str:
    lines = [{"product": product, "price": 1.25, "count": 2} for product in products]
    return json.dumps({"till": till, "number": number, "at": "2026-01-05T09:00:00Z", "lines": lines, **others}) + "\n"


RECEIPTS = [receipt("a", 2, "tea", "milk"), receipt("a", 10, "tea"), receipt("b", 1, "milk", note="gift")]
RECORD = ("record", "--project", "one", "--json")


@pytest.mark.usefixtures("repeated_elsewhere")
def test_documents_become_entities(declare: Declare, run: Run, at: str) -> None:
    file = declare(TILLS, receipts_jsonl="".join(RECEIPTS)) / "receipts.jsonl"
    run(*RECORD)
    run("project")
    sales = asked(at, "SELECT t.code, s.number, s.total, s.note FROM sales s JOIN tills t ON t.id = s.till_id")
    assert sorted((till, number, float(total), note) for till, number, total, note in sales) == [
        ("a", 2, 5.0, None),
        ("a", 10, 2.5, None),
        ("b", 1, 2.5, "gift"),
    ]
    assert asked(at, "SELECT count(*) FROM solds") == [(4,)]
    assert asked(at, "SELECT sales FROM days") == [(3,)]
    assert not any("receipt" in name for (name,) in asked(at, "SELECT kinds FROM journal_kinds"))

    again = run(*RECORD).first
    assert (again["reused"], again["appended"]) == (True, 0)
    file.write_text("".join([receipt("a", 3, "tea"), *reversed(RECEIPTS)]))
    run(*RECORD)
    changes = run("diff", "--json").json["changes"]
    assert {(one["change"], one["kind"]) for one in changes} == {
        ("added", "sale"),
        ("added", "sold"),
        ("changed", "day"),
    }
    run("project")
    file.write_text("".join([receipt("a", 2, "tea", "milk", note="late"), *RECEIPTS[1:]]))
    run(*RECORD)
    run("project")
    assert asked(at, "SELECT count(*) FROM sales WHERE note = 'late'") == [(0,)]  # policy once
    assert asked(at, "SELECT count(*) FROM sales") == [(4,)]
    assert run("verify", "--json").json["ok"]


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([receipt("a", 2).replace("2,", '"x",', 1)], ["receipts.jsonl, line 1", "number", "int"]),
        ([RECEIPTS[0], '{"till": "a", "number": 3}\n'], ["receipts.jsonl, line 2", "`at`"]),
        ([RECEIPTS[0], receipt("a", 3, lines=[{"product": "tea"}])], ["receipts.jsonl, line 2", "lines[0]", "`price`"]),
        ([RECEIPTS[0], RECEIPTS[2], RECEIPTS[0]], ["Receipt a/2 is given twice", "line 1", "line 3"]),
    ],
)
def test_a_document_that_is_wrong_is_told_by_line_and_field(
    lines: list[str], told: list[str], declare: Declare, run: Run, at: str
) -> None:
    declare(TILLS, receipts_jsonl="".join(lines))
    refused = run("record", "--project", "one", status=3)
    assert [one for one in told if one not in refused.err] == [], refused.err


def test_documents_that_nothing_states_are_refused(declare: Declare, run: Run, at: str) -> None:
    declare(TILLS.replace('one.facts(Receipt, json_lines("receipts.jsonl"))', ""))
    refused = run("record", "--project", "one", status=2)
    assert "Receipt" in refused.err
    assert "no facts" in refused.err


@pytest.mark.parametrize(
    ("key", "told"),
    [('"nummer"', "nummer"), ("()", "no key"), ('("till", "note")', "note")],
)
def test_a_documents_key_names_fields_that_are_not_null(key: str, told: str, declare: Declare, run: Run) -> None:
    declare(TILLS.replace('Document, key=("till", "number")', f"Document, key={key}"), receipts_jsonl="")
    refused = run("record", "--project", "one", status=2)
    assert "Receipt" in refused.err
    assert told in refused.err


OF_A_ROOT = """
from seedjournal import Document


class Order(Document, key=("shop", "number")):
    shop: str
    number: int
    weight: float | None = None


class Shop(Kind, key="slug"):
    slug: str


class Parcel(Kind, key=("shop", "number")):
    shop: Shop
    number: int
    weight: float | None


one = Domain("one", kinds=(Shop, Parcel), root=Shop, today=date(2026, 1, 5))
one.facts(Shop, [Shop(slug="acme"), Shop(slug="bolt")])
one.facts(Order, csv("orders.csv"))


@one.simulate(each=Order)
def parcels(order: Order) -> Iterator[Parcel]:
    yield Parcel(shop=at(Shop, slug=order.shop), number=order.number, weight=order.weight)
"""


def test_a_project_takes_its_own_roots_documents(declare: Declare, run: Run, at: str) -> None:
    declare(OF_A_ROOT, orders_csv="shop,number,weight\nacme,1,2.5\nbolt,1,\nbolt,2,1\n")
    run("record", "--all")
    run("project")
    query = "SELECT s.slug, p.number, p.weight FROM parcels p JOIN shops s ON s.id = p.shop_id ORDER BY 1, 2"
    assert asked(at, query) == [("acme", 1, 2.5), ("bolt", 1, None), ("bolt", 2, 1.0)]

"""A shop: customers, some of them written by hand, and their orders. `seedjournal record --project acme`."""

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal

from seedjournal import Domain, Draw, Its, Kind, Places, Run, by, csv


class Shop(Kind, key="slug"):  # the root: a project is one shop
    slug: str
    name: str


class Customer(Kind, key=("shop", "email"), unique=["email"]):
    shop: Shop
    email: str
    name: str
    since: date


class Order(Kind, key=("shop", "number")):
    shop: Shop
    number: str
    customer: Customer  # `Customer | None` may be null
    placed_at: datetime
    status: Literal["paid", "shipped", "returned"]
    total: Annotated[Decimal, Places(2)]


class CustomerTotal(Kind, key="customer", part_of=Customer):  # more columns of the customer's own row
    customer: Customer
    orders: int


shop = Domain(
    "shop",
    root=Shop,
    kinds=(Shop, Customer, Order, CustomerTotal),
    settings={"customers": 1000, "orders": 6},
    today=date(2026, 1, 5),
)
shop.facts(Shop, [Shop(slug="acme", name="Acme")])
shop.facts(
    Customer, csv("vip.csv", shop="acme")
)  # a customer written by hand wins over a simulated one with the same key


@shop.simulate(each=Shop)  # called once for each shop
def customers(shop: Shop, draw: Draw, settings: dict[str, int]) -> Iterator[Customer]:
    for one in draw.many(
        "customers", settings["customers"]
    ):  # exactly so many; the first 100 of 1,000 are the 100 of 100
        yield Customer(
            shop=shop,
            email=one.email("email"),
            name=one.name("name"),
            since=one.day("since", date(2023, 1, 1), date(2025, 12, 1)),
        )


@shop.simulate(each=Customer)
def orders(customer: Customer, draw: Draw, settings: dict[str, int], run: Run) -> Iterator[Order]:
    for one in draw.many("orders", 0, settings["orders"]):
        yield Order(
            shop=customer.shop,
            number=one.code("number", 10),
            customer=customer,
            placed_at=one.instant("placed_at", customer.since, run.today),
            status=one.choose("status", {"paid": 8, "shipped": 3, "returned": 1}),
            total=one.decimal("total", 5, 500),
        )


@shop.simulate(each=Customer)
def totals(customer: Customer, orders: Its[Order] = by("placed_at")) -> Iterator[CustomerTotal]:
    yield CustomerTotal(customer=customer, orders=len(orders))

"""A law on the shop: whatever is recorded in whatever order under whatever policies, totals agree with the orders."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from seedjournal.journal import Database, Policy, open_database
from seedjournal.projectors import Choice, build_layout, check, project
from seedjournal.simulators.domain import Domain, load_domain
from seedjournal.simulators.domain_recording import DomainOptions, record_domain
from tests import scale
from tests.conftest import MAKES, Urls
from tests.domains.conftest import EXAMPLES

VIPS = ["vip@example.com,Vera Vip,2024-02-03", "v2@example.com,Vito,2024-03-03", "v3@example.com,Via,2025-01-01"]


@dataclass(frozen=True)
class Step:
    """One recording: who is written by hand, how many are simulated, and how."""

    vips: list[str]
    customers: int
    orders: int
    seed: int
    day: int
    policy: Policy
    fresh: bool


STEPS = st.builds(
    Step,
    vips=st.lists(st.sampled_from(VIPS), unique=True),
    customers=st.integers(0, 4),
    orders=st.integers(0, 3),
    seed=st.integers(1, 2),
    day=st.integers(1, 20),
    policy=st.sampled_from(Policy),
    fresh=st.booleans(),
)

WRONG_TOTALS = """
    SELECT email FROM customers WHERE orders <> (SELECT count(*) FROM orders WHERE customer_id = customers.id)"""


@pytest.fixture(scope="module", params=MAKES)
def shop(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, _ready: Callable[[str], str]
) -> Iterator[tuple[Database, Domain, Path]]:
    """A journal and target, and the shop in a folder of its own."""
    folder = tmp_path_factory.mktemp("laws")
    shutil.copytree(EXAMPLES / "shop", folder / "shop", ignore=shutil.ignore_patterns("__pycache__"))
    domain = load_domain("seeds:shop", folder / "shop")
    domain.module = None  # that its simulators are pure is tested elsewhere, and takes a process
    urls = Urls(folder, _ready)
    database = open_database(urls.ready(request.param), create=True)
    yield database, domain, folder / "shop"
    database.engine.dispose()
    urls.remove()


def carry_out(database: Database, domain: Domain, folder: Path, step: Step) -> Any:
    (folder / "vip.csv").write_text("\n".join(["email,name,since", *step.vips]) + "\n")
    options = DomainOptions(
        seed=step.seed,
        as_of=date(2026, 1, step.day),
        settings={"customers": step.customers, "orders": step.orders},
        policies={"shop": step.policy, "customer": step.policy},
        fresh=step.fresh,
    )
    return record_domain(database, domain, "acme", options, folder)[-1].run


@settings(max_examples=scale.times(3, 30))
@given(steps=st.lists(STEPS, min_size=2, max_size=4))
def test_totals_agree_with_the_orders_that_the_tables_show(
    shop: tuple[Database, Domain, Path], steps: list[Step]
) -> None:
    database, domain, folder = shop
    layout = build_layout(domain.vocabulary)
    for step in steps:
        run = carry_out(database, domain, folder, step)
        project(database, database, layout, run, Choice(delete_many=True))
        with database.read() as connection:
            assert connection.execute(text(WRONG_TOTALS)).all() == []
            assert [one.problem for one in check(connection, connection, layout)] == []
            shown = connection.execute(text("SELECT count(*) FROM customers")).scalar()
        assert shown >= len(step.vips)

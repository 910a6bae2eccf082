"""A law on a domain with references of every sort: whatever is recorded, in whatever order and by whatever policies.

Totals agree with the rows that the tables show, each reference leads to a row, and a second projection writes nothing.
Both databases show the same rows, and a projection into an empty one gives the rows that the increments gave.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from seedjournal.journal import BadInput, Database, Misuse, open_database
from seedjournal.projectors import Choice, build_layout, check, project
from seedjournal.simulators.domain import Domain, load_domain
from seedjournal.simulators.domain_recording import DomainOptions, record_domain
from seedjournal.simulators.policies import parse_policies
from tests import scale
from tests.conftest import MAKES, Urls

SEEDS = """
    from collections.abc import Iterator
    from datetime import date
    from seedjournal import All, Document, Domain, Draw, Its, Kind, Run, at, by, csv, json_lines

    class Team(Kind, key="slug", policy="POLICY"):
        slug: str
        boss: "Person | None"

    class Person(Kind, key=("team", "login"), unique=["badge"], policy="POLICY"):
        team: Team
        login: str
        badge: int | None
        boss: "Person | None"
        MORE

    class Item(Kind, key=("team", "code"), policy="POLICY"):
        team: Team
        code: str
        owner: Person | None
        about: "Person | Item | None" = None

    class Receipt(Document, key=("team", "item")):
        team: str
        item: str
        amounts: tuple[int, ...] = ()

    class Line(Kind, key=("item", "n"), policy="POLICY"):
        item: Item
        n: int
        amount: int

    class PersonSum(Kind, key="person", part_of=Person):
        person: Person
        items: int = 0
        reports: int = 0
        first: Item | None = None

    class ItemSum(Kind, key="item", part_of=Item):
        item: Item
        amount: int = 0

    class Survey(Kind, key=("item", "person")):
        item: Item
        person: Person
        on: date

    one = Domain("one", root=Team, kinds=(Team, Person, Item, Line, PersonSum, ItemSum, Survey),
        settings={"bots": 1}, today=date(2026, 1, 5), policy_groups={"stuff": (Item, Line)})
    one.facts(Team, json_lines("teams.jsonl"))
    one.facts(Person, csv("people.csv", team="a"))
    one.facts(Item, lambda: read_items())
    one.facts(Receipt, json_lines("receipts.jsonl"))

    def read_items() -> Iterator[Item]:
        for row in json.loads(Path("items.json").read_text()):
            kind, name = row["about"] or (None, None)
            yield Item(team=at(Team, slug="a"), code=row["code"],
                owner=at(Person, team="a", login=row["owner"]) if row["owner"] else None,
                about=at(Person, team="a", login=name) if kind == "person" else
                    at(Item, team="a", code=name) if kind else None)

    @one.simulate(each=Receipt)
    def lines(receipt: Receipt) -> Iterator[Line]:
        for n, amount in enumerate(receipt.amounts):
            yield Line(item=at(Item, team=receipt.team, code=receipt.item), n=n, amount=amount)

    @one.simulate(each=Team)
    def bots(team: Team, settings: dict[str, int]) -> Iterator[Person]:
        for n in range(settings["bots"]):
            yield Person(team=team, login=f"bot{n}", badge=None, boss=None)

    @one.simulate(each=Person)
    def sums(person: Person, items: Its[Item] = by("code", of="owner"), reports: Its[Person] = by(of="boss")
            ) -> Iterator[PersonSum]:
        if items or reports:
            yield PersonSum(person=person, items=len(items), reports=len(reports), first=items[0] if items else None)

    @one.simulate(each=Item)
    def amounts(item: Item, lines: Its[Line]) -> Iterator[ItemSum]:
        if lines:
            yield ItemSum(item=item, amount=sum(one.amount for one in lines))

    @one.simulate(each=Item)
    def surveys(item: Item, people: All[Person], draw: Draw, run: Run) -> Iterator[Survey]:
        for person in draw.sample("who", people, min(2, len(people))):
            yield Survey(item=item, person=person, on=run.today)
"""
WRONG = (
    "SELECT login FROM persons p WHERE items <> (SELECT count(*) FROM items WHERE owner_id = p.id)",
    "SELECT login FROM persons p WHERE reports <> (SELECT count(*) FROM persons WHERE boss_id = p.id)",
    "SELECT login FROM persons p WHERE (first_id IS NULL) <> (items = 0)",
    "SELECT login FROM persons p WHERE items > 0 AND first_id NOT IN (SELECT id FROM items WHERE owner_id = p.id)",
    "SELECT code FROM items i WHERE amount <> (SELECT coalesce(sum(amount), 0) FROM lines WHERE item_id = i.id)",
    "SELECT code FROM items WHERE about_kind = 'person' AND about_id NOT IN (SELECT id FROM persons)",
    "SELECT code FROM items WHERE about_kind = 'item' AND about_id NOT IN (SELECT id FROM items)",
)
TABLES = ("teams", "persons", "items", "lines", "surveys")
LOGINS, CODES = ("ann", "bob", "cem"), ("x", "y", "é")
FIELDS = ("", "note: str | None = None", "rank: int = 3")


@dataclass(frozen=True)
class Step:
    """One recording: what the facts say, and how they are recorded."""

    boss: str | None
    people: Mapping[str, tuple[int | None, str | None]]
    items: Mapping[str, tuple[str | None, tuple[str, str] | None]]
    receipts: Mapping[str, tuple[int, ...]]
    policies: tuple[str, ...] = ()
    bots: int = 1
    seed: int = 1
    fresh: bool = False
    more: str = ""
    is_projected: bool = True
    order: int = 1

    def write(self, folder: Path) -> None:
        """Write the files, rows in some order; what refers to nobody refers to null."""
        people, items = {*self.people}, {*self.items}
        badges: set[int] = set()
        rows = []
        for login, (badge, boss) in self.people.items():
            own = badge if badge not in badges else None
            badges |= {own} if own else set()
            rows.append(f"{login},{own or ''},{boss if boss in people else ''}")
        teams = {"slug": "a", **({"boss.login": self.boss, "boss.team": "a"} if self.boss in people else {})}
        stated = [
            {
                "code": code,
                "owner": owner if owner in people else None,
                "about": about if about and about[1] in (people if about[0] == "person" else items) else None,
            }
            for code, (owner, about) in self.items.items()
        ]
        receipts = [
            json.dumps({"team": "a", "item": item, "amounts": amounts})
            for item, amounts in self.receipts.items()
            if item in items
        ]
        (folder / "teams.jsonl").write_text(json.dumps(teams))
        (folder / "people.csv").write_text("\n".join(["login,badge,boss", *rows[:: self.order]]))
        (folder / "items.json").write_text(json.dumps(stated[:: self.order]))
        (folder / "receipts.jsonl").write_text("\n".join(receipts[:: self.order]))


_LOGIN = st.none() | st.sampled_from(LOGINS)
_ABOUT = (
    st.none()
    | st.tuples(st.just("person"), st.sampled_from(LOGINS))
    | st.tuples(st.just("item"), st.sampled_from(CODES))
)
STEPS = st.builds(
    Step,
    boss=_LOGIN,
    people=st.dictionaries(st.sampled_from(LOGINS), st.tuples(st.none() | st.integers(1, 3), _LOGIN)),
    items=st.dictionaries(st.sampled_from(CODES), st.tuples(_LOGIN, _ABOUT)),
    receipts=st.dictionaries(st.sampled_from(CODES), st.lists(st.integers(1, 9), max_size=2).map(tuple)),
    policies=st.sampled_from(((), (), ("all=exact",), ("all=once",), ("all=upsert", "stuff=once"), ("stuff=exact",))),
    bots=st.integers(0, 2),
    seed=st.integers(1, 2),
    fresh=st.integers(0, 6).map(lambda one: one == 6),
    more=st.sampled_from(FIELDS),
    is_projected=st.integers(0, 3).map(bool),
    order=st.sampled_from((1, -1)),
)


@pytest.fixture
def new(tmp_path_factory: pytest.TempPathFactory, _ready: Callable[[str], str]) -> Iterator[Callable[[str], Database]]:
    """A function from a make to a new database."""
    urls = Urls(tmp_path_factory.mktemp("histories"), _ready)
    opened: list[Database] = []

    def database(make: str) -> Database:
        opened.append(open_database(urls.ready(make), create=True))
        return opened[-1]

    yield database
    for one in opened:
        one.engine.dispose()
    urls.remove()


def declared(folder: Path, policy: str, more: str) -> Domain:
    """The domain as a new process would import it."""
    source = "import json\nfrom pathlib import Path\n" + dedent(SEEDS).replace("POLICY", policy).replace("MORE", more)
    (folder / "seeds.py").write_text(source)
    sys.modules.pop("seeds", None)
    domain = load_domain("seeds:one", folder)
    domain.module = None  # that its simulators are pure is tested elsewhere, and takes a process
    return domain


def rows(database: Database) -> dict[str, list[Any]]:
    """The tables' rows, as either database gives them."""
    with database.read() as connection:
        return {
            name: sorted(
                (
                    sorted((column, str(value)) for column, value in row.items())
                    for row in connection.execute(text(f"SELECT * FROM {name}")).mappings()
                ),
            )
            for name in TABLES
        }


@settings(max_examples=scale.times(3, 40))
@given(policy=st.sampled_from(("exact", "upsert", "once")), steps=st.lists(STEPS, min_size=3, max_size=6))
def test_any_history_is_told_without_contradiction(
    new: Callable[[str], Database],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    policy: str,
    steps: list[Step],
) -> None:
    monkeypatch.chdir(tmp_path)
    sides = [new(make) for make in MAKES]
    for step in steps:
        step.write(tmp_path)
        domain = declared(tmp_path, policy, step.more)
        try:
            chosen = parse_policies(domain, step.policies)
            options = DomainOptions(seed=step.seed, settings={"bots": step.bots}, policies=chosen, fresh=step.fresh)
            runs = [record_domain(one, domain, "a", options, tmp_path)[-1].run for one in sides]
        except (BadInput, Misuse) as error:  # a badge of somebody who is kept; a policy that another forbids
            if not any(word in error.message for word in ("have the same badge", "cannot be exact")):
                raise
            continue
        assert runs[0].state == runs[1].state
        if step.is_projected:
            layout = build_layout(domain.vocabulary)
            for one, run in zip(sides, runs, strict=True):
                project(one, one, layout, run, Choice(delete_many=True, prune=True))
                with one.read() as connection:
                    assert [connection.execute(text(query)).all() for query in WRONG] == [[]] * len(WRONG)
                    assert [found.problem for found in check(connection, connection, layout)] == []
                again = project(one, one, layout, run, Choice(delete_many=True))
                assert not any(kind.inserted or kind.updated or kind.deleted for kind in again.kinds.values())
            shown = [rows(one) for one in sides]
            other = new(MAKES[0])
            project(sides[0], other, layout, runs[0], Choice())
            empty = rows(other)
            for name in TABLES:
                assert without_old_columns(shown[0][name], empty[name]) == empty[name]
                assert list(map(len, shown[0][name])) == list(map(len, shown[1][name]))


def without_old_columns(shown: list[Any], like: list[Any]) -> list[Any]:
    """Rows without the columns of fields that the kinds had once."""
    names = {name for name, _ in like[0]} if like else set()
    return sorted([pair for pair in row if pair[0] in names] for row in shown)

"""A journal explains itself: the kinds that a run was recorded with are in it, and nothing asks for the user's Python."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from seedjournal.journal import Damaged, Kind, Vocabulary, differing_kinds
from seedjournal.journal.vocabulary import Field, Type, read_vocabulary
from seedjournal.simulators.domain import load_domain
from seedjournal.simulators.engineering.kinds import ENGINEERING
from tests.domains.conftest import EXAMPLES
from tests.seedjournal.commands import DEMO, Done, asked, execute

Run = Callable[..., Done]
FEW = ("--project", "acme", "--set", "customers=3")


@pytest.mark.parametrize("make", ["sqlite"])
def test_nothing_needs_the_users_python(example: Callable[[str], Path], run: Run, at: str) -> None:
    folder = example("shop")
    run("record", *FEW)
    run("project")
    run("record", "--project", "acme", "--set", "customers=5")
    email = asked(at, "SELECT email FROM customers WHERE email LIKE 'vip%'")[0][0]
    (folder / "seeds.py").unlink()
    (folder / "seedjournal.toml").unlink()
    assert run("log", "--json").json["runs"]
    assert run("show", "acme@latest", "--json").json["kinds"]["customer"]["total"] == 6
    assert run("show", "customer", "acme", email, "--json").json["key"] == {"shop": "acme", "email": email}
    assert "show customer acme " in run("show", "customer", "acme", "nobody", "--json", status=2).error["hint"]
    diff = run("diff", "--kind", "customer")
    assert diff.out.count("\n+ customer acme ") == 2
    assert run("verify", "--json").json["ok"]
    done = run("project", "--json").json["projects"]["acme"]["kinds"]
    assert (done["customer"]["inserted"], done["customer_total"]["inserted"]) == (2, 2)
    assert run("diff", "--target", "--json").json["equal"]
    assert run("verify", "--json").json["ok"]
    run("project", "--run", "1", "--yes")
    run("project", "--rebuild", "--yes")
    assert run("verify", "--json").json["ok"]
    run("unseed", "acme", "--yes")
    assert asked(at, "SELECT count(*) FROM customers") == [(0,)]


def test_the_kinds_are_recorded_once_and_for_the_built_in_domain_too(run: Run, at: str) -> None:
    run(*DEMO)
    run(*DEMO, "--no-reuse")
    ((hashed, text),) = asked(at, "SELECT hash, kinds FROM journal_kinds")
    assert bytes(hashed) == ENGINEERING.vocabulary.hash
    assert read_vocabulary(text) == ENGINEERING.vocabulary
    for inputs, *_ in asked(at, "SELECT inputs FROM journal_runs"):
        assert json.loads(inputs)["kinds"] == ENGINEERING.vocabulary.hash.hex()


@pytest.mark.parametrize("make", ["sqlite"])
def test_what_is_not_as_it_was_recorded_is_found(run: Run, at: str) -> None:
    run(*DEMO)
    execute(at, "DROP TRIGGER journal_kinds_no_delete")
    execute(at, "DELETE FROM journal_kinds")
    told = run("verify", "--json", status=1).json["findings"]
    assert any("which the journal does not hold" in one["problem"] for one in told)


@pytest.mark.parametrize("name", ["library", "shop", "tenants"])
def test_kinds_come_back_from_their_text_as_they_were(name: str) -> None:
    declared = load_domain(f"seeds:{name}", EXAMPLES / name).vocabulary
    assert read_vocabulary(declared.text) == declared
    assert differing_kinds(declared, declared) == []
    assert declared.common in {name, None}


def test_kinds_that_differ_are_named() -> None:
    old = Kind(name="thing", key=("a",), fields=(Field(name="a"), Field(name="b", type=Type.INTEGER)))
    new = Kind(name="thing", key=("a",), fields=(Field(name="a"), Field(name="b", type=Type.DATE)))
    other = Kind(name="other", key=("a",), fields=(Field(name="a"),))
    assert differing_kinds(Vocabulary((old, other)), Vocabulary((new,))) == ["thing", "other"]
    assert differing_kinds(Vocabulary((old,)), Vocabulary((old, other))) == []


def test_a_text_that_is_none_is_refused() -> None:
    with pytest.raises(Damaged, match="The kinds that a run was recorded with cannot be read"):
        read_vocabulary('{"kinds":[{}],"common":null}')

"""Derived ids: 53 bits of a hash, pinned by literals; and what happens where two keys would have one."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedjournal.journal import Database, KeyBytes, Misuse, canonical_key
from seedjournal.projectors import check, rows
from seedjournal.projectors.rows import Ids, derived_id
from tests.projectors.invented import SLUG, drop_tables, dump, execute, member, note, show, team, total, totals, usage
from tests.projectors.kept import LAYOUT

TEAM = canonical_key({"slug": "terns"})
PULL_REQUEST = canonical_key({"team": "terns", "github_repo": "invented/terns", "number": 7})
GOLDEN_TEAM = 8_221_649_133_434_864
GOLDEN_PULL_REQUEST = 493_175_811_412_179
KEYS = st.binary(max_size=40).map(KeyBytes)
KINDS = st.sampled_from(("team", "pull_request"))


def test_ids_are_pinned() -> None:
    """The literals must never change: rows everywhere have these ids."""
    assert derived_id("team", TEAM) == GOLDEN_TEAM
    assert derived_id("pull_request", PULL_REQUEST) == GOLDEN_PULL_REQUEST


@given(KINDS, KEYS)
def test_an_id_is_the_first_bits_of_a_hash_and_safe_in_javascript(kind: str, key: KeyBytes) -> None:
    digest = hashlib.sha256(b"seedjournal:id:1\n" + kind.encode() + b"\n" + key).digest()
    assert derived_id(kind, key) == int(f"{int.from_bytes(digest, 'big'):0256b}"[:53], 2) < 2**53


def test_kinds_with_the_same_key_have_ids_of_their_own() -> None:
    assert derived_id("pull_request", PULL_REQUEST) != derived_id("pr_survey", PULL_REQUEST)


def test_children_point_to_what_was_adopted() -> None:
    ids = Ids({("team", TEAM): 5})
    assert ids.of("team", TEAM) == 5
    assert ids.of("team", PULL_REQUEST) == derived_id("team", PULL_REQUEST)
    assert Ids().of("team", TEAM) == derived_id("team", TEAM)


# -- two keys, one id ----------------------------------------------------------------------------------------------


def key(login: str, slug: str = SLUG) -> KeyBytes:
    """A member's natural key."""
    return canonical_key({"team": slug, "login": login})


def first(login: str) -> int:
    """A member's id."""
    return derived_id("team_member", key(login))


@pytest.fixture
def colliding(monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """Two logins that share their id, where ids have few bits."""
    monkeypatch.setattr(rows, "BITS", 4)
    seen: dict[int, str] = {}
    for number in range(17):
        login = f"tester-{number:03}"
        if first(login) in seen:
            return seen[first(login)], login
        seen[first(login)] = login
    raise AssertionError("seventeen keys and sixteen ids")


def refused(database: Database, run: Any, *keys: str, **choice: Any) -> Misuse:
    """The refusal to project, which names these members' keys and changes nothing."""
    before = dump(database)
    with pytest.raises(Misuse) as refusal:
        show(database, run, **choice)
    assert all(f"team_member {key(login).decode()}" in refusal.value.message for login in keys)
    assert "another project name" in refusal.value.hint
    assert dump(database) == before
    return refusal.value


@pytest.mark.parametrize(("is_first", "choice"), [(True, {}), (True, {"dry_run": True}), (False, {"rebuild": True})])
def test_two_keys_of_one_run_are_refused(
    database: Database, colliding: tuple[str, str], is_first: bool, choice: dict[str, Any]
) -> None:
    run = note(database, [team(), *map(member, colliding)])
    if is_first:
        drop_tables(database)
    refused(database, run, *colliding, **choice)


def test_a_key_that_comes_later_is_refused(database: Database, colliding: tuple[str, str]) -> None:
    show(database, note(database, [team(), member(colliding[1])]))
    refused(database, note(database, [team(), *map(member, colliding)]), *colliding)


def test_a_strangers_row_under_an_id_of_ours_is_refused(database: Database, colliding: tuple[str, str]) -> None:
    login = colliding[0]
    show(database, note(database, [team()]))
    number = next(name for name in map(str, range(100)) if first(name) != first(login))
    execute(
        database,
        "INSERT INTO team_members (id, team_id, login, is_bot, is_active) SELECT :id, id, :login, false, false "
        "FROM teams",
        id=first(login),
        login=number,
    )
    run = note(database, [team(), member(login), usage(login)])
    said = refused(database, run, login).message
    assert f"Table team_members has a row with id {first(login)} and key {key(number).decode()}" in said
    execute(database, "UPDATE team_members SET id = -1")
    assert total(show(database, run), "inserted") == 2


def test_a_row_of_ours_whose_key_somebody_edited_is_restored(database: Database) -> None:
    run = note(database, [team(), member(), usage()])
    show(database, run)
    execute(database, "UPDATE team_members SET login = 'edited'")
    assert totals(show(database, run, rebuild=True)) == (0, 1, 0)
    with database.read() as connection:
        assert list(check(connection, connection, LAYOUT)) == []

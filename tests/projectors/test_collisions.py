"""Keys whose ids collide, made likely by ids of few bits: settled the same way whatever the order."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedjournal.journal import Database, Event, KeyBytes, Policy, canonical_key
from seedjournal.projectors import RULES, check, ids
from tests.projectors.invented import (
    ALL_EXACT,
    SLUG,
    cold,
    execute,
    file,
    member,
    note,
    pull_request,
    rows,
    show,
    team,
    total,
    usage,
)
from tests.projectors.kept import emptied

LOGINS = [f"tester-{letter}" for letter in "abcdefghij"]


@pytest.fixture(autouse=True)
def _few_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ids, "BITS", 4)


def key(login: str) -> KeyBytes:
    """A member's natural key."""
    return canonical_key({"team": SLUG, "login": login})


def first(login: str) -> int:
    """A member's first id."""
    return ids.derived_id("team_member", key(login))


def colliding() -> tuple[str, str]:
    """Two logins that share their first id, the smaller one first."""
    seen: dict[int, str] = {}
    for number in range(1000):
        login = f"tester-{number:03}"
        if first(login) in seen:
            return seen[first(login)], login
        seen[first(login)] = login
    raise AssertionError("a thousand keys and sixteen ids")


def ids_of(database: Database) -> dict[str, int]:
    """The members' ids by login."""
    return {row["login"]: row["id"] for row in rows(database, "team_member")["team_members"]}


def greedy(logins: list[str]) -> dict[str, int]:
    """The ids that keys take one after another, in order."""
    taken: dict[str, int] = {}
    for login in sorted(logins, key=key):
        taken[login] = next(n for n in ids.windows("team_member", key(login)) if n not in taken.values())
    return taken


def with_members(*logins: str) -> list[Event]:
    """A team, its members, and a day's use of each of them."""
    return [team(), *(member(login) for login in logins), *(usage(login) for login in logins)]


def owners(database: Database) -> list[tuple[str]]:
    """Whom the days of use belong to, as the tables say."""
    return [(row[0],) for row in execute(database, JOINED)]


JOINED = "SELECT login FROM ai_usage_daily JOIN team_members ON team_members.id = team_member_id ORDER BY login"


def test_the_greater_key_takes_the_next_bits_and_its_children_follow(database: Database) -> None:
    smaller, greater = colliding()
    show(database, note(database, with_members(smaller, greater)))
    assert ids_of(database) == {smaller: first(smaller), greater: ids.derived_id("team_member", key(greater), 1)}
    assert owners(database) == [(smaller,), (greater,)]


def test_a_smaller_key_that_comes_later_moves_the_greater_row_with_all_that_points_to_it(database: Database) -> None:
    smaller, greater = colliding()
    show(database, note(database, with_members(greater)))
    execute(
        database,
        "CREATE TABLE badges (id INTEGER PRIMARY KEY, member BIGINT REFERENCES team_members (id), "
        "giver BIGINT REFERENCES team_members (id))",
    )
    execute(database, f"INSERT INTO badges VALUES (1, {first(greater)}, {first(greater)}), (2, NULL, {first(greater)})")
    show(database, note(database, with_members(smaller, greater)))
    moved = ids.derived_id("team_member", key(greater), 1)
    assert ids_of(database) == {smaller: first(smaller), greater: moved}
    assert execute(database, "SELECT * FROM badges ORDER BY id") == [(1, moved, moved), (2, None, moved)]
    assert owners(database) == [(smaller,), (greater,)]


def test_pruning_the_smaller_key_gives_the_first_id_back(database: Database) -> None:
    smaller, greater = colliding()
    both = note(database, with_members(smaller, greater), ALL_EXACT)
    show(database, both)
    done = show(database, note(database, with_members(greater), ALL_EXACT))
    assert total(done, "stale") == 2
    assert ids_of(database)[greater] != first(greater)
    show(database, note(database, with_members(greater), ALL_EXACT), prune=True)
    assert ids_of(database) == {greater: first(greater)}
    assert execute(database, "SELECT * FROM seedjournal_remembered") == []
    show(database, both)
    assert ids_of(database) == {smaller: first(smaller), greater: ids.derived_id("team_member", key(greater), 1)}


def test_a_stale_row_that_moves_is_still_stale(database: Database) -> None:
    smaller, greater = colliding()
    show(database, note(database, with_members(greater), ALL_EXACT))
    done = show(database, note(database, with_members(smaller), ALL_EXACT))
    assert total(done, "stale") == 2
    done = show(database, note(database, with_members(smaller), ALL_EXACT), prune=True)
    assert (total(done, "stale"), total(done, "deleted")) == (0, 2)
    assert ids_of(database) == {smaller: first(smaller)}


def test_a_strangers_row_keeps_an_id_that_a_key_of_ours_would_have(database: Database) -> None:
    login = LOGINS[0]
    show(database, note(database, [team()]))
    add_stranger(database, first(login))
    run = note(database, with_members(login))
    show(database, run)
    assert ids_of(database) == {"a-stranger": first(login), login: ids.derived_id("team_member", key(login), 1)}
    show(database, run, rebuild=True)
    assert ids_of(database) == {"a-stranger": first(login), login: ids.derived_id("team_member", key(login), 1)}
    assert owners(database) == [(login,)]
    with database.read() as connection:
        assert list(check(connection, connection)) == []
    execute(database, "DELETE FROM team_members WHERE login = 'a-stranger'")
    show(database, run)
    assert ids_of(database) == {login: first(login)}
    assert owners(database) == [(login,)]


def add_stranger(database: Database, number: int) -> None:
    """A member that is none of ours, under the id given."""
    assert number != first("a-stranger")
    execute(
        database,
        "INSERT INTO team_members (id, team_id, login, github_login, display_name, email, role, jira_account_id, "
        "slack_user_id, is_bot, is_active) SELECT :id, id, 'a-stranger', '', '', '', '', '', '', false, true FROM teams",
        id=number,
    )


@pytest.mark.parametrize("make", ["sqlite", "postgresql"])
@given(data=st.data())
@settings(max_examples=5)
def test_ids_are_those_that_keys_take_in_order_whatever_happened_before(
    make: str,
    data: st.DataObject,
) -> None:
    database = emptied(make)
    logins: list[str] = []
    for _ in range(data.draw(st.integers(1, 4))):
        logins = data.draw(st.lists(st.sampled_from(LOGINS), unique=True, min_size=1))
        show(database, note(database, with_members(*logins), ALL_EXACT), prune=data.draw(st.booleans()))
    show(database, note(database, with_members(*logins), ALL_EXACT), prune=True)
    assert ids_of(database) == greedy(logins)
    assert owners(database) == sorted((login,) for login in logins)
    show(database, note(database, with_members(*logins), ALL_EXACT), rebuild=True)
    assert ids_of(database) == greedy(logins)


def test_both_makes_settle_alike_down_to_grandchildren(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ids, "BITS", 6)
    events = [team(), member()]
    events += [pull_request(n) for n in range(12)] + [file(n, f"{m}.py") for n in range(12) for m in "ab"]
    run = note(database, events)
    show(database, run)
    expected = cold(database, run, "postgresql" if database.name == "sqlite" else "sqlite")
    assert rows(database) == expected
    assert len({row["pull_request_id"] for row in expected[RULES["pr_file"].table.name]}) == 12


def test_a_policy_of_a_users_pointer_never_fires_when_an_id_moves(database: Database) -> None:
    smaller, greater = colliding()
    show(database, note(database, with_members(greater)))
    for action in ("CASCADE", "SET NULL", "RESTRICT"):
        name = action.replace(" ", "_").lower()
        execute(
            database,
            f"CREATE TABLE t_{name} (member BIGINT REFERENCES team_members (id) ON UPDATE {action} ON DELETE {action})",
        )
        execute(database, f"INSERT INTO t_{name} VALUES ({first(greater)})")
    show(database, note(database, with_members(smaller, greater), {"team_member": Policy.UPSERT}))
    moved: list[tuple[Any, ...]] = [(ids.derived_id("team_member", key(greater), 1),)]
    assert [execute(database, f"SELECT member FROM t_{n}") for n in ("cascade", "set_null", "restrict")] == [moved] * 3

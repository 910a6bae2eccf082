"""Adopted rows, which have a key of ours under an id of their own: they keep it and are never deleted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import insert

from seedjournal.journal import Database, Policy, canonical_key
from seedjournal.projectors import check, listed
from seedjournal.projectors.rows import derived_id
from tests.projectors.invented import (
    ALL_EXACT,
    ALL_ONCE,
    ALL_UPSERT,
    MAPS,
    REPO,
    SLUG,
    everything,
    execute,
    member,
    note,
    pull_request,
    rows,
    show,
    team,
    total,
    totals,
    with_changed,
    without,
)
from tests.projectors.kept import LAYOUT

THEIRS = {"team": 7, "team_member": 8, "pull_request": 9}
TEAM_ID = derived_id("team", canonical_key({"slug": SLUG}))
MEMBER_ID = derived_id("team_member", canonical_key({"team": SLUG, "login": "first-tester"}))


def add(database: Database, *kinds: str, **values: Any) -> None:
    """A user's own rows of a team, its member and its pull request."""
    own: dict[str, dict[str, Any]] = {
        "team": {"id": 7, "slug": SLUG, "name": "Own", "description": "", "industry": ""},
        "team_member": {
            "id": 8,
            "team_id": 7 if "team" in kinds else TEAM_ID,
            "login": "first-tester",
            **dict.fromkeys(
                ("github_login", "display_name", "email", "role", "jira_account_id", "slack_user_id"), "own"
            ),
            "is_bot": False,
            "is_active": False,
        },
        "pull_request": {
            "id": 9,
            "team_id": 7 if "team" in kinds else TEAM_ID,
            "author_id": None,
            "github_repo": REPO,
            "number": 1,
            "title": "own",
            "state": "open",
            "pr_created_at": "2020-01-01T00:00:00Z",
            **dict.fromkeys(("additions", "deletions", "changed_files", "commits_count"), 0),
            **dict.fromkeys(("is_draft", "is_revert", "is_hotfix", "is_ai_assisted"), False),
            **{name: [] for name in ("labels", "assignees", "linked_issues", "ai_tools_detected")},
            "jira_key": "",
        },
    }
    with database.write("target") as connection:
        for kind in kinds:
            connection.execute(insert(MAPS[kind].table), [{**own[kind], **values}])


def of_id(database: Database, kind: str, number: int) -> Mapping[str, Any]:
    """The row with this id."""
    return next(row for row in rows(database, kind)[MAPS[kind].table.name] if row["id"] == number)


def pointing(database: Database, kind: str, column: str) -> set[Any]:
    """What a kind's rows point to."""
    return {row[column] for row in rows(database, kind)[MAPS[kind].table.name]}


def test_once_keeps_adopted_rows_and_children_point_to_them(database: Database) -> None:
    add(database, *THEIRS)
    before = {kind: of_id(database, kind, number) for kind, number in THEIRS.items()}
    run = note(database, everything(), ALL_ONCE)
    done = show(database, run)
    assert {kind: of_id(database, kind, number) for kind, number in THEIRS.items()} == before
    assert {kind: one.foreign for kind, one in done.kinds.items() if one.foreign} == dict.fromkeys(THEIRS, 1)
    assert totals(done) == (len(everything()) - 3, 0, 0)
    assert pointing(database, "commit", "team_id") == {7}
    assert pointing(database, "pr_survey", "author_id") == {8}
    assert 9 in pointing(database, "pr_file", "pull_request_id")
    assert totals(show(database, run)) == (0, 0, 0)
    assert totals(show(database, run, rebuild=True)) == (0, 0, 0)
    with database.read() as connection:
        assert list(check(connection, connection, LAYOUT)) == []
        assert listed(connection, LAYOUT)[SLUG]["pull_request"] == {"foreign": 1, "stale": 0}


def test_the_other_policies_update_adopted_rows_under_their_ids(database: Database) -> None:
    add(database, *THEIRS)
    run = note(database, everything(), ALL_UPSERT)
    done = show(database, run)
    assert of_id(database, "team", 7)["name"] == f"Team {SLUG}"
    assert of_id(database, "pull_request", 9)["title"] == "Change 1"
    assert of_id(database, "pull_request", 9)["author_id"] == 8
    assert totals(done) == (len(everything()) - 3, 3, 1)  # the member's part, of which nothing is stated
    assert total(done, "foreign") == 3
    assert totals(show(database, run)) == (0, 0, 0)
    execute(database, "UPDATE teams SET name = 'edited'")
    with database.read() as connection:
        assert [one.where for one in check(connection, connection, LAYOUT)] == ["teams"]


def test_adopted_rows_found_later_are_honoured_too(database: Database) -> None:
    show(database, note(database, [team(), member("second-tester")]))
    add(database, "team_member", "pull_request")
    done = show(database, note(database, [team(), member("second-tester"), member(), pull_request()]))
    assert (total(done, "inserted"), total(done, "foreign")) == (0, 2)


def test_adopted_rows_are_never_deleted(database: Database) -> None:
    add(database, *THEIRS)
    show(database, note(database, everything(), ALL_EXACT))
    done = show(database, note(database, everything(numbers=(2,)), ALL_EXACT, fresh=True), prune=True)
    assert done.kinds["pull_request"].deleted == 1
    assert of_id(database, "pull_request", 9)["title"] == "Change 1"
    assert {kind: one.foreign for kind, one in done.kinds.items() if one.foreign} == {"team": 1, "team_member": 1}
    assert (total(done, "stale"), total(done, "retained")) == (0, 0)
    done = show(database, note(database, everything(), ALL_EXACT), rebuild=True)
    assert total(done, "foreign") == 3
    assert len(rows(database, "pull_request")["pull_requests"]) == 3


def test_a_change_of_policy_looks_at_adopted_rows_again(database: Database) -> None:
    add(database, *THEIRS)
    show(database, note(database, everything(), ALL_ONCE))
    run = note(database, everything(), ALL_ONCE | {"team": Policy.UPSERT})
    done = show(database, run)
    assert done.kinds["team"].updated == 1
    assert of_id(database, "team", 7)["name"] == f"Team {SLUG}"
    assert of_id(database, "team_member", 8)["display_name"] == "own"
    assert totals(show(database, run)) == (0, 0, 0)
    with database.read() as connection:
        assert list(check(connection, connection, LAYOUT)) == []


def test_a_change_of_policy_still_sees_what_left_the_state(database: Database) -> None:
    add(database, *THEIRS)
    show(database, note(database, everything(), ALL_ONCE))
    done = show(database, note(database, everything(numbers=(1, 3)), ALL_EXACT))
    assert done.kinds["pull_request"].stale == 1
    assert done.kinds["pull_request"].updated == 1
    assert done.kinds["pull_request"].foreign == 1


def test_a_change_of_policy_without_adopted_rows_changes_nothing(database: Database) -> None:
    show(database, note(database, everything(), ALL_ONCE))
    assert totals(show(database, note(database, everything(), ALL_UPSERT))) == (0, 0, 0)


def test_once_adopted_and_changed_in_the_state(database: Database) -> None:
    add(database, *THEIRS)
    policies = {"pull_request": Policy.ONCE}
    show(database, note(database, everything(), policies))
    closed = with_changed(everything(), "pull_request", state="closed")
    note(database, closed, {"pull_request": Policy.UPSERT})
    run = note(database, closed, policies)
    assert show(database, run).kinds["pull_request"].updated == 2
    assert of_id(database, "pull_request", 9)["state"] == "open"


def test_a_adopted_row_that_its_owner_deleted_becomes_ours_with_its_children(database: Database) -> None:
    add(database, *THEIRS)
    run = note(database, without(everything(), "commit"))
    show(database, run)
    for kind in reversed(MAPS):
        execute(database, f"DELETE FROM {MAPS[kind].table.name}")
    done = show(database, run, rebuild=True)
    assert total(done, "foreign") == 0
    assert pointing(database, "team_member", "team_id") == {TEAM_ID}
    assert MEMBER_ID in pointing(database, "ai_usage_daily", "team_member_id")
    assert execute(database, "SELECT * FROM seedjournal_rows") == []
    assert totals(show(database, run)) == (0, 0, 0)


def test_a_adopted_row_whose_owner_gave_it_another_key_is_ours_no_longer(database: Database) -> None:
    show(database, note(database, [team()]))
    add(database, "team_member")
    run = note(database, [team(), member(), pull_request()], ALL_UPSERT)
    show(database, run)
    execute(database, "UPDATE team_members SET login = 'somebody-else' WHERE id = 8")
    with database.read() as connection:
        assert [one.problem for one in check(connection, connection, LAYOUT)] == [
            "it is noted as adopted with id 8, and that row is another's",
            "its row is missing",
            "its row differs in login",
        ]
    done = show(database, run, rebuild=True)
    assert (total(done, "foreign"), total(done, "inserted")) == (0, 1)
    assert of_id(database, "team_member", 8)["login"] == "somebody-else"
    assert pointing(database, "pull_request", "author_id") == {MEMBER_ID}


def test_a_row_of_ours_that_is_put_back_under_its_own_id_is_adopted_no_longer(database: Database) -> None:
    add(database, "team")
    run = note(database, [team()])
    show(database, run)
    execute(database, "UPDATE teams SET id = :id", id=TEAM_ID)
    done = show(database, run, rebuild=True)
    assert (total(done, "foreign"), total(done, "updated")) == (0, 1)
    assert of_id(database, "team", TEAM_ID)["name"] == f"Team {SLUG}"


def test_a_row_made_by_hand_need_not_say_everything(database: Database) -> None:
    execute(database, f"INSERT INTO teams (id, slug, name) VALUES (7, '{SLUG}', 'By hand')")
    execute(database, "INSERT INTO team_members (id, team_id, login) VALUES (8, 7, 'by-hand')")
    execute(
        database,
        "INSERT INTO pull_requests (id, team_id, github_repo, number, title, state, pr_created_at) "
        "VALUES (9, 7, 'acme/by-hand', 1, 'By hand', 'open', '2024-01-01T00:00:00Z')",
    )
    row = of_id(database, "pull_request", 9)
    assert (row["additions"], row["is_draft"], row["labels"]) == (0, False, [])


def test_a_adopted_row_without_any_key_of_ours_is_nobodys_business(database: Database) -> None:
    add(database, "team", slug="elsewhere")
    before = of_id(database, "team", 7)
    run = note(database, everything())
    choices: tuple[dict[str, Any], ...] = ({}, {"prune": True}, {"rebuild": True})
    for choice in choices:
        assert total(show(database, run, **choice), "foreign") == 0
    assert of_id(database, "team", 7) == before

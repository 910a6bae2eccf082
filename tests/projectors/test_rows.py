"""Events to rows: pure, in the order of the map's columns, pointing by derived ids."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from seedjournal.journal import Event, canonical_key, encode
from seedjournal.projectors.rows import Ids, derived_id, row_maker
from tests.projectors.invented import MAPS, REPO, commit, everything, pull_request, review, survey_review, usage


def row(event: Event, ids: Ids | None = None) -> dict[str, Any]:
    """The row of an event, by column."""
    made = encode(event)
    mapped = MAPS[event.kind]
    values = row_maker(mapped, ids or Ids())(made.event.decode())
    return dict(zip(mapped.columns, values, strict=True))


def member_id(login: str) -> int:
    """A member's id."""
    return derived_id("team_member", canonical_key({"team": "terns", "login": login}))


PULL_REQUEST_ID = derived_id("pull_request", canonical_key({"team": "terns", "github_repo": REPO, "number": 1}))


def test_a_reference_in_the_key() -> None:
    made = row(review())
    assert made["pull_request_id"] == PULL_REQUEST_ID
    assert made["reviewer_id"] == member_id("second-tester")
    assert row(usage())["team_member_id"] == member_id("first-tester")


def test_a_reference_whose_key_fields_have_other_names() -> None:
    made = row(survey_review())
    survey = canonical_key({"team": "terns", "github_repo": REPO, "number": 1})
    assert made["pr_survey_id"] == derived_id("pr_survey", survey)
    assert made["reviewer_id"] == member_id("second-tester")


def test_a_reference_of_several_fields_in_the_data() -> None:
    assert row(commit(1))["pull_request_id"] == PULL_REQUEST_ID


@pytest.mark.parametrize("column", ["pull_request_id", "author_id"])
def test_a_null_reference(column: str) -> None:
    assert row(commit(None))[column] is None


def test_children_point_to_an_adopted_id() -> None:
    key = canonical_key({"team": "terns", "github_repo": REPO, "number": 1})
    ids = Ids({("pull_request", key): 77})
    assert row(review(), ids)["pull_request_id"] == 77
    assert row(commit(1), ids)["pull_request_id"] == 77
    assert row(pull_request(1), ids)["id"] == 77


def test_lists_are_json_and_everything_else_is_as_in_the_event() -> None:
    event = pull_request(2)
    made = row(event)
    assert orjson.loads(made["labels"]) == event.data["labels"]
    assert orjson.loads(made["linked_issues"]) == event.data["linked_issues"]
    for name in ("title", "body", "is_draft", "pr_created_at", "cycle_time_hours", "merged_at", "closed_at"):
        assert made[name] == event.data[name]
    assert (made["github_repo"], made["number"]) == (REPO, 2)


def test_every_kind_makes_a_row() -> None:
    assert {one.kind for one in everything()} == set(MAPS)
    for event in everything():
        assert row(event)["id"] == derived_id(event.kind, encode(event).key)

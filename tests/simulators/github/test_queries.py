"""The queries are valid, and cost what is reckoned with: against our schema always, against GitHub's where it is there.

`make test-more` fetches GitHub's published schema, with npm, and runs those that need it.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from graphql import GraphQLSchema, build_schema, parse, validate

from seedjournal.simulators.engineering.github.estimate import page_points
from seedjournal.simulators.engineering.github.queries import (
    AGAIN,
    AGAIN_MANY,
    BACKWARD,
    BACKWARD_BARE,
    CONNECTIONS,
    ESTIMATE,
    FORWARD,
    FORWARD_BARE,
)
from tests.simulators.github.cost import cost, nodes
from tests.simulators.github.hub import schema

ASKED_FOR = os.environ.get("GITHUB_SCHEMA")
PUBLISHED = Path(
    ASKED_FOR or Path(__file__).parents[3] / ".tools/github/node_modules/@octokit/graphql-schema/schema.graphql"
)
NAMES = {"owner": "o", "name": "n"}
PAGE = {**NAMES, "parts": True, "checks": True}

QUERIES = [
    pytest.param(FORWARD, {**PAGE, "first": 20}, 2, id="forward"),
    pytest.param(FORWARD, {**PAGE, "first": 50}, 4, id="forward, largest"),
    pytest.param(FORWARD, {**PAGE, "first": 50, "checks": False}, 3, id="forward, without checks"),
    pytest.param(FORWARD, {**PAGE, "first": 1, "parts": False, "checks": False}, 1, id="forward, bare"),
    pytest.param(BACKWARD, {**PAGE, "last": 20}, 2, id="backward"),
    pytest.param(FORWARD_BARE, {**NAMES, "first": 100}, 1, id="forward, numbers only"),
    pytest.param(BACKWARD_BARE, {**NAMES, "last": 100}, 1, id="backward, numbers only"),
    pytest.param(AGAIN, {**PAGE, "id": "PR_1"}, 1, id="again"),
    pytest.param(AGAIN_MANY, {**PAGE, "ids": ["PR_1"] * 20}, 1, id="again, several"),
    pytest.param(ESTIMATE, {**NAMES, "search": "repo:o/n is:pr"}, 1, id="estimate"),
    *(pytest.param(one.query, {"first": 100}, 1, id=one.name) for one in CONNECTIONS),
]


@cache
def published() -> GraphQLSchema:
    text = PUBLISHED.read_text(encoding="utf-8")
    return build_schema(text, assume_valid=True, assume_valid_sdl=True)


@pytest.mark.parametrize(("query", "variables", "points"), QUERIES)
def test_queries_are_valid_and_cost_what_they_do(query: str, variables: dict[str, Any], points: int) -> None:
    assert validate(schema(), parse(query)) == []
    assert cost(parse(query), variables) == points
    assert nodes(parse(query), variables) <= 500_000


@pytest.mark.more
@pytest.mark.parametrize(("query", "variables", "points"), QUERIES)
def test_queries_are_valid_in_githubs_own_schema(query: str, variables: dict[str, Any], points: int) -> None:
    assert validate(published(), parse(query)) == []


@pytest.mark.more
def test_our_schema_is_part_of_githubs() -> None:
    """What the tests' server says could be said by GitHub: the same fields, of the same types."""
    theirs = published().type_map
    for name, ours in schema().type_map.items():
        if name.startswith("__"):
            continue
        for field, declared in getattr(ours, "fields", {}).items():
            assert str(theirs[name].fields[field].type) == str(declared.type), f"{name}.{field}"  # type: ignore[attr-defined]
        for value in getattr(ours, "values", {}):
            assert value in theirs[name].values, f"{name}.{value}"  # type: ignore[attr-defined]


@pytest.mark.more
def test_every_value_of_githubs_enums_is_understood() -> None:
    from seedjournal.simulators.engineering.cache.facts import _FILE_STATUSES, _REVIEW_STATES, _STATES

    theirs: Any = published().type_map
    assert {one.lower() for one in theirs["PatchStatus"].values} <= set(_FILE_STATUSES)
    assert {one.lower() for one in theirs["PullRequestReviewState"].values} <= _REVIEW_STATES
    assert {one.lower() for one in theirs["PullRequestState"].values} == _STATES


@pytest.mark.parametrize("check_runs", [True, False])
def test_the_estimate_reckons_with_the_published_formula(check_runs: bool) -> None:
    for size in range(1, 101):
        variables = {**PAGE, "first": size, "checks": check_runs}
        assert page_points(size, check_runs=check_runs) == cost(parse(FORWARD), variables), size


def test_the_formula_is_the_documented_one() -> None:
    """The example of GitHub's documentation: 100 repositories, their 50 issues each, and 60 labels of each issue."""
    query = """{ viewer { login repositories(first: 100) { edges { node { id
        issues(first: 50) { edges { node { id labels(first: 60) { edges { node { id name } } } } } } } } } } }"""
    assert cost(parse(query), {}) == 51
    assert nodes(parse(query), {}) == 100 + 100 * 50 + 100 * 50 * 60

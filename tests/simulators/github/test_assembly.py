"""What errors inside an answer take: marked, so that nobody takes it for nothing."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from seedjournal.simulators.engineering.github.assembly import edges, error_of, joined, own_errors, told
from seedjournal.simulators.engineering.github.entries import check_runs
from seedjournal.simulators.engineering.github.queries import CHECK_RUNS, COMMITS, FILES, REVIEWS

NODE = ["repository", "pullRequests", "edges", 0, "node"]


def part(*nodes: Any) -> dict[str, Any]:
    return {"totalCount": len(nodes), "pageInfo": {"hasNextPage": False, "endCursor": None}, "nodes": [*nodes]}


def page() -> dict[str, Any]:
    checks = part({"__typename": "CheckRun", "databaseId": 5, "permalink": "", "name": "a"})
    node = {
        "number": 1,
        "headRefOid": "f" * 40,
        "changedFiles": 1,
        "author": {"login": "ann"},
        "milestone": {"title": "v1"},
        "reviews": part({"fullDatabaseId": "1", "author": {"login": "bo"}}, {"fullDatabaseId": "2", "author": None}),
        "commits": part({"commit": {"oid": "a" * 40, "author": {"name": "x", "user": {"login": "ann"}}}}),
        "files": part({"path": "a.py"}),
        "head": {"nodes": [{"commit": {"oid": "f" * 40, "statusCheckRollup": {"contexts": checks}}}]},
    }
    return {"repository": {"pullRequests": {"edges": [{"cursor": "c", "node": node}]}}}


def spoilt(*paths: list[Any] | None, kind: str | None = "INTERNAL") -> dict[str, Any]:
    """Return a page's pull request as it is read where errors made these paths null."""
    data = page()
    for path in paths:
        inside: Any = data
        for step in (*NODE, *(path or ()))[:-1]:
            inside = inside[step]
        if path:
            inside[path[-1]] = None
    errors = [{"path": path and [*NODE, *path], "type": kind} for path in paths]
    ((_, node),) = edges(told({"data": data, "errors": errors}))
    return node


def test_no_error_marks_nothing() -> None:
    ((_, node),) = edges(told({"data": page()}))
    assert node == page()["repository"]["pullRequests"]["edges"][0]["node"]
    assert own_errors(node) == {}


def test_fields_of_their_own_are_listed() -> None:
    assert own_errors(spoilt(["author"], ["milestone"])) == {"author": "INTERNAL", "milestone": "INTERNAL"}


@pytest.mark.parametrize("path", [["reviews", "nodes", 0, "author"], ["reviews", "nodes", 0]])
def test_what_an_error_spoils_in_a_connection_is_taken_out(path: list[Any]) -> None:
    node = spoilt(path)
    found = joined(node, REVIEWS, [node["reviews"]])
    assert ([one["fullDatabaseId"] for one in found.nodes], found.total, found.error) == (["2"], 2, "INTERNAL")
    assert found.state == "partial"


def test_the_null_around_an_errors_field_counts() -> None:
    """A field that may not be null takes what is around it."""
    data = page()
    pull = data["repository"]["pullRequests"]["edges"][0]["node"]
    pull["commits"]["nodes"][0] = None
    path = [*NODE, "commits", "nodes", 0, "commit", "additions"]
    ((_, node),) = edges(told({"data": data, "errors": [{"path": path, "type": None}]}))
    assert joined(node, COMMITS, [node["commits"]]).error == "error"


def test_an_error_of_a_connection_stands_for_it() -> None:
    assert error_of(spoilt(["files"], kind="FORBIDDEN"), FILES) == "FORBIDDEN"
    rollup = ["head", "nodes", 0, "commit", "statusCheckRollup"]
    assert error_of(spoilt(rollup, kind="FORBIDDEN"), CHECK_RUNS) == "FORBIDDEN"
    assert error_of(spoilt(["author"]), FILES) is None


def test_an_error_without_a_null_takes_nothing() -> None:
    data = page()
    errors = [{"path": [*NODE, "author"], "type": "INTERNAL"}]
    assert told({"data": copy.deepcopy(data), "errors": errors}) == data


def test_an_error_without_a_path_may_have_taken_any_null() -> None:
    node = spoilt(None)
    assert [one and one["fullDatabaseId"] for one in node["reviews"]["nodes"]] == ["1", None]
    assert own_errors(node) == {}
    data = page()
    data["repository"]["pullRequests"]["edges"][0]["node"]["author"] = None
    ((_, other),) = edges(told({"data": data, "errors": [{"message": "-"}]}))
    assert own_errors(other) == {"author": "error"}


@pytest.mark.parametrize(
    ("link", "number"),
    [
        ("https://h.invalid/o/r/runs/77", 77),
        ("https://h.invalid/o/r/runs/77?check_suite_focus=true", 77),
        ("https://h.invalid/o/r/actions/runs/55/job/77", 77),
        ("https://h.invalid/o/r/actions/runs/55/jobs/1?check_run_id=77", 77),
        ("https://h.invalid/o/r/pull/1/checks?check_run_id=77", 77),
    ],
)
def test_a_check_runs_number_stands_in_its_address(link: str, number: int) -> None:
    run = {"__typename": "CheckRun", "databaseId": None, "permalink": link, "name": "a"}
    assert [found for _, found in check_runs({"headRefOid": "f" * 40, "check_runs": [run]})] == [number]


def test_derived_numbers_are_different_and_do_not_move_while_checks_run() -> None:
    def numbers(oid: str = "f" * 40, **state: Any) -> list[int]:
        run = {"__typename": "CheckRun", "databaseId": None, "permalink": "https://h.invalid/pull/1/checks"}
        runs = [{**run, "name": name, **state} for name in ("build", "test", "test")]
        return [number for _, number in check_runs({"headRefOid": oid, "check_runs": runs})]

    assert len({*numbers(), *numbers("e" * 40)}) == 6
    assert numbers(status="QUEUED") == numbers(status="COMPLETED", startedAt="2024-01-01T00:00:00Z")
    assert all(0 < number < 2**53 for number in numbers())

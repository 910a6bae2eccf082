"""The JSON documents hold the keys that programs rely on, with values of the right types."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from seedjournal.cli import COMMANDS
from seedjournal.simulators.engineering.kinds import ENGINEERING
from tests.seedjournal import documents
from tests.seedjournal.commands import DEMO, Done

Run = Callable[..., Done]

FIVE, NINE = (*DEMO, "--set", "prs=5"), (*DEMO, "--set", "prs=9")
PAGE = documents.SCHEMA.with_name("json.md")


@pytest.fixture
def make() -> str:
    """One make: documents are made of the same values on either."""
    return "sqlite"


SIX = {"total", "added", "changed", "removed", "unchanged", "kept"}
EIGHT = {"inserted", "updated", "unchanged", "kept", "deleted", "stale", "retained", "foreign"}


def has(document: dict[str, Any], **types: Any) -> None:
    """Every key is there and of its type; a bool is no number here."""
    for name, type_ in types.items():
        value = document[name]
        if isinstance(type_, re.Pattern):
            assert type_.fullmatch(value), (name, value)
        else:
            assert isinstance(value, type_), (name, value)
            assert isinstance(value, bool) == (type_ is bool), (name, value)


ROOT = re.compile("[0-9a-f]{64}")


def whole_numbers(document: dict[str, Any], names: set[str]) -> None:
    assert set(document) == names
    for value in document.values():
        assert type(value) is int


def test_record(at: str, run: Run) -> None:
    document = run(*FIVE, "--json").json
    assert document["format"] == 1
    (one,) = document["runs"]
    has(one, project=str, run=int, root=ROOT, state=ROOT, reused=bool, appended=int, counts=dict, kinds=dict)
    has(one, skipped=int, seconds=(int, float))
    whole_numbers(one["counts"], SIX)
    assert one["kinds"].keys() == ENGINEERING.vocabulary.by_name.keys()
    for kind in one["kinds"].values():
        whole_numbers(kind, SIX)
    assert {name: sum(kind[name] for kind in one["kinds"].values()) for name in SIX} == one["counts"]
    without = run(*FIVE, "--set", "check_runs=false", "--json").json["runs"][0]["kinds"]
    assert without["pr_check_run"]["total"] == 0
    assert without.keys() == one["kinds"].keys()


def test_project(filled: Callable[..., str], run: Run) -> None:
    filled(FIVE)
    recorded = run(*FIVE, "--json").first
    document = run("project", "--json").json
    has(document, format=int, target=str, projects=dict, seconds=(int, float))
    one = document["projects"]["demo"]
    has(one, run=int, root=ROOT, state=ROOT, kinds=dict)
    assert (one["run"], one["root"], one["state"]) == (recorded["run"], recorded["root"], recorded["state"])
    assert one["kinds"].keys() == ENGINEERING.vocabulary.by_name.keys()
    for kind in one["kinds"].values():
        whole_numbers(kind, EIGHT)


def test_diff(filled: Callable[..., str], run: Run) -> None:
    filled(FIVE, NINE)
    document = run("diff", "--json").json
    has(document, format=int, project=str, equal=bool, kinds=dict, changes=list, truncated=bool)
    assert (document["from"], document["to"], document["equal"], document["truncated"]) == (1, 2, False, False)
    for kind in document["kinds"].values():
        whole_numbers(kind, {"added", "removed", "changed"})
    for change in document["changes"]:
        assert set(change) == {"kind", "key", "change", "fields"}
        assert change["change"] in {"added", "removed", "changed"}
        assert change["key"]
        assert all(set(field) == {"old", "new"} for field in change["fields"].values())
        if change["change"] == "changed":
            assert change["fields"]
    counted: dict[str, int] = {}
    for change in document["changes"]:
        counted[change["kind"]] = counted.get(change["kind"], 0) + 1
    assert counted == {kind: sum(counts.values()) for kind, counts in document["kinds"].items()}


def test_log_and_verify_and_show(filled: Callable[..., str], run: Run) -> None:
    filled(FIVE, ("project",))
    document = run("log", "--json").json
    assert document["format"] == 1
    (one,) = document["runs"]
    has(one, run=int, project=str, root=ROOT, state=ROOT, seed=int, as_of=str, total=int, sealed_at=str)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", one["sealed_at"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", one["as_of"])

    verified = run("verify", "--json").json
    has(verified, format=int, ok=bool, events=int, runs=int, findings=list)
    assert (verified["ok"], verified["events"], verified["runs"]) == (True, one["total"], 1)

    shown = run("show", one["root"][:7], "--json").json
    has(shown, format=int, run=int, root=ROOT, state=ROOT, inputs=dict, kinds=dict)
    assert shown["inputs"]["seed"] == 42
    assert {"source", "settings", "policies", "versions", "generators"} <= set(shown["inputs"])

    entity = run("show", "team", "demo", "--json").json
    (content,) = entity["contents"]
    assert (entity["kind"], entity["key"], content["runs"], content["seed"]) == ("team", {"slug": "demo"}, [1], 42)
    assert "github/" in content["provenance"]
    assert content["data"]["name"] == "demo"


def test_registry(run: Run) -> None:
    document = run("registry", "--json").json
    assert document["format"] == 1
    assert len(document["projects"]) == 25
    for one in document["projects"]:
        has(one, name=str, repos=list, team_name=str, jira_project_key=str, industry=str)
    polar = next(one for one in document["projects"] if one["name"] == "polar")
    assert (len(polar["repos"]), polar["ai_base_adoption_rate"], polar["survey_response_rate"]) == (4, 0.45, 0.6)


def test_migrate(at: str, run: Run) -> None:
    document = run("migrate", "--json").json
    assert [one["what"] for one in document["migrated"]] == ["journal", "target"]
    assert all(one["from"] is None for one in document["migrated"])
    assert all(one["from"] == one["to"] for one in run("migrate", "--json").json["migrated"])
    for made in (True, False):
        tables = run("migrate", "--tables", "--json").json["migrated"][-1]
        assert (tables["what"], tables["from"] is None) == ("tables", made)
    assert run("log", "--json").json == {"format": 1, "runs": [], "forgotten": []}
    assert run("log").out == "no runs\n"
    assert run("verify", "--json").json["ok"] is True


@pytest.mark.parametrize("arguments", [("nonsense",), ("log", "--nonsense"), ("diff", "1", "2", "3"), ("show", "99")])
def test_an_error_is_one_document(arguments: tuple[str, ...], at: str, run: Run) -> None:
    run("migrate")
    done = run(*arguments, "--json", status=2)
    assert done.error["kind"] == "usage"
    assert done.error["message"]
    assert done.err == ""


def test_quiet_says_nothing_on_stderr(at: str, run: Run) -> None:
    for command in (FIVE, ("project",), ("log",), ("verify",)):
        assert run(*command, "--quiet").err == ""
    assert not run("project", "-q").out.startswith("target:")
    assert run("project").out.startswith("target: ")


def test_every_command_has_a_schema_and_the_page_names_it() -> None:
    defined = documents.definitions()
    for command in COMMANDS:
        assert {command, f"{command}_run"} & set(defined), command
    head = PAGE.read_text(encoding="utf-8").partition("## Exit")[0]
    assert {name for name, one in defined.items() if "format" in one.get("properties", {})} <= set(
        re.findall(r"`(\w+)`", head)
    )
    assert [command for command in COMMANDS if f"`{command}" not in head] == []


def test_a_document_that_is_otherwise_is_refused(at: str, run: Run) -> None:
    document = run(*FIVE, "--json").json
    for wrong in ({**document, "format": 2}, {**document, "more": 1}, {"format": 1}):
        with pytest.raises(AssertionError, match="is not as"):
            documents.refuse("record", wrong)
    with pytest.raises(AssertionError, match="does not define"):
        documents.refuse("unknown", document)

"""The main job, from an empty folder on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seedjournal.simulators.engineering.kinds import ENGINEERING
from tests.seedjournal.commands import DEMO, FORTY, TWENTY, Done, entry, execute, rows_of, write_cache

Run = Callable[..., Done]


@pytest.fixture
def make() -> str:
    """One make, as tests of every step try both; where much is told of one, the other has its turn."""
    return "sqlite"


TABLES = (
    "teams",
    "team_members",
    "pull_requests",
    "pr_reviews",
    "commits",
    "pr_files",
    "pr_check_runs",
    "weekly_metrics",
    "jira_issues",
    "pr_surveys",
    "pr_survey_reviews",
    "ai_usage_daily",
)
COMPUTED = TABLES[7:]


def summed(document: dict[str, Any], project: str = "demo") -> dict[str, int]:
    kinds = document["projects"][project]["kinds"].values()
    return {name: sum(kind[name] for kind in kinds) for name in next(iter(kinds))}


@pytest.mark.parametrize("make", ["postgresql"])
def test_twenty_more_pull_requests_move_nothing_old(filled: Callable[..., str], run: Run) -> None:
    at = filled(TWENTY, ("project",))
    more = run(*FORTY, "--json").first
    assert more["kinds"]["pull_request"]["added"] == 20
    simulated = {"jira_issue", "pr_survey", "pr_survey_review", "ai_usage_daily"}
    for kind, counts in more["kinds"].items():
        if kind != "weekly_metrics":
            assert counts["removed"] == 0
        if kind in simulated:
            assert counts["changed"] == 0
    assert more["inputs_changed"]["settings.prs"] == {"old": 20, "new": 40}
    rows = rows_of(at, "pull_requests")["pull_requests"]
    counts = summed(run("project", "--json").json)
    assert counts["inserted"] == more["counts"]["added"]
    now = rows_of(at, "pull_requests")["pull_requests"]
    assert [row for row in now if row in rows] == rows
    run("verify")


@pytest.mark.slow
@pytest.mark.parametrize("make", ["postgresql"])
def test_run_back_and_forth_gives_equal_rows(filled: Callable[..., str], run: Run) -> None:
    at = filled(TWENTY)
    run(*DEMO, "--set", "prs=120")
    run("project", "--run", "1")
    one = rows_of(at, *TABLES)
    run("project")
    two = rows_of(at, *TABLES)
    refused = run("project", "--run", "demo@-1", "--json", status=2)
    assert refused.error["kind"] == "deletion"
    assert "--no-prune to keep them" in refused.error["hint"]
    assert rows_of(at, *TABLES) == two
    back = summed(run("project", "--run", "demo@-1", "--no-prune", "--json").json)
    assert back["stale"] == sum(map(len, two.values())) - sum(map(len, one.values()))
    run("project")
    some = summed(run("project", "--run", "demo@-1", "--yes", "--json").json)
    assert some["deleted"] + some["stale"] == back["stale"]
    assert some["deleted"] == sum(len(two[table]) - len(one[table]) for table in COMPUTED)
    pruned = summed(run("project", "--run", "1", "--prune", "--yes", "--json").json)
    assert (pruned["deleted"], pruned["stale"]) == (some["stale"], 0)
    assert rows_of(at, *TABLES) == one
    run("project", "--run", "demo@latest")
    assert rows_of(at, *TABLES) == two
    run("verify")


@pytest.mark.slow
def test_journal_and_target_may_be_apart(make_url: Callable[[str], str], run: Run) -> None:
    places = ("--journal", make_url("sqlite"), "--target", make_url("postgresql"))
    run(*TWENTY, *places)
    assert "no rows compared: the target shows no run of this journal" in run("verify", *places).out
    run("project", *places)
    counts = summed(run("project", "--json", *places).json)
    assert (counts["inserted"], counts["updated"], counts["deleted"]) == (0, 0, 0)
    run("verify", *places)
    assert not set(TABLES) & set(rows_of(places[1]))
    execute(places[3], "DELETE FROM ai_usage_daily WHERE id IN (SELECT min(id) FROM ai_usage_daily)")
    execute(places[3], "UPDATE teams SET name = 'edited'")
    found = run("verify", "--json", *places, status=1).json
    assert [(one["where"], one["problem"]) for one in found["findings"]] == [
        ("teams", "its row differs in name"),
        ("ai_usage_daily", "its row is missing"),
    ]
    rebuilt = summed(run("project", "--rebuild", "--yes", "--json", *places).json)
    assert (rebuilt["inserted"], rebuilt["updated"]) == (1, 1)
    run("verify", *places)


@pytest.mark.parametrize("make", ["postgresql"])
def test_what_once_keeps_is_said_and_policy_takes_it(filled: Callable[..., str], run: Run) -> None:
    filled(TWENTY)
    other = (*TWENTY, "--set", "team_name=Others")
    assert run(*other, "--json").first["kinds"]["team"]["kept"] == 1
    said = " ".join(run("project").out.split())
    assert "1 team kept: name" in said
    assert "`--policy team=upsert` when recording takes the new content" in said
    taken = run(*other, "--policy", "team=upsert", "--json").first
    assert taken["counts"]["kept"] == 0
    assert run("project", "--json").json["projects"]["demo"]["kinds"]["team"]["updated"] == 1
    run("verify")


@pytest.mark.slow
def test_a_dry_run_does_nothing(filled: Callable[..., str], run: Run) -> None:
    at = filled(TWENTY)
    total = run("log", "--json").json["runs"][0]["total"]
    before = rows_of(at)
    dry = run("project", "--dry-run", "--json").json
    assert dry["dry_run"] is True
    assert summed(dry)["inserted"] == total
    assert rows_of(at) == before
    run("project")
    before = rows_of(at)
    run(*FORTY)
    assert summed(run("project", "--dry-run", "--json").json)["inserted"] > 0
    assert "(dry run: nothing was done)" in run("project", "--dry-run", "--rebuild").out
    assert rows_of(at, *TABLES) == {name: before[name] for name in TABLES}


def test_prune_and_rebuild_need_yes_where_nobody_can_be_asked(filled: Callable[..., str], run: Run) -> None:
    filled(TWENTY)
    for option, deed in (("--prune", "prunes stale rows"), ("--rebuild", "rebuilds rows and prunes")):
        done = run("project", option, "--json", status=2)
        assert done.error["message"] == f"`project` asks before it {deed}, and there is no terminal. Add --yes."
        run("project", option, "--yes")


def test_every_kind_has_rows(filled: Callable[..., str], run: Run) -> None:
    at = filled(TWENTY, ("project",))
    assert {name for name, rows in rows_of(at, *TABLES).items() if not rows} == set()
    assert len(TABLES) == sum(kind.part_of is None for kind in ENGINEERING.vocabulary.kinds)


def test_several_projects_are_told_apart(at: str, run: Run) -> None:
    run(*TWENTY, "--project", "other")
    document = run("project", "--json").json
    assert set(document["projects"]) == {"demo", "other"}
    assert "several projects" in run("diff", status=2).err
    assert "has only one run" in run("diff", "--project", "demo", status=2).err
    run(*DEMO, "--set", "prs=21")
    assert run("diff", "--project", "demo", "--json").json["project"] == "demo"
    assert "Leave out --project" in run("diff", "3", "--project", "other", status=2).err
    assert "Compare two runs of one project" in run("diff", "1", "2", status=2).err
    assert [one["project"] for one in run("log", "--project", "other", "--json").json["runs"]] == ["other"]
    only = run("project", "--project", "other", "--json").json
    assert set(only["projects"]) == {"other"}


def test_record_says_what_the_policy_held_back_and_what_it_says_helps(filled: Callable[..., str], run: Run) -> None:
    filled(TWENTY)
    said = " ".join(run(*FORTY, "--set", "team_name=Others").out.split())
    assert "the policy `once` held back changes of" in said
    way_out = said.partition("to take them, add ")[2].split(" root ")[0].split()
    options = [part for part in way_out if part == "--policy" or part.endswith("=upsert")]
    assert options
    assert run(*FORTY, "--set", "team_name=Others", *options, "--json").first["counts"]["kept"] == 0
    said = " ".join(run(*TWENTY).out.split())
    assert "the policies keep what this run removed" in said
    done = run(*TWENTY, "--fresh", "--json").first
    assert done["root"] == done["state"]


def test_a_recording_that_removes_most_is_asked_for(at: str, run: Run, tmp_path: Path) -> None:
    record = ("record", "--project", "rocket", "--new", "--source", "cache:cache")
    write_cache(tmp_path / "cache", *(entry(number) for number in range(1, 9)))
    run(*record)
    before = rows_of(at)
    write_cache(tmp_path / "cache", entry(1))
    done = run(*record, "--json", status=2)
    assert done.error["kind"] == "removal"
    assert "entities of run 1 are gone from the source" in done.error["message"]
    assert "--yes" in done.error["hint"]
    assert rows_of(at) == before
    assert run(*record, "--yes", "--json").first["run"] == 2
    write_cache(tmp_path / "cache", *(entry(number) for number in range(1, 9)))
    run(*record)
    write_cache(tmp_path / "cache", entry(1))
    run(*record, status=2)  # also where the same inputs were recorded before
    run(*record, "--set", "days_back=90")  # a changed setting says that the user wants another run


def test_options_that_the_newest_run_had_are_told(at: str, run: Run) -> None:
    record = ("record", "--project", "demo", "--new", "--source", "demo", "--set", "days=40", "--set", "days_back=20")
    run(*record, "--set", "prs=22", "--policy", "team=upsert")
    said = run(*record, "--set", "prs=23").out
    assert "input settings.prs: 22 → 23\n" in said
    assert "input policies.team: upsert → once; put it into seedjournal.toml to keep it" in said
    assert "input settings.prs: 23 → 200; put it into seedjournal.toml to keep it" in run(*record).out

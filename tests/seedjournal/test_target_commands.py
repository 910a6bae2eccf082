"""What users do to targets, through the commands: schemas, copies of journals, lost rows, and taking rows out."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Urls
from tests.seedjournal.commands import DEMO, FORTY, SMALL, TWENTY, Done, execute, rows_of

Run = Callable[..., Done]

AGAIN = ("record", "--project", "demo", *SMALL)


@pytest.mark.slow
def test_rows_that_are_gone_are_restored_and_edits_are_found(filled: Callable[..., str], run: Run) -> None:
    at = filled(TWENTY, ("project",))
    before = rows_of(at, "pull_requests", "ai_usage_daily")
    assert "rows counted; contents are compared by `verify`" in run("project").out
    execute(at, "DELETE FROM ai_usage_daily")
    assert "restored that somebody had deleted" in run("project", "--dry-run").out
    assert rows_of(at, "ai_usage_daily")["ai_usage_daily"] == []
    run("project")
    assert rows_of(at, "pull_requests", "ai_usage_daily") == before
    execute(at, "UPDATE pull_requests SET title = 'edited'")
    run("project")
    assert "20 rows left that differ from the state" in run("project", "--check", status=1).out
    run("project", "--repair")
    assert rows_of(at, "pull_requests", "ai_usage_daily") == before
    assert "rows compared" in run("project", "--check").out


def test_a_copied_journal_is_refused_until_it_is_told_to_take_over(run: Run) -> None:
    run(*DEMO, "--journal", "sqlite:///x.db")
    shutil.copy("x.db", "y.db")
    target = ("--target", "sqlite:///t.db")
    run("project", "--journal", "sqlite:///y.db", *target)
    run("project", "--journal", "sqlite:///x.db", *target)
    shown = run(*AGAIN, "--fresh", "--set", "prs=8", "--journal", "sqlite:///x.db", "--json").first["root"]
    other = run(*AGAIN, "--fresh", "--set", "prs=3", "--journal", "sqlite:///y.db", "--json").first["root"]
    run("project", "--journal", "sqlite:///x.db", *target)
    prune = ("project", "--journal", "sqlite:///y.db", *target, "--prune", "--yes")
    refused = run(*prune, status=3).err
    assert shown in refused
    assert other in refused
    assert "was forgotten" not in refused
    assert len(rows_of("sqlite:///t.db", "pull_requests")["pull_requests"]) == 8
    assert "taken over" in run(*prune, "--take-over").out
    assert len(rows_of("sqlite:///t.db", "pull_requests")["pull_requests"]) == 3


@pytest.mark.parametrize("make", ["sqlite"])
def test_unseed_counts_asks_and_takes_rows_out(filled: Callable[..., str], run: Run) -> None:
    at = filled(TWENTY)
    assert "There are no rows of seedjournal" in run("unseed", "demo", "--yes", status=2).err
    run("project")
    assert "It has rows of demo" in run("unseed", "demos", "--yes", status=2).err
    execute(at, "CREATE TABLE own (team BIGINT REFERENCES teams (id) ON DELETE CASCADE)")
    execute(at, "INSERT INTO own SELECT id FROM teams")
    before = rows_of(at)
    assert "Add --yes" in run("unseed", "demo", status=2).err
    assert "would be deleted" in run("unseed", "demo", "--dry-run").out
    assert rows_of(at) == before
    done = run("unseed", "demo", "--yes", "--json").json
    assert done["kinds"]["team"] == {"deleted": 0, "retained": 1, "foreign": 0}
    assert done["kinds"]["pull_request"]["deleted"] == 20
    after = rows_of(at, "own", "teams", "pull_requests")
    assert (len(after["own"]), len(after["teams"]), len(after["pull_requests"])) == (1, 1, 0)
    run("verify")
    run("project")


@pytest.mark.parametrize("make", ["sqlite"])
def test_states_and_runs_are_compared(at: str, run: Run) -> None:
    for options in (TWENTY, TWENTY, FORTY, TWENTY):
        run(*options)
    plain = run("diff", "3", "4", "--stat").out
    assert "differ as well" in plain
    assert "seedjournal diff --state 3 4" in plain
    document = run("diff", "--state", "3", "4", "--json").json
    assert all(change["kind"] != "pull_request" for change in document["changes"])
    assert "differ as well" not in run("diff", "1", "2", "--stat").out
    assert at


@pytest.mark.parametrize("make", ["postgresql"])
def test_tables_are_compared_with_the_state_that_project_would_bring(filled: Callable[..., str], run: Run) -> None:
    at = filled(TWENTY)
    assert "There are no rows of seedjournal" in run("diff", "--target", status=2).err
    run("project")
    assert "equal" in run("diff", "--target").out
    execute(
        at, "UPDATE pull_requests SET title = 'edited', author_id = NULL WHERE id = (SELECT min(id) FROM pull_requests)"
    )
    execute(at, "DELETE FROM ai_usage_daily")
    execute(at, "INSERT INTO teams (id, slug, name) VALUES (5, 'own', '')")
    document = run("diff", "--target", at, "--json").json
    changed = [one for one in document["changes"] if one["change"] == "changed"]
    assert [(one["kind"], sorted(one["fields"])) for one in changed] == [("pull_request", ["author", "title"])]
    assert changed[0]["fields"]["title"]["old"] == "edited"
    assert changed[0]["fields"]["author"]["old"] is None
    assert isinstance(changed[0]["fields"]["author"]["new"], str)
    assert document["kinds"]["ai_usage_daily"]["added"] > 0
    assert document["equal"] is False
    run("project", "--repair")
    assert run("diff", "--target", "--exit-code", "--json").json["equal"] is True
    run(*AGAIN, "--fresh", "--set", "prs=3")
    gone = run("diff", "--target", "--stat", "--json").json["kinds"]["pull_request"]
    assert gone["removed"] == 17
    assert "equal" in run("diff", "1", "--target").out


@pytest.fixture
def server(make_url: Urls, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of an empty PostgreSQL database, which journal and target are in."""
    address = make_url("postgresql")
    monkeypatch.setenv("SEEDJOURNAL_JOURNAL", address)
    return address


def test_a_schema_that_is_not_there_is_refused_by_every_command(server: str, run: Run) -> None:
    run(*DEMO)
    execute(server, "CREATE SCHEMA seeds")
    for command in (
        ("project", "--dry-run"),
        ("project",),
        ("verify",),
        ("forget", "--project", "demo", "--target", server, "--yes"),
        ("unseed", "demo", "--yes"),
    ):
        refused = run(*command, "--schema", "seedz", status=2).err
        assert "has no schema 'seedz'" in refused
        assert "Did you mean 'seeds'?" in refused
    for name in ("pg_temp", "information_schema"):
        assert "pg_" in run("project", "--schema", name, status=2).err
        assert "pg_" in run("migrate", "--schema", name, status=2).err


def test_migrate_makes_a_schema_and_a_setting_names_it(server: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run(*DEMO)
    assert "schema seeds in" in run("migrate", "--schema", "seeds", "--tables").out
    monkeypatch.setenv("SEEDJOURNAL_SCHEMA", "seeds")
    run("project")
    monkeypatch.delenv("SEEDJOURNAL_SCHEMA")
    assert len(rows_of(server, "seeds.pull_requests")["seeds.pull_requests"]) == 5
    Path("seedjournal.toml").write_text('schema = "seeds"\n', encoding="utf-8")
    assert "rows counted" in run("project").out
    assert "rows in" in run("verify").out


@pytest.mark.slow
def test_a_dropped_table_comes_back(filled: Callable[..., str], run: Run) -> None:
    at = filled(DEMO, ("project",))
    before = rows_of(at, "pr_survey_reviews")
    execute(at, "DROP TABLE pr_survey_reviews")
    assert "the table is not there" in run("verify", status=1).out
    assert "--repair" in run("project", status=3).err
    assert "tables in" in run("migrate", "--tables").out
    run("project")
    assert rows_of(at, "pr_survey_reviews") == before
    execute(at, "DROP TABLE pr_survey_reviews")
    run("project", "--repair")
    assert rows_of(at, "pr_survey_reviews") == before
    run("verify")

"""`forget`: what it takes, what it asks before, and what the other commands say afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from seedjournal.journal import Database
from tests.conftest import MAKES, Urls
from tests.seedjournal.commands import SMALL, Done, driver_url, rows_of

Run = Callable[..., Done]


@pytest.fixture
def make() -> str:
    """One make, as tests of the journal and of projecting forget on both; a test that may differ names its own."""
    return "sqlite"


JOURNAL = ("journal_events", "journal_nodes", "journal_runs", "journal_forgotten")


@pytest.fixture
def recorded(make: str, make_url: Urls, run: Run, monkeypatch: pytest.MonkeyPatch) -> str:
    """A journal with four runs of one project and one of another; the first run's rows are in the target."""

    def fill(url: str) -> None:
        place = ("--journal", url)
        run("record", "--project", "demo", "--new", *SMALL, *place)
        run("project", *place)
        for turn in (6, 7):
            run("record", "--project", "demo", *SMALL, "--set", f"prs={turn}", *place)
        run("record", "--project", "demo", *SMALL, "--set", "prs=5", "--fresh", *place)
        run("record", "--project", "other", "--new", *SMALL, *place)

    url = make_url.filled(make, "four runs and one", fill)
    monkeypatch.setenv("SEEDJOURNAL_JOURNAL", url)
    return url


def numbers(done: Done) -> list[int]:
    """The runs that a `--json` result names."""
    return [one["run"] for one in done.json["runs"]]


def test_old_runs_go_and_verify_is_content(recorded: str, run: Run) -> None:
    before = rows_of(recorded, *JOURNAL)
    told = run("forget", "--keep-runs", "1", "--dry-run", "--json")
    assert rows_of(recorded, *JOURNAL) == before
    done = run("forget", "--keep-runs", "1", "--yes", "--json")
    assert numbers(told) == numbers(done) == [1, 2, 3]
    assert {name: told.json[name] for name in ("events", "nodes", "bytes")} == {
        name: done.json[name] for name in ("events", "nodes", "bytes")
    }
    assert done.json["events"] > 0
    assert done.json["bytes"] > 100 * done.json["events"]
    assert (told.json["dry_run"], done.json["dry_run"], done.json["rows"]) == (True, False, {})
    assert numbers(run("log", "--json")) == [4, 5]
    assert run("log", "--json").json["forgotten"][0]["runs"] == {"demo": [1, 2, 3]}
    assert "by" in run("log").out
    assert run("log").out.splitlines()[-1].endswith(": runs 1, 2, 3 of demo")
    assert run("verify", "--json").json["ok"] is True
    assert run("forget", "--keep-runs", "1", "--yes").out == "nothing to forget: no project has more runs\n"
    assert "forgot it at" in run("show", "2", status=2).err


@pytest.mark.slow
def test_projecting_goes_on_where_the_shown_state_was_forgotten(recorded: str, run: Run) -> None:
    run("project", "--run", "2")
    run("forget", "--keep-runs", "1", "--project", "demo", "--yes")
    checked = run("verify", "--json").json
    assert checked["ok"] is True
    document = run("project", "--project", "demo", "--json").json["projects"]["demo"]
    assert document["forgotten"] is True
    assert run("verify", "--json").json["unchecked"] == []
    assert "the state that the target showed was forgotten" not in run("project").out


@pytest.mark.parametrize("make", ["postgresql"])
def test_a_project_goes_with_its_rows_where_a_target_is_named(recorded: str, run: Run) -> None:
    run("project")
    told = run("forget", "--project", "demo", "--target", recorded, "--dry-run", "--json").json
    assert len(rows_of(recorded, "teams")["teams"]) == 2
    done = run("forget", "--project", "demo", "--target", recorded, "--yes", "--json").json
    assert told["rows"] == done["rows"]
    assert done["rows"]["demo"]["pull_request"]["deleted"] == 5
    assert [row[1] for row in rows_of(recorded, "teams")["teams"]] == ["other"]
    assert rows_of(recorded, "seedjournal_rows") == {"seedjournal_rows": []}
    assert numbers(run("log", "--json")) == [5]
    assert run("verify", "--json").json["ok"] is True


def test_rows_stay_where_no_target_is_named_and_can_go_later(recorded: str, run: Run) -> None:
    run("forget", "--project", "demo", "--yes")
    assert len(rows_of(recorded, "teams")["teams"]) == 1
    assert run("verify", "--json").json["ok"] is True
    done = run("forget", "--project", "demo", "--target", recorded, "--yes").out
    assert "rows of" in done
    assert rows_of(recorded, "teams")["teams"] == []


def test_a_target_of_its_own(recorded: str, run: Run, tmp_path: Any) -> None:
    target = f"sqlite:///{tmp_path}/rows.db"
    run("project", "--target", target)
    done = run("forget", "--project", "demo", "--target", target, "--yes", "--json").json
    assert done["rows"]["demo"]["team"]["deleted"] == 1
    assert [row[1] for row in rows_of(target, "teams")["teams"]] == ["other"]
    assert len(rows_of(recorded, "teams")["teams"]) == 1
    assert run("forget", "--project", "other", "--target", f"sqlite:///{tmp_path}/none.db", "--yes", status=2).err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "nothing to forget"),
        (("--keep-runs", "0"), "--keep-runs 0 would keep no run"),
        (("--keep-runs", "1"), "`forget` asks before it deletes runs, and there is no terminal"),
        (("--project", "dmeo", "--yes"), "Project 'dmeo' has no run in this journal"),
        (("--keep-runs", "1", "--project", "dmeo", "--yes"), "Project 'dmeo' has no run in this journal"),
        (("--keep-runs", "x"), "Invalid value"),
    ],
)
def test_wrong_use_changes_nothing(recorded: str, run: Run, arguments: tuple[str, ...], message: str) -> None:
    before = rows_of(recorded, *JOURNAL)
    assert message in run("forget", *arguments, status=2).err
    assert rows_of(recorded, *JOURNAL) == before


@pytest.mark.parametrize("make", ["postgresql"])
def test_who_is_not_the_owner_is_told_so(recorded: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only PostgreSQL has owners; what a role may be granted is not enough."""
    name = recorded.rpartition("/")[2].partition("?")[0]
    engine = create_engine(driver_url(recorded))
    try:
        with engine.begin() as connection:
            connection.execute(text(f"CREATE ROLE recorder_{name} LOGIN PASSWORD 'x'"))
            connection.execute(text(f"GRANT SELECT, INSERT, DELETE ON ALL TABLES IN SCHEMA public TO recorder_{name}"))
        before = rows_of(recorded, *JOURNAL)
        monkeypatch.setenv("PGOPTIONS", f"-c role=recorder_{name}")
        refused = run("forget", "--keep-runs", "1", "--yes", status=3).err
        monkeypatch.delenv("PGOPTIONS")
        assert "Only the owner of the journal's tables" in refused
        assert rows_of(recorded, *JOURNAL) == before
    finally:
        with engine.begin() as connection:
            connection.execute(text(f"DROP OWNED BY recorder_{name}"))
            connection.execute(text(f"DROP ROLE recorder_{name}"))
        engine.dispose()


@pytest.mark.parametrize("make", MAKES)
def test_who_projects_into_the_journals_database_is_waited_for(
    recorded: str, run: Run, open_url: Callable[[str], Database]
) -> None:
    forget = ("forget", "--project", "demo", "--yes")
    with open_url(recorded).write("target"):
        assert run(*forget, "--wait", "1", "--json", status=3).error["kind"] == "busy"
    run(*forget)

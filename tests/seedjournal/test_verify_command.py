"""What `verify` prints: few lines however much is wrong, keys that `show` takes, and for each kind what helps."""

from __future__ import annotations

import re
import shlex
import sqlite3
from collections.abc import Callable
from contextlib import closing

import pytest

from seedjournal.commands.verify import REMEDIES
from seedjournal.journal import Fault
from tests.conftest import Urls
from tests.seedjournal.commands import DEMO, Done, execute, rows_of

Run = Callable[..., Done]
Filled = Callable[..., str]

# What spoils a target that adopted a team and noted stale rows, in one go or another, by the kind of finding it makes.
SPOILT = (
    {
        Fault.MISSING: ("DELETE FROM pr_survey_reviews",),
        Fault.DIFFERENT: (
            "UPDATE pull_requests SET title = 'edited'",
            "UPDATE jira_issues SET id = id + 1",
            "UPDATE seedjournal_rows SET id = 8 WHERE kind = 'team'",
        ),
        Fault.EXTRA: ("DELETE FROM seedjournal_rows WHERE kind = 'commit'",),
        Fault.NOTE: (
            "UPDATE seedjournal_rows SET id = id + 1 WHERE kind = 'pr_file'",
            "UPDATE seedjournal_rows SET why = 'adopted' WHERE kind = 'pr_review'",
            "UPDATE seedjournal_rows SET why = 'other' WHERE kind = 'ai_usage_daily'",
            "UPDATE seedjournal_rows SET kind = 'ship' WHERE kind = 'weekly_metrics'",
        ),
    },
    {
        Fault.NOTE: ("UPDATE seedjournal_rows SET why = 'stale' WHERE kind = 'team'",),
        Fault.TABLE: ("DROP TABLE pr_survey_reviews",),
    },
    {
        Fault.NOTE: ("UPDATE seedjournal_rows SET project = 'gone' WHERE kind = 'team'",),
        Fault.POSITION: ("UPDATE seedjournal_positions SET run = 99",),
    },
)


def test_every_kind_of_finding_has_a_remedy() -> None:
    assert (
        set(REMEDIES) == set(Fault) == {*SPOILT[0], *SPOILT[1], *SPOILT[2], Fault.GUARD, Fault.STORAGE, Fault.JOURNAL}
    )


def helped(found: Done) -> list[str]:
    """The commands that the remedies of these findings name."""
    remedies = dict.fromkeys(one["remedy"] for one in found.json["summary"])
    return [re.findall(r"`seedjournal ([^`]+)`", remedy)[0] for remedy in remedies]


@pytest.mark.slow
def test_the_remedies_of_rows_and_notes_help(filled: Callable[..., str], run: Run) -> None:
    at = filled(DEMO)
    run("migrate", "--tables")
    execute(at, "INSERT INTO teams (id, slug, name, description, industry) VALUES (7, 'demo', '', '', '')")
    run("project")
    run(*DEMO, "--fresh", "--set", "prs=3")
    run("project", "--no-prune")
    for spoilt in SPOILT:
        for statement in (one for statements in spoilt.values() for one in statements):
            execute(at, statement)
        found = run("verify", "--json", status=1)
        assert set(spoilt) <= {one["fault"] for one in found.json["summary"]}
        for command in dict.fromkeys(helped(found)):
            run(*command.split())
        run("verify")


def test_the_remedy_of_a_missing_guard_helps(filled: Callable[..., str], run: Run) -> None:
    at = filled(DEMO)
    lite = at.startswith("sqlite")
    execute(at, "DROP TRIGGER journal_runs_no_delete" if lite else "DROP TRIGGER journal_runs_stays ON journal_runs")
    found = run("verify", "--json", status=1)
    assert [one["fault"] for one in found.json["summary"]] == [Fault.GUARD]
    run(*helped(found)[0].split())
    run("verify")


@pytest.mark.slow
def test_the_remedy_of_a_damaged_journal_helps(filled: Filled, run: Run, make_url: Urls) -> None:
    at = filled(DEMO, ("project",))
    lite = at.startswith("sqlite")
    execute(
        at,
        f"{'DROP' if lite else 'ALTER TABLE journal_events DISABLE'} TRIGGER {'journal_events_no_update' if lite else 'USER'}",
    )
    execute(at, """UPDATE journal_events SET event = replace(event, '"name"', '"nam"')""")
    found = run("verify", "--json", status=1)
    assert Fault.JOURNAL in {one["fault"] for one in found.json["summary"]}
    places = ("--journal", make_url("sqlite"), "--target", at)
    run(*DEMO, *places)
    assert "--take-over" in run("project", *places, status=3).err
    run("project", "--take-over", *places)
    run("verify", *places)


def test_the_remedy_of_a_damaged_index_helps(run: Run, make_url: Urls) -> None:
    """The index has lost its entries; REINDEX makes them anew."""
    place = ("--journal", url := make_url("sqlite"))
    run(*DEMO, *place)
    run("project", *place)
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as connection:
        query = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql LIKE '%ON commits%' LIMIT 1"
        ((name, sql),) = connection.execute(query)
        for number, (declared, then) in enumerate(((f"{sql} WHERE 0", f"REINDEX {name}"), (sql, ""))):
            connection.execute("PRAGMA writable_schema = ON")
            connection.execute("UPDATE sqlite_master SET sql = ? WHERE name = ?", (declared, name))
            connection.executescript(f"PRAGMA schema_version = {9000 + number}; PRAGMA writable_schema = RESET; {then}")
    found = run("verify", "--json", *place, status=1)
    assert [one["fault"] for one in found.json["summary"]] == [Fault.STORAGE]
    assert found.json["summary"][0]["remedy"].startswith("REINDEX ")
    execute(url, "REINDEX")
    run("verify", *place)


@pytest.mark.parametrize("make", ["sqlite"])
def test_many_findings_are_few_lines_and_all_are_counted(at: str, run: Run) -> None:
    run(*DEMO, "--set", "prs=50", "--set", "days=90")
    run("project")
    execute(at, "DELETE FROM pr_files")
    execute(at, "UPDATE commits SET message = 'edited'")
    every = run("verify", "--json", status=1).json
    files, commits = rows_of(at, "commits")["commits"], every["summary"]
    assert len(every["findings"]) == sum(one["findings"] for one in commits) > 200
    assert len(files) in {one["findings"] for one in commits}
    said = run("verify", status=1).out
    assert len(said.splitlines()) < 60
    assert said.count("its row differs in message") == said.count("its row is missing") == 20
    assert f"{len(every['findings']) - 40:,} more findings left out; --limit N shows more" in said
    assert said.count("--repair") == 2
    assert said.splitlines()[-1].startswith(f"{len(every['findings']):,} findings: ")
    assert run("verify", "--limit", "3", status=1).out.count("its row is missing") == 3
    assert run("verify", "--limit", "0", "--json", status=1).json["findings"] == []
    assert len(run("verify", "--limit", "100000", status=1).out.splitlines()) > 200


@pytest.mark.parametrize("make", ["sqlite"])
def test_show_takes_the_keys_that_are_printed(filled: Filled, run: Run) -> None:
    at = filled(DEMO, ("project",))
    for table in ("pr_files", "ai_usage_daily", "pr_survey_reviews", "weekly_metrics"):
        execute(at, f"DELETE FROM {table}")
    said = run("verify", status=1).out.splitlines()
    keys = [line.split(": ")[1] for line in said if line.endswith(": its row is missing")]
    assert len(keys) == 20
    for key in keys:
        assert run("show", *shlex.split(key)).out.startswith(key.split()[0])


def test_lost_kinds_are_a_finding(filled: Filled, run: Run) -> None:
    """The rows are compared by the kinds of the domain then."""
    at = filled(DEMO, ("project",))
    execute(
        at,
        "DROP TRIGGER journal_kinds_no_delete"
        if at.startswith("sqlite")
        else "ALTER TABLE journal_kinds DISABLE TRIGGER ALL",
    )
    execute(at, "DELETE FROM journal_kinds")
    execute(at, "UPDATE pull_requests SET title = 'edited'")
    found = run("verify", "--json", status=1).json
    assert {"damaged journal", "different row"} <= {one["fault"] for one in found["summary"]}


@pytest.mark.parametrize("make", ["postgresql"])
def test_notes_that_are_no_keys_are_findings(filled: Filled, run: Run) -> None:
    at = filled(DEMO, ("project",))
    for key in ("no json", "[1]", "{}"):
        execute(at, f"INSERT INTO seedjournal_rows VALUES ('pull_request', '{key}', 'demo', 5, 'stale')")
    assert "wrong note" in run("verify", status=1).out
    run("project", "--repair")
    run("verify")

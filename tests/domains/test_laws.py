"""The laws of seedjournal, for the built-in domain and for domains of a user's own alike, on either database."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from tests.conftest import MAKES
from tests.domains.conftest import EXAMPLES
from tests.faults.commands import Command, done
from tests.seedjournal.commands import DEMO, Done, asked, execute, rows_of

Run = Callable[..., Done]
Rows = dict[str, list[tuple[Any, ...]]]


@dataclass(frozen=True)
class Case:
    """A domain, and two recordings of it that differ."""

    folder: str | None
    record: tuple[str, ...]
    other: tuple[str, ...]

    def lay(self, folder: Path) -> Path:
        """Copy the domain's files."""
        folder.mkdir()
        if self.folder:
            leave = shutil.ignore_patterns("__pycache__")
            shutil.copytree(EXAMPLES / self.folder, folder, ignore=leave, dirs_exist_ok=True)
        return folder


def of(folder: str, project: str, *sets: str, other: tuple[str, ...]) -> Case:
    record = ("record", "--project", project, *(part for one in sets for part in ("--set", one)))
    return Case(folder, record, (*record, *other))


CASES = {
    "engineering": Case(None, (*DEMO, "--set", "prs=12"), (*DEMO, "--set", "prs=16")),
    "library": of("library", "library", other=("--seed", "7")),
    "shop": of("shop", "acme", "customers=5", other=("--set", "customers=7")),
    "tenants": of("tenants", "acme", "tasks=6", other=("--set", "tasks=4", "--set", "folders=9")),
}


# Where domains and databases cannot matter to each other, and tests of either room try both databases.
ON_EITHER = [("engineering", "sqlite"), ("library", "postgresql"), ("shop", "sqlite"), ("tenants", "postgresql")]


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
    """A domain in a folder of its own, where the test works."""
    found = CASES[request.param]
    monkeypatch.chdir(found.lay(tmp_path / "own"))
    return found


def rows(url: str) -> Rows:
    """The users' tables, with ids."""
    return {
        table: found
        for table, found in rows_of(url).items()
        if not table.startswith(("journal", "seedjournal", "alembic"))
    }


@pytest.fixture
def written() -> Iterator[list[str]]:
    """The statements that wrote to tables of the domain, as they are sent."""
    sent: list[str] = []

    def note(connection: object, cursor: object, statement: str, *others: object) -> None:
        if statement.startswith(("INSERT", "UPDATE", "DELETE", "COPY")) and "seedjournal_" not in statement:
            sent.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    yield sent
    event.remove(Engine, "before_cursor_execute", note)


def test_a_second_run_adds_nothing_and_writes_nothing(
    case: Case, filled: Callable[..., str], run: Run, written: list[str]
) -> None:
    url = filled(case.record, ("project",))
    before = rows(url)
    (count,) = asked(url, "SELECT count(*) FROM journal_events")
    for how in ((), ("--no-reuse",)):
        runs = run(*case.record, *how, "--json").json["runs"]
        assert [one["appended"] for one in runs] == [0] * len(runs)
        assert runs[-1]["reused"] is not bool(how)
    assert asked(url, "SELECT count(*) FROM journal_events") == [count]
    written.clear()
    run("project")
    run("project", "--repair")
    assert [one for one in written if "pg_temp" not in one and "staged" not in one] == []
    assert rows(url) == before
    assert run("diff", "--project", case.record[2], "--json").json["equal"]
    assert run("verify", "--json").json["ok"]


def test_both_databases_have_the_same_roots_rows_and_ids(case: Case, make_url: Callable[[str], str], run: Run) -> None:
    found = []
    for make in MAKES:
        url = make_url(make)
        roots = [one["root"] for one in run(*case.record, "--json", "--journal", url).json["runs"]]
        run("project", "--journal", url)
        texts = {
            table: sorted(json.dumps(list(map(plain, row))) for row in shown) for table, shown in rows(url).items()
        }
        found.append((roots, texts))
    assert found[0][0] == found[1][0]
    for table, shown in found[0][1].items():
        assert shown == found[1][1][table]


def plain(value: Any) -> str:
    """A value as either database gives it."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, list):
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return str(float(value)) if isinstance(value, bool | int | float | Decimal) else str(value)


@pytest.mark.parametrize(("case", "make"), ON_EITHER, indirect=["case"])
def test_increments_lead_where_a_rebuild_leads(case: Case, filled: Callable[..., str], run: Run) -> None:
    url = filled(case.record, ("project",))
    run(*case.other)
    run("project", "--yes")
    run("diff", "--state", "--project", case.record[2], "--exit-code", status=1)
    increments = rows(url)
    counts = run("project", "--rebuild", "--yes", "--json").json["projects"]
    assert not any(
        kind[name]
        for project in counts.values()
        for kind in project["kinds"].values()
        for name in ("inserted", "updated", "deleted")
    )
    assert rows(url) == increments


@pytest.mark.parametrize(("case", "make"), ON_EITHER, indirect=["case"])
def test_a_flipped_byte_is_named(case: Case, filled: Callable[..., str], run: Run) -> None:
    url = filled(case.record, ("project",))
    ((number,),) = asked(url, "SELECT max(id) FROM journal_events")
    sqlite = url.startswith("sqlite")
    guard = "DROP TRIGGER journal_events_no_update" if sqlite else "ALTER TABLE journal_events DISABLE TRIGGER USER"
    execute(url, guard)
    execute(url, f"""UPDATE journal_events SET event = replace(event, '"kind"', '"kine"') WHERE id = {number}""")
    found = run("verify", "--json", status=1).json["findings"]
    assert {"event": f"event {number}", "problem": "its content does not have its hash"} in [
        {"event": one["what"], "problem": one["problem"]} for one in found
    ]


@pytest.mark.soak
def test_a_kill_leaves_all_or_nothing(case: Case, url: str, tmp_path: Path) -> None:
    folder = tmp_path / "own"
    started = time.monotonic()
    done(folder, *case.record, "--journal", url)
    done(folder, "project", "--journal", url)
    old, seconds = rows(url), (time.monotonic() - started) / 2
    for arguments in (case.other, ("project", "--yes")):
        command = Command(folder, (*arguments, "--journal", url))
        time.sleep(seconds * 0.7)
        command.kill()
        command.ended()
        assert done(folder, "verify", "--journal", url)["ok"]
        assert arguments[0] == "project" or rows(url) == old
    done(folder, *case.other, "--journal", url)
    done(folder, "project", "--yes", "--journal", url)
    new = rows(url)
    assert new != old
    done(folder, "project", "--rebuild", "--yes", "--journal", url)
    assert rows(url) == new


@pytest.mark.soak
def test_who_records_at_once_stores_each_event_once(case: Case, url: str, tmp_path: Path) -> None:
    folder = tmp_path / "own"
    done(folder, "migrate", "--journal", url)
    crowd = [Command(folder, (*case.record, "--wait", "60", "--journal", url)) for _ in range(3)]
    assert [one.ended().code for one in crowd] == [0] * 3
    ((events, hashes),) = asked(url, "SELECT count(*), count(DISTINCT hash) FROM journal_events")
    assert events == hashes
    assert done(folder, "verify", "--journal", url)["ok"]


@pytest.mark.parametrize(("case", "make"), ON_EITHER, indirect=["case"])
def test_forgotten_runs_leave_the_rows(case: Case, filled: Callable[..., str], run: Run) -> None:
    url = filled(case.record, ("project",))
    run(*case.other)
    run("project", "--yes")
    before = rows(url)
    run("forget", "--keep-runs", "1", "--yes")
    run("project", "--yes")
    assert rows(url) == before
    assert run("verify", "--json").json["ok"]

"""The main job on a real project, through the command line, on both databases.

The files lie beside the repository and are not part of it: `make test-shared` runs these tests.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import select

from seedjournal.cli import main
from seedjournal.journal import open_database
from tests.projectors.invented import MAPS
from tests.seedjournal.coherence import broken

CACHE = Path(__file__).resolve().parents[2] / "shared" / "data" / "cache"
LIBUV = CACHE / "libuv" / "libuv.json.gz"

pytestmark = pytest.mark.shared

SIMULATED = {"jira_issue", "pr_survey", "pr_survey_review", "ai_usage_daily"}
MAY_FOLLOW = {"weekly_metrics", "team_member", "commit"}
AS_OF = "2026-05-19"


class Command:
    """Runs seedjournal on one journal and gives the documents that it prints."""

    def __init__(self, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.url = url
        self._monkeypatch = monkeypatch

    def __call__(self, *arguments: str, exits: int = 0) -> Any:
        command = ["seedjournal", *arguments, "--journal", self.url, "--json", "--quiet"]
        self._monkeypatch.setattr(sys, "argv", command)
        out = io.TextIOWrapper(io.BytesIO(), write_through=True)
        with contextlib.redirect_stdout(out), pytest.raises(SystemExit) as stop:
            main()
        text = out.buffer.getvalue()  # type: ignore[attr-defined]
        assert (stop.value.code or 0) == exits, text
        return orjson.loads(text)

    def record(self, source: Path, *more: str) -> Any:
        arguments = ("record", "--project", "libuv", "--new", "--source", f"cache:{source}", "--as-of", AS_OF, *more)
        return self(*arguments)["runs"][0]

    def project(self, *more: str) -> Any:
        return self("project", *more)["projects"]["libuv"]

    def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        """All projected rows, as plain values that both makes share."""
        database = open_database(self.url, create=False)
        with database.read() as connection:
            found = {
                kind: sorted(
                    tuple(_plain(value) for value in row)
                    for row in connection.execute(select(*(mapped.table.c[name] for name in mapped.columns)))
                )
                for kind, mapped in MAPS.items()
            }
        database.engine.dispose()
        return found


def _plain(value: Any) -> Any:
    if hasattr(value, "isoformat"):
        return value.isoformat().replace("+00:00", "Z")
    return json.dumps(value) if isinstance(value, (list, dict)) else value if value is None else str(value)


@pytest.fixture
def command(url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    monkeypatch.chdir(tmp_path)
    return Command(url, monkeypatch)


@pytest.fixture(scope="module")
def libuv() -> Any:
    return orjson.loads(gzip.decompress(LIBUV.read_bytes()))


def _did_nothing(projected: Any) -> bool:
    return all(one[name] == 0 for one in projected["kinds"].values() for name in ("inserted", "updated", "deleted"))


def test_a_second_record_appends_nothing_and_a_second_projection_touches_nothing(command: Command) -> None:
    first = command.record(LIBUV)
    totals = {kind: one["total"] for kind, one in first["kinds"].items()}
    assert (totals["pull_request"], totals["commit"], totals["pr_file"]) == (2858, 5275, 24354)
    assert (totals["pr_review"], totals["pr_survey"], totals["jira_issue"]) == (2514, 1942, 2858)
    assert first["appended"] == first["counts"]["total"] == sum(totals.values())
    projected = command.project()
    assert {kind: one["inserted"] for kind, one in projected["kinds"].items()} == totals
    for more in ((), ("--no-reuse",)):
        again = command.record(LIBUV, *more)
        assert (again["appended"], again["root"], again["state"]) == (0, first["root"], first["state"])
        assert again["reused"] is (more == ())
        assert _did_nothing(command.project())
        assert command("diff")["equal"] is True
    assert command("verify")["ok"] is True


def test_settings_forth_and_back(command: Command) -> None:
    first = command.record(LIBUV)
    command.project()
    rows = command.rows()
    middle = command.record(LIBUV, "--set", "survey_response_rate=0.2")
    assert middle["root"] != first["root"]
    projected = command.project()
    assert projected["kinds"]["pr_survey"]["updated"] > 0
    assert projected["kinds"]["weekly_metrics"]["kept"] > 0
    assert all(command.rows()[kind] == rows[kind] for kind in rows if kind not in SIMULATED)
    last = command.record(LIBUV)
    assert (last["appended"], last["root"], last["state"]) == (0, first["root"], first["state"])
    command.project()
    assert command.rows() == rows


def test_what_only_one_run_had(command: Command) -> None:
    first = command.record(LIBUV, "--set", "ai_base_adoption_rate=0.2")
    command.record(LIBUV, "--set", "ai_base_adoption_rate=0.6")
    command.project()
    command.record(LIBUV, "--set", "ai_base_adoption_rate=0.2")
    difference = command("diff", "--stat")
    removed = difference["kinds"]["ai_usage_daily"]["removed"]
    assert removed > 0
    assert difference["changes"] == []
    projected = command.project()["kinds"]["ai_usage_daily"]
    assert (projected["deleted"], projected["stale"]) == (0, 0)
    assert projected["unchanged"] == first["kinds"]["ai_usage_daily"]["total"] + removed
    command.record(LIBUV, "--set", "ai_base_adoption_rate=0.2", "--policy", "ai_usage_daily=exact")
    assert command.project()["kinds"]["ai_usage_daily"]["stale"] == removed
    pruned = command.project("--prune", "--yes")["kinds"]["ai_usage_daily"]
    assert (pruned["deleted"], pruned["stale"]) == (removed, 0)
    assert command("verify")["ok"] is True


def test_twenty_more_pull_requests_move_nothing_old(command: Command, libuv: Any, tmp_path: Path) -> None:
    newest = sorted(libuv["prs"], key=lambda pr: (pr["created_at"], pr["number"]))[-20:]
    dropped = {pr["number"] for pr in newest}
    fewer = tmp_path / "fewer" / "libuv.json"
    fewer.parent.mkdir()
    fewer.write_bytes(orjson.dumps({**libuv, "prs": [pr for pr in libuv["prs"] if pr["number"] not in dropped]}))
    command.record(fewer)
    command.record(LIBUV)
    difference = command("diff")
    assert difference["kinds"]["pull_request"] == {"added": 20, "removed": 0, "changed": 0}
    moved = [one for one in difference["changes"] if one["change"] != "added"]
    assert {one["kind"] for one in moved} <= MAY_FOLLOW
    assert not [one for one in moved if one["change"] == "removed"]
    owners = [set(one["fields"]) for one in moved if one["kind"] == "commit"]
    assert all(fields <= {"pull_request", "github_repo"} for fields in owners)


def test_the_order_of_the_source_says_nothing(command: Command, libuv: Any, tmp_path: Path) -> None:
    first = command.record(LIBUV)
    chance = random.Random(7)
    shuffled = orjson.loads(orjson.dumps(libuv))
    chance.shuffle(shuffled["prs"])
    for pr in shuffled["prs"]:
        for part in ("commits", "files", "reviews"):
            chance.shuffle(pr[part])
    path = tmp_path / "libuv.json"
    path.write_bytes(orjson.dumps(shuffled))
    again = command.record(path)
    assert (again["appended"], again["root"]) == (0, first["root"])


def test_both_makes_give_the_same_roots_and_rows(
    make_url: Callable[[str], str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    commands = [Command(make_url(make), monkeypatch) for make in ("sqlite", "postgresql")]
    runs = [command.record(LIBUV) for command in commands]
    assert len({(run["root"], run["state"]) for run in runs}) == 1
    for command in commands:
        command.project()
    one, other = (command.rows() for command in commands)
    assert {kind: len(rows) for kind, rows in one.items()} == {kind: len(rows) for kind, rows in other.items()}
    for kind in one:
        assert one[kind] == other[kind], kind


@pytest.mark.parametrize("repo", ["libuv/libuv", "documenso/documenso"])
def test_an_earlier_and_a_later_export_contradict_nothing(
    repo: str, url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    whole = CACHE / f"{repo}.json.gz"
    document = orjson.loads(gzip.decompress(whole.read_bytes()))
    middle = sorted(pr["created_at"] for pr in document["prs"])[len(document["prs"]) * 3 // 4]
    early = tmp_path / f"{repo}.json.gz"
    early.parent.mkdir()
    prs = [_as_of(pr, middle) for pr in document["prs"] if pr["created_at"] < middle]
    early.write_bytes(gzip.compress(orjson.dumps({**document, "prs": prs}), compresslevel=1))
    command = Command(url, monkeypatch)
    for source, more in ((early, ()), (whole, ()), (early, ()), (whole, ("--policy", "github=upsert"))):
        command("record", "--project", "real", "--new", "--source", f"cache:{source}", *more)
        command("project", "--yes")
        assert broken(url) == {}


def _as_of(pr: dict[str, Any], moment: str) -> dict[str, Any]:
    """What an export of an earlier moment says of a pull request."""
    commits = [one for one in pr["commits"] if one["committed_at"] < moment]
    reviews = [one for one in pr["reviews"] if one["submitted_at"] < moment]
    ends = pr.get("merged_at") or pr.get("closed_at")
    is_open = {"state": "open", "is_merged": False, "merged_at": None, "closed_at": None}
    now = {"commits": commits, "reviews": reviews, "updated_at": None, "commits_count": len(commits)}
    return {**pr, **now, **(is_open if ends and ends >= moment else {})}

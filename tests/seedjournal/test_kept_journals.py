"""A kept journal and target of each schema: every later version opens them and goes on where they stopped.

keep_journal.py made them, one for each schema; they are never made again.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from seedjournal.journal import JOURNAL_HISTORY
from seedjournal.projectors import TARGET_HISTORY
from tests.conftest import MAKES
from tests.seedjournal.commands import Done, rows_of
from tests.seedjournal.keep_journal import CACHE, KEPT

Run = Callable[..., Done]

NAMES = sorted(file.stem for file in KEPT.glob("*.json"))
ON_TOP = ("record", "--project", "rocket", "--source", f"cache:{CACHE}", "--set", "days_back=5")


def restore(name: str, make: str, url: str) -> None:
    """Lay a kept database down at a URL."""
    if make == "sqlite":
        Path(url.removeprefix("sqlite:///")).write_bytes(gzip.decompress((KEPT / f"{name}.sqlite.gz").read_bytes()))
        return
    with psycopg.connect(url) as connection:
        connection.execute(gzip.decompress((KEPT / f"{name}.sql.gz").read_bytes()))


def expected(name: str) -> list[dict[str, Any]]:
    """What `log` said of a kept journal when it was made."""
    told: list[dict[str, Any]] = json.loads((KEPT / f"{name}.json").read_text(encoding="utf-8"))
    return told


@pytest.fixture(params=[(name, make) for name in NAMES for make in MAKES], ids="-".join)
def kept(
    request: pytest.FixtureRequest, make_url: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> tuple[str, str]:
    """A kept journal's name, and the URL of a database that holds it: every command's journal and target."""
    name, make = request.param
    url = make_url(make)
    restore(name, make, url)
    monkeypatch.setenv("SEEDJOURNAL_JOURNAL", url)
    return name, url


def test_the_present_schema_is_kept() -> None:
    assert f"{JOURNAL_HISTORY.head}-{TARGET_HISTORY.head}" in NAMES


def test_a_kept_journal_is_read_verified_and_gone_on_with(kept: tuple[str, str], run: Run) -> None:
    name, url = kept
    run("migrate")
    runs = expected(name)
    told = run("log", "--json").json["runs"]
    assert [{field: one[field] for field in runs[0]} for one in told] == runs
    assert run("verify", "--json").json["ok"]
    assert run("show", str(runs[0]["run"]), "--json").json["state"] == runs[0]["state"]
    assert not run("diff", "1", "2", "--json").json["equal"]
    run("show", "pull_request", "rocket", "acme/rocket", "1")

    run("project")  # it showed the first run
    assert len(rows_of(url, "pull_requests")["pull_requests"]) == 5
    again = run("project", "--json").json["projects"]
    assert all(kind["inserted"] == kind["updated"] == 0 for one in again.values() for kind in one["kinds"].values())

    top = run(*ON_TOP, "--accept-upgrade", "--json").first
    assert (top["run"], top["previous"], top["counts"]["removed"]) == (4, 2, 0)
    # Role and activity were fields of the members' facts.
    assert {kind: one["added"] for kind, one in top["kinds"].items() if one["added"]} == {"member_status": 2}
    run("project", "--run", "1", "--prune", "--yes")
    assert len(rows_of(url, "pull_requests")["pull_requests"]) == 4
    run("project", "--rebuild", "--yes")
    assert run("verify", "--json").json["ok"]

"""The built-in domain into the tables of a Django application, which it owns, reads and writes in between."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.analytics.running import make_tables, running
from tests.conftest import Urls
from tests.seedjournal.commands import SMALL, Done, asked

Run = Callable[..., Done]

EXAMPLE = Path(__file__).parents[2] / "examples" / "django_analytics"


@pytest.fixture
def target(make_url: Urls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The application's database, empty but for its tables; the folder has the map."""
    url = make_url("postgresql")
    for file in ("map.py", "seedjournal.toml"):
        shutil.copy(EXAMPLE / file, tmp_path)
    monkeypatch.setenv("SEEDJOURNAL_TARGET", url)
    with running(url):
        make_tables()
    return url


TABLES = (
    "teams_team metrics_teammember metrics_pullrequest metrics_prreview metrics_commit metrics_prfile metrics_prcheckrun "
    "metrics_jiraissue metrics_prsurvey metrics_prsurveyreview metrics_aiusagedaily metrics_weeklymetrics"
).split()


def versions(url: str) -> dict[str, list[Any]]:
    """Which transaction wrote each row."""
    return {name: sorted(asked(url, f"SELECT id, xmin::text FROM {name}")) for name in TABLES}


def test_twice_writes_once(run: Run, target: str) -> None:
    run("record", "--project", "demo", "--new", *SMALL, "--set", "prs=40")
    first = run("project", "--json").json["projects"]["demo"]["kinds"]
    assert all(one["inserted"] for kind, one in first.items()), first
    before = versions(target)
    assert {name: len(rows) for name, rows in before.items()} == {
        name: one["inserted"] for name, one in zip(TABLES, first.values(), strict=True)
    }
    second = run("project", "--json").json["projects"]["demo"]["kinds"]
    assert all(one["inserted"] == one["updated"] == one["deleted"] == 0 for one in second.values())
    assert versions(target) == before
    assert run("verify").out.startswith("ok")

"""Impossible times as users meet them: record reports them, and --strict refuses them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.seedjournal.commands import Done
from tests.simulators.test_cache_source import commit, entry, top, write
from tests.simulators.test_times import BEFORE, YEAR_1

Run = Callable[..., Done]


def test_record_reports_them_and_strict_refuses(run: Run, tmp_path: Path) -> None:
    path = write(tmp_path / "acme" / "shop.json", top(entry(merged_at=BEFORE), entry(8)))
    record = ("record", "--project", "acme", "--new", "--source", f"cache:{path}")
    refused = run(*record, "--strict", status=3)
    assert "error: The source cache has 1 impossible time: a merge before the creation (1: acme/shop#7" in refused.err
    words = " ".join(run(*record).out.split())
    assert "1 impossible time became null, and so did what is computed from it: a merge before the creation" in words
    assert "impossible" in run(*record, "--strict", status=3).err  # what was recorded before is read again
    assert run(*record, "--no-reuse", "--json").first["notices"][0].startswith("1 impossible time")


def test_a_commit_without_a_time_goes_through_to_the_tables(run: Run, tmp_path: Path) -> None:
    wrong = entry(commits=[commit(committed_at=YEAR_1), commit(sha="c" * 40)])
    path = write(tmp_path / "acme" / "shop.json", top(wrong))
    run("record", "--project", "acme", "--new", "--source", f"cache:{path}")
    run("project")
    shown = json.loads(run("show", "commit", "acme", "ab" * 20, "--json").out)
    assert '"committed_at": null' in json.dumps(shown)

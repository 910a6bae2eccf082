"""The dashboard of the documentation is drawn from a projected database."""

from __future__ import annotations

import importlib.util
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.seedjournal.commands import DEMO, driver_url, entry, write_cache

SCRIPT = Path(__file__).parents[2] / "examples" / "dashboard.py"
TITLES = 13
WITHOUT_REVIEWS_AND_CHECKS = 10


def dashboard() -> Any:
    spec = importlib.util.spec_from_file_location("dashboard", SCRIPT)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def titles(picture: str) -> list[str]:
    found = ET.fromstring(picture).iter("{http://www.w3.org/2000/svg}text")
    return [one.text or "" for one in found if one.get("font-weight") == "bold"]


def test_every_screen_of_a_demo_is_drawn(filled: Callable[..., str], tmp_path: Path) -> None:
    at = filled((*DEMO, "--set", "prs=60"), ("project", "--today", "2026-11-28"))
    arguments = ["--today", "2026-11-28", "--svg", str(tmp_path / "page.svg"), "--html", str(tmp_path / "page.html")]
    dashboard().main([driver_url(at), *arguments])
    picture = (tmp_path / "page.svg").read_text(encoding="utf-8")
    assert len(titles(picture)) == TITLES
    assert "NaN" not in picture
    assert picture.strip() in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_what_a_source_lacks_is_left_out(at: str, run: Callable[..., Any], tmp_path: Path) -> None:
    commits = [{"sha": "a" * 40, "message": "Paint", "author_login": "wile", "author_name": "Wile",
                "committed_at": "2025-03-01T08:00:00Z", "additions": 1, "deletions": 1}]  # fmt: skip
    files = [{"filename": "rocket.py", "status": "modified", "additions": 10, "deletions": 2}]
    numbers = [{**entry(number), "files": files, "changed_files": 1} for number in range(2, 28)]
    write_cache(tmp_path / "cache", {**entry(1), "commits": commits, "commits_count": 1}, *numbers)
    rates = ("--set", "survey_response_rate=1", "--set", "ai_base_adoption_rate=1")
    run("record", "--project", "rocket", "--new", "--source", "cache:cache", *rates)
    run("project", "--today", "2026-11-28")
    dashboard().main([driver_url(at), "--today", "2026-11-28", "--svg", str(tmp_path / "page.svg")])
    drawn = titles((tmp_path / "page.svg").read_text(encoding="utf-8"))
    assert len(drawn) == WITHOUT_REVIEWS_AND_CHECKS
    assert not [one for one in drawn if "Review" in one or "Quality" in one or "check" in one]


def test_no_team_is_said(
    filled: Callable[..., str], run: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    at = filled(DEMO, ("project",))
    with pytest.raises(SystemExit):
        dashboard().main([driver_url(at), "--team", "nobody"])
    assert "there is no such team" in capsys.readouterr().err

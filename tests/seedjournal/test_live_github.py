"""A small repository from GitHub itself, for people with a token: `make live`. LIVE_REPO names another one."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from seedjournal.simulators.engineering.github import ask_gh, find_tokens
from tests.seedjournal.commands import Done

Run = Callable[..., Done]

REPO = os.environ.get("LIVE_REPO") or "pallets/markupsafe"


@pytest.mark.live
def test_a_small_repository_comes_whole(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not find_tokens(os.environ, lambda: ask_gh("github.com")):
        pytest.fail("set GITHUB_TOKEN, or run `gh auth login`")
    monkeypatch.setenv("SEEDJOURNAL_CACHE", str(tmp_path / "cache"))
    record = ("record", "--project", "live", "--new", "--source", "github", "--set", f"repos={REPO}", "--json")
    (estimate,) = run(*record, "--estimate").json["estimate"]
    first = run(*record).first
    found = first["completeness"][REPO]
    assert found["pull_requests"]["stored"] >= estimate["pull_requests"] > 0
    assert found["incomplete"] == []
    again = run(*record).first
    assert again["root"] == first["root"]
    assert run(*record, "--offline", "--no-reuse").first["root"] == first["root"]
    run("fetched", REPO)

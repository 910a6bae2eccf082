"""README.md is right: its commands run, in order, in an empty folder, and its settings are valid."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from seedjournal import settings
from tests.seedjournal.commands import Done, entry, write_cache
from tests.simulators.github.hub import Serving
from tests.simulators.github.world import SECRET, hub_of

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def commands() -> list[list[str]]:
    lines = [line for block in blocks("console") for line in block.splitlines() if line.startswith("$ ")]
    return [shlex.split(line.removeprefix("$ "), comments=True) for line in lines]


def test_every_command_that_needs_no_network_runs(
    run: Callable[..., Done], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    hub = hub_of(5)
    hub.names = {"fastapi/fastapi"}
    serving = Serving(hub)
    request.addfinalizer(serving.close)
    monkeypatch.setenv("SEEDJOURNAL_GITHUB_API", serving.address)
    monkeypatch.setenv("GITHUB_TOKEN", SECRET)
    write_cache(tmp_path / ".seeding_cache", entry(1), entry(2), repo="libuv/libuv")
    ran = 0
    for program, *arguments in commands():
        if program in {"make", "pip"}:
            continue
        assert program == "seedjournal"
        if any(part.startswith(("git:https:", "postgresql:")) for part in arguments):
            continue
        run(*arguments)
        ran += 1
    assert ran >= 8
    assert hub.asked


def test_what_is_promised_of_twenty_more(run: Callable[..., Done]) -> None:
    recording = [arguments for program, *arguments in commands() if program == "seedjournal" and "demo" in arguments]
    assert len(recording) == 2
    for arguments in recording:
        run(*arguments)
    assert run("diff", "--json").json["kinds"]["pull_request"] == {"added": 20, "removed": 0, "changed": 0}


def test_its_settings_are_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    from seedjournal.simulators.engineering.project import make_project

    (text,) = blocks("toml")
    Path("seedjournal.toml").write_text(text, encoding="utf-8")
    found = settings.load()
    assert set(found.projects) == set(tomllib.loads(text)["projects"])
    for name, given in found.projects.items():
        assert make_project(name, given).name == name
    for variable in re.findall(r"\$\{(\w+)\}", text):
        monkeypatch.setenv(variable, "filled")
    assert "filled" in settings.addresses(found, None, None).target


def test_every_link_leads_somewhere() -> None:
    root = Path(__file__).parents[2]
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]
    assert [link for link in links if not (root / link).exists()] == []

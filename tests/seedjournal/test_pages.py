"""Every page of the documentation is right: its commands and snippets run from the installed wheel, in an empty folder.

Printed output is compared; RENEW_GOLDEN=1 writes what came into the page instead. See pages.py for how a page is read.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seedjournal import settings
from tests.seedjournal import pages
from tests.seedjournal.conftest import ROOT
from tests.simulators.github.hub import Serving
from tests.simulators.github.world import SECRET, hub_of

pytestmark = pytest.mark.xdist_group("wheel")  # it is built once

PAGES = sorted(
    file
    for file in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    if "adr" not in file.parts and file.name != "CHANGELOG.md"
)
RENEWS = bool(os.environ.get("RENEW_GOLDEN"))


def name_of(file: Path) -> str:
    return str(file.relative_to(ROOT))


TESTED = {"README.md": (), "tutorial.md": pytest.mark.slow}  # all others before a release


def pages_to_run() -> list[Any]:
    """The pages with something to run; together they take more time than CI has."""
    chosen = [file for file in PAGES if pages.read_page(file).is_to_run]
    return [pytest.param(one, id=name_of(one), marks=TESTED.get(one.name, pytest.mark.more)) for one in chosen]


@pytest.mark.parametrize("file", pages_to_run())
def test_what_a_page_prints_happens(
    file: Path, installed: Path, tmp_path: Path, request: pytest.FixtureRequest, make_url: Callable[[str], str]
) -> None:
    page = pages.read_page(file)
    environment = {**pages.on_path(installed / "bin"), "SEEDJOURNAL_CACHE": str(tmp_path / "cache")}
    if "github" in page.needs:
        serving = Serving(hub_of(5))
        serving.hub.names = {"fastapi/fastapi"}
        request.addfinalizer(serving.close)
        environment |= {"SEEDJOURNAL_GITHUB_API": serving.address, "GITHUB_TOKEN": SECRET}
    folder = tmp_path / "empty"
    folder.mkdir()
    addresses = {}
    if "postgresql" in page.needs:
        addresses = {
            one: make_url("postgresql") for one in sorted(set(pages.addresses_of(page)), key=len, reverse=True)
        }
    reader = pages.Reader(folder, environment, str(installed / "bin" / "python"), addresses, RENEWS)
    problems = list(reader.follow(page))
    if RENEWS and page.renewed:
        page.write_renewed()
    assert problems == [], "\n\n".join(problems) + "\n\nif the page should change: run again with RENEW_GOLDEN=1"


@pytest.mark.parametrize("file", PAGES, ids=name_of)
def test_what_is_not_run_says_why(file: Path) -> None:
    page = pages.read_page(file)
    if page.run_by:
        assert file.name in (ROOT / page.run_by).read_text(encoding="utf-8")
    for block in page.blocks:
        if block.why_not is not None:
            assert len(block.why_not.split()) > 1, f"{file.name}:{block.line}"
            for named in re.findall(r"tests/[\w/]+\.py", block.why_not):
                assert (ROOT / named).is_file(), f"{file.name}:{block.line}"


@pytest.mark.parametrize("file", PAGES, ids=name_of)
def test_settings_that_a_page_prints_are_valid(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for block in pages.read_page(file).blocks:
        if block.language == "toml" and block.why_not is None:
            Path("seedjournal.toml").write_text(block.content, encoding="utf-8")
            found = settings.load()
            assert set(found.projects) == set(tomllib.loads(block.content).get("projects", {}))


@pytest.mark.parametrize("file", PAGES, ids=name_of)
def test_every_link_leads_somewhere(file: Path) -> None:
    text = re.sub(r"```.*?```", "", file.read_text(encoding="utf-8"), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        there = (file.parent / path).resolve() if path else file
        assert there.exists(), f"{file.name}: {link}"
        if anchor and there.suffix == ".md":
            assert anchor in anchors(there), f"{file.name}: {link}"


def anchors(file: Path) -> set[str]:
    """The anchors of a page's headings."""
    heads = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}


def test_contributing_names_files_that_are_there() -> None:
    """A folder that the Makefile makes, as `site/`, is named in .gitignore and is not in a fresh clone."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    made = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    for named in re.findall(r"`([\w.]+/[\w./]*)`", text):
        assert named in made or (ROOT / named).exists(), named

"""The demo holds what it says, keeps its folder, and the picture in README.md shows what README.md prints."""

from __future__ import annotations

import html
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.seedjournal.commands import Done
from tests.seedjournal.conftest import ROOT

COLUMNS, LINES = 80, 24  # of a terminal: each part is one screen


@pytest.mark.slow
def test_the_demo_holds_what_it_says(tmp_path: Path, run: Callable[..., Done], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "demo"
    done = subprocess.run(
        [sys.executable, "-P", "-m", "seedjournal.demo", str(folder)],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "UNIQUE constraint failed" in done.stdout
    assert "0 appended to the journal" in done.stdout
    assert f"Everything is in {folder}" in done.stdout
    assert done.stdout.endswith("20 pull requests added, 0 old simulated entities moved\n")
    assert max(len(part.splitlines()) for part in re.split(r"^# ", done.stdout, flags=re.MULTILINE)) <= LINES
    commands = ("  cd ", "Everything is in", "$ seedjournal")  # their length is the folder's, or the reader's to know
    assert [one for one in done.stdout.splitlines() if len(one) > COLUMNS and not one.startswith(commands)] == []
    monkeypatch.chdir(folder)
    for command in re.findall(r"^  seedjournal (.*)$", done.stdout, re.MULTILINE):
        run(*command.split())


def test_the_picture_shows_what_readme_prints() -> None:
    picture = (ROOT / "docs" / "images" / "terminal.svg").read_text(encoding="utf-8")
    shown = html.unescape("".join(re.findall(r"<text[^>]*>([^<]*)</text>", picture))).replace("\xa0", " ")
    readme = (ROOT / "README.md").read_text(encoding="utf-8").partition("## With it")[2].partition("## Try it")[0]
    for line in "".join(re.findall(r"```console\n(.*?)```", readme, re.DOTALL)).splitlines():
        for word in line.split():
            assert word in shown, f"{line}\nrun `python examples/terminal.py`"

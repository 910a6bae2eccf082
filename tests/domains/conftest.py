"""Domains in folders of their own, and the real commands on them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from seedjournal.simulators import purity
from tests.seedjournal.conftest import at, filled, run

__all__ = ["at", "filled", "run"]

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def repeated_elsewhere() -> None:
    """Repeat calls of simulators in another process too, as the program does."""


@pytest.fixture(autouse=True)
def _repeated_here(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Repeat calls of simulators in this process alone: another one takes longer than all else that a test does."""
    if "repeated_elsewhere" not in request.fixturenames:
        monkeypatch.setattr(purity, "_elsewhere", lambda *_: ())


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """A function that lays an example's files into a folder of the test's own, and works there."""

    def lay(name: str) -> Path:
        folder = tmp_path / name
        shutil.copytree(EXAMPLES / name, folder, ignore=shutil.ignore_patterns("__pycache__"))
        monkeypatch.chdir(folder)
        return folder

    return lay


@pytest.fixture
def declare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Path]]:
    """A function that writes a domain `one` into seeds.py, with other files beside it, and works there."""

    def write(text: str, **files: str) -> Path:
        (tmp_path / "seeds.py").write_text(HEAD + dedent(text), encoding="utf-8")
        (tmp_path / "seedjournal.toml").write_text('domain = "seeds:one"\n', encoding="utf-8")
        for name, content in files.items():
            (tmp_path / name.replace("_", ".")).write_text(dedent(content), encoding="utf-8")
        monkeypatch.chdir(tmp_path)
        return tmp_path

    return write


HEAD = """\
from __future__ import annotations
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal
from seedjournal import All, Domain, Draw, Its, Kind, KeyAs, Places, Run, Size, Summary, at, by, csv, json_lines
"""

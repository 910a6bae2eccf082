"""How tests of the command line run it: in this process, in a folder of their own."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import MAKES, Urls
from tests.seedjournal.commands import Done, call

GOLDEN = Path(__file__).parent / "golden"
_RENEWS = bool(os.environ.get("RENEW_GOLDEN"))


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """A function that runs a command line and expects an exit status: `run("log", "--json", status=2)`."""

    def run_(*arguments: str, status: int = 0) -> Done:
        capsys.readouterr()
        done = call(capsys, arguments)
        assert done.status == status, f"exit status {done.status}\n{done.out}\n{done.err}"
        return done

    return run_


@pytest.fixture
def at(url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A new database, on either make, that is every command's journal and target."""
    monkeypatch.setenv("SEEDJOURNAL_JOURNAL", url)
    return url


@pytest.fixture(params=MAKES)
def filled(
    request: pytest.FixtureRequest, make_url: Urls, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """A function that makes a database in which these commands were run once, every command's journal and target."""

    def fill(*commands: tuple[str, ...]) -> str:
        def run_all(address: str) -> None:
            for command in commands:
                done = call(capsys, (*command, "--journal", address))
                assert done.status == 0, done.out + done.err

        url = make_url.filled(request.param, repr(commands), run_all)
        monkeypatch.setenv("SEEDJOURNAL_JOURNAL", url)
        return url

    return fill


@pytest.fixture
def golden() -> Callable[[str, str], None]:
    """A function that compares a text with the file of that name; RENEW_GOLDEN=1 writes the file instead."""

    def compare(name: str, text: str) -> None:
        file = GOLDEN / f"{name}.txt"
        if _RENEWS:
            file.write_text(text, encoding="utf-8")
        assert text == file.read_text(encoding="utf-8"), f"if {file.name} should change: run again with RENEW_GOLDEN=1"

    return compare

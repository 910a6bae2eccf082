"""How tests of the command line run it: in this process, in a folder of their own."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Urls
from tests.seedjournal.commands import Done, call

ROOT = Path(__file__).parents[2]
GOLDEN = Path(__file__).parent / "golden"
_RENEWS = bool(os.environ.get("RENEW_GOLDEN"))


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel; built without isolation where the build backend is installed."""
    folder = tmp_path_factory.mktemp("wheel")
    alone = ["--no-build-isolation"] if importlib.util.find_spec("hatchling") else []
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--disable-pip-version-check"]
    subprocess.run([*pip, *alone, "--wheel-dir", str(folder), str(ROOT)], check=True, capture_output=True, text=True)
    (file,) = folder.glob("*.whl")
    return file


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment in which the wheel is installed: nothing in it leads to the checkout."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, symlinks=True)
    inside = Path(sysconfig.get_path("purelib", "venv", {"base": str(folder), "platbase": str(folder)}))
    (inside / "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n", encoding="utf-8")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(inside)
    program = folder / "bin" / "seedjournal"
    program.write_text(f"#!{folder}/bin/python\nfrom seedjournal.__main__ import main\n\nmain()\n", encoding="utf-8")
    program.chmod(0o755)
    return folder


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


@pytest.fixture
def filled(
    make: str, make_url: Urls, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """A function that makes a database in which these commands were run once, every command's journal and target."""

    def fill(*commands: tuple[str, ...]) -> str:
        def run_all(address: str) -> None:
            for command in commands:
                done = call(capsys, (*command, "--journal", address))
                assert done.status == 0, done.out + done.err

        url = make_url.filled(make, repr(commands), run_all)
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

"""The built wheel works where there is no checkout: its migrations are found, and it writes into nobody's package."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.seedjournal.commands import DEMO
from tests.seedjournal.conftest import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("wheel")]  # it is built once

BROKEN = "raise ImportError('a module of the user, which nobody asked for')\n"


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's content, as an installation would lay it down."""
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def test_it_holds_one_package_and_nothing_of_alembic(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"seedjournal"}
    for room in ("journal", "projectors", "simulators/engineering"):
        assert f"seedjournal/{room}/__init__.py" in names
    for history in ("journal", "target"):
        assert f"seedjournal/migrations/{history}/env.py" in names
        assert any(name.startswith(f"seedjournal/migrations/{history}/versions/") for name in names)
    assert "seedjournal/py.typed" in names
    assert not [name for name in names if "__pycache__" in name]


def test_it_does_the_main_job_on_either_make(site: Path, tmp_path: Path, make_url: Callable[[str], str]) -> None:
    """The dependencies come from this environment; the checkout's own place is taken off the path."""
    code = (
        "import sys\n"
        f"sys.path[:] = [{str(site)!r}, *(place for place in sys.path if place not in ({str(ROOT)!r}, ''))]\n"
        "sys.meta_path[:] = [one for one in sys.meta_path if 'editable' not in repr(one).lower()]\n"
        "import seedjournal\n"
        f"assert seedjournal.__file__.startswith({str(site)!r}), seedjournal.__file__\n"
        "from seedjournal.cli import main\n"
        "main()"
    )

    def run(*arguments: str) -> dict[str, object]:
        done = subprocess.run(
            [sys.executable, "-P", "-c", code, *arguments, "--json"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": ""},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        document: dict[str, object] = json.loads(done.stdout)
        return document

    for make in ("sqlite", "postgresql"):
        place = ("--journal", make_url(make))
        run("record", "--project", "demo", "--new", "--source", "demo", "--set", "prs=10", *place)
        run("project", *place)
        assert run("verify", *place)["ok"] is True


@pytest.fixture
def crowded(tmp_path: Path) -> Path:
    """A working folder with a module, a package and plain folders of the rooms' names; importing one fails."""
    (tmp_path / "journal.py").write_text(BROKEN)
    (tmp_path / "simulators").mkdir()
    (tmp_path / "simulators" / "__init__.py").write_text(BROKEN)
    for folder in ("journal", "projectors", "alembic"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "own.py").write_text(BROKEN)
    return tmp_path


def do_the_main_job(folder: Path, *program: str | Path, **environment: str) -> None:
    """Do the main job with this program."""
    for arguments in (DEMO, ("project",)):
        done = subprocess.run(
            [*program, *arguments],
            cwd=folder,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)


def test_the_command_of_the_checkout(crowded: Path) -> None:
    do_the_main_job(crowded, Path(sys.executable).with_name("seedjournal"))


def test_the_module_of_the_checkout(crowded: Path) -> None:
    """Python puts the working folder before everything else for `python -m`, and so does PYTHONPATH."""
    do_the_main_job(crowded, sys.executable, "-m", "seedjournal", PYTHONPATH=str(crowded))


def test_the_module_of_the_wheel(crowded: Path, site: Path) -> None:
    do_the_main_job(crowded, sys.executable, "-m", "seedjournal", PYTHONPATH=str(site))
    where = "import seedjournal; print(seedjournal.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", where],
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith(str(site))

"""A new user's cases, with the wheel: `make test-more` tries them, and so does `python -m tests.acceptance`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.acceptance import CASES, attempt, install
from tests.conftest import SERVER

pytestmark = [pytest.mark.more, pytest.mark.xdist_group("wheel")]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program of the wheel, in an environment of its own."""
    return install(tmp_path_factory.mktemp("acceptance"))


@pytest.mark.parametrize(("title", "make"), [(title, make) for title, (_, makes) in CASES.items() for make in makes])
def test_what_a_new_user_tries(title: str, make: str, program: Path) -> None:
    assert attempt(title, make, program, os.environ[SERVER]) == ""

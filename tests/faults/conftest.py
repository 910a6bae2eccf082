"""A base of each make of database, made when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import MAKES
from tests.faults.bases import Base


@pytest.fixture(scope="session")
def _bases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Base]]:
    made: dict[str, Base] = {}

    def base(make: str) -> Base:
        if make not in made:
            folder: Path = tmp_path_factory.mktemp(f"faults-{make}")
            made[make] = Base(make, folder)
        return made[make]

    yield base
    for one in made.values():
        one.close()


@pytest.fixture(params=MAKES)
def base(request: pytest.FixtureRequest, _bases: Callable[[str], Base]) -> Base:
    """A recorded and projected project, on either make."""
    return _bases(request.param)


@pytest.fixture
def base_of(_bases: Callable[[str], Base]) -> Callable[[str], Base]:
    """A function from a make to its base."""
    return _bases

"""The journal's tests need a journal only."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from seedjournal.journal import JOURNAL_HISTORY, Database, ensure, open_database
from tests.conftest import MAKES, Urls

Fill = Callable[[Database], object]


@pytest.fixture
def open_url() -> Iterator[Callable[[str], Database]]:
    """A function that opens a database with a journal in it; closed when the test ends."""
    opened: list[Database] = []

    def open_(address: str) -> Database:
        database = open_database(address, create=True)
        opened.append(database)
        ensure(database, JOURNAL_HISTORY, create=True)
        return database

    yield open_
    for database in opened:
        database.engine.dispose()


@pytest.fixture(scope="session")
def _kept(tmp_path_factory: pytest.TempPathFactory, _ready: Callable[[str], str]) -> Iterator[Callable[..., Database]]:
    urls = Urls(tmp_path_factory.mktemp("kept"), _ready)
    made: dict[tuple[str, Fill], Database] = {}

    def keep(make: str, fill: Fill) -> Database:
        if (make, fill) not in made:
            made[make, fill] = open_database(urls.ready(make), create=True)
            fill(made[make, fill])
        return made[make, fill]

    yield keep
    for database in made.values():
        database.engine.dispose()
    urls.remove()


@pytest.fixture(params=MAKES)
def kept(request: pytest.FixtureRequest, _kept: Callable[[str, Fill], Database]) -> Callable[[Fill], Database]:
    """A function that gives a journal that was filled once, on either make: for tests that leave it as it is."""
    return lambda fill: _kept(request.param, fill)


@pytest.fixture(params=MAKES)
def copy_of(
    request: pytest.FixtureRequest, make_url: Urls, open_url: Callable[[str], Database]
) -> Callable[[Fill], Database]:
    """A function that gives a copy of a journal that was filled once, on either make."""

    def copy(fill: Fill) -> Database:
        def fill_once(address: str) -> None:
            database = open_url(address)
            fill(database)
            database.engine.dispose()

        return open_url(make_url.filled(request.param, f"{fill.__module__}.{fill.__name__}", fill_once))

    return copy

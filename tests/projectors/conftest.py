"""The tests of projecting share databases, which are empty when a test begins."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from seedjournal.journal import Database
from tests.conftest import MAKES
from tests.projectors import kept


@pytest.fixture(scope="session", autouse=True)
def _closing() -> Iterator[None]:
    yield
    kept.close()


@pytest.fixture(params=MAKES)
def database(request: pytest.FixtureRequest) -> Database:
    """A database with an empty journal and an empty target, on either make."""
    return kept.emptied(request.param)

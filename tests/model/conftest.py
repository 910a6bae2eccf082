"""Histories share databases, which are empty when one begins, and are cut into small pieces."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.model.sides import in_small_pieces
from tests.projectors import kept


@pytest.fixture(scope="session", autouse=True)
def _closing() -> Iterator[None]:
    yield
    kept.close()


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    in_small_pieces(monkeypatch)

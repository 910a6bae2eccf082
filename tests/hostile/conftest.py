"""Every test here is bounded: what would go on for ever is a failure, and not a wait."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any, NoReturn

import pytest

from tests.seedjournal.conftest import _own_folder, at, run

__all__ = ["_own_folder", "at", "run"]

PATIENCE = 120  # seconds that a whole test may take on a busy machine


class NeverEnding(BaseException):
    """Neither a time-out that the program could catch, nor an error that it could explain."""


@pytest.fixture(autouse=True)
def _bounded() -> Iterator[None]:
    def give_up(*_: Any) -> NoReturn:
        raise NeverEnding

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(PATIENCE)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)

"""Stores of tests survive the death of a process, not that of the machine: syncing is most of their time."""

from __future__ import annotations

import pytest

from seedjournal.simulators.engineering.github import store


@pytest.fixture(autouse=True)
def _no_syncing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "DURABILITY", "OFF")

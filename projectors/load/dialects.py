"""Which file loads rows into which make of database; each is loaded when it is needed."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from sqlalchemy import Connection


def verbs(connection: Connection) -> ModuleType:
    """The dialect's verbs for an open connection."""
    return import_module(f".{connection.dialect.name}", __package__)

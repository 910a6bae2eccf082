"""Which file speaks to which make of database; each is loaded when it is needed."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from sqlalchemy import Connection

MAKES = ("sqlite", "postgresql")


def dialect(make: str) -> ModuleType:
    """The verbs of a make of database."""
    return import_module(f".{make}", __package__)


def verbs(connection: Connection) -> ModuleType:
    """The dialect's verbs for an open connection."""
    return dialect(connection.dialect.name)

"""Which file loads rows into which make of database."""

from __future__ import annotations

from types import ModuleType

from sqlalchemy import Connection

from . import postgresql, sqlite

DIALECTS: dict[str, ModuleType] = {"sqlite": sqlite, "postgresql": postgresql}


def verbs(connection: Connection) -> ModuleType:
    """The dialect's verbs for an open connection."""
    return DIALECTS[connection.dialect.name]

"""Who points to a table: every foreign key of the database, anybody's.

A row that another one points to is never deleted, and an id that moves takes all that point to it along.
"""

from __future__ import annotations

from sqlalchemy import Connection, inspect

from .load.dialects import verbs
from .load.pointers import Pointer
from .rules import Rule


def pointers_to(connection: Connection, rule: Rule) -> list[Pointer]:
    """Every foreign key that refers to the kind's table, in any schema."""
    fold = verbs(connection).fold
    own, schemas = verbs(connection).schemas(connection)
    inspector = inspect(connection)
    return [
        Pointer(schema, name, tuple(key["constrained_columns"]), tuple(map(fold, key["referred_columns"])))
        for schema in schemas
        for (_, name), keys in inspector.get_multi_foreign_keys(schema=schema).items()
        for key in keys
        if fold(key["referred_table"]) == rule.table.name and key["referred_schema"] in {None, own}
    ]

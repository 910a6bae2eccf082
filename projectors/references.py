"""Who points to a table: every foreign key of the database, anybody's.

A row that another one points to is never deleted, and an id that moves takes all that point to it along.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    and_,
    column,
    exists,
    inspect,
    table,
)

from .rules import Rule


@dataclass(frozen=True, slots=True)
class Pointer:
    """A foreign key: a table's columns, and the columns of ours that they hold."""

    schema: str | None
    table: str
    columns: tuple[str, ...]
    referred: tuple[str, ...]

    def points_to(self, rows: Table) -> ColumnElement[bool]:
        """Some row of the pointing table holds this row."""
        alias = table(self.table, *map(column, self.columns), schema=self.schema).alias("pointing")
        pairs = zip(self.columns, self.referred, strict=True)
        return exists().where(and_(*(alias.c[mine] == rows.c[theirs] for mine, theirs in pairs)))


def pointers_to(connection: Connection, rule: Rule) -> list[Pointer]:
    """Every foreign key that refers to the kind's table, in any schema."""
    inspector = inspect(connection)
    own = inspector.default_schema_name if connection.dialect.name == "postgresql" else None
    schemas: list[str | None] = [None]
    if connection.dialect.name == "postgresql":
        schemas += [name for name in inspector.get_schema_names() if name not in {own, "information_schema"}]
    found: list[Pointer] = []
    for schema in schemas:
        for (_, name), keys in inspector.get_multi_foreign_keys(schema=schema).items():
            found += [
                Pointer(schema, name, tuple(key["constrained_columns"]), tuple(key["referred_columns"] or ["id"]))
                for key in keys
                if key["referred_table"] == rule.table.name and key["referred_schema"] in {None, own}
            ]
    return found

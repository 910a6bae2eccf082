"""Foreign keys that point to our rows, anybody's, and the statements that follow them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import (
    ColumnElement,
    Table,
    Update,
    and_,
    case,
    column,
    exists,
    or_,
    table,
    update,
)


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
        return exists().where(and_(*(alias.c[mine] == column(theirs, _selectable=rows) for mine, theirs in pairs)))


def moved(pointers: Sequence[Pointer], old: int, new: int) -> Iterator[Update]:
    """Let all that point to an id point to another one: one statement a table."""
    columns: dict[tuple[str | None, str], set[str]] = {}
    for pointer in pointers:
        pairs = zip(pointer.columns, pointer.referred, strict=True)
        columns.setdefault((pointer.schema, pointer.table), set()).update(mine for mine, ours in pairs if ours == "id")
    for (schema, name), names in columns.items():
        if names:
            pointing = table(name, *map(column, sorted(names)), schema=schema)
            yield (
                update(pointing)
                .where(or_(*(one == old for one in pointing.c)))
                .values({one.name: case((one == old, new), else_=one) for one in pointing.c})
            )

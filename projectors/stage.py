"""Set-based comparing and writing: rows go to a staging table in pieces, and from there to the target by natural key.

What has to be known of the target's rows is asked of the database about a piece, never about a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, insert, or_, select, update

from seedjournal.journal import KeyBytes

from .dialects import dialect_of
from .layout import Layout, TableMap, foreign_key, key_from_row
from .rows import Row

_COUNTED = {"preserve_rowcount": True}  # the numbers shown are what the database says it did


class Taken(NamedTuple):
    """A staged row whose id a row of the target has under another key."""

    place: int
    id: int
    holder: KeyBytes


class Stage:
    """A staging table for one kind, in one transaction. `place` is a row's place in its piece."""

    def __init__(self, connection: Connection, layout: Layout, mapped: TableMap) -> None:
        self.connection = connection
        self.layout = layout
        self.mapped = mapped
        self.table = mapped.stage
        self._is_made = False

    def drop(self) -> None:
        """Remove the staging table."""
        if self._is_made:
            self.table.drop(self.connection, checkfirst=False)

    def fill(self, rows: Sequence[Row]) -> None:
        """Replace what is staged by these rows."""
        if self._is_made:
            self.connection.execute(delete(self.table))
        else:
            self.table.create(self.connection, checkfirst=False)
            self._is_made = True
        placed = [(place, *row) for place, row in enumerate(rows)]
        dialect_of(self.connection).load(self.table.name, self.table.columns.keys(), placed)

    def other_ids(self) -> list[tuple[int, int]]:
        """List (place, id) of the target's rows that have a staged row's key under another id."""
        rows, staged = self.mapped.table, self.mapped.staged
        query = select(self.table.c.place, rows.c.id).join_from(self.table, rows, self._same_key())
        return [(place, number) for place, number in self.connection.execute(query.where(rows.c.id != staged["id"]))]

    def taken_ids(self) -> list[Taken]:
        """List the staged rows whose id the target has under another key."""
        rows, staged = self.mapped.table, self.mapped.staged
        query, parts = self.layout.natural_keys(self.mapped)
        query = query.add_columns(self.table.c.place).where(rows.c.id == staged["id"], ~self._same_key())
        return [
            Taken(place, number, key_from_row(self.mapped, parts, values))
            for number, *values, place in self.connection.execute(query)
        ]

    def shared_ids(self) -> list[tuple[int, int]]:
        """List the pairs of staged rows that have one id."""
        other = self.table.alias()
        query = select(self.table.c.place, other.c.place).join_from(
            self.table, other, and_(other.c.c0 == self.mapped.staged["id"], self.table.c.place < other.c.place)
        )
        return [(one, two) for one, two in self.connection.execute(query)]

    def take_ids_of_rows(self) -> None:
        """Give every staged row whose key the target has the id that it has there."""
        rows, staged = self.mapped.table, self.mapped.staged
        statement = update(self.table).values({staged["id"]: rows.c.id})
        self.connection.execute(statement.where(self._same_key(), rows.c.id != staged["id"]))

    def leave_out(self, places: Sequence[int]) -> None:
        """Take staged rows out again."""
        self.connection.execute(delete(self.table).where(dialect_of(self.connection).among(self.table.c.place, places)))

    def places_without_row(self) -> list[int]:
        """List the staged rows whose key no row of the target has under any id."""
        query = select(self.table.c.place).where(~exists().where(self._same_key()))
        return sorted(self.connection.execute(query).scalars())

    def differences(self) -> list[tuple[int, list[str]]]:
        """List (place, columns) of staged rows that the target's row of the same id differs from."""
        rows, staged = self.mapped.table, self.mapped.staged
        names = self.mapped.columns[1:]
        query = select(self.table.c.place, *(rows.c[name].is_distinct_from(staged[name]) for name in names))
        query = query.join_from(self.table, rows, rows.c.id == staged["id"]).where(self.differs(names))
        return [
            (place, [name for name, differs in zip(names, flags, strict=True) if differs])
            for place, *flags in self.connection.execute(query)
        ]

    def missing_parents(self) -> list[str]:
        """List the kinds of which staged rows point to an entity that has no row."""
        missing: list[str] = []
        for reference in self.mapped.kind.references:
            parent = self.layout[reference.to].table.c.id
            pointer = self.mapped.staged[foreign_key(reference)]
            is_there: ColumnElement[bool] = exists().where(parent == pointer)
            if reference.to == self.mapped.kind.name:
                others = self.table.alias()
                is_there = or_(is_there, exists().where(others.c.c0 == pointer))
            query = select(exists().where(pointer.is_not(None), ~is_there))
            if self.connection.execute(query).scalar():
                missing.append(reference.to)
        return missing

    def update_rows(self) -> int:
        """Give the target's rows of the same id the staged content where any of it differs; return how many."""
        rows, staged = self.mapped.table, self.mapped.staged
        names = self.mapped.columns[1:]
        statement = update(rows).values({name: staged[name] for name in names})
        statement = statement.where(rows.c.id == staged["id"], self.differs(names))
        return int(self.connection.execute(statement, execution_options=_COUNTED).rowcount)

    def insert_rows(self) -> int:
        """Add the staged rows whose id the target does not have; return how many."""
        rows, staged = self.mapped.table, self.mapped.staged
        new = select(*staged.values()).where(~exists().where(rows.c.id == staged["id"]))
        statement = insert(rows).from_select(list(self.mapped.columns), new)
        return int(self.connection.execute(statement, execution_options=_COUNTED).rowcount)

    def differs(self, names: Sequence[str]) -> ColumnElement[bool]:
        """Say in SQL that a target's row and a staged one differ in any of these columns."""
        rows, staged = self.mapped.table, self.mapped.staged
        return or_(*(rows.c[name].is_distinct_from(staged[name]) for name in names))

    def _same_key(self) -> ColumnElement[bool]:
        rows, staged = self.mapped.table, self.mapped.staged
        conditions: list[Any] = [rows.c[name] == staged[name] for name in self.mapped.key_columns]
        return and_(*conditions)

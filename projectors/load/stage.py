"""Set-based writing: rows go to a staging table in pieces, and from there to the target by natural key.

The target's rules (who is foreign, whose id collides, what differs) are questions to the database about a piece, never
about a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    delete,
    exists,
    insert,
    or_,
    select,
    update,
)

from seedjournal.journal import dialect_of

from ..rows import Row
from ..rules import Rule, foreign_key
from .dialects import verbs

_COUNTED = {"preserve_rowcount": True}  # the numbers shown are what the database says it did


class Stage:
    """A staging table for one kind, in one transaction. `place` is a row's place in its piece."""

    def __init__(self, connection: Connection, rule: Rule) -> None:
        self.connection = connection
        self.rule = rule
        self._load = verbs(connection).load
        self.table = rule.stage
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
        self._load(
            self.connection, self.table.name, ("place", *self.rule.columns), [(n, *row) for n, row in enumerate(rows)]
        )

    def other_ids(self) -> list[tuple[int, int]]:
        """(place, id) of the target's rows that have a staged row's key under another id."""
        staged, rows = self.table, self.rule.table
        query = select(staged.c.place, rows.c.id).join_from(staged, rows, self._same_key())
        return [(place, number) for place, number in self.connection.execute(query.where(rows.c.id != staged.c.id))]

    def taken_ids(self) -> list[tuple[int, int]]:
        """(place, id) of staged rows whose id another key has: in the target, or further up in the stage."""
        staged, rows = self.table, self.rule.table
        other = staged.alias()
        in_target = select(staged.c.place, staged.c.id).join_from(
            staged, rows, and_(rows.c.id == staged.c.id, ~self._same_key())
        )
        in_stage = select(staged.c.place, staged.c.id).join_from(
            staged, other, and_(other.c.id == staged.c.id, other.c.place < staged.c.place)
        )
        return sorted({(p, n) for query in (in_target, in_stage) for p, n in self.connection.execute(query)})

    def places_of(self, number: int) -> list[int]:
        """The staged rows that have this id."""
        return list(self.connection.execute(select(self.table.c.place).where(self.table.c.id == number)).scalars())

    def set_id(self, place: int, number: int) -> None:
        """Give a staged row another id."""
        self.connection.execute(update(self.table).where(self.table.c.place == place).values(id=number))

    def take_ids_of_rows(self) -> None:
        """Give every staged row whose key the target has the id that it has there."""
        staged, rows = self.table, self.rule.table
        self.connection.execute(update(staged).values(id=rows.c.id).where(self._same_key(), rows.c.id != staged.c.id))

    def leave_out(self, places: Sequence[int]) -> None:
        """Take staged rows out again."""
        self.connection.execute(delete(self.table).where(dialect_of(self.connection).among(self.table.c.place, places)))

    def places_without_row(self) -> list[int]:
        """The staged rows whose key no row of the target has under any id."""
        query = select(self.table.c.place).where(~exists().where(self._same_key()))
        return sorted(self.connection.execute(query).scalars())

    def differences(self) -> list[tuple[int, list[str]]]:
        """(place, columns) of staged rows that the target's row of the same id differs from."""
        rows, staged = self.rule.table, self.table
        names = self.rule.columns[1:]
        query = select(staged.c.place, *(rows.c[name].is_distinct_from(staged.c[name]) for name in names))
        query = query.join_from(staged, rows, rows.c.id == staged.c.id).where(self.differs(names))
        return [
            (place, [name for name, differs in zip(names, flags, strict=True) if differs])
            for place, *flags in self.connection.execute(query)
        ]

    def missing_parents(self) -> list[str]:
        """The kinds of which staged rows point to an entity that has no row."""
        missing: list[str] = []
        for reference in self.rule.kind.references:
            parent = next(iter(self.rule.table.c[foreign_key(reference)].foreign_keys)).column
            pointer = self.table.c[foreign_key(reference)]
            query = select(exists().where(pointer.is_not(None), ~exists().where(parent == pointer)))
            if self.connection.execute(query).scalar():
                missing.append(reference.to)
        return missing

    def update_rows(self) -> int:
        """Give the target's rows of the same id the staged content where any of it differs; how many changed."""
        rows, staged = self.rule.table, self.table
        changed = self.rule.columns[1:]
        statement = (
            update(rows)
            .values({name: staged.c[name] for name in changed})
            .where(rows.c.id == staged.c.id, self.differs(changed))
        )
        return int(self.connection.execute(statement, execution_options=_COUNTED).rowcount)

    def insert_rows(self) -> int:
        """Add the staged rows whose id the target does not have; how many were added."""
        rows, staged = self.rule.table, self.table
        new: Select[Any] = select(*(staged.c[name] for name in self.rule.columns)).where(
            ~exists().where(rows.c.id == staged.c.id)
        )
        statement = insert(rows).from_select(list(self.rule.columns), new)
        return int(self.connection.execute(statement, execution_options=_COUNTED).rowcount)

    def differs(self, names: Sequence[str]) -> ColumnElement[bool]:
        """A target's row and a staged one differ in any of these columns."""
        rows, staged = self.rule.table, self.table
        return or_(*(rows.c[name].is_distinct_from(staged.c[name]) for name in names))

    def _same_key(self) -> ColumnElement[bool]:
        rows, staged = self.rule.table, self.table
        return and_(*(rows.c[name] == staged.c[name] for name in self.rule.key_columns))

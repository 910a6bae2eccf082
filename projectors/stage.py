"""Set-based comparing and writing: rows go to a staging table in pieces, and from there to the target by natural key.

What has to be known of the target's rows is asked of the database about a piece, never about a row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    String,
    Table,
    UpdateBase,
    and_,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from seedjournal.journal import KeyBytes, Reference, Unavailable

from .dialects import dialect_of
from .layout import Layout, TableMap, foreign_key, key_from_row, kind_column, kinds_led_to
from .rows import Row


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
            dialect_of(self.connection).drop(self.table)

    def fill(self, rows: Sequence[Row]) -> None:
        """Replace what is staged by these rows."""
        if self._is_made:
            self.connection.execute(delete(self.table))
        else:
            dialect_of(self.connection).create(self.table)
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

    def ids(self, places: Sequence[int] | None = None) -> list[int]:
        """List the ids of the staged rows, or of those at some places, in order of places."""
        query = select(self.mapped.staged["id"]).order_by(self.table.c.place)
        if places is not None:
            query = query.where(dialect_of(self.connection).among(self.table.c.place, places))
        return list(self.connection.execute(query).scalars())

    def places_without_row(self) -> list[int]:
        """List the staged rows whose key no row of the target has under any id."""
        query = select(self.table.c.place).where(~exists().where(self._same_key()))
        return sorted(self.connection.execute(query).scalars())

    def differences(self) -> list[tuple[int, list[str]]]:
        """List (place, columns) of staged rows that the target's row of the same id differs from."""
        rows, staged = self.mapped.table, self.mapped.staged
        names = self.mapped.columns[1:]
        query = select(self.table.c.place, *differences(self.mapped, dialect_of(self.connection).bytewise))
        query = query.join_from(self.table, rows, rows.c.id == staged["id"]).where(self._differs())
        return [
            (place, [name for name, differs in zip(names, flags, strict=True) if differs])
            for place, *flags in self.connection.execute(query)
        ]

    def missing_parents(self) -> list[str]:
        """List the kinds of which staged rows point to an entity that has no row, but for rows that may come later."""
        mapped = self.mapped
        missing = [mapped.whole.kind.name] if mapped.whole and self.places_without_row() else []
        for reference in mapped.pointers:
            if reference not in mapped.late_pointers:
                for kind, is_lost in dangling(self.layout, reference, mapped.staged):
                    if self.connection.execute(select(exists().where(is_lost))).scalar():
                        missing.append(kind)
        return missing

    def update_rows(self) -> int:
        """Give the target's rows of the same id the staged content where any of it differs; return how many.

        Raises Unavailable where the database changed fewer.
        """
        rows, staged = self.mapped.table, self.mapped.staged
        expected = self.count_differing()
        if expected:
            names = self.mapped.columns[1:]
            statement = update(rows).values({name: staged[name] for name in names})
            statement = statement.where(rows.c.id == staged["id"], self._differs())
            changed = changed_by(self.connection, statement)
            refuse_lost(self.connection, rows, expected, changed)
            self._refuse_rewritten()
        return expected

    def count_differing(self) -> int:
        """Count the target's rows that differ from the staged ones of the same id."""
        rows, staged = self.mapped.table, self.mapped.staged
        query = select(func.count()).select_from(self.table, rows)
        return self._count(query.where(rows.c.id == staged["id"], self._differs()))

    def ids_of_equal(self) -> list[int]:
        """List the ids of the target's rows that equal the staged ones of the same id."""
        rows, staged = self.mapped.table, self.mapped.staged
        query = select(rows.c.id).join_from(self.table, rows, rows.c.id == staged["id"])
        return list(self.connection.execute(query.where(~self._differs())).scalars())

    def insert_rows(self) -> int:
        """Add the staged rows whose id the target does not have; return how many.

        Raises Unavailable where the database stored fewer.
        """
        rows, staged = self.mapped.table, self.mapped.staged
        is_new = ~exists().where(rows.c.id == staged["id"])
        count_new = select(func.count()).select_from(self.table).where(is_new)
        expected = self._count(count_new)
        if expected:
            differed = self.count_differing() if self.is_watched else 0
            statement = insert(rows).from_select(list(self.mapped.columns), select(*staged.values()).where(is_new))
            stored = changed_by(self.connection, statement)
            elsewhere = self._count(count_new)  # a rule may have put them into another table
            refuse_lost(self.connection, rows, expected, min(stored, expected - elsewhere))
            if self.is_watched:
                self._refuse_rewritten(differed)
        return expected

    @property
    def is_watched(self) -> bool:
        """Whether the table has triggers or rules, which may write something else than they are given."""
        return bool(dialect_of(self.connection).interfering_with(self.mapped.table))

    def _refuse_rewritten(self, differed: int = 0) -> None:
        """Raise Unavailable where more rows differ than did before, naming the columns and what may have done it."""
        if self.count_differing() > differed:
            rows, names = self.mapped.table, sorted({name for _, columns in self.differences() for name in columns})
            raise Unavailable(
                f"Table {rows.name} stored other values than seedjournal wrote, in {', '.join(names)}; the projection "
                f"was undone"
                f"{it_has(dialect_of(self.connection).interfering_with(rows))}.",
                "A trigger rewrites the values, or a column's type cannot hold them. Change the trigger or the type.",
            )

    def _count(self, query: Select[Any]) -> int:
        return int(self.connection.execute(query).scalar_one())

    def _differs(self) -> ColumnElement[bool]:
        """Say in SQL that a target's row and a staged one differ in any column."""
        return or_(*differences(self.mapped, dialect_of(self.connection).bytewise))

    def _same_key(self) -> ColumnElement[bool]:
        return same_key(self.mapped)


# What says the same in every piece is made once for each kind.
@lru_cache(256)
def differences(mapped: TableMap, bytewise: str) -> tuple[ColumnElement[bool], ...]:
    """Say in SQL for each column but the id that a target's row and a staged one differ in it.

    Texts are compared by their bytes: a column's own collation may not tell upper from lower case.
    """
    found: list[ColumnElement[bool]] = []
    for name in mapped.columns[1:]:
        row: ColumnElement[Any] = mapped.table.c[name]
        staged = mapped.staged[name]
        if isinstance(row.type, String):
            row, staged = row.collate(bytewise), staged.collate(bytewise)
        found.append(row.is_distinct_from(staged))
    return tuple(found)


@lru_cache(256)
def same_key(mapped: TableMap) -> ColumnElement[bool]:
    """Say in SQL that a target's row and a staged one have the same natural key."""
    return and_(*(mapped.table.c[name] == mapped.staged[name] for name in mapped.key_columns))


def dangling(layout: Layout, reference: Reference, columns: Any) -> Iterator[tuple[str, ColumnElement[bool]]]:
    """Yield for each kind that a reference, held in these columns, may lead to, in SQL, that it leads to no row."""
    pointer = columns[foreign_key(reference)]
    for kind in kinds_led_to(reference):
        is_meant = columns[kind_column(reference)] == kind if reference.also else pointer.is_not(None)
        parent = layout[kind].table.alias()
        yield kind, and_(is_meant, ~exists().where(parent.c.id == pointer))


def changed_by(connection: Connection, statement: UpdateBase) -> int:
    """Carry out a statement; return how many rows the database says that it changed."""
    return int(connection.execute(statement, execution_options={"preserve_rowcount": True}).rowcount)


def refuse_lost(connection: Connection, rows: Table, sent: int, stored: int) -> None:
    """Raise Unavailable if the database stored fewer rows than it was sent, naming what may have kept them out."""
    if stored >= sent:
        return
    raise lost_rows(rows.name, sent, stored, dialect_of(connection).interfering_with(rows))


def lost_rows(table: str, sent: int, stored: int, interfering: Sequence[str]) -> Unavailable:
    """Return the error for a table that took fewer rows than it was sent, naming what may have kept them out."""
    return Unavailable(
        f"Table {table} took {stored:,} of {sent:,} rows; nothing was written{it_has(interfering)}.",
        "A trigger or rule of the table keeps rows out. Disable it, or let it store these rows.",
    )


def refuse_undeleted(connection: Connection, rows: Table, left: int) -> None:
    """Raise Unavailable if rows are still there that were deleted, naming what may have kept them."""
    if left:
        raise Unavailable(
            f"Table {rows.name} kept {left:,} rows that seedjournal deletes; nothing was written"
            f"{it_has(dialect_of(connection).interfering_with(rows))}.",
            "A trigger or rule keeps the rows. Disable it; `seedjournal project --no-prune` deletes nothing.",
        )


def it_has(interfering: Sequence[str]) -> str:
    """Name a table's triggers and rules in an error, if it has any."""
    return f" (it has {', '.join(interfering)})" if interfering else ""

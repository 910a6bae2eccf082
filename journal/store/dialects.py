"""All differences between the databases that seedjournal speaks to: one Protocol, and a class for each backend."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from sqlalchemy import URL, ColumnElement, Connection, Engine, Table

from .postgresql import PostgreSQL
from .sqlite import SQLite
from .trouble import Trouble


class Dialect(Protocol):
    """What the journal needs of a database, beyond SQLAlchemy's own dialects."""

    def engine_arguments(self, address: URL, wait: int) -> dict[str, Any]:
        """Return the arguments that SQLAlchemy makes an engine of, beside the address."""

    def listen(self, engine: Engine, event: Any) -> None:
        """Set up every connection and every transaction of an engine."""

    def prepare(self, connection: Connection, *, schema: str | None, wait: int) -> None:
        """Begin a transaction: bound every wait for a lock, and set the schema that unqualified names mean."""

    def lock(self, connection: Connection, name: str) -> None:
        """Wait for the write lock of that name; the end of the transaction releases it."""

    def check_after(self, connection: Connection) -> None:
        """Raise Unavailable if the address no longer names the database that was just written.

        Raise it also if another program, which no lock stopped, changed the database while this one read it.
        """

    def set_up_file(self, engine: Engine, wait: int) -> None:
        """Create the database's file where there is none."""

    def trouble(self, error: BaseException) -> Trouble | None:
        """Return what a driver's error means; None if it is unknown, or if only a bug in seedjournal explains it."""

    def is_full(self, error: BaseException) -> bool:
        """Return whether the server has no connection left, or is still starting. We wait for it as for a lock."""

    def reading_leniently(self, connection: Connection) -> AbstractContextManager[None]:
        """Let verification read damaged texts."""

    def changeable(self, connection: Connection, tables: Sequence[Table]) -> AbstractContextManager[None]:
        """Lift the triggers that refuse changes of these tables, within the caller's transaction."""

    def damage(self, connection: Connection, tables: Sequence[Table]) -> Iterator[str]:
        """Yield what the database itself finds wrong: above all indexes that do not have every row of their table."""

    def missing_guards(self, connection: Connection, guards: Mapping[str, str]) -> dict[str, str]:
        """Return the triggers against changes that are missing, disabled or altered, each with its table.

        `guards` has the guarded tables and the column by which a row is replaced.
        """

    def guard(self, connection: Connection, guards: Mapping[str, str]) -> None:
        """Make the triggers that are missing."""

    def octets(self, text: ColumnElement[Any]) -> ColumnElement[int]:
        """Return the number of bytes of a text or a blob."""

    def among(self, tested: ColumnElement[Any], values: Sequence[int] | Sequence[bytes]) -> ColumnElement[bool]:
        """Return the condition that `tested` is one of these integers or 32-byte hashes; it binds one value."""

    def insert_rows(
        self, connection: Connection, table: Table, names: Sequence[str], rows: Iterable[Sequence[Any]]
    ) -> int:
        """Insert rows, given as tuples in the order of `names`, and return how many the database added."""


DIALECTS: dict[str, Dialect] = {"sqlite": SQLite(), "postgresql": PostgreSQL()}


def dialect_of(connection: Connection) -> Dialect:
    """Return the dialect of an open connection."""
    return DIALECTS[connection.dialect.name]

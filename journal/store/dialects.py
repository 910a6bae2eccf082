"""All differences between the databases that seedjournal speaks to: one Protocol, and a class for each backend."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Connection, Engine, Table

from .postgresql import PostgreSQL
from .sqlite import SQLite


class Dialect(Protocol):
    """What the journal needs of a database, beyond SQLAlchemy's own dialects."""

    def connect_args(self, wait: int) -> dict[str, Any]:
        """Return the arguments that the driver is opened with."""

    def listen(self, engine: Engine, event: Any) -> None:
        """Set up every connection and every transaction of an engine."""

    def prepare(self, connection: Connection, *, schema: str | None, wait: int) -> None:
        """Begin a transaction: bound every wait for a lock, and set the schema that unqualified names mean."""

    def lock(self, connection: Connection, name: str) -> None:
        """Wait for the write lock of that name; the end of the transaction releases it."""

    def set_up_file(self, engine: Engine, wait: int) -> None:
        """Create the database's file where there is none."""

    def is_busy(self, error: object) -> bool:
        """Return whether the driver gave up waiting for a lock."""

    def is_refusal(self, error: object) -> bool:
        """Return whether the database refused a statement for a reason that the user can change."""

    def reading_leniently(self, connection: Connection) -> AbstractContextManager[None]:
        """Let verification read damaged texts."""

    def changeable(self, connection: Connection, tables: Sequence[Table]) -> AbstractContextManager[None]:
        """Lift the triggers that refuse changes of these tables, within the caller's transaction."""

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

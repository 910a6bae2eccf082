"""What each kind of database does in its own way when rows are loaded: one class each, bound to a connection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    and_,
    column,
    exists,
    func,
    insert,
    inspect,
    select,
    table,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import Constraint, CreateIndex, CreateTable

from seedjournal.journal import dialect_of as journal_dialect_of


@dataclass(frozen=True, slots=True)
class Pointer:
    """A foreign key: a table's columns, and the columns of ours that they hold."""

    schema: str | None
    table: str
    columns: tuple[str, ...]
    referred: tuple[str, ...]

    def points_to(self, rows: Table) -> ColumnElement[bool]:
        """Say in SQL that some row of the pointing table holds this row."""
        alias = table(self.table, *map(column, self.columns), schema=self.schema).alias("pointing")
        pairs = zip(self.columns, self.referred, strict=True)
        return exists().where(and_(*(alias.c[mine] == column(theirs, _selectable=rows) for mine, theirs in pairs)))


class Dialect:
    """What both databases do alike."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def among(self, tested: ColumnElement[Any], numbers: Sequence[int]) -> ColumnElement[bool]:
        """Say in SQL that `tested` is one of these integers, with one bound value however many they are."""
        condition: ColumnElement[bool] = journal_dialect_of(self.connection).among(tested, numbers)
        return condition

    def load(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Add rows, in the order of `columns`; raises what SQLAlchemy raises for a statement of its own."""
        raise NotImplementedError

    def create_bare(self, tables: Sequence[Table]) -> None:
        """Create tables with no more than what cannot be added to a table that has rows."""
        raise NotImplementedError

    def add_keys_and_indexes(self, tables: Sequence[Table]) -> None:
        """Add what `create_bare` left out, over all rows at once."""
        for one in tables:
            for index in sorted(one.indexes, key=lambda index: str(index.name)):
                self.connection.execute(CreateIndex(index))

    def fold(self, name: str) -> str:
        """Return a name as the database compares it."""
        return name

    def schemas(self) -> tuple[str | None, list[str | None]]:
        """Return the schema that our tables are in, and all that may hold tables that point to them."""
        raise NotImplementedError

    def pointers_to(self, rows: Table) -> list[Pointer]:
        """Find every foreign key that refers to the table, anybody's, in any schema."""
        own, schemas = self.schemas()
        inspector = inspect(self.connection)
        return [
            Pointer(schema, name, tuple(key["constrained_columns"]), tuple(map(self.fold, key["referred_columns"])))
            for schema in schemas
            for (_, name), keys in inspector.get_multi_foreign_keys(schema=schema).items()
            for key in keys
            if self.fold(key["referred_table"]) == self.fold(rows.name) and key["referred_schema"] in {None, own}
        ]


class PostgreSQL(Dialect):
    """Loads by COPY; keys, foreign keys and indexes are added after the load."""

    def load(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Add rows by COPY; the server parses texts by the columns' types."""
        from psycopg import Error, sql

        statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
            sql.Identifier(name), sql.SQL(", ").join(map(sql.Identifier, columns))
        )
        try:
            with self.connection.connection.cursor().copy(statement) as copy:
                for row in rows:
                    copy.write_row(row)
        except Error as error:
            raise DBAPIError.instance(f"COPY {name}", None, error, Error, dialect=self.connection.dialect) from error

    def create_bare(self, tables: Sequence[Table]) -> None:
        """Create tables with columns only."""
        for one in tables:
            columns = ", ".join(map(self._compiler(one).get_column_specification, one.columns))
            self._execute(f"CREATE TABLE {self._name(one)} ({columns})")

    def add_keys_and_indexes(self, tables: Sequence[Table]) -> None:
        """Add primary keys, indexes, and then foreign keys, which are checked with the others."""
        for one in tables:
            self._add(one, one.primary_key)
        super().add_keys_and_indexes(tables)
        for one in tables:
            for key in sorted(one.foreign_key_constraints, key=lambda key: str(key.name)):
                self._add(one, key)

    def _add(self, to: Table, key: Constraint) -> None:
        # Not by AddConstraint, which would leave the key out of every later CREATE TABLE in this process.
        self._execute(f"ALTER TABLE {self._name(to)} ADD {self._compiler(to).process(key)}")

    def _compiler(self, of: Table) -> Any:
        return CreateTable(of).compile(dialect=self.connection.dialect)

    def _name(self, of: Table) -> str:
        return self.connection.dialect.identifier_preparer.format_table(of)

    def _execute(self, statement: str) -> None:
        self.connection.exec_driver_sql(statement.replace("%", "%%"))

    def schemas(self) -> tuple[str | None, list[str | None]]:
        """Return the schema that our tables are in, and all of the database's."""
        own = self.connection.execute(select(func.current_schema())).scalar()
        every = inspect(self.connection).get_schema_names()
        return own, [name for name in every if name != "information_schema"]


class SQLite(Dialect):
    """CREATE TABLE holds primary and foreign keys, which cannot be added later; indexes are added after the load."""

    def load(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Add rows in one statement."""
        if rows:
            statement = insert(table(name, *map(column, columns))).values(dict.fromkeys(columns))
            text = str(statement.compile(dialect=self.connection.dialect, column_keys=list(columns)))
            self.connection.exec_driver_sql(text, [tuple(row) for row in rows])

    def create_bare(self, tables: Sequence[Table]) -> None:
        """Create tables without indexes."""
        for one in tables:
            self.connection.execute(CreateTable(one))

    def fold(self, name: str) -> str:
        """Return a name in small letters: SQLite compares names in any case."""
        return name.lower()

    def schemas(self) -> tuple[str | None, list[str | None]]:
        """Return the only schema that there is."""
        return None, [None]


def dialect_of(connection: Connection) -> Dialect:
    """Return the connection's dialect."""
    return (PostgreSQL if connection.dialect.name == "postgresql" else SQLite)(connection)

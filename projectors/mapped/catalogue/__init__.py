"""What a database has: tables of other people's with their columns, types, keys and triggers, read once a projection.

Nothing is changed, and nothing is guessed: what a map says is judged against this. One module a database reads it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, exists, select, table, text
from sqlalchemy.exc import DBAPIError

from .postgresql import PostgreSQL
from .sqlite import SQLite
from .tables import ALWAYS, Column, Name, Partitions, Rules, TableInfo, UniqueKey

__all__ = ["ALWAYS", "Catalogue", "Column", "Name", "Partitions", "Rules", "TableInfo", "UniqueKey"]


@dataclass(slots=True)
class Catalogue:
    """A database's tables, by the names under which a map asks for them."""

    connection: Connection
    _known: dict[Name, TableInfo | None] = field(default_factory=dict)

    @property
    def _reader(self) -> PostgreSQL | SQLite:
        return (PostgreSQL if self.connection.dialect.name == "postgresql" else SQLite)(self.connection)

    def table(self, schema: str | None, name: str) -> TableInfo | None:
        """Return the table of this name, or None."""
        self.read([(schema, name)])
        return self._known[schema, name]

    def read(self, names: Iterable[Name]) -> None:
        """Read what the database has under these names, all at once."""
        unknown = [one for one in dict.fromkeys(names) if one not in self._known]
        if unknown:
            self._known.update(self._reader.tables(unknown))

    def names(self, schema: str | None) -> list[str]:
        """List the names of tables, for the nearest."""
        return self._reader.names(schema)

    def tables_in(self, schema: str | None) -> list[str]:
        """List the tables that rows can be written to, without the parts of others."""
        return self._reader.tables_in(schema)

    def tables_elsewhere(self) -> list[tuple[str, str]]:
        """List schemas and tables for which a name alone does not do."""
        return self._reader.tables_elsewhere()

    def rules(self, info: TableInfo) -> Rules:
        """Return what else the table's rows must obey."""
        return self._reader.rules(info)

    def has_rows(self, schema: str | None, name: str) -> bool:
        """Say whether a table has any row."""
        rows = table(name, schema=schema)
        return bool(self.connection.execute(select(exists().select_from(rows))).scalar())

    def obeys(self, info: TableInfo, check: str, values: Mapping[str, str | None]) -> bool:
        """Ask the database whether these values, given as text, would pass a check; store nothing."""
        quote = self.connection.dialect.identifier_preparer.quote_identifier
        places = {name: f"value_{number}" for number, name in enumerate(values)}
        columns = [f"CAST(:{places[name]} AS {info.columns[name].type or 'TEXT'}) AS {quote(name)}" for name in values]
        spelled = re.sub(r"\bVALUE\b", quote(next(iter(values))), check).replace(":", r"\:")
        query = f"SELECT ({spelled}) IS NOT {self._false} FROM (SELECT {', '.join(columns)}) AS one"  # noqa: S608 - the database's own words
        try:
            with self.connection.begin_nested():
                found = self.connection.execute(text(query), {places[name]: value for name, value in values.items()})
                return bool(found.scalar())
        except DBAPIError:
            return False

    def takes(self, column: Column, value: str) -> bool:
        """Say whether a column's type takes a value that is spelled so; nothing is stored."""
        try:
            with self.connection.begin_nested():
                self.connection.execute(text(f"SELECT CAST(:value AS {column.type})"), {"value": value})
                return True
        except DBAPIError:
            return False

    @property
    def _false(self) -> str:
        return "FALSE" if self.connection.dialect.name == "postgresql" else "0"

    def database_name(self) -> str:
        """Return the database's own name: for SQLite, the file's."""
        return self._reader.database_name()

"""Who points to a table's rows: the foreign keys of anybody's tables, as the database itself knows them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby

from sqlalchemy import ColumnElement, Connection, FromClause, Table, and_, column, exists, table, text

# Foreign keys that refer to a table, one row a pair of columns. PostgreSQL compares object ids, so that neither names
# nor the search path matter; SQLite knows no column where a key refers to the primary key, and names in any case.
_POINTERS_ON_POSTGRESQL = text("""
    SELECT con.oid, space.nspname, class.relname, mine.attname, theirs.attname, pg_table_is_visible(class.oid),
        con.condeferrable AND con.confdeltype = 'a'
    FROM pg_constraint con
    JOIN pg_class class ON class.oid = con.conrelid
    JOIN pg_namespace space ON space.oid = class.relnamespace
    CROSS JOIN LATERAL unnest(con.conkey, con.confkey) WITH ORDINALITY AS pair (mine, theirs, place)
    JOIN pg_attribute mine ON mine.attrelid = con.conrelid AND mine.attnum = pair.mine
    JOIN pg_attribute theirs ON theirs.attrelid = con.confrelid AND theirs.attnum = pair.theirs
    WHERE con.contype = 'f' AND con.confrelid = to_regclass(:name)
    ORDER BY con.oid, pair.place""")
_POINTERS_ON_SQLITE = text("""
    SELECT master.name || ' ' || key.id, NULL, master.name, key."from", coalesce(key."to",
        (SELECT name FROM pragma_table_info(key."table") WHERE pk = key.seq + 1)), 1,
        key.on_delete = 'NO ACTION'
    FROM sqlite_master master, pragma_foreign_key_list(master.name) key
    WHERE master.type = 'table' AND lower(key."table") = lower(:name)
    ORDER BY master.name, key.id, key.seq""")


@dataclass(frozen=True, slots=True)
class Pointer:
    """A foreign key: a table's columns, and the columns of ours that they hold.

    `is_ours` says that the table is the one that its name alone means, as it does for ours; `can_wait` that a row to
    which it leads may be taken out and put back within a transaction.
    """

    schema: str | None
    table: str
    columns: tuple[str, ...]
    referred: tuple[str, ...]
    is_ours: bool
    can_wait: bool = False

    def points_to(
        self, rows: Table, also: Callable[[FromClause], ColumnElement[bool]] | None = None
    ) -> ColumnElement[bool]:
        """Say in SQL that some row of the pointing table refers to this row; `also` narrows down which rows count."""
        names = dict.fromkeys((*self.columns, "id") if also else self.columns)
        alias = table(self.table, *map(column, names), schema=self.schema).alias("pointing")
        pairs = zip(self.columns, self.referred, strict=True)
        # SQLite compares by the left side's collation, as a foreign key does by that of the column referred to.
        conditions = [column(theirs, _selectable=rows) == alias.c[mine] for mine, theirs in pairs]
        return exists().where(and_(*conditions, *([also(alias)] if also else [])))


def pointers_to(connection: Connection, rows: Table) -> list[Pointer]:
    """Find every foreign key that refers to the table, anybody's, in any schema."""
    is_postgresql = connection.dialect.name == "postgresql"
    quote = connection.dialect.identifier_preparer.quote_identifier if is_postgresql else str
    name = ".".join(quote(one) for one in (rows.schema, rows.name) if one)
    found = connection.execute(_POINTERS_ON_POSTGRESQL if is_postgresql else _POINTERS_ON_SQLITE, {"name": name})
    keys = (list(key) for _, key in groupby(found, key=lambda row: row[0]))
    return [
        Pointer(
            schema=key[0][1],
            table=key[0][2],
            columns=tuple(row[3] for row in key),
            referred=tuple(row[4] if is_postgresql else row[4].lower() for row in key),
            is_ours=bool(key[0][5]),
            can_wait=bool(key[0][6]),
        )
        for key in keys
    ]

"""What SQLite says of tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import Connection

from .tables import Column, ForeignKey, Name, Rules, TableInfo, UniqueKey, checks_in

_AFFINITIES = (
    ("UUID", "uuid"),
    ("INT", "integer"),
    ("REAL", "real"),
    ("CHAR", "text"),
    ("CLOB", "text"),
    ("TEXT", "text"),
    ("BLOB", "blob"),
)


class SQLite:
    """Reads tables on SQLite."""

    def __init__(self, connection: Connection) -> None:
        """Take the connection to ask."""
        self.connection = connection

    def tables(self, names: Sequence[Name]) -> dict[Name, TableInfo | None]:
        """Read these tables, by name; None where there is none."""
        return {(schema, name): self._table(name) for schema, name in names}  # SQLite has no schemas

    def _table(self, name: str) -> TableInfo | None:
        query = (
            "SELECT name, type, coalesce(sql, '') FROM sqlite_master WHERE lower(name) = lower(?) AND type <> 'index'"
        )
        found = next((row for row in self._ask(query, name) if row[1] in {"table", "view"}), None)
        if found is None:
            return None
        name, sort, made = found
        rows = self._ask('SELECT name, type, "notnull", dflt_value, pk, hidden FROM pragma_table_xinfo(?)', name)
        primary = [row[0] for row in sorted((row for row in rows if row[4]), key=lambda row: row[4])]
        is_rowid = len(primary) == 1 and "WITHOUT ROWID" not in made.upper()
        columns = {row[0]: _column(row, is_rowid=is_rowid) for row in rows}
        triggers = self._ask(
            "SELECT 'trigger ' || name FROM sqlite_master WHERE type = 'trigger' AND lower(tbl_name) = lower(?)", name
        )
        return TableInfo(
            name=name,
            schema=None,
            sort=sort,
            columns=columns,
            primary_key=tuple(primary),
            uniques=tuple(self._uniques(name, primary, columns)),
            foreign_keys=tuple(self._foreign_keys(name)),
            triggers=tuple(row[0] for row in triggers),
        )

    def _uniques(self, table: str, primary: list[str], columns: Iterable[str]) -> Iterable[UniqueKey]:
        query = "SELECT name, partial, origin FROM pragma_index_list(?) WHERE \"unique\" ORDER BY origin <> 'pk'"
        found = self._ask(query, table)
        if primary and not any(origin == "pk" for _, _, origin in found):
            yield UniqueKey(name=f"primary key of {table}", columns=tuple(primary))
        for name, partial, origin in found:
            query = "SELECT coalesce(max(sql), '') FROM sqlite_master WHERE type = 'index' AND name = ?"
            ((made,),) = self._ask(query, name)  # nothing for the primary key of a table WITHOUT ROWID
            where = made[made.upper().rindex(" WHERE ") + len(" WHERE ") :] if partial else None
            query = "SELECT name, coll FROM pragma_index_xinfo(?) WHERE key ORDER BY seqno"
            keys, written = self._ask(query, name), _index_parts(made)
            parts = [
                f"{_quoted(column) if column else written[place]} COLLATE {collation}"
                for place, (column, collation) in enumerate(keys)
            ]
            expressions = " ".join(written[place] for place, (column, _) in enumerate(keys) if not column).lower()
            also = [one for one in columns if re.search(rf"\b{re.escape(one.lower())}\b", expressions)]
            yield UniqueKey(
                name=f"primary key of {table}" if origin == "pk" else name,
                columns=tuple(dict.fromkeys((*(column for column, _ in keys if column), *also))),
                where=where,
                is_plain=not expressions,
                parts=tuple(parts),
            )

    def _foreign_keys(self, table: str) -> Iterable[ForeignKey]:
        query = 'SELECT id, "table", "from", "to" FROM pragma_foreign_key_list(?) ORDER BY id, seq'
        for _, group in groupby(self._ask(query, table), lambda row: row[0]):
            rows = list(group)
            yield ForeignKey(
                name=f"foreign key of {rows[0][2]}",
                columns=tuple(row[2] for row in rows),
                schema=None,
                table=rows[0][1],
                referred=tuple(row[3] or "" for row in rows),
                deferrable=True,  # `defer_foreign_keys` defers them all
            )

    def names(self, schema: str | None) -> list[str]:  # noqa: ARG002 - SQLite has no schemas
        """List the names of tables and views."""
        return [row[0] for row in self._ask("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")]

    def tables_in(self, schema: str | None) -> list[str]:  # noqa: ARG002 - SQLite has no schemas
        """List the tables that rows can be written to, without the parts of others."""
        query = "SELECT name, sql LIKE 'CREATE VIRTUAL%' FROM sqlite_master WHERE type = 'table' ORDER BY name"
        found = self._ask(query)
        virtual = tuple(name for name, is_virtual in found if is_virtual)
        own = ("sqlite_", *(f"{name}_" for name in virtual))  # of SQLite's own, and what virtual tables keep
        return [name for name, _ in found if name not in virtual and not name.startswith(own)]

    def tables_elsewhere(self) -> list[tuple[str, str]]:
        """List schemas and tables for which a name alone does not do."""
        return []

    def rules(self, info: TableInfo) -> Rules:
        """Read the other rules for a table's rows."""
        ((made,),) = self._ask(
            "SELECT coalesce(sql, '') FROM sqlite_master WHERE type = 'table' AND name = ?", info.name
        )
        query = "SELECT sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?"
        update = re.compile(
            rf'\bUPDATE\s+"?{re.escape(info.name)}"?\s+SET\s+(.*?)(?:\bWHERE\b|;)', re.IGNORECASE | re.DOTALL
        )
        assigned = {
            name
            for (said,) in self._ask(query, info.name)
            for part in update.findall(said)
            for name in re.findall(r'(?:^|,)\s*["`\[]?(\w+)["`\]]?\s*=', part)
        }
        return Rules(
            checks=tuple(checks_in(made)),
            set_by_triggers=frozenset(assigned & info.columns.keys()),
        )

    def database_name(self) -> str:
        """Return the database's own name."""
        (row,) = self._ask("SELECT file FROM pragma_database_list WHERE name = 'main'")
        return str(row[0]).rpartition("/")[2]

    def _ask(self, query: str, *values: Any) -> list[Any]:
        return list(self.connection.exec_driver_sql(query, values).all())


def _quoted(name: str) -> str:
    return '"{}"'.format(name.replace('"', '""'))


def _index_parts(made: str) -> list[str]:
    """Split what CREATE INDEX says between its parentheses at the commas that are in no further ones."""
    parts, depth, quote = [""], 0, ""
    for one in made[made.find("(") :]:
        if quote:
            quote = "" if one == quote else quote
        elif one in "'\"`":
            quote = one
        elif one in "()":
            depth += 1 if one == "(" else -1
            if depth == 0:
                break
            if one == "(" and depth == 1:
                continue
        elif one == "," and depth == 1:
            parts.append("")
            continue
        parts[-1] += one
    return [re.sub(r"\s+(ASC|DESC)\s*$", "", one, flags=re.IGNORECASE).strip() for one in parts]


def _column(row: Any, *, is_rowid: bool) -> Column:
    name, spelled, not_null, default, place, hidden = row
    upper = spelled.upper()
    base = next((base for part, base in _AFFINITIES if part in upper), "numeric")
    is_rowid = is_rowid and bool(place) and upper == "INTEGER"
    return Column(
        name=name,
        type=spelled,
        base="rowid" if is_rowid else base if spelled else "blob",
        nullable=not not_null and not place,
        default="rowid" if is_rowid else default,
        generated=hidden > 1,
        is_text=base == "text",
    )

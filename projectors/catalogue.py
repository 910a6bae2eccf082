"""What a database has: tables of other people's with their columns, types, keys and triggers, read once a projection.

One class a database. Nothing is changed, and nothing is guessed: what a map says is judged against this.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

_INTEGERS = {"int2", "int4", "int8", "rowid", "integer"}
_BITS = {"int2": 16, "int4": 32, "int8": 64}
ALWAYS, BY_DEFAULT = "ALWAYS", "BY DEFAULT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column as its table declares it.

    `base` is the type's plain name (`int4`, `varchar`, `numeric`; of an enum `enum`, of an array the name with `[]`);
    `length` bounds a text, `precision` and `scale` a number. `default` is the expression that the database computes.
    """

    name: str
    type: str
    base: str
    nullable: bool
    default: str | None = None
    identity: str = ""
    generated: bool = False
    length: int | None = None
    precision: int | None = None
    scale: int | None = None
    labels: tuple[str, ...] = ()
    has_equality: bool = True
    is_text: bool = False

    @property
    def is_integer(self) -> bool:
        """Whether it holds whole numbers, as ids are."""
        return self.base in _INTEGERS

    @property
    def largest(self) -> Decimal | None:
        """The largest number that fits, if there is one."""
        if self.base in _BITS:
            return Decimal(2 ** (_BITS[self.base] - 1) - 1)
        if self.precision is None or self.scale is None:
            return None
        return (Decimal(10) ** self.precision - 1).scaleb(-self.scale)

    @property
    def fills_itself(self) -> bool:
        """Whether a row may leave it out."""
        return self.nullable or self.default is not None or bool(self.identity) or self.generated


@dataclass(frozen=True, slots=True, kw_only=True)
class UniqueKey:
    """Columns whose values no two rows share; `where` bounds the rows, `is_plain` says that no expression is in it."""

    name: str
    columns: tuple[str, ...]
    where: str | None = None
    deferrable: bool = False
    is_plain: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignKey:
    """Columns that refer to another table's."""

    name: str
    columns: tuple[str, ...]
    schema: str | None
    table: str
    referred: tuple[str, ...]
    deferrable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TableInfo:
    """A table of somebody else's; `sort` is `table`, or what it is instead."""

    name: str
    schema: str | None
    sort: str
    columns: Mapping[str, Column]
    primary_key: tuple[str, ...]
    uniques: tuple[UniqueKey, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    triggers: tuple[str, ...] = ()
    hides_rows: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Partitions:
    """How a table is split: by which columns, and what the bounds of its parts say."""

    columns: tuple[str, ...]
    bounds: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What else a table's rows must obey, as the database spells it: only who invents rows for it needs this.

    `checks` are the expressions of CHECK constraints, `domains` those of a column's type, in which VALUE is the column.
    `set_by_triggers` names columns that a trigger assigns, `indexed` holds what each unique index of expressions says.
    """

    checks: tuple[str, ...] = ()
    domains: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    set_by_triggers: frozenset[str] = frozenset()
    indexed: Mapping[str, str] = field(default_factory=dict)
    excluded: tuple[str, ...] = ()
    partitions: Partitions | None = None


@dataclass(slots=True)
class Catalogue:
    """A database's tables, by the names under which a map asks for them."""

    connection: Connection
    _known: dict[tuple[str | None, str], TableInfo | None] = field(default_factory=dict)

    @property
    def _reader(self) -> _PostgreSQL | _SQLite:
        return (_PostgreSQL if self.connection.dialect.name == "postgresql" else _SQLite)(self.connection)

    def table(self, schema: str | None, name: str) -> TableInfo | None:
        """Return what the database has under this name."""
        if (schema, name) not in self._known:
            self._known[schema, name] = self._reader.table(schema, name)
        return self._known[schema, name]

    def names(self, schema: str | None) -> list[str]:
        """List the names of tables, for the nearest."""
        return self._reader.names(schema)

    def tables(self, schema: str | None) -> list[str]:
        """List the tables that rows can be written to, without the parts of others."""
        return self._reader.tables(schema)

    def rules(self, info: TableInfo) -> Rules:
        """Return what else the table's rows must obey."""
        return self._reader.rules(info)

    def obeys(self, info: TableInfo, check: str, values: Mapping[str, str | None]) -> bool:
        """Say whether these values, as text, would pass a check; the database computes it, and nothing is stored."""
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

    @property
    def _false(self) -> str:
        return "FALSE" if self.connection.dialect.name == "postgresql" else "0"

    def database_name(self) -> str:
        """Return the database's own name: for SQLite, the file's."""
        return self._reader.database_name()


_TABLE = text("""
    SELECT c.oid, n.nspname, c.relkind::text, row_security_active(c.oid)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass(:name)""")
_COLUMNS = text("""
    WITH RECURSIVE based AS (
        SELECT a.attnum, a.atttypid AS type, a.atttypmod AS typmod FROM pg_attribute a
        WHERE a.attrelid = :oid AND a.attnum > 0 AND NOT a.attisdropped
        UNION ALL
        SELECT b.attnum, t.typbasetype, CASE WHEN t.typtypmod >= 0 THEN t.typtypmod ELSE b.typmod END
        FROM based b JOIN pg_type t ON t.oid = b.type WHERE t.typtype = 'd'
    )
    SELECT a.attname, format_type(a.atttypid, a.atttypmod), t.typname, t.typtype::text, t.typcategory::text, b.typmod,
        a.attnotnull OR own.typnotnull, pg_get_expr(d.adbin, d.adrelid), own.typdefault, a.attidentity::text,
        a.attgenerated::text, element.typname,
        (SELECT array_agg(enumlabel::text ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid)
    FROM pg_attribute a
    JOIN based b ON b.attnum = a.attnum
    JOIN pg_type t ON t.oid = b.type AND t.typtype <> 'd'
    JOIN pg_type own ON own.oid = a.atttypid
    LEFT JOIN pg_type element ON element.oid = t.typelem AND t.typcategory = 'A'
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attrelid = :oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum""")
_UNIQUES = text("""
    SELECT i.relname, x.indisprimary, coalesce(con.condeferrable, false), pg_get_expr(x.indpred, x.indrelid),
        x.indexprs IS NULL,
        ARRAY(SELECT a.attname::text FROM unnest(x.indkey) WITH ORDINALITY k(num, place)
              JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = k.num
              WHERE k.place <= x.indnkeyatts ORDER BY k.place)
    FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
    LEFT JOIN pg_constraint con ON con.conindid = x.indexrelid AND con.contype IN ('p', 'u')
    WHERE x.indrelid = :oid AND x.indisunique ORDER BY NOT x.indisprimary, i.relname""")
_REFERENCES = text("""
    SELECT con.oid, con.conname, mine.attname, space.nspname, class.relname, theirs.attname, con.condeferrable
    FROM pg_constraint con JOIN pg_class class ON class.oid = con.confrelid
    JOIN pg_namespace space ON space.oid = class.relnamespace
    CROSS JOIN LATERAL unnest(con.conkey, con.confkey) WITH ORDINALITY AS pair (mine, theirs, place)
    JOIN pg_attribute mine ON mine.attrelid = con.conrelid AND mine.attnum = pair.mine
    JOIN pg_attribute theirs ON theirs.attrelid = con.confrelid AND theirs.attnum = pair.theirs
    WHERE con.contype = 'f' AND con.conrelid = :oid ORDER BY con.oid, pair.place""")
_TRIGGERS = text("""
    SELECT 'trigger ' || tgname FROM pg_trigger WHERE tgrelid = :oid AND NOT tgisinternal AND tgenabled <> 'D'
    UNION ALL SELECT 'rule ' || rulename FROM pg_rewrite WHERE ev_class = :oid AND rulename <> '_RETURN' ORDER BY 1""")
_NAMES = text("""
    SELECT relname FROM pg_class WHERE relkind IN ('r', 'p', 'v')
    AND CASE WHEN CAST(:schema AS text) IS NULL THEN pg_table_is_visible(oid)
        ELSE relnamespace = to_regnamespace(CAST(:schema AS text)) END
    AND relnamespace NOT IN (SELECT oid FROM pg_namespace WHERE nspname IN ('pg_catalog', 'information_schema'))""")
_TABLES = text("""
    SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition
    AND CASE WHEN CAST(:schema AS text) IS NULL THEN pg_table_is_visible(oid)
        ELSE relnamespace = to_regnamespace(CAST(:schema AS text)) END
    AND relnamespace NOT IN (SELECT oid FROM pg_namespace WHERE nspname IN ('pg_catalog', 'information_schema'))
    AND NOT EXISTS (
        SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid AND deptype = 'e')
    ORDER BY relname""")
_CONSTRAINTS = text(
    "SELECT contype::text, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = :oid ORDER BY conname"
)
_DOMAINS = text("""
    WITH RECURSIVE typed AS (
        SELECT attname, atttypid AS type FROM pg_attribute WHERE attrelid = :oid AND attnum > 0 AND NOT attisdropped
        UNION ALL
        SELECT typed.attname, t.typbasetype FROM typed JOIN pg_type t ON t.oid = typed.type WHERE t.typtype = 'd'
    )
    SELECT typed.attname, pg_get_constraintdef(c.oid) FROM typed JOIN pg_constraint c ON c.contypid = typed.type
    WHERE c.contype = 'c' ORDER BY 1, c.conname""")
_ASSIGNING = text("""
    SELECT p.proname, p.prosrc, encode(t.tgargs, 'escape') FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
    WHERE t.tgrelid = :oid AND NOT t.tgisinternal AND t.tgenabled <> 'D' AND t.tgtype & 2 = 2""")
_INDEXED = text("""
    SELECT i.relname, pg_get_indexdef(i.oid) FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
    WHERE x.indrelid = :oid AND x.indisunique AND x.indexprs IS NOT NULL""")
_PARTITIONED = text("""
    SELECT ARRAY(SELECT a.attname::text FROM unnest(p.partattrs) WITH ORDINALITY k(num, place)
        JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = k.num ORDER BY k.place)
    FROM pg_partitioned_table p WHERE p.partrelid = :oid""")
_BOUNDS = text("""
    SELECT pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = :oid ORDER BY 1""")
_ASSIGNED = re.compile(
    r'(?:^|;|\bBEGIN|\bTHEN|\bELSE|\bLOOP|\bINTO)\s*NEW\."?(\w+)"?\s*(?::?=|(?=[\s,;]))', re.IGNORECASE | re.MULTILINE
)
_SORTS = {"r": "table", "p": "table", "v": "view", "m": "materialized view", "f": "foreign table"}
_WITHOUT_EQUALITY = {"json", "xml", "point", "line", "lseg", "box", "path", "polygon", "circle"}
_MODIFIER = 4  # PostgreSQL adds its header's size to a type's modifier


class _PostgreSQL:
    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def table(self, schema: str | None, name: str) -> TableInfo | None:
        quote = self.connection.dialect.identifier_preparer.quote_identifier
        spelled = f"{quote(schema)}.{quote(name)}" if schema else quote(name)
        found = self.connection.execute(_TABLE, {"name": spelled}).first()
        if found is None or found[2] not in _SORTS:
            return None
        oid, of_schema, sort, hides = found
        asked = {"oid": oid}
        uniques = self.connection.execute(_UNIQUES, asked).all()
        references = [
            list(rows) for _, rows in groupby(self.connection.execute(_REFERENCES, asked), lambda row: row[0])
        ]
        return TableInfo(
            name=name,
            schema=of_schema,
            sort=_SORTS[sort],
            columns={row[0]: _column_on_postgresql(row) for row in self.connection.execute(_COLUMNS, asked)},
            primary_key=next((tuple(row[5]) for row in uniques if row[1]), ()),
            uniques=tuple(
                UniqueKey(name=row[0], columns=tuple(row[5]), where=row[3], deferrable=row[2], is_plain=row[4])
                for row in uniques
            ),
            foreign_keys=tuple(
                ForeignKey(
                    name=rows[0][1],
                    columns=tuple(row[2] for row in rows),
                    schema=rows[0][3],
                    table=rows[0][4],
                    referred=tuple(row[5] for row in rows),
                    deferrable=rows[0][6],
                )
                for rows in references
            ),
            triggers=tuple(self.connection.execute(_TRIGGERS, asked).scalars()),
            hides_rows=hides,
        )

    def names(self, schema: str | None) -> list[str]:
        return list(self.connection.execute(_NAMES, {"schema": schema}).scalars())

    def tables(self, schema: str | None) -> list[str]:
        return list(self.connection.execute(_TABLES, {"schema": schema}).scalars())

    def rules(self, info: TableInfo) -> Rules:
        quote = self.connection.dialect.identifier_preparer.quote_identifier
        spelled = f"{quote(info.schema or 'public')}.{quote(info.name)}"
        asked = {"oid": self.connection.execute(_TABLE, {"name": spelled}).one()[0]}
        constraints = self.connection.execute(_CONSTRAINTS, asked).all()
        domains: dict[str, list[str]] = {}
        for column, said in self.connection.execute(_DOMAINS, asked):
            domains.setdefault(column, []).append(_inside(said))
        assigned: set[str] = set()
        for name, source, arguments in self.connection.execute(_ASSIGNING, asked):
            is_search = name.startswith("tsvector_update_trigger")
            assigned |= {arguments.split(r"\000")[0]} if is_search else set(_ASSIGNED.findall(source))
        (by,) = self.connection.execute(_PARTITIONED, asked).scalars().all() or (None,)
        return Rules(
            checks=tuple(_inside(said) for sort, said in constraints if sort == "c"),
            domains={column: tuple(said) for column, said in domains.items()},
            set_by_triggers=frozenset(assigned & info.columns.keys()),
            indexed={row[0]: row[1] for row in self.connection.execute(_INDEXED, asked)},
            excluded=tuple(said for sort, said in constraints if sort == "x"),
            partitions=Partitions(columns=tuple(by), bounds=tuple(self.connection.execute(_BOUNDS, asked).scalars()))
            if by is not None
            else None,
        )

    def database_name(self) -> str:
        return str(self.connection.execute(text("SELECT current_database()")).scalar_one())


def _inside(constraint: str) -> str:
    """Return the expression of a constraint that is spelled `CHECK (…)`."""
    return next(_checks_in(constraint), "")


def _checks_in(made: str) -> Iterator[str]:
    """Yield the expressions of all `CHECK (…)` in a statement."""
    for match in re.finditer(r"\bCHECK\s*\(", made, re.IGNORECASE):
        depth, quoted = 1, ""
        for place in range(match.end(), len(made)):
            letter = made[place]
            if quoted:
                quoted = "" if letter == quoted else quoted
            elif letter in "'\"`":
                quoted = letter
            else:
                depth += (letter == "(") - (letter == ")")
                if not depth:
                    yield made[match.end() : place].strip()
                    break


def _column_on_postgresql(row: Any) -> Column:
    (name, spelled, base, sort, category, modifier, not_null, default, domain_default, identity, generated, element) = (
        row[:12]
    )
    (labels,) = row[12:]
    bounded = modifier >= _MODIFIER
    is_number = base == "numeric" and bounded
    return Column(
        name=name,
        type=spelled,
        base="enum" if sort == "e" else f"{element}[]" if category == "A" and element else base,
        nullable=not not_null,
        default=None if generated else default or domain_default,
        identity={"a": ALWAYS, "d": BY_DEFAULT}.get(identity, ""),
        generated=bool(generated),
        length=modifier - _MODIFIER if base in {"varchar", "bpchar"} and bounded else None,
        precision=(modifier - _MODIFIER) >> 16 if is_number else None,
        scale=(modifier - _MODIFIER) & 0x7FF if is_number else None,
        labels=tuple(labels or ()),
        has_equality=base not in _WITHOUT_EQUALITY,
        is_text=category == "S" and sort == "b",
    )


_AFFINITIES = (
    ("UUID", "uuid"),
    ("INT", "integer"),
    ("REAL", "real"),
    ("CHAR", "text"),
    ("CLOB", "text"),
    ("TEXT", "text"),
    ("BLOB", "blob"),
)


class _SQLite:
    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def table(self, schema: str | None, name: str) -> TableInfo | None:  # noqa: ARG002 - SQLite has no schemas
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
        columns = {row[0]: _column_on_sqlite(row, is_rowid=is_rowid) for row in rows}
        triggers = self._ask(
            "SELECT 'trigger ' || name FROM sqlite_master WHERE type = 'trigger' AND lower(tbl_name) = lower(?)", name
        )
        return TableInfo(
            name=name,
            schema=None,
            sort=sort,
            columns=columns,
            primary_key=tuple(primary),
            uniques=tuple(self._uniques(name, primary)),
            foreign_keys=tuple(self._foreign_keys(name)),
            triggers=tuple(row[0] for row in triggers),
        )

    def _uniques(self, table: str, primary: list[str]) -> Iterable[UniqueKey]:
        if primary:
            yield UniqueKey(name=f"primary key of {table}", columns=tuple(primary))
        query = "SELECT name, partial FROM pragma_index_list(?) WHERE \"unique\" AND origin <> 'pk'"
        for name, partial in self._ask(query, table):
            columns = [row[0] for row in self._ask("SELECT name FROM pragma_index_info(?) ORDER BY seqno", name)]
            where = None
            if partial:
                (made,) = self._ask("SELECT sql FROM sqlite_master WHERE type = 'index' AND name = ?", name)
                where = made[0][made[0].upper().rindex(" WHERE ") + len(" WHERE ") :]
            is_plain = all(one is not None for one in columns)
            yield UniqueKey(name=name, columns=tuple(one or "" for one in columns), where=where, is_plain=is_plain)

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
        return [row[0] for row in self._ask("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")]

    def tables(self, schema: str | None) -> list[str]:  # noqa: ARG002 - SQLite has no schemas
        query = "SELECT name, sql LIKE 'CREATE VIRTUAL%' FROM sqlite_master WHERE type = 'table' ORDER BY name"
        found = self._ask(query)
        virtual = tuple(name for name, is_virtual in found if is_virtual)
        own = ("sqlite_", *(f"{name}_" for name in virtual))  # of SQLite's own, and what virtual tables keep
        return [name for name, _ in found if name not in virtual and not name.startswith(own)]

    def rules(self, info: TableInfo) -> Rules:
        ((made,),) = self._ask(
            "SELECT coalesce(sql, '') FROM sqlite_master WHERE type = 'table' AND name = ?", info.name
        )
        query = "SELECT name, sql FROM sqlite_master WHERE type = ? AND tbl_name = ? AND sql IS NOT NULL"
        update = re.compile(
            rf'\bUPDATE\s+"?{re.escape(info.name)}"?\s+SET\s+(.*?)(?:\bWHERE\b|;)', re.IGNORECASE | re.DOTALL
        )
        assigned = {
            name
            for _, said in self._ask(query, "trigger", info.name)
            for part in update.findall(said)
            for name in re.findall(r'(?:^|,)\s*["`\[]?(\w+)["`\]]?\s*=', part)
        }
        plain = {one.name for one in info.uniques if one.is_plain}
        return Rules(
            checks=tuple(_checks_in(made)),
            set_by_triggers=frozenset(assigned & info.columns.keys()),
            indexed={name: said for name, said in self._ask(query, "index", info.name) if name not in plain},
        )

    def database_name(self) -> str:
        (row,) = self._ask("SELECT file FROM pragma_database_list WHERE name = 'main'")
        return str(row[0]).rpartition("/")[2]

    def _ask(self, query: str, *values: Any) -> list[Any]:
        return list(self.connection.exec_driver_sql(query, values).all())


def _column_on_sqlite(row: Any, *, is_rowid: bool) -> Column:
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

"""What a database has: tables of other people's with their columns, types, keys and triggers, read once a projection.

One class a database. Nothing is changed, and nothing is guessed: what a map says is judged against this.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import groupby
from typing import Any, TypeAlias

from sqlalchemy import Connection, TextClause, exists, select, table, text
from sqlalchemy.exc import DBAPIError

_INTEGERS = {"int2", "int4", "int8", "rowid", "integer"}
_BITS = {"int2": 16, "int4": 32, "int8": 64}
Name: TypeAlias = tuple[str | None, str]  # a schema, if one is named, and a table
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
    """What no two rows share: `parts` in SQL, with their collations, which are made of `columns`.

    `where` bounds the rows. `is_plain` says that the parts are the columns themselves, `nulls_equal` that two nulls are
    one value.
    """

    name: str
    columns: tuple[str, ...]
    where: str | None = None
    deferrable: bool = False
    is_plain: bool = True
    parts: tuple[str, ...] = ()
    nulls_equal: bool = False


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
    """The other rules for a table's rows, as the database spells them. Only `init`, which invents rows, needs them.

    `checks` are the expressions of CHECK constraints, `domains` those of a column's type, in which VALUE is the column.
    `set_by_triggers` names columns that a trigger assigns, `rewritten` those of which it makes another value of theirs.
    """

    checks: tuple[str, ...] = ()
    domains: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    set_by_triggers: frozenset[str] = frozenset()
    rewritten: frozenset[str] = frozenset()
    excluded: tuple[str, ...] = ()
    partitions: Partitions | None = None


@dataclass(slots=True)
class Catalogue:
    """A database's tables, by the names under which a map asks for them."""

    connection: Connection
    _known: dict[Name, TableInfo | None] = field(default_factory=dict)

    @property
    def _reader(self) -> _PostgreSQL | _SQLite:
        return (_PostgreSQL if self.connection.dialect.name == "postgresql" else _SQLite)(self.connection)

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


_TABLE = text("""
    SELECT asked.name, c.oid, n.nspname, c.relkind::text, row_security_active(c.oid)
    FROM unnest(CAST(:names AS text[])) asked (name) JOIN pg_class c ON c.oid = to_regclass(asked.name)
    JOIN pg_namespace n ON n.oid = c.relnamespace""")
_COLUMNS = text("""
    WITH RECURSIVE based AS (
        SELECT a.attrelid, a.attnum, a.atttypid AS type, a.atttypmod AS typmod FROM pg_attribute a
        WHERE a.attrelid = ANY(:oids) AND a.attnum > 0 AND NOT a.attisdropped
        UNION ALL
        SELECT b.attrelid, b.attnum, t.typbasetype, CASE WHEN t.typtypmod >= 0 THEN t.typtypmod ELSE b.typmod END
        FROM based b JOIN pg_type t ON t.oid = b.type WHERE t.typtype = 'd'
    )
    SELECT a.attrelid, a.attname, format_type(a.atttypid, a.atttypmod), t.typname, t.typtype::text,
        t.typcategory::text, b.typmod, a.attnotnull OR own.typnotnull, pg_get_expr(d.adbin, d.adrelid), own.typdefault,
        a.attidentity::text, a.attgenerated::text, element.typname,
        (SELECT array_agg(enumlabel::text ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid)
    FROM pg_attribute a
    JOIN based b ON b.attrelid = a.attrelid AND b.attnum = a.attnum
    JOIN pg_type t ON t.oid = b.type AND t.typtype <> 'd'
    JOIN pg_type own ON own.oid = a.atttypid
    LEFT JOIN pg_type element ON element.oid = t.typelem AND t.typcategory = 'A'
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attrelid = ANY(:oids) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attrelid, a.attnum""")
_UNIQUES = text("""
    SELECT x.indrelid, i.relname, x.indisprimary, coalesce(con.condeferrable, false),
        pg_get_expr(x.indpred, x.indrelid), x.indexprs IS NULL,
        ARRAY(SELECT a.attname::text FROM unnest(x.indkey) WITH ORDINALITY k(num, place)
              JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = k.num
              WHERE k.place <= x.indnkeyatts ORDER BY k.place),
        ARRAY(SELECT pg_get_indexdef(x.indexrelid, k.place::int, true)
              || CASE WHEN c.collname <> 'default' THEN format(' COLLATE %I.%I', s.nspname, c.collname) ELSE '' END
              FROM unnest(x.indcollation) WITH ORDINALITY k(num, place) LEFT JOIN pg_collation c ON c.oid = k.num
              LEFT JOIN pg_namespace s ON s.oid = c.collnamespace
              WHERE k.place <= x.indnkeyatts ORDER BY k.place),
        ARRAY(SELECT DISTINCT a.attname::text FROM pg_depend d
              JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
              WHERE x.indexprs IS NOT NULL AND d.classid = 'pg_class'::regclass AND d.objid = x.indexrelid
              AND d.refclassid = 'pg_class'::regclass AND d.refobjid = x.indrelid AND d.refobjsubid > 0),
        coalesce((to_jsonb(x) ->> 'indnullsnotdistinct')::boolean, false)
    FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
    LEFT JOIN pg_constraint con ON con.conindid = x.indexrelid AND con.contype IN ('p', 'u')
    WHERE x.indrelid = ANY(:oids) AND x.indisunique ORDER BY x.indrelid, NOT x.indisprimary, i.relname""")
_REFERENCES = text("""
    SELECT con.conrelid, con.oid, con.conname, mine.attname, space.nspname, class.relname, theirs.attname,
        con.condeferrable
    FROM pg_constraint con JOIN pg_class class ON class.oid = con.confrelid
    JOIN pg_namespace space ON space.oid = class.relnamespace
    CROSS JOIN LATERAL unnest(con.conkey, con.confkey) WITH ORDINALITY AS pair (mine, theirs, place)
    JOIN pg_attribute mine ON mine.attrelid = con.conrelid AND mine.attnum = pair.mine
    JOIN pg_attribute theirs ON theirs.attrelid = con.confrelid AND theirs.attnum = pair.theirs
    WHERE con.contype = 'f' AND con.conrelid = ANY(:oids) ORDER BY con.conrelid, con.oid, pair.place""")
_TRIGGERS = text("""
    SELECT DISTINCT asked.oid, 'trigger ' || tgname FROM unnest(CAST(:oids AS oid[])) asked (oid)
    JOIN LATERAL (SELECT asked.oid AS relid UNION SELECT relid FROM pg_partition_tree(asked.oid)) part ON true
    JOIN pg_trigger ON tgrelid = part.relid AND NOT tgisinternal AND tgenabled <> 'D'
    UNION ALL SELECT ev_class, 'rule ' || rulename FROM pg_rewrite
    WHERE ev_class = ANY(:oids) AND rulename <> '_RETURN' ORDER BY 1, 2""")
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
_ELSEWHERE = text("""
    SELECT nspname, relname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
    WHERE relkind IN ('r', 'p') AND NOT relispartition AND NOT pg_table_is_visible(pg_class.oid)
    AND nspname <> 'information_schema' AND nspname NOT LIKE 'pg\\_%' AND has_schema_privilege(n.oid, 'USAGE')
    AND NOT EXISTS (
        SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid AND deptype = 'e')
    ORDER BY nspname, relname""")
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
_REWRITTEN = re.compile(r'\bNEW\."?(\w+)"?\s*:?=(?=[^;]*\bNEW\."?\1\b)', re.IGNORECASE)
_SORTS = {"r": "table", "p": "table", "v": "view", "m": "materialized view", "f": "foreign table"}
_WITHOUT_EQUALITY = {"json", "xml", "point", "line", "lseg", "box", "path", "polygon", "circle"}
_MODIFIER = 4  # PostgreSQL adds its header's size to a type's modifier


class _PostgreSQL:
    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def tables(self, names: Sequence[Name]) -> dict[Name, TableInfo | None]:
        quote = self.connection.dialect.identifier_preparer.quote_identifier
        spelled = {".".join(quote(part) for part in name if part): name for name in names}
        found = self.connection.execute(_TABLE, {"names": list(spelled)}).all()
        oids = [oid for _, oid, *_ in found]
        columns, uniques, references, triggers = (
            self._by_table(query, oids) for query in (_COLUMNS, _UNIQUES, _REFERENCES, _TRIGGERS)
        )
        made: dict[Name, TableInfo | None] = dict.fromkeys(names)
        for asked, oid, schema, sort, hides in found:
            if sort in _SORTS:
                made[spelled[asked]] = TableInfo(
                    name=spelled[asked][1],
                    schema=schema,
                    sort=_SORTS[sort],
                    columns={row[0]: _column_on_postgresql(row) for row in columns[oid]},
                    primary_key=next((tuple(row[5]) for row in uniques[oid] if row[1]), ()),
                    uniques=tuple(map(_unique_on_postgresql, uniques[oid])),
                    foreign_keys=tuple(
                        _foreign_key_on_postgresql(list(rows))
                        for _, rows in groupby(references[oid], lambda row: row[0])
                    ),
                    triggers=tuple(row[0] for row in triggers[oid]),
                    hides_rows=hides,
                )
        return made

    def _by_table(self, query: TextClause, oids: Sequence[int]) -> dict[int, list[Any]]:
        found: dict[int, list[Any]] = defaultdict(list)
        for oid, *row in self.connection.execute(query, {"oids": oids}):
            found[oid].append(row)
        return found

    def names(self, schema: str | None) -> list[str]:
        return list(self.connection.execute(_NAMES, {"schema": schema}).scalars())

    def tables_in(self, schema: str | None) -> list[str]:
        return list(self.connection.execute(_TABLES, {"schema": schema}).scalars())

    def tables_elsewhere(self) -> list[tuple[str, str]]:
        return [(schema, name) for schema, name in self.connection.execute(_ELSEWHERE)]

    def rules(self, info: TableInfo) -> Rules:
        quote = self.connection.dialect.identifier_preparer.quote_identifier
        spelled = f"{quote(info.schema or 'public')}.{quote(info.name)}"
        asked = {"oid": self.connection.execute(_TABLE, {"names": [spelled]}).one()[1]}
        constraints = self.connection.execute(_CONSTRAINTS, asked).all()
        domains: dict[str, list[str]] = {}
        for column, said in self.connection.execute(_DOMAINS, asked):
            domains.setdefault(column, []).append(_inside(said))
        assigned: set[str] = set()
        rewritten: set[str] = set()
        for name, source, arguments in self.connection.execute(_ASSIGNING, asked):
            is_search = name.startswith("tsvector_update_trigger")
            assigned |= {arguments.split(r"\000")[0]} if is_search else set(_ASSIGNED.findall(source))
            rewritten |= {match[1] for match in _REWRITTEN.finditer(source)}
        (by,) = self.connection.execute(_PARTITIONED, asked).scalars().all() or (None,)
        return Rules(
            checks=tuple(_inside(said) for sort, said in constraints if sort == "c"),
            domains={column: tuple(said) for column, said in domains.items()},
            set_by_triggers=frozenset((assigned - rewritten) & info.columns.keys()),
            rewritten=frozenset(rewritten),
            excluded=tuple(said for sort, said in constraints if sort == "x"),
            partitions=Partitions(columns=tuple(by), bounds=tuple(self.connection.execute(_BOUNDS, asked).scalars()))
            if by is not None
            else None,
        )

    def database_name(self) -> str:
        return str(self.connection.execute(text("SELECT current_database()")).scalar_one())


def _unique_on_postgresql(row: Sequence[Any]) -> UniqueKey:
    name, _, deferrable, where, is_plain, columns, parts, also, nulls_equal = row
    return UniqueKey(
        name=name,
        columns=tuple(dict.fromkeys((*columns, *also))),
        where=where,
        deferrable=deferrable,
        is_plain=is_plain,
        parts=tuple(parts),
        nulls_equal=nulls_equal,
    )


def _foreign_key_on_postgresql(rows: Sequence[Any]) -> ForeignKey:
    """Make a foreign key of its rows, one a pair of columns."""
    _, name, _, schema, table, _, deferrable = rows[0]
    columns, referred = tuple(row[2] for row in rows), tuple(row[5] for row in rows)
    return ForeignKey(name=name, columns=columns, schema=schema, table=table, referred=referred, deferrable=deferrable)


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
        scale=(((modifier - _MODIFIER) & 0x7FF) ^ 0x400) - 0x400 if is_number else None,  # signed, of 11 bits
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

    def tables(self, names: Sequence[Name]) -> dict[Name, TableInfo | None]:
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
        return [row[0] for row in self._ask("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")]

    def tables_in(self, schema: str | None) -> list[str]:  # noqa: ARG002 - SQLite has no schemas
        query = "SELECT name, sql LIKE 'CREATE VIRTUAL%' FROM sqlite_master WHERE type = 'table' ORDER BY name"
        found = self._ask(query)
        virtual = tuple(name for name, is_virtual in found if is_virtual)
        own = ("sqlite_", *(f"{name}_" for name in virtual))  # of SQLite's own, and what virtual tables keep
        return [name for name, _ in found if name not in virtual and not name.startswith(own)]

    def tables_elsewhere(self) -> list[tuple[str, str]]:
        return []

    def rules(self, info: TableInfo) -> Rules:
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
            checks=tuple(_checks_in(made)),
            set_by_triggers=frozenset(assigned & info.columns.keys()),
        )

    def database_name(self) -> str:
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

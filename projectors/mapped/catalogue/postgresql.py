"""What PostgreSQL's catalogue says of tables."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, TextClause, text

from .tables import ALWAYS, BY_DEFAULT, Column, ForeignKey, Name, Partitions, Rules, TableInfo, UniqueKey, checks_in

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


class PostgreSQL:
    """Reads tables on PostgreSQL."""

    def __init__(self, connection: Connection) -> None:
        """Take the connection to ask."""
        self.connection = connection

    def tables(self, names: Sequence[Name]) -> dict[Name, TableInfo | None]:
        """Read these tables, by name; None where there is none."""
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
                    columns={row[0]: _column(row) for row in columns[oid]},
                    primary_key=next((tuple(row[5]) for row in uniques[oid] if row[1]), ()),
                    uniques=tuple(map(_unique, uniques[oid])),
                    foreign_keys=tuple(
                        _foreign_key(list(rows)) for _, rows in groupby(references[oid], lambda row: row[0])
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
        """List the names of tables and views."""
        return list(self.connection.execute(_NAMES, {"schema": schema}).scalars())

    def tables_in(self, schema: str | None) -> list[str]:
        """List the tables that rows can be written to, without the parts of others."""
        return list(self.connection.execute(_TABLES, {"schema": schema}).scalars())

    def tables_elsewhere(self) -> list[tuple[str, str]]:
        """List schemas and tables for which a name alone does not do."""
        return [(schema, name) for schema, name in self.connection.execute(_ELSEWHERE)]

    def rules(self, info: TableInfo) -> Rules:
        """Read the other rules for a table's rows."""
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
        """Return the database's own name."""
        return str(self.connection.execute(text("SELECT current_database()")).scalar_one())


def _unique(row: Sequence[Any]) -> UniqueKey:
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


def _foreign_key(rows: Sequence[Any]) -> ForeignKey:
    """Make a foreign key of its rows, one a pair of columns."""
    _, name, _, schema, table, _, deferrable = rows[0]
    columns, referred = tuple(row[2] for row in rows), tuple(row[5] for row in rows)
    return ForeignKey(name=name, columns=columns, schema=schema, table=table, referred=referred, deferrable=deferrable)


def _inside(constraint: str) -> str:
    """Return the expression of a constraint that is spelled `CHECK (…)`."""
    return next(checks_in(constraint), "")


def _column(row: Any) -> Column:
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

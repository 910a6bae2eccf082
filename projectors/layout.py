"""A layout: a domain's kinds, the tables that hold them, and how a row's natural key is found.

`build_layout` makes it from a vocabulary; the built-in domain has no other way in. Tables are created only in a
database, or on PostgreSQL a schema, that has none of their names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

from sqlalchemy import JSON as JSON_TYPE
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Date,
    DateTime,
    Double,
    ForeignKeyConstraint,
    FromClause,
    Index,
    Integer,
    MetaData,
    Numeric,
    Select,
    String,
    Table,
    Text,
    TextClause,
    Time,
    Uuid,
    false,
    func,
    inspect,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine.reflection import ObjectKind
from sqlalchemy.types import TypeEngine

from seedjournal.journal import (
    Database,
    Field,
    KeyBytes,
    Kind,
    Misuse,
    Reference,
    Type,
    Vocabulary,
    WrongSchema,
    canonical_key,
    ensure,
    is_present,
)
from seedjournal.journal import is_ready as is_history_ready

from .dialects import dialect_of
from .notes import NAMES, TARGET_HISTORY, clear

_ID = BigInteger().with_variant(Integer(), "sqlite")

# Where English makes a table's name otherwise than by an s.
_TABLE_NAMES = {"ai_usage_daily": "ai_usage_daily", "weekly_metrics": "weekly_metrics"}

# What a row made by hand holds where it says nothing; projected rows always say.
_DEFAULTS: dict[Type, TextClause | ColumnElement[bool]] = {
    Type.INTEGER: text("0"),
    Type.BOOLEAN: false(),
    Type.JSON: text("'[]'"),
}

KeyParts = dict[str, ColumnElement[Any]]
Joins = list[tuple[FromClause, ColumnElement[bool]]]


def foreign_key(reference: Reference) -> str:
    """Name the column that holds a reference."""
    return f"{reference.name}_id"


def is_in_key(reference: Reference, vocabulary: Vocabulary) -> bool:
    """Say whether the natural key alone tells a reference."""
    return set(reference.shared) == set(vocabulary[reference.to].key)


@dataclass(frozen=True, eq=False)
class TableMap:
    """A kind and its table."""

    kind: Kind
    table: Table
    vocabulary: Vocabulary

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The columns that a row fills, in its order: id, foreign keys, fields."""
        return (
            "id",
            *(foreign_key(reference) for reference in self.kind.references),
            *(field.name for field in self.kind.fields),
        )

    @cached_property
    def key_columns(self) -> tuple[str, ...]:
        """The columns of the natural key: foreign keys to the entities that it names, and its own fields."""
        fields = {field.name for field in self.kind.fields}
        return (
            *(foreign_key(one) for one in self.kind.references if is_in_key(one, self.vocabulary)),
            *(name for name in self.kind.key if name in fields),
        )

    # Made once, so that the statements that use them are compiled once.
    @cached_property
    def stage(self) -> Table:
        """A temporary table in which rows wait, each with its place in its piece; a kind names none of its columns."""
        types = (BigInteger() if name == "id" else self.table.c[name].type for name in self.columns)
        return Table(
            "seedjournal_stage",
            MetaData(),
            Column("place", Integer),
            *(Column(f"c{number}", type_) for number, type_ in enumerate(types)),
            prefixes=["TEMPORARY"],
        )

    @cached_property
    def staged(self) -> Mapping[str, ColumnElement[Any]]:
        """The staging table's columns by the names that the kind's table has for them."""
        return dict(zip(self.columns, list(self.stage.c)[1:], strict=True))

    @cached_property
    def seen(self) -> Table:
        """A temporary table of the ids that a state has."""
        id_ = Column("id", BigInteger, primary_key=True, autoincrement=False)
        return Table("seedjournal_seen", MetaData(), id_, prefixes=["TEMPORARY"])


@dataclass(frozen=True, eq=False)
class Layout:
    """A domain's kinds and tables; `maps` has parents before children.

    Without a root the domain has one project, and all rows are its own.
    """

    vocabulary: Vocabulary
    maps: dict[str, TableMap]
    metadata: MetaData
    has_root: bool = True

    def __getitem__(self, kind: str) -> TableMap:
        """Return the kind's table map."""
        return self.maps[kind]

    @property
    def tables(self) -> list[Table]:
        """The tables, parents before children."""
        return [one.table for one in self.maps.values()]

    def natural_keys(self, mapped: TableMap) -> tuple[Select[Any], KeyParts]:
        """Query every row's id and natural key, in the order of the key's fields; with its columns, to filter by."""
        parts, joins = self._key_parts(mapped, mapped.table)
        source: FromClause = mapped.table
        for rows, condition in joins:
            source = source.join(rows, condition)
        named = (parts[name].label(f"key_{name}") for name in mapped.kind.key)
        return select(mapped.table.c.id, *named).select_from(source), parts

    def of_project(self, mapped: TableMap, project: str) -> Select[Any]:
        """Query id and natural key of the project's rows: those whose key begins with its name, anybody's."""
        query, parts = self.natural_keys(mapped)
        return query.where(parts[mapped.kind.key[0]] == project) if self.has_root else query

    def count_rows(self, connection: Connection, mapped: TableMap, project: str) -> int:
        """Count the project's rows, anybody's; without a join where the target has rows of no other project."""
        if not self.has_root:
            return int(connection.execute(select(func.count()).select_from(mapped.table)).scalar_one())
        query, parts = self.natural_keys(mapped)
        name = parts[mapped.kind.key[0]]
        if name.table is mapped.table:
            counted = select(func.count()).select_from(mapped.table).where(name == project)
        elif connection.execute(select(name).where(name != project).limit(1)).first() is None:
            counted = select(func.count()).select_from(mapped.table)
        else:
            counted = select(func.count()).select_from(query.where(name == project).subquery())
        return int(connection.execute(counted).scalar_one())

    def tables_of_key(self, mapped: TableMap) -> set[str]:
        """Name the tables that a row and its natural key are read from, and those that it points to."""
        references = [one for one in mapped.kind.references if one.to != mapped.kind.name]
        return {mapped.table.name}.union(*(self.tables_of_key(self[one.to]) for one in references))

    def without_table(self, kinds: Iterable[str]) -> list[str]:
        """List those of the kinds that no table holds."""
        return sorted(set(kinds) - self.maps.keys())

    def _key_parts(self, mapped: TableMap, rows: FromClause) -> tuple[KeyParts, Joins]:
        """Find a row's natural key: the key's fields as columns, and the joins to the rows that it points to."""
        fields = {field.name for field in mapped.kind.fields}
        parts: KeyParts = {name: rows.c[name] for name in mapped.kind.key if name in fields}
        joins: Joins = []
        for reference in mapped.kind.references:
            if not is_in_key(reference, self.vocabulary):
                continue
            missing = {theirs: ours for theirs, ours in reference.shared.items() if ours not in parts}
            if missing:
                parent = self[reference.to]
                parent_rows = parent.table.alias()
                theirs, further = self._key_parts(parent, parent_rows)
                joins += [(parent_rows, rows.c[foreign_key(reference)] == parent_rows.c.id), *further]
                parts.update({mine: theirs[name] for name, mine in missing.items()})
        return parts, joins


def key_from_row(mapped: TableMap, parts: KeyParts, values: Sequence[object]) -> KeyBytes:
    """Make the natural key from a row's key fields, each written as events write its type."""
    plain = (_as_event(value, parts[name].type) for name, value in zip(mapped.kind.key, values, strict=True))
    return canonical_key(dict(zip(mapped.kind.key, plain, strict=True)))


def _as_event(value: object, type_: TypeEngine[Any]) -> str | int:
    match value:
        case str() | int():
            return value
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case date():
            return value.isoformat()
        case Decimal():
            return f"{value:.{getattr(type_, 'scale', None) or 0}f}"
        case _:
            return str(value)


def build_layout(vocabulary: Vocabulary, *, has_root: bool = True) -> Layout:
    """Lay out a domain: one table a kind, parents before children.

    Raises Misuse for a kind that seedjournal cannot put into a table of its own.
    """
    _refuse_what_has_no_table(vocabulary)
    metadata = MetaData(naming_convention=NAMES)
    maps: dict[str, TableMap] = {}
    for kind in vocabulary.kinds:
        maps[kind.name] = TableMap(kind, _table(kind, vocabulary, maps, metadata), vocabulary)
    return Layout(vocabulary, maps, metadata, has_root)


def _refuse_what_has_no_table(vocabulary: Vocabulary) -> None:
    """Raise Misuse, with every reason, for kinds that no table of ours can hold."""
    problems: list[str] = []
    before: set[str] = set()
    for kind in vocabulary.kinds:
        before.add(kind.name)
        if kind.part_of:
            problems.append(f"{kind.name} is a part of {kind.part_of}")
        for reference in kind.references:
            if reference.also:
                problems.append(f"{kind.name}.{reference.name} refers to several kinds")
            elif reference.to not in before:
                problems.append(f"{kind.name}.{reference.name} and other references form a circle")
    if problems:
        raise Misuse(
            f"This version cannot project: {'; '.join(problems)}.",
            "Give the kind a table of its own, one reference for each kind, or a reference in one direction only.",
        )


def _table(kind: Kind, vocabulary: Vocabulary, maps: Mapping[str, TableMap], metadata: MetaData) -> Table:
    name = kind.table or _TABLE_NAMES.get(kind.name, f"{kind.name}s")
    own = Column("id", _ID, primary_key=True, autoincrement=True)
    table = Table(
        name,
        metadata,
        own,
        *(Column(foreign_key(one), _ID, nullable=one.nullable) for one in kind.references),
        *(
            Column(
                field.name,
                _column_type(field),
                nullable=field.nullable,
                server_default=None if field.nullable or field.name in kind.key else _DEFAULTS.get(field.type),
            )
            for field in kind.fields
        ),
        *(
            ForeignKeyConstraint([foreign_key(one)], [own if one.to == kind.name else maps[one.to].table.c.id])
            for one in kind.references
        ),
    )
    key = TableMap(kind, table, vocabulary).key_columns
    Index(f"uq_{name}", *(table.c[one] for one in key), unique=True)
    for one in kind.references:
        if foreign_key(one) != key[0]:
            Index(f"ix_{name}_{foreign_key(one)}", table.c[foreign_key(one)])
    return table


def _column_type(field: Field) -> TypeEngine[Any]:  # noqa: C901, PLR0911 - one for each type
    """Choose a column's type. SQLite has none for times: there they are the events' own text, which it can read."""
    match field.type:
        case Type.TEXT:
            return String(field.size) if field.size else Text()
        case Type.INTEGER | Type.BIGINT:
            return BigInteger()
        case Type.BOOLEAN:
            return Boolean()
        case Type.DECIMAL:
            return Numeric(field.precision, field.places)
        case Type.INSTANT:
            return DateTime(timezone=True).with_variant(Text(), "sqlite")
        case Type.DATE:
            return Date().with_variant(Text(), "sqlite")
        case Type.TIME:
            return Time().with_variant(Text(), "sqlite")
        case Type.UUID:
            return Uuid().with_variant(Text(), "sqlite")
        case Type.FLOAT:
            return Double()
        case Type.JSON:
            return JSONB().with_variant(JSON_TYPE(), "sqlite")


# -- the tables in a database --------------------------------------------------------------------------------------


def has_tables(connection: Connection, layout: Layout, address: str) -> bool:
    """Say whether the database has all tables of the layout (True) or none of their names (False).

    Raises WrongSchema where a name is taken by something else, or a table or column is missing.
    """
    missing = missing_tables(connection, layout, address)
    if missing and len(missing) < len(layout.tables):
        raise WrongSchema(
            f"{address} lacks {', '.join(sorted(one.name for one in missing))}; nothing was written",
            "`seedjournal project --repair` makes them again, with their rows; `seedjournal migrate --tables` makes "
            "them empty",
        )
    return not missing


def missing_tables(connection: Connection, layout: Layout, address: str) -> list[Table]:
    """List the layout's tables that the database does not have; raises WrongSchema where one is not as we made it."""
    missing, problems = _looked_at(connection, layout)
    if not problems:
        return missing
    if all(problem == _NO_COLUMN for one in problems.values() for problem in one.values()) and (
        missing or len(problems) == len(layout.tables)
    ):
        raise WrongSchema(
            f"{address} already has {', '.join(sorted(problems))}, not made by seedjournal; nothing was written",
            "use a database of its own, or on PostgreSQL a schema of its own: --schema NAME",
        )
    told = [f"{table}.{name} {problem}" for table, one in sorted(problems.items()) for name, problem in one.items()]
    raise WrongSchema(
        f"{address}: column {'; column '.join(told)}; nothing was written",
        "give the column the name and type that it had, or use a database of its own, or on PostgreSQL a schema of its "
        "own: --schema NAME",
    )


_NO_COLUMN = "is not there"
_NUMBERS = {"INTEGER", "NUMERIC", "FLOAT"}
_DATES = {"DATE", "DATETIME"}


def _looked_at(connection: Connection, layout: Layout) -> tuple[list[Table], dict[str, dict[str, str]]]:
    """Return the tables that are missing, and by table and column what is wrong with the others."""
    named = {table.name: table for table in layout.tables}
    reflected = inspect(connection).get_multi_columns(filter_names=list(named), kind=ObjectKind.ANY)
    found = {name: {column["name"]: column for column in columns} for (_, name), columns in reflected.items()}
    problems: dict[str, dict[str, str]] = {}
    for name, columns in found.items():
        for column in named[name].columns:
            if wrong := _column_problem(connection, column, columns.get(column.name)):
                problems.setdefault(name, {})[column.name] = wrong
    return [table for table in layout.tables if table.name not in found], problems


def _column_problem(connection: Connection, column: Column[Any], found: Any) -> str | None:
    """Say what is wrong with a column: it is absent, always generated, or of a type that rows cannot be compared with.

    SQLite's columns take values of any type.
    """
    if found is None:
        return _NO_COLUMN
    if "computed" in found or (found.get("identity") or {}).get("always"):
        return "is GENERATED ALWAYS, and takes no values"
    if connection.dialect.name == "sqlite":
        return None
    ours, theirs = (_affinity(type_) for type_ in (column.type, found["type"]))
    if ours == theirs or {ours, theirs} <= _NUMBERS or {ours, theirs} <= _DATES:
        return None
    return f"has type {found['type']}, not {column.type.compile(connection.dialect)}"


def _affinity(type_: TypeEngine[Any]) -> str:
    """Name the group of types of which a database compares values with each other."""
    return "JSONB" if isinstance(type_, JSONB) else type_._type_affinity.__name__.upper()  # type: ignore[union-attr]  # noqa: SLF001


def table_problems(connection: Connection, layout: Layout) -> dict[str, str]:
    """Say, by table, what keeps its rows from being compared."""
    missing, problems = _looked_at(connection, layout)
    return {
        **{one.name: "the table is not there; `seedjournal project --repair` makes it again" for one in missing},
        **{
            table: "; ".join(f"column {name} {problem}" for name, problem in one.items())
            for table, one in problems.items()
        },
    }


def make_tables(database: Database, layout: Layout) -> bool:
    """Create those of the layout's tables that are missing, with keys and indexes; say whether there were any."""
    with database.write("target") as connection:
        missing = missing_tables(connection, layout, database.shown)
        if not missing:
            return False
        create_tables(connection, missing)
        if len(missing) == len(layout.tables) and is_present(connection, TARGET_HISTORY):
            clear(connection)  # of tables that somebody dropped
        else:
            dialect_of(connection).add_missing_references(layout.tables)
        return True


def create_tables(connection: Connection, tables: Sequence[Table]) -> None:
    """Create tables of a layout with all their keys and indexes."""
    dialect = dialect_of(connection)
    dialect.create_bare(tables)
    dialect.add_keys_and_indexes(tables)


def ensure_target(database: Database, layout: Layout) -> None:
    """See that the notes are there, and make them; raises WrongSchema where the layout's tables cannot be ours."""
    if not database.is_absent:
        with database.read() as connection:
            missing_tables(connection, layout, database.shown)
    ensure(database, TARGET_HISTORY, create=True)


def is_ready(database: Database, layout: Layout) -> bool:
    """Say whether notes and some of the tables are there; raises WrongSchema where they cannot be ours."""
    has_notes = is_history_ready(database, TARGET_HISTORY)
    if database.is_absent:
        return False
    with database.read() as connection:
        missing = missing_tables(connection, layout, database.shown)
        return len(missing) < len(layout.tables) and has_notes

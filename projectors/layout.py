"""A layout: a domain's kinds, the tables that hold them, and how a row's natural key is found.

`build_layout` makes it from a vocabulary; the built-in domain has no other way in. Tables are created only in a
database, or on PostgreSQL a schema, that has none of their names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cached_property, lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import JSON as JSON_TYPE
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Date,
    DateTime,
    Dialect,
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
    true,
)
from sqlalchemy.engine.reflection import ObjectKind
from sqlalchemy.types import TypeDecorator, TypeEngine

from seedjournal.journal import (
    Database,
    Field,
    Json,
    KeyBytes,
    Kind,
    Misuse,
    Reference,
    Run,
    Type,
    Vocabulary,
    WrongSchema,
    canonical_key,
    ensure,
    is_present,
    key_fields,
    kinds_of,
    migrate,
)
from seedjournal.journal import is_ready as is_history_ready

from .dialects import dialect_of
from .notes import NAMES, TARGET_HISTORY, clear

if TYPE_CHECKING:
    from .mapping import Tables

_ID = BigInteger().with_variant(Integer(), "sqlite")

# Defaults for rows that somebody makes by hand; projected rows give every value.
_DEFAULTS: dict[Type, TextClause | ColumnElement[bool]] = {
    Type.INTEGER: text("0"),
    Type.BOOLEAN: false(),
    Type.JSON: text("'[]'"),
}

KeyParts = dict[str, ColumnElement[Any]]
Joins = list[tuple[FromClause, ColumnElement[bool]]]


def foreign_key(reference: Reference) -> str:
    """Name the column that holds the id of what a reference leads to."""
    return f"{reference.name}_id"


def kind_column(reference: Reference) -> str:
    """Name the column that says of which kind the id of a generic reference is."""
    return f"{reference.name}_kind"


def pointer_columns(reference: Reference) -> tuple[str, ...]:
    """Name the columns that hold a reference: an id, and for a generic one the kind before it."""
    return (*((kind_column(reference),) if reference.also else ()), foreign_key(reference))


def kinds_led_to(reference: Reference) -> tuple[str, ...]:
    """Name the kinds that a reference may lead to."""
    return (reference.to, *reference.also)


def is_in_key(reference: Reference, vocabulary: Vocabulary) -> bool:
    """Say whether the natural key alone tells a reference."""
    return not reference.also and set(reference.shared) == set(vocabulary[reference.to].key)


@dataclass(frozen=True, eq=False)
class TableMap:
    """A kind and its table. A part has none of its own: it fills columns of its `whole`'s rows.

    The rows' dates are `days` later than those of the events.
    """

    kind: Kind
    table: Table
    vocabulary: Vocabulary
    whole: TableMap | None = None
    days: int = 0

    @cached_property
    def pointers(self) -> tuple[Reference, ...]:
        """The references that have columns: all, but of a part the one to its whole."""
        return _pointers(self.kind, self.vocabulary)

    @cached_property
    def moving(self) -> frozenset[str]:
        """The names of fields and key parts whose dates are moved in the rows."""
        if not self.days:
            return frozenset()
        fields = {one.name: one for one in self.kind.fields} | key_fields(self.vocabulary, self.kind)
        return frozenset(name for name, one in fields.items() if one.moves)

    @cached_property
    def late_pointers(self) -> tuple[Reference, ...]:
        """Those of the references that lead to kinds whose rows may be written after these."""
        return tuple(one for one in self.pointers if _is_late(one, self.kind, self.vocabulary))

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The columns that a row fills, in its order: id, references, fields."""
        return (
            "id",
            *(name for reference in self.pointers for name in pointer_columns(reference)),
            *(field.name for field in self.kind.fields),
        )

    @cached_property
    def key_columns(self) -> tuple[str, ...]:
        """The columns of the natural key: foreign keys to the entities that it names, and its own fields.

        A part is found by its row's id.
        """
        if self.whole:
            return ("id",)
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
    """A domain's kinds and tables; `maps` has parents before children, and wholes before their parts.

    The dates of rows are `days` later than those of events.
    """

    vocabulary: Vocabulary
    maps: dict[str, TableMap]
    metadata: MetaData
    days: int = 0
    _natural_keys: dict[str, tuple[Select[Any], KeyParts]] = field(default_factory=dict, init=False, repr=False)

    def __getitem__(self, kind: str) -> TableMap:
        """Return the kind's table map."""
        return self.maps[kind]

    @property
    def tables(self) -> list[Table]:
        """The tables, parents before children."""
        return [one.table for one in self.maps.values() if not one.whole]

    @property
    def has_circles(self) -> bool:
        """Whether a row may point to one that is deleted before it: one of its own kind, or of one that comes later."""
        return any(
            _is_late(reference, (one.whole or one).kind, self.vocabulary)
            for one in self.maps.values()
            for reference in one.pointers
        )

    def moved(self, days: int) -> Layout:
        """Return the layout of rows whose dates are some days later than those of the events."""
        if days == self.days:
            return self
        maps: dict[str, TableMap] = {}
        for kind, one in self.maps.items():
            maps[kind] = replace(one, days=days, whole=maps[one.whole.kind.name] if one.whole else None)
        return replace(self, maps=maps, days=days)

    def maps_of(self, project: str) -> dict[str, TableMap]:
        """Return the maps of the kinds that a project holds: those of a root entity, or those that all share."""
        is_common = self.vocabulary.common == project
        return {kind: one for kind, one in self.maps.items() if one.kind.is_shared == is_common}

    def parts_of(self, mapped: TableMap) -> list[TableMap]:
        """Return the maps of the kinds that fill further columns of these rows."""
        return [one for one in self.maps.values() if one.whole is mapped]

    def natural_keys(self, mapped: TableMap) -> tuple[Select[Any], KeyParts]:
        """Query every row's id and natural key, in the order of the key's fields; with its columns, to filter by."""
        if mapped.kind.name not in self._natural_keys:
            parts, joins = self._key_parts(mapped, mapped.table)
            source: FromClause = mapped.table
            for rows, condition in joins:
                source = source.join(rows, condition)
            named = (parts[name].label(f"key_{name}") for name in mapped.kind.key)
            self._natural_keys[mapped.kind.name] = select(mapped.table.c.id, *named).select_from(source), parts
        return self._natural_keys[mapped.kind.name]

    def of_project(self, mapped: TableMap, project: str) -> Select[Any]:
        """Query id and natural key of the project's rows: those whose key begins with its name, anybody's."""
        query, parts = self.natural_keys(mapped)
        return query if mapped.kind.is_shared else query.where(parts[mapped.kind.key[0]] == project)

    def count_rows(self, connection: Connection, mapped: TableMap, project: str) -> int:
        """Count the project's rows, anybody's; without a join where the target has rows of no other project."""
        if mapped.kind.is_shared:
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
        found, waiting = {mapped.kind.name}, [mapped]
        while waiting:
            for reference in waiting.pop().kind.references:
                for kind in set(kinds_led_to(reference)) - found:
                    found.add(kind)
                    waiting.append(self[kind])
        return {self[kind].table.name for kind in found}

    def without_table(self, kinds: Iterable[str]) -> list[str]:
        """List those of the kinds that no table holds."""
        return sorted(set(kinds) - self.maps.keys())

    def _key_parts(self, mapped: TableMap, rows: FromClause) -> tuple[KeyParts, Joins]:
        """Find a row's natural key: the key's fields as columns, and the joins to the rows that it points to."""
        if mapped.whole:
            (to_whole,) = (one for one in mapped.kind.references if one not in mapped.pointers)
            of_whole, further = self._key_parts(mapped.whole, rows)
            return {mine: of_whole[name] for name, mine in to_whole.shared.items()}, further
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
                theirs, more = self._key_parts(parent, parent_rows)
                joins += [(parent_rows, rows.c[foreign_key(reference)] == parent_rows.c.id), *more]
                parts.update({mine: theirs[name] for name, mine in missing.items()})
        return parts, joins


def key_from_row(mapped: TableMap, parts: KeyParts, values: Sequence[object]) -> KeyBytes:
    """Make the natural key from a row's key fields, each written as events write its type."""
    named = zip(mapped.kind.key, values, strict=True)
    plain = {name: _as_event(value, parts[name].type) for name, value in named}
    for name in mapped.moving & plain.keys():
        plain[name] = moved(str(plain[name]), -mapped.days)
    return canonical_key(plain)


_LONGEST_NAME = 63  # bytes
NEVER = "9999-12-31"  # means no date at all, and does not move
_LENGTH = len(NEVER)


def moved(text: str, days: int) -> str:
    """Return a date or instant, as events write it, some days later."""
    return _later(text[:_LENGTH], days) + text[_LENGTH:]


@lru_cache(1 << 14)
def _later(day: str, days: int) -> str:
    if day == NEVER:
        return day
    try:
        return (date.fromisoformat(day) + timedelta(days)).isoformat()
    except OverflowError:
        raise Misuse(
            f"The date {day} cannot move by {days} days; nothing was written.", "Choose an earlier date."
        ) from None


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


@lru_cache(16)
def build_layout(vocabulary: Vocabulary) -> Layout:
    """Return a domain's layout: one table for each kind, parents before children; a part adds columns to its whole.

    Raises Misuse for kinds that seedjournal cannot lay out.
    """
    _refuse_what_has_no_table(vocabulary)
    metadata = MetaData(naming_convention=NAMES)
    tables = {kind.name: _table(kind, vocabulary, metadata) for kind in vocabulary.kinds if not kind.part_of}
    maps: dict[str, TableMap] = {}
    for kind in vocabulary.kinds:
        table = tables[kind.part_of or kind.name]
        maps[kind.name] = TableMap(kind, table, vocabulary, maps[kind.part_of] if kind.part_of else None)
    for one in maps.values():
        _add_keys(one, tables)
    return Layout(vocabulary, maps, metadata)


def layout_of(connection: Connection, run: Run, otherwise: Layout) -> Layout:
    """Return the layout of the kinds that a run was recorded with; `otherwise` if the journal does not say which."""
    recorded = kinds_of(connection, run)
    return otherwise if recorded is None or recorded == otherwise.vocabulary else build_layout(recorded)


def _refuse_what_has_no_table(vocabulary: Vocabulary) -> None:
    """Raise Misuse, with every reason, for kinds that no table of ours can hold."""
    problems: list[str] = []
    owners: dict[tuple[str, str], tuple[str, str]] = {}
    spelt: dict[str, str] = {}
    for kind in vocabulary.kinds:
        whole = vocabulary[kind.part_of] if kind.part_of else kind
        table = table_name(whole)
        if whole.part_of:
            problems.append(f"{kind.name} is a part of {whole.name}, which is a part itself")
        if spelt.setdefault(table.casefold(), table) != table:
            problems.append(f"the tables {spelt[table.casefold()]} and {table} differ in case only")
        names = [*(name for one in _pointers(kind, vocabulary) for name in pointer_columns(one))]
        names += [one.name for one in kind.fields]
        problems += [
            f"{name} is longer than {_LONGEST_NAME} bytes, of which PostgreSQL keeps no more"
            for name in [*names, table]
            if len(name.encode()) > _LONGEST_NAME
        ]
        problems += _shared_columns(kind.name, table, names, owners)
    if problems:
        raise Misuse(
            f"These kinds cannot become tables: {'; '.join(dict.fromkeys(problems))}.",
            "Give the field another name, the kind another table=…, or map it onto tables that you have.",
        )


def _shared_columns(
    kind: str, table: str, names: Sequence[str], owners: dict[tuple[str, str], tuple[str, str]]
) -> Iterator[str]:
    """Yield which columns two fields would share; `owners` has those of earlier kinds."""
    for name in names:
        owner, other = owners.setdefault((table.casefold(), name.casefold()), (kind, name))
        if name.casefold() == "id":
            yield f"{kind} has a field {name}, and each table has a column id for itself"
        elif other != name:
            yield f"{table}.{other} and {table}.{name} differ in case only"
        elif owner != kind:
            yield f"{table}.{name} would hold a field of {owner} and one of {kind}"
        elif names.count(name) > 1:
            yield f"{table}.{name} would hold two fields of {kind}"


def _pointers(kind: Kind, vocabulary: Vocabulary) -> tuple[Reference, ...]:
    return tuple(one for one in kind.references if not (kind.part_of and is_in_key(one, vocabulary)))


def _is_late(reference: Reference, kind: Kind, vocabulary: Vocabulary) -> bool:
    """Say whether a reference may lead to rows that are written after those of its own kind."""
    names = list(vocabulary.by_name)
    return max(map(names.index, kinds_led_to(reference))) >= names.index(kind.name)


def table_name(kind: Kind) -> str:
    """Return the name of the kind's own table."""
    return kind.table or f"{kind.name}s"


def _table(kind: Kind, vocabulary: Vocabulary, metadata: MetaData) -> Table:
    parts = [one for one in vocabulary.kinds if one.part_of == kind.name]
    own = [_column(kind, field) for field in kind.fields]
    return Table(
        table_name(kind),
        metadata,
        Column("id", _ID, primary_key=True, autoincrement=True),
        *_pointer_columns(kind, vocabulary),
        *own,
        *(column for part in parts for column in _pointer_columns(part, vocabulary)),
        *(column_with_default(field) for part in parts for field in part.fields),
    )


def _pointer_columns(kind: Kind, vocabulary: Vocabulary) -> Iterator[Column[Any]]:
    for one in _pointers(kind, vocabulary):
        is_nullable = one.nullable or kind.part_of is not None
        if one.also:
            yield Column(kind_column(one), Text(), nullable=is_nullable)
        yield Column(foreign_key(one), _ID, nullable=is_nullable)


def _column(kind: Kind, field: Field) -> Column[Any]:
    default = None if field.nullable or field.name in kind.key else _DEFAULTS.get(field.type)
    return Column(field.name, column_type(field), nullable=field.nullable, server_default=default)


def column_with_default(field: Field) -> Column[Any]:
    """Return the column of a field that rows may lack: of a part, or of a kind that had no such field before."""
    value = plain(field, field.default)
    is_nullable = field.nullable or value is None
    default = None if value is None else (true() if value else false()) if isinstance(value, bool) else str(value)
    return Column(field.name, column_type(field), nullable=is_nullable, server_default=default)


def plain(field: Field, value: Json) -> Any:
    """Return a field's value, as events hold it, as the database takes it."""
    return orjson.dumps(value).decode() if field.type is Type.JSON and value is not None else value


def _add_keys(mapped: TableMap, tables: Mapping[str, Table]) -> None:
    """Add a kind's foreign keys and indexes to its table. A key to rows that may come later waits for the commit."""
    table = mapped.table
    key = mapped.key_columns
    if not mapped.whole:
        Index(_index_name(f"uq_{table.name}"), *(table.c[one] for one in key), unique=True)
    for one in mapped.pointers:
        name = foreign_key(one)
        if name != key[0]:
            columns = (table.c[column] for column in reversed(pointer_columns(one)))
            Index(_index_name(f"ix_{table.name}_{name}"), *columns)
        if one.also:
            continue
        row = (mapped.whole or mapped).kind
        waits: dict[str, Any] = (
            {"deferrable": True, "initially": "DEFERRED"} if _is_late(one, row, mapped.vocabulary) else {}
        )
        table.append_constraint(ForeignKeyConstraint([table.c[name]], [tables[one.to].c.id], **waits))


def _index_name(name: str) -> str:
    """Return an index's name as both databases take it: of a long one the beginning, and a digest."""
    if len(name.encode()) <= _LONGEST_NAME:
        return name
    digest = sha256(name.encode()).hexdigest()[:8]
    return name.encode()[: _LONGEST_NAME - 9].decode(errors="ignore") + f"_{digest}"


class Jsonb(TypeDecorator[Any]):
    """JSON, which is `jsonb` in PostgreSQL. SQLAlchemy's own type for that loads a dialect that SQLite never needs."""

    impl = JSON_TYPE
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the type of one database."""
        if dialect.name != "postgresql":
            return dialect.type_descriptor(JSON_TYPE())
        from sqlalchemy.dialects.postgresql import JSONB

        return dialect.type_descriptor(JSONB())


def column_type(field: Field) -> TypeEngine[Any]:  # noqa: C901, PLR0911 - one for each type
    """Choose a column's type. SQLite has none for times: there they are the events' own text, which it can read."""
    match field.type:
        case Type.TEXT:
            return String(field.size) if field.size else Text()
        case Type.INTEGER:
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
            return Jsonb()


# -- the tables in a database --------------------------------------------------------------------------------------


def has_tables(connection: Connection, layout: Layout, address: str) -> bool:
    """Say whether the database has all tables of the layout (True) or none of their names (False).

    Raises WrongSchema where a name is taken by something else, or a table or column is missing.
    """
    missing = missing_tables(connection, layout, address)
    if missing and len(missing) < len(layout.tables):
        raise WrongSchema(
            f"{address} lacks {', '.join(sorted(one.name for one in missing))}; nothing was written.",
            "`seedjournal project --repair` makes them again, with their rows; `seedjournal migrate --tables` makes "
            "them empty.",
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
            f"{address} already has {', '.join(sorted(problems))}, not made by seedjournal; nothing was written.",
            "Use a database of its own, or on PostgreSQL a schema of its own with --schema NAME.",
        )
    told = [f"{table}.{name} {problem}" for table, one in sorted(problems.items()) for name, problem in one.items()]
    raise WrongSchema(
        f"{address}: column {'; column '.join(told)}; nothing was written.",
        "Give the column the name and type that it had, or use a database of its own, or on PostgreSQL a schema of its "
        "own with --schema NAME. `seedjournal project` adds the columns of new fields.",
    )


def refuse_others_rows(connection: Connection, layout: Layout) -> None:
    """Raise WrongSchema where statements on a table of ours would mean rows of others.

    So it is where somebody's table inherits from ours, and where a view has the name of ours.
    """
    if found := dialect_of(connection).views(layout.tables):
        raise WrongSchema(
            f"{', '.join(found)}: no table but a view, and what refers to the rows behind it is not known; nothing was "
            "written.",
            "Give the table its name back, or use another database.",
        )
    if found := dialect_of(connection).inheriting(layout.tables):
        child, _, parent = found[0].partition(" from ")
        raise WrongSchema(
            f"Tables inherit from those of seedjournal ({', '.join(found)}), so that their rows would be changed and "
            "deleted with ours; nothing was written.",
            f"Keep these rows in a table that does not inherit: `ALTER TABLE {child} NO INHERIT {parent}`.",
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
    if isinstance(type_, Jsonb) or type_.__visit_name__ == "JSONB":
        return "JSONB"
    return type_._type_affinity.__name__.upper()  # type: ignore[union-attr]  # noqa: SLF001


def table_problems(connection: Connection, layout: Layout) -> dict[str, str]:
    """Say, by table, what keeps its rows from being compared."""
    missing, problems = _looked_at(connection, layout)
    views = dict.fromkeys(dialect_of(connection).views(layout.tables), "it is a view; give the table its name back")
    inherited = (one.rpartition(" from ") for one in dialect_of(connection).inheriting(layout.tables))
    return {
        **{
            parent: f"{child} inherits from it, and statements change the rows of both; "
            f"`ALTER TABLE {child} NO INHERIT {parent}` ends that"
            for child, _, parent in inherited
        },
        **views,
        **{one.name: "the table is not there; `seedjournal project --repair` makes it again" for one in missing},
        **{
            table: "; ".join(f"column {name} {problem}" for name, problem in one.items())
            for table, one in problems.items()
        },
    }


def make_tables(database: Database, layout: Layout | Tables) -> bool:
    """Create those of the layout's tables that are missing, with keys and indexes; say whether there were any.

    Raises Misuse for a map onto tables that others own, which make them themselves.
    """
    if not isinstance(layout, Layout):
        raise Misuse("The map names tables that others own, so seedjournal makes none of them.", "Leave out --tables.")
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


def ensure_target(database: Database, layout: Layout | Tables, *, repair: bool = False) -> None:
    """Create the tables of the notes unless they exist; raise WrongSchema if the layout's tables cannot be ours.

    With `repair`, a table of the notes that somebody dropped is made again, empty.
    """
    if repair and not database.is_absent:
        with database.read() as connection:
            repair = is_present(connection, TARGET_HISTORY)
        if repair:
            migrate(database, TARGET_HISTORY)
    if not database.is_absent and isinstance(layout, Layout) and not is_history_ready(database, TARGET_HISTORY):
        with database.read() as connection:
            missing_tables(connection, layout, database.shown)
    ensure(database, TARGET_HISTORY, create=True)


def is_ready(database: Database, layout: Layout | Tables) -> bool:
    """Say whether notes and some of the tables are there; raises WrongSchema where they cannot be ours."""
    has_notes = is_history_ready(database, TARGET_HISTORY)
    if database.is_absent or not isinstance(layout, Layout):
        return has_notes and not database.is_absent
    with database.read() as connection:  # with notes, the kinds may have changed since: a projection looks at columns
        missing = _looked_at(connection, layout)[0] if has_notes else missing_tables(connection, layout, database.shown)
        return len(missing) < len(layout.tables) and has_notes

"""Fitting a map to a database: whether it can work at all, and what each column is computed from.

One error names everything that cannot work, before any row is written.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnClause,
    ColumnElement,
    Connection,
    Double,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    bindparam,
    case,
    cast,
    func,
    literal_column,
    null,
    select,
    table,
)
from sqlalchemy import column as named
from sqlalchemy.types import NullType, TypeEngine, UserDefinedType

from seedjournal.journal import Field, Kind, Misuse, Type, Vocabulary

from ..layout import column_type
from ..mapping import (
    DATABASE,
    DERIVED,
    KEY,
    PARENT,
    PLACEHOLDER,
    Call,
    ConstValue,
    Declared,
    FieldValue,
    Initial,
    KindOf,
    LookupValue,
    NullAs,
    Owned,
    Path,
    RefValue,
    SqlValue,
    Tables,
    Touch,
    Unique,
    Value,
    ValuesOf,
    names_in,
    nearest,
    now,
    path_named,
    paths_of,
)
from . import catalogue
from .catalogue import Catalogue, TableInfo

OURS, GIVEN, TOUCH = "ours", "given", "touch"


class Spelled(UserDefinedType[Any]):
    """A type as the database itself spells it."""

    cache_ok = True

    def __init__(self, spelling: str) -> None:
        self.spelling = spelling

    def get_col_spec(self, **_: Any) -> str:
        """Return the spelling."""
        return self.spelling


@dataclass(frozen=True, slots=True)
class Filled:
    """A column that is written: who owns it, and what it is computed from."""

    info: catalogue.Column
    owner: str
    value: Value | None

    @property
    def name(self) -> str:
        """The column's name."""
        return self.info.name

    @property
    def unique(self) -> Unique | None:
        """The map's rule for values that no two rows may share, if the column has one."""
        return self.value if isinstance(self.value, Unique) else None


@dataclass(frozen=True, eq=False)
class MappedKind:
    """A kind, and the table of somebody else's that holds it.

    `scheme` says how rows get their ids. `key` names the columns by which a row is found that nobody noted; where it is
    empty, rows are found by the notes alone. `inputs` are the fields, `refs` the entities that the columns need.
    """

    kind: Kind
    declared: Declared
    info: TableInfo
    scheme: str
    columns: tuple[Filled, ...]
    key: tuple[str, ...]
    paths: Mapping[str, Path]
    inputs: tuple[str, ...]
    refs: tuple[str, ...]
    is_on_postgresql: bool
    by_entity: bool = False

    @cached_property
    def table(self) -> Table:
        """The table, with the types that the database says."""
        columns: list[Column[Any]] = [Column(one.name, self.type_of(one)) for one in self.info.columns.values()]
        return Table(self.info.name, MetaData(), *columns, schema=self.declared.schema)

    @property
    def shown(self) -> str:
        """The table's name for people."""
        return self.declared.shown

    @property
    def identity(self) -> tuple[str, ...]:
        """The columns of the primary key."""
        return self.info.primary_key

    @cached_property
    def has_whole_numbers(self) -> bool:
        """Whether ids are whole numbers."""
        return self.info.columns[self.identity[0]].is_integer

    @property
    def gives_ids(self) -> bool:
        """Whether a row's id is no value of its own: derived, or given by the database."""
        return self.scheme in {DERIVED, DATABASE}

    @cached_property
    def key_tells_id(self) -> bool:
        """Whether an entity's row keeps its primary key: it is given, or made of the kind's key alone."""
        told = {*self.kind.key, *(name for name, one in self.paths.items() if one.reference is None)}
        values = (one.value for one in self.columns if one.name in self.identity)
        return self.gives_ids or all(names_in(value) <= told for value in values if value is not None)

    @property
    def is_part(self) -> bool:
        """Whether the kind fills columns of another kind's rows."""
        return self.kind.part_of is not None

    @property
    def generics(self) -> tuple[str, ...]:
        """The references to several kinds that the columns need."""
        return tuple(name for name in self.refs if (of := self.paths[name].reference) and of.also)

    def kinds_led_to(self, name: str) -> tuple[str, ...]:
        """Name the kinds of entities that a reference, or a part of the key, may lead to."""
        path = self.paths[name]
        return (path.to, *(path.reference.also if path.reference else ()))

    @cached_property
    def own_pointers(self) -> tuple[str, ...]:
        """The columns that a foreign key leads to the table's own rows, and that may be null."""
        keys = (one.columns for one in self.info.foreign_keys if one.table.lower() == self.info.name.lower())
        led = {key[0] for key in keys if len(key) == 1}
        return tuple(name for name in self.written if name in led and self.info.columns[name].nullable)

    @property
    def moves_id(self) -> bool:
        """Whether a row's primary key holds a date that moves with today."""
        of = {
            name
            for one in self.columns
            if one.name in self.identity
            for name in (names_in(one.value) if one.value else ())
        }
        return any(one.moves and one.name in of for one in self.kind.fields)

    @property
    def owned(self) -> tuple[str, ...]:
        """Our columns: those that are compared and restored."""
        return tuple(one.name for one in self.columns if one.owner == OURS)

    @property
    def touched(self) -> tuple[str, ...]:
        """The columns that are written with every change."""
        return tuple(one.name for one in self.columns if one.owner == TOUCH)

    @property
    def written(self) -> tuple[str, ...]:
        """All columns that an inserted row fills, the id first where it is given."""
        ids = self.identity if self.gives_ids or self.is_part else ()
        return (*ids, *(one.name for one in self.columns))

    @property
    def losers(self) -> tuple[Filled, ...]:
        """The columns whose value the greater of two keys gives up."""
        return tuple(one for one in self.columns if one.unique)

    def type_of(self, info: catalogue.Column) -> TypeEngine[Any]:
        """Return a column's type, of which only what matters to us is known."""
        return String() if info.is_text else Spelled(info.type) if self.is_on_postgresql else NullType()

    def spelled(self, name: str) -> TypeEngine[Any]:
        """Return a column's type for a temporary table."""
        return Spelled(self.info.columns[name].type)

    def field(self, name: str) -> Field | None:
        """Return the kind's field of this name."""
        return next((one for one in self.kind.fields if one.name == name), None)


@dataclass(frozen=True, eq=False)
class Mapped:
    """A map that fits a database: `maps` has parents before children."""

    tables: Tables
    maps: dict[str, MappedKind]
    found_by: dict[tuple[str | None, str], str]  # the primary keys of tables that rows are looked up in

    @property
    def vocabulary(self) -> Vocabulary:
        """The domain's kinds."""
        return self.tables.vocabulary

    def of_project(self, project: str) -> dict[str, MappedKind]:
        """Return the maps of the kinds that a project holds."""
        return {kind: one for kind, one in self.maps.items() if self.tables.is_of(one.kind, project)}

    def late_columns(self, mapped: MappedKind) -> frozenset[str]:
        """Name the columns that may lead to rows which are written after these: they are filled at the end."""
        late = {name for name in mapped.refs if self.is_late(mapped, name)}
        return frozenset(
            one.name
            for one in mapped.columns
            if one.info.nullable and one.value is not None and late & names_in(one.value)
        )

    def is_late(self, mapped: MappedKind, name: str) -> bool:
        """Say whether a reference may lead to a kind whose rows are written later."""
        places = list(self.maps)
        own = places.index(mapped.kind.part_of or mapped.kind.name)
        return any(places.index(kind) > own for kind in mapped.kinds_led_to(name) if kind in self.maps)

    def raw(self, mapped: MappedKind) -> Table:
        """Return a temporary table for what events say: key, id, fields and the ids of other entities."""
        id_type = mapped.spelled(mapped.identity[0]) if mapped.gives_ids or mapped.is_part else Text()
        return Table(
            "seedjournal_raw",
            MetaData(),
            Column("key", Text),
            Column("id", id_type),
            *(Column(f"f_{name}", self._type_of_field(mapped, name)) for name in mapped.inputs),
            *(Column(f"r_{name}", self._type_of_id(mapped.paths[name])) for name in mapped.refs),
            *(Column(f"k_{name}", Text) for name in mapped.generics),
            prefixes=["TEMPORARY"],
        )

    def _type_of_field(self, mapped: MappedKind, name: str) -> TypeEngine[Any]:
        one = mapped.field(name)
        return column_type(one) if one else Text()

    def _type_of_id(self, path: Path) -> TypeEngine[Any]:
        if path.reference and path.reference.also:
            return Text()
        parent = self.maps[path.to]
        return parent.spelled(parent.identity[0])

    def stage(self, mapped: MappedKind, name: str = "seedjournal_stage") -> Table:
        """Return a temporary table for rows as the table is to have them, in the columns' own types."""
        columns: list[Column[Any]] = [Column(one, mapped.spelled(one)) for one in mapped.written]
        return Table(name, MetaData(), Column("seedjournal_key", Text), *columns, prefixes=["TEMPORARY"])

    def expressions(self, mapped: MappedKind, raw: Table) -> list[ColumnElement[Any]]:
        """Return what each written column is computed from, over `raw`."""
        writer = _Expressions(self, mapped, raw)
        ids: list[ColumnElement[Any]] = [raw.c.id] if mapped.gives_ids or mapped.is_part else []
        return [*ids, *(writer.of_column(one) for one in mapped.columns)]

    def pointers(
        self, child: MappedKind, kind: str
    ) -> Iterator[tuple[catalogue.Column, str | None, ColumnElement[Any] | None]]:
        """Yield the columns that hold ids of a kind; of a reference to several kinds, what another column has then."""
        kind_columns = {one.value.name: one for one in child.columns if isinstance(one.value, KindOf)}
        for one in child.columns:
            for reference in _refs_in(one.value):
                if reference.of is not None or kind not in child.kinds_led_to(reference.name):
                    continue
                beside = kind_columns.get(reference.name)
                if beside is None:
                    yield one.info, None, None
                elif isinstance(beside.value, KindOf):
                    word = dict(beside.value.words).get(kind, kind)
                    writer = _Expressions(self, child, self.raw(child))
                    yield one.info, beside.name, writer.word(word, beside.info)

    def parents_by_field(self, mapped: MappedKind) -> set[str]:
        """Name the kinds of which the kind's own columns take a field: what changes there changes here."""
        found = (one.value for one in mapped.columns if one.owner == OURS)
        return {mapped.paths[one.name].to for value in found for one in _refs_in(value) if one.of is not None}


def _refs_in(value: Owned | None) -> Iterator[RefValue]:
    match value:
        case RefValue():
            yield value
        case NullAs(of, _) | ValuesOf(of, _) | Unique(of, _, _) | Initial(of):
            yield from _refs_in(of)
        case LookupValue(_, where, _, _):
            for _, one in where:
                yield from _refs_in(one)


def _lookups_in(value: Owned | None) -> Iterator[LookupValue]:
    match value:
        case LookupValue():
            yield value
        case KindOf(_, words):
            yield from (word for _, word in words if isinstance(word, LookupValue))
        case NullAs(of, _) | ValuesOf(of, _) | Unique(of, _, _) | Initial(of):
            yield from _lookups_in(of)


def plain_name(value: Value | None) -> str | None:
    """Return the field that a column holds as it is, if it does."""
    return value.name if isinstance(value, FieldValue) else None


# -- computing -----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Expressions:
    """Writes the expressions of one kind's columns over its raw rows."""

    fitted: Mapped
    mapped: MappedKind
    raw: Table
    _called: dict[int, Any] = field(default_factory=dict)

    def of_column(self, one: Filled) -> ColumnElement[Any]:
        """Return a column's expression, in a type that can be assigned to it."""
        if one.value is None:
            return self._now(one.info)
        return self._assigned(one.info, one.value, self.of(one.value, one.info))

    def of(  # noqa: C901, PLR0911 - one for each value
        self, value: Value, info: catalogue.Column
    ) -> ColumnElement[Any]:
        """Return a value's expression."""
        match value:
            case FieldValue(name):
                return self._field(name, info)
            case RefValue(name, None):
                return self.raw.c[f"r_{name}"]
            case RefValue(name, str(of)):
                return self._field_of(self.mapped.paths[name], name, of)
            case ConstValue(given):
                return self._now(info) if given is now else self._constant(given, info)
            case SqlValue(text):
                spelled = PLACEHOLDER.sub(lambda match: f"seedjournal_raw.{self._placed(match[1])}", text)
                return literal_column(f"({spelled})")
            case NullAs(of, instead):
                return func.coalesce(self._assigned(info, of, self.of(of, info)), self._constant(instead, info))
            case ValuesOf(of, instead_of):
                plain = self.of(of, info)
                pairs = [(plain == literal_of(one), literal_of(two)) for one, two in instead_of]
                return case(*pairs, else_=plain)
            case LookupValue():
                return self._looked_up(value, info)
            case KindOf(name, words):
                plain = self.raw.c[f"k_{name}"]
                kinds = [(plain == kind, self.word(word, info)) for kind, word in words]
                return case(*kinds, else_=null()) if kinds else plain
            case Unique(inner, _, _):
                return self.of(inner, info)
        raise TypeError(value)

    def word(self, word: Any, info: catalogue.Column) -> ColumnElement[Any]:
        """Return the value that a generic reference holds for a kind."""
        return self._looked_up(word, info) if isinstance(word, LookupValue) else self._constant(word, info)

    def _placed(self, name: str) -> str:
        return f'"f_{name}"' if self.mapped.field(name) else f'"r_{name}"'

    def _field(self, name: str, info: catalogue.Column) -> ColumnElement[Any]:  # noqa: PLR0911 - one for each type
        plain = self.raw.c[f"f_{name}"]
        of = self.mapped.field(name)
        if of is None:
            return plain
        if self.mapped.is_on_postgresql:
            if of.type is Type.INSTANT and info.base == "timestamp":
                return func.timezone("UTC", plain)
            if of.type is Type.JSON and info.base.endswith("[]"):
                listed = func.jsonb_array_elements_text(plain).column_valued("seedjournal_one")
                return case((plain.is_(None), null()), else_=func.array(select(listed).scalar_subquery()))
            return plain
        if of.type is Type.INSTANT and any(word in info.type.upper() for word in ("DATETIME", "TIMESTAMP")):
            return func.replace(func.replace(plain, "T", " "), "Z", "")
        if of.type is Type.UUID and "32" in info.type:
            return func.replace(plain, "-", "")
        return plain

    def _field_of(self, path: Path, name: str, of: str) -> ColumnElement[Any]:
        """Take a field from the row of the referenced entity."""
        parent = self.fitted.maps[path.to]
        (holds,) = [one for one in parent.columns if plain_name(one.value) == of][:1]
        rows = parent.table.alias("seedjournal_parent")
        found = select(rows.c[holds.name]).where(rows.c[parent.identity[0]] == self.raw.c[f"r_{name}"])
        return found.scalar_subquery()

    def _looked_up(self, value: LookupValue, info: catalogue.Column) -> ColumnElement[Any]:
        taken = value.column or self.fitted.found_by[value.schema, value.table]
        columns: list[ColumnClause[Any]] = [named(name) for name, _ in value.where]
        rows = table(value.table, named(taken), *columns, schema=value.schema).alias("seedjournal_found")
        conditions = (cast(rows.c[name], Text) == cast(self._sought(one, info), Text) for name, one in value.where)
        return select(rows.c[taken]).where(*conditions).scalar_subquery()

    def _sought(self, value: Value, info: catalogue.Column) -> ColumnElement[Any]:
        return literal_of(value.value) if isinstance(value, ConstValue) else self.of(value, info)

    def _now(self, info: catalogue.Column) -> ColumnElement[Any]:
        if self.mapped.is_on_postgresql:
            moment: ColumnElement[Any] = func.now()
            return func.timezone("UTC", moment) if info.base == "timestamp" else moment
        return func.strftime("%Y-%m-%d %H:%M:%f", "now")

    def _constant(self, given: Any, info: catalogue.Column) -> ColumnElement[Any]:
        if isinstance(given, Call):
            if id(given) not in self._called:
                self._called[id(given)] = given.function(*given.arguments)
            given = self._called[id(given)]
        if given is None:
            return null()
        if isinstance(given, list) and info.base.endswith("[]"):
            return bindparam(None, given, type_=Spelled(info.type))
        return self._cast(literal_of(given), info)

    def _assigned(self, info: catalogue.Column, value: Value, computed: ColumnElement[Any]) -> ColumnElement[Any]:
        return computed if isinstance(value, ConstValue) else self._cast(computed, info)

    def _cast(self, computed: ColumnElement[Any], info: catalogue.Column) -> ColumnElement[Any]:
        """Cast to the column's type; to text for bounded texts, which a cast would cut off, and assigning does not."""
        if not self.mapped.is_on_postgresql:
            return computed
        return cast(computed, Text() if info.is_text else Spelled(info.type))


def literal_of(given: Any) -> ColumnElement[Any]:  # noqa: PLR0911 - one for each type
    """Return a constant in the form that databases take."""
    match given:
        case bool():
            return bindparam(None, given, type_=Boolean())
        case int():
            return bindparam(None, given, type_=BigInteger())
        case float():
            return bindparam(None, given, type_=Double())
        case Decimal():
            return bindparam(None, str(given), type_=Text()) if given.is_nan() else cast(str(given), Numeric())
        case dict() | list() | tuple():
            return bindparam(None, json.dumps(given, ensure_ascii=False), type_=Text())
        case datetime() | date():
            return bindparam(None, given.isoformat(), type_=Text())
        case UUID():
            return bindparam(None, str(given), type_=Text())
        case _:
            return bindparam(None, given, type_=Text())


# -- judging -------------------------------------------------------------------------------------------------------


class DoesNotFit(Misuse):
    """A map does not fit the database: `problems` has everything that cannot work."""

    def __init__(self, address: str, problems: Sequence[str]) -> None:
        told = "".join(f"\n  - {one}" for one in problems)
        super().__init__(
            f"The map does not fit {address}; nothing was written:{told}",
            "Correct the map. `seedjournal check` says whether it fits.",
        )
        self.problems = problems


def fit(connection: Connection, tables: Tables, address: str) -> Mapped:
    """Fit a map to the database; raise DoesNotFit with everything that cannot work."""
    fitted, problems = judge(connection, tables)
    if problems:
        raise DoesNotFit(address, problems)
    return fitted


def judge(connection: Connection, tables: Tables) -> tuple[Mapped, list[str]]:
    """Fit a map to the database as far as it does; return that, and everything that cannot work."""
    found = _Judge(tables, Catalogue(connection), is_on_postgresql=connection.dialect.name == "postgresql")
    fitted = found.fit()
    return fitted, list(dict.fromkeys(found.problems))


_INTEGERS = {"int2", "int4", "int8"}
_FITTING: dict[Type, set[str]] = {
    Type.TEXT: {"enum", "citext"},
    Type.INTEGER: {*_INTEGERS, "numeric", "float4", "float8"},
    Type.BOOLEAN: {"bool"},
    Type.DECIMAL: {"numeric", "float4", "float8", "money"},
    Type.INSTANT: {"timestamptz", "timestamp"},
    Type.DATE: {"date"},
    Type.TIME: {"time", "timetz"},
    Type.UUID: {"uuid"},
    Type.FLOAT: {"float4", "float8", "numeric"},
    Type.JSON: {"jsonb", "json", "text[]", "varchar[]"},
}
_UUID_TEXTS = ("CHAR(32)", "CHAR(36)")


@dataclass(slots=True)
class _Judge:
    """Compares a map with a catalogue, and collects everything that does not fit."""

    tables: Tables
    database: Catalogue
    is_on_postgresql: bool
    problems: list[str] = field(default_factory=list)
    maps: dict[str, MappedKind] = field(default_factory=dict)
    found_by: dict[tuple[str | None, str], str] = field(default_factory=dict)

    def fit(self) -> Mapped:
        self.problems += self.tables.problems
        vocabulary = self.tables.vocabulary
        declared = self._with_parts()
        self.database.read((one.schema, one.table) for one in declared.values())
        for kind in vocabulary.kinds:
            if kind.name in declared:
                self._table(declared[kind.name], declared)
            elif kind.name not in self.tables.left_out:
                self.problems.append(f"{kind.name} has no table; give it one, or name it in leave_out(…)")
        fitted = Mapped(self.tables, self.maps, self.found_by)
        for mapped in self.maps.values():
            self._references(mapped)
            for one in mapped.columns:
                for lookup in _lookups_in(one.value):
                    self._lookup(f"{mapped.shown}.{one.name}", lookup)
            self._circles(fitted, mapped)
        if not self.problems:
            self._give_defaults_of_parts()
        return fitted

    def _with_parts(self) -> dict[str, Declared]:
        """Put parts without a table of their own into their owner's, with what the owner says of the parts' fields."""
        declared = dict(self.tables.declared)
        for kind in self.tables.vocabulary.kinds:
            owner = declared.get(kind.part_of or "")
            if owner and kind.name not in declared and kind.name not in self.tables.left_out:
                its = {one.name for one in kind.fields}
                said = {name: given for name, given in owner.columns.items() if names_in(given)}
                columns = {name: given for name, given in said.items() if names_in(given) <= its}
                declared[owner.kind.name] = replace(
                    owner,
                    columns={name: given for name, given in owner.columns.items() if name not in columns},
                    leave_out=owner.leave_out - its,
                )
                declared[kind.name] = Declared(
                    kind=kind,
                    table=owner.table,
                    schema=owner.schema,
                    columns=columns,
                    leave_out=owner.leave_out & its,
                    key=None,
                    ids=None,
                    by=(),
                    gone=None,
                    by_trigger=frozenset(),
                )
        return declared

    def _table(self, declared: Declared, all_declared: Mapping[str, Declared]) -> None:
        info = self.database.table(declared.schema, declared.table)
        kind = declared.kind
        if info is None:
            near = nearest(declared.table, self.database.names(declared.schema))
            self.problems.append(f"{kind.name}: there is no table {declared.shown}{near}")
            return
        if info.sort != "table":
            self.problems.append(f"{kind.name}: {declared.shown} is a {info.sort}, but rows can go only to tables")
            return
        if info.hides_rows:
            self.problems.append(
                f"{declared.shown} has row-level security for this user; project as a role with BYPASSRLS"
            )
        if not info.primary_key:
            self.problems.append(f"{declared.shown} has no primary key, by which seedjournal could find a row")
            return
        paths = {
            name: path
            for name, path in paths_of(kind, self.tables.vocabulary).items()
            if path.to in all_declared or (path.reference and path.reference.also)
        }
        self._names(declared, info, paths)
        columns = list(self._columns(declared, info, paths))
        scheme = self._scheme(declared, info, {one.name: one for one in columns})
        if scheme in {DERIVED, DATABASE}:
            columns = [one for one in columns if one.name not in info.primary_key]
        used: set[str] = set().union(*(names_in(one.value) for one in columns if one.value is not None))
        fields = {one.name for one in kind.fields}
        self.maps[kind.name] = mapped = MappedKind(
            kind=kind,
            declared=declared,
            info=info,
            scheme=scheme,
            columns=tuple(columns),
            key=self._key(declared, info, columns, paths),
            paths=self._all_paths(paths, used),
            inputs=tuple(sorted((used | set(declared.by)) & fields)),
            refs=tuple(sorted(name for name in used if name not in fields and path_named(paths, name))),
            is_on_postgresql=self.is_on_postgresql,
        )
        self._covered(mapped, used, paths, all_declared)
        self._required(mapped)
        for one in columns:
            self._type(mapped, one)

    def _all_paths(self, paths: Mapping[str, Path], used: Iterable[str]) -> dict[str, Path]:
        """Add the names of kinds by which the map calls entities."""
        named_so = {name: path for name in used if (path := path_named(paths, name))}
        return {**paths, **named_so}

    def _names(  # noqa: C901 - one loop for each place that names something
        self, declared: Declared, info: TableInfo, paths: Mapping[str, Path]
    ) -> None:
        """Find names in the map that no column, field or reference has."""
        kind, fields = declared.kind, {one.name for one in declared.kind.fields}
        for name in declared.columns:
            if name not in info.columns:
                self.problems.append(f"{declared.shown} has no column {name!r}{nearest(name, info.columns)}")
        gone = [declared.gone.column] if declared.gone else []
        for name in (*(declared.key or ()), *sorted(declared.by_trigger), *gone):
            if name not in info.columns:
                self.problems.append(f"{declared.shown} has no column {name!r}{nearest(name, info.columns)}")
        known = fields | paths.keys()
        references = {one.name for one in kind.references}
        for column, value in declared.columns.items():
            for name in names_in(value):
                if name not in fields and path_named(paths, name) is None:
                    what = "field or reference with a table" if name not in references else "reference with a table"
                    self.problems.append(
                        f"{declared.shown}.{column}: {kind.name} has no {what} {name!r}{nearest(name, known)}"
                    )
        for name in declared.leave_out:
            if name not in fields | references:
                self.problems.append(
                    f"{kind.name} has no field {name!r} to leave out{nearest(name, fields | references)}"
                )
        for name in declared.by:
            if name not in fields:
                self.problems.append(f"{kind.name}: by={name!r} is not a field{nearest(name, fields)}")

    def _columns(self, declared: Declared, info: TableInfo, paths: Mapping[str, Path]) -> Iterator[Filled]:
        """Yield the columns that the map fills: those that it names, and those that a field or reference names."""
        fields = {one.name for one in declared.kind.fields} - declared.leave_out
        for column in info.columns.values():
            given = declared.columns.get(column.name)
            ancestor = column.name.removesuffix("_id") if column.name.endswith("_id") else ""
            if given is not None:
                if column.generated:
                    self.problems.append(
                        f"{declared.shown}.{column.name} is generated by the database; take it out of the map"
                    )
                elif all(name in fields | declared.leave_out or path_named(paths, name) for name in names_in(given)):
                    yield self._filled(column, self._as_reference(given, fields, paths))
            elif column.generated or column.name in {*declared.theirs, declared.gone.column if declared.gone else None}:
                continue
            elif column.name in fields:
                yield Filled(column, OURS, FieldValue(column.name))
            elif declared.kind.part_of is not None:
                continue
            elif self._is_told(declared, ancestor, paths) and not self._is_own_id(declared, info, column):
                yield Filled(column, OURS, RefValue(ancestor))

    def _is_told(self, declared: Declared, name: str, paths: Mapping[str, Path]) -> bool:
        """Say whether a column of this name takes the id of one entity."""
        path = paths.get(name)
        return path is not None and name not in declared.leave_out and not (path.reference and path.reference.also)

    def _is_own_id(self, declared: Declared, info: TableInfo, column: catalogue.Column) -> bool:
        return info.primary_key == (column.name,) and declared.ids in {DERIVED, DATABASE}

    def _as_reference(self, value: Owned, fields: Iterable[str], paths: Mapping[str, Path]) -> Owned:
        """Take a plain name as a reference if no field has it."""
        if isinstance(value, FieldValue) and value.name not in set(fields) and path_named(paths, value.name):
            return RefValue(value.name)
        return value

    def _filled(self, column: catalogue.Column, given: Owned) -> Filled:
        if isinstance(given, Touch):
            return Filled(column, TOUCH, None)
        if isinstance(given, Initial):
            return Filled(column, GIVEN, given.of)
        return Filled(column, OURS, given)

    def _scheme(  # noqa: PLR0911 - one for each scheme, and for what is wrong
        self, declared: Declared, info: TableInfo, filled: Mapping[str, Filled]
    ) -> str:
        """Choose how rows get their ids: what the map says, else what the primary key is."""
        primary = info.primary_key
        if declared.kind.part_of is not None:
            return KEY
        if declared.ids in {DERIVED, DATABASE}:
            if len(primary) > 1:
                self.problems.append(f"{declared.shown}: ids={declared.ids!r} needs a primary key of one column")
            return declared.ids
        if all(name in filled for name in primary):
            return PARENT if len(primary) == 1 and isinstance(filled[primary[0]].value, RefValue) else KEY
        if len(primary) > 1:
            lacking = ", ".join(name for name in primary if name not in filled)
            self.problems.append(f"{declared.shown}: nothing fills {lacking} of its primary key; name it in columns")
            return KEY
        column = info.columns[primary[0]]
        is_uuid = column.base == "uuid" or (
            not self.is_on_postgresql and any(word in column.type.upper() for word in _UUID_TEXTS)
        )
        if column.identity == catalogue.ALWAYS or column.base in {"int2", "int4"}:
            return DATABASE
        if is_uuid or column.is_integer:
            return DERIVED
        self.problems.append(
            f"{declared.shown}: its id {column.name} is {column.type}, for which no id can be made; give it a value in "
            f'columns, such as "{column.name}": "{declared.kind.key[-1]}"'
        )
        return KEY

    def _key(  # noqa: C901 - columns by field, then by entity
        self, declared: Declared, info: TableInfo, columns: Iterable[Filled], paths: Mapping[str, Path]
    ) -> tuple[str, ...]:
        """Find the columns that hold the kind's key as it is; none where one of them is missing or changed."""
        if declared.key is not None:
            filled = {one.name for one in columns}
            for name in declared.key:
                if name in info.columns and name not in filled:
                    self.problems.append(f"{declared.shown}: nothing fills the key column {name}; name it in columns")
            return tuple(name for name in declared.key if name in filled)
        plain: dict[str, str] = {}
        covers: dict[str, set[str]] = {}
        for one in columns:
            if one.owner == OURS and isinstance(one.value, FieldValue):
                plain.setdefault(one.value.name, one.name)
            if one.owner == OURS and isinstance(one.value, RefValue) and one.value.of is None:
                path = path_named(paths, one.value.name)
                if path and path.reference is None:
                    covers[one.name] = set(path.shared.values())
        found, left = [], list(declared.kind.key)
        for part in list(left):
            if part in plain:
                found.append(plain[part])
                left.remove(part)
        for name, parts in sorted(covers.items(), key=lambda one: -len(one[1])):
            if parts & set(left):
                found.append(name)
                left = [part for part in left if part not in parts]
        root = next((one for one in paths.values() if one.to == self.tables.root and one.reference is None), None)
        if root and left == list(root.shared.values()):
            left = []  # tables of one tenant do not say which
        return () if left else tuple(found)

    def _covered(
        self, mapped: MappedKind, used: set[str], paths: Mapping[str, Path], all_declared: Mapping[str, Declared]
    ) -> None:
        """Look for fields and references that no column holds."""
        declared, kind = mapped.declared, mapped.kind
        free = set(mapped.info.columns) - {one.name for one in mapped.columns}
        for one in kind.fields:
            if one.name not in used | declared.leave_out and not self._is_by_path(kind, one.name):
                self.problems.append(
                    f"{kind.name}.{one.name} has no column in {declared.shown}{nearest(one.name, free)}; name its "
                    "column, or put it into leave_out"
                )
        root = self.tables.root
        paths_used = {path.to for name in used if (path := path_named(paths, name))}
        for reference in kind.references:
            if reference.name in used | declared.leave_out or mapped.is_part:
                continue
            if reference.also:
                self.problems.append(
                    f"{kind.name}.{reference.name} refers to several kinds; name its columns: "
                    f'"{reference.name}": generic("…", "…"), or put it into leave_out'
                )
                continue
            if reference.to == root or reference.to not in all_declared or reference.to in paths_used:
                continue
            self.problems.append(
                f"{kind.name}.{reference.name} has no column in {declared.shown}"
                f"{nearest(f'{reference.name}_id', free)}; name its column: ref({reference.name!r}), or put "
                "it into leave_out"
            )

    def _is_by_path(self, kind: Kind, name: str) -> bool:
        return any(name in one.shared.values() for one in kind.references) and name in kind.key

    def _required(self, mapped: MappedKind) -> None:
        """Find columns that must not be null and that nothing fills."""
        if mapped.is_part:
            return
        filled = {*mapped.written, *mapped.declared.by_trigger}
        parts = self._columns_of_parts(mapped.kind.name)
        for column in mapped.info.columns.values():
            if column.name not in filled | parts and not column.fills_itself:
                self.problems.append(
                    f"{mapped.shown}.{column.name} ({column.type}) is NOT NULL without a default; nothing fills it; "
                    f'add "{column.name}": initial(…), or name it in filled_by_trigger'
                )

    def _columns_of_parts(self, owner: str) -> set[str]:
        """Name the columns that parts of the kind may fill: by name, or as declared."""
        found: set[str] = set()
        for kind in self.tables.vocabulary.kinds:
            if kind.part_of == owner and kind.name not in self.tables.left_out:
                declared = self.tables.declared.get(kind.name)
                found |= {one.name for one in kind.fields} | set(declared.columns if declared else ())
        return found

    def _type(self, mapped: MappedKind, one: Filled) -> None:
        """Check that a column takes what the map gives it."""
        where = f"{mapped.shown}.{one.name}"
        if one.owner == OURS and not one.info.has_equality:
            self.problems.append(
                f"{where} is {one.info.type}, which cannot be compared; give it once: initial(field(…))"
            )
        value: Value | None = one.value
        is_nullable = True
        while isinstance(value, NullAs | Unique | ValuesOf):
            is_nullable = is_nullable and not isinstance(value, NullAs)
            value = value.of
        if isinstance(value, FieldValue) and (of := mapped.field(value.name)):
            if of.nullable and is_nullable and not one.info.nullable:
                self.problems.append(
                    f'{where} is NOT NULL, and {mapped.kind.name}.{of.name} may be null; write "{one.name}": '
                    f"null_as({of.name!r}, …)"
                )
            self._fits(mapped, where, of, one)
        path = mapped.paths.get(value.name) if isinstance(value, RefValue) and value.of is None else None
        if path and path.nullable and is_nullable and not one.info.nullable:
            self.problems.append(
                f"{where} is NOT NULL, and {mapped.kind.name}.{path.name} may be null; write "
                f'"{one.name}": null_as(ref({path.name!r}), …)'
            )

    def _fits(self, mapped: MappedKind, where: str, of: Field, one: Filled) -> None:
        if not self.is_on_postgresql:
            return
        if isinstance(one.value, ValuesOf) and one.info.is_text:
            return
        fits = (one.info.is_text and of.type in {Type.TEXT, Type.UUID}) or one.info.base in _FITTING[of.type]
        if not fits and not (of.type is Type.JSON and one.info.is_text):
            spelled = "text" if one.info.is_text else one.info.type
            self.problems.append(
                f"{where} is {one.info.type}, and {mapped.kind.name}.{of.name} is {of.type}; write "
                f'"{one.name}": sql("cast(:{of.name} as {spelled})")'
            )
        if one.info.labels and of.choices and not isinstance(one.value, ValuesOf):
            for choice in of.choices:
                if choice not in one.info.labels:
                    self.problems.append(
                        f"{where} does not take {choice!r} of {mapped.kind.name}.{of.name}"
                        f"{nearest(str(choice), one.info.labels)}; write values({of.name!r}, {choice}=…)"
                    )

    def _references(self, mapped: MappedKind) -> None:
        """Check that referenced tables have a primary key of one column, and that referenced fields have a column."""
        for one in mapped.columns:
            for reference in _refs_in(one.value):
                path = mapped.paths.get(reference.name)
                parent = self.maps.get(path.to) if path else None
                if parent is None or (path and path.reference and path.reference.also):
                    continue
                where = f"{mapped.shown}.{one.name}"
                if len(parent.identity) > 1 and reference.of is None:
                    self.problems.append(
                        f"{where}: the primary key of {parent.shown} has several columns; take each by "
                        f"ref({reference.name!r}).field(…)"
                    )
                if reference.of is not None and not any(
                    plain_name(two.value) == reference.of for two in parent.columns
                ):
                    fields = [name for two in parent.columns if (name := plain_name(two.value))]
                    self.problems.append(
                        f"{where}: no column of {parent.shown} holds {parent.kind.name}.{reference.of} as it is"
                        f"{nearest(reference.of, fields)}"
                    )

    def _circles(self, fitted: Mapped, mapped: MappedKind) -> None:
        """Find columns that must hold an id before the row with this id exists."""
        late = fitted.late_columns(mapped)
        for one in mapped.columns:
            for reference in _refs_in(one.value):
                if one.name in late or reference.name not in mapped.refs or not fitted.is_late(mapped, reference.name):
                    continue
                keys = [key for key in mapped.info.foreign_keys if one.name in key.columns]
                gives_ids = any(
                    self.maps[kind].scheme == DATABASE
                    for kind in mapped.kinds_led_to(reference.name)
                    if kind in self.maps
                )
                if gives_ids or not self.is_on_postgresql or any(not key.deferrable for key in keys):
                    self.problems.append(
                        f"{mapped.shown}.{one.name} is NOT NULL and refers to rows that are written later; allow "
                        "null, or make its foreign key DEFERRABLE"
                    )

    def _lookup(self, where: str, lookup: LookupValue) -> None:
        """Check that the table of a `lookup` exists, and find its primary key."""
        info = self.database.table(lookup.schema, lookup.table)
        if info is None:
            near = nearest(lookup.table, self.database.names(lookup.schema))
            self.problems.append(f"{where}: there is no table {lookup.table} to look up rows in{near}")
            return
        for name in (*(column for column, _ in lookup.where), *([lookup.column] if lookup.column else [])):
            if name not in info.columns:
                self.problems.append(f"{where}: {lookup.table} has no column {name!r}{nearest(name, info.columns)}")
        if len(info.primary_key) == 1:
            self.found_by[lookup.schema, lookup.table] = info.primary_key[0]
        elif lookup.column is None:
            self.problems.append(f"{where}: {lookup.table} has no primary key of one column; say which: column=…")

    def _give_defaults_of_parts(self) -> None:
        """Give the columns of parts the defaults that they hold while the part is absent."""
        for part in [one for one in self.maps.values() if one.is_part]:
            owner = self.maps.get(part.kind.part_of or "")
            if owner is None:
                continue
            filled = {one.name for one in owner.columns}
            given = [
                Filled(one.info, GIVEN, ConstValue(_default_of(one.value, part)))
                for one in part.columns
                if one.name not in filled and isinstance(one.value, FieldValue | NullAs | ValuesOf)
            ]
            self.maps[owner.kind.name] = _with_columns(owner, (*owner.columns, *given))


def _default_of(value: Owned | None, part: MappedKind) -> Any:
    """Return what a column of a part holds while the part is absent."""
    match value:
        case FieldValue(name):
            of = part.field(name)
            return of.default if of else None
        case NullAs(of, null):
            default = _default_of(of, part)
            return null if default is None else default
        case ValuesOf(of, instead):
            default = _default_of(of, part)
            return dict(instead).get(default, default)
        case _:
            return None


def _with_columns(mapped: MappedKind, columns: tuple[Filled, ...]) -> MappedKind:
    return MappedKind(
        kind=mapped.kind,
        declared=mapped.declared,
        info=mapped.info,
        scheme=mapped.scheme,
        columns=columns,
        key=mapped.key,
        paths=mapped.paths,
        inputs=mapped.inputs,
        refs=mapped.refs,
        is_on_postgresql=mapped.is_on_postgresql,
    )

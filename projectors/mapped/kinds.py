"""Kinds and the tables of others that hold them: a map that fits a database, as `fitting` makes it.

It says who owns a column and what fills it, how rows get their ids, and which temporary tables a kind needs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import Column, MetaData, String, Table, Text
from sqlalchemy.types import NullType, TypeEngine, UserDefinedType

from seedjournal.journal import Field, Kind, Vocabulary

from ..layout import column_type
from ..mapping import (
    DATABASE,
    DERIVED,
    NOT_GIVEN,
    Declared,
    FieldValue,
    Initial,
    LookupValue,
    NullAs,
    Owned,
    Path,
    RefValue,
    Tables,
    Unique,
    Value,
    ValuesOf,
    names_in,
)
from . import catalogue
from .catalogue import TableInfo

# Who owns a column: we compare and restore it, or we give it to new rows only, or we write it with every change.
OURS, GIVEN, TOUCH = "ours", "given", "touch"
STAGED_KEY = "seedjournal_key"  # the column of a staging table that has the entity's key


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

    @property
    def when_lost(self) -> Any:
        """What the column holds where another row has the unique value; NOT_GIVEN if the map does not say."""
        return self.unique.loser if self.unique else NOT_GIVEN


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
class FittedMap:
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

    def gives_database_ids(self, kind: str) -> bool:
        """Say whether the database gives the ids of a kind's rows."""
        return kind in self.maps and self.maps[kind].scheme == DATABASE

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
        return Table(name, MetaData(), Column(STAGED_KEY, Text), *columns, prefixes=["TEMPORARY"])

    def parents_by_field(self, mapped: MappedKind) -> set[str]:
        """Name the kinds of which the kind's own columns take a field: what changes there changes here."""
        found = (one.value for one in mapped.columns if one.owner == OURS)
        return {mapped.paths[one.name].to for value in found for one in refs_in(value) if one.of is not None}


def refs_in(value: Owned | None) -> Iterator[RefValue]:
    """Yield the references from which a value is made."""
    match value:
        case RefValue():
            yield value
        case NullAs(of, _) | ValuesOf(of, _) | Unique(of, _, _) | Initial(of):
            yield from refs_in(of)
        case LookupValue(_, where, _, _):
            for _, one in where:
                yield from refs_in(one)


def plain_name(value: Value | None) -> str | None:
    """Return the field that a column holds as it is, if it does."""
    return value.name if isinstance(value, FieldValue) else None

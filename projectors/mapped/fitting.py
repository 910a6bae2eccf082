"""Fitting a map to a database: which column holds what, how rows get their ids, and by which columns rows are found.

One error names everything that cannot work, before any row is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection

from seedjournal.journal import Database, Misuse

from ..mapping import (
    DATABASE,
    DERIVED,
    KEY,
    PARENT,
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
    Tables,
    Touch,
    Unique,
    ValuesOf,
    names_in,
    nearest,
    path_named,
    paths_of,
)
from .catalogue import ALWAYS, Catalogue, Column, TableInfo
from .judging import in_circles, not_filled, not_held, wrong_lookup, wrong_names, wrong_references, wrong_type
from .kinds import GIVEN, OURS, TOUCH, Filled, FittedMap, MappedKind


class DoesNotFit(Misuse):
    """A map does not fit the database: `problems` has everything that cannot work."""

    def __init__(self, address: str, problems: Sequence[str]) -> None:
        told = "".join(f"\n  - {one}" for one in problems)
        super().__init__(
            f"The map does not fit {address}; nothing was written:{told}",
            "Correct the map. `seedjournal check` says whether it fits.",
        )
        self.problems = problems


def fit(connection: Connection, tables: Tables, address: str) -> FittedMap:
    """Fit a map to the database; raise DoesNotFit with everything that cannot work."""
    fitted, problems = fit_partly(connection, tables)
    if problems:
        raise DoesNotFit(address, problems)
    return fitted


def fit_partly(connection: Connection, tables: Tables) -> tuple[FittedMap, list[str]]:
    """Fit a map to the database as far as it does; return that, and everything that cannot work."""
    fitting = _Fitting(tables, Catalogue(connection), is_on_postgresql=connection.dialect.name == "postgresql")
    fitted = fitting.fit()
    return fitted, list(dict.fromkeys(fitting.problems))


def check_fit(database: Database, tables: Tables) -> dict[str, str]:
    """Return the tables by kind, where the map fits; raise DoesNotFit with everything that cannot work."""
    with database.read() as connection:
        fitted = fit(connection, tables, database.shown)
        return {kind: one.shown for kind, one in fitted.maps.items()}


_UUID_TEXTS = ("CHAR(32)", "CHAR(36)")


@dataclass(slots=True)
class _Fitting:
    """Fits a map kind by kind, and collects everything that cannot work."""

    tables: Tables
    database: Catalogue
    is_on_postgresql: bool
    problems: list[str] = field(default_factory=list)
    maps: dict[str, MappedKind] = field(default_factory=dict)
    found_by: dict[tuple[str | None, str], str] = field(default_factory=dict)

    def fit(self) -> FittedMap:
        self.problems += self.tables.problems
        vocabulary = self.tables.vocabulary
        declared = self._with_parts()
        self.database.read((one.schema, one.table) for one in declared.values())
        for kind in vocabulary.kinds:
            if kind.name in declared:
                self._table(declared[kind.name], declared)
            elif kind.name not in self.tables.left_out:
                self.problems.append(f"{kind.name} has no table; give it one, or name it in leave_out(…)")
        fitted = FittedMap(self.tables, self.maps, self.found_by)
        for mapped in self.maps.values():
            self.problems += wrong_references(mapped, self.maps)
            for one in mapped.columns:
                for lookup in _lookups_in(one.value):
                    self._find_by(f"{mapped.shown}.{one.name}", lookup)
            self.problems += in_circles(fitted, mapped)
        if not self.problems:
            self._give_defaults_of_parts()
        return fitted

    def _with_parts(self) -> dict[str, Declared]:
        """Put parts without a table of their own into their owner's, with what the owner says of the parts' fields."""
        declared = dict(self.tables.declared)
        for kind in self.tables.vocabulary.kinds:
            owner = declared.get(kind.part_of or "")
            if owner and kind.name not in declared and kind.name not in self.tables.left_out:
                led = paths_of(kind, self.tables.vocabulary).items()
                its = {one.name for one in kind.fields} | {name for name, path in led if path.reference}
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
        self.problems += wrong_names(declared, info, paths)
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
            paths=_all_paths(paths, used),
            inputs=tuple(sorted((used | set(declared.by)) & fields)),
            refs=tuple(sorted(name for name in used if name not in fields and path_named(paths, name))),
            is_on_postgresql=self.is_on_postgresql,
        )
        self.problems += not_held(mapped, used, paths, all_declared, self.tables.root)
        self.problems += not_filled(mapped, self.tables)
        for one in columns:
            self.problems += wrong_type(mapped, one)

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
                    yield _filled(column, _as_reference(given, fields, paths))
            elif column.generated or column.name in {*declared.theirs, declared.gone.column if declared.gone else None}:
                continue
            elif column.name in fields:
                yield Filled(column, OURS, FieldValue(column.name))
            elif declared.kind.part_of is not None and not (ancestor in paths and paths[ancestor].reference):
                continue  # which its owner fills
            elif _is_told(declared, ancestor, paths) and not _is_own_id(declared, info, column):
                yield Filled(column, OURS, RefValue(ancestor))

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
        if column.identity == ALWAYS or column.base in {"int2", "int4"}:
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

    def _find_by(self, where: str, lookup: LookupValue) -> None:
        """Find the primary key of the table of a `lookup`."""
        self.problems += wrong_lookup(where, lookup, self.database)
        info = self.database.table(lookup.schema, lookup.table)
        if info is not None and len(info.primary_key) == 1:
            self.found_by[lookup.schema, lookup.table] = info.primary_key[0]

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
            self.maps[owner.kind.name] = replace(owner, columns=(*owner.columns, *given))


def _all_paths(paths: Mapping[str, Path], used: Iterable[str]) -> dict[str, Path]:
    """Add the names of kinds by which the map calls entities."""
    named_so = {name: path for name in used if (path := path_named(paths, name))}
    return {**paths, **named_so}


def _is_told(declared: Declared, name: str, paths: Mapping[str, Path]) -> bool:
    """Say whether a column of this name takes the id of one entity."""
    path = paths.get(name)
    return path is not None and name not in declared.leave_out and not (path.reference and path.reference.also)


def _is_own_id(declared: Declared, info: TableInfo, column: Column) -> bool:
    """Say whether a column holds ids that the map lets us derive, or the database give."""
    return info.primary_key == (column.name,) and declared.ids in {DERIVED, DATABASE}


def _as_reference(value: Owned, fields: Iterable[str], paths: Mapping[str, Path]) -> Owned:
    """Take a plain name as a reference if no field has it."""
    if isinstance(value, FieldValue) and value.name not in set(fields) and path_named(paths, value.name):
        return RefValue(value.name)
    return value


def _filled(column: Column, given: Owned) -> Filled:
    if isinstance(given, Touch):
        return Filled(column, TOUCH, None)
    if isinstance(given, Initial):
        return Filled(column, GIVEN, given.of)
    return Filled(column, OURS, given)


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


def _lookups_in(value: Owned | None) -> Iterator[LookupValue]:
    match value:
        case LookupValue():
            yield value
        case KindOf(_, words):
            yield from (word for _, word in words if isinstance(word, LookupValue))
        case NullAs(of, _) | ValuesOf(of, _) | Unique(of, _, _) | Initial(of):
            yield from _lookups_in(of)

"""Judging a map: what cannot work with the tables that are there. Each function yields problems, as sentences."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from seedjournal.journal import Field, Kind, Type

from ..mapping import (
    Declared,
    FieldValue,
    LookupValue,
    NullAs,
    Path,
    RefValue,
    Tables,
    Unique,
    Value,
    ValuesOf,
    names_in,
    nearest,
    path_named,
)
from .catalogue import Catalogue, TableInfo
from .kinds import OURS, Filled, FittedMap, MappedKind, plain_name, refs_in

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


def wrong_names(  # noqa: C901 - one loop for each place that names something
    declared: Declared, info: TableInfo, paths: Mapping[str, Path]
) -> Iterator[str]:
    """Yield names in the map that no column, field or reference has."""
    kind, fields = declared.kind, {one.name for one in declared.kind.fields}
    for name in declared.columns:
        if name not in info.columns:
            yield f"{declared.shown} has no column {name!r}{nearest(name, info.columns)}"
    gone = [declared.gone.column] if declared.gone else []
    for name in (*(declared.key or ()), *sorted(declared.by_trigger), *gone):
        if name not in info.columns:
            yield f"{declared.shown} has no column {name!r}{nearest(name, info.columns)}"
    known = fields | paths.keys()
    references = {one.name for one in kind.references}
    for column, value in declared.columns.items():
        for name in names_in(value):
            if name not in fields and path_named(paths, name) is None:
                what = "field or reference with a table" if name not in references else "reference with a table"
                yield (f"{declared.shown}.{column}: {kind.name} has no {what} {name!r}{nearest(name, known)}")
    for name in declared.leave_out:
        if name not in fields | references:
            yield (f"{kind.name} has no field {name!r} to leave out{nearest(name, fields | references)}")
    for name in declared.by:
        if name not in fields:
            yield f"{kind.name}: by={name!r} is not a field{nearest(name, fields)}"


def not_held(
    mapped: MappedKind, used: set[str], paths: Mapping[str, Path], with_table: Collection[str], root: str | None
) -> Iterator[str]:
    """Yield fields and references that no column holds."""
    declared, kind = mapped.declared, mapped.kind
    free = set(mapped.info.columns) - {one.name for one in mapped.columns}
    for one in kind.fields:
        if one.name not in used | declared.leave_out and not _is_by_path(kind, one.name):
            yield (
                f"{kind.name}.{one.name} has no column in {declared.shown}{nearest(one.name, free)}; name its "
                "column, or put it into leave_out"
            )
    paths_used = {path.to for name in used if (path := path_named(paths, name))}
    for reference in kind.references:
        if reference.name in used | declared.leave_out:
            continue
        path = paths.get(reference.name)
        if mapped.is_part and not (path and path.reference):  # it leads to its whole, or to what has no table
            continue
        if reference.also:
            yield (
                f"{kind.name}.{reference.name} refers to several kinds; name its columns: "
                f'"{reference.name}": generic("…", "…"), or put it into leave_out'
            )
            continue
        if reference.to == root or reference.to not in with_table or reference.to in paths_used:
            continue
        yield (
            f"{kind.name}.{reference.name} has no column in {declared.shown}"
            f"{nearest(f'{reference.name}_id', free)}; name its column: ref({reference.name!r}), or put "
            "it into leave_out"
        )


def _is_by_path(kind: Kind, name: str) -> bool:
    return any(name in one.shared.values() for one in kind.references) and name in kind.key


def not_filled(mapped: MappedKind, tables: Tables) -> Iterator[str]:
    """Yield columns that must not be null and that nothing fills."""
    if mapped.is_part:
        return
    filled = {*mapped.written, *mapped.declared.by_trigger}
    parts = _columns_of_parts(mapped.kind.name, tables)
    for column in mapped.info.columns.values():
        if column.name not in filled | parts and not column.fills_itself:
            yield (
                f"{mapped.shown}.{column.name} ({column.type}) is NOT NULL without a default; nothing fills it; "
                f'add "{column.name}": initial(…), or name it in filled_by_trigger'
            )


def _columns_of_parts(owner: str, tables: Tables) -> set[str]:
    """Name the columns that parts of the kind may fill: by name, or as declared."""
    found: set[str] = set()
    for kind in tables.vocabulary.kinds:
        if kind.part_of == owner and kind.name not in tables.left_out:
            declared = tables.declared.get(kind.name)
            found |= {one.name for one in kind.fields} | set(declared.columns if declared else ())
    return found


def wrong_type(mapped: MappedKind, one: Filled) -> Iterator[str]:
    """Yield why a column does not take what the map gives it."""
    where = f"{mapped.shown}.{one.name}"
    if one.owner == OURS and not one.info.has_equality:
        yield (f"{where} is {one.info.type}, which cannot be compared; give it once: initial(field(…))")
    value: Value | None = one.value
    is_nullable = True
    while isinstance(value, NullAs | Unique | ValuesOf):
        is_nullable = is_nullable and not isinstance(value, NullAs)
        value = value.of
    if isinstance(value, FieldValue) and (of := mapped.field(value.name)):
        if of.nullable and is_nullable and not one.info.nullable:
            yield (
                f'{where} is NOT NULL, and {mapped.kind.name}.{of.name} may be null; write "{one.name}": '
                f"null_as({of.name!r}, …)"
            )
        yield from _not_taken(mapped, where, of, one)
    path = mapped.paths.get(value.name) if isinstance(value, RefValue) and value.of is None else None
    if path and path.nullable and is_nullable and not one.info.nullable:
        yield (
            f"{where} is NOT NULL, and {mapped.kind.name}.{path.name} may be null; write "
            f'"{one.name}": null_as(ref({path.name!r}), …)'
        )


def _not_taken(mapped: MappedKind, where: str, of: Field, one: Filled) -> Iterator[str]:
    if not mapped.is_on_postgresql:
        return
    if isinstance(one.value, ValuesOf) and one.info.is_text:
        return
    fits = (one.info.is_text and of.type in {Type.TEXT, Type.UUID}) or one.info.base in _FITTING[of.type]
    if not fits and not (of.type is Type.JSON and one.info.is_text):
        spelled = "text" if one.info.is_text else one.info.type
        yield (
            f"{where} is {one.info.type}, and {mapped.kind.name}.{of.name} is {of.type}; write "
            f'"{one.name}": sql("cast(:{of.name} as {spelled})")'
        )
    if one.info.labels and of.choices and not isinstance(one.value, ValuesOf):
        for choice in of.choices:
            if choice not in one.info.labels:
                yield (
                    f"{where} does not take {choice!r} of {mapped.kind.name}.{of.name}"
                    f"{nearest(str(choice), one.info.labels)}; write values({of.name!r}, {choice}=…)"
                )


def wrong_references(mapped: MappedKind, maps: Mapping[str, MappedKind]) -> Iterator[str]:
    """Yield references to tables whose primary key has several columns, and to fields that no column holds."""
    for one in mapped.columns:
        for reference in refs_in(one.value):
            path = mapped.paths.get(reference.name)
            parent = maps.get(path.to) if path else None
            if parent is None or (path and path.reference and path.reference.also):
                continue
            where = f"{mapped.shown}.{one.name}"
            if len(parent.identity) > 1 and reference.of is None:
                yield (
                    f"{where}: the primary key of {parent.shown} has several columns; take each by "
                    f"ref({reference.name!r}).field(…)"
                )
            if reference.of is not None and not any(plain_name(two.value) == reference.of for two in parent.columns):
                fields = [name for two in parent.columns if (name := plain_name(two.value))]
                yield (
                    f"{where}: no column of {parent.shown} holds {parent.kind.name}.{reference.of} as it is"
                    f"{nearest(reference.of, fields)}"
                )


def in_circles(fitted: FittedMap, mapped: MappedKind) -> Iterator[str]:
    """Yield columns that must hold an id before the row with this id exists."""
    late = fitted.late_columns(mapped)
    for one in mapped.columns:
        for reference in refs_in(one.value):
            if one.name in late or reference.name not in mapped.refs or not fitted.is_late(mapped, reference.name):
                continue
            given = [kind for kind in mapped.kinds_led_to(reference.name) if fitted.gives_database_ids(kind)]
            waits = all(key.deferrable for key in mapped.info.foreign_keys if one.name in key.columns)
            if given:
                way = f"allow null, or let ids of {' and '.join(given)} be derived, which takes a bigint or a uuid"
            elif not mapped.is_on_postgresql:
                way = "allow null"
            elif not waits:
                way = "allow null, or make its foreign key DEFERRABLE"
            else:
                continue
            yield f"{mapped.shown}.{one.name} is NOT NULL and refers to rows that are written later; {way}"


def wrong_lookup(where: str, lookup: LookupValue, database: Catalogue) -> Iterator[str]:
    """Yield what the table of a `lookup` lacks."""
    info = database.table(lookup.schema, lookup.table)
    if info is None:
        near = nearest(lookup.table, database.names(lookup.schema))
        yield f"{where}: there is no table {lookup.table} to look up rows in{near}"
        return
    for name in (*(column for column, _ in lookup.where), *([lookup.column] if lookup.column else [])):
        if name not in info.columns:
            yield f"{where}: {lookup.table} has no column {name!r}{nearest(name, info.columns)}"
    if len(info.primary_key) != 1 and lookup.column is None:
        yield f"{where}: {lookup.table} has no primary key of one column; say which: column=…"

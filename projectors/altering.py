"""Altering: tables of our own follow when a domain's kinds change, as far as that loses nothing.

A new kind gets its table and a new field its column, which may be null where rows are that say nothing. What a kind no
longer has stays where it is. What cannot be altered safely is said, with the way out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, Connection, Index, Numeric, String, Table, inspect
from sqlalchemy.engine.reflection import ObjectKind

from seedjournal.journal import (
    Damaged,
    Field,
    Kind,
    Run,
    RunNumber,
    Vocabulary,
    WrongSchema,
    all_runs,
    forgotten_runs,
    kinds_of,
    numbered,
)

from . import notes
from .dialects import dialect_of
from .layout import Layout, build_layout, column_with_default, create_tables, kinds_led_to, table_name

if TYPE_CHECKING:
    from alembic.operations import Operations

Columns = dict[str, dict[str, Any]]


def follow_kinds(source: Connection, target: Connection, layout: Layout, run: Run, address: str) -> None:
    """Alter tables that earlier runs filled, so that they fit a run whose kinds were declared differently.

    Raises WrongSchema, with every reason, where that is not safe.
    """
    shown = _layouts_shown(source, target, run)
    if shown is None:
        return
    found = inspect(target).get_multi_columns(filter_names=[one.name for one in layout.tables], kind=ObjectKind.TABLE)
    columns: dict[str, Columns] = {name: {one["name"]: dict(one) for one in of} for (_, name), of in found.items()}
    known: dict[str, set[str]] = {}
    for one in (table for shown_layout in shown for table in shown_layout.tables):
        known.setdefault(one.name, set()).update(one.columns.keys())
    problems = [problem for one in layout.tables if one.name in columns for problem in _problems(target, one, columns)]
    if problems:
        raise WrongSchema(
            f"{address}: the kinds of run {run.run} differ from those that the tables were made for: "
            f"{'; '.join(problems)}; nothing was written.",
            "Alter the table by hand so that it fits. Or run `seedjournal unseed` for its projects, drop the tables "
            "and project again. Or project into another database.",
        )
    create_tables(target, [one for one in layout.tables if one.name not in columns and one.name not in known])
    from alembic.migration import MigrationContext  # what is slow to import, and seldom needed
    from alembic.operations import Operations

    operations = Operations(MigrationContext.configure(target))
    fields = {(one.table.name, field.name): field for one in layout.maps.values() for field in one.kind.fields}
    for table in layout.tables:
        if table.name in columns:
            of = {name: field for (of, name), field in fields.items() if of == table.name}
            _alter(target, operations, table, columns[table.name], known.get(table.name, set()), of)


def with_former_kinds(source: Connection, target: Connection, layout: Layout, project: str) -> Layout:
    """Return the layout with the kinds, too, that the project had before and of which the target may have rows.

    Those are the kinds of the run that it shows, and kinds of which notes remain. Parts are columns, which stay.
    """
    position = notes.position(target, project)
    shown = numbered(source, RunNumber(position.run)) if position else None
    noted = {kind for of, kind, _, _ in notes.groups(target) if of == project} - layout.maps.keys()
    runs = [shown] if shown and shown.project == project else []
    runs += reversed(all_runs(source, project)) if noted else []
    former: dict[str, Kind] = {}
    for run in runs:
        kinds = _recorded(source, run) if run is shown or noted - former.keys() else None
        for kind in kinds.kinds if kinds else ():
            if (run is shown or kind.name in noted) and kind.name not in layout.maps and not kind.part_of:
                former.setdefault(kind.name, kind)
    if not former:
        return layout
    there = set(inspect(target).get_table_names()) - {one.name for one in layout.tables}
    known = {*layout.maps, *(name for name, one in former.items() if table_name(one) in there)}
    more = [one for one in former.values() if known.issuperset((one.name, *_kinds_needed(one)))]
    return build_layout(Vocabulary((*layout.vocabulary.kinds, *more), layout.vocabulary.common))


def _kinds_needed(kind: Kind) -> Iterator[str]:
    return (to for reference in kind.references for to in kinds_led_to(reference))


def _recorded(source: Connection, run: Run) -> Vocabulary | None:
    try:
        return kinds_of(source, run)
    except Damaged:  # which verification tells
        return None


def _layouts_shown(source: Connection, target: Connection, run: Run) -> list[Layout] | None:
    """Return the layouts of the runs that the target shows, as far as these are not forgotten.

    Return None where all have this run's kinds, or where the journal is damaged.
    """
    recorded: dict[str, Vocabulary] = {}
    forgotten = forgotten_runs(source)
    is_forgotten = False
    for project in notes.shown_projects(target):
        position = notes.position(target, project)
        number = RunNumber(position.run) if position else RunNumber(0)
        is_forgotten = is_forgotten or (number in forgotten and forgotten[number].project == project)
        shown = numbered(source, number)
        if shown is None or shown.project != project:
            continue
        try:
            if kinds := kinds_of(source, shown):
                recorded[kinds.hash.hex()] = kinds
        except Damaged:
            return None
    if not is_forgotten and recorded.keys() <= {run.inputs.get("kinds")}:
        return None
    return [build_layout(kinds) for kinds in recorded.values()]


def _problems(target: Connection, table: Table, columns: dict[str, Columns]) -> list[str]:
    """Say which changes of a table are not safe."""
    problems: list[str] = []
    found = columns[table.name]
    is_postgresql = target.dialect.name == "postgresql"
    for name, column in found.items():
        ours = table.columns.get(name)
        needs_value = not column["nullable"] and column["default"] is None and name != "id"
        if is_postgresql or not needs_value:
            continue
        if ours is None:
            problems.append(f"{table.name}.{name} may not be null, but no field fills it any more")
        elif ours.nullable:
            problems.append(f"{table.name}.{name} may not be null, but its field may now be null")
    key = next(index for index in table.indexes if index.unique)
    had = next((one for one in inspect(target).get_indexes(table.name) if one["name"] == key.name), None)
    if had is not None and list(had["column_names"]) != list(key.columns.keys()):
        problems.append(f"the key of {table.name} has other columns")
    return problems


def _alter(
    target: Connection,
    operations: Operations,
    table: Table,
    found: Columns,
    known: set[str],
    fields: Mapping[str, Field],
) -> None:
    """Add columns for new fields, and remove bounds that no longer hold."""
    new = [one.name for one in table.columns if one.name not in found and one.name not in known]
    for column in table.columns:
        if column.name in new:
            _add(target, operations, table, column, fields.get(column.name))
        elif column.name in found and target.dialect.name == "postgresql":
            _widen(operations, table, column, found[column.name])
    for index in table.indexes:  # some have several of the new columns
        if not index.unique and not set(new).isdisjoint(index.columns.keys()):
            _add_index(operations, table, index)
    for name, one in found.items() if target.dialect.name == "postgresql" else ():
        is_asked = name in table.columns and not table.columns[name].nullable
        if not (one["nullable"] or one["default"] is not None or name == "id" or is_asked):
            operations.alter_column(table.name, name, nullable=True)


def _add(target: Connection, operations: Operations, table: Table, column: Column[Any], field: Field | None) -> None:
    """Add a column; rows that say nothing of it get the field's default, or null."""
    key = next((one for one in table.foreign_key_constraints if column.name in one.column_keys), None)
    if key is not None and target.dialect.name == "sqlite":
        dialect_of(target).add_reference(table, column, key)
    else:
        added = column_with_default(field) if field else Column(column.name, column.type)
        operations.add_column(table.name, added)
        if key is not None:
            dialect_of(target).add_reference(table, column, key)


def _add_index(operations: Operations, table: Table, index: Index) -> None:
    operations.create_index(str(index.name), table.name, list(index.columns.keys()), if_not_exists=True)


def _widen(operations: Operations, table: Table, column: Column[Any], found: dict[str, Any]) -> None:
    """Let a text be longer, and a decimal have more digits before and behind the point."""
    ours, theirs = column.type, found["type"]
    if isinstance(ours, String) and isinstance(theirs, String):
        is_wider = theirs.length is not None and (ours.length is None or ours.length > theirs.length)
    elif isinstance(ours, Numeric) and isinstance(theirs, Numeric):
        before, behind = (theirs.precision or 0) - (theirs.scale or 0), theirs.scale or 0
        is_wider = (ours.precision or 0) - (ours.scale or 0) >= before and (ours.scale or 0) >= behind
        is_wider = is_wider and (ours.precision, ours.scale) != (theirs.precision, theirs.scale)
    else:
        is_wider = False
    if is_wider:
        operations.alter_column(table.name, column.name, type_=ours)

"""What a database has and a map lacks, which migrations have added since the map was written."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import Connection

from seedjournal.journal import Field, Kind, Type

from ..mapped import fit_partly
from ..mapped.catalogue import Catalogue, Column
from ..mapped.kinds import FittedMap, MappedKind, plain_name
from ..mapping import FieldValue, RefValue, Tables, ValuesOf
from .guesses import Sort, length_of, names_used, sort_of
from .plan import decide_kinds
from .planned import Additions, Given, KindPlan, NewColumn, NewLabels, Start
from .tables import Planner
from .text import declared_field, list_theirs, listed_choices, quoted

_FEW_TABLES, _FEW_COLUMNS = 20, 10  # so many may be new where a map does not say what it leaves to the application
_ANNOTATIONS = {
    Type.TEXT: "str",
    Type.INTEGER: "int",
    Type.BOOLEAN: "bool",
    Type.FLOAT: "float",
    Type.DATE: "date",
    Type.INSTANT: "datetime",
    Type.TIME: "time",
    Type.UUID: "UUID",
    Type.JSON: "Json",
}
_LOCAL = {
    "place": "the row's number: for place, one in enumerate(…, 1)",
    "made": "the rows before: made.append(…) and yield made[-1] in the place of yield …",
}
_TEXTS = {Sort.TEXT, Sort.SPELLED, Sort.OTHER}
_HOLDING: dict[Type, set[Sort]] = {
    Type.TEXT: {*_TEXTS, Sort.UUID, Sort.JSON, Sort.LIST},
    Type.INTEGER: {Sort.INTEGER, Sort.DECIMAL, Sort.FLOAT},
    Type.DECIMAL: {Sort.DECIMAL, Sort.FLOAT},
    Type.FLOAT: {Sort.DECIMAL, Sort.FLOAT},
    Type.BOOLEAN: {Sort.BOOLEAN, Sort.INTEGER},
    Type.DATE: {Sort.DATE, *_TEXTS},
    Type.INSTANT: {Sort.INSTANT, *_TEXTS},
    Type.TIME: {Sort.TIME, *_TEXTS},
    Type.UUID: {Sort.UUID, *_TEXTS},
    Type.JSON: {Sort.JSON, Sort.LIST, *_TEXTS},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """The names that a user's module has: of domain, map and root, by kind of the class and of its simulator.

    `domain` is empty where the map is of the built-in domain, to which nobody adds kinds and fields.
    """

    domain: str
    map: str
    root: str
    classes: Mapping[str, str]
    simulators: Mapping[str, str]
    taken: Collection[str]


def find_additions(
    connection: Connection,
    tables: Tables,
    *,
    schema: str | None,
    chosen: Sequence[str],
    known: Sequence[str],
    rows: int,
    choices: Mapping[str, Mapping[str, Sequence[str | int]]],
    module: Module,
) -> Additions:
    """Compare a map with the database's tables, or with those that are chosen; raise Misuse for an unknown table.

    Of tables that the map leaves alone, only chosen ones are new. `known` are the tables that the application's models
    name, if it tells them.
    """
    fitted, problems = fit_partly(connection, tables)
    catalogue = Catalogue(connection)
    given = {(one.info.schema, one.info.name): _given(one, fitted, module) for one in _first_of_each_table(fitted)}

    def planned(left_alone: Collection[str]) -> tuple[Planner, dict[str, KindPlan]]:
        schemas = frozenset(one.schema for one in tables.declared.values() if one.schema)
        planner = Planner(catalogue, schema, tuple(chosen), rows, choices, given, schemas, left_alone, module.root)
        decide_kinds(planner, {*module.taken, *tables.vocabulary.by_name})
        new = {table: kind for table, kind in planner.kinds.items() if planner.given_of(table) is None}
        return planner, new

    planner, new = planned(tables.left_alone)
    passed = [table for table, kind in new.items() if known and not chosen and kind.info.name not in known]
    is_chosen_few = not chosen and not tables.left_alone and len(new) > max(_FEW_TABLES, len(given))
    if is_chosen_few or not module.domain:
        passed = list(new)
    if passed:
        planner, new = planned({*tables.left_alone, *passed})
    finder = _Finder(planner, fitted, tables, has_fields=bool(module.domain))
    columns = list(finder.columns(chosen))
    loose = [one for one in columns if one.left] if not finder.says_what_it_leaves and not chosen else []
    hidden = loose if len(loose) > _FEW_COLUMNS else []
    passed_columns: dict[str, list[str]] = {}
    for one in hidden:
        passed_columns.setdefault(one.table, []).append(one.column.name)
    return Additions(
        Start(module.domain, "", list(new.values()), planner.left_out, schema, map_name=module.map),
        [one for one in columns if one not in hidden],
        list(finder.labels(chosen)),
        list(finder.changed(problems, list(finder.columns(())))),
        passed,
        passed_columns,
    )


def _first_of_each_table(fitted: FittedMap) -> Iterator[MappedKind]:
    """Yield the kind whose entities are a table's rows, of each table."""
    seen = set()
    for one in fitted.maps.values():
        if not one.is_part and (one.info.schema, one.info.name) not in seen:
            seen.add((one.info.schema, one.info.name))
            yield one


def _given(mapped: MappedKind, fitted: FittedMap, module: Module) -> Given:
    """Say what a map has of a table: of the kind, and of all others with columns there."""
    kind = mapped.kind
    fields = {one.name: annotation_of(one) for one in kind.fields}
    references = {one.name: one for one in kind.references}
    for one in references.values():
        fields[one.name] = " | ".join(module.classes.get(to, to) for to in (one.to, *one.also))
        fields[one.name] += " | None" if one.nullable else ""
    held: dict[str, str] = {}
    covered: set[str] = set()
    for other in fitted.maps.values():
        if (other.info.schema, other.info.name) != (mapped.info.schema, mapped.info.name):
            continue
        said = other.declared
        covered |= {*other.written, *said.columns, *said.by_trigger, *said.theirs}
        covered |= {said.gone.column} if said.gone else set()
    for filled in mapped.columns:
        name = plain_name(filled.value)
        if isinstance(filled.value, RefValue) and filled.value.of is None and filled.value.name in references:
            name = filled.value.name
        if name is not None:
            held[filled.name] = name
    covered |= {one.name for one in mapped.info.columns.values() if one.generated}
    return Given(
        cls=module.classes.get(kind.name, kind.name),
        kind=kind.name,
        plural=module.simulators.get(kind.name, f"all_{kind.name}"),
        key=kind.key,
        fields=fields,
        held=held,
        covered=frozenset(covered),
        in_project=bool(module.root) and not kind.is_shared,
    )


def annotation_of(one: Field) -> str:
    """Return the annotation of a field, as a class would have it."""
    if one.choices:
        plain = f"Literal[{listed_choices(one.choices)}]"
    elif one.type is Type.DECIMAL:
        plain = f"Annotated[Decimal, Places({one.places}, {one.precision})]"
    elif one.size is not None:
        plain = f"Annotated[str, Size({one.size})]"
    else:
        plain = f"Annotated[{_ANNOTATIONS[one.type]}, Fixed()]" if one.fixed else _ANNOTATIONS[one.type]
    return f"{plain} | None" if one.nullable else plain


@dataclass(frozen=True, slots=True)
class _Finder:
    """Compares what was planned with what a map has."""

    planner: Planner
    fitted: FittedMap
    tables: Tables
    has_fields: bool

    @property
    def says_what_it_leaves(self) -> bool:
        """Whether the map names tables or columns that it leaves to the application: then others are new."""
        return bool(self.tables.left_alone or any(one.theirs for one in self.tables.declared.values()))

    def _kinds(self, chosen: Collection[str]) -> Iterator[tuple[str, KindPlan, Given]]:
        for table, kind in self.planner.kinds.items():
            given = self.planner.given_of(table)
            if given and (not chosen or {table, kind.info.name} & {*chosen}):
                yield table, kind, given

    # -- columns -----------------------------------------------------------------------------------------------------

    def columns(self, chosen: Collection[str]) -> Iterator[NewColumn]:
        """Yield the columns of mapped tables that the map neither fills nor leaves to the application."""
        for _, kind, _ in self._kinds(chosen):
            for name, column in kind.info.columns.items():
                if name in kind.wanted:
                    yield self._column(kind, column)

    def _column(self, kind: KindPlan, column: Column) -> NewColumn:
        name, declared = column.name, self.fitted.maps[kind.kind].declared
        held = kind.fields.get(kind.held.get(name, "")) if self.has_fields else None
        said = kind.columns.get(name, "")
        said = f"{quoted(name)}: {said}," if said and (held or self._is_plain(said)) else ""
        by_trigger = [one for one in kind.info.columns if one in {*declared.by_trigger, *kind.by_trigger}]
        is_free = name in kind.free or name in kind.theirs or (held is None and column.fills_itself)
        left = list_theirs(self._left(kind, {*declared.theirs, name})) if is_free else ""
        if held is None:
            if not said and name in by_trigger:
                said = f'filled_by_trigger="{" ".join(by_trigger)}"'
            said = said or left or f"{quoted(name)}: initial(...),"
            return NewColumn(table=kind.shown, kind=kind, column=column, said=said, left=left)
        names = names_used(held.value)
        takes = [f"{one}: All[{cls}]" for one, cls in sorted(kind.takes.items()) if one in names]
        before = [f"{one.name} = {one.value}" for one in kind.choices if one.name in names]
        again = [kind.fields[one] for one in names if one in kind.fields]
        before += [f"{one.name} = {one.value}" for one in again if one.value not in {"", one.name}]
        needs = [_LOCAL[one] for one in names if one in _LOCAL]
        needs += [f"{one.name}={one.name} in the row" for one in again]
        for combination in kind.combinations:
            if held.name in combination:
                needs.append(f"no two rows with the same {', '.join(combination)}")
        takes += (
            ["run: Run"]
            if "run" in {*names, *(name for one in again if one.value for name in names_used(one.value))}
            else []
        )
        line = declared_field(held)
        if held.annotation.removesuffix(" | None") in self._new_classes:
            line = line.replace(held.annotation, f'"{held.annotation}"')  # the class may come later in the module
        return NewColumn(
            table=kind.shown,
            kind=kind,
            column=column,
            declared=line,
            value=f"{held.name}={held.value}",
            takes=tuple(takes),
            before=tuple(before),
            needs=tuple(needs),
            said=said,
            left=left,
        )

    def _is_plain(self, said: str) -> bool:
        """Say whether what a map would say of a column needs no field."""
        return self.has_fields or not re.search(r"\b(?:field|ref)\(|:\w", said)

    def _left(self, kind: KindPlan, names: set[str]) -> list[str]:
        """Return columns that are left to the application, with those of the table that can only be."""
        only = {one for one in kind.theirs if one in kind.wanted and one not in {*kind.held, *kind.columns}}
        return [one for one in kind.info.columns if one in names | only]

    @property
    def _new_classes(self) -> set[str]:
        return {one.cls for table, one in self.planner.kinds.items() if self.planner.given_of(table) is None}

    # -- labels ------------------------------------------------------------------------------------------------------

    def labels(self, chosen: Collection[str]) -> Iterator[NewLabels]:
        """Yield the values that a column takes by its enum or CHECK, and its field's choices lack."""
        for table, kind, given in self._kinds(chosen):
            for mapped in self.fitted.maps.values():
                if (mapped.info.schema, mapped.info.name) != (kind.info.schema, kind.info.name):
                    continue
                for filled in mapped.columns:
                    value = filled.value
                    instead = dict(value.instead) if isinstance(value, ValuesOf) else {}
                    value = value.of if isinstance(value, ValuesOf) else value
                    one = mapped.field(value.name) if isinstance(value, FieldValue) else None
                    if one is None or not one.choices:
                        continue
                    written = {instead.get(choice, choice) for choice in one.choices}
                    new = [label for label in self._labels_of(table, filled.info) if label not in written]
                    if new:
                        yield self._new_labels(kind, given, mapped.kind, one, filled.name, new)

    def _labels_of(self, table: str, column: Column) -> Iterator[str | int]:
        for one in self.planner.said[table].of(column.name).choices or column.labels:
            if isinstance(one, str):
                yield one
            elif isinstance(one, Decimal) and one == int(one):
                yield int(one)

    def _new_labels(
        self, kind: KindPlan, given: Given, of: Kind, one: Field, column: str, new: list[str | int]
    ) -> NewLabels:
        listed = listed_choices([*one.choices, *new])
        return NewLabels(
            table=kind.shown,
            kind=of.name,
            cls=given.cls,
            column=column,
            field=one.name,
            labels=tuple(new),
            declared=f"{one.name}: Literal[{listed}]{' | None' if one.nullable else ''}",
        )

    # -- changes -----------------------------------------------------------------------------------------------------

    def changed(self, problems: Iterable[str], columns: Sequence[NewColumn]) -> Iterator[str]:
        """Yield a line for all that does not fit any more, but for columns that are new."""
        new = {
            f"{table}.{one.column.name} (" for one in columns for table in (one.table, one.kind.info.name)
        }  # of which the problem is that nothing fills them
        for problem in problems:
            if not problem.startswith(tuple(new)):
                renamed = self._renamed(problem, columns)
                yield f"{problem.split('; ')[0]}; was it renamed to {renamed}?" if renamed else _briefly(problem)
        for mapped in self.fitted.maps.values():
            yield from self._narrower(mapped)
            for name in sorted(mapped.declared.theirs - mapped.info.columns.keys()):
                yield f"{mapped.shown} has no column {name} any more, which theirs names"
        there = {*self.planner.places, *(name for _, name in self.planner.places.values())}
        for name in sorted(self.tables.left_alone - there):
            yield f"there is no table {name} any more, which leave_alone names"

    def _renamed(self, problem: str, columns: Iterable[NewColumn]) -> str | None:
        """Return the one new column that could hold a field of which a problem says that its column is gone."""
        match = re.match(r"(\w+)\.(\w+) has no column in ", problem)
        mapped = self.fitted.maps.get(match[1]) if match else None
        one = mapped.field(match[2]) if match and mapped else None
        if one is None:
            return None
        held = [
            (two.column.name, two.kind.fields.get(two.kind.held.get(two.column.name, "")))
            for two in columns
            if mapped and two.kind.kind == mapped.kind.name
        ]
        alike = [name for name, field in held if field and _sort_of(field.annotation) == _sort_of(annotation_of(one))]
        return alike[0] if len(alike) == 1 else None

    def _narrower(self, mapped: MappedKind) -> Iterator[str]:
        """Yield the columns that do not hold their field any more, as their types say."""
        table = next((name for name, info in self.planner.infos.items() if info == mapped.info), None)
        for filled in mapped.columns:
            name = plain_name(filled.value)
            one = mapped.field(name) if name else None
            if one is None or table is None:
                continue
            where, of = f"{mapped.shown}.{filled.name}", f"{mapped.kind.name}.{one.name}"
            on_postgresql = self.planner.is_on_postgresql
            sort = sort_of(filled.info, is_on_postgresql=on_postgresql)
            length = length_of(filled.info, self.planner.said[table].of(filled.name)) if sort is Sort.TEXT else None
            if not on_postgresql and sort not in _HOLDING[one.type]:
                yield f"{where} is {filled.info.type}, and {of} is {one.type}"
            elif one.size is not None and length is not None and one.size > length and not one.choices:
                yield f"{where} takes {length} characters, and {of} may have {one.size}"
            elif one.type is Type.DECIMAL and filled.info.scale is not None and filled.info.scale < one.places:
                yield f"{where} has {filled.info.scale} places, and {of} has {one.places}"


def _sort_of(annotation: str) -> str:
    """Return the type that an annotation names, without its bounds."""
    plain = annotation.removesuffix(" | None").removeprefix("Annotated[").split(",")[0].removesuffix("]")
    return "str" if plain.startswith('Literal["') else plain


def _briefly(problem: str) -> str:
    """Return the first sentence of what does not fit, and the nearest name."""
    first, *others = problem.split("; ")
    return "; ".join([first, *(one for one in others if one.startswith("the nearest is "))])

"""Declaring: the classes of one domain become the journal's plain definitions, once everything about them is right."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Enum
from typing import (
    Annotated,
    Any,
    Literal,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from seedjournal.journal import Field, Policy, Reference, Type, Vocabulary
from seedjournal.journal import Kind as Definition

from .coding import make_ready
from .fields import TYPES, BadEntity, Column, writer_of
from .kinds import DeclarationError, Declared, Fixed, JsonValue, KeyAs, Kind, Part, Places, Size, nearest


def resolve(kinds: Sequence[type[Kind]], root: type[Kind] | None, where: str, common: str) -> Vocabulary:
    """Return the definitions of a domain's recorded kinds, parents before children, and make its classes ready for use.

    `common` is the name of the project that holds shared kinds. Raises DeclarationError with everything that is wrong.
    """
    declared = [one.__declared__ for one in kinds]
    problems = list(_wrong_names(kinds, root))
    if problems:
        for one in declared:
            if not any(column.problem for column in one.columns.values()) and [*one.columns] == [*one.fields]:
                _check(one, root, problems)
        raise DeclarationError(where, problems)
    ordered = _in_order(declared, problems)
    for one in ordered:
        _resolve_key(one, root, problems)
    for one in declared:
        _check(one, root, problems)
    if problems:
        raise DeclarationError(where, problems)
    for one in ordered:
        one.definition = _definition(one, root)
    for one in ordered:
        make_ready(one)
    recorded = tuple(one.definition for one in _parents_first(declared) if one.definition and one.recorded)
    return Vocabulary(recorded, common if any(one.is_shared for one in recorded) else None)


def _wrong_names(kinds: Sequence[type[Kind]], root: type[Kind] | None) -> Iterator[str]:
    """Yield what is wrong with names of kinds, and with types of fields, which are resolved on the way."""
    by_class = {one.__name__: one for one in kinds}
    names = [one.__declared__.name for one in kinds]
    for name in sorted(set(names)):
        if names.count(name) > 1:
            yield f"two kinds are named {name!r}"
    if root is not None and root not in kinds:
        yield f"the root {root.__name__} is not among the kinds"
    for one in kinds:
        yield from _resolve_columns(one.__declared__, by_class)


def _resolve_columns(declared: Declared, by_class: Mapping[str, type[Kind]]) -> Iterator[str]:
    module = sys.modules.get(declared.cls.__module__)
    namespace: dict[str, Any] = {**vars(module), **by_class} if module else dict(by_class)
    hints: dict[str, Any] = {}
    while not hints:
        try:
            hints = get_type_hints(declared.cls, namespace, namespace, include_extras=True)
        except NameError as error:
            unknown = str(error.name)
            yield f"{declared.cls.__name__} refers to {unknown!r}, which is not known{nearest(unknown, by_class)}"
            namespace[unknown] = _Unknown
        except Exception as error:  # noqa: BLE001 - annotations are the user's own code
            yield f"the annotations of {declared.cls.__name__} cannot be read: {type(error).__name__}: {error}"
            return
        if not declared.fields:
            break
    for name in declared.fields:
        column = declared.columns[name] = _column(name, hints[name])
        if column.problem:
            yield f"{declared.cls.__name__}.{name}: {column.problem}"
        for one in column.to:
            if one.__name__ not in by_class or by_class[one.__name__] is not one:
                yield (
                    f"{declared.cls.__name__}.{name} refers to {one.__name__}, which is not among the kinds"
                    f"{nearest(one.__name__, by_class)}"
                )


class _Unknown:
    """The annotation of a field whose type names an unknown class."""


def _column(name: str, annotation: Any) -> Column:
    """Return the column that an annotation describes; its `problem` says what is wrong with it."""
    column = Column(name=name)
    _read_annotation(column, annotation)
    return column


def _read_annotation(column: Column, annotation: Any) -> None:  # noqa: C901, PLR0912 - one for each annotation
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *extras = get_args(annotation)
        if JsonValue in extras:
            column.holds = Type.JSON
        else:
            _read_annotation(column, inner)
        for extra in extras:
            _read_extra(column, extra)
    elif origin in {Union, types.UnionType}:
        some = [one for one in get_args(annotation) if one is not type(None)]
        column.nullable = column.nullable or len(some) < len(get_args(annotation))
        if len(some) == 1:
            _read_annotation(column, some[0])
        elif all(isinstance(one, type) and issubclass(one, Kind) for one in some):
            column.to = tuple(some)
        else:
            column.problem = f"{annotation} is not a type that a field can have"
    elif origin is Literal:
        column.nullable = column.nullable or None in get_args(annotation)
        column.choices = tuple(one for one in get_args(annotation) if one is not None)
        _read_choices(column)
    elif isinstance(annotation, type) and issubclass(annotation, Kind):
        column.to = (annotation,)
    elif isinstance(annotation, type) and issubclass(annotation, Enum):
        column.enum = annotation
        column.choices = tuple(one.value for one in annotation)
        _read_choices(column)
    elif annotation in TYPES:
        column.holds = TYPES[annotation]
    elif annotation is not _Unknown:
        shown = getattr(annotation, "__name__", annotation)
        column.problem = f"{shown} is not a type that a field can have"


def _read_choices(column: Column) -> None:
    kinds = {type(one) for one in column.choices}
    if not kinds:
        column.problem = "it has no values"
    elif kinds <= {str}:
        column.holds = Type.TEXT
    elif kinds <= {int}:
        column.holds = Type.INTEGER
    else:
        column.problem = "its values must be all texts or all integers"


def _read_extra(column: Column, extra: Any) -> None:
    wrong = ""
    if isinstance(extra, Size):
        column.size = extra.characters
        wrong = _wrong_number(column, Type.TEXT, "Size", extra.characters, 1)
    elif isinstance(extra, Places):
        column.places, column.digits = extra.places, extra.digits
        wrong = _wrong_number(column, Type.DECIMAL, "Places", extra.places, 0)
        if not wrong and not (type(extra.digits) is int and max(extra.places, 1) <= extra.digits <= _MOST_DIGITS):
            wrong = f"Places({extra.places}, {extra.digits}) needs as many digits as places, and at most {_MOST_DIGITS}"
    elif isinstance(extra, KeyAs):
        column.key_as = extra.name
        wrong = "" if column.to or column.problem else "KeyAs belongs to a reference"
    elif isinstance(extra, Fixed) or extra is Fixed:
        column.fixed = True
        wrong = "" if column.holds in {Type.DATE, Type.INSTANT} else "Fixed belongs to a date or a datetime"
    elif extra in {Size, Places, KeyAs}:
        wrong = f"write {extra.__name__}(…), with a value"
    column.problem = column.problem or wrong


def _wrong_number(column: Column, holds: Type, name: str, number: Any, least: int) -> str:
    """Return what is wrong with the number that Size or Places has, or with its place; "" if nothing is."""
    if column.holds is not holds or column.to:
        return "" if column.problem else f"{name} belongs to a {'str' if holds is Type.TEXT else 'Decimal'}"
    if type(number) is not int or number < least:
        return f"{name}({number!r}) must be an integer of {least} or more"
    return ""


def _in_order(declared: Sequence[Declared], problems: list[str]) -> list[Declared]:
    """Return the kinds so that those in a key come before it; a key that contains itself is a problem."""
    done: list[Declared] = []
    path: list[Declared] = []

    def visit(one: Declared) -> None:
        if one in done:
            return
        if one in path:
            problems.append(f"the key of {one.cls.__name__} contains itself")
            return
        path.append(one)
        for name in one.key:
            column = one.columns.get(name)
            for target in column.to if column else ():
                visit(target.__declared__)
        path.pop()
        done.append(one)

    for one in declared:
        visit(one)
    return done


def _parents_first(declared: Sequence[Declared]) -> list[Declared]:
    """Return the kinds so that what a kind refers to comes before it, as far as references make no circle.

    What is in a key always comes before it. In a circle, what may be null comes later; where nothing may, the order of
    the declaration counts.
    """
    done: list[Declared] = []
    path: list[Declared] = []

    def visit(one: Declared) -> None:
        if one in done or one in path:
            return
        path.append(one)
        needed = sorted(one.fields, key=lambda name: (name not in one.key, one.columns[name].nullable))
        for name in needed:
            for target in one.columns[name].to:
                if name in one.key or not any(other in path for other in _needed_by(target.__declared__)):
                    visit(target.__declared__)
        path.pop()
        done.append(one)

    for one in declared:
        visit(one)
    return done


def _needed_by(declared: Declared) -> list[Declared]:
    """Return the kinds that a kind cannot be without, directly or through others."""
    found: list[Declared] = []
    left = [declared]
    while left:
        one = left.pop()
        for column in one.columns.values():
            for target in () if column.nullable else column.to:
                if target.__declared__ not in found:
                    found.append(target.__declared__)
                    left.append(target.__declared__)
    return found


def _resolve_key(declared: Declared, root: type[Kind] | None, problems: list[str]) -> None:
    parts: list[Part] = []
    for name in declared.key:
        column = declared.columns.get(name)
        if column is None or not column.to:
            parts.append(Part(name, name, None, (declared.name, name), is_own=True))
            continue
        target = column.to[0].__declared__
        brought = list(_parts_of(name, target))
        own = [part for part in brought if not _is_shared(part, parts, root)]
        left = [part for part in own if column.key_as and not _is_root_part(part, root)]
        if column.key_as and not left:  # other references share every part, but KeyAs says that this is another entity
            left = [part for part in brought if not _is_root_part(part, root)]
            own = [part for part in brought if part in left or part in own]
        if twin := next((one for one in declared.key if not own and _leads_alike(declared, one, name)), None):
            problems.append(
                f"the references {twin} and {name} in the key of {declared.cls.__name__} lead to one "
                f"{column.to[0].__name__}; write Annotated[{column.to[0].__name__}, KeyAs({name!r})] for another one"
            )
        for part in own:
            renamed = part.name
            if column.key_as and part in left:
                renamed = column.key_as if len(left) == 1 else f"{column.key_as}_{part.theirs}"
            parts.append(Part(renamed, name, part.theirs, part.origin, part.is_own))
    seen: dict[str, Part] = {}
    for part in parts:
        other = seen.setdefault(part.name, part)
        if other is not part:
            problems.append(
                f"the key of {declared.cls.__name__} has two parts named {part.name!r}, from {other.field} and "
                f"{part.field}; write Annotated[…, KeyAs(…)] to name one of them"
            )
    problems += _hidden_by_parts(declared, seen.values())
    declared.parts = tuple(parts)


def _hidden_by_parts(declared: Declared, parts: Iterable[Part]) -> Iterator[str]:
    """Yield fields outside the key that have the name of a part which a reference brings into it."""
    for part in parts:
        column = declared.columns.get(part.name)
        if (
            column is None
            or part.name in declared.key
            or any(one.__declared__.name == part.origin[0] for one in column.to)
        ):
            continue
        yield (
            f"{declared.cls.__name__} has a field {part.name!r}, and {part.field} brings a part of this name into its "
            "key; give the field another name"
        )


def _leads_alike(declared: Declared, one: str, name: str) -> bool:
    """Return whether another field, which comes first in the key, leads to the same kind."""
    before = declared.key[: declared.key.index(name)]
    return one in before and one in declared.columns and declared.columns[one].to == declared.columns[name].to


def _parts_of(name: str, target: Declared) -> Iterator[Part]:
    """Yield the parts that a reference adds to a key, under the names that they have without `KeyAs`."""
    one_part = len(target.parts) == 1
    for part in target.parts:
        yield Part(name if one_part else part.name, name, part.name, part.origin, part.origin[0] == target.name)


def _is_root_part(part: Part, root: type[Kind] | None) -> bool:
    return root is not None and part.origin[0] == root.__declared__.name


def _is_shared(part: Part, before: Sequence[Part], root: type[Kind] | None) -> bool:
    """Return whether the key already has a part, through another reference to the same ancestor."""
    for other in before:
        if other.origin == part.origin and (
            _is_root_part(part, root) or (other.name == part.name and not (other.is_own and part.is_own))
        ):
            return True
    return False


def _check(declared: Declared, root: type[Kind] | None, problems: list[str]) -> None:
    cls = declared.cls.__name__
    if not declared.key:
        problems.append(f'{cls} has no key; write class {cls}(Kind, key="…")')
    for name in declared.key:
        column = declared.columns.get(name)
        if column is None:
            problems.append(f"the key of {cls} names {name!r}, which is not a field{nearest(name, declared.fields)}")
        elif column.nullable:
            problems.append(f"the key of {cls} names {name!r}, which may be null")
        elif len(column.to) > 1:
            problems.append(f"the key of {cls} names {name!r}, which may refer to several kinds")
        elif not column.to and column.holds in {Type.FLOAT, Type.JSON, Type.BOOLEAN}:
            problems.append(f"the key of {cls} names {name!r}, and a {column.holds} cannot be in a key")
    problems += [
        f"{cls} has a field named {name!r}, which is not ASCII text" for name in declared.fields if not name.isascii()
    ]
    if declared.policy is not None and declared.policy not in set(Policy):
        problems.append(f"the policy of {cls} is {declared.policy!r}; the policies are once, upsert and exact")
    problems += [
        f"`unique` of {cls} names {name!r}, which is not a field{nearest(name, declared.fields)}"
        for names in declared.unique
        for name in names
        if name not in declared.columns
    ]
    problems += _wrong_fields(declared)
    problems += _wrong_references(declared)
    problems += _wrong_parts(declared)
    if root is not None and declared.cls is root and len(declared.key) != 1:
        problems.append(f"the root {cls} must have one field as its key")


def _wrong_fields(declared: Declared) -> Iterator[str]:
    """Yield what is wrong with names and defaults of fields."""
    cls = declared.cls.__name__
    if len(set(declared.key)) < len(declared.key):
        yield f"the key of {cls} names a field twice"
    for name in declared.hidden:
        yield f"{cls} has a field named {name!r}, which begins with _"
    for name, value in declared.defaults.items():
        column = declared.columns.get(name)
        if column is None or column.to:
            continue
        if value is None:
            if not column.nullable and column.holds is not Type.JSON:
                yield f"the default of {cls}.{name} is None, and the field may not be null"
            continue
        try:
            writer_of(column, cls)(value)
        except BadEntity as error:
            yield f"the default of {error.message.rstrip('.')}"


def _wrong_references(declared: Declared) -> Iterator[str]:
    """Yield the references to kinds that have no row of their own."""
    cls = declared.cls.__name__
    for name in declared.fields:
        for one in declared.columns[name].to:
            if whole := one.__declared__.part_of:
                yield f"{cls}.{name} refers to {one.__name__}, which is a part; refer to {whole.__name__}"
            if declared.recorded and not one.__declared__.recorded:
                yield f"{cls}.{name} refers to {one.__name__}, which is not recorded"


def _wrong_parts(declared: Declared) -> Iterator[str]:
    """Yield what is wrong with a part."""
    cls, part_of = declared.cls.__name__, declared.part_of
    if part_of is None:
        return
    whole_name = part_of.__name__
    led_to = [declared.columns[name].to for name in declared.key if name in declared.columns]
    if led_to != [(part_of,)]:
        yield f"{cls} is a part of {whole_name}, so its key must be one reference to {whole_name}"
    if not declared.recorded or not part_of.__declared__.recorded:
        yield f"{cls} is a part of {whole_name}, so both must be recorded"
    own = [name for name in declared.fields if name not in declared.key]
    if not own:
        yield f"{cls} is a part of {whole_name}, so it needs a field besides {', '.join(declared.key)}"
    for name in own:
        if name in {"id", *part_of.__declared__.fields}:
            yield f"{cls} is a part of {whole_name}, which has a field named {name!r} too"


def is_in_project(declared: Declared, root: type[Kind] | None) -> bool:
    """Return whether a kind's entities belong to one root entity; all others are shared."""
    return root is None or bool(declared.parts and _is_root_part(declared.parts[0], root))


def _definition(declared: Declared, root: type[Kind] | None) -> Definition:
    by_origin = {part.origin: part.name for part in reversed(declared.parts)}  # the first of equal ones is shared
    references: list[Reference] = []
    values: list[Field] = []
    for name in declared.fields:
        column = declared.columns[name]
        if column.to:
            references.append(_reference(declared, column, by_origin, root))
        else:
            values.append(
                Field(
                    name=name,
                    type=column.holds,
                    nullable=column.nullable,
                    size=column.size,
                    precision=column.digits,
                    places=column.places,
                    choices=column.choices,
                    fixed=column.fixed,
                    default=_default(declared, column),
                )
            )
    return Definition(
        name=declared.name,
        key=declared.key_names,
        fields=tuple(values),
        references=tuple(references),
        policy=Policy(declared.policy) if declared.policy else Policy.EXACT,
        part_of=declared.part_of.__declared__.name if declared.part_of else None,
        unique=declared.unique,
        table=declared.table,
        is_shared=not is_in_project(declared, root) or root is None,
    )


def _reference(
    declared: Declared, column: Column, by_origin: Mapping[tuple[str, str], str], root: type[Kind] | None
) -> Reference:
    target = column.to[0].__declared__
    shared: dict[str, str] = {}  # of a generic reference nothing: the data holds the whole key
    if column.name in declared.key:
        mine = {part.theirs: part.name for part in declared.parts if part.field == column.name}
        shared = {part.name: mine.get(part.name) or by_origin[part.origin] for part in target.parts}
    elif len(column.to) == 1 and root is not None and declared.parts and _is_root_part(declared.parts[0], root):
        shared = {part.name: declared.parts[0].name for part in target.parts if _is_root_part(part, root)}
    return Reference(
        name=column.name,
        to=target.name,
        also=tuple(one.__declared__.name for one in column.to[1:]),
        shared=shared,
        nullable=column.nullable,
    )


_MOST_DIGITS = 1_000  # that PostgreSQL takes

# What a row holds of a part that is absent, where the class gives no default.
_ZEROS: dict[Type, Any] = {Type.TEXT: "", Type.INTEGER: 0, Type.BOOLEAN: False, Type.DECIMAL: "0", Type.JSON: []}


def _default(declared: Declared, column: Column) -> Any:
    if column.name not in declared.defaults:
        return None if column.nullable else _ZEROS.get(column.holds)
    value = declared.defaults[column.name]
    return None if value is None else writer_of(column, declared.name)(value)

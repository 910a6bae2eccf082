"""Kinds: what a user declares as classes, and what the journal stores of them.

A `Kind` subclass has annotated fields, a key and perhaps a policy. `resolve` turns the classes of one domain into the
journal's plain definitions (`journal.Kind`), and compiles for each class how an entity becomes an event and an event
an entity again.

An entity holds its fields in `__dict__`. A reference is an entity too: a loaded one has all fields, one that merely
names an entity has the fields of its key, and asking it for another field raises `NotLoaded`.
"""

from __future__ import annotations

import difflib
import inspect
import re
import sys
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    ClassVar,
    Literal,
    Union,
    dataclass_transform,
    get_args,
    get_origin,
    get_type_hints,
)
from uuid import UUID

import msgspec
import orjson

from seedjournal.journal import BadInput, Field, Misuse, Policy, Reference, Type, Vocabulary
from seedjournal.journal import Kind as Definition

Key = tuple[str | int, ...]

_LARGEST = 2**53 - 1
_DECIMAL_PLACES = 2
_DECIMAL_PRECISION = 10


@dataclass(frozen=True, slots=True)
class Size:
    """The largest length of a text, in characters: `Annotated[str, Size(200)]`."""

    characters: int


@dataclass(frozen=True, slots=True)
class Places:
    """How many places a decimal has, and how many digits in all: `Annotated[Decimal, Places(2)]`."""

    places: int
    digits: int = _DECIMAL_PRECISION


@dataclass(frozen=True, slots=True)
class KeyAs:
    """The name that a reference's own part takes in a key; a prefix where several parts are left."""

    name: str


@dataclass(frozen=True, slots=True)
class Fixed:
    """A date that `project --today` does not move, such as a birth: `Annotated[date, Fixed()]`."""


class JsonValue:
    """Marks a field that holds a JSON value; see `Json`."""


Json = Annotated[Any, JsonValue]
"""Any JSON value: texts, numbers, booleans, null, lists, and objects with ASCII names."""


class NotLoaded(AttributeError):
    """A field was asked of an entity that is only named by its key."""


class DeclarationError(Misuse):
    """A domain's declaration cannot work; the message lists everything that is wrong with it."""

    def __init__(self, where: str, problems: Sequence[str]) -> None:
        super().__init__(
            f"{where}: " + "; ".join(problems) + ".", "Correct the declaration; docs/domains.md shows the rules."
        )
        self.problems = tuple(problems)


class BadEntity(BadInput):
    """An entity has a value that its kind does not allow, or two entities contradict each other."""

    kind = "entity"


def snake(name: str) -> str:
    """Return a class's name in snake case.

    >>> snake("PullRequest"), snake("AIUsageDaily")
    ('pull_request', 'ai_usage_daily')
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a sentence part that names the nearest known name, or nothing."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.4)
    return f" (the nearest is {near[0]!r})" if near else ""


@dataclass_transform(kw_only_default=True, frozen_default=True, eq_default=False)
class Kind:
    """The base class of a domain's kinds. Entities are immutable, and equal where kind and key are equal.

    `key` names the fields that identify an entity. `policy` says what a later run changes (fact kinds only; `exact`
    unless given). `unique` lists fields, or tuples of fields, whose values no two entities share. `part_of` makes the
    kind more columns of another kind's row. `recorded=False` keeps entities out of the journal; `table` names the
    kind's own table.
    """

    if TYPE_CHECKING:  # not an annotation at run time: those are a kind's fields
        __declared__: ClassVar[Declared]

    def __init_subclass__(
        cls,
        *,
        key: str | Sequence[str] = (),
        policy: str | None = None,
        unique: Sequence[str | Sequence[str]] = (),
        part_of: type[Kind] | None = None,
        recorded: bool = True,
        table: str | None = None,
        name: str | None = None,
    ) -> None:
        """Take the declaration; it is checked when a domain is made of it."""
        super().__init_subclass__()
        names = [one for one in _annotated(cls) if not one.startswith("_")]
        defaults = {one: cls.__dict__[one] for one in names if one in cls.__dict__}
        for one in defaults:
            delattr(cls, one)  # an entity that lacks the field must not find the default
        cls.__declared__ = Declared(
            cls=cls,
            name=name or snake(cls.__name__),
            fields=tuple(names),
            defaults=defaults,
            key=(key,) if isinstance(key, str) else tuple(key),
            policy=policy,
            unique=tuple((one,) if isinstance(one, str) else tuple(one) for one in unique),
            part_of=part_of,
            recorded=recorded,
            table=table,
        )
        cls.__init__ = _initializer(names, defaults, checked=False)  # type: ignore[misc]

    def __setattr__(self, name: str, value: object) -> None:
        """Refuse: entities are immutable."""
        raise AttributeError(f"{type(self).__name__} is immutable; make another entity to change {name!r}")

    __delattr__ = __setattr__  # type: ignore[assignment]

    def __getattr__(self, name: str) -> Any:
        """Raise NotLoaded for a field of an entity that is only named by its key."""
        declared = type(self).__declared__
        if name in declared.fields:
            raise NotLoaded(
                f"{name!r} of {declared.name} {_shown_key(self)} is not loaded here. A simulator receives the entities "
                f"in its entity's key; take {type(self).__name__} as `each` or with All[{type(self).__name__}]."
            )
        raise AttributeError(f"{declared.name} has no field {name!r}{nearest(name, declared.fields)}")

    def __eq__(self, other: object) -> bool:
        """Compare kind and key."""
        return type(self) is type(other) and key_of(self) == key_of(other)  # type: ignore[arg-type]

    def __hash__(self) -> int:
        """Hash kind and key."""
        return hash((type(self).__declared__.name, key_of(self)))

    def __repr__(self) -> str:
        """Show kind and key."""
        return f"<{type(self).__declared__.name} {_shown_key(self)}>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by the fields that are there."""
        return _unpickled, (type(self), {name: value for name, value in self.__dict__.items() if name.isascii()})


_KEY = "·key"  # under which an entity remembers its key; no field can have this name


def _unpickled(cls: type[Kind], values: dict[str, Any]) -> Kind:
    entity = cls.__new__(cls)
    entity.__dict__.update(values)
    return entity


class _DocumentMeta(msgspec.StructMeta):
    """Takes a document's `key`."""

    def __new__(
        cls,
        name: str,
        bases: tuple[type, ...],
        namespace: dict[str, Any],
        key: str | Sequence[str] = (),
        **options: Any,
    ) -> Any:
        """Make the class; `options` are msgspec's."""
        options = {"frozen": True, "kw_only": True, **options}
        made = super().__new__(cls, name, bases, namespace, **options)
        made.__document_key__ = (key,) if isinstance(key, str) else tuple(key)  # type: ignore[attr-defined]
        return made


class Document(msgspec.Struct, metaclass=_DocumentMeta):
    """The base class of a domain's documents: frozen records with a key, which a source gives and simulators take."""

    __document_key__: ClassVar[tuple[str, ...]]


def document_key(document: Document) -> Key:
    """Return a document's key, as texts and integers."""
    return tuple(_plain_part(getattr(document, name)) for name in type(document).__document_key__)


def _plain_part(value: Any) -> str | int:
    return value if isinstance(value, (str, int)) else str(value)


@dataclass(slots=True, kw_only=True)
class Declared:
    """What a class declares; `resolve` fills the rest in, from the annotations of all of a domain's classes."""

    cls: type[Kind]
    name: str
    fields: tuple[str, ...]
    defaults: Mapping[str, Any]
    key: tuple[str, ...]
    policy: str | None
    unique: tuple[tuple[str, ...], ...]
    part_of: type[Kind] | None
    recorded: bool
    table: str | None
    columns: dict[str, Column] = field(default_factory=dict)
    parts: tuple[Part, ...] = ()
    definition: Definition | None = None
    key_of: Callable[[Any], Key] | None = None
    encode: Callable[[Any], tuple[dict[str, Any], dict[str, Any]]] | None = None
    decode: Callable[[Mapping[str, Any], Mapping[str, Any]], Any] | None = None

    @property
    def key_names(self) -> tuple[str, ...]:
        """The names of the flat key's parts, in their order."""
        return tuple(part.name for part in self.parts)

    @property
    def ancestors(self) -> tuple[str, ...]:
        """The references in the key, by field."""
        return tuple(name for name in self.key if self.columns[name].to)


@dataclass(slots=True, kw_only=True)
class Column:
    """One field, as its annotation says: a value of some type, or a reference to one kind or several."""

    name: str
    type: Type = Type.TEXT
    nullable: bool = False
    size: int | None = None
    places: int = _DECIMAL_PLACES
    digits: int = _DECIMAL_PRECISION
    choices: tuple[Any, ...] = ()
    enum: type[Enum] | None = None
    fixed: bool = False
    to: tuple[type[Kind], ...] = ()
    key_as: str | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a flat key: its name, the field that gives it, and which part of which kind it began as."""

    name: str
    field: str
    theirs: str | None  # the part of the reference's key; None for a value of the kind's own
    origin: tuple[str, str]  # (kind, part) where it is a value of the kind's own
    is_own: bool  # whether it began in this kind, or directly in the kind that the reference leads to


def key_of(entity: Kind) -> Key:
    """Return an entity's flat key: texts and integers, in the declared order."""
    known = entity.__dict__.get(_KEY)
    if known is None:
        find = type(entity).__declared__.key_of
        if find is None:
            raise Misuse(
                f"{type(entity).__name__} belongs to no domain yet.", "Name it in the `kinds` of a Domain first."
            )
        known = entity.__dict__[_KEY] = find(entity)
    return known  # type: ignore[no-any-return]


def _shown_key(entity: Kind) -> str:
    try:
        return "/".join(map(str, key_of(entity)))
    except Exception:  # noqa: BLE001 - what is shown in an error must not raise another
        return "?"


def at(kind: type[Kind], **parts: Any) -> Any:
    """Return an entity of the kind that is named by its flat key alone; it is made elsewhere.

    Raises BadEntity for a part that is missing or unknown.
    """
    declared = kind.__declared__
    if declared.key_of is None:
        raise Misuse(f"{kind.__name__} belongs to no domain yet.", "Name it in the `kinds` of a Domain first.")
    names = declared.key_names
    if set(parts) != set(names):
        wrong = [f"{name!r} is unknown{nearest(name, names)}" for name in parts if name not in names]
        wrong += [f"{name!r} is missing" for name in names if name not in parts]
        raise BadEntity(f"at({kind.__name__}, …): {'; '.join(wrong)}.", f"The key is {', '.join(names)}.")
    return named(declared, tuple(_canonical_part(parts[name]) for name in names))


def _canonical_part(value: Any) -> str | int:
    if isinstance(value, datetime):
        return _instant(value)
    if isinstance(value, Enum):
        value = value.value
    return value if isinstance(value, (str, int)) else value.isoformat() if isinstance(value, date) else str(value)


def named(declared: Declared, key: Key) -> Any:
    """Return an entity of which only the key is known."""
    entity = declared.cls.__new__(declared.cls)
    values = entity.__dict__
    values[_KEY] = key
    parts = dict(zip(declared.key_names, key, strict=True))
    for name in declared.key:
        column = declared.columns[name]
        if column.to:
            target = column.to[0].__declared__
            mine = {part.theirs: parts[part.name] for part in declared.parts if part.field == name}
            theirs = _shared(declared, name)
            values[name] = named(
                target, tuple(mine[one] if one in mine else parts[theirs[one]] for one in target.key_names)
            )
        else:
            values[name] = _reader(column)(parts[name])
    return entity


def _shared(declared: Declared, name: str) -> dict[str, str]:
    """Return for each part of a reference's key the part of this key that holds it, where one does."""
    definition = declared.definition
    if definition is None:
        return {}
    return dict(next(one.shared for one in definition.references if one.name == name))


# ----------------------------------------------------------------------------------------------------------------------
# Resolving a domain's classes


def resolve(kinds: Sequence[type[Kind]], root: type[Kind] | None, where: str) -> Vocabulary:
    """Return the definitions of a domain's kinds, parents before children, and make its classes ready for use.

    Raises DeclarationError with everything that is wrong.
    """
    problems: list[str] = []
    by_class = {one.__name__: one for one in kinds}
    declared = [one.__declared__ for one in kinds]
    names: dict[str, Declared] = {}
    for one in declared:
        if one.name in names:
            problems.append(f"two kinds are named {one.name!r}")
        names[one.name] = one
    if root is not None and root not in kinds:
        problems.append(f"the root {root.__name__} is not among the kinds")
    for one in declared:
        problems += _resolve_columns(one, by_class)
    if problems:
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
        _compile(one, root)
    return Vocabulary(tuple(one.definition for one in _parents_first(declared) if one.definition))


def _resolve_columns(declared: Declared, by_class: Mapping[str, type[Kind]]) -> Iterator[str]:
    module = sys.modules.get(declared.cls.__module__)
    namespace = {**vars(module), **by_class} if module else dict(by_class)
    hints: dict[str, Any] = {}
    try:
        hints = get_type_hints(declared.cls, namespace, namespace, include_extras=True)
    except NameError as error:
        unknown = str(error.name)
        yield f"{declared.cls.__name__} refers to {unknown!r}, which is not known{nearest(unknown, by_class)}"
        return
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


_PLAIN: dict[Any, Type] = {
    str: Type.TEXT,
    int: Type.INTEGER,
    bool: Type.BOOLEAN,
    Decimal: Type.DECIMAL,
    float: Type.FLOAT,
    date: Type.DATE,
    datetime: Type.INSTANT,
    time: Type.TIME,
    UUID: Type.UUID,
}


def _column(name: str, annotation: Any) -> Column:
    """Return the column that an annotation describes; its `problem` says what is wrong with it."""
    column = Column(name=name)
    _read_annotation(column, annotation)
    return column


def _read_annotation(column: Column, annotation: Any) -> None:
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *extras = get_args(annotation)
        if JsonValue in extras:
            column.type = Type.JSON
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
            column.problem = f"{annotation} is no type that a field can have"
    elif origin is Literal:
        column.choices = get_args(annotation)
        _read_choices(column)
    elif isinstance(annotation, type) and issubclass(annotation, Kind):
        column.to = (annotation,)
    elif isinstance(annotation, type) and issubclass(annotation, Enum):
        column.enum = annotation
        column.choices = tuple(one.value for one in annotation)
        _read_choices(column)
    elif annotation in _PLAIN:
        column.type = _PLAIN[annotation]
    else:
        shown = getattr(annotation, "__name__", annotation)
        column.problem = f"{shown} is no type that a field can have"


def _read_choices(column: Column) -> None:
    kinds = {type(one) for one in column.choices}
    if kinds <= {str}:
        column.type = Type.TEXT
    elif kinds <= {int}:
        column.type = Type.INTEGER
    else:
        column.problem = "its values must be all texts or all integers"


def _read_extra(column: Column, extra: Any) -> None:
    if isinstance(extra, Size):
        column.size = extra.characters
    elif isinstance(extra, Places):
        column.places, column.digits = extra.places, extra.digits
    elif isinstance(extra, KeyAs):
        column.key_as = extra.name
    elif isinstance(extra, Fixed) or extra is Fixed:
        column.fixed = True


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
    """Return the kinds so that what a kind refers to comes before it, as far as references make no circle."""
    done: list[Declared] = []
    path: list[Declared] = []

    def visit(one: Declared) -> None:
        if one in done or one in path:
            return
        path.append(one)
        needed = sorted(one.fields, key=lambda name: (name not in one.key, one.columns[name].nullable))
        for name in needed:
            for target in one.columns[name].to:
                visit(target.__declared__)
        path.pop()
        done.append(one)

    for one in declared:
        visit(one)
    return done


def _resolve_key(declared: Declared, root: type[Kind] | None, problems: list[str]) -> None:
    parts: list[Part] = []
    for name in declared.key:
        column = declared.columns.get(name)
        if column is None or not column.to:
            parts.append(Part(name, name, None, (declared.name, name), is_own=True))
            continue
        target = column.to[0].__declared__
        own = [part for part in _parts_of(declared, name, column, target) if not _is_shared(part, parts, root)]
        left = [part for part in own if column.key_as and not _is_root_part(part, root)]
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
    declared.parts = tuple(parts)


def _parts_of(declared: Declared, name: str, column: Column, target: Declared) -> Iterator[Part]:
    """Yield the parts that a reference brings into a key, under the names that they have without `KeyAs`."""
    del declared, column
    one_part = len(target.parts) == 1
    for part in target.parts:
        yield Part(name if one_part else part.name, name, part.name, part.origin, part.origin[0] == target.name)


def _is_root_part(part: Part, root: type[Kind] | None) -> bool:
    return root is not None and part.origin[0] == root.__declared__.name


def _is_shared(part: Part, before: Sequence[Part], root: type[Kind] | None) -> bool:
    """Return whether a part stands in the key already, through another reference to the same ancestor."""
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
            problems.append(f"the key of {cls} names {name!r}, which is no field{nearest(name, declared.fields)}")
        elif column.nullable:
            problems.append(f"the key of {cls} names {name!r}, which may be null")
        elif len(column.to) > 1:
            problems.append(f"the key of {cls} names {name!r}, which may refer to several kinds")
        elif not column.to and column.type in {Type.FLOAT, Type.JSON, Type.BOOLEAN}:
            problems.append(f"the key of {cls} names {name!r}, and a {column.type} cannot be in a key")
    for name in declared.fields:
        if not name.isascii() or name in {"kind", "id"} and declared.columns[name].to:
            problems.append(f"{cls} has a field named {name!r}; a reference cannot have this name")
    if declared.policy is not None and declared.policy not in set(Policy):
        problems.append(f"the policy of {cls} is {declared.policy!r}; the policies are once, upsert and exact")
    for names in declared.unique:
        for name in names:
            if name not in declared.columns:
                problems.append(f"`unique` of {cls} names {name!r}, which is no field{nearest(name, declared.fields)}")
    part_of = declared.part_of
    if part_of is not None and (len(declared.key) != 1 or declared.columns[declared.key[0]].to != (part_of,)):
        problems.append(
            f"{cls} is a part of {part_of.__name__}, so its key must be one reference to {part_of.__name__}"
        )
    if part_of is not None:
        for name in declared.fields:
            if name in declared.key:
                continue
            if name not in declared.defaults and not declared.columns[name].nullable:
                problems.append(f"{cls}.{name} needs a default, which the row of {part_of.__name__} holds without it")
    if root is not None and declared.cls is root and len(declared.key) != 1:
        problems.append(f"the root {cls} must have one field as its key")


def is_in_project(declared: Declared, root: type[Kind] | None) -> bool:
    """Return whether a kind's entities belong to one root entity; all others are shared."""
    return root is None or bool(declared.parts and _is_root_part(declared.parts[0], root))


def _definition(declared: Declared, root: type[Kind] | None) -> Definition:
    by_origin = {part.origin: part.name for part in declared.parts}
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
                    type=column.type,
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
    )


def _reference(
    declared: Declared, column: Column, by_origin: Mapping[tuple[str, str], str], root: type[Kind] | None
) -> Reference:
    target = column.to[0].__declared__
    shared: dict[str, str] = {}
    if column.name in declared.key:
        mine = {part.theirs: part.name for part in declared.parts if part.field == column.name}
        shared = {part.name: mine.get(part.name) or by_origin[part.origin] for part in target.parts}
    elif root is not None and declared.parts and _is_root_part(declared.parts[0], root):
        shared = {part.name: declared.parts[0].name for part in target.parts if _is_root_part(part, root)}
    return Reference(
        name=column.name,
        to=target.name,
        also=tuple(one.__declared__.name for one in column.to[1:]),
        shared=shared,
        nullable=column.nullable,
    )


def _default(declared: Declared, column: Column) -> Any:
    if column.name not in declared.defaults:
        return None
    value = declared.defaults[column.name]
    return None if value is None else _writer(column, declared.name)(value)


# ----------------------------------------------------------------------------------------------------------------------
# Entities to events and back


def _compile(declared: Declared, root: type[Kind] | None) -> None:
    declared.key_of = _key_finder(declared)
    declared.encode = _encoder(declared)
    declared.decode = _decoder(declared)
    if any(len(declared.columns[name].to) == 1 for name in declared.fields):
        checks = _ancestor_checks(declared)
        if checks:
            declared.cls.__init__ = _initializer(  # type: ignore[misc]
                declared.fields, declared.defaults, checked=True, check=_checker(declared, checks)
            )
    del root


def _initializer(
    names: Sequence[str], defaults: Mapping[str, Any], *, checked: bool, check: Callable[[Any], None] | None = None
) -> Any:
    """Return an `__init__` that takes the fields by name; made from text, since it runs for every entity."""
    required = [name for name in names if name not in defaults]
    optional = [name for name in names if name in defaults]
    signature = ", ".join([*required, *(f"{name}=_defaults[{name!r}]" for name in optional)])
    lines = [f"def __init__(self{', *, ' + signature if signature else ''}):", "    _values = self.__dict__"]
    lines += [f"    _values[{name!r}] = {name}" for name in names]
    if checked:
        lines.append("    _check(self)")
    space: dict[str, Any] = {"_defaults": dict(defaults), "_check": check}
    exec("\n".join(lines), space)  # noqa: S102 - the names are a class's own attributes
    return space["__init__"]


def _ancestor_checks(declared: Declared) -> list[tuple[str, int, str, int]]:
    """Return pairs of places in the keys of two references that must hold the same: (field, place, field, place)."""
    found: list[tuple[str, int, str, int]] = []
    first: dict[tuple[str, str], tuple[str, int]] = {}
    for name in declared.key:
        column = declared.columns[name]
        if not column.to:
            continue
        mine = {part.theirs for part in declared.parts if part.field == name}
        for place, part in enumerate(column.to[0].__declared__.parts):
            known = first.setdefault(part.origin, (name, place))
            if part.name not in mine and known != (name, place):
                found.append((*known, name, place))
    return found


def _checker(declared: Declared, checks: Sequence[tuple[str, int, str, int]]) -> Callable[[Any], None]:
    def check(entity: Any) -> None:
        values = entity.__dict__
        for mine, here, other, there in checks:
            if key_of(values[mine])[here] != key_of(values[other])[there]:
                raise BadEntity(
                    f"{declared.name}: {mine} {_shown_key(values[mine])} and {other} {_shown_key(values[other])} "
                    "belong to different ancestors.",
                    "Make the entity from two that belong together.",
                )

    return check


def _key_finder(declared: Declared) -> Callable[[Any], Key]:
    """Return a function from an entity to its flat key, made from text: it runs for every entity."""
    space: dict[str, Any] = {"_key_of": key_of}
    terms: list[str] = []
    lines = ["def find(entity):", "    values = entity.__dict__"]
    for number, name in enumerate(declared.key):
        column = declared.columns[name]
        if column.to:
            lines.append(f"    k{number} = _key_of(values[{name!r}])")
            target = column.to[0].__declared__
            places = {part.name: place for place, part in enumerate(target.parts)}
            terms += [
                f"k{number}[{places[part.theirs]}]" for part in declared.parts if part.field == name and part.theirs
            ]
        elif column.type is Type.TEXT and not column.enum:
            lines += _checked_text(name, number)
            space[f"_wrong{number}"] = _wrong_key(declared, name)
            terms.append(f"v{number}")
        else:
            space[f"_write{number}"] = _writer(column, declared.name)
            lines.append(f"    v{number} = _write{number}(values[{name!r}])")
            terms.append(f"v{number}")
    lines.append(f"    return ({', '.join(terms)},)")
    exec("\n".join(lines), space)  # noqa: S102 - the names are a class's own attributes
    return space["find"]  # type: ignore[no-any-return]


def _checked_text(name: str, number: int) -> list[str]:
    return [
        f"    v{number} = values[{name!r}]",
        f"    if v{number}.__class__ is not str:",
        f"        _wrong{number}(v{number})",
    ]


def _wrong_key(declared: Declared, name: str) -> Callable[[Any], None]:
    def wrong(value: Any) -> None:
        if not isinstance(value, str):
            raise BadEntity(
                f"{declared.name}.{name}: {value!r} is a {type(value).__name__}, not text.",
                "Correct the simulator or the fact that made it.",
            )

    return wrong


def _encoder(declared: Declared) -> Callable[[Any], tuple[dict[str, Any], dict[str, Any]]]:
    """Return a function from an entity to an event's key and data."""
    names = declared.key_names
    plain: list[tuple[str, Callable[[Any], Any]]] = []
    for name in declared.fields:
        column = declared.columns[name]
        if name in declared.key:
            continue
        plain.append((name, _reference_writer(declared, column) if column.to else _writer(column, declared.name)))
    space: dict[str, Any] = {"_key_of": key_of, "_names": names}
    items = []
    for number, (name, write) in enumerate(plain):
        space[f"_w{number}"] = write
        column = declared.columns[name]
        value = f"values[{name!r}]"
        if column.to and len(column.to) == 1:
            call = f"_w{number}({value}, key)"
        else:
            call = f"_w{number}({value})"
        items.append(f"{name!r}: {call}" if not column.nullable else f"{name!r}: None if {value} is None else {call}")
    lines = [
        "def encode(entity):",
        "    key = _key_of(entity)",
        "    values = entity.__dict__",
        "    return {"
        + ", ".join(f"{name!r}: key[{place}]" for place, name in enumerate(names))
        + "}, {"
        + ", ".join(items)
        + "}",
    ]
    exec("\n".join(lines), space)  # noqa: S102 - the names are a class's own attributes
    return space["encode"]  # type: ignore[no-any-return]


def _reference_writer(declared: Declared, column: Column) -> Callable[..., Any]:
    """Return a function from a reference (and its holder's key) to what the data holds of it."""
    if len(column.to) > 1:
        return _generic_writer(declared, column)
    definition = declared.definition
    if definition is None:
        raise TypeError
    target = column.to[0].__declared__
    reference = next(one for one in definition.references if one.name == column.name)
    mine = {name: place for place, name in enumerate(declared.key_names)}
    same = tuple(
        (place, mine[reference.shared[name]]) for place, name in enumerate(target.key_names) if name in reference.shared
    )
    rest = tuple((place, name) for place, name in enumerate(target.key_names) if name not in reference.shared)
    cls, where = column.to[0], f"{declared.name}.{column.name}"

    def write(value: Any, key: Key) -> Any:
        if value.__class__ is not cls:
            raise BadEntity(f"{where}: {value!r} is no {cls.__name__}.", "Give an entity, or at(…).")
        theirs = value.__dict__.get(_KEY) or key_of(value)
        for there, here in same:
            if theirs[there] != key[here]:
                raise BadEntity(
                    f"{where} refers to {cls.__name__} {_shown_key(value)}, which belongs to another project than "
                    f"{'/'.join(map(str, key))}.",
                    "A reference cannot lead from one root to another.",
                )
        if len(rest) == 1:
            return theirs[rest[0][0]]
        return {name: theirs[place] for place, name in rest}

    return write


def _generic_writer(declared: Declared, column: Column) -> Callable[[Any], Any]:
    where = f"{declared.name}.{column.name}"

    def write(value: Any) -> Any:
        if not isinstance(value, column.to):
            names = ", ".join(one.__name__ for one in column.to)
            raise BadEntity(f"{where}: {value!r} is none of {names}.", "Give an entity, or at(…).")
        target = type(value).__declared__
        return {"kind": target.name, "key": dict(zip(target.key_names, key_of(value), strict=True))}

    return write


def _decoder(declared: Declared) -> Callable[[Mapping[str, Any], Mapping[str, Any]], Any]:
    """Return a function from an event's key and data to the entity, whose references are named by their keys."""
    cls = declared.cls
    readers: list[tuple[str, Callable[[Mapping[str, Any], Mapping[str, Any]], Any]]] = []
    for name in declared.fields:
        column = declared.columns[name]
        if column.to:
            readers.append((name, _reference_reader(declared, column)))
        elif name in declared.key:
            readers.append((name, _key_reader(name, _reader(column))))
        else:
            readers.append((name, _data_reader(name, column, declared.defaults)))
    names = declared.key_names

    def decode(key: Mapping[str, Any], data: Mapping[str, Any]) -> Any:
        entity = cls.__new__(cls)
        values = entity.__dict__
        values[_KEY] = tuple(key[name] for name in names)
        for name, read in readers:
            values[name] = read(key, data)
        return entity

    return decode


def _key_reader(name: str, read: Callable[[Any], Any]) -> Callable[[Mapping[str, Any], Mapping[str, Any]], Any]:
    return lambda key, _: read(key[name])


def _data_reader(
    name: str, column: Column, defaults: Mapping[str, Any]
) -> Callable[[Mapping[str, Any], Mapping[str, Any]], Any]:
    read = _reader(column)
    if column.type in {Type.TEXT, Type.INTEGER, Type.BOOLEAN, Type.JSON} and not column.enum:
        if name in defaults:
            return lambda _, data: data.get(name, defaults[name])
        return lambda _, data: data.get(name)

    def from_data(_: Mapping[str, Any], data: Mapping[str, Any]) -> Any:
        value = data.get(name)
        if value is None:
            return None if name in data else defaults.get(name)
        return read(value)

    return from_data


def _reference_reader(declared: Declared, column: Column) -> Callable[[Mapping[str, Any], Mapping[str, Any]], Any]:
    definition = declared.definition
    if definition is None:
        raise TypeError
    if len(column.to) > 1:
        by_name = {one.__declared__.name: one.__declared__ for one in column.to}

        def generic(_: Mapping[str, Any], data: Mapping[str, Any]) -> Any:
            value = data.get(column.name)
            if value is None:
                return None
            target = by_name[value["kind"]]
            return named(target, tuple(value["key"][name] for name in target.key_names))

        return generic
    target = column.to[0].__declared__
    shared = next(one for one in definition.references if one.name == column.name).shared
    rest = [name for name in target.key_names if name not in shared]
    name = column.name
    names = target.key_names

    def read(key: Mapping[str, Any], data: Mapping[str, Any]) -> Any:
        if not rest:
            return named(target, tuple(key[shared[one]] for one in names))
        value = data.get(name)
        if value is None:
            return None
        if len(rest) == 1:
            return named(target, tuple(key[shared[one]] if one in shared else value for one in names))
        return named(target, tuple(key[shared[one]] if one in shared else value[one] for one in names))

    return read


def _instant(moment: datetime) -> str:
    text: str = msgspec.to_builtins(moment if moment.tzinfo is UTC else moment.astimezone(UTC))
    return text


def _writer(column: Column, kind: str) -> Callable[[Any], Any]:  # noqa: C901, PLR0915 - one branch for each type
    """Return a function from a field's value to what an event holds of it; it refuses a value of another type."""
    where = f"{kind}.{column.name}"

    def refuse(value: Any, wanted: str) -> BadEntity:
        return BadEntity(
            f"{where}: {value!r} is a {type(value).__name__}, not {wanted}.",
            "Correct the simulator or the fact that made it.",
        )

    def text(value: Any) -> str:
        if value.__class__ is not str:
            if isinstance(value, str) and not isinstance(value, Enum):
                return str(value)
            raise refuse(value, "text")
        if size is not None and len(value) > size:
            raise BadEntity(
                f"{where}: the text {value[:40]!r}… has {len(value)} characters; the limit is {size}.",
                "Shorten it, or raise Size(…).",
            )
        return value  # type: ignore[no-any-return]

    def integer(value: Any) -> int:
        if value.__class__ is not int or not -_LARGEST <= value <= _LARGEST:
            raise refuse(value, "an integer within ±(2^53 - 1)")
        return value  # type: ignore[no-any-return]

    def boolean(value: Any) -> bool:
        if value.__class__ is not bool:
            raise refuse(value, "true or false")
        return value  # type: ignore[no-any-return]

    def decimal(value: Any) -> str:
        if value.__class__ is not Decimal:
            if value.__class__ is not int:
                raise refuse(value, "a Decimal")
            value = Decimal(value)
        try:
            rounded = value.quantize(unit)
        except InvalidOperation:
            raise refuse(value, f"a number with {places} places") from None
        if not rounded.is_finite() or rounded.adjusted() >= column.digits - places:
            raise BadEntity(
                f"{where}: {value} has more than {column.digits} digits with {places} places.",
                "Raise the digits: Places(places, digits).",
            )
        return f"{rounded if rounded else abs(rounded):f}"

    def floating(value: Any) -> str:
        if value.__class__ is not float or value != value or value in {float("inf"), float("-inf")}:  # noqa: PLR0124
            if value.__class__ is int:
                return repr(float(value))
            raise refuse(value, "a finite number")
        return repr(value)

    def day(value: Any) -> str:
        if value.__class__ is not date:
            raise refuse(value, "a date")
        return value.isoformat()  # type: ignore[no-any-return]

    def instant(value: Any) -> str:
        if not isinstance(value, datetime):
            raise refuse(value, "a datetime")
        if value.tzinfo is None:
            raise refuse(value, "a datetime with a time zone")
        return _instant(value)

    def clock(value: Any) -> str:
        if value.__class__ is not time or value.tzinfo is not None:
            raise refuse(value, "a time without a zone")
        return value.isoformat()  # type: ignore[no-any-return]

    def uuid(value: Any) -> str:
        if not isinstance(value, UUID):
            raise refuse(value, "a UUID")
        return str(value)

    def choice(value: Any) -> Any:
        if enum is not None:
            if not isinstance(value, enum):
                raise refuse(value, f"a {enum.__name__}")
            return value.value
        if value not in choices or value.__class__ is bool:
            shown = ", ".join(map(repr, column.choices))
            raise BadEntity(f"{where}: {value!r} is none of {shown}.", "Correct the simulator or the fact.")
        return value

    def json(value: Any) -> Any:
        return plain_json(value, where)

    size, places = column.size, column.places
    unit = Decimal(1).scaleb(-places)
    enum, choices = column.enum, frozenset(column.choices)
    if choices:
        return choice
    writers: dict[Type, Callable[[Any], Any]] = {
        Type.TEXT: text,
        Type.INTEGER: integer,
        Type.BOOLEAN: boolean,
        Type.DECIMAL: decimal,
        Type.FLOAT: floating,
        Type.DATE: day,
        Type.INSTANT: instant,
        Type.TIME: clock,
        Type.UUID: uuid,
        Type.JSON: json,
    }
    return writers[column.type]


def plain_json(value: Any, where: str) -> Any:
    """Return a JSON value as an event holds it: tuples as lists, a whole float as an integer."""
    if value is None or value.__class__ in {str, bool, int}:
        return value
    if value.__class__ is float:
        if value.is_integer() and abs(value) <= _LARGEST:
            return int(value)
        return value
    if isinstance(value, (list, tuple)):
        return [plain_json(one, where) for one in value]
    if isinstance(value, Mapping):
        return {name: plain_json(one, where) for name, one in value.items()}
    raise BadEntity(f"{where}: {value!r} is no JSON value.", "Write decimals, instants and dates as text.")


def _same(value: Any) -> Any:
    return value


def _reader(column: Column) -> Callable[[Any], Any]:
    """Return a function from what an event holds to the field's value."""
    if column.enum is not None:
        return column.enum
    readers: dict[Type, Callable[[Any], Any]] = {
        Type.DECIMAL: Decimal,
        Type.FLOAT: float,
        Type.DATE: date.fromisoformat,
        Type.INSTANT: datetime.fromisoformat,
        Type.TIME: time.fromisoformat,
        Type.UUID: UUID,
    }
    return readers.get(column.type, _same)


def _annotated(cls: type) -> list[str]:
    """Return the names of a class's annotated fields, those of base classes first."""
    names: dict[str, None] = {}
    for one in reversed(cls.__mro__):
        if one is Kind or not issubclass(one, Kind):
            continue
        names.update(dict.fromkeys(inspect.get_annotations(one)))
    return list(names)


def read_event(text: bytes | str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return an event's key and data."""
    event = orjson.loads(text)
    return event["key"], event["data"]

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
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    ClassVar,
    dataclass_transform,
    get_args,
    get_origin,
)

import msgspec

from seedjournal.journal import Kind as Definition
from seedjournal.journal import Misuse

from .failing import brief
from .fields import DECIMAL_DIGITS, BadEntity, Column, instant_text, reader_of

Key = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Size:
    """The largest length of a text, in characters: `Annotated[str, Size(200)]`."""

    characters: int


@dataclass(frozen=True, slots=True)
class Places:
    """How many places a decimal has, and how many digits in all: `Annotated[Decimal, Places(2)]`."""

    places: int
    digits: int = DECIMAL_DIGITS


@dataclass(frozen=True, slots=True)
class KeyAs:
    """The name of a reference's part in a key, or the prefix of its parts if it adds several."""

    name: str


@dataclass(frozen=True, slots=True)
class Fixed:
    """A date that `project --today` does not move, such as a birth: `Annotated[date, Fixed()]`."""


class JsonValue:
    """Marks a field that holds a JSON value; see `Json`."""


Json = Annotated[Any, JsonValue]
"""Any JSON value: texts, numbers, booleans, null, lists, and objects whose names have no character beyond U+D7FF."""


class NotLoaded(AttributeError):
    """A simulator read a field of an entity of which only the key is known."""


class DeclarationError(Misuse):
    """A domain's declaration cannot work; the message lists everything that is wrong with it."""

    def __init__(self, where: str, problems: Sequence[str]) -> None:
        super().__init__(
            f"{where[:1].upper()}{where[1:]}: " + "; ".join(problems) + ".",
            "Correct the declaration; docs/domains.md shows the rules.",
        )
        self.problems = tuple(problems)


def snake(name: str) -> str:
    """Return a class's name in snake case.

    >>> snake("PullRequest"), snake("AIUsageDaily")
    ('pull_request', 'ai_usage_daily')
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a sentence part that names the nearest known name, or nothing."""
    near = difflib.get_close_matches(str(name), list(known), n=1, cutoff=0)
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
        annotated = _annotated(cls)
        names = [one for one in annotated if not one.startswith("_")]
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
            hidden=tuple(one for one in annotated if one.startswith("_")),
        )
        type.__setattr__(cls, "__init__", initializer(names, defaults, checked=False))

    def __setattr__(self, name: str, value: object) -> None:
        """Refuse: entities are immutable."""
        raise AttributeError(f"{type(self).__name__} is immutable; make another entity to change {name!r}")

    __delattr__ = __setattr__  # type: ignore[assignment]

    def __getattr__(self, name: str) -> Any:
        """Raise NotLoaded for a field of an entity that is only named by its key."""
        declared = type(self).__declared__
        if name in declared.fields:
            raise NotLoaded(
                f"{name!r} of {declared.name} {shown_key(self)} is not loaded here. A simulator receives the entities "
                f"in its entity's key; take {type(self).__name__} as `each` or with All[{type(self).__name__}]."
            )
        raise AttributeError(f"{declared.name} has no field {name!r}{nearest(name, declared.fields)}")

    def __eq__(self, other: object) -> bool:
        """Compare kind and key."""
        return type(self) is type(other) and key_of(self) == key_of(other)

    def __hash__(self) -> int:
        """Hash kind and key."""
        return hash((type(self).__declared__.name, key_of(self)))

    def __repr__(self) -> str:
        """Show kind and key."""
        return f"<{type(self).__declared__.name} {shown_key(self)}>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by the fields that are there."""
        return _unpickled, (type(self), {name: value for name, value in self.__dict__.items() if name.isascii()})


KEY_SLOT = "·key"  # under which an entity remembers its key; no field can have this name


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
    """The base class of a domain's documents: frozen records with a key, which facts give and simulators take."""

    __document_key__: ClassVar[tuple[str, ...]]


def document_problems(kind: type[Document]) -> list[str]:
    """Return what is wrong with a class of documents, each a sentence without its end."""
    fields = {one.name: one.type for one in msgspec.structs.fields(kind)}
    problems = [] if kind.__document_key__ else [f"{kind.__name__} has no key; write Document, key=…"]
    for name in kind.__document_key__:
        if name not in fields:
            problems.append(f"{kind.__name__}: the key names {name!r}, which is not a field{nearest(name, fields)}")
        elif may_be_null(fields[name]):
            problems.append(f"{kind.__name__}: the key names {name!r}, which may be null")
    return problems


def may_be_null(annotation: Any) -> bool:
    """Return whether an annotation allows None."""
    return type(None) in get_args(annotation)


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
    hidden: tuple[str, ...] = ()  # names that no field can have
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
    known = entity.__dict__.get(KEY_SLOT)
    if known is None:
        find = type(entity).__declared__.key_of
        if find is None:
            raise Misuse(
                f"{type(entity).__name__} belongs to no domain yet.", "Name it in the `kinds` of a Domain first."
            )
        known = entity.__dict__[KEY_SLOT] = find(entity)
    return known


def shown_key(entity: Kind) -> str:
    """Return an entity's key as people read it."""
    try:
        return "/".join(map(str, key_of(entity)))
    except Exception:  # noqa: BLE001 - what is shown in an error must not raise another
        return "?"


def at(kind: type[Kind], /, **parts: Any) -> Any:  # a part of the key may be named `kind`
    """Return a reference to the entity with this key, which a fact or another simulator makes.

    Raises BadEntity for a part that is missing or unknown.
    """
    if not isinstance(kind, type) or not issubclass(kind, Kind) or kind is Kind:
        raise BadEntity(f"at({brief(kind)}, …): that is no kind.", "Give a subclass of Kind, and the parts of its key.")
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
        return instant_text(value)
    if isinstance(value, Enum):
        value = value.value
    return value if isinstance(value, (str, int)) else value.isoformat() if isinstance(value, date) else str(value)


def named(declared: Declared, key: Key) -> Any:
    """Return an entity of which only the key is known."""
    entity = declared.cls.__new__(declared.cls)
    values = entity.__dict__
    values[KEY_SLOT] = key
    parts = dict(zip(declared.key_names, key, strict=True))
    for name in declared.key:
        column = declared.columns[name]
        if column.to:
            target = column.to[0].__declared__
            mine = {part.theirs: parts[part.name] for part in declared.parts if part.field == name}
            theirs = shared_parts(declared, name)
            values[name] = named(
                target, tuple(mine[one] if one in mine else parts[theirs[one]] for one in target.key_names)
            )
        else:
            values[name] = reader_of(column)(parts[name])
    return entity


def shared_parts(declared: Declared, name: str) -> dict[str, str]:
    """Return for each part of a reference's key the part of this key that holds it, where one does."""
    definition = declared.definition
    if definition is None:
        return {}
    return dict(next(one.shared for one in definition.references if one.name == name))


def initializer(
    names: Sequence[str], defaults: Mapping[str, Any], *, checked: bool, check: Callable[[Any], None] | None = None
) -> Any:
    """Return an `__init__` that takes the fields by name; made from text, since it runs for every entity."""
    required = [name for name in names if name not in defaults]
    optional = [name for name in names if name in defaults]
    signature = ", ".join([*required, *(f"{name}=_defaults[{name!r}]" for name in optional)])
    named = f", /, *, {signature}" if signature else ""  # a field may be named `self`
    lines = [f"def __init__(_entity{named}):", "    _values = _entity.__dict__"]
    lines += [f"    _values[{name!r}] = {name}" for name in names]
    if checked:
        lines.append("    _check(_entity)")
    space: dict[str, Any] = {"_defaults": dict(defaults), "_check": check}
    exec("\n".join(lines), space)  # noqa: S102 - the names are a class's own attributes
    return space["__init__"]


def _annotated(cls: type) -> list[str]:
    """Return the names of a class's annotated fields, those of base classes first."""
    names: dict[str, None] = {}
    for one in reversed(cls.__mro__):
        if one is Kind or not issubclass(one, Kind):
            continue
        names.update(
            dict.fromkeys(name for name, hint in inspect.get_annotations(one).items() if not _is_class_s(hint))
        )
    return list(names)


def _is_class_s(hint: Any) -> bool:
    """Return whether an annotation, perhaps a text, says that the name is the class's and no field."""
    return get_origin(hint) is ClassVar or hint is ClassVar or str(hint).removeprefix("typing.").startswith("ClassVar")

"""The language that rooms share: a kind's key, content, references and default policy, as data.

Simulators state events in it and projectors build tables from it; neither knows the other. A domain is a tuple of
kinds.

A reference says which entity an entity points to. `shared` maps fields of that entity's key to fields of the referring
entity's own key; what it leaves open is the reference's value in the data: a single value, an object of several, or
null.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from hashlib import sha256
from typing import Any

import orjson

from .errors import Damaged, Misuse
from .event import Event, Json
from .fold import Policy


class Type(StrEnum):
    """What a field holds. In events decimals, instants and dates are text of one fixed form."""

    TEXT = "text"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    DECIMAL = "decimal"
    INSTANT = "instant"
    DATE = "date"
    TIME = "time"
    UUID = "uuid"
    FLOAT = "float"
    JSON = "json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One attribute: its type, whether it may be null, and its bounds.

    A field may be nullable although simulators always fill it: a row that somebody made by hand may lack it.
    `size` is a text's largest length in characters; `precision` and `places` are a decimal's. `choices` are all values
    that it may have, if these are listed. A `fixed` date does not move with today. `default` is what the row of a part
    holds while the part is absent.
    """

    name: str
    type: Type = Type.TEXT
    nullable: bool = False
    size: int | None = None
    precision: int = 10
    places: int = 2
    choices: tuple[Json, ...] = ()
    fixed: bool = False
    default: Json = None

    @property
    def moves(self) -> bool:
        """Whether it is a date that moves with today."""
        return self.type in {Type.DATE, Type.INSTANT} and not self.fixed


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A pointer to another entity by its natural key.

    `also` names the other kinds that a generic reference may lead to; the data then holds kind and key.
    """

    name: str
    to: str
    also: tuple[str, ...] = ()
    shared: Mapping[str, str]
    nullable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A type of entity.

    `key` names the natural key's fields in the order in which people give them; `fields` describes every field that is
    neither a reference nor reached through one. `part_of` names the kind whose row this kind's fields are columns of;
    `unique` lists fields that no two entities share; `table` names the table, if it has a name of its own. `is_shared`
    entities belong to no root entity, but to the project that all others share.
    """

    name: str
    key: tuple[str, ...]
    fields: tuple[Field, ...]
    references: tuple[Reference, ...] = ()
    policy: Policy = Policy.ONCE
    part_of: str | None = None
    unique: tuple[tuple[str, ...], ...] = ()
    table: str | None = None
    is_shared: bool = False

    def field(self, name: str) -> Field:
        """Return the field of that name."""
        return next(one for one in self.fields if one.name == name)

    @property
    def absent(self) -> dict[str, Any]:
        """What an event that an earlier declaration made means by the fields and references that it lacks."""
        values = {one.name: one.default for one in self.fields if one.name not in self.key}
        return values | {one.name: None for one in self.references}


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """A domain's kinds, parents before children. `common` is the name of the project that holds the shared kinds."""

    kinds: tuple[Kind, ...]
    common: str | None = None
    by_name: Mapping[str, Kind] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        """Index the kinds."""
        object.__setattr__(self, "by_name", {kind.name: kind for kind in self.kinds})

    def __hash__(self) -> int:
        """Hash the text, as references hold dictionaries."""
        return hash(self.text)

    def __getitem__(self, name: str) -> Kind:
        """Return the kind of that name; raise Misuse if there is none."""
        try:
            return self.by_name[name]
        except KeyError:
            raise Misuse(f"There is no kind {name!r}.", f"The kinds are {', '.join(self.by_name)}.") from None

    @property
    def text(self) -> str:
        """All of it as one canonical text, from which `read_vocabulary` makes it again; what is usual is left out."""
        content = {"common": self.common, "kinds": [_told(kind) for kind in self.kinds]}
        return orjson.dumps(content, option=orjson.OPT_SORT_KEYS).decode()

    @property
    def hash(self) -> bytes:
        """SHA-256 over the text."""
        return hash_kinds(self.text)


def hash_kinds(text: str) -> bytes:
    """Return the SHA-256 of a vocabulary's text."""
    return sha256(b"seedjournal:kinds:1\n" + text.encode()).digest()


def read_vocabulary(text: str) -> Vocabulary:
    """Return the vocabulary of a text; raise Damaged for one that is none."""
    try:
        content = orjson.loads(text)
        return Vocabulary(tuple(_kind(one) for one in content["kinds"]), content["common"])
    except (KeyError, TypeError, ValueError) as error:
        raise Damaged(f"The kinds that a run was recorded with cannot be read: {error!r}") from None


def _told(one: Kind | Field | Reference) -> dict[str, Any]:
    """Return what is said of a kind, field or reference beyond the usual."""
    told: dict[str, Any] = {}
    for about in fields(one):
        value = getattr(one, about.name)
        if value != about.default or about.name == "policy":
            told[about.name] = (
                [_told(each) for each in value]
                if about.name in {"fields", "references"}
                else dict(value)
                if isinstance(value, Mapping)
                else value
            )
    return told


def _kind(told: dict[str, Any]) -> Kind:
    given = {**told, "key": tuple(told["key"]), "policy": Policy(told["policy"])}
    given["fields"] = tuple(
        Field(**{**one, "type": Type(one.get("type", Type.TEXT)), "choices": tuple(one.get("choices", ()))})
        for one in told["fields"]
    )
    references = told.get("references", ())
    given["references"] = tuple(Reference(**{**one, "also": tuple(one.get("also", ()))}) for one in references)
    given["unique"] = tuple(map(tuple, told.get("unique", ())))
    return Kind(**given)


def differing_kinds(recorded: Vocabulary, declared: Vocabulary) -> list[str]:
    """Name the kinds of a recorded vocabulary that a declared one lacks or declares with another key or content."""

    def content(kind: Kind) -> Kind:
        return replace(kind, policy=Policy.EXACT, table=None, unique=())

    return [
        one.name
        for one in recorded.kinds
        if one.name not in declared.by_name or content(declared.by_name[one.name]) != content(one)
    ]


def key_fields(vocabulary: Vocabulary, kind: Kind) -> dict[str, Field]:
    """Return the field that gives each part of a kind's key, also of those parts that a reference brings."""
    fields = {field.name: field for field in kind.fields if field.name in kind.key}
    for reference in kind.references:
        missing = {theirs: ours for theirs, ours in reference.shared.items() if ours not in fields}
        if missing and reference.to != kind.name:
            found = key_fields(vocabulary, vocabulary[reference.to])
            fields.update((ours, found[theirs]) for theirs, ours in missing.items() if theirs in found)
    return fields


def referred_key(vocabulary: Vocabulary, event: Event, reference: Reference) -> dict[str, str | int] | None:
    """Return the natural key of the entity that `event` points to; None where the reference is null."""
    if reference.also:
        led_to: Any = event.data[reference.name]
        return led_to and dict(led_to["key"])
    key: dict[str, str | int] = {theirs: event.key[ours] for theirs, ours in reference.shared.items()}
    rest = [name for name in vocabulary[reference.to].key if name not in key]
    if rest:
        value: Json = event.data[reference.name]
        if value is None:
            return None
        for name in rest:
            part = value[name] if isinstance(value, dict) else value
            if not isinstance(part, (str, int)):
                raise TypeError(f"a natural key is made of text and integers, not {part!r}")
            key[name] = part
    return key

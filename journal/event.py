"""An event, its canonical bytes and its hash: the identity everything else rests on.

Canonical bytes are JSON with sorted names, UTF-8 and no whitespace, as RFC 8785 has it. Only JSON values of a
user's hold numbers with fractions: all else that has any is text.
The hash is SHA-256 over a format tag and those bytes. Both are a format: what is written today must always be readable,
so golden tests pin them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple, NewType, TypeAlias

import orjson
from msgspec import Struct

from .errors import NotCanonical

EventHash = NewType("EventHash", bytes)
KeyBytes = NewType("KeyBytes", bytes)

Scalar: TypeAlias = str | int | float | bool | None
Json: TypeAlias = Scalar | list["Json"] | dict[str, "Json"]
Key: TypeAlias = Mapping[str, str | int]
Data: TypeAlias = Mapping[str, Json]

PlainEncoder: TypeAlias = Callable[[dict[str, "str | int"], dict[str, Json]], "Canonical"]

EVENT_TAG = b"seedjournal:event:1\n"
LARGEST_INTEGER = 2**53 - 1
DEEPEST = 200  # lists and objects in one another; orjson, which writes them, stops at 254

_SCALARS = frozenset((str, int, bool, type(None)))
_KEY_PARTS = frozenset((str, int))
_MAYBE_NUL = b"\\u0000"  # or an escaped backslash before u0000, which the search for the field to blame then clears
_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER | orjson.OPT_PASSTHROUGH_SUBCLASS


class Event(Struct, frozen=True, kw_only=True, gc=False):
    """One immutable statement of an entity's content.

    `key` is what identifies the entity in the world, never a surrogate id; `data` is its whole content.
    """

    project: str
    kind: str
    key: Key
    data: Data


class Canonical(NamedTuple):
    """An event made ready for the journal: where it sorts, its identity, and its bytes."""

    kind: str
    key: KeyBytes
    hash: EventHash
    event: bytes


def canonical_bytes(value: Any, path: str = "value") -> bytes:
    """Return the one byte string for `value`: RFC 8785.

    Raise NotCanonical with the path of the offending field.
    """
    _refuse(value, path)
    return _dump(_written(value), path)


def canonical_key(key: Key) -> KeyBytes:
    """Return a natural key as bytes. Manifests sort by them, in every database alike."""
    return KeyBytes(_dump(key, "key"))


def encode(event: Event) -> Canonical:
    """Return the event's canonical bytes and hash.

    Most content is written directly. Only if that fails, every field is examined, to name the wrong one.
    """
    kind, key, data = event.kind, event.key, event.data
    tail = _tail(kind, event.project, tuple(key), tuple(data))
    if not _SCALARS.issuperset(map(type, data.values())):
        data = dict(data)
        for name, value in data.items():
            if value.__class__ not in _SCALARS:
                _refuse(value, f"data.{name}")
                data[name] = _written(value)
    if not _KEY_PARTS.issuperset(map(type, key.values())):
        for name, part in key.items():
            if part.__class__ not in _KEY_PARTS:
                raise NotCanonical(f"key.{name}", f"a natural key is made of text and integers, not {part!r}")
    try:
        key_bytes = KeyBytes(orjson.dumps(key, option=_OPTIONS))
        text = b'{"data":%b,"key":%b%b' % (orjson.dumps(data, option=_OPTIONS), key_bytes, tail)
    except orjson.JSONEncodeError as error:
        _refuse(data, "data")
        _refuse(key, "key")
        raise NotCanonical(kind, str(error)) from error
    if _MAYBE_NUL in text:
        _refuse(data, "data")
        _refuse(key, "key")
    return Canonical(kind, key_bytes, hash_event(text), text)


def plain_encoder(project: str, kind: str, key: Collection[str], data: Collection[str]) -> PlainEncoder:
    """Return a function from a kind's keys and data to canonical events, for content that is known to be plain.

    Names come in their order as text, and values are texts, integers within bounds, booleans and null.
    """
    tail = _tail(kind, project, tuple(key), tuple(data))
    dumps, sha256 = orjson.dumps, hashlib.sha256

    def encode_plain(key: dict[str, str | int], data: dict[str, Json]) -> Canonical:
        try:
            key_bytes = KeyBytes(dumps(key))
            text = b'{"data":%b,"key":%b%b' % (dumps(data), key_bytes, tail)
        except orjson.JSONEncodeError:
            return encode(Event(project=project, kind=kind, key=key, data=data))
        if _MAYBE_NUL in text:
            return encode(Event(project=project, kind=kind, key=key, data=data))
        return Canonical(kind, key_bytes, EventHash(sha256(EVENT_TAG + text).digest()), text)

    return encode_plain


def decode(text: bytes | str) -> Event:
    """Return the event that a canonical text holds."""
    parts = orjson.loads(text)
    return Event(project=parts["project"], kind=parts["kind"], key=parts["key"], data=parts["data"])


def differing_fields(old: Data, new: Data) -> list[str]:
    """Return the names of the fields whose canonical content differs: null is not absent, and true is not 1.

    >>> differing_fields({"a": 1, "b": None, "c": "x"}, {"a": True, "c": "x"})
    ['a', 'b']
    """
    return sorted(
        name
        for name in old.keys() | new.keys()
        if name not in old or name not in new or canonical_bytes(old[name]) != canonical_bytes(new[name])
    )


def hash_event(text: bytes) -> EventHash:
    """Return SHA-256 over the format tag and an event's canonical bytes."""
    return EventHash(hashlib.sha256(EVENT_TAG + text).digest())


@lru_cache(maxsize=1024)
def _tail(kind: str, project: str, key: tuple[Any, ...], data: tuple[Any, ...]) -> bytes:
    """Return the end of an event's canonical bytes; events of a kind in a project share it if they have the same names.

    Raise NotCanonical for the first name that is not ASCII text.
    """
    for path, names in (("data", data), ("key", key)):
        for name in names:
            _refuse_name(name, path)
    for path, name in (("kind", kind), ("project", project)):
        if name.__class__ is not str or not name:
            raise NotCanonical(path, f"a name must be text, not {name!r}")
    return b',"kind":%b,"project":%b}' % (_dump(kind, "kind"), _dump(project, "project"))


def _dump(value: Any, path: str) -> bytes:
    try:
        text = orjson.dumps(value, option=_OPTIONS)
    except orjson.JSONEncodeError as error:
        _refuse(value, path)
        raise NotCanonical(path, str(error)) from error
    if _MAYBE_NUL in text:
        _refuse(value, path)
    return text


def _refuse(value: Any, path: str, depth: int = 0) -> None:
    """Raise NotCanonical for the first part of `value` that has no canonical form."""
    if value is None or value is True or value is False:
        return
    kind = value.__class__
    if depth > DEEPEST:
        raise NotCanonical(path, f"it is nested more than {DEEPEST} deep")
    if kind is int or kind is float:
        if not -LARGEST_INTEGER <= value <= LARGEST_INTEGER:
            raise NotCanonical(path, f"the {'integer' if kind is int else 'number'} {value} is beyond ±(2^53 - 1)")
    elif kind is str:
        _refuse_text(value, path)
    elif kind is list:
        for index, item in enumerate(value):
            _refuse(item, f"{path}[{index}]", depth + 1)
    elif kind is dict:
        for name, item in value.items():
            _refuse_inner_name(name, path)
            _refuse(item, f"{path}.{name}", depth + 1)
    else:
        raise NotCanonical(path, f"{value!r} is a {kind.__name__}")


def _written(value: Any) -> Any:
    """Return a value in which numbers with fractions are as RFC 8785 writes them, which is as JavaScript does."""
    if value.__class__ is float:
        return orjson.Fragment(number_text(value))
    if value.__class__ is list:
        return [_written(one) for one in value]
    if value.__class__ is dict:
        return {name: _written(one) for name, one in value.items()}
    return value


_MOST_ZEROS = 5  # between the point and the first digit


def number_text(value: float) -> str:
    """Return a number's shortest text, as JavaScript has it.

    >>> [number_text(one) for one in (1.5, -0.0, 100.0, -1.25e-6, 1.25e-7)]
    ['1.5', '0', '100', '-0.00000125', '1.25e-7']
    """
    sign, parts, exponent = Decimal(repr(value)).as_tuple()
    digits = "".join(map(str, parts)).rstrip("0")
    point = len(parts) + int(exponent)  # so many digits stand before it
    if not digits:
        return "0"
    if len(digits) <= point:
        text = digits.ljust(point, "0")
    elif point > 0:
        text = f"{digits[:point]}.{digits[point:]}"
    elif -point <= _MOST_ZEROS:
        text = f"0.{'0' * -point}{digits}"
    else:
        text = f"{digits[0]}{'.' if len(digits) > 1 else ''}{digits[1:]}e{point - 1}"
    return f"-{text}" if sign else text


def _refuse_inner_name(name: Any, path: str) -> None:
    """Raise NotCanonical for a name that no JSON value may have.

    Up to U+D7FF the order of characters is that of RFC 8785, which compares units of UTF-16, and of UTF-8 alike.
    """
    if name.__class__ is not str:
        raise NotCanonical(path, f"the name {name!r} is not text")
    if max(name, default="") >= "\ud800":
        raise NotCanonical(path, f"the name {name!r} holds a character beyond U+D7FF")
    _refuse_text(name, path)


def _refuse_name(name: Any, path: str) -> None:
    if name.__class__ is not str or not name.isascii():
        raise NotCanonical(path, f"the name {name!r} is not ASCII text")
    _refuse_text(name, path)


def _refuse_text(value: str, path: str) -> None:
    if "\0" in value:
        raise NotCanonical(path, "the text holds a NUL character, which PostgreSQL cannot store")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise NotCanonical(path, f"the text holds a lone surrogate at position {error.start}") from error

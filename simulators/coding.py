"""Coding: compiles for each kind how an entity becomes an event, and an event an entity again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import (
    Any,
)

from seedjournal.journal import Type

from .fields import BadEntity, Column, reader_of, writer_of
from .kinds import (
    KEY_SLOT,
    Declared,
    Key,
    initializer,
    key_of,
    named,
    shown_key,
)


def make_ready(declared: Declared) -> None:
    """Compile how the kind's entities are keyed, written and read."""
    declared.key_of = _key_finder(declared)
    declared.encode = _encoder(declared)
    declared.decode = _decoder(declared)
    if any(len(declared.columns[name].to) == 1 for name in declared.fields):
        checks = _ancestor_checks(declared)
        if checks:
            type.__setattr__(
                declared.cls,
                "__init__",
                initializer(declared.fields, declared.defaults, checked=True, check=_checker(declared, checks)),
            )


def _ancestor_checks(declared: Declared) -> list[tuple[str, int, str, int]]:
    """Return which parts of the keys of two references must be equal, as (field, place, other field, other place)."""
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
                    f"{declared.name}: {mine} {shown_key(values[mine])} and {other} {shown_key(values[other])} "
                    "belong to different parents.",
                    "Give the entity two references that belong to the same parent.",
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
        elif column.holds is Type.TEXT and not column.enum:
            lines += _checked_text(name, number)
            space[f"_wrong{number}"] = _wrong_key(declared, name)
            terms.append(f"v{number}")
        else:
            space[f"_write{number}"] = writer_of(column, declared.name)
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
    """Return a function from an entity to an event's key and data, each with its names in their order as text."""
    names = declared.key_names
    plain: list[tuple[str, Callable[[Any], Any]]] = []
    for name in sorted(declared.fields):
        column = declared.columns[name]
        if name in declared.key:
            continue
        plain.append((name, _reference_writer(declared, column) if column.to else writer_of(column, declared.name)))
    space: dict[str, Any] = {"_key_of": key_of, "_names": names}
    items = []
    for number, (name, write) in enumerate(plain):
        space[f"_w{number}"] = write
        column = declared.columns[name]
        value = f"values[{name!r}]"
        call = f"_w{number}({value}, key)" if column.to and len(column.to) == 1 else f"_w{number}({value})"
        items.append(f"{name!r}: {call}" if not column.nullable else f"{name!r}: None if {value} is None else {call}")
    lines = [
        "def encode(entity):",
        "    key = _key_of(entity)",
        "    values = entity.__dict__",
        "    return {"
        + ", ".join(f"{name!r}: key[{place}]" for place, name in sorted(enumerate(names), key=itemgetter(1)))
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
    rest = tuple(
        (place, name)
        for place, name in sorted(enumerate(target.key_names), key=itemgetter(1))
        if name not in reference.shared
    )
    cls, where = column.to[0], f"{declared.name}.{column.name}"

    def write(value: Any, key: Key) -> Any:
        if value.__class__ is not cls:
            raise BadEntity(f"{where}: {value!r} is not a {cls.__name__}.", "Give an entity, or at(…).")
        theirs = value.__dict__.get(KEY_SLOT) or key_of(value)
        for there, here in same:
            if theirs[there] != key[here]:
                raise BadEntity(
                    f"{where} refers to {cls.__name__} {shown_key(value)}, which belongs to another project than "
                    f"{'/'.join(map(str, key))}.",
                    "Refer to an entity of the same project.",
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
            raise BadEntity(f"{where}: {value!r} is not one of {names}.", "Give an entity, or at(…).")
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
            readers.append((name, _key_reader(name, reader_of(column))))
        else:
            readers.append((name, _data_reader(name, column, declared.defaults)))
    names = declared.key_names

    def decode(key: Mapping[str, Any], data: Mapping[str, Any]) -> Any:
        entity = cls.__new__(cls)
        values = entity.__dict__
        values[KEY_SLOT] = tuple(key[name] for name in names)
        for name, read in readers:
            values[name] = read(key, data)
        return entity

    return decode


def _key_reader(name: str, read: Callable[[Any], Any]) -> Callable[[Mapping[str, Any], Mapping[str, Any]], Any]:
    return lambda key, _: read(key[name])


def _data_reader(
    name: str, column: Column, defaults: Mapping[str, Any]
) -> Callable[[Mapping[str, Any], Mapping[str, Any]], Any]:
    read = reader_of(column)
    if column.holds in {Type.TEXT, Type.INTEGER, Type.BOOLEAN, Type.JSON} and not column.enum:
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

"""Fields: the types that a field may have, and how its values are read, stored and read back.

Each type has its place in `TYPES` (its annotation), `converter` (from text, JSON or SQL), `writer_of` (into an event)
and `reader_of` (out of an event).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

from seedjournal.journal import BadInput, Type

if TYPE_CHECKING:
    from .kinds import Kind

LARGEST = 2**53 - 1
DECIMAL_DIGITS = 10
_DECIMAL_PLACES = 2

# The type of field that an annotation means.
TYPES: dict[Any, Type] = {
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


class BadEntity(BadInput):
    """An entity has a value that its kind does not allow, or two entities contradict each other."""

    kind = "entity"


@dataclass(slots=True, kw_only=True)
class Column:
    """One field, as its annotation says: a value of some type, or a reference to one kind or several."""

    name: str
    holds: Type = Type.TEXT
    nullable: bool = False
    size: int | None = None
    places: int = _DECIMAL_PLACES
    digits: int = DECIMAL_DIGITS
    choices: tuple[Any, ...] = ()
    enum: type[Enum] | None = None
    fixed: bool = False
    to: tuple[type[Kind], ...] = ()
    key_as: str | None = None
    problem: str = ""


def converter(column: Column) -> Callable[[Any], Any]:
    """Return a function from a text (or a JSON or SQL value) to a field's value; it raises ValueError."""
    if column.enum is not None:
        enum = column.enum
        return lambda value: enum(int(value) if column.holds is Type.INTEGER else value)
    converters: dict[Type, Callable[[Any], Any]] = {
        Type.TEXT: str,
        Type.INTEGER: _integer,
        Type.BOOLEAN: _boolean,
        Type.DECIMAL: _decimal,
        Type.FLOAT: float,
        Type.DATE: _date,
        Type.INSTANT: _instant,
        Type.TIME: lambda value: value if isinstance(value, time) else time.fromisoformat(value),
        Type.UUID: lambda value: value if isinstance(value, UUID) else UUID(str(value)),
        Type.JSON: _json,
    }
    return converters[column.holds]


def _integer(value: Any) -> int:
    if isinstance(value, bool) or (isinstance(value, (float, Decimal)) and value != int(value)):
        raise ValueError("it is not an integer")
    return int(value)


def _boolean(value: Any) -> bool:
    if isinstance(value, (bool, int)) and value in {0, 1}:
        return bool(value)
    known = {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False, "t": True, "f": False}
    if str(value).lower() not in known:
        raise ValueError("write true or false")
    return known[str(value).lower()]


def _decimal(value: Any) -> Decimal:
    return value if isinstance(value, Decimal) else Decimal(str(value))


def _date(value: Any) -> date:
    if isinstance(value, datetime):
        return value.date()
    return value if isinstance(value, date) else date.fromisoformat(value)


def _instant(value: Any) -> datetime:
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError("it has no time zone; write 2026-01-05T09:00:00Z")
    return moment.astimezone(UTC)


def _json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


def writer_of(column: Column, kind: str) -> Callable[[Any], Any]:  # noqa: C901, PLR0915 - one branch for each type
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
        return value

    def integer(value: Any) -> int:
        if value.__class__ is not int or not -LARGEST <= value <= LARGEST:
            raise refuse(value, "an integer within ±(2^53 - 1)")
        return value

    def boolean(value: Any) -> bool:
        if value.__class__ is not bool:
            raise refuse(value, "true or false")
        return value

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
        return f"{rounded or abs(rounded):f}"

    def floating(value: Any) -> str:
        if value.__class__ is not float or value != value or value in {float("inf"), float("-inf")}:  # noqa: PLR0124
            if value.__class__ is int:
                return repr(float(value))
            raise refuse(value, "a finite number")
        return repr(value)

    def day(value: Any) -> str:
        if value.__class__ is not date:
            raise refuse(value, "a date")
        return value.isoformat()

    def instant(value: Any) -> str:
        if not isinstance(value, datetime):
            raise refuse(value, "a datetime")
        if value.tzinfo is None:
            raise refuse(value, "a datetime with a time zone")
        return instant_text(value)

    def clock(value: Any) -> str:
        if value.__class__ is not time or value.tzinfo is not None:
            raise refuse(value, "a time without a zone")
        return value.isoformat()

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
            raise BadEntity(f"{where}: {value!r} is not one of {shown}.", "Correct the simulator or the fact.")
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
    return writers[column.holds]


def plain_json(value: Any, where: str) -> Any:
    """Return a JSON value as an event holds it: tuples as lists, a whole float as an integer."""
    if value is None or value.__class__ in {str, bool, int}:
        return value
    if value.__class__ is float:
        if value.is_integer() and abs(value) <= LARGEST:
            return int(value)
        return value
    if isinstance(value, (list, tuple)):
        return [plain_json(one, where) for one in value]
    if isinstance(value, Mapping):
        return {name: plain_json(one, where) for name, one in value.items()}
    raise BadEntity(f"{where}: {value!r} is not a JSON value.", "Write decimals, instants and dates as text.")


def reader_of(column: Column) -> Callable[[Any], Any]:
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
    return readers.get(column.holds, _same)


def _same(value: Any) -> Any:
    return value


def instant_text(moment: datetime) -> str:
    """Return an instant as events write it: RFC 3339, UTC, `Z`."""
    text: str = msgspec.to_builtins(moment if moment.tzinfo is UTC else moment.astimezone(UTC))
    return text

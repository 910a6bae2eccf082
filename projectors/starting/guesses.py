"""Believable values: which draw fits a column, by its type, its name and its limits.

What is chosen is a Python expression for the module that a user starts from: `one` is the row's draws, `place` the
row's number from 1, `run` the run.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from enum import StrEnum

from ..mapped.catalogue import Column
from .checks import Limits


class Sort(StrEnum):
    """What a column holds, whatever the database calls it."""

    TEXT = "text"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    DECIMAL = "decimal"
    FLOAT = "float"
    DATE = "date"
    INSTANT = "instant"
    TIME = "time"
    UUID = "uuid"
    JSON = "json"
    LIST = "list"
    SPELLED = "spelled"  # written as text, and cast to the column's type
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Guess:
    """How a column is filled: the field's annotation, and the expression that gives a value.

    `is_known` says that the name or the constraints tell what belongs there; `note` is what a person should look at.
    """

    annotation: str
    value: str
    is_known: bool = True
    is_distinct: bool = False
    most: int | None = None  # so many different values there are
    note: str = ""


_POSTGRESQL = {
    "int2": Sort.INTEGER,
    "int4": Sort.INTEGER,
    "int8": Sort.INTEGER,
    "bool": Sort.BOOLEAN,
    "numeric": Sort.DECIMAL,
    "money": Sort.DECIMAL,
    "float4": Sort.FLOAT,
    "float8": Sort.FLOAT,
    "date": Sort.DATE,
    "timestamp": Sort.INSTANT,
    "timestamptz": Sort.INSTANT,
    "time": Sort.TIME,
    "uuid": Sort.UUID,
    "json": Sort.JSON,
    "jsonb": Sort.JSON,
    "text[]": Sort.LIST,
    "varchar[]": Sort.LIST,
    "enum": Sort.TEXT,
    "citext": Sort.TEXT,
    "inet": Sort.SPELLED,
    "cidr": Sort.SPELLED,
    "macaddr": Sort.SPELLED,
    "interval": Sort.SPELLED,
}
_SQLITE = (
    ("BOOL", Sort.BOOLEAN),
    ("DATETIME", Sort.INSTANT),
    ("TIMESTAMP", Sort.INSTANT),
    ("DATE", Sort.DATE),
    ("TIME", Sort.TIME),
    ("JSON", Sort.JSON),
    ("UUID", Sort.UUID),
    ("INT", Sort.INTEGER),
    ("CHAR", Sort.TEXT),
    ("TEXT", Sort.TEXT),
    ("CLOB", Sort.TEXT),
    ("REAL", Sort.FLOAT),
    ("FLOA", Sort.FLOAT),
    ("DOUB", Sort.FLOAT),
    ("BLOB", Sort.OTHER),
    ("DEC", Sort.DECIMAL),
    ("NUM", Sort.DECIMAL),
    ("YEAR", Sort.INTEGER),
    ("MONEY", Sort.DECIMAL),
)
PLAIN_TEXTS = (
    "",
    "0",
    "{}",
    "empty",
    "(0,0)",
    "((0,0),(1,1))",
    "<(0,0),1>",
    "{1,-1,0}",
    "00:00+00",
    "0/0",
    "00:00:5e:00:53:01:02:03",
    "(,)",
    "a",
)  # of which types take one that no field can have: bytes, bits, ranges, shapes, rows
LARGEST = 2**53 - 1
_SHORT = 8  # letters; a shorter code may be drawn twice
_LONG = 60  # letters; a longer text fits, whatever is drawn
_PLACES = re.compile(r"\((\d+)(?:\s*,\s*(\d+))?\)")
_TOKENS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")


def sort_of(column: Column, *, is_on_postgresql: bool) -> Sort:
    """Say what a column holds."""
    if is_on_postgresql:
        return _POSTGRESQL.get(column.base, Sort.TEXT if column.is_text else Sort.OTHER)
    declared = next((sort for part, sort in _SQLITE if part in column.type.upper()), Sort.TEXT)
    return declared if declared is not Sort.TEXT or "CHAR" in column.type.upper() else _moment_in_text(column.name)


def _moment_in_text(name: str) -> Sort:
    """Say what a text holds in SQLite, which has no type for moments: a name such as `created_at` tells."""
    *before, last = words_of(name) or [""]
    if last in {"timestamp", "datetime"} or (before and last == "at"):
        return Sort.INSTANT
    return Sort.DATE if last == "date" or (before and last == "on") else Sort.TEXT


def length_of(column: Column, limits: Limits) -> int | None:
    """Return how many characters a text may have: SQLite only says so, and does not look."""
    declared = column.length
    if declared is None and "CHAR" in column.type.upper() and (match := _PLACES.search(column.type)):
        declared = int(match[1])
    known = [one for one in (declared, limits.longest) if one is not None]
    return min(known) if known else None


def digits_of(column: Column) -> tuple[int, int]:
    """Return how many digits a number has, and how many places of them."""
    if column.precision is not None and column.scale is not None:
        return column.precision - min(column.scale, 0), max(column.scale, 0)
    if match := _PLACES.search(column.type):
        return int(match[1]), int(match[2] or 0)
    return 10, 2


def words_of(name: str) -> list[str]:
    """Split a column's name: `firstName` and `first_name` are the same two words."""
    return [one.lower() for one in _TOKENS.findall(name)]


# -- texts ---------------------------------------------------------------------------------------------------------

# What a column's name ends with, the expression, and how long it may get. `{n}` is the name of the draw.
_TEXTS: tuple[tuple[str, str, int], ...] = (
    ("email|mail|e mail|email address", "one.email({n})", 60),
    ("first name|firstname|given name|forename", "one.name({n}).split()[0]", 20),
    ("last name|lastname|surname|family name", "one.name({n}).split()[-1]", 20),
    ("username|user name|login|nickname|nick|handle|screen name", 'f"user-{{one.code({n}).lower()}}"', 13),
    ("full name|fullname|person|author|contact|display name|customer name|contact name", "one.name({n})", 40),
    ("company|company name|organization|organisation|employer|manufacturer|vendor|brand", "one.company({n})", 50),
    ("city|town|district|municipality|place|capital", "one.city({n})", 40),
    ("street|address|address1|address 1|address line|street address|line 1", "one.street({n})", 60),
    ("postal code|postcode|zip|zip code|zipcode", 'f"{{one.integer({n}, 10000, 99999)}}"', 5),
    ("phone|phone number|telephone|mobile|fax|tel", "one.phone({n})", 18),
    ("country code", 'one.choose({n}, ("DE", "FR", "GB", "JP", "US"))', 2),
    ("country|nation", 'one.choose({n}, ("Brazil", "France", "Germany", "Japan", "Kenya"))', 8),
    ("state|province|region|county", "one.city({n})", 40),
    ("currency|currency code", 'one.choose({n}, ("EUR", "GBP", "USD"))', 3),
    ("language|language code|locale|lang", 'one.choose({n}, ("de", "en", "fr"))', 2),
    ("timezone|time zone|tz", 'one.choose({n}, ("Europe/Berlin", "UTC"))', 13),
    ("sqlalchemy uri|database uri|database url|connection string|dsn", '"sqlite://"', 9),
    ("slug|url path", "one.code({n}).lower()", 8),
    ("url|link|website|homepage|uri|web site|href", 'f"https://example.com/{{one.code({n}).lower()}}"', 28),
    ("domain|hostname|host", 'f"{{one.code({n}).lower()}}.example.com"', 20),
    ("ip|ip address", 'f"192.0.2.{{one.integer({n}, 1, 254)}}"', 13),
    ("color|colour", 'one.choose({n}, ("#1f77b4", "#2ca02c", "#d62728"))', 7),
    ("gender|sex", 'one.choose({n}, ("f", "m"))', 1),
    ("title|subject|headline|heading|summary|caption|label", "one.sentence({n})", 90),
    (
        "description|text|body|content|notes|note|comment|message|remark|bio|about|details|excerpt",
        "one.sentence({n})",
        90,
    ),
    ("file|filename|file name|path|image|picture|avatar|photo|logo", 'f"{{one.code({n}).lower()}}.png"', 12),
    ("mime type|content type|mimetype", 'one.choose({n}, ("image/png", "text/plain"))', 10),
    ("version", 'f"1.{{one.integer({n}, 0, 20)}}"', 4),
    (
        "code|sku|reference|ref|number|isbn|barcode|serial|token|hash|key|uid|uuid|guid|identifier|external id",
        "one.code({n})",
        8,
    ),
    ("name", "one.word({n}).capitalize()", 16),
)
_ENDINGS = {ending: (value, most) for endings, value, most in _TEXTS for ending in endings.split("|")}
_SECRETS = {"password", "passwd", "pwd", "secret", "salt", "credential", "credentials"}
_STATES = {"status", "state", "type", "kind", "role", "level", "category", "stage", "mode"}
_PEOPLE = {
    *"actor author client contact customer employee guest member patient person passenger player staff student teacher"
    " user users people".split()
}
_FIRMS = {*"company firm organization organisation supplier vendor employer publisher manufacturer".split()}


def is_secret(name: str) -> bool:
    """Say whether a column is named as what nobody should know."""
    return bool(_SECRETS & set(words_of(name)))


def _ending(words: list[str]) -> tuple[str, int] | None:
    """Find the longest ending of a name that is known."""
    for start in range(max(0, len(words) - 3), len(words)):
        if found := _ENDINGS.get(" ".join(words[start:])):
            return found
    return None


def _inside(value: str) -> str:
    """Return an f-string in which the quotes inside braces are single ones, as Python 3.11 needs them."""
    return (
        re.sub(r"(?<=\{)[^{}]*(?=\})", lambda match: match[0].replace('"', "'"), value)
        if value.startswith("f")
        else value
    )


def _text(name: str, column: Column, limits: Limits, table: str, *, distinct: bool) -> Guess:
    length = length_of(column, limits)
    words, quoted = words_of(name), f'"{name}"'
    annotation = f"Annotated[str, Size({length})]" if length is not None else "str"
    if distinct:
        return _distinct_text(name, annotation, length, limits, words)
    known = _ending(words)
    if words == ["name"] and _PEOPLE & set(words_of(table)):
        known = ("one.name({n})", 40)
    elif words == ["name"] and _FIRMS & set(words_of(table)):
        known = ("one.company({n})", 50)
    elif words[-1:] == ["country"] and length == len("DE"):
        known = _ENDINGS["country code"]
    note = ""
    if known is None and words and words[-1] in _STATES:
        known, note = ('one.choose({n}, ("active", "inactive"))', 8), "the values that the application knows?"
    value, most = known or ("one.word({n})", 16)
    return Guess(
        annotation,
        _inside(_fitted(value.format(n=quoted), most, length, limits, quoted)),
        known is not None and not note,
        note=note,
    )


def _fitted(value: str, most: int, length: int | None, limits: Limits, quoted: str) -> str:
    """Return an expression whose text is as long as it may be."""
    shortest = limits.shortest
    if length is not None and most > length:
        is_cut = value.startswith(("one.sentence", "one.name", "one.word", "one.city", "one.street", "one.company"))
        value = f"{value}[:{length}]" if is_cut and length > 1 else f"one.code({quoted}, {length})"
    if shortest > 1:
        least = min(shortest, length or shortest)
        value = f"one.code({quoted}, {max(least, min(length or _SHORT, _SHORT))})"
    return value


def _distinct_text(name: str, annotation: str, length: int | None, limits: Limits, words: list[str]) -> Guess:
    """Return a text that no two rows share."""
    quoted = f'"{name}"'
    is_mail = bool({"email", "mail"} & set(words))
    least = max(limits.shortest, 1)
    if is_mail and (length is None or length >= _LONG):
        return Guess(annotation, f"one.email({quoted})", is_distinct=True)
    if is_mail and length is not None and length >= len("@example.com") + _SHORT:
        return Guess(annotation, _inside(f'f"{{one.code({quoted}).lower()}}@example.com"'), is_distinct=True)
    if length is not None and length < _SHORT:
        return Guess(annotation, f'f"{{place:0{length}}}"', is_distinct=True, most=10**length - 1)
    size = max(_SHORT, least)
    if (
        words
        and words[-1] in {"name", "title", "label"}
        and (length is None or length >= _SHORT + 6)
        and least <= _SHORT
    ):
        room = 16 if length is None else min(16, length - 6)
        cut = "" if room >= 16 else f"[:{room}]"  # noqa: PLR2004 - no word is longer
        return Guess(annotation, _inside(f'f"{{one.word({quoted}){cut}.capitalize()}} {{place}}"'), is_distinct=True)
    if words and words[-1] in {"url", "link", "website", "uri"} and (length is None or length > 30):  # noqa: PLR2004
        return Guess(
            annotation, _inside(f'f"https://example.com/{{one.code({quoted}, 10).lower()}}"'), is_distinct=True
        )
    size = max(size, 10 if length is None or length >= 10 else size)  # noqa: PLR2004 - 50 bits
    lower = ".lower()" if words and words[-1] in {"slug", "path", "username", "login", "handle"} else ""
    return Guess(annotation, f"one.code({quoted}, {size}){lower}", is_distinct=True)


# -- numbers and moments -------------------------------------------------------------------------------------------

_INTEGERS: tuple[tuple[str, int, int], ...] = (
    ("year", 1990, 2025),
    ("age", 18, 90),
    ("quantity qty count amount stock copies seats", 1, 20),
    ("price cost total cents salary", 100, 10_000),
    ("percent percentage pct", 0, 100),
    ("rating score stars", 1, 5),
    ("duration minutes length", 5, 180),
    ("seconds", 1, 3600),
    ("hours", 1, 40),
    ("width height size", 10, 2000),
    ("month", 1, 12),
    ("day weekday", 1, 7),
    ("population", 1000, 1_000_000),
    ("position order rank sort priority place ordering sequence seq", 1, 100),
)
_DECIMALS: tuple[tuple[str, str, str], ...] = (
    ("price cost total amount fee salary balance subtotal value payment charge", "5", "500"),
    ("rate ratio discount tax share probability", "0", "1"),
    ("percent percentage", "0", "100"),
    ("latitude lat", "-60", "70"),
    ("longitude lng lon long", "-170", "170"),
    ("weight length width height", "1", "100"),
    ("rating score", "1", "5"),
)


def _range_of(
    limits: Limits, low: Decimal, high: Decimal, most: Decimal | None, unit: Decimal
) -> tuple[Decimal, Decimal]:
    """Put a range between the limits."""
    width = high - low
    least = limits.low + (unit if limits.is_above else 0) if isinstance(limits.low, Decimal) else None
    top = limits.high - (unit if limits.is_below else 0) if isinstance(limits.high, Decimal) else None
    if most is not None:
        top = most if top is None else min(top, most)
    if least is not None and (low < least or (top is not None and low > top)):
        low = least
        high = max(high, low + width) if top is None else min(max(high, low), top)
    if top is not None and high > top:
        high = top
        low = min(low, high) if least is None else max(least, min(low, high))
    return low, high


def _integer(name: str, column: Column, limits: Limits, *, distinct: bool, first: int) -> Guess:
    most = column.largest or Decimal(LARGEST)
    if "SMALLINT" in column.type.upper():
        most = Decimal(2**15 - 1)
    words = set(words_of(name))
    found = next(((low, high) for known, low, high in _INTEGERS if words & set(known.split())), None)
    begin, end = found or (0, 100)
    low, high = _range_of(limits, Decimal(begin), Decimal(end), most, Decimal(1))
    if distinct:
        _, top = _range_of(limits, Decimal(0), most, most, Decimal(1))
        start = first if first + 10_000 <= top else 0
        start = max(start, int(limits.low) if isinstance(limits.low, Decimal) else start)
        value = f"{start:_} + place" if start else "place"
        return Guess("int", value, is_distinct=True, most=int(top) - start)
    is_known = found is not None or limits.low is not None
    return Guess("int", f'one.integer("{name}", {int(low):_}, {int(high):_})', is_known)


def _decimal(name: str, column: Column, limits: Limits) -> Guess:
    digits, places = digits_of(column)
    digits, places = min(digits, 15), min(places, 10)
    unit = Decimal(1).scaleb(-places)
    most = (Decimal(10) ** digits - 1).scaleb(-places)
    words = set(words_of(name))
    found = next(((low, high) for known, low, high in _DECIMALS if words & set(known.split())), None)
    low, high = _range_of(limits, Decimal((found or ("0", "100"))[0]), Decimal((found or ("0", "100"))[1]), most, unit)
    high = max(high, low)
    return Guess(
        f"Annotated[Decimal, Places({places}, {digits})]",
        f'one.decimal("{name}", {_number(low, places)}, {_number(high, places)}, {places})',
        found is not None or limits.low is not None,
    )


def _number(value: Decimal, places: int) -> str:
    plain = value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_FLOOR).normalize()
    return f"{plain:f}"


def _date(name: str, limits: Limits) -> Guess:
    words = set(words_of(name))
    if words & {"birth", "birthday", "birthdate", "dob", "born"}:
        return Guess("Annotated[date, Fixed()]", f'one.day("{name}", date(1945, 1, 1), date(2005, 12, 31))')
    first, last = _days(limits)
    return Guess("date", f'one.day("{name}", {first}, {last})', is_known=True)


def _days(limits: Limits) -> tuple[str, str]:
    """Return the first and the last day that a constraint allows, as expressions."""
    first, last = _day(limits.low), _day(limits.high)
    if first and last:
        return first, last
    return first or "date(2024, 1, 1)", last or "run.today"


def _day(bound: Decimal | str | None) -> str | None:
    match = re.match(r"(\d{4})-(\d\d)-(\d\d)", bound) if isinstance(bound, str) else None
    return f"date({int(match[1])}, {int(match[2])}, {int(match[3])})" if match else None


def _boolean(name: str) -> Guess:
    words = set(words_of(name))
    if words & {
        *"superuser admin staff deleted locked banned blocked removed disabled hidden archived expired".split()
    }:
        return Guess("bool", "False")
    share = 0.9 if words & {*"active enabled live public verified available confirmed".split()} else 0.5
    return Guess("bool", f'one.chance("{name}", {share})', is_known=False)


def _chosen(name: str, choices: tuple[object, ...], sort: Sort, column: Column) -> Guess:
    if sort in {Sort.TEXT, Sort.INTEGER}:
        plain = tuple(int(one) if isinstance(one, Decimal) else str(one) for one in choices)
        spelled = ", ".join(_quoted(one) for one in plain)
        annotation = f"Literal[{spelled}]"
    else:
        spelled = ", ".join(f'Decimal("{one}")' for one in choices)
        annotation = "Annotated[Decimal, Places({1}, {0})]".format(*digits_of(column))
    comma = "," if len(choices) == 1 else ""
    return Guess(annotation, f'one.choose("{name}", ({spelled}{comma}))')


def _one_of(name: str, column: Column, sort: Sort, limits: Limits) -> Guess | None:
    """Choose among values of which the database says that it takes them."""
    spelled = {
        Sort.TEXT: _quoted,
        Sort.INTEGER: lambda one: one,
        Sort.DECIMAL: lambda one: f'Decimal("{one}")' if "." in one else f"Decimal({one})",
        Sort.FLOAT: lambda one: str(float(one)),
        Sort.BOOLEAN: lambda one: one.capitalize(),
        Sort.DATE: _day,
    }.get(sort)
    if spelled is None:
        return None
    listed = ", ".join(str(spelled(one)) for one in limits.examples)
    comma = "," if len(limits.examples) == 1 else ""
    annotation = {
        Sort.TEXT: "str",
        Sort.INTEGER: "int",
        Sort.DECIMAL: "Annotated[Decimal, Places({1}, {0})]".format(*digits_of(column)),
        Sort.FLOAT: "float",
        Sort.BOOLEAN: "bool",
        Sort.DATE: "date",
    }[sort]
    return Guess(annotation, f'one.choose("{name}", ({listed}{comma}))', note="other values that its CHECK allows?")


def _quoted(value: int | str) -> str:
    if isinstance(value, int):
        return str(value)
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def guess(  # noqa: C901, PLR0911, PLR0912 - one for each sort of value
    name: str, column: Column, sort: Sort, limits: Limits, *, table: str, distinct: bool = False, first: int = 0
) -> Guess | None:
    """Choose how a column is filled, for a field of this name; None where it has a type that no field can have.

    With `distinct`, no two rows get one value, if the type has enough of them; integers then begin above `first`.
    """
    choices = limits.choices or column.labels
    if choices and sort in {Sort.TEXT, Sort.INTEGER, Sort.DECIMAL}:
        return _chosen(name, tuple(choices), sort, column)
    if limits.examples and (found := _one_of(name, column, sort, limits)):
        return found
    match sort:
        case Sort.TEXT:
            return _text(name, column, limits, table, distinct=distinct)
        case Sort.INTEGER:
            return _integer(name, column, limits, distinct=distinct, first=first)
        case Sort.DECIMAL:
            return _decimal(name, column, limits)
        case Sort.FLOAT:
            low, high = _range_of(limits, Decimal(0), Decimal(100), None, Decimal(1))
            return Guess("float", f'round(one.between("{name}", {low:f}, {high:f}), 2)', is_known=False)
        case Sort.BOOLEAN:
            return _boolean(name)
        case Sort.DATE:
            return _date(name, limits)
        case Sort.INSTANT:
            return Guess("datetime", 'one.instant("{}", {}, {})'.format(name, *_days(limits)))
        case Sort.TIME:
            return Guess("time", f'time(one.integer("{name}", 8, 17), 0)', is_known=False)
        case Sort.UUID:
            return Guess("UUID", f'one.uuid("{name}")', is_distinct=True)
        case Sort.LIST:
            return Guess("Json", f'[one.word("{name}")]', is_known=False)
        case Sort.SPELLED:
            spelled = {
                "interval": f"f\"{{one.integer('{name}', 1, 72)}} hours\"",
                "macaddr": f"f\"00:00:5e:00:53:{{one.integer('{name}', 0, 255):02x}}\"",
            }
            return Guess("str", spelled.get(column.base, f"f\"192.0.2.{{one.integer('{name}', 1, 254)}}\""))
        case _:
            return None


def names_used(expression: str) -> list[str]:
    """Return the names that an expression needs, but for those of functions and classes, in their order.

    >>> names_used('placed_at + timedelta(hours=one.integer("hours", 1, 5)) if orders else None')
    ['placed_at', 'one', 'orders']
    """
    tree = ast.parse(expression, mode="eval")
    called = {id(one.func) for one in ast.walk(tree) if isinstance(one, ast.Call)}
    names = [one for one in ast.walk(tree) if isinstance(one, ast.Name) and id(one) not in called]
    return list(dict.fromkeys(one.id for one in sorted(names, key=lambda one: (one.lineno, one.col_offset))))

"""What CHECK constraints say of a column, as far as it is one of the usual things.

A constraint is read as the database spells it. What it says becomes bounds, choices and orders of columns; what is
not understood is named, and nothing is guessed from it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

_CAST = re.compile(
    r"::\s*(?:character varying|double precision|bit varying|time(?:stamp)?(?:\(\d\))? with(?:out)? time zone"
    r'|(?:"[^"]+"|\w+)(?:\.(?:"[^"]+"|\w+))?)(?:\s*\(\d+(?:,\s*\d+)?\))?(?:\[\])*'
)
_TOKEN = re.compile(
    r"""\s*(?:(?P<text>E?'(?:[^']|'')*')|(?P<number>\d+(?:\.\d+)?)|(?P<name>"(?:[^"]|"")+"|`[^`]+`|[A-Za-z_]\w*)
    |(?P<sign><=|>=|<>|!=|!~~\*?|!~\*?|~~\*?|~\*?|\|\||[-+*/%<>=(),\[\]]))""",
    re.VERBOSE,
)
_LENGTHS = {"char_length", "character_length", "length"}
_TRIMS = {"btrim", "trim", "rtrim", "ltrim"}
_MIRRORED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "=": "=", "<>": "<>"}


class NotUnderstood(ValueError):
    """An expression is none of the usual ones."""


class Name(NamedTuple):
    """A column."""

    name: str


class Call(NamedTuple):
    """A function of something."""

    name: str
    arguments: tuple[Any, ...]


class Compared(NamedTuple):
    """Two things, and how they are compared."""

    sign: str
    left: Any
    right: Any


class Joined(NamedTuple):
    """Conditions of which all hold, or one."""

    word: str
    parts: tuple[Any, ...]


@dataclass(slots=True)
class Limits:
    """What the values of one column must be."""

    choices: tuple[Any, ...] | None = None
    low: Decimal | str | None = None
    high: Decimal | str | None = None
    is_above: bool = False  # and not `low` itself
    is_below: bool = False
    shortest: int = 0
    longest: int | None = None
    is_json: bool = False
    is_required: bool = False
    examples: tuple[str, ...] = ()  # values that the database accepts, where the constraint is more than the usual
    is_null: bool = False  # only null is accepted

    def rise(self, low: Decimal | str, *, is_above: bool) -> None:
        """Take a lower bound."""
        if self.low is None or (type(self.low) is type(low) and self.low <= low):  # type: ignore[operator]
            self.low, self.is_above = low, is_above

    def sink(self, high: Decimal | str, *, is_below: bool) -> None:
        """Take an upper bound."""
        if self.high is None or (type(self.high) is type(high) and self.high >= high):  # type: ignore[operator]
            self.high, self.is_below = high, is_below


@dataclass(slots=True)
class Said:
    """What a table's constraints say: each column's limits, the order of columns, and what was not understood."""

    limits: dict[str, Limits] = field(default_factory=dict)
    before: list[tuple[str, str]] = field(default_factory=list)
    unequal: list[tuple[str, str]] = field(default_factory=list)
    unclear: list[str] = field(default_factory=list)

    def of(self, column: str) -> Limits:
        """Return a column's limits."""
        return self.limits.setdefault(column, Limits())


def read_checks(checks: Iterable[str], columns: Iterable[str], said: Said | None = None, value: str = "") -> Said:
    """Read constraints; in those of a column's type, `value` is the column that VALUE means."""
    said = said if said is not None else Said()
    names = {name.lower(): name for name in columns}
    for check in checks:
        trial = Said()
        try:
            for part in _all_of(parse(check)):
                _take(part, trial, names, value)
        except NotUnderstood:
            said.unclear.append(check)
            continue
        for one in _all_of(parse(check)):
            _take(one, said, names, value)
    return said


def _all_of(tree: Any) -> Iterator[Any]:
    if isinstance(tree, Joined) and tree.word == "AND":
        for part in tree.parts:
            yield from _all_of(part)
    else:
        yield tree


def _take(  # noqa: C901, PLR0912 - one for each form
    tree: Any, said: Said, names: dict[str, str], value: str
) -> None:
    def column(one: Any) -> str | None:
        if not isinstance(one, Name):
            return None
        if one.name.upper() == "VALUE" and value:
            return value
        if one.name.lower() not in names:
            raise NotUnderstood(one.name)
        return names[one.name.lower()]

    match tree:
        case Compared(sign, left, right) if sign in _MIRRORED:
            if isinstance(left, (Decimal, str)):
                sign, left, right = _MIRRORED[sign], right, left
            mine, other = column(left), column(right)
            if mine and other and sign in "< <= > >=".split():
                said.before.append((mine, other) if sign.startswith("<") else (other, mine))
            elif mine and other and sign == "<>":
                said.unequal.append((mine, other))
            elif mine and isinstance(right, (Decimal, str)):
                _bound(said.of(mine), sign, right)
            elif isinstance(left, Call) and isinstance(right, Decimal) and (of := _measured(left, column)):
                _measure(said.of(of), sign, int(right))
            elif isinstance(left, Call) and right == "" and sign == "<>" and left.name in _TRIMS:
                _measure(said.of(_first(left, column)), ">=", 1)
            else:
                raise NotUnderstood(str(tree))
        case Compared("IN", left, tuple(values)) if (mine := column(left)) and all(
            isinstance(one, (Decimal, str)) for one in values
        ):
            limits = said.of(mine)
            limits.choices = tuple(one for one in values if limits.choices is None or one in limits.choices)
        case Compared("IS NOT NULL", left, None) if mine := column(left):
            said.of(mine).is_required = True
        case Joined("OR", parts):
            _take_any(parts, said, names, value)
        case Call("json_valid", (one,)) if mine := column(one):
            said.of(mine).is_json = True
        case _:
            raise NotUnderstood(str(tree))


def _take_any(parts: tuple[Any, ...], said: Said, names: dict[str, str], value: str) -> None:
    """Take alternatives: values of one column, or one that holds unless the column is null."""
    nulls = [one for one in parts if isinstance(one, Compared) and one.sign == "IS NULL"]
    others = [one for one in parts if one not in nulls]
    if len(others) == 1 and nulls:
        for part in _all_of(others[0]):
            _take(part, said, names, value)
        return
    found: list[Any] = []
    for one in others:
        match one:
            case Compared("=", Name() as left, (Decimal() | str()) as right) if not found or found[0] == left:
                found += [left, right]
            case Compared("IN", Name() as left, tuple(values)) if not found or found[0] == left:
                found += [left, *values]
            case _:
                raise NotUnderstood(str(one))
    _take(Compared("IN", found[0], tuple(one for one in found if not isinstance(one, Name))), said, names, value)


def _first(call: Call, column: Any) -> str:
    name = column(call.arguments[0]) if call.arguments else None
    if name is None:
        raise NotUnderstood(str(call))
    return str(name)


def _measured(call: Call, column: Any) -> str | None:
    """Return the column whose length this is."""
    if call.name not in _LENGTHS or len(call.arguments) != 1:
        return None
    (inner,) = call.arguments
    if isinstance(inner, Call) and inner.name in _TRIMS:
        return _first(inner, column)
    return _first(call, column)


def _bound(limits: Limits, sign: str, bound: Decimal | str) -> None:
    match sign:
        case ">" | ">=":
            limits.rise(bound, is_above=sign == ">")
        case "<" | "<=":
            limits.sink(bound, is_below=sign == "<")
        case "=":
            limits.choices = (bound,)
        case "<>" if bound == "":
            limits.shortest = max(limits.shortest, 1)
        case _:
            raise NotUnderstood(sign)


def _measure(limits: Limits, sign: str, count: int) -> None:
    if sign in {">", ">=", "="}:
        limits.shortest = max(limits.shortest, count + (sign == ">"))
    if sign in {"<", "<=", "="}:
        longest = count - (sign == "<")
        limits.longest = longest if limits.longest is None else min(limits.longest, longest)
    if sign == "<>":
        if count:
            raise NotUnderstood(sign)
        limits.shortest = max(limits.shortest, 1)


# -- reading -------------------------------------------------------------------------------------------------------


def parse(check: str) -> Any:
    """Return an expression as a tree of comparisons; raise NotUnderstood where it is more than that."""
    reader = _Reader(_tokens(_CAST.sub("", check)))
    tree = reader.any_of()
    if reader.left:
        raise NotUnderstood(check)
    return tree


def _tokens(text: str) -> list[tuple[str, str]]:
    found, place = [], 0
    while place < len(text.rstrip()):
        match = _TOKEN.match(text, place)
        if match is None:
            raise NotUnderstood(text)
        found.append((str(match.lastgroup), match[match.lastgroup or 0]))
        place = match.end()
    return found


@dataclass(slots=True)
class _Reader:
    left: list[tuple[str, str]]

    def _next_is(self, *words: str) -> bool:
        """Take words that come next, if they do."""
        comes = [text.upper() for _, text in self.left[: len(words)]]
        if comes != list(words):
            return False
        del self.left[: len(words)]
        return True

    def _expect(self, word: str) -> None:
        if not self._next_is(word):
            raise NotUnderstood(word)

    def any_of(self) -> Any:
        parts = [self.all_of()]
        while self._next_is("OR"):
            parts.append(self.all_of())
        return parts[0] if len(parts) == 1 else Joined("OR", tuple(parts))

    def all_of(self) -> Any:
        parts = [self.one()]
        while self._next_is("AND"):
            parts.append(self.one())
        return parts[0] if len(parts) == 1 else Joined("AND", tuple(parts))

    def one(self) -> Any:
        if self._next_is("NOT"):
            raise NotUnderstood("NOT")
        left = self.operand()
        for words in (("IS", "NOT", "NULL"), ("IS", "NULL")):
            if self._next_is(*words):
                return Compared(" ".join(words), left, None)
        if self._next_is("IN"):
            return Compared("IN", left, self.listed("(", ")"))
        if self._next_is("BETWEEN"):
            low = self.operand()
            self._expect("AND")
            return Joined("AND", (Compared(">=", left, low), Compared("<=", left, self.operand())))
        if self.left and self.left[0][0] == "sign" and self.left[0][1] in {*_MIRRORED, "!="}:
            sign = self.left.pop(0)[1].replace("!=", "<>")
            if self._next_is("ANY", "("):
                is_wrapped = self._next_is("(")
                self._expect("ARRAY")
                values = self.listed("[", "]")
                for _ in range(1 + is_wrapped):
                    self._expect(")")
                if sign != "=":
                    raise NotUnderstood(sign)
                return Compared("IN", left, values)
            return Compared(sign, left, self.operand())
        return left

    def listed(self, opens: str, closes: str) -> tuple[Any, ...]:
        self._expect(opens)
        found = [self.operand()]
        while self._next_is(","):
            found.append(self.operand())
        self._expect(closes)
        return tuple(found)

    def operand(self) -> Any:
        if self._next_is("("):
            inner = self.any_of()
            self._expect(")")
            return inner
        if self._next_is("-"):
            value = self.operand()
            if not isinstance(value, Decimal):
                raise NotUnderstood("-")
            return -value
        if not self.left:
            raise NotUnderstood("the end")
        sort, text = self.left.pop(0)
        if sort == "text":
            return text[text.index("'") + 1 : -1].replace("''", "'")
        if sort == "number":
            return Decimal(text)
        if sort == "name":
            plain = text.strip('"`')
            if self.left[:1] == [("sign", "(")]:
                return Call(plain.lower(), self.listed("(", ")"))
            return Name(plain)
        raise NotUnderstood(text)

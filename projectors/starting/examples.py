"""Values that obey a constraint which is more than the usual: the database itself says which of many do."""

from __future__ import annotations

import random
import re
import string
from collections.abc import Iterator
from itertools import product
from re import _parser as patterns  # type: ignore[attr-defined]
from typing import Any

from ..mapped.catalogue import Catalogue, Column, TableInfo
from .checks import Said
from .guesses import PLAIN_TEXTS, Sort, length_of, sort_of

_ENOUGH = 12  # examples of a column
_MOST = 400  # rows that are tried
_MOST_COLUMNS = 4
_REPEATED = 3  # more than the least that a pattern asks for
_TEXTS = (
    "word WORD Word ab AB abc ABC abcd ABCD a1 A1 12 123 1234 12345 123456 1234567890 0 1 -1 1.5 1.0.0 a-b a_b A-1 "
    "AB-123 /a /a/b a.b a@example.com https://example.com/ https://example.com/a example.com #1f77b4 #fff +15550100 "
    "2024-01-31 09:00 09:30:00 en en-US EUR DE true 192.0.2.1 image/png {} [] 0a1b2c3d-0000-4000-8000-000000000000"
).split()
_QUOTED = re.compile(r"'(?:[^']|'')*'")
_PATTERN = re.compile(r"(~~\*?|~\*?|\bLIKE|\bGLOB|\bREGEXP|\bSIMILAR TO)\s*\(?\s*E?'((?:[^']|'')*)'", re.IGNORECASE)
_PLAIN: dict[Sort, tuple[str, ...]] = {
    Sort.INTEGER: ("0", "1", "2", "5", "10", "50", "100", "1000", "-1"),
    Sort.DECIMAL: ("0", "0.5", "1", "5", "10", "-1"),
    Sort.FLOAT: ("0", "0.5", "1", "10", "100", "-1"),
    Sort.BOOLEAN: ("true", "false"),
    Sort.DATE: ("2024-01-01", "2024-06-30", "2025-01-06", "1980-05-17"),
    Sort.JSON: ("{}", "[]"),
    Sort.OTHER: ("{1}", "{a}", *PLAIN_TEXTS),
    Sort.INSTANT: ("2024-01-01 00:00:00+00", "2024-06-30 12:00:00+00", "2025-01-06 09:30:00+00"),
}
_SPELLED_IN_QUOTES = {Sort.DATE, Sort.INSTANT, Sort.JSON, Sort.OTHER}


def find_examples(catalogue: Catalogue, info: TableInfo, said: Said, *, is_on_postgresql: bool) -> None:
    """Satisfy constraints that were not understood: leave their columns null, or give them example values that pass."""
    for check in list(said.unclear):
        names = [name for name in info.columns if re.search(rf"\b{re.escape(name)}\b", _QUOTED.sub("", check))]
        if not 0 < len(names) <= _MOST_COLUMNS:
            continue
        columns = [info.columns[name] for name in names]
        candidates = [_candidates(one, check, said, sort_of(one, is_on_postgresql=is_on_postgresql)) for one in columns]
        if not all(candidates):
            continue
        obeying = _obeying(catalogue, info, check, names, candidates)
        if not obeying:
            continue
        said.unclear.remove(check)
        if len(names) == 1:
            _hold_to(columns[0], said, [one for (one,) in obeying])
            continue
        for column, value in zip(columns, obeying[0], strict=True):
            _hold_to(column, said, [value])


def _hold_to(column: Column, said: Said, values: list[str | None]) -> None:
    """Let a column have these values alone; where it had choices, those of them."""
    limits = said.of(column.name)
    limits.examples = tuple(one for one in values if one is not None)[:_ENOUGH]
    limits.is_null = values == [None]
    if choices := limits.choices or column.labels:
        limits.choices = tuple(one for one in choices if str(one) in limits.examples)


def _obeying(
    catalogue: Catalogue, info: TableInfo, check: str, names: list[str], candidates: list[list[str | None]]
) -> list[tuple[str | None, ...]]:
    found: list[tuple[str | None, ...]] = []
    for number, values in enumerate(product(*candidates)):
        if number >= _MOST or len(found) >= (_ENOUGH if len(names) == 1 else 1):
            break
        if catalogue.obeys(info, check, dict(zip(names, values, strict=True))):
            found.append(values)
    return found


def _candidates(column: Column, check: str, said: Said, sort: Sort) -> list[str | None]:
    """Return values to try, those first that look most like what a check asks for; null last, or alone."""
    limits = said.of(column.name)
    if limits.examples:
        return list(limits.examples)
    found: list[str | None] = [str(one) for one in limits.choices or column.labels]
    named = [one[1:-1].replace("''", "'") for one in _QUOTED.findall(check)]
    if sort is Sort.TEXT and not found:
        longest = length_of(column, limits)  # a cast would cut what is longer
        found = [
            one
            for one in dict.fromkeys((*_from_patterns(check), *named, *_TEXTS))
            if longest is None or len(one) <= longest
        ]
    elif not found:
        numbers = re.findall(r"\d+", check) if sort in {Sort.INTEGER, Sort.DECIMAL, Sort.FLOAT} else ()
        found = [*(named if sort in _SPELLED_IN_QUOTES else numbers), *_PLAIN.get(sort, ())]
    return [None, *found] if column.nullable and not limits.is_required else found


def _from_patterns(check: str) -> Iterator[str]:
    """Yield texts that match the regular expressions and LIKE patterns in a check."""
    for sign, quoted in _PATTERN.findall(check):
        pattern = quoted.replace("''", "'")
        if sign.startswith("~~") or sign.upper() == "LIKE":
            yield from (pattern.replace("%", word).replace("_", "a") for word in ("", "a", "word"))
            continue
        chance = random.Random(pattern)  # noqa: S311 - examples, the same at each run
        try:
            tree = patterns.parse(pattern)
        except re.error:
            continue
        yield from ("".join(_matching(tree, chance)) for _ in range(_ENOUGH))


def _matching(tree: Any, chance: random.Random) -> Iterator[str]:
    for sort, value in tree:
        match str(sort):
            case "LITERAL":
                yield chr(value)
            case "ANY" | "NOT_LITERAL":
                yield chance.choice(string.ascii_lowercase)
            case "IN":
                yield chance.choice(_letters(value))
            case "MAX_REPEAT" | "MIN_REPEAT":
                low, high, inner = value
                for _ in range(chance.randint(low, min(int(high), low + _REPEATED))):
                    yield from _matching(inner, chance)
            case "SUBPATTERN":
                yield from _matching(value[3], chance)
            case "BRANCH":
                yield from _matching(chance.choice(value[1]), chance)


def _letters(members: Any) -> str:
    """Return the letters of a class such as `[a-z0-9_]`."""
    found, is_negated = "", False
    for sort, value in members:
        match str(sort):
            case "NEGATE":
                is_negated = True
            case "LITERAL":
                found += chr(value)
            case "RANGE":
                found += "".join(map(chr, range(value[0], min(value[1], 0x7E) + 1)))
            case "CATEGORY":
                found += (
                    string.digits if "DIGIT" in str(value) else " " if "SPACE" in str(value) else string.ascii_lowercase
                )
    if is_negated:
        found = "".join(one for one in string.ascii_lowercase + string.digits if one not in found)
    return found or "a"

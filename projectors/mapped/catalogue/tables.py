"""Tables of somebody else's: what a database says of their columns, types, keys, triggers and rules."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeAlias

_INTEGERS = {"int2", "int4", "int8", "rowid", "integer"}
_BITS = {"int2": 16, "int4": 32, "int8": 64}
Name: TypeAlias = tuple[str | None, str]  # a schema, if one is named, and a table
ALWAYS, BY_DEFAULT = "ALWAYS", "BY DEFAULT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column as its table declares it.

    `base` is the type's plain name (`int4`, `varchar`, `numeric`; of an enum `enum`, of an array the name with `[]`);
    `length` bounds a text, `precision` and `scale` a number. `default` is the expression that the database computes.
    """

    name: str
    type: str
    base: str
    nullable: bool
    default: str | None = None
    identity: str = ""
    generated: bool = False
    length: int | None = None
    precision: int | None = None
    scale: int | None = None
    labels: tuple[str, ...] = ()
    has_equality: bool = True
    is_text: bool = False

    @property
    def is_integer(self) -> bool:
        """Whether it holds whole numbers, as ids are."""
        return self.base in _INTEGERS

    @property
    def largest(self) -> Decimal | None:
        """The largest number that fits, if there is one."""
        if self.base in _BITS:
            return Decimal(2 ** (_BITS[self.base] - 1) - 1)
        if self.precision is None or self.scale is None:
            return None
        return (Decimal(10) ** self.precision - 1).scaleb(-self.scale)

    @property
    def fills_itself(self) -> bool:
        """Whether a row may leave it out."""
        return self.nullable or self.default is not None or bool(self.identity) or self.generated


@dataclass(frozen=True, slots=True, kw_only=True)
class UniqueKey:
    """What no two rows share: `parts` in SQL, with their collations, which are made of `columns`.

    `where` bounds the rows. `is_plain` says that the parts are the columns themselves, `nulls_equal` that two nulls are
    one value.
    """

    name: str
    columns: tuple[str, ...]
    where: str | None = None
    deferrable: bool = False
    is_plain: bool = True
    parts: tuple[str, ...] = ()
    nulls_equal: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignKey:
    """Columns that refer to another table's."""

    name: str
    columns: tuple[str, ...]
    schema: str | None
    table: str
    referred: tuple[str, ...]
    deferrable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TableInfo:
    """A table of somebody else's; `sort` is `table`, or what it is instead."""

    name: str
    schema: str | None
    sort: str
    columns: Mapping[str, Column]
    primary_key: tuple[str, ...]
    uniques: tuple[UniqueKey, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    triggers: tuple[str, ...] = ()
    hides_rows: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Partitions:
    """How a table is split: by which columns, and what the bounds of its parts say."""

    columns: tuple[str, ...]
    bounds: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The other rules for a table's rows, as the database spells them. Only `init`, which invents rows, needs them.

    `checks` are the expressions of CHECK constraints, `domains` those of a column's type, in which VALUE is the column.
    `set_by_triggers` names columns that a trigger assigns, `rewritten` those of which it makes another value of theirs.
    """

    checks: tuple[str, ...] = ()
    domains: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    set_by_triggers: frozenset[str] = frozenset()
    rewritten: frozenset[str] = frozenset()
    excluded: tuple[str, ...] = ()
    partitions: Partitions | None = None


def checks_in(made: str) -> Iterator[str]:
    """Yield the expressions of all `CHECK (…)` in a statement."""
    for match in re.finditer(r"\bCHECK\s*\(", made, re.IGNORECASE):
        depth, quoted = 1, ""
        for place in range(match.end(), len(made)):
            letter = made[place]
            if quoted:
                quoted = "" if letter == quoted else quoted
            elif letter in "'\"`":
                quoted = letter
            else:
                depth += (letter == "(") - (letter == ")")
                if not depth:
                    yield made[match.end() : place].strip()
                    break

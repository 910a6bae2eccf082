"""Expressions: what each column of a mapped table is computed from, in SQL over a kind's raw rows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnClause,
    ColumnElement,
    Double,
    Numeric,
    Table,
    Text,
    bindparam,
    case,
    cast,
    func,
    literal_column,
    null,
    select,
    table,
)
from sqlalchemy import column as named

from seedjournal.journal import Type

from ..mapping import (
    PLACEHOLDER,
    Call,
    ConstValue,
    FieldValue,
    KindOf,
    LookupValue,
    NullAs,
    Path,
    RefValue,
    SqlValue,
    Unique,
    Value,
    ValuesOf,
    now,
)
from .catalogue import Column
from .kinds import Filled, FittedMap, MappedKind, Spelled, plain_name, refs_in


def expressions(fitted: FittedMap, mapped: MappedKind, raw: Table) -> list[ColumnElement[Any]]:
    """Return what each written column is computed from, over `raw`."""
    writer = _Expressions(fitted, mapped, raw)
    ids: list[ColumnElement[Any]] = [raw.c.id] if mapped.gives_ids or mapped.is_part else []
    return [*ids, *(writer.of_column(one) for one in mapped.columns)]


def pointers(
    fitted: FittedMap, child: MappedKind, kind: str
) -> Iterator[tuple[Column, str | None, ColumnElement[Any] | None]]:
    """Yield the columns that hold ids of a kind; of a reference to several kinds, what another column has then."""
    kind_columns = {one.value.name: one for one in child.columns if isinstance(one.value, KindOf)}
    for one in child.columns:
        for reference in refs_in(one.value):
            if reference.of is not None or kind not in child.kinds_led_to(reference.name):
                continue
            beside = kind_columns.get(reference.name)
            if beside is None:
                yield one.info, None, None
            elif isinstance(beside.value, KindOf):
                word = dict(beside.value.words).get(kind, kind)
                writer = _Expressions(fitted, child, fitted.raw(child))
                yield one.info, beside.name, writer.word(word, beside.info)


def moment(info: Column, *, is_on_postgresql: bool) -> ColumnElement[Any]:
    """Return the moment of writing, in the column's type."""
    if is_on_postgresql:
        found: ColumnElement[Any] = func.now()
        return func.timezone("UTC", found) if info.base == "timestamp" else found
    return func.strftime("%Y-%m-%d %H:%M:%f", "now")


@dataclass(slots=True)
class _Expressions:
    """Writes the expressions of one kind's columns over its raw rows."""

    fitted: FittedMap
    mapped: MappedKind
    raw: Table
    _called: dict[int, Any] = field(default_factory=dict)

    def of_column(self, one: Filled) -> ColumnElement[Any]:
        """Return a column's expression, in a type that can be assigned to it."""
        if one.value is None:
            return self._now(one.info)
        return self._assigned(one.info, one.value, self.of(one.value, one.info))

    def of(self, value: Value, info: Column) -> ColumnElement[Any]:  # noqa: C901, PLR0911 - one for each value
        """Return a value's expression."""
        match value:
            case FieldValue(name):
                return self._field(name, info)
            case RefValue(name, None):
                return self.raw.c[f"r_{name}"]
            case RefValue(name, str(of)):
                return self._field_of(self.mapped.paths[name], name, of)
            case ConstValue(given):
                return self._now(info) if given is now else self._constant(given, info)
            case SqlValue(text):
                spelled = PLACEHOLDER.sub(lambda match: f"seedjournal_raw.{self._placed(match[1])}", text)
                return literal_column(f"({spelled})")
            case NullAs(of, instead):
                return func.coalesce(self._assigned(info, of, self.of(of, info)), self._constant(instead, info))
            case ValuesOf(of, instead_of):
                plain = self.of(of, info)
                pairs = [(plain == literal_of(one), literal_of(two)) for one, two in instead_of]
                return case(*pairs, else_=plain)
            case LookupValue():
                return self._looked_up(value, info)
            case KindOf(name, words):
                plain = self.raw.c[f"k_{name}"]
                kinds = [(plain == kind, self.word(word, info)) for kind, word in words]
                return case(*kinds, else_=null()) if kinds else plain
            case Unique(inner, _, _):
                return self.of(inner, info)
        raise TypeError(value)

    def word(self, word: Any, info: Column) -> ColumnElement[Any]:
        """Return the value that a generic reference holds for a kind."""
        return self._looked_up(word, info) if isinstance(word, LookupValue) else self._constant(word, info)

    def _placed(self, name: str) -> str:
        return f'"f_{name}"' if self.mapped.field(name) else f'"r_{name}"'

    def _field(self, name: str, info: Column) -> ColumnElement[Any]:  # noqa: PLR0911 - one for each type
        plain = self.raw.c[f"f_{name}"]
        of = self.mapped.field(name)
        if of is None:
            return plain
        if self.mapped.is_on_postgresql:
            if of.type is Type.INSTANT and info.base == "timestamp":
                return func.timezone("UTC", plain)
            if of.type is Type.JSON and info.base.endswith("[]"):
                listed = func.jsonb_array_elements_text(plain).column_valued("seedjournal_one")
                return case((plain.is_(None), null()), else_=func.array(select(listed).scalar_subquery()))
            return plain
        if of.type is Type.INSTANT and any(word in info.type.upper() for word in ("DATETIME", "TIMESTAMP")):
            return func.replace(func.replace(plain, "T", " "), "Z", "")
        if of.type is Type.UUID and "32" in info.type:
            return func.replace(plain, "-", "")
        return plain

    def _field_of(self, path: Path, name: str, of: str) -> ColumnElement[Any]:
        """Take a field from the row of the referenced entity."""
        parent = self.fitted.maps[path.to]
        (holds,) = [one for one in parent.columns if plain_name(one.value) == of][:1]
        rows = parent.table.alias("seedjournal_parent")
        found = select(rows.c[holds.name]).where(rows.c[parent.identity[0]] == self.raw.c[f"r_{name}"])
        return found.scalar_subquery()

    def _looked_up(self, value: LookupValue, info: Column) -> ColumnElement[Any]:
        taken = value.column or self.fitted.found_by[value.schema, value.table]
        columns: list[ColumnClause[Any]] = [named(name) for name, _ in value.where]
        rows = table(value.table, named(taken), *columns, schema=value.schema).alias("seedjournal_found")
        conditions = (cast(rows.c[name], Text) == cast(self._sought(one, info), Text) for name, one in value.where)
        return select(rows.c[taken]).where(*conditions).scalar_subquery()

    def _sought(self, value: Value, info: Column) -> ColumnElement[Any]:
        return literal_of(value.value) if isinstance(value, ConstValue) else self.of(value, info)

    def _now(self, info: Column) -> ColumnElement[Any]:
        return moment(info, is_on_postgresql=self.mapped.is_on_postgresql)

    def _constant(self, given: Any, info: Column) -> ColumnElement[Any]:
        if isinstance(given, Call):
            if id(given) not in self._called:
                self._called[id(given)] = given.function(*given.arguments)
            given = self._called[id(given)]
        if given is None:
            return null()
        if isinstance(given, list) and info.base.endswith("[]"):
            return bindparam(None, given, type_=Spelled(info.type))
        return self._cast(literal_of(given), info)

    def _assigned(self, info: Column, value: Value, computed: ColumnElement[Any]) -> ColumnElement[Any]:
        return computed if isinstance(value, ConstValue) else self._cast(computed, info)

    def _cast(self, computed: ColumnElement[Any], info: Column) -> ColumnElement[Any]:
        """Cast to the column's type; to text for bounded texts, which a cast would cut off, and assigning does not."""
        if not self.mapped.is_on_postgresql:
            return computed
        return cast(computed, Text() if info.is_text else Spelled(info.type))


def literal_of(given: Any) -> ColumnElement[Any]:  # noqa: PLR0911 - one for each type
    """Return a constant in the form that databases take."""
    match given:
        case bool():
            return bindparam(None, given, type_=Boolean())
        case int():
            return bindparam(None, given, type_=BigInteger())
        case float():
            return bindparam(None, given, type_=Double())
        case Decimal():
            return bindparam(None, str(given), type_=Text()) if given.is_nan() else cast(str(given), Numeric())
        case dict() | list() | tuple():
            return bindparam(None, json.dumps(given, ensure_ascii=False), type_=Text())
        case datetime() | date():
            return bindparam(None, given.isoformat(), type_=Text())
        case UUID():
            return bindparam(None, str(given), type_=Text())
        case _:
            return bindparam(None, given, type_=Text())

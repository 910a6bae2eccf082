"""Whether one table is clearly the tenant to which almost all others belong: then a project is one of its rows.

A false root is worse than none, so everything must speak for it: a text that names a tenant and no two share, tables
that must refer to it, and unique constraints that hold within a tenant only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from .guesses import Sort, length_of, sort_of, words_of
from .planned import AT, ITSELF, PICK, KindPlan, Link
from .tables import Planner

_NAMES = ("acme", "globex", "initech", "umbrella")  # of invented tenants
_COUNT = 3
_MOST_SHARED = 0.25  # of the other tables may belong to no tenant
_FEWEST = 3
_ENOUGH_UNIQUES = 2
_TENANTS = {"tenant", "organization", "organisation", "workspace"}  # a table of this name needs less to speak for it
_PEOPLE = {
    *"account actor author client contact customer employee guest login member owner patient people person passenger"
    " player staff student teacher user users".split()
}
_KEYS = ("slug", "key", "code", "handle", "subdomain", "schema", "identifier", "domain", "name", "title")


def find_root(planner: Planner) -> str | None:
    """Return the table of tenants, if exactly one is evident; before circles of references are broken."""
    found = [table for table in planner.infos if _is_root(planner, table)]
    return found[0] if len(found) == 1 else None


def _is_root(planner: Planner, table: str) -> bool:
    words = words_of(planner.infos[table].name)
    if not name_column(planner, table) or _PEOPLE & {one.removesuffix("s") for one in words}:
        return False
    if any(not link.nullable for link in planner.links[table]):
        return False
    inside, others = reaching(planner, table), len(planner.infos) - 1
    if len(inside) < _FEWEST or others - len(inside) > _MOST_SHARED * others:
        return False
    direct = [one for one in inside if any(_leads(link, table) for link in planner.links[one])]
    within = [one for one in direct if _is_unique_within(planner, one, table)]
    is_named = bool({one.removesuffix("s") for one in words[-1:]} & _TENANTS)
    enough = 1 if is_named else _ENOUGH_UNIQUES
    return len(within) >= enough and len(direct) * 2 >= len(inside) and (is_named or len(within) * 2 >= len(direct))


def reaching(planner: Planner, root: str) -> set[str]:
    """Return the tables of which each row must lead to one row of the root, directly or through parents."""
    inside, left = {root}, set(planner.infos) - {root}
    while found := {one for one in left if any(_must_lead(link, inside) for link in planner.links[one])}:
        inside |= found
        left -= found
    return inside - {root}


def is_counted_through(planner: Planner, root: str) -> bool:
    """Say whether entities of a project would be found by their number alone, which tells only those of one apart."""
    inside = reaching(planner, root)
    by_number = (link for one in inside for link in planner.links[one] if link.mode == AT)
    must = (link for one in inside for link in planner.links[one] if link.mode == ITSELF and not link.nullable)
    return bool(planner.numbered & inside) or any(by_number) or any(must)


def _must_lead(link: Link, tables: set[str]) -> bool:
    return link.to in tables and not link.nullable and link.mode == PICK


def _leads(link: Link, table: str) -> bool:
    return link.to == table and link.is_single and not link.nullable and link.mode == PICK


def _is_unique_within(planner: Planner, table: str, root: str) -> bool:
    """Say whether rows of a table have a name or a number that only one tenant's rows do not share."""
    to_root = {link.columns[0] for link in planner.links[table] if _leads(link, root)}
    by_link = {name for link in planner.links[table] for name in link.columns}
    return any(to_root & {*unique.columns} and set(unique.columns) - by_link for unique in planner.infos[table].uniques)


def name_column(planner: Planner, table: str) -> str | None:
    """Return the column that names a row: a text that must be there and that no two rows share."""
    info, said = planner.infos[table], planner.said[table]
    found = []
    for unique in info.uniques:
        if len(unique.columns) != 1 or unique.where is not None or not unique.is_plain:
            continue
        (name,) = unique.columns
        column, limits = info.columns[name], said.of(name)
        sort = sort_of(column, is_on_postgresql=planner.is_on_postgresql)
        length = length_of(column, limits)
        is_short = length is not None and length < max(map(len, _NAMES))
        is_unclear = any(re.search(rf"\b{re.escape(name)}\b", check) for check in said.unclear)
        is_listed = bool(limits.choices or limits.examples or column.labels)
        is_bounded = is_listed or is_short or is_unclear or limits.shortest > 1 or limits.is_null
        words = words_of(name)
        if sort is Sort.TEXT and words and not (column.nullable or column.generated or is_bounded):
            found.append((_KEYS.index(words[-1]) if words[-1] in _KEYS else len(_KEYS), name))
    best = min(found, default=None)
    return best[1] if best and best[0] < len(_KEYS) else None


# -- the facts -----------------------------------------------------------------------------------------------------


def root_facts(kind: KindPlan, *, domain: str, today: date) -> list[dict[str, str]] | None:
    """Return a few tenants, each field as Python spells its value; None where two of them would be alike."""
    made = []
    names = [one for one in _NAMES if one != domain][:_COUNT]
    for place, name in enumerate(names, 1):
        values: dict[str, Any] = {}
        for one in kind.fields.values():
            if one.name == kind.key[0]:
                values[one.name] = name
            elif one.annotation.endswith(" | None"):
                values[one.name] = None
            else:
                values[one.name] = _evaluated(one.value, values, name, place, today)
        made.append(values)
    for unique in kind.info.uniques:
        held = [kind.held[column] for column in unique.columns if column in kind.held]
        shared = [tuple(repr(values[one]) for one in held) for values in made]
        if held and len(held) == len(unique.columns) and len(set(shared)) < len(shared):
            return None
    return [{name: spelled(value) for name, value in values.items()} for values in made]


def _evaluated(expression: str, values: Mapping[str, Any], name: str, place: int, today: date) -> Any:
    """Return what a simulator's expression gives, with draws that are always the first or the lowest."""
    code = f"{name.upper()}{place}0000000000000000"
    one = SimpleNamespace(
        integer=lambda _, low, high: low,  # noqa: ARG005 - as of a draw
        decimal=lambda _, low, high, places=2: Decimal(str(low)).quantize(Decimal(1).scaleb(-places)),  # noqa: ARG005
        between=lambda _, low, high: float(low),  # noqa: ARG005
        chance=lambda *_: True,
        choose=lambda _, choices: next(iter(choices)),
        day=lambda _, first, last: first,  # noqa: ARG005
        instant=lambda _, first, last: datetime(first.year, first.month, first.day, tzinfo=UTC),  # noqa: ARG005
        email=lambda _: f"info@{name}.example.com",
        phone=lambda _: f"+155501000{place}",
        code=lambda _, size=8: code[:size],
        uuid=lambda _: UUID(int=place, version=4),
        word=lambda _: name,
        sentence=lambda _: f"All of {name}.",
        **{draw: lambda _: name.capitalize() for draw in ("name", "company", "city", "street")},
    )
    known = {"date": date, "datetime": datetime, "time": time, "timedelta": timedelta, "UTC": UTC, "Decimal": Decimal}
    known |= {"one": one, "place": place, "run": SimpleNamespace(today=today)}
    return eval(expression, {"__builtins__": {"round": round}, **values, **known})  # noqa: S307 - our own text


def spelled(value: Any) -> str:  # noqa: PLR0911 - one for each type
    """Return a value as Python spells it in a module that imports its type by name.

    >>> spelled(datetime(2024, 1, 1, 9, 30, tzinfo=UTC)), spelled(Decimal("1.50")), spelled(time(9))
    ('datetime(2024, 1, 1, 9, 30, tzinfo=UTC)', 'Decimal("1.50")', 'time(9, 0)')
    """
    match value:
        case str():
            return json.dumps(value, ensure_ascii=False)
        case datetime():
            parts = [
                value.year,
                value.month,
                value.day,
                *([value.hour, value.minute] if value.hour or value.minute else []),
            ]
            return f"datetime({', '.join(map(str, parts))}, tzinfo=UTC)"
        case date():
            return f"date({value.year}, {value.month}, {value.day})"
        case time():
            return f"time({value.hour}, {value.minute})"
        case Decimal():
            return f'Decimal("{value}")'
        case UUID():
            return f'UUID("{value}")'
        case list():
            return f"[{', '.join(map(spelled, value))}]"
        case _:
            return re.sub(r"'", '"', repr(value))

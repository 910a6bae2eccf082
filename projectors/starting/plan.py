"""A plan of a domain for a database's tables.

Everything in it follows from the catalogue, and from what the application says of its values. Nothing is read from a
user's rows, and nothing is written.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date

from ..mapped.catalogue import Catalogue
from .kinds import KindDecider
from .planned import BUILTINS, OUTSIDE, PICK, FieldPlan, Given, KindPlan, Names, Start, plural, singular, snake
from .roots import find_root, is_counted_through, name_column, root_facts
from .tables import Planner, is_of_tools


def plan(
    catalogue: Catalogue,
    *,
    schema: str | None,
    chosen: Sequence[str],
    rows: int,
    choices: Mapping[str, Mapping[str, Sequence[str | int]]],
    today: date,
) -> Start:
    """Plan a domain for the database's tables, or for those that are chosen; raise Misuse where there are none.

    It has a root if one table is evidently that of tenants, and nothing speaks against it.
    """
    database = catalogue.database_name()
    own = schema or re.sub(r"\.\w+$", "", database)
    facts: list[dict[str, str]] | None = []
    for seeks_root in (True, False):
        planner = Planner(catalogue, schema, tuple(chosen), rows, choices)
        names = decide_kinds(planner, seeks_root=seeks_root)
        name = names.take(snake(own), "domain")
        root = planner.kinds[planner.root_table] if planner.root_table else None
        facts = root_facts(root, domain=name, today=today) if root else []
        is_alike = any(kind.is_alike for kind in planner.kinds.values())
        if planner.root_table is None or (
            facts and not is_alike and not is_counted_through(planner, planner.root_table)
        ):
            break  # else tenants would have something in common that no two rows may share
    others = [one for one in planner.places if not {one} & {*planner.kinds, *planner.left_out} and not is_of_tools(one)]
    kinds = list(planner.kinds.values())
    for kind in kinds if root else ():
        kind.count = max(kind.count // len(facts or [0]), 1) if kind.root else kind.count
    if root and facts:
        root.count = len(facts)
    return Start(name, database, kinds, planner.left_out, schema, left_alone=others, root=root, facts=facts or [])


def decide_kinds(planner: Planner, taken: Iterable[str] = (), *, seeks_root: bool = False) -> Names:
    """Decide what each table becomes, parents first; return the names that are in use.

    A table that a map has already keeps the names that its kind has there, and what is new of it gets its own.
    """
    order = planner.read(find_root if seeks_root else None)
    names, classes = Names((*BUILTINS, *taken)), Names((*BUILTINS, *taken))
    for table in order:
        info, count, place = planner.infos[table], planner.counts[table], planner.places[table][0]
        if given := planner.given_of(table):
            wanted = frozenset(info.columns) - given.covered
            planner.kinds[table] = KindPlan(
                given.cls, given.kind, given.plural, info, count, schema=place, wanted=wanted
            )
            continue
        kind = singular(snake(table))
        cls = classes.take("".join(part.capitalize() for part in kind.split("_")))
        many = snake(table)
        many = names.take(many if many != kind else plural(kind), "rows")
        planner.kinds[table] = KindPlan(cls, snake(cls), many, info, count, schema=place)
    if planner.root_table:
        planner.root = planner.kinds[planner.root_table].cls
    if planner.root:
        _find_projects(planner, order)
    for table in order:
        decider = KindDecider(planner, table, planner.kinds[table])
        decider.decide()
        if planner.kinds[table].root:
            decider.begin_key_with_root()
        elif table == planner.root_table:
            planner.kinds[table].key = (planner.kinds[table].held[name_column(planner, table) or ""],)
        if given := planner.given_of(table):
            _keep_names(planner.kinds[table], given, {link.name for link in planner.links[table]})
    return names


def _find_projects(planner: Planner, order: Iterable[str]) -> None:
    """Say which new kinds are the root's: those that must refer to one; others cannot refer to any."""
    inside = {table for table in order if (given := planner.given_of(table)) and given.in_project}
    inside |= {planner.root_table} if planner.root_table else set()
    for table in order:
        if planner.given_of(table) is not None or table == planner.root_table:
            continue
        links = [link for link in planner.links[table] if link.to in inside and link.mode == PICK]
        if any(not link.nullable for link in links):
            inside.add(table)
            planner.kinds[table].root = planner.root
        else:
            for link in links:
                link.mode = OUTSIDE


def _keep_names(kind: KindPlan, given: Given, references: Collection[str]) -> None:
    """Let the columns that a map has be held by its fields, and give new fields names that no other field has."""
    known = {name: kind.fields[name].value for column, name in kind.held.items() if column not in kind.wanted}
    fields = {name: FieldPlan(name, annotation, known.get(name, "")) for name, annotation in given.fields.items()}
    held = dict(given.held)
    for column in kind.wanted:
        if column not in kind.held:
            continue
        one = kind.fields[kind.held[column]]
        is_reference = one.name in references
        while one.name in fields or one.name in given.key:
            one.name = f"{one.name}_value"
            kind.columns[column] = f'ref("{one.name}")' if is_reference else f'field("{one.name}")'
        fields[one.name], held[column] = one, one.name
    kind.fields, kind.held = fields, held

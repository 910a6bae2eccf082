"""A plan of a domain for a database's tables.

Everything in it follows from the catalogue, and from what the application says of its values. Nothing is read from a
user's rows, and nothing is written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ..mapped.catalogue import Catalogue
from .kinds import KindDecider
from .planned import BUILTINS, KindPlan, Names, Start, plural, singular, snake
from .tables import Planner


def plan(
    catalogue: Catalogue,
    *,
    schema: str | None,
    chosen: Sequence[str],
    rows: int,
    choices: Mapping[str, Mapping[str, Sequence[str | int]]],
) -> Start:
    """Plan a domain for the database's tables, or for those that are chosen; raise Misuse where there are none."""
    planner = Planner(catalogue, schema, tuple(chosen), rows, choices)
    order = planner.read()
    names, classes = Names(BUILTINS), Names(BUILTINS)
    for table in order:
        kind = singular(snake(table))
        cls = classes.take("".join(part.capitalize() for part in kind.split("_")))
        many = snake(table)
        many = names.take(many if many != kind else plural(kind), "rows")
        planner.kinds[table] = KindPlan(
            cls, snake(cls), many, planner.infos[table], planner.counts[table], schema=planner.places[table][0]
        )
    for table in order:
        KindDecider(planner, table, planner.kinds[table]).decide()
    database = catalogue.database_name()
    own = schema or re.sub(r"\.\w+$", "", database)
    name = names.take(snake(own), "domain")
    return Start(name, database, [planner.kinds[table] for table in order], planner.left_out, schema)

"""A start for a user with tables: a domain, a map and settings, from what the database says of its tables.

`plan_start` decides, from the catalogue and what the application says of its values; the text of it is made by
`write_module` and `write_settings`. `find_additions` compares a map with a database that has changed since, and
`write_additions` returns what the map lacks as Python to paste.
"""

from collections.abc import Mapping, Sequence
from datetime import date

from sqlalchemy import Connection

from ..mapped.catalogue import Catalogue
from .plan import plan
from .planned import Additions, Start
from .text import write_additions, write_module, write_settings
from .update import Module, find_additions

__all__ = [
    "Additions",
    "Module",
    "Start",
    "find_additions",
    "plan_start",
    "write_additions",
    "write_module",
    "write_settings",
]


def plan_start(
    connection: Connection,
    *,
    schema: str | None,
    chosen: Sequence[str],
    rows: int,
    choices: Mapping[str, Mapping[str, Sequence[str | int]]],
    today: date,
) -> Start:
    """Plan a domain for the tables of a database; raise Misuse where there are none.

    `choices` has by table and column the values that the application knows.
    """
    return plan(Catalogue(connection), schema=schema, chosen=chosen, rows=rows, choices=choices, today=today)

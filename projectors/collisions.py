"""Ids that two keys share, and ids that somebody else's row has: rare, but settled the same way everywhere.

Of two keys that collide the greater one takes the next 53 bits of its hash, and its children follow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, column, select, table, update

from journal import KeyBytes, canonical_key

from .ids import derived_id, later_ids
from .load.stage import Stage
from .notes import Remembered
from .references import pointers_to
from .rules import Rule, natural_keys

Shifted = dict[KeyBytes, Remembered]


def settle(stage: Stage, keys: Sequence[KeyBytes], rules: Mapping[str, Rule]) -> Shifted:
    """Give every staged row an id of its own; the keys whose id is not their first one.

    A row of somebody else's keeps the id it has.
    """
    shifted: Shifted = {}
    connection, rule = stage.connection, stage.rule
    while taken := stage.taken_ids():
        number = taken[0][1]
        places = {keys[place]: place for place in stage.places_of(number)}
        holder = key_of_row(connection, rule, rules, number)
        contenders = sorted({*places, *([holder] if holder else [])})
        first = [key for key in contenders if derived_id(rule.kind.name, key) == number]
        winner = holder if holder is not None and holder not in first else first[0]
        for key in contenders:
            if key == winner:
                continue
            free = _free_id(connection, stage, key)
            if key == holder:
                move_row(connection, rule, number, free)
            if key in places:
                stage.set_id(places[key], free)
            shifted[key] = Remembered(free, is_foreign=False)
    return shifted


def settle_back(connection: Connection, rule: Rule, shifted: Mapping[KeyBytes, int]) -> list[KeyBytes]:
    """Give rows their first id back where it is free again; the keys that need not be remembered."""
    back: list[KeyBytes] = []
    for key in sorted(shifted):
        if not _is_used(connection, rule, shifted[key]):
            back.append(key)  # the row is gone, and with it the reason to remember it
            continue
        first = derived_id(rule.kind.name, key)
        if not _is_used(connection, rule, first):
            move_row(connection, rule, shifted[key], first)
            back.append(key)
    return back


def move_row(connection: Connection, rule: Rule, old: int, new: int) -> None:
    """Change a row's id and every pointer to it, anybody's."""
    connection.exec_driver_sql(
        "SET CONSTRAINTS ALL DEFERRED" if connection.dialect.name == "postgresql" else "PRAGMA defer_foreign_keys = 1"
    )
    for pointer in pointers_to(connection, rule):
        for mine, theirs in zip(pointer.columns, pointer.referred, strict=True):
            if theirs == "id":
                pointing = table(pointer.table, column(mine), schema=pointer.schema)
                connection.execute(update(pointing).where(pointing.c[mine] == old).values({mine: new}))
    connection.execute(update(rule.table).where(rule.table.c.id == old).values(id=new))
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET CONSTRAINTS ALL IMMEDIATE")


def key_of_row(connection: Connection, rule: Rule, rules: Mapping[str, Rule], number: int) -> KeyBytes | None:
    """The natural key of the row with this id; None where there is no such row."""
    query, _ = natural_keys(rule, rules)
    row = connection.execute(query.where(rule.table.c.id == number)).first()
    return key_from_row(rule, row[1:]) if row else None


def key_from_row(rule: Rule, parts: Sequence[object]) -> KeyBytes:
    """A natural key from a row's key fields, as its kind orders them."""
    plain = [part if isinstance(part, (str, int)) else str(part) for part in parts]
    return canonical_key(dict(zip(rule.kind.key, plain, strict=True)))


def _free_id(connection: Connection, stage: Stage, key: KeyBytes) -> int:
    staged = stage.table
    for number in later_ids(stage.rule.kind.name, key):
        in_stage = connection.execute(select(staged.c.id).where(staged.c.id == number)).first()
        if in_stage is None and not _is_used(connection, stage.rule, number):
            return number
    raise AssertionError("a hash has endless windows")


def _is_used(connection: Connection, rule: Rule, number: int) -> bool:
    return connection.execute(select(rule.table.c.id).where(rule.table.c.id == number)).first() is not None

"""Ids that two keys share, and ids that somebody else's row has: rare, but settled the same way everywhere.

Of two keys that collide the greater one takes the next 53 bits of its hash, and its children follow. Where that id is
taken as well the same holds there, so that the ids are those which the keys would take one after another, in order,
whatever the order in which they came.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from itertools import takewhile
from operator import ne

from sqlalchemy import Connection, select

from seedjournal.journal import KeyBytes, canonical_key

from . import notes
from .ids import derived_id, later_ids, windows
from .load.dialects import verbs
from .load.stage import Stage
from .notes import Noted, Remembered
from .references import pointers_to
from .rules import Rule, natural_keys

Shifted = dict[KeyBytes, Remembered]


def settle(
    stage: Stage, keys: Sequence[KeyBytes], rules: Mapping[str, Rule], noted: Noted, shown: Collection[KeyBytes]
) -> Shifted:
    """Give every staged row an id of its own; the keys whose id now is another one.

    A row of somebody else's keeps the id it has. But where the key that the id was derived from is one of those that
    the target already showed, `shown`, the row is ours and its key was edited: it stays in its place, to be restored.
    """
    settling = _Settling(stage, keys, rules, noted)
    restored: set[int] = set()
    while taken := [number for place, number in stage.taken_ids() if place not in restored]:
        number = taken[0]
        places = {keys[place]: place for place in stage.places_of(number)}
        holder = key_of_row(stage.connection, stage.rule, rules, number)
        if holder is None or is_ours(stage.rule, holder, number, noted):
            winner = min([*places, *([holder] if holder else [])])
        elif (edited := _edited(stage.rule, places, holder, number, noted, shown)) is not None:
            winner, holder = edited, None
            restored.add(places[winner])
        else:
            winner = holder
        if holder is not None and holder != winner:
            settling.move_on(holder, number)
        for key in places.keys() - {winner, holder}:
            settling.give(key, next(later_ids(stage.rule.kind.name, key, number)))
    return settling.shifted


def settle_back(connection: Connection, rule: Rule, project: str, noted: Noted) -> None:
    """Give rows that a collision had moved an earlier id where that is free again, and remember no more than needed."""
    kind = rule.kind.name
    shifted = {key: one.id for (of, key), one in noted.items() if of == kind and not one.is_foreign}
    gone = [key for key, number in shifted.items() if not _is_used(connection, rule, number)]
    for key in gone:
        del shifted[key]
    while free := _earlier(connection, rule, shifted):
        key, number = free
        move_row(connection, rule, shifted[key], number)
        if number == derived_id(kind, key):
            del shifted[key]
            gone.append(key)
        else:
            shifted[key] = number
            notes.remember(connection, project, kind, {key: Remembered(number, is_foreign=False)})
    notes.forget(connection, kind, gone)


def move_row(connection: Connection, rule: Rule, old: int, new: int) -> None:
    """Change a row's id and every pointer to it, anybody's."""
    verbs(connection).move_id(connection, rule.table, pointers_to(connection, rule), old, new)
    notes.move_stale(connection, rule.kind.name, old, new)


def key_of_row(connection: Connection, rule: Rule, rules: Mapping[str, Rule], number: int) -> KeyBytes | None:
    """The natural key of the row with this id; None where there is no such row."""
    query, _ = natural_keys(rule, rules)
    row = connection.execute(query.where(rule.table.c.id == number)).first()
    return key_from_row(rule, row[1:]) if row else None


def key_from_row(rule: Rule, parts: Sequence[object]) -> KeyBytes:
    """A natural key from a row's key fields, as its kind orders them."""
    plain = [part if isinstance(part, (str, int)) else str(part) for part in parts]
    return canonical_key(dict(zip(rule.kind.key, plain, strict=True)))


def is_ours(rule: Rule, key: KeyBytes, number: int, noted: Noted) -> bool:
    """Whether a row with this key and id is one that a projection made."""
    note = noted.get((rule.kind.name, key))
    if note is not None and note.id == number:
        return not note.is_foreign
    return number == derived_id(rule.kind.name, key)


class _Settling:
    """One piece's collisions: what was moved, in the stage and in the target."""

    def __init__(self, stage: Stage, keys: Sequence[KeyBytes], rules: Mapping[str, Rule], noted: Noted) -> None:
        self.shifted: Shifted = {}
        self._stage = stage
        self._place_of = {key: place for place, key in enumerate(keys)}
        self._rules = rules
        self._noted = noted

    def move_on(self, key: KeyBytes, number: int) -> None:
        """Move a row of ours to the next of its ids that neither a smaller key nor a stranger has."""
        connection, rule = self._stage.connection, self._stage.rule
        for free in later_ids(rule.kind.name, key, number):
            other = key_of_row(connection, rule, self._rules, free)
            if other is not None:
                if other < key or not is_ours(rule, other, free, self._noted):
                    continue
                self.move_on(other, free)
            move_row(connection, rule, number, free)
            self.give(key, free)
            return

    def give(self, key: KeyBytes, number: int) -> None:
        """Give a key this id, and its staged row if it has one."""
        if key in self._place_of:
            self._stage.set_id(self._place_of[key], number)
        self.shifted[key] = self._noted[self._stage.rule.kind.name, key] = Remembered(number, is_foreign=False)


def _edited(
    rule: Rule,
    places: Collection[KeyBytes],
    holder: KeyBytes,
    number: int,
    noted: Noted,
    shown: Collection[KeyBytes],
) -> KeyBytes | None:
    """The staged key whose row the holder of its id must be, with an edited key; None where it is a stranger's."""
    if (rule.kind.name, holder) in noted:
        return None
    return min((key for key in places if key in shown and number == derived_id(rule.kind.name, key)), default=None)


def _earlier(connection: Connection, rule: Rule, shifted: Mapping[KeyBytes, int]) -> tuple[KeyBytes, int] | None:
    """The smallest key that could have an earlier id than it has, and that id."""
    for key in sorted(shifted):
        for number in takewhile(partial(ne, shifted[key]), windows(rule.kind.name, key)):
            if not _is_used(connection, rule, number):
                return key, number
    return None


def _is_used(connection: Connection, rule: Rule, number: int) -> bool:
    return connection.execute(select(rule.table.c.id).where(rule.table.c.id == number)).first() is not None

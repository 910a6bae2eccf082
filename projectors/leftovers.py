"""Rows of ours that are outside the state: finding them where nothing tells what the target showed, and pruning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    MetaData,
    Table,
    delete,
    exists,
    insert,
    select,
)

from journal import KeyBytes, batched, verbs

from . import notes
from .collisions import key_from_row, settle_back
from .ids import derived_id
from .notes import Remembered
from .references import pointers_to
from .rules import Rule, natural_keys
from .tables import RULES

_PIECE = 5_000


class Leftovers:
    """Collects the ids that a state has, and then finds what else of ours stands under the same namespace."""

    def __init__(self, connection: Connection, rule: Rule) -> None:
        self._connection = connection
        self._rule = rule
        self._seen = Table(
            f"seedjournal_seen_{rule.table.name}",
            MetaData(),
            Column("id", BigInteger, primary_key=True, autoincrement=False),
            prefixes=["TEMPORARY"],
        )
        self._seen.create(connection)

    def see(self, ids: Sequence[int]) -> None:
        """Take ids that the state has."""
        self._connection.execute(insert(self._seen), [{"id": number} for number in set(ids)])

    def ours(self, namespace: str, noted: Mapping[tuple[str, KeyBytes], Remembered]) -> list[int]:
        """The ids of rows of ours that the state does not have.

        The first field of a natural key is the namespace.
        """
        rule = self._rule
        query, parts = natural_keys(rule, RULES)
        unseen = ~exists().where(self._seen.c.id == rule.table.c.id)
        found: list[int] = []
        for number, *key_parts in self._connection.execute(query.where(parts[rule.kind.key[0]] == namespace, unseen)):
            key = key_from_row(rule, key_parts)
            note = noted.get((rule.kind.name, key))
            if number == derived_id(rule.kind.name, key) or (note and not note.is_foreign and note.id == number):
                found.append(number)
        return found

    def drop(self) -> None:
        """Remove what was collected."""
        self._seen.drop(self._connection)


def prune(connection: Connection, rule: Rule, project: str) -> int:
    """Delete the project's stale rows of a kind that no row points to, anybody's; how many there were.

    Ids that a collision had moved go back where the first one is free again.
    """
    rows = rule.table
    stale = notes.stale_ids(connection, project, rule.kind.name)
    pointers = pointers_to(connection, rule) if stale else []
    deleted = 0
    for batch in batched(stale, _PIECE):
        among = verbs(connection).among(rows.c.id, batch)
        held = [pointer.points_to(rows) for pointer in pointers]
        deleted += connection.execute(delete(rows).where(among, *(~one for one in held))).rowcount
        left = set(connection.execute(select(rows.c.id).where(among)).scalars())
        notes.drop_stale(connection, rule.kind.name, [number for number in batch if number not in left])
    if deleted:
        _settle_back(connection, rule)
    return deleted


def _settle_back(connection: Connection, rule: Rule) -> None:
    kind = rule.kind.name
    shifted = {
        key: one.id for (of, key), one in notes.remembered(connection).items() if of == kind and not one.is_foreign
    }
    notes.forget(connection, kind, settle_back(connection, rule, shifted))

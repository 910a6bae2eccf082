"""Rows of ours that are outside the state: finding them where nothing tells what the target showed, and pruning."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import (
    Connection,
    delete,
    exists,
    select,
)

from seedjournal.journal import KeyBytes, batched, dialect_of

from . import notes
from .collisions import is_ours, key_from_row
from .notes import Noted
from .references import pointers_to
from .rules import Rule, natural_keys
from .tables import REMEMBERED, RULES

_PIECE = 5_000


class Leftovers:
    """Collects the ids that a state has, and then finds what else stands under the same namespaces."""

    def __init__(self, connection: Connection, rule: Rule) -> None:
        self._connection = connection
        self._rule = rule
        self._seen = rule.seen
        self._seen.create(connection, checkfirst=False)

    def see(self, ids: Sequence[int]) -> None:
        """Take ids that the state has."""
        dialect_of(self._connection).insert_rows(self._connection, self._seen, ("id",), [(number,) for number in ids])

    def ours(self, namespaces: Collection[str], noted: Noted) -> list[int]:
        """The ids of rows of ours that the state does not have.

        The first field of a natural key is the namespace.
        """
        rule = self._rule
        query, parts = natural_keys(rule, RULES)
        unseen = ~exists().where(self._seen.c.id == rule.table.c.id)
        within = parts[rule.kind.key[0]].in_(sorted(namespaces))
        return [
            number
            for number, *key_parts in self._connection.execute(query.where(within, unseen))
            if is_ours(rule, key_from_row(rule, key_parts), number, noted)
        ]

    def foreign(self, project: str) -> list[KeyBytes]:
        """The keys under which foreign rows are remembered that the state does not have."""
        unseen = ~exists().where(self._seen.c.id == REMEMBERED.c.id)
        query = select(REMEMBERED.c.key).where(
            REMEMBERED.c.project == project, REMEMBERED.c.kind == self._rule.kind.name, REMEMBERED.c.is_foreign, unseen
        )
        return [KeyBytes(key.encode()) for key in self._connection.execute(query).scalars()]

    def drop(self) -> None:
        """Remove what was collected."""
        self._seen.drop(self._connection, checkfirst=False)


def prune(connection: Connection, rule: Rule, project: str) -> int:
    """Delete the project's stale rows of a kind that no row points to, anybody's; how many there were."""
    rows = rule.table
    stale = notes.stale_ids(connection, project, rule.kind.name)
    pointers = pointers_to(connection, rule) if stale else []
    deleted = 0
    for batch in batched(stale, _PIECE):
        among = dialect_of(connection).among(rows.c.id, batch)
        held = [pointer.points_to(rows) for pointer in pointers]
        deleted += connection.execute(delete(rows).where(among, *(~one for one in held))).rowcount
        left = set(connection.execute(select(rows.c.id).where(among)).scalars())
        notes.drop_stale(connection, rule.kind.name, [number for number in batch if number not in left])
    return deleted

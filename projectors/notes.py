"""What the target remembers beside the rows: positions, ids that are not the derived ones, and stale rows.

One named query each; the caller owns the transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, delete, exists, func, insert, select, update

from seedjournal.journal import KeyBytes, NodeHash, Policy, Run, batched, dialect_of

from .rules import Rule
from .tables import POSITIONS, REMEMBERED, STALE

_BATCH = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """What the target shows of one project and kind; `namespace` None where an older version projected."""

    journal: str
    run: int
    state: NodeHash
    policy: str
    namespace: str | None


@dataclass(frozen=True, slots=True)
class Remembered:
    """A row whose id is not the first derived one: a foreign row's, or a later one after a collision."""

    id: int
    is_foreign: bool


Noted = dict[tuple[str, KeyBytes], Remembered]


def positions(connection: Connection, project: str) -> dict[str, Position]:
    """The project's positions, by kind."""
    rows = connection.execute(select(POSITIONS).where(POSITIONS.c.project == project))
    return {
        row.kind: Position(
            journal=row.journal,
            run=row.run,
            state=NodeHash(bytes(row.state)),
            policy=row.policy,
            namespace=row.namespace,
        )
        for row in rows
    }


def policy_of(run: Run, kind: str) -> Policy:
    """The policy by which the run's state was folded for the kind."""
    return run.policies.get(kind, Policy.UPSERT)


def positioned_projects(connection: Connection) -> list[str]:
    """The projects of which the target shows anything."""
    return list(connection.execute(select(POSITIONS.c.project).distinct().order_by(POSITIONS.c.project)).scalars())


def move(connection: Connection, run: Run, journal: str, kinds: Collection[str]) -> None:
    """Say that the target shows this run of these kinds."""
    connection.execute(delete(POSITIONS).where(POSITIONS.c.project == run.project, POSITIONS.c.kind.in_(kinds)))
    rows = [
        {
            "project": run.project,
            "kind": kind,
            "journal": journal,
            "run": run.run,
            "state": run.state,
            "policy": str(policy_of(run, kind)),
            "namespace": run.project,
        }
        for kind in kinds
    ]
    if rows:
        connection.execute(insert(POSITIONS), rows)


def leave(connection: Connection, project: str) -> None:
    """Say that the target shows nothing of the project."""
    connection.execute(delete(POSITIONS).where(POSITIONS.c.project == project))


def holders(connection: Connection, namespace: str) -> dict[str, str]:
    """The projects whose rows stand under the name, and which journal they are of."""
    query = select(POSITIONS.c.project, POSITIONS.c.journal).where(POSITIONS.c.namespace == namespace)
    return {row.project: row.journal for row in connection.execute(query.order_by(POSITIONS.c.project))}


def remembered(connection: Connection) -> Noted:
    """The rows with other ids, by kind and key."""
    rows = connection.execute(select(REMEMBERED))
    return {(row.kind, KeyBytes(row.key.encode())): Remembered(row.id, row.is_foreign) for row in rows}


def foreign_count(connection: Connection, project: str, kind: str) -> int:
    """How many of the project's entities are somebody else's rows."""
    query = select(func.count()).select_from(REMEMBERED)
    query = query.where(REMEMBERED.c.project == project, REMEMBERED.c.kind == kind, REMEMBERED.c.is_foreign)
    return int(connection.execute(query).scalar_one())


def remember(connection: Connection, project: str, kind: str, ids: Mapping[KeyBytes, Remembered]) -> None:
    """Note other ids, in place of what was noted for these keys."""
    forget(connection, kind, ids)
    rows = [(kind, key.decode(), project, one.id, one.is_foreign) for key, one in ids.items()]
    dialect_of(connection).insert_rows(connection, REMEMBERED, ("kind", "key", "project", "id", "is_foreign"), rows)


def forget(connection: Connection, kind: str, keys: Iterable[KeyBytes]) -> None:
    """Drop what was noted for these keys."""
    for batch in batched(keys, _BATCH):
        names = [key.decode() for key in batch]
        connection.execute(delete(REMEMBERED).where(REMEMBERED.c.kind == kind, REMEMBERED.c.key.in_(names)))


def stale_count(connection: Connection, project: str, rule: Rule) -> int:
    """How many stale rows of the kind the target holds."""
    query = select(func.count()).join_from(STALE, rule.table, STALE.c.id == rule.table.c.id)
    query = query.where(STALE.c.project == project, STALE.c.kind == rule.kind.name)
    return int(connection.execute(query).scalar_one())


def has_stale(connection: Connection, kind: str) -> bool:
    """Whether any stale row of the kind is noted, whichever project's."""
    return bool(connection.execute(select(exists().where(STALE.c.kind == kind))).scalar())


def stale_ids(connection: Connection, project: str, kind: str) -> list[int]:
    """The project's stale rows of the kind."""
    query = select(STALE.c.id).where(STALE.c.project == project, STALE.c.kind == kind)
    return list(connection.execute(query).scalars())


def add_stale(connection: Connection, project: str, kind: str, ids: Iterable[int]) -> None:
    """Note rows as stale."""
    for batch in batched(ids, _BATCH):
        drop_stale(connection, kind, batch)
        rows = [(kind, number, project) for number in batch]
        dialect_of(connection).insert_rows(connection, STALE, ("kind", "id", "project"), rows)


def drop_stale(connection: Connection, kind: str, ids: Iterable[int]) -> None:
    """Note that these rows are stale no longer."""
    for batch in batched(ids, _BATCH):
        connection.execute(delete(STALE).where(STALE.c.kind == kind, dialect_of(connection).among(STALE.c.id, batch)))


def move_stale(connection: Connection, kind: str, old: int, new: int) -> None:
    """Follow a row whose id moves."""
    drop_stale(connection, kind, [new])
    connection.execute(update(STALE).where(STALE.c.kind == kind, STALE.c.id == old).values(id=new))

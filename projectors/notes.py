"""What the target remembers beside the rows: positions, ids that are not the derived ones, and stale rows.

One named query each; the caller owns the transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, insert, select

from journal import KeyBytes, NodeHash, Policy, Run, batched, verbs

from .tables import POSITIONS, REMEMBERED, STALE

_BATCH = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """What the target shows of one project and kind."""

    journal: str
    run: int
    state: NodeHash
    policy: Policy


@dataclass(frozen=True, slots=True)
class Remembered:
    """A row whose id is not the first derived one: a foreign row's, or a later one after a collision."""

    id: int
    is_foreign: bool


def positions(connection: Connection, project: str) -> dict[str, Position]:
    """The project's positions, by kind."""
    rows = connection.execute(select(POSITIONS).where(POSITIONS.c.project == project))
    return {
        row.kind: Position(
            journal=row.journal, run=row.run, state=NodeHash(bytes(row.state)), policy=Policy(row.policy)
        )
        for row in rows
    }


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
            "policy": str(run.policies.get(kind, Policy.UPSERT)),
        }
        for kind in kinds
    ]
    connection.execute(insert(POSITIONS), rows)


def remembered(connection: Connection) -> dict[tuple[str, KeyBytes], Remembered]:
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
    if ids:
        connection.execute(
            insert(REMEMBERED),
            [
                {"kind": kind, "key": key.decode(), "project": project, "id": one.id, "is_foreign": one.is_foreign}
                for key, one in ids.items()
            ],
        )


def forget(connection: Connection, kind: str, keys: Iterable[KeyBytes]) -> None:
    """Drop what was noted for these keys."""
    for batch in batched(keys, 500):
        names = [key.decode() for key in batch]
        connection.execute(delete(REMEMBERED).where(REMEMBERED.c.kind == kind, REMEMBERED.c.key.in_(names)))


def stale_count(connection: Connection, project: str, kind: str) -> int:
    """How many stale rows of the kind the target holds."""
    query = select(func.count()).select_from(STALE).where(STALE.c.project == project, STALE.c.kind == kind)
    return int(connection.execute(query).scalar_one())


def stale_ids(connection: Connection, project: str, kind: str) -> list[int]:
    """The project's stale rows of the kind."""
    query = select(STALE.c.id).where(STALE.c.project == project, STALE.c.kind == kind)
    return list(connection.execute(query).scalars())


def add_stale(connection: Connection, project: str, kind: str, ids: Iterable[int]) -> None:
    """Note rows as stale."""
    for batch in batched(ids, _BATCH):
        drop_stale(connection, kind, batch)
        connection.execute(insert(STALE), [{"kind": kind, "id": number, "project": project} for number in batch])


def drop_stale(connection: Connection, kind: str, ids: Iterable[int]) -> None:
    """Note that these rows are stale no longer."""
    for batch in batched(ids, _BATCH):
        connection.execute(delete(STALE).where(STALE.c.kind == kind, verbs(connection).among(STALE.c.id, batch)))

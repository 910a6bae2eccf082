"""The notes: a target's position for each project, and its adopted and stale rows.

One named query each; the caller owns the transaction.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    LargeBinary,
    MetaData,
    Table,
    Text,
    delete,
    exists,
    func,
    insert,
    inspect,
    select,
)

from seedjournal.journal import History, KeyBytes, NodeHash, Run, batched

from .dialects import dialect_of

NAMES = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "ix": "ix_%(table_name)s_%(column_0_name)s",
}
_METADATA = MetaData(naming_convention=NAMES)

# What the target shows of each project: this run of that journal.
POSITIONS = Table(
    "seedjournal_positions",
    _METADATA,
    Column("project", Text, primary_key=True),
    Column("journal", Text, nullable=False),
    Column("run", BigInteger, nullable=False),
    Column("state", LargeBinary, nullable=False),
    Column("days", BigInteger, nullable=False),  # by which dates are moved
)

# Rows that their key alone does not identify. `why` is one of the two words below.
ROWS = Table(
    "seedjournal_rows",
    _METADATA,
    Column("kind", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("project", Text, nullable=False),
    Column("id", BigInteger, nullable=False),
    Column("why", Text, nullable=False),
)

# Rows in tables that others own: all of them, since no such table need hold a kind's key. An id of several columns is a
# JSON array.
LEDGER = Table(
    "seedjournal_ledger",
    _METADATA,
    Column("kind", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("project", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("why", Text, nullable=False),
)

MADE = "made"  # a row that seedjournal inserted
ADOPTED = "adopted"  # a row that somebody else made under a key of ours; it keeps its id
STALE = "stale"  # a row of ours whose key has left the state

TARGET_HISTORY = History(name="target", version_table="seedjournal_target_version", head="0001", metadata=_METADATA)

_BATCH = 5_000

Adopted = dict[tuple[str, KeyBytes], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """What the target shows of one project."""

    journal: str
    run: int
    state: NodeHash
    days: int = 0


def position(connection: Connection, project: str) -> Position | None:
    """Return the project's position."""
    row = connection.execute(select(POSITIONS).where(POSITIONS.c.project == project)).first()
    return Position(journal=row.journal, run=row.run, state=NodeHash(bytes(row.state)), days=row.days) if row else None


def shown_projects(connection: Connection) -> list[str]:
    """List the projects of which the target shows anything."""
    return list(connection.execute(select(POSITIONS.c.project).order_by(POSITIONS.c.project)).scalars())


def has_positions(connection: Connection) -> bool:
    """Say whether anything was projected into the target, also where it has no notes yet."""
    return inspect(connection).has_table(POSITIONS.name) and bool(shown_projects(connection))


def move(connection: Connection, run: Run, journal: str, days: int) -> None:
    """Note that the target shows this run, with dates moved by so many days."""
    known = position(connection, run.project)
    if known == Position(journal=journal, run=run.run, state=run.state, days=days):
        return
    connection.execute(delete(POSITIONS).where(POSITIONS.c.project == run.project))
    values = {"project": run.project, "journal": journal, "run": run.run, "state": run.state, "days": days}
    connection.execute(insert(POSITIONS).values(values))


def leave(connection: Connection, project: str) -> None:
    """Note that the target shows nothing of the project."""
    connection.execute(delete(POSITIONS).where(POSITIONS.c.project == project))


def clear(connection: Connection) -> None:
    """Drop all notes, since the tables that they describe are gone."""
    connection.execute(delete(POSITIONS))
    connection.execute(delete(ROWS))
    connection.execute(delete(LEDGER))


def adopted(connection: Connection, project: str) -> Adopted:
    """Return the ids of the project's adopted rows."""
    query = select(ROWS.c.kind, ROWS.c.key, ROWS.c.id).where(ROWS.c.project == project, ROWS.c.why == ADOPTED)
    return {(row.kind, KeyBytes(row.key.encode())): row.id for row in connection.execute(query)}


def note(connection: Connection, project: str, kind: str, ids: Mapping[KeyBytes, int], why: str) -> None:
    """Note these rows, in place of what was noted for their keys."""
    for batch in batched(ids.items(), _BATCH):
        forget(connection, kind, (key for key, _ in batch))
        rows = [(kind, key.decode(), project, number, why) for key, number in batch]
        dialect_of(connection).load(ROWS.name, ("kind", "key", "project", "id", "why"), rows)


def forget(connection: Connection, kind: str, keys: Iterable[KeyBytes]) -> None:
    """Drop what was noted for these keys."""
    for batch in batched(keys, _BATCH):
        names = [key.decode() for key in batch]
        connection.execute(delete(ROWS).where(ROWS.c.kind == kind, ROWS.c.key.in_(names)))


def forget_stale(connection: Connection, project: str, kind: str) -> None:
    """Drop the notes of the kind's stale rows in this project; the caller writes them again."""
    connection.execute(delete(ROWS).where(ROWS.c.project == project, ROWS.c.kind == kind, ROWS.c.why == STALE))


def forget_unknown(connection: Connection, project: str, kinds: Iterable[str]) -> None:
    """Drop what is noted of the project's rows for kinds other than these, which no table holds."""
    connection.execute(delete(ROWS).where(ROWS.c.project == project, ROWS.c.kind.not_in(list(kinds))))


class Note(NamedTuple):
    """What is noted of one key: an id, why, and whether the table has a row of that id."""

    id: int
    why: str
    is_there: bool


def of_kind(connection: Connection, project: str, kind: str, rows: Table) -> dict[KeyBytes, Note]:
    """Return all that is noted of the project's kind."""
    is_there = exists().where(rows.c.id == ROWS.c.id)
    query = select(ROWS.c.key, ROWS.c.id, ROWS.c.why, is_there).where(ROWS.c.project == project, ROWS.c.kind == kind)
    return {KeyBytes(key.encode()): Note(*rest) for key, *rest in connection.execute(query)}


def groups(connection: Connection) -> list[tuple[str, str, str, int]]:
    """Count the notes by project, kind and reason."""
    columns = (ROWS.c.project, ROWS.c.kind, ROWS.c.why)
    query = select(*columns, func.count()).group_by(*columns).order_by(*columns)
    return [(project, kind, why, count) for project, kind, why, count in connection.execute(query)]


def made_without_position(connection: Connection) -> list[str]:
    """List the projects that have rows noted as made, but no position."""
    has_position = exists().where(POSITIONS.c.project == LEDGER.c.project)
    query = select(LEDGER.c.project).distinct().where(LEDGER.c.why == MADE, ~has_position)
    return list(connection.execute(query.order_by(LEDGER.c.project)).scalars())


def ledger_counts(connection: Connection) -> dict[str, dict[str, dict[str, int]]]:
    """Count the adopted and stale rows in tables that others own, by project and kind."""
    columns = (LEDGER.c.project, LEDGER.c.kind, LEDGER.c.why)
    query = select(*columns, func.count()).where(LEDGER.c.why != MADE).group_by(*columns).order_by(*columns)
    found: dict[str, dict[str, dict[str, int]]] = {}
    for project, kind, why, count in connection.execute(query):
        counts = found.setdefault(project, {}).setdefault(kind, {"foreign": 0, "stale": 0})
        counts["foreign" if why == ADOPTED else "stale"] = count
    return found


def in_ledger(connection: Connection, project: str) -> dict[str, Counter[str]]:
    """Count what the ledger has of the project, by kind and reason."""
    columns = (LEDGER.c.kind, LEDGER.c.why)
    query = select(*columns, func.count()).where(LEDGER.c.project == project).group_by(*columns)
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for kind, why, count in connection.execute(query):
        found[kind][why] = count
    return found


def counted(connection: Connection, project: str) -> Counter[tuple[str, str]]:
    """Count the project's notes by kind and reason."""
    columns = (ROWS.c.kind, ROWS.c.why)
    query = select(*columns, func.count()).where(ROWS.c.project == project).group_by(*columns)
    return Counter({(kind, why): count for kind, why, count in connection.execute(query)})


def stale_count(connection: Connection, project: str, kind: str, rows: Table) -> int:
    """Count the project's stale rows of the kind that are still there."""
    query = select(func.count()).join_from(ROWS, rows, ROWS.c.id == rows.c.id)
    query = query.where(ROWS.c.project == project, ROWS.c.kind == kind, ROWS.c.why == STALE)
    return int(connection.execute(query).scalar_one())


def has_any(connection: Connection, project: str, kind: str) -> bool:
    """Say whether any row of the project's kind is noted."""
    return bool(connection.execute(select(exists().where(ROWS.c.kind == kind, ROWS.c.project == project))).scalar())


def stale(connection: Connection, project: str, kind: str) -> dict[KeyBytes, int]:
    """Return keys and ids of the project's stale rows of the kind."""
    query = select(ROWS.c.key, ROWS.c.id).where(ROWS.c.project == project, ROWS.c.kind == kind, ROWS.c.why == STALE)
    return {KeyBytes(key.encode()): number for key, number in connection.execute(query)}


def stale_among(connection: Connection, kind: str, ids: Iterable[int]) -> list[int]:
    """List those of these rows that are noted as stale."""
    found: list[int] = []
    for batch in batched(ids, _BATCH):
        query = select(ROWS.c.id).where(ROWS.c.kind == kind, ROWS.c.why == STALE)
        found += connection.execute(query.where(dialect_of(connection).among(ROWS.c.id, batch))).scalars()
    return found


def drop_stale(connection: Connection, kind: str, ids: Iterable[int]) -> None:
    """Note that these rows are stale no longer."""
    for batch in batched(ids, _BATCH):
        among = dialect_of(connection).among(ROWS.c.id, batch)
        connection.execute(delete(ROWS).where(ROWS.c.kind == kind, ROWS.c.why == STALE, among))

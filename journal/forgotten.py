"""The account of what was forgotten: which runs went, when and by whom.

Its greatest id is the journal's epoch: a recording that began in another one may rely on nodes that are gone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, Row, func, insert, select

from .errors import Damaged
from .tables import FORGOTTEN

_SEAL_TAG = b"seedjournal:forgotten:1\n"
_SEALED = ("id", "forgotten_at", "forgotten_by", "runs", "events", "nodes", "last_run", "last_event")


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgetting:
    """One forgetting: the numbers of the runs that went, by project, and how many events and nodes went with them.

    `last_run` and `last_event` are the greatest run number and event id that had been given out.
    """

    id: int
    forgotten_at: str
    forgotten_by: str
    runs: Mapping[str, list[int]]
    events: int
    nodes: int
    last_run: int
    last_event: int


def epoch(connection: Connection) -> int:
    """How often this journal has forgotten; what a recording relies on holds only within one epoch."""
    return int(connection.execute(select(func.coalesce(func.max(FORGOTTEN.c.id), 0))).scalar_one())


def check_epoch(connection: Connection, began: int) -> None:
    """Raise Damaged where runs were forgotten since; under the write lock nobody forgets."""
    if epoch(connection) != began:
        raise Damaged("runs were forgotten while this one was recorded")


def last_run(connection: Connection) -> int:
    """The greatest run number that was given out before anything was last forgotten."""
    return int(connection.execute(select(func.coalesce(func.max(FORGOTTEN.c.last_run), 0))).scalar_one())


def last_event(connection: Connection) -> int:
    """The greatest event id that was given out before anything was last forgotten."""
    return int(connection.execute(select(func.coalesce(func.max(FORGOTTEN.c.last_event), 0))).scalar_one())


def forgettings(connection: Connection) -> list[Forgetting]:
    """Every forgetting, in order; raises Damaged for a row that cannot be read."""
    return [_forgetting(row) for row in connection.execute(select(FORGOTTEN).order_by(FORGOTTEN.c.id))]


def forgotten_runs(connection: Connection) -> dict[int, Forgetting]:
    """Which forgetting each run went with, by number."""
    return {number: one for one in forgettings(connection) for runs in one.runs.values() for number in runs}


def add(connection: Connection, one: Forgetting) -> None:
    """Store the account; the caller's transaction does what it says."""
    connection.execute(insert(FORGOTTEN).values(**_columns(one), seal=_seal(_columns(one))))


def unsound(connection: Connection) -> Iterator[int]:
    """The ids of the rows that are not what was sealed."""
    for row in connection.execute(select(FORGOTTEN).order_by(FORGOTTEN.c.id)):
        if bytes(row.seal) != _seal({name: getattr(row, name) for name in _SEALED}):
            yield row.id


def _seal(columns: Mapping[str, Any]) -> bytes:
    """SHA-256 over the other columns."""
    text = orjson.dumps([columns[name] for name in _SEALED], default=repr)
    return hashlib.sha256(_SEAL_TAG + text).digest()


def _columns(one: Forgetting) -> dict[str, Any]:
    return {
        "id": one.id,
        "forgotten_at": one.forgotten_at,
        "forgotten_by": one.forgotten_by,
        "runs": orjson.dumps(one.runs, option=orjson.OPT_SORT_KEYS).decode(),
        "events": one.events,
        "nodes": one.nodes,
        "last_run": one.last_run,
        "last_event": one.last_event,
    }


def _forgetting(row: Row[Any]) -> Forgetting:
    try:
        return Forgetting(
            id=row.id,
            forgotten_at=row.forgotten_at,
            forgotten_by=row.forgotten_by,
            runs={project: [int(number) for number in numbers] for project, numbers in orjson.loads(row.runs).items()},
            events=int(row.events),
            nodes=int(row.nodes),
            last_run=int(row.last_run),
            last_event=int(row.last_event),
        )
    except (ValueError, TypeError, AttributeError) as error:
        raise Damaged(f"row {row.id} of what was forgotten cannot be read: {error}") from None

"""Comparing the tables of others with a state: what verifying finds, and what a projection would write.

The whole state is staged for it, and nothing else is written: all is rolled back.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import ColumnElement, Connection, select
from sqlalchemy.exc import DataError, IntegrityError, ProgrammingError

from seedjournal.journal import EntityChange, Fault, Finding, KeyBytes, Misuse, Policy, Root, Run, read_manifest

from .. import notes
from ..dialects import dialect_of
from ..notes import ADOPTED, LEDGER, MADE, STALE
from ..replay import Tell, count_of, policy_of, top_of
from .identifying import match_unnoted
from .kinds import STAGED_KEY, FittedMap, plain_name
from .matching import KindRows
from .rows import EntityIds
from .staging import Texts, staged, texts_of
from .uniques import give_way


def check(
    source: Connection, target: Connection, fitted: FittedMap, run: Run, project: str, tell: Tell
) -> Iterator[Finding]:
    """Compare a project's rows with the state at its position."""
    position = notes.position(target, project)
    days = position.days if position else 0
    state = read_manifest(source, run.state)
    ids = EntityIds(target, fitted)
    for kind, mapped in fitted.of_project(project).items():
        rows = KindRows(target, fitted, mapped, project, ids, days=days)
        savepoint = target.begin_nested()
        try:
            yield from _check_kind(source, rows, state, policy_of(run, kind), tell)
        except (ProgrammingError, DataError, IntegrityError, Misuse) as error:
            reason = error.message if isinstance(error, Misuse) else str(error.orig).strip().splitlines()[0]
            problem = f"its rows cannot be compared: {reason}"
            yield Finding(where=mapped.shown, what=project, problem=problem, fault=Fault.TABLE)
        finally:
            savepoint.rollback()


def _check_kind(source: Connection, rows: KindRows, state: Root, policy: Policy, tell: Tell) -> Iterator[Finding]:
    top, kind = top_of(state, rows.kind), rows.kind
    count = count_of(state, kind)
    with _compared(rows, texts_of(source, top), lambda done: tell(kind, done, count)):
        for key, _ in _missing(rows):
            yield _finding(rows, key, "its row is missing", Fault.MISSING)
        adopted = _keys(rows, ADOPTED) if policy is Policy.ONCE else set()
        for key, names, _, _ in _differing(rows):
            if key not in adopted:
                yield _finding(rows, key, f"its row differs in {', '.join(names)}", Fault.DIFFERENT)
        for key, _ in _unseen(rows, MADE) if not rows.mapped.is_part else ():
            yield _finding(rows, key, "its row is neither in the state nor noted as stale", Fault.EXTRA)


def _finding(rows: KindRows, key: str, problem: str, fault: Fault) -> Finding:
    entity = (rows.kind, KeyBytes(key.encode()))
    what = f"{rows.kind} {key}"
    return Finding(where=rows.mapped.shown, what=what, problem=problem, fault=fault, entity=entity)


def compare(
    source: Connection, target: Connection, fitted: FittedMap, run: Run, kinds: Collection[str] | None
) -> Iterator[EntityChange]:
    """Yield what separates a project's rows from a run's state: what a projection would write, and rows beyond it."""
    dialect_of(target).see_all_rows()
    state, ids = read_manifest(source, run.state), EntityIds(target, fitted)
    position = notes.position(target, run.project)
    days = position.days if position else 0
    for kind, mapped in fitted.of_project(run.project).items():
        if kinds is None or kind in kinds:
            rows = KindRows(target, fitted, mapped, run.project, ids, days=days)
            savepoint = target.begin_nested()
            with _compared(rows, texts_of(source, top_of(state, kind))):
                yield from _differences(rows)
            savepoint.rollback()


def _differences(rows: KindRows) -> Iterator[EntityChange]:
    mapped = rows.mapped
    fields = {one.name: plain_name(one.value) or one.name for one in mapped.columns}
    for key, values in _missing(rows):
        change = {fields[name]: (None, _plain(values[name])) for name in mapped.owned}
        yield EntityChange(kind=rows.kind, key=orjson.loads(key), change="added", fields=change)
    for key, names, before, now in _differing(rows):
        change = {fields[name]: (_plain(before[name]), _plain(now[name])) for name in names}
        yield EntityChange(kind=rows.kind, key=orjson.loads(key), change="changed", fields=change)
    for key, values in _unseen(rows, MADE, STALE, ADOPTED) if not mapped.is_part else ():
        change = {fields[name]: (_plain(values[name]), None) for name in mapped.owned}
        yield EntityChange(kind=rows.kind, key=orjson.loads(key), change="removed", fields=change)


def _plain(value: Any) -> Any:
    """Return a column's value as JSON has it."""
    match value:
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case date() | time():
            return value.isoformat()
        case Decimal() | UUID():
            return str(value)
        case bytes() | memoryview():
            return bytes(value).hex()
        case _:
            return value


@contextmanager
def _compared(rows: KindRows, texts: Texts, tell: Callable[[int], None] = lambda _: None) -> Iterator[None]:
    """Stage the whole state to compare it, and write nothing else. Rows of others under our keys count as well."""
    with staged(rows, texts, tell):
        match_unnoted(rows)
        give_way(rows)
        yield


def _missing(rows: KindRows) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield keys and values of staged rows that the table does not have."""
    query = select(rows.stage).where(~rows.is_there).order_by(_in_order(rows, rows.staged_key))
    for row in rows.connection.execute(query).mappings():
        values = dict(row)
        yield values.pop(STAGED_KEY), values


def _differing(rows: KindRows) -> Iterator[tuple[str, list[str], dict[str, Any], dict[str, Any]]]:
    """Yield key, columns, the table's values and the staged ones of rows that differ."""
    names = rows.owned
    if not names:
        return
    table, stage = rows.table, rows.stage
    query = select(
        rows.staged_key,
        *(rows.differs_in(name) for name in names),
        *(table.c[name] for name in names),
        *(stage.c[name] for name in names),
    )
    query = query.join_from(stage, table, rows.is_same).where(rows.differs())
    count = len(names)
    for key, *values in rows.connection.execute(query.order_by(_in_order(rows, rows.staged_key))):
        flags, before, now = values[:count], values[count : 2 * count], values[2 * count :]
        found = [name for name, flag in zip(names, flags, strict=True) if flag]
        yield key, found, dict(zip(names, before, strict=True)), dict(zip(names, now, strict=True))


def _unseen(rows: KindRows, *why: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield keys and values of rows that the ledger names, and that are not staged."""
    names = rows.mapped.owned
    query = select(LEDGER.c.key, *(rows.table.c[name] for name in names))
    query = query.join_from(LEDGER, rows.table, rows.is_noted(rows.table, *why))
    is_unseen = dialect_of(rows.connection).is_absent(LEDGER.c.key, rows.staged_key)
    query = query.where(LEDGER.c.project == rows.project, is_unseen).order_by(_in_order(rows, LEDGER.c.key))
    for key, *values in rows.connection.execute(query):
        yield key, dict(zip(names, values, strict=True))


def _keys(rows: KindRows, why: str) -> set[str]:
    """Return the keys that the ledger has for this reason."""
    query = select(LEDGER.c.key).where(LEDGER.c.kind == rows.kind, LEDGER.c.why == why)
    return set(rows.connection.execute(query.where(LEDGER.c.project == rows.project)).scalars())


def _in_order(rows: KindRows, key: ColumnElement[Any]) -> ColumnElement[Any]:
    return key.collate(dialect_of(rows.connection).bytewise)

"""Bringing a kind's rows to a state: from its staging table, set-based, and compared once more when written.

The tables are never created, altered or given indexes. A trigger that swallows a row or rewrites a value is an error,
and not a difference that the next projection finds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    Column,
    ColumnElement,
    MetaData,
    Table,
    Text,
    and_,
    delete,
    exists,
    func,
    insert,
    null,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.exc import IntegrityError

from seedjournal.journal import Misuse, Unavailable

from ..dialects import dialect_of
from ..mapping import DATABASE
from ..notes import ADOPTED, LEDGER
from ..stage import it_has, lost_rows
from . import uniques
from .identifying import find_ids, note, refuse_strangers, release_lost
from .leaving import revive
from .matching import KindRows
from .staging import Texts, staged


class Written(NamedTuple):
    """How many rows were inserted and updated, and how many differ and were left so."""

    inserted: int = 0
    updated: int = 0
    differing: int = 0


def write(
    rows: KindRows, texts: Texts, tell: Callable[[int], None], *, only_missing: bool = False, is_first: bool = False
) -> Written:
    """Bring the rows of these events to their content; `only_missing` leaves rows that are there as they are."""
    if rows.mapped.is_part:
        return _write_part(rows, texts, tell, only_missing=only_missing)
    if not is_first:
        release_lost(rows)
    is_empty = is_first and not rows.connection.execute(select(exists().select_from(rows.table))).scalar()
    with staged(rows, texts, tell, is_empty=is_empty):
        if not is_empty or rows.mapped.scheme == DATABASE:
            find_ids(rows)
        if is_empty and not rows.mapped.losers and (loaded := _load(rows)) is not None:
            return Written(loaded)
        refuse_strangers(rows)
        if rows.leaves_adopted:
            adopted = select(LEDGER.c.key).where(LEDGER.c.kind == rows.kind, LEDGER.c.why == ADOPTED)
            rows.connection.execute(delete(rows.stage).where(rows.staged_key.in_(adopted)))
        aside = uniques.resolve(rows)
        if not is_first:
            _refuse_orphans(rows)
            revive(rows)
        differing = updated = 0
        if only_missing:
            differing = rows.count_differing()
        else:
            updated = _move_rows(rows) + _update(rows, aside)
        inserted = _insert(rows)
        note(rows)
        if not only_missing:
            _refuse_rewritten(rows)
        return Written(inserted, updated, differing)


def _load(rows: KindRows) -> int | None:
    """Insert all staged rows into an empty table; return None if a constraint refuses some."""
    names = list(rows.mapped.written)
    order = [rows.stage.c[name] for name in rows.mapped.identity]
    ordered = select(*_at_first(rows)).order_by(*order)
    try:
        with rows.connection.begin_nested():
            stored = rows.add(insert(rows.table).from_select(names, ordered))
            _lead_to_own(rows, true())
    except IntegrityError:
        return None
    note(rows, is_new=rows.mapped.scheme != DATABASE)
    if rows.mapped.info.triggers or not rows.mapped.is_on_postgresql:  # nothing else there rewrites a row
        _refuse_rewritten(rows)
    return stored


def write_absent(rows: KindRows, texts: Texts) -> int:
    """Give rows the defaults of a part that left the state, if the rows themselves did not; return how many."""
    with staged(rows, texts):
        rows.connection.execute(delete(rows.stage).where(~rows.is_there))
        updated = _update(rows, [])
        _refuse_rewritten(rows)
        return updated


def _write_part(rows: KindRows, texts: Texts, tell: Callable[[int], None], *, only_missing: bool) -> Written:
    with staged(rows, texts, tell):
        if only_missing:
            return Written(differing=rows.count_differing())
        updated = _update(rows, [])
        _refuse_rewritten(rows)
        return Written(updated=updated)


def _refuse_orphans(rows: KindRows) -> None:
    """Raise Misuse where rows that staged ones point to are not there."""
    missing = set()
    for name in rows.mapped.refs:
        path = rows.mapped.paths[name]
        parent = rows.fitted.maps.get(path.to)
        if (
            parent is None
            or name in rows.mapped.generics
            or path.to == rows.kind
            or parent.is_part
            or len(parent.identity) > 1
        ):
            continue
        pointer = rows.raw.c[f"r_{name}"]
        is_there = exists().where(parent.table.c[parent.identity[0]] == pointer)
        if rows.connection.execute(select(exists().where(pointer.is_not(None), ~is_there))).scalar():
            missing.add(path.to)
    if missing:
        raise Misuse(
            f"{rows.kind} cannot be projected: it refers to rows of {' and '.join(sorted(missing))} that are not "
            "there.",
            "If somebody deleted them, --repair puts them back.",
        )


def _update(rows: KindRows, aside: Sequence[str]) -> int:
    """Give rows the staged content where any column of ours differs; return how many.

    `aside` has the keys of rows that hold values which others are about to take.
    """
    expected = rows.count_differing()
    if not expected:
        return 0
    names = rows.owned
    if aside:
        uniques.set_aside(rows, aside)
    changed = {**{name: rows.stage.c[name] for name in names}, **rows.touched()}
    differing = and_(rows.is_same, rows.differs())
    try:
        with rows.connection.begin_nested():
            done = rows.do(update(rows.table).values(changed).where(differing))
    except IntegrityError as error:
        if aside or not dialect_of(rows.connection).is_exclusion(error):
            raise
        return _update(rows, _differing_keys(rows))
    if aside:
        done += uniques.put_back(rows, changed)
    if done < expected:
        raise _lost(rows, expected, done)
    return expected


def _differing_keys(rows: KindRows) -> list[str]:
    joined = select(rows.staged_key).join_from(rows.stage, rows.table, rows.is_same)
    return list(rows.connection.execute(joined.where(rows.differs())).scalars())


def _move_rows(rows: KindRows) -> int:
    """Give rows of ours the primary keys that their entities have now; return how many.

    Only a primary key that holds more than the kind's key can change.
    """
    if rows.mapped.key_tells_id:
        return 0
    stage, names = rows.stage, rows.mapped.identity
    among = and_(LEDGER.c.kind == rows.kind, LEDGER.c.key == rows.staged_key, LEDGER.c.id != rows.id_text(stage))
    was = and_(among, rows.has_noted_id(rows.table))
    changed = {**{name: stage.c[name] for name in (*names, *rows.owned)}, **rows.touched()}
    moved_rows = rows.do(update(rows.table).values(changed).where(was))
    if moved_rows:
        rows.connection.execute(update(LEDGER).values(id=rows.id_text(stage)).where(among))
    return moved_rows


def _insert(rows: KindRows) -> int:
    """Add the staged rows that the table does not have; return how many."""
    is_new = ~rows.is_there
    count_new = select(func.count()).select_from(rows.stage).where(is_new)
    expected = rows.count(count_new)
    if not expected:
        return 0
    names = list(rows.mapped.written)
    added = Table("seedjournal_added", MetaData(), Column("key", Text, primary_key=True), prefixes=["TEMPORARY"])
    if _own_pointers(rows):
        added.create(rows.connection, checkfirst=False)
        rows.connection.execute(insert(added).from_select(["key"], select(rows.staged_key).where(is_new)))
    statement = insert(rows.table).from_select(names, select(*_at_first(rows)).where(is_new))
    stored = rows.add(statement)
    if _own_pointers(rows):
        _lead_to_own(rows, rows.staged_key.in_(select(added.c.key)))
        added.drop(rows.connection, checkfirst=False)
    left = rows.count(count_new)
    if stored < expected or left:
        raise _lost(rows, expected, min(stored, expected - left))
    return expected


def _own_pointers(rows: KindRows) -> tuple[str, ...]:
    """Name the columns that lead to rows of the same table and are filled after the rows are there.

    Only SQLite needs it: while a reference waits for its row, each new row makes it look through all others, where
    no index has the column first.
    """
    return () if rows.mapped.is_on_postgresql else rows.mapped.own_pointers


def _at_first(rows: KindRows) -> list[ColumnElement[Any]]:
    """Return what an inserted row's columns hold at first."""
    late = _own_pointers(rows)
    return [null() if name in late else rows.stage.c[name] for name in rows.mapped.written]


def _lead_to_own(rows: KindRows, among: ColumnElement[bool]) -> None:
    """Fill the columns that lead to rows of the same table."""
    if led := {name: rows.stage.c[name] for name in _own_pointers(rows)}:
        has_any = or_(*(one.is_not(None) for one in led.values()))
        rows.connection.execute(update(rows.table).values(led).where(rows.is_same, has_any, among))


def _refuse_rewritten(rows: KindRows) -> None:
    """Raise Unavailable where rows are not as they were written, naming the columns and what may have done it."""
    stage, table = rows.stage, rows.table
    lost = rows.count(select(func.count()).select_from(stage).where(~rows.is_there))
    if lost:
        total = rows.count(select(func.count()).select_from(stage))
        raise _lost(rows, total, total - lost)
    if not rows.count_differing():
        return
    found = []
    for name in rows.owned:
        query = select(rows.staged_key).join_from(stage, table, rows.is_same)
        query = query.where(rows.differs([name])).limit(1)
        found += [f"{name} of {rows.kind} {key}" for key in rows.connection.execute(query).scalars()]
    raise Unavailable(
        f"Table {rows.mapped.shown} stored other values than seedjournal wrote, in {', '.join(found)}; the "
        f"projection was undone{it_has(rows.mapped.info.triggers)}.",
        "A trigger rewrites the values. Let the map give them once with initial(…), or change the trigger.",
    )


def _lost(rows: KindRows, sent: int, stored: int) -> Unavailable:
    return lost_rows(rows.mapped.shown, sent, stored, rows.mapped.info.triggers)

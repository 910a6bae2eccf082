"""What left the state, and what came back: rows are noted as stale, then deleted, or marked where the map says so.

A row that another row refers to stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import orjson
from sqlalchemy import (
    Column,
    ColumnElement,
    MetaData,
    Table,
    Text,
    and_,
    cast,
    delete,
    exists,
    false,
    func,
    insert,
    or_,
    select,
    table,
    true,
    tuple_,
    update,
)
from sqlalchemy import column as named

from seedjournal.journal import Pointer, batched

from ..dialects import dialect_of
from ..notes import ADOPTED, LEDGER, MADE, STALE
from .expressions import pointers
from .identifying import take_noted_ids
from .matching import BATCH, KindRows
from .staging import Texts, staged
from .uniques import yield_to_table


def leave(rows: KindRows, texts: Texts, keys: Sequence[str]) -> list[str]:
    """Note that entities left the state; return the keys of rows that are as they were last written."""
    with staged(rows, texts):
        if rows.mapped.gives_ids:
            take_noted_ids(rows, MADE, ADOPTED, STALE)
        if rows.mapped.losers:
            yield_to_table(rows)
        joined = select(rows.staged_key).join_from(rows.stage, rows.table, rows.is_same)
        query = joined.where(~rows.differs(), rows.in_ledger(MADE))
        unedited = list(rows.connection.execute(query).scalars())
    for batch in batched(keys, BATCH):
        among = and_(LEDGER.c.kind == rows.kind, LEDGER.c.key.in_(batch))
        rows.connection.execute(delete(LEDGER).where(among, LEDGER.c.why == ADOPTED))
        rows.connection.execute(update(LEDGER).values(why=STALE).where(among))
    rows.ids.load(rows.kind)
    return unedited


def note_unseen(rows: KindRows, texts: Texts) -> None:
    """Note rows of ours as stale that these events, which are the whole state, do not name."""
    keys = Table("seedjournal_keys", MetaData(), Column("key", Text), prefixes=["TEMPORARY"])
    keys.create(rows.connection, checkfirst=False)
    for piece in texts():
        found = [(orjson.dumps(orjson.loads(one)["key"]).decode(),) for one in piece]
        dialect_of(rows.connection).load(keys.name, ("key",), found)
    unseen = and_(
        LEDGER.c.kind == rows.kind,
        LEDGER.c.project == rows.project,
        LEDGER.c.why != STALE,
        dialect_of(rows.connection).is_absent(LEDGER.c.key, keys.c.key),
    )
    if rows.count(select(func.count()).select_from(LEDGER).where(unseen)):
        rows.connection.execute(delete(LEDGER).where(unseen, LEDGER.c.why == ADOPTED))
        rows.connection.execute(update(LEDGER).values(why=STALE).where(unseen))
        rows.ids.load(rows.kind)
    keys.drop(rows.connection, checkfirst=False)


def prune(rows: KindRows, only: Sequence[str] | None = None) -> int:
    """Delete stale rows that no row refers to, or mark them where the map says so; return how many.

    `only` has the keys of those to delete, if not all.
    """
    if not rows.count(select(func.count()).select_from(LEDGER).where(rows.is_stale)):
        return 0
    gone = Table(
        "seedjournal_gone",
        MetaData(),
        Column("key", Text),
        *(Column(name, rows.mapped.spelled(name), primary_key=True) for name in rows.mapped.identity),
        prefixes=["TEMPORARY"],
    )
    gone.create(rows.connection, checkfirst=False)
    chosen = select(LEDGER.c.key, *(rows.noted_id(name) for name in rows.mapped.identity)).where(rows.is_stale)
    for batch in [None] if only is None else batched(only, BATCH):
        among = chosen if batch is None else chosen.where(LEDGER.c.key.in_(batch))
        rows.connection.execute(insert(gone).from_select(list(gone.columns.keys()), among))
    deleted = _mark(rows, gone) if rows.mapped.declared.gone else _delete(rows, gone)
    gone.drop(rows.connection, checkfirst=False)
    return deleted


def _mark(rows: KindRows, gone: Table) -> int:
    """Mark rows as deleted that are not marked yet."""
    column = rows.mapped.declared.gone.column if rows.mapped.declared.gone else ""
    among = and_(exists().where(rows.same_row(gone, rows.table)), ~_is_marked(rows))
    given = true() if _marks_by_flag(rows) else rows.moment(column)
    return rows.do(update(rows.table).values({column: given, **rows.touched()}).where(among))


def _delete(rows: KindRows, gone: Table) -> int:
    """Delete rows that no other row refers to, and forget them."""
    ours = rows.table
    if rows.mapped.is_on_postgresql:
        locked = select(ours.c[rows.mapped.identity[0]]).where(exists().where(rows.same_row(ours, gone)))
        rows.connection.execute(locked.with_for_update()).all()
    other = gone.alias()
    held = [_pointed_from_outside(rows, one, gone, other) for one in rows.referring()]
    held += _softly_pointed(rows, gone, other)
    while held and rows.do(delete(gone).where(or_(*held))):
        pass
    deleted = rows.do(delete(ours).where(exists().where(rows.same_row(ours, gone))))
    still = exists().where(rows.has_noted_id(ours))
    rows.connection.execute(delete(LEDGER).where(rows.is_stale, ~still))
    return deleted


def _pointed_from_outside(rows: KindRows, pointer: Pointer, gone: Table, other: Any) -> ColumnElement[bool]:
    """Say in SQL that a row refers to this one which will not be deleted with it."""
    is_itself = pointer.table == rows.mapped.info.name and pointer.schema in {None, rows.mapped.info.schema}
    names = (*pointer.columns, *(rows.mapped.identity if is_itself else ()))
    pointing = table(pointer.table, *map(named, dict.fromkeys(names)), schema=pointer.schema).alias("pointing")
    target = rows.table.alias("target")
    pairs = zip(pointer.columns, pointer.referred, strict=True)
    joined = and_(*(pointing.c[mine] == target.c[theirs] for mine, theirs in pairs))
    found = select(*(target.c[name] for name in rows.mapped.identity)).join_from(pointing, target, joined)
    if is_itself:
        found = found.where(~exists().where(rows.same_row(pointing, other)))
    return tuple_(*(gone.c[name] for name in rows.mapped.identity)).in_(found)


def _softly_pointed(rows: KindRows, gone: Table, other: Any) -> Iterator[ColumnElement[bool]]:
    """Say in SQL that a column of a mapped table that no foreign key binds holds the row's id, in anybody's row."""
    for child in rows.fitted.maps.values():
        for column, kind_column, word in pointers(rows.fitted, child, rows.kind):
            if any(key.columns == (column.name,) for key in child.info.foreign_keys):
                continue
            pointing = child.table.alias("pointing")
            (name,) = rows.mapped.identity
            told: ColumnElement[Any] = pointing.c[column.name]
            if column.base != rows.mapped.info.columns[name].base:
                told = cast(told, Text)
            found = select(told).where(told.is_not(None))
            if kind_column is not None:
                found = found.where(pointing.c[kind_column] == word)
            if child.info == rows.mapped.info:
                found = found.where(~exists().where(rows.same_row(pointing, other)))
            number: ColumnElement[Any] = gone.c[name]
            yield (cast(number, Text) if column.base != rows.mapped.info.columns[name].base else number).in_(found)


def revive(rows: KindRows) -> None:
    """Note that staged entities are no longer stale, and remove the mark of those that were marked as gone."""
    back = and_(LEDGER.c.kind == rows.kind, LEDGER.c.why == STALE, LEDGER.c.key.in_(select(rows.staged_key)))
    if not rows.count(select(func.count()).select_from(LEDGER).where(back)):
        return
    if gone := rows.mapped.declared.gone:
        found = select(*map(rows.noted_id, rows.mapped.identity)).where(back)
        marked = tuple_(*(rows.table.c[name] for name in rows.mapped.identity)).in_(found)
        changed = {gone.column: false() if _marks_by_flag(rows) else None, **rows.touched()}
        rows.connection.execute(update(rows.table).values(changed).where(marked))
    rows.connection.execute(update(LEDGER).values(why=MADE).where(back))


def stale_count(rows: KindRows) -> int:
    """Count stale rows that are still there."""
    query = select(func.count()).select_from(LEDGER).join(rows.table, rows.is_noted(rows.table, STALE))
    return rows.count(query.where(LEDGER.c.project == rows.project, ~_is_marked(rows)))


def _is_marked(rows: KindRows) -> ColumnElement[bool]:
    """Say in SQL that a row is marked as gone."""
    gone = rows.mapped.declared.gone
    if gone is None:
        return false()
    marked = rows.table.c[gone.column]
    return func.coalesce(marked, false()) if _marks_by_flag(rows) else marked.is_not(None)


def _marks_by_flag(rows: KindRows) -> bool:
    """Say whether rows that are gone are marked by true or false, and not by a moment."""
    gone = rows.mapped.declared.gone
    return bool(gone and rows.mapped.info.columns[gone.column].type.lower().startswith("bool"))

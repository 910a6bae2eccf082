"""Giving staged rows their ids: those of rows under their keys that others made, and new ones from the database.

What is found is noted in the ledger at once, so that other kinds' rows can refer to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Text,
    and_,
    cast,
    delete,
    exists,
    func,
    insert,
    literal,
    literal_column,
    or_,
    select,
    text,
    true,
    update,
)

from seedjournal.journal import Misuse, batched

from ..dialects import dialect_of
from ..mapping import DATABASE, DERIVED
from ..notes import ADOPTED, LEDGER, MADE
from .matching import BATCH, KindRows

_DOUBLED = 24  # so often twice as many taken ids are passed over: 16 million


def find_ids(rows: KindRows) -> bool:
    """Give staged rows the ids of rows under their keys that others made, and new ones; say if any got one."""
    found = _adopt(rows)
    if rows.mapped.scheme == DATABASE:
        found = _allocate(rows) or found
    if found:
        rows.ids.load(rows.kind)
    return found


def _adopt(rows: KindRows) -> bool:
    """Note rows under keys of ours that nobody noted as adopted."""
    table, stage = rows.table, rows.stage
    is_new = ~rows.in_ledger()
    is_stranger = dialect_of(rows.connection).is_absent(rows.id_text(table), LEDGER.c.id, LEDGER.c.kind == rows.kind)
    if rows.mapped.gives_ids:
        if not rows.mapped.key:
            return False
        matched = and_(
            *(table.c[name] == stage.c[name] for name in rows.mapped.key),
            is_stranger,
            or_(stage.c[rows.mapped.identity[0]].is_(None), ~rows.is_same),
        )
    else:
        matched = and_(rows.is_same, is_stranger)
    query = select(rows.staged_key, rows.id_text(table)).join_from(stage, table, matched)
    found = rows.connection.execute(query.where(or_(is_new, _is_lost(rows)))).all()
    if not found:
        return False
    by_key: dict[str, str] = {}
    for key, number in found:
        if by_key.setdefault(key, number) != number:
            raise Misuse(
                f"Table {rows.mapped.shown} has two rows for {rows.kind} {key}: {by_key[key]} and {number}; "
                "nothing was written.",
                "Delete one of them, or choose other columns in `key`.",
            )
    for batch in batched(by_key, BATCH):
        rows.connection.execute(delete(LEDGER).where(LEDGER.c.kind == rows.kind, LEDGER.c.key.in_(batch)))
    _note_adopted(rows, by_key)
    if rows.mapped.gives_ids:
        take_noted_ids(rows, ADOPTED)
    return True


def _is_lost(rows: KindRows) -> ColumnElement[bool]:
    """Say in SQL that the staged entity is noted, and its row is not there."""
    return and_(rows.in_ledger(), ~exists().where(rows.same_row(rows.table.alias(), rows.stage)))


def take_noted_ids(rows: KindRows, *why: str) -> None:
    """Give staged rows the ids that the ledger has for these reasons."""
    (name,) = rows.mapped.identity
    noted = select(rows.noted_id(name)).where(LEDGER.c.kind == rows.kind, LEDGER.c.key == rows.staged_key)
    noted = noted.where(LEDGER.c.why.in_(why))
    has = rows.in_ledger(*why)
    rows.connection.execute(update(rows.stage).values({name: noted.scalar_subquery()}).where(has))


def _note_adopted(rows: KindRows, ids: Mapping[str, str]) -> None:
    for batch in batched(ids.items(), BATCH):
        made = [(rows.kind, key, rows.project, number, ADOPTED) for key, number in batch]
        dialect_of(rows.connection).load(LEDGER.name, LEDGER.columns.keys(), made)


def _allocate(rows: KindRows) -> bool:
    """Let the database give ids to staged rows without one, in the order of `by`, and note them."""
    (name,) = rows.mapped.identity
    without = rows.stage.c[name].is_(None)
    if not rows.count(select(func.count()).select_from(rows.stage).where(without)):
        return False
    order = [rows.raw.c[f"f_{one}"] for one in rows.mapped.declared.by]
    bytewise = dialect_of(rows.connection).bytewise
    query = select(rows.raw.c.key).join_from(rows.raw, rows.stage, rows.raw.c.key == rows.staged_key)
    ordered = query.where(without).order_by(*order, rows.raw.c.key.collate(bytewise)).subquery()
    number: ColumnElement[Any]
    if rows.mapped.is_on_postgresql and (default := _default(rows)):
        number = literal_column(default)
    else:
        (highest,) = rows.connection.execute(select(func.coalesce(func.max(rows.table.c[name]), 0))).one()
        number = literal(int(highest)) + func.row_number().over()
    made = select(literal(rows.kind), ordered.c.key, literal(rows.project), cast(number, Text), literal(MADE))
    noted = insert(LEDGER).from_select(LEDGER.columns.keys(), made)
    rows.connection.execute(noted)
    just_noted = and_(LEDGER.c.kind == rows.kind, LEDGER.c.key.in_(select(rows.staged_key).where(without)))
    _pass_over_taken(rows, just_noted, noted, number)
    take_noted_ids(rows, MADE)
    return True


def _pass_over_taken(rows: KindRows, just_noted: ColumnElement[bool], noted: Any, number: ColumnElement[Any]) -> None:
    """Let the database give other ids while rows have some of them: a row that brings its id moves no sequence."""
    (name,) = rows.mapped.identity
    taken = just_noted & exists().where(rows.table.c[name] == rows.noted_id(name))
    for doubled in range(_DOUBLED):
        if not rows.count(select(func.count()).select_from(LEDGER).where(taken)):
            return
        rows.connection.execute(delete(LEDGER).where(just_noted))
        rows.connection.execute(select(func.count(number)).select_from(func.generate_series(1, 2**doubled)))
        rows.connection.execute(noted)
    raise Misuse(
        f"The database gives new rows of {rows.mapped.shown} ids that other rows have; nothing was written.",
        f"Set the sequence of its column {name} above the highest id that is there.",
    )


def _default(rows: KindRows) -> str | None:
    """Return the expression by which the database gives an id."""
    (name,) = rows.mapped.identity
    info = rows.mapped.info.columns[name]
    if not info.identity:
        return info.default
    quote = rows.connection.dialect.identifier_preparer.quote_identifier
    table = f"{quote(rows.mapped.info.schema or '')}.{quote(rows.mapped.info.name)}"
    query = text("SELECT pg_get_serial_sequence(:name, :column)")
    sequence = rows.connection.execute(query, {"name": table, "column": name}).scalar_one()
    return "nextval('{}')".format(str(sequence).replace("'", "''"))


def match_unnoted(rows: KindRows) -> None:
    """Give staged rows that nobody noted the ids of the rows that have their keys."""
    if not (rows.mapped.gives_ids and rows.mapped.key):
        return
    (name,) = rows.mapped.identity
    same = and_(*(rows.table.c[one] == rows.stage.c[one] for one in rows.mapped.key))
    found = select(rows.table.c[name]).where(same).order_by(rows.table.c[name]).limit(1).scalar_subquery()
    unnoted = and_(~rows.in_ledger(), exists().where(same))
    rows.connection.execute(update(rows.stage).values({name: found}).where(unnoted))


def release_lost(rows: KindRows) -> None:
    """Forget adopted rows that their owners deleted: their entities get rows of ours."""
    lost = and_(
        LEDGER.c.kind == rows.kind,
        LEDGER.c.project == rows.project,
        LEDGER.c.why == ADOPTED,
        ~exists().where(and_(*(rows.table.c[name] == rows.noted_id(name) for name in rows.mapped.identity))),
    )
    if rows.count(select(func.count()).select_from(LEDGER).where(lost)):
        rows.connection.execute(delete(LEDGER).where(lost))
        rows.ids.load(rows.kind)


def refuse_strangers(rows: KindRows) -> None:
    """Raise Misuse where a row that nobody noted has an id that an entity's key gives."""
    if rows.mapped.scheme != DERIVED:
        return
    table, stage = rows.table, rows.stage
    (name,) = rows.mapped.identity
    twice = select(func.min(rows.staged_key), func.max(rows.staged_key), stage.c[name]).group_by(stage.c[name])
    for one, two, number in rows.connection.execute(twice.having(func.count() > 1)):
        raise Misuse(
            f"{rows.kind} {one} and {rows.kind} {two} have the same derived id, {number}; nothing was written.",
            f'Let the database give the ids: write ids="database" for {rows.kind} in the map.',
        )
    if not rows.mapped.key:
        return
    other = or_(*(table.c[one].is_distinct_from(stage.c[one]) for one in rows.mapped.key))
    query = select(rows.staged_key, stage.c[name]).join_from(stage, table, rows.is_same)
    for key, number in rows.connection.execute(query.where(other, ~rows.in_ledger()).limit(1)):
        raise Misuse(
            f"Table {rows.mapped.shown} has a row with id {number} that seedjournal did not make, and {rows.kind} "
            f"{key} needs this id; nothing was written.",
            "Give that row another id.",
        )


def note(rows: KindRows, *, is_new: bool = False) -> None:
    """Note the staged rows that the ledger does not have; `is_new` says that it has none of them."""
    stage = rows.stage
    unknown = true() if is_new else ~rows.in_ledger()
    if not is_new and not rows.count(select(func.count()).select_from(stage).where(unknown)):
        return
    made = select(literal(rows.kind), rows.staged_key, literal(rows.project), rows.id_text(stage), literal(MADE))
    rows.connection.execute(insert(LEDGER).from_select(LEDGER.columns.keys(), made.where(unknown)))

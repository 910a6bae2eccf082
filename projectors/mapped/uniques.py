"""Values that no two rows may share: who gives way, and how values change hands between rows.

Where the map says so, the greater of two keys takes another value. Where rows exchange values, those that hold them
leave the table for a moment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

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
    literal_column,
    select,
    update,
)

from seedjournal.journal import Misuse, batched

from ..dialects import dialect_of
from ..mapping import NOT_GIVEN
from ..notes import LEDGER
from .catalogue import UniqueKey
from .expressions import literal_of
from .kinds import STAGED_KEY, Filled, Spelled
from .matching import BATCH, KindRows


def resolve(rows: KindRows) -> list[str]:
    """Find unique values that two rows would share; return the keys of rows to take out while values change hands.

    Raises Misuse if the map does not say which of the two gives way.
    """
    aside: dict[str, None] = {}
    for unique in _uniques(rows):
        loser = _loser(rows, unique)
        _refuse_shared(rows, unique, loser)
        losing: list[str] = []
        for key, holder, number in _held(rows, unique):
            if holder is not None:
                if not (unique.deferrable and rows.mapped.is_on_postgresql):
                    aside[holder] = None
            elif loser is not None:
                losing.append(key)
            else:
                raise Misuse(
                    f"{rows.kind} {key} has the same {_words(unique)} as {_holder(rows, number)}, but "
                    f"{rows.mapped.shown} allows each value once ({unique.name}); nothing was written.",
                    "Change one of the two. Or let the map give one of them another value, with null_as(…, "
                    "unique_in=[…], loser=…).",
                )
        if loser is not None:
            _lose(rows, loser, losing)
    return list(aside)


def give_way(rows: KindRows) -> None:
    """Give staged rows the loser's value where a lesser key, or a row that is not staged, has their unique value."""
    for unique in _uniques(rows):
        if any(one.name in unique.columns for one in rows.mapped.losers):
            loser = _loser(rows, unique)
            _refuse_shared(rows, unique, loser)
            if loser is not None:
                _lose(rows, loser, [key for key, holder, _ in _held(rows, unique) if holder is None])


def _uniques(rows: KindRows) -> Iterator[UniqueKey]:
    """Yield the unique keys: the table's own constraints, and those that the map adds."""
    for one in rows.mapped.info.uniques:
        is_id = rows.mapped.gives_ids and one.columns == rows.mapped.identity
        if not is_id and set(one.columns) <= set(rows.mapped.written):
            yield one
    for filled in rows.mapped.losers:
        if filled.unique:
            name = f"unique_in of {filled.name}"
            yield UniqueKey(name=name, columns=(*filled.unique.within, filled.name))


def _loser(rows: KindRows, unique: UniqueKey) -> Filled | None:
    """Return the column that the greater of two keys gives up, if the map says what it holds then."""
    found = next((one for one in rows.mapped.losers if one.name in unique.columns), None)
    return found if found is not None and found.when_lost is not NOT_GIVEN else None


def _in_unique(table: Table, unique: UniqueKey, loser: Filled | None) -> tuple[Any, list[ColumnElement[Any]]]:
    """Return the rows that a unique key compares, and the values by which it does."""
    of_key: list[ColumnElement[Any]] = [literal_column(one) for one in unique.parts] or [
        table.c[name] for name in unique.columns
    ]
    names = [f"{STAGED_KEY}_{place}" for place in range(len(of_key))]
    chosen = select(table, *(one.label(name) for one, name in zip(of_key, names, strict=True)))
    if not unique.nulls_equal:
        chosen = chosen.where(*(one.is_not(None) for one in of_key))
    if unique.where:
        chosen = chosen.where(literal_column(f"({unique.where})"))
    if loser is not None:
        chosen = chosen.where(table.c[loser.name] != literal_of(loser.when_lost))
    compared = chosen.subquery()
    return compared, [compared.c[name] for name in names]


def _refuse_shared(rows: KindRows, unique: UniqueKey, loser: Filled | None) -> None:
    """Find staged rows that share a unique value: the greater key loses it, or else raise Misuse."""
    staged, within = _in_unique(rows.stage, unique, loser)
    bytewise = dialect_of(rows.connection).bytewise
    key = staged.c[STAGED_KEY].collate(bytewise)
    place = func.row_number().over(partition_by=within, order_by=key).label("place")
    first = func.first_value(staged.c[STAGED_KEY]).over(partition_by=within, order_by=key).label("first")
    placed = select(staged.c[STAGED_KEY], place, first).subquery()
    shared = rows.connection.execute(select(placed.c[STAGED_KEY], placed.c.first).where(placed.c.place > 1)).all()
    if not shared:
        return
    if loser is not None:
        _lose(rows, loser, [key for key, _ in shared])
        return
    key, first_key = min(map(tuple, shared))
    more = f" (and {len(shared) - 1:,} more)" if len(shared) > 1 else ""
    raise Misuse(
        f"{rows.kind} {first_key} and {rows.kind} {key} have the same {_words(unique)}{more}, but "
        f"{rows.mapped.shown} allows each value once ({unique.name}); nothing was written.",
        "Change one of the two. Or let the map give the greater key another value, with null_as(…, "
        "unique_in=[…], loser=…).",
    )


def _lose(rows: KindRows, loser: Filled, keys: Sequence[str]) -> None:
    for batch in batched(keys, BATCH):
        given = {loser.name: literal_of(loser.when_lost)}
        rows.connection.execute(update(rows.stage).values(given).where(rows.staged_key.in_(batch)))


def yield_to_table(rows: KindRows) -> None:
    """Give staged rows the loser's value if the table has it: rows that are not staged decide who loses."""
    for one in rows.mapped.losers:
        if one.when_lost is not NOT_GIVEN:
            given = literal_of(one.when_lost)
            lost = exists().where(rows.is_same, rows.table.c[one.name] == given)
            rows.connection.execute(update(rows.stage).values({one.name: given}).where(lost))


def _holder(rows: KindRows, number: str) -> str:
    """Name a row by its id, for people."""
    noted = select(LEDGER.c.key).where(LEDGER.c.kind == rows.kind, LEDGER.c.id == number)
    if key := rows.connection.execute(noted).scalar():
        return f"{rows.kind} {key}"
    return f"row {number} of {rows.mapped.shown}, which seedjournal did not make"


def _held(rows: KindRows, unique: UniqueKey) -> Iterator[tuple[str, str | None, str]]:
    """Yield (key, holder's key, holder's id) of staged rows whose value another row of the table has.

    The holder's key is None unless that row is staged as well, with another value.
    """
    loser = _loser(rows, unique)
    (held, theirs), (staged, ours) = (_in_unique(one, unique, loser) for one in (rows.table, rows.stage))
    other = rows.stage.alias("seedjournal_other")
    same = and_(
        *(
            one.is_not_distinct_from(two) if unique.nulls_equal else one == two
            for one, two in zip(theirs, ours, strict=True)
        )
    )
    query = select(staged.c[STAGED_KEY], other.c[STAGED_KEY], rows.id_text(held))
    query = query.select_from(staged).join(held, and_(same, ~rows.same_row(held, staged)))
    query = query.outerjoin(other, rows.same_row(held, other))
    yield from map(tuple, rows.connection.execute(query).all())


def _aside(rows: KindRows) -> Table:
    columns = (
        Column(name, Spelled(one.type), primary_key=name in rows.mapped.identity)
        for name, one in rows.mapped.info.columns.items()
        if not one.generated
    )
    return Table("seedjournal_aside", MetaData(), *columns, prefixes=["TEMPORARY"])


def set_aside(rows: KindRows, keys: Sequence[str]) -> None:
    """Take rows out of the table until all values are free; raise Misuse if other rows refer to them."""
    aside, table, stage = _aside(rows), rows.table, rows.stage
    names = list(aside.columns.keys())
    moving = Table("seedjournal_moving", MetaData(), Column("key", Text), prefixes=["TEMPORARY"])
    moving.create(rows.connection, checkfirst=False)
    dialect_of(rows.connection).load(moving.name, ("key",), [(key,) for key in keys])
    among = and_(rows.is_same, rows.staged_key.in_(select(moving.c.key)))
    for pointer in (one for one in rows.referring() if not one.can_wait):
        query = select(rows.staged_key).join_from(stage, table, among).where(pointer.points_to(table))
        if referred := rows.connection.execute(query.limit(1)).scalar():
            raise Misuse(
                f"{rows.kind} {referred} gives up a unique value that another row of {rows.mapped.shown} takes. "
                f"Rows of {pointer.table} refer to it, so the two cannot be written in any order; nothing was "
                "written.",
                "Make the unique constraint DEFERRABLE. Or record the change in two steps, and project after each.",
            )
    if not rows.mapped.is_on_postgresql:  # there constraints wait already
        rows.connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
    aside.create(rows.connection, checkfirst=False)
    taken = select(*(table.c[name] for name in names)).join_from(stage, table, among)
    rows.connection.execute(insert(aside).from_select(names, taken))
    rows.connection.execute(delete(table).where(exists().where(rows.same_row(table, aside))))
    moving.drop(rows.connection, checkfirst=False)


def put_back(rows: KindRows, changed: Mapping[str, ColumnElement[Any]]) -> int:
    """Put the rows into the table again, changed; return how many."""
    aside = _aside(rows)
    names = list(aside.columns.keys())
    rows.connection.execute(update(aside).values(dict(changed)).where(rows.same_row(aside, rows.stage)))
    back = insert(rows.table).from_select(names, select(*(aside.c[name] for name in names)))
    done = rows.add(back)
    aside.drop(rows.connection, checkfirst=False)
    return done


def _words(unique: UniqueKey) -> str:
    """Return the columns of a unique key, as an error names them."""
    return " and ".join(unique.columns if unique.is_plain else (one.partition(" COLLATE ")[0] for one in unique.parts))

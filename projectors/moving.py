"""Dates that move with today: all dates of a project's rows are shown some whole weeks later, or earlier.

Events keep the dates of their run. A row holds them moved by the number of days that the project's position remembers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

from sqlalchemy import Column, Connection, func, or_, select, update

from seedjournal.journal import Field, Policy, Run, batched

from .dialects import dialect_of
from .layout import Layout, TableMap, key_from_row
from .notes import Adopted
from .rows import derived_id
from .stage import refuse_lost

WEEK = 7
_PIECE = 10_000


def weeks_of(days: int) -> str:
    """Return a number of days, a multiple of seven, as a number of weeks.

    >>> weeks_of(7), weeks_of(-14)
    ('1 week', '-2 weeks')
    """
    return f"{days // WEEK:,} week" + ("" if abs(days) == WEEK else "s")


def can_move(days: int) -> bool:
    """Return whether dates may be moved by so many days: whole weeks, that do not lead beyond the calendar.

    >>> can_move(-14), can_move(3), can_move(7_000_000)
    (True, False, False)
    """
    return days % WEEK == 0 and abs(days) < date.max.toordinal()


def days_until(today: date, run: Run) -> int:
    """Return by how many days, in whole weeks, dates move so that the run's date is at most a week before `today`."""
    return (today - date.fromisoformat(run.inputs["as_of"])).days // WEEK * WEEK


def move_rows(
    target: Connection, layout: Layout, project: str, days: int, adopted: Adopted, policy_of: Callable[[str], Policy]
) -> int:
    """Move the dates of a project's rows, all of a table at once; return how many rows hold a date.

    `layout` is that of the rows as they are. Rows of ours move, those under an edited key aside, and adopted rows but
    for those that their kind's policy leaves alone. Children go before their parents, whose dates may be in their keys.
    """
    count = 0
    for mapped in reversed(layout.maps_of(project).values()):
        columns = [] if mapped.whole else list(_moving_columns(layout, mapped))
        if not columns:
            continue
        kind, seen = mapped.kind.name, mapped.seen
        follows = policy_of(kind) is not Policy.ONCE
        known = {number: follows for (of, _), number in adopted.items() if of == kind}
        dialect_of(target).create(seen)
        for numbers in batched(_moving_rows(target, layout, mapped, project, known), _PIECE):
            dialect_of(target).load(seen.name, ("id",), [(number,) for number in numbers])
        count += _move(target, mapped, columns, days)
        dialect_of(target).drop(seen)
    return count


def _moving_columns(layout: Layout, mapped: TableMap) -> Iterator[tuple[Column[Any], Field]]:
    for one in (mapped, *layout.parts_of(mapped)):
        for field in one.kind.fields:
            if field.moves:
                yield mapped.table.c[field.name], field


def _moving_rows(
    target: Connection, layout: Layout, mapped: TableMap, project: str, adopted: dict[int, bool]
) -> Iterator[int]:
    """Yield the ids of the rows whose id follows from their key, and of those adopted rows that follow the state."""
    kind = mapped.kind.name
    _, parts = layout.natural_keys(mapped)
    for number, *values in target.execute(layout.of_project(mapped, project)):
        known = adopted.get(number)
        if derived_id(kind, key_from_row(mapped, parts, values)) == number if known is None else known:
            yield number


def _move(target: Connection, mapped: TableMap, columns: list[tuple[Column[Any], Field]], days: int) -> int:
    """Move these columns; where a key holds one of them, first to where no other row can be in the way."""
    rows, seen = mapped.table, mapped.seen
    dialect = dialect_of(target)
    is_chosen = rows.c.id.in_(select(seen.c.id))
    in_key = [(column, field) for column, field in columns if column.name in mapped.key_columns]
    steps = [days]
    if in_key:
        span = max(dialect.days_between(rows, column) for column, _ in in_key)
        if span >= abs(days):
            aside = (span // WEEK + 1) * WEEK
            steps = [days + aside, -aside] if days > 0 else [days - aside, aside]
    chosen = int(target.execute(select(func.count()).select_from(seen)).scalar_one())
    for step in steps:
        values = {column: dialect.moved(column, field.type, step) for column, field in columns}
        done = target.execute(update(rows).values(values).where(is_chosen))
        refuse_lost(target, rows, chosen, done.rowcount)
    has_date = or_(*(column.is_not(None) for column, _ in columns))
    return int(target.execute(select(func.count()).select_from(rows).where(is_chosen, has_date)).scalar_one())

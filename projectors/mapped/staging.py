"""Staging: events as the rows that the table is to have, in temporary tables that last for one piece of work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Connection, Numeric, Text, cast, func, insert, null, select
from sqlalchemy.exc import DataError, IntegrityError

from seedjournal.journal import Misuse, NodeHash, batched, event_texts

from ..dialects import dialect_of
from ..mapping import DATABASE, FieldValue
from .expressions import expressions
from .identifying import find_ids
from .kinds import STAGED_KEY, Filled
from .matching import KindRows
from .rows import raw_maker

_PIECE = 20_000
_NAMED = 5  # so many entities are named in an error

# Gives the texts of events in pieces, from the start whenever it is called.
Texts: TypeAlias = Callable[[], Iterable[list[str]]]


def texts_of(source: Connection, top: NodeHash | None) -> Texts:
    """Return what gives all events of a kind's tree."""
    return lambda: event_texts(source, top, _PIECE) if top is not None else ()


def pieces(texts: Sequence[str]) -> Texts:
    """Return what gives these events."""
    return lambda: batched(texts, _PIECE)


@contextmanager
def staged(
    rows: KindRows, texts: Texts, tell: Callable[[int], None] = lambda _: None, *, is_empty: bool = False
) -> Iterator[None]:
    """Stage rows as the table is to have them, for a while; `is_empty` says that it has no row to be joined."""
    _fill(rows, texts, tell)
    if _refers_to_itself(rows) and find_ids(rows):
        _drop(rows)
        _fill(rows, texts, lambda _: None)
    if rows.mapped.is_on_postgresql and not is_empty:
        # All columns would cost much more.
        joined = dict.fromkeys((STAGED_KEY, *rows.mapped.identity, *rows.mapped.key))
        quoted = map(rows.connection.dialect.identifier_preparer.quote_identifier, joined)
        rows.connection.exec_driver_sql(f"ANALYZE {rows.stage.name} ({', '.join(quoted)})")
    yield
    _drop(rows)  # not where it failed: then the transaction drops them


def _refers_to_itself(rows: KindRows) -> bool:
    """Say whether rows may refer to others of their kind, to which the database has yet to give an id."""
    return rows.mapped.scheme == DATABASE and any(
        rows.kind in rows.mapped.kinds_led_to(one) for one in rows.mapped.refs
    )


def _drop(rows: KindRows) -> None:
    rows.stage.drop(rows.connection, checkfirst=False)
    rows.raw.drop(rows.connection, checkfirst=False)


def _fill(rows: KindRows, texts: Texts, tell: Callable[[int], None]) -> None:
    """Load raw rows, and compute the staged ones from them; raise Misuse where a value does not fit its column."""
    make, dialect = raw_maker(rows.mapped, rows.ids, rows.days), dialect_of(rows.connection)
    rows.raw.create(rows.connection, checkfirst=False)
    rows.stage.create(rows.connection, checkfirst=False)
    for piece in texts():
        dialect.load(rows.raw.name, rows.raw.columns.keys(), map(make, piece))
        tell(len(piece))
    computed = [
        null() if name in rows.held else one
        for name, one in zip(rows.mapped.written, expressions(rows.fitted, rows.mapped, rows.raw), strict=True)
    ]
    statement = insert(rows.stage).from_select(list(rows.stage.columns.keys()), select(rows.raw.c.key, *computed))
    try:
        with rows.connection.begin_nested():
            rows.connection.execute(statement)
    except (DataError, IntegrityError) as error:
        raise _unfitting(rows, error) from error


def _unfitting(rows: KindRows, error: DataError | IntegrityError) -> Misuse:
    """Say which value of which entity does not fit which column."""
    reason = str(error.orig).strip().splitlines()[0]
    computed = dict(zip(rows.mapped.written, expressions(rows.fitted, rows.mapped, rows.raw), strict=True))
    found: list[str] = []
    for one in rows.mapped.columns:
        if problem := _too_much(rows, one, computed[one.name]):
            condition, limit = problem
            plain = _plain(rows, one)
            told = cast(computed[one.name] if plain is None else plain, Text)
            query = select(rows.raw.c.key, told).where(condition)
            for key, value in rows.connection.execute(query.order_by(rows.raw.c.key).limit(_NAMED)):
                found.append(
                    f"{rows.kind} {key}: {rows.mapped.shown}.{one.name} takes {limit}, and not {str(value)[:60]!r}"
                )
    words = "; ".join(found) or f"table {rows.mapped.shown}: {reason}"
    return Misuse(
        f"{words}; nothing was written.",
        'Shorten the value in the map, such as sql("left(:name, 50)"), or change the column.',
    )


def _too_much(rows: KindRows, one: Filled, value: ColumnElement[Any]) -> tuple[ColumnElement[bool], str] | None:
    """Say in SQL that a value does not fit its column, and what does."""
    info = one.info
    if not rows.mapped.is_on_postgresql:
        return None
    if info.length is not None:
        return func.char_length(cast(value, Text)) > info.length, f"{info.length} characters"
    plain = _plain(rows, one)
    if plain is None:
        return None
    if info.labels:
        return cast(plain, Text).not_in(info.labels), " or ".join(info.labels)
    most = info.largest
    if most is None:
        return None
    return func.abs(func.round(cast(plain, Numeric), info.scale or 0)) > most, f"numbers up to {most:,}"


def _plain(rows: KindRows, one: Filled) -> ColumnElement[Any] | None:
    """Return the field that a column takes as it is."""
    return rows.raw.c[f"f_{one.value.name}"] if isinstance(one.value, FieldValue) else None

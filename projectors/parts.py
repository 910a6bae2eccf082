"""Parts: kinds whose fields are further columns of another kind's rows, their wholes'.

A part is written with its row. While the state has a row but no part for it, the columns hold the fields' defaults. A
row that has left the state itself keeps what it holds.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import orjson
from sqlalchemy import ColumnElement, Connection, and_, cast, exists, literal, or_, select, update

from seedjournal.journal import Change, KeyBytes, Misuse, batched, canonical_key

from .dialects import dialect_of
from .layout import Layout, TableMap, key_from_row, plain
from .notes import ROWS, STALE
from .rows import Ids, Row, row_maker
from .stage import Stage, refuse_lost
from .writing import Wrote

_PIECE = 20_000
_BATCH = 5_000


class PartsWrote(NamedTuple):
    """How many parts are new in their rows, changed, gone, and different from the state and left so."""

    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    differing: int = 0


@dataclass(frozen=True, kw_only=True)
class PartWriter:
    """Brings the columns of one part, in the rows of one project, to a state.

    `leaves_adopted` says that adopted rows keep their content.
    """

    connection: Connection
    layout: Layout
    mapped: TableMap
    project: str
    ids: Ids
    leaves_adopted: bool

    @cached_property
    def _whole(self) -> TableMap:
        if self.mapped.whole is None:
            raise TypeError
        return self.mapped.whole

    def write(
        self,
        changed: Iterable[Change],
        tell: Callable[[int], None],
        *,
        left: Wrote,
        rewrites: bool = False,
        is_first: bool = False,
    ) -> tuple[PartsWrote, list[int]]:
        """Carry out changes; a part that is gone leaves the defaults behind.

        `left` is what was written of the whole; returned are the ids of its rows that became stale and whose part
        nobody edited either. With `rewrites` the changes are the whole state, and all other rows get the defaults;
        `is_first` says that the target showed none of it.
        """
        make = row_maker(self.mapped, self.ids)
        stage, seen = Stage(self.connection, self.layout, self.mapped), self.mapped.seen
        if rewrites:
            dialect_of(self.connection).create(seen)
        self._take_defaults(left.returned)
        unedited, with_part = set(left.left), set[int]()
        inserted = updated = deleted = 0
        for piece in batched(changed, _PIECE):
            if gone := [make(one.before.text) for one in piece if one.before and not one.now]:
                stage.fill(gone)
                numbers = [row[0] for row in gone]
                unedited -= set(numbers) - set(stage.ids_of_equal())
                with_part.update(numbers)
                deleted += self._take_defaults(numbers)
            for is_new in (True, False):
                rows = [make(one.now.text) for one in piece if one.now and (one.before is None) is is_new]
                written = self._write(stage, rows)
                is_counted_as_new = is_first or (is_new and not rewrites)
                inserted += len(rows) if is_counted_as_new else 0
                updated += 0 if is_counted_as_new else written
                if rewrites:
                    dialect_of(self.connection).load(seen.name, ("id",), [(row[0],) for row in rows])
                tell(len(rows))
        stage.drop()
        if rewrites:
            others = unseen_parts(self.connection, self.layout, self.mapped, self.project, self.ids)
            deleted += self._take_defaults(list(others.values()))
            dialect_of(self.connection).drop(seen)
        return PartsWrote(inserted, updated, deleted), sorted(unedited - self._not_absent(unedited - with_part))

    def restore(
        self, stated: Iterable[Change], restored: Collection[int] | None, tell: Callable[[int], None]
    ) -> PartsWrote:
        """Give rows that were restored their parts, all rows with None, and count the others that differ."""
        make = row_maker(self.mapped, self.ids)
        stage = Stage(self.connection, self.layout, self.mapped)
        differing = 0
        for piece in batched(stated, _PIECE):
            rows = [make(one.now.text) for one in piece if one.now]
            self._write(stage, [row for row in rows if restored is None or row[0] in restored])
            others = [row for row in rows if restored is not None and row[0] not in restored]
            if others:
                stage.fill(others)
                differing += stage.count_differing()
            tell(len(rows))
        stage.drop()
        return PartsWrote(differing=differing)

    def _write(self, stage: Stage, rows: Sequence[Row]) -> int:
        if not rows:
            return 0
        stage.fill(rows)
        if held := self._held():
            stage.leave_out([place for place, row in enumerate(rows) if row[0] in held])
        if missing := stage.missing_parents():
            raise Misuse(
                f"{self.mapped.kind.name} cannot be projected: it refers to rows of {' and '.join(missing)} that are "
                "not there.",
                "If somebody deleted them, --repair puts them back.",
            )
        return stage.update_rows()

    def _held(self) -> set[int]:
        """Return the ids of the adopted rows whose content is left alone."""
        kind = self._whole.kind.name
        if not self.leaves_adopted:
            return set()
        return {number for (of, _), number in self.ids.adopted.items() if of == kind}

    def _take_defaults(self, numbers: Sequence[int]) -> int:
        """Give those of these rows that the state has the defaults, where they hold anything else; return how many."""
        rows, held = self.mapped.table, self._held()
        defaults = absent(self.connection, self.mapped)
        changed = 0
        for batch in batched((number for number in numbers if number not in held), _BATCH):
            among = dialect_of(self.connection).among(rows.c.id, batch)
            differing = and_(among, differs(rows, defaults), ~is_stale(self.mapped))
            found = list(self.connection.execute(select(rows.c.id).where(differing)).scalars())
            if found:
                done = self.connection.execute(update(rows).values(defaults).where(differing))
                refuse_lost(self.connection, rows, len(found), done.rowcount)
            changed += len(found)
        return changed

    def _not_absent(self, numbers: Collection[int]) -> set[int]:
        """Return those of these rows that hold anything but the defaults."""
        rows, defaults = self.mapped.table, absent(self.connection, self.mapped)
        found: set[int] = set()
        for batch in batched(sorted(numbers), _BATCH):
            among = dialect_of(self.connection).among(rows.c.id, batch)
            found.update(self.connection.execute(select(rows.c.id).where(among, differs(rows, defaults))).scalars())
        return found


def absent(connection: Connection, mapped: TableMap) -> dict[str, ColumnElement[Any]]:
    """Return what a part's columns hold in a row without the part."""
    values: dict[str, Any] = dict.fromkeys(mapped.columns[1:])
    values |= {one.name: plain(one, one.default) for one in mapped.kind.fields}
    is_postgresql = connection.dialect.name == "postgresql"
    return {
        name: cast(literal(value if value is None else str(value)), mapped.table.c[name].type)
        if is_postgresql
        else literal(int(value) if isinstance(value, bool) else value)
        for name, value in values.items()
    }


def differs(rows: Any, values: Mapping[str, ColumnElement[Any]]) -> ColumnElement[bool]:
    """Say in SQL that a row holds anything else."""
    return or_(*(rows.c[name].is_distinct_from(value) for name, value in values.items()))


def is_stale(mapped: TableMap) -> ColumnElement[bool]:
    """Say in SQL that a part's row has left the state."""
    kind = mapped.kind.part_of
    return exists().where(ROWS.c.kind == kind, ROWS.c.id == mapped.table.c.id, ROWS.c.why == STALE)


def unseen_parts(
    connection: Connection, layout: Layout, mapped: TableMap, project: str, ids: Ids
) -> dict[KeyBytes, int]:
    """Return keys and ids of the rows of ours that hold a part and are not among those seen, stale ones aside.

    Whoever calls has filled the table of ids seen.
    """
    if mapped.whole is None:
        raise TypeError
    kind, rows = mapped.whole.kind.name, mapped.table
    _, parts = layout.natural_keys(mapped)
    query = layout.of_project(mapped, project).where(
        differs(rows, absent(connection, mapped)),
        ~exists().where(mapped.seen.c.id == rows.c.id),
        ~is_stale(mapped),
    )
    found = {key_from_row(mapped, parts, values): number for number, *values in connection.execute(query)}
    return {key: number for key, number in found.items() if number == ids.of(kind, key_of_whole(mapped, key))}


def key_of_whole(mapped: TableMap, key: KeyBytes) -> KeyBytes:
    """Return the key of the row that a part's key means."""
    (to_whole,) = (one for one in mapped.kind.references if one not in mapped.pointers)
    parts = orjson.loads(key)
    return canonical_key({theirs: parts[mine] for theirs, mine in to_whole.shared.items()})

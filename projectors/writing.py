"""Writing one kind's rows, in pieces: which are adopted, which ids are taken, what is new, what differs, what left.

Rows of ours always get the state's content. A row that the user had created under the same natural key is *adopted*: it
keeps its id, and children point to it. `once` leaves its content alone; the other policies update it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    FromClause,
    MetaData,
    Table,
    Text,
    delete,
    exists,
    func,
    or_,
    select,
)

from seedjournal.journal import Change, KeyBytes, Misuse, NodeHash, batched, event_texts

from . import notes
from .dialects import dialect_of
from .layout import Layout, TableMap, foreign_key, key_from_row, kind_column, kinds_led_to
from .notes import ADOPTED, ROWS, STALE, Adopted
from .rows import Ids, Row, derived_id, row_maker
from .stage import Stage, Taken, refuse_lost, refuse_undeleted

_PIECE = 20_000
_BATCH = 5_000


class Wrote(NamedTuple):
    """How many rows were inserted and updated, and how many differ from the state and were left alone.

    `left` has the ids of rows that became stale and still are as they were last written. Of kinds with parts,
    `restored` has those of rows that were missing, and `returned` those of rows that are stale no longer.
    """

    inserted: int = 0
    updated: int = 0
    differing: int = 0
    left: Sequence[int] = ()
    restored: Sequence[int] = ()
    returned: Sequence[int] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class KindWriter:
    """Brings one kind's rows of one project to a state.

    `ids` are shared with the kinds that follow, whose rows point to these. `leaves_adopted` says that adopted rows keep
    their content.
    """

    connection: Connection
    layout: Layout
    mapped: TableMap
    project: str
    ids: Ids
    leaves_adopted: bool

    @property
    def kind(self) -> str:
        """The kind's name."""
        return self.mapped.kind.name

    def is_clear(self) -> bool:
        """Say whether the kind's rows can meet nothing in the target: no row of the project, no note, no trigger."""
        if dialect_of(self.connection).interfering_with(self.mapped.table):
            return False
        if notes.has_any(self.connection, self.project, self.kind):
            return False
        query = self.layout.of_project(self.mapped, self.project)
        return self.connection.execute(query.limit(1)).first() is None

    def load(self, source: Connection, top: NodeHash, tell: Callable[[int], None]) -> int:
        """Load every entity of a tree straight into the table; return how many.

        Only where nothing can meet the rows. Should an id be taken after all, the table's own keys refuse it.
        """
        make = row_maker(self.mapped, self.ids)
        done = 0
        for texts in event_texts(source, top, _PIECE):
            rows = sorted(map(make, texts))  # by id, as the table is
            stored = dialect_of(self.connection).load(self.mapped.table.name, self.mapped.columns, rows)
            refuse_lost(self.connection, self.mapped.table, len(rows), stored)
            done += len(rows)
            tell(len(rows))
        return done

    def write(
        self,
        changed: Iterable[Change],
        unseen: UnseenRows | None,
        was_shown: Callable[[Change], bool],
        tell: Callable[[int], None],
        *,
        only_missing: bool = False,
    ) -> Wrote:
        """Carry out changes. Entities that are gone become stale.

        With `unseen` the changes are the whole state, and rows of ours outside of it become stale. `was_shown` says
        whether the target showed the entity before. `only_missing` leaves rows that are there as they are.
        """
        make = row_maker(self.mapped, self.ids)
        stage = Stage(self.connection, self.layout, self.mapped)
        has_notes = notes.has_any(self.connection, self.project, self.kind)
        has_parts = bool(self.layout.parts_of(self.mapped))
        left: list[int] = []
        restored: list[int] = []
        returned: list[int] = []
        inserted = updated = differing = 0
        for both in batched(changed, _PIECE):
            left += self._leave([one for one in both if one.now is None], stage)
            piece = [one for one in both if one.now is not None]
            if not piece:
                continue
            keys = [one.key for one in piece]
            rows = [make(one.now.text) for one in piece if one.now]
            stage.fill(rows)
            self._adopt(stage, keys, rows)
            self._refuse_taken(stage, piece, was_shown)
            if missing := stage.missing_parents():
                raise Misuse(
                    f"{self.kind} cannot be projected: it refers to rows of {' and '.join(missing)} that are not "
                    "there.",
                    "If somebody deleted them, --repair puts them back.",
                )
            if only_missing:
                if has_parts:
                    restored += stage.ids(stage.places_without_row())
                differing += stage.count_differing()
            else:
                updated += stage.update_rows()
            inserted += stage.insert_rows()
            numbers = [self.ids.of(self.kind, key) for key in keys] if unseen or has_notes else []
            if unseen:
                unseen.see(numbers)
            if has_parts and numbers:
                returned += notes.stale_among(self.connection, self.kind, numbers)
            notes.drop_stale(self.connection, self.kind, numbers)
            tell(len(rows))
        stage.drop()
        if unseen:
            self._forget(unseen.adopted(self.project))
            stale = unseen.ours(self.project, self.ids.adopted)
            notes.forget_stale(self.connection, self.project, self.kind)
            notes.note(self.connection, self.project, self.kind, stale, STALE)
        return Wrote(inserted, updated, differing, left, restored, returned)

    def _adopt(self, stage: Stage, keys: Sequence[KeyBytes], rows: Sequence[Row]) -> None:
        """Point staged rows to the adopted rows that have their keys, or leave them out, and note these."""
        self._release_lost(stage, keys, rows)
        if others := dict(stage.other_ids()):
            back = {place for place, number in others.items() if number == derived_id(self.kind, keys[place])}
            self._forget([keys[place] for place in back])  # what was adopted is gone, and ours is back in its place
            found = {keys[place]: number for place, number in others.items() if place not in back}
            self.ids.adopted.update({(self.kind, key): number for key, number in found.items()})
            notes.note(self.connection, self.project, self.kind, found, ADOPTED)
            stage.take_ids_of_rows()
        if self.leaves_adopted and self.ids.adopted:
            left = [place for place, key in enumerate(keys) if self.ids.is_adopted(self.kind, key)]
            if left:
                stage.leave_out(left)

    def _release_lost(self, stage: Stage, keys: Sequence[KeyBytes], rows: Sequence[Row]) -> None:
        """Forget adopted rows that their owners deleted: the entities get rows of ours under derived ids."""
        known = [place for place, key in enumerate(keys) if self.ids.is_adopted(self.kind, key)]
        without = set(stage.places_without_row()) if known else set()
        if lost := [place for place in known if place in without]:
            self._forget([keys[place] for place in lost])
            derived = {place: derived_id(self.kind, keys[place]) for place in lost}
            stage.fill([(derived.get(place, row[0]), *row[1:]) for place, row in enumerate(rows)])

    def _refuse_taken(self, stage: Stage, piece: Sequence[Change], was_shown: Callable[[Change], bool]) -> None:
        """Raise Misuse where two keys share an id, or a stranger's row has one of ours.

        A row of ours whose key somebody edited is neither: it stays in its place, to be restored.
        """
        for one, two in stage.shared_ids():
            raise self._shared(piece[one].key, piece[two].key)
        for taken in stage.taken_ids():
            change = piece[taken.place]
            if derived_id(self.kind, taken.holder) == taken.id:
                raise self._shared(taken.holder, change.key)
            is_derived = derived_id(self.kind, change.key) == taken.id
            if self.ids.is_adopted(self.kind, taken.holder) or not is_derived or not was_shown(change):
                raise self._stranger(taken, change.key)

    def _shared(self, one: KeyBytes, two: KeyBytes) -> Misuse:
        return Misuse(
            f"{self.kind} {one.decode()} and {self.kind} {two.decode()} have the same derived id, "
            f"{derived_id(self.kind, two)}; nothing was written.",
            "Record under another project name. Keys begin with it, so the ids will differ.",
        )

    def _stranger(self, taken: Taken, key: KeyBytes) -> Misuse:
        return Misuse(
            f"Table {self.mapped.table.name} has a row with id {taken.id} and key {taken.holder.decode()} that "
            f"seedjournal did not make, and {self.kind} {key.decode()} needs this id; nothing was written.",
            "Give that row another id, or record under another project name, so that the ids differ.",
        )

    def _leave(self, gone: Sequence[Change], stage: Stage) -> list[int]:
        """Note rows of ours whose keys have left the state as stale; forget adopted ones.

        Return the ids of those that still are as they were last written.
        """
        if not gone:
            return []
        adopted = [change.key for change in gone if self.ids.is_adopted(self.kind, change.key)]
        own = [change for change in gone if not self.ids.is_adopted(self.kind, change.key)]
        make = row_maker(self.mapped, self.ids.at_first())
        stage.fill([make(change.before.text) for change in own if change.before])
        unedited = stage.ids_of_equal()
        self._forget(adopted)
        ours = {derived_id(self.kind, change.key): change.key for change in own}
        rows = self.mapped.table
        for batch in batched(ours, _BATCH):
            query = select(rows.c.id).where(dialect_of(self.connection).among(rows.c.id, batch))
            present = {ours[number]: number for number in self.connection.execute(query).scalars()}
            notes.note(self.connection, self.project, self.kind, present, STALE)
        return unedited

    def _forget(self, keys: Sequence[KeyBytes]) -> None:
        for key in keys:
            self.ids.adopted.pop((self.kind, key), None)
        notes.forget(self.connection, self.kind, keys)


class UnseenRows:
    """Remembers the ids of a state, then finds the project's rows that are not among them."""

    def __init__(self, connection: Connection, layout: Layout, mapped: TableMap) -> None:
        self._connection = connection
        self._layout = layout
        self._mapped = mapped
        self._seen = mapped.seen
        dialect_of(connection).create(self._seen)

    def see(self, ids: Sequence[int]) -> None:
        """Take ids that the state has."""
        dialect_of(self._connection).load(self._seen.name, ("id",), [(number,) for number in ids])

    def all(self, project: str) -> dict[KeyBytes, int]:
        """Return keys and ids of the project's rows, anybody's, that the state does not have."""
        mapped = self._mapped
        _, parts = self._layout.natural_keys(mapped)
        query = self._layout.of_project(mapped, project)
        query = query.where(~exists().where(self._seen.c.id == mapped.table.c.id))
        return {key_from_row(mapped, parts, values): number for number, *values in self._connection.execute(query)}

    def ours(self, project: str, adopted: Adopted) -> dict[KeyBytes, int]:
        """Return keys and ids of the project's rows of ours that the state does not have."""
        kind = self._mapped.kind.name
        return {
            key: number
            for key, number in self.all(project).items()
            if number == derived_id(kind, key) and (kind, key) not in adopted
        }

    def adopted(self, project: str) -> list[KeyBytes]:
        """List the keys of noted adopted rows that the state does not have."""
        unseen = ~exists().where(self._seen.c.id == ROWS.c.id)
        query = select(ROWS.c.key).where(
            ROWS.c.project == project, ROWS.c.kind == self._mapped.kind.name, ROWS.c.why == ADOPTED, unseen
        )
        return [KeyBytes(key.encode()) for key in self._connection.execute(query).scalars()]

    def drop(self) -> None:
        """Remove what was remembered."""
        dialect_of(self._connection).drop(self._seen)


_DOOMED = Table(
    "seedjournal_doomed",
    MetaData(),
    Column("kind", Text, primary_key=True),
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    prefixes=["TEMPORARY"],
)


def prune(connection: Connection, layout: Layout, stale: Mapping[str, Sequence[int]]) -> dict[str, int]:
    """Delete these stale rows, by kind, but for those that a row which stays points to, anybody's; count the deleted.

    Rows that point to one another go together. All are locked before references are looked for: whoever is about to
    refer to one of them has either committed and is seen, or finds it gone.
    """
    kinds = [kind for kind in reversed(layout.maps) if stale.get(kind)]
    if not kinds:
        return {}
    dialect = dialect_of(connection)
    dialect.see_all_rows()
    dialect.create(_DOOMED)
    for kind in kinds:
        rows = layout[kind].table
        for batch in batched(sorted(stale[kind]), _BATCH):
            connection.execute(
                select(rows.c.id).where(dialect.among(rows.c.id, batch)).order_by(rows.c.id).with_for_update()
            ).all()
            dialect.load(_DOOMED.name, ("kind", "id"), [(kind, number) for number in batch])
    may_go = {kind: _held(connection, layout, layout[kind]) for kind in kinds}
    has_circles = layout.has_circles
    while sum(_spare(connection, layout[kind], may_go[kind]) for kind in kinds) and has_circles:
        pass  # what a spared row points to is spared as well
    deleted: dict[str, int] = {}
    dialect.defer_references(layout.tables)
    for kind in kinds:
        rows, doomed = layout[kind].table, select(_DOOMED.c.id).where(_DOOMED.c.kind == kind)
        deleted[kind] = connection.execute(delete(rows).where(rows.c.id.in_(doomed))).rowcount
        left = connection.execute(select(func.count()).select_from(rows).where(rows.c.id.in_(doomed))).scalar_one()
        refuse_undeleted(connection, rows, left)
        connection.execute(delete(ROWS).where(ROWS.c.kind == kind, ROWS.c.why == STALE, ROWS.c.id.in_(doomed)))
    dialect.check_references()
    dialect.drop(_DOOMED)
    return deleted


def _spare(connection: Connection, mapped: TableMap, held: Sequence[ColumnElement[bool]]) -> int:
    """Remove rows that another row refers to from those to be deleted; return how many."""
    if not held:
        return 0
    rows = mapped.table
    spared = exists().where(rows.c.id == _DOOMED.c.id, or_(*held))
    return connection.execute(delete(_DOOMED).where(_DOOMED.c.kind == mapped.kind.name, spared)).rowcount


def _held(connection: Connection, layout: Layout, mapped: TableMap) -> list[ColumnElement[bool]]:
    """Return the conditions under which a row that is not to be deleted refers to this one, in SQL."""
    ours = {one.table.name: one for one in layout.maps.values() if not one.whole}
    held: list[ColumnElement[bool]] = []
    for pointer in dialect_of(connection).pointers_to(mapped.table):
        own = ours.get(pointer.table) if pointer.is_ours else None
        held.append(pointer.points_to(mapped.table, partial(_stays, own) if own else None))
    for other in layout.maps.values():
        for reference in other.pointers:
            if reference.also and mapped.kind.name in kinds_led_to(reference):
                rows = other.table.alias()
                is_meant = rows.c[kind_column(reference)] == mapped.kind.name
                points = rows.c[foreign_key(reference)] == mapped.table.c.id
                held.append(exists().where(is_meant, points, _stays(ours[other.table.name], rows)))
    return held


def _stays(mapped: TableMap, rows: FromClause) -> ColumnElement[bool]:
    return ~exists().where(_DOOMED.c.kind == mapped.kind.name, _DOOMED.c.id == rows.c.id)

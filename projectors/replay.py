"""Replay: bringing a target from the state it shows to the state of a run.

An empty target, a run back in time and a rebuild are the same thing with other ends. Rows, notes and position change in
one transaction a project, so that readers never see half a run and a crash changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Literal

from sqlalchemy import Connection
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError

from seedjournal.journal import (
    Change,
    Damaged,
    Database,
    KeyBytes,
    Misuse,
    NodeHash,
    Policy,
    Reference,
    Root,
    Run,
    RunNumber,
    Unavailable,
    Vocabulary,
    WrongSchema,
    changes,
    differing_kinds,
    forgotten_runs,
    journal_id,
    kinds_of,
    newest,
    numbered,
    read_manifest,
    runs_after,
)

from . import notes
from .altering import follow_kinds, with_former_kinds
from .dialects import dialect_of
from .layout import (
    Layout,
    TableMap,
    create_tables,
    has_tables,
    key_from_row,
    kinds_led_to,
    layout_of,
    missing_tables,
    refuse_others_rows,
)
from .moving import can_move, days_until, move_rows, weeks_of
from .notes import ADOPTED, STALE, Position
from .parts import PartWriter
from .rows import Ids, derived_id
from .stage import dangling
from .writing import KindWriter, UnseenRows, Wrote, prune

if TYPE_CHECKING:
    from .mapping import Tables

Tell = Callable[[str, int, int | None], None]
Today = date | Literal["off"]
_EARLIEST_YEAR = 1970


@dataclass(slots=True)
class KindResult:
    """Counts of what a projection did with one kind's rows.

    `kept` tells of the run: what `once` kept against it. `stale`, `retained` and `foreign` tell of the whole target;
    `foreign` are the adopted rows. `restored` are those of the inserted that somebody had deleted, `differing` those
    that somebody edited and that were left so, `extra` those of the project that neither the state nor a note names.
    """

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    kept: int = 0
    deleted: int = 0
    stale: int = 0
    retained: int = 0
    foreign: int = 0
    restored: int = 0
    differing: int = 0
    extra: int = 0


class DeletesMany(Misuse):
    """A projection would delete more than a tenth of a project's rows, which nobody asked for."""

    kind = "deletion"

    def __init__(self, project: str, deleted: Mapping[str, int], total: int) -> None:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in deleted.items() if count)
        super().__init__(
            f"Project {project!r}: {sum(deleted.values()):,} of {total:,} rows left the state and would be deleted "
            f"({kinds}); nothing was written.",
            "Add --yes to delete them, or --no-prune to keep them.",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """How to project.

    `prune` deletes all stale rows; None, those of computed kinds and of exact fact kinds that nobody edited; False,
    none. `delete_many` allows that to be more than a tenth of the project's rows. `check` compares all rows, `repair`
    also brings them all to the state, and `rebuild` prunes as well. `take_over` brings a target to this journal's state
    that another one, or a copy of this one, has filled. `today` moves dates by whole weeks, so that the run's own today
    comes to the week before it; "off" puts them back, and None leaves them moved as they are.
    """

    prune: bool | None = None
    delete_many: bool = False
    check: bool = False
    repair: bool = False
    rebuild: bool = False
    take_over: bool = False
    dry_run: bool = False
    today: Today | None = None

    @property
    def may_delete_many(self) -> bool:
        """Whether the user allowed it, or a dry run deletes nothing."""
        return self.delete_many or self.dry_run

    @property
    def writes_all(self) -> bool:
        """Whether every row is brought to the state."""
        return self.repair or self.rebuild


@dataclass(frozen=True, slots=True)
class Projected:
    """What one projection did.

    `kept_fields` names, by kind, where kept content differs. `forgotten` says that the target showed a run that this
    journal has forgotten, `taken_over` that it showed a run that is not this journal's: all rows were compared.
    `compared` says that all rows were, for whatever reason; else they were counted. Dates of rows are `days` later than
    those of events; `moved` rows hold a date and were moved just now.
    """

    run: Run
    kinds: dict[str, KindResult]
    kept_fields: Mapping[str, list[str]] = field(default_factory=dict)
    forgotten: bool = False
    taken_over: bool = False
    compared: bool = False
    days: int = 0
    moved: int = 0


def project(
    journal: Database,
    target: Database,
    layout: Layout | Tables,
    run: Run,
    choice: Choice,
    tell: Tell = lambda *_: None,
) -> Projected:
    """Bring the target's rows of the run's project to the state after that run.

    The tables are those of the kinds that the run was recorded with; `layout` serves where the journal does not tell.
    `tell` hears (kind, how many rows more, of how many). Raises Misuse where ids of two keys collide or rows of parents
    are gone, Unavailable where the target shows the project of another journal.
    """
    with both(journal, target) as (source, connection):
        savepoint = connection.begin_nested() if choice.dry_run else None
        position = notes.position(connection, run.project)
        shown = position.days if position and can_move(position.days) else 0
        days = _days(run, choice.today, shown)
        if not isinstance(layout, Layout):
            from . import mapped

            fitted = mapped.fit(connection, layout, target.shown)
            done = mapped.project(source, connection, fitted, run, choice, tell, days=days, days_shown=shown)
        else:
            own = with_former_kinds(source, connection, layout_of(source, run, layout), run.project).moved(days)
            done = _Replay(source, connection, own, run, choice, shown).run_with(target.shown, tell)
        if savepoint:
            savepoint.rollback()
    return done


def _days(run: Run, today: Today | None, shown: int) -> int:
    """Return by how many days the rows' dates are to be moved."""
    if today is None:
        return shown
    if today == "off":
        return 0
    if today.year < _EARLIEST_YEAR:
        raise Misuse(f"--today {today} is before {_EARLIEST_YEAR}; nothing was written.", "Choose a later date.")
    return days_until(today, run)


def preview(journal: Database, layout: Layout | Tables, run: Run) -> Projected:
    """Say what a projection into a target that has no tables yet would do."""
    with journal.read() as connection:
        state = read_manifest(connection, run.state)
        layout = layout_of(connection, run, layout) if isinstance(layout, Layout) else layout
    kinds = list(layout.maps_of(run.project)) if isinstance(layout, Layout) else layout.with_table(run.project)
    refuse_unknown_kinds([*kinds, *(() if isinstance(layout, Layout) else layout.left_out)], run, state)
    results = {kind: KindResult(inserted=count_of(state, kind), kept=kept_of(run, kind)) for kind in kinds}
    return Projected(run, results, run.counts["kept_fields"])


class _OfTarget(Exception):
    """Carries an error of the target through the journal's transaction, which would report it as the journal's."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


@contextmanager
def both(journal: Database, target: Database, *, writes: bool = True) -> Iterator[tuple[Connection, Connection]]:
    """Open connections to read the journal and to use the target: one and the same where both are one database."""
    with target.write("target") if writes else target.read() as connection:
        if journal.is_same(target):
            yield connection, connection
            return
        try:
            with journal.read() as source:
                try:
                    yield source, connection
                except (DBAPIError, target.engine.dialect.loaded_dbapi.Error) as error:
                    if _is_of(journal, source, error, target):
                        raise
                    raise _OfTarget(error) from error
        except _OfTarget as carrier:
            raise carrier.error from None


def _is_of(journal: Database, source: Connection, error: Exception, target: Database) -> bool:
    """Say whether an error came from the journal: by the driver, else by whose transaction failed."""
    raw = error.orig if isinstance(error, DBAPIError) else error
    if journal.name != target.name:
        return isinstance(raw, journal.engine.dialect.loaded_dbapi.Error)
    return dialect_of(source).has_failed()


@dataclass(frozen=True, slots=True)
class _Replay:
    """One projection of one run, in the caller's transaction."""

    source: Connection
    target: Connection
    layout: Layout
    run: Run
    choice: Choice
    days_shown: int = 0
    maps: Mapping[str, TableMap] = field(init=False)
    wrote: dict[str, Wrote] = field(default_factory=dict)  # of each kind
    loaded: set[str] = field(default_factory=set)  # the kinds that had no rows before

    def __post_init__(self) -> None:
        """Choose the kinds that the run's project holds."""
        object.__setattr__(self, "maps", self.layout.maps_of(self.run.project))

    def run_with(self, address: str, tell: Tell) -> Projected:
        """Carry it out."""
        this_journal, project = journal_id(self.source), self.run.project
        state = read_manifest(self.source, self.run.state)
        refuse_unknown_kinds(self.layout.maps, self.run, state)
        dialect_of(self.target).see_all_rows()
        position = notes.position(self.target, project)
        follow_kinds(self.source, self.target, self.layout, self.run, address)
        missing = missing_tables(self.target, self.layout, address)
        refuse_others_rows(self.target, self.layout)
        forgotten = taken_over = compared = False
        shown_run: Run | None = None
        moved = 0
        if len(missing) < len(self.layout.tables):
            problem = position_problem(self.source, project, position)
            if problem and not self.choice.take_over:
                raise of_another(project, problem)
            if missing and self.choice.writes_all:
                create_tables(self.target, missing)
            elif missing:
                has_tables(self.target, self.layout, address)  # which refuses it, and says why
            shown_run, shown = (None, None) if problem else shown_at(self.source, position)
            moved = self._move_dates()
            compared = self.choice.check or self.choice.writes_all or shown is None
            written = self._write(position, shown_run, shown, state, tell)
            taken_over = problem is not None
            forgotten = not taken_over and position is not None and shown_run is None
            self._finish_pointers(written, state)
            if self.choice.writes_all:
                notes.forget_unknown(self.target, project, self.layout.maps)
                dialect_of(self.target).add_missing_references(self.layout.tables)
        else:
            notes.clear(self.target)
            written = self._load_first(state, tell)
        deleted = self._prune(state, shown_run)
        notes.move(self.target, self.run, this_journal, self.layout.days)
        noted = notes.counted(self.target, project)
        for kind, mapped in self.maps.items():
            result = written[kind]
            if noted[kind, STALE]:
                result.stale = notes.stale_count(self.target, project, kind, mapped.table)
            result.unchanged = count_of(state, kind) - result.inserted - result.updated - result.differing
            result.kept = kept_of(self.run, kind)
            result.deleted += deleted.get(kind, 0)
            result.retained = result.stale if self.choice.prune or self.choice.rebuild else 0
            result.foreign = noted[kind, ADOPTED]
        compared = compared and any(result.unchanged or result.differing for result in written.values())
        return Projected(
            self.run, written, self.run.counts["kept_fields"], forgotten, taken_over, compared, self.layout.days, moved
        )

    def _move_dates(self) -> int:
        """Move the dates of the rows that are there to where this projection shows them; return how many rows have any.

        Raises Unavailable where a constraint or somebody else's row is in the way.
        """
        days, project = self.layout.days - self.days_shown, self.run.project
        if not days:
            return 0
        shown, adopted = self.layout.moved(self.days_shown), notes.adopted(self.target, project)
        try:
            return move_rows(self.target, shown, project, days, adopted, lambda kind: policy_of(self.run, kind))
        except (IntegrityError, DataError) as error:
            reason = str(error.orig).strip().splitlines()
            raise Unavailable(
                f"Project {project!r}: the database refuses to move dates by {weeks_of(days)}: {'; '.join(reason)}; "
                "nothing was written.",
                "Change the row or constraint that the database names, or choose another date.",
            ) from error

    def _load_first(self, state: Root, tell: Tell) -> dict[str, KindResult]:
        """Create the tables and load them, keys and indexes last; where keys refuse the rows, compare to say why."""
        ids = Ids()
        written = {kind: KindResult() for kind in self.maps}
        try:
            with self.target.begin_nested():
                dialect, tables = dialect_of(self.target), self.layout.tables
                dialect.create_bare(tables)
                for kind, result in written.items():
                    if (top := top_of(state, kind)) is not None:
                        say = teller(tell, state, kind)
                        if self.maps[kind].whole:
                            every = changes(self.source, None, top)
                            result.inserted = self._part_writer(kind, ids).write(every, say, left=Wrote())[0].inserted
                        else:
                            result.inserted = self._writer(kind, ids).load(self.source, top, say)
                dialect.add_keys_and_indexes(tables)
        except IntegrityError:
            create_tables(self.target, self.layout.tables)
            written = self._write(None, None, None, state, tell)
        self._finish_pointers(written, state)
        return written

    def _write(
        self, position: Position | None, shown_run: Run | None, shown: Root | None, state: Root, tell: Tell
    ) -> dict[str, KindResult]:
        """Write what differs, kind by kind, and check that the tables then have as many rows as the state."""
        ids = Ids(notes.adopted(self.target, self.run.project))
        return {
            kind: self._write_kind(kind, ids, position, (shown_run, shown), state, teller(tell, state, kind))
            for kind in self.maps
        }

    def _finish_pointers(self, written: Mapping[str, KindResult], state: Root) -> None:
        """Point references to adopted rows that were written later, and check that each reference leads to a row."""
        ids = Ids(notes.adopted(self.target, self.run.project))
        for kind, mapped in self.maps.items():
            now, result = top_of(state, kind), written[kind]
            if now is None or not mapped.late_pointers:
                continue
            led_to = {to for reference in mapped.late_pointers for to in kinds_led_to(reference)}
            if any(ids.has_adopted(one) for one in led_to):
                every = changes(self.source, None, now)
                wrote = self._rewritten(mapped, ids, every)
                result.updated = min(result.updated + wrote, count_of(state, kind) - result.inserted)
            if result.inserted or result.updated:
                for reference in mapped.late_pointers:
                    self._refuse_dangling(mapped, reference, ids)
        dialect_of(self.target).check_references()

    def _rewritten(self, mapped: TableMap, ids: Ids, every: Iterable[Change]) -> int:
        """Write the state's content into all rows of a kind again; return how many differed."""
        if mapped.whole:
            writer = self._part_writer(mapped.kind.name, ids)
            return writer.write(every, lambda _: None, left=Wrote(), rewrites=True)[0].updated
        return self._writer(mapped.kind.name, ids).write(every, None, lambda _: True, lambda _: None).updated

    def _refuse_dangling(self, mapped: TableMap, reference: Reference, ids: Ids) -> None:
        """Raise Misuse for an entity that refers to one that has no row, where no foreign key does so at once."""
        whole = mapped.whole or mapped
        query, parts = self.layout.natural_keys(whole)
        if not whole.kind.is_shared:
            query = self.layout.of_project(whole, self.run.project)
        for kind, is_lost in dangling(self.layout, reference, mapped.table.c):
            for number, *values in self.target.execute(query.where(is_lost)):
                key = key_from_row(whole, parts, values)
                if number == ids.of(whole.kind.name, key):
                    raise Misuse(
                        f"{mapped.kind.name} {key.decode()} cannot be projected: the {kind} that its {reference.name} "
                        "refers to has no row.",
                        "Record that entity too, or make the reference null. If somebody deleted its row, --repair "
                        "puts it back.",
                    )

    def _write_kind(
        self,
        kind: str,
        ids: Ids,
        position: Position | None,
        shown_before: tuple[Run | None, Root | None],
        state: Root,
        say: Callable[[int], None],
    ) -> KindResult:
        """Write one kind; raises Unavailable with the words of a trigger or function of a user's that fails."""
        try:
            if self.maps[kind].whole:
                return self._bring_part(kind, ids, position, shown_before, state, say)
            return self._bring(kind, ids, position, shown_before, state, say)
        except ProgrammingError as error:
            if dialect_of(self.target).is_of_users(error):
                raise Unavailable(
                    f"Table {self.layout[kind].table.name}: {str(error.orig).splitlines()[0]}; nothing was written.",
                    "A trigger or function of the table refuses these rows. Change or disable it.",
                ) from error
            raise

    def _bring(
        self,
        kind: str,
        ids: Ids,
        position: Position | None,
        shown_before: tuple[Run | None, Root | None],
        state: Root,
        say: Callable[[int], None],
    ) -> KindResult:
        """Write what changed, or all of it; then restore what is missing where the counts say so."""
        shown_run, shown = shown_before
        before, now = top_of(shown, kind), top_of(state, kind)
        whole = self.choice.writes_all or shown is None or shown_run is None
        if shown_run and policy_of(shown_run, kind) != policy_of(self.run, kind) and ids.has_adopted(kind):
            whole = True  # adopted rows must be looked at again, and nothing tells where in the tree they are
        writer = self._writer(kind, ids)
        wrote = Wrote()
        if before is None and now is not None and (loaded := self._loaded(writer, now, say)) is not None:
            self.loaded.add(kind)
            return KindResult(inserted=loaded)
        if whole:
            was_shown = self._was_shown(position, shown, before, now)
            unseen = UnseenRows(self.target, self.layout, self.layout[kind])
            wrote = writer.write(changes(self.source, None, now), unseen, was_shown, say)
            unseen.drop()
        elif before != now:
            wrote = writer.write(changes(self.source, before, now), None, _is_changed, say)
        result = KindResult(inserted=wrote.inserted, updated=wrote.updated)
        self.wrote[kind] = wrote
        more = self._more_rows(kind, state)
        if not whole and (more or self.choice.check):
            restored = self._restore(writer, now, say if before == now else lambda _: None)
            self.wrote[kind] = wrote._replace(restored=restored.restored)
            result.inserted += restored.inserted
            result.restored, result.differing = restored.inserted, restored.differing
            more += restored.inserted
        result.extra = max(more, 0)
        return result

    def _bring_part(
        self,
        kind: str,
        ids: Ids,
        position: Position | None,
        shown_before: tuple[Run | None, Root | None],
        state: Root,
        say: Callable[[int], None],
    ) -> KindResult:
        """Write a part's changes into the rows of its whole, or all of it; then give restored rows theirs."""
        shown_run, shown = shown_before
        before, now = top_of(shown, kind), top_of(state, kind)
        mapped = self.maps[kind]
        whole = str(mapped.kind.part_of)
        rewrites = self.choice.writes_all or shown is None or shown_run is None
        if shown_run and policy_of(shown_run, whole) != policy_of(self.run, whole) and ids.has_adopted(whole):
            rewrites = True
        writer, of_whole = self._part_writer(kind, ids), self.wrote.get(whole, Wrote())
        changed = changes(self.source, None if rewrites else before, now)
        is_first = position is None and whole in self.loaded
        rewrites = rewrites and not is_first  # what was just loaded holds the defaults
        wrote, unedited = writer.write(changed, say, left=of_whole, rewrites=rewrites, is_first=is_first)
        self.wrote[whole] = of_whole._replace(left=unedited)
        result = KindResult(inserted=wrote.inserted, updated=wrote.updated, deleted=wrote.deleted)
        if not rewrites and (of_whole.restored or (before and whole in self.loaded) or self.choice.check):
            given = None if whole in self.loaded else set(of_whole.restored)
            result.differing = writer.restore(changes(self.source, None, now), given, lambda _: None).differing
        return result

    def _part_writer(self, kind: str, ids: Ids) -> PartWriter:
        return PartWriter(
            connection=self.target,
            layout=self.layout,
            mapped=self.maps[kind],
            project=self.run.project,
            ids=ids,
            leaves_adopted=policy_of(self.run, str(self.maps[kind].kind.part_of)) is Policy.ONCE,
        )

    def _restore(self, writer: KindWriter, now: NodeHash | None, say: Callable[[int], None]) -> Wrote:
        """Insert the rows of a kind that are missing, and leave the others as they are."""
        if now is None:
            return Wrote()
        if (loaded := self._loaded(writer, now, say)) is not None:
            self.loaded.add(writer.kind)
            return Wrote(inserted=loaded)
        return writer.write(changes(self.source, None, now), None, lambda _: True, say, only_missing=True)

    def _loaded(self, writer: KindWriter, now: NodeHash, say: Callable[[int], None]) -> int | None:
        """Load a kind straight into its table; return how many rows, or None if the target has rows or notes of it."""
        if not writer.is_clear():
            return None
        try:
            with self.target.begin_nested():
                return writer.load(self.source, now, say)
        except IntegrityError:  # an id is taken: comparing finds by which key
            return None

    def _more_rows(self, kind: str, state: Root) -> int:
        """Count how many rows more of the project's kind there are than the state and the notes of stale rows name."""
        mapped, project = self.layout[kind], self.run.project
        named = count_of(state, kind) + notes.stale_count(self.target, project, kind, mapped.table)
        return self.layout.count_rows(self.target, mapped, project) - named

    def _was_shown(
        self, position: Position | None, shown: Root | None, before: NodeHash | None, now: NodeHash | None
    ) -> Callable[[Change], bool]:
        """Return a function that says whether the target showed an entity. If the state is forgotten, it says yes."""
        if position is None or shown is None:
            return lambda _: position is not None

        @cache
        def new() -> set[KeyBytes]:
            return {one.key for one in changes(self.source, before, now) if one.before is None}

        return lambda change: change.key not in new()

    def _prune(self, state: Root, shown_run: Run | None) -> dict[str, int]:
        """Delete stale rows as chosen, children before parents; return how many by kind."""
        project = self.run.project
        kinds = [kind for kind, one in self.maps.items() if not one.whole]
        if self.choice.prune or self.choice.rebuild:
            stale = {kind: _stale_rows(self.target, project, kind) for kind in kinds}
            return prune(self.target, self.layout, stale)
        if self.choice.prune is False:
            return {}
        left = {kind: one.left for kind, one in self.wrote.items() if one.left}
        goes = exact_kinds(self.source, shown_run, self.run, left)
        left = {kind: rows for kind, rows in left.items() if kind in goes}
        deleted = prune(self.target, self.layout, left)
        gone = sum(deleted.values())
        if deletes_many(gone, state) and not self.choice.may_delete_many:
            raise DeletesMany(self.run.project, deleted, gone + state.count)
        return deleted

    def _writer(self, kind: str, ids: Ids) -> KindWriter:
        return KindWriter(
            connection=self.target,
            layout=self.layout,
            mapped=self.layout[kind],
            project=self.run.project,
            ids=ids,
            leaves_adopted=policy_of(self.run, kind) is Policy.ONCE,
        )


def remove_project(
    source: Connection, target: Connection, layout: Layout | Tables, project: str
) -> dict[str, KindResult]:
    """Delete the rows that seedjournal created for a project, leave adopted ones, and drop its notes.

    `deleted` are gone, `retained` are left because a row of somebody else's refers to them, `foreign` are the adopted
    ones. Raises Unavailable where the target shows the project of another journal.
    """
    if not isinstance(layout, Layout):
        from .mapped import fit, remove

        return remove(source, target, fit(target, layout, "the target"), project)
    position = notes.position(target, project)
    if position is None:
        return {}
    if problem := position_problem(source, project, position):
        raise of_another(project, problem)
    run = numbered(source, RunNumber(position.run)) or newest(source, project)
    layout = layout_of(source, run, layout) if run else layout
    layout = with_former_kinds(source, target, layout, project).moved(position.days)
    refuse_others_rows(target, layout)
    ids, noted = notes.adopted(target, project), notes.counted(target, project)
    results: dict[str, KindResult] = {}
    maps = {kind: one for kind, one in layout.maps_of(project).items() if not one.whole}
    for kind, mapped in maps.items():
        results[kind] = KindResult(foreign=noted[kind, ADOPTED])
        unseen = UnseenRows(target, layout, mapped)
        notes.note(target, project, kind, unseen.ours(project, ids), STALE)
        notes.forget(target, kind, unseen.adopted(project))
        unseen.drop()
    deleted = prune(target, layout, {kind: _stale_rows(target, project, kind) for kind in maps})
    for kind, mapped in maps.items():
        results[kind].deleted = deleted.get(kind, 0)
        results[kind].retained = notes.stale_count(target, project, kind, mapped.table)
    notes.leave(target, project)
    return results


def _stale_rows(target: Connection, project: str, kind: str) -> list[int]:
    """List the stale rows of a kind; an id that its key does not give is somebody's edit, and maybe somebody's row."""
    noted = notes.stale(target, project, kind)
    return [number for key, number in noted.items() if number == derived_id(kind, key)]


def policy_of(run: Run, kind: str) -> Policy:
    """Return the policy by which the run's state was folded for the kind."""
    return run.policies.get(kind, Policy.UPSERT)


def exact_kinds(source: Connection, shown: Run | None, run: Run, kinds: Iterable[str]) -> set[str]:
    """Return those of some kinds that are exact in a run, or in one between the shown run and it.

    What left the state on the way left it there; so a projection of each run would have deleted the same rows.
    """
    found = {kind for kind in kinds if policy_of(run, kind) is Policy.EXACT}
    if shown is not None:  # kinds that the domain no longer has
        found |= {kind for kind in kinds if kind not in run.policies and policy_of(shown, kind) is Policy.EXACT}
    if shown is not None and not found.issuperset(kinds):
        found |= {
            kind for one in runs_after(source, shown, run) for kind in kinds if policy_of(one, kind) is Policy.EXACT
        }
    return found


def shown_at(source: Connection, position: Position | None) -> tuple[Run | None, Root | None]:
    """Return the run that a target shows, and its state, as far as the journal has them."""
    run = numbered(source, RunNumber(position.run)) if position else None
    if run is None:
        return None, None
    try:
        return run, read_manifest(source, run.state)
    except Damaged:
        return run, None


def position_problem(source: Connection, project: str, position: Position | None) -> str | None:
    """Say why a position cannot be one that this journal wrote: another journal did, or a copy of this one."""
    if position is None:
        return None
    this_journal = journal_id(source)
    if position.journal != this_journal:
        return f"of another journal, {position.journal}; this journal is {this_journal}"
    run, theirs = numbered(source, RunNumber(position.run)), f"run {position.run} with state {position.state.hex()}"
    forgotten = forgotten_runs(source).get(RunNumber(position.run)) if run is None else None
    known = run or forgotten
    if known is None:
        last = newest(source, project)
        newest_run = f"run {last.run} with state {last.state.hex()}" if last else "none"
        return f"as {theirs}, which this journal neither has nor forgot (its newest is {newest_run}): {_COPIED}"
    if known.project != project:
        return f"as {theirs}, and in this journal run {known.run} is one of project {known.project!r}: {_COPIED}"
    if run and run.state != position.state:
        return f"as {theirs}, and in this journal run {run.run} has state {run.state.hex()}: {_COPIED}"
    return None if can_move(position.days) else f"with dates {position.days:,} days later: somebody edited the position"


_FEW = 10  # of so many rows one may be deleted unasked
_COPIED = "a copy of this journal filled it, or an older backup of the journal was put back"


def deletes_many(deleted: int, state: Root) -> bool:
    """Say whether so many rows would be deleted that the user must be asked first."""
    return deleted * _FEW > deleted + state.count


def of_another(project: str, problem: str) -> Unavailable:
    """Return the error for a target that another journal, or another copy of this journal, has filled.

    Otherwise both would write the same rows, and each would undo what the other had projected.
    """
    return Unavailable(
        f"The target shows project {project!r} {problem}; nothing was written.",
        f"Use another target, or remove the rows with the other journal (`seedjournal unseed {project}`). Or run "
        "`seedjournal project --take-over`: it brings the rows to this journal's state.",
    )


def refuse_other_kinds(source: Connection, run: Run, declared: Vocabulary) -> None:
    """Raise WrongSchema for a run whose kinds a declaration lacks, or declares otherwise than they were recorded."""
    recorded = kinds_of(source, run)
    if recorded and (differing := differing_kinds(recorded, declared)):
        raise WrongSchema(
            f"Run {run.run} of project {run.project!r} was recorded with kinds that the domain now declares "
            f"differently, or not at all: {', '.join(differing)}; nothing was written.",
            f"Record the project again (`seedjournal record --project {run.project}`), or use the declaration that it "
            "was recorded with.",
        )


def refuse_unknown_kinds(known: Collection[str], run: Run, state: Root) -> None:
    """Raise WrongSchema if no table holds some of the state's kinds."""
    if unknown := sorted(set(state.kinds) - set(known)):
        raise WrongSchema(
            f"Run {run.run} of project {run.project!r} has kinds that no table holds: {', '.join(unknown)}; nothing "
            "was written.",
            "Project it with the domain that declares these kinds.",
        )


def _is_changed(change: Change) -> bool:
    return change.before is not None


def top_of(root: Root | None, kind: str) -> NodeHash | None:
    """Return the top of a kind's tree."""
    subtree = root.kinds.get(kind) if root else None
    return subtree.top if subtree else None


def count_of(root: Root | None, kind: str) -> int:
    """Count the entities of a kind."""
    return root.kinds[kind].count if root and kind in root.kinds else 0


def teller(tell: Tell, state: Root, kind: str) -> Callable[[int], None]:
    """Return a function that tells how many rows more of a kind are done."""
    return lambda count: tell(kind, count, count_of(state, kind))


def kept_of(run: Run, kind: str) -> int:
    """Count the entities whose earlier content `once` kept."""
    return int(run.counts["kinds"].get(kind, {}).get("kept", 0))

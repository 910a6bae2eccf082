"""Replay into tables that others own: the same positions, policies and counts as for tables of ours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import orjson
from sqlalchemy import Connection, func, select, text
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError

from seedjournal.journal import (
    Change,
    Database,
    Misuse,
    Policy,
    Root,
    Run,
    Unavailable,
    changes,
    journal_id,
    read_manifest,
)

from .. import notes
from ..dialects import dialect_of
from ..mapping import Tables
from ..notes import ADOPTED, STALE
from ..replay import (
    Choice,
    DeletesMany,
    KindResult,
    Projected,
    Tell,
    count_of,
    deletes_many,
    exact_kinds,
    kept_of,
    of_another,
    policy_of,
    position_problem,
    refuse_other_kinds,
    refuse_unknown_kinds,
    shown_at,
    teller,
    top_of,
)
from .catalogue import Catalogue
from .fitting import fit
from .kinds import FittedMap, MappedKind
from .leaving import leave, note_unseen, prune, stale_count
from .matching import KindRows
from .rows import EntityIds
from .staging import pieces, texts_of
from .writing import Written, write, write_absent


def strangers(database: Database, tables: Tables) -> tuple[str, dict[str, int]]:
    """Return the database's name and how many rows its mapped tables hold, if nothing was projected into it yet."""
    with database.read() as connection:
        name = Catalogue(connection).database_name()
        if notes.has_positions(connection):
            return name, {}
        fitted = fit(connection, tables, database.shown)
        counts = {
            one.shown: int(connection.execute(select(func.count()).select_from(one.table)).scalar_one())
            for one in fitted.maps.values()
        }
        return name, {table: count for table, count in counts.items() if count}


def project(
    source: Connection,
    target: Connection,
    fitted: FittedMap,
    run: Run,
    choice: Choice,
    tell: Tell,
    *,
    days: int,
    days_shown: int,
) -> Projected:
    """Bring the rows of the run's project to the state after that run, `days` later; the target shows `days_shown`."""
    return _Replay(source, target, fitted, run, choice, days, days_shown).run_with(tell)


@dataclass(slots=True)
class _Replay:
    """One projection of one run, in the caller's transaction."""

    source: Connection
    target: Connection
    fitted: FittedMap
    run: Run
    choice: Choice
    days: int  # by so many days dates are moved, and were
    days_shown: int
    ids: EntityIds = field(init=False)
    kinds: dict[str, MappedKind] = field(init=False)
    rows: dict[str, KindRows] = field(init=False)
    noted: Mapping[str, Counter[str]] = field(init=False)  # what the ledger had at first, by kind and reason
    left: dict[str, Sequence[str]] = field(default_factory=dict)  # by kind, keys of unedited rows that became stale
    parts_gone: dict[str, Sequence[Change]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Read the ids that the ledger has."""
        self.ids = EntityIds(self.target, self.fitted)
        self.kinds = self.fitted.of_project(self.run.project)
        self.rows = {kind: self._rows_of(mapped) for kind, mapped in self.kinds.items()}
        self.noted = notes.in_ledger(self.target, self.run.project)

    def run_with(self, tell: Tell) -> Projected:
        """Carry it out."""
        this_journal, project = journal_id(self.source), self.run.project
        state = read_manifest(self.source, self.run.state)
        refuse_other_kinds(self.source, self.run, self.fitted.tables.vocabulary)
        refuse_unknown_kinds({*self.fitted.maps, *self.fitted.tables.left_out}, self.run, state)
        self._prepare()
        position = notes.position(self.target, project)
        problem = position_problem(self.source, project, position)
        if problem and not self.choice.take_over:
            raise of_another(project, problem)
        shown_run, shown = (None, None) if problem else shown_at(self.source, position)
        self._refuse_dates_in_ids()
        if not self.choice.take_over:
            self._refuse_lost_notes(shown)
        is_whole = (
            self.choice.take_over
            or self.choice.writes_all
            or shown is None
            or shown_run is None
            or self.days != self.days_shown
        )
        for kind in self.kinds:
            self._leave(kind, shown, state, is_whole=is_whole)
        deleted = self._prune(shown_run)
        written: dict[str, KindResult] = {}
        for kind in self.kinds:
            say = teller(tell, state, kind)
            written[kind] = self._bring(kind, shown_run, shown, state, say, written, is_whole=is_whole)
        for kind in self.kinds:
            self._bring_late(kind, shown, state, is_whole=is_whole or bool(written[kind].inserted))
        for kind, count in self._prune(shown_run).items():
            deleted[kind] = deleted.get(kind, 0) + count
        self._settle()
        by_default = self.choice.prune is None and not self.choice.rebuild
        if by_default and deletes_many(sum(deleted.values()), state) and not self.choice.may_delete_many:
            raise DeletesMany(project, deleted, sum(deleted.values()) + state.count)
        notes.move(self.target, self.run, this_journal, self.days)
        noted = notes.in_ledger(self.target, project)
        for kind, result in written.items():
            rows, count = self.rows[kind], count_of(state, kind)
            result.unchanged = count - result.inserted - result.updated - result.differing
            result.kept, result.deleted = kept_of(self.run, kind), deleted.get(kind, 0)
            if not rows.mapped.is_part:
                result.stale = stale_count(rows) if noted[kind][STALE] else 0
                result.foreign = noted[kind][ADOPTED]
                result.retained = result.stale if self.choice.prune or self.choice.rebuild else 0
        return Projected(
            self.run,
            written,
            self.run.counts["kept_fields"],
            forgotten=not problem and position is not None and shown_run is None,
            taken_over=problem is not None,
            compared=(self.choice.check or is_whole)
            and any(one.unchanged or one.differing for one in written.values()),
            days=self.days,
            moved=sum(one.updated for one in written.values()) if self.days != self.days_shown else 0,
        )

    def _refuse_dates_in_ids(self) -> None:
        """Raise Misuse where dates are to move that are ids."""
        if self.days and (refused := [kind for kind, one in self.kinds.items() if one.moves_id]):
            raise Misuse(
                f"Dates cannot move: they are in the primary key of {', '.join(refused)}; nothing was written.",
                "Leave out --today, or give --today off.",
            )

    def _refuse_lost_notes(self, shown: Root | None) -> None:
        """Raise Unavailable where the ledger has nothing of rows that the target shows."""
        lost = [
            kind
            for kind, one in self.kinds.items()
            if count_of(shown, kind) and not one.is_part and not self.noted[kind]
        ]
        if lost:
            raise Unavailable(
                f"The notes of {', '.join(lost)} are lost, so seedjournal cannot tell its rows from those of others; "
                "nothing was written.",
                "Restore the table seedjournal_ledger from a backup. Or run `seedjournal project --take-over`: it "
                "adopts the rows whose keys it knows, inserts the others, and never deletes an adopted row.",
            )

    def _leave(self, kind: str, shown: Root | None, state: Root, *, is_whole: bool) -> None:
        """Note what left the state, before anything is written that may take its place."""
        before, now = top_of(shown, kind), top_of(state, kind)
        rows = self.rows[kind]
        if before is not None and before != now:
            gone = [one for one in changes(self.source, before, now) if one.now is None]
            if gone and rows.mapped.is_part:
                self.parts_gone[kind] = gone
            elif gone:
                texts = [one.before.text for one in gone if one.before]
                as_shown = replace(rows, days=self.days_shown, held=frozenset())
                self.left[kind] = leave(as_shown, pieces(texts), [one.key.decode() for one in gone])
        if is_whole and not rows.mapped.is_part and self.noted[kind]:
            note_unseen(rows, texts_of(self.source, now))

    def _bring(
        self,
        kind: str,
        shown_run: Run | None,
        shown: Root | None,
        state: Root,
        say: Callable[[int], None],
        written: Mapping[str, KindResult],
        *,
        is_whole: bool,
    ) -> KindResult:
        """Write what changed of a kind, or all of it; then restore what is missing, where the counts say so."""
        before, now = top_of(shown, kind), top_of(state, kind)
        rows, mapped = self.rows[kind], self.kinds[kind]
        try:
            is_whole = is_whole or self._needs_all(mapped, shown_run, shown, state, written)
            wrote = Written()
            if is_whole and now is not None:
                wrote = write(
                    rows, texts_of(self.source, now), say, is_first=not self.noted[kind] and not mapped.is_part
                )
            elif before != now:
                changed = [one.now.text for one in changes(self.source, before, now) if one.now] if before else None
                texts = texts_of(self.source, now) if changed is None else pieces(changed)
                wrote = write(rows, texts, say, is_first=before is None and not self.noted[kind])
            if gone := self.parts_gone.get(kind):
                absent = [_absent(mapped, one.before.text) for one in gone if one.before]
                wrote = Written(wrote.inserted, wrote.updated + write_absent(rows, pieces(absent)))
            result = KindResult(inserted=wrote.inserted, updated=wrote.updated)
            whole = mapped.kind.part_of
            if whole and now is not None and 0 < written[whole].inserted == count_of(state, whole):
                result = KindResult(inserted=count_of(state, kind))  # it came with its rows
            if not is_whole and now is not None and not mapped.is_part:
                more = rows.count_present() - count_of(state, kind)
                if more or self.choice.check:
                    restored = write(rows, texts_of(self.source, now), say, only_missing=True)
                    result.inserted += restored.inserted
                    result.restored, result.differing = restored.inserted, restored.differing
            elif not is_whole and now is not None and self.choice.check:
                result.differing = write(rows, texts_of(self.source, now), say, only_missing=True).differing
        except (IntegrityError, DataError, ProgrammingError) as error:
            raise _refused(mapped, error) from error
        return result

    def _bring_late(self, kind: str, shown: Root | None, state: Root, *, is_whole: bool) -> None:
        """Fill the columns that refer to rows which were written after their own row."""
        before, now = top_of(shown, kind), top_of(state, kind)
        mapped = self.fitted.maps[kind]
        if not self.fitted.late_columns(mapped) or now is None or (before == now and not is_whole):
            return
        rows = replace(self.rows[kind], held=frozenset())
        changed = [one.now.text for one in changes(self.source, before, now) if one.now] if before else None
        texts = texts_of(self.source, now) if changed is None or is_whole else pieces(changed)
        try:
            write(rows, texts, lambda _: None)
        except (IntegrityError, DataError, ProgrammingError) as error:
            raise _refused(mapped, error) from error

    def _needs_all(
        self,
        mapped: MappedKind,
        shown_run: Run | None,
        shown: Root | None,
        state: Root,
        written: Mapping[str, KindResult],
    ) -> bool:
        """Say whether rows may have to change although no event of their kind changed."""
        kind = mapped.kind.name
        if top_of(shown, kind) != top_of(state, kind) and mapped.losers:
            return True  # who gives way depends on all rows
        if any(top_of(shown, one) != top_of(state, one) for one in self.fitted.parents_by_field(mapped)):
            return True
        if mapped.is_part:
            return bool(written[mapped.kind.part_of or ""].inserted)
        adopted = any(of == kind for of, _ in self.ids.known)
        return bool(adopted and shown_run and policy_of(shown_run, kind) != policy_of(self.run, kind))

    def _prune(self, shown_run: Run | None) -> dict[str, int]:
        """Delete stale rows as chosen, children before parents; return how many by kind."""
        kinds = [kind for kind, one in reversed(self.kinds.items()) if not one.is_part]
        if self.choice.prune or self.choice.rebuild:
            return {kind: prune(self.rows[kind]) for kind in kinds}
        if self.choice.prune is False:
            return {}
        left = [kind for kind in kinds if self.left.get(kind)]
        goes = exact_kinds(self.source, shown_run, self.run, left)
        return {kind: prune(self.rows[kind], self.left[kind]) for kind in left if kind in goes}

    def _prepare(self) -> None:
        """Make all rows visible, and defer constraints that can be deferred; `_settle` checks them at the end."""
        dialect_of(self.target).see_all_rows()
        if self.target.dialect.name == "postgresql":
            self.target.execute(text("SET CONSTRAINTS ALL DEFERRED"))

    def _settle(self) -> None:
        """Make the database check the deferred constraints now, while we can still say which row is wrong."""
        if self.target.dialect.name != "postgresql":
            return
        try:
            self.target.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
        except IntegrityError as error:
            raise _broken(error) from error

    def _rows_of(self, mapped: MappedKind) -> KindRows:
        leaves = policy_of(self.run, mapped.kind.name) is Policy.ONCE
        return KindRows(
            self.target,
            self.fitted,
            mapped,
            self.run.project,
            self.ids,
            leaves_adopted=leaves,
            days=self.days,
            held=self.fitted.late_columns(mapped),
        )


def _absent(mapped: MappedKind, event: str) -> str:
    """Return the event of a part that is absent: its fields have their defaults."""
    parts = orjson.loads(event)
    parts["data"].update({one.name: one.default for one in mapped.kind.fields if one.name in parts["data"]})
    return orjson.dumps(parts, option=orjson.OPT_SORT_KEYS).decode()


def _refused(mapped: MappedKind, error: DBAPIError) -> Exception:
    """Return the error that says why the database refuses rows."""
    if isinstance(error, IntegrityError | DataError):
        return _broken(error, mapped.shown)
    diagnosis = getattr(error.orig, "diag", None)
    if "function" in (getattr(diagnosis, "context", None) or ""):
        reason = str(error.orig).splitlines()[0]
        return Unavailable(
            f"Table {mapped.shown}: {reason}; nothing was written.",
            "A trigger or function of the table refuses these rows. Change or disable it.",
        )
    return error


def _broken(error: DBAPIError, table: str | None = None) -> Unavailable:
    diagnosis = getattr(error.orig, "diag", None)
    found = getattr(diagnosis, "table_name", None) or table
    detail = getattr(diagnosis, "message_detail", None)
    reason = str(error.orig).strip().splitlines()[0]
    return Unavailable(
        f"{f'Table {found}: ' if found else ''}{reason}{f' ({detail})' if detail else ''}; nothing was written.",
        "A constraint of the table refuses these rows. Change the map, the facts, or the row that is in the way.",
    )


def remove(source: Connection, target: Connection, fitted: FittedMap, project: str) -> dict[str, KindResult]:
    """Delete the rows that seedjournal made for a project, leave adopted ones, and drop its notes."""
    position = notes.position(target, project)
    if position is None:
        return {}
    if problem := position_problem(source, project, position):
        raise of_another(project, problem)
    ids = EntityIds(target, fitted)
    rows = {
        kind: KindRows(target, fitted, mapped, project, ids)
        for kind, mapped in fitted.of_project(project).items()
        if not mapped.is_part
    }
    noted = notes.in_ledger(target, project)
    results = {kind: KindResult(foreign=noted[kind][ADOPTED]) for kind in fitted.of_project(project)}
    for one in rows.values():
        note_unseen(one, lambda: ())
    for kind, one in reversed(rows.items()):
        results[kind].deleted = prune(one)
        results[kind].retained = stale_count(one)
    notes.leave(target, project)
    return results

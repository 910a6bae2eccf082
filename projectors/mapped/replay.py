"""Replay into tables that others own: the same positions, policies and counts as for tables of ours.

And what verifies, compares and removes what was written there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Connection, func, select, text
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError

from seedjournal.journal import (
    Change,
    Database,
    EntityChange,
    Fault,
    Finding,
    KeyBytes,
    Misuse,
    NodeHash,
    Policy,
    Root,
    Run,
    Unavailable,
    batched,
    changes,
    event_texts,
    journal_id,
    read_manifest,
)

from .. import notes
from ..dialects import dialect_of
from ..mapping import Tables
from ..notes import ADOPTED, MADE, STALE
from ..replay import (
    Choice,
    DeletesMany,
    KindResult,
    Projected,
    Tell,
    deletes_many,
    exact_kinds,
    kept_of,
    of_another,
    policy_of,
    position_problem,
    refuse_other_kinds,
    refuse_unknown_kinds,
    shown_at,
    top_of,
)
from .catalogue import Catalogue
from .fitting import fit
from .kinds import FittedMap, MappedKind, plain_name
from .writing import MappedIds, MappedWriter, Texts, Written

_PIECE = 20_000


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


@dataclass(slots=True)
class MappedReplay:
    """One projection of one run, in the caller's transaction."""

    source: Connection
    target: Connection
    fitted: FittedMap
    run: Run
    choice: Choice
    days: int = 0  # by so many days dates are moved, and were
    days_shown: int = 0
    ids: MappedIds = field(init=False)
    kinds: dict[str, MappedKind] = field(init=False)
    writers: dict[str, MappedWriter] = field(init=False)
    noted: Mapping[str, Counter[str]] = field(init=False)  # what the ledger had at first, by kind and reason
    left: dict[str, Sequence[str]] = field(default_factory=dict)  # by kind, keys of unedited rows that became stale
    parts_gone: dict[str, Sequence[Change]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Read the ids that the ledger has."""
        self.ids = _ids(self.target, self.fitted)
        self.kinds = self.fitted.of_project(self.run.project)
        self.writers = {kind: self._writer(mapped) for kind, mapped in self.kinds.items()}
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
            say = self._teller(tell, state, kind)
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
            writer, count = self.writers[kind], count_of(state, kind)
            result.unchanged = count - result.inserted - result.updated - result.differing
            result.kept, result.deleted = kept_of(self.run, kind), deleted.get(kind, 0)
            if not writer.mapped.is_part:
                result.stale = writer.stale_count() if noted[kind][STALE] else 0
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
        writer = self.writers[kind]
        if before is not None and before != now:
            gone = [one for one in changes(self.source, before, now) if one.now is None]
            if gone and writer.mapped.is_part:
                self.parts_gone[kind] = gone
            elif gone:
                texts = [one.before.text for one in gone if one.before]
                as_shown = replace(writer, days=self.days_shown, held=frozenset())
                self.left[kind] = as_shown.leave(_pieces(texts), [one.key.decode() for one in gone])
        if is_whole and not writer.mapped.is_part and self.noted[kind]:
            writer.note_unseen(self._texts(now))

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
        writer, mapped = self.writers[kind], self.kinds[kind]
        try:
            is_whole = is_whole or self._needs_all(mapped, shown_run, shown, state, written)
            wrote = Written()
            if is_whole and now is not None:
                wrote = writer.write(self._texts(now), say, is_first=not self.noted[kind] and not mapped.is_part)
            elif before != now:
                changed = [one.now.text for one in changes(self.source, before, now) if one.now] if before else None
                texts = self._texts(now) if changed is None else _pieces(changed)
                wrote = writer.write(texts, say, is_first=before is None and not self.noted[kind])
            if gone := self.parts_gone.get(kind):
                absent = [_absent(mapped, one.before.text) for one in gone if one.before]
                wrote = Written(wrote.inserted, wrote.updated + writer.write_absent(_pieces(absent)))
            result = KindResult(inserted=wrote.inserted, updated=wrote.updated)
            whole = mapped.kind.part_of
            if whole and now is not None and 0 < written[whole].inserted == count_of(state, whole):
                result = KindResult(inserted=count_of(state, kind))  # it came with its rows
            if not is_whole and now is not None and not mapped.is_part:
                more = writer.count_present() - count_of(state, kind)
                if more or self.choice.check:
                    restored = writer.write(self._texts(now), say, only_missing=True)
                    result.inserted += restored.inserted
                    result.restored, result.differing = restored.inserted, restored.differing
            elif not is_whole and now is not None and self.choice.check:
                result.differing = writer.write(self._texts(now), say, only_missing=True).differing
        except (IntegrityError, DataError, ProgrammingError) as error:
            raise _refused(mapped, error) from error
        return result

    def _bring_late(self, kind: str, shown: Root | None, state: Root, *, is_whole: bool) -> None:
        """Fill the columns that refer to rows which were written after their own row."""
        before, now = top_of(shown, kind), top_of(state, kind)
        mapped = self.fitted.maps[kind]
        if not self.fitted.late_columns(mapped) or now is None or (before == now and not is_whole):
            return
        writer = replace(self.writers[kind], held=frozenset())
        changed = [one.now.text for one in changes(self.source, before, now) if one.now] if before else None
        texts = self._texts(now) if changed is None or is_whole else _pieces(changed)
        try:
            writer.write(texts, lambda _: None)
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

    def _texts(self, top: NodeHash | None) -> Texts:
        return _all_texts(self.source, top)

    def _prune(self, shown_run: Run | None) -> dict[str, int]:
        """Delete stale rows as chosen, children before parents; return how many by kind."""
        kinds = [kind for kind, one in reversed(self.kinds.items()) if not one.is_part]
        if self.choice.prune or self.choice.rebuild:
            return {kind: self.writers[kind].prune() for kind in kinds}
        if self.choice.prune is False:
            return {}
        left = [kind for kind in kinds if self.left.get(kind)]
        goes = exact_kinds(self.source, shown_run, self.run, left)
        return {kind: self.writers[kind].prune(self.left[kind]) for kind in left if kind in goes}

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

    def _writer(self, mapped: MappedKind) -> MappedWriter:
        leaves = policy_of(self.run, mapped.kind.name) is Policy.ONCE
        return MappedWriter(
            self.target,
            self.fitted,
            mapped,
            self.run.project,
            self.ids,
            leaves_adopted=leaves,
            days=self.days,
            held=self.fitted.late_columns(mapped),
        )

    def _teller(self, tell: Tell, state: Root, kind: str) -> Callable[[int], None]:
        return lambda count: tell(kind, count, count_of(state, kind))


def count_of(root: Root | None, kind: str) -> int:
    """Count the entities of a kind."""
    return root.kinds[kind].count if root and kind in root.kinds else 0


def _ids(target: Connection, fitted: FittedMap) -> MappedIds:
    ids = MappedIds(target, fitted)
    ids.load(*fitted.maps)
    return ids


def _all_texts(source: Connection, top: NodeHash | None) -> Texts:
    return lambda: event_texts(source, top, _PIECE) if top is not None else ()


def _pieces(texts: Sequence[str]) -> Texts:
    return lambda: batched(texts, _PIECE)


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


# -- removing ------------------------------------------------------------------------------------------------------


def remove_mapped(source: Connection, target: Connection, fitted: FittedMap, project: str) -> dict[str, KindResult]:
    """Delete the rows that seedjournal made for a project, leave adopted ones, and drop its notes."""
    position = notes.position(target, project)
    if position is None:
        return {}
    if problem := position_problem(source, project, position):
        raise of_another(project, problem)
    ids = _ids(target, fitted)
    writers = {
        kind: MappedWriter(target, fitted, mapped, project, ids)
        for kind, mapped in fitted.of_project(project).items()
        if not mapped.is_part
    }
    noted = notes.in_ledger(target, project)
    results = {kind: KindResult(foreign=noted[kind][ADOPTED]) for kind in fitted.of_project(project)}
    for writer in writers.values():
        writer.note_unseen(lambda: ())
    for kind, writer in reversed(writers.items()):
        results[kind].deleted = writer.prune()
        results[kind].retained = writer.stale_count()
    notes.leave(target, project)
    return results


# -- verifying and comparing ---------------------------------------------------------------------------------------


def check_mapped(
    source: Connection, target: Connection, fitted: FittedMap, run: Run, project: str, tell: Tell
) -> Iterator[Finding]:
    """Compare a project's rows with the state at its position."""
    position = notes.position(target, project)
    days = position.days if position else 0
    state = read_manifest(source, run.state)
    ids = _ids(target, fitted)
    for kind, mapped in fitted.of_project(project).items():
        writer = MappedWriter(target, fitted, mapped, project, ids, days=days)
        savepoint = target.begin_nested()
        try:
            yield from _check_kind(source, writer, state, policy_of(run, kind), tell)
        except (ProgrammingError, DataError, IntegrityError, Misuse) as error:
            reason = error.message if isinstance(error, Misuse) else str(error.orig).strip().splitlines()[0]
            problem = f"its rows cannot be compared: {reason}"
            yield Finding(where=mapped.shown, what=project, problem=problem, fault=Fault.TABLE)
        finally:
            savepoint.rollback()


def _check_kind(source: Connection, writer: MappedWriter, state: Root, policy: Policy, tell: Tell) -> Iterator[Finding]:
    top, kind = top_of(state, writer.kind), writer.kind
    count = count_of(state, kind)
    with writer.compared(_all_texts(source, top), lambda done: tell(kind, done, count)):
        for key, _ in writer.missing():
            yield _finding(writer, key, "its row is missing", Fault.MISSING)
        adopted = writer.keys(ADOPTED) if policy is Policy.ONCE else set()
        for key, names, _, _ in writer.differences():
            if key not in adopted:
                yield _finding(writer, key, f"its row differs in {', '.join(names)}", Fault.DIFFERENT)
        for key, _ in writer.unseen(MADE) if not writer.mapped.is_part else ():
            yield _finding(writer, key, "its row is neither in the state nor noted as stale", Fault.EXTRA)


def _finding(writer: MappedWriter, key: str, problem: str, fault: Fault) -> Finding:
    entity = (writer.kind, KeyBytes(key.encode()))
    what = f"{writer.kind} {key}"
    return Finding(where=writer.mapped.shown, what=what, problem=problem, fault=fault, entity=entity)


def compare_mapped(
    source: Connection, target: Connection, fitted: FittedMap, run: Run, kinds: Collection[str] | None
) -> Iterator[EntityChange]:
    """Yield what separates a project's rows from a run's state: what a projection would write, and rows beyond it."""
    dialect_of(target).see_all_rows()
    state, ids = read_manifest(source, run.state), _ids(target, fitted)
    position = notes.position(target, run.project)
    days = position.days if position else 0
    for kind, mapped in fitted.of_project(run.project).items():
        if kinds is None or kind in kinds:
            writer = MappedWriter(target, fitted, mapped, run.project, ids, days=days)
            savepoint = target.begin_nested()
            with writer.compared(_all_texts(source, top_of(state, kind))):
                yield from _differences(writer)
            savepoint.rollback()


def _differences(writer: MappedWriter) -> Iterator[EntityChange]:
    mapped = writer.mapped
    fields = {one.name: plain_name(one.value) or one.name for one in mapped.columns}
    for key, values in writer.missing():
        change = {fields[name]: (None, _plain(values[name])) for name in mapped.owned}
        yield EntityChange(kind=writer.kind, key=orjson.loads(key), change="added", fields=change)
    for key, names, before, now in writer.differences():
        change = {fields[name]: (_plain(before[name]), _plain(now[name])) for name in names}
        yield EntityChange(kind=writer.kind, key=orjson.loads(key), change="changed", fields=change)
    for key, values in writer.unseen(MADE, STALE, ADOPTED) if not mapped.is_part else ():
        change = {fields[name]: (_plain(values[name]), None) for name in mapped.owned}
        yield EntityChange(kind=writer.kind, key=orjson.loads(key), change="removed", fields=change)


def _plain(value: Any) -> Any:
    """Return a column's value as JSON has it."""
    match value:
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case date() | time():
            return value.isoformat()
        case Decimal() | UUID():
            return str(value)
        case bytes() | memoryview():
            return bytes(value).hex()
        case _:
            return value

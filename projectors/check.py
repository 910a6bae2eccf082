"""Checking a target against the state that its position names.

A row that is missing or different is a finding; adopted rows are listed and their ids trusted only where noted. The
rows that should be there are staged, so that the database itself compares values of its own types.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Connection, exists
from sqlalchemy.exc import DataError, ProgrammingError

from seedjournal.journal import (
    Change,
    Damaged,
    Fault,
    Finding,
    KeyBytes,
    Misuse,
    Policy,
    Run,
    RunNumber,
    Subtree,
    all_runs,
    batched,
    changes,
    forgotten_runs,
    journal_id,
    newest_of_each,
    numbered,
    read_manifest,
)

from . import notes
from .altering import with_former_kinds
from .dialects import dialect_of
from .layout import Layout, TableMap, key_from_row, layout_of, table_problems
from .notes import ADOPTED, ROWS, STALE, Position
from .parts import key_of_whole, unseen_parts
from .replay import Tell, policy_of, position_problem
from .rows import Ids, derived_id, row_maker
from .stage import Stage
from .writing import UnseenRows

if TYPE_CHECKING:
    from .mapping import Tables

_PIECE = 10_000
_WHERE = notes.POSITIONS.name


def check(
    source: Connection, target: Connection, layout: Layout | Tables, tell: Tell = lambda *_: None
) -> Iterator[Finding]:
    """Find everything in which the target's rows differ from what its positions say."""
    dialect = dialect_of(target)
    dialect.see_all_rows()
    if target is not source:  # else the journal's own verification looks at the file
        for line in dialect.damage():
            yield Finding(where="the target's file", what="PRAGMA integrity_check", problem=line, fault=Fault.STORAGE)
    if not isinstance(layout, Layout):
        yield from _check_mapped(source, target, layout, tell)
        return
    this_journal = _journal_of(source)
    shown = list(_positions(target)) if this_journal else []
    mine = {
        project: _layout_at(source, target, project, one, layout)
        for project, one in shown
        if one.journal == this_journal
    }
    problems: dict[str, str] = {}
    for one in (list(mine.values()) or [layout]) if notes.shown_projects(target) else []:
        problems |= table_problems(target, one)
    for table, problem in problems.items():
        yield Finding(where=table, what="the table", problem=problem, fault=Fault.TABLE)
    yield from _stray_notes(target, {kind for one in [layout, *mine.values()] for kind in one.maps})
    for project, position in shown:
        if project in mine:
            readable = {one.name for one in mine[project].tables} - problems.keys()
            yield from _check_project(source, target, mine[project], project, position, readable, tell)
        elif project in newest_of_each(source):
            problem = f"its rows are those of another journal, {position.journal}, and this one has it too"
            yield Finding(where=_WHERE, what=project, problem=problem, fault=Fault.POSITION)
    for project in sorted(newest_of_each(source).keys() - dict(shown).keys()) if this_journal else ():
        yield from _without_position(source, target, layout, project)


def _without_position(source: Connection, target: Connection, layout: Layout, project: str) -> Iterator[Finding]:
    """Find that rows of ours are there, and nothing says of which run; those noted as stale are what `unseed` left."""
    layout = _layout_of_newest(source, project, layout)
    missing = table_problems(target, layout)
    for kind, mapped in layout.maps_of(project).items():
        if mapped.whole or not layout.tables_of_key(mapped).isdisjoint(missing):
            continue
        _, parts = layout.natural_keys(mapped)
        query = layout.of_project(mapped, project).where(
            ~exists().where(ROWS.c.kind == kind, ROWS.c.id == mapped.table.c.id, ROWS.c.why == STALE)
        )
        for number, *values in target.execute(query):
            if number == derived_id(kind, key_from_row(mapped, parts, values)):
                problem = f"table {mapped.table.name} has rows of it, and no position says of which run"
                yield Finding(where=_WHERE, what=project, problem=problem, fault=Fault.POSITION)
                return


def _layout_of_newest(source: Connection, project: str, otherwise: Layout) -> Layout:
    try:
        return layout_of(source, newest_of_each(source)[project], otherwise)
    except Damaged:
        return otherwise


def _layout_at(source: Connection, target: Connection, project: str, position: Position, otherwise: Layout) -> Layout:
    """Return the layout of the kinds that a project's rows were made from, as far as the journal tells."""
    run = _run_of(source, project, position)
    try:
        return with_former_kinds(source, target, layout_of(source, run, otherwise) if run else otherwise, project)
    except Damaged:  # which the journal's own verification tells
        return otherwise


def _check_mapped(source: Connection, target: Connection, tables: Tables, tell: Tell) -> Iterator[Finding]:
    """Check the rows in tables that others own; a map that does not fit any more is a finding."""
    from . import mapped

    this_journal = _journal_of(source)
    for project in notes.made_without_position(target):
        problem = "the ledger has rows of it, and no position says of which run"
        yield Finding(where=_WHERE, what=project, problem=problem, fault=Fault.POSITION)
    if not notes.shown_projects(target) or this_journal is None:
        return
    try:
        fitted = mapped.fit(target, tables, "the target")
    except Misuse as error:
        yield Finding(where="the map", what="the target", problem=error.message, fault=Fault.TABLE)
        return
    for project, position in _positions(target):
        if position.journal != this_journal:
            if project in newest_of_each(source):
                problem = f"its rows are those of another journal, {position.journal}, and this one has it too"
                yield Finding(where=_WHERE, what=project, problem=problem, fault=Fault.POSITION)
        elif wrong := position_problem(source, project, position):
            yield Finding(where=_WHERE, what=project, problem=f"it is shown {wrong}", fault=Fault.POSITION)
        elif run := _run_of(source, project, position):
            try:
                yield from mapped.check(source, target, fitted, run, project, tell)
            except Damaged as error:
                yield Finding(where=_WHERE, what=project, problem=error.message)


def _check_project(
    source: Connection,
    target: Connection,
    layout: Layout,
    project: str,
    position: Position,
    readable: Collection[str],
    tell: Tell,
) -> Iterator[Finding]:
    """Compare a project's rows with the state at its position, in tables that can be read."""
    if wrong := position_problem(source, project, position):
        yield Finding(where=_WHERE, what=project, problem=f"it is shown {wrong}", fault=Fault.POSITION)
        return
    run = _run_of(source, project, position)
    if run is None:  # it was forgotten with its state
        return
    try:
        state = read_manifest(source, position.state)
    except Damaged as error:
        yield Finding(where=_WHERE, what=project, problem=error.message)
        return
    if unknown := layout.without_table(state.kinds):
        problem = f"its kinds {', '.join(unknown)} have no table"
        yield Finding(where=_WHERE, what=project, problem=problem, fault=Fault.TABLE)
    ids, layout = Ids(notes.adopted(target, project)), layout.moved(position.days)
    for kind, mapped in layout.maps_of(project).items():
        if not layout.tables_of_key(mapped) <= set(readable):
            continue
        one = _OneKind(source, target, layout, mapped, project, ids, policy_of(run, mapped.kind.part_of or kind))
        try:
            with target.begin_nested():  # so that what fails leaves the others to be checked
                yield from one.check(state.kinds.get(kind), tell)
        except (Damaged, Misuse) as error:  # events that are not there, dates that cannot be moved so far
            yield Finding(where=_WHERE, what=f"{project} {kind}", problem=error.message)
        except (ProgrammingError, DataError) as error:
            if dialect_of(target).is_refused(error):
                raise
            reason = (str(error.orig).strip().splitlines() or ["?"])[0]
            problem = f"its rows cannot be compared: {reason}"
            yield Finding(where=mapped.table.name, what=project, problem=problem, fault=Fault.TABLE)


def _journal_of(source: Connection) -> str | None:
    """Return the journal's id; None if its table holds several, which the journal's own verification reports."""
    try:
        return journal_id(source)
    except Damaged:
        return None


def _positions(target: Connection) -> Iterator[tuple[str, Position]]:
    for project in notes.shown_projects(target):
        if position := notes.position(target, project):
            yield project, position


def _run_of(source: Connection, project: str, position: Position) -> Run | None:
    """Return the run at the position, or where that was forgotten the newest run with the same state, if any."""
    run = numbered(source, RunNumber(position.run))
    if run is not None:
        return run
    same = [one for one in all_runs(source, project) if one.state == position.state]
    return same[-1] if same else None


def unchecked(source: Connection, target: Connection) -> Iterator[Finding]:
    """Say which rows this journal cannot check: those of another journal, and those of forgotten states."""
    this_journal = _journal_of(source)
    for project, position in _positions(target) if this_journal else ():
        if position.journal != this_journal:
            problem = f"shown by another journal, {position.journal}"
            yield Finding(where=_WHERE, what=project, problem=problem)
        elif position.run in forgotten_runs(source) and _run_of(source, project, position) is None:
            newest = newest_of_each(source).get(project)
            way_out = (
                "`seedjournal project` brings it to the newest"
                if newest
                else (f"`seedjournal unseed {project}` removes its rows")
            )
            problem = f"shows run {position.run}, which was forgotten; {way_out}"
            yield Finding(where=_WHERE, what=project, problem=problem)


def days_moved(target: Connection) -> dict[str, int]:
    """Return by how many days the dates of each project's rows are moved, where they are."""
    return {project: position.days for project, position in _positions(target) if position.days}


def listed(target: Connection, layout: Layout | Tables) -> dict[str, dict[str, dict[str, int]]]:
    """Count the adopted and stale rows of each project, by kind. They are no failure, but people want to know."""
    if not isinstance(layout, Layout):
        return notes.ledger_counts(target)
    found: dict[str, dict[str, dict[str, int]]] = {}
    missing = table_problems(target, layout)
    for project in notes.shown_projects(target):
        noted = notes.counted(target, project)
        for kind, mapped in layout.maps_of(project).items():
            if mapped.table.name in missing or mapped.whole:
                continue
            has_stale = noted[kind, STALE] > 0
            counts = {
                "foreign": noted[kind, ADOPTED],
                "stale": notes.stale_count(target, project, kind, mapped.table) if has_stale else 0,
            }
            if any(counts.values()):
                found.setdefault(project, {})[kind] = counts
    return found


def _stray_notes(target: Connection, kinds: Collection[str]) -> Iterator[Finding]:
    """Find notes that no projection can have left: of an unknown kind or reason, or adopted for a project not shown.

    Stale rows that somebody refers to remain noted when their project is removed.
    """
    shown = set(notes.shown_projects(target))
    for project, kind, why, count in notes.groups(target):
        problem = (
            f"{count:,} rows are noted as adopted, but the project has no position"
            if project not in shown and why == ADOPTED
            else f"{count:,} rows are noted of a kind that no table holds"
            if kind not in kinds
            else f"{count:,} rows are noted as {why!r}"
            if why not in {ADOPTED, STALE}
            else ""
        )
        if problem:
            yield Finding(where=ROWS.name, what=f"{project} {kind}", problem=problem, fault=Fault.NOTE)


@dataclass(frozen=True, slots=True)
class _OneKind:
    """Compares one kind's rows and notes with a state; under `once` adopted rows may differ."""

    source: Connection
    target: Connection
    layout: Layout
    mapped: TableMap
    project: str
    ids: Ids
    policy: Policy

    def check(self, subtree: Subtree | None, tell: Tell) -> Iterator[Finding]:
        """Yield every row that is missing, different or too many, and every note that contradicts rows or state."""
        noted = notes.of_kind(self.target, self.project, self.mapped.kind.name, self.mapped.table)
        yield from self._wrong_notes(noted)
        stage, unseen = self._stage(), UnseenRows(self.target, self.layout, self.mapped)
        in_state: set[KeyBytes] = set()  # of the keys that are noted
        missing = 0
        for piece in batched(changes(self.source, None, subtree.top if subtree else None), _PIECE):
            in_state.update(one.key for one in piece if one.key in noted)
            for finding in self._compare(stage, unseen, piece):
                missing += finding.fault is Fault.MISSING
                yield finding
            tell(self.mapped.kind.name, len(piece), subtree.count if subtree else None)
        for key, one in noted.items():
            if one.why == STALE and key in in_state:
                yield self._note(key, "it is noted as stale, and the state has it")
            if one.why == ADOPTED and key not in in_state:
                yield self._note(key, "it is noted as adopted, and the state does not have it")
        stale = {key for key, one in noted.items() if one.why == STALE and key not in in_state}
        if self.mapped.whole:
            yield from self._beyond()
        expected = (subtree.count if subtree else 0) - missing + sum(noted[key].is_there for key in stale)
        if not self.mapped.whole and self.layout.count_rows(self.target, self.mapped, self.project) > expected:
            for key in sorted(unseen.ours(self.project, self.ids.adopted).keys() - stale):
                yield self._row(key, "its row is neither in the state nor noted as stale", Fault.EXTRA)
        stage.drop()
        unseen.drop()

    def _beyond(self) -> Iterator[Finding]:
        """Yield the rows that hold a part although the state has none, once all parts of the state were seen."""
        rows = unseen_parts(self.target, self.layout, self.mapped, self.project, self.ids)
        for key in sorted(rows):
            if self.policy is not Policy.ONCE or not self._is_adopted(key):
                yield self._row(key, "its row holds it, and the state does not have it", Fault.EXTRA)

    def _is_adopted(self, key: KeyBytes) -> bool:
        whole = self.mapped.whole
        return (
            self.ids.is_adopted(whole.kind.name, key_of_whole(self.mapped, key))
            if whole
            else self.ids.is_adopted(self.mapped.kind.name, key)
        )

    def _compare(self, stage: Stage, unseen: UnseenRows, piece: Sequence[Change]) -> Iterator[Finding]:
        """Compare a piece of the state with the table's rows."""
        make = row_maker(self.mapped, self.ids)
        keys = [one.key for one in piece]
        rows = [make(one.now.text) for one in piece if one.now]
        stage.fill(rows)
        unseen.see([row[0] for row in rows])
        for place, number in stage.other_ids():
            yield self._row(keys[place], f"its row has id {number}, which is neither derived nor remembered")
        differing = dict(stage.differences())
        for place in () if self.mapped.whole else stage.places_without_row():
            if place not in differing or self._is_adopted(keys[place]):  # else somebody edited our row's key
                yield self._row(keys[place], "its row is missing", Fault.MISSING)
        for place, names in differing.items():
            if self.policy is not Policy.ONCE or not self._is_adopted(keys[place]):
                yield self._row(keys[place], f"its row differs in {', '.join(names)}")

    def _wrong_notes(self, noted: Mapping[KeyBytes, notes.Note]) -> Iterator[Finding]:
        kind = self.mapped.kind.name
        keys = self._keys_of([one.id for one in noted.values() if one.is_there])
        for key, one in noted.items():
            derived = derived_id(kind, key)
            if one.why == STALE and one.id != derived:
                yield self._note(key, f"it is noted as stale with id {one.id}, and seedjournal gives it {derived}")
            elif one.why == ADOPTED and one.id == derived:
                yield self._note(key, "it is noted as adopted, and its id is the one that seedjournal gives")
            elif one.is_there and keys[one.id] != key:
                yield self._note(key, f"it is noted as {one.why} with id {one.id}, and that row is another's")

    def _keys_of(self, ids: Sequence[int]) -> dict[int, KeyBytes]:
        query, parts = self.layout.natural_keys(self.mapped)
        return {
            number: key_from_row(self.mapped, parts, values)
            for batch in batched(ids, _PIECE)
            for number, *values in self.target.execute(
                query.where(dialect_of(self.target).among(self.mapped.table.c.id, batch))
            )
        }

    def _stage(self) -> Stage:
        return Stage(self.target, self.layout, self.mapped)

    def _row(self, key: KeyBytes, problem: str, fault: Fault = Fault.DIFFERENT) -> Finding:
        return self._finding(self.mapped.table.name, key, problem, fault)

    def _note(self, key: KeyBytes, problem: str) -> Finding:
        return self._finding(ROWS.name, key, problem, Fault.NOTE)

    def _finding(self, where: str, key: KeyBytes, problem: str, fault: Fault) -> Finding:
        kind = self.mapped.kind.name
        return Finding(where=where, what=f"{kind} {key.decode()}", problem=problem, fault=fault, entity=(kind, key))

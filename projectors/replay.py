"""Replay: bringing a target from the state it shows to the state of a run.

An empty target, a run back in time and a rebuild are the same thing with other ends. Rows, notes and position change in
one transaction a project, so that readers never see half a run and a crash changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from seedjournal.journal import (
    Change,
    Damaged,
    Database,
    KeyBytes,
    NodeHash,
    Policy,
    Root,
    Run,
    RunNumber,
    Unavailable,
    changes,
    journal_id,
    numbered,
    read_manifest,
)

from . import notes
from .dialects import dialect_of
from .layout import Layout, create_tables, has_tables
from .notes import STALE, Position
from .rows import Ids
from .writing import KindWriter, UnseenRows, prune

Tell = Callable[[str, int, int | None], None]
Written = dict[str, tuple[int, int]]  # by kind, how many rows were inserted and updated


@dataclass(slots=True)
class KindResult:
    """What became of one kind's rows.

    `kept` tells of the run: what `once` kept against it. `stale`, `retained` and `foreign` tell of the whole target;
    `foreign` are the adopted rows.
    """

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    kept: int = 0
    deleted: int = 0
    stale: int = 0
    retained: int = 0
    foreign: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """How to project."""

    prune: bool = False
    rebuild: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Projected:
    """What one projection did.

    `kept_fields` names, by kind, where kept content differs. `forgotten` says that the target showed a run that this
    journal has forgotten: all rows were compared.
    """

    run: Run
    kinds: dict[str, KindResult]
    kept_fields: Mapping[str, list[str]] = field(default_factory=dict)
    forgotten: bool = False


def project(
    journal: Database, target: Database, layout: Layout, run: Run, choice: Choice, tell: Tell = lambda *_: None
) -> Projected:
    """Bring the target's rows of the run's project to the state after that run.

    `tell` hears (kind, how many rows more, of how many). Raises Misuse where ids of two keys collide or rows of parents
    are gone, Unavailable where the target shows the project of another journal.
    """
    with _both(journal, target) as (source, connection):
        savepoint = connection.begin_nested() if choice.dry_run else None
        done = _Replay(source, connection, layout, run, choice).run_with(target.shown, tell)
        if savepoint:
            savepoint.rollback()
    return done


def preview(journal: Database, layout: Layout, run: Run) -> Projected:
    """Say what a projection into a target that has no tables yet would do."""
    with journal.read() as connection:
        state = read_manifest(connection, run.state)
    results = {kind: KindResult(inserted=_count(state, kind), kept=_kept(run, kind)) for kind in layout.maps}
    return Projected(run, results, run.counts["kept_fields"])


@contextmanager
def _both(journal: Database, target: Database) -> Iterator[tuple[Connection, Connection]]:
    """Open connections to read the journal and to write the target: one and the same where both are one database."""
    with ExitStack() as stack:
        connection = stack.enter_context(target.write("target"))
        source = connection if journal.is_same(target) else stack.enter_context(journal.read())
        yield source, connection


@dataclass(frozen=True, slots=True)
class _Replay:
    """One projection of one run, in the caller's transaction."""

    source: Connection
    target: Connection
    layout: Layout
    run: Run
    choice: Choice

    def run_with(self, address: str, tell: Tell) -> Projected:
        """Carry it out."""
        this_journal, project = journal_id(self.source), self.run.project
        state = read_manifest(self.source, self.run.state)
        position = notes.position(self.target, project)
        if has_tables(self.target, self.layout, address):
            _refuse_other_journal(position, project, this_journal)
            written, forgotten = self._write(position, state, tell)
        else:
            notes.clear(self.target)
            written, forgotten = self._load_first(state, tell), False
        deleted = self._prune() if self.choice.prune or self.choice.rebuild else {}
        notes.move(self.target, self.run, this_journal)
        results: dict[str, KindResult] = {}
        for kind, mapped in self.layout.maps.items():
            inserted, updated = written.get(kind, (0, 0))
            stale = notes.stale_count(self.target, project, kind, mapped.table)
            results[kind] = KindResult(
                inserted=inserted,
                updated=updated,
                unchanged=_count(state, kind) - inserted - updated,
                kept=_kept(self.run, kind),
                deleted=deleted.get(kind, 0),
                stale=stale,
                retained=stale if deleted else 0,
                foreign=notes.adopted_count(self.target, project, kind),
            )
        return Projected(self.run, results, self.run.counts["kept_fields"], forgotten)

    def _load_first(self, state: Root, tell: Tell) -> Written:
        """Create the tables and load them, keys and indexes last; where keys refuse the rows, compare to say why."""
        ids = Ids()
        try:
            with self.target.begin_nested():
                dialect, tables = dialect_of(self.target), self.layout.tables
                dialect.create_bare(tables)
                written = {
                    kind: (self._writer(kind, ids).load(self.source, top, self._teller(tell, state, kind)), 0)
                    for kind in self.layout.maps
                    if (top := _top(state, kind)) is not None
                }
                dialect.add_keys_and_indexes(tables)
        except IntegrityError:
            create_tables(self.target, self.layout)
            written, _ = self._write(None, state, tell)
        return written

    def _write(self, position: Position | None, state: Root, tell: Tell) -> tuple[Written, bool]:
        """Write what differs; return the counts, and whether the target showed a run that is forgotten."""
        shown_run, shown = self._shown(position)
        ids = Ids(notes.adopted(self.target, self.run.project))
        written: Written = {}
        for kind in self.layout.maps:
            before, now = _top(shown, kind), _top(state, kind)
            whole = self.choice.rebuild or shown is None or shown_run is None
            if shown_run and policy_of(shown_run, kind) != policy_of(self.run, kind) and ids.has_adopted(kind):
                whole = True  # adopted rows must be looked at again, and nothing tells where in the tree they are
            if not whole and before == now:
                continue
            writer, say = self._writer(kind, ids), self._teller(tell, state, kind)
            if before is None and now is not None and writer.is_clear():
                try:
                    with self.target.begin_nested():
                        written[kind] = (writer.load(self.source, now, say), 0)
                    continue
                except IntegrityError:  # an id is taken: comparing finds by which key
                    pass
            if whole:
                was_shown = self._was_shown(position, shown, before, now)
                unseen = UnseenRows(self.target, self.layout, self.layout[kind])
                written[kind] = writer.write(changes(self.source, None, now), unseen, was_shown, say)
                unseen.drop()
            else:
                written[kind] = writer.write(changes(self.source, before, now), None, _is_changed, say)
        return written, position is not None and shown is None

    def _shown(self, position: Position | None) -> tuple[Run | None, Root | None]:
        """Return the run that the target shows, and its state, as far as the journal has them."""
        run = numbered(self.source, RunNumber(position.run)) if position else None
        if position is None or run is None or run.project != self.run.project or run.state != position.state:
            return None, None
        try:
            return run, read_manifest(self.source, position.state)
        except Damaged:
            return None, None

    def _was_shown(
        self, position: Position | None, shown: Root | None, before: NodeHash | None, now: NodeHash | None
    ) -> Callable[[Change], bool]:
        """Return a function that says whether the target showed an entity; of a forgotten state all is assumed."""
        if position is None or shown is None:
            return lambda _: position is not None

        @cache
        def new() -> set[KeyBytes]:
            return {one.key for one in changes(self.source, before, now) if one.before is None}

        return lambda change: change.key not in new()

    def _prune(self) -> dict[str, int]:
        """Delete stale rows, children before parents."""
        kinds = reversed(self.layout.maps.items())
        return {kind: prune(self.target, mapped, self.run.project) for kind, mapped in kinds}

    def _writer(self, kind: str, ids: Ids) -> KindWriter:
        return KindWriter(
            connection=self.target,
            layout=self.layout,
            mapped=self.layout[kind],
            project=self.run.project,
            ids=ids,
            leaves_adopted=policy_of(self.run, kind) is Policy.ONCE,
        )

    def _teller(self, tell: Tell, state: Root, kind: str) -> Callable[[int], None]:
        return lambda count: tell(kind, count, _count(state, kind))


def remove_project(source: Connection, target: Connection, layout: Layout, project: str) -> dict[str, KindResult]:
    """Delete the rows that seedjournal created for a project, leave adopted ones, and drop its notes.

    `deleted` are gone, `retained` are left because a row of somebody else's refers to them, `foreign` are the adopted
    ones. Raises Unavailable where the target shows the project of another journal.
    """
    position = notes.position(target, project)
    if position is None:
        return {}
    _refuse_other_journal(position, project, journal_id(source))
    ids = notes.adopted(target, project)
    results: dict[str, KindResult] = {}
    for kind, mapped in layout.maps.items():
        results[kind] = KindResult(foreign=notes.adopted_count(target, project, kind))
        unseen = UnseenRows(target, layout, mapped)
        notes.note(target, project, kind, unseen.ours(project, ids), STALE)
        notes.forget(target, kind, unseen.adopted(project))
        unseen.drop()
    for kind, mapped in reversed(layout.maps.items()):
        results[kind].deleted = prune(target, mapped, project)
        results[kind].retained = notes.stale_count(target, project, kind, mapped.table)
    notes.leave(target, project)
    return results


def policy_of(run: Run, kind: str) -> Policy:
    """Return the policy by which the run's state was folded for the kind."""
    return run.policies.get(kind, Policy.UPSERT)


def _refuse_other_journal(position: Position | None, project: str, journal: str) -> None:
    """Raise Unavailable where the target shows the project of another journal.

    Both would write the same rows, and each would find its own changed whenever the other was projected.
    """
    if position is not None and position.journal != journal:
        raise Unavailable(
            f"the target shows project {project!r} of another journal, {position.journal}; this journal is {journal}, "
            "and nothing was written",
            f"use a target of its own, or first remove the rows there: `seedjournal forget --project {project} "
            "--target URL` with the other journal",
        )


def _is_changed(change: Change) -> bool:
    return change.before is not None


def _top(root: Root | None, kind: str) -> NodeHash | None:
    subtree = root.kinds.get(kind) if root else None
    return subtree.top if subtree else None


def _count(root: Root, kind: str) -> int:
    return root.kinds[kind].count if kind in root.kinds else 0


def _kept(run: Run, kind: str) -> int:
    return int(run.counts["kinds"].get(kind, {}).get("kept", 0))

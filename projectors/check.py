"""Checking a target against the state that its position names.

A row that is missing or different is a finding; adopted rows are listed and their ids trusted only where noted. The
rows that should be there are staged, so that the database itself compares values of its own types.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sqlalchemy import Connection

from seedjournal.journal import (
    Damaged,
    Finding,
    KeyBytes,
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
from .layout import Layout, TableMap
from .notes import Position
from .replay import policy_of
from .rows import Ids, row_maker
from .stage import Stage

Tell = Callable[[str, int, int | None], None]

_PIECE = 10_000
_WHERE = notes.POSITIONS.name


def check(source: Connection, target: Connection, layout: Layout, tell: Tell = lambda *_: None) -> Iterator[Finding]:
    """Find everything in which the target's rows differ from what its positions say."""
    this_journal = journal_id(source)
    for project, position in _positions(target):
        if position.journal != this_journal:
            if project in newest_of_each(source):
                problem = f"its rows are those of another journal, {position.journal}, and this one has it too"
                yield Finding(where=_WHERE, what=project, problem=problem)
            continue
        if wrong := _position_problem(source, project, position):
            yield Finding(where=_WHERE, what=project, problem=wrong)
            continue
        run = _run_of(source, project, position)
        if run is None:  # it was forgotten with its state
            continue
        try:
            state = read_manifest(source, position.state)
        except Damaged as error:
            yield Finding(where=_WHERE, what=project, problem=error.message)
            continue
        ids = Ids(notes.adopted(target, project))
        for kind, mapped in layout.maps.items():
            try:
                if subtree := state.kinds.get(kind):
                    yield from _check_kind(
                        source, Stage(target, layout, mapped), ids, policy_of(run, kind), subtree, tell
                    )
            except Damaged as error:
                yield Finding(where=_WHERE, what=f"{project} {kind}", problem=error.message)


def _positions(target: Connection) -> Iterator[tuple[str, Position]]:
    for project in notes.shown_projects(target):
        if position := notes.position(target, project):
            yield project, position


def _position_problem(source: Connection, project: str, position: Position) -> str | None:
    """Say what is wrong with a position of this journal's: it names a run and what that run says."""
    run = numbered(source, RunNumber(position.run))
    if run is None:
        if position.run in forgotten_runs(source):
            return None
        return f"it names run {position.run}, which the journal neither has nor forgot"
    if run.project != project or run.state != position.state:
        return f"it names state {position.state.hex()[:12]}, which is not what run {run.run} shows"
    return None


def _run_of(source: Connection, project: str, position: Position) -> Run | None:
    """Return the run at the position, or where that was forgotten the newest run with the same state, if any."""
    run = numbered(source, RunNumber(position.run))
    if run is not None:
        return run
    same = [one for one in all_runs(source, project) if one.state == position.state]
    return same[-1] if same else None


def unchecked(source: Connection, target: Connection) -> Iterator[Finding]:
    """Say what this journal cannot check, which is no failure: another journal's rows, those of forgotten states."""
    this_journal = journal_id(source)
    for project, position in _positions(target):
        if position.journal != this_journal:
            problem = f"shown by another journal, {position.journal}"
            yield Finding(where=_WHERE, what=project, problem=problem)
        elif position.run in forgotten_runs(source) and _run_of(source, project, position) is None:
            problem = f"shows run {position.run}, which was forgotten; `seedjournal project` brings it to the newest"
            yield Finding(where=_WHERE, what=project, problem=problem)


def has_positions(target: Connection) -> bool:
    """Say whether anything was projected into the target, as far as it tells."""
    return bool(notes.shown_projects(target))


def listed(target: Connection, layout: Layout) -> dict[str, dict[str, dict[str, int]]]:
    """Count the adopted and stale rows of each project, by kind: what is no failure, but good to know."""
    found: dict[str, dict[str, dict[str, int]]] = {}
    for project in notes.shown_projects(target):
        for kind, mapped in layout.maps.items():
            counts = {
                "foreign": notes.adopted_count(target, project, kind),
                "stale": notes.stale_count(target, project, kind, mapped.table),
            }
            if any(counts.values()):
                found.setdefault(project, {})[kind] = counts
    return found


def _check_kind(
    source: Connection, stage: Stage, ids: Ids, policy: Policy, subtree: Subtree, tell: Tell
) -> Iterator[Finding]:
    """Compare a kind's rows with a state; under `once` adopted rows may differ."""
    mapped = stage.mapped
    make = row_maker(mapped, ids)
    kind = mapped.kind.name
    try:
        for piece in batched(changes(source, None, subtree.top), _PIECE):
            keys = [one.key for one in piece]
            rows = [make(one.now.text) for one in piece if one.now]
            stage.fill(rows)
            for place, number in stage.other_ids():
                yield _finding(mapped, keys[place], f"its row has id {number}, which is neither derived nor remembered")
            for place in stage.places_without_row():
                yield _finding(mapped, keys[place], "its row is missing")
            for place, names in stage.differences():
                if policy is not Policy.ONCE or not ids.is_adopted(kind, keys[place]):
                    yield _finding(mapped, keys[place], f"its row differs in {', '.join(names)}")
            tell(kind, len(rows), subtree.count)
    finally:
        stage.drop()


def _finding(mapped: TableMap, key: KeyBytes, problem: str) -> Finding:
    return Finding(where=mapped.table.name, what=f"{mapped.kind.name} {key.decode()}", problem=problem)

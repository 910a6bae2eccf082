"""Checking a target against the state that its position names.

A row that is missing or different is a finding; foreign rows are listed and their ids trusted only where remembered.
The rows that should be there are staged, so that the database itself compares values of its own types.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from sqlalchemy import Connection

from seedjournal.journal import (
    Damaged,
    Finding,
    KeyBytes,
    Policy,
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
from .ids import Ids
from .load.stage import Stage
from .rows import row_maker
from .rules import Rule
from .tables import RULES

Tell = Callable[[str, int, int | None], None]

_PIECE = 10_000


def check(source: Connection, target: Connection, tell: Tell = lambda *_: None) -> Iterator[Finding]:
    """Everything in which the target's rows differ from what its positions say."""
    this_journal = journal_id(source)
    ids = Ids(notes.remembered(target))
    foreign = {key for key, one in ids.noted.items() if one.is_foreign}
    for project in notes.positioned_projects(target):
        positions = notes.positions(target, project)
        yield from _rivals(source, project, positions, this_journal)
        for kind, rule in RULES.items():
            position = positions.get(kind)
            if position is None or position.journal != this_journal:
                continue
            try:
                if problem := _position_problem(source, project, kind, position):
                    yield Finding(where="seedjournal_positions", what=f"{project} {kind}", problem=problem)
                elif _is_held(source, position):
                    subtree = read_manifest(source, position.state).kinds.get(kind)
                    if subtree is not None:
                        keeps = {key for of, key in foreign if of == kind} if position.policy == Policy.ONCE else set()
                        yield from _check_kind(source, target, rule, ids, subtree, keeps, tell)
            except Damaged as error:
                yield Finding(where="seedjournal_positions", what=f"{project} {kind}", problem=error.message)


def _rivals(
    source: Connection, project: str, positions: Mapping[str, notes.Position], this_journal: str
) -> Iterator[Finding]:
    """Another journal's project that this journal has too, or whose rows stand under a name of this one's."""
    mine = {run.project: name for name, run in newest_of_each(source).items()}
    for journal in sorted({one.journal for one in positions.values()} - {this_journal}):
        names = {one.namespace for one in positions.values() if one.journal == journal}
        rival = project if project in mine.values() else next((mine[name] for name in names if name in mine), None)
        if rival:
            problem = f"its rows are those of another journal, {journal}, and this one has them too, as {rival}"
            yield Finding(where="seedjournal_positions", what=project, problem=problem)


def _position_problem(source: Connection, project: str, kind: str, position: notes.Position) -> str | None:
    """What is wrong with a position of this journal's: it names a run and what that run says."""
    run = numbered(source, RunNumber(position.run))
    if run is None:
        gone = forgotten_runs(source)
        return (
            None if position.run in gone else f"it names run {position.run}, which the journal neither has nor forgot"
        )
    if run.project != project or run.state != position.state:
        return f"it names state {position.state.hex()[:12]}, which is not what run {run.run} shows"
    if position.policy != notes.policy_of(run, kind):
        return f"it names policy {position.policy}, which is not that of run {run.run}"
    return None


def _is_held(source: Connection, position: notes.Position) -> bool:
    """Whether the journal still has the state: that of a run which was forgotten may be gone."""
    if numbered(source, RunNumber(position.run)) is not None:
        return True
    return any(run.state == position.state for run in all_runs(source))


def unchecked(source: Connection, target: Connection) -> Iterator[Finding]:
    """What this journal cannot check, which is no failure: another journal's rows, and those of forgotten states."""
    this_journal = journal_id(source)
    for project in notes.positioned_projects(target):
        positions = notes.positions(target, project).values()
        for journal in sorted({one.journal for one in positions} - {this_journal}):
            yield Finding(where="seedjournal_positions", what=project, problem=f"shown by another journal, {journal}")
        ours = {one.run: one for one in positions if one.journal == this_journal}
        for number, one in sorted(ours.items()):
            if number in forgotten_runs(source) and not _is_held(source, one):
                problem = f"shows run {number}, which was forgotten; `seedjournal project` brings it to the newest"
                yield Finding(where="seedjournal_positions", what=project, problem=problem)


def has_positions(target: Connection) -> bool:
    """Whether anything was projected into the target, as far as it tells."""
    return bool(notes.positioned_projects(target))


def listed(target: Connection) -> dict[str, dict[str, dict[str, int]]]:
    """The foreign and stale rows of each project, by kind: what is no failure, but good to know."""
    found: dict[str, dict[str, dict[str, int]]] = {}
    for project in notes.positioned_projects(target):
        for kind, rule in RULES.items():
            counts = {
                "foreign": notes.foreign_count(target, project, kind),
                "stale": notes.stale_count(target, project, rule),
            }
            if any(counts.values()):
                found.setdefault(project, {})[kind] = counts
    return found


def _check_kind(
    source: Connection,
    target: Connection,
    rule: Rule,
    ids: Ids,
    subtree: Subtree,
    keeps: set[KeyBytes],
    tell: Tell,
) -> Iterator[Finding]:
    make = row_maker(rule, ids)
    stage = Stage(target, rule)
    try:
        for piece in batched(changes(source, None, subtree.top), _PIECE):
            keys = [one.key for one in piece]
            rows = [make(one.now.text) for one in piece if one.now]
            stage.fill(rows)
            for place, number in stage.other_ids():
                yield _finding(rule, keys[place], f"its row has id {number}, which is neither derived nor remembered")
            for place in stage.places_without_row():
                yield _finding(rule, keys[place], "its row is missing")
            for place, names in stage.differences():
                if keys[place] not in keeps:
                    yield _finding(rule, keys[place], f"its row differs in {', '.join(names)}")
            tell(rule.kind.name, len(rows), subtree.count)
    finally:
        stage.drop()


def _finding(rule: Rule, key: KeyBytes, problem: str) -> Finding:
    return Finding(where=rule.table.name, what=f"{rule.kind.name} {key.decode()}", problem=problem)

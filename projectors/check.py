"""Checking a target against the state that its position names.

A row that is missing or different is a finding; foreign rows are listed and their ids trusted only where remembered.
The rows that should be there are staged, so that the database itself compares values of its own types.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sqlalchemy import Connection

from journal import (
    Damaged,
    Finding,
    KeyBytes,
    Policy,
    Subtree,
    batched,
    changes,
    journal_id,
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
        for kind, rule in RULES.items():
            position = positions.get(kind)
            if position is None or position.journal != this_journal:
                continue
            try:
                subtree = read_manifest(source, position.state).kinds.get(kind)
                if subtree is not None:
                    keeps = {key for of, key in foreign if of == kind} if position.policy is Policy.ONCE else set()
                    yield from _check_kind(source, target, rule, ids, subtree, keeps, tell)
            except Damaged as error:
                yield Finding(where="seedjournal_positions", what=f"{project} {kind}", problem=error.message)


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

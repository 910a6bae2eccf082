"""Withdrawing a project from a target: its rows of ours go, foreign ones stay, and nothing is remembered of it."""

from __future__ import annotations

from sqlalchemy import Connection

from seedjournal.journal import Misuse, Unavailable, journal_id

from . import notes
from .collisions import settle_back
from .ids import Ids
from .leftovers import Leftovers, prune
from .replay import KindResult, namespaces_of
from .tables import RULES


def withdraw(source: Connection, target: Connection, project: str) -> dict[str, KindResult]:
    """Delete every row of ours of the project that no other row refers to; what became of the rows, by kind.

    `deleted` are gone, `retained` are left because a row of somebody else's refers to them, `foreign` are somebody
    else's and stay. Raises Unavailable where another journal's state is shown, Misuse where the name under which the
    rows stand is not known.
    """
    positions = notes.positions(target, project)
    if not positions:
        return {}
    others = {one.journal for one in positions.values()} - {journal_id(source)}
    if others:
        raise Unavailable(
            f"the target shows {project} of another journal, {min(others)}; nothing was removed",
            "remove its rows from there, or project from this journal first",
        )
    namespaces = namespaces_of(source, target, project, positions.values())
    if not namespaces:
        raise Misuse(
            f"nothing tells under which name the target's rows of {project} stand",
            f"`seedjournal project --project {project}` once, then forget it",
        )
    ids = Ids(notes.remembered(target))
    results: dict[str, KindResult] = {}
    for kind, rule in RULES.items():
        results[kind] = KindResult(foreign=notes.foreign_count(target, project, kind))
        leftovers = Leftovers(target, rule)
        notes.add_stale(target, project, kind, leftovers.ours(namespaces, ids.noted))
        notes.forget(target, kind, leftovers.foreign(project))
        leftovers.drop()
    for kind, rule in reversed(RULES.items()):
        results[kind].deleted = prune(target, rule, project)
        results[kind].retained = notes.stale_count(target, project, rule)
    for rule in RULES.values():
        settle_back(target, rule, project, ids.noted)
    notes.leave(target, project)
    return results

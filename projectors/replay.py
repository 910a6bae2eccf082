"""Replay: bringing a target from the state it shows to the state of a run.

An empty target, a run back in time and a rebuild are the same thing with other ends. Rows, notes and position change in
one transaction a project, so that readers never see half a run and a crash changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from sqlalchemy import Connection

from seedjournal.journal import (
    ENGINEERING,
    Damaged,
    Database,
    NodeHash,
    Root,
    Run,
    RunNumber,
    Unavailable,
    changes,
    decode,
    journal_id,
    newest_of_each,
    numbered,
    read_manifest,
    referred_key,
)

from . import notes
from .collisions import settle_back
from .ids import Ids
from .kind import KindWriter, refusal
from .leftovers import prune
from .tables import RULES

Tell = Callable[[str, int, int | None], None]


@dataclass(slots=True)
class KindResult:
    """What became of one kind's rows.

    `kept` tells of the run: what `once` kept against it. `stale`, `retained` and `foreign` tell of the whole target.
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
    """How to project; `kinds` None means all of them."""

    kinds: tuple[str, ...] | None = None
    prune: bool = False
    rebuild: bool = False
    dry_run: bool = False

    def __post_init__(self) -> None:
        """Refuse kinds that there are not."""
        for kind in self.kinds or ():
            ENGINEERING[kind]

    @property
    def chosen(self) -> tuple[str, ...]:
        """The kinds to move, parents before children."""
        return tuple(kind for kind in RULES if self.kinds is None or kind in self.kinds)


@dataclass(frozen=True, slots=True)
class Projected:
    """What one projection did.

    `kept_fields` names, by kind, where kept content differs. `other_journal` says that the target showed another
    journal's state before, `forgotten` that it showed one that this journal has forgotten: it was compared as a whole.
    """

    run: Run
    kinds: dict[str, KindResult]
    kept_fields: Mapping[str, list[str]] = field(default_factory=dict)
    other_journal: bool = False
    forgotten: bool = False


class _TakenBack(Exception):
    pass


def project(journal: Database, target: Database, run: Run, choice: Choice, tell: Tell = lambda *_: None) -> Projected:
    """Bring the target's rows of the run's project to the state after that run.

    `tell` hears (kind, how many rows more, of how many). Raises Misuse for a kind whose parents are not there.
    """
    done: list[Projected] = []
    try:
        with _both(journal, target) as (source, connection):
            done.append(_replay(source, connection, run, choice, tell))
            if choice.dry_run:
                raise _TakenBack
    except _TakenBack:
        pass
    return done[0]


def preview(journal: Database, run: Run, choice: Choice) -> Projected:
    """What a projection into a target that has no tables yet would do; raises what that would raise."""
    with journal.read() as connection:
        state = read_manifest(connection, run.state)
        for kind in choice.chosen:
            if missing := _missing_kinds(connection, kind, choice.chosen, _top(state, kind)):
                raise refusal(kind, missing, choice.chosen)
    results = {kind: KindResult(inserted=_count(state, kind), kept=_kept(run, kind)) for kind in choice.chosen}
    return Projected(run, results, _kept_fields(run, choice))


def _missing_kinds(source: Connection, kind: str, chosen: Collection[str], top: NodeHash | None) -> list[str]:
    """The kinds that are not chosen and that entities of this one point to."""
    outside = [reference for reference in RULES[kind].kind.references if reference.to not in chosen]
    if not outside or top is None:
        return []
    events = (decode(change.now.text) for change in changes(source, None, top) if change.now)
    met = {one.name for event in events for one in outside if referred_key(ENGINEERING, event, one) is not None}
    return [one.to for one in outside if one.name in met]


@contextmanager
def _both(journal: Database, target: Database) -> Iterator[tuple[Connection, Connection]]:
    """Connections to read the journal and to write the target: one and the same where both are one database."""
    with ExitStack() as stack:
        connection = stack.enter_context(target.write("target"))
        source = connection if journal.is_same(target) else stack.enter_context(journal.read())
        yield source, connection


def _replay(source: Connection, target: Connection, run: Run, choice: Choice, tell: Tell) -> Projected:
    this_journal = journal_id(source)
    state = read_manifest(source, run.state)
    positions = notes.positions(target, run.project)
    known = _known_states(source, positions, this_journal)
    _settle_name(target, run, this_journal, take=choice.rebuild)
    namespaces = namespaces_of(source, target, run.project, positions.values()) | {run.project}
    ids = Ids(notes.remembered(target))
    results: dict[str, KindResult] = {}
    for kind in choice.chosen:
        position = positions.get(kind)
        shown = known.get(position.state) if position and position.journal == this_journal else None
        writer = KindWriter(
            connection=target,
            rule=RULES[kind],
            run=run,
            ids=ids,
            whole=choice.rebuild or shown is None,
            was_shown=position is not None,
            namespaces=namespaces,
            chosen=choice.chosen,
        )
        if position and position.policy != notes.policy_of(run, kind) and writer.has_foreign():
            writer.whole = True  # foreign rows must be looked at again, and nothing tells where in the tree they are
        before, now = None if writer.whole else _top(shown, kind), _top(state, kind)
        if writer.whole or before != now:
            writer.write(source, before, now, _teller(tell, kind, _count(state, kind)))
        results[kind] = KindResult(inserted=writer.inserted, updated=writer.updated, kept=_kept(run, kind))
    if choice.prune or choice.rebuild:
        for kind in reversed(choice.chosen):
            results[kind].deleted = prune(target, RULES[kind], run.project)
            results[kind].retained = notes.stale_count(target, run.project, RULES[kind])
    for kind in choice.chosen:
        settle_back(target, RULES[kind], run.project, ids.noted)
    notes.move(target, run, this_journal, choice.chosen)
    for kind, result in results.items():
        result.unchanged = _count(state, kind) - result.inserted - result.updated
        result.stale = notes.stale_count(target, run.project, RULES[kind])
        result.foreign = notes.foreign_count(target, run.project, kind)
    shown_before = [positions[kind] for kind in choice.chosen if kind in positions]
    others = any(position.journal != this_journal for position in shown_before)
    gone = any(position.journal == this_journal and position.state not in known for position in shown_before)
    return Projected(run, results, _kept_fields(run, choice), others, gone)


def _settle_name(target: Connection, run: Run, journal: str, *, take: bool) -> None:
    """Raise Unavailable where another journal's project stands under the run's name; or take the name from it.

    Both would write the same rows, and each would find its own changed whenever the other was projected.
    """
    for project, other in notes.holders(target, run.project).items():
        if project == run.project or other == journal:
            continue
        if not take:
            raise Unavailable(
                f"the target already shows the team {run.project!r}: project {project!r} of another journal, {other}",
                f"project {run.project!r} into a target of its own, or --rebuild takes the rows over",
            )
        notes.leave(target, project)


def namespaces_of(
    source: Connection, target: Connection, project: str, positions: Iterable[notes.Position]
) -> set[str]:
    """The names under which the target shows the project, as far as it or the journal knows.

    A name that another project has taken since, in the journal or in the target, is not among them.
    """
    found: set[str] = set()
    for position in positions:
        if position.namespace is not None:
            found.add(position.namespace)
        elif position.journal == journal_id(source) and (run := numbered(source, RunNumber(position.run))):
            found.add(run.project)
    taken = {one.project for name, one in newest_of_each(source).items() if name != project}
    return {name for name in found - taken if not notes.holders(target, name).keys() - {project}}


def _known_states(source: Connection, positions: Mapping[str, notes.Position], journal: str) -> dict[NodeHash, Root]:
    """The states that the target shows, as far as this journal has them; from any other it is compared as a whole."""
    found: dict[NodeHash, Root] = {}
    for state in {position.state for position in positions.values() if position.journal == journal}:
        try:
            found[state] = read_manifest(source, state)
        except Damaged:
            continue
    return found


def _teller(tell: Tell, kind: str, total: int) -> Callable[[int], None]:
    return lambda count: tell(kind, count, total)


def _top(root: Root | None, kind: str) -> NodeHash | None:
    subtree = root.kinds.get(kind) if root else None
    return subtree.top if subtree else None


def _count(root: Root, kind: str) -> int:
    return root.kinds[kind].count if kind in root.kinds else 0


def _kept(run: Run, kind: str) -> int:
    return int(run.counts["kinds"].get(kind, {}).get("kept", 0))


def _kept_fields(run: Run, choice: Choice) -> dict[str, list[str]]:
    kept: dict[str, list[str]] = run.counts["kept_fields"]
    return {kind: fields for kind, fields in kept.items() if kind in choice.chosen}

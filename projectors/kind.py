"""Writing one kind's rows, in pieces: who is foreign, whose id is taken, what is new and what differs.

Rows of ours always get the state's content. A foreign row, one that has the key under an id of its own, is honoured:
`once` leaves it, the other policies update it, and children point to its id.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

import orjson
from sqlalchemy import Connection, select

from seedjournal.journal import Change, KeyBytes, Misuse, NodeHash, Policy, Run, batched, changes, dialect_of

from . import notes
from .cold import load_whole
from .collisions import settle
from .ids import Ids, derived_id
from .leftovers import Leftovers
from .load.stage import Stage
from .notes import Remembered
from .rows import Row, row_maker
from .rules import Rule, natural_keys
from .tables import RULES

_PIECE = 20_000


class KindWriter:
    """Brings one kind's rows to a state; counts what the database did.

    `whole` says that the changes are the whole state, so that rows of ours outside of it are stale; `was_shown` that
    the target had a position before. `namespaces` are the project's. `ids` are shared with the kinds that follow,
    whose rows point to these.
    """

    def __init__(
        self,
        *,
        connection: Connection,
        rule: Rule,
        run: Run,
        ids: Ids,
        whole: bool,
        was_shown: bool,
        namespaces: Collection[str],
        chosen: Collection[str],
    ) -> None:
        self.connection = connection
        self.rule = rule
        self.run = run
        self.ids = ids
        self.noted = ids.noted
        self.whole = whole
        self.was_shown = was_shown
        self.namespaces = namespaces
        self.chosen = chosen
        self.inserted = 0
        self.updated = 0
        self._kind = rule.kind.name
        self._leaves_foreign = notes.policy_of(run, self._kind) is Policy.ONCE
        self._make = row_maker(rule, ids)

    def has_foreign(self) -> bool:
        """Whether any row of the kind is remembered as somebody else's."""
        return any(kind == self._kind and one.is_foreign for (kind, _), one in self.noted.items())

    def write(
        self, source: Connection, before: NodeHash | None, now: NodeHash | None, tell: Callable[[int], None]
    ) -> None:
        """Carry out the changes between two trees; entities that are gone become stale."""
        if now is not None and before is None and self._is_clear():
            loaded = load_whole(source, self.connection, self.rule, now, self.ids, tell)
            if loaded is not None:
                self.inserted += loaded
                return
        gone: list[KeyBytes] = []
        stage = Stage(self.connection, self.rule)
        leftovers = Leftovers(self.connection, self.rule) if self.whole else None
        had_stale = notes.has_stale(self.connection, self._kind)
        for piece in batched(_standing(changes(source, before, now), gone), _PIECE):
            keys = [one.key for one in piece]
            rows = [self._make(one.now.text) for one in piece if one.now]
            shown = keys if self.whole and self.was_shown else [one.key for one in piece if one.before]
            self._write_staged(stage, keys, rows, frozenset(shown))
            if leftovers or had_stale:
                numbers = [self.ids.of(self._kind, key) for key in keys]
                if leftovers:
                    leftovers.see(numbers)
                notes.drop_stale(self.connection, self._kind, numbers)
            tell(len(rows))
        stage.drop()
        stale = self._leave(gone)
        if leftovers:
            self._forget(leftovers.foreign(self.run.project))
            stale += leftovers.ours(self.namespaces, self.noted)
            leftovers.drop()
        notes.add_stale(self.connection, self.run.project, self._kind, stale)

    def _write_staged(
        self, stage: Stage, keys: Sequence[KeyBytes], rows: Sequence[Row], shown: frozenset[KeyBytes]
    ) -> None:
        stage.fill(rows)
        self._find_foreign(stage, keys, rows)
        self._note(settle(stage, keys, RULES, self.noted, shown))
        if missing := stage.missing_parents():
            raise refusal(self._kind, missing, self.chosen)
        self.updated += stage.update_rows()
        self.inserted += stage.insert_rows()

    def _find_foreign(self, stage: Stage, keys: Sequence[KeyBytes], rows: Sequence[Row]) -> None:
        """Point staged rows to the foreign rows that have their keys, or leave them out, and remember these."""
        if known := [place for place, key in enumerate(keys) if self._is_foreign(key)]:
            without = set(stage.places_without_row())
            if lost := [place for place in known if place in without]:  # their owners deleted them
                self._forget([keys[place] for place in lost])
                first = {place: derived_id(self._kind, keys[place]) for place in lost}
                stage.fill([(first.get(place, row[0]), *row[1:]) for place, row in enumerate(rows)])
        if others := stage.other_ids():
            ours = {place for place, number in others if number == derived_id(self._kind, keys[place])}
            self._forget([keys[place] for place in ours])  # what was remembered is gone, and ours is back in its place
            self._note({keys[place]: Remembered(n, is_foreign=True) for place, n in others if place not in ours})
            stage.take_ids_of_rows()
        if self._leaves_foreign and (foreign := [n for n, key in enumerate(keys) if self._is_foreign(key)]):
            stage.leave_out(foreign)

    def _note(self, ids: dict[KeyBytes, Remembered]) -> None:
        for key, one in ids.items():
            self.noted[self._kind, key] = one
        notes.remember(self.connection, self.run.project, self._kind, ids)

    def _forget(self, keys: Sequence[KeyBytes]) -> None:
        for key in keys:
            self.noted.pop((self._kind, key), None)
        notes.forget(self.connection, self._kind, keys)

    def _leave(self, gone: Sequence[KeyBytes]) -> list[int]:
        """The ids of rows of ours whose keys have left the state; foreign ones are merely forgotten.

        A key under a name that meanwhile is another project's is none of ours.
        """
        first = self.rule.kind.key[0]
        ours = [key for key in gone if not self._is_foreign(key) and orjson.loads(key)[first] in self.namespaces]
        self._forget([key for key in gone if self._is_foreign(key)])
        return sorted(self._present([self.ids.of(self._kind, key) for key in ours]))

    def _is_foreign(self, key: KeyBytes) -> bool:
        one = self.noted.get((self._kind, key)) if self.noted else None
        return one is not None and one.is_foreign

    def _is_clear(self) -> bool:
        """Whether the target has nothing that the kind's rows could meet: no row under the project's names, no note."""
        if self.has_foreign() or notes.has_stale(self.connection, self._kind):
            return False
        query, parts = natural_keys(self.rule, RULES)
        met = query.where(parts[self.rule.kind.key[0]].in_(sorted(self.namespaces)))
        return self.connection.execute(met.limit(1)).first() is None

    def _present(self, numbers: Sequence[int]) -> set[int]:
        rows = self.rule.table
        found: set[int] = set()
        for batch in batched(numbers, _PIECE):
            query = select(rows.c.id).where(dialect_of(self.connection).among(rows.c.id, batch))
            found.update(self.connection.execute(query).scalars())
        return found


def refusal(kind: str, missing: Sequence[str], chosen: Collection[str]) -> Misuse:
    """What is said of a kind whose parents are not there: they were not chosen, or somebody deleted them."""
    alone = [name for name in missing if name not in chosen]
    return Misuse(
        f"{kind} cannot be projected{' alone' if alone else ''}: "
        f"rows of {' and '.join(missing)} that it needs are not there",
        " ".join(f"--kind {name}" for name in (*alone, kind)) + " projects them together"
        if alone
        else "if they were deleted, --rebuild puts them back",
    )


def _standing(changed: Iterable[Change], gone: list[KeyBytes]) -> Iterator[Change]:
    """The changes of entities that the state has; the keys of those it no longer has go to `gone`."""
    for change in changed:
        if change.now is not None:
            yield change
        else:
            gone.append(change.key)

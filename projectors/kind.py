"""Writing one kind's rows, in pieces: who is foreign, whose id is taken, what is new and what differs.

Rows of ours always get the state's content. A foreign row, one that has the key under an id of its own, is honoured:
`once` leaves it, the other policies update it, and children point to its id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from sqlalchemy import Connection, exists, select

from journal import Change, Content, KeyBytes, Misuse, Policy, Run, batched, verbs

from . import notes
from .collisions import settle
from .ids import Ids, derived_id
from .leftovers import Leftovers
from .load.stage import Stage
from .notes import Remembered
from .rows import row_maker
from .rules import Rule
from .tables import RULES

_PIECE = 20_000

Noted = dict[tuple[str, KeyBytes], Remembered]


class KindWriter:
    """Brings one kind's rows to a state; counts what the database did.

    `whole` says that the changes are the whole state, so that rows of ours outside of it are stale. `ids` and `noted`
    are shared with the kinds that follow, whose rows point to these.
    """

    def __init__(
        self,
        *,
        connection: Connection,
        rule: Rule,
        run: Run,
        ids: Ids,
        noted: Noted,
        whole: bool,
        chosen: Sequence[str],
    ) -> None:
        self.connection = connection
        self.rule = rule
        self.run = run
        self.ids = ids
        self.noted = noted
        self.whole = whole
        self.inserted = 0
        self.updated = 0
        self._kind = rule.kind.name
        self._policy = run.policies.get(self._kind, Policy.UPSERT)
        self._checks_parents = any(reference.to not in chosen for reference in rule.kind.references)
        self._make = row_maker(rule, ids)

    def has_foreign(self) -> bool:
        """Whether any row of the kind is remembered as somebody else's."""
        return any(kind == self._kind and one.is_foreign for (kind, _), one in self.noted.items())

    def write(self, changed: Iterable[Change], tell: Callable[[int], None]) -> None:
        """Carry out the changes; entities that are gone become stale."""
        gone: list[KeyBytes] = []
        stage = Stage(self.connection, self.rule)
        direct = self._is_empty() and not self.has_foreign()
        leftovers = Leftovers(self.connection, self.rule) if self.whole and not direct else None
        had_stale = notes.stale_count(self.connection, self.run.project, self._kind) > 0
        for piece in batched(_contents(changed, gone), _PIECE):
            keys, rows = zip(*map(self._make, piece), strict=True)
            direct = direct and stage.load_directly(rows)
            if direct:
                self.inserted += len(rows)
            else:
                stage.fill(rows)
                self._write_staged(stage, keys)
            if leftovers or had_stale:
                numbers = [self.ids.of(self._kind, key) for key in keys]
                if leftovers:
                    leftovers.see(numbers)
                notes.drop_stale(self.connection, self._kind, numbers)
            tell(len(rows))
        stage.drop()
        stale = self._leave(gone)
        if leftovers:
            stale += leftovers.ours(self.run.namespace, self.noted)
            leftovers.drop()
        notes.add_stale(self.connection, self.run.project, self._kind, stale)

    def _write_staged(self, stage: Stage, keys: Sequence[KeyBytes]) -> None:
        foreign = self._find_foreign(stage, keys)
        shifted = settle(stage, keys, RULES)
        self._note(foreign | shifted)
        if self._checks_parents and (missing := stage.missing_parents()):
            raise Misuse(
                f"{self._kind} cannot be projected alone: rows of {' and '.join(missing)} that it needs are not there",
                "".join(f"--kind {kind} " for kind in (*missing, self._kind)).strip() + " projects them together",
            )
        self.updated += stage.update_rows()
        self.inserted += stage.insert_rows()

    def _find_foreign(self, stage: Stage, keys: Sequence[KeyBytes]) -> dict[KeyBytes, Remembered]:
        """Point staged rows to the foreign rows that have their keys, or leave them out; the newly found ones."""
        found: dict[KeyBytes, Remembered] = {}
        for place, number in stage.other_ids():
            key = keys[place]
            if number == derived_id(self._kind, key):
                stage.set_id(place, number)  # what was remembered is gone, and ours is back in its place
                self._forget(key)
            else:
                found[key] = Remembered(number, is_foreign=True)
                self._honour(stage, place, number)
        remembered = [place for place, key in enumerate(keys) if self._is_foreign(key) and key not in found]
        present = self._present([self.noted[self._kind, keys[place]].id for place in remembered])
        for place in remembered:
            key = keys[place]
            number = self.noted[self._kind, key].id
            if number in present:
                self._honour(stage, place, number)
            else:  # its owner deleted it
                self._forget(key)
                stage.set_id(place, derived_id(self._kind, key))
        return found

    def _honour(self, stage: Stage, place: int, number: int) -> None:
        if self._policy is Policy.ONCE:
            stage.leave_out(place)
        else:
            stage.set_id(place, number)

    def _note(self, ids: dict[KeyBytes, Remembered]) -> None:
        for key, one in ids.items():
            self.noted[self._kind, key] = one
            self.ids.remembered[self._kind, key] = one.id
        notes.remember(self.connection, self.run.project, self._kind, ids)

    def _forget(self, key: KeyBytes) -> None:
        self.noted.pop((self._kind, key), None)
        self.ids.remembered.pop((self._kind, key), None)
        notes.forget(self.connection, self._kind, [key])

    def _leave(self, gone: Sequence[KeyBytes]) -> list[int]:
        """The ids of rows of ours whose keys have left the state; foreign ones are merely forgotten."""
        stale: list[int] = []
        for key in gone:
            if self._is_foreign(key):
                self._forget(key)
            else:
                stale.append(self.ids.of(self._kind, key))
        return sorted(self._present(stale))

    def _is_foreign(self, key: KeyBytes) -> bool:
        one = self.noted.get((self._kind, key)) if self.noted else None
        return one is not None and one.is_foreign

    def _is_empty(self) -> bool:
        return not self.connection.execute(select(exists(select(self.rule.table.c.id)))).scalar()

    def _present(self, numbers: Sequence[int]) -> set[int]:
        rows = self.rule.table
        found: set[int] = set()
        for batch in batched(numbers, _PIECE):
            query = select(rows.c.id).where(verbs(self.connection).among(rows.c.id, batch))
            found.update(self.connection.execute(query).scalars())
        return found


def _contents(changed: Iterable[Change], gone: list[KeyBytes]) -> Iterator[Content]:
    """What the state now holds of the changed entities; the keys of those it no longer has go to `gone`."""
    for change in changed:
        if change.now is not None:
            yield change.now
        else:
            gone.append(change.key)

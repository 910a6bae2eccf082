"""What a journal and a target should hold after a history, as plain dictionaries. Nothing of the product is used here.

A *statement* maps places to data: what a run says, and also what a state shows. Counts have the names that users see.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.model.shapes import KINDS, Data, Place, derived, holders, pointed_to

Statement = Mapping[Place, Data]
Counts = dict[str, dict[str, int]]

RECORDED = ("total", "added", "changed", "removed", "unchanged", "kept")
PROJECTED = (
    *("inserted", "updated", "unchanged", "kept", "deleted", "stale", "retained", "foreign"),
    *("restored", "differing", "extra"),
)


class Refused(Exception):
    """What cannot be projected: rows that others need are not there."""


def of_kind(kind: str, statement: Statement) -> dict[Place, Data]:
    """The part of a statement that tells of one kind."""
    return {place: data for place, data in statement.items() if place[0] == kind}


def text_of(project: str, place: Place, data: Data) -> str:
    """An event as one text."""
    return json.dumps([project, place, data], sort_keys=True)


@dataclass
class Run:
    """A sealed run: what it says, and what the project shows after it."""

    number: int
    project: str
    statement: Statement
    state: dict[Place, Data]
    policies: Mapping[str, str]
    fresh: bool
    window: bool
    fingerprint: str
    counts: Counts
    kept_fields: dict[str, list[str]]


class Journal:
    """The runs, and the distinct events that they state."""

    def __init__(self) -> None:
        self.runs: list[Run] = []
        self.events: set[str] = set()
        self.perhaps: set[str] = set()  # of recordings that were cut off

    def of_project(self, project: str) -> list[Run]:
        """A project's runs."""
        return [run for run in self.runs if run.project == project]

    def merged(
        self,
        project: str,
        statement: Statement,
        policies: Mapping[str, str],
        kinds: Collection[str],
        *,
        fresh: bool,
    ) -> dict[Place, Data]:
        """What the project shows of these kinds once this is recorded."""
        earlier = self.of_project(project)
        before = earlier[-1].state if earlier and not fresh else {}
        state: dict[Place, Data] = {}
        for place in before.keys() | statement.keys():
            policy = policies[place[0]]
            if place[0] not in kinds:
                continue
            if place not in statement:
                if policy != "exact":
                    state[place] = before[place]
            elif place in before and policy == "once":
                state[place] = before[place]
            else:
                state[place] = statement[place]
        return state

    def next_run(
        self, project: str, statement: Statement, policies: Mapping[str, str], *, fresh: bool, window: bool
    ) -> Run:
        """The run that recording this would seal."""
        earlier = self.of_project(project)
        last = earlier[-1].statement if earlier else {}
        if fresh:  # every kind is exact for this run
            policies = dict.fromkeys(policies, "exact")
        state = self.merged(project, statement, policies, KINDS, fresh=fresh)
        counts: Counts = {}
        kept_fields: dict[str, list[str]] = {}
        for kind in KINDS:
            now, then = of_kind(kind, statement), of_kind(kind, last)
            kept = [place for place in now if state[place] != now[place]]
            if now or then:
                both = now.keys() & then.keys()
                changed = [place for place in both if now[place] != then[place]]
                counts[kind] = {
                    "total": len(now),
                    "added": len(now.keys() - then.keys()),
                    "changed": len(changed),
                    "removed": len(then.keys() - now.keys()),
                    "unchanged": len(both) - len(changed),
                    "kept": len(kept),
                }
            if kept:
                kept_fields[kind] = sorted({name for place in kept for name in fields(state[place], now[place])})
        return Run(
            number=len(self.runs) + 1,
            project=project,
            statement=dict(statement),
            state=state,
            policies=dict(policies),
            fresh=fresh,
            window=window,
            fingerprint=json.dumps([sorted(map(repr, statement.items())), sorted(policies.items())]),
            counts=counts,
            kept_fields=kept_fields,
        )

    def seal(self, run: Run) -> None:
        """Take a run that was recorded."""
        self.runs.append(run)
        self.events |= texts(run)


def texts(run: Run) -> set[str]:
    """The events that a run states."""
    return {text_of(run.project, place, data) for place, data in run.statement.items()}


def fields(old: Data, new: Data) -> dict[str, tuple[Any, Any]]:
    """The fields in which two contents differ, as (old, new); null is not absent."""
    names = (old.keys() ^ new.keys()) | {name for name in old.keys() & new.keys() if old[name] != new[name]}
    return {name: (old.get(name), new.get(name)) for name in names}


def difference(old: Run, new: Run) -> dict[Place, tuple[str, dict[str, tuple[Any, Any]]]]:
    """What separates two runs: for each place how it changed, and its fields."""
    found = {}
    for place in old.statement.keys() | new.statement.keys():
        before, now = old.statement.get(place), new.statement.get(place)
        if before != now:
            change = "added" if before is None else "removed" if now is None else "changed"
            found[place] = (change, fields(before or {}, now or {}))
    return found


@dataclass(frozen=True)
class Row:
    """A row of the target."""

    id: int
    data: Data


@dataclass
class Target:
    """The target's rows by what they show, and what it remembers.

    `shown` are the states at the positions, by project: which run, its state, and its policies.
    """

    rows: dict[Place, Row] = field(default_factory=dict)
    shown: dict[str, tuple[int, dict[Place, Data], Mapping[str, str]]] = field(default_factory=dict)
    foreign: dict[Place, int] = field(default_factory=dict)
    stale: set[Place] = field(default_factory=set)

    def id_at(self, place: Place) -> int:
        """The id that the row at a place should have."""
        return self.foreign.get(place, derived(place))

    def is_sound(self, place: Place) -> bool:
        """Whether there is a row at this place, under the id that it should have."""
        return place in self.rows and self.rows[place].id == self.id_at(place)

    def projected(
        self, run: Run, runs: Sequence[Run], *, prune: bool | None = False, rebuild: bool = False
    ) -> tuple[Target, Counts]:
        """The target after a projection, and its counts by kind; raises Refused. `runs` are the project's."""
        passed = {run.number: run}
        if run.project in self.shown and self.shown[run.project][0] in {one.number for one in runs}:
            passed |= {one.number: one for one in runs if self.shown[run.project][0] < one.number < run.number}
        exact = {kind for one in passed.values() for kind in KINDS if one.policies[kind] == "exact"}
        after = copy.copy(self)
        after.rows, after.shown = dict(self.rows), dict(self.shown)
        after.foreign, after.stale = dict(self.foreign), set(self.stale)
        counts = {kind: dict.fromkeys(PROJECTED, 0) for kind in KINDS}
        left: set[Place] = set()
        for kind, count in counts.items():
            left |= after._write(run, kind, count, rebuild=rebuild)
        if prune or rebuild:
            for kind in reversed(counts):
                counts[kind]["deleted"] = after._prune(run, kind)
                counts[kind]["retained"] = after._stale_of(run, kind)
        elif prune is None:  # what nobody edited of exact kinds
            for kind in reversed(counts):
                counts[kind]["deleted"] = after._prune(run, kind, left) if kind in exact else 0
        for kind, count in counts.items():
            count["unchanged"] = (
                len(of_kind(kind, run.state)) - count["inserted"] - count["updated"] - count["differing"]
            )
            count["kept"] = run.counts.get(kind, {}).get("kept", 0)
            count["stale"] = after._stale_of(run, kind)
            count["foreign"] = sum(place[:2] == (kind, run.project) for place in after.foreign)
        after.shown[run.project] = (run.number, run.state, run.policies)
        return after, counts

    def _write(self, run: Run, kind: str, count: dict[str, int], *, rebuild: bool) -> set[Place]:
        """Write a kind's rows; return the places that it left as they were last written."""
        state = of_kind(kind, run.state)
        _, at, policies = self.shown.get(run.project, (0, None, {}))
        shown = None if at is None else of_kind(kind, at)
        has_foreign = any(place[:2] == (kind, run.project) for place in self.foreign)
        whole = rebuild or shown is None or (policies[kind] != run.policies[kind] and has_foreign)
        ours = {place for place in self.rows if place[:2] == (kind, run.project)}
        if whole or shown is None:
            changed = list(state)
            gone = (ours | {place for place in self.foreign if place[:2] == (kind, run.project)}) - state.keys()
        else:
            changed = [place for place, data in state.items() if shown.get(place) != data]
            gone = shown.keys() - state.keys()
        for place in changed:
            self.stale.discard(place)
            self._write_row(place, state[place], run.policies[kind], count)
        left: set[Place] = set()
        for place in gone:
            if self.foreign.pop(place, None) is None and self.is_ours(place):
                self.stale.add(place)
                if shown is not None and not whole and self.rows[place].data == shown[place]:
                    left.add(place)
        more = self._more_rows(run, kind)
        if more and not whole:
            before = count["inserted"]
            for place, data in state.items():
                self.stale.discard(place)
                self._write_row(place, data, run.policies[kind], count, only_missing=True)
            count["restored"] = count["inserted"] - before
            more += count["restored"]
        count["extra"] = max(more, 0)
        return left

    def _more_rows(self, run: Run, kind: str) -> int:
        """How many rows more of the kind there are than the state and the stale ones."""
        rows = sum(place[:2] == (kind, run.project) for place in self.rows)
        return rows - len(of_kind(kind, run.state)) - self._stale_of(run, kind)

    def _write_row(
        self, place: Place, data: Data, policy: str, count: dict[str, int], *, only_missing: bool = False
    ) -> None:
        if not all(map(self.is_sound, holders(place))):
            raise Refused
        row = self.rows.get(place)
        self.foreign.pop(place, None)
        if row and row.id != derived(place):
            self.foreign[place] = row.id
            if policy == "once":
                return
        if not all(map(self.is_sound, pointed_to(place, data))):
            raise Refused
        if row is None:
            count["inserted"] += 1
        elif row.data != data and only_missing:
            count["differing"] += 1
            return
        elif row.data != data:
            count["updated"] += 1
        self.rows[place] = Row(row.id if row else derived(place), data)

    def _prune(self, run: Run, kind: str, among: set[Place] | None = None) -> int:
        held = self.held()
        stale = {place for place in self.stale if place[:2] == (kind, run.project)}
        if among is not None:
            stale &= among
        gone = {place for place in stale if self.is_ours(place) and place not in held}
        for place in gone:
            del self.rows[place]
        self.stale -= {place for place in stale if not self.is_ours(place)}
        return len(gone)

    def _stale_of(self, run: Run, kind: str) -> int:
        return sum(place[:2] == (kind, run.project) and self.is_ours(place) for place in self.stale)

    def is_ours(self, place: Place) -> bool:
        """Whether there is a row at this place that a projection made."""
        return place in self.rows and self.rows[place].id == derived(place)

    def held(self) -> set[Place]:
        """The places that some row points to."""
        return {to for place, row in self.rows.items() for to in pointed_to(place, row.data)}

    def findings(self) -> set[tuple[Place, str]]:
        """What verification should find wrong with the rows."""
        return {
            (place, problem)
            for _, state, policies in self.shown.values()
            for place, data in state.items()
            for problem in self._problems(place, data, policies[place[0]])
        }

    def _problems(self, place: Place, data: Data, policy: str) -> Iterable[str]:
        row = self.rows.get(place)
        if row is None or not all(map(self.is_sound, holders(place))):
            yield "its row is missing"
        elif row.id != self.id_at(place):
            yield f"its row has id {row.id}, which is neither derived nor remembered"
        elif row.data != data and not (policy == "once" and place in self.foreign):
            yield f"its row differs in {', '.join(sorted(fields(row.data, data)))}"

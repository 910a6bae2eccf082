"""Histories: anything that users do, in any order, on both makes of database side by side, against plain dictionaries.

After each step all sides agree with what is meant, and therefore with each other, ids included.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from seedjournal.journal import Misuse
from tests import tally
from tests.conftest import MAKES
from tests.model.oracle import RECORDED, Journal, Refused, Row, Run, Target, difference, texts
from tests.model.shapes import KINDS, POLICIES, Place, holders, place_of
from tests.model.sides import Cut, Side
from tests.model.worlds import FULL, MORE, NAMES, NUMBERS, PROJECTS, STRANGE, VERSIONS, World, event_of, events_of
from tests.projectors.kept import emptied

_POLICIES: dict[str, Mapping[str, str]] = {
    "their own": POLICIES,
    "exact": dict.fromkeys(KINDS, "exact"),
    "upsert": dict.fromkeys(KINDS, "upsert"),
    "once": dict.fromkeys(KINDS, "once"),
    "leaves exact": {**POLICIES, "pr_file": "exact", "jira_issue": "exact"},
}
_PROJECTS = st.sampled_from(PROJECTS[:1] * 4 + PROJECTS[1:])
_RARELY = st.integers(0, 7).map(lambda one: one == 7)
_EDITS = st.one_of(
    st.tuples(st.just("put"), st.sampled_from(NAMES), st.sampled_from(VERSIONS)),
    st.tuples(st.just("put"), st.sampled_from(NAMES), st.sampled_from(VERSIONS[1:])),
    st.tuples(st.just("drop"), st.sampled_from(NAMES)),
    st.tuples(st.just("drop all"), st.sampled_from(("pull_request", "jira_issue"))),
    st.tuples(st.just("set"), st.integers(0, 2)),
    st.tuples(st.just("back"), st.integers(1, 2)),
    st.tuples(st.just("back"), st.just(1)),
)


def _sometimes(most: int) -> st.SearchStrategy[int | None]:
    return st.integers(-3 * most, most).map(lambda one: max(one, 0) or None)


@dataclass(frozen=True)
class Recording:
    """A project's world is edited and recorded, by the policies of the run before if none are named.

    At the statement `cut` the connection is lost; whoever does not give up records again.
    """

    project: str
    edits: Sequence[tuple[Any, ...]] = ()
    policies: str | None = None
    how: str = ""
    may_reuse: bool = True
    cut: int | None = None
    gives_up: bool = False


@dataclass(frozen=True)
class Projection:
    """The run so many runs `back` is projected; `cut` as above."""

    project: str
    back: int = 0
    prune: bool | None = False
    rebuild: bool = False
    dry_run: bool = False
    cut: int | None = None
    gives_up: bool = False


@dataclass(frozen=True)
class Turn:
    """A recording and, mostly, a projection of the same project."""

    recording: Recording
    projection: Projection | None


@dataclass(frozen=True)
class ByHand:
    """A user adds rows of their own under our keys, edits a row, or deletes one that no other needs."""

    project: str
    name: tuple[Any, ...]
    what: str


@dataclass(frozen=True)
class Look:
    """Verify, or compare the two runs that are so many turns back."""

    project: str
    turns: tuple[int, int] | None


_RECORDINGS = st.builds(
    Recording,
    project=_PROJECTS,
    edits=st.lists(_EDITS, min_size=1, max_size=3),
    policies=st.sampled_from((*[None] * 6, *_POLICIES)),
    how=st.sampled_from(("", "", "", "", "fresh", "window")),
    may_reuse=st.booleans(),
    cut=_sometimes(40),
    gives_up=st.booleans(),
)
_PROJECTIONS = st.builds(
    Projection,
    project=_PROJECTS,
    back=st.sampled_from((0, 0, 0, 0, 1, 2)),
    prune=st.sampled_from((None, None, False, True)),
    rebuild=_RARELY,
    dry_run=_RARELY,
    cut=_sometimes(150),
    gives_up=st.booleans(),
)


_TURNS = st.builds(Turn, _RECORDINGS, st.one_of(st.none(), _PROJECTIONS, _PROJECTIONS, _PROJECTIONS))
_STEPS = st.one_of(
    _TURNS,
    _TURNS,
    _TURNS,
    _PROJECTIONS,
    st.builds(ByHand, _PROJECTS, st.sampled_from((*NAMES, *STRANGE)), st.sampled_from(("add", "edit", "delete"))),
    st.builds(Look, _PROJECTS, st.none() | st.tuples(st.integers(0, 4), st.integers(0, 4))),
)


class Histories(RuleBasedStateMachine):
    """A history on all sides and in the oracle."""

    makes: ClassVar[tuple[str, ...]] = MAKES

    def __init__(self) -> None:
        super().__init__()
        self.journal = Journal()
        self.target = Target()
        self.worlds = dict.fromkeys(PROJECTS, FULL)
        self.past: dict[str, list[World]] = {name: [FULL] for name in PROJECTS}
        self.policies = dict.fromkeys(PROJECTS, "their own")
        self.known: dict[bytes, Mapping[Place, Any]] = {}
        self.read: set[tuple[int, bytes]] = set()
        self.own = 0
        self.sides: list[Side] = []
        tally.count("histories of the model")

    @initialize(
        layout=st.sampled_from(("together", "apart", "crossed")),
        own=st.lists(st.sampled_from(NAMES), max_size=2),
        policies=st.sampled_from(tuple(_POLICIES)),
    )
    def begin(self, layout: str, own: list[tuple[Any, ...]], policies: str) -> None:
        """Journal and target are one database, two, or two of different makes; users may have rows before."""
        for make, other in zip(self.makes, reversed(self.makes), strict=True):
            journal = emptied(make)
            target = journal if layout == "together" else emptied(other if layout == "crossed" else make, "target")
            self.sides.append(Side(journal, target, _EDITED))
        for name in own:
            self.by_hand(PROJECTS[0], name, "add")
        self.record(Recording(PROJECTS[0], policies=policies))
        self.project(Projection(PROJECTS[0]))

    @rule(step=_STEPS)  # one rule, as Hypothesis leaves out some rules of each history, and all of these matter
    def step(self, step: Turn | Projection | ByHand | Look) -> None:
        """Do one of all these things."""
        match step:
            case Turn(recording, projection):
                self.record(recording)
                if projection:
                    self.project(replace(projection, project=recording.project))
            case Projection():
                self.project(step)
            case ByHand(project, name, what):
                self.by_hand(project, name, what)
            case Look(project, turns):
                self.look(project, turns)

    # -- recording -------------------------------------------------------------------------------------------------

    def record(self, how: Recording) -> None:
        """Record on all sides."""
        project = how.project
        for edit in how.edits:
            self._edit(project, edit)
        policies = _POLICIES[how.policies or self.policies[project]]
        events = events_of(project, self.worlds[project], NUMBERS[:2] if how.how == "window" else NUMBERS)
        statement = {place: event.data for place, event in events.items()}
        run = self.journal.next_run(project, statement, policies, fresh=how.how == "fresh", window=how.how == "window")
        known = [one.fingerprint for one in self.journal.of_project(project)][-1:] == [run.fingerprint]

        def record(side: Side, cut: int | None) -> None:
            before = side.stored()
            sealed = side.record(
                project,
                events.values(),
                policies,
                fresh=run.fresh,
                window=run.window,
                fingerprint=run.fingerprint,
                may_reuse=how.may_reuse,
                cut=cut,
            )
            assert sealed.reused == (how.may_reuse and known)
            assert sealed.appended == len(texts(run) - set(before.events.values()))
            self._check_run(side, run, sealed.appended)
            if self._says_the_same(run):
                assert side.stored().nodes == before.nodes

        if self._on_all_sides(record, how.cut, gives_up=how.gives_up):
            self.journal.seal(run)
            self.past[project].append(self.worlds[project])
            self.policies[project] = how.policies or self.policies[project]
        else:
            self.journal.perhaps |= texts(run)
        self._check_journal()

    def _edit(self, project: str, edit: tuple[Any, ...]) -> None:
        world = self.worlds[project]
        match edit:
            case ("put", name, version):
                world = world.put(name, version)
            case ("drop", name):
                world = world.put(name, None)
            case ("drop all", kind):
                world = World({name: at for name, at in world.things.items() if name[0] != kind}, world.setting)
            case ("set", setting):
                world = World(world.things, setting)
            case ("back", turns):
                world = self.past[project][-1 - turns % len(self.past[project])]
        self.worlds[project] = world

    def _says_the_same(self, run: Run) -> bool:
        """Whether the project's last run said the same by the same policies, so that nothing but a run is new."""
        earlier = self.journal.of_project(run.project)
        return bool(
            earlier and not run.fresh and (earlier[-1].statement, earlier[-1].policies) == (run.statement, run.policies)
        )

    def _check_run(self, side: Side, run: Run, appended: int) -> None:
        stored = side.run(run.number)
        kinds = {kind: {name: count[name] for name in RECORDED} for kind, count in stored.counts["kinds"].items()}
        assert (stored.project, kinds) == (run.project, run.counts)
        assert (stored.counts["kept_fields"], stored.counts["appended"]) == (run.kept_fields, appended)
        assert stored.inputs["window"] == run.window
        for root, meant in ((stored.root, run.statement), (stored.state, run.state)):
            if (id(side), root) not in self.read:
                assert side.content(root) == meant
                self.read.add((id(side), root))
            assert self.known.setdefault(root, meant) == meant  # a root names one content, on any side
        assert len(self.known) == len({repr(sorted(map(repr, one.items()))) for one in self.known.values()})

    def _check_journal(self) -> None:
        stored = [side.stored() for side in self.sides]
        for one in stored:
            events = set(one.events.values())
            assert one.runs == [run.number for run in self.journal.runs]
            assert sorted(one.events) == list(range(1, len(events) + 1))
            assert self.journal.events <= events <= self.journal.events | self.journal.perhaps
        if not self.journal.perhaps:
            assert all(one == stored[0] for one in stored)

    # -- projecting ------------------------------------------------------------------------------------------------

    def project(self, how: Projection) -> None:
        """Project on all sides."""
        runs = self.journal.of_project(how.project) or self.journal.runs
        run = runs[-1 - how.back % len(runs)]
        choice = {"prune": how.prune, "rebuild": how.rebuild}
        try:
            after, counts = self.target.projected(
                run, self.journal.of_project(run.project), prune=how.prune, rebuild=how.rebuild
            )
        except Refused:
            after, counts = self.target, None

        def project(side: Side, cut: int | None) -> None:
            if how.dry_run:
                assert self._projected(side, run, dry_run=True, **choice) == counts
                self._check_rows(side)
            assert self._projected(side, run, cut=cut, **choice) == counts

        if self._on_all_sides(project, how.cut, gives_up=how.gives_up):
            self.target = after
        self.check_rows()

    def _projected(self, side: Side, run: Run, **choice: Any) -> dict[str, dict[str, int]] | None:
        try:
            return side.project(run.number, **choice)
        except Misuse as refused:
            if "that are not there" not in refused.message:
                raise
            return None

    def check_rows(self) -> None:
        """Every side shows what it should, and knows what it shows."""
        for side in self.sides:
            self._check_rows(side)

    def _check_rows(self, side: Side) -> None:
        shown, target = side.shown(), self.target
        assert shown.rows == {place: (row.id, row.data) for place, row in target.rows.items()}
        assert shown.positions == {project: number for project, (number, _, _) in target.shown.items()}
        assert shown.foreign == target.foreign
        assert shown.stale == {place for place in target.stale if target.is_ours(place)}

    # -- looking ---------------------------------------------------------------------------------------------------

    def look(self, project: str, turns: tuple[int, int] | None) -> None:
        """Verify, or compare any two runs of a project."""
        runs = self.journal.of_project(project) or self.journal.runs
        for side in self.sides:
            if turns is None:
                assert side.damage() == []
                assert side.differing_rows() == self.target.findings()
            else:
                old, new = (runs[-1 - turn % len(runs)] for turn in turns)
                if old.project == new.project:
                    assert side.difference(old.number, new.number) == difference(old, new)

    # -- what users do to the target -------------------------------------------------------------------------------

    def by_hand(self, project: str, name: tuple[Any, ...], what: str) -> None:
        """Do what users do."""
        event = event_of(project, name, MORE)
        place = place_of(event.kind, event.key)
        if what == "add":
            for one in (*holders(place), place):
                if one not in self.target.rows and all(holder in self.target.rows for holder in holders(one)):
                    self._insert(one, project)
        elif what == "edit" and place in self.target.rows:
            self._change(place, *_EDITED[event.kind])
        elif what == "delete" and place in self.target.rows.keys() - self.target.held():
            for side in self.sides:
                side.delete(self.target.rows[place].id, place)
            del self.target.rows[place]
        self.check_rows()

    def _insert(self, place: Place, project: str) -> None:
        self.own += 1
        data = {**events_of(project, MORE)[place].data, **_OWN[place[0]]}
        for side in self.sides:
            side.insert(place, data, self.own)
        self.target.rows[place] = Row(self.own, data)

    def _change(self, place: Place, name: str, value: str) -> None:
        row = self.target.rows[place]
        for side in self.sides:
            side.change(row.id, place, name, value)
        self.target.rows[place] = Row(row.id, {**row.data, name: value})

    # -- all sides -------------------------------------------------------------------------------------------------

    def _on_all_sides(self, step: Callable[[Side, int | None], None], cut: int | None, *, gives_up: bool) -> bool:
        """Take a step on all sides; whether it was taken. Who was cut off shows what was shown before."""
        tally.count("steps of the model")
        lost: list[Side] = []
        for side in self.sides:
            try:
                step(side, cut)
            except Cut:
                tally.count("connections cut at a statement", side.target.name)
                lost.append(side)
                self._check_rows(side)
                assert side.stored().runs == [run.number for run in self.journal.runs]
        if gives_up and len(lost) == len(self.sides):
            return False
        for side in lost:
            step(side, None)
        return True


_EDITED = {
    "team": ("name", "edited"),
    "team_member": ("display_name", "edited"),
    "pull_request": ("title", "edited"),
    "pr_file": ("status", "edited"),
    "jira_issue": ("status", "edited"),
}
_OWN: dict[str, dict[str, Any]] = {
    "team": {"name": "own"},
    "team_member": {"display_name": "own"},
    "pull_request": {"title": "own", "author": None},
    "pr_file": {"status": "own"},
    "jira_issue": {"status": "own", "assignee": None},
}

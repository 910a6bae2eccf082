"""Recording: a source through the simulators into one sealed run."""

from __future__ import annotations

import hashlib
import platform
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from typing import Any, TypeVar

import msgspec
import orjson

from seedjournal import journal
from seedjournal.journal import (
    ENGINEERING,
    ChangedByUpgrade,
    Database,
    Entry,
    Inputs,
    Misuse,
    NodeHash,
    Overtaken,
    Policy,
    Run,
    Sealed,
    Spool,
    canonical_bytes,
)
from seedjournal.progress import Tell
from seedjournal.version import VERSION

from .engineering.census import take_census
from .engineering.facts import Facts, Fetched, Reporting, Skipped, Source
from .engineering.project import Project
from .engineering.reading import BufferedFacts, FactsInWindow, Window
from .engineering.simulate import GENERATORS, simulate
from .upgrade import differing_tools, is_same_input

DEFAULT_SEED = 42
_EARLIEST_YEAR = 1970
_READ_FROM = ("source", "seed", "since", "until", "settings")  # inputs that a user chooses


Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordOptions:
    """How to record a project, whatever its source.

    `as_of` None means the day of the newest activity in the source. `since` and `until` filter the source: pull
    requests created in [since, until). `policies` are those chosen over the kinds' own and the project's.
    `accept_upgrade` lets other versions of tools make other events of an input that was recorded before.
    """

    seed: int = DEFAULT_SEED
    as_of: date | None = None
    since: date | None = None
    until: date | None = None
    policies: Mapping[str, Policy] = field(default_factory=dict)
    fresh: bool = False
    reuse: bool = True
    skip_invalid: bool = False
    accept_upgrade: bool = False


@dataclass(frozen=True, slots=True)
class Recorded:
    """The sealed run, what was left out of the source on request, and what the source reports about itself."""

    sealed: Sealed
    skipped: list[Skipped]
    notices: list[str]


class RemovesMost(Misuse):
    """A recording with unchanged settings would remove more than half of the previous run's entities."""

    kind = "removal"

    def __init__(self, project: str, run: int, removed: int, total: int) -> None:
        super().__init__(
            f"project {project!r}: {removed:,} of the {total:,} entities of run {run} are gone from the source, "
            "although the settings are the same; nothing was recorded",
            "check that the source is complete (the right folder, branch, token); --yes records it as it is",
        )


def record(
    database: Database,
    project: Project,
    source: Source,
    options: RecordOptions = RecordOptions(),
    tell: Tell = lambda *_: None,
    confirm: Callable[[RemovesMost], None] = lambda _: None,
) -> Recorded:
    """Record one project: the same inputs give the same run root, whatever the journal held before.

    `tell` hears (stage, how many more, of how many). Raises BadInput, with the journal as it was, for a source that
    cannot be right; Misuse where window and policies do not go together; ChangedByUpgrade where the input is that of
    the newest run and only other versions of tools make other events of it, unless they are accepted. Before a run is
    sealed that removes most of the previous one, though no setting changed, `confirm` hears of it and may raise.
    """
    policies = _policies(project, options)
    window = Window(since=options.since, until=options.until, newest=project.max_prs)
    _check(options, window, policies)
    inputs = _inputs(project, source, options, policies)
    previous = journal.last_run(database, project.name)
    examine = _Examination(inputs, confirm)
    is_upgraded = previous is not None and bool(differing_tools(previous.inputs, inputs.values))
    # What was skipped must be told, and what other tools make be compared: so the source must be read.
    if options.reuse and not options.skip_invalid and not is_upgraded:
        tell("comparing inputs", 0, None)
        known = examine.sealed(lambda: journal.reuse(database, inputs, examine))
        if known is not None:
            return Recorded(known, [], [])
    with BufferedFacts(source) as buffered:
        facts = buffered if window.is_open else FactsInWindow(buffered, window)
        recording = _Recording(database, project, source, facts, options, inputs, examine, tell)
        while True:
            try:
                sealed, notices = recording.attempt()
                break
            except Overtaken:
                tell("reading again: another run was recorded meanwhile", 0, None)
    notices = [*(source.notices() if isinstance(source, Reporting) else []), *notices]
    return Recorded(sealed, source.skipped, notices)


class _Examination:
    """Looks at a run before it is sealed; asks outside of the transaction, so that nobody waits for the answer."""

    def __init__(self, inputs: Inputs, confirm: Callable[[RemovesMost], None]) -> None:
        self._inputs = inputs
        self._confirm = confirm
        self._is_confirmed = False

    def __call__(self, previous: Run | None, counts: Mapping[str, Mapping[str, int]]) -> None:
        """Raise RemovesMost for a run that removes most of the previous one's facts, unless the user confirmed that."""
        if self._is_confirmed or previous is None:
            return
        removed = sum(counts[kind]["removed"] for kind in ENGINEERING.fact_kinds if kind in counts)
        before = previous.counts["kinds"]
        total = sum(before[kind]["total"] for kind in ENGINEERING.fact_kinds if kind in before)
        is_same = all(previous.inputs.get(name) == self._inputs.values[name] for name in _READ_FROM)
        if is_same and 2 * removed > total:
            raise RemovesMost(previous.project, previous.run, removed, total)

    def sealed(self, seal: Callable[[], Result]) -> Result:
        """Seal; where that would remove most of a project, ask, and seal again."""
        try:
            return seal()
        except RemovesMost as error:
            self._confirm(error)
            self._is_confirmed = True
            return seal()


@dataclass(frozen=True, slots=True)
class _Recording:
    """One recording that must read its source: attempted until it follows from the newest state."""

    database: Database
    project: Project
    source: Source
    facts: Facts
    options: RecordOptions
    inputs: Inputs
    examine: _Examination
    tell: Tell

    def attempt(self) -> tuple[Sealed, list[str]]:
        """Simulate on the project's newest state, and seal; raise Overtaken where that is no longer the newest."""
        previous = journal.last_run(self.database, self.project.name)
        state = previous.state if previous and self._reads_earlier_facts else None

        def examine(newest: Run | None, counts: Mapping[str, Mapping[str, int]]) -> None:
            if self._reads_earlier_facts:
                journal.follows(previous)(newest, counts)
            self.examine(newest, counts)

        with Spool() as spool:
            as_of, notices = self._simulate(state, spool)
            found = {"as_of": as_of.isoformat(), "state": state.hex() if state else None}
            inputs = replace(self.inputs, values={**self.inputs.values, **found})
            if previous and not self.options.accept_upgrade:
                _refuse_changes_by_tools(self.database, previous, inputs, spool)
            sealed = self.examine.sealed(
                lambda: journal.record(self.database, inputs, spool, self.tell, examine),
            )
        return sealed, notices

    @property
    def _reads_earlier_facts(self) -> bool:
        return any(self.inputs.policies[kind] is not Policy.EXACT for kind in ENGINEERING.fact_kinds)

    def _simulate(self, state: NodeHash | None, spool: Spool) -> tuple[date, list[str]]:
        """Simulate into the spool; return the simulators' today, and what the user must know of the facts."""
        self.tell("reading", 0, None)
        known = _known_members(self.database, state)
        census = take_census(self.facts, self.source.repositories, self.project, known)
        as_of = simulate(
            self.facts,
            census,
            spool,
            seed=self.options.seed,
            as_of=self.options.as_of,
            tools="".join(f" {name}/{version}" for name, version in sorted(self.source.versions.items())),
            merged=partial(self._merged, state, spool),
            tell=self.tell,
        )
        return as_of, census.notices()

    def _merged(self, state: NodeHash | None, spool: Spool) -> Iterator[Entry]:
        """Yield the facts that the tables will show: this run's, and by policy those of the state before."""
        if state is None:
            yield from spool.entries()
            return
        policies = {kind: self.inputs.policies[kind] for kind in ENGINEERING.fact_kinds}
        with self.database.read() as connection:
            yield from journal.merged(connection, state, policies, spool.entries)


def _known_members(database: Database, state: NodeHash | None) -> dict[int, str]:
    """Return the keys of a state's members by their GitHub ids; of two with one id the first by key."""
    known: dict[int, str] = {}
    if state is not None:
        with database.read() as connection:
            for _, text in journal.state_of_kind(connection, state, "team_member"):
                member = orjson.loads(text)
                if member["data"]["github_id"]:
                    known.setdefault(member["data"]["github_id"], member["key"]["login"])
    return known


def _refuse_changes_by_tools(database: Database, previous: Run, inputs: Inputs, spool: Spool) -> None:
    tools = differing_tools(previous.inputs, inputs.values)
    if tools and is_same_input(previous.inputs, inputs.values):
        changed = journal.would_change(database, previous, spool)
        if changed:
            raise ChangedByUpgrade(previous.project, previous.run, tools, changed)


def _policies(project: Project, options: RecordOptions) -> Mapping[str, Policy]:
    """Return each kind's policy for this run; `fresh` makes every fact kind `exact`, as computed kinds always are."""
    policies = ENGINEERING.policies({**project.policy, **options.policies})
    return dict.fromkeys(policies, Policy.EXACT) if options.fresh else policies


def _check(options: RecordOptions, window: Window, policies: Mapping[str, Policy]) -> None:
    if options.since and options.until and options.since >= options.until:
        raise Misuse("--since is not before --until", "the window is [since, until)")
    if options.as_of and options.as_of.year < _EARLIEST_YEAR:
        raise Misuse(f"--as-of {options.as_of} is before {_EARLIEST_YEAR}", "no source tells of anything earlier")
    if window.is_open:
        return
    if options.fresh:
        raise Misuse(
            "--fresh cannot be combined with a window (--since, --until, max_prs): everything outside the window would "
            "be dropped",
            "leave out --fresh or the window",
        )
    exact = [kind for kind in ENGINEERING.fact_kinds if policies[kind] is Policy.EXACT]
    if exact:
        raise Misuse(
            f"policy exact (kind {exact[0]}) needs a full recording: with a window (--since, --until, max_prs) it "
            "would remove everything outside the window",
            f"record without the window, or with {' '.join(f'--policy {kind}=upsert' for kind in exact)}",
        )


def _inputs(project: Project, source: Source, options: RecordOptions, policies: Mapping[str, Policy]) -> Inputs:
    values: dict[str, Any] = {
        "source": source.name,
        "source_digest": source.digest(),
        "repositories": list(source.repositories),
        "seed": options.seed,
        "as_of": options.as_of.isoformat() if options.as_of else None,
        "state": None,
        "since": options.since.isoformat() if options.since else None,
        "until": options.until.isoformat() if options.until else None,
        "skip_invalid": options.skip_invalid,
        "fresh": options.fresh,
        "settings": project.recorded(),
        "generators": GENERATORS,
        "versions": {**source.versions, **_versions()},
    }
    if isinstance(source, Fetched):
        values["completeness"] = source.completeness()
    named = {kind: str(policy) for kind, policy in policies.items()}
    fingerprint = hashlib.sha256(canonical_bytes({**values, "policies": named})).digest()
    return Inputs(
        project=project.name,
        policies=policies,
        window=not (options.since is None and options.until is None and project.max_prs is None),
        values=values,
        fingerprint=fingerprint,
    )


def _versions() -> dict[str, str]:
    """What events depend on besides source and generators: seedjournal itself, and what it rests on."""
    return {
        "msgspec": msgspec.__version__,
        "orjson": orjson.__version__,
        "python": platform.python_version(),
        "seedjournal": VERSION,
        "unicode": unicodedata.unidata_version,
    }

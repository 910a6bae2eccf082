"""Recording: a source through the simulators into one sealed run."""

from __future__ import annotations

import hashlib
import platform
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, TypeVar

import msgspec
import orjson

from seedjournal import journal
from seedjournal.journal import (
    ENGINEERING,
    ChangedByUpgrade,
    Database,
    Inputs,
    Misuse,
    Policy,
    Run,
    Sealed,
    Spool,
    canonical_bytes,
    encode,
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
_NOTHING_HAPPENED = date(2024, 1, 1)  # the as-of of an empty source
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
    with Spool() as spool:
        with BufferedFacts(source) as buffered:
            facts = buffered if window.is_open else FactsInWindow(buffered, window)
            as_of, notices = _simulate(facts, project, source, options, spool, tell)
        inputs = replace(inputs, values={**inputs.values, "as_of": as_of.isoformat()})
        if previous and not options.accept_upgrade:
            _refuse_changes_by_tools(database, previous, inputs, spool)
        sealed = examine.sealed(lambda: journal.record(database, inputs, spool, tell, examine))
    notices = [*(source.notices() if isinstance(source, Reporting) else []), *notices]
    return Recorded(sealed, source.skipped, notices)


class _Examination:
    """Looks at a run before it is sealed; asks outside of the transaction, so that nobody waits for the answer."""

    def __init__(self, inputs: Inputs, confirm: Callable[[RemovesMost], None]) -> None:
        self._inputs = inputs
        self._confirm = confirm
        self._is_confirmed = False

    def __call__(self, previous: Run | None, totals: Mapping[str, int]) -> None:
        """Raise RemovesMost for a run that removes most of the previous one, unless the user confirmed that."""
        if self._is_confirmed or previous is None or 2 * totals["removed"] <= previous.totals["total"]:
            return
        if all(previous.inputs.get(name) == self._inputs.values[name] for name in _READ_FROM):
            raise RemovesMost(previous.project, previous.run, totals["removed"], previous.totals["total"])

    def sealed(self, seal: Callable[[], Result]) -> Result:
        """Seal; where that would remove most of a project, ask, and seal again."""
        try:
            return seal()
        except RemovesMost as error:
            self._confirm(error)
            self._is_confirmed = True
            return seal()


def _refuse_changes_by_tools(database: Database, previous: Run, inputs: Inputs, spool: Spool) -> None:
    tools = differing_tools(previous.inputs, inputs.values)
    if tools and is_same_input(previous.inputs, inputs.values):
        changed = journal.would_change(database, previous, spool)
        if changed:
            raise ChangedByUpgrade(previous.project, previous.run, tools, changed)


def _simulate(
    facts: Facts, project: Project, source: Source, options: RecordOptions, spool: Spool, tell: Tell
) -> tuple[date, list[str]]:
    """Simulate into the spool; return the simulators' today, and what the user must know of the facts."""
    tell("reading", 0, None)
    census = take_census(facts, source.repositories, project)
    as_of = options.as_of or census.newest_day or _NOTHING_HAPPENED
    provenance = _provenance(source)

    def advance() -> None:
        tell("simulating", 1, census.pull_requests)

    made = simulate(facts, census, seed=options.seed, as_of=as_of, advance=advance)
    spool.add((encode(event), provenance[simulator]) for event, simulator in made)
    return as_of, census.notices()


def _provenance(source: Source) -> dict[str, str]:
    versions = "".join(f" {name}/{version}" for name, version in sorted(source.versions.items()))
    return {name: f"{name}/{version}{versions}" for name, version in GENERATORS.items()}


def _policies(project: Project, options: RecordOptions) -> Mapping[str, Policy]:
    """Return each kind's policy for this run; `fresh` makes every kind `exact`."""
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
    exact = [kind for kind, policy in policies.items() if policy is Policy.EXACT]
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

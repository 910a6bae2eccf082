"""Recording a team: a source of facts through the simulators into one sealed run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from typing import Any

from seedjournal import journal
from seedjournal.journal import Database, Entry, Inputs, Misuse, Policy, Run, Sealed, Spool
from seedjournal.progress import Tell

from .. import recording
from ..policies import policies_of
from ..recording import DEFAULT_SEED, RemovesMost, make_inputs, tool_versions
from .census import take_census
from .facts import Facts, Fetched, Reporting, Skipped, Source
from .kept import Kept
from .kinds import ENGINEERING
from .project import Project, make_project
from .reading import BufferedFacts, FactsInWindow, Window
from .simulate import GENERATORS, simulate

_EARLIEST_YEAR = 1970
_INVENTED = "demo"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordOptions:
    """How to record a project, whatever its source.

    `as_of` None means the day of the newest activity in the source. `since` and `until` filter the source: pull
    requests created in [since, until). `policies` are those chosen over the kinds' own and the project's.
    `accept_upgrade` lets other versions of tools make other events of an input that was recorded before. `scenario` is
    the name under which some of the settings were chosen.
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
    scenario: str | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """The sealed run, what was left out of the source on request, and what the source reports about itself."""

    sealed: Sealed
    skipped: list[Skipped]
    notices: list[str]


def record(
    database: Database,
    project: Project,
    source: Source,
    options: RecordOptions = RecordOptions(),
    tell: Tell = lambda *_: None,
    confirm: Callable[[RemovesMost], None] = lambda _: None,
) -> Recorded:
    """Record one project from a source; see `recording.record`.

    An invented project with another seed replaces the one before as a whole, whatever the policies are: a mixture of
    both would make no sense. Raises Misuse where window and policies do not go together.
    """
    window = Window(since=options.since, until=options.until, newest=project.max_prs)
    replaced = _other_invention(database, project, source, options)
    told = None
    if replaced is not None:
        told = (
            f"Seed {options.seed} invents another project than run {replaced.run} (seed {replaced.inputs['seed']}) and "
            "replaces it as a whole"
        )
        if not window.is_open:
            raise Misuse(
                f"{told}, but a window (--since, --until, max_prs) reads only a part.",
                "Record without the window, or under another name: --project NAME --new.",
            )
        options = replace(options, fresh=True)
    with BufferedFacts(source) as buffered:
        facts = buffered if window.is_open else FactsInWindow(buffered, window)
        policies = _policies(project, options)
        _check(options, window, policies)
        recipe = _TeamRecipe(database, project, source, facts, options, policies)
        done = recording.record(
            database,
            recipe,
            reuse=options.reuse and not options.skip_invalid,  # what was skipped must be told, so it must be read
            accept_upgrade=options.accept_upgrade,
            tell=tell,
            confirm=confirm,
        )
    if done.sealed.reused:
        return Recorded(done.sealed, [], [])
    notices = [*(source.notices() if isinstance(source, Reporting) else []), *done.notices]
    if told is not None:
        notices.append(f"{told}; to keep both, record one of them under another name: --project NAME --new")
    return Recorded(done.sealed, source.skipped, notices)


@dataclass(frozen=True, slots=True)
class _Made:
    today: date
    notices: Sequence[str]
    entries: Callable[[], Iterator[Entry]]


@dataclass(frozen=True)
class _TeamRecipe:
    """A team's project, its source, and the options of one recording."""

    database: Database
    project: Project
    source: Source
    facts: Facts
    options: RecordOptions
    policies: Mapping[str, Policy]

    chosen = ("source", "seed", "since", "until", "settings")
    fact_kinds = ENGINEERING.fact_kinds

    @property
    def invents_facts(self) -> bool:
        """Whether the source is one that invents, by the settings."""
        return self.source.name == _INVENTED

    @property
    def default_settings(self) -> Mapping[str, Any]:
        """The settings of a project that sets none."""
        return make_project("default", {}).recorded()

    @cached_property
    def inputs(self) -> Inputs:
        """Everything that decides the events, as far as it is known before facts are read."""
        return _inputs(self.project, self.source, self.options, self.policies)

    @contextmanager
    def make(self, previous: Run | None, tell: Tell) -> Iterator[_Made]:
        """Simulate into a spool."""
        state = previous.state if previous else None
        with Spool() as spool, Kept(self.database, state, self.policies) as kept:
            tell("reading", 0, None)
            census = take_census(self.facts, self.source.repositories, self.project, kept.keys_of_members())
            census.earlier_reviews = kept.reviews()
            census.keeps_reviews = self.policies["pr_review"] is Policy.ONCE
            today = simulate(
                self.facts,
                census,
                spool,
                seed=self.options.seed,
                as_of=self.options.as_of,
                tools="".join(f" {name}/{version}" for name, version in sorted(self.source.versions.items())),
                kept=kept,
                tell=tell,
            )
            yield _Made(today, [*census.notices(), *kept.notices()], spool.entries)


def _other_invention(database: Database, project: Project, source: Source, options: RecordOptions) -> Run | None:
    """Return the project's newest run, if it is an invention with another seed than the one to record."""
    if source.name != _INVENTED:
        return None
    previous = journal.last_run(database, project.name)
    if previous is None or previous.inputs["source"] != _INVENTED:
        return None
    return previous if previous.inputs["seed"] != options.seed else None


def _policies(project: Project, options: RecordOptions) -> Mapping[str, Policy]:
    """Return each kind's policy for this run; `fresh` makes every fact kind `exact`, as computed kinds always are."""
    policies = policies_of(ENGINEERING, {**project.policy, **options.policies})
    return dict.fromkeys(policies, Policy.EXACT) if options.fresh else policies


def _check(options: RecordOptions, window: Window, policies: Mapping[str, Policy]) -> None:
    if options.since and options.until and options.since >= options.until:
        raise Misuse("--since is not before --until.", "Give an --until that is after --since.")
    if options.as_of and options.as_of.year < _EARLIEST_YEAR:
        raise Misuse(
            f"--as-of {options.as_of} is before {_EARLIEST_YEAR}, when no source has any data.",
            "Give a later date.",
        )
    if window.is_open:
        return
    if options.fresh:
        raise Misuse(
            "--fresh cannot be combined with a window (--since, --until, max_prs): everything outside the window would "
            "be dropped.",
            "Leave out --fresh, or the window.",
        )
    exact = [kind for kind in ENGINEERING.fact_kinds if policies[kind] is Policy.EXACT]
    if exact:
        raise Misuse(
            f"Policy exact (kind {exact[0]}) needs a full recording: with a window (--since, --until, max_prs) it "
            "would remove everything outside the window.",
            f"Record without the window, or with `{' '.join(f'--policy {kind}=upsert' for kind in exact)}`.",
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
        "versions": {**source.versions, **tool_versions()},
    }
    if options.scenario is not None:
        values["scenario"] = options.scenario
    if isinstance(source, Fetched):
        values["completeness"] = source.completeness()
    window = not (options.since is None and options.until is None and project.max_prs is None)
    return make_inputs(project.name, values, policies, ENGINEERING.vocabulary, window=window)

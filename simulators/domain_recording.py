"""Recording a project of a user's domain: facts and simulators into one sealed run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from seedjournal import journal
from seedjournal.journal import Database, Inputs, KeyBytes, Misuse, Policy, Sealed
from seedjournal.progress import Tell

from .domain import Domain
from .facts import Asked, Run
from .faking import faker_version
from .kinds import key_of, nearest
from .policies import policies_of
from .purity import refuse_impure
from .recording import DEFAULT_SEED, RemovesMost, make_inputs, record, tool_versions
from .simulating import Previous, Simulation


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainOptions:
    """How to record a project of a domain."""

    seed: int = DEFAULT_SEED
    as_of: date | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    profile: str | None = None
    policies: Mapping[str, Policy] = field(default_factory=dict)
    fresh: bool = False
    reuse: bool = True
    accept_upgrade: bool = False


def projects_of(domain: Domain, folder: Path) -> list[str]:
    """Return the names of all projects: every root entity among the facts, or the domain's one project."""
    if domain.root is None:
        return [domain.name]
    asked = Asked(folder=folder, settings=domain.settings_of({}, "settings"), run=Run(project="", seed=DEFAULT_SEED))
    declared = domain.root.__declared__
    names = {
        str(key_of(one)[0])
        for stated in domain.stated
        if stated.kind is domain.root
        for one in stated.source.entities(declared, asked)
    }
    return sorted(names)


def record_domain(
    database: Database,
    domain: Domain,
    project: str,
    options: DomainOptions,
    folder: Path,
    tell: Tell = lambda *_: None,
    confirm: Callable[[RemovesMost], None] = lambda _: None,
) -> list[Sealed]:
    """Record one project, and before it what all projects share; return the runs. See `recording.record`.

    Raises Misuse for an unknown project, BadInput for facts or simulators that are wrong; the journal stays as it was.
    """
    names = projects_of(domain, folder)
    has_shared = domain.root is not None and bool(domain.project_kinds(shared=True))
    if project not in names and not (has_shared and project == domain.name):
        raise Misuse(
            f"The domain {domain.name!r} has no project {project!r}{nearest(project, names)}.",
            f"Its projects are {', '.join(names[:10])}." if names else "Give facts of its root kind first.",
        )
    alike = DomainOptions(
        reuse=options.reuse, accept_upgrade=options.accept_upgrade
    )  # no project has shared kinds its way
    shares = [(domain.name, alike)] if has_shared else []
    own = [(project, options)] if project != domain.name or domain.root is None else []
    sealed = []
    for name, chosen in shares + own:
        recipe = _DomainRecipe(database, domain, name, chosen, folder, is_shared=(name, chosen) in shares)
        done = record(
            database, recipe, reuse=chosen.reuse, accept_upgrade=chosen.accept_upgrade, tell=tell, confirm=confirm
        )
        sealed.append(done.sealed)
    return sealed


@dataclass(frozen=True)
class _DomainRecipe:
    """A project of a domain, or what all of its projects share, and the options of one recording."""

    database: Database
    domain: Domain
    project: str
    options: DomainOptions
    folder: Path
    is_shared: bool

    chosen = ("domain", "seed", "profile", "settings")
    invents_facts = False

    @cached_property
    def default_settings(self) -> Mapping[str, Any]:
        """The settings of a project that sets none."""
        defaults: Mapping[str, Any] = _plain(self.domain.settings_of({}, "settings"))
        return defaults

    @cached_property
    def fact_kinds(self) -> Sequence[str]:
        """The kinds of the project that have policies."""
        return [one for one in self.domain.fact_kinds if one in self._policies]

    @cached_property
    def _policies(self) -> dict[str, Policy]:
        return _policies(self.domain, self.options, is_shared=self.is_shared)

    @cached_property
    def _asked(self) -> Asked:
        settings = self.domain.settings_of(self.options.settings, f"Project {self.project!r}")
        run = Run(project=self.project, seed=self.options.seed, day=self.options.as_of or self.domain.given_today)
        return Asked(folder=self.folder, settings=settings, run=run)

    @cached_property
    def _shared(self) -> journal.Run | None:
        """The newest run of what all projects share."""
        if self.is_shared or self.domain.root is None:
            return None
        return journal.last_run(self.database, self.domain.name)

    @cached_property
    def inputs(self) -> Inputs:
        """Everything that decides the events, as far as it is known before facts are read."""
        domain, options = self.domain, self.options
        own = domain.project_kinds(shared=self.is_shared) if domain.root else domain.kinds
        read = {*own, *domain.documents_of(own)}
        values = {
            "domain": domain.name,
            "source": domain.name,
            "facts": {
                f"{number}:{stated.name}": stated.source.digest(self._asked)
                for number, stated in enumerate(domain.stated)
                if stated.kind in read and stated.profile in {None, options.profile}
            },
            "seed": options.seed,
            "as_of": options.as_of.isoformat() if options.as_of else None,
            "state": None,
            "shared": self._shared.state.hex() if self._shared else None,
            "profile": options.profile,
            "fresh": options.fresh,
            "settings": _plain(self._asked.settings),
            "simulators": {one.name: one.version for one in domain.simulators},
            "code": domain.code_digest(),
            "versions": {**tool_versions(), "faker": faker_version()},
        }
        return make_inputs(self.project, values, self._policies, domain.vocabulary, window=False)

    @contextmanager
    def make(self, previous: journal.Run | None, tell: Tell) -> Iterator[Simulation]:
        """Simulate, and repeat a sample: a simulator that is not pure is refused.

        The repetition in a new process takes longer than a small project; code that made the previous run passed it.
        """
        makers = ("code", "simulators", "versions")
        is_tried = previous is not None and all(previous.inputs[one] == self.inputs.values[one] for one in makers)
        with Simulation(
            self.domain,
            asked=self._asked,
            policies=self._policies,
            profile=self.options.profile,
            previous=_state_of(self.database, previous) if previous else None,
            shared=_state_of(self.database, self._shared) if self._shared else None,
            is_shared=self.is_shared,
            tell=tell,
        ) as simulation:
            simulation.simulate()
            refuse_impure(self.domain, simulation, self._asked, None if is_tried else self.folder)
            yield simulation


def _policies(domain: Domain, options: DomainOptions, *, is_shared: bool) -> dict[str, Policy]:
    """Return the policies of a project's recorded kinds; facts that all projects share are `upsert`."""
    own = {one.__declared__.name for one in domain.project_kinds(shared=is_shared)} if domain.root else None
    policies = policies_of(domain, options.policies)
    if options.fresh and not is_shared:
        policies = dict.fromkeys(policies, Policy.EXACT)
    return {kind: policy for kind, policy in policies.items() if own is None or kind in own}


def _plain(settings: Any) -> Any:
    """Return settings as a run records them: without floats and dates."""
    plain = msgspec.to_builtins(settings)
    return {name: repr(value) if isinstance(value, float) else value for name, value in plain.items()}


def _state_of(database: Database, run: journal.Run) -> Previous:
    """Return the state after a run."""

    def read(kind: str) -> Iterator[tuple[KeyBytes, str]]:
        with database.read() as connection:
            yield from journal.state_of_kind(connection, run.state, kind)

    with database.read() as connection:
        recorded = journal.kinds_of(connection, run)
    return Previous(read, recorded.by_name if recorded else {})

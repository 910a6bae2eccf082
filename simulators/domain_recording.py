"""Recording a project of a user's domain: facts and simulators into one sealed run."""

from __future__ import annotations

import hashlib
import platform
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import orjson

from seedjournal import journal
from seedjournal.journal import Database, Inputs, KeyBytes, Misuse, Overtaken, Policy, Sealed, canonical_bytes
from seedjournal.version import VERSION

from .domain import Domain
from .facts import Asked, Run
from .faking import faker_version
from .kinds import key_of, nearest
from .purity import refuse_impure
from .simulating import Previous, Simulation, Tell

_SEED = 42


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainOptions:
    """How to record a project of a domain."""

    seed: int = _SEED
    as_of: date | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    profile: str | None = None
    policies: Mapping[str, Policy] = field(default_factory=dict)
    fresh: bool = False
    reuse: bool = True


def projects_of(domain: Domain, folder: Path) -> list[str]:
    """Return the names of all projects: every root entity among the facts, or the domain's one project."""
    if domain.root is None:
        return [domain.name]
    asked = Asked(folder=folder, settings=domain.settings_of({}, "settings"), run=Run(project="", seed=_SEED))
    declared = domain.root.__declared__
    names = {
        str(key_of(one)[0])
        for stated in domain.stated
        if stated.kind is domain.root
        for one in stated.source.entities(declared, asked)
    }
    return sorted(names)


def record_domain(
    database: Database, domain: Domain, project: str, options: DomainOptions, folder: Path, tell: Tell
) -> list[Sealed]:
    """Record one project, and before it what all projects share; return the runs.

    Raises Misuse for an unknown project, BadInput for facts or simulators that are wrong; the journal stays as it was.
    """
    names = projects_of(domain, folder)
    has_shared = domain.root is not None and bool(domain.project_kinds(shared=True))
    if project not in names and not (has_shared and project == domain.name):
        raise Misuse(
            f"The domain {domain.name!r} has no project {project!r}{nearest(project, names)}.",
            f"Its projects are {', '.join(names[:10])}." if names else "State facts of its root first.",
        )
    sealed = []
    if has_shared:
        sealed.append(_record(database, domain, domain.name, DomainOptions(), folder, tell, is_shared=True))
    if project != domain.name or domain.root is None:
        sealed.append(_record(database, domain, project, options, folder, tell, is_shared=False))
    return sealed


def _record(
    database: Database,
    domain: Domain,
    project: str,
    options: DomainOptions,
    folder: Path,
    tell: Tell,
    *,
    is_shared: bool,
) -> Sealed:
    policies = _policies(domain, options, is_shared=is_shared)
    settings = domain.settings_of(options.settings, f"project {project}")
    asked = Asked(
        folder=folder,
        settings=settings,
        run=Run(project=project, seed=options.seed, day=options.as_of or domain.today),
    )
    shared = None if is_shared or domain.root is None else journal.last_run(database, domain.name)
    values = _values(domain, asked, options, is_shared=is_shared)
    values["shared"] = shared.state.hex() if shared else None
    named = {kind: str(policy) for kind, policy in policies.items()}
    fingerprint = hashlib.sha256(canonical_bytes({**values, "policies": named})).digest()
    inputs = Inputs(project=project, policies=policies, window=False, values=values, fingerprint=fingerprint)
    known = journal.reuse(database, inputs) if options.reuse else None
    if known is not None:
        return known
    while True:
        previous = journal.last_run(database, project)
        with Simulation(
            domain,
            asked=asked,
            policies=policies,
            profile=options.profile,
            previous=_state_reader(database, previous.state) if previous else None,
            shared=_state_reader(database, shared.state) if shared else None,
            is_shared=is_shared,
            tell=tell,
        ) as simulation:
            simulation.simulate()
            refuse_impure(domain, simulation, asked, folder)
            done = replace(inputs, values={**values, "as_of": simulation.today.isoformat()})
            try:
                return journal.record(database, done, simulation, tell, journal.follows(previous))
            except Overtaken:
                tell("reading again: another run was recorded meanwhile", 0, None)


def _policies(domain: Domain, options: DomainOptions, *, is_shared: bool) -> dict[str, Policy]:
    """Return the policies of a project's recorded kinds; facts that all projects share are `upsert`."""
    own = {one.__declared__.name for one in domain.project_kinds(shared=is_shared)} if domain.root else None
    policies = domain.policies(options.policies)
    if options.fresh:
        policies = dict.fromkeys(policies, Policy.EXACT)
    found = {kind: policy for kind, policy in policies.items() if own is None or kind in own}
    if is_shared:
        return {kind: Policy.UPSERT if kind in domain.fact_kinds else Policy.EXACT for kind in found}
    return found


def _values(domain: Domain, asked: Asked, options: DomainOptions, *, is_shared: bool) -> dict[str, Any]:
    own = set(domain.project_kinds(shared=is_shared)) if domain.root else set(domain.kinds)
    return {
        "domain": domain.name,
        "source": domain.name,
        "facts": {
            f"{number}:{stated.kind.__declared__.name}:{stated.source.name}": stated.source.digest(asked)
            for number, stated in enumerate(domain.stated)
            if stated.kind in own and stated.profile in {None, options.profile}
        },
        "seed": options.seed,
        "as_of": options.as_of.isoformat() if options.as_of else None,
        "profile": options.profile,
        "fresh": options.fresh,
        "settings": _plain(asked.settings),
        "simulators": {one.name: one.version for one in domain.simulators},
        "code": domain.code_digest(),
        "versions": {
            "faker": faker_version(),
            "msgspec": msgspec.__version__,
            "orjson": orjson.__version__,
            "python": platform.python_version(),
            "seedjournal": VERSION,
            "unicode": unicodedata.unidata_version,
        },
    }


def _plain(settings: Any) -> Any:
    """Return settings as a run records them: without floats and dates."""
    plain = msgspec.to_builtins(settings)
    return {name: repr(value) if isinstance(value, float) else value for name, value in plain.items()}


def _state_reader(database: Database, state: bytes) -> Previous:
    """Return a function from a kind to its content in a state, in the order of keys as bytes."""

    def read(kind: str) -> Iterator[tuple[KeyBytes, str]]:
        with database.read() as connection:
            yield from journal.state_of_kind(connection, state, kind)

    return read

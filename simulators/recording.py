"""Recording: a source through the simulators into one sealed run."""

from __future__ import annotations

import hashlib
import platform
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cache
from importlib import resources
from importlib.metadata import PackageNotFoundError, version
from typing import Any

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
    Progress,
    Run,
    Sealed,
    Spool,
    canonical_bytes,
)

from .engineering.census import Window
from .engineering.crew import Crew, PartFailed, Plan
from .engineering.facts import Fetched, Reporting, Skipped, Source
from .engineering.project import Project
from .engineering.simulate import GENERATORS, of_people
from .upgrade import differing_tools, is_same_input

DEFAULT_SEED = 42
_SHORT = 12  # digits of a digest that people see
_EARLIEST_YEAR = 1970
_NOTHING_HAPPENED = date(2024, 1, 1)  # the as-of of an empty source


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to record, and how.

    `as_of` None means the day of the newest activity in the source. `policies` are those chosen over the kinds' own.
    `jobs` is how many processes may simulate, which changes nothing but the time that it takes.
    `accept_upgrade` lets other versions of tools make other events of an input that was recorded before.
    """

    project: Project
    source: Source
    seed: int = DEFAULT_SEED
    as_of: date | None = None
    since: date | None = None
    until: date | None = None
    policies: Mapping[str, Policy] = field(default_factory=dict)
    fresh: bool = False
    reuse: bool = True
    skip_invalid: bool = False
    jobs: int = 1
    accept_upgrade: bool = False

    @property
    def window(self) -> Window:
        """The part of the source that the run states."""
        return Window(since=self.since, until=self.until, newest=self.project.max_prs)


@dataclass(frozen=True, slots=True)
class Recorded:
    """The sealed run, what was left out of the source on request, and what the source reports about itself."""

    sealed: Sealed
    skipped: list[Skipped]
    notices: list[str]


def record(database: Database, order: Order, tell: Progress = lambda *_: None) -> Recorded:
    """Record one project: the same inputs give the same run root, whatever the journal held before.

    `tell` hears (stage, how many more, of how many). Raises BadInput, with the journal as it was, for a source that
    cannot be right; Misuse where window and policies do not go together; ChangedByUpgrade where the input is that of
    the newest run and only other versions of tools make other events of it, unless they are accepted.
    """
    policies = _policies(order)
    _check_window(order, policies)
    inputs = _inputs(order, policies)
    previous = journal.last_run(database, order.project.name)
    is_upgraded = previous is not None and bool(differing_tools(previous.inputs, inputs.values))
    # What was skipped must be told, and what other tools make be compared: so the source must be read.
    if order.reuse and not order.skip_invalid and not is_upgraded:
        tell("comparing inputs", 0, None)
        known = journal.reuse(database, inputs)
        if known is not None:
            return Recorded(known, [], [])
    with suppress(PartFailed):
        return _record(database, order, inputs, previous, tell, order.jobs)
    return _record(database, order, inputs, previous, tell, jobs=1)


def _record(
    database: Database, order: Order, inputs: Inputs, previous: Run | None, tell: Progress, jobs: int
) -> Recorded:
    with Spool() as spool:
        as_of = _spool(order, spool, tell, jobs)
        inputs = replace(inputs, values={**inputs.values, "as_of": as_of.isoformat()})
        if previous and not order.accept_upgrade:
            _refuse_changes_by_tools(database, previous, inputs, spool)
        sealed = journal.record(database, inputs, spool, tell)
    notices = order.source.notices() if isinstance(order.source, Reporting) else []
    return Recorded(sealed, order.source.skipped, notices)


def _refuse_changes_by_tools(database: Database, previous: Run, inputs: Inputs, spool: Spool) -> None:
    tools = differing_tools(previous.inputs, inputs.values)
    if tools and is_same_input(previous.inputs, inputs.values):
        changed = journal.would_change(database, previous, spool)
        if changed:
            raise ChangedByUpgrade(previous.project, previous.run, tools, changed)


def _spool(order: Order, spool: Spool, tell: Progress, jobs: int) -> date:
    """Simulate into the spool; the simulators' today."""
    tell("reading", 0, None)
    with Crew(order.source, order.project, order.window, jobs) as crew:
        census = crew.census()
        as_of = order.as_of or census.newest_day or _NOTHING_HAPPENED
        plan = Plan(seed=order.seed, as_of=as_of, provenance=_provenance(order.source))
        tally = crew.spool(spool, plan, lambda count: tell("simulating", count, census.pull_requests))
    spool.add(plan.encoded(of_people(census, tally, seed=order.seed, as_of=as_of)))
    return as_of


def _provenance(source: Source) -> dict[str, str]:
    versions = "".join(f" {name}/{version}" for name, version in sorted(source.versions.items()))
    return {name: f"{name}/{version}{versions}" for name, version in GENERATORS.items()}


def _policies(order: Order) -> Mapping[str, Policy]:
    """Return each kind's policy for this run; `fresh` makes every kind `exact`."""
    policies = ENGINEERING.policies({**order.project.policy, **order.policies})
    return dict.fromkeys(policies, Policy.EXACT) if order.fresh else policies


def _check_window(order: Order, policies: Mapping[str, Policy]) -> None:
    if order.since and order.until and order.since >= order.until:
        raise Misuse("--since is not before --until", "the window is [since, until)")
    if order.as_of and order.as_of.year < _EARLIEST_YEAR:
        raise Misuse(f"--as-of {order.as_of} is before {_EARLIEST_YEAR}", "no source tells of anything earlier")
    if order.window.is_open:
        return
    if order.fresh:
        raise Misuse(
            "--fresh cannot be combined with a window (--since, --until, max_prs): everything outside the window would "
            "be dropped",
            "leave out --fresh or the window",
        )
    exact = [kind for kind, policy in policies.items() if policy is Policy.EXACT]
    if exact:
        raise Misuse(
            f"a window (--since, --until, max_prs) says nothing of what lies outside it, and {exact[0]} is exact",
            f"record without the window, or with --policy {exact[0]}=upsert",
        )


def _inputs(order: Order, policies: Mapping[str, Policy]) -> Inputs:
    window = order.window
    values: dict[str, Any] = {
        "source": order.source.name,
        "source_digest": order.source.digest(),
        "repositories": list(order.source.repositories),
        "seed": order.seed,
        "as_of": order.as_of.isoformat() if order.as_of else None,
        "since": window.since.isoformat() if window.since else None,
        "until": window.until.isoformat() if window.until else None,
        "skip_invalid": order.skip_invalid,
        "fresh": order.fresh,
        "settings": order.project.recorded(),
        "generators": GENERATORS,
        "versions": {**order.source.versions, **_versions()},
    }
    if isinstance(order.source, Fetched):
        values["completeness"] = order.source.completeness()
    named = {kind: str(policy) for kind, policy in policies.items()}
    fingerprint = hashlib.sha256(canonical_bytes({**values, "policies": named})).digest()
    return Inputs(
        project=order.project.name,
        policies=policies,
        window=not window.is_open,
        values=values,
        fingerprint=fingerprint,
    )


def _versions() -> dict[str, str]:
    """What events depend on besides the source: seedjournal itself, by version and code, and what it rests on."""
    try:
        own = version("seedjournal")
    except PackageNotFoundError:
        own = "0"
    return {
        "msgspec": msgspec.__version__,
        "orjson": orjson.__version__,
        "python": platform.python_version(),
        "seedjournal": f"{own}+{_code_digest()[:_SHORT]}",
        "unicode": unicodedata.unidata_version,
    }


@cache
def _code_digest() -> str:
    """A digest of the code that decides what events say."""
    digest = hashlib.sha256()
    for room in ("simulators", "journal"):
        files = [
            file
            for file in _python_files(resources.files(f"seedjournal.{room}"))
            if room == "simulators" or file[0] in _FORMAT
        ]
        for name, text in sorted(files):
            digest.update(f"{room}/{name}\n{len(text)}\n".encode() + text)
    return digest.hexdigest()


_FORMAT = {"event.py", "vocabulary.py"}


def _python_files(folder: Any) -> Iterator[tuple[str, bytes]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _python_files(entry)
        elif entry.name.endswith(".py"):
            yield entry.name, entry.read_bytes()

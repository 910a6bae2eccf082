"""`record`: projects, each by itself, into the journal."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from seedjournal import journal as j
from seedjournal.journal import Database, Misuse, Policy, Unavailable
from seedjournal.simulators import Order, make_project, parse_setting
from seedjournal.simulators import record as record_order

from .. import settings as config
from ..failures import Failure, explain
from ..registry import REGISTRY
from ..sources import open_source
from .documents import FORMAT, Document, Tell, window_of
from .place import Place, opened_journal


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordChoice:
    """What to record, as the command line says it."""

    projects: tuple[str, ...] = ()
    every: bool = False
    source: str | None = None
    new: bool = False
    seed: int = 42
    as_of: date | None = None
    since: date | None = None
    until: date | None = None
    sets: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()
    fresh: bool = False
    reuse: bool = True
    skip_invalid: bool = False
    jobs: int = 1
    accept_upgrade: bool = False
    offline: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """A document, and what was raised for those projects that failed while others went on."""

    document: Document
    failures: list[tuple[Exception, Failure]] = field(default_factory=list)


def record(place: Place, choice: RecordChoice, tell: Callable[[str], Tell]) -> Outcome:
    """Record the chosen projects, each by itself; `tell` gives a project's progress."""
    settings = config.load()
    names = chosen_projects(settings, choice)
    policies = _policies(choice.policies)
    sets = dict(parse_setting(text) for text in choice.sets)
    if not choice.new:
        refuse_unknown(place, settings, names)
    runs: list[Document] = []
    errors: list[Document] = []
    outcome = Outcome({"format": FORMAT, "runs": runs})
    with opened_journal(place, settings, create=True) as database:
        for name in names:
            given = {**config.project_settings(settings, name), **sets}
            try:
                runs.append(_record_one(database, name, given, policies, choice, tell(name)))
            except Exception as error:
                if len(names) == 1:
                    raise
                failure = explain(error)
                outcome.failures.append((error, failure))
                errors.append({"project": name, **failure.document})
    if errors:
        outcome.document["errors"] = errors
    return outcome


def refuse_unknown(place: Place, settings: config.Settings, names: Sequence[str]) -> None:
    """Raise Misuse for a name that nobody knows, before there is a journal that a mistyped name would leave behind."""
    unknown = [name for name in names if not config.is_known(settings, name)]
    if not unknown:
        return
    try:
        with opened_journal(place, settings, create=False) as database, database.read() as connection:
            recorded = set(j.newest_of_each(connection))
    except Unavailable:  # there is none yet; whatever else is wrong with it is told when it is made
        recorded = set()
    for name in unknown:
        if name not in recorded:
            raise config.unknown_project(settings, name, recorded)


def _record_one(
    database: Database,
    name: str,
    given: Mapping[str, Any],
    policies: Mapping[str, Policy],
    choice: RecordChoice,
    tell: Tell,
) -> Document:
    started = time.monotonic()
    project = make_project(name, given, f"project {name}")
    source = open_source(project, choice, tell)
    order = Order(
        project=project,
        source=source,
        seed=choice.seed,
        as_of=choice.as_of or getattr(source, "as_of", None),
        since=choice.since,
        until=choice.until,
        policies=policies,
        fresh=choice.fresh,
        reuse=choice.reuse,
        skip_invalid=choice.skip_invalid,
        jobs=choice.jobs,
        accept_upgrade=choice.accept_upgrade,
    )
    done = record_order(database, order, tell)
    run = done.sealed.run
    previous = done.sealed.previous
    changed = j.changed_inputs(previous, run) if previous else {}
    return {
        "project": name,
        "run": run.run,
        "root": run.root.hex(),
        "state": run.state.hex(),
        "reused": done.sealed.reused,
        "appended": done.sealed.appended,
        "counts": run.totals,
        "kinds": {kind: run.counts["kinds"].get(kind, dict.fromkeys(run.totals, 0)) for kind in j.ENGINEERING.by_name},
        "kept_fields": run.counts["kept_fields"],
        "previous": previous.run if previous else None,
        "inputs_changed": {name: {"old": old, "new": new} for name, (old, new) in changed.items()},
        "window": window_of(run),
        "completeness": run.inputs.get("completeness", {}),
        "notices": done.notices,
        "skipped": len(done.skipped),
        "skipped_entries": [{"file": one.file, "entry": one.entry, "reason": one.reason} for one in done.skipped],
        "seconds": round(time.monotonic() - started, 3),
    }


def chosen_projects(settings: config.Settings, choice: RecordChoice) -> list[str]:
    """The names of the projects to work on, each once; raises Misuse where none is chosen."""
    if choice.every and choice.projects:
        raise Misuse("--all and --project exclude each other", "use one of them")
    if choice.every:
        return list(settings.projects or REGISTRY)
    if not choice.projects:
        raise Misuse(
            "nothing to record", "--project NAME, or --all; `seedjournal registry` lists the built-in projects"
        )
    return list(dict.fromkeys(choice.projects))


def _policies(texts: Sequence[str]) -> dict[str, Policy]:
    chosen: dict[str, Policy] = {}
    for text in texts:
        kind, equals, policy = text.partition("=")
        if not equals or policy not in set(Policy):
            raise Misuse(f"--policy {text!r} is not KIND=POLICY", "the policies are once, upsert and exact")
        j.ENGINEERING[kind]
        chosen[kind] = Policy(policy)
    return chosen

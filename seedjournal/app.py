"""The commands' use cases: plain functions from choices to result documents, the same that `--json` prints.

Nothing here prints; progress goes to the `tell` that the caller gives.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

import journal as j
import projectors
from journal import Database, Misuse, Policy, Run, Unavailable
from simulators import Order, make_project, parse_setting
from simulators import record as record_order

from . import settings as config
from .failures import Failure, explain
from .registry import REGISTRY
from .sources import open_source

Tell = Callable[[str, int, int | None], None]
Document = dict[str, Any]

FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Which databases a command works on, and how long it waits for a busy one."""

    journal: str | None = None
    target: str | None = None
    wait: int = j.DEFAULT_WAIT
    schema: str | None = None


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


@dataclass(frozen=True, slots=True)
class Outcome:
    """A document, and what was raised for those projects that failed while others went on."""

    document: Document
    failures: list[tuple[Exception, Failure]] = field(default_factory=list)


def record(place: Place, choice: RecordChoice, tell: Callable[[str], Tell]) -> Outcome:
    """Record the chosen projects, each by itself; `tell` gives a project's progress."""
    settings = config.load()
    names = _chosen_projects(settings, choice)
    policies = _policies(choice.policies)
    sets = dict(parse_setting(text) for text in choice.sets)
    if not choice.new:
        _refuse_unknown(place, settings, names)
    runs: list[Document] = []
    errors: list[Document] = []
    outcome = Outcome({"format": FORMAT, "runs": runs})
    with _journal(place, settings, create=True) as database:
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


def _refuse_unknown(place: Place, settings: config.Settings, names: Sequence[str]) -> None:
    """Raise Misuse for a name that nobody knows, before there is a journal that a mistyped name would leave behind."""
    unknown = [name for name in names if not config.is_known(settings, name)]
    if not unknown:
        return
    try:
        with _journal(place, settings, create=False) as database, database.read() as connection:
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
    source = open_source(
        choice.source or project.source or "github",
        project,
        named=choice.source is not None,
        seed=choice.seed,
        as_of=choice.as_of,
        skip_invalid=choice.skip_invalid,
    )
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
        "kinds": run.counts["kinds"],
        "kept_fields": run.counts["kept_fields"],
        "previous": previous.run if previous else None,
        "inputs_changed": {name: {"old": old, "new": new} for name, (old, new) in changed.items()},
        "window": window_of(run),
        "skipped": len(done.skipped),
        "skipped_entries": [{"file": one.file, "entry": one.entry, "reason": one.reason} for one in done.skipped],
        "seconds": round(time.monotonic() - started, 3),
    }


def project(
    place: Place,
    names: Sequence[str],
    run: str | None,
    choice: projectors.Choice,
    tell: Callable[[str], Tell],
    say: Callable[[str], None],
) -> Document:
    """Bring the target to the chosen projects' newest runs, or to one run; `say` hears the target's address first."""
    started = time.monotonic()
    settings = config.load()
    where = config.addresses(settings, place.journal, place.target)
    if run is not None and len(names) > 1:
        raise Misuse("--run names a run of one project", "give one --project, or none")
    with _opened(where.journal, place, j.JOURNAL_HISTORY, create=False) as source:
        with source.read() as connection:
            runs = _runs_to_project(connection, names, run)
        with _target(where, place, create=not choice.dry_run) as target:
            shown = target.shown if target else where.target  # a file's address has no password
            say(shown + (f" (schema {place.schema})" if place.schema else ""))
            if target and not choice.dry_run:
                j.ensure(target, projectors.TARGET_HISTORY, create=True)
            made = target if target and _is_made(target) else None
            done = [
                projectors.project(source, made, one, choice, tell(one.project))
                if made
                else projectors.preview(source, one, choice)
                for one in runs
            ]
    return {
        "format": FORMAT,
        "target": shown,
        "dry_run": choice.dry_run,
        "projects": {one.run.project: _projected(one) for one in done},
        "seconds": round(time.monotonic() - started, 3),
    }


def _projected(done: projectors.Projected) -> Document:
    return {
        "run": done.run.run,
        "root": done.run.root.hex(),
        "state": done.run.state.hex(),
        "window": window_of(done.run),
        "other_journal": done.other_journal,
        "kept_fields": dict(done.kept_fields),
        "kinds": {kind: asdict(result) for kind, result in done.kinds.items()},
    }


@dataclass(slots=True)
class Comparison:
    """Two runs and what separates them; the changes are a stream, and the counts fill while it is read."""

    old: Run
    new: Run
    changes: Iterator[j.EntityChange]
    kinds: dict[str, dict[str, int]] = field(default_factory=dict)
    left_out: int = 0
    last_different: tuple[Run, Run] | None = None

    @property
    def equal(self) -> bool:
        """Whether both runs state the same."""
        return self.old.root == self.new.root

    @property
    def shown(self) -> int:
        """How many changes passed the filters, those left out included."""
        return sum(sum(counts.values()) for counts in self.kinds.values())


@contextmanager
def diff(
    place: Place,
    names: Sequence[str],
    project_name: str | None,
    *,
    kinds: Sequence[str],
    changes: Sequence[str],
    limit: int | None,
) -> Iterator[Comparison]:
    """The difference of two runs: of those named, or of the project's last two."""
    settings = config.load()
    for kind in kinds:
        j.ENGINEERING[kind]
    with _journal(place, settings, create=False) as database, database.read() as connection:
        old, new = _two_runs(connection, names, project_name)
        if project_name not in {None, new.project}:
            raise Misuse(
                f"run {new.run} is one of project {new.project!r}, not {project_name!r}", "leave --project out"
            )
        comparison = Comparison(old, new, iter(()))
        if comparison.equal and not names:
            comparison.last_different = j.last_different(connection, new.project)
        comparison.changes = _filtered(
            j.compare(connection, old, new, set(kinds) or None), comparison, set(changes) or set(j.CHANGES), limit
        )
        yield comparison


def _filtered(
    found: Iterator[j.EntityChange], comparison: Comparison, wanted: set[str], limit: int | None
) -> Iterator[j.EntityChange]:
    given = 0
    for one in found:
        if one.change not in wanted:
            continue
        counts = comparison.kinds.setdefault(one.kind, dict.fromkeys(j.CHANGES, 0))
        counts[one.change] += 1
        if limit is None or given < limit:
            given += 1
            yield one
        else:
            comparison.left_out += 1


def log(place: Place, project_name: str | None) -> Document:
    """The journal's runs, oldest first."""
    with _journal(place, config.load(), create=False) as database, database.read() as connection:
        runs = j.all_runs(connection, project_name)
        if project_name is not None and not runs:
            raise _no_runs(connection, project_name)
    return {"format": FORMAT, "runs": [{**run_document(run), **run.totals} for run in runs]}


def names_run(what: Sequence[str]) -> bool:
    """Whether `show` is asked for a run: for anything but a kind and its key."""
    return len(what) == 1 and what[0] not in j.ENGINEERING.by_name


def show_run(place: Place, name: str) -> Document:
    """One run with its inputs and provenance."""
    with _journal(place, config.load(), create=False) as database, database.read() as connection:
        run = j.find_run(connection, name)
        previous = j.before(connection, run)
    return {
        "format": FORMAT,
        **run_document(run),
        "previous": previous.run if previous else None,
        "fingerprint": run.fingerprint.hex(),
        "appended": run.counts["appended"],
        "counts": run.totals,
        "kinds": run.counts["kinds"],
        "kept_fields": run.counts["kept_fields"],
        "window": window_of(run),
        "inputs": run.inputs,
    }


def show_entity(place: Place, kind_name: str, parts: Sequence[str]) -> Document:
    """One entity: its content over the runs, and what made each content."""
    kind = j.ENGINEERING[kind_name]
    key = _key(kind, parts)
    with _journal(place, config.load(), create=False) as database, database.read() as connection:
        stated = j.history(connection, kind_name, j.canonical_key(key))
        if not stated:
            raise Misuse(
                f"no run states a {kind_name} {' '.join(parts)}",
                f"a {kind_name}'s key is {', '.join(kind.key)}; `seedjournal diff` prints keys",
            )
        return {
            "format": FORMAT,
            "kind": kind_name,
            "key": key,
            "contents": [
                {
                    "project": one.project,
                    "runs": [run.run for run in one.runs],
                    "in_state_of": [run.run for run in one.in_state_of],
                    "hash": one.content.hash.hex(),
                    "provenance": one.provenance,
                    "seed": one.runs[0].inputs["seed"] if one.runs else None,
                    "versions": one.runs[0].inputs["versions"] if one.runs else None,
                    "data": dict(j.decode(one.content.text).data),
                }
                for one in stated
            ],
        }


def verify(place: Place, tell: Tell) -> Document:
    """Check the journal and, where the target has a position, its rows."""
    settings = config.load()
    where = config.addresses(settings, place.journal, place.target)
    listed: Document = {}
    checked = None
    with _opened(where.journal, place, j.JOURNAL_HISTORY, create=False) as database:
        with database.read() as connection:
            findings = list(j.verify(connection, tell))
            events, runs = j.count_events(connection), len(j.stored_seals(connection))
        with _target(where, place, create=False) as target:
            if target and _is_made(target):
                checked = target.shown
                more, listed = _check_target(database, target, tell)
                findings += more
    return {
        "format": FORMAT,
        "ok": not findings,
        "events": events,
        "runs": runs,
        "target": checked,
        "findings": [asdict(one) for one in findings],
        "listed": listed,
    }


def _check_target(database: Database, target: Database, tell: Tell) -> tuple[list[j.Finding], Document]:
    j.ensure(target, projectors.TARGET_HISTORY, create=False)
    with target.read() as rows:
        if database.is_same(target):
            return list(projectors.check(rows, rows, tell)), projectors.listed(rows)
        with database.read() as connection:
            return list(projectors.check(connection, rows, tell)), projectors.listed(rows)


def registry() -> Document:
    """The built-in projects."""
    return {"format": FORMAT, "projects": [{"name": name, **given} for name, given in REGISTRY.items()]}


def migrate(place: Place) -> Document:
    """Create or upgrade the tables of journal and target."""
    where = config.addresses(config.load(), place.journal, place.target)
    done: list[Document] = []
    for name, address, history, schema in (
        ("journal", where.journal, j.JOURNAL_HISTORY, None),
        ("target", where.target, projectors.TARGET_HISTORY, place.schema),
    ):
        database = j.open_database(address, create=True, wait=place.wait, schema=schema)
        try:
            before, after = j.migrate(database, history)
        finally:
            database.engine.dispose()
        done.append({"what": name, "database": database.shown, "from": before, "to": after})
    return {"format": FORMAT, "migrated": done}


def run_document(run: Run) -> Document:
    """A run as `log` lists it."""
    return {
        "run": run.run,
        "project": run.project,
        "root": run.root.hex(),
        "state": run.state.hex(),
        "seed": run.inputs["seed"],
        "as_of": run.inputs["as_of"],
        "total": run.totals["total"],
        "sealed_at": run.sealed_at,
    }


def window_of(run: Run) -> Document | None:
    """The window that a run was recorded with; it says nothing of what lies outside."""
    if not run.inputs["window"]:
        return None
    return {
        "since": run.inputs["since"],
        "until": run.inputs["until"],
        "max_prs": run.inputs["settings"]["max_prs"],
    }


@contextmanager
def _opened(
    address: str, place: Place, history: j.History, *, create: bool, schema: str | None = None
) -> Iterator[Database]:
    database = j.open_database(address, create=create, wait=place.wait, schema=schema)
    try:
        j.ensure(database, history, create=create)
        yield database
    finally:
        database.engine.dispose()


@contextmanager
def _journal(place: Place, settings: config.Settings, *, create: bool) -> Iterator[Database]:
    address = config.addresses(settings, place.journal, place.target).journal
    with _opened(address, place, j.JOURNAL_HISTORY, create=create) as database:
        yield database


@contextmanager
def _target(where: config.Addresses, place: Place, *, create: bool) -> Iterator[Database | None]:
    """The target; None where it is a file that is not there and not to be made."""
    if not create and config.is_missing_file(where.target):
        yield None
        return
    database = j.open_database(where.target, create=create, wait=place.wait, schema=place.schema)
    try:
        yield database
    finally:
        database.engine.dispose()


def _is_made(database: Database) -> bool:
    with database.read() as connection:
        return j.is_present(connection, projectors.TARGET_HISTORY)


def _chosen_projects(settings: config.Settings, choice: RecordChoice) -> list[str]:
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


def _runs_to_project(connection: Any, names: Sequence[str], run: str | None) -> list[Run]:
    if run is not None:
        found = j.find_run(connection, run)
        if names and found.project != names[0]:
            raise Misuse(
                f"run {found.run} is one of project {found.project!r}, not {names[0]!r}", "leave --project out"
            )
        return [found]
    newest = j.newest_of_each(connection)
    if not newest:
        raise Misuse("the journal has no runs", "`seedjournal record` makes the first")
    for name in names:
        if name not in newest:
            raise _no_runs(connection, name)
    return [newest[name] for name in (dict.fromkeys(names) or newest)]


def _two_runs(connection: Any, names: Sequence[str], project_name: str | None) -> tuple[Run, Run]:
    if len(names) == 2:  # noqa: PLR2004 - two runs
        old, new = (j.find_run(connection, name) for name in names)
        if old.project != new.project:
            raise Misuse(
                f"run {old.run} is one of {old.project!r} and run {new.run} of {new.project!r}",
                "compare two runs of one project",
            )
        return old, new
    if len(names) == 1:
        old = j.find_run(connection, names[0])
        newest = j.newest(connection, old.project)
        return old, newest or old
    projects = list(j.newest_of_each(connection))
    if project_name is None:
        if len(projects) > 1:
            raise Misuse("the journal has several projects", f"--project NAME, of {', '.join(projects)}")
        if not projects:
            raise Misuse("the journal has no runs", "`seedjournal record` makes the first")
        project_name = projects[0]
    runs = j.all_runs(connection, project_name)
    if not runs:
        raise _no_runs(connection, project_name)
    if len(runs) == 1:
        raise Misuse(f"project {project_name!r} has one run, and nothing to compare it with", "record it again")
    return runs[-2], runs[-1]


def _no_runs(connection: Any, name: str) -> Misuse:
    projects = ", ".join(j.newest_of_each(connection))
    return Misuse(
        f"project {name!r} has no run in this journal",
        f"the journal has runs of {projects}" if projects else "`seedjournal record` makes the first",
    )


def _key(kind: j.Kind, parts: Sequence[str]) -> dict[str, str | int]:
    if len(parts) != len(kind.key):
        raise Misuse(
            f"a {kind.name}'s key is {', '.join(kind.key)}; {len(parts)} given",
            f"seedjournal show {kind.name} {_places(kind)}",
        )
    numbers = {"number", *(one.name for one in kind.fields if one.type in {j.Type.INTEGER, j.Type.BIGINT})}
    key: dict[str, str | int] = {}
    for name, part in zip(kind.key, parts, strict=True):
        if name in numbers:
            if not (part.isascii() and part.isdigit()):
                raise Misuse(f"{name} is a number, not {part!r}", f"seedjournal show {kind.name} {_places(kind)}")
            key[name] = int(part)
        else:
            key[name] = part
    return key


def _places(kind: j.Kind) -> str:
    return " ".join(name.upper() for name in kind.key)

"""`project`: tables to the state of runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from seedjournal import journal as j
from seedjournal import projectors
from seedjournal.journal import Misuse, Run

from .. import settings as config
from .documents import FORMAT, Document, Tell, no_runs, window_of
from .place import Place, layout, opened, opened_target


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
    with opened(where.journal, place, j.JOURNAL_HISTORY, create=False) as source:
        with source.read() as connection:
            runs = _runs_to_project(connection, names, run)
        with opened_target(where, place, create=not choice.dry_run) as target:
            shown = target.shown if target else where.target  # a file's address has no password
            say(shown + (f" (schema {place.schema})" if place.schema else ""))
            if target and not choice.dry_run:
                projectors.ensure_target(target, layout())
            made = target if target and (not choice.dry_run or projectors.is_ready(target, layout())) else None
            done = [
                projectors.project(source, made, layout(), one, choice, tell(one.project))
                if made
                else projectors.preview(source, layout(), one)
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
        "forgotten": done.forgotten,
        "kept_fields": dict(done.kept_fields),
        "kinds": {kind: asdict(result) for kind, result in done.kinds.items()},
    }


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
            raise no_runs(connection, name)
    return [newest[name] for name in (dict.fromkeys(names) or newest)]

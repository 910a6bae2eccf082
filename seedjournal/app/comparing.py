"""`diff`: what separates two runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from seedjournal import journal as j
from seedjournal.journal import Misuse, Run

from .. import settings as config
from .documents import no_runs
from .place import Place, opened_journal


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
    with opened_journal(place, settings, create=False) as database, database.read() as connection:
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
        raise no_runs(connection, project_name)
    if len(runs) == 1:
        raise Misuse(f"project {project_name!r} has one run, and nothing to compare it with", "record it again")
    return runs[-2], runs[-1]

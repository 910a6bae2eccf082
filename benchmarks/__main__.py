"""`make bench`: measure the whole table, print it, and keep every sample."""

from __future__ import annotations

import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from . import datasets
from .course import Course
from .databases import makes
from .datasets import DataSet
from .options import Options, read_options
from .results import describe, headline, save, steps_document
from .rows import FLAT, MAIN_JOB, ROWS, Figure, Row, figure
from .stages import STAGES
from .table import steps, table

MAKES = ("SQLite", "PostgreSQL")


def main() -> int:
    """Measure what the environment asks for."""
    options = read_options()
    plan = chosen(options)
    started = time.monotonic()

    def tell(step: str) -> None:
        print(f"{time.monotonic() - started:7.0f} s  {step}", file=sys.stderr, flush=True)

    with (
        tempfile.TemporaryDirectory(prefix="seedjournal-bench-") as folder,
        makes(Path(folder), _matching(MAKES, options.only)) as ready,
    ):
        document = describe(options, ready)
        print(f"{headline(document)}\n", flush=True)
        for data, rows in plan:
            figures: dict[str, dict[str, Figure]] = {}
            parts = []
            for make in ready:
                course = Course(make, data, Path(folder), tell, repeats=options.repeats)
                figures[make.name] = measure(course, rows)
                parts.append(steps(course))
                document["sets"].setdefault(data.name, {})[make.name] = {
                    "rows": {name: one.document for name, one in figures[make.name].items()},
                    "steps": steps_document(course),
                }
                file = save(document, options.results)
                course.drop()
            print("\n".join((table(data.name, rows, figures), *parts)), flush=True)
        print(f"every sample is in {file}")
    return 0


def chosen(options: Options) -> list[tuple[DataSet, Sequence[Row]]]:
    """Return the data sets, each with the rows to measure on it; exit where none is left."""
    rows = (*ROWS, FLAT) if options.flat else ROWS
    sets: list[tuple[DataSet, Sequence[Row]]] = [(datasets.demo(options.events), rows)]
    if options.cache:
        sets.append((datasets.real(options.cache), rows))
    most = datasets.pull_requests_for(options.events)
    is_as_large = options.cache is not None or most >= datasets.SEED_SYSTEM
    main_job = MAIN_JOB if is_as_large else [replace(row, most=None) for row in MAIN_JOB]
    sets.append((datasets.like_the_seed_systems(options.cache, most), main_job))
    names = [data.name for data, _ in sets]
    own_rows = [row.name for _, own in sets for row in own]
    for word in options.only:
        if not any(word in name.lower() for name in (*MAKES, *names, *own_rows)):
            raise SystemExit(f"BENCH_ONLY: no make, data set or row has {word!r} in its name")
    names, wanted = _matching(names, options.only), _matching(own_rows, options.only)
    left = ((data, [row for row in own if row.name in wanted]) for data, own in sets if data.name in names)
    plan: list[tuple[DataSet, Sequence[Row]]] = [(data, own) for data, own in left if own]
    if not plan:
        raise SystemExit("BENCH_ONLY: no data set has any of these rows")
    return plan


def measure(course: Course, rows: Sequence[Row]) -> dict[str, Figure]:
    """Run the stages that the rows need on one make, each once; the figures by row."""
    own = [row for row in rows if course.make.name in row.makes]
    needed = {stage for row in own for stage in row.stages}
    for stage in STAGES:
        if stage in needed:
            stage(course)
    found = {row.name: figure(row, course) for row in own}
    return {name: one for name, one in found.items() if one}


def _matching(names: Sequence[str], words: Sequence[str]) -> list[str]:
    """Return the names in which any of the words occurs; all of them where no word occurs in any."""
    return [name for name in names if any(word in name.lower() for word in words)] or list(names)


def _stop(number: int, _: object) -> NoReturn:
    sys.exit(128 + number)


if __name__ == "__main__":
    for stopping in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stopping, _stop)  # so that no server and no database is left behind
    sys.exit(main())

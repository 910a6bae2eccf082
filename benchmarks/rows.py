"""The table's rows: each says what it is called, which stages measure it, its figure and its target."""

from __future__ import annotations

import operator
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from . import stages as s
from .course import Course, Samples

Stage = Callable[[Course], None]
Figures = Callable[[Samples], list[float]]

_KEPT = 1.1  # memory that grows by no more than this is flat: pages and caches fill a little more


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table, for each make.

    `figures` gives a figure for each repeat, none where the data set has no such thing. The median is held against
    `least` or `most`, whichever is there.
    """

    name: str
    stages: tuple[Stage, ...]
    figures: Figures
    unit: str = ""
    least: float | None = None
    most: float | None = None
    note: Callable[[Course], str] | None = None
    makes: tuple[str, ...] = ("SQLite", "PostgreSQL")

    @property
    def target(self) -> str:
        """The target as people read it."""
        if self.least is not None:
            return f"≥ {self.least:,g}{self.unit}"
        return f"≤ {self.most:,g}{self.unit}" if self.most is not None else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """What a row came to on one make: the figures of the repeats, and whether their median reaches the target.

    `by_cpu` is what the median would be if CPU time were wall time: a busy machine moves it less.
    """

    values: list[float]
    by_cpu: float
    reached: bool | None
    note: str = ""

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.values)

    @property
    def document(self) -> dict[str, Any]:
        """The figure as it is saved."""
        spread = {"median": self.median, "min": min(self.values), "max": max(self.values)}
        return {**spread, "values": self.values, "by_cpu": self.by_cpu, "reached": self.reached, "note": self.note}


def figure(row: Row, course: Course) -> Figure | None:
    """Return a row's figure; None where there is none."""
    if course.make.name not in row.makes:
        return None
    values = row.figures(course.samples)
    if not values:
        return None
    middle = statistics.median(values)
    reached = None
    if row.least is not None:
        reached = middle >= row.least
    elif row.most is not None:
        reached = middle <= row.most
    by_cpu = statistics.median(row.figures(course.samples.in_cpu()))
    return Figure(values=values, by_cpu=by_cpu, reached=reached, note=row.note(course) if row.note else "")


def over_median(samples: Samples, step: str, other: str) -> list[float]:
    """Return a step's wall times over the median of another's: the two were not measured side by side."""
    if not samples.by_step[other]:
        return []
    middle = statistics.median(samples.seconds(other))
    return [seconds / middle for seconds in samples.seconds(step)]


def _less_reading(samples: Samples) -> list[float]:
    return list(map(operator.sub, samples.seconds(s.AGAIN), samples.seconds(s.DIGEST)))


def _together(samples: Samples, steps: Sequence[str]) -> list[float]:
    return [sum(taken) for taken in zip(*map(samples.seconds, steps), strict=True)]


def _on_disk(samples: Samples) -> list[float]:
    return list(map(operator.truediv, samples.facts(s.DISK, "size"), samples.facts(s.DISK, "canonical")))


def _flatness(samples: Samples) -> list[float]:
    return [peak / samples.highest_peak()[0] for peak in samples.peaks(s.THREEFOLD)]


_EVERY_STEP = (s.append, s.again, s.no_reuse, s.project, s.project_again, s.changes, s.verify)

FLAT = Row(
    name="peak memory at three times the events",
    stages=(*_EVERY_STEP, s.threefold),
    figures=_flatness,
    most=_KEPT,
    note=lambda course: "at three times the events " + ", ".join(
        f"{peak:,.0f} MB in {step}"
        for sample in course.samples.by_step[s.THREEFOLD]
        for step, peak in sample.facts.items()
    ),
)  # fmt: skip

ROWS = (
    Row(
        name="record, cold: rate / append floor's",
        stages=(s.append,),
        figures=lambda samples: samples.ratios(s.APPEND_FLOOR, s.COLD),
        least=0.5,
    ),
    Row(
        name="append alone: rate / append floor's",
        stages=(s.append,),
        figures=lambda samples: samples.ratios(s.APPEND_FLOOR, s.APPEND),
        least=0.8,
    ),
    Row(
        name="journal on disk / canonical bytes",
        stages=(s.disk,),
        figures=_on_disk,
        most=2,
    ),
    Row(
        name="record again, less reading the source",
        stages=(s.again,),
        figures=_less_reading,
        unit=" s",
        most=1,
    ),
    Row(
        name="  rows stored",
        stages=(s.again,),
        figures=lambda samples: samples.facts(s.AGAIN, "rows"),
        most=1,
    ),
    Row(
        name="record again, --no-reuse: rate / cold's",
        stages=(s.append, s.no_reuse),
        figures=lambda samples: [1 / ratio for ratio in over_median(samples, s.NO_REUSE, s.COLD)],
        least=2,
    ),
    Row(
        name="  rows stored, the run's own",
        stages=(s.no_reuse,),
        figures=lambda samples: samples.facts(s.NO_REUSE, "rows"),
        most=1,
    ),
    Row(
        name="project, cold: time / restore floor's",
        stages=(s.project,),
        figures=lambda samples: samples.ratios(s.PROJECT, s.RESTORE_FLOOR),
        most=1.5,
        note=lambda course: f"restored by {course.make.restorer()}",
    ),
    Row(
        name="project, cold, into tables of others: time / COPY's",
        stages=(s.others,),
        figures=lambda samples: samples.ratios(s.OTHERS, s.COPY_FLOOR),
        most=2.5,
        makes=("PostgreSQL",),
    ),
    Row(
        name="project again, nothing new",
        stages=(s.project_again,),
        figures=lambda samples: samples.seconds(s.PROJECT_AGAIN),
        unit=" s",
        most=0.5,
    ),
    Row(
        name="record, 100 changed: time / no-reuse's",
        stages=(s.changes,),
        figures=lambda samples: samples.ratios(s.CHANGED, s.CHANGED_NO_REUSE),
        most=1.2,
        note=lambda course: f"{max(course.samples.facts(s.CHANGED, 'changed')):.0f} entities changed",
    ),
    Row(
        name="  events stored",
        stages=(s.changes,),
        figures=lambda samples: samples.facts(s.CHANGED, "stored events"),
        most=100,
    ),
    Row(
        name="  nodes stored, run's and state's",
        stages=(s.changes,),
        figures=lambda samples: samples.facts(s.CHANGED, "stored nodes"),
        most=1000,
    ),
    Row(
        name="project a run with 100 changes",
        stages=(s.changes,),
        figures=lambda samples: samples.seconds(s.PROJECT_CHANGED),
        unit=" s",
        most=1,
    ),
    Row(
        name="diff of two runs, 100 changes",
        stages=(s.changes,),
        figures=lambda samples: samples.seconds(s.DIFF),
        unit=" s",
        most=0.3,
    ),
    Row(
        name="  its peak memory",
        stages=(s.changes,),
        figures=lambda samples: samples.peaks(s.DIFF),
        unit=" MB",
        most=100,
    ),
    Row(
        name="seedjournal --help: CPU, best of 5",
        stages=(s.start_up,),
        figures=lambda samples: [min(samples.cpu(s.HELP))],
        unit=" s",
        most=0.15,
        makes=("SQLite",),
    ),
    Row(
        name="seedjournal log: CPU, best of 5",
        stages=(s.start_up,),
        figures=lambda samples: [min(samples.cpu(s.LOG))],
        unit=" s",
        most=0.35,
        makes=("SQLite",),
    ),
    Row(
        name="growth of record, cold: time / a tenth's",
        stages=(s.append, s.growth),
        figures=lambda samples: over_median(samples, s.COLD, s.TENTH_COLD),
        most=11,
    ),
    Row(
        name="growth of project, cold: time / a tenth's",
        stages=(s.project, s.growth),
        figures=lambda samples: over_median(samples, s.PROJECT, s.TENTH_PROJECT),
        most=11,
    ),
    Row(
        name="peak memory of any step",
        stages=_EVERY_STEP,
        figures=lambda samples: [samples.highest_peak()[0]],
        unit=" MB",
        most=350,
        note=lambda course: f"the highest was {course.samples.highest_peak()[1]}",
    ),
)

# Of a project as large as the one that the seed system was timed with; a thirtieth and a fiftieth of its times.
MAIN_JOB = (
    Row(
        name="record and project, first time",
        stages=(s.main_job,),
        figures=lambda samples: _together(samples, s.FIRST),
        unit=" s",
        most=3.1,
    ),
    Row(
        name="record and project, second time",
        stages=(s.main_job,),
        figures=lambda samples: _together(samples, s.SECOND),
        unit=" s",
        most=0.58,
    ),
)

"""The figures as people read them."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from .course import Course
from .rows import Figure, Row

Figures = Mapping[str, Mapping[str, Figure]]  # by make, then by row

_NAME, _TARGET, _CELL = 42, 10, 33
_LARGE, _MIDDLE = 100, 10


def table(title: str, rows: Sequence[Row], figures: Figures) -> str:
    """Return a data set's rows: target, and for each make median, spread and whether it is reached."""
    lines = [
        title,
        "-" * len(title),
        "[in brackets: by CPU seconds, the server's included]",
        f"{'':<{_NAME}}{'target':<{_TARGET}}" + _cells(figures),
    ]
    notes = []
    for row in rows:
        found = {make: figures[make].get(row.name) for make in figures}
        if any(found.values()):
            shown = [_shown(one, row.unit) if one else "" for one in found.values()]
            lines.append(f"{row.name:<{_NAME}}{row.target:<{_TARGET}}{_cells(shown)}")
            notes += [f"{row.name.strip()}, {make}: {one.note}" for make, one in found.items() if one and one.note]
    return "\n".join(line.rstrip() for line in (*lines, *notes)) + "\n"


def steps(course: Course) -> str:
    """Return what each step took, in seconds: a machine's figures, to see where a ratio comes from."""
    by_step = {step: taken for step, taken in course.samples.by_step.items() if any(one.seconds for one in taken)}
    columns = f"{'seconds':>10}{'CPU s':>10}{'server s':>10}{'peak MB':>9}{'events/s':>10}"
    lines = [f"{course.make.name + ', medians':<{_NAME}}{columns}"]
    for step, taken in by_step.items():
        seconds = statistics.median(one.seconds for one in taken)
        cpu = statistics.median(one.cpu for one in taken)
        server = statistics.median(one.server for one in taken)
        peak = f"{max(one.peak for one in taken):,.0f}" if taken[0].whole else ""
        events = taken[0].facts.get("events")
        rate = f"{events / seconds:,.0f}" if events else ""
        lines.append(f"{step:<{_NAME}}{seconds:>10,.2f}{cpu:>10,.2f}{server:>10,.2f}{peak:>9}{rate:>10}".rstrip())
    return "\n".join(lines) + "\n"


def number(value: float) -> str:
    """Return a number with its two or three digits that matter; counts as they are."""
    if value >= _LARGE or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= _MIDDLE else f"{value:.2f}"


def _shown(one: Figure, unit: str) -> str:
    low, high = number(min(one.values)), number(max(one.values))
    spread = f" ({low} to {high})" if low != high else ""
    verdict = {True: " yes", False: " NO", None: ""}[one.reached]
    by_cpu = "" if one.by_cpu == one.median else f" [{number(one.by_cpu)}]"
    return f"{number(one.median)}{unit}{spread}{verdict}{by_cpu}"


def _cells(texts: Figures | Sequence[str]) -> str:
    return "".join(f"{text:<{_CELL}}" for text in texts)

"""Draw what the built-in scenarios do: `python -m benchmarks.scenarios FOLDER` writes one picture for each.

Needs Matplotlib: `pip install --group realism`.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from statistics import fmean
from typing import Any

import orjson

from seedjournal.journal import Spool
from seedjournal.simulators.engineering.census import take_census
from seedjournal.simulators.engineering.demo.source import DEFAULT_AS_OF, RATES, DemoSource
from seedjournal.simulators.engineering.project import SCENARIOS, make_project
from seedjournal.simulators.engineering.simulate import simulate

_SEEDS = 4
_KINDS = frozenset({"pull_request", "pr_survey", "pr_survey_review"})
_SETTINGS: dict[str, Any] = {"prs": 1000, "members": 24, "survey_response_rate": 1.0}
_COLUMNS = ("says AI", "median cycle, hours", "mean quality", "median lines", "at a weekend", "hotfixes", "authors")


def weeks(scenario: str) -> dict[int, dict[str, float]]:
    """Return what is shown of a scenario, by weeks before the end, over some seeds."""
    found: dict[int, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for seed in range(_SEEDS):
        authors: dict[int, set[str]] = defaultdict(set)
        opened: dict[int, int] = {}
        # Pull requests first, as the others belong to theirs.
        for kind, key, data in sorted(_content(scenario, seed), key=lambda one: one[0] != "pull_request"):
            if kind == "pull_request":
                day = date.fromisoformat(data["pr_created_at"][:10])
                week = opened[key["number"]] = (DEFAULT_AS_OF - day).days // 7
                values = {
                    "median lines": data["additions"] + data["deletions"],
                    "at a weekend": day.isoweekday() > 5,  # noqa: PLR2004 - Saturday and Sunday
                    "hotfixes": data["is_hotfix"],
                    "median cycle, hours": data["cycle_time_hours"],
                }
                authors[week].add(data["author"])
            elif kind == "pr_survey":
                values = {"says AI": data["author_ai_assisted"]}
            elif kind == "pr_survey_review":
                values = {"mean quality": data["quality_rating"]}
            else:
                continue
            for column, value in values.items():
                if value is not None:
                    found[opened[key["number"]]][column].append(float(value))
        for week, names in authors.items():
            found[week]["authors"].append(len(names))
    return {week: {name: _middle(name, values) for name, values in row.items()} for week, row in sorted(found.items())}


def draw(scenario: str, rows: dict[int, dict[str, float]], path: Path) -> None:
    """Draw a scenario's columns, week by week."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 6), layout="constrained")
    figure.suptitle(f"{scenario}: {_SEEDS} demos of {_SETTINGS['prs']:,} pull requests, by weeks before the end")
    axes = figure.subplots(2, 4).flat
    for axis, column in zip(axes, _COLUMNS, strict=False):
        axis.plot([-week for week in rows], [row.get(column) for row in rows.values()])
        axis.set_title(column)
        axis.set_ylim(bottom=0)
    figure.savefig(path, dpi=60)


def _content(scenario: str, seed: int) -> Iterator[tuple[str, Any, Any]]:
    """Yield kind, key and data of a demo's entities that are shown."""
    project = make_project("demo", {**_SETTINGS, **SCENARIOS[scenario]})
    source = DemoSource(
        project="demo",
        seed=seed,
        members=project.members,
        prs=project.prs,
        ai_rate=project.ai_base_adoption_rate,
        rates={name: getattr(project, name) for name in RATES},
    )
    with Spool() as spool:
        census = take_census(source, source.repositories, project)
        simulate(source, census, spool, seed=seed, as_of=DEFAULT_AS_OF)
        for entry in spool.entries():
            if entry.kind in _KINDS:
                content = orjson.loads(entry.event)
                yield entry.kind, content["key"], content["data"]


def _middle(column: str, values: list[float]) -> float:
    if not column.startswith("median"):
        return fmean(values)
    return sorted(values)[len(values) // 2]


def main() -> int:
    """Draw every scenario."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("folder", type=Path)
    folder: Path = options.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for scenario in SCENARIOS:
        draw(scenario, weeks(scenario), folder / f"{scenario}.png")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

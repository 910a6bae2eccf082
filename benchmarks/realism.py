"""How much one database's history looks like another's: `python -m benchmarks.realism DB [DB…]`.

Reads the tables that `seedjournal project` writes, prints what each database says of itself and how like every two of
them are. `--plots FOLDER` draws the columns' distributions. What the figures mean: docs/data.md.

The boosted tree needs scikit-learn: `pip install --group realism`.
"""

from __future__ import annotations

import argparse
import os
import sys
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from itertools import combinations
from pathlib import Path
from random import Random
from statistics import fmean, stdev
from typing import Any

from sqlalchemy import create_engine, text

_PULLS = """
SELECT number, title, state, pr_created_at, merged_at, cycle_time_hours, additions, deletions, changed_files,
  commits_count FROM {}pull_requests ORDER BY github_repo, number
"""
_COMMITS = "SELECT committed_at, additions, deletions, length(message) FROM {}commits ORDER BY id"
_FILES = "SELECT status, file_category, changes FROM {}pr_files ORDER BY id"

_TRENDS = ("cycle", "lines", "files", "commits")
_WORDS = frozenset({"file status", "file category", "weekday opened", "weekday merged"})  # values without an order
_SATURDAY = 5
_LARGEST = 2_000  # pull requests of each database that the tree learns from
_FOLDS = 5
_ACROSS, _HEIGHT, _MARGIN = 420, 180, 24


@dataclass(frozen=True, slots=True)
class Look:
    """What is looked at in one database: columns of values, and pull requests that were merged, one row each."""

    name: str
    columns: dict[str, list[Any]]
    rows: list[list[float]]
    openings: list[datetime]
    merges: list[datetime]
    order: float  # the rank correlation of numbers and times of opening

    def trend(self, one: str, other: str) -> float:
        """Return the rank correlation of two columns of merged pull requests."""
        return spearman(self.columns[one], self.columns[other])

    def weekend_share(self) -> float:
        """Return the weekends' share of merges, divided by that of openings."""
        merged, opened = (fmean(at.weekday() >= _SATURDAY for at in times) for times in (self.merges, self.openings))
        return merged / opened if opened else float("inf")

    def from_flat(self) -> float:
        """Return the distance of merge hours from hours that are all alike."""
        hours = sorted(_hour(at) for at in self.merges)
        return max(
            max(abs((n + 1) / len(hours) - at / 24), abs(n / len(hours) - at / 24)) for n, at in enumerate(hours)
        )


def look(database: str, schema: str | None = None) -> Look:
    """Read one database, named by a path or an address."""
    url = database if "://" in database else f"sqlite:///{Path(database).resolve()}"
    name = Path(database).stem if "://" not in database else database.rpartition("/")[2]
    prefix = f'"{schema}".' if schema else ""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        pulls, commits, files = (
            connection.execute(text(query.format(prefix))).all() for query in (_PULLS, _COMMITS, _FILES)
        )
    engine.dispose()
    opened = [_moment(pull.pr_created_at) for pull in pulls]
    merged = [(pull, at, _moment(pull.merged_at)) for pull, at in zip(pulls, opened, strict=True) if pull.merged_at]
    columns: dict[str, list[Any]] = {
        "cycle": [float(pull.cycle_time_hours or 0) for pull, _, _ in merged],
        "lines": [pull.additions + pull.deletions for pull, _, _ in merged],
        "additions": [pull.additions for pull, _, _ in merged],
        "deletions": [pull.deletions for pull, _, _ in merged],
        "files": [pull.changed_files for pull, _, _ in merged],
        "commits": [pull.commits_count for pull, _, _ in merged],
        "title length": [len(pull.title) for pull, _, _ in merged],
        "hour opened": [_hour(at) for _, at, _ in merged],
        "hour merged": [_hour(end) for _, _, end in merged],
        "weekday opened": [at.weekday() for _, at, _ in merged],
        "weekday merged": [end.weekday() for _, _, end in merged],
        "commit lines": [one.additions + one.deletions for one in commits],
        "commit hour": [_hour(_moment(one.committed_at)) for one in commits],
        "file lines": [one.changes for one in files],
        "file status": [one.status for one in files],
        "file category": [one.file_category for one in files],
    }
    features = [values for column, values in columns.items() if not column.startswith(("commit ", "file "))]
    return Look(
        name,
        columns,
        [[float(value) for value in row] for row in zip(*features, strict=True)],
        opened,
        [end for _, _, end in merged],
        spearman([pull.number for pull in pulls], [at.timestamp() for at in opened]),
    )


def spearman(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the rank correlation; equal values share a rank.

    >>> spearman([1, 2, 3], [10, 20, 25]), spearman([1, 2, 3], [3, 2, 1])
    (1.0, -1.0)
    """
    first, second = _ranks(one), _ranks(other)
    middle = (len(first) - 1) / 2
    both = sum((a - middle) * (b - middle) for a, b in zip(first, second, strict=True))
    spread = sum((a - middle) ** 2 for a in first) * sum((b - middle) ** 2 for b in second)
    return both / spread**0.5 if spread else 0.0


def distance(one: Sequence[Any], other: Sequence[Any], *, ordered: bool = True) -> float:
    """Return the greatest distance of two distribution functions; for values without an order, the total variation.

    >>> distance([1, 2], [2, 3]), distance("aab", "bbb", ordered=False)
    (0.5, 0.6666666666666666)
    """
    if not ordered:
        shares = [Counter(values) for values in (one, other)]
        total = sum(abs(shares[0][v] / len(one) - shares[1][v] / len(other)) for v in shares[0] | shares[1])
        return min(total / 2, 1.0)  # a sum of rounded shares may be a little more
    first, second = sorted(one), sorted(other)
    return max(
        abs(bisect_right(first, at) / len(first) - bisect_right(second, at) / len(second)) for at in {*first, *second}
    )


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value that a share of all does not exceed."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def trends(one: Look, other: Look) -> float:
    """Return how alike the trends of pairs of columns are: the mean of 1 - |Δρ| / 2."""
    pairs = [*combinations(_TRENDS, 2)]
    return fmean(1 - abs(one.trend(*pair) - other.trend(*pair)) / 2 for pair in pairs)


def shapes(one: Look, other: Look) -> dict[str, float]:
    """Return, for each column, how alike two distributions are: 1 is the same."""
    return {
        name: 1 - distance(values, other.columns[name], ordered=name not in _WORDS)
        for name, values in one.columns.items()
    }


def tails(one: Look, other: Look) -> list[float]:
    """Return the quotients of the 99th percentiles of lines, files and commits."""
    names = ("lines", "files", "commits")
    return [quantile(one.columns[name], 0.99) / max(1, quantile(other.columns[name], 0.99)) for name in names]


def told_apart(one: Look, other: Look) -> tuple[float, float] | None:
    """Return how well a boosted tree tells merged pull requests apart: mean AUC and spread; None without one."""
    os.environ.setdefault(
        "OMP_NUM_THREADS", "1"
    )  # small tables; on a busy machine, threads that wait take all the time
    try:
        from sklearn.ensemble import HistGradientBoostingClassifier
        from sklearn.metrics import roc_auc_score
        from sklearn.model_selection import StratifiedKFold
    except ImportError:
        return None
    most = min(_LARGEST, len(one.rows), len(other.rows))
    rows = [row for side in (one, other) for row in Random(0).sample(side.rows, most)]  # noqa: S311 - no secret
    sides = [0] * most + [1] * most
    found = []
    for learnt, tried in StratifiedKFold(_FOLDS, shuffle=True, random_state=0).split(rows, sides):
        tree = HistGradientBoostingClassifier(random_state=0)
        tree.fit([rows[n] for n in learnt], [sides[n] for n in learnt])
        chances = tree.predict_proba([rows[n] for n in tried])[:, 1]
        found.append(float(roc_auc_score([sides[n] for n in tried], chances)))
    return fmean(found), stdev(found)


def plot(looks: Sequence[Look], name: str) -> str:
    """Return an SVG of one column: the share of values up to each value, by rank of all values together."""
    everything = sorted(value for one in looks for value in one.columns[name])
    colours = ("#c33", "#36c", "#393", "#c80", "#639", "#099", "#666", "#a52")
    lines = []
    for number, one in enumerate(looks):
        values, colour = sorted(one.columns[name]), colours[number % len(colours)]
        points = " ".join(
            f"{_MARGIN + step * (_ACROSS - 2 * _MARGIN) / 100:.1f},"
            f"{_HEIGHT - _MARGIN - bisect_right(values, at) / len(values) * (_HEIGHT - 2 * _MARGIN):.1f}"
            for step in range(101)
            for at in [everything[min(len(everything) - 1, step * len(everything) // 100)]]
        )
        lines.append(f'<polyline fill="none" stroke="{colour}" points="{points}"/>')
        lines.append(f'<text x="{_MARGIN + 4}" y="{40 + 12 * number}" fill="{colour}">{escape(one.name)}</text>')
    ends = f"{everything[0]} … {everything[len(everything) // 2]} … {everything[-1]}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_ACROSS}" height="{_HEIGHT}" font-family="sans-serif"'
        f' font-size="11"><text x="{_MARGIN}" y="16">{escape(name)}: {escape(ends)}</text>{"".join(lines)}</svg>\n'
    )


def _ranks(values: Sequence[float]) -> list[float]:
    ordered = sorted(values)
    ranks = {value: (bisect_left(ordered, value) + bisect_right(ordered, value) - 1) / 2 for value in set(values)}
    return [ranks[value] for value in values]


def _moment(value: Any) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)


def _hour(at: datetime) -> float:
    return at.hour + at.minute / 60


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _report(looks: Sequence[Look], say: Callable[[str], None]) -> None:
    alone = [
        (
            one.name,
            *(f"{len(times):,}" for times in (one.openings, one.merges)),
            *(f"{value:.2f}" for value in (one.from_flat(), one.weekend_share(), one.order)),
        )
        for one in looks
    ]
    heads = ("database", "pull requests", "merged", "merge hour, KS against flat", "weekend, merges / openings")
    say(_table((*heads, "number and opening"), alone))
    rows, by_column = [], []
    for one, other in combinations(looks, 2):
        like, apart = shapes(one, other), told_apart(one, other)
        rows.append([f"{one.name} / {other.name}", f"{trends(one, other):.2f}", f"{fmean(like.values()):.2f}"])
        rows[-1].append(" ".join(f"{tail:.2f}" for tail in tails(one, other)))
        rows[-1].append(f"{apart[0]:.2f} ± {apart[1]:.2f}" if apart else "no scikit-learn")
        by_column.append([rows[-1][0], *(f"{value:.2f}" for value in like.values())])
    if rows:
        say("")
        say(_table(("pair", "pair trends", "column shapes", "p99 of lines, files, commits", "AUC"), rows))
        say("")
        say(_table(("column shapes", *looks[0].columns), by_column))


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables, and draw the plots that were asked for."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.realism", description=__doc__.partition("\n")[0])
    options.add_argument("databases", nargs="+", metavar="DB", help="a path of an SQLite file, or an address")
    options.add_argument("--schema", help="the tables' schema in PostgreSQL")
    options.add_argument("--plots", type=Path, metavar="FOLDER", help="draw each column's distributions as SVG")
    given = options.parse_args(arguments)
    looks = [look(database, given.schema) for database in given.databases]
    for one in looks:
        if not one.rows:
            sys.exit(f"{one.name} has no merged pull request: run `seedjournal project` first")
    _report(looks, print)
    if given.plots:
        given.plots.mkdir(parents=True, exist_ok=True)
        for name in looks[0].columns:
            if name not in _WORDS:
                file = given.plots / f"{name.replace(' ', '-')}.svg"
                file.write_text(plot(looks, name), encoding="utf-8")


if __name__ == "__main__":
    main()

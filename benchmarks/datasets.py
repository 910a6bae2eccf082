"""What is recorded: an invented project of any size, and real ones from a folder of cache files."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path

PROJECT = "bench"

# A demo's events: so many a pull request, and those of its members' days and weeks.
_A_PULL_REQUEST, _ELSE = 21.85, 700

# The project that the seed system was timed with has so many pull requests.
SEED_SYSTEM = 2_838


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSet:
    """One project's source, as the command line names it."""

    name: str
    source: str
    settings: tuple[str, ...] = ()
    events: int | None = None  # where they can be chosen

    @property
    def options(self) -> tuple[str, ...]:
        """The options of `record`."""
        sets = [part for setting in self.settings for part in ("--set", setting)]
        return ("--project", PROJECT, "--new", "--source", self.source, *sets)

    def at(self, events: float) -> DataSet | None:
        """Return the same with a given share of the events; None where that cannot be chosen."""
        return None if self.events is None else demo(round(self.events * events))


def demo(events: int) -> DataSet:
    """Return an invented project of about so many events."""
    prs = pull_requests_for(events)
    return DataSet(name=f"demo of {events:,} events", source="demo", settings=(f"prs={prs}",), events=events)


def pull_requests_for(events: int) -> int:
    """Return how many pull requests make about so many events in a demo."""
    return max(10, round((events - _ELSE) / _A_PULL_REQUEST))


def real(folder: Path) -> DataSet:
    """Return all cache files of a folder together, as one project."""
    return DataSet(name="real projects", source=f"cache:{folder}")


def like_the_seed_systems(folder: Path | None, most: int) -> DataSet:
    """Return the file whose size is nearest to what the seed system was timed with; without a folder, a demo.

    A demo has at most `most`, so that a small benchmark stays small.
    """
    files = sorted(path for path in folder.rglob("*.json*") if path.is_file()) if folder else []
    if not files:
        prs = min(SEED_SYSTEM, most)
        return DataSet(name=f"demo of {prs:,} pull requests", source="demo", settings=(f"prs={prs}",))
    counts = {path: _pull_requests(path) for path in files}
    nearest = min(files, key=lambda path: abs(counts[path] - SEED_SYSTEM))
    return DataSet(name=f"real project of {counts[nearest]:,} pull requests", source=f"cache:{nearest}")


def _pull_requests(file: Path) -> int:
    text = file.read_bytes()
    return (gzip.decompress(text) if file.suffix == ".gz" else text).count(b'"github_pr_id"')

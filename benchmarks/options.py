"""What to measure, as the environment says it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
_CACHE = ROOT.parent / "shared" / "data" / "cache"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The size, how often each step is repeated, and what is left out.

    `only` are words: a row, a data set or a make is measured where any of them is part of its name; no words of a sort
    choose all of that sort. `cache` is a folder of cache files, `flat` adds the steps at three times the events.
    """

    events: int = 1_000_000
    repeats: int = 3
    only: tuple[str, ...] = ()
    cache: Path | None = None
    flat: bool = False
    results: Path = RESULTS


def read_options(environment: Mapping[str, str] = os.environ) -> Options:
    """Return the options of BENCH_EVENTS, BENCH_REPEATS, BENCH_ONLY, BENCH_CACHE, BENCH_FLAT and BENCH_RESULTS.

    Exits with what is wrong where one cannot be read.
    """
    given = environment.get("BENCH_CACHE")
    cache = Path(given).resolve() if given else _CACHE if given is None and _CACHE.is_dir() else None
    if cache is not None and not cache.is_dir():
        raise SystemExit(f"BENCH_CACHE: {cache} is no folder of cache files")
    return Options(
        events=_whole(environment, "BENCH_EVENTS", 1_000_000, least=2_000),
        repeats=_whole(environment, "BENCH_REPEATS", 3, least=1),
        only=tuple(word.strip().lower() for word in environment.get("BENCH_ONLY", "").split(",") if word.strip()),
        cache=cache,
        flat=environment.get("BENCH_FLAT", "") not in {"", "0"},
        results=Path(environment.get("BENCH_RESULTS") or RESULTS),
    )


def _whole(environment: Mapping[str, str], name: str, default: int, *, least: int) -> int:
    text = environment.get(name) or str(default)
    if not text.isdecimal() or int(text) < least:
        raise SystemExit(f"{name}={text} is not a whole number of at least {least:,}")
    return int(text)

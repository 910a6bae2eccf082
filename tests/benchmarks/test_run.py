"""`make bench` at a tiny size: it works; no figure is held against anything here. CI runs all of it on both databases."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from benchmarks.datasets import pull_requests_for

ROOT = Path(__file__).parents[2]


pytestmark = pytest.mark.more


def test_a_tiny_run_fills_the_chosen_rows_and_keeps_its_samples(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "BENCH_EVENTS": "2000",
        "BENCH_REPEATS": "1",
        "BENCH_CACHE": "",
        "BENCH_ONLY": "demo,sqlite,100 changes,events stored,nodes stored",
        "BENCH_RESULTS": str(tmp_path / "results"),
        "TMPDIR": str(tmp_path),
    }
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (file,) = (tmp_path / "results").iterdir()
    document = json.loads(file.read_text())
    assert document["versions"]["python"] in done.stdout
    (measured,) = document["sets"].values()
    (make,) = measured.values()
    assert make["rows"]["  events stored"]["values"] == [2 * min(50, pull_requests_for(2_000))]
    assert 0 < make["rows"]["  nodes stored, run's and state's"]["median"] < 1000
    assert set(make["rows"]) >= {"diff of two runs, 100 changes", "project a run with 100 changes"}
    for taken in make["steps"].values():
        assert all(one["seconds"] > 0 and one["cpu"] > 0 for one in taken)
    assert not [left for left in tmp_path.iterdir() if left.name != "results"]


def test_nothing_is_left_of_a_run_that_is_stopped() -> None:
    """Started with a server of its own, as people do."""
    folder = Path(tempfile.mkdtemp())  # the path of a server's socket must be short
    environment = {name: value for name, value in os.environ.items() if name != "SEEDJOURNAL_TEST_POSTGRES"}
    environment |= {"BENCH_ONLY": "postgresql,demo,cold", "BENCH_CACHE": "", "TMPDIR": str(folder)}
    environment |= {"BENCH_EVENTS": "100000", "BENCH_RESULTS": str(folder / "results")}
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks"],
        cwd=ROOT,
        env=environment,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    assert process.stderr
    while (line := process.stderr.readline()) and b"record, cold" not in line:
        pass
    process.terminate()
    process.stderr.close()
    assert process.wait(timeout=60) == 128 + signal.SIGTERM
    assert not [left for left in folder.iterdir() if left.name.startswith("seedjournal-bench-")]

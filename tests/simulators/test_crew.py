"""Simulating in several processes: the same run, and the same errors."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import psutil
import pytest

from seedjournal.journal import BadInput, Database
from seedjournal.simulators import Order, Project, make_project, record
from seedjournal.simulators.engineering import crew
from seedjournal.simulators.engineering.cache import source as cache
from seedjournal.simulators.engineering.cache.source import CacheSource
from seedjournal.simulators.engineering.demo import source as demo
from seedjournal.simulators.engineering.demo.source import DemoSource
from seedjournal.simulators.engineering.facts import Facts as AnyFacts
from seedjournal.simulators.engineering.facts import PullRequest
from tests.simulators.acme import Facts, acme, story
from tests.simulators.test_cache_source import entry, write


class Deadly(Facts):
    """A source of whose parts one kills who reads it, if that is not the process of the test."""

    def parts(self, count: int) -> list[AnyFacts]:
        return [*super().parts(count)[:-1], DeadlyPart(os.getpid())]


class DeadlyPart(Facts):
    """What kills its reader."""

    def __init__(self, spared: int) -> None:
        super().__init__()
        self.spared = spared

    def pull_requests(self) -> Iterator[PullRequest]:
        if os.getpid() != self.spared:
            os.kill(os.getpid(), signal.SIGKILL)
        return iter(())


def invented(prs: int = 90) -> tuple[Project, DemoSource]:
    """A demo of some repositories, with loose commits and all kinds."""
    project = make_project("acme", {"repos": ["acme/shop", "acme/site"], "members": 5, "days": 60})
    return project, DemoSource(project="acme", seed=3, repos=project.repos, members=5, prs=prs, days=60)


@pytest.mark.parametrize("jobs", [2, 3])
def test_any_number_of_jobs_gives_the_same_run(
    jobs: int, database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(demo, "_WORTH_DIVIDING", 1)
    monkeypatch.setattr(cache, "_WORTH_DIVIDING", 1)
    project, source = invented()
    for order in (
        Order(project=project, source=source, seed=3, reuse=False),
        Order(project=make_project("story", {}), source=story(), reuse=False),
        Order(project=make_project("file", {}), source=cached(tmp_path), reuse=False),
    ):
        assert len(order.source.parts(jobs)) == jobs
        alone = record(database, order)
        together = record(database, replace(order, jobs=jobs))
        assert together.sealed.run.root == alone.sealed.run.root
        assert together.sealed.run.inputs == alone.sealed.run.inputs
        assert together.sealed.appended == 0


def cached(folder: Path, broken: int | None = None) -> CacheSource:
    """A cache file of a few pull requests, of which one may be broken."""
    entries = [entry(number) for number in range(1, 8)]
    if broken is not None:
        entries[broken]["created_at"] = "yesterday"
    return CacheSource(write(folder / "shop.json.gz", {"repo": "acme/shop", "prs": entries}))


@pytest.mark.parametrize("broken", [5, 6], ids=["in a worker's part", "in one's own"])
def test_an_error_is_told_as_one_process_tells_it(
    broken: int, database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(cache, "_WORTH_DIVIDING", 1)
    told = []
    for jobs in (1, 2):
        with pytest.raises(BadInput) as refused:
            record(database, Order(project=acme(), source=cached(tmp_path, broken), jobs=jobs))
        told.append((refused.value.message, refused.value.hint))
    assert told[0] == told[1]
    assert "created_at" in told[0][0]


def test_what_a_killed_worker_was_to_do_is_done_alone(database: Database) -> None:
    facts = list(story().pull_requests())
    expected = record(database, Order(project=acme(), source=Facts(*facts), reuse=False)).sealed.run
    done = record(database, Order(project=acme(), source=Deadly(*facts), reuse=False, jobs=2)).sealed.run
    assert done.root == expected.root


def test_so_is_what_one_was_to_do_that_is_killed_while_it_simulates(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "_WORTH_DIVIDING", 1)
    project, source = invented(prs=1200)
    expected = record(database, Order(project=project, source=source, reuse=False)).sealed.run
    killed = []

    def kill(stage: str, _count: int, _of: int | None) -> None:
        if stage == "simulating" and not killed:
            killed.extend(active_children())
            for worker in killed:
                worker.kill()

    done = record(database, Order(project=project, source=source, reuse=False, jobs=2), kill).sealed.run
    assert len(killed) == 1
    assert done.root == expected.root


def test_where_no_process_can_be_started_all_is_done_alone(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    started = []

    class Second(crew._Worker):
        def __init__(self, *given: Any) -> None:
            if started:
                raise crew.PartFailed
            super().__init__(*given)
            started.append(self)

    monkeypatch.setattr(crew, "_Worker", Second)
    done = record(database, Order(project=acme(), source=story(), reuse=False, jobs=3)).sealed
    assert done.run.root == record(database, Order(project=acme(), source=story(), reuse=False)).sealed.run.root
    assert not started[0]._process.is_alive()


def test_workers_end_with_the_process_that_asked(tmp_path: Path) -> None:
    command = (sys.executable, "-m", "seedjournal", "record", "--project", "demo", "--new", "--source", "demo")
    process = psutil.Popen(
        [*command, "--set", "prs=400000", "--jobs", "2"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stderr=subprocess.DEVNULL,
    )
    while not (workers := [one for one in process.children() if "spawn_main" in " ".join(one.cmdline())]):
        time.sleep(0.05)
    time.sleep(1.5)  # by then it reads its part, which takes half a minute
    process.kill()
    process.wait()
    _, alive = psutil.wait_procs(workers, timeout=5)
    assert not alive

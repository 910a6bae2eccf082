"""Processes that are killed while they fetch: the next one goes on, and the end is that of an undisturbed fetch."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from seedjournal.simulators.engineering.facts import PullRequest
from seedjournal.simulators.engineering.git.source import GitSource
from seedjournal.simulators.engineering.github import GitHubSource, Server, Store, place
from tests.simulators.github.cloned import clone_of, hub_of_clone
from tests.simulators.github.hub import Asked, Fault, Reply, Serving
from tests.simulators.github.world import REPO, SECRET, hub_of

# A program as users start it, but for syncing; it tells the peak of its memory after fetching and at the end.
PROGRAM = """
import atexit, resource, sys
from pathlib import Path
from seedjournal.simulators.engineering import github
from seedjournal.simulators.engineering.github import store

def peak(when):
    status = Path("/proc/self/status")
    if status.exists():
        kib = int(status.read_text().split("VmHWM:")[1].split()[0])
    else:
        kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(when, kib, file=sys.stderr)

def fetched(*arguments, **options):
    done = fetch(*arguments, **options)
    peak("fetched")
    return done

fetch, github.fetched, store.DURABILITY = github.fetched, fetched, "OFF"
atexit.register(peak, "recorded")
from seedjournal.cli import main
main()
"""
RECORD = ("record", "--project", "thing", "--new", "--set", f"repos={REPO}", "--source", "github", "--json")


@dataclass(frozen=True, slots=True)
class Place:
    """A folder with journal and cache of its own, and the server that it fetches from."""

    folder: Path
    address: str

    @property
    def environment(self) -> dict[str, str]:
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith(("SEEDJOURNAL", "GITHUB"))},
            "SEEDJOURNAL_CACHE": str(self.folder / "cache"),
            "SEEDJOURNAL_GITHUB_API": self.address,
            "GITHUB_TOKEN": SECRET,
            "PYTHONPATH": str(Path(__file__).parents[3]),
        }

    def start(self, *options: str) -> subprocess.Popen[str]:
        self.folder.mkdir(exist_ok=True)
        return subprocess.Popen(
            [sys.executable, "-P", "-c", PROGRAM, *RECORD, *options],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def record(self, *options: str) -> dict[str, Any]:
        process = self.start(*options)
        out, err = process.communicate(timeout=1200)
        assert process.returncode == 0, out + err
        (run,) = json.loads(out)["runs"]
        peaks = dict(line.split() for line in err.splitlines() if line.startswith(("fetched ", "recorded ")))
        return {**run, "peaks": {name: int(kib) for name, kib in peaks.items()}}

    def facts(self, monkeypatch: pytest.MonkeyPatch) -> dict[int, PullRequest]:
        monkeypatch.setenv("SEEDJOURNAL_CACHE", str(self.folder / "cache"))
        store = Store(place(Server.at(self.address), REPO))
        return {one.number: one for one in GitHubSource([(REPO, store)]).pull_requests()}


def known_to_git(fact: PullRequest) -> dict[str, Any]:
    """What a clone tells of a pull request, without what only the server has: ids of reviews, names of branches."""
    return {
        name: getattr(fact, name)
        for name in ("repo", "number", "title", "state", "created_at", "merged_at", "closed_at", "author", "additions")
    } | {
        "deletions": fact.deletions,
        "changed_files": fact.changed_files,
        "commits_count": fact.commits_count,
        "base_ref": fact.base_ref,
        "commits": fact.commits,
        "files": fact.files,
        "reviews": [(review.reviewer, review.state, review.submitted_at) for review in fact.reviews],
    }


def storms(chance: random.Random) -> Fault:
    """Return what answers 1 in 7 requests with 502, and 1 in 13 with a limit inside an answer."""
    limit = [{"type": "RESOURCE_LIMITS_EXCEEDED", "message": "Resource limits for this query exceeded."}]

    def fault(_: Asked) -> Reply | None:
        if chance.randrange(7) == 0:
            return Reply(status=502, body=b"<html>Bad Gateway</html>")
        return Reply(body={"data": {"repository": None}, "errors": limit}) if chance.randrange(13) == 0 else None

    return fault


def kill_and_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, pulls: int, kills: int, most: int, storm: bool = False
) -> dict[str, Any]:
    """Fetch and record, killed at random so many times on the way, in a storm of errors or not; what it took."""
    clone = clone_of(tmp_path / "clone.git", pulls)
    hub = hub_of_clone(clone)
    assert len(hub.pulls) == pulls
    serving = Serving(hub)
    chance = random.Random(20)
    if storm:
        hub.faults.append(storms(random.Random(7)))
    try:
        disturbed, calm = Place(tmp_path / "disturbed", serving.address), Place(tmp_path / "calm", serving.address)
        killed = 0
        while killed < kills:
            process = disturbed.start()
            until = len(hub.asked) + chance.randint(1, most)
            while len(hub.asked) < until and process.poll() is None:
                time.sleep(0.001)
            time.sleep(chance.random() / 25)
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                killed += 1
            out, _ = process.communicate()
            assert process.returncode == -signal.SIGKILL, f"it had ended before kill {killed + 1}: {out}"
        run = disturbed.record()
        first = len(hub.asked)
        hub.faults.clear()
        reference = calm.record()
        calm_requests = len(hub.asked) - first
        assert run["root"] == reference["root"]
        assert run["completeness"] == reference["completeness"]
        assert run["completeness"][REPO]["incomplete"] == []
        before = len(hub.asked)
        again = disturbed.record()
        assert len(hub.asked) - before <= 3
        assert (again["root"], again["appended"]) == (run["root"], 0)
        before = len(hub.asked)
        offline = disturbed.record("--offline", "--no-reuse")
        assert len(hub.asked) == before
        assert (offline["root"], offline["appended"]) == (run["root"], 0)
        told = {one.number: one for one in GitSource(str(clone), repo=REPO).pull_requests()}
        found = disturbed.facts(monkeypatch)
        assert {number: known_to_git(one) for number, one in found.items()} == {
            number: known_to_git(one) for number, one in told.items()
        }
        return {"requests": first, "undisturbed": calm_requests, "kills": killed, "peaks": reference["peaks"]}
    finally:
        serving.close()


@pytest.mark.slow
def test_killed_while_fetching_it_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    took = kill_and_go_on(tmp_path, monkeypatch, pulls=120, kills=2, most=2)
    assert took["requests"] <= took["undisturbed"] + 2 * took["kills"]  # a page that was on its way, and no more


def test_interrupted_it_says_so_and_goes_on(tmp_path: Path) -> None:
    serving = Serving(hub_of(60))
    try:
        there = Place(tmp_path / "there", serving.address)
        process = there.start("--quiet")
        serving.hub.faults.append(lambda asked: process.send_signal(signal.SIGINT) if asked.place == 1 else None)
        out, _ = process.communicate(timeout=60)
        assert (process.returncode, json.loads(out)["error"]["kind"]) == (130, "interrupted")
        serving.hub.faults.clear()
        before = len(serving.hub.asked)
        assert there.record()["completeness"][REPO]["pull_requests"]["stored"] == 60
        assert serving.hub.asked[before].variables["after"]
    finally:
        serving.close()


@pytest.mark.soak
def test_thousands_of_pull_requests_and_six_kills_in_a_storm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    took = kill_and_go_on(tmp_path, monkeypatch, pulls=3306, kills=6, most=40, storm=True)
    with capsys.disabled():
        print(f"\n3,306 pull requests in a storm: {took}")  # noqa: T201 - what a long test found


@pytest.mark.soak
def test_thousands_of_pull_requests_and_twenty_kills(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    took = kill_and_go_on(tmp_path, monkeypatch, pulls=5000, kills=20, most=6)
    (tmp_path / "small").mkdir()
    small = kill_and_go_on(tmp_path / "small", monkeypatch, pulls=500, kills=0, most=1)
    with capsys.disabled():
        print(f"\n5,000 pull requests: {took}\n500 pull requests: {small}")  # noqa: T201 - what a long test found
    assert took["requests"] <= took["undisturbed"] + 2 * took["kills"]
    assert took["peaks"]["fetched"] < small["peaks"]["fetched"] + 8_000  # KiB

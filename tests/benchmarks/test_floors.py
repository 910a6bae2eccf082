"""The floors do the same work as the steps that they are held against."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from benchmarks.databases import Make, PostgreSQL, SQLite, sqlite_file
from benchmarks.processes import own, seedjournal
from benchmarks.ready import read_events, write_events

pytestmark = [pytest.mark.more, pytest.mark.xdist_group("benchmarks")]  # its journals are made once

RECORD = ("record", "--project", "bench", "--new", "--source", "demo", "--set", "prs=10", "--set", "days=10")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def make(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Either make, as the benchmarks speak to it."""
    if request.param == "sqlite":
        return SQLite(tmp_path_factory.mktemp("databases"))
    return PostgreSQL(os.environ["SEEDJOURNAL_TEST_POSTGRES"])


@pytest.fixture(scope="module")
def journal(make: Make, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a journal with one small run in it, projected."""
    folder = tmp_path_factory.mktemp("journal")
    url = make.new("journal")
    seedjournal((*RECORD, "--journal", url, "--quiet"), folder)
    seedjournal(("project", "--journal", url, "--quiet"), folder)
    yield url
    make.drop(url)


def rows(url: str, query: str) -> list[tuple[object, ...]]:
    if url.startswith("sqlite"):
        connection = sqlite3.connect(sqlite_file(url))
        found = connection.execute(query).fetchall()
        connection.close()
        return found
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchall()


def test_appending_gives_the_journals_own_events(make: Make, journal: str, tmp_path: Path) -> None:
    file = tmp_path / "events"
    write_events(file, make.events(journal))
    same = "SELECT hash, event, provenance FROM journal_events ORDER BY hash"
    for module, verb in (("floors", ("append",)), ("append", ())):
        url = make.new("append")
        seedjournal(("migrate", "--journal", url, "--quiet"), tmp_path)
        sample, document = own(module, (*verb, url, str(file)), tmp_path)
        assert rows(url, same) == rows(journal, same)
        assert document["events"] == len(read_events(file)) == make.stored(url).events
        assert sample.seconds > 0
        assert not sample.whole
        if module == "append":
            roots = "SELECT root FROM journal_runs"
            assert rows(url, roots) == rows(journal, roots)
        make.drop(url)


def test_events_are_ready_in_the_order_of_pull_requests(make: Make, journal: str, tmp_path: Path) -> None:
    write_events(tmp_path / "events", make.events(journal))
    numbers = [one.parts["key"].get("number") for one in read_events(tmp_path / "events")]
    known = [number for number in numbers if number]
    assert known == sorted(known)
    assert len(set(known)) == 10


def test_restoring_gives_the_projected_rows(make: Make, journal: str, tmp_path: Path) -> None:
    make.dump(journal, tmp_path / "dump")
    url = make.new("restored")
    assert make.restore(tmp_path / "dump", url, tmp_path).seconds > 0
    for table in ("pull_requests", "pr_files", "seedjournal_positions"):
        query = f"SELECT * FROM {table} ORDER BY 1, 2"
        assert rows(url, query) == rows(journal, query) != []
    make.drop(url)


def test_sqlite_restores_without_its_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = sqlite3.connect(tmp_path / "things.db")
    connection.executescript("CREATE TABLE thing (name TEXT); INSERT INTO thing VALUES ('\u00e9; one')")
    connection.close()
    make = SQLite(tmp_path)
    make.dump(f"sqlite:///{tmp_path}/things.db", tmp_path / "dump")
    monkeypatch.setenv("PATH", "")
    url = make.new("restored")
    assert make.restore(tmp_path / "dump", url, tmp_path).seconds > 0
    assert rows(url, "SELECT name FROM thing") == [("\u00e9; one",)]
    assert "executescript" in make.restorer()


def test_sizes_and_rows_are_the_databases_own(make: Make, journal: str) -> None:
    size, canonical = make.sizes(journal)
    texts = [text for _, text in make.events(journal)]
    assert canonical == sum(len(text.encode()) for text in texts)
    assert size > canonical
    assert make.stored(journal).events == len(texts)
    assert make.stored(journal).runs == 1


def test_a_process_is_measured_with_its_workers(tmp_path: Path) -> None:
    from benchmarks.processes import run

    hold = "held = bytearray(60_000_000); import time; time.sleep(1)"
    code = f"import subprocess, sys\nfor one in [subprocess.Popen([sys.executable, '-c', {hold!r}]) for _ in 'ab']: one.wait()"
    alone, _ = run([sys.executable, "-c", hold], tmp_path)
    together, _ = run([sys.executable, "-c", code], tmp_path)
    assert alone.peak > 57
    if sys.platform == "linux":
        assert together.peak > 2 * 57
    assert together.seconds > 0.9 > together.cpu


def test_the_servers_cpu_time_is_known(make: Make) -> None:
    before = make.cpu()
    if isinstance(make, SQLite) or sys.platform != "linux":
        assert before == 0
        return
    with psycopg.connect(os.environ["SEEDJOURNAL_TEST_POSTGRES"]) as connection:
        connection.execute("SELECT sum(sqrt(n)) FROM generate_series(1, 1000000) AS n")
        busy = make.cpu()
    assert before + 0.03 < busy <= make.cpu()  # nothing is lost when the process that did it has ended


def test_a_step_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="There is no journal at"):
        seedjournal(("log", "--journal", f"sqlite:///{tmp_path}/none.db"), tmp_path)


def test_events_survive_the_file(tmp_path: Path) -> None:
    text = json.dumps({"key": {"slug": "a\tb\n"}, "data": {"name": "\u2028 \x85"}}, ensure_ascii=False)
    write_events(tmp_path / "events", [("github/1", text)])
    assert [tuple(one) for one in read_events(tmp_path / "events")] == [("github/1", json.loads(text))]


def test_no_product_code_is_in_a_floor() -> None:
    code = (
        "import sys, benchmarks.floors; print([n for n in sys.modules if n.split('.')[0] in ('journal', 'sqlalchemy')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"

"""Recording: from facts to a sealed run, on both databases."""

from __future__ import annotations

import gzip
import json
import sys
import unicodedata
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import text

from seedjournal.journal import BadInput, Database, Misuse, Policy, newest, read_manifest
from seedjournal.simulators.engineering import recording
from seedjournal.simulators.engineering.cache.source import CacheSource
from seedjournal.simulators.engineering.facts import PullRequest, Skipped, Source
from seedjournal.simulators.engineering.kinds import ENGINEERING
from seedjournal.simulators.engineering.project import Project, make_project
from seedjournal.simulators.engineering.recording import Recorded, RecordOptions, _inputs, record
from seedjournal.simulators.engineering.simulate import GENERATORS
from seedjournal.simulators.policies import policies_of
from tests.simulators.acme import Facts, acme, at, commit, events_of, pull_request, story, who

Order = tuple[Project, Source, RecordOptions]

TOTAL = len(events_of(story(), seed=42))  # events of the story
TABLES = ("journal_events", "journal_nodes", "journal_runs")


def rows(database: Database) -> dict[str, int]:
    with database.read() as connection:
        return {name: connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one() for name in TABLES}


def order(source: Any = None, *, project: Project | None = None, **options: Any) -> Order:
    return project or acme(), source or story(), RecordOptions(**options)


def total(recorded: Recorded) -> int:
    return recorded.sealed.run.totals["total"]


def test_a_second_record_appends_nothing(database: Database) -> None:
    first = record(database, *order())
    assert (first.sealed.appended, first.sealed.reused, first.sealed.previous) == (TOTAL, False, None)
    assert total(first) == TOTAL
    before = rows(database)
    for reuse in (True, False):
        again = record(database, *order(reuse=reuse))
        assert (again.sealed.appended, again.sealed.reused) == (0, reuse)
        assert (again.sealed.run.root, again.sealed.run.state) == (first.sealed.run.root, first.sealed.run.state)
        assert again.sealed.run.fingerprint == first.sealed.run.fingerprint
        assert {**again.sealed.run.inputs, "state": None} == first.sealed.run.inputs
        assert again.sealed.run.totals["unchanged"] == TOTAL
    assert rows(database) == before | {"journal_runs": 3}


def test_both_databases_and_any_history_give_the_same_root(
    make_url: Callable[[str], str], open_url: Callable[[str], Database]
) -> None:
    sqlite, postgresql = open_url(make_url("sqlite")), open_url(make_url("postgresql"))
    other = make_project("other", {})
    record(postgresql, *order(Facts(pull_request(77)), seed=9, project=other))
    runs = [record(database, *order()).sealed.run for database in (sqlite, postgresql)]
    assert runs[0].root == runs[1].root
    assert runs[0].fingerprint == runs[1].fingerprint


def test_an_older_run_is_not_reused_as_facts_kept_since_are_an_input(database: Database) -> None:
    first = record(database, *order()).sealed.run
    record(database, *order(Facts(*story().pull_requests(), pull_request(99))))
    again = record(database, *order()).sealed
    assert not again.reused
    assert again.run.root != first.root  # the week that the tables show counts the pull request that they keep
    assert record(database, *order()).sealed.reused
    long = record(database, *order(reuse=False)).sealed.run
    assert (long.root, long.state) == (again.run.root, again.run.state)
    fresh = [record(database, *order(fresh=True)).sealed.run for _ in range(2)]
    assert [(run.root, run.state) for run in fresh] == [(first.root, first.root)] * 2


def test_the_day_of_the_newest_activity_is_recorded(database: Database) -> None:
    run = record(database, *order()).sealed.run
    assert run.inputs["as_of"] == "2024-03-15"
    assert record(database, *order()).sealed.run.inputs["as_of"] == "2024-03-15"  # reused
    assert record(database, *order(as_of=date(2024, 6, 1))).sealed.run.inputs["as_of"] == "2024-06-01"
    assert record(database, *order(Facts())).sealed.run.inputs["as_of"] == "2024-03-15"  # what the tables still show
    assert record(database, *order(Facts(), fresh=True)).sealed.run.inputs["as_of"] == "2024-01-01"


def test_the_run_says_what_it_was_made_from(database: Database) -> None:
    run = record(database, *order(seed=5, since=date(2024, 3, 1), policies={"commit": Policy.UPSERT})).sealed.run
    assert {
        name: run.inputs[name] for name in ("source", "seed", "since", "until", "skip_invalid", "fresh", "window")
    } == {
        "source": "memory",
        "seed": 5,
        "since": "2024-03-01",
        "until": None,
        "skip_invalid": False,
        "fresh": False,
        "window": True,
    }
    assert run.inputs["repositories"] == ["acme/Site", "acme/shop", "acme/tools"]
    assert run.inputs["policies"]["commit"] == "upsert"
    assert run.inputs["settings"]["days_back"] == 180
    assert run.inputs["generators"] == GENERATORS


OTHERS: dict[str, dict[str, Any]] = {
    "seed": {"seed": 43},
    "as_of": {"as_of": date(2024, 3, 15)},
    "a setting": {"project": acme(survey_response_rate=0.61)},
    "a project's policy": {"project": acme(policy={"commit": "upsert"})},
    "a policy": {"policies": {"pull_request": Policy.UPSERT}},
    "source": {"source": Facts(pull_request(1))},
    "since": {"since": date(2024, 3, 1)},
    "until": {"until": date(2025, 3, 1)},
    "max_prs": {"project": acme(max_prs=1000)},
    "skip_invalid": {"skip_invalid": True},
    "fresh": {"fresh": True},
}


def fingerprint(one: Order) -> bytes:
    project, _, options = one
    return _inputs(*one, policies_of(ENGINEERING, {**project.policy, **options.policies})).fingerprint


def test_every_input_is_in_the_fingerprint() -> None:
    prints = {name: fingerprint(order(**others)) for name, others in OTHERS.items()} | {"none": fingerprint(order())}
    assert len(set(prints.values())) == len(prints)
    assert fingerprint(order()) == prints["none"]
    for same in (
        {"reuse": False},
        {"policies": {"commit": Policy.ONCE}},
        {"project": acme(source="demo")},
    ):
        assert fingerprint(order(**same)) == prints["none"]


@pytest.mark.parametrize("name", ["VERSION", "unidata_version"])
def test_version_and_unicode_are_in_the_fingerprint(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = fingerprint(order())
    recording = sys.modules["seedjournal.simulators.recording"]
    monkeypatch.setattr(unicodedata if name == "unidata_version" else recording, name, "other")
    assert fingerprint(order()) != before


def cached(folder: Path, *, level: int | None, title: str = "Sell apples") -> CacheSource:
    """A cache file of one pull request, packed so or not at all."""
    entry = {
        "number": 1,
        "title": title,
        "state": "open",
        "is_merged": False,
        "is_draft": False,
        "created_at": "2024-03-04T09:00:00Z",
        "updated_at": None,
        "author_login": "Ada",
        "author_id": 0,
        "head_ref": None,
        "base_ref": None,
        **dict.fromkeys(("additions", "deletions", "changed_files", "commits_count"), 0),
        **{name: [] for name in ("labels", "commits", "reviews", "files", "check_runs", "assignees", "linked_issues")},
    }
    content = json.dumps(
        {"repo": "acme/shop", "fetched_at": "2024-04-01T00:00:00Z", "since_date": "2024-01-01", "prs": [entry]}
    ).encode()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / ("shop.json" if level is None else "shop.json.gz")
    path.write_bytes(content if level is None else gzip.compress(content, level))
    return CacheSource(path)


def test_packing_a_file_otherwise_is_no_change(tmp_path: Path, database: Database) -> None:
    first = record(database, *order(cached(tmp_path / "a", level=None)))
    for place, level in (("b", 1), ("c", 9)):
        again = record(database, *order(cached(tmp_path / place, level=level)))
        assert again.sealed.reused
        assert {**again.sealed.run.inputs, "state": None} == first.sealed.run.inputs
    other = record(database, *order(cached(tmp_path / "d", level=9, title="Sell pears")))
    assert not other.sealed.reused
    assert other.sealed.appended > 0


@pytest.mark.parametrize(
    "window", [{"since": date(2024, 3, 1)}, {"until": date(2024, 3, 9)}, {"project": acme(max_prs=5)}]
)
@pytest.mark.parametrize("refused", [{"fresh": True}, {"policies": {"pr_file": Policy.EXACT}}])
def test_a_window_goes_with_neither_exact_nor_fresh(database: Database, window: Any, refused: Any) -> None:
    with pytest.raises(Misuse, match="window") as error:
        record(database, *order(**window, **refused))
    assert error.value.hint
    assert set(rows(database).values()) == {0}
    record(database, *order(**refused))


def test_a_window_has_a_beginning_before_its_end(database: Database) -> None:
    with pytest.raises(Misuse, match="not before"):
        record(database, *order(since=date(2024, 3, 4), until=date(2024, 3, 4)))


def test_a_window_records_what_a_source_of_its_part_gives(database: Database) -> None:
    pull_requests = [one for one in story().pull_requests() if one.created_at.date() >= date(2024, 3, 12)]
    loose = list(story().loose_commits())
    part = record(database, *order(since=date(2024, 3, 12)))
    left = record(database, *order(Facts(*pull_requests, loose=loose, repositories=story().repositories)))
    assert 0 < total(part) < TOTAL
    assert (part.sealed.run.root, left.sealed.appended) == (left.sealed.run.root, 0)


def test_a_window_takes_nothing_away(database: Database) -> None:
    whole = record(database, *order())
    policies = dict.fromkeys(ENGINEERING.fact_kinds, Policy.ONCE)
    part = record(database, *order(since=date(2024, 3, 12), policies=policies))
    assert part.sealed.run.totals["removed"] == TOTAL - total(part) > 0
    assert part.sealed.run.state == whole.sealed.run.state


class Breaking(Facts):
    """A source whose third entry cannot be right."""

    def pull_requests(self) -> Iterator[PullRequest]:
        for one in super().pull_requests():
            if one.number == 3:
                raise BadInput("shop.json: entry 2: title: is missing")
            yield one


@pytest.mark.parametrize(
    "source",
    [
        Breaking(*(pull_request(number) for number in range(1, 5))),
        Facts(pull_request(1), pull_request(2, title="half \ud800 a pair")),
        Facts(pull_request(1), pull_request(2, body="a NUL \0")),
    ],
    ids=["entry", "surrogate", "nul"],
)
def test_bad_input_leaves_the_journal_as_it_was(database: Database, source: Facts) -> None:
    record(database, *order())
    before = rows(database)
    with pytest.raises(BadInput):
        record(database, *_without_digest(source))
    assert rows(database) == before


def _without_digest(source: Facts) -> Order:
    source.digest = lambda: "00"  # type: ignore[method-assign]  # half a pair has no bytes to digest
    return order(source)


def test_what_was_skipped_is_told_every_time(database: Database) -> None:
    class Skipping(Facts):
        def pull_requests(self) -> Iterator[PullRequest]:
            self.skipped = [Skipped(file="shop.json", entry="entry 1", reason="title: is missing")]
            return super().pull_requests()

    for _ in range(2):
        found = record(database, *order(Skipping(pull_request(1)), skip_invalid=True))
        assert [one.entry for one in found.skipped] == ["entry 1"]
        assert not found.sealed.reused


def test_fresh_starts_the_state_anew(database: Database, open_url: Callable[[str], Database], tmp_path: Path) -> None:
    other_database = open_url(f"sqlite:///{tmp_path}/other.db")
    record(database, *order())
    other = Facts(pull_request(50))
    kept = record(database, *order(other)).sealed.run
    fresh = record(database, *order(other, fresh=True)).sealed
    assert kept.state != kept.root
    assert fresh.run.state == fresh.run.root == record(other_database, *order(other)).sealed.run.root


def test_progress_is_told(database: Database) -> None:
    heard: list[tuple[str, int, int | None]] = []
    record(database, *order(), lambda *told: heard.append(told))
    assert [stage for stage, _, _ in heard][:2] == ["comparing inputs", "reading"]
    assert sum(count for stage, count, _ in heard if stage == "simulating") == 3
    assert sum(count for stage, count, _ in heard if stage == "appending") == TOTAL


def test_events_say_who_made_them(database: Database) -> None:
    source = story()
    source.versions = {"scales": "3.1"}
    run = record(database, *order(source)).sealed.run
    with database.read() as connection:
        assert newest(connection, "acme") == run
        assert set(read_manifest(connection, run.root).kinds) == {event.kind for event in events_of(story())}
        told = {row[0] for row in connection.execute(text("SELECT DISTINCT provenance FROM journal_events"))}
    assert told == {f"{name}/{version} scales/3.1" for name, version in GENERATORS.items()}


def test_one_pull_request_twice_is_refused(database: Database) -> None:
    with pytest.raises(BadInput, match="occurs twice in one run"):
        record(database, *order(Facts(pull_request(1), pull_request(1, title="Sell pears"))))
    assert rows(database)["journal_runs"] == 0


def test_facts_are_values() -> None:
    assert msgspec.structs.replace(commit(1, who("ada"), at())) == commit(1, who("ada"), at())


def test_a_recording_that_another_one_overtakes_reads_what_that_one_left(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(database, *order())
    whole, more = recording.simulate, []

    def overtaken(*given: Any, **named: Any) -> date:
        if not more:
            more.append(None)
            more.append(record(database, *order(Facts(pull_request(99)))).sealed.run)
        return whole(*given, **named)

    monkeypatch.setattr(recording, "simulate", overtaken)
    run = record(database, *order(reuse=False)).sealed.run
    assert run.run == 3
    assert run.inputs["state"] == more[1].state.hex()  # type: ignore[attr-defined]
    assert run.root == record(database, *order(reuse=False)).sealed.run.root

"""A source in which a few titles differ: what it changes, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from benchmarks.altered import Altered
from benchmarks.processes import own, seedjournal
from benchmarks.sources import choose
from seedjournal.simulators.engineering.demo.source import DemoSource

DEMO = DemoSource(project="bench", seed=42, prs=30)
RECORD = ("record", "--project", "bench", "--new", "--source", "demo", "--set", "prs=30", "--json", "--quiet")
RECORD = (*RECORD, "--policy", "github=upsert")


def test_only_the_chosen_titles_differ() -> None:
    chosen = choose(DEMO, 3)
    assert [number for _, number in chosen] == [pull.number for pull in DEMO.pull_requests()][::10]
    altered = Altered(DEMO, frozenset(chosen))
    for before, now in zip(DEMO.pull_requests(), altered.pull_requests(), strict=True):
        is_chosen = (before.repo, before.number) in chosen
        assert (before == now) is not is_chosen
        assert now.title == before.title + " (altered)" * is_chosen
    assert list(altered.loose_commits()) == list(DEMO.loose_commits())
    assert (altered.name, altered.repositories, altered.skipped) == ("demo", DEMO.repositories, [])
    assert len({DEMO.digest(), altered.digest(), Altered(DEMO, frozenset(chosen[:2])).digest()}) == 3


def test_no_more_are_chosen_than_there_are() -> None:
    assert len(choose(DEMO, 1000)) == 30


@pytest.mark.slow
def test_each_changes_two_entities(tmp_path: Path) -> None:
    place = ("--journal", f"sqlite:///{tmp_path}/j.db")
    seedjournal((*RECORD, *place), tmp_path)
    _, chosen = own("sources", ("choose", "5", "demo", "prs=30"), tmp_path)
    (tmp_path / "chosen.json").write_text(json.dumps(chosen))
    _, document = own("sources", ("altered", str(tmp_path / "chosen.json"), *RECORD, *place), tmp_path)
    run = document["runs"][0]
    assert {kind: count["changed"] for kind, count in run["kinds"].items() if count["changed"]} == {
        "pull_request": 5,
        "jira_issue": 5,
    }
    assert (run["counts"]["added"], run["counts"]["removed"], run["appended"]) == (0, 0, 10)


def test_reading_is_timed(tmp_path: Path) -> None:
    sample, document = own("sources", ("digest", "demo", "prs=30"), tmp_path)
    assert document["events"] == len(DEMO.digest())
    assert sample.seconds == document["seconds"] > 0


def test_titles_that_may_change_more_or_less_are_not_chosen() -> None:
    first = next(DEMO.pull_requests())

    class Few:
        def pull_requests(self) -> list[object]:
            named = {"ABC-12 title": "main", "title": "ABC-12", "t" * 150: "main", "a title": "pr-12"}
            return [msgspec.structs.replace(first, title=title, head_ref=ref) for title, ref in named.items()]

    (chosen,) = choose(Few(), 4)  # type: ignore[arg-type]
    assert chosen == (first.repo, first.number)

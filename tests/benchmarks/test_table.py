"""What is measured, and how it is told."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from benchmarks import datasets
from benchmarks.__main__ import chosen
from benchmarks.course import Course, Samples
from benchmarks.databases import SQLite
from benchmarks.datasets import demo
from benchmarks.options import Options, read_options
from benchmarks.processes import Sample
from benchmarks.rows import ROWS, Row, figure
from benchmarks.stages import STAGES
from benchmarks.table import number, table


def sample(seconds: float, peak: float = 1, *, whole: bool = True) -> Sample:
    return Sample(seconds=seconds, cpu=seconds, peak=peak, whole=whole)


@pytest.fixture
def course(tmp_path: Path) -> Course:
    """A course with samples of two steps, three repeats each."""
    course = Course(SQLite(tmp_path), demo(2_000), tmp_path, lambda _: None, repeats=3)
    for step, times in (("step", (2, 4, 9)), ("floor", (1, 2, 3))):
        for seconds in times:
            course.add(step, sample(seconds, peak=seconds * 10, whole=step == "step"))
    return course


def row(**target: float) -> Row:
    return Row(name="a row", stages=(), figures=lambda s: s.ratios("step", "floor"), **target)  # type: ignore[arg-type]


def test_the_median_of_the_repeats_is_held_against_the_target(course: Course) -> None:
    for target, reached in (({"most": 2}, True), ({"most": 1.9}, False), ({"least": 2}, True), ({"least": 2.1}, False)):
        found = figure(row(**target), course)
        assert found
        assert (found.values, found.median, found.reached) == ([2, 2, 3], 2, reached)
    assert figure(row(), course).reached is None  # type: ignore[union-attr]


def test_cpu_time_is_told_beside_where_it_differs(course: Course) -> None:
    course.samples.by_step["floor"][:] = [Sample(seconds=1, cpu=3, server=1, peak=1)] * 3
    found = figure(row(), course)
    assert found
    assert (found.median, found.by_cpu) == (4, 1)
    assert "4 (2 to 9) [1]" in table("demo", [row()], {"SQLite": {"a row": found}})


def test_only_whole_commands_have_a_peak(course: Course) -> None:
    course.add("floor", sample(1, peak=1000, whole=False))
    assert course.samples.highest_peak() == (90, "step")


def test_a_row_that_is_not_there_has_no_figure(course: Course) -> None:
    assert figure(Row(name="none", stages=(), figures=lambda _: []), course) is None
    other = Row(name="other", stages=(), figures=lambda s: s.seconds("step"), makes=("PostgreSQL",))
    assert figure(other, course) is None


def test_the_table_tells_target_median_spread_and_verdict(course: Course) -> None:
    rows = [row(most=1.5), Row(name="empty", stages=(), figures=lambda _: [])]
    figures = {"SQLite": {one.name: found for one in rows if (found := figure(one, course))}, "PostgreSQL": {}}
    assert table("demo", rows, figures).splitlines() == [
        "demo",
        "----",
        "[in brackets: by CPU seconds, the server's included]",
        "                                          target    SQLite                           PostgreSQL",
        "a row                                     ≤ 1.5     2 (2 to 3) NO",
    ]


def test_samples_pair_by_repeat() -> None:
    samples = Samples()
    samples.by_step["step"] += [sample(4), sample(9)]
    samples.by_step["floor"] += [sample(2), sample(3)]
    assert samples.ratios("step", "floor") == [2, 3]


def test_every_stage_has_its_place_and_every_row_its_name() -> None:
    assert {stage for one in ROWS for stage in one.stages} <= set(STAGES)
    assert len({one.name for one in ROWS}) == len(ROWS)


def test_options_come_from_the_environment(tmp_path: Path) -> None:
    options = read_options(
        {"BENCH_EVENTS": "5000", "BENCH_ONLY": "diff, SQLite,", "BENCH_CACHE": str(tmp_path), "BENCH_FLAT": "1"}
    )
    assert (options.events, options.repeats, options.only) == (5000, 3, ("diff", "sqlite"))
    assert (options.cache, options.flat) == (tmp_path, True)
    assert read_options({"BENCH_CACHE": ""}).cache is None
    for wrong in ({"BENCH_EVENTS": "many"}, {"BENCH_EVENTS": "10"}, {"BENCH_REPEATS": "0"}, {"BENCH_CACHE": "/none"}):
        with pytest.raises(SystemExit, match=next(iter(wrong))):
            read_options(wrong)


def test_words_choose_rows_and_data_sets(tmp_path: Path) -> None:
    (tmp_path / "o").mkdir()
    for name, count in (("small", 3), ("large", 9)):
        text = b'{"github_pr_id": 1}' * count
        (tmp_path / "o" / f"{name}.json.gz").write_bytes(gzip.compress(text))
    options = Options(events=10_000, cache=tmp_path)
    assert [data.name for data, _ in chosen(options)] == [
        "demo of 10,000 events",
        "real projects",
        "real project of 9 pull requests",
    ]
    ((data, rows),) = chosen(Options(events=10_000, cache=tmp_path, only=("demo", "diff", "its peak", "sqlite")))
    assert (data.name, [one.name.strip() for one in rows]) == (
        "demo of 10,000 events",
        ["diff of two runs, 100 changes", "its peak memory"],
    )
    with pytest.raises(SystemExit, match="'dif f'"):
        chosen(Options(only=("dif f",)))
    with pytest.raises(SystemExit, match="no data set"):
        chosen(Options(cache=tmp_path, only=("real projects", "second time")))


def test_small_demos_are_not_held_against_the_seed_system() -> None:
    (_, small), (_, large) = (chosen(Options(events=events))[-1] for events in (10_000, 1_000_000))
    assert [one.target for one in small] == ["", ""]
    assert all(one.target for one in large)


def test_a_demo_is_of_about_so_many_events() -> None:
    assert datasets.demo(1_000_000).settings == ("prs=45735",)
    third = datasets.demo(3_000).at(1 / 3)
    assert third
    assert third.name == "demo of 1,000 events"
    assert datasets.real(Path()).at(3) is None


def test_numbers_have_the_digits_that_matter() -> None:
    assert [number(one) for one in (0.5234, 23.46, 100, 1234.6, 0)] == ["0.52", "23.5", "100", "1,235", "0"]

"""How like two databases are: the figures, on values whose figures are known and on two invented projects."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import realism
from benchmarks.processes import seedjournal

_VALUES = st.lists(st.integers(-5, 5), min_size=2, max_size=40)


@pytest.fixture(scope="module")
def databases(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Two invented projects of different names."""
    folder = tmp_path_factory.mktemp("realism")
    found = []
    for name in ("one", "other"):
        place = ("--journal", f"sqlite:///{folder}/{name}.db", "--quiet")
        seedjournal(("record", "--project", name, "--new", "--source", "demo", "--set", "prs=120", *place), folder)
        seedjournal(("project", *place), folder)
        found.append(f"{folder}/{name}.db")
    return found


@given(_VALUES, _VALUES)
def test_distances_are_between_nothing_and_one_and_have_no_direction(one: list[int], other: list[int]) -> None:
    for ordered in (True, False):
        found = realism.distance(one, other, ordered=ordered)
        assert found == pytest.approx(realism.distance(other, one, ordered=ordered))
        assert 0 <= found <= 1
        assert realism.distance(one, one, ordered=ordered) == 0


def test_what_has_nothing_in_common_is_as_far_apart_as_can_be() -> None:
    assert realism.distance([0, 0], [-1, 2, -2, 3, 1, 1], ordered=False) == 1
    assert realism.distance([1, 2], [3, 4]) == realism.distance("ab", "cd", ordered=False) == 1


@given(_VALUES)
def test_a_trend_depends_on_ranks_alone(values: list[int]) -> None:
    cubes = [value**3 for value in values]
    assert realism.spearman(values, cubes) == pytest.approx(1 if len(set(values)) > 1 else 0)
    assert realism.spearman(values, [-one for one in cubes]) == pytest.approx(-1 if len(set(values)) > 1 else 0)


def test_a_quantile_is_a_value() -> None:
    assert [realism.quantile([3, 1, 2], share) for share in (0, 0.5, 0.99)] == [1, 2, 3]


@pytest.mark.slow
def test_a_database_is_like_itself(databases: list[str]) -> None:
    one = realism.look(databases[0])
    assert realism.trends(one, one) == 1
    assert set(realism.shapes(one, one).values()) == {1}
    assert realism.tails(one, one) == [1, 1, 1]
    assert len(one.columns) == 16
    assert len(one.openings) == 120
    assert one.order == pytest.approx(1)


@pytest.mark.slow
def test_the_tables_and_plots_of_two_databases(
    databases: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    realism.main([*databases, "--plots", str(tmp_path / "plots")])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("|")[1].strip() for line in lines if line] == [
        *("database", "---", "one", "other", "pair", "---", "one / other", "column shapes", "---", "one / other")
    ]
    plots = sorted((tmp_path / "plots").iterdir())
    assert len(plots) == 12
    assert all(len(ET.fromstring(plot.read_text()).findall("{*}polyline")) == 2 for plot in plots)


def test_a_database_without_pull_requests_is_refused(tmp_path: Path) -> None:
    place = ("--journal", f"sqlite:///{tmp_path}/j.db", "--quiet")
    seedjournal(("record", "--project", "none", "--new", "--source", "demo", "--set", "prs=0", *place), tmp_path)
    seedjournal(("project", *place), tmp_path)
    with pytest.raises(SystemExit, match="j has no merged pull request"):
        realism.main([f"{tmp_path}/j.db"])


@pytest.mark.more
def test_a_tree_tells_apart_what_differs_and_nothing_else(databases: list[str]) -> None:
    one = realism.look(databases[0])
    halves = [realism.Look(one.name, one.columns, one.rows[half::2], [], [], 0) for half in (0, 1)]
    later = realism.Look(one.name, one.columns, [[value + 1 for value in row] for row in one.rows], [], [], 0)
    alike, apart = realism.told_apart(*halves), realism.told_apart(one, later)
    assert alike is not None
    assert apart is not None
    assert alike[0] < 0.7 < apart[0]

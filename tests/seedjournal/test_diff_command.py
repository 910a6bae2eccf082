"""`diff`: what it compares by default, what it leaves out and says so, and how it reads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.seedjournal.commands import DEMO, Done, entry, write_cache

Run = Callable[..., Done]


@pytest.fixture
def make() -> str:
    """One make: runs are compared by the same code on either."""
    return "sqlite"


FIVE, NINE = (*DEMO, "--set", "prs=5"), (*DEMO, "--set", "prs=9")
CACHE = ("record", "--project", "rocket", "--new", "--source", "cache:.seeding_cache", "--policy", "github=exact")


@pytest.fixture
def _three_runs(filled: Callable[..., str]) -> None:
    filled(FIVE, NINE, NINE)


@pytest.mark.usefixtures("_three_runs")
def test_equal_runs_name_the_last_two_that_were_not(run: Run) -> None:
    document = run("diff", "--json").json
    assert (document["from"], document["to"], document["equal"], document["last_different"]) == (2, 3, True, [1, 2])
    assert run("diff").out.endswith("equal\nthe last two runs that differ: `seedjournal diff 1 2`\n")
    assert run("diff", "--exit-code").status == 0


@pytest.mark.usefixtures("_three_runs")
def test_every_form_of_a_run(run: Run) -> None:
    roots = [one["root"] for one in run("log", "--json").json["runs"]]
    wanted = run("diff", "1", "2", "--json").json
    for old, new in (("1", "demo@-1"), ("demo@-2", "demo@latest"), (roots[0], roots[1][:7]), (roots[0][:10], "2")):
        found = run("diff", old, new, "--json").json
        assert found["changes"] == wanted["changes"]
    assert run("diff", "1", "--json").json["to"] == 3
    for wrong in ("9", "demo@-3", "demo@first", "other@latest", roots[0][:6], "0000000", "٣"):
        assert "run" in run("diff", wrong, "--json", status=2).error["message"]


@pytest.mark.usefixtures("_three_runs")
def test_nothing_is_cut_silently(run: Run) -> None:
    whole = run("diff", "1", "2", "--json").json
    part = run("diff", "1", "2", "--limit", "3", "--json").json
    assert (len(part["changes"]), part["truncated"], whole["truncated"]) == (3, True, False)
    assert part["left_out"] == len(whole["changes"]) - 3
    assert part["kinds"] == whole["kinds"]
    text = run("diff", "1", "2", "--limit", "3").out
    assert f"… {part['left_out']} more changes left out; --limit N shows more\n" in text
    assert "left out" not in run("diff", "1", "2").out


@pytest.mark.usefixtures("_three_runs")
def test_filters_and_exit_code(run: Run) -> None:
    added = run("diff", "1", "2", "--kind", "pull_request", "--change", "added", "--json", "--exit-code", status=1).json
    assert {change["kind"] for change in added["changes"]} == {"pull_request"}
    assert len(added["changes"]) == 4
    run("diff", "1", "2", "--kind", "pull_request", "--change", "removed", "--exit-code")
    run("diff", "1", "2", "--stat", "--exit-code", status=1)
    run("diff", "1", "2", "--limit", "0", "--exit-code", status=1)
    stat = run("diff", "1", "2", "--stat", "--json").json
    assert (stat["changes"], stat["truncated"]) == ([], bool(stat["left_out"]))
    assert stat["truncated"]
    assert stat["kinds"]["pull_request"] == {"added": 4, "removed": 0, "changed": 0}
    assert "There is no kind" in run("diff", "--kind", "nonsense", status=2).err


def test_the_text_is_as_it_was(at: str, run: Run, golden: Callable[[str, str], None], tmp_path: Path) -> None:
    write_cache(tmp_path / ".seeding_cache", entry(1), entry(2), entry(3, title="x" * 70))
    run(*CACHE)
    changed = entry(3, title="x" * 69 + "y", additions=11, labels=["bug"])
    write_cache(tmp_path / ".seeding_cache", entry(1), changed, entry(4))
    run(*CACHE)
    golden("diff", run("diff").out)
    golden("diff-stat", run("diff", "--stat").out)


def test_what_a_terminal_should_not_get_is_escaped(at: str, run: Run, tmp_path: Path) -> None:
    write_cache(tmp_path / ".seeding_cache", entry(1))
    run(*CACHE)
    title = "\x1b[31mred\u202eturned\u200f " + "long " * 20
    labels = ["\u202ebug"]
    write_cache(tmp_path / ".seeding_cache", entry(1, title=title, labels=labels), entry(2, head_ref="\x9b2J"))
    run(*CACHE)
    run("project")
    for command in (("diff",), ("show", "pull_request", "rocket", "acme/rocket", "1"), ("show", "2"), ("log",)):
        out = run(*command).out
        assert not set(out) & {"\x1b", "\u202e", "\u200f", "\x9b"}
    assert r"\x1b[31mred\u202eturned\u200f" in run("diff").out
    assert run("diff", "--json").json["changes"][-1]["kind"]


def test_a_window_is_told_beside_what_is_removed(at: str, run: Run, tmp_path: Path) -> None:
    write_cache(tmp_path / ".seeding_cache", entry(1), entry(20))
    run(*CACHE[:-2])
    recorded = run(*CACHE[:-2], "--since", "2025-03-10", "--json").first
    assert recorded["window"]["since"] == "2025-03-10"
    assert "was recorded with a window" in run("diff").out
    assert run("diff", "--json").json["window"]["since"] == "2025-03-10"
    assert "window: since 2025-03-10" in run("show", "2").out

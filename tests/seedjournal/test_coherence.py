"""Tables never contradict themselves, whatever was recorded before, in whatever order, by whatever policies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.seedjournal.coherence import RULES, RULES_OF_THE_DEMO, broken, invented_times
from tests.seedjournal.commands import DEMO, Done, entry, rows_of, write_cache

Run = Callable[..., Done]
Step = tuple[str, ...]

SMALL, MORE = (*DEMO, "--set", "prs=12"), (*DEMO, "--set", "prs=16")
HISTORIES: dict[str, tuple[Step, ...]] = {
    "grown and shrunk": (SMALL, MORE, SMALL),
    "another day": (SMALL, (*SMALL, "--as-of", "2025-06-20"), (*SMALL, "--as-of", "2025-06-21")),
    "the next day": (MORE, (*MORE, "--as-of", "2025-07-01"), (*MORE, "--as-of", "2025-07-08")),
    "by all policies": (SMALL, (*MORE, "--policy", "github=upsert"), (*SMALL, "--policy", "github=exact"), MORE),
    "another seed, upsert": (
        SMALL,
        (*SMALL, "--seed", "7", "--policy", "github=upsert"),
        (*MORE, "--policy", "commit=upsert"),
    ),
    "a window": (MORE, (*MORE, "--until", "2025-06-20"), SMALL),
}


# Facts that an earlier run stated stay, whatever day a later run is stated for.
RULES_OF = {"another day": [rule for rule in RULES_OF_THE_DEMO if rule is not invented_times]}


# What is recorded does not depend on the database; what policies keep may.
ON_POSTGRESQL = ("by all policies",)
QUICK = ("grown and shrunk", "the next day")
BY_MAKE = [
    *(("postgresql", name) for name in ON_POSTGRESQL),
    *(pytest.param("sqlite", name, marks=() if name in QUICK else pytest.mark.slow) for name in HISTORIES),
]


@pytest.mark.parametrize(("make", "history"), BY_MAKE)
def test_tables_agree_with_each_other(history: str, filled: Callable[..., str], run: Run) -> None:
    (first, *others), rules = HISTORIES[history], RULES_OF.get(history, RULES_OF_THE_DEMO)
    at = filled(first, ("project",))
    assert broken(at, RULES_OF_THE_DEMO) == {}
    for step in others:
        run(*step)
        run("project", "--yes")
        assert broken(at, rules) == {}
    assert run("verify", "--json").json["ok"]


@pytest.mark.parametrize(("make", "policy"), [("sqlite", "once"), ("postgresql", "upsert")])
def test_another_seed_takes_the_place_of_an_invention(policy: str, at: str, run: Run) -> None:
    other = (*SMALL, "--seed", "7")
    alone = run(*other, "--journal", "sqlite:///alone.db", "--json").first
    first = run(*SMALL, "--json").first
    run("project")
    done = run(*other, "--policy", f"github={policy}")
    told = "Seed 7 invents another project than run 1 (seed 42) and replaces it as a whole"
    assert told in " ".join(done.out.split())
    again = run(*other, "--policy", f"github={policy}", "--json").first
    assert again["state"] == alone["state"] != first["state"]
    assert again["counts"]["kept"] == again["appended"] == 0
    run("project", "--yes")
    assert len(rows_of(at, "pull_requests")["pull_requests"]) == 12
    assert broken(at, RULES_OF_THE_DEMO) == {}


def test_a_part_of_another_invention_is_refused(run: Run) -> None:
    run(*SMALL)
    refused = run(*SMALL, "--seed", "7", "--since", "2025-06-20", status=2).err
    assert "Seed 7 invents another project than run 1 (seed 42)" in " ".join(refused.split())
    assert "--project NAME --new" in refused
    run(*SMALL, "--since", "2025-06-20")


@pytest.mark.parametrize(
    ("make", "policy"),
    [("sqlite", "once"), ("postgresql", "upsert"), pytest.param("sqlite", "exact", marks=pytest.mark.slow)],
)
def test_tables_agree_whatever_export_comes_first(policy: str, at: str, run: Run, tmp_path: Path) -> None:
    open_, done = _of_one_pull_request()
    exports = (
        [{**entry(1), **open_}, entry(2)],
        [{**entry(1), **done}, entry(2, author_login="Renamed"), entry(3, author_login="roadrunner")],
        [{**entry(1), **open_}, entry(3)],
    )
    for export in exports:
        write_cache(tmp_path / "cache", *export)
        run(
            "record", "--project", "rocket", "--new", "--source", "cache:cache", "--policy", f"github={policy}", "--yes"
        )
        run("project", "--yes")
        assert broken(at, RULES) == {}


def _of_one_pull_request() -> tuple[dict[str, object], dict[str, object]]:
    """Return what an early and a late export say of a pull request: in between it is reviewed, changed and merged."""
    commits = [
        {"sha": letter * 40, "message": "Paint", "author_login": "wile", "committed_at": f"2025-03-01T{hour}:00:00Z"}
        for letter, hour in (("a", "07"), ("b", "10"))
    ]
    commits = [{**one, "author_name": "Wile", "additions": 5, "deletions": 1} for one in commits]
    review = {
        "github_review_id": 7,
        "reviewer_login": "acme",
        "state": "APPROVED",
        "submitted_at": "2025-03-01T11:00:00Z",
    }
    file = {"filename": "rocket.py", "status": "modified", "additions": 10, "deletions": 2}
    open_ = {"state": "open", "is_merged": False, "merged_at": None, "closed_at": None, "updated_at": None}
    early = {**open_, "commits": commits[:1], "commits_count": 1}
    return early, {"commits": commits, "commits_count": 2, "reviews": [review], "files": [file], "changed_files": 1}


@pytest.mark.parametrize("make", ["sqlite"])
def test_what_came_later_is_reported_and_comes_with_upsert(at: str, run: Run, tmp_path: Path) -> None:
    early, late = _of_one_pull_request()
    record = ("record", "--project", "rocket", "--new", "--source", "cache:cache")
    write_cache(tmp_path / "cache", {**entry(1), **early})
    run(*record)
    write_cache(tmp_path / "cache", {**entry(1), **late})
    kept = run(*record)
    assert (
        "1 pull request stays as it was first recorded (policy once), without what came later: "
        "1 commit, 1 file, 1 review; --policy github=upsert takes the newer content" in " ".join(kept.out.split())
    )
    assert run(*record, "--no-reuse", "--json").first["appended"] == 0
    run("project")
    assert len(rows_of(at, "commits", "pr_reviews")["commits"]) == 1
    run(*record, "--policy", "github=upsert")
    run("project", "--yes")
    assert {name: len(rows) for name, rows in rows_of(at, "commits", "pr_reviews", "pr_files").items()} == {
        "commits": 2,
        "pr_reviews": 1,
        "pr_files": 1,
    }
    assert broken(at, RULES) == {}

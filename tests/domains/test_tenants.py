"""An application of several tenants, complete: shared kinds, a tree, many to many, parts, references to several kinds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.domains.test_examples import rows
from tests.seedjournal.commands import Done, asked, execute

Run = Callable[..., Done]
TABLES = "plans users tenants members folders tasks labels task_labels comments".split()

# Each says that a row contradicts the rows that it is derived from.
CONTRADICTIONS = {
    "task.comments": "SELECT id FROM tasks t WHERE comments <> "
    "(SELECT count(*) FROM comments c WHERE c.target_kind = 'task' AND c.target_id = t.id)",
    "task.labels": "SELECT id FROM tasks t WHERE labels <> (SELECT count(*) FROM task_labels l WHERE l.task_id = t.id)",
    "task.last_comment": "SELECT t.id FROM tasks t JOIN comments c ON c.id = t.last_comment_id "
    "WHERE c.target_kind <> 'task' OR c.target_id <> t.id OR c.at < (SELECT max(o.at) FROM comments o WHERE "
    "o.target_kind = 'task' AND o.target_id = t.id)",
    "folder.tasks": "SELECT id FROM folders f WHERE tasks <> (SELECT count(*) FROM tasks t WHERE t.folder_id = f.id)",
    "folder.folders": "SELECT id FROM folders f WHERE folders <> "
    "(SELECT count(*) FROM folders i WHERE i.inside_id = f.id)",
    "comment.target": "SELECT id FROM comments WHERE (target_kind = 'task') <> (target_id IN (SELECT id FROM tasks))",
}


def contradictions(url: str) -> dict[str, int]:
    return {name: count for name, query in CONTRADICTIONS.items() if (count := len(asked(url, query)))}


def kinds(done: Done) -> dict[str, dict[str, int]]:
    return {kind: counts for one in done.json["projects"].values() for kind, counts in one["kinds"].items()}


def counted(done: Done, *names: str) -> dict[str, dict[str, int]]:
    found = {kind: {name: counts[name] for name in names if counts[name]} for kind, counts in kinds(done).items()}
    return {kind: counts for kind, counts in found.items() if counts}


def state(url: str) -> dict[str, list[tuple[Any, ...]]]:
    return {table: rows(url, table) for table in TABLES}


@pytest.mark.parametrize("make", [pytest.param("sqlite", marks=pytest.mark.slow), "postgresql"])
def test_the_whole_life_of_an_application(example: Callable[[str], Path], run: Run, at: str) -> None:
    folder = example("tenants")
    seeds = folder / "seeds.py"
    fewer = (
        seeds.read_text()
        .replace('"tasks": 30', '"tasks": 9')
        .replace('draw.many("users", 40)', 'draw.many("users", 12)')
    )
    seeds.write_text(fewer)
    runs = run("record", "--all", "--json").json["runs"]
    assert [one["project"] for one in runs] == ["tenants", "acme", "tenants", "globex"]
    done = run("project", "--json")
    assert next(iter(done.json["projects"])) == "tenants"
    total = sum(one["counts"]["total"] for one in (runs[0], runs[1], runs[3]))
    assert (
        sum(sum(one["inserted"] for one in project["kinds"].values()) for project in done.json["projects"].values())
        == total
    )
    assert contradictions(at) == {}
    assert counted(run("project", "--json"), "inserted", "updated", "deleted") == {}
    assert run("verify", "--json").json["ok"]

    # Simulated again, nothing is another.
    before = state(at)
    again = run("record", "--all", "--no-reuse", "--json").json["runs"]
    assert [(one["appended"], one["root"]) for one in again] == [(0, one["root"]) for one in runs]

    # One user more in the middle of a reordered file.
    users = folder / "users.csv"
    head, *lines = users.read_text().splitlines()
    users.write_text("\n".join([head, lines[1], "cy@example.com,Cy", lines[0]]) + "\n")
    run("record", "--project", "acme")
    changes = run("diff", "tenants@-1", "tenants@latest", "--json").json["changes"]
    assert [(one["kind"], one["change"]) for one in changes] == [("user", "added")]
    assert counted(run("project", "--project", "acme", "--json"), "inserted")["user"] == {"inserted": 1}
    assert contradictions(at) == {}

    # A lost table, an edited total and a deleted row are found and brought back.
    execute(at, "UPDATE tasks SET comments = 77, last_comment_id = NULL")
    execute(at, "DELETE FROM task_labels")
    assert len(contradictions(at)) > 1
    assert not run("verify", "--json", status=1).json["ok"]
    assert {one["kind"] for one in run("diff", "--project", "acme", "--target", "--json").json["changes"]} == {
        "task_label",
        "task_total",
    }
    run("project", "--rebuild", "--yes")
    assert contradictions(at) == {}
    assert run("verify", "--json").json["ok"]
    assert {name: len(found) for name, found in before.items() if name != "users"} == {
        name: len(found) for name, found in state(at).items() if name != "users"
    }

    # Fewer of everything: what left goes, with what refers to it, and totals follow.
    few = ("--set", "tasks=3", "--set", "folders=2", "--set", "comments=1")
    run("record", "--project", "acme", *few)
    run("project", "--project", "acme", "--yes")
    assert contradictions(at) == {}
    assert run("project", "--json").json["projects"]["acme"]["kinds"]["task"]["stale"] == 0
    assert run("verify", "--json").json["ok"]
    run("unseed", "globex", "--yes")
    assert {row[0] for row in asked(at, "SELECT slug FROM tenants")} == {"acme"}


@pytest.mark.parametrize("make", ["sqlite"])
def test_a_shared_kinds_row_that_left_the_state_is_stale_until_it_is_pruned(
    example: Callable[[str], Path], run: Run, at: str
) -> None:
    folder = example("tenants")
    seeds = folder / "seeds.py"
    seeds.write_text(seeds.read_text().replace('draw.many("users", 40)', 'draw.many("users", 41)'))
    run("record", "--project", "acme")
    run("project")
    assert len(rows(at, "users")) == 43
    (folder / "users.csv").write_text("email,name\nada@example.com,Ada Admin\n")
    run("record", "--project", "acme")
    run("project")
    assert len(rows(at, "users")) == 43  # shared facts are upsert: the file no longer names Ben, and he stays


@pytest.mark.parametrize("make", ["sqlite"])
def test_projecting_one_tenant_leaves_the_others_alone(example: Callable[[str], Path], run: Run, at: str) -> None:
    example("tenants")
    run("record", "--all")
    run("project")
    execute(at, "UPDATE tasks SET title = 'mine' WHERE tenant_id = (SELECT id FROM tenants WHERE slug = 'globex')")
    for how in ((), ("--check",)):
        run("project", "--project", "acme", *how)
    assert {
        row[0]
        for row in asked(
            at, "SELECT DISTINCT title FROM tasks WHERE tenant_id IN (SELECT id FROM tenants WHERE slug = 'globex')"
        )
    } == {"mine"}

"""Runs: how they are stored, ordered, told apart and named."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from sqlalchemy import update

from seedjournal.journal import (
    Damaged,
    Database,
    Misuse,
    NodeHash,
    Run,
    all_runs,
    before,
    changed_inputs,
    find_run,
    newest,
    newest_of_each,
)
from seedjournal.journal.runs import RunNumber, add, seal_of, with_fingerprint
from seedjournal.journal.tables import RUNS
from tests.journal.things import tampering

A, B = NodeHash(bytes.fromhex("abcdef0" * 9 + "1")), NodeHash(bytes.fromhex("abcdef0" * 9 + "2"))
DIGITS = NodeHash(bytes.fromhex("1234567" * 9 + "f"))


def make_run(number: int, project: str = "p", root: NodeHash = A, **inputs: Any) -> Run:
    """A run that was recorded of nothing in particular."""
    return Run(
        run=RunNumber(number),
        project=project,
        root=root,
        state=root,
        fingerprint=root[:8],
        inputs={"policies": {}, "window": None, **inputs},
        counts={"kinds": {}, "kept_fields": {}, "appended": 0},
        sealed_at="2024-01-01T00:00:00Z",
        recorded_by="dev-1@desk",
    )


RUNS_MADE = (
    make_run(1),
    make_run(2, "a@b"),
    make_run(3, root=B),
    make_run(4, root=A),
    make_run(5, "digits", root=DIGITS),
)


@pytest.fixture
def filled(database: Database) -> Database:
    """A journal with five runs of three projects."""
    with database.write() as connection:
        for run in RUNS_MADE:
            add(connection, run)
    return database


def test_runs_are_read_back_as_they_were_stored(filled: Database) -> None:
    with filled.read() as connection:
        assert all_runs(connection) == list(RUNS_MADE)
        assert [run.run for run in all_runs(connection, "p")] == [1, 3, 4]
        assert newest(connection, "p") == RUNS_MADE[3]
        assert newest(connection, "nobody") is None
        assert {project: run.run for project, run in newest_of_each(connection).items()} == {
            "p": 4,
            "a@b": 2,
            "digits": 5,
        }
        assert before(connection, RUNS_MADE[3]) == RUNS_MADE[2]
        assert before(connection, RUNS_MADE[0]) is None
        assert with_fingerprint(connection, "p", A[:8]) == RUNS_MADE[3]
        assert with_fingerprint(connection, "p", DIGITS[:8]) is None


NAMES = {
    "1": 1,
    "003": 3,
    "p@latest": 4,
    "p@-0": 4,
    "p@-1": 3,
    "p@-2": 1,
    "a@b@latest": 2,
    B.hex(): 3,
    A.hex(): 4,  # the newest of those that share it
    "1234567": 5,
    "1234567" * 3: 5,
    DIGITS.hex(): 5,
}


def test_a_run_is_found_by_every_name(filled: Database) -> None:
    with filled.read() as connection:
        assert {name: find_run(connection, name).run for name in NAMES} == NAMES


REFUSED = {
    "6": "There is no run 6",
    "0": "There is no run 0",
    "7654321": "There is no run '7654321'",
    "9" * 80: "There is no run",
    "-1": "There is no run '-1'",
    "": "There is no run ''",
    "abcdef": "There is no run 'abcdef'",
    "abcdef0": "Root prefix 'abcdef0' is ambiguous",
    "ABCDEF0" * 9: "There is no run",
    "ffffffff": "There is no run 'ffffffff'",
    "\u0663": "There is no run",
    "latest": "There is no run 'latest'",
    "p@": "p@ names no run",
    "p@1": "p@1 names no run",
    "p@-x": "p@-x names no run",
    "p@--1": "p@--1 names no run",
    "p@-" + "9" * 30: "names no run",
    "p@-3": "Project 'p' has 3 runs, too few for @-3",
    "nobody@latest": "Project 'nobody' has no run in this journal",
    "@latest": "Project '' has no run",
}


def test_a_name_that_means_no_run_is_refused_with_a_way_out(filled: Database) -> None:
    with filled.read() as connection:
        for name, message in REFUSED.items():
            with pytest.raises(Misuse) as refused:
                find_run(connection, name)
            assert message in refused.value.message
            assert refused.value.hint


def test_changed_inputs_are_told_by_dotted_name() -> None:
    old = make_run(1, seed=1, versions={"github": 1, "jira": 1}, only_old="x")
    new = make_run(2, seed=1, versions={"github": 2, "jira": 1}, window={"since": "2024-01-01"})
    assert changed_inputs(old, new) == {
        "only_old": ("x", None),
        "versions.github": (1, 2),
        "window.since": (None, "2024-01-01"),
    }
    assert changed_inputs(old, old) == {}


@pytest.mark.parametrize("field", dataclasses.fields(Run), ids=lambda field: field.name)
def test_a_seal_covers_every_field(field: dataclasses.Field[Any]) -> None:
    run = make_run(1)
    others = {int: 9, str: "other", bytes: b"other", dict: {"other": 1}}
    assert seal_of(dataclasses.replace(run, **{field.name: others[type(getattr(run, field.name))]})) != seal_of(run)


def test_the_format_of_seals_stays_as_it_is() -> None:
    assert seal_of(make_run(1)).hex() == "fb688dbccb358f0618e6076362ce0a77846e7fb02d3dea35f01bd0c026a1167a"


def test_a_row_that_cannot_be_read_is_named(filled: Database) -> None:
    with filled.write() as connection, tampering(connection):
        connection.execute(update(RUNS).where(RUNS.c.run == 3).values(inputs='{"a":'))
    with filled.read() as connection, pytest.raises(Damaged, match="The row of run 3 cannot be read") as refused:
        all_runs(connection)
    assert "verify" in refused.value.hint

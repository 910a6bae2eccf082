"""The table of conventions: every example is read as its row says, and docs/data.md has every row."""

from __future__ import annotations

from pathlib import Path

import pytest

from seedjournal.simulators.engineering.git.conventions import CONVENTIONS, Convention, landings, subject

DOCS = Path(__file__).parents[2] / "docs" / "data.md"


@pytest.mark.parametrize("row", CONVENTIONS, ids=lambda row: row.name)
def test_every_example_is_read_as_its_row_says(row: Convention) -> None:
    (found,) = landings(row.example, 5, 2)
    assert (found.convention, found.place, found.is_merge) == (row, 5, True)
    assert (found.number, found.title, found.branch) == row.read
    alone = landings(row.example, 5, 1)
    assert [one.number for one in alone] == [row.read[0]]


@pytest.mark.parametrize("row", CONVENTIONS, ids=lambda row: row.name)
def test_the_docs_show_every_row(row: Convention) -> None:
    shown = subject(row.example)
    if row.is_trailer:
        shown = next(line for line in row.example.splitlines() if row.pattern.search(line))
    assert f"| {row.name} | `{shown}` |" in DOCS.read_text("utf-8")


@pytest.mark.parametrize(
    ("message", "parents", "read"),
    [
        ("Merge pull request #10 from org/release (#19)", 1, [(19, "Merge pull request #10 from org/release")]),
        ("Merge pull request #10 from org/release (#19)", 2, [(19, "Merge pull request #10 from org/release")]),
        ("Merge #10: Add a box (#19)", 1, [(19, "Merge #10: Add a box")]),
        ("Merge #10: Add a box (#19)", 2, [(10, "Add a box (#19)")]),
        ("Merged PR 107: Revert a seal (#3)", 1, [(107, "Revert a seal (#3)")]),
        ("Add a box (#202).", 1, [(202, "Add a box")]),
        ("Add a box (#203) [skip ci] [no test]", 1, [(203, "Add a box")]),
        ("gh-99: Add a box (GH-204)", 1, [(204, "gh-99: Add a box")]),
        ("Merge pull request 'Say \"(#3)\" (again)' (#8) from lid into main", 2, [(8, 'Say "(#3)" (again)')]),
        ("Merge #12 #13\n\n12: One r=ben\n13: Two", 3, [(12, "One"), (13, "Two")]),
        ("Merge branch 'x' into 'main'\n\nSee merge request !12", 2, [(12, "")]),
        ("Add (#5)\n\nReviewed-on: https://git.example.com/ann/app/pulls/5", 1, [(5, "Add")]),
        (
            "Pick\n\nReviewed-on: https://r.example.com/c/app/+/1\nReviewed-on: https://r.example.com/c/app/+/2",
            1,
            [(2, "Pick")],
        ),
        ("Bug #113342 - crash when closed", 1, []),
        ("Bug 113342: crash", 1, []),
        ('Revert "Add x (#1)"', 1, []),
        ("Merge branch 'main' into topic", 2, []),
        ("Try #109:", 2, []),
        ("Fix h (fixes #210)", 1, []),
        ("Differential Revision\n\nIt speaks of a Differential Revision: D12 in passing", 1, []),
    ],
)
def test_subjects_and_trailers(message: str, parents: int, read: list[tuple[int, str]]) -> None:
    assert [(one.number, one.title) for one in landings(message, 0, parents)] == read

"""docs/guarantees.md names only tests that exist, and each of its promises names some."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.mutations import PLANTED

TESTS = Path(__file__).parent
PAGE = (TESTS.parent / "docs" / "guarantees.md").read_text(encoding="utf-8")
NAMED = re.compile(r"`(?P<file>[\w/]+\.py)`|`(?P<folder>[\w/]+/)`|`(?P<test>test_\w+)`")


def functions(file: Path) -> set[str]:
    """The names of all functions in a file."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_named_test_exists() -> None:
    for line in PAGE.splitlines():
        there: set[str] = set()
        for named in NAMED.finditer(line):
            if file := named["file"]:
                assert (TESTS / file).is_file(), line
                there = functions(TESTS / file)
            elif folder := named["folder"]:
                assert (TESTS / folder).is_dir(), line
            else:
                assert named["test"] in there, f"{named['test']}: {line}"


def test_every_promise_names_what_holds_it() -> None:
    _, _, table = PAGE.partition("|---|---|\n")
    rows = table.partition("\n\n")[0].splitlines()
    assert len(rows) > 50
    for row in rows:
        _, promise, holder, _ = re.split(r"(?<!\\)\|", row)
        assert promise.strip()
        assert re.search(r"`[\w/]+\.py`|`[\w/]+/`", holder), row


def test_every_planted_mistake_has_its_place_and_its_row() -> None:
    for one in PLANTED:
        text = (TESTS.parent / one.file).read_text(encoding="utf-8")
        assert text.count(one.old) == 1, f"{one.promise}: {one.old}"
        assert f"| {one.promise} | `{one.test.partition('::')[0]}`" in PAGE, one.promise

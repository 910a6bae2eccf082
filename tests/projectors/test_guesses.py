"""What `init` takes a column for, by its type and its name."""

from __future__ import annotations

import pytest

from seedjournal.projectors.mapped.catalogue import Column
from seedjournal.projectors.starting.guesses import Sort, sort_of


@pytest.mark.parametrize(
    ("name", "type_", "sort"),
    [
        ("created_at", "TEXT", Sort.INSTANT),
        ("createdAt", "", Sort.INSTANT),
        ("timestamp", "TEXT", Sort.INSTANT),
        ("due_date", "TEXT", Sort.DATE),
        ("paid_on", "TEXT", Sort.DATE),
        ("at", "TEXT", Sort.TEXT),
        ("on", "TEXT", Sort.TEXT),
        ("combination", "TEXT", Sort.TEXT),
        ("created_at", "VARCHAR(10)", Sort.TEXT),
        ("created_at", "INTEGER", Sort.INTEGER),
        ("created_at", "TIMESTAMP", Sort.INSTANT),
    ],
)
def test_a_moment_in_a_text_of_sqlite_is_told_by_its_name(name: str, type_: str, sort: Sort) -> None:
    column = Column(name=name, type=type_, base=type_.lower(), nullable=True)
    assert sort_of(column, is_on_postgresql=False) is sort

"""`project --today` where the date in a key is that of the parent, and the row has dates of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.seedjournal.commands import Done, asked

Run = Callable[..., Done]

VISITS = """
    class Visit(Kind, key=("patient", "day")):
        patient: str
        day: date

    class Result(Kind, key=("visit", "taken")):
        visit: Visit
        taken: date
        seen: date | None

    one = Domain("one", kinds=(Visit, Result), today=date(2026, 1, 5))
    visit = Visit(patient="a", day=date(2025, 3, 1))
    one.facts(Visit, [visit])
    one.facts(Result, [Result(visit=visit, taken=date(2025, 3, 2), seen=date(2025, 3, 3))])
"""


def shown(at: str) -> list[str]:
    return [str(day) for day in asked(at, "SELECT taken, seen FROM results")[0]]


def test_rows_move_whose_key_has_the_date_of_a_parent(declare: Callable[..., Path], run: Run, at: str) -> None:
    declare(VISITS)
    run("record", "--project", "one")
    run("project", "--today", "2026-01-12")
    run("verify")
    run("project", "--today", "2026-01-20")
    assert shown(at) == ["2025-03-16", "2025-03-17"]
    run("verify")
    run("project", "--today", "off")
    assert shown(at) == ["2025-03-02", "2025-03-03"]
    run("verify")

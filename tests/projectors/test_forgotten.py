"""Targets that show what their journal forgot, what another journal made, and what is not to be shown any more."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from seedjournal.journal import Database, Finding, Policy, Unavailable, dialect_of, forget, journal_id
from seedjournal.journal.tables import JOURNAL
from seedjournal.projectors import KindResult, check, remove_project, unchecked
from seedjournal.projectors.notes import POSITIONS, ROWS
from tests.projectors.invented import (
    ALL_EXACT,
    ALL_UPSERT,
    SLUG,
    dump,
    everything,
    execute,
    note,
    rows,
    show,
    totals,
    with_changed,
)
from tests.projectors.kept import LAYOUT, emptied


def forget_runs(database: Database, *numbers: int, project: str = SLUG) -> None:
    """Forget these runs of a project."""
    with database.write() as connection:
        forget(connection, {project: list(numbers)})


def noted(database: Database) -> list[tuple[Any, ...]]:
    """What the target remembers beside its rows: stale and adopted ones."""
    with database.read() as connection:
        return sorted(map(tuple, connection.execute(select(ROWS))))


def found(journal: Database, target: Database) -> tuple[list[Finding], list[Finding]]:
    """What is wrong with the target, and what cannot be checked."""
    with journal.read() as source, target.read() as connection:
        return list(check(source, connection, LAYOUT)), list(unchecked(source, connection))


# Forgotten states


@pytest.mark.parametrize(
    ("database", "policies", "choice"),
    [("sqlite", ALL_UPSERT, {}), ("postgresql", ALL_EXACT, {"prune": True})],
    indirect=["database"],
)
def test_a_forgotten_state_is_left_as_if_it_was_known(
    database: Database, policies: dict[str, Policy], choice: dict[str, Any]
) -> None:
    """Rows and notes are those that the increments give where nothing is forgotten."""
    faithful = emptied(database.name, "other")
    for journal in (database, faithful):
        first = note(journal, everything(), policies)
        show(journal, first)
        second = note(journal, everything(numbers=(1, 2)), policies)
        last = note(journal, with_changed(everything(numbers=(1, 4)), "jira_issue", status="To Do"), policies)
        if journal is database:
            forget_runs(database, first.run, second.run)
        done = show(journal, last, **choice)
        assert done.forgotten is (journal is database)
    assert rows(database) == rows(faithful)
    assert noted(database) == noted(faithful)


def test_a_forgotten_state_is_told_and_no_finding(database: Database) -> None:
    first = note(database, everything(), ALL_EXACT)
    show(database, first)
    last = note(database, everything(numbers=(1,)), ALL_EXACT)
    forget_runs(database, first.run)
    wrong, open_ = found(database, database)
    assert wrong == []
    assert [one.problem for one in open_] == [
        f"shows run {first.run}, which was forgotten; `seedjournal project` brings it to the newest"
    ]
    show(database, last)
    assert found(database, database) == ([], [])


def test_a_forgotten_run_whose_state_remains_is_checked(database: Database) -> None:
    first = note(database, everything())
    show(database, first)
    note(database, everything())
    forget_runs(database, first.run)
    assert found(database, database) == ([], [])
    execute(database, "UPDATE teams SET name = 'edited'")
    wrong, _ = found(database, database)
    assert [one.what for one in wrong] == [f'team {{"slug":"{SLUG}"}}']


# Positions


def test_every_change_of_a_position_is_found(database: Database) -> None:
    run = note(database, everything(numbers=(1,)))
    note(database, everything(), {"team": Policy.UPSERT})
    for number in (run.run + 1, run.run + 7):
        show(database, run, take_over=True)
        execute(database, f"UPDATE seedjournal_positions SET run = {number}")
        wrong, _ = found(database, database)
        assert [(one.where, one.what) for one in wrong] == [("seedjournal_positions", SLUG)], number
    show(database, run, take_over=True)
    with database.write("target") as connection:
        connection.execute(POSITIONS.update().values(state=b"x" * 32))
    wrong, _ = found(database, database)
    (problem,) = (one.problem for one in wrong)
    assert f"as run {run.run} with state {b'x'.hex() * 32}, and in this journal run {run.run} has state" in problem
    execute(database, "UPDATE seedjournal_positions SET journal = 'other'")
    wrong, open_ = found(database, database)
    assert ([one.what for one in wrong], [one.what for one in open_]) == ([SLUG], [SLUG])


# Two journals


def test_two_journals_with_one_project_are_told_apart(database: Database) -> None:
    other = emptied(database.name, "other")
    show(database, note(database, everything()))
    theirs = note(other, everything(numbers=(1,)))
    before = dump(database)
    for choice in ({}, {"rebuild": True}, {"prune": True}, {"dry_run": True}):
        with pytest.raises(Unavailable, match=f"shows project '{SLUG}' of another journal") as refused:
            show(other, theirs, database, **choice)
        for journal in (database, other):
            with journal.read() as connection:
                assert journal_id(connection) in refused.value.message
        assert dump(database) == before
    (wrong,), (open_,) = found(other, database)
    assert "another journal" in wrong.problem
    assert open_.what == wrong.what == SLUG


def test_a_copy_of_a_journal_is_told_from_its_original(database: Database) -> None:
    """The same id, and a run of the same number with another state."""
    other = emptied(database.name, "other")
    with database.read() as connection:
        name = connection.execute(select(JOURNAL)).one()
    with other.write() as connection, dialect_of(connection).changeable(connection, [JOURNAL]):
        original = connection.execute(select(JOURNAL)).one()
        connection.execute(JOURNAL.update().values(**name._mapping))
    try:
        show(database, note(database, everything()))
        shown = note(database, everything(numbers=(1,)), ALL_EXACT)
        show(database, shown)
        note(other, everything())
        theirs = note(other, everything(numbers=(2,)), ALL_EXACT)
        before = dump(database)
        for choice in ({}, {"prune": True}, {"rebuild": True}):
            with pytest.raises(Unavailable, match="a copy of this journal filled it") as refused:
                show(other, theirs, database, **choice)
            assert shown.state.hex() in refused.value.message
            assert theirs.state.hex() in refused.value.message
            assert dump(database) == before
        wrong, _ = found(other, database)
        assert [one.where for one in wrong] == ["seedjournal_positions"]
        done = show(other, theirs, database, take_over=True)
        assert (done.taken_over, done.forgotten) == (True, False)
        assert found(other, database) == ([], [])
    finally:
        with other.write() as connection, dialect_of(connection).changeable(connection, [JOURNAL]):
            connection.execute(JOURNAL.update().values(**original._mapping))


def test_a_copy_with_the_same_runs_goes_on_working(database: Database) -> None:
    other = emptied(database.name, "other")
    run = note(database, everything())
    show(database, run, other)
    assert totals(show(database, run, other)) == (0, 0, 0)


def test_an_older_backup_of_a_journal_is_refused(database: Database) -> None:
    run = note(database, everything())
    show(database, run)
    execute(database, "UPDATE seedjournal_positions SET run = run + 5")
    with pytest.raises(Unavailable, match="neither has nor forgot") as refused:
        show(database, run)
    assert "--take-over" in refused.value.hint
    done = show(database, run, take_over=True)
    assert (done.taken_over, done.forgotten, totals(done)) == (True, False, (0, 0, 0))


def test_another_journals_rows_are_taken_over_on_request(database: Database) -> None:
    other = emptied(database.name, "other")
    show(database, note(database, everything()))
    theirs = note(other, everything(numbers=(1,)))
    done = show(other, theirs, database, take_over=True, prune=True)
    assert done.taken_over
    assert found(other, database) == ([], [])


def test_another_journals_project_beside_ones_own_is_no_finding(database: Database) -> None:
    other = emptied(database.name, "other")
    show(database, note(database, everything()))
    show(other, note(other, everything("gulls"), slug="gulls"), database)
    wrong, open_ = found(database, database)
    assert wrong == []
    assert [one.what for one in open_] == ["gulls"]


# Removing a project


def taken_out(database: Database, project: str = SLUG, source: Database | None = None) -> dict[str, KindResult]:
    """Remove a project in a transaction of its own."""
    with database.write("target") as connection, (source or database).read() as reading:
        return remove_project(reading, connection, LAYOUT, project)


def test_a_removed_project_leaves_nothing(database: Database) -> None:
    empty = dump(emptied(database.name, "cold"))
    show(database, note(database, everything("gulls"), slug="gulls"))
    gulls = rows(database)
    show(database, note(database, everything(), ALL_EXACT))
    show(database, note(database, everything(numbers=(1, 4)), ALL_EXACT))
    done = taken_out(database)
    assert sum(one.deleted for one in done.values()) == len(everything(numbers=(1, 2, 3, 4)))
    assert rows(database) == gulls
    taken_out(database, "gulls")
    assert not any(rows(database).values())
    target = [name for name in empty if name.endswith(("positions", "seedjournal_rows"))]
    assert len(target) == 2
    assert all(dump(database)[name] == [] for name in target)
    assert taken_out(database) == {}


def test_adopted_rows_stay_and_what_they_hold(database: Database) -> None:
    execute(database, f"INSERT INTO teams (id, slug, name) VALUES (7, '{SLUG}', 'theirs')")
    show(database, note(database, everything()))
    execute(database, "INSERT INTO team_members (id, team_id, login) VALUES (8, 7, 'by-hand')")
    done = taken_out(database)
    assert (done["team"].foreign, done["team"].deleted) == (1, 0)
    assert [row["id"] for row in rows(database)["teams"]] == [7]
    assert [row["login"] for row in rows(database)["team_members"]] == ["by-hand"]
    assert noted(database) == []


def test_what_a_users_row_refers_to_is_retained(database: Database) -> None:
    show(database, note(database, everything()))
    team = rows(database)["teams"][0]["id"]
    execute(database, f"INSERT INTO team_members (id, team_id, login) VALUES (8, {team}, 'by-hand')")
    done = taken_out(database)
    assert (done["team"].retained, done["team"].deleted) == (1, 0)
    assert [row["login"] for row in rows(database)["team_members"]] == ["by-hand"]
    run = note(database, everything(), fresh=True)
    assert totals(show(database, run)) == (len(everything()) - 1, 0, 0)


def test_what_another_journal_shows_is_not_removed(database: Database) -> None:
    other = emptied(database.name, "other")
    show(database, note(database, everything()))
    note(other, everything())
    before = dump(database)
    with pytest.raises(Unavailable, match=f"shows project '{SLUG}' of another journal"):
        taken_out(database, source=other)
    assert dump(database) == before

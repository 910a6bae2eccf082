"""Replay: equal states give equal rows, whatever was projected before and in whatever steps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event as sqlalchemy_event

from seedjournal.journal import Damaged, Database, Event, Misuse, Policy, Run, Unavailable, encode
from seedjournal.projectors import Choice, preview
from seedjournal.projectors.rows import derived_id
from tests import scale
from tests.projectors.invented import (
    ALL_EXACT,
    ALL_ONCE,
    ALL_UPSERT,
    MAPS,
    cold,
    damage,
    dump,
    everything,
    execute,
    file,
    issue,
    member,
    note,
    plain,
    pull_request,
    rows,
    show,
    team,
    total,
    totals,
    with_changed,
    without,
)
from tests.projectors.kept import LAYOUT, emptied

MAKES = ("sqlite", "postgresql")
OTHER = {"sqlite": "postgresql", "postgresql": "sqlite"}


def test_a_cold_projection_fills_twelve_tables_with_what_the_events_say(database: Database) -> None:
    events = everything()
    done = show(database, note(database, events))
    assert totals(done) == (len(events), 0, 0)
    shown = rows(database)
    assert all(shown.values())
    by_id = {(kind, row["id"]): row for kind, mapped in MAPS.items() for row in shown[mapped.table.name]}
    assert len(by_id) == len(events)
    for event in events:
        row = by_id[event.kind, derived_id(event.kind, encode(event).key)]
        for field in MAPS[event.kind].kind.fields:
            stated = event.key[field.name] if field.name in event.key else event.data[field.name]
            assert row[field.name] == plain(stated, field), (event.kind, field.name)
        for reference in MAPS[event.kind].kind.references:
            if row[f"{reference.name}_id"] is not None:
                assert (reference.to, row[f"{reference.name}_id"]) in by_id


def test_decimals_are_exact_texts_in_postgresql() -> None:
    database = emptied("postgresql")
    show(database, note(database, everything()))
    assert execute(database, "SELECT DISTINCT cycle_time_hours::text FROM pull_requests") == [("12.00",)]
    assert execute(database, "SELECT story_points::text FROM jira_issues LIMIT 1") == [("3.0",)]


def test_both_makes_have_the_same_rows_ids_included(database: Database) -> None:
    run = note(database, everything())
    show(database, run)
    assert rows(database) == cold(database, run, OTHER[database.name])


def test_again_changes_nothing(database: Database) -> None:
    events = everything()
    run = note(database, events)
    show(database, run)
    before = dump(database)
    for choice in ({}, {"prune": True}, {"rebuild": True}, {"dry_run": True}):
        done = show(database, run, **choice)
        assert totals(done) == (0, 0, 0)
        assert total(done, "unchanged") == len(events)
        assert dump(database) == before


def test_only_what_differs_is_updated(database: Database) -> None:
    events = everything()
    show(database, note(database, events, ALL_UPSERT))
    show(database, note(database, [*without(events, "jira_issue"), issue(1, summary="Other"), issue(2)], ALL_UPSERT))
    done = show(database, note(database, [*without(events, "jira_issue"), issue(1), issue(2), issue(9)], ALL_UPSERT))
    assert totals(done) == (1, 1, 0)
    assert done.kinds["jira_issue"].unchanged == 2


def test_a_null_comes_and_goes(database: Database) -> None:
    for points in (None, "1.50", None):
        run = note(database, [team(), member("second-tester"), issue(1, cycle_time_hours=points)], ALL_UPSERT)
        show(database, run)
        expected = [(None if points is None else 1.5,)]
        assert [
            (None if row[0] is None else float(row[0]),)
            for row in execute(database, "SELECT cycle_time_hours FROM jira_issues")
        ] == expected


def test_what_once_kept_is_said(database: Database) -> None:
    show(database, note(database, everything()))
    done = show(database, note(database, with_changed(everything(), "pull_request", state="open", merged_at=None)))
    assert done.kinds["pull_request"].kept == 3
    assert done.kept_fields == {"pull_request": ["merged_at", "state"]}


def test_a_project_leaves_the_others_alone(database: Database) -> None:
    show(database, note(database, everything("gulls"), slug="gulls"))
    before = rows(database)
    run = note(database, everything(), ALL_EXACT)
    show(database, run)
    show(database, note(database, [team()], ALL_EXACT), rebuild=True)
    assert rows(database) == before | {"teams": rows(database)["teams"]}
    assert len(rows(database)["teams"]) == 2


# -- parents that are gone ------------------------------------------------------------------------------------------


def test_a_parent_that_somebody_deleted_is_named_with_the_way_out(database: Database) -> None:
    show(database, note(database, [team(), member(), member("second-tester")], ALL_UPSERT))
    execute(database, "UPDATE team_members SET id = 7, login = 'own' WHERE login = 'second-tester'")  # counts are equal
    run = note(database, [team(), member(), member("second-tester"), issue()], ALL_UPSERT)
    with pytest.raises(Misuse, match="it refers to rows of team_member that are not there") as refused:
        show(database, run)
    assert "--repair" in refused.value.hint
    assert total(show(database, run, repair=True), "inserted") == 2


# -- dry runs ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("choice", [{}, {"rebuild": True}])
def test_a_dry_run_says_what_the_real_one_does_and_changes_nothing(database: Database, choice: dict[str, Any]) -> None:
    show(database, note(database, everything(), ALL_EXACT))
    events = with_changed(everything(numbers=(1, 3)), "pr_file", status="removed")
    run = note(database, events, ALL_EXACT)
    before = dump(database)
    dry = show(database, run, dry_run=True, **choice)
    assert dump(database) == before
    assert dry == show(database, run, **choice)
    assert dump(database) != before


def test_a_preview_is_what_the_first_projection_does(database: Database) -> None:
    run = note(database, everything())
    before = dump(database)
    seen = preview(database, LAYOUT, run)
    assert dump(database) == before
    assert seen == show(database, run)


# -- laws ----------------------------------------------------------------------------------------------------------

POLICIES = st.sampled_from((ALL_ONCE, ALL_UPSERT, ALL_EXACT, {}, {"pull_request": Policy.UPSERT}))
STEPS = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.sampled_from(
            (
                {},
                {},
                {"prune": True},
                {"rebuild": True},
                {"dry_run": True},
            )
        ),
    ),
    max_size=4,
)


@st.composite
def statements(draw: st.DrawFn) -> list[Event]:
    """A run's events: some pull requests and issues, in some state, with more or fewer parts."""
    state = draw(st.sampled_from(("open", "merged")))
    events: list[Event] = [
        team(),
        member(),
        member("second-tester", display_name=draw(st.sampled_from(("Second", "Two")))),
    ]
    for number in draw(st.sets(st.integers(1, 3))):
        events.append(pull_request(number, state=state, merged_at=None if state == "open" else "2024-03-05T00:00:00Z"))
        events += [file(number, name, status=state) for name in draw(st.sets(st.sampled_from("abc")))]
    return events + [issue(number, status=state) for number in draw(st.sets(st.integers(1, 3)))]


@pytest.mark.parametrize("make", MAKES)
@given(
    runs=st.lists(st.tuples(statements(), POLICIES, st.booleans()), min_size=1, max_size=4),
    steps=STEPS,
    end=st.tuples(st.integers(0, 3), st.sampled_from(({"prune": True}, {"rebuild": True}))),
)
@settings(max_examples=scale.times(4, 60))
def test_any_path_to_a_state_gives_the_rows_of_a_cold_projection(
    make: str,
    runs: list[tuple[list[Event], dict[str, Policy], bool]],
    steps: list[tuple[int, dict[str, Any]]],
    end: tuple[int, dict[str, Any]],
) -> None:
    database = emptied(make)
    sealed: list[Run] = []
    for at, (events, policies, fresh) in enumerate(runs):
        sealed.append(note(database, events, policies, fresh=fresh))
        for when, choice in steps[at :: len(runs)]:
            show(database, sealed[when % len(sealed)], **choice)
    run = sealed[end[0] % len(sealed)]
    done = show(database, run, **end[1])
    assert total(done, "stale") == 0
    assert rows(database) == cold(database, run, OTHER[make])


@pytest.mark.parametrize("make", MAKES)
def test_step_by_step_is_at_once_is_a_rebuild(make: str) -> None:
    database, other = emptied(make), emptied(make, "other")
    for numbers in ((1,), (1, 2), (2, 3)):
        run = note(database, everything(numbers=numbers), ALL_EXACT)
        show(database, run, prune=True)
        show(database, run, other)
    assert rows(database) == cold(database, run)
    show(database, run, other, rebuild=True)
    assert rows(other) == rows(database)


# -- cost ----------------------------------------------------------------------------------------------------------


@contextmanager
def counted(database: Database) -> Iterator[list[str]]:
    """The statements that are executed meanwhile."""
    seen: list[str] = []

    def listen(*arguments: object) -> None:
        seen.append(str(arguments[2]))

    sqlalchemy_event.listen(database.engine, "before_cursor_execute", listen)
    try:
        yield seen
    finally:
        sqlalchemy_event.remove(database.engine, "before_cursor_execute", listen)


def many(size: int, status: str) -> list[Event]:
    """A pull request with many files."""
    return [team(), member(), pull_request(), *(file(1, f"{n}.py", status=status) for n in range(size))]


def test_statements_do_not_grow_with_rows() -> None:
    for make in MAKES:
        spent: list[list[int]] = []
        for size in (20, 90):
            journal, target = emptied(make), emptied(make, "other")
            first = note(journal, many(size, "added"), ALL_EXACT)
            steps: list[tuple[Run, dict[str, Any]]] = [
                (first, {}),
                (note(journal, many(size, "removed"), ALL_EXACT), {}),
            ]
            steps += [(first, {"rebuild": True}), (note(journal, many(0, ""), ALL_EXACT), {"prune": True})]
            taken: list[int] = []
            for run, choice in steps:
                with counted(target) as seen:
                    show(journal, run, target, **choice)
                taken.append(len(seen))
            spent.append(taken)
        assert spent[0] == spent[1], make


@pytest.mark.slow
def test_statements_do_not_grow_with_foreign_rows() -> None:
    for make, policy in zip(MAKES, (Policy.UPSERT, Policy.ONCE), strict=True):
        spent: list[int] = []
        for size in (20, 400):
            journal, target = emptied(make), emptied(make, "other")
            run = note(journal, many(size, "added"), {"pr_file": policy})
            show(journal, run, target)
            execute(target, f"UPDATE pr_files SET id = id - {2**53}")
            with counted(target) as seen:
                done = show(journal, run, target, rebuild=True)
            assert done.kinds["pr_file"].foreign == size
            spent.append(len(seen))
        assert spent[0] == spent[1], make


# -- what goes wrong -----------------------------------------------------------------------------------------------


def test_a_state_that_the_journal_lost_is_refused_and_nothing_changes(database: Database) -> None:
    show(database, note(database, everything(numbers=(1,))))
    run = note(database, everything())
    damage(database, "DELETE FROM journal_nodes WHERE hash = :hash", hash=run.state)
    before = dump(database)
    with pytest.raises(Damaged):
        show(database, run)
    assert dump(database) == before


def test_a_shown_state_that_the_journal_lost_is_compared_as_a_whole(database: Database) -> None:
    shown = note(database, everything(), ALL_EXACT)
    show(database, shown)
    run = note(database, everything(numbers=(1, 4)), ALL_EXACT)
    damage(database, "DELETE FROM journal_nodes WHERE hash = :hash", hash=shown.state)
    done = show(database, run)
    assert total(done, "stale") == 20
    assert totals(show(database, run, prune=True)) == (0, 0, 20)


def test_what_the_server_refuses_in_the_midst_of_loading_is_told_and_changes_nothing() -> None:
    database = emptied("postgresql")
    show(database, note(database, [team()]))
    run = note(database, [team(), member(), pull_request(title="x" * 501)])
    before = dump(database)
    with pytest.raises(Unavailable, match="too long"):
        show(database, run)
    assert dump(database) == before


def test_readers_see_the_old_rows_until_all_are_new(database: Database) -> None:
    show(database, note(database, everything(), ALL_UPSERT))
    old = rows(database)
    run = note(database, with_changed(everything(), "jira_issue", summary="New"), ALL_UPSERT)
    seen: list[object] = []

    from seedjournal.projectors import project

    project(database, database, LAYOUT, run, Choice(), lambda *_: seen.append(rows(database)))
    assert seen
    assert all(one == old for one in seen)
    assert rows(database) != old


def test_a_project_has_one_position(database: Database) -> None:
    for events in ([team()], [team(), member()]):
        run = note(database, events)
        assert totals(show(database, run)) == (1, 0, 0)
        assert execute(database, "SELECT project, run FROM seedjournal_positions") == [("terns", run.run)]

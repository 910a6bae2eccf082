"""Bugs that are planted into the product for a moment: histories find each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy import ColumnElement, false

from seedjournal.journal import Policy, SeedJournalError, Spool
from seedjournal.journal.fold import resolve
from seedjournal.journal.runs import all_runs
from seedjournal.journal.store.postgresql import PostgreSQL
from seedjournal.projectors import stage
from seedjournal.projectors.dialects import Dialect
from seedjournal.projectors.layout import TableMap
from seedjournal.projectors.rows import Ids
from seedjournal.projectors.writing import KindWriter
from tests.model.histories import ByHand, Histories, Look, Projection, Recording, Turn
from tests.model.worlds import PROJECTS

pytestmark = pytest.mark.xdist_group("model")

ENOUGH = 40  # histories

_HERE = PROJECTS[0]
_SHOWN = Projection(_HERE)
STORIES: dict[str, tuple[str, tuple[Turn | Projection | ByHand | Look, ...]]] = {
    "there and back": (
        "upsert",
        (
            Turn(Recording(_HERE, [("put", ("pull_request", 2), "b")]), _SHOWN),
            Turn(Recording(_HERE, [("back", 1)]), _SHOWN),
        ),
    ),
    "gone, changed and gone again": (
        "upsert",
        (
            Turn(Recording(_HERE, [("drop", ("pr_file", 1, "a.py"))]), _SHOWN),
            Turn(Recording(_HERE, [("put", ("pr_file", 1, "a.py"), "b")]), _SHOWN),
            Turn(Recording(_HERE, [("back", 1)]), _SHOWN),
        ),
    ),
    "gone and come again": (
        "exact",
        (
            Turn(Recording(_HERE, [("drop all", "pull_request")]), _SHOWN),
            Turn(Recording(_HERE, [("back", 1)]), _SHOWN),
        ),
    ),
    "gone, but for what somebody holds": (
        "exact",
        (
            ByHand(_HERE, ("pr_file", 1, "own.py"), "add"),
            Turn(Recording(_HERE, [("drop all", "pull_request")]), replace(_SHOWN, prune=True)),
        ),
    ),
    "gone, but for what somebody edited": (
        "exact",
        (
            ByHand(_HERE, ("pr_file", 1, "a.py"), "edit"),
            Turn(Recording(_HERE, [("drop all", "pr_file")]), replace(_SHOWN, prune=None)),
        ),
    ),
    "kept": (
        "once",
        (
            Turn(Recording(_HERE, [("put", ("pull_request", 2), "b")]), _SHOWN),
            ByHand(_HERE, ("pull_request", 3), "edit"),
            replace(_SHOWN, cut=60),
            replace(_SHOWN, rebuild=True),
            Look(_HERE, None),
        ),
    ),
}


def tell(story: str, histories: type[Histories]) -> None:
    """Go through a story in which users have rows of their own before."""
    policies, steps = STORIES[story]
    machine = histories()
    machine.begin("together", [("jira_issue", 1)], policies)
    for step in steps:
        machine.step(step)


Plant = Callable[[pytest.MonkeyPatch], None]

_changes = import_module("seedjournal.journal.changes")
_notes = import_module("seedjournal.projectors.notes")
_replay = import_module("seedjournal.projectors.replay")
_sealing = import_module("seedjournal.journal.sealing")
_sides = import_module("tests.model.sides")
_writing = import_module("seedjournal.projectors.writing")


class OnSqlite(Histories):
    """Histories on one make, which is enough against what both share."""

    makes = ("sqlite",)


def drop_an_event(patch: pytest.MonkeyPatch) -> None:
    whole = Spool.entries
    patch.setattr(Spool, "entries", lambda self: (one for n, one in enumerate(whole(self)) if n != 5))


def state_an_event_twice(patch: pytest.MonkeyPatch) -> None:
    def twice(run: Any, standing: Any) -> Iterator[Any]:
        for entry in whole(run, standing):
            yield entry
            if entry.kind == "pr_file":
                yield entry

    whole = _sealing.merge
    patch.setattr(_sealing, "merge", twice)


def skip_a_piece(module: Any, of: int | None = None) -> Plant:
    def skipping(items: Any, size: int) -> Iterator[list[Any]]:
        for number, piece in enumerate(whole(items, size)):
            if number != 1 or of not in {None, size}:
                yield piece

    whole = module.batched
    return lambda patch: patch.setattr(module, "batched", skipping)


def ignore_what_is_kept(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        _changes,
        "resolve",
        lambda policy, **both: resolve(Policy.UPSERT if policy is Policy.ONCE else policy, **both),
    )


def do_not_count_what_is_kept(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(_replay, "kept_of", lambda run, kind: 0)


def break_ties_by_insertion_order(patch: pytest.MonkeyPatch) -> None:
    def newest_row(policy: Policy, *, previous: Any, recorded: Any) -> Any:
        if policy is Policy.UPSERT and previous is not None and recorded is not None:
            return max(previous, recorded, key=lambda content: content.id)
        return resolve(policy, previous=previous, recorded=recorded)

    patch.setattr(_changes, "resolve", newest_row)


def treat_exact_as_upsert(patch: pytest.MonkeyPatch) -> None:
    def standing(connection: Any, kind: str, policy: Policy, *rest: Any) -> Any:
        return whole(connection, kind, Policy.UPSERT if policy is Policy.EXACT else policy, *rest)

    whole = _sealing.carried_over
    patch.setattr(_sealing, "carried_over", standing)


def reuse_the_state_with_the_root(patch: pytest.MonkeyPatch) -> None:
    def fold(connection: Any, inputs: Any, *rest: Any) -> Any:
        same = [run for run in all_runs(connection, inputs.project) if run.fingerprint == inputs.fingerprint]
        if same:
            return _sealing.read_manifest(connection, same[-1].state)
        return whole(connection, inputs, *rest)

    whole = _sealing._fold
    patch.setattr(_sealing, "_fold", fold)


def advance_the_position_early(patch: pytest.MonkeyPatch) -> None:
    def early(journal: Any, target: Any, layout: Any, run: Any, choice: Any) -> Any:
        if not choice.dry_run:
            with journal.read() as source:
                name = _replay.journal_id(source)
            with target.write("target") as connection:
                _notes.move(connection, run, name, 0)
        return whole(journal, target, layout, run, choice)

    whole = _sides.project
    patch.setattr(_sides, "project", early)


def believe_the_position_in_a_rebuild(patch: pytest.MonkeyPatch) -> None:
    def believing(journal: Any, target: Any, layout: Any, run: Any, choice: Any) -> Any:
        return whole(journal, target, layout, run, replace(choice, rebuild=False, prune=choice.prune or choice.rebuild))

    whole = _sides.project
    patch.setattr(_sides, "project", believing)


def leave_what_came_back_stale(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(_notes, "drop_stale", lambda *_: None)


def do_not_notice_what_left(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(KindWriter, "_leave", lambda self, gone, stage: [])


def delete_what_was_edited(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(stage.Stage, "ids_of_equal", stage.Stage.ids)


def take_adopted_rows_for_ours(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Ids, "is_adopted", lambda self, kind, key: False)


def point_to_derived_ids(patch: pytest.MonkeyPatch) -> None:
    from seedjournal.projectors.rows import derived_id

    patch.setattr(Ids, "of", lambda self, kind, key: derived_id(kind, key))


def forget_a_column(patch: pytest.MonkeyPatch) -> None:
    whole = stage.differences

    def forgetful(mapped: TableMap, bytewise: str) -> tuple[ColumnElement[bool], ...]:
        flags = zip(mapped.columns[1:], whole(mapped, bytewise), strict=True)
        return tuple(false() if name == "title" else flag for name, flag in flags)

    patch.setattr(stage, "differences", forgetful)


def delete_what_is_held(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Dialect, "pointers_to", lambda *_: [])


def look_only_at_shared_nodes_of_one_level(patch: pytest.MonkeyPatch) -> None:
    def hasty(old: Any, new: Any, read: Any) -> Any:
        removed, added = whole(old, new, read)
        return list(removed), list(added)[:1]

    whole = _changes.difference
    patch.setattr(_changes, "difference", hasty)


def lose_a_hash_on_postgresql(patch: pytest.MonkeyPatch) -> None:
    whole = PostgreSQL.among
    patch.setattr(PostgreSQL, "among", lambda self, tested, values: whole(self, tested, list(values)[:3]))


PLANTED: dict[str, tuple[Plant, type[Histories]]] = {
    **{
        plant.__name__: (plant, OnSqlite)
        for plant in (
            drop_an_event,
            state_an_event_twice,
            ignore_what_is_kept,
            do_not_count_what_is_kept,
            break_ties_by_insertion_order,
            treat_exact_as_upsert,
            reuse_the_state_with_the_root,
            advance_the_position_early,
            believe_the_position_in_a_rebuild,
            leave_what_came_back_stale,
            do_not_notice_what_left,
            delete_what_was_edited,
            take_adopted_rows_for_ours,
            point_to_derived_ids,
            forget_a_column,
            delete_what_is_held,
            look_only_at_shared_nodes_of_one_level,
        )
    },
    "skip_a_piece_of_changes": (skip_a_piece(_changes), OnSqlite),
    "skip_a_piece_of_rows": (skip_a_piece(_writing, 3), OnSqlite),
    "skip_a_piece_of_stale_rows": (skip_a_piece(_writing, 2), OnSqlite),
    "lose_a_hash_on_postgresql": (lose_a_hash_on_postgresql, Histories),
}


def hunt(histories: type[Histories], run: settings) -> None:
    """Go through the stories, and then search."""
    for story in STORIES:
        tell(story, histories)
    run_state_machine_as_test(histories, settings=run)


@pytest.mark.more  # tests of the tests
@pytest.mark.parametrize("name", PLANTED)
def test_every_planted_bug_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a disagreement, or a refusal that the history did not ask for; in a few short stories, or a search."""
    plant, histories = PLANTED[name]
    plant(monkeypatch)
    run = settings(
        max_examples=ENOUGH,
        stateful_step_count=10,
        phases=[Phase.generate],
        derandomize=True,
        database=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    with pytest.raises((AssertionError, SeedJournalError)):
        hunt(histories, run)


@pytest.mark.more
@pytest.mark.parametrize("story", STORIES)
def test_without_bugs_the_stories_end_well(story: str) -> None:
    tell(story, Histories)

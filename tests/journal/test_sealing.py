"""Recording on both databases: what is appended, what stands, and what is counted, against a plain dictionary."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs
from sqlalchemy import select

from seedjournal.journal import (
    Data,
    Database,
    Misuse,
    NotCanonical,
    Policy,
    Run,
    Sealed,
    Spool,
    TwoEventsOneKey,
    all_runs,
    appending,
    encode,
    newest,
    provenance,
    reuse,
)
from seedjournal.journal import sealing as sealing_module
from seedjournal.journal.tables import EVENTS
from tests.conftest import MAKES
from tests.journal.things import (
    POLICIES,
    Content,
    content_of,
    counts_of,
    findings,
    make_inputs,
    record_all,
    row_counts,
    thing,
    things,
)

NOTHING = {"total": 0, "added": 0, "changed": 0, "removed": 0, "unchanged": 0, "kept": 0}


def ids_of(database: Database) -> list[int]:
    """The ids of the journal's events."""
    with database.read() as connection:
        return list(connection.execute(select(EVENTS.c.id).order_by(EVENTS.c.id)).scalars())


def test_a_first_run_holds_what_it_was_given(database: Database) -> None:
    sealed = record_all(database, things(500), values={"source": "test", "seed": 7})
    run = sealed.run
    assert (run.run, run.project, run.namespace) == (1, "p", "p")
    assert (sealed.appended, sealed.reused, sealed.previous) == (500, False, None)
    assert run.counts["appended"] == 500
    assert counts_of(run) == {"thing": {**NOTHING, "total": 500, "added": 500}}
    assert run.totals == {**NOTHING, "total": 500, "added": 500}
    assert run.state == run.root
    assert run.inputs == {"source": "test", "seed": 7, "policies": POLICIES, "fresh": False, "window": False}
    assert run.policies == POLICIES
    assert run.sealed_at.endswith("Z")
    assert content_of(database, run.root) == {("thing", number): {"content": ""} for number in range(500)}
    with database.read() as connection:
        assert newest(connection, "p") == run
        assert provenance(connection, ids_of(database)[0]) == "test/1"
    assert findings(database) == []


def test_a_second_time_stores_one_row_in_all(database: Database) -> None:
    first = record_all(database, things(500))
    before = row_counts(database)
    second = record_all(database, reversed(things(500)))
    assert row_counts(database) == {**before, "journal_runs": before["journal_runs"] + 1}
    assert second.appended == second.run.counts["appended"] == 0
    assert (second.run.root, second.run.state) == (first.run.root, first.run.state)
    assert second.run.totals == {**NOTHING, "total": 500, "unchanged": 500}
    assert second.previous == first.run


def test_content_that_comes_back_appends_nothing(database: Database) -> None:
    first = record_all(database, things(300))
    record_all(database, things(300, n7="other"))
    before = row_counts(database)
    third = record_all(database, things(300))
    assert third.appended == 0
    assert (third.run.root, third.run.state) == (first.run.root, first.run.state)
    assert third.run.totals == {**NOTHING, "total": 300, "changed": 1, "unchanged": 299}
    assert row_counts(database) == {**before, "journal_runs": before["journal_runs"] + 1}


def test_a_few_changes_store_a_few_rows(database: Database) -> None:
    record_all(database, things(4_000))
    before = row_counts(database)
    sealed = record_all(database, things(4_000, n77="other", n3000="other", n3999="other"))
    after = row_counts(database)
    assert sealed.appended == after["journal_events"] - before["journal_events"] == 3
    assert after["journal_nodes"] - before["journal_nodes"] <= 3 * 3 * 3
    assert sealed.run.totals == {**NOTHING, "total": 4_000, "changed": 3, "unchanged": 3_997}


def test_an_unchanged_run_stores_no_node_for_its_state(database: Database) -> None:
    """Not even where its state is not its root, because something stands from before."""
    record_all(database, [thing(number, kind=kind) for kind in ("fixed", "thing") for number in range(400)])
    later = [thing(number, "new", kind=kind) for kind in ("fixed", "thing") for number in range(200, 600)]
    second = record_all(database, later)
    assert second.run.state != second.run.root
    before = row_counts(database)
    third = record_all(database, later)
    assert third.run.state == second.run.state
    assert row_counts(database) == {**before, "journal_runs": before["journal_runs"] + 1}
    assert counts_of(third.run)["fixed"]["kept"] == 200
    assert third.run.counts["kept_fields"] == {"fixed": ["content"]}


def test_ids_and_numbers_have_no_gaps(database: Database) -> None:
    for round_ in range(4):
        record_all(database, [*things(50), thing(90 + round_, round_)])
        with pytest.raises(TwoEventsOneKey):
            record_all(database, [thing(1), thing(1, "twice")])
    assert ids_of(database) == list(range(1, 55))
    with database.read() as connection:
        assert [run.run for run in all_runs(connection)] == [1, 2, 3, 4]


def test_bad_input_changes_nothing(database: Database) -> None:
    record_all(database, things(10))
    before = row_counts(database)
    with pytest.raises(NotCanonical):
        record_all(database, [*things(20), thing(20, 1.5)])
    with pytest.raises(TwoEventsOneKey):
        record_all(database, [*things(20), thing(3, "twice")])
    assert row_counts(database) == before


def test_a_run_of_nothing(database: Database) -> None:
    first = record_all(database, [])
    assert first.run.totals == NOTHING
    record_all(database, [thing(1), thing(1, kind="mirror")])
    third = record_all(database, [])
    assert content_of(database, third.run.root) == {}
    assert content_of(database, third.run.state) == {("thing", 1): {"content": ""}}
    assert third.run.totals == {**NOTHING, "removed": 2}
    assert findings(database) == []


def test_kept_fields_are_those_that_differ(database: Database) -> None:
    one = structs.replace(thing(1, kind="fixed"), data={"a": 1, "b": None, "c": "x", "d": [1, {"e": 0}]})
    other = structs.replace(one, data={"a": True, "c": "x", "d": [1, {"e": False}]})
    record_all(database, [one])
    sealed = record_all(database, [other])
    assert sealed.run.counts["kept_fields"] == {"fixed": ["a", "b", "d"]}
    assert counts_of(sealed.run)["fixed"] == {**NOTHING, "total": 1, "changed": 1, "kept": 1}


# Histories: every run is compared with what a dictionary says.

KINDS = tuple(POLICIES)
ENTITIES = st.dictionaries(
    st.tuples(st.sampled_from(KINDS), st.integers(0, 5)), st.sampled_from(["a", "b", "c"]), max_size=10
)
RUNS = st.tuples(ENTITIES, st.booleans(), st.sampled_from([POLICIES, {**POLICIES, "fixed": Policy.UPSERT}]))
HISTORIES = st.lists(RUNS, min_size=1, max_size=5)

Entities = Mapping[tuple[str, int], str]


class Oracle:
    """A project's runs as dictionaries."""

    def __init__(self) -> None:
        self.last: dict[tuple[str, int], str] = {}
        self.state: dict[tuple[str, int], str] = {}
        self.seen: set[tuple[tuple[str, int], str]] = set()

    def take(self, run: Entities, policies: Mapping[str, Policy], *, fresh: bool) -> tuple[dict[str, Any], int]:
        """The counts by kind of the next run, and how many events it appends."""
        before = {} if fresh else self.state
        new = set(run.items()) - self.seen
        counts = {}
        for kind in KINDS:
            now = {place: content for place, content in run.items() if place[0] == kind}
            last = {place: content for place, content in self.last.items() if place[0] == kind}
            changed = [place for place in now if place in last and now[place] != last[place]]
            kept = [
                place for place in now if policies[kind] is Policy.ONCE and before.get(place, now[place]) != now[place]
            ]
            if now or last:
                counts[kind] = {
                    "total": len(now),
                    "added": len(now.keys() - last.keys()),
                    "changed": len(changed),
                    "removed": len(last.keys() - now.keys()),
                    "unchanged": len(set(now.items()) & set(last.items())),
                    "kept": len(kept),
                }
        stays = {place: content for place, content in before.items() if policies[place[0]] is not Policy.EXACT}
        stands = {place: content for place, content in stays.items() if policies[place[0]] is Policy.ONCE}
        self.state = {**stays, **run, **stands}
        self.last = dict(run)
        self.seen |= new
        return counts, len(new)


def as_content(entities: Entities) -> Content:
    """Entities as a manifest gives them."""
    content: dict[tuple[str, int], Data] = {place: {"content": content} for place, content in entities.items()}
    return content


@pytest.fixture
def both(make_url: Callable[[str], str], open_url: Callable[[str], Database]) -> list[Database]:
    """Two journals that go through the same: one on each make of database."""
    return [open_url(make_url(make)) for make in MAKES]


@settings(max_examples=12)
@given(HISTORIES)
def test_histories_follow_their_policies(
    both: list[Database], history: list[tuple[Entities, bool, dict[str, Policy]]]
) -> None:
    project = f"p{len(row_runs(both[0]))}"
    oracle = Oracle()
    for entities, fresh, policies in history:
        counts, appended = oracle.take(entities, policies, fresh=fresh)
        events = [thing(number, content, kind=kind, project=project) for (kind, number), content in entities.items()]
        sealed = [
            record_all(database, events, project=project, namespace=project, fresh=fresh, policies=policies)
            for database in both
        ]
        first, second = (dataclasses.replace(one.run, sealed_at="") for one in sealed)
        assert first == second
        assert first.counts["kinds"] == counts
        assert first.counts["appended"] == appended
        for database in both:
            assert content_of(database, first.root) == as_content(entities)
            assert content_of(database, first.state) == as_content(oracle.state)


def row_runs(database: Database) -> list[Run]:
    """Every run of a journal."""
    with database.read() as connection:
        return all_runs(connection)


def test_long_histories_verify_on_both_databases(both: list[Database]) -> None:
    """Enough entities for trees of some height, of which random pieces come, go and change."""
    chance = random.Random(5)
    entities = {(kind, number): "a" for kind in KINDS for number in range(500)}
    oracle = Oracle()
    for step in range(6):
        for place in chance.sample(sorted(entities), 40):
            entities[place] = chance.choice("abc")
        run = {place: content for place, content in entities.items() if chance.random() > 0.02 * step}
        counts, appended = oracle.take(run, POLICIES, fresh=step == 4)
        events = [thing(number, content, kind=kind) for (kind, number), content in run.items()]
        sealed = [record_all(database, events, fresh=step == 4) for database in both]
        assert sealed[0].run.root == sealed[1].run.root
        assert sealed[0].run.state == sealed[1].run.state
        for database, one in zip(both, sealed, strict=True):
            assert (one.run.counts["kinds"], one.appended) == (counts, appended)
            assert content_of(database, one.run.state) == as_content(oracle.state)
    assert row_counts(both[0]) == row_counts(both[1])
    for database in both:
        assert findings(database) == []


# Reuse


def short_way(database: Database, **inputs: Any) -> Sealed:
    """Seal a run by its fingerprint alone."""
    sealed = reuse(database, make_inputs(**inputs))
    assert sealed is not None
    assert sealed.reused
    return sealed


def test_inputs_that_were_never_recorded_cannot_be_reused(database: Database) -> None:
    record_all(database, things(3), fingerprint=b"a")
    assert reuse(database, make_inputs(fingerprint=b"b")) is None
    assert reuse(database, make_inputs(project="q", namespace="q", fingerprint=b"a")) is None
    assert row_counts(database)["journal_runs"] == 1


@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize("policies", [POLICIES, {"fixed": Policy.UPSERT, "mirror": Policy.ONCE, "thing": Policy.EXACT}])
def test_the_short_way_gives_what_the_long_way_gives(
    both: list[Database], policies: dict[str, Policy], fresh: bool
) -> None:
    """Also after other runs, by other policies and with `fresh`, where the state cannot be that of the earlier run."""
    runs = [
        [thing(number, text, kind=kind) for kind in KINDS for number in range(start, start + 300)]
        for start, text in ((0, "a"), (100, "b"))
    ]
    for events, name in ((runs[0], b"first"), (runs[1], b"other")):
        for database in both:
            record_all(database, events, fingerprint=name)
    before = row_counts(both[0])
    short = short_way(both[0], fingerprint=b"first", policies=policies, fresh=fresh)
    long = record_all(both[1], runs[0], fingerprint=b"first", policies=policies, fresh=fresh)
    assert dataclasses.replace(short.run, sealed_at="") == dataclasses.replace(long.run, sealed_at="")
    assert short.appended == 0
    assert row_counts(both[0])["journal_events"] == before["journal_events"]
    again = short_way(both[0], fingerprint=b"first", policies=policies)
    long_again = record_all(both[1], runs[0], fingerprint=b"first", policies=policies)
    assert (again.run.root, again.run.state) == (long_again.run.root, long_again.run.state)
    for database in both:
        assert findings(database) == []


def test_reuse_tells_the_values_that_were_found_in_the_source(database: Database) -> None:
    record_all(database, things(3), values={"source": "git", "head": "c0ffee"}, fingerprint=b"a")
    sealed = short_way(database, values={"source": "git", "head": None}, fingerprint=b"a")
    assert sealed.run.inputs["head"] == "c0ffee"


# Names


def test_two_projects_share_no_namespace(database: Database) -> None:
    record_all(database, things(3))
    before = row_counts(database)
    with pytest.raises(Misuse, match="project 'p' already has the team slug 'p'") as refused:
        record_all(database, [thing(1, project="q")], project="q", namespace="p")
    assert "team_slug" in refused.value.hint
    assert row_counts(database) == before


def test_a_namespace_changes_only_with_a_fresh_state(database: Database) -> None:
    record_all(database, things(3))
    before = row_counts(database)
    with pytest.raises(Misuse, match="recorded with the team slug 'p', not 'other'") as refused:
        record_all(database, things(2), namespace="other")
    assert "--fresh" in refused.value.hint
    with pytest.raises(Misuse):
        reuse(database, make_inputs(namespace="other"))
    assert row_counts(database) == before
    sealed = record_all(database, things(2), namespace="other", fresh=True)
    assert content_of(database, sealed.run.state) == as_content({("thing", 0): "", ("thing", 1): ""})
    assert sealed.run.totals == {**NOTHING, "total": 2, "removed": 1, "unchanged": 2}


def test_projects_are_folded_each_on_its_own(database: Database) -> None:
    record_all(database, things(3))
    other = record_all(database, [thing(9, project="q")], project="q", namespace="q")
    assert other.previous is None
    assert content_of(database, other.run.state) == as_content({("thing", 9): ""})
    third = record_all(database, [thing(5)])
    assert third.previous is not None
    assert third.previous.run == 1
    assert len(content_of(database, third.run.state)) == 4


# A recording that dies


class Dies(Exception):
    """What a recording died of."""


def record_and_die(database: Database, group: int) -> None:
    """Record 2000 things and die behind the first transaction, which has appended a group."""

    def die(more: int, total: int) -> None:
        assert group <= more < total == 2000
        raise Dies

    with pytest.MonkeyPatch.context() as patch, Spool() as spool:
        patch.setattr(appending, "_GROUP", group)
        patch.setattr(appending, "_GROUPS_AT_ONCE", 1)
        spool.add((encode(event), "test/1") for event in things(2000))
        with pytest.raises(Dies):
            sealing_module.record(database, make_inputs(), spool, die)


def test_what_a_dead_recording_left_is_used(database: Database) -> None:
    record_and_die(database, 400)
    left = row_counts(database)
    assert 400 <= left["journal_events"] < 2000
    assert left["journal_runs"] == 0
    assert findings(database) == []
    sealed = record_all(database, things(2000))
    assert sealed.appended == sealed.run.counts["appended"] == 2000 - left["journal_events"]
    assert sealed.run.totals == {**NOTHING, "total": 2000, "added": 2000}
    assert ids_of(database) == list(range(1, 2001))
    assert findings(database) == []


def test_what_was_left_is_not_adopted(database: Database) -> None:
    """A run holds what it was given, and none of what others left behind."""
    record_and_die(database, 500)
    sealed = record_all(database, things(10, n3="other"))
    assert sealed.run.totals["total"] == len(content_of(database, sealed.run.state)) == 10


def test_a_run_that_was_sealed_meanwhile_is_folded_on(database: Database) -> None:
    """The callback runs between appending and sealing: what another recording seals there is the previous run."""
    record_all(database, [thing(1, "a", kind="fixed"), thing(1)])
    inner: list[Sealed] = []

    def interfere(*_: int) -> None:
        if not inner:
            inner.append(record_all(database, [thing(2, "b", kind="fixed")]))

    with Spool() as spool:
        spool.add((encode(event), "test/1") for event in [thing(2, "c", kind="fixed"), thing(3)])
        outer = sealing_module.record(database, make_inputs(), spool, interfere)
    assert outer.previous == inner[0].run
    assert (inner[0].run.run, outer.run.run) == (2, 3)
    expected = {("fixed", 1): "a", ("fixed", 2): "b", ("thing", 1): "", ("thing", 3): ""}
    assert content_of(database, outer.run.state) == as_content(expected)
    assert findings(database) == []


def test_a_run_that_is_sealed_while_folding_is_folded_on(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    record_all(database, [thing(1, "a", kind="fixed")])
    fold, inner = sealing_module._fold, []

    def interfere(*arguments: Any) -> Any:
        folded = fold(*arguments)
        if not inner:
            inner.append(None)
            inner[0] = record_all(database, [thing(2, "b", kind="fixed")]).run
        return folded

    monkeypatch.setattr(sealing_module, "_fold", interfere)
    outer = record_all(database, [thing(2, "c", kind="fixed")])
    assert outer.previous == inner[0]
    assert content_of(database, outer.run.state) == as_content({("fixed", 1): "a", ("fixed", 2): "b"})
    assert findings(database) == []

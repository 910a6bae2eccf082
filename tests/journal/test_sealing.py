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
    NotCanonical,
    Overtaken,
    Policy,
    Run,
    Sealed,
    Spool,
    TwoEventsOneKey,
    all_runs,
    encode,
    follows,
    newest,
    provenance,
    record,
    reuse,
)
from seedjournal.journal import sealing as sealing_module
from seedjournal.journal.appending import Addition
from seedjournal.journal.tables import EVENTS
from tests import scale
from tests.conftest import MAKES
from tests.journal.things import (
    POLICIES,
    Content,
    content_of,
    counts_of,
    findings,
    forget_all_but,
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
    assert (run.run, run.project) == (1, "p")
    assert (sealed.appended, sealed.reused, sealed.previous) == (500, False, None)
    assert run.counts["appended"] == 500
    assert counts_of(run) == {"thing": {**NOTHING, "total": 500, "added": 500}}
    assert run.totals == {**NOTHING, "total": 500, "added": 500}
    assert run.state == run.root
    kinds = run.inputs["kinds"]
    assert run.inputs == {"source": "test", "seed": 7, "policies": POLICIES, "window": False, "kinds": kinds}
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
        record_all(database, [*things(20), thing(20, 1e16)])
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
        policies = dict.fromkeys(KINDS, Policy.EXACT) if fresh else policies
        before = self.state
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


def chosen(policies: dict[str, Policy], *, fresh: bool) -> dict[str, Any]:
    """The inputs that choose a run's policies."""
    return {"fresh": True} if fresh else {"policies": policies}


def as_content(entities: Entities) -> Content:
    """Entities as a manifest gives them."""
    content: dict[tuple[str, int], Data] = {place: {"content": content} for place, content in entities.items()}
    return content


@pytest.fixture
def both(make_url: Callable[[str], str], open_url: Callable[[str], Database]) -> list[Database]:
    """Two journals that go through the same: one on each make of database."""
    return [open_url(make_url(make)) for make in MAKES]


@settings(max_examples=scale.times(6, 100))
@given(HISTORIES)
def test_histories_follow_their_policies(
    both: list[Database], history: list[tuple[Entities, bool, dict[str, Policy]]]
) -> None:
    project = f"p{len(row_runs(both[0]))}"
    oracle = Oracle()
    for entities, fresh, policies in history:
        counts, appended = oracle.take(entities, policies, fresh=fresh)
        events = [thing(number, content, kind=kind, project=project) for (kind, number), content in entities.items()]
        sealed = [record_all(database, events, project=project, **chosen(policies, fresh=fresh)) for database in both]
        first, second = (dataclasses.replace(one.run, sealed_at="") for one in sealed)
        assert first == second
        assert first.counts["kinds"] == counts
        assert first.counts["appended"] == appended
        for database in both:
            assert content_of(database, first.root) == as_content(entities)
            assert content_of(database, first.state) == as_content(oracle.state)


def test_other_policies_give_another_state_though_the_run_states_the_same(database: Database) -> None:
    record_all(database, [thing(1, "old"), thing(2, "gone")], policies={"thing": Policy.ONCE})
    kept = record_all(database, [thing(1, "new")], policies={"thing": Policy.ONCE})
    taken = record_all(database, [thing(1, "new")], policies={"thing": Policy.UPSERT})
    assert kept.run.root == taken.run.root
    assert content_of(database, kept.run.state) == as_content({("thing", 1): "old", ("thing", 2): "gone"})
    assert content_of(database, taken.run.state) == as_content({("thing", 1): "new", ("thing", 2): "gone"})


def row_runs(database: Database) -> list[Run]:
    """Every run of a journal."""
    with database.read() as connection:
        return all_runs(connection)


def test_long_histories_verify_on_both_databases(both: list[Database]) -> None:
    """Enough entities for trees of some height, of which random pieces come, go and change."""
    chance = random.Random(5)
    entities = {(kind, number): "a" for kind in KINDS for number in range(200)}
    oracle = Oracle()
    for step in range(5):
        for place in chance.sample(sorted(entities), 20):
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
    assert reuse(database, make_inputs(project="q", fingerprint=b"a")) is None
    assert row_counts(database)["journal_runs"] == 1


@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize("policies", [POLICIES, {"fixed": Policy.UPSERT, "mirror": Policy.ONCE, "thing": Policy.EXACT}])
def test_the_short_way_gives_what_the_long_way_gives(
    both: list[Database], policies: dict[str, Policy], fresh: bool
) -> None:
    """Also by other policies and with `fresh`, where the state cannot be that of the newest run; of that one alone."""
    runs = [
        [thing(number, text, kind=kind) for kind in KINDS for number in range(start, start + 300)]
        for start, text in ((0, "a"), (100, "b"))
    ]
    for events, name in ((runs[1], b"other"), (runs[0], b"first")):
        for database in both:
            record_all(database, events, fingerprint=name)
    assert reuse(both[0], make_inputs(fingerprint=b"other")) is None
    before = row_counts(both[0])
    short = short_way(both[0], fingerprint=b"first", **chosen(policies, fresh=fresh))
    long = record_all(both[1], runs[0], fingerprint=b"first", **chosen(policies, fresh=fresh))
    assert dataclasses.replace(short.run, sealed_at="") == dataclasses.replace(long.run, sealed_at="")
    assert short.appended == 0
    assert row_counts(both[0])["journal_events"] == before["journal_events"]
    again = short_way(both[0], fingerprint=b"first", policies=policies)
    long_again = record_all(both[1], runs[0], fingerprint=b"first", policies=policies)
    assert (again.run.root, again.run.state) == (long_again.run.root, long_again.run.state)
    for database in both:
        assert findings(database) == []


def test_a_recording_that_another_one_overtook_is_not_sealed(database: Database) -> None:
    first = record_all(database, things(3)).run
    second = record_all(database, things(4)).run
    before = row_counts(database)
    for read in (None, first):
        with Spool() as spool:
            spool.add((encode(event), "test/1") for event in things(5))
            with pytest.raises(Overtaken):
                record(database, make_inputs(), spool, examine=follows(read))
        assert row_counts(database) == before
    with Spool() as spool:
        spool.add((encode(event), "test/1") for event in things(5))
        assert record(database, make_inputs(), spool, examine=follows(second)).run.run == 3


def test_reuse_tells_the_values_that_were_found_in_the_source(database: Database) -> None:
    record_all(database, things(3), values={"source": "git", "head": "c0ffee"}, fingerprint=b"a")
    sealed = short_way(database, values={"source": "git", "head": None}, fingerprint=b"a")
    assert sealed.run.inputs["head"] == "c0ffee"


# Projects


def test_projects_are_folded_each_on_its_own(database: Database) -> None:
    record_all(database, things(3))
    other = record_all(database, [thing(9, project="q")], project="q")
    assert other.previous is None
    assert content_of(database, other.run.state) == as_content({("thing", 9): ""})
    third = record_all(database, [thing(5)])
    assert third.previous is not None
    assert third.previous.run == 1
    assert len(content_of(database, third.run.state)) == 4


# A recording that dies


class Dies(Exception):
    """What a recording died of."""


@pytest.mark.parametrize("moment", [(Addition, "append"), (sealing_module, "_fold"), (sealing_module, "add")])
def test_a_recording_that_dies_leaves_nothing(database: Database, moment: tuple[Any, str]) -> None:
    record_all(database, [thing(1, kind="fixed")])
    before = row_counts(database)
    where, name = moment
    whole = getattr(where, name)

    def die(*given: Any) -> None:
        whole(*given)
        raise Dies

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(where, name, die)
        with pytest.raises(Dies):
            record_all(database, things(2000))
    assert row_counts(database) == before
    sealed = record_all(database, things(2000))
    assert (sealed.run.run, sealed.appended) == (2, 2000)
    assert ids_of(database) == list(range(1, 2002))
    assert findings(database) == []


@pytest.fixture
def staging(
    make_url: Callable[[str], str], open_url: Callable[[str], Database], monkeypatch: pytest.MonkeyPatch
) -> Any:
    """A PostgreSQL journal, and a function that does something once when the next recording waits for the lock."""
    database = open_url(make_url("postgresql"))
    stage = Addition.stage

    def arm(action: Callable[[], None]) -> list[bool]:
        done: list[bool] = []

        def stage_first(self: Addition) -> None:
            stage(self)
            if not done:
                done.append(True)
                action()

        monkeypatch.setattr(Addition, "stage", stage_first)
        return done

    return database, arm


def test_a_run_that_was_sealed_meanwhile_is_folded_on(staging: Any) -> None:
    """What it staged may be there by then, and is not doubled."""
    database, arm = staging
    record_all(database, [thing(1, "a", kind="fixed"), thing(1)])
    arm(lambda: record_all(database, [thing(2, "b", kind="fixed"), thing(3)]))
    outer = record_all(database, [thing(2, "c", kind="fixed"), thing(3)])
    assert (outer.run.run, outer.previous and outer.previous.run, outer.appended) == (3, 2, 1)
    expected = {("fixed", 1): "a", ("fixed", 2): "b", ("thing", 1): "", ("thing", 3): ""}
    assert content_of(database, outer.run.state) == as_content(expected)
    assert ids_of(database) == [1, 2, 3, 4, 5]
    assert findings(database) == []


@pytest.mark.parametrize("more", [0, 1], ids=["the manifest", "its leaves"])
def test_a_recording_does_not_rely_on_what_is_forgotten_meanwhile(staging: Any, more: int) -> None:
    database, arm = staging
    events = [thing(number, kind="mirror") for number in range(2000)]
    record_all(database, events)
    record_all(database, events[:5])
    done = arm(lambda: forget_all_but(database, 1))
    again = record_all(database, [*events, *(thing(2000, kind="mirror") for _ in range(more))])
    assert done
    assert again.appended == again.run.counts["appended"] == 1995 + more
    assert len(content_of(database, again.run.state)) == 2000 + more
    assert findings(database) == []

"""Forgetting: runs go with all that only they need, what stays is whole, and no recording trips over it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from itertools import islice
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select, text

from seedjournal.journal import (
    Damaged,
    Database,
    Finding,
    Forgettable,
    Misuse,
    Run,
    RunNumber,
    Spool,
    Unavailable,
    all_runs,
    encode,
    find_run,
    forget,
    forgotten_runs,
    measure,
    reuse,
    runs_before_newest,
)
from seedjournal.journal import sealing as sealing_module
from seedjournal.journal.manifest import LEAF
from seedjournal.journal.tables import EVENTS, FORGOTTEN, NODES, RUNS
from tests import scale
from tests.conftest import MAKES, Urls
from tests.journal.processes import (
    die_while_forgetting,
    ended,
    forget_by_turns,
    opened,
    start_context,
    stated,
    write_runs,
)
from tests.journal.test_verify import damaged, every_flip
from tests.journal.things import (
    POLICIES,
    content_findings,
    content_of,
    findings,
    forget_all_but,
    make_inputs,
    record_all,
    row_counts,
    thing,
    things,
)


def runs_of(database: Database) -> list[Run]:
    """Every run that is there."""
    with database.read() as connection:
        return all_runs(connection)


def contents_of(database: Database, behind: int = 0) -> dict[int, tuple[str, str]]:
    """What every run that is there, behind some number, states and shows, by number, in short."""
    runs = [run for run in runs_of(database) if run.run > behind]
    return {run.run: (short(database, run.root), short(database, run.state)) for run in runs}


def short(database: Database, root: bytes) -> str:
    """A digest of a manifest's whole content, taken from the content alone."""
    content = sorted((place, sorted(data.items())) for place, data in content_of(database, root).items())
    return hashlib.sha256(repr(content).encode()).hexdigest()[:12]


def five_runs(database: Database) -> None:
    for turn in range(4):
        start = 100 * turn
        events = [thing(number, turn % 2, kind=kind) for kind in POLICIES for number in range(start, start + 250)]
        record_all(database, events)
        if turn == 1:
            record_all(database, things(300, project="q"), project="q")


@pytest.fixture
def filled(copy_of: Callable[[Callable[[Database], None]], Database]) -> Database:
    """Five runs of two projects, some of which share what they state; states that are not their runs' roots."""
    return copy_of(five_runs)


def test_what_stays_is_whole_and_nothing_else_is_left(filled: Database) -> None:
    before, rows = contents_of(filled), row_counts(filled)
    needed = {
        encode(thing(number, data["content"], kind=kind, project=run.project)).hash
        for run in runs_of(filled)[2:]
        for root in (run.root, run.state)
        for (kind, number), data in content_of(filled, root).items()
    }
    gone = forget_all_but(filled, 2)
    assert gone.runs == {"p": [1, 2]}
    assert contents_of(filled) == {number: before[number] for number in (3, 4, 5)}
    after = row_counts(filled)
    assert after["journal_runs"] == 3
    assert rows["journal_events"] - after["journal_events"] == gone.events > 0
    assert rows["journal_nodes"] - after["journal_nodes"] == gone.nodes > 0
    assert gone.octets > 50 * gone.events
    with filled.read() as connection:
        left = set(map(bytes, connection.execute(select(EVENTS.c.hash)).scalars()))
    assert len(left ^ needed) == 0
    assert findings(filled) == []


def test_forgetting_twice_is_forgetting_once(filled: Database) -> None:
    forget_all_but(filled, 1)
    rows = row_counts(filled)
    again = forget_all_but(filled, 1)
    assert again == Forgettable(runs={})
    assert row_counts(filled) == rows
    assert findings(filled) == []


def test_measuring_tells_what_would_go_and_changes_nothing(filled: Database) -> None:
    rows = row_counts(filled)
    with filled.read() as connection:
        told = measure(connection, runs_before_newest(connection, 1, ["p"]))
    assert row_counts(filled) == rows
    assert told == forget_all_but(filled, 1, ["p"])
    assert told.runs == {"p": [1, 2, 4]}


def test_a_whole_project_goes_and_can_come_back(filled: Database) -> None:
    (q,) = (run for run in runs_of(filled) if run.project == "q")
    assert forget_all_but(filled, 0, ["q"]).events == 300
    assert [run.project for run in runs_of(filled)] == ["p"] * 4
    again = record_all(filled, things(300, project="q"), project="q")
    assert (again.run.run, again.appended, again.previous) == (6, 300, None)
    assert (again.run.root, again.run.state) == (q.root, q.state)
    assert findings(filled) == []


def test_no_number_is_given_out_twice(filled: Database) -> None:
    with filled.read() as connection:
        last = max(connection.execute(select(EVENTS.c.id)).scalars())
    forget_all_but(filled, 0)
    assert row_counts(filled) == {
        **dict.fromkeys(row_counts(filled), 0),
        "journal": 1,
        "journal_forgotten": 5,
    }
    assert findings(filled) == []
    sealed = record_all(filled, things(3))
    assert sealed.run.run == 6
    with filled.read() as connection:
        assert sorted(connection.execute(select(EVENTS.c.id)).scalars()) == [last + 1, last + 2, last + 3]


def test_the_journal_knows_who_forgot_a_run_and_when(filled: Database) -> None:
    forget_all_but(filled, 1)
    with filled.read() as connection:
        gone = forgotten_runs(connection)
        one = gone[RunNumber(2)]
        with pytest.raises(Misuse, match=f"{one.forgotten_by} forgot it at {one.forgotten_at}"):
            find_run(connection, "2")
    assert {number: run.project for number, run in gone.items()} == {1: "p", 2: "p", 4: "p"}
    assert "@" in one.forgotten_by


def test_fewer_than_none_cannot_stay(filled: Database) -> None:
    with filled.read() as connection, pytest.raises(Misuse, match="Cannot keep -1 runs"):
        runs_before_newest(connection, -1, None)


def test_a_damaged_journal_forgets_nothing(filled: Database) -> None:
    """What lies below a node that is not there would go with it."""
    for level in (LEAF, 1):
        with damaged(filled) as connection:
            root = connection.execute(select(NODES.c.hash).where(NODES.c.level == level)).scalars().all()
            connection.execute(delete(NODES).where(NODES.c.hash.in_(root)))
            with pytest.raises(Damaged, match="a run that would stay refers to node"):
                forget(connection, {"p": [1]})


# What verify makes of it


def test_a_run_that_nobody_forgot_is_still_missed(filled: Database) -> None:
    forget_all_but(filled, 2)
    with damaged(filled) as connection:
        connection.execute(delete(RUNS).where(RUNS.c.run == 3))
        found = content_findings(connection)
    problem = "it is not there, and was not forgotten"
    assert found == [Finding(where="journal_runs", what="run 3", problem=problem)]


def test_a_forgotten_run_of_which_nothing_is_known_is_missed(filled: Database) -> None:
    forget_all_but(filled, 1)
    with damaged(filled) as connection:
        connection.execute(delete(FORGOTTEN))
        assert [one.what for one in content_findings(connection)] == ["runs 1 to 2", "run 4"]


@pytest.mark.scales
def test_every_byte_of_what_was_forgotten_is_guarded(filled: Database) -> None:
    forget_all_but(filled, 1, ["p"])
    with filled.read() as connection:
        row = dict(connection.execute(select(FORGOTTEN).where(FORGOTTEN.c.run == 2)).mappings().one())
    with damaged(filled) as connection:
        for name, value in row.items():
            for broken in islice(every_flip(value), 0, None, scale.times(23, 1)):
                step = connection.begin_nested()
                given: Any = broken.decode() if isinstance(value, str) else broken
                connection.execute(FORGOTTEN.update().where(FORGOTTEN.c.run == 2).values({name: given}))
                what = f"run {broken if name == 'run' else 2}"
                problem = "its row does not have its seal"
                found = Finding(where="journal_forgotten", what=what, problem=problem)
                assert found in content_findings(connection)
                step.rollback()


# Recordings that are under way


def test_reuse_does_not_rely_on_what_is_forgotten(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run to reuse goes after it was found: it must be simulated again."""
    record_all(database, things(5))
    record_all(database, things(2000), fingerprint=b"same")
    find, found = sealing_module.with_fingerprint, []

    def forget_behind(*given: Any) -> Any:
        found.append(find(*given))
        if len(found) == 1:
            forget_all_but(database, 0)
        return found[-1]

    monkeypatch.setattr(sealing_module, "with_fingerprint", forget_behind)
    assert reuse(database, make_inputs(fingerprint=b"same")) is None
    assert len(found) == 2
    assert findings(database) == []


def test_a_run_that_is_forgotten_is_compared_with_nothing(database: Database) -> None:
    run = record_all(database, things(300)).run
    record_all(database, things(5))
    with Spool() as spool:
        spool.add((encode(event), "test/1") for event in things(300, n7="other"))
        assert sealing_module.would_change(database, run, spool) == {"thing": 1}
        forget_all_but(database, 0)
        assert sealing_module.would_change(database, run, spool) == {}


WRITERS, TURNS = 3, 3


def test_writers_and_forgetters_take_turns(url: str) -> None:
    context = start_context()
    barrier, told, forgot = context.Barrier(WRITERS + 1), context.Queue(), context.Queue()
    processes = [context.Process(target=write_runs, args=(url, one, TURNS, barrier, told)) for one in range(WRITERS)]
    processes.append(context.Process(target=forget_by_turns, args=(url, 40, barrier, forgot)))
    for process in processes:
        process.start()
    rows = [told.get(timeout=120) for _ in range(WRITERS * TURNS * 2)]
    went = [forgot.get(timeout=120) for _ in range(40)]
    assert ended(processes) == [0] * (WRITERS + 1)
    assert sorted(row[3] for row in rows) == list(range(1, len(rows) + 1))
    assert sum(went) >= 2
    with opened(url) as database:
        assert findings(database) == []
        states = {row[3]: row for row in rows}
        for run in runs_of(database):
            writer, turn, project, _, root, state, _ = states[run.run]
            assert (run.root, run.state) == (root, state)
            expected = {(event.kind, event.key["number"]): event.data for event in stated(writer, turn, project)}
            assert content_of(database, root) == expected
            content_of(database, state)


@pytest.mark.scales
@pytest.mark.parametrize("make", MAKES)
def test_killed_while_forgetting_nothing_is_forgotten(make: str, make_url: Callable[[str], str]) -> None:
    context = start_context()
    url = make_url(make)
    with opened(url) as database:
        for turn in range(3):
            record_all(database, things(300, n5=turn))
        before, rows = contents_of(database), row_counts(database)
        with database.read() as connection:
            plan = measure(connection, runs_before_newest(connection, 1, None))
        for moment in range(8, 60, scale.times(18, 6)):
            process = context.Process(target=die_while_forgetting, args=(url, moment))
            process.start()
            (code,) = ended([process])
            if code == 0:
                break
            assert code == -9
            if row_counts(database)["journal_runs"] == 1:  # killed behind its commit
                break
            assert row_counts(database) == rows
            assert contents_of(database) == before
            assert findings(database) == []
        else:
            assert forget_all_but(database, 1) == plan
        assert findings(database) == []


# Laws

ENTITIES = st.dictionaries(
    st.tuples(st.sampled_from(sorted(POLICIES)), st.integers(0, 9)), st.sampled_from("ab"), max_size=12
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("record"), st.sampled_from("xy"), ENTITIES),
        st.tuples(st.just("forget"), st.sampled_from(["x", "y", "xy"]), st.integers(0, 3)),
    ),
    min_size=2,
    max_size=scale.times(6, 9),
)


@pytest.fixture
def three(make_url: Urls, open_url: Callable[[str], Database]) -> list[Database]:
    """Two journals in which the same is recorded and forgotten, one on each make; and one that never forgets."""
    return [open_url(make_url.ready(make)) for make in (*MAKES, "sqlite")]


@settings(max_examples=scale.times(4, 60))
@given(STEPS)
def test_any_history_of_recordings_and_forgettings(three: list[Database], history: list[tuple[Any, ...]]) -> None:
    """What stays shows what it showed, and the next run is what it is where a forgotten project begins with `fresh`."""
    *forgetful, faithful = three
    ours = max([run.run for run in runs_of(faithful)], default=0)
    name = {letter: f"{letter}{ours}" for letter in "xy"}
    lost: set[str] = set()
    kept: dict[int, tuple[str, str]] = {}
    for what, who, given_ in history:
        if what == "record":
            project = name[who]
            events = [thing(number, content, kind=kind, project=project) for (kind, number), content in given_.items()]
            runs = [record_all(one, events, project=project).run for one in forgetful]
            twin = record_all(faithful, events, project=project, fresh=project in lost).run
            lost.discard(project)
            assert {(run.run, run.root, run.state) for run in runs} == {(twin.run, twin.root, twin.state)}
            kept[twin.run] = (short(faithful, twin.root), short(faithful, twin.state))
        else:
            projects = [name[letter] for letter in who]
            gone = [forget_all_but(one, given_, projects) for one in forgetful]
            assert gone[0] == gone[1]
            for number in (number for numbers in gone[0].runs.values() for number in numbers):
                del kept[number]
            lost |= set(projects) if given_ == 0 else set()
        for one in forgetful:
            assert contents_of(one, ours) == kept
    for one in forgetful:
        assert findings(one) == []
    assert row_counts(forgetful[0]) == row_counts(forgetful[1])


@pytest.mark.parametrize("table", ["journal_runs", "journal_nodes", "journal_events"])
def test_what_somebodys_row_refers_to_is_not_forgotten(database: Database, table: str) -> None:
    """No cascade deletes that row; whether it says CASCADE or SET NULL makes no difference."""
    for number in range(3):
        record_all(database, things(number + 1))
    kind = {"journal_nodes": "BLOB" if database.name == "sqlite" else "BYTEA"}.get(table, "BIGINT")
    key = {"journal_runs": "run", "journal_nodes": "hash", "journal_events": "id"}[table]
    with database.write() as connection:
        connection.execute(text(f"CREATE TABLE theirs (one {kind} REFERENCES {table} ON DELETE CASCADE)"))
        connection.execute(text(f"INSERT INTO theirs SELECT {key} FROM {table}"))
        count = connection.execute(text("SELECT count(*) FROM theirs")).scalar_one()
    for way in (forget, measure):
        with (
            pytest.raises(Unavailable, match=f"Rows of table theirs refer to rows of {table} that would be forgotten"),
            database.write() as connection,
        ):
            way(connection, runs_before_newest(connection, 0, None))
    with database.write() as connection:
        assert connection.execute(text("SELECT count(*) FROM theirs")).scalar_one() == count
        connection.execute(text("DELETE FROM theirs"))
        assert forget(connection, runs_before_newest(connection, 0, None)).events > 0

"""One entity over the runs."""

from __future__ import annotations

from seedjournal.journal import Database, Event, Inputs, Policy, Spool, canonical_key, encode, history, record


def _record(database: Database, contents: dict[str, int]) -> None:
    with Spool() as spool:
        events = (Event(project="p", kind="thing", key={"name": n}, data={"size": s}) for n, s in contents.items())
        spool.add((encode(event), "maker/1") for event in events)
        inputs = Inputs(
            project="p",
            policies={"thing": Policy.ONCE},
            window=False,
            values={},
            fingerprint=repr(contents).encode(),
        )
        record(database, inputs, spool)


def test_contents_are_told_with_the_runs_that_state_them_and_those_after_which_they_stand(database: Database) -> None:
    _record(database, {"a": 1, "A": 5, "b": 1})
    _record(database, {"a": 2, "A": 5})
    _record(database, {"a": 1, "A": 5})
    with database.read() as connection:
        first, second = history(connection, "thing", canonical_key({"name": "a"}))
        assert ([run.run for run in first.runs], [run.run for run in first.in_state_of]) == ([1, 3], [1, 2, 3])
        assert ([run.run for run in second.runs], [run.run for run in second.in_state_of]) == ([2], [])
        assert (first.provenance, second.provenance) == ("maker/1", "maker/1")
        (upper,) = history(connection, "thing", canonical_key({"name": "A"}))
        assert [run.run for run in upper.runs] == [1, 2, 3]
        (gone,) = history(connection, "thing", canonical_key({"name": "b"}))
        assert ([run.run for run in gone.runs], [run.run for run in gone.in_state_of]) == ([1], [1, 2, 3])


def test_what_no_run_states_has_no_history(database: Database) -> None:
    _record(database, {"a": 1})
    with database.read() as connection:
        assert history(connection, "thing", canonical_key({"name": "%"})) == []

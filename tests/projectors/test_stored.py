"""Rows that the database does not store although it was sent them: triggers and rules of users."""

from __future__ import annotations

import pytest

from seedjournal.journal import Database, Unavailable
from tests.projectors.invented import (
    ALL_EXACT,
    ALL_UPSERT,
    dump,
    everything,
    execute,
    note,
    show,
    totals,
    usage,
    with_changed,
    without,
)
from tests.projectors.kept import emptied

IGNORING = {
    "sqlite": "CREATE TRIGGER quiet BEFORE {event} ON ai_usage_daily BEGIN SELECT RAISE(IGNORE); END",
    "postgresql": "CREATE TRIGGER quiet BEFORE {event} ON ai_usage_daily FOR EACH ROW EXECUTE FUNCTION quiet()",
}


def keep_out(database: Database, event: str) -> None:
    """Let a trigger drop what is written to a table."""
    if database.name == "postgresql":
        execute(database, "CREATE FUNCTION quiet() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'")
    execute(database, IGNORING[database.name].format(event=event))


def let_in(database: Database) -> None:
    """Remove what `keep_out` made."""
    if database.name == "postgresql":
        execute(database, "DROP FUNCTION quiet() CASCADE")
    else:
        execute(database, "DROP TRIGGER quiet")


@pytest.mark.parametrize("way", ["loaded", "inserted", "updated"])
def test_rows_that_a_trigger_keeps_out_are_an_error(database: Database, way: str) -> None:
    """Nothing is kept, and table and trigger are named."""
    events = everything(numbers=(1,))
    if way != "loaded":
        show(database, note(database, [*without(events, "ai_usage_daily"), usage()]))
        events = with_changed(events, "ai_usage_daily", **({"acceptance_rate": "1.00"} if way == "updated" else {}))
    run = note(database, events)
    keep_out(database, "UPDATE" if way == "updated" else "INSERT")
    before = dump(database)
    try:
        with pytest.raises(Unavailable, match=r"Table ai_usage_daily took 0 of \d rows; .*trigger quiet"):
            show(database, run)
        assert dump(database) == before
    finally:
        let_in(database)


@pytest.mark.parametrize("choice", [{"prune": True}, {"prune": None, "delete_many": True}])
def test_rows_that_a_trigger_keeps_from_being_deleted_are_an_error(
    database: Database, choice: dict[str, bool | None]
) -> None:
    """Else they would be noted no longer, and nobody would know whose they are."""
    show(database, note(database, everything(numbers=(1,)), ALL_EXACT))
    run = note(database, without(everything(numbers=(1,)), "ai_usage_daily"), ALL_EXACT)
    keep_out(database, "DELETE")
    before = dump(database)
    try:
        with pytest.raises(Unavailable, match=r"Table ai_usage_daily kept \d rows .*trigger quiet"):
            show(database, run, **choice)
        assert dump(database) == before
    finally:
        let_in(database)
    assert totals(show(database, run, **choice))[2] > 0


@pytest.mark.parametrize("way", ["loaded", "inserted", "updated"])
def test_rows_that_a_trigger_rewrites_are_an_error(database: Database, way: str) -> None:
    """Column and trigger are named: otherwise every repair would write these rows, and none would be as they should."""
    events = everything(numbers=(1,))
    if way != "loaded":
        show(database, note(database, events if way == "updated" else without(events, "pr_file"), ALL_UPSERT))
    run = note(database, with_changed(events, "pr_file", status="removed"), ALL_UPSERT)
    if database.name == "postgresql":
        execute(
            database,
            "CREATE FUNCTION loud() RETURNS trigger LANGUAGE plpgsql AS "
            "'BEGIN new.status = upper(new.status); RETURN new; END'",
        )
        execute(
            database,
            "CREATE TRIGGER loud BEFORE INSERT OR UPDATE ON pr_files FOR EACH ROW EXECUTE FUNCTION loud()",
        )
    else:
        for event in ("INSERT", "UPDATE OF status"):
            execute(
                database,
                f"CREATE TRIGGER loud_{event[:6]} AFTER {event} ON pr_files WHEN new.status <> "
                "upper(new.status) BEGIN UPDATE pr_files SET status = upper(status) "
                "WHERE id = new.id; END",
            )
    before = dump(database)
    try:
        with pytest.raises(
            Unavailable, match=r"pr_files stored other values than seedjournal wrote, in status; .*trigger loud"
        ):
            show(database, run)
        assert dump(database) == before
    finally:
        if database.name == "postgresql":
            execute(database, "DROP FUNCTION loud() CASCADE")
        else:
            execute(database, "DROP TRIGGER loud_INSERT")
            execute(database, "DROP TRIGGER loud_UPDATE")
    show(database, run)


@pytest.mark.parametrize("rule", ["NOTHING", "INSERT INTO elsewhere VALUES (new.id)"])
def test_rows_that_a_rule_puts_elsewhere_are_an_error(rule: str) -> None:
    database = emptied("postgresql")
    show(database, note(database, everything(numbers=(1,))))
    execute(database, "CREATE TABLE elsewhere (id BIGINT)")
    execute(database, f"CREATE RULE aside AS ON INSERT TO pr_files DO INSTEAD {rule}")
    before = dump(database)
    try:
        with pytest.raises(Unavailable, match=r"Table pr_files took 0 of \d+ rows; .*rule aside"):
            show(database, note(database, everything()))
        after = dump(database)
        assert {name: after[name] for name in after if "journal" not in name} == {
            name: before[name] for name in before if "journal" not in name
        }
    finally:
        execute(database, "DROP RULE aside ON pr_files")

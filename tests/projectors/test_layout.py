"""Layouts: tables, columns and natural keys follow from the vocabulary alone."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import inspect

from seedjournal.journal import (
    Database,
    Event,
    Field,
    Inputs,
    Kind,
    Policy,
    Reference,
    Spool,
    Type,
    Vocabulary,
    encode,
    record,
)
from seedjournal.projectors import Choice, build_layout, check, project
from tests.projectors.invented import MAPS, drop_tables, execute, totals
from tests.projectors.kept import LAYOUT, emptied

KEYS = {
    "team": ("slug",),
    "team_member": ("team_id", "login"),
    "pull_request": ("team_id", "github_repo", "number"),
    "pr_review": ("pull_request_id", "github_review_id"),
    "commit": ("team_id", "github_sha"),
    "pr_file": ("pull_request_id", "filename"),
    "pr_check_run": ("team_id", "github_check_run_id"),
    "jira_issue": ("team_id", "jira_key"),
    "pr_survey": ("pull_request_id",),
    "pr_survey_review": ("pr_survey_id", "reviewer_id"),
    "ai_usage_daily": ("team_member_id", "date", "source"),
    "weekly_metrics": ("team_member_id", "week_start"),
}
TABLES = (
    "teams team_members pull_requests pr_reviews commits pr_files pr_check_runs jira_issues pr_surveys "
    "pr_survey_reviews ai_usage_daily weekly_metrics"
)


def test_each_kind_has_its_table_parents_before_children() -> None:
    assert [mapped.table.name for mapped in MAPS.values()] == TABLES.split()
    seen: set[str] = set()
    for name, mapped in MAPS.items():
        assert seen.issuperset(one.to for one in mapped.kind.references)
        seen.add(name)


@pytest.mark.parametrize("kind", KEYS)
def test_the_natural_key_is_a_unique_index(kind: str) -> None:
    mapped = MAPS[kind]
    assert mapped.key_columns == KEYS[kind]
    assert [tuple(one.columns.keys()) for one in mapped.table.indexes if one.unique] == [KEYS[kind]]


@pytest.mark.parametrize("kind", KEYS)
def test_rows_fill_every_column_of_the_table(kind: str) -> None:
    of_parts = {name for one in LAYOUT.maps.values() if one.whole is MAPS[kind] for name in one.columns}
    assert {*MAPS[kind].columns, *of_parts} == set(MAPS[kind].table.columns.keys())
    assert MAPS[kind].columns[0] == "id"


@pytest.mark.parametrize("kind", KEYS)
def test_a_natural_key_is_found_in_rows_and_the_rows_that_they_point_to(kind: str) -> None:
    _, parts = LAYOUT.natural_keys(MAPS[kind])
    assert set(MAPS[kind].kind.key) <= set(parts)


def test_the_created_tables_are_the_declared_ones(database: Database) -> None:
    with database.read() as connection:
        inspector = inspect(connection)
        for table in LAYOUT.tables:
            columns = {one["name"]: one["nullable"] for one in inspector.get_columns(table.name)}
            assert columns == {column.name: column.nullable for column in table.columns}
            pointing = {tuple(one["constrained_columns"]) for one in inspector.get_foreign_keys(table.name)}
            assert pointing == {tuple(one.column_keys) for one in table.foreign_key_constraints}
            indexes = {one["name"]: one["unique"] for one in inspector.get_indexes(table.name)}
            assert indexes == {one.name: int(one.unique) for one in table.indexes}
            assert inspector.get_pk_constraint(table.name)["constrained_columns"] == ["id"]


# -- a stranger's domain -------------------------------------------------------------------------------------------

SHELF = Kind(
    name="shelf",
    key=("room", "opened", "weight"),
    fields=(Field(name="room"), Field(name="opened", type=Type.INSTANT), Field(name="weight", type=Type.DECIMAL)),
    policy=Policy.EXACT,
)
BOOK = Kind(
    name="book",
    key=("room", "opened", "weight", "day"),
    fields=(Field(name="day", type=Type.DATE), Field(name="place"), Field(name="c1", nullable=True)),
    references=(Reference(name="shelf", to="shelf", shared={one: one for one in SHELF.key}),),
    policy=Policy.EXACT,
)
STRANGE = build_layout(Vocabulary((SHELF, BOOK)))


def test_a_strangers_domain_has_the_same_way_in() -> None:
    assert STRANGE["book"].table.name == "books"
    assert STRANGE["book"].columns == ("id", "shelf_id", "day", "place", "c1")
    assert STRANGE["book"].key_columns == ("shelf_id", "day")


@pytest.mark.parametrize("make", ["sqlite", "postgresql"])
def test_keys_of_instants_decimals_and_dates_and_columns_named_as_ours(make: str) -> None:
    """Rows whose keys are read back from the database are known as ours, whatever the keys are made of."""
    database = emptied(make)
    drop_tables(database)

    def state(weights: tuple[str, ...], place: str) -> Any:
        with Spool() as spool:
            for weight in weights:
                for moment in ("2024-03-04T09:30:00Z", "2024-03-04T09:30:00.250000Z"):
                    key: dict[str, str | int] = {"room": "north", "opened": moment, "weight": weight}
                    spool.add([(encode(Event(project="north", kind="shelf", key=key, data={})), "hand/1")])
                    book = Event(
                        project="north",
                        kind="book",
                        key={**key, "day": "2024-03-05"},
                        data={"place": place, "c1": None},
                    )
                    spool.add([(encode(book), "hand/1")])
            inputs = Inputs(
                project="north",
                policies={"shelf": Policy.EXACT, "book": Policy.EXACT},
                window=False,
                values={},
                fingerprint=place.encode() * 4,
            )
            return record(database, inputs, spool).run

    runs = [state(("1.50", "20.00"), "first123"), state(("1.50",), "second12")]
    assert totals(project(database, database, STRANGE, runs[0], Choice())) == (8, 0, 0)
    execute(database, "DELETE FROM seedjournal_positions")
    assert totals(project(database, database, STRANGE, runs[0], Choice())) == (0, 0, 0)
    execute(database, "DELETE FROM seedjournal_positions")
    done = project(database, database, STRANGE, runs[1], Choice(prune=True))
    assert totals(done) == (0, 2, 4)
    with database.read() as connection:
        assert list(check(connection, connection, STRANGE)) == []
    with database.write("target") as connection:
        STRANGE.metadata.drop_all(connection)

"""Rules: tables, columns and natural keys follow from the vocabulary alone."""

from __future__ import annotations

import pytest
from sqlalchemy import MetaData, UniqueConstraint, inspect

from seedjournal.journal import Database, Field, Kind, Reference, Type, Vocabulary
from seedjournal.projectors import METADATA, RULES
from seedjournal.projectors.rules import build_rules, key_parts
from seedjournal.projectors.tables import build_tables

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
    assert [rule.table.name for rule in RULES.values()] == TABLES.split()
    seen: set[str] = set()
    for name, rule in RULES.items():
        assert seen.issuperset(one.to for one in rule.kind.references)
        seen.add(name)


@pytest.mark.parametrize("kind", KEYS)
def test_the_natural_key_is_a_unique_constraint(kind: str) -> None:
    rule = RULES[kind]
    assert rule.key_columns == KEYS[kind]
    unique = [one for one in rule.table.constraints if isinstance(one, UniqueConstraint)]
    assert [tuple(one.columns.keys()) for one in unique] == [KEYS[kind]]


@pytest.mark.parametrize("kind", KEYS)
def test_rows_fill_every_column_of_the_table(kind: str) -> None:
    assert set(RULES[kind].columns) == set(RULES[kind].table.columns.keys())
    assert RULES[kind].columns[0] == "id"


@pytest.mark.parametrize("kind", KEYS)
def test_a_natural_key_is_found_in_rows_and_the_rows_that_they_point_to(kind: str) -> None:
    parts, _ = key_parts(RULES[kind], RULES)
    assert set(RULES[kind].kind.key) <= set(parts)


def test_the_migrated_tables_are_the_declared_ones(database: Database) -> None:
    with database.read() as connection:
        inspector = inspect(connection)
        for table in METADATA.tables.values():
            columns = {one["name"]: one["nullable"] for one in inspector.get_columns(table.name)}
            assert columns == {column.name: column.nullable for column in table.columns}
            pointing = {tuple(one["constrained_columns"]) for one in inspector.get_foreign_keys(table.name)}
            assert pointing == {tuple(one.column_keys) for one in table.foreign_key_constraints}


def test_a_strangers_domain_has_the_same_way_in() -> None:
    shelf = Kind(name="shelf", key=("room", "label"), fields=(Field(name="room"), Field(name="label")))
    book = Kind(
        name="book",
        key=("room", "label", "place"),
        fields=(Field(name="place", type=Type.INTEGER), Field(name="title", nullable=True)),
        references=(Reference(name="shelf", to="shelf", shared={"room": "room", "label": "label"}),),
    )
    vocabulary = Vocabulary((shelf, book))
    rules = build_rules(vocabulary, build_tables(vocabulary, MetaData()))
    assert rules["book"].table.name == "books"
    assert rules["book"].columns == ("id", "shelf_id", "place", "title")
    assert rules["book"].key_columns == ("shelf_id", "place")

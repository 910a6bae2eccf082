"""Rules: how a kind becomes a table. Built from the vocabulary; the built-in domain has no other way in.

A rule names the table, the columns in the order in which rows are made, and the columns that are the natural key:
foreign keys to the entities that the key names, and the key's own fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import BigInteger, Column, ColumnElement, FromClause, Integer, MetaData, Select, Table, select

from seedjournal.journal import Kind, Reference, Vocabulary

# Where English makes a table's name otherwise than by an s.
_TABLE_NAMES = {"ai_usage_daily": "ai_usage_daily", "weekly_metrics": "weekly_metrics"}


def table_name(kind: Kind) -> str:
    """The table that holds a kind."""
    return _TABLE_NAMES.get(kind.name, f"{kind.name}s")


def foreign_key(reference: Reference) -> str:
    """The column that holds a reference."""
    return f"{reference.name}_id"


def is_in_key(reference: Reference, vocabulary: Vocabulary) -> bool:
    """Whether a reference is told by the natural key alone."""
    return set(reference.shared) == set(vocabulary[reference.to].key)


@dataclass(frozen=True)
class Rule:
    """A kind, its table, and the kinds that it refers to."""

    kind: Kind
    table: Table
    vocabulary: Vocabulary

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The columns that a row fills, in its order: id, foreign keys, fields."""
        return (
            "id",
            *(foreign_key(reference) for reference in self.kind.references),
            *(field.name for field in self.kind.fields),
        )

    @cached_property
    def key_columns(self) -> tuple[str, ...]:
        """The columns of the natural key's UNIQUE constraint."""
        fields = {field.name for field in self.kind.fields}
        return (
            *(foreign_key(one) for one in self.kind.references if is_in_key(one, self.vocabulary)),
            *(name for name in self.kind.key if name in fields),
        )

    # Made once, so that the statements that use them are compiled once.
    @cached_property
    def stage(self) -> Table:
        """A temporary table in which rows wait, each with its place in its piece."""
        return Table(
            f"seedjournal_stage_{self.table.name}",
            MetaData(),
            Column("place", Integer),
            *(Column(name, BigInteger() if name == "id" else self.table.c[name].type) for name in self.columns),
            prefixes=["TEMPORARY"],
        )

    @cached_property
    def seen(self) -> Table:
        """A temporary table of the ids that a state has."""
        return Table(
            f"seedjournal_seen_{self.table.name}",
            MetaData(),
            Column("id", BigInteger, primary_key=True, autoincrement=False),
            prefixes=["TEMPORARY"],
        )


def build_rules(vocabulary: Vocabulary, tables: Mapping[str, Table]) -> dict[str, Rule]:
    """The rules of a domain, parents before children, from its tables by kind."""
    return {kind.name: Rule(kind, tables[kind.name], vocabulary) for kind in vocabulary.kinds}


KeyParts = dict[str, ColumnElement[Any]]
Joins = list[tuple[FromClause, ColumnElement[bool]]]


def key_parts(rule: Rule, rules: Mapping[str, Rule], rows: FromClause | None = None) -> tuple[KeyParts, Joins]:
    """Where a row's natural key is found: the key's fields as columns, and the joins to the rows that it points to."""
    rows = rule.table if rows is None else rows
    fields = {field.name for field in rule.kind.fields}
    parts: KeyParts = {name: rows.c[name] for name in rule.kind.key if name in fields}
    joins: Joins = []
    for reference in rule.kind.references:
        if not is_in_key(reference, rule.vocabulary):
            continue
        missing = {theirs: ours for theirs, ours in reference.shared.items() if ours not in parts}
        if missing:
            parent = rules[reference.to]
            parent_rows = parent.table.alias()
            theirs, further = key_parts(parent, rules, parent_rows)
            joins += [(parent_rows, rows.c[foreign_key(reference)] == parent_rows.c.id), *further]
            parts.update({mine: theirs[name] for name, mine in missing.items()})
    return parts, joins


def natural_keys(rule: Rule, rules: Mapping[str, Rule]) -> tuple[Select[Any], KeyParts]:
    """A query for every row's id and natural key, in the order of the key's fields; and its columns, to filter by."""
    parts, joins = key_parts(rule, rules)
    source: FromClause = rule.table
    for rows, condition in joins:
        source = source.join(rows, condition)
    return select(rule.table.c.id, *(parts[name].label(name) for name in rule.kind.key)).select_from(source), parts

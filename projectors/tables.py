"""The target's tables: one for each kind, built from the vocabulary, and seedjournal's own notes beside them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON as JSON_TYPE
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Date,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    TextClause,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

from seedjournal.journal import ENGINEERING, Field, History, Kind, Type, Vocabulary

from .rules import build_rules, foreign_key, is_in_key, table_name

METADATA = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    }
)

_ID = BigInteger().with_variant(Integer(), "sqlite")

# What a row made by hand holds where it says nothing; projected rows always say.
_DEFAULTS: dict[Type, TextClause | ColumnElement[bool]] = {
    Type.INTEGER: text("0"),
    Type.BOOLEAN: false(),
    Type.JSON: text("'[]'"),
}


def build_tables(vocabulary: Vocabulary, metadata: MetaData) -> dict[str, Table]:
    """A table for each kind, parents before children."""
    tables: dict[str, Table] = {}
    for kind in vocabulary.kinds:
        tables[kind.name] = _table(kind, vocabulary, tables, metadata)
    return tables


def _table(kind: Kind, vocabulary: Vocabulary, tables: dict[str, Table], metadata: MetaData) -> Table:
    name = table_name(kind)
    fields = {field.name for field in kind.fields}
    foreign = [one for one in kind.references if is_in_key(one, vocabulary)]
    key = [*(foreign_key(one) for one in foreign), *(part for part in kind.key if part in fields)]
    return Table(
        name,
        metadata,
        Column("id", _ID, primary_key=True, autoincrement=True),
        *(Column(foreign_key(one), _ID, nullable=one.nullable) for one in kind.references),
        *(
            Column(
                field.name,
                _column_type(field),
                nullable=field.nullable,
                server_default=None if field.nullable or field.name in kind.key else _DEFAULTS.get(field.type),
            )
            for field in kind.fields
        ),
        UniqueConstraint(*key),
        *(
            # Deferrable, so that an id that must move can take its children with it.
            ForeignKeyConstraint(
                [foreign_key(one)], [f"{tables[one.to].name}.id"], deferrable=True, initially="IMMEDIATE"
            )
            for one in kind.references
        ),
        *(
            Index(f"ix_{name}_{foreign_key(one)}", foreign_key(one))
            for one in kind.references
            if foreign_key(one) != key[0]
        ),
    )


def _column_type(field: Field) -> TypeEngine[Any]:  # noqa: PLR0911 - one for each type
    """A column's type. SQLite has none for times: there they are the events' own text, which its functions read."""
    match field.type:
        case Type.TEXT:
            return String(field.size) if field.size else Text()
        case Type.INTEGER | Type.BIGINT:
            return BigInteger()
        case Type.BOOLEAN:
            return Boolean()
        case Type.DECIMAL:
            return Numeric(field.precision, field.places)
        case Type.INSTANT:
            return DateTime(timezone=True).with_variant(Text(), "sqlite")
        case Type.DATE:
            return Date().with_variant(Text(), "sqlite")
        case Type.JSON:
            return JSONB().with_variant(JSON_TYPE(), "sqlite")


TABLES = build_tables(ENGINEERING, METADATA)
RULES = build_rules(ENGINEERING, TABLES)

# What the target shows of each project and kind: this run of that journal, folded by that policy.
POSITIONS = Table(
    "seedjournal_positions",
    METADATA,
    Column("project", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("journal", Text, nullable=False),
    Column("run", BigInteger, nullable=False),
    Column("state", LargeBinary, nullable=False),
    Column("policy", Text, nullable=False),
    # The name that all keys of the project carry; null in rows that were there before the column.
    Column("namespace", Text),
)

# Rows whose id is not the first one derived from their key: foreign ones, and ours that a collision moved.
REMEMBERED = Table(
    "seedjournal_remembered",
    METADATA,
    Column("kind", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("project", Text, nullable=False),
    Column("id", BigInteger, nullable=False),
    Column("is_foreign", Boolean, nullable=False),
)

# Rows of ours whose key has left the state.
STALE = Table(
    "seedjournal_stale",
    METADATA,
    Column("kind", Text, primary_key=True),
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("project", Text, nullable=False),
)

TARGET_HISTORY = History(name="target", version_table="seedjournal_target_version", head="0002", metadata=METADATA)

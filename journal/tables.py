"""The journal's tables. Rows are inserted and never updated: triggers refuse it, on either backend.

Ids and run numbers are given out under the journal's write lock as the greatest so far plus one: a lower number never
becomes visible after a higher one, and there is no gap but where something was forgotten.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
)

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
    },
)

# SQLite gives only a column declared INTEGER PRIMARY KEY the table's own order; it holds 64 bits there as well.
_ID = BigInteger().with_variant(Integer(), "sqlite")

JOURNAL = Table(
    "journal",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("created_at", Text, nullable=False),
    Column("seal", LargeBinary, nullable=False),
)

EVENTS = Table(
    "journal_events",
    METADATA,
    Column("id", _ID, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary, nullable=False, unique=True),
    Column("event", Text, nullable=False),
    # By value and outside the hash: what made the row when it was first appended, such as "jira/1".
    Column("provenance", Text, nullable=False),
)

NODES = Table(
    "journal_nodes",
    METADATA,
    Column("hash", LargeBinary, primary_key=True),
    Column("level", SmallInteger, nullable=False),
    # A leaf: event ids as zigzag varints of differences. An inner node: its children's hashes. A root: its listing.
    Column("payload", LargeBinary, nullable=False),
)

# The kinds that runs were recorded with, as text, by the text's hash: a run's inputs name it.
KINDS = Table(
    "journal_kinds",
    METADATA,
    Column("hash", LargeBinary, primary_key=True),
    Column("kinds", Text, nullable=False),
)

RUNS = Table(
    "journal_runs",
    METADATA,
    Column("run", _ID, primary_key=True, autoincrement=False),
    Column("project", Text, nullable=False, index=True),
    Column("root", LargeBinary, nullable=False),
    Column("state", LargeBinary, nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("inputs", Text, nullable=False),
    Column("counts", Text, nullable=False),
    Column("sealed_at", Text, nullable=False),
    # user@host
    Column("recorded_by", Text, nullable=False),
    # SHA-256 over the other columns: a run that was edited by hand is found.
    Column("seal", LargeBinary, nullable=False),
)

# One row for each run that was forgotten: verify knows that it is not lost, and its number is never used again.
FORGOTTEN = Table(
    "journal_forgotten",
    METADATA,
    Column("run", _ID, primary_key=True, autoincrement=False),
    Column("project", Text, nullable=False),
    Column("forgotten_at", Text, nullable=False),
    Column("forgotten_by", Text, nullable=False),
    # The greatest event id given out until then: no id is given out twice.
    Column("last_event", _ID, nullable=False),
    Column("seal", LargeBinary, nullable=False),
)

# The tables whose rows triggers guard, and by which column a row is replaced.
GUARDS = {
    "journal": "id",
    "journal_events": "id",
    "journal_nodes": "hash",
    "journal_kinds": "hash",
    "journal_runs": "run",
    "journal_forgotten": "run",
}

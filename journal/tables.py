"""The journal's tables. Rows are inserted and never updated: triggers refuse it, on either make.

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
    Column("seal", LargeBinary),
)

EVENTS = Table(
    "journal_events",
    METADATA,
    Column("id", _ID, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary, nullable=False, unique=True),
    Column("event", Text, nullable=False),
    # By value and outside the hash: what made the row when it was first appended, such as "jira/1".
    Column("provenance", Text, nullable=False),
    # CRC-32 of hash and provenance, which the hash leaves out; null in rows that were there before the column.
    Column("provenance_check", _ID),
)

NODES = Table(
    "journal_nodes",
    METADATA,
    Column("hash", LargeBinary, primary_key=True),
    Column("level", SmallInteger, nullable=False),
    # A leaf: event ids as zigzag varints of differences. An inner node: its children's hashes. A root: its listing.
    Column("payload", LargeBinary, nullable=False),
)

RUNS = Table(
    "journal_runs",
    METADATA,
    Column("run", _ID, primary_key=True, autoincrement=False),
    Column("project", Text, nullable=False, index=True),
    # The name that all keys of the project carry; no two projects share one.
    Column("namespace", Text, nullable=False),
    Column("root", LargeBinary, nullable=False),
    Column("state", LargeBinary, nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("inputs", Text, nullable=False),
    Column("counts", Text, nullable=False),
    Column("sealed_at", Text, nullable=False),
    # SHA-256 over the other columns: a run that was edited by hand is found.
    Column("seal", LargeBinary, nullable=False),
    # user@host; null in rows that were there before the column.
    Column("recorded_by", Text),
)

# One row for each forgetting: what verify needs to tell it from damage, and recordings to notice it.
FORGOTTEN = Table(
    "journal_forgotten",
    METADATA,
    Column("id", _ID, primary_key=True, autoincrement=False),
    Column("forgotten_at", Text, nullable=False),
    Column("forgotten_by", Text, nullable=False),
    # The numbers of the runs that went, by project, as JSON.
    Column("runs", Text, nullable=False),
    Column("events", _ID, nullable=False),
    Column("nodes", _ID, nullable=False),
    # The greatest number and id given out until then: none is given out twice.
    Column("last_run", _ID, nullable=False),
    Column("last_event", _ID, nullable=False),
    Column("seal", LargeBinary, nullable=False),
)

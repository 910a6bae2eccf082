"""The journal: events, nodes and runs."""

import secrets
from datetime import UTC, datetime

import sqlalchemy as sa

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables, and give the journal its id."""
    journal = op.create_table(
        "journal",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_journal"),
    )
    op.create_table(
        "journal_events",
        sa.Column("id", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("provenance", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_journal_events"),
        sa.UniqueConstraint("hash", name="uq_journal_events_hash"),
    )
    op.create_table(
        "journal_nodes",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("level", sa.SmallInteger(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name="pk_journal_nodes"),
    )
    op.create_table(
        "journal_runs",
        sa.Column("run", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("namespace", sa.Text(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.LargeBinary(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("inputs", sa.Text(), nullable=False),
        sa.Column("counts", sa.Text(), nullable=False),
        sa.Column("sealed_at", sa.Text(), nullable=False),
        sa.Column("seal", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("run", name="pk_journal_runs"),
    )
    op.create_index("ix_journal_runs_project", "journal_runs", ["project"])
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    op.bulk_insert(journal, [{"id": secrets.token_hex(16), "created_at": now}])


def downgrade() -> None:
    """Remove the tables with everything in them."""
    for table in ("journal_runs", "journal_nodes", "journal_events", "journal"):
        op.drop_table(table)

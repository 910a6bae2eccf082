"""The journal: events, nodes, runs, and what was forgotten; triggers refuse every change of a row."""

import hashlib
import secrets
from datetime import UTC, datetime

import sqlalchemy as sa

from alembic import op
from seedjournal.journal import dialect_of

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_KEYS = {
    "journal": "id",
    "journal_events": "id",
    "journal_nodes": "hash",
    "journal_kinds": "hash",
    "journal_runs": "run",
    "journal_forgotten": "run",
}


def upgrade() -> None:
    """Create the tables, give the journal its id, and from then on let no row be changed."""
    journal = op.create_table(
        "journal",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("seal", sa.LargeBinary(), nullable=False),
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
        "journal_kinds",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("kinds", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name="pk_journal_kinds"),
    )
    op.create_table(
        "journal_runs",
        sa.Column("run", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.LargeBinary(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("inputs", sa.Text(), nullable=False),
        sa.Column("counts", sa.Text(), nullable=False),
        sa.Column("sealed_at", sa.Text(), nullable=False),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.Column("seal", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("run", name="pk_journal_runs"),
    )
    op.create_index("ix_journal_runs_project", "journal_runs", ["project"])
    op.create_table(
        "journal_forgotten",
        sa.Column("run", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("forgotten_at", sa.Text(), nullable=False),
        sa.Column("forgotten_by", sa.Text(), nullable=False),
        sa.Column("last_event", _NUMBER, nullable=False),
        sa.Column("seal", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("run", name="pk_journal_forgotten"),
    )
    name = secrets.token_hex(16)
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    seal = hashlib.sha256(f"seedjournal:journal:1\n{name}\n{now}".encode()).digest()
    op.bulk_insert(journal, [{"id": name, "created_at": now, "seal": seal}])
    dialect_of(op.get_bind()).guard(op.get_bind(), _KEYS)


def downgrade() -> None:
    """Remove the tables with everything in them."""
    for table in _KEYS:
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION seedjournal_refuse_change()")

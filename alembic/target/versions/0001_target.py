"""seedjournal's own notes in a target; the first projection creates the tables themselves."""

import sqlalchemy as sa

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the notes."""
    op.create_table(
        "seedjournal_positions",
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("journal", sa.Text(), nullable=False),
        sa.Column("run", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.LargeBinary(), nullable=False),
        sa.Column("days", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("project", name="pk_seedjournal_positions"),
    )
    op.create_table(
        "seedjournal_rows",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "key", name="pk_seedjournal_rows"),
    )
    op.create_table(
        "seedjournal_ledger",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "key", name="pk_seedjournal_ledger"),
    )


def downgrade() -> None:
    """Drop the notes."""
    op.drop_table("seedjournal_ledger")
    op.drop_table("seedjournal_rows")
    op.drop_table("seedjournal_positions")

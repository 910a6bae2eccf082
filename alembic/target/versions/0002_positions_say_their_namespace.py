"""Positions say under which name a project's rows stand, so that two journals with one name are noticed."""

import sqlalchemy as sa

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the name; positions that are there say it once they are projected again."""
    op.add_column("seedjournal_positions", sa.Column("namespace", sa.Text(), nullable=True))


def downgrade() -> None:
    """Remove the name."""
    op.drop_column("seedjournal_positions", "namespace")

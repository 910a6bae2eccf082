"""The journal: events, nodes, runs, and what was forgotten; triggers refuse every change of a row."""

import hashlib
import secrets
from datetime import UTC, datetime

import sqlalchemy as sa

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_KEYS = {
    "journal": "id",
    "journal_events": "id",
    "journal_nodes": "hash",
    "journal_runs": "run",
    "journal_forgotten": "run",
}
_REFUSAL = "rows of a journal are never changed; seedjournal forget removes runs"


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
    if op.get_bind().dialect.name == "postgresql":
        _guard_postgresql()
    else:
        _guard_sqlite()


def _guard_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION seedjournal_refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '%: {_REFUSAL}', TG_TABLE_NAME USING ERRCODE = 'restrict_violation'; END $$"
    )
    for table in _KEYS:
        op.execute(
            f"CREATE TRIGGER {table}_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION seedjournal_refuse_change()"
        )


def _guard_sqlite() -> None:
    """Where a row is replaced no delete trigger fires: that is refused as an insert.

    Not of events, of which there are millions: what replaces one is found by its hash.
    """
    for table, key in _KEYS.items():
        refuse = f"BEGIN SELECT RAISE(ABORT, '{table}: {_REFUSAL}'); END"
        for name in ("update", "delete"):
            op.execute(f"CREATE TRIGGER {table}_no_{name} BEFORE {name.upper()} ON {table} {refuse}")
        if table != "journal_events":
            again = f"EXISTS (SELECT 1 FROM {table} WHERE {key} = NEW.{key})"  # noqa: S608 - names of our own
            op.execute(f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} WHEN {again} {refuse}")


def downgrade() -> None:
    """Remove the tables with everything in them."""
    for table in _KEYS:
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION seedjournal_refuse_change()")

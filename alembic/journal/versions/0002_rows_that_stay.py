"""Rows that stay: triggers that refuse every change, who recorded, and the account of what was forgotten."""

import hashlib

import sqlalchemy as sa

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TABLES = ("journal", "journal_events", "journal_nodes", "journal_runs", "journal_forgotten")
_REFUSAL = "rows of a journal are never changed; seedjournal forget removes runs"


def upgrade() -> None:
    """Add what later versions need of every row, and from then on let no row be changed."""
    op.create_table(
        "journal_forgotten",
        sa.Column("id", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("forgotten_at", sa.Text(), nullable=False),
        sa.Column("forgotten_by", sa.Text(), nullable=False),
        sa.Column("runs", sa.Text(), nullable=False),
        sa.Column("events", _NUMBER, nullable=False),
        sa.Column("nodes", _NUMBER, nullable=False),
        sa.Column("last_run", _NUMBER, nullable=False),
        sa.Column("last_event", _NUMBER, nullable=False),
        sa.Column("seal", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_journal_forgotten"),
    )
    op.add_column("journal_runs", sa.Column("recorded_by", sa.Text(), nullable=True))
    op.add_column("journal_events", sa.Column("provenance_check", _NUMBER, nullable=True))
    op.add_column("journal", sa.Column("seal", sa.LargeBinary(), nullable=True))
    journal = sa.table("journal", sa.column("id"), sa.column("created_at"), sa.column("seal", sa.LargeBinary()))
    for name, created_at in op.get_bind().execute(sa.select(journal.c.id, journal.c.created_at)).all():
        seal = hashlib.sha256(f"seedjournal:journal:1\n{name}\n{created_at}".encode()).digest()
        op.execute(journal.update().where(journal.c.id == name).values(seal=seal))
    if op.get_bind().dialect.name == "postgresql":
        _guard_postgresql()
    else:
        _guard_sqlite()


def _guard_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION seedjournal_refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '%: {_REFUSAL}', TG_TABLE_NAME USING ERRCODE = 'restrict_violation'; END $$"
    )
    for table in _TABLES:
        op.execute(
            f"CREATE TRIGGER {table}_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION seedjournal_refuse_change()"
        )


def _guard_sqlite() -> None:
    """Where a row is replaced no delete trigger fires: that is refused as an insert.

    Not of events, of which there are millions: what replaces one is found by its hash.
    """
    keys = {"journal": "id", "journal_nodes": "hash", "journal_runs": "run", "journal_forgotten": "id"}
    for table in _TABLES:
        refuse = f"BEGIN SELECT RAISE(ABORT, '{table}: {_REFUSAL}'); END"
        for name in ("update", "delete"):
            op.execute(f"CREATE TRIGGER {table}_no_{name} BEFORE {name.upper()} ON {table} {refuse}")
        if key := keys.get(table):
            again = f"EXISTS (SELECT 1 FROM {table} WHERE {key} = NEW.{key})"  # noqa: S608 - names of our own
            op.execute(f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} WHEN {again} {refuse}")


def downgrade() -> None:
    """Remove what was added; run numbers that were forgotten may then be given out again."""
    if op.get_bind().dialect.name == "postgresql":
        for table in _TABLES:
            op.execute(f"DROP TRIGGER {table}_stays ON {table}")
        op.execute("DROP FUNCTION seedjournal_refuse_change()")
    else:
        for table in _TABLES:
            for name in ("update", "delete", "replace"):
                op.execute(f"DROP TRIGGER IF EXISTS {table}_no_{name}")
    op.drop_table("journal_forgotten")
    for table, column in (("journal", "seal"), ("journal_events", "provenance_check"), ("journal_runs", "recorded_by")):
        op.drop_column(table, column)

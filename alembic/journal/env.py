"""The journal's migrations: run by `seedjournal` on its own connection, or by `alembic` in a checkout."""

from alembic import context
from seedjournal.journal import JOURNAL_HISTORY, run_migrations

run_migrations(context, JOURNAL_HISTORY)

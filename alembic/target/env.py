"""The target's migrations: run by `seedjournal` on its own connection, or by `alembic` in a checkout."""

from alembic import context
from seedjournal.journal import run_migrations
from seedjournal.projectors import TARGET_HISTORY

run_migrations(context, TARGET_HISTORY)

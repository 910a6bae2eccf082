"""Loading a kind of which the target shows nothing yet: the state's events straight into the table.

Nothing can be foreign, stale or different there, so no row is asked for. Should something not be right after all, an
id that is taken or a parent that is missing, the table's own constraints refuse it: then nothing was done.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection, exists, select
from sqlalchemy.exc import IntegrityError

from seedjournal.journal import NodeHash, event_texts

from .ids import Ids
from .load.dialects import verbs
from .rows import row_maker
from .rules import Rule

_PIECE = 20_000


def load_whole(
    source: Connection, target: Connection, rule: Rule, top: NodeHash, ids: Ids, tell: Callable[[int], None]
) -> int | None:
    """Load every entity of a tree; how many, or None with nothing done where a constraint refused."""
    make = row_maker(rule, ids)
    loader = verbs(target)
    done = 0
    try:
        with target.begin_nested(), loader.bare(target, rule.table, is_empty=_is_empty(target, rule)):
            for texts in event_texts(source, top, _PIECE):
                rows = sorted(map(make, texts))  # by id, as the table is
                loader.load(target, rule.table.name, rule.columns, rows)
                done += len(rows)
                tell(len(rows))
    except IntegrityError:
        tell(-done)
        return None
    return done


def _is_empty(connection: Connection, rule: Rule) -> bool:
    """Whether the table has no row, anybody's."""
    return not connection.execute(select(exists(select(rule.table.c.id)))).scalar()

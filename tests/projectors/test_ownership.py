"""Tables are made only where none of their names is taken, or where they are ours already."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from seedjournal.journal import WrongSchema, ensure, open_database
from seedjournal.projectors import METADATA, TARGET_HISTORY
from tests.projectors.invented import dump, execute

NAMES = sorted(METADATA.tables)


@pytest.mark.parametrize("make", ["sqlite", "postgresql"])
def test_a_database_with_any_of_our_names_is_refused_untouched(make: str, make_url: Callable[[str], str]) -> None:
    database = open_database(make_url(make), create=True)
    try:
        for name in NAMES:
            execute(database, f"CREATE TABLE {name} (id INTEGER PRIMARY KEY, own TEXT)")
            execute(database, f"INSERT INTO {name} VALUES (1, 'mine')")
            before = dump(database)
            with pytest.raises(WrongSchema, match=f"already has {name}, not made by seedjournal"):
                ensure(database, TARGET_HISTORY, create=True)
            assert dump(database) == before
            execute(database, f"DROP TABLE {name}")
        assert ensure(database, TARGET_HISTORY, create=True)
        assert not ensure(database, TARGET_HISTORY, create=True)
    finally:
        database.engine.dispose()


def test_a_schema_of_its_own_beside_a_users_tables(make_url: Callable[[str], str]) -> None:
    url = make_url("postgresql")
    plain = open_database(url, create=True)
    execute(plain, "CREATE TABLE teams (id INTEGER)")
    execute(plain, "CREATE SCHEMA seeds")
    target = open_database(url, create=True, schema="seeds")
    try:
        ensure(target, TARGET_HISTORY, create=True)
        made = {f"seeds.{name}" for name in (*NAMES, TARGET_HISTORY.version_table)}
        assert dump(plain).keys() == {"public.teams", *made}
        with pytest.raises(WrongSchema):
            ensure(plain, TARGET_HISTORY, create=True)
    finally:
        plain.engine.dispose()
        target.engine.dispose()

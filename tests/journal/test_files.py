"""An SQLite file and its names: what is written is in the file that the address names, or an error says so."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from seedjournal.journal import JOURNAL_HISTORY, Database, Unavailable, ensure, open_database
from seedjournal.journal.store.sqlite import is_mounted
from tests.journal.things import record_all, row_counts, things


@pytest.fixture
def journal(tmp_path: Path, open_url: Callable[[str], Database]) -> Database:
    """A journal of three things, in the file x.db."""
    database = open_url(f"sqlite:///{tmp_path}/x.db")
    record_all(database, things(3))
    return database


def delete(path: Path) -> None:
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()


def delete_the_log(path: Path) -> None:
    path.with_name(f"{path.name}-wal").unlink()


def replace(path: Path) -> None:
    other = path.with_name("other.db")
    shutil.copy(path, other)
    other.rename(path)


@pytest.mark.parametrize("harm", [delete, delete_the_log, replace])
@pytest.mark.parametrize("lock", ["journal", "target", "schema"])
def test_a_file_that_is_gone_after_the_commit_is_an_error(
    journal: Database, harm: Callable[[Path], None], lock: str
) -> None:
    assert journal.file
    with pytest.raises(Unavailable, match="deleted or replaced while this command wrote") as told:  # noqa: PT012, SIM117
        with journal.write(lock) as connection:
            connection.execute(text("CREATE TABLE more (note TEXT)"))
            harm(journal.file)
    assert "x.db" in told.value.message


def test_a_file_that_was_replaced_between_two_transactions_is_neither_read_nor_written(journal: Database) -> None:
    assert journal.file
    replace(journal.file)
    for begin in (journal.read, journal.write):
        with pytest.raises(Unavailable, match=r"x\.db was deleted or replaced"), begin():
            pass


def test_a_file_that_was_deleted_before_it_was_opened_is_not_made_anew(tmp_path: Path, journal: Database) -> None:
    database = open_database(f"sqlite:///{tmp_path}/x.db", create=True)
    journal.engine.dispose()
    delete(tmp_path / "x.db")
    with pytest.raises(Unavailable), database.write():
        pass
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["x.db", "y.db"])
def test_a_file_with_two_names_is_read_and_not_written(tmp_path: Path, journal: Database, name: str) -> None:
    journal.engine.dispose()
    os.link(tmp_path / "x.db", tmp_path / "y.db")
    database = open_database(f"sqlite:///{tmp_path}/{name}", create=True)
    assert row_counts(database)["journal_runs"] == 1
    with pytest.raises(Unavailable, match="has 2 names") as told:
        record_all(database, things(4))
    assert "remove the others" in told.value.hint
    database.engine.dispose()


def test_two_names_of_one_file_are_no_two_databases(tmp_path: Path, journal: Database) -> None:
    os.link(tmp_path / "x.db", tmp_path / "y.db")
    with pytest.raises(Unavailable, match="two names of one file"):
        journal.is_same(open_database(f"sqlite:///{tmp_path}/y.db", create=True))


def test_a_symbolic_link_goes_on_working(tmp_path: Path, journal: Database) -> None:
    (tmp_path / "link.db").symlink_to("x.db")
    linked = open_database(f"sqlite:///{tmp_path}/link.db", create=True)
    record_all(linked, things(4))
    assert linked.is_same(journal)
    assert row_counts(journal)["journal_runs"] == 2
    linked.engine.dispose()


def test_a_file_that_is_mounted_by_itself_is_known_by_the_systems_list() -> None:
    mounts = (
        b"36 25 8:1 /srv/x.db /data/a\\040folder/x.db rw shared:1 - ext4 /dev/sda1 rw\n25 1 8:1 / / rw - ext4 x rw\n"
    )
    assert is_mounted(Path("/data/a folder/x.db"), mounts)
    assert not is_mounted(Path("/data/a folder/y.db"), mounts)
    assert not is_mounted(Path("/srv/x.db"), mounts)


def test_a_new_journal_where_nothing_is_in_the_way(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path}/new.db", create=True)
    assert ensure(database, JOURNAL_HISTORY, create=True)
    database.engine.dispose()

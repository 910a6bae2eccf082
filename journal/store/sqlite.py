"""SQLite: how a file is opened, locked, read and written."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    ColumnElement,
    Connection,
    Engine,
    Integer,
    LargeBinary,
    Table,
    bindparam,
    cast,
    column,
    func,
    insert,
    literal,
    select,
    table,
)

from ..errors import Unavailable
from .addresses import file_uri
from .trouble import LOCKED, REFUSAL, Trouble

_WIDTH = 32
_MOUNTS = Path("/proc/self/mountinfo")
_ASK_AGAIN = 0.02  # seconds
_PAGE = 8192  # bytes; the index of hashes is written all over, and fewer and larger pages are written less often
_CHECKPOINT = 8000  # pages of the write-ahead log before they are copied into the file

_NOT_WRITABLE = Trouble(
    Unavailable, "cannot be written", "Check the permissions of the file and of its folder, and the disk it lies on."
)
_DAMAGED = Trouble(
    Unavailable,
    "the file is damaged, or not an SQLite database",
    "Check the address. Restore a backup, or save what can be read with `sqlite3 FILE .recover`.",
)
_OTHER_TABLES = Trouble(
    Unavailable,
    "a table is not as seedjournal made it",
    "Somebody changed it. Put the table or column back, or restore a backup.",
)
_TROUBLES = {
    "SQLITE_BUSY": LOCKED,
    "SQLITE_LOCKED": LOCKED,
    "SQLITE_FULL": Trouble(Unavailable, "the disk is full", "Free some space, and run the command again."),
    "SQLITE_IOERR": Trouble(
        Unavailable, "the disk reported an error", "Check that the disk has space and is in order."
    ),
    "SQLITE_READONLY": _NOT_WRITABLE,
    "SQLITE_CANTOPEN": Trouble(
        Unavailable, "cannot be opened", "Check that the file is there, and the permissions of the file and its folder."
    ),
    "SQLITE_PERM": _NOT_WRITABLE,
    "SQLITE_CORRUPT": _DAMAGED,
    "SQLITE_NOTADB": _DAMAGED,
    "SQLITE_FORMAT": _DAMAGED,
}


class SQLite:
    """Implement `Dialect` for SQLite files."""

    def engine_arguments(self, address: URL, wait: int) -> dict[str, Any]:
        """Open the file by SQLite's own address of it: SQLAlchemy's reading of a path differs between versions."""
        mode = str(address.query.get("mode", "rw"))
        return {"creator": partial(_open, Path(address.database or ""), mode, wait)}

    def listen(self, engine: Engine, event: Any) -> None:
        """Set up every connection, and let transactions be SQLAlchemy's alone, DDL included."""
        event.listen(engine, "connect", _connect)
        event.listen(engine, "begin", _begin)

    def prepare(self, connection: Connection, *, schema: str | None, wait: int) -> None:  # noqa: ARG002 - the signature of `Dialect`
        """Check that the file is still the one that was opened, and may be written. New connections set the rest."""
        opened = _opened(connection)
        if opened.identity != _identity(opened.path):
            raise Unavailable(
                f"{opened.path} was deleted or replaced while this command used it.", "Run the command again."
            )
        if _writes(connection):
            _refuse_second_name(opened.path)
            opened.log = _identity(_log_of(opened.path))

    def lock(self, connection: Connection, name: str) -> None:
        """Do nothing: BEGIN IMMEDIATE already holds SQLite's only write lock."""

    def check_after(self, connection: Connection) -> None:
        """Compare device and inode of the file, and of its write-ahead log, with those that were opened.

        A file that we may not lock is compared with what it was.
        """
        opened = _opened(connection)
        if opened.unlocked and opened.unlocked != _version(opened.path):
            connection.invalidate()
            raise Unavailable(
                f"{opened.path} changed while this command read it without a lock.", "Run the command again."
            )
        if not _writes(connection):
            return
        is_there = opened.identity == _identity(opened.path)
        if not is_there or (opened.log and opened.log != _identity(_log_of(opened.path))):
            raise Unavailable(
                f"{opened.path} was deleted or replaced while this command wrote to it. What the command wrote is "
                "lost.",
                "Find out what deletes or moves the database's files while they are in use. Restore a backup if they "
                "were needed, and run the command again.",
            )

    def set_up_file(self, engine: Engine, wait: int) -> None:
        """Create a file that only its owner may use, and that can be read while it is written.

        An existing file stays as it is. SQLite does not wait for this lock by itself: of two processes that start at
        once, SQLite refuses one, which then asks again.
        """
        with suppress(OSError):  # it is there, or SQLite says what is wrong
            os.close(os.open(Path(engine.url.database or "").resolve(), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        connection = _open(Path(engine.url.database or ""), "rw", wait)
        until = time.monotonic() + wait
        try:
            while connection.execute("PRAGMA page_count").fetchone()[0] == 0:
                try:
                    connection.execute(f"PRAGMA page_size = {_PAGE}")
                    connection.execute("PRAGMA journal_mode = WAL")
                except sqlite3.OperationalError as error:
                    if self.trouble(error) is not LOCKED or time.monotonic() > until:
                        raise
                    time.sleep(_ASK_AGAIN)
                else:
                    return
        finally:
            connection.close()

    def trouble(self, error: BaseException) -> Trouble | None:
        """Look at SQLite's own name of the error."""
        name = getattr(error, "sqlite_errorname", None) or ""
        for head, trouble in _TROUBLES.items():
            if name.startswith(head):
                return trouble
        if name == "SQLITE_ERROR" and str(error).startswith(("no such column", "no such table", "table ")):
            return _OTHER_TABLES
        return None

    def is_full(self, error: BaseException) -> bool:  # noqa: ARG002 - the signature of `Dialect`
        """Return False: a file has no server."""
        return False

    @contextmanager
    def reading_leniently(self, connection: Connection) -> Iterator[None]:
        """Read texts that are not valid UTF-8 any more, with marks in place of the broken bytes."""
        driver: Any = connection.connection.driver_connection
        driver.text_factory = lambda raw: raw.decode(errors="replace")
        try:
            yield
        finally:
            driver.text_factory = str

    @contextmanager
    def changeable(self, connection: Connection, tables: Sequence[Table]) -> Iterator[None]:
        """Lift the triggers that refuse changes of these tables, within the caller's transaction."""
        triggers = table("sqlite_master", column("type"), column("name"), column("tbl_name"), column("sql"))
        query = select(triggers.c.name, triggers.c.sql).where(
            triggers.c.type == "trigger", triggers.c.tbl_name.in_([one.name for one in tables])
        )
        lifted = connection.execute(query).all()
        for name, _ in lifted:
            connection.exec_driver_sql(f"DROP TRIGGER {connection.dialect.identifier_preparer.quote(name)}")
        yield
        for _, statement in lifted:
            connection.exec_driver_sql(statement)

    def damage(self, connection: Connection, tables: Sequence[Table]) -> Iterator[str]:  # noqa: ARG002 - the signature of `Dialect`
        """Yield what `PRAGMA integrity_check` finds; `quick_check` would not compare indexes with tables."""
        for (line,) in connection.exec_driver_sql("PRAGMA integrity_check"):
            if line != "ok":
                yield from str(line).splitlines()

    def missing_guards(self, connection: Connection, guards: Mapping[str, str]) -> dict[str, str]:
        """Compare the triggers' own statements with ours."""
        triggers = table("sqlite_master", column("type"), column("name"), column("sql"))
        query = select(triggers.c.name, triggers.c.sql).where(triggers.c.type == "trigger")
        found = {row.name: row.sql for row in connection.execute(query)}
        return {name: of for name, (of, statement) in _guards(guards).items() if found.get(name) != statement}

    def guard(self, connection: Connection, guards: Mapping[str, str]) -> None:
        """Make the triggers that are missing; an altered one is replaced."""
        missing = self.missing_guards(connection, guards)
        for name, (_, statement) in _guards(guards).items():
            if name in missing:
                connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {name}")
                connection.exec_driver_sql(statement)

    def octets(self, text: ColumnElement[Any]) -> ColumnElement[int]:
        """Return the number of bytes of a text or a blob."""
        return func.length(cast(text, LargeBinary))

    def among(self, tested: ColumnElement[Any], values: Sequence[int] | Sequence[bytes]) -> ColumnElement[bool]:
        """Compare with a JSON list of integers, or with the 32-byte pieces of one blob."""
        if values and isinstance(values[0], bytes):
            joined = literal(b"".join(values), LargeBinary)  # type: ignore[arg-type]  # all are what the first is
            place = select(literal(0, Integer).label("i")).cte("place", recursive=True)
            place = place.union_all(select(place.c.i + 1).where(place.c.i < len(values) - 1))
            return tested.in_(select(func.substr(joined, place.c.i * _WIDTH + 1, _WIDTH)))
        listed = func.json_each(bindparam(None, json.dumps(list(values)), unique=True)).table_valued(
            column("value", Integer)
        )
        return tested.in_(select(listed.c.value))

    def insert_rows(
        self, connection: Connection, table: Table, names: Sequence[str], rows: Iterable[Sequence[Any]]
    ) -> int:
        """Insert rows with one prepared statement."""
        rows = list(rows)
        if not rows:
            return 0
        statement = insert(table).values({name: bindparam(name) for name in names})
        text = str(statement.compile(dialect=connection.dialect, column_keys=list(names)))
        return connection.exec_driver_sql(text, rows).rowcount


def _connect(connection: sqlite3.Connection, _: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA cache_size = -65536")
    cursor.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT}")
    cursor.close()


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE" if _writes(connection) else "BEGIN")


def _writes(connection: Connection) -> bool:
    return bool(connection.get_execution_options().get("seedjournal_writes"))


def _guards(guards: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Return each trigger's table and statement.

    Where a row is replaced no delete trigger fires: that is refused as an insert. Not of events, of which there are
    millions: what replaces one is found by its hash.
    """
    made: dict[str, tuple[str, str]] = {}
    for of, key in guards.items():
        refuse = f"BEGIN SELECT RAISE(ABORT, '{of}: {REFUSAL}'); END"
        for name in ("update", "delete"):
            made[f"{of}_no_{name}"] = of, f"CREATE TRIGGER {of}_no_{name} BEFORE {name.upper()} ON {of} {refuse}"
        if of != "journal_events":
            again = f"EXISTS (SELECT 1 FROM {of} WHERE {key} = NEW.{key})"  # noqa: S608 - names of our own
            made[f"{of}_no_replace"] = (
                of,
                f"CREATE TRIGGER {of}_no_replace BEFORE INSERT ON {of} WHEN {again} {refuse}",
            )
    return made


class _File(sqlite3.Connection):
    """A connection that knows which file it has open: its path, device and inode, and those of its write-ahead log."""

    path: Path
    identity: tuple[int, int] | None
    log: tuple[int, int] | None = None
    unlocked: tuple[int, ...] | None = None  # what the file was, where it is read without locks


def _open(path: Path, mode: str, wait: int) -> _File:
    """Open a file that is there, and note which one it is; SQLite itself does not tell."""
    before = _identity(path)
    connection = _connected(file_uri(str(path), mode), wait)
    if not (os.access(path, os.W_OK) and os.access(path.resolve().parent, os.W_OK)) and _needs_a_log(connection):
        version = _version(path)
        if version[-1]:
            raise Unavailable(
                f"{path} has a write-ahead log (a file beside it) that this user may not read.",
                "Let a user with write permission run `seedjournal log` once: it copies the log into the file.",
            )
        connection.close()
        connection = _connected(file_uri(str(path), "ro") + "&immutable=1", wait)
        connection.unlocked = version
    connection.path, connection.identity = path, _identity(path)
    if before != connection.identity:
        connection.close()
        raise Unavailable(f"{path} was deleted or replaced while it was opened.", "Run the command again.")
    return connection


def _connected(uri: str, wait: int) -> _File:
    return sqlite3.connect(uri, uri=True, timeout=wait, isolation_level=None, check_same_thread=False, factory=_File)


def _needs_a_log(connection: sqlite3.Connection) -> bool:
    """Return whether SQLite cannot read the file, as it may not make the files beside it that readers share."""
    try:
        connection.execute("PRAGMA schema_version").fetchone()
    except sqlite3.OperationalError as error:
        return error.sqlite_errorname.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY"))
    return False


def _version(path: Path) -> tuple[int, ...]:
    """Return what tells whether a file was written: its time and size, and the size of its write-ahead log."""
    found, log = path.stat(), _log_of(path)
    return found.st_ino, found.st_mtime_ns, found.st_size, log.stat().st_size if log.exists() else 0


def _opened(connection: Connection) -> _File:
    opened = connection.connection.driver_connection
    assert isinstance(opened, _File)  # noqa: S101 - `engine_arguments` opens no other
    return opened


def _identity(path: Path) -> tuple[int, int] | None:
    """Return device and inode of a file, None where there is none; a symbolic link is followed, as SQLite does."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _log_of(path: Path) -> Path:
    """Return the path of a file's write-ahead log: beside the file itself, wherever a symbolic link to it lies."""
    file = path.resolve()
    return file.with_name(f"{file.name}-wal")


def is_same_file(mine: Path, theirs: Path) -> bool:
    """Return whether two paths are one file; raise Unavailable where it has two names.

    SQLite finds the write-ahead log by the name, so that what is written by one name is not seen by the other.
    """
    if mine.resolve() == theirs.resolve():
        return True
    if (found := _identity(mine)) and found == _identity(theirs):
        raise Unavailable(f"{mine} and {theirs} are two names of one file.", "Use the same name for both.")
    return False


def _refuse_second_name(path: Path) -> None:
    """Raise Unavailable for a file with several hard links, or mounted by itself: another name has another log."""
    names = path.stat().st_nlink
    if names > 1:
        raise Unavailable(
            f"{path} has {names} names (hard links). SQLite loses data when programs write by different names.",
            "Keep one of the names and remove the others. A symbolic link may stay.",
        )
    mounts = _MOUNTS.read_bytes() if _MOUNTS.exists() else b""
    if is_mounted(path.resolve(), mounts):
        raise Unavailable(
            f"{path} is mounted as a single file. SQLite keeps a second file beside it, which would not be shared.",
            "Mount the folder that holds the file.",
        )


def is_mounted(file: Path, mounts: bytes) -> bool:
    """Return whether Linux's list of mounts, `/proc/self/mountinfo`, has a file itself and not only its folder."""
    written = os.fsencode(file)
    for special in b"\\ \t\n":
        written = written.replace(bytes([special]), b"\\%03o" % special)
    return any(line.split(b" ", 5)[4:5] == [written] for line in mounts.splitlines())

"""Opening a database, and the two kinds of transaction: one that reads and one that writes.

`engine.begin()` is called only here; everything else is given a connection, and its caller owns the transaction. A
writing transaction holds the database's write lock from its first statement, so that writers take turns and none of
them can deadlock with another.
"""

from __future__ import annotations

import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import (
    DBAPIError,
    OperationalError,
    ProgrammingError,
)

from ..errors import Busy, Misuse, Unavailable
from .addresses import check_schema, not_understood, parse_address
from .dialects import DIALECTS, Dialect
from .sqlite import is_same_file
from .trouble import LOCKED

DEFAULT_WAIT = 120
_ASK_AGAIN = 0.2  # seconds


@dataclass(frozen=True, slots=True)
class Database:
    """An open database: its engine and how it is spoken to.

    `schema` is the PostgreSQL schema that unqualified names mean, None for the user's own search path. `wait` is how
    many seconds a busy database is waited for. `is_read_only` says that the address does (`?mode=ro`).
    """

    engine: Engine
    dialect: Dialect
    wait: int
    schema: str | None = None
    is_read_only: bool = False

    @property
    def shown(self) -> str:
        """The address for people: never with a password."""
        url = self.engine.url
        return url.set(
            query={name: value for name, value in url.query.items() if "password" not in name}
        ).render_as_string(hide_password=True)

    @property
    def name(self) -> str:
        """The backend: `sqlite` or `postgresql`."""
        return self.engine.dialect.name

    @property
    def file(self) -> Path | None:
        """The SQLite file, None for a server's database."""
        return Path(self.engine.url.database or "") if self.name == "sqlite" else None

    def is_same(self, other: Database) -> bool:
        """Return whether both are one and the same database file or server database.

        Raise Unavailable for one file under two names: each would have a write-ahead log of its own.
        """
        if self.name != other.name:
            return False
        if self.file and other.file:
            return is_same_file(self.file, other.file)
        return self.engine.url == other.engine.url and self.schema == other.schema

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a transaction that only reads. It sees one state of the database throughout."""
        with self._begin(writes=False) as connection:
            yield connection

    @contextmanager
    def write(self, *locks: str) -> Iterator[Connection]:
        """Begin a transaction that holds write locks, by name: `journal` (the default) to append, `target` to project.

        Raise Busy if another process holds one for more than `wait` seconds. Take `journal` before `target`.
        """
        with self.write_later() as connection:
            for lock in locks or ("journal",):
                self.dialect.lock(connection, lock)
            yield connection

    @contextmanager
    def write_later(self) -> Iterator[Connection]:
        """Begin a transaction that prepares what it writes, and then takes the write lock by `dialect.lock`.

        On SQLite it holds the only lock from the start.
        """
        with self._begin(writes=True) as connection:
            yield connection

    @property
    def is_absent(self) -> bool:
        """Whether the database is a file that does not exist. Opening it for reading would create an empty one."""
        return self.file is not None and not self.file.exists()

    def set_up_file(self) -> None:
        """Make the file where there is none, for its owner alone; a server's database is there."""
        self._refuse_reading_only()
        with self._translated():
            self.dialect.set_up_file(self.engine, self.wait)

    @contextmanager
    def _begin(self, *, writes: bool) -> Iterator[Connection]:
        if writes:
            self._refuse_reading_only()
        with self._translated(), self._connect().execution_options(seedjournal_writes=writes) as connection:
            with connection.begin():
                self.dialect.prepare(connection, schema=self.schema, wait=self.wait)
                yield connection
            self.dialect.check_after(connection)

    def _refuse_reading_only(self) -> None:
        if self.is_read_only:
            raise Misuse(
                f"{self.shown} is opened for reading only (?mode=ro), and this command writes.", "Leave out ?mode=ro."
            )

    def _connect(self) -> Connection:
        until = time.monotonic() + self.wait
        try:
            while True:
                try:
                    return self.engine.connect()
                except OperationalError as error:
                    if error.orig is None or not self.dialect.is_full(error.orig) or time.monotonic() > until:
                        raise
                    time.sleep(_ASK_AGAIN)
        except (TypeError, ValueError):  # what drivers make of hosts, ports and options that cannot be
            raise not_understood() from None  # their words may hold the password

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (DBAPIError, self.engine.dialect.loaded_dbapi.Error) as error:  # bulk paths speak to the driver itself
            raw: BaseException = (error.orig or error) if isinstance(error, DBAPIError) else error
            reason = (str(raw).strip().splitlines() or [type(raw).__name__])[0]
            trouble = self.dialect.trouble(raw)
            if trouble is LOCKED:
                raise Busy(f"{self.shown} {trouble.says} (waited {self.wait} s).", trouble.hint) from error
            if trouble is not None:
                raise trouble.error(f"{self.shown}: {trouble.says}: {reason}", trouble.hint) from error
            if isinstance(error, ProgrammingError) and error.statement:
                raise
            raise Unavailable(
                f"{self.shown}: {reason}",
                "Check the address, that the server runs, and that this user has the rights."
                if isinstance(error, OperationalError)
                else "The database refused this step and undid it. Correct what it names, and run the command again.",
            ) from error


def open_database(url: str, *, create: bool, wait: int = DEFAULT_WAIT, schema: str | None = None) -> Database:
    """Open the database at a URL of SQLAlchemy's; plain `postgresql://` and `postgres://` mean psycopg.

    This creates nothing. With `create` the file may be absent; whoever creates the first tables creates it. Raise
    Misuse for a URL that cannot be understood, and Unavailable if `create` is false and there is no file.
    """
    address = parse_address(url)
    backend = address.get_backend_name()
    if schema is not None and backend != "postgresql":
        raise Misuse("--schema is for PostgreSQL; SQLite has no schemas.", "Leave out --schema.")
    if schema is not None:
        check_schema(schema)
    dialect = DIALECTS[backend]
    if backend == "sqlite":
        _check_file(address, create=create)
    arguments = dialect.engine_arguments(address, wait)
    is_read_only = backend == "sqlite" and address.query.get("mode") == "ro"
    engine = create_engine(address.set(query={}) if backend == "sqlite" else address, **arguments)
    dialect.listen(engine, event)
    return Database(engine=engine, dialect=dialect, wait=wait, schema=schema, is_read_only=is_read_only)


def _check_file(address: URL, *, create: bool) -> None:
    path = Path(address.database or "")
    try:
        path.absolute()
    except FileNotFoundError:
        raise Unavailable(
            f"The current folder was deleted, so there is no {path}.", "Change to a folder that exists."
        ) from None
    try:
        found: int | None = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        found = None
    except OSError as error:  # links in a circle, a name that is too long, a folder that nobody may look into
        raise Unavailable(f"{path} cannot be opened: {error.strerror}.", "Check the address.") from None
    if found is not None and not stat.S_ISREG(found):
        raise Unavailable(f"{path} is a {'folder' if stat.S_ISDIR(found) else 'device or pipe'}.", "Name a file.")
    if found is None:
        if not create or address.query.get("mode"):
            raise Unavailable(
                f"There is no journal at {path}.",
                "Make one with `seedjournal record`, or name another with --journal URL.",
            )
        if not path.parent.is_dir():
            raise Unavailable(f"There is no folder {path.parent}.", "Make the folder first.")

"""Opening a database, and the two kinds of transaction: one that reads and one that writes.

`engine.begin()` stands here alone; everything else is given a connection, and its caller owns the transaction. A
writing transaction holds the database's write lock from its first statement, so that writers take turns and none of
them can deadlock with another.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    NoSuchModuleError,
    OperationalError,
    ProgrammingError,
)

from ..errors import Busy, Misuse, Unavailable
from .dialects import DIALECTS, Dialect

DEFAULT_WAIT = 120


@dataclass(frozen=True, slots=True)
class Database:
    """An open database: its engine and how it is spoken to.

    `schema` is the PostgreSQL schema that unqualified names mean, None for the user's own search path. `wait` is how
    many seconds a busy database is waited for.
    """

    engine: Engine
    dialect: Dialect
    wait: int
    schema: str | None = None

    @property
    def shown(self) -> str:
        """The address for people: never with a password."""
        url = self.engine.url
        return url.set(
            query={name: value for name, value in url.query.items() if "password" not in name}
        ).render_as_string(hide_password=True)

    @property
    def name(self) -> str:
        """The database's make: `sqlite` or `postgresql`."""
        return self.engine.dialect.name

    def is_same(self, other: Database) -> bool:
        """Whether both are one and the same database file or server database."""
        if self.name != other.name:
            return False
        if self.name == "sqlite":
            mine, theirs = self.engine.url.database, other.engine.url.database
            return Path(mine or "").resolve() == Path(theirs or "").resolve()
        return self.engine.url == other.engine.url and self.schema == other.schema

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads, and sees one state of the database from its first statement to its last."""
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
        """Whether it is a file that is not there: to read it would make an empty one."""
        return self.name == "sqlite" and not Path(self.engine.url.database or "").exists()

    def set_up_file(self) -> None:
        """Make the file where there is none, for its owner alone; a server's database is there."""
        with self._translated():
            self.dialect.set_up_file(self.engine, self.wait)

    @contextmanager
    def _begin(self, *, writes: bool) -> Iterator[Connection]:
        with (
            self._translated(),
            self._connect().execution_options(seedjournal_writes=writes) as connection,
            connection.begin(),
        ):
            self.dialect.prepare(connection, schema=self.schema, wait=self.wait)
            yield connection

    def _connect(self) -> Connection:
        try:
            return self.engine.connect()
        except (TypeError, ValueError):  # what drivers make of hosts, ports and options that cannot be
            raise _not_understood() from None  # their words may hold the password

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (DBAPIError, self.engine.dialect.loaded_dbapi.Error) as error:  # bulk paths speak to the driver itself
            raw = error.orig if isinstance(error, DBAPIError) else error
            if self.dialect.is_busy(raw):
                raise Busy(
                    f"{self.shown} is locked by another process (waited {self.wait} s)",
                    "wait for the other process, or give a longer --wait SECONDS",
                ) from error
            if isinstance(error, ProgrammingError) and error.statement and not self.dialect.is_refusal(raw):
                raise
            reason = str(raw).strip().splitlines() or [type(raw).__name__]
            raise Unavailable(
                f"{self.shown}: {reason[0]}",
                "check the address, that the server runs, and that this user may do this"
                if isinstance(error, OperationalError)
                else "the database refused; nothing of this step was kept",
            ) from error


def open_database(url: str, *, create: bool, wait: int = DEFAULT_WAIT, schema: str | None = None) -> Database:
    """Open the database at a URL of SQLAlchemy's; plain `postgresql://` and `postgres://` mean psycopg.

    Nothing is made: with `create` the file may be absent, and the first who makes tables makes it. Raises Misuse for a
    URL that cannot be understood and Unavailable where `create` is false and there is no file.
    """
    address = _parse(url)
    make = address.get_backend_name()
    if make not in DIALECTS:
        raise Misuse(f"{make} is not a database that seedjournal knows", "use sqlite:///FILE or postgresql://…")
    if schema is not None and make != "postgresql":
        raise Misuse("--schema needs PostgreSQL; SQLite has no schemas", "leave --schema out")
    dialect = DIALECTS[make]
    if make == "sqlite":
        _check_file(address, create=create)
    try:
        engine = create_engine(
            address,
            connect_args=dialect.connect_args(wait),
            pool_pre_ping=make != "sqlite",  # fetching may take hours between two uses
        )
    except (NoSuchModuleError, ImportError) as error:
        raise Unavailable(
            f"the driver for {address.drivername} is not installed: {error}",
            "pip install 'seedjournal[postgres]'",
        ) from error
    dialect.listen(engine, event)
    return Database(engine=engine, dialect=dialect, wait=wait, schema=schema)


def _parse(url: str) -> URL:
    try:
        address = make_url(url)
        os.fsencode(url)  # half a surrogate pair is in no file's name
    except (ArgumentError, ValueError):
        raise _not_understood() from None
    if "\0" in url:
        raise _not_understood()
    if address.get_backend_name() == "sqlite" and (address.host or address.username or address.port):
        raise _not_understood()
    if address.get_backend_name() != "sqlite" and url.count("@") > 1:  # a piece of a password would pass for a host
        raise Misuse("the database URL contains more than one '@'", "write an @ in a password as %40")
    if address.drivername in {"postgres", "postgresql"}:
        address = address.set(drivername="postgresql+psycopg")
    return address


def _not_understood() -> Misuse:
    return Misuse(
        "the database's URL cannot be understood",
        "it looks like sqlite:///seedjournal.db or postgresql://USER@HOST/NAME",
    )


def _check_file(address: URL, *, create: bool) -> None:
    if not address.database or address.database.startswith((":memory:", "file:")):
        raise Misuse(
            "an SQLite database must be a file, or nothing would be there for the next command",
            "use sqlite:///seedjournal.db",
        )
    path = Path(address.database)
    if not path.exists():
        if not create:
            raise Unavailable(
                f"there is no journal at {path}", "`seedjournal record` makes one; or name it: --journal URL"
            )
        if not path.parent.is_dir():
            raise Unavailable(f"{path.parent} is not a folder", "make the folder first")

"""Everything that was fetched of one repository: an SQLite file of raw pages, and what is known of them.

A page is written, with the query and the variables that it answers, before anything is read from it. Whatever else
the file holds (which pull request stands where, what is covered) follows from pages. It is read through a snapshot:
somebody else's fetch changes nothing for who is reading.
"""

from __future__ import annotations

import os
import re
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import msgspec

from seedjournal.journal import Unavailable

from ... import locks
from ..facts import Repository, repository
from .api import LASTING
from .assembly import Node, first_part, more_part, told
from .coverage import Interval, Stretch, stretches
from .queries import CHECK_RUNS, FILES, Connection

FORMAT = "1"
DURABILITY = "FULL"  # a page is on the disk, whatever happens to the machine then

_SCHEMA = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE queries (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE pages (
    id INTEGER PRIMARY KEY,
    query INTEGER NOT NULL REFERENCES queries,
    variables TEXT NOT NULL,
    fetched_at TEXT NOT NULL,
    response BLOB NOT NULL,
    step TEXT,           -- of a page of pull requests: where it belongs in the coverage
    parent INTEGER,      -- of a page of one connection: the page of its pull request,
    number INTEGER,      -- its number
    connection TEXT,     -- and which connection
    settled INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX pages_of_connections ON pages (parent, number, connection) WHERE parent IS NOT NULL;
CREATE INDEX pages_pending ON pages (id) WHERE settled = 0 AND parent IS NULL;
CREATE TABLE intervals (
    id INTEGER PRIMARY KEY,
    check_runs INTEGER NOT NULL,
    low TEXT, low_cursor TEXT, high TEXT, high_cursor TEXT, ended_at TEXT
);
CREATE TABLE versions (
    number INTEGER NOT NULL,
    check_runs INTEGER NOT NULL,
    updated_at TEXT NOT NULL,
    page INTEGER NOT NULL REFERENCES pages,
    digest BLOB NOT NULL,
    missing TEXT,        -- connections that are not complete: name, state, how many, of how many
    PRIMARY KEY (number, check_runs)
) WITHOUT ROWID;
CREATE INDEX versions_by_page ON versions (page);
"""
_LATER_SCHEMA = """
CREATE TABLE IF NOT EXISTS troubles (  -- pull requests that did not come whole, or not at all
    number INTEGER NOT NULL,
    check_runs INTEGER NOT NULL,
    node TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    missing TEXT NOT NULL,
    tries INTEGER NOT NULL,
    fetch INTEGER NOT NULL,  -- the number of the fetch that asked last
    PRIMARY KEY (number, check_runs)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS accounts (  -- every login of every account, and when it was seen last
    id INTEGER NOT NULL,
    login TEXT NOT NULL,
    seen_at TEXT NOT NULL,
    PRIMARY KEY (id, login)
) WITHOUT ROWID;
"""
_HINT = "Name another folder with SEEDJOURNAL_CACHE, or start again with `seedjournal fetched --delete OWNER/REPO`."


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A page's place in the coverage.

    `interval` is the row that the page extends, `since` how far down a backward walk goes, and `start` the server's
    time before which nothing changes any more without moving behind the page.
    """

    interval: int
    backward: bool
    check_runs: bool
    start: datetime
    since: datetime | None = None
    bare: bool = False  # it says which pull requests there are, because they themselves did not come


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A stored page of pull requests."""

    id: int
    data: Node
    step: Step
    at: datetime


class Missing(msgspec.Struct, frozen=True, kw_only=True):
    """A connection that is not complete, or a field, or the pull request itself, that did not come.

    `error` is the type of the error that took it; None where the server gave less without one.
    """

    connection: str
    state: str
    got: int
    total: int | None
    error: str | None = None

    @property
    def may_heal(self) -> bool:
        """Whether it is missing because of an error that may not occur again."""
        return self.error is not None and self.error not in LASTING

    @property
    def spoils_the_rest(self) -> bool:
        """Whether the pull request's own content may be wrong without it; files and check runs only add to it."""
        return self.may_heal and self.connection not in {FILES.name, CHECK_RUNS.name}


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """The newest state of a pull request that was fetched: where it stands, its digest, and what it lacks."""

    number: int
    updated_at: datetime
    page: int
    digest: bytes
    missing: tuple[Missing, ...] = ()


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """A pull request to ask for again: its id, what it lacks, how often that was seen, and in which fetch last."""

    number: int
    check_runs: bool
    node: str
    updated_at: datetime
    missing: tuple[Missing, ...]
    tries: int = 1
    fetch: int = 0

    @property
    def is_left_out(self) -> bool:
        """Whether to leave the pull request out: unknown content must not be taken for empty content."""
        return any(gap.spoils_the_rest for gap in self.missing)


_MISSING = msgspec.json.Decoder(tuple[Missing, ...])
_STEP = msgspec.json.Decoder(Step)


class Store:
    """One repository's pages. Opened for reading it must be there; for fetching it is made."""

    def __init__(self, path: Path, *, create: bool = False) -> None:
        self.path = path
        try:
            if create:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
            self._connection = sqlite3.connect(
                f"file:{_quoted(path)}?mode=rw", uri=True, isolation_level=None, timeout=60, check_same_thread=False
            )
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute(f"PRAGMA synchronous = {DURABILITY}")
            self._prepare(create=create)
        except (OSError, sqlite3.Error) as error:
            raise Unavailable(f"{path} cannot hold what is fetched: {error}", _HINT) from error

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def snapshot(self) -> None:
        """Read the store as it is at this moment, whatever is written later."""
        if not self._connection.in_transaction:
            self._connection.execute("BEGIN")
            self._connection.execute("SELECT count(*) FROM facts").fetchone()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Run one transaction: all of it or nothing."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise

    @contextmanager
    def fetching(self, waits: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Lock the repository for one fetch; a second process waits."""
        with self.path.with_suffix(".lock").open("wb") as lock:
            _take(lock, waits)
            yield

    # What is known of the repository: its name and id there, counts, the page size that works.

    def get(self, name: str) -> str | None:
        """Return a stored fact about the repository or its fetching."""
        row = self._connection.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def set(self, **facts: object) -> None:
        """Remember such facts."""
        self._connection.executemany(
            "INSERT INTO facts VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            [(name, str(value)) for name, value in facts.items()],
        )

    @property
    def repo(self) -> Repository:
        """The repository's name, as it was asked for first."""
        return repository(self.get("repo") or "")

    @property
    def is_empty(self) -> bool:
        """Whether no page ever came."""
        return self.last_fetched() is None

    # Pages.

    def add_page(self, query: str, variables: Mapping[str, Any], response: bytes, at: datetime, step: Step) -> Page:
        """Keep a page of pull requests; like everything that changes the store, within `writing`."""
        row = self._add(query, variables, response, at, step=msgspec.json.encode(step).decode())
        return Page(id=row, data=_data(response), step=step, at=at)

    def add_part(
        self, query: str, variables: Mapping[str, Any], response: bytes, at: datetime, of: tuple[int, int, str]
    ) -> None:
        """Keep a page of one connection, `of` (page, number, connection)."""
        self._add(query, variables, response, at, of=of)

    def _add(
        self,
        query: str,
        variables: Mapping[str, Any],
        response: bytes,
        at: datetime,
        *,
        step: str | None = None,
        of: tuple[int, int, str] | tuple[None, None, None] = (None, None, None),
    ) -> int:
        self._connection.execute("INSERT OR IGNORE INTO queries (text) VALUES (?)", (query,))
        (kept,) = self._connection.execute("SELECT id FROM queries WHERE text = ?", (query,)).fetchone()
        cursor = self._connection.execute(
            "INSERT INTO pages (query, variables, fetched_at, response, step, parent, number, connection)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (kept, msgspec.json.encode(variables).decode(), at.isoformat(), zlib.compress(response), step, *of),
        )
        return int(cursor.lastrowid or 0)

    def pending(self) -> Page | None:
        """Return the page, with its parts, that an interrupted fetch has stored and not yet used."""
        row = self._connection.execute(
            "SELECT id, response, step, fetched_at FROM pages WHERE settled = 0 AND parent IS NULL"
            " ORDER BY id DESC LIMIT 1"
        ).fetchone()
        return None if row is None else _page(*row)

    def settled(self) -> Iterator[Page]:
        """Yield every page of pull requests that was used, in the order of their arrival."""
        rows = self._connection.execute("SELECT id FROM pages WHERE settled = 1 AND parent IS NULL ORDER BY id")
        for (page,) in rows.fetchall():
            yield _page(
                *self._connection.execute(
                    "SELECT id, response, step, fetched_at FROM pages WHERE id = ?", (page,)
                ).fetchone()
            )

    def parts(self, page: int, node: Node, connection: Connection) -> Iterator[Node]:
        """Yield the stored parts of a connection of a pull request of a page, in the order of their arrival."""
        first = first_part(node, connection)
        if first is not None:
            yield first
        for (response,) in self._connection.execute(
            "SELECT response FROM pages WHERE parent = ? AND number = ? AND connection = ? ORDER BY id",
            (page, node["number"], connection.name),
        ):
            more = more_part(_data(zlib.decompress(response)), connection)
            if more is not None:
                yield more

    def pages(self, numbers: Mapping[int, int]) -> Iterator[tuple[int, Node]]:
        """Yield pages of pull requests by id, one at a time: those with the newest version of any of these numbers."""
        for page in sorted(set(numbers.values())):
            (response,) = self._connection.execute("SELECT response FROM pages WHERE id = ?", (page,)).fetchone()
            yield page, _data(zlib.decompress(response))

    # What pages say: which version of a pull request is the newest, and what is covered.

    def settle(
        self, page: Page, versions: Sequence[Version], troubles: Sequence[Trouble], accounts: Iterable[tuple[int, str]]
    ) -> None:
        """Take a page's pull requests, where none is newer; of one version, never one with gaps for one without.

        `troubles` are those to ask for again; what lacks nothing any more is none. `accounts` are who the page names.
        """
        self._connection.execute("UPDATE pages SET settled = 1 WHERE id = ?", (page.id,))
        self._connection.executemany(
            "INSERT INTO versions VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (number, check_runs) DO UPDATE SET"
            " updated_at = excluded.updated_at, page = excluded.page, digest = excluded.digest,"
            " missing = excluded.missing WHERE excluded.updated_at > updated_at"
            " OR (excluded.updated_at = updated_at AND (excluded.missing IS NULL OR missing IS NOT NULL))",
            [
                (
                    one.number,
                    page.step.check_runs,
                    one.updated_at.isoformat(),
                    one.page,
                    one.digest,
                    msgspec.json.encode(one.missing).decode() if one.missing else None,
                )
                for one in versions
            ],
        )
        for trouble in troubles:
            self.add_trouble(trouble)
        in_trouble = {one.number for one in troubles}
        self._connection.executemany(
            "DELETE FROM troubles WHERE number = ? AND check_runs <= ? AND updated_at <= ?",
            [
                (one.number, page.step.check_runs, one.updated_at.isoformat())
                for one in versions
                if one.number not in in_trouble
            ],
        )
        self._connection.executemany(
            "INSERT INTO accounts VALUES (?, ?, ?) ON CONFLICT (id, login) DO UPDATE SET"
            " seen_at = max(seen_at, excluded.seen_at)",
            [(number, login, page.at.isoformat()) for number, login in accounts],
        )

    # Pull requests that did not come whole.

    def add_trouble(self, one: Trouble) -> None:
        """Remember a pull request to ask for again, unless this version or a newer one is there and complete."""
        key = (one.number, one.check_runs)
        missing = msgspec.json.encode(one.missing).decode()
        self._connection.execute(
            "INSERT INTO troubles SELECT ?, ?, ?, ?, ?, 1, ? WHERE NOT EXISTS (SELECT 1 FROM versions"
            " WHERE number = ? AND check_runs >= ? AND updated_at >= ? AND missing IS NULL)"
            " ON CONFLICT (number, check_runs) DO UPDATE SET node = excluded.node, missing = excluded.missing,"
            " tries = CASE WHEN excluded.missing = missing AND excluded.updated_at = updated_at THEN tries + 1"
            " ELSE 1 END, updated_at = excluded.updated_at, fetch = excluded.fetch"
            " WHERE excluded.updated_at >= updated_at",
            (*key, one.node, one.updated_at.isoformat(), missing, self.fetches, *key, one.updated_at.isoformat()),
        )

    def troubles(self, *, low: datetime | None = None, check_runs: bool) -> list[Trouble]:
        """Return the pull requests updated at `low` or later that did not come whole, by number."""
        rows = self._connection.execute(
            "SELECT number, check_runs, node, updated_at, missing, tries, fetch FROM troubles"
            " WHERE check_runs >= ? AND updated_at >= ? ORDER BY number, check_runs",
            (check_runs, low.isoformat() if low else ""),
        )
        found = {
            row[0]: Trouble(
                number=row[0],
                check_runs=bool(row[1]),
                node=row[2],
                updated_at=datetime.fromisoformat(row[3]),
                missing=_MISSING.decode(row[4]),
                tries=row[5],
                fetch=row[6],
            )
            for row in rows
        }
        return list(found.values())

    def forget_trouble(self, number: int) -> None:
        """Stop asking for a pull request that is gone."""
        self._connection.execute("DELETE FROM troubles WHERE number = ?", (number,))

    @property
    def fetches(self) -> int:
        """How many fetches there were, this one included."""
        return int(self.get("fetches") or 0)

    def numbers(self, *, check_runs: bool) -> frozenset[int]:
        """Return the numbers of all pull requests that are known, those that did not come whole included."""
        rows = self._connection.execute(
            "SELECT number FROM versions WHERE check_runs >= ? UNION SELECT number FROM troubles WHERE check_runs >= ?",
            (check_runs, check_runs),
        )
        return frozenset(number for (number,) in rows)

    def every_login(self) -> Iterator[tuple[int, str, str]]:
        """Yield the logins of every account: id, login, and when it was seen last."""
        yield from self._connection.execute("SELECT id, login, seen_at FROM accounts")

    def forget_versions(self) -> None:
        """Forget what pages say, so that they are read again."""
        for table in ("versions", "troubles", "accounts"):
            self._connection.execute(f"DELETE FROM {table}")  # noqa: S608 - a name of ours

    def versions(self, *, low: datetime | None, check_runs: bool) -> Iterator[Version]:
        """Yield the newest version of every pull request by number, of those updated at `low` or later."""
        rows = self._connection.execute(
            "SELECT number, updated_at, page, digest, missing FROM versions AS one"
            " WHERE updated_at >= ? AND check_runs >= ? AND NOT EXISTS (SELECT 1 FROM versions AS other WHERE"
            " other.number = one.number AND other.check_runs >= ?"
            " AND (other.updated_at, other.page) > (one.updated_at, one.page)) ORDER BY number",
            (low.isoformat() if low else "", check_runs, check_runs),
        )
        for number, updated_at, page, digest, missing in rows:
            yield Version(
                number=number,
                updated_at=datetime.fromisoformat(updated_at),
                page=page,
                digest=digest,
                missing=_MISSING.decode(missing) if missing else (),
            )

    def intervals(self, *, check_runs: bool) -> list[Interval]:
        """Return the covered intervals, with check runs, or with and without."""
        rows = self._connection.execute(
            "SELECT id, check_runs, low, low_cursor, high, high_cursor, ended_at FROM intervals"
            " WHERE check_runs >= ? AND high IS NOT NULL",
            (check_runs,),
        )
        return [
            Interval(
                id=row[0],
                check_runs=bool(row[1]),
                low=_moment(row[2]),
                low_cursor=row[3],
                high=datetime.fromisoformat(row[4]),
                high_cursor=row[5],
                ended_at=_moment(row[6]),
            )
            for row in rows
        ]

    def covered(self, *, check_runs: bool) -> list[Stretch]:
        """Return the stretches of pages that were asked for with check runs, or without."""
        return stretches([one for one in self.intervals(check_runs=False) if one.check_runs == check_runs])

    def save(self, interval: Interval) -> None:
        """Remember an interval, new or changed."""
        self._connection.execute(
            "INSERT INTO intervals VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET low = excluded.low,"
            " low_cursor = excluded.low_cursor, high = excluded.high, high_cursor = excluded.high_cursor,"
            " ended_at = excluded.ended_at",
            (
                interval.id,
                interval.check_runs,
                *(one.isoformat() if isinstance(one, datetime) else one for one in interval.ends()),
            ),
        )

    def new_interval(self) -> int:
        """Return a number for a new interval."""
        (last,) = self._connection.execute("SELECT coalesce(max(id), 0) FROM intervals").fetchone()
        return int(last) + 1

    def forget_coverage(self) -> None:
        """Forget what is covered, as after a server forgot its cursors. Pages and pull requests stay."""
        self._connection.execute("DELETE FROM intervals")

    def sizes(self) -> tuple[int, int]:
        """Return how many pages there are, and how many bytes the file has."""
        (pages,) = self._connection.execute("SELECT count(*) FROM pages").fetchone()
        files = (self.path, self.path.with_name(f"{self.path.name}-wal"))
        return int(pages), sum(file.stat().st_size for file in files if file.exists())

    def last_fetched(self) -> str | None:
        """Return when the newest page came."""
        row = self._connection.execute("SELECT fetched_at FROM pages ORDER BY id DESC LIMIT 1").fetchone()
        return None if row is None else str(row[0])

    def _prepare(self, *, create: bool) -> None:
        there = self._connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'facts'").fetchone()[0]
        if not there and create:
            with self.writing():
                if not self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                    for statement in _SCHEMA.split(";\n"):
                        self._connection.execute(statement)
                    self.set(format=FORMAT)
        if self.get("format") != FORMAT:
            raise Unavailable(f"{self.path} was written by another version of seedjournal.", _HINT)
        if not self._connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'accounts'").fetchone():
            with self.writing():
                for statement in _LATER_SCHEMA.split(";\n"):
                    self._connection.execute(statement)


def _take(lock: IO[bytes], waits: Callable[[], None]) -> None:
    try:
        locks.lock(lock, wait=False)
    except BlockingIOError:
        waits()
        locks.lock(lock)


def _data(response: bytes) -> Node:
    return told(msgspec.json.decode(response))


def _page(number: int, response: bytes, step: str, at: str) -> Page:
    return Page(
        id=number, data=_data(zlib.decompress(response)), step=_STEP.decode(step), at=datetime.fromisoformat(at)
    )


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _quoted(path: Path) -> str:
    return re.sub(r"[%?#]", lambda found: f"%{ord(found[0]):02X}", str(path.absolute()))

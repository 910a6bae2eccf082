"""A spool: the events of a run that is being recorded, sorted, outside of any journal.

A whole run is made, checked and sorted here before the first row of it reaches the journal, so that bad input changes
nothing there. It is a private database of SQLite's in a temporary file that the system removes with the process: it
sorts in C and its memory is bounded by its page cache, whatever the run's size.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Self

from .batches import batched
from .errors import TwoEventsOneKey
from .event import Canonical, EventHash, KeyBytes

_BATCH = 10_000


class Entry(NamedTuple):
    """An event's place in a manifest, its identity, and where its text is found (a spool's row or a journal's id)."""

    kind: str
    key: KeyBytes
    hash: EventHash
    place: int


class Spool:
    """Events in any order in; entries in order of (kind, key bytes) out, as often as wanted."""

    def __init__(self) -> None:
        self._connection = sqlite3.connect("", isolation_level=None)
        self._connection.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -32768;"
            "CREATE TABLE event (kind BLOB, key BLOB, hash BLOB, event BLOB, provenance TEXT)"
        )
        self._sorted = False

    def __enter__(self) -> Self:
        """Use as a context manager, to give the disk space back early."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the file."""
        self._connection.close()

    def __len__(self) -> int:
        """How many events were added."""
        return int(self._connection.execute("SELECT count(*) FROM event").fetchone()[0])

    def add(self, events: Iterable[tuple[Canonical, str]]) -> None:
        """Take events, each with its provenance."""
        self._connection.execute("BEGIN")
        for batch in batched(events, _BATCH):
            self._connection.executemany(
                "INSERT INTO event VALUES (?, ?, ?, ?, ?)",
                [(one.kind.encode(), one.key, one.hash, one.event, provenance) for one, provenance in batch],
            )
        self._connection.execute("COMMIT")

    def entries(self) -> Iterator[Entry]:
        """Every entry in manifest order; raises TwoEventsOneKey where a key occurs twice."""
        if not self._sorted:
            self._connection.execute("CREATE INDEX by_key ON event (kind, key, hash)")
            self._sorted = True
        before: tuple[bytes, bytes, bytes] = (b"", b"", b"")
        names: dict[bytes, str] = {}
        rows = self._connection.execute("SELECT kind, key, hash, rowid FROM event ORDER BY kind, key, hash")
        rows.arraysize = _BATCH
        for kind, key, hashed, row in rows:
            if key == before[1] and kind == before[0]:
                raise TwoEventsOneKey(kind.decode(), key, before[2], hashed)
            before = (kind, key, hashed)
            name = names.get(kind) or names.setdefault(kind, kind.decode())
            yield Entry(name, KeyBytes(key), EventHash(hashed), row)

    def texts(self, places: Sequence[int]) -> dict[int, tuple[bytes, str]]:
        """The canonical bytes and provenance of the events at these places."""
        found: dict[int, tuple[bytes, str]] = {}
        for batch in batched(places, 500):
            marks = ",".join("?" * len(batch))
            query = f"SELECT rowid, event, provenance FROM event WHERE rowid IN ({marks})"  # noqa: S608 - marks only
            for row, event, provenance in self._connection.execute(query, batch):
                found[row] = (event, provenance)
        return found

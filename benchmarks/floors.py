"""The floors: what the driver alone can do, without a line of seedjournal's storage code.

    python -m benchmarks.floors append URL EVENTS     into the tables that `seedjournal migrate` made
    python -m benchmarks.floors restore URL DUMP      SQL into a new SQLite file

An append canonicalises and hashes every event and inserts it, in transactions of 50,000 rows that are sorted by hash:
SQLite by `executemany` with a large page cache, PostgreSQL by binary COPY.
"""

from __future__ import annotations

import hashlib
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

import orjson
import psycopg

from .ready import Ready, clocked, read_events

_AT_ONCE = 50_000
_TAG = b"seedjournal:event:1\n"

Row: TypeAlias = tuple[int, bytes, str, str]


def main() -> None:
    """Run one floor and print what it took."""
    floor, url, file = sys.argv[1:]
    if floor == "restore":
        clocked(lambda: _restore(url, Path(file)))
        return
    events = read_events(Path(file))
    append = _append_to_sqlite if url.startswith("sqlite") else _append_to_postgresql
    clocked(lambda: append(url, events))


def rows(events: Sequence[Ready]) -> Iterator[list[Row]]:
    """Yield the journal's rows, one transaction's at a time."""
    for first in range(0, len(events), _AT_ONCE):
        made = []
        for provenance, parts in events[first : first + _AT_ONCE]:
            text = orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)
            made.append((hashlib.sha256(_TAG + text).digest(), text.decode(), provenance))
        made.sort()
        yield [(number, *row) for number, row in enumerate(made, first + 1)]


def _append_to_sqlite(url: str, events: Sequence[Ready]) -> int:
    connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA cache_size = -262144")
    for batch in rows(events):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO journal_events (id, hash, event, provenance) VALUES (?, ?, ?, ?)", batch)
        connection.execute("COMMIT")
    connection.close()
    return len(events)


def _append_to_postgresql(url: str, events: Sequence[Ready]) -> int:
    with psycopg.connect(url) as connection:
        for batch in rows(events):
            copying = "COPY journal_events (id, hash, event, provenance) FROM STDIN (FORMAT BINARY)"
            with connection.cursor().copy(copying) as copy:
                copy.set_types(["int8", "bytea", "text", "text"])
                for row in batch:
                    copy.write_row(row)
            connection.commit()
    return len(events)


def _restore(url: str, file: Path) -> int:
    connection = sqlite3.connect(url.removeprefix("sqlite:///"))
    connection.executescript(file.read_text())
    connection.close()
    return 0


if __name__ == "__main__":
    main()

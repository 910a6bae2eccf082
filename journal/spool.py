"""A spool: the events of a run that is being recorded, sorted, outside of any journal.

A whole run is made, checked and sorted here before the first row of it reaches the journal, so that bad input changes
nothing there. It is an external merge sort: pieces of bounded size are sorted in memory and written to a temporary file
that has no name and goes with the process; reading merges them. Memory does not grow with the run.
"""

from __future__ import annotations

import heapq
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any, NamedTuple, Self

from msgspec import msgpack

from .errors import TwoEventsOneKey, Unavailable
from .event import Canonical, EventHash, KeyBytes
from .manifest import batched

_PIECE = 8 << 20  # bytes of Python objects, about, that are sorted at a time
_BLOCK = 32 << 10  # bytes that are read of each piece at a time
_OVERHEAD = 300  # bytes of a record in memory, over its texts


class Entry(NamedTuple):
    """An event's place in a manifest, its identity, and its text with what made it.

    Where the journal is known to hold the event, the text is empty.
    """

    kind: str
    key: KeyBytes
    hash: EventHash
    event: bytes = b""
    provenance: str = ""


_ENCODER = msgpack.Encoder()
_DECODER = msgpack.Decoder(list[tuple[Any, ...]])


@contextmanager
def room_in_the_temporary_folder(content: str) -> Iterator[None]:
    """Run code that writes into the temporary folder. Raise Unavailable, naming the content, if there is no room."""
    try:
        yield
    except OSError as error:
        raise Unavailable(
            f"The temporary folder {tempfile.gettempdir()} cannot take {content}: {error.strerror}",
            "Free some space there, or name another folder with the variable TMPDIR.",
        ) from error


class Sorter:
    """Sorts records outside of memory: add them in any order, and read them sorted, as often as you like.

    Records are tuples of texts, bytes, numbers and tuples of these. Few of them stay in memory; the others go, sorted
    piece by piece, into a temporary file that has no name and ends with the process.
    """

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None
        self._waiting: list[tuple[Any, ...]] = []
        self._size = 0
        self._is_sorted = False
        self._pieces: list[list[tuple[int, int]]] = []  # of each piece the blocks: where, how long
        self._end = 0

    def close(self) -> None:
        """Remove the file."""
        self._waiting = []
        if self._file:
            with suppress(OSError):  # a full disk has no room for the rest either, and nobody wants it
                self._file.close()

    def add(self, record: tuple[Any, ...], size: int) -> None:
        """Take a record, with the length of its texts."""
        self._waiting.append(record)
        self._size += size + _OVERHEAD
        self._is_sorted = False
        if self._size >= _PIECE:
            self._write()

    def records(self) -> Iterator[tuple[Any, ...]]:
        """Yield all records in order."""
        if self._pieces and self._waiting:
            self._write()
        if not self._is_sorted:
            self._waiting.sort()
            self._is_sorted = True
        if not self._pieces:
            return iter(self._waiting)
        return heapq.merge(*map(self._read, self._pieces))

    def _write(self) -> None:
        """Sort the records in memory, and write them as one piece."""
        self._waiting.sort()
        blocks = []
        in_a_block = max(1, len(self._waiting) * _BLOCK // self._size)
        with room_in_the_temporary_folder("the run's events"):
            if self._file is None:
                self._file = tempfile.TemporaryFile(prefix="seedjournal-")  # noqa: SIM115 - the method `close` closes it
            self._file.seek(self._end)
            for block in batched(self._waiting, in_a_block):
                text = _ENCODER.encode(block)
                self._file.write(text)
                blocks.append((self._end, len(text)))
                self._end += len(text)
            self._file.flush()
        self._pieces.append(blocks)
        self._waiting, self._size = [], 0

    def _read(self, blocks: Iterable[tuple[int, int]]) -> Iterator[tuple[Any, ...]]:
        for place, length in blocks:
            if self._file is None:
                raise TypeError
            self._file.seek(place)
            yield from _DECODER.decode(self._file.read(length))


class Spool:
    """Sorts events by (kind, key bytes) outside of memory: add them in any order, read entries as often as needed."""

    def __init__(self) -> None:
        self._sorter = Sorter()

    def __enter__(self) -> Self:
        """Use as a context manager, to give the disk space back early."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the file."""
        self._sorter.close()

    def add(self, events: Iterable[tuple[Canonical, str]]) -> None:
        """Take events, each with its provenance."""
        add = self._sorter.add
        for one, provenance in events:
            add((*one, provenance), len(one.event) + len(one.key))

    def entries(self) -> Iterator[Entry]:
        """Yield every entry in manifest order; raise TwoEventsOneKey where a key occurs twice."""
        kind, key, hashed = "", b"", b""
        for record in self._sorter.records():
            entry = Entry(*record)
            if entry[1] == key and entry[0] == kind:
                raise TwoEventsOneKey(kind, KeyBytes(key), EventHash(hashed), entry.hash)
            kind, key, hashed, _, _ = entry
            yield entry

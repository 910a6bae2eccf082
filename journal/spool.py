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
from typing import NamedTuple, Self

from msgspec import msgpack

from .errors import TwoEventsOneKey, Unavailable
from .event import Canonical, EventHash, KeyBytes
from .manifest import batched

_PIECE = 8 << 20  # bytes of Python objects, about, that are sorted at a time
_BLOCK = 32 << 10  # bytes that are read of each piece at a time
_OVERHEAD = 300  # bytes of an entry in memory, over its event's and key's own


class Entry(NamedTuple):
    """An event's place in a manifest, its identity, and its text with what made it.

    Where the journal is known to hold the event, the text is empty.
    """

    kind: str
    key: KeyBytes
    hash: EventHash
    event: bytes = b""
    provenance: str = ""


_DECODER = msgpack.Decoder(list[Entry])
_ENCODER = msgpack.Encoder()


@contextmanager
def room_in_the_temporary_folder(content: str) -> Iterator[None]:
    """Write there; raises Unavailable, which names the content, where that fails."""
    try:
        yield
    except OSError as error:
        raise Unavailable(
            f"the temporary folder {tempfile.gettempdir()} cannot take {content}: {error.strerror}",
            "make room there, or name another folder: TMPDIR=FOLDER",
        ) from error


class Spool:
    """Events in any order in; entries in order of (kind, key bytes) out, as often as wanted."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="seedjournal-")  # noqa: SIM115 - __exit__ closes it
        self._places: list[list[tuple[int, int]]] = []  # of each piece the blocks: where, how long
        self._end = 0

    def __enter__(self) -> Self:
        """Use as a context manager, to give the disk space back early."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the file."""
        with suppress(OSError):  # a full disk has no room for the rest either, and nobody wants it
            self._file.close()

    def add(self, events: Iterable[tuple[Canonical, str]]) -> None:
        """Take events, each with its provenance."""
        for piece in _sorted_pieces(events):
            self._take(piece)

    def _take(self, piece: Iterable[bytes]) -> None:
        """Take a sorted piece's blocks."""
        blocks = []
        with room_in_the_temporary_folder("the run's events"):
            self._file.seek(self._end)
            for block in piece:
                self._file.write(block)
                blocks.append((self._end, len(block)))
                self._end += len(block)
            self._file.flush()
        self._places.append(blocks)

    def entries(self) -> Iterator[Entry]:
        """Every entry in manifest order; raises TwoEventsOneKey where a key occurs twice."""
        kind, key, hashed = "", b"", b""
        for entry in heapq.merge(*map(self._read, self._places)):
            if entry[1] == key and entry[0] == kind:
                raise TwoEventsOneKey(kind, KeyBytes(key), EventHash(hashed), entry.hash)
            kind, key, hashed, _, _ = entry
            yield entry

    def _read(self, blocks: Iterable[tuple[int, int]]) -> Iterator[Entry]:
        for place, length in blocks:
            yield from _DECODER.decode(self._at(place, length))

    def _at(self, place: int, length: int) -> bytes:
        self._file.seek(place)
        return self._file.read(length)


def _sorted_pieces(events: Iterable[tuple[Canonical, str]]) -> Iterator[Iterator[bytes]]:
    """Events, each with its provenance, as sorted pieces; one must be consumed before the next is asked for."""
    entries: list[tuple[str, KeyBytes, EventHash, bytes, str]] = []
    size = 0
    for one, provenance in events:
        entries.append((*one, provenance))
        size += len(one.event) + len(one.key) + _OVERHEAD
        if size >= _PIECE:
            yield _piece(entries, size)
            entries, size = [], 0
    if entries:
        yield _piece(entries, size)


def _piece(entries: list[tuple[str, KeyBytes, EventHash, bytes, str]], size: int) -> Iterator[bytes]:
    entries.sort()
    in_a_block = max(1, len(entries) * _BLOCK // size)
    return map(_ENCODER.encode, batched(entries, in_a_block))

"""Facts read once: the first pass writes them to a temporary file, from which every later pass takes them.

What facts cost beyond the source's digest, be it parsing, a walk through a history or invention, is paid once, and both
passes see the same facts even where somebody changes the source meanwhile. Memory grows by eight bytes a fact.
"""

from __future__ import annotations

import tempfile
from array import array
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Generic, Self, TypeVar

from msgspec import ValidationError, msgpack, to_builtins

from seedjournal.journal import BadInput, canonical_bytes, room_in_the_temporary_folder

from .facts import Facts, LooseCommit, PullRequest

Fact = TypeVar("Fact", PullRequest, LooseCommit)

_BUFFER = 256 << 10  # bytes that are written or read at once
_ENCODER = msgpack.Encoder()


class Kept:
    """Facts of which each stream is read from its source by the first pass over it, and by one pass at a time."""

    def __init__(self, facts: Facts) -> None:
        self._pull_requests = _Stream(facts.pull_requests, PullRequest)
        self._loose_commits = _Stream(facts.loose_commits, LooseCommit)

    def __enter__(self) -> Self:
        """Use as a context manager, to give the disk space back early."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the files."""
        for stream in (self._pull_requests, self._loose_commits):
            stream.close()

    def pull_requests(self) -> Iterator[PullRequest]:
        """Every pull request, as the source gives them."""
        return self._pull_requests.read()

    def loose_commits(self) -> Iterator[LooseCommit]:
        """Every commit that is in none of them, as the source gives them."""
        return self._loose_commits.read()


class _Stream(Generic[Fact]):
    """One stream, and the file it is kept in, which has no name and goes with this object."""

    def __init__(self, origin: Callable[[], Iterator[Fact]], kind: type[Fact]) -> None:
        self._origin: Callable[[], Iterator[Fact]] = origin
        self._file = tempfile.TemporaryFile(prefix="seedjournal-", buffering=_BUFFER)  # noqa: SIM115 - close
        self._decode: Callable[[bytes], Fact] = msgpack.Decoder(kind).decode
        self._lengths: array[int] | None = None  # of what is kept, once all of it is

    def close(self) -> None:
        with suppress(OSError):  # a full disk has no room for the rest either, and nobody wants it
            self._file.close()

    def read(self) -> Iterator[Fact]:
        if self._lengths is None:
            yield from self._first()
            return
        self._file.seek(0)
        for length in self._lengths:
            kept = self._file.read(length)
            try:
                fact = self._decode(kept)
            except ValidationError as error:  # a number that no source may give
                raise BadInput(f"the source gave facts that cannot be: {error}") from error
            yield fact

    def _first(self) -> Iterator[Fact]:
        lengths = array("Q")
        self._file.seek(0)
        for fact in self._origin():
            kept = _encoded(fact)
            with room_in_the_temporary_folder("the source's facts"):
                self._file.write(kept)
            lengths.append(len(kept))
            yield fact
        with room_in_the_temporary_folder("the source's facts"):
            self._file.flush()
        self._lengths = lengths


def _encoded(fact: PullRequest | LooseCommit) -> bytes:
    try:
        return _ENCODER.encode(fact)
    except (UnicodeEncodeError, OverflowError):
        canonical_bytes(to_builtins(fact), type(fact).__name__)  # which tells the field
        raise

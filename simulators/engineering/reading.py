"""Reading a source: once, as much of it as a window lets through, and from where what was fetched lies.

What facts cost beyond the source's digest, be it parsing, a walk through a history or invention, is paid once, and both
passes see the same facts even where somebody changes the source meanwhile. Memory grows by eight bytes a fact.
"""

from __future__ import annotations

import heapq
import os
import tempfile
from array import array
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import Generic, Self, TypeVar

from msgspec import ValidationError, msgpack, to_builtins

from seedjournal.journal import BadInput, canonical_bytes, room_in_the_temporary_folder

from .facts import Facts, LooseCommit, PullRequest, Repository

Fact = TypeVar("Fact", PullRequest, LooseCommit)
PullRequestOrder = tuple[datetime, int, Repository]

_BUFFER = 256 << 10  # bytes that are written or read at once
_ENCODER = msgpack.Encoder()


def order(pr: PullRequest) -> PullRequestOrder:
    """Return what "earliest" and "newest" go by: creation, then number, then repository."""
    return (pr.created_at, pr.number, pr.repo)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A filter on a source: pull requests created in [since, until), UTC, and of these the newest of each repository.

    Of the commits outside of pull requests it lets those through that were committed in [since, until).
    """

    since: date | None = None
    until: date | None = None
    newest: int | None = None

    @property
    def is_open(self) -> bool:
        """Return whether the window lets everything through."""
        return self.since is None and self.until is None and self.newest is None

    def holds(self, moment: datetime | None) -> bool:
        """Return whether a moment lies in [since, until); one that is unknown only where every moment does."""
        if moment is None:
            return self.since is None and self.until is None
        day = moment.astimezone(UTC).date()
        return (self.since is None or day >= self.since) and (self.until is None or day < self.until)


class FactsInWindow:
    """The facts that a window lets through."""

    def __init__(self, facts: Facts, window: Window) -> None:
        self._facts = facts
        self._window = window

    def pull_requests(self) -> Iterator[PullRequest]:
        """Yield every pull request that the window lets through."""
        oldest = self._oldest
        for pr in self._facts.pull_requests():
            if self._window.holds(pr.created_at) and (oldest is None or order(pr) >= oldest[pr.repo]):
                yield pr

    def loose_commits(self) -> Iterator[LooseCommit]:
        """Yield every commit outside of pull requests that the window lets through."""
        return (loose for loose in self._facts.loose_commits() if self._window.holds(loose.commit.committed_at))

    @cached_property
    def _oldest(self) -> dict[Repository, PullRequestOrder] | None:
        """The oldest of each repository's newest pull requests; None where the window does not count them."""
        newest = self._window.newest
        if newest is None:
            return None
        found: dict[Repository, list[PullRequestOrder]] = {}
        for pr in self._facts.pull_requests():
            if self._window.holds(pr.created_at):
                heap = found.setdefault(pr.repo, [])
                if len(heap) < newest:
                    heapq.heappush(heap, order(pr))
                else:
                    heapq.heappushpop(heap, order(pr))
        return {repo: heap[0] for repo, heap in found.items()}


class BufferedFacts:
    """Buffers a source's facts in a temporary file, so that the second pass does not read the source again.

    One pass at a time.
    """

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
        """Yield every pull request, as the source gives them."""
        return self._pull_requests.read()

    def loose_commits(self) -> Iterator[LooseCommit]:
        """Yield every commit that is in none of them, as the source gives them."""
        return self._loose_commits.read()


class _Stream(Generic[Fact]):
    """One stream, and the file that buffers it, which has no name and goes with this object."""

    def __init__(self, origin: Callable[[], Iterator[Fact]], kind: type[Fact]) -> None:
        self._origin: Callable[[], Iterator[Fact]] = origin
        self._file = tempfile.TemporaryFile(prefix="seedjournal-", buffering=_BUFFER)  # noqa: SIM115 - close
        self._decode: Callable[[bytes], Fact] = msgpack.Decoder(kind).decode
        self._lengths: array[int] | None = None  # of what is buffered, once all of it is

    def close(self) -> None:
        with suppress(OSError):  # a full disk has no room for the rest either, and nobody wants it
            self._file.close()

    def read(self) -> Iterator[Fact]:
        if self._lengths is None:
            yield from self._first()
            return
        self._file.seek(0)
        for length in self._lengths:
            content = self._file.read(length)
            try:
                fact = self._decode(content)
            except ValidationError as error:  # a number that no source may give
                raise BadInput(
                    f"The source gives a value that cannot be stored: {error}", "Correct the source."
                ) from error
            yield fact

    def _first(self) -> Iterator[Fact]:
        lengths = array("Q")
        self._file.seek(0)
        for fact in self._origin():
            content = _encoded(fact)
            with room_in_the_temporary_folder("the source's facts"):
                self._file.write(content)
            lengths.append(len(content))
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


def cache_folder() -> Path:
    """Return where clones and what was fetched lie: SEEDJOURNAL_CACHE, else the platform's cache folder."""
    import platformdirs

    return Path(os.environ.get("SEEDJOURNAL_CACHE") or platformdirs.user_cache_dir("seedjournal"))

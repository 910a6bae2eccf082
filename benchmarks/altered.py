"""A source in which the titles of some pull requests differ.

A title shows in two entities: the pull request, which keeps its first content, and its Jira issue, which follows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from seedjournal.simulators import Skipped, Source

Chosen = frozenset[tuple[str, int]]  # pull requests, by repository and number


class AlteredFacts:
    """The facts of a source or of a part of one, some titles apart; a worker is given it as it is."""

    def __init__(self, facts: Any, chosen: Chosen) -> None:
        self._facts = facts
        self._chosen = chosen

    def pull_requests(self) -> Iterator[Any]:
        """Every pull request, the chosen ones with a longer title."""
        for one in self._facts.pull_requests():
            is_chosen = (one.repo, one.number) in self._chosen
            yield msgspec.structs.replace(one, title=f"{one.title} (altered)") if is_chosen else one

    def loose_commits(self) -> Iterator[Any]:
        """The source's own."""
        return iter(self._facts.loose_commits())


class Altered(AlteredFacts):
    """A source that differs from another in the titles of the chosen pull requests alone."""

    def __init__(self, source: Source, chosen: Chosen) -> None:
        super().__init__(source, chosen)
        self._source = source
        self.name = source.name
        self.repositories = source.repositories
        self.versions = source.versions
        self.as_of = getattr(source, "as_of", None)

    @property
    def skipped(self) -> list[Skipped]:
        """The source's own."""
        return self._source.skipped

    def digest(self) -> str:
        """Another digest than the source's own."""
        return hashlib.sha256(f"{self._source.digest()} {sorted(self._chosen)}".encode()).hexdigest()

    def parts(self, count: int) -> Sequence[AlteredFacts]:
        """The source's parts, altered as it is."""
        return [AlteredFacts(part, self._chosen) for part in self._source.parts(count)]

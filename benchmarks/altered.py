"""A source in which the titles of some pull requests differ.

A title shows in two entities: the pull request, which keeps its first content, and its Jira issue, which follows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import msgspec

from seedjournal.simulators.engineering.facts import LooseCommit, PullRequest, Skipped, Source

Chosen = frozenset[tuple[str, int]]  # pull requests, by repository and number


class Altered:
    """A source that differs from another in the titles of the chosen pull requests alone."""

    def __init__(self, source: Source, chosen: Chosen) -> None:
        self._source = source
        self._chosen = chosen
        self.name = source.name
        self.repositories = source.repositories
        self.versions = source.versions
        self.as_of = getattr(source, "as_of", None)

    def pull_requests(self) -> Iterator[PullRequest]:
        """Yield every pull request, the chosen ones with a longer title."""
        for one in self._source.pull_requests():
            is_chosen = (one.repo, one.number) in self._chosen
            yield msgspec.structs.replace(one, title=f"{one.title} (altered)") if is_chosen else one

    def loose_commits(self) -> Iterator[LooseCommit]:
        """Yield the source's own commits."""
        return self._source.loose_commits()

    @property
    def skipped(self) -> list[Skipped]:
        """The source's own."""
        return self._source.skipped

    def digest(self) -> str:
        """Return another digest than the source's own."""
        return hashlib.sha256(f"{self._source.digest()} {sorted(self._chosen)}".encode()).hexdigest()

"""Sources beside the product's: how long reading one takes, and one in which a few pull requests differ.

python -m benchmarks.sources digest SOURCE [SETTING…]          times what an unchanged record must read
python -m benchmarks.sources choose COUNT SOURCE [SETTING…]    prints pull requests to alter: [[repository, number], …]
python -m benchmarks.sources altered CHOSEN COMMAND…           a seedjournal command whose source is altered
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from seedjournal.app import recording
from seedjournal.sources import open_source
from simulators import Source, make_project, parse_setting

from .datasets import PROJECT
from .ready import clocked

_LONGEST_TITLE = 150  # a Jira issue's summary holds all of it and the words that are added
_JIRA_KEY = re.compile(r"[A-Z][A-Z0-9]+-[0-9]")  # its issue may be shared, or another one


class Altered:
    """A source in which the titles of some pull requests differ.

    A title shows in two entities: the pull request, which keeps its first content, and its Jira issue, which follows.
    """

    def __init__(self, source: Source, chosen: Sequence[tuple[str, int]]) -> None:
        self._source = source
        self._chosen = frozenset(chosen)
        self.name = source.name
        self.repositories = source.repositories
        self.versions = source.versions

    def __getattr__(self, name: str) -> Any:
        """Whatever else the source has, such as its own as-of."""
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._source, name)

    def digest(self) -> str:
        """Another digest than the source's own."""
        return hashlib.sha256(f"{self._source.digest()} {sorted(self._chosen)}".encode()).hexdigest()

    def pull_requests(self) -> Iterator[Any]:
        """Every pull request, the chosen ones with a longer title."""
        for one in self._source.pull_requests():
            is_chosen = (one.repo, one.number) in self._chosen
            yield msgspec.structs.replace(one, title=f"{one.title} (altered)") if is_chosen else one

    def loose_commits(self) -> Iterator[Any]:
        """The source's own."""
        return self._source.loose_commits()


def choose(source: Source, count: int) -> list[tuple[str, int]]:
    """At most so many pull requests, spread over the source, whose altered title changes two entities each."""
    fit = [
        (str(one.repo), one.number)
        for one in source.pull_requests()
        if len(one.title) < _LONGEST_TITLE and not _JIRA_KEY.search(f"{one.title} {one.head_ref}")
    ]
    return [fit[place * len(fit) // count] for place in range(count)] if len(fit) > count else fit


def main() -> None:
    """Run what the command line says."""
    verb, first, *rest = sys.argv[1:]
    if verb == "altered":
        _alter([(repo, number) for repo, number in json.loads(Path(first).read_text())])
        from seedjournal.cli import main as seedjournal

        seedjournal(rest)
    elif verb == "choose":
        print(json.dumps(choose(_opened(*rest), int(first))))
    else:
        source = _opened(first, *rest)
        clocked(lambda: len(source.digest()))


def _alter(chosen: Sequence[tuple[str, int]]) -> None:
    """Let `record` open altered sources, and be the same in everything else."""
    recording.open_source = lambda *given, **named: Altered(open_source(*given, **named), chosen)  # type: ignore[attr-defined]


def _opened(text: str, *settings: str) -> Source:
    project = make_project(PROJECT, dict(map(parse_setting, settings)))
    return open_source(text, project, named=True, seed=42, as_of=None, skip_invalid=False)


if __name__ == "__main__":
    main()

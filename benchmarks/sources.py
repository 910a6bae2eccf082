"""Sources beside the product's: how long reading one takes, and one in which a few pull requests differ.

python -m benchmarks.sources digest SOURCE [SETTING…]          times what an unchanged record must read
python -m benchmarks.sources choose COUNT SOURCE [SETTING…]    prints pull requests to alter: [[repository, number], …]
python -m benchmarks.sources altered CHOSEN COMMAND…           a seedjournal command whose source is altered
"""

from __future__ import annotations

import json
import re
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from .altered import Altered, Chosen
from .datasets import PROJECT
from .ready import clocked

if TYPE_CHECKING:  # a worker of an altered recording imports this module again
    from seedjournal.simulators.engineering.facts import Source

_LONGEST_TITLE = 150  # a Jira issue's summary holds all of it and the words that are added
_JIRA_KEY = re.compile(r"[A-Z][A-Z0-9]+-[0-9]")  # its issue may be shared, or another one


def choose(source: Source, count: int) -> list[tuple[str, int]]:
    """Return at most so many pull requests, spread over the source, whose altered title changes two entities each."""
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
        from seedjournal.cli import main as seedjournal

        with _altered(frozenset((repo, number) for repo, number in json.loads(Path(first).read_text()))):
            seedjournal(rest)
    elif verb == "choose":
        print(json.dumps(choose(_opened(*rest), int(first))))
    else:
        source = _opened(first, *rest)
        clocked(lambda: len(source.digest()))


def _altered(chosen: Chosen) -> AbstractContextManager[object]:
    """Let `record` open altered sources, and be the same in everything else."""
    from seedjournal.commands import record
    from seedjournal.sources import open_source

    def opened(*given: Any, **named: Any) -> Source:
        return Altered(open_source(*given, **named), chosen)

    return patch.object(record, "open_source", opened)


def _opened(text: str, *settings: str) -> Source:
    from seedjournal.commands.record import RecordChoice
    from seedjournal.simulators.engineering.project import make_project, parse_setting
    from seedjournal.simulators.engineering.recording import RecordOptions
    from seedjournal.sources import open_source

    project = make_project(PROJECT, dict(map(parse_setting, settings)))
    return open_source(project, RecordChoice(source=text, options=RecordOptions()), lambda *_: None)


if __name__ == "__main__":
    main()

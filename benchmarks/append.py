"""The append step alone: events that are ready in memory, through the journal's front door.

python -m benchmarks.append URL EVENTS
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from seedjournal import journal
from seedjournal.journal import JOURNAL_HISTORY, Event, Inputs, Spool, encode, ensure, open_database
from seedjournal.simulators.engineering.kinds import ENGINEERING
from seedjournal.simulators.policies import policies_of

from .datasets import PROJECT
from .ready import clocked, read_events


def main() -> None:
    """Append and seal one run, and print what it took."""
    url, file = sys.argv[1:]
    events = [(Event(**parts), provenance) for provenance, parts in read_events(Path(file))]
    database = open_database(url, create=True)
    ensure(database, JOURNAL_HISTORY, create=True)
    inputs = Inputs(
        project=PROJECT,
        policies=policies_of(ENGINEERING, {}),
        window=False,
        values={},
        fingerprint=hashlib.sha256(b"events that are ready in memory").digest(),
    )

    def work() -> int:
        with Spool() as spool:
            spool.add((encode(event), provenance) for event, provenance in events)
            sealed = journal.record(database, inputs, spool)
        database.engine.dispose()
        return sealed.appended

    clocked(work)


if __name__ == "__main__":
    main()

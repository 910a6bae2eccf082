"""Events in memory: what the append floor and the append step start from, made before their clocks do."""

from __future__ import annotations

import gc
import json
import resource
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import orjson


class Ready(NamedTuple):
    """An event's parts as JSON gives them, and its provenance."""

    provenance: str
    parts: dict[str, Any]


def write_events(file: Path, events: Iterable[tuple[str, str]]) -> None:
    """Keep (provenance, text) for `read_events`, a line each."""
    with file.open("w") as out:
        out.writelines(f"{provenance}\t{text}\n" for provenance, text in events)


def read_events(file: Path) -> list[Ready]:
    """Return every event, one pull request's after another's, about in the order of a source.

    A journal holds them sorted: neither floor nor step shall gain from that.
    """
    with file.open() as lines:
        parted = (line.rstrip("\n").split("\t", 1) for line in lines)
        events = [Ready(provenance, orjson.loads(text)) for provenance, text in parted]
    return sorted(events, key=_number)


def _number(event: Ready) -> int:
    key, data = event.parts["key"], event.parts["data"]
    number = key.get("number") or (data.get("pull_request") or {}).get("number")
    return int(number or key.get("jira_key", "-0").rpartition("-")[2])


def clocked(work: Callable[[], int]) -> None:
    """Do `work`, and print what it took and how many events it dealt with.

    What is in memory before it costs it nothing: the collector does not look at it again.
    """
    gc.collect()
    gc.freeze()
    started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    events = work()
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps({"seconds": time.perf_counter() - started, "cpu": cpu, "events": events}))

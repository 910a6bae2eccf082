"""What a long run of the tests tried, counted over all of its processes: lines in the file that `SOAK_TALLY` names."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

FILE = "SOAK_TALLY"


def count(what: str, make: str = "", times: int = 1) -> None:
    """Count something that was tried, on one make of database or on any; nothing where nobody asks for it."""
    if name := os.environ.get(FILE):
        with Path(name).open("a", encoding="utf-8") as file:
            file.write(json.dumps([what, make, times]) + "\n")  # one short write, which no other process cuts in two


def total(file: Path) -> Counter[tuple[str, str]]:
    """What was counted, by what it was and the make."""
    found: Counter[tuple[str, str]] = Counter()
    for line in file.read_text(encoding="utf-8").splitlines():
        what, make, times = json.loads(line)
        found[what, make] += times
    return found

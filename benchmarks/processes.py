"""Measuring a step: a process of its own, its wall time, CPU time and peak memory, workers included."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .options import ROOT

_LOOK_EVERY = 0.1  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One measurement of one step.

    Wall seconds; CPU seconds of its own, and of the database's server meanwhile; peak memory in MB. `facts` are counts
    that belong to it. `whole` tells that it was a whole command, start-up included; otherwise the step held its own
    clock, and its memory says nothing.
    """

    seconds: float
    cpu: float
    peak: float
    server: float = 0
    whole: bool = True
    facts: Mapping[str, float] = field(default_factory=dict)


def seedjournal(arguments: Sequence[str], folder: Path) -> tuple[Sample, Any]:
    """Run one command of seedjournal's; its document is what it printed with --json."""
    sample, text = run([sys.executable, "-m", "seedjournal", *arguments], folder)
    return sample, json.loads(text) if "--json" in arguments else text


def own(module: str, arguments: Sequence[str], folder: Path) -> tuple[Sample, Any]:
    """Run a module of this package that prints a JSON document.

    Where the document tells `seconds` and `cpu`, the module held its own clock, and those are the measurement.
    """
    sample, text = run([sys.executable, "-m", f"benchmarks.{module}", *arguments], folder)
    document = json.loads(text)
    if isinstance(document, dict) and "cpu" in document:
        sample = Sample(seconds=document["seconds"], cpu=document["cpu"], peak=sample.peak, whole=False)
    return sample, document


def run(command: Sequence[str | Path], folder: Path, *, stdin: Path | None = None) -> tuple[Sample, bytes]:
    """Run a command in `folder`; what it took and what it printed. Exits with its message where it fails."""
    os.sync()  # what an earlier step left to the system to write is not this one's
    with tempfile.TemporaryFile() as said, Path(stdin or os.devnull).open("rb") as given:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, stdin=given, stdout=subprocess.PIPE, stderr=said, env=_environment()
        )
        watch = _Watch(process.pid)
        try:
            text = process.stdout.read() if process.stdout else b""
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:  # whoever stops the benchmarks stops the step
            process.kill()
            raise
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.stdout:
            process.stdout.close()
        together = watch.stop()
        if process.returncode:
            said.seek(0)
            shown = (said.read() or text).decode(errors="replace")
            raise SystemExit(f"{' '.join(map(str, command))}\nended with status {process.returncode}:\n{shown}")
    alone = usage.ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    return Sample(seconds=seconds, cpu=usage.ru_utime + usage.ru_stime, peak=max(alone, together)), text


def _environment() -> dict[str, str]:
    """Return the user's environment, without settings that would change what is measured."""
    changing = ("SEEDJOURNAL_", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(changing)}
    return {**kept, "PYTHONPATH": str(ROOT)}


class _Watch:
    """Looks from time to time what a process and its workers hold together, where the system tells (Linux).

    Pages that processes share count once. A process without workers needs no watch: the system knows its peak.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._peak = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def stop(self) -> float:
        """Return the highest sum that was seen, in MB; 0 where there were no workers."""
        self._ended.set()
        self._thread.join()
        return self._peak

    def _look(self) -> None:
        while not self._ended.wait(_LOOK_EVERY):
            family = list(_family(self._pid))
            if len(family) > 1:
                self._peak = max(self._peak, sum(map(_megabytes, family)))


def _family(pid: int) -> Iterator[int]:
    yield pid
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = listed.read_text().split()
        except OSError:  # it ended meanwhile
            continue
        for child in children:
            yield from _family(int(child))


def server_cpu(pid: int) -> float:
    """Return the CPU seconds that a server has used so far, by the id of any of its processes.

    What processes that have ended used stands with the one that started them. 0 where the system does not tell, or
    where no such server is on this machine.
    """
    if not (_name(pid) or "").startswith("postgres"):
        return 0.0
    top = _stat(pid)[1]
    while True:
        ended = _stat(top)[13:15]
        living = sum(sum(_stat(one)[11:13]) for one in _family(top))
        if _stat(top)[13:15] == ended:  # none ended while they were looked at
            return (sum(ended) + living) / os.sysconf("SC_CLK_TCK")


def _name(pid: int) -> str | None:
    try:
        return Path(f"/proc/{pid}/comm").read_text()
    except OSError:
        return None


def _stat(pid: int) -> list[int]:
    """Return the numbers of /proc/PID/stat behind the name; the first, a letter, is 0."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:  # it ended meanwhile
        return [0] * 15
    return [0, *map(int, text.rpartition(")")[2].split()[1:])]


def _megabytes(pid: int) -> float:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:  # it ended meanwhile
        return 0.0
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")) / 1024

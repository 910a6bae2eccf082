"""Keeping what was measured: a JSON file for each run of the benchmarks."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from .course import Course
from .databases import Make
from .options import ROOT, Options

FORMAT = 1
_PACKAGES = ("alembic", "click", "faker", "msgspec", "orjson", "psycopg", "sqlalchemy")


def describe(options: Options, makes: Sequence[Make]) -> dict[str, Any]:
    """Return the machine, the versions, the commit and what was asked for."""
    now = datetime.now(UTC)
    return {
        "format": FORMAT,
        "date": now.isoformat(timespec="seconds"),
        "commit": _commit(),
        "machine": {
            "system": f"{platform.system()} {platform.machine()}",
            "processor": _processor(),
            "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
            "memory_mb": _memory(),
            "load_at_start": os.getloadavg()[0],
        },
        "versions": {
            "python": platform.python_version(),
            **{make.name: make.version() for make in makes},
            **{name: metadata.version(name) for name in _PACKAGES},
        },
        "options": {
            "events": options.events,
            "repeats": options.repeats,
            "only": options.only,
            "real_projects": options.cache is not None,
            "flat": options.flat,
        },
        "sets": {},
    }


def headline(document: dict[str, Any]) -> str:
    """Return a line or two that say what a run's figures depend on."""
    machine, versions = document["machine"], document["versions"]
    databases = ", ".join(f"{name} {versions[name]}" for name in ("SQLite", "PostgreSQL") if name in versions)
    return (
        f"{document['date']}, commit {document['commit']}\n"
        f"{machine['cores']} cores, {machine['processor']}, {machine['system']}, Python {versions['python']}; "
        f"load at the start {machine['load_at_start']:.1f}\n"
        f"{databases}"
    )


def steps_document(course: Course) -> dict[str, Any]:
    """Return every sample of a course."""
    return {step: [asdict(one) for one in taken] for step, taken in course.samples.by_step.items()}


def save(document: dict[str, Any], folder: Path) -> Path:
    """Write the document, as far as it goes; the file."""
    folder.mkdir(parents=True, exist_ok=True)
    moment = document["date"].replace(":", "").replace("+0000", "Z")
    file = folder / f"{moment}-{document['commit']}-{document['options']['events']}.json"
    file.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    return file


def _commit() -> str:
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--exclude=*"],  # noqa: S607 - the user's own git
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
    except FileNotFoundError:
        return "unknown"
    return done.stdout.strip() or "unknown"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20

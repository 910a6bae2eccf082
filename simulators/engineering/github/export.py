"""What was fetched as a file of the seed system's cache, which the source `cache` reads."""

from __future__ import annotations

import gzip
from pathlib import Path

import msgspec

from seedjournal.journal import BadInput, Unavailable

from . import coverage
from .source import GitHubSource
from .store import Store


def export(store: Store, folder: Path) -> tuple[Path, int]:
    """Write `folder`/OWNER/NAME.json.gz; the file and how many pull requests it holds.

    Only what is covered up to a fetch's end goes there: a cache file cannot say that something is missing. Raises
    Unavailable where nothing is, and BadInput where the file is there already.
    """
    repo = store.repo
    check_runs = bool(store.intervals(check_runs=True))
    found = coverage.stretches(store.intervals(check_runs=check_runs))
    low = found[-1].bottom.low if found else None
    source = GitHubSource([(repo, store)], since=low, check_runs=check_runs)
    file = folder / f"{repo}.json.gz"
    for other in (file, file.with_suffix("")):
        if other.exists():
            raise BadInput(f"{other} is there already", "move it away, or export to another folder")
    unfinished = file.with_name(f".{file.name}.new")
    count = 0
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        first = low
        for pull in source.entries():
            first = pull.created_at if first is None else min(first, pull.created_at)
        with unfinished.open("wb") as raw, gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as packed:
            head = {
                "repo": repo,
                "fetched_at": store.last_fetched(),
                "since_date": first.date() if first else None,
            }
            packed.write(msgspec.json.encode(head)[:-1] + b',"prs":[')
            for pull in source.entries():
                packed.write((b",\n" if count else b"\n") + msgspec.json.encode(pull))
                count += 1
            packed.write(b"\n]}\n")
        unfinished.replace(file)
    except OSError as error:
        raise Unavailable(
            f"{file} cannot be written: {error.strerror}", "check the folder and its permissions"
        ) from error
    finally:
        unfinished.unlink(missing_ok=True)
    return file, count

"""Where stores lie."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import platformdirs

from seedjournal.journal import Unavailable

from ..facts import Repository
from .server import Server


def folder() -> Path:
    """Where stores lie: below the platform's cache folder, or the one that SEEDJOURNAL_CACHE names."""
    return Path(os.environ.get("SEEDJOURNAL_CACHE") or platformdirs.user_cache_dir("seedjournal")) / "github"


def place(server: Server, repo: Repository) -> Path:
    """The file of a repository's store. GitHub takes names that differ in case only for one."""
    return folder() / server.folder / f"{repo.lower()}.db"


def stores() -> Iterator[tuple[str, Path]]:
    """Every store there is, of any server: the server's folder and the file."""
    found = sorted(folder().glob("*/*/*.db"))
    for path in found:
        yield path.parent.parent.name, path


def delete(path: Path) -> None:
    """Remove a store and what belongs to it; raises Unavailable where it cannot be."""
    try:
        for suffix in ("", "-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        path.with_suffix(".lock").unlink(missing_ok=True)
        with suppress(OSError):  # another store lies there
            path.parent.rmdir()
    except OSError as error:
        raise Unavailable(f"{path} cannot be removed: {error.strerror}", "check its permissions") from error

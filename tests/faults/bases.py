"""A small project that was recorded and projected once, copied as often as a test wants to break it."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path
from typing import Any

import psycopg

from tests.conftest import SERVER
from tests.faults import commands
from tests.model.shapes import SHAPES
from tests.seedjournal.commands import rows_of

TABLES = tuple(shape.table for shape in SHAPES.values())
Rows = dict[str, list[tuple[Any, ...]]]


class Base:
    """A journal and target with the first of two runs, and what the second one leads to undisturbed.

    `root` and `state` are the second run's, `old` and `new` the rows before and after it is projected; `seconds` is how
    long a copy's second recording and projection take.
    """

    def __init__(self, make: str, folder: Path, server: str = "") -> None:
        self.make = make
        self.folder = folder
        self.server = server or os.environ.get(SERVER, "")
        self._names: list[str] = []
        self.url = self._made("")
        commands.done(folder, *commands.FIRST, "--journal", self.url)
        commands.done(folder, "project", "--journal", self.url)
        self.old = rows_of(self.url, *TABLES)
        copy = self.copy()
        (run,) = commands.done(folder, *commands.SECOND, "--journal", copy)["runs"]
        self.root, self.state = run["root"], run["state"]
        commands.done(folder, "project", "--journal", copy)
        self.new = rows_of(copy, *TABLES)
        assert self.new != self.old
        self.drop(copy)

    def copy(self) -> str:
        """The URL of a copy."""
        return self._made(self.url)

    def _made(self, template: str) -> str:
        name = f"f_{secrets.token_hex(6)}"
        if self.make == "sqlite":
            path = self.folder / f"{name}.db"
            if template:
                shutil.copy(template.removeprefix("sqlite:///"), path)
            return f"sqlite:///{path}"
        source = f" TEMPLATE {_name(template)}" if template else ""
        self._administer(f"CREATE DATABASE {name}{source}")
        self._names.append(name)
        return sibling(self.server, name)

    def drop(self, url: str) -> None:
        """Remove a copy."""
        if self.make == "sqlite":
            for end in ("", "-wal", "-shm", "-journal"):
                Path(url.removeprefix("sqlite:///") + end).unlink(missing_ok=True)
        else:
            self._names.remove(_name(url))
            self._administer(f"DROP DATABASE {_name(url)} WITH (FORCE)")

    def close(self) -> None:
        """Remove everything."""
        for name in self._names:
            self._administer(f"DROP DATABASE {name} WITH (FORCE)")

    def _administer(self, statement: str) -> None:
        with psycopg.connect(self.server, autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[arg-type]

    # -- what holds after anything ---------------------------------------------------------------------------------

    def assert_recorded(self, url: str) -> None:
        """The second run is recorded as if nothing had ever been in its way."""
        (run,) = commands.done(self.folder, *commands.SECOND, "--journal", url)["runs"]
        assert (run["root"], run["state"]) == (self.root, self.state)

    def assert_projected(self, url: str) -> None:
        """The second run's rows are there as if nothing had ever been in their way, and everything is whole."""
        commands.done(self.folder, "project", "--journal", url)
        assert rows_of(url, *TABLES) == self.new
        assert commands.done(self.folder, "verify", "--journal", url)["ok"]

    def assert_whole(self, url: str) -> None:
        """Whatever happened, nothing is damaged, and the rows are those of one run or the other."""
        assert commands.done(self.folder, "verify", "--journal", url)["ok"]
        assert rows_of(url, *TABLES) in (self.old, self.new)


def _name(url: str) -> str:
    return url.partition("?")[0].rpartition("/")[2]


def sibling(server: str, name: str) -> str:
    """The URL of another database of a server."""
    head, _, query = server.partition("?")
    return f"{head.rpartition('/')[0]}/{name}" + (f"?{query}" if query else "")

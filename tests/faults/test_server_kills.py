"""SIGKILL of the PostgreSQL server in the midst of commands: they end in a clear error, and nothing is lost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import scale, tally
from tests.faults.bases import TABLES, Base
from tests.faults.commands import SECOND, Command, assert_told
from tests.faults.servers import Server
from tests.seedjournal.commands import rows_of

pytestmark = [pytest.mark.soak, pytest.mark.xdist_group("faults")]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


def test_a_server_that_dies_takes_nothing_with_it(server: Server, tmp_path: Path) -> None:
    base = Base("postgresql", tmp_path, server.url)
    chance = scale.chance("servers")
    longest = {"record": 1.0, "project": 1.0}
    for turn in range(scale.times(2, 8)):
        if scale.is_over():
            break
        url = base.copy()
        arguments: tuple[str, ...] = SECOND
        if turn % 2:
            base.assert_recorded(url)
            arguments = ("project",)
        started = time.monotonic()
        command = Command(tmp_path, (*arguments, "--journal", url))
        time.sleep(chance.uniform(0, longest[arguments[0]]))
        server.kill()
        ended = command.ended()
        server.start()
        if ended.code == 0:
            longest[arguments[0]] = time.monotonic() - started
        else:
            assert_told(ended, 3)
            tally.count(f"SIGKILL of the server in {arguments[0]}", "postgresql")
        base.assert_whole(url)
        base.assert_recorded(url)
        assert rows_of(url, *TABLES) in (base.old, base.new)
        base.assert_projected(url)
        base.drop(url)

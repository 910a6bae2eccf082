"""Behind a connection pooler every transaction may meet another server process, and nothing of a session lasts."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import text

from seedjournal.journal import JOURNAL_HISTORY, ensure, open_database
from tests.conftest import Urls
from tests.journal.things import findings, forget_all_but, record_all, row_counts, things

pytestmark = pytest.mark.more


@pytest.fixture
def pooled(make_url: Urls) -> Iterator[str]:
    """The address of a new database behind pgbouncer in transaction mode, with two connections for all."""
    direct = conninfo_to_dict(make_url("postgresql"))
    folder = Path(tempfile.mkdtemp(prefix="seedjournal-pooler-"))
    folder.chmod(0o755)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "users.txt").write_text('"postgres" ""\n', encoding="utf-8")
    host = f"host={direct['host']} " + (f"port={direct['port']} " if direct.get("port") else "")
    (folder / "pgbouncer.ini").write_text(
        f"[databases]\nx = {host}dbname={direct['dbname']} user={direct['user']}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n"
        f"auth_file = {folder}/users.txt\npool_mode = transaction\ndefault_pool_size = 2\nmax_client_conn = 50\n",
        encoding="utf-8",
    )
    program = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    assert program, "this test needs pgbouncer: apt-get install pgbouncer"
    user = ("-u", Path(str(direct["host"])).owner()) if os.geteuid() == 0 else ()  # pgbouncer refuses to be root
    process = subprocess.Popen([program, *user, "-q", folder / "pgbouncer.ini"], stderr=subprocess.DEVNULL)
    url = f"postgresql://postgres@127.0.0.1:{port}/x"
    try:
        until = time.monotonic() + 10
        while True:
            try:
                psycopg.connect(url).close()
            except psycopg.OperationalError:
                assert time.monotonic() < until
                time.sleep(0.1)
            else:
                break
        yield url
    finally:
        process.terminate()
        process.wait(30)
        shutil.rmtree(folder)


def test_every_transaction_works_behind_a_pooler(pooled: str) -> None:
    """Two journals' connections take turns on two server processes; prepared statements would be missing or doubled."""
    first, second = (open_database(pooled, create=True, wait=30) for _ in range(2))
    ensure(first, JOURNAL_HISTORY, create=True)
    for count in range(1, 9):
        record_all(first, things(count * 10))
        with second.read() as reading:  # holds the process that was used, so that the next one is another
            reading.execute(text("SELECT count(*) FROM journal_runs"))
            record_all(first, things(count * 10 + 5))
        record_all(second, things(count, project="q"), project="q")
    assert row_counts(second)["journal_runs"] == 24
    forget_all_but(second, 2)
    assert findings(first) == []
    assert row_counts(first)["journal_runs"] == 4
    for database in (first, second):
        database.engine.dispose()

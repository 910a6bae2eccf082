"""Locks on files that processes share, and limits of processes, on systems with and without POSIX's modules."""

from __future__ import annotations

import time
from contextlib import suppress
from importlib import import_module
from typing import IO, Any

_PAUSE = 0.1  # seconds between two tries where waiting itself is not possible


def _module(name: str) -> Any:
    """Return the module, or None on a system that has none of that name."""
    try:
        return import_module(name)
    except ImportError:
        return None


_fcntl, _msvcrt, _resource = _module("fcntl"), _module("msvcrt"), _module("resource")


def lock(file: IO[bytes], *, wait: bool = True) -> None:
    """Hold a file until it is closed; without `wait`, raise BlockingIOError where another process holds it.

    A system that has neither module has no lock: then only one process may work at a time.
    """
    if _fcntl is not None:
        _fcntl.flock(file, _fcntl.LOCK_EX | (0 if wait else _fcntl.LOCK_NB))
    elif _msvcrt is not None:
        while True:
            try:
                file.seek(0)
                _msvcrt.locking(file.fileno(), _msvcrt.LK_NBLCK, 1)
            except OSError as error:
                if not wait:
                    raise BlockingIOError(*error.args) from error
                time.sleep(_PAUSE)
            else:
                return


def limit_data(process: int, octets: int) -> None:
    """Limit the memory of a process, where the system can do that to another process."""
    if _resource is not None and hasattr(_resource, "prlimit"):
        with suppress(OSError, ValueError):  # it has ended already, or may hold less as it is
            _resource.prlimit(process, _resource.RLIMIT_DATA, (octets, octets))

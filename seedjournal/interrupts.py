"""Interrupts before any work has begun: while modules load, the process ends at once, without a traceback."""

from __future__ import annotations

import os
import signal
import sys

_STATUS = 130
_MESSAGE = "Interrupted; nothing is half written."


def quit_at_once(*_: object) -> None:
    """End the process; nothing is open yet that would have to be closed."""
    if "--json" in sys.argv:
        os.write(1, f'{{"error":{{"kind":"interrupted","message":"{_MESSAGE}","hint":""}}}}\n'.encode())
    else:
        os.write(2, f"error: {_MESSAGE}\n".encode())
    os._exit(_STATUS)


def guard_start() -> None:
    """Let an interrupt end the process at once until `begin_work`, unless somebody else deals with interrupts."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, quit_at_once)


def begin_work() -> None:
    """Let an interrupt raise KeyboardInterrupt again, so that what is open is closed."""
    if signal.getsignal(signal.SIGINT) is quit_at_once:
        signal.signal(signal.SIGINT, signal.default_int_handler)

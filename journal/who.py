"""Who works here, for what people are told of a run: user@host."""

from __future__ import annotations

import getpass
import os
import socket


def user_at_host() -> str:
    """The user and the machine of this process, as the system tells them.

    A user without a name is a number; what is no UTF-8, or no text that a database takes, is marked.
    """
    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):  # no entry in the system's list of users, as in some containers
        user = str(os.getuid()) if hasattr(os, "getuid") else "unknown"
    return f"{user}@{socket.gethostname()}".encode(errors="replace").decode().replace("\0", "?")

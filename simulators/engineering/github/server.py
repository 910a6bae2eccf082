"""Which server is asked, github.com or a GitHub Enterprise Server, and where the stores of each lie."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from seedjournal.journal import Misuse, Unavailable

from ..facts import Repository
from ..reading import cache_folder

VARIABLE = "SEEDJOURNAL_GITHUB_API"
DEFAULT = "https://api.github.com"

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server: the address that queries go to, the host by which `gh` knows it, and the name of its stores' folder."""

    graphql: str
    host: str
    folder: str

    @classmethod
    def at(cls, address: str = "") -> Server:
        """Return the server at an address such as `https://api.github.com` or `https://HOST/api`.

        Raises Misuse for an address that a token must not be sent to: one without TLS, or with a password in it.
        """
        address = address.strip() or DEFAULT
        hint = f"Write it like https://HOST/api. Without it, seedjournal asks {DEFAULT}."
        try:
            parts = urlsplit(address)
            host, port = parts.hostname or "", parts.port
        except ValueError as error:
            raise Misuse(f"{VARIABLE} is not an address.", hint) from error
        if not host or parts.scheme not in {"https", "http"} or parts.query or parts.fragment:
            raise Misuse(f"{VARIABLE} is not the address of a server's API.", hint)
        if parts.username is not None or parts.password is not None:
            raise Misuse(f"{VARIABLE} holds a user name or password.", "Leave it out, and set GITHUB_TOKEN.")
        if parts.scheme == "http" and host not in _LOOPBACK:
            raise Misuse(f"{VARIABLE} names a server without TLS, so anybody on the way could read the token.", hint)
        path = re.sub(r"(?:/v3|/graphql)?/*\Z", "", parts.path)
        base = parts._replace(path=path).geturl()
        place = "-".join(part for part in (host, str(port or ""), path.strip("/")) if part)
        return cls(
            graphql=f"{base}/graphql",
            host="github.com" if host == "api.github.com" else host,
            folder=re.sub(r"[^A-Za-z0-9.-]+", "-", place),
        )


def folder() -> Path:
    """Return where stores lie."""
    return cache_folder() / "github"


def place(server: Server, repo: Repository) -> Path:
    """Return the file of a repository's store. For GitHub, names that differ only in case are equal."""
    return folder() / server.folder / f"{repo.lower()}.db"


def stores() -> Iterator[tuple[str, Path]]:
    """Yield every store there is, of any server: the server's folder and the file."""
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
        raise Unavailable(f"{path} cannot be removed: {error.strerror}", "Check its permissions.") from error

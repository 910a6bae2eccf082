"""Which server is asked: github.com, or a GitHub Enterprise Server."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from seedjournal.journal import Misuse

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
        """The server at an address such as `https://api.github.com` or `https://HOST/api`.

        Raises Misuse for an address that a token must not be sent to: one without TLS, or with a password in it.
        """
        address = address.strip() or DEFAULT
        hint = f"{VARIABLE} looks like https://HOST/api; unset, it is {DEFAULT}"
        try:
            parts = urlsplit(address)
            host, port = parts.hostname or "", parts.port
        except ValueError as error:
            raise Misuse(f"{VARIABLE} is not an address", hint) from error
        if not host or parts.scheme not in {"https", "http"} or parts.query or parts.fragment:
            raise Misuse(f"{VARIABLE} is not the address of a server's API", hint)
        if parts.username is not None or parts.password is not None:
            raise Misuse(f"{VARIABLE} holds a user name or password", "tokens have a variable of their own")
        if parts.scheme == "http" and host not in _LOOPBACK:
            raise Misuse(f"{VARIABLE} names a server without TLS, which would see the token in clear", hint)
        path = re.sub(r"(?:/v3|/graphql)?/*\Z", "", parts.path)
        base = parts._replace(path=path).geturl()
        place = "-".join(part for part in (host, str(port or ""), path.strip("/")) if part)
        return cls(
            graphql=f"{base}/graphql",
            host="github.com" if host == "api.github.com" else host,
            folder=re.sub(r"[^A-Za-z0-9.-]+", "-", place),
        )

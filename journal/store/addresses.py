"""What a database's address means: one parser, with one meaning whatever version of SQLAlchemy is installed.

An address that cannot mean anything is refused: nothing of it is left out silently, and nothing is guessed.
"""

from __future__ import annotations

import os
import re
from urllib.parse import unquote

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from ..errors import Misuse, Unavailable

_DRIVERS = {
    "sqlite": "sqlite",
    "sqlite+pysqlite": "sqlite+pysqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}
_DECODES = make_url("sqlite:///%25").database == "%"  # since 2.1 SQLAlchemy decodes the database's name itself
_SEVERAL_HOSTS = re.compile(r"^([\w+]+://(?:[^/?@]*@)?)([^/?@]*,[^/?@]*)(?=[/?]|$)")
_HOST = re.compile(r"(\[[^\]]*\]|[^:\[\]]*)(:[0-9]*)?")
_MODES = ("ro", "rw")


def parse_address(text: str) -> URL:
    """Return what an address means; raise Misuse for one that cannot be understood."""
    hosts, rest = _hosts(text)
    try:
        address = make_url(rest)
        os.fsencode(text)  # half a surrogate pair is in no file's name
    except (ArgumentError, ValueError):
        raise not_understood() from None
    backend = address.get_backend_name()
    if backend not in ("sqlite", "postgresql", "postgres"):
        raise Misuse(f"{backend} is not a database that seedjournal knows.", "Use sqlite:///FILE or postgresql://…")
    if address.drivername not in _DRIVERS:
        raise Misuse(
            f"{address.drivername} is not a driver that seedjournal uses.",
            "Use sqlite:///FILE or postgresql://…, which means postgresql+psycopg://…",
        )
    database = address.database if _DECODES or not address.database else unquote(address.database)
    address = address.set(drivername=_DRIVERS[address.drivername], database=database or "")
    if "\0" in text + (database or ""):
        raise not_understood()
    _refuse_half_options(text)
    if backend == "sqlite":
        _check_sqlite(address)
        return address
    if text.count("@") > 1:  # a piece of a password would pass for a host
        raise Misuse("The database's URL contains more than one '@'.", "Write an @ in a password as %40.")
    ports = [one for one in address.normalized_query.get("port", ()) for one in one.split(",")]
    if not all(map(_HOST.fullmatch, hosts)) or not all(one.isascii() and one.isdigit() for one in ports if one):
        raise not_understood()
    if hosts:
        address = address.update_query_pairs([("host", one) for one in hosts])
    elif address.host:
        address = address.set(host=unquote(address.host))  # %2F: a socket's folder
    _check_postgresql(address)
    return address


def not_understood() -> Misuse:
    """Return the error for an address without meaning; it holds nothing of the address, which may have a password."""
    return Misuse(
        "The database's address is not a URL.",
        "Write it like sqlite:///seedjournal.db or postgresql://USER@HOST/NAME.",
    )


def check_schema(schema: str) -> None:
    """Raise Misuse for a name that a user's schema cannot have: an empty one, or one of the server's own."""
    if not schema or "\0" in schema or schema.startswith("pg_") or schema == "information_schema":
        raise Misuse(
            f"Schema {schema!r} cannot hold a user's tables.",
            "Name a schema of your own. Names that begin with pg_ belong to PostgreSQL.",
        )


def _hosts(text: str) -> tuple[list[str], str]:
    """Return the hosts of libpq's `//a:1,b:2/` and the address without them; no hosts where there is one at most."""
    found = _SEVERAL_HOSTS.match(text)
    if not found or not text.startswith("postgres"):
        return [], text
    return found[2].split(","), found[1].rstrip("@") + ("@" if "@" in found[1] else "") + text[found.end() :]


def _refuse_half_options(text: str) -> None:
    """Raise Misuse if the part after `?` is not an option: SQLAlchemy would drop it, and with it a part of the name."""
    _, mark, options = text.rpartition("@")[2].partition("?")
    if mark and not all("=" in option for option in options.split("&")):
        raise Misuse(
            "The part of the database's URL after '?' is not OPTION=VALUE.",
            "Correct the option. A '?' that belongs to a name is written %3F.",
        )


def _check_sqlite(address: URL) -> None:
    if address.host or address.username or address.port or not address.database:
        if address.render_as_string() not in {"sqlite://", "sqlite:///", "sqlite+pysqlite://", "sqlite+pysqlite:///"}:
            raise not_understood()
        address = address.set(database=":memory:")
    if (address.database or "").startswith((":memory:", "file:")):
        raise Misuse(
            "The SQLite database is in memory, so the next command would find nothing.",
            "Name a file, such as sqlite:///seedjournal.db.",
        )
    for name, value in address.query.items():
        if name != "mode":
            raise Misuse(
                f"The address of an SQLite file has no option {name!r}.",
                "Leave it out. The one option is ?mode=ro; --wait SECONDS says how long to wait for a busy file.",
            )
        if value not in _MODES:
            raise Misuse(
                "The option `mode` of an SQLite address must be ro or rw.",
                "Write ?mode=ro to read only, or leave it out.",
            )


def _check_postgresql(address: URL) -> None:
    try:
        from psycopg import pq
    except ImportError as error:
        raise Unavailable(
            f"The driver for {address.drivername} is not installed: {error}",
            "Run `pip install 'seedjournal[postgres]'`.",
        ) from error
    known = {option.keyword.decode() for option in pq.Conninfo.get_defaults()}
    for name in address.query:
        if name not in known:
            raise Misuse(
                f"PostgreSQL knows no option {name!r} in an address.", "Leave it out; libpq's documentation lists them."
            )


def file_uri(path: str, mode: str) -> str:
    """Return SQLite's own address of a file: whatever is in the path, it is opened in this mode and never created.

    >>> file_uri("a b?.db", "ro")
    'file:a%20b%3F.db?mode=ro'
    """
    from urllib.parse import quote

    return f"file:{quote(os.fsencode(path))}?mode={mode}"

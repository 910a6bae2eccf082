"""A pull request put together from stored pages: its own node, and what further pages brought of its connections.

Pure. However the pages were cut, the same pull request gives the same nodes, in the server's order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from .queries import CHECK_RUNS, CONNECTIONS, FILES, Connection

Node = dict[str, Any]

COMPLETE, PARTIAL, FAILED = "complete", "partial", "failed"

_ERROR = "error instead"  # no field's name
_NOTHING: Node = {"nodes": [], "totalCount": 0, "pageInfo": {"hasNextPage": False, "endCursor": None}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A connection as far as it was fetched: its nodes, each once, and how many the server says there are.

    `total` None is unknown: the connection was never answered.
    """

    nodes: Sequence[Node]
    total: int | None

    @property
    def state(self) -> str:
        """Whether all is there, something is missing, or nothing came."""
        if self.total is None:
            return FAILED
        return COMPLETE if len(self.nodes) >= self.total else PARTIAL


def told(document: Mapping[str, Any]) -> Node:
    """The data of an answer; where an error stands for a connection, its type does instead of null.

    Null alone would say that there is nothing: no checks at a commit, say, where only nobody may read them.
    """
    data: Node = document["data"]
    for error in document.get("errors") or ():
        path = error.get("path") or []
        if not path or path[-1] not in _CONNECTION_FIELDS:
            continue
        place: Any = data
        for step in path[:-1]:
            if isinstance(place, dict) or (isinstance(place, list) and isinstance(step, int)):
                place = place[step]
        if isinstance(place, dict) and place.get(path[-1], 0) is None:
            place[path[-1]] = {_ERROR: str(error.get("type"))}
    return data


def is_forbidden(node: Node, connection: Connection) -> bool:
    """Whether the token may not read a connection, so that asking for it by itself is of no use."""
    value: Any = node.get(connection.field)
    if connection is CHECK_RUNS:
        commits = (node.get("head") or {}).get("nodes") or []
        value = ((commits[0] or {}).get("commit") or {}).get("statusCheckRollup") if commits else None
    return isinstance(value, dict) and value.get(_ERROR) == "FORBIDDEN"


def first_part(node: Node, connection: Connection) -> Node | None:
    """What came of a connection with the pull request itself; None where it has to be asked for by itself.

    The last commit stands for the head only where it is the head: a branch that was pushed anew meanwhile differs.
    """
    if connection is not CHECK_RUNS:
        return _connection(node[connection.field]) if node.get(connection.field) is not None else None
    commits = (node.get("head") or {}).get("nodes") or []
    commit = (commits[0] or {}).get("commit") if commits else None
    if not commit or commit.get("oid") != node["headRefOid"] or "statusCheckRollup" not in commit:
        return None
    rollup = commit["statusCheckRollup"]
    return _NOTHING if rollup is None else _connection(rollup.get("contexts"))


def more_part(data: Mapping[str, Any], connection: Connection) -> Node | None:
    """What a page of one connection brought; None where the server gave nothing: the pull request may be gone."""
    if connection is not CHECK_RUNS:
        return _connection((data.get("node") or {}).get(connection.field))
    commit = (data.get("repository") or {}).get("object")
    if not commit or "statusCheckRollup" not in commit:
        return None
    rollup = commit["statusCheckRollup"]
    return _NOTHING if rollup is None else _connection(rollup.get("contexts"))


def next_cursor(part: Node) -> str | None:
    """Where the next page of a connection begins; None at its end."""
    page = part["pageInfo"]
    return page.get("endCursor") if page.get("hasNextPage") else None


def joined(node: Node, connection: Connection, parts: Iterable[Node]) -> Part:
    """A connection of a pull request from the pages that brought it.

    The newest page says how many there are; of files the pull request itself says so too, and the greater counts.
    """
    nodes: list[Node] = []
    known: set[tuple[Any, ...]] = set()
    total: int | None = None
    for part in parts:
        total = part["totalCount"]
        for one in part["nodes"]:
            same = tuple(_at(one, path) for path in connection.same) if one is not None else ()
            if one is not None and (same not in known or set(same) == {None}):
                known.add(same)
                nodes.append(one)
    if total is not None and connection is FILES:
        total = max(total, node["changedFiles"])
    return Part(nodes=nodes, total=total)


def assembled(node: Node, parts: Mapping[str, Part], own_name: str) -> Node:
    """The pull request with whole lists in place of its connections, by the facts' names.

    `own_name` is the repository's name on the server, which an issue of the same repository bears too.
    """
    own = {name: value for name, value in node.items() if name not in _CONNECTION_FIELDS}
    own |= {name: list(part.nodes) for name, part in parts.items()}
    own["commits_count"] = parts["commits"].total or 0
    own["linked_issues"] = [
        {"number": one["number"]} if _at(one, "repository.nameWithOwner") == own_name else one
        for one in own["linked_issues"]
    ]
    return own


def digest(whole: Node) -> bytes:
    """SHA-256 over everything that a pull request's facts are read from."""
    return hashlib.sha256(msgspec.json.encode(whole, order="sorted")).digest()


def wanted(*, check_runs: bool) -> tuple[Connection, ...]:
    """The connections to fetch."""
    return CONNECTIONS if check_runs else tuple(one for one in CONNECTIONS if one is not CHECK_RUNS)


def edges(data: Mapping[str, Any]) -> Iterator[tuple[str, Node]]:
    """The pull requests of a page, with the cursor of each."""
    for edge in data["repository"]["pullRequests"]["edges"]:
        if edge and edge.get("node"):
            yield edge["cursor"], edge["node"]


_CONNECTION_FIELDS = {connection.field for connection in CONNECTIONS} | {"head", "statusCheckRollup"}


def _connection(value: Any) -> Node | None:
    """A connection as it was answered; None where it is not one."""
    if not isinstance(value, dict) or not isinstance(value.get("nodes"), list):
        return None
    if not isinstance(value.get("totalCount"), int) or not isinstance(value.get("pageInfo"), dict):
        return None
    return value


def _at(node: Node, path: str) -> Any:
    value: Any = node
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value

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
_SUSPECTS = ("author", "milestone")  # fields of a pull request that may be null
_NOTHING: Node = {"nodes": [], "totalCount": 0, "pageInfo": {"hasNextPage": False, "endCursor": None}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A connection as far as it was fetched: its nodes, each once, and how many the server says there are.

    `total` None is unknown: the connection was never answered. `error` is the type of an error that took something.
    """

    nodes: Sequence[Node]
    total: int | None
    error: str | None = None

    @property
    def state(self) -> str:
        """Whether all is there, something is missing, or nothing came."""
        if self.total is None:
            return FAILED
        return COMPLETE if len(self.nodes) >= self.total else PARTIAL


def told(document: Mapping[str, Any]) -> Node:
    """Return the data of an answer, with each null that comes with an error marked as one.

    Null alone would say that there is nothing: no author, say, where only nobody told who it is. An error of a whole
    connection stands in its place; one inside a connection takes the node out that it spoils; one of a pull request's
    own field is listed by `own_errors`.
    """
    data: Node = document["data"]
    for error in document.get("errors") or ():
        kind = str(error.get("type") or "error")
        path = error.get("path")
        if isinstance(path, list) and path:
            _mark(data, path, kind)
        else:  # it does not say what it took: that may be any null
            for node in _pull_requests(data):
                _suspect(node, kind)
    return data


def own_errors(node: Node) -> Mapping[str, str]:
    """Return the types of errors that took a pull request's own fields, by field."""
    found: Mapping[str, str] = node.get(_ERROR, {})
    return found


def _mark(data: Node, path: Sequence[Any], kind: str) -> None:
    """Mark the null on an error's path: the field itself, or whatever around it may be null."""
    steps: list[Any] = [data]
    for step in path:
        value = steps[-1]
        inside = value.get(step) if isinstance(value, dict) else None
        if isinstance(value, list) and isinstance(step, int) and step < len(value):
            inside = value[step]
        if inside is None:
            break
        steps.append(inside)
    else:
        return  # there is no null: the error took nothing
    last = len(steps) - 1  # path[last] is the null's step in steps[last]
    for place in range(last, 0, -1):
        if path[place - 1] == "nodes" and "totalCount" in steps[place - 1] and isinstance(path[place], int):
            steps[place][path[place]] = None
            steps[place - 1][_ERROR] = kind
            return
    field, holder = path[last], steps[last]
    if not isinstance(holder, dict):
        return  # a pull request as a whole: an edge without a node
    if field in _CONNECTION_FIELDS:
        holder[field] = {_ERROR: kind}
    elif "headRefOid" in holder:
        holder.setdefault(_ERROR, {})[str(field)] = kind


def _suspect(node: Node, kind: str) -> None:
    """Take every null of a pull request that may be an error's as one."""
    for field in _SUSPECTS:
        if field in node and node[field] is None:
            node.setdefault(_ERROR, {})[field] = kind
    for connection in CONNECTIONS:
        part = node.get(connection.field)
        if not isinstance(part, dict) or not isinstance(part.get("nodes"), list):
            continue
        for place, one in enumerate(part["nodes"]):
            author = _at(one, "commit.author") if "commit" in (one or {}) else one
            field = "user" if "commit" in (one or {}) else "author"
            if isinstance(author, dict) and field in author and author[field] is None:
                part["nodes"][place] = None
                part[_ERROR] = kind


def error_of(node: Node, connection: Connection) -> str | None:
    """Return the type of the error that the server gave instead of a connection, if it did."""
    value: Any = node.get(connection.field)
    if connection is CHECK_RUNS:
        commits = (node.get("head") or {}).get("nodes") or []
        value = ((commits[0] or {}).get("commit") or {}).get("statusCheckRollup") if commits else None
    return value.get(_ERROR) if isinstance(value, dict) and "nodes" not in value else None


def first_part(node: Node, connection: Connection) -> Node | None:
    """Return the part of a connection that came with the pull request; None if it needs a request of its own.

    The last commit is taken for the head only where it is the head: a branch that was pushed again meanwhile differs.
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
    """Return the part in a page of one connection; None if the server gave nothing: the pull request may be gone."""
    if connection is not CHECK_RUNS:
        return _connection((data.get("node") or {}).get(connection.field))
    commit = (data.get("repository") or {}).get("object")
    if not commit or "statusCheckRollup" not in commit:
        return None
    rollup = commit["statusCheckRollup"]
    return _NOTHING if rollup is None else _connection(rollup.get("contexts"))


def next_cursor(part: Node) -> str | None:
    """Return the cursor of the next page of a connection; None at its end."""
    page = part["pageInfo"]
    return page.get("endCursor") if page.get("hasNextPage") else None


def joined(node: Node, connection: Connection, parts: Iterable[Node]) -> Part:
    """Return a connection of a pull request, joined from its pages.

    The newest page says how many there are; of files the pull request itself says so too, and the greater counts.
    """
    nodes: list[Node] = []
    known: set[tuple[Any, ...]] = set()
    total: int | None = None
    error: str | None = None
    for part in parts:
        total = part["totalCount"]
        error = part.get(_ERROR) or error
        there = known.copy() if connection is CHECK_RUNS else known  # two of one part without an id are two
        for one in part["nodes"]:
            same = tuple(_at(one, path) for path in connection.same) if one is not None else ()
            is_named = bool(same) and same[0] is not None
            if one is not None and (same not in (known if is_named else there) or set(same) == {None}):
                known.add(same)
                nodes.append(one)
    if total is not None and connection is FILES:
        total = max(total, node["changedFiles"])
    return Part(nodes=nodes, total=total, error=error)


def assembled(node: Node, parts: Mapping[str, Part], own_name: str) -> Node:
    """Return the pull request with whole lists instead of its connections, by the facts' names.

    `own_name` is the repository's name on the server, which an issue of the same repository bears too.
    """
    own = {name: value for name, value in node.items() if name not in _CONNECTION_FIELDS and name != _ERROR}
    own |= {name: list(part.nodes) for name, part in parts.items()}
    own["commits_count"] = parts["commits"].total or 0
    own["linked_issues"] = [
        {"number": one["number"]} if _at(one, "repository.nameWithOwner") == own_name else one
        for one in own["linked_issues"]
    ]
    return own


def digest(whole: Node) -> bytes:
    """Return the SHA-256 of everything that a pull request's facts come from."""
    return hashlib.sha256(msgspec.json.encode(whole, order="sorted")).digest()


def wanted(*, check_runs: bool) -> tuple[Connection, ...]:
    """Return the connections to fetch."""
    return CONNECTIONS if check_runs else tuple(one for one in CONNECTIONS if one is not CHECK_RUNS)


def edges(data: Mapping[str, Any]) -> Iterator[tuple[str, Node]]:
    """Yield the pull requests of a page, with the cursor of each; empty where they were asked for by themselves."""
    pulls = data["repository"].get("pullRequests")
    if pulls is None:
        yield from (("", node) for node in (data.get("node"), *(data.get("nodes") or ())) if node and "number" in node)
        return
    for edge in pulls["edges"]:
        if edge and edge.get("node"):
            yield edge["cursor"], edge["node"]


def _pull_requests(data: Mapping[str, Any]) -> Iterator[Node]:
    """Yield what an answer holds of pull requests, of a page of one connection too."""
    node = data.get("node")
    if isinstance(node, dict):
        yield node
    elif isinstance(data.get("repository"), dict):
        yield from (one for _, one in edges(data))


_CONNECTION_FIELDS = {connection.field for connection in CONNECTIONS} | {"head", "statusCheckRollup"}


def _connection(value: Any) -> Node | None:
    """Return a connection from an answer; None where it is not one."""
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

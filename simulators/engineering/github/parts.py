"""The connections of a page's pull requests: followed to their ends, and counted.

Pages of connections are stored like all others, each under the page and the pull request that it belongs to. So what a
fetch that ended early has followed is not asked for again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .api import Answer, Api, StaleCursor, TooMuch
from .assembly import (
    COMPLETE,
    Node,
    assembled,
    digest,
    edges,
    is_forbidden,
    joined,
    more_part,
    next_cursor,
    told,
    wanted,
)
from .entries import moment
from .queries import CHECK_RUNS, Connection
from .store import Missing, Page, Store, Version

_SIZE = 100


def follow(api: Api, store: Store, page: Page) -> None:
    """Fetch what is still missing of every connection; where the server does not give it, it stays incomplete."""
    for _, node in edges(page.data):
        for connection in wanted(check_runs=page.step.check_runs):
            _follow(api, store, page, node, connection)


def settled_versions(store: Store, page: Page) -> list[Version]:
    """What a page and the stored pages of its connections say of its pull requests."""
    name = page.data["repository"]["nameWithOwner"]
    found = []
    for _, node in edges(page.data):
        parts = {
            one.name: joined(node, one, store.parts(page.id, node, one))
            for one in wanted(check_runs=page.step.check_runs)
        }
        missing = tuple(
            Missing(connection=name, state=part.state, got=len(part.nodes), total=part.total)
            for name, part in parts.items()
            if part.state != COMPLETE
        )
        found.append(
            Version(
                number=node["number"],
                updated_at=moment(node["updatedAt"]),
                page=page.id,
                digest=digest(assembled(node, parts, name)),
                missing=missing,
            )
        )
    return found


def _follow(api: Api, store: Store, page: Page, node: Node, connection: Connection) -> None:
    parts = list(store.parts(page.id, node, connection))
    if not parts and is_forbidden(node, connection):
        return
    after = next_cursor(parts[-1]) if parts else None
    while not parts or after is not None:
        asked = _asked(api, _whose(store, node, connection), connection, after)
        if asked is None:
            return
        variables, answer = asked
        of = (page.id, node["number"], connection.name)
        with store.writing():
            store.add_part(connection.query, variables, answer.content, answer.served_at, of)
        more = more_part(told({"data": answer.data, "errors": answer.errors}), connection)
        if more is None or next_cursor(more) == after:
            return
        parts.append(more)
        after = next_cursor(more)


def _asked(
    api: Api, whose: Mapping[str, Any], connection: Connection, after: str | None
) -> tuple[Mapping[str, Any], Answer] | None:
    """The variables that were answered, and the answer; None where not even one node at a time comes."""
    size = _SIZE
    while size:
        variables = {**whose, "first": size} | ({} if after is None else {"after": after})
        try:
            return variables, api.ask(connection.query, variables)
        except TooMuch:
            size //= 2
        except StaleCursor:
            return None
    return None


def _whose(store: Store, node: Node, connection: Connection) -> dict[str, Any]:
    """What a connection is of: the pull request, or, of check runs, its head commit."""
    if connection is not CHECK_RUNS:
        return {"id": node["id"]}
    owner, _, name = store.repo.partition("/")
    return {"owner": owner, "name": name, "oid": node["headRefOid"]}

"""The connections of a page's pull requests: followed to their ends, and counted.

Pages of connections are stored like all others, each under the page and the pull request that it belongs to. So what a
fetch that ended early has followed is not asked for again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seedjournal.journal import Unavailable

from .api import LASTING, Answer, Api, StaleCursor, TooMuch, is_trouble
from .assembly import (
    COMPLETE,
    FAILED,
    Node,
    assembled,
    digest,
    edges,
    error_of,
    joined,
    more_part,
    next_cursor,
    own_errors,
    told,
    wanted,
)
from .entries import accounts as named_accounts
from .entries import moment
from .queries import CHECK_RUNS, Connection
from .store import Missing, Page, Store, Trouble, Version

_TRIES_AT_SMALLEST = 4
_SIZE = 100


NO_ANSWER = "no answer"


def follow(api: Api, store: Store, page: Page) -> dict[tuple[int, str], str]:
    """Fetch what is still missing of every connection; where the server does not give it, it stays incomplete.

    Returns the types of errors that took a connection, by the pull request's number and the connection's name.
    """
    failed: dict[tuple[int, str], str] = {}
    for _, node in edges(page.data):
        for connection in wanted(check_runs=page.step.check_runs):
            error = _follow(api, store, page, node, connection)
            if error is not None:
                failed[node["number"], connection.name] = error
    return failed


@dataclass(frozen=True, slots=True)
class Read:
    """What a page says: of its pull requests, which of them to ask for again, and which accounts it names."""

    versions: Sequence[Version]
    troubles: Sequence[Trouble]
    accounts: set[tuple[int, str]]


def read(store: Store, page: Page, failed: Mapping[tuple[int, str], str]) -> Read:
    """Return what a page and the stored pages of its connections say; `failed` is what following them returned.

    A version that may lack something because of an error does not count: the last complete version is used instead.
    """
    name = page.data["repository"]["nameWithOwner"]
    check_runs = page.step.check_runs
    versions, troubles = [], []
    accounts: set[tuple[int, str]] = set()
    for _, node in edges(page.data):
        if page.step.bare:
            troubles.append(missed(node, check_runs=check_runs))
            continue
        parts = {one.name: joined(node, one, store.parts(page.id, node, one)) for one in wanted(check_runs=check_runs)}
        gaps = [
            Missing(
                connection=one.name,
                state=part.state,
                got=len(part.nodes),
                total=part.total,
                error=failed.get((node["number"], one.name)) or part.error or error_of(node, one),
            )
            for one in wanted(check_runs=check_runs)
            if (part := parts[one.name]).state != COMPLETE
        ]
        gaps += [
            Missing(connection=field, state=FAILED, got=0, total=1, error=error)
            for field, error in sorted(own_errors(node).items())
        ]
        whole = assembled(node, parts, name)
        version = Version(
            number=node["number"],
            updated_at=moment(node["updatedAt"]),
            page=page.id,
            digest=digest(whole),
            missing=tuple(gaps),
        )
        trouble = Trouble(
            number=version.number,
            check_runs=check_runs,
            node=node["id"],
            updated_at=version.updated_at,
            missing=version.missing,
        )
        if not trouble.is_left_out:
            versions.append(version)
        if gaps:
            troubles.append(trouble)
        accounts.update(named_accounts(whole))
    return Read(versions, troubles, accounts)


def missed(node: Node, *, check_runs: bool, error: str = NO_ANSWER) -> Trouble:
    """Return what is known of a pull request that did not come: its number and id."""
    return Trouble(
        number=node["number"],
        check_runs=check_runs,
        node=node["id"],
        updated_at=moment(node["updatedAt"]),
        missing=(Missing(connection="pull_request", state=FAILED, got=0, total=1, error=error),),
    )


def endless(repo: str, connection: str) -> Unavailable:
    """Return the error for pages of which the server says that there are more, and not where, or again the same.

    Such a page is not stored, so that the next fetch asks for it again.
    """
    return Unavailable(
        f"{repo}: the server's pages of {connection} do not end. It says that there are more, and gives no address "
        "for them.",
        "This is a fault of the server. Try later. What was fetched is kept; the same command goes on from there.",
    )


def _follow(api: Api, store: Store, page: Page, node: Node, connection: Connection) -> str | None:
    """Fetch the rest of one connection; return the type of the error that took it, if one did."""
    parts = list(store.parts(page.id, node, connection))
    if not parts and error_of(node, connection) in LASTING:
        return None
    after = next_cursor(parts[-1]) if parts else None
    has_more = not parts or parts[-1]["pageInfo"].get("hasNextPage")
    used: set[str | None] = set()
    while has_more:
        used.add(after)
        asked = _asked(api, _whose(store, node, connection), connection, after)
        if asked is None:
            return NO_ANSWER
        variables, answer = asked
        more = more_part(told({"data": answer.data, "errors": answer.errors}), connection)
        if more is None:
            return next((str(error.get("type") or NO_ANSWER) for error in answer.errors if is_trouble(error)), None)
        after, has_more = next_cursor(more), more["pageInfo"].get("hasNextPage")
        if has_more and (after is None or after in used or not more["nodes"]):
            raise endless(store.repo, f"{connection.name} of pull request {node['number']}")
        of = (page.id, node["number"], connection.name)
        with store.writing():
            store.add_part(connection.query, variables, answer.content, answer.served_at, of)
    return None


def _asked(
    api: Api, whose: Mapping[str, Any], connection: Connection, after: str | None
) -> tuple[Mapping[str, Any], Answer] | None:
    """Return the answered variables and the answer; None if not even one node at a time comes."""
    size, failures = _SIZE, 0
    while True:
        variables = {**whose, "first": size} | ({} if after is None else {"after": after})
        try:
            return variables, api.ask(connection.query, variables)
        except TooMuch:
            if size == 1:
                failures += 1
                if failures >= _TRIES_AT_SMALLEST:
                    return None
                api.pause(failures - 1)
            size = max(1, size // 4)
        except StaleCursor:
            return None


def _whose(store: Store, node: Node, connection: Connection) -> dict[str, Any]:
    """Return the owner of a connection: the pull request or, for check runs, its head commit."""
    owner, _, name = store.repo.partition("/")
    whose = {"oid": node["headRefOid"]} if connection is CHECK_RUNS else {"id": node["id"]}
    return {"owner": owner, "name": name, **whose}

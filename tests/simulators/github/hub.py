"""A small GitHub: an HTTP server that executes the client's own query text over facts of a local repository.

Its schema is written from GitHub's documentation. What it can be told to do wrong is what GitHub does.
"""

from __future__ import annotations

import bisect
import json
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from graphql import DocumentNode, GraphQLSchema, build_schema, execute_sync, parse, validate
from graphql.error import GraphQLError

from seedjournal.simulators.engineering.facts import Person, PullRequest
from tests.simulators.github.cost import cost

SCHEMA = Path(__file__).with_name("schema.graphql")
Node = dict[str, Any]
Fault = Callable[["Asked"], "Reply | None"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request as it came: which one it is, its query's name, variables, and who signed it."""

    place: int
    name: str
    variables: Node
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What is sent instead of an answer; `cut` ends the connection after so many bytes of the body."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    seconds: float = 0.0


@cache
def schema() -> GraphQLSchema:
    return build_schema(SCHEMA.read_text(encoding="utf-8"))


@cache
def document(query: str) -> DocumentNode:
    parsed = parse(query)
    assert not validate(schema(), parsed)
    return parsed


def stamp(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def actor(person: Person | None, kind: str = "User") -> Node | None:
    """Somebody as GraphQL tells them: a program's login without its ending."""
    if person is None or person.login is None:
        return None
    bot = person.login.endswith("[bot]")
    return {
        "__typename": "Bot" if bot else kind,
        "login": person.login.removesuffix("[bot]"),
        "databaseId": person.id,
        "name": person.name,
    }


def pull(fact: PullRequest, hour: int = 0) -> Node:
    """A pull request's node, from the facts that a clone tells."""
    number = fact.number
    return {
        "__typename": "PullRequest",
        "id": f"PR_{number}",
        "number": number,
        "title": fact.title,
        "body": fact.body or "",
        "isDraft": fact.is_draft,
        "state": fact.state.upper(),
        "createdAt": stamp(fact.created_at),
        "updatedAt": stamp((fact.updated_at or fact.created_at) + timedelta(hours=hour)),
        "mergedAt": stamp(fact.merged_at),
        "closedAt": stamp(fact.closed_at),
        "additions": fact.additions,
        "deletions": fact.deletions,
        "changedFiles": fact.changed_files,
        "headRefName": fact.head_ref or "topic",
        "headRefOid": fact.commits[-1].sha if fact.commits else "0" * 40,
        "baseRefName": fact.base_ref or "main",
        "author": actor(fact.author),
        "milestone": {"title": fact.milestone} if fact.milestone else None,
        "reviews": [
            {
                "fullDatabaseId": str(review.id or number * 1000 + place),
                "state": review.state.upper(),
                "submittedAt": stamp(review.submitted_at),
                "body": review.body or "",
                "author": actor(review.reviewer),
            }
            for place, review in enumerate(fact.reviews, 1)
        ],
        "commits": [
            {
                "commit": {
                    "__typename": "Commit",
                    "oid": commit.sha,
                    "message": commit.message,
                    "committedDate": stamp(commit.committed_at),
                    "additions": commit.additions,
                    "deletions": commit.deletions,
                    "author": git_actor(commit.author),
                }
            }
            for commit in fact.commits
        ],
        "files": [
            {
                "path": file.filename,
                "changeType": "DELETED" if file.status == "removed" else file.status.upper(),
                "additions": file.additions,
                "deletions": file.deletions,
            }
            for file in fact.files
        ],
        "labels": [{"name": name} for name in fact.labels],
        "assignees": [{"login": login} for login in fact.assignees],
        "closingIssuesReferences": [],
        "checks": [],
    }


def git_actor(person: Person | None) -> Node | None:
    if person is None:
        return None
    user = {"login": person.login, "databaseId": person.id, "name": person.name} if person.login else None
    return {"name": person.name, "email": "", "user": user}


def check(number: int, name: str = "build", **others: Any) -> Node:
    return {
        "__typename": "CheckRun",
        "databaseId": number,
        "permalink": f"https://example.invalid/o/r/runs/{number}",
        "name": name,
        "status": "COMPLETED",
        "conclusion": "SUCCESS",
        "startedAt": "2024-01-02T00:00:00Z",
        "completedAt": "2024-01-02T00:05:00Z",
        **others,
    }


class Hub:
    """The server's content, its limits, and its faults. Times are its own: `now` moves only where it is moved."""

    def __init__(self, pulls: Iterable[Node] = (), repo: str = "example/thing") -> None:
        self.repo = repo
        self.repo_id = "R_1"
        self.names = {repo.lower()}
        self.pulls = {one["number"]: one for one in pulls}
        newest = max((one["updatedAt"] for one in self.pulls.values()), default="")
        self.now = max(datetime(2025, 7, 1, tzinfo=UTC), datetime.fromisoformat(newest or "2024-01-01T00:00:00Z"))
        self.limited = True
        self.limit = 5000
        self.used: dict[str, int] = {}
        self.reset_at = self.now + timedelta(hours=1)
        self.refused_tokens: set[str] = set()
        self.asked: list[Asked] = []
        self.faults: list[Fault] = []
        self.resolved: Callable[[str, Node], None] = lambda _name, _node: None
        self.most_files = 3000
        self.headers: dict[str, str] = {}
        self.forbids_checks = False
        self.endless = ""  # a connection whose pages never end
        self._order: list[tuple[str, str]] | None = None
        self._lock = threading.Lock()

    def touch(self, number: int, moment: datetime, **changes: Any) -> None:
        """Change a pull request: it moves to the end of the order of updates."""
        self.pulls[number] = {**self.pulls[number], **changes, "updatedAt": stamp(moment)}
        self._order = None

    def answer(self, asked: Asked, query: str) -> Node:
        """What GraphQL says."""
        with self._lock:
            if self.now >= self.reset_at:
                self.used.clear()
                self.reset_at = self.now + timedelta(hours=1)
            points = cost(document(query), asked.variables)
            if self.limited and self.used.get(asked.token, 0) + points > self.limit:
                return {"errors": [{"type": "RATE_LIMITED", "message": "API rate limit already exceeded"}]}
            self.used[asked.token] = self.used.get(asked.token, 0) + points
            self._cost = (points, self.limit - self.used[asked.token])
            done = execute_sync(schema(), document(query), root_value=_Root(self), variable_values=asked.variables)
            errors = [
                {"message": one.message, "path": one.path, "type": (one.extensions or {}).get("type")}
                for one in done.errors or ()
            ]
            return {"data": done.data} | ({"errors": errors} if errors else {})

    @property
    def rate_limit(self) -> Node | None:
        if not self.limited:
            return None
        points, remaining = self._cost
        return {"cost": points, "limit": self.limit, "remaining": remaining, "resetAt": stamp(self.reset_at)}

    def find(self, owner: str, name: str) -> bool:
        return f"{owner}/{name}".lower() in self.names

    def page(self, first: int | None, after: str | None, last: int | None, before: str | None) -> Node:
        """A page in order of updates; a cursor holds a place in this order, not in a list."""
        if self._order is None:
            self._order = sorted((one["updatedAt"], f"{number:09}") for number, one in self.pulls.items())
        low = bisect.bisect_right(self._order, _place(after)) if after else 0
        high = bisect.bisect_left(self._order, _place(before)) if before else len(self._order)
        piece = self._order[low:high]
        whole = len(piece)
        piece = piece[:first] if first is not None else piece[-last:] if last else piece
        cursors = [f"{moment}|{number}" for moment, number in piece]
        return {
            "totalCount": len(self.pulls),
            "pageInfo": {
                "hasNextPage": first is not None and whole > len(piece),
                "hasPreviousPage": last is not None and whole > len(piece),
                "startCursor": cursors[0] if cursors else None,
                "endCursor": cursors[-1] if cursors else None,
            },
            "edges": [
                {"cursor": cursor, "node": _Pull(self, self.pulls[int(number)])}
                for cursor, (_, number) in zip(cursors, piece, strict=True)
            ],
        }


def _number(node: str) -> int:
    return int(node.removeprefix("PR_"))


def _place(cursor: str) -> tuple[str, str]:
    moment, bar, number = cursor.partition("|")
    if not bar:
        raise GraphQLError(f"`{cursor}` does not appear to be a valid cursor.")
    return moment, number


def connection(nodes: list[Node], first: int | None, after: str | None, total: int | None = None) -> Node:
    start = int(after or 0)
    end = len(nodes) if first is None else min(len(nodes), start + first)
    return {
        "totalCount": len(nodes) if total is None else total,
        "pageInfo": {"hasNextPage": end < len(nodes), "endCursor": str(end) if end > start else None},
        "nodes": nodes[start:end],
    }


class _Pull:
    """A pull request while it is resolved: plain fields from its node, connections cut as asked."""

    def __init__(self, hub: Hub, node: Node) -> None:
        self._hub = hub
        self._node = node

    def __getattr__(self, name: str) -> Any:
        self._hub.resolved(name, self._node)
        if name.endswith("__typename"):
            return self._node["__typename"]
        if name not in self._node:
            raise AttributeError(name)
        return self._node[name]

    def _part(self, name: str, first: int | None, after: str | None) -> Node | None:
        self._hub.resolved(name, self._node)
        nodes = self._node[name]
        if nodes is None:
            return None
        if name == self._hub.endless:
            whole = connection(nodes, first, after)
            return {**whole, "pageInfo": {"hasNextPage": True, "endCursor": None}}
        if name == "files":
            return connection(nodes[: self._hub.most_files], first, after)
        return connection(nodes, first, after, self._node.get(f"{name}_total"))

    def reviews(self, _info: Any, first: int | None = None, after: str | None = None) -> Node | None:
        return self._part("reviews", first, after)

    def files(self, _info: Any, first: int | None = None, after: str | None = None) -> Node | None:
        return self._part("files", first, after)

    def labels(self, _info: Any, first: int | None = None, after: str | None = None) -> Node | None:
        return self._part("labels", first, after)

    def assignees(self, _info: Any, first: int | None = None, after: str | None = None) -> Node | None:
        return self._part("assignees", first, after)

    def closingIssuesReferences(  # noqa: N802 - the schema's name
        self, _info: Any, first: int | None = None, after: str | None = None
    ) -> Node | None:
        return self._part("closingIssuesReferences", first, after)

    def commits(
        self, _info: Any, first: int | None = None, after: str | None = None, last: int | None = None
    ) -> Node | None:
        if last is not None:
            nodes = self._node["commits"][-last:]
            return {
                "nodes": [{"commit": self._hub_commit(one["commit"])} for one in nodes],
                "totalCount": len(self._node["commits"]),
                "pageInfo": {"hasNextPage": False, "endCursor": None},
            }
        return self._part("commits", first, after)

    def _hub_commit(self, commit: Node) -> Node:
        return {**commit, "statusCheckRollup": lambda _info: self._hub_rollup()}

    def _hub_rollup(self) -> Any:
        if self._hub.forbids_checks:
            words = "Resource not accessible by personal access token"
            raise GraphQLError(words, extensions={"type": "FORBIDDEN"})
        return _Rollup(self._hub, self._node) if self._node["checks"] != [] else None


class _Rollup:
    def __init__(self, hub: Hub, node: Node) -> None:
        self._hub = hub
        self._node = node

    def contexts(self, _info: Any, first: int | None = None, after: str | None = None) -> Node:
        self._hub.resolved("checks", self._node)
        return connection(self._node["checks"], first, after)


class _Repository:
    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self.id = hub.repo_id
        self.nameWithOwner = hub.repo

    def pullRequests(  # noqa: N802 - the schema's name
        self,
        _info: Any,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
        orderBy: Node | None = None,  # noqa: N803
    ) -> Node:
        return self._hub.page(first, after, last, before)

    def object(self, _info: Any, oid: str) -> Any:
        for node in self._hub.pulls.values():
            if node["headRefOid"] == oid:
                return {"__typename": "Commit", **_Pull(self._hub, node)._hub_commit({"oid": oid})}
        return None


class _Root:
    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def rateLimit(self, _info: Any, dryRun: bool = False) -> Node | None:  # noqa: N802, N803 - the schema's names
        return self._hub.rate_limit

    def repository(
        self,
        _info: Any,
        owner: str,
        name: str,
        followRenames: bool = True,  # noqa: N803
    ) -> _Repository | None:
        if not self._hub.find(owner, name):
            raise GraphQLError(
                f"Could not resolve to a Repository with the name '{owner}/{name}'.", extensions={"type": "NOT_FOUND"}
            )
        return _Repository(self._hub)

    def node(self, _info: Any, id: str) -> _Pull | None:  # noqa: A002 - the schema's name
        number = _number(id)
        if number not in self._hub.pulls:
            raise GraphQLError(
                f"Could not resolve to a node with the global id of '{id}'", extensions={"type": "NOT_FOUND"}
            )
        return _Pull(self._hub, self._hub.pulls[number])

    def nodes(self, _info: Any, ids: list[str]) -> list[_Pull | None]:
        return [
            _Pull(self._hub, self._hub.pulls[number]) if number in self._hub.pulls else None
            for number in map(_number, ids)
        ]

    def search(self, _info: Any, query: str, type: str, first: int) -> Node:  # noqa: A002 - the schema's name
        since = next((part.removeprefix("updated:>=") for part in query.split() if part.startswith("updated:>=")), "")
        return {"issueCount": sum(one["updatedAt"] >= since for one in self._hub.pulls.values())}


class Serving:
    """A hub behind HTTP, until it is closed."""

    def __init__(self, hub: Hub, port: int = 0) -> None:
        self.hub = hub
        serving = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                serving._serve(self)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A client that was killed is no error."""

        self._server = Server(("127.0.0.1", port), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        hub = self.hub
        asked = Asked(
            place=len(hub.asked),
            name=body["query"].split("(")[0].split()[-1],
            variables=body["variables"],
            token=handler.headers["Authorization"].removeprefix("Bearer "),
        )
        hub.asked.append(asked)
        reply = None
        if asked.token in hub.refused_tokens:
            reply = Reply(status=401, body={"message": "Bad credentials"})
        for fault in hub.faults:
            reply = reply or fault(asked)
        if reply is None:
            reply = Reply(body=hub.answer(asked, body["query"]), headers=hub.headers)
        if reply.seconds:
            time.sleep(reply.seconds)
        raw = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        with suppress(OSError):
            handler.send_response_only(reply.status)
            for name, value in ({"Date": format_datetime(hub.now, usegmt=True)} | reply.headers).items():
                handler.send_header(name, value)
            handler.send_header("Content-Length", str(len(raw)))
            handler.end_headers()
            handler.wfile.write(raw if reply.cut is None else raw[: reply.cut])
            if reply.cut is not None:
                handler.close_connection = True

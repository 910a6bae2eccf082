"""What a fetch would take, from one cheap query."""

from __future__ import annotations

import math
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from seedjournal.journal import Unavailable

from ..facts import Repository
from .api import Api, TooMuch
from .queries import ESTIMATE
from .store import Store

SECONDS_A_REQUEST = 2.0  # what pages of this size take in practice; nobody promises it

_FIRST_SIZE = 20
_CONNECTIONS = 6  # of a pull request, and two more for check runs
_CONNECTIONS_OF_CHECKS = 2
_HOUR = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """About how much is still to be fetched of a repository.

    `pull_requests` are those of the range, `stored` those of them that are there; `requests` and `points` are for the
    rest, without the further pages of large pull requests. `remaining` and `limit` are None on servers without limits.
    `seconds` include waiting for resets.
    """

    repo: Repository
    pull_requests: int
    stored: int
    requests: int
    points: int
    remaining: int | None
    limit: int | None
    seconds: int


def page_points(size: int, *, check_runs: bool) -> int:
    """Return what a page of so many pull requests costs, by the formula that GitHub publishes."""
    connections = _CONNECTIONS + (_CONNECTIONS_OF_CHECKS if check_runs else 0)
    return max(1, int((1 + size * connections) / 100 + 0.5))


def estimate(
    api: Api, repo: Repository, path: Path, *, since: datetime | None = None, check_runs: bool = True
) -> Estimate:
    """Estimate what fetching the pull requests updated since then takes; `path` is where its store would be."""
    owner, _, name = repo.partition("/")
    moment = (since or datetime.min.replace(tzinfo=UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")
    search = f"repo:{repo} is:pr" + (f" updated:>={moment}" if since else "")
    try:
        answer = api.ask_patiently(ESTIMATE, {"owner": owner, "name": name, "search": search})
    except TooMuch as much:
        raise Unavailable(f"GitHub cannot count the pull requests of {repo}: {much}", "Try later.") from None
    found, search_found = answer.data.get("repository"), answer.data.get("search") or {}
    if not found:
        reason = next((str(error.get("message", "")) for error in answer.errors), "it does not say why")
        raise Unavailable(f"{repo}: {reason}", "Check the name, and that the token may read the repository.")
    count = int(search_found.get("issueCount") or 0) if since else int(found["pullRequests"]["totalCount"])
    stored, size = 0, _FIRST_SIZE
    if path.exists():
        with closing(Store(path)) as store:
            stored = sum(1 for _ in store.versions(low=since, check_runs=check_runs))
            size = int(store.get("page_size") or size)
    requests = math.ceil(max(0, count - stored) / size) + 1
    points = requests * page_points(size, check_runs=check_runs)
    limit = answer.data.get("rateLimit") or {}
    remaining, most = limit.get("remaining"), limit.get("limit")
    waits = math.ceil(max(0, points - remaining) / most) if remaining is not None and most else 0
    return Estimate(
        repo=repo,
        pull_requests=count,
        stored=min(stored, count),
        requests=requests,
        points=points,
        remaining=remaining,
        limit=most,
        seconds=math.ceil(requests * SECONDS_A_REQUEST) + waits * _HOUR,
    )

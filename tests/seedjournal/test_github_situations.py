"""What GitHub's answers look like in trouble, through the real commands: what `record` says, and what tables hold then.

Each situation is recorded and projected while it lasts, and again when it is over.
"""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from graphql import GraphQLError

from seedjournal.simulators.engineering.github import store
from seedjournal.simulators.engineering.github.api import Clock
from tests.seedjournal.commands import Done
from tests.simulators.github.hub import Asked, Hub, Reply, Serving, check
from tests.simulators.github.world import SECRET, hub_of

Run = Callable[..., Done]
Arrange = Callable[[Hub], Callable[[], object] | None]

OTHER = "ghp_ZYXWVUTSRQPONMLKJIHGFEDCBA9876543210"
RECORD = ("record", "--project", "thing", "--new", "--source", "github", "--set", "repos=example/thing")
PULLS = 45
CHECK = Path(__file__).parents[3] / "shared" / "cases" / "github" / "check.py"
ASKS_AGAIN = r"#4 \(.*record again"
LIMIT = {"message": "API rate limit exceeded for user ID 1."}


def error(kind: str | None = "SERVICE_UNAVAILABLE", words: str = "Trouble") -> GraphQLError:
    """Return an error for a field to raise; what may not be null around it becomes null, as GraphQL says."""
    return GraphQLError(words, extensions={"type": kind})


def put(hub: Hub, number: int, place: str, value: Any) -> Callable[[], object]:
    """Put a value into a pull request's node, at a path with dots; return what takes it out again."""
    *steps, last = (int(step) if step.isdigit() else step for step in place.split("."))
    inside: Any = hub.pulls[number]
    for step in steps:
        inside = inside[step]
    before = inside[last]
    inside[last] = value
    return lambda: inside.__setitem__(last, before)


def spoiling(*places: str, kind: str = "SERVICE_UNAVAILABLE") -> Arrange:
    """Make fields of #4 errors."""

    def arrange(hub: Hub) -> Callable[[], object]:
        undo = [put(hub, 4, place, error(kind)) for place in places]
        return lambda: [one() for one in undo]

    return arrange


def holding(*places: tuple[str, Any]) -> Arrange:
    """Make fields of #4 something else, for good."""

    def arrange(hub: Hub) -> None:
        for place, value in places:
            put(hub, 4, place, value)

    return arrange


def replying(answer: Callable[[Hub, Asked], Reply | None]) -> Arrange:
    """Answer some requests otherwise, for good."""

    def arrange(hub: Hub) -> None:
        hub.faults.append(lambda asked: answer(hub, asked))

    return arrange


def second(reply: Reply) -> Arrange:
    return replying(lambda _, asked: reply if asked.place == 1 else None)


def leaving_out(hub: Hub) -> Callable[[], object]:
    """Count #4, and list it nowhere."""
    whole = hub.page

    def page(first: int | None, after: str | None, last: int | None, before: str | None) -> dict[str, Any]:
        found = whole(first, after, last, before)
        return {**found, "edges": [edge for edge in found["edges"] if edge["node"].number != 4]}

    hub.page = page  # type: ignore[method-assign]
    return lambda: setattr(hub, "page", whole)


def forbidding_checks(hub: Hub) -> Callable[[], object]:
    hub.forbids_checks = True
    return lambda: setattr(hub, "forbids_checks", False)


def never_serving(hub: Hub) -> Callable[[], object]:
    """Answer nothing that holds a field of #4, but its id, number and time."""
    raised = False

    def resolve(name: str, node: dict[str, Any]) -> None:
        nonlocal raised
        raised = raised or (node["number"] == 4 and name not in {"id", "number", "updatedAt"})

    whole = hub.answer

    def answer(asked: Asked, query: str) -> dict[str, Any]:
        nonlocal raised
        raised = False
        document = whole(asked, query)
        words = "Something went wrong while executing your query. This may be the result of a timeout."
        return {"data": None, "errors": [{"message": words}]} if raised else document

    hub.resolved, hub.answer = resolve, answer  # type: ignore[method-assign]
    return lambda: setattr(hub, "answer", whole)


def without_ids(link: str) -> Arrange:
    """Give check runs no number but what their addresses hold."""

    def arrange(hub: Hub) -> None:
        for number, node in hub.pulls.items():
            for job, one in enumerate(node["checks"]):
                one |= {"databaseId": None, "permalink": link.format(number=number, job=number * 10 + job)}

    return arrange


def limited(status: int, body: Any, headers: dict[str, str]) -> Arrange:
    """Refuse the first token from its second request on; the reset is four seconds later."""

    def answer(hub: Hub, asked: Asked) -> Reply | None:
        if asked.token != SECRET or asked.place < 1 or hub.now > begun[0] + timedelta(seconds=4):
            return None
        reset = str(int((begun[0] + timedelta(seconds=4)).timestamp()))
        return Reply(status=status, body=body, headers={name: one.format(reset=reset) for name, one in headers.items()})

    begun: list[Any] = []

    def arrange(hub: Hub) -> None:
        begun[:] = [hub.now]
        hub.faults.append(lambda asked: answer(hub, asked))

    return arrange


@dataclass(frozen=True, slots=True)
class Situation:
    """What is arranged, what the first record says, and what the tables hold after the second."""

    arrange: Arrange
    says: str = ""
    tables: tuple[tuple[str, Any], ...] = ()
    tokens: str = SECRET


AUTHOR_OF_4 = (
    "select login from team_members join pull_requests p on p.author_id = team_members.id where number = 4",
    "dev-1",
)
OF_4 = "m.id where pull_request_id = (select id from pull_requests where number = 4)"
REVIEWER_OF_4 = (f"select login from team_members m join pr_reviews on reviewer_id = {OF_4}", "dev-2")
COMMITTER_OF_4 = (f"select login from team_members m join commits c on c.author_id = {OF_4}", "dev-1")
REMAINING = {"x-ratelimit-remaining": "37", "x-ratelimit-reset": "{reset}"}
USED_UP = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "{reset}"}
BOTH = f"{SECRET},{OTHER}"

SITUATIONS = {
    "nullauthor": Situation(
        spoiling("author", "milestone"),
        ASKS_AGAIN,
        (AUTHOR_OF_4, ("select milestone_title from pull_requests where number = 4", "v1")),
    ),
    "labelerr": Situation(
        spoiling("reviews.0.author", "commits.0.commit.author.user", kind="INTERNAL"),
        ASKS_AGAIN,
        (REVIEWER_OF_4, COMMITTER_OF_4),
    ),
    "additions": Situation(spoiling("commits.0.commit.additions"), ASKS_AGAIN, (COMMITTER_OF_4,)),
    "nullpr": Situation(spoiling("changedFiles"), ASKS_AGAIN, (AUTHOR_OF_4,)),
    "omit": Situation(
        leaving_out, "44 pull requests, GitHub counts 45; the rest could not be fetched: record again to ask for them"
    ),
    "rights-later": Situation(forbidding_checks, r"failed: check_runs of 45 .* lacks a right \(FORBIDDEN\)"),
    "bad502pr": Situation(never_serving, ASKS_AGAIN, (AUTHOR_OF_4,)),
    "label": Situation(spoiling("labels.0.name"), ASKS_AGAIN),
    "file": Situation(spoiling("files.0.additions"), "partial: files of 1 pull request .*record again"),
    "check": Situation(spoiling("checks.0.name"), "partial: check_runs of 1 pull request .*record again"),
    "p403plain": Situation(limited(403, LIMIT, REMAINING), tokens=BOTH),
    "p403plain, one token": Situation(limited(403, LIMIT, REMAINING)),
    "p403 without headers": Situation(limited(403, LIMIT, {})),
    "p429 without headers": Situation(limited(429, LIMIT, {}), tokens=BOTH),
    "ratelimit": Situation(limited(200, {"errors": [{"type": "RATE_LIMIT", **LIMIT}]}, USED_UP), tokens=BOTH),
    "ratelimit, one token": Situation(
        limited(200, {"data": None, "errors": [{"type": "RATE_LIMIT", **LIMIT}]}, USED_UP)
    ),
    "rate limit in words only": Situation(limited(200, {"errors": [LIMIT]}, {}), tokens=BOTH),
    "secondary, by date": Situation(
        limited(
            403,
            {"message": "You have exceeded a secondary rate limit."},
            {"Retry-After": "Tue, 01 Jul 2025 00:00:06 GMT"},
        )
    ),
    "internal": Situation(
        second(
            Reply(
                body={
                    "data": {"repository": None},
                    "errors": [{"type": "INTERNAL", "message": "-", "path": ["repository"]}],
                }
            )
        )
    ),
    "once401": Situation(second(Reply(status=401, body={"message": "Bad credentials"}))),
    "once404": Situation(second(Reply(status=404, body={"message": "Not Found"}))),
    "svcunavail": Situation(
        second(Reply(body={"data": None, "errors": [{"type": "SERVICE_UNAVAILABLE", "message": "Try later"}]}))
    ),
    "checktime": Situation(
        holding(("checks.0.startedAt", "2018-11-05T20:56:12Z"), ("checks.0.completedAt", "2018-10-11T05:12:45Z")),
        "1 impossible time became null",
        (("select count(*) from pr_check_runs where duration_seconds is null", 1),),
    ),
    "imported": Situation(
        holding(
            ("reviews.0.submittedAt", "2023-12-01T00:00:00Z"),
            ("reviews.0.author", {"__typename": "Mannequin", "login": "dev-1-old", "databaseId": 8}),
        ),
        "a review before the pull request's creation",
        (
            ("select first_review_at from pull_requests where number = 4", None),
            ("select submitted_at from pr_reviews where github_review_id = 4001", None),
            (REVIEWER_OF_4[0], "dev-1-old"),
        ),
    ),
    "null-genuine": Situation(
        holding(("author", None), ("reviews.0.author", None), ("commits.0.commit.author", None)),
        tables=(("select author_id from pull_requests where number = 4", None),),
    ),
    "noid": Situation(
        without_ids("https://h.invalid/o/r/actions/runs/{number}/job/{job}"),
        tables=(("select min(github_check_run_id) || '-' || max(github_check_run_id) from pr_check_runs", "10-451"),),
    ),
    "noid2": Situation(without_ids("https://h.invalid/o/r/pull/{number}/checks")),
    "surrogate": Situation(
        replying(lambda hub, asked: None),
        tables=(("select title from pull_requests where number = 4", "Half \ufffd"),),
    ),
}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """A server, its own time, which waiting moves, and a cache of its own."""
    made = hub_of(PULLS)
    for number, node in made.pulls.items():
        node |= {
            "milestone": {"title": "v1"},
            "labels": [{"name": "bug"}],
            "checks": [check(number * 10, "build"), check(number * 10 + 1, "test")],
        }
    serving = Serving(made)
    monkeypatch.setattr(Clock, "now", lambda _: made.now)
    monkeypatch.setattr(Clock, "sleep", lambda _, seconds: setattr(made, "now", made.now + timedelta(seconds=seconds)))
    monkeypatch.setattr(store, "DURABILITY", "OFF")
    monkeypatch.setenv("SEEDJOURNAL_GITHUB_API", serving.address)
    monkeypatch.setenv("SEEDJOURNAL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))  # no gh
    yield made
    serving.close()


@pytest.mark.slow
@pytest.mark.parametrize("name", SITUATIONS)
def test_a_situation(name: str, hub: Hub, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    situation = SITUATIONS[name]
    monkeypatch.setenv("SEEDJOURNAL_GITHUB_TOKENS", situation.tokens)
    if name == "surrogate":
        halve_a_title(hub)
    begun = hub.now
    over = situation.arrange(hub)
    said = " ".join(run(*RECORD).out.split())
    slowest = timedelta(seconds=40)
    if name == "p403 without headers":
        slowest = timedelta(seconds=3605)  # the reset of which an earlier answer told
    assert hub.now - begun <= slowest
    if situation.says:
        assert re.search(situation.says, said), said
    else:
        assert not re.search("impossible|failed|partial|left out", said), said
    run("project")
    if over is not None:
        over()
    asked = len(hub.asked)
    again = run(*RECORD, "--json").first
    if over is None:
        assert again["appended"] == 0
        assert len(hub.asked) - asked <= len(situation.tokens.split(","))
    assert again["completeness"]["example/thing"]["left_out"] == []
    assert again["completeness"]["example/thing"]["incomplete"] == []
    run("project")
    database = sqlite3.connect(tmp_path / "seedjournal.db")
    counts = {
        "pull_requests": PULLS,
        "pr_reviews": PULLS,
        "commits": PULLS,
        "pr_files": PULLS,
        "pr_check_runs": 2 * PULLS,
    }
    assert {table: database.execute(f"select count(*) from {table}").fetchone()[0] for table in counts} == counts
    for query, value in situation.tables:
        assert database.execute(query).fetchall() == [(value,)], query
    database.close()
    if CHECK.is_file():
        found = subprocess.run(
            [sys.executable, CHECK, tmp_path / "seedjournal.db"], capture_output=True, text=True, check=False
        )
        assert found.stdout.strip() == "right"


def halve_a_title(hub: Hub) -> None:
    """End a title with half a surrogate pair, which JSON writes as an escape."""
    hub.pulls[4]["title"] = "Half \ud83d"


@pytest.mark.parametrize("cursor", [None, "the same"])
def test_pages_that_do_not_end(cursor: str | None, hub: Hub, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEEDJOURNAL_GITHUB_TOKENS", SECRET)
    whole = hub.page

    def page(first: int | None, after: str | None, last: int | None, before: str | None) -> dict[str, Any]:
        found = whole(first, after, last, before)
        if cursor and found["edges"]:
            return {**found, "pageInfo": {**found["pageInfo"], "hasNextPage": True}}
        return {**found, "pageInfo": {**found["pageInfo"], "hasNextPage": True, "endCursor": cursor and after}}

    hub.page = page  # type: ignore[method-assign]
    done = run(*RECORD, status=3)
    assert "example/thing: the server's pages of pull requests do not end" in done.err
    assert len(hub.asked) < 10
    hub.page = whole  # type: ignore[method-assign]
    assert run(*RECORD, "--json").first["kinds"]["pull_request"]["total"] == PULLS


def test_pages_of_a_connection_that_do_not_end(hub: Hub, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEEDJOURNAL_GITHUB_TOKENS", SECRET)
    hub.endless = "reviews"
    done = run(*RECORD, status=3)
    assert "the server's pages of reviews of pull request 1 do not end" in done.err
    hub.endless = ""
    assert run(*RECORD, "--json").first["kinds"]["pr_review"]["total"] == PULLS


def test_a_wrong_address_is_told_at_once(hub: Hub, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEEDJOURNAL_GITHUB_TOKENS", SECRET)
    hub.faults.append(lambda _: Reply(status=404, body={"message": "Not Found"}))
    begun = hub.now
    done = run(*RECORD, status=3)
    assert "SEEDJOURNAL_GITHUB_API" in done.err
    assert (len(hub.asked), hub.now) == (1, begun)


def test_a_token_that_may_not_see_the_repository_stops_no_other(
    hub: Hub, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEEDJOURNAL_GITHUB_TOKENS", BOTH)
    begun = hub.now
    hidden = {"type": "NOT_FOUND", "path": ["repository"], "message": "Could not resolve to a Repository"}

    def answer(asked: Asked) -> Reply | None:
        if asked.token == OTHER:
            return Reply(body={"data": {"repository": None}, "errors": [hidden]})
        if asked.place and hub.now < begun + timedelta(hours=1):
            reset = str(int((begun + timedelta(hours=1)).timestamp()))
            headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": reset}
            return Reply(status=403, body=LIMIT, headers=headers)
        return None

    hub.faults.append(answer)
    run(*RECORD)
    assert timedelta(hours=1) <= hub.now - begun <= timedelta(minutes=61)
    assert sum(asked.token == OTHER for asked in hub.asked) == 1


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--policy", "github=upsert"), ("--fresh",)])
def test_an_account_that_is_renamed_between_two_fetches_is_one_member(
    options: tuple[str, ...], hub: Hub, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SEEDJOURNAL_GITHUB_TOKENS", SECRET)
    run(*RECORD)
    run("project")
    hub.now += timedelta(days=1)
    for number in (3, 4):
        author = {**hub.pulls[number]["author"], "login": "dev-new"}
        hub.touch(number, hub.now, author=author)
    said = " ".join(run(*RECORD, *options).out.split())
    assert "One account under several logins is one member, shown with the newest: dev-1 and dev-new (1)." in said
    run("project")
    database = sqlite3.connect(tmp_path / "seedjournal.db")
    assert database.execute("select count(*), github_login from team_members where github_id = 1").fetchall() == [
        (1, "dev-new" if options else "dev-1")
    ]
    assert database.execute("select sum(prs_merged) from weekly_metrics").fetchone() == (PULLS,)
    database.close()

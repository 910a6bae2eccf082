"""Limits, trouble on the line, and tokens: what is waited for, what is given up, and what nobody sees."""

from __future__ import annotations

import sqlite3
import traceback
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from seedjournal.journal import Misuse, Unavailable
from seedjournal.simulators.engineering.github import api as api_module
from seedjournal.simulators.engineering.github.api import Api
from seedjournal.simulators.engineering.github.server import Server
from seedjournal.simulators.engineering.github.tokens import Budget, Pool, Token, find_tokens
from tests.simulators.github.hub import Asked, Hub, Reply, Serving
from tests.simulators.github.world import REPO, SECRET, Client, client_of, fact, hub_of

Fetching = Callable[..., Client]
OTHER = "ghp_ZYXWVUTSRQPONMLKJIHGFEDCBA9876543210"


@pytest.fixture
def fetching(tmp_path: Path) -> Iterator[Fetching]:
    """A function from a hub and tokens to a client of it."""
    with ExitStack() as stack:
        yield lambda hub, *secrets: stack.enter_context(client_of(hub, tmp_path / "store.db", *secrets))


def all_facts(count: int) -> dict[int, object]:
    return {number: fact(number) for number in range(1, count + 1)}


def once(place: int, reply: Reply) -> Callable[[Asked], Reply | None]:
    return lambda asked: reply if asked.place == place else None


# The primary limit.


def test_a_used_up_token_waits_for_its_reset_and_says_so(fetching: Fetching) -> None:
    hub = hub_of(60)
    hub.limit = 4
    client = fetching(hub)
    client.fetch()
    assert client.facts() == all_facts(60)
    assert 3600 <= sum(client.clock.slept) <= 3700
    waits = [note for *_, note in client.told if "limit resets" in note]
    assert (waits[0], waits[-1]) == ("limit resets in 60 min", "limit resets in 1 s")


def test_another_token_takes_over_where_one_is_used_up(fetching: Fetching) -> None:
    hub = hub_of(60)
    hub.limit = 4
    client = fetching(hub, SECRET, OTHER)
    client.fetch()
    assert client.facts() == all_facts(60)
    assert client.clock.slept == []
    tokens = [asked.token for asked in hub.asked]
    assert tokens == sorted(tokens, key=[SECRET, OTHER].index)  # one after the other, each retry signed anew
    assert set(tokens) == {SECRET, OTHER}


@pytest.mark.parametrize("status", [403, 429])
def test_a_refusal_with_nothing_remaining_is_the_primary_limit(status: int, fetching: Fetching) -> None:
    hub = hub_of(30)
    reset = int(hub.now.timestamp()) + 600
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(reset), "x-ratelimit-resource": "graphql"}
    hub.faults.append(once(1, Reply(status=status, headers=headers, body={"message": "API rate limit exceeded"})))
    client = fetching(hub)
    client.fetch()
    assert client.facts() == all_facts(30)
    assert 600 <= sum(client.clock.slept) <= 605


def test_a_reset_that_is_long_past_is_no_busy_loop(fetching: Fetching) -> None:
    hub = hub_of(3)
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1"}
    hub.faults.append(once(0, Reply(status=429, headers=headers, body={})))
    client = fetching(hub)
    assert client.fetch() == 2
    assert sum(client.clock.slept) >= 60


def test_budgets_of_rest_and_graphql_are_apart(fetching: Fetching) -> None:
    hub = hub_of(30)
    reset = int(hub.now.timestamp()) + 600
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(reset), "x-ratelimit-resource": "core"}
    hub.headers = headers
    client = fetching(hub)
    client.fetch()
    assert client.clock.slept == []
    assert client.facts() == all_facts(30)


def test_a_server_without_limits_is_asked_without_waiting(fetching: Fetching) -> None:
    hub = hub_of(60)
    hub.limited = False
    client = fetching(hub)
    client.fetch()
    assert client.facts() == all_facts(60)
    assert client.told[-1][3] == ""


_EXCEEDED = {"message": "API rate limit exceeded for user ID 7."}
_USED_UP_FORMS = [
    Reply(status=403, body=_EXCEEDED),
    Reply(status=403, body=_EXCEEDED, headers={"x-ratelimit-remaining": "37"}),
    Reply(status=403, body=_EXCEEDED, headers={"x-ratelimit-remaining": "?", "x-ratelimit-reset": "soon"}),
    Reply(status=403, body=_EXCEEDED, headers={"Retry-After": "5", "x-ratelimit-remaining": "0"}),
    Reply(status=403, body=b"", headers={"x-ratelimit-remaining": "0"}),
    Reply(status=429, body=_EXCEEDED),
    Reply(body={"errors": [{"type": "RATE_LIMITED", "message": "-"}]}),
    Reply(body={"errors": [{"type": "RATE_LIMIT", "code": "graphql_rate_limit", "message": "-"}]}),
    Reply(body={"data": {"repository": None}, "errors": [{"message": "API rate limit already exceeded for user"}]}),
]


@pytest.mark.parametrize("form", _USED_UP_FORMS)
def test_every_form_of_the_primary_limit_is_the_next_tokens_turn(form: Reply, fetching: Fetching) -> None:
    hub = hub_of(45)
    hub.faults.append(lambda asked: form if asked.token == SECRET and asked.place else None)
    client = fetching(hub, SECRET, OTHER)
    client.fetch()
    assert client.facts() == all_facts(45)
    assert client.clock.slept == []
    assert [asked.token for asked in hub.asked] == [SECRET, SECRET, OTHER, OTHER]


@pytest.mark.parametrize("form", _USED_UP_FORMS[::4])
def test_the_primary_limit_is_waited_for_without_another_token(form: Reply, fetching: Fetching) -> None:
    hub = hub_of(45)
    hub.faults.append(once(1, form))
    client = fetching(hub)
    client.fetch()
    assert client.facts() == all_facts(45)
    assert 3600 <= sum(client.clock.slept) <= 3602  # an answer before it told the reset


def test_a_reset_is_told_by_the_servers_own_clock(fetching: Fetching) -> None:
    hub = hub_of(45)
    headers = {"Date": "Tue, 01 Jan 2030 00:00:00 GMT", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "1893456004"}
    hub.faults.append(once(1, Reply(status=403, body=_EXCEEDED, headers=headers)))
    client = fetching(hub)
    client.fetch()
    assert 4 <= sum(client.clock.slept) <= 6


def test_a_limit_without_end_is_given_up(fetching: Fetching) -> None:
    hub = hub_of(3)
    hub.faults.append(lambda asked: Reply(status=403, body=_EXCEEDED))
    client = fetching(hub)
    with pytest.raises(Unavailable, match="still limits requests"):
        client.fetch()


# The secondary limit.


@pytest.mark.parametrize(("status", "after"), [(200, "37"), (403, "Tue, 01 Jul 2025 00:00:37 GMT"), (429, "37")])
def test_the_secondary_limit_is_waited_for_as_told(status: int, after: str, fetching: Fetching) -> None:
    hub = hub_of(30)
    words = {"errors": [{"message": "You have exceeded a secondary rate limit."}]}
    body = words if status == 200 else {"message": "You have exceeded a secondary rate limit."}
    hub.faults.append(once(1, Reply(status=status, headers={"Retry-After": after}, body=body)))
    client = fetching(hub)
    client.fetch()
    assert client.facts() == all_facts(30)
    assert 37 <= sum(client.clock.slept) <= 38
    assert any("secondary limit" in note for *_, note in client.told)


def test_without_a_word_how_long_the_pauses_grow(fetching: Fetching) -> None:
    hub = hub_of(3)
    limit = Reply(status=403, body={"message": "You have triggered an abuse detection mechanism."})
    hub.faults.append(lambda asked: limit if asked.place < 3 else None)
    client = fetching(hub)
    client.fetch()
    assert sum(client.clock.slept) == pytest.approx((60 + 120 + 240) * 1.25)


def test_a_secondary_limit_without_end_is_given_up(fetching: Fetching) -> None:
    hub = hub_of(3)
    hub.faults.append(lambda asked: Reply(status=429, headers={"Retry-After": "5"}, body={}))
    client = fetching(hub)
    with pytest.raises(Unavailable, match="limits requests"):
        client.fetch()


# Trouble.


@pytest.mark.parametrize(
    "trouble",
    [
        Reply(body=b'{"data": {"repository"', cut=None),
        Reply(body=b'{"data": {"repository": {}}}', cut=9),
        Reply(body=b"", cut=0),
        Reply(body=b"null"),
        Reply(body=b"[]"),
        Reply(body={"data": None}),
        Reply(body={"errors": "?"}),
        Reply(body=b"\xff\xfe"),
        Reply(status=500, body=b"oops"),
        Reply(status=503, body={"message": "No server is currently available"}),
        Reply(status=401, body={"message": "Bad credentials"}),
        Reply(status=404, body={"message": "Not Found"}),
        Reply(body={"data": None, "errors": [{"type": "SERVICE_UNAVAILABLE", "message": "-"}]}),
        Reply(body={"data": {"repository": None}, "errors": [{"type": "INTERNAL", "message": "-"}]}),
        Reply(body={"data": {"repository": None}, "errors": [{"type": "NOT_FOUND", "message": "-"}]}),
        Reply(body={"data": {"repository": {"id": "R_1", "pullRequests": None}}, "errors": [{"message": "-"}]}),
        Reply(body={"data": {"repository": {"id": "R_1", "pullRequests": {"edges": None}}}}),
        Reply(body={"errors": [{"message": "Something went wrong while executing your query on 2025-07-01."}]}),
    ],
)
def test_what_a_second_try_mends_is_tried_again(trouble: Reply, fetching: Fetching) -> None:
    hub = hub_of(30)
    hub.faults.append(once(1, trouble))
    client = fetching(hub)
    client.fetch()
    assert client.facts() == all_facts(30)
    assert 0 < sum(client.clock.slept) < 10


@pytest.mark.parametrize("trouble", [Reply(body=b"null"), Reply(body=b"{}", cut=1), Reply(status=500, body=b"")])
def test_what_no_try_mends_is_given_up_and_the_rest_is_kept(trouble: Reply, fetching: Fetching) -> None:
    hub = hub_of(60)
    hub.faults.append(lambda asked: trouble if asked.place > 1 else None)
    client = fetching(hub)
    with pytest.raises(Unavailable, match="does not answer") as stopped:
        client.fetch()
    assert "the same command goes on from there" in stopped.value.hint
    hub.faults.clear()
    before = len(hub.asked)
    client.fetch()
    assert hub.asked[before].variables["after"]
    assert client.facts() == all_facts(60)


def test_a_server_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    hub = Hub()
    serving = Serving(hub)
    client = Client(hub, serving.address, tmp_path / "store.db")
    serving.close()
    with pytest.raises(Unavailable, match="does not answer: ConnectError"):
        client.fetch()
    client.close()


def test_a_slow_answer_is_asked_for_in_smaller_pages(fetching: Fetching, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_module, "_SECONDS_BETWEEN_BYTES", 0.1)
    hub = hub_of(30)
    hub.faults.append(once(0, Reply(body={}, seconds=0.4)))
    client = fetching(hub)
    client.fetch()
    assert [asked.variables["first"] for asked in hub.asked[:2]] == [20, 10]
    assert client.facts() == all_facts(30)


def test_an_answer_has_a_bound(fetching: Fetching, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_module, "LARGEST", 20_000)
    hub = hub_of(30)
    client = fetching(hub)
    client.fetch()
    assert [asked.variables["first"] for asked in hub.asked[:3]] == [20, 10, 10]
    assert client.facts() == all_facts(30)


def test_a_refused_query_is_told_in_the_servers_words(fetching: Fetching) -> None:
    hub = hub_of(3)
    hub.faults.append(lambda asked: Reply(body={"errors": [{"message": "Field 'x' doesn't exist on type 'Y'"}]}))
    client = fetching(hub)
    with pytest.raises(Unavailable, match="Field 'x' doesn't exist"):
        client.fetch()


@pytest.mark.parametrize("status", [404, 405, 410])
def test_a_wrong_address_is_told_at_once(status: int, fetching: Fetching) -> None:
    hub = hub_of(3)
    hub.faults.append(lambda asked: Reply(status=status, body=b"<html>"))
    client = fetching(hub)
    with pytest.raises(Unavailable, match=f"not the address of GitHub's API: HTTP {status}") as refused:
        client.fetch()
    assert "Set SEEDJOURNAL_GITHUB_API to" in refused.value.hint
    assert (len(hub.asked), client.clock.slept) == (1, [])


def test_trouble_blames_no_token_and_no_old_server(fetching: Fetching) -> None:
    hub = hub_of(3)
    body = {"data": None, "errors": [{"type": "INTERNAL", "message": "It is ours"}]}
    hub.faults.append(lambda asked: Reply(body=body))
    client = fetching(hub)
    with pytest.raises(Unavailable, match="It is ours") as stopped:
        client.fetch()
    assert not any(word in stopped.value.hint for word in ("right", "old", "token"))


def test_one_stray_refusal_discards_no_token(fetching: Fetching) -> None:
    hub = hub_of(45)
    hub.faults.append(once(1, Reply(status=401, body={"message": "Bad credentials"})))
    client = fetching(hub, SECRET, OTHER)
    client.fetch()
    assert client.facts() == all_facts(45)
    assert len(client.pool) == 2
    assert client.clock.slept == []


def test_a_token_without_rights_is_told(fetching: Fetching) -> None:
    hub = hub_of(3)
    words = "Resource not accessible by personal access token"
    hub.faults.append(lambda asked: Reply(status=403, body={"message": words}))
    client = fetching(hub)
    with pytest.raises(Unavailable, match=words) as refused:
        client.fetch()
    assert "the token from place 1" in refused.value.hint


# Tokens.


def test_an_expired_token_makes_room_for_the_next(fetching: Fetching) -> None:
    hub = hub_of(60)
    hub.faults.append(lambda asked: hub.refused_tokens.add(SECRET) if asked.place == 1 else None)
    client = fetching(hub, SECRET, OTHER)
    client.fetch()
    assert client.facts() == all_facts(60)
    assert hub.asked[-1].token == OTHER


def test_where_the_last_token_expires_the_fetch_stops_and_goes_on_later(fetching: Fetching) -> None:
    hub = hub_of(60)
    hub.faults.append(lambda asked: hub.refused_tokens.add(SECRET) if asked.place == 1 else None)
    client = fetching(hub)
    with pytest.raises(Unavailable, match="refuses the token from place 1: Bad credentials"):
        client.fetch()
    hub.refused_tokens.clear()
    hub.faults.clear()
    client.api.pool = Pool([Token(OTHER, "place 2")])
    before = len(hub.asked)
    client.fetch()
    assert hub.asked[before].variables["after"]
    assert client.facts() == all_facts(60)


def test_no_token_is_sent_to_another_server(fetching: Fetching) -> None:
    elsewhere = Serving(Hub())
    hub = hub_of(3)
    hub.faults.append(lambda asked: Reply(status=307, headers={"Location": f"{elsewhere.address}/graphql"}, body={}))
    client = fetching(hub)
    with pytest.raises(Unavailable, match=r"redirects to 127\.0\.0\.1"):
        client.fetch()
    assert elsewhere.hub.asked == []
    elsewhere.close()


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_on_the_same_server_is_followed(status: int, fetching: Fetching) -> None:
    hub = hub_of(3)
    hub.faults.append(once(0, Reply(status=status, headers={"Location": "/graphql/new"}, body={})))
    client = fetching(hub)
    client.fetch()
    assert client.facts() == all_facts(3)


def test_redirects_in_circles_end(fetching: Fetching) -> None:
    hub = hub_of(3)
    hub.faults.append(lambda asked: Reply(status=302, headers={"Location": "/graphql"}, body={}))
    client = fetching(hub)
    with pytest.raises(Unavailable, match="in circles"):
        client.fetch()


def test_a_token_is_nowhere(fetching: Fetching, tmp_path: Path) -> None:
    hub = hub_of(30)
    hub.pulls[2]["title"] = f"leaked {SECRET}"
    hub.faults.append(once(1, Reply(status=500, body={"message": f"you sent Bearer {SECRET}"})))
    client = fetching(hub)
    client.fetch()
    hub.faults.append(lambda asked: Reply(status=401, body={"message": f"you sent Bearer {SECRET}"}))
    with pytest.raises(Unavailable) as refused:
        client.fetch()
    shown = "".join(traceback.format_exception(refused.value)) + str(refused.value) + refused.value.hint
    shown += repr(client.pool) + repr(client.api) + repr(Token(SECRET, "here")) + str(client.told)
    assert SECRET not in shown
    client.close()
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert SECRET.encode() not in stored
    for query, variables, response in sqlite3.connect(client.store.path).execute(
        "SELECT text, variables, response FROM pages JOIN queries ON queries.id = pages.query"
    ):
        assert SECRET not in query + variables + zlib.decompress(response).decode()
    assert client.source().digest()


def test_where_tokens_come_from() -> None:
    several = {"SEEDJOURNAL_GITHUB_TOKENS": "a1, b2,,a1", "GITHUB_TOKEN": "c3"}
    assert [token.signature() for token in find_tokens(several)] == ["Bearer a1", "Bearer b2"]
    assert [token.origin for token in find_tokens(several)] == [
        "SEEDJOURNAL_GITHUB_TOKENS, number 1",
        "SEEDJOURNAL_GITHUB_TOKENS, number 2",
    ]
    assert [one.signature() for one in find_tokens({"GITHUB_SEEDING_TOKENS": "d4", "GITHUB_TOKEN": "c3"})] == [
        "Bearer d4"
    ]
    assert [one.signature() for one in find_tokens({"GITHUB_TOKEN": "c3"}, lambda: "e5")] == ["Bearer c3"]
    assert [one.signature() for one in find_tokens({}, lambda: "e5\n")] == ["Bearer e5"]
    assert find_tokens({"GITHUB_TOKEN": ""}, lambda: "") == []
    assert find_tokens({}) == []


@pytest.mark.parametrize("value", ["a b", "a\nb", "tökn", "a\x00b"])
def test_what_is_no_token_is_refused_unshown(value: str) -> None:
    with pytest.raises(Misuse) as refused:
        find_tokens({"GITHUB_TOKEN": value})
    assert value not in refused.value.message + refused.value.hint


def test_a_pool_keeps_budgets_by_token_and_resource() -> None:
    hub = Hub()
    first, second = Token("a", "1"), Token("b", "2")
    pool = Pool([first, second])
    pool.note(first, "core", Budget(0, hub.now + timedelta(hours=1)))
    assert pool.turn("graphql", hub.now) is first
    pool.note(first, "graphql", Budget(0, hub.now + timedelta(hours=1)))
    assert pool.turn("graphql", hub.now) is second
    pool.note(second, "graphql", Budget(0, hub.now + timedelta(minutes=5)))
    assert pool.turn("graphql", hub.now) is None
    assert pool.next_reset("graphql") == hub.now + timedelta(minutes=5)
    assert pool.turn("graphql", hub.now + timedelta(minutes=6)) is second
    assert pool.turn("graphql", hub.now + timedelta(hours=2)) is second  # no change without need


# Servers.


@pytest.mark.parametrize(
    ("address", "graphql", "host", "folder"),
    [
        ("", "https://api.github.com/graphql", "github.com", "api.github.com"),
        ("https://api.github.com/", "https://api.github.com/graphql", "github.com", "api.github.com"),
        ("https://git.example.com/api", "https://git.example.com/api/graphql", "git.example.com", "git.example.com-api"),
        ("https://git.example.com/api/v3/", "https://git.example.com/api/graphql", "git.example.com", "git.example.com-api"),
        ("https://h.example.com:8443/api", "https://h.example.com:8443/api/graphql", "h.example.com", "h.example.com-8443-api"),
        ("http://localhost:9/x", "http://localhost:9/x/graphql", "localhost", "localhost-9-x"),
    ],
)  # fmt: skip
def test_servers(address: str, graphql: str, host: str, folder: str) -> None:
    assert Server.at(address) == Server(graphql=graphql, host=host, folder=folder)


@pytest.mark.parametrize(
    "address",
    ["git.example.com", "http://git.example.com/api", "https://me:pw@git.example.com", "ftp://h/x", "https://h:x/", "https://h/api?x=1"],
)  # fmt: skip
def test_addresses_that_no_token_goes_to(address: str) -> None:
    with pytest.raises(Misuse) as refused:
        Server.at(address)
    assert "pw" not in refused.value.message + refused.value.hint


def test_certificates_are_verified() -> None:
    api = Api(Server.at(), Pool([Token(SECRET, "here")]))
    import ssl

    context = api._client._transport._pool._ssl_context
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
    api.close()


def test_a_repository_has_a_place_of_its_own_on_each_server() -> None:
    from seedjournal.simulators.engineering.github import place

    there = place(Server.at("https://git.example.com/api"), REPO)
    assert there.parts[-3:] == ("git.example.com-api", "example", "thing.db")
    assert there != place(Server.at(), REPO)

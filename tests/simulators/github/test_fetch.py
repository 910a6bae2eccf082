"""Fetching against a server that executes the queries: everything comes, once, and what does not come is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from time import sleep

import pytest

from seedjournal.journal import Unavailable
from seedjournal.simulators.engineering.facts import Person
from seedjournal.simulators.engineering.github import Store
from tests.simulators.github.hub import Asked, Hub, Reply, check, pull
from tests.simulators.github.world import REPO, START, Client, client_of, fact, hub_of, large

Fetching = Callable[..., Client]


@pytest.fixture
def fetching(tmp_path: Path) -> Iterator[Fetching]:
    """A function from a hub to a client of it, with a store of its own."""
    with ExitStack() as stack:
        made = iter(range(100))
        yield lambda hub, **options: stack.enter_context(client_of(hub, tmp_path / f"{next(made)}.db", **options))


def timed_out(asked: Asked) -> Reply:
    return Reply(status=502, body={"message": "Server Error"})


def test_facts_are_those_that_the_server_has(fetching: Fetching) -> None:
    client = fetching(hub_of(45))
    client.fetch()
    assert client.facts() == {number: fact(number) for number in range(1, 46)}
    assert client.source().completeness()[REPO]["pull_requests"] == {"stored": 45, "counted": 45, "since": None}
    assert client.source().completeness()[REPO]["incomplete"] == []


def test_an_empty_repository_is_whole(fetching: Fetching) -> None:
    client = fetching(Hub())
    assert client.fetch() == 1
    assert client.facts() == {}
    assert client.fetch() == 1


def test_a_second_fetch_makes_a_handful_of_requests(fetching: Fetching) -> None:
    client = fetching(hub_of(120))
    assert client.fetch() > 4
    digest = client.source().digest()
    assert client.fetch() == 1
    assert client.source().digest() == digest


def test_what_was_updated_since_comes_again_and_its_newest_version_counts(fetching: Fetching) -> None:
    hub = hub_of(60)
    client = fetching(hub)
    client.fetch()
    hub.now += timedelta(days=1)
    hub.touch(7, hub.now, title="Better")
    assert client.fetch() == 1
    assert client.facts()[7].title == "Better"
    assert len(client.facts()) == 60


def test_updates_around_the_start_of_a_fetch_are_seen_by_the_next(fetching: Fetching) -> None:
    """A replica may show an update only after the walk has passed its moment."""
    hub = hub_of(30)
    hub.touch(30, hub.now - timedelta(seconds=30))
    client = fetching(hub)
    client.fetch()
    hub.touch(3, hub.now - timedelta(minutes=1), title="Late")
    client.fetch()
    assert client.facts()[3].title == "Late"


def test_a_pull_request_updated_while_paging_is_not_lost(fetching: Fetching) -> None:
    hub = hub_of(100)
    client = fetching(hub)
    hub.faults.append(lambda asked: hub.touch(70, hub.now, title="Moved") if asked.place == 2 else None)
    hub.faults.append(lambda asked: hub.touch(2, hub.now, title="Again") if asked.place == 3 else None)
    client.fetch()
    found = client.facts()
    assert len(found) == 100
    assert (found[70].title, found[2].title) == ("Moved", "Again")


def test_every_connection_is_followed_to_its_end(fetching: Fetching) -> None:
    node = large(1, reviews=230, commits=310, files=350, labels=45)
    node["checks"] = [check(number, f"job {number}") for number in range(1, 131)]
    node["assignees"] = [{"login": f"dev-{place}"} for place in range(25)]
    node["closingIssuesReferences"] = [
        {"number": place, "repository": {"nameWithOwner": "example/thing" if place % 2 else "example/other"}}
        for place in range(1, 31)
    ]
    client = fetching(Hub([node, pull(fact(2))]))
    client.fetch()
    found = client.facts()[1]
    sizes = (len(found.reviews), len(found.commits), len(found.files), len(found.labels), len(found.check_runs))
    assert sizes == (230, 310, 350, 45, 130)
    assert (len(found.assignees), len(set(found.linked_issues))) == (25, 30)
    assert found.linked_issues[:2] == (1, "example/other#2")
    assert client.source().completeness()[REPO]["incomplete"] == []


def test_files_beyond_what_the_server_lists_are_told(fetching: Fetching) -> None:
    hub = Hub([large(1, files=250), pull(fact(2))])
    hub.most_files = 230
    client = fetching(hub)
    client.fetch()
    told = client.source().completeness()[REPO]
    assert told["connections"]["files"] == {"partial": 1, "failed": 0, "complete": 1}
    assert told["incomplete"] == [
        {"pull_request": 1, "connection": "files", "state": "partial", "got": 230, "total": 250, "error": None}
    ]


def test_a_connection_that_is_never_answered_is_failed_and_spoils_nothing(fetching: Fetching) -> None:
    hub = hub_of(3)
    hub.pulls[2]["labels"] = None
    client = fetching(hub)
    client.fetch()
    told = client.source().completeness()[REPO]
    assert told["incomplete"] == [
        {"pull_request": 2, "connection": "labels", "state": "failed", "got": 0, "total": None, "error": None}
    ]
    assert len(client.facts()) == 3


def test_check_runs_are_left_out_where_they_are_not_wanted(fetching: Fetching) -> None:
    hub = hub_of(3)
    hub.pulls[1]["checks"] = [check(77)]
    client = fetching(hub)
    client.fetch(check_runs=False)
    assert not any(asked.variables["checks"] for asked in hub.asked)
    assert client.facts(check_runs=False)[1].check_runs == ()
    with pytest.raises(Unavailable):
        client.source()  # without check runs is not with them
    client.fetch()
    assert [run.id for run in client.facts()[1].check_runs] == [77]
    assert client.facts(check_runs=False)[1].check_runs == ()


def test_what_was_fetched_with_check_runs_serves_without(fetching: Fetching) -> None:
    hub = hub_of(60)
    client = fetching(hub)
    client.fetch()
    assert client.fetch(check_runs=False) == 1
    hub.now += timedelta(days=1)
    hub.touch(5, hub.now, title="New")
    assert client.fetch(check_runs=False) == 1
    assert client.facts(check_runs=False)[5].title == "New"
    assert client.fetch() == 1
    assert client.facts()[5].title == "New"


def test_checks_are_those_of_the_head_even_where_the_last_commit_is_another(fetching: Fetching) -> None:
    hub = hub_of(2)
    hub.pulls[1] |= {"checks": [check(5)], "commits": [*hub.pulls[1]["commits"], *pull(fact(9))["commits"]]}
    client = fetching(hub)
    client.fetch()
    assert [run.id for run in client.facts()[1].check_runs] == [5]
    assert "MoreChecks" in {asked.name for asked in hub.asked}


def test_checks_that_the_token_may_not_read_are_failed_and_not_asked_for_again(fetching: Fetching) -> None:
    hub = hub_of(15)
    hub.forbids_checks = True
    client = fetching(hub)
    assert client.fetch() == 1
    told = client.source().completeness()[REPO]
    assert told["connections"]["check_runs"] == {"partial": 0, "failed": 15, "complete": 0}
    assert told["connections"]["commits"]["complete"] == 15


def test_a_head_that_is_gone_leaves_check_runs_failed(fetching: Fetching) -> None:
    hub = hub_of(1)
    hub.pulls[1]["headRefOid"] = "f" * 40
    client = fetching(hub)
    hub.faults.append(
        lambda asked: Reply(body={"data": {"repository": {"object": None}}}) if asked.name == "MoreChecks" else None
    )
    client.fetch()
    assert [gap["state"] for gap in client.source().completeness()[REPO]["incomplete"]] == ["failed"]


@pytest.mark.parametrize(
    "trouble",
    [
        Reply(status=502, body=b"<html>Bad Gateway</html>"),
        Reply(status=504, body=b""),
        Reply(body={"data": None, "errors": [{"message": "Something went wrong while executing your query. …"}]}),
        Reply(body={"data": {"repository": None}, "errors": [{"type": "RESOURCE_LIMITS_EXCEEDED", "message": "-"}]}),
        Reply(body={"errors": [{"message": "We couldn't respond to your request in time. Sorry about that."}]}),
        Reply(body={"errors": [{"type": "MAX_NODE_LIMIT_EXCEEDED", "message": "too many"}]}),
    ],
)
def test_pages_shrink_where_the_server_cannot_give_as_much_and_grow_back(trouble: Reply, fetching: Fetching) -> None:
    hub = hub_of(45)
    heavy = 6
    hub.faults.append(lambda asked: trouble if asked.place < 40 and asked.variables.get("first", 0) > heavy else None)
    client = fetching(hub)
    client.fetch()
    assert client.facts() == {number: fact(number) for number in range(1, 46)}
    sizes = [asked.variables["first"] for asked in hub.asked]
    assert sizes[:3] == [20, 10, 5]
    assert sum(size > heavy for size in sizes) <= 4
    assert 3 <= int(client.store.get("page_size") or 0) <= heavy


def test_the_page_size_is_remembered(fetching: Fetching) -> None:
    hub = hub_of(30)
    hub.faults.append(lambda asked: timed_out(asked) if asked.variables.get("first", 0) > 7 else None)
    client = fetching(hub)
    client.fetch()
    assert client.fetch() <= 2
    assert hub.asked[-1].variables["first"] < 8


def test_page_sizes_grow_back_fast(fetching: Fetching) -> None:
    hub = hub_of(200)
    hub.faults.append(lambda asked: timed_out(asked) if asked.place in {0, 1} else None)
    client = fetching(hub)
    client.fetch()
    assert [asked.variables["first"] for asked in hub.asked][2:12] == [5, 5, 5, 10, 10, 10, 20, 20, 20, 40]


def test_a_size_that_keeps_failing_is_tried_more_and_more_seldom(fetching: Fetching) -> None:
    hub = hub_of(300)
    hub.faults.append(lambda asked: timed_out(asked) if asked.variables.get("first", 0) > 7 else None)
    client = fetching(hub)
    client.fetch()
    assert client.facts() == {number: fact(number) for number in range(1, 301)}
    assert sum(asked.variables["first"] > 7 for asked in hub.asked) <= 6


def test_a_pull_request_too_large_for_any_page_comes_in_parts(fetching: Fetching) -> None:
    hub = hub_of(25)
    hub.pulls[9] = large(9, reviews=70, files=120)

    def heavy(asked: Asked) -> Reply | None:
        parts = asked.variables.get("parts")
        if parts and "first" in asked.variables:
            piece = hub.page(asked.variables["first"], asked.variables.get("after"), None, None)
            if any(edge["node"].number == 9 for edge in piece["edges"]):
                return timed_out(asked)
        return timed_out(asked) if asked.name == "More" and asked.variables["first"] > 30 else None

    hub.faults.append(heavy)
    client = fetching(hub)
    client.fetch()
    found = client.facts()
    assert len(found) == 25
    assert (len(found[9].reviews), len(found[9].files)) == (70, 120)
    assert client.source().completeness()[REPO]["incomplete"] == []


def test_a_connection_that_never_comes_leaves_the_rest(fetching: Fetching) -> None:
    hub = hub_of(4)
    hub.pulls[2] = large(2, files=130)
    hub.faults.append(lambda asked: timed_out(asked) if asked.name == "More" else None)
    client = fetching(hub)
    client.fetch()
    assert client.source().completeness()[REPO]["incomplete"] == [
        {"pull_request": 2, "connection": "files", "state": "partial", "got": 100, "total": 130, "error": "no answer"}
    ]
    assert len(client.facts()[2].files) == 100


def test_a_server_that_gives_nothing_is_unavailable_and_what_came_is_kept(fetching: Fetching) -> None:
    hub = hub_of(60)
    hub.faults.append(lambda asked: timed_out(asked) if asked.place >= 2 else None)
    client = fetching(hub)
    with pytest.raises(Unavailable, match="even when asked for one pull request"):
        client.fetch()
    hub.faults.clear()
    before = len(hub.asked)
    client.fetch()
    assert hub.asked[before].variables["after"]
    assert client.facts() == {number: fact(number) for number in range(1, 61)}


def test_a_pull_request_that_comes_out_empty_spoils_no_other(fetching: Fetching) -> None:
    hub = hub_of(30)
    whole = hub.answer

    def spoilt(asked: Asked, query: str) -> dict[str, object]:
        document = whole(asked, query)
        for place, edge in enumerate(document["data"]["repository"]["pullRequests"]["edges"]):
            if edge["node"]["number"] == 11:
                edge["node"] = None
                path = ["repository", "pullRequests", "edges", place, "node"]
                document["errors"] = [{"message": "Internal", "type": "INTERNAL", "path": path}]
        return document

    hub.answer = spoilt  # type: ignore[method-assign]
    client = fetching(hub)
    client.fetch()
    assert sorted(client.facts()) == [number for number in range(1, 31) if number != 11]
    assert client.source().completeness()[REPO]["pull_requests"] == {"stored": 29, "counted": 30, "since": None}


def test_a_pull_request_deleted_on_the_way_keeps_what_came_of_it(fetching: Fetching) -> None:
    hub = hub_of(5)
    hub.pulls[3] = large(3, reviews=120)
    hub.faults.append(lambda asked: hub.pulls.pop(3, None) and None if asked.name == "More" else None)
    client = fetching(hub)
    client.fetch()
    assert len(client.facts()[3].reviews) == 50
    told = client.source().completeness()[REPO]
    assert told["incomplete"] == [
        {"pull_request": 3, "connection": "reviews", "state": "partial", "got": 50, "total": 120, "error": None}
    ]
    hub._order = None
    client.fetch()
    assert client.source().completeness()[REPO]["pull_requests"] == {"stored": 5, "counted": 4, "since": None}


def test_deleted_people_are_nobody(fetching: Fetching) -> None:
    hub = hub_of(1)
    hub.pulls[1]["author"] = None
    hub.pulls[1]["reviews"][0]["author"] = None
    hub.pulls[1]["commits"][0]["commit"]["author"] = None
    client = fetching(hub)
    client.fetch()
    found = client.facts()[1]
    assert (found.author, found.reviews[0].reviewer, found.commits[0].author) == (None, None, None)


@pytest.mark.parametrize(
    ("actor", "person"),
    [
        ({"__typename": "Bot", "login": "renovate", "databaseId": 9}, Person(login="renovate[bot]", id=9)),
        ({"__typename": "Mannequin", "login": "moved", "databaseId": 8}, Person(login="moved", id=8)),
        (
            {"__typename": "Organization", "login": "club", "databaseId": 7, "name": "Club"},
            Person(login="club", name="Club", id=7),
        ),
        ({"__typename": "EnterpriseUserAccount", "login": "staff", "name": "S"}, Person(login="staff", name="S")),
    ],
)
def test_actors_of_every_type_are_somebody(actor: dict[str, object], person: Person, fetching: Fetching) -> None:
    hub = hub_of(1)
    hub.pulls[1]["author"] = hub.pulls[1]["reviews"][0]["author"] = actor
    client = fetching(hub)
    client.fetch()
    assert (client.facts()[1].author, client.facts()[1].reviews[0].reviewer) == (person, person)


def test_a_commit_without_an_account_is_whom_its_address_names_or_its_name(fetching: Fetching) -> None:
    hub = hub_of(2)
    for number, email in ((1, "12+dev-9@users.noreply.github.com"), (2, "somebody@mail.invalid")):
        hub.pulls[number]["commits"][0]["commit"]["author"] = {"name": "Dev Nine", "email": email, "user": None}
    client = fetching(hub)
    client.fetch()
    assert client.facts()[1].commits[0].author == Person(login="dev-9", name="Dev Nine", id=12)
    assert client.facts()[2].commits[0].author == Person(name="Dev Nine")


def test_large_ids_and_missing_times_come_as_they_are(fetching: Fetching) -> None:
    hub = hub_of(1)
    hub.pulls[1]["reviews"][0] |= {"fullDatabaseId": str(2**40), "submittedAt": None}
    hub.pulls[1]["checks"] = [
        check(0, databaseId=None, permalink=f"https://h.invalid/o/r/runs/{2**36}", startedAt=None, completedAt=None),
        {"__typename": "StatusContext", "context": "ci/old"},
    ]
    client = fetching(hub)
    client.fetch()
    (review,) = client.facts()[1].reviews
    assert (review.id, review.submitted_at) == (2**40, None)
    (run,) = client.facts()[1].check_runs
    assert (run.id, run.started_at, run.completed_at) == (2**36, None, None)
    assert client.source().completeness()[REPO]["incomplete"] == []


def test_nul_characters_reach_no_database(fetching: Fetching) -> None:
    hub = hub_of(1)
    hub.pulls[1]["title"] = "a\0b"
    client = fetching(hub)
    client.fetch()
    assert client.facts()[1].title == "a\ufffdb"


def test_a_renamed_repository_answers_under_its_old_name_and_it_is_told(fetching: Fetching) -> None:
    hub = hub_of(3)
    hub.repo = "example/other"
    client = fetching(hub)
    client.fetch()
    assert {one.repo for one in client.facts().values()} == {"example/thing"}
    assert client.source().completeness()[REPO]["renamed_to"] == "example/other"


def test_another_repository_under_the_same_name_is_refused(fetching: Fetching) -> None:
    hub = hub_of(3)
    client = fetching(hub)
    client.fetch()
    hub.repo_id = "R_2"
    with pytest.raises(Unavailable, match="another repository") as refused:
        client.fetch()
    assert "--delete" in refused.value.hint


def test_an_unknown_repository_is_told(fetching: Fetching) -> None:
    client = fetching(Hub(), repo="example/nothing")
    with pytest.raises(Unavailable, match="Could not resolve to a Repository"):
        client.fetch()


def test_a_server_that_forgot_its_cursors_is_walked_again(fetching: Fetching) -> None:
    hub = hub_of(50)
    client = fetching(hub)
    client.fetch()
    gone = {"errors": [{"type": "INVALID_CURSOR_ARGUMENTS", "message": "`x` does not appear to be a valid cursor."}]}
    hub.faults.append(lambda asked: Reply(body=gone) if asked.place == 3 else None)
    hub.now += timedelta(days=1)
    hub.touch(1, hub.now, title="New")
    client.fetch()
    assert client.facts()[1].title == "New"
    assert len(client.facts()) == 50


def test_since_fetches_the_later_part_and_an_earlier_one_only_what_is_missing(fetching: Fetching) -> None:
    hub = hub_of(200)
    client = fetching(hub)
    later = START + timedelta(hours=172)
    client.fetch(later)
    assert sorted(client.facts(later)) == list(range(170, 201))
    with pytest.raises(Unavailable, match="was fetched only back to 2024-01-08"):
        client.source()
    assert client.fetch(START + timedelta(hours=132)) <= 4
    assert sorted(client.facts(later)) == list(range(130, 201))
    assert client.fetch() <= 9
    assert client.facts() == {number: fact(number) for number in range(1, 201)}
    assert client.fetch() == 1


def test_how_pages_are_cut_decides_nothing(fetching: Fetching) -> None:
    later = START + timedelta(hours=40)
    digests = set()
    for size in (1, 7, 50):
        client = fetching(hub_of(60))
        with client.store.writing():
            client.store.set(page_size=size)
        client.fetch(later)
        digests.add(client.source(later).digest())
    assert len(digests) == 1


def test_a_moment_that_is_yet_to_come_ends(fetching: Fetching) -> None:
    hub = hub_of(30)
    client = fetching(hub)
    client.fetch(hub.now + timedelta(days=10))
    assert client.facts(hub.now + timedelta(days=10)) == {}
    client.fetch()
    assert len(client.facts()) == 30


def test_a_repository_where_everything_is_new_ends(fetching: Fetching) -> None:
    hub = hub_of(0)
    for number in range(1, 31):
        hub.pulls[number] = pull(fact(number, updated_at=hub.now - timedelta(seconds=number)))
    client = fetching(hub)
    client.fetch(hub.now - timedelta(days=1))
    client.fetch(hub.now - timedelta(days=1))
    assert len(client.facts(hub.now - timedelta(days=1))) == 30


def test_a_commit_count_is_the_servers(fetching: Fetching) -> None:
    hub = hub_of(1)
    hub.pulls[1] |= {"commits": [{"commit": {**pull(fact(1))["commits"][0]["commit"]}}], "commits_total": 300}
    client = fetching(hub)
    client.fetch()
    assert client.facts()[1].commits_count == 300
    assert client.source().completeness()[REPO]["incomplete"] == [
        {"pull_request": 1, "connection": "commits", "state": "partial", "got": 1, "total": 300, "error": None}
    ]


def test_progress_tells_counts_and_points(fetching: Fetching) -> None:
    client = fetching(hub_of(60))
    client.fetch()
    stages = {stage for stage, *_ in client.told}
    assert stages == {"fetching example/thing"}
    assert sum(more for _, more, _, _ in client.told) == 60
    assert {total for _, _, total, _ in client.told} == {60}
    assert client.told[-1][3] == "4,994 points, more in 60 min"


def test_who_reads_sees_one_moment(fetching: Fetching) -> None:
    hub = hub_of(30)
    client = fetching(hub)
    client.fetch()
    source = client.source()
    digest = source.digest()
    hub.now += timedelta(days=1)
    hub.touch(3, hub.now, title="Later")
    client.fetch()
    assert source.digest() == digest
    assert "Later" not in {one.title for one in source.pull_requests()}
    assert "Later" in {one.title for one in client.source().pull_requests()}


def test_two_fetches_at_once_take_turns(fetching: Fetching) -> None:
    hub = hub_of(30)
    client = fetching(hub)
    other = Store(client.store.path)
    with ThreadPoolExecutor(1) as pool, ExitStack() as held:
        held.enter_context(other.fetching())
        second = pool.submit(client.fetch)
        while not client.told:
            assert not second.done()
            sleep(0.005)
        assert client.told[0][0] == "waiting for another fetch of example/thing"
        assert hub.asked == []
        held.close()
        assert second.result(timeout=30) == 2
    other.close()


def test_what_once_came_whole_stays_whole(fetching: Fetching) -> None:
    """The overlap asks again for what is there; that the server has trouble then takes nothing away."""
    hub = Hub([large(1, files=150)])
    hub.touch(1, hub.now)
    client = fetching(hub)
    client.fetch()
    hub.faults.append(lambda asked: timed_out(asked) if asked.name == "More" else None)
    client.fetch()
    assert len(client.facts()[1].files) == 150
    assert client.source().completeness()[REPO]["incomplete"] == []

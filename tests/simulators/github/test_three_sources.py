"""One repository by API, clone and cache file: equal facts wherever all three know them."""

from __future__ import annotations

from pathlib import Path

from msgspec import structs

from seedjournal.simulators.engineering.cache.source import CacheSource
from seedjournal.simulators.engineering.facts import PullRequest
from seedjournal.simulators.engineering.git.source import GitSource
from seedjournal.simulators.engineering.github import export
from tests.simulators.github.cloned import clone_of, hub_of_clone
from tests.simulators.github.hub import check
from tests.simulators.github.world import REPO, client_of


def known_to_all(fact: PullRequest) -> PullRequest:
    """A pull request as the poorest of the three tells it.

    A clone has no ids of reviews and makes up branches' names; a cache file has no names and ids of reviewers and
    committers.
    """

    def login(person: object) -> object:
        return person and structs.replace(person, id=None, name=None)  # type: ignore[type-var]

    return structs.replace(
        fact,
        commits=tuple(
            structs.replace(one, author=one.author and structs.replace(one.author, id=None)) for one in fact.commits
        ),
        reviews=tuple(structs.replace(one, id=None, reviewer=login(one.reviewer)) for one in fact.reviews),
        head_ref=None,
    )


def test_api_clone_and_cache_file_tell_the_same(tmp_path: Path) -> None:
    clone = clone_of(tmp_path / "clone.git", 40)
    with client_of(hub_of_clone(clone), tmp_path / "store.db") as client:
        client.fetch()
        by_api = client.facts()
        export(client.store, tmp_path / "cache")
    by_clone = {one.number: one for one in GitSource(str(clone), repo=REPO).pull_requests()}
    by_cache = {one.number: one for one in CacheSource(tmp_path / "cache").pull_requests()}
    assert len(by_api) == 40
    assert {state: sum(one.state == state for one in by_api.values()) for state in ("open", "closed", "merged")} == {
        "open": 4,
        "closed": 4,
        "merged": 32,
    }
    assert sum(len(one.reviews) for one in by_api.values()) == 32
    for number, fact in by_api.items():
        assert known_to_all(fact) == known_to_all(by_clone[number]), number
        assert known_to_all(fact) == known_to_all(by_cache[number]), number


def test_an_exported_file_holds_everything_that_such_a_file_can(tmp_path: Path) -> None:
    hub = hub_of_clone(clone_of(tmp_path / "clone.git", 3))
    hub.pulls[2] |= {
        "checks": [check(5)],
        "labels": [{"name": "bug"}],
        "assignees": [{"login": "dev-1"}],
        "milestone": {"title": "1.0"},
        "body": "Some words",
        "closingIssuesReferences": [{"number": 9, "repository": {"nameWithOwner": "example/thing"}}],
    }
    with client_of(hub, tmp_path / "store.db") as client:
        client.fetch()
        by_api = client.facts()
        file, count = export(client.store, tmp_path / "cache")
    assert (file, count) == (tmp_path / "cache/example/thing.json.gz", 3)
    by_cache = {one.number: one for one in CacheSource(file).pull_requests()}
    for number, fact in by_api.items():
        poorer = structs.replace(
            fact,
            commits=tuple(
                structs.replace(one, author=one.author and structs.replace(one.author, id=None)) for one in fact.commits
            ),
            reviews=tuple(
                structs.replace(one, reviewer=one.reviewer and structs.replace(one.reviewer, id=None, name=None))
                for one in fact.reviews
            ),
        )
        assert by_cache[number] == poorer

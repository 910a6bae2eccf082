"""Facts that are read once."""

from __future__ import annotations

import resource
from collections.abc import Iterator

import pytest
from hypothesis import given

from seedjournal.journal import BadInput, Database, Unavailable
from seedjournal.simulators.engineering.facts import LooseCommit, Person, PullRequest
from seedjournal.simulators.engineering.project import make_project
from seedjournal.simulators.engineering.reading import BufferedFacts
from seedjournal.simulators.engineering.recording import record
from tests.simulators.acme import SHOP, Facts, pull_request, story
from tests.simulators.arbitrary import lists_of_pull_requests


class Counted(Facts):
    """A source that knows how often each of its streams was read."""

    passes = (0, 0)

    def pull_requests(self) -> Iterator[PullRequest]:
        self.passes = (self.passes[0] + 1, self.passes[1])
        return super().pull_requests()

    def loose_commits(self) -> Iterator[LooseCommit]:
        self.passes = (self.passes[0], self.passes[1] + 1)
        return super().loose_commits()


@given(lists_of_pull_requests())
def test_every_pass_gives_the_facts_of_the_source(pull_requests: list[PullRequest]) -> None:
    loose = [LooseCommit(repo=SHOP, commit=one) for pr in pull_requests for one in pr.commits]
    source = Counted(*pull_requests, loose=loose)
    with BufferedFacts(source) as buffered:
        for _ in range(3):
            assert list(buffered.pull_requests()) == pull_requests
            assert list(buffered.loose_commits()) == loose
    assert source.passes == (1, 1)


def test_a_pass_that_is_left_early_buffers_nothing() -> None:
    with BufferedFacts(Facts(pull_request(1), pull_request(2))) as buffered:
        assert next(buffered.pull_requests()).number == 1
        assert [pr.number for pr in buffered.pull_requests()] == [1, 2]
        assert [pr.number for pr in buffered.pull_requests()] == [1, 2]


def test_a_recording_reads_its_source_once(database: Database) -> None:
    source = Counted(*story().pull_requests())
    record(database, make_project("story", {}), source)
    assert source.passes == (1, 1)


@pytest.mark.parametrize("number", [0, 2**60, 2**70])
def test_a_number_that_no_source_may_give_is_bad_input(number: int, database: Database) -> None:
    source = Facts(pull_request(1, author=Person(login="somebody", id=number)))
    source.digest = lambda: "00"  # type: ignore[method-assign]  # such a number may have no bytes to digest
    with pytest.raises(BadInput):
        record(database, make_project("story", {}), source)


def test_no_room_for_facts_is_told() -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    source = Facts(*(pull_request(number, body="x" * 4096) for number in range(1, 200)))
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
        with (
            BufferedFacts(source) as buffered,
            pytest.raises(Unavailable, match=r"temporary folder .* cannot take the source's facts"),
        ):
            list(buffered.pull_requests())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

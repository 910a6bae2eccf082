"""The demo: facts that stay where they are when the demo grows, inside their window, and whole."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedjournal.journal import BadInput
from seedjournal.simulators.engineering.categories import file_category
from seedjournal.simulators.engineering.demo import words as demo_words
from seedjournal.simulators.engineering.demo.cast import People, Setting
from seedjournal.simulators.engineering.demo.source import DEFAULT_AS_OF, DemoSource
from seedjournal.simulators.engineering.facts import PullRequest, Source
from seedjournal.simulators.engineering.signs import ai_tools, is_hotfix, is_revert, jira_key

_PRINT_DIGESTS = """
import hashlib, msgspec
from seedjournal.simulators.engineering.demo.source import DemoSource
source = DemoSource(project="demo", seed=3, prs=80)
facts = [list(source.pull_requests()), list(source.loose_commits())]
print(source.digest(), hashlib.sha256(msgspec.json.encode(facts)).hexdigest())
"""

_SIZES = st.fixed_dictionaries(
    {
        "project": st.text(st.characters(categories=["L", "N", "P", "Zs"]), max_size=12).filter(str.isprintable),
        "seed": st.integers(0, 2**63),
        "members": st.integers(1, 40),
        "days": st.integers(1, 3650),
        "as_of": st.dates(date(2000, 1, 1), date(2100, 1, 1)),
        "repos": st.sampled_from([(), ("one/one",), ("b/b", "a/a", "c/c.d_e-f")]),
    }
)


@pytest.fixture(scope="module")
def source() -> DemoSource:
    return DemoSource(project="demo", seed=1, prs=1500)


@pytest.fixture(scope="module")
def pulls(source: DemoSource) -> list[PullRequest]:
    return list(source.pull_requests())


def _instants(pull: PullRequest) -> Iterator[datetime]:
    moments = [pull.created_at, pull.updated_at, pull.merged_at, pull.closed_at]
    moments += [commit.committed_at for commit in pull.commits]
    moments += [review.submitted_at for review in pull.reviews]
    moments += [moment for run in pull.check_runs for moment in (run.started_at, run.completed_at)]
    return (moment for moment in moments if moment is not None)


def _setting(members: int) -> Setting:
    return Setting(project="demo", seed=1, repositories=(), members=members, days=180, as_of=DEFAULT_AS_OF)


def test_it_is_a_source() -> None:
    source: Source = DemoSource(project="My Project!", seed=1)
    assert source.name == "demo"
    assert source.repositories == ("My-Project/My-Project",)
    assert set(source.versions) == {"faker"}
    assert source.skipped == []


@settings(max_examples=40, deadline=None)
@given(_SIZES, st.integers(0, 12), st.integers(0, 12))
def test_more_pull_requests_move_none(sizes: dict[str, Any], few: int, more: int) -> None:
    small, large = DemoSource(**sizes, prs=few), DemoSource(**sizes, prs=few + more)
    assert list(large.pull_requests())[:few] == list(small.pull_requests())
    loose = list(small.loose_commits())
    assert list(large.loose_commits())[: len(loose)] == loose


def test_220_is_200_and_20_more() -> None:
    small = list(DemoSource(project="demo", seed=1).pull_requests())
    large = list(DemoSource(project="demo", seed=1, prs=220).pull_requests())
    assert (len(small), len(large)) == (200, 220)
    assert large[:200] == small


@settings(max_examples=40, deadline=None)
@given(_SIZES)
def test_nothing_lies_outside_the_window(sizes: dict[str, Any]) -> None:
    source = DemoSource(**sizes, prs=12)
    first = datetime.combine(source.as_of - timedelta(days=source.days - 1), time(), UTC)
    end = datetime.combine(source.as_of + timedelta(days=1), time(), UTC)
    moments = [moment for pull in source.pull_requests() for moment in _instants(pull)]
    moments += [loose.commit.committed_at for loose in source.loose_commits()]
    assert all(first <= moment < end for moment in moments)


def test_the_window_is_filled(pulls: list[PullRequest]) -> None:
    weeks = {(DEFAULT_AS_OF - pull.created_at.date()).days // 7 for pull in pulls}
    assert weeks == set(range(26))


def test_the_earliest_window_there_is() -> None:
    source = DemoSource(project="demo", seed=1, prs=20, days=1, as_of=date.min)
    assert {pull.created_at.date() for pull in source.pull_requests()} == {date.min}


def test_streams_can_be_read_again_and_side_by_side(source: DemoSource, pulls: list[PullRequest]) -> None:
    both = list(zip(source.pull_requests(), source.pull_requests(), strict=True))
    assert [one for one, _ in both] == [other for _, other in both] == pulls
    assert list(source.loose_commits()) == list(source.loose_commits())


def test_other_processes_and_hash_seeds_give_the_same() -> None:
    outputs = {
        subprocess.run(
            [sys.executable, "-c", _PRINT_DIGESTS],
            env=os.environ | {"PYTHONHASHSEED": seed, "TZ": zone},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed, zone in (("0", "UTC"), ("12345", "Asia/Tokyo"))
    }
    source = DemoSource(project="demo", seed=3, prs=80)
    facts = [list(source.pull_requests()), list(source.loose_commits())]
    expected = f"{source.digest()} {hashlib.sha256(msgspec.json.encode(facts)).hexdigest()}\n"
    assert outputs == {expected}


def test_facts_keep_to_their_types(pulls: list[PullRequest]) -> None:
    assert msgspec.convert(msgspec.to_builtins(pulls), list[PullRequest]) == pulls


def test_identities_are_unique(source: DemoSource, pulls: list[PullRequest]) -> None:
    assert [pull.number for pull in pulls] == list(range(1, len(pulls) + 1))
    shas = [commit.sha for pull in pulls for commit in pull.commits]
    shas += [loose.commit.sha for loose in source.loose_commits()]
    assert len(set(shas)) == len(shas)
    assert all(re.fullmatch(r"[0-9a-f]{40}", sha) for sha in shas)
    for ids in (
        [run.id for pull in pulls for run in pull.check_runs],
        [review.id for pull in pulls for review in pull.reviews],
    ):
        assert len(set(ids)) == len(ids)
    for pull in pulls:
        assert len({file.filename for file in pull.files}) == len(pull.files)


def test_members_are_unique_invented_and_independent_of_their_number() -> None:
    few, many = People(_setting(members=3000)), People(_setting(members=3001))
    people = [few.member(place) for place in range(1, 3001)]
    assert people == [many.member(place) for place in range(1, 3001)]
    assert len({person.login for person in people}) == len({person.id for person in people}) == len(people)
    for person in people:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*-[0-9]+", person.login or "")
        assert len(person.login or "") <= 39
        assert 2**42 < (person.id or 0) < 2**53


def test_times_are_in_order(pulls: list[PullRequest]) -> None:
    for pull in pulls:
        assert pull.updated_at is not None
        assert pull.updated_at >= pull.created_at
        end = pull.closed_at or pull.updated_at
        assert end > pull.created_at or pull.closed_at is None
        assert pull.merged_at in {None, pull.closed_at}
        times = [commit.committed_at for commit in pull.commits]
        assert all(one <= next_one for one, next_one in pairwise(times))
        assert times[-1] <= end
        submitted = [review.submitted_at for review in pull.reviews if review.submitted_at]
        assert all(one <= next_one for one, next_one in pairwise(submitted))
        assert all(pull.created_at <= moment <= end for moment in submitted)
        for run in pull.check_runs:
            assert run.started_at is not None
            assert run.completed_at is not None
            assert max(pull.created_at, times[-1]) <= run.started_at <= run.completed_at


def test_counts_are_those_of_the_parts(pulls: list[PullRequest]) -> None:
    for pull in pulls:
        for parts in (pull.files, pull.commits):
            assert sum(part.additions for part in parts) == pull.additions
            assert sum(part.deletions for part in parts) == pull.deletions
        assert (len(pull.files), len(pull.commits)) == (pull.changed_files, pull.commits_count)
        assert 1 <= len(pull.files) <= 12
        assert 1 <= len(pull.commits) <= 6
        assert 2 <= len(pull.check_runs) <= 5


def test_states_say_what_the_times_say(pulls: list[PullRequest]) -> None:
    for pull in pulls:
        assert (pull.state == "merged") == (pull.merged_at is not None)
        assert (pull.state == "open") == (pull.closed_at is None)
        assert not (pull.is_draft and pull.state == "merged")


def test_everything_occurs(pulls: list[PullRequest]) -> None:
    assert {pull.state for pull in pulls} == {"open", "closed", "merged"}
    assert {pull.is_draft for pull in pulls} == {True, False}
    files = [file for pull in pulls for file in pull.files]
    categories = {"test", "frontend", "backend", "javascript", "docs", "config", "other"}
    assert {file_category(file.filename) for file in files} == categories
    assert {file.status for file in files} == {"added", "modified", "removed", "renamed", "copied"}
    reviews = [review for pull in pulls for review in pull.reviews]
    assert {review.state for review in reviews} == {"approved", "changes_requested", "commented", "dismissed"}
    reviewers = {review.reviewer.login for review in reviews if review.reviewer}
    assert {login for login, _ in demo_words.REVIEW_BOTS} < reviewers
    assert {run.conclusion for pull in pulls for run in pull.check_runs} >= {"success", "failure", "skipped"}
    messages = "\n".join(commit.message for pull in pulls for commit in pull.commits)
    assert all(tool[0] in messages for tool, _ in demo_words.AI_TOOLS if tool)
    assert {"bug", "feature", "enhancement", "chore"} <= {label for pull in pulls for label in pull.labels}
    assert any(is_revert(pull.title) for pull in pulls)
    assert any(is_hotfix(pull.title, pull.head_ref) for pull in pulls)
    for part in ("milestone", "assignees", "linked_issues", "body"):
        assert {bool(getattr(pull, part)) for pull in pulls} == {True, False}
    assert any(commit.author != pull.author for pull in pulls for commit in pull.commits)


def test_bodies_tell_of_ai_as_the_signs_read_them(pulls: list[PullRequest]) -> None:
    told = [tool[1] for tool, _ in demo_words.AI_TOOLS if tool]
    assert [ai_tools(text) for text in told] == [["claude"], ["copilot"], ["cursor"]]
    assert ai_tools(demo_words.NO_AI) == []
    bodies = "\n".join(pull.body or "" for pull in pulls)
    assert all(text in bodies for text in (*told, demo_words.NO_AI))


def test_nobody_reviews_their_own_work(pulls: list[PullRequest]) -> None:
    assert all(review.reviewer != pull.author for pull in pulls for review in pull.reviews)


def test_a_member_alone_has_only_programs_for_reviewers() -> None:
    pulls = list(DemoSource(project="demo", seed=1, members=1, prs=50).pull_requests())
    assert len({pull.author for pull in pulls}) == 1
    assert all(
        review.reviewer and (review.reviewer.login or "").endswith("[bot]") for p in pulls for review in p.reviews
    )


def test_every_member_is_somebody_in_a_project_of_the_default_size() -> None:
    assert len({pull.author for pull in DemoSource(project="demo", seed=1).pull_requests()}) == 12


def test_no_title_and_no_branch_passes_for_an_issues_key(pulls: list[PullRequest]) -> None:
    texts = [text for pull in pulls for text in (pull.title, pull.head_ref or "")]
    assert not [text for text in texts if jira_key(text, text.upper())]


def test_pull_requests_are_spread_over_the_repositories_in_any_order() -> None:
    sources = [DemoSource(project="demo", seed=1, repos=repos) for repos in (("b/b", "a/a"), ("a/a", "b/b", "a/a"))]
    one, other = (list(source.pull_requests()) for source in sources)
    assert one == other
    assert sources[0].digest() == sources[1].digest()
    assert {pull.repo for pull in one} == set(sources[0].repositories) == {"a/a", "b/b"}


@pytest.mark.parametrize(
    "change",
    [
        {"project": "other"},
        {"seed": 2},
        {"repos": ("a/a",)},
        {"members": 13},
        {"prs": 201},
        {"days": 181},
        {"as_of": date(2025, 7, 1)},
    ],
)
def test_every_setting_is_in_the_digest(change: dict[str, Any]) -> None:
    base: dict[str, Any] = {"project": "demo", "seed": 1}
    assert DemoSource(**base).digest() != DemoSource(**base | change).digest()


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        ({"members": 0}, "members = 0 is out of bounds"),
        ({"members": 100_001}, "members = 100001 is out of bounds"),
        ({"prs": -1}, "prs = -1 is out of bounds"),
        ({"prs": 10_000_001}, "prs = 10000001 is out of bounds"),
        ({"days": 0}, "days = 0 is out of bounds"),
        ({"days": 3651}, "days = 3651 is out of bounds"),
        ({"days": 2, "as_of": date.min}, "there are no 2 days up to 0001-01-01"),
        ({"repos": ("../x",)}, "is not a repository's name"),
        ({"project": "a\nb"}, "is no project's name"),
        ({"project": "\ud800"}, "is no project's name"),
    ],
)
def test_settings_out_of_bounds_are_refused(bad: dict[str, Any], told: str) -> None:
    settings: dict[str, Any] = {"project": "demo", "seed": 1} | bad
    with pytest.raises(BadInput, match=re.escape(told)) as refused:
        DemoSource(**settings)
    assert refused.value.hint


@pytest.mark.parametrize(
    ("project", "name"),
    [("é/..", "demo/demo"), ("", "demo/demo"), ("a b", "a-b/a-b"), ("x" * 200, f"{'x' * 100}/{'x' * 100}")],
)
def test_the_repository_is_named_after_the_project(project: str, name: str) -> None:
    assert DemoSource(project=project, seed=1).repositories == (name,)


def test_an_empty_demo_is_a_demo() -> None:
    source = DemoSource(project="demo", seed=1, prs=0)
    assert list(source.pull_requests()) == []
    assert list(source.loose_commits()) == []


def test_the_golden_pull_request() -> None:
    """Changed facts need a raised version."""
    pulls = {pull.number: pull for pull in DemoSource(project="golden", seed=42).pull_requests()}
    assert msgspec.to_builtins(pulls[92]) == {
        "repo": "golden/golden",
        "number": 92,
        "title": "Deliver B2B mindshare in search",
        "body": "Think day picture speak baby young southern two yourself. Hot claim book our federal what.\n"
        "\n"
        "Closes #7054.",
        "state": "merged",
        "is_draft": False,
        "created_at": "2025-05-02T12:39:23Z",
        "updated_at": "2025-05-06T12:04:45Z",
        "merged_at": "2025-05-06T12:04:45Z",
        "closed_at": "2025-05-06T12:04:45Z",
        "author": {"login": "alexander-ponce-1", "name": "Alexander Ponce", "id": 6432545177601},
        "additions": 4,
        "deletions": 0,
        "changed_files": 1,
        "commits_count": 1,
        "head_ref": "feature/search-deliver-b-b-mindshare",
        "base_ref": "main",
        "labels": ("feature",),
        "milestone": "2025 Q2",
        "assignees": ("alexander-ponce-1",),
        "linked_issues": (7054,),
        "commits": (
            {
                "sha": "c18b08d343b34f34c422520d305a5c2be317075f",
                "message": "Mesh distributed deliverables\n\nCo-authored-by: Cursor <cursoragent@cursor.com>",
                "author": {"login": "alexander-ponce-1", "name": "Alexander Ponce", "id": 6432545177601},
                "committed_at": "2025-05-04T07:00:07Z",
                "additions": 4,
                "deletions": 0,
            },
        ),
        "reviews": (
            {
                "id": 3115214941717216,
                "reviewer": {"login": "copilot-pull-request-reviewer[bot]", "name": None, "id": None},
                "state": "commented",
                "submitted_at": "2025-05-04T05:46:18Z",
                "body": "Current serious manager sense light.",
            },
            {
                "id": 1799644178809569,
                "reviewer": {"login": "monica-weaver-3", "name": "Monica Weaver", "id": 5384759017475},
                "state": "approved",
                "submitted_at": "2025-05-05T18:22:11Z",
                "body": "Looks good to me.",
            },
        ),
        "files": ({"filename": ".github/workflows/search.yml", "status": "added", "additions": 4, "deletions": 0},),
        "check_runs": (
            {
                "id": 6919907291693792,
                "name": "lint",
                "status": "completed",
                "conclusion": "success",
                "started_at": "2025-05-04T07:00:24Z",
                "completed_at": "2025-05-04T07:06:57Z",
            },
            {
                "id": 714211319612129,
                "name": "unit tests",
                "status": "completed",
                "conclusion": "success",
                "started_at": "2025-05-04T07:01:07Z",
                "completed_at": "2025-05-04T07:15:56Z",
            },
            {
                "id": 1216098515026658,
                "name": "build",
                "status": "completed",
                "conclusion": "success",
                "started_at": "2025-05-04T07:00:40Z",
                "completed_at": "2025-05-04T07:01:22Z",
            },
        ),
    }


def test_the_golden_facts() -> None:
    source = DemoSource(project="golden", seed=42, repos=("a/a", "b/b"))
    facts = [list(source.pull_requests()), list(source.loose_commits())]
    assert (
        hashlib.sha256(msgspec.json.encode(facts)).hexdigest()
        == "d44ea127933110e21791991ef5a300e6a242dce53bf9a8df91ad11339f5d7158"
    )

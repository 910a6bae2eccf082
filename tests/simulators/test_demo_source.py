"""The demo: facts that stay where they are when the demo grows, inside their window, and whole."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedjournal.journal import BadInput
from seedjournal.simulators.engineering.assistants import assistants
from seedjournal.simulators.engineering.categories import file_category
from seedjournal.simulators.engineering.demo import words as demo_words
from seedjournal.simulators.engineering.demo.cast import People, Setting
from seedjournal.simulators.engineering.demo.source import DEFAULT_AS_OF, RATES, DemoSource
from seedjournal.simulators.engineering.demo.timing import Shuffle, Timing
from seedjournal.simulators.engineering.facts import PullRequest, Source
from seedjournal.simulators.engineering.people import is_bot
from seedjournal.simulators.engineering.schedules import schedule
from seedjournal.simulators.engineering.signs import ai_co_authors, ai_tools, is_hotfix, is_revert, jira_key
from tests import scale

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


USUAL = {name: schedule(rate, DEFAULT_AS_OF) for name, rate in RATES.items()}
NOBODYS = assistants("demo", 1, DEFAULT_AS_OF, rate=0, highest=0, tools={})


def _instants(pull: PullRequest) -> Iterator[datetime]:
    moments = [pull.created_at, pull.updated_at, pull.merged_at, pull.closed_at]
    moments += [commit.committed_at for commit in pull.commits]
    moments += [review.submitted_at for review in pull.reviews]
    moments += [moment for run in pull.check_runs for moment in (run.started_at, run.completed_at)]
    return (moment for moment in moments if moment is not None)


def _setting(members: int) -> Setting:
    return Setting(
        project="demo",
        seed=1,
        repositories=(),
        members=members,
        days=180,
        as_of=DEFAULT_AS_OF,
        assistants=NOBODYS,
        rates=USUAL,
    )


def test_it_is_a_source() -> None:
    source: Source = DemoSource(project="My Project!", seed=1)
    assert source.name == "demo"
    assert source.repositories == ("My-Project/My-Project",)
    assert set(source.versions) == {"faker"}
    assert source.skipped == []


@settings(max_examples=scale.times(20, 400))
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


@settings(max_examples=scale.times(20, 400))
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
    both = list(islice(zip(source.pull_requests(), source.pull_requests(), strict=True), 400))
    assert [one for one, _ in both] == [other for _, other in both] == pulls[:400]
    assert list(source.loose_commits()) == list(source.loose_commits())


@pytest.mark.slow
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
    assert len({pull.number for pull in pulls}) == len(pulls)
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
    for same in ("login", "id", "name"):
        assert len({getattr(person.fact, same) for person in people}) == len(people)
    for person in people:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)?", person.fact.login or "")
        assert len(person.fact.login or "") <= 39
        assert not is_bot(person.fact.login or "")
        assert 2**42 < (person.fact.id or 0) < 2**53


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
            assert pull.created_at <= run.started_at <= run.completed_at
            assert pull.closed_at is None or run.completed_at <= pull.closed_at


def test_counts_are_those_of_the_parts(pulls: list[PullRequest]) -> None:
    for pull in pulls:
        for parts in (pull.files, pull.commits):
            assert sum(part.additions for part in parts) == pull.additions
            assert sum(part.deletions for part in parts) == pull.deletions
        assert (len(pull.files), len(pull.commits)) == (pull.changed_files, pull.commits_count)
        assert pull.files
        assert pull.commits
        assert pull.check_runs


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
    assert {run.conclusion for pull in pulls for run in pull.check_runs} >= {
        "success",
        "failure",
        "skipped",
        "cancelled",
    }
    assisted = list(DemoSource(project="demo", seed=1, prs=400, ai_rate=1.0).pull_requests())
    messages = "\n".join(commit.message for pull in assisted for commit in pull.commits)
    assert all(trailer in messages for trailer, _ in demo_words.AI_TOOLS.values())
    assert {"bug", "feature", "urgent", "chore"} <= {label for pull in pulls for label in pull.labels}
    assert any(is_revert(pull.title) for pull in pulls)
    assert any(is_hotfix(pull.title, pull.head_ref) for pull in pulls)
    for part in ("milestone", "assignees", "linked_issues", "body"):
        assert {bool(getattr(pull, part)) for pull in pulls} == {True, False}
    assert any(commit.author != pull.author for pull in pulls for commit in pull.commits)


def test_bodies_tell_of_ai_as_the_signs_read_them(pulls: list[PullRequest]) -> None:
    told = [told for _, told in demo_words.AI_TOOLS.values()]
    assert [ai_tools(text) for text in told] == [["claude"], ["copilot"], ["cursor"]]
    assert ai_tools(demo_words.NO_AI) == []
    assisted = list(DemoSource(project="demo", seed=1, prs=400, ai_rate=1.0).pull_requests())
    bodies = "\n".join(pull.body or "" for pull in [*pulls, *assisted])
    assert all(text in bodies for text in (*told, demo_words.NO_AI))


def test_numbers_follow_time(pulls: list[PullRequest]) -> None:
    by_number = sorted(pulls, key=lambda pull: pull.number)
    assert all(one.created_at <= other.created_at for one, other in pairwise(by_number))


def test_a_small_demos_numbers_follow_time_among_those_of_a_larger_one() -> None:
    for prs in (20, 500):
        found = [(pull.number, pull.created_at) for pull in DemoSource(project="demo", seed=2, prs=prs).pull_requests()]
        assert [at for _, at in sorted(found)] == sorted(at for _, at in found)


@given(st.integers(0, 14), st.integers(0, 2**64 - 1))
def test_a_shuffle_gives_every_place_once(bits: int, key: int) -> None:
    shuffle = Shuffle(2**bits, key)
    assert sorted(map(shuffle.place, range(2**bits))) == list(range(2**bits))


@settings(max_examples=scale.times(20, 400))
@given(st.integers(1, 30), st.integers(1, 200))
def test_every_place_of_the_window_is_taken_once(members: int, days: int) -> None:
    timing = Timing(
        Setting(
            project="d",
            seed=1,
            repositories=(),
            members=members,
            days=days,
            as_of=DEFAULT_AS_OF,
            assistants=NOBODYS,
            rates=USUAL,
        )
    )
    numbers = [timing.number(*timing.place(index)) for index in range(5_000)]
    assert len(set(numbers)) == 5_000
    assert min(numbers) >= 1


def test_people_work_by_day_and_on_weekdays(pulls: list[PullRequest]) -> None:
    for moments in ([pull.created_at for pull in pulls], [pull.merged_at for pull in pulls if pull.merged_at]):
        assert sum(moment.weekday() >= 5 for moment in moments) / len(moments) < 0.1
        assert sum(moment.hour < 6 for moment in moments) / len(moments) < 0.1
    holidays = {date(2025, 1, 1), date(2025, 4, 18), date(2025, 4, 21), date(2025, 5, 1)}
    assert sum(pull.created_at.date() in holidays for pull in pulls) < len(pulls) * len(holidays) / 180 / 2


def test_sizes_have_a_heavy_tail_and_work_is_shared_unevenly(pulls: list[PullRequest]) -> None:
    lines = sorted(pull.additions + pull.deletions for pull in pulls)
    assert lines[len(lines) // 2] < 80
    assert lines[len(lines) * 99 // 100] > 2_000
    by_author = sorted(Counter(pull.author for pull in pulls).values())
    assert by_author[-1] > 0.15 * len(pulls)
    assert by_author[0] < 0.05 * len(pulls)


def test_some_members_come_and_some_go() -> None:
    people = [People(_setting(members=60)).member(place) for place in range(1, 61)]
    assert {(person.comes > 0, person.goes < 1) for person in people} == {(False, False), (True, False), (False, True)}
    pulls = DemoSource(project="demo", seed=1, members=60, prs=1_500).pull_requests()
    first = datetime.combine(DEFAULT_AS_OF - timedelta(days=179), time(), UTC)
    came = {person.fact.login: first + timedelta(days=180) * person.comes for person in people}
    opened = [(pull.created_at, came[pull.author.login or ""]) for pull in pulls if pull.author]
    assert sum(at < since for at, since in opened) < 0.01 * len(opened)


def test_a_commit_is_there_before_the_opening_and_one_follows_a_request(pulls: list[PullRequest]) -> None:
    first = datetime.combine(DEFAULT_AS_OF - timedelta(days=179), time(), UTC)
    for pull in pulls:
        times = [commit.committed_at for commit in pull.commits]
        assert times[0] <= pull.created_at or pull.created_at == first
        asked = [review.submitted_at for review in pull.reviews if review.state == "changes_requested"]
        assert all(any(at and at < time for time in times) for at in asked)


def test_what_was_merged_was_approved_by_the_last_person(pulls: list[PullRequest]) -> None:
    for pull in pulls:
        people = [one.state for one in pull.reviews if one.reviewer and not is_bot(one.reviewer.login or "")]
        if pull.state == "merged" and people:
            assert people[-1] == "approved"


def test_what_fails_is_mostly_run_again(pulls: list[PullRequest]) -> None:
    failed = [(pull, run) for pull in pulls for run in pull.check_runs if run.conclusion == "failure"]
    again = [
        any(
            other.name == run.name and other.conclusion == "success" and other.started_at > run.completed_at  # type: ignore[operator]
            for other in pull.check_runs
        )
        for pull, run in failed
    ]
    assert sum(again) > 0.7 * len(failed) > 0
    merged = [pull for pull in pulls if pull.state == "merged"]
    broken = [pull for pull in merged if dict(_last_conclusions(pull)).get("failure")]
    assert len(broken) < 0.05 * len(merged)


def _last_conclusions(pull: PullRequest) -> Counter[str | None]:
    runs = sorted(pull.check_runs, key=lambda run: run.completed_at)  # type: ignore[arg-type, return-value]
    return Counter({run.name: run.conclusion for run in runs}.values())


def test_a_revert_takes_back_what_was_merged_before(pulls: list[PullRequest]) -> None:
    merged = {pull.title: pull for pull in pulls if pull.state == "merged"}
    reverts = [pull for pull in pulls if is_revert(pull.title)]
    assert 0.002 < len(reverts) / len(pulls) < 0.04
    for pull in reverts:
        before = merged[pull.title.removeprefix('Revert "').removesuffix('"')]
        assert before.merged_at is not None
        assert before.merged_at < pull.created_at
        assert before.repo == pull.repo
        assert (before.additions, before.deletions) == (pull.deletions, pull.additions)
        assert [file.filename for file in before.files] == [file.filename for file in pull.files]
    assert len({pull.title for pull in reverts}) == len(reverts)


def test_a_hotfix_is_fast_and_follows_an_incident(source: DemoSource, pulls: list[PullRequest]) -> None:
    timing = Timing(_setting(members=12))
    hotfixes = [pull for pull in pulls if is_hotfix(pull.title, pull.head_ref) and not is_revert(pull.title)]
    assert 0.002 < len(hotfixes) / len(pulls) < 0.05
    for pull in hotfixes:
        incident = next(filter(None, (timing.incident(timing.share(pull.number - 1, at)) for at in (0, 0.5, 0.999))))
        assert pull.title.startswith(f"hotfix({incident.area}): ")
        assert pull.merged_at is None or pull.merged_at - pull.created_at < timedelta(hours=4)


def test_files_are_where_the_purpose_says(pulls: list[PullRequest]) -> None:
    for word in ("docs", "test"):
        for pull in pulls:
            if pull.title.startswith(f"{word}("):
                assert word in {file_category(file.filename) for file in pull.files}


def test_a_path_is_added_once(pulls: list[PullRequest]) -> None:
    added = Counter(file.filename for pull in pulls for file in pull.files if file.status == "added")
    assert sum(count > 1 for count in added.values()) <= 0.005 * len(added)


def test_files_and_branches_are_named_in_a_few_words(pulls: list[PullRequest]) -> None:
    names = [
        file.filename.rpartition("/")[2].partition(".")[0]
        for pull in pulls
        for file in pull.files
        if file.filename not in demo_words.ROOT
    ]
    assert max(map(len, names)) <= 64
    assert sum(name.count("_") < 6 for name in names) > 0.97 * len(names)
    branches = [(pull.head_ref or "").partition("/")[2] for pull in pulls]
    assert sum(branch.count("-") < 6 for branch in branches) > 0.9 * len(branches)


@pytest.mark.slow
def test_a_name_stands_for_one_title_and_no_file_that_is_there() -> None:
    for area, objects in demo_words.AREAS.items():
        there = {path for path, _ in demo_words.POOLS["any"][area]}
        assert len(there) == len(demo_words.POOLS["any"][area])
        names = Counter(
            demo_words.in_short(short.format(o=one), tail)
            for one in objects
            for purpose in demo_words.PURPOSES
            for _, short in purpose.deeds
            for tail in ("", *purpose.tails)
        )
        assert names.most_common(1)[0][1] == 1
        patterns = {pattern for some in demo_words.OWN.values() for pattern in some}
        assert there.isdisjoint(pattern.format(area=area, own=name) for pattern in patterns for name in names)


def test_most_files_are_about_what_the_pull_request_is_about(pulls: list[PullRequest]) -> None:
    objects = [demo_words.written(one) for some in demo_words.AREAS.values() for one in some]
    small = [pull for pull in pulls if pull.changed_files < 10 and not pull.title.startswith("Revert")]
    about = []
    for pull in small:
        its = [one for one in objects if one in demo_words.written(pull.title)]
        about += [any(one in file.filename for one in its) for file in pull.files]
    assert sum(about) > 0.5 * len(about)


def test_remarks_and_messages_fit_the_file(pulls: list[PullRequest]) -> None:
    for pull in pulls:
        for review in pull.reviews:
            file, colon, remark = (review.body or "").partition(": ")
            if colon and file.startswith("`docs/"):
                assert not {"lock", "database", "loop", "condition", "function"} & set(remark.rstrip("?.").split())
    names = {"o": "o", "O": "O", "t": "t", "f": "f", "b": "b", "n": 2, "m": 2, "p": "p", "h": "h"}
    tables = (demo_words.REMARKS, demo_words.STEPS, demo_words.ANSWERS, demo_words.BOT_REMARKS)
    texts = [text for table in tables for some in table.values() for text in some]
    texts += [
        text
        for purpose in (*demo_words.PURPOSES, demo_words.REVERT, demo_words.HOTFIX)
        for text in (*purpose.occasions, *purpose.trials)
    ]
    assert all("{" not in text.format(**names) for text in texts)


def test_nobody_commits_by_the_second_or_at_the_windows_first_moment(pulls: list[PullRequest]) -> None:
    first = min(commit.committed_at for pull in pulls for commit in pull.commits if commit.committed_at)
    moments = [[one.committed_at for one in pull.commits if one.committed_at] for pull in pulls]
    assert sum(at == first for some in moments for at in some) == 1
    gaps = [(later - earlier).total_seconds() for some in moments for earlier, later in pairwise(some)]
    assert sum(gap < 60 for gap in gaps) < 0.06 * len(gaps)
    assert sum(gap == 0 for gap in gaps) < 0.01 * len(gaps)


def test_a_feature_adds_and_every_file_changes_a_line(pulls: list[PullRequest]) -> None:
    features = [pull for pull in pulls if pull.title.startswith("feat(")]
    assert sum(pull.additions < pull.deletions for pull in features) < 0.2 * len(features)
    unchanged = [file for pull in pulls for file in pull.files if not file.additions + file.deletions]
    assert {file.status for file in unchanged} == {"renamed"}


def test_texts_are_many_and_say_something(pulls: list[PullRequest]) -> None:
    titles = Counter(pull.title for pull in pulls)
    assert len(titles) == len(pulls)
    assert len({pull.head_ref for pull in pulls}) > 0.99 * len(pulls)
    comments = [
        (review.body or "", pull)
        for pull in pulls
        for review in pull.reviews
        if review.state in {"commented", "changes_requested"}
    ]
    assert len({body for body, _ in comments}) > 1_000
    named = [any(f"`{file.filename}`" in body for file in pull.files) for body, pull in comments]
    assert sum(named) > 0.9 * len(named)


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_both_ends_of_the_rate_of_assistants(rate: float) -> None:
    source = DemoSource(project="demo", seed=1, prs=100, as_of=date(2026, 1, 31), ai_rate=rate)
    signed = [any(ai_co_authors(commit.message) for commit in pull.commits) for pull in source.pull_requests()]
    assert 90 * rate <= sum(signed) <= 100 * rate  # what takes something back is made without


def test_nobody_has_an_assistant_before_it_is_there() -> None:
    source = DemoSource(project="demo", seed=1, prs=200, as_of=date(2021, 6, 30), ai_rate=1.0)
    assert not any(ai_co_authors(commit.message) for pull in source.pull_requests() for commit in pull.commits)


def test_a_day_has_an_ordinary_share_of_open_pull_requests() -> None:
    for days in (1, 180):
        pulls = list(DemoSource(project="demo", seed=1, prs=400, days=days).pull_requests())
        assert 0.02 < sum(pull.state == "open" for pull in pulls) / len(pulls) < 0.3


def test_nobody_reviews_their_own_work(pulls: list[PullRequest]) -> None:
    assert all(review.reviewer != pull.author for pull in pulls for review in pull.reviews)


def test_a_member_alone_has_only_programs_for_reviewers() -> None:
    pulls = list(DemoSource(project="demo", seed=1, members=1, prs=50).pull_requests())
    assert len({pull.author for pull in pulls}) == 1
    assert all(
        review.reviewer and (review.reviewer.login or "").endswith("[bot]") for p in pulls for review in p.reviews
    )


def test_every_member_is_somebody_in_a_project_of_the_default_size() -> None:
    pulls = list(DemoSource(project="demo", seed=1).pull_requests())
    people = {one.author for pull in pulls for one in (pull, *pull.commits)}
    people |= {review.reviewer for pull in pulls for review in pull.reviews}
    assert len({one for one in people if one and not is_bot(one.login or "")}) == 12


def test_no_title_and_no_branch_passes_for_an_issues_key(pulls: list[PullRequest]) -> None:
    texts = [text for pull in pulls for text in (pull.title, pull.head_ref or "")]
    assert not [text for text in texts if jira_key(text, text.upper())]


def test_pull_requests_are_spread_over_the_repositories_in_any_order() -> None:
    sources = [DemoSource(project="demo", seed=1, repos=repos) for repos in (("b/b", "a/a"), ("a/a", "b/b", "a/a"))]
    one, other = (list(source.pull_requests()) for source in sources)
    assert one == other
    assert len({pull.number for pull in one}) == len(one)
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
        {"ai_rate": 0.4},
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
        ({"ai_rate": 1.5}, "ai_rate = 1.5 is out of bounds"),
        ({"repos": ("../x",)}, "is not a repository's name"),
        ({"project": "a\nb"}, "is not a project's name"),
        ({"project": "\ud800"}, "is not a project's name"),
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


@pytest.mark.parametrize("later", [1, 30])
def test_the_next_days_demo_has_the_same_parts_a_day_later(later: int) -> None:
    def parts(as_of: date) -> dict[int, tuple[Any, ...]]:
        return {
            pull.number: (
                pull.state,
                pull.is_draft,
                [file.filename for file in pull.files],
                sorted(commit.sha for commit in pull.commits),
                sorted((review.id, review.state) for review in pull.reviews),
            )
            for pull in DemoSource(project="demo", seed=1, as_of=as_of, prs=300).pull_requests()
        }

    assert parts(DEFAULT_AS_OF + timedelta(days=later)) == parts(DEFAULT_AS_OF)


def test_the_golden_pull_request() -> None:
    """Changed facts need a raised version."""
    pulls = list(DemoSource(project="golden", seed=42).pull_requests())
    assert msgspec.to_builtins(pulls[43]) == {
        "repo": "golden/golden",
        "number": 1320,
        "title": "Name states of report filters before the migration",
        "body": "The first of 6 steps towards simpler currency totals.\n\nWritten with the help of Cursor.",
        "state": "merged",
        "is_draft": False,
        "created_at": "2025-01-16T20:48:50Z",
        "updated_at": "2025-01-19T08:19:24Z",
        "merged_at": "2025-01-19T08:19:24Z",
        "closed_at": "2025-01-19T08:19:24Z",
        "author": {"login": "teresahahn", "name": "Teresa Hahn", "id": 6377527312386},
        "additions": 49,
        "deletions": 6,
        "changed_files": 3,
        "commits_count": 2,
        "head_ref": "teresa/report-filters-states-before-migration",
        "base_ref": "main",
        "labels": ("area: reports", "refactoring"),
        "milestone": None,
        "assignees": ("teresahahn",),
        "linked_issues": (),
        "commits": (
            {
                "sha": "a41620be8c301282a6885640fa98ec7318f0214f",
                "message": "Name states of report filters before the migration\n\nCo-authored-by: Cursor <cursoragent@cursor.com>",
                "author": {"login": "teresahahn", "name": "Teresa Hahn", "id": 6377527312386},
                "committed_at": "2025-01-16T20:44:50Z",
                "additions": 46,
                "deletions": 6,
            },
            {
                "sha": "58500e47059322d45176b75858d08b2e37490f6f",
                "message": "Split report_filters_states_before_migration_view.tsx as suggested\n\nCo-authored-by: Cursor <cursoragent@cursor.com>",
                "author": {"login": "vickieg", "name": "Vickie Gates", "id": 5991897759745},
                "committed_at": "2025-01-19T04:45:45Z",
                "additions": 3,
                "deletions": 0,
            },
        ),
        "reviews": (
            {
                "id": 4078770990351744,
                "reviewer": {"login": "ruthb", "name": "Ruth Bass", "id": 4916356710409},
                "state": "changes_requested",
                "submitted_at": "2025-01-17T14:02:46Z",
                "body": "`web/src/reports/report_filters_states_before_migration_view.tsx`: Why 66? Can this be a setting?",
            },
            {
                "id": 5656679161005441,
                "reviewer": {"login": "ruthb", "name": "Ruth Bass", "id": 4916356710409},
                "state": "approved",
                "submitted_at": "2025-01-19T04:45:46Z",
                "body": "Looks good to me.",
            },
        ),
        "files": (
            {"filename": "docs/reports/report_filters_setup.md", "status": "modified", "additions": 3, "deletions": 6},
            {
                "filename": "server/migrations/report_filters_states_before_migration.sql",
                "status": "added",
                "additions": 41,
                "deletions": 0,
            },
            {
                "filename": "web/src/reports/report_filters_states_before_migration_view.tsx",
                "status": "added",
                "additions": 5,
                "deletions": 0,
            },
        ),
        "check_runs": (
            {
                "id": 4766347472930176,
                "name": "lint",
                "status": "completed",
                "conclusion": "success",
                "started_at": "2025-01-16T20:49:15Z",
                "completed_at": "2025-01-16T20:50:19Z",
            },
            {
                "id": 6412652460901762,
                "name": "unit tests",
                "status": "completed",
                "conclusion": "success",
                "started_at": "2025-01-16T20:49:21Z",
                "completed_at": "2025-01-16T20:55:47Z",
            },
            {
                "id": 3236827477575044,
                "name": "build",
                "status": "completed",
                "conclusion": "success",
                "started_at": "2025-01-16T20:49:27Z",
                "completed_at": "2025-01-16T20:53:41Z",
            },
            {
                "id": 4430130453677446,
                "name": "end-to-end tests",
                "status": "completed",
                "conclusion": "success",
                "started_at": "2025-01-16T20:49:50Z",
                "completed_at": "2025-01-16T20:59:37Z",
            },
            {
                "id": 3324833504953736,
                "name": "lint",
                "status": "completed",
                "conclusion": "success",
                "started_at": "2025-01-19T04:46:30Z",
                "completed_at": "2025-01-19T04:47:24Z",
            },
            {
                "id": 7577496983700874,
                "name": "unit tests",
                "status": "completed",
                "conclusion": "success",
                "started_at": "2025-01-19T04:46:40Z",
                "completed_at": "2025-01-19T04:46:58Z",
            },
            {
                "id": 5078163709232524,
                "name": "build",
                "status": "completed",
                "conclusion": "success",
                "started_at": "2025-01-19T04:46:48Z",
                "completed_at": "2025-01-19T04:47:01Z",
            },
            {
                "id": 7634491736589710,
                "name": "end-to-end tests",
                "status": "completed",
                "conclusion": "success",
                "started_at": "2025-01-19T04:46:13Z",
                "completed_at": "2025-01-19T04:46:26Z",
            },
        ),
    }


def test_the_golden_facts() -> None:
    source = DemoSource(project="golden", seed=42, repos=("a/a", "b/b"))
    facts = [list(source.pull_requests()), list(source.loose_commits())]
    assert (
        hashlib.sha256(msgspec.json.encode(facts)).hexdigest()
        == "3ef596e39f52f19a630f23d103efb79fdf2f74428528828417e4e4ce94b884a3"
    )

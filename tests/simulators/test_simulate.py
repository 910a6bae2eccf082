"""The simulators together: what every run's events hold to, whatever the facts."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedjournal.journal import Event, canonical_key, encode
from seedjournal.simulators.engineering.cache.source import CacheSource
from seedjournal.simulators.engineering.census import activities, take_census
from seedjournal.simulators.engineering.facts import LooseCommit, PullRequest
from seedjournal.simulators.engineering.kinds import ENGINEERING
from seedjournal.simulators.engineering.people import key_of
from seedjournal.simulators.engineering.reading import Window
from seedjournal.simulators.engineering.simulate import GENERATORS
from tests import scale
from tests.simulators.acme import (
    SHOP,
    SITE,
    TOOLS,
    Facts,
    acme,
    at,
    census,
    commit,
    digest,
    events_of,
    made_of,
    of_kind,
    only,
    pull_request,
    review,
    stated,
    story,
    who,
)
from tests.simulators.arbitrary import LOOSE, lists_of_pull_requests
from tests.simulators.conforming import check_conforms

ROOT = Path(__file__).resolve().parents[2]
REAL = ROOT.parent / "shared" / "data" / "cache"
AS_OF = date(2024, 3, 29)


# Laws


@given(lists_of_pull_requests(), LOOSE, st.integers(0, 2**40))
@settings(max_examples=scale.times(20, 300))
def test_every_event_is_of_the_vocabulary_and_points_inside_its_run(
    facts: list[PullRequest], loose: list[LooseCommit], seed: int
) -> None:
    events = events_of(Facts(*facts, loose=loose), seed=seed)
    check_conforms(events)
    assert {event.project for event in events} == {"acme"}


@given(lists_of_pull_requests(), LOOSE, st.randoms(use_true_random=False))
@settings(max_examples=scale.times(20, 300))
def test_no_order_of_facts_matters(facts: list[PullRequest], loose: list[LooseCommit], chance: random.Random) -> None:
    def shuffled(parts: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(chance.sample(list(parts), len(parts)))

    other = [
        msgspec.structs.replace(
            one,
            commits=shuffled(one.commits),
            reviews=shuffled(one.reviews),
            files=shuffled(one.files),
            check_runs=shuffled(one.check_runs),
            labels=shuffled(one.labels),
            assignees=shuffled(one.assignees),
            linked_issues=shuffled(one.linked_issues),
        )
        for one in shuffled(facts)
    ]
    first = stated(events_of(Facts(*facts, loose=loose), as_of=AS_OF))
    assert stated(events_of(Facts(*other, loose=shuffled(loose)), as_of=AS_OF)) == first


@given(lists_of_pull_requests(range(1, 4)), lists_of_pull_requests(range(4, 7), most=3))
@settings(max_examples=scale.times(20, 300))
def test_more_pull_requests_change_no_event_of_the_others(known: list[PullRequest], new: list[PullRequest]) -> None:
    before = events_of(Facts(*known), as_of=AS_OF)
    after = stated(events_of(Facts(*known, *new), as_of=AS_OF))
    people = {key_of(person) for one in new for person, _ in activities(one)}
    shared = {one.sha for pr in new for one in pr.commits}
    checked = {one.id for pr in new for one in pr.check_runs}
    counted = census(*known, *new)
    named = {counted.issue_key(one) for one in new}
    first = min((one.created_at for one in known), default=at())
    is_earlier = any(one.created_at < first for one in new)  # sprints count from the first
    moved = [one for one in before if one.kind == "commit" and encode(one).event not in after.values()]
    for event in before:
        now = after.get((event.kind, canonical_key(event.key)))
        if now == encode(event).event:
            continue
        match event.kind:
            case "weekly_metrics" | "member_status":
                pass  # a sum over all of them
            case "team_member":
                assert now is not None
                assert event.key["login"] in people
            case "commit":
                assert now is not None
                assert event.key["github_sha"] in shared
            case "pr_check_run":
                assert now is not None
                assert event.key["github_check_run_id"] in checked
            case "pr_survey_review":
                assert event.key["reviewer"] in people  # whose account's id is known now
            case "ai_usage_daily":
                assert moved  # a commit is another's day now
            case "jira_issue":
                assert now is not None
                its = msgspec.json.decode(now)["data"]
                changed = {name for name, value in event.data.items() if its[name] != value}
                renumbered = changed <= {"sprint_id", "sprint_name"} and is_earlier
                assert event.key["jira_key"] in named or renumbered
            case _:
                pytest.fail(f"{event} became {now!r}")


@given(lists_of_pull_requests(), st.integers(0, 40), st.integers(1, 60))
@settings(max_examples=scale.times(15, 300))
def test_another_as_of_adds_and_drops_days_at_the_ends_and_changes_nothing_else(
    facts: list[PullRequest], later: int, days_back: int
) -> None:
    project = acme(days_back=days_back, ai_base_adoption_rate=1.0)
    early, late = AS_OF, AS_OF + timedelta(days=later)
    first = events_of(Facts(*facts), project, as_of=early)
    second = events_of(Facts(*facts), project, as_of=late)

    def within(events: list[Event], low: date, high: date) -> set[bytes]:
        return {
            encode(event).event
            for event in of_kind(events, "ai_usage_daily")
            if low <= date.fromisoformat(str(event.key["date"])) <= high
        }

    start = late - timedelta(days=days_back - 1)
    assert within(first, start, early) == within(second, start, early)
    assert within(second, start, late) == within(second, date.min, date.max)
    assert within(first, early - timedelta(days=days_back - 1), early) == within(first, date.min, date.max)
    # Facts stay as they are, but for who is active; open issues move on, and answers come in.
    for event in first:
        now = (
            json.loads(stated(second)[event.kind, canonical_key(event.key)]) if event.kind != "ai_usage_daily" else None
        )
        before = event.data
        if now is None or now["data"] == before:
            continue
        changed = {name for name, value in before.items() if now["data"][name] != value}
        match event.kind:
            case "member_status":
                assert changed == {"is_active"}
            case "jira_issue":
                assert changed == {"sprint_id", "sprint_name"}
                assert before["resolved_at"] is None
            case "pr_survey":
                assert before["author_responded_at"] is None
            case "pr_survey_review":
                assert changed == {"guess_correct"}
                assert before["guess_correct"] is None
            case _:
                assert event.kind == "weekly_metrics"
                assert changed <= {"surveys_completed", "avg_quality_rating", "guess_accuracy"}


@given(
    lists_of_pull_requests(),
    LOOSE,
    st.none() | st.dates(date(2023, 6, 1), date(2024, 6, 1)),
    st.none() | st.dates(date(2023, 6, 2), date(2024, 6, 2)),
    st.none() | st.integers(1, 3),
)
@settings(max_examples=scale.times(20, 300))
def test_a_window_is_a_filter_on_the_source(
    facts: list[PullRequest], loose: list[LooseCommit], since: date | None, until: date | None, newest: int | None
) -> None:
    def holds(moment: datetime) -> bool:
        return (since is None or moment.date() >= since) and (until is None or moment.date() < until)

    inside = [pr for pr in facts if holds(pr.created_at)]
    if newest is not None:
        by_age = sorted(inside, key=lambda pr: (pr.created_at, pr.number))
        inside = [pr for repo in (SHOP, SITE, TOOLS) for pr in [one for one in by_age if one.repo == repo][-newest:]]
    left = Facts(*inside, loose=[one for one in loose if holds(one.commit.committed_at)])
    part = events_of(Facts(*facts, loose=loose), window=Window(since=since, until=until, newest=newest))
    check_conforms(part)
    assert stated(part) == stated(events_of(left))


def test_hash_seeds_do_not_matter() -> None:
    script = "from tests.simulators.acme import digest, events_of, story; print(digest(events_of(story())))"
    told = {
        subprocess.run(
            [sys.executable, "-c", script],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        for seed in ("0", "4242")
    }
    assert told == {digest(events_of(story()))}


# Windows


def test_the_newest_are_those_of_the_window() -> None:
    facts = Facts(*(pull_request(number, created_at=at(number)) for number in range(1, 9)))
    window = Window(until=at(5).date(), newest=2)
    assert [event.key["number"] for event in of_kind(events_of(facts, window=window), "pull_request")] == [3, 4]


def test_what_a_window_leaves_out_does_not_count() -> None:
    facts = Facts(
        pull_request(1, merged_at=at(1), author=who("bo"), commits=(commit(1, who("bo"), at(8)),)),
        pull_request(2, merged_at=at(2), author=who("bo"), title="ABC-1"),
        pull_request(3, created_at=at(8), title="ABC-1", author=who("bo"), commits=(commit(1, who("bo"), at(8)),)),
    )
    part = events_of(facts, window=Window(since=at(7).date()))
    assert only(part, "member_status").data["role"] == "developer"
    assert only(part, "commit").data["pull_request"] == {"github_repo": SHOP, "number": 3}
    assert only(part, "jira_issue").key["jira_key"] == "ABC-1"
    assert only(part, "weekly_metrics").data["prs_merged"] == 0


def test_a_loose_commit_of_two_repositories_is_one() -> None:
    loose = [LooseCommit(repo=repo, commit=commit(1, who("ada"))) for repo in (TOOLS, SHOP)]
    assert only(events_of(Facts(loose=loose)), "commit").data["github_repo"] == SHOP
    held = events_of(Facts(pull_request(commits=(commit(1),)), loose=loose))
    assert only(held, "commit").data["pull_request"] == {"github_repo": SHOP, "number": 1}


def test_an_empty_source_makes_a_team() -> None:
    assert [event.kind for event in events_of(Facts())] == ["team"]


# What broke in the seed system


def test_no_simulator_knows_the_time_or_a_global_random_number() -> None:
    fetching = ROOT / "simulators" / "engineering" / "github"  # waits for limits; what it gives is what was stored
    for file in sorted(one for one in (ROOT / "simulators").rglob("*.py") if fetching not in one.parents):
        if file.name == "locks.py":  # waits for another process; no event depends on it
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            match node:
                case ast.Import(names=names):
                    assert not {"random", "time", "secrets", "uuid"} & {one.name for one in names}, file
                case ast.ImportFrom(module=module, names=names):
                    taken = {one.name for one in names} - {"UUID"}  # the type alone
                    assert module not in {"random", "time", "secrets", "uuid"} or not taken, file
                case ast.Call(func=ast.Attribute(attr=name)):
                    assert name not in {"now", "today", "utcnow", "random", "urandom"}, file


def test_one_draw_too_many_moves_no_other() -> None:
    alone = {event.kind: event for event in events_of(Facts(pull_request(5, merged_at=at(1))), as_of=AS_OF)}
    many = Facts(*(pull_request(number, merged_at=at(1)) for number in range(1, 9)))
    among = stated(events_of(many, as_of=AS_OF))
    for kind in ("pull_request", "jira_issue", "pr_survey"):
        event = alone[kind]
        assert among[kind, canonical_key(event.key)] == encode(event).event


def test_jira_ids_come_from_no_counter() -> None:
    def ids(*numbers: int) -> dict[Any, Any]:
        facts = Facts(*(pull_request(number) for number in numbers))
        return {event.key["jira_key"]: event.data["jira_id"] for event in of_kind(events_of(facts), "jira_issue")}

    many = ids(*range(1, 500))
    assert len(set(many.values())) == 499
    assert ids(7, 8).items() <= many.items()


def test_survey_times_come_from_the_merge() -> None:
    def delays(days: int) -> list[timedelta]:
        facts = Facts(
            *(pull_request(number, merged_at=at(days), reviews=(review(who("bo")),)) for number in range(1, 40))
        )
        events = events_of(facts, as_of=at(days + 9).date())
        times = [event.data["author_responded_at"] for event in of_kind(events, "pr_survey")]
        times += [event.data["responded_at"] for event in of_kind(events, "pr_survey_review")]
        return [datetime.fromisoformat(str(time)) - at(days) for time in times if time]

    assert delays(1) == delays(1 + 7 * 300)  # on the same weekday
    assert min(delays(1)) >= timedelta(hours=1)


def test_numbers_are_the_repositorys_own() -> None:
    facts = Facts(*(pull_request(1, repo=repo, title=repo, files=()) for repo in (SHOP, SITE)))
    told = of_kind(events_of(facts), "pull_request")
    assert {(event.key["github_repo"], event.data["title"]) for event in told} == {(SHOP, SHOP), (SITE, SITE)}


def test_an_id_of_nought_is_nobodys() -> None:
    facts = Facts(*(pull_request(number, author=who(login)) for number, login in enumerate(("ada", "bo"), 1)))
    assert [event.data["github_id"] for event in of_kind(events_of(facts), "team_member")] == [None, None]


def test_flags_are_told_by_text_and_never_drawn() -> None:
    facts = Facts(*(pull_request(number, title=f"Sell {number} apples", merged_at=at(1)) for number in range(1, 200)))
    told = of_kind(events_of(facts), "pull_request")
    assert not any(event.data["is_revert"] or event.data["is_hotfix"] for event in told)


def test_reviewers_who_did_nothing_else_are_members() -> None:
    events = events_of(Facts(pull_request(reviews=(review(who("Zed")),))))
    assert only(events, "pr_review").data["reviewer"] == "zed"
    assert [event.key["login"] for event in of_kind(events, "team_member")] == ["ada", "zed"]


def test_no_hours_are_hours() -> None:
    facts = Facts(pull_request(merged_at=at(), reviews=(review(who("bo")),)))
    data = only(events_of(facts), "pull_request").data
    assert (data["cycle_time_hours"], data["review_time_hours"]) == ("0.00", "0.00")
    week = next(event for event in of_kind(events_of(facts), "weekly_metrics") if event.key["login"] == "ada")
    assert (week.data["avg_cycle_time_hours"], week.data["avg_review_time_hours"]) == ("0.00", "0.00")


def test_a_second_run_doubles_nothing() -> None:
    assert stated(events_of(story())) == stated(events_of(story()))


# Golden


GOLDEN = {
    'team {"slug":"acme"}': "eb1d08835d087acb",
    'team_member {"login":"ada","team":"acme"}': "5f13ec7379e51709",
    'pull_request {"github_repo":"acme/shop","number":1,"team":"acme"}': "c45b0a0671a7047d",
    'pr_review {"github_repo":"acme/shop","github_review_id":2607820037271698,"number":1,"team":"acme"}': "bddc9d5e5107263c",
    'commit {"github_sha":"0000000000000000000000000000000000000001","team":"acme"}': "e04e9fe044a631ef",
    'pr_file {"filename":"web/Scale.tsx","github_repo":"acme/shop","number":1,"team":"acme"}': "47f3c50c227b22e2",
    'pr_check_run {"github_check_run_id":5,"team":"acme"}': "f596db2a8c1227ce",
    'jira_issue {"jira_key":"ABC-7","team":"acme"}': "c4825a4b1c9fb965",
    'pr_survey {"github_repo":"acme/shop","number":1,"team":"acme"}': "3a7e9bdebd72c6b4",
    'pr_survey_review {"github_repo":"acme/shop","number":1,"reviewer":"bo","team":"acme"}': "0e1f38ccea84dc6a",
    'ai_usage_daily {"date":"2024-03-04","login":"ada","source":"cursor","team":"acme"}': "a721e1b1666b47ea",
    'weekly_metrics {"login":"ada","team":"acme","week_start":"2024-03-04"}': "607c0ce8bab98722",
}
TOTAL = 38
WHOLE = "c284976f9304890b3d50245c24f7d849b614e65ea9c268ee2ca9fb6d947af9fb"


PINNED = {
    "ai_usage": (3, "787496456b7a1b82"),
    "github": (3, "f05236913f776120"),
    "jira": (2, "ae20a7d8ad130a40"),
    "survey": (2, "5842cc9bbfaabbdd"),
    "weekly": (2, "cbd0eb2bc7454e44"),
    "status": (1, "4208dd1c4358904f"),
}


def test_an_event_changes_only_with_its_generators_version() -> None:
    """Where this fails, raise the VERSION of the generator whose events changed, and pin both anew."""
    found: dict[str, list[bytes]] = {}
    for event, simulator in made_of(story(), seed=42, as_of=AS_OF):
        found.setdefault(simulator, []).append(encode(event).event)
    assert {
        name: (GENERATORS[name], hashlib.sha256(b"\n".join(sorted(events))).hexdigest()[:16])
        for name, events in found.items()
    } == PINNED


def test_these_events_never_change() -> None:
    events = events_of(story(), seed=42)
    hashes = {f"{event.kind} {canonical_key(event.key).decode()}": encode(event).hash.hex()[:16] for event in events}
    assert {name: hashes[name] for name in GOLDEN} == GOLDEN
    assert len(events) == TOTAL
    assert digest(events) == WHOLE


# Real projects


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "prs", "merged", "commits", "files", "reviews"),
    [
        ("libuv/libuv", 2_858, 1_942, 5_275, 24_354, 2_514),
        ("fastapi/fastapi", 6_280, 3_538, 19_472, 35_656, 0),
        ("polarsource/polar", 11_096, 3_915, 23_937, 70_483, 0),
        ("documenso/documenso", 2_091, 1_261, 6_822, 46_691, 0),
    ],
)
def test_real_projects_are_counted_right(
    name: str, prs: int, merged: int, commits: int, files: int, reviews: int
) -> None:
    path = REAL / f"{name}.json.gz"
    source = CacheSource(path)
    project = acme(repos=[name])
    counted = take_census(source, source.repositories, project)
    counts: dict[str, int] = dict.fromkeys(ENGINEERING.vocabulary.by_name, 0)
    for event in events_of(source, project, seed=42):
        counts[event.kind] += 1
    assert (counts["team"], counts["team_member"], counts["pr_check_run"]) == (1, len(counted.members), 0)
    assert counts["pull_request"] == prs
    assert counts["pr_survey"] == merged
    assert counts["commit"] == commits
    assert counts["pr_file"] == files
    assert counts["pr_review"] == reviews
    assert prs * 0.99 <= counts["jira_issue"] <= prs
    assert counts["ai_usage_daily"] > 0
    assert counts["weekly_metrics"] > counts["team_member"] / 2

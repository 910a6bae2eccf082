"""The cache source: what it reads, what it refuses and by which words, and that it refuses nothing that is real."""

from __future__ import annotations

import copy
import gzip
import json
import os
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seedjournal.journal import BadInput, SeedJournalError, Unavailable
from seedjournal.simulators.engineering.cache.source import CacheSource
from seedjournal.simulators.engineering.facts import (
    ChangedFile,
    CheckRun,
    Commit,
    Person,
    PullRequest,
    Review,
    Skipped,
    Source,
)
from tests import scale

REAL = Path(__file__).parents[3] / "shared" / "data" / "cache"

Entry = dict[str, Any]
Change = Callable[[Entry], object]


def entry(number: Any = 7, **fields: Any) -> Entry:
    """A complete entry, with every field that the format lists."""
    return {
        "github_pr_id": number,
        "number": number,
        "github_repo": "acme/shop",
        "title": "Sell apples",
        "body": "They are red.",
        "state": "merged",
        "is_merged": True,
        "is_draft": False,
        "created_at": "2024-03-01T10:00:00+00:00",
        "updated_at": "2024-03-02T10:00:00Z",
        "merged_at": "2024-03-02T12:00:00+02:00",
        "closed_at": "2024-03-02T10:00:00Z",
        "additions": 5,
        "deletions": 1,
        "changed_files": 1,
        "commits_count": 1,
        "author_login": "Ada",
        "author_id": 12,
        "author_name": "Ada of Acme",
        "author_avatar_url": None,
        "head_ref": "apples",
        "base_ref": "main",
        "labels": ["feature"],
        "commits": [commit()],
        "reviews": [review()],
        "files": [file()],
        "check_runs": [check_run()],
        "jira_key_from_title": "UTF-8",
        "jira_key_from_branch": None,
        "milestone_title": "Spring",
        "assignees": ["ada"],
        "linked_issues": [3, "SHOP-4"],
    } | fields


def commit(**fields: Any) -> Entry:
    return {
        "sha": "AB" * 20,
        "message": "Sell apples",
        "author_login": "ada",
        "author_name": "Ada of Acme",
        "committed_at": "2024-03-01T09:00:00Z",
        "additions": 5,
        "deletions": 1,
    } | fields


def review(**fields: Any) -> Entry:
    return {
        "github_review_id": 31,
        "reviewer_login": "bob",
        "state": "APPROVED",
        "submitted_at": "2024-03-02T09:00:00Z",
        "body": "Fine",
    } | fields


def file(**fields: Any) -> Entry:
    return {"filename": "shop/apple.py", "status": "added", "additions": 5, "deletions": 1, "patch": None} | fields


def check_run(**fields: Any) -> Entry:
    return {
        "github_id": 51,
        "name": "tests",
        "status": "completed",
        "conclusion": "success",
        "started_at": "2024-03-01T10:01:00Z",
        "completed_at": "2024-03-01T10:02:00Z",
    } | fields


def top(*entries: Any, repo: str = "acme/shop", **fields: Any) -> Entry:
    return {
        "repo": repo,
        "fetched_at": "2024-04-01T00:00:00Z",
        "since_date": "2024-01-01",
        "prs": list(entries),
    } | fields


def write(path: Path, content: Entry | bytes) -> Path:
    """Write a cache file, compressed if its name says so."""
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def facts(path: Path, **options: Any) -> list[PullRequest]:
    return list(CacheSource(path, **options).pull_requests())


def fact(folder: Path, **fields: Any) -> PullRequest:
    (only,) = facts(write(folder / "shop.json", top(entry(**fields))))
    return only


def refusal(path: Path, **options: Any) -> SeedJournalError:
    """The error that reading everything ends in."""
    with pytest.raises(SeedJournalError) as caught:
        facts(path, **options)
    assert caught.value.hint
    return caught.value


def test_an_entry_becomes_a_fact(tmp_path: Path) -> None:
    assert fact(tmp_path) == PullRequest(
        repo="acme/shop",  # type: ignore[arg-type]
        number=7,
        title="Sell apples",
        body="They are red.",
        state="merged",
        created_at=datetime(2024, 3, 1, 10, tzinfo=UTC),
        updated_at=datetime(2024, 3, 2, 10, tzinfo=UTC),
        merged_at=datetime(2024, 3, 2, 10, tzinfo=UTC),
        closed_at=datetime(2024, 3, 2, 10, tzinfo=UTC),
        author=Person(login="Ada", name="Ada of Acme", id=12),
        additions=5,
        deletions=1,
        changed_files=1,
        commits_count=1,
        head_ref="apples",
        base_ref="main",
        labels=("feature",),
        milestone="Spring",
        assignees=("ada",),
        linked_issues=(3, "SHOP-4"),
        commits=(
            Commit(
                sha="ab" * 20,
                message="Sell apples",
                author=Person(login="ada", name="Ada of Acme"),
                committed_at=datetime(2024, 3, 1, 9, tzinfo=UTC),
                additions=5,
                deletions=1,
            ),
        ),
        reviews=(
            Review(
                id=31,
                reviewer=Person(login="bob"),
                state="approved",
                submitted_at=datetime(2024, 3, 2, 9, tzinfo=UTC),
                body="Fine",
            ),
        ),
        files=(ChangedFile(filename="shop/apple.py", status="added", additions=5, deletions=1),),
        check_runs=(
            CheckRun(
                id=51,
                name="tests",
                status="completed",
                conclusion="success",
                started_at=datetime(2024, 3, 1, 10, 1, tzinfo=UTC),
                completed_at=datetime(2024, 3, 1, 10, 2, tzinfo=UTC),
            ),
        ),
    )


def test_it_is_a_source(tmp_path: Path) -> None:
    source: Source = CacheSource(write(tmp_path / "shop.json", top(entry())))
    assert source.name == "cache"
    assert source.repositories == ("acme/shop",)
    assert source.versions == {}
    assert source.skipped == []
    assert list(source.loose_commits()) == []
    assert list(source.pull_requests()) == list(source.pull_requests())


class TestMapping:
    """What real exports write, and what is meant by it."""

    @pytest.mark.parametrize("number", [0, None])
    def test_an_author_id_of_0_is_unknown(self, tmp_path: Path, number: int | None) -> None:
        assert fact(tmp_path, author_id=number).author == Person(login="Ada", name="Ada of Acme")

    @pytest.mark.parametrize("login", [None, "", " "])
    def test_a_deleted_account_is_nobody(self, tmp_path: Path, login: str | None) -> None:
        ghost = fact(
            tmp_path,
            author_login=login,
            author_name="",
            author_id=12,
            commits=[commit(author_login=login, author_name=None)],
            reviews=[review(reviewer_login=login)],
        )
        assert ghost.author is None
        assert ghost.commits[0].author is None
        assert ghost.reviews[0].reviewer is None

    def test_a_name_alone_is_somebody(self, tmp_path: Path) -> None:
        assert fact(tmp_path, author_login=None, author_id=0).author == Person(name="Ada of Acme")

    def test_a_login_that_looks_like_a_name_stays(self, tmp_path: Path) -> None:
        author = fact(tmp_path, author_login="name:ada", author_name=None).author
        assert author == Person(login="name:ada", id=12)

    @pytest.mark.parametrize(
        ("status", "meant"),
        [
            ("added", "added"),
            ("modified", "modified"),
            ("removed", "removed"),
            ("renamed", "renamed"),
            ("copied", "copied"),
            ("deleted", "removed"),
            ("changed", "modified"),
            ("unchanged", "modified"),
            ("DELETED", "removed"),
        ],
    )
    def test_file_statuses(self, tmp_path: Path, status: str, meant: str) -> None:
        assert fact(tmp_path, files=[file(status=status)]).files[0].status == meant

    @pytest.mark.parametrize("state", ["APPROVED", "CHANGES_REQUESTED", "COMMENTED", "DISMISSED", "PENDING", "pending"])
    def test_review_states(self, tmp_path: Path, state: str) -> None:
        assert fact(tmp_path, reviews=[review(state=state)]).reviews[0].state == state.lower()

    def test_a_pending_review_has_no_time_and_an_id_of_0_is_unknown(self, tmp_path: Path) -> None:
        pending = review(state="PENDING", submitted_at=None, github_review_id=0)
        (read,) = fact(tmp_path, reviews=[pending]).reviews
        assert (read.id, read.submitted_at) == (None, None)

    @pytest.mark.parametrize(
        ("fields", "state"),
        [
            ({"state": "closed", "is_merged": True}, "merged"),
            ({"state": "merged", "is_merged": False}, "merged"),
            ({"state": "closed", "is_merged": False, "merged_at": None}, "closed"),
            ({"state": "closed", "is_merged": False, "merged_at": None, "closed_at": None}, "closed"),
            ({"state": "open", "is_merged": False, "merged_at": None, "closed_at": None}, "open"),
        ],
    )
    def test_states(self, tmp_path: Path, fields: Entry, state: str) -> None:
        assert fact(tmp_path, **fields).state == state

    @pytest.mark.parametrize(
        "fields",
        [
            {"body": None, "head_ref": None, "base_ref": None, "milestone_title": None, "updated_at": None},
            {"title": ""},
            {"closed_at": "2024-03-02T09:59:59Z"},
            {"updated_at": "2024-01-01T00:00:00Z"},
            {"check_runs": [check_run(completed_at="2024-03-01T10:00:59Z", conclusion=None)]},
            {"commits": [commit(sha="c" * 64, committed_at="1970-01-01T00:00:00Z")]},
            {"commits": [], "reviews": [], "files": [], "check_runs": [], "labels": [], "assignees": []},
            {"unheard_of": {"deep": [1.5, None]}},
            {"body": "\\u0000 is no NUL, \\ud800 no surrogate, \U0001f34e an apple"},
        ],
        ids=str,
    )
    def test_what_real_exports_hold_is_read(self, tmp_path: Path, fields: Entry) -> None:
        assert fact(tmp_path, **fields).number == 7

    @pytest.mark.parametrize(
        "field",
        ["github_pr_id", "github_repo", "body", "author_name", "author_avatar_url", "milestone_title", "closed_at"],
    )
    def test_what_is_optional_may_be_left_out(self, tmp_path: Path, field: str) -> None:
        short = entry()
        del short[field]
        assert len(facts(write(tmp_path / "shop.json", top(short)))) == 1

    def test_the_top_level_needs_repo_and_prs_only(self, tmp_path: Path) -> None:
        assert len(facts(write(tmp_path / "shop.json", {"prs": [entry()], "repo": "acme/shop"}))) == 1

    def test_a_part_that_is_repeated_word_for_word_counts_once(self, tmp_path: Path) -> None:
        unnamed = review(github_review_id=None)
        read = fact(
            tmp_path,
            commits=[commit(), commit(sha="ab" * 20)],
            files=[file(), file(filename="b"), file()],
            reviews=[review(), review(), unnamed, unnamed, unnamed | {"body": "Another"}],
            check_runs=[check_run(), check_run()],
        )
        assert [len(parts) for parts in (read.commits, read.files, read.reviews, read.check_runs)] == [1, 2, 3, 1]


def put(path: str, value: object) -> Change:
    """A change of one field, by a path such as `commits.0.sha`."""

    def change(changed: Entry) -> None:
        *folders, last = path.split(".")
        place: Any = changed
        for name in folders:
            place = place[int(name) if name.isdigit() else name]
        place[last] = value

    return change


def drop(path: str) -> Change:
    def change(changed: Entry) -> None:
        *folders, last = path.split(".")
        place: Any = changed
        for name in folders:
            place = place[int(name) if name.isdigit() else name]
        del place[last]

    return change


REQUIRED = [
    *("title", "state", "is_merged", "is_draft", "created_at", "updated_at", "additions", "deletions"),
    *("changed_files", "commits_count", "author_login", "author_id", "head_ref", "base_ref", "labels", "commits"),
    *("reviews", "files", "check_runs", "assignees", "linked_issues"),
    *("commits.0.sha", "commits.0.message", "commits.0.committed_at", "commits.0.additions", "commits.0.deletions"),
    *("reviews.0.reviewer_login", "reviews.0.state", "reviews.0.submitted_at"),
    *("files.0.filename", "files.0.status", "files.0.additions", "files.0.deletions"),
    *("check_runs.0.github_id", "check_runs.0.name", "check_runs.0.status"),
]

WRONG: list[tuple[Change, str, str]] = [
    *((drop(path), path.replace(".0", "[0]"), "is missing") for path in REQUIRED),
    (put("title", None), "title", "expected `str`, got `null`"),
    (put("is_draft", 1), "is_draft", "expected `bool`, got `int`"),
    (put("additions", "5"), "additions", "expected `int`, got `str`"),
    (put("additions", 5.0), "additions", "expected `int`, got `float`"),
    (put("additions", -1), "additions", "expected `int` >= 0"),
    (put("deletions", 2**53), "deletions", "expected `int` <= 9007199254740991"),
    (put("deletions", 10**400), "deletions", "expected `int` <= 9007199254740991"),
    (put("author_id", -12), "author_id", "expected `int` >= 0"),
    (put("labels", None), "labels", "expected `array`, got `null`"),
    (put("labels", [{"name": "feature"}]), "labels[0]", "expected `str`, got `object`"),
    (put("assignees", ["ada", 1]), "assignees[1]", "expected `str`, got `int`"),
    (put("linked_issues", [3, 1.5]), "linked_issues[1]", "expected `int | str`, got `float`"),
    (put("jira_key_from_title", 5), "jira_key_from_title", "expected `str | null`, got `int`"),
    (put("author_avatar_url", {}), "author_avatar_url", "expected `str | null`, got `object`"),
    (put("files.0.patch", 5), "files[0].patch", "expected `str | null`, got `int`"),
    (put("github_pr_id", 8), "github_pr_id", "is 8, but number is 7"),
    (put("github_repo", "Acme/shop"), "github_repo", "is 'Acme/shop', but the file's repo is 'acme/shop'"),
    (put("state", "draft"), "state", "is 'draft', not one of open, closed, merged"),
    (put("state", "x" * 500), "state", "..., not one of"),
    (put("state", "open"), "state", "is 'open', but is_merged is true"),
    (put("created_at", "2024-13-01T10:00:00Z"), "created_at", "invalid RFC3339 encoded datetime"),
    (put("created_at", "2024-03-01T10:00:00"), "created_at", "with a timezone"),
    (put("created_at", "2016-12-31T23:59:60Z"), "created_at", "invalid RFC3339 encoded datetime"),
    (put("created_at", "0000-01-01T00:00:00Z"), "created_at", "invalid RFC3339 encoded datetime"),
    (put("created_at", 1700000000), "created_at", "expected `datetime`, got `int`"),
    (put("merged_at", None), "merged_at", "is missing, but the pull request is merged"),
    (lambda pr: pr.update(state="closed", is_merged=False), "merged_at", "but the pull request is closed"),
    (
        lambda pr: pr.update(state="open", is_merged=False, merged_at=None),
        "closed_at",
        "but the pull request is open",
    ),
    (put("commits", [commit(), commit(sha="c" * 39)]), "commits[1].sha", "not 40 or 64 hexadecimal digits"),
    (put("commits.0.sha", "g" * 40), "commits[0].sha", "not 40 or 64 hexadecimal digits"),
    (put("commits.0.sha", "c" * 40 + "\n"), "commits[0].sha", "not 40 or 64 hexadecimal digits"),
    (put("commits.0.committed_at", "yesterday"), "commits[0].committed_at", "invalid RFC3339 encoded datetime"),
    (put("commits.0.additions", -1), "commits[0].additions", "expected `int` >= 0"),
    (put("commits", [commit(), commit(message="Other")]), "commits[1]", "contradicts commits[0]"),
    (put("reviews.0.state", "LIKED"), "reviews[0].state", "is 'LIKED', not one of approved"),
    (put("reviews.0.submitted_at", None), "reviews[0].submitted_at", "only a pending one has no time"),
    (put("reviews", [review(), review(body="Other")]), "reviews[1]", "contradicts reviews[0] about 31"),
    (put("reviews.0.github_review_id", -1), "reviews[0].github_review_id", "expected `int` >= 0"),
    (put("files.0.status", "gone"), "files[0].status", "is 'gone', not one of added"),
    (put("files.0.filename", ""), "files[0].filename", "is empty"),
    (put("files", [file(), file(additions=9)]), "files[1]", "contradicts files[0] about 'shop/apple.py'"),
    (put("check_runs.0.github_id", 0), "check_runs[0].github_id", "expected `int` >= 1"),
    (put("check_runs", [check_run(), check_run(name="x")]), "check_runs[1]", "contradicts check_runs[0] about 51"),
    (put("title", "a\0b"), "title", "holds a NUL character"),
    (put("labels", ["a", "\0"]), "labels[1]", "holds a NUL character"),
    (put("files.0.patch", "\0"), "files[0].patch", "holds a NUL character"),
    (put("commits.0.message", "cut \ud83d"), "commits[0].message", "holds half of a surrogate pair"),
    (put("body", "\udc00 \ud83d\ude00"), "body", "holds half of a surrogate pair"),
]


@pytest.mark.parametrize(("change", "field", "reason"), WRONG, ids=[f"{field}: {reason}" for _, field, reason in WRONG])
def test_a_wrong_entry_is_named_by_file_entry_and_field(
    tmp_path: Path, change: Change, field: str, reason: str
) -> None:
    wrong = entry()
    change(wrong)
    path = write(tmp_path / "acme" / "shop.json.gz", top(entry(1), wrong, entry(9)))

    error = refusal(path)
    assert isinstance(error, BadInput)
    assert error.message.startswith(f"{path}: entry 1 (pull request 7): {field}: ")
    assert reason in error.message
    assert "--skip-invalid" in error.hint
    assert "'.prs[1]'" in error.hint

    source = CacheSource(path, skip_invalid=True)
    assert [pr.number for pr in source.pull_requests()] == [1, 9]
    assert [pr.number for pr in source.pull_requests()] == [1, 9]
    assert source.skipped == [
        Skipped(file=str(path), entry="entry 1 (pull request 7)", reason=error.message.split(": ", 2)[2])
    ]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (5, "entry 1: expected `object`, got `int`"),
        (None, "entry 1: expected `object`, got `null`"),
        ({}, "entry 1: number: is missing"),
        (entry(0), "entry 1: number: expected `int` >= 1"),
        (entry("7", github_pr_id=7), "entry 1: number: expected `int`, got `str`"),
        (entry(10**400), "entry 1: number: expected `int` <= 9007199254740991"),
    ],
    ids=["number", "null", "empty", "0", "text", "huge"],
)
def test_an_entry_without_a_number_is_named_by_its_place(tmp_path: Path, wrong: object, message: str) -> None:
    path = write(tmp_path / "shop.json", top(entry(1), wrong))
    assert message in refusal(path).message
    assert len(facts(path, skip_invalid=True)) == 1


def test_a_file_with_a_nul_and_half_a_pair_names_the_field_of_each(tmp_path: Path) -> None:
    path = write(tmp_path / "shop.json", top(entry(1), entry(2, title="\0"), entry(3, body="\ud800")))
    source = CacheSource(path, skip_invalid=True)
    assert [pr.number for pr in source.pull_requests()] == [1]
    reason = "holds a NUL character or half of a surrogate pair, which a database cannot store"
    assert [skipped.reason for skipped in source.skipped] == [f"title: {reason}", f"body: {reason}"]


def test_a_nul_in_a_field_that_is_not_listed_is_nobodys_business(tmp_path: Path) -> None:
    assert fact(tmp_path, unheard_of="\0").number == 7


def test_a_number_that_stands_twice_makes_both_entries_wrong(tmp_path: Path) -> None:
    path = write(tmp_path / "shop.json", top(entry(7), entry(8), entry(7, title="Sell pears")))
    error = refusal(path)
    assert error.message == f"{path}: entry 0 (pull request 7): number: 7 is also the number of entry 2"

    source = CacheSource(path, skip_invalid=True)
    assert [pr.number for pr in source.pull_requests()] == [8]
    assert [skipped.entry for skipped in source.skipped] == ["entry 0 (pull request 7)", "entry 2 (pull request 7)"]


def test_skipped_lists_each_entry_once_in_the_order_of_the_files(tmp_path: Path) -> None:
    for name in ("b", "a"):
        wrong = [entry(number, github_repo=f"acme/{name}", state="?") for number in (3, 2)]
        write(
            tmp_path / "acme" / f"{name}.json", top(*wrong, entry(1, github_repo=f"acme/{name}"), repo=f"acme/{name}")
        )
    source = CacheSource(tmp_path, skip_invalid=True)
    assert len(list(source.pull_requests())) == len(list(source.pull_requests())) == 2
    assert [(Path(skipped.file).name, skipped.entry) for skipped in source.skipped] == [
        ("a.json", "entry 0 (pull request 3)"),
        ("a.json", "entry 1 (pull request 2)"),
        ("b.json", "entry 0 (pull request 3)"),
        ("b.json", "entry 1 (pull request 2)"),
    ]


GOOD = json.dumps(top(entry())).encode()

BROKEN: dict[str, tuple[str, bytes, str]] = {
    "truncated gzip": ("shop.json.gz", gzip.compress(GOOD)[:-20], "ends too early"),
    "not gzip": ("shop.json.gz", GOOD, "not a gzip file"),
    "damaged gzip": ("shop.json.gz", gzip.compress(GOOD)[:30] + b"\0\0\0" + gzip.compress(GOOD)[33:], "damaged"),
    "text after the gzip": ("shop.json.gz", gzip.compress(GOOD) + b"more", "not a gzip file"),
    "empty gzip": ("shop.json.gz", b"", "is not JSON"),
    "gzip under a plain name": ("shop.json", gzip.compress(GOOD), "is not UTF-8 at byte 1"),
    "empty": ("shop.json", b"", "is not JSON"),
    "truncated": ("shop.json", GOOD[:-5], "is not JSON"),
    "text after the end": ("shop.json", GOOD + b"x", "is not JSON"),
    "not UTF-8": ("shop.json", GOOD.replace(b"red", b"r\xe9d"), f"is not UTF-8 at byte {GOOD.index(b'red') + 1}"),
    "UTF-8 that breaks off": ("shop.json", GOOD + b"\xc3", f"is not UTF-8 at byte {len(GOOD)}"),
    "a surrogate as UTF-8": ("shop.json", GOOD.replace(b"red", b"\xed\xa0\x80"), "is not UTF-8"),
    "NaN": ("shop.json", GOOD.replace(b'"additions": 5', b'"additions": NaN'), "is not JSON"),
    "a raw NUL": ("shop.json", GOOD.replace(b"red", b"\0"), "is not JSON"),
    "a bad escape": ("shop.json", GOOD.replace(b"red", rb"\x"), "is not JSON"),
    "nested": ("shop.json", b'{"prs": ' + b"[" * 10**6 + b"]" * 10**6 + b"}", "nested too deeply"),
    "nested unheard of": ("shop.json", b'{"x": ' + b'{"x": ' * 10**5, "nested too deeply"),
    "a list": ("shop.json", b"[]", "expected `object`, got `array`"),
    "null": ("shop.json", b"null", "expected `object`, got `null`"),
    "no repo": ("shop.json", b'{"prs": []}', "repo: is missing"),
    "no prs": ("shop.json", b'{"repo": "acme/shop"}', "prs: is missing"),
    "prs null": ("shop.json", b'{"repo": "acme/shop", "prs": null}', "prs: expected `array`, got `null`"),
    "repo a number": ("shop.json", b'{"repo": 5, "prs": []}', "repo: expected `str`, got `int`"),
    "repo with ..": ("shop.json", b'{"repo": "../shop", "prs": []}', "repo: '../shop' is not a repository's name"),
    "repo with NUL": ("shop.json", rb'{"repo": "acme/sh\u0000op", "prs": []}', "repo: "),
    "repo with half a pair": ("shop.json", rb'{"repo": "acme/sh\ud800op", "prs": []}', "repo: "),
    "fetched_at naive": (
        "shop.json",
        b'{"repo": "acme/shop", "prs": [], "fetched_at": "2024-01-01T00:00:00"}',
        "fetched_at: expected `datetime` with a timezone",
    ),
    "since_date": ("shop.json", b'{"repo": "acme/shop", "prs": [], "since_date": "May"}', "since_date: invalid"),
}


@pytest.mark.parametrize(("name", "content", "reason"), BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("skip_invalid", [False, True])
def test_a_broken_file_is_an_error_that_names_it(
    tmp_path: Path, name: str, content: bytes, reason: str, *, skip_invalid: bool
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    error = refusal(path, skip_invalid=skip_invalid)
    assert isinstance(error, BadInput)
    assert error.message.startswith(str(path))
    assert reason in error.message
    with pytest.raises(BadInput):
        _ = CacheSource(path).repositories
    with pytest.raises(BadInput):
        CacheSource(path).digest()


def test_a_bomb_is_read_up_to_the_bound(tmp_path: Path) -> None:
    bomb = write(tmp_path / "shop.json.gz", top(entry(body="a" * 10**7)))
    assert bomb.stat().st_size < 10**5
    assert "holds more than 100,000 bytes of JSON" in refusal(bomb, largest=100_000).message
    plain = write(tmp_path / "plain" / "shop.json", GOOD)
    assert "holds more than" in refusal(plain, largest=len(GOOD) - 1).message
    assert len(facts(plain, largest=len(GOOD))) == 1


class TestFiles:
    """Which files a path names."""

    def test_a_folder_holds_repositories_at_any_depth(self, tmp_path: Path) -> None:
        root = tmp_path / ".seeding_cache"
        write(root / "deep" / "er" / "b" / "tool.json", top(entry(2, github_repo="b/tool"), repo="b/tool"))
        write(root / "acme" / "shop.json.gz", top(entry(1)))
        write(root / ".hidden.json", b"not read")
        write(root / ".hidden" / "x.json", b"not read")
        write(root / "notes.txt", b"not read")
        source = CacheSource(root)
        assert source.repositories == ("acme/shop", "b/tool")
        assert [(pr.repo, pr.number) for pr in source.pull_requests()] == [("acme/shop", 1), ("b/tool", 2)]

    def test_plain_compressed_moved_and_renamed_are_the_same(self, tmp_path: Path) -> None:
        plain = CacheSource(write(tmp_path / "a" / "shop.json", top(entry())))
        packed = CacheSource(write(tmp_path / "b" / "other.json.gz", top(entry())).parent)
        assert list(plain.pull_requests()) == list(packed.pull_requests())
        assert plain.digest() == packed.digest()
        changed = CacheSource(write(tmp_path / "c" / "shop.json", top(entry(title="Sell pears"))))
        assert changed.digest() != plain.digest()

    def test_leaving_out_invalid_entries_is_part_of_the_digest(self, tmp_path: Path) -> None:
        path = write(tmp_path / "shop.json", top(entry(state="?")))
        assert CacheSource(path).digest() != CacheSource(path, skip_invalid=True).digest()

    @pytest.mark.parametrize("named", ["", "shop.json", "shop.json.gz"])
    def test_twins_are_refused(self, tmp_path: Path, named: str) -> None:
        write(tmp_path / "acme" / "shop.json", top(entry()))
        write(tmp_path / "acme" / "shop.json.gz", top(entry()))
        with pytest.raises(BadInput, match=r"two files of one repository: shop\.json and shop\.json\.gz"):
            CacheSource(tmp_path / "acme" / named)

    @pytest.mark.parametrize("repo", ["acme/shop", "Acme/Shop"])
    def test_one_repository_in_two_files_is_refused(self, tmp_path: Path, repo: str) -> None:
        one = write(tmp_path / "a.json", top(entry()))
        two = write(tmp_path / "b.json", top(repo=repo))
        source = CacheSource(tmp_path)
        for _ in range(2):
            with pytest.raises(BadInput) as caught:
                _ = source.repositories
            assert caught.value.message == f"{one} and {two} both hold {repo}."
        assert "both hold" in refusal(tmp_path).message

    def test_what_is_missing_or_empty_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(Unavailable, match=r"nowhere cannot be read: No such file"):
            CacheSource(tmp_path / "nowhere")
        with pytest.raises(Unavailable, match="cannot be read"):
            CacheSource(Path("a\0b"))
        with pytest.raises(BadInput, match="holds no cache file"):
            CacheSource(tmp_path)
        with pytest.raises(BadInput, match=r"notes\.txt is not a cache file"):
            CacheSource(write(tmp_path / "notes.txt", b""))

    def test_links_that_lead_out_are_refused(self, tmp_path: Path) -> None:
        outside = write(tmp_path / "outside" / "shop.json", top(entry()))
        for name, target in (("shop.json", outside), ("folder", outside.parent)):
            root = tmp_path / f"with {name}"
            root.mkdir()
            (root / name).symlink_to(target)
            with pytest.raises(BadInput, match=f"{name} is a link that leads out of the cache folder"):
                CacheSource(root)

    def test_links_that_lead_nowhere_are_refused(self, tmp_path: Path) -> None:
        (tmp_path / "shop.json").symlink_to(tmp_path / "nowhere.json")
        with pytest.raises(Unavailable, match=r"shop\.json cannot be read"):
            CacheSource(tmp_path)
        (tmp_path / "loop.json").symlink_to(tmp_path / "loop.json")
        with pytest.raises(Unavailable, match=r"loop\.json cannot be read"):
            CacheSource(tmp_path)

    def test_links_inside_are_read_where_they_lead_to(self, tmp_path: Path) -> None:
        write(tmp_path / "acme" / "shop.json", top(entry()))
        (tmp_path / "again").symlink_to(tmp_path / "acme")
        assert len(facts(tmp_path)) == 1
        link = tmp_path / "link"
        link.symlink_to(tmp_path / "acme")
        assert len(facts(link)) == 1

    def test_a_pipe_is_refused_and_not_waited_for(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "shop.json")
        for path in (tmp_path, tmp_path / "shop.json"):
            with pytest.raises(BadInput, match="is not a regular file"):
                CacheSource(path)

    def test_a_file_that_changes_between_two_readings_is_refused(self, tmp_path: Path) -> None:
        path = write(tmp_path / "shop.json", top(entry()))
        source = CacheSource(path)
        source.digest()
        write(path, top(entry(title="Sell pears")))
        with pytest.raises(Unavailable, match="changed while it was read"):
            list(source.pull_requests())


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)
surrogates = st.text(st.characters(categories=["Cs", "Cc", "Lu"]), max_size=5)
times = st.sampled_from(["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59.999999-12:00", "1969-12-31T23:59:59Z", ""])


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container of a JSON value, and every name or index in it."""
    for name, part in list(value.items() if isinstance(value, dict) else enumerate(value)):
        yield value, name
        if isinstance(part, dict | list):
            yield from places(part)


@settings(
    max_examples=scale.times(100, 1000), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_no_mutation_of_an_entry_ends_in_anything_but_our_errors(tmp_path: Path, data: st.DataObject) -> None:
    content = copy.deepcopy(top(entry(1), entry(2)))
    for _ in range(data.draw(st.integers(1, 3))):
        container, name = data.draw(st.sampled_from(list(places(content))))
        if data.draw(st.booleans()):
            container[name] = data.draw(values | surrogates | times)
        elif isinstance(container, dict):
            del container[name]
    path = write(tmp_path / "shop.json", content)
    for skip_invalid in (False, True):
        source = CacheSource(path, skip_invalid=skip_invalid)
        try:
            read = list(source.pull_requests())
        except SeedJournalError:
            continue
        assert len(read) + len(source.skipped) == len(content["prs"])
        for pr in read:
            json.dumps(pr.title).encode()
            assert "\0" not in f"{pr.title}{pr.body}{pr.labels}"


@settings(
    max_examples=scale.times(100, 1000), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_no_bytes_end_in_anything_but_our_errors(tmp_path: Path, data: st.DataObject) -> None:
    text = bytearray(data.draw(st.sampled_from([GOOD, gzip.compress(GOOD, mtime=0), b""])))
    for _ in range(data.draw(st.integers(0, 3))):
        start, end = sorted(data.draw(st.tuples(st.integers(0, len(text)), st.integers(0, len(text)))))
        end = data.draw(st.sampled_from([start, min(start + 1, len(text)), end]))
        text[start:end] = data.draw(
            st.binary(max_size=8) | st.sampled_from([rb"\ud800", rb"\u0000", b"[" * 5000, b"9" * 5000])
        )
    name = data.draw(st.sampled_from(["shop.json", "shop.json.gz"]))
    path = tmp_path / name
    (tmp_path / "shop.json").unlink(missing_ok=True)
    (tmp_path / "shop.json.gz").unlink(missing_ok=True)
    path.write_bytes(text)
    for skip_invalid in (False, True):
        source = CacheSource(path, skip_invalid=skip_invalid)
        try:
            list(source.pull_requests())
            _ = source.repositories
            source.digest()
        except SeedJournalError as error:
            assert str(path) in error.message  # noqa: PT017


@given(order=st.permutations(range(6)))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_order_of_entries_changes_no_fact(tmp_path: Path, order: list[int]) -> None:
    entries = [
        entry(number, title=f"Change {number}", state="?" if number == 1 else "merged") for number in range(1, 6)
    ]
    entries.append(entry(5, title="The other 5"))
    write(tmp_path / "shop.json", top(*(entries[place] for place in order)))
    source = CacheSource(tmp_path, skip_invalid=True)
    assert sorted((pr.number, pr.title) for pr in source.pull_requests()) == [
        (2, "Change 2"),
        (3, "Change 3"),
        (4, "Change 4"),
    ]
    assert len(source.skipped) == 3


@pytest.mark.shared
class TestRealFiles:
    """Real history, read where it lies: nothing of it is refused."""

    @pytest.mark.parametrize(
        ("repo", "counts"),
        [
            ("libuv/libuv", (2858, 1942, 357, 5275, 24354, 2514)),
            ("fastapi/fastapi", (6280, 3538, 171, 19472, 35656, 0)),
            ("polarsource/polar", (11096, 3915, 59, 23937, 70483, 0)),
            ("documenso/documenso", (2091, 1261, 163, 6822, 46691, 0)),
        ],
    )
    def test_pull_requests_merged_open_commits_files_and_reviews(self, repo: str, counts: tuple[int, ...]) -> None:
        source = CacheSource(REAL / f"{repo}.json.gz")
        states: list[str] = []
        shas: set[str] = set()
        files = reviews = 0
        for pr in source.pull_requests():
            states.append(pr.state)
            shas.update(one.sha for one in pr.commits)
            files += len(pr.files)
            reviews += len(pr.reviews)
        assert source.repositories == (repo,)
        assert (len(states), states.count("merged"), states.count("open"), len(shas), files, reviews) == counts

    def test_shuffled_and_written_again_they_give_the_same_facts(self, tmp_path: Path) -> None:
        real = REAL / "libuv" / "libuv.json.gz"
        content = json.loads(gzip.decompress(real.read_bytes()))
        random.Random(1).shuffle(content["prs"])
        again = facts(write(tmp_path / "libuv.json", content))
        assert sorted(again, key=lambda pr: pr.number) == sorted(facts(real), key=lambda pr: pr.number)

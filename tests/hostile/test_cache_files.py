"""Cache files made to harm: what is taken can be projected, verified and shown; what is refused changes nothing."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine
from sqlalchemy import text as sql

from tests import scale
from tests.conftest import MAKES
from tests.hostile.test_command_line import printable
from tests.seedjournal.commands import Done, call, driver_url, entry, write_cache

Run = Callable[..., Done]

RECORD = ("record", "--project", "rocket", "--new", "--source", "cache:cache")
FILE = Path("cache/acme/rocket.json.gz")
SHA = "5eed" * 10
LARGEST = 2**53 - 1

TEXTS = (
    *(
        "'; DROP TABLE teams; --",
        '"); DELETE FROM journal_runs; --',
        "\\",
        "\\N",
        "\\.",
        "%s %(x)s :x ?",
        "{}",
        "$1",
        "\t",
    ),
    *(
        "\x1b[2J\x1b]0;title\x07",
        "\x9b31m",
        "\u202egpj.exe",
        "\u2066\u2069",
        "\u200b",
        "\ufeff",
        "\r\n",
        "\x7f",
        "\x01",
    ),
    *("\u0378", "\U000e0fff", "\U0010ffff", "\ufffe", "\u2028", "\u0085", "e\u0301", "\u1e9e", "\u0130", "\U0001f680"),
    *("x" * 3_000, "\u6f22" * 3_000, "<!-- x -->", " ", "-x", "../../x", "/etc/passwd", "ABC-1", "null", "[bot]"),
)
INSTANTS = ("1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59.999999Z", "2024-02-29T23:59:59+14:00")


def nasty(text: str, moment: str, number: int, place: int) -> dict[str, Any]:
    """A pull request with this text, moment and number wherever one can be."""
    who = {"author_login": text, "author_name": text}
    return entry(
        place,
        **who,
        title=text,
        body=text,
        head_ref=text,
        base_ref=text,
        labels=[text, ""],
        milestone_title=text,
        assignees=[text],
        linked_issues=[text, number],
        created_at=moment,
        updated_at=moment,
        merged_at=moment,
        closed_at=moment,
        additions=number,
        deletions=0,
        changed_files=number,
        commits_count=number,
        commits=[
            {
                **who,
                "sha": f"{place:02}" + SHA[2:],
                "message": text,
                "committed_at": moment,
                "additions": 0,
                "deletions": number,
            }
        ],
        reviews=[
            {
                "github_review_id": number,
                "reviewer_login": login,
                "state": "approved",
                "submitted_at": moment,
                "body": text,
            }
            for login in (f"{text}2",)
        ],
        files=[{"filename": text, "status": "added", "additions": number, "deletions": 0}],
        check_runs=[
            {"github_id": number or 1, "name": text, "status": text, "conclusion": text}
            | {"started_at": moment, "completed_at": moment}
        ],
    )


@pytest.mark.slow
@pytest.mark.parametrize("make", MAKES)
def test_every_text_goes_through_and_comes_out_as_it_was(
    make: str, make_url: Callable[[str], str], run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = make_url(make)
    monkeypatch.setenv("SEEDJOURNAL_JOURNAL", url)
    moments = (INSTANTS[place % len(INSTANTS)] for place in range(len(TEXTS)))
    entries = [
        nasty(text, moment, number, place)
        for place, (text, moment, number) in enumerate(
            zip(TEXTS, moments, [1, LARGEST // 100, 0, 7] * len(TEXTS), strict=False), 1
        )
    ]
    for one in entries:  # a check run belongs to one pull request only, and a number to one run
        one["check_runs"][0]["github_id"] = one["number"]
    write_cache(Path("cache"), *entries)
    run(*RECORD)
    run("project")
    assert set(_column(url, "pull_requests", "title")) == {text[:500] for text in TEXTS}
    assert set(_column(url, "commits", "message")) == set(TEXTS)
    assert run("verify", "--json").json["ok"]
    write_cache(Path("cache"), *[one | {"title": f"{one['title']}!"} for one in entries])
    run(*RECORD, "--policy", "pull_request=upsert", "--policy", "pr_file=exact")
    run("project")
    assert run("verify", "--json").json["ok"]
    for command in (
        ("log",),
        ("diff",),
        ("show", "2"),
        ("show", "pull_request", "rocket", "acme/rocket", "10"),
        ("verify",),
    ):
        printable(run(*command))
    changes = run("diff", "--kind", "pull_request", "--json").json["changes"]
    assert {change["fields"]["title"]["old"] for change in changes} == {text for text in TEXTS if len(text) < 500}


def _column(url: str, table: str, name: str) -> list[Any]:
    """A column's values, whatever its place."""
    engine = create_engine(driver_url(url))
    with engine.connect() as connection:
        found = [row[0] for row in connection.execute(sql(f"SELECT {name} FROM {table}"))]
    engine.dispose()
    return found


texts = st.one_of(st.sampled_from(TEXTS), st.text(max_size=30))
numbers = st.sampled_from((0, 1, LARGEST, LARGEST // 2, -1, 2**53, 2**63, 2**64, 10**30, -0.0, 1.5, None, "1", True))
moments = st.sampled_from(
    (
        *INSTANTS,
        *("0000-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00", "2016-12-31T23:59:60Z", None, 0),
        *("2025-03-01T08:00:00", "2025-02-30T00:00:00Z", "10000-01-01T00:00:00Z", "", "2025-03-01T24:00:00Z"),
    )
)


@settings(max_examples=scale.times(6, 100))
@given(text=texts, moment=moments, number=numbers, spoilt=st.sampled_from(("text", "moment", "number")))
@example(text="x", moment="9999-12-31T23:59:59Z", number=LARGEST, spoilt="moment")
def test_any_entry_is_taken_whole_or_refused_by_name(
    text: str, moment: Any, number: Any, spoilt: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    one = nasty(
        text if spoilt == "text" else "a title",
        moment if spoilt == "moment" else INSTANTS[0],
        number if spoilt == "number" else 3,
        3,
    )
    write_cache(tmp_path / "cache", one)
    for file in tmp_path.glob("j.db*"):
        file.unlink()
    place = ("--journal", f"sqlite:///{tmp_path}/j.db")
    done = call(capsys, (*RECORD, *place))
    assert done.status in {0, 3}, done
    printable(done)
    if done.status:
        assert "rocket.json.gz: entry 0 (pull request 3): " in done.err or "2^53" in done.err, done.err
        assert not Path("j.db").exists()
        return
    assert call(capsys, ("project", *place)).status == 0
    done = call(capsys, ("verify", *place))
    assert done.status == 0, done


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=10)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=6,
)


@given(field=st.sampled_from(sorted(entry(1))), value=json_values)
def test_any_value_in_any_field(field: str, value: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    document = {"repo": "acme/rocket", "prs": [{**entry(1), field: value}]}
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_bytes(gzip.compress(json.dumps(document).encode()))
    for file in tmp_path.glob("j.db*"):
        file.unlink()
    done = call(capsys, (*RECORD, "--journal", f"sqlite:///{tmp_path}/j.db"))
    assert done.status in {0, 3}, done
    printable(done)


DEEP = {
    "lists": b"[" * 100_000,
    "closed lists": b"[" * 100_000 + b"]" * 100_000,
    "objects": b'{"a":' * 100_000,
    "in an entry": b'{"repo":"acme/rocket","prs":[{"number":1,"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}]}",
    "in a label": b'{"repo":"acme/rocket","prs":[{"number":1,"labels":' + b"[" * 100_000 + b"]" * 100_000 + b"}]}",
    "outside": b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b',"repo":"acme/rocket","prs":[]}',
}


@pytest.mark.parametrize("content", DEEP.values(), ids=DEEP)
def test_what_is_nested_a_hundred_thousand_deep(content: bytes, run: Run) -> None:
    FILE.parent.mkdir(parents=True)
    FILE.write_bytes(gzip.compress(content))
    assert "rocket.json.gz" in run(*RECORD, status=3).err
    assert not Path("seedjournal.db").exists()


@pytest.mark.parametrize("repo", ["../../x", "/etc/passwd", "a/../b", "..", "a/..", "-x", "a/b/c", "a\\b", "a/b\n", ""])
def test_a_repository_may_not_lead_anywhere(repo: str, run: Run) -> None:
    FILE.parent.mkdir(parents=True)
    FILE.write_bytes(gzip.compress(json.dumps({"repo": repo, "prs": []}).encode()))
    assert "is not a repository's name" in run(*RECORD, status=3).err
    assert (
        "is not a repository's name"
        in run(*RECORD[:3], "--new", "--source", "demo", "--set", f"repos=[{json.dumps(repo)}]", status=2).err
    )
    assert [str(file) for file in Path().rglob("*") if file.is_file()] == [str(FILE)]


def test_links_that_lead_out_are_refused(run: Run, tmp_path: Path) -> None:
    outside = write_cache(tmp_path / "outside", entry(1))
    FILE.parent.mkdir(parents=True)
    for link in (FILE, Path("cache/acme/other.json")):
        link.symlink_to(outside)
        assert "leads out of the cache folder" in run(*RECORD, status=3).err
        link.unlink()
    Path("cache/evil").symlink_to(outside.parent)
    assert "leads out of the cache folder" in run(*RECORD, status=3).err


@pytest.mark.scales
def test_a_million_files_in_a_pull_request(run: Run) -> None:
    files = ",".join(
        f'{{"filename":"src/{number}.py","status":"added","additions":1,"deletions":0}}'
        for number in range(scale.times(100_000, 1_000_000))
    )
    document = json.dumps({"repo": "acme/rocket", "prs": [entry(1)]})
    FILE.parent.mkdir(parents=True)
    FILE.with_suffix("").write_text(document.replace('"files": []', f'"files": [{files}]'), encoding="utf-8")
    done = run(*RECORD, "--json").first
    assert done["kinds"]["pr_file"]["total"] == 100


@pytest.mark.scales
def test_a_text_of_a_hundred_megabytes(run: Run) -> None:
    """Of ten in `make test`."""
    size = scale.times(450_000, 4_500_000)
    write_cache(Path("cache"), entry(1, body="generated with claude. " * size, title="x" * 2 * size))
    run(*RECORD)
    run("project")
    assert run("verify", "--json").json["ok"]


def test_rows_are_those_of_the_file_alone(run: Run) -> None:
    """SQL in a repository's settings is text as well."""
    write_cache(Path("cache"), entry(1))
    run(*RECORD, "--set", "description='); DROP TABLE journal_events; --", "--set", "team_name=Robert'); --")
    run("project")
    assert _column("sqlite:///seedjournal.db", "teams", "name") == ["Robert'); --"]


def test_a_bomb_is_read_up_to_a_limit_that_can_be_set(run: Run) -> None:
    FILE.parent.mkdir(parents=True)
    with gzip.open(FILE, "wb", compresslevel=9) as packed:
        packed.write(b'{"repo":"acme/rocket","prs":[')
        for _ in range(16):
            packed.write(b" " * (1 << 20))
        packed.write(b"]}")
    assert FILE.stat().st_size < 30_000
    done = run(*RECORD, "--set", "max_cache_mb=15", status=3)
    assert "holds more than 15 MB of JSON" in done.err
    assert "max_cache_mb" in done.err
    assert not Path("seedjournal.db").exists()
    first = run(*RECORD, "--set", "max_cache_mb=17", "--json").first
    again = run(*RECORD, "--json").first
    assert (again["root"], again["reused"], again["inputs_changed"]) == (first["root"], True, {})

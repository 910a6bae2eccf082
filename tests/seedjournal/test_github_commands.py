"""The source `github` as its user meets it: record, --offline, --estimate, fetched, and what is never shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from seedjournal.simulators.engineering.github import store
from tests.seedjournal.commands import Done
from tests.simulators.github.hub import Hub, Reply, Serving
from tests.simulators.github.world import SECRET, hub_of, large

Run = Callable[..., Done]

RECORD = ("record", "--project", "thing", "--new", "--source", "github", "--set", "repos=example/thing")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """A server that the environment names, with a token for it and a cache of its own."""
    serving = Serving(hub_of(45))
    monkeypatch.setattr(store, "DURABILITY", "OFF")
    monkeypatch.setenv("SEEDJOURNAL_GITHUB_API", serving.address)
    monkeypatch.setenv("SEEDJOURNAL_GITHUB_TOKENS", SECRET)
    monkeypatch.setenv("SEEDJOURNAL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))  # no gh
    yield serving.hub
    serving.close()


def test_a_second_record_asks_little_and_appends_nothing(hub: Hub, at: str, run: Run) -> None:
    first = run(*RECORD, "--json").first
    assert first["appended"] == first["counts"]["total"] > 45
    asked = len(hub.asked)
    again = run(*RECORD, "--json").first
    assert len(hub.asked) == asked + 1
    assert (again["root"], again["appended"], again["reused"]) == (first["root"], 0, True)


def test_offline_asks_nothing_and_gives_the_same_root(hub: Hub, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run(*RECORD, "--json").first
    asked = len(hub.asked)
    monkeypatch.delenv("SEEDJOURNAL_GITHUB_TOKENS")
    offline = run(*RECORD, "--offline", "--no-reuse", "--json").first
    assert (offline["root"], len(hub.asked)) == (first["root"], asked)


def test_offline_with_nothing_fetched_says_so(hub: Hub, run: Run) -> None:
    assert run(*RECORD, "--offline", status=3).err == (
        "error: Nothing of example/thing was fetched yet.\n  try: Leave out --offline to fetch it.\n"
    )
    assert hub.asked == []


def test_offline_knows_what_is_not_the_whole(hub: Hub, run: Run) -> None:
    run(*RECORD, "--since", "2024-01-02")
    done = run(*RECORD, "--offline", status=3)
    assert "was fetched only back to 2024-01-02" in done.err
    assert run(*RECORD, "--offline", "--since", "2024-01-02", "--json").first["appended"] == 0


def test_offline_and_a_repository_elsewhere_exclude_each_other(run: Run) -> None:
    where = "git:https://git.invalid/a/b.git"
    assert "--offline" in run("record", "--project", "x", "--new", "--source", where, "--offline", status=2).err


def test_without_a_token_three_ways_out_are_told(hub: Hub, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEEDJOURNAL_GITHUB_TOKENS")
    for variable in ("GITHUB_TOKEN", "GITHUB_SEEDING_TOKENS"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.delenv("SEEDJOURNAL_GITHUB_API")
    assert run("record", "--project", "fastapi", status=3).err == (
        "error: Project 'fastapi': GitHub's API needs a token, and there is none.\n"
        "  try: Set GITHUB_TOKEN, or SEEDJOURNAL_GITHUB_TOKENS for several, or run `gh auth login`. Without a token, use "
        "`--source git:https://github.com/fastapi/fastapi.git`.\n"
    )


def test_a_project_without_repositories_is_told(hub: Hub, run: Run) -> None:
    assert "names no repository" in run("record", "--project", "x", "--new", "--source", "github", status=2).err


def test_an_unknown_repository_leaves_nothing_behind(hub: Hub, run: Run) -> None:
    done = run(*RECORD[:-1], "repos=example/nothing", status=3)
    assert "Could not resolve to a Repository" in done.err
    assert run("fetched").out == "nothing was fetched yet\n"


def test_an_estimate_asks_once_and_makes_nothing(hub: Hub, run: Run, tmp_path: Path) -> None:
    (told,) = run(*RECORD, "--estimate", "--json").json["estimate"]
    assert told == {
        "project": "thing",
        "repo": "example/thing",
        "pull_requests": 45,
        "stored": 0,
        "requests": 4,
        "points": 8,
        "remaining": 4999,
        "limit": 5000,
        "seconds": 8,
    }
    assert len(hub.asked) == 1
    assert not (tmp_path / "seedjournal.db").exists()
    assert not (tmp_path / "cache").exists()


def test_an_estimate_counts_what_is_there_and_waits_for_resets(hub: Hub, run: Run) -> None:
    run(*RECORD)
    text = run(*RECORD, "--estimate").out
    assert text.splitlines()[1].split() == ["thing", "example/thing", "45", "45", "1", "2", "4,993", "2", "s"]
    hub.limit, hub.used = 3, {}
    run("fetched", "example/thing", "--delete", "--yes")
    (told,) = run(*RECORD, "--estimate", "--json").json["estimate"]
    assert told["seconds"] == 8 + 2 * 3600
    (told,) = run(*RECORD, "--since", "2024-01-02", "--estimate", "--json").json["estimate"]
    assert told["pull_requests"] == 24


def test_an_estimate_is_for_github(run: Run) -> None:
    assert (
        "is not recorded from GitHub"
        in run("record", "--project", "x", "--new", "--source", "demo", "--estimate", status=2).err
    )


def test_what_is_partial_is_seen_everywhere(hub: Hub, run: Run) -> None:
    hub.pulls[7] = large(7, files=150)
    hub.most_files = 120
    done = run(*RECORD)
    assert "partial: files of 1 pull request of example/thing; `seedjournal show RUN`" in done.out
    shown = run("show", "thing@latest").out
    assert "example/thing: 45 pull requests of 45" in shown
    assert "files: 44 complete, 1 partial, 0 failed" in shown
    assert "pull request 7: files partial, 120 of 150" in shown
    assert "not complete: files partial, 120 of 150" in run("show", "pull_request", "thing", "example/thing", "7").out
    assert "not complete" not in run("show", "pull_request", "thing", "example/thing", "8").out
    assert "1 without all files" in run("fetched").out
    (told,) = run("show", "thing@latest", "--json").json["inputs"]["completeness"].values()
    assert told["connections"]["files"]["partial"] == 1


def test_a_renamed_repository_keeps_its_name_here(hub: Hub, run: Run) -> None:
    hub.repo = "example/renamed"
    assert "example/thing is example/renamed on GitHub now" in run(*RECORD).out


def test_check_runs_can_be_left_out(hub: Hub, run: Run) -> None:
    run(*RECORD, "--set", "check_runs=false")
    assert not any(asked.variables["checks"] for asked in hub.asked)
    assert "covers from the beginning up to its last fetch, without check runs" in run("fetched").out


def test_what_was_fetched_is_listed_exported_and_deleted(hub: Hub, run: Run, tmp_path: Path) -> None:
    first = run(*RECORD, "--json").first
    (listed,) = run("fetched", "--json").json["fetched"]
    assert (listed["repo"], listed["pull_requests"], listed["counted"], listed["pages"]) == ("example/thing", 45, 45, 3)
    out = run("fetched", "EXAMPLE/thing", "--export", "out").out
    assert out.startswith("example/thing (127.0.0.1-")
    assert "45 pull requests → out/example/thing.json.gz" in out.splitlines()[0]
    cached = run("record", "--project", "thing", "--source", "cache:out", "--json").first
    assert cached["counts"]["total"] == first["counts"]["total"]
    assert run("fetched", "--export", "out", status=3).err.startswith("error: out/example/thing.json.gz exists already")
    assert "Add --yes" in run("fetched", "example/thing", "--delete", status=2).err
    run("fetched", "example/thing", "--delete", "--yes")
    assert run("fetched", "--json").json["fetched"] == []
    assert list((tmp_path / "cache").rglob("*.db*")) == []


def test_fetched_names_what_it_does_not_know(hub: Hub, run: Run) -> None:
    assert "Nothing was fetched of example/other" in run("fetched", "example/other", status=3).err
    assert "--delete needs the name" in run("fetched", "--delete", "--yes", status=2).err
    assert "cannot be combined" in run("fetched", "a/b", "--delete", "--export", "x", status=2).err


def test_an_unfinished_fetch_is_not_exported(hub: Hub, run: Run) -> None:
    hub.faults.append(lambda asked: Reply(status=401, body={"message": "Bad credentials"}) if asked.place else None)
    run(*RECORD, status=3)
    assert "unfinished" in run("fetched").out
    assert "was not fetched to the end" in run("fetched", "--export", "out", status=3).err
    assert "was not fetched to the end" in run(*RECORD, "--offline", status=3).err
    hub.faults.clear()
    run(*RECORD)
    assert hub.asked[-1].variables["after"]


def test_a_token_is_never_shown(hub: Hub, run: Run, tmp_path: Path) -> None:
    echo = {"message": f"got Bearer {SECRET}"}
    hub.faults.append(lambda asked: Reply(status=403, body=echo) if asked.place == 1 else None)
    for options in ((), ("--debug",), ("--json",), ("--debug", "--json")):
        hub.asked.clear()
        done = run(*RECORD, *options, status=3)
        assert SECRET not in done.out + done.err
        assert "got Bearer ***" in done.out + done.err
        run("fetched", "example/thing", "--delete", "--yes")
    hub.faults.clear()
    run(*RECORD)
    for file in tmp_path.rglob("*"):
        assert file.is_dir() or SECRET.encode() not in file.read_bytes(), file


def test_an_address_without_tls_gets_no_token(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEEDJOURNAL_GITHUB_API", "http://git.example.com/api")
    monkeypatch.setenv("GITHUB_TOKEN", SECRET)
    done = run(*RECORD, status=2)
    assert "without TLS" in done.err
    assert SECRET not in done.err


def test_a_pull_request_that_cannot_be_right_is_named_and_can_be_skipped(hub: Hub, run: Run) -> None:
    hub.pulls[5]["commits"][0]["commit"]["oid"] = "no name"
    done = run(*RECORD, status=3)
    assert "error: example/thing: pull request 5: commits[0].sha: is 'no name'" in done.err
    skipped = run(*RECORD, "--skip-invalid", "--json").first
    assert [one["entry"] for one in skipped["skipped_entries"]] == ["pull request 5"]
    assert skipped["kinds"]["pull_request"]["total"] == 44


def test_a_window_states_what_was_created_in_it(hub: Hub, run: Run) -> None:
    whole = run(*RECORD, "--since", "2024-01-02", "--json").first
    assert whole["kinds"]["pull_request"]["total"] == 22
    assert whole["completeness"]["example/thing"]["pull_requests"] == {
        "stored": 24,
        "counted": None,
        "since": "2024-01-02T00:00:00+00:00",
    }
    assert "24 pull requests updated since 2024-01-02" in run("show", "thing@latest").out


def test_new_pull_requests_are_added(hub: Hub, run: Run) -> None:
    run(*RECORD)
    hub.now += timedelta(days=1)
    extra = hub_of(46).pulls[46]
    hub.pulls[46] = {**extra, "updatedAt": hub.now.isoformat().replace("+00:00", "Z")}
    hub._order = None
    run(*RECORD)
    changes = run("diff", "--kind", "pull_request", "--json").json["changes"]
    assert [(one["change"], one["key"]["number"]) for one in changes] == [("added", 46)]


def test_a_damaged_store_is_named_and_can_be_deleted(hub: Hub, run: Run, tmp_path: Path) -> None:
    run(*RECORD)
    (file,) = (tmp_path / "cache").rglob("thing.db")
    file.write_bytes(b"not a database, but something else" * 100)
    done = run(*RECORD, status=3)
    assert f"error: {file} cannot hold what is fetched" in done.err
    assert "seedjournal fetched --delete" in done.err
    assert run("fetched", "example/thing", "--delete", "--yes").out.endswith("): deleted\n")
    run(*RECORD)


def test_a_cache_that_cannot_be_written_is_named(hub: Hub, run: Run, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    assert "SEEDJOURNAL_CACHE" in run(*RECORD, status=3).err

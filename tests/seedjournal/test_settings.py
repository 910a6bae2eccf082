"""Where settings come from, and what is said when they are wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from seedjournal.settings import Settings, addresses
from tests.seedjournal.commands import DEMO, SMALL, TWENTY, Done, entry, write_cache

Run = Callable[..., Done]


@pytest.fixture
def make() -> str:
    """One make: settings are read before a database is opened."""
    return "sqlite"


FILE = Path("seedjournal.toml")


def settings_of(run: Run, which: str = "1") -> dict[str, object]:
    found: dict[str, object] = run("show", which, "--json").json["inputs"]["settings"]
    return found


def test_option_over_environment_over_file_over_default(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def made(*arguments: str) -> set[str]:
        before = {file.name for file in Path().glob("*.db")}
        run("migrate", *arguments)
        return {file.name for file in Path().glob("*.db")} - before

    assert made() == {"seedjournal.db"}
    FILE.write_text('journal = "sqlite:///file.db"\ntarget = "sqlite:///file-target.db"\n')
    assert made() == {"file.db", "file-target.db"}
    monkeypatch.setenv("SEEDJOURNAL_JOURNAL", "sqlite:///environment.db")
    monkeypatch.setenv("SEEDJOURNAL_TARGET", "sqlite:///environment-target.db")
    assert made() == {"environment.db", "environment-target.db"}
    assert made("--journal", "sqlite:///option.db", "--target", "sqlite:///option-target.db") == {
        "option.db",
        "option-target.db",
    }
    monkeypatch.setenv("SEEDJOURNAL_JOURNAL", "")
    monkeypatch.setenv("SEEDJOURNAL_TARGET", "")
    assert made() == set()
    assert "file.db" in run("migrate").out
    assert "empty" in run("log", "--journal", "", status=2).err


def test_the_target_is_the_journals_database_by_default(filled: Callable[..., str], run: Run) -> None:
    filled(TWENTY, ("project",))
    assert len({one["database"] for one in run("migrate", "--json").json["migrated"]}) == 1


def test_project_settings_option_over_file_over_registry_over_default(at: str, run: Run) -> None:
    demo = ("record", "--project", "polar", "--source", "demo", "--set", "prs=2", "--set", "days=10")
    run(*demo)
    assert settings_of(run)["survey_response_rate"] == "0.6"
    assert settings_of(run)["ai_base_adoption_rate"] == "0.45"
    FILE.write_text("[projects.polar]\nsurvey_response_rate = 0.7\nai_base_adoption_rate = 0.8\n")
    run(*demo, "--set", "ai_base_adoption_rate=0.9")
    found = settings_of(run, "2")
    assert (found["survey_response_rate"], found["ai_base_adoption_rate"]) == ("0.7", "0.9")
    assert (found["team_name"], found["days_back"]) == ("Polar.sh", 180)


def test_variables_in_addresses(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    named = ("--journal", "sqlite:///${SEEDS_NAME}.db")
    done = run("log", "--json", *named, status=2)
    assert "SEEDS_NAME, which is not set" in done.error["message"]
    monkeypatch.setenv("SEEDS_NAME", "named")
    run("migrate", *named)
    assert Path("named.db").exists()
    assert "SEEDS_OTHER" in run("log", "--journal", "sqlite:///${SEEDS_OTHER}.db", status=2).err


def test_a_variable_in_an_address_may_hold_anything(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEEDS_PASSWORD", "s@cr/t:wor?d")
    address = "postgresql://me:${SEEDS_PASSWORD}@127.0.0.1:1/x"
    assert addresses(Settings(), address, None).journal == "postgresql://me:s%40cr%2Ft%3Awor%3Fd@127.0.0.1:1/x"
    done = run("log", "--journal", address, status=3)
    assert not any(part in done.out + done.err for part in ("s@cr", "cr/t", "wor?d", "%40cr", "wor%3Fd"))
    monkeypatch.setenv("SEEDS_PASSWORD", "already%40written")
    assert "me:already%40written@" in addresses(Settings(), address, None).journal


@pytest.mark.parametrize(
    ("content", "nearest"),
    [
        ('jurnal = "sqlite:///x.db"', "Did you mean journal?"),
        ("[project.mine]\nprs = 3", "Did you mean projects?"),
        ("[projects.mine]\nsurvey_respons_rate = 0.5", "Did you mean projects.mine.survey_response_rate?"),
    ],
)
def test_an_unknown_key_names_the_nearest(content: str, nearest: str, run: Run) -> None:
    FILE.write_text(content)
    done = run("log", "--json", status=2)
    assert done.error["message"].startswith("seedjournal.toml: there is no key ")
    assert done.error["hint"] == nearest


@pytest.mark.parametrize(
    "content",
    ["journal = ", "journal = 3", 'projects = "mine"', "[projects]\nmine = 3", "journal = '\udcff'"],
)
def test_a_file_that_cannot_be_right(content: str, run: Run) -> None:
    FILE.write_bytes(content.encode(errors="surrogateescape"))
    assert run("log", "--json", status=3).error["message"].startswith("seedjournal.toml")


@pytest.mark.parametrize(
    "setting",
    ["survey_response_rate=1.5", "prs=-1", "quality_rates={1=0.5}", "repos=nobody"],
)
def test_a_setting_out_of_its_range(setting: str, at: str, run: Run) -> None:
    done = run(*DEMO, "--set", setting, "--json", status=2)
    assert done.error["kind"] == "usage"


def test_wrong_words_for_settings_and_policies(at: str, run: Run) -> None:
    assert "survey_response_rate" in run(*DEMO, "--set", "survey_rate=0.5", status=2).err
    assert "is not KEY=VALUE" in run(*DEMO, "--set", "prs", status=2).err
    assert "once, upsert and exact" in run(*DEMO, "--policy", "team=never", status=2).err
    assert "is not a kind" in run(*DEMO, "--policy", "teem=once", status=2).err
    assert "cannot be exact" in run(*DEMO, "--policy", "pull_request=exact", status=2).err
    assert "exact" in run(*DEMO, "--policy", "jira_issue=exact", "--since", "2025-01-01", status=2).err
    assert "is not a date" in run(*DEMO, "--as-of", "yesterday", status=2).err


def test_an_unknown_project_names_the_nearest_and_leaves_nothing(run: Run) -> None:
    FILE.write_text("[projects.rocket]\n")
    done = run("record", "--project", "rockets", "--source", "demo", "--json", status=2)
    assert done.error["message"] == "There is no project 'rockets'."
    assert "rocket" in done.error["hint"]
    assert "polar" in run("record", "--project", "pola", "--source", "demo", status=2).err
    assert "Did you mean " in run("record", "--project", "%", "--source", "demo", status=2).err
    assert not list(Path().glob("*.db"))
    run("record", "--project", "rocket", *SMALL)
    run("record", "--project", "polar", "--new", *SMALL)


def test_a_project_that_the_journal_knows_is_not_new(filled: Callable[..., str], run: Run) -> None:
    filled(TWENTY)
    run("record", "--project", "demo", *SMALL)
    done = run("record", "--project", "deno", "--project", "dmeo", *SMALL, status=2)
    assert "There is no project 'dmeo'" in done.err
    assert "demo" in done.err


def test_a_cache_folder_of_the_settings_gives_the_projects_repositories(at: str, run: Run, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    for place, repo in enumerate(("acme/rocket", "acme/anvil", "other/thing"), 1):
        write_cache(cache, entry(place), repo=repo)
    FILE.write_text('[projects.mine]\nrepos = ["acme/rocket", "acme/anvil"]\nsource = "cache:cache"\n')
    done = run("record", "--project", "mine", "--json").first
    assert done["kinds"]["pull_request"]["total"] == 2
    named = run("record", "--project", "mine", "--source", "cache:cache", "--json").first
    assert named["reused"]
    assert named["repositories"] == ["acme/anvil", "acme/rocket"]
    assert named["repositories_not_named"] == ["other/thing"]
    said = run("record", "--project", "mine", "--source", "cache:cache").out
    assert "  read acme/anvil, acme/rocket\n  not read, as the project does not name them: other/thing\n" in said
    everything = run("record", "--project", "theirs", "--new", "--source", "cache:cache", "--json").first
    assert everything["repositories"] == ["acme/anvil", "acme/rocket", "other/thing"]
    FILE.write_text('[projects.mine]\nrepos = ["acme/rocket", "acme/absent"]\nsource = "cache:cache"\n')
    assert "acme/absent" in run("record", "--project", "mine", status=3).err
    partly = run("record", "--project", "mine", "--source", "cache:cache", "--yes").out
    assert "  read acme/rocket\n" in partly
    assert "named by the project, and not in the folder: acme/absent" in partly
    FILE.write_text('[projects.mine]\nrepos = ["acme/absent"]\n')
    refused = run("record", "--project", "mine", "--source", "cache:cache", "--json", status=3).error
    assert "holds no cache file of acme/absent" in refused["message"]
    run("record", "--project", "mine", "--source", "cache:cache", "--set", "repos=acme/anvil", "--yes")


def test_all_is_every_project_of_the_file_and_one_failure_stops_no_other(at: str, run: Run) -> None:
    small = 'source = "demo"\nprs = 3\ndays = 10\nmembers = 3\n'
    FILE.write_text(
        f'[projects.one]\n{small}[projects.two]\nsource = "cache:absent.json"\n[projects.three]\n{small}'
        f"[projects.four]\n{small}sprint_days = 0\n"
    )
    done = run("record", "--all", "--json", status=3)
    assert [one["project"] for one in done.json["runs"]] == ["one", "three"]
    assert [(one["project"], one["error"]["kind"]) for one in done.json["errors"]] == [
        ("two", "unavailable"),
        ("four", "input"),
    ]
    assert done.err.count("error: ") == 2
    text = run("record", "--all", status=3)
    assert "two: not recorded" in text.out
    assert "absent.json" in text.err
    assert [one["project"] for one in run("log", "--json").json["runs"]] == ["one", "three"] * 2
    run("project")
    run("verify")


def test_a_bug_in_one_project_stops_no_other(at: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from seedjournal.simulators.engineering.demo.source import DemoSource

    digest = DemoSource.digest

    def broken(self: DemoSource) -> str:
        if self.repositories[0].startswith("one"):
            raise KeyError("a bug")
        return digest(self)

    monkeypatch.setattr(DemoSource, "digest", broken)
    projects = ("--project", "one", "--project", "two", "--new", *SMALL)
    done = run("record", *projects, "--json", status=4)
    assert [one["project"] for one in done.json["runs"]] == ["two"]
    assert [one["error"]["kind"] for one in done.json["errors"]] == ["bug"]
    assert "Traceback" not in done.err
    assert "Traceback" in run("record", *projects, "--debug", status=4).err


def test_all_without_a_file_is_the_registry(at: str, run: Run) -> None:
    demo = ("--source", "demo", "--set", "prs=0", "--set", "members=1", "--set", "days=1")
    assert len(run("record", "--all", *demo, "--json").json["runs"]) == 25
    assert "cannot be combined" in run("record", "--all", "--project", "polar", status=2).err
    assert "nothing to record" in run("record", status=2).err


def test_groups_of_kinds_have_a_policy_at_once(at: str, run: Run, tmp_path: Path) -> None:
    def policies(*more: str) -> dict[str, str]:
        told: dict[str, str] = run(*TWENTY, *more, "--json").first["policies"]
        return told

    assert set(policies("--policy", "all=exact").values()) == {"exact"}
    chosen = policies("--policy", "team=once", "--policy", "github=upsert", "--policy", "all=once")
    assert (chosen["team"], chosen["commit"]) == ("once", "upsert")
    (tmp_path / "seedjournal.toml").write_text(
        '[policy]\nall = "upsert"\nteam = "once"\n[projects.demo.policy]\npull_request = "once"\n'
    )
    chosen = policies("--policy", "pr_file=once")
    assert [chosen[kind] for kind in ("team", "pull_request", "commit", "pr_file")] == [
        "once",
        "once",
        "upsert",
        "once",
    ]
    (tmp_path / "seedjournal.toml").write_text('[policy]\ngithup = "upsert"\n')
    assert "the nearest is 'github'" in run("log", status=2).err
    (tmp_path / "seedjournal.toml").write_text("policy = 1\n")
    assert "policy is not a table" in run("log", status=3).err


def test_every_wrong_policy_is_told_at_once(at: str, run: Run) -> None:
    done = run(
        *DEMO, *(part for text in ("teem=once", "commit=upsrt", "team") for part in ("--policy", text)), status=2
    )
    for told in ("the nearest is 'team'", "the nearest is 'upsert'", "'team' is not KIND=POLICY"):
        assert told in done.err
    computed = run(*DEMO, "--policy", "jira_issue=once", status=2)
    assert "jira_issue is computed from the facts, so it has no policy" in computed.err
    done = run(*DEMO, "--policy", "pull_request=exact", status=2)
    for kind in ("pr_review", "commit", "pr_file", "pr_check_run"):
        assert f"--policy {kind}=exact" in done.err
    chosen = done.err.partition("Add ")[2].partition(",")[0].split()
    run(*DEMO, "--policy", "pull_request=exact", *chosen)


def test_a_value_that_a_setting_cannot_have_is_wrong_usage(at: str, run: Run, tmp_path: Path) -> None:
    for value in ("prs=abc", "quality_rates={1=1.0, 2=1.0, 3=1.0}", "prs=-1"):
        run(*DEMO, "--set", value, status=2)
    assert "'abc' is not a whole number" in run(*DEMO, "--seed", "abc", status=2).err
    (tmp_path / "seedjournal.toml").write_text('[projects.demo]\nprs = "abc"\n')
    run("record", "--project", "demo", "--source", "demo", "--set", "days=40", status=3)

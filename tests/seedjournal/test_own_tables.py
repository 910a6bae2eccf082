"""The built-in domain into the tables of a Django application, which it owns, reads and writes in between."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, make_url
from sqlalchemy import event as events

from seedjournal.journal import JOURNAL_HISTORY, ensure, open_database
from tests.analytics.running import make_tables, running
from tests.conftest import Urls
from tests.projectors.invented import member, note, team
from tests.seedjournal.commands import SMALL, Done, asked, entry, execute, write_cache

Run = Callable[..., Done]

EXAMPLE = Path(__file__).parents[2] / "examples" / "django_analytics"


@pytest.fixture
def target(make_url: Urls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The application's database, empty but for its tables; the folder has the map."""

    def fill(address: str) -> None:
        with running(address):
            make_tables()

    url = make_url.filled("postgresql", "the application's tables", fill)
    for file in ("map.py", "seedjournal.toml"):
        shutil.copy(EXAMPLE / file, tmp_path)
    monkeypatch.setenv("SEEDJOURNAL_TARGET", url)
    return url


TABLES = (
    "teams_team metrics_teammember metrics_pullrequest metrics_prreview metrics_commit metrics_prfile metrics_prcheckrun "
    "metrics_jiraissue metrics_prsurvey metrics_prsurveyreview metrics_aiusagedaily metrics_weeklymetrics"
).split()


PARTS = {"member_status"}  # of kinds that have tables


def versions(url: str) -> dict[str, list[Any]]:
    """Which transaction wrote each row."""
    return {name: sorted(asked(url, f"SELECT id, xmin::text FROM {name}")) for name in TABLES}


def test_the_application_reads_saves_and_adds_rows_in_between(run: Run, target: str) -> None:
    run("record", "--project", "demo", "--new", *SMALL, "--set", "prs=12")
    first = run("project", "--json").json["projects"]["demo"]["kinds"]
    assert all(one["inserted"] for kind, one in first.items()), first
    assert {name: len(rows) for name, rows in versions(target).items()} == {
        name: first[kind]["inserted"]
        for name, kind in zip(TABLES, (one for one in first if one not in PARTS), strict=True)
    }
    with running(target) as models:
        added = models.PullRequest.objects.create(
            team=models.Team.objects.get(), github_pr_id=1, github_repo="mine/mine"
        )
        assert added.id == 1  # derived ids leave the sequence alone
        saved = models.PullRequest.objects.exclude(id=1).order_by("github_pr_id").first()
        assert saved.ai_signals == {}
        assert saved.author is None or saved.author.team == saved.team
        saved.llm_summary = {"summary": "of the application's own"}
        saved.save()
    assert written(run, target) == []
    run("record", "--project", "demo", *SMALL, "--set", "prs=9", "--fresh")
    done = run("project", "--yes", "--json").json["projects"]["demo"]["kinds"]
    assert sum(one["inserted"] + one["updated"] + one["deleted"] for one in done.values())
    with running(target) as models:
        assert models.PullRequest.objects.filter(id=1).exists()
        assert models.PullRequest.objects.get(id=saved.id).llm_summary == saved.llm_summary
        again = models.Team.objects.get()
        assert again.updated_at >= again.created_at
    assert run("verify", "--json").json["findings"] == []


@pytest.mark.slow
def test_two_logins_with_one_github_id(run: Run, target: str, tmp_path: Path) -> None:
    """Real members changed their logins: the application lets one of them have the id."""
    journal = open_database("sqlite:///seedjournal.db", create=True)
    ensure(journal, JOURNAL_HISTORY, create=True)
    members = [member("first", github_id=5), member("second", github_id=5), member("third", github_id=6)]
    note(journal, [team(), *members])
    run("project")
    ids = "SELECT email, github_id FROM metrics_teammember ORDER BY email"
    shown = [("first@example.com", "5"), ("second@example.com", ""), ("third@example.com", "6")]
    assert asked(target, ids) == shown
    assert run("verify", "--json").json["findings"] == []
    note(journal, [team(), *members[1:]], fresh=True)
    run("project", "--yes")
    assert asked(target, ids) == [("second@example.com", "5"), ("third@example.com", "6")]
    note(journal, [team(), *members], fresh=True)
    run("project", "--yes")
    assert asked(target, ids) == shown
    without = (tmp_path / "map.py").read_text().replace(', unique_in=["team_id"], loser=""', "")
    (tmp_path / "other.py").write_text(without)
    (tmp_path / "seedjournal.toml").write_text('tables = "other:target"')
    note(journal, [team(), *members, member("fourth", github_id=6)], fresh=True)
    told = run("project", status=2).err
    assert (
        'team_member {"login":"fourth","team":"terns"} has the same team_id and github_id as team_member {"login":"third",'
        in told
    )
    assert "unique_team_github_id" in told
    journal.engine.dispose()


def test_rows_of_others_are_asked_about(run: Run, target: str) -> None:
    run("record", "--project", "demo", "--new", *SMALL)
    with running(target) as models:
        models.Team.objects.create(name="Ours", slug="ours")
    name = make_url(target).database
    refused = run("project", status=2)
    assert f"Database '{name}' has tables with rows that seedjournal did not make (teams_team 1 row)" in refused.err
    assert f"--confirm {name}" in refused.err
    run("project", "--confirm", "other", status=2)
    assert asked(target, "SELECT count(*) FROM metrics_teammember") == [(0,)]
    run("project", "--confirm", name)
    run("project")
    assert run("unseed", "demo", "--yes").out.startswith("demo: ")
    assert asked(target, "SELECT slug FROM teams_team") == [("ours",)]
    assert asked(target, "SELECT count(*) FROM metrics_pullrequest") == [(0,)]


def test_check_names_what_a_migration_changed(run: Run, target: str) -> None:
    assert "the map fits 12 tables" in run("check").out
    for statement in (
        "ALTER TABLE metrics_pullrequest RENAME title TO headline",
        "ALTER TABLE metrics_pullrequest ADD reviewed_by text NOT NULL",
        "ALTER TABLE metrics_prfile DROP file_category",
        "ALTER TABLE metrics_commit ALTER additions TYPE text",
        "DROP TABLE metrics_weeklymetrics",
    ):
        execute(target, statement)
    told = run("check", status=1).out
    for one in (
        "pull_request.title has no column in metrics_pullrequest",
        "metrics_pullrequest.headline (text) is NOT NULL without a default; nothing fills it",
        "metrics_pullrequest.reviewed_by (text) is NOT NULL without a default; nothing fills it",
        "pr_file.file_category has no column in metrics_prfile",
        'metrics_commit.additions is text, and commit.additions is integer; write "additions": sql("cast(:additions as text)")',
        "weekly_metrics: there is no table metrics_weeklymetrics",
    ):
        assert one in told, told
    found = run("check", "--json", status=1).json
    assert (found["ok"], found["tables"]) == (False, {})
    run("record", "--project", "demo", "--new", *SMALL)
    refused = run("project", status=2).err
    assert all(one in told and one in refused for one in found["findings"])
    assert asked(target, "SELECT count(*) FROM teams_team") == [(0,)]


def test_init_update_tells_what_was_added(run: Run, target: str) -> None:
    """The built-in domain has its kinds and fields: what it lacks is given once, or is the application's."""
    before = run("init", "--update", "--json").json
    assert before["added"]["tables"] == {}
    assert before["added"]["columns"] == []
    assert before["changed"] == []
    execute(
        target, "CREATE TABLE metrics_more (id BIGSERIAL PRIMARY KEY, team_id BIGINT NOT NULL REFERENCES teams_team)"
    )
    execute(target, "ALTER TABLE metrics_commit ADD llm_score INTEGER NOT NULL, ADD title_hash TEXT")
    done = run("init", "--update", "--json").json
    assert {*done["passed"]["tables"]} == {*before["passed"]["tables"], "metrics_more"}
    assert [one["python"]["map"] for one in done["added"]["columns"]] == ['"llm_score": initial(...),']
    assert done["changed"] == []


def test_a_value_that_does_not_fit_names_entity_and_column(run: Run, target: str) -> None:
    execute(target, "ALTER TABLE metrics_pullrequest ALTER title TYPE varchar(5)")
    run("record", "--project", "demo", "--new", *SMALL)
    told = run("project", status=2).err
    assert "metrics_pullrequest.title takes 5 characters, and not" in told
    assert 'pull_request {"github_repo":' in told


@pytest.mark.slow
def test_a_deferred_reference_that_breaks_is_told_before_the_commit(run: Run, target: str) -> None:
    execute(
        target,
        "CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$ begin delete from teams_team; return null; end $$",
    )
    execute(target, "CREATE TRIGGER loses AFTER INSERT ON metrics_weeklymetrics EXECUTE FUNCTION lose()")
    run("record", "--project", "demo", "--new", *SMALL)
    told = run("project", status=3).err
    assert "teams_team" in told
    assert asked(target, "SELECT count(*) FROM metrics_pullrequest") == [(0,)]


def test_where_nothing_can_be_checked(run: Run, target: str, tmp_path: Path) -> None:
    absent = f"sqlite:///{tmp_path}/absent.db"
    assert "There is no database" in run("check", "--target", absent, status=2).err
    assert not (tmp_path / "absent.db").exists()
    assert run("check").out
    assert "tables that others own" in run("migrate", "--tables", status=2).err
    run("migrate")


def test_an_id_that_holds_a_date_does_not_move(run: Run, tmp_path: Path) -> None:
    (tmp_path / "seeds.py").write_text(
        "from datetime import date\n"
        "from seedjournal import Domain, Kind, Tables\n"
        'class Day(Kind, key="day"):\n    day: date\n    note: str\n'
        'days = Domain("days", kinds=(Day,), today=date(2026, 1, 5))\n'
        'days.facts(Day, [Day(day=date(2026, 1, 1), note="first")])\n'
        'target = Tables(days)\ntarget.table("day", "calendar", ids="key")\n'
    )
    (tmp_path / "seedjournal.toml").write_text('domain = "seeds:days"\ntables = "seeds:target"\n')
    execute("sqlite:///seedjournal.db", "CREATE TABLE calendar (day DATE PRIMARY KEY NOT NULL, note TEXT NOT NULL)")
    run("record", "--project", "days")
    assert "--today" in run("project", "--today", status=2).err
    run("project", "--today", "off")
    assert asked("sqlite:///seedjournal.db", "SELECT day, note FROM calendar") == [("2026-01-01", "first")]


# Projects beside each other

CACHE = Path(__file__).resolve().parents[3] / "shared" / "data" / "cache"


def written(run: Run, url: str) -> list[str]:
    """What one more projection writes into the application's tables: statements, rows, and rows of another version."""
    before, sent = versions(url), []

    def see(*given: Any) -> None:
        sent.append(given[2])

    events.listen(Engine, "before_cursor_execute", see)
    try:
        counts = run("project", "--json").json["projects"].items()
    finally:
        events.remove(Engine, "before_cursor_execute", see)
    found = [one for one in sent if one.split()[0] in {"INSERT", "UPDATE", "DELETE"} and "INTO seedjournal_" not in one]
    for project, done in counts:
        for kind, one in done["kinds"].items():
            found += [f"{project}: {kind}" for what in ("inserted", "updated", "deleted") if one[what]]
    after = versions(url)
    return found + [name for name in TABLES if before[name] != after[name]]


def goes_in_twice(run: Run, url: str, folder: Path, twins: tuple[str, str]) -> None:
    """Project all that is recorded, of which one team has two logins with one GitHub id, the smaller one first."""
    lax = (folder / "map.py").read_text()
    (folder / "strict.py").write_text(lax.replace(', unique_in=["team_id"], loser=""', ""))
    (folder / "seedjournal.toml").write_text('tables = "strict:target"')
    told = run("project", status=2).err
    assert f'team_member {{"login":"{twins[0]}",' in told
    assert f'team_member {{"login":"{twins[1]}",' in told
    assert "have the same team_id and github_id" in told
    (folder / "seedjournal.toml").write_text('tables = "map:target"')
    done = run("project", "--json").json["projects"]
    recorded = {one["project"]: one["total"] for one in run("log", "--json").json["runs"]}
    rows = {name: sum(one["inserted"] + one["unchanged"] for one in of["kinds"].values()) for name, of in done.items()}
    assert rows == recorded  # those of projects before the one that was refused are there already
    ids = "SELECT github_id <> '' FROM metrics_teammember WHERE lower(github_username) IN ('{}', '{}') ORDER BY lower(github_username)"
    assert asked(url, ids.format(*twins)) == [(True,), (False,)]
    assert written(run, url) == []
    with running(url) as models:
        for team in models.Team.objects.all():
            added = models.PullRequest.objects.create(team=team, github_pr_id=0, github_repo="mine/mine")
            assert added.id <= len(done)
            saved = (
                models.PullRequest.objects.exclude(id__lte=len(done)).filter(team=team).order_by("github_pr_id").first()
            )
            saved.llm_summary = {"summary": "of the application's own"}
            saved.save()
    assert written(run, url) == []
    assert run("verify", "--json").json["findings"] == []


@pytest.mark.slow
def test_projects_that_share_tables(run: Run, target: str, tmp_path: Path) -> None:
    run("record", "--project", "demo", "--new", *SMALL, "--set", "prs=20")
    people = {"ann": 7, "bea": 7, "cem": 9}
    for name in ("acme/rocket", "acme/sled"):
        entries = [
            entry(place, author_login=login, author_id=of) for place, (login, of) in enumerate(people.items(), 1)
        ]
        team, file = name.partition("/")[2], write_cache(tmp_path, *entries, repo=name)
        people = {"dan": 7}
        run("record", "--project", team, "--new", "--source", f"cache:{file}")
    goes_in_twice(run, target, tmp_path, ("ann", "bea"))


@pytest.mark.shared
def test_real_projects_that_share_tables(run: Run, target: str, tmp_path: Path) -> None:
    run("record", "--project", "demo", "--new", "--source", "demo")
    for name in ("libuv", "documenso"):
        source = f"cache:{CACHE / name / name}.json.gz"
        run("record", "--project", name, "--new", "--source", source, "--as-of", "2026-05-19")
    goes_in_twice(run, target, tmp_path, ("dephraiim", "ephraimduncan"))


def test_what_is_forgotten_takes_its_rows_along(run: Run, target: str) -> None:
    run("record", "--project", "demo", "--new", *SMALL)
    run("project")
    with running(target) as models:
        mine = models.Team.objects.create(name="Ours", slug="ours")
        held = models.TeamMember.objects.first()
        models.Membership.objects.create(team=held.team, user="me")
    run("forget", "--project", "demo", "--target", target, "--yes")
    assert asked(target, "SELECT slug FROM teams_team ORDER BY slug = 'ours'") == [("demo",), ("ours",)]  # one is held
    assert asked(target, "SELECT count(*) FROM metrics_pullrequest") == [(0,)]
    assert asked(target, "SELECT count(*) FROM seedjournal_positions") == [(0,)]
    assert mine.id == 1


@pytest.mark.slow
def test_all_notes_lost_is_a_first_projection_that_asks(run: Run, target: str) -> None:
    run("record", "--project", "demo", "--new", *SMALL)
    run("project")
    before = asked(target, "SELECT id FROM metrics_teammember ORDER BY id")
    for table in ("seedjournal_ledger", "seedjournal_positions", "seedjournal_rows", "seedjournal_target_version"):
        execute(target, f"DROP TABLE {table}")
    told = run("project", status=2).err
    assert "metrics_teammember" in told
    run("project", "--confirm", str(make_url(target).database))
    assert asked(target, "SELECT id FROM metrics_teammember ORDER BY id") == before
    assert run("verify", "--json").json["findings"] == []

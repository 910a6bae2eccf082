"""Errors: what failed, which thing, what to do next; the right exit status, and nobody's password."""

from __future__ import annotations

import gzip
import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from seedjournal.failures import without_secrets
from tests import messages
from tests.conftest import MAKES
from tests.seedjournal.commands import DEMO, TWENTY, Done, entry, execute, rows_of, write_cache

Run = Callable[..., Done]


@pytest.fixture
def make() -> str:
    """One make: most errors are told before or above the database."""
    return "sqlite"


SECRET = "hunter2"
UNREACHABLE = f"postgresql://seeder:{SECRET}@127.0.0.1:1/seeds?sslmode=disable"
READING = (("log",), ("diff",), ("show", "1"), ("show", "team", "demo"), ("verify",), ("project",))


@pytest.fixture
def run(run: Run, capsys: pytest.CaptureFixture[str]) -> Run:
    """As everywhere, and no command prints the password."""

    def run_(*arguments: str, status: int = 0) -> Done:
        done = run(*arguments, status=status)
        assert SECRET not in done.out + done.err
        return done

    return run_


GOLDEN_ERRORS: dict[str, tuple[int, tuple[str, ...]]] = {
    "unknown-project": (2, ("record", "--project", "polr", "--source", "demo")),
    "unknown-source": (2, ("record", "--project", "polar", "--source", f"https://me:{SECRET}@localhost/polar.git")),
    "nothing-to-record": (2, ("record",)),
    "no-journal": (3, ("log",)),
    "missing-cache-file": (3, ("record", "--project", "polar", "--source", "cache:absent/polar.json.gz")),
    "unreachable-server": (3, ("log", "--journal", UNREACHABLE)),
    "no-database-known": (2, ("log", "--journal", f"mysql://me:{SECRET}@localhost/seeds")),
    "no-url": (2, ("log", "--journal", "seeds.db")),
    "password-as-argument": (2, ("project", UNREACHABLE)),
    "yes-is-needed": (2, ("project", "--rebuild")),
    "three-runs": (2, ("diff", "1", "2", "3")),
    "kind-without-key": (2, ("show", "pull_request", "demo")),
    "setting-out-of-range": (2, ("record", "--project", "polar", "--source", "demo", "--set", "prs=-1")),
    "schema-in-sqlite": (2, ("migrate", "--schema", "seeds")),
}


@pytest.mark.parametrize("name", GOLDEN_ERRORS)
def test_the_text_is_as_it_was(name: str, run: Run, golden: Callable[[str, str], None]) -> None:
    status, arguments = GOLDEN_ERRORS[name]
    done = run(*arguments, status=status)
    assert done.out == ""
    text = f"$ seedjournal {' '.join(arguments)}\n{done.err}".replace(SECRET, "PASSWORD")
    golden(f"error-{name}", re.sub("connection failed: .*", "(what the driver says)", text))
    as_json = run(*arguments, "--json", status=status)
    assert as_json.err == ""
    assert done.err.startswith(f"error: {as_json.error['message'].partition(chr(10))[0]}")
    assert as_json.error["hint"] in done.err
    assert SECRET not in as_json.out


def test_wrong_words_for_commands_and_options(run: Run) -> None:
    assert "No such command 'recrod'" in run("recrod", status=2).err
    assert "seedjournal record --help" in run("record", "--sorce", "demo", status=2).err


@pytest.mark.parametrize("command", READING)
def test_what_only_reads_makes_no_file(command: tuple[str, ...], run: Run) -> None:
    assert "There is no journal" in run(*command, status=3).err
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("command", READING)
def test_an_empty_database_is_no_journal(command: tuple[str, ...], make_url: Callable[[str], str], run: Run) -> None:
    url = make_url("postgresql")
    done = run(*command, "--journal", url, "--json", status=3)
    assert done.error["kind"] == "schema"
    assert rows_of(url) == {}


def test_reading_and_dry_runs_make_no_target(
    filled: Callable[..., str], run: Run, make_url: Callable[[str], str]
) -> None:
    filled(TWENTY)
    for make in ("sqlite", "postgresql"):
        target = ("--target", make_url(make))
        run("project", "--dry-run", *target)
        run("verify", *target)
        run("log", *target)
        run("project", "--run", "9", *target, status=2)
        if make == "postgresql":
            assert rows_of(target[1]) == {}
        else:
            assert not Path(target[1].removeprefix("sqlite:///")).exists()


@pytest.mark.parametrize("command", [*READING, TWENTY, ("migrate",)])
def test_an_unreachable_server(command: tuple[str, ...], run: Run) -> None:
    done = run(*command, "--journal", UNREACHABLE, "--json", status=3)
    assert done.error["kind"] == "unavailable"
    assert "seeder:***@127.0.0.1" in done.error["message"]
    assert "Traceback" in run(*command, "--journal", UNREACHABLE, "--debug", status=3).err


def test_an_unreachable_target(filled: Callable[..., str], run: Run) -> None:
    filled(TWENTY)
    for command in (("project",), ("verify",), ("migrate",), ("project", "--dry-run")):
        run(*command, "--target", UNREACHABLE, status=3)


def test_a_file_that_is_no_database(run: Run, tmp_path: Path) -> None:
    (tmp_path / "seedjournal.db").write_text("no database, but long enough to look like one " * 100)
    for command in (*READING, TWENTY):
        assert "not a database" in run(*command, status=3).err


def test_somebody_elses_tables_are_left_alone(at: str, run: Run) -> None:
    execute(at, "CREATE TABLE teams (id integer)")
    run(*TWENTY)
    for more in ((), ("--dry-run",)):
        assert "already has teams, not made by seedjournal" in run("project", *more, status=3).err
    assert rows_of(at, "teams") == {"teams": []}


def test_a_run_that_is_not_there(filled: Callable[..., str], run: Run) -> None:
    filled(TWENTY)
    for name in ("2", "99999999999999999999", "abcdef0", "demo@-1", "demo@", "nobody@latest", "demo"):
        for command in (("show", name), ("diff", name), ("project", "--run", name)):
            run(*command, status=2)
    assert "not 'other'" in run("project", "--run", "1", "--project", "other", status=2).err
    assert "run of one project" in " ".join(
        run("project", "--run", "1", "--project", "demo", "--project", "other", status=2).err.split()
    )
    assert "has no run in this journal" in run("project", "--project", "other", status=2).err
    assert "has no run in this journal" in run("log", "--project", "other", status=2).err
    assert "No run has the team nobody" in run("show", "team", "nobody", status=2).err
    assert "is a number" in run("show", "pull_request", "demo", "demo/demo", "first", status=2).err


def test_a_root_that_two_runs_begin_with_is_ambiguous(at: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    import dataclasses

    from seedjournal.journal import runs

    run(*TWENTY)
    run(*DEMO, "--set", "prs=21")
    every = runs.all_runs

    def alike(*arguments: Any) -> list[Any]:
        runs = every(*arguments)
        return [dataclasses.replace(one, root=b"\xab" * 4 + bytes(one.root[4:])) for one in runs]

    monkeypatch.setattr(runs, "all_runs", alike)
    done = run("show", "abababa", "--json", status=2)
    assert done.error["message"] == "Root prefix 'abababa' is ambiguous."


def test_a_bug_of_ours_says_so(at: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ValueError(f"a surprise at postgresql://me:{SECRET}@localhost/x\nand more of it")

    monkeypatch.setattr("seedjournal.commands.looking.list_runs", broken)
    done = run("log", status=4)
    assert done.err.startswith(
        "error: A bug in seedjournal: ValueError: a surprise at postgresql://me:***@localhost/x\n  try: "
    )
    assert run("log", "--json", status=4).error["kind"] == "bug"
    assert "Traceback" in run("log", "--debug", status=4).err
    monkeypatch.setattr(
        "seedjournal.commands.looking.list_runs",
        lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")),
    )
    assert "No space left" in run("log", status=3).err


def test_an_interruption_is_130_and_one_line(at: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("seedjournal.commands.looking.list_runs", stop)
    assert run("log", status=130).err == "error: Interrupted; nothing is half written.\n"
    assert run("log", "--json", status=130).error["kind"] == "interrupted"


@pytest.fixture
def _held(at: str) -> Iterator[None]:
    """Somebody else holds every lock there is on the journal."""
    if at.startswith("sqlite"):
        other = sqlite3.connect(at.removeprefix("sqlite:///"), isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.close()
    else:
        with psycopg.connect(at) as connection:
            tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
            for (table,) in tables:
                connection.execute(f"LOCK TABLE {table}")  # type: ignore[arg-type]
            yield


@pytest.fixture
def _recorded(at: str, run: Run) -> None:
    run(*TWENTY)


@pytest.mark.parametrize("make", MAKES)
@pytest.mark.usefixtures("_recorded", "_held")
def test_a_busy_database_is_waited_for_and_then_given_up(run: Run) -> None:
    done = run(*DEMO, "--set", "prs=21", "--wait", "1", "--json", status=3)
    assert done.error["kind"] == "busy"
    assert "locked by another process (waited 1 s)" in done.error["message"]
    assert "--wait" in done.error["hint"]


@pytest.mark.parametrize("make", MAKES)
def test_an_older_schema_asks_for_migrate(filled: Callable[..., str], run: Run) -> None:
    at = filled(TWENTY)
    execute(at, "UPDATE seedjournal_journal_version SET version_num = '9999'")
    assert "newer seedjournal" in run("log", status=3).err


CACHE = ("record", "--project", "rocket", "--new", "--source", "cache:cache")


@pytest.fixture
def _cached(at: str, run: Run, tmp_path: Path) -> None:
    write_cache(tmp_path / "cache", entry(1), entry(2))
    run(*CACHE)


def _truncated(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-20])


def _no_gzip(file: Path) -> None:
    file.write_bytes(b'{"repo": "acme/rocket"}')


def _no_json(file: Path) -> None:
    file.write_bytes(gzip.compress(b'{"repo": '))


def _twice(file: Path) -> None:
    file.write_bytes(gzip.compress(json.dumps({"repo": "acme/rocket", "prs": [entry(1), entry(1)]}).encode()))


def _wrong_field(file: Path) -> None:
    wrong = {**entry(2), "additions": "many"}
    file.write_bytes(gzip.compress(json.dumps({"repo": "acme/rocket", "prs": [entry(1), wrong]}).encode()))


def _twin(file: Path) -> None:
    file.with_suffix("").write_bytes(gzip.decompress(file.read_bytes()))


@pytest.mark.usefixtures("_cached")
@pytest.mark.parametrize("spoil", [_truncated, _no_gzip, _no_json, _twice, _wrong_field, _twin])
def test_bad_input_changes_nothing(spoil: Callable[[Path], None], at: str, run: Run) -> None:
    before = rows_of(at)
    spoil(Path("cache/acme/rocket.json.gz"))
    done = run(*CACHE, "--json", status=3)
    assert "rocket.json" in done.error["message"]
    assert rows_of(at) == before


@pytest.mark.usefixtures("_cached")
def test_skip_invalid_lists_what_it_left_out(at: str, run: Run) -> None:
    _wrong_field(Path("cache/acme/rocket.json.gz"))
    message = run(*CACHE, status=3).err
    assert "additions" in message
    assert "--skip-invalid" in message
    done = run(*CACHE, "--skip-invalid", "--json").first
    assert (done["skipped"], done["kinds"]["pull_request"]["total"]) == (1, 1)
    (skipped,) = done["skipped_entries"]
    assert "additions" in skipped["reason"]
    assert "  skipped cache/acme/rocket.json.gz: " in run(*CACHE, "--skip-invalid").out


def test_no_password_in_any_shape() -> None:
    for told in (
        f"postgresql://me:{SECRET}@localhost/x",
        f"postgresql://me:a@{SECRET}@localhost/x",
        f"postgres://me:a/{SECRET}@localhost/x",
        f"postgresql://localhost/x?user=me&password={SECRET}&sslmode=disable",
        f"https://{SECRET}@localhost/me/x.git",
        f"https://x-access-token:{SECRET}@localhost/me/x.git",
    ):
        assert SECRET not in without_secrets(f"cannot reach {told}: refused")
    assert without_secrets("a \x1b[31mred\nline") == "a \\x1b[31mred\nline"


def test_a_git_address_with_a_token(at: str, run: Run) -> None:
    source = f"git:http://me:{SECRET}@127.0.0.1:1/acme/rocket.git"
    run("record", "--project", "rocket", "--new", "--source", source, status=3)
    run("record", "--project", "rocket", "--new", "--source", source, "--debug", status=3)
    assert SECRET not in repr(rows_of(at))


def test_arguments_that_are_no_text(run: Run) -> None:
    assert "udcff" in run("record", "--project", "\udcff", "--source", "demo", "--json", status=2).error["message"]
    run("show", "\udcff", "--json", status=3)


@pytest.mark.parametrize("command", ["log", "diff", "forget", "project"])
def test_a_project_that_is_no_text(command: str, filled: Callable[..., str], run: Run) -> None:
    at = filled(TWENTY)
    before = rows_of(at)
    assert run(command, "--project", "\udcff", "--json", status=2).error["kind"] == "usage"
    assert rows_of(at) == before


@pytest.mark.parametrize("make", MAKES)
def test_a_first_record_that_fails_makes_no_journal(url: str, run: Run, tmp_path: Path) -> None:
    _wrong_field(write_cache(tmp_path / "cache", entry(1)))
    before = sorted(Path().rglob("*"))
    assert "additions" in run(*CACHE, "--journal", url, status=3).err
    assert sorted(Path().rglob("*")) == before
    if url.startswith("postgresql"):
        assert rows_of(url) == {}
    write_cache(tmp_path / "cache", entry(1))
    assert run(*CACHE, "--journal", url, "--json").first["run"] == 1


def test_a_journal_that_is_down_is_no_unknown_project(run: Run) -> None:
    for name in ("demo", "polr"):
        command = ("record", "--project", name, "--source", "demo", "--journal", UNREACHABLE)
        assert run(*command, "--json", status=3).error["kind"] == "unavailable"


def test_near_misses_are_told(at: str, run: Run) -> None:
    assert "Did you mean `seedjournal record --project demo`" in run("record", "demo", "--source", "demo", status=2).err
    run(*TWENTY)
    assert "demo@latest" in run("show", "latest", status=2).err
    texts = [part for row in rows_of(at, "journal_events")["journal_events"] for part in row if isinstance(part, str)]
    stated = next(text for text in texts if '"kind":"pull_request"' in text)
    number = str(json.loads(stated)["key"]["number"])
    done = run("show", "pull_requests", "demo", "demo/demo", number, status=2)
    assert f"Did you mean `seedjournal show pull_request demo demo/demo {number}`?" in done.err
    run("show", "pull_request", "demo", "demo/demo", number)
    assert "seedjournal show pr_survey demo" in run("show", "pr_surveys", "demo", status=2).err
    assert "Did you mean record?" in run("recrod", status=2).err


def test_quiet_prints_nothing_but_errors(at: str, run: Run) -> None:
    for command in (TWENTY, ("project",), ("log",), ("show", "1"), ("diff", "1", "1"), ("verify",)):
        done = run(*command, "--quiet")
        assert (done.out, done.err) == ("", "")
    assert run("log", "-q", "--json").json["runs"]
    assert run("show", "9", "-q", status=2).err


def test_log_lists_the_newest(at: str, run: Run) -> None:
    for _ in range(3):
        run(*TWENTY)
    assert [one["run"] for one in run("log", "-n", "2", "--json").json["runs"]] == [2, 3]
    assert run("log", "-n", "0", "--json").json["runs"] == []


def test_nothing_to_forget_asks_nothing(filled: Callable[..., str], run: Run) -> None:
    filled(TWENTY)
    assert "nothing to forget" in run("forget", "--keep-runs", "9").out
    run(*TWENTY)
    assert "Add --yes" in run("forget", "--keep-runs", "1", status=2).err


def test_every_error_is_a_sentence_and_its_hint_is_another() -> None:
    found = list(messages.messages())
    assert len(found) > 250
    whole = [one for one in found if one.error not in messages.PARTS]
    assert [one for one in whole if not messages.is_sentence(one.says)] == []
    hints = [one for one in found if one.hint and (one.error == "Trouble" or one in whole)]
    assert [one for one in hints if not messages.is_sentence(one.hint)] == []
    have_theirs = {"Damaged", "Busy", "UsageError"}
    assert [one for one in whole if not one.hint and one.error not in have_theirs] == []

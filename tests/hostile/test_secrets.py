"""A password, in whatever characters and by whatever way it comes, is in nothing that is printed, stored or started."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from seedjournal.simulators.engineering.git import commands as git_commands
from tests.seedjournal.commands import DEMO, TWENTY, Done, call, rows_of, write_cache
from tests.seedjournal.commands import entry as pull_request

Run = Callable[..., Done]

HEAD, TAIL = "Xq7", "Zk9"  # what no message has by chance
passwords = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=12).map(
    lambda text: f"{HEAD}{text}{TAIL}"
)
NOWHERE = "127.0.0.1:1/x?sslmode=disable"


def told(done: Done, password: str) -> bool:
    """Whether a piece of the password, plain or escaped, was printed."""
    return any(part in done.out + done.err for part in (HEAD, TAIL, password, quote(password, safe="")))


@given(password=passwords, as_json=st.booleans(), debug=st.booleans(), wild=st.booleans())
@example(password=f"{HEAD}@/:?#[]{TAIL}", as_json=False, debug=True, wild=True)
def test_no_password_of_an_address_is_printed(
    password: str, as_json: bool, debug: bool, wild: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """Escaped as it should be, or written as people do: then whatever follows a blank is another word."""
    assume(not wild or not any(character.isspace() for character in password))
    given = password if wild else quote(password, safe="")
    options = (*(("--json",) if as_json else ()), *(("--debug",) if debug else ()))
    for option in ("--journal", "--target"):
        place = () if option == "--journal" else ("--journal", "sqlite:///own.db")
        done = call(capsys, ("migrate", *place, option, f"postgresql://me:{given}@{NOWHERE}", *options))
        assert done.status in {2, 3}
        assert not told(done, password), done


@given(password=passwords)
def test_no_password_of_the_environment_is_printed(password: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("seedjournal.toml").write_text(
        f'journal = "postgresql://me:${{DATABASE_PASSWORD}}@{NOWHERE}"\n', encoding="utf-8"
    )
    try:
        os.environ["DATABASE_PASSWORD"] = password
    except (UnicodeEncodeError, ValueError):
        assume(False)
    try:
        done = call(capsys, ("log", "--debug"))
    finally:
        del os.environ["DATABASE_PASSWORD"]
        Path("seedjournal.toml").unlink()
    assert done.status in {2, 3}
    assert not told(done, password), done


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://${AWS_SECRET}:x@127.0.0.1:1/x",
        "postgresql://me:${AWS_SECRET}@127.0.0.1:1/x",
        "postgresql://127.0.0.1:1/${PGSECRET}",
        "postgresql://127.0.0.1:1/?application_name=${PGSECRET}@",
        "postgresql://me:x@${PGSECRET}/x",
        "postgresql://me:x@127.0.0.1:1/x?options=${PGSECRET}@y",
        "sqlite:///${PGSECRET}.db",
    ],
)
@pytest.mark.parametrize("which", ["journal", "target"])
def test_no_strangers_settings_file_gets_a_variable(
    address: str, which: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET", HEAD)
    monkeypatch.setenv("PGSECRET", HEAD)
    run("migrate", "--journal", "sqlite:///own.db")
    own = "" if which == "journal" else 'journal = "sqlite:///own.db"\n'
    Path("seedjournal.toml").write_text(f'{own}{which} = "{address}"\n', encoding="utf-8")
    done = run("verify", status=2)
    assert "SECRET" in done.err
    assert not told(done, HEAD)
    assert {file.name for file in Path().glob("*.db")} == {"own.db"}


def test_a_variable_that_the_user_lists_may_be_used(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from seedjournal.settings import user_file

    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DB_USER", HEAD)
    Path("seedjournal.toml").write_text('journal = "postgresql://${DB_USER}:x@127.0.0.1:1/x"\n', encoding="utf-8")
    assert str(user_file()) in run("log", status=2).err.replace("\n", "")
    user_file().parent.mkdir(parents=True)
    user_file().write_text('variables = ["DB_USER"]\n', encoding="utf-8")
    done = run("log", status=3)
    assert "${DB_USER}" in done.err
    assert not told(done, HEAD)


def test_the_users_own_options_and_variables_are_not_limited(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHERE", "mine")
    run("migrate", "--journal", "sqlite:///${WHERE}.db")
    monkeypatch.setenv("SEEDJOURNAL_JOURNAL", "sqlite:///${WHERE}2.db")
    run("migrate")
    assert {file.name for file in Path().glob("*.db")} == {"mine.db", "mine2.db"}


def test_a_targets_variable_is_read_only_where_the_target_is_used(run: Run) -> None:
    content = 'journal = "sqlite:///own.db"\ntarget = "postgresql://me:${PGABSENT}@127.0.0.1:1/x"\n'
    Path("seedjournal.toml").write_text(content, encoding="utf-8")
    run(*TWENTY)
    run("log")
    run("diff", status=2)
    assert "PGABSENT" in run("project", status=2).err


def test_a_settings_file_of_another_user_is_refused(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("seedjournal.toml").write_text('journal = "sqlite:///own.db"\n', encoding="utf-8")
    if os.geteuid() == 0:
        os.chown("seedjournal.toml", 12345, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
        monkeypatch.setattr(os, "fstat", lambda _: os.stat_result((0o100600, 1, 1, 1, 12346, 0, 0, 0, 0, 0)))
    assert "belongs to another user" in run("log", status=3).err
    assert not Path("own.db").exists()


def test_what_is_stored_knows_no_address(run: Run, make_url: Callable[[str], str]) -> None:
    """Nor the folder that a cache file lay in."""
    secret = Path("Xq7-secret")
    write_cache(secret, pull_request(1))
    journal, target = make_url("sqlite"), make_url("postgresql")
    run("record", "--project", "rocket", "--new", "--source", f"cache:{secret}", "--journal", journal)
    run("project", "--journal", journal, "--target", f"{target}&application_name={HEAD}")
    assert HEAD not in repr(rows_of(journal)) + repr(rows_of(target))
    assert "postgresql" not in repr(rows_of(journal)) + repr(rows_of(target))


@pytest.mark.parametrize(
    "address", ["https://me:{}@host.invalid/a/b.git", "https://{}@host.invalid/a/b", "ssh://me:{}@host.invalid/a/b"]
)
def test_no_process_is_given_a_password_and_no_clone_keeps_one(
    address: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every program that git starts is asked for its arguments as well."""
    password = f"{HEAD}s3cret{TAIL}"
    started: list[list[str]] = []
    popen = subprocess.Popen

    def spy(command: list[str], **options: object) -> object:
        started.append(command)
        return popen(command, **options)  # type: ignore[call-overload]

    seen = tmp_path / "seen"
    ssh = tmp_path / "ssh"
    ssh.write_text(f'#!/bin/sh\necho "$@" >> {seen}\nexit 1\n', encoding="utf-8")
    ssh.chmod(0o755)
    monkeypatch.setenv("GIT_SSH", str(ssh))
    monkeypatch.setenv("GIT_TRACE", str(tmp_path / "trace"))
    monkeypatch.setattr(git_commands.subprocess, "Popen", spy)
    monkeypatch.setattr(git_commands, "_SILENCE", 5)
    source = f"git:{address.format(password)}"
    done = run("record", "--project", "rocket", "--new", "--source", source, "--debug", status=3)
    assert not told(done, password), done
    assert started
    assert password not in repr(started)
    for file in (*tmp_path.rglob("*"), *Path(os.environ["SEEDJOURNAL_CACHE"]).rglob("*")):
        assert HEAD not in str(file)
        assert not file.is_file() or HEAD.encode() not in file.read_bytes(), file


def test_a_cache_of_clones_is_its_owners_alone(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEEDJOURNAL_CACHE", str(tmp_path / "clones"))
    run("record", "--project", "x", "--new", "--source", f"git:file://{tmp_path}/absent", status=3)
    assert (tmp_path / "clones" / "git").stat().st_mode & 0o077 == 0


def test_every_file_of_a_journal_is_its_owners_alone(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    before = os.umask(0)
    try:
        run(*TWENTY, "--journal", "sqlite:///mine.db")
        run("project", "--journal", "sqlite:///mine.db", "--target", "sqlite:///rows.db")
        run(*DEMO, "--set", "prs=6", "--journal", "sqlite:///mine.db")
    finally:
        os.umask(before)
    assert {file.name: file.stat().st_mode & 0o777 for file in Path().glob("*.db*")} == {
        "mine.db": 0o600,
        "rows.db": 0o600,
    }

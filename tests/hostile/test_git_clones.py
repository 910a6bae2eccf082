"""Clones made to harm: nothing of theirs runs, nothing of them leads anywhere, and none is waited for without end."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedjournal.journal import BadInput, Unavailable
from seedjournal.simulators.engineering.git import commands as git_commands
from seedjournal.simulators.engineering.git.commit import Mailmap, path_of, read, reviewers
from seedjournal.simulators.engineering.git.conventions import landings
from seedjournal.simulators.engineering.git.source import GitSource
from tests import scale
from tests.hostile.test_cache_files import TEXTS
from tests.hostile.test_command_line import printable
from tests.seedjournal.commands import Done
from tests.simulators.test_git_source import Made, everything, history, raw_commit

Run = Callable[..., Done]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return history(tmp_path / "made")


def commit_of(made: Made, tree: str) -> str:
    """A commit of this very tree behind the default branch."""
    raw = f"tree {tree}\nparent {made.git('rev-parse', 'main')}\n"
    raw += "".join(f"{role} Ada <ada@mail.invalid> 1710000000 +0000\n" for role in ("author", "committer"))
    return made.git("hash-object", "-t", "commit", "-w", "--stdin", feed=f"{raw}\nMuch\n".encode())


@pytest.mark.parametrize(
    "name", ["a\u2028b", "a\u0085b", "a\u2029", "-x", "\u202eb", "x\ufeff", "'; DROP", "$(x)", "é"]
)
def test_a_branch_may_have_any_name_that_git_allows(name: str, made: Made) -> None:
    made.git("update-ref", f"refs/heads/{name}".replace(" ", ""), "main")
    made.git("symbolic-ref", "HEAD", f"refs/heads/{name}".replace(" ", ""))
    assert everything(made.source())[0][0].base_ref == name.replace(" ", "")


@pytest.mark.parametrize("way", ["folder", "address"])
def test_no_setting_hook_or_include_of_a_clone_runs_anything(way: str, made: Made, tmp_path: Path) -> None:
    plain = everything(made.source())
    ran = tmp_path / "ran"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch '{ran}'\n")
    program.chmod(0o755)
    included = tmp_path / "included"
    included.write_text(f'[core]\n fsmonitor = {program}\n[alias]\n rev-parse = "!{program}"\n')
    config = made.folder / ".git" / "config"
    config.write_text(
        config.read_text()
        + f"[include]\n path = {included}\n path = /etc/hostname-that-is-not-there\n"
        + f'[includeIf "gitdir:/"]\n path = {included}\n'
        + f'[protocol "ext"]\n allow = always\n[protocol "file"]\n allow = always\n[url "ext::{program}"]\n insteadOf = {made.folder}\n'
        + f"[core]\n sshCommand = {program}\n gitProxy = {program}\n alternateRefsCommand = {program}\n editor = {program}\n"
        + f' askPass = {program}\n pager = {program}\n[credential]\n helper = "!{program}"\n'
        + f'[uploadpack]\n packObjectsHook = {program}\n[alias]\n for-each-ref = "!{program}"\n config = "!{program}"\n'
        + f'[remote "origin"]\n url = ext::{program}\n vcs = evil\n promisor = true\n partialCloneFilter = blob:none\n'
        + f'[filter "evil"]\n smudge = {program}\n process = {program}\n required = true\n[gc]\n auto = 1\n'
    )
    hooks = made.folder / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    for hook in ("pre-auto-gc", "post-update", "pre-receive", "proc-receive", "post-index-change", "query-watchman"):
        (hooks / hook).write_bytes(program.read_bytes())
        (hooks / hook).chmod(0o755)
    ran.unlink(missing_ok=True)
    source = (
        made.source()
        if way == "folder"
        else GitSource(f"file://{made.folder}", repo="example/thing", cache=tmp_path / "cache")
    )
    facts = everything(source)
    assert facts == plain if way == "folder" else len(facts[0]) == len(plain[0])
    assert not ran.exists()


@pytest.mark.parametrize(
    "location", ["--upload-pack=touch ran", "ext::touch% ran", "-x", "ssh://-oProxyCommand=touch%20ran/a/b"]
)
def test_no_place_is_an_option(location: str, run: Run) -> None:
    Path("-x").mkdir()
    done = run("record", "--project", "x", "--new", "--source", f"git:{location}", status=3)
    printable(done)
    assert not [file for file in Path().rglob("*") if file.is_file() and file.name in {"ran", "seedjournal.db"}]


def test_a_folder_that_looks_like_an_option_is_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    history(tmp_path / "-x" / "--exec=y")
    monkeypatch.chdir(tmp_path)
    source = GitSource("./-x/--exec=y")
    assert source.repositories == ("local/exec-y",)
    assert everything(source)[0]


def test_a_token_behind_a_question_mark_is_refused_before_git_sees_it(tmp_path: Path) -> None:
    for location in ("https://host.invalid/a/b.git?private_token=hunter2", "https://host.invalid/a/b#hunter2"):
        with pytest.raises(BadInput) as caught:
            GitSource(location, cache=tmp_path)
        assert "hunter2" not in str(caught.value) + caught.value.hint


def test_alternates_that_go_round_or_nowhere(made: Made) -> None:
    plain = everything(made.source())
    objects = made.folder / ".git" / "objects"
    lines = [
        str(objects),
        "../objects",
        "/no/such/folder",
        "\x1b[2J",
        *(f"/no/such/{number}" for number in range(1_000)),
    ]
    (objects / "info").mkdir(exist_ok=True)
    (objects / "info" / "alternates").write_text("\n".join(lines) + "\n")
    assert everything(made.source()) == plain


def test_a_tree_that_unfolds_without_end_is_given_up(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = made.git("hash-object", "-w", "--stdin", feed=b"x")
    kind = "100644 blob"
    for _ in range(12):  # ten names in each of twelve folders in one another: 10^12 files
        lines = "".join(f"{kind} {entry}\t{letter}\n" for letter in "abcdefghij")
        entry, kind = made.git("mktree", feed=lines.encode()), "040000 tree"
    made.point(main=commit_of(made, entry))
    monkeypatch.setattr(git_commands, "_MEMORY", 200 << 20)
    with pytest.raises(BadInput, match=r"example/thing: .*(?i:memory|git)"):
        everything(made.source())


@pytest.mark.scales
def test_a_hundred_thousand_files_in_a_commit(made: Made) -> None:
    """Ten thousand in `make test`."""
    folders = scale.times(10, 100)
    blob = made.git("hash-object", "-w", "--stdin", feed=b"x\n")
    inner = made.git("mktree", feed="".join(f"100644 blob {blob}\t{number}\n" for number in range(1_000)).encode())
    tree = made.git("mktree", feed="".join(f"040000 tree {inner}\t{number}\n" for number in range(folders)).encode())
    made.point(pull_9_head=commit_of(made, tree))
    (found,) = (pull for pull in made.source().pull_requests() if pull.number == 9)
    assert (len(found.files), found.additions) == (1_000 * folders + 2, 1_000 * folders)


@pytest.mark.parametrize("place", ["config", "HEAD", "packed-refs", "included"])
def test_a_pipe_in_a_clone_is_not_waited_for(place: str, made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(git_commands, "_SILENCE", 1)
    file = made.folder / ".git" / place
    if place == "included":
        config = made.folder / ".git" / "config"
        config.write_text(f"{config.read_text()}[include]\n path = {file}\n")
    file.unlink(missing_ok=True)
    os.mkfifo(file)
    with pytest.raises(BadInput):
        everything(made.source())


def test_a_server_that_says_nothing_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(git_commands, "_SILENCE", 1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        source = GitSource(f"http://127.0.0.1:{server.getsockname()[1]}/a/b", cache=tmp_path / "cache")
        with pytest.raises(Unavailable, match="cannot be fetched"):
            source.digest()


def test_any_text_goes_from_a_commit_to_the_tables(tmp_path: Path, run: Run) -> None:
    made = Made(tmp_path / "made", "--bare")
    head = None
    for number, text in enumerate(TEXTS, 1):
        clean = text.replace("\0", "")
        who = clean.encode().replace(b"<", b"").replace(b">", b"").replace(b"\n", b"") + b" <x@mail.invalid> "
        time = str(1_700_000_000 + number if number % 5 else 253_402_300_799).encode()
        message = f"{clean}\n\nReviewed-by: {clean} <{clean}>\nPR-URL: https://x/example/thing/pull/{number}".encode()
        head = raw_commit(made, who + time + b" +0000", who + time + b" -1200", message)
        made.point(**{f"pull_{number}_head": head})
    assert head is not None
    made.point(main=head)
    record = ("record", "--project", "thing", "--new", "--source", f"git:{made.folder}")
    run(*record)
    run("project")
    assert run("verify", "--json").json["ok"]
    printable(run("show", "1"))
    assert run(*record, "--json").first["reused"]


@given(
    raw=st.one_of(
        st.binary(max_size=300),
        st.lists(
            st.sampled_from(
                (
                    b"tree 0",
                    b"parent ",
                    b"author ",
                    b"\n",
                    b" <",
                    b"> ",
                    b"9" * 30,
                    b" +0000",
                    b"encoding utf-16\n",
                    b"committer a <b> 1 +0\n",
                    b"\0",
                    b"\xff",
                    b"-1",
                )
            ),
            max_size=20,
        ).map(b"".join),
    )
)
def test_no_commit_object_ends_in_an_error(raw: bytes) -> None:
    commit = read(raw)
    commit.message.encode()
    for found in landings(commit.message, 0, 1):
        assert 0 < found.number < 2**53
    reviewers([commit.message], Mailmap.parsed(commit.message))
    path_of(raw).encode()

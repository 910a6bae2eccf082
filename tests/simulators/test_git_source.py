"""The source `git` against real repositories, made here with fixed dates and invented people."""

from __future__ import annotations

import base64
import os
import subprocess
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedjournal.journal import BadInput, Unavailable
from seedjournal.simulators.engineering.facts import ChangedFile, LooseCommit, Person, PullRequest
from seedjournal.simulators.engineering.git.commit import path_of, person, reviewers, text_of
from seedjournal.simulators.engineering.git.source import GitSource

START = datetime(2024, 1, 1, 12, tzinfo=UTC)
ADA = ("Ada Example", "12+ada-example@users.noreply.github.com")
BO = ("Bo Sample", "bo@mail.invalid")


class Made:
    """A repository under construction; times are hours after START."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        subprocess.run(["git", "init", "-q", "-b", "main", *options, str(folder)], check=True)

    def git(self, *arguments: str, feed: bytes = b"", **environment: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(self.folder), *arguments],
            input=feed,
            stdout=subprocess.PIPE,
            check=True,
            env={"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull, **environment},
        )
        return done.stdout.decode().strip()

    def tree(self, files: dict[str, str | bytes]) -> str:
        lines = b""
        for name, content in files.items():
            blob = self.git(
                "hash-object", "-w", "--stdin", feed=content if isinstance(content, bytes) else content.encode()
            )
            lines += f"100644 blob {blob}\t".encode() + os.fsencode(name) + b"\0"
        return self.git("mktree", "-z", feed=lines)

    def commit(
        self,
        hour: float,
        message: str,
        parents: Sequence[str] = (),
        files: dict[str, str | bytes] | None = None,
        author: tuple[str, str] = ADA,
        committed: float | None = None,
    ) -> str:
        """A commit with these files and no others; by default one file that holds the message."""

        def when(at: float) -> str:
            return f"@{int((START + timedelta(hours=at)).timestamp())} +0200"

        return self.git(
            "commit-tree",
            *(part for parent in parents for part in ("-p", parent)),
            self.tree(files if files is not None else {"file.py": message}),
            feed=message.encode(),
            GIT_AUTHOR_NAME=author[0],
            GIT_AUTHOR_EMAIL=author[1],
            GIT_AUTHOR_DATE=when(hour),
            GIT_COMMITTER_NAME="Web Button",
            GIT_COMMITTER_EMAIL="button@mail.invalid",
            GIT_COMMITTER_DATE=when(hour if committed is None else committed),
        )

    def point(self, **refs: str) -> None:
        """Set refs: `main`, `pull_1_head`, ..."""
        for name, commit in refs.items():
            room = "refs/heads/" if "_" not in name else "refs/"
            self.git("update-ref", room + name.replace("_", "/"), commit)

    def source(self, repo: str = "example/thing") -> GitSource:
        return GitSource(str(self.folder), repo=repo)


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return Made(tmp_path / "made", "--bare")


def at(hour: float) -> datetime:
    return START + timedelta(hours=hour)


def pulls(source: GitSource) -> dict[int, PullRequest]:
    found = list(source.pull_requests())
    assert found == list(source.pull_requests())
    return {pull.number: pull for pull in found}


def everything(source: GitSource) -> tuple[list[PullRequest], list[LooseCommit]]:
    return list(source.pull_requests()), list(source.loose_commits())


def loose(source: GitSource) -> list[str]:
    return [one.commit.message for one in source.loose_commits()]


def test_an_unmerged_head_is_open_closed_or_not_known_to_be_closed(made: Made) -> None:
    base = made.commit(0, "Begin", files={"a": "1\n"})
    one = made.commit(1, "Work", [base], {"a": "1\n2\n"})
    two = made.commit(2, "More work", [one], {"a": "1\n2\n3\n", "b": "x\n"}, author=BO)
    made.point(main=base, pull_7_head=two)
    pull = pulls(made.source())[7]
    assert (pull.state, pull.closed_at, pull.merged_at) == ("open", None, None)
    assert (pull.title, pull.head_ref, pull.base_ref) == ("More work", "pr-7", "main")
    assert pull.author == Person(login="ada-example", name="Ada Example", id=12)
    assert [commit.author for commit in pull.commits] == [pull.author, Person(name="Bo Sample")]
    assert (pull.created_at, pull.updated_at) == (at(1), at(2))
    assert (pull.additions, pull.deletions, pull.changed_files, pull.commits_count) == (3, 0, 2, 2)
    assert [commit.additions for commit in pull.commits] == [1, 2]
    made.point(pull_8_head=one, pull_8_merge=one)
    both = pulls(made.source())
    assert (both[7].state, both[7].closed_at, both[8].state) == ("closed", at(2), "open")
    assert loose(made.source()) == ["Begin"]


def test_a_merge_commit_lands_a_head(made: Made) -> None:
    base = made.commit(0, "Begin", files={"a": "1\n"})
    head = made.commit(1, "Work", [base], {"a": "1\n", "b": "x\n"})
    side = made.commit(2, "Meanwhile", [base], {"a": "2\n"})
    joined = made.commit(3, "Merge branch 'main'", [head, side], {"a": "2\n", "b": "x\n"})
    merge = made.commit(
        4, "Merge pull request #3 from ada-example/fix/the-thing\n\nThe thing", [side, joined], {"a": "2\n", "b": "x\n"}
    )
    after = made.commit(5, "After", [merge], {"a": "2\n", "b": "y\n"})
    made.point(main=after, pull_3_head=joined, pull_9_merge=head)
    fetched = pulls(made.source())[3]
    assert (fetched.state, fetched.merged_at, fetched.closed_at) == ("merged", at(4), at(4))
    assert (fetched.title, fetched.head_ref) == ("The thing", "fix/the-thing")
    assert [(one.message, one.additions) for one in fetched.commits] == [("Work", 1), ("Merge branch 'main'", 0)]
    assert fetched.files == (ChangedFile(filename="b", status="added", additions=1),)
    assert loose(made.source()) == ["Begin", "Meanwhile", "After"]
    made.git("update-ref", "-d", "refs/pull/3/head")
    assert pulls(made.source())[3] == fetched


def test_a_squash_lands_a_head_and_alone_is_the_pull_request(made: Made) -> None:
    base = made.commit(0, "Begin", files={"a": "1\n"})
    head = made.commit(1, "Work", [base], {"a": "2\n"})
    squash = made.commit(
        3, "Better work (#4)\n\nReviewed-by: Cy Reader <cy@mail.invalid>", [base], {"a": "2\n"}, author=BO
    )
    made.point(main=squash, pull_4_head=head)
    fetched = pulls(made.source())[4]
    assert (fetched.state, fetched.merged_at, fetched.title) == ("merged", at(3), "Better work")
    assert [commit.message for commit in fetched.commits] == ["Work"]
    assert [(one.reviewer, one.submitted_at) for one in fetched.reviews] == [(Person(name="Cy Reader"), at(2))]
    assert loose(made.source()) == ["Begin"]
    made.git("update-ref", "-d", "refs/pull/4/head")
    alone = pulls(made.source())[4]
    assert (alone.state, alone.merged_at, alone.created_at, alone.title) == ("merged", at(3), at(3), "Better work")
    assert (alone.author, alone.commits_count, alone.head_ref) == (Person(name="Bo Sample"), 1, None)
    assert alone.files == (ChangedFile(filename="a", status="modified", additions=1, deletions=1),)


def test_a_squash_sees_the_base_of_its_time(made: Made) -> None:
    """What a stacked pull request held when it landed does not shrink when the one below it is merged later."""
    base = made.commit(0, "Begin", files={})
    below = made.commit(1, "Below", [base], {"a": "1\n"})
    above = made.commit(2, "Above", [below], {"a": "1\n", "b": "1\n"})
    squash = made.commit(3, "Both (#6)", [base], {"a": "1\n", "b": "1\n"})
    merge = made.commit(4, "Merge pull request #5 from o/below\n\nBelow", [squash, below], {"a": "1\n", "b": "1\n"})
    made.point(main=merge, pull_5_head=below, pull_6_head=above)
    assert [commit.message for commit in pulls(made.source())[6].commits] == ["Below", "Above"]


def test_trailers_land_a_head_if_they_speak_of_this_repository(made: Made) -> None:
    base = made.commit(0, "Begin", files={})
    head = made.commit(1, "Draft", [base], {"a": "1\n"})
    url = "PR-URL: https://github.com/{}/pull/{}"
    one = made.commit(2, "fs: first\n\n" + url.format("Example/thing", 9), [base], {"a": "1\n"})
    two = made.commit(3, "fs: second (#2)\n\n" + url.format("example/thing", 9), [one], {"a": "1\n2\n"})
    other = made.commit(4, "old: third\n\n" + url.format("other/thing", 1), [two], {"a": "1\n2\n3\n"})
    made.point(main=other, pull_9_head=head)
    found = pulls(made.source())
    assert found.keys() == {9}
    assert (found[9].state, found[9].merged_at, found[9].title) == ("merged", at(3), "fs: first")
    assert loose(made.source()) == ["Begin", "old: third\n\n" + url.format("other/thing", 1)]
    made.git("update-ref", "-d", "refs/pull/9/head")
    alone = pulls(made.source())[9]
    assert (alone.commits_count, alone.additions, alone.changed_files) == (2, 2, 1)
    assert alone.files[0].status == "added"


def test_a_head_that_is_in_the_branch_is_merged_by_what_brought_it(made: Made) -> None:
    base = made.commit(0, "Begin", files={})
    head = made.commit(1, "Work", [base])
    merge = made.commit(2, "Merge by hand", [base, head])
    forward = made.commit(3, "Fast forward", [merge], {"a": "1"})
    made.point(main=forward, pull_1_head=head, pull_2_head=forward)
    found = pulls(made.source())
    assert [(pull.merged_at, pull.commits_count) for pull in found.values()] == [(at(2), 1), (at(3), 1)]
    assert loose(made.source()) == ["Begin"]


def test_a_merge_into_a_branch_that_is_merged_later(made: Made) -> None:
    base = made.commit(0, "Begin", files={})
    early = made.commit(1, "On develop", [base], {"a": "1\n"})
    head = made.commit(2, "Work", [early], {"a": "1\n2\n"})
    merge = made.commit(3, "Merge pull request #1 from o/work\n\nWork", [early, head], {"a": "1\n2\n"})
    release = made.commit(4, "Release", [base, merge], {"a": "1\n2\n"})
    made.point(main=release, pull_1_head=head)
    pull = pulls(made.source())[1]
    assert (pull.merged_at, [commit.message for commit in pull.commits], pull.additions) == (at(3), ["Work"], 1)


def test_landing_times_never_precede_creation_and_old_numbers_are_another_repository_s(made: Made) -> None:
    old = made.commit(-24 * 400, "Imported (#2)", files={})
    base = made.commit(1, "Skewed clock (#1)", [old], {"a": "1"})
    head = made.commit(2, "Work", [old], {"a": "1"})
    made.point(main=base, pull_1_head=head, pull_2_head=head)
    found = pulls(made.source())
    assert (found[1].state, found[1].merged_at, found[1].created_at) == ("merged", at(1), at(1))
    assert found[2].state == "open"


@pytest.mark.parametrize(
    ("subject", "number", "title"),
    [
        ('Revert "Add x (#1)" (#2)', 2, 'Revert "Add x (#1)"'),
        ("Backport (#11) (#12)", 12, "Backport (#11)"),
        ('Revert "Add x (#1)"', None, ""),
        ("See (#3) for more", None, ""),
        ("Leading nought (#03)", None, ""),
    ],
)
def test_subjects(made: Made, subject: str, number: int | None, title: str) -> None:
    made.point(main=made.commit(0, subject))
    found = pulls(made.source())
    assert [(pull.number, pull.title) for pull in found.values()] == ([(number, title)] if number else [])


def test_without_pull_requests_there_are_commits_and_without_commits_nothing(made: Made, tmp_path: Path) -> None:
    assert everything(made.source()) == ([], [])
    assert made.source().digest() == Made(tmp_path / "second", "--bare").source().digest()
    first = made.commit(0, "Begin\n\nCo-authored-by: Cy Reader <cy@mail.invalid>\n", author=BO)
    made.point(main=made.commit(1, "Merge", [first, made.commit(0, "Other root")]))
    source = made.source()
    assert pulls(source) == {}
    assert {one.commit.message.partition("\n")[0] for one in source.loose_commits()} == {"Begin", "Merge", "Other root"}
    assert "Co-authored-by: Cy Reader" in "".join(loose(source))
    assert (source.name, list(source.repositories), list(source.versions)) == ("git", ["example/thing"], ["git"])


def test_files_keep_their_odd_names_and_renames_and_binaries(made: Made) -> None:
    text = "".join(f"line {number}\n" for number in range(40))
    before: dict[str, str | bytes] = {"old name": text, "gone": "x\n", "bytes": b"\0\1"}
    odd = ['tab\tand\nnewline "quoted"', "-leading-dash", "größe.py", os.fsdecode(b"not\xffutf8"), " 1\t2\t"]
    base = made.commit(0, "Begin", files=before)
    after: dict[str, str | bytes] = {"new name": text + "one more\n", "bytes": b"\0\2", **dict.fromkeys(odd, "1\n2\n")}
    made.point(main=made.commit(1, "Move (#1)", [base], after))
    pull = pulls(made.source())[1]
    names = {file.filename: (file.status, file.additions, file.deletions) for file in pull.files}
    added = [name if name.isprintable() or "\t" in name else "not\\xffutf8" for name in odd]
    assert names == {
        **dict.fromkeys(added, ("added", 2, 0)),
        "bytes": ("modified", 0, 0),
        "gone": ("removed", 0, 1),
        "new name": ("renamed", 1, 0),
    }
    assert (pull.additions, pull.deletions, pull.commits[0].additions) == (11, 1, 11)


def test_reviews_come_from_trailers_evenly_spread(made: Made) -> None:
    base = made.commit(0, "Begin", files={})
    head = made.commit(1, "Work\n\nReviewed-by: 5+cy@users.noreply.github.com", [base], {"a": "1"})
    ada = f"Reviewed-By: {ADA[0]} <{ADA[1]}>"
    squash = made.commit(
        9, f"Work (#1)\n\n{ada}\nreviewed-by: @CY\nReviewed-by: <x@mail.invalid>\n", [base], {"a": "1"}
    )
    made.point(main=squash, pull_1_head=head)
    reviews = pulls(made.source())[1].reviews
    assert [(one.reviewer, one.submitted_at) for one in reviews] == [
        (Person(login="cy", id=5), at(3)),
        (Person(login="ada-example", name="Ada Example", id=12), at(5)),
        (Person(name="x"), at(7)),
    ]
    assert {(one.state, one.id) for one in reviews} == {("approved", None)}
    made.point(main=base)
    assert [one.submitted_at for one in pulls(made.source())[1].reviews] == [at(1)]


@pytest.mark.parametrize(
    ("author", "person"),
    [
        (
            ("helper[bot]", "99+helper[bot]@users.noreply.github.com"),
            Person(login="helper[bot]", name="helper[bot]", id=99),
        ),
        (("Old Style", "old-style@users.noreply.github.com"), Person(login="old-style", name="Old Style")),
        (("Trick", "1+x@users.noreply.github.com.invalid"), Person(name="Trick")),
        (("Zoë Müster", "zoe@mail.invalid"), Person(name="Zoë Müster")),
    ],
)
def test_no_reply_addresses_tell_logins(made: Made, author: tuple[str, str], person: Person) -> None:
    made.point(main=made.commit(0, "Work", author=author))
    assert [one.commit.author for one in made.source().loose_commits()] == [person]


def raw_commit(made: Made, author: bytes, committer: bytes, body: bytes = b"Work", more: bytes = b"") -> str:
    tree = made.tree({"a": "1"}).encode()
    raw = b"tree %s\nauthor %s\ncommitter %s\n%s\n%s\n" % (tree, author, committer, more, body)
    return made.git("hash-object", "-t", "commit", "-w", "--stdin", "--literally", feed=raw)


@pytest.mark.parametrize(
    ("time", "field"),
    [
        (b"1700000000 east", "committer"),
        (b"", "committer"),
    ],
)
def test_what_is_no_time_is_named_or_skipped(made: Made, time: bytes, field: str) -> None:
    good = b"A <a@mail.invalid> 1700000000 +0000"
    bad = raw_commit(made, good, b"A <a@mail.invalid> " + time)
    made.point(main=made.commit(1, "Fine (#2)", [bad]), pull_1_head=bad)
    with pytest.raises(BadInput, match=f"example/thing: commit {bad}: {field} time") as caught:
        list(made.source().pull_requests())
    assert "--skip-invalid" in caught.value.hint
    source = GitSource(str(made.folder), repo="example/thing", skip_invalid=True)
    assert source.skipped == []
    assert pulls(source).keys() == {2}
    assert loose(source) == []
    assert [one.entry for one in source.skipped] == [f"commit {bad}", "pull request 1"]


@pytest.mark.parametrize("time", [b"253402300800 +0000", b"99999999999999999999999999 +0000", b"-5 +0000"])
def test_impossible_times_are_null_and_counted(made: Made, time: bytes) -> None:
    good = b"A <a@mail.invalid> 1700000000 +0000"
    bad = raw_commit(made, good, b"A <a@mail.invalid> " + time)
    both = raw_commit(made, b"A <a@mail.invalid> " + time, b"A <a@mail.invalid> " + time, b"Both (#3)")
    made.point(main=made.commit(1, "Fine (#2)", [bad]), pull_1_head=bad, pull_3_head=both)
    source = made.source()
    found = pulls(source)
    assert found.keys() == {1, 2, 3}
    assert [one.committed_at for one in found[1].commits] == [None]
    assert found[1].created_at == datetime.fromtimestamp(1_700_000_000, UTC)
    assert found[2].merged_at == at(1)
    assert "3 impossible times became null" in source.notices()[-1]
    assert f"commit {bad[:7]} committer {time.decode()}" in source.notices()[-1]
    assert source.skipped == []
    with pytest.raises(BadInput, match="The source git has 3 impossible times"):
        pulls(GitSource(str(made.folder), repo="example/thing", strict=True))


def test_a_merge_at_an_impossible_time_stays_a_merge(made: Made) -> None:
    base = made.commit(0, "Begin")
    time = b"A <a@mail.invalid> 1700000000 +0000"
    raw = b"tree %s\nparent %s\nauthor %s\ncommitter %s\n\n" % (
        made.tree({"a": "2"}).encode(),
        base.encode(),
        time,
        b"A <a@mail.invalid> -9 +0000",
    )
    body = b"Work (#4)\n\nReviewed-by: Cy Reader <cy@mail.invalid>\n"
    made.point(main=made.git("hash-object", "-t", "commit", "-w", "--stdin", "--literally", feed=raw + body))
    (pull,) = pulls(made.source()).values()
    assert (pull.state, pull.merged_at, pull.closed_at) == ("merged", None, None)
    assert [review.submitted_at for review in pull.reviews] == [None]


def test_odd_bytes_in_messages_and_names(made: Made) -> None:
    name = "Zoë".encode("latin-1")
    who = name + b" <z@mail.invalid> 1700000000 +051800"
    declared = raw_commit(made, who, who, "naïve".encode("latin-1"), b"encoding ISO-8859-1\n")
    undeclared = raw_commit(made, who, who, b"a\0b \xff")
    hostile = raw_commit(made, who, who, b"\\ud800", b"encoding unicode_escape\n")
    made.point(main=declared, pull_1_head=undeclared, pull_2_head=hostile)
    source = made.source()
    assert [(one.commit.message, one.commit.author) for one in source.loose_commits()] == [
        ("naïve", Person(name="Zoë"))
    ]
    assert [pull.title for pull in pulls(source).values()] == ["a\ufffdb ÿ", "\\ud800"]


def history(folder: Path, *options: str) -> Made:
    """A history with a bit of everything."""
    made = Made(folder, *options)
    text = "".join(f"line {number}\n" for number in range(40))
    base = made.commit(0, "Begin", files={"old.txt": text})
    head = made.commit(1, "Work", [base], {"new.txt": text + "more\n", "data.bin": "text\n"})
    squash = made.commit(
        2, "Work (#1)\n\nReviewed-by: Cy Reader <cy@mail.invalid>", [base], {"new.txt": text + "more\n"}
    )
    side = made.commit(3, "Side", [base], {"old.txt": text, "side.txt": "1\n"}, author=BO)
    merge = made.commit(
        4, "Merge pull request #2 from bo/side\n\nSide", [squash, side], {"new.txt": text, "side.txt": "1\n"}
    )
    made.point(main=merge, pull_1_head=head, pull_3_head=head, pull_3_merge=head)
    return made


def test_the_repository_s_own_settings_run_nothing_and_change_nothing(tmp_path: Path) -> None:
    plain = everything(history(tmp_path / "plain").source())
    made = history(tmp_path / "hostile")
    ran = tmp_path / "ran"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch '{ran}'\ncat \"$1\" 2>/dev/null\n")
    program.chmod(0o755)
    made.git("read-tree", "main")
    for key in (
        "core.fsmonitor",
        "diff.external",
        "diff.evil.command",
        "diff.evil.textconv",
        "core.pager",
        "gpg.program",
    ):
        made.git("config", key, str(program))
    for key, value in {
        "diff.evil.binary": "true",
        "diff.renames": "false",
        "diff.algorithm": "patience",
        "diff.noprefix": "true",
        "log.showSignature": "true",
        "core.hooksPath": str(tmp_path),
        "core.worktree": str(tmp_path),
        "remote.origin.promisor": "true",
        "remote.origin.uploadpack": str(program),
        "i18n.logOutputEncoding": "latin-1",
    }.items():
        made.git("config", key, value)
    attributes = "* diff=evil\n*.txt -diff\n"
    (made.folder / ".gitattributes").write_text(attributes)
    (made.folder / ".git/info").mkdir(exist_ok=True)
    (made.folder / ".git/info/attributes").write_text(attributes)
    merge = made.git("rev-parse", "main")
    made.git("replace", f"{merge}^", f"{merge}~2")
    (made.folder / ".git/info/grafts").write_text(f"{merge}\n")
    for hook in ("post-checkout", "reference-transaction", "fsmonitor-watchman"):
        (made.folder / ".git/hooks").mkdir(exist_ok=True)
        (made.folder / ".git/hooks" / hook).write_bytes(program.read_bytes())
        (made.folder / ".git/hooks" / hook).chmod(0o755)
    ran.unlink(missing_ok=True)  # what the set-up itself may have run
    assert everything(made.source()) == plain
    assert not ran.exists()


def test_the_user_s_settings_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = history(tmp_path / "made")
    plain = everything(made.source())
    home = tmp_path / "home"
    (home / "git").mkdir(parents=True)
    (home / "mailmap").write_text("Somebody Else <else@mail.invalid> <bo@mail.invalid>\n")
    (home / "git/attributes").write_text("*.txt -diff\n")
    settings = (
        f"[diff]\n renames = false\n[log]\n mailmap = true\n[mailmap]\n file = {home / 'mailmap'}\n[core]\n bare = x\n"
    )
    (home / ".gitconfig").write_text(settings)
    for name, value in {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home),
        "GIT_CONFIG_GLOBAL": str(home / ".gitconfig"),
        "GIT_DIR": str(tmp_path / "nowhere"),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "diff.renames",
        "GIT_CONFIG_VALUE_0": "false",
        "GIT_EXTERNAL_DIFF": "false",
        "GIT_DIFF_OPTS": "-u0",
        "LC_ALL": "de_DE.UTF-8",
    }.items():
        monkeypatch.setenv(name, value)
    assert everything(made.source()) == plain


def test_how_objects_are_stored_changes_nothing(tmp_path: Path) -> None:
    made = history(tmp_path / "made")
    plain = everything(made.source())
    assert plain[0] != []
    assert plain[1] != []
    made.git("pack-refs", "--all")
    made.git("-c", "repack.writeBitmaps=false", "repack", "-adq")
    made.git("commit-graph", "write", "--reachable")
    assert everything(made.source()) == plain
    mirror = tmp_path / "mirror.git"
    subprocess.run(["git", "clone", "-q", "--mirror", str(made.folder), str(mirror)], check=True)
    assert everything(GitSource(str(mirror), repo="example/thing")) == plain


def test_longer_object_names(tmp_path: Path) -> None:
    short, long = (pulls(history(tmp_path / name, f"--object-format={name}").source()) for name in ("sha1", "sha256"))
    assert {len(commit.sha) for pull in long.values() for commit in pull.commits} == {64}
    assert [pull.files for pull in long.values()] == [pull.files for pull in short.values()]


def test_commits_that_land_apart_add_up(made: Made) -> None:
    """Two commits name the same pull request, and a third lies between them."""
    url = "\n\nPR-URL: https://github.com/example/thing/pull/4"
    one = made.commit(0, "fs: one" + url, files={"a": "1\n", "b": "1\n"})
    between = made.commit(1, "Between", [one], {"a": "1\n", "b": "1\n", "c": "1\n"})
    two = made.commit(2, "fs: two" + url, [between], {"a": "1\n2\n", "c": "1\n"})
    made.point(main=two)
    assert pulls(made.source())[4].files == (
        ChangedFile(filename="a", status="added", additions=2),
        ChangedFile(filename="b", status="removed", additions=1, deletions=1),
    )
    assert loose(made.source()) == ["Between"]


def test_the_digest_follows_refs_and_not_the_place(tmp_path: Path) -> None:
    made = history(tmp_path / "made")
    first = made.source()
    before = first.digest()
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(made.folder), str(clone)], check=True)
    for kind in ("head", "merge"):
        refs = f"+refs/pull/*/{kind}:refs/remotes/origin/pull/*/{kind}"
        subprocess.run(["git", "-C", str(clone), "fetch", "-q", "origin", refs], check=True)
    cloned = GitSource(str(clone), repo="example/thing")
    assert cloned.digest() == before
    assert everything(cloned) == everything(first)
    assert made.source("example/other").digest() != before
    made.point(pull_1_head=made.git("rev-parse", "main~1"))
    assert first.digest() == before
    assert made.source().digest() != before


def test_head_refs_are_found_where_people_fetch_them(made: Made) -> None:
    base = made.commit(0, "Begin", files={})
    work = made.commit(1, "Work", [base])
    made.point(main=base, remotes_origin_pr_5=work, remotes_origin_pull_6_head=work, remotes_other_pr_7=work)
    assert pulls(made.source()).keys() == {5, 6}


def test_the_default_branch_is_the_remote_s_then_its_main_then_head_s(made: Made) -> None:
    one, two, three = (made.commit(hour, f"Commit {hour}") for hour in range(3))
    made.point(main=one, master=two)
    made.git("symbolic-ref", "HEAD", "refs/heads/none")
    with pytest.raises(BadInput, match=r"names the branch .none., which is not there, .* main, master") as caught:
        loose(made.source())
    assert "--set branch=main" in caught.value.hint
    made.git("symbolic-ref", "HEAD", "refs/heads/master")
    assert loose(made.source()) == ["Commit 1"]
    made.git("update-ref", "--no-deref", "HEAD", three)
    assert loose(made.source()) == ["Commit 0"]  # HEAD is a commit, and there is a main
    made.git("symbolic-ref", "HEAD", "refs/heads/master")
    made.point(remotes_origin_main=three)
    assert loose(made.source()) == ["Commit 2"]
    made.point(remotes_origin_trunk=one, pull_1_head=one)
    made.git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/trunk")
    assert pulls(made.source())[1].base_ref == "trunk"
    chosen = GitSource(str(made.folder), repo="example/thing", branch="master")
    assert loose(chosen) == ["Commit 1"]
    assert "read the branch master, as the setting `branch` names it." in chosen.notices()[0]
    assert chosen.digest() != made.source().digest()
    with pytest.raises(BadInput, match="no branch 'typo'") as caught:
        GitSource(str(made.folder), branch="typo").digest()
    assert caught.value.hint == "Its branches are main, master, trunk."


def test_an_only_branch_is_taken_and_commits_without_a_branch_are_not_nothing(made: Made) -> None:
    one = made.commit(0, "Begin")
    made.git("symbolic-ref", "HEAD", "refs/heads/none")
    made.point(develop=one)
    assert pulls(made.source()) == {}
    assert "read the branch develop, as it is the only branch." in made.source().notices()[0]
    made.git("update-ref", "-d", "refs/heads/develop")
    made.point(tags_one=one)
    with pytest.raises(BadInput, match="has commits, but no branch: only refs such as refs/tags/one"):
        made.source().digest()


def test_an_only_remote_may_have_another_name(made: Made) -> None:
    made.git("symbolic-ref", "HEAD", "refs/heads/none")
    made.git("config", "remote.upstream.url", "https://github.com/org/app")
    made.point(remotes_pull_7_merge=made.commit(2, "Preview"))
    made.point(remotes_upstream_main=made.commit(0, "Begin"), remotes_upstream_feature=made.commit(1, "Feature"))
    source = GitSource(str(made.folder))
    assert (source.repositories, loose(source)) == (("org/app",), ["Begin"])


@pytest.mark.parametrize(
    ("origin", "repo"),
    [
        ("https://user:secret@github.com/Some-Owner/some.name.git", "Some-Owner/some.name"),
        ("git@github.com:owner/name.git", "owner/name"),
        ("ssh://git@host.invalid:22/group/sub/name/", "sub/name"),
        ("../up", "local/up"),
        ("/home/ann/projects/thing.git", "local/thing"),
        ("/home/ann/projects/thing/.git", "local/thing"),
        ("file:///home/ann/projects/thing", "local/thing"),
        (None, "local/my-thing"),
    ],
)
def test_the_name_comes_from_the_origin_or_the_folder(tmp_path: Path, origin: str | None, repo: str) -> None:
    made = Made(tmp_path / "my thing")
    if origin:
        made.git("config", "remote.origin.url", origin)
    assert GitSource(str(made.folder)).repositories == (repo,)
    assert GitSource(str(made.folder / ".git")).repositories == (repo,)
    assert GitSource(str(made.folder), repo="given/name").repositories == ("given/name",)
    with pytest.raises(BadInput):
        GitSource(str(made.folder), repo="../name")


def test_an_address_is_mirrored_and_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = history(tmp_path / "owner" / "thing.git", "--bare")
    made.git("symbolic-ref", "HEAD", "refs/heads/trunk")
    made.point(trunk=made.git("rev-parse", "main"))
    cache = tmp_path / "cache"
    address = f"file://{made.folder}"
    first = GitSource(address, cache=cache)
    assert first.repositories == ("local/thing",)
    assert [pull.base_ref for pull in first.pull_requests()] == ["trunk"] * 3
    (mirror,) = (cache / "git").glob("*.git")
    (cache / "git" / mirror.with_suffix(".new").name).mkdir()  # a clone that was killed
    made.git("update-ref", "-d", "refs/pull/3/head")
    made.git("symbolic-ref", "HEAD", "refs/heads/main")
    monkeypatch.setenv("SEEDJOURNAL_CACHE", str(cache))
    second = GitSource(address)
    assert [(pull.number, pull.base_ref) for pull in second.pull_requests()] == [(1, "main"), (2, "main")]
    assert len(list(first.pull_requests())) == 3
    assert sorted(place.suffix for place in (cache / "git").iterdir()) == [".git", ".lock"]


def test_an_address_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    source = GitSource(f"file://{tmp_path}/absent", cache=tmp_path / "cache")
    with pytest.raises(Unavailable, match=r"absent cannot be fetched: fatal: .* not appear to be a git repository"):
        source.digest()
    assert list((tmp_path / "cache" / "git").glob("*.git")) == []
    assert list((tmp_path / "cache" / "git").glob("*.new")) == []


class Guarded(BaseHTTPRequestHandler):
    """A server that asks for a password and then has no repository."""

    seen: list[str]

    def do_GET(self) -> None:
        given = self.headers.get("Authorization", "")
        self.seen.append(given)
        self.send_response(404 if given else 401)
        self.send_header("WWW-Authenticate", 'Basic realm="here"')
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def guarded() -> Iterator[tuple[str, list[str]]]:
    seen: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Here", (Guarded,), {"seen": seen}))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_port}", seen
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_password_reaches_its_server_and_nothing_else(
    guarded: tuple[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, seen = guarded
    arguments = tmp_path / "arguments"
    wrapper = tmp_path / "bin" / "git"
    wrapper.parent.mkdir()
    wrapper.write_text(f"#!/bin/sh\necho \"$@\" >> '{arguments}'\nPATH='{os.environ['PATH']}' exec git \"$@\"\n")
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{wrapper.parent}:{os.environ['PATH']}")
    source = GitSource(f"http://me:s3cr%40t@{host}/owner/name", cache=tmp_path / "cache")
    with pytest.raises(Unavailable) as caught:
        source.digest()
    assert f"http://{host}/owner/name cannot be fetched" in caught.value.message
    assert f"Basic {base64.b64encode(b'me:s3cr@t').decode()}" in seen
    told = [str(caught.value), caught.value.hint, repr(source), arguments.read_text()]
    told += [str(path) for path in (tmp_path / "cache").rglob("*")]
    assert not [text for text in told if "s3cr" in text]


@pytest.mark.parametrize(
    "location",
    [
        "--upload-pack=touch x",
        "-",
        "",
        "ext::sh -c touch% x",
        "fd::17",
        "ftp://host.invalid/a/b",
        "a\nb",
        "/no/such/folder",
    ],
)
def test_what_is_no_place_for_a_repository_is_refused(location: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        GitSource(location, cache=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_refusals_keep_secrets(tmp_path: Path) -> None:
    for location in (
        "ftp://me:s3cret@host.invalid/a/b",
        "--x=https://me:s3cret@host.invalid/a",
        "https://me:s3cret@[host/a/b",
    ):
        with pytest.raises(BadInput) as caught:
            GitSource(location, cache=tmp_path)
        assert "s3cret" not in str(caught.value)


def test_folders_that_are_no_whole_clone(tmp_path: Path) -> None:
    made = history(tmp_path / "made")
    inside = made.folder / "inside"
    inside.mkdir()
    with pytest.raises(BadInput, match="not a git repository"):
        GitSource(str(inside)).digest()
    shallow = tmp_path / "shallow"
    subprocess.run(["git", "clone", "-q", "--depth=1", f"file://{made.folder}", str(shallow)], check=True)
    with pytest.raises(BadInput, match="shallow") as caught:
        GitSource(str(shallow)).digest()
    assert "--unshallow" in caught.value.hint


@pytest.mark.parametrize("what", ["main~1^{tree}", "main:new.txt", "main~1"])
def test_a_missing_object_is_an_error(tmp_path: Path, what: str) -> None:
    made = history(tmp_path / "made")
    name = made.git("rev-parse", what)
    (made.folder / ".git/objects" / name[:2] / name[2:]).unlink()
    with pytest.raises(BadInput, match="example/thing: "):
        list(made.source().pull_requests())


def test_git_itself_may_be_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = history(tmp_path / "made").source()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unavailable, match="Git is not installed"):
        source.digest()


def test_a_reader_may_leave_early(tmp_path: Path) -> None:
    source = history(tmp_path / "made").source()
    reader = source.pull_requests()
    first = next(reader)
    assert first == next(source.pull_requests())


def test_a_branch_landed_by_rebase_is_merged_and_its_commits_count_once(made: Made) -> None:
    def files(*names: str) -> dict[str, str | bytes]:
        return dict.fromkeys(names, "1\n")

    base = made.commit(0, "Begin", files=files("f"))
    one = made.commit(1, "One", [base], files("f", "a"))
    two = made.commit(2, "Two", [one], files("f", "a", "b"))
    main = made.commit(3, "Main", [base], files("f", "z"))
    same = made.commit(1, "One", [main], files("f", "z", "a"), committed=4)
    both = made.commit(2, "Two", [same], files("f", "z", "a", "b"), committed=5)
    other = made.commit(6, "Another", [base], {**files("f"), "a": "2\n"})
    made.point(main=both, pull_5_head=two, pull_6_head=one, pull_7_head=other, pull_5_merge=one)
    source = made.source()
    found = pulls(source)
    assert [(pull.state, pull.merged_at, pull.title) for pull in found.values()] == [
        ("merged", at(5), "Two"),
        ("merged", at(4), "One"),
        ("closed", None, "Another"),
    ]
    assert found[5].files == (
        ChangedFile(filename="a", status="added", additions=1),
        ChangedFile(filename="b", status="added", additions=1),
    )
    assert loose(made.source()) == ["Begin", "Main"]
    assert "2 landed under other names (2 rebased, 0 squashed). 3 head refs were found." in source.notices()[1]


@pytest.mark.parametrize(("content", "state"), [(b"\0\1", "merged"), (b"\0\2", "open")])
def test_a_branch_squashed_without_a_number_is_merged_if_it_is_the_same_to_the_byte(
    made: Made, content: bytes, state: str
) -> None:
    base = made.commit(0, "Begin", files={"f": "1\n"})
    work = made.commit(1, "Work", [base], {"f": "1\n", "bytes": b"\0\1"})
    main = made.commit(2, "Main", [base], {"f": "1\n", "z": "1\n"})
    joined = made.commit(3, "Take main in", [work, main], {"f": "1\n", "z": "1\n", "bytes": b"\0\1"})
    more = made.commit(4, "More", [joined], {"f": "1\n2\n", "z": "1\n", "bytes": b"\0\1"})
    squash = made.commit(5, "All of it", [main], {"f": "1\n2\n", "z": "1\n", "bytes": content})
    made.point(main=squash, pull_5_head=more)
    pull = pulls(made.source())[5]
    assert (pull.state, pull.commits_count, pull.changed_files, pull.additions) == (state, 3, 2, 1)
    assert ("All of it" in loose(made.source())) == (state == "open")


def test_a_change_that_the_head_began_with_does_not_land_it(made: Made) -> None:
    base = made.commit(0, "Begin", files={"f": "1\n"})
    once = made.commit(1, "Add", [base], {"f": "1\n", "a": "1\n"})
    away = made.commit(2, "Remove", [once], {"f": "1\n"})
    again = made.commit(3, "Add again", [away], {"f": "1\n", "a": "1\n"})
    made.point(main=away, pull_5_head=again)
    assert pulls(made.source())[5].state == "open"


def test_a_merge_queue_lands_several_by_one_merge(made: Made) -> None:
    base = made.commit(0, "Begin", files={})
    one, two = (made.commit(hour, name, [base], {name: "1\n"}) for hour, name in ((1, "one"), (2, "two")))
    merge = made.commit(
        3, "Merge #5 #6\n\n5: Do one r=a\n\n6: Do two r=b", [base, one, two], {"one": "1\n", "two": "1\n"}
    )
    made.point(main=merge)
    named = pulls(made.source())
    assert [(pull.title, [c.message for c in pull.commits]) for pull in named.values()] == [
        ("Do one", ["one"]),
        ("Do two", ["two"]),
    ]
    made.point(pull_5_head=one, pull_6_head=two)
    assert [pull.commits for pull in pulls(made.source()).values()] == [pull.commits for pull in named.values()]


def test_an_old_author_s_date_is_taken_from_the_number_before(made: Made) -> None:
    day = 24
    head = made.commit(0, "One (#1)", files={"f": "1"})
    for number, (authored, committed) in enumerate([(40, 40), (-300, 80), (-200, 85), (90, 90)], 2):
        head = made.commit(authored * day, f"Work (#{number})", [head], {"f": str(number)}, committed=committed * day)
    made.point(main=head)
    found = pulls(made.source())
    assert [found[number].created_at for number in sorted(found)] == [at(day * days) for days in (0, 40, 40, 40, 90)]
    assert [found[number].merged_at for number in sorted(found)] == [at(day * days) for days in (0, 40, 80, 85, 90)]


def test_a_mailmap_makes_one_person_of_several_names(made: Made) -> None:
    lines = "# people\nAda Proper <ada@corp.invalid> <ada@home.invalid>\nAda Proper <ada@corp.invalid> <12+ada@users.noreply.github.com>\n"
    lines += "Bo Sample <bo@corp.invalid> Shared Desk <desk@corp.invalid>\nno line of a map <\n"
    head = made.commit(0, "One", files={".mailmap": lines}, author=("ada", "Ada@Home.invalid"))
    for number, author in enumerate(
        [
            ("A. P.", "12+ada@users.noreply.github.com"),
            ("Ada Proper", "ada@corp.invalid"),
            ("shared desk", "desk@corp.invalid"),
        ]
    ):
        head = made.commit(number + 1, "More", [head], {".mailmap": lines, "f": str(number)}, author=author)
    made.point(main=made.commit(9, "Last (#1)\n\nReviewed-by: x <ada@home.invalid>", [head], {".mailmap": lines}))
    ada = Person(login="ada", name="Ada Proper", id=12)
    assert [one.commit.author for one in made.source().loose_commits()] == [ada, ada, ada, Person(name="Bo Sample")]
    assert [one.reviewer for one in pulls(made.source())[1].reviews] == [ada]
    plain = GitSource(str(made.folder), repo="example/thing", use_mailmap=False)
    assert len({one.commit.author for one in plain.loose_commits()}) == 4
    assert plain.digest() != made.source().digest()


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("Ben B <b@x.invalid>, Fay F <f@x.invalid>", ["Ben B", "Fay F"]),
        ("Ben B <b@x.invalid> and Fay F <f@x.invalid>", ["Ben B", "Fay F"]),
        ("Ben B <b@x.invalid> # the build only", ["Ben B"]),
        ("Bell, Ben <b@x.invalid>", ["Bell, Ben"]),
        ("Ben B, Fay F", ["Ben B", "Fay F"]),
        ("@dora, @eve", ["dora", "eve"]),
        ("b.b@x.invalid, f@x.invalid", ["b.b", "f"]),
        ("<f@x.invalid>", ["f"]),
        ("Ben", ["Ben"]),
        ("", []),
    ],
)
def test_a_reviewed_by_line_may_name_several(line: str, names: list[str]) -> None:
    found = reviewers([f"Work\n\nReviewed-by: {line}"])
    assert [one.login or one.name for one in found] == names


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("ann.real@corp.invalid", "ann.real"),
        ("Ann A (ann@corp.invalid)", "Ann A"),
        ("@ann", "@ann"),
        ("a @ b", "a @ b"),
    ],
)
def test_an_address_in_a_name_s_place_is_not_shown(name: str, shown: str) -> None:
    assert person(name, "x@mail.invalid") == Person(name=shown)


def test_lines_that_are_not_utf_8_are_cp1252() -> None:
    assert text_of("Für ".encode() + b"J\xe4n\n" + "“naïve” J\u00f6n\n".encode() + b"\x93x\x94 \x81") == (
        "FÃ¼r Jän\n“naïve” Jön\n“x” \x81"
    )


@given(st.lists(st.binary(min_size=1, max_size=6) | st.sampled_from([b"\xe4", b"\\xe4", b"\\", b"x"]), max_size=4))
def test_no_two_paths_become_one(parts: list[bytes]) -> None:
    raw = b"".join(parts)
    others = {raw, raw.replace(b"\xe4", b"\\xe4"), raw.replace(b"\\", b"\\\\"), raw.replace(b"\\xe4", b"\xe4")}
    assert len({path_of(one) for one in others}) == len(others)
    for one in others:
        path_of(one).encode()


def test_what_is_not_understood_is_reported_once(made: Made) -> None:
    base = made.commit(0, "Begin", files={"f": "0"})
    head = base
    for number in range(1, 4):
        side = made.commit(number, "Side", [base], {"f": "0", str(number): "1"})
        head = made.commit(number + 0.5, f"Merge branch 'side-{number}'", [head, side], {"f": str(number)})
    head = made.commit(5, "Merge the last", [head, made.commit(4, "Side", [base])], {"f": "4"})
    head = made.commit(6, "Tracked elsewhere (#571564)", [head], {"f": "5"})
    head = made.commit(7, "Change\n\nChange-Id: I0123", [head], {"f": "6"})
    made.point(main=head)
    source = made.source()
    assert pulls(source) == {}
    assert source.notices() == [
        "example/thing: read the branch main, as HEAD names it.",
        "No pull request was found: no head refs, and no commit that names a number in a known way.",
        "1 number behind subjects (#571564) was taken for a bug tracker's: far outside the repository's own.",
        "4 merges name no pull request; 3 of them say 'Merge branch'.",
        "1 commit has a Change-Id (Gerrit), but no Reviewed-on with a number.",
    ]


def test_a_repository_that_was_renamed_keeps_its_numbers(made: Made) -> None:
    head = made.commit(0, "Begin", files={"f": "0"})
    for number, group in enumerate(("old/app", "group/app", "group/app", "fork/app"), 1):
        work = made.commit(number, f"Work {number}", [head], {"f": str(number)})
        message = f"Merge branch 'w{number}' into 'main'\n\nDo {number}\n\nSee merge request {group}!{number}"
        head = made.commit(number + 0.5, message, [head, work], {"f": str(number)})
    made.point(main=head)
    source = made.source()
    assert [(pull.number, pull.title) for pull in pulls(source).values()] == [(1, "Do 1"), (2, "Do 2"), (3, "Do 3")]
    assert "1 commit with a number of fork/app was not read as this repository's pull requests." in source.notices()

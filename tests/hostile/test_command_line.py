"""Whatever stands on the command line: an exit status that says whose fault it is, never ours, and nothing changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests import scale
from tests.seedjournal.commands import TWENTY, Done, call, rows_of

Run = Callable[..., Done]

# Texts that mean something to somebody: a shell, SQL, git, a path, a terminal, a number, a date.
NASTY = (
    *("", "-", "--", "-x", "--upload-pack=touch x", "ext::sh -c touch% x", "../../etc/passwd", "/etc/passwd", "~root"),
    *("'; DROP TABLE journal_events; --", '"', "\\", "%s%n", "${HOME}", "$(touch x)", "`touch x`", "a\nb", "\r\n"),
    *("\x1b[2J\x1b]0;x\x07", "\u202eevil", "\u2066x", "\ufeff", "\U000e0001", "\U0010ffff", "\ud800", "é", "e\u0301"),
    *("0", "-0", "00", "+1", "1e9", "0x1", "1_0", "\u0661", "9" * 30, "9" * 5000, "-" + "9" * 30, "NaN", "inf", "1.5"),
    *("0000-01-01", "0001-01-01", "9999-12-31", "10000-01-01", "2016-12-31T23:59:60Z", "2025-02-30", "1970-01-01"),
    *("demo", "demo@latest", "demo@-1", "demo@-0", "@latest", "@", "demo@-" + "9" * 30, "a" * 7, "0" * 64, "team"),
    *("null", "true", "{}", "[" * 2000, "x" * 100_000, "\u2028", "CON", ".", ".."),
)
words = st.one_of(st.sampled_from(NASTY), st.text(st.characters(exclude_characters="\0"), max_size=40))
kinds = st.sampled_from(("team", "team_member", "pull_request", "pr_file", "weekly_metrics", "nope"))
settings_ = st.sampled_from(("prs", "days", "repos", "team_name", "priority_rates", "policy", "max_prs", "source", "x"))


def _where(*options: str) -> st.SearchStrategy[tuple[str, ...]]:
    return st.tuples(st.sampled_from(options), words)


READING = st.one_of(
    st.tuples(st.just("show"), words),
    st.tuples(st.just("show"), kinds, words),
    st.tuples(st.just("show"), kinds, words, words),
    st.tuples(st.just("show"), kinds, words, words, words),
    st.tuples(st.just("diff"), words, words),
    st.tuples(st.just("diff"), _where("--project", "--kind", "--change", "--limit")).map(lambda two: (two[0], *two[1])),
    st.tuples(st.just("log"), _where("--project")).map(lambda two: (two[0], *two[1])),
    st.tuples(st.just("project"), st.just("--dry-run"), _where("--run", "--project", "--kind", "--schema")).map(
        lambda three: (*three[:2], *three[2])
    ),
    st.tuples(words, words),
)
RECORDING = st.one_of(
    _where("--seed", "--as-of", "--since", "--until", "--policy", "--source", "--wait"),
    st.tuples(settings_, words).map(lambda two: ("--set", "=".join(two))),
    words.map(lambda word: ("--source", f"cache:{word}")),
    words.map(lambda word: ("--source", f"git:{word}")),
    words.map(lambda word: ("--policy", f"{word}=once")),
)


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """A journal of one run."""
    url = f"sqlite:///{tmp_path}/j.db"
    monkeypatch.setenv("SEEDJOURNAL_JOURNAL", url)
    assert call(capsys, TWENTY).status == 0
    return url


def printable(done: Done) -> None:
    """Nothing of what a terminal was given could turn on it."""
    for line in (done.out + done.err).split("\n"):
        assert line.isprintable(), repr(line)


@given(command=READING, as_json=st.booleans())
@example(command=("show", "pull_request", "demo", "demo/demo", "9" * 5000), as_json=False)
@example(command=("log", "--project", "\ud800"), as_json=False)
def test_no_id_ends_in_a_bug_or_changes_anything(
    command: tuple[str, ...], as_json: bool, recorded: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = rows_of(recorded)
    done = call(capsys, (*command, *(("--json",) if as_json else ())))
    assert done.status in {0, 2, 3}, (command, done)
    if not as_json:
        printable(done)
    assert rows_of(recorded) == before
    assert not Path("x").exists()


@given(more=RECORDING)
@example(more=("--as-of", "0001-01-01"))
@example(more=("--as-of", "9999-12-31"))
@example(more=("--set", f"prs={'9' * 5000}"))
@example(more=("--set", f"prs={'[' * 100_000}"))
@example(more=("--set", f"max_prs={'9' * 30}"))
def test_no_option_of_a_recording_ends_in_a_bug(
    more: tuple[str, ...], recorded: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if more[0] == "--set" and more[1].startswith(("prs=", "days=")) and more[1].partition("=")[2].isdigit():
        more = (more[0], f"{more[1][:6]}000000000")  # a demo of a million is a wait and no fault
    before = rows_of(recorded)
    done = call(capsys, (*TWENTY, *more))
    assert done.status in {0, 2, 3}, (more, done)
    printable(done)
    if done.status:
        assert rows_of(recorded) == before
    assert not Path("x").exists()


@settings(max_examples=scale.times(10, 100))
@given(name=words)
def test_a_project_may_have_any_name_or_is_refused(
    name: str, recorded: str, capsys: pytest.CaptureFixture[str]
) -> None:
    done = call(capsys, ("record", "--project", name, *TWENTY[3:]))
    assert done.status in {0, 2, 3}, (name, done)
    printable(done)
    if done.status == 0:
        for command in (("project", f"--project={name}"), ("show", f"{name}@latest"), ("log", f"--project={name}")):
            done = call(capsys, command)
            assert done.status == (2 if command[0] == "show" and name.startswith("-") else 0), (command, done)
            printable(done)


addresses = st.one_of(
    words,
    st.tuples(
        st.sampled_from(("sqlite:///", "sqlite://", "postgresql://", "postgres:///", "sqlite:///a.db?")), words
    ).map("".join),
    words.map(lambda word: f"postgresql://me:{word}@127.0.0.1:1/x"),
    words.map(lambda word: f"postgresql://127.0.0.1:1/x?{word}"),
    words.map(lambda word: f"postgresql://127.0.0.1:{word}/x"),
)


@given(address=addresses, command=st.sampled_from((("log",), ("verify",), ("project",), ("migrate",), TWENTY)))
@example(address="sqlite:///\ud800", command=("migrate",))
@example(address="sqlite://0/0", command=("verify",))
def test_no_address_of_a_database_ends_in_a_bug(
    address: str, command: tuple[str, ...], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    done = call(capsys, (*command, "--journal", address, "--wait", "1"))
    assert done.status in {0, 2, 3}, (address, command, done)
    printable(done)

"""What people are shown: whatever a source, a name or somebody else's journal says, a terminal is only written on."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedjournal.terminal import Progress, shown
from tests.hostile.test_command_line import printable
from tests.seedjournal.commands import SMALL, TWENTY, Done, entry, spawn, write_cache

Run = Callable[..., Done]

EVIL = "a\x1b[2J\x1b]0;owned\x07\u202e\u2066\x9b31m\x00z"


@given(text=st.text())
def test_what_is_shown_is_printable_and_plain_text_as_it_is(text: str) -> None:
    assert shown(text).isprintable()
    if text.isprintable():
        assert shown(text) == text


def test_a_title_is_escaped_for_people_and_as_it_was_for_programs(run: Run) -> None:
    title = EVIL.replace("\x00", "")
    record = ("record", "--project", "rocket", "--new", "--source", "cache:cache", "--policy", "pull_request=upsert")
    write_cache(Path("cache"), entry(1, title=title))
    run(*record)
    write_cache(Path("cache"), entry(1, title=f"{title}!"))
    run(*record)
    for command in (("diff",), ("show", "pull_request", "rocket", "acme/rocket", "1")):
        done = run(*command)
        printable(done)
        assert "\\x1b[2J\\x1b]0;owned\\x07\\u202e\\u2066\\x9b31m" in done.out
    changes = run("diff", "--kind", "pull_request", "--json").json["changes"]
    assert changes[0]["fields"]["title"] == {"old": title, "new": f"{title}!"}


def test_somebody_elses_journal_is_only_read(run: Run) -> None:
    """Columns that no hash covers, and a run that was made to be shown."""
    run(*TWENTY)
    with sqlite3.connect("seedjournal.db") as connection:
        for trigger in [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")]:
            connection.execute(f"DROP TRIGGER {trigger}")
        connection.execute("UPDATE journal_events SET provenance = ?", (EVIL,))
        connection.execute("UPDATE journal_runs SET sealed_at = ?", (EVIL,))
        inputs = json.loads(connection.execute("SELECT inputs FROM journal_runs").fetchone()[0])
        inputs["settings"][EVIL] = EVIL
        connection.execute("UPDATE journal_runs SET inputs = ?", (json.dumps({**inputs, EVIL: {EVIL: EVIL}}),))
    for command in (("log",), ("show", "1"), ("show", "team", "demo"), ("diff", "1", "1")):
        printable(run(*command))
    printable(run("verify", status=1))


@pytest.mark.parametrize("name", ["[/x]", "[red]", "[link=file:///etc/passwd]", EVIL.replace("\x00", ""), "a\nb"])
def test_progress_shows_a_name_and_does_not_obey_it(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "dumb")
    with Progress(quiet=False) as shown_progress:
        tell = shown_progress.stage(name)
        tell("reading", 0, None)
        tell("simulating", 1, 2)
    assert "\x1b]0;" not in capsys.readouterr().err


def test_a_terminal_may_have_any_encoding(tmp_path: Path) -> None:
    for command in (("record", "--project", "→漢", "--new", *SMALL), ("diff", "1", "1", "--stat"), ("show", "→")):
        done = spawn(*command, "--journal", "sqlite:///a.db", folder=tmp_path, PYTHONIOENCODING="latin-1")
        assert done.status == (2 if command[0] == "show" else 0), done
        assert "bug" not in done.err

"""The settings file, whatever is in it: read, or refused by name; and never waited for."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from seedjournal.simulators.engineering.project import SETTINGS
from tests.hostile.test_command_line import NASTY, printable
from tests.seedjournal.commands import SMALL, Done, call

Run = Callable[..., Done]

FILE = Path("seedjournal.toml")

texts = st.one_of(st.sampled_from(NASTY), st.text(max_size=20)).map(
    lambda text: json.dumps(text.encode("utf-8", "replace").decode()).replace("\x7f", "\\u007f")
)
values = st.recursive(
    st.one_of(
        texts,
        st.sampled_from(
            ("true", "nan", "-inf", "-0.0", "0", "-1", "1e400", "9" * 30, "9" * 5000, "1979-05-27", "07:32:00")
        ),
        st.sampled_from(
            ("0000-01-01", "9999-12-31T23:59:60Z", "2016-12-31T23:59:60Z", "0x7fffffffffffffffff", '"\\u0000"')
        ),
        st.integers().map(str),
        st.floats().map(repr),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda parts: f"[{', '.join(parts)}]"),
        st.dictionaries(texts, inner, max_size=2).map(
            lambda table: f"{{{', '.join(f'{name} = {value}' for name, value in table.items())}}}"
        ),
    ),
    max_leaves=4,
)
lines = st.one_of(
    st.tuples(st.sampled_from(("journal", "target", "projects", "x")), values).map(" = ".join),
    st.tuples(st.sampled_from((*SETTINGS, "x")), values).map(lambda two: "[projects.demo]\n" + " = ".join(two)),
    st.tuples(texts, st.sampled_from(SETTINGS), values).map(lambda three: "[projects.{}]\n{} = {}".format(*three)),
    st.text(max_size=30),
)


@given(content=lines)
@example(content=f"[projects.demo]\nprs = {'9' * 5000}")
@example(content=f"[projects.demo]\nrepos = {'[' * 100_000}")
@example(content='journal = "sqlite:///a\\u0000b.db"')
@example(content="[projects.demo]\nsurvey_response_rate = nan")
def test_no_settings_file_ends_in_a_bug(content: str, capsys: pytest.CaptureFixture[str]) -> None:
    FILE.write_bytes(content.encode("utf-8", "replace"))
    for command in (("log",), ("record", "--project", "demo", "--new", *SMALL, "--journal", "sqlite:///own.db")):
        done = call(capsys, command)
        assert done.status in {0, 2, 3}, (content, command, done)
        printable(done)


@given(content=st.binary(max_size=60))
def test_no_bytes_end_in_a_bug(content: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    FILE.write_bytes(content)
    done = call(capsys, ("log",))
    assert done.status in {2, 3}, (content, done)


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, lambda path: path.symlink_to("/dev/zero")])
def test_what_is_no_file_is_not_waited_for(make: Callable[[Path], Any], run: Run) -> None:
    make(FILE)
    assert "is not a regular file" in run("log", status=3).err

"""No text, however it is made, keeps a pattern busy for longer than its length deserves."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from seedjournal.failures import without_secrets
from seedjournal.simulators.engineering import signs
from seedjournal.simulators.engineering.cache import entry
from seedjournal.simulators.engineering.facts import LONGEST, Person, key_text
from seedjournal.simulators.engineering.git import commit as git_commit
from seedjournal.simulators.engineering.git.commands import scrubbed
from seedjournal.simulators.engineering.git.conventions import landings
from seedjournal.simulators.engineering.jira import _TYPES
from seedjournal.simulators.engineering.people import key_of
from tests import scale

# Each is repeated; what a pattern repeats as well, and what begins or ends it.
PIECES = (
    *(" ", "\t", "\n", "a", "1", "-1", " 1", "-a1", "A", "A-", " A-1", "<", "<a", ">", "(#", "(#1", "revert(", "n't "),
    *(
        "claude",
        "claude-",
        "claude 1",
        "gemini-1",
        "cursor ",
        "used claude ",
        "made with ",
        "generated ",
        "://",
        "a://",
    ),
    *("co-authored-by: <", "Reviewed-by: <", "PR-URL: ", "password=", "token", "@", "\\ud800", "://a:", "x'"),
)
ENDS = (("", ""), ("x", "!"), ("x: ", "(#1)\nx"))

READERS: dict[str, Callable[[str], object]] = {
    "prose": signs.ai_tools,
    "prose behind a tool": lambda text: signs.ai_tools(f"generated with claude{text}"),
    "a trailer": lambda text: signs.ai_co_authors(f"x\n\nCo-authored-by: {text}"),
    "a tool's trailer": lambda text: signs.ai_co_authors(f"x\n\nCo-authored-by: claude{text}"),
    "a title": lambda text: (signs.is_revert(text), signs.is_hotfix(text, text), signs.jira_key(text)),
    "a title's type": lambda text: [pattern.search(text) for _, pattern in _TYPES],
    "a commit": lambda text: git_commit.read(f"tree 0\nauthor {text}\ncommitter {text} <a> 1 +0\n\n{text}".encode()),
    "a subject": lambda text: landings(text, 0, 1),
    "a subject on one line": lambda text: landings(f"{text.replace(chr(10), ' ')}\nPR-URL: x", 0, 1),
    "reviewers": lambda text: git_commit.reviewers((text, f"Reviewed-by: {text}")),
    "a mailmap": git_commit.Mailmap.parsed,
    "a path": lambda text: git_commit.path_of(text.encode("utf-8", "surrogateescape")),
    "an identity": lambda text: git_commit.person(text, text),
    "git's complaint": scrubbed,
    "an error": without_secrets,
    "escapes": lambda text: entry._ESCAPES.sub(b"", text.encode()),
}


@pytest.mark.scales
@pytest.mark.parametrize("reader", READERS)
def test_no_text_takes_for_ever(reader: str) -> None:
    length = scale.times(10_000, 30_000)
    patience = 2 * (length / 30_000) ** 2  # seconds: what grows as the square of the length is found at either length
    read = READERS[reader]
    for piece in PIECES:
        for head, tail in ENDS:
            text = head + piece * (length // len(piece)) + tail
            begun = time.process_time()
            read(text)
            assert time.process_time() - begun < patience, (piece, head, tail)


def test_a_text_of_many_megabytes() -> None:
    text = "generated with claude " * 1_500_000
    assert signs.ai_tools(text) == ["claude"]
    assert signs.jira_key(text) is None
    assert not signs.is_revert(text)
    assert len(without_secrets(text)) < 5_000


def test_what_is_cut_off_an_error_takes_no_half_address_with_it() -> None:
    for length in range(3_960, 4_010):
        assert "hunter2" not in without_secrets(f"{'x' * length} postgresql://me:hunter2@localhost/x {'x' * 100}")
    assert "hunter2" not in without_secrets(f"postgresql://me:hunter2{'x' * 5_000}@localhost/x")


def test_keys_fit_every_index_and_stay_apart() -> None:
    for letter in ("x", "é", "漢", "😀"):
        one, other = (key_text(letter * 2_000 + end) for end in ("a", "b"))
        assert one != other
        assert one.startswith(letter * 100)
        assert len(one.encode()) <= LONGEST
        assert key_text(letter * 250) == letter * 250
    assert len(key_of(Person(login="İ" * 9_000)) or "") <= LONGEST
    assert len(key_of(Person(name="x" * 9_000)) or "") <= LONGEST
    assert signs.jira_key("A" * 5_000 + "-1") is None

"""One pull request as a cache file writes it.

The structs are the published shape of an entry: every field that is listed is checked, used or not, and a field that
is not listed is ignored. Strict about what would quietly change a number (a missing list, a text where a count
belongs), lenient where real exports have nothing to say (a deleted account, an id of 0, a branch that is gone).
"""

from __future__ import annotations

import re

import msgspec
from msgspec import Struct

from ..facts import Count, Identifier, Instant

# A NUL as JSON writes it; there is no other way to write one.
NUL = rb"\u0000"

# Every escape of JSON, so that an escaped backslash hides what follows it; a half surrogate pair is group 1.
_ESCAPES = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u([dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)

# 0 is how the seed system writes an id that it does not know.
_MaybeIdentifier = Count | None


class CommitEntry(Struct, frozen=True, kw_only=True, gc=False):
    """A commit of a pull request."""

    sha: str
    message: str
    author_login: str | None = None
    author_name: str | None = None
    committed_at: Instant
    additions: Count
    deletions: Count


class ReviewEntry(Struct, frozen=True, kw_only=True, gc=False):
    """A review; one that is pending has no time yet, one by a deleted account no login."""

    github_review_id: _MaybeIdentifier = None
    reviewer_login: str | None
    state: str
    submitted_at: Instant | None
    body: str | None = None


class FileEntry(Struct, frozen=True, kw_only=True, gc=False):
    """A changed file; `patch` is no part of the facts."""

    filename: str
    status: str
    additions: Count
    deletions: Count
    patch: str | None = None


class CheckRunEntry(Struct, frozen=True, kw_only=True, gc=False):
    """A check run. It may end before it starts: GitHub says so of runs that were skipped."""

    github_id: Identifier
    name: str
    status: str
    conclusion: str | None = None
    started_at: Instant | None = None
    completed_at: Instant | None = None


class PullRequestEntry(Struct, frozen=True, kw_only=True, gc=False):
    """A pull request; `github_pr_id` and `github_repo` repeat what is known and may be left out."""

    github_pr_id: int | None = None
    number: Identifier
    github_repo: str | None = None
    title: str
    body: str | None = None
    state: str
    is_merged: bool
    is_draft: bool
    created_at: Instant
    updated_at: Instant | None
    merged_at: Instant | None = None
    closed_at: Instant | None = None
    additions: Count
    deletions: Count
    changed_files: Count
    commits_count: Count
    author_login: str | None
    author_id: _MaybeIdentifier
    author_name: str | None = None
    author_avatar_url: str | None = None
    head_ref: str | None
    base_ref: str | None
    labels: tuple[str, ...]
    commits: tuple[CommitEntry, ...]
    reviews: tuple[ReviewEntry, ...]
    files: tuple[FileEntry, ...]
    check_runs: tuple[CheckRunEntry, ...]
    jira_key_from_title: str | None = None
    jira_key_from_branch: str | None = None
    milestone_title: str | None = None
    assignees: tuple[str, ...]
    linked_issues: tuple[Count | str, ...]


class WrongField(Exception):
    """A field that cannot be right: its path in the entry, empty for the entry itself, and what is wrong with it.

    It never leaves the source: the reader of the file adds file and entry.
    """

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}" if field else reason)
        self.field = field
        self.reason = reason


_DECODER = msgspec.json.Decoder(PullRequestEntry)


def read_entry(text: msgspec.Raw, suspect: str = "") -> PullRequestEntry:
    """Return the entry in JSON; raise WrongField for the first thing in it that has the wrong shape.

    `suspect` says what a NUL character in a text stands for, where the file has any. It is searched for only then:
    walking every text of every file would cost more than reading it.
    """
    try:
        entry = _DECODER.decode(text)
    except msgspec.ValidationError as error:
        raise wrong_field(error) from error
    except (msgspec.DecodeError, ValueError) as error:
        raise WrongField("", f"is not JSON: {error}") from error
    except RecursionError as error:
        raise WrongField("", "is nested too deeply") from error
    if suspect and NUL in bytes(text):
        _refuse_nul(msgspec.to_builtins(entry), "", suspect)
    return entry


def replace_half_pairs(text: bytes | bytearray, by: bytes) -> bytes:
    """Return JSON with `by` in place of each escaped half of a surrogate pair, which is no text."""
    return _ESCAPES.sub(lambda escape: by if escape[1] else escape[0], text)


def wrong_field(error: msgspec.ValidationError) -> WrongField:
    """Return what msgspec found wrong, with the path of the field."""
    reason, _, path = str(error).partition(" - at `$")
    field = path.rstrip("`").removeprefix(".")
    missing = re.fullmatch(r"Object missing required field `(\w+)`", reason)
    if missing:
        return WrongField(f"{field}.{missing[1]}" if field else missing[1], "is missing")
    return WrongField(field, reason[:1].lower() + reason[1:])


def _refuse_nul(value: object, path: str, suspect: str) -> None:
    """Raise WrongField for the first text in `value` that holds a NUL character."""
    if isinstance(value, str):
        if "\0" in value:
            raise WrongField(path, f"holds {suspect}, which a database cannot store")
    elif isinstance(value, dict):
        for name, part in value.items():
            _refuse_nul(part, f"{path}.{name}" if path else name, suspect)
    elif isinstance(value, list | tuple):
        for index, part in enumerate(value):
            _refuse_nul(part, f"{path}[{index}]", suspect)

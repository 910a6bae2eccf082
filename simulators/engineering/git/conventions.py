"""How forges and merge scripts write a pull request's number into a commit's message: a table, one row each.

Subjects are tried in the order of the table, and the first row that fits counts. Every trailer counts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

_LONGEST = 200_000  # characters of a message that are searched
_N = r"(?P<number>[1-9][0-9]{0,14})"
_SUFFIX_END = r"[.,;!]*(?:\s*\[[^\[\]]*\])*\Z"
_QUEUED = re.compile(r"#([1-9][0-9]{0,14})")


class Landing(NamedTuple):
    """A commit that says which pull request it lands.

    `told` is the repository that it names, or None; `parent` the only one of the merge's parents that it speaks of.
    """

    number: int
    place: int
    is_merge: bool
    title: str
    branch: str | None = None
    told: str | None = None
    convention: Convention | None = None
    parent: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Convention:
    """One way to name a pull request, with an example: a message, and what is read from it.

    `pattern` is matched to the subject, or searched in the body where `is_trailer`. Its groups are number and, where
    there are such, title, branch and repo; `below` finds title or branch in the body. `one_parent`: a commit that is
    no merge may be written so too. `is_weak`: such a number may be an issue's or a bug tracker's. `space`: numbers
    that are counted by themselves.
    """

    name: str
    pattern: re.Pattern[str]
    example: str
    read: tuple[int, str, str | None]
    below: re.Pattern[str] | None = None
    is_trailer: bool = False
    one_parent: bool = True
    is_weak: bool = False
    space: str = "pull request"


def _row(name: str, pattern: str, example: str, read: tuple[int, str, str | None], **more: object) -> Convention:
    below = more.pop("below", None)
    compiled = re.compile(str(below), re.MULTILINE) if below else None
    flags = re.MULTILINE | re.IGNORECASE if more.get("is_trailer") else 0
    return Convention(name=name, pattern=re.compile(pattern, flags), example=example, read=read, below=compiled, **more)  # type: ignore[arg-type]


_FIRST_LINE = r"\A\s*(?P<title>\S.*)$"
_SUBJECTS = (
    _row(
        "Azure DevOps",
        rf"Merged PR {_N}: (?P<title>.*)",
        "Merged PR 105: Add a box",
        (105, "Add a box", None),
    ),
    _row(
        "Bitbucket Cloud",
        rf"Merged in (?P<branch>\S+) \(pull request #{_N}\)",
        "Merged in box (pull request #3)\n\nAdd a box\n\nApproved-by: Ben B",
        (3, "Add a box", "box"),
        below=_FIRST_LINE,
    ),
    _row(
        "Bitbucket Server",
        rf"Pull request #{_N}: (?P<title>.*)",
        "Pull request #4: Add a lid\n\nMerge in APP/app from lid to main\n\n* commit 'abc1234':\n  Work on lid",
        (4, "Add a lid", "lid"),
        below=r"^Merge in \S+ from (?P<branch>\S+) to \S",
    ),
    _row(
        "Bitbucket Server, older",
        rf"Merge pull request #{_N} in \S+ from (?P<branch>\S+) to \S",
        "Merge pull request #5 in APP/app from hinge to main\n\n* commit 'abc1234':\n  Add a hinge",
        (5, "Add a hinge", "hinge"),
        below=r"^\* commit '[^']*':\n\s+(?P<title>\S.*)$",
    ),
    _row(
        "Gitea",
        rf"Merge pull request '(?P<title>.*)' \([#!]{_N}\)(?: from (?P<branch>\S+)(?: into \S+)?)?",
        "Merge pull request 'Add a box' (#7) from ann/box into main",
        (7, "Add a box", "ann/box"),
    ),
    _row(
        "homu",
        rf"(?:Auto|Rollup) merge of #{_N} - [^\s:]+:(?P<branch>[^\s,]+)",
        "Auto merge of #108 - ann:box, r=ben\n\nAdd a box\n\nIt was missing.",
        (108, "Add a box", "box"),
        below=_FIRST_LINE,
    ),
    _row(
        "bors",
        rf"Merge #{_N}(?:[ ,]+#[1-9][0-9]{{0,14}})*\Z",
        "Merge #109\n\n109: Add a box r=ben a=ann\n\nCo-authored-by: Ann A <ann@example.com>",
        (109, "Add a box", None),
        one_parent=False,
    ),
    _row(
        "merge script, number and title",
        rf"Merge (?P<repo>[\w.-]+/[\w.-]+)?#{_N}: (?P<title>.*)",
        "Merge org/app#112: Add a box",
        (112, "Add a box", None),
        one_parent=False,
    ),
    _row(
        "merge script, PR",
        rf"Merge PR #{_N}\b(?:: (?P<title>.*))?",
        "Merge PR #113 into main\n\n* refs/pull/113/head:\n\tAdd a box",
        (113, "Add a box", None),
        below=r"^\* refs/pull/\d+/head:\n\s+(?P<title>\S.*)$",
        one_parent=False,
    ),
    _row(
        "number behind the subject",
        rf"(?P<title>.*?)\((?:#|GH-){_N}\){_SUFFIX_END}",
        "Add a box (#202) [skip ci]",
        (202, "Add a box", None),
        is_weak=True,
    ),
    _row(
        "GitLab, number behind the subject",
        rf"(?P<title>.*?)\(!{_N}\){_SUFFIX_END}",
        "Add a box (!12)",
        (12, "Add a box", None),
    ),
    _row(
        "GitHub merge",
        rf"Merge pull request #{_N}\b(?: from [^\s/]+/(?P<branch>\S+))?",
        "Merge pull request #4 from ann/box\n\nAdd a box",
        (4, "Add a box", "box"),
        below=_FIRST_LINE,
    ),
)
_TRAILERS = (
    _row(
        "GitLab",
        rf"^See merge request (?:(?P<repo>[\w./-]+))?!{_N}[ \t\r]*$",
        "Merge branch 'box' into 'main'\n\nAdd a box\n\nSee merge request group/app!12",
        (12, "Add a box", "box"),
        below=_FIRST_LINE,
        is_trailer=True,
    ),
    _row(
        "GitLab, Part-of",
        rf"^Part-of:[ \t]*<?https?://[^/\s]+/(?P<repo>[\w./-]+?)/-/merge_requests/{_N}>?[ \t\r]*$",
        "Add a box\n\nPart-of: <https://gitlab.example.com/group/app/-/merge_requests/13>",
        (13, "Add a box", None),
        is_trailer=True,
    ),
    _row(
        "PR-URL",
        rf"^PR-URL:[ \t]*https?://[^/\s]+/(?P<repo>[^/\s]+/[^/\s]+)/pull/{_N}\b",
        "box: add one\n\nPR-URL: https://github.com/org/app/pull/14",
        (14, "box: add one", None),
        is_trailer=True,
    ),
    _row(
        "Pull Request resolved",
        rf"^Pull Request resolved:[ \t]*https?://[^/\s]+/(?P<repo>[^/\s]+/[^/\s]+)/pull/{_N}\b",
        "Add a box\n\nPull Request resolved: https://github.com/org/app/pull/15",
        (15, "Add a box", None),
        is_trailer=True,
    ),
    _row(
        "Gitea, Reviewed-on",
        rf"^Reviewed-on:[ \t]*https?://[^/\s]+/(?P<repo>[^/\s]+/[^/\s]+)/pulls/{_N}[ \t\r]*$",
        "Add a box\n\nReviewed-on: https://git.example.com/ann/app/pulls/16\nReviewed-by: Ben B <ben@example.com>",
        (16, "Add a box", None),
        is_trailer=True,
    ),
    _row(
        "Gerrit",
        rf"^Reviewed-on:[ \t]*https?://[^/\s]+(?:/(?!pulls/)[^\s/]+)*?/{_N}/?[ \t\r]*$",
        "Add a box\n\nChange-Id: I0123456789abcdef0123456789abcdef01234567\n"
        "Reviewed-on: https://review.example.com/c/app/+/116\nReviewed-by: Ben B <ben@example.com>",
        (116, "Add a box", None),
        is_trailer=True,
        space="Gerrit change",
    ),
    _row(
        "Phabricator",
        r"^Differential Revision:[ \t]*(?:https?://\S+/)?D(?P<number>[1-9][0-9]{0,14})[ \t\r]*$",
        "[box] Add one\n\nDifferential Revision: https://reviews.example.com/D117",
        (117, "[box] Add one", None),
        is_trailer=True,
        space="Phabricator revision",
    ),
)
CONVENTIONS = (*_SUBJECTS, *_TRAILERS)

_MERGED_BRANCH = re.compile(r"Merge branch '(?P<branch>[^']+)'")
_BORS_TITLE = re.compile(r"^([1-9][0-9]{0,14}): (.*?)(?: r=.*)?$", re.MULTILINE)
_TRAILER_WORDS = re.compile(
    r"merge request|part-of:|pr-url:|request resolved:|reviewed-on:|differential revision:", re.IGNORECASE
)


def subject(message: str) -> str:
    """Return a message's first line."""
    return message.partition("\n")[0].strip()


def landings(message: str, place: int, parents: int) -> list[Landing]:
    """Return the pull requests that a commit says it lands, by its subject or its trailers."""
    first = subject(message)
    is_merge = parents > 1
    body = message.partition("\n")[2][:_LONGEST]
    found = _by_subject(first, body, place, is_merge=is_merge, parents=parents)
    if _TRAILER_WORDS.search(body):
        title = found[0].title if found else first
        trailed = _by_trailers(first, title, body, place, is_merge=is_merge)
        if found and found[0].convention and not found[0].convention.is_weak:  # a trailer may only confirm it
            trailed = [one for one in trailed if one.number not in {one.number for one in found}]
        else:
            found = [one for one in found if one.number not in {one.number for one in trailed}]
        found = [*trailed, *found]
    return found


def _by_subject(first: str, body: str, place: int, *, is_merge: bool, parents: int) -> list[Landing]:
    if "#" not in first and "(" not in first and "PR " not in first:
        return []
    for row in _SUBJECTS:
        match = row.pattern.match(first)
        if match is None or not (is_merge or row.one_parent or not _is_squashed(first)):
            continue
        if row.name == "bors":
            return _queued(row, first, body, place, parents)
        parts = _parts(row, match, body)
        return [
            Landing(
                int(match["number"]), place, is_merge, parts.get("title", ""), parts.get("branch"), _told(parts), row
            )
        ]
    return []


def _by_trailers(first: str, title: str, body: str, place: int, *, is_merge: bool) -> list[Landing]:
    found: dict[tuple[str, str | None, int], Landing] = {}
    for row in _TRAILERS:
        matches = list(row.pattern.finditer(body))
        if row.space != "pull request":
            matches = matches[-1:]  # a commit that was picked from another branch carries that one's before its own
        for match in matches:
            parts = _parts(row, match, body)
            branch = _MERGED_BRANCH.match(first) if is_merge and row.below else None
            own = parts.get("title") if branch and not row.pattern.match(parts.get("title") or "") else None
            landing = Landing(
                int(match["number"]),
                place,
                is_merge,
                own or ("" if branch else title),
                branch["branch"] if branch else None,
                _told(parts),
                row,
            )
            found.setdefault((row.space, landing.told, landing.number), landing)
    return [found[key] for key in sorted(found, key=lambda key: (key[0], key[1] or "", key[2]))]


def _queued(row: Convention, first: str, body: str, place: int, parents: int) -> list[Landing]:
    """Return what a merge queue merged at once; each has a parent of its own where there are as many."""
    titles = {int(number): title for number, title in _BORS_TITLE.findall(body)}
    numbers = [int(number) for number in _QUEUED.findall(first)]
    apart = len(numbers) > 1 and parents == len(numbers) + 1
    return [
        Landing(number, place, parents > 1, titles.get(number, ""), None, None, row, place_of if apart else None)
        for place_of, number in enumerate(numbers, 1)
    ]


def _parts(row: Convention, match: re.Match[str], body: str) -> dict[str, str]:
    parts = {name: text.strip() for name, text in match.groupdict().items() if text}
    below = row.below.search(body) if row.below else None
    if below:
        parts = {name: text.strip() for name, text in below.groupdict().items() if text} | parts
    return parts


def _told(parts: dict[str, str]) -> str | None:
    """Return the repository that is named, by its last two parts."""
    repo = parts.get("repo")
    return "/".join(repo.strip("/").lower().split("/")[-2:]) if repo else None


def _is_squashed(first: str) -> bool:
    return any(row.is_weak and row.pattern.match(first) for row in _SUBJECTS)

"""The parts of an invented pull request: files, commits, reviews and check runs, drawn by its number and their place.

Times are whole seconds since 1970 until they are handed out: arithmetic on integers is exact and several times as fast.
"""

from __future__ import annotations

from datetime import UTC, datetime

from ...draws import Draw
from ..facts import ChangedFile, CheckRun, Commit, Person, Review
from . import words
from .cast import SENTENCES, TASKS, People, Phrases, Setting

MOST_LINES = 150  # added to one file
_LONGEST_CHECK = 20 * 60
_HELPED = 0.08  # of the commits are another member's than the pull request's author's

# The pull request's number (below 2^24) and the part's place lie in an id's low 27 bits, and a draw above them.
_PLACE_BITS = 3
_NUMBER_BITS = 27

_FILE_FIELDS = ("path", "elsewhere", "area", "status", "additions", "deletions")
_COMMIT_FIELDS = ("sha0", "sha1", "sha2", "time", "task", "author", "trailer", "weight")
_REVIEW_FIELDS = ("id", "time", "bot", "which", "state", "last", "body", "sentence")
_CHECK_FIELDS = ("id", "wait", "length", "conclusion")


class Parts:
    """Makes the parts; `last` is the last second that anything may happen in."""

    def __init__(self, setting: Setting, people: People, phrases: Phrases, last: int) -> None:
        self._people = people
        self._phrases = phrases
        self._last = last
        self._files = setting.draws("file", _FILE_FIELDS)
        self._commits = setting.draws("commit", _COMMIT_FIELDS)
        self._reviews = setting.draws("review", _REVIEW_FIELDS)
        self._checks = setting.draws("check_run", _CHECK_FIELDS)
        self._bots = {login: Person(login=login) for login, _ in words.REVIEW_BOTS}

    def changed_files(self, number: int, area: str, count: int) -> tuple[ChangedFile, ...]:
        """At most so many files, by name; a path that is drawn again is one file."""
        files: dict[str, ChangedFile] = {}
        for place in range(count):
            draw = self._files.of(number, place)
            its_area = area
            if draw.chance("elsewhere", 0.15):
                its_area = words.AREAS[draw.integer("area", 0, len(words.AREAS) - 1)]
            paths = words.paths(its_area)
            filename = paths[draw.integer("path", 0, len(paths) - 1)]
            if filename in files:
                continue
            status = draw.choose("status", words.FILE_STATUSES)
            additions = 1 + int(skewed(draw.unit("additions")) * MOST_LINES)
            deletions = int(skewed(draw.unit("deletions")) * MOST_LINES)
            files[filename] = ChangedFile(
                filename=filename,
                status=status,
                additions=0 if status == "removed" else additions,
                deletions=0 if status in {"added", "copied"} else deletions + (status == "removed"),
            )
        return tuple(files[filename] for filename in sorted(files))

    def commits(
        self,
        number: int,
        count: int,
        *,
        author: int,
        span: tuple[int, int],
        lines: tuple[int, int],
        trailer: str | None,
    ) -> tuple[Commit, ...]:
        """So many commits, oldest first; together they change the pull request's lines."""
        draws = [self._commits.of(number, place) for place in range(count)]
        weights = [draw.integer("weight", 1, 8) for draw in draws]
        whole = sum(weights)
        done = 0
        commits = []
        for place, draw in enumerate(draws):
            so_far = done + weights[place]
            message = self._phrases.messages[draw.integer("task", 0, TASKS - 1)]
            if trailer is not None and draw.chance("trailer", 0.7):
                message = f"{message}\n\n{trailer}"
            helped = draw.unit("author") / _HELPED
            helper = self._people.another(helped, author) if helped < 1 else None
            commits.append(
                Commit(
                    sha=sha(draw),
                    message=message,
                    author=self._people.member(helper or author),
                    committed_at=instant(_slice(span, place, count, draw)),
                    additions=lines[0] * so_far // whole - lines[0] * done // whole,
                    deletions=lines[1] * so_far // whole - lines[1] * done // whole,
                )
            )
            done = so_far
        return tuple(commits)

    def reviews(
        self, number: int, count: int, *, author: int, span: tuple[int, int], is_merged: bool
    ) -> tuple[Review, ...]:
        """So many reviews, earliest first; what was merged was mostly approved in the end."""
        reviews = []
        for place in range(count):
            draw = self._reviews.of(number, place)
            other = None if draw.chance("bot", 0.15) else self._people.another(draw.unit("which"), author)
            if other is None:
                reviewer = self._bots[draw.choose("which", words.REVIEW_BOTS)]
                state = "commented"
            else:
                reviewer = self._people.member(other)
                is_final = is_merged and place == count - 1 and draw.chance("last", 0.9)
                state = "approved" if is_final else draw.choose("state", words.REVIEW_STATES)
            body: str | None = self._phrases.sentences[draw.integer("sentence", 0, SENTENCES - 1)]
            if state == "approved":
                body = words.SHORT_APPROVALS[draw.integer("body", 0, len(words.SHORT_APPROVALS) - 1)]
            reviews.append(
                Review(
                    id=_packed(draw, number, place),
                    reviewer=reviewer,
                    state=state,
                    submitted_at=instant(_slice(span, place, count, draw)),
                    body=body,
                )
            )
        return tuple(reviews)

    def check_runs(self, number: int, count: int, head: int) -> tuple[CheckRun, ...]:
        """So many checks of the head commit, which begin soon after it; none ends after the window."""
        runs = []
        for place in range(count):
            draw = self._checks.of(number, place)
            started = min(head + draw.integer("wait", 3, 60), self._last)
            completed = min(started + 10 + int(squared(draw.unit("length")) * _LONGEST_CHECK), self._last)
            runs.append(
                CheckRun(
                    id=_packed(draw, number, place),
                    name=words.CHECKS[place],
                    status="completed",
                    conclusion=draw.choose("conclusion", words.CONCLUSIONS),
                    started_at=instant(started),
                    completed_at=instant(completed),
                )
            )
        return tuple(runs)


def squared(unit: float) -> float:
    """Rather small: a third is the mean. Products are the same on every machine; powers and logarithms need not be."""
    return unit * unit


def skewed(unit: float) -> float:
    """Mostly small: half are below 1/16, a fifth is the mean."""
    return unit * unit * unit * unit


def instant(seconds: int) -> datetime:
    """The instant so many seconds after 1970 began."""
    return datetime.fromtimestamp(seconds, UTC)


def _slice(span: tuple[int, int], place: int, count: int, draw: Draw) -> int:
    """A moment of the place-th of `count` equal parts of a span: later places are never earlier."""
    begin, end = span
    part = (end - begin) // count
    return begin + place * part + draw.integer("time", 0, part)


def sha(draw: Draw) -> str:
    """A commit's name: 160 bits."""
    return f"{draw.bits('sha0'):016x}{draw.bits('sha1'):016x}{draw.bits('sha2') >> 32:08x}"


def _packed(draw: Draw, number: int, place: int) -> int:
    """An id of 53 bits that no other part of the same kind has: it holds the number and the place."""
    return draw.bits("id") >> 38 << _NUMBER_BITS | number << _PLACE_BITS | place

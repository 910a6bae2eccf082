"""The parts of an invented pull request: files, commits, reviews and check runs, drawn by its index and their place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain

from ...draws import Draw
from .. import facts
from ..facts import ChangedFile, CheckRun, Commit, Review
from . import words
from .cast import People, Person, Setting
from .timing import DAY, HOUR, MINUTE, next_work

_ROOT, _ELSEWHERE = 0.05, 0.20  # of the files lie in no area, or in another one
_HELPED = 0.06  # of the later commits are another member's than the pull request's author's
_OF_ITS_OBJECT = 0.6  # of the texts are about what the pull request is about
_LONGEST_LEAD = 3 * DAY
_LONGEST_CHECK = 18 * MINUTE
_FAILS, _STAYS_FAILED = (0.035, 0.012), 0.08  # at the first and the last push; seldom to the end
_SHORT_APPROVALS = 0.75

# The pull request's index (below 2^24) and the part's place lie in an id's low 29 bits, and a draw above them.
_PLACE_BITS = 5
_INDEX_BITS = 29

_TEXT_FIELDS = ("text", "file", "of its object", "object", "tail", "count")
_FILE_FIELDS = ("where", "status", "weight", "share", "whole", "own")
_COMMIT_FIELDS = ("sha0", "sha1", "sha2", "time", "weight", "trailer", "morning", "helped", *_TEXT_FIELDS)
_REVIEW_FIELDS = ("id", "time", "state", "who", "short", "morning", "late", *_TEXT_FIELDS)
_REVIEWER_FIELDS = tuple(f"who{attempt}" for attempt in range(5))
_BOT_FIELDS = ("which", "id", *_TEXT_FIELDS)
_CHECK_FIELDS = ("id", "wait", "length", "fails", "stays", "again", "rerun id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """What a pull request is about: a purpose, a place in the product, and the words for it."""

    purpose: words.Purpose
    area: str
    object: str
    text: str

    @property
    def slug(self) -> str:
        """The topic as a branch writes it: letters and dashes only, since a number could pass for an issue's."""
        text = self.text.lower().replace("a 502", "an outage").replace("10,000", "many")
        return "-".join("".join([one if "a" <= one <= "z" else " " for one in text]).split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What the parts of one pull request have in common.

    It lasts from `created` to `until`, its end or the last activity of what is open; `share` of the window lay before.
    `lines` is how many lines change, and `deleted` which share of them is taken away.
    """

    index: int
    author: Person
    topic: Topic
    head: str
    share: float
    created: int
    until: int
    is_merged: bool
    trailer: str | None
    lines: int
    deleted: float
    files: int


class Parts:
    """Makes the parts; nothing happens before `first` and after `last`."""

    def __init__(self, setting: Setting, people: People, first: int, last: int) -> None:
        self._people = people
        self._first, self._last = first, last
        self._files = setting.draws("file", _FILE_FIELDS)
        self._commits = setting.draws("commit", _COMMIT_FIELDS)
        self._reviews = setting.draws("review", _REVIEW_FIELDS)
        self._reviewers = setting.draws("reviewer", _REVIEWER_FIELDS)
        self._bot_reviews = setting.draws("bot_review", _BOT_FIELDS)
        self._checks = setting.draws("check_run", _CHECK_FIELDS)
        self._bots = {login: facts.Person(login=login) for login, _ in words.REVIEW_BOTS}

    def files(self, frame: Frame) -> tuple[ChangedFile, ...]:
        """Return the changed files by name, no path twice; together they change about as many lines as they should."""
        draws = [self._files.of(frame.index, place) for place in range(frame.files)]
        weights = [unit * unit * unit * unit + 0.015 for unit in (draw.unit("weight") for draw in draws)]
        whole, done, told = sum(weights), 0.0, 0
        files = []
        for (path, status), draw, weight in zip(_paths(frame, draws), draws, weights, strict=True):
            done += weight
            so_far = int(frame.lines * done / whole + 0.5)
            lines, told = so_far - told, so_far
            deleted = 0
            if status == "removed":
                deleted = lines
            elif status in {"modified", "renamed"}:
                share = frame.deleted + (draw.unit("share") - 0.5) * min(frame.deleted, 1 - frame.deleted)
                deleted = int(lines * share + draw.unit("whole") * (frame.deleted > 0))
            deleted = min(deleted, lines)
            files.append(ChangedFile(filename=path, status=status, additions=lines - deleted, deletions=deleted))
        files.sort(key=_by_name)
        return tuple(files)

    def reviews(self, frame: Frame, count: int, files: Sequence[ChangedFile]) -> tuple[Review, ...]:
        """Return so many reviews by people, earliest first; what was merged was approved in the end."""
        who = self._reviewers.of(frame.index)
        first = self._people.working(who, "who", frame.share, (frame.author.place,))
        if first is None:
            return ()
        others = (frame.author.place, first.place)
        second = (
            count > 1 and self._people.working(self._reviewers.of(frame.index, 2), "who", frame.share, others)
        ) or first
        span, before = frame.until - frame.created, frame.created + 1
        margin = min(5 * MINUTE, span // (2 * count + 2))
        reviews = []
        for place in range(count):
            draw = self._reviews.of(frame.index, place)
            is_last = place == count - 1
            reviewer = first if is_last or draw.chance("who", 0.6) else second
            latest = frame.until - (count - place) * margin
            if is_last and frame.is_merged:
                late = draw.unit("late")
                at = frame.until - int(late * late * late * 0.5 * span) - margin
                state = "approved"
            else:
                at = frame.created + int(span * 0.85 * (place + draw.unit("time")) / count)
                at = next_work(reviewer, at, draw.unit("morning"))
                state = draw.choose("state", words.REVIEW_STATES)
            at = max(before, min(at, latest))
            before = at + margin
            reviews.append(
                Review(
                    id=_packed(draw, "id", frame.index, place),
                    reviewer=reviewer.fact,
                    state=state,
                    submitted_at=instant(at),
                    body=self._said(draw, frame, files, state),
                )
            )
        return tuple(reviews)

    def bot_review(self, frame: Frame, files: Sequence[ChangedFile], minutes: float) -> Review:
        """Return a program's review, some minutes after the opening."""
        draw = self._bot_reviews.of(frame.index)
        at = min(frame.created + int(minutes * MINUTE), frame.until)
        return Review(
            id=_packed(draw, "id", frame.index, 2**_PLACE_BITS - 1),
            reviewer=self._bots[draw.choose("which", words.REVIEW_BOTS)],
            state="commented",
            submitted_at=instant(at),
            body=self._text(words.BOT_REMARKS, draw, frame, files),
        )

    def commits(
        self,
        frame: Frame,
        count: int,
        files: Sequence[ChangedFile],
        reviews: Sequence[Review],
        *,
        lead: float,
        early: float,
    ) -> tuple[Commit, ...]:
        """Return about so many commits, oldest first; together they change the pull request's lines.

        The first come before the opening: `lead` and `early` are draws for how long before, and how many. One follows
        each review that requests changes. None follows the last approval.
        """
        created, until, author = frame.created, frame.until, frame.author
        moments = [int(review.submitted_at.timestamp()) for review in reviews if review.submitted_at]
        moments.append(until)
        answers = [
            (moments[place], moments[place + 1])
            for place, review in enumerate(reviews)
            if review.state == "changes_requested"
        ]
        ends = moments[-2] if frame.is_merged and reviews else created + (until - created) * 3 // 4
        before = 1 + int((count - 1) * early)
        begun = max(self._first, created - 4 * MINUTE - int(lead * lead * lead * lead * _LONGEST_LEAD))
        draws = [self._commits.of(frame.index, place) for place in range(max(count, before + len(answers)))]
        timed: list[tuple[int, int, bool]] = [(begun, 0, False)]
        for place, draw in enumerate(draws[1:], 1):
            unit, morning = draw.unit("time"), draw.unit("morning")
            if place < before:
                at = min(next_work(author, begun + int(unit * (created - begun)), morning), created)
            elif place < before + len(answers):
                asked, limit = answers[place - before]
                at = next_work(author, asked + 1 + int((0.1 + 0.6 * unit) * (limit - asked)), morning)
                at = max(asked + 1, min(at, limit - 1))
            else:
                at = min(next_work(author, created + int(unit * (ends - created)), morning), max(ends, created))
            timed.append((at, place, before <= place < before + len(answers)))
        timed.sort()
        return tuple(self._committed(frame, files, draws, timed))

    def _committed(
        self, frame: Frame, files: Sequence[ChangedFile], draws: Sequence[Draw], timed: list[tuple[int, int, bool]]
    ) -> Iterator[Commit]:
        added, deleted = sum(file.additions for file in files), sum(file.deletions for file in files)
        weights = [0.03 + unit * unit * unit for unit in (draw.unit("weight") for draw in draws)]
        weights[0] += 0.4
        whole, done, so_far = sum(weights), 0.0, (0, 0)
        for number, (at, place, is_answer) in enumerate(timed):
            draw = draws[place]
            done += weights[place]
            now = (int(added * done / whole + 0.5), int(deleted * done / whole + 0.5))
            message = frame.topic.text
            if number:
                message = self._text(words.ANSWERS if is_answer else words.STEPS, draw, frame, files)
            message = message[0].upper() + message[1:]
            if frame.trailer is not None and (number == 0 or draw.chance("trailer", 0.6)):
                message = f"{message}\n\n{frame.trailer}"
            author = frame.author
            if number and draw.chance("helped", _HELPED):
                author = self._people.working(self._reviewers.of(frame.index, "help"), "who", frame.share) or author
            yield Commit(
                sha=sha(draw),
                message=message,
                author=author.fact,
                committed_at=instant(at),
                additions=now[0] - so_far[0],
                deletions=now[1] - so_far[1],
            )
            so_far = now

    def check_runs(self, frame: Frame, pushes: Sequence[int]) -> tuple[CheckRun, ...]:
        """Return the checks of each push; most of what fails is run again, and none ends after the end."""
        runs = []
        until = frame.until
        only_docs = frame.topic.purpose.files == "docs"
        for push, at in enumerate(pushes):
            superseded = pushes[push + 1] if push + 1 < len(pushes) else until
            for place, name in enumerate(words.CHECKS):
                draw = self._checks.of(frame.index, push, place)
                number = (push * len(words.CHECKS) + place) * 2
                started = min(max(at, frame.created) + draw.integer("wait", 3, 50), until)
                length = draw.unit("length")
                completed = started + 12 + int(length * length * _LONGEST_CHECK * (place + 1) / len(words.CHECKS))
                conclusion = "success"
                if only_docs and name in words.SKIPPED:
                    completed, conclusion = started, "skipped"
                elif completed > superseded:
                    completed = max(started, superseded)
                    conclusion = "cancelled" if superseded < until else "success"
                elif draw.chance("fails", _FAILS[push]):
                    conclusion = "failure"
                runs.append(_check(_packed(draw, "id", frame.index, number), name, conclusion, started, completed))
                again = completed + 2 * MINUTE + int(draw.unit("again") * HOUR)
                if conclusion == "failure" and not draw.chance("stays", _STAYS_FAILED) and again < superseded:
                    ended = min(again + completed - started, superseded)
                    rerun = _packed(draw, "rerun id", frame.index, number + 1)
                    runs.append(_check(rerun, name, "success", again, ended))
        return tuple(runs)

    def text(
        self, texts: Sequence[str], draw: Draw, frame: Frame, files: Sequence[ChangedFile], suffix: str = ""
    ) -> str:
        """Return one of some texts, filled in."""
        return self._text(texts, draw, frame, files, suffix)

    def _said(self, draw: Draw, frame: Frame, files: Sequence[ChangedFile], state: str) -> str | None:
        if state == "approved":
            if draw.chance("short", _SHORT_APPROVALS):
                return words.APPROVALS[draw.integer("text", 0, len(words.APPROVALS) - 1)]
            return self._text(words.NOTES, draw, frame, files)
        return self._text(words.REMARKS, draw, frame, files)

    def _text(
        self, texts: Sequence[str], draw: Draw, frame: Frame, files: Sequence[ChangedFile], suffix: str = ""
    ) -> str:
        text = texts[draw.integer("text" + suffix, 0, len(texts) - 1)]
        name = frame.topic.object
        if not draw.chance("of its object" + suffix, _OF_ITS_OBJECT):
            objects = words.AREAS[frame.topic.area]
            name = objects[draw.integer("object" + suffix, 0, len(objects) - 1)]
        path = files[draw.integer("file" + suffix, 0, min(len(files), 12) - 1)].filename
        tail = words.SYMPTOMS[draw.integer("tail" + suffix, 0, len(words.SYMPTOMS) - 1)]
        count = draw.integer("count" + suffix, 2, 60)
        colleague = self._people.member(1 + count % min(self._people.size, 8)).first_name
        return text.format(
            o=name,
            O=name[0].upper() + name[1:],
            t=tail,
            f=path,
            b=path.rpartition("/")[2],
            n=count,
            p=colleague,
            h=frame.head,
        )


def _paths(frame: Frame, draws: Sequence[Draw]) -> Iterator[tuple[str, str]]:
    """Yield paths with their status; a path that is added bears the pull request's own words."""
    use, area = frame.topic.purpose.files, frame.topic.area
    own = frame.topic.slug.replace("-", "_")
    start = draws[0].bits("own")
    here, there, rest = words.pools(use, area, (start >> 40) % (len(words.NAMES) - 1))
    pools = (
        chain(_from(here, start), _from(rest, start >> 24)),
        _from(there, start >> 8),
        _from(words.ROOT, start >> 16),
    )
    owned = 0
    for place, draw in enumerate(draws):
        where = draw.unit("where")
        pool = 2 if where < _ROOT else 1 if where < _ELSEWHERE else 0
        status = draw.choose("status", words.FILE_STATUSES)
        if status == "added":
            patterns = words.OWN[use]
            pattern = patterns[draw.integer("own", 0, len(patterns) - 1)]
            yield pattern.format(area=area, own=words.numbered(own, owned)), status
            owned += 1
            continue
        path = next(pools[pool if place else 0], None)
        if path is None:  # everything there was changed
            patterns = words.OWN[use]
            yield patterns[0].format(area=area, own=words.numbered(own, owned)), "added"
            owned += 1
            continue
        yield path, "modified" if path in words.ROOT else status


def _from(pool: Sequence[str], start: int) -> Iterator[str]:
    """Yield everything in a pool once, from a drawn place on and with a drawn step."""
    size = len(pool)
    at = start % size
    step = words.step(size, start >> 4)
    for _ in range(size):
        yield pool[at]
        at = (at + step) % size


def instant(seconds: int) -> datetime:
    """The instant so many seconds after 1970 began."""
    return datetime.fromtimestamp(seconds, UTC)


def sha(draw: Draw) -> str:
    """A commit's name: 160 bits."""
    return f"{draw.bits('sha0'):016x}{draw.bits('sha1'):016x}{draw.bits('sha2') >> 32:08x}"


def _check(number: int, name: str, conclusion: str, started: int, completed: int) -> CheckRun:
    return CheckRun(
        id=number,
        name=name,
        status="completed",
        conclusion=conclusion,
        started_at=instant(started),
        completed_at=instant(completed),
    )


def _packed(draw: Draw, field: str, index: int, place: int) -> int:
    """An id of 53 bits that no other part of the same kind has: it holds the index and the place."""
    return draw.bits(field) >> 40 << _INDEX_BITS | index << _PLACE_BITS | place


def _by_name(file: ChangedFile) -> str:
    return file.filename

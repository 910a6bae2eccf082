"""The parts of an invented pull request: files, commits, reviews and check runs, drawn by its index and their place."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate, chain

from ...draws import Draw, Draws
from .. import facts
from ..facts import ChangedFile, CheckRun, Commit, Review
from . import words
from .cast import People, Person, Setting
from .timing import DAY, HOUR, MINUTE, day_of, next_work

_ROOT, _ELSEWHERE = 0.05, 0.20  # of the files lie in no area, or in another one
_ITS_OBJECT = 0.70  # of the files in the area are about the same as the pull request, while there are any
_HELPED = 0.06  # of the later commits are another member's than the pull request's author's
_OF_ITS_OBJECT = 0.6  # of the texts are about what the pull request is about
_LONGEST_LEAD = 3 * DAY
_A_COMMIT = 25 * MINUTE  # about, from one commit to the next before the opening
_LONGEST_CHECK = 18 * MINUTE
_FAILS_LATER, _STAYS_FAILED = 0.35, 0.08  # of the first push's rate at the last one; seldom to the end
_SHORT_APPROVALS = 0.75
_NAMED = 12  # a text names one of the first files

# The pull request's index (below 2^24) and the part's place lie in an id's low 29 bits, and a draw above them.
_PLACE_BITS = 5
_INDEX_BITS = 29

_SLOTS = ("0", "1", "2", "3", "4", "5", "6", "7")
_STATUS_SHARES = [*accumulate(share for _, share in words.FILE_STATUSES)][:-1]
_COMMIT_FIELDS = ("sha0", "sha1", "sha2", "time", "weight", "trailer", "morning", "helped", "text")
_REVIEW_FIELDS = ("id", "time", "state", "who", "short", "morning", "late", "text")
_REVIEWER_FIELDS = tuple(f"who{attempt}" for attempt in range(5))
_BOT_FIELDS = ("which", "id", "text")


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """What a pull request is about: a purpose, a place in the product, and the words for it."""

    purpose: words.Purpose
    area: str
    object: str
    text: str
    slug: str  # in a few words, as files are named


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
        self._fails = setting.rates["failing_check_rate"]
        self._files = setting.draws("file", _SLOTS)
        self._commits = setting.draws("commit", _COMMIT_FIELDS)
        self._reviews = setting.draws("review", _REVIEW_FIELDS)
        self._reviewers = setting.draws("reviewer", _REVIEWER_FIELDS)
        self._bot_reviews = setting.draws("bot_review", _BOT_FIELDS)
        self._checks = setting.draws("check_run", _SLOTS)
        self._bots = {login: facts.Person(login=login) for login, _ in words.REVIEW_BOTS}

    def files(self, frame: Frame) -> tuple[ChangedFile, ...]:
        """Return the changed files by name, no path twice; together they change about as many lines as they should."""
        drawn = [*_drawn(self._files, frame.files, frame.index)]
        paths = [*_paths(frame, drawn)]
        weights: list[float] = []
        least: list[int] = []
        for (_, status), bits in zip(paths, drawn, strict=True):
            unit = (bits >> 22 & 0xFFFF) / 0x10000
            is_moved = status == "renamed" and bits >> 63 and bool(weights)  # as it is
            weights.append(0.0 if is_moved else unit * unit * unit * unit + 0.015)
            least.append(0 if is_moved or frame.lines < len(drawn) else 1)
        whole, done, told = sum(weights), 0.0, 0
        rest = frame.lines - sum(least)
        # As much as there is of either is how far a file may differ.
        share, spread = frame.deleted, min(frame.deleted, 1 - frame.deleted)
        files = []
        for (path, status), bits, weight, fewest in zip(paths, drawn, weights, least, strict=True):
            done += weight
            so_far = int(rest * done / whole + 0.5)
            lines, told = fewest + so_far - told, so_far
            deleted = 0
            if status == "removed":
                deleted = lines
            elif share and status in {"modified", "renamed"}:
                its = share + ((bits >> 38 & 0x3FF) / 0x400 - 0.5) * spread
                # Who changes a line adds one; few only take away.
                most = lines if bits >> 60 == 0 else max(0, lines - 1)
                deleted = min(most, int(lines * its + (bits >> 48 & 0x3FF) / 0x400))
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
            latest = frame.until - int((count - place - 0.6 * draw.unit("late")) * margin)
            if is_last and frame.is_merged:
                late = draw.unit("late")
                at = frame.until - int(late * late * late * 0.5 * span) - int(margin * (0.3 + 0.7 * draw.unit("time")))
                state = "approved"
            else:
                at = frame.created + int(span * 0.85 * (place + draw.unit("time")) / count)
                at = next_work(reviewer, at, draw.unit("morning"))
                state = draw.choose("state", words.REVIEW_STATES)
            at = max(before, min(at, latest))
            before = at + int(margin * (0.4 + 0.6 * draw.unit("morning")))
            reviews.append(
                Review(
                    id=_packed(draw.bits("id"), frame.index, place),
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
        bot = draw.choose("which", words.REVIEW_BOTS)
        return Review(
            id=_packed(draw.bits("id"), frame.index, 2**_PLACE_BITS - 1),
            reviewer=self._bots[bot],
            state="commented",
            submitted_at=instant(at),
            body=self.text(words.BOT_REMARKS[bot], draw.bits("text"), frame, files),
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
        begun = created - max(4 * MINUTE + int(lead * lead * lead * lead * _LONGEST_LEAD), (before - 1) * _A_COMMIT)
        if begun < self._first:
            begun = self._first + int((0.2 + 0.7 * lead) * (created - self._first))
        else:
            begun = _in_time(self._first, created - 1, author, begun, lead)
        draws = [self._commits.of(frame.index, place) for place in range(max(count, before + len(answers)))]
        timed: list[tuple[int, int, bool]] = [(begun, 0, False)]
        for place, draw in enumerate(draws[1:], 1):
            unit, morning = draw.unit("time"), draw.unit("morning")
            if place < before:
                at = _in_time(begun, created, author, begun + int(unit * (created - begun)), morning)
            elif place < before + len(answers):
                asked, limit = answers[place - before]
                at = next_work(author, asked + 1 + int((0.1 + 0.6 * unit) * (limit - asked)), morning)
                at = max(asked + 1, min(at, limit - 1))
            else:
                at = _in_time(created, max(ends, created), author, created + int(unit * (ends - created)), morning)
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
                message = self.text(words.ANSWERS if is_answer else words.STEPS, draw.bits("text"), frame, files)
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
        fails = self._fails.at(day_of(frame.created).toordinal())
        only_docs = frame.topic.purpose.files == "docs"
        for push, at in enumerate(pushes):
            superseded = pushes[push + 1] if push + 1 < len(pushes) else until
            drawn = [*_drawn(self._checks, 2 * len(words.CHECKS), frame.index, push)]
            for place, name in enumerate(words.CHECKS):
                bits, again_bits = drawn[2 * place : 2 * place + 2]
                number = (push * len(words.CHECKS) + place) * 2
                started = min(max(at, frame.created) + 3 + (bits & 0x3F), until)
                length = (bits >> 6 & 0xFFF) / 0x1000
                completed = started + 12 + int(length * length * _LONGEST_CHECK * (place + 1) / len(words.CHECKS))
                conclusion = "success"
                if only_docs and name in words.SKIPPED:
                    completed, conclusion = started, "skipped"
                elif completed > superseded:
                    completed = max(started, superseded)
                    conclusion = "cancelled" if superseded < until else "success"
                elif (bits >> 18 & 0xFFF) / 0x1000 < fails * (_FAILS_LATER if push else 1):
                    conclusion = "failure"
                runs.append(_check(_packed(bits, frame.index, number), name, conclusion, started, completed))
                again = completed + 2 * MINUTE + (again_bits & 0xFFF)
                stays = (again_bits >> 12 & 0xFFF) / 0x1000 < _STAYS_FAILED
                if conclusion == "failure" and not stays and again < superseded:
                    ended = min(again + (completed - started) * (3 + (again_bits >> 24 & 3)) // 4, superseded)
                    rerun = _packed(again_bits, frame.index, number + 1)
                    runs.append(_check(rerun, name, "success", again, ended))
        return tuple(runs)

    def _said(self, draw: Draw, frame: Frame, files: Sequence[ChangedFile], state: str) -> str | None:
        bits = draw.bits("text")
        if state == "approved":
            if draw.chance("short", _SHORT_APPROVALS):
                return words.APPROVALS[bits % len(words.APPROVALS)]
            return self.text(words.NOTES, bits, frame, files)
        return self.text(words.REMARKS, bits, frame, files, before="`{f}`: ")

    def text(
        self,
        texts: tuple[str, ...] | Mapping[str, tuple[str, ...]],
        bits: int,
        frame: Frame,
        files: Sequence[ChangedFile],
        before: str = "",
    ) -> str:
        """Return one of some texts, filled in: which, and with what, is cut out of drawn bits.

        It may depend on what the file is that it is about.
        """
        path = files[(bits >> 28 & 0xFFF) % min(len(files), _NAMED)].filename
        some = texts if isinstance(texts, tuple) else texts[words.kind_of(path)]
        text = before + some[(bits & 0xFFF) % len(some)]
        name = frame.topic.object
        if (bits >> 12 & 0xFF) / 0x100 >= _OF_ITS_OBJECT:
            objects = words.AREAS[frame.topic.area]
            name = objects[(bits >> 20 & 0xFF) % len(objects)]
        number = bits >> 52 & 0xFFF
        others = min(self._people.size, 8)
        place = 1 + number % others
        if place == frame.author.place:
            place = 1 + place % others
        return text.format(
            o=name,
            O=name[0].upper() + name[1:],
            t=words.SYMPTOMS[(bits >> 40 & 0xFFF) % len(words.SYMPTOMS)],
            f=path,
            b=path.rpartition("/")[2],
            n=11 + number % 79,
            m=2 + number % 7,
            p=self._people.member(place).first_name,
            h=frame.head,
        )


def _drawn(draws: Draws, count: int, *key: int) -> Iterator[int]:
    """Yield 64 drawn bits for each of so many things: what is drawn for one is cut out of them."""
    for first in range(0, count, len(_SLOTS)):
        draw = draws.of(*key, first)
        for slot in _SLOTS[: count - first]:
            yield draw.bits(slot)


def _paths(frame: Frame, drawn: Sequence[int]) -> Iterator[tuple[str, str]]:
    """Yield paths with their status; a path that is added bears the pull request's own words."""
    use, area = frame.topic.purpose.files, frame.topic.area
    own, owned, patterns = frame.topic.slug, 0, words.OWN[use]
    start = drawn[0] >> 4
    its, here, there, rest = words.pools(use, area, frame.topic.object, start % 3)
    beside = chain(_from(here, start), _from(rest, start >> 20))
    pools = (
        chain(_from(its, start >> 12), beside),
        beside,
        _from(there, start >> 10),
        _from(words.ROOT, start >> 30),
    )
    for place, bits in enumerate(drawn):
        where = (bits & 0x3FF) / 0x400
        status = words.FILE_STATUSES[bisect_right(_STATUS_SHARES, (bits >> 10 & 0xFFF) / 0x1000)][0]
        path = None
        if status != "added":
            near = 0 if place == 0 or (bits >> 4 & 0x3F) / 0x40 < _ITS_OBJECT else 1
            path = next(pools[near if place == 0 or where >= _ELSEWHERE else 2 if where >= _ROOT else 3], None)
        if path is None:  # also where everything was changed
            status = "added"
            path = patterns[(bits >> 58) % len(patterns)].format(area=area, own=words.numbered(own, owned))
            owned += 1
        yield path, "modified" if path in words.ROOT else status


def _from(pool: Sequence[str], start: int) -> Iterator[str]:
    """Yield everything in a pool once, from a drawn place on and with a drawn step; the first ones are drawn most."""
    size = len(pool)
    unit = (start >> 8 & 0xFFFF) / 0x10000
    at = int(unit * unit * unit * size)
    steps = words.steps(size)
    step = steps[(start >> 4) % len(steps)]
    for _ in range(size):
        yield pool[at]
        at = (at + step) % size


def instant(seconds: int) -> datetime:
    """Return the instant so many seconds after 1970 began."""
    return datetime.fromtimestamp(seconds, UTC)


def sha(draw: Draw) -> str:
    """Return a commit's name: 160 bits."""
    return f"{draw.bits('sha0'):016x}{draw.bits('sha1'):016x}{draw.bits('sha2') >> 32:08x}"


def _in_time(first: int, latest: int, author: Person, at: int, morning: float) -> int:
    """Return a moment from first to latest at which somebody works: that of a drawn one, or the next or the day before.

    Where nobody works in between, it is the drawn one.
    """
    for one in (at, at - 15 * HOUR):
        working = next_work(author, one, morning)
        if first <= working <= latest:
            return working
    return min(at, latest)


def _check(number: int, name: str, conclusion: str, started: int, completed: int) -> CheckRun:
    return CheckRun(
        id=number,
        name=name,
        status="completed",
        conclusion=conclusion,
        started_at=instant(started),
        completed_at=instant(completed),
    )


def _packed(bits: int, index: int, place: int) -> int:
    """Return an id of 53 bits that no other part of the same kind has: it holds the index and the place."""
    return bits >> 40 << _INDEX_BITS | index << _PLACE_BITS | place


def _by_name(file: ChangedFile) -> str:
    return file.filename

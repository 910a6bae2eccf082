"""The parts of an invented pull request: files, commits, reviews and check runs, drawn by its index and their place."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate, chain

from ...draws import Draw, Draws
from .. import facts
from ..facts import ChangedFile, CheckRun, Commit, Review
from . import words
from .cast import People, Person, Setting
from .timing import DAY, MINUTE, day_of, next_work

_ROOT, _ELSEWHERE = 0.05, 0.20  # of the files lie in no area, or in another one
_HELPED = 0.06  # of the later commits are another member's than the pull request's author's
_OF_ITS_OBJECT = 0.6  # of the texts are about what the pull request is about
_LONGEST_LEAD = 3 * DAY
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
        weights = [unit * unit * unit * unit + 0.015 for unit in [(bits >> 22 & 0xFFFF) / 0x10000 for bits in drawn]]
        whole, done, told = sum(weights), 0.0, 0
        # As much as there is of either is how far a file may differ.
        share, spread = frame.deleted, min(frame.deleted, 1 - frame.deleted)
        files = []
        for (path, status), bits, weight in zip(_paths(frame, drawn), drawn, weights, strict=True):
            done += weight
            so_far = int(frame.lines * done / whole + 0.5)
            lines, told = so_far - told, so_far
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
        return Review(
            id=_packed(draw.bits("id"), frame.index, 2**_PLACE_BITS - 1),
            reviewer=self._bots[draw.choose("which", words.REVIEW_BOTS)],
            state="commented",
            submitted_at=instant(at),
            body=self.text(words.BOT_REMARKS, draw.bits("text"), frame, files),
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
                    ended = min(again + completed - started, superseded)
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
        self, texts: Sequence[str], bits: int, frame: Frame, files: Sequence[ChangedFile], before: str = ""
    ) -> str:
        """Return one of some texts, filled in: which, and with what, is cut out of drawn bits."""
        text = before + texts[(bits & 0xFFF) % len(texts)]
        name = frame.topic.object
        if (bits >> 12 & 0xFF) / 0x100 >= _OF_ITS_OBJECT:
            objects = words.AREAS[frame.topic.area]
            name = objects[(bits >> 20 & 0xFF) % len(objects)]
        path = files[(bits >> 28 & 0xFFF) % min(len(files), _NAMED)].filename
        count = 2 + (bits >> 52 & 0xFFF) % 59
        return text.format(
            o=name,
            O=name[0].upper() + name[1:],
            t=words.SYMPTOMS[(bits >> 40 & 0xFFF) % len(words.SYMPTOMS)],
            f=path,
            b=path.rpartition("/")[2],
            n=count,
            p=self._people.member(1 + count % min(self._people.size, 8)).first_name,
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
    own, owned, patterns = frame.topic.slug.replace("-", "_"), 0, words.OWN[use]
    start = drawn[0] >> 4
    here, there, rest = words.pools(use, area, start % 3)
    pools = (
        chain(_from(here, start), _from(rest, start >> 20)),
        _from(there, start >> 10),
        _from(words.ROOT, start >> 30),
    )
    for place, bits in enumerate(drawn):
        where = (bits & 0x3FF) / 0x400
        status = words.FILE_STATUSES[bisect_right(_STATUS_SHARES, (bits >> 10 & 0xFFF) / 0x1000)][0]
        path = None
        if status != "added":
            path = next(pools[0 if place == 0 or where >= _ELSEWHERE else 1 if where >= _ROOT else 2], None)
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

"""The facts of one invented pull request.

Everything about pull request number i is a pure function of (seed, project, i), the window, the number of members and
the repositories; never of how many pull requests there are. Its parts are drawn by (i, their place).

Times are whole seconds since 1970 until they are handed out: arithmetic on integers is exact and several times as fast.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime

from ..draws import Draw, Draws
from ..facts import ChangedFile, CheckRun, Commit, LooseCommit, Person, PullRequest, Repository, Review
from ..faking import Texts
from . import demo_words as words

# Raised by whatever changes a fact.
VERSION = 1

_EPOCH_DAY = date(1970, 1, 1).toordinal()
_HOUR = 3600
_DAY = 24 * _HOUR

_TASKS = 500
_SENTENCES = 250
_MOST_FILES = 12
_MOST_COMMITS = 6
_MOST_LINES = 150  # added to one file
_LONGEST = 21 * _DAY  # from opening to the end; half of them take 32 hours or less
_SHORTEST = 20 * 60
_LONGEST_CHECK = 20 * 60
_HELPED = 0.08  # of the commits are another member's than the pull request's author's
_BIGGEST_LINK = 9_999  # the greatest number of an issue that a pull request mentions

# Two numbers pack into one id: in 27 bits the pull request's number (below 2^24) and the part's place, above them a draw.
_PLACE_BITS = 3
_NUMBER_BITS = 27
_MEMBER_BITS = 17

_PULL_FIELDS = (
    "day", "weekend", "workday", "second", "author", "ending", "length", "purpose",
    "repository", "area", "task", "tool", "told", "denied", "files", "commits",
    "reviews", "checks", "draft", "lead", "labelled", "label", "area label", "milestone",
    "assigned", "linked", "link", "body", "first sentence", "second sentence", "loose",
)  # fmt: skip
_COMMIT_FIELDS = ("sha0", "sha1", "sha2", "time", "task", "author", "trailer", "weight")
_FILE_FIELDS = ("path", "elsewhere", "area", "status", "additions", "deletions")
_REVIEW_FIELDS = ("id", "time", "bot", "which", "state", "last", "body", "sentence")
_CHECK_FIELDS = ("id", "wait", "length", "conclusion")
_LOOSE_FIELDS = ("day", "weekend", "workday", "second", "author", "task", "additions", "deletions")
_LOOSE_SHA_FIELDS = ("sha0", "sha1", "sha2")

_NOT_LETTERS = re.compile(r"[^a-z]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What the facts depend on besides the number of a pull request."""

    project: str
    seed: int
    repositories: tuple[Repository, ...]
    members: int
    days: int
    as_of: date


class Invention:
    """The invented project: its people, and its pull requests by number.

    Holds the members named so far and a few hundred texts, and nothing that grows with the pull requests.
    """

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._texts = Texts(setting.seed, f"demo/{setting.project}", VERSION)
        self._pulls = self._draws("pull_request", _PULL_FIELDS)
        self._commits = self._draws("commit", _COMMIT_FIELDS)
        self._files = self._draws("file", _FILE_FIELDS)
        self._reviews = self._draws("review", _REVIEW_FIELDS)
        self._checks = self._draws("check_run", _CHECK_FIELDS)
        self._loose = self._draws("loose_commit", _LOOSE_FIELDS)
        self._loose_shas = self._draws("loose_sha", _LOOSE_SHA_FIELDS)
        self._ids = self._draws("member", ("id",))
        self._people: dict[int, Person] = {}
        last_day = setting.as_of.toordinal() - _EPOCH_DAY
        self._first = (last_day - setting.days + 1) * _DAY
        self._last = (last_day + 1) * _DAY - 1
        self._tasks = tuple(self._texts.task(place) for place in range(_TASKS))
        self._messages = tuple(task[0].upper() + task[1:] for task in self._tasks)
        self._slugs = tuple(_NOT_LETTERS.sub("-", task.lower()).strip("-") for task in self._tasks)
        self._sentences = tuple(self._texts.sentence(place) for place in range(_SENTENCES))
        self._bots = {login: Person(login=login) for login, _ in words.REVIEW_BOTS}

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that titles and messages are chosen from."""
        return self._tasks

    @property
    def sentences(self) -> tuple[str, ...]:
        """The sentences that bodies are chosen from."""
        return self._sentences

    def person(self, place: int) -> Person:
        """The member with that place, from 1; a member's login, name and id depend on no other member.

        The number at the login's end keeps it apart from every other.
        """
        person = self._people.get(place)
        if person is None:
            name = self._texts.name(place)
            login = f"{_NOT_LETTERS.sub('-', name.lower())}-{place}"
            number = words.INVENTED_IDS | self._ids.of(place).integer("id", 0, 2**24 - 1) << _MEMBER_BITS | place
            person = self._people[place] = Person(login=login, name=name, id=number)
        return person

    def pull_request(self, number: int) -> PullRequest:
        """The pull request with that number."""
        draw = self._pulls.of(number)
        created = self._moment(draw)
        length = _SHORTEST + int(_skewed(draw.unit("length")) * _LONGEST)
        state = draw.choose("ending", words.ENDINGS)
        ended = None if state == "open" else created + length
        if ended is not None and ended > self._last:
            state, ended = "open", None
        until = min(created + length, self._last) if ended is None else ended

        author = self._member(draw.unit("author"))
        person = self.person(author)
        purpose = draw.choose("purpose", words.PURPOSES)
        area = words.AREAS[draw.integer("area", 0, len(words.AREAS) - 1)]
        task = draw.integer("task", 0, _TASKS - 1)
        tool = draw.choose("tool", words.AI_TOOLS)
        is_draft = state != "merged" and draw.chance("draft", 0.25)
        link = draw.integer("link", 1, _BIGGEST_LINK) if draw.chance("linked", 0.3) else None

        files = self._changed_files(number, area, 1 + int(_squared(draw.unit("files")) * _MOST_FILES))
        additions = sum(file.additions for file in files)
        deletions = sum(file.deletions for file in files)
        begun = max(self._first, created - draw.integer("lead", 10 * 60, 40 * _HOUR))
        # The last quarter is for reading and checking, not for pushing.
        pushed = created + (until - created) * 3 // 4
        commits = self._commits_of(
            number,
            1 + int(_squared(draw.unit("commits")) * _MOST_COMMITS),
            author=author,
            span=(begun, pushed),
            lines=(additions, deletions),
            trailer=tool[0] if tool else None,
        )
        count = 0 if is_draft else draw.choose("reviews", words.REVIEWS)
        reviews = self._reviews_of(number, count, author=author, span=(created, until), is_merged=state == "merged")
        end = None if ended is None else _instant(ended)
        opened = _instant(created)
        head = max(opened, commits[-1].committed_at)
        return PullRequest(
            repo=self._repository(draw),
            number=number,
            title=purpose.title.format(area=area, task=self._tasks[task], Task=self._messages[task]),
            body=self._body(draw, tool[1] if tool else None, link),
            state=state,
            is_draft=is_draft,
            created_at=opened,
            updated_at=end or max(head, *(review.submitted_at or opened for review in reviews), opened),
            merged_at=end if state == "merged" else None,
            closed_at=end,
            author=person,
            additions=additions,
            deletions=deletions,
            changed_files=len(files),
            commits_count=len(commits),
            head_ref=purpose.branch.format(area=area, slug=self._slugs[task]),
            base_ref="main",
            labels=_labels(draw, purpose, area),
            milestone=_quarter(opened) if draw.chance("milestone", 0.4) else None,
            assignees=tuple(filter(None, (person.login,))) if draw.chance("assigned", 0.5) else (),
            linked_issues=() if link is None else (link,),
            commits=commits,
            reviews=reviews,
            files=files,
            check_runs=self._check_runs_of(number, draw.integer("checks", 2, len(words.CHECKS)), int(head.timestamp())),
        )

    def loose_commit(self, number: int) -> LooseCommit | None:
        """The commit that was pushed to the main branch by the side of that pull request: one in twenty has one."""
        pull = self._pulls.of(number)
        if not pull.chance("loose", 0.05):
            return None
        draw = self._loose.of(number)
        return LooseCommit(
            repo=self._repository(pull),
            commit=Commit(
                sha=_sha(self._loose_shas.of(number)),
                message=self._messages[draw.integer("task", 0, _TASKS - 1)],
                author=self.person(self._member(draw.unit("author"))),
                committed_at=_instant(self._moment(draw)),
                additions=1 + int(_skewed(draw.unit("additions")) * _MOST_LINES),
                deletions=int(_skewed(draw.unit("deletions")) * _MOST_LINES),
            ),
        )

    def _draws(self, name: str, fields: tuple[str, ...]) -> Draws:
        return Draws(self._setting.seed, f"demo/{self._setting.project}/{name}", VERSION, fields)

    def _repository(self, draw: Draw) -> Repository:
        repositories = self._setting.repositories
        return repositories[draw.integer("repository", 0, len(repositories) - 1)]

    def _moment(self, draw: Draw) -> int:
        """A moment of the window, in working hours; most of what falls on a weekend moves to a weekday before."""
        moment = self._first + draw.integer("day", 0, self._setting.days - 1) * _DAY
        # Day 0, 1 January 1970, was a Thursday.
        weekday = (moment // _DAY + 3) % 7
        if weekday > 4 and draw.chance("weekend", 0.85):  # noqa: PLR2004 - Saturday is 5
            moved = moment - (weekday - draw.integer("workday", 0, 4)) * _DAY
            moment = moved if moved >= self._first else moment
        return moment + draw.integer("second", 7 * _HOUR, 19 * _HOUR)

    def _member(self, unit: float) -> int:
        """A member's place; the first ones are the busiest."""
        return 1 + int(_squared(unit) * self._setting.members)

    def _other(self, unit: float, member: int) -> int:
        """A member's place that is not the given one; there must be two of them."""
        place = 1 + int(_squared(unit) * (self._setting.members - 1))
        return place + (place >= member)

    def _body(self, draw: Draw, tool: str | None, link: int | None) -> str | None:
        if draw.chance("body", 0.1):
            return None
        first = self._sentences[draw.integer("first sentence", 0, _SENTENCES - 1)]
        second = self._sentences[draw.integer("second sentence", 0, _SENTENCES - 1)]
        parts = [f"{first} {second}"]
        if tool is not None and draw.chance("told", 0.3):
            parts.append(tool)
        elif tool is None and draw.chance("denied", 0.03):
            parts.append(words.NO_AI)
        if link is not None:
            parts.append(f"Closes #{link}.")
        return "\n\n".join(parts)

    def _changed_files(self, number: int, area: str, count: int) -> tuple[ChangedFile, ...]:
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
            additions = 1 + int(_skewed(draw.unit("additions")) * _MOST_LINES)
            deletions = int(_skewed(draw.unit("deletions")) * _MOST_LINES)
            files[filename] = ChangedFile(
                filename=filename,
                status=status,
                additions=0 if status == "removed" else additions,
                deletions=0 if status in {"added", "copied"} else deletions + (status == "removed"),
            )
        return tuple(files[filename] for filename in sorted(files))

    def _commits_of(
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
            message = self._messages[draw.integer("task", 0, _TASKS - 1)]
            if trailer is not None and draw.chance("trailer", 0.7):
                message = f"{message}\n\n{trailer}"
            helped = draw.unit("author") / _HELPED
            is_theirs = helped >= 1 or self._setting.members == 1
            commits.append(
                Commit(
                    sha=_sha(draw),
                    message=message,
                    author=self.person(author if is_theirs else self._other(helped, author)),
                    committed_at=_instant(_slice(span, place, count, draw)),
                    additions=lines[0] * so_far // whole - lines[0] * done // whole,
                    deletions=lines[1] * so_far // whole - lines[1] * done // whole,
                )
            )
            done = so_far
        return tuple(commits)

    def _reviews_of(
        self, number: int, count: int, *, author: int, span: tuple[int, int], is_merged: bool
    ) -> tuple[Review, ...]:
        """So many reviews, earliest first; what was merged was mostly approved in the end."""
        reviews = []
        for place in range(count):
            draw = self._reviews.of(number, place)
            if self._setting.members == 1 or draw.chance("bot", 0.15):
                reviewer = self._bots[draw.choose("which", words.REVIEW_BOTS)]
                state = "commented"
            else:
                reviewer = self.person(self._other(draw.unit("which"), author))
                is_final = is_merged and place == count - 1 and draw.chance("last", 0.9)
                state = "approved" if is_final else draw.choose("state", words.REVIEW_STATES)
            body: str | None = self._sentences[draw.integer("sentence", 0, _SENTENCES - 1)]
            if state == "approved":
                body = words.SHORT_APPROVALS[draw.integer("body", 0, len(words.SHORT_APPROVALS) - 1)]
            reviews.append(
                Review(
                    id=_packed(draw, number, place),
                    reviewer=reviewer,
                    state=state,
                    submitted_at=_instant(_slice(span, place, count, draw)),
                    body=body,
                )
            )
        return tuple(reviews)

    def _check_runs_of(self, number: int, count: int, head: int) -> tuple[CheckRun, ...]:
        """So many checks of the head commit, which begin soon after it; none ends after the window."""
        runs = []
        for place in range(count):
            draw = self._checks.of(number, place)
            started = min(head + draw.integer("wait", 3, 60), self._last)
            completed = min(started + 10 + int(_squared(draw.unit("length")) * _LONGEST_CHECK), self._last)
            runs.append(
                CheckRun(
                    id=_packed(draw, number, place),
                    name=words.CHECKS[place],
                    status="completed",
                    conclusion=draw.choose("conclusion", words.CONCLUSIONS),
                    started_at=_instant(started),
                    completed_at=_instant(completed),
                )
            )
        return tuple(runs)


# Products of fractions are the same on every machine; powers and logarithms need not be.
def _squared(unit: float) -> float:
    return unit * unit


def _skewed(unit: float) -> float:
    """Mostly small: half are below 1/16, a fifth is the mean."""
    return unit * unit * unit * unit


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _slice(span: tuple[int, int], place: int, count: int, draw: Draw) -> int:
    """A moment of the place-th of `count` equal parts of a span: later places are never earlier."""
    begin, end = span
    part = (end - begin) // count
    return begin + place * part + draw.integer("time", 0, part)


def _sha(draw: Draw) -> str:
    return f"{draw.bits('sha0'):016x}{draw.bits('sha1'):016x}{draw.bits('sha2') >> 32:08x}"


def _packed(draw: Draw, number: int, place: int) -> int:
    """An id of 53 bits that no other part of the same kind has: it holds the number and the place."""
    return draw.bits("id") >> 38 << _NUMBER_BITS | number << _PLACE_BITS | place


def _quarter(moment: datetime) -> str:
    return f"{moment.year} Q{(moment.month + 2) // 3}"


def _labels(draw: Draw, purpose: words.Purpose, area: str) -> tuple[str, ...]:
    """None, one or two labels, sorted: what it is for, and where."""
    if not draw.chance("labelled", 0.75):
        return ()
    label = purpose.labels[draw.integer("label", 0, len(purpose.labels) - 1)]
    return tuple(sorted((label, f"area: {area}"))) if draw.chance("area label", 0.3) else (label,)

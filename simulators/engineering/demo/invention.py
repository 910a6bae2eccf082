"""The facts of one invented pull request.

Everything about pull request number i is a pure function of (seed, project, i), the window, the number of members and
the repositories; never of how many pull requests there are. Its parts are drawn by (i, their place).

Times are whole seconds since 1970 until they are handed out: arithmetic on integers is exact and several times as fast.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import NamedTuple

from ...draws import Draw
from ..facts import Commit, LooseCommit, PullRequest, Repository
from . import words
from .cast import SENTENCES, TASKS, People, Phrases, Setting
from .parts import MOST_LINES, Parts, instant, sha, skewed, squared

_EPOCH_DAY = date(1970, 1, 1).toordinal()
_HOUR = 3600
_DAY = 24 * _HOUR
_SATURDAY = 5

_MOST_FILES = 12
_MOST_COMMITS = 6
_LONGEST = 21 * _DAY  # from opening to the end; half of them take 32 hours or less
_SHORTEST = 20 * 60
_BIGGEST_LINK = 9_999  # the greatest number of an issue that a pull request mentions

_PULL_FIELDS = (
    "day", "weekend", "workday", "second", "author", "ending", "length", "purpose",
    "repository", "area", "task", "tool", "told", "denied", "files", "commits",
    "reviews", "checks", "draft", "lead", "labelled", "label", "area label", "milestone",
    "assigned", "linked", "link", "body", "first sentence", "second sentence", "loose",
)  # fmt: skip
_LOOSE_FIELDS = ("day", "weekend", "workday", "second", "author", "task", "additions", "deletions")
_LOOSE_SHA_FIELDS = ("sha0", "sha1", "sha2")


class _Course(NamedTuple):
    """What becomes of a pull request, and when; `until` is the end, or the last activity of what is still open."""

    state: str
    created: int
    until: int


class Invention:
    """The invented project: its people and phrases, and its pull requests by number.

    Holds the members named so far and a few hundred texts, and nothing that grows with the pull requests.
    """

    def __init__(self, setting: Setting) -> None:
        self.people = People(setting)
        self.phrases = Phrases(setting)
        self._days = setting.days
        self._repositories = setting.repositories
        self._pulls = setting.draws("pull_request", _PULL_FIELDS)
        self._loose = setting.draws("loose_commit", _LOOSE_FIELDS)
        self._loose_shas = setting.draws("loose_sha", _LOOSE_SHA_FIELDS)
        last_day = setting.as_of.toordinal() - _EPOCH_DAY
        self._first = (last_day - setting.days + 1) * _DAY
        self._last = (last_day + 1) * _DAY - 1
        self._parts = Parts(setting, self.people, self.phrases, self._last)

    def pull_request(self, number: int) -> PullRequest:
        """The pull request with that number."""
        draw = self._pulls.of(number)
        state, created, until = self._course(draw)
        author = self.people.anyone(draw.unit("author"))
        person = self.people.member(author)
        purpose = draw.choose("purpose", words.PURPOSES)
        area = words.AREAS[draw.integer("area", 0, len(words.AREAS) - 1)]
        task = draw.integer("task", 0, TASKS - 1)
        tool = draw.choose("tool", words.AI_TOOLS)
        is_draft = state != "merged" and draw.chance("draft", 0.25)
        link = draw.integer("link", 1, _BIGGEST_LINK) if draw.chance("linked", 0.3) else None

        files = self._parts.changed_files(number, area, 1 + int(squared(draw.unit("files")) * _MOST_FILES))
        lines = sum(file.additions for file in files), sum(file.deletions for file in files)
        begun = max(self._first, created - draw.integer("lead", 10 * 60, 40 * _HOUR))
        commits = self._parts.commits(
            number,
            1 + int(squared(draw.unit("commits")) * _MOST_COMMITS),
            author=author,
            # The last quarter is for reading and checking, not for pushing.
            span=(begun, created + (until - created) * 3 // 4),
            lines=lines,
            trailer=tool[0] if tool else None,
        )
        reviews = self._parts.reviews(
            number,
            0 if is_draft else draw.choose("reviews", words.REVIEWS),
            author=author,
            span=(created, until),
            is_merged=state == "merged",
        )
        opened = instant(created)
        ended = None if state == "open" else instant(until)
        head = max(opened, commits[-1].committed_at or opened)
        checks = draw.integer("checks", 2, len(words.CHECKS))
        return PullRequest(
            repo=self._repository(draw),
            number=number,
            title=purpose.title.format(area=area, task=self.phrases.tasks[task], Task=self.phrases.messages[task]),
            body=self._body(draw, tool[1] if tool else None, link),
            state=state,
            is_draft=is_draft,
            created_at=opened,
            updated_at=ended or max(head, *(review.submitted_at or opened for review in reviews), opened),
            merged_at=ended if state == "merged" else None,
            closed_at=ended,
            author=person,
            additions=lines[0],
            deletions=lines[1],
            changed_files=len(files),
            commits_count=len(commits),
            head_ref=purpose.branch.format(area=area, slug=self.phrases.slugs[task]),
            base_ref="main",
            labels=_labels(draw, purpose, area),
            milestone=_quarter(opened) if draw.chance("milestone", 0.4) else None,
            assignees=tuple(filter(None, (person.login,))) if draw.chance("assigned", 0.5) else (),
            linked_issues=() if link is None else (link,),
            commits=commits,
            reviews=reviews,
            files=files,
            check_runs=self._parts.check_runs(number, checks, int(head.timestamp())),
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
                sha=sha(self._loose_shas.of(number)),
                message=self.phrases.messages[draw.integer("task", 0, TASKS - 1)],
                author=self.people.member(self.people.anyone(draw.unit("author"))),
                committed_at=instant(self._moment(draw)),
                additions=1 + int(skewed(draw.unit("additions")) * MOST_LINES),
                deletions=int(skewed(draw.unit("deletions")) * MOST_LINES),
            ),
        )

    def _repository(self, draw: Draw) -> Repository:
        return self._repositories[draw.integer("repository", 0, len(self._repositories) - 1)]

    def _course(self, draw: Draw) -> _Course:
        """What would end after the window is open at its end."""
        created = self._moment(draw)
        until = created + _SHORTEST + int(skewed(draw.unit("length")) * _LONGEST)
        if until > self._last:
            return _Course("open", created, self._last)
        return _Course(draw.choose("ending", words.ENDINGS), created, until)

    def _moment(self, draw: Draw) -> int:
        """A moment of the window, in working hours; most of what falls on a weekend moves to a weekday before."""
        moment = self._first + draw.integer("day", 0, self._days - 1) * _DAY
        # Day 0, 1 January 1970, was a Thursday.
        weekday = (moment // _DAY + 3) % 7
        if weekday >= _SATURDAY and draw.chance("weekend", 0.85):
            moved = moment - (weekday - draw.integer("workday", 0, 4)) * _DAY
            moment = moved if moved >= self._first else moment
        return moment + draw.integer("second", 7 * _HOUR, 19 * _HOUR)

    def _body(self, draw: Draw, tool: str | None, link: int | None) -> str | None:
        if draw.chance("body", 0.1):
            return None
        first = self.phrases.sentences[draw.integer("first sentence", 0, SENTENCES - 1)]
        second = self.phrases.sentences[draw.integer("second sentence", 0, SENTENCES - 1)]
        parts = [f"{first} {second}"]
        if tool is not None and draw.chance("told", 0.3):
            parts.append(tool)
        elif tool is None and draw.chance("denied", 0.03):
            parts.append(words.NO_AI)
        if link is not None:
            parts.append(f"Closes #{link}.")
        return "\n\n".join(parts)


def _quarter(moment: datetime) -> str:
    return f"{moment.year} Q{(moment.month + 2) // 3}"


def _labels(draw: Draw, purpose: words.Purpose, area: str) -> tuple[str, ...]:
    """None, one or two labels, sorted: what it is for, and where."""
    if not draw.chance("labelled", 0.75):
        return ()
    label = purpose.labels[draw.integer("label", 0, len(purpose.labels) - 1)]
    return tuple(sorted((label, f"area: {area}"))) if draw.chance("area label", 0.3) else (label,)

"""The facts of one invented pull request.

Everything about pull request i is a pure function of (seed, project, i), the window, the number of members and the
repositories; never of how many pull requests there are. Its parts are drawn by (i, their place).

Sizes, times and counts are drawn from tables of quantiles, between those of real projects (docs/data.md). Draws that
should rise together are blended: products and sums are the same on every machine; logarithms need not be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from msgspec.structs import replace as changed

from ...draws import Draw
from ..assistants import PUBLIC_SINCE, Assistants
from ..facts import ChangedFile, Commit, LooseCommit, PullRequest, Repository, Review
from ..shapes import HOURS, LINES, REVIEWS, Quantiles, blend, quantile, rank
from . import words
from .cast import People, Person, Setting
from .parts import Frame, Parts, Topic, instant, sha
from .timing import DAY, HOUR, MINUTE, Shuffle, Timing, at_work, day_of, next_work

_FILES: Quantiles = (
    (0, 0.38, 0.50, 0.60, 0.75, 0.85, 0.90, 0.95, 0.98, 0.99, 0.997, 1),
    (1, 1.99, 2.8, 3.9, 6.4, 10, 14, 25, 52, 85, 160, 380),
)
_COMMITS: Quantiles = (
    (0, 0.48, 0.62, 0.75, 0.85, 0.90, 0.95, 0.975, 0.982, 0.987, 0.993, 1),
    (1, 1.99, 2.9, 4, 5.5, 7.5, 11, 17, 25, 54, 72, 125),
)
_DELETED: Quantiles = ((0, 0.07, 0.22, 0.45, 0.70, 0.88, 0.98, 1), (0, 0, 0.10, 0.31, 0.5, 0.68, 0.95, 1))

# How closely one draw follows another: half is a rank correlation of about .7.
_FILES_BY_LINES, _COMMITS_BY_LINES, _HOURS_BY_COMMITS, _REVIEWS_BY_LINES = 0.47, 0.36, 0.36, 0.36

_MERGED, _CLOSED = 0.80, 0.95  # of what ends in time; the rest stays open
_STAYS_OPEN = 0.5  # of what would end after the window
_REVERTS = 0.09  # of every second pull request, where the one before it was merged in time
_LOOSE = 0.05
_MOST_FILES_OF_HOTFIX = 4

_PULL_FIELDS = (
    "second", "lines", "files", "commits", "hours", "reviews", "deleted", "ending",
    "purpose", "tailed", "capital", "shows", "told", "denied", "draft", "lead",
    "early", "repository", "revert", "hotfix", "labelled", "label", "area label", "milestone",
    "assigned", "linked", "link", "body", "bot", "minutes", "morning", "stays open",
    "rest", "reviewed", "loose", "tried",
)  # fmt: skip
_AUTHOR_FIELDS = tuple(f"who{attempt}" for attempt in range(8))
_BODY_FIELDS = ("text", "second text", "second sentence")
_LOOSE_FIELDS = ("moment", "additions", "deletions", "tailed", "sha0", "sha1", "sha2")
_ATTEMPTS = 3
_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Course:
    """What becomes of a pull request, and when; `until` is the end, or the last activity of what is still open."""

    draw: Draw
    number: int
    share: float
    author: Person
    topic: Topic
    state: str
    created: int
    until: int
    lines: float
    is_hotfix: bool


class Invention:
    """The invented project: its people, and its pull requests by index.

    Holds the members named so far and tables of words, and nothing that grows with the pull requests.
    """

    def __init__(self, setting: Setting) -> None:
        self.people = People(setting)
        self._assistants = setting.assistants
        self._rates = setting.rates
        self._repositories = setting.repositories
        self._pulls = setting.draws("pull_request", _PULL_FIELDS)
        self._authors = setting.draws("author", _AUTHOR_FIELDS)
        self._bodies = setting.draws("body", _BODY_FIELDS)
        self._loose = setting.draws("loose_commit", _LOOSE_FIELDS)
        self._timing = Timing(setting)
        self._parts = Parts(setting, self.people, self._timing.first, self._timing.last)
        order = setting.draws("topics", (*(purpose.name for purpose in words.PURPOSES), words.HOTFIX.name)).of()
        self._topics = {
            purpose.name: (
                Shuffle(words.DEEDS, order.bits(purpose.name)),
                Shuffle(words.DEEDS * words.TAILS, order.bits(purpose.name)),
            )
            for purpose in (*words.PURPOSES, words.HOTFIX)
        }

    def pull_request(self, index: int) -> PullRequest:
        """Return the pull request with that index, from 1."""
        course = self._course(index)
        if index % 2 == 0 and self._takes_back(index):
            return self._revert(index, course, self._course(index - 1).topic, self.pull_request(index - 1))
        draw, topic = course.draw, course.topic
        conventional = course.author.is_conventional
        text = topic.text if conventional or course.is_hotfix else topic.text[0].upper() + topic.text[1:]
        prefix = topic.purpose.name
        title = f"{prefix}({topic.area}): {text}" if conventional or course.is_hotfix else text
        files = 1 + int(quantile(_FILES, blend(course.lines, draw.unit("files"), _FILES_BY_LINES)) - 1)
        factor = self._rates["size_factor"].at(day_of(course.created).toordinal())
        lines = max(1, int(quantile(LINES, course.lines) * factor))
        files = min(files, lines)
        tool = _assistant(course, self._assistants)
        kind = prefix if conventional or course.is_hotfix else course.author.first_name.lower()
        branch = f"{kind}/{topic.slug.replace('_', '-')}"
        frame = self._frame(index, course, branch, tool[0] if tool else None, lines, files)
        files_changed = self._parts.files(frame)
        commits = int(quantile(_COMMITS, blend(course.lines, draw.unit("commits"), _COMMITS_BY_LINES)))
        return self._whole(
            course, frame, title, files_changed, 1 if course.is_hotfix else commits, tool[1] if tool else None
        )

    def loose_commit(self, index: int) -> LooseCommit | None:
        """Return the commit pushed to the main branch along with that pull request: one in twenty has one."""
        pull = self._pulls.of(index)
        if not pull.chance("loose", _LOOSE):
            return None
        draw = self._loose.of(index)
        share = draw.unit("moment")
        moment = self._timing.moment(share)
        purpose = words.CHORE
        text = self._topic(purpose, index, tailed=draw.chance("tailed", 0.3)).text
        lines = int(quantile(LINES, draw.unit("additions") * 0.8))
        deletions = int(lines * quantile(_DELETED, draw.unit("deletions")))
        return LooseCommit(
            repo=self._repository(pull),
            commit=Commit(
                sha=sha(draw),
                message=text[0].upper() + text[1:],
                author=self._author(index, "loose", moment, share).fact,
                committed_at=instant(moment),
                additions=lines - deletions,
                deletions=deletions,
            ),
        )

    def _course(self, index: int) -> _Course:
        """Return what becomes of a pull request.

        Where it stands in the window decides that, and not on which weekday the window ends: the demo of the next day
        has the same pull requests, a day later. What would end after the window mostly ends sooner; the rest is open
        at its end. What is taken back is merged before that.
        """
        draw = self._pulls.of(index)
        timing = self._timing
        turn, place = timing.place(index - 1)
        share = timing.share(place, draw.unit("second"))
        created = timing.moment(share)
        day = day_of(created).toordinal()
        author = self._author(index, "pull", created, share)
        lines = draw.unit("lines")
        incident = timing.incident(share)
        is_hotfix = incident is not None and draw.chance("hotfix", self._rates["hotfix_rate"].at(day))
        if incident is not None and is_hotfix:
            lines *= 0.55
            topic = self._topic(words.HOTFIX, index, tailed=draw.chance("tailed", 0.5), area=incident.area)
            lasts = int((15 + 160 * _squared(draw.unit("hours"))) * MINUTE)
            ends = created + lasts
        else:
            # The smaller third, the middle and the larger third have their own purposes.
            purpose = draw.choose("purpose", words.BY_SIZE[int(lines * 3)])
            topic = self._topic(purpose, index, tailed=draw.chance("tailed", 0.4))
            slow = blend(blend(lines, draw.unit("commits"), _COMMITS_BY_LINES), draw.unit("hours"), _HOURS_BY_COMMITS)
            factor = self._rates["cycle_time_factor"].at(day)
            lasts = int(quantile(HOURS, slow) * HOUR * factor)
            ends = _at_work(author, created, lasts, draw.unit("morning"))
        last, left = timing.last, (1 - share) * timing.days * DAY
        is_taken_back = index % 2 == 1 and self._takes_back(index + 1)
        is_in_time = is_taken_back or lasts <= left
        if not is_in_time and left > HOUR and not draw.chance("stays open", _STAYS_OPEN):
            is_in_time = True
            sooner = quantile(HOURS, rank(HOURS, left / HOUR) * draw.unit("rest"))
            ends = _at_work(author, created, int(sooner * HOUR), draw.unit("morning"))
        if is_in_time and ends > last and not is_hotfix:  # somebody finishes it before
            ends = created + int((0.2 + 0.75 * draw.unit("rest")) * max(0, last - created))
        ending = draw.unit("ending")
        state = "open"
        if is_in_time:
            state = "merged" if ending < _MERGED or is_hotfix else "closed" if ending < _CLOSED else "open"
        if is_taken_back:
            ends = min(ends, self._opened(index + 1) - 10 * MINUTE)
        until = max(created + 1, min(ends, last)) if created < last else last
        return _Course(draw, timing.number(turn, place), share, author, topic, state, created, until, lines, is_hotfix)

    def _opened(self, index: int) -> int:
        """Return when a pull request is opened."""
        _, place = self._timing.place(index - 1)
        return self._timing.moment(self._timing.share(place, self._pulls.of(index).unit("second")))

    def _takes_back(self, index: int) -> bool:
        """Return whether a pull request with an even index takes back the one before: where that can be merged."""
        draw, before = self._pulls.of(index), self._pulls.of(index - 1)
        if not draw.chance("revert", _REVERTS) or before.unit("ending") >= _MERGED:
            return False
        places = [self._timing.place(one - 1)[1] for one in (index - 1, index)]
        there, here = (
            self._timing.share(place, one.unit("second")) for place, one in zip(places, (before, draw), strict=True)
        )
        # A day at least, so that the nights and the weekends between do not matter.
        return (here - there) * self._timing.days >= 1 and here < 1 - 1 / self._timing.days

    def _author(self, index: int, what: str, moment: int, share: float) -> Person:
        """Return who is there and rather at work than not; of a few draws, the first who is."""
        for attempt in range(_ATTEMPTS):
            draw = self._authors.of(what, index, attempt)
            person = self.people.working(draw, "who", share, day=day_of(moment).toordinal())
            if person is not None and at_work(person, moment):
                return person
        return person or self.people.member(1)

    def _topic(self, purpose: words.Purpose, index: int, *, tailed: bool, area: str | None = None) -> Topic:
        """Return what the pull request is about; the first few thousand have words of their own."""
        short, long = self._topics[purpose.name]
        if tailed:
            which, tail = divmod(long.place(index % (words.DEEDS * words.TAILS)), words.TAILS)
        else:
            which, tail = short.place(index % words.DEEDS), 0
        deed, place = divmod(which, len(words.OBJECTS))
        its_area, name = words.OBJECTS[place]
        if area is not None:
            its_area, name = area, words.AREAS[area][place % len(words.AREAS[area])]
        text, brief = (one.format(o=name) for one in purpose.deeds[deed])
        where = purpose.tails[tail] if tailed else ""
        text = f"{text} {where}".rstrip()
        return Topic(purpose=purpose, area=its_area, object=name, text=text, slug=words.in_short(brief, where))

    def _frame(self, index: int, course: _Course, head: str, trailer: str | None, lines: int, files: int) -> Frame:
        return Frame(
            index=index,
            author=course.author,
            topic=course.topic,
            head=head,
            share=course.share,
            created=course.created,
            until=course.until,
            is_merged=course.state == "merged",
            trailer=trailer,
            lines=lines,
            deleted=quantile(_DELETED, course.draw.between("deleted", *course.topic.purpose.deleted)),
            files=min(files, _MOST_FILES_OF_HOTFIX) if course.is_hotfix else files,
        )

    def _whole(
        self,
        course: _Course,
        frame: Frame,
        title: str,
        files: tuple[ChangedFile, ...],
        count: int,
        told: str | None,
    ) -> PullRequest:
        draw, author, topic, state = course.draw, course.author, course.topic, course.state
        is_draft = state != "merged" and draw.chance("draft", 0.25)
        reviews: tuple[Review, ...] = ()
        if not is_draft and not (course.is_hotfix and draw.chance("reviewed", 0.4)):
            wanted = int(quantile(REVIEWS, blend(course.lines, draw.unit("reviews"), _REVIEWS_BY_LINES)))
            reviews = self._parts.reviews(frame, min(wanted, 1) if course.is_hotfix else wanted, files)
        commits = self._parts.commits(frame, count, files, reviews, lead=draw.unit("lead"), early=draw.unit("early"))
        if draw.chance("bot", 0.25 if self.people.size > 1 else 0.7):
            bot = self._parts.bot_review(frame, files, 1 + 9 * draw.unit("minutes"))
            reviews = tuple(sorted((*reviews, bot), key=_by_time))
        opened = instant(course.created)
        head = commits[-1].committed_at or opened
        pushed = int(head.timestamp())
        pushes = [frame.created, pushed] if pushed > frame.created else [frame.created]
        ended = None if state == "open" else instant(course.until)
        is_linked = course.number > 1 and topic.purpose is not words.REVERT and draw.chance("linked", 0.3)
        link = (
            draw.integer("link", max(1, course.number - course.number // 4), course.number - 1) if is_linked else None
        )
        latest = [head, *(review.submitted_at or opened for review in reviews[-1:]), opened]
        return PullRequest(
            repo=self._repository(draw),
            number=course.number,
            title=title,
            body=self._body(course, frame, files, told, link),
            state=state,
            is_draft=is_draft,
            created_at=opened,
            updated_at=ended or max(latest),
            merged_at=ended if state == "merged" else None,
            closed_at=ended,
            author=author.fact,
            additions=sum(file.additions for file in files),
            deletions=sum(file.deletions for file in files),
            changed_files=len(files),
            commits_count=len(commits),
            head_ref=frame.head,
            base_ref="main",
            labels=_labels(draw, topic, is_told=author.is_conventional),
            milestone=_quarter(opened) if draw.chance("milestone", 0.4) else None,
            assignees=(author.fact.login or "",) if draw.chance("assigned", 0.5) else (),
            linked_issues=() if link is None else (link,),
            commits=commits,
            reviews=reviews,
            files=files,
            check_runs=self._parts.check_runs(frame, pushes),
        )

    def _revert(self, index: int, course: _Course, its: Topic, before: PullRequest) -> PullRequest:
        """Return what takes back a pull request that was merged: the same files, the other way round."""
        files = tuple(
            ChangedFile(
                filename=file.filename,
                status={"added": "removed", "copied": "removed", "removed": "added"}.get(file.status, file.status),
                additions=file.deletions,
                deletions=file.additions,
            )
            for file in before.files
        )
        title = f'Revert "{before.title}"'
        topic = replace(its, purpose=words.REVERT, text=f"{title}\n\nThis reverts commit {before.commits[-1].sha}.")
        ends = min(course.until, course.created + int((10 + 200 * course.draw.unit("hours")) * MINUTE))
        until = course.until if course.state == "open" else ends
        course = replace(course, topic=topic, until=until, is_hotfix=False, lines=0.0)
        head = f"revert/{(before.head_ref or '').partition('/')[2]}"
        frame = self._frame(index, course, head, None, 0, len(files))
        whole = self._whole(course, frame, title, files, 1, None)
        body = f"Reverts #{before.number}." + (f" {whole.body}" if whole.body else "")
        return changed(whole, repo=before.repo, body=body)

    def _repository(self, draw: Draw) -> Repository:
        return self._repositories[draw.integer("repository", 0, len(self._repositories) - 1)]

    def _body(
        self, course: _Course, frame: Frame, files: Sequence[ChangedFile], told: str | None, link: int | None
    ) -> str | None:
        draw = course.draw
        if draw.chance("body", 0.1):
            return None
        texts = self._bodies.of(frame.index)
        parts = [self._parts.text(frame.topic.purpose.occasions, texts.bits("text"), frame, files)]
        if texts.chance("second sentence", 0.7):
            parts[0] += " " + self._parts.text(frame.topic.purpose.trials, texts.bits("second text"), frame, files)
        if told is not None and draw.chance("told", 0.3):
            parts.append(told)
        elif told is None and draw.chance("denied", 0.03):
            parts.append(words.NO_AI)
        if link is not None:
            parts.append(f"Closes #{link}.")
        return "\n\n".join(parts)


def _assistant(course: _Course, assistants: Assistants) -> tuple[str, str] | None:
    """Return how the tool that helped shows, in a trailer and in words; None where nothing shows."""
    day = day_of(course.created)
    trait = assistants.of(course.author.login, day.toordinal())
    # Where everybody uses one, everything shows it.
    share = course.author.signs + (1 - course.author.signs) * _squared(assistants.rate_at(day.toordinal()))
    if trait is None or not course.draw.chance("shows", share):
        return None
    is_claude = course.author.shows_claude and day >= PUBLIC_SINCE["claude"]
    return words.AI_TOOLS["claude" if is_claude else trait.tool]


def _at_work(author: Person, created: int, lasts: int, unit: float) -> int:
    """Return when something ends that lasts so long: if it is more than an hour, in working hours."""
    return next_work(author, created + lasts, unit) if lasts > HOUR else created + lasts


def _squared(unit: float) -> float:
    return unit * unit


def _by_time(review: Review) -> tuple[datetime, int]:
    return review.submitted_at or _NEVER, review.id or 0


def _quarter(moment: datetime) -> str:
    return f"{moment.year} Q{(moment.month + 2) // 3}"


def _labels(draw: Draw, topic: Topic, *, is_told: bool) -> tuple[str, ...]:
    """Return no, one or two labels, sorted: what the pull request is for, and where; fewer where the title tells."""
    if not draw.chance("labelled", 0.7 if is_told else 0.95):
        return ()
    labels = topic.purpose.labels
    label = labels[draw.integer("label", 0, len(labels) - 1)]
    return tuple(sorted((label, f"area: {topic.area}"))) if draw.chance("area label", 0.3) else (label,)

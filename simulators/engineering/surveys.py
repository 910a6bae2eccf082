"""Simulated surveys: one for each merged pull request, answered or not by its author, and by its reviewers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from seedjournal.journal import Event

from ..draws import Draws
from .assistants import FIRST_ASSISTANT, Assistants
from .facts import instant
from .people import is_bot
from .project import Project
from .schedules import schedule, weighting
from .shapes import blend
from .shown import Shown
from .working import between

VERSION = 2
DRAWN = ("ai_assisted", "author_answers", "author_delay", "author_source", "effort")
REVIEWER_DRAWN = ("answers", "delay", "quality", "guess", "clarity", "burden")
HABIT_DRAWN = ("guess_rate", "answers")

_LARGE, _MEDIUM = 300, 150
_MANY, _SOME = 5, 3
_HOUR = timedelta(hours=1)
_AUTHOR_DELAY, _REVIEWER_DELAY = timedelta(hours=48), timedelta(hours=72)
_SOURCES = (("slack", 0.6), ("web", 0.3), ("github", 0.1))
_EFFORTS = (("none", 0.2), ("minor", 0.4), ("moderate", 0.3), ("major", 0.1))
_BURDENS = ((1, 0.20), (2, 0.27), (3, 0.28), (4, 0.17), (5, 0.08))
_CLARITIES = ((1, 0.05), (2, 0.13), (3, 0.27), (4, 0.33), (5, 0.22))
_END = datetime.max.replace(tzinfo=UTC)

_OFTEN = 0.75  # of a user's small pull requests, where few people use assistants
_TRIES = 0.03  # of that: who uses no assistant tries one now and then
_SPREAD = 0.6  # how far somebody's own rate of answering lies from the setting, at most
_QUALITY_BY_STRAIN, _BURDEN_BY_STRAIN, _CLARITY_BY_STRAIN = 0.35, 0.5, 0.35


@dataclass(frozen=True, slots=True)
class Assisted:
    """Whether AI helped, whether anybody could think so, and whether the author may say it."""

    is_so: bool
    is_possible: bool
    can_be_told: bool


class Surveys:
    """The surveys of a project, as far as they are answered by the end of `as_of`."""

    def __init__(self, project: Project, seed: int, as_of: date, assistants: Assistants) -> None:
        self._project = project
        self._assistants = assistants
        self._surveys = Draws(seed, "survey", VERSION, DRAWN)
        self._reviews = Draws(seed, "survey_review", VERSION, REVIEWER_DRAWN)
        self._habits = Draws(seed, "survey_habit", VERSION, HABIT_DRAWN)
        self._last_day = as_of.isoformat()
        self._author_rate = schedule(project.survey_response_rate, as_of)
        self._reviewer_rate = schedule(project.reviewer_response_rate, as_of)
        self._guess_rates = [schedule(one, as_of) for one in (project.lowest_guess_rate, project.highest_guess_rate)]
        self._qualities = weighting(project.quality_rates, as_of)
        self._highest = schedule(project.highest_ai_rate, as_of)
        self._large, self._medium, self._many, self._some = (
            schedule(one, as_of)
            for one in (
                project.large_pr_ai_bonus,
                project.medium_pr_ai_bonus,
                project.many_files_ai_bonus,
                project.some_files_ai_bonus,
            )
        )

    def of(self, pr: Shown, assisted: Assisted) -> Iterator[Event]:
        """Yield the survey of a merged pull request and its reviewers' answers; nothing for any other.

        Whether AI helped is settled even where the author does not answer: reviewers guess about it either way. Nobody
        answers where it is unknown when the pull request was merged, or after the run's date.
        """
        if not pr.is_merged:
            return
        project = self._project
        key: dict[str, str | int] = {"team": project.name, "github_repo": pr.repo, "number": pr.number}
        draw = self._surveys.of(project.name, pr.repo, pr.number)
        merged_at = pr.moment("merged_at")
        author = pr.data["author"]
        answered = None
        if merged_at is not None and author is not None and not is_bot(author) and assisted.can_be_told:
            rate = self._personal(author, self._author_rate.at(merged_at.toordinal()))
            if draw.chance("author_answers", rate):
                answered = self._in_time(merged_at, _AUTHOR_DELAY, draw.unit("author_delay"))
        says = assisted.is_so if answered else None
        yield Event(
            project=project.name,
            kind="pr_survey",
            key=key,
            data={
                "author": author,
                "author_ai_assisted": says,
                "author_responded_at": answered,
                "author_response_source": draw.choose("author_source", _SOURCES) if answered else None,
                "ai_modification_effort": draw.choose("effort", _EFFORTS) if says else None,
            },
        )
        if merged_at is not None:
            for reviewer in reviewers(pr):
                yield from self._answer(pr, key, reviewer, merged_at, assisted, says=says)

    def ai_rate(self, pr: Shown, day: int) -> float:
        """Return how probable it is that AI helped who uses it: more for more lines and more files of code.

        The more people use it, the more of their work it helps with.
        """
        usual = self._assistants.rate_at(day)
        rate = _OFTEN + (1 - _OFTEN) * usual * usual
        if pr.lines > _MEDIUM:
            rate += (self._large if pr.lines > _LARGE else self._medium).at(day)
        if pr.code_files > _SOME:
            rate += (self._many if pr.code_files > _MANY else self._some).at(day)
        return min(rate, self._highest.at(day)) if usual else 0.0

    def assisted(self, pr: Shown) -> Assisted:
        """Settle whether AI helped: a sign does; else what its author is like in the week of the opening."""
        day = pr.opened.toordinal()
        usual = self._assistants.rate_at(day)
        if pr.data["is_ai_assisted"]:
            merged_at = pr.moment("merged_at")
            is_possible = merged_at is None or merged_at.date() >= FIRST_ASSISTANT
            return Assisted(is_so=True, is_possible=is_possible, can_be_told=is_possible)
        author = pr.data["author"]
        if not usual or author is None or is_bot(author):
            return Assisted(is_so=False, is_possible=bool(usual), can_be_told=True)
        rate = self.ai_rate(pr, day)
        if self._assistants.of(author, day) is None:
            rate *= _TRIES
        draw = self._surveys.of(self._project.name, pr.repo, pr.number)
        return Assisted(draw.chance("ai_assisted", rate), is_possible=True, can_be_told=True)

    def _answer(
        self,
        pr: Shown,
        key: dict[str, str | int],
        reviewer: str,
        merged_at: datetime,
        assisted: Assisted,
        *,
        says: bool | None,
    ) -> Iterator[Event]:
        """Yield a reviewer's answer, if there is one in time."""
        project, day = self._project, merged_at.toordinal()
        draw = self._reviews.of(project.name, pr.repo, pr.number, reviewer)
        if not draw.chance("answers", self._personal(reviewer, self._reviewer_rate.at(day))):
            return
        answered = self._in_time(merged_at, _REVIEWER_DELAY, draw.unit("delay"))
        if answered is None:
            return
        lowest, highest = (one.at(day) for one in self._guess_rates)
        habit = self._habits.of(project.name, reviewer)
        is_right = draw.chance("guess", habit.between("guess_rate", lowest, max(lowest, highest)))
        guess = assisted.is_possible and (assisted.is_so if is_right else not assisted.is_so)
        strain = pr.strain
        qualities = tuple((int(rating), rate) for rating, rate in self._qualities.at(day))
        yield Event(
            project=project.name,
            kind="pr_survey_review",
            key={**key, "reviewer": reviewer},
            data={
                "quality_rating": _by_weight(qualities, blend(1 - strain, draw.unit("quality"), _QUALITY_BY_STRAIN)),
                "ai_guess": guess,
                "guess_correct": None if says is None else guess == says,
                "responded_at": answered,
                "feedback_clarity": _by_weight(_CLARITIES, blend(1 - strain, draw.unit("clarity"), _CLARITY_BY_STRAIN)),
                "review_burden": _by_weight(_BURDENS, blend(strain, draw.unit("burden"), _BURDEN_BY_STRAIN)),
            },
        )

    def _personal(self, person: str, rate: float) -> float:
        """Return somebody's own rate of answering: around the setting, and the setting itself at 0 and 1."""
        unit = self._habits.of(self._project.name, person).unit("answers")
        return rate + (2 * unit - 1) * _SPREAD * min(rate, 1 - rate)

    def _in_time(self, merged_at: datetime, latest: timedelta, unit: float) -> str | None:
        """Return when somebody answers; None for later than the run's date."""
        room = _END - merged_at
        answered = instant(between(merged_at + min(_HOUR, room), merged_at + min(latest, room), unit))
        return answered if answered[:10] <= self._last_day else None


def reviewers(pr: Shown) -> list[str]:
    """Return who reviewed, but for the author and programs, sorted."""
    return [key for key in pr.reviewers if key != pr.data["author"] and not is_bot(key)]


def _by_weight(choices: tuple[tuple[int, float], ...], unit: float) -> int:
    """Return the choice below whose share a number lies: a greater number gives a later choice."""
    for choice, weight in choices:
        unit -= weight
        if unit < 0:
            return choice
    return next(choice for choice, weight in reversed(choices) if weight)

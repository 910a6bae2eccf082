"""Simulated surveys: one for each merged pull request, answered or not by its author, and by its reviewers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from seedjournal.journal import Event

from ..draws import Draws
from .facts import instant
from .people import is_bot
from .project import Project
from .shown import Shown

VERSION = 1
DRAWN = (
    "ai_assisted",
    "author_answers",
    "author_delay",
    "author_source",
    "effort",
)
REVIEWER_DRAWN = ("answers", "delay", "quality", "guess", "clarity", "burden")
HABIT_DRAWN = ("guess_rate",)

_LARGE, _MEDIUM = 300, 150
_MANY, _SOME = 5, 3
_AUTHOR_DELAY = 48 * 3600
_REVIEWER_DELAY = 72 * 3600
_SOURCES = (("slack", 0.6), ("web", 0.3), ("github", 0.1))
_EFFORTS = (("none", 0.2), ("minor", 0.4), ("moderate", 0.3), ("major", 0.1))
_MOST_STARS = 5
_END = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyDraws:
    """The draws for surveys, for reviewers' answers, and for what a reviewer is like."""

    survey: Draws
    review: Draws
    habit: Draws


def survey_draws(seed: int) -> SurveyDraws:
    """All draws that surveys need."""
    return SurveyDraws(
        survey=Draws(seed, "survey", VERSION, DRAWN),
        review=Draws(seed, "survey_review", VERSION, REVIEWER_DRAWN),
        habit=Draws(seed, "survey_habit", VERSION, HABIT_DRAWN),
    )


def survey(pr: Shown, project: Project, draws: SurveyDraws) -> Iterator[Event]:
    """Yield the survey of a merged pull request and its reviewers' answers; nothing for any other.

    Whether AI helped is settled even where the author does not answer: reviewers guess about it either way. Nobody
    answers where it is unknown when the pull request was merged.
    """
    if not pr.is_merged:
        return
    merged_at = pr.moment("merged_at")
    key: dict[str, str | int] = {"team": project.name, "github_repo": pr.repo, "number": pr.number}
    draw = draws.survey.of(project.name, pr.repo, pr.number)
    assisted = pr.data["is_ai_assisted"] or draw.chance("ai_assisted", ai_rate(pr, project))
    author = pr.data["author"]
    answers = (
        merged_at is not None
        and author is not None
        and not is_bot(author)
        and draw.chance("author_answers", project.survey_response_rate)
    )
    yield Event(
        project=project.name,
        kind="pr_survey",
        key=key,
        data={
            "author": author,
            "author_ai_assisted": assisted if answers else None,
            "author_responded_at": _after(merged_at, draw.integer("author_delay", 3600, _AUTHOR_DELAY))
            if answers and merged_at
            else None,
            "author_response_source": draw.choose("author_source", _SOURCES) if answers else None,
            "ai_modification_effort": draw.choose("effort", _EFFORTS) if answers and assisted else None,
        },
    )
    if merged_at is None:
        return
    qualities = tuple((int(rating), rate) for rating, rate in project.quality_rates.items())
    for reviewer in reviewers(pr):
        draw = draws.review.of(project.name, pr.repo, pr.number, reviewer)
        if not draw.chance("answers", project.reviewer_response_rate):
            continue
        rate = draws.habit.of(project.name, reviewer).between(
            "guess_rate", project.lowest_guess_rate, project.highest_guess_rate
        )
        right = draw.chance("guess", rate)
        yield Event(
            project=project.name,
            kind="pr_survey_review",
            key={**key, "reviewer": reviewer},
            data={
                "quality_rating": draw.choose("quality", qualities),
                "ai_guess": assisted if right else not assisted,
                "guess_correct": right if answers else None,
                "responded_at": _after(merged_at, draw.integer("delay", 3600, _REVIEWER_DELAY)),
                "feedback_clarity": draw.integer("clarity", 1, _MOST_STARS),
                "review_burden": draw.integer("burden", 1, _MOST_STARS),
            },
        )


def ai_rate(pr: Shown, project: Project) -> float:
    """Return how probable it is that AI helped: more for more lines and more files of code."""
    rate = project.ai_base_adoption_rate
    rate += project.large_pr_ai_bonus if pr.lines > _LARGE else project.medium_pr_ai_bonus if pr.lines > _MEDIUM else 0
    rate += (
        project.many_files_ai_bonus
        if pr.code_files > _MANY
        else project.some_files_ai_bonus
        if pr.code_files > _SOME
        else 0
    )
    return min(rate, project.highest_ai_rate)


def reviewers(pr: Shown) -> list[str]:
    """Return who reviewed, but for the author and programs, sorted."""
    return [key for key in pr.reviewers if key != pr.data["author"] and not is_bot(key)]


def _after(moment: datetime, seconds: int) -> str:
    """So much later, or when time ends: with the year 9999."""
    return instant(moment + min(timedelta(seconds=seconds), _END - moment))

"""Facts to events: every simulator over one project's facts, as a stream.

Two passes: the census, then the events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime

from seedjournal.journal import Event

from ..draws import Draws
from . import ai_usage, jira, surveys, weekly
from . import pull_requests as github
from .census import Census, activities
from .facts import Facts, Person, PullRequest
from .people import key_of

Made = tuple[Event, str]

GENERATORS = {
    "github": github.VERSION,
    "jira": jira.VERSION,
    "survey": surveys.VERSION,
    "ai_usage": ai_usage.VERSION,
    "weekly": weekly.VERSION,
}


@dataclass(slots=True, kw_only=True)
class _Activity:
    """The weeks' sums, and on which days near `as_of` somebody was active."""

    first_day: int
    last_day: int
    weeks: weekly.Weeks = field(default_factory=weekly.Weeks)
    days: dict[str, set[int]] = field(default_factory=dict)

    def see(self, person: Person | None, moment: datetime | None) -> None:
        if moment is None:
            return
        key = key_of(person)
        day = moment.toordinal()
        if key is not None and self.first_day <= day <= self.last_day:
            self.days.setdefault(key, set()).add(day)


def simulate(
    facts: Facts, census: Census, *, seed: int, as_of: date, advance: Callable[[], None] = lambda: None
) -> Iterator[Made]:
    """Yield every event with the name of the simulator that made it; call `advance` after each pull request."""
    last_day = as_of.toordinal()
    activity = _Activity(first_day=last_day - 2 * census.project.days_back, last_day=last_day)
    for made in _of_facts(facts, census, activity, seed, advance):
        activity.weeks.take(made[0])
        yield made
    yield from _of_people(census, activity, seed, as_of)


def _of_facts(
    facts: Facts, census: Census, activity: _Activity, seed: int, advance: Callable[[], None]
) -> Iterator[Made]:
    issues = Draws(seed, "jira", jira.VERSION, jira.DRAWN)
    answers = surveys.survey_draws(seed)
    for pr in facts.pull_requests():
        for person, moment in activities(pr):
            activity.see(person, moment)
        yield from _of_pull_request(pr, census, issues, answers)
        advance()
    for loose in facts.loose_commits():
        if census.is_loose(loose):
            activity.see(loose.commit.author, loose.commit.committed_at)
            yield github.loose_commit(census.project, loose), "github"


def _of_pull_request(pr: PullRequest, census: Census, issues: Draws, answers: surveys.SurveyDraws) -> Iterator[Made]:
    itself = github.pull_request(pr, census)
    yield itself, "github"
    for event in github.parts(pr, census):
        yield event, "github"
    issue = jira.issue(pr, census, issues)
    if issue is not None:
        yield issue, "jira"
    for event in surveys.survey(pr, census.project, answers, ai_sign=bool(itself.data["is_ai_assisted"])):
        yield event, "survey"


def _of_people(census: Census, activity: _Activity, seed: int, as_of: date) -> Iterator[Made]:
    """Yield what follows from all facts together: team, members, AI usage and weeks."""
    project = census.project
    accounts = Draws(seed, "github", github.VERSION, github.DRAWN)
    habits = Draws(seed, "ai_habit", ai_usage.VERSION, ai_usage.HABIT_DRAWN)
    days = Draws(seed, "ai_usage", ai_usage.VERSION, ai_usage.DRAWN)
    yield github.team(project), "github"
    for key in sorted(census.members):
        yield github.member(project, census.members[key], census.lead, accounts), "github"
        for event in ai_usage.usage(project, key, activity.days.get(key, ()), as_of, habits, days):
            yield event, "ai_usage"
    for event in activity.weeks.events(project):
        yield event, "weekly"

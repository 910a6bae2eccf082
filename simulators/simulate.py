"""Facts to events: every simulator over one project's facts, as a stream.

Two passes: the census, then the events. Everything outside a window still counts for what is stated (roles, weeks, who
is earliest); it is simulated all the same and left out at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime

from journal import Event

from . import ai_usage, github, jira, surveys, weekly
from .census import Census, activities
from .draws import Draws
from .facts import Person, PullRequest, Source
from .people import key_of

Made = tuple[Event, str]
Tell = Callable[[int], None]

GENERATORS = {
    "github": github.VERSION,
    "jira": jira.VERSION,
    "survey": surveys.VERSION,
    "ai_usage": ai_usage.VERSION,
    "weekly": weekly.VERSION,
}


@dataclass(slots=True, kw_only=True)
class _Seen:
    """Who was active when, as far as the last simulators must know.

    Days near `as_of`; and, where a window leaves anything out, the members and weeks of what the run states.
    """

    first_day: int
    last_day: int
    days: dict[str, set[int]] = field(default_factory=dict)
    members: set[str] = field(default_factory=set)
    weeks: set[tuple[str, int]] = field(default_factory=set)

    def see(self, person: Person | None, moment: datetime, *, stated: bool) -> None:
        key = key_of(person)
        if key is None:
            return
        day = moment.toordinal()
        if self.first_day <= day <= self.last_day:
            self.days.setdefault(key, set()).add(day)
        if stated:
            self.members.add(key)
            self.weeks.add((key, weekly.monday(moment)))


def simulate(source: Source, census: Census, *, seed: int, as_of: date, tell: Tell = lambda _: None) -> Iterator[Made]:
    """Every event of the run, with its simulator's name; `tell` hears of each pull request that is done."""
    project = census.project
    everything = census.window.is_open
    weeks = weekly.Weeks()
    last_day = as_of.toordinal()
    seen = _Seen(first_day=last_day - 2 * project.days_back, last_day=last_day)
    issues = Draws(seed, "jira", jira.VERSION, jira.DRAWN)
    answers = surveys.survey_draws(seed)

    yield github.team(project), "github"
    for pr in source.pull_requests():
        stated = everything or census.states(pr)
        for person, moment in activities(pr):
            seen.see(person, moment, stated=stated and not everything)
        for event, simulator in _of_pull_request(pr, census, issues, answers):
            weeks.take(event)
            if stated:
                yield event, simulator
        tell(1)
    for loose in source.loose_commits():
        if not census.is_loose(loose):
            continue
        stated = everything or census.window.holds(loose.commit.committed_at)
        seen.see(loose.commit.author, loose.commit.committed_at, stated=stated and not everything)
        event = github.loose_commit(project, loose)
        weeks.take(event)
        if stated:
            yield event, "github"
    yield from _of_people(census, seen, weeks, seed, as_of)


def _of_pull_request(pr: PullRequest, census: Census, issues: Draws, answers: surveys.SurveyDraws) -> Iterator[Made]:
    stated = github.pull_request(pr, census)
    yield stated, "github"
    for event in github.parts(pr, census):
        yield event, "github"
    issue = jira.issue(pr, census, issues)
    if issue is not None:
        yield issue, "jira"
    for event in surveys.survey(pr, census.project, answers, ai_sign=bool(stated.data["is_ai_assisted"])):
        yield event, "survey"


def _of_people(census: Census, seen: _Seen, weeks: weekly.Weeks, seed: int, as_of: date) -> Iterator[Made]:
    project = census.project
    accounts = Draws(seed, "github", github.VERSION, github.DRAWN)
    habits = Draws(seed, "ai_habit", ai_usage.VERSION, ai_usage.HABIT_DRAWN)
    days = Draws(seed, "ai_usage", ai_usage.VERSION, ai_usage.DRAWN)
    everything = census.window.is_open
    for key in sorted(census.members if everything else seen.members):
        yield github.member(project, census.members[key], census.lead, accounts), "github"
        for event in ai_usage.usage(project, key, seen.days.get(key, ()), as_of, habits, days):
            yield event, "ai_usage"
    for event in weeks.events(project, None if everything else seen.weeks):
        yield event, "weekly"

"""Facts to events: every simulator over one project's facts, as a stream.

Two passes: the census, then the events. Either can be made of parts of the facts, one by one or side by side, whose
censuses and tallies are merged. Everything outside a window still counts for what is stated (roles, weeks, who
is earliest); it is simulated all the same and left out at the end.
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
from .project import Project

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
class Tally:
    """What the last simulators must know of the facts: the weeks' sums, and who was active when.

    Days near `as_of`; and, where a window leaves anything out, the members and weeks of what the run states.
    """

    first_day: int
    last_day: int
    weeks: weekly.Weeks = field(default_factory=weekly.Weeks)
    days: dict[str, set[int]] = field(default_factory=dict)
    stated_members: set[str] = field(default_factory=set)
    stated_weeks: set[tuple[str, int]] = field(default_factory=set)

    def see(self, person: Person | None, moment: datetime, *, stated: bool) -> None:
        """Take an activity; `stated` says that it is to be remembered as one of what the run states."""
        key = key_of(person)
        if key is None:
            return
        day = moment.toordinal()
        if self.first_day <= day <= self.last_day:
            self.days.setdefault(key, set()).add(day)
        if stated:
            self.stated_members.add(key)
            self.stated_weeks.add((key, weekly.monday(moment)))

    def merge(self, other: Tally) -> None:
        """Add what another part of the facts gave."""
        self.weeks.merge(other.weeks)
        for key, days in other.days.items():
            self.days.setdefault(key, set()).update(days)
        self.stated_members |= other.stated_members
        self.stated_weeks |= other.stated_weeks


def open_tally(project: Project, as_of: date) -> Tally:
    """A tally of nothing yet."""
    last_day = as_of.toordinal()
    return Tally(first_day=last_day - 2 * project.days_back, last_day=last_day)


def of_facts(facts: Facts, census: Census, tally: Tally, *, seed: int, tell: Tell = lambda _: None) -> Iterator[Made]:
    """The events of pull requests and of commits outside of them; `tell` hears of each pull request that is done."""
    project = census.project
    everything = census.window.is_open
    issues = Draws(seed, "jira", jira.VERSION, jira.DRAWN)
    answers = surveys.survey_draws(seed)
    count = tally.weeks.take
    for pr in facts.pull_requests():
        stated = everything or census.states(pr)
        for person, moment in activities(pr):
            tally.see(person, moment, stated=stated and not everything)
        for made in _of_pull_request(pr, census, issues, answers):
            count(made[0])
            if stated:
                yield made
        tell(1)
    for loose in facts.loose_commits():
        if not census.is_loose(loose):
            continue
        stated = everything or census.window.holds(loose.commit.committed_at)
        tally.see(loose.commit.author, loose.commit.committed_at, stated=stated and not everything)
        event = github.loose_commit(project, loose)
        count(event)
        if stated:
            yield event, "github"


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


def of_people(census: Census, tally: Tally, *, seed: int, as_of: date) -> Iterator[Made]:
    """The events that follow from all facts together: team, members, AI usage and weeks."""
    project = census.project
    accounts = Draws(seed, "github", github.VERSION, github.DRAWN)
    habits = Draws(seed, "ai_habit", ai_usage.VERSION, ai_usage.HABIT_DRAWN)
    days = Draws(seed, "ai_usage", ai_usage.VERSION, ai_usage.DRAWN)
    everything = census.window.is_open
    yield github.team(project), "github"
    for key in sorted(census.members if everything else tally.stated_members):
        yield github.member(project, census.members[key], census.lead, accounts), "github"
        for event in ai_usage.usage(project, key, tally.days.get(key, ()), as_of, habits, days):
            yield event, "ai_usage"
    for event in tally.weeks.events(project, None if everything else tally.stated_weeks):
        yield event, "weekly"

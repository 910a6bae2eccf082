"""What follows from the facts: issues, surveys, AI usage and weeks.

They are computed from the facts that the tables will show, those of earlier runs that a policy kept among them: so a
sum, an issue or a survey never contradicts the rows beside it. Memory grows with people and pull requests, by a few
dozen bytes each, and not with what these hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NewType

import orjson

from seedjournal.journal import Entry, Event, Sorter

from ..draws import Draws
from . import ai_usage, jira, surveys, weekly
from .categories import is_code
from .people import is_bot
from .project import Project
from .shown import Shown

Made = tuple[Event, str]
PullRequestKey = tuple[str, int]  # repository and number
Day = NewType("Day", int)  # an ordinal

VERSIONS = {
    "jira": jira.VERSION,
    "survey": surveys.VERSION,
    "ai_usage": ai_usage.VERSION,
    "weekly": weekly.VERSION,
}


@dataclass(slots=True)
class Parts:
    """What computed kinds need of a pull request's parts."""

    reviewers: list[str | None] = field(default_factory=list)
    without_time: list[str] = field(default_factory=list)  # reviewers of reviews whose time is unknown
    code_files: int = 0


class Following:
    """Takes all facts of a project, in any order, and then gives what follows from them."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._parts: dict[PullRequestKey, Parts] = {}
        self._days: dict[str, set[Day]] = {}
        self._members: dict[str, int | None] = {}  # with their GitHub ids
        self._weeks = weekly.Weeks()
        self._newest = ""
        # By Jira key, and then the earliest first: of several that name one issue it makes the issue.
        self._pull_requests = Sorter()
        self.count = 0
        self._take: dict[str, Callable[[Any, bytes], None]] = {
            "pull_request": self._pull_request,
            "pr_review": self._review,
            "pr_file": self._file,
            "commit": self._commit,
            "team_member": self._member,
        }

    def see(self, entry: Entry) -> None:
        """Take a fact."""
        take = self._take.get(entry.kind)
        if take is not None:
            take(orjson.loads(entry.event), entry.event)

    def close(self) -> None:
        """Give the disk space back."""
        self._pull_requests.close()

    @property
    def newest_day(self) -> date | None:
        """The day of the newest activity, UTC."""
        return date.fromisoformat(self._newest[:10]) if self._newest else None

    def events(self, seed: int, as_of: date, advance: Callable[[], None] = lambda: None) -> Iterator[Made]:
        """Yield every event with the name of the simulator that made it; call `advance` after each pull request."""
        for event, simulator in self._of_pull_requests(seed, advance):
            self._weeks.take(event)
            yield event, simulator
        habits = Draws(seed, "ai_habit", ai_usage.VERSION, ai_usage.HABIT_DRAWN)
        days = Draws(seed, "ai_usage", ai_usage.VERSION, ai_usage.DRAWN)
        for key in sorted(key for key in self._members if not is_bot(key)):
            for event in ai_usage.usage(self._project, key, self._days.get(key, ()), as_of, habits, days):
                yield event, "ai_usage"
        for event in self._weeks.events(self._project):
            yield event, "weekly"

    def _of_pull_requests(self, seed: int, advance: Callable[[], None]) -> Iterator[Made]:
        issues = Draws(seed, "jira", jira.VERSION, jira.DRAWN)
        answers = surveys.survey_draws(seed)
        last = None
        for key, _, number, repo, text in self._pull_requests.records():
            data = orjson.loads(text)["data"]
            parts = self._parts.get((repo, number), Parts())
            others = {one for one in parts.reviewers if one and not self._are_one(one, data["author"])}
            pr = Shown(repo, number, data, tuple(sorted(others)), bool(parts.reviewers), parts.code_files)
            for reviewer in parts.without_time:
                self._active(reviewer, data["pr_created_at"])
            self._weeks.pull_request(data)
            if key != last:
                yield jira.issue(pr, self._project, issues), "jira"
            last = key
            for event in surveys.survey(pr, self._project, answers):
                yield event, "survey"
            advance()

    def _active(self, person: str | None, when: str | None) -> None:
        if when is None:
            return
        self._newest = max(self._newest, when)
        if person is not None:
            day = Day(date.fromisoformat(when[:10]).toordinal())
            self._days.setdefault(person, set()).add(day)

    def _are_one(self, one: str, other: str | None) -> bool:
        """Return whether two members are one account: their logins or their ids are equal."""
        number = self._members.get(one)
        return one == other or (number is not None and other is not None and number == self._members.get(other))

    def _of(self, event: Any) -> Parts:
        key = event["key"]
        return self._parts.setdefault((key["github_repo"], key["number"]), Parts())

    def _pull_request(self, event: Any, text: bytes) -> None:
        self.count += 1
        key, data = event["key"], event["data"]
        self._active(data["author"], data["pr_created_at"])
        self._active(data["author"], data["merged_at"])
        place = (data["jira_key"] or "", data["pr_created_at"][:-1], key["number"], key["github_repo"])
        self._pull_requests.add((*place, text), len(text))

    def _review(self, event: Any, _: bytes) -> None:
        data, parts = event["data"], self._of(event)
        reviewer = data["reviewer"]
        if data["submitted_at"]:
            self._active(reviewer, data["submitted_at"])
            self._weeks.active(reviewer, data["submitted_at"])
        elif reviewer is not None:
            parts.without_time.append(reviewer)
        if reviewer not in parts.reviewers:
            parts.reviewers.append(reviewer)

    def _file(self, event: Any, _: bytes) -> None:
        if is_code(event["data"]["file_category"]):
            self._of(event).code_files += 1

    def _commit(self, event: Any, _: bytes) -> None:
        data = event["data"]
        self._active(data["author"], data["committed_at"])
        self._weeks.commit(data)

    def _member(self, event: Any, _: bytes) -> None:
        self._members[event["key"]["login"]] = event["data"]["github_id"]

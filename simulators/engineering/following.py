"""What follows from the facts: issues, surveys, AI usage and weeks.

They are computed from the facts that the tables will show, those of earlier runs that a policy kept among them: so a
sum, an issue or a survey never contradicts the rows beside it. Memory grows with people and pull requests, by a few
dozen bytes each, and not with what these hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Any

import orjson

from seedjournal.journal import Entry, Event, Sorter

from . import ai_usage, jira, status, surveys, weekly
from .ai_usage import Usage
from .assistants import assistants
from .categories import is_code
from .jira import Issues
from .people import is_bot
from .project import USAGE_SOURCES, Project
from .shown import Shown
from .surveys import Surveys

Made = tuple[Event, str]
PullRequestKey = tuple[str, int]  # repository and number
_LATEST = "9999-12-31"

VERSIONS = {
    "jira": jira.VERSION,
    "survey": surveys.VERSION,
    "ai_usage": ai_usage.VERSION,
    "weekly": weekly.VERSION,
    "status": status.VERSION,
}


@dataclass(slots=True)
class Parts:
    """What computed kinds need of a pull request's parts."""

    reviewers: dict[str | None, int] = field(default_factory=dict)  # with how many reviews each gave
    code_files: int = 0


class Following:
    """Takes all facts of a project, in any order, and then gives what follows from them."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._parts: dict[PullRequestKey, Parts] = {}
        self._coding: dict[str, set[int]] = {}  # the days with a commit or an opening
        self._signs: dict[str, dict[int, set[str | None]]] = {}  # the days on which something shows an assistant
        self._members: dict[str, int | None] = {}  # with their GitHub ids
        self._tried: dict[str, set[int]] = {}  # the days on which something was begun that somebody says AI helped with
        self._weeks = weekly.Weeks()
        self._statuses = status.Statuses()
        self._newest = ""
        self._oldest = _LATEST
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
        project = self._project
        traits = assistants(
            project.name,
            seed,
            as_of,
            rate=project.ai_base_adoption_rate,
            highest=project.highest_ai_rate,
            tools=project.usage_source_rates,
        )
        surveys = Surveys(self._project, seed, as_of, traits)
        issues = Issues(self._project, seed, as_of, date.fromisoformat(self._oldest[:10]))
        for event, simulator in self._of_pull_requests(issues, surveys, advance):
            self._weeks.take(event)
            yield event, simulator
        usage = Usage(self._project, seed, as_of, traits)
        for key in sorted(key for key in self._members if not is_bot(key)):
            days = (self._coding.get(key, set()), self._signs.get(key, {}), self._tried.get(key, set()))
            for event in usage.of(key, *days):
                yield event, "ai_usage"
        for event in self._weeks.events(self._project):
            yield event, "weekly"
        for event in self._statuses.events(self._project, self._members, as_of):
            yield event, "status"

    def _of_pull_requests(self, issues: Issues, surveys: Surveys, advance: Callable[[], None]) -> Iterator[Made]:
        last = None
        for key, _, number, repo, text in self._pull_requests.records():
            data = orjson.loads(text)["data"]
            parts = self._parts.get((repo, number), Parts())
            author = data["author"]
            others = {one for one in parts.reviewers if one and not self._are_one(one, author)}
            reviews = sum(count for one, count in parts.reviewers.items() if one is None or one != author)
            pr = Shown(repo, number, data, tuple(sorted(others)), reviews, parts.code_files)
            self._weeks.pull_request(data)
            if key != last:
                yield issues.of(pr), "jira"
            last = key
            assisted = surveys.assisted(pr)
            if assisted.is_so and author is not None and not data["is_ai_assisted"]:
                self._tried.setdefault(author, set()).add(_day(data["pr_created_at"]))
            for event in surveys.of(pr, assisted):
                yield event, "survey"
            advance()

    def _coded(self, person: str | None, when: str | None) -> None:
        """Note a day on which somebody committed or opened something."""
        if person is not None and when is not None:
            self._coding.setdefault(person, set()).add(_day(when))

    def _shows(self, person: str | None, when: str | None, tools: list[str]) -> None:
        """Note a day on which something of somebody's shows an assistant; one without usage of its own as None."""
        if person is not None and when is not None:
            sources = {tool if tool in USAGE_SOURCES else None for tool in tools}
            self._signs.setdefault(person, {}).setdefault(_day(when), set()).update(sources)

    def _active(self, person: str | None, when: str | None) -> None:
        """Note a moment at which somebody did something."""
        if when is not None:
            self._newest = max(self._newest, when)
            self._statuses.active(person, when)

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
        self._statuses.pull_request(data)
        self._oldest = min(self._oldest, data["pr_created_at"])
        self._coded(data["author"], data["pr_created_at"])
        if data["ai_tools_detected"]:
            self._shows(data["author"], data["pr_created_at"], data["ai_tools_detected"])
        place = (data["jira_key"] or "", data["pr_created_at"][:-1], key["number"], key["github_repo"])
        self._pull_requests.add((*place, text), len(text))

    def _review(self, event: Any, _: bytes) -> None:
        data, reviewers = event["data"], self._of(event).reviewers
        reviewer = data["reviewer"]
        self._active(reviewer, data["submitted_at"])
        self._weeks.active(reviewer, data["submitted_at"])
        reviewers[reviewer] = reviewers.get(reviewer, 0) + 1

    def _file(self, event: Any, _: bytes) -> None:
        if is_code(event["data"]["file_category"]):
            self._of(event).code_files += 1

    def _commit(self, event: Any, _: bytes) -> None:
        data = event["data"]
        self._active(data["author"], data["committed_at"])
        self._coded(data["author"], data["committed_at"])
        if data["ai_co_authors"]:
            self._shows(data["author"], data["committed_at"], data["ai_co_authors"])
        self._weeks.commit(data)

    def _member(self, event: Any, _: bytes) -> None:
        self._members[event["key"]["login"]] = event["data"]["github_id"]


@lru_cache(maxsize=4096)
def _ordinal(day: str) -> int:
    return date.fromisoformat(day).toordinal()


def _day(when: str) -> int:
    """Return the ordinal of a moment's day."""
    return _ordinal(when[:10])

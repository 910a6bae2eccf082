"""Weekly metrics: one row for each member and week with any activity, from what the tables will show.

A pull request opened or merged, a review or a commit makes a week; a survey answer or an issue alone makes none, but
counts where there is one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any, ClassVar

from seedjournal.journal import Event

from .facts import ratio
from .project import Project

VERSION = 2


@dataclass(slots=True)
class Week:
    """Sums over one member's week; hours in hundredths, points in tenths."""

    active: bool = False
    merged: int = 0
    cycle: int = 0
    cycles: int = 0
    review: int = 0
    reviews: int = 0
    commits: int = 0
    added: int = 0
    removed: int = 0
    reverts: int = 0
    hotfixes: int = 0
    assisted: int = 0
    points: int = 0
    issues: int = 0
    surveys: int = 0
    quality: int = 0
    qualities: int = 0
    right: int = 0
    guesses: int = 0


class Weeks:
    """Takes what happened one by one, and then gives the weeks."""

    __slots__ = ("_authors", "_weeks")

    def __init__(self) -> None:
        self._weeks: dict[tuple[str, int], Week] = {}
        self._authors: dict[tuple[str, int], str | None] = {}

    def take(self, event: Event) -> None:
        """Count an issue, a survey or an answer in its week. A survey comes before its answers."""
        count = self._COUNTERS.get(event.kind)
        if count is not None:
            count(self, event.key, event.data)

    def week(self, member: str, moment: str) -> Week:
        """Return the sums of the week that holds an instant."""
        key = (member, _monday_of(moment[:10]))
        found = self._weeks.get(key)
        if found is None:
            found = self._weeks[key] = Week()
        return found

    def active(self, member: str | None, moment: str | None) -> None:
        """Mark activity."""
        if member and moment:
            self.week(member, moment).active = True

    def events(self, project: Project) -> Iterator[Event]:
        """Yield an event for each active week."""
        for (member, monday), week in self._weeks.items():
            if week.active:
                yield Event(
                    project=project.name,
                    kind="weekly_metrics",
                    key={
                        "team": project.name,
                        "login": member,
                        "week_start": date.fromordinal(monday).isoformat(),
                    },
                    data=_content(week),
                )

    def pull_request(self, data: Any) -> None:
        """Count a pull request, by its content."""
        author = data["author"]
        self.active(author, data["pr_created_at"])
        if not author or not data["merged_at"]:
            return
        week = self.week(author, data["merged_at"])
        week.active = True
        week.merged += 1
        week.cycle += _hundredths(data["cycle_time_hours"])
        week.cycles += 1
        if data["review_time_hours"] is not None:
            week.review += _hundredths(data["review_time_hours"])
            week.reviews += 1
        week.reverts += data["is_revert"]
        week.hotfixes += data["is_hotfix"]
        week.assisted += data["is_ai_assisted"]

    def commit(self, data: Any) -> None:
        """Count a commit, by its content."""
        if data["author"] and data["committed_at"]:
            week = self.week(data["author"], data["committed_at"])
            week.active = True
            week.commits += 1
            week.added += data["additions"]
            week.removed += data["deletions"]

    def _issue(self, _: Any, data: Any) -> None:
        if data["assignee"] and data["resolved_at"] and data["status"] == "Done":
            week = self.week(data["assignee"], data["resolved_at"])
            week.points += _hundredths(data["story_points"]) // 10
            week.issues += 1

    def _survey(self, key: Any, data: Any) -> None:
        self._authors = {(key["github_repo"], key["number"]): data["author"]}
        if data["author"] and data["author_responded_at"]:
            self.week(data["author"], data["author_responded_at"]).surveys += 1

    def _survey_review(self, key: Any, data: Any) -> None:
        week = self.week(key["reviewer"], data["responded_at"])
        week.surveys += 1
        if data["guess_correct"] is not None:
            week.guesses += 1
            week.right += data["guess_correct"]
        author = self._authors.get((key["github_repo"], key["number"]))
        if author:
            rated = self.week(author, data["responded_at"])
            rated.quality += data["quality_rating"]
            rated.qualities += 1

    _COUNTERS: ClassVar[dict[str, Any]] = {
        "jira_issue": _issue,
        "pr_survey": _survey,
        "pr_survey_review": _survey_review,
    }


@lru_cache(maxsize=4096)
def _monday_of(day: str) -> int:
    """Return the ordinal of the Monday of a day's week."""
    found = date.fromisoformat(day)
    return found.toordinal() - found.weekday()


def _content(week: Week) -> dict[str, Any]:
    return {
        "prs_merged": week.merged,
        "avg_cycle_time_hours": _mean(week.cycle, 100 * week.cycles),
        "avg_review_time_hours": _mean(week.review, 100 * week.reviews),
        "commits_count": week.commits,
        "lines_added": week.added,
        "lines_removed": week.removed,
        "revert_count": week.reverts,
        "hotfix_count": week.hotfixes,
        "ai_assisted_prs": week.assisted,
        "story_points_completed": f"{week.points // 10}.{week.points % 10}",
        "issues_resolved": week.issues,
        "surveys_completed": week.surveys,
        "avg_quality_rating": _mean(week.quality, week.qualities),
        "guess_accuracy": _mean(100 * week.right, week.guesses),
    }


def _mean(total: int, count: int) -> str | None:
    return ratio(total, count) if count else None


def _hundredths(text: str) -> int:
    whole, _, places = text.partition(".")
    return int(whole) * 100 + int((places + "00")[:2])

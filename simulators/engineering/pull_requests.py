"""What came from GitHub: team, members, pull requests, reviews, commits, files and check runs.

Nothing is drawn but the accounts that members have elsewhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import Any

from seedjournal.journal import Event, Json, canonical_bytes

from ..draws import Draws
from .categories import file_category
from .census import Census
from .facts import Commit, LooseCommit, PullRequest, Repository, Review, instant, key_text, ratio
from .people import ai_reviewer, are_one, is_bot
from .project import Project
from .signs import ai_co_authors, ai_tools, is_hotfix, is_revert

VERSION = 3
DRAWS = 2  # raised only if everything is to be drawn again
DRAWN = ("jira_account", "slack_user")

_TITLE = 500
_DEFAULT_DOMAIN = "example.com"  # reserved: a demo must not be able to write to real people


def team(project: Project) -> Event:
    """Return the project's team."""
    return Event(
        project=project.name,
        kind="team",
        key={"slug": project.name},
        data={"name": project.team_name, "description": project.description, "industry": project.industry},
    )


def member(census: Census, key: str, draws: Draws) -> Event:
    """Return a member."""
    project, person = census.project, census.members[key]
    login = person.login[1] if person.login else person.key
    draw = draws.of(project.name, person.key)
    return Event(
        project=project.name,
        kind="team_member",
        key={"team": project.name, "login": person.key},
        data={
            "github_login": login,
            "github_id": person.id[1] if person.id else None,
            "display_name": person.name[1] if person.name else login,
            "email": f"{person.key}@{_DEFAULT_DOMAIN}",
            "jira_account_id": f"{draw.bits('jira_account'):016x}",
            "slack_user_id": f"U{draw.bits('slack_user') >> 24:010X}",
            "is_bot": is_bot(person.key),
        },
    )


def pull_request(pr: PullRequest, census: Census) -> Event:
    """Return a pull request by itself."""
    author = census.key_of(pr.author)
    first_review = _first_review(pr, census)
    tools = signs_of(pr)
    project = census.project
    return Event(
        project=project.name,
        kind="pull_request",
        key=_key(project, pr),
        data={
            "title": pr.title[:_TITLE],
            "body": pr.body,
            "author": author,
            "state": pr.state,
            "is_draft": pr.is_draft,
            "pr_created_at": instant(pr.created_at),
            "merged_at": _maybe(pr.merged_at),
            "closed_at": _maybe(pr.closed_at),
            "first_review_at": _maybe(first_review),
            "cycle_time_hours": hours(pr.created_at, pr.merged_at),
            "review_time_hours": hours(pr.created_at, first_review),
            "additions": pr.additions,
            "deletions": pr.deletions,
            "changed_files": pr.changed_files,
            "commits_count": pr.commits_count,
            "head_ref": pr.head_ref,
            "base_ref": pr.base_ref,
            "labels": [*sorted(set(pr.labels))],
            "milestone_title": pr.milestone,
            "assignees": [*sorted(set(pr.assignees))],
            "linked_issues": _issues(pr),
            "jira_key": census.issue_key(pr),
            "is_revert": is_revert(pr.title),
            "is_hotfix": is_hotfix(pr.title, pr.head_ref),
            "is_ai_assisted": bool(tools),
            "ai_tools_detected": list(tools),
        },
    )


def signs_of(pr: PullRequest) -> list[str]:
    """Return the AI tools that a pull request's text and its commits' trailers name, sorted."""
    found = set(ai_tools(pr.title))
    if pr.body:
        found.update(ai_tools(pr.body), ai_co_authors(pr.body))
    for one in pr.commits:
        found.update(ai_co_authors(one.message))
    return sorted(found)


def parts(pr: PullRequest, census: Census) -> Iterator[Event]:
    """Yield a pull request's reviews, files, and the commits and check runs that it owns."""
    project = census.project
    yield from _reviews(census, pr)
    seen: set[str] = set()
    for one in pr.commits:
        if one.sha not in seen and census.owns_commit(pr, one.sha):
            seen.add(one.sha)
            yield commit(census, pr.repo, one, {"github_repo": pr.repo, "number": pr.number})
    yield from _files(project, pr)
    if project.check_runs:
        yield from _check_runs(project, pr, census)


def commit(census: Census, repo: Repository, one: Commit, owner: dict[str, Json] | None) -> Event:
    """Return a commit, with the pull request that owns it, if any."""
    project = census.project
    tools = ai_co_authors(one.message)
    return Event(
        project=project.name,
        kind="commit",
        key={"team": project.name, "github_sha": one.sha},
        data={
            "github_repo": repo,
            "pull_request": owner,
            "author": census.key_of(one.author),
            "message": one.message,
            "committed_at": _maybe(one.committed_at),
            "additions": one.additions,
            "deletions": one.deletions,
            "is_ai_assisted": bool(tools),
            "ai_co_authors": list(tools),
        },
    )


def loose_commit(census: Census, loose: LooseCommit) -> Event:
    """Return a commit that no pull request holds."""
    return commit(census, loose.repo, loose.commit, None)


def hours(start: datetime, end: datetime | None) -> str | None:
    """Return the hours between, with two places, half a hundredth upward; None if the end is unknown.

    An end before the start, as clocks that disagree give, is no time at all.
    """
    if end is None:
        return None
    span = end - start
    return ratio(max(0, span.days * 86_400 + span.seconds), 3600)


def review_id(review: Review, census: Census) -> int:
    """Return a review's number: GitHub's, or one derived from reviewer, time and state, within 53 bits."""
    if review.id:
        return review.id
    text = canonical_bytes([census.key_of(review.reviewer), _maybe(review.submitted_at), review.state])
    return (int.from_bytes(hashlib.sha256(b"seedjournal:review:1\n" + text).digest()[:8], "big") >> 11) or 1


def _reviews(census: Census, pr: PullRequest) -> Iterator[Event]:
    project = census.project
    submitted = {
        review_id(review, census): review
        for review in sorted(pr.reviews, key=partial(_review_order, census))
        if review.state != "pending"
    }
    for number, review in submitted.items():
        reviewer = census.key_of(review.reviewer)
        service = ai_reviewer(reviewer) if reviewer else None
        yield Event(
            project=project.name,
            kind="pr_review",
            key={**_key(project, pr), "github_review_id": number},
            data={
                "reviewer": reviewer,
                "state": review.state,
                "body": review.body,
                "submitted_at": _maybe(review.submitted_at),
                "is_ai_review": service is not None,
                "ai_reviewer_type": service,
            },
        )


def _files(project: Project, pr: PullRequest) -> Iterator[Event]:
    files = sorted({one.filename: one for one in pr.files}.values(), key=lambda one: one.filename)
    for one in files[: project.max_files_per_pr or None]:
        yield Event(
            project=project.name,
            kind="pr_file",
            key={**_key(project, pr), "filename": key_text(one.filename)},
            data={
                "status": one.status,
                "additions": one.additions,
                "deletions": one.deletions,
                "changes": one.additions + one.deletions,
                "file_category": file_category(one.filename),
            },
        )


def _check_runs(project: Project, pr: PullRequest, census: Census) -> Iterator[Event]:
    for number, run in {run.id: run for run in pr.check_runs}.items():
        if not census.owns_check_run(pr, number):
            continue
        seconds = (
            max(0, int((run.completed_at - run.started_at).total_seconds()))
            if run.started_at and run.completed_at
            else None
        )
        yield Event(
            project=project.name,
            kind="pr_check_run",
            key={"team": project.name, "github_check_run_id": number},
            data={
                "pull_request": {"github_repo": pr.repo, "number": pr.number},
                "name": run.name,
                "status": run.status,
                "conclusion": run.conclusion,
                "started_at": _maybe(run.started_at),
                "completed_at": _maybe(run.completed_at),
                "duration_seconds": seconds,
            },
        )


def _first_review(pr: PullRequest, census: Census) -> datetime | None:
    """Return when another person reviewed first, not after the merge; None where nobody is known to have.

    A deleted account may have been the author's own. Where a merge's time is unknown, what came before it is too.
    """
    if pr.state == "merged" and pr.merged_at is None:
        return None
    author = census.key_of(pr.author)
    earlier = census.earlier_reviews.get((pr.repo, pr.number))
    times: dict[int, datetime | None] = {}
    for place, review in enumerate(pr.reviews):
        if review.state != "pending":
            counts = not are_one(review.reviewer, pr.author) and _is_another(census.key_of(review.reviewer), author)
            # Only beside those of an earlier run does it matter which review it is.
            times[review_id(review, census) if earlier else place] = review.submitted_at if counts else None
    for number, (reviewer, submitted_at) in (earlier or {}).items():
        if number not in times or census.keeps_reviews:
            times[number] = submitted_at if _is_another(reviewer, author) else None
    return min((at for at in times.values() if at and (pr.merged_at is None or at <= pr.merged_at)), default=None)


def _is_another(reviewer: str | None, author: str | None) -> bool:
    """Return whether a reviewer is known to be another person than the author."""
    return reviewer is not None and reviewer != author and not is_bot(reviewer)


def _review_order(census: Census, review: Review) -> tuple[Any, ...]:
    """Return the sort key: time, then content. The last of two reviews with one number wins, in any order."""
    maybe = (review.submitted_at, review.body, census.key_of(review.reviewer))
    return (maybe[0] is not None, maybe[0], review.state, *((one is not None, one) for one in maybe[1:]))


def _issues(pr: PullRequest) -> list[Json]:
    return [
        issue for _, _, issue in sorted({(isinstance(one, str), str(one).zfill(20), one) for one in pr.linked_issues})
    ]


def _key(project: Project, pr: PullRequest) -> dict[str, str | int]:
    return {"team": project.name, "github_repo": pr.repo, "number": pr.number}


def _maybe(moment: datetime | None) -> str | None:
    return instant(moment) if moment else None

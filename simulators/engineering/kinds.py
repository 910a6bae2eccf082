"""The kinds of the built-in domain: what GitHub tells of a team, and what is computed from it."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated

from ..domain import Domain
from ..kinds import Json, KeyAs, Kind, Places, Size

Hours = Annotated[Decimal, Places(2)]
Share = Annotated[Decimal, Places(2, digits=5)]


class Team(Kind, key="slug", policy="once"):
    """A team: the root, so a project is one team."""

    slug: str
    name: str
    description: str | None
    industry: str | None


class TeamMember(Kind, key=("team", "login"), policy="once"):
    """A person or a program that did something in the team's repositories."""

    team: Team
    login: str
    github_login: str | None
    github_id: int | None
    display_name: str | None
    email: str | None
    jira_account_id: str | None
    slack_user_id: str | None
    is_bot: bool


class MemberStatus(Kind, key="team_member", part_of=TeamMember):
    """What all facts together say of a member: two more columns of the member's row."""

    team_member: TeamMember
    role: str = "developer"
    is_active: bool = False


class PullRequest(Kind, key=("team", "github_repo", "number"), policy="once"):
    """A pull request, with sums over what it consists of."""

    team: Team
    author: TeamMember | None
    github_repo: str
    number: int
    title: Annotated[str, Size(500)]
    body: str | None
    state: str
    is_draft: bool
    pr_created_at: datetime
    merged_at: datetime | None
    closed_at: datetime | None
    first_review_at: datetime | None
    cycle_time_hours: Hours | None
    review_time_hours: Hours | None
    additions: int
    deletions: int
    changed_files: int
    commits_count: int
    head_ref: str | None
    base_ref: str | None
    labels: Json
    milestone_title: str | None
    assignees: Json
    linked_issues: Json
    jira_key: str | None
    is_revert: bool
    is_hotfix: bool
    is_ai_assisted: bool
    ai_tools_detected: Json


class PrReview(Kind, key=("pull_request", "github_review_id"), policy="once"):
    """A review of a pull request."""

    pull_request: PullRequest
    reviewer: TeamMember | None
    github_review_id: int
    state: str
    body: str | None
    submitted_at: datetime | None
    is_ai_review: bool
    ai_reviewer_type: str | None


class Commit(Kind, key=("team", "github_sha"), policy="once"):
    """A commit, of a pull request or not."""

    team: Team
    pull_request: PullRequest | None
    author: TeamMember | None
    github_sha: str
    github_repo: str
    message: str
    committed_at: datetime | None
    additions: int
    deletions: int
    is_ai_assisted: bool
    ai_co_authors: Json


class PrFile(Kind, key=("pull_request", "filename"), policy="once"):
    """A file that a pull request changes."""

    pull_request: PullRequest
    filename: str
    status: str
    additions: int
    deletions: int
    changes: int
    file_category: str


class PrCheckRun(Kind, key=("team", "github_check_run_id"), policy="once"):
    """A run of an automatic check on a pull request."""

    team: Team
    pull_request: PullRequest
    github_check_run_id: int
    name: str
    status: str
    conclusion: str | None
    started_at: datetime | None
    completed_at: datetime | None
    duration_seconds: int | None


class JiraIssue(Kind, key=("team", "jira_key")):
    """The issue that a pull request belongs to."""

    team: Team
    assignee: TeamMember | None
    jira_key: str
    jira_id: str
    summary: Annotated[str, Size(200)]
    issue_type: str
    status: str
    priority: str
    story_points: Annotated[Decimal, Places(1, digits=5)]
    sprint_id: int
    sprint_name: str
    cycle_time_hours: Hours | None
    issue_created_at: datetime
    resolved_at: datetime | None


class PrSurvey(Kind, key="pull_request"):
    """What the author of a pull request was asked."""

    pull_request: PullRequest
    author: TeamMember | None
    author_ai_assisted: bool | None
    author_responded_at: datetime | None
    author_response_source: str | None
    ai_modification_effort: str | None


class PrSurveyReview(Kind, key=("pr_survey", "reviewer")):
    """What a reviewer answered about a pull request."""

    pr_survey: PrSurvey
    reviewer: Annotated[TeamMember, KeyAs("reviewer")]
    quality_rating: int
    ai_guess: bool
    guess_correct: bool | None
    responded_at: datetime
    feedback_clarity: int
    review_burden: int


class AiUsageDaily(Kind, key=("team_member", "date", "source"), table="ai_usage_daily"):
    """How much a member used an assistant on a day."""

    team_member: TeamMember
    date: date
    source: str
    active_hours: Share
    suggestions_shown: int
    suggestions_accepted: int
    acceptance_rate: Share


class WeeklyMetrics(Kind, key=("team_member", "week_start"), table="weekly_metrics"):
    """What a member did in a week."""

    team_member: TeamMember
    week_start: date
    prs_merged: int
    avg_cycle_time_hours: Hours | None
    avg_review_time_hours: Hours | None
    commits_count: int
    lines_added: int
    lines_removed: int
    revert_count: int
    hotfix_count: int
    ai_assisted_prs: int
    story_points_completed: Annotated[Decimal, Places(1)]
    issues_resolved: int
    surveys_completed: int
    avg_quality_rating: Annotated[Decimal, Places(2, digits=3)] | None
    guess_accuracy: Share | None


ENGINEERING = Domain(
    "engineering",
    root=Team,
    kinds=(
        Team,
        TeamMember,
        MemberStatus,
        PullRequest,
        PrReview,
        Commit,
        PrFile,
        PrCheckRun,
        JiraIssue,
        PrSurvey,
        PrSurveyReview,
        AiUsageDaily,
        WeeklyMetrics,
    ),
    policy_groups={"github": (Team, TeamMember, PullRequest, PrReview, Commit, PrFile, PrCheckRun)},
)

"""Models in the shape of an application whose dashboards read tables of its own, as its migrations make them."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Q


class Base(models.Model):
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True


def to(model: Any, **more: Any) -> Any:
    return models.ForeignKey(model, on_delete=models.CASCADE, **more)


def maybe_to(model: Any, **more: Any) -> Any:
    return models.ForeignKey(model, on_delete=models.SET_NULL, null=True, blank=True, **more)


def text(size: int | None = None, **more: Any) -> Any:
    if size is None:
        return models.TextField(blank=True, **more)
    return models.CharField(max_length=size, blank=True, **more)


def hours(digits: int = 10, places: int = 2) -> Any:
    return models.DecimalField(max_digits=digits, decimal_places=places, null=True)


def count(**more: Any) -> Any:
    return models.IntegerField(**{"default": 0, **more})


def maybe_at() -> Any:
    return models.DateTimeField(null=True, blank=True)


def maybe_number() -> Any:
    return models.IntegerField(null=True)


class Customer(models.Model):
    djstripe_id = models.BigAutoField(primary_key=True)

    class Meta:
        db_table = "djstripe_customer"


class Team(Base):
    name = models.CharField(max_length=100)
    slug = models.SlugField(unique=True)
    billing_details_last_changed = models.DateTimeField(auto_now_add=True)
    customer = maybe_to(Customer)
    last_synced_with_stripe = maybe_at()
    onboarding_complete = models.BooleanField(default=True)
    onboarding_pipeline_completed_at = maybe_at()
    onboarding_pipeline_error = text(null=True)
    onboarding_pipeline_started_at = maybe_at()
    onboarding_pipeline_status = text(50, default="not_started")
    background_llm_progress = count()
    background_sync_progress = count()
    copilot_consecutive_failures = models.PositiveIntegerField(default=0)
    copilot_last_sync_at = maybe_at()
    copilot_status = text(30, default="disabled")
    copilot_price_tier = text(20, default="business")

    class Meta:
        db_table = "teams_team"


class Membership(Base):
    team = to(Team)
    user = models.CharField(max_length=50)

    class Meta:
        db_table = "teams_membership"


class TeamMember(Base):
    team = to(Team)
    email = models.EmailField(blank=True)
    display_name = models.CharField(max_length=255)
    github_username = text(100)
    github_id = text(50)
    jira_account_id = text(100)
    slack_user_id = text(50)
    role = text(20, default="developer")
    is_active = models.BooleanField(default=True)
    copilot_last_activity_at = maybe_at()
    copilot_last_editor = text(100, null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["team", "github_id"], condition=Q(github_id__gt=""), name="unique_team_github_id"
            ),
            models.UniqueConstraint(fields=["team", "email"], condition=Q(email__gt=""), name="unique_team_email"),
        )


class PullRequest(Base):
    team = to(Team)
    github_pr_id = models.BigIntegerField()
    github_repo = models.CharField(max_length=255)
    title = text()
    state = models.CharField(max_length=20)
    pr_created_at = maybe_at()
    merged_at = maybe_at()
    first_review_at = maybe_at()
    cycle_time_hours = hours()
    review_time_hours = hours()
    additions = count()
    deletions = count()
    is_revert = models.BooleanField(default=False)
    is_hotfix = models.BooleanField(default=False)
    synced_at = models.DateTimeField(auto_now=True)
    author = maybe_to(TeamMember)
    jira_key = text(50)
    avg_fix_response_hours = hours()
    commits_after_first_review = maybe_number()
    review_rounds = maybe_number()
    total_comments = maybe_number()
    ai_tools_detected = models.JSONField(default=list)
    body = text()
    is_ai_assisted = models.BooleanField(null=True)
    assignees = models.JSONField(default=list)
    is_draft = models.BooleanField(default=False)
    labels = models.JSONField(default=list)
    linked_issues = models.JSONField(default=list)
    milestone_title = text(255)
    ai_detection_version = text(10)
    llm_summary = models.JSONField(null=True)
    llm_summary_version = text(10)
    has_ai_commits = models.BooleanField(default=False)
    has_ai_review = models.BooleanField(default=False)
    has_ai_files = models.BooleanField(default=False)
    ai_confidence_score = hours(4, 3)
    ai_signals = models.JSONField(default=dict)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["team", "github_pr_id", "github_repo"], name="unique_team_pr"),)


class PRReview(Base):
    team = to(Team)
    pull_request = to(PullRequest)
    reviewer = maybe_to(TeamMember)
    github_review_id = models.BigIntegerField(null=True)
    state = models.CharField(max_length=20)
    submitted_at = maybe_at()
    ai_reviewer_type = text(50)
    body = text()
    is_ai_review = models.BooleanField(default=False)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["team", "github_review_id"],
                condition=Q(github_review_id__isnull=False),
                name="unique_team_review",
            ),
        )


class Commit(Base):
    team = to(Team)
    pull_request = maybe_to(PullRequest)
    author = maybe_to(TeamMember)
    github_sha = models.CharField(max_length=40)
    github_repo = models.CharField(max_length=255)
    message = text()
    additions = count()
    deletions = count()
    committed_at = maybe_at()
    ai_co_authors = models.JSONField(default=list)
    is_ai_assisted = models.BooleanField(default=False)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["team", "github_sha"], name="unique_team_commit"),)


class PRFile(Base):
    team = to(Team)
    pull_request = to(PullRequest)
    filename = models.CharField(max_length=500)
    status = models.CharField(max_length=20)
    additions = count()
    deletions = count()
    changes = count()
    file_category = models.CharField(max_length=50)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["team", "pull_request", "filename"], name="unique_team_pr_file"),
        )


class PRCheckRun(Base):
    team = to(Team)
    pull_request = to(PullRequest)
    github_check_run_id = models.BigIntegerField()
    name = models.CharField(max_length=255)
    status = models.CharField(max_length=20)
    conclusion = text(20, null=True)
    started_at = maybe_at()
    completed_at = maybe_at()
    duration_seconds = maybe_number()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["team", "github_check_run_id"], name="unique_team_check_run"),)


class JiraIssue(Base):
    team = to(Team)
    assignee = maybe_to(TeamMember)
    jira_key = models.CharField(max_length=50)
    jira_id = models.CharField(max_length=50)
    summary = text()
    issue_type = models.CharField(max_length=50)
    status = models.CharField(max_length=50)
    story_points = hours(5, 1)
    sprint_id = text(50)
    sprint_name = text(255)
    issue_created_at = maybe_at()
    resolved_at = maybe_at()
    cycle_time_hours = hours()
    synced_at = models.DateTimeField(auto_now=True)
    description = text()
    labels = models.JSONField(default=list)
    parent_issue_key = text(50)
    priority = text(50)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["team", "jira_id"], name="unique_team_jira_issue"),)


class PRSurvey(Base):
    team = to(Team)
    pull_request = models.OneToOneField(PullRequest, on_delete=models.CASCADE)
    author = maybe_to(TeamMember)
    author_ai_assisted = models.BooleanField(null=True)
    author_responded_at = maybe_at()
    github_comment_id = models.BigIntegerField(null=True)
    token = models.CharField(max_length=64, null=True, unique=True)
    token_expires_at = maybe_at()
    ai_modification_effort = text(20, null=True)
    author_response_source = text(10, null=True)


class PRSurveyReview(Base):
    team = to(Team)
    survey = to(PRSurvey)
    reviewer = maybe_to(TeamMember)
    quality_rating = maybe_number()
    ai_guess = models.BooleanField(null=True)
    guess_correct = models.BooleanField(null=True)
    responded_at = maybe_at()
    response_source = text(10, null=True)
    feedback_clarity = maybe_number()
    review_burden = maybe_number()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["survey", "reviewer"], name="unique_survey_reviewer"),)


class AIUsageDaily(Base):
    team = to(Team)
    member = to(TeamMember)
    date = models.DateField()
    source = models.CharField(max_length=20)
    active_hours = hours(5)
    suggestions_shown = count()
    suggestions_accepted = count()
    acceptance_rate = hours(5)
    synced_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["team", "member", "date", "source"], name="unique_team_member_date_source"),
        )


class WeeklyMetrics(Base):
    team = to(Team)
    member = to(TeamMember)
    week_start = models.DateField()
    prs_merged = count()
    avg_cycle_time_hours = hours()
    avg_review_time_hours = hours()
    commits_count = count()
    lines_added = count()
    lines_removed = count()
    revert_count = count()
    hotfix_count = count()
    story_points_completed = models.DecimalField(max_digits=10, decimal_places=1, default=0)
    issues_resolved = count()
    ai_assisted_prs = count()
    avg_quality_rating = hours(3)
    surveys_completed = count()
    guess_accuracy = hours(5)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["team", "member", "week_start"], name="unique_team_member_week"),
        )

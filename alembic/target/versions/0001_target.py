"""The target: a table for each of the twelve kinds, and seedjournal's own notes beside them."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_INSTANT = sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite")
_DATE = sa.Date().with_variant(sa.Text(), "sqlite")
_JSON = JSONB().with_variant(sa.JSON(), "sqlite")


def upgrade() -> None:
    """Make the tables, parents before children."""
    op.create_table(
        "seedjournal_positions",
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("journal", sa.Text(), nullable=False),
        sa.Column("run", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.LargeBinary(), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("project", "kind", name="pk_seedjournal_positions"),
    )
    op.create_table(
        "seedjournal_remembered",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("is_foreign", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "key", name="pk_seedjournal_remembered"),
    )
    op.create_table(
        "seedjournal_stale",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "id", name="pk_seedjournal_stale"),
    )
    op.create_table(
        "teams",
        sa.Column("id", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("industry", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_teams"),
        sa.UniqueConstraint("slug", name="uq_teams"),
    )
    op.create_table(
        "team_members",
        sa.Column("id", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("team_id", _NUMBER, nullable=False),
        sa.Column("login", sa.Text(), nullable=False),
        sa.Column("github_login", sa.Text(), nullable=True),
        sa.Column("github_id", sa.BigInteger(), nullable=True),
        sa.Column("display_name", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("role", sa.Text(), nullable=True),
        sa.Column("jira_account_id", sa.Text(), nullable=True),
        sa.Column("slack_user_id", sa.Text(), nullable=True),
        sa.Column("is_bot", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.ForeignKeyConstraint(
            ["team_id"], ["teams.id"], name="fk_team_members_team_id", initially="IMMEDIATE", deferrable=True
        ),
        sa.PrimaryKeyConstraint("id", name="pk_team_members"),
        sa.UniqueConstraint("team_id", "login", name="uq_team_members"),
    )
    op.create_table(
        "ai_usage_daily",
        sa.Column("id", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("team_member_id", _NUMBER, nullable=False),
        sa.Column("date", _DATE, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("active_hours", sa.Numeric(precision=5, scale=2), nullable=False),
        sa.Column("suggestions_shown", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("suggestions_accepted", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("acceptance_rate", sa.Numeric(precision=5, scale=2), nullable=False),
        sa.ForeignKeyConstraint(
            ["team_member_id"],
            ["team_members.id"],
            name="fk_ai_usage_daily_team_member_id",
            initially="IMMEDIATE",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id", name="pk_ai_usage_daily"),
        sa.UniqueConstraint("team_member_id", "date", "source", name="uq_ai_usage_daily"),
    )
    op.create_table(
        "jira_issues",
        sa.Column("id", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("team_id", _NUMBER, nullable=False),
        sa.Column("assignee_id", _NUMBER, nullable=True),
        sa.Column("jira_key", sa.Text(), nullable=False),
        sa.Column("jira_id", sa.Text(), nullable=False),
        sa.Column("summary", sa.String(length=200), nullable=False),
        sa.Column("issue_type", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("priority", sa.Text(), nullable=False),
        sa.Column("story_points", sa.Numeric(precision=5, scale=1), nullable=False),
        sa.Column("sprint_id", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("sprint_name", sa.Text(), nullable=False),
        sa.Column("cycle_time_hours", sa.Numeric(precision=10, scale=2), nullable=True),
        sa.Column("issue_created_at", _INSTANT, nullable=False),
        sa.Column("resolved_at", _INSTANT, nullable=True),
        sa.ForeignKeyConstraint(
            ["assignee_id"],
            ["team_members.id"],
            name="fk_jira_issues_assignee_id",
            initially="IMMEDIATE",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["team_id"], ["teams.id"], name="fk_jira_issues_team_id", initially="IMMEDIATE", deferrable=True
        ),
        sa.PrimaryKeyConstraint("id", name="pk_jira_issues"),
        sa.UniqueConstraint("team_id", "jira_key", name="uq_jira_issues"),
    )
    op.create_index("ix_jira_issues_assignee_id", "jira_issues", ["assignee_id"], unique=False)
    op.create_table(
        "pull_requests",
        sa.Column("id", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("team_id", _NUMBER, nullable=False),
        sa.Column("author_id", _NUMBER, nullable=True),
        sa.Column("github_repo", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("title", sa.String(length=500), nullable=False),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("is_draft", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("pr_created_at", _INSTANT, nullable=False),
        sa.Column("merged_at", _INSTANT, nullable=True),
        sa.Column("closed_at", _INSTANT, nullable=True),
        sa.Column("first_review_at", _INSTANT, nullable=True),
        sa.Column("cycle_time_hours", sa.Numeric(precision=10, scale=2), nullable=True),
        sa.Column("review_time_hours", sa.Numeric(precision=10, scale=2), nullable=True),
        sa.Column("additions", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("deletions", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("changed_files", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("commits_count", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("head_ref", sa.Text(), nullable=True),
        sa.Column("base_ref", sa.Text(), nullable=True),
        sa.Column("labels", _JSON, server_default=sa.text("'[]'"), nullable=False),
        sa.Column("milestone_title", sa.Text(), nullable=True),
        sa.Column("assignees", _JSON, server_default=sa.text("'[]'"), nullable=False),
        sa.Column("linked_issues", _JSON, server_default=sa.text("'[]'"), nullable=False),
        sa.Column("jira_key", sa.Text(), nullable=True),
        sa.Column("is_revert", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("is_hotfix", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("is_ai_assisted", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("ai_tools_detected", _JSON, server_default=sa.text("'[]'"), nullable=False),
        sa.ForeignKeyConstraint(
            ["author_id"],
            ["team_members.id"],
            name="fk_pull_requests_author_id",
            initially="IMMEDIATE",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["team_id"], ["teams.id"], name="fk_pull_requests_team_id", initially="IMMEDIATE", deferrable=True
        ),
        sa.PrimaryKeyConstraint("id", name="pk_pull_requests"),
        sa.UniqueConstraint("team_id", "github_repo", "number", name="uq_pull_requests"),
    )
    op.create_index("ix_pull_requests_author_id", "pull_requests", ["author_id"], unique=False)
    op.create_table(
        "weekly_metrics",
        sa.Column("id", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("team_member_id", _NUMBER, nullable=False),
        sa.Column("week_start", _DATE, nullable=False),
        sa.Column("prs_merged", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("avg_cycle_time_hours", sa.Numeric(precision=10, scale=2), nullable=True),
        sa.Column("avg_review_time_hours", sa.Numeric(precision=10, scale=2), nullable=True),
        sa.Column("commits_count", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("lines_added", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("lines_removed", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("revert_count", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("hotfix_count", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("ai_assisted_prs", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("story_points_completed", sa.Numeric(precision=10, scale=1), nullable=False),
        sa.Column("issues_resolved", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("surveys_completed", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("avg_quality_rating", sa.Numeric(precision=3, scale=2), nullable=True),
        sa.Column("guess_accuracy", sa.Numeric(precision=5, scale=2), nullable=True),
        sa.ForeignKeyConstraint(
            ["team_member_id"],
            ["team_members.id"],
            name="fk_weekly_metrics_team_member_id",
            initially="IMMEDIATE",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id", name="pk_weekly_metrics"),
        sa.UniqueConstraint("team_member_id", "week_start", name="uq_weekly_metrics"),
    )
    op.create_table(
        "commits",
        sa.Column("id", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("team_id", _NUMBER, nullable=False),
        sa.Column("pull_request_id", _NUMBER, nullable=True),
        sa.Column("author_id", _NUMBER, nullable=True),
        sa.Column("github_sha", sa.Text(), nullable=False),
        sa.Column("github_repo", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("committed_at", _INSTANT, nullable=False),
        sa.Column("additions", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("deletions", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("is_ai_assisted", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("ai_co_authors", _JSON, server_default=sa.text("'[]'"), nullable=False),
        sa.ForeignKeyConstraint(
            ["author_id"], ["team_members.id"], name="fk_commits_author_id", initially="IMMEDIATE", deferrable=True
        ),
        sa.ForeignKeyConstraint(
            ["pull_request_id"],
            ["pull_requests.id"],
            name="fk_commits_pull_request_id",
            initially="IMMEDIATE",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["team_id"], ["teams.id"], name="fk_commits_team_id", initially="IMMEDIATE", deferrable=True
        ),
        sa.PrimaryKeyConstraint("id", name="pk_commits"),
        sa.UniqueConstraint("team_id", "github_sha", name="uq_commits"),
    )
    op.create_index("ix_commits_author_id", "commits", ["author_id"], unique=False)
    op.create_index("ix_commits_pull_request_id", "commits", ["pull_request_id"], unique=False)
    op.create_table(
        "pr_check_runs",
        sa.Column("id", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("team_id", _NUMBER, nullable=False),
        sa.Column("pull_request_id", _NUMBER, nullable=False),
        sa.Column("github_check_run_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("conclusion", sa.Text(), nullable=True),
        sa.Column("started_at", _INSTANT, nullable=True),
        sa.Column("completed_at", _INSTANT, nullable=True),
        sa.Column("duration_seconds", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["pull_request_id"],
            ["pull_requests.id"],
            name="fk_pr_check_runs_pull_request_id",
            initially="IMMEDIATE",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["team_id"], ["teams.id"], name="fk_pr_check_runs_team_id", initially="IMMEDIATE", deferrable=True
        ),
        sa.PrimaryKeyConstraint("id", name="pk_pr_check_runs"),
        sa.UniqueConstraint("team_id", "github_check_run_id", name="uq_pr_check_runs"),
    )
    op.create_index("ix_pr_check_runs_pull_request_id", "pr_check_runs", ["pull_request_id"], unique=False)
    op.create_table(
        "pr_files",
        sa.Column("id", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("pull_request_id", _NUMBER, nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("additions", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("deletions", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("changes", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("file_category", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["pull_request_id"],
            ["pull_requests.id"],
            name="fk_pr_files_pull_request_id",
            initially="IMMEDIATE",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id", name="pk_pr_files"),
        sa.UniqueConstraint("pull_request_id", "filename", name="uq_pr_files"),
    )
    op.create_table(
        "pr_reviews",
        sa.Column("id", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("pull_request_id", _NUMBER, nullable=False),
        sa.Column("reviewer_id", _NUMBER, nullable=True),
        sa.Column("github_review_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("submitted_at", _INSTANT, nullable=True),
        sa.Column("is_ai_review", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("ai_reviewer_type", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["pull_request_id"],
            ["pull_requests.id"],
            name="fk_pr_reviews_pull_request_id",
            initially="IMMEDIATE",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["reviewer_id"],
            ["team_members.id"],
            name="fk_pr_reviews_reviewer_id",
            initially="IMMEDIATE",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id", name="pk_pr_reviews"),
        sa.UniqueConstraint("pull_request_id", "github_review_id", name="uq_pr_reviews"),
    )
    op.create_index("ix_pr_reviews_reviewer_id", "pr_reviews", ["reviewer_id"], unique=False)
    op.create_table(
        "pr_surveys",
        sa.Column("id", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("pull_request_id", _NUMBER, nullable=False),
        sa.Column("author_id", _NUMBER, nullable=True),
        sa.Column("author_ai_assisted", sa.Boolean(), nullable=True),
        sa.Column("author_responded_at", _INSTANT, nullable=True),
        sa.Column("author_response_source", sa.Text(), nullable=True),
        sa.Column("ai_modification_effort", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["author_id"], ["team_members.id"], name="fk_pr_surveys_author_id", initially="IMMEDIATE", deferrable=True
        ),
        sa.ForeignKeyConstraint(
            ["pull_request_id"],
            ["pull_requests.id"],
            name="fk_pr_surveys_pull_request_id",
            initially="IMMEDIATE",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id", name="pk_pr_surveys"),
        sa.UniqueConstraint("pull_request_id", name="uq_pr_surveys"),
    )
    op.create_index("ix_pr_surveys_author_id", "pr_surveys", ["author_id"], unique=False)
    op.create_table(
        "pr_survey_reviews",
        sa.Column("id", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("pr_survey_id", _NUMBER, nullable=False),
        sa.Column("reviewer_id", _NUMBER, nullable=False),
        sa.Column("quality_rating", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("ai_guess", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("guess_correct", sa.Boolean(), nullable=True),
        sa.Column("responded_at", _INSTANT, nullable=False),
        sa.Column("feedback_clarity", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("review_burden", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(
            ["pr_survey_id"],
            ["pr_surveys.id"],
            name="fk_pr_survey_reviews_pr_survey_id",
            initially="IMMEDIATE",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["reviewer_id"],
            ["team_members.id"],
            name="fk_pr_survey_reviews_reviewer_id",
            initially="IMMEDIATE",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id", name="pk_pr_survey_reviews"),
        sa.UniqueConstraint("pr_survey_id", "reviewer_id", name="uq_pr_survey_reviews"),
    )
    op.create_index("ix_pr_survey_reviews_reviewer_id", "pr_survey_reviews", ["reviewer_id"], unique=False)


def downgrade() -> None:
    """Remove the tables with everything in them."""
    for table in (
        "pr_survey_reviews",
        "pr_surveys",
        "pr_reviews",
        "pr_files",
        "pr_check_runs",
        "commits",
        "weekly_metrics",
        "pull_requests",
        "jira_issues",
        "ai_usage_daily",
        "team_members",
        "teams",
        "seedjournal_stale",
        "seedjournal_remembered",
        "seedjournal_positions",
    ):
        op.drop_table(table)

"""The built-in domain onto the application's Django tables: `tables = "map:target"` in seedjournal.toml.

A column that is not named takes the field of its name; `<name>_id` takes the reference of its name, or the ancestor in
the key.
"""

from seedjournal import ENGINEERING, Tables, const, initial, now, null_as, ref, sql, touch, values

target = Tables(ENGINEERING)
DJANGO = {"created_at": initial(now), "updated_at": touch}  # written at insert; written with every change of ours

target.table(
    "team",
    "teams_team",
    leave_out="description industry",
    columns={
        **DJANGO,
        "billing_details_last_changed": initial(now),
        "onboarding_complete": initial(True),
        "onboarding_pipeline_status": initial("complete"),
        "background_llm_progress": initial(0),
        "background_sync_progress": initial(0),
        "copilot_consecutive_failures": initial(0),
        "copilot_status": initial("disabled"),
        "copilot_price_tier": initial("business"),
    },
)
target.table(
    "team_member",
    "metrics_teammember",
    leave_out="login is_bot",
    columns={  # no column holds our key: the notes remember the row
        **DJANGO,
        "github_username": null_as("github_login", ""),
        "github_id": null_as(
            sql("cast(:github_id as text)"), "", unique_in=["team_id"], loser=""
        ),  # Documenso: one id, two logins
        "display_name": null_as("display_name", ""),
        "email": null_as("email", ""),
        "jira_account_id": null_as("jira_account_id", ""),
        "slack_user_id": null_as("slack_user_id", ""),
        "role": null_as("role", "developer"),
    },
)
target.table(
    "pull_request",
    "metrics_pullrequest",
    leave_out="closed_at changed_files commits_count head_ref base_ref",
    columns={
        **DJANGO,
        "github_pr_id": "number",
        "body": null_as("body", ""),
        "milestone_title": null_as("milestone_title", ""),
        "jira_key": null_as("jira_key", ""),
        "synced_at": touch,
        "ai_detection_version": initial(""),
        "llm_summary_version": initial(""),
        "ai_signals": initial({}),
        "has_ai_commits": initial(False),
        "has_ai_review": initial(False),
        "has_ai_files": initial(False),
    },
)
target.table(
    "pr_review",
    "metrics_prreview",
    columns={
        **DJANGO,
        "body": null_as("body", ""),
        "ai_reviewer_type": null_as("ai_reviewer_type", ""),
        "state": values("state", dismissed="commented"),
    },
)
target.table("commit", "metrics_commit", columns=DJANGO)
target.table("pr_file", "metrics_prfile", columns={**DJANGO, "status": values("status", copied="added")})
target.table("pr_check_run", "metrics_prcheckrun", columns=DJANGO)
target.table(
    "jira_issue",
    "metrics_jiraissue",
    columns={
        **DJANGO,
        "sprint_id": sql("cast(:sprint_id as text)"),
        "synced_at": touch,
        "description": initial(""),
        "labels": initial([]),
        "parent_issue_key": initial(""),
    },
)
target.table(
    "pr_survey",
    "metrics_prsurvey",
    columns={"created_at": initial(ref("pull_request").field("merged_at")), "updated_at": touch},
)
target.table(
    "pr_survey_review",
    "metrics_prsurveyreview",
    columns={**DJANGO, "survey_id": ref("pr_survey"), "response_source": const("web")},
)
target.table(
    "ai_usage_daily", "metrics_aiusagedaily", columns={**DJANGO, "member_id": ref("team_member"), "synced_at": touch}
)
target.table("weekly_metrics", "metrics_weeklymetrics", columns={**DJANGO, "member_id": ref("team_member")})

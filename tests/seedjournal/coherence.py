"""What no two rows of the built-in domain's tables may say of each other, in either database."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from statistics import fmean
from types import SimpleNamespace
from typing import Any

from sqlalchemy import create_engine, text

from tests.seedjournal.commands import driver_url

KEYS = {
    "teams": ("slug",),
    "team_members": ("team_id", "login"),
    "pull_requests": ("team_id", "github_repo", "number"),
    "pr_reviews": ("pull_request_id", "github_review_id"),
    "commits": ("team_id", "github_sha"),
    "pr_files": ("pull_request_id", "filename"),
    "pr_check_runs": ("team_id", "github_check_run_id"),
    "jira_issues": ("team_id", "jira_key"),
    "pr_surveys": ("pull_request_id",),
    "pr_survey_reviews": ("pr_survey_id", "reviewer_id"),
    "ai_usage_daily": ("team_member_id", "date", "source"),
    "weekly_metrics": ("team_member_id", "week_start"),
}
PARENTS = {
    "team_id": "teams",
    "team_member_id": "team_members",
    "author_id": "team_members",
    "reviewer_id": "team_members",
    "assignee_id": "team_members",
    "pull_request_id": "pull_requests",
    "pr_survey_id": "pr_surveys",
}
MOMENTS = (
    "pr_created_at merged_at closed_at first_review_at submitted_at committed_at started_at completed_at "
    "issue_created_at resolved_at author_responded_at responded_at"
).split()
COUNTS = "additions deletions changes changed_files commits_count duration_seconds lines_added lines_removed".split()
HUNDREDTH = Decimal("0.0051")
FIRST_ASSISTANT = datetime(2021, 6, 29, tzinfo=UTC)

Row = Any
Broken = Iterator[tuple[str, bool]]  # a rule, and whether one row breaks it
Rule = Callable[["Tables"], Broken]


class Tables:
    """All rows as plain values, and what belongs to each."""

    def __init__(self, url: str) -> None:
        engine = create_engine(driver_url(url))
        with engine.connect() as connection:
            run = "SELECT project, inputs FROM journal_runs ORDER BY run"
            inputs = {project: _json(told) for project, told in connection.execute(text(run))}
            rows = {name: connection.execute(text(f"SELECT * FROM {name}")).mappings().all() for name in KEYS}
        engine.dispose()
        self.rows = {
            name: [SimpleNamespace(**{field: _plain(field, one) for field, one in row.items()}) for row in found]
            for name, found in rows.items()
        }
        self.by_id = {name: {row.id: row for row in found} for name, found in self.rows.items()}
        self.inputs = {team.id: inputs[team.slug] for team in self.rows["teams"]}
        self.is_invented = all(one["source"] == "demo" for one in inputs.values())
        self.members = self.by_id["team_members"]
        self.pulls = self.by_id["pull_requests"]
        self.of_pull: dict[str, dict[int, list[Row]]] = {}
        for name in ("pr_reviews", "commits", "pr_files"):
            parts = self.of_pull[name] = defaultdict(list)
            for row in self.rows[name]:
                parts[row.pull_request_id].append(row)

    def is_bot(self, member: int | None) -> bool:
        """Return whether a member is a program."""
        return member is not None and bool(self.members[member].is_bot)

    def as_of(self, row: Row) -> date:
        """Return the day up to which a row's project is stated."""
        member = getattr(row, "team_member_id", None)
        team = self.members[member].team_id if member else getattr(row, "team_id", None)
        if team is None:
            team = self.pulls[row.pull_request_id].team_id
        return date.fromisoformat(self.inputs[team]["as_of"])


def references(tables: Tables) -> Broken:
    """Every row that another refers to is there, and in the same team and repository."""
    for name, rows in tables.rows.items():
        for row in rows:
            for column, parent in PARENTS.items():
                there = getattr(row, column, None)
                if there is not None:
                    found = tables.by_id[parent].get(there)
                    yield f"{name}.{column} has its row", found is None
                    if found is not None and hasattr(row, "team_id") and hasattr(found, "team_id"):
                        yield f"{name}.{column} is of the same team", found.team_id != row.team_id
        keys = Counter(tuple(getattr(row, column) for column in KEYS[name]) for row in rows)
        for count in keys.values():
            yield f"{name} has each key once", count > 1
    for commit in tables.rows["commits"]:
        if commit.pull_request_id is not None:
            other = tables.pulls[commit.pull_request_id].github_repo
            yield "a commit is in its pull request's repository", commit.github_repo != other


def counts(tables: Tables) -> Broken:
    """Counts are not negative."""
    for name, rows in tables.rows.items():
        for row in rows:
            for column in COUNTS:
                value = getattr(row, column, None)
                if value is not None:
                    yield f"{name}.{column} is not negative", value < 0
    for file in tables.rows["pr_files"]:
        yield "a file's changes are its lines", file.changes != file.additions + file.deletions
    for run in tables.rows["pr_check_runs"]:
        if run.completed_at and run.duration_seconds is not None:
            lasted = max(0.0, (run.completed_at - run.started_at).total_seconds())
            yield "a check run lasts from its start to its end", abs(run.duration_seconds - lasted) > 1


def people(tables: Tables) -> Broken:
    """One person leads at most, and no program."""
    leads = [row for row in tables.rows["team_members"] if row.role == "lead"]
    for count in Counter(row.team_id for row in leads).values():
        yield "a team has one lead at most", count > 1
    for row in leads:
        yield "a program does not lead", bool(row.is_bot)


def pull_requests(tables: Tables) -> Broken:
    """Times and flags of a pull request agree with each other and with its reviews."""
    for pr in tables.rows["pull_requests"]:
        merged, first = pr.merged_at, pr.first_review_at
        yield "merged means merged_at", (pr.state == "merged") != (merged is not None)
        yield "what is open is not closed", pr.state == "open" and pr.closed_at is not None
        yield "the cycle time is from creation to merge", _differ(pr.cycle_time_hours, pr.pr_created_at, merged)
        yield (
            "the review time is from creation to the first review",
            _differ(pr.review_time_hours, pr.pr_created_at, first),
        )
        title, branch = pr.title.casefold(), (pr.head_ref or "").casefold()
        yield "a revert says so", bool(pr.is_revert) and "revert" not in title
        yield "what says Revert is one", pr.title.startswith('Revert "') and not pr.is_revert
        yield "a hotfix says so", bool(pr.is_hotfix) and "hotfix" not in title + branch
        yield "AI helped exactly where tools are named", bool(pr.is_ai_assisted) != bool(pr.ai_tools_detected)
    for commit in tables.rows["commits"]:
        yield "AI helped exactly where it is a co-author", bool(commit.is_ai_assisted) != bool(commit.ai_co_authors)
    for review in tables.rows["pr_reviews"]:
        by_person = review.reviewer_id is not None and not tables.is_bot(review.reviewer_id)
        yield "an AI's review is by a program", bool(review.is_ai_review) and by_person


def first_reviews(tables: Tables) -> Broken:
    """The first review is the earliest of those that are there."""
    for pr in tables.rows["pull_requests"]:
        merged, first = pr.merged_at, pr.first_review_at
        yield (
            "the first review is the earliest by another person, not after the merge",
            first
            != min(
                (
                    review.submitted_at
                    for review in tables.of_pull["pr_reviews"][pr.id]
                    if review.submitted_at is not None
                    and review.reviewer_id not in {None, pr.author_id}
                    and not tables.is_bot(review.reviewer_id)
                    and (merged is None or review.submitted_at <= merged)
                ),
                default=None,
            ),
        )


def invented_pull_requests(tables: Tables) -> Broken:
    """What a real source may contradict, as its clocks differ and its lists are cut, and an invented one may not."""
    for pr in tables.rows["pull_requests"]:
        files, commits = tables.of_pull["pr_files"][pr.id], tables.of_pull["commits"][pr.id]
        limit = tables.inputs[pr.team_id]["settings"]["max_files_per_pr"] or pr.changed_files
        yield "all changed files are there, up to the limit", len(files) != min(pr.changed_files, limit)
        yield "there are no more commits than it says", len(commits) > pr.commits_count
        if len(files) == pr.changed_files:
            lines = [(sum(one.additions for one in files), sum(one.deletions for one in files))]
            yield "its lines are its files'", lines != [(pr.additions, pr.deletions)]
        yield "what is closed has a time", pr.state == "closed" and pr.closed_at is None
        yield "what is merged was closed then", pr.merged_at is not None and pr.merged_at != pr.closed_at
        yield "it ends after its creation", pr.closed_at is not None and pr.closed_at < pr.pr_created_at
        yield "a draft is not merged", bool(pr.is_draft) and pr.state == "merged"
        yield "an assisted commit makes it assisted", any(one.is_ai_assisted for one in commits) > pr.is_ai_assisted
        for review in tables.of_pull["pr_reviews"][pr.id]:
            yield "a review comes after its creation", review.submitted_at < pr.pr_created_at
    for run in tables.rows["pr_check_runs"]:
        yield "a check run ends after its start", run.completed_at < run.started_at


def invented_times(tables: Tables) -> Broken:
    """Nothing that is invented lies after the run's date."""
    for name in ("pull_requests", "pr_reviews", "commits", "pr_check_runs", "jira_issues"):
        for row in tables.rows[name]:
            for column in MOMENTS:
                moment = getattr(row, column, None)
                if moment is not None:
                    yield f"{name}.{column} is not after the run's date", moment.date() > tables.as_of(row)


def issues(tables: Tables) -> Broken:
    """An issue follows the earliest pull request that names it."""
    earliest: dict[tuple[int, str], Row] = {}
    for pr in sorted(tables.rows["pull_requests"], key=lambda one: (one.pr_created_at, one.number, one.github_repo)):
        earliest.setdefault((pr.team_id, pr.jira_key), pr)
    there = {(row.team_id, row.jira_key) for row in tables.rows["jira_issues"]}
    yield "every pull request has its issue, and every issue its pull request", there != earliest.keys()
    for issue in tables.rows["jira_issues"]:
        pr, done = earliest[issue.team_id, issue.jira_key], issue.resolved_at
        yield (
            "an issue is Done exactly when its pull request is merged",
            (issue.status == "Done") != (pr.state == "merged"),
        )
        yield "it is dropped exactly when that is closed", (issue.status == "Won't Do") != (pr.state == "closed")
        yield "it is resolved exactly when it is Done or dropped", (issue.status in {"Done", "Won't Do"}) != bool(done)
        yield "it is resolved with its pull request", done != (pr.merged_at or pr.closed_at)
        yield "it is written before its pull request ends", done is not None and issue.issue_created_at > done
        yield "its cycle time is from writing to end", _differ(issue.cycle_time_hours, issue.issue_created_at, done)
        yield "its assignee is the pull request's author", issue.assignee_id != pr.author_id
        yield (
            "its sprint has its name, and sprints begin with 1",
            issue.sprint_name != f"Sprint {issue.sprint_id}" or (issue.sprint_id < 1),
        )
    ids = Counter((row.team_id, row.jira_id) for row in tables.rows["jira_issues"])
    for (_, number), count in ids.items():
        yield "its id has five to nine digits and is its own", count > 1 or len(number) not in range(5, 10)


def surveys(tables: Tables) -> Broken:
    """Answers come from who was there, after the merge and up to the run's date, and agree with what is shown."""
    for survey in tables.rows["pr_surveys"]:
        pr, says, at = tables.pulls[survey.pull_request_id], survey.author_ai_assisted, survey.author_responded_at
        yield "only what is merged has a survey", pr.state != "merged"
        yield "it asks the pull request's author", survey.author_id != pr.author_id
        yield (
            "an answer has a time and a source",
            len({says is None, at is None, not survey.author_response_source}) > 1,
        )
        yield "only who says AI tells an effort", bool(survey.ai_modification_effort) and not says
        if at is not None:
            yield "the author answers after the merge", at < pr.merged_at
            yield "nobody answers after the run's date", at.date() > tables.as_of(pr)
            yield "no program answers", tables.is_bot(survey.author_id)
            yield "an author does not deny what is shown", bool(pr.is_ai_assisted) and not says
            yield "nobody says AI before there was any", bool(says) and pr.merged_at < FIRST_ASSISTANT
    for answer in tables.rows["pr_survey_reviews"]:
        survey = tables.by_id["pr_surveys"][answer.pr_survey_id]
        pr, says = tables.pulls[survey.pull_request_id], survey.author_ai_assisted
        there = {review.reviewer_id for review in tables.of_pull["pr_reviews"][pr.id]}
        right = None if says is None else bool(answer.ai_guess) == bool(says)
        yield "who answers reviewed, and is not the author", answer.reviewer_id not in there - {pr.author_id}
        yield "no program answers", tables.is_bot(answer.reviewer_id)
        yield "a reviewer answers after the merge", answer.responded_at < pr.merged_at
        yield "nobody answers after the run's date", answer.responded_at.date() > tables.as_of(pr)
        yield "a guess is right where the author says the same", _flag(answer.guess_correct) is not right
        yield (
            "ratings are in range",
            answer.quality_rating not in {1, 2, 3}
            or any(rating not in {1, 2, 3, 4, 5} for rating in (answer.feedback_clarity, answer.review_burden)),
        )
        yield "nobody guesses AI before there was any", bool(answer.ai_guess) and pr.merged_at < FIRST_ASSISTANT


def usage(tables: Tables) -> Broken:
    """Assistants are used by people, in the window, and where something shows that they were."""
    days: dict[tuple[int, str], set[date]] = defaultdict(set)
    for use in tables.rows["ai_usage_daily"]:
        days[use.team_member_id, use.source].add(use.date)
        yield "no program uses an assistant", tables.is_bot(use.team_member_id)
        yield "nobody uses one before there was any", use.date < FIRST_ASSISTANT.date()
        yield "nobody uses one after the run's date", use.date > tables.as_of(use)
        yield "what is accepted was shown", use.suggestions_accepted > use.suggestions_shown
        if use.suggestions_shown:
            rate = Decimal(100 * use.suggestions_accepted) / use.suggestions_shown
            yield "the rate is accepted of shown", abs(use.acceptance_rate - rate) > HUNDREDTH
    for pr in tables.rows["pull_requests"]:
        if pr.author_id is None or tables.is_bot(pr.author_id):
            continue
        first = _monday(pr.pr_created_at)
        last = _monday(pr.merged_at or pr.pr_created_at) + timedelta(days=6)
        window = timedelta(days=tables.inputs[pr.team_id]["settings"]["days_back"] - 1)
        if first >= tables.as_of(pr) - window and last <= tables.as_of(pr):
            for tool in {"copilot", "cursor"} & set(pr.ai_tools_detected):
                used = days[pr.author_id, tool]
                yield "who shows an assistant uses it then", not any(first <= day <= last for day in used)


def weeks(tables: Tables) -> Broken:
    """Weekly figures are the sums and means of the week's rows."""
    found: dict[str, dict[tuple[int, date], list[Any]]] = defaultdict(lambda: defaultdict(list))
    for member, moment, values in (*_facts_of_weeks(tables), *_answers_of_weeks(tables)):
        if member is not None and moment is not None:
            for column, value in values.items():
                if value is not None:
                    found[column][member, _monday(moment)].append(value)
    there = {(week.team_member_id, week.week_start) for week in tables.rows["weekly_metrics"]}
    yield "exactly the weeks with an activity have a row", there != found["active"].keys()
    for week in tables.rows["weekly_metrics"]:
        yield "a week begins on Monday", week.week_start.weekday() != 0
        for column in vars(week).keys() - {"id", "team_member_id", "week_start", "created_at", "updated_at"}:
            values, shown = found[column][week.team_member_id, week.week_start], getattr(week, column)
            if column.startswith("avg_") or column == "guess_accuracy":
                yield (
                    f"{column} is the mean of the week's rows",
                    (shown is None) != (not values)
                    or bool(values and abs(float(shown) - fmean(values)) > float(HUNDREDTH)),
                )
            else:
                yield f"{column} is the sum of the week's rows", shown != sum(values)


Of = Iterator[tuple[int | None, datetime | None, dict[str, Any]]]  # whose week, when, and the columns' values


def _facts_of_weeks(tables: Tables) -> Of:
    for pr in tables.rows["pull_requests"]:
        yield pr.author_id, pr.pr_created_at, {"active": 1}
        merge = {"active": 1, "prs_merged": 1, "ai_assisted_prs": pr.is_ai_assisted, "revert_count": pr.is_revert}
        times = {"avg_cycle_time_hours": pr.cycle_time_hours, "avg_review_time_hours": pr.review_time_hours}
        yield pr.author_id, pr.merged_at, {**merge, **times, "hotfix_count": pr.is_hotfix}
    for review in tables.rows["pr_reviews"]:
        yield review.reviewer_id, review.submitted_at, {"active": 1}
    for commit in tables.rows["commits"]:
        lines = {"lines_added": commit.additions, "lines_removed": commit.deletions}
        yield commit.author_id, commit.committed_at, {"active": 1, "commits_count": 1, **lines}


def _answers_of_weeks(tables: Tables) -> Of:
    for issue in tables.rows["jira_issues"]:
        if issue.status == "Done":
            done = {"issues_resolved": 1, "story_points_completed": issue.story_points}
            yield issue.assignee_id, issue.resolved_at, done
    for survey in tables.rows["pr_surveys"]:
        yield survey.author_id, survey.author_responded_at, {"surveys_completed": 1}
    for answer in tables.rows["pr_survey_reviews"]:
        author = tables.by_id["pr_surveys"][answer.pr_survey_id].author_id
        right = None if answer.guess_correct is None else 100 * bool(answer.guess_correct)
        yield answer.reviewer_id, answer.responded_at, {"surveys_completed": 1, "guess_accuracy": right}
        yield author, answer.responded_at, {"avg_quality_rating": answer.quality_rating}


RULES: tuple[Rule, ...] = (references, counts, people, pull_requests, first_reviews, issues, surveys, usage, weeks)
RULES_OF_THE_DEMO: tuple[Rule, ...] = (*RULES, invented_pull_requests, invented_times)


def broken(url: str, rules: Iterable[Rule] | None = None) -> dict[str, int]:
    """Return how many rows break each rule that is broken; where everything is invented, by the demo's rules too."""
    tables = Tables(url)
    chosen = rules or (RULES_OF_THE_DEMO if tables.is_invented else RULES)
    return dict(Counter(rule for check in chosen for rule, is_broken in check(tables) if is_broken))


def _plain(field: str, value: Any) -> Any:
    if value is None:
        return None
    if field in MOMENTS:
        return datetime.fromisoformat(value) if isinstance(value, str) else value
    if field in {"date", "week_start"}:
        return date.fromisoformat(value) if isinstance(value, str) else value
    if field in {"ai_tools_detected", "ai_co_authors"}:
        return _json(value)
    return Decimal(str(value)) if isinstance(value, float) else value


def _json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


def _flag(value: Any) -> bool | None:
    return None if value is None else bool(value)


def _monday(moment: datetime) -> date:
    return moment.date() - timedelta(days=moment.weekday())


def _differ(hours: Decimal | None, start: datetime, end: datetime | None) -> bool:
    """Return whether hours are not those from a start to an end, or are there without an end."""
    if end is None or hours is None:
        return (end is None) != (hours is None)
    return abs(hours - Decimal(max(0.0, (end - start).total_seconds())) / 3600) > HUNDREDTH

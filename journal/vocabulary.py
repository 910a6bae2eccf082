"""The published language: every kind's key, content, references and default policy, as data.

Simulators state events in it and projectors build tables from it; neither knows the other. A domain of one's own is
another tuple of kinds.

A reference says which entity an entity points to. `shared` maps fields of that entity's key to fields of the referring
entity's own key; what it leaves open is the reference's value in the data: a single value, an object of several, or
null.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from .errors import Misuse
from .event import Event, Json
from .fold import Policy


class Type(StrEnum):
    """What a field holds. In events decimals, instants and dates are text of one fixed form."""

    TEXT = "text"
    INTEGER = "integer"
    BIGINT = "bigint"
    BOOLEAN = "boolean"
    DECIMAL = "decimal"
    INSTANT = "instant"
    DATE = "date"
    TIME = "time"
    UUID = "uuid"
    FLOAT = "float"
    JSON = "json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One attribute: its type, whether it may be null, and its bounds.

    What a row that somebody made by hand need not know may be null, also where simulators always tell it.
    `size` is a text's largest length in characters; `precision` and `places` are a decimal's. `choices` are all values
    that it may have, if these are listed. A `fixed` date does not move with today. `default` is what the row of a part
    holds while the part is absent.
    """

    name: str
    type: Type = Type.TEXT
    nullable: bool = False
    size: int | None = None
    precision: int = 10
    places: int = 2
    choices: tuple[Json, ...] = ()
    fixed: bool = False
    default: Json = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A pointer to another entity by its natural key.

    `also` names the other kinds that a generic reference may lead to; the data then holds kind and key.
    """

    name: str
    to: str
    also: tuple[str, ...] = ()
    shared: Mapping[str, str]
    nullable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A type of entity.

    `key` names the natural key's fields in the order in which people give them; `fields` describes every field that is
    neither a reference nor reached through one. `is_computed` kinds follow from the facts and have no policy of their
    own: the state holds the newest run's content. `part_of` names the kind whose row this kind's fields are columns of;
    `unique` lists fields that no two entities share; `table` names the table, if it has a name of its own.
    """

    name: str
    key: tuple[str, ...]
    fields: tuple[Field, ...]
    references: tuple[Reference, ...] = ()
    policy: Policy = Policy.ONCE
    is_computed: bool = False
    part_of: str | None = None
    unique: tuple[tuple[str, ...], ...] = ()
    table: str | None = None

    def field(self, name: str) -> Field:
        """Return the field of that name."""
        return next(one for one in self.fields if one.name == name)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """A domain's kinds, parents before children."""

    kinds: tuple[Kind, ...]
    by_name: Mapping[str, Kind] = field(init=False)

    def __post_init__(self) -> None:
        """Index the kinds."""
        object.__setattr__(self, "by_name", {kind.name: kind for kind in self.kinds})

    def __getitem__(self, name: str) -> Kind:
        """Return the kind of that name; raise Misuse if there is none."""
        try:
            return self.by_name[name]
        except KeyError:
            raise Misuse(f"unknown kind {name!r}", f"the kinds are {', '.join(self.by_name)}") from None

    @property
    def fact_kinds(self) -> tuple[str, ...]:
        """The names of the kinds that facts state; all others are computed from them."""
        return tuple(kind.name for kind in self.kinds if not kind.is_computed)

    def policies(self, chosen: Mapping[str, Policy]) -> dict[str, Policy]:
        """Return every kind's policy: the chosen one or its default.

        Raise Misuse where an `exact` kind is one that a kind that is not exact refers to: a state would then refer to
        what it no longer holds.
        """
        for name in chosen:
            if self[name].is_computed:
                raise Misuse(
                    f"{name} is computed from the facts, so it has no policy",
                    "choose the policy of the facts: " + ", ".join(self.fact_kinds),
                )
        policies = {
            kind.name: kind.policy if kind.is_computed else chosen.get(kind.name, kind.policy) for kind in self.kinds
        }
        exact = {name for name in self.fact_kinds if policies[name] is Policy.EXACT}
        problems: list[str] = []
        needed: list[str] = []
        for kind in map(self.by_name.__getitem__, self.fact_kinds):  # parents come first
            referred = [one.to for one in kind.references if one.to in exact or one.to in needed]
            if referred and kind.name not in exact:
                needed.append(kind.name)
                problems.append(
                    f"{referred[0]} cannot be exact while {kind.name}, which refers to it, is {policies[kind.name]}"
                )
        if problems:
            more = " ".join(f"--policy {name}=exact" for name in needed)
            raise Misuse("\n".join(problems), f"add {more}, or leave {', '.join(sorted(exact))} as before")
        return policies


def referred_key(vocabulary: Vocabulary, event: Event, reference: Reference) -> dict[str, str | int] | None:
    """Return the natural key of the entity that `event` points to; None where the reference is null."""
    key: dict[str, str | int] = {theirs: event.key[ours] for theirs, ours in reference.shared.items()}
    rest = [name for name in vocabulary[reference.to].key if name not in key]
    if rest:
        value: Json = event.data[reference.name]
        if value is None:
            return None
        for name in rest:
            part = value[name] if isinstance(value, dict) else value
            if not isinstance(part, (str, int)):
                raise TypeError(f"a natural key is made of text and integers, not {part!r}")
            key[name] = part
    return key


def _text(*names: str, size: int | None = None) -> tuple[Field, ...]:
    return tuple(Field(name=name, size=size) for name in names)


def _maybe(*names: str, of: Type = Type.TEXT, precision: int = 10) -> tuple[Field, ...]:
    return tuple(Field(name=name, type=of, nullable=True, precision=precision) for name in names)


def _counts(*names: str) -> tuple[Field, ...]:
    return tuple(Field(name=name, type=Type.INTEGER) for name in names)


def _flags(*names: str) -> tuple[Field, ...]:
    return tuple(Field(name=name, type=Type.BOOLEAN) for name in names)


def _lists(*names: str) -> tuple[Field, ...]:
    return tuple(Field(name=name, type=Type.JSON) for name in names)


def _member(name: str) -> Reference:
    return Reference(name=name, to="team_member", shared={"team": "team"}, nullable=True)


_PULL_REQUEST_KEY = ("team", "github_repo", "number")
_SAME_PULL_REQUEST = {name: name for name in _PULL_REQUEST_KEY}
_OF_TEAM = Reference(name="team", to="team", shared={"slug": "team"})
_OF_PULL_REQUEST = Reference(name="pull_request", to="pull_request", shared=_SAME_PULL_REQUEST)
_OF_MEMBER = Reference(name="team_member", to="team_member", shared={"team": "team", "login": "login"})

TEAM = Kind(
    name="team",
    key=("slug",),
    fields=(*_text("slug", "name"), *_maybe("description", "industry")),
)
TEAM_MEMBER = Kind(
    name="team_member",
    key=("team", "login"),
    fields=(
        *_text("login"),
        *_maybe("github_login"),
        *_maybe("github_id", of=Type.BIGINT),
        *_maybe("display_name", "email"),
        *_maybe("role", "jira_account_id", "slack_user_id"),
        *_flags("is_bot", "is_active"),
    ),
    references=(_OF_TEAM,),
)
PULL_REQUEST = Kind(
    name="pull_request",
    key=_PULL_REQUEST_KEY,
    fields=(
        *_text("github_repo"),
        *_counts("number"),
        *_text("title", size=500),
        *_maybe("body"),
        *_text("state"),
        *_flags("is_draft"),
        Field(name="pr_created_at", type=Type.INSTANT),
        *_maybe("merged_at", "closed_at", "first_review_at", of=Type.INSTANT),
        *_maybe("cycle_time_hours", "review_time_hours", of=Type.DECIMAL),
        *_counts("additions", "deletions", "changed_files", "commits_count"),
        *_maybe("head_ref", "base_ref"),
        *_lists("labels"),
        *_maybe("milestone_title"),
        *_lists("assignees", "linked_issues"),
        *_maybe("jira_key"),
        *_flags("is_revert", "is_hotfix", "is_ai_assisted"),
        *_lists("ai_tools_detected"),
    ),
    references=(_OF_TEAM, _member("author")),
)
PR_REVIEW = Kind(
    name="pr_review",
    key=(*_PULL_REQUEST_KEY, "github_review_id"),
    fields=(
        Field(name="github_review_id", type=Type.BIGINT),
        *_text("state"),
        *_maybe("body"),
        *_maybe("submitted_at", of=Type.INSTANT),
        *_flags("is_ai_review"),
        *_maybe("ai_reviewer_type"),
    ),
    references=(_OF_PULL_REQUEST, _member("reviewer")),
)
COMMIT = Kind(
    name="commit",
    key=("team", "github_sha"),
    fields=(
        *_text("github_sha", "github_repo", "message"),
        *_maybe("committed_at", of=Type.INSTANT),
        *_counts("additions", "deletions"),
        *_flags("is_ai_assisted"),
        *_lists("ai_co_authors"),
    ),
    references=(
        _OF_TEAM,
        Reference(name="pull_request", to="pull_request", shared={"team": "team"}, nullable=True),
        _member("author"),
    ),
)
PR_FILE = Kind(
    name="pr_file",
    key=(*_PULL_REQUEST_KEY, "filename"),
    fields=(
        *_text("filename", "status"),
        *_counts("additions", "deletions", "changes"),
        *_text("file_category"),
    ),
    references=(_OF_PULL_REQUEST,),
)
PR_CHECK_RUN = Kind(
    name="pr_check_run",
    key=("team", "github_check_run_id"),
    fields=(
        Field(name="github_check_run_id", type=Type.BIGINT),
        *_text("name", "status"),
        *_maybe("conclusion"),
        *_maybe("started_at", "completed_at", of=Type.INSTANT),
        *_maybe("duration_seconds", of=Type.INTEGER),
    ),
    references=(_OF_TEAM, Reference(name="pull_request", to="pull_request", shared={"team": "team"})),
)
JIRA_ISSUE = Kind(
    name="jira_issue",
    key=("team", "jira_key"),
    fields=(
        *_text("jira_key", "jira_id"),
        *_text("summary", size=200),
        *_text("issue_type", "status", "priority"),
        Field(name="story_points", type=Type.DECIMAL, precision=5, places=1),
        *_counts("sprint_id"),
        *_text("sprint_name"),
        *_maybe("cycle_time_hours", of=Type.DECIMAL),
        Field(name="issue_created_at", type=Type.INSTANT),
        *_maybe("resolved_at", of=Type.INSTANT),
    ),
    references=(_OF_TEAM, _member("assignee")),
    policy=Policy.EXACT,
    is_computed=True,
)
PR_SURVEY = Kind(
    name="pr_survey",
    key=_PULL_REQUEST_KEY,
    fields=(
        *_maybe("author_ai_assisted", of=Type.BOOLEAN),
        *_maybe("author_responded_at", of=Type.INSTANT),
        *_maybe("author_response_source", "ai_modification_effort"),
    ),
    references=(_OF_PULL_REQUEST, _member("author")),
    policy=Policy.EXACT,
    is_computed=True,
)
PR_SURVEY_REVIEW = Kind(
    name="pr_survey_review",
    key=(*_PULL_REQUEST_KEY, "reviewer"),
    fields=(
        *_counts("quality_rating"),
        *_flags("ai_guess"),
        *_maybe("guess_correct", of=Type.BOOLEAN),
        Field(name="responded_at", type=Type.INSTANT),
        *_counts("feedback_clarity", "review_burden"),
    ),
    references=(
        Reference(name="pr_survey", to="pr_survey", shared=_SAME_PULL_REQUEST),
        Reference(name="reviewer", to="team_member", shared={"team": "team", "login": "reviewer"}),
    ),
    policy=Policy.EXACT,
    is_computed=True,
)
AI_USAGE_DAILY = Kind(
    name="ai_usage_daily",
    key=("team", "login", "date", "source"),
    fields=(
        Field(name="date", type=Type.DATE),
        *_text("source"),
        Field(name="active_hours", type=Type.DECIMAL, precision=5),
        *_counts("suggestions_shown", "suggestions_accepted"),
        Field(name="acceptance_rate", type=Type.DECIMAL, precision=5),
    ),
    references=(_OF_MEMBER,),
    policy=Policy.EXACT,
    is_computed=True,
)
WEEKLY_METRICS = Kind(
    name="weekly_metrics",
    key=("team", "login", "week_start"),
    fields=(
        Field(name="week_start", type=Type.DATE),
        *_counts("prs_merged"),
        *_maybe("avg_cycle_time_hours", "avg_review_time_hours", of=Type.DECIMAL),
        *_counts("commits_count", "lines_added", "lines_removed", "revert_count", "hotfix_count", "ai_assisted_prs"),
        Field(name="story_points_completed", type=Type.DECIMAL, places=1),
        *_counts("issues_resolved", "surveys_completed"),
        *_maybe("avg_quality_rating", of=Type.DECIMAL, precision=3),
        *_maybe("guess_accuracy", of=Type.DECIMAL, precision=5),
    ),
    references=(_OF_MEMBER,),
    policy=Policy.EXACT,
    is_computed=True,
)

ENGINEERING = Vocabulary(
    (
        TEAM,
        TEAM_MEMBER,
        PULL_REQUEST,
        PR_REVIEW,
        COMMIT,
        PR_FILE,
        PR_CHECK_RUN,
        JIRA_ISSUE,
        PR_SURVEY,
        PR_SURVEY_REVIEW,
        AI_USAGE_DAILY,
        WEEKLY_METRICS,
    )
)

"""A project's settings: what is recorded, under which names, and the rates of everything simulated.

The rates' defaults are the seed system's.
"""

from __future__ import annotations

import contextlib
import difflib
import re
import tomllib
import unicodedata
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, get_type_hints

import msgspec
from msgspec import Meta, Struct

from seedjournal.journal import BadInput, Misuse, Policy

from ..policies import chosen_policies
from .facts import Repository, repository
from .kinds import ENGINEERING
from .schedules import day_of, is_scheduled

Share = Annotated[float, Meta(ge=0, le=1)]
Rate = Share | dict[str, Share]  # for every day, or by days: see schedules
Factor = Annotated[float, Meta(ge=0.01, le=100)] | dict[str, Annotated[float, Meta(ge=0.01, le=100)]]
Weights = dict[str, Share | dict[str, Share]]
Hours = Annotated[float, Meta(ge=0, le=24)]
Whole = Annotated[int, Meta(ge=0, le=1_000_000)]
JiraKey = Annotated[str, Meta(pattern=r"^[A-Z][A-Z0-9]{1,19}\Z")]
Name = Annotated[str, Meta(min_length=1, max_length=200)]

USAGE_SOURCES = ("copilot", "cursor")  # the assistants of which daily usage is simulated

_WEIGHTS_TOLERANCE = 1e-9


class Project(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One project's settings, each with its range; see docs/settings.md."""

    name: Name
    repos: tuple[str, ...] = ()
    source: str | None = None
    branch: Name | None = None
    use_mailmap: bool = True
    team_name: Name
    jira_project_key: JiraKey
    jira_key_per_repository: bool = False
    description: str = ""
    industry: str = ""
    policy: dict[str, Policy] = {}

    max_prs: Annotated[int, Meta(ge=1, le=10_000_000)] | None = None
    max_files_per_pr: Whole = 100
    max_cache_mb: Annotated[int, Meta(ge=1, le=1_000_000)] = 1024
    check_runs: bool = True
    days_back: Annotated[int, Meta(ge=1, le=3650)] = 180
    ai_base_adoption_rate: Rate = 0.35
    survey_response_rate: Rate = 0.60

    issue_type_rates: Weights = msgspec.field(
        default_factory=lambda: {"Bug": 0.20, "Improvement": 0.05, "Story": 0.50, "Task": 0.25}
    )
    priority_rates: Weights = msgspec.field(
        default_factory=lambda: {"Critical": 0.05, "High": 0.25, "Low": 0.20, "Medium": 0.50}
    )
    sprint_days: Annotated[int, Meta(ge=1, le=365)] = 14

    large_pr_ai_bonus: Rate = 0.15
    medium_pr_ai_bonus: Rate = 0.08
    many_files_ai_bonus: Rate = 0.10
    some_files_ai_bonus: Rate = 0.05
    highest_ai_rate: Rate = 0.85
    reviewer_response_rate: Rate = 0.70
    quality_rates: Weights = msgspec.field(default_factory=lambda: {"1": 0.15, "2": 0.35, "3": 0.50})
    lowest_guess_rate: Rate = 0.60
    highest_guess_rate: Rate = 0.75

    usage_day_rate: Rate = 0.85
    usage_source_rates: Weights = msgspec.field(default_factory=lambda: {"copilot": 0.70, "cursor": 0.30})
    lowest_usage_hours: Hours = 2.0
    highest_usage_hours: Hours = 6.0
    lowest_suggestions: Whole = 100
    highest_suggestions: Whole = 400
    lowest_acceptance: Rate = 0.25
    highest_acceptance: Rate = 0.45

    members: Annotated[int, Meta(ge=1, le=100_000)] = 12
    prs: Annotated[int, Meta(ge=0, le=10_000_000)] = 200
    days: Annotated[int, Meta(ge=1, le=3650)] = 180
    size_factor: Factor = 1.0
    cycle_time_factor: Factor = 1.0
    failing_check_rate: Rate = 0.035
    incident_rate: Rate = 0.6
    hotfix_rate: Rate = 0.4
    weekend_rate: Rate = 0.11
    concentration: Rate = 0.0
    joining_rate: Share = 0.20
    leaving_rate: Share = 0.15

    def recorded(self) -> dict[str, Any]:
        """Return the settings as a run records them: JSON without floats, and without where and how far to read."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        for name in ("source", "branch", "use_mailmap", "max_cache_mb"):
            del plain[name]  # what a source is read by is in its digest
        return {name: _without_floats(value) for name, value in plain.items()}


_TYPES = get_type_hints(Project, include_extras=True)
SETTINGS = tuple(sorted(name for name in Project.__struct_fields__ if name != "name"))

_CHOICES: dict[str, set[str]] = {
    "issue_type_rates": {"Story", "Task", "Bug", "Improvement"},
    "priority_rates": {"Medium", "High", "Low", "Critical"},
    "quality_rates": {"1", "2", "3"},
    "usage_source_rates": set(USAGE_SOURCES),
}
_ANY_DAY = date(2024, 1, 1)
_RANGES = (
    ("lowest_guess_rate", "highest_guess_rate"),
    ("lowest_usage_hours", "highest_usage_hours"),
    ("lowest_suggestions", "highest_suggestions"),
    ("lowest_acceptance", "highest_acceptance"),
)


_USUAL, _POOR = {"1": 0.15, "2": 0.35, "3": 0.50}, {"1": 0.40, "2": 0.40, "3": 0.20}

# Settings by the names of scenarios; their days count back from the run's date.
SCENARIOS: Mapping[str, Mapping[str, Any]] = {
    "steady": {},
    "assistant-rollout": {
        "ai_base_adoption_rate": {"-180": 0.10, "0": 0.60},
        "cycle_time_factor": {"-180": 1.0, "0": 0.75},
        "quality_rates": {"-120": _USUAL, "-110": _POOR, "-95": _POOR, "-60": _USUAL},
    },
    "crunch": {
        "size_factor": {"-50": 1.0, "-40": 2.0, "-15": 2.0, "-12": 1.0},
        "weekend_rate": {"-50": 0.11, "-40": 0.60, "-15": 0.60, "-12": 0.11},
        "failing_check_rate": {"-50": 0.035, "-40": 0.10, "-15": 0.10, "-12": 0.035},
        "incident_rate": {"-16": 0.6, "-13": 1.0},
        "hotfix_rate": {"-16": 0.4, "-13": 1.0},
    },
    "growth": {
        "joining_rate": 0.50,
        "leaving_rate": 0.10,
        "concentration": {"-180": 0.0, "0": 0.70},
    },
}


def make_project(name: str, settings: Mapping[str, Any], origin: str = "The settings") -> Project:
    """Return the project of that name with these settings over the defaults.

    Raises Misuse for a setting that does not exist, naming the nearest, and BadInput for one out of its range.
    """
    for setting in settings:
        if setting not in SETTINGS:
            near = difflib.get_close_matches(setting, SETTINGS, n=3, cutoff=0.5)
            raise Misuse(
                f"{origin}: there is no project setting {setting!r}.",
                f"Did you mean {' or '.join(near)}?" if near else f"The settings are {', '.join(SETTINGS)}.",
            )
    values = {**_names(name), **settings, "name": name}
    if isinstance(values.get("policy"), dict):
        values["policy"] = chosen_policies(ENGINEERING, values["policy"], f"{origin}: policy ")
    for setting, value in values.items():
        _convert(setting, value, origin)
    for setting in _CHOICES:
        if setting in values:  # draws go through choices in one order, however the settings were written
            values[setting] = dict(sorted(values[setting].items()))
    project = msgspec.convert(values, Project)
    _check(project, origin)
    return project


def parse_setting(text: str) -> tuple[str, Any]:
    """Parse a KEY=VALUE of the command line; the value is TOML if the setting is more than text."""
    key, equals, raw = text.partition("=")
    if not equals or not key:
        raise Misuse(
            f"--set {text!r} is not KEY=VALUE.",
            "Write a setting and its value, for example `--set survey_response_rate=0.5`.",
        )
    if key not in _TYPES:
        return key, raw
    if key == "policy":  # its kinds and groups are checked together
        return key, next(iter(_candidates(raw)))
    for candidate in _candidates(raw):
        try:
            msgspec.convert(candidate, _TYPES[key])
        except msgspec.ValidationError:
            continue
        return key, candidate
    return key, next(iter(_candidates(raw)))


def places(project: Project, held: tuple[Repository, ...]) -> dict[Repository, int]:
    """Return each repository's place: first those of the settings, then by name those that only the source knows."""
    listed = {repo.lower(): place for place, repo in enumerate(project.repos)}
    extra = sorted(repo for repo in held if repo.lower() not in listed)
    return {
        repo: listed[repo.lower()] if repo.lower() in listed else len(project.repos) + extra.index(repo)
        for repo in sorted(held)
    }


def _names(name: str) -> dict[str, Any]:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().upper()
    letters = re.sub(r"[^A-Z0-9]", "", plain) or "PROJECT"
    key = letters if letters[:1].isalpha() else f"P{letters}"
    return {"team_name": name, "jira_project_key": (key + "XX")[: max(2, min(len(key), 5))]}


def _candidates(raw: str) -> list[Any]:
    found: list[Any] = []
    with contextlib.suppress(ValueError, RecursionError):  # TOMLDecodeError, and numbers of thousands of digits
        found.append(tomllib.loads(f"value = {'0' if raw.startswith('.') else ''}{raw}")["value"])  # .5 is 0.5
    found.append(raw)
    if "," in raw:
        found.append([part.strip() for part in raw.split(",") if part.strip()])
    else:
        found.append([raw])
    return found


def _convert(setting: str, value: Any, origin: str) -> None:
    try:
        msgspec.convert(value, _TYPES[setting])
    except msgspec.ValidationError as error:
        reason = f"{str(error)[:1].lower()}{str(error)[1:]}"  # "Expected `float` <= 1.0"
        raise BadInput(
            f"{origin}: {setting} = {value!r} is not allowed: {reason}.", "See its range in docs/settings.md."
        ) from None


def _check(project: Project, origin: str) -> None:
    """Raise BadInput for settings that do not go together."""
    for repo in project.repos:
        repository(repo)
    _check_days(project, origin)
    _check_weights(project, origin)
    if project.joining_rate + project.leaving_rate > 1:
        raise BadInput(f"{origin}: joining_rate and leaving_rate sum to more than 1.", "Lower one of them.")
    for low, high in _RANGES:
        if _values(getattr(project, low))[-1] > _values(getattr(project, high))[0]:
            raise BadInput(f"{origin}: {low} is above {high}.", f"Lower {low} or raise {high}.")


def _check_days(project: Project, origin: str) -> None:
    """Raise BadInput for a schedule that has no days, or one that is none."""
    for setting in SETTINGS:
        value = getattr(project, setting)
        if setting in _CHOICES and not is_scheduled(value):
            continue
        for day in value if isinstance(value, dict) and setting != "policy" else ():
            try:
                day_of(day, _ANY_DAY)
            except ValueError:
                raise BadInput(
                    f"{origin}: {setting}: {day!r} is not a day.",
                    "Write a date such as 2026-01-31, or a number of days before the run's date, such as -30 or 0.",
                ) from None
        if value == {} and setting != "policy":
            raise BadInput(
                f"{origin}: {setting} is an empty table.", "Give a number, or a table of days with their numbers."
            )


def _check_weights(project: Project, origin: str) -> None:
    for setting, choices in _CHOICES.items():
        value: Weights = getattr(project, setting)
        for weights in value.values() if is_scheduled(value) else (value,):
            if not isinstance(weights, dict) or any(isinstance(one, dict) for one in weights.values()):
                raise BadInput(
                    f"{origin}: {setting} has weights for some days only.", "Give weights for each of its days."
                )
            if unknown := sorted(weights.keys() - choices):
                raise BadInput(
                    f"{origin}: {setting} has no choice {unknown[0]!r}.",
                    f"Its choices are {', '.join(sorted(choices))}.",
                )
            whole = sum(weight for weight in weights.values() if not isinstance(weight, dict))
            if abs(whole - 1) > _WEIGHTS_TOLERANCE:
                raise BadInput(f"{origin}: the rates of {setting} sum to {whole:g}.", "Make them sum to 1.")


def _values(setting: Any) -> list[float]:
    """Return a setting's values, the least first."""
    return sorted(setting.values()) if isinstance(setting, dict) else [setting]


def _without_floats(value: Any) -> Any:
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, dict):
        return {name: _without_floats(item) for name, item in value.items()}
    return list(value) if isinstance(value, tuple) else value

"""Settings: their ranges, how a command line writes them, and what is made up from a name."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedjournal.journal import BadInput, Misuse, Policy, canonical_bytes
from seedjournal.simulators.engineering.project import SETTINGS, Project, make_project, parse_setting


def test_the_defaults_are_the_seed_systems() -> None:
    project = make_project("acme", {})
    assert project.max_prs is None
    assert (project.max_files_per_pr, project.days_back, project.sprint_days) == (100, 180, 14)
    assert (project.ai_base_adoption_rate, project.survey_response_rate, project.reviewer_response_rate) == (
        0.35,
        0.60,
        0.70,
    )
    assert project.issue_type_rates == {"Story": 0.50, "Task": 0.25, "Bug": 0.20, "Improvement": 0.05}
    assert project.priority_rates == {"Medium": 0.50, "High": 0.25, "Low": 0.20, "Critical": 0.05}
    assert project.quality_rates == {"3": 0.50, "2": 0.35, "1": 0.15}
    assert (project.large_pr_ai_bonus, project.medium_pr_ai_bonus, project.highest_ai_rate) == (0.15, 0.08, 0.85)
    assert (project.many_files_ai_bonus, project.some_files_ai_bonus) == (0.10, 0.05)
    assert (project.lowest_guess_rate, project.highest_guess_rate, project.usage_day_rate) == (0.60, 0.75, 0.85)
    assert project.usage_source_rates == {"copilot": 0.70, "cursor": 0.30}
    assert (project.lowest_usage_hours, project.highest_usage_hours) == (2.0, 6.0)
    assert (project.lowest_suggestions, project.highest_suggestions) == (100, 400)
    assert (project.lowest_acceptance, project.highest_acceptance) == (0.25, 0.45)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("ai_base_adoption_rate=0.5", 0.5),
        ("ai_base_adoption_rate=1", 1.0),
        ("days_back=90", 90),
        ("max_prs=500", 500),
        ("check_runs=false", False),
        ("team_name=Acme & Sons", "Acme & Sons"),
        ("team_name=1", "1"),
        ("team_name=true", "true"),
        ("description=a = b", "a = b"),
        ("description=2024-01-01", "2024-01-01"),
        ('description="quoted"', "quoted"),
        ("description=", ""),
        ("survey_response_rate=.9", 0.9),
        ("repos=acme/shop", ("acme/shop",)),
        ("repos=acme/shop, acme/site", ("acme/shop", "acme/site")),
        ('repos=["acme/shop", "acme/site"]', ("acme/shop", "acme/site")),
        ('policy={pull_request="upsert"}', {"pull_request": Policy.UPSERT}),
        ("quality_rates={1=0.2, 2=0.3, 3=0.5}", {"1": 0.2, "2": 0.3, "3": 0.5}),
        ("source=demo", "demo"),
    ],
)
def test_a_setting_of_the_command_line(text: str, value: Any) -> None:
    name, parsed = parse_setting(text)
    found = getattr(make_project("acme", {name: parsed}), name)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("text", ["days_back", "=5", ""])
def test_a_setting_has_a_name_and_a_value(text: str) -> None:
    with pytest.raises(Misuse, match="is not KEY=VALUE"):
        parse_setting(text)


@pytest.mark.parametrize(
    "text",
    [
        "ai_base_adoption_rate=1.1",
        "ai_base_adoption_rate=-0.1",
        "ai_base_adoption_rate=nan",
        "ai_base_adoption_rate=inf",
        "ai_base_adoption_rate=often",
        "days_back=0",
        "days_back=3651",
        "days_back=1.5",
        "max_prs=0",
        "max_prs=-1",
        "max_files_per_pr=-1",
        "check_runs=perhaps",
        "sprint_days=0",
        "jira_project_key=acme",
        "jira_project_key=A",
        "jira_project_key=1A",
        "team_name=",
        "repos=acme",
        "repos=acme/../shop",
        "repos=../..",
        "quality_rates={1=0.2, 2=0.3}",
        "quality_rates={1=0.2, 2=0.3, 4=0.5}",
        "priority_rates={Medium=1.1, Low=-0.1}",
        "lowest_guess_rate=0.8",
        "highest_usage_hours=25",
        "lowest_suggestions=500",
    ],
)
def test_a_value_out_of_its_range_is_refused_by_name(text: str) -> None:
    name, value = parse_setting(text)
    with pytest.raises(BadInput) as refused:
        make_project("acme", {name: value}, "--set")
    assert name in refused.value.message or name == "repos"
    assert refused.value.hint


@pytest.mark.parametrize(
    ("name", "near"), [("survey_rate", "survey_response_rate"), ("repo", "repos"), ("zzz", "days_back")]
)
def test_an_unknown_setting_names_the_nearest(name: str, near: str) -> None:
    with pytest.raises(Misuse, match=f"no project setting '{name}'") as refused:
        make_project("acme", dict([parse_setting(f"{name}=1")]))
    assert near in refused.value.hint
    assert "name" not in SETTINGS


@given(st.text(min_size=1, max_size=200))
def test_any_name_makes_a_valid_project(name: str) -> None:
    project = make_project(name, {})
    assert re.fullmatch("[A-Z][A-Z0-9]{1,4}", project.jira_project_key)
    assert project.team_name == project.name == name


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("acme", "ACME"),
        ("a", "AX"),
        ("7 up", "P7UP"),
        ("Ünïcödé Shop!", "UNICO"),
        ("苹果", "PROJE"),
        ("---", "PROJE"),
        ("1", "P1"),
    ],
)
def test_a_name_gives_a_jira_key(name: str, key: str) -> None:
    assert make_project(name, {}).jira_project_key == key


@pytest.mark.parametrize("name", ["", "x" * 201])
def test_a_name_that_is_none(name: str) -> None:
    with pytest.raises(BadInput):
        make_project(name, {})


def floats(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(floats, value.values()))
    return any(map(floats, value)) if isinstance(value, list) else isinstance(value, float | tuple)


def test_what_is_recorded_has_no_float_and_no_address() -> None:
    project = make_project(
        "acme", {"source": "cache:/somewhere", "repos": ["acme/shop"], "policy": {"commit": "exact"}}
    )
    recorded = project.recorded()
    assert not floats(recorded)
    canonical_bytes(recorded)
    assert "source" not in recorded
    assert recorded["ai_base_adoption_rate"] == "0.35"
    assert recorded["policy"] == {"commit": "exact"}
    assert set(recorded) == set(Project.__struct_fields__) - {"source", "branch", "use_mailmap", "max_cache_mb"}


def test_the_order_of_weights_says_nothing() -> None:
    rates = {"Story": 0.4, "Bug": 0.6, "Task": 0, "Improvement": 0}
    one, other = (
        make_project("acme", {"issue_type_rates": dict(order)}) for order in (rates.items(), reversed(rates.items()))
    )
    assert list(one.issue_type_rates.items()) == list(other.issue_type_rates.items())
    assert msgspec.json.encode(one.recorded()) == msgspec.json.encode(other.recorded())

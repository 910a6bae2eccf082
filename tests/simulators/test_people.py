"""Who is who, and who is a program."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedjournal.simulators.engineering.facts import LooseCommit, Person
from seedjournal.simulators.engineering.people import ai_reviewer, is_bot, key_of
from tests.simulators.acme import TOOLS, Facts, at, commit, events_of, of_kind, pull_request, review, who


@pytest.mark.parametrize(
    ("person", "key"),
    [
        (None, None),
        (who(), None),
        (who("", " "), None),
        (who("Ada"), "ada"),
        (who("ADA", "Somebody", 7), "ada"),
        (who(None, "Ada of Acme"), "name:ada of acme"),
        (who("", " Ada of Acme "), "name:ada of acme"),
        (who(None, "Éa"), "name:éa"),
    ],
)
def test_a_key_is_the_login_else_the_name(person: Person | None, key: str | None) -> None:
    assert key_of(person) == key


@given(st.text(min_size=1), st.none() | st.text(), st.none() | st.integers(1))
def test_only_the_login_counts_where_there_is_one(login: str, name: str | None, number: int | None) -> None:
    assert key_of(who(login, name, number)) == key_of(who(login.upper().lower() if login.isascii() else login))


@pytest.mark.parametrize(
    "login",
    [
        "dependabot[bot]",
        "anything[bot]",
        "deploy-bot",
        "name:crowdin[bot]",
        "dependabot",
        "renovate",
        "github-actions",
        "web-flow",
        "codecov-commenter",
        "pre-commit-ci",
        "copilot",
        "coderabbitai",
        "cursoragent",
        "devin-ai-integration",
        "devin-ai-integration[bot]",
    ],
)
def test_programs(login: str) -> None:
    assert is_bot(login)


@pytest.mark.parametrize(
    "login",
    [
        "ada",
        "elia-bottos",
        "robot",
        "bot",
        "abbot",
        "talbot",
        "bot-ada",
        "devin-acme",
        "claudette",
        "linearly",
        "name:ada",
    ],
)
def test_people(login: str) -> None:
    assert not is_bot(login)


@pytest.mark.parametrize(
    ("login", "service"),
    [
        ("coderabbitai[bot]", "coderabbit"),
        ("coderabbitai-bot", "coderabbit"),
        ("copilot-pull-request-reviewer[bot]", "copilot"),
        ("copilot", "copilot"),
        ("claude[bot]", "claude"),
        ("cursor[bot]", "cursor"),
        ("gemini-code-assist[bot]", "gemini"),
        ("sourcery-ai[bot]", "sourcery"),
        ("renovate[bot]", None),
        ("claude-acme", None),
        ("cursor", None),
        ("ada", None),
    ],
)
def test_review_services(login: str, service: str | None) -> None:
    assert ai_reviewer(login) == service
    assert service is None or is_bot(login)


def members(*facts: Any, loose: tuple[LooseCommit, ...] = (), kind: str = "team_member", **how: Any) -> dict[Any, Any]:
    events = events_of(Facts(*facts, loose=loose), **how)
    return {event.key["login"]: event.data for event in of_kind(events, kind)}


def test_everyone_who_is_named_is_a_member_once() -> None:
    found = members(
        pull_request(
            author=who("Ada"),
            reviews=(review(who("BO")), review(who("ada")), review(who("zoe"), None, "pending")),
            commits=(commit(1, who("cy")), commit(2, who(None, "Dee of Acme")), commit(3)),
        ),
        loose=(LooseCommit(repo=TOOLS, commit=commit(9, who("eve"))),),
    )
    assert list(found) == ["ada", "bo", "cy", "eve", "name:dee of acme"]


def test_the_latest_activity_tells_how_somebody_is_shown() -> None:
    ada = members(
        pull_request(1, author=who("Ada", "Ada", 11), created_at=at(1)),
        pull_request(2, author=who("ada", None, 12), created_at=at(3)),
        pull_request(3, author=who("ADA", "Ada of Acme"), created_at=at(2)),
    )["ada"]
    assert (ada["github_login"], ada["display_name"], ada["github_id"]) == ("ada", "Ada of Acme", 12)


def test_ties_go_by_code_point() -> None:
    facts = [pull_request(number, author=who(login, login)) for number, login in enumerate(("ada", "Ada", "ADA"), 1)]
    assert members(*facts)["ada"] == members(*reversed(facts))["ada"]
    assert members(*facts)["ada"]["github_login"] == "ada"


def test_a_name_joins_nobody_and_an_id_may_stand_on_two_logins() -> None:
    found = members(
        pull_request(1, author=who("ada", "Same Name", 11)),
        pull_request(2, author=who("bo", "Same Name", 11)),
        pull_request(3, author=who(None, "Same Name")),
    )
    assert {key: one["github_id"] for key, one in found.items()} == {"ada": 11, "bo": 11, "name:same name": None}


def test_what_is_made_up_for_a_member() -> None:
    facts = pull_request(author=who("Ada")), pull_request(2, author=who(None, "Dee of Acme"))
    found = members(*facts)
    assert found["ada"]["email"] == "ada@example.com"
    assert found["ada"]["display_name"] == "Ada"
    assert found["ada"]["jira_account_id"] != found["name:dee of acme"]["jira_account_id"]
    assert found["name:dee of acme"]["display_name"] == "Dee of Acme"
    assert found["name:dee of acme"]["email"].endswith("@example.com")


def test_the_author_of_most_merges_leads() -> None:
    def leads(*authors: tuple[str, bool]) -> list[str]:
        facts = (
            pull_request(number, author=who(login), merged_at=at(1) if merged else None)
            for number, (login, merged) in enumerate(authors, 1)
        )
        return [key for key, one in members(*facts, kind="member_status").items() if one["role"] == "lead"]

    assert leads(("ada", True), ("Bo", True), ("bo", True)) == ["bo"]
    assert leads(("bo", True), ("Ada", True)) == ["ada"]  # a tie
    assert leads(("ada", False), ("bo", True)) == ["bo"]
    assert leads(("ada", False)) == []
    assert leads(("renovate[bot]", True), ("renovate[bot]", True), ("ada", True)) == ["ada"]
    assert leads(("renovate[bot]", True)) == []


def test_who_did_nothing_for_180_days_is_not_active() -> None:
    facts = [
        pull_request(1, author=who("ada"), created_at=at(), merged_at=at(2)),
        pull_request(2, author=who("bo"), created_at=at(1), reviews=(review(who("cy"), at(3)),)),
        pull_request(3, author=None, created_at=at(3), commits=(commit(1, who("dee"), at(4)),)),
        pull_request(4, author=None, created_at=at(3), reviews=(review(who("eve"), None),)),
    ]

    def active(day: int) -> list[str]:
        statuses = members(*facts, kind="member_status", as_of=at(day).date())
        return [key for key, one in statuses.items() if one["is_active"]]

    assert active(4) == active(180) == ["ada", "bo", "cy", "dee"]
    assert active(181) == ["ada", "cy", "dee"]
    assert active(183) == ["dee"]
    assert active(184) == []

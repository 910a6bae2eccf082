"""Surveys: who is asked, who answers when, and how often what."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime, timedelta
from typing import Any

import pytest

from seedjournal.journal import Event
from seedjournal.simulators.engineering.surveys import ai_rate, reviewers, survey, survey_draws
from tests.simulators.acme import Facts, acme, at, events_of, file, of_kind, only, pull_request, review, shown, who


def code(count: int) -> Any:
    return (*(file(f"shop/{number}.py") for number in range(count)), file("README.md"), file("tests/test_x.py"))


@pytest.mark.parametrize(
    ("lines", "files", "base", "rate"),
    [
        (0, 0, 0.35, 0.35),
        (150, 3, 0.35, 0.35),
        (151, 0, 0.35, 0.43),
        (300, 0, 0.35, 0.43),
        (301, 0, 0.35, 0.50),
        (0, 4, 0.35, 0.40),
        (0, 5, 0.35, 0.40),
        (0, 6, 0.35, 0.45),
        (301, 6, 0.35, 0.60),
        (301, 6, 0.80, 0.85),
        (0, 0, 1.0, 0.85),
        (0, 0, 0.0, 0.0),
    ],
)
def test_how_probable_ai_is(lines: int, files: int, base: float, rate: float) -> None:
    pr = pull_request(additions=lines // 2, deletions=lines - lines // 2, files=code(files))
    assert ai_rate(shown(pr), acme(ai_base_adoption_rate=base)) == pytest.approx(rate)


def test_reviewers_are_all_but_the_author_and_programs() -> None:
    pr = pull_request(
        reviews=(
            *(review(who(login)) for login in ("Zoe", "bo", "Bo", "ADA", "renovate[bot]", "coderabbitai", "copilot")),
            review(who("cy"), None, "pending"),
            review(None),
        )
    )
    assert reviewers(shown(pr)) == ["bo", "zoe"]


def test_one_survey_for_a_merged_pull_request_and_none_for_others() -> None:
    facts = Facts(pull_request(1, merged_at=at(1)), pull_request(2), pull_request(3, state="closed", closed_at=at(1)))
    assert [event.key["number"] for event in of_kind(events_of(facts), "pr_survey")] == [1]


def many(count: int = 2000, **settings: Any) -> list[Event]:
    facts = (
        pull_request(number, merged_at=at(1), reviews=tuple(review(who(f"reviewer-{place}")) for place in range(3)))
        for number in range(1, count + 1)
    )
    return events_of(Facts(*facts), acme(**settings))


def delays(events: list[Event], field: str) -> list[timedelta]:
    return [datetime.fromisoformat(str(event.data[field])) - at(1) for event in events if event.data[field]]


def test_answers_keep_their_rates_and_times() -> None:
    events = many()
    surveys, answers = of_kind(events, "pr_survey"), of_kind(events, "pr_survey_review")
    answered = delays(surveys, "author_responded_at")
    assert len(answered) / 2000 == pytest.approx(0.60, abs=0.03)
    assert timedelta(hours=1) <= min(answered) < timedelta(hours=2)
    assert timedelta(hours=47) < max(answered) <= timedelta(hours=48)
    assert len(answers) / 6000 == pytest.approx(0.70, abs=0.02)
    answered = delays(answers, "responded_at")
    assert timedelta(hours=1) <= min(answered) < timedelta(hours=2)
    assert timedelta(hours=71) < max(answered) <= timedelta(hours=72)
    assisted = [event.data["author_ai_assisted"] for event in surveys if event.data["author_responded_at"]]
    assert sum(map(bool, assisted)) / len(assisted) == pytest.approx(0.35, abs=0.04)
    qualities = Counter(event.data["quality_rating"] for event in answers)
    for rating, rate in ((3, 0.50), (2, 0.35), (1, 0.15)):
        assert qualities[rating] / len(answers) == pytest.approx(rate, abs=0.03)
    for field in ("feedback_clarity", "review_burden"):
        assert {event.data[field] for event in answers} == {1, 2, 3, 4, 5}


def test_an_author_who_does_not_answer_leaves_all_open() -> None:
    events = many(300)
    authors = {event.key["number"]: event.data for event in of_kind(events, "pr_survey")}
    fields = ("author_ai_assisted", "author_responded_at", "author_response_source")
    for data in authors.values():
        assert len({data[name] is None for name in fields}) == 1
        assert data["author_ai_assisted"] or data["ai_modification_effort"] is None
    for event in of_kind(events, "pr_survey_review"):
        assisted = authors[event.key["number"]]["author_ai_assisted"]
        right = event.data["guess_correct"]
        assert right is None if assisted is None else right == (event.data["ai_guess"] == assisted)


def test_each_reviewer_has_a_rate_of_guessing_right() -> None:
    draws = survey_draws(1)
    project = acme(reviewer_response_rate=1.0, survey_response_rate=1.0)
    right: dict[Any, list[bool]] = defaultdict(list)
    for number in range(1, 4001):
        pr = pull_request(
            number, merged_at=at(1), reviews=tuple(review(who(f"reviewer-{place}")) for place in range(4))
        )
        for event in survey(shown(pr), project, draws):
            if event.kind == "pr_survey_review":
                right[event.key["reviewer"]].append(bool(event.data["guess_correct"]))
    rates = [sum(guesses) / len(guesses) for guesses in right.values()]
    assert all(0.57 <= rate <= 0.78 for rate in rates)
    assert max(rates) - min(rates) > 0.02  # not one rate for all
    drawn = [draws.habit.of("acme", f"reviewer-{place}").between("guess_rate", 0.60, 0.75) for place in range(4)]
    assert rates == pytest.approx(drawn, abs=0.025)


def test_a_sign_settles_that_ai_helped() -> None:
    facts = (pull_request(number, title="Written with Copilot", merged_at=at(1)) for number in range(1, 50))
    events = of_kind(events_of(Facts(*facts), acme(survey_response_rate=1.0, ai_base_adoption_rate=0.0)), "pr_survey")
    assert {event.data["author_ai_assisted"] for event in events} == {True}
    assert None not in {event.data["ai_modification_effort"] for event in events}


@pytest.mark.parametrize("author", [None, who("renovate[bot]")])
def test_programs_and_accounts_that_are_gone_answer_nothing(author: Any) -> None:
    facts = Facts(pull_request(author=author, merged_at=at(1), reviews=(review(who("bo")),)))
    events = events_of(facts, acme(survey_response_rate=1.0, reviewer_response_rate=1.0))
    assert only(events, "pr_survey").data["author_responded_at"] is None
    assert only(events, "pr_survey_review").data["guess_correct"] is None


def test_another_rate_moves_no_draw() -> None:
    some = {
        event.key["number"]: event.data
        for event in of_kind(many(300), "pr_survey")
        if event.data["author_responded_at"]
    }
    more = {event.key["number"]: event.data for event in of_kind(many(300, survey_response_rate=0.9), "pr_survey")}
    assert all(more[number] == data for number, data in some.items())

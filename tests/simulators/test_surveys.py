"""Surveys: who is asked, who answers when, and how often what."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from seedjournal.journal import Event
from seedjournal.simulators.engineering.assistants import assistants
from seedjournal.simulators.engineering.surveys import Surveys, reviewers
from tests.simulators.acme import Facts, acme, at, events_of, file, of_kind, only, pull_request, review, shown, who

LATER = at(60).date()


def surveys(**settings: Any) -> Surveys:
    project = acme(**settings)
    traits = assistants(
        "acme", 1, LATER, rate=project.ai_base_adoption_rate, highest=project.highest_ai_rate, tools={"copilot": 1.0}
    )
    return Surveys(project, 1, LATER, traits)


def code(count: int) -> Any:
    return (*(file(f"shop/{number}.py") for number in range(count)), file("README.md"), file("tests/test_x.py"))


@pytest.mark.parametrize(
    ("lines", "files", "base", "highest", "rate"),
    [
        (0, 0, 0.2, 1.0, 0.76),
        (150, 3, 0.2, 1.0, 0.76),
        (151, 0, 0.2, 1.0, 0.84),
        (300, 0, 0.2, 1.0, 0.84),
        (301, 0, 0.2, 1.0, 0.91),
        (0, 4, 0.2, 1.0, 0.81),
        (0, 5, 0.2, 1.0, 0.81),
        (0, 6, 0.2, 1.0, 0.86),
        (301, 6, 0.2, 1.0, 1.0),
        (301, 6, 0.2, 0.85, 0.85),
        (0, 0, 1.0, 1.0, 1.0),
        (0, 0, 1.0, 0.85, 0.85),
        (0, 0, 0.0, 1.0, 0.0),
        (301, 6, 0.0, 1.0, 0.0),
        (301, 6, 1.0, 0.0, 0.0),
    ],
)
def test_how_probable_ai_is_for_who_uses_it(lines: int, files: int, base: float, highest: float, rate: float) -> None:
    pr = pull_request(additions=lines // 2, deletions=lines - lines // 2, files=code(files))
    found = surveys(ai_base_adoption_rate=base, highest_ai_rate=highest).ai_rate(shown(pr), at().toordinal())
    assert found == pytest.approx(rate)


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
    """Merged pull requests of many sizes by many people, each with three reviewers."""
    lines = (1, 3, 10, 25, 45, 80, 215, 430, 690, 1400)
    facts = (
        pull_request(
            number,
            merged_at=at(1),
            author=who(f"author-{number % 500}"),
            additions=lines[number % len(lines)],
            reviews=tuple(review(who(f"reviewer-{(number + place) % 100}")) for place in range(3)),
        )
        for number in range(1, count + 1)
    )
    return events_of(Facts(*facts), acme(**settings), as_of=LATER)


def delays(events: list[Event], field: str) -> list[timedelta]:
    return [datetime.fromisoformat(str(event.data[field])) - at(1) for event in events if event.data[field]]


def test_answers_keep_their_rates_and_times() -> None:
    events = many()
    surveys, answers = of_kind(events, "pr_survey"), of_kind(events, "pr_survey_review")
    answered = delays(surveys, "author_responded_at")
    assert len(answered) / 2000 == pytest.approx(0.60, abs=0.03)
    assert timedelta(hours=1) <= min(answered) < timedelta(hours=2)
    assert timedelta(hours=46) < max(answered) <= timedelta(hours=48)
    assert len(answers) / 6000 == pytest.approx(0.70, abs=0.03)
    answered = delays(answers, "responded_at")
    assert timedelta(hours=1) <= min(answered) < timedelta(hours=2)
    assert timedelta(hours=70) < max(answered) <= timedelta(hours=72)
    assert all((at(1) + delay).hour >= 6 for delay in answered)
    qualities = Counter(event.data["quality_rating"] for event in answers)
    for rating, rate in ((3, 0.50), (2, 0.35), (1, 0.15)):
        assert qualities[rating] / len(answers) == pytest.approx(rate, abs=0.1)
    for field in ("feedback_clarity", "review_burden"):
        assert {event.data[field] for event in answers} == {1, 2, 3, 4, 5}


@pytest.mark.slow
def test_answers_follow_what_the_author_is_like_that_week() -> None:
    traits = assistants("acme", 1, LATER, rate=0.35, highest=0.85, tools={"copilot": 0.7, "cursor": 0.3})
    said: dict[bool, list[bool]] = {True: [], False: []}
    for event in of_kind(many(4000, survey_response_rate=1.0), "pr_survey"):
        is_user = traits.of(str(event.data["author"]), at().toordinal()) is not None
        said[is_user].append(bool(event.data["author_ai_assisted"]))
    users, others = (sum(said[one]) / len(said[one]) for one in (True, False))
    assert len(said[True]) / 4000 == pytest.approx(0.35, abs=0.05)
    assert 0.7 < users <= 0.9
    assert 0 < others < 0.05


@pytest.mark.slow
def test_large_slow_and_much_reviewed_ones_are_rated_worse_and_cost_more() -> None:
    def rated(**fields: Any) -> tuple[float, ...]:
        reviews = fields.pop("reviews", 1)
        facts = Facts(
            *(
                pull_request(
                    number, reviews=tuple(review(who(f"r-{place}"), at()) for place in range(reviews)), **fields
                )
                for number in range(1, 500)
            )
        )
        answers = of_kind(events_of(facts, as_of=LATER), "pr_survey_review")
        fields = ("quality_rating", "feedback_clarity", "review_burden")
        return tuple(sum(int(str(one.data[name])) for one in answers) / len(answers) for name in fields)

    usual = rated(additions=40, merged_at=at(1))
    for more in (
        {"additions": 4000, "merged_at": at(1)},
        {"additions": 40, "merged_at": at(50)},
        {"additions": 40, "merged_at": at(1), "reviews": 5},
    ):
        quality, clarity, burden = rated(**more)
        assert quality < usual[0] - 0.05
        assert clarity < usual[1] - 0.05
        assert burden > usual[2] + 0.1


@pytest.mark.slow
def test_people_answer_at_rates_of_their_own() -> None:
    by_author: dict[Any, list[bool]] = defaultdict(list)
    for event in of_kind(many(10_000), "pr_survey"):
        by_author[event.data["author"]].append(event.data["author_responded_at"] is not None)
    rates = sorted(sum(one) / len(one) for one in by_author.values())
    assert rates[len(rates) // 10] < 0.5
    assert rates[-len(rates) // 10] > 0.7


def test_nobody_answers_after_the_day() -> None:
    facts = Facts(
        *(pull_request(number, merged_at=at(1), reviews=(review(who("bo"), at()),)) for number in range(1, 200))
    )

    def answers(day: int) -> dict[tuple[Any, ...], Any]:
        events = events_of(facts, acme(survey_response_rate=1.0, reviewer_response_rate=1.0), as_of=at(day).date())
        found = {
            ("author", event.key["number"]): event.data["author_responded_at"]
            for event in of_kind(events, "pr_survey")
            if event.data["author_responded_at"]
        }
        found |= {
            ("bo", event.key["number"]): event.data["responded_at"] for event in of_kind(events, "pr_survey_review")
        }
        assert all(str(one)[:10] <= at(day).date().isoformat() for one in found.values())
        return found

    counts = [len(answers(day)) for day in (0, 1, 2, 3, 4)]
    assert counts[0] == 0
    assert counts == sorted(counts)
    assert counts[-1] == 2 * 199
    assert answers(2).items() <= answers(4).items()


def test_nobody_says_or_guesses_ai_before_there_was_any() -> None:
    for year, title, said in ((2020, "Sell", False), (2020, "Written with Copilot", None), (2022, "Sell", False)):
        day = datetime(year, 3, 2, 9, tzinfo=UTC)
        facts = Facts(
            *(
                pull_request(
                    number,
                    title=title,
                    author=who(f"author-{number}"),
                    created_at=day,
                    merged_at=day + timedelta(hours=5),
                    reviews=(review(who("bo"), day),),
                )
                for number in range(1, 100)
            )
        )
        settings = {"survey_response_rate": 1.0, "ai_base_adoption_rate": 1.0}
        events = events_of(facts, acme(**settings), as_of=date(year, 5, 1))
        assert {event.data["author_ai_assisted"] for event in of_kind(events, "pr_survey")} == {said}
        answers = of_kind(events, "pr_survey_review")
        assert {(event.data["ai_guess"], event.data["guess_correct"]) for event in answers} == {
            (False, None if said is None else True)
        }


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


@pytest.mark.slow
def test_each_reviewer_has_a_rate_of_guessing_right() -> None:
    right: dict[Any, list[bool]] = defaultdict(list)
    facts = Facts(
        *(
            pull_request(
                number,
                author=who(f"author-{number}"),
                merged_at=at(1),
                reviews=tuple(review(who(f"reviewer-{place}")) for place in range(4)),
            )
            for number in range(1, 4001)
        )
    )
    project = acme(reviewer_response_rate=1.0, survey_response_rate=1.0)
    for event in of_kind(events_of(facts, project, as_of=LATER), "pr_survey_review"):
        right[event.key["reviewer"]].append(bool(event.data["guess_correct"]))
    rates = [sum(guesses) / len(guesses) for guesses in right.values()]
    assert all(0.57 <= rate <= 0.78 for rate in rates)
    assert max(rates) - min(rates) > 0.02  # not one rate for all


def test_a_sign_settles_that_ai_helped() -> None:
    facts = (pull_request(number, title="Written with Copilot", merged_at=at(1)) for number in range(1, 50))
    events = of_kind(
        events_of(Facts(*facts), acme(survey_response_rate=1.0, ai_base_adoption_rate=0.0), as_of=LATER), "pr_survey"
    )
    assert {event.data["author_ai_assisted"] for event in events} == {True}
    assert None not in {event.data["ai_modification_effort"] for event in events}


@pytest.mark.parametrize("author", [None, who("renovate[bot]")])
def test_programs_and_accounts_that_are_gone_answer_nothing(author: Any) -> None:
    facts = Facts(pull_request(author=author, merged_at=at(1), reviews=(review(who("bo")),)))
    events = events_of(facts, acme(survey_response_rate=1.0, reviewer_response_rate=1.0), as_of=LATER)
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

"""What other versions of tools would change is told before it is recorded, and only that."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from seedjournal.journal import ChangedByUpgrade, Database, Policy, last_run
from seedjournal.simulators.engineering.demo.source import DemoSource
from seedjournal.simulators.engineering.project import make_project
from seedjournal.simulators.engineering.recording import RecordOptions, record
from seedjournal.simulators.engineering.simulate import GENERATORS
from seedjournal.simulators.faking import Texts
from tests.simulators.acme import Facts, acme, pull_request
from tests.simulators.test_record import Order, order, rows

Change = Callable[[pytest.MonkeyPatch], None]


def other_jira(patch: pytest.MonkeyPatch) -> None:
    """A generator that was changed, and its version raised."""
    patch.setattr("seedjournal.simulators.engineering.jira.VERSION", 99)
    patch.setitem(GENERATORS, "jira", 99)


def other_python(patch: pytest.MonkeyPatch) -> None:
    """A Python that makes the same events."""
    patch.setattr("platform.python_version", lambda: "3.99.0")


def other_faker(patch: pytest.MonkeyPatch) -> None:
    """A Faker that writes other names."""
    name = Texts.name
    patch.setattr("faker.VERSION", "41.0")
    patch.setattr(Texts, "name", lambda self, *key: f"{name(self, *key)} II")


def demo(**settings: Any) -> Order:
    project = make_project("demo", {"members": 3, "prs": 8, "days": 30, "days_back": 5} | settings)
    source = DemoSource(project="demo", seed=42, members=3, prs=project.prs, days=30, as_of=date(2025, 6, 30))
    return project, source, RecordOptions(as_of=date(2025, 6, 30))


def test_what_a_changed_generator_would_change_is_told_and_nothing_recorded(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = record(database, *order()).sealed.run
    before = rows(database)
    other_jira(monkeypatch)
    for more in ({}, {"reuse": False}, {"fresh": True}, {"policies": {"commit": Policy.UPSERT}}):
        with pytest.raises(ChangedByUpgrade) as told:
            record(database, *order(**more))
        assert (told.value.tools, told.value.events) == (("the jira generator 2 → 99",), {"jira_issue": 3})
        assert rows(database) == before
    message = (
        "The jira generator 2 → 99 would change 3 events of project 'acme', although the input is the same as in run 1 "
    )
    assert told.value.message == f"{message}(jira_issue 3); nothing was recorded."
    assert "--accept-upgrade" in told.value.hint

    second = record(database, *order(accept_upgrade=True)).sealed
    assert (second.run.totals["changed"], second.run.totals["unchanged"]) == (3, first.totals["total"] - 3)
    assert record(database, *order()).sealed.reused


def test_what_a_new_faker_would_change_is_told(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    record(database, *demo())
    version = last_run(database, "demo").inputs["versions"]["faker"]  # type: ignore[union-attr]
    other_faker(monkeypatch)
    with pytest.raises(ChangedByUpgrade) as told:
        record(database, *demo())
    assert told.value.tools == (f"Faker {version} → 41.0",)
    assert told.value.events["team_member"] == 3  # logins follow names; who has the same id keeps the key


@pytest.mark.slow
def test_going_back_to_older_tools_is_told_as_well(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    record(database, *order())
    with monkeypatch.context() as patch:
        other_jira(patch)
        record(database, *order(accept_upgrade=True))
    with pytest.raises(ChangedByUpgrade, match="The jira generator 99 → 2"):
        record(database, *order())


def test_an_upgrade_that_changes_nothing_says_nothing(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    first = record(database, *order()).sealed.run
    other_python(monkeypatch)
    second = record(database, *order()).sealed
    assert (second.run.root, second.reused, second.appended) == (first.root, False, 0)
    assert second.run.inputs["versions"]["python"] == "3.99.0"
    assert record(database, *order()).sealed.reused


@pytest.mark.slow
@pytest.mark.parametrize(
    "others",
    [
        {"seed": 7},
        {"as_of": date(2024, 6, 1)},
        {"since": date(2024, 3, 5)},
        {"project": acme(survey_response_rate=0.61)},
        {"source": Facts(pull_request(1), pull_request(2))},
    ],
    ids=lambda others: next(iter(others)),
)
def test_where_inputs_differ_too_nobody_can_tell_which_of_them_it_was(
    database: Database, monkeypatch: pytest.MonkeyPatch, others: dict[str, Any]
) -> None:
    record(database, *order())
    other_jira(monkeypatch)
    assert record(database, *order(**others)).sealed.run.run == 2


@pytest.mark.slow
def test_a_larger_demo_is_another_input(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    record(database, *demo())
    other_faker(monkeypatch)
    assert record(database, *demo(prs=9)).sealed.run.run == 2


@pytest.mark.slow
def test_a_setting_that_is_new_counts_as_its_default(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def without_sprints(project: Any) -> dict[str, Any]:
        return {name: value for name, value in recorded(project).items() if name != "sprint_days"}

    recorded = type(acme()).recorded
    with monkeypatch.context() as patch:
        patch.setattr(type(acme()), "recorded", without_sprints)
        record(database, *order())
        record(database, *order(Facts(pull_request(1))))
        record(database, *order())
    other_jira(monkeypatch)
    with pytest.raises(ChangedByUpgrade):
        record(database, *order())
    assert record(database, *order(project=acme(sprint_days=7))).sealed.run.run == 4


def test_with_equal_versions_nothing_is_compared(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    record(database, *order())
    monkeypatch.setattr("seedjournal.journal.would_change", None)
    record(database, *order(reuse=False))
    record(database, *order(Facts(pull_request(1))))


def test_added_and_removed_events_count_too(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    record(database, *order())
    other_python(monkeypatch)
    monkeypatch.setattr("seedjournal.simulators.engineering.surveys.Surveys.of", lambda *_: iter(()))
    with pytest.raises(ChangedByUpgrade) as told:
        record(database, *order())
    assert told.value.events["pr_survey"] == 1

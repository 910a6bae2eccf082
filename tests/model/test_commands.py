"""Histories of the commands' use cases on the real simulators, on both makes side by side, against the same oracle.

What a run's facts state is read by plain SQL from a journal that has no other run; what follows from them is simulated
on the facts that the oracle merged.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedjournal.commands.databases import Databases
from seedjournal.commands.project import project_runs
from seedjournal.commands.record import RecordChoice, record_projects
from seedjournal.commands.verify import check_all
from seedjournal.journal import Database, Entry, KeyBytes, Misuse, encode
from seedjournal.journal.event import EventHash
from seedjournal.projectors import Choice
from seedjournal.simulators.engineering.demo.source import DEFAULT_AS_OF
from seedjournal.simulators.engineering.following import Following
from seedjournal.simulators.engineering.kinds import ENGINEERING
from seedjournal.simulators.engineering.project import make_project
from seedjournal.simulators.engineering.recording import RecordOptions
from seedjournal.simulators.policies import parse_policies
from tests import scale, tally
from tests.conftest import MAKES
from tests.model.oracle import PROJECTED, RECORDED, Journal, Target, text_of
from tests.model.shapes import KINDS, PARTS, POLICIES, Data, Place, key_at, place_of
from tests.model.sides import Side
from tests.projectors.kept import emptied

pytestmark = [pytest.mark.scales, pytest.mark.xdist_group("model")]

FACTS = set(ENGINEERING.fact_kinds)
_TINY = {"members": 2, "days": 14}


@dataclass(frozen=True)
class Step:
    """A recording and a projection of the demo project, as options say them."""

    prs: int
    days_back: int
    until: date | None
    policies: tuple[str, ...]
    fresh: bool
    prune: bool | None

    @property
    def choice(self) -> RecordChoice:
        """What to record."""
        return RecordChoice(
            projects=("demo",),
            new=True,
            source="demo",
            sets=tuple(f"{name}={value}" for name, value in self.settings.items()),
            options=RecordOptions(
                until=self.until, policies=parse_policies(ENGINEERING, self.policies), fresh=self.fresh
            ),
        )

    @property
    def settings(self) -> dict[str, Any]:
        """The project's settings."""
        return {**_TINY, "prs": self.prs, "days_back": self.days_back}

    @property
    def meant(self) -> dict[str, str]:
        """Every kind's policy."""
        computed = dict.fromkeys({*KINDS, *PARTS} - FACTS, "exact")
        return {**POLICIES, **computed, **parse_policies(ENGINEERING, self.policies)}

    @property
    def is_refused(self) -> bool:
        """Whether a window says too little for what else is asked."""
        return self.until is not None and (self.fresh or any(self.meant[kind] == "exact" for kind in FACTS))


STEPS = st.builds(
    Step,
    prs=st.sampled_from((3, 4, 6)),
    days_back=st.sampled_from((3, 3, 5)),
    until=st.sampled_from((None, None, None, date(2025, 6, 24))),
    policies=st.sampled_from(((), (), ("pull_request=upsert",), ("pr_file=exact",), ("github=exact",))),
    fresh=st.sampled_from((False, False, False, True)),
    prune=st.sampled_from((None, None, False, True)),
)


def address(database: Database) -> str:
    """A database's URL, as users give it."""
    return database.engine.url.render_as_string(hide_password=False)


def quiet(*_: object) -> Callable[..., None]:
    """Progress that nobody sees."""
    return lambda *_: None


def agree(_: object) -> None:
    """Record it, even where it removes most."""


@cache
def stated(step: Step) -> dict[Place, Data]:
    """What the facts of this step state."""
    alone = emptied("sqlite", "alone")
    record_projects(Databases(journal=address(alone)), step.choice, quiet, agree)
    found: dict[Place, Data] = {}
    with alone.engine.connect() as connection:
        for (told,) in connection.exec_driver_sql("SELECT event FROM journal_events"):
            one = json.loads(told)
            if one["kind"] in FACTS:
                found[place_of(one["kind"], one["key"])] = one["data"]
    return found


def followed(step: Step, merged: Mapping[Place, Data]) -> dict[Place, Data]:
    """What follows from merged facts."""
    following = Following(make_project("demo", step.settings))
    for place, data in merged.items():
        text = json.dumps({"key": key_at(place), "data": data}).encode()
        following.see(Entry(place[0], KeyBytes(b""), EventHash(b""), text))
    made = following.events(42, DEFAULT_AS_OF)
    found = {place_of(event.kind, event.key): json.loads(encode(event).event)["data"] for event, _ in made}
    following.close()
    return found


@settings(max_examples=scale.times(2, 12))
@given(history=st.lists(STEPS, min_size=2, max_size=scale.times(3, 5)))
def test_histories_of_commands(history: list[Step]) -> None:
    sides = [Side(database := emptied(make), database) for make in MAKES]
    journal, target = Journal(), Target()
    for step in history:
        tally.count("steps of real commands")
        if step.is_refused:
            for side in sides:
                with pytest.raises(Misuse):
                    record_projects(Databases(journal=address(side.journal)), step.choice, quiet, agree)
            continue
        facts = stated(replace(step, policies=(), fresh=False, prune=False))
        merged = journal.merged("demo", facts, step.meant, FACTS, fresh=step.fresh)
        statement = facts | followed(step, merged)
        run = journal.next_run("demo", statement, step.meant, fresh=step.fresh, window=step.until is not None)
        new = {text_of("demo", place, data) for place, data in statement.items()} - journal.events
        target, projected = target.projected(run, journal.runs, prune=step.prune)
        recorded: list[dict[str, Any]] = []
        for side in sides:
            place = Databases(journal=address(side.journal))
            (document,) = record_projects(place, step.choice, quiet, agree).document["runs"]
            nothing = dict.fromkeys(RECORDED, 0)
            assert document["kinds"].keys() == {*KINDS, *PARTS}
            assert {kind: document["kinds"][kind] for kind in KINDS} == {
                kind: run.counts.get(kind, nothing) for kind in KINDS
            }
            assert (document["appended"], document["run"]) == (len(new), run.number)
            recorded.append({name: document[name] for name in ("root", "state", "reused", "kept_fields", "window")})
            shown = project_runs(place, (), None, Choice(prune=step.prune, delete_many=True), quiet, quiet)
            kinds = {
                kind: {name: one[name] for name in PROJECTED if name in one}
                for kind, one in shown["projects"]["demo"]["kinds"].items()
                if kind in KINDS
            }
            assert kinds == {kind: {name: one[name] for name in kinds[kind]} for kind, one in projected.items()}
            assert side.shown().rows == {at: (row.id, row.data) for at, row in target.rows.items()}
            assert check_all(place, quiet())["ok"]
        assert recorded[0] == recorded[1]
        journal.seal(run)

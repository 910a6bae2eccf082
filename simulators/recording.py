"""Recording: a project's facts and simulators become one sealed run, whatever the domain."""

from __future__ import annotations

import hashlib
import platform
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Protocol, TypeVar

import msgspec
import orjson

from seedjournal import journal
from seedjournal.journal import (
    ChangedByUpgrade,
    Database,
    Entry,
    Inputs,
    Misuse,
    Overtaken,
    Policy,
    Run,
    Sealed,
    Vocabulary,
    canonical_bytes,
)
from seedjournal.progress import Tell
from seedjournal.version import VERSION

from .upgrade import differing_tools, is_same_input

DEFAULT_SEED = 42
Result = TypeVar("Result")


class Made(Protocol):
    """What the simulators of a project made."""

    @property
    def today(self) -> date:
        """The date that the simulators took for today."""

    @property
    def notices(self) -> Sequence[str]:
        """What the user must know of the facts, each a sentence."""

    def entries(self) -> Iterable[Entry]:
        """Yield the run's entries in the order of manifests, as often as asked."""


class Recipe(Protocol):
    """One project of a domain, with everything that decides which events a recording makes."""

    @property
    def inputs(self) -> Inputs:
        """What the run will say that it was made from, as far as that is known before facts are read."""

    @property
    def chosen(self) -> Sequence[str]:
        """The inputs that a user chooses; where none changed, most facts should still be there."""

    @property
    def invents_facts(self) -> bool:
        """Whether facts follow from the chosen inputs; their digest then also tells the tools that wrote them."""

    @property
    def default_settings(self) -> Mapping[str, Any]:
        """The settings of a project that sets none."""

    @property
    def fact_kinds(self) -> Sequence[str]:
        """The kinds of the project that have policies."""

    def make(self, previous: Run | None, tell: Tell) -> AbstractContextManager[Made]:
        """Run the simulators; `previous` is the run whose state the facts are merged into."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """The sealed run, and what the user must know of its facts."""

    sealed: Sealed
    notices: Sequence[str]


class RemovesMost(Misuse):
    """A recording with unchanged settings would remove more than half of the previous run's entities."""

    kind = "removal"

    def __init__(self, project: str, run: int, removed: int, total: int) -> None:
        super().__init__(
            f"Project {project!r}: {removed:,} of the {total:,} entities of run {run} are gone from the source, "
            "although the settings are the same; nothing was recorded.",
            "Check that the source is complete (the right folder, branch, token). Add --yes to record it as it is.",
        )


def make_inputs(
    project: str, values: dict[str, Any], policies: Mapping[str, Policy], kinds: Vocabulary, *, window: bool
) -> Inputs:
    """Return a run's inputs with their fingerprint: the same inputs make the same events."""
    named = {kind: str(policy) for kind, policy in policies.items()}
    made_from = {**values, "policies": named, "kinds": kinds.hash.hex()}
    fingerprint = hashlib.sha256(canonical_bytes(made_from)).digest()
    return Inputs(
        project=project, policies=policies, window=window, values=values, fingerprint=fingerprint, kinds=kinds
    )


def tool_versions() -> dict[str, str]:
    """Return what events depend on besides facts and simulators: seedjournal itself, and what it rests on."""
    return {
        "msgspec": msgspec.__version__,
        "orjson": orjson.__version__,
        "python": platform.python_version(),
        "seedjournal": VERSION,
        "unicode": unicodedata.unidata_version,
    }


def record(
    database: Database,
    recipe: Recipe,
    *,
    reuse: bool = True,
    accept_upgrade: bool = False,
    tell: Tell = lambda *_: None,
    confirm: Callable[[RemovesMost], None] = lambda _: None,
) -> Recorded:
    """Record one project: the same inputs give the same run root, whatever the journal held before.

    With `reuse`, inputs of the newest run are not simulated again. `tell` hears (stage, how many more, of how many).
    Raises BadInput, with the journal as it was, for facts that cannot be right; ChangedByUpgrade where the input is
    that of the newest run and only other versions of tools make other events of it, unless they are accepted. Before a
    run is sealed that removes most of the previous one, though no setting changed, `confirm` hears of it and may raise.
    """
    inputs = recipe.inputs
    examine = _Examination(recipe, confirm)
    previous = journal.last_run(database, inputs.project)
    is_upgraded = previous is not None and bool(differing_tools(previous.inputs, inputs.values))
    if reuse and not is_upgraded:  # what other tools make must be compared, so facts must be read
        tell("comparing inputs", 0, None)
        known = examine.sealed(lambda: journal.reuse(database, inputs, examine))
        if known is not None:
            return Recorded(known, [])
    while True:
        try:
            return _attempt(database, recipe, examine, tell, accept_upgrade=accept_upgrade)
        except Overtaken:
            tell("reading again: another run was recorded meanwhile", 0, None)


def _attempt(
    database: Database, recipe: Recipe, examine: _Examination, tell: Tell, *, accept_upgrade: bool
) -> Recorded:
    """Simulate on the project's newest state, and seal; raise Overtaken where that is no longer the newest."""
    inputs = recipe.inputs
    previous = journal.last_run(database, inputs.project)
    merges = any(inputs.policies[kind] is not Policy.EXACT for kind in recipe.fact_kinds)
    state = previous if merges else None

    def examine_all(newest: Run | None, counts: Mapping[str, Mapping[str, int]]) -> None:
        if merges:
            journal.follows(previous)(newest, counts)
        examine(newest, counts)

    with recipe.make(state, tell) as made:
        found = {"as_of": made.today.isoformat(), "state": state.state.hex() if state else None}
        whole = replace(inputs, values={**inputs.values, **found})
        if previous and not accept_upgrade:
            _refuse_changes_by_tools(database, previous, recipe, whole, made)
        sealed = examine.sealed(lambda: journal.record(database, whole, made, tell, examine_all))
        return Recorded(sealed, made.notices)


class _Examination:
    """Looks at a run before it is sealed; asks outside of the transaction, so that nobody waits for the answer."""

    def __init__(self, recipe: Recipe, confirm: Callable[[RemovesMost], None]) -> None:
        self._recipe = recipe
        self._confirm = confirm
        self._is_confirmed = False

    def __call__(self, previous: Run | None, counts: Mapping[str, Mapping[str, int]]) -> None:
        """Raise RemovesMost for a run that removes most of the previous one's facts, unless the user confirmed that."""
        if self._is_confirmed or previous is None:
            return
        facts, values = self._recipe.fact_kinds, self._recipe.inputs.values
        removed = sum(counts[kind]["removed"] for kind in facts if kind in counts)
        before = previous.counts["kinds"]
        total = sum(before[kind]["total"] for kind in facts if kind in before)
        is_same = all(previous.inputs.get(name) == values[name] for name in self._recipe.chosen)
        if is_same and 2 * removed > total:
            raise RemovesMost(previous.project, previous.run, removed, total)

    def sealed(self, seal: Callable[[], Result]) -> Result:
        """Seal; where that would remove most of a project, ask, and seal again."""
        try:
            return seal()
        except RemovesMost as error:
            self._confirm(error)
            self._is_confirmed = True
            return seal()


def _refuse_changes_by_tools(database: Database, previous: Run, recipe: Recipe, inputs: Inputs, made: Made) -> None:
    tools = differing_tools(previous.inputs, inputs.values)
    if tools and is_same_input(
        previous.inputs, inputs.values, recipe.default_settings, invents_facts=recipe.invents_facts
    ):
        changed = journal.would_change(database, previous, made)
        if changed:
            raise ChangedByUpgrade(previous.project, previous.run, tools, changed)

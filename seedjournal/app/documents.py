"""What several result documents have in common."""

from __future__ import annotations

from typing import Any, Protocol

from seedjournal import journal as j
from seedjournal.journal import Misuse, Run

Document = dict[str, Any]

FORMAT = 1


class Tell(Protocol):
    """Hears of progress: the stage, how many more, of how many, and what else is worth knowing."""

    def __call__(self, stage: str, more: int, total: int | None, note: str = "", /) -> None:
        """Take it."""


def run_document(run: Run) -> Document:
    """A run as `log` lists it."""
    return {
        "run": run.run,
        "project": run.project,
        "root": run.root.hex(),
        "state": run.state.hex(),
        "seed": run.inputs["seed"],
        "as_of": run.inputs["as_of"],
        "total": run.totals["total"],
        "sealed_at": run.sealed_at,
        "recorded_by": run.recorded_by,
    }


def window_of(run: Run) -> Document | None:
    """The window that a run was recorded with; it says nothing of what lies outside."""
    if not run.inputs["window"]:
        return None
    return {
        "since": run.inputs["since"],
        "until": run.inputs["until"],
        "max_prs": run.inputs["settings"]["max_prs"],
    }


def no_runs(connection: Any, name: str) -> Misuse:
    """The refusal of a project that has no run, naming those that have."""
    projects = ", ".join(j.newest_of_each(connection))
    return Misuse(
        f"project {name!r} has no run in this journal",
        f"the journal has runs of {projects}" if projects else "`seedjournal record` makes the first",
    )

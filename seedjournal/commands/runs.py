"""What several commands tell of runs: in documents, and as text."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from seedjournal import journal as j

from ..terminal import number_of, shown, wrapped

Document = dict[str, Any]

FORMAT = 1
_NAMED = 5  # pull requests that a line names


def run_result(sealed: j.Sealed, kinds: Sequence[str], started: float) -> Document:
    """Return what `record` says of a run that it sealed; `started` is when, by the monotonic clock."""
    run, previous = sealed.run, sealed.previous
    changed = j.changed_inputs(previous, run) if previous else {}
    return {
        "project": run.project,
        "run": run.run,
        "root": run.root.hex(),
        "state": run.state.hex(),
        "reused": sealed.reused,
        "appended": sealed.appended,
        "counts": run.totals,
        "kinds": {kind: run.counts["kinds"].get(kind, dict.fromkeys(run.totals, 0)) for kind in kinds},
        "kept_fields": run.counts["kept_fields"],
        "policies": {kind: str(policy) for kind, policy in run.policies.items()},
        "previous": previous.run if previous else None,
        "options_missing": [],
        "inputs_changed": {name: {"old": old, "new": new} for name, (old, new) in changed.items()},
        "window": window_of(run),
        "completeness": run.inputs.get("completeness", {}),
        "notices": [],
        "skipped": 0,
        "skipped_entries": [],
        "seconds": round(time.monotonic() - started, 3),
    }


def run_document(run: j.Run) -> Document:
    """Return a run as `log` lists it."""
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


def window_of(run: j.Run) -> Document | None:
    """Return the window that a run was recorded with; nothing outside it was read."""
    if not run.inputs["window"]:
        return None
    return {
        "since": run.inputs["since"],
        "until": run.inputs["until"],
        "max_prs": run.inputs["settings"]["max_prs"],
    }


def no_runs(connection: Any, name: str) -> j.Misuse:
    """Return the error for a project that has no run; it names those that have."""
    projects = ", ".join(j.newest_of_each(connection))
    return j.Misuse(
        f"Project {name!r} has no run in this journal.",
        f"The journal has runs of {projects}." if projects else "Make the first one with `seedjournal record`.",
    )


def window_text(window: Mapping[str, Any]) -> str:
    """Return a window in one line."""
    parts = [f"{name.replace('_', ' ')} {value}" for name, value in window.items() if value is not None]
    return f"window: {', '.join(parts)}; nothing outside it was read"


def runs_of(runs: Mapping[str, Sequence[int]]) -> str:
    """Return runs by project, in one line: `runs 1, 2 of demo and run 3 of libuv`."""
    return " and ".join(f"{runs_text(numbers)} of {shown(project)}" for project, numbers in runs.items())


def runs_text(numbers: Sequence[int]) -> str:
    """Run numbers, in ranges of neighbours within the list.

    >>> runs_text([1, 2, 3, 7])
    'runs 1, 2, 3, 7'
    """
    if not numbers:
        return "no run"
    if len(numbers) > 8:  # noqa: PLR2004 - what fits a line
        return f"{len(numbers)} runs, {numbers[0]} to {numbers[-1]}"
    return ("run " if len(numbers) == 1 else "runs ") + ", ".join(map(str, numbers))


def lacking(completeness: Mapping[str, Any]) -> list[str]:
    """Return a line for each thing that is incomplete; none if all is complete."""
    lines: list[str] = []
    for repo, one in completeness.items():
        pulls = one["pull_requests"]
        if one["renamed_to"]:
            lines += wrapped(f"{shown(repo)} is {shown(one['renamed_to'])} on GitHub now; it keeps its name here")
        if pulls["counted"] is not None and pulls["stored"] != pulls["counted"]:
            more = pulls["stored"] > pulls["counted"]
            why = "the others were deleted there, and are kept here"
            why = why if more else "the rest could not be fetched: record again to ask for them"
            lines += wrapped(
                f"{shown(repo)}: {pulls['stored']:,} pull requests, GitHub counts {pulls['counted']:,}; {why}"
            )
        for connection, counts in one["connections"].items():
            for state in ("partial", "failed"):
                if counts[state]:
                    lines += wrapped(
                        f"{state}: {connection} of {number_of(counts[state], 'pull request')} of {shown(repo)}; "
                        f"`seedjournal show RUN` names them; {_way_out(one.get('errors', {}).get(connection, ()))}"
                    )
        lines += _left_out(repo, one)
    return lines


def _way_out(errors: Sequence[str]) -> str:
    """Say how what is missing may come."""
    if {"FORBIDDEN", "INSUFFICIENT_SCOPES"} & set(errors):
        return f"the token lacks a right ({', '.join(errors)}): grant it, then record again to ask for them"
    told = f" (the server said {', '.join(map(shown, errors))})" if errors else ""
    return f"record again to ask for them{told}"


def _left_out(repo: str, one: Mapping[str, Any]) -> list[str]:
    """Say which pull requests did not come, or not so that their content could be trusted."""
    found = one.get("left_out", ())
    if not found:
        return []
    named = [
        f"#{gap['pull_request']} ({', '.join(gap['lacks']).replace('_', ' ')}: {shown(gap['error'])}"
        f"{'; its older state is kept' if gap['is_older'] else ''})"
        for gap in found[:_NAMED]
    ]
    more = f" and {one['left_out_count'] - _NAMED:,} more" if one["left_out_count"] > _NAMED else ""
    what = number_of(one["left_out_count"], "pull request")
    are, them = ("is", "it") if one["left_out_count"] == 1 else ("are", "them")
    return wrapped(
        f"failed: {what} of {shown(repo)} are incomplete and {are} left out: {', '.join(named)}{more}; "
        f"record again to ask for {them}"
    )


def gap_text(gap: Mapping[str, Any]) -> str:
    """Return what is missing of a pull request."""
    of = "an unknown number" if gap["total"] is None else f"{gap['total']:,}"
    return f"{gap['connection']} {gap['state']}, {gap['got']:,} of {of}"


def weeks_text(days: int) -> str:
    """Say by how many weeks the dates of rows are moved."""
    return f"dates moved by {number_of(days // 7, 'week')}" if days else "dates as they were recorded"

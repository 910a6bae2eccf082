"""Result documents as text for people. Knows no database; what it is given is what `--json` prints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import orjson

from .terminal import SHORT, duration, minute, number_of, old_and_new, shown, table, value_text, wrapped, wrapped_all

if TYPE_CHECKING:
    from .app import Comparison

_COUNTS = ("total", "added", "changed", "removed", "unchanged", "kept")
_ROWS = ("inserted", "updated", "unchanged", "kept", "deleted", "stale", "retained", "foreign")
_ROWS_ALWAYS = 3  # the first columns stand even where they are all zero
_WITHDRAWN = ("deleted", "retained", "foreign")
_IN_LISTS = 8  # of a root: enough to name it
_LONGEST_WORD = 30  # in a column that may fold
_LONGEST_NAME = 12  # of who recorded, before it folds
_SIGNS = {"added": "+", "removed": "-", "changed": "~"}


def recorded(document: Mapping[str, Any]) -> str:
    """What `record` did, project by project."""
    text = "".join(_recorded_one(run) for run in document["runs"])
    for failed in document.get("errors", ()):
        text += f"{shown(failed['project'])}: not recorded\n"
    return text


def _recorded_one(run: Mapping[str, Any]) -> str:
    counts = run["counts"]
    lines = [
        f"{shown(run['project'])}: run {run['run']}, {number_of(counts['total'], 'event')}, "
        f"{run['appended']:,} appended to the journal"
        + (" (inputs unchanged: nothing simulated)" if run["reused"] else ""),
        f"  root {run['root'][:SHORT]}  state {run['state'][:SHORT]}  {run['seconds']:.1f} s",
    ]
    if run["window"]:
        lines += wrapped(_window(run["window"]))
    for name, one in run["inputs_changed"].items():
        if name.startswith("completeness."):  # what is not complete is told below
            continue
        lines += old_and_new(f"  input {name}", one["old"], one["new"])
    if run["previous"] and not any(counts[name] for name in ("added", "changed", "removed")):
        lines.append(f"  nothing changed against run {run['previous']}")
    else:
        rows = [[kind, *(one[name] for name in _COUNTS)] for kind, one in run["kinds"].items() if any(one.values())]
        lines.append(table(("kind", *_COUNTS), [*rows, ["all", *(counts[name] for name in _COUNTS)]], indent=2))
    lines += _lacking(run["completeness"])
    for notice in run["notices"]:
        lines += wrapped(shown(notice))
    for one in run["skipped_entries"]:
        lines += wrapped(f"skipped {shown(one['file'])}: {shown(one['entry'])}: {shown(one['reason'])}")
    return "\n".join(lines) + "\n"


def projected(document: Mapping[str, Any]) -> str:
    """What `project` did, project by project."""
    lines = [line for name, one in document["projects"].items() for line in _projected_one(name, one, document)]
    return "\n".join([*lines, f"{document['seconds']:.1f} s"]) + "\n"


def _projected_one(name: str, one: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[str]:
    sums = {column: sum(result[column] for result in one["kinds"].values()) for column in _ROWS}
    yield f"{shown(name)}: run {one['run']}, state {one['state'][:SHORT]}" + (
        " (dry run: nothing was done)" if document["dry_run"] else ""
    )
    if one["other_journal"]:
        yield "  the target showed another journal's state: all rows were compared"
    if one["forgotten"]:
        yield "  the state that the target showed was forgotten: all rows were compared"
    if one["window"]:
        yield from wrapped(_window(one["window"]))
    if any(sums[column] for column in _ROWS if column not in {"unchanged", "kept"}):
        columns = [*_ROWS[:_ROWS_ALWAYS], *(column for column in _ROWS[_ROWS_ALWAYS:] if sums[column])]
        rows = [[kind, *(result[column] for column in columns)] for kind, result in one["kinds"].items()]
        yield table(("rows of", *columns), [*rows, ["all", *(sums[column] for column in columns)]], indent=2)
    else:
        yield f"  nothing changed: {number_of(sums['unchanged'], 'row')} as they should be"
    for kind, result in one["kinds"].items():
        if result["kept"]:
            fields = ", ".join(one["kept_fields"].get(kind, ()))
            way_out = f"`--policy {kind}=upsert` when recording takes the new content"
            yield from wrapped(f"{result['kept']:,} {kind} kept: {fields}; {way_out}")
    if sums["stale"]:
        yield from wrapped(
            f"{number_of(sums['stale'], 'stale row')} left; `seedjournal project --prune` deletes those that nothing "
            "refers to"
        )


def diff_text(comparison: Comparison, *, stat: bool) -> Iterator[str]:
    """What separates two runs, as a stream."""
    old, new = comparison.old, comparison.new
    runs = (f"run {one.run} ({one.root.hex()[:SHORT]})" for one in (old, new))
    yield f"{shown(new.project)}: {' → '.join(runs)}\n"
    if new.inputs["window"]:
        yield f"  run {new.run} was recorded with a window; what is removed may only lie outside it\n"
    for change in comparison.changes:
        key = " ".join(shown(str(part)) for part in _in_order(change.kind, change.key))
        yield f"{_SIGNS[change.change]} {change.kind} {key}\n"
        if change.change == "changed":
            for name, (before, now) in change.fields.items():
                yield "\n".join(old_and_new(f"    {name}", before, now)) + "\n"
    if comparison.equal:
        yield "equal\n"
        if comparison.last_different:
            one, other = comparison.last_different
            yield f"the last two runs that differ: `seedjournal diff {one.run} {other.run}`\n"
        return
    if comparison.left_out and not stat:
        yield f"… {number_of(comparison.left_out, 'more change')} left out; --limit N shows more\n"
    rows = [[kind, *counts.values()] for kind, counts in comparison.kinds.items()]
    if rows:
        yield table(("kind", "added", "removed", "changed"), rows) + "\n"
    else:
        yield "nothing of what was asked for differs\n"


def diff_json(comparison: Comparison, *, stat: bool) -> Iterator[bytes]:
    """The document of `diff`, as a stream: its changes are never all in memory."""
    from .app import FORMAT, window_of

    head = {
        "format": FORMAT,
        "project": comparison.new.project,
        "from": comparison.old.run,
        "to": comparison.new.run,
        "from_root": comparison.old.root.hex(),
        "to_root": comparison.new.root.hex(),
        "equal": comparison.equal,
        "window": window_of(comparison.new),
    }
    yield orjson.dumps(head)[:-1] + b',"changes":['
    comma = b"\n"
    for change in comparison.changes:
        one = {
            "kind": change.kind,
            "key": change.key,
            "change": change.change,
            "fields": {name: {"old": old, "new": new} for name, (old, new) in change.fields.items()},
        }
        yield comma + orjson.dumps(one)
        comma = b",\n"
    last = comparison.last_different
    tail = {
        "kinds": comparison.kinds,
        "truncated": bool(comparison.left_out) and not stat,
        "left_out": comparison.left_out,
        "last_different": [last[0].run, last[1].run] if last else None,
    }
    yield b"]," + orjson.dumps(tail)[1:] + b"\n"


def logged(document: Mapping[str, Any]) -> str:
    """The runs, one a line."""
    if not document["runs"]:
        return "no runs\n" + _forgettings(document)
    rows = [
        [
            one["run"],
            one["project"],
            minute(one["sealed_at"]),
            one["total"],
            one["added"],
            one["changed"],
            one["removed"],
            one["root"][:_IN_LISTS],
            one["recorded_by"],
        ]
        for one in document["runs"]
    ]
    heads = ("run", "project", "sealed (UTC)", "events", "added", "changed", "removed", "root", "by")
    runs = table(heads, rows, folds={"project": _LONGEST_WORD, "by": _LONGEST_NAME}) + "\n"
    return runs + _forgettings(document)


def _forgettings(document: Mapping[str, Any]) -> str:
    """What is not there any more, and who saw to that."""
    lines = [
        f"forgotten {minute(one['forgotten_at'])} by {shown(one['forgotten_by'])}: {runs_of(one['runs'])}"
        for one in document["forgotten"]
    ]
    return "".join(f"{line}\n" for text in lines for line in wrapped(text, indent=""))


def shown_run(document: Mapping[str, Any]) -> str:
    """One run with its inputs."""
    lines = [
        f"run {document['run']} of {shown(document['project'])}",
        f"  sealed {document['sealed_at']} by {shown(document['recorded_by'])}",
        f"  root   {document['root']}",
        f"  state  {document['state']}",
        f"  {number_of(document['total'], 'event')}, {document['appended']:,} appended",
        f"  previous run: {document['previous'] or 'none'}",
    ]
    if document["window"]:
        lines += wrapped(_window(document["window"]))
    rows = [[kind, *(one[name] for name in _COUNTS)] for kind, one in document["kinds"].items()]
    lines.append(table(("kind", *_COUNTS), rows, indent=2))
    inputs = dict(document["inputs"])
    completeness = inputs.pop("completeness", {})
    lines += _complete(completeness)
    lines += _lacking(completeness)
    lines.append("  inputs")
    lines += [f"    {name}: {value_text(value)}" for name, value in _flat(inputs)]
    return "\n".join(lines) + "\n"


def estimated(document: Mapping[str, Any]) -> str:
    """What fetching would take, a line a repository."""
    heads = ("project", "repository", "PRs", "stored", "requests", "points", "of", "about")
    rows = [
        [
            one["project"],
            one["repo"],
            one["pull_requests"],
            one["stored"],
            one["requests"],
            one["points"],
            "no limit" if one["remaining"] is None else f"{one['remaining']:,}",
            duration(one["seconds"]),
        ]
        for one in document["estimate"]
    ]
    text = table(heads, rows, folds={"repository": _LONGEST_WORD}) + "\n"
    return text + "large pull requests take further requests; nothing was fetched\n"


def fetched(document: Mapping[str, Any]) -> str:
    """What was fetched of repositories, and what was done with it."""
    lines = []
    for one in document.get("fetched", document.get("deleted", document.get("exported", ()))):
        did = f" → {shown(one['file'])}" if "file" in one else ""
        if "deleted" in document:
            lines.append(f"{shown(one['repo'])} ({shown(one['server'])}): deleted")
            continue
        lines.append(
            f"{shown(one['repo'])} ({shown(one['server'])}): {number_of(one['pull_requests'], 'pull request')}{did}"
        )
        lines.append(f"  {number_of(one['pages'], 'page')}, {one['bytes'] / 1e6:,.1f} MB, last {one['fetched_at']}")
        for stretch in one["covers"]:
            until = "up to its last fetch" if stretch["to_the_end"] else f"until {stretch['until'][:16]}, unfinished"
            since = f"updated since {stretch['since'][:10]}" if stretch["since"] else "from the beginning"
            lines += wrapped(f"covers {since} {until}" + ("" if stretch["check_runs"] else ", without check runs"))
        lines += wrapped_all(f"{count:,} without all {name}" for name, count in one["incomplete"].items())
    return "\n".join(lines or ["nothing was fetched yet"]) + "\n"


def shown_entity(document: Mapping[str, Any]) -> str:
    """One entity's contents over the runs."""
    key = " ".join(shown(str(part)) for part in document["key"].values())
    lines = [f"{document['kind']} {key}"]
    for one in document["contents"]:
        lines.append(f"  stated by {_runs(one['runs'])}; stands after {_runs(one['in_state_of'])}")
        lines.append(f"  made by {one['provenance']}, seed {one['seed']}; event {one['hash'][:SHORT]}")
        lines += [f"    {name}: {value_text(value)}" for name, value in one["data"].items()]
    lines += [f"  not complete: {_gap(one)}" for one in document["incomplete"]]
    return "\n".join(lines) + "\n"


def verified(document: Mapping[str, Any]) -> str:
    """What `verify` found."""
    lines = [f"{shown(one['where'])}: {shown(one['what'])}: {shown(one['problem'])}" for one in document["findings"]]
    lines += [f"{shown(one['what'])}: not checked: {shown(one['problem'])}" for one in document["unchecked"]]
    for project, kinds in document["listed"].items():
        for kind, counts in kinds.items():
            told = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
            lines.append(f"{shown(project)}: {kind}: {told}")
    found = "ok" if document["ok"] else number_of(len(document["findings"]), "finding")
    rows = f"rows in {shown(document['target'])}" if document["target"] else "no rows: none were projected yet"
    lines.append(f"{found}: {number_of(document['events'], 'event')}, {number_of(document['runs'], 'run')}, {rows}")
    return "\n".join(lines) + "\n"


def runs_of(runs: Mapping[str, Sequence[int]]) -> str:
    """Runs by project, in one line: `runs 1, 2 of demo and run 3 of libuv`."""
    return " and ".join(f"{_runs(numbers)} of {shown(project)}" for project, numbers in runs.items())


def forgotten(document: Mapping[str, Any]) -> str:
    """What `forget` took away."""
    runs: dict[str, list[int]] = {}
    for one in document["runs"]:
        runs.setdefault(one["project"], []).append(one["run"])
    lines = [f"{shown(project)}: {_runs(numbers)}" for project, numbers in runs.items()]
    for project, kinds in document["rows"].items():
        rows = [[kind, *(one[name] for name in _WITHDRAWN)] for kind, one in kinds.items()]
        sums = [sum(row[place] for row in rows) for place in range(1, len(_WITHDRAWN) + 1)]
        lines.append(f"{shown(project)}: {number_of(sums[0], 'row')} of {shown(document['target'])}")
        if any(sums):
            lines.append(table(("rows of", *_WITHDRAWN), [row for row in rows if any(row[1:])], indent=2))
    if not document["runs"] and not document["rows"]:
        return "nothing to forget: no project has more runs\n"
    told = "would be forgotten (dry run: nothing was done)" if document["dry_run"] else "forgotten"
    found = [number_of(len(document["runs"]), "run"), number_of(document["events"], "event")]
    found += [number_of(document["nodes"], "node"), f"{document['bytes']:,} bytes"]
    lines.append(f"{told}: {', '.join(found)}; {document['seconds']:.1f} s")
    if document["bytes"] and not document["dry_run"] and document["journal"].startswith("sqlite"):
        lines += wrapped("later records use the space that is free now; VACUUM gives it back to the disk")
    return "\n".join(lines) + "\n"


def registered(document: Mapping[str, Any]) -> str:
    """The built-in projects, one a line."""
    rows = [
        [
            one["name"],
            one["team_name"],
            one["jira_project_key"],
            f"{one['ai_base_adoption_rate']:.2f}",
            f"{one['survey_response_rate']:.2f}",
            " ".join(one["repos"]),
        ]
        for one in document["projects"]
    ]
    return (
        table(("name", "team", "jira", "ai", "survey", "repositories"), rows, folds={"repositories": _LONGEST_WORD})
        + "\n"
    )


def migrated(document: Mapping[str, Any]) -> str:
    """What `migrate` did."""
    lines = []
    for one in document["migrated"]:
        did = "is current" if one["from"] == one["to"] else f"upgraded from {one['from']}" if one["from"] else "made"
        lines.append(f"{one['what']} in {shown(one['database'])}: {did} (schema {one['to']})")
    return "\n".join(lines) + "\n"


def _in_order(kind: str, key: Mapping[str, Any]) -> list[Any]:
    """A key's parts in the order in which `show` takes them."""
    from seedjournal.journal import ENGINEERING

    names = ENGINEERING.by_name[kind].key if kind in ENGINEERING.by_name else tuple(key)
    return [key[name] for name in names]


def _window(window: Mapping[str, Any]) -> str:
    parts = [f"{name.replace('_', ' ')} {value}" for name, value in window.items() if value is not None]
    return f"window: {', '.join(parts)}; this run says nothing of what lies outside"


def _complete(completeness: Mapping[str, Any]) -> list[str]:
    """How much of each repository was there, connection by connection."""
    lines = ["  completeness"] if completeness else []
    for repo, one in completeness.items():
        pulls = one["pull_requests"]
        of = f"of {pulls['counted']:,}" if pulls["counted"] is not None else f"updated since {pulls['since'][:10]}"
        lines.append(f"    {shown(repo)}: {number_of(pulls['stored'], 'pull request')} {of}")
        for connection, counts in one["connections"].items():
            told = ", ".join(f"{counts[state]:,} {state}" for state in ("complete", "partial", "failed"))
            lines.append(f"      {connection}: {told}")
        lines += [f"      pull request {gap['pull_request']}: {_gap(gap)}" for gap in one["incomplete"]]
    return lines


def _lacking(completeness: Mapping[str, Any]) -> list[str]:
    """What is not complete, a line each; nothing where all is."""
    lines: list[str] = []
    for repo, one in completeness.items():
        pulls = one["pull_requests"]
        if one["renamed_to"]:
            lines += wrapped(f"{shown(repo)} is {shown(one['renamed_to'])} on GitHub now; its name here stays")
        if pulls["counted"] is not None and pulls["stored"] != pulls["counted"]:
            more = pulls["stored"] > pulls["counted"]
            why = "the others were deleted there, and are kept" if more else "the others did not come"
            lines += wrapped(
                f"{shown(repo)}: {pulls['stored']:,} pull requests, GitHub counts {pulls['counted']:,}; {why}"
            )
        for connection, counts in one["connections"].items():
            for state in ("partial", "failed"):
                if counts[state]:
                    lines += wrapped(
                        f"{state}: {connection} of {number_of(counts[state], 'pull request')} of {shown(repo)}; "
                        "`seedjournal show RUN` names them"
                    )
    return lines


def _gap(gap: Mapping[str, Any]) -> str:
    of = "an unknown number" if gap["total"] is None else f"{gap['total']:,}"
    return f"{gap['connection']} {gap['state']}, {gap['got']:,} of {of}"


def _runs(numbers: Sequence[int]) -> str:
    """Run numbers, in ranges of neighbours within the list.

    >>> _runs([1, 2, 3, 7])
    'runs 1, 2, 3, 7'
    """
    if not numbers:
        return "no run"
    if len(numbers) > 8:  # noqa: PLR2004 - what fits a line
        return f"{len(numbers)} runs, {numbers[0]} to {numbers[-1]}"
    return ("run " if len(numbers) == 1 else "runs ") + ", ".join(map(str, numbers))


def _flat(value: Mapping[str, Any], head: str = "") -> Iterator[tuple[str, Any]]:
    for name, item in value.items():
        if isinstance(item, dict) and item:
            yield from _flat(item, f"{head}{name}.")
        else:
            yield f"{head}{name}", item

"""Result documents as text for people. Knows no database; what it is given is what `--json` prints."""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from .app import Comparison

_COUNTS = ("total", "added", "changed", "removed", "unchanged", "kept")
_ROWS = ("inserted", "updated", "unchanged", "kept", "deleted", "stale", "retained", "foreign")
_SHORT = 12
_LONGEST_VALUE = 60
_SIGNS = {"added": "+", "removed": "-", "changed": "~"}
_WIDE = 200


def recorded(document: Mapping[str, Any]) -> str:
    """What `record` did, project by project."""
    text = "".join(_recorded_one(run) for run in document["runs"])
    for failed in document.get("errors", ()):
        text += f"{failed['project']}: not recorded\n"
    return text


def _recorded_one(run: Mapping[str, Any]) -> str:
    counts = run["counts"]
    against = f" against run {run['previous']}" if run["previous"] else ""
    lines = [
        f"{run['project']}: run {run['run']}, {_number(counts['total'], 'event')}, {run['appended']:,} appended to the journal"
        + (" (inputs unchanged: nothing simulated)" if run["reused"] else ""),
        f"  root {run['root'][:_SHORT]}  state {run['state'][:_SHORT]}  {run['seconds']:.1f} s",
    ]
    if run["window"]:
        lines.append(f"  {_window(run['window'])}")
    lines += [f"  input {name}: {_value(one['old'])} → {_value(one['new'])}" for name, one in run["inputs_changed"].items()]
    if run["previous"] and not any(counts[name] for name in ("added", "changed", "removed")):
        lines.append(f"  nothing changed{against}")
    else:
        rows = [[kind, *(one[name] for name in _COUNTS)] for kind, one in run["kinds"].items()]
        lines.append(_table(("kind", *_COUNTS), [*rows, ["all", *(counts[name] for name in _COUNTS)]], indent=2))
    lines += [f"  skipped {shown(one['file'])}: {shown(one['entry'])}: {shown(one['reason'])}" for one in run["skipped_entries"]]
    return "\n".join(lines) + "\n"


def projected(document: Mapping[str, Any]) -> str:
    """What `project` did, project by project."""
    lines: list[str] = []
    for name, one in document["projects"].items():
        rows = [[kind, *(result[column] for column in _ROWS)] for kind, result in one["kinds"].items()]
        total = ["all", *(sum(row[place] for row in rows) for place in range(1, len(_ROWS) + 1))]
        lines.append(f"{name}: run {one['run']}, state {one['state'][:_SHORT]}" + (" (dry run)" if document["dry_run"] else ""))
        if one["other_journal"]:
            lines.append("  the target showed another journal's state: all rows were compared")
        if one["window"]:
            lines.append(f"  {_window(one['window'])}")
        if any(total[place] for place in (1, 2, 5)) or any(total[place] for place in range(6, 9)):
            lines.append(_table(("table rows", *_ROWS), [*rows, total], indent=2))
        else:
            lines.append(f"  nothing changed: {_number(total[3], 'row')} as they should be")
        for kind, result in one["kinds"].items():
            if result["kept"]:
                fields = ", ".join(one["kept_fields"].get(kind, ()))
                lines.append(f"  {result['kept']:,} {kind} kept: {fields}; `--policy {kind}=upsert` when recording takes the new content")
        stale = total[6]
        if stale:
            lines.append(f"  {_number(stale, 'stale row')} left; `seedjournal project --prune` deletes those that nothing refers to")
    lines.append(f"{document['seconds']:.1f} s")
    return "\n".join(lines) + "\n"


def diff_text(comparison: Comparison, *, stat: bool) -> Iterator[str]:
    """What separates two runs, as a stream."""
    old, new = comparison.old, comparison.new
    yield f"{new.project}: run {old.run} ({old.root.hex()[:_SHORT]}) → run {new.run} ({new.root.hex()[:_SHORT]})\n"
    if new.inputs["window"]:
        yield f"  run {new.run} says nothing of what lies outside its window: what is removed may only lie outside\n"
    for change in comparison.changes:
        key = " ".join(shown(str(part)) for part in _in_order(change.kind, change.key))
        yield f"{_SIGNS[change.change]} {change.kind} {key}\n"
        if change.change == "changed":
            for name, (before, now) in change.fields.items():
                yield f"    {name}: {_value(before)} → {_value(now)}\n"
    if comparison.equal:
        yield "equal\n"
        if comparison.last_different:
            one, other = comparison.last_different
            yield f"the last two runs that differ: `seedjournal diff {one.run} {other.run}`\n"
        return
    if comparison.left_out and not stat:
        yield f"… {_number(comparison.left_out, 'more change')} left out; --limit N shows more\n"
    rows = [[kind, *counts.values()] for kind, counts in comparison.kinds.items()]
    if rows:
        yield _table(("kind", "added", "removed", "changed"), rows) + "\n"
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
        return "no runs yet\n"
    rows = [
        [one["run"], one["project"], one["sealed_at"], one["as_of"], one["total"], one["added"], one["changed"], one["removed"], one["root"][:_SHORT]]
        for one in document["runs"]
    ]
    return _table(("run", "project", "sealed at", "as of", "events", "added", "changed", "removed", "root"), rows) + "\n"


def shown_run(document: Mapping[str, Any]) -> str:
    """One run with its inputs."""
    lines = [
        f"run {document['run']} of {document['project']}, sealed {document['sealed_at']}",
        f"  root   {document['root']}",
        f"  state  {document['state']}",
        f"  {_number(document['total'], 'event')}, {document['appended']:,} appended; previous run: {document['previous'] or 'none'}",
    ]
    if document["window"]:
        lines.append(f"  {_window(document['window'])}")
    rows = [[kind, *(one[name] for name in _COUNTS)] for kind, one in document["kinds"].items()]
    lines.append(_table(("kind", *_COUNTS), rows, indent=2))
    lines.append("  inputs")
    lines += [f"    {name}: {_value(value)}" for name, value in _flat(document["inputs"])]
    return "\n".join(lines) + "\n"


def shown_entity(document: Mapping[str, Any]) -> str:
    """One entity's contents over the runs."""
    key = " ".join(shown(str(part)) for part in document["key"].values())
    lines = [f"{document['kind']} {key}"]
    for one in document["contents"]:
        lines.append(f"  stated by {_runs(one['runs'])}; stands after {_runs(one['in_state_of'])}")
        lines.append(f"  made by {one['provenance']}, seed {one['seed']}; event {one['hash'][:_SHORT]}")
        lines += [f"    {name}: {_value(value)}" for name, value in one["data"].items()]
    return "\n".join(lines) + "\n"


def verified(document: Mapping[str, Any]) -> str:
    """What `verify` found."""
    lines = [f"{shown(one['where'])}: {shown(one['what'])}: {shown(one['problem'])}" for one in document["findings"]]
    for project, kinds in document["listed"].items():
        for kind, counts in kinds.items():
            told = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
            lines.append(f"{project}: {kind}: {told}")
    checked = f"{_number(document['events'], 'event')} and {_number(document['runs'], 'run')} checked"
    found = "ok" if document["ok"] else _number(len(document["findings"]), "finding")
    return "\n".join([*lines, f"{found}: {checked}"]) + "\n"


def registered(document: Mapping[str, Any]) -> str:
    """The built-in projects, one a line."""
    rows = [
        [one["name"], one["team_name"], one["jira_project_key"], one["ai_base_adoption_rate"], one["survey_response_rate"], one["industry"], " ".join(one["repos"])]
        for one in document["projects"]
    ]
    return _table(("name", "team", "jira", "ai", "survey", "industry", "repositories"), rows) + "\n"


def migrated(document: Mapping[str, Any]) -> str:
    """What `migrate` did."""
    lines = []
    for one in document["migrated"]:
        did = "is current" if one["from"] == one["to"] else f"upgraded from {one['from']}" if one["from"] else "made"
        lines.append(f"{one['what']} in {one['database']}: {did} (schema {one['to']})")
    return "\n".join(lines) + "\n"


def shown(text: str) -> str:
    """Text as a terminal may show it: controls and marks that turn the writing round are escaped.

    >>> shown("a\\x1b[31mb")
    'a\\\\x1b[31mb'
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def _in_order(kind: str, key: Mapping[str, Any]) -> list[Any]:
    """A key's parts in the order in which `show` takes them."""
    from journal import ENGINEERING

    names = ENGINEERING.by_name[kind].key if kind in ENGINEERING.by_name else tuple(key)
    return [key[name] for name in names]


def _table(heads: Sequence[str], rows: Sequence[Sequence[Any]], indent: int = 0) -> str:
    """Columns that fit the terminal, numbers to the right; in a pipe nothing is folded."""
    from rich.console import Console
    from rich.table import Table

    numeric = [bool(rows) and all(isinstance(row[place], int) for row in rows) for place in range(len(heads))]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="", show_edge=False)
    for head, is_number in zip(heads, numeric, strict=True):
        table.add_column(head, justify="right" if is_number else "left", overflow="fold", no_wrap=is_number)
    for row in rows:
        table.add_row(*(f"{cell:,}" if isinstance(cell, int) else shown(str(cell)) for cell in row))
    out = io.StringIO()
    width = shutil.get_terminal_size().columns - indent if sys.stdout.isatty() else _WIDE
    Console(file=out, width=max(width, 40), highlight=False, markup=False, emoji=False, color_system=None).print(table)
    return "\n".join(" " * indent + line.rstrip() for line in out.getvalue().rstrip("\n").split("\n"))


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def _value(value: Any) -> str:
    text = shown(value) if isinstance(value, str) else orjson.dumps(value).decode()
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"


def _window(window: Mapping[str, Any]) -> str:
    parts = [f"{name.replace('_', ' ')} {value}" for name, value in window.items() if value is not None]
    return f"window: {', '.join(parts)}; this run says nothing of what lies outside"


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

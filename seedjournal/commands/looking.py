"""`log`, `show` and `registry`: what there is."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any

import click

from seedjournal import journal as j

from .. import settings as config
from ..registry import REGISTRY
from ..terminal import SHORT, minute, number_of, shown, table, value_text, wrapped
from . import FINE, exits
from .databases import Databases, opened_journal
from .domains import key_text, known_kinds, vocabulary
from .options import LARGEST, RUN, Common, Whole, common_options
from .runs import FORMAT, Document, gap_text, lacking, no_runs, run_document, runs_of, runs_text, window_of, window_text

_LONGEST_NUMBER = 15  # digits that a key holds whatever they are
_IN_LISTS = 8  # of a root: enough to name it
_LONGEST_WORD = 30  # in a column that may fold
_LONGEST_NAME = 12  # of who recorded, before it folds


@click.command(
    help="List the journal's runs, oldest first, with counts and changes since the project's previous run.",
    epilog=exits("listed"),
)
@click.option("--project", "project_name", metavar="NAME", help="Only this project's runs.")
@click.option("-n", "newest", metavar="N", type=Whole(0, LARGEST), help="Only the newest N runs.")
@common_options
def log(common: Common, *, project_name: str | None, newest: int | None) -> int:
    """Print the runs."""
    common.give(list_runs(common.databases(), project_name, newest), _log_text)
    return FINE


def list_runs(databases: Databases, project_name: str | None, newest: int | None = None) -> Document:
    """Return the journal's runs, or the newest of them, oldest first; and what was forgotten of them."""
    with opened_journal(databases, config.load(), create=False) as database, database.read() as connection:
        runs = j.all_runs(connection, project_name)
        gone = [one for one in j.forgotten_runs(connection).values() if project_name in {None, one.project}]
        if project_name is not None and not runs and not gone:
            raise no_runs(connection, project_name)
    if newest is not None:
        runs = runs[max(0, len(runs) - newest) :]
    return {
        "format": FORMAT,
        "runs": [{**run_document(run), **run.totals} for run in runs],
        "forgotten": list(_forgotten(gone)),
    }


def _forgotten(runs: Iterable[j.Forgotten]) -> Iterable[Document]:
    """Yield who forgot runs, when, and which ones by project."""
    by_whom = attrgetter("forgotten_at", "forgotten_by")
    for (at, by), together in groupby(sorted(runs, key=by_whom), key=by_whom):
        numbers: dict[str, list[int]] = {}
        for one in together:
            numbers.setdefault(one.project, []).append(one.run)
        yield {"forgotten_at": at, "forgotten_by": by, "runs": numbers}


def _log_text(document: Mapping[str, Any]) -> str:
    """Return the runs, one a line."""
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
    """Return which runs were forgotten, when and by whom."""
    lines = [
        f"forgotten {minute(one['forgotten_at'])} by {shown(one['forgotten_by'])}: {runs_of(one['runs'])}"
        for one in document["forgotten"]
    ]
    return "".join(f"{line}\n" for text in lines for line in wrapped(text, indent=""))


@click.command(
    help="Show a run with its inputs and counts; or one entity: its content over the runs, and what made it.",
    epilog="\b\nExamples:\n"
    "  seedjournal show 3\n"
    "  seedjournal show demo@latest\n"
    "  seedjournal show team_member demo NAME\n"
    "  seedjournal show pull_request demo OWNER/REPO 17\n\n"
    "KEY is what diff prints after the kind.\n\n" + RUN + exits("shown"),
)
@click.argument("what", metavar="RUN | KIND KEY…", nargs=-1, required=True)
@common_options
def show(common: Common, *, what: tuple[str, ...]) -> int:
    """Print a run or an entity."""
    known, projects = _known(common.databases())
    _refuse_near_misses(known, projects, what)
    if names_run(known, what):
        common.give(describe_run(common.databases(), what[0]), _run_text)
    else:
        common.give(describe_entity(common.databases(), known, what[0], what[1:]), _entity_text)
    return FINE


def _known(databases: Databases) -> tuple[Mapping[str, j.Kind], list[str]]:
    """Return the kinds and projects that the journal knows; where none can be read, the chosen domain's kinds."""
    try:
        with opened_journal(databases, config.load(), create=False) as database, database.read() as connection:
            return known_kinds(connection), list(j.newest_of_each(connection))
    except j.SeedJournalError:  # which is reported when the journal is needed
        return vocabulary(config.load()).by_name, []


def _refuse_near_misses(kinds: Mapping[str, j.Kind], projects: Sequence[str], what: Sequence[str]) -> None:
    """Raise Misuse with the right words for `latest` without a project, and for a kind's plural or misspelt name."""
    name, *rest = what
    if name == "latest" and not rest and projects:
        raise j.Misuse("No run is named 'latest'.", f"Did you mean {' or '.join(f'{one}@latest' for one in projects)}?")
    if rest and name not in kinds:
        singular = [f"{name[:-3]}y"] if name.endswith("ies") else [name.removesuffix("s")]
        near = [one for one in singular if one in kinds] or difflib.get_close_matches(name, kinds, n=1)
        if near:
            raise j.Misuse(
                f"There is no kind {name!r}.", f"Did you mean `seedjournal show {near[0]} {' '.join(rest)}`?"
            )


def names_run(kinds: Mapping[str, j.Kind], what: Sequence[str]) -> bool:
    """Return whether `show` is asked for a run: for anything but a kind and its key."""
    return len(what) == 1 and what[0] not in kinds


def describe_run(databases: Databases, name: str) -> Document:
    """Return one run with its inputs and provenance."""
    with opened_journal(databases, config.load(), create=False) as database, database.read() as connection:
        run = j.find_run(connection, name)
        previous = j.before(connection, run)
    return {
        "format": FORMAT,
        **run_document(run),
        "previous": previous.run if previous else None,
        "fingerprint": run.fingerprint.hex(),
        "appended": run.counts["appended"],
        "counts": run.totals,
        "kinds": run.counts["kinds"],
        "kept_fields": run.counts["kept_fields"],
        "window": window_of(run),
        "inputs": run.inputs,
    }


def _run_text(document: Mapping[str, Any]) -> str:
    """Return one run with its inputs."""
    lines = [
        f"run {document['run']} of {shown(document['project'])}",
        f"  sealed {document['sealed_at']} by {shown(document['recorded_by'])}",
        f"  root   {document['root']}",
        f"  state  {document['state']}",
        f"  {number_of(document['total'], 'event')}, {document['appended']:,} appended",
        f"  previous run: {document['previous'] or 'none'}",
    ]
    if document["window"]:
        lines += wrapped(window_text(document["window"]))
    rows = [[kind, *(one[name] for name in document["counts"])] for kind, one in document["kinds"].items()]
    lines.append(table(("kind", *document["counts"]), rows, indent=2))
    inputs = dict(document["inputs"])
    completeness = inputs.pop("completeness", {})
    lines += _complete(completeness)
    lines += lacking(completeness)
    lines.append("  inputs")
    lines += [f"    {name}: {value_text(value)}" for name, value in _flat(inputs)]
    return "\n".join(lines) + "\n"


def _complete(completeness: Mapping[str, Any]) -> list[str]:
    """Return how much of each repository was there, connection by connection."""
    lines = ["  completeness"] if completeness else []
    for repo, one in completeness.items():
        pulls = one["pull_requests"]
        of = f"of {pulls['counted']:,}" if pulls["counted"] is not None else f"updated since {pulls['since'][:10]}"
        lines.append(f"    {shown(repo)}: {number_of(pulls['stored'], 'pull request')} {of}")
        for connection, counts in one["connections"].items():
            told = ", ".join(f"{counts[state]:,} {state}" for state in ("complete", "partial", "failed"))
            lines.append(f"      {connection}: {told}")
        lines += [f"      pull request {gap['pull_request']}: {gap_text(gap)}" for gap in one["incomplete"]]
    return lines


def _flat(value: Mapping[str, Any], head: str = "") -> Iterator[tuple[str, Any]]:
    for name, item in value.items():
        if isinstance(item, dict) and item:
            yield from _flat(item, f"{head}{name}.")
        else:
            yield f"{head}{name}", item


def describe_entity(
    databases: Databases, kinds: Mapping[str, j.Kind], kind_name: str, parts: Sequence[str]
) -> Document:
    """Return one entity: its content over the runs, and what made each content."""
    known = j.Vocabulary(tuple(kinds.values()))
    kind = known[kind_name]
    key = _key(known, kind, parts)
    with opened_journal(databases, config.load(), create=False) as database, database.read() as connection:
        stated = j.history(connection, kind_name, j.canonical_key(key))
        if not stated:
            raise j.Misuse(
                f"No run has the {kind_name} {' '.join(parts)}.",
                f"The key of a {kind_name} is {', '.join(kind.key)}{_example(connection, kind)}.",
            )
        return {
            "format": FORMAT,
            "kind": kind_name,
            "key": key,
            "contents": [
                {
                    "project": one.project,
                    "runs": [run.run for run in one.runs],
                    "in_state_of": [run.run for run in one.in_state_of],
                    "hash": one.content.hash.hex(),
                    "provenance": one.provenance,
                    "seed": one.runs[0].inputs["seed"] if one.runs else None,
                    "versions": one.runs[0].inputs["versions"] if one.runs else None,
                    "data": dict(j.decode(one.content.text).data),
                }
                for one in stated
            ],
            "incomplete": _incomplete(key, stated[-1].runs) if kind_name == "pull_request" else [],
        }


def _example(connection: Any, kind: j.Kind) -> str:
    """Name the first entity of the kind in a newest state, as `show` takes it; nothing where there is none."""
    import orjson

    for run in j.newest_of_each(connection).values():
        for key, _ in j.state_of_kind(connection, run.state, kind.name):
            first = key_text({kind.name: kind}, kind.name, orjson.loads(key))
            return f"; for example `seedjournal show {kind.name} {first}`"
    return ""


def _incomplete(key: Mapping[str, Any], runs: Sequence[j.Run]) -> list[Document]:
    """Return what the newest run of a pull request lacks of it."""
    fetched = runs[-1].inputs.get("completeness", {}).get(key["github_repo"], {}) if runs else {}
    return [gap for gap in fetched.get("incomplete", ()) if gap["pull_request"] == key["number"]]


def _key(known: j.Vocabulary, kind: j.Kind, parts: Sequence[str]) -> dict[str, str | int]:
    if len(parts) != len(kind.key):
        raise j.Misuse(
            f"The key of a {kind.name} has {number_of(len(kind.key), 'part')} ({', '.join(kind.key)}), but "
            f"{number_of(len(parts), 'part')} {'was' if len(parts) == 1 else 'were'} given.",
            f"Write `seedjournal show {kind.name} {_places(kind)}`.",
        )
    fields = j.key_fields(known, kind)
    key: dict[str, str | int] = {}
    for name, part in zip(kind.key, parts, strict=True):
        if fields[name].type is j.Type.INTEGER:
            if not (part.isascii() and part.isdigit() and len(part) <= _LONGEST_NUMBER):
                raise j.Misuse(
                    f"Part {name} of the key is a number, but {part!r} was given.",
                    f"Write `seedjournal show {kind.name} {_places(kind)}`.",
                )
            key[name] = int(part)
        else:
            key[name] = part
    return key


def _places(kind: j.Kind) -> str:
    return " ".join(name.upper() for name in kind.key)


def _shown_after(runs: Sequence[int]) -> str:
    """Return after which runs tables show a content."""
    return f"in the state after {runs_text(runs)}" if runs else "never written to tables (policy: once)"


def _entity_text(document: Mapping[str, Any]) -> str:
    """Return one entity's contents over the runs."""
    key = " ".join(shown(str(part)) for part in document["key"].values())
    lines = [f"{document['kind']} {key}"]
    for one in document["contents"]:
        lines.append(f"  in {runs_text(one['runs'])}; {_shown_after(one['in_state_of'])}")
        lines.append(f"  made by {one['provenance']}, seed {one['seed']}; event {one['hash'][:SHORT]}")
        lines += [f"    {name}: {value_text(value)}" for name, value in one["data"].items()]
    lines += [f"  not complete: {gap_text(one)}" for one in document["incomplete"]]
    return "\n".join(lines) + "\n"


@click.command(
    help="List the built-in projects with their rates of AI adoption and survey answers; --json prints every setting.",
    epilog=exits("listed"),
)
@common_options
def registry(common: Common) -> int:
    """Print the built-in projects."""
    common.give(list_registry(), _registry_text)
    return FINE


def list_registry() -> Document:
    """Return the built-in projects."""
    return {"format": FORMAT, "projects": [{"name": name, **given} for name, given in REGISTRY.items()]}


def _registry_text(document: Mapping[str, Any]) -> str:
    """Return the built-in projects, one a line."""
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

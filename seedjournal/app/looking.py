"""`log`, `show` and `registry`: what there is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any

from seedjournal import journal as j
from seedjournal.journal import Forgotten, Misuse

from .. import settings as config
from ..registry import REGISTRY
from .documents import FORMAT, Document, no_runs, run_document, window_of
from .place import Place, opened_journal

_LONGEST_NUMBER = 15  # digits that a key holds whatever they are


def log(place: Place, project_name: str | None) -> Document:
    """The journal's runs, oldest first, and what was forgotten of them."""
    with opened_journal(place, config.load(), create=False) as database, database.read() as connection:
        runs = j.all_runs(connection, project_name)
        gone = [one for one in j.forgotten_runs(connection).values() if project_name in {None, one.project}]
        if project_name is not None and not runs and not gone:
            raise no_runs(connection, project_name)
    return {
        "format": FORMAT,
        "runs": [{**run_document(run), **run.totals} for run in runs],
        "forgotten": list(_forgotten(gone)),
    }


def _forgotten(runs: Iterable[Forgotten]) -> Iterable[Document]:
    """Yield who forgot runs, when, and which ones by project."""
    by_whom = attrgetter("forgotten_at", "forgotten_by")
    for (at, by), together in groupby(sorted(runs, key=by_whom), key=by_whom):
        numbers: dict[str, list[int]] = {}
        for one in together:
            numbers.setdefault(one.project, []).append(one.run)
        yield {"forgotten_at": at, "forgotten_by": by, "runs": numbers}


def names_run(what: Sequence[str]) -> bool:
    """Whether `show` is asked for a run: for anything but a kind and its key."""
    return len(what) == 1 and what[0] not in j.ENGINEERING.by_name


def show_run(place: Place, name: str) -> Document:
    """One run with its inputs and provenance."""
    with opened_journal(place, config.load(), create=False) as database, database.read() as connection:
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


def show_entity(place: Place, kind_name: str, parts: Sequence[str]) -> Document:
    """One entity: its content over the runs, and what made each content."""
    kind = j.ENGINEERING[kind_name]
    key = _key(kind, parts)
    with opened_journal(place, config.load(), create=False) as database, database.read() as connection:
        stated = j.history(connection, kind_name, j.canonical_key(key))
        if not stated:
            raise Misuse(
                f"no run states a {kind_name} {' '.join(parts)}",
                f"a {kind_name}'s key is {', '.join(kind.key)}; `seedjournal diff` prints keys",
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


def _incomplete(key: Mapping[str, Any], runs: Sequence[j.Run]) -> list[Document]:
    """What the newest run that states a pull request was not given of it."""
    fetched = runs[-1].inputs.get("completeness", {}).get(key["github_repo"], {}) if runs else {}
    return [gap for gap in fetched.get("incomplete", ()) if gap["pull_request"] == key["number"]]


def _key(kind: j.Kind, parts: Sequence[str]) -> dict[str, str | int]:
    if len(parts) != len(kind.key):
        raise Misuse(
            f"a {kind.name}'s key is {', '.join(kind.key)}; {len(parts)} given",
            f"seedjournal show {kind.name} {_places(kind)}",
        )
    numbers = {"number", *(one.name for one in kind.fields if one.type in {j.Type.INTEGER, j.Type.BIGINT})}
    key: dict[str, str | int] = {}
    for name, part in zip(kind.key, parts, strict=True):
        if name in numbers:
            if not (part.isascii() and part.isdigit() and len(part) <= _LONGEST_NUMBER):
                raise Misuse(f"{name} is a number, not {part!r}", f"seedjournal show {kind.name} {_places(kind)}")
            key[name] = int(part)
        else:
            key[name] = part
    return key


def _places(kind: j.Kind) -> str:
    return " ".join(name.upper() for name in kind.key)


def registry() -> Document:
    """The built-in projects."""
    return {"format": FORMAT, "projects": [{"name": name, **given} for name, given in REGISTRY.items()]}

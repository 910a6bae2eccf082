"""Runs: what was recorded, from which inputs, how people name one, and which ones were forgotten."""

from __future__ import annotations

import getpass
import hashlib
import os
import re
import socket
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, NewType

import orjson
from sqlalchemy import Connection, Row, Table, func, insert, select

from .errors import Damaged, Misuse
from .fold import Policy
from .manifest import NodeHash
from .tables import FORGOTTEN, KINDS, RUNS
from .vocabulary import Kind, Vocabulary, read_vocabulary

RunNumber = NewType("RunNumber", int)
Progress = Callable[[str, int, int | None], None]  # hears (stage, how many more, of how many)

_SHORTEST_ROOT = 7
_LONGEST_NUMBER = 18  # digits that any 64-bit integer holds
COUNTS = ("total", "added", "changed", "removed", "unchanged", "kept")


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """Everything that a run depends on.

    `values` is shown to people and compared between runs: source, seed, as-of, window, settings, versions. `window`
    says that the run has only a part of its source. `fingerprint` digests all of it and the source's content.
    `kinds` are recorded with the run, so that the journal explains itself.
    """

    project: str
    policies: Mapping[str, Policy]
    window: bool
    values: Mapping[str, Any]
    fingerprint: bytes
    kinds: Vocabulary | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One sealed record of one project.

    `counts` holds, by kind, the six counts that people are shown, `appended`, and under `kept_fields` the fields in
    which kept content differs from the run's. `recorded_by` is user@host.
    """

    run: RunNumber
    project: str
    root: NodeHash
    state: NodeHash
    fingerprint: bytes
    inputs: Mapping[str, Any]
    counts: Mapping[str, Any]
    sealed_at: str
    recorded_by: str

    @property
    def policies(self) -> dict[str, Policy]:
        """Return the policies that the run's state was folded by."""
        return {kind: Policy(name) for kind, name in self.inputs["policies"].items()}

    @property
    def totals(self) -> dict[str, int]:
        """Return the six counts over all kinds."""
        return {name: sum(kind[name] for kind in self.counts["kinds"].values()) for name in COUNTS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """A run that was forgotten; `last_event` is the greatest event id that had been given out until then."""

    run: RunNumber
    project: str
    forgotten_at: str
    forgotten_by: str
    last_event: int


def newest(connection: Connection, project: str) -> Run | None:
    """Return the project's last run."""
    row = connection.execute(select(RUNS).where(RUNS.c.project == project).order_by(RUNS.c.run.desc()).limit(1)).first()
    return _run(row) if row else None


def newest_of_each(connection: Connection) -> dict[str, Run]:
    """Return every project's last run, by project."""
    last = select(func.max(RUNS.c.run)).group_by(RUNS.c.project)
    return {
        row.project: _run(row)
        for row in connection.execute(select(RUNS).where(RUNS.c.run.in_(last)).order_by(RUNS.c.project))
    }


def all_runs(connection: Connection, project: str | None = None) -> list[Run]:
    """Return the journal's runs, or a project's, in order."""
    query = select(RUNS).order_by(RUNS.c.run)
    return [
        _run(row) for row in connection.execute(query if project is None else query.where(RUNS.c.project == project))
    ]


def runs_after(connection: Connection, earlier: Run, last: Run) -> list[Run]:
    """Return the project's runs after an earlier one, up to and with the last, in order."""
    query = select(RUNS).where(RUNS.c.project == last.project, RUNS.c.run > earlier.run, RUNS.c.run <= last.run)
    return [_run(row) for row in connection.execute(query.order_by(RUNS.c.run))]


def with_fingerprint(connection: Connection, project: str, fingerprint: bytes) -> Run | None:
    """Return the project's newest run, if it was made from exactly these inputs.

    Only the newest run counts: the state after it is an input of the next one.
    """
    run = newest(connection, project)
    return run if run and run.fingerprint == fingerprint else None


def before(connection: Connection, run: Run) -> Run | None:
    """Return the project's run before this one."""
    query = select(RUNS).where(RUNS.c.project == run.project, RUNS.c.run < run.run)
    row = connection.execute(query.order_by(RUNS.c.run.desc()).limit(1)).first()
    return _run(row) if row else None


def numbered(connection: Connection, number: RunNumber) -> Run | None:
    """Return the run of that number."""
    row = connection.execute(select(RUNS).where(RUNS.c.run == number)).first()
    return _run(row) if row else None


def find_run(connection: Connection, name: str) -> Run:
    """Return the run that people name: a number, a root's prefix of 7 or more, `PROJECT@latest` or `PROJECT@-N`.

    A root that several runs share means the newest of them. Raise Misuse where there is none.
    """
    if name.isascii() and name.isdigit():
        number = int(name) if len(name) <= _LONGEST_NUMBER else 0  # which no run has
        if run := numbered(connection, RunNumber(number)):
            return run
        if gone := forgotten_runs(connection).get(RunNumber(number)):
            raise Misuse(
                f"Run {number} is no longer there: {gone.forgotten_by} forgot it at {gone.forgotten_at}.",
                "`seedjournal log` lists the runs.",
            )
        if len(name) < _SHORTEST_ROOT:  # a longer one may be a root that begins with digits
            raise Misuse(f"There is no run {name}.", "`seedjournal log` lists the runs.")
    if "@" in name:
        return _of_project(connection, *name.rsplit("@", 1))
    if len(name) >= _SHORTEST_ROOT and re.fullmatch("[0-9a-f]+", name):
        runs = [run for run in all_runs(connection) if run.root.hex().startswith(name)]
        if len({run.root for run in runs}) > 1:
            raise Misuse(
                f"Root prefix {name!r} is ambiguous.", "Use more digits; `seedjournal log --json` prints whole roots."
            )
        if runs:
            return runs[-1]
    raise Misuse(
        f"There is no run {name!r}.",
        "Name a run by its number, 7 or more characters of its root, PROJECT@latest or PROJECT@-N; "
        "`seedjournal log` lists the runs.",
    )


def _of_project(connection: Connection, project: str, which: str) -> Run:
    runs = all_runs(connection, project)
    back = 0 if which == "latest" else int(which[1:]) if re.fullmatch("-[0-9]{1,9}", which) else None
    if back is None:
        raise Misuse(f"{project}@{which} names no run.", f"Write {project}@latest or {project}@-1, @-2, …")
    if not runs:
        raise Misuse(f"Project {project!r} has no run in this journal.", "`seedjournal log` lists the runs.")
    if back >= len(runs):
        raise Misuse(
            f"Project {project!r} has {len(runs)} runs, too few for @-{back}.", "`seedjournal log` lists them."
        )
    return runs[-1 - back]


def changed_inputs(old: Run, new: Run) -> dict[str, tuple[Any, Any]]:
    """Return the inputs in which two runs differ, by dotted name: (old, new)."""
    before, now = _flat(old.inputs), _flat(new.inputs)
    return {
        name: (before.get(name), now.get(name))
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name)
    }


def _flat(value: Mapping[str, Any], head: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, item in value.items():
        flat.update(_flat(item, f"{head}{name}.") if isinstance(item, dict) else {f"{head}{name}": item})
    return flat


def next_number(connection: Connection) -> RunNumber:
    """Return the number for the run about to be sealed, never one that a forgotten run had; needs the write lock."""
    given = (func.coalesce(func.max(table.c.run), 0) for table in (RUNS, FORGOTTEN))
    return RunNumber(max(int(connection.execute(select(last)).scalar_one()) for last in given) + 1)


def add_kinds(connection: Connection, kinds: Vocabulary) -> str:
    """Store kinds, unless they are stored already; return the hash, as runs name it."""
    hashed = kinds.hash
    if connection.execute(select(KINDS.c.hash).where(KINDS.c.hash == hashed)).first() is None:
        connection.execute(insert(KINDS).values(hash=hashed, kinds=kinds.text))
    return hashed.hex()


def kinds_of(connection: Connection, run: Run) -> Vocabulary | None:
    """Return the kinds that a run was recorded with; None where it was recorded without.

    Raises Damaged where the journal does not hold them.
    """
    named = run.inputs.get("kinds")
    if named is None:
        return None
    text = connection.execute(select(KINDS.c.kinds).where(KINDS.c.hash == bytes.fromhex(named))).scalar()
    if text is None:
        raise Damaged(f"Run {run.run} refers to kinds {named[:12]}, which the journal does not hold.")
    return read_vocabulary(text)


def known_kinds(connection: Connection) -> dict[str, Kind]:
    """Return the kinds of every project's newest run, by name. If two runs define a kind, the newer run's counts."""
    known: dict[str, Kind] = {}
    for run in sorted(newest_of_each(connection).values(), key=lambda run: -run.run):
        if recorded := kinds_of(connection, run):
            known = {**recorded.by_name, **known}
    return known


def add(connection: Connection, run: Run) -> None:
    """Store a run; it exists once the caller's transaction is committed."""
    connection.execute(insert(RUNS).values(**_columns(run), seal=seal_of(run)))


def add_forgotten(connection: Connection, runs: Iterable[Forgotten]) -> None:
    """Store which runs were forgotten; the caller's transaction removes them."""
    connection.execute(insert(FORGOTTEN), [{**_columns(run), "seal": seal_of(run)} for run in runs])


def forgotten_runs(connection: Connection) -> dict[RunNumber, Forgotten]:
    """Return every run that was forgotten, by number."""
    names = [field.name for field in fields(Forgotten)]
    rows = connection.execute(select(*(FORGOTTEN.c[name] for name in names)).order_by(FORGOTTEN.c.run))
    return {row.run: Forgotten(**row._mapping) for row in rows}  # noqa: SLF001 - SQLAlchemy's public interface


def seal_of(run: Run | Forgotten) -> bytes:
    """Return SHA-256 over all that a row says."""
    tag = b"seedjournal:run:1\n" if isinstance(run, Run) else b"seedjournal:forgotten:1\n"
    text = orjson.dumps(list(_columns(run).values()), default=lambda value: value.hex())
    return hashlib.sha256(tag + text).digest()


def stored_seals(connection: Connection, table: Table = RUNS) -> dict[RunNumber, bytes]:
    """Return the seals as they were stored, by number."""
    query = select(table.c.run, table.c.seal).order_by(table.c.run)
    return {RunNumber(number): bytes(seal) for number, seal in connection.execute(query)}


def user_at_host() -> str:
    """Return the user and the machine of this process, as the system names them.

    A user without a name is a number. Text that is not UTF-8, or that no database takes, is marked.
    """
    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):  # no entry in the system's list of users, as in some containers
        user = str(os.getuid()) if hasattr(os, "getuid") else "unknown"
    return f"{user}@{socket.gethostname()}".encode(errors="replace").decode().replace("\0", "?")


def _columns(run: Run | Forgotten) -> dict[str, Any]:
    row = {field.name: getattr(run, field.name) for field in fields(run)}
    for name in ("inputs", "counts"):
        if name in row:
            row[name] = orjson.dumps(row[name], option=orjson.OPT_SORT_KEYS).decode()
    return row


def _run(row: Row[Any]) -> Run:
    try:
        return Run(
            run=RunNumber(row.run),
            project=row.project,
            root=NodeHash(bytes(row.root)),
            state=NodeHash(bytes(row.state)),
            fingerprint=bytes(row.fingerprint),
            inputs=orjson.loads(row.inputs),
            counts=orjson.loads(row.counts),
            sealed_at=row.sealed_at,
            recorded_by=row.recorded_by,
        )
    except (ValueError, TypeError) as error:
        raise Damaged(f"The row of run {row.run} cannot be read: {error}") from None

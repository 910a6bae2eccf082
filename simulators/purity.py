"""Purity: a sample of a run's calls is repeated, in another order and in another process.

A simulator that looks at a clock, a global random generator, the order of a set or a counter of its own yields
something else the second time, and is refused by name.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from seedjournal.journal import Event, encode

from .domain import Domain, Simulator, load_domain
from .drawing import draws_of
from .facts import Asked
from .failing import SimulatorFailed
from .kinds import Kind
from .simulating import Call, Simulation, made_by

_LARGEST = 16 << 20  # bytes that are handed to the other process
_TIME = 60  # seconds that the other process may take


def refuse_impure(domain: Domain, simulation: Simulation, asked: Asked, folder: Path | None) -> None:
    """Raise SimulatorFailed for a simulator whose repeated calls yield something else.

    `folder` is where a new process finds the domain's module; None repeats the calls in this process alone.
    """
    calls = [call for sample in simulation.calls.values() for call in sample]
    for call in reversed(calls):
        _compare(call, _repeat(call.simulator, call.entity, call.given, asked))
    if folder is None or domain.module is None:
        return
    others = [
        call
        for call in calls
        if call.simulator.name not in domain.tried and (call.simulator.each is not domain.root or domain.root is None)
    ]
    for call, made in zip(others, _elsewhere(domain, others, asked, folder) if others else (), strict=False):
        _compare(call, made)
    domain.tried.update(call.simulator.name for call in others)


def _repeat(simulator: Simulator, entity: Any, given: Mapping[str, Any], asked: Asked) -> list[bytes]:
    locale = getattr(asked.settings, "locale", "en_US")
    draws = draws_of(asked.run.seed, simulator.name, simulator.version, locale)
    return [_text(one, asked.run.project) for one in made_by(simulator, draws, entity, given)]


def _text(entity: Kind, project: str) -> bytes:
    declared = type(entity).__declared__
    if declared.encode is None:
        raise TypeError
    key, data = declared.encode(entity)
    return encode(Event(project=project, kind=declared.name, key=key, data=data)).event


def _compare(call: Call, made: Sequence[bytes]) -> None:
    if list(call.made) == list(made):
        return
    for old, new in zip(call.made, made, strict=False):
        if old != new:
            raise _impure(call, _differing(old, new))
    raise _impure(call, f"the number of entities, {len(call.made)} and then {len(made)}")


def _differing(old: bytes, new: bytes) -> str:
    before, now = orjson.loads(old), orjson.loads(new)
    for part in ("key", "data"):
        for name in sorted({*before[part], *now[part]}):
            if before[part].get(name) != now[part].get(name):
                return f"{before['kind']}.{name}, {before[part].get(name)!r} and then {now[part].get(name)!r}"
    return before["kind"]  # type: ignore[no-any-return]


def _impure(call: Call, what: str) -> SimulatorFailed:
    return SimulatorFailed(
        f"The simulator {call.simulator.name} is not pure: called again for {call.entity!r}, it gave another value of "
        f"{what}.",
        "Use draws instead of random, now, uuid4, the order of a set, or a counter; nothing was recorded.",
    )


def _elsewhere(domain: Domain, calls: Sequence[Call], asked: Asked, folder: Path) -> Iterable[Sequence[bytes]]:
    """Return what a new process, with another seed of hashes, makes of the calls; nothing where they are too large."""
    jobs = [(call.simulator.name, call.entity, dict(call.given)) for call in calls]
    try:
        packed = pickle.dumps((jobs, asked))
    except Exception:  # noqa: BLE001 - a summary that cannot be pickled was repeated in this process
        return []
    if len(packed) > _LARGEST:
        return []
    seed = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    code = "from seedjournal.simulators.purity import answer; answer()"
    command = [sys.executable, "-c", code, f"{domain.module}:{_name(domain)}", str(folder)]
    known = {"PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        done = subprocess.run(  # noqa: S603 - this program itself
            command, input=packed, capture_output=True, timeout=_TIME, check=False, env={**os.environ, **known}
        )
    except subprocess.TimeoutExpired:  # the machine is busy; the calls were repeated in this process
        return []
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        raise SimulatorFailed(
            f"The domain {domain.name!r} fails in a new process: {lines[-1] if lines else 'no reason given'}",
            "Import everything that the simulators need at the top of their module.",
        )
    found: list[list[bytes]] = pickle.loads(done.stdout)  # noqa: S301 - what this program wrote
    return found


def _name(domain: Domain) -> str:
    module = sys.modules[str(domain.module)]
    return next(name for name, value in vars(module).items() if value is domain)


def answer() -> None:
    """Repeat the calls that standard input holds, last one first, and write what they yield."""
    domain = load_domain(sys.argv[1], Path(sys.argv[2]))
    jobs, asked = pickle.loads(sys.stdin.buffer.read())  # noqa: S301 - what this program wrote
    by_name = {one.name: one for one in domain.simulators}
    made = [_repeat(by_name[name], entity, given, asked) for name, entity, given in reversed(jobs)]
    sys.stdout.buffer.write(pickle.dumps(made[::-1]))

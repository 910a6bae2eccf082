"""Simulating on several cores: each worker reads a part of the source, takes its census, and states its events.

What a run says depends neither on how many workers there are nor on who is done first: draws are keyed, censuses and
tallies are merged, and the spool sorts. A worker that fails, for whatever reason, is nobody's news: the work is done
again alone, which tells the reason as it always does.
"""

from __future__ import annotations

import gc
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from threading import current_thread, main_thread
from typing import Any, Self

from journal import Canonical, Spool, encode, pieces

from .census import Census, Window, open_census
from .facts import Facts, Source
from .kept import Kept
from .project import Project
from .simulate import Made, Tally, of_facts, open_tally


class WorkerFailed(Exception):
    """A worker could not go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How events are made of facts, the same for every worker; `provenance` is by simulator."""

    seed: int
    as_of: date
    provenance: Mapping[str, str]

    def encoded(self, made: Iterable[Made]) -> Iterator[tuple[Canonical, str]]:
        """Events as the journal takes them, each with its provenance."""
        provenance = self.provenance
        for event, simulator in made:
            yield encode(event), provenance[simulator]


class Crew:
    """Workers over the parts of a source; without any, the work is done here. Raises WorkerFailed where one fails."""

    def __init__(self, source: Source, project: Project, window: Window, jobs: int) -> None:
        self._facts = Kept(source)
        self._project = project
        self._census = open_census(source, project, window)
        parts = source.parts(jobs) if jobs > 1 else ()
        self._workers = [_Worker(part, self._census) for part in parts] if len(parts) > 1 else []

    def __enter__(self) -> Self:
        """Use as a context manager, to end the workers."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the workers, whatever they do, and forget the facts."""
        self._facts.__exit__()
        for worker in self._workers:
            worker.end()

    def census(self) -> Census:
        """The census of all facts."""
        if not self._workers:
            self._census.read(self._facts)
        for worker in self._workers:
            self._census.merge(worker.receive(Census))
        self._census.close()
        return self._census

    def spool(self, spool: Spool, plan: Plan, tell: Callable[[int], None]) -> Tally:
        """Spool the facts' events; `tell` hears of pull requests that are done."""
        tally = open_tally(self._project, plan.as_of)
        if not self._workers:
            spool.add(plan.encoded(of_facts(self._facts, self._census, tally, seed=plan.seed, tell=tell)))
            return tally
        for worker in self._workers:
            worker.send((self._census, plan))
        waiting = {worker.connection: worker for worker in self._workers}
        blocks: dict[object, list[bytes]] = {connection: [] for connection in waiting}
        while waiting:
            for connection in wait(list(waiting)):
                message = waiting[connection].receive(bytes, int, Tally)  # type: ignore[index]
                if isinstance(message, bytes):
                    blocks[connection].append(message)
                elif isinstance(message, int):
                    spool.take(blocks[connection])
                    blocks[connection] = []
                    tell(message)
                else:
                    tally.merge(message)
                    del waiting[connection]  # type: ignore[arg-type]
        return tally


class _Worker:
    """A process and the way to it. It starts anew, so that it shares nothing with this one, on every system alike."""

    def __init__(self, part: Facts, census: Census) -> None:
        context = get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, part, census, gc.get_threshold()), daemon=True)
        with _interrupts_ignored():
            self._process.start()
        theirs.close()

    def send(self, message: object) -> None:
        """Tell the worker something."""
        try:
            self.connection.send(message)
        except OSError as error:
            raise WorkerFailed from error

    def receive(self, *kinds: type[Any]) -> Any:
        """What the worker says next, which is of one of these types."""
        try:
            message = self.connection.recv()
        except (EOFError, OSError) as error:
            raise WorkerFailed from error
        if not isinstance(message, kinds):
            raise WorkerFailed(message)
        return message

    def end(self) -> None:
        """End the process, if it has not ended."""
        self.connection.close()
        self._process.terminate()
        self._process.join()


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Start processes that are deaf to Ctrl-C: who asked for their work hears it, and ends them."""
    if current_thread() is not main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _work(connection: Connection, part: Facts, census: Census, garbage: tuple[int, int, int]) -> None:
    """What a worker does, from its start to its end; a failure's text is its last word."""
    gc.set_threshold(*garbage)  # collected as rarely as by who asked for the work
    with suppress(OSError, EOFError):  # nobody waits for the work any more
        try:
            with Kept(part) as facts:
                census.read(facts)
                connection.send(census)
                census, plan = connection.recv()
                for message in _messages(facts, census, plan):
                    connection.send(message)
        except (OSError, EOFError):
            raise
        except BaseException as error:  # noqa: BLE001 - told, and found again by who does it alone
            connection.send(repr(error))


def _messages(facts: Facts, census: Census, plan: Plan) -> Iterator[bytes | int | Tally]:
    """Blocks of a piece, then how many pull requests are done, and so on; the tally last."""
    tally = open_tally(census.project, plan.as_of)
    done = 0

    def count(more: int) -> None:
        nonlocal done
        done += more

    for piece in pieces(plan.encoded(of_facts(facts, census, tally, seed=plan.seed, tell=count))):
        yield from piece
        yield done
        done = 0
    yield done
    yield tally

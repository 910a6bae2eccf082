"""Simulating on several cores: each process reads a part of the source, takes its census, and states its events.

One part is this process's own; workers have the others. What a run says depends neither on how many there are nor on
who is done first: draws are keyed, censuses and tallies are merged, and the spool sorts. A worker that fails, and facts
of a part that cannot be right, are nobody's news: the work is done again in one piece, which tells the reason as it
always does.
"""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from threading import Thread, current_thread, main_thread
from typing import Any, Self

from seedjournal.journal import BadInput, Canonical, Spool, encode

from .census import Census, Window, open_census
from .facts import Facts, Source
from .kept import Kept
from .project import Project
from .simulate import Made, Tally, of_facts, open_tally

_LOOK_EVERY = 0.1  # seconds, at workers that have not done their parts

Tell = Callable[[int], None]


class PartFailed(Exception):
    """A part of the work could not be done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How events are made of facts, the same for every part; `provenance` is by simulator."""

    seed: int
    as_of: date
    provenance: Mapping[str, str]

    def encoded(self, made: Iterable[Made]) -> Iterator[tuple[Canonical, str]]:
        """Events as the journal takes them, each with its provenance."""
        provenance = self.provenance
        for event, simulator in made:
            yield encode(event), provenance[simulator]

    def spool(self, facts: Facts, census: Census, spool: Spool, tell: Tell) -> Tally:
        """Spool the events of facts; `tell` hears of pull requests that are done."""
        tally = open_tally(census.project, self.as_of)
        spool.add(self.encoded(of_facts(facts, census, tally, seed=self.seed, tell=tell)))
        return tally


class Crew:
    """One process and its workers over the parts of a source. Raises PartFailed where one of several fails."""

    def __init__(self, source: Source, project: Project, window: Window, jobs: int) -> None:
        self._own, *self._others = source.parts(jobs) if jobs > 1 else [source]
        self._census = open_census(source, project, window)
        self._workers: list[_Worker] = []
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Use as a context manager: workers work from here on, and end with it, whatever they do."""
        with ExitStack() as stack:
            self._facts = stack.enter_context(Kept(self._own))
            for part in self._others:
                worker = _Worker(part, self._census)
                stack.callback(worker.end)
                self._workers.append(worker)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """End the workers, and forget the facts."""
        self._stack.close()

    def census(self) -> Census:
        """The census of all facts."""
        with self._one_of_several():
            self._census.read(self._facts)
        for worker in self._workers:
            self._census.merge(worker.receive(Census))
        self._census.close()
        return self._census

    def spool(self, spool: Spool, plan: Plan, tell: Tell) -> Tally:
        """Spool the facts' events; `tell` hears of pull requests that are done."""
        count = self._counter(tell)
        for worker in self._workers:
            worker.send((self._census, plan))
        with self._one_of_several():
            tally = plan.spool(self._facts, self._census, spool, count)
        for worker in self._workers:
            while not worker.connection.poll(_LOOK_EVERY):
                count(0)
            while isinstance(message := worker.receive(list, Tally), list):
                spool.take(message)
            tally.merge(message)
        count(0)
        return tally

    def _counter(self, tell: Tell) -> Tell:
        """What counts pull requests that are done here, and tells of them with those that others have done."""
        here = told = 0

        def count(more: int) -> None:
            nonlocal here, told
            here += more
            now = here + sum(worker.done.value for worker in self._workers)
            if now > told:
                tell(now - told)
                told = now

        return count

    @contextmanager
    def _one_of_several(self) -> Iterator[None]:
        """Do this process's own part. Where there are others, bad input in it may not be what comes first of it."""
        try:
            yield
        except BadInput as error:
            if self._workers:
                raise PartFailed from error
            raise


class _Worker:
    """A process and the way to it. It starts anew, on every system alike.

    It shares with this one nothing but `done`, the number of pull requests whose events it has made.
    """

    def __init__(self, part: Facts, census: Census) -> None:
        context = get_context("spawn")
        try:
            self.done = context.RawValue("Q")
            self.connection, theirs = context.Pipe()
            self._process = context.Process(
                target=_work, args=(theirs, part, census, self.done, gc.get_threshold()), daemon=True
            )
            with _interrupts_ignored():
                self._process.start()
        except OSError as error:  # no room for another process, or none to share a number in
            raise PartFailed from error
        theirs.close()

    def send(self, message: object) -> None:
        """Tell the worker something."""
        try:
            self.connection.send(message)
        except OSError as error:
            raise PartFailed from error

    def receive(self, *kinds: type[Any]) -> Any:
        """What the worker says next, which is of one of these types."""
        try:
            message = self.connection.recv()
        except (EOFError, OSError) as error:
            raise PartFailed from error
        if not isinstance(message, kinds):
            raise PartFailed(message)
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


def _work(connection: Connection, part: Facts, census: Census, done: Any, garbage: tuple[int, int, int]) -> None:
    """What a worker does, from its start to its end: a census, then sorted pieces, each a list of blocks, and a tally.

    A failure's text is its last word. To send waits until who asked receives, which is when its own part is done: so
    everything is made before anything is sent.
    """
    gc.set_threshold(*garbage)  # collected as rarely as by who asked for the work
    Thread(target=_end_with_who_asked, daemon=True).start()

    def count(more: int) -> None:
        done.value += more

    with suppress(OSError, EOFError):  # nobody waits for the work any more; should a disk have failed, its end tells
        try:
            with Kept(part) as facts, Spool() as spool:
                census.read(facts)
                connection.send(census)
                census, plan = connection.recv()
                tally = plan.spool(facts, census, spool, count)
                for piece in spool.pieces():
                    connection.send(piece)
                connection.send(tally)
        except (OSError, EOFError):
            raise
        except BaseException as error:  # noqa: BLE001 - told, and found again by who does it alone
            connection.send(repr(error))


def _end_with_who_asked() -> None:
    """End this worker once the process that started it is gone, however it went."""
    asked = parent_process()
    if asked is not None:
        wait([asked.sentinel])
        os._exit(1)

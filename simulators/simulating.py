"""Simulating: a domain's facts and simulators become the entities of one run.

A kind is complete when its facts were read and all simulators that yield it have run. Its entities then wait, sorted,
in a temporary file once they are many; whoever takes the kind reads them from there in the order of their keys. Memory
grows with what a simulator asks to have as a whole (`All`, summaries), not with the run.
"""

from __future__ import annotations

import inspect
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache, partial
from itertools import groupby
from operator import itemgetter
from typing import Any, Self

import msgspec
import orjson

from seedjournal.journal import (
    BadInput,
    Canonical,
    Entry,
    Event,
    KeyBytes,
    Misuse,
    NotCanonical,
    Policy,
    Sorter,
    Type,
    encode,
    hash_event,
    plain_encoder,
    resolve,
)
from seedjournal.journal import Kind as Definition
from seedjournal.progress import Tell

from .domain import Domain, Its, Simulator, Stated, Taken, seen_by
from .drawing import All, Draws, draws_of
from .facts import Asked, places_of, unwritable
from .failing import SimulatorFailed, failed
from .kinds import Declared, Document, Key, Kind, document_key, key_of
from .policies import is_changed, own_fact_kinds, refuse_unfit
from .referring import References, all_of, hash_key, lacks, refuse_dangling


@dataclass(frozen=True, slots=True)
class Previous:
    """A state: its content by kind, in the order of keys as bytes, and the kinds as they were recorded."""

    read: Callable[[str], Iterable[tuple[KeyBytes, str]]]
    kinds: Mapping[str, Definition]


_STATED, _SIMULATED = 0, 1  # what is written by hand wins over what is simulated
_LARGEST_ALL = 1_000_000
_SAMPLE = 6  # calls of a simulator that are repeated, to see that it is pure
_REMEMBERED = 4_096


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a simulator, kept to be repeated: what it was given but for draws, and what it yielded."""

    simulator: Simulator
    entity: Kind | Document | None
    given: Mapping[str, Any]
    made: tuple[bytes, ...]


def encoder_of(declared: Declared, project: str) -> Callable[[Any, Any], Canonical] | None:
    """Return the function that makes a kind's keys and data into events; JSON values are looked at first."""
    columns = declared.columns
    if not declared.parts:
        return None
    if any(column.holds is Type.JSON or len(column.to) > 1 for column in columns.values()):
        return lambda key, data: encode(Event(project=project, kind=declared.name, key=key, data=data))
    data = sorted(name for name in columns if name not in declared.key)
    return plain_encoder(project, declared.name, sorted(declared.key_names), data)


class Collection:
    """The entities of one kind in a run: those that it states, and those that the tables will show."""

    def __init__(self, declared: Declared, project: str) -> None:
        self.declared = declared
        self.is_complete = False
        self._project = project
        self._write = declared.encode
        self._encode = encoder_of(declared, project)
        self._stated = Sorter()
        self._stated_references = References(declared)
        self._ordered: Sorter | None = None
        self._index: dict[Key, bytes] | None = None
        self._policy = Policy.EXACT
        self._previous: Previous | None = None
        self._refuse_unfit: Callable[[str], None] = lambda _: None
        self.places: Callable[[Key], list[str]] = lambda _: []  # where facts state an entity

    def close(self) -> None:
        """Give the disk space back."""
        self._stated.close()
        if self._ordered:
            self._ordered.close()

    def add(self, entity: Kind, rank: int, provenance: str) -> bytes:
        """Take an entity; return its event's canonical text."""
        if self._encode is None or self._write is None:
            raise TypeError
        try:
            _, key, hashed, event = self._encode(*self._write(entity))
        except NotCanonical as error:
            raise unwritable(entity, error) from None
        self._stated.add((key, rank, hashed, event, provenance), len(event) + len(key))
        self._stated_references.take(entity)
        return event

    def take(self, made: Canonical, rank: int, provenance: str) -> None:
        """Take an event."""
        self._stated.add((made.key, rank, made.hash, made.event, provenance), len(made.event) + len(made.key))

    def complete(
        self, policy: Policy, previous: Previous | None, refuse_unfit: Callable[[str], None] | None = None
    ) -> None:
        """Take note that nothing more comes; `previous` gives the state before, which a policy may keep.

        `refuse_unfit` raises for an entity of it that the kind cannot have.
        """
        self.is_complete = True
        if refuse_unfit:
            self._refuse_unfit = refuse_unfit
        self._policy, self._previous = policy, previous
        self._refuse_shared_values()

    def entries(self) -> Iterator[Entry]:
        """Yield what the run states, in the order of keys as bytes; raise for two entities of one key and origin."""
        kind = self.declared.name
        for key, same in groupby(self._stated.records(), itemgetter(0)):
            rows = list(same)
            first = rows[0]
            if len(rows) > 1 and rows[1][1] == first[1]:
                parts = orjson.loads(bytes(key))
                places = self.places(tuple(parts[name] for name in self.declared.key_names))
                raise BadInput(
                    f"{kind} {self._shown(key)} is made twice: by {first[4]} and by {rows[1][4]}"
                    + (f" ({'; '.join(places[:3])})." if places else "."),
                    "Each entity may be made once. Remove one of the two.",
                )
            yield Entry(kind, KeyBytes(bytes(key)), first[2], bytes(first[3]), first[4])

    def merged(self) -> Iterator[tuple[KeyBytes, bytes]]:
        """Yield the content that the tables will show: what the run states, merged with the previous state."""
        if self._previous is None or self._policy is Policy.EXACT:
            for entry in self.entries():
                yield entry.key, entry.event
            return
        before = iter(self._previous.read(self.declared.name))
        old = next(before, None)
        for entry in self.entries():
            while old is not None and old[0] < entry.key:
                yield self._kept(*old)
                old = next(before, None)
            if old is None or old[0] != entry.key:
                yield entry.key, entry.event
                continue
            if resolve(self._policy, previous=False, recorded=True):
                yield entry.key, entry.event
            else:
                yield self._kept(*old)
            old = next(before, None)
        while old is not None:
            yield self._kept(*old)
            old = next(before, None)

    def _kept(self, key: KeyBytes, text: str) -> tuple[KeyBytes, bytes]:
        """Return what the policy keeps of the previous state; raise BadInput if it does not fit the kind any more."""
        self._refuse_unfit(text)
        return key, text.encode()

    def ordered(self) -> Iterator[tuple[Key, bytes]]:
        """Yield keys and events in the order of keys, part by part as declared, integers as numbers."""
        if self._ordered is None:
            self._ordered = Sorter()
            names = self.declared.key_names
            for key, event in self.merged():
                parts = orjson.loads(key)
                self._ordered.add((tuple(parts[name] for name in names), event), len(event) + len(key))
        for key, event in self._ordered.records():
            yield tuple(key), event

    def entity(self, event: bytes) -> Any:
        """Return the entity that an event states, with references that are named by their keys."""
        read = self.declared.decode
        if read is None:
            raise TypeError
        content = orjson.loads(event)
        return read(content["key"], content["data"])

    def find(self, key: Key) -> Any | None:
        """Return the entity of a key, if there is one."""
        if self._index is None:
            self._index = dict(self.ordered())
        event = self._index.get(key)
        return None if event is None else self.entity(event)

    def references(self) -> References:
        """Return the references of the entities that the tables will show, and of some that facts replaced."""
        if self._policy is Policy.EXACT or self._previous is None:
            return self._stated_references
        return all_of(self.shown(), self.declared)

    def keys(self) -> array[int]:
        """Return a hash of each key that the tables will show."""
        names = self.declared.key_names
        parts = (orjson.loads(key) for key, _ in self.merged())
        return array("q", (hash_key(tuple(one[name] for name in names)) for one in parts))

    def shown(self) -> Iterator[Any]:
        """Yield the entities that the tables will show, with references that are named by their keys."""
        return (self.entity(event) for _, event in self.merged())

    def newest_day(self) -> str:
        """Return the newest day of any date or instant that is not fixed, as text; "" where there is none."""
        names = [
            name
            for name, column in self.declared.columns.items()
            if column.holds in {Type.DATE, Type.INSTANT} and not column.fixed and not column.to
        ]
        newest = ""
        for _, event in self.merged() if names else ():
            content = orjson.loads(event)
            for name in names:
                value = content["data"].get(name) or content["key"].get(name) or ""
                newest = max(newest, value[:10])
        return newest

    def _refuse_shared_values(self) -> None:
        """Raise for two entities that share what `unique` says that no two do."""
        for names in self.declared.unique:
            values = Sorter()
            try:
                for key, event in self.merged():
                    content = orjson.loads(event)
                    both = {**content["data"], **content["key"]}
                    parts = [both.get(name) for name in names]
                    if None not in parts:
                        values.add((orjson.dumps(parts), key), len(key) + 50)
                for value, same in groupby(values.records(), itemgetter(0)):
                    keys = [key for _, key in same]
                    if len(keys) > 1:
                        raise BadInput(
                            f"{self.declared.name}: {self._shown(keys[0])} and {self._shown(keys[1])} have the same "
                            f"{', '.join(names)}: {', '.join(map(str, orjson.loads(value)))}.",
                            "No two entities may share it. Change one of the two.",
                        )
            finally:
                values.close()

    def _shown(self, key: bytes) -> str:
        """Return a key as people read it: its parts in the declared order."""
        parts = orjson.loads(bytes(key))
        return "/".join(str(parts[name]) for name in self.declared.key_names)


class Simulation:
    """One run of a domain: `entries` yields its events, in the order of manifests, when `simulate` is done."""

    notices: Sequence[str] = ()

    def __init__(
        self,
        domain: Domain,
        *,
        asked: Asked,
        policies: Mapping[str, Policy],
        profile: str | None = None,
        previous: Previous | None = None,
        shared: Previous | None = None,
        is_shared: bool = False,
        tell: Tell = lambda *_: None,
    ) -> None:
        self._domain = domain
        self._asked = asked
        self._policies = policies
        self._profile = profile
        self._previous = previous
        self._tell = tell
        self._stack = ExitStack()
        self._collections: dict[type[Kind], Collection] = {}
        self._summaries: dict[type[Any], Any] = {}
        self._alls: dict[type[Kind], All[Any]] = {}
        self._done: set[str] = set()
        self._calls: dict[str, list[Call]] = {}
        self._takers: dict[tuple[str, type[Any]], tuple[Collection, bool]] = {}
        self._loaders: dict[type[Kind], Callable[[Key], Any]] = {}
        self._documents: dict[type[Document], Sorter] = {}
        self._own = set(domain.project_kinds(shared=is_shared or domain.root is None))
        if domain.root is None:
            self._own = set(domain.kinds)
        for kind in domain.kinds:
            collection = Collection(kind.__declared__, asked.run.project)
            self._stack.callback(collection.close)
            self._collections[kind] = collection
            if kind not in self._own and shared is not None and domain.is_shared(kind):
                for key, text in shared.read(kind.__declared__.name):
                    collection.take(_known(kind.__declared__.name, key, text), _STATED, "shared")
                collection.complete(Policy.EXACT, None)

    def __enter__(self) -> Self:
        """Use as a context manager, to give the disk space back."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the temporary files."""
        self._stack.close()

    @property
    def today(self) -> date:
        """The run's date."""
        return self._asked.run.today

    @property
    def calls(self) -> dict[str, list[Call]]:
        """A sample of the calls of each simulator."""
        return self._calls

    def simulate(self) -> None:
        """Make all entities of the run."""
        facts = self._domain.fact_kinds
        ordered = sorted(self._own, key=lambda kind: kind.__declared__.name not in facts)
        for kind in ordered:
            if self._asked.run.day is None and kind.__declared__.name not in facts:
                self._date()
            self._complete(kind)
        if self._asked.run.day is None:
            self._date()
        self._refuse_dangling()

    def _refuse_dangling(self) -> None:
        """Raise BadInput for an entity that refers to one that the tables will not show."""
        found = {kind: self._collections[kind].references() for kind in self._own}
        keys = {kind: one.keys for kind, one in found.items()}
        for kind, references in found.items():
            collection = self._collections[kind]
            for led_to, wanted in references.led_to.items():
                if led_to not in keys and self._collections[led_to].is_complete:  # what all projects share
                    keys[led_to] = self._collections[led_to].keys()
                if led_to in keys and lacks(keys[led_to], wanted):
                    refuse_dangling(collection.shown(), references, lambda to, key: self._collections[to].find(key))

    def entries(self) -> Iterator[Entry]:
        """Yield the run's entries in the order of a manifest."""
        for kind in sorted(self._own, key=lambda one: one.__declared__.name):
            if kind.__declared__.recorded:
                yield from self._collections[kind].entries()

    def _date(self) -> None:
        """Set the run's date to the newest day of the facts."""
        facts = self._domain.fact_kinds
        days = [one.newest_day() for kind, one in self._collections.items() if kind.__declared__.name in facts]
        newest = max(days, default="") or "2024-01-01"
        self._asked = replace(self._asked, run=replace(self._asked.run, day=date.fromisoformat(newest)))

    # -- completing kinds ----------------------------------------------------------------------------------------------

    def _complete(self, kind: type[Kind]) -> Collection:
        collection = self._collections[kind]
        if collection.is_complete:
            return collection
        name = kind.__declared__.name
        for stated in self._domain.stated:
            if stated.kind is kind and self._is_read(stated):
                self._state(collection, stated.source)
        for simulator in self._domain.simulators:
            if kind in simulator.yields and simulator.name not in self._done:
                self._done.add(simulator.name)
                for need in simulator.needs:
                    if issubclass(need, Kind):
                        self._complete(need)
                self._simulate(simulator)
        policy = self._policies.get(name, Policy.EXACT)
        previous = self._previous if name in self._domain.fact_kinds else None
        collection.complete(policy, previous, self._refuser(kind.__declared__, policy))
        return collection

    def _refuser(self, declared: Declared, policy: Policy) -> Callable[[str], None] | None:
        """Return what refuses entities of the previous state that do not fit, if the kind has changed since then."""
        before = self._previous.kinds if self._previous else {}
        if not is_changed(declared, before):
            return None
        may_choose = declared.name in own_fact_kinds(self._domain)
        return partial(refuse_unfit, declared, before, policy, may_choose=may_choose)

    def _state(self, collection: Collection, source: Any) -> None:
        """Take a kind's facts; those of other roots are left out."""
        root, project = self._domain.root, self._asked.run.project
        before = collection.places
        collection.places = lambda key: before(key) + places_of(source, collection.declared, key, self._asked)
        count = 0
        for entity in source.entities(collection.declared, self._asked):
            if root is not None and not self._domain.is_shared(type(entity)) and str(key_of(entity)[0]) != project:
                continue
            collection.add(entity, _STATED, f"facts:{source.name}")
            count += 1
        self._tell("reading", count, None)

    def _simulate(self, simulator: Simulator) -> None:
        draws = draws_of(
            self._asked.run.seed, simulator.name, simulator.version, getattr(self._asked.settings, "locale", "en_US")
        )
        fixed = {taken.name: self._fixed(taken) for taken in simulator.takes if taken.what in {"all", "summary"}}
        fixed |= {taken.name: self._asked.settings for taken in simulator.takes if taken.what == "settings"}
        fixed |= {taken.name: self._asked.run for taken in simulator.takes if taken.what == "run"}
        groups = {
            one.name: _Groups(self._children(one, simulator.each)) for one in simulator.takes if one.what == "its"
        }
        provenance = f"{simulator.name}/{simulator.version}"
        sample = self._calls.setdefault(simulator.name, [])
        number, step = 0, 1
        for entity in self._each(simulator):
            given = dict(fixed)
            for taken in simulator.takes:
                if taken.what == "each":
                    given[taken.name] = entity
                elif taken.what == "its" and isinstance(entity, Kind):
                    given[taken.name] = self._its(taken, entity, groups[taken.name])
            made = self._call(simulator, draws, entity, given, provenance)
            if number % step == 0:  # the first few, then ever rarer ones: spread over all, whatever their number
                sample.append(Call(simulator, entity, given, made))
                if len(sample) > _SAMPLE:
                    del sample[1::2]
                    step *= 2
            number += 1
            if number % 1_000 == 0:
                self._tell("simulating", 1_000, None)
        self._tell("simulating", number % 1_000, None)

    def _call(
        self,
        simulator: Simulator,
        draws: Draws,
        entity: Kind | Document | None,
        given: Mapping[str, Any],
        provenance: str,
    ) -> tuple[bytes, ...]:
        made: list[bytes] = []
        for one in made_by(simulator, draws, entity, given):
            known = self._takers.get((simulator.name, type(one)))
            collection, is_of_root = known or self._taker(simulator, one)
            try:
                if is_of_root and key_of(one)[0] != self._asked.run.project:
                    self._refuse_other_root(simulator, one)
                made.append(collection.add(one, _SIMULATED, provenance))
            except SimulatorFailed:
                raise
            except BadInput as error:
                about = f" for {entity!r}" if entity is not None else ""
                raise failed(
                    f"The simulator {simulator.name} yields {one!r}{about}, which does not fit", error
                ) from error
        return tuple(made)

    def _taker(self, simulator: Simulator, one: Any) -> tuple[Collection, bool]:
        """Return what takes the entities of a simulator and a kind, and whether they must be of the project's root."""
        collection = self._collections.get(type(one))
        if collection is None or type(one) not in simulator.yields:
            names = ", ".join(kind.__name__ for kind in simulator.yields)
            raise SimulatorFailed(
                f"The simulator {simulator.name} yields {one!r}, but its annotation says {names}.",
                "Correct the annotation or the function.",
            )
        is_of_root = self._domain.root is not None and not self._domain.is_shared(type(one))
        if type(one) not in self._own:
            raise SimulatorFailed(
                f"The simulator {simulator.name} yields {one!r}, which belongs to "
                + ("one root entity." if is_of_root else "all projects."),
                "Let a simulator of shared kinds take and yield shared kinds only, and one of a root's kinds yield "
                "its own.",
            )
        taker = self._takers[simulator.name, type(one)] = collection, is_of_root
        return taker

    def _refuse_other_root(self, simulator: Simulator, one: Any) -> None:
        root, project = self._domain.root, self._asked.run.project
        if root is not None and str(key_of(one)[0]) != project:
            raise SimulatorFailed(
                f"The simulator {simulator.name} yields {one!r}, which does not belong to the {root.__name__} "
                f"{project}.",
                "Let it yield entities of this project only.",
            )

    # -- what simulators take ------------------------------------------------------------------------------------------

    def _each(self, simulator: Simulator) -> Iterator[Kind | Document | None]:
        if simulator.each is None:
            yield None
        else:
            yield from self._loaded(simulator.each)

    def _fixed(self, taken: Taken) -> Any:
        kind = taken.kind
        if kind is None:
            raise TypeError
        if taken.what == "all":
            if kind not in self._alls:
                entities = []
                for entity in self._loaded(kind):
                    entities.append(entity)
                    if len(entities) > _LARGEST_ALL:
                        raise BadInput(
                            f"All[{kind.__name__}] would hold more than {_LARGEST_ALL:,} entities.",
                            "Use Its[…] or a Summary instead.",
                        )
                self._alls[kind] = All(entities)
            return self._alls[kind]
        if kind not in self._summaries:
            self._summaries[kind] = self._summary(kind)
        return self._summaries[kind]

    def _summary(self, kind: type[Any]) -> Any:
        """Return a summary that has seen everything; raise SimulatorFailed with the user's own lines."""
        possible = {"settings": self._asked.settings, "run": self._asked.run}
        wanted = inspect.signature(kind).parameters
        try:
            summary = kind(**{name: possible[name] for name in wanted if name in possible})
            for seen in seen_by(kind):
                for entity in self._loaded(seen):
                    summary.see(entity)
            summary.close()
        except (BadInput, Misuse):
            raise  # of what it sees
        except Exception as error:
            raise failed(f"The summary {kind.__name__} failed", error) from error
        return summary

    def _loaded(self, kind: type[Kind | Document]) -> Iterator[Any]:
        """Yield entities or documents in the order of their keys, entities with those in their key loaded."""
        if issubclass(kind, Document):
            yield from self._read(kind)
            return
        collection = self._complete(kind)
        declared = collection.declared
        joined = {
            name: _Join(self._loaded(declared.columns[name].to[0]))
            for name in declared.ancestors
            if _is_prefix(declared, name)
        }
        searched = [name for name in declared.ancestors if name not in joined]
        for key, event in collection.ordered():
            entity = collection.entity(event)
            values = entity.__dict__
            for name, join in joined.items():
                found = join.at(key)
                if found is not None:
                    values[name] = found
            for name in searched:
                values[name] = self._found(values[name])
            yield entity

    def _read(self, kind: type[Document]) -> Iterator[Document]:
        """Yield documents in the order of their keys; raise BadInput for two of one key."""
        if kind not in self._documents:
            self._documents[kind] = self._sorted(kind)
        before: tuple[Any, ...] | None = None
        read = msgspec.msgpack.Decoder(kind).decode
        for record in self._documents[kind].records():
            key, where, content = record
            if before is not None and before[0] == key:
                raise BadInput(
                    f"{kind.__name__} {'/'.join(map(str, key))} is given twice: by {before[1]} and by {where}.",
                    "Facts may give each document once; remove one of the two.",
                )
            before = record
            yield read(content)

    def _sorted(self, kind: type[Document]) -> Sorter:
        """Return the documents of a class with their keys; those of other roots, whom their keys name, are left out."""
        sources = [one for one in self._domain.stated if one.kind is kind]
        if not sources:
            raise Misuse(
                f"A simulator takes {kind.__name__}, but the domain {self._domain.name!r} has no facts of it.",
                f"Add {self._domain.name}.facts({kind.__name__}, …).",
            )
        documents = Sorter()
        self._stack.callback(documents.close)
        root = self._domain.root
        is_of_roots = root is not None and kind.__document_key__[0] == root.__declared__.name
        write = msgspec.msgpack.Encoder().encode
        for stated in sources:
            for where, one in stated.source.documents(kind, self._asked) if self._is_read(stated) else ():
                key = document_key(one)
                if not is_of_roots or str(key[0]) == self._asked.run.project:
                    content = write(one)
                    documents.add((key, where, content), len(content) + 100)
                    self._tell("reading", 1, None)
        return documents

    def _is_read(self, stated: Stated) -> bool:
        return stated.profile in {None, self._profile}

    def _found(self, named: Any) -> Any:
        """Return an entity with what is in its key loaded, from one that is named by its key."""
        kind = type(named)
        if kind not in self._loaders:
            self._loaders[kind] = lru_cache(maxsize=_REMEMBERED)(partial(self._find, self._complete(kind)))
        return self._loaders[kind](key_of(named)) or named

    def _find(self, collection: Collection, key: Key) -> Any:
        entity = collection.find(key)
        if entity is not None:
            for name in collection.declared.ancestors:
                entity.__dict__[name] = self._found(entity.__dict__[name])
        return entity

    def _children(self, taken: Taken, to: type[Any] | None) -> Iterator[tuple[Key, Any]]:
        """Yield the key that each entity of a kind refers to `to` by, and the entity, in the order of these keys."""
        kind = taken.kind
        if kind is None:
            raise TypeError
        collection = self._complete(kind)
        declared = collection.declared
        if (
            taken.order.field is None
            and taken.reference in declared.ancestors
            and _is_prefix(declared, taken.reference)
        ):
            width = len(declared.columns[taken.reference].to[0].__declared__.parts)
            for entity in self._loaded(kind):
                yield key_of(entity)[:width], entity
            return
        sorter = Sorter()
        try:
            for key, event in collection.ordered():
                entity = collection.entity(event)
                referred = entity.__dict__[taken.reference]
                if type(referred) is to:
                    value = _order_value(entity, taken.order.field, declared)
                    sorter.add((key_of(referred), value, key, event), len(event) + 200)
            for referred_key, _, _, event in sorter.records():
                entity = collection.entity(event)
                for name in declared.ancestors:
                    if name != taken.reference:
                        entity.__dict__[name] = self._found(entity.__dict__[name])
                yield tuple(referred_key), entity
        finally:
            sorter.close()

    def _its(self, taken: Taken, entity: Kind, groups: _Groups) -> Its[Any]:
        children = groups.at(key_of(entity))
        for child in children:
            child.__dict__[taken.reference] = entity
        return Its(children)


def made_by(
    simulator: Simulator, draws: Draws, entity: Kind | Document | None, given: Mapping[str, Any]
) -> Iterator[Any]:
    """Yield what one call of a simulator makes; raise SimulatorFailed with the user's own lines where it fails."""
    arguments = dict(given)
    for taken in simulator.takes:
        if taken.what == "draw":
            arguments[taken.name] = draws.of(entity) if entity is not None else draws.of("")
    try:
        made = simulator.function(**arguments)
        if made is not None and not isinstance(made, Iterable):
            raise TypeError(f"it gives a {type(made).__name__}, not entities; use yield")
        yield from made or ()
    except (Exception, SystemExit) as error:
        about = f" for {entity!r}" if entity is not None else ""
        raise failed(f"The simulator {simulator.name} failed{about}", error) from error


def _known(kind: str, key: KeyBytes, text: str) -> Canonical:
    return Canonical(kind, key, hash_event(text.encode()), text.encode())


def _is_prefix(declared: Declared, reference: str) -> bool:
    """Return whether the key of what a reference leads to is the beginning of the kind's own key, in the same order."""
    definition = declared.definition
    if definition is None:
        return False
    target = declared.columns[reference].to[0].__declared__
    shared = next(one.shared for one in definition.references if one.name == reference)
    return tuple(shared[name] for name in target.key_names) == declared.key_names[: len(target.key_names)]


def _order_value(entity: Any, name: str | None, declared: Declared) -> tuple[Any, ...]:
    if name is None:
        return ()
    value = entity.__dict__[name]
    if value is None:
        return (0,)
    column = declared.columns[name]
    if column.holds in {Type.DECIMAL, Type.FLOAT}:
        return (1, float(value))
    if isinstance(value, (int, str)):
        return (1, value)
    return (1, list(key_of(value))) if isinstance(value, Kind) else (1, str(value))


class _Join:
    """Walks a sorted stream of entities along keys that begin with theirs."""

    def __init__(self, entities: Iterator[Any]) -> None:
        self._entities = entities
        self._current: Any = None
        self._key: Key = ()

    def at(self, key: Key) -> Any | None:
        """Return the entity whose key this one begins with, if there is one."""
        while self._current is None or self._key < key[: len(self._key)]:
            self._current = next(self._entities, None)
            if self._current is None:
                return None
            self._key = key_of(self._current)
        return self._current if self._key == key[: len(self._key)] else None


class _Groups:
    """Walks a sorted stream of (key, entity) along keys."""

    def __init__(self, rows: Iterator[tuple[Key, Any]]) -> None:
        self._rows = rows
        self._next: tuple[Key, Any] | None = next(rows, None)

    def at(self, key: Key) -> list[Any]:
        """Return the entities under a key."""
        while self._next is not None and self._next[0] < key:
            self._next = next(self._rows, None)
        found = []
        while self._next is not None and self._next[0] == key:
            found.append(self._next[1])
            self._next = next(self._rows, None)
        return found

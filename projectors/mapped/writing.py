"""Bringing tables that others own to a state: one staging table a kind, from which everything is set-based.

The tables are never created, altered or given indexes. Rows are found by the ledger, which names every row of ours, or
by the columns that hold a kind's key. What was written is compared once more, so that a trigger that swallows a row or
rewrites a value is an error, and not a difference that the next projection finds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from hashlib import sha256
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Integer,
    MetaData,
    Numeric,
    Select,
    Table,
    Text,
    and_,
    cast,
    delete,
    exists,
    false,
    func,
    insert,
    literal,
    literal_column,
    null,
    or_,
    select,
    text,
    true,
    tuple_,
    update,
)
from sqlalchemy.exc import DataError, IntegrityError

from seedjournal.journal import KeyBytes, Misuse, Pointer, Type, Unavailable, batched, canonical_key

from ..dialects import dialect_of
from ..layout import moved
from ..mapping import DATABASE, DERIVED, KEY, NOT_GIVEN, PARENT, FieldValue, Path
from ..notes import ADOPTED, LEDGER, MADE, STALE
from ..rows import ID_TAG, derived_id, taker
from .catalogue import ALWAYS, UniqueKey
from .expressions import expressions, literal_of, moment, pointers
from .kinds import Filled, FittedMap, MappedKind, Spelled

_BATCH = 5_000
_REMEMBERED = 1 << 15  # ids of other entities
_NAMED = 5  # so many entities are named in an error
_DOUBLED = 24  # so often twice as many taken ids are passed over: 16 million
_COUNTED = {"preserve_rowcount": True}
_KEY = "seedjournal_key"

Texts = Callable[[], Iterable[list[str]]]


def derived_uuid(kind: str, key: KeyBytes) -> str:
    """Derive a key's id as a UUID of version 8."""
    digest = bytearray(sha256(b"%b%b\n%b" % (ID_TAG, kind.encode(), key)).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x80
    digest[8] = digest[8] & 0x3F | 0x80
    return str(UUID(bytes=bytes(digest)))


@dataclass(slots=True)
class MappedIds:
    """The ids of entities: derived or told by their key, but for those that the ledger has."""

    connection: Connection
    fitted: FittedMap
    known: dict[tuple[str, bytes], str] = field(default_factory=dict)

    def load(self, *kinds: str) -> None:
        """Read what the ledger has of kinds: rows that their owners made, and ids that the database gave."""
        given = [kind for kind in kinds if self.fitted.maps[kind].scheme == DATABASE]
        query = select(LEDGER.c.kind, LEDGER.c.key, LEDGER.c.id).where(LEDGER.c.kind.in_(kinds))
        query = query.where(or_(LEDGER.c.why == ADOPTED, LEDGER.c.kind.in_(given)))
        self.known = {known: id_ for known, id_ in self.known.items() if known[0] not in kinds}
        self.known.update({(kind, key.encode()): id_ for kind, key, id_ in self.connection.execute(query)})

    def finder(self, kind: str) -> Callable[[KeyBytes], Any]:
        """Return a function from keys of a kind to ids."""
        mapped = self.fitted.maps[kind]
        if mapped.scheme == DERIVED and mapped.has_whole_numbers and not self.known:
            return partial(derived_id, kind)
        return partial(self.of, kind)

    def of(self, kind: str, key: KeyBytes) -> Any:
        """Return an entity's id; None where the database has not given it one."""
        if self.known and (given := self.known.get((kind, key))) is not None:
            return given
        mapped = self.fitted.maps[kind]
        if mapped.scheme == DERIVED and mapped.has_whole_numbers:
            return derived_id(kind, key)
        if mapped.is_part:
            return self.of(mapped.kind.part_of or "", self._key_of_owner(mapped, key))
        if mapped.scheme == DERIVED:
            return self._derived(mapped, key)
        if mapped.scheme in {KEY, PARENT} and len(mapped.identity) == 1:
            return self._told(mapped, key)
        return None

    def _derived(self, mapped: MappedKind, key: KeyBytes) -> Any:
        info = mapped.info.columns[mapped.identity[0]]
        made = derived_uuid(mapped.kind.name, key)
        return made.replace("-", "") if "32" in info.type else made

    def _told(self, mapped: MappedKind, key: KeyBytes) -> Any:
        """Return the id that is itself a part of the key, or another entity's id."""
        value = next(one.value for one in mapped.columns if one.name == mapped.identity[0])
        parts = orjson.loads(key)
        if isinstance(value, FieldValue):
            return parts.get(value.name)
        name = getattr(value, "name", None)
        path = mapped.paths.get(name) if name else None
        if path is None or path.reference is not None:
            return None
        return self.of(path.to, canonical_key({theirs: parts[ours] for theirs, ours in path.shared.items()}))

    def _key_of_owner(self, mapped: MappedKind, key: KeyBytes) -> KeyBytes:
        parts = orjson.loads(key)
        reference = next(one for one in mapped.kind.references if one.to == mapped.kind.part_of)
        return canonical_key({theirs: parts[ours] for theirs, ours in reference.shared.items()})


def raw_maker(mapped: MappedKind, ids: MappedIds, days: int = 0) -> Callable[[str], tuple[Any, ...]]:
    """Return a function from an event's text to its raw row: key, id, fields, ids of other entities, their kinds."""
    inputs, generics = mapped.inputs, mapped.generics
    fields = {one.name: one for one in mapped.kind.fields}
    take = taker(inputs)
    lists = [place for place, name in enumerate(inputs) if fields[name].type is Type.JSON]
    dates = [place for place, name in enumerate(inputs) if days and fields[name].moves]
    pointers = [_pointer(mapped.paths[name], ids) for name in mapped.refs]
    id_of = ids.finder(mapped.kind.name) if mapped.gives_ids or mapped.is_part else lambda _: None

    def make(text: str) -> tuple[Any, ...]:
        event = orjson.loads(text)
        key, data = event["key"], event["data"]
        bytes_ = KeyBytes(orjson.dumps(key))
        held = [pointer(key, data) for pointer in pointers]
        kinds = [(data[name] or {}).get("kind") for name in generics]
        data.update(key)
        values = take(data)
        if lists or dates:
            values = [*values]
            for place in lists:
                if values[place] is not None:
                    values[place] = orjson.dumps(values[place]).decode()
            for place in dates:
                if values[place] is not None:
                    values[place] = moved(values[place], days)
        return (bytes_.decode(), id_of(bytes_), *values, *held, *kinds)

    return make


def _pointer(path: Path, ids: MappedIds) -> Callable[[dict[str, Any], dict[str, Any]], Any]:
    """Return a function from an event's key and data to another entity's id."""
    to, reference, ours = path.to, path.reference, tuple(path.shared.values())
    if reference is not None and reference.also:
        name = reference.name

        def of_any(_: dict[str, Any], data: dict[str, Any]) -> Any:
            value = data[name]
            if value is None or value["kind"] not in ids.fitted.maps:
                return None
            return ids.of(value["kind"], canonical_key(value["key"]))

        return of_any
    rest = tuple(part for part in ids.fitted.vocabulary[to].key if part not in path.shared)
    names, take_rest = (*path.shared, *rest), taker(rest)

    @lru_cache(maxsize=_REMEMBERED)
    def of(parts: tuple[str | int, ...]) -> Any:
        return ids.of(to, canonical_key(dict(zip(names, parts, strict=True))))

    take = taker(ours)
    if reference is None:
        return lambda key, _: of(take(key))
    told_by = reference.name

    def told(key: dict[str, Any], data: dict[str, Any]) -> Any:
        value = data[told_by]
        if value is None:
            return None
        return of(take(key) + (take_rest(value) if isinstance(value, dict) else (value,)))

    return told


class Written(NamedTuple):
    """How many rows were inserted and updated, and how many differ and were left so."""

    inserted: int = 0
    updated: int = 0
    differing: int = 0


@dataclass(slots=True)
class MappedWriter:
    """Compares and writes one kind's rows of one project."""

    connection: Connection
    fitted: FittedMap
    mapped: MappedKind
    project: str
    ids: MappedIds
    leaves_adopted: bool = False
    days: int = 0  # rows' dates are so many days later than those of events
    held: frozenset[str] = frozenset()  # columns that are filled later
    raw: Table = field(init=False)
    stage: Table = field(init=False)

    def __post_init__(self) -> None:
        """Name the temporary tables."""
        self.raw = self.fitted.raw(self.mapped)
        self.stage = self.fitted.stage(self.mapped)

    @property
    def kind(self) -> str:
        """The kind's name."""
        return self.mapped.kind.name

    @property
    def owned(self) -> list[str]:
        """The columns that are compared and brought to the state now."""
        return [name for name in self.mapped.owned if name not in self.mapped.identity and name not in self.held]

    @property
    def rows(self) -> Table:
        """The table."""
        return self.mapped.table

    # -- staging -----------------------------------------------------------------------------------------------------

    @contextmanager
    def staged(
        self, texts: Texts, tell: Callable[[int], None] = lambda _: None, *, is_empty: bool = False
    ) -> Iterator[None]:
        """Stage rows as the table is to have them, for a while; `is_empty` says that it has no row to be joined."""
        self._fill(texts, tell)
        if self._refers_to_itself and self._find_ids():
            self._drop()
            self._fill(texts, lambda _: None)
        if self.mapped.is_on_postgresql and not is_empty:
            joined = dict.fromkeys((_KEY, *self.mapped.identity, *self.mapped.key))  # all columns would cost much more
            quoted = map(self.connection.dialect.identifier_preparer.quote_identifier, joined)
            self.connection.exec_driver_sql(f"ANALYZE {self.stage.name} ({', '.join(quoted)})")
        yield
        self._drop()  # not where it failed: then the transaction drops them

    @property
    def _refers_to_itself(self) -> bool:
        return self.mapped.scheme == DATABASE and any(
            self.kind in self.mapped.kinds_led_to(one) for one in self.mapped.refs
        )

    def _drop(self) -> None:
        self.stage.drop(self.connection, checkfirst=False)
        self.raw.drop(self.connection, checkfirst=False)

    def _fill(self, texts: Texts, tell: Callable[[int], None]) -> None:
        make = raw_maker(self.mapped, self.ids, self.days)
        dialect = dialect_of(self.connection)
        self.raw.create(self.connection, checkfirst=False)
        self.stage.create(self.connection, checkfirst=False)
        for piece in texts():
            dialect.load(self.raw.name, self.raw.columns.keys(), map(make, piece))
            tell(len(piece))
        computed = [
            null() if name in self.held else one
            for name, one in zip(self.mapped.written, expressions(self.fitted, self.mapped, self.raw), strict=True)
        ]
        statement = insert(self.stage).from_select(list(self.stage.columns.keys()), select(self.raw.c.key, *computed))
        try:
            with self.connection.begin_nested():
                self.connection.execute(statement)
        except (DataError, IntegrityError) as error:
            raise self._unfitting(error) from error

    def _unfitting(self, error: DataError | IntegrityError) -> Misuse:
        """Say which value of which entity does not fit which column."""
        reason = str(error.orig).strip().splitlines()[0]
        computed = dict(zip(self.mapped.written, expressions(self.fitted, self.mapped, self.raw), strict=True))
        found: list[str] = []
        for one in self.mapped.columns:
            if problem := self._too_much(one, computed[one.name]):
                condition, limit = problem
                plain = self._plain(one)
                told = cast(computed[one.name] if plain is None else plain, Text)
                query = select(self.raw.c.key, told).where(condition)
                for key, value in self.connection.execute(query.order_by(self.raw.c.key).limit(_NAMED)):
                    found.append(
                        f"{self.kind} {key}: {self.mapped.shown}.{one.name} takes {limit}, and not {str(value)[:60]!r}"
                    )
        words = "; ".join(found) or f"table {self.mapped.shown}: {reason}"
        return Misuse(
            f"{words}; nothing was written.",
            'Shorten the value in the map, such as sql("left(:name, 50)"), or change the column.',
        )

    def _too_much(self, one: Filled, value: ColumnElement[Any]) -> tuple[ColumnElement[bool], str] | None:
        """Say in SQL that a value does not fit its column, and what does."""
        info = one.info
        if not self.mapped.is_on_postgresql:
            return None
        if info.length is not None:
            return func.char_length(cast(value, Text)) > info.length, f"{info.length} characters"
        plain = self._plain(one)
        if plain is None:
            return None
        if info.labels:
            return cast(plain, Text).not_in(info.labels), " or ".join(info.labels)
        most = info.largest
        if most is None:
            return None
        return func.abs(func.round(cast(plain, Numeric), info.scale or 0)) > most, f"numbers up to {most:,}"

    def _plain(self, one: Filled) -> ColumnElement[Any] | None:
        """Return the field that a column takes as it is."""
        return self.raw.c[f"f_{one.value.name}"] if isinstance(one.value, FieldValue) else None

    # -- finding rows ------------------------------------------------------------------------------------------------

    def same_row(self, one: Any, two: Any) -> ColumnElement[bool]:
        """Say in SQL that two rows have one primary key."""
        return and_(*(one.c[name] == two.c[name] for name in self.mapped.identity))

    def noted_id(self, name: str) -> ColumnElement[Any]:
        """Return a column of the primary key as the ledger has it."""
        spelled: ColumnElement[Any] = LEDGER.c.id
        if len(self.mapped.identity) > 1:
            place = self.mapped.identity.index(name)
            spelled = (
                func.jsonb_extract_path_text(cast(LEDGER.c.id, Spelled("jsonb")), str(place))
                if self.mapped.is_on_postgresql
                else func.json_extract(LEDGER.c.id, f"$[{place}]")
            )
        info = self.mapped.info.columns[name]
        if self.mapped.is_on_postgresql:
            return cast(spelled, Spelled(info.type))
        return cast(spelled, Integer) if info.is_integer else spelled

    def is_noted(self, rows: Any, *why: str) -> ColumnElement[bool]:
        """Say in SQL that the ledger's row is this one."""
        conditions = [rows.c[name] == self.noted_id(name) for name in self.mapped.identity]
        return and_(LEDGER.c.kind == self.kind, *([LEDGER.c.why.in_(why)] if why else []), *conditions)

    def id_text(self, rows: Any) -> ColumnElement[str]:
        """Spell a row's primary key as the ledger has it."""
        texts = [cast(rows.c[name], Text) for name in self.mapped.identity]
        if len(texts) == 1:
            return texts[0]
        if self.mapped.is_on_postgresql:
            return cast(func.jsonb_build_array(*texts), Text)
        return cast(func.json_array(*texts), Text)

    def in_ledger(self, key: Any, *why: str) -> ColumnElement[bool]:
        """Say in SQL that the ledger has this key."""
        found = exists().where(LEDGER.c.kind == self.kind, LEDGER.c.key == key)
        return found.where(LEDGER.c.why.in_(why)) if why else found

    def differs(self, rows: Any, staged: Any, names: Sequence[str] | None = None) -> ColumnElement[bool]:
        """Say in SQL that a row and a staged one differ in a column of ours; texts are compared by their bytes."""
        compared = self.owned if names is None else names
        found: ColumnElement[bool] = or_(false(), *(self._differs_in(rows, staged, name) for name in compared))
        return found

    def _differs_in(self, rows: Any, staged: Any, name: str) -> ColumnElement[bool]:
        one, two = rows.c[name], staged.c[name]
        if self.mapped.info.columns[name].is_text:
            bytewise = dialect_of(self.connection).bytewise
            one, two = cast(one, Text).collate(bytewise), cast(two, Text).collate(bytewise)
        differs: ColumnElement[bool] = one.is_distinct_from(two)
        return differs

    def count_present(self) -> int:
        """Count the project's rows that the ledger names and the table has, but for stale ones."""
        query = select(func.count()).select_from(LEDGER).join(self.rows, self.is_noted(self.rows, MADE, ADOPTED))
        return self._count(query.where(LEDGER.c.project == self.project))

    # -- writing -----------------------------------------------------------------------------------------------------

    def write(
        self, texts: Texts, tell: Callable[[int], None], *, only_missing: bool = False, is_first: bool = False
    ) -> Written:
        """Bring the rows of these events to their content; `only_missing` leaves rows that are there as they are."""
        if self.mapped.is_part:
            return self._write_part(texts, tell, only_missing=only_missing)
        if not is_first:
            self._release_lost()
        is_empty = is_first and not self.connection.execute(select(exists().select_from(self.rows))).scalar()
        with self.staged(texts, tell, is_empty=is_empty):
            if not is_empty or self.mapped.scheme == DATABASE:
                self._find_ids()
            if is_empty and not self.mapped.losers and (loaded := self._load()) is not None:
                return Written(loaded)
            self._refuse_strangers()
            if self.leaves_adopted:
                adopted = select(LEDGER.c.key).where(LEDGER.c.kind == self.kind, LEDGER.c.why == ADOPTED)
                self.connection.execute(delete(self.stage).where(self.stage.c[_KEY].in_(adopted)))
            aside = self._resolve_uniques()
            if not is_first:
                self._refuse_orphans()
                self._revive()
            differing = updated = 0
            if only_missing:
                differing = self._count_differing()
            else:
                updated = self._move_rows() + self._update(aside)
            inserted = self._insert()
            self._note()
            if not only_missing:
                self._refuse_rewritten()
            return Written(inserted, updated, differing)

    def _load(self) -> int | None:
        """Insert all staged rows into an empty table; return None if a constraint refuses some."""
        names = list(self.mapped.written)
        order = [self.stage.c[name] for name in self.mapped.identity]
        staged = select(*map(self._at_first, names)).order_by(*order)
        try:
            with self.connection.begin_nested():
                stored = self._do_with_given_ids(insert(self.rows).from_select(names, staged))
                self._lead_to_own(true())
        except IntegrityError:
            return None
        self._note(is_new=self.mapped.scheme != DATABASE)
        if self.mapped.info.triggers or not self.mapped.is_on_postgresql:  # nothing else there rewrites a row
            self._refuse_rewritten()
        return stored

    def write_absent(self, texts: Texts) -> int:
        """Give rows the defaults of a part that left the state, if the rows themselves did not; return how many."""
        with self.staged(texts):
            is_there = exists().where(self.same_row(self.rows, self.stage))
            self.connection.execute(delete(self.stage).where(~is_there))
            updated = self._update([])
            self._refuse_rewritten()
            return updated

    def _write_part(self, texts: Texts, tell: Callable[[int], None], *, only_missing: bool) -> Written:
        with self.staged(texts, tell):
            if only_missing:
                return Written(differing=self._count_differing())
            updated = self._update([])
            self._refuse_rewritten()
            return Written(updated=updated)

    def _count(self, query: Select[Any]) -> int:
        return int(self.connection.execute(query).scalar_one())

    def _do(self, statement: Any) -> int:
        return int(self.connection.execute(statement, execution_options=_COUNTED).rowcount)

    def _release_lost(self) -> None:
        """Forget adopted rows that their owners deleted: their entities get rows of ours."""
        lost = and_(
            LEDGER.c.kind == self.kind,
            LEDGER.c.project == self.project,
            LEDGER.c.why == ADOPTED,
            ~exists().where(and_(*(self.rows.c[name] == self.noted_id(name) for name in self.mapped.identity))),
        )
        if self._count(select(func.count()).select_from(LEDGER).where(lost)):
            self.connection.execute(delete(LEDGER).where(lost))
            self.ids.load(self.kind)

    def _find_ids(self) -> bool:
        """Give staged rows the ids of rows under their keys that others made, and new ones; say if any got one."""
        found = self._adopt()
        if self.mapped.scheme == DATABASE:
            found = self._allocate() or found
        if found:
            self.ids.load(self.kind)
        return found

    def _adopt(self) -> bool:
        """Note rows under keys of ours that nobody noted as adopted."""
        rows, stage = self.rows, self.stage
        is_new = ~self.in_ledger(stage.c[_KEY])
        is_stranger = dialect_of(self.connection).is_absent(self.id_text(rows), LEDGER.c.id, LEDGER.c.kind == self.kind)
        if self.mapped.gives_ids:
            if not self.mapped.key:
                return False
            matched = and_(
                *(rows.c[name] == stage.c[name] for name in self.mapped.key),
                is_stranger,
                or_(stage.c[self.mapped.identity[0]].is_(None), ~self.same_row(rows, stage)),
            )
        else:
            matched = and_(self.same_row(rows, stage), is_stranger)
        query = select(stage.c[_KEY], self.id_text(rows)).join_from(stage, rows, matched)
        found = self.connection.execute(query.where(or_(is_new, self._is_lost(stage)))).all()
        if not found:
            return False
        by_key: dict[str, str] = {}
        for key, number in found:
            if by_key.setdefault(key, number) != number:
                raise Misuse(
                    f"Table {self.mapped.shown} has two rows for {self.kind} {key}: {by_key[key]} and {number}; "
                    "nothing was written.",
                    "Delete one of them, or choose other columns in `key`.",
                )
        for batch in batched(by_key, _BATCH):
            self.connection.execute(delete(LEDGER).where(LEDGER.c.kind == self.kind, LEDGER.c.key.in_(batch)))
        self._load_ledger([(key, number, ADOPTED) for key, number in by_key.items()])
        if self.mapped.gives_ids:
            self._take_noted_ids(ADOPTED)
        return True

    def _is_lost(self, stage: Table) -> ColumnElement[bool]:
        """Say in SQL that the staged entity is noted, and its row is not there."""
        return and_(self.in_ledger(stage.c[_KEY]), ~exists().where(self.same_row(self.rows.alias(), stage)))

    def _take_noted_ids(self, *why: str) -> None:
        (name,) = self.mapped.identity
        noted = select(self.noted_id(name)).where(LEDGER.c.kind == self.kind, LEDGER.c.key == self.stage.c[_KEY])
        noted = noted.where(LEDGER.c.why.in_(why))
        has = self.in_ledger(self.stage.c[_KEY], *why)
        self.connection.execute(update(self.stage).values({name: noted.scalar_subquery()}).where(has))

    def _load_ledger(self, notes: Iterable[tuple[str, str, str]]) -> None:
        for batch in batched(notes, _BATCH):
            made = [(self.kind, key, self.project, number, why) for key, number, why in batch]
            dialect_of(self.connection).load(LEDGER.name, ("kind", "key", "project", "id", "why"), made)

    def _allocate(self) -> bool:
        """Let the database give ids to staged rows without one, in the order of `by`, and note them."""
        (name,) = self.mapped.identity
        without = self.stage.c[name].is_(None)
        if not self._count(select(func.count()).select_from(self.stage).where(without)):
            return False
        order = [self.raw.c[f"f_{one}"] for one in self.mapped.declared.by]
        bytewise = dialect_of(self.connection).bytewise
        query = select(self.raw.c.key).join_from(self.raw, self.stage, self.raw.c.key == self.stage.c[_KEY])
        ordered = query.where(without).order_by(*order, self.raw.c.key.collate(bytewise)).subquery()
        number: ColumnElement[Any]
        if self.mapped.is_on_postgresql and (default := self._default()):
            number = literal_column(default)
        else:
            (highest,) = self.connection.execute(select(func.coalesce(func.max(self.rows.c[name]), 0))).one()
            number = literal(int(highest)) + func.row_number().over()
        made = select(literal(self.kind), ordered.c.key, literal(self.project), cast(number, Text), literal(MADE))
        noted = insert(LEDGER).from_select(["kind", "key", "project", "id", "why"], made)
        self.connection.execute(noted)
        just_noted = and_(LEDGER.c.kind == self.kind, LEDGER.c.key.in_(select(self.stage.c[_KEY]).where(without)))
        self._pass_over_taken(just_noted, noted, number)
        self._take_noted_ids(MADE)
        return True

    def _pass_over_taken(self, just_noted: ColumnElement[bool], noted: Any, number: ColumnElement[Any]) -> None:
        """Let the database give other ids while rows have some of them: a row that brings its id moves no sequence."""
        (name,) = self.mapped.identity
        taken = just_noted & exists().where(self.rows.c[name] == self.noted_id(name))
        for doubled in range(_DOUBLED):
            if not self._count(select(func.count()).select_from(LEDGER).where(taken)):
                return
            self.connection.execute(delete(LEDGER).where(just_noted))
            self.connection.execute(select(func.count(number)).select_from(func.generate_series(1, 2**doubled)))
            self.connection.execute(noted)
        raise Misuse(
            f"The database gives new rows of {self.mapped.shown} ids that other rows have; nothing was written.",
            f"Set the sequence of its column {name} above the highest id that is there.",
        )

    def _default(self) -> str | None:
        """Return the expression by which the database gives an id."""
        (name,) = self.mapped.identity
        info = self.mapped.info.columns[name]
        if not info.identity:
            return info.default
        quote = self.connection.dialect.identifier_preparer.quote_identifier
        table = f"{quote(self.mapped.info.schema or '')}.{quote(self.mapped.info.name)}"
        query = text("SELECT pg_get_serial_sequence(:name, :column)")
        sequence = self.connection.execute(query, {"name": table, "column": name}).scalar_one()
        return "nextval('{}')".format(str(sequence).replace("'", "''"))

    def _refuse_strangers(self) -> None:
        """Raise Misuse where a row that nobody noted has an id that an entity's key gives."""
        if self.mapped.scheme != DERIVED:
            return
        rows, stage = self.rows, self.stage
        (name,) = self.mapped.identity
        twice = select(func.min(stage.c[_KEY]), func.max(stage.c[_KEY]), stage.c[name]).group_by(stage.c[name])
        for one, two, number in self.connection.execute(twice.having(func.count() > 1)):
            raise Misuse(
                f"{self.kind} {one} and {self.kind} {two} have the same derived id, {number}; nothing was written.",
                f'Let the database give the ids: write ids="database" for {self.kind} in the map.',
            )
        if not self.mapped.key:
            return
        other = or_(*(rows.c[one].is_distinct_from(stage.c[one]) for one in self.mapped.key))
        query = select(stage.c[_KEY], stage.c[name]).join_from(stage, rows, self.same_row(rows, stage))
        for key, number in self.connection.execute(query.where(other, ~self.in_ledger(stage.c[_KEY])).limit(1)):
            raise Misuse(
                f"Table {self.mapped.shown} has a row with id {number} that seedjournal did not make, and {self.kind} "
                f"{key} needs this id; nothing was written.",
                "Give that row another id.",
            )

    def _refuse_orphans(self) -> None:
        """Raise Misuse where rows that staged ones point to are not there."""
        missing = set()
        for name in self.mapped.refs:
            path = self.mapped.paths[name]
            parent = self.fitted.maps.get(path.to)
            if (
                parent is None
                or name in self.mapped.generics
                or path.to == self.kind
                or parent.is_part
                or len(parent.identity) > 1
            ):
                continue
            pointer = self.raw.c[f"r_{name}"]
            is_there = exists().where(parent.table.c[parent.identity[0]] == pointer)
            if self.connection.execute(select(exists().where(pointer.is_not(None), ~is_there))).scalar():
                missing.add(path.to)
        if missing:
            raise Misuse(
                f"{self.kind} cannot be projected: it refers to rows of {' and '.join(sorted(missing))} that are not "
                "there.",
                "If somebody deleted them, --repair puts them back.",
            )

    def _revive(self) -> None:
        """Note that staged entities are no longer stale, and remove the mark of those that were marked as gone."""
        back = and_(LEDGER.c.kind == self.kind, LEDGER.c.why == STALE, LEDGER.c.key.in_(select(self.stage.c[_KEY])))
        if not self._count(select(func.count()).select_from(LEDGER).where(back)):
            return
        if gone := self.mapped.declared.gone:
            found = select(*map(self.noted_id, self.mapped.identity)).where(back)
            marked = tuple_(*(self.rows.c[name] for name in self.mapped.identity)).in_(found)
            changed = {gone.column: false() if self._marks_by_flag else None, **self._touched()}
            self.connection.execute(update(self.rows).values(changed).where(marked))
        self.connection.execute(update(LEDGER).values(why=MADE).where(back))

    def _touched(self) -> dict[str, ColumnElement[Any]]:
        return {name: self._moment(name) for name in self.mapped.touched}

    def _count_differing(self) -> int:
        joined = select(func.count()).select_from(self.stage).join(self.rows, self.same_row(self.rows, self.stage))
        return self._count(joined.where(self.differs(self.rows, self.stage)))

    def _differing_keys(self) -> list[str]:
        joined = select(self.stage.c[_KEY]).join_from(self.stage, self.rows, self.same_row(self.rows, self.stage))
        return list(self.connection.execute(joined.where(self.differs(self.rows, self.stage))).scalars())

    def _update(self, aside: Sequence[str]) -> int:
        """Give rows the staged content where any column of ours differs; return how many.

        `aside` has the keys of rows that hold values which others are about to take.
        """
        expected = self._count_differing()
        if not expected:
            return 0
        names = self.owned
        if aside:
            self._set_aside(aside)
        changed = {**{name: self.stage.c[name] for name in names}, **self._touched()}
        differing = and_(self.same_row(self.rows, self.stage), self.differs(self.rows, self.stage))
        try:
            with self.connection.begin_nested():
                done = self._do(update(self.rows).values(changed).where(differing))
        except IntegrityError as error:
            if aside or not dialect_of(self.connection).is_exclusion(error):
                raise
            return self._update(self._differing_keys())
        if aside:
            done += self._put_back(changed)
        if done < expected:
            raise self._swallowed(expected, done)
        return expected

    def _move_rows(self) -> int:
        """Give rows of ours the primary keys that their entities have now; return how many.

        Only a primary key that holds more than the kind's key can change.
        """
        if self.mapped.key_tells_id:
            return 0
        stage, names = self.stage, self.mapped.identity
        among = and_(LEDGER.c.kind == self.kind, LEDGER.c.key == stage.c[_KEY], LEDGER.c.id != self.id_text(stage))
        was = and_(among, *(self.rows.c[name] == self.noted_id(name) for name in names))
        changed = {**{name: stage.c[name] for name in (*names, *self.owned)}, **self._touched()}
        moved_rows = self._do(update(self.rows).values(changed).where(was))
        if moved_rows:
            self.connection.execute(update(LEDGER).values(id=self.id_text(stage)).where(among))
        return moved_rows

    def _insert(self) -> int:
        """Add the staged rows that the table does not have; return how many."""
        is_new = ~exists().where(self.same_row(self.rows, self.stage))
        count_new = select(func.count()).select_from(self.stage).where(is_new)
        expected = self._count(count_new)
        if not expected:
            return 0
        names = list(self.mapped.written)
        added = Table("seedjournal_added", MetaData(), Column("key", Text, primary_key=True), prefixes=["TEMPORARY"])
        if self._own_pointers:
            added.create(self.connection, checkfirst=False)
            self.connection.execute(insert(added).from_select(["key"], select(self.stage.c[_KEY]).where(is_new)))
        statement = insert(self.rows).from_select(names, select(*map(self._at_first, names)).where(is_new))
        stored = self._do_with_given_ids(statement)
        if self._own_pointers:
            self._lead_to_own(self.stage.c[_KEY].in_(select(added.c.key)))
            added.drop(self.connection, checkfirst=False)
        left = self._count(count_new)
        if stored < expected or left:
            raise self._swallowed(expected, min(stored, expected - left))
        return expected

    @property
    def _own_pointers(self) -> tuple[str, ...]:
        """Name the columns that lead to rows of the same table and are filled after the rows are there.

        Only SQLite needs it: while a reference waits for its row, each new row makes it look through all others, where
        no index has the column first.
        """
        return () if self.mapped.is_on_postgresql else self.mapped.own_pointers

    def _at_first(self, name: str) -> ColumnElement[Any]:
        return null() if name in self._own_pointers else self.stage.c[name]

    def _lead_to_own(self, among: ColumnElement[bool]) -> None:
        """Fill the columns that lead to rows of the same table."""
        if led := {name: self.stage.c[name] for name in self._own_pointers}:
            has_any = or_(*(one.is_not(None) for one in led.values()))
            self.connection.execute(
                update(self.rows).values(led).where(self.same_row(self.rows, self.stage), has_any, among)
            )

    def _do_with_given_ids(self, statement: Any) -> int:
        """Insert rows with values of ours in a column that is GENERATED ALWAYS AS IDENTITY as well."""
        if not any(one.identity == ALWAYS for one in self.mapped.info.columns.values()):
            return self._do(statement)
        compiled = statement.compile(dialect=self.connection.dialect)
        spelled = str(compiled).replace(") SELECT", ") OVERRIDING SYSTEM VALUE SELECT", 1)
        return self.connection.exec_driver_sql(spelled, compiled.params).rowcount

    def _note(self, *, is_new: bool = False) -> None:
        """Note the staged rows that the ledger does not have; `is_new` says that it has none of them."""
        stage = self.stage
        unknown = true() if is_new else ~self.in_ledger(stage.c[_KEY])
        if not is_new and not self._count(select(func.count()).select_from(stage).where(unknown)):
            return
        made = select(literal(self.kind), stage.c[_KEY], literal(self.project), self.id_text(stage), literal(MADE))
        names = ["kind", "key", "project", "id", "why"]
        self.connection.execute(insert(LEDGER).from_select(names, made.where(unknown)))

    def _swallowed(self, sent: int, stored: int) -> Unavailable:
        return Unavailable(
            f"Table {self.mapped.shown} took {stored:,} of {sent:,} rows; nothing was written{self._triggers()}.",
            "A trigger or rule of the table keeps rows out. Disable it, or let it store these rows.",
        )

    def _triggers(self) -> str:
        return f" (it has {', '.join(self.mapped.info.triggers)})" if self.mapped.info.triggers else ""

    def _refuse_rewritten(self) -> None:
        """Raise Unavailable where rows are not as they were written, naming the columns and what may have done it."""
        stage, rows = self.stage, self.rows
        is_there = exists().where(self.same_row(rows, stage))
        lost = self._count(select(func.count()).select_from(stage).where(~is_there))
        if lost:
            total = self._count(select(func.count()).select_from(stage))
            raise self._swallowed(total, total - lost)
        if not self._count_differing():
            return
        found = []
        for name in self.owned:
            query = select(stage.c[_KEY]).join_from(stage, rows, self.same_row(rows, stage))
            query = query.where(self.differs(rows, stage, [name])).limit(1)
            found += [f"{name} of {self.kind} {key}" for key in self.connection.execute(query).scalars()]
        raise Unavailable(
            f"Table {self.mapped.shown} stored other values than seedjournal wrote, in {', '.join(found)}; the "
            f"projection was undone{self._triggers()}.",
            "A trigger rewrites the values. Let the map give them once with initial(…), or change the trigger.",
        )

    # -- comparing ---------------------------------------------------------------------------------------------------

    @contextmanager
    def compared(self, texts: Texts, tell: Callable[[int], None] = lambda _: None) -> Iterator[None]:
        """Stage the whole state to compare it, and write nothing else. Rows of others under our keys count as well."""
        with self.staged(texts, tell):
            self._match_unnoted()
            for unique in self._uniques():
                loser = next((one for one in self.mapped.losers if one.name in unique.columns), None)
                if loser is not None:
                    self._refuse_shared(unique, loser)
                    self._lose(loser, [key for key, holder, _ in self._held(unique) if holder is None])
            yield

    def _match_unnoted(self) -> None:
        """Give staged rows that nobody noted the ids of the rows that have their keys."""
        if not (self.mapped.gives_ids and self.mapped.key):
            return
        (name,) = self.mapped.identity
        same = and_(*(self.rows.c[one] == self.stage.c[one] for one in self.mapped.key))
        found = select(self.rows.c[name]).where(same).order_by(self.rows.c[name]).limit(1).scalar_subquery()
        unnoted = and_(~self.in_ledger(self.stage.c[_KEY]), exists().where(same))
        self.connection.execute(update(self.stage).values({name: found}).where(unnoted))

    def missing(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield keys and values of staged rows that the table does not have."""
        is_there = exists().where(self.same_row(self.rows, self.stage))
        query = select(self.stage).where(~is_there).order_by(self._in_order(self.stage.c[_KEY]))
        for row in self.connection.execute(query).mappings():
            values = dict(row)
            yield values.pop(_KEY), values

    def differences(self) -> Iterator[tuple[str, list[str], dict[str, Any], dict[str, Any]]]:
        """Yield key, columns, the table's values and the staged ones of rows that differ."""
        names = self.owned
        if not names:
            return
        rows, stage = self.rows, self.stage
        query = select(
            stage.c[_KEY],
            *(self._differs_in(rows, stage, name) for name in names),
            *(rows.c[name] for name in names),
            *(stage.c[name] for name in names),
        )
        query = query.join_from(stage, rows, self.same_row(rows, stage)).where(self.differs(rows, stage))
        count = len(names)
        for key, *values in self.connection.execute(query.order_by(self._in_order(stage.c[_KEY]))):
            flags, before, now = values[:count], values[count : 2 * count], values[2 * count :]
            found = [name for name, flag in zip(names, flags, strict=True) if flag]
            yield key, found, dict(zip(names, before, strict=True)), dict(zip(names, now, strict=True))

    def unseen(self, *why: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield keys and values of rows that the ledger names, and that are not staged."""
        names = self.mapped.owned
        query = select(LEDGER.c.key, *(self.rows.c[name] for name in names))
        query = query.join_from(LEDGER, self.rows, self.is_noted(self.rows, *why))
        is_unseen = dialect_of(self.connection).is_absent(LEDGER.c.key, self.stage.c[_KEY])
        query = query.where(LEDGER.c.project == self.project, is_unseen).order_by(self._in_order(LEDGER.c.key))
        for key, *values in self.connection.execute(query):
            yield key, dict(zip(names, values, strict=True))

    def keys(self, why: str) -> set[str]:
        """Return the keys that the ledger has for this reason."""
        query = select(LEDGER.c.key).where(LEDGER.c.kind == self.kind, LEDGER.c.why == why)
        return set(self.connection.execute(query.where(LEDGER.c.project == self.project)).scalars())

    def _in_order(self, key: ColumnElement[Any]) -> ColumnElement[Any]:
        return key.collate(dialect_of(self.connection).bytewise)

    # -- values that no two rows share -------------------------------------------------------------------------------

    def _resolve_uniques(self) -> list[str]:
        """Find unique values that two rows would share; return the keys of rows to take out while values change hands.

        Raises Misuse if the map does not say which of the two gives way.
        """
        aside: dict[str, None] = {}
        for unique in self._uniques():
            loser = next((one for one in self.mapped.losers if one.name in unique.columns), None)
            self._refuse_shared(unique, loser)
            losing: list[str] = []
            for key, holder, number in self._held(unique):
                if holder is not None:
                    if not (unique.deferrable and self.mapped.is_on_postgresql):
                        aside[holder] = None
                elif loser is not None and loser.unique and loser.unique.loser is not NOT_GIVEN:
                    losing.append(key)
                else:
                    raise Misuse(
                        f"{self.kind} {key} has the same {_words(unique)} as {self._holder(number)}, but "
                        f"{self.mapped.shown} allows each value once ({unique.name}); nothing was written.",
                        "Change one of the two. Or let the map give one of them another value, with null_as(…, "
                        "unique_in=[…], loser=…).",
                    )
            if loser is not None:
                self._lose(loser, losing)
        return list(aside)

    def _uniques(self) -> Iterator[UniqueKey]:
        """Yield the unique keys: the table's own constraints, and those that the map adds."""
        for one in self.mapped.info.uniques:
            is_id = self.mapped.gives_ids and one.columns == self.mapped.identity
            if not is_id and set(one.columns) <= set(self.mapped.written):
                yield one
        for filled in self.mapped.losers:
            if filled.unique:
                name = f"unique_in of {filled.name}"
                yield UniqueKey(name=name, columns=(*filled.unique.within, filled.name))

    def _in_unique(self, rows: Table, unique: UniqueKey, loser: Filled | None) -> tuple[Any, list[ColumnElement[Any]]]:
        """Return the rows that a unique key compares, and the values by which it does."""
        of_key: list[ColumnElement[Any]] = [literal_column(one) for one in unique.parts] or [
            rows.c[name] for name in unique.columns
        ]
        names = [f"{_KEY}_{place}" for place in range(len(of_key))]
        chosen = select(rows, *(one.label(name) for one, name in zip(of_key, names, strict=True)))
        if not unique.nulls_equal:
            chosen = chosen.where(*(one.is_not(None) for one in of_key))
        if unique.where:
            chosen = chosen.where(literal_column(f"({unique.where})"))
        if loser is not None and loser.unique and loser.unique.loser is not NOT_GIVEN:
            chosen = chosen.where(rows.c[loser.name] != literal_of(loser.unique.loser))
        compared = chosen.subquery()
        return compared, [compared.c[name] for name in names]

    def _refuse_shared(self, unique: UniqueKey, loser: Filled | None) -> None:
        """Find staged rows that share a unique value: the greater key loses it, or else raise Misuse."""
        staged, within = self._in_unique(self.stage, unique, loser)
        bytewise = dialect_of(self.connection).bytewise
        key = staged.c[_KEY].collate(bytewise)
        place = func.row_number().over(partition_by=within, order_by=key).label("place")
        first = func.first_value(staged.c[_KEY]).over(partition_by=within, order_by=key).label("first")
        placed = select(staged.c[_KEY], place, first).subquery()
        shared = self.connection.execute(select(placed.c[_KEY], placed.c.first).where(placed.c.place > 1)).all()
        if not shared:
            return
        if loser is not None and loser.unique and loser.unique.loser is not NOT_GIVEN:
            self._lose(loser, [key for key, _ in shared])
            return
        key, first_key = min(map(tuple, shared))
        more = f" (and {len(shared) - 1:,} more)" if len(shared) > 1 else ""
        raise Misuse(
            f"{self.kind} {first_key} and {self.kind} {key} have the same {_words(unique)}{more}, but "
            f"{self.mapped.shown} allows each value once ({unique.name}); nothing was written.",
            "Change one of the two. Or let the map give the greater key another value, with null_as(…, "
            "unique_in=[…], loser=…).",
        )

    def _lose(self, loser: Filled, keys: Sequence[str]) -> None:
        if loser.unique is None:
            return
        for batch in batched(keys, _BATCH):
            given = {loser.name: literal_of(loser.unique.loser)}
            self.connection.execute(update(self.stage).values(given).where(self.stage.c[_KEY].in_(batch)))

    def _holder(self, number: str) -> str:
        """Name a row by its id, for people."""
        noted = select(LEDGER.c.key).where(LEDGER.c.kind == self.kind, LEDGER.c.id == number)
        if key := self.connection.execute(noted).scalar():
            return f"{self.kind} {key}"
        return f"row {number} of {self.mapped.shown}, which seedjournal did not make"

    def _held(self, unique: UniqueKey) -> Iterator[tuple[str, str | None, str]]:
        """Yield (key, holder's key, holder's id) of staged rows whose value another row of the table has.

        The holder's key is None unless that row is staged as well, with another value.
        """
        loser = next((one for one in self.mapped.losers if one.name in unique.columns), None)
        (held, theirs), (staged, ours) = (self._in_unique(one, unique, loser) for one in (self.rows, self.stage))
        other = self.stage.alias("seedjournal_other")
        same = and_(
            *(
                one.is_not_distinct_from(two) if unique.nulls_equal else one == two
                for one, two in zip(theirs, ours, strict=True)
            )
        )
        query = select(staged.c[_KEY], other.c[_KEY], self.id_text(held))
        query = query.select_from(staged).join(held, and_(same, ~self.same_row(held, staged)))
        query = query.outerjoin(other, self.same_row(held, other))
        yield from map(tuple, self.connection.execute(query).all())

    @property
    def _aside(self) -> Table:
        columns = (
            Column(name, Spelled(one.type), primary_key=name in self.mapped.identity)
            for name, one in self.mapped.info.columns.items()
            if not one.generated
        )
        return Table("seedjournal_aside", MetaData(), *columns, prefixes=["TEMPORARY"])

    def _set_aside(self, keys: Sequence[str]) -> None:
        """Take rows out of the table until all values are free; raise Misuse if other rows refer to them."""
        aside, rows, stage = self._aside, self.rows, self.stage
        names = list(aside.columns.keys())
        moving = Table("seedjournal_moving", MetaData(), Column("key", Text), prefixes=["TEMPORARY"])
        moving.create(self.connection, checkfirst=False)
        dialect_of(self.connection).load(moving.name, ("key",), [(key,) for key in keys])
        among = and_(self.same_row(rows, stage), stage.c[_KEY].in_(select(moving.c.key)))
        for pointer in (one for one in pointers_to(self.connection, self.mapped) if not one.can_wait):
            query = select(stage.c[_KEY]).join_from(stage, rows, among).where(pointer.points_to(rows))
            if referred := self.connection.execute(query.limit(1)).scalar():
                raise Misuse(
                    f"{self.kind} {referred} gives up a unique value that another row of {self.mapped.shown} takes. "
                    f"Rows of {pointer.table} refer to it, so the two cannot be written in any order; nothing was "
                    "written.",
                    "Make the unique constraint DEFERRABLE. Or record the change in two steps, and project after each.",
                )
        if not self.mapped.is_on_postgresql:  # there constraints wait already
            self.connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
        aside.create(self.connection, checkfirst=False)
        taken = select(*(rows.c[name] for name in names)).join_from(stage, rows, among)
        self.connection.execute(insert(aside).from_select(names, taken))
        self.connection.execute(delete(rows).where(exists().where(self.same_row(rows, aside))))
        moving.drop(self.connection, checkfirst=False)

    def _put_back(self, changed: Mapping[str, ColumnElement[Any]]) -> int:
        aside = self._aside
        names = list(aside.columns.keys())
        self.connection.execute(update(aside).values(dict(changed)).where(self.same_row(aside, self.stage)))
        back = insert(self.rows).from_select(names, select(*(aside.c[name] for name in names)))
        done = self._do_with_given_ids(back)
        aside.drop(self.connection, checkfirst=False)
        return done

    # -- what left the state -----------------------------------------------------------------------------------------

    def leave(self, texts: Texts, keys: Sequence[str]) -> list[str]:
        """Note that entities left the state; return the keys of rows that are as they were last written."""
        with self.staged(texts):
            if self.mapped.gives_ids:
                self._take_noted_ids(MADE, ADOPTED, STALE)
            if self.mapped.losers:
                self._yield_to_table()
            joined = select(self.stage.c[_KEY]).join_from(self.stage, self.rows, self.same_row(self.rows, self.stage))
            query = joined.where(~self.differs(self.rows, self.stage), self.in_ledger(self.stage.c[_KEY], MADE))
            unedited = list(self.connection.execute(query).scalars())
        for batch in batched(keys, _BATCH):
            among = and_(LEDGER.c.kind == self.kind, LEDGER.c.key.in_(batch))
            self.connection.execute(delete(LEDGER).where(among, LEDGER.c.why == ADOPTED))
            self.connection.execute(update(LEDGER).values(why=STALE).where(among))
        self.ids.load(self.kind)
        return unedited

    def _yield_to_table(self) -> None:
        """Give staged rows the loser's value if the table has it: rows that are not staged decide who loses."""
        for one in self.mapped.losers:
            if one.unique and one.unique.loser is not NOT_GIVEN:
                given = literal_of(one.unique.loser)
                lost = exists().where(self.same_row(self.rows, self.stage), self.rows.c[one.name] == given)
                self.connection.execute(update(self.stage).values({one.name: given}).where(lost))

    def note_unseen(self, texts: Texts) -> None:
        """Note rows of ours as stale that these events, which are the whole state, do not name."""
        keys = Table("seedjournal_keys", MetaData(), Column("key", Text), prefixes=["TEMPORARY"])
        keys.create(self.connection, checkfirst=False)
        for piece in texts():
            found = [(orjson.dumps(orjson.loads(one)["key"]).decode(),) for one in piece]
            dialect_of(self.connection).load(keys.name, ("key",), found)
        unseen = and_(
            LEDGER.c.kind == self.kind,
            LEDGER.c.project == self.project,
            LEDGER.c.why != STALE,
            dialect_of(self.connection).is_absent(LEDGER.c.key, keys.c.key),
        )
        if self._count(select(func.count()).select_from(LEDGER).where(unseen)):
            self.connection.execute(delete(LEDGER).where(unseen, LEDGER.c.why == ADOPTED))
            self.connection.execute(update(LEDGER).values(why=STALE).where(unseen))
            self.ids.load(self.kind)
        keys.drop(self.connection, checkfirst=False)

    def prune(self, only: Sequence[str] | None = None) -> int:
        """Delete stale rows that no row refers to, or mark them where the map says so; return how many.

        `only` has the keys of those to delete, if not all.
        """
        stale = and_(LEDGER.c.kind == self.kind, LEDGER.c.project == self.project, LEDGER.c.why == STALE)
        if not self._count(select(func.count()).select_from(LEDGER).where(stale)):
            return 0
        gone = Table(
            "seedjournal_gone",
            MetaData(),
            Column("key", Text),
            *(Column(name, self.mapped.spelled(name), primary_key=True) for name in self.mapped.identity),
            prefixes=["TEMPORARY"],
        )
        gone.create(self.connection, checkfirst=False)
        chosen = select(LEDGER.c.key, *(self.noted_id(name) for name in self.mapped.identity)).where(stale)
        for batch in [None] if only is None else batched(only, _BATCH):
            among = chosen if batch is None else chosen.where(LEDGER.c.key.in_(batch))
            self.connection.execute(insert(gone).from_select(list(gone.columns.keys()), among))
        deleted = self._mark(gone) if self.mapped.declared.gone else self._delete(gone)
        gone.drop(self.connection, checkfirst=False)
        return deleted

    def _mark(self, gone: Table) -> int:
        """Mark rows as deleted that are not marked yet."""
        column = self.mapped.declared.gone.column if self.mapped.declared.gone else ""
        among = and_(exists().where(self.same_row(gone, self.rows)), ~self._is_marked())
        given = true() if self._marks_by_flag else self._moment(column)
        return self._do(update(self.rows).values({column: given, **self._touched()}).where(among))

    @property
    def _marks_by_flag(self) -> bool:
        """Whether rows that are gone are marked by true or false, and not by a moment."""
        gone = self.mapped.declared.gone
        return bool(gone and self.mapped.info.columns[gone.column].type.lower().startswith("bool"))

    def _is_marked(self) -> ColumnElement[bool]:
        """Say in SQL that a row is marked as gone."""
        gone = self.mapped.declared.gone
        if gone is None:
            return false()
        marked = self.rows.c[gone.column]
        return func.coalesce(marked, false()) if self._marks_by_flag else marked.is_not(None)

    def _moment(self, name: str) -> ColumnElement[Any]:
        """Return the moment of writing, in the column's type."""
        return moment(self.mapped.info.columns[name], is_on_postgresql=self.mapped.is_on_postgresql)

    def _delete(self, gone: Table) -> int:
        rows = self.rows
        if self.mapped.is_on_postgresql:
            locked = select(rows.c[self.mapped.identity[0]]).where(exists().where(self.same_row(rows, gone)))
            self.connection.execute(locked.with_for_update()).all()
        other = gone.alias()
        held = [self._pointed_from_outside(one, gone, other) for one in pointers_to(self.connection, self.mapped)]
        held += self._softly_pointed(gone, other)
        while held and self._do(delete(gone).where(or_(*held))):
            pass
        deleted = self._do(delete(rows).where(exists().where(self.same_row(rows, gone))))
        still = exists().where(and_(*(rows.c[name] == self.noted_id(name) for name in self.mapped.identity)))
        stale = and_(LEDGER.c.kind == self.kind, LEDGER.c.project == self.project, LEDGER.c.why == STALE)
        self.connection.execute(delete(LEDGER).where(stale, ~still))
        return deleted

    def _pointed_from_outside(self, pointer: Pointer, gone: Table, other: Any) -> ColumnElement[bool]:
        """Say in SQL that a row refers to this one which will not be deleted with it."""
        is_itself = pointer.table == self.mapped.info.name and pointer.schema in {None, self.mapped.info.schema}
        names = (*pointer.columns, *(self.mapped.identity if is_itself else ()))
        from sqlalchemy import column, table

        pointing = table(pointer.table, *map(column, dict.fromkeys(names)), schema=pointer.schema).alias("pointing")
        target = self.rows.alias("target")
        pairs = zip(pointer.columns, pointer.referred, strict=True)
        joined = and_(*(pointing.c[mine] == target.c[theirs] for mine, theirs in pairs))
        found = select(*(target.c[name] for name in self.mapped.identity)).join_from(pointing, target, joined)
        if is_itself:
            found = found.where(~exists().where(self.same_row(pointing, other)))
        return tuple_(*(gone.c[name] for name in self.mapped.identity)).in_(found)

    def _softly_pointed(self, gone: Table, other: Any) -> Iterator[ColumnElement[bool]]:
        """Say in SQL that a column of a mapped table that no foreign key binds holds the row's id, in anybody's row."""
        for child in self.fitted.maps.values():
            for column, kind_column, word in pointers(self.fitted, child, self.kind):
                if any(key.columns == (column.name,) for key in child.info.foreign_keys):
                    continue
                pointing = child.table.alias("pointing")
                (name,) = self.mapped.identity
                told: ColumnElement[Any] = pointing.c[column.name]
                if column.base != self.mapped.info.columns[name].base:
                    told = cast(told, Text)
                found = select(told).where(told.is_not(None))
                if kind_column is not None:
                    found = found.where(pointing.c[kind_column] == word)
                if child.info == self.mapped.info:
                    found = found.where(~exists().where(self.same_row(pointing, other)))
                number: ColumnElement[Any] = gone.c[name]
                yield (cast(number, Text) if column.base != self.mapped.info.columns[name].base else number).in_(found)

    def stale_count(self) -> int:
        """Count stale rows that are still there."""
        query = select(func.count()).select_from(LEDGER).join(self.rows, self.is_noted(self.rows, STALE))
        return self._count(query.where(LEDGER.c.project == self.project, ~self._is_marked()))


def _words(unique: UniqueKey) -> str:
    """Return the columns of a unique key, as an error names them."""
    return " and ".join(unique.columns if unique.is_plain else (one.partition(" COLLATE ")[0] for one in unique.parts))


def pointers_to(connection: Connection, mapped: MappedKind) -> list[Pointer]:
    """Find the foreign keys that refer to the table, in any schema."""
    found = dialect_of(connection).pointers_to(mapped.table)
    names = {name.lower(): name for name in mapped.info.columns}
    return [
        replace(one, referred=tuple(names.get(name.lower(), mapped.identity[0]) for name in one.referred))
        for one in found
    ]

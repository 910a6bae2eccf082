"""The declaration of a map: which table of somebody else's holds a kind, and where each of its columns comes from.

Every column has one owner. *Ours* are kept equal to the state, compared and restored. *Given once* (`initial`) and
`touch` are written and never compared. All others are *theirs* and never written. What the database has is read when a
projection begins (`catalogue`), and the map is judged against it then.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as attribute
from typing import Any, Protocol, TypeAlias

from seedjournal.journal import Kind, Reference, Vocabulary

PLACEHOLDER = re.compile(r"(?<![:\w]):([A-Za-z_]\w*)")

DERIVED, DATABASE, KEY, PARENT = "derived", "database", "key", "parent"
SCHEMES = (DERIVED, DATABASE, KEY, PARENT)


class _Word:
    """A value that a map names by a word: `now`, or nothing given."""

    def __init__(self, word: str) -> None:
        self.word = word

    def __repr__(self) -> str:
        return self.word


now = _Word("now")  # the moment of writing, by the database's clock
NOT_GIVEN = _Word("nothing")


@dataclass(frozen=True, slots=True)
class FieldValue:
    """A field of the kind."""

    name: str


@dataclass(frozen=True, slots=True)
class RefValue:
    """The id of an entity that the kind refers to, or that its key names; or a field of that entity."""

    name: str
    of: str | None = None

    def field(self, name: str) -> RefValue:
        """Take a field of the referenced entity instead of its id."""
        return replace(self, of=name)


@dataclass(frozen=True, slots=True)
class ConstValue:
    """One value for every row."""

    value: Any


@dataclass(frozen=True, slots=True)
class SqlValue:
    """An expression that the database computes; `:name` stands for a field, or for a reference's id."""

    text: str


@dataclass(frozen=True, slots=True)
class NullAs:
    """A value, and what stands for null."""

    of: Value
    null: Any


@dataclass(frozen=True, slots=True)
class ValuesOf:
    """A field of which some values are written otherwise."""

    of: Value
    instead: tuple[tuple[Any, Any], ...]


@dataclass(frozen=True, slots=True)
class LookupValue:
    """The id, or another column, of a row that nobody projects, found by columns of its own."""

    table: str
    where: tuple[tuple[str, Value], ...]
    column: str | None = None
    schema: str | None = None


@dataclass(frozen=True, slots=True)
class Generic:
    """Two columns for a reference to several kinds: which kind, and which row."""

    kind_column: str
    id_column: str
    words: tuple[tuple[str, Any], ...]  # what stands for each kind; without, its name


@dataclass(frozen=True, slots=True)
class KindOf:
    """What stands for the kind of a reference to several kinds."""

    name: str
    words: tuple[tuple[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Unique:
    """A value that no two rows may share; where two entities do, the greater key gets `loser`."""

    of: Value
    within: tuple[str, ...]
    loser: Any


@dataclass(frozen=True, slots=True)
class Initial:
    """A value that is written when the row is inserted, and never again."""

    of: Value


class Touch:
    """The moment at which a row was inserted or a column of ours changed."""


Value: TypeAlias = FieldValue | RefValue | ConstValue | SqlValue | NullAs | ValuesOf | LookupValue | KindOf | Unique
Owned: TypeAlias = Value | Initial | Touch

touch = Touch()


def field(name: str) -> FieldValue:
    """Take a field of the kind."""
    return FieldValue(name)


def ref(name: str) -> RefValue:
    """Take the id of a referenced entity, or of an ancestor in the key; `.field(…)` takes a field of it instead."""
    return RefValue(name)


def const(value: Any) -> ConstValue:
    """Write one value into every row, and keep it."""
    return ConstValue(value)


def sql(text: str) -> SqlValue:
    """Let the database compute a value from fields: `sql("cast(:sprint_id as text)")`."""
    return SqlValue(text)


def null_as(
    source: str | Value, value: Any, *, unique_in: Sequence[str] | None = None, loser: Any = NOT_GIVEN
) -> NullAs | Unique:
    """Write `value` where the source is null.

    With `unique_in`, no two rows with the same values in these columns may share the result, but for `loser`.
    """
    made = NullAs(as_value(source), value)
    return made if unique_in is None else Unique(made, tuple(unique_in), loser)


def values(source: str | Value, **instead: Any) -> ValuesOf:
    """Write other values in the place of some: `values("state", dismissed="commented")`."""
    return ValuesOf(as_value(source), tuple(instead.items()))


def lookup(table: str, *, column: str | None = None, schema: str | None = None, **where: Any) -> LookupValue:
    """Find a row that nobody projects by its columns, and take its id: `lookup("auth_group", name=field("group"))`."""
    found = tuple((name, one if is_value(one) else ConstValue(one)) for name, one in where.items())
    return LookupValue(table, found, column, schema)


def generic(kind_column: str, id_column: str, **words: Any) -> Generic:
    """Store a reference to several kinds in two columns, such as Django's content_type_id and object_id.

    `words` says what stands for each kind: a constant, or `lookup(…)`. Without, its name does.
    """
    return Generic(kind_column, id_column, tuple(words.items()))


def initial(value: Any, *arguments: Any) -> Initial:
    """Write a value when the row is inserted, and never again: text, number, `now`, `ref(…)`, or what a function gives.

    A function is called once a projection.
    """
    if is_value(value):
        return Initial(value)
    return Initial(ConstValue(Call(value, arguments) if callable(value) else value))


@dataclass(frozen=True, slots=True)
class Call:
    """A function of the user's, which gives a value for a projection."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class SoftDelete:
    """A column that marks a row as deleted, in the place of deleting it."""

    column: str


def soft_delete(column: str) -> SoftDelete:
    """Mark rows that left the state by the moment in a column, and do not delete them; undone when the key returns."""
    return SoftDelete(column)


def is_value(one: Any) -> bool:
    """Say whether this is a value of a map."""
    kinds = (FieldValue, RefValue, ConstValue, SqlValue, NullAs, ValuesOf, LookupValue, KindOf, Unique)
    return isinstance(one, kinds)


def as_value(one: str | Value) -> Value:
    """Return a value; a text names a field."""
    return FieldValue(one) if isinstance(one, str) else one


def nearest(name: str, names: Iterable[str]) -> str:
    """Name the nearest of the names, as the end of a sentence."""
    near = difflib.get_close_matches(name, sorted(names), n=1, cutoff=0.4)
    return f"; the nearest is {near[0]!r}" if near else ""


class HasKinds(Protocol):
    """What a map needs of a domain."""

    name: str
    vocabulary: Vocabulary
    root: Any

    @property
    def common(self) -> str | None:
        """The name of the project that holds the shared kinds, if there are any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """One table of a map, as it was declared."""

    kind: Kind
    table: str
    schema: str | None
    columns: Mapping[str, Owned]
    leave_out: frozenset[str]
    key: tuple[str, ...] | None
    ids: str | None
    by: tuple[str, ...]
    gone: SoftDelete | None
    by_trigger: frozenset[str]
    theirs: frozenset[str] = frozenset()

    @property
    def shown(self) -> str:
        """The table's name for people."""
        return f"{self.schema}.{self.table}" if self.schema else self.table


@dataclass(slots=True)
class Tables:
    """A map of a domain onto tables that others own."""

    domain: Vocabulary | HasKinds
    declared: dict[str, Declared] = attribute(default_factory=dict)
    left_out: set[str] = attribute(default_factory=set)
    left_alone: set[str] = attribute(default_factory=set)
    problems: list[str] = attribute(default_factory=list)

    @property
    def vocabulary(self) -> Vocabulary:
        """The domain's kinds."""
        return self.domain if isinstance(self.domain, Vocabulary) else self.domain.vocabulary

    @property
    def root(self) -> str | None:
        """The kind of which a project is one entity."""
        if isinstance(self.domain, Vocabulary):
            return self.domain.kinds[0].name
        declared = getattr(self.domain.root, "__declared__", None)
        return declared.name if declared else None

    @property
    def common(self) -> str | None:
        """The name of the project that holds the kinds that all share."""
        if isinstance(self.domain, Vocabulary) or not any(one.is_shared for one in self.vocabulary.kinds):
            return None
        return self.domain.name

    def is_of(self, kind: Kind, project: str) -> bool:
        """Say whether a project holds a kind: a root entity's, or the one of kinds that all share."""
        return kind.is_shared == (self.common == project)

    def with_table(self, project: str) -> list[str]:
        """List the project's kinds that a table holds, parents before children; parts are in their owners' tables."""
        kinds = (one for one in self.vocabulary.kinds if one.name not in self.left_out and self.is_of(one, project))
        return [one.name for one in kinds if one.name in self.declared or one.part_of in self.declared]

    def table(  # noqa: PLR0913 - what a table may be told
        self,
        kind: str,
        table: str,
        *,
        columns: Mapping[str, Any] | None = None,
        leave_out: str = "",
        key: Sequence[str] | None = None,
        schema: str | None = None,
        ids: str | None = None,
        by: str = "",
        gone: SoftDelete | None = None,
        filled_by_trigger: str = "",
        theirs: Sequence[str] = (),
    ) -> None:
        """Say which table holds a kind.

        `columns` says where columns come from that are not named as their fields; `leave_out` names fields without a
        column. `key` names the columns by which a row is found, `ids` how rows get their ids (derived, database, key or
        parent), `by` the fields in whose order the database gives them. `gone=soft_delete(…)` marks rows that leave.
        `theirs` names columns that are left to the application, even where a field has their name.
        """
        if kind not in self.vocabulary.by_name:
            self.problems.append(f"there is no kind {kind!r}{nearest(kind, self.vocabulary.by_name)}")
            return
        if kind in self.declared:
            self.problems.append(f"{kind} has two tables, {self.declared[kind].shown} and {table}")
        if ids is not None and ids not in SCHEMES:
            self.problems.append(f"{kind}: ids={ids!r} is not one of {', '.join(SCHEMES)}")
        owned: dict[str, Owned] = {}
        for name, one in (columns or {}).items():
            if isinstance(one, Generic):
                owned[one.kind_column], owned[one.id_column] = KindOf(name, one.words), RefValue(name)
            elif isinstance(one, str):
                owned[name] = FieldValue(one)
            elif is_value(one) or isinstance(one, Initial | Touch):
                owned[name] = one
            else:
                self.problems.append(
                    f"{kind}: column {name} is given {one!r}; write const({one!r}) to keep it, or initial({one!r})"
                )
        self.declared[kind] = Declared(
            kind=self.vocabulary[kind],
            table=table,
            schema=schema,
            columns=owned,
            leave_out=frozenset(leave_out.split()),
            key=tuple(key) if key is not None else None,
            ids=ids,
            by=tuple(by.split()),
            gone=gone,
            by_trigger=frozenset(filled_by_trigger.split()),
            theirs=frozenset(theirs),
        )

    def leave_out(self, kinds: str) -> None:
        """Name kinds that no table holds."""
        for kind in kinds.split():
            if kind not in self.vocabulary.by_name:
                self.problems.append(f"there is no kind {kind!r}{nearest(kind, self.vocabulary.by_name)}")
            self.left_out.add(kind)

    def leave_alone(self, *tables: str) -> None:
        """Name tables that the application alone fills. `init --update` does not report them as new."""
        self.left_alone.update(tables)


@dataclass(frozen=True, slots=True)
class Path:
    """How an event tells an entity: a reference of its own, or an ancestor that its key names.

    `shared` maps parts of the entity's key to parts of the event's; `reference` is None for an ancestor.
    """

    name: str
    to: str
    shared: Mapping[str, str]
    reference: Reference | None
    nullable: bool


def paths_of(kind: Kind, vocabulary: Vocabulary) -> dict[str, Path]:
    """Find the entities that an event of a kind tells, by name: its references first, then ancestors."""
    found: dict[str, Path] = {}
    for one in kind.references:
        in_key = set(one.shared) == set(vocabulary[one.to].key)
        found[one.name] = Path(one.name, one.to, one.shared, None if in_key else one, one.nullable)
    for one in kind.references:
        if found[one.name].reference is None:
            for name, path in paths_of(vocabulary[one.to], vocabulary).items():
                if path.reference is None:
                    shared = {theirs: one.shared[ours] for theirs, ours in path.shared.items()}
                    found.setdefault(name, Path(name, path.to, shared, None, nullable=False))
    return found


def path_named(paths: Mapping[str, Path], name: str) -> Path | None:
    """Find an entity by the name of its reference or, where only one is of that kind, by its kind's."""
    if name in paths:
        return paths[name]
    of_kind = [one for one in paths.values() if one.to == name]
    return of_kind[0] if len(of_kind) == 1 else None


def names_in(value: Owned) -> set[str]:
    """Name the fields and references from which a value is made."""
    match value:
        case FieldValue(name) | RefValue(name) | KindOf(name, _):
            return {name}
        case SqlValue(text):
            return set(PLACEHOLDER.findall(text))
        case NullAs(of, _) | ValuesOf(of, _) | Unique(of, _, _) | Initial(of):
            return names_in(of)
        case LookupValue(_, where, _, _):
            return set().union(*(names_in(one) for _, one in where))
        case _:
            return set()

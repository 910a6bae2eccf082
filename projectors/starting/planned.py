"""What is decided about each table: plain records, from which the text is written."""

from __future__ import annotations

import builtins
import json
import keyword
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ..mapped.catalogue import Column, TableInfo
from ..mapping import DERIVED

PICK, AT, ITSELF, NULL, OUTSIDE = "pick", "at", "itself", "null", "outside"
BUILTINS = tuple(dir(builtins))

_USED = frozenset(
    """All Annotated Decimal Domain Draw Fixed Iterator Json KeyAs Kind Literal Places Run Size Tables UTC UUID at date
    datetime draw field initial lookup made one place ref run self settings sql taken target time
    timedelta touch two""".split()
)  # what a module of ours uses by these names


@dataclass(slots=True)
class Link:
    """A foreign key: the columns, what they refer to, and how a row finds its parent."""

    name: str
    columns: tuple[str, ...]
    to: str
    referred: tuple[str, ...]
    nullable: bool
    deferrable: bool
    mode: str = PICK

    @property
    def is_single(self) -> bool:
        """Whether it is one column."""
        return len(self.columns) == 1


@dataclass(slots=True)
class FieldPlan:
    """A field of a kind, and the value that the simulator gives it."""

    name: str
    annotation: str
    value: str
    note: str = ""
    is_local: bool = False  # the value is needed before the entity is made


@dataclass(slots=True)
class Choice:
    """A parent whose columns several fields take: it is picked before the entity is made."""

    name: str
    value: str
    stops: bool = False  # a row is left out where there is none


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A kind that a map has for a table already.

    `fields` has the annotation of each field and reference, `held` by column the field that it holds. `covered` are the
    columns that the map fills or leaves to the application. `in_project` says that its entities are the root's, not
    shared by all.
    """

    cls: str
    kind: str
    plural: str
    key: tuple[str, ...]
    fields: Mapping[str, str]
    held: Mapping[str, str]
    covered: frozenset[str]
    in_project: bool = False


@dataclass(slots=True)
class KindPlan:
    """A kind, its table, and the simulator that makes its entities."""

    cls: str
    kind: str
    plural: str
    info: TableInfo
    count: int
    schema: str | None = None  # where the table's name alone does not do
    ids: str = DERIVED
    key: tuple[str, ...] = ()
    key_note: str = ""
    key_parts: tuple[str, ...] = ()  # the whole key's, where it begins with the root
    fields: dict[str, FieldPlan] = field(default_factory=dict)
    held: dict[str, str] = field(default_factory=dict)  # by column, the field that it holds
    columns: dict[str, str] = field(default_factory=dict)  # by column, what the map says
    leave_out: list[str] = field(default_factory=list)
    by: str = ""
    by_trigger: list[str] = field(default_factory=list)
    theirs: list[str] = field(default_factory=list)
    choices: list[Choice] = field(default_factory=list)
    combinations: list[tuple[str, ...]] = field(default_factory=list)
    unequal: list[tuple[str, str]] = field(default_factory=list)
    each: tuple[str, str] | None = None  # the field and the list of which each row takes another one
    takes: dict[str, str] = field(default_factory=dict)  # lists of entities, with their classes
    remembers: bool = False  # rows refer to earlier ones
    notes: list[str] = field(default_factory=list)
    is_alike: bool = False  # rows of two projects would share what no two rows may
    root: str = ""  # the class of which a project is one entity, where the kind belongs to it
    wanted: frozenset[str] = frozenset()  # columns that a map lacks: they get a field where that is possible
    free: set[str] = field(default_factory=set)  # those of them that could be left to the application

    @property
    def shown(self) -> str:
        """The table's name for people."""
        return f"{self.schema}.{self.info.name}" if self.schema else self.info.name

    @property
    def parts(self) -> int:
        """How many columns the primary key has."""
        return len(self.info.primary_key)


@dataclass(slots=True)
class Start:
    """A starting domain: kinds, parents first, and what was left out with the reason."""

    name: str
    database: str
    kinds: list[KindPlan]
    left_out: dict[str, str]
    schema: str | None
    left_alone: list[str] = field(default_factory=list)  # tables that were not chosen
    map_name: str = "target"
    root: KindPlan | None = None  # of whose entities each is a project
    facts: list[dict[str, str]] = field(default_factory=list)  # its entities, each field as Python spells it

    @property
    def projects(self) -> list[str]:
        """The names of the projects that can be recorded: the root entities', or the domain's."""
        return [str(json.loads(one[self.root.key[0]])) for one in self.facts] if self.root else [self.name]

    @property
    def project(self) -> str:
        """The first of them."""
        return self.projects[0]


def snake(name: str) -> str:
    """Return a name in snake case, of ASCII letters."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
    plain = re.sub(r"[^0-9a-z]+", "_", apart).strip("_")
    return plain if plain and not plain[0].isdigit() else f"n{plain}"


def singular(name: str) -> str:
    """Return a table's name in the singular, as far as its ending tells it.

    >>> singular("customers"), singular("categories"), singular("addresses"), singular("status")
    ('customer', 'category', 'address', 'status')
    """
    if name.endswith("ies") and len(name) > 4:  # noqa: PLR2004 - not of `ties`
        return f"{name[:-3]}y"
    if name.endswith(("sses", "shes", "ches", "xes", "zes")):
        return name[:-2]
    return name if name.endswith(("ss", "us", "is", "news", "series")) or not name.endswith("s") else name[:-1]


def plural(name: str) -> str:
    """Return the plural of a kind's name."""
    if name.endswith("y") and name[-2:-1] not in set("aeiou"):
        return f"{name[:-1]}ies"
    return f"{name}es" if name.endswith(("s", "x", "ch", "sh", "z")) else f"{name}s"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewColumn:
    """A column that a map lacks, and what would fill it.

    `declared` is the field as the class declares it, `value` the argument that gives it one, with the parameters that
    this `takes`, the lines `before` the row and, in words, what else it `needs`. `said` is what the map says of the
    column. `left` is what it says where the column is left to the application; empty where nobody else fills it.
    """

    table: str
    kind: KindPlan
    column: Column
    declared: str = ""
    value: str = ""
    takes: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    said: str = ""
    left: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLabels:
    """Values that a column takes and its field does not; `declared` is the field with all of them."""

    table: str
    kind: str
    cls: str
    column: str
    field: str
    labels: tuple[str | int, ...]
    declared: str


@dataclass(slots=True)
class Additions:
    """What a database has and a map lacks: tables with their kinds, columns, and labels of fields.

    `changed` says what does not fit the map any more. `passed` has tables and columns that the map seems to lack on
    purpose: there are many, and it does not say which.
    """

    start: Start
    columns: list[NewColumn]
    labels: list[NewLabels]
    changed: list[str]
    passed_tables: list[str]
    passed_columns: dict[str, list[str]]


class Names:
    """Names of a module, of which no two are alike."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = {*taken, *keyword.kwlist, *_USED}

    def take(self, name: str, other: str = "row") -> str:
        """Return the name, or where it is taken, one that tells what it is for."""
        wanted = name
        while wanted in self._taken:
            wanted = f"{wanted}{other.capitalize() if wanted[:1].isupper() else f'_{other}'}"
        self._taken.add(wanted)
        return wanted

"""What a starting domain consists of: for each table its kind, key, fields, references, ids and values.

Everything here follows from the catalogue. Nothing is read from a user's rows, and nothing is written.
"""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from seedjournal.journal import Misuse

from ..catalogue import ALWAYS, Catalogue, Column, Partitions, Rules, TableInfo, UniqueKey
from ..mapping import DATABASE, DERIVED, KEY, PARENT, nearest
from .checks import Said, read_checks
from .guesses import Guess, Sort, guess, is_secret, plain_value, sort_of, words_of

PICK, AT, ITSELF, NULL, OUTSIDE = "pick", "at", "itself", "null", "outside"

_OF_TOOLS = re.compile(
    r"django_(migrations|content_type|session|admin_log|site)|auth_permission|alembic_version|schema_migrations"
    r"|ar_internal_metadata|flyway_schema_history|databasechangelog(lock)?|spatial_ref_sys|(journal|seedjournal)_\w+"
)
_CHANGED = {"updated", "modified", "changed", "update", "synced", "edited"}
_LATER = {
    *"return returned shipped delivered closed ended finished completed expires expired expiry paid sent due".split()
}
_GONE = {"deleted", "archived", "removed", "cancelled", "canceled", "disabled", "suspended", "banned"}
_FIRST_NUMBER = 100_000  # above which unique numbers begin, so that rows of others are not in the way
_FIRST_KEY = 1_000_000_000  # and those in the place of a sequence's
_FEWER = 3  # so many times fewer parents than children
_FEWEST = 10
_USED = frozenset(
    """All Annotated Decimal Domain Draw Fixed Iterator Json Kind Literal Places Run Size Tables UUID at date
    datetime draw field initial lookup made one place ref run settings sql taken target time
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


@dataclass(slots=True)
class KindPlan:
    """A kind, its table, and the simulator that makes its entities."""

    cls: str
    kind: str
    plural: str
    info: TableInfo
    count: int
    ids: str = DERIVED
    key: tuple[str, ...] = ()
    key_note: str = ""
    fields: dict[str, FieldPlan] = field(default_factory=dict)
    held: dict[str, str] = field(default_factory=dict)  # by column, the field that it holds
    columns: dict[str, str] = field(default_factory=dict)  # by column, what the map says
    leave_out: list[str] = field(default_factory=list)
    by: str = ""
    by_trigger: list[str] = field(default_factory=list)
    theirs: list[str] = field(default_factory=list)
    choices: list[Choice] = field(default_factory=list)
    combinations: list[tuple[str, ...]] = field(default_factory=list)
    each: tuple[str, str] | None = None  # the field and the list of which each row takes another one
    takes: dict[str, str] = field(default_factory=dict)  # lists of entities, with their classes
    remembers: bool = False  # rows refer to earlier ones
    notes: list[str] = field(default_factory=list)

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


def plan(catalogue: Catalogue, *, schema: str | None, chosen: Sequence[str], rows: int) -> Start:
    """Plan a domain for the database's tables, or for those that are chosen; raise Misuse where there are none."""
    return _Planner(catalogue, schema, tuple(chosen), rows).plan()


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


class _Names:
    """Names of a module, of which no two are alike."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = {*taken, *keyword.kwlist, *_USED}

    def take(self, name: str, other: str = "row") -> str:
        wanted = name
        while wanted in self._taken:
            wanted = f"{wanted}{other.capitalize() if wanted[:1].isupper() else f'_{other}'}"
        self._taken.add(wanted)
        return wanted


@dataclass(slots=True)
class _Planner:
    catalogue: Catalogue
    schema: str | None
    chosen: tuple[str, ...]
    rows: int
    infos: dict[str, TableInfo] = field(default_factory=dict)
    rules: dict[str, Rules] = field(default_factory=dict)
    said: dict[str, Said] = field(default_factory=dict)
    links: dict[str, list[Link]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    numbered: set[str] = field(default_factory=set)
    kinds: dict[str, KindPlan] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def is_on_postgresql(self) -> bool:
        return self.catalogue.connection.dialect.name == "postgresql"

    def plan(self) -> Start:
        self._choose()
        self._link()
        order = self._order()
        self._count(order)
        names, classes = _Names(dir(builtins)), _Names(dir(builtins))
        for table in order:
            kind = singular(snake(table))
            cls = classes.take("".join(part.capitalize() for part in kind.split("_")))
            many = snake(table)
            many = names.take(many if many != kind else plural(kind), "rows")
            self.kinds[table] = KindPlan(cls, snake(cls), many, self.infos[table], self.counts[table])
        for table in order:
            _Kind(self, table, self.kinds[table]).decide()
        database = self.catalogue.database_name()
        own = self.schema or re.sub(r"\.\w+$", "", database)
        name = names.take(snake(own), "domain")
        return Start(name, database, [self.kinds[table] for table in order], self.left_out, self.schema)

    # -- which tables ------------------------------------------------------------------------------------------------

    def _choose(self) -> None:
        known = self.catalogue.tables_in(self.schema)
        if unknown := [name for name in self.chosen if name not in known]:
            told = "; ".join(f"there is no table {name!r}{nearest(name, known)}" for name in unknown)
            raise Misuse(told, "name tables of the database, or leave --tables out to take all")
        for name in self.chosen or known:
            info = self.catalogue.table(self.schema, name)
            if info is None:
                continue
            if not self.chosen and _OF_TOOLS.fullmatch(name):
                self.left_out[name] = "a framework or a tool keeps it"
            elif not info.primary_key:
                self.left_out[name] = "it has no primary key, by which rows could be told apart"
            else:
                self.infos[name] = info
                self.rules[name] = rules = self.catalogue.rules(info)
                said = read_checks(rules.checks, info.columns)
                for column, checks in rules.domains.items():
                    read_checks(checks, info.columns, said, column)
                if rules.partitions:
                    _read_bounds(rules.partitions, said)
                self.said[name] = said
        if not self.infos:
            raise Misuse(
                "there is no table to begin with",
                "make the application's tables first, or name their schema: --schema NAME",
            )

    # -- how they depend on each other -------------------------------------------------------------------------------

    def _link(self) -> None:
        for table, info in self.infos.items():
            links: dict[tuple[str, ...], Link] = {}
            for key in info.foreign_keys:
                to = next((name for name in self.infos if name.lower() == key.table.lower()), key.table)
                is_here = to in self.infos and key.schema in {None, self.infos[to].schema}
                primary = self.infos[to].primary_key if is_here else ()
                referred = tuple(
                    one or (primary[place] if place < len(primary) else "") for place, one in enumerate(key.referred)
                )
                nullable = any(info.columns[name].nullable for name in key.columns)
                mode = OUTSIDE if not is_here else ITSELF if to == table else PICK
                shown = to if is_here or key.schema is None else f"{key.schema}.{key.table}"
                links.setdefault(
                    key.columns,
                    Link("_".join(key.columns), key.columns, shown, referred, nullable, key.deferrable, mode),
                )
            self.links[table] = list(links.values())
        self._leave_out_dependants()

    def _leave_out_dependants(self) -> None:
        """Leave out tables that cannot be filled without a row that nobody here fills."""
        while True:
            for table in list(self.infos):
                if reason := self._cannot_fill(table):
                    self.left_out[table] = reason
                    del self.infos[table]
                    for links in self.links.values():
                        for link in links:
                            if link.to == table:
                                link.mode = OUTSIDE
                    break
            else:
                return

    def _cannot_fill(self, table: str) -> str:
        info = self.infos[table]
        alone = {one.columns[0] for one in info.uniques if len(one.columns) == 1}
        for link in self.links[table]:
            if link.nullable:
                continue
            columns = ", ".join(link.columns)
            if link.mode == OUTSIDE and (
                not link.is_single or set(link.columns) & {*info.primary_key} or link.columns[0] in alone
            ):
                return f"{columns} refers to {link.to}, which is not filled here"
            if link.mode == ITSELF and (not link.is_single or not self._can_be_numbered(table)):
                return f"{columns} refers to the table itself and must not be null"
        return ""

    def scheme(self, table: str) -> str:
        """Choose how rows get their ids."""
        info = self.infos[table]
        primary = info.primary_key
        by_link = {name for link in self.links[table] for name in link.columns}
        if len(primary) > 1 or primary[0] in by_link:
            is_parent = any(
                link.columns == primary and link.referred == self.primary(link.to) for link in self.links[table]
            )
            return PARENT if is_parent else KEY
        column = info.columns[primary[0]]
        if column.identity == ALWAYS or column.base in {"int2", "int4"}:
            return DATABASE
        is_uuid = column.base == "uuid" or (not self.is_on_postgresql and _is_uuid_text(column))
        return DERIVED if is_uuid or column.is_integer else KEY

    def primary(self, table: str) -> tuple[str, ...]:
        """Return a table's primary key."""
        return self.infos[table].primary_key if table in self.infos else ()

    def _can_be_numbered(self, table: str) -> bool:
        """Say whether an entity can be named by its number: its id is none of its values, and no row is left out."""
        return self.scheme(table) in {DERIVED, DATABASE} and not any(
            self._is_combination(table, one) for one in self.infos[table].uniques
        )

    def number_of(self, table: str) -> str:
        """Name the field that numbers the entities of a table which does not tell them apart."""
        name, known = "number", {snake(one) for one in self.infos[table].columns}
        while name in known:
            name = f"row_{name}"
        return name

    def _is_combination(self, table: str, unique: UniqueKey) -> bool:
        if unique.columns == self.primary(table) and self.scheme(table) in {DERIVED, DATABASE}:
            return False
        return self.distinct_column(table, unique) is None

    def distinct_column(self, table: str, unique: UniqueKey) -> str | None:
        """Choose the column of a unique key in which no two rows are alike."""
        info, said = self.infos[table], self.said[table]
        by_link = {name for link in self.links[table] for name in link.columns}
        rank = {Sort.TEXT: 0, Sort.UUID: 1, Sort.INTEGER: 2}
        found = [
            (rank[sort], name)
            for name in self.columns_of(table, unique)
            if name not in by_link
            and (sort := sort_of(info.columns[name], is_on_postgresql=self.is_on_postgresql)) in rank
            and not info.columns[name].labels
            and not said.of(name).choices
        ]
        return min(found)[1] if found else None

    def columns_of(self, table: str, unique: UniqueKey) -> list[str]:
        """Return the columns of a unique key, also those that are in an expression."""
        columns = [name for name in unique.columns if name]
        if not unique.is_plain:
            said = self.rules[table].indexed.get(unique.name, "")
            inside = said[said.index("(") :] if "(" in said else ""
            columns += [
                name
                for name in self.infos[table].columns
                if name not in columns and re.search(rf"\b{re.escape(name)}\b", inside)
            ]
        return columns

    def _order(self) -> list[str]:
        """Put parents before children; break circles where a reference may be null, or its check can wait."""
        order: list[str] = []
        left = sorted(self.infos)
        while left:
            ready = next((one for one in left if not self._waits_for(one, left)), None)
            if ready is not None:
                order.append(ready)
                left.remove(ready)
                continue
            table, link = min(self._in_circles(left), key=lambda pair: self._cost(*pair))
            cost = self._cost(table, link)[0]
            if cost <= 1 or cost == 3:  # noqa: PLR2004 - see _cost
                link.mode = AT
                self.numbered.add(link.to)
            elif cost == 2:  # noqa: PLR2004
                link.mode = NULL
            else:
                self.left_out[table] = (
                    f"{', '.join(link.columns)} leads back to the table through others; let it be null, or make its "
                    "foreign key DEFERRABLE"
                )
                del self.infos[table]
                for links in self.links.values():
                    for one in links:
                        if one.to == table:
                            one.mode = OUTSIDE
                self._leave_out_dependants()
                left = [one for one in left if one in self.infos]
                order = [one for one in order if one in self.infos]
        return order

    def _waits_for(self, table: str, left: Sequence[str]) -> list[Link]:
        return [link for link in self.links[table] if link.mode == PICK and link.to in left]

    def _in_circles(self, left: Sequence[str]) -> Iterator[tuple[str, Link]]:
        """Yield the references that are part of a circle."""
        for table in left:
            for link in self._waits_for(table, left):
                reached, next_ones = {link.to}, [link.to]
                while next_ones:
                    for one in self._waits_for(next_ones.pop(), left):
                        if one.to not in reached:
                            reached.add(one.to)
                            next_ones.append(one.to)
                if table in reached:
                    yield table, link

    def _cost(self, table: str, link: Link) -> tuple[int, str, str]:
        """Say how well a circle can be broken here: 0 and 1 by number, 2 by null, 3 by a check that waits, 4 not."""
        is_to_id = link.is_single and link.referred == self.primary(link.to)
        by_number = is_to_id and self._can_be_numbered(link.to)
        in_key = bool(set(link.columns) & set(self.primary(table)))
        if link.nullable:
            cost = (0 if link.to in self.numbered else 1) if by_number else 2
        else:
            waits = link.deferrable and self.is_on_postgresql and self.scheme(link.to) == DERIVED
            cost = 3 if by_number and waits and not in_key else 4
        return cost, table, link.name

    def _count(self, order: Sequence[str]) -> None:
        """Say how many rows each table gets: fewer for parents than for their children."""
        height = dict.fromkeys(order, 0)
        for table in reversed(order):
            for link in self.links[table]:
                if link.mode == PICK:
                    height[link.to] = max(height[link.to], height[table] + 1)
        for table in order:
            is_alone = not height[table] and not any(link.mode == PICK for link in self.links[table])
            fewer = _FEWER ** (height[table] + is_alone)
            self.counts[table] = max(self.rows // fewer, min(_FEWEST, self.rows))


def _is_uuid_text(column: Column) -> bool:
    return any(word in column.type.upper() for word in ("UUID", "CHAR(32)", "CHAR(36)"))


def _read_bounds(partitions: Partitions, said: Said) -> None:
    """Take the bounds of partitions as limits of the column by which a table is split."""
    if not partitions.columns or "DEFAULT" in partitions.bounds:
        return
    limits = said.of(partitions.columns[0])
    ranges = [re.match(r"FOR VALUES FROM \((.+)\) TO \((.+)\)$", one) for one in partitions.bounds]
    ends = [(_first_value(one[1]), _first_value(one[2])) for one in ranges if one]
    if ends:
        lows, highs = [low for low, _ in ends], [high for _, high in ends]
        if all(low is not None for low in lows):
            limits.rise(min(lows, key=_in_order), is_above=False)  # type: ignore[arg-type]
        if all(high is not None for high in highs):
            limits.sink(max(highs, key=_in_order), is_below=True)  # type: ignore[arg-type]
    lists = [re.match(r"FOR VALUES IN \((.+)\)$", one) for one in partitions.bounds]
    values = [value for one in lists if one for part in one[1].split(", ") if (value := _first_value(part)) is not None]
    if values:
        limits.choices = tuple(values)


def _first_value(text: str) -> Decimal | str | None:
    """Return the first value of a bound; None for MINVALUE and MAXVALUE."""
    if match := re.match(r"'((?:[^']|'')*)'", text):
        plain = match[1].replace("''", "'")
        return Decimal(plain) if re.fullmatch(r"-?\d+(\.\d+)?", plain) else plain
    match = re.match(r"-?\d+(\.\d+)?", text)
    return Decimal(match[0]) if match else None


def _in_order(value: Decimal | str | None) -> tuple[bool, Decimal, str]:
    is_number = isinstance(value, Decimal)
    return is_number, value if isinstance(value, Decimal) else Decimal(0), "" if is_number else str(value)


# -- one kind ------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Kind:
    """Decides all about one table."""

    planner: _Planner
    table: str
    plan: KindPlan
    names: _Names = field(default_factory=_Names)
    distinct: dict[str, int] = field(default_factory=dict)  # columns in which no two rows are alike, and from where

    @property
    def info(self) -> TableInfo:
        return self.plan.info

    @property
    def links(self) -> list[Link]:
        return self.planner.links[self.table]

    @property
    def said(self) -> Said:
        return self.planner.said[self.table]

    def decide(self) -> None:
        """Decide ids, references, fields, values and the key."""
        self.plan.ids = self.planner.scheme(self.table)
        self._choose_distinct()
        self._references()
        self._values()
        self._pairs()
        self._combinations()
        self._sort()
        self._key()
        self._explain()

    # -- what no two rows share --------------------------------------------------------------------------------------

    @property
    def _gives_ids(self) -> bool:
        return self.plan.ids in {DERIVED, DATABASE}

    def _uniques(self) -> list[UniqueKey]:
        own = self.info.primary_key if self._gives_ids else None
        return [one for one in self.info.uniques if one.columns != own]

    def _choose_distinct(self) -> None:
        for unique in self._uniques():
            name = self.planner.distinct_column(self.table, unique)
            if name is None:
                continue
            first = _FIRST_NUMBER if len(unique.columns) == 1 else 0
            if name in self.info.primary_key and (self.info.columns[name].default or self.info.columns[name].identity):
                first = _FIRST_KEY
            self.distinct[name] = max(first, self.distinct.get(name, 0))

    # -- references --------------------------------------------------------------------------------------------------

    def _references(self) -> None:
        singles = [link for link in self.links if link.is_single]
        for link in singles:
            self._name_reference(link)
        for link in self.links:
            if not link.is_single:
                link.name = self._take_name(singular(snake(link.to)))
                self._composite(link)
        for link in singles:
            if link.columns[0] not in self.plan.held and link.columns[0] not in self.plan.columns:
                self._single(link)

    def _take_name(self, name: str) -> str:
        return self.names.take(name, "value")

    def _name_reference(self, link: Link) -> None:
        """Name a reference after its column, without the end that says it is an id."""
        column = link.columns[0]
        plain = snake(column)
        for ending in ("_id", "_uuid", "_fk", "_ptr"):
            plain = plain.removesuffix(ending) if len(plain) > len(ending) else plain
        if plain in {snake(name) for name in self.info.columns if name != column}:
            plain = f"{plain}_row"
        link.name = self._take_name(plain)

    def _single(self, link: Link) -> None:
        (column,) = link.columns
        info = self.info.columns[column]
        if link.mode == OUTSIDE:
            self._outside(link, info)
            return
        parent = self.planner.kinds[link.to]
        is_alone = any(one.columns == link.columns for one in self._uniques())
        if link.mode == NULL or (link.mode == ITSELF and is_alone and link.nullable):
            self.plan.theirs.append(column)
            self.plan.notes.append(f"{column} is left null: it leads back to this table")
            return
        to_id = link.referred == parent.info.primary_key and len(link.referred) == 1
        if not to_id and (parent.parts > 1 or link.mode == ITSELF):
            self._copied(link)
            return
        if not to_id and link.mode == PICK and link.referred[0] not in parent.held:
            self.plan.theirs.append(column)
            self.plan.notes.append(f"{column} is left null: nothing here fills {link.to}.{link.referred[0]}")
            return
        value, is_each = self._found(link, parent, is_alone=is_alone)
        quoted = f'"{parent.cls}"' if link.mode in {AT, ITSELF} else parent.cls
        annotation = quoted if not link.nullable else f"{quoted} | None"
        if link.nullable and quoted != parent.cls:
            annotation = f'"{parent.cls} | None"'
        self.plan.fields[link.name] = FieldPlan(link.name, annotation, value, is_local=is_each)
        self.plan.held[column] = link.name
        if not to_id:
            self.plan.columns[column] = f'ref("{link.name}").field("{parent.held[link.referred[0]]}")'
        elif column != f"{link.name}_id":
            self.plan.columns[column] = f'ref("{link.name}")'

    def _found(self, link: Link, parent: KindPlan, *, is_alone: bool) -> tuple[str, bool]:
        """Return the expression that finds a parent, and whether each row takes another one."""
        name, is_each, number = link.name, False, self.planner.number_of(link.to)
        match link.mode:
            case "pick":
                self.plan.takes[parent.plural] = parent.cls
                value = f'one.pick("{name}", {parent.plural})'
                if is_alone and not link.nullable and self.plan.each is None:
                    self.plan.each, is_each, value = (name, parent.plural), True, name
                    self.plan.count = min(self.plan.count, parent.count)
                elif link.nullable:
                    value = f'{value} if {parent.plural} and one.chance("has {name}", 0.8) else None'
            case "at":
                size = f'settings["{parent.plural}"]'
                at = f'at({parent.cls}, {number}=one.integer("{name}", 1, {size}))'
                if is_alone:
                    value = f"at({parent.cls}, {number}=place)"
                    value = f"{value} if place <= {size} else None" if link.nullable else value
                    self.plan.count = self.plan.count if link.nullable else min(self.plan.count, parent.count)
                else:
                    value = f'{at} if one.chance("has {name}", 0.8) else None' if link.nullable else at
            case _:
                self.plan.remembers = True
                first = "None" if link.nullable else f"at({parent.cls}, {number}=place)"
                chance = f' and one.chance("has {name}", 0.7)' if link.nullable else ""
                value = f'one.pick("{name}", made) if made{chance} else {first}'
                if not link.nullable:
                    self.planner.numbered.add(self.table)
        return value, is_each

    def _outside(self, link: Link, info: Column) -> None:
        """Refer to a row that nobody fills here: nothing where that may be, else the first that is there."""
        if link.nullable:
            self.plan.theirs.append(info.name)
            return
        if link.to == "django_content_type" and (words := self._django_model()):
            app, model = words
            self.plan.columns[info.name] = f'initial(lookup("{link.to}", app_label="{app}", model="{model}"))'
            return
        spelled = ".".join(f'"{part}"' for part in link.to.split("."))
        referred = f'"{link.referred[0] or "id"}"'
        self.plan.columns[info.name] = f"initial(sql('(SELECT {referred} FROM {spelled} ORDER BY 1 LIMIT 1)'))"  # noqa: S608
        self.plan.notes.append(
            f"{info.name} refers to {link.to}, which is not filled here: the first row there is taken"
        )

    def _django_model(self) -> tuple[str, str] | None:
        app, _, model = self.table.partition("_")
        return (app, model) if model else None

    def _copied(self, link: Link) -> None:
        """Take over the values of another row, whose key is not one id."""
        if link.nullable or link.mode != PICK:
            self.plan.theirs += [name for name in link.columns if self.info.columns[name].nullable]
            self.plan.notes.append(
                f"{', '.join(link.columns)}: left null, as rows of {link.to} have no id of one column"
            )
            return
        self._composite(link)

    def _composite(self, link: Link) -> None:  # noqa: C901 - one for each sort of column
        """Pick a parent, and take each column from it."""
        if link.mode == OUTSIDE:
            return
        if link.nullable or link.mode != PICK:
            alone = {name for other in self.links if other.is_single for name in other.columns}
            self.plan.theirs += [
                name for name in link.columns if self.info.columns[name].nullable and name not in alone
            ]
            self.plan.notes.append(f"{', '.join(link.columns)} together are left null; they refer to {link.to}")
            return
        parent = self.planner.kinds[link.to]
        self.plan.takes[parent.plural] = parent.cls
        shared: list[str] = []
        for column, theirs in zip(link.columns, link.referred, strict=True):
            known = self.plan.held.get(column)
            their_field = parent.held.get(theirs)
            if known is not None and their_field is not None:
                mine = self.plan.fields[known]
                mine.is_local = True
                shared.append(f"two.{their_field} == {known}")
        local = self._take_name(f"of_{link.name}") if link.name in parent.held.values() else link.name
        if shared:
            among = f"[two for two in {parent.plural} if {' and '.join(shared)}]"
            self.plan.choices.append(Choice(f"among_{local}", among, stops=True))
            self.plan.choices.append(Choice(local, f'one.pick("{link.name}", among_{local})'))
        else:
            self.plan.choices.append(Choice(local, f'one.pick("{link.name}", {parent.plural})'))
        for column, theirs in zip(link.columns, link.referred, strict=True):
            if column in self.plan.held:
                continue
            if (theirs,) == parent.info.primary_key and theirs not in parent.held:
                name = link.name if link.name not in self.plan.fields else self._take_name(link.name)
                self.plan.fields[name] = FieldPlan(name, parent.cls, local)
                self.plan.columns[column] = f'ref("{name}")'
            elif theirs in parent.held:
                held = parent.fields[parent.held[theirs]]
                single = next((one for one in self.links if one.columns == (column,)), None)
                name = single.name if single else self._take_name(held.name)
                annotation = held.annotation.replace(" | None", "")
                self.plan.fields[name] = FieldPlan(name, annotation, f"{local}.{held.name}")
                is_reference = held.annotation.strip('"').split(" ")[0] in {
                    one.cls for one in self.planner.kinds.values()
                }
                if column != (f"{name}_id" if is_reference else name):
                    self.plan.columns[column] = f'ref("{name}")' if is_reference else f'field("{name}")'
            else:
                self.plan.notes.append(f"{column}: say which value of {link.to} belongs there")
                continue
            self.plan.held[column] = name

    # -- values ------------------------------------------------------------------------------------------------------

    def _values(self) -> None:
        rules = self.planner.rules[self.table]
        is_tree = {"path", "depth", "numchild"} <= self.info.columns.keys()
        done = {*self.plan.held, *self.plan.columns, *self.plan.theirs}
        for column in self.info.columns.values():
            name = column.name
            if name in done or column.generated or (self._gives_ids and name in self.info.primary_key):
                continue
            if name in rules.set_by_triggers and name not in self.info.primary_key:
                (self.plan.theirs if column.fills_itself else self.plan.by_trigger).append(name)
            elif is_tree and name in {"path", "depth", "numchild"}:
                self._of_tree(column)
            else:
                self._value(column)

    def _value(self, column: Column) -> None:  # noqa: PLR0911 - one for each way
        name, sort = column.name, sort_of(column, is_on_postgresql=self.planner.is_on_postgresql)
        is_distinct = name in self.distinct
        is_needed = not column.fills_itself or name in self.info.primary_key
        words = set(words_of(name))
        limits = self.said.of(name)
        if column.nullable and any(re.search(rf"\b{re.escape(name)}\b", check) for check in self.said.unclear):
            self._leave(name)
            return
        if not is_needed and (column.identity or (words & _GONE and sort in {Sort.INSTANT, Sort.DATE})):
            self.plan.theirs.append(name)
            return
        if is_secret(name) and not is_distinct and sort is Sort.TEXT:
            self._give_once(name, '"!"', "") if is_needed else self._leave(name)
            return
        if sort is Sort.INSTANT and words & _CHANGED:
            if is_needed and not is_distinct:
                self.plan.columns[name] = "touch"
            else:
                self._leave(name)
            return
        if limits.is_json or sort is Sort.JSON:
            self._give_once(name, "{}", "") if is_needed else self._leave(name)
            return
        field_name = self._take_name(snake(name))
        found = guess(
            field_name,
            column,
            sort,
            limits,
            table=self.table,
            distinct=is_distinct,
            first=self.distinct.get(name, 0),
        )
        if found is None:
            if is_needed:
                value = plain_value(column, sort)
                note = "" if value is not None else f"say what a {column.type} may hold"
                self._give_once(name, value or '""', note)
            else:
                self._leave(name)
            return
        if not (is_needed or is_distinct or limits.is_required) and column.default is not None and not found.is_known:
            self._leave(name)
            return
        self._hold(column, field_name, found, sort)

    def _hold(self, column: Column, name: str, found: Guess, sort: Sort) -> None:
        annotation = f"{found.annotation} | None" if column.nullable else found.annotation
        self.plan.fields[name] = FieldPlan(name, annotation, found.value, found.note)
        self.plan.held[column.name] = name
        if found.most is not None:
            self.plan.count = max(1, min(self.plan.count, found.most))
        if sort is Sort.SPELLED:
            self.plan.columns[column.name] = f'sql("cast(:{name} as {column.type})")'
        elif not column.has_equality:
            self.plan.columns[column.name] = f'initial(field("{name}"))'
        elif name != column.name:
            self.plan.columns[column.name] = f'field("{name}")'

    def _leave(self, name: str) -> None:
        self.plan.theirs.append(name)

    def _give_once(self, name: str, value: str, note: str) -> None:
        self.plan.columns[name] = f"initial({value})"
        if note:
            self.plan.notes.append(f"{name}: {note}")

    def _of_tree(self, column: Column) -> None:
        """Fill a tree of materialized paths, as django-treebeard keeps it: every row is a root of its own."""
        values = {"path": ("str", 'f"S{place:03}"'), "depth": ("int", "1"), "numchild": ("int", "0")}
        annotation, value = values[column.name]
        name = self._take_name(column.name)
        self._hold(column, name, Guess(annotation, value, most=999), Sort.TEXT)

    # -- values that depend on each other ----------------------------------------------------------------------------

    def _pairs(self) -> None:
        """Let what ends come after what begins, as constraints or names say."""
        named = [
            (name, other)
            for name in self.info.columns
            for begins, ends in (("start", "end"), ("begin", "end"), ("from", "to"), ("min", "max"), ("low", "high"))
            if begins in words_of(name)
            for other in (re.sub(begins, ends, name, count=1),)
            if other != name and other in self.info.columns
        ]
        for first, second in dict.fromkeys([*self.said.before, *named, *self._later(named)]):
            mine, other = self.plan.held.get(first), self.plan.held.get(second)
            if mine and other and second not in self.distinct:
                self._put_after(mine, other)

    def _later(self, named: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
        """Yield the first moment of a row with those that come later, as their names say."""
        later = {second for _, second in (*self.said.before, *named)}
        moments = [name for name, column in self.info.columns.items() if self._is_moment(column)]
        first = next((name for name in moments if not _LATER & set(words_of(name))), None)
        for name in moments:
            if first and name not in later and _LATER & set(words_of(name)):
                yield first, name

    def _is_moment(self, column: Column) -> bool:
        sort = sort_of(column, is_on_postgresql=self.planner.is_on_postgresql)
        return sort in {Sort.DATE, Sort.INSTANT} and column.name in self.plan.held

    def _put_after(self, first: str, second: str) -> None:
        before, after = self.plan.fields[first], self.plan.fields[second]
        sort = after.annotation.removesuffix(" | None")
        later = {
            "date": f'{first} + timedelta(days=one.integer("{second}", 1, 90))',
            "datetime": f'{first} + timedelta(hours=one.integer("{second}", 1, 200))',
            "int": f'{first} + one.integer("{second}", 1, 10)',
        }.get(sort)
        if later is None and sort.startswith("Annotated[Decimal"):
            later = f'{first} + one.decimal("{second}", 1, 10)'
        if later is None or sort != before.annotation.removesuffix(" | None"):
            self.plan.notes.append(f"{first} must be before {second}")
            return
        before.is_local, after.value = True, later

    def _combinations(self) -> None:
        """Leave rows out that would repeat what no two rows may share."""
        for unique in self._uniques():
            columns = self.planner.columns_of(self.table, unique)
            names = [self.plan.held[name] for name in columns if name in self.plan.held]
            if any(name in self.distinct for name in columns) or (self.plan.each and self.plan.each[0] in names):
                continue
            if any(name in self.plan.theirs and self.info.columns[name].nullable for name in columns) or not names:
                continue
            if any(link.mode == AT and link.name in names for link in self.links) and len(names) == 1:
                continue  # counted through
            self.plan.combinations.append(tuple(dict.fromkeys(names)))
            for name in names:
                self.plan.fields[name].is_local = True

    def _sort(self) -> None:
        """Put fields into the order of the columns."""
        places = {self.plan.held.get(name): place for place, name in enumerate(self.info.columns)}
        ordered = sorted(self.plan.fields.values(), key=lambda one: places[one.name])
        self.plan.fields = {one.name: one for one in ordered}

    # -- the key -----------------------------------------------------------------------------------------------------

    def _key(self) -> None:
        if not self._gives_ids:
            self.plan.key = tuple(self.plan.held[name] for name in self.info.primary_key if name in self.plan.held)
        elif self.table not in self.planner.numbered and (names := self._natural()):
            self.plan.key = names
        else:
            name = self.planner.number_of(self.table)
            self.plan.fields = {name: FieldPlan(name, "int", "place"), **self.plan.fields}
            self.plan.key, self.plan.leave_out = (name,), [name]
            self.plan.key_note = "no column tells rows apart"
        if self.plan.ids == DATABASE:
            self.plan.by = self._order_of_ids()

    def _natural(self) -> tuple[str, ...] | None:
        """Choose the smallest unique key of which nothing may be null; of a parent, one field that is no reference."""
        found = []
        for unique in self._uniques():
            fields = [self.plan.held.get(name) for name in unique.columns]
            is_usable = all(
                name is not None and _can_be_in_key(self.plan.fields[name].annotation) for name in fields
            ) and not any(self.info.columns[name].nullable for name in unique.columns)
            is_one = not self._is_parent or (len(fields) == 1 and not any(link.name in fields for link in self.links))
            told = {link.name for link in self.links if link.mode in {AT, ITSELF}}
            if is_usable and is_one and unique.is_plain and unique.where is None and not told & {*fields}:
                found.append((len(fields), unique.columns, tuple(name for name in fields if name)))
        return min(found)[2] if found else None

    @property
    def _is_parent(self) -> bool:
        return any(link.to == self.table for links in self.planner.links.values() for link in links)

    def _order_of_ids(self) -> str:
        """Choose the field in whose order the database gives ids."""
        moments = [one.name for one in self.plan.fields.values() if one.annotation == "datetime"]
        created = [name for name in moments if {"created", "date", "at", "added"} & set(words_of(name))]
        return (created or moments or self.plan.leave_out or [""])[0]

    def _explain(self) -> None:
        for check in self.said.unclear:
            if not any(re.search(rf"\b{re.escape(name)}\b", check) for name in self.plan.held):
                continue
            self.plan.notes.append(f"see that values obey CHECK ({check})")
        for one in self.planner.rules[self.table].excluded:
            self.plan.notes.append(f"see that values obey {one}")


def _can_be_in_key(annotation: str) -> bool:
    return annotation not in {"float", "bool", "Json"} and "Decimal" not in annotation

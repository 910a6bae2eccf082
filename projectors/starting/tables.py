"""Which tables are filled, in which order, and with how many rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from seedjournal.journal import Misuse

from ..mapped.catalogue import ALWAYS, Catalogue, Column, Name, Partitions, Rules, TableInfo, UniqueKey
from ..mapping import DATABASE, DERIVED, KEY, PARENT, nearest
from .checks import Said, read_checks
from .examples import find_examples
from .guesses import Sort, sort_of
from .planned import AT, ITSELF, NULL, OUTSIDE, PICK, Given, KindPlan, Link, snake

_OF_TOOLS = re.compile(
    r"django_(migrations|content_type|session|admin_log|site)|auth_permission|alembic_version|schema_migrations"
    r"|ar_internal_metadata|flyway_schema_history|databasechangelog(lock)?|spatial_ref_sys"
)
_OURS = re.compile(r"journal(_events|_nodes|_kinds|_runs|_forgotten)?|seedjournal_\w+")
CONTENT_TYPES = "django_content_type"
_OF_ANY_TABLE = re.compile(r"object_(id|pk|uuid)$")
_IN_KEYS = {Sort.TEXT, Sort.INTEGER, Sort.UUID, Sort.DATE, Sort.INSTANT, Sort.TIME, Sort.DECIMAL, Sort.SPELLED}
_FEWER = 3  # so many times fewer parents than children
_FEWEST = 10


@dataclass(slots=True)
class Planner:
    """What the database says of its tables, and what follows for all of them."""

    catalogue: Catalogue
    schema: str | None
    chosen: tuple[str, ...]
    rows: int
    choices: Mapping[str, Mapping[str, Sequence[str | int]]]
    given: Mapping[Name, Given] = field(default_factory=dict)  # what a map has already, by schema and table
    schemas: frozenset[str] = frozenset()  # those that the map names beside
    left_alone: Collection[str] = ()  # tables that it leaves alone
    root: str = ""  # the class of which a project is one entity
    root_table: str | None = None  # its table, where it was found
    places: dict[str, Name] = field(default_factory=dict)  # under which schema and name a table is asked for
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
        """Whether the database is PostgreSQL."""
        return self.catalogue.connection.dialect.name == "postgresql"

    def read(self, find_root: Callable[[Planner], str | None] | None = None) -> list[str]:
        """Read the tables, and return their names, parents first; look for the one of tenants if a function can."""
        self._choose()
        self._link()
        self.root_table = find_root(self) if find_root else None
        for link in self.links[self.root_table] if self.root_table else ():
            link.mode = OUTSIDE  # tenants are facts, and refer to none of the entities that are simulated
        order = self._order()
        self._count(order)
        return order

    # -- which tables ------------------------------------------------------------------------------------------------

    def _choose(self) -> None:
        known = self.places = self._known()
        named = {one: name for name, (_, one) in known.items()}
        chosen = [name if name in known else named.get(name, name) for name in self.chosen]
        if unknown := [name for name in chosen if name not in known]:
            told = "; ".join(f"there is no table {name!r}{nearest(name, known)}" for name in unknown)
            raise Misuse(
                f"{told[0].upper()}{told[1:]}.", "Name tables of the database, or leave out --tables to take all."
            )
        read = known if self.given else chosen or known
        self.catalogue.read(known[name] for name in read)
        for name in read:
            info = self.catalogue.table(*known[name])
            if info is None:
                continue
            is_given = (info.schema, info.name) in self.given
            is_chosen = name in chosen if chosen else name not in self.left_alone
            if not (is_given or is_chosen) or any(info == one for one in self.infos.values()):
                continue  # not wanted, or taken under another name already
            if not chosen and not is_given and is_of_tools(info.name):
                self.left_out[name] = "a framework or a tool keeps it"
            elif not info.primary_key:
                self.left_out[name] = "it has no primary key, by which seedjournal could find a row"
            else:
                self._take(name, info)
        if not self.infos and not self.given:
            raise Misuse(
                "There is no table to begin with.",
                "Make the application's tables first, or name their schema with --schema NAME.",
            )

    def _take(self, name: str, info: TableInfo) -> None:
        """Take a table, with what its constraints say."""
        self.infos[name] = info
        self.rules[name] = rules = self.catalogue.rules(info)
        said = read_checks(rules.checks, info.columns)
        for column, checks in rules.domains.items():
            read_checks(checks, info.columns, said, column)
        if rules.partitions:
            _read_bounds(rules.partitions, said)
        self._take_choices(info, said)
        find_examples(self.catalogue, info, said, is_on_postgresql=self.is_on_postgresql)
        self.said[name] = said

    def _known(self) -> dict[str, Name]:
        """Find the tables: those that their name alone means, or of a schema; where there are none, of all schemas."""
        if found := [one for one in self.catalogue.tables_in(self.schema) if not _OURS.fullmatch(one)]:
            others = {
                f"{schema}.{one}": (schema, one)
                for schema in sorted(self.schemas - {self.schema})
                for one in self.catalogue.tables_in(schema)
                if not _OURS.fullmatch(one)
            }
            return {name: (self.schema, name) for name in found} | others
        elsewhere = self.catalogue.tables_elsewhere() if self.schema is None else []
        return {f"{schema}.{name}": (schema, name) for schema, name in elsewhere if not _OURS.fullmatch(name)}

    def _take_choices(self, info: TableInfo, said: Said) -> None:
        """Let columns hold what the application knows, where no constraint says what they may."""
        for column, values in self.choices.get(info.name, {}).items():
            if values and column in info.columns and said.of(column).choices is None:
                said.of(column).choices = tuple(one if isinstance(one, str) else Decimal(one) for one in values)

    # -- how they depend on each other -------------------------------------------------------------------------------

    def _link(self) -> None:
        for table, info in self.infos.items():
            links: dict[tuple[str, ...], Link] = {}
            for key in info.foreign_keys:
                to = next(
                    (
                        name
                        for name, one in self.infos.items()
                        if one.name.lower() == key.table.lower() and key.schema in {None, one.schema}
                    ),
                    key.table,
                )
                is_here = to in self.infos
                primary = self.infos[to].primary_key if is_here else ()
                referred = tuple(
                    one or (primary[place] if place < len(primary) else "") for place, one in enumerate(key.referred)
                )
                nullable = any(info.columns[name].nullable for name in key.columns)
                mode = OUTSIDE if not is_here else ITSELF if to == table else PICK
                is_plain = key.schema in {None, info.schema} and self.places[table][0] == self.schema
                shown = to if is_here or is_plain else f"{key.schema}.{key.table}"
                links.setdefault(
                    key.columns,
                    Link("_".join(key.columns), key.columns, shown, referred, nullable, key.deferrable, mode),
                )
            self.links[table] = list(links.values())
        self._leave_out_dependants()

    def _leave_out_dependants(self) -> None:
        """Leave out tables that need a row of a table which is left out."""
        while found := next(self._unfillable(), None):
            self._leave_out(*found)

    def _unfillable(self) -> Iterator[tuple[str, str]]:
        """Yield tables that cannot be filled, with the reason; a map that has them knows how to."""
        for table in self.infos:
            if self.given_of(table) is None and (reason := self._cannot_fill(table)):
                yield table, reason

    def _leave_out(self, table: str, reason: str) -> None:
        self.left_out[table] = reason
        del self.infos[table]
        for links in self.links.values():
            for link in links:
                if link.to == table:
                    link.mode = OUTSIDE

    def given_of(self, table: str) -> Given | None:
        """Return the kind that a map has for a table already, if it has one."""
        info = self.infos[table]
        return self.given.get((info.schema, info.name))

    def _cannot_fill(self, table: str) -> str:
        if untold := self._cannot_be_told(table):
            return untold
        info = self.infos[table]
        alone = {one.columns[0] for one in info.uniques if len(one.columns) == 1}
        for link in self.links[table]:
            columns = ", ".join(link.columns)
            if link.to == CONTENT_TYPES and (pair := self._of_any_table(info)):
                return f"{columns} and {pair[0]} together refer to rows of any table"
            if link.nullable:
                continue
            if link.mode == OUTSIDE and (
                not link.is_single or set(link.columns) & {*info.primary_key} or link.columns[0] in alone
            ):
                return f"{columns} refers to {link.to}, which is not filled here"
            if link.mode == OUTSIDE and not self._has_rows(link):
                return f"{columns} refers to {link.to}, which is not filled here and has no rows"
            if link.mode == ITSELF and (not link.is_single or not self._can_be_numbered(table)):
                return f"{columns} refers to the table itself and must not be null"
        return ""

    def _cannot_be_told(self, table: str) -> str:
        """Say that nothing in the primary key can be in a kind's key, if so."""
        info = self.infos[table]
        by_link = {name for link in self.links[table] for name in link.columns}
        if self.scheme(table) != KEY or by_link & {*info.primary_key}:
            return ""
        columns = [info.columns[name] for name in info.primary_key]
        if any(sort_of(one, is_on_postgresql=self.is_on_postgresql) in _IN_KEYS for one in columns):
            return ""
        return f"no value can be made for its primary key, {', '.join(f'{one.name} ({one.type})' for one in columns)}"

    def _of_any_table(self, info: TableInfo) -> list[str]:
        return [name for name, one in info.columns.items() if _OF_ANY_TABLE.search(name) and not one.nullable]

    def _has_rows(self, link: Link) -> bool:
        schema, _, name = link.to.rpartition(".") if "." in link.to else (self.schema, "", link.to)
        return self.catalogue.has_rows(schema, name)

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
        """Say whether a number can identify a table's entities: no value is an id, and no row is left out."""
        if given := self.given_of(table):
            return given.key == (self.number_of(table),)
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
            for name in unique.columns
            if name not in by_link
            and (sort := sort_of(info.columns[name], is_on_postgresql=self.is_on_postgresql)) in rank
            and not info.columns[name].labels
            and not said.of(name).choices
            and not said.of(name).examples
        ]
        return min(found)[1] if found else None

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
            elif cost == 2 or self.given_of(table):  # noqa: PLR2004
                link.mode = NULL
            else:
                waits = link.deferrable or not self.is_on_postgresql
                way = "let it be null" if waits else "let it be null, or make its foreign key DEFERRABLE"
                self._leave_out(table, f"{', '.join(link.columns)} leads back to the table through others; {way}")
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


def is_of_tools(table: str) -> bool:
    """Say whether a framework or a tool keeps a table of this name."""
    return bool(_OF_TOOLS.fullmatch(table))


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

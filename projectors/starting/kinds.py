"""What one table becomes: its kind's key, references, fields and values, and what the map says of its columns."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from ..mapped.catalogue import Column, TableInfo, UniqueKey
from ..mapping import DATABASE, DERIVED
from .checks import Said
from .guesses import PLAIN_TEXTS, Guess, Sort, guess, is_secret, names_used, sort_of, words_of
from .planned import AT, ITSELF, NULL, OUTSIDE, PICK, Choice, FieldPlan, KindPlan, Link, Names, singular, snake
from .tables import CONTENT_TYPES, Planner

_CHANGED = {"updated", "modified", "changed", "update", "synced", "edited"}
_LATER = {
    *"return returned shipped delivered closed ended finished completed expires expired expiry paid sent due".split()
}
_GONE = {"deleted", "archived", "removed", "cancelled", "canceled", "disabled", "suspended", "banned"}
_NEVER_IN_KEYS = {"float", "bool", "Json"}
_OVERLAPPING = re.compile(r"\w+range\((\"[^\"]+\"|\w+), (\"[^\"]+\"|\w+)[^()]*\) WITH &&")
_ONE_AFTER_ANOTHER = {
    "date": ("date(2024, 1, 1) + timedelta(days=2 * place)", "timedelta(days=1)"),
    "datetime": ("datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=2 * place)", "timedelta(hours=1)"),
    "int": ("2 * place", "1"),
}
_FIRST_NUMBER = 100_000  # above which unique numbers begin, so that rows of others are not in the way
_FIRST_KEY = 1_000_000_000  # and those in the place of a sequence's


@dataclass(slots=True)
class KindDecider:
    """Decides all about one table."""

    planner: Planner
    table: str
    plan: KindPlan
    names: Names = field(default_factory=Names)
    apart: set[str] = field(default_factory=set)  # exclusion constraints that the values obey
    distinct: dict[str, int] = field(default_factory=dict)  # columns in which no two rows are alike, and from where

    @property
    def info(self) -> TableInfo:
        """The table."""
        return self.plan.info

    @property
    def links(self) -> list[Link]:
        """The table's foreign keys."""
        return self.planner.links[self.table]

    @property
    def said(self) -> Said:
        """What the table's constraints say."""
        return self.planner.said[self.table]

    def decide(self) -> None:
        """Decide ids, references, fields, values and the key."""
        self.plan.ids = self.planner.scheme(self.table)
        self._choose_distinct()
        self._references()
        self._values()
        self._pairs()
        self._keep_apart()
        self._combinations()
        self._sort()
        self._key()
        self._explain()
        filled = {*self.plan.held, *self.plan.columns}
        self.plan.theirs = [one for one in dict.fromkeys(self.plan.theirs) if one not in filled]

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
        if self.said.of(column).is_null and link.nullable:
            self.plan.theirs.append(column)
            return
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
        limits = self.said.of(link.columns[0])
        may_lack = link.nullable and not (limits.is_required or limits.examples)
        match link.mode:
            case "pick":
                self.plan.takes[parent.plural] = parent.cls
                value = f'one.pick("{name}", {parent.plural})'
                if is_alone and not link.nullable and self.plan.each is None:
                    self.plan.each, is_each, value = (name, parent.plural), True, name
                    self.plan.count = min(self.plan.count, parent.count)
                elif may_lack:
                    value = f'{value} if {parent.plural} and one.chance("has {name}", 0.8) else None'
            case "at":
                size = f'settings["{parent.plural}"]'
                at = f'at({parent.cls}, {number}=one.integer("{name}", 1, {size}))'
                if is_alone:
                    value = f"at({parent.cls}, {number}=place)"
                    value = f"{value} if place <= {size} else None" if link.nullable else value
                    self.plan.count = self.plan.count if link.nullable else min(self.plan.count, parent.count)
                else:
                    value = f'{at} if one.chance("has {name}", 0.8) else None' if may_lack else at
            case _:
                self.plan.remembers = True
                first = "None" if link.nullable else f"at({parent.cls}, {number}=place)"
                chance = f' and one.chance("has {name}", 0.7)' if link.nullable else ""
                value = f'one.pick("{name}", made) if made{chance} else {first}'
                if not link.nullable:
                    self.planner.numbered.add(self.table)
        return value, is_each

    def _outside(self, link: Link, info: Column) -> None:
        """Refer to a table that is not filled: null if that is allowed, else its first row."""
        is_generic = any(name.endswith(("object_id", "object_pk")) for name in self.info.columns)
        if link.to == CONTENT_TYPES and not is_generic and (words := self._django_model()):
            app, model = words
            self.plan.columns[info.name] = f'initial(lookup("{link.to}", app_label="{app}", model="{model}"))'
            return
        if link.nullable:
            self.plan.theirs.append(info.name)
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

    def _value(self, column: Column) -> None:  # noqa: C901, PLR0911 - one for each way
        name, sort = column.name, sort_of(column, is_on_postgresql=self.planner.is_on_postgresql)
        is_distinct = name in self.distinct
        is_needed = not column.fills_itself or name in self.info.primary_key
        words = set(words_of(name))
        limits = self.said.of(name)
        if limits.is_null or (column.nullable and self._is_unclear(name)):
            self._leave(name)
            return
        if not is_needed and (column.identity or (words & _GONE and sort in {Sort.INSTANT, Sort.DATE})):
            self.plan.theirs.append(name)
            return
        if is_secret(name) and not is_distinct and sort is Sort.TEXT:
            self._give_once(name, '"!"', "") if is_needed else self._leave(name)
            return
        if sort is Sort.INSTANT and words & _CHANGED:
            if column.default is None and not is_distinct:
                self.plan.columns[name] = "touch"
            else:
                self._leave(name)
            return
        if limits.is_json or sort is Sort.JSON:
            self._give_once(name, (limits.examples or ("{}",))[0], "") if is_needed else self._leave(name)
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
                value = json.dumps(limits.examples[0]) if limits.examples else self._plain(column)
                note = "" if value is not None else f"say what a {column.type} may hold"
                self._give_once(name, value or '""', note)
            else:
                self._leave(name)
            return
        is_free = not (is_needed or is_distinct or limits.is_required)
        if is_free and not found.is_known and (column.default is not None or sort is Sort.TEXT):
            if name not in self.plan.wanted:
                self._leave(name)  # what the application reads there nobody tells: JSON, a word of a list, a format
                return
            self.plan.free.add(name)
        self._hold(column, field_name, found if is_distinct else self._as_by_default(column, sort, found), sort)

    def _as_by_default(self, column: Column, sort: Sort, found: Guess) -> Guess:
        """Let a part of a primary key be its default, such as the only tenant, where nothing else is known of it."""
        told = re.match(r"'((?:[^']|'')*)'" if sort is Sort.TEXT else r"\(?(\d+)\)?$", column.default or "")
        is_in_key = column.name in self.info.primary_key and self.plan.parts > 1
        if found.is_known or told is None or not is_in_key or sort not in {Sort.TEXT, Sort.INTEGER}:
            return found
        plain = told[1].replace("''", "'")
        return replace(found, value=json.dumps(plain, ensure_ascii=False) if sort is Sort.TEXT else plain)

    def _plain(self, column: Column) -> str | None:
        """Return a value, as Python spells it, that a column of a type takes for which no field can be made."""
        if not self.planner.is_on_postgresql:
            return 'sql("randomblob(16)")'
        if column.base == "bytea" and any(column.name in one.columns for one in self.info.uniques):
            return "sql(\"decode(md5(random()::text), 'hex')\")"
        found = next((one for one in PLAIN_TEXTS if self.planner.catalogue.takes(column, one)), None)
        return None if found is None else f'"{found}"'

    def _is_unclear(self, name: str) -> bool:
        """Say whether a column has a constraint that was not understood."""
        return any(re.search(rf"\b{re.escape(name)}\b", check) for check in self.said.unclear)

    def _hold(self, column: Column, name: str, found: Guess, sort: Sort) -> None:
        annotation = f"{found.annotation} | None" if column.nullable else found.annotation
        self.plan.fields[name] = FieldPlan(name, annotation, found.value, found.note)
        self.plan.held[column.name] = name
        if found.most is not None:
            self.plan.count = max(1, min(self.plan.count, found.most))
        if sort is Sort.SPELLED:
            self.plan.columns[column.name] = f'sql("cast(:{name} as {column.type})")'
        elif not column.has_equality or column.name in self.planner.rules[self.table].rewritten:
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
        """Fill a tree of materialized paths, as django-treebeard keeps it: below its first root, where it has rows."""
        has_root = self.planner.catalogue.has_rows(self.info.schema, self.info.name)
        values = {
            "path": ("str", 'f"0001S{place:03}"' if has_root else 'f"S{place:03}"'),
            "depth": ("int", "2" if has_root else "1"),
            "numchild": ("int", "0"),
        }
        if has_root and column.name == "numchild":
            self.plan.notes.append("the first root does not count these rows: let the application repair its tree")
        annotation, value = values[column.name]
        name = self._take_name(column.name)
        self._hold(column, name, Guess(annotation, value, most=999), Sort.TEXT)

    # -- values that depend on each other ----------------------------------------------------------------------------

    def _pairs(self) -> None:
        """Make ends come after beginnings, where constraints or names of columns say so."""
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

    def _keep_apart(self) -> None:
        """Put each row's time after the one before, where a constraint lets no two overlap."""
        for excluded in self.planner.rules[self.table].excluded:
            match = _OVERLAPPING.search(excluded)
            names = [self.plan.held.get(one.strip('"')) for one in match.groups()] if match else []
            if len(names) != 2 or not all(names):  # noqa: PLR2004 - where it begins, and where it ends
                continue
            first, second = (self.plan.fields[name] for name in names if name)
            begins = _ONE_AFTER_ANOTHER.get(first.annotation.removesuffix(" | None"))
            if begins and first.annotation.removesuffix(" | None") == second.annotation.removesuffix(" | None"):
                first.value, ends = begins
                first.is_local, second.value = True, f"{first.name} + {ends}"
                self.apart.add(excluded)

    def _combinations(self) -> None:
        """Leave rows out that would repeat what no two rows may share, or have one value where two must differ."""
        for one, other in self.said.unequal:
            mine, theirs = self.plan.held.get(one), self.plan.held.get(other)
            if mine and theirs:
                self.plan.unequal.append((mine, theirs))
                self.plan.fields[mine].is_local = self.plan.fields[theirs].is_local = True
        for unique in self._uniques():
            columns = unique.columns
            names = [self.plan.held[name] for name in columns if name in self.plan.held]
            if columns == self.info.primary_key:
                names = list(self._told_by(columns))
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
            self.plan.key = self._told_by(self.info.primary_key)
        elif self.table not in self.planner.numbered and (names := self._natural()):
            self.plan.key = names
        else:
            name = self.planner.number_of(self.table)
            self.plan.fields = {name: FieldPlan(name, "int", "place"), **self.plan.fields}
            self.plan.key, self.plan.leave_out = (name,), [name]
            self.plan.key_note = "no column alone tells rows apart"
        if self.plan.ids == DATABASE:
            self.plan.by = self._order_of_ids()

    def begin_key_with_root(self) -> None:
        """Put a reference first in the key that leads to the root, as the key of each of its project's kinds begins."""
        to = self._referred()
        leading = [
            name
            for name, table in to.items()
            if self._is_inside(table) and not self.plan.fields[name].annotation.endswith(" | None")
        ]
        if not leading:
            self.plan.notes.append(f"begin its key with a reference that leads to {self.plan.root}")
            self.plan.is_alike = True
            return
        self._take_root(name for name in leading if self.planner.kinds[to[name]].cls == self.plan.root)
        first = min(leading, key=lambda name: self.planner.kinds[to[name]].cls != self.plan.root)
        parts, key = list(self._parts_of(first, to[first])), [first]
        for name in (one for one in self.plan.key if one != first):
            if name not in to and name in parts:
                key.append(self._rename(name))
            else:
                key.append(name)
            theirs = self._parts_of(name, to[name]) if name in to else key[-1:]
            if name in to and {*theirs[1:]} & {*parts}:
                one = self.plan.fields[name]
                one.annotation = f'Annotated[{one.annotation}, KeyAs("{name}")]'
            parts += [part for part in theirs if part not in parts]
        self.plan.key, self.plan.key_parts = tuple(key), tuple(parts)
        for name in [one for one in self.plan.fields if one in parts and one not in {*key, *to}]:
            self._rename(name)
        for unique in self._uniques():
            fields = {self.plan.held[name] for name in unique.columns if name in self.plan.held}
            is_counted = any("place" in names_used(self.plan.fields[one].value) for one in fields)
            is_picked = bool(self.plan.each and self.plan.each[0] in fields)
            is_chosen = any(fields & {*found} for found in self.plan.combinations)
            if not fields & {*leading} and (is_counted or is_picked or is_chosen):
                self.plan.notes.append(f"{', '.join(unique.columns)}: let projects have different values")
                self.plan.is_alike = True
        self.plan.is_alike = self.plan.is_alike or bool(self.planner.rules[self.table].excluded)

    def _referred(self) -> dict[str, str]:
        """Return the table to which each field refers that is a reference."""
        tables = {kind.cls: table for table, kind in self.planner.kinds.items()}
        named = {one.name: one.annotation.strip('"').removesuffix(" | None") for one in self.plan.fields.values()}
        return {name: tables[cls] for name, cls in named.items() if cls in tables}

    def _take_root(self, references: Iterable[str]) -> None:
        """Let references to the root take the one for which the simulator is called."""
        root = snake(self.plan.root)
        for name in references:
            one = self.plan.fields[name]
            if one.value.startswith("one.pick("):
                one.value = root
                one.is_local = one.is_local and one.name != root
        text = "\n".join([*(one.value for one in self.plan.fields.values()), *(one.value for one in self.plan.choices)])
        text += self.plan.each[1] if self.plan.each else ""
        self.plan.takes = {name: cls for name, cls in self.plan.takes.items() if re.search(rf"\b{name}\b", text)}

    def _is_inside(self, table: str) -> bool:
        """Say whether entities of a table belong to a project's root."""
        given = self.planner.given_of(table)
        is_new = bool(self.planner.kinds[table].root) or table == self.planner.root_table
        return given.in_project if given else is_new

    def _parts_of(self, name: str, table: str) -> tuple[str, ...]:
        """Return the names that the parts of a parent's key have in a key with this reference to it."""
        given, kind = self.planner.given_of(table), self.planner.kinds[table]
        parts = given.key if given else kind.key_parts or kind.key
        return parts if len(parts) > 1 else (name,)

    def _rename(self, name: str) -> str:
        """Give a field another name, as a part of the parent's key has its own."""
        new = self._take_name(f"{self.plan.kind}_{name}")
        fields = self.plan.fields.values()
        self.plan.fields = {new if one.name == name else one.name: one for one in fields}
        self.plan.fields[new].name = new
        self.plan.leave_out = [new if one == name else one for one in self.plan.leave_out]
        self.plan.by = new if self.plan.by == name else self.plan.by
        for column, held in self.plan.held.items():
            if held == name:
                self.plan.held[column] = new
                self.plan.columns[column] = f'field("{new}")'
        self.plan.combinations = [
            tuple(new if one == name else one for one in found) for found in self.plan.combinations
        ]
        return new

    def _told_by(self, columns: Iterable[str]) -> tuple[str, ...]:
        """Return the fields of columns that a kind's key may have: no number with a fraction is exact enough."""
        names = (self.plan.held[name] for name in columns if name in self.plan.held)
        return tuple(name for name in names if self.plan.fields[name].annotation not in _NEVER_IN_KEYS)

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
            if one in self.apart:
                continue
            self.plan.notes.append(f"see that values obey {one}")


def _can_be_in_key(annotation: str) -> bool:
    return annotation not in _NEVER_IN_KEYS and "Decimal" not in annotation

"""Matching a kind's rows: which staged row, row of the table and note of the ledger are of one entity, in SQL.

The ledger names every row of ours by its primary key. Events are staged as the table is to have them, so that all that
follows is set-based: `staging` fills the staging table, and the other modules ask what is here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Exists,
    Insert,
    Integer,
    Select,
    Table,
    Text,
    and_,
    cast,
    exists,
    false,
    func,
    or_,
    select,
)

from seedjournal.journal import Pointer

from ..dialects import dialect_of
from ..notes import ADOPTED, LEDGER, MADE, STALE
from ..stage import changed_by
from .catalogue import ALWAYS
from .expressions import moment
from .kinds import STAGED_KEY, FittedMap, MappedKind, Spelled
from .rows import EntityIds

BATCH = 5_000


@dataclass(slots=True)
class KindRows:
    """The rows of one kind and one project: raw, staged, in the table and in the ledger.

    `raw` and `stage` are temporary tables that are there while `staging.staged` lasts. Dates of rows are `days` later
    than those of events. `held` columns are filled at the end, and `leaves_adopted` says that adopted rows stay as
    their owners have them.
    """

    connection: Connection
    fitted: FittedMap
    mapped: MappedKind
    project: str
    ids: EntityIds
    leaves_adopted: bool = False
    days: int = 0
    held: frozenset[str] = frozenset()
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
    def table(self) -> Table:
        """The table of its owner's."""
        return self.mapped.table

    @property
    def owned(self) -> list[str]:
        """The columns that are compared and brought to the state now."""
        return [name for name in self.mapped.owned if name not in self.mapped.identity and name not in self.held]

    @property
    def staged_key(self) -> ColumnElement[Any]:
        """The key of a staged row."""
        return self.stage.c[STAGED_KEY]

    @property
    def is_same(self) -> ColumnElement[bool]:
        """Says in SQL that a row of the table and a staged one have one primary key."""
        return self.same_row(self.table, self.stage)

    @property
    def is_there(self) -> Exists:
        """Says in SQL that the table has the staged row."""
        return exists().where(self.is_same)

    @property
    def is_stale(self) -> ColumnElement[bool]:
        """Says in SQL that the ledger notes a row of the project's as stale."""
        return and_(LEDGER.c.kind == self.kind, LEDGER.c.project == self.project, LEDGER.c.why == STALE)

    # -- one row -----------------------------------------------------------------------------------------------------

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

    def has_noted_id(self, rows: Any) -> ColumnElement[bool]:
        """Say in SQL that a row has the primary key of the ledger's."""
        return and_(*(rows.c[name] == self.noted_id(name) for name in self.mapped.identity))

    def is_noted(self, rows: Any, *why: str) -> ColumnElement[bool]:
        """Say in SQL that the ledger's row is this one."""
        return and_(LEDGER.c.kind == self.kind, *([LEDGER.c.why.in_(why)] if why else []), self.has_noted_id(rows))

    def id_text(self, rows: Any) -> ColumnElement[str]:
        """Spell a row's primary key as the ledger has it."""
        texts = [cast(rows.c[name], Text) for name in self.mapped.identity]
        if len(texts) == 1:
            return texts[0]
        if self.mapped.is_on_postgresql:
            return cast(func.jsonb_build_array(*texts), Text)
        return cast(func.json_array(*texts), Text)

    def in_ledger(self, *why: str) -> ColumnElement[bool]:
        """Say in SQL that the ledger has the staged row's key."""
        found = exists().where(LEDGER.c.kind == self.kind, LEDGER.c.key == self.staged_key)
        return found.where(LEDGER.c.why.in_(why)) if why else found

    # -- differences -------------------------------------------------------------------------------------------------

    def differs(self, names: Sequence[str] | None = None) -> ColumnElement[bool]:
        """Say in SQL that a row and its staged one differ in a column of ours; texts are compared by their bytes."""
        found: ColumnElement[bool] = or_(false(), *map(self.differs_in, self.owned if names is None else names))
        return found

    def differs_in(self, name: str) -> ColumnElement[bool]:
        """Say in SQL that a row and its staged one differ in this column."""
        one: ColumnElement[Any] = self.table.c[name]
        two: ColumnElement[Any] = self.stage.c[name]
        if self.mapped.info.columns[name].is_text:
            bytewise = dialect_of(self.connection).bytewise
            one, two = cast(one, Text).collate(bytewise), cast(two, Text).collate(bytewise)
        return one.is_distinct_from(two)

    def touched(self) -> dict[str, ColumnElement[Any]]:
        """Return what the columns hold that are written with every change."""
        return {name: self.moment(name) for name in self.mapped.touched}

    def moment(self, name: str) -> ColumnElement[Any]:
        """Return the moment of writing, in a column's type."""
        return moment(self.mapped.info.columns[name], is_on_postgresql=self.mapped.is_on_postgresql)

    def referring(self) -> list[Pointer]:
        """Find the foreign keys that refer to the table, in any schema."""
        found = dialect_of(self.connection).pointers_to(self.table)
        names = {name.lower(): name for name in self.mapped.info.columns}
        return [
            replace(one, referred=tuple(names.get(name.lower(), self.mapped.identity[0]) for name in one.referred))
            for one in found
        ]

    # -- asking and doing --------------------------------------------------------------------------------------------

    def count(self, query: Select[Any]) -> int:
        """Return the one number that a query finds."""
        return int(self.connection.execute(query).scalar_one())

    def count_differing(self) -> int:
        """Count the rows that differ from their staged ones."""
        joined = select(func.count()).select_from(self.stage).join(self.table, self.is_same)
        return self.count(joined.where(self.differs()))

    def count_present(self) -> int:
        """Count the project's rows that the ledger names and the table has, but for stale ones."""
        query = select(func.count()).select_from(LEDGER).join(self.table, self.is_noted(self.table, MADE, ADOPTED))
        return self.count(query.where(LEDGER.c.project == self.project))

    def do(self, statement: Any) -> int:
        """Carry out a statement; return how many rows it changed."""
        return changed_by(self.connection, statement)

    def add(self, statement: Insert) -> int:
        """Insert rows with values of ours in a column that is GENERATED ALWAYS AS IDENTITY as well; return how many."""
        if not any(one.identity == ALWAYS for one in self.mapped.info.columns.values()):
            return self.do(statement)
        compiled = statement.compile(dialect=self.connection.dialect)
        spelled = str(compiled).replace(") SELECT", ") OVERRIDING SYSTEM VALUE SELECT", 1)
        return self.connection.exec_driver_sql(spelled, compiled.params).rowcount

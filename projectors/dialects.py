"""All that differs between databases when rows are loaded and compared: one class each, bound to a connection."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any
from weakref import WeakKeyDictionary

import orjson
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Date,
    ForeignKeyConstraint,
    Integer,
    Table,
    TextClause,
    case,
    cast,
    column,
    exists,
    func,
    insert,
    inspect,
    literal,
    select,
    table,
    text,
    true,
)
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.schema import Constraint, CreateIndex, CreateTable

from seedjournal.journal import Pointer, Type, pointers_to
from seedjournal.journal import dialect_of as journal_dialect_of

_INTERFERING_ON_POSTGRESQL = text("""
    SELECT 'trigger ' || tgname FROM pg_trigger WHERE tgrelid = to_regclass(:name) AND NOT tgisinternal
    UNION ALL SELECT 'rule ' || rulename FROM pg_rewrite WHERE ev_class = to_regclass(:name) ORDER BY 1""")
_INHERITING = text("""
    SELECT child.oid::regclass::text || ' from ' || parent.relname
    FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid JOIN pg_class parent ON parent.oid = inhparent
    WHERE parent.oid IN (SELECT to_regclass(quote_ident(name)) FROM unnest(CAST(:names AS text[])) name)
        AND NOT child.relispartition ORDER BY 1""")
_VIEWS_ON_POSTGRESQL = text("""
    SELECT relname FROM pg_class
    WHERE oid IN (SELECT to_regclass(quote_ident(name)) FROM unnest(CAST(:names AS text[])) name)
        AND relkind NOT IN ('r', 'p') ORDER BY 1""")
_VIEWS_ON_SQLITE = text("""
    SELECT name FROM sqlite_master WHERE type = 'view' AND lower(name) IN (SELECT value FROM json_each(:names))
    ORDER BY 1""")
_INTERFERING_ON_SQLITE = text("""
    SELECT 'trigger ' || name FROM sqlite_master WHERE type = 'trigger' AND lower(tbl_name) = lower(:name) ORDER BY 1
    """)


_CREATIONS: WeakKeyDictionary[Table, dict[str, str]] = WeakKeyDictionary()  # by the database's name


class Dialect:
    """What both databases do alike."""

    interfering: TextClause
    bytewise: str  # the collation that compares bytes

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def among(self, tested: ColumnElement[Any], numbers: Sequence[int]) -> ColumnElement[bool]:
        """Say in SQL that `tested` is one of these integers, with one bound value however many they are."""
        condition: ColumnElement[bool] = journal_dialect_of(self.connection).among(tested, numbers)
        return condition

    def is_absent(self, value: ColumnElement[Any], among: ColumnElement[Any], *of: Any) -> ColumnElement[bool]:
        """Say in SQL that no row, of which these conditions are true, has the value in the column `among`.

        Each database has a form that asks the other rows once for all values, and not again for each.
        """
        raise NotImplementedError

    def load(self, name: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
        """Add rows, in the order of `columns`; return how many the database stored.

        Raises what SQLAlchemy raises for a statement of its own.
        """
        raise NotImplementedError

    def create(self, temporary: Table) -> None:
        """Create a temporary table; its statement is compiled once, as every kind of every piece of work needs it."""
        compiled = _CREATIONS.setdefault(temporary, {})
        backend = self.connection.dialect.name
        if backend not in compiled:
            compiled[backend] = str(CreateTable(temporary).compile(dialect=self.connection.dialect))
        self.connection.exec_driver_sql(compiled[backend])

    def drop(self, temporary: Table) -> None:
        """Drop a temporary table."""
        name = self.connection.dialect.identifier_preparer.format_table(temporary)
        self.connection.exec_driver_sql(f"DROP TABLE {name}")

    def create_bare(self, tables: Sequence[Table]) -> None:
        """Create tables with no more than what cannot be added to a table that has rows."""
        raise NotImplementedError

    def add_keys_and_indexes(self, tables: Sequence[Table]) -> None:
        """Add what `create_bare` left out, over all rows at once."""
        for one in tables:
            for index in sorted(one.indexes, key=lambda index: str(index.name)):
                self.connection.execute(CreateIndex(index))

    def add_missing_references(self, tables: Sequence[Table]) -> None:
        """Add the foreign keys of ours that were lost with the tables that they refer to, where the rows allow it."""

    def add_reference(self, to: Table, column: Column[Any], key: ForeignKeyConstraint) -> None:
        """Give a table that has rows a foreign key of one column; where it cannot have one alone, with the column."""
        raise NotImplementedError

    def pointers_to(self, rows: Table) -> list[Pointer]:
        """Find every foreign key that refers to the table, anybody's, in any schema."""
        return pointers_to(self.connection, rows)

    def interfering_with(self, rows: Table) -> list[str]:
        """Name the table's triggers and rules, which may keep rows out of it."""
        return list(self.connection.execute(self.interfering, {"name": self.quoted(rows.name)}).scalars())

    def views(self, tables: Sequence[Table]) -> list[str]:
        """Name those that are no tables: keys refer to what lies behind a view, which it does not tell."""
        raise NotImplementedError

    def inheriting(self, tables: Sequence[Table]) -> list[str]:  # noqa: ARG002 - SQLite has no inheritance
        """Name the tables that inherit from one of these, partitions aside: a statement on it means their rows too."""
        return []

    def moved(self, dates: ColumnElement[Any], type_: Type, days: int) -> ColumnElement[Any]:
        """Return, in SQL, the dates or instants some days of 24 hours later; 9999-12-31 stays."""
        raise NotImplementedError

    def days_between(self, rows: Table, dates: ColumnElement[Any]) -> int:
        """Return how many days lie between a column's first date and its last, 9999-12-31 aside."""
        raise NotImplementedError

    def has_failed(self) -> bool:
        """Say whether a statement of this transaction failed, as far as the database tells."""
        return False

    def is_of_users(self, error: DBAPIError) -> bool:  # noqa: ARG002 - SQLite's triggers fail as constraints do
        """Say whether an error comes from a function or trigger of a user's."""
        return False

    def is_refused(self, error: DBAPIError) -> bool:  # noqa: ARG002 - SQLite has no rights
        """Say whether the user lacks a right."""
        return False

    def damage(self) -> list[str]:
        """List what the database itself finds wrong with its file; a server has none of ours."""
        return []

    def quoted(self, name: str) -> str:
        """Return a table's name as the database's own functions take it."""
        return name

    def is_exclusion(self, error: DBAPIError) -> bool:  # noqa: ARG002 - only PostgreSQL has such constraints
        """Say whether two rows exclude each other, which no unique key says."""
        return False

    def check_references(self) -> None:
        """Check the foreign keys that wait for the end of the transaction."""

    def defer_references(self, tables: Sequence[Table]) -> None:
        """Let those foreign keys of ours that can wait do so again."""

    def see_all_rows(self) -> None:
        """Let the database refuse, from here to the transaction's end, a query from which it would hide rows."""


class PostgreSQL(Dialect):
    """Loads by COPY; keys, foreign keys and indexes are added after the load."""

    interfering = _INTERFERING_ON_POSTGRESQL
    bytewise = "C"

    def is_absent(self, value: ColumnElement[Any], among: ColumnElement[Any], *of: Any) -> ColumnElement[bool]:
        """Join by hashes."""
        return ~exists().where(among == value, *of)

    def load(self, name: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
        """Add rows by COPY; the server parses texts by the columns' types."""
        from psycopg import Error, sql

        statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
            sql.Identifier(name), sql.SQL(", ").join(map(sql.Identifier, columns))
        )
        try:
            cursor = self.connection.connection.cursor()
            with cursor.copy(statement) as copy:
                for row in rows:
                    copy.write_row(row)
        except Error as error:
            raise DBAPIError.instance(f"COPY {name}", None, error, Error, dialect=self.connection.dialect) from error
        return int(cursor.rowcount)

    def create_bare(self, tables: Sequence[Table]) -> None:
        """Create tables with columns only."""
        for one in tables:
            columns = ", ".join(map(self._compiler(one).get_column_specification, one.columns))
            self._execute(f"CREATE TABLE {self._name(one)} ({columns})")

    def add_keys_and_indexes(self, tables: Sequence[Table]) -> None:
        """Add primary keys, indexes, and then foreign keys, which are checked with the others."""
        for one in tables:
            self._add(one, one.primary_key)
        super().add_keys_and_indexes(tables)
        for one in tables:
            for key in sorted(one.foreign_key_constraints, key=lambda key: str(key.name)):
                self._add(one, key)

    def add_missing_references(self, tables: Sequence[Table]) -> None:
        """Add what `DROP TABLE … CASCADE` took from the tables that point to a dropped one."""
        for one in tables:
            names = {key["constrained_columns"][0] for key in inspect(self.connection).get_foreign_keys(one.name)}
            for key in sorted(one.foreign_key_constraints, key=lambda key: str(key.name)):
                if key.column_keys[0] not in names:
                    with suppress(IntegrityError), self.connection.begin_nested():
                        self._add(one, key)

    def add_reference(self, to: Table, column: Column[Any], key: ForeignKeyConstraint) -> None:  # noqa: ARG002
        """Add the key alone."""
        self._add(to, key)

    def _add(self, to: Table, key: Constraint) -> None:
        # Not by AddConstraint, which would leave the key out of every later CREATE TABLE in this process.
        self._execute(f"ALTER TABLE {self._name(to)} ADD {self._compiler(to).process(key)}")

    def _compiler(self, of: Table) -> Any:
        return CreateTable(of).compile(dialect=self.connection.dialect)

    def _name(self, of: Table) -> str:
        return self.connection.dialect.identifier_preparer.format_table(of)

    def _execute(self, statement: str) -> None:
        self.connection.exec_driver_sql(statement)  # in which the compiler has doubled every percent sign

    def quoted(self, name: str) -> str:
        """Quote a name, of which the server would fold capitals otherwise."""
        return self.connection.dialect.identifier_preparer.quote_identifier(name)

    def views(self, tables: Sequence[Table]) -> list[str]:
        """Ask the catalogue; foreign tables are none of ours either."""
        return list(self.connection.execute(_VIEWS_ON_POSTGRESQL, {"names": [one.name for one in tables]}).scalars())

    def inheriting(self, tables: Sequence[Table]) -> list[str]:
        """Ask the catalogue, which has tables of every schema."""
        return list(self.connection.execute(_INHERITING, {"names": [one.name for one in tables]}).scalars())

    def moved(self, dates: ColumnElement[Any], type_: Type, days: int) -> ColumnElement[Any]:
        """Add days to a date, and hours to an instant, so that no time zone changes its length."""
        more = func.make_interval(0, 0, 0, 0, days * 24) if type_ is Type.INSTANT else literal(days, Integer)
        return case((cast(dates, Date) >= text("DATE '9999-12-31'"), dates), else_=dates.op("+")(more))

    def days_between(self, rows: Table, dates: ColumnElement[Any]) -> int:
        """Subtract dates, which gives days."""
        day = cast(dates, Date)
        query = select(func.max(day).op("-")(func.min(day))).where(day < text("DATE '9999-12-31'")).select_from(rows)
        return int(self.connection.execute(query).scalar() or 0) + 1

    def has_failed(self) -> bool:
        """Ask the driver whether the transaction is aborted, or the connection lost."""
        if self.connection.invalidated:
            return True
        driver: Any = self.connection.connection.driver_connection
        return bool(driver.info.transaction_status.name == "INERROR")

    def is_of_users(self, error: DBAPIError) -> bool:
        """Ask for the error's context: the server names there the function that was running."""
        diagnosis = getattr(error.orig, "diag", None)
        return "function" in (getattr(diagnosis, "context", None) or "")

    def is_refused(self, error: DBAPIError) -> bool:
        """Look for the code of a missing right, to a table or to temporary tables."""
        return getattr(error.orig, "sqlstate", None) == "42501"

    def is_exclusion(self, error: DBAPIError) -> bool:
        """Look for the code of a violated EXCLUDE constraint."""
        return getattr(error.orig, "sqlstate", None) == "23P01"

    def check_references(self) -> None:
        """Make every constraint immediate, which checks what was done."""
        self.connection.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))

    def defer_references(self, tables: Sequence[Table]) -> None:
        """Defer only our constraints, by name: a user's own constraints stay as they are."""
        waiting = [key for one in tables for key in one.foreign_key_constraints if key.deferrable]
        if waiting:
            quoted = map(self.connection.dialect.identifier_preparer.format_constraint, waiting)
            self._execute(f"SET CONSTRAINTS {', '.join(map(str, quoted))} DEFERRED")

    def see_all_rows(self) -> None:
        """Set `row_security` to off: a policy that hides rows from this user makes a query an error."""
        self.connection.execute(select(func.set_config("row_security", "off", true())))


class SQLite(Dialect):
    """CREATE TABLE holds primary and foreign keys, which cannot be added later; indexes are added after the load."""

    interfering = _INTERFERING_ON_SQLITE
    bytewise = "BINARY"

    def is_absent(self, value: ColumnElement[Any], among: ColumnElement[Any], *of: Any) -> ColumnElement[bool]:
        """Look the value up in a list that is made once."""
        return value.not_in(select(among).where(*of))

    def load(self, name: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
        """Add rows in one statement."""
        given = [tuple(row) for row in rows]
        if not given:
            return 0
        return self.connection.exec_driver_sql(_insert_on_sqlite(name, tuple(columns)), given).rowcount

    def create_bare(self, tables: Sequence[Table]) -> None:
        """Create tables without indexes."""
        for one in tables:
            self.connection.execute(CreateTable(one))

    def add_reference(self, to: Table, column: Column[Any], key: ForeignKeyConstraint) -> None:
        """Add the column with its key."""
        prepare = self.connection.dialect.identifier_preparer
        referred = key.elements[0].column
        waits = " DEFERRABLE INITIALLY DEFERRED" if key.deferrable else ""
        self.connection.exec_driver_sql(
            f"ALTER TABLE {prepare.format_table(to)} ADD COLUMN {prepare.format_column(column)} INTEGER "
            f"REFERENCES {prepare.format_table(referred.table)} ({prepare.format_column(referred)}){waits}"
        )

    def moved(self, dates: ColumnElement[Any], type_: Type, days: int) -> ColumnElement[Any]:  # noqa: ARG002 - both are text
        """Move the day that a text begins with, and leave a text that begins with none."""
        day = func.date(func.substr(dates, 1, 10), f"{days:+} days")
        return case(
            (func.substr(dates, 1, 10) == "9999-12-31", dates),
            else_=func.coalesce(day.op("||")(func.substr(dates, 11)), dates),
        )

    def days_between(self, rows: Table, dates: ColumnElement[Any]) -> int:
        """Subtract the days that the texts begin with."""
        day = func.julianday(func.substr(dates, 1, 10))
        query = select(func.max(day) - func.min(day)).select_from(rows).where(func.substr(dates, 1, 10) < "9999-12-31")
        return int(self.connection.execute(query).scalar() or 0) + 1

    def views(self, tables: Sequence[Table]) -> list[str]:
        """Ask the list of everything that the file has."""
        names = orjson.dumps([one.name.lower() for one in tables]).decode()
        return list(self.connection.execute(_VIEWS_ON_SQLITE, {"names": names}).scalars())

    def damage(self) -> list[str]:
        """Return the lines of `integrity_check`, which compares indexes with tables as well."""
        found = self.connection.exec_driver_sql("PRAGMA integrity_check").scalars()
        return [line for line in found if line != "ok"]


@lru_cache(256)
def _insert_on_sqlite(name: str, columns: Sequence[str]) -> str:
    from sqlalchemy.dialects.sqlite import pysqlite

    statement = insert(table(name, *map(column, columns))).values(dict.fromkeys(columns))
    return str(statement.compile(dialect=pysqlite.dialect(), column_keys=list(columns)))


def dialect_of(connection: Connection) -> Dialect:
    """Return the connection's dialect."""
    return (PostgreSQL if connection.dialect.name == "postgresql" else SQLite)(connection)

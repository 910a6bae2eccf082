"""Facts: entities or documents that a file, a query, a list or a function states.

A source of facts gives entities of one kind, or documents of one class, and a digest of everything that it reads, so
that an unchanged source is not simulated again. What is wrong with a row is reported by file, line and field.
"""

from __future__ import annotations

import codecs
import csv as csv_module
import hashlib
import inspect
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec

from seedjournal.journal import (
    BadInput,
    Database,
    Misuse,
    NotCanonical,
    Type,
    canonical_bytes,
    open_database,
    query_rows,
)

from .failing import brief, failed
from .fields import BadEntity, Column, Unfit, converter, plain_numbers, wanted
from .kinds import Declared, Document, Key, Kind, Part, key_of, may_be_null, named, nearest, shown_key

_LONGEST_FIELD = 1 << 24  # characters of a CSV file's value
_ROWS = 2_000  # rows of a query that are fetched at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a simulator may know of the run: its project, its seed, and its date as `today`."""

    project: str
    seed: int
    day: date | None = None

    @property
    def today(self) -> date:
        """The run's date: `--as-of`, else the domain's `today`, else the newest day of the facts."""
        if self.day is None:
            raise Misuse(
                "A function that gives facts asked for run.today, but the run has no date yet.",
                "Give the domain a `today`, or record with --as-of DATE.",
            )
        return self.day


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a source of facts is asked for: where files are, and what functions may take."""

    folder: Path
    settings: Any
    run: Run


class Facts(Protocol):
    """A source of one kind's facts, or of one class of documents."""

    @property
    def name(self) -> str:
        """The source's name, for people and for the run's inputs: no absolute path, no address, no secret."""

    def digest(self, asked: Asked) -> str:
        """Return a digest of everything that is read: equal digests, equal facts."""

    def entities(self, declared: Declared, asked: Asked) -> Iterator[Kind]:
        """Yield the entities; raise BadInput with file, line and field for one that cannot be right."""

    def documents(self, kind: type[Document], asked: Asked) -> Iterator[tuple[str, Document]]:
        """Yield each document with its file and line; raise BadInput with file, line and field as for entities."""


def csv(path: str | Path, *, delimiter: str = ",", encoding: str = "utf-8-sig", **constants: Any) -> Facts:
    """Read a kind's facts from a CSV file with a header; `constants` are fields that every row shares.

    A column is a field, or a part of a reference: `customer` if its key has one part besides the root, `customer.email`
    if it has several. An empty cell is null if the field may be null, "" if it is text, and else an error.

    The path is relative to the settings file's folder. Recording raises BadInput that names file, line and field for
    what does not fit.
    """
    if len(delimiter) != 1:
        raise Misuse(f"csv({str(path)!r}): the delimiter {delimiter!r} is not one character.", "Write delimiter=';'.")
    try:
        codecs.lookup(encoding)
    except LookupError:
        raise Misuse(
            f"csv({str(path)!r}): there is no encoding {encoding!r}.", "Write one such as utf-8 or latin-1."
        ) from None
    return _File(Path(path), constants, _csv_rows(delimiter, encoding))


def json_lines(path: str | Path, **constants: Any) -> Facts:
    """Read a kind's facts from a file with one JSON object a line; `constants` are fields that every line shares.

    The path is relative to the settings file's folder. Recording raises BadInput that names file, line and field for
    what does not fit.
    """
    return _File(Path(path), constants, _json_rows, is_json=True)


def sql(address: str, statement: str, **constants: Any) -> Facts:
    """Read a kind's facts with an SQL query from a database, in the order that the query gives."""
    if not isinstance(address, str) or not isinstance(statement, str):
        raise Misuse(
            f"sql({brief(address)}, {brief(statement)}) needs two texts.",
            "Give the database's address and a query: sql('postgresql://…', 'SELECT …').",
        )
    return _Query(address, statement, constants)


def as_facts(source: Any) -> Facts:
    """Return what a domain was given as a source of facts: it, a list of entities, or a function that yields them."""
    if hasattr(source, "entities") and hasattr(source, "digest"):
        return source  # type: ignore[no-any-return]
    if callable(source):
        return _Function(source)
    if isinstance(source, Iterable) and not isinstance(source, (str, bytes, Mapping)):
        return _Listed(tuple(source))
    raise Misuse(
        f"{brief(source)} is not a source of facts.",
        "Give csv(…), json_lines(…), sql(…), a list of entities, or a function.",
    )


def not_stated(source: Facts, kind: type[Any]) -> Iterator[str]:
    """Yield what a list states that is none of the kind's entities or documents; the first few."""
    wrong = [one for one in source.listed if type(one) is not kind] if isinstance(source, _Listed) else []
    for one in wrong[:3]:
        yield f"{brief(one)} is not a {kind.__name__}"
    if len(wrong) > 3:  # noqa: PLR2004 - as above
        yield f"and {len(wrong) - 3:,} more"


Rows = Callable[[Path], Iterator[tuple[int, dict[str, Any]]]]


@dataclass(frozen=True)
class _File:
    path: Path
    constants: Mapping[str, Any]
    rows: Rows
    is_json: bool = False

    @property
    def name(self) -> str:
        return self.path.name

    def digest(self, asked: Asked) -> str:
        digest = hashlib.sha256(_constants_text(self.constants))
        try:
            with (asked.folder / self.path).open("rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
        except OSError as error:
            raise BadInput(f"{self.path} cannot be read: {error.strerror}.", "Check the path.") from None
        return digest.hexdigest()

    def entities(self, declared: Declared, asked: Asked) -> Iterator[Kind]:
        return _entities(declared, self.numbered(asked), self.constants, is_json=self.is_json)

    def documents(self, kind: type[Document], asked: Asked) -> Iterator[tuple[str, Document]]:
        return _documents(kind, self.numbered(asked), self.constants)

    def numbered(self, asked: Asked) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield each row with its file and line."""
        for line, row in self.rows(asked.folder / self.path):
            yield f"{self.path}, line {line}", row


def _csv_rows(delimiter: str, encoding: str) -> Rows:
    def rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
        try:
            with path.open(encoding=encoding, newline="") as file:
                csv_module.field_size_limit(_LONGEST_FIELD)
                reader = csv_module.reader(file, delimiter=delimiter, strict=True)
                header = [name.strip() for name in next(filter(None, reader), [])]
                if len(set(header)) < len(header):
                    twice = next(name for name in header if header.count(name) > 1)
                    raise BadInput(f"{path.name}, line 1: two columns are named {twice!r}.", "Rename one of them.")
                for row in reader:
                    if not row:
                        continue
                    if len(row) != len(header):
                        raise BadInput(
                            f"{path.name}, line {reader.line_num}: {len(row)} values for {len(header)} columns.",
                            "Correct the line; a value with a comma needs quotes.",
                        )
                    yield reader.line_num, dict(zip(header, row, strict=True))
        except UnicodeDecodeError as error:
            name = encoding.removesuffix("-sig")
            raise BadInput(
                f"{path.name} is not {name} text: {error.reason}.", "Give csv(…, encoding=…), such as latin-1."
            ) from None
        except csv_module.Error as error:
            raise BadInput(f"{path.name}, line {reader.line_num}: {error}.", "Correct the line.") from None

    return rows


def _json_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line, parse_float=Decimal)
            except (ValueError, RecursionError) as error:
                raise BadInput(f"{path.name}, line {number}: {error}.", "Write one JSON object a line.") from None
            if not isinstance(row, dict):
                raise BadInput(
                    f"{path.name}, line {number}: the line is not a JSON object.", "Write one JSON object a line."
                )
            yield number, row


@dataclass(frozen=True)
class _Query:
    address: str
    statement: str
    constants: Mapping[str, Any]

    @property
    def name(self) -> str:
        return f"sql:{hashlib.sha256(self.statement.encode()).hexdigest()[:8]}"

    def digest(self, asked: Asked) -> str:
        del asked
        digest = hashlib.sha256(self.statement.encode() + _constants_text(self.constants))
        for row in self._rows():
            digest.update(repr([*row.items()]).encode("utf-8", "surrogatepass"))
        return digest.hexdigest()

    def entities(self, declared: Declared, asked: Asked) -> Iterator[Kind]:
        return _entities(declared, self.numbered(asked), self.constants)

    def documents(self, kind: type[Document], asked: Asked) -> Iterator[tuple[str, Document]]:
        return _documents(kind, self.numbered(asked), self.constants)

    def numbered(self, _: Asked) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield each row with its number."""
        for number, row in enumerate(self._rows(), 1):
            yield f"{self.name}, row {number}", row

    def _rows(self) -> Iterator[dict[str, Any]]:
        database = self._opened()
        try:
            with database.read() as connection:
                yield from query_rows(connection, self.statement, _ROWS)
        finally:
            database.engine.dispose()

    def _opened(self) -> Database:
        file = self.address.partition("?")[0].partition(":///")[2] if self.address.startswith("sqlite") else ""
        if file and not Path(file).exists():
            raise BadInput(f"sql(…): there is no database {file}.", "Check the address.")
        return open_database(self.address, create=False)


@dataclass(frozen=True)
class _Listed:
    listed: tuple[Kind | Document, ...]
    name: str = "list"

    def digest(self, asked: Asked) -> str:
        del asked
        return _digest(self.listed, "the list of facts")

    def entities(self, declared: Declared, asked: Asked) -> Iterator[Kind]:
        del asked
        for one in self.listed:
            yield _checked(one, declared.cls, "the list of facts")

    def documents(self, kind: type[Document], asked: Asked) -> Iterator[tuple[str, Document]]:
        del asked
        for number, one in enumerate(self.listed, 1):
            yield f"document {number} of the list", _checked(one, kind, "the list of facts")


@dataclass(frozen=True)
class _Function:
    function: Callable[..., Iterable[Kind | Document]]

    @property
    def name(self) -> str:
        return getattr(self.function, "__name__", "function")

    def digest(self, asked: Asked) -> str:
        return _digest(self._call(asked), f"the function {self.name}")

    def entities(self, declared: Declared, asked: Asked) -> Iterator[Kind]:
        for one in self._call(asked):
            yield _checked(one, declared.cls, f"the function {self.name}")

    def documents(self, kind: type[Document], asked: Asked) -> Iterator[tuple[str, Document]]:
        for number, one in enumerate(self._call(asked), 1):
            yield f"document {number} of {self.name}", _checked(one, kind, f"the function {self.name}")

    def _call(self, asked: Asked) -> Iterator[Kind | Document]:
        possible = {"settings": asked.settings, "run": asked.run}
        try:
            taken = inspect.signature(self.function).parameters
        except ValueError as error:
            raise Misuse(f"{self.name} cannot state facts: {error}.", "Give a function of your own.") from None
        unknown = [name for name in taken if name not in possible]
        if unknown:
            raise Misuse(
                f"The function {self.name} has an unknown parameter {unknown[0]!r}{nearest(unknown[0], possible)}.",
                "A function that gives facts may take settings and run.",
            )
        try:
            stated = self.function(**{name: possible[name] for name in taken})
            if not isinstance(stated, Iterable):
                raise TypeError(f"it gives a {type(stated).__name__}, not entities; use yield")
            yield from stated
        except Misuse:
            raise  # what it asks for is not there yet
        except (Exception, SystemExit) as error:
            raise failed(f"The function {self.name}, which states facts, failed", error) from error


Stated = TypeVar("Stated", Kind, Document)


def _checked(one: Any, kind: type[Stated], where: str) -> Stated:
    if type(one) is not kind:
        raise BadInput(f"{where} gives {one!r}, which is not a {kind.__name__}.", f"Make it yield {kind.__name__}.")
    return one


def unwritable(entity: Kind, error: NotCanonical) -> BadInput:
    """Return the error of an entity that holds what no event can."""
    name = type(entity).__declared__.name
    return BadInput(
        f"{name} {shown_key(entity)} cannot be recorded: {error.message.removeprefix('data.')}.",
        "Correct the value: no NUL character in a text, no number beyond ±(2^53 - 1), and plain values in JSON.",
    )


def _digest(stated: Iterable[Any], where: str) -> str:
    digest = hashlib.sha256()
    for one in stated:
        if isinstance(one, Document):
            digest.update(msgspec.json.encode(one, order="deterministic") + b"\n")
            continue
        encode = type(one).__declared__.encode if isinstance(one, Kind) else None
        if encode is None:
            raise BadInput(
                f"{where} gives {brief(one)}, which is not an entity of the domain.", "Give entities of the kind alone."
            )
        try:
            for path, part in zip(("key", "data"), encode(one), strict=True):
                digest.update(canonical_bytes(part, path))
        except NotCanonical as error:
            raise unwritable(one, error) from None
        except BadEntity as error:
            raise BadInput(f"{one!r} of {where} does not fit: {error.message}", "Correct the entity.") from None
    return digest.hexdigest()


def places_of(source: Facts, declared: Declared, key: Key, asked: Asked) -> list[str]:
    """Return the files and lines, or the rows of a query, that state an entity of this key; for an error alone."""
    if not isinstance(source, (_File, _Query)):
        return []
    rows = source.numbered(asked)
    is_json = isinstance(source, _File) and source.is_json
    return [
        where
        for where, row in rows
        for one in _entities(declared, [(where, row)], source.constants, is_json=is_json)
        if key_of(one) == key
    ]


def _entities(
    declared: Declared,
    rows: Iterable[tuple[str, dict[str, Any]]],
    constants: Mapping[str, Any],
    *,
    is_json: bool = False,
) -> Iterator[Kind]:
    readers: dict[tuple[str, ...], RowReader] = {}
    for where, row in rows:
        names = tuple(row)  # JSON's objects need not have the same names
        if names not in readers:
            readers[names] = RowReader(declared, row, constants, where, is_json=is_json)
        yield readers[names].entity(row, where)


def _documents(
    kind: type[Document], rows: Iterable[tuple[str, dict[str, Any]]], constants: Mapping[str, Any]
) -> Iterator[tuple[str, Document]]:
    """Yield documents of rows; what a row says beyond the document's fields is left out."""
    nullable = [one.encode_name for one in msgspec.structs.fields(kind) if may_be_null(one.type)]
    for where, row in rows:
        given = {**constants, **row, **{name: None for name in nullable if row.get(name) == ""}}
        try:
            yield where, msgspec.convert(given, kind, strict=False)
        except msgspec.ValidationError as error:
            raise BadInput(f"{where}: {str(error).replace('$.', '')}.", "Correct the document.") from None


def _constants_text(constants: Mapping[str, Any]) -> bytes:
    return repr(sorted(constants.items())).encode("utf-8", "surrogatepass")


class RowReader:
    """Makes entities of rows with one set of columns. Raises BadInput for columns that fit no field."""

    def __init__(
        self,
        declared: Declared,
        row: Mapping[str, Any],
        constants: Mapping[str, Any],
        where: str,
        *,
        is_json: bool = False,
    ) -> None:
        self._declared = declared
        self._constants = dict(constants)
        self._is_json = is_json
        names = {*row, *constants}
        self._takers: list[tuple[str, Callable[[Mapping[str, Any]], Any]]] = []
        used: set[str] = set()
        missing: list[str] = []
        for name in declared.fields:
            column = declared.columns[name]
            if name in names:
                used.add(name)
                self._takers.append((name, self._taker(column, name, where)))
            elif len(column.to) == 1 and (dotted := sorted(one for one in names if one.startswith(f"{name}."))):
                used.update(dotted)
                self._takers.append(
                    (name, self._reference(column, {one.partition(".")[2]: one for one in dotted}, where))
                )
            elif name not in declared.defaults:
                if column.nullable:
                    self._takers.append((name, lambda _: None))
                else:
                    missing.append(name)
        problems = [f"the column {name!r} is missing" for name in missing]
        problems += [
            f"the column {name!r} is not a field of {declared.cls.__name__}{nearest(name, declared.fields)}"
            for name in sorted(names - used)
        ]
        if problems:
            raise BadInput(f"{where}: {'; '.join(problems)}.", f"The fields are {', '.join(declared.fields)}.")

    def entity(self, row: Mapping[str, Any], where: str) -> Kind:
        """Return the row's entity; raises BadInput with the line and the field."""
        row = {**self._constants, **row} if self._constants else row
        values: dict[str, Any] = {}
        for name, take in self._takers:
            try:
                values[name] = take(row)
            except (ValueError, TypeError, ArithmeticError, RecursionError) as error:
                shown = brief(row.get(name, ""))
                reason = str(error) if isinstance(error, Unfit) else wanted(self._declared.columns[name])
                raise BadInput(
                    f"{where}, field {name}: {shown} does not fit: {reason}.", "Correct the value."
                ) from None
        try:
            entity = self._declared.cls(**values)
            if self._declared.encode is not None:
                self._declared.encode(entity)
        except BadEntity as error:
            raise BadInput(f"{where}: {error.message}", "Correct the row.") from None
        return entity

    def _taker(self, column: Column, name: str, where: str) -> Callable[[Mapping[str, Any]], Any]:
        if len(column.to) > 1:
            return partial(_of_several, column)
        if isinstance(self._constants.get(name), Kind):
            return lambda row: row[name]
        if column.to:
            return self._reference(column, {"": name}, where)
        if column.holds is Type.JSON and self._is_json:
            return lambda row: plain_numbers(row[name])
        convert = converter(column)

        def take(row: Mapping[str, Any]) -> Any:
            value = row[name]
            if value is None or value == "":
                if column.nullable:
                    return None
                if value == "" and column.holds is Type.TEXT and ("" in column.choices or not column.choices):
                    return convert("")
                raise Unfit("it is blank, and the field may not be null")
            return convert(value)

        return take

    def _reference(self, column: Column, given: Mapping[str, str], where: str) -> Callable[[Mapping[str, Any]], Any]:
        """Return a function from a row to a reference, made of the parts that the row's own key does not share."""
        target = column.to[0].__declared__
        names = target.key_names
        if "" in given and len(names) > 1:
            left = [one for one in names if one not in _root_parts(self._declared, column)]
            if len(left) != 1:
                raise BadInput(
                    f"{where}: the reference {column.name!r} has several parts.",
                    f"Name the columns {', '.join(f'{column.name}.{one}' for one in left)}.",
                )
            given = {left[0]: given[""]}
        elif "" in given:
            given = {names[0]: given[""]}
        root = _root_parts(self._declared, column)
        if wrong := {*given} - {*names} or {*names} - {*given, *root}:
            raise BadInput(
                f"{where}: the reference {column.name!r} "
                + ("has no part " if wrong - {*names} else "lacks its part ")
                + ", ".join(map(repr, sorted(wrong)))
                + ".",
                f"Name the columns {', '.join(f'{column.name}.{one}' for one in names if one not in root)}.",
            )

        def take(row: Mapping[str, Any]) -> Any:
            if isinstance(row.get(column.name), Kind):
                return row[column.name]
            parts: list[str | int] = []
            for name, part in zip(names, target.parts, strict=True):
                value = row[given[name]] if name in given else _told(row, root[name])
                if value is None or value == "":
                    if column.nullable:
                        return None
                    raise Unfit("it is blank, and the reference may not be null")
                parts.append(_key_part(part.origin, value, target))
            return named(target, tuple(parts))

        return take


def _of_several(column: Column, row: Mapping[str, Any]) -> Any:
    """Return a reference to one of several kinds, which only a constant can be."""
    value = row[column.name]
    if isinstance(value, Kind):
        return value
    if column.nullable and (value is None or value == ""):
        return None
    kinds = " or ".join(one.__name__ for one in column.to)
    raise Unfit(f"it may be a {kinds}, and a column does not say which; give these facts with a function")


def _told(row: Mapping[str, Any], part: Part) -> Any:
    """Return what a row says of a part of its own key: in the field's column, or in a column for this part alone."""
    value = row.get(part.field)
    if isinstance(value, Kind):
        return key_of(value)[type(value).__declared__.key_names.index(str(part.theirs))]
    return row.get(f"{part.field}.{part.theirs}") if value is None else value


def _root_parts(declared: Declared, column: Column) -> dict[str, Part]:
    """Return the parts of a reference's key that the beginning of the row's own key gives."""
    target = column.to[0].__declared__
    if not declared.parts:
        return {}
    first = declared.parts[0]
    return {part.name: first for part in target.parts if part.origin == first.origin and first.field != column.name}


def _key_part(origin: tuple[str, str], value: Any, target: Declared) -> str | int:
    """Return a key's part as keys hold it; numbers and dates are read by the type of the field that they began as."""
    column = _origin_column(target, origin)
    converted = converter(column)(value) if column else value
    if isinstance(converted, (str, int)):
        return converted
    return converted.isoformat() if isinstance(converted, date) else str(converted)


def _origin_column(declared: Declared, origin: tuple[str, str]) -> Column | None:
    if declared.name == origin[0]:
        return declared.columns.get(origin[1])
    for name in declared.key:
        column = declared.columns[name]
        for one in column.to:
            if found := _origin_column(one.__declared__, origin):
                return found
    return None

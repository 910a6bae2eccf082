"""`init`: a first domain, map and settings for tables that somebody has already; and what a map lacks later."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seedjournal import journal as j

from .. import settings as config
from ..terminal import number_of, shown, table
from . import FINE, exits
from .databases import Databases, layout, opened_target
from .domains import own_domain
from .options import Common, Whole, common_options
from .runs import FORMAT, Document

if TYPE_CHECKING:
    from seedjournal.projectors.mapping import Tables
    from seedjournal.projectors.starting import Module

MODULE = "seeds"
PASSWORD = "DATABASE_PASSWORD"  # noqa: S105 - the name of a variable
_MOST_ROWS = 1_000_000
_ROWS = 1000
_NAMED = 8  # tables or columns that a line names
_PARTS = ("class", "kinds", "settings", "simulator", "map")
_MOST_CHOICES = 12  # more are a list of countries or time zones, of which some are enough
_FILE = re.compile(r"(sqlite[+\w]*:///)([^?]+)(.*)")
_PASSWORD = re.compile(r"([\w+]+://)([^:/?@]*):?([^/?@]*)@(.*)")
_VARIABLE = re.compile(r"\$\{\w+\}")


@click.command(
    help="Write a first domain for a database that has tables: seeds.py and seedjournal.toml.\n\n"
    "Each table becomes a kind with believable values, which keep its foreign keys, UNIQUE and CHECK constraints. init "
    "changes nothing in the database and reads no rows. Afterwards, record and project as with any other domain.\n\n"
    "With --update, it writes no file. It compares the map that the settings file names with the tables as they are, "
    "and prints what migrations have added since: tables, columns and values of enums, as Python to paste.",
    epilog="\b\nFor example:\n"
    "  seedjournal init --from postgresql://me@localhost/shop --rows 200\n"
    "  seedjournal init --from django:shop.settings\n"
    "  seedjournal init --from sqlalchemy:shop.models:Base --target URL\n"
    "  seedjournal init --update\n\n" + exits("the files were written, or what the map lacks was printed, if anything"),
)
@click.option(
    "--from",
    "source",
    metavar="SOURCE",
    help="The database whose tables to fill: its URL, django:SETTINGS, or sqlalchemy:MODULE:BASE with --target. "
    "[default with --update: the target]",
)
@click.option("--update", "is_update", is_flag=True, help="Print what the map lacks. Change nothing.")
@click.option(
    "--rows",
    metavar="N",
    type=Whole(1, _MOST_ROWS),
    help="About how many rows to make for a table that no other table refers to; others get fewer. [default: 1000; "
    "with --update, the most that a setting says]",
)
@click.option(
    "--tables", metavar="A,B", multiple=True, help="Only these tables. [default: all but those of frameworks]"
)
@click.option("--schema", metavar="NAME", help="The PostgreSQL schema of the tables.")
@click.option(
    "--out",
    metavar="FOLDER",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where to write the files. [default: the working folder]",
)
@common_options
def init(
    common: Common,
    *,
    source: str | None,
    is_update: bool,
    rows: int | None,
    tables: tuple[str, ...],
    schema: str | None,
    out: Path | None,
) -> int:
    """Write the files, and say which table became which kind; or say what a map lacks."""
    chosen = [name.strip() for listed in tables for name in listed.split(",") if name.strip()]
    databases = common.databases(schema)
    if is_update:
        if out is not None:
            raise j.Misuse("--update writes no file.", "Leave out --out.")
        common.give(compare(databases, source=source, rows=rows, chosen=chosen), _additions_text, folds=False)
        return FINE
    if source is None:
        raise j.Misuse("`init` was not told which database has the tables.", "Name it with --from SOURCE.")
    document = begin(databases, source=source, rows=rows or _ROWS, chosen=chosen, folder=out or Path())
    common.give(document, _text)
    return FINE


def begin(databases: Databases, *, source: str, rows: int, chosen: list[str], folder: Path) -> Document:
    """Plan a domain for the database's tables, and write it; raise Misuse where a file of that name is there."""
    files = {name: folder / name for name in (f"{MODULE}.py", config.FILE.name)}
    if there := [str(one) for one in files.values() if one.exists()]:
        raise j.Misuse(
            f"{' and '.join(there)} {'exists' if len(there) == 1 else 'exist'} already; nothing was written.",
            "Choose another folder with --out FOLDER.",
        )
    from seedjournal.projectors import starting

    source, told = database_of(source, databases.target)
    chosen = chosen or told.tables
    where = config.addresses(config.Settings(), databases.journal, source)
    today = datetime.now(UTC).date()
    with opened_target(where, databases, create=False) as target:
        if target is None:
            raise j.Misuse(f"There is no database at {where.target}.", "Check the address that --from names.")
        with target.read() as connection:
            start = starting.plan_start(
                connection, schema=databases.schema, chosen=chosen, rows=rows, choices=told.choices, today=today
            )
        address, needs_password = settings_address(source, folder)
        texts = {
            f"{MODULE}.py": starting.write_module(start, source=start.database, today=today),
            config.FILE.name: starting.write_settings(start, module=MODULE, target=address),
        }
        name = target.shown
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in texts.items():
        try:
            with files[file].open("x", encoding="utf-8") as opened:
                opened.write(text)
        except FileExistsError:
            raise j.Misuse(
                f"{files[file]} exists already; it was not changed.", "Choose another folder with --out FOLDER."
            ) from None
    return {
        "format": FORMAT,
        "from": name,
        "project": start.project,
        "projects": start.projects,
        "files": [str(one) for one in files.values()],
        "tables": {
            (one.info.name if start.schema else one.shown): {
                "kind": one.kind,
                "rows": one.count,
                "open": len(one.notes),
            }
            for one in start.kinds
        },
        "root": start.root.kind if start.root else None,
        "left_out": start.left_out,
        "variables": [PASSWORD] if needs_password else [],
    }


# -- what a map lacks ----------------------------------------------------------------------------------------------


def compare(databases: Databases, *, source: str | None, rows: int | None, chosen: list[str]) -> Document:
    """Compare the map that the settings name with the database; raise Misuse where there is no map."""
    from seedjournal.projectors import Layout, starting

    settings = config.load()
    tables = layout()
    if isinstance(tables, Layout):
        raise j.Misuse(
            "There is nothing to compare: the settings file names no map of tables that an application owns.",
            "Begin with `seedjournal init --from URL`.",
        )
    address, told = database_of(source, databases.target) if source else (databases.target, Told())
    where = config.addresses(settings, databases.journal, address)
    module = _module(settings, tables)
    with opened_target(where, databases, create=False) as target:
        if target is None:
            raise j.Misuse(
                f"There is no database at {where.target}.", "Check the address, and name another with --target URL."
            )
        with target.read() as connection:
            found = starting.find_additions(
                connection,
                tables,
                schema=config.schema(settings, databases.schema),
                chosen=chosen,
                known=told.tables,
                rows=rows or _most_rows(tables.domain),
                choices=told.choices,
                module=module,
            )
        name = target.shown
    return {
        "format": FORMAT,
        "from": name,
        "files": {
            "domain": _file_of(settings.domain),
            "map": _file_of(settings.tables),
            "name": module.map,
        },
        "added": starting.write_additions(found, taken=module.taken),
        "changed": found.changed,
        "left_out": found.start.left_out,
        "passed": {"tables": found.passed_tables, "columns": found.passed_columns},
    }


def _module(settings: config.Settings, tables: Tables) -> Module:
    """Return the names of the user's module, so that what is printed can be pasted into it."""
    from seedjournal.projectors.starting import Module

    domain = own_domain(settings)
    taken: set[str] = set()
    for address in (settings.domain, settings.tables):
        named = sys.modules.get(str(address).partition(":")[0])
        taken |= vars(named).keys() if named else set()
    of = tables.domain
    simulators = [
        (one.__declared__.name, simulator.name)
        for simulator in getattr(of, "simulators", ())
        for one in simulator.yields
    ]
    return Module(
        domain=str(settings.domain).partition(":")[2] if domain else "",
        map=str(settings.tables).partition(":")[2],
        root=getattr(getattr(of, "root", None), "__name__", "") if domain else "",
        classes={
            declared.name: one.__name__
            for one in getattr(of, "kinds", ())
            if (declared := getattr(one, "__declared__", None))
        },
        simulators=dict(reversed(simulators)),
        taken=taken,
    )


def _file_of(address: str | None) -> str:
    """Return the file that an address of the settings means."""
    module = str(address or "").partition(":")[0].replace(".", "/")
    return f"{module}.py" if module else ""


def _most_rows(domain: Any) -> int:
    """Return the greatest number of rows that the settings give a simulator, which begins with as many for a table."""
    settings = getattr(domain, "settings", {})
    named = {one.name for one in getattr(domain, "simulators", ())}
    if not isinstance(settings, Mapping):
        return _ROWS
    return max((rows for name, rows in settings.items() if name in named and type(rows) is int), default=_ROWS)


def _additions_text(document: Mapping[str, Any]) -> str:
    """Say what a map lacks, as Python to paste with comments that say where."""
    added, lines = document["added"], []
    tables, columns, labels = added["tables"], added["columns"], added["labels"]
    counts = [
        number_of(len(found), what)
        for found, what in ((tables, "table"), (columns, "column"), (labels, "list of values"))
        if found
    ]
    if counts:
        last = f" and {counts.pop()}" if len(counts) > 1 else ""
        lines.append(
            f"# {document['from']} has {', '.join(counts)}{last} that the map lacks. Paste what you want to fill."
        )
        lines += _block("among the imports", added["imports"])
        lines += _tables_text(tables, document["files"])
        lines += _columns_text(columns, document["files"]["name"])
        for one in labels:
            values = ", ".join(map(repr, one["labels"]))
            where = (
                f"{one['table']}.{one['column']} takes {values} as well: in class {one['class']}, and in its simulator"
            )
            lines += _block(where, [f"    {_indented(one['python'])}"])
    else:
        lines.append(f"nothing was added: the map has all that {document['from']} has")
    return "\n".join([*lines, *_quiet(document, "# " if tables or columns or labels else "")]) + "\n"


def _block(where: str, parts: Iterable[str], gap: str = "") -> list[str]:
    """Return what is to be pasted at one place, below a comment that says which."""
    joined = f"\n{gap}".join(parts)
    return ["", f"# {where}", *joined.split("\n")] if joined else []


def _tables_text(tables: Mapping[str, Any], files: Mapping[str, str]) -> list[str]:
    parts = {name: [one["python"][name] for one in tables.values()] for name in _PARTS}
    is_one = files["domain"] == files["map"]
    lines = _block(f"{', '.join(tables)}: above the domain", parts["class"], "\n\n")
    lines += _block("in the domain's kinds=(…)", parts["kinds"])
    lines += _block("in the domain's settings={…}", parts["settings"])
    lines += _block(f"at the end of {files['domain']}", parts["simulator"], "\n\n")
    lines += ["", "", *"\n".join(parts["map"]).split("\n")] if is_one and tables else []
    lines += _block(f"at the end of {files['map']}", parts["map"]) if not is_one else []
    if tables:
        names = ", ".join(json.dumps(name, ensure_ascii=False) for name in tables)
        lines.append(f"# or, where the application alone fills them: {files['name']}.leave_alone({names})")
    return lines


def _columns_text(columns: Iterable[Mapping[str, Any]], name: str) -> list[str]:
    """Return what columns need; those of a table that are only to be named in one argument come together."""
    lines: list[str] = []
    named: dict[tuple[str, str], list[str]] = {}
    for one in columns:
        python, about = one["python"], f"{one['table']}.{one['column']} ({one['type']})"
        of = f'{name}.table("{one["kind"]}", …)'
        if not python["field"]:
            named.setdefault((of, python["map"]), []).append(about)
            lines += [f"# TODO: {note}" for note in one["notes"]]
            continue
        lines += _block(f"{about}: in class {one['class']}", [f"    {_indented(python['field'])}"])
        takes = f", which then takes {', '.join(one['parameters'])}" if one["parameters"] else ""
        needs = f"; it needs {'; '.join(one['needs'])}" if one["needs"] else ""
        lines.append(f"# in the simulator {one['simulator']}{takes}{needs}")
        lines += [f"    {line}" for line in (*one["before"], python["value"])]
        lines += [f"# in columns={{…}} of {of}", f"    {python['map']}"] if python["map"] else []
        lines += [f"# or leave it to the application: {python['left']} of {of}"] if python["left"] else []
        lines += [f"# TODO: {note}" for note in one["notes"]]
    for (of, said), about_all in named.items():
        is_argument = said.startswith(("theirs=", "filled_by_trigger="))
        place = f"in the arguments of {of}" if is_argument else f"in columns={{…}} of {of}"
        lines += _block(f"{', '.join(about_all)}: {place}", [f"    {said}"])
    return lines


def _indented(text: str) -> str:
    return text.replace("\n", "\n    ")


def _quiet(document: Mapping[str, Any], mark: str) -> list[str]:
    """Say in a line each what is not new, and what does not fit."""
    lines: list[str] = []
    passed = document["passed"]
    if passed["tables"]:
        lines.append(
            f"{number_of(len(passed['tables']), 'table')} without a kind: {_some(passed['tables'])}; "
            "`seedjournal init --update --tables NAME` prints what would fill one"
        )
    names = [f"{table}.{one}" for table, found in passed["columns"].items() for one in found]
    if names:
        lines.append(
            f"{number_of(len(names), 'column')} that the application fills: {_some(names)}; "
            "`seedjournal init --update --tables NAME` prints what would fill those of a table"
        )
    if left := document["left_out"]:
        lines.append(f"left out, as by init: {', '.join(f'{name} ({reason})' for name, reason in left.items())}")
    lines += [f"does not fit any more: {one}" for one in document["changed"]]
    if document["changed"]:
        lines.append("`seedjournal check` says what to change in the map")
    return ["", *(f"{mark}{one}" for one in lines)] if lines and mark else lines


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


# -- the application's own words -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Told:
    """What an application's models say beyond its tables.

    `tables` are those to take, none means all; `choices` has by table and column the values that the application knows.
    """

    tables: list[str] = field(default_factory=list)
    choices: dict[str, dict[str, tuple[str | int, ...]]] = field(default_factory=dict)


def database_of(source: str, target: str | None) -> tuple[str, Told]:
    """Return a database's address, and what the models of the framework say that names it.

    The application's own modules are imported from the working folder. Raises Misuse where that fails.
    """
    framework, _, named = source.partition(":")
    if framework == "django":
        os.environ["DJANGO_SETTINGS_MODULE"] = named
        settings = _imported(f"{named}:DATABASES", "Django's settings")
        return address_of_django(settings.get("default", {})), Told(choices=_choices_of_django())
    if framework == "sqlalchemy":
        if target is None:
            raise j.Misuse("SQLAlchemy models do not say in which database they are.", "Name it with --target URL.")
        base = _imported(named, "SQLAlchemy's models")
        tables = getattr(base, "metadata", base).tables.values()
        return target, Told(sorted(one.name for one in tables), _choices_of_sqlalchemy(tables))
    return source, Told()


def _imported(address: str, what: str) -> Any:
    """Return what `module:name` names."""
    module, _, name = address.partition(":")
    sys.path.insert(0, str(Path.cwd()))
    try:
        with redirect_stdout(sys.stderr):
            return getattr(import_module(module), name)
    except Exception as error:  # noqa: BLE001 - the application's own code runs
        raise j.Misuse(
            f"{what} {address!r} cannot be imported: {type(error).__name__}: {error}.",
            "Run init with your application's Python, in the folder that it runs in.",
        ) from None


def _choices_of_django() -> dict[str, dict[str, tuple[str | int, ...]]]:
    """Return the `choices` of the models' fields; none where the applications cannot be loaded here."""
    try:
        with redirect_stdout(sys.stderr):
            import_module("django").setup()
            models = import_module("django.apps").apps.get_models(include_auto_created=True)
    except Exception:  # noqa: BLE001 - the application's own code runs; its tables still say enough for a start
        return {}
    found: dict[str, dict[str, tuple[str | int, ...]]] = {}
    for model in models:
        for one in model._meta.local_concrete_fields:  # noqa: SLF001 - Django's public name for it
            found.setdefault(model._meta.db_table, {})[one.column] = _known(value for value, _ in one.flatchoices)  # noqa: SLF001
    return found


def _choices_of_sqlalchemy(tables: Iterable[Any]) -> dict[str, dict[str, tuple[str | int, ...]]]:
    """Return the values of the models' enums, as the database has them."""
    return {
        table.name: {
            one.name: _known(getattr(getattr(one.type, "impl", one.type), "enums", ())) for one in table.columns
        }
        for table in tables
    }


def _known(values: Iterable[Any]) -> tuple[str | int, ...]:
    """Return the first of some values that a text or a whole number can be."""
    usable = (one for one in values if (isinstance(one, str) and one) or type(one) is int)
    return tuple(str(one) if isinstance(one, str) else one for one in islice(usable, _MOST_CHOICES))


def address_of_django(told: Mapping[str, Any]) -> str:
    """Return the address of a database in Django's settings."""
    from sqlalchemy import URL

    engine, host = str(told.get("ENGINE", "")), str(told.get("HOST") or "")
    if engine.endswith("sqlite3"):
        return f"sqlite:///{told['NAME']}"
    if not engine.endswith(("postgresql", "postgis")):
        raise j.Misuse(
            f"Django's default database has the engine {engine or '(none)'}, but seedjournal writes only to PostgreSQL "
            "and SQLite.",
            "Give such a database's URL instead.",
        )
    address = URL.create(
        "postgresql",
        username=told.get("USER") or None,
        password=told.get("PASSWORD") or None,
        host=None if host.startswith("/") else host or None,
        port=int(told["PORT"]) if told.get("PORT") else None,
        database=str(told["NAME"]),
        query={"host": host} if host.startswith("/") else {},
    )
    return address.render_as_string(hide_password=False)


def settings_address(source: str, folder: Path) -> tuple[str, bool]:
    """Return the address for the settings file, and whether a password was taken out of it.

    A variable stays as it is. A file's path holds in the folder of the settings.
    """
    if source.startswith("sqlite") and (file := _FILE.fullmatch(source)):
        path = Path(file[2])
        is_here = path.is_absolute() or folder.resolve() == Path.cwd()
        return source if is_here else f"{file[1]}{path.resolve()}{file[3]}", False
    address, _, options = source.partition("?")
    kept = [one for one in options.split("&") if one and not one.startswith("password=")]
    is_told = len(kept) < len([one for one in options.split("&") if one])
    if match := _PASSWORD.fullmatch(address):
        scheme, user, password, rest = match.groups()
        is_told = is_told or bool(password and not _VARIABLE.fullmatch(password))
        if is_told:
            address = f"{scheme}{user}:${{{PASSWORD}}}@{rest}"
    return "?".join([address, *(["&".join(kept)] if kept else [])]), is_told


def _text(document: Mapping[str, Any]) -> str:
    """Say what was written, and what to do next."""
    kinds = document["tables"]
    rows = [[name, one["kind"], one["rows"]] for name, one in kinds.items()]
    lines = [
        f"{number_of(len(rows), 'table')} of {shown(document['from'])}",
        table(("table", "kind", "rows"), rows, indent=2),
    ]
    lines.append(f"wrote {' and '.join(map(shown, document['files']))}")
    if left := document["left_out"]:
        lines.append(f"left out: {', '.join(map(shown, left))} (seeds.py says why)")
    if open_ := sum(one["open"] for one in kinds.values()):
        lines.append(f"{number_of(open_, 'comment')} in seeds.py, beginning with TODO, say what could not be decided")
    lines += [f"export {name}=… first: the settings file does not hold the password" for name in document["variables"]]
    if len(document["projects"]) > 1:
        projects = ", ".join(map(shown, document["projects"]))
        lines.append(f"each {shown(document['root'])} is a project, {projects}; record --all takes every one")
    lines.append(f"next: seedjournal record --project {document['project']}; seedjournal project")
    return "\n".join(lines) + "\n"

"""Where settings come from: an option wins over the environment, then `seedjournal.toml`, the registry, the default."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from seedjournal import journal as j

from .registry import REGISTRY

FILE = Path("seedjournal.toml")
DEFAULT_JOURNAL = "sqlite:///seedjournal.db"
JOURNAL_VARIABLE = "SEEDJOURNAL_JOURNAL"
TARGET_VARIABLE = "SEEDJOURNAL_TARGET"
SCHEMA_VARIABLE = "SEEDJOURNAL_SCHEMA"

FILLED: dict[str, str] = {}  # what a settings file's addresses took from the environment: no error shows it

_TOP = (
    "domain",
    "journal",
    "policy",
    "profiles",
    "projects",
    "prune",
    "scenarios",
    "schema",
    "tables",
    "target",
    "today",
)
_RESERVED = re.compile(r"[^A-Za-z0-9._~%!$&'()*+,;=-]")  # what ends a part of an address, and so must be written as %XX
_USER_AND_PASSWORD = re.compile(r"[\w+]+://([^:/?@]*(?::[^/?@]*)?)@")
_FOR_DATABASES = ("SEEDJOURNAL_", "PG", "DATABASE")
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the settings file says; everything is absent where there is no file."""

    journal: str | None = None
    target: str | None = None
    schema: str | None = None
    prune: bool = True
    today: date | Literal["off"] | None = None
    domain: str | None = None
    tables: str | None = None
    projects: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    profiles: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    policy: Mapping[str, Any] = field(default_factory=dict)
    scenarios: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Address:
    """An address as it was written, and whether the settings file says it or the user's own option or variable."""

    text: str
    is_of_file: bool

    def filled(self) -> str:
        """Return the address with every `${VAR}` filled from the environment.

        A settings file may come from a stranger: what it says may use only variables meant for databases, and only as
        user and password. Raise Misuse for any other, and for one that is not set.
        """
        return _VARIABLE.sub(self._value, self.text)

    def _value(self, match: re.Match[str]) -> str:
        name = match[1]
        part = _USER_AND_PASSWORD.match(self.text)
        is_user_or_password = part is not None and part.start(1) <= match.start() and match.end() <= part.end(1)
        if self.is_of_file and not is_user_or_password:
            raise j.Misuse(
                f"{FILE}: an address may use ${{{name}}} only as its user or its password.",
                "Write the rest of the address out, or give the whole address with --journal, --target, "
                f"{JOURNAL_VARIABLE} or {TARGET_VARIABLE}.",
            )
        if self.is_of_file and not name.startswith(_FOR_DATABASES) and name not in _own_variables():
            raise j.Misuse(
                f"{FILE}: an address may not use the environment variable {name}.",
                f"Use a variable named SEEDJOURNAL_…, PG… or DATABASE…. Or, if you trust this folder, write "
                f'variables = ["{name}"] into {user_file()}.',
            )
        if name not in os.environ:
            raise j.Misuse(
                f"A database's address needs the environment variable {name}, which is not set.",
                f"Set it: export {name}=…",
            )
        found = os.environ[name]
        if self.is_of_file:
            FILLED[name] = found
        in_front = "://" in self.text[: match.start()] and match.end() <= self.text.rfind("@")
        return quote(found, safe="") if in_front and _RESERVED.search(found) else found


@dataclass(frozen=True, slots=True)
class Addresses:
    """The databases of one command. Variables are read when an address is used, so that unused ones need not be set."""

    _journal: Address
    _target: Address

    @property
    def journal(self) -> str:
        """The journal's address."""
        return self._journal.filled()

    @property
    def target(self) -> str:
        """The target's address: the journal's unless another is given."""
        return self._target.filled()


def load(path: Path = FILE) -> Settings:
    """Return the settings of the working folder's file; raise Misuse for an unknown key, naming the nearest."""
    content = _read(path)
    _check_names(path, "", content, _TOP)
    for name in ("domain", "journal", "schema", "tables", "target"):
        if not isinstance(content.get(name, ""), str):
            examples = {"domain": "seeds:library", "schema": "seeds", "tables": "map:target"}
            raise j.BadInput(
                f"{path}: {name} is not text.",
                f'Write it in quotes, for example {name} = "{examples.get(name, DEFAULT_JOURNAL)}".',
            )
    if not isinstance(content.get("prune", True), bool):
        raise j.BadInput(f"{path}: prune is neither true nor false.", "Write, for example, prune = false.")
    for name in ("projects", "profiles", "scenarios"):
        tables = content.get(name, {})
        if not isinstance(tables, dict) or not all(isinstance(one, dict) for one in tables.values()):
            raise j.BadInput(
                f"{path}: {name} has a setting outside a table.",
                f"Write [{name}.NAME] in the line above it.",
            )
    domain = content.get("domain")
    projects = content.get("projects", {})
    scenarios = content.get("scenarios", {})
    if domain in {None, "engineering"}:  # a user's own domain checks its settings itself
        for group, named in (("projects", projects), ("scenarios", scenarios)):
            _check_settings(path, group, named)
    policy = content.get("policy", {})
    if not isinstance(policy, dict):
        raise j.BadInput(f"{path}: policy is not a table.", 'Write [policy] above lines such as github = "upsert".')
    if policy and domain in {None, "engineering"}:
        from seedjournal.simulators.engineering.kinds import ENGINEERING
        from seedjournal.simulators.policies import chosen_policies

        policy = chosen_policies(ENGINEERING, policy, f"{path}: policy.")
    return Settings(
        journal=content.get("journal"),
        target=content.get("target"),
        schema=content.get("schema"),
        prune=content.get("prune", True),
        today=_today(path, content.get("today")),
        domain=domain,
        tables=content.get("tables"),
        projects=projects,
        policy=policy,
        profiles=content.get("profiles", {}),
        scenarios=scenarios,
    )


def _today(path: Path, given: Any) -> date | Literal["off"] | None:
    """Return the date that `today` says: "now", "off", or a date of TOML's."""
    if given is None:
        return None
    if given == "off":
        return "off"
    if given == "now":
        return datetime.now(UTC).date()
    if type(given) is date:
        return given
    raise j.BadInput(
        f'{path}: today = {given!r} is neither "now" nor a date.',
        'Write today = "now", or a date such as today = 2026-01-05.',
    )


def _check_settings(path: Path, group: str, named: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise Misuse for a table with a setting that no project has."""
    if named:
        from seedjournal.simulators.engineering.project import SETTINGS

        for name, settings in named.items():
            _check_names(path, f"{group}.{name}.", settings, SETTINGS)


def _read(path: Path) -> dict[str, Any]:
    """Return what the file holds; nothing if there is no file."""
    fix = "Fix the file; docs/settings.md lists what it may hold."
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise j.BadInput(f"{path} is not a regular file.", "Write the settings into a file of that name.")
    try:
        with path.open("rb") as file:
            _refuse_strangers(path, os.fstat(file.fileno()).st_uid)
            return tomllib.load(file)
    except FileNotFoundError:
        return {}
    except RecursionError:
        raise j.BadInput(f"{path} is nested too deeply.", fix) from None
    except ValueError as error:  # no TOML, no UTF-8, or a number of thousands of digits
        raise j.BadInput(f"{path}: {error}", fix) from None
    except OSError as error:
        raise j.BadInput(f"{path} cannot be read: {error.strerror}", "Check the file's permissions.") from None


def _refuse_strangers(path: Path, owner: int) -> None:
    """Raise BadInput for a file of somebody else's: it could name a server that this user's passwords are sent to."""
    if hasattr(os, "geteuid") and owner not in {os.geteuid(), 0}:
        raise j.BadInput(
            f"{path} belongs to another user (uid {owner}), so seedjournal does not read it.",
            f"Look at the file. If you trust it, make it yours with `chown {os.geteuid()} {path}`.",
        )


def addresses(settings: Settings, journal: str | None, target: str | None) -> Addresses:
    """Choose the databases to use."""
    FILLED.clear()
    chosen = _first(journal, os.environ.get(JOURNAL_VARIABLE), settings.journal)
    given = _first(target, os.environ.get(TARGET_VARIABLE), settings.target)
    chosen = chosen or Address(DEFAULT_JOURNAL, is_of_file=False)
    return Addresses(chosen, given or chosen)


def schema(settings: Settings, option: str | None) -> str | None:
    """Return the PostgreSQL schema that rows go to, None for the user's own search path."""
    given = option if option is not None else os.environ.get(SCHEMA_VARIABLE) or settings.schema
    if given == "":
        raise j.Misuse("The name of a schema is empty.", "Leave it out to use the search path.")
    return given


def _first(option: str | None, variable: str | None, setting: str | None) -> Address | None:
    """Return the first that is given. An empty variable counts as not given; an empty option or setting is an error."""
    chosen = option if option is not None else variable or setting
    if chosen == "":
        raise j.Misuse(
            "The address of a database is empty.", "Write it like sqlite:///seedjournal.db, or leave it out."
        )
    return None if chosen is None else Address(chosen, is_of_file=option is None and not variable)


def user_file() -> Path:
    """Return the path of the user's own settings, in the platform's folder for configuration."""
    from platformdirs import user_config_path

    return user_config_path("seedjournal", appauthor=False) / FILE.name


def _own_variables() -> Collection[str]:
    """Return the names of variables that the user's own settings let every settings file use."""
    path = user_file()
    content = _read(path)
    _check_names(path, "", content, ("variables",))
    names = content.get("variables", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise j.BadInput(
            f"{path}: variables is not a list of names.", 'Write, for example, variables = ["DB_PASSWORD"].'
        )
    return names


def is_known(settings: Settings, name: str) -> bool:
    """Return whether the registry or the file has a project of that name."""
    return name in REGISTRY or name in settings.projects


def unknown_project(settings: Settings, name: str, recorded: Collection[str]) -> j.Misuse:
    """Return the error for a name that neither registry, file nor journal knows; it names the nearest."""
    everyone = sorted({*REGISTRY, *settings.projects, *recorded})
    near = difflib.get_close_matches(name, everyone, n=3, cutoff=0.5) or difflib.get_close_matches(
        name, everyone, n=1, cutoff=0
    )
    return j.Misuse(
        f"There is no project {name!r}.",
        f"Did you mean {' or '.join(near)}? `seedjournal registry` lists the built-in projects; "
        "--new records one of your own, and with --source demo an invented one.",
    )


def project_settings(settings: Settings, name: str) -> dict[str, Any]:
    """Return a project's settings: the registry's, then the file's, then the policies for every project."""
    given = {**REGISTRY.get(name, {}), **settings.projects.get(name, {})}
    if settings.policy and isinstance(given.get("policy", {}), dict):
        from seedjournal.simulators.engineering.kinds import ENGINEERING
        from seedjournal.simulators.policies import chosen_policies

        own = chosen_policies(ENGINEERING, given.get("policy", {}), f"{FILE}: projects.{name}.policy.")
        given["policy"] = {**settings.policy, **own}
    return given


def scenario_settings(settings: Settings, name: str | None) -> Mapping[str, Any]:
    """Return the settings of a scenario, the file's before a built-in one; raise Misuse where there is none."""
    if name is None:
        return {}
    from seedjournal.simulators.engineering.project import SCENARIOS

    known = {**SCENARIOS, **settings.scenarios}
    if name not in known:
        raise j.Misuse(
            f"There is no scenario {name!r}.",
            f"The scenarios are {', '.join(sorted(known))}; [scenarios.NAME] in {FILE} adds one.",
        )
    return known[name]


def _check_names(path: Path, head: str, table: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for name in table:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0)
            raise j.Misuse(
                f"{path}: there is no key {head}{name}.", f"Did you mean {head}{near[0]}?" if near else "Remove it."
            )

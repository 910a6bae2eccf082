"""Where settings come from: option over environment over `seedjournal.toml` over registry over default."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from seedjournal.journal import BadInput, Misuse

from .registry import REGISTRY

FILE = Path("seedjournal.toml")
DEFAULT_JOURNAL = "sqlite:///seedjournal.db"
JOURNAL_VARIABLE = "SEEDJOURNAL_JOURNAL"
TARGET_VARIABLE = "SEEDJOURNAL_TARGET"

_TOP = ("journal", "policy", "projects", "target")
_RESERVED = re.compile(r"[^A-Za-z0-9._~%!$&'()*+,;=-]")  # what ends a part of an address, and so must be written as %XX
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the settings file says; everything is absent where there is no file."""

    journal: str | None = None
    target: str | None = None
    projects: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    policy: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Addresses:
    """The databases of one command: the target is the journal's database unless another is given."""

    journal: str
    target: str


def load(path: Path = FILE) -> Settings:
    """The settings file of the working folder; raises Misuse for an unknown key, naming the nearest."""
    content = _read(path)
    _check_names(path, "", content, _TOP)
    for name in ("journal", "target"):
        if not isinstance(content.get(name, ""), str):
            raise BadInput(f"{path}: {name} is not text", f'for example {name} = "{DEFAULT_JOURNAL}"')
    projects = content.get("projects", {})
    if not isinstance(projects, dict) or not all(isinstance(one, dict) for one in projects.values()):
        raise BadInput(f"{path}: projects holds something that is no table", "write [projects.NAME] above its settings")
    if projects:
        from seedjournal.simulators import SETTINGS

        for name, settings in projects.items():
            _check_names(path, f"projects.{name}.", settings, SETTINGS)
    policy = content.get("policy", {})
    if not isinstance(policy, dict):
        raise BadInput(f"{path}: policy is no table", 'write [policy] above lines such as github = "upsert"')
    if policy:
        from seedjournal.simulators import resolve_policies

        policy = resolve_policies(policy, f"{path}: policy.")
    return Settings(journal=content.get("journal"), target=content.get("target"), projects=projects, policy=policy)


def _read(path: Path) -> dict[str, Any]:
    """What the file holds, nothing where there is none."""
    mend = "mend the file; docs/settings.md shows what it may hold"
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise BadInput(f"{path} is not a regular file", "write the settings into a file of that name")
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except FileNotFoundError:
        return {}
    except RecursionError:
        raise BadInput(f"{path}: it is nested too deeply", mend) from None
    except ValueError as error:  # no TOML, no UTF-8, or a number of thousands of digits
        raise BadInput(f"{path}: {error}", mend) from None
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}", "check the file's permissions") from None


def addresses(settings: Settings, journal: str | None, target: str | None) -> Addresses:
    """The databases to use; `${VAR}` is filled from the environment."""
    chosen = _first(journal, os.environ.get(JOURNAL_VARIABLE), settings.journal) or DEFAULT_JOURNAL
    given = _first(target, os.environ.get(TARGET_VARIABLE), settings.target)
    return Addresses(_filled(chosen), _filled(given or chosen))


def _first(option: str | None, variable: str | None, setting: str | None) -> str | None:
    """The first that is given; an empty variable is as good as none, an empty option or setting a mistake."""
    chosen = option if option is not None else variable or setting
    if chosen == "":
        raise Misuse("the address of a database is empty", "it looks like sqlite:///seedjournal.db")
    return chosen


def is_known(settings: Settings, name: str) -> bool:
    """Whether the registry or the file has a project of that name."""
    return name in REGISTRY or name in settings.projects


def unknown_project(settings: Settings, name: str, recorded: Collection[str]) -> Misuse:
    """The error for a name that neither registry, file nor journal knows, naming the nearest."""
    everyone = sorted({*REGISTRY, *settings.projects, *recorded})
    near = difflib.get_close_matches(name, everyone, n=3, cutoff=0.5) or difflib.get_close_matches(
        name, everyone, n=1, cutoff=0
    )
    return Misuse(
        f"unknown project {name!r}",
        f"the nearest: {', '.join(near)}; `seedjournal registry` lists the built-in projects; "
        "--new records one of your own",
    )


def project_settings(settings: Settings, name: str) -> dict[str, Any]:
    """The registry's settings of a project, and the file's over them; its policies are over those of every project."""
    given = {**REGISTRY.get(name, {}), **settings.projects.get(name, {})}
    if settings.policy and isinstance(given.get("policy", {}), dict):
        from seedjournal.simulators import resolve_policies

        own = resolve_policies(given.get("policy", {}), f"{FILE}: projects.{name}.policy.")
        given["policy"] = {**settings.policy, **own}
    return given


def _check_names(path: Path, head: str, table: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for name in table:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0)
            raise Misuse(
                f"{path}: unknown key {head}{name}", f"the nearest is {head}{near[0]}" if near else "remove it"
            )


def _filled(address: str) -> str:
    def value(match: re.Match[str]) -> str:
        if match[1] not in os.environ:
            raise Misuse(
                f"a database's address needs the environment variable {match[1]}, which is not set",
                f"export {match[1]}=…",
            )
        found = os.environ[match[1]]
        is_user_or_password = "://" in address[: match.start()] and match.end() <= address.rfind("@")
        return quote(found, safe="") if is_user_or_password and _RESERVED.search(found) else found

    return _VARIABLE.sub(value, address)

"""Which domain a command works on: the built-in one, or one of the user's own that the settings file names."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from seedjournal import journal as j
from seedjournal.progress import Tell

from .. import settings as config
from ..failures import Failure, explain
from ..terminal import shown
from .databases import Databases, opened_journal
from .runs import FORMAT, Document, run_result

if TYPE_CHECKING:
    from seedjournal.projectors.mapping import Tables
    from seedjournal.simulators.domain import Domain
    from seedjournal.simulators.domain_recording import DomainOptions
    from seedjournal.simulators.recording import RemovesMost

_BUILT_IN = "engineering"


def own_domain(settings: config.Settings) -> Domain | None:
    """Return the user's domain; None where the settings name the built-in one, or none.

    Loading a domain imports its module from the settings file's folder.
    """
    if settings.domain in {None, _BUILT_IN}:
        return None
    from seedjournal.simulators.domain import load_domain

    return load_domain(str(settings.domain), config.FILE.parent)


def own_tables(address: str) -> Tables:
    """Import the map at `module:name`, from the settings file's folder; raise Misuse where there is none."""
    from seedjournal.projectors.mapping import Tables
    from seedjournal.simulators.domain import load_named

    found: Tables = load_named(address, config.FILE.parent, "tables", Tables)
    return found


def chosen_domain(settings: config.Settings) -> Domain:
    """Return the domain that commands show and project: the user's, or the built-in one."""
    from seedjournal.simulators.engineering.kinds import ENGINEERING

    return own_domain(settings) or ENGINEERING


def vocabulary(settings: config.Settings) -> j.Vocabulary:
    """Return the definitions of the chosen domain's kinds."""
    return chosen_domain(settings).vocabulary


def key_text(known: Mapping[str, j.Kind], kind: str, key: Mapping[str, Any]) -> str:
    """Return a key's parts as `show` takes them from a shell."""
    names = known[kind].key if kind in known else tuple(key)
    return " ".join(shlex.quote(shown(str(key.get(name)))) for name in names)


def known_kinds(connection: Any) -> Mapping[str, j.Kind]:
    """Return the kinds that the journal's newest runs were recorded with; the chosen domain's where they tell none."""
    return j.known_kinds(connection) or vocabulary(config.load()).by_name


def record_own(
    databases: Databases,
    settings: config.Settings,
    domain: Domain,
    options: DomainOptions,
    *,
    names: Sequence[str],
    every: bool,
    tell: Callable[[str], Tell],
    ask: Callable[[RemovesMost], None],
) -> tuple[Document, list[tuple[Exception, Failure]]]:
    """Record projects of a user's own domain, each by itself; return the document, and what was raised."""
    from seedjournal.simulators.domain_recording import projects_of, record_domain
    from seedjournal.simulators.policies import chosen_policies

    folder = config.FILE.parent
    if every:
        names = projects_of(domain, folder)
    if not names:
        known = ", ".join(projects_of(domain, folder)[:5])
        raise j.Misuse(
            "No project was named, so there is nothing to record.",
            f"Name one with --project, such as {known}, or give --all.",
        )
    of_file = chosen_policies(domain, settings.policy, f"{config.FILE}: policy.")
    document: Document = {"format": FORMAT, "runs": []}
    failures: list[tuple[Exception, Failure]] = []
    with opened_journal(databases, settings, create=True) as database:
        for name in dict.fromkeys(names):
            given = {**settings.projects.get(name, {}), **_profile(settings, options.profile), **options.settings}
            chosen = replace(options, settings=given, policies={**of_file, **options.policies})
            started = time.monotonic()
            try:
                done = record_domain(database, domain, name, chosen, folder, tell(name), ask)
                document["runs"] += [run_result(sealed, list(domain.by_name), started) for sealed in done]
            except Exception as error:
                if len(names) == 1:
                    raise
                failure = explain(error)
                failures.append((error, failure))
                document.setdefault("errors", []).append({"project": name, **failure.document})
    return document, failures


def _profile(settings: config.Settings, name: str | None) -> Mapping[str, Any]:
    if name is None:
        return {}
    if name not in settings.profiles:
        raise j.Misuse(
            f"There is no profile {name!r} in seedjournal.toml.",
            f"Its profiles are {', '.join(settings.profiles) or 'none'}. A table [profiles.{name}] adds one.",
        )
    return settings.profiles[name]


def own_settings(texts: Sequence[str]) -> dict[str, str]:
    """Return the settings that KEY=VALUE texts give."""
    given: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise j.Misuse(
                f"--set {text!r} is not KEY=VALUE.", "Write a setting and its value, for example `--set customers=100`."
            )
        given[key] = value
    return given

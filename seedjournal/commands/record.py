"""`record`: projects, each by itself, into the journal; and what fetching them would take."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import click

from seedjournal import journal as j
from seedjournal.progress import Tell
from seedjournal.simulators.engineering import api as engineering

from .. import settings as config
from ..failures import Failure, complain, explain, trace
from ..registry import REGISTRY
from ..sources import day_began, github_api, github_repositories, github_server, open_source
from ..terminal import SHORT, Progress, duration, number_of, old_and_new, shown, table, wrapped
from . import FINE, exits
from .databases import Databases, opened_journal
from .domains import own_domain, own_settings, record_own, vocabulary
from .options import DAY, LARGEST, Common, Whole, common_options, is_terminal
from .runs import FORMAT, Document, lacking, run_result, window_text

_LONGEST_WORD = 30  # in a column that may fold
_MOST_NAMES = 10  # in a line


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordChoice:
    """Which projects to record, from which source, and how."""

    projects: tuple[str, ...] = ()
    every: bool = False
    source: str | None = None
    new: bool = False
    sets: tuple[str, ...] = ()
    offline: bool = False
    strict: bool = False
    options: engineering.RecordOptions


@dataclass(frozen=True, slots=True)
class Outcome:
    """A document, and what was raised for those projects that failed while others went on."""

    document: Document
    failures: list[tuple[Exception, Failure]] = field(default_factory=list)


@click.command(
    help="Record projects: store each new event once, and one run that names all of its events.\n\n"
    "Prints what the run adds to the journal, what changes against the project's previous run, and which inputs "
    "differ from it. The same inputs give the same root, on any machine and in both databases.",
    epilog="\b\nSources:\n"
    "  demo              an invented project; needs no network\n"
    "  cache:PATH        a file OWNER/REPO.json or .json.gz, or a folder of them\n"
    "  git:PATH-or-URL   a git repository; a URL is cloned first\n"
    "  github            GitHub's API; needs a token, see docs/github.md\n\n"
    "\b\nUpdate policies, for each kind of fact:\n"
    "  once     keep the first content; keep what a later run no longer has\n"
    "  upsert   take the newest content; keep what a later run no longer has\n"
    "  exact    take the newest content; drop what a later run no longer has\n\n"
    "GitHub data is written once and not updated by default; simulated data follows the latest run.\n\n"
    "If one of several projects fails, the others are recorded; the exit status is then the highest one.\n\n"
    + exits("recorded"),
)
@click.option("--project", "projects", metavar="NAME", multiple=True, help="The project to record; may be repeated.")
@click.option("--all", "every", is_flag=True, help="Every project in seedjournal.toml, else in the registry.")
@click.option(
    "--domain",
    "domain_name",
    metavar="MODULE:NAME",
    help="A domain of your own, such as seeds:library. [default: the setting `domain`]",
)
@click.option("--source", metavar="SOURCE", help="Where facts come from. [default: the project's setting, else github]")
@click.option("--new", is_flag=True, help="Create a project under a new name.")
@click.option(
    "--seed",
    metavar="N",
    type=Whole(-LARGEST, LARGEST),
    default=lambda: engineering.DEFAULT_SEED,
    help="Random seed. [default: 42]",
)
@click.option("--as-of", metavar="DATE", type=DAY, help="Date to treat as today. [default: the newest activity's day]")
@click.option("--since", metavar="DATE", type=DAY, help="Only pull requests created on this day (UTC) or later.")
@click.option("--until", metavar="DATE", type=DAY, help="Only pull requests created before this day (UTC).")
@click.option(
    "--set",
    "sets",
    metavar="KEY=VALUE",
    multiple=True,
    help="Any project setting, such as survey_response_rate=0.5; may be repeated.",
)
@click.option(
    "--scenario",
    metavar="NAME",
    help="A named set of settings that change over time: steady, assistant-rollout, crunch, growth, or your own.",
)
@click.option(
    "--policy",
    "policies",
    metavar="KIND=POLICY",
    multiple=True,
    help="Update policy of a kind, or of a group of kinds (all, github): once, upsert or exact; may be repeated.",
)
@click.option(
    "--fresh", is_flag=True, help="Use the policy exact for every kind of this run: tables will show this run alone."
)
@click.option(
    "--profile", metavar="NAME", help="Use the settings and facts of [profiles.NAME]; for a domain of your own."
)
@click.option("--no-reuse", is_flag=True, help="Simulate even if all inputs are those of the previous run.")
@click.option("--skip-invalid", is_flag=True, help="Leave out invalid entries, and list them.")
@click.option("--strict", is_flag=True, help="Refuse a source with impossible times; otherwise they become null.")
@click.option(
    "--accept-upgrade",
    is_flag=True,
    help="Record even though a newer Python, Faker or seedjournal produces different data.",
)
@click.option("--yes", is_flag=True, help="Do not ask before a recording that removes more than half of a project.")
@click.option("--offline", is_flag=True, help="Do not use the network: record what was fetched before.")
@click.option("--estimate", is_flag=True, help="Print what fetching from GitHub would take, and record nothing.")
@click.argument("names", nargs=-1, metavar="")
@common_options
def record(  # noqa: PLR0913 - its options
    common: Common,
    *,
    names: tuple[str, ...],
    projects: tuple[str, ...],
    every: bool,
    domain_name: str | None,
    source: str | None,
    new: bool,
    sets: tuple[str, ...],
    policies: tuple[str, ...],
    no_reuse: bool,
    strict: bool,
    yes: bool,
    offline: bool,
    estimate: bool,
    profile: str | None,
    **options: Any,
) -> int:
    """Record the chosen projects, and print what was recorded."""
    if names:
        meant = " ".join(f"--project {name}" for name in names)
        raise j.Misuse(f"`record` takes only options, not {names[0]!r}.", f"Did you mean `seedjournal record {meant}`?")
    from seedjournal.simulators.policies import parse_policies

    settings = config.load()
    domain = own_domain(replace(settings, domain=domain_name) if domain_name else settings)
    if domain is not None:
        builtin = {"source": source, "offline": offline, "estimate": estimate, "strict": strict} | {
            name: options[name] for name in ("since", "until", "skip_invalid", "scenario")
        }
        _refuse_options_of_sources(domain.name, builtin)
        from seedjournal.simulators.domain_recording import DomainOptions

        own = DomainOptions(
            seed=options["seed"],
            as_of=options["as_of"],
            settings=own_settings(sets),
            profile=profile,
            policies=parse_policies(domain, policies),
            fresh=options["fresh"],
            reuse=not no_reuse,
            accept_upgrade=options["accept_upgrade"],
        )
        with Progress(quiet=common.quiet) as progress:
            document, failures = record_own(
                common.databases(),
                settings,
                domain,
                own,
                names=projects,
                every=every,
                tell=progress.stage,
                ask=_question(progress, yes=yes),
            )
        return _finish(common, document, failures)
    if profile is not None:
        raise j.Misuse(
            "--profile is for a domain of your own.", "Leave it out, or name your domain in seedjournal.toml."
        )
    choice = RecordChoice(
        projects=projects,
        every=every,
        source=source,
        new=new,
        sets=sets,
        offline=offline,
        strict=strict,
        # A source that was recorded before must be read again for --strict.
        options=engineering.RecordOptions(
            policies=parse_policies(engineering.ENGINEERING, policies), reuse=not (no_reuse or strict), **options
        ),
    )
    if estimate:
        common.give(estimate_fetch(common.databases(), choice), _estimated)
        return FINE
    with Progress(quiet=common.quiet) as progress:
        outcome = record_projects(common.databases(), choice, progress.stage, _question(progress, yes=yes))
    return _finish(common, outcome.document, outcome.failures)


def _question(progress: Progress, *, yes: bool) -> Callable[[engineering.RemovesMost], None]:
    """Return the function that asks before a run removes most of a project; it raises if there is no terminal."""

    def ask(error: engineering.RemovesMost) -> None:
        if not yes and not is_terminal(sys.stdin):
            raise error
        if not yes:
            progress.pause()
            question = error.message.removesuffix("; nothing was recorded.")
            click.confirm(f"{shown(question)}. Record it?", abort=True, err=True)

    return ask


def _finish(common: Common, document: Document, failures: Sequence[tuple[Exception, Failure]]) -> int:
    """Print what was recorded and what failed; return the exit status."""
    common.give(document, _recorded)
    for error, failure in failures:
        if common.debug:
            trace(error)
        complain(failure)
    return max((failure.status for _, failure in failures), default=FINE)


def _refuse_options_of_sources(domain: str, given: Mapping[str, Any]) -> None:
    """Raise Misuse for options that only the sources of the built-in domain have."""
    wrong = [f"--{name.replace('_', '-')}" for name, value in given.items() if value]
    if wrong:
        raise j.Misuse(
            f"{', '.join(wrong)} cannot be used with the domain {domain!r}.",
            "Leave out these options: only the built-in domain's sources have them.",
        )


def record_projects(
    databases: Databases,
    choice: RecordChoice,
    tell: Callable[[str], Tell],
    ask: Callable[[engineering.RemovesMost], None],
) -> Outcome:
    """Record the chosen projects, each by itself; `tell` gives a project's progress, and `ask` may raise."""
    settings = config.load()
    names = _chosen_projects(settings, choice)
    sets = dict(engineering.parse_setting(text) for text in choice.sets)
    if not choice.new:
        refuse_unknown(databases, settings, names)
    runs: list[Document] = []
    errors: list[Document] = []
    outcome = Outcome({"format": FORMAT, "runs": runs})
    with opened_journal(databases, settings, create=True) as database:
        for name in names:
            try:
                project = _make_project(settings, name, choice.options.scenario, sets)
                runs.append(_record_one(database, project, choice, tell(name), ask))
            except Exception as error:
                if len(names) == 1:
                    raise
                failure = explain(error)
                outcome.failures.append((error, failure))
                errors.append({"project": name, **failure.document})
    if errors:
        outcome.document["errors"] = errors
    return outcome


def refuse_unknown(databases: Databases, settings: config.Settings, names: Sequence[str]) -> None:
    """Raise Misuse for an unknown project's name, before a mistyped name leaves a new journal behind."""
    unknown = [name for name in names if not config.is_known(settings, name)]
    if not unknown:
        return
    with opened_journal(databases, settings, create=True) as database:
        recorded: set[str] = set()
        if j.is_ready(database, j.JOURNAL_HISTORY):
            with database.read() as connection:
                recorded = set(j.newest_of_each(connection))
    for name in unknown:
        if name not in recorded:
            raise config.unknown_project(settings, name, recorded)


def _make_project(
    settings: config.Settings, name: str, scenario: str | None, sets: Mapping[str, Any]
) -> engineering.Project:
    """Return the project with the settings of --set over a scenario's, and these over its own.

    An error in --set alone is a usage error.
    """
    given = {**config.project_settings(settings, name), **config.scenario_settings(settings, scenario)}
    origin = f"Project {name!r}"
    try:
        return engineering.make_project(name, {**given, **sets}, origin)
    except j.BadInput as error:
        if sets:
            engineering.make_project(name, given, origin)  # raises where the fault is not that of --set
            raise j.Misuse(error.message, error.hint) from None
        raise


def _record_one(
    database: j.Database,
    project: engineering.Project,
    choice: RecordChoice,
    tell: Tell,
    ask: Callable[[engineering.RemovesMost], None],
) -> Document:
    started = time.monotonic()
    source = open_source(project, choice, tell)
    options = replace(choice.options, as_of=choice.options.as_of or getattr(source, "as_of", None))
    done = engineering.record(database, project, source, options, tell, ask)
    result = run_result(done.sealed, list(vocabulary(config.load()).by_name), started)
    return {
        **result,
        "options_missing": [name for name in result["inputs_changed"] if _is_missing(name, choice)],
        "repositories": list(done.sealed.run.inputs["repositories"]),
        "repositories_not_named": list(getattr(source, "others", ())),
        "repositories_missing": list(getattr(source, "missing", ())),
        "notices": done.notices,
        "skipped": len(done.skipped),
        "skipped_entries": [{"file": one.file, "entry": one.entry, "reason": one.reason} for one in done.skipped],
    }


def _is_missing(name: str, choice: RecordChoice) -> bool:
    """Say whether a changed input is a setting or a policy that no option of this command gives."""
    group, _, rest = name.partition(".")
    sets = {text.partition("=")[0] for text in choice.sets}
    if group == "settings":
        return rest.partition(".")[0] not in sets
    return group == "policies" and rest not in choice.options.policies and not choice.options.fresh


def _chosen_projects(settings: config.Settings, choice: RecordChoice) -> list[str]:
    """Return the names of the projects to work on, each once; raise Misuse where none is chosen."""
    if choice.every and choice.projects:
        raise j.Misuse("--all and --project cannot be combined.", "Leave one of them out.")
    if choice.every:
        return list(settings.projects or REGISTRY)
    if not choice.projects:
        raise j.Misuse(
            "No project was named, so there is nothing to record.",
            "Name one with --project NAME, or give --all. `seedjournal registry` lists the built-in projects.",
        )
    return list(dict.fromkeys(choice.projects))


def estimate_fetch(databases: Databases, choice: RecordChoice) -> Document:
    """Return what fetching the chosen projects would take; nothing is fetched, and no journal made."""
    from seedjournal.simulators.engineering import github

    settings = config.load()
    names = _chosen_projects(settings, choice)
    sets = dict(engineering.parse_setting(text) for text in choice.sets)
    if not choice.new:
        refuse_unknown(databases, settings, names)
    if choice.offline:
        raise j.Misuse("--estimate asks GitHub, but --offline forbids that.", "Leave one of them out.")
    found: list[Document] = []
    server = github_server()
    for name in names:
        project = _make_project(settings, name, choice.options.scenario, sets)
        source = choice.source or project.source or "github"
        if source != "github":
            raise j.Misuse(
                f"Project {name!r} is not recorded from GitHub, so --estimate has nothing to ask.",
                "Leave out --estimate.",
            )
        api = github_api(server, project)
        try:
            for repo in github_repositories(project):
                path = github.place(server, repo)
                one = github.estimate(
                    api, repo, path, since=day_began(choice.options.since), check_runs=project.check_runs
                )
                found.append(
                    {
                        "project": name,
                        "repo": one.repo,
                        "pull_requests": one.pull_requests,
                        "stored": one.stored,
                        "requests": one.requests,
                        "points": one.points,
                        "remaining": one.remaining,
                        "limit": one.limit,
                        "seconds": one.seconds,
                    }
                )
        finally:
            api.close()
    return {"format": FORMAT, "estimate": found}


def _recorded(document: Mapping[str, Any]) -> str:
    """Return what `record` did, project by project."""
    text = "".join(_recorded_one(run) for run in document["runs"])
    for failed in document.get("errors", ()):
        text += f"{shown(failed['project'])}: not recorded\n"
    return text


def _recorded_one(run: Mapping[str, Any]) -> str:
    counts = run["counts"]
    lines = [
        f"{shown(run['project'])}: run {run['run']}, {number_of(counts['total'], 'event')}, "
        f"{run['appended']:,} appended to the journal"
        + (" (inputs unchanged: nothing simulated)" if run["reused"] else ""),
        f"  root {run['root'][:SHORT]}  state {run['state'][:SHORT]}  {run['seconds']:.1f} s",
    ]
    lines += _repositories(run)
    if run["window"]:
        lines += wrapped(window_text(run["window"]))
    for name, one in run["inputs_changed"].items():
        if name.startswith("completeness."):  # what is incomplete is reported below
            continue
        if name.startswith("policies.") and "fresh" in run["inputs_changed"]:  # which made them exact for one run
            continue
        changed = old_and_new(f"  input {name}", one["old"], one["new"])
        if name in run["options_missing"]:
            changed[-1] += f"; put it into {config.FILE} to keep it"
        lines += changed
    if run["previous"] and not any(counts[name] for name in ("added", "changed", "removed")):
        lines.append(f"  nothing changed against run {run['previous']}")
    else:
        rows = [[kind, *(one[name] for name in counts)] for kind, one in run["kinds"].items() if any(one.values())]
        lines.append(table(("kind", *counts), [*rows, ["all", *counts.values()]], indent=2))
    lines += _held_back(run)
    lines += lacking(run["completeness"])
    for notice in run["notices"]:
        lines += wrapped(shown(notice))
    for one in run["skipped_entries"]:
        lines += wrapped(f"skipped {shown(one['file'])}: {shown(one['entry'])}: {shown(one['reason'])}")
    return "\n".join(lines) + "\n"


def _repositories(run: Mapping[str, Any]) -> list[str]:
    """Name the repositories that were read, those that a folder holds besides, and those that it does not hold."""
    lines = []
    if run.get("repositories"):
        lines += wrapped(f"read {_names(run['repositories'])}")
        if run["repositories_not_named"]:
            lines += wrapped(f"not read, as the project does not name them: {_names(run['repositories_not_named'])}")
        if run["repositories_missing"]:
            lines += wrapped(f"named by the project, and not in the folder: {_names(run['repositories_missing'])}")
    return lines


def _names(names: Sequence[str]) -> str:
    """Return names on one line; if there are many, the first of them."""
    more = f" and {len(names) - _MOST_NAMES:,} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(map(shown, names[:_MOST_NAMES])) + more


def _held_back(run: Mapping[str, Any]) -> list[str]:
    """Say which changes the policies held back, and how to take them."""
    kept = {kind: one["kept"] for kind, one in run["kinds"].items() if one["kept"]}
    gone = {kind: one["removed"] for kind, one in run["kinds"].items() if one["removed"]}
    gone = {kind: count for kind, count in gone.items() if run["policies"][kind] != j.Policy.EXACT}
    lines: list[str] = []
    if kept:
        what = [
            f"{count:,} {kind}" + (f" ({', '.join(fields)})" if (fields := run["kept_fields"].get(kind)) else "")
            for kind, count in kept.items()
        ]
        way_out = " ".join(f"--policy {kind}=upsert" for kind in kept)
        lines += wrapped(f"the policy `once` held back changes of {', '.join(what)}; to take them, add {way_out}")
    if gone and not run["window"]:
        what = [f"{count:,} {kind}" for kind, count in gone.items()]
        lines += wrapped(f"the policies keep what this run removed: {', '.join(what)}; --fresh takes it out")
    return lines


def _estimated(document: Mapping[str, Any]) -> str:
    """Return what fetching would take, a line a repository."""
    heads = ("project", "repository", "PRs", "stored", "requests", "points", "of", "about")
    rows = [
        [
            one["project"],
            one["repo"],
            one["pull_requests"],
            one["stored"],
            one["requests"],
            one["points"],
            "no limit" if one["remaining"] is None else f"{one['remaining']:,}",
            duration(one["seconds"]),
        ]
        for one in document["estimate"]
    ]
    text = table(heads, rows, folds={"repository": _LONGEST_WORD}) + "\n"
    return text + "large pull requests take further requests; nothing was fetched\n"

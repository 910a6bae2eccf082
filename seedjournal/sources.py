"""From `cache:PATH`, `git:PATH-or-URL`, `github` or `demo` to a source."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from seedjournal import journal as j
from seedjournal.simulators.engineering import api as engineering

if TYPE_CHECKING:
    from seedjournal.simulators.engineering.github import Api, Server

    from .commands.record import RecordChoice
    from .progress import Tell

NAMES = ("cache", "git", "github", "demo")


def open_source(project: engineering.Project, choice: RecordChoice, tell: Tell) -> engineering.Source:
    """Open the source that the choice names, else the project's; `github` is fetched first, unless `offline`.

    A cache folder gives the project's repositories, or where the project names none, all that it holds. Of a project's
    settings it must hold all of them.
    """
    named = choice.source is not None
    text = choice.source or project.source or "github"
    name, _, rest = text.partition(":")
    if name not in NAMES:
        raise j.Misuse(
            f"There is no source {text!r}.",
            "Use cache:PATH, git:PATH-or-URL, github or demo.",
        )
    if name in {"cache", "git"} and not rest:
        raise j.Misuse(f"The source {name} needs a path.", f"Write `--source {name}:PATH`.")
    if name in {"github", "demo"} and rest:
        raise j.Misuse(f"The source {name} takes no path.", f"Write `--source {name}`.")
    match name:
        case "cache":
            from seedjournal.simulators.engineering.cache.source import CacheSource

            return CacheSource(
                Path(rest),
                repos=project.repos,
                needs_all=not named,
                skip_invalid=choice.options.skip_invalid,
                strict=choice.strict,
                largest=project.max_cache_mb << 20,
            )
        case "git":
            from seedjournal.simulators.engineering.git.commands import address
            from seedjournal.simulators.engineering.git.source import GitSource

            if choice.offline and address(rest) is not None:
                raise j.Misuse(
                    "--offline cannot read a repository at a URL.", "Name a clone's folder with --source git:PATH."
                )
            repo = project.repos[0] if not named and len(project.repos) == 1 else None
            return GitSource(
                rest,
                repo=repo,
                skip_invalid=choice.options.skip_invalid,
                strict=choice.strict,
                branch=project.branch,
                use_mailmap=project.use_mailmap,
                tell=tell,
            )
        case "demo":
            from seedjournal.simulators.engineering.demo.source import DEFAULT_AS_OF, RATES, DemoSource

            return DemoSource(
                project=project.name,
                seed=choice.options.seed,
                repos=project.repos,
                members=project.members,
                prs=project.prs,
                days=project.days,
                as_of=choice.options.as_of or DEFAULT_AS_OF,
                ai_rate=project.ai_base_adoption_rate,
                highest_ai_rate=project.highest_ai_rate,
                ai_tools=project.usage_source_rates,
                rates={name: getattr(project, name) for name in RATES},
            )
    return _github(project, choice, tell)


def _github(project: engineering.Project, choice: RecordChoice, tell: Tell) -> engineering.Source:
    """Open what is stored of a project's repositories; fetch it before, unless `offline`."""
    from seedjournal.simulators.engineering import github

    server = github_server()
    moment = day_began(choice.options.since)
    held = []
    api = None if choice.offline else github_api(server, project)
    try:
        for repo in github_repositories(project):
            if api is None:
                path = github.place(server, repo)
                if not path.exists():
                    raise j.Unavailable(f"Nothing of {repo} was fetched yet.", "Leave out --offline to fetch it.")
                held.append((repo, github.Store(path)))
            else:
                store = github.fetched(api, server, repo, since=moment, check_runs=project.check_runs, tell=tell)
                held.append((repo, store))
        return github.GitHubSource(
            held,
            since=moment,
            check_runs=project.check_runs,
            skip_invalid=choice.options.skip_invalid,
            strict=choice.strict,
        )
    except BaseException:
        for _, store in held:
            store.close()
        raise
    finally:
        if api is not None:
            api.close()


def github_server() -> Server:
    """Return the server that the environment names."""
    from seedjournal.simulators.engineering import github

    return github.Server.at(os.environ.get(github.VARIABLE, ""))


def github_api(server: Server, project: engineering.Project) -> Api:
    """Return the server's API with the user's tokens; raise Unavailable where there is none."""
    from seedjournal.simulators.engineering import github

    tokens = github.find_tokens(os.environ, lambda: github.ask_gh(server.host))
    if not tokens:
        raise j.Unavailable(
            f"Project {project.name!r}: GitHub's API needs a token, and there is none.",
            "Set GITHUB_TOKEN, or SEEDJOURNAL_GITHUB_TOKENS for several, or run `gh auth login`. Without a token, use "
            f"`--source git:https://{server.host}/{github_repositories(project)[0]}.git`.",
        )
    return github.Api(server, github.Pool(tokens))


def github_repositories(project: engineering.Project) -> list[engineering.Repository]:
    """Return a project's repositories, each once. GitHub treats names that differ only in case as one."""
    if not project.repos:
        raise j.Misuse(
            f"Project {project.name!r} names no repository.",
            "Give --set repos=OWNER/NAME, or write repos into seedjournal.toml.",
        )
    return list({repo.lower(): engineering.repository(repo) for repo in project.repos}.values())


def day_began(day: date | None) -> datetime | None:
    """Return the day's first moment, UTC."""
    return None if day is None else datetime(day.year, day.month, day.day, tzinfo=UTC)

"""From `cache:PATH`, `git:PATH-or-URL` or `demo` to a source."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from journal import Misuse, Unavailable
from simulators import Project, Source

NAMES = ("cache", "git", "github", "demo")


def open_source(
    text: str, project: Project, *, named: bool, seed: int, as_of: date | None, skip_invalid: bool
) -> Source:
    """The source that `text` names.

    `named` says that the command line named it: it then tells itself which repositories it holds. From a project's
    settings it gives the project's repositories.
    """
    name, _, rest = text.partition(":")
    if name not in NAMES:
        raise Misuse(
            f"unknown source {text!r}", "it is cache:PATH, git:PATH-or-URL, github or demo; a path needs one before it"
        )
    if name in {"cache", "git"} and not rest:
        raise Misuse(f"the source {name} needs a place", f"--source {name}:PATH")
    if name in {"github", "demo"} and rest:
        raise Misuse(f"the source {name} takes no place", f"--source {name}")
    match name:
        case "cache":
            from simulators.sources.cache import CacheSource

            return CacheSource(
                Path(rest),
                repos=() if named else project.repos,
                skip_invalid=skip_invalid,
                largest=project.max_cache_mb << 20,
            )
        case "git":
            from simulators.sources.git import GitSource

            repo = project.repos[0] if not named and len(project.repos) == 1 else None
            return GitSource(rest, repo=repo, skip_invalid=skip_invalid)
        case "demo":
            from simulators.sources.demo import DEFAULT_AS_OF, DemoSource

            return DemoSource(
                project=project.name,
                seed=seed,
                repos=project.repos,
                members=project.members,
                prs=project.prs,
                days=project.days,
                as_of=as_of or DEFAULT_AS_OF,
            )
    repo = project.repos[0] if project.repos else "OWNER/REPO"
    raise Unavailable(
        f"project {project.name!r}: this version cannot fetch from GitHub's API",
        f"--source git:https://github.com/{repo}.git clones it; --source cache:PATH reads fetched files; "
        "--source demo invents a project",
    )

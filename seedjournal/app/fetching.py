"""`record --estimate` and `fetched`: what a fetch would take, and what was fetched."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from journal import BadInput, Misuse, Unavailable
from simulators import make_project, parse_setting, repository

from .. import settings as config
from ..sources import day_began, github_api, github_repositories, github_server
from .documents import FORMAT, Document
from .recording import RecordChoice, chosen_projects, refuse_unknown

if TYPE_CHECKING:
    from simulators.sources.github import Store

    from .place import Place


def estimate(place: Place, choice: RecordChoice) -> Document:
    """What fetching the chosen projects would take; nothing is fetched, and no journal made."""
    from simulators.sources import github

    settings = config.load()
    names = chosen_projects(settings, choice)
    sets = dict(parse_setting(text) for text in choice.sets)
    if not choice.new:
        refuse_unknown(place, settings, names)
    if choice.offline:
        raise Misuse("--estimate asks GitHub, and --offline does not", "leave one of them out")
    found: list[Document] = []
    server = github_server()
    for name in names:
        project = make_project(name, {**config.project_settings(settings, name), **sets}, f"project {name}")
        source = choice.source or project.source or "github"
        if source != "github":
            raise Misuse(f"project {name!r}: --estimate is for the source github", "other sources need no budget")
        api = github_api(server, project)
        try:
            for repo in github_repositories(project):
                path = github.place(server, repo)
                store = github.Store(path) if path.exists() else None
                try:
                    one = github.estimate(
                        api, repo, store, since=day_began(choice.since), check_runs=project.check_runs
                    )
                finally:
                    if store is not None:
                        store.close()
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


def list_fetched(names: Sequence[str]) -> Document:
    """What was fetched of each repository, or of these."""
    found: list[Document] = []
    for server, store in _opened(names):
        try:
            found.append(_described(server, store))
        finally:
            store.close()
    return {"format": FORMAT, "fetched": found}


def delete_fetched(names: Sequence[str], confirm: Callable[[str], None]) -> Document:
    """Remove what was fetched of these repositories, once it is confirmed."""
    from simulators.sources import github

    if not names:
        raise Misuse("--delete needs to know of which repository", "seedjournal fetched --delete OWNER/REPO")
    deleted: list[Document] = []
    for server, store in _opened(names):
        one = _described(server, store)
        store.close()
        confirm(f"{one['pull_requests']:,} pull requests of {one['repo']}")
        github.delete(store.path)
        deleted.append(one)
    return {"format": FORMAT, "deleted": deleted}


def export_fetched(names: Sequence[str], folder: Path) -> Document:
    """Write what was fetched as files of the seed system's cache."""
    from simulators.sources import github

    exported: list[Document] = []
    for server, store in _opened(names):
        try:
            one = _described(server, store)
            file, count = github.export(store, folder)
        finally:
            store.close()
        exported.append({**one, "file": str(file), "pull_requests": count})
    if not exported:
        raise BadInput("nothing was fetched yet, so there is nothing to export", "`seedjournal record` fetches")
    return {"format": FORMAT, "exported": exported}


def _opened(names: Sequence[str]) -> list[tuple[str, Store]]:
    from simulators.sources import github

    wanted = {repository(name).lower() for name in names}
    found = [
        (server, path) for server, path in github.stores() if not wanted or f"{path.parent.name}/{path.stem}" in wanted
    ]
    if missing := sorted(wanted - {f"{path.parent.name}/{path.stem}" for _, path in found}):
        raise Unavailable(f"nothing was fetched of {missing[0]}", "`seedjournal fetched` lists what was")
    return [(server, github.Store(path)) for server, path in found]


def _described(server: str, store: Store) -> Document:
    gaps: Counter[str] = Counter()
    count = 0
    for version in store.versions(low=None, check_runs=False):
        count += 1
        gaps.update(gap.connection for gap in version.missing)
    pages, size = store.sizes()
    return {
        "repo": store.get("repo") or f"{store.path.parent.name}/{store.path.stem}",
        "server": server,
        "pull_requests": count,
        "counted": int(store.get("counted") or 0),
        "covers": [
            {
                "since": one.bottom.low.isoformat() if one.bottom.low else None,
                "until": one.top.high.isoformat(),
                "check_runs": check_runs,
                "to_the_end": one.ended_at is not None,
            }
            for check_runs in (True, False)
            for one in store.covered(check_runs=check_runs)
        ],
        "incomplete": dict(sorted(gaps.items())),
        "fetched_at": store.last_fetched(),
        "pages": pages,
        "bytes": size,
    }

"""`record --estimate` and `fetched`: what a fetch would take, and what was fetched."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from seedjournal.journal import BadInput, Misuse, Unavailable
from seedjournal.simulators import make_project, parse_setting, repository

from .. import settings as config
from ..sources import day_began, github_api, github_repositories, github_server
from .documents import FORMAT, Document
from .recording import RecordChoice, chosen_projects, refuse_unknown

if TYPE_CHECKING:
    from .place import Place


def estimate(place: Place, choice: RecordChoice) -> Document:
    """What fetching the chosen projects would take; nothing is fetched, and no journal made."""
    from seedjournal.simulators.engineering import github

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
                one = github.estimate(api, repo, path, since=day_began(choice.since), check_runs=project.check_runs)
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
    return {"format": FORMAT, "fetched": [_described(server, path) for server, path in _found(names)]}


def delete_fetched(names: Sequence[str], confirm: Callable[[str], None]) -> Document:
    """Remove what was fetched of these repositories, once it is confirmed; what cannot be read, too."""
    from seedjournal.simulators.engineering import github

    if not names:
        raise Misuse("--delete needs to know of which repository", "seedjournal fetched --delete OWNER/REPO")
    deleted: list[Document] = []
    for server, path in _found(names):
        confirm(f"what was fetched of {_name(path)} ({server})")
        github.delete(path)
        deleted.append({"repo": _name(path), "server": server})
    return {"format": FORMAT, "deleted": deleted}


def export_fetched(names: Sequence[str], folder: Path) -> Document:
    """Write what was fetched as files of the seed system's cache."""
    from seedjournal.simulators.engineering import github

    exported: list[Document] = []
    for server, path in _found(names):
        with closing(github.Store(path)) as store:
            file, count = github.export(store, folder)
        exported.append({**_described(server, path), "file": str(file), "pull_requests": count})
    if not exported:
        raise BadInput("nothing was fetched yet, so there is nothing to export", "`seedjournal record` fetches")
    return {"format": FORMAT, "exported": exported}


def _found(names: Sequence[str]) -> list[tuple[str, Path]]:
    """The stores of these repositories, or of all: each with its server's name."""
    from seedjournal.simulators.engineering import github

    wanted = {repository(name).lower() for name in names}
    found = [(server, path) for server, path in github.stores() if not wanted or _name(path) in wanted]
    if missing := sorted(wanted - {_name(path) for _, path in found}):
        raise Unavailable(f"nothing was fetched of {missing[0]}", "`seedjournal fetched` lists what was")
    return found


def _name(path: Path) -> str:
    """A repository's name in lower case, as its store's place tells it."""
    return f"{path.parent.name}/{path.stem}"


def _described(server: str, path: Path) -> Document:
    from seedjournal.simulators.engineering import github

    gaps: Counter[str] = Counter()
    count = 0
    with closing(github.Store(path)) as store:
        for version in store.versions(low=None, check_runs=False):
            count += 1
            gaps.update(gap.connection for gap in version.missing)
        pages, size = store.sizes()
        return {
            "repo": store.get("repo") or _name(path),
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

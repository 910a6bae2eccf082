"""`fetched`: what was fetched from GitHub."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from seedjournal import journal as j
from seedjournal.simulators.engineering import api as engineering

from ..terminal import number_of, shown, wrapped, wrapped_all
from . import FINE, exits
from .options import Common, common_options, is_terminal
from .runs import FORMAT, Document


@click.command(
    help="List, delete or export what was fetched from GitHub. Without OWNER/REPO, it lists or exports all "
    "repositories.\n\n"
    "record keeps every page that it fetches. record --offline uses only these pages.",
    epilog="The pages are in the platform's cache folder, or in the folder that SEEDJOURNAL_CACHE names.\n\n"
    + exits("listed, deleted or exported"),
)
@click.argument("repos", metavar="[OWNER/REPO…]", nargs=-1)
@click.option("--delete", is_flag=True, help="Delete what was fetched; the next record fetches it again.")
@click.option(
    "--export",
    metavar="FOLDER",
    type=click.Path(file_okay=False),
    help="Write FOLDER/OWNER/REPO.json.gz, which --source cache:FOLDER reads.",
)
@click.option("--yes", is_flag=True, help="Do not ask before --delete.")
@common_options
def fetched(common: Common, *, repos: tuple[str, ...], delete: bool, export: str | None, yes: bool) -> int:
    """Print, delete or export what was fetched."""
    if delete and export:
        raise click.UsageError("--delete and --export cannot be combined.")
    if delete and not yes and not is_terminal(sys.stdin):
        raise click.UsageError("--delete asks before it deletes, and there is no terminal. Add --yes.")

    def confirm(what: str) -> None:
        if not yes:
            click.confirm(f"Delete {shown(what)}?", abort=True, err=True)

    if delete:
        common.give(delete_fetched(repos, confirm), _text)
    elif export:
        common.give(export_fetched(repos, Path(export)), _text)
    else:
        common.give(list_fetched(repos), _text)
    return FINE


def list_fetched(names: Sequence[str]) -> Document:
    """Return what was fetched of each repository, or of the repositories named."""
    return {"format": FORMAT, "fetched": [_described(server, path) for server, path in _found(names)]}


def delete_fetched(names: Sequence[str], confirm: Callable[[str], None]) -> Document:
    """Delete what was fetched of these repositories, after asking; also files that cannot be read."""
    if not names:
        raise j.Misuse("--delete needs the name of a repository.", "Write `seedjournal fetched --delete OWNER/REPO`.")
    from seedjournal.simulators.engineering import github

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
        raise j.BadInput(
            "There is nothing to export: nothing was fetched yet.",
            "Fetch a repository first with `seedjournal record`.",
        )
    return {"format": FORMAT, "exported": exported}


def _found(names: Sequence[str]) -> list[tuple[str, Path]]:
    """Return the stores of these repositories, or of all, each with its server's name."""
    from seedjournal.simulators.engineering import github

    wanted = {engineering.repository(name).lower() for name in names}
    found = [(server, path) for server, path in github.stores() if not wanted or _name(path) in wanted]
    if missing := sorted(wanted - {_name(path) for _, path in found}):
        raise j.Unavailable(
            f"Nothing was fetched of {missing[0]}.", "List what was fetched with `seedjournal fetched`."
        )
    return found


def _name(path: Path) -> str:
    """Return a repository's name in lower case, from the path of its store."""
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


def _text(document: Mapping[str, Any]) -> str:
    """Return what was fetched of repositories, and what was done with it."""
    lines = []
    for one in document.get("fetched", document.get("deleted", document.get("exported", ()))):
        did = f" → {shown(one['file'])}" if "file" in one else ""
        if "deleted" in document:
            lines.append(f"{shown(one['repo'])} ({shown(one['server'])}): deleted")
            continue
        lines.append(
            f"{shown(one['repo'])} ({shown(one['server'])}): {number_of(one['pull_requests'], 'pull request')}{did}"
        )
        lines.append(f"  {number_of(one['pages'], 'page')}, {one['bytes'] / 1e6:,.1f} MB, last {one['fetched_at']}")
        for stretch in one["covers"]:
            until = "up to its last fetch" if stretch["to_the_end"] else f"until {stretch['until'][:16]}, unfinished"
            since = f"updated since {stretch['since'][:10]}" if stretch["since"] else "from the beginning"
            lines += wrapped(f"covers {since} {until}" + ("" if stretch["check_runs"] else ", without check runs"))
        lines += wrapped_all(f"{count:,} without all {name}" for name, count in one["incomplete"].items())
    return "\n".join(lines or ["nothing was fetched yet"]) + "\n"

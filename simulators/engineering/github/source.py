"""Facts from what was fetched, and its export as a cache file: functions of the stores alone."""

from __future__ import annotations

import gzip
import hashlib
import weakref
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from seedjournal.journal import BadInput, Unavailable

from ..cache.entry import PullRequestEntry, WrongField
from ..facts import LooseCommit, PullRequest, Repository, Skipped
from ..times import ImpossibleTimes
from . import coverage
from .assembly import COMPLETE, FAILED, PARTIAL, Node, assembled, edges, joined, wanted
from .entries import entry, pull_request
from .store import Store, Version

_NAMED = 3  # renamed accounts that a sentence names
_LISTED = 100  # incomplete connections that are named one by one


@dataclass(frozen=True, slots=True)
class _Held:
    """One repository's store, as far down as it is covered from the wanted moment on."""

    repo: Repository
    store: Store
    low: datetime | None


class GitHubSource:
    """Pull requests of repositories from their stores.

    `since` says from when on everything must be there; what is covered before is given as well. Raises Unavailable
    where a store does not cover it. Stores are read as they are at this moment. Impossible times are None, and
    reported; with `strict` they are a BadInput at the end of the first reading.
    """

    name = "github"

    def __init__(
        self,
        held: Sequence[tuple[Repository, Store]],
        *,
        since: datetime | None = None,
        check_runs: bool = True,
        skip_invalid: bool = False,
        strict: bool = False,
    ) -> None:
        self._check_runs = check_runs
        self._skip_invalid = skip_invalid
        self._strict = strict
        self._impossible = ImpossibleTimes()
        self._skipped: dict[tuple[Repository, int], Skipped] = {}
        self._held = []
        for repo, store in sorted(held, key=lambda pair: pair[0]):
            weakref.finalize(self, store.close)
            store.snapshot()
            self._held.append(_Held(repo, store, covered(repo, store, since=since, check_runs=check_runs)))
        self._renamed = _renamed(one.store for one in self._held)
        self._logins = {number: logins[-1] for number, logins in self._renamed.items()}

    @property
    def repositories(self) -> tuple[Repository, ...]:
        """The repositories, by the names that they were asked for."""
        return tuple(one.repo for one in self._held)

    @property
    def versions(self) -> dict[str, str]:
        """None: no tool outside Python reads these files."""
        return {}

    @property
    def skipped(self) -> list[Skipped]:
        """What was left out so far, by repository and number."""
        return [self._skipped[place] for place in sorted(self._skipped)]

    def digest(self) -> str:
        """Return the SHA-256 over the content of every pull request that facts come from."""
        whole = hashlib.sha256(f"seedjournal:github:1 {self._check_runs} {self._skip_invalid}\n".encode())
        for one in self._held:
            whole.update(f"{one.repo}\n".encode())
            for version in self._versions(one):
                whole.update(version.number.to_bytes(8, "big") + version.digest)
        if self._logins:
            whole.update(repr(sorted(self._logins.items())).encode())
        return whole.hexdigest()

    def pull_requests(self) -> Iterator[PullRequest]:
        """Yield every pull request; memory holds one page."""
        self._impossible = ImpossibleTimes()
        for one in self._held:
            for number, whole in self._wholes(one):
                try:
                    yield pull_request(whole, one.repo, self._impossible, self._logins)
                except WrongField as wrong:
                    self._leave_out(one.repo, number, wrong)
        if self._strict:
            self._impossible.refuse(self.name)

    def entries(self) -> Iterator[PullRequestEntry]:
        """Yield every pull request as a cache file writes it."""
        for one in self._held:
            for number, whole in self._wholes(one):
                try:
                    yield entry(whole, one.repo, self._logins)
                except WrongField as wrong:
                    self._leave_out(one.repo, number, wrong)

    def loose_commits(self) -> Iterator[LooseCommit]:
        """Yield nothing: only pull requests are fetched."""
        return iter(())

    def notices(self) -> list[str]:
        """Return sentences about accounts that were renamed, and about the last reading's impossible times."""
        return [*_of_logins(self._renamed), *self._impossible.notices()]

    def completeness(self) -> dict[str, Any]:
        """Return how much of each repository there is: pull requests against GitHub's own count, and each connection.

        Each repository has `pull_requests` {stored, counted, since}, `renamed_to`, and by connection {complete,
        partial, failed}; `incomplete` lists connections that are not complete, the first 100 by number, and `errors`
        the types of the errors that took them. `left_out` lists the pull requests that did not come, or not so that
        their content could be trusted, the first 100; `is_older` says that an older state of it stands.
        """
        found: dict[str, Any] = {}
        for one in self._held:
            lacking = Counter[tuple[str, str]]()
            listed: list[dict[str, Any]] = []
            errors: dict[str, set[str]] = {}
            standing: dict[int, datetime] = {}
            for version in self._versions(one):
                standing[version.number] = version.updated_at
                for gap in version.missing:
                    if gap.connection == "check_runs" and not self._check_runs:
                        continue
                    lacking[gap.connection, gap.state] += 1
                    if gap.error:
                        errors.setdefault(gap.connection, set()).add(gap.error)
                    if len(listed) < _LISTED:
                        listed.append(
                            {
                                "pull_request": version.number,
                                "connection": gap.connection,
                                "state": gap.state,
                                "got": gap.got,
                                "total": gap.total,
                                "error": gap.error,
                            }
                        )
            stored = len(standing)
            left_out = [
                trouble
                for trouble in one.store.troubles(low=one.low, check_runs=self._check_runs)
                if trouble.is_left_out
                and (trouble.number not in standing or standing[trouble.number] < trouble.updated_at)
            ]
            name = one.store.get("name")
            found[one.repo] = {
                "pull_requests": {
                    "stored": stored,
                    "counted": int(one.store.get("counted") or 0) if one.low is None else None,
                    "since": one.low.isoformat() if one.low else None,
                },
                "renamed_to": name if name and name.lower() != one.repo.lower() else None,
                "connections": {
                    connection.name: {
                        PARTIAL: lacking[connection.name, PARTIAL],
                        FAILED: lacking[connection.name, FAILED],
                        COMPLETE: stored - lacking[connection.name, PARTIAL] - lacking[connection.name, FAILED],
                    }
                    for connection in wanted(check_runs=self._check_runs)
                },
                "errors": {connection: sorted(kinds) for connection, kinds in sorted(errors.items())},
                "incomplete": listed,
                "left_out_count": len(left_out),
                "left_out": [
                    {
                        "pull_request": trouble.number,
                        "lacks": [gap.connection for gap in trouble.missing if gap.spoils_the_rest],
                        "error": next(gap.error for gap in trouble.missing if gap.spoils_the_rest),
                        "is_older": trouble.number in standing,
                    }
                    for trouble in left_out[:_LISTED]
                ],
            }
        return found

    def _versions(self, one: _Held) -> Iterator[Version]:
        return one.store.versions(low=one.low, check_runs=self._check_runs)

    def _wholes(self, one: _Held) -> Iterator[tuple[int, Node]]:
        """Yield the pull requests of a repository with whole lists, in the order of the pages that hold them."""
        newest = {version.number: version.page for version in self._versions(one)}
        for page, data in one.store.pages(newest):
            name = data["repository"]["nameWithOwner"]
            for _, node in edges(data):
                if newest.get(node["number"]) == page:
                    parts = {
                        connection.name: joined(node, connection, one.store.parts(page, node, connection))
                        for connection in wanted(check_runs=self._check_runs)
                    }
                    yield node["number"], assembled(node, parts, name)

    def _leave_out(self, repo: Repository, number: int, wrong: WrongField) -> None:
        if not self._skip_invalid:
            raise BadInput(
                f"{repo}: pull request {number}: {wrong}",
                "Add --skip-invalid to leave such pull requests out and list them.",
            ) from wrong
        self._skipped[repo, number] = Skipped(file=repo, entry=f"pull request {number}", reason=str(wrong))


def _renamed(stores: Iterable[Store]) -> dict[int, list[str]]:
    """Return the logins of accounts that have had several, by id, the newest last."""
    seen: dict[int, dict[str, str]] = {}
    for store in stores:
        for number, login, at in store.every_login():
            logins = seen.setdefault(number, {})
            logins[login] = max(at, logins.get(login, ""))
    return {
        number: sorted(logins, key=lambda login: (logins[login], login))
        for number, logins in sorted(seen.items())
        if len(logins) > 1
    }


def _of_logins(renamed: Mapping[int, Sequence[str]]) -> list[str]:
    if not renamed:
        return []
    named = [f"{' and '.join(logins)} ({number})" for number, logins in list(renamed.items())[:_NAMED]]
    more = f" and {len(renamed) - _NAMED:,} more" if len(renamed) > _NAMED else ""
    return [f"One account under several logins is one member, shown with the newest: {', '.join(named)}{more}."]


def covered(repo: Repository, store: Store, *, since: datetime | None, check_runs: bool) -> datetime | None:
    """Return from when on everything is there, None for the beginning; raise Unavailable if that is after `since`."""
    found = coverage.stretches(store.intervals(check_runs=check_runs))
    if since is not None and found and found[-1].ended_at is not None:
        since = min(since, found[-1].top.high)  # nothing later is there
    held = coverage.holding(found, since)
    if held is not None and held is found[-1] and held.ended_at is not None:
        return held.bottom.low
    whole = found[-1] if found and found[-1].ended_at else None
    if whole is not None and whole.bottom.low is not None:
        day = whole.bottom.low.date().isoformat()
        raise Unavailable(
            f"{repo} was fetched only back to {day}.",
            f"Leave out --offline to fetch the rest, or record with `--since {day}`.",
        )
    raise Unavailable(
        f"{repo} was not fetched to the end.",
        "Leave out --offline: fetching then continues where it stopped.",
    )


def export(store: Store, folder: Path) -> tuple[Path, int]:
    """Write `folder`/OWNER/NAME.json.gz; the file and how many pull requests it holds.

    Only what is covered up to a fetch's end goes there: a cache file cannot say that something is missing. Raises
    Unavailable where nothing is, and BadInput where the file is there already.
    """
    repo = store.repo
    check_runs = bool(store.intervals(check_runs=True))
    found = coverage.stretches(store.intervals(check_runs=check_runs))
    low = found[-1].bottom.low if found else None
    source = GitHubSource([(repo, store)], since=low, check_runs=check_runs)
    file = folder / f"{repo}.json.gz"
    for other in (file, file.with_suffix("")):
        if other.exists():
            raise BadInput(f"{other} exists already.", "Move it away, or export to another folder.")
    unfinished = file.with_name(f".{file.name}.new")
    count = 0
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        first = low
        for pull in source.entries():
            first = pull.created_at if first is None else min(first, pull.created_at)
        with unfinished.open("wb") as raw, gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as packed:
            head = {
                "repo": repo,
                "fetched_at": store.last_fetched(),
                "since_date": first.date() if first else None,
            }
            packed.write(msgspec.json.encode(head)[:-1] + b',"prs":[')
            for pull in source.entries():
                packed.write((b",\n" if count else b"\n") + msgspec.json.encode(pull))
                count += 1
            packed.write(b"\n]}\n")
        unfinished.replace(file)
    except OSError as error:
        raise Unavailable(
            f"{file} cannot be written: {error.strerror}", "Check the folder and its permissions."
        ) from error
    finally:
        unfinished.unlink(missing_ok=True)
    return file, count

"""The source `git`: pull requests and commits from a repository's history, without any service to ask.

Three processes read a repository however large it is: one lists commits, one prints them, one compares trees. What
they say is kept once, compactly: numbers in memory, texts and lists of files in a temporary file.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import weakref
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import IO, NamedTuple

import msgspec

from seedjournal.journal import BadInput

from ..facts import (
    ChangedFile,
    Commit,
    LooseCommit,
    Person,
    PullRequest,
    Repository,
    Review,
    Skipped,
    repository,
)
from ..reading import cache_folder
from .commands import (
    Clone,
    address,
    mirror,
    opened,
    pipe,
    print_to,
    reading,
    scrubbed,
    version,
)
from .history import (
    Graph,
    Landing,
    Plan,
    Told,
    landings,
    own_landings,
    plans,
    read,
    reviewers,
    subject,
)

# Raised whenever the same history would give other facts.
_VERSION = 1

_PULL = re.compile(r"refs/(?:pull/|remotes/origin/(?:pull|pr)/)([1-9][0-9]{0,14})(?:/(head|merge))?")
_DIFF = (
    *("diff-tree", "--stdin", "-r", "-z", "--raw", "--numstat", "--no-abbrev", "--find-renames=50%", "-l1000"),
    *(
        "--diff-algorithm=myers",
        "--no-ext-diff",
        "--no-textconv",
        "--no-color",
        "--no-relative",
        "--ignore-submodules=none",
    ),
)
_FSCK = "`git fsck` tells what is missing or damaged"
_OBJECT_FORMATS = {20: "sha1", 32: "sha256"}
_STATUSES = {b"A": "added", b"D": "removed", b"R": "renamed", b"C": "copied"}


class _Snapshot(NamedTuple):
    """The refs that facts are read from, at the moment the repository was opened."""

    repo: Repository
    base_ref: str | None
    tip: str | None
    heads: dict[int, str]
    mergeable: frozenset[int] | None


class _Scratch:
    """Texts and lists outside of memory: bytes in, a place out; bytes by place. Its file has no name."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the source
        self._end = 0
        self.close = self._file.close

    def add(self, content: bytes) -> int:
        place = self._end
        self._file.write(len(content).to_bytes(4, "big"))
        self._file.write(content)
        self._end += 4 + len(content)
        return place

    def written(self) -> None:
        self._file.flush()

    def get(self, place: int) -> bytes:
        content = os.pread(self._file.fileno(), 1020, place)
        length = int.from_bytes(content[:4], "big")
        while len(content) < 4 + length:
            content += os.pread(self._file.fileno(), 4 + length - len(content), place + len(content))
        return content[4 : 4 + length]


@dataclass(slots=True)
class _History:
    """A history that was read: the graph, where texts lie, the lines of each commit, the plans and their files."""

    graph: Graph
    scratch: _Scratch
    texts: array[int] = field(default_factory=lambda: array("q"))
    additions: array[int] = field(default_factory=lambda: array("q"))
    deletions: array[int] = field(default_factory=lambda: array("q"))
    plans: list[Plan] = field(default_factory=list)
    files: dict[bytes, int] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)


class GitSource:
    """Facts from a clone in a folder, or from a remote repository that is mirrored in a cache.

    Refs are read once: however often facts are asked for, they are those of the moment of the first question.
    """

    name = "git"

    def __init__(
        self, location: str, *, repo: str | None = None, cache: Path | None = None, skip_invalid: bool = False
    ) -> None:
        self._location = location
        self._address = address(location)
        self._given = repository(repo) if repo is not None else None
        self._cache = cache
        self._skip_invalid = skip_invalid
        if self._address is None and not Path(location).is_dir():
            raise BadInput(f"{scrubbed(location)} is not a folder", "give the folder of a clone, or an address")

    @property
    def repositories(self) -> tuple[Repository, ...]:
        """The one repository: as given, as its origin's address says, or `local/` and the folder's name."""
        return (self._snapshot.repo,)

    @cached_property
    def versions(self) -> dict[str, str]:
        """Git's own version: line counts and renames are its findings."""
        return {"git": version()}

    @property
    def skipped(self) -> list[Skipped]:
        """What was left out; empty before anything was read."""
        return list(self._history.skipped) if "_history" in self.__dict__ else []

    def digest(self) -> str:
        """Over the names of all commits from which facts are read, this source's version and the repository's name."""
        at = self._snapshot
        mergeable = sorted(at.mergeable & at.heads.keys()) if at.mergeable is not None else None
        content = [_VERSION, at.repo, at.base_ref, at.tip, sorted(at.heads.items()), mergeable]
        return hashlib.sha256(msgspec.json.encode(content)).hexdigest()

    def pull_requests(self) -> Iterator[PullRequest]:
        """Every pull request by number, as far as head refs and the default branch's subjects tell."""
        history = self._history
        for plan in history.plans:
            yield _pull_request(history, self._snapshot, plan)

    def loose_commits(self) -> Iterator[LooseCommit]:
        """The default branch's commits that neither are in a pull request nor landed one."""
        history = self._history
        graph = history.graph
        held = bytearray(len(graph.parents))
        for plan in history.plans:
            for place in (*plan.commits, *plan.landed):
                held[place] = 1
        for place in sorted(range(len(held)), key=graph.by_time):
            if graph.brought[place] >= 0 and not held[place] and place not in graph.invalid:
                yield LooseCommit(repo=self._snapshot.repo, commit=_commit(history, place))

    @cached_property
    def _clone(self) -> Clone:
        if self._address is None:
            return opened(Path(self._location), self._location)
        return opened(mirror(self._address, self._cache or cache_folder()), self._address.shown)

    @cached_property
    def _snapshot(self) -> _Snapshot:
        clone = self._clone
        base_ref, tip = _default_branch(clone)
        heads: dict[int, str] = {}
        merges = set()
        # Refs under refs/pull come last in this order, and stand against copies of them elsewhere.
        for ref in sorted(clone.refs, key=lambda ref: (ref.startswith("refs/pull/"), ref)):
            pull = _PULL.fullmatch(ref)
            if pull and pull[2] == "merge":
                merges.add(int(pull[1]))
            elif pull and (pull[2] or not ref.startswith("refs/pull/")):
                heads[int(pull[1])] = clone.refs[ref].commit
        named = self._given or _repository(self._address.url if self._address else clone.origin, Path(self._location))
        return _Snapshot(named, base_ref, tip, heads, frozenset(merges) if merges else None)

    @cached_property
    def _history(self) -> _History:
        clone, at = self._clone, self._snapshot
        scratch = _Scratch()
        weakref.finalize(self, scratch.close)
        return _read(clone, at, scratch, skip_invalid=self._skip_invalid)


def _default_branch(clone: Clone) -> tuple[str | None, str | None]:
    """The default branch's name and commit: the remote's HEAD, this clone's, main or master, or what is checked out."""
    remote = clone.refs.get("refs/remotes/origin/HEAD")
    guesses = [f"refs/{room}/{name}" for room in ("heads", "remotes/origin") for name in ("main", "master")]
    for ref in (remote.target if remote else None, clone.branch, *guesses):
        if ref and ref in clone.refs:
            name = re.sub(r"\Arefs/(?:heads|remotes/origin)/", "", ref)
            return os.fsencode(name).decode(errors="replace"), clone.refs[ref].commit
    return None, clone.detached


def _repository(url: str | None, folder: Path) -> Repository:
    """OWNER/NAME from an address, else `local/` and the folder's name."""
    path = re.sub(r"\A(?:[A-Za-z0-9+.-]+://[^/]*|[^/]*:)", "", url or "")
    parts = [part for part in re.sub(r"[?#].*", "", path).split("/") if part]
    try:
        return repository("/".join(parts[-2:]).removesuffix(".git"))
    except BadInput:
        place = folder.resolve()
        name = (parts[-1] if parts else (place.parent if place.name == ".git" else place).name).removesuffix(".git")
        return repository("local/" + (re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip(".-")[:100] or "repository"))


def _read(clone: Clone, at: _Snapshot, scratch: _Scratch, *, skip_invalid: bool) -> _History:
    """Read a whole history; raises BadInput for a commit whose times cannot be, or leaves it out."""
    history = _History(Graph(width=20 if clone.object_format == "sha1" else 32), scratch)
    graph = history.graph
    tips = sorted({*at.heads.values(), *([at.tip] if at.tip else [])})
    if not tips:
        return history
    with reading(clone) as environment:
        said = list(_read_commits(history, tips, environment, at.repo, skip_invalid=skip_invalid))
        graph.follow(graph.places[bytes.fromhex(at.tip)] if at.tip else None)
        heads = {number: graph.places[bytes.fromhex(head)] for number, head in at.heads.items()}
        landed = own_landings((landing for landing in said if graph.brought[landing.place] >= 0), at.repo)
        for plan in plans(graph, Told(heads=heads, mergeable=at.mergeable, landings=landed)):
            if plan.merged_by in graph.invalid or all(place in graph.invalid for place in plan.commits):
                reason = "none of its commits, or not the one that merged it, has possible times"
                history.skipped.append(Skipped(file=at.repo, entry=f"pull request {plan.number}", reason=reason))
            else:
                history.plans.append(plan)
        _read_changes(history, environment, at.repo)
    history.scratch.written()
    return history


def _read_commits(
    history: _History, tips: list[str], environment: Mapping[str, str], repo: Repository, *, skip_invalid: bool
) -> Iterator[Landing]:
    """Fill the graph and keep every commit's text; what commits say of pull requests is the result."""
    with tempfile.TemporaryFile() as names:
        listing = ("rev-list", "--topo-order", "--reverse", "--stdin")
        print_to(names, listing, "".join(f"{tip}\n" for tip in tips).encode(), environment, repo)
        with pipe(("cat-file", "--batch", "--buffer"), names, environment, repo) as printed:
            while header := printed.readline():
                name, _, size = header.partition(b" commit ")
                if not size:
                    raise BadInput(f"{repo}: {header.decode(errors='replace').strip()}", _FSCK)
                commit = read(printed.read(int(size)))
                printed.read(1)
                if commit.problem:
                    entry = f"commit {name.decode()}"
                    if not skip_invalid:
                        raise BadInput(f"{repo}: {entry}: {commit.problem}", "--skip-invalid leaves such commits out")
                    history.skipped.append(Skipped(file=repo, entry=entry, reason=commit.problem))
                place = history.graph.add(bytes.fromhex(name.decode()), commit)
                history.texts.append(history.scratch.add(msgspec.msgpack.encode((commit.message, commit.author))))
                yield from landings(commit.message, place, len(commit.parents))


def _read_changes(history: _History, environment: Mapping[str, str], repo: Repository) -> None:
    """Count every commit's own lines, and keep the files of every pull request."""
    graph = history.graph
    for lines in (history.additions, history.deletions):
        lines.extend([0] * len(graph.parents))
    kept: dict[bytes, list[int]] = {_pair(graph, *change): [] for plan in history.plans for change in plan.changes}
    counted: dict[bytes, list[int]] = kept | {}
    for place, parents in enumerate(graph.parents):
        if len(parents) <= 1:  # a merge adds nothing of its own
            counted.setdefault(_pair(graph, parents[0] if parents else -1, place), []).append(place)
    for (pair, places), files in zip(counted.items(), _compared(graph, counted, environment, repo), strict=True):
        for place in places:
            history.additions[place] = sum(file.additions for file in files)
            history.deletions[place] = sum(file.deletions for file in files)
        if pair in kept:
            history.files[pair] = history.scratch.add(msgspec.msgpack.encode(files))


def _compared(
    graph: Graph, pairs: Iterable[bytes], environment: Mapping[str, str], repo: Repository
) -> Iterator[list[ChangedFile]]:
    """The files that differ, for every pair of trees. Git is silent about a tree that it misses; this is not."""
    with tempfile.TemporaryFile() as asked:
        asked.writelines(pairs)
        with pipe(_DIFF, asked, environment, repo) as printed:
            found = _changes(_tokens(printed), graph.width * 2)
            missing = b""
            for pair in pairs:
                said, files = next(found, (b"", []))
                if said != pair:
                    missing = pair
                    break
                yield files
            for _ in found:
                pass
        if missing:
            raise BadInput(f"{repo}: git cannot compare the trees {missing.decode().strip()}", _FSCK)


def _pair(graph: Graph, before: int, after: int) -> bytes:
    """Two trees as git is asked for their difference; what was before the first commit is the empty tree."""
    nothing = hashlib.new(_OBJECT_FORMATS[graph.width], b"tree 0\0", usedforsecurity=False)
    return f"{(graph.tree(before) if before >= 0 else nothing.digest()).hex()} {graph.tree(after).hex()}\n".encode()


def _tokens(printed: IO[bytes]) -> Iterator[bytes]:
    """What stands between NULs; what is cut off at the end counts for nothing."""
    rest = b""
    while chunk := printed.read(1 << 18):
        *whole, rest = (rest + chunk).split(b"\0")
        yield from whole
    if rest.endswith(b"\n"):
        yield rest


def _changes(tokens: Iterator[bytes], width: int) -> Iterator[tuple[bytes, list[ChangedFile]]]:
    """Pairs of trees with their differing files, from `diff-tree --stdin --raw --numstat -z`.

    A pair's own line ends in a newline, everything after it in NUL; a renamed file is told by both names, the new last.
    """
    pair = b""
    statuses: dict[bytes, str] = {}
    lines: dict[bytes, tuple[int, int]] = {}
    for token in tokens:
        rest = token
        while (
            len(rest) > 2 * width + 1
            and rest[2 * width + 1] == ord("\n")
            and rest[: 2 * width + 1].replace(b" ", b"").isalnum()
        ):
            if pair:
                yield pair, _files(statuses, lines)
            pair, rest = rest[: 2 * width + 2], rest[2 * width + 2 :]
            statuses, lines = {}, {}
        if rest.startswith(b":"):
            status = rest.rpartition(b" ")[2][:1]
            before = next(tokens, b"")
            statuses[next(tokens, b"") if status in b"RC" else before] = _STATUSES.get(status, "modified")
        elif rest:
            added, deleted, filename = rest.split(b"\t", 2)
            if not filename:
                next(tokens, b"")
                filename = next(tokens, b"")
            lines[filename] = (0, 0) if added == b"-" else (int(added), int(deleted))
    if pair:
        yield pair, _files(statuses, lines)


def _files(statuses: Mapping[bytes, str], lines: Mapping[bytes, tuple[int, int]]) -> list[ChangedFile]:
    return [
        ChangedFile(
            # Bytes that are no UTF-8 are written out, so that two names stay two.
            filename=name.decode("utf-8", "backslashreplace"),
            status=status,
            additions=lines.get(name, (0, 0))[0],
            deletions=lines.get(name, (0, 0))[1],
        )
        for name, status in statuses.items()
    ]


_text_decoder = msgspec.msgpack.Decoder(tuple[str, Person | None])
_files_decoder = msgspec.msgpack.Decoder(list[ChangedFile])


def _commit(history: _History, place: int) -> Commit:
    message, author = _text_decoder.decode(history.scratch.get(history.texts[place]))
    return Commit(
        sha=history.graph.name(place).hex(),
        message=message,
        author=author,
        committed_at=_instant(history.graph.committed[place]),
        additions=history.additions[place],
        deletions=history.deletions[place],
    )


def _pull_request(history: _History, at: _Snapshot, plan: Plan) -> PullRequest:
    graph = history.graph
    places = [place for place in plan.commits if place not in graph.invalid]
    commits = tuple(_commit(history, place) for place in places)
    first = min(zip(places, commits, strict=True), key=lambda pair: (graph.authored[pair[0]], pair[1].sha))
    created = graph.authored[first[0]]
    newest = max(graph.committed[place] for place in places)
    merged = None if plan.merged_by is None else max(created, graph.committed[plan.merged_by])
    closed = merged if merged is not None else max(created, newest) if plan.state == "closed" else None
    landed = [
        _commit(history, place) for place in plan.landed if place not in plan.commits and place not in graph.invalid
    ]
    found = reviewers(commit.message for commit in (*commits, *landed))
    end = merged if merged is not None else max(created, newest)
    files = _merged(
        _files_decoder.decode(history.scratch.get(history.files[_pair(graph, *pair)])) for pair in plan.changes
    )
    return PullRequest(
        repo=at.repo,
        number=plan.number,
        title=plan.title or subject(_commit(history, plan.changes[-1][1]).message),
        state=plan.state,
        created_at=_instant(created),
        updated_at=_instant(max(created, newest, closed or 0, *(graph.authored[place] for place in places))),
        merged_at=None if merged is None else _instant(merged),
        closed_at=None if closed is None else _instant(closed),
        author=first[1].author,
        additions=sum(file.additions for file in files),
        deletions=sum(file.deletions for file in files),
        changed_files=len(files),
        commits_count=len(commits),
        head_ref=plan.head_ref,
        base_ref=at.base_ref,
        commits=commits,
        reviews=tuple(
            Review(
                reviewer=reviewer,
                state="approved",
                submitted_at=_instant(
                    end if merged is None else created + (merged - created) * place // (len(found) + 1)
                ),
            )
            for place, reviewer in enumerate(found, 1)
        ),
        files=files,
    )


def _merged(changes: Iterable[list[ChangedFile]]) -> tuple[ChangedFile, ...]:
    """The files of changes one after another, each name once: lines add up, and what was added is until removed."""
    files: dict[str, ChangedFile] = {}
    for file in (file for change in changes for file in change):
        before = files.setdefault(file.filename, file)
        if before is not file:
            files[file.filename] = ChangedFile(
                filename=file.filename,
                status="added" if before.status == "added" and file.status != "removed" else file.status,
                additions=before.additions + file.additions,
                deletions=before.deletions + file.deletions,
            )
    return tuple(files[name] for name in sorted(files))


def _instant(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)

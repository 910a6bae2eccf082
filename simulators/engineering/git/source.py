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
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import IO, NamedTuple

import msgspec

from seedjournal.journal import BadInput
from seedjournal.progress import Tell

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
from ..times import AUTHORED_OUTSIDE, OUTSIDE, ImpossibleTimes
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
from .commit import Mailmap, path_of, read, reviewers, text_of
from .conventions import Landing, landings, subject
from .history import Graph, Plan, Refused, Told, created, own_landings, plans
from .notices import Merges, sentences

# Raised whenever the same history would give other facts.
_VERSION = 2

_PULL = re.compile(
    r"refs/(?:pull/|merge-requests/|pull-requests/|remotes/[^/]+/(?:pull|pr|merge-requests|mr|pull-requests)/)"
    r"([1-9][0-9]{0,14})(?:/(head|merge|from))?"
)
_OWN_ROOMS = ("refs/pull/", "refs/merge-requests/", "refs/pull-requests/")
_CHECKED_OUT = "HEAD names it"
_LISTED = 20  # branches that a message names
_LONGEST_MAILMAP = 16 << 20
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
_PATCH = (
    *("diff-tree", "--stdin", "-r", "-p", "--root", "--no-renames", "--full-index", "--unified=3"),
    *("--diff-algorithm=myers", "--no-ext-diff", "--no-textconv", "--no-color", "--no-relative"),
)
_FSCK = "Run `git fsck`: it lists what is missing or damaged."
_OBJECT_FORMATS = {20: "sha1", 32: "sha256"}
_STATUSES = {b"A": "added", b"D": "removed", b"R": "renamed", b"C": "copied"}


class Branch(NamedTuple):
    """The branch that is read: its name and commit, why it is read, and which others could be meant."""

    name: str | None
    tip: str | None
    reason: str = ""
    others: tuple[str, ...] = ()

    @property
    def is_guess(self) -> bool:
        """Whether another branch could be meant: nobody says that this is the default branch, and its name does not."""
        return self.reason == _CHECKED_OUT and self.name not in {"main", "master"}


class _Snapshot(NamedTuple):
    """The refs that facts are read from, at the moment the repository was opened."""

    repo: Repository
    base_ref: str | None
    tip: str | None
    branch: Branch
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
    signatures: array[int] = field(default_factory=lambda: array("q"))
    plans: list[Plan] = field(default_factory=list)
    created: dict[int, int] = field(default_factory=dict)
    refused: Refused = field(default_factory=Refused)
    merges: Merges = field(default_factory=Merges)
    rewritten: tuple[int, int] = (0, 0)
    heads: Mapping[int, int] = field(default_factory=dict)
    mailmap: Mailmap = field(default_factory=Mailmap)
    files: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)
    impossible: ImpossibleTimes = field(default_factory=ImpossibleTimes)


class GitSource:
    """Facts from a clone in a folder, or from a remote repository that is mirrored in a cache.

    Refs are read once: however often facts are asked for, they are those of the moment of the first question.
    """

    name = "git"

    def __init__(
        self,
        location: str,
        *,
        repo: str | None = None,
        cache: Path | None = None,
        skip_invalid: bool = False,
        strict: bool = False,
        branch: str | None = None,
        use_mailmap: bool = True,
        tell: Tell = lambda *_: None,
    ) -> None:
        self._location = location
        self._address = address(location)
        self._given = repository(repo) if repo is not None else None
        self._cache = cache
        self._skip_invalid = skip_invalid
        self._strict = strict
        self._branch = branch
        self._use_mailmap = use_mailmap
        self._tell = tell
        if self._address is None and not Path(location).is_dir():
            raise BadInput(f"{scrubbed(location)} is not a folder.", "Give the folder of a clone, or an address.")

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
        """Return a hash of this source's version, the repository's name, and the names of all commits with facts."""
        at = self._snapshot
        mergeable = sorted(at.mergeable & at.heads.keys()) if at.mergeable is not None else None
        content = [_VERSION, at.repo, at.base_ref, at.tip, sorted(at.heads.items()), mergeable, self._use_mailmap]
        return hashlib.sha256(msgspec.json.encode(content)).hexdigest()

    def notices(self) -> list[str]:
        """Return which branch was read, which conventions were found, and what was not understood.

        Before the history was read it is only the branch.
        """
        at = self._snapshot
        if at.tip is None and not at.heads:
            return [f"{at.repo} has no commit yet: there is nothing to record."]
        history: _History | None = self.__dict__.get("_history")
        said = sentences(at.repo, at.branch, len(at.heads), history)
        return said if history is None else [*said, *history.impossible.notices()]

    def pull_requests(self) -> Iterator[PullRequest]:
        """Yield every pull request by number, as far as head refs and the default branch's subjects show them."""
        history = self._history
        if self._strict:
            history.impossible.refuse(self.name)
        for plan in history.plans:
            yield _pull_request(history, self._snapshot, plan)

    def loose_commits(self) -> Iterator[LooseCommit]:
        """Yield the default branch's commits that are in no pull request and landed none."""
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
        shown = self._address.shown if self._address else self._location
        heads: dict[int, str] = {}
        merges = set()
        # A forge's own refs come last in this order, and stand against copies of them elsewhere.
        for ref in sorted(clone.refs, key=lambda ref: (ref.startswith(_OWN_ROOMS), ref)):
            pull = _PULL.fullmatch(ref) if ref.startswith((*_OWN_ROOMS, f"refs/remotes/{clone.remote}/")) else None
            if pull and pull[2] == "merge":
                merges.add(int(pull[1]))
            elif pull and (pull[2] or not ref.startswith(_OWN_ROOMS)):
                heads[int(pull[1])] = clone.refs[ref].commit
        branch = _branch(clone, shown, self._branch, has_heads=bool(heads))
        named = self._given or _repository(self._address.url if self._address else clone.origin, Path(self._location))
        return _Snapshot(named, branch.name, branch.tip, branch, heads, frozenset(merges) if merges else None)

    @cached_property
    def _history(self) -> _History:
        clone, at = self._clone, self._snapshot
        scratch = _Scratch()
        weakref.finalize(self, scratch.close)
        history = _History(Graph(width=20 if clone.object_format == "sha1" else 32), scratch)
        _Reader(history, clone, at, self._tell, skip_invalid=self._skip_invalid).read(use_mailmap=self._use_mailmap)
        return history


def _branch(clone: Clone, shown: str, wanted: str | None, *, has_heads: bool) -> Branch:
    """Return the branch to read; raises BadInput where it must be chosen, or the one that was chosen is not there."""
    remote = f"refs/remotes/{clone.remote}/"
    found: dict[str, str] = {}
    for room in (remote, "refs/heads/"):
        for one in clone.refs:
            if one.startswith(room) and one != remote + "HEAD" and not _PULL.fullmatch(one):
                found[_name(one.removeprefix(room))] = one
    names = sorted(found)
    listed = ", ".join(names[:_LISTED]) + (f" and {len(names) - _LISTED} more" if len(names) > _LISTED else "")
    if wanted is not None and wanted not in found:
        raise BadInput(f"{shown} has no branch {wanted!r}.", f"Its branches are {listed or 'none'}.")
    ref, reason = _usual(clone, remote) if wanted is None else (found[wanted], "the setting `branch` names it")
    if ref is None and len(names) == 1:
        ref, reason = found[names[0]], "it is the only branch"
    if ref is not None:
        name = _name(ref.removeprefix("refs/heads/").removeprefix(remote))
        return Branch(name, clone.refs[ref].commit, reason, tuple(one for one in names if one != name))
    if names:
        head = _name(clone.branch or "").removeprefix("refs/heads/")
        reason = f"HEAD names the branch {head!r}, which is not there" if head else "HEAD names no branch"
        raise BadInput(
            f"{shown}: {reason}, and there are several others: {listed}",
            f"Choose one with the setting `branch`, for example with `--set branch={names[0]}`.",
        )
    if clone.refs and not clone.detached and not has_heads:
        raise BadInput(
            f"{shown} has commits, but no branch: only refs such as {_name(min(clone.refs))}.",
            "Fetch its branches with `git fetch`.",
        )
    return Branch(None, clone.detached, "there is no branch, and HEAD is this commit" if clone.detached else "")


def _usual(clone: Clone, remote: str) -> tuple[str | None, str]:
    """Return the default branch's ref, and why it is that; None where no rule gives one.

    It is the remote's HEAD, else the remote's main or master, else what is checked out. Where HEAD is a commit, it is
    main or master.
    """
    symbolic = clone.refs.get(remote + "HEAD")
    guesses = [
        (symbolic.target if symbolic else "", f"{clone.remote}/HEAD names it"),
        *((remote + name, f"it is the {name} of {clone.remote}") for name in ("main", "master")),
        (clone.branch or "", _CHECKED_OUT),
    ]
    if clone.detached and not clone.branch:
        guesses += [(f"refs/heads/{name}", f"HEAD is a commit, and there is a {name}") for name in ("main", "master")]
    return next(((ref, reason) for ref, reason in guesses if ref in clone.refs), (None, ""))


def _name(ref: str) -> str:
    return os.fsencode(ref).decode(errors="replace")


def _repository(url: str | None, folder: Path) -> Repository:
    """Return OWNER/NAME from a remote's address; for a path it is `local/` and the last folder's name."""
    url = re.sub(r"[?#].*", "", url or "")
    is_remote = re.match(r"(?!file:)[A-Za-z0-9+.-]+://", url) or re.match(r"(?:[^/@:\s]+@)?[^/:@\s]+:(?!//)", url)
    path = re.sub(r"\A(?:[A-Za-z0-9+.-]+://[^/]*|[^/]*:)", "", url)
    parts = [part for part in path.split("/") if part]
    if not is_remote and parts[-1:] == [".git"]:
        parts.pop()
    if is_remote:
        try:
            return repository("/".join(parts[-2:]).removesuffix(".git"))
        except BadInput:
            pass
    place = folder.resolve()
    name = (parts[-1] if parts else (place.parent if place.name == ".git" else place).name).removesuffix(".git")
    return repository("local/" + (re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip(".-")[:100] or "repository"))


class _Reader:
    """Reads a history: commits, what they say, the lines that they change, and which of them landed what."""

    def __init__(self, history: _History, clone: Clone, at: _Snapshot, tell: Tell, *, skip_invalid: bool) -> None:
        self._history = history
        self._clone = clone
        self._at = at
        self._tell = tell
        self._skip_invalid = skip_invalid

    def read(self, *, use_mailmap: bool) -> None:
        """Read everything; raises BadInput for a commit whose times cannot be, or leaves it out."""
        history, at = self._history, self._at
        graph = history.graph
        tips = sorted({*at.heads.values(), *([at.tip] if at.tip else [])})
        if not tips:
            return
        with reading(self._clone) as environment:
            if use_mailmap and at.tip:
                history.mailmap = _mailmap(at.tip, environment, at.repo)
            said = list(self._read_commits(tips, environment))
            graph.follow(graph.places[bytes.fromhex(at.tip)] if at.tip else None)
            heads = {number: graph.places[bytes.fromhex(head)] for number, head in at.heads.items()}
            history.heads = heads
            landed, history.refused = own_landings(graph, said, heads, at.repo)
            for plan in plans(graph, Told(heads=heads, mergeable=at.mergeable, landings=landed)):
                if plan.merged_by in graph.invalid or all(place in graph.invalid for place in plan.commits):
                    reason = "none of its commits, or not the one that merged it, has possible times"
                    history.skipped.append(Skipped(file=at.repo, entry=f"pull request {plan.number}", reason=reason))
                else:
                    history.plans.append(plan)
            self._read_changes(environment)
            history.rewritten = _find_rewritten(history, environment, at.repo)
        history.created = created(graph, history.plans)
        history.scratch.written()

    def _read_commits(self, tips: list[str], environment: Mapping[str, str]) -> Iterator[Landing]:
        """Fill the graph and keep every commit's text; yield what commits say of pull requests."""
        history, repo = self._history, self._at.repo
        with tempfile.TemporaryFile() as names:
            listing = ("rev-list", "--topo-order", "--reverse", "--stdin")
            print_to(names, listing, "".join(f"{tip}\n" for tip in tips).encode(), environment, repo)
            total = names.tell() // (history.graph.width * 2 + 1)
            with pipe(("cat-file", "--batch", "--buffer"), names, environment, repo) as printed:
                while header := printed.readline():
                    name, _, size = header.partition(b" commit ")
                    if not size:
                        raise BadInput(f"{repo}: {header.decode(errors='replace').strip()}", _FSCK)
                    commit = read(printed.read(int(size)), history.mailmap)
                    printed.read(1)
                    if commit.problem:
                        entry = f"commit {name.decode()}"
                        if not self._skip_invalid:
                            raise BadInput(
                                f"{repo}: {entry}: {commit.problem}", "Add --skip-invalid to leave such commits out."
                            )
                        history.skipped.append(Skipped(file=repo, entry=entry, reason=commit.problem))
                    for role, written in commit.impossible.items():
                        kind = OUTSIDE if role == "committer" else AUTHORED_OUTSIDE
                        history.impossible.add(kind, f"commit {name[:7].decode()} {role} {written}")
                    place = history.graph.add(bytes.fromhex(name.decode()), commit)
                    history.texts.append(history.scratch.add(msgspec.msgpack.encode((commit.message, commit.author))))
                    found = landings(commit.message, place, len(commit.parents))
                    history.merges.saw(commit.message, place, len(commit.parents), is_named=bool(found))
                    yield from found
                    self._tell("reading commits", 1, total)

    def _read_changes(self, environment: Mapping[str, str]) -> None:
        """Count every commit's own lines, and keep the files of every pull request."""
        history, graph = self._history, self._history.graph
        for lines in (history.additions, history.deletions, history.signatures):
            lines.extend([0] * len(graph.parents))
        wanted = {change for plan in history.plans for change in plan.changes}
        kept = {_pair(graph, *change) for change in wanted}
        parts = {place for plan in history.plans for place in plan.commits if len(graph.parents[place]) == 1}
        counted: dict[bytes, list[int]] = {}
        for place, parents in enumerate(graph.parents):
            if len(parents) <= 1:  # a merge adds nothing of its own
                counted.setdefault(_pair(graph, parents[0] if parents else -1, place), []).append(place)
        own: dict[int, int] = {}
        compared = zip(counted.items(), self._compared(counted, environment), strict=True)
        for (pair, places), (files, signature) in compared:
            if pair in kept or not parts.isdisjoint(places):
                stored = history.scratch.add(msgspec.msgpack.encode(files))
                own.update(dict.fromkeys(parts.intersection(places), stored))
                if pair in kept:
                    history.files[pair] = stored, signature
            for place in places:
                history.additions[place] = sum(file.additions for file in files)
                history.deletions[place] = sum(file.deletions for file in files)
                history.signatures[place] = signature
        history.scratch.written()
        self._read_the_rest(sorted(wanted), own, environment)

    def _read_the_rest(
        self, wanted: Iterable[tuple[int, int]], own: Mapping[int, int], environment: Mapping[str, str]
    ) -> None:
        """Sum the files of pull requests of several commits, or compare the trees where they do not add up."""
        history, graph = self._history, self._history.graph
        left: dict[bytes, None] = {}
        for before, after in wanted:
            pair = _pair(graph, before, after)
            if pair not in history.files:
                summed = self._summed(before, after, own)
                if summed is None:
                    left[pair] = None
                else:
                    history.files[pair] = summed
        for pair, (files, signature) in zip(left, self._compared(left, environment), strict=True):
            history.files[pair] = history.scratch.add(msgspec.msgpack.encode(files)), signature
        history.scratch.written()

    def _summed(self, before: int, after: int, own: Mapping[int, int]) -> tuple[int, int] | None:
        """Store the files of a line of commits, each of which changes others; None where they do not add up so."""
        history = self._history
        found: dict[str, ChangedFile] = {}
        statuses = set()
        line = []
        place = after
        while place != before:
            if place not in own:
                return None
            for file in _files_decoder.decode(history.scratch.get(own[place])):
                if file.filename in found or file.status in {"renamed", "copied"}:
                    return None
                found[file.filename] = file
                statuses.add(file.status)
            line.append(place)
            place = history.graph.parents[place][0]
        if {"added", "removed"} <= statuses:  # together they may be a renaming
            return None
        stored = history.scratch.add(msgspec.msgpack.encode([*found.values()]))
        return stored, _wrapped(history.signatures[place] for place in line)

    def _compared(
        self, pairs: Collection[bytes], environment: Mapping[str, str]
    ) -> Iterator[tuple[list[ChangedFile], int]]:
        """Yield the files that differ, and their signature, for every pair of trees, with progress."""
        for found in _compared(self._history.graph, pairs, environment, self._at.repo):
            yield found
            self._tell("comparing trees", 1, None)


class _PatchIds:
    """What `git patch-id --stable` says of commits, and of what lies between two of them; each is computed once."""

    def __init__(self, graph: Graph, environment: Mapping[str, str], repo: Repository) -> None:
        self._graph = graph
        self._environment = environment
        self._repo = repo
        self.commits: dict[int, bytes] = {}
        self.wholes: dict[tuple[int, int], bytes] = {}

    def compute(self, commits: Collection[int], wholes: Collection[tuple[int, int]]) -> None:
        """Compute those of commits by their place, and of pairs; a patch of nothing has none."""
        if commits:
            lines = [self._graph.name(place).hex() for place in sorted(commits)]
            for name, patch in self._printed(lines):
                self.commits[self._graph.places[name]] = patch
        by_tip: dict[bytes, list[tuple[int, int]]] = {}
        for before, after in sorted(wholes):
            by_tip.setdefault(self._graph.name(after), []).append((before, after))
        lines = [
            f"{tip.hex()} {self._graph.name(pairs[0][0]).hex()}" for tip, pairs in by_tip.items()
        ]  # the second stands for the parent
        for name, patch in self._printed(lines) if lines else ():
            self.wholes[by_tip[name][0]] = patch

    def _printed(self, lines: Iterable[str]) -> Iterator[tuple[bytes, bytes]]:
        with tempfile.TemporaryFile() as patches:
            fed = "".join(f"{line}\n" for line in lines).encode()
            print_to(patches, _PATCH, fed, self._environment, self._repo)
            with pipe(("patch-id", "--stable"), patches, self._environment, self._repo) as printed:
                for line in printed:
                    patch, _, name = line.strip().partition(b" ")
                    yield bytes.fromhex(name.decode()), patch


def _alike(history: _History) -> tuple[dict[int, list[int]], dict[int, list[int]], dict[int, int]]:
    """Return what may be the same: the branch's commits by signature, and of plans that did not land commits, or all.

    Plans are meant by their place in the history's list.
    """
    graph = history.graph
    places = [place for place, plan in enumerate(history.plans) if plan.state != "merged"]
    held = {place for plan in history.plans if plan.state == "merged" for place in (*plan.commits, *plan.landed)}
    alike: dict[int, list[int]] = {}
    for place, parents in enumerate(graph.parents if places else ()):
        if graph.brought[place] >= 0 and len(parents) <= 1 and history.signatures[place] and place not in held:
            alike.setdefault(history.signatures[place], []).append(place)
    apart: dict[int, list[int]] = {}
    whole: dict[int, int] = {}
    for place in places:
        plan = history.plans[place]
        if plan.changes[0][0] < 0 or graph.brought[plan.changes[0][0]] < 0:  # it has nothing in common with the branch
            continue
        own = [one for one in plan.commits if len(graph.parents[one]) <= 1 and history.signatures[one]]
        if own and all(history.signatures[one] in alike for one in own):
            apart[place] = own
        signature = history.files[_pair(graph, *plan.changes[0])][1]
        if signature in alike:
            whole[place] = signature
    return alike, apart, whole


def _find_rewritten(history: _History, environment: Mapping[str, str], repo: Repository) -> tuple[int, int]:
    """Find pull requests that landed under other names, word for word; return how many were rebased and squashed.

    Each of their commits is on the branch, or one commit there has all their changes. Only commits that change the
    same files by as many lines are compared, by `git patch-id --stable`.
    """
    graph = history.graph
    alike, apart, whole = _alike(history)
    theirs = {history.signatures[one] for own in apart.values() for one in own} | set(whole.values())
    ids = _PatchIds(graph, environment, repo)
    ids.compute(
        {one for own in apart.values() for one in own} | {one for signature in theirs for one in alike[signature]},
        {history.plans[place].changes[0] for place in whole},
    )
    taken: dict[int, int] = {}  # what landed which commit
    counts = [0, 0]
    for place in sorted(apart.keys() | whole.keys()):
        plan = history.plans[place]
        fork = graph.brought[plan.changes[0][0]]
        patches = [(one, ids.commits.get(one), history.signatures[one]) for one in apart.get(place, ())]
        as_one = [(plan.changes[0][1], ids.wholes.get(plan.changes[0]), whole.get(place, 0))]
        for is_whole, wanted in enumerate((patches, as_one)):
            found: dict[int, int] = {}
            for own_one, patch, signature in wanted:
                among = [
                    one
                    for one in alike.get(signature, ())
                    if one not in found and taken.get(one, own_one) == own_one and graph.brought[one] > fork
                ]
                one = _first_with(graph, ids, patch, among)
                if one is not None:
                    found[one] = own_one
            if wanted and len(found) == len(wanted):
                taken.update(found)
                counts[is_whole] += 1
                last = max(found, key=lambda one: (graph.brought[one], graph.by_time(one)))
                history.plans[place] = replace(
                    plan,
                    state="merged",
                    merged_by=graph.mainline[graph.brought[last]],
                    landed=tuple(sorted({*plan.landed, *found}, key=graph.by_time)),
                    title=plan.title or (subject(_commit(history, last).message) if is_whole else None),
                )
                break
    return counts[0], counts[1]


def _first_with(graph: Graph, ids: _PatchIds, patch: bytes | None, among: Iterable[int]) -> int | None:
    """Return the commit that came first to the branch, of those that have this patch."""
    same = (one for one in among if patch and ids.commits.get(one) == patch)
    return min(same, key=lambda one: (graph.brought[one], graph.by_time(one)), default=None)


def _mailmap(tip: str, environment: Mapping[str, str], repo: Repository) -> Mailmap:
    """Return the `.mailmap` of a commit; an empty one where there is none, or it is no file of a sensible size."""
    with tempfile.TemporaryFile() as asked:
        asked.write(f"{tip}:.mailmap\n".encode())
        with pipe(("cat-file", "--batch"), asked, environment, repo) as printed:
            _, _, size = printed.readline().partition(b" blob ")
            content = printed.read(int(size)) if size and int(size) <= _LONGEST_MAILMAP else b""
            while printed.read(1 << 20):
                pass
    return Mailmap.parsed(text_of(content))


def _compared(
    graph: Graph, pairs: Iterable[bytes], environment: Mapping[str, str], repo: Repository
) -> Iterator[tuple[list[ChangedFile], int]]:
    """Yield the files that differ, for each pair of trees; raise BadInput for a missing tree, where git is silent."""
    with tempfile.TemporaryFile() as asked:
        asked.writelines(pairs)
        with pipe(_DIFF, asked, environment, repo) as printed:
            found = _changes(_tokens(printed), graph.width * 2)
            missing = b""
            for pair in pairs:
                said, files, signature = next(found, (b"", [], 0))
                if said != pair:
                    missing = pair
                    break
                yield files, signature
            for _ in found:
                pass
        if missing:
            raise BadInput(f"{repo}: git cannot compare the trees {missing.decode().strip()}.", _FSCK)


def _pair(graph: Graph, before: int, after: int) -> bytes:
    """Write the line that asks git to compare two trees; before the first commit there is the empty tree."""
    nothing = hashlib.new(_OBJECT_FORMATS[graph.width], b"tree 0\0", usedforsecurity=False)
    return f"{(graph.tree(before) if before >= 0 else nothing.digest()).hex()} {graph.tree(after).hex()}\n".encode()


def _tokens(printed: IO[bytes]) -> Iterator[bytes]:
    """Yield the texts between NULs; ignore a text that is cut off at the end."""
    rest = b""
    while chunk := printed.read(1 << 18):
        *whole, rest = (rest + chunk).split(b"\0")
        yield from whole
    if rest.endswith(b"\n"):
        yield rest


def _changes(tokens: Iterator[bytes], width: int) -> Iterator[tuple[bytes, list[ChangedFile], int]]:
    """Yield pairs of trees with their differing files, from `diff-tree --stdin --raw --numstat -z`.

    A pair's own line ends in a newline, everything after it in NUL; a renamed file comes with both names, the new last.
    """
    pair = b""
    statuses: dict[bytes, str] = {}
    lines: dict[bytes, tuple[int, int]] = {}
    blobs: dict[bytes, bytes] = {}
    for token in tokens:
        rest = token
        while (
            len(rest) > 2 * width + 1
            and rest[2 * width + 1] == ord("\n")
            and rest[: 2 * width + 1].replace(b" ", b"").isalnum()
        ):
            if pair:
                yield pair, _files(statuses, lines), _signature(blobs, lines)
            pair, rest = rest[: 2 * width + 2], rest[2 * width + 2 :]
            statuses, lines, blobs = {}, {}, {}
        if rest.startswith(b":"):
            status = rest.rpartition(b" ")[2][:1]
            before = next(tokens, b"")
            name = next(tokens, b"") if status in b"RC" else before
            statuses[name] = _STATUSES.get(status, "modified")
            blobs[name] = rest
        elif rest:
            added, deleted, filename = rest.split(b"\t", 2)
            if not filename:
                next(tokens, b"")
                filename = next(tokens, b"")
            lines[filename] = (0, 0) if added == b"-" else (int(added), int(deleted))
    if pair:
        yield pair, _files(statuses, lines), _signature(blobs, lines)


def _signature(blobs: Mapping[bytes, bytes], lines: Mapping[bytes, tuple[int, int]]) -> int:
    """Return a number that is equal for equal patches, and 0 where nothing differs: by files and their lines.

    Where no lines tell files apart, as with bytes that are no text, git's own words do, which name the contents.
    """
    return _wrapped(
        hash((name, count if any(count := lines.get(name, (0, 0))) else raw)) for name, raw in blobs.items()
    )


def _wrapped(signatures: Iterable[int]) -> int:
    """Return the signature of changes to different files, as one of 64 bits."""
    return (sum(signatures) + (1 << 63)) % (1 << 64) - (1 << 63)


def _files(statuses: Mapping[bytes, str], lines: Mapping[bytes, tuple[int, int]]) -> list[ChangedFile]:
    return [
        ChangedFile(
            filename=path_of(name),
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
        committed_at=None if place in history.graph.timeless else _instant(history.graph.committed[place]),
        additions=history.additions[place],
        deletions=history.deletions[place],
    )


def _pull_request(history: _History, at: _Snapshot, plan: Plan) -> PullRequest:
    graph = history.graph
    places = [place for place in plan.commits if place not in graph.invalid]
    commits = tuple(_commit(history, place) for place in places)
    first = min(zip(places, commits, strict=True), key=lambda pair: (graph.authored[pair[0]], pair[1].sha))
    begun = history.created[plan.number]
    newest = max(graph.committed[place] for place in places)
    is_timed = plan.merged_by not in graph.timeless
    merged = None if plan.merged_by is None or not is_timed else graph.committed[plan.merged_by]
    closed = merged if merged is not None else newest if plan.state == "closed" else None
    landed = [
        _commit(history, place) for place in plan.landed if place not in plan.commits and place not in graph.invalid
    ]
    found = reviewers((commit.message for commit in (*commits, *landed)), history.mailmap)
    end = merged if merged is not None else newest
    files = _merged(
        _files_decoder.decode(history.scratch.get(history.files[_pair(graph, *pair)][0])) for pair in plan.changes
    )
    return PullRequest(
        repo=at.repo,
        number=plan.number,
        title=plan.title or subject(_commit(history, plan.changes[-1][1]).message),
        state=plan.state,
        created_at=_instant(begun),
        updated_at=_instant(max(newest, closed or 0)),
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
                submitted_at=_instant(end if merged is None else begun + (merged - begun) * place // (len(found) + 1))
                if is_timed
                else None,
            )
            for place, reviewer in enumerate(found, 1)
        ),
        files=files,
    )


def _merged(changes: Iterable[list[ChangedFile]]) -> tuple[ChangedFile, ...]:
    """Return the files of successive changes, each once: lines add up, and an added file stays added until removed."""
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

"""What a git history says about pull requests: rules over commits, free of processes and files.

A pull request is known by its head ref, by a subject on the default branch that names its number, or by both. Every
rule is a function of the set of commits and refs; where one must be chosen it is by time, then by name.
"""

from __future__ import annotations

import codecs
import re
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import takewhile
from typing import NamedTuple

from ..facts import Person

_LAST_SECOND = 253_402_300_799  # 9999-12-31T23:59:59Z, the last that a datetime can tell
_MONTH = 30 * 86_400
_TIME = re.compile(rb" *(?:(-?\d+) +[+-]\d+)?")
_NO_REPLY = re.compile(
    r"(?:(\d{1,15})\+)?([A-Za-z0-9][A-Za-z0-9_-]*(?:\[bot\])?)@users\.noreply\.github\.com", re.IGNORECASE
)
_CHARSET = re.compile(r"ascii|big5|cp\d|euc_|gb|iso8859|iso2022|johab|koi8|shift_jis|utf-(?:8|16|32)")
_MERGED = re.compile(r"Merge pull request #([1-9][0-9]{0,14})\b(?: from [^\s/]+/(\S+))?")
_SQUASHED = re.compile(r"\(#([1-9][0-9]{0,14})\)\Z")
_URL = re.compile(
    r"^PR-URL:[ \t]*https?://[^/\s]+/([^/\s]+/[^/\s]+)/pull/([1-9][0-9]{0,14})\b", re.IGNORECASE | re.MULTILINE
)
_REVIEWED = re.compile(r"^Reviewed-by:([^<\n]*)(?:<([^>\n]*)>.*)?$", re.IGNORECASE | re.MULTILINE)


class Read(NamedTuple):
    """A commit object as read, names in hexadecimal; `problem` names a field that cannot be right, or is empty."""

    tree: bytes
    parents: tuple[bytes, ...]
    authored: int
    committed: int
    author: Person | None
    message: str
    problem: str


class Landing(NamedTuple):
    """A commit that says which pull request it lands; `told` is the repository that it names, or None."""

    number: int
    place: int
    is_merge: bool
    title: str
    branch: str | None = None
    told: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A pull request by the places of its commits; its files are those of `changes`, pairs of base (or -1) and tip."""

    number: int
    state: str
    commits: array[int]
    landed: tuple[int, ...]
    merged_by: int | None
    title: str | None
    head_ref: str | None
    changes: tuple[tuple[int, int], ...]


def read(raw: bytes) -> Read:
    """A commit from the bytes of its object; never raises."""
    headers, _, body = raw.partition(b"\n\n")
    lines = [line.partition(b" ")[::2] for line in headers.split(b"\n")]
    # Parents count where git looks for them: right after the tree. A nameless line continues a signature.
    parents = tuple(value for _, value in takewhile(lambda line: line[0] == b"parent", lines[1:]))
    named = {name: value for name, value in reversed(lines) if name}
    charset = _charset(named.get(b"encoding", b""))
    problems = []
    times = []
    for role in (b"author", b"committer"):
        *_, time = _identity(named.get(role, b"")) or [b""]
        second = int(time) if time and len(time) <= len(str(_LAST_SECOND)) else -1
        if not 0 <= second <= _LAST_SECOND:
            written = named.get(role, b"").rpartition(b">")[2].strip().decode(errors="replace")[:60]
            problems.append(f"{role.decode()} time {written!r} is not a time from 1970 to 9999")
            second = 0
        times.append(second)
    identity = _identity(named.get(b"author", b""))
    author = person(_text(identity[0], charset), _text(identity[1], charset)) if identity else None
    message = _text(body, charset).strip("\n")
    return Read(named.get(b"tree", b""), parents, times[0], times[1], author, message, "; ".join(problems))


def _identity(line: bytes) -> tuple[bytes, bytes, bytes] | None:
    """Name, address and second of `NAME <ADDRESS> SECOND ZONE`; the second may be missing, and is empty then."""
    who, closed, when = line.rpartition(b">")
    name, opened, email = who.partition(b"<")
    time = _TIME.fullmatch(when)
    return (name.rstrip(b" "), email, time[1] or b"") if opened and closed and time else None


def person(name: str, email: str) -> Person | None:
    """Somebody by name and e-mail address, of which only a no-reply address's login and number are kept."""
    login = _NO_REPLY.fullmatch(email.strip())
    name = name.strip()
    if not login:
        return Person(name=name) if name else None
    return Person(login=login[2], name=name or None, id=int(login[1] or 0) or None)


def reviewers(messages: Iterable[str]) -> list[Person]:
    """Everyone whom a `Reviewed-by:` trailer names, each once, in order of first appearance.

    Two are the same where their login is, or their name where there is no login.
    """
    found: dict[tuple[bool, str], Person] = {}
    for message in messages:
        for written, email in _REVIEWED.findall(message):
            name = written.strip(" \t")
            if not email and "@" in name[1:]:
                name, email = "", name.strip()  # noqa: PLW2901 - an address without brackets
            if re.fullmatch(r"@[A-Za-z0-9][A-Za-z0-9-]*", name):
                who: Person | None = Person(login=name[1:])
            else:
                who = person(name, email) or person(name or email.partition("@")[0], "")
            if who:
                found.setdefault((who.login is None, (who.login or who.name or "").lower()), who)
    return list(found.values())


def subject(message: str) -> str:
    """A message's first line."""
    return message.partition("\n")[0].strip()


def landings(message: str, place: int, parents: int) -> list[Landing]:
    """The pull requests that a commit says it lands, by its subject or by its `PR-URL:` trailers."""
    first = subject(message)
    merge = _MERGED.match(first)
    if merge:
        title = message.partition("\n")[2].strip().partition("\n")[0].strip()
        return [Landing(int(merge[1]), place, parents > 1, title, merge[2])]
    squash = _SQUASHED.search(first)
    title = first[: squash.start()].rstrip() if squash else first
    squashed = [Landing(int(squash[1]), place, is_merge=False, title=title)] if squash else []
    if "pr-url:" not in message.lower():
        return squashed
    urls = sorted({(repo.lower(), int(number)) for repo, number in _URL.findall(message)})
    return [Landing(number, place, is_merge=False, title=title, told=repo) for repo, number in urls] + squashed


def own_landings(found: Iterable[Landing], repo: str) -> dict[int, list[Landing]]:
    """Landings by number. Trailers count where they speak of this repository, or else of the one most spoken of.

    Histories are imported and repositories renamed: the numbers of another one are not this one's.
    """
    found = list(found)
    told = Counter(landing.told for landing in found if landing.told)
    own = repo.lower() if repo.lower() in told else min(told, key=lambda name: (-told[name], name), default=None)
    trailed = {landing.place for landing in found if landing.told and landing.told == own}
    by_number: dict[int, list[Landing]] = defaultdict(list)
    for landing in found:
        if landing.told == own if landing.told else landing.place not in trailed or landing.is_merge:
            by_number[landing.number].append(landing)
    return by_number


@dataclass(slots=True)
class Graph:
    """Commits by place, parents before children, in little memory; and which mainline commit brought each in.

    `brought` is the position on the default branch's first-parent line of the commit through which a commit became
    part of the branch, or -1. So "in the history before the mainline's commit n" is a comparison, not a walk.
    """

    width: int
    places: dict[bytes, int] = field(default_factory=dict)
    names: bytearray = field(default_factory=bytearray)
    trees: bytearray = field(default_factory=bytearray)
    parents: list[tuple[int, ...]] = field(default_factory=list)
    generations: array[int] = field(default_factory=lambda: array("i"))
    authored: array[int] = field(default_factory=lambda: array("q"))
    committed: array[int] = field(default_factory=lambda: array("q"))
    invalid: set[int] = field(default_factory=set)
    mainline: list[int] = field(default_factory=list)
    brought: array[int] = field(default_factory=lambda: array("i"))

    def add(self, name: bytes, commit: Read) -> int:
        """Take a commit whose parents were taken before; raises KeyError for one whose were not."""
        parents = tuple(self.places[bytes.fromhex(parent.decode())] for parent in commit.parents)
        place = self.places[name] = len(self.parents)
        self.names += name
        self.trees += bytes.fromhex(commit.tree.decode())
        self.parents.append(parents)
        self.generations.append(1 + max((self.generations[parent] for parent in parents), default=0))
        self.authored.append(commit.authored)
        self.committed.append(commit.committed)
        if commit.problem:
            self.invalid.add(place)
        return place

    def name(self, place: int) -> bytes:
        """A commit's object name."""
        return bytes(self.names[place * self.width : (place + 1) * self.width])

    def tree(self, place: int) -> bytes:
        """A commit's tree's object name."""
        return bytes(self.trees[place * self.width : (place + 1) * self.width])

    def by_time(self, place: int) -> tuple[int, int, bytes]:
        """What commits are sorted by: committer time, distance from the root, name."""
        return self.committed[place], self.generations[place], self.name(place)

    def follow(self, tip: int | None) -> None:
        """Learn the default branch from its tip."""
        self.brought = array("i", [-1]) * len(self.parents)
        while tip is not None:
            self.mainline.append(tip)
            tip = next(iter(self.parents[tip]), None)
        self.mainline.reverse()
        for position, start in enumerate(self.mainline):
            left = [start]
            while left:
                place = left.pop()
                if self.brought[place] < 0:
                    self.brought[place] = position
                    left += self.parents[place]

    def beyond(self, head: int, is_known: Callable[[int], bool]) -> array[int]:
        """The commits reachable from head through none that is known (with one, all its ancestors are)."""
        seen = set[int]()
        left = [head]
        while left:
            place = left.pop()
            if place not in seen and not is_known(place):
                seen.add(place)
                left += self.parents[place]
        return array("i", seen)

    def unmerged(self, head: int) -> array[int]:
        """The commits reachable from head and not from the default branch."""
        return self.beyond(head, lambda place: self.brought[place] >= 0)

    def landed_by(self, head: int, landing: int) -> array[int]:
        """The commits reachable from head and not from a default-branch commit's first parent."""
        if self.is_mainline(landing):
            return self.beyond(head, lambda place: 0 <= self.brought[place] < self.brought[landing])
        before = self.parents[landing][:1]
        # Both histories are painted from their tips, children before parents, until only common ones are left.
        sides = {head: 1} | {place: (2 if place != head else 3) for place in before}
        queue = [(-self.generations[place], place) for place in sides]
        queue.sort()
        waiting = sum(side == 1 for side in sides.values())
        found = array("i")
        while waiting:
            place = heappop(queue)[1]
            side = sides[place]
            if side == 1:
                waiting -= 1
                found.append(place)
            for parent in self.parents[place]:
                old = sides.get(parent, 0)
                sides[parent] = old | side
                if old == 0:
                    heappush(queue, (-self.generations[parent], parent))
                waiting += (sides[parent] == 1) - (old == 1)
        return found

    def is_mainline(self, place: int) -> bool:
        """Whether a commit is on the default branch's first-parent line."""
        position = self.brought[place]
        return position >= 0 and self.mainline[position] == place

    def fork(self, commits: Iterable[int]) -> int:
        """Where commits begin: their parent outside of them, the nearest if there are several, -1 if none."""
        inside = set(commits)
        outside = {parent for place in inside for parent in self.parents[place]} - inside
        return max(outside, key=lambda place: (self.generations[place], self.by_time(place)), default=-1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What is known of pull requests: heads by number, which are still mergeable (None: nobody knows), landings."""

    heads: Mapping[int, int]
    mergeable: frozenset[int] | None
    landings: Mapping[int, list[Landing]]


def plans(graph: Graph, told: Told) -> Iterable[Plan]:
    """Every pull request, by number."""
    for number in sorted(told.heads.keys() | told.landings.keys()):
        named = sorted(
            (landing for landing in told.landings.get(number, ()) if landing.place not in graph.invalid),
            key=lambda landing: graph.by_time(landing.place),
        )
        if number in told.heads:
            yield _fetched(graph, number, told.heads[number], named, told.mergeable)
        elif named:
            yield _named(graph, number, named)


def _named(graph: Graph, number: int, named: list[Landing]) -> Plan:
    """A pull request that only subjects tell of: what its last merge brought, or else the commits that name it."""
    merge = next((landing for landing in reversed(named) if landing.is_merge), None)
    if merge is None:
        commits = array("i", (landing.place for landing in named))
        changes: list[tuple[int, int]] = []
        for place in sorted(commits, key=lambda place: (graph.generations[place], graph.by_time(place))):
            before = graph.parents[place][0] if graph.parents[place] else -1
            if changes and changes[-1][1] == before:
                changes[-1] = (changes[-1][0], place)
            else:
                changes.append((before, place))
        title, branch = named[0].title, named[0].branch
        return _plan(graph, number, commits, tuple(commits), commits[-1], title, branch, tuple(changes))
    before, head = graph.parents[merge.place][:2]
    commits = graph.landed_by(head, merge.place)
    changes = [(graph.fork(commits), head)]
    if not commits:
        commits, changes = array("i", [merge.place]), [(before, merge.place)]
    return _plan(graph, number, commits, (merge.place,), merge.place, merge.title, merge.branch, tuple(changes))


def _fetched(graph: Graph, number: int, head: int, named: list[Landing], mergeable: frozenset[int] | None) -> Plan:
    """A pull request whose head ref is there: its commits are those that were new when it landed, or are new now."""
    commits = graph.unmerged(head)
    merged_by = None
    merge = None
    if not commits:
        through = graph.mainline[graph.brought[head]]
        merge = next((one for one in reversed(named) if one.is_merge and _merges(graph, one.place, head)), None)
        ends_in = merge.place if merge else head if any(one.place == head for one in named) else through
        commits = graph.landed_by(head, ends_in) or graph.landed_by(head, through)
        merged_by = through
    created = min((graph.authored[place] for place in commits if place not in graph.invalid), default=0)
    # A landing long before the pull request is of another repository whose history was imported: its numbers clash.
    named = [one for one in named if graph.committed[one.place] >= created - _MONTH]
    landed = {one.place for one in named}
    if named:
        first, merged_by = named[0].place, named[-1].place
        if graph.brought[head] < 0 and graph.is_mainline(first):
            commits = graph.landed_by(head, first)
    elif merged_by is not None and head in graph.parents[merged_by][1:]:
        landed.add(merged_by)
    title_from = merge if merge in named else named[0] if named else None
    return _plan(
        graph,
        number,
        commits,
        tuple(landed),
        merged_by,
        title_from.title if title_from else None,
        next((one.branch for one in reversed(named) if one.branch), f"pr-{number}"),
        ((graph.fork(commits), head),),
        "open" if mergeable is None or number in mergeable else "closed",
    )


def _merges(graph: Graph, merge: int, head: int) -> bool:
    return head in graph.parents[merge][1:] or graph.brought[merge] == graph.brought[head]


def _plan(  # noqa: PLR0913, PLR0917 - a plan has as many parts
    graph: Graph,
    number: int,
    commits: Iterable[int],
    landed: tuple[int, ...],
    merged_by: int | None,
    title: str | None,
    head_ref: str | None,
    changes: tuple[tuple[int, int], ...],
    otherwise: str = "closed",
) -> Plan:
    return Plan(
        number=number,
        state=otherwise if merged_by is None else "merged",
        commits=array("i", sorted(commits, key=graph.by_time)),
        landed=tuple(sorted(landed, key=graph.by_time)),
        merged_by=merged_by,
        title=title or None,
        head_ref=head_ref,
        changes=changes,
    )


def _charset(declared: bytes) -> str:
    """The encoding that a commit declares; UTF-8 where it is none that can hold a text safely."""
    try:
        name = codecs.lookup(declared.decode("ascii").strip() or "utf-8").name
    except (LookupError, ValueError):
        return "utf-8"
    return name if _CHARSET.match(name) else "utf-8"


def _text(raw: bytes, charset: str) -> str:
    try:
        text = raw.decode(charset, "replace")
    except (LookupError, ValueError):
        text = raw.decode("utf-8", "replace")
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")

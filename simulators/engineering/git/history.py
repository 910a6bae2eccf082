"""What a git history says about pull requests: rules over commits, free of processes and files.

A pull request is known by its head ref, by a commit of the default branch that names its number, or by both. Every
rule is a function of the set of commits and refs; where one must be chosen it is by place on the branch, then by time,
then by name.
"""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush

from .commit import Read
from .conventions import Landing

_DAY = 86_400
_MONTH = 30 * _DAY
# A number behind a subject without any other proof: how far above the repository's own one it may be.
_ALWAYS_POSSIBLE = 10_000
_TIMES_PROVED = 10
_TIMES_NAMED = 50
_NEIGHBOURS = 3  # numbers behind one, of which the first that is not as old is its neighbour
_OWN_PAST = 3  # so many times more numbers in an imported history than outside make it the repository's own past


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A pull request by the places of its commits; its files are those of `changes`, pairs of base (or -1) and tip.

    `chosen` is the landing that names it, if one does.
    """

    number: int
    state: str
    commits: array[int]
    landed: tuple[int, ...]
    merged_by: int | None
    title: str | None
    head_ref: str | None
    changes: tuple[tuple[int, int], ...]
    chosen: Landing | None = None


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
    timeless: set[int] = field(default_factory=set)
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
        newest = max((self.committed[parent] for parent in parents), default=0)  # where the commit has no time itself
        self.authored.append(commit.authored if commit.authored >= 0 else newest)
        self.committed.append(commit.committed if commit.committed >= 0 else newest)
        if "committer" in commit.impossible:
            self.timeless.add(place)
        if commit.problem:
            self.invalid.add(place)
        return place

    def name(self, place: int) -> bytes:
        """Return a commit's object name."""
        return bytes(self.names[place * self.width : (place + 1) * self.width])

    def tree(self, place: int) -> bytes:
        """Return a commit's tree's object name."""
        return bytes(self.trees[place * self.width : (place + 1) * self.width])

    def by_time(self, place: int) -> tuple[int, int, bytes]:
        """Return the sort key of a commit: committer time, distance from the root, name."""
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
        """Return the commits reachable from head through unknown ones only: all ancestors of a known one are known."""
        seen = set[int]()
        left = [head]
        while left:
            place = left.pop()
            if place not in seen and not is_known(place):
                seen.add(place)
                left += self.parents[place]
        return array("i", seen)

    def unmerged(self, head: int) -> array[int]:
        """Return the commits reachable from head and not from the default branch."""
        return self.beyond(head, lambda place: self.brought[place] >= 0)

    def landed_by(self, head: int, landing: int) -> array[int]:
        """Return the commits reachable from head and not from a default-branch commit's first parent."""
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
        """Return whether a commit is on the default branch's first-parent line."""
        position = self.brought[place]
        return position >= 0 and self.mainline[position] == place

    def related(self) -> bytearray:
        """Return for each commit whether it comes from the default branch's first commit."""
        found = bytearray(len(self.parents))
        for place, parents in enumerate(self.parents):
            found[place] = place == self.mainline[0] or any(found[parent] for parent in parents)
        return found

    def fork(self, commits: Iterable[int]) -> int:
        """Return where commits begin: their parent outside of them, the nearest if there are several, -1 if none."""
        inside = set(commits)
        outside = {parent for place in inside for parent in self.parents[place]} - inside
        return max(outside, key=lambda place: (self.generations[place], self.by_time(place)), default=-1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What is known of pull requests: heads by number, which are still mergeable (None: nobody knows), landings."""

    heads: Mapping[int, int]
    mergeable: frozenset[int] | None
    landings: Mapping[int, list[Landing]]


@dataclass(slots=True)
class Refused:
    """Numbers that commits of the branch name, and that are not taken for pull requests of this repository."""

    issues: list[int] = field(default_factory=list)
    bugs: list[int] = field(default_factory=list)
    imported: list[int] = field(default_factory=list)
    elsewhere: Counter[str] = field(default_factory=Counter)


def own_landings(
    graph: Graph, found: Iterable[Landing], heads: Mapping[int, int], repo: str
) -> tuple[dict[int, list[Landing]], Refused]:
    """Return the landings by number that are this repository's, and what was refused.

    Trailers count where they speak of this repository, or else of the one most spoken of: histories are imported and
    repositories renamed. Numbers are counted by one forge: where several kinds are named, by the one named most.
    """
    refused = Refused()
    found = [one for one in found if graph.brought[one.place] >= 0 and one.place not in graph.invalid]
    spaces = Counter(_space(one) for one in found)
    space = "pull request" if heads or not spaces else min(spaces, key=lambda name: (-spaces[name], name))
    told = Counter(one.told for one in found if one.told and _space(one) == space)
    own = repo.lower() if repo.lower() in told else min(told, key=lambda name: (-told[name], name), default=None)
    names = {own, *_former_names(graph, [one for one in found if _space(one) == space], own)}
    trailed = {one.place for one in found if one.told and one.told in names and _is_trailer(one)}
    kept = []
    for one in found:
        if _space(one) != space:
            refused.elsewhere[_space(one)] += 1
        elif one.told and one.told not in names:
            refused.elsewhere[one.told] += 1
        elif _is_trailer(one) or one.is_merge or one.place not in trailed:
            kept.append(one)
    kept = _without_imported(graph, kept, refused)
    by_number: dict[int, list[Landing]] = defaultdict(list)
    for one in _without_other_numbers(graph, kept, heads, refused):
        by_number[one.number].append(one)
    return by_number, refused


def _former_names(graph: Graph, found: Iterable[Landing], own: str | None) -> set[str]:
    """Return the names that a repository had before: all their numbers and commits come before its own."""
    numbers: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for one in found:
        if one.told:
            numbers[one.told].append((one.number, graph.brought[one.place]))
    own_first = [min(parts) for parts in zip(*numbers.get(own or "", ()), strict=True)]
    return {
        name
        for name, pairs in numbers.items()
        if own_first and all(number < own_first[0] and position < own_first[1] for number, position in pairs)
    }


def _space(landing: Landing) -> str:
    return landing.convention.space if landing.convention else "pull request"


def _is_trailer(landing: Landing) -> bool:
    return landing.convention is not None and landing.convention.is_trailer


def _is_weak(landing: Landing) -> bool:
    return landing.convention is not None and landing.convention.is_weak


def _without_imported(graph: Graph, found: list[Landing], refused: Refused) -> list[Landing]:
    """Leave out numbers in commits with another root than the default branch: they are another repository's."""
    if not found:
        return found
    related = graph.related()
    own = {one.number for one in found if related[one.place]}
    other = {one.number for one in found if not related[one.place]}
    if len(other) > _OWN_PAST * len(own):
        return found
    refused.imported = sorted(other)
    return [one for one in found if related[one.place]]


def _without_other_numbers(
    graph: Graph, found: list[Landing], heads: Mapping[int, int], refused: Refused
) -> Iterator[Landing]:
    """Leave out numbers that stand behind subjects alone and must be an issue's or a bug tracker's.

    An issue's: at least half of all numbers that are named have a head ref, and this one has none, although heads were
    fetched that are newer, or have larger numbers. A bug tracker's: it is more than 10,000 and ten times the largest
    number that a head or a merge proves, and more than 10,000 and fifty times as many numbers as are named.
    """
    named = {one.number for one in found}
    proved = {one.number for one in found if one.is_merge or not _is_weak(one)} | heads.keys()
    limit = _ALWAYS_POSSIBLE + max(_TIMES_PROVED * max(proved, default=0), _TIMES_NAMED * len(named))
    fetched = bool(heads) and len(named & heads.keys()) * 2 >= len(named)
    newest = max((graph.committed[place] for place in heads.values()), default=0)
    largest = max(heads, default=0)
    issues, bugs = set(), set()
    for one in found:
        if one.number in proved:
            yield one
        elif fetched and (one.number < largest or graph.committed[one.place] <= newest):
            issues.add(one.number)
        elif one.number > limit:
            bugs.add(one.number)
        else:
            yield one
    refused.issues, refused.bugs = sorted(issues), sorted(bugs)


def plans(graph: Graph, told: Told) -> Iterator[Plan]:
    """Yield every pull request, by number."""
    merges = _merges_of(graph, told.heads)
    for number in sorted(told.heads.keys() | told.landings.keys()):
        named = sorted(told.landings.get(number, ()), key=lambda one: _preference(graph, one))
        if number in told.heads:
            yield _fetched(graph, number, told, named, merges.get(told.heads[number], []))
        elif named:
            yield _named(graph, number, named)


def _preference(graph: Graph, landing: Landing) -> tuple[bool, bool, int, tuple[int, int, bytes]]:
    """Return the sort key of a landing: first-parent commits before others, merges before others, then in order."""
    is_mainline = graph.is_mainline(landing.place)
    position = graph.brought[landing.place] if is_mainline else 0
    return not is_mainline, not landing.is_merge, position, graph.by_time(landing.place)


def _merges_of(graph: Graph, heads: Mapping[int, int]) -> dict[int, list[int]]:
    """Return for each head the merges of the default branch that have it as a parent other than the first, in order."""
    wanted = set(heads.values())
    found: dict[int, list[int]] = defaultdict(list)
    for place, parents in enumerate(graph.parents):
        if len(parents) > 1 and graph.brought[place] >= 0:
            for parent in wanted.intersection(parents[1:]):
                found[parent].append(place)
    for places in found.values():
        places.sort(key=lambda place: (graph.brought[place], graph.by_time(place)))
    return found


def _together(graph: Graph, chosen: Landing, named: Sequence[Landing]) -> list[Landing]:
    """Return the commits that landed as one: those with the same trailer, each within a day of the one before."""
    found = [chosen]
    if _is_trailer(chosen) and not chosen.is_merge:
        is_mainline = graph.is_mainline(chosen.place)
        for one in named:
            gap = graph.committed[one.place] - graph.committed[found[-1].place]
            if (
                one.place != found[-1].place
                and one.convention == chosen.convention
                and not one.is_merge
                and graph.is_mainline(one.place) == is_mainline
                and 0 <= gap <= _DAY
            ):
                found.append(one)
    return found


def _named(graph: Graph, number: int, named: list[Landing]) -> Plan:
    """Return a pull request that only messages tell of: what the merge brought, or else the commits that name it."""
    chosen = named[0]
    if not chosen.is_merge:
        landed = [one.place for one in _together(graph, chosen, named)]
        return _plan(graph, number, landed, landed, landed[-1], chosen, _in_pieces(graph, landed))
    commits, changes = _brought(graph, chosen, ())
    if not commits:
        commits, changes = [chosen.place], [(graph.parents[chosen.place][0], chosen.place)]
    return _plan(graph, number, commits, [chosen.place], chosen.place, chosen, changes)


def _in_pieces(graph: Graph, commits: Iterable[int]) -> list[tuple[int, int]]:
    """Return the changes of commits, as few as there are pieces without a gap."""
    changes: list[tuple[int, int]] = []
    for place in sorted(commits, key=lambda place: (graph.generations[place], graph.by_time(place))):
        before = graph.parents[place][0] if graph.parents[place] else -1
        if changes and changes[-1][1] == before:
            changes[-1] = (changes[-1][0], place)
        else:
            changes.append((before, place))
    return changes


def _brought(graph: Graph, merge: Landing, others: Iterable[int]) -> tuple[list[int], list[tuple[int, int]]]:
    """Return what a merge brought by all its parents but the first and `others`: commits, and changes by parent."""
    parents = graph.parents[merge.place]
    heads = parents[1:] if merge.parent is None else parents[merge.parent : merge.parent + 1]
    seen: dict[int, None] = {}
    changes = []
    for head in heads:
        if head not in others:
            part = [place for place in graph.landed_by(head, merge.place) if place not in seen]
            if part:
                changes.append((graph.fork(part), head))
                seen.update(dict.fromkeys(part))
    return list(seen), changes


def _fetched(graph: Graph, number: int, told: Told, named: list[Landing], merges: list[int]) -> Plan:
    """Return a pull request whose head ref is there: its commits are those that were new when it landed, or are now.

    It landed by the merge that has its head as a parent; else by the first commit that names it; else, where the
    branch holds the head, by the commit that brought it.
    """
    head = told.heads[number]
    is_in = graph.brought[head] >= 0
    through = graph.mainline[graph.brought[head]] if is_in else None
    names = {one.place: one for one in named}
    merge = next((place for place in merges if place in names), None)
    if merge is None:
        merge = next((place for place in merges if graph.is_mainline(place)), None)
    if merge is None and is_in:
        brought = graph.brought[head]
        merge = next((one.place for one in named if one.is_merge and graph.brought[one.place] == brought), None)
    chosen = names.get(merge) if merge is not None else None
    merged_by: int | None
    ends_in: int | None
    if merge is not None:
        landed, merged_by, ends_in = [merge], merge, merge
    else:
        commits = graph.landed_by(head, through) if through is not None else graph.unmerged(head)
        valid = [place for place in commits if place not in graph.invalid]
        begun = min((min(graph.authored[place], graph.committed[place]) for place in valid), default=0)
        # A landing long before the pull request is of another repository whose history was imported: numbers clash.
        named = [one for one in named if graph.committed[one.place] >= begun - _MONTH]
        chosen = named[0] if named else None
        landed = [one.place for one in _together(graph, chosen, named)] if chosen else []
        merged_by = landed[-1] if landed else through
        by_itself = is_in and head in landed
        ends_in = head if by_itself else through if is_in else landed[0] if landed else None
    if ends_in is None or (not is_in and not graph.is_mainline(ends_in)):
        commits = graph.unmerged(head)
    else:
        commits = graph.landed_by(head, ends_in)
        if not commits and through is not None:
            commits = graph.landed_by(head, through)
    changes = [(graph.fork(commits), head)]
    if chosen is not None and merge is not None and len(graph.parents[merge]) > 2 and chosen.parent is None:  # noqa: PLR2004 - an octopus
        more, their = _brought(graph, chosen, set(told.heads.values()))
        commits = array("i", dict.fromkeys([*commits, *more]))
        changes += their
    otherwise = "open" if told.mergeable is None or number in told.mergeable else "closed"
    return _plan(graph, number, commits, landed, merged_by, chosen, changes, f"pr-{number}", otherwise)


def _plan(  # noqa: PLR0913, PLR0917 - a plan has as many parts
    graph: Graph,
    number: int,
    commits: Iterable[int],
    landed: Iterable[int],
    merged_by: int | None,
    chosen: Landing | None,
    changes: Iterable[tuple[int, int]],
    head_ref: str | None = None,
    otherwise: str = "closed",
) -> Plan:
    return Plan(
        number=number,
        state=otherwise if merged_by is None else "merged",
        commits=array("i", sorted(commits, key=graph.by_time)),
        landed=tuple(sorted(landed, key=graph.by_time)),
        merged_by=merged_by,
        title=(chosen.title if chosen else None) or None,
        head_ref=(chosen.branch if chosen else None) or head_ref,
        changes=tuple(changes),
        chosen=chosen,
    )


def created(graph: Graph, made: Sequence[Plan]) -> dict[int, int]:
    """Return the second in which each pull request was created, by number; `made` is sorted by number.

    It is its first commit's author time, but not after it was merged (or after its newest commit). Numbers are given
    in order: where the number before was created more than 30 days later, and so was the next one that is not as old,
    the author's clock or the patch is old, and the time of the number before is taken.
    """
    ends, first = [], []
    for plan in made:
        valid = [place for place in plan.commits if place not in graph.invalid]
        newest = max((graph.committed[place] for place in valid), default=0)
        ends.append(newest if plan.merged_by is None else graph.committed[plan.merged_by])
        first.append(min(min((graph.authored[place] for place in valid), default=0), ends[-1]))
    found: list[int] = []
    for place, own in enumerate(first):
        before = found[-1] if found else own
        after = first[place + 1 : place + 1 + _NEIGHBOURS]
        near = next((second for second in after if second >= before - _MONTH), None)
        is_old = own < before - _MONTH and (not after or (near is not None and own < near - _MONTH))
        found.append(max(own, min(before, ends[place])) if is_old else own)
    return {plan.number: second for plan, second in zip(made, found, strict=True)}

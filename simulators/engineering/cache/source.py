"""The source `cache`: pull requests as the seed system's cache files hold them.

A file is decoded entry by entry and given back before the next one is opened, so that memory holds one file's bytes
and one pull request's facts, however many there are.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec import Struct

from seedjournal.journal import BadInput, Unavailable

from ..facts import (
    Identifier,
    Instant,
    LooseCommit,
    PullRequest,
    Repository,
    Skipped,
    repository,
)
from ..times import ImpossibleTimes
from .entry import NUL, WrongField, read_entry, replace_half_pairs, wrong_field
from .facts import pull_request
from .files import find, read, repository_of, shown

LARGEST = 1 << 30


class _File(Struct, frozen=True, kw_only=True):
    """The top level of a file; its entries stay undecoded."""

    repo: str
    fetched_at: Instant | None = None
    since_date: date | None = None
    repo_pushed_at: Instant | None = None
    prs: list[msgspec.Raw]


class _Numbered(Struct, frozen=True, gc=False):
    """Only the number of an entry, whatever else is wrong with it."""

    number: Identifier | None = None


class _Opened(NamedTuple):
    """A file that was read: its repository, its entries, and what a NUL in a text of it stands for."""

    repo: Repository
    entries: list[msgspec.Raw]
    suspect: str


class _Identity(NamedTuple):
    """What a file's facts depend on."""

    repo: Repository
    sha256: str


_FILE = msgspec.json.Decoder(_File)
_NUMBER = msgspec.json.Decoder(_Numbered)


class CacheSource:
    """Pull requests from a cache file, or from every cache file below a folder.

    An entry that cannot be right is a BadInput that names file, entry and field. With `skip_invalid` such entries are
    left out and listed in `skipped`; what is wrong with a whole file stays an error. Impossible times are None, and
    reported; with `strict` they are a BadInput at the end of the first reading. `repos` names those of a folder's
    repositories that are wanted; none means all. `others` are those that the folder holds besides, `missing` those
    that it does not hold, which is BadInput with `needs_all`, or where it holds none of them. `largest` bounds the
    bytes of JSON that one file may hold, decompressed.

    A file that changes between two readings is refused: one run must not be made of two contents.
    """

    def __init__(
        self,
        path: Path,
        *,
        repos: Sequence[str] = (),
        needs_all: bool = False,
        skip_invalid: bool = False,
        strict: bool = False,
        largest: int = LARGEST,
    ) -> None:
        self._files, others, self.missing = find(path, repos, needs_all=needs_all)
        self.others = tuple(map(repository_of, others))
        self._skip_invalid = skip_invalid
        self._strict = strict
        self._impossible = ImpossibleTimes()
        self._largest = largest
        self._identities: dict[Path, _Identity] = {}
        self._holders: dict[str, Path] = {}
        self._skipped: dict[tuple[Path, int], Skipped] = {}

    @property
    def name(self) -> str:
        """The source's name, for people and for the run's inputs."""
        return "cache"

    @property
    def repositories(self) -> tuple[Repository, ...]:
        """The repositories whose files there are, sorted; reads the files that were not read yet."""
        return tuple(sorted(identity.repo for identity in self._all_identities()))

    @property
    def versions(self) -> dict[str, str]:
        """None: no tool outside Python reads these files."""
        return {}

    @property
    def skipped(self) -> list[Skipped]:
        """What was left out so far, in the order of the files and of their entries."""
        return [self._skipped[place] for place in sorted(self._skipped)]

    def notices(self) -> list[str]:
        """Return a sentence about the impossible times that the last reading found, if any."""
        return self._impossible.notices()

    def digest(self) -> str:
        """Return the SHA-256 over the repositories and the decompressed bytes of their files.

        Moving, renaming or recompressing files changes nothing. Leaving out invalid entries does: where some are, the
        same bytes are an error without it.
        """
        lines = sorted(f"{repo} {sha256}" for repo, sha256 in self._all_identities())
        rule = "valid entries" if self._skip_invalid else "all entries"
        return hashlib.sha256("\n".join(("seedjournal:cache:1", rule, *lines)).encode()).hexdigest()

    def pull_requests(self) -> Iterator[PullRequest]:
        """Yield every pull request, in the order of the files and of their entries."""
        self._impossible = ImpossibleTimes()
        for file in self._files:
            yield from self._pull_requests_of(file)
        if self._strict:
            self._impossible.refuse(self.name)

    def loose_commits(self) -> Iterator[LooseCommit]:
        """Yield nothing: a cache file holds commits of pull requests only."""
        return iter(())

    def _pull_requests_of(self, file: Path) -> Iterator[PullRequest]:
        opened = self._open(file)
        numbers = [_number(entry) for entry in opened.entries]
        places: defaultdict[int | None, list[int]] = defaultdict(list)
        for index, number in enumerate(numbers):
            places[number].append(index)
        for index, (number, entry) in enumerate(zip(numbers, opened.entries, strict=True)):
            try:
                if number is not None:
                    _refuse_repeated(number, index, places[number])
                fact = pull_request(read_entry(entry, opened.suspect), opened.repo, self._impossible)
            except WrongField as wrong:
                self._leave_out(file, index, number, wrong)
            else:
                yield fact

    def _leave_out(self, file: Path, index: int, number: int | None, wrong: WrongField) -> None:
        entry = f"entry {index}" if number is None else f"entry {index} (pull request {number})"
        if not self._skip_invalid:
            raise BadInput(
                f"{shown(file)}: {entry}: {wrong}",
                f"Look at it with `jq '.prs[{index}]'`. Add --skip-invalid to leave such entries out and list them.",
            ) from wrong
        self._skipped[file, index] = Skipped(file=shown(file), entry=entry, reason=str(wrong))

    def _all_identities(self) -> list[_Identity]:
        for file in self._files:
            if file not in self._identities:
                self._open(file)
        return list(self._identities.values())

    def _open(self, file: Path) -> _Opened:
        text, sha256 = read(file, self._largest)
        try:
            top, suspect = _top(text)
            repo = _repository(top)
        except WrongField as wrong:
            raise BadInput(
                f"{shown(file)}: {wrong}",
                "Correct the file. A cache file is {repo, fetched_at, since_date, prs: [...]}.",
            ) from wrong
        # GitHub takes names that differ in case only for one repository.
        holder = self._holders.setdefault(repo.lower(), file)
        if holder != file:
            raise BadInput(
                f"{shown(holder)} and {shown(file)} both hold {repo}.",
                "Keep one of the two as the repository's cache, and move the other away.",
            )
        identity = _Identity(repo, sha256)
        if self._identities.setdefault(file, identity) != identity:
            raise Unavailable(f"{shown(file)} changed while it was read.", "Record again when no program writes to it.")
        return _Opened(repo, top.prs, suspect)


def _top(text: bytearray) -> tuple[_File, str]:
    """Return a file's top level, and what a NUL in one of its texts means: empty where there can be none.

    Half a surrogate pair is the fault of one text in one entry, yet msgspec refuses the file for it, without saying
    where. Such a file is read with NULs in their place, which the search for NULs then finds by field.
    """
    suspect = "a NUL character" if NUL in text else ""
    try:
        try:
            return _FILE.decode(text), suspect
        except msgspec.ValidationError:
            raise
        except msgspec.DecodeError:
            mended = replace_half_pairs(text, NUL)
            if mended == text:
                raise
            half = "half of a surrogate pair"
            return _FILE.decode(mended), f"{suspect} or {half}" if suspect else half
    except msgspec.ValidationError as error:
        raise wrong_field(error) from error
    except (msgspec.DecodeError, ValueError) as error:
        raise WrongField("", f"is not JSON: {error}") from error
    except RecursionError as error:
        raise WrongField("", "is not JSON that can be read: it is nested too deeply") from error


def _repository(top: _File) -> Repository:
    try:
        return repository(top.repo)
    except BadInput as error:
        raise WrongField("repo", error.message) from error


def _refuse_repeated(number: int, index: int, places: list[int]) -> None:
    """Refuse every entry of a number that a file holds twice: which one to believe must not depend on their order."""
    if len(places) > 1:
        other = places[1] if places[0] == index else places[0]
        raise WrongField("number", f"{number} is also the number of entry {other}")


def _number(entry: msgspec.Raw) -> int | None:
    try:
        return _NUMBER.decode(entry).number
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None

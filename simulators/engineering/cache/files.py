"""The files of a cache: which there are, and their content, read with a bound.

Whatever is wrong here concerns a whole file, so nothing can be left out: it is an error that names the file.
"""

from __future__ import annotations

import codecs
import gzip
import hashlib
import os
import stat
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple, NoReturn

from seedjournal.journal import BadInput, Unavailable

PLAIN = ".json"
PACKED = ".json.gz"

_CHUNK = 1 << 20
_GZIP = b"\x1f\x8b"


class Content(NamedTuple):
    """A file's JSON, decompressed, and its SHA-256."""

    text: bytearray
    sha256: str


class Found(NamedTuple):
    """The cache files to read, the folder's others, and which wanted repositories have no file there."""

    files: tuple[Path, ...]
    others: tuple[Path, ...] = ()
    missing: tuple[str, ...] = ()


def find(path: Path, repos: Sequence[str] = (), *, needs_all: bool = False) -> Found:
    """Find the cache files that `path` names, sorted by their place below it.

    A file stands for itself; a folder for every `.json` and `.json.gz` below it, hidden ones left out, or for those
    of `repos` where any are named. Raises Unavailable where there is nothing to read, and BadInput for X.json beside
    X.json.gz (nobody can say which of the two counts), for a link that leads out of the folder, and where none of the
    repositories has a file, or with `needs_all` one has none.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        _unreadable(path, error)
    if not stat.S_ISDIR(mode):
        if not path.name.endswith((PLAIN, PACKED)):
            raise BadInput(f"{shown(path)} is not a cache file.", "Name it OWNER/REPO.json or OWNER/REPO.json.gz.")
        _refuse_special(path, mode)
        _refuse_twin(path, path.with_name(_other_name(path.name)))
        return Found((path,))
    files = sorted(_below(path))
    if not files:
        raise BadInput(
            f"{shown(path)} holds no cache file.",
            "Put OWNER/REPO.json or OWNER/REPO.json.gz there; hidden files do not count.",
        )
    every = files
    missing: list[str] = []
    if repos:
        files, missing = _of_repositories(files, path, repos, needs_all=needs_all)
    for file in files:
        _refuse_twin(file, file.with_name(_other_name(file.name)))
    return Found(tuple(files), tuple(file for file in every if file not in set(files)), tuple(missing))


def _of_repositories(
    files: Sequence[Path], path: Path, repos: Sequence[str], *, needs_all: bool
) -> tuple[list[Path], list[str]]:
    found: list[Path] = []
    missing: list[str] = []
    for repo in repos:
        ends = (f"/{repo}{PLAIN}".lower(), f"/{repo}{PACKED}".lower())
        own = [file for file in files if f"/{file.as_posix()}".lower().endswith(ends)]
        if not own:
            missing.append(repo)
        found += own
    if missing and (needs_all or not found):
        raise BadInput(
            f"{shown(path)} holds no cache file of {missing[0]}.",
            f"Put {missing[0]}{PACKED} there, or change the project's setting `repos`, for example with "
            f"`--set repos={repository_of(files[0])}`.",
        )
    return sorted(found), missing


def repository_of(file: Path) -> str:
    """Return the repository that a cache file's place names."""
    return f"{file.parent.name}/{file.name.removesuffix(PACKED).removesuffix(PLAIN)}"


def read(file: Path, largest: int) -> Content:
    """Return the file's JSON, at most `largest` bytes of it.

    Raises BadInput where it is longer, is no gzip, breaks off, or is not UTF-8; Unavailable where it cannot be opened.
    """
    try:
        with file.open("rb") as stream:
            if not file.name.endswith(PACKED):
                return _read(stream, file, largest)
            with gzip.GzipFile(fileobj=stream) as unpacked:
                return _read(unpacked, file, largest)
    except EOFError as error:
        raise BadInput(f"{shown(file)} ends too early: {error}", "Fetch or copy the file again.") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise BadInput(
            f"{shown(file)} is not a gzip file, or is damaged: {error}",
            "Fetch or copy the file again. Name it .json if it was never compressed.",
        ) from error
    except OSError as error:
        _unreadable(file, error)


def shown(path: Path) -> str:
    """Return a path as messages print it, whatever bytes its name has."""
    return str(path).encode("utf-8", "backslashreplace").decode()


def _read(stream: BinaryIO | gzip.GzipFile, file: Path, largest: int) -> Content:
    text = bytearray()
    decoder = codecs.getincrementaldecoder("utf-8")()
    sha256 = hashlib.sha256()
    chunk = b"-"
    while chunk:
        chunk = stream.read(_CHUNK)
        if len(text) + len(chunk) > largest:
            raise BadInput(
                f"{shown(file)} holds more than {_size(largest)} of JSON.",
                "Check where the file comes from. The setting max_cache_mb allows a larger one.",
            )
        pending = len(decoder.getstate()[0])
        try:
            decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            _not_utf8(file, text, len(text) - pending + error.start, error)
        sha256.update(chunk)
        text += chunk
    return Content(text, sha256.hexdigest())


def _size(count: int) -> str:
    return f"{count >> 20:,} MB" if count >= 1 << 20 else f"{count:,} bytes"


def _not_utf8(file: Path, text: bytearray, place: int, error: UnicodeDecodeError) -> NoReturn:
    packed = text.startswith(_GZIP) or (not text and error.object.startswith(_GZIP))
    hint = "It looks compressed: name it .json.gz." if packed else "Write the file as UTF-8."
    raise BadInput(f"{shown(file)} is not UTF-8 at byte {place}: {error.reason}", hint) from error


def _below(folder: Path) -> list[Path]:
    inside = os.path.realpath(folder)
    files = []
    for place, folders, names in os.walk(folder, onerror=lambda error: _unreadable(Path(error.filename), error)):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in folders:
            _refuse_leading_out(Path(place, name), inside)  # one that leads inside is found where it leads to
        for name in sorted(names):
            if name.endswith((PLAIN, PACKED)) and not name.startswith("."):
                file = Path(place, name)
                _refuse_leading_out(file, inside)
                try:
                    _refuse_special(file, file.stat().st_mode)
                except OSError as error:
                    _unreadable(file, error)
                files.append(file)
    return files


def _other_name(name: str) -> str:
    return name.removesuffix(".gz") if name.endswith(PACKED) else f"{name}.gz"


def _refuse_twin(file: Path, other: Path) -> None:
    if os.path.lexists(other):
        first, second = sorted((file.name, other.name))
        raise BadInput(
            f"{shown(file.parent)} holds two files of one repository: {first} and {second}.",
            "Keep one of the two as the repository's cache, and move the other away.",
        )


def _refuse_special(file: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):  # a pipe cannot be read twice
        raise BadInput(f"{shown(file)} is not a regular file.", "Write its content into a file first.")


def _refuse_leading_out(path: Path, inside: str) -> None:
    if not path.is_symlink():
        return
    try:
        target = os.path.realpath(path, strict=True)
    except OSError as error:
        _unreadable(path, error)
    if not Path(target).is_relative_to(inside):
        raise BadInput(
            f"{shown(path)} is a link that leads out of the cache folder.",
            "Put the file itself there, or name the folder that holds it.",
        )


def _unreadable(path: Path, error: OSError | ValueError) -> NoReturn:
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    raise Unavailable(f"{shown(path)} cannot be read: {reason}", "Check the path and its permissions.") from error

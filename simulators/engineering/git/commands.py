"""The edge to git: running it, finding a clone, keeping a mirror of a remote one.

Nothing of the machine or of the repository may change what git says or make it run a program. So git gets an
environment of its own, and history is read through a private, empty repository that borrows only the clone's objects:
the clone's configuration, attributes, hooks, grafts, replacements, commit graph and promised remotes are simply not
there.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple
from urllib.parse import unquote, urlsplit

from seedjournal.journal import BadInput, Unavailable

from ... import locks

_TRANSPORTS = ("file", "git", "http", "https", "ssh")
_PLAIN = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_PAGER": "cat",
    "LC_ALL": "C",
    "TZ": "UTC",
}
# What git needs of the caller's environment: here its programs, and for a remote also keys, certificates and proxies.
_KEPT = ("PATH", "LD_LIBRARY_PATH", "TMPDIR")
_KEPT_FOR_REMOTES = (
    *("HOME", "USER", "LOGNAME", "SSH_AUTH_SOCK", "GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSH_VARIANT"),
    *(
        "http_proxy",
        "https_proxy",
        "HTTPS_PROXY",
        "all_proxy",
        "ALL_PROXY",
        "no_proxy",
        "NO_PROXY",
        "GIT_PROXY_COMMAND",
    ),
    *(
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "CURL_CA_BUNDLE",
        "GIT_SSL_CAINFO",
        "GIT_SSL_CAPATH",
        "GIT_SSL_CERT",
        "GIT_SSL_KEY",
    ),
    *("GIT_SSL_NO_VERIFY", "GIT_ASKPASS", "SSH_ASKPASS"),
)
_SAFE = (
    *("-c", "safe.directory=*", "-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}"),
    *("-c", f"core.attributesFile={os.devnull}", "-c", "core.quotePath=false", "-c", "log.showSignature=false"),
)
_REFSPECS = tuple(
    f"+{refs}:{refs}"
    for refs in (
        *("refs/heads/*", "refs/pull/*/head", "refs/pull/*/merge"),
        *("refs/merge-requests/*/head", "refs/pull-requests/*/from"),
    )
)
_HELPER = (
    '!f() { test "$1" = get && printf "username=%s\\npassword=%s\\n" "$SEEDJOURNAL_USER" "$SEEDJOURNAL_SECRET"; }; f'
)
_SILENCE = 120  # seconds after which who says nothing is given up: a clone that is asked, a server that is fetched from
_MEMORY = 2 << 30  # bytes that one git may hold: trees can be written that unfold without end
_INCOMPLETE = "Check with `git fsck` whether the clone is complete. `git fetch --refetch` completes a partial clone."


class Address(NamedTuple):
    """A remote repository. `url` is what git is given and `shown` what people are; neither holds a password."""

    url: str
    shown: str
    user: str | None = None
    secret: str | None = None


class Ref(NamedTuple):
    """A ref of a clone that names a commit; `target` is the ref behind a symbolic one, or empty."""

    commit: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Clone:
    """A clone as it was when it was opened: where its objects lie, its refs, and what HEAD was."""

    objects: Path
    object_format: str
    refs: Mapping[str, Ref]
    branch: str | None
    detached: str | None
    remote: str
    origin: str | None


def version() -> str:
    """Return the version of git, such as `2.39.5`."""
    answer = _run(["version"], _environment())
    found = re.match(r"git version (\S+)", answer)
    return found[1] if found else "unknown"


def address(location: str) -> Address | None:
    """Return the remote repository that a location names, or None for a path; raise BadInput where it is refused."""
    hint = "Give a folder, an address with https, http, ssh, git or file, or host:path."
    if not location or location.startswith("-") or any(ord(character) < ord(" ") for character in location):
        raise BadInput(f"{scrubbed(location)!r} is neither a folder nor an address of a repository.", hint)
    scheme = re.match(r"([A-Za-z0-9][A-Za-z0-9+.-]*):(:|//)", location)
    if scheme and (scheme[2] == ":" or scheme[1].lower() not in _TRANSPORTS):
        raise BadInput(f"Git's transport {scheme[1]!r} is not allowed.", hint)
    if not scheme:
        remote = re.match(r"(?:[^/@:\s]+@)?([^/:@\s-][^/:@\s]*):.", location)
        return Address(location, location.rpartition("@")[2]) if remote and not Path(location).exists() else None
    shown = scrubbed(location)
    try:
        parts = urlsplit(location)
        user, secret, host = parts.username, parts.password, parts.netloc.rpartition("@")[2]
    except ValueError as problem:
        raise BadInput(f"{shown!r} is not an address.", hint) from problem
    if parts.query or parts.fragment:  # it may be a token, and git's arguments are for all to see
        raise BadInput(
            f"{shown} has something after ? or #.", "Leave it out. A user name and a password come before the host."
        )
    if parts.scheme == "ssh":
        return Address(parts._replace(netloc=f"{user}@{host}" if user else host).geturl(), shown)
    bare = parts._replace(netloc=host).geturl()
    if user is None or parts.scheme not in {"http", "https"}:
        return Address(bare, shown)
    user, secret = unquote(user), unquote(secret or "")
    if any(ord(character) < ord(" ") for character in user + secret):
        raise BadInput(f"The user name or password for {shown} holds a control character.", hint)
    return Address(bare, shown, user, secret)


def scrubbed(text: str) -> str:
    """Return the text without what may be secret in addresses: user names, passwords, queries."""
    return re.sub(r"([A-Za-z][A-Za-z0-9+.-]{0,30}://)(?:[^/\s'\"]*@)?([^\s'\"?#]*)(?:[?#][^\s'\"]*)?", r"\1\2", text)


def mirror(remote: Address, cache: Path) -> Path:
    """Return the folder of an up-to-date bare clone of a remote's branches and pull requests; raise Unavailable.

    A second process waits. An unfinished clone has another name, and the next process removes it.
    """
    safe = re.sub(r"[^A-Za-z0-9._-]+", "-", remote.shown.partition("://")[2] or remote.shown).strip("-.")[-80:]
    folder = cache / "git" / f"{safe}-{hashlib.sha256(remote.url.encode()).hexdigest()[:12]}.git"
    try:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with folder.with_suffix(".lock").open("wb") as lock:
            locks.lock(lock)
            unfinished = folder.with_suffix(".new")
            shutil.rmtree(unfinished, ignore_errors=True)
            if folder.is_dir():
                _fetch(remote, folder)
                return folder
            try:
                _run(["init", "--quiet", "--bare", "--template=", "--", str(unfinished)], _environment())
                _fetch(remote, unfinished)
                unfinished.rename(folder)
            finally:
                shutil.rmtree(unfinished, ignore_errors=True)
    except OSError as problem:
        hint = "Name another folder for clones with the variable SEEDJOURNAL_CACHE."
        raise Unavailable(f"{folder.parent} cannot hold a clone: {problem.strerror}", hint) from problem
    return folder


def opened(folder: Path, shown: str) -> Clone:
    """Return the clone in this folder, not in one above it; raise BadInput if there is none or it is shallow."""
    place = folder.resolve()
    if not place.is_dir():
        raise BadInput(f"{shown} is not a folder.", "Give the folder of a clone, or an address.")
    environment = _environment({"GIT_CEILING_DIRECTORIES": str(place.parent), "GIT_ALLOW_PROTOCOL": ""})

    def ask(*arguments: str) -> str:
        return _run(["-C", str(place), *_SAFE, *arguments], environment, f"{shown} cannot be read as a git repository")

    def maybe(*arguments: str) -> str | None:
        done = _completed(["-C", str(place), *_SAFE, *arguments], environment, _SILENCE)
        return os.fsdecode(done.stdout).removesuffix("\n") if done.returncode == 0 else None

    described = ask(
        *(
            "rev-parse",
            "--path-format=absolute",
            "--git-path",
            "objects",
            "--show-object-format",
            "--is-shallow-repository",
        )
    ).split("\n")[:-1]
    if described[-1] == "true":
        raise BadInput(
            f"{shown} is a shallow clone: its history is cut off.", "Complete it with `git fetch --unshallow`."
        )
    listed = "--format=%(objecttype) %(objectname) %(refname) %(symref)"
    refs = {}
    answer = ask("for-each-ref", listed)
    for line in answer.split("\n")[:-1]:  # names may hold what else ends a line
        kind, commit, name, target = line.split(" ")
        if kind == "commit" or name.startswith("refs/tags/"):
            refs[name] = Ref(commit, target)
    remotes = {name.split("/")[2] for name in refs if name.startswith("refs/remotes/")} - {"pull"}  # of CI's checkouts
    remote = remotes.pop() if len(remotes) == 1 and all(map(str.isprintable, remotes)) else "origin"
    return Clone(
        objects=Path("\n".join(described[:-2])),
        object_format=described[-2],
        refs=refs,
        branch=maybe("symbolic-ref", "--quiet", "HEAD"),
        detached=maybe("rev-parse", "--quiet", "--verify", "HEAD^{commit}"),
        remote=remote,
        origin=maybe("config", "--get", f"remote.{remote}.url"),
    )


@contextmanager
def reading(clone: Clone) -> Iterator[Mapping[str, str]]:
    """Yield the environment for reading a clone's objects and nothing else of it."""
    with tempfile.TemporaryDirectory(prefix="seedjournal-git-") as name:
        folder = Path(name)
        for part in ("objects", "refs"):
            (folder / part).mkdir()
        (folder / "HEAD").write_text("ref: refs/heads/none\n", encoding="ascii")
        (folder / "config").write_text(
            f"[core]\n repositoryformatversion = 1\n bare = true\n commitGraph = false\n bigFileThreshold = 512m\n"
            f"[extensions]\n objectFormat = {clone.object_format}\n",
            encoding="ascii",
        )
        git_dir = {"GIT_DIR": name, "GIT_OBJECT_DIRECTORY": str(clone.objects), "GIT_ALLOW_PROTOCOL": ""}
        yield _environment(git_dir)


@contextmanager
def pipe(
    arguments: Iterable[str], lines: IO[bytes], environment: Mapping[str, str], subject: str
) -> Iterator[IO[bytes]]:
    """Yield what git prints, as a stream, when it is fed a file; raise BadInput at the end if git failed.

    A reader that leaves early ends git. The input is a file, so that no full pipe can stop both.
    """
    lines.seek(0)
    with tempfile.TemporaryFile() as complaints:
        process = _started(arguments, environment, lines, complaints)
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        finished = False
        try:
            yield process.stdout
            finished = not process.stdout.read(1)
        finally:
            if not finished:
                process.kill()
            process.stdout.close()
            code = process.wait()
        complaints.seek(0)
        if finished and code != 0:
            raise BadInput(f"{subject}: {_complaint(complaints.read())}", _INCOMPLETE)


def print_to(
    output: IO[bytes], arguments: Iterable[str], lines: bytes, environment: Mapping[str, str], subject: str
) -> None:
    """Write what git prints to a file, when it is fed these lines; raises BadInput where git failed."""
    with tempfile.TemporaryFile() as fed:
        fed.write(lines)
        with pipe(arguments, fed, environment, subject) as printed:
            shutil.copyfileobj(printed, output, 1 << 20)


def _fetch(remote: Address, folder: Path) -> None:
    """Make a mirror's branches, pull requests and HEAD those of the remote. Objects that are no more named stay."""
    kept = {name: os.environ[name] for name in _KEPT_FOR_REMOTES if name in os.environ}
    environment = _environment(kept | {"GIT_ALLOW_PROTOCOL": ":".join(_TRANSPORTS)})
    if not {"GIT_SSH", "GIT_SSH_COMMAND"} & environment.keys():
        patience = f"-oConnectTimeout={_SILENCE} -oServerAliveInterval={_SILENCE}"
        environment["GIT_SSH_COMMAND"] = f"ssh -oBatchMode=yes {patience}"
    if remote.user is not None:
        # Asked for when the server wants it, by this server alone: never an argument of any process.
        host = urlsplit(remote.url)
        environment |= {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"credential.{host.scheme}://{host.netloc}.helper",
            "GIT_CONFIG_VALUE_0": _HELPER,
            "SEEDJOURNAL_USER": remote.user,
            "SEEDJOURNAL_SECRET": remote.secret or "",
        }
    here = [f"--git-dir={folder}", *_SAFE, "-c", "gc.autoDetach=false", "-c", "maintenance.autoDetach=false"]
    here += ["-c", "http.lowSpeedLimit=1", "-c", f"http.lowSpeedTime={_SILENCE}"]
    failing = f"{remote.shown} cannot be fetched"
    fetch = ("fetch", "--quiet", "--prune", "--force", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head")
    _run([*here, *fetch, "--", remote.url, *_REFSPECS], environment, failing, remote)
    told = _run([*here, "ls-remote", "--symref", "--", remote.url, "HEAD"], environment, failing, remote)
    head = re.match(r"ref: (refs/heads/\S+)\tHEAD$", told, re.MULTILINE)
    if head:
        _run([*here, "symbolic-ref", "HEAD", head[1]], environment, failing, remote)


def _environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    return {name: os.environ[name] for name in _KEPT if name in os.environ} | _PLAIN | dict(more or {})


def _started(
    arguments: Iterable[str], environment: Mapping[str, str], fed: IO[bytes] | int, complaints: IO[bytes] | int
) -> subprocess.Popen[bytes]:
    command = ["git", "--no-pager", *arguments]
    try:
        process = subprocess.Popen(  # noqa: S603 - no shell, and every argument is ours or comes after `--`
            command, env=environment, stdin=fed, stdout=subprocess.PIPE, stderr=complaints
        )
    except FileNotFoundError as problem:
        raise Unavailable("Git is not installed.", "Install git, or use another source.") from problem
    except OSError as problem:
        raise Unavailable(f"Git cannot be run: {problem.strerror}", "Check how git is installed.") from problem
    locks.limit_data(process.pid, _MEMORY)
    return process


def _completed(
    arguments: Iterable[str], environment: Mapping[str, str], patience: float | None = None
) -> subprocess.CompletedProcess[bytes]:
    with _started(arguments, environment, subprocess.DEVNULL, subprocess.PIPE) as process:
        try:
            out, err = process.communicate(timeout=patience)
        except subprocess.TimeoutExpired as problem:
            process.kill()
            raise BadInput(
                f"Git gave no answer for {patience} s.", "Check that everything in the clone is a regular file."
            ) from problem
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess([], process.returncode, out, err)


def _run(
    arguments: Iterable[str], environment: Mapping[str, str], failing: str = "git failed", remote: Address | None = None
) -> str:
    """Return what git prints. If it fails, raise BadInput for a local clone and Unavailable for a remote."""
    done = _completed(arguments, environment, None if remote else _SILENCE)
    if done.returncode == 0:
        return os.fsdecode(done.stdout)
    complaint = _complaint(done.stderr)
    if remote is None:
        raise BadInput(f"{failing}: {complaint}", "Give the folder of a clone, or an address.")
    for secret in {remote.user, remote.secret} - {None, ""}:
        complaint = complaint.replace(str(secret), "…")
    raise Unavailable(f"{failing}: {complaint}", "Check the address, the network and your rights.")


def _complaint(printed: bytes) -> str:
    """Return git's own words: the first line, and the one that says what was fatal."""
    lines = [line.strip() for line in scrubbed(printed.decode(errors="replace")).splitlines() if line.strip()]
    fatal = next((line for line in lines if line.startswith("fatal:")), None)
    chosen = dict.fromkeys(line for line in (lines[0] if lines else None, fatal) if line)
    return "; ".join(chosen) or "git says nothing"

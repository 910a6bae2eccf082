"""A commit object as it is read: times, texts in whatever encoding, and people, by a `.mailmap` where there is one."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import takewhile
from typing import NamedTuple

from ..facts import Person

_LAST_SECOND = 253_402_300_799  # 9999-12-31T23:59:59Z, the last that a datetime can tell
_TIME = re.compile(rb" *(?:(-?\d+) +[+-]\d+)?")
_NO_REPLY = re.compile(
    r"(?:(\d{1,15})\+)?([A-Za-z0-9][A-Za-z0-9_-]*(?:\[bot\])?)@users\.noreply\.github\.com", re.IGNORECASE
)
_CHARSET = re.compile(r"ascii|big5|cp\d|euc_|gb|iso8859|iso2022|johab|koi8|shift_jis|utf-(?:8|16|32)")
_REVIEWED = re.compile(r"^Reviewed-by:(.*)$", re.IGNORECASE | re.MULTILINE)
_BETWEEN = re.compile(r"\A(?:[\s,;&]|and\s)+", re.IGNORECASE)
_MAPPED = re.compile(r"([^<>]*)<([^<>]*)>(?:([^<>]*)<([^<>]*)>)?")


@dataclass(slots=True)
class Mailmap:
    """A `.mailmap`: the proper names and addresses for those in commits, and the logins of addresses."""

    named: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    addressed: dict[str, tuple[str, str]] = field(default_factory=dict)
    logins: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parsed(cls, text: str) -> Mailmap:
        """Return the map that a file's text holds; lines that are none are passed over, as git does."""
        made = cls()
        for line in text.splitlines():
            match = None if line.startswith("#") else _MAPPED.match(line)
            if match is None:
                continue
            name, proper, old_name, old = (" ".join((part or "").split()) for part in match.groups())
            if match[4] is None:
                made.addressed[proper.lower()] = (name, "")
            elif old_name:
                made.named[old_name.lower(), old.lower()] = (name, proper)
            else:
                made.addressed[old.lower()] = (name, proper)
            for address in (old, proper):
                if _NO_REPLY.fullmatch(address):
                    made.logins.setdefault(proper.lower(), address)
        return made

    def person(self, name: str, email: str) -> Person | None:
        """Return the person whom a name and an address mean."""
        email = email.strip()
        found = self.named.get((" ".join(name.split()).lower(), email.lower())) or self.addressed.get(email.lower())
        if found:
            name, email = found[0] or name, found[1] or email
        return person(name, self.logins.get(email.lower(), email))


_NOBODY_MAPPED = Mailmap()


class Read(NamedTuple):
    """A commit object as read, names in hexadecimal; `problem` names a field that cannot be right, or is empty.

    `impossible` are the times outside the years 1970 to 9999, by role; the other role's time replaces such a one, and
    it is -1 where neither is possible.
    """

    tree: bytes
    parents: tuple[bytes, ...]
    authored: int
    committed: int
    author: Person | None
    message: str
    problem: str
    impossible: Mapping[str, str]


def read(raw: bytes, mailmap: Mailmap = _NOBODY_MAPPED) -> Read:
    """Return a commit from the bytes of its object; never raises."""
    headers, _, body = raw.partition(b"\n\n")
    lines = [line.partition(b" ")[::2] for line in headers.split(b"\n")]
    # Parents count where git looks for them: right after the tree. A nameless line continues a signature.
    parents = tuple(value for _, value in takewhile(lambda line: line[0] == b"parent", lines[1:]))
    named = {name: value for name, value in reversed(lines) if name}
    charset = _charset(named.get(b"encoding", b""))
    problems = []
    impossible: dict[str, str] = {}
    times = []
    for role in (b"author", b"committer"):
        *_, time = _identity(named.get(role, b"")) or [b""]
        second = int(time) if time and len(time) <= len(str(_LAST_SECOND)) else -1
        if not 0 <= second <= _LAST_SECOND:
            written = named.get(role, b"").rpartition(b">")[2].strip().decode(errors="replace")[:60]
            if time:
                impossible[role.decode()] = written
            else:
                problems.append(f"{role.decode()} time {written!r} is not a time")
            second = -1
        times.append(second)
    authored, committed = (time if time >= 0 else max(times) for time in times)
    identity = _identity(named.get(b"author", b""))
    author = mailmap.person(text_of(identity[0], charset), text_of(identity[1], charset)) if identity else None
    message = text_of(body, charset).strip("\n")
    return Read(named.get(b"tree", b""), parents, authored, committed, author, message, "; ".join(problems), impossible)


def person(name: str, email: str) -> Person | None:
    """Return somebody by name and e-mail address, of which only a no-reply address's login and number are kept.

    An address in the name's place is not shown: only what stands before its @ is.
    """
    login = _NO_REPLY.fullmatch(email.strip())
    name = name.strip()
    if "@" in name:
        inside = _NO_REPLY.fullmatch(name)
        login = login or inside
        words = name.split()
        users = [_user(word) for word in words]
        rest = " ".join(word for word, user in zip(words, users, strict=True) if not user).strip("\"'(),;:<>- ")
        name = "" if inside else rest or next((user for user in users if user), name)
    if not login:
        return Person(name=name) if name else None
    return Person(login=login[2], name=name or None, id=int(login[1] or 0) or None)


def _user(word: str) -> str:
    """Return what stands before the @ of an e-mail address, and nothing for another word."""
    user, _, host = word.strip("\"'(),;:<>").rpartition("@")
    return user if "." in host.strip(".") else ""


def reviewers(messages: Iterable[str], mailmap: Mailmap = _NOBODY_MAPPED) -> list[Person]:
    """Return everyone whom a `Reviewed-by:` trailer names, each once, in order of first appearance.

    Two are the same where their login is, or their name where there is no login.
    """
    found: dict[tuple[bool, str], Person] = {}
    for message in messages:
        for line in _REVIEWED.findall(message):
            for who in _several(line, mailmap):
                found.setdefault((who.login is None, (who.login or who.name or "").lower()), who)
    return list(found.values())


def _several(line: str, mailmap: Mailmap) -> Iterable[Person]:
    """Yield the people of one trailer: `A <a>, B <b>`, addresses or @logins alone, or names of several words each."""
    named = []
    before, *pieces = line.split("<")
    for piece in pieces:
        email, closed, after = piece.partition(">")
        if closed:
            named.append((before.rpartition(">")[2], email))
        before = after if closed else piece
    if not named:
        line = line.partition(" #")[0].partition("<")[0]
        alone = [piece.strip() for piece in line.split(",")]
        apart = all(" " in piece or "@" in piece for piece in alone)
        named = [(piece, "") for piece in (alone if apart else [line.strip()])]
    for written, email in named:
        name = _BETWEEN.sub("", written).strip()
        if "#" in name and name.startswith(("#", "(")):
            name = name.rpartition(",")[2].strip()
        if re.fullmatch(r"@[A-Za-z0-9][A-Za-z0-9-]*", name):
            yield Person(login=name[1:])
            continue
        who = mailmap.person(name, email) or person(email.partition("@")[0], "")
        if who:
            yield who


def path_of(raw: bytes) -> str:
    r"""Return a file's name as text; bytes that are no UTF-8 are written as `\xe4`, and no two names become one.

    Where a name holds such letters itself, their backslashes are doubled.
    """
    text = raw.decode("utf-8", "surrogateescape")
    if "\\x" in text:
        text = re.sub(r"(?<!\\)(\\+)(?=x[89a-f][0-9a-f])", r"\1\1", text)
    return re.sub("(?<!\\\\)(\\\\*)([\udc80-\udcff])", _escaped, text) if not text.isascii() else text


def _escaped(match: re.Match[str]) -> str:
    return f"{match[1] * 2}\\x{ord(match[2]) - 0xDC00:02x}"


def _identity(line: bytes) -> tuple[bytes, bytes, bytes] | None:
    """Return name, address and second of `NAME <ADDRESS> SECOND ZONE`; the second may be missing, and is empty then."""
    who, closed, when = line.rpartition(b">")
    name, opened, email = who.partition(b"<")
    time = _TIME.fullmatch(when)
    return (name.rstrip(b" "), email, time[1] or b"") if opened and closed and time else None


def _charset(declared: bytes) -> str:
    """Return the encoding that a commit declares; UTF-8 where it is none that can hold a text safely."""
    try:
        name = codecs.lookup(declared.decode("ascii").strip() or "utf-8").name
    except (LookupError, ValueError):
        return "utf-8"
    return name if _CHARSET.match(name) else "utf-8"


def text_of(raw: bytes, charset: str = "utf-8") -> str:
    """Return the text of bytes; lines that are not the UTF-8 that they should be are read as cp1252."""
    try:
        text = raw.decode(charset) if charset == "utf-8" else raw.decode(charset, "replace")
    except (LookupError, ValueError):
        text = "\n".join(_line(line) for line in raw.split(b"\n"))
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def _line(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:  # five bytes are nothing in cp1252: they stay what they are in latin-1
        return "".join(bytes((byte,)).decode("cp1252", "ignore") or chr(byte) for byte in raw)

"""One query at a time to GitHub's GraphQL API: signed, bounded, and asked again where that can help.

What GitHub documents and what its answers look like in practice: a query that takes too long ends in 502, 504 or an
error inside a 200; limits come in many forms, which docs/github.md lists; a good server gives a stray 401 or 404 now
and then. Requests are serial, as GitHub advises.
"""

from __future__ import annotations

import email.utils
import random
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

import msgspec

from seedjournal.journal import Unavailable
from seedjournal.version import VERSION

from ..cache.entry import replace_half_pairs
from .server import DEFAULT, VARIABLE, Server
from .tokens import Budget, Pool, Token

if TYPE_CHECKING:
    from ssl import SSLContext

RESOURCE = "graphql"
LARGEST = 64 << 20  # bytes of one answer, unpacked

_SECONDS_TO_CONNECT = 10.0
_SECONDS_BETWEEN_BYTES = 30.0
_SECONDS_IN_ALL = 90.0  # GitHub ends a query after 10
_TRIES = 6
_TRIES_AT_SECONDARY_LIMIT = 8
_TRIES_WITH_A_TOKEN = 3  # that the server refuses: one stray 401 between good answers is no refusal
_TRIES_OF_WHAT_WAS_SEEN = 2  # of a repository that is said not to be there, after it was
_WAITS_FOR_RESETS = 8  # in a row, without an answer between them
_FIRST_PAUSE = 1.0
_PAUSE_BEFORE_LESS = 0.25
_TRIES_AT_SMALLEST = 5
_LONGEST_PAUSE = 30.0
_FIRST_SECONDARY_PAUSE = 60.0  # GitHub: "wait for at least one minute"
_LONGEST_SECONDARY_PAUSE = 900.0
_LONGEST_RETRY_AFTER = 3600
_MOST_REDIRECTS = 3
_KEPT = "What was fetched is kept; the same command goes on from there."

_OK, _UNAUTHORIZED, _FORBIDDEN, _TOO_MANY = 200, 401, 403, 429
_REDIRECTS = {301, 302, 307, 308}
_TAKES_TOO_LONG = {502, 504}
_WRONG_ADDRESS = {404, 405, 406, 410, 415}
_TOO_MUCH_TYPES = {"RESOURCE_LIMITS_EXCEEDED", "MAX_NODE_LIMIT_EXCEEDED", "TIMEOUT"}
_TOO_MUCH_WORDS = (
    "resource limits for this query exceeded",
    "something went wrong while executing your query",
    "respond to your request in time",
    "timeout",
    "timed out",
    "timedout",
)
_SECONDARY_WORDS = ("secondary rate limit", "abuse detection")
_LIMIT_WORDS = "rate limit"
LACKING_RIGHTS = frozenset(("FORBIDDEN", "INSUFFICIENT_SCOPES"))
LASTING = LACKING_RIGHTS | {"NOT_FOUND"}  # types of errors that asking again does not fix; all others are trouble
_REFUSED = re.compile(
    r"doesn't (?:exist|accept)|cannot query|unknown (?:argument|type|field)|isn't a defined|parse error|syntax error|"
    r"no such type|unexpected",
    re.IGNORECASE,
)


class Clock:
    """The machine's own clock and chance, handed in so that tests neither wait nor draw."""

    def now(self) -> datetime:
        """Return the present moment, in UTC."""
        return datetime.now(UTC)

    def elapsed(self) -> float:
        """Return the seconds since some moment; they never decrease."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    def jitter(self) -> float:
        """Return a number in [0, 1), so that many clients do not come back at once."""
        return random.random()  # noqa: S311 - no secret depends on it


class TooMuch(Exception):
    """The query asked for more than the server gives at once; it never leaves the source."""


class StaleCursor(Exception):
    """The server does not know a cursor any more; it never leaves the source."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server answered: the bytes without any token, the document in them, and the server's time.

    `errors` are those that left data; where there is no data, asking raises.
    """

    content: bytes
    data: dict[str, Any]
    errors: Sequence[Mapping[str, Any]]
    served_at: datetime


@dataclass(frozen=True, slots=True)
class _Reply:
    """A response: status, headers in lower case, body."""

    status: int
    headers: Mapping[str, str]
    content: bytes


@cache
def _authorities() -> SSLContext:
    """Return what knows the certificate authorities, which are many to read, once for all clients of a process."""
    import httpx2

    return httpx2.create_ssl_context()


class Api:
    """Asks a server, with the tokens of a pool in turn; `say` hears what is waited for, and how many seconds yet."""

    def __init__(self, server: Server, pool: Pool, *, clock: Clock | None = None) -> None:
        import httpx2

        self.pool = pool
        self.requests = 0
        self.points = 0
        self.say: Callable[[str, float], None] = lambda *_: None
        self._server = server
        self._clock = clock or Clock()
        self._has_answered = False
        self._seen: set[str] = set()  # repositories that the server gave
        self._client = httpx2.Client(
            timeout=httpx2.Timeout(_SECONDS_BETWEEN_BYTES, connect=_SECONDS_TO_CONNECT),
            headers={"User-Agent": f"seedjournal/{VERSION}", "Accept": "application/json"},
            verify=_authorities(),
            follow_redirects=False,  # a token goes to no other place than the one that was named
        )

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def ask(self, query: str, variables: Mapping[str, Any]) -> Answer:
        """Return the server's answer to a query.

        Raises TooMuch where it should be asked for less, StaleCursor for a cursor that it does not know, and
        Unavailable where asking again will not help, or did not.
        """
        body = msgspec.json.encode({"query": query, "variables": variables})
        repo = f"{variables.get('owner')}/{variables.get('name')}"
        failures = limits = used_up = 0
        while True:
            token = self._token(repo)  # each try is signed again: the turn may have changed
            try:
                reply = self._sent(token, body)
                self._note_budget(token, reply)
                self._check_status(token, reply, repo)
                answer = self._answer(token, reply)
                self._check_repository(token, answer, repo, failures)
            except _UsedUpError:
                self._use_up(token, reply, used_up)
                used_up += 1
            except _LimitedError:
                self._wait("secondary limit, again", self._secondary_pause(reply, limits))
                limits += 1
            except _NextTokenError:
                continue
            except _AgainError as failure:
                self._pause_or_give_up(failures, str(failure))
                failures += 1
            else:
                self._has_answered = True
                self.pool.accepted(token)
                return answer

    def ask_patiently(self, query: str, variables: Mapping[str, Any], tries: int = _TRIES_AT_SMALLEST) -> Answer:
        """Return what the server says to a query that asks for little; after trouble try again, with growing pauses.

        Raises TooMuch where no try helped.
        """
        for failures in range(tries - 1):
            try:
                return self.ask(query, variables)
            except TooMuch:
                self.pause(failures)
        return self.ask(query, variables)

    def pause(self, failures: int) -> None:
        """Wait before another try, longer after each failure."""
        self._clock.sleep(min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**failures) * (0.25 + self._clock.jitter() / 2))

    def _check_status(self, token: Token, reply: _Reply, repo: str) -> None:
        """Raise the error that a reply's status calls for, if any."""
        status = reply.status
        if status == _OK:
            return
        if status in _TAKES_TOO_LONG:
            raise self._too_much(f"HTTP {status}")
        if status == _UNAUTHORIZED:
            self._refuse(token, reply)
        if status in {_FORBIDDEN, _TOO_MANY}:
            self._check_limits(reply)
            if self.pool.leave_out(token, repo):
                raise _NextTokenError
            raise Unavailable(
                f"{self._server.host} forbids this request: {self._words(reply)}",
                f"Check the rights of the token from {token.origin}. {_KEPT}",
            )
        if status in _WRONG_ADDRESS and not self._has_answered:
            raise Unavailable(
                f"{self._server.graphql} is not the address of GitHub's API: HTTP {status}: {self._words(reply)}",
                f"Set {VARIABLE} to the server's address, such as https://HOST/api. Without it, seedjournal asks "
                f"{DEFAULT}.",
            )
        raise _AgainError(f"HTTP {status}: {self._words(reply)}")

    def _check_repository(self, token: Token, answer: Answer, repo: str, failures: int) -> None:
        """Raise where the repository is not there for this token: another one may see it, or it is a stray answer."""
        if not ("repository" in answer.data and answer.data["repository"] is None and answer.errors):
            self._seen.add(repo)
        elif self.pool.leave_out(token, repo):
            raise _NextTokenError
        elif repo in self._seen and failures < _TRIES_OF_WHAT_WAS_SEEN:
            raise _AgainError(f"{repo} was there, and is not")

    def _check_limits(self, reply: _Reply) -> None:
        """Raise the error for a 403 or 429 that means a limit; docs/github.md lists the forms."""
        words = reply.content[:4096].lower().decode(errors="replace")
        if any(one in words for one in _SECONDARY_WORDS):
            raise _LimitedError
        if _LIMIT_WORDS in words:
            raise _UsedUpError
        if "retry-after" in reply.headers:
            raise _LimitedError
        if reply.headers.get("x-ratelimit-remaining") == "0":
            raise _UsedUpError
        if reply.status == _TOO_MANY:
            raise _LimitedError

    def _refuse(self, token: Token, reply: _Reply) -> None:
        """Raise the error for a 401: try again, with another token if there is one; in the end remove the token."""
        if self.pool.refused(token) >= _TRIES_WITH_A_TOKEN:
            self.pool.discard(token)
            if not len(self.pool):
                raise Unavailable(
                    f"{self._server.host} refuses the token from {token.origin}: {self._words(reply)}",
                    f"Make a new token if it has expired. {_KEPT}",
                )
            raise _NextTokenError
        if len(self.pool) > 1:
            self.pool.note(token, RESOURCE, Budget(0, self._clock.now() + timedelta(seconds=_FIRST_PAUSE)))
            raise _NextTokenError
        raise _AgainError("the token was refused")

    def _answer(self, token: Token, reply: _Reply) -> Answer:
        """Return the answer in a reply of status 200."""
        content, document = _document(reply.content)
        if document is None:
            raise _AgainError("an answer that is no JSON, or not all of it")
        data, errors = document.get("data"), document.get("errors") or []
        if not isinstance(errors, list) or not all(isinstance(error, dict) for error in errors):
            raise _AgainError("an answer that is none to a query")
        self._check_errors(errors)
        if not isinstance(data, dict):
            if not errors:
                raise _AgainError("an answer without data")
            if any(_REFUSED.search(str(error.get("message"))) for error in errors):
                raise Unavailable(
                    f"{self._server.host} refuses a query: {self._words(reply)}",
                    "This may be an old GitHub Enterprise Server. Read a clone instead, with --source git:PATH.",
                )
            raise self._too_much(self._words(reply))
        if _is_without_edges(data) or (_is_missing(data) and any(is_trouble(error) for error in errors)):
            raise self._too_much(self._words(reply))
        limit = data.get("rateLimit")
        if isinstance(limit, dict) and (reset := _moment(limit.get("resetAt"))) is not None:
            self.points += int(limit.get("cost") or 0)
            self.pool.note(token, RESOURCE, Budget(int(limit.get("remaining") or 0), reset))
        served_at = _served_at(reply) or self._clock.now()
        return Answer(content=self.pool.scrubbed(content), data=data, errors=errors, served_at=served_at)

    def _check_errors(self, errors: Sequence[Mapping[str, Any]]) -> None:
        """Raise the error for errors inside a 200 that leave no data; readers deal with the others."""
        for error in errors:
            kind, words = str(error.get("type")), str(error.get("message", "")).lower()
            if any(one in words for one in _SECONDARY_WORDS):
                raise _LimitedError
            if kind.startswith("RATE_LIMIT") or _LIMIT_WORDS in words:
                raise _UsedUpError
            if kind in _TOO_MUCH_TYPES or any(one in words for one in _TOO_MUCH_WORDS):
                raise self._too_much(str(error.get("message", "")))
            if kind == "INVALID_CURSOR_ARGUMENTS" or "valid cursor" in words:
                raise StaleCursor

    def _too_much(self, reason: str) -> TooMuch:
        """Return the error to raise if less should be requested, after a moment."""
        self._clock.sleep(_PAUSE_BEFORE_LESS * (1 + self._clock.jitter()))
        return TooMuch(self._shown(reason))

    def _token(self, repo: str) -> Token:
        """Return the token whose turn it is for a repository, once there is one with points left."""
        while True:
            token = self.pool.turn(RESOURCE, self._clock.now(), repo)
            if token is not None:
                return token
            reset = self.pool.next_reset(RESOURCE, repo)
            self._wait("limit resets", max(1.0, (reset - self._clock.now()).total_seconds() + 1))

    def _wait(self, what: str, seconds: float) -> None:
        """Wait, a second at a time, and say so."""
        left = seconds
        while left > 0:
            self.say(what, left)
            self._clock.sleep(min(1.0, left))
            left -= 1.0

    def _pause_or_give_up(self, failures: int, reason: str) -> None:
        if failures >= _TRIES:
            raise Unavailable(
                f"{self._server.host} does not answer: {self._shown(reason)}",
                f"Check the network, and whether GitHub reports problems. If {VARIABLE} is set, check it. {_KEPT}",
            )
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**failures)
        self._clock.sleep(pause * (0.5 + self._clock.jitter()))

    def _secondary_pause(self, reply: _Reply, before: int) -> float:
        """Return how many seconds to wait for the secondary limit; raise Unavailable if waiting did not help."""
        if before >= _TRIES_AT_SECONDARY_LIMIT:
            raise Unavailable(f"{self._server.host} still limits requests, after several waits.", f"Try later. {_KEPT}")
        after = reply.headers.get("retry-after", "")
        until = _http_date(after)
        if until is not None:
            after = str(max(0, round((until - (_served_at(reply) or self._clock.now())).total_seconds())))
        if after.isdigit():
            return min(int(after), _LONGEST_RETRY_AFTER) + self._clock.jitter()
        pause: float = min(_LONGEST_SECONDARY_PAUSE, _FIRST_SECONDARY_PAUSE * 2**before)
        return pause * (1 + self._clock.jitter() / 2)

    def _sent(self, token: Token, body: bytes) -> _Reply:
        """Return the response to one request; follow redirects to the same server only."""
        address = self._server.graphql
        for _ in range(_MOST_REDIRECTS + 1):
            reply = self._sent_once(address, token, body)
            if reply.status not in _REDIRECTS:
                return reply
            target = urljoin(address, reply.headers.get("location", ""))
            if urlsplit(target)[:2] != urlsplit(address)[:2]:
                raise Unavailable(
                    f"{self._server.host} redirects to {self._shown(urlsplit(target).netloc or 'nowhere')}.",
                    "seedjournal does not send a token to another server. Name the right server with "
                    "SEEDJOURNAL_GITHUB_API.",
                )
            address = target
        raise _AgainError("it redirects in circles")

    def _sent_once(self, address: str, token: Token, body: bytes) -> _Reply:
        import httpx2

        self.requests += 1
        headers = {"Authorization": token.signature(), "Content-Type": "application/json"}
        latest = self._clock.elapsed() + _SECONDS_IN_ALL
        try:
            with self._client.stream("POST", address, content=body, headers=headers) as response:
                content = bytearray()
                for piece in response.iter_bytes():
                    content += piece
                    if len(content) > LARGEST:
                        raise self._too_much(f"an answer of more than {LARGEST:,} bytes")
                    if self._clock.elapsed() > latest:
                        raise self._too_much("an answer that does not end")
                return _Reply(response.status_code, dict(response.headers.items()), bytes(content))
        except httpx2.ReadTimeout:
            raise self._too_much("no answer in time") from None
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise _AgainError(f"{type(error).__name__}: {error}") from None

    def _note_budget(self, token: Token, reply: _Reply) -> None:
        remaining, reset = reply.headers.get("x-ratelimit-remaining", ""), reply.headers.get("x-ratelimit-reset", "")
        if remaining.isdigit() and reset.isdigit():
            resource = reply.headers.get("x-ratelimit-resource", RESOURCE)
            self.pool.note(token, resource, Budget(int(remaining), _second(reset)))

    def _use_up(self, token: Token, reply: _Reply, before: int) -> None:
        """Note that a token's points are gone, whatever was said of them before, and until when.

        The reset is what the server says, by its own clock; a minute from now where it says nothing, or what is past.
        """
        if before >= _WAITS_FOR_RESETS * len(self.pool):
            raise Unavailable(f"{self._server.host} still limits requests, after several waits.", f"Try later. {_KEPT}")
        now = self._clock.now()
        served = _served_at(reply) or now
        told = reply.headers.get("x-ratelimit-reset", "")
        limit = ((_document(reply.content)[1] or {}).get("data") or {}).get("rateLimit") or {}
        budget = self.pool.budget(token, RESOURCE)
        reset = (
            _second(told) if told.isdigit() else _moment(limit.get("resetAt")) or (budget.reset_at if budget else None)
        )
        left = reset - served if reset is not None and reset > served else timedelta(minutes=1)
        self.pool.note(token, RESOURCE, Budget(0, now + left))

    def _words(self, reply: _Reply) -> str:
        """Return what a refusal says, short and without tokens."""
        document = _document(reply.content)[1] or {}
        errors = document.get("errors")
        first = errors[0] if isinstance(errors, list) and errors else document
        words = first.get("message") if isinstance(first, dict) else None
        return self._shown(str(words or "it does not say why"))

    def _shown(self, words: str) -> str:
        text = self.pool.scrubbed(words.encode()).decode(errors="replace")
        return text if len(text) <= 300 else f"{text[:300]}…"  # noqa: PLR2004 - what a message bears


class _AgainError(Exception):
    """A failure that a second try may fix: no response, half of one, trouble of the server's."""


class _LimitedError(Exception):
    """The secondary limit."""


class _UsedUpError(Exception):
    """The primary limit: a token's points are gone."""


class _NextTokenError(Exception):
    """A token that is of no use just now; another one may be."""


def is_trouble(error: Mapping[str, Any]) -> bool:
    """Return whether an error is one that asking again may fix, not a lack of rights or of the thing itself."""
    return error.get("type") not in LASTING and "could not resolve" not in str(error.get("message", "")).lower()


def _is_missing(data: Mapping[str, Any]) -> bool:
    """Return whether what was asked for is null as a whole."""
    repository = data.get("repository", data)
    if repository is None or data.get("node", data) is None:
        return True
    return any(name in repository and repository[name] is None for name in ("pullRequests", "object"))


def _is_without_edges(data: Mapping[str, Any]) -> bool:
    """Return whether a page of pull requests is null but for its frame."""
    pulls = (data.get("repository") or {}).get("pullRequests")
    return isinstance(pulls, dict) and pulls.get("edges", pulls) is None


def _document(content: bytes) -> tuple[bytes, dict[str, Any] | None]:
    """Return the bytes of an answer and the JSON document in them; what is no text becomes U+FFFD."""
    for text in (content, _mended(content)):
        try:
            document = msgspec.json.decode(text)
        except (msgspec.DecodeError, ValueError, RecursionError):
            continue
        return text, document if isinstance(document, dict) else None
    return content, None


def _mended(content: bytes) -> bytes:
    return replace_half_pairs(content.decode("utf-8", "replace").encode(), rb"\ufffd")


def _served_at(reply: _Reply) -> datetime | None:
    return _http_date(reply.headers.get("date", ""))


def _second(text: str) -> datetime:
    return datetime.fromtimestamp(min(int(text), 253_402_300_799), UTC)


def _moment(value: Any) -> datetime | None:
    try:
        return msgspec.convert(value, datetime) if isinstance(value, str) else None
    except msgspec.ValidationError:
        return None


def _http_date(value: str) -> datetime | None:
    try:
        return email.utils.parsedate_to_datetime(value).astimezone(UTC)
    except (ValueError, TypeError):
        return None

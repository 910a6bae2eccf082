"""Tokens: where they come from, what is left of each one's budget, and whose turn it is."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from seedjournal.journal import Misuse

VARIABLES = ("SEEDJOURNAL_GITHUB_TOKENS", "GITHUB_SEEDING_TOKENS", "GITHUB_TOKEN")

_SHAPE = re.compile(r"[\x21-\x7e]+\Z")
_LONGEST_ASKING = 10  # seconds that gh may take


class Token:
    """A token. Nothing shows it: not its repr, no message, no page; `origin` says where it came from."""

    __slots__ = ("_secret", "origin")

    def __init__(self, secret: str, origin: str) -> None:
        self._secret = secret
        self.origin = origin

    def __repr__(self) -> str:
        """Return where the token came from."""
        return f"<token: {self.origin}>"

    def signature(self) -> str:
        """Return the value of the Authorization header."""
        return f"Bearer {self._secret}"

    def scrubbed(self, content: bytes) -> bytes:
        """Return the bytes with stars in place of the token, for servers that echo what they receive."""
        return content.replace(self._secret.encode(), b"***")


@dataclass(frozen=True, slots=True)
class Budget:
    """What a server said is left of one token's points for one resource, and when it is filled up again."""

    remaining: int
    reset_at: datetime


class Pool:
    """Tokens in turn: one is used until its budget is gone. Budgets are kept by token and resource.

    A token that may not see a repository is left out for that repository alone.
    """

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = list(tokens)
        self._known = tuple(tokens)
        self._budgets: dict[tuple[Token, str], Budget] = {}
        self._blind: set[tuple[Token, str]] = set()
        self._refusals: dict[Token, int] = {}
        self._turn = 0

    def __len__(self) -> int:
        """Return how many tokens are left."""
        return len(self._tokens)

    def turn(self, resource: str, now: datetime, repo: str = "") -> Token | None:
        """Return the token whose turn it is; None where every one that sees the repository has used up its budget."""
        for step in range(len(self._tokens)):
            place = (self._turn + step) % len(self._tokens)
            if (self._tokens[place], repo) in self._blind:
                continue
            budget = self._budgets.get((self._tokens[place], resource))
            if budget is None or budget.remaining > 0 or budget.reset_at <= now:
                self._turn = place
                return self._tokens[place]
        return None

    def note(self, token: Token, resource: str, budget: Budget) -> None:
        """Take what a server said about a token."""
        self._budgets[token, resource] = budget

    def budget(self, token: Token, resource: str) -> Budget | None:
        """Return the known budget of a token, if any."""
        return self._budgets.get((token, resource))

    def next_reset(self, resource: str, repo: str = "") -> datetime:
        """Return when the first of the used-up tokens that see the repository has points again."""
        return min(
            budget.reset_at
            for (token, name), budget in self._budgets.items()
            if name == resource and (token, repo) not in self._blind
        )

    def leave_out(self, token: Token, repo: str) -> bool:
        """Stop using a token for a repository that it may not see; return whether another token is left for it."""
        others = [one for one in self._tokens if one is not token and (one, repo) not in self._blind]
        if others:
            self._blind.add((token, repo))
        return bool(others)

    def refused(self, token: Token) -> int:
        """Return how often in a row the server has refused a token, this time included."""
        self._refusals[token] = self._refusals.get(token, 0) + 1
        return self._refusals[token]

    def accepted(self, token: Token) -> None:
        """Note that the server accepted a token."""
        self._refusals.pop(token, None)

    def left(self, resource: str, now: datetime) -> int | None:
        """Return the points left over all tokens whose budget is known; None if none is."""
        told = [budget for (_, name), budget in self._budgets.items() if name == resource]
        return sum(budget.remaining for budget in told if budget.reset_at > now) if told else None

    def discard(self, token: Token) -> None:
        """Remove a token that the server refuses."""
        self._tokens = [one for one in self._tokens if one is not token]
        self._budgets = {key: budget for key, budget in self._budgets.items() if key[0] is not token}
        self._turn = 0

    def scrubbed(self, content: bytes) -> bytes:
        """Return the same bytes without any token, discarded ones too."""
        for token in self._known:
            content = token.scrubbed(content)
        return content


def find_tokens(environment: Mapping[str, str], ask_gh: Callable[[], str] | None = None) -> list[Token]:
    """Return the tokens of the environment, else the one that `gh` knows; none if there is none.

    Raises Misuse for a value that no HTTP header can carry, without showing it.
    """
    for variable in VARIABLES:
        secrets = [part.strip() for part in environment.get(variable, "").split(",")]
        secrets = list(dict.fromkeys(part for part in secrets if part))
        for place, secret in enumerate(secrets, 1):
            if not _SHAPE.match(secret):
                raise Misuse(
                    f"Entry {place} of {variable} is not a token.",
                    "Write tokens of letters, digits and underscores, separated by commas.",
                )
        if secrets:
            several = len(secrets) > 1
            return [
                Token(secret, f"{variable}, number {place}" if several else variable)
                for place, secret in enumerate(secrets, 1)
            ]
    told = ask_gh().strip() if ask_gh else ""
    return [Token(told, "gh auth token")] if _SHAPE.match(told) else []


def ask_gh(host: str) -> str:
    """Return what `gh auth token` prints for a host; empty if gh is absent or knows none."""
    try:
        done = subprocess.run(  # noqa: S603 - no shell
            ["gh", "auth", "token", "--hostname", host],  # noqa: S607 - the user's own gh
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_LONGEST_ASKING,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("ascii", "replace") if done.returncode == 0 else ""

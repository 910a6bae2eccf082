"""What a policy keeps of an earlier run: the new run states nothing that would contradict it.

A pull request is one with its parts. Where the tables go on showing it as it first was, they show no review, commit,
file or check run that came later: its counts and its first review would be wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from hashlib import blake2b
from typing import Any, Self

import orjson

from seedjournal import journal
from seedjournal.journal import Canonical, Database, Entry, KeyBytes, NodeHash, Policy, Spool

from .kinds import ENGINEERING

Spooled = tuple[Canonical, str]

PARTS = {"pr_review": "review", "commit": "commit", "pr_file": "file", "pr_check_run": "check run"}


class Kept:
    """What a project's previous state holds, as far as the policies keep it; without a state, nothing.

    Its memory grows by some dozen bytes with each pull request of that state, and with each review where pull requests
    are replaced.
    """

    def __init__(self, database: Database, state: NodeHash | None, policies: Mapping[str, Policy]) -> None:
        self._database = database
        self._state = state
        self._policies = policies
        self._pull_requests: set[int] | None = None  # digests of their keys
        self._same: set[int] = set()  # and of their texts
        self._differing: set[tuple[str, int]] = set()  # repository and number
        self._undecided = Spool()
        self._left_out: Counter[str] = Counter()

    def __enter__(self) -> Self:
        """Use as a context manager, to give the disk space back."""
        return self

    def __exit__(self, *error: object) -> None:
        """Remove the file."""
        self._undecided.__exit__(*error)

    def keys_of_members(self) -> dict[int, str]:
        """Return the keys of members by their GitHub ids; of two with one id the first by key."""
        known: dict[int, str] = {}
        for member in self._members():
            if member["data"]["github_id"]:
                known.setdefault(member["data"]["github_id"], member["key"]["login"])
        return known

    def reviews(self) -> dict[tuple[str, int], dict[int, tuple[str | None, datetime | None]]]:
        """Return reviewers and times of the state's reviews, if pull requests are replaced while their reviews stay."""
        found: dict[tuple[str, int], dict[int, tuple[str | None, datetime | None]]] = {}
        if self._policies["pull_request"] is not Policy.ONCE and self._policies["pr_review"] is not Policy.EXACT:
            for _, text in self._state_of_kind("pr_review"):
                review = orjson.loads(text)
                key, data = review["key"], review["data"]
                at = datetime.fromisoformat(data["submitted_at"]) if data["submitted_at"] else None
                found.setdefault(_owner(key), {})[key["github_review_id"]] = (data["reviewer"], at)
        return found

    def filtered(self, stated: Iterable[Spooled]) -> Iterator[Spooled]:
        """Yield what a run states, without the parts of pull requests that the policy keeps unchanged.

        A pull request comes before its parts.
        """
        for event, made_by in stated:
            if event.kind == "pull_request" and self._is_kept(event):
                self._differing.add(_owner(orjson.loads(event.key)))
            elif event.kind in PARTS and self._differing and self._owner_of(event) in self._differing:
                self._undecided.add([(event, made_by)])
                continue
            yield event, made_by

    def known_parts(self) -> Iterator[Spooled]:
        """Yield the parts that `filtered` left out and the state has; count the others."""
        known: Iterator[tuple[KeyBytes, str]] = iter(())
        kind, key = "", b""
        for entry in self._undecided.entries():
            if entry.kind != kind:
                kind, known, key = entry.kind, self._state_of_kind(entry.kind), b""
            while key < entry.key:
                key = next(known, (KeyBytes(b"\xff"), ""))[0]
            if key == entry.key:
                yield Canonical(entry.kind, entry.key, entry.hash, entry.event), entry.provenance
            else:
                self._left_out[entry.kind] += 1

    def merged(self, spool: Spool) -> Iterator[Entry]:
        """Yield the facts that the tables will show: this run's, and by policy those of the state before."""
        if self._state is None:
            yield from spool.entries()
            return
        policies = {kind: self._policies[kind] for kind in ENGINEERING.fact_kinds}
        with self._database.read() as connection:
            yield from journal.merged(connection, self._state, policies, spool.entries)

    def notices(self) -> list[str]:
        """Say how much belongs to pull requests that are kept as they were, and how to take it."""
        if not self._left_out:
            return []
        counts = ", ".join(
            f"{count:,} {PARTS[kind]}{'' if count == 1 else 's'}" for kind, count in sorted(self._left_out.items())
        )
        pulls = len(self._differing)
        whole = "1 pull request stays as it was" if pulls == 1 else f"{pulls:,} pull requests stay as they were"
        first = f"{whole} first recorded (policy once), without what came later: {counts}"
        return [f"{first}; --policy github=upsert takes the newer content"]

    def _state_of_kind(self, kind: str) -> Iterator[tuple[KeyBytes, str]]:
        """Yield the keys and texts of one kind in the state, in key order."""
        if self._state is not None:
            with self._database.read() as connection:
                yield from journal.state_of_kind(connection, self._state, kind)

    def _members(self) -> Iterator[Any]:
        return (orjson.loads(text) for _, text in self._state_of_kind("team_member"))

    def _is_kept(self, event: Canonical) -> bool:
        """Return whether the state has another content of a pull request, and keeps it."""
        if self._policies["pull_request"] is not Policy.ONCE:
            return False
        if self._pull_requests is None:
            self._pull_requests = set()
            for key, text in self._state_of_kind("pull_request"):
                self._pull_requests.add(_digest(key))
                self._same.add(_digest(text.encode()))
        return _digest(event.key) in self._pull_requests and _digest(event.event) not in self._same

    def _owner_of(self, event: Canonical) -> tuple[str, int] | None:
        key = orjson.loads(event.key)
        if "number" in key:
            return _owner(key)
        owner = orjson.loads(event.event)["data"]["pull_request"]
        return _owner(owner) if owner else None


def _owner(key: Mapping[str, Any]) -> tuple[str, int]:
    return key["github_repo"], key["number"]


def _digest(text: bytes) -> int:
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big")

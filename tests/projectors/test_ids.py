"""Derived ids: 53 bits of a hash, pinned by literals, and the windows that follow where one is taken."""

from __future__ import annotations

import hashlib
from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from seedjournal.journal import KeyBytes, canonical_key
from seedjournal.projectors.ids import Ids, derived_id, later_ids, windows
from seedjournal.projectors.notes import Remembered

TEAM = canonical_key({"slug": "terns"})
PULL_REQUEST = canonical_key({"team": "terns", "github_repo": "invented/terns", "number": 7})
GOLDEN_TEAM = 8_221_649_133_434_864
GOLDEN_PULL_REQUEST = 493_175_811_412_179
GOLDEN_WINDOWS = [
    8_221_649_133_434_864,
    1_494_977_443_107_707,
    3_960_811_535_590_662,
    6_701_692_700_512_844,
    5_944_389_674_757_070,
    2_895_704_743_148_554,
]
KEYS = st.binary(max_size=40).map(KeyBytes)
KINDS = st.sampled_from(("team", "pull_request"))


def test_ids_are_pinned() -> None:
    """The literals must never change: rows everywhere have these ids."""
    assert derived_id("team", TEAM) == GOLDEN_TEAM
    assert derived_id("pull_request", PULL_REQUEST) == GOLDEN_PULL_REQUEST
    assert list(islice(windows("team", TEAM), 6)) == GOLDEN_WINDOWS


@given(KINDS, KEYS, st.integers(0, 12))
def test_an_id_is_safe_in_javascript(kind: str, key: KeyBytes, window: int) -> None:
    assert 0 <= derived_id(kind, key, window) < 2**53


@given(KINDS, KEYS)
def test_windows_are_the_bits_of_one_hash_one_after_another(kind: str, key: KeyBytes) -> None:
    digest = hashlib.sha256(b"seedjournal:id:1\n" + kind.encode() + b"\n" + key).digest()
    bits = f"{int.from_bytes(digest, 'big'):0256b}"
    assert list(islice(windows(kind, key), 4)) == [int(bits[at * 53 : at * 53 + 53], 2) for at in range(4)]


@given(KINDS, KEYS, st.integers(0, 9))
def test_what_follows_an_id(kind: str, key: KeyBytes, window: int) -> None:
    number = derived_id(kind, key, window)
    assert next(later_ids(kind, key, number)) == derived_id(kind, key, window + 1)


def test_kinds_with_the_same_key_have_ids_of_their_own() -> None:
    assert derived_id("pull_request", PULL_REQUEST) != derived_id("pr_survey", PULL_REQUEST)


def test_children_point_to_what_is_remembered() -> None:
    ids = Ids({("team", TEAM): Remembered(5, is_foreign=True)})
    assert ids.of("team", TEAM) == 5
    assert ids.of("team", PULL_REQUEST) == derived_id("team", PULL_REQUEST)
    assert Ids().of("team", TEAM) == derived_id("team", TEAM)

"""Canonical bytes against an independent implementation, every refusal, and the golden literals that pin the format."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Any
from uuid import UUID

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from seedjournal.journal import Event, NotCanonical, canonical_bytes, canonical_key, decode, encode, hash_event, key_of
from seedjournal.journal.event import LARGEST_INTEGER, differing_fields

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
NAMES = st.text(st.characters(min_codepoint=1, max_codepoint=127))
INNER_NAMES = st.text(st.characters(min_codepoint=1, max_codepoint=0xD7FF))
INTEGERS = st.integers(-LARGEST_INTEGER, LARGEST_INTEGER)
NUMBERS = st.floats(-LARGEST_INTEGER, LARGEST_INTEGER) | st.floats(-1, 1)
VALUES = st.recursive(
    st.none() | st.booleans() | INTEGERS | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(INNER_NAMES, inner, max_size=4),
    max_leaves=20,
)
DATA = st.dictionaries(NAMES | st.sampled_from(("key", "kind", "project", "data")), VALUES, max_size=4)
KEYS = st.dictionaries(NAMES | st.sampled_from(("key", "kind")), INTEGERS | TEXT, min_size=1, max_size=3)
WORDS = TEXT.filter(bool)
EVENTS = st.builds(Event, project=WORDS, kind=WORDS, key=KEYS, data=DATA)


class Colour(StrEnum):
    """Text with a class of its own."""

    RED = "red"


class Size(IntEnum):
    """An integer with a class of its own."""

    ONE = 1


class Word(str):
    """Text with a class of its own."""

    __slots__ = ()


def make(**parts: Any) -> Event:
    """An event of which some parts are not as they should be."""
    plain: dict[str, Any] = {"project": "p", "kind": "thing", "key": {"id": 1}, "data": {}}
    return Event(**{**plain, **parts})


@given(VALUES)
@example('\x01\x08\t\n\x0b\x0c\r\x1f"\\/\x7f\x80\u2028\u2029\ufeff\ufffd\U0001f600é')
@example([1e-6, 1e-7, 1.5e-10, 0.1, -0.0, 5e-324, 123456789.125, 9007199254740991.0])
@example({"b": 1, "a": {"B": [], "A": {}}, "": "\\u0000", "\x7f": LARGEST_INTEGER, "aa": -LARGEST_INTEGER})
def test_bytes_are_those_of_rfc_8785(value: Any) -> None:
    assert canonical_bytes(value) == rfc8785.dumps(value)


@given(EVENTS)
def test_an_event_is_one_canonical_object(event: Event) -> None:
    parts = {"data": event.data, "key": event.key, "kind": event.kind, "project": event.project}
    made = encode(event)
    assert made.event == rfc8785.dumps(parts)
    assert made.hash == hash_event(made.event)
    assert decode(made.event) == event
    assert encode(decode(made.event.decode())) == made


@given(EVENTS)
@example(make(data={"key": {"id": 2}, "kind": "x"}))
@example(make(data={"a": ',"key":{"id":3},"kind":"thing"'}, key={"key": ',"kind":"', "kind": ',"key":{'}))
@example(make(kind=',"key":{', project='{"key":{"id":4},"kind":"'))
@example(make(data={"nested": {"data": {}, "key": {"id": 5}, "kind": "thing", "project": "p"}}))
def test_the_key_is_found_in_an_events_text(event: Event) -> None:
    made = encode(event)
    assert key_of(made.event.decode()) == made.key == canonical_key(event.key)


@given(KEYS)
def test_a_keys_bytes_do_not_depend_on_the_order_of_its_parts(key: Mapping[str, str | int]) -> None:
    assert canonical_key(dict(reversed(key.items()))) == canonical_key(key)


NAIVE = datetime(2024, 1, 1)  # noqa: DTZ001 - naive on purpose


@pytest.mark.parametrize(
    "value",
    [
        2.0**53,
        1e300,
        float("nan"),
        float("inf"),
        Decimal("1.50"),
        NAIVE,
        datetime(2024, 1, 1, tzinfo=UTC),
        date(2024, 1, 1),
        UUID(int=1),
        (1, 2),
        {1},
        b"bytes",
        LARGEST_INTEGER + 1,
        -LARGEST_INTEGER - 1,
        2**64,
        "a\0b",
        "\ud800",
        "x\udfff",
        Colour.RED,
        Size.ONE,
        Word("word"),
        OrderedDict(a=1),
        {"\U0001f600": 1},
        {"\ue000": 1},
        {1: "number"},
        {None: 1},
        {Word("word"): 1},
        {"a\0": 1},
        len,
    ],
    ids=str,
)
def test_what_has_no_canonical_form_is_refused_with_its_path(value: Any) -> None:
    with pytest.raises(NotCanonical) as bare:
        canonical_bytes(value)
    assert bare.value.path == "value"
    with pytest.raises(NotCanonical) as plain:
        encode(make(data={"fine": 1, "wrong": value}))
    assert plain.value.path in {"data.wrong", "data"}  # an integer beyond 64 bits and a key are blamed alike
    with pytest.raises(NotCanonical) as deep:
        encode(make(data={"fine": 1, "list": ["fine", {"wrong": value}]}))
    assert deep.value.path == "data.list[1].wrong"
    assert "data.list[1].wrong: " in deep.value.message
    assert "Write decimals, instants and dates as text" in deep.value.hint


@pytest.mark.parametrize("value", [1e16, "a\0b", "\ud800", LARGEST_INTEGER + 1, NAIVE, (1,)], ids=repr)
def test_a_plain_field_is_named_in_the_refusal(value: Any) -> None:
    with pytest.raises(NotCanonical) as refused:
        encode(make(data={"fine": 1, "wrong": value}))
    assert refused.value.path == "data.wrong"


@pytest.mark.parametrize(
    "value", [True, None, 1.5, [1], {"a": 1}, Colour.RED, Word("x"), LARGEST_INTEGER + 1, "\0", "\ud800"], ids=repr
)
def test_a_key_is_made_of_text_and_integers(value: Any) -> None:
    with pytest.raises(NotCanonical) as refused:
        encode(make(key={"wrong": value}))
    assert refused.value.path == "key.wrong"


@pytest.mark.parametrize("name", ["é", 1, Word("word"), "a\0"], ids=repr)
@pytest.mark.parametrize("part", ["key", "data"])
def test_names_are_ascii_text(part: str, name: Any) -> None:
    with pytest.raises(NotCanonical) as refused:
        encode(make(**{part: {name: 1}}))
    assert refused.value.path == part


@pytest.mark.parametrize("part", ["key", "data"])
def test_key_and_data_are_plain_objects(part: str) -> None:
    with pytest.raises(NotCanonical) as refused:
        encode(make(**{part: OrderedDict(id=1)}))
    assert refused.value.path == part


@pytest.mark.parametrize("name", ["", None, 5, Colour.RED, Word("x"), "\0", "\ud800"], ids=repr)
@pytest.mark.parametrize("part", ["kind", "project"])
def test_kind_and_project_are_names(part: str, name: Any) -> None:
    with pytest.raises(NotCanonical) as refused:
        encode(make(**{part: name}))
    assert refused.value.path == part


@pytest.mark.parametrize("depth", [201, 300, 20_000])
def test_what_is_nested_too_deeply_is_refused(depth: int) -> None:
    value: Any = []
    for _ in range(depth):
        value = [value]
    with pytest.raises(NotCanonical, match="nested more than 200 deep"):
        encode(make(data={"deep": value}))


def test_what_is_nested_within_the_limit_is_written() -> None:
    value: Any = []
    for _ in range(198):
        value = [value]
    assert decode(encode(make(data={"deep": value})).event).data == {"deep": value}


@given(DATA, DATA)
@example({"a": 1}, {"a": True})
@example({"a": None}, {})
@example({"a": [0]}, {"a": [False]})
def test_fields_differ_exactly_where_their_bytes_do(old: dict[str, Any], new: dict[str, Any]) -> None:
    differing = differing_fields(old, new)
    same = {name: old[name] for name in old if name not in differing}
    assert canonical_bytes(same) == canonical_bytes({name: new[name] for name in new if name not in differing})
    assert bool(differing) == (canonical_bytes(old) != canonical_bytes(new))


GOLDEN = [
    (
        Event(project="acme", kind="team", key={"slug": "acme"}, data={"slug": "acme", "name": "Acme"}),
        '{"data":{"name":"Acme","slug":"acme"},"key":{"slug":"acme"},"kind":"team","project":"acme"}',
        "814a4eb36f9446e83a658108ff1e83024b40105916dd81688e8b3ee09708b3e9",
    ),
    (
        Event(
            project="acme",
            kind="pull_request",
            key={"team": "acme", "github_repo": "acme/web", "number": 7},
            data={"title": 'Zoë "quotes" \\ \u2028\x7f\x01', "labels": [], "is_draft": False, "hours": "12.50"},
        ),
        (
            '{"data":{"hours":"12.50","is_draft":false,"labels":[],"title":"Zoë \\"quotes\\" \\\\ \u2028\x7f\\u0001"},'
            '"key":{"github_repo":"acme/web","number":7,"team":"acme"},"kind":"pull_request","project":"acme"}'
        ),
        "c4b740e5eac1969a6c2439d4c02a6949acbb3b78afddbb0694d86c509f3c1b04",
    ),
    (
        Event(project="p", kind="thing", key={"id": -LARGEST_INTEGER}, data={"a": None, "b": {"d": True, "c": [1]}}),
        '{"data":{"a":null,"b":{"c":[1],"d":true}},"key":{"id":-9007199254740991},"kind":"thing","project":"p"}',
        "06aa228573856917365b466d2e0ce961e8a55333eae16fe10d2de29dce9171f8",
    ),
]


@pytest.mark.parametrize(("event", "text", "hashed"), GOLDEN, ids=["team", "pull_request", "thing"])
def test_the_format_stays_as_it_is(event: Event, text: str, hashed: str) -> None:
    made = encode(event)
    assert made.event.decode() == text
    assert made.hash.hex() == hashed


def test_the_bytes_of_keys_stay_as_they_are() -> None:
    assert canonical_key({"team": "a", "number": 3, "Login": "Ü"}) == '{"Login":"Ü","number":3,"team":"a"}'.encode()

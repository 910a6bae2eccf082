"""What separates two manifests, entity by entity: what diff shows, folding decides on and projecting carries out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from .batches import batched
from .event import KeyBytes
from .manifest import EventId, NodeHash, difference, events_below
from .store.contents import Content, contents, node_reader, texts

_BATCH = 5_000


class Change(NamedTuple):
    """An entity whose content differs: absent before (added), absent now (removed), or both there (changed)."""

    key: KeyBytes
    before: Content | None
    now: Content | None


def changes(connection: Connection, before: NodeHash | None, now: NodeHash | None) -> Iterator[Change]:
    """Every difference between two trees of one kind, in key order.

    Costs O(changes), not O(events): equal subtrees are skipped. Where one side is empty nothing but a batch is held;
    otherwise the keys of what differs are.
    """
    removed, added = difference(before, now, node_reader(connection))
    if before is None or now is None:
        for batch in batched((event for leaf in (removed if now is None else added) for event in leaf), _BATCH):
            for content in contents(connection, batch):
                key = key_of(content.text)
                yield Change(key, content, None) if now is None else Change(key, None, content)
        return
    old = _by_key(connection, [event for leaf in removed for event in leaf])
    new = _by_key(connection, [event for leaf in added for event in leaf])
    for keys in batched(sorted(old.keys() | new.keys()), _BATCH):
        before_of = dict(_contents_of(connection, keys, old))
        now_of = dict(_contents_of(connection, keys, new))
        for key in keys:
            yield Change(key, before_of.get(key), now_of.get(key))


def event_texts(connection: Connection, top: NodeHash, size: int) -> Iterator[list[str]]:
    """The canonical texts of a tree's events, in key order, `size` at a time."""
    ids = (event for leaf in events_below(top, node_reader(connection)) for event in leaf)
    for batch in batched(ids, size):
        yield texts(connection, batch)


def key_of(text: str) -> KeyBytes:
    """The key's canonical bytes inside an event's canonical text.

    The top-level key is the last object named so: behind it stand two texts only, in which quotes are escaped.

    >>> key_of('{"data":{"key":{"a":1}},"key":{"slug":"x"},"kind":"team","project":"p"}')
    b'{"slug":"x"}'
    """
    return KeyBytes(text[text.rindex(',"key":{') + 7 : text.rindex(',"kind":"')].encode())


def _by_key(connection: Connection, ids: Sequence[EventId]) -> dict[KeyBytes, EventId]:
    return {
        key_of(content.text): content.id for batch in batched(ids, _BATCH) for content in contents(connection, batch)
    }


def _contents_of(
    connection: Connection, keys: Sequence[KeyBytes], ids: dict[KeyBytes, EventId]
) -> Iterator[tuple[KeyBytes, Content]]:
    here = [key for key in keys if key in ids]
    return zip(here, contents(connection, [ids[key] for key in here]), strict=True)

"""Texts in natural keys: short enough for every database's index."""

from __future__ import annotations

from hashlib import sha256

# PostgreSQL indexes entries of up to 2,704 bytes; a key has other parts as well.
LONGEST = 1_000
_DIGITS = 16


def key_text(text: str) -> str:
    """A text as a key holds it: one of more than 1,000 bytes is cut, and told apart from others by its digest.

    >>> key_text("src/app.py"), len(key_text("x" * 5000))
    ('src/app.py', 1000)
    """
    if len(text) * 4 <= LONGEST:
        return text
    raw = text.encode("utf-8", "surrogatepass")
    if len(raw) <= LONGEST:
        return text
    return raw[: LONGEST - _DIGITS - 1].decode("utf-8", "ignore") + "~" + sha256(raw).hexdigest()[:_DIGITS]

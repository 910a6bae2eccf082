"""Other versions of tools over the same input: what a newer Python, Faker or seedjournal would make of it.

A run records what it was made from and what it was made with. Where only the latter differs from the newest run, every
changed event is the tools' doing, and can be told before it is recorded. Where both differ, nobody can tell which of
them changed an event.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_TOOLS = ("generators", "versions")
_NAMES = {"faker": "Faker", "python": "Python", "unicode": "Unicode"}


def differing_tools(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return the tools whose versions differ between two runs' inputs, as people read them.

    >>> differing_tools({"versions": {"faker": "40.54"}}, {"versions": {"faker": "41.0"}, "generators": {"jira": 2}})
    ['Faker 40.54 → 41.0', 'the jira generator none → 2']
    """
    return [
        f"{_shown(sort, name)} {old.get(name, 'none')} → {new.get(name, 'none')}"
        for sort in reversed(_TOOLS)
        for old, new in ((before.get(sort, {}), now.get(sort, {})),)
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]


def is_same_input(
    before: Mapping[str, Any], now: Mapping[str, Any], defaults: Mapping[str, Any], *, invents_facts: bool
) -> bool:
    """Return whether two runs state the same facts under the same settings, whatever the tools.

    Policies and `--fresh` do not count: they decide what the state keeps, not what the run states. A setting that one
    version did not have yet counts as its default. Invented facts follow from the settings, and their digest also tells
    the tools.
    """
    left_out = {*_TOOLS, "settings", "fresh", "state", *(("source_digest",) if invents_facts else ())}
    if any(before.get(name) != value for name, value in now.items() if name not in left_out):
        return False
    settings = {**defaults, **before["settings"]}
    return all(settings.get(name) == value for name, value in now["settings"].items())


def _shown(sort: str, name: str) -> str:
    return _NAMES.get(name, name) if sort == "versions" else f"the {name} generator"

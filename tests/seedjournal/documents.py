"""The JSON documents as docs/reference/json.schema.json says they are; every document that a test makes is held against it.

The schema lets documents have more keys, for later versions. Here each key must be described.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

SCHEMA = Path(__file__).parents[2] / "docs/reference/json.schema.json"

# Commands that print several documents, and the key that only one of them has.
_BY_KEY = {
    ("record", "estimate"): "estimate",
    ("show", "contents"): "show_entity",
    ("show", "run"): "show_run",
    ("fetched", "deleted"): "fetched_delete",
    ("fetched", "exported"): "fetched_export",
    ("init", "added"): "init_update",
}


def definition_of(command: str, document: dict[str, Any]) -> str:
    """Return the name of the definition of a command's document."""
    if set(document) == {"error"}:
        return "error"
    return next((name for (one, key), name in _BY_KEY.items() if one == command and key in document), command)


def refuse(command: str, document: dict[str, Any]) -> None:
    """Raise AssertionError for a document that is not as the schema says."""
    name = definition_of(command, document)
    assert name in definitions(), f"docs/reference/json.schema.json does not define what `{command} --json` prints"
    problems = [f"{one.json_path}: {one.message}" for one in _validator(name).iter_errors(document)]
    assert problems == [], f"`{command} --json` is not as docs/reference/json.schema.json says"


@cache
def definitions() -> dict[str, Any]:
    """Return every definition of the schema, with no key allowed that it does not describe."""
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    closed: dict[str, Any] = _closed(schema)["$defs"]
    return closed


@cache
def _validator(name: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": definitions()})


def _closed(value: Any) -> Any:
    """Return a schema in which an object has the keys that are described, and no others."""
    if isinstance(value, list):
        return [_closed(one) for one in value]
    if not isinstance(value, dict):
        return value
    names = "properties" in value and isinstance(value["properties"], dict) and "type" in value
    others = {"additionalProperties": False} if names and "additionalProperties" not in value else {}
    return {**{name: _closed(one) for name, one in value.items()}, **others}

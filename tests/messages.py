"""Prints every error of the program with its hint, to be read in one go: `python -m tests.messages`.

`{}` stands for what is filled in. A page in Markdown, one table a module.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
ROOMS = ("seedjournal", "journal", "projectors", "simulators")

# What these say is a part of another error's sentence: which field, and what is wrong with it.
PARTS = {"WrongField", "NotCanonical", "Trouble", "DeclarationError", "(a problem)"}


class Message(NamedTuple):
    """One call that makes an error: where it is, the error's class, what it says and what it says to do."""

    file: str
    line: int
    error: str
    says: str
    hint: str


def messages() -> Iterator[Message]:
    """Yield every error that the program makes with a text."""
    errors = _errors()
    for room in ROOMS:
        for file in sorted((ROOT / room).rglob("*.py")):
            name = file.relative_to(ROOT)
            if room == "seedjournal" and name.parts[1] in ROOMS:
                continue  # a link to another room
            tree = ast.parse(file.read_text(encoding="utf-8"))
            named = list(_named(tree))
            for node in ast.walk(tree):
                if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("problems.append"):
                    yield Message(str(name), node.lineno, "(a problem)", _text(node.args[0], {}), "")
            for node, within in _calls(tree):
                if error := _class_of(node, within, errors):
                    texts = {name: value for name, value in named if value.lineno < node.lineno}  # the last before it
                    parts = [_text(one, texts) for one in [*node.args, *(one.value for one in node.keywords)]]
                    says, hint, *_ = (*(parts[1:] if error == "Trouble" else parts), "", "")
                    if says:
                        yield Message(str(name), node.lineno, error, says, hint)


def is_sentence(text: str) -> bool:
    """Return whether a text begins and ends as a sentence; `{}` may stand at both ends, an option at the beginning."""
    begins = re.match(r"[A-Z0-9{`'\"]|--|\w+(?=:| =|\()|seedjournal |ai_rate", text)
    return bool(begins) and text.endswith((".", "?", "…", "{}"))


def _errors() -> set[str]:
    """Return the names of the program's error classes, and of those that say a part of a sentence."""
    from seedjournal import projectors, simulators  # noqa: F401 - they declare some
    from seedjournal.journal import SeedJournalError
    from seedjournal.simulators import engineering, purity  # noqa: F401 - the same

    found, left = set(), [SeedJournalError]
    while left:
        found.add(left[-1].__name__)
        left += left.pop().__subclasses__()
    return {*found, "UsageError", *PARTS}


def _calls(tree: ast.AST, within: str = "") -> Iterator[tuple[ast.Call, str]]:
    """Yield each call with the class that it is made in."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Call):
            yield node, within
        yield from _calls(node, node.name if isinstance(node, ast.ClassDef) else within)


def _class_of(node: ast.Call, within: str, errors: set[str]) -> str:
    """Return the name of the error that a call makes, empty for any other call."""
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if name == "__init__" and within in errors:
        return within if within not in PARTS else ""
    return {"fail": "UsageError"}.get(name, name if name in errors else "")


def _named(tree: ast.AST) -> list[tuple[str, ast.expr]]:
    """Return the names that a module gives to values, from the top, for hints that several errors share."""
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)]
    return [(node.targets[0].id, node.value) for node in sorted(found, key=lambda one: one.lineno)]


def _text(node: ast.AST, texts: dict[str, ast.expr]) -> str:  # noqa: PLR0911 - one for each way to write a text
    """Return the text of an expression, with `{}` for what is filled in."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(_text(part, texts) for part in parts)
        case ast.FormattedValue(value=ast.Name(id=name)) if name.isupper() and name in texts:
            return _text(texts[name], {}) or "{}"
        case ast.FormattedValue() | ast.Call():
            return "{}"
        case ast.Name(id=name) if name in texts:
            return _text(texts[name], {})
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _text(left, texts) + _text(right, texts)
        case ast.IfExp(body=body, orelse=other):
            return " / ".join(filter(None, (_text(body, texts), _text(other, texts))))
    return ""


def main() -> None:
    """Print the page."""
    last = ""
    for file, line, error, says, hint in messages():
        if file != last:
            print(f"\n## {file}\n\n| line | error | says | try |\n|---|---|---|---|")
            last = file
        row = (str(line), error, says, hint)
        print("| " + " | ".join(one.replace("|", "\\|").replace("\n", " ") for one in row) + " |")


if __name__ == "__main__":
    main()

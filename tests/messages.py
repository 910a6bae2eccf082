"""Prints every error of the program with its hint, to be read in one go: `python -m tests.messages`.

`{}` stands for what is filled in. A page in Markdown, one table a module.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROOMS = ("seedjournal", "journal", "projectors", "simulators")


def messages() -> Iterator[tuple[str, int, str, str, str]]:
    """Yield file, line, the error's class, its message and its hint, for each error that is made with a text."""
    for room in ROOMS:
        for file in sorted((ROOT / room).rglob("*.py")):
            name = file.relative_to(ROOT)
            if room == "seedjournal" and name.parts[1] in ROOMS:
                continue  # a link to another room
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and (kind := _class_of(node)):
                    texts = [_text(one) for one in [*node.args, *(one.value for one in node.keywords)]]
                    if texts and texts[0]:
                        yield str(name), node.lineno, kind, texts[0], texts[1] if len(texts) > 1 else ""


def _class_of(node: ast.Call) -> str:
    """Return the name of the error that a call makes, empty for any other call."""
    from seedjournal import journal

    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    error = getattr(journal, name, None)
    is_error = isinstance(error, type) and issubclass(error, Exception)
    return name if is_error or name in {"UsageError", "WrongField", "Trouble"} else ""


def _text(node: ast.AST) -> str:
    """Return the text of an expression, with `{}` for what is filled in."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(_text(part) for part in parts)
        case ast.FormattedValue():
            return "{}"
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _text(left) + _text(right)
        case ast.IfExp(body=body, orelse=other):
            return " / ".join(filter(None, (_text(body), _text(other))))
    return ""


def main() -> None:
    """Print the page."""
    last = ""
    for file, line, kind, message, hint in messages():
        if file != last:
            print(f"\n## {file}\n\n| line | error | says | try |\n|---|---|---|---|")
            last = file
        row = (str(line), kind, message, hint)
        print("| " + " | ".join(one.replace("|", "\\|").replace("\n", " ") for one in row) + " |")


if __name__ == "__main__":
    main()

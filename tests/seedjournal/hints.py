"""Every hint in the program's code: what tells people a command or an option to use next."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from seedjournal.cli import COMMANDS

ROOT = Path(__file__).parents[2]
ROOMS = ("seedjournal", "journal", "projectors", "simulators")
_DECLARING = {"option", "argument", "command", "group", "Option"}  # click's: their texts are the help


def options() -> set[str]:
    """The options of all commands."""
    commands = (
        getattr(import_module(f"seedjournal.commands.{family}"), name) for name, (family, _) in COMMANDS.items()
    )
    return {one for command in commands for param in command.params for one in param.opts if one.startswith("--")}


def hints() -> dict[str, str]:
    """Each hint with `{}` for what is filled in, and where it stands."""
    named = re.compile(rf"seedjournal (?:{'|'.join(COMMANDS)})\b|(?:{'|'.join(sorted(options()))})(?![\w-])")
    found: dict[str, str] = {}
    for room in ROOMS:
        for file in sorted((ROOT / room).rglob("*.py")):
            if (room == "seedjournal" and file.relative_to(ROOT).parts[1] in ROOMS) or file.name == "demo.py":
                continue  # links to the other rooms, and the demo, which runs what it prints
            for line, text in _texts(ast.parse(file.read_text(encoding="utf-8"))):
                if named.search(text) and len(text.split()) > 1:
                    found[text] = f"{file.relative_to(ROOT)}:{line}"
    return found


def _texts(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """The texts of a module: not its docstrings, its help, and an error's message, which its hint stands beside."""
    left_out = {one for node in ast.walk(tree) for one in _no_hints(node)}
    for node in ast.walk(tree):
        if node in left_out:
            continue
        if isinstance(node, ast.JoinedStr):
            parts = (one.value if isinstance(one, ast.Constant) else "{}" for one in node.values)
            yield node.lineno, "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def _no_hints(node: ast.AST) -> Iterator[ast.AST]:
    """What below a node is no text of its own that could be a hint."""
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and isinstance(node.body[0], ast.Expr):
        yield node.body[0].value
    elif isinstance(node, ast.JoinedStr):
        yield from (one for value in node.values for one in ast.walk(value) if isinstance(one, ast.Constant))
    elif isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in _DECLARING:
            yield from ast.walk(node)
        elif len(node.args) > 1 and (name == "__init__" or name[:1].isupper()):
            yield from ast.walk(node.args[0])

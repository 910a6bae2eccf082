"""Finds words that we gave up, in the documentation and the code, and docstrings of functions without a verb.

`python -m tests.words` prints them. `make check` runs it. The glossary (docs/glossary.md) has the word to use instead.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROOMS = ("journal", "projectors", "simulators", "seedjournal")
CODE = (*ROOMS, "benchmarks", "examples")

# What we gave up, and what to write instead.
STRUCK = {
    r"noughts?": "zero",
    r"for ever": "forever, or: always",
    r"anew": "again, or: from the start",
    r"lest": "so that … not",
    r"reckon\w*": "expect, or: compute",
    r"as it stands": "as it is",
    r"wrong use|used wrongly": "usage error",
    r"makes? of databases?|either make|both makes": "database",
    r"mend(?:s|ed|ing)?": "fix",
    r"crews?": "workers",
    r"leftovers?": "unseen rows",
    r"withdraw\w*": "remove",
    r"honou?red": "adopted",
    r"stands? after": "is in the state after",
    r"stood|standing": "was, previous, carried over",
    r"manieth": "n-th",
    r"who (?:reads|writes|appends|projects|records|asks|looks)": "readers, writers, …",
    r"is told|are told|was told": "is reported, or: prints",
    r"told of": "reported",
}
_STRUCK = re.compile("|".join(rf"(?P<w{n}>\b(?:{one})\b)" for n, one in enumerate(STRUCK)), re.IGNORECASE)

# No verbs, with which a function's docstring would begin; Ruff's rule D401 finds nearly all others.
NO_VERBS = set(
    "All Another At Both By Each Every Everything From How Nothing None One Over Pairs SHA-256 Something That Two What "
    "When Where Whether Which Who".split()
)

# Where a word may stay, and why.
ALLOWED: dict[str, str] = {
    "docs/glossary.md": "it lists the words that we gave up",
    "simulators/engineering/demo/words.py": "titles that people in the invented project write",
}


def texts() -> Iterator[tuple[str, int, str]]:
    """Yield each text that a reader sees, with its file and line."""
    for file in sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]):
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            yield str(file.relative_to(ROOT)), number, line
    for room in CODE:
        for file in sorted((ROOT / room).rglob("*.py")):
            if room == "seedjournal" and file.relative_to(ROOT).parts[1] in ROOMS:
                continue  # a link to another room
            for number, text in _said(file.read_text(encoding="utf-8")):
                yield str(file.relative_to(ROOT)), number, text


def docstrings() -> Iterator[tuple[str, int, str]]:
    """Yield the first word of each function's docstring, with its file and line; properties are named for what they are."""
    for room in CODE:
        for file in sorted((ROOT / room).rglob("*.py")):
            if room == "seedjournal" and file.relative_to(ROOT).parts[1] in ROOMS:
                continue
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if not isinstance(node, ast.FunctionDef) or any(
                    "property" in ast.unparse(o) for o in node.decorator_list
                ):
                    continue
                if text := ast.get_docstring(node):
                    yield str(file.relative_to(ROOT)), node.lineno, text.split()[0]


def _said(source: str) -> Iterator[tuple[int, str]]:
    """Yield a module's texts of more than one word, its docstrings and comments among them."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield node.lineno, node.value
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def main() -> int:
    """Print each word that should not be there; the exit status says whether there are any."""
    found = 0
    for file, line, text in texts():
        if file in ALLOWED:
            continue
        for match in _STRUCK.finditer(text):
            found += 1
            instead = STRUCK[list(STRUCK)[int((match.lastgroup or "w0")[1:])]]
            print(f"{file}:{line}: {match[0]!r}: write {instead}")
    for file, line, word in docstrings():
        if word.strip(":,.") in NO_VERBS:
            found += 1
            print(f"{file}:{line}: a docstring begins with {word!r}: write what the function does")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

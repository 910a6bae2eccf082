"""Reads a page of the documentation and carries out what it prints, in the order in which a reader meets it.

    ```toml title="seedjournal.toml"   the file is written, with this content
    ```python title="add to seeds.py"  the lines are added at the file's end
    ```console                         each line behind `$ ` runs; the output below it is compared
    ```python                          runs as a script; with `>>>`, as a doctest
    ```sql                             runs on seedjournal.db; a ```text block behind it is compared

`…` in an output stands for any text, and a line of `…` for any lines. Durations, times of day and people's names may
differ. A command that fails has the comment `# exit status N`. A comment before a block says otherwise:

    <!-- not run: why -->              nothing of the block is carried out
    <!-- this page is run by FILE -->  another test runs all of it
    <!-- with: github -->              behind this comment, GitHub is a small server of the tests
    <!-- with: postgresql -->          behind this comment, each PostgreSQL address is that of a new database
"""

from __future__ import annotations

import difflib
import os
import re
import shlex
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

_BLOCK = re.compile(
    r"^(?P<indent> *)```(?P<language>\w*)(?P<info>[^\n]*)\n(?P<content>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL
)
_TITLE = re.compile(r'title="([^"]+)"')
_COMMENT = re.compile(r"<!-- (not run|with): (.*?) -->\s*$", re.DOTALL)
_STATUS = re.compile(r"# exit status (\d+)$")
_ADDRESS = re.compile(r"postgres(?:ql)?://[^\s'\"]+")
_ADD_TO = "add to "
_ANY = "…"

_DURATION = (re.compile(r"\b\d+\.\d s\b"), "0.0 s")

# What differs from one machine and moment to the next, as a page prints it.
_VARYING = (
    (re.compile(r"\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ by \S+"), "2026-01-05T12:00:00Z by you@laptop"),
    (re.compile(r"\b20\d\d-\d\d-\d\d \d\d:\d\d\b(?!:)"), "2026-01-05 12:00"),
    (re.compile(r"(?<=  )[\w.-]+@[\w-]+$", re.MULTILINE), "you@laptop"),
    (re.compile(r"(?<=code: )[0-9a-f]{12}…"), "0123456789ab…"),
)


@dataclass(slots=True)
class Block:
    """One fenced block of a page: where its content lies in the text, and what was said before it."""

    language: str
    title: str | None
    content: str
    start: int
    end: int
    line: int
    why_not: str | None = None


@dataclass(slots=True)
class Page:
    """A page's text and its blocks; `renewed` holds the outputs that a run has given instead of those printed."""

    path: Path
    text: str
    blocks: list[Block]
    needs: set[str]
    run_by: str | None  # another test, which runs the whole page
    renewed: list[tuple[Block, str]] = field(default_factory=list)

    @property
    def is_to_run(self) -> bool:
        """Whether something of the page can be carried out."""
        return self.run_by is None and any(block.why_not is None for block in self.blocks)

    def write_renewed(self) -> None:
        """Write the page with the outputs that were found."""
        text = self.text
        for block, content in sorted(self.renewed, key=lambda one: one[0].start, reverse=True):
            text = text[: block.start] + content + text[block.end :]
        self.path.write_text(text, encoding="utf-8")


def read_page(path: Path) -> Page:
    """Return a page with its blocks."""
    text = path.read_text(encoding="utf-8")
    elsewhere = re.search(r"<!-- this page is run by (\S+) -->", text)
    page = Page(path, text, [], set(), elsewhere[1] if elsewhere else None)
    behind = 0
    for match in _BLOCK.finditer(text):
        said = text[behind : match.start()]
        behind = match.end()
        page.needs |= set(re.findall(r"<!-- with: (\w+) -->", said))
        comment = _COMMENT.search(said)
        title = _TITLE.search(match["info"])
        page.blocks.append(
            Block(
                match["language"],
                title[1] if title else None,
                re.sub(rf"(?m)^{match['indent']}", "", match["content"]),
                match.start("content"),
                match.end("content"),
                text.count("\n", 0, match.start()) + 1,
                comment[2] if comment and comment[1] == "not run" else None,
            )
        )
    return page


@dataclass(slots=True)
class Reader:
    """Carries out a page in a folder: `environment` has the program on its PATH."""

    folder: Path
    environment: Mapping[str, str]
    python: str = sys.executable
    addresses: Mapping[str, str] = field(default_factory=dict)
    fills: bool = False  # a lone `…` in, where the page is renewed
    ran: int = 0
    home: Path = field(init=False)

    def __post_init__(self) -> None:
        """Remember the folder that the page begins in."""
        self.home = self.folder

    def follow(self, page: Page) -> Iterator[str]:
        """Carry out the page; yield each difference between what it prints and what happened."""
        written = ""
        for block in page.blocks:
            if block.why_not is not None:
                continue
            where = f"{page.path.name}:{block.line}"
            match block.language:
                case "console":
                    content, problems = self._commands(block)
                    if content != block.content:
                        page.renewed.append((block, content))
                    yield from (f"{where}: {one}" for one in problems)
                case "sql":
                    written = self._select(block.content)
                    self.ran += 1
                    continue
                case "text" if written:
                    if not self._is_right(block.content, written):
                        page.renewed.append((block, written))
                        yield f"{where}: {_difference(block.content, written)}"
                case "python" if block.title is None:
                    yield from (f"{where}: {one}" for one in self._script(block.content))
                case _ if block.title is not None:
                    self._write(block)
            written = ""

    def _write(self, block: Block) -> None:
        title = block.title or ""
        file = self.folder / title.removeprefix(_ADD_TO)
        file.parent.mkdir(parents=True, exist_ok=True)
        before = file.read_text(encoding="utf-8") if title.startswith(_ADD_TO) else ""
        file.write_text(before + block.content, encoding="utf-8")

    def _commands(self, block: Block) -> tuple[str, list[str]]:
        """Run a block's commands; return the block with the outputs that came, and what is wrong."""
        content: list[str] = []
        problems: list[str] = []
        for command, printed in _printed(block.content):
            status, output = self._shell(command)
            expected = _STATUS.search(command)
            content.append(f"$ {command}\n")
            is_expected = status == int(expected[1] if expected else 0)
            if not is_expected:
                problems.append(f"{command}: exit status {status}\n{output}")
            if not printed or not is_expected or self._is_right(printed, output):
                content.append(printed)
            else:
                content.append(_tidy(output))
                problems.append(f"{command}: {_difference(printed, output)}")
        return "".join(content), problems

    def _shell(self, command: str) -> tuple[int, str]:
        """Run a line of a shell; a `cd` in it holds for the next ones."""
        self.ran += 1
        for printed, real in self.addresses.items():
            command = command.replace(printed, real)
        into = self.folder.parent / "where"
        done = subprocess.run(
            ["bash", "-c", f'{command}\nstatus=$?; pwd > {shlex.quote(str(into))}; exit "$status"'],
            cwd=self.folder,
            env={**self.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=300,
        )
        self.folder = Path(into.read_text(encoding="utf-8").strip())
        output = done.stdout.replace(str(self.home), "/home/you")
        for printed, real in self.addresses.items():
            name = re.search(r"/(t_\w+)", real)
            there = rf"postgresql\+psycopg://[^\s/]*/{name[1]}[^\s;]*" if name else re.escape(real)
            output = re.sub(there, printed.replace("postgresql:", "postgresql+psycopg:"), output)
        return done.returncode, output

    def _is_right(self, printed: str, output: str) -> bool:
        return not (self.fills and printed.strip() == _ANY) and _is_as_printed(printed, output)

    def _script(self, content: str) -> Iterator[str]:
        """Run a snippet; yield what it complains of."""
        self.ran += 1
        arguments = ["-c", content]
        if ">>> " in content:
            file = self.folder / "snippet.txt"
            file.write_text(content, encoding="utf-8")
            arguments = ["-m", "doctest", str(file)]
        done = subprocess.run(
            [self.python, *arguments],
            cwd=self.folder,
            env={**self.environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        if done.returncode:
            yield done.stdout + done.stderr

    def _select(self, query: str) -> str:
        """Return what a query selects from seedjournal.db, in columns."""
        with closing(sqlite3.connect(self.folder / "seedjournal.db")) as connection:
            try:
                cursor = connection.execute(query)
            except sqlite3.Error as error:
                return f"{error}\n"
            heads = [one[0] for one in cursor.description]
            rows = [["" if cell is None else str(cell) for cell in row] for row in cursor]
        widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
        lines = [heads, ["-" * width for width in widths], *rows]
        return "".join(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() + "\n"
            for line in lines
        )


def _printed(content: str) -> Iterator[tuple[str, str]]:
    """Yield each command of a console block with the output that is printed below it."""
    for part in re.split(r"^\$ ", content, flags=re.MULTILINE):
        if part.strip():
            command, _, output = part.partition("\n")
            yield command, output


def _is_as_printed(printed: str, output: str) -> bool:
    pattern = "".join(
        r"(?:.*\n)*?" if line.strip() == _ANY else ".*".join(map(re.escape, line.rstrip().split(_ANY))) + r" *\n"
        for line in _tidy(printed, compared=True).strip("\n").split("\n")
    )
    return re.fullmatch(pattern, _tidy(output, compared=True).strip("\n") + "\n") is not None


def _tidy(text: str, *, compared: bool = False) -> str:
    """Return text with what varies in one form; to be compared, also without durations and widths of columns."""
    for pattern, instead in (*_VARYING, *([_DURATION] if compared else [])):
        text = pattern.sub(instead, text)
    lines = (line.rstrip() for line in text.split("\n"))
    return "\n".join(re.sub(r"  +", "  ", line) for line in lines) if compared else "\n".join(lines)


def _difference(printed: str, output: str) -> str:
    lines = difflib.unified_diff(
        _tidy(printed).splitlines(), _tidy(output).splitlines(), "printed", "happened", lineterm=""
    )
    return "what is printed does not happen\n" + "\n".join(lines)


def on_path(program: Path) -> dict[str, str]:
    """Return the environment of somebody who installed the program in this folder, with no settings of ours."""
    left = {name: value for name, value in os.environ.items() if not name.startswith(("SEEDJOURNAL_", "GITHUB_"))}
    return {**left, "PATH": f"{program}{os.pathsep}{left.get('PATH', '')}", "COLUMNS": "100", "PYTHONPATH": ""}


def addresses_of(page: Page) -> Iterator[str]:
    """Yield the PostgreSQL addresses in a page's commands."""
    for block in page.blocks:
        if block.language == "console" and block.why_not is None:
            yield from _ADDRESS.findall(block.content)

"""Draws docs/images/terminal.svg from the commands and outputs that README.md prints: `python examples/terminal.py`.

The tests hold README.md to what the commands really print, so the picture shows the same.
"""

import io
import re
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "images" / "terminal.svg"
WIDTH = 100


def lines() -> list[str]:
    """Return the lines of README's console blocks, from its own example."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    part = text.partition("## With it")[2].partition("## Try it")[0]
    return "".join(re.findall(r"```console\n(.*?)```", part, re.DOTALL)).splitlines()


def draw() -> str:
    """Return the picture: commands bold, what was added green."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    for line in lines():
        style = "bold" if line.startswith("$ ") else "green" if line.startswith("+ ") else ""
        console.print(Text(line, style), soft_wrap=False)
    picture = console.export_svg(title="seedjournal", unique_id="seedjournal")
    return re.sub(r"@font-face \{.*?\}", "", picture, flags=re.DOTALL)  # it loads nothing from elsewhere


if __name__ == "__main__":
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(draw(), encoding="utf-8")

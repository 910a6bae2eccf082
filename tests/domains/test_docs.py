"""The tutorial works as printed."""

from __future__ import annotations

import re
from pathlib import Path

from tests.seedjournal.commands import Done, spawn

PAGE = (Path(__file__).parents[2] / "docs" / "domains.md").read_text(encoding="utf-8")
TEN_MINUTES = PAGE.partition("## Ten minutes")[2].partition("\n## ")[0]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEN_MINUTES, re.DOTALL)


def test_the_tutorial_works_as_printed(tmp_path: Path) -> None:
    for name, language in (("seedjournal.toml", "toml"), ("books.csv", "csv"), ("seeds.py", "python")):
        (content,) = blocks(language)
        (tmp_path / name).write_text(content)
    first, second = ([line[len("$ seedjournal ") :] for line in one.splitlines()] for one in blocks("console"))
    outputs = [run(line, tmp_path) for line in first]
    assert "2 events" not in outputs[0].out
    again = [run(line, tmp_path) for line in first]
    assert "nothing simulated" in again[0].out
    assert "nothing changed" in again[1].out
    books = tmp_path / "books.csv"
    books.write_text(books.read_text().replace("111,Dune\n", "333,Ulysses\n111,Dune\n"))
    after = [run(line, tmp_path) for line in second]
    assert re.search(r"book +1 +0 +0", after[-1].out)
    assert run("verify", tmp_path).out.startswith("ok: ")


def run(line: str, folder: Path) -> Done:
    done = spawn(*line.split(), folder=folder)
    assert done.status == 0, done.err
    return done

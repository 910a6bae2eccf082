"""A git repository with pull requests, made at once, and a hub that tells of the same history."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from seedjournal.simulators.engineering.git.source import GitSource
from tests.simulators.github.hub import Hub, pull
from tests.simulators.github.world import REPO

_BEGIN = 1_704_067_200  # 2024-01-01
_HOUR = 3600


def clone_of(folder: Path, count: int) -> Path:
    """A bare repository with so many pull requests: merged by merge or by squash, closed, and open.

    Made by one `fast-import`; people have no-reply addresses, so that a clone knows logins and ids.
    """
    environment = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(folder)], check=True, env=environment)
    stream = bytearray()
    marks = iter(range(1, 100 * count + 100))

    def commit(ref: str, who: int, hour: int, message: str, parents: tuple[str, ...], files: dict[str, str]) -> str:
        nonlocal stream
        mark = f":{next(marks)}"
        person = f"Dev {who} <{100 + who}+dev-{who}@users.noreply.github.com> {_BEGIN + hour * _HOUR} +0000"
        text = message.encode()
        stream += f"commit {ref}\nmark {mark}\nauthor {person}\ncommitter {person}\n".encode()
        stream += f"data {len(text)}\n".encode() + text + b"\n"
        for place, parent in enumerate(parents):
            stream += f"{'merge' if place else 'from'} {parent}\n".encode()
        for name, content in files.items():
            body = content.encode()
            stream += f"M 100644 inline {name}\ndata {len(body)}\n".encode() + body + b"\n"
        stream += b"\n"
        return mark

    tip = commit("refs/heads/main", 0, 0, "Begin\n", (), {"README.md": "begin\n"})
    for number in range(1, count + 1):
        who, hour, head = number % 7 + 1, 2 * number, f"refs/pull/{number}/head"
        step = tip
        files: dict[str, str] = {}
        for place in range(60 if number % 97 == 0 else 1 + number % 3):
            name = f"src/part{number % 50}/file{place}.py"
            files[name] = f"{number} {place}\n" * (1 + number % 4)
            step = commit(head, who, hour + place // 20, f"Work {place} on {number}\n", (step,), {name: files[name]})
        trailer = f"\n\nReviewed-by: @dev-{(number + 1) % 7 + 1}\n"
        if number % 10 == 0:
            stream += f"reset refs/pull/{number}/merge\nfrom {step}\n\n".encode()  # still open
        elif number % 10 != 1:
            is_merge = number % 2 == 0
            message = f"Merge pull request #{number} from dev/topic-{number}\n\nChange {number}" if is_merge else ""
            message = (message or f"Change {number} (#{number})") + trailer
            parents = (tip, step) if is_merge else (tip,)
            tip = commit("refs/heads/main", who, hour + 5, message, parents, files)
    stream += f"reset refs/heads/main\nfrom {tip}\n\n".encode()
    subprocess.run(
        ["git", "-C", str(folder), "fast-import", "--quiet", "--force"],
        input=bytes(stream),
        check=True,
        env=environment,
    )
    return folder


def hub_of_clone(folder: Path) -> Hub:
    """A hub that tells of what the source `git` reads in a clone."""
    return Hub(pull(one) for one in GitSource(str(folder), repo=REPO).pull_requests())

"""The program as a process: signals, pipes, terminals and start-up."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from seedjournal.cli import COMMANDS, main
from tests.seedjournal.commands import FORTY, PROGRAM, TWENTY, Done, entry, execute, rows_of, spawn, write_cache

Run = Callable[..., Done]

ROOT = Path(__file__).parents[2]
BIG = ("record", "--project", "demo", "--new", "--source", "demo", "--set", "prs=4000")
HEAVY = ("faker", "sqlalchemy", "alembic", "rich", "msgspec", "httpx2", "orjson", "psycopg")
ROOMS = ("seedjournal.journal.", "seedjournal.projectors.", "seedjournal.simulators.")
WAITING_ROOM = {"seedjournal.simulators.engineering", "seedjournal.simulators.engineering.api"}  # loads the rest, later


def imported(folder: Path, *lines: tuple[str, ...]) -> list[tuple[int, set[str]]]:
    """How each of these command lines ends in one process, and the modules that it has loaded by then."""
    code = (
        "import sys, json\n"
        "from seedjournal.cli import main\n"
        f"for line in {lines!r}:\n"
        "    try:\n"
        "        main(list(line))\n"
        "    except SystemExit as stop:\n"
        "        print(json.dumps([stop.code or 0, sorted(sys.modules)]), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], cwd=folder, capture_output=True, text=True, check=True)
    found = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("[")]
    assert len(found) == len(lines), done.stderr
    return [(status, set(modules)) for status, modules in found]


def test_neither_help_nor_what_is_mistyped_loads_anything_heavy(tmp_path: Path) -> None:
    helps = (("--help",), ("--version",), *((name, "--help") for name in COMMANDS))
    mistyped = (("recrod",), ("record", "--sorce", "demo"), ("project", "--wait", "x"))
    for line, (status, loaded) in zip((*helps, *mistyped), imported(tmp_path, *helps, *mistyped), strict=True):
        assert status == (2 if line in mistyped else 0), line
        heavy = {name for name in loaded if name.partition(".")[0] in HEAVY or name.startswith(ROOMS)}
        assert not heavy - WAITING_ROOM, line


def test_log_loads_neither_faker_nor_another_database_nor_projectors(tmp_path: Path, run: Run) -> None:
    run("migrate")
    ((status, loaded),) = imported(tmp_path, ("log",))
    assert status == 0
    assert loaded & {"faker", "sqlalchemy.dialects.postgresql", "seedjournal.projectors.replay"} == set()


def test_tables_of_ours_cost_no_start_up_for_tables_of_others(tmp_path: Path, run: Run) -> None:
    run(*BIG[:-1], "prs=10")
    run("project")  # the first one makes tables, with Alembic
    ((status, loaded),) = imported(tmp_path, ("project",))
    assert status == 0
    assert "seedjournal.projectors.replay" in loaded
    more = ("seedjournal.projectors.mapp", "faker", "sqlalchemy.dialects.postgresql")
    assert not [name for name in loaded if name.startswith(more)]


def test_optimised_python_loses_no_help(tmp_path: Path) -> None:
    code = (
        "import contextlib\n"
        "from seedjournal.cli import main\n"
        f"for name in [None, *{list(COMMANDS)!r}]:\n"
        "    with contextlib.suppress(SystemExit):\n"
        "        main([*filter(None, [name]), '--help'])"
    )
    plain, optimised = (
        subprocess.run(
            [sys.executable, "-P", *options, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
        ).stdout
        for options in ((), ("-B", "-OO"))
    )
    assert optimised == plain
    assert plain.count("Usage: ") == 1 + len(COMMANDS)


def interrupt(folder: Path, code: str, *arguments: str, after: str) -> Done:
    """Send SIGINT to a command once it has said `after` on stderr."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", f"{code}\nfrom seedjournal.cli import main\nmain()", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr is not None
    while (line := process.stderr.readline()) and line != f"{after}\n":
        pass
    os.kill(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    return Done(process.returncode, out, err)


WAITING = """
import sys, time
from importlib import import_module
room = import_module({module!r})
whole = room.{name}
def wait(*given, **named):
    if {behind}:
        done = whole(*given, **named)
    print("there", file=sys.stderr, flush=True)
    time.sleep(60)
room.{name} = wait
"""
MOMENTS = {
    "reading": ("seedjournal.simulators.engineering.recording", "take_census", False),
    "before appending": ("seedjournal.journal.sealing", "manifest_of", False),
    "appended, not sealed": ("seedjournal.journal.sealing", "_compare", True),
    "sealing": ("seedjournal.journal.sealing", "add", True),
}


@pytest.mark.parametrize(
    "moment", [pytest.param(one, marks=[pytest.mark.soak] * (one != "sealing")) for one in MOMENTS]
)
def test_an_interrupted_recording_leaves_nothing_half_done(
    moment: str, make_url: Callable[[str], str], tmp_path: Path, run: Run, url: str
) -> None:
    module, name, behind = MOMENTS[moment]
    place = ("--journal", url)
    run("migrate", *place)
    code = WAITING.format(module=module, name=name, behind=behind)
    done = interrupt(tmp_path, code, *TWENTY, *place, after="there")
    assert (done.status, done.out, done.err) == (130, "", "error: Interrupted; nothing is half written.\n")
    assert run("log", "--json", *place).json["runs"] == []
    run("verify", *place)
    again = run(*TWENTY, *place, "--json").first
    undisturbed = run(*TWENTY, "--journal", make_url("sqlite"), "--json").first
    assert (again["root"], again["state"]) == (undisturbed["root"], undisturbed["state"])
    run("verify", *place)


def test_an_interrupt_within_generated_code_is_told_like_any_other() -> None:
    """The interpreter would end `python -m` by the signal, though the interrupt was dealt with."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.seedjournal.interrupted"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "error: Interrupted; nothing is half written.\n"


@pytest.mark.soak
def test_a_big_recording_is_interrupted_wherever_it_is(tmp_path: Path, run: Run) -> None:
    begun = time.monotonic()
    subprocess.run([*PROGRAM, *BIG], cwd=tmp_path, check=True, capture_output=True)
    whole = time.monotonic() - begun
    statuses = []
    for share in (0.3, 0.5, 0.7, 0.9, 1.0):
        (folder := tmp_path / str(share)).mkdir()
        process = subprocess.Popen(
            [*PROGRAM, *BIG],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        time.sleep(share * whole)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        statuses.append(process.returncode)
        if process.returncode:
            assert (process.returncode, out) == (130, "")
            assert err.splitlines()[-1] == "error: Interrupted; nothing is half written."
        else:
            assert out.startswith("demo: run 1, ")
        assert "Traceback" not in err
        if (folder / "seedjournal.db").exists() and rows_of(journal := f"sqlite:///{folder}/seedjournal.db"):
            run("verify", "--journal", journal)
    assert 130 in statuses


def test_an_interrupt_after_the_end_changes_nothing(tmp_path: Path) -> None:
    code = (
        "import atexit, os, signal\n"
        "atexit.register(os.kill, os.getpid(), signal.SIGINT)\n"
        "from seedjournal.cli import main\n"
        "main(['registry'])"
    )
    place = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=place, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def pipeline(folder: Path, line: str) -> subprocess.CompletedProcess[str]:
    """A shell's pipeline in which `seedjournal` is the program; its exit status is the program's."""
    program = " ".join(PROGRAM)
    script = f'seedjournal() {{ {program} "$@"; }}; set -o pipefail; {line}'
    return subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, text=True, check=False)


def test_a_pipe_that_is_closed_early_is_no_failure(run: Run, tmp_path: Path) -> None:
    run(*TWENTY)
    run(*FORTY, "--set", "prs=200")
    for reader in ("diff | head -1", "diff --json | head -c 10", "--help | true"):
        done = pipeline(tmp_path, f"seedjournal {reader}")
        assert (done.returncode, done.stderr) == (0, ""), reader


def test_work_is_done_though_nobody_reads_about_it(run: Run, tmp_path: Path) -> None:
    run(*TWENTY)
    done = pipeline(tmp_path, "seedjournal project 2>&1 | true")
    assert (done.returncode, done.stderr) == (0, "")
    url = f"sqlite:///{tmp_path}/seedjournal.db"
    assert len(rows_of(url, "pull_requests")["pull_requests"]) == 20


def test_closed_and_full_outputs(run: Run, tmp_path: Path) -> None:
    run(*TWENTY)
    assert pipeline(tmp_path, "seedjournal verify 2>&-").returncode == 0
    assert pipeline(tmp_path, "seedjournal diff demo@latest >&-").returncode == 0
    if Path("/dev/full").exists():
        done = pipeline(tmp_path, "seedjournal log > /dev/full")
        assert (done.returncode, done.stderr.count("\n")) == (3, 2)


def on_terminal(folder: Path, *arguments: str, columns: int = 80, keys: str = "") -> tuple[int, str]:
    """Run a command on a terminal of its own, typing `keys`; its exit status and what the screen got.

    Its process is forked from this one, which has imported everything.
    """
    pid, terminal = pty.fork()
    if pid == 0:
        os._exit(_in_child(folder, arguments, columns))
    if keys:
        os.write(terminal, keys.encode())
    seen = b""
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:
            break
        if not piece:
            break
        seen += piece
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), seen.decode().replace("\r\n", "\n")


def _in_child(folder: Path, arguments: Sequence[str], columns: int) -> int:
    """Run a command in a new process's place; its exit status."""
    os.chdir(folder)
    os.environ.pop("COLUMNS", None)
    fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115 - the terminal
    try:
        main(arguments)
    except SystemExit as stop:
        return int(stop.code or 0)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def plain(screen: str) -> list[str]:
    """What stays on the screen, without the moving bar."""
    return [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", line) for line in screen.splitlines() if "\x1b[" not in line]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_sixty_columns_are_enough(run: Run, tmp_path: Path) -> None:
    run(*TWENTY)
    run("project")
    run(*FORTY)
    run(*FORTY, "--fresh", "--set", "prs=30")
    shown = (
        ("log",),
        ("registry",),
        ("project", "--dry-run"),
        ("diff", "1", "2"),
        ("diff", "1", "2", "--stat"),
        ("verify",),
    )
    for arguments in (
        *shown,
        ("migrate",),
        ("forget", "--keep-runs", "1", "--dry-run"),
        ("unseed", "demo", "--dry-run"),
    ):
        status, screen = on_terminal(tmp_path, *arguments, columns=60)
        assert status == 0
        for line in plain(screen):
            assert len(line) <= 60, (arguments, line)
    for options in ((), ("--set", "prs=25"), ("--since", "2025-06-15", "--set", "prs=25")):
        screen = on_terminal(tmp_path, *FORTY, *options, columns=60)[1]
        assert all(len(line) <= 60 or "━" in line for line in plain(screen)), screen
    execute(f"sqlite:///{tmp_path}/seedjournal.db", "DELETE FROM pr_files")
    status, screen = on_terminal(tmp_path, "verify", columns=60)
    assert status == 1
    for line in plain(screen):
        assert len(line) <= 60 or len(line.split()) == 1, (
            line
        )  # a file's long path is not broken, so that it can be copied
    assert max(map(len, plain(on_terminal(tmp_path, "show", "2")[1]))) <= 80
    for arguments in (("show", "nobody@latest"), ("show", "pull_request", "demo"), ("record", "--project", "polr")):
        status, screen = on_terminal(tmp_path, *arguments)
        assert status == 2
        assert max(map(len, plain(screen))) <= 80, screen
    narrow = on_terminal(tmp_path, "log", columns=30)[1]
    assert run("log", "--json").json["runs"][0]["root"][:8] in narrow  # nothing is cut off


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_terminal_shows_two_hundred_changes_and_says_so(run: Run, tmp_path: Path) -> None:
    run(*TWENTY)
    run(*FORTY, "--set", "prs=120")
    screen = on_terminal(tmp_path, "diff")[1]
    assert len(re.findall(r"^(?:\x1b\[\d+m)*[+~-] ", screen, re.MULTILINE)) == 200
    assert "more changes left out; --limit N shows more" in screen
    assert "left out" not in on_terminal(tmp_path, "diff", "--limit", "100000")[1]


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_terminal_is_asked_before_rows_go(run: Run, tmp_path: Path) -> None:
    run(*TWENTY)
    run("project")
    status, screen = on_terminal(tmp_path, "project", "--rebuild", keys="n\n")
    assert status == 130
    assert "Rebuild rows and prune 0 stale rows in sqlite:///seedjournal.db? [y/N]" in screen
    assert screen.index("target: ") < screen.index("Rebuild")
    status, screen = on_terminal(tmp_path, "project", "--prune", keys="y\n")
    assert status == 0
    assert "nothing changed" in screen


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_titles_cannot_write_on_the_terminal(run: Run, tmp_path: Path) -> None:
    write_cache(tmp_path / "cache", entry(1), entry(2, title="\x1b[2J\x1b]0;x\x07 \u202eevil " + "x" * 300))
    run("record", "--project", "rocket", "--new", "--source", "cache:cache")
    status, screen = on_terminal(tmp_path, "show", "pull_request", "rocket", "acme/rocket", "2")
    assert status == 0
    assert "\x1b" not in screen
    assert "\u202e" not in screen
    assert r"\x1b[2J\x1b]0;x\x07 \u202eevil " in screen
    assert "characters)" in screen


def test_the_program_is_a_module_and_a_command(tmp_path: Path) -> None:
    command = Path(sys.executable).with_name("seedjournal")
    as_command = subprocess.run(
        [command, "registry", "--json"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert spawn("registry", "--json", folder=tmp_path).out == as_command.stdout


@pytest.mark.parametrize("module", ["click", "seedjournal.simulators"])
def test_an_interrupt_while_modules_load_ends_quietly(module: str, tmp_path: Path) -> None:
    """The interrupt comes at the moment when the program imports this module."""
    code = (
        "import os, signal, sys\n"
        "class Interrupting:\n"
        "    def find_spec(self, name, *_):\n"
        f"        if name == {module!r}:\n"
        "            sys.meta_path.remove(self)\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupting())\n"
        "from seedjournal.__main__ import main\n"
        "main()"
    )
    command = [sys.executable, "-P", "-c", code, "record", "--project", "demo", "--source", "demo"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "error: Interrupted; nothing is half written.\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [("fetched",), ("record", "--project", "x", "--new", "--source", "git:clone")])
def test_systems_without_posix_modules_work(command: tuple[str, ...], tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main", clone], check=True)
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    subprocess.run(["git", "-C", clone, *identity, "commit", "--quiet", "--allow-empty", "-m", "Begin"], check=True)
    code = "import sys\nfor name in ('fcntl', 'resource'):\n    sys.modules[name] = None\n"
    code += "from seedjournal.__main__ import main\nmain()"
    environment = {**os.environ, "SEEDJOURNAL_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, *command],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_changes_are_coloured_on_a_terminal_alone(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    run(*TWENTY)
    run(*FORTY)
    assert "\x1b[32m+ " in on_terminal(tmp_path, "diff")[1]
    assert "\x1b" not in run("diff").out
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[3" not in on_terminal(tmp_path, "diff")[1]

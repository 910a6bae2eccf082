"""The command line: it finds the command, runs it, and turns whatever happens into an exit status.

Nothing but click is imported before a command is asked for, and its rooms are loaded when it runs: help and mistyped
options are there at once.
"""

from __future__ import annotations

import atexit
import contextlib
import difflib
import gc
import io
import logging
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

import click

from .commands import FINE, exits, load_rooms_later

_SETTINGS: dict[str, Any] = {"help_option_names": ["-h", "--help"], "max_content_width": 100}

# Each command with the module of its family, and what the list of commands says of it.
COMMANDS = {
    "init": ("init", "Write a first domain for a database that has tables."),
    "record": ("record", "Record projects: each gets a new run in the journal."),
    "project": ("project", "Bring tables to the newest runs, or to one run."),
    "check": ("check", "Check whether a map fits the target's tables."),
    "diff": ("diff", "List what differs between two runs."),
    "log": ("looking", "List the journal's runs."),
    "show": ("looking", "Show one run, or one entity over all runs."),
    "verify": ("verify", "Check every hash, manifest, state and row."),
    "fetched": ("fetched", "List, delete or export what was fetched from GitHub."),
    "forget": ("forget", "Remove old runs, or whole projects, from the journal."),
    "unseed": ("forget", "Delete a project's rows from the target."),
    "registry": ("looking", "List the built-in projects."),
    "migrate": ("migrate", "Create or upgrade seedjournal's own tables."),
}


class _Commands(click.Group):
    """Loads a command's family when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - the list is one for all
        """Return the commands' names."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command."""
        if cmd_name not in COMMANDS:
            near = difflib.get_close_matches(cmd_name, COMMANDS, n=1)
            ctx.fail(f"No such command {cmd_name!r}." + (f" Did you mean {near[0]}?" if near else ""))
        family = import_module(f"{__package__}.commands.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(family, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - the same
        """Write the list of commands without loading any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in sorted(COMMANDS)])


@click.group(
    help="Seed a database, seed it again, and see exactly what changed.\n\n"
    "`record` stores a project's data as events in a journal, each distinct event once. `project` brings tables to the "
    "state after a run. `diff` lists what differs between two runs. Repeating a command with the same input changes "
    "nothing.",
    cls=_Commands,
    context_settings=_SETTINGS,
    no_args_is_help=False,
    epilog="\b\nA first try, in an empty folder:\n"
    "  seedjournal record --project demo --new --source demo\n"
    "  seedjournal project\n"
    "  seedjournal record --project demo --source demo --set prs=220\n"
    "  seedjournal diff --stat\n\n" + exits("fine", "a difference or a failed check, where asked for"),
)
@click.version_option(package_name="seedjournal", message="%(prog)s %(version)s")
def cli() -> None:
    """Hold the commands."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command, and turn whatever happens into an exit status."""
    logging.getLogger("sqlalchemy").addHandler(
        logging.NullHandler()
    )  # an interrupt while it closes is reported once, by us
    gc.set_threshold(100_000, 20, 50)  # looking for cycles, of which there are few, took a tenth of a recording
    load_rooms_later()
    if "_SEEDJOURNAL_COMPLETE" in os.environ:  # a shell asks for completions, which click gives
        cli.main(prog_name="seedjournal")
    given = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # for what the terminal's encoding does not know
    try:
        with cli.make_context("seedjournal", given[:]) as context:
            code = cli.invoke(context) or FINE
    except click.exceptions.Exit as stop:
        code = stop.exit_code
    except BrokenPipeError:  # the reader closed the pipe
        code = FINE
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - every failure has an exit status
        if isinstance(error, KeyboardInterrupt):
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second one would break off saying so
        from .commands.options import print_json
        from .failures import complain, explain, trace

        failure = explain(error)
        code = failure.status
        with contextlib.suppress(OSError):  # nobody listens
            if "--debug" in given:
                trace(error)
            if "--json" in given:
                print_json(failure.document)
            else:
                complain(failure)
    _leave(code)


def _leave(code: int) -> NoReturn:
    """Exit with this status, whatever a closed pipe or a full disk did not take of what was printed."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())  # what is still to be printed goes nowhere
    # An interrupt that ended an exec somewhere below, which libraries use, would make `python -m` end by signal, though
    # it was dealt with; any other exec makes the interpreter forget it.
    exec("")  # noqa: S102 - of nothing
    atexit.register(
        signal.signal, signal.SIGINT, signal.SIG_IGN
    )  # an interrupt from here on must not change the exit status
    atexit.register(gc.freeze)  # looking for cycles at the end took a tenth of a short command
    sys.exit(code)

"""What `--help` says, to the letter, on 80 columns. Renewed with RENEW_GOLDEN=1."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from seedjournal.cli import COMMANDS
from tests.seedjournal.commands import Done


@pytest.mark.parametrize("command", ["", *sorted(COMMANDS)])
def test_help_is_as_it_was(command: str, run: Callable[..., Done], golden: Callable[[str, str], None]) -> None:
    done = run(*command.split(), "--help")
    assert done.err == ""
    assert max(map(len, done.out.splitlines())) <= 80
    golden(f"help-{command or 'seedjournal'}", done.out)


def test_no_help_of_the_command_list_is_cut_short(run: Callable[..., Done]) -> None:
    assert "..." not in run("--help").out.replace("[ARGS]...", "")


def test_every_command_has_the_common_options(run: Callable[..., Done]) -> None:
    for command in COMMANDS:
        text = run(command, "--help").out
        for option in ("--journal", "--target", "--json", "-q, --quiet", "--wait", "--debug", "Exit status:"):
            assert option in text, (command, option)


def test_h_is_help_and_a_version_is_told(run: Callable[..., Done]) -> None:
    assert run("log", "-h").out == run("log", "--help").out
    assert run("--version").out.startswith("seedjournal ")


def test_no_command_is_wrong_use(run: Callable[..., Done]) -> None:
    done = run(status=2)
    assert (done.out, done.err) == ("", "error: Missing command.\n  try: Run `seedjournal --help`.\n")

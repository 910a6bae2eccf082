"""The command line: it parses, calls and renders.

Nothing but click is imported before a command runs, so that help is there at once.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import io
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, NoReturn

import click

if TYPE_CHECKING:
    from .app import Place
    from .failures import Failure

FINE, DIFFERENT = 0, 1  # what else there is stands in failures.py

_SETTINGS: dict[str, Any] = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
_ON_A_TERMINAL = 200  # changes that diff shows there unless told otherwise
_IN_MEMORY = 1 << 20  # bytes of a JSON document before it goes through a file
_LARGEST = 2**53 - 1  # an integer that every JSON reader holds
_LONGEST_WAIT = 86_400
_MOST_JOBS = 256


def _cores() -> int:
    """How many cores this process may use."""
    return min(_MOST_JOBS, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def _exits(fine: str, different: str = "") -> str:
    """The exit statuses, as the end of a command's help."""
    found = f"  1    {different}\n" if different else ""
    return (
        f"\b\nExit status:\n  0    {fine}\n{found}"
        "  2    the command was used wrongly\n"
        "  3    it could not be done: bad input, no database, no such file\n"
        "  4    a bug of seedjournal's\n"
        "  130  interrupted; nothing is half done"
    )


_RUN = (
    "\b\nRUN is one of\n"
    "  3                a run's number\n"
    "  1280b9c          the first 7 or more digits of a root\n"
    "  PROJECT@latest   the project's newest run\n"
    "  PROJECT@-2       2 runs before it\n\n"
)


class _Day(click.ParamType):  # type: ignore[type-arg]
    """A date, YYYY-MM-DD."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """The date that the text says."""
        if isinstance(value, date):
            return value
        try:
            return datetime.strptime(value, "%Y-%m-%d").date()  # noqa: DTZ007 - a day, no instant
        except ValueError:
            self.fail(f"{value!r} is not a date like 2025-06-30", param, ctx)


class _Whole(click.ParamType):  # type: ignore[type-arg]
    """A whole number in a range that is told when it is left; click's own would tell it in every help."""

    name = "number"

    def __init__(self, lowest: int, highest: int) -> None:
        self._range = click.IntRange(lowest, highest)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number that the text says."""
        return int(self._range.convert(value, param, ctx))


_DAY = _Day()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Common:
    """The options that every command has."""

    journal: str | None
    target: str | None
    as_json: bool
    quiet: bool
    wait: int
    debug: bool

    def place(self, schema: str | None = None) -> Place:
        """The databases to work on."""
        from .app import Place

        return Place(journal=self.journal, target=self.target, wait=self.wait, schema=schema)

    def give(self, document: Any, render: Callable[[Any], str]) -> None:
        """Print a result on stdout: as JSON, or rendered for people."""
        if self.as_json:
            _print_json(document)
        else:
            _print_text(render(document))


def _common(command: Callable[..., int]) -> Callable[..., int]:
    """Give a command the options that every command has, as its first argument."""
    options = (
        click.option(
            "--journal",
            metavar="URL",
            help="The journal's database. [env SEEDJOURNAL_JOURNAL; default sqlite:///seedjournal.db]",
        ),
        click.option(
            "--target",
            metavar="URL",
            help="The database that rows go to. [env SEEDJOURNAL_TARGET; default: the journal's]",
        ),
        click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout, an error too."),
        click.option("-q", "--quiet", is_flag=True, help="No progress and no messages."),
        click.option(
            "--wait",
            metavar="SECONDS",
            type=_Whole(0, _LONGEST_WAIT),
            default=120,
            help="How long to wait for a busy database. [default: 120]",
        ),
        click.option("--debug", is_flag=True, help="Show a traceback with an error."),
    )

    @functools.wraps(command)
    def run(
        *, journal: str | None, target: str | None, as_json: bool, quiet: bool, wait: int, debug: bool, **own: Any
    ) -> int:
        common = _Common(journal=journal, target=target, as_json=as_json, quiet=quiet, wait=wait, debug=debug)
        return command(common, **own)

    for option in reversed(options):
        run = option(run)
    return run


@click.group(
    context_settings=_SETTINGS,
    no_args_is_help=False,
    epilog="\b\nA first try, in an empty folder:\n"
    "  seedjournal record --project demo --new --source demo\n"
    "  seedjournal project\n"
    "  seedjournal record --project demo --source demo --set prs=220\n"
    "  seedjournal diff --stat\n\n"
    "\b\nExit status:\n"
    "  0    fine\n"
    "  1    a difference or a failed verification was found, where asked for\n"
    "  2    the command was used wrongly\n"
    "  3    it could not be done: bad input, no database, no such file\n"
    "  4    a bug of seedjournal's\n"
    "  130  interrupted; nothing is half done",
)
@click.version_option(package_name="seedjournal", message="%(prog)s %(version)s")
def cli() -> None:
    """Seed a database once, and again, and know exactly what changed.

    record turns a project's history into events in a journal, each kept once; project brings tables to a run's state;
    diff tells what separates two runs. A second run of the same changes nothing.
    """


@cli.command(
    short_help="Record projects: a source becomes one sealed run.",
    epilog="\b\nSources:\n"
    "  demo              an invented project; needs no network\n"
    "  cache:PATH        a file OWNER/REPO.json or .json.gz, or a folder of them\n"
    "  git:PATH-or-URL   a git repository; a URL is cloned first\n"
    "  github            GitHub's API; needs a token, see docs/github.md\n\n"
    "\b\nPolicies, for each kind:\n"
    "  once     the first content stands, and what is gone stays\n"
    "  upsert   the newest content stands, and what is gone stays\n"
    "  exact    the newest content stands, and what is gone goes\n\n"
    "With several projects, one's failure stops no other; the exit status is then the highest of theirs.\n\n"
    + _exits("recorded"),
)
@click.option("--project", "projects", metavar="NAME", multiple=True, help="The project to record; may be repeated.")
@click.option("--all", "every", is_flag=True, help="Every project of seedjournal.toml, else of the registry.")
@click.option("--source", metavar="SOURCE", help="Where facts come from. [default: the project's setting, else github]")
@click.option("--new", is_flag=True, help="The name is new: neither registry, settings nor journal knows it.")
@click.option(
    "--seed",
    metavar="N",
    type=_Whole(-_LARGEST, _LARGEST),
    default=42,
    help="What every draw depends on. [default: 42]",
)
@click.option("--as-of", metavar="DATE", type=_DAY, help="The simulators' today. [default: of the newest activity]")
@click.option("--since", metavar="DATE", type=_DAY, help="Only pull requests created on this day (UTC) or later.")
@click.option("--until", metavar="DATE", type=_DAY, help="Only pull requests created before this day (UTC).")
@click.option(
    "--set",
    "sets",
    metavar="KEY=VALUE",
    multiple=True,
    help="Any project setting, such as survey_response_rate=0.5; may be repeated.",
)
@click.option(
    "--policy",
    "policies",
    metavar="KIND=POLICY",
    multiple=True,
    help="Which content of a kind stands: once, upsert or exact; may be repeated.",
)
@click.option(
    "--fresh", is_flag=True, help="Make every kind `exact` for this run: the state becomes what the run states."
)
@click.option("--no-reuse", is_flag=True, help="Simulate even where all inputs are those of an earlier run.")
@click.option("--skip-invalid", is_flag=True, help="Leave out entries that cannot be right, and list them.")
@click.option(
    "--jobs",
    metavar="N",
    type=click.IntRange(1, _MOST_JOBS),
    default=_cores,
    help="How many processes simulate; the run is the same. [default: one for each core]",
)
@click.option(
    "--accept-upgrade",
    is_flag=True,
    help="Record what other versions of tools make otherwise of an input that was recorded before.",
)
@click.option("--offline", is_flag=True, help="Ask no server: record what was fetched before.")
@click.option("--estimate", is_flag=True, help="Say what fetching from GitHub would take, and record nothing.")
@_common
def record(common: _Common, *, no_reuse: bool, estimate: bool, **choice: Any) -> int:
    """Record projects: each distinct event once, and one run that names them.

    Says what the run adds to the journal, what it changes against the project's previous run, and which inputs differ
    from it. The same inputs give the same root, on any machine and either database.
    """
    from . import app, render
    from .progress import Progress

    chosen = app.RecordChoice(reuse=not no_reuse, **choice)
    if estimate:
        common.give(app.estimate(common.place(), chosen), render.estimated)
        return FINE
    with Progress(quiet=common.quiet) as progress:
        outcome = app.record(common.place(), chosen, progress.stage)
    common.give(outcome.document, render.recorded)
    for error, failure in outcome.failures:
        if common.debug:
            _trace(error)
        _complain(failure)
    return max((failure.status for _, failure in outcome.failures), default=FINE)


@cli.command(
    short_help="Bring tables to the state of the newest runs, or of a run.",
    epilog="\b\nWhat is counted, for each kind:\n"
    "  inserted   rows added\n"
    "  updated    rows brought to the state's content\n"
    "  unchanged  rows that were as they should be\n"
    "  kept       entities whose first content stands against the run (once)\n"
    "  deleted    stale rows that --prune took away\n"
    "  stale      rows of ours whose entity has left the state\n"
    "  retained   stale rows that another row still refers to\n"
    "  foreign    rows that were there under ids of their own\n\n" + _RUN + _exits("the tables are as they should be"),
)
@click.option("--project", "projects", metavar="NAME", multiple=True, help="Only this project; may be repeated.")
@click.option("--run", metavar="RUN", help="The state after this run, of its project only. [default: the newest]")
@click.option("--kind", "kinds", metavar="KIND", multiple=True, help="Move only this kind's rows; may be repeated.")
@click.option("--schema", metavar="NAME", help="The PostgreSQL schema that rows go to.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.option("--prune", is_flag=True, help="Delete stale rows that no other row refers to.")
@click.option("--rebuild", is_flag=True, help="Restore every row of the projects, whatever was done to it, and prune.")
@click.option("--yes", is_flag=True, help="Do not ask before --prune or --rebuild.")
@_common
def project(  # noqa: PLR0913 - its options
    common: _Common,
    *,
    projects: tuple[str, ...],
    run: str | None,
    kinds: tuple[str, ...],
    schema: str | None,
    dry_run: bool,
    prune: bool,
    rebuild: bool,
    yes: bool,
) -> int:
    """Bring tables to the state of each project's newest run, or of a run.

    Only what differs is written. Rows that were there under ids of their own are honoured; rows of ours whose entity
    has left the state stay, counted stale, until --prune. Everything happens in one transaction a project.
    """
    from seedjournal.projectors import Choice

    from . import app, render, terminal
    from .progress import Progress

    deed = "" if yes or dry_run else "rebuild rows and prune" if rebuild else "prune stale rows" if prune else ""
    if deed and not _is_terminal(sys.stdin):
        raise click.UsageError(f"--yes is needed to {deed} without a terminal")

    def say(address: str) -> None:
        if not common.as_json and not common.quiet:
            _echo_if_read(f"target: {terminal.shown(address)}")
        if deed:
            click.confirm(f"{deed.capitalize()} in {terminal.shown(address)}?", abort=True, err=True)

    choice = Choice(kinds=kinds or None, prune=prune, rebuild=rebuild, dry_run=dry_run)
    with Progress(quiet=common.quiet) as progress:
        document = app.project(common.place(schema), projects, run, choice, progress.stage, say)
    common.give(document, render.projected)
    return FINE


@cli.command(
    short_help="What separates two runs, entity by entity.",
    epilog="\b\nSymbols:\n"
    "  + kind key           only run B states the entity\n"
    "  - kind key           only run A states it\n"
    "  ~ kind key           both do, and differently:\n"
    "      field: old → new\n\n"
    + _RUN
    + _exits("compared", "with --exit-code only: the difference that was asked for is not empty"),
)
@click.argument("runs", metavar="[A [B]]", nargs=-1)
@click.option("--project", "project_name", metavar="NAME", help="Whose runs, where the journal has several projects.")
@click.option("--stat", is_flag=True, help="Only how many entities of each kind differ.")
@click.option("--kind", "kinds", metavar="KIND", multiple=True, help="Only this kind; may be repeated.")
@click.option(
    "--change",
    "changes",
    metavar="CHANGE",
    type=click.Choice(["added", "removed", "changed"]),
    multiple=True,
    help="Only what is added, removed or changed; may be repeated.",
)
@click.option(
    "--limit",
    type=_Whole(0, _LARGEST),
    metavar="N",
    help=f"Show at most N changes, and say how many are left out. [default: {_ON_A_TERMINAL} on a terminal, else none]",
)
@click.option("--exit-code", is_flag=True, help="Exit with 1 when the shown difference is not empty.")
@_common
def diff(
    common: _Common,
    *,
    runs: tuple[str, ...],
    project_name: str | None,
    stat: bool,
    kinds: tuple[str, ...],
    changes: tuple[str, ...],
    limit: int | None,
    exit_code: bool,
) -> int:
    """What separates two runs, entity by entity and field by field.

    Without runs: the project's last two. With one: that run and its project's newest.
    """
    from . import app, render

    if len(runs) > 2:  # noqa: PLR2004 - two runs
        raise click.UsageError("diff compares two runs")
    if stat:
        limit = 0
    elif limit is None and not common.as_json and _is_terminal(sys.stdout):
        limit = _ON_A_TERMINAL
    with app.diff(common.place(), runs, project_name, kinds=kinds, changes=changes, limit=limit) as comparison:
        if common.as_json:
            _print_whole(render.diff_json(comparison, stat=stat))
        else:
            for piece in render.diff_text(comparison, stat=stat):
                _print_text(piece)
    return DIFFERENT if exit_code and comparison.shown else FINE


@cli.command(short_help="List the journal's runs.", epilog=_exits("listed"))
@click.option("--project", "project_name", metavar="NAME", help="Only this project's runs.")
@_common
def log(common: _Common, *, project_name: str | None) -> int:
    """List the journal's runs, oldest first: what each states, and how it differs from its project's run before."""
    from . import app, render

    common.give(app.log(common.place(), project_name), render.logged)
    return FINE


@cli.command(
    short_help="Show a run, or one entity over all runs.",
    epilog="\b\nExamples:\n"
    "  seedjournal show 3\n"
    "  seedjournal show demo@latest\n"
    "  seedjournal show team_member demo NAME\n"
    "  seedjournal show pull_request demo OWNER/REPO 17\n\n"
    "A kind's KEY is what diff prints behind the kind.\n\n" + _RUN + _exits("shown"),
)
@click.argument("what", metavar="RUN | KIND KEY…", nargs=-1, required=True)
@_common
def show(common: _Common, *, what: tuple[str, ...]) -> int:
    """Show a run with its inputs and counts; or one entity: its contents over the runs, and what made each."""
    from . import app, render

    if app.names_run(what):
        common.give(app.show_run(common.place(), what[0]), render.shown_run)
    else:
        common.give(app.show_entity(common.place(), what[0], what[1:]), render.shown_entity)
    return FINE


@cli.command(
    short_help="Check every hash, manifest, state and row.",
    epilog=_exits("everything is as it should be", "something is not; each finding says where and what"),
)
@click.option("--schema", metavar="NAME", help="The PostgreSQL schema of the rows.")
@_common
def verify(common: _Common, *, schema: str | None) -> int:
    """Check every hash, manifest and state of the journal, and the target's rows against the state they show.

    Rows that are missing or different are findings; foreign and stale rows are listed. Nothing is changed.
    """
    from . import app, render
    from .progress import Progress

    with Progress(quiet=common.quiet) as progress:
        document = app.verify(common.place(schema), progress.stage(""))
    common.give(document, render.verified)
    return FINE if document["ok"] else DIFFERENT


@cli.command(
    short_help="List, delete or export what was fetched from GitHub.",
    epilog="What was fetched lies in the platform's cache folder, or where SEEDJOURNAL_CACHE says.\n\n"
    + _exits("listed, deleted or exported"),
)
@click.argument("repos", metavar="[OWNER/REPO…]", nargs=-1)
@click.option("--delete", is_flag=True, help="Remove it; the next record fetches anew.")
@click.option(
    "--export",
    metavar="FOLDER",
    type=click.Path(file_okay=False),
    help="Write FOLDER/OWNER/REPO.json.gz, which --source cache:FOLDER reads.",
)
@click.option("--yes", is_flag=True, help="Do not ask before --delete.")
@_common
def fetched(common: _Common, *, repos: tuple[str, ...], delete: bool, export: str | None, yes: bool) -> int:
    """List what was fetched from GitHub: of each repository, or of these; or delete or export it.

    Fetching keeps every page that came, and record --offline records from them alone.
    """
    from pathlib import Path

    from . import app, render, terminal

    if delete and export:
        raise click.UsageError("--delete and --export exclude each other")
    if delete and not yes and not _is_terminal(sys.stdin):
        raise click.UsageError("--yes is needed to delete without a terminal")

    def confirm(what: str) -> None:
        if not yes:
            click.confirm(f"Delete {terminal.shown(what)}?", abort=True, err=True)

    if delete:
        common.give(app.delete_fetched(repos, confirm), render.fetched)
    elif export:
        common.give(app.export_fetched(repos, Path(export)), render.fetched)
    else:
        common.give(app.list_fetched(repos), render.fetched)
    return FINE


@cli.command(
    short_help="Take old runs, or whole projects, out of the journal.",
    epilog="\b\nExamples:\n"
    "  seedjournal forget --keep-runs 3 --dry-run\n"
    "  seedjournal forget --keep-runs 1 --project demo\n"
    "  seedjournal forget --project demo --target sqlite:///seedjournal.db\n\n" + _exits("forgotten"),
)
@click.option("--keep-runs", "keep", metavar="N", type=_Whole(0, _LARGEST), help="Keep each project's newest N runs.")
@click.option("--project", "projects", metavar="NAME", multiple=True, help="Only of this project; may be repeated.")
@click.option("--schema", metavar="NAME", help="The PostgreSQL schema of the rows.")
@click.option("--dry-run", is_flag=True, help="Say what would go, and change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask before.")
@_common
def forget(
    common: _Common, *, keep: int | None, projects: tuple[str, ...], schema: str | None, dry_run: bool, yes: bool
) -> int:
    """Take runs out of the journal, with the events and nodes that only they need; there is no way back.

    --keep-runs N leaves the newest N runs of each project, or of those named. --project alone forgets all runs of a
    project, and where --target is given, its rows there too; rows that were there under ids of their own stay. States
    that remain stay as they are, and verify still checks them.
    """
    from . import app, render, terminal

    choice = app.ForgetChoice(projects=projects, keep=keep, dry_run=dry_run)
    if not (yes or dry_run or _is_terminal(sys.stdin)):
        raise click.UsageError("--yes is needed to forget without a terminal")

    def ask(runs: Mapping[str, list[int]], journal: str, target: str | None) -> None:
        if not (yes or dry_run):
            rows = f" and the rows in {terminal.shown(target)}" if target else ""
            which = render.runs_of(runs) or "no runs"
            click.confirm(f"Forget {which} in {terminal.shown(journal)}{rows}?", abort=True, err=True)

    common.give(app.forget(common.place(schema), choice, ask), render.forgotten)
    return FINE


@cli.command(short_help="List the built-in projects.", epilog=_exits("listed"))
@_common
def registry(common: _Common) -> int:
    """List the built-in projects, with the rates of AI adoption and of survey answers; --json says all of it."""
    from . import app, render

    common.give(app.registry(), render.registered)
    return FINE


@cli.command(
    short_help="Create or upgrade the tables of journal and target.",
    epilog=_exits("the tables are those of this version"),
)
@click.option("--schema", metavar="NAME", help="The PostgreSQL schema that rows go to.")
@_common
def migrate(common: _Common, *, schema: str | None) -> int:
    """Create or upgrade the tables of journal and target.

    New databases need no migrate: the first record and the first project make their tables.
    """
    from . import app, render

    common.give(app.migrate(common.place(schema)), render.migrated)
    return FINE


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """The program: run a command, and turn whatever happens into an exit status."""
    logging.getLogger("sqlalchemy").addHandler(
        logging.NullHandler()
    )  # an interrupt while it closes is told once, by us
    gc.set_threshold(100_000, 20, 50)  # looking for cycles, of which there are few, took a tenth of a recording
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
    except BrokenPipeError:  # whoever read us has seen enough
        code = FINE
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - every failure has an exit status
        from .failures import explain

        failure = explain(error)
        code = failure.status
        with contextlib.suppress(OSError):  # nobody listens
            if "--debug" in given:
                _trace(error)
            if "--json" in given:
                _print_json(failure.document)
            else:
                _complain(failure)
    _leave(code)


def _leave(code: int) -> NoReturn:
    """Exit with this status, whatever a closed pipe or a full disk did not take of what was printed."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError:
            _silence(stream)
    # An interrupt that ended an exec somewhere below, which libraries use, would make `python -m` end by signal, though
    # it was dealt with; any other exec makes the interpreter forget it.
    exec("")  # noqa: S102 - of nothing
    atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)  # an interrupt that comes later changes nothing
    atexit.register(gc.freeze)  # looking for cycles at the end took a tenth of a short command
    sys.exit(code)


def _silence(stream: Any) -> None:
    """Let what is still to be printed go nowhere, so that no flush fails any more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _complain(failure: Failure) -> None:
    """Say on stderr what failed, over as many lines as a terminal needs."""
    from .terminal import folded

    click.echo(folded(failure.text) if _is_terminal(sys.stderr) else failure.text, err=True)


def _trace(error: BaseException) -> None:
    import traceback

    from .failures import without_secrets

    click.echo(without_secrets("".join(traceback.format_exception(error))), err=True)


def _is_terminal(stream: Any) -> bool:
    return stream is not None and stream.isatty()


def _echo_if_read(text: str) -> None:
    """Print a line before the work; that nobody reads it any more is no reason not to work."""
    try:
        click.echo(text)
    except BrokenPipeError:
        _silence(sys.stdout)


def _print_text(text: str) -> None:
    """Print what people read; whatever a database or a source says in it, nothing of it turns on the terminal."""
    from .terminal import shown

    click.echo("\n".join(shown(line) for line in text.split("\n")), nl=False)


def _print_json(document: Any) -> None:
    import orjson

    click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS))


def _print_whole(pieces: Iterable[bytes]) -> None:
    """Print a document once it is complete, so that an error on the way leaves nothing of it on stdout."""
    from tempfile import SpooledTemporaryFile

    with SpooledTemporaryFile(max_size=_IN_MEMORY) as whole:
        whole.writelines(pieces)
        whole.seek(0)
        while piece := whole.read(_IN_MEMORY):
            click.echo(piece, nl=False)

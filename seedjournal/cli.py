"""The command line: it parses, calls and renders. Exit codes and error texts are decided here alone.

Nothing but click is imported before a command runs, so that help is there at once.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, NoReturn

import click

if TYPE_CHECKING:
    from .app import Place

FINE, DIFFERENT, WRONG_USE, NOT_DONE, OUR_BUG, INTERRUPTED = 0, 1, 2, 3, 4, 130

_SETTINGS: dict[str, Any] = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


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


_DAY = _Day()


def _common(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that every command has."""
    options = (
        click.option("--journal", metavar="URL", help="The journal's database. [env SEEDJOURNAL_JOURNAL; default sqlite:///seedjournal.db]"),
        click.option("--target", metavar="URL", help="The database for rows. [env SEEDJOURNAL_TARGET; default: the journal's]"),
        click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout, and nothing else there."),
        click.option("-q", "--quiet", is_flag=True, help="No progress and no messages."),
        click.option("--wait", metavar="SECONDS", type=click.IntRange(0, 86_400), default=120, show_default=True, help="How long to wait for a busy database."),
        click.option("--debug", is_flag=True, help="Show a traceback with an error."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def _place(journal: str | None, target: str | None, wait: int, schema: str | None = None) -> Place:
    from .app import Place

    return Place(journal=journal, target=target, wait=wait, schema=schema)


@click.group(context_settings=_SETTINGS)
@click.version_option(package_name="seedjournal", message="%(prog)s %(version)s")
def cli() -> None:
    """Seed a database once, and again, and know exactly what changed.

    `record` turns a project's history into events in a journal, each kept once; `project` brings tables to a run's
    state; `diff` tells what separates two runs. A second run of the same changes nothing.

    \b
      seedjournal record --project demo --new --source demo
      seedjournal project
      seedjournal diff

    Exit status: 0 fine, 1 a difference or finding where asked for, 2 wrong use, 3 it could not be done, 4 a bug of
    seedjournal's, 130 interrupted.
    """


@cli.command()
@click.option("--project", "projects", metavar="NAME", multiple=True, help="The project to record; may be given often.")
@click.option("--all", "every", is_flag=True, help="Every project of seedjournal.toml, else of the registry.")
@click.option("--source", metavar="SOURCE", help="cache:PATH, git:PATH-or-URL, github or demo. [default: the project's, else github]")
@click.option("--new", is_flag=True, help="Record a project that neither registry, settings nor journal knows.")
@click.option("--seed", type=click.IntRange(-(2**53) + 1, 2**53 - 1), default=42, show_default=True, help="What every draw depends on.")
@click.option("--as-of", type=_DAY, help="The one day that simulators know. [default: of the newest activity]")
@click.option("--since", type=_DAY, help="State pull requests created on this day or later only.")
@click.option("--until", type=_DAY, help="State pull requests created before this day only.")
@click.option("--set", "sets", metavar="KEY=VALUE", multiple=True, help="Any project setting, such as survey_response_rate=0.5.")
@click.option("--policy", "policies", metavar="KIND=POLICY", multiple=True, help="once: the first content stands; upsert: the newest; exact: the newest, and what is gone goes.")
@click.option("--fresh", is_flag=True, help="Start the project's state anew from this run.")
@click.option("--no-reuse", is_flag=True, help="Simulate even if all inputs are those of an earlier run.")
@click.option("--skip-invalid", is_flag=True, help="Leave out entries that cannot be right, and list them.")
@_common
def record(
    *, journal: str | None, target: str | None, as_json: bool, quiet: bool, wait: int, debug: bool, no_reuse: bool, **choice: Any
) -> int:
    """Record projects: each distinct event once, and one run that names them.

    Says what the run adds to the journal, what it changes against the project's previous run, and which inputs differ
    from it. The same inputs give the same root, on any machine and either database.
    """
    from . import app, render
    from .progress import Progress

    with Progress(quiet=quiet) as progress:
        outcome = app.record(
            _place(journal, target, wait), app.RecordChoice(reuse=not no_reuse, **choice), progress.stage
        )
    if as_json:
        _print_json(outcome.document)
    else:
        click.echo(render.recorded(outcome.document), nl=False)
    for failure in outcome.failures:
        click.echo(_error_text(failure.message, failure.hint), err=True)
    return max((_exit_code(failure) for failure in outcome.failures), default=FINE)


@cli.command()
@click.option("--project", "projects", metavar="NAME", multiple=True, help="Only this project; may be given often.")
@click.option("--run", metavar="RUN", help="The state after this run, instead of the newest: a number, a root's first 7 or more digits, PROJECT@latest or PROJECT@-N.")
@click.option("--kind", "kinds", metavar="KIND", multiple=True, help="Move only this kind's rows; may be given often.")
@click.option("--schema", metavar="NAME", help="The PostgreSQL schema for rows.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.option("--prune", is_flag=True, help="Delete stale rows that no other row refers to.")
@click.option("--rebuild", is_flag=True, help="Restore every row of the chosen projects, whatever was done to it, and prune.")
@click.option("--yes", is_flag=True, help="Do not ask before --prune or --rebuild.")
@_common
def project(  # noqa: PLR0913 - its options
    *,
    journal: str | None,
    target: str | None,
    as_json: bool,
    quiet: bool,
    wait: int,
    debug: bool,
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
    from projectors import Choice

    from . import app, render
    from .progress import Progress

    if (prune or rebuild) and not (yes or dry_run):
        _ask("prune stale rows" if prune and not rebuild else "rebuild the chosen projects' rows and prune stale ones")
    choice = Choice(kinds=kinds or None, prune=prune, rebuild=rebuild, dry_run=dry_run)
    say = (lambda address: click.echo(f"target: {address}")) if not as_json and not quiet else (lambda _: None)
    with Progress(quiet=quiet) as progress:
        document = app.project(_place(journal, target, wait, schema), projects, run, choice, progress.stage, say)
    if as_json:
        _print_json(document)
    else:
        click.echo(render.projected(document), nl=False)
    return FINE


@cli.command()
@click.argument("runs", metavar="[A [B]]", nargs=-1)
@click.option("--project", "project_name", metavar="NAME", help="Whose last two runs, where the journal has several projects.")
@click.option("--stat", is_flag=True, help="Only how many entities of each kind differ.")
@click.option("--kind", "kinds", metavar="KIND", multiple=True, help="Only this kind; may be given often.")
@click.option("--change", "changes", type=click.Choice(["added", "removed", "changed"]), multiple=True, help="Only these; may be given often.")
@click.option("--limit", type=click.IntRange(0), metavar="N", help="Show at most N changes, and say how many are left out. [default: 200 on a terminal, else none]")
@click.option("--exit-code", is_flag=True, help="Exit with 1 when the shown difference is not empty.")
@_common
def diff(  # noqa: PLR0913 - its options
    *,
    journal: str | None,
    target: str | None,
    as_json: bool,
    quiet: bool,
    wait: int,
    debug: bool,
    runs: tuple[str, ...],
    project_name: str | None,
    stat: bool,
    kinds: tuple[str, ...],
    changes: tuple[str, ...],
    limit: int | None,
    exit_code: bool,
) -> int:
    """What separates two runs, entity by entity and field by field.

    Without runs: the project's last two. With one: that run and its project's newest. RUN is a number, 7 or more
    digits of a root, PROJECT@latest or PROJECT@-N.

    \b
      + kind key         only the newer run states it
      - kind key         only the older run states it
      ~ kind key         both do, differently:
          field: old → new

    Exit status: 0, or with --exit-code 1 when anything is shown.
    """
    from . import app, render

    if len(runs) > 2:  # noqa: PLR2004 - two runs
        raise click.UsageError("diff compares two runs")
    if limit is None and not as_json and sys.stdout.isatty():
        limit = 200
    with app.diff(_place(journal, target, wait), runs, project_name, kinds=kinds, changes=changes, limit=0 if stat else limit) as comparison:
        pieces = render.diff_json(comparison, stat=stat) if as_json else render.diff_text(comparison, stat=stat)
        for piece in pieces:
            click.echo(piece, nl=False)
    return DIFFERENT if exit_code and comparison.shown else FINE


@cli.command()
@click.option("--project", "project_name", metavar="NAME", help="Only this project's runs.")
@_common
def log(*, journal: str | None, target: str | None, as_json: bool, quiet: bool, wait: int, debug: bool, project_name: str | None) -> int:
    """List the journal's runs, oldest first."""
    from . import app, render

    document = app.log(_place(journal, target, wait), project_name)
    _print_json(document) if as_json else click.echo(render.logged(document), nl=False)
    return FINE


@cli.command()
@click.argument("what", metavar="RUN | KIND KEY…", nargs=-1, required=True)
@_common
def show(*, journal: str | None, target: str | None, as_json: bool, quiet: bool, wait: int, debug: bool, what: tuple[str, ...]) -> int:
    """Show a run with its inputs, or one entity over all runs and what made it.

    \b
      seedjournal show 3
      seedjournal show pull_request libuv libuv/libuv 2379
    """
    from . import app, render

    place = _place(journal, target, wait)
    if len(what) == 1:
        document = app.show_run(place, what[0])
        _print_json(document) if as_json else click.echo(render.shown_run(document), nl=False)
    else:
        document = app.show_entity(place, what[0], what[1:])
        _print_json(document) if as_json else click.echo(render.shown_entity(document), nl=False)
    return FINE


@cli.command()
@click.option("--schema", metavar="NAME", help="The PostgreSQL schema of the rows.")
@_common
def verify(*, journal: str | None, target: str | None, as_json: bool, quiet: bool, wait: int, debug: bool, schema: str | None) -> int:
    """Check every hash, manifest and state of the journal, and the target's rows against its state.

    Rows that are missing or different are findings; foreign and stale rows are listed. Exit status: 1 on findings.
    """
    from . import app, render
    from .progress import Progress

    with Progress(quiet=quiet) as progress:
        document = app.verify(_place(journal, target, wait, schema), progress.stage(""))
    _print_json(document) if as_json else click.echo(render.verified(document), nl=False)
    return FINE if document["ok"] else DIFFERENT


@cli.command()
@_common
def registry(*, journal: str | None, target: str | None, as_json: bool, quiet: bool, wait: int, debug: bool) -> int:
    """List the built-in projects."""
    from . import app, render

    document = app.registry()
    _print_json(document) if as_json else click.echo(render.registered(document), nl=False)
    return FINE


@cli.command()
@click.option("--schema", metavar="NAME", help="The PostgreSQL schema for rows.")
@_common
def migrate(*, journal: str | None, target: str | None, as_json: bool, quiet: bool, wait: int, debug: bool, schema: str | None) -> int:
    """Create or upgrade the tables of journal and target.

    New databases need no migrate: the first `record` and `project` make their tables.
    """
    from . import app, render

    document = app.migrate(_place(journal, target, wait, schema))
    _print_json(document) if as_json else click.echo(render.migrated(document), nl=False)
    return FINE


def main() -> NoReturn:
    """The program: run a command, and turn whatever happens into an exit status."""
    arguments = sys.argv[1:]
    as_json, debug = "--json" in arguments, "--debug" in arguments
    try:
        sys.exit(cli.main(args=arguments, prog_name="seedjournal", standalone_mode=False) or FINE)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except (KeyboardInterrupt, click.Abort):
        _fail("interrupted", "interrupted; nothing is half done", "", INTERRUPTED, as_json=as_json)
    except click.ClickException as error:
        hint = f"seedjournal {error.ctx.info_name} --help" if getattr(error, "ctx", None) and error.ctx.parent else "seedjournal --help"  # type: ignore[attr-defined]
        _fail("usage", error.format_message(), hint, WRONG_USE, as_json=as_json)
    except BrokenPipeError:  # whoever read us has seen enough
        sys.stderr.close()
        sys.exit(FINE)
    except Exception as error:
        if debug:
            import traceback

            traceback.print_exc()
        from journal import SeedJournalError

        if isinstance(error, SeedJournalError):
            _fail(error.kind, error.message, error.hint, _exit_code(error), as_json=as_json)
        if isinstance(error, MemoryError | RecursionError | OSError):
            _fail("unavailable", f"{type(error).__name__}: {error}", "check disk, memory and permissions", NOT_DONE, as_json=as_json)
        _fail(
            "bug",
            f"a bug in seedjournal: {type(error).__name__}: {error}",
            "run the command again with --debug, and report what it prints",
            OUR_BUG,
            as_json=as_json,
        )


def _exit_code(error: Any) -> int:
    """Which exit status an error of ours ends in."""
    from journal import Misuse

    return WRONG_USE if isinstance(error, Misuse) else NOT_DONE


def _fail(kind: str, message: str, hint: str, code: int, *, as_json: bool) -> NoReturn:
    if as_json:
        _print_json({"error": {"kind": kind, "message": message, "hint": hint}})
    else:
        click.echo(_error_text(message, hint), err=True)
    sys.exit(code)


def _error_text(message: str, hint: str) -> str:
    return f"error: {message}" + (f"\n  try: {hint}" if hint else "")


def _ask(what: str) -> None:
    """Have the user confirm on a terminal; elsewhere nobody can be asked."""
    if not sys.stdin.isatty():
        raise click.UsageError(f"--yes is needed to {what} without a terminal")
    click.confirm(f"{what[0].upper()}{what[1:]}?", abort=True, err=True)


def _print_json(document: Any) -> None:
    import orjson

    click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS))



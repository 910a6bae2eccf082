"""Every hint is followed where it is given, and helps; one without a test fails `test_every_hint_is_tried`."""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from seedjournal.cli import main
from tests.conftest import Urls
from tests.seedjournal.commands import DEMO, SMALL, Done, entry, execute, write_cache
from tests.seedjournal.hints import ROOT, hints

Run = Callable[..., Done]


@dataclass(slots=True)
class World:
    """A folder with a journal of one projected run, and all that commands said in it."""

    run: Run
    make_url: Urls
    patch: pytest.MonkeyPatch
    heard: list[str] = field(default_factory=list)

    def __call__(self, *arguments: str, status: int = 0) -> str:
        """Run a command; return what it said."""
        done = self.run(*arguments, status=status)
        self.heard.append(" ".join((done.out + done.err).split()))
        return done.out + done.err

    def execute(self, statement: str) -> None:
        """Do something to the database behind the program's back."""
        execute("sqlite:///seedjournal.db", statement)


HINTS: dict[str, Callable[[World], None]] = {}


def gives(*texts: str) -> Callable[[Callable[[World], None]], Callable[[World], None]]:
    """Say of a function which hints are given and followed in it."""

    def add(situation: Callable[[World], None]) -> Callable[[World], None]:
        HINTS.update(dict.fromkeys(texts, situation))
        return situation

    return add


AGAIN = ("record", "--project", "demo", *SMALL)
OTHER = ("record", "--project", "other", "--new", *SMALL)

# Hints that other tests follow: what is needed for them is there.
ELSEWHERE = {
    "Correct it; --debug shows the whole traceback.": "domains/test_wrong_domains.py: test_a_module_that_cannot_be_imported_is_told_with_its_line",
    "Name it with --target URL.": "seedjournal/test_init.py: test_a_framework_that_names_nothing_is_told",
    "Give an --until that is after --since.": "simulators/test_record.py: test_a_window_has_a_beginning_before_its_end",
    "Leave out --estimate.": "seedjournal/test_github_commands.py: test_an_estimate_is_for_github",
    "{}; --policy github=upsert takes the newer content": "seedjournal/test_coherence.py: test_what_came_later_is_reported_and_comes_with_upsert",
    "Alter the table by hand so that it fits. Or run `seedjournal unseed` for its projects, drop the tables and project again. Or project into another database.": "domains/test_changed_kinds.py: test_what_cannot_follow_is_said_with_the_way_out",
    "Restore the table seedjournal_ledger from a backup. Or run `seedjournal project --take-over`: it adopts the rows whose keys it knows, inserts the others, and never deletes an adopted row.": "projectors/test_mapped.py: test_lost_notes_are_not_guessed",
    "Record the project again (`seedjournal record --project {}`), or use the declaration that it was recorded with.": "domains/test_changed_kinds.py: test_a_run_of_another_declaration_is_refused_by_a_map_and_the_kinds_are_named",
    "If this is the right database, add `--confirm {}`.": "seedjournal/test_own_tables.py: test_rows_of_others_are_asked_about",
    "Correct the map. `seedjournal check` says whether it fits.": "seedjournal/test_own_tables.py: test_check_names_what_a_migration_changed",
    "Check the address, and name another with --target URL.": "seedjournal/test_own_tables.py: test_where_nothing_can_be_checked",
    "{}; to keep both, record one of them under another name: --project NAME --new": "seedjournal/test_coherence.py: test_another_seed_takes_the_place_of_an_invention",
    "Record without the window, or under another name: --project NAME --new.": "seedjournal/test_coherence.py: test_a_part_of_another_invention_is_refused",
    "Leave out --tables.": "seedjournal/test_own_tables.py: test_where_nothing_can_be_checked",
    "Leave out --today, or give --today off.": "seedjournal/test_own_tables.py: test_an_id_that_holds_a_date_does_not_move",
    "Record that entity too, or make the reference null. If somebody deleted its row, --repair puts it back.": "projectors/test_parts.py: test_a_reference_that_leads_nowhere_is_refused_by_name",
    "Fetch a repository first with `seedjournal record`.": "seedjournal/test_github_commands.py: test_what_was_fetched_is_listed_exported_and_deleted",
    "Change what should look different. Then\n`seedjournal record --project {}` and `seedjournal project` fill them.": "seedjournal/test_init.py: test_a_bookshop_of_sqlite",
    "next: seedjournal record --project {}; seedjournal project": "seedjournal/test_init.py: test_a_bookshop_of_sqlite",
    "Choose another folder with --out FOLDER.": "seedjournal/test_init.py: test_no_file_is_overwritten",
    "each {} is a project, {}; record --all takes every one": "seedjournal/test_init.py: test_the_table_of_tenants_is_the_root",
    "    root={},  # a project is one of them: `record --all` takes every one": "seedjournal/test_init.py: test_the_table_of_tenants_is_the_root",
    "Name it with --from SOURCE.": "seedjournal/test_init_update.py: test_what_cannot_be_compared",
    "Begin with `seedjournal init --from URL`.": "seedjournal/test_init_update.py: test_what_cannot_be_compared",
    "Or leave earlier entities out: --policy {}=exact, or --fresh.": "domains/test_changed_kinds.py: test_what_is_kept_must_fit_the_kinds_that_changed",
    "Leave out --out.": "seedjournal/test_init_update.py: test_what_cannot_be_compared",
    "`seedjournal check` says what to change in the map": "seedjournal/test_init_update.py: test_new_labels_and_what_does_not_fit_any_more",
    "{} without a kind: {}; `seedjournal init --update --tables NAME` prints what would fill one": "seedjournal/test_init_update.py: test_tables_that_were_not_chosen_are_not_new",
    "{} that the application fills: {}; `seedjournal init --update --tables NAME` prints what would fill those of a table": "seedjournal/test_init_update.py: test_many_columns_are_passed_over",
    "Check the address that --from names.": "seedjournal/test_init.py: test_what_cannot_be_a_start",
    "Name tables of the database, or leave out --tables to take all.": "seedjournal/test_init.py: test_what_cannot_be_a_start",
    "Make the application's tables first, or name their schema with --schema NAME.": "seedjournal/test_init.py: test_what_cannot_be_a_start",
    "{}: {} of {} of {}; `seedjournal show RUN` names them; {}": "seedjournal/test_github_commands.py: test_what_is_partial_is_seen_everywhere",
    "Set GITHUB_TOKEN, or SEEDJOURNAL_GITHUB_TOKENS for several, or run `gh auth login`. Without a token, use `--source git:https://{}/{}.git`.": "seedjournal/test_github_commands.py: test_without_a_token_three_ways_out_are_told",
    "Give --set repos=OWNER/NAME, or write repos into seedjournal.toml.": "seedjournal/test_github_commands.py: test_a_project_without_repositories_is_told",
    "Leave out --offline to fetch it.": "seedjournal/test_github_commands.py: test_offline_with_nothing_fetched_says_so",
    "Leave out --offline: fetching then continues where it stopped.": "seedjournal/test_github_commands.py: test_offline_knows_what_is_not_the_whole",
    "Leave out --offline to fetch the rest, or record with `--since {}`.": "seedjournal/test_github_commands.py: test_offline_knows_what_is_not_the_whole",
    "Add --skip-invalid to leave such pull requests out and list them.": "seedjournal/test_github_commands.py: test_a_pull_request_that_cannot_be_right_is_named_and_can_be_skipped",
    "Name another folder with SEEDJOURNAL_CACHE, or start again with `seedjournal fetched --delete OWNER/REPO`.": "seedjournal/test_github_commands.py: test_a_damaged_store_is_named_and_can_be_deleted",
    "Delete what was fetched with `seedjournal fetched --delete {}`, and record again.": "simulators/github/test_fetch.py: test_another_repository_under_the_same_name_is_refused",
    "This may be an old GitHub Enterprise Server. Read a clone instead, with --source git:PATH.": "simulators/github/test_three_sources.py: ",
    "Add --accept-upgrade to accept the changes, or install the versions that `seedjournal show {}` lists.": "simulators/test_upgrade.py: test_what_a_changed_generator_would_change_is_told_and_nothing_recorded",
    "Close a connection, raise the limit (max_connections, or the role's or database's), or give a longer --wait.": "journal/test_trouble.py: test_all_connections_in_use_are_waited_for",
    "Connect as the user that made the journal or ran `seedjournal migrate`.": "journal/test_trouble.py: test_a_reader_without_rights_is_told_so",
    "Run `REINDEX` on it, then `seedjournal verify`.": "journal/test_guards.py: ",
    "Let a user with write permission run `seedjournal log` once: it copies the log into the file.": "faults/test_refusals.py: test_a_file_that_may_not_be_written",
    "rows of a journal are never changed; seedjournal forget removes runs": "journal/test_guards.py: ",
    "{}; --set jira_key_per_repository=true keeps the repositories' keys apart": "simulators/test_jira.py: test_synthetic_keys_that_collide_are_named_and_can_be_kept_apart",
    " {} {} there too: --set branch={} reads it.": "simulators/test_git_source.py: ",
    "Choose one with the setting `branch`, for example with `--set branch={}`.": "simulators/test_git_source.py: ",
    "Add --skip-invalid to leave such commits out.": "simulators/test_git_source.py: ",
    "{}. docs/data.md lists the fields; --strict refuses such a source": "simulators/test_times.py: test_an_impossible_time_is_null_counted_and_refused_where_that_is_wanted",
    "Correct the source, or record without --strict, which stores these times as null.": "simulators/test_times.py: test_an_impossible_time_is_null_counted_and_refused_where_that_is_wanted",
    "Check that the source is complete (the right folder, branch, token). Add --yes to record it as it is.": "seedjournal/test_story.py: test_a_recording_that_removes_most_is_asked_for",
    "the policies keep what this run removed: {}; --fresh takes it out": "seedjournal/test_story.py: test_record_says_what_the_policy_held_back_and_what_it_says_helps",
    "--policy {}=upsert": "seedjournal/test_story.py: test_record_says_what_the_policy_held_back_and_what_it_says_helps",
    "`--policy {}=upsert` when recording takes the new content": "seedjournal/test_story.py: test_what_once_keeps_is_said_and_policy_takes_it",
    "restore a backup of the journal; or record into a new journal, and `seedjournal project --take-over` with it": "seedjournal/test_verify_command.py: test_the_remedy_of_a_damaged_journal_helps",
    "`seedjournal migrate` restores guards": "seedjournal/test_verify_command.py: test_the_remedy_of_a_missing_guard_helps",
    "`seedjournal project --take-over` brings the rows to this journal's newest state": "seedjournal/test_verify_command.py: test_the_remedies_of_rows_and_notes_help",
    "`seedjournal project --repair` makes a missing table again; give a changed column the name and type that it had": "seedjournal/test_verify_command.py: test_the_remedies_of_rows_and_notes_help",
    "`seedjournal project --repair` restores missing rows": "seedjournal/test_verify_command.py: test_the_remedies_of_rows_and_notes_help",
    "`seedjournal project --repair` restores edited rows": "seedjournal/test_verify_command.py: test_the_remedies_of_rows_and_notes_help",
    "`seedjournal project --repair` notes these rows as stale, `seedjournal project --prune` then deletes those that nothing refers to": "seedjournal/test_verify_command.py: test_the_remedies_of_rows_and_notes_help",
    "`seedjournal project --repair` writes the notes again": "seedjournal/test_verify_command.py: test_the_remedies_of_rows_and_notes_help",
    "… {} left out; --limit N shows more": "seedjournal/test_verify_command.py: test_many_findings_are_few_lines_and_all_are_counted",
}  # fmt: skip


@gives("`seedjournal migrate --schema {}` makes it.", "Name one that exists, with --schema NAME or in search_path.")
def schemas(w: World) -> None:
    place = ("--journal", w.make_url("postgresql"))
    w.run(*DEMO, *place)
    w("project", "--schema", "seeds", *place, status=2)
    w.run("migrate", "--schema", "seeds", *place)
    w.run("project", "--schema", "seeds", *place)
    nowhere = f"{place[1]}&options=-csearch_path%3Dnowhere"
    w("project", "--target", nowhere, "--journal", place[1], status=3)
    w.run("project", "--schema", "seeds", "--target", nowhere, "--journal", place[1])


@gives(
    "Check the address. `seedjournal record` makes a journal; `seedjournal project` fills a target.",
    "Check the address and --schema.",
)
def empty_databases(w: World) -> None:
    place = ("--journal", w.make_url("postgresql"))
    w("log", *place, status=3)
    w.run(*DEMO, *place)
    w("unseed", "demo", "--yes", *place, status=2)
    w.run("migrate", "--schema", "seeds", *place)
    w.run("project", "--schema", "seeds", *place)
    w("unseed", "demo", "--yes", *place, status=2)
    w.run("unseed", "demo", "--yes", "--schema", "seeds", *place)


@gives("seedjournal diff --state {} {}", "the last two runs that differ: `seedjournal diff {} {}`\n")
def runs_and_states(w: World) -> None:
    for prs in ("4", "6", "4", "4"):
        w.run(*AGAIN, "--policy", "all=upsert", "--set", f"prs={prs}")
    said = w("diff") + w("diff", "3", "4")
    for command in re.findall(r"`seedjournal (diff \d[^`]*)`", " ".join(said.split())):
        assert "equal" not in w.run(*command.split()).out
    said = w("diff", "2", "3", "--stat")
    (command,) = re.findall(r"`seedjournal (diff --state[^`]*)`", " ".join(said.split()))
    w.run(*command.split())


@gives("--target compares tables with a state already. Leave out --state.")
def target_and_state(w: World) -> None:
    w("diff", "--target", "--state", status=2)
    w.run("diff", "--target")


@gives("Choose one with --project: {}.", "Leave out --project.", "Give one --project, or none.")
def several_projects(w: World) -> None:
    w.run(*OTHER)
    w.run(*OTHER)
    w("diff", status=2)
    w("diff", "--target", status=2)
    w.run("diff", "--project", "other")
    w.run("diff", "--target", "--project", "demo")
    w("project", "--run", "1", "--project", "other", status=2)
    w("diff", "2", "3", "--project", "demo", status=2)
    w("project", "--run", "1", "--project", "demo", "--project", "other", status=2)
    w.run("diff", "2", "3")
    w.run("project", "--run", "1")
    w.run("project", "--run", "1", "--project", "demo")


@gives(
    "Make the first one with `seedjournal record`.",
    "Make one with `seedjournal record`, or name another with --journal URL.",
)
def no_runs(w: World) -> None:
    place = ("--journal", "sqlite:///new.db")
    w("log", *place, status=3)
    w.run("migrate", *place)
    for command in ("project", "diff"):
        w(command, *place, status=2)
    w("log", "--project", "demo", *place, status=2)
    w.run(*DEMO, *place)
    w.run("project", *place)
    w.run("log", "--journal", "sqlite:///seedjournal.db")


@gives("… {} left out; --limit N shows more\n")
def limited(w: World) -> None:
    w.run(*AGAIN, "--set", "prs=6")
    w("diff", "--limit", "1")
    assert "left out" not in w.run("diff", "--limit", "100000").out


@gives(
    "Name one with --project, such as {}, or give --all.",
    "Write a setting and its value, for example `--set customers=100`.",
)
def own_domains(w: World) -> None:
    for file in (ROOT / "examples/shop").iterdir():
        if file.is_file():
            shutil.copy(file, Path())
    place = ("--journal", "sqlite:///own.db", "--set", "customers=3")
    w("record", *place, status=2)
    w("record", "--project", "acme", "--journal", "sqlite:///own.db", "--set", "customers", status=2)
    w.run("record", "--project", "acme", *place)
    w.run("record", "--all", *place)


@gives("Give the domain a `today`, or record with --as-of DATE.")
def no_today(w: World) -> None:
    Path("seedjournal.toml").write_text('domain = "timeless:timeless"\n')
    Path("timeless.py").write_text(
        "from seedjournal import Domain, Kind, Run\n\n\nclass Thing(Kind, key='name'):\n    name: str\n\n\n"
        "def things(run: Run):\n    yield Thing(name=str(run.today))\n\n\n"
        "timeless = Domain('timeless', kinds=(Thing,))\ntimeless.facts(Thing, things)\n"
    )
    command = ("record", "--project", "timeless", "--journal", "sqlite:///own.db")
    w(*command, status=2)
    w.run(*command, "--as-of", "2026-01-01")


@gives(
    "--delete and --export cannot be combined.",
    "--delete asks before it deletes, and there is no terminal. Add --yes.",
    "List what was fetched with `seedjournal fetched`.",
    "Write `seedjournal fetched --delete OWNER/REPO`.",
)
def fetched(w: World) -> None:
    w("fetched", "--delete", "--export", "x", status=2)
    w("fetched", "--delete", "a/b", status=2)
    w("fetched", "--delete", "--yes", status=2)
    w("fetched", "--delete", "a/b", "--yes", status=3)
    w.run("fetched")


@gives(
    "`unseed` asks before it deletes rows, and there is no terminal. Add --yes.",
    "`forget` asks before it deletes runs, and there is no terminal. Add --yes.",
    "`project` asks before it {}, and there is no terminal. Add --yes.",
)
def nobody_to_ask(w: World) -> None:
    for command in (
        ("project", "--prune"),
        ("project", "--rebuild"),
        ("unseed", "demo"),
        ("forget", "--project", "demo"),
    ):
        w(*command, status=2)
        w.run(*command, "--yes")


@gives(
    "Give --keep-runs N to keep the newest N runs of each project, or --project NAME to forget all runs of one.",
    "To forget all runs of a project, give --project NAME alone.",
    "Check the address, or leave out --target.",
)
def forgetting(w: World) -> None:
    w("forget", status=2)
    w("forget", "--keep-runs", "0", status=2)
    w.run("forget", "--keep-runs", "1")
    w("forget", "--project", "demo", "--target", "sqlite:///absent.db", "--yes", status=2)
    w.run("forget", "--project", "demo", "--yes")


@gives(
    "Write `seedjournal show {} {}`.",
    "Did you mean `seedjournal show {} {}`?",
    "; for example `seedjournal show {} {}`",
    "Did you mean `seedjournal record {}`?",
    "--project {}",
)
def near_misses(w: World) -> None:
    said = w("show", "pull_request", "demo", status=2)
    assert "seedjournal show pull_request TEAM GITHUB_REPO NUMBER" in said
    (key,) = re.findall(
        r"`seedjournal show pull_request ([^`]*)`", w("show", "pull_request", "demo", "x/y", "9", status=2)
    )
    for wrong in (("show", "pull_requests", *key.split()), ("show", "pr_file", "demo", "x/y", "9", "z")):
        (command,) = re.findall(r"`seedjournal (show [^`]*)`", " ".join(w(*wrong, status=2).split()))
        w.run(*command.split())
    (command,) = re.findall(r"`seedjournal (record [^`]*)`", w("record", "demo", "--source", "demo", status=2))
    w.run(*command.split(), *SMALL)


@gives(
    "left that differ from the state (`seedjournal project --repair` restores them)",
    "{} counted; contents are compared by `verify` or `project --check`",
)
def edited(w: World) -> None:
    w("project")
    w.execute("UPDATE pull_requests SET title = 'edited'")
    w("verify", status=1)
    w("project", "--check", status=1)
    w.run("project", "--repair")
    w.run("verify")
    w.run("project", "--check")


@gives(
    "{} left; `seedjournal project --prune` deletes those that nothing refers to",
    "Add --yes to delete them, or --no-prune to keep them.",
)
def stale(w: World) -> None:
    w.run(*AGAIN, "--fresh", "--set", "prs=1")
    w("project", status=2)
    w("project", "--no-prune")
    w.run("project", "--prune", "--yes")
    assert "stale" not in w.run("verify").out


@gives(
    "`seedjournal migrate` writes it again, as the tables are those of this version.",
    "Somebody dropped a table, or another schema comes earlier in the search path: name the schema. `seedjournal project "
    "--repair` makes a dropped table again, and fills it.",
)
def lost_notes(w: World) -> None:
    w.execute("DELETE FROM seedjournal_target_version")
    w("verify", status=3)
    w.run("migrate")
    w.run("verify")
    for table in ("seedjournal_positions", "seedjournal_rows"):
        w.execute(f"DROP TABLE {table}")
        w("verify", status=3)
        w("project", status=3)
        w.run("project", "--repair")
        w.run("verify")


@gives("A trigger or rule keeps the rows. Disable it; `seedjournal project --no-prune` deletes nothing.")
def rows_kept(w: World) -> None:
    w.run(*AGAIN, "--fresh", "--set", "prs=1")
    w.execute("CREATE TRIGGER kept BEFORE DELETE ON pr_files BEGIN SELECT RAISE(IGNORE); END")
    w("project", "--yes", status=3)
    w.run("project", "--no-prune")
    w.execute("DROP TRIGGER kept")
    w.run("project", "--yes")


@gives(
    "Name one with --project NAME, or give --all. `seedjournal registry` lists the built-in projects.",
    "Did you mean {}? `seedjournal registry` lists the built-in projects; --new records one of your own, and with --source demo an invented one.",
)
def which_project(w: World) -> None:
    w("record", status=2)
    w("record", "--project", "domo", *SMALL, status=2)
    w.run("registry")
    w.run("record", "--project", "domo", "--new", *SMALL)


@gives("Run the command again with --debug, and report what it prints.")
def bugs(w: World) -> None:
    w.patch.setattr("seedjournal.commands.looking.list_runs", lambda *_: 1 // 0)
    w("log", status=4)
    assert "Traceback" in w("log", "--debug", status=4)


@gives("Write the rest of the address out, or give the whole address with --journal, --target, {} or {}.")
def variables(w: World) -> None:
    w.patch.setenv("SEEDJOURNAL_NAME", "seedjournal")
    Path("seedjournal.toml").write_text('journal = "sqlite:///${SEEDJOURNAL_NAME}.db"\n')
    w("log", status=2)
    w.run("log", "--journal", "sqlite:///${SEEDJOURNAL_NAME}.db")


@gives("Write `--source {}:PATH`.", "Write `--source {}`.", "Name a clone's folder with --source git:PATH.")
def sources(w: World) -> None:
    write_cache(Path("cache"), entry(1))
    record = ("record", "--project", "rocket", "--new", "--source")
    w(*record, "cache", status=2)
    w.run(*record, "cache:cache")
    w(*record, "demo:x", status=2)
    w.run(*record, "demo", "--set", "prs=2", "--yes")
    w(*record, "git:https://example.invalid/a/b.git", "--offline", status=2)
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main", "b"], check=True)
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    subprocess.run(["git", "-C", "b", *identity, "commit", "--quiet", "--allow-empty", "-m", "Begin"], check=True)
    w.run(*record, "git:b", "--offline", "--yes")


@gives("Run `seedjournal verify` to see everything that is wrong with this journal.")
def damaged(w: World) -> None:
    w.execute("DROP TRIGGER journal_nodes_no_delete")
    w.execute("DELETE FROM journal_nodes")
    w("project", status=3)
    assert "journal_runs: run 1: its manifest" in w("verify", status=1)


@gives(
    "`seedjournal log` lists the runs.",
    "`seedjournal log` lists them.",
    "Use more digits; `seedjournal log --json` prints whole roots.",
    "Name a run by its number, 7 or more characters of its root, PROJECT@latest or PROJECT@-N; `seedjournal log` lists the runs.",
)
def runs(w: World) -> None:
    from dataclasses import replace

    from seedjournal.journal import runs as module

    for name in ("9", "demo@-7", "nobody@latest", "x"):
        w("show", name, status=2)
    assert "demo" in w("log")
    w.run(*AGAIN, "--set", "prs=6")
    every = module.all_runs

    def alike(*given: Any) -> list[Any]:
        return [replace(one, root=b"\xab" * 4 + bytes(one.root[4:])) for one in every(*given)]

    w.patch.setattr(module, "all_runs", alike)
    w.patch.setattr("seedjournal.journal.all_runs", alike)
    w("show", "abababa", status=2)
    for one in w.run("log", "--json").json["runs"]:
        w.run("show", one["root"])


@gives(
    "Leave it out. The one option is ?mode=ro; --wait SECONDS says how long to wait for a busy file.",
    "Leave out --schema.",
)
def addresses(w: World) -> None:
    w("log", "--journal", "sqlite:///seedjournal.db?timeout=5", status=2)
    w.run("log", "--wait", "5")
    w("project", "--schema", "seeds", status=2)
    w.run("project")


@gives("Wait for the other process, or give a longer --wait SECONDS.")
def busy(w: World) -> None:
    other = sqlite3.connect("seedjournal.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    w(*AGAIN, "--set", "prs=6", "--wait", "0", status=3)
    other.close()
    w.run(*AGAIN, "--set", "prs=6", "--wait", "5")


@gives("Use a database of its own, or on PostgreSQL a schema of its own with --schema NAME.")
def foreign_tables(w: World) -> None:
    execute("sqlite:///theirs.db", "CREATE TABLE teams (id INTEGER)")
    w("project", "--target", "sqlite:///theirs.db", status=3)
    w.run("project", "--target", "sqlite:///own.db")
    target = w.make_url("postgresql")
    execute(target, "CREATE TABLE teams (id INTEGER)")
    w("project", "--target", target, status=3)
    w.run("migrate", "--schema", "seeds", "--target", target)
    w.run("project", "--schema", "seeds", "--target", target)


@gives("--policy {}=exact")
def policies(w: World) -> None:
    command = (*AGAIN, "--policy", "all=upsert", "--policy", "pull_request=exact")
    (more,) = re.findall(r"Add ((?:--policy \w+=exact ?)+)", " ".join(w(*command, status=2).split()))
    w.run(*command, *more.split())


@gives("`seedjournal project` brings it to the newest", "`seedjournal unseed {}` removes its rows")
def forgotten(w: World) -> None:
    w.run(*AGAIN, "--set", "prs=6")
    w.run("forget", "--keep-runs", "1", "--yes")
    assert "no rows compared" in w("verify")
    w.run("project")
    assert "not checked" not in w.run("verify").out
    w.run("forget", "--project", "demo", "--yes")
    w("verify")
    w.run("unseed", "demo", "--yes")
    assert "not checked" not in w.run("verify").out


@gives(
    "Give the column the name and type that it had, or use a database of its own, or on PostgreSQL a schema of its own "
    "with --schema NAME. `seedjournal project` adds the columns of new fields.",
    "`seedjournal project --repair` makes them again, with their rows; `seedjournal migrate --tables` makes them empty.",
    "the table is not there; `seedjournal project --repair` makes it again",
)
def changed_tables(w: World) -> None:
    w.execute("ALTER TABLE pull_requests RENAME title TO t")
    w("project", status=3)
    w.execute("ALTER TABLE pull_requests RENAME t TO title")
    w.run("project")
    for way in (("project", "--repair"), ("migrate", "--tables")):
        w.execute("DROP TABLE pr_survey_reviews")
        w("verify", status=1)
        w("project", status=3)
        w.run(*way)
        w.run("project")
        w.run("verify")


@gives(
    "Use another target, or remove the rows with the other journal (`seedjournal unseed {}`). Or run `seedjournal project "
    "--take-over`: it brings the rows to this journal's state."
)
def two_journals(w: World) -> None:
    other = ("--journal", "sqlite:///other.db", "--target", "sqlite:///seedjournal.db")
    w.run(*DEMO, *other, "--set", "prs=3")
    w("project", *other, status=3)
    w.run("project", "--journal", "sqlite:///other.db", "--target", "sqlite:///own.db")
    w.run("unseed", "demo", "--yes")
    w.run("project", *other)
    w("project", status=3)
    w.run("project", "--take-over")
    w.run("verify")


@gives("If somebody deleted them, --repair puts them back.")
def missing_parents(w: World) -> None:
    """Another row counts in the place of the one that is gone, and a new review refers to that."""
    review = {"reviewer_login": "ada", "state": "APPROVED", "submitted_at": "2025-03-02T09:00:00Z", "body": ""}
    record = ("record", "--project", "rocket", "--new", "--source", "cache:cache", "--journal", "sqlite:///own.db")
    for entries in ((entry(1), entry(2)), (entry(1, reviews=[{"github_review_id": 5, **review}]), entry(2))):
        write_cache(Path("cache"), *entries)
        w.run(*record)
        w("project", "--journal", "sqlite:///own.db", status=2 if entries[0]["reviews"] else 0)
        with closing(sqlite3.connect("own.db")) as connection, connection:  # which does not look at foreign keys
            connection.execute("UPDATE pull_requests SET id = 5, number = 99 WHERE number = 1")
    w.run("project", "--repair", "--journal", "sqlite:///own.db")


@gives(
    "Put {}{} there, or change the project's setting `repos`, for example with `--set repos={}`.",
    "Look at it with `jq '.prs[{}]'`. Add --skip-invalid to leave such entries out and list them.",
    "Write a setting and its value, for example `--set survey_response_rate=0.5`.",
)
def caches(w: World) -> None:
    write_cache(Path("cache"), entry(1), {**entry(2), "additions": "many"})
    record = ("record", "--project", "rocket", "--new", "--source", "cache:cache")
    said = w(*record, "--set", "repos=acme/absent", status=3)
    (way,) = re.findall(r"`(--set repos=\S+)`", said)
    w(*record, *way.split(), status=3)
    w.run(*record, *way.split(), "--skip-invalid")
    w(*record, "--set", "prs", status=2)
    w.run(*record, "--set", "survey_response_rate=0.5", "--skip-invalid")


@gives("Leave out --fresh, or the window.", "Give an --until that is after --since.")
def windows(w: World) -> None:
    write_cache(Path("cache"), entry(1), entry(9))
    record = ("record", "--project", "rocket", "--new", "--source", "cache:cache")
    w(*record, "--fresh", "--since", "2025-03-05", status=2)
    w.run(*record, "--fresh")
    w(*record, "--since", "2025-03-05", "--until", "2025-03-04", status=2)
    w.run(*record, "--since", "2025-03-05", "--until", "2025-03-10")
    w.run(*record, "--since", "2025-03-05")
    command = (*record, "--policy", "all=exact", "--since", "2025-03-05")
    (way,) = re.findall(r"or with `((?:--policy \w+=upsert ?)+)`", " ".join(w(*command, status=2).split()))
    w.run(*command, *way.split())
    w.run(*record, "--policy", "all=exact")


@pytest.fixture(scope="module")
def projected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal of one projected run, to copy."""
    file = tmp_path_factory.mktemp("projected") / "seedjournal.db"
    for command in (DEMO, ("project",)):
        with pytest.raises(SystemExit) as ended:
            main((*command, "--quiet", "--journal", f"sqlite:///{file}"))
        assert not ended.value.code
    return file


@cache
def every_hint() -> dict[str, str]:
    return hints()


def test_every_hint_is_tried() -> None:
    """A hint is tried here, or by a test that is named; what is tried is a hint that the program has."""
    tried = {*HINTS, *ELSEWHERE}
    assert {text: where for text, where in every_hint().items() if text not in tried} == {}
    assert tried - every_hint().keys() == set()
    for named in ELSEWHERE.values():
        file, test = named.split(": ")
        assert f"def {test}" in (ROOT / "tests" / file).read_text(encoding="utf-8"), named


@pytest.mark.slow
@pytest.mark.parametrize("situation", dict.fromkeys(HINTS.values()), ids=lambda one: one.__name__)
def test_a_hint_helps(
    situation: Callable[[World], None], run: Run, make_url: Urls, monkeypatch: pytest.MonkeyPatch, projected: Path
) -> None:
    shutil.copy(projected, "seedjournal.db")
    world = World(run, make_url, monkeypatch)
    situation(world)
    for text in (text for text, one in HINTS.items() if one is situation):
        pattern = ".*".join(map(re.escape, " ".join(text.split()).split("{}")))
        assert any(re.search(pattern, said) for said in world.heard), text

"""Mistakes that are planted into a copy of the program, each where a promise is held: its test must fail.

`python -m tests.mutations` plants those below, then others at random (turned comparisons, dropped conditions, other
numbers) into journal and projectors for `MUTATION_MINUTES` (10), and prints which mistakes no test found.
`MUTATION_SEED` chooses the others. The copy lies in the temporary folder; the checkout stays as it is.
"""

from __future__ import annotations

import ast
import os
import random
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
_TIMEOUT = 300  # seconds; a mistake that makes a test hang is found


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is written into a file in the place of what, and the test that must find it."""

    promise: str
    file: str
    old: str
    new: str
    test: str


PLANTED = (
    Mistake(
        "States follow from runs by policy",
        "journal/fold.py",
        "return previous if policy is Policy.ONCE else recorded",
        "return recorded",
        "journal/test_fold.py",
    ),
    Mistake(
        "A run with other policies has another state, though it states the same",
        "journal/sealing.py",
        "previous.root == root.hash and previous.policies == inputs.policies",
        "previous.root == root.hash",
        "journal/test_sealing.py",
    ),
    Mistake(
        "Each key stands once in a state",
        "journal/fold.py",
        "if place(row) != last:",
        "if True:",
        "journal/test_sealing.py",
    ),
    Mistake(
        "Remaining runs show what they showed when others are forgotten",
        "journal/forget.py",
        "waiting |= set(connection.execute(select(RUNS.c.state).where(stays)).scalars())",
        "pass",
        "journal/test_forget.py",
    ),
    Mistake(
        "Verification finds a changed event",
        "journal/verify.py",
        "if hash_event(text.encode()) != bytes(hashed):",
        "if False:",
        "journal/test_verify.py",
    ),
    Mistake(
        "Verification finds a changed run",
        "journal/verify.py",
        "if run is None or seal != seal_of(run):",
        "if run is None:",
        "journal/test_verify.py",
    ),
    Mistake(
        "Verification finds a changed node",
        "journal/verify.py",
        "return None if actual == hashed else",
        "return None if True else",
        "journal/test_verify.py",
    ),
    Mistake(
        "Verification folds each state again",
        "journal/verify.py",
        "if folded.hash == run.state",
        "if True",
        "journal/test_verify.py",
    ),
    Mistake(
        "A journal's rows refuse every change",
        "journal/store/sqlite.py",
        'for name in ("update", "delete"):',
        'for name in ("update",):',
        "journal/test_guards.py",
    ),
    Mistake(
        "No file is written by two names",
        "journal/store/sqlite.py",
        "names = path.stat().st_nlink",
        "names = 1",
        "journal/test_files.py",
    ),
    Mistake(
        "What is written to a file that is deleted meanwhile is not called done",
        "journal/store/sqlite.py",
        "is_there = opened.identity == _identity(opened.path)",
        "is_there = True",
        "journal/test_files.py",
    ),
    Mistake(
        "SQLite checks foreign keys",
        "journal/store/sqlite.py",
        "PRAGMA foreign_keys = ON",
        "PRAGMA foreign_keys = OFF",
        "journal/test_database.py",
    ),
    Mistake(
        "SQLite writes through to the disk",
        "journal/store/sqlite.py",
        "PRAGMA synchronous = FULL",
        "PRAGMA synchronous = OFF",
        "journal/test_database.py",
    ),
    Mistake(
        "Who holds a database is waited for",
        "journal/store/postgresql.py",
        '"lock_timeout": f"{wait * 1000 or 1}"',
        '"lock_timeout": "1"',
        "journal/test_concurrency.py",
    ),
    Mistake(
        "Hidden rows are an error",
        "journal/store/postgresql.py",
        '"row_security": "off"',
        '"row_security": "on"',
        "journal/test_trouble.py",
    ),
    Mistake(
        "Verification sees the target at one moment",
        "journal/store/postgresql.py",
        "IsolationLevel.READ_COMMITTED if writes else IsolationLevel.REPEATABLE_READ",
        "IsolationLevel.READ_COMMITTED",
        "projectors/test_check.py",
    ),
    Mistake(
        "Forgetting and projecting take turns",
        "seedjournal/commands/forget.py",
        'database.write("journal", "target")',
        'database.write("journal")',
        "seedjournal/test_forget_command.py",
    ),
    Mistake(
        "Two journals with one project in one target are recognised",
        "projectors/replay.py",
        "if position.journal != this_journal:",
        "if False:",
        "projectors/test_forgotten.py",
    ),
    Mistake(
        "A copy of a journal is recognised",
        "projectors/replay.py",
        "if run and run.state != position.state:",
        "if False:",
        "projectors/test_forgotten.py",
    ),
    Mistake(
        "Every change of a position is found",
        "projectors/check.py",
        "    if wrong := position_problem(source, project, position):\n        yield",
        "    if wrong := None:\n        yield",
        "projectors/test_forgotten.py",
    ),
    Mistake(
        "A row that anybody points to is retained; no cascade fires",
        "projectors/writing.py",
        "spared = exists().where(rows.c.id == _DOOMED.c.id, or_(*held))",
        "spared = exists().where(rows.c.id == _DOOMED.c.id, rows.c.id < 0)",
        "projectors/test_stale.py",
    ),
    Mistake(
        "No cascade fires for a reference that is committed meanwhile",
        "projectors/writing.py",
        ".order_by(rows.c.id).with_for_update()",
        ".order_by(rows.c.id)",
        "projectors/test_stale.py",
    ),
    Mistake(
        "A key that comes back is stale no longer",
        "projectors/writing.py",
        "            notes.drop_stale(self.connection, self.kind, numbers)\n            tell(len(rows))",
        "            tell(len(rows))",
        "projectors/test_stale.py",
    ),
    Mistake(
        "Two keys with one id are refused",
        "projectors/writing.py",
        "for one, two in stage.shared_ids():",
        "for one, two in []:",
        "projectors/test_ids.py",
    ),
    Mistake(
        "A stranger's row on an id of ours is refused",
        "projectors/writing.py",
        "or not is_derived or not was_shown(change)",
        "or not is_derived",
        "projectors/test_ids.py",
    ),
    Mistake(
        "Ids are equal everywhere, and never drift",
        "projectors/rows.py",
        'ID_TAG = b"seedjournal:id:1\\n"',
        'ID_TAG = b"seedjournal:id:2\\n"',
        "projectors/test_ids.py",
    ),
    Mistake(
        "A removed project leaves adopted rows",
        "projectors/writing.py",
        "if number == derived_id(kind, key) and (kind, key) not in adopted",
        "if True",
        "projectors/test_forgotten.py",
    ),
    Mistake(
        "Rows that somebody deleted come back",
        "projectors/replay.py",
        "if not whole and (more or self.choice.check):",
        "if not whole and self.choice.check:",
        "projectors/test_counted.py",
    ),
    Mistake(
        "Rows that a trigger keeps out are an error",
        "projectors/stage.py",
        "if stored >= sent:",
        "if True:",
        "projectors/test_stored.py",
    ),
    Mistake(
        "Texts are compared by their bytes",
        "projectors/stage.py",
        "if isinstance(row.type, String):",
        "if False:",
        "projectors/test_check.py",
    ),
    Mistake(
        "A run whose kinds have no table is refused",
        "projectors/replay.py",
        "if unknown := sorted(set(state.kinds) - set(known)):",
        "if unknown := []:",
        "projectors/test_counted.py",
    ),
    Mistake(
        "Rows that neither state nor notes name are found",
        "projectors/check.py",
        "if not self.mapped.whole and self.layout.count_rows(self.target, self.mapped, self.project) > expected:",
        "if False:",
        "projectors/test_check.py",
    ),
    Mistake(
        "Tables of somebody else are refused",
        "projectors/layout.py",
        'raise WrongSchema(\n            f"{address} already has',
        'raise ValueError(\n            f"{address} already has',
        "projectors/test_ownership.py",
    ),
    Mistake(
        "A stranger's settings file gets no environment variable",
        "seedjournal/settings.py",
        "if self.is_of_file and not is_user_or_password:",
        "if False:",
        "hostile/test_secrets.py",
    ),
    Mistake(
        "Another user's settings file is not read",
        "seedjournal/settings.py",
        "owner not in {os.geteuid(), 0}",
        "owner not in {owner}",
        "hostile/test_secrets.py",
    ),
    Mistake(
        "No password is printed",
        "seedjournal/failures.py",
        "for secret, instead in _SECRETS:",
        "for secret, instead in ():",
        "seedjournal/test_errors.py::test_no_password_in_any_shape",
    ),
    Mistake(
        "A recording that would remove most of a project asks",
        "simulators/recording.py",
        "if is_same and 2 * removed > total:",
        "if False:",
        "seedjournal/test_story.py::test_a_recording_that_removes_most_is_asked_for",
    ),
    Mistake(
        "A cache folder gives the repositories that the project names",
        "seedjournal/sources.py",
        "repos=project.repos,\n                needs_all",
        "repos=(),\n                needs_all",
        "seedjournal/test_settings.py::test_a_cache_folder_of_the_settings_gives_the_projects_repositories",
    ),
    Mistake(
        "Help loads nothing heavy",
        "seedjournal/cli.py",
        "    load_rooms_later()\n",
        "",
        "seedjournal/test_process.py::test_neither_help_nor_what_is_mistyped_loads_anything_heavy",
    ),
    Mistake(
        "`--quiet` prints nothing but errors",
        "seedjournal/commands/options.py",
        "elif not self.quiet:",
        "else:",
        "seedjournal/test_errors.py::test_quiet_prints_nothing_but_errors",
    ),
    Mistake(
        "`verify` prints few lines however much is wrong",
        "seedjournal/commands/verify.py",
        "self._of_kind[one.fault] <= self.limit",
        "True",
        "seedjournal/test_verify_command.py::test_many_findings_are_few_lines_and_all_are_counted",
    ),
    Mistake(
        "No command works in a schema that does not exist",
        "seedjournal/commands/databases.py",
        "if schema not in known:",
        "if False:",
        "seedjournal/test_target_commands.py::test_a_schema_that_is_not_there_is_refused_by_every_command",
    ),
)

# The tests that are nearest to a module, where they are not named as it is.
NEAREST = {
    "journal/appending.py": "journal/test_sealing.py",
    "journal/changes.py": "journal/test_sealing.py journal/test_diff.py",
    "journal/store/contents.py": "journal/test_verify.py journal/test_sealing.py",
    "journal/store/dialects.py": "journal/test_database.py",
    "journal/store/postgresql.py": "journal/test_trouble.py journal/test_database.py journal/test_guards.py",
    "journal/store/sqlite.py": "journal/test_files.py journal/test_database.py journal/test_guards.py",
    "journal/store/trouble.py": "journal/test_trouble.py",
    "projectors/compare.py": "seedjournal/test_target_commands.py",
    "projectors/dialects.py": "projectors/test_stale.py projectors/test_first.py projectors/test_stored.py",
    "projectors/notes.py": "projectors/test_check.py projectors/test_stale.py projectors/test_adopted.py",
    "projectors/stage.py": "projectors/test_replay.py projectors/test_adopted.py projectors/test_check.py",
    "projectors/writing.py": "projectors/test_replay.py projectors/test_stale.py projectors/test_adopted.py",
}
_LEFT_OUT = {"__init__.py", "errors.py", "tables.py", "vocabulary.py"}  # declarations and words
_TURNED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}


def at_random(seed: int) -> Iterator[Mistake]:
    """Yield mistakes of the usual kinds in journal and projectors, in an order that follows from the seed."""
    places = []
    for room in ("journal", "projectors"):
        for file in sorted((ROOT / room).rglob("*.py")):
            if file.name not in _LEFT_OUT:
                text = file.read_text(encoding="utf-8")
                places += [(file.relative_to(ROOT).as_posix(), text, *one) for one in _edits(text)]
    random.Random(seed).shuffle(places)
    for name, text, line, before, after in places:
        lines = text.splitlines(keepends=True)
        head, whole = "".join(lines[: line - 1]), "".join(lines[line - 1 :])
        if before in whole:
            changed = head + whole.replace(before, after, 1)
            own = f"{Path(name).parts[0]}/test_{Path(name).name}"
            nearest = NEAREST.get(name) or (own if (ROOT / "tests" / own).exists() else Path(name).parts[0])
            yield Mistake(f"{name}:{line}: {before} → {after}", name, text, changed, nearest)


def _edits(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield (line, what stands there, what to write instead) for each place on one line that can be mistaken."""
    for node in ast.walk(ast.parse(text)):
        source = ast.get_source_segment(text, node) if isinstance(node, ast.expr) else None
        if source is None or "\n" in source:
            continue
        if isinstance(node, ast.Compare) and type(node.ops[0]) in _TURNED:
            turned = ast.Compare(node.left, [_TURNED[type(node.ops[0])](), *node.ops[1:]], node.comparators)
            yield node.lineno, source, ast.unparse(turned)
        elif isinstance(node, ast.BoolOp):
            yield node.lineno, source, f"({ast.unparse(node.values[0])})"
            yield node.lineno, source, f"({ast.unparse(node.values[-1])})"
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            yield node.lineno, source, ast.unparse(node.operand)
        elif isinstance(node, ast.IfExp):
            yield node.lineno, source, f"({ast.unparse(node.body)})"
            yield node.lineno, source, f"({ast.unparse(node.orelse)})"


class Copy:
    """A copy of the checkout, into which one mistake after the other is planted."""

    def __init__(self, folder: Path) -> None:
        self._root = folder / "copy"
        left_out = shutil.ignore_patterns(".git", ".venv", ".tools", ".*_cache", "__pycache__", ".hypothesis", "dist")
        shutil.copytree(ROOT, self._root, symlinks=True, ignore=left_out)

    def finds(self, mistake: Mistake) -> str:
        """Plant a mistake, run its test, and take it out again; return how it was found, or nothing."""
        file = self._root / mistake.file
        text = file.read_text(encoding="utf-8")
        if text.count(mistake.old) != 1:
            return f"its place is not there once, but {text.count(mistake.old)} times"
        file.write_text(text.replace(mistake.old, mistake.new), encoding="utf-8")
        try:
            return self.failure_of(mistake.test)
        finally:
            file.write_text(text, encoding="utf-8")

    def failure_of(self, tests: str) -> str:
        """Run tests; return the first that fails, or nothing."""
        named = [f"tests/{one}" for one in tests.split()]
        how = ["-q", "-x", "-n", "0", "-p", "no:cacheprovider", "--tb=no", "--no-header"]
        try:
            done = subprocess.run(
                [sys.executable, "-B", "-m", "pytest", *how, *named],
                cwd=self._root,
                env={**os.environ, "PYTHONPATH": str(self._root)},
                capture_output=True,
                text=True,
                check=False,
                timeout=_TIMEOUT,
            )
        except subprocess.TimeoutExpired:
            return f"{tests} did not end"
        failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
        return failed[0] if failed else "" if done.returncode == 0 else done.stdout[-300:] + done.stderr[-300:]


def main(names: list[str]) -> int:
    """Plant everything; 1 where a planted mistake was not found."""
    from tests.conftest import SERVER, pytest_configure, pytest_unconfigure

    minutes = float(os.environ.get("MUTATION_MINUTES", "10"))
    seed = int(os.environ.get("MUTATION_SEED") or secrets.randbelow(10**9))
    survivors = []
    with tempfile.TemporaryDirectory(prefix="seedjournal-mutations-") as folder:
        pytest_configure()  # one PostgreSQL for all
        assert os.environ[SERVER]
        try:
            copy = Copy(Path(folder))
            for one in PLANTED:
                if names and not any(name in one.file or name in one.promise for name in names):
                    continue
                found = copy.finds(one)
                is_found = found.startswith(("FAILED", "ERROR")) or found.endswith("did not end")
                survivors += [] if is_found else [one]
                print(f"{'found' if is_found else 'NOT FOUND'}: {one.promise}: {found}".rstrip(": "), flush=True)
            planted, tried = len(survivors), 0
            until = time.monotonic() + minutes * 60
            print(f"at random: {minutes:g} minutes, seed {seed}", flush=True)
            for one in at_random(seed):
                if time.monotonic() > until:
                    break
                tried += 1
                if not copy.finds(one):
                    survivors.append(one)
                    print(f"not found: {one.promise} (by {one.test})", flush=True)
        finally:
            pytest_unconfigure()
    print(f"{planted} of the planted mistakes and {len(survivors) - planted} of {tried} at random were not found")
    return 1 if planted else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

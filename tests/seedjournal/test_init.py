"""`init --from`: a domain, a map and settings for tables that are there, which work as they are written."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from seedjournal.commands.init import address_of_django, settings_address
from seedjournal.journal import Misuse
from tests.conftest import Urls
from tests.seedjournal.commands import Done, asked, execute, spawn
from tests.seedjournal.conftest import ROOT

Run = Callable[..., Done]

BOOKSHOP = """
CREATE TABLE author (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email VARCHAR(200) NOT NULL UNIQUE, born DATE,
    created_at TIMESTAMP NOT NULL);
CREATE TABLE category (id INTEGER PRIMARY KEY AUTOINCREMENT, name VARCHAR(30) NOT NULL, parent_id INTEGER REFERENCES category);
CREATE TABLE book (id INTEGER PRIMARY KEY, isbn VARCHAR(13) NOT NULL UNIQUE, title TEXT NOT NULL,
    author_id INTEGER NOT NULL REFERENCES author, category INTEGER REFERENCES category(id),
    price DECIMAL(8,2) NOT NULL CHECK (price > 0), status VARCHAR(10) NOT NULL DEFAULT 'new' CHECK (status IN ('new', 'used')),
    pages INTEGER CHECK (pages BETWEEN 10 AND 2000), available BOOLEAN NOT NULL);
CREATE TABLE tag (id INTEGER PRIMARY KEY, name VARCHAR(20) NOT NULL UNIQUE, colour VARCHAR(7));
CREATE TABLE book_tag (book_id INTEGER NOT NULL REFERENCES book, tag_id INTEGER NOT NULL REFERENCES tag,
    PRIMARY KEY (book_id, tag_id));
CREATE TABLE "order" (number INTEGER PRIMARY KEY, placed_at TIMESTAMP NOT NULL, shipped_at TIMESTAMP, note TEXT);
CREATE TABLE order_line (order_number INTEGER NOT NULL REFERENCES "order", line_no INTEGER NOT NULL,
    book_id INTEGER NOT NULL REFERENCES book, quantity INTEGER NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (order_number, line_no));
CREATE TABLE parcel (id INTEGER PRIMARY KEY, order_number INTEGER NOT NULL, line_no INTEGER NOT NULL, weight REAL NOT NULL,
    FOREIGN KEY (order_number, line_no) REFERENCES order_line (order_number, line_no));
CREATE TABLE profile (author_id INTEGER PRIMARY KEY REFERENCES author, bio TEXT NOT NULL, website VARCHAR(100));
INSERT INTO author VALUES (1, 'Ada', 'ada@example.com', NULL, '2024-01-01 00:00:00');
INSERT INTO tag (id, name) VALUES (1, 'poetry');
"""


@pytest.fixture(autouse=True)
def _own_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "seeds", raising=False)


def make(url: str, statements: str) -> None:
    for statement in statements.split(";\n"):
        if statement.strip():
            execute(url, statement)


TYPES = ROOT / ".mypy_cache" / "tests"  # beside `make check`'s, which has other options
STRICT = """
[mypy]
strict = true
[mypy-seedjournal.*]
follow_imports = silent
[mypy-sqlalchemy.*,alembic.*,psycopg.*,faker.*,click.*,rich.*,httpx2.*,msgspec.*,orjson.*]
follow_imports = skip
"""


def is_well_written() -> None:
    """The module that a user starts from passes the linters of this project, and mypy's strict mode."""
    ruff = [sys.executable, "-m", "ruff"]
    Path("mypy.ini").write_text(STRICT, encoding="utf-8")
    as_examples = ["--config", str(ROOT / "pyproject.toml"), "--ignore", "D101,D103,INP001,TD"]
    for command in (
        [*ruff, "check", "--no-cache", *as_examples, "seeds.py"],
        [*ruff, "format", "--no-cache", "--config", str(ROOT / "pyproject.toml"), "--diff", "seeds.py"],
        [sys.executable, "-m", "mypy", "--config-file", "mypy.ini", "--cache-dir", str(TYPES), "seeds.py"],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def seed(run: Run, name: str, database: str, *options: str) -> dict[str, dict[str, Any]]:
    """Record, project and project again; return what the first projection did by kind."""
    run("check")
    assert run("init", "--update").out.startswith("nothing was added")
    run("record", "--project", name, *options)
    first = run("project", "--json", "--confirm", database).json["projects"][name]["kinds"]
    second = run("project", "--json").json["projects"][name]["kinds"]
    assert all(one["inserted"] == one["updated"] == one["deleted"] == 0 for one in second.values())
    assert run("verify", "--json").json["findings"] == []
    return dict(first)


@pytest.mark.slow
def test_a_bookshop_of_sqlite(run: Run, make_url: Urls) -> None:
    url = make_url("sqlite")
    make(url, BOOKSHOP)
    done = run("init", "--from", url, "--rows", "60", "--json").json
    assert set(done["tables"]) == set("author category book tag book_tag order order_line parcel profile".split())
    assert done["left_out"] == {}
    is_well_written()
    database = Path(url).name
    first = seed(run, done["project"], database)
    assert all(one["inserted"] for one in first.values())
    assert asked(url, "PRAGMA foreign_key_check") == []
    assert asked(url, "SELECT name FROM author WHERE id = 1") == [("Ada",)]
    assert asked(url, "SELECT count(*) FROM category WHERE parent_id IS NOT NULL") > [(0,)]
    assert asked(url, "SELECT count(*) FROM parcel") == [(60,)]


RENTAL = (Path(__file__).parent / "rental.sql").read_text(encoding="utf-8")


def rows_of(url: str, tables: Iterable[str]) -> dict[str, list[Any]]:
    """The rows of tables, each with the transaction that wrote it."""
    return {name: sorted(asked(url, f'SELECT t.xmin::text, t::text FROM "{name}" t')) for name in tables}


def test_a_rental_of_postgresql_with_everything_that_tables_have(run: Run, make_url: Urls) -> None:
    url = make_url("postgresql")
    for statement in RENTAL.split("\n\n"):
        execute(url, statement)
    for extension in asked(url, "SELECT name FROM pg_available_extensions WHERE name = 'citext'"):
        execute(url, f"CREATE EXTENSION {extension[0]}")
        execute(url, "ALTER TABLE category ALTER name TYPE citext")
    done = run("init", "--from", url, "--rows", "40", "--json").json
    assert set(done["left_out"]) == {"audit"}
    tables = list(done["tables"])
    assert len(tables) == 17
    is_well_written()
    theirs = rows_of(url, tables)
    run("check")
    run("record", "--project", done["project"])
    database = asked(url, "SELECT current_database()")[0][0]
    assert database in run("project", status=2).err  # there are rows of others
    first = seed(run, done["project"], database)
    assert all(one["inserted"] for one in first.values())
    written = rows_of(url, tables)
    assert all(set(rows) <= set(written[name]) for name, rows in theirs.items())
    run("project")
    assert rows_of(url, tables) == written
    assert asked(url, "SELECT count(*) FROM store WHERE manager_staff_id IS NOT NULL") > [(1,)]
    assert asked(url, "SELECT count(DISTINCT rating) > 1, bool_and(fulltext <> ''), max(film_id) FROM film") == [
        (True, True, 11)
    ]
    assert asked(url, "SELECT bool_and(closed > opened) FROM store") == [(True,)]
    assert asked(url, "SELECT count(*) FROM rental JOIN inventory USING (store_id, copy)") == [(14,)]
    assert asked(url, "SELECT count(*) FROM payment_2022_02") > [(0,)]
    execute(url, "INSERT INTO actor (first_name, last_name) VALUES ('Nick', 'Wahlberg')")
    execute(url, "UPDATE customer SET phone = '1'")
    run("record", "--project", done["project"], "--set", "actors=20")
    assert run("project", "--json").json["projects"][done["project"]]["kinds"]["actor"]["inserted"] == 7


CHECKED = """
CREATE TABLE part (id INTEGER PRIMARY KEY, code TEXT NOT NULL CHECK (code GLOB '[A-Z][A-Z][0-9]'),
    kind TEXT NOT NULL CHECK (kind IN ('a', 'b') OR kind = 'c'), mail TEXT NOT NULL CHECK (mail LIKE '%@%'),
    packs INTEGER NOT NULL CHECK (packs % 5 = 0), least INTEGER, most INTEGER CHECK (least IS NULL OR most >= least),
    one INTEGER, other INTEGER CHECK ((one IS NULL) <> (other IS NULL)), lower TEXT NOT NULL CHECK (lower = lower(lower)),
    ratio DECIMAL(5, 2) NOT NULL CHECK (ratio > 0 AND ratio < 1), state TEXT CHECK (length(state) = 2),
    title VARCHAR(5) NOT NULL CHECK (title <> ''), "when" DATE NOT NULL CHECK ("when" >= '2025-06-01'))
"""


@pytest.mark.slow
def test_checks_that_are_more_than_the_usual(run: Run, make_url: Urls) -> None:
    """The database says which of many values it takes; what it takes none of is left null, or a comment says so."""
    url = make_url("sqlite")
    make(url, CHECKED)
    done = run("init", "--from", url, "--rows", "90", "--json").json
    is_well_written()
    first = seed(run, done["project"], Path(url).name)
    assert first["part"]["inserted"] == 30
    assert asked(url, "SELECT count(DISTINCT kind), min(packs % 5), max(packs % 5) FROM part") == [(3, 0, 0)]


KEYED = """
CREATE TABLE model (workspace VARCHAR(63) NOT NULL DEFAULT 'the only one', name VARCHAR(50) NOT NULL, hint TEXT,
    PRIMARY KEY (workspace, name));
CREATE TABLE metric (workspace VARCHAR(63) NOT NULL, name VARCHAR(50) NOT NULL, step INTEGER NOT NULL,
    value DOUBLE PRECISION NOT NULL, is_nan BOOLEAN NOT NULL, PRIMARY KEY (workspace, name, step, value, is_nan),
    FOREIGN KEY (workspace, name) REFERENCES model);
CREATE TABLE share (rate REAL NOT NULL PRIMARY KEY);
CREATE TABLE digest (id BLOB NOT NULL PRIMARY KEY);
CREATE TABLE setting (name TEXT PRIMARY KEY, "value" TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE file (id INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, size INTEGER NOT NULL) STRICT;
"""


def test_primary_keys_of_which_no_kind_can_have_all(run: Run, make_url: Urls) -> None:
    url = make_url("sqlite")
    make(url, KEYED)
    done = run("init", "--from", url, "--rows", "60", "--json").json
    assert set(done["left_out"]) == {"share", "digest"}
    is_well_written()
    seed(run, done["project"], Path(url).name)
    assert asked(url, "SELECT DISTINCT workspace FROM model") == [("the only one",)]
    assert asked(url, "SELECT count(DISTINCT value) > 20, count(*) > 20 FROM metric") == [(True, True)]


DEMANDING = """
CREATE TYPE pair AS (one INTEGER, other TEXT);
CREATE TABLE oddity (id BIGSERIAL PRIMARY KEY, thousands NUMERIC(5, -3) NOT NULL, bits BIT(8) NOT NULL, mac MACADDR8 NOT NULL,
    area BOX NOT NULL, twins PAIR NOT NULL, spans INT4RANGE NOT NULL, zoned TIME WITH TIME ZONE NOT NULL,
    numbers INTEGER[] NOT NULL CHECK (array_length(numbers, 1) > 0), list JSONB NOT NULL CHECK (jsonb_typeof(list) = 'array'),
    code CHAR(2) NOT NULL CHECK (code = lower(code)));
CREATE TABLE party (id SERIAL PRIMARY KEY, kind TEXT NOT NULL CHECK (kind IN ('person', 'firm')), name TEXT NOT NULL,
    tax TEXT, CHECK ((kind = 'firm') = (tax IS NOT NULL)));
CREATE TABLE room (id SERIAL PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE booking (id SERIAL PRIMARY KEY, starts TIMESTAMPTZ NOT NULL, ends TIMESTAMPTZ NOT NULL, party_id INTEGER REFERENCES party,
    room_id INTEGER REFERENCES room, CHECK (num_nonnulls(party_id, room_id) = 1),
    EXCLUDE USING gist (tstzrange(starts, ends) WITH &&));
CREATE TABLE knows (one INTEGER NOT NULL REFERENCES party, other INTEGER NOT NULL REFERENCES party,
    PRIMARY KEY (one, other), CHECK (one <> other));
CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.name = upper(NEW.name); RETURN NEW; END $$;
CREATE TRIGGER shout BEFORE INSERT OR UPDATE ON room FOR EACH ROW EXECUTE FUNCTION shout();
"""


def test_what_else_a_database_demands_of_values(run: Run, make_url: Urls) -> None:
    url = make_url("postgresql")
    make(url, DEMANDING)
    done = run("init", "--from", url, "--rows", "30", "--json").json
    assert done["left_out"] == {}
    is_well_written()
    first = seed(run, done["project"], asked(url, "SELECT current_database()")[0][0])
    assert all(one["inserted"] for one in first.values())
    assert asked(url, "SELECT bool_and(name = upper(name)) FROM room") == [(True,)]


SCHEMAS = """
CREATE SCHEMA people;
CREATE SCHEMA "Human Resources";
CREATE TYPE people.sort AS ENUM ('staff', 'guest');
CREATE TABLE people.person (id SERIAL PRIMARY KEY, sort people.sort NOT NULL, name TEXT NOT NULL);
CREATE TABLE "Human Resources"."Employee" (person_id INTEGER PRIMARY KEY REFERENCES people.person, "loginID" TEXT NOT NULL UNIQUE);
CREATE TABLE "Human Resources".person (id SERIAL PRIMARY KEY, boss_id INTEGER NOT NULL REFERENCES "Human Resources"."Employee")
"""


def test_tables_of_several_schemas(run: Run, make_url: Urls) -> None:
    """Where no table is found by its name alone, those of all schemas are taken, and keys lead from one to the other."""
    url = make_url("postgresql")
    make(url, SCHEMAS)
    done = run("init", "--from", url, "--rows", "30", "--json").json
    assert sorted(done["tables"]) == ["Human Resources.Employee", "Human Resources.person", "people.person"]
    first = seed(run, done["project"], asked(url, "SELECT current_database()")[0][0])
    assert all(one["inserted"] for one in first.values())


TENANTS = """
CREATE TABLE django_migrations (id INTEGER PRIMARY KEY, app TEXT NOT NULL);
CREATE TABLE django_content_type (id INTEGER PRIMARY KEY, app_label VARCHAR(100) NOT NULL, model VARCHAR(100) NOT NULL);
INSERT INTO django_content_type VALUES (7, 'crm', 'page');
CREATE TABLE tenant (id INTEGER PRIMARY KEY, slug VARCHAR(20) NOT NULL UNIQUE);
CREATE TABLE crm_page (id INTEGER PRIMARY KEY, content_type_id INTEGER NOT NULL REFERENCES django_content_type,
    tenantId INTEGER NOT NULL REFERENCES tenant, "class" TEXT NOT NULL, "Ünits" INTEGER NOT NULL, "two words" TEXT);
CREATE TABLE crm_tagged (id INTEGER PRIMARY KEY, content_type_id INTEGER NOT NULL REFERENCES django_content_type,
    object_id INTEGER NOT NULL);
CREATE TABLE project (tenant_id INTEGER NOT NULL REFERENCES tenant, number INTEGER NOT NULL, name TEXT NOT NULL,
    PRIMARY KEY (tenant_id, number));
CREATE TABLE member (tenant_id INTEGER NOT NULL REFERENCES tenant, login VARCHAR(30) NOT NULL, password TEXT NOT NULL,
    PRIMARY KEY (tenant_id, login));
CREATE TABLE task (id INTEGER PRIMARY KEY, tenant_id INTEGER NOT NULL, project_number INTEGER NOT NULL,
    owner_login VARCHAR(30) NOT NULL, draw INTEGER, run TEXT, date DATE NOT NULL, number INTEGER,
    FOREIGN KEY (tenant_id, project_number) REFERENCES project, FOREIGN KEY (tenant_id, owner_login) REFERENCES member);
CREATE TABLE "Domain" (id INTEGER PRIMARY KEY, "import" TEXT NOT NULL, self_id INTEGER NOT NULL REFERENCES "Domain");
"""


def test_tenants_frameworks_and_names_that_python_has(run: Run, make_url: Urls) -> None:
    url = make_url("sqlite")
    make(url, TENANTS)
    done = run("init", "--from", url, "--rows", "60", "--json").json
    assert set(done["left_out"]) == {"django_migrations", "django_content_type", "crm_tagged"}
    is_well_written()
    first = seed(run, done["project"], Path(url).name)
    assert all(one["inserted"] for one in first.values())
    run("record", "--all")
    run("project")
    assert asked(url, "PRAGMA foreign_key_check") == []
    assert asked(url, "SELECT DISTINCT content_type_id FROM crm_page") == [(7,)]
    assert asked(url, "SELECT DISTINCT password FROM member") == [("!",)]
    assert asked(url, "SELECT count(*) > 5, count(DISTINCT tenant_id) > 1 FROM task") == [(True, True)]


def test_no_file_is_overwritten(run: Run, make_url: Urls, tmp_path: Path) -> None:
    url = make_url("sqlite")
    make(url, BOOKSHOP)
    Path("seeds.py").write_text("mine\n")
    told = run("init", "--from", url, status=2).err
    assert "seeds.py exists already; nothing was written" in told
    assert Path("seeds.py").read_text() == "mine\n"
    assert not Path("seedjournal.toml").exists()
    run("init", "--from", url, "--out", "other/folder")
    assert {one.name for one in (tmp_path / "other" / "folder").iterdir()} == {"seeds.py", "seedjournal.toml"}


def test_what_cannot_be_a_start(run: Run, make_url: Urls, tmp_path: Path) -> None:
    url = make_url("sqlite")
    assert "There is no database at" in run("init", "--from", "sqlite:///absent.db", status=2).err
    assert not Path("absent.db").exists()
    make(url, "CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY)")
    assert "There is no table to begin with" in run("init", "--from", url, status=2).err
    make(url, BOOKSHOP)
    told = run("init", "--from", url, "--tables", "author,bok", status=2).err
    assert "There is no table 'bok'; the nearest is 'book'" in told
    assert "schema 'books'" in run("init", "--from", make_url("postgresql"), "--schema", "books", status=2).err
    assert list(tmp_path.glob("*.py")) == []
    run("init", "--from", url, "--tables", "author,category", "--tables", "book")
    assert "class Author(" in Path("seeds.py").read_text()
    assert "class Profile(" not in Path("seeds.py").read_text()


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("postgresql://me:s3cret@localhost/app", "postgresql://me:${DATABASE_PASSWORD}@localhost/app"),
        ("postgresql://me:${PGPASSWORD}@localhost/app", "postgresql://me:${PGPASSWORD}@localhost/app"),
        ("postgresql://me@localhost/app?password=s3cret", "postgresql://me:${DATABASE_PASSWORD}@localhost/app"),
        (
            "postgresql://me@/app?host=%2Ftmp&password=s3cret&port=5",
            "postgresql://me:${DATABASE_PASSWORD}@/app?host=%2Ftmp&port=5",
        ),
        ("postgresql://me@localhost/app", "postgresql://me@localhost/app"),
        ("sqlite:////data/app.db", "sqlite:////data/app.db"),
    ],
)
def test_no_password_is_written(given: str, written: str) -> None:
    assert settings_address(given, Path())[0] == written


MODELS = """
import enum

from sqlalchemy import Enum, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Shelf(Base):
    __tablename__ = "shelf"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Text, unique=True)
    state: Mapped[str] = mapped_column(Enum(enum.Enum("State", "OPEN SHUT"), native_enum=False))
"""
DJANGO = """
print("an application that talks while it is imported")
DATABASES = {{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": "{}"}}}}
INSTALLED_APPS = ["shelves"]
"""
SHELVES_APP = """
from django.db import models


class Shelf(models.Model):
    name = models.TextField(unique=True)
    state = models.CharField(max_length=9, choices=[("Doors", [("OPEN", "open"), ("SHUT", "shut")]), ("", "none")])

    class Meta:
        db_table = "shelf"
"""
SHELVES = """CREATE TABLE shelf (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, state VARCHAR(9) NOT NULL, hint TEXT);
CREATE TABLE other (id INTEGER PRIMARY KEY)"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "tables"),
    [(("django:site_settings",), ["other", "shelf"]), (("sqlalchemy:models:Base", "--target", "{}"), ["shelf"])],
    ids=["django", "sqlalchemy"],
)
def test_a_framework_names_database_and_tables(source: tuple[str, ...], tables: list[str], tmp_path: Path) -> None:
    """In a process of its own, as the application's modules are imported."""
    url = f"sqlite:///{tmp_path}/app.db"
    make(url, SHELVES)
    (tmp_path / "shelves").mkdir()
    for name, text in {
        "site_settings": DJANGO.format(tmp_path / "app.db"),
        "models": MODELS,
        "shelves/__init__": "",
        "shelves/models": SHELVES_APP,
    }.items():
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    command = ("init", "--from", *(one.format(url) for one in source), "--rows", "20", "--json")
    done = spawn(*command, folder=tmp_path)
    assert done.status == 0, done.err
    assert sorted(done.json["tables"]) == tables
    for next_ in (("record", "--project", "app"), ("project",)):
        assert spawn(*next_, folder=tmp_path).status == 0
    assert asked(url, "SELECT DISTINCT state FROM shelf ORDER BY 1") == [("OPEN",), ("SHUT",)]
    assert asked(url, "SELECT count(*) FROM shelf WHERE hint IS NOT NULL") == [(0,)]


def test_settings_of_django_whose_applications_are_not_installed_here_name_the_database(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/app.db"
    make(url, SHELVES)
    (tmp_path / "site_settings.py").write_text(DJANGO.format(tmp_path / "app.db"), encoding="utf-8")
    done = spawn("init", "--from", "django:site_settings", "--json", folder=tmp_path)
    assert sorted(done.json["tables"]) == ["other", "shelf"]


@pytest.mark.parametrize(
    ("told", "address"),
    [
        ({"ENGINE": "django.db.backends.postgresql", "NAME": "a", "USER": "u", "PASSWORD": "p/w", "HOST": "h", "PORT": 5},
         "postgresql://u:p%2Fw@h:5/a"),
        ({"ENGINE": "django.contrib.gis.db.backends.postgis", "NAME": "a", "HOST": "/run/pg"},
         "postgresql:///a?host=%2Frun%2Fpg"),
        ({"ENGINE": "django.db.backends.sqlite3", "NAME": Path("/data/app.sqlite3")}, "sqlite:////data/app.sqlite3"),
    ],
)  # fmt: skip
def test_djangos_default_database_has_an_address(told: dict[str, Any], address: str) -> None:
    assert address_of_django(told) == address


@pytest.mark.parametrize(
    ("source", "told"),
    [
        (("--from", "django:mended"), "Django's default database has the engine (none)"),
        (("--from", "django:broken"), "cannot be imported: ZeroDivisionError: division by zero."),
        (("--from", "django:no.such"), "Django's settings 'no.such:DATABASES' cannot be imported"),
        (("--from", "sqlalchemy:no.such:Base"), "SQLAlchemy models do not say in which database they are."),
        (("--from", "sqlalchemy:json:Base", "--target", "sqlite:///x.db"), "'json:Base' cannot be imported"),
    ],
)
def test_a_framework_that_names_nothing_is_told(source: tuple[str, ...], told: str, run: Run) -> None:
    Path("mended.py").write_text("DATABASES = {}\n", encoding="utf-8")
    Path("broken.py").write_text("1 / 0\n", encoding="utf-8")
    assert told in run("init", *source, status=2).err


def test_a_database_that_django_has_elsewhere_is_refused() -> None:
    with pytest.raises(Misuse, match="writes only to PostgreSQL"):
        address_of_django({"ENGINE": "django.db.backends.mysql", "NAME": "a"})


TENANTED = """
CREATE TABLE plan (id INTEGER PRIMARY KEY, code VARCHAR(20) NOT NULL UNIQUE, price DECIMAL(8, 2) NOT NULL);
CREATE TABLE organization (id INTEGER PRIMARY KEY, name VARCHAR(60) NOT NULL, slug VARCHAR(30) NOT NULL UNIQUE,
    email VARCHAR(80) NOT NULL UNIQUE, state VARCHAR(10) NOT NULL CHECK (state IN ('trial', 'paid')),
    created_at TIMESTAMP NOT NULL, trial_ends_at TIMESTAMP NOT NULL, plan_id INTEGER REFERENCES plan, owner_id INTEGER);
CREATE TABLE member (id INTEGER PRIMARY KEY, organization_id INTEGER NOT NULL REFERENCES organization,
    email VARCHAR(80) NOT NULL, name TEXT NOT NULL, boss_id INTEGER REFERENCES member, UNIQUE (organization_id, email));
CREATE TABLE project (id INTEGER PRIMARY KEY, organization_id INTEGER NOT NULL REFERENCES organization,
    name VARCHAR(40) NOT NULL, lead_id INTEGER NOT NULL REFERENCES member, UNIQUE (organization_id, name));
CREATE TABLE label (id INTEGER PRIMARY KEY, organization_id INTEGER NOT NULL REFERENCES organization, name VARCHAR(40) NOT NULL,
    UNIQUE (organization_id, name));
CREATE TABLE task (id INTEGER PRIMARY KEY, project_id INTEGER NOT NULL REFERENCES project, number INTEGER NOT NULL,
    title TEXT NOT NULL, due DATE, assignee_id INTEGER REFERENCES member, UNIQUE (project_id, number));
CREATE TABLE task_label (task_id INTEGER NOT NULL REFERENCES task, label_id INTEGER NOT NULL REFERENCES label,
    PRIMARY KEY (task_id, label_id));
CREATE TABLE comment (id INTEGER PRIMARY KEY, task_id INTEGER NOT NULL REFERENCES task, author_id INTEGER NOT NULL REFERENCES
    member, body TEXT NOT NULL, token VARCHAR(40) NOT NULL UNIQUE);
CREATE TABLE invoice_profile (organization_id INTEGER PRIMARY KEY REFERENCES organization, street TEXT NOT NULL);
INSERT INTO organization VALUES (1, 'Mine', 'mine', 'mine@example.com', 'paid', '2024-01-01 00:00:00', '2024-02-01 00:00:00', NULL, 1);
INSERT INTO member VALUES (1, 1, 'ada@example.com', 'Ada', NULL)
"""


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_the_table_of_tenants_is_the_root(kind: str, run: Run, make_url: Urls) -> None:
    """Each project is a tenant; the plans that all share are a project of their own; rows of others stay."""
    url = make_url(kind)
    make(url, TENANTED)
    if kind == "postgresql":
        execute(url, "ALTER TABLE organization ADD FOREIGN KEY (owner_id) REFERENCES member")
    done = run("init", "--from", url, "--rows", "60", "--json").json
    assert (done["project"], done["projects"], done["root"]) == ("acme", ["acme", "globex", "initech"], "organization")
    assert "root=Organization," in Path("seeds.py").read_text(encoding="utf-8")
    if kind == "sqlite":
        is_well_written()
    database = Path(url).name if kind == "sqlite" else asked(url, "SELECT current_database()")[0][0]
    first = seed(run, "acme", database)
    assert all(first[one]["inserted"] for one in set(done["tables"]) - {"plan"})
    assert asked(url, "SELECT slug FROM organization ORDER BY slug") == [("acme",), ("mine",)]
    run("record", "--all")
    run("project")
    assert run("verify", "--json").json["findings"] == []
    assert len(asked(url, "SELECT DISTINCT organization_id FROM member")) == 4
    strayed = (
        "SELECT count(*) FROM task t JOIN project p ON p.id = t.project_id JOIN member m ON m.id = t.assignee_id "
        "WHERE m.organization_id <> p.organization_id"
    )
    assert asked(url, strayed) == [(0,)]
    assert asked(url, "SELECT count(*) > 9 FROM task WHERE assignee_id IS NOT NULL") in ([(True,)], [(1,)])
    assert asked(url, "SELECT name FROM member WHERE id = 1") == [("Ada",)]


ROOM = "CREATE TABLE {0} (id INTEGER PRIMARY KEY, {1}, name VARCHAR(40) NOT NULL, UNIQUE ({2}))"
COMPANY = "CREATE TABLE company (id INTEGER PRIMARY KEY, code VARCHAR(20) NOT NULL UNIQUE)"
OF_COMPANY = "company_id INTEGER NOT NULL REFERENCES company"


@pytest.mark.parametrize(
    ("tables", "root"),
    [
        ((COMPANY, *(ROOM.format(one, OF_COMPANY, "company_id, name") for one in ("room", "desk", "team"))), "Company"),
        (  # through parents, and a table that all share
            (
                COMPANY,
                *(ROOM.format(one, OF_COMPANY, "company_id, name") for one in ("room", "team")),
                ROOM.format("desk", "room_id INTEGER NOT NULL REFERENCES room", "room_id, name"),
                ROOM.format("lamp", "desk_id INTEGER NOT NULL REFERENCES desk", "desk_id, name"),
                "CREATE TABLE colour (id INTEGER PRIMARY KEY, name VARCHAR(30) NOT NULL UNIQUE)",
            ),
            "Company",
        ),
        # rows of two projects would have one name
        ((COMPANY, *(ROOM.format(one, OF_COMPANY, "name") for one in ("room", "desk", "team"))), None),
        # nothing is unique within a company: it may be one more table that others refer to
        ((COMPANY, *(ROOM.format(one, OF_COMPANY, "id") for one in ("room", "desk", "team"))), None),
        # too few tables
        ((COMPANY, *(ROOM.format(one, OF_COMPANY, "company_id, name") for one in ("room", "desk"))), None),
        # a company need not be known
        (
            (
                COMPANY,
                *(
                    ROOM.format(one, OF_COMPANY.replace("NOT NULL ", ""), "company_id, name")
                    for one in ("room", "desk", "team")
                ),
            ),
            None,
        ),
        # its name is no text
        (
            (
                COMPANY.replace("VARCHAR(20)", "INTEGER"),
                *(ROOM.format(one, OF_COMPANY, "company_id, name") for one in ("room", "desk", "team")),
            ),
            None,
        ),
        # people write posts, and are no tenants
        (
            (
                COMPANY.replace("company", "author"),
                *(
                    ROOM.format(one, OF_COMPANY.replace("company", "author"), "author_id, name")
                    for one in ("post", "tag", "page")
                ),
            ),
            None,
        ),
        # two that could be
        (
            (
                COMPANY,
                COMPANY.replace("company", "site"),
                *(
                    ROOM.format(
                        one, f"{OF_COMPANY}, {OF_COMPANY.replace('company', 'site')}", "company_id, site_id, name"
                    )
                    for one in ("a", "b", "c", "d", "e")
                ),
            ),
            None,
        ),
    ],
    ids=["company", "parents", "alike", "nothing unique", "few", "nullable", "no text", "people", "two"],
)
def test_a_root_must_be_evident(tables: tuple[str, ...], root: str | None, run: Run, make_url: Urls) -> None:
    url = make_url("sqlite")
    make(url, ";\n".join(tables))
    done = run("init", "--from", url, "--rows", "20", "--json").json
    text = Path("seeds.py").read_text(encoding="utf-8")
    assert (f"root={root}," in text) == (root is not None)
    assert ("root=" in text) == (root is not None)
    if "lamp" in done["tables"]:  # the largest; what `init` writes without a root is tried above
        seed(run, done["project"], Path(url).name)
        run("record", "--all")
        run("project")
        assert run("verify", "--json").json["findings"] == []
        assert all(asked(url, f'SELECT count(*) FROM "{table}"') > [(2,)] for table in done["tables"])

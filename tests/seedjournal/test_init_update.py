"""`init --update`: what migrations have added since a map was written, as Python that works where it is pasted."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Urls
from tests.seedjournal.commands import Done, asked, spawn
from tests.seedjournal.test_init import DJANGO, MODELS, SHELVES, SHELVES_APP, make, seed

Run = Callable[..., Done]


@pytest.fixture(autouse=True)
def _own_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "seeds", raising=False)


SHOP = """
CREATE TABLE customer (id INTEGER PRIMARY KEY, email VARCHAR(100) NOT NULL UNIQUE, name TEXT NOT NULL,
    status VARCHAR(10) NOT NULL CHECK (status IN ('new', 'regular')), hint TEXT, created_at TIMESTAMP NOT NULL);
CREATE TABLE product (sku VARCHAR(12) PRIMARY KEY, title TEXT NOT NULL, price DECIMAL(8, 2) NOT NULL CHECK (price > 0));
CREATE TABLE "order" (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customer,
    placed_at TIMESTAMP NOT NULL);
CREATE TABLE order_line (order_id INTEGER NOT NULL REFERENCES "order", sku VARCHAR(12) NOT NULL REFERENCES product,
    quantity INTEGER NOT NULL, PRIMARY KEY (order_id, sku));
CREATE TABLE logged (what TEXT);
INSERT INTO customer VALUES (1, 'ada@example.com', 'Ada', 'new', NULL, '2024-01-01 00:00:00')
"""

MIGRATION = """
CREATE TABLE warehouse (id INTEGER PRIMARY KEY, code VARCHAR(8) NOT NULL UNIQUE, city TEXT NOT NULL);
CREATE TABLE review (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customer,
    sku VARCHAR(12) NOT NULL REFERENCES product, stars INTEGER NOT NULL CHECK (stars BETWEEN 1 AND 5), body TEXT NOT NULL);
CREATE TABLE order_note (order_id INTEGER NOT NULL REFERENCES "order", number INTEGER NOT NULL, body TEXT NOT NULL,
    token UUID NOT NULL, weight DECIMAL(5, 1), PRIMARY KEY (order_id, number));
CREATE TABLE profile (customer_id INTEGER PRIMARY KEY REFERENCES customer, bio TEXT NOT NULL);
CREATE TABLE line_note (id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL, sku VARCHAR(12) NOT NULL, body TEXT NOT NULL,
    FOREIGN KEY (order_id, sku) REFERENCES order_line (order_id, sku));
CREATE TABLE unseen (what TEXT);
CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY);
ALTER TABLE customer ADD phone VARCHAR(20);
ALTER TABLE customer ADD points INTEGER NOT NULL DEFAULT 0;
ALTER TABLE customer ADD password VARCHAR(100) NOT NULL DEFAULT '';
ALTER TABLE customer ADD referrer_id INTEGER REFERENCES customer;
ALTER TABLE customer ADD card INTEGER;
CREATE UNIQUE INDEX one_card ON customer (card);
ALTER TABLE "order" ADD delivered_at TIMESTAMP;
ALTER TABLE "order" ADD warehouse_id INTEGER REFERENCES warehouse
"""


REMEMBER = """

def remember(made, cls):
    return lambda **given: made.append(cls(**given)) or made[-1]
"""


def paste(document: dict[str, Any], domain: str) -> None:  # noqa: C901 - one for each place
    """Put what was printed into the module that `init` wrote, where the comments say."""
    file = Path(document["files"]["domain"])
    text, added = file.read_text(encoding="utf-8"), document["added"]

    def put(pattern: str, more: str) -> None:
        nonlocal text
        text, count = re.subn(pattern, lambda match: match[0] + more, text, count=1)
        assert count == 1, pattern

    def replace(pattern: str, by: str) -> None:
        nonlocal text
        text, count = re.subn(pattern, lambda _: by, text, count=1)
        assert count == 1, pattern

    for one in added["tables"].values():
        python = one["python"]
        replace(rf"\n{domain} = Domain\(", f"\n{python['class']}\n\n\n{domain} = Domain(")
        put(r"kinds=\(", python["kinds"])
        put(r"settings=\{", python["settings"])
        text += f"\n\n{python['simulator']}\n\n\n{python['map']}\n"
    for one in added["columns"]:
        python, row = (
            one["python"],
            rf"\n(?P<indent> +)(?:yield |made\.append\()(?:remember\(made, )?{one['class']}\)?\(",
        )
        if python["field"]:
            put(rf"class {one['class']}\(.*\n", f"    {python['field']}\n")
            put(row, python["value"])
        head = rf"def {one['simulator']}\([^:]*(?:: [^:]*)*\) -> .*:\n"
        if any("made" in need for need in one["needs"]):
            put(head, f"    made: list[{one['class']}] = []\n")
            replace(rf"yield {one['class']}\(", f"yield remember(made, {one['class']})(")
            text += REMEMBER
        if any("enumerate" in need for need in one["needs"]):
            replace(
                rf'for one in (draw.many\("{one["simulator"]}".*\)):', "for place, one in enumerate(draw.many(…), 1):"
            )
            text = text.replace("draw.many(…)", f'draw.many("{one["simulator"]}", settings["{one["simulator"]}"])')
        for parameter in one["parameters"]:
            put(rf"def {one['simulator']}\(", "" if parameter in text else f"{parameter}, ")
        for line in one["before"]:
            name = line.partition(" = ")[0]
            replace(rf"{name}={re.escape(line.partition(' = ')[2])}", f"{name}={name}")
            found = re.search(row, text)
            assert found
            text = f"{text[: found.start()]}\n{found['indent']}{line}{text[found.start() :]}"
        if python["map"]:
            is_argument = python["map"].startswith(("theirs", "filled_by_trigger"))
            if is_argument:
                text = text.replace(f", {declared_theirs(text, one)}", "")
            more = f", {python['map']}" if is_argument else f", columns={{{python['map']}}}"
            put(rf'target\.table\(\s*"{one["kind"]}",\s*"{one["table"]}"', more)
    for one in added["labels"]:
        replace(rf"\n    {one['field']}: Literal\[[^\]]*\].*", f"\n    {one['python']}")
    for line in added["imports"]:
        replace("\nfrom seedjournal import", f"\n{line}\nfrom seedjournal import")
    file.write_text(text, encoding="utf-8")
    sys.modules.pop("seeds", None)


def declared_theirs(text: str, column: dict[str, Any]) -> str:
    """What the map says so far of the columns that are left to the application."""
    found = re.search(rf'target\.table\(\s*"{column["kind"]}"[^)]*?(theirs=\[.*?\])', text)
    return found[1] if found else "nothing"


def name_of(url: str) -> str:
    """The database's name, which `project` asks for."""
    return Path(url).name if url.startswith("sqlite") else str(asked(url, "SELECT current_database()")[0][0])


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_what_migrations_added_is_printed_and_works_where_it_is_pasted(kind: str, run: Run, make_url: Urls) -> None:
    url = make_url(kind)
    make(url, SHOP)
    project = run("init", "--from", url, "--rows", "60", "--json").json["project"]
    assert "nothing was added" in run("init", "--update").out
    seed(run, project, name_of(url))
    make(url, MIGRATION)
    before = Path("seeds.py").read_text(encoding="utf-8")
    done = run("init", "--update", "--json").json
    assert Path("seeds.py").read_text(encoding="utf-8") == before
    new = {"warehouse", "review", "order_note", "profile", "line_note"}
    assert set(done["added"]["tables"]) == new
    assert [(one["table"], one["column"], one["theirs"]) for one in done["added"]["columns"]] == [
        ("customer", "phone", False),
        ("customer", "points", True),
        ("customer", "password", True),
        ("customer", "referrer_id", False),
        ("customer", "card", False),
        ("order", "delivered_at", False),
        ("order", "warehouse_id", False),
    ]
    assert set(done["left_out"]) == {"logged", "unseen", "alembic_version"}
    assert done["changed"] == []
    said = run("init", "--update").out
    for one in (*done["added"]["tables"].values(), *done["added"]["columns"]):
        assert all(line.strip() in said for part in one["python"].values() for line in part.split("\n"))
    paste(done, project)
    assert "nothing was added" in run("init", "--update").out
    first = seed(run, project, name_of(url))
    assert all(first[one]["inserted"] for one in new)
    assert asked(url, "SELECT count(*) FROM customer WHERE id = 1 AND phone IS NULL AND points = 0") == [(1,)]
    assert asked(
        url, 'SELECT count(*) > 9, min(delivered_at) > min(placed_at) FROM "order" WHERE warehouse_id > 0'
    ) in (
        [(1, 1)],
        [(True, True)],
    )


ENUMS = """
CREATE TYPE mood AS ENUM ('calm', 'busy');
CREATE TABLE team (id BIGSERIAL PRIMARY KEY, name VARCHAR(40) NOT NULL UNIQUE, mood mood NOT NULL,
    level INTEGER NOT NULL CHECK (level IN (1, 2)), price NUMERIC(8, 2) NOT NULL);
CREATE TABLE task (id BIGSERIAL PRIMARY KEY, team_id BIGINT NOT NULL REFERENCES team, title TEXT NOT NULL)
"""


def test_new_labels_and_what_does_not_fit_any_more(run: Run, make_url: Urls) -> None:
    url = make_url("postgresql")
    make(url, ENUMS)
    project = run("init", "--from", url, "--rows", "20", "--json").json["project"]
    seed(run, project, name_of(url))
    make(url, "ALTER TYPE mood ADD VALUE 'late'")
    make(
        url,
        "ALTER TABLE team DROP CONSTRAINT team_level_check, ADD CHECK (level IN (1, 2, 3));\n"
        "ALTER TABLE team ALTER name TYPE VARCHAR(30);\nALTER TABLE task RENAME title TO name;\n"
        "ALTER TABLE team ALTER price TYPE NUMERIC(8, 1)",
    )
    done = run("init", "--update", "--json").json
    assert [(one["column"], one["labels"], one["python"]) for one in done["added"]["labels"]] == [
        ("mood", ["late"], 'mood: Literal["calm", "busy", "late"]'),
        ("level", [3], "level: Literal[1, 2, 3]"),
    ]
    assert done["changed"] == [
        "task.title has no column in task; was it renamed to name?",
        "team.name takes 30 characters, and team.name may have 40",
        "team.price has 1 places, and team.price has 2",
    ]
    assert [one["column"] for one in done["added"]["columns"]] == ["name"]
    said = run("init", "--update").out
    assert "takes 'late' as well: in class Team" in said
    assert "# does not fit any more: task.title has no column in task; was it renamed to name?" in said
    assert "seedjournal check" in said
    make(url, "ALTER TABLE task RENAME name TO title;\nALTER TABLE team ALTER price TYPE NUMERIC(8, 2)")
    run("project", "--repair")  # the places that the prices lost
    paste(run("init", "--update", "--json").json, project)
    assert "nothing was added" in run("init", "--update").out
    seed(run, project, name_of(url))
    assert asked(url, "SELECT count(DISTINCT mood) FROM team") == [(2,)]  # as the simulator has two
    make(
        url,
        "DROP TABLE task;\nALTER TABLE team DROP CONSTRAINT team_level_check, ALTER level TYPE TEXT USING level::text",
    )
    assert run("init", "--update", "--json").json["changed"][:2] == [
        "team.level is text, and team.level is integer",
        "task: there is no table task; the nearest is 'team'",
    ]


def test_tables_that_were_not_chosen_are_not_new(run: Run, make_url: Urls) -> None:
    url = make_url("sqlite")
    make(
        url,
        "".join(f"CREATE TABLE t{one} (id INTEGER PRIMARY KEY, name TEXT NOT NULL);\n" for one in range(200)) + SHOP,
    )
    run("init", "--from", url, "--tables", "customer,order")
    assert run("init", "--update").out.startswith("nothing was added")
    assert run("init", "--update").out.count("\n") == 1
    make(
        url, 'CREATE TABLE t200 (id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL REFERENCES "order");\nDROP TABLE t7'
    )
    done = run("init", "--update", "--json").json
    assert set(done["added"]["tables"]) == {"t200"}
    assert done["changed"] == ["there is no table t7 any more, which leave_alone names"]
    assert set(run("init", "--update", "--tables", "t3,t4", "--json").json["added"]["tables"]) == {"t3", "t4"}
    assert "There is no table 't3x'; the nearest is 't3'" in run("init", "--update", "--tables", "t3x", status=2).err
    file = Path("seeds.py")
    text, count = re.subn(r"target\.leave_alone\([^)]*\)\n", "", file.read_text(encoding="utf-8"))
    assert count == 1
    file.write_text(text.replace(', theirs=["hint"]', ""), encoding="utf-8")
    sys.modules.pop("seeds", None)
    said = run("init", "--update").out  # which of the 200 are left out on purpose nobody says now
    assert "customer.hint (TEXT)" in said
    assert "202 tables without a kind: product, " in said
    assert "class T200" not in said
    assert "class T200" in run("init", "--update", "--tables", "t200").out


BY_HAND = """
from collections.abc import Iterator
from datetime import date

from seedjournal import Domain, Draw, Kind, Tables, field, ref, values

class Person(Kind, key="mail"):
    mail: str
    called: str
    mood: str

class Note(Kind, key=("writer", "place")):
    writer: Person
    place: int

class Seen(Kind, key="person", part_of=Person):
    person: Person
    visits: int = 0

staff = Domain("staff", kinds=(Person, Note, Seen), settings={"people": 5}, today=date(2026, 1, 5))

@staff.simulate()
def people(draw: Draw) -> Iterator[Person]:
    for one in draw.many("people", 5):
        yield Person(mail=one.email("mail"), called=one.name("called"), mood="calm")

where = Tables(staff)
where.table(
    "person", "hr_person", schema=SCHEMA, columns={"email": "mail", "name": "called", "mood": values("mood", calm="c")}
)
where.table("note", "hr_note", schema=SCHEMA, columns={"by_id": ref("writer"), "place_no": "place"})
"""
HR = """
CREATE TABLE {0}hr_person (id BIGINT PRIMARY KEY, email VARCHAR(90) NOT NULL UNIQUE, name TEXT NOT NULL, mood TEXT NOT NULL,
    visits INTEGER NOT NULL DEFAULT 0);
CREATE TABLE {0}hr_note (id BIGINT PRIMARY KEY, by_id BIGINT NOT NULL REFERENCES {0}hr_person, place_no INTEGER NOT NULL)
"""


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_map_by_hand_with_names_of_its_own(kind: str, run: Run, make_url: Urls) -> None:
    url, schema = make_url(kind), "hr" if kind == "postgresql" else None
    place = f"{schema}." if schema else ""
    make(url, ("CREATE SCHEMA hr;\n" if schema else "") + HR.format(place))
    Path("seeds.py").write_text(
        BY_HAND.replace("SCHEMA", repr(schema)),
        encoding="utf-8",
    )
    Path("seedjournal.toml").write_text(
        f'domain = "seeds:staff"\ntables = "seeds:where"\ntarget = "{url}"\n', encoding="utf-8"
    )
    assert run("init", "--update").out.startswith("nothing was added")
    make(
        url,
        f"CREATE TABLE {place}person (id BIGINT PRIMARY KEY, hr_person_id BIGINT NOT NULL REFERENCES {place}hr_person,"
        f" email VARCHAR(90) NOT NULL REFERENCES {place}hr_person (email));\n"
        f'ALTER TABLE {place}hr_note ADD body TEXT;\nALTER TABLE {place}hr_person ADD "Called" VARCHAR(80)',
    )
    added = run("init", "--update", "--json").json["added"]
    (one,) = added["tables"].values()
    assert one["class"] == ("HrPerson" if schema else "PersonRow")
    assert one["python"]["class"].split("\n")[1:] == ["    number: int", "    hr_person: Person", "    email: Person"]
    assert '"email": ref("email").field("mail")' in one["python"]["map"]
    assert "people: All[Person]" in one["python"]["simulator"]
    assert one["rows"] == 5
    assert [(one["class"], one["python"]["field"], one["python"]["map"]) for one in added["columns"]] == [
        ("Person", "called_value: Annotated[str, Size(80)] | None", '"Called": field("called_value"),'),
        ("Note", "body: str | None", ""),
    ]
    assert added["imports"] == ["from typing import Annotated", "from seedjournal import All, Size"]


def test_the_built_in_domain_gets_no_fields(run: Run, make_url: Urls) -> None:
    url = make_url("sqlite")
    make(url, "CREATE TABLE crew (id INTEGER PRIMARY KEY, name TEXT NOT NULL, hint TEXT)")
    Path("seeds.py").write_text(
        'from seedjournal import ENGINEERING, Tables\n\ntarget = Tables(ENGINEERING)\ntarget.table("team", "crew", theirs=[])\n',
        encoding="utf-8",
    )
    Path("seedjournal.toml").write_text(f'tables = "seeds:target"\ntarget = "{url}"\n', encoding="utf-8")
    make(url, "CREATE TABLE other (id INTEGER PRIMARY KEY);\nALTER TABLE crew ADD size INTEGER NOT NULL DEFAULT 0")
    done = run("init", "--update", "--json").json
    assert done["added"]["tables"] == {}
    assert done["passed"]["tables"] == ["other"]
    assert [one["python"] for one in done["added"]["columns"]] == [
        {"field": "", "value": "", "map": f'theirs=["{name}"]', "left": f'theirs=["{name}"]'}
        for name in ("hint", "size")
    ]


def test_what_cannot_be_compared(run: Run, make_url: Urls) -> None:
    url = make_url("sqlite")
    assert "was not told which database has the tables" in run("init", status=2).err
    assert "names no map" in run("init", "--update", status=2).err
    make(url, SHOP)
    run("init", "--from", url)
    assert "--update writes no file" in run("init", "--update", "--out", "here", status=2).err
    assert "There is no database at" in run("init", "--update", "--target", "sqlite:///absent.db", status=2).err
    other = f"sqlite:///{Path.cwd()}/other.db"
    make(other, SHOP + ";\nALTER TABLE customer ADD phone TEXT")
    assert [one["column"] for one in run("init", "--update", "--from", other, "--json").json["added"]["columns"]] == [
        "phone"
    ]
    assert run("init", "--update", "--quiet").out == ""


def test_many_columns_are_passed_over(run: Run, make_url: Urls) -> None:
    """A map that does not say what it leaves to the application, and leaves many columns, leaves them on purpose."""
    url = make_url("sqlite")
    make(url, SHOP)
    run("init", "--from", url)
    file = Path("seeds.py")
    file.write_text(file.read_text(encoding="utf-8").replace(', theirs=["hint"]', ""), encoding="utf-8")
    sys.modules.pop("seeds", None)
    make(url, ";\n".join(f"ALTER TABLE product ADD more_{one} TEXT" for one in range(30)))
    done = run("init", "--update", "--json").json
    assert done["added"]["columns"] == []
    assert done["passed"]["columns"]["customer"] == ["hint"]
    said = run("init", "--update").out
    assert said.startswith("nothing was added")
    assert "31 columns that the application fills: customer.hint, product.more_0" in said
    assert "more_29: str | None" in run("init", "--update", "--tables", "product").out


@pytest.mark.slow
def test_a_framework_tells_values_and_tables(tmp_path: Path) -> None:
    """In processes of their own, as the application's modules are imported."""
    url = f"sqlite:///{tmp_path}/app.db"
    make(url, SHELVES)
    (tmp_path / "shelves").mkdir()
    for name, text in {
        "site_settings": DJANGO.format(tmp_path / "app.db"),
        "shelves/__init__": "",
        "shelves/models": SHELVES_APP,
        "models": MODELS,
    }.items():
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    assert spawn("init", "--from", "django:site_settings", folder=tmp_path).status == 0
    models = tmp_path / "shelves/models.py"
    models.write_text(
        models.read_text(encoding="utf-8").replace('("SHUT", "shut")', '("SHUT", "shut"), ("AJAR", "ajar")')
    )
    make(url, "CREATE TABLE book (id INTEGER PRIMARY KEY, shelf_id INTEGER NOT NULL REFERENCES shelf)")
    for source, tables, labels in (
        ("django:site_settings", ["book"], [["AJAR"]]),
        ("sqlalchemy:models:Base", [], []),
    ):
        command = ("init", "--update", "--from", source, "--target", url, "--json")
        done = spawn(*command, folder=tmp_path)
        assert done.status == 0, done.err
        assert list(done.json["added"]["tables"]) == tables
        assert [one["labels"] for one in done.json["added"]["labels"]] == labels


TENANTS = """
from collections.abc import Iterator
from datetime import date

from seedjournal import All, Domain, Draw, Kind, Tables

class Plan(Kind, key="code"):
    code: str

class Tenant(Kind, key="slug"):
    slug: str
    name: str

class Member(Kind, key=("tenant", "login")):
    tenant: Tenant
    login: str

class Folder(Kind, key=("tenant", "number")):
    tenant: Tenant
    number: int

d = Domain("d", root=Tenant, kinds=(Plan, Tenant, Member, Folder), settings={"members": 9}, today=date(2026, 1, 5))
d.facts(Plan, [Plan(code="free")])
d.facts(Tenant, [Tenant(slug="acme", name="Acme"), Tenant(slug="beta", name="Beta")])

@d.simulate(each=Tenant)
def members(tenant: Tenant, draw: Draw, settings: dict[str, int]) -> Iterator[Member]:
    for one in draw.many("members", settings["members"]):
        yield Member(tenant=tenant, login=one.code("login"))

@d.simulate(each=Tenant)
def folders(tenant: Tenant) -> Iterator[Folder]:
    for number in (1, 2):
        yield Folder(tenant=tenant, number=number)

target = Tables(d)
target.table("plan", "plan")
target.table("tenant", "tenant")
target.table("member", "member")
target.table("folder", "folder")
"""
TENANT_TABLES = """
CREATE TABLE plan (id BIGINT PRIMARY KEY, code VARCHAR(20) NOT NULL UNIQUE);
CREATE TABLE tenant (id BIGINT PRIMARY KEY, slug VARCHAR(20) NOT NULL UNIQUE, name TEXT NOT NULL);
CREATE TABLE member (id BIGINT PRIMARY KEY, tenant_id BIGINT NOT NULL REFERENCES tenant, login VARCHAR(20) NOT NULL,
    UNIQUE (tenant_id, login));
CREATE TABLE folder (id BIGINT PRIMARY KEY, tenant_id BIGINT NOT NULL REFERENCES tenant, number INTEGER NOT NULL)
"""
MORE_OF_TENANTS = """
CREATE TABLE country (id BIGINT PRIMARY KEY, code VARCHAR(20) NOT NULL UNIQUE, told_by BIGINT REFERENCES member);
CREATE TABLE label (id BIGINT PRIMARY KEY, tenant_id BIGINT NOT NULL REFERENCES tenant, name VARCHAR(30) NOT NULL,
    UNIQUE (tenant_id, name));
CREATE TABLE task (id BIGINT PRIMARY KEY, folder_id BIGINT NOT NULL REFERENCES folder, title TEXT NOT NULL,
    member_id BIGINT REFERENCES member, country_id BIGINT NOT NULL REFERENCES country);
CREATE TABLE task_label (task_id BIGINT NOT NULL REFERENCES task, label_id BIGINT NOT NULL REFERENCES label,
    PRIMARY KEY (task_id, label_id));
CREATE TABLE folder_watch (folder_id BIGINT NOT NULL REFERENCES folder, other_id BIGINT NOT NULL REFERENCES folder,
    number INTEGER NOT NULL, PRIMARY KEY (folder_id, other_id, number));
CREATE TABLE bill (tenant_id BIGINT PRIMARY KEY REFERENCES tenant, plan_id BIGINT NOT NULL REFERENCES plan)
"""


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_new_tables_of_tenants_are_simulated_for_each(kind: str, run: Run, make_url: Urls) -> None:
    url = make_url(kind)
    make(url, TENANT_TABLES)
    Path("seeds.py").write_text(TENANTS, encoding="utf-8")
    Path("seedjournal.toml").write_text(
        f'domain = "seeds:d"\ntables = "seeds:target"\ntarget = "{url}"\n', encoding="utf-8"
    )
    assert run("init", "--update").out.startswith("nothing was added")
    make(url, MORE_OF_TENANTS)
    done = run("init", "--update", "--rows", "30", "--json").json
    new = {name: one["python"]["simulator"].split("\n")[0] for name, one in done["added"]["tables"].items()}
    assert new.pop("country") == "@d.simulate()"
    assert new == dict.fromkeys(("label", "task", "task_label", "folder_watch", "bill"), "@d.simulate(each=Tenant)")
    paste(done, "d")
    assert run("init", "--update").out.startswith("nothing was added")
    run("record", "--all")
    run("project")
    assert run("verify", "--json").json["findings"] == []
    for table in ("country", "label", "task", "task_label", "folder_watch", "bill"):
        assert asked(url, f"SELECT count(*) FROM {table}") > [(1,)], table
    assert asked(url, "SELECT count(DISTINCT tenant_id) FROM label") == [(2,)]

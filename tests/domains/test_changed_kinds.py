"""Kinds that change: what is recorded is compared as ever, and tables of our own follow where that loses nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect

from tests.seedjournal.commands import Done, asked, driver_url, execute

Run = Callable[..., Done]
Declare = Callable[..., Path]

ONE = """
    class Shelf(Kind, key="code"):
        code: str
        width: int
        note: Annotated[str, Size(5)]

    class Book(Kind, key="isbn"):
        isbn: str
        shelf: Shelf

    one = Domain("one", kinds=(Shelf, Book), today=date(2026, 1, 5))
    one.facts(Shelf, [Shelf(code="a", width=1, note="x"), Shelf(code="b", width=2, note="y")])
    one.facts(Book, [Book(isbn="1", shelf=at(Shelf, code="a"))])
"""


def changed(*replacements: tuple[str, str]) -> str:
    text = ONE
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new)
    return text


def recorded(run: Run) -> None:
    sys.modules.pop("seeds", None)  # as in a process of its own
    run("record", "--project", "one")


def columns(url: str, table: str) -> list[str]:
    engine = create_engine(driver_url(url))
    try:
        return [one["name"] for one in inspect(engine).get_columns(table)]
    finally:
        engine.dispose()


MORE = (
    (
        "        note: Annotated[str, Size(5)]\n",
        "        note: Annotated[str, Size(9)]\n        until: date\n        best: Book | None\n",
    ),
    ('note="x")', 'note="a longer", until=date(2026, 1, 1), best=at(Book, isbn="1"))'),
    ('note="y")', 'note="y", until=date(2026, 1, 2), best=None)'),
    ("kinds=(Shelf, Book)", "kinds=(Shelf, Book, Reader, ShelfSum)"),
    (
        "    one = Domain",
        """    class Reader(Kind, key="name"):
        name: str
        reads: Book

    class ShelfSum(Kind, key="shelf", part_of=Shelf):
        shelf: Shelf
        books: int = 7

    one = Domain""",
    ),
    (
        "    one.facts(Book,",
        """    one.facts(Reader, [Reader(name="r", reads=at(Book, isbn="1"))])
    one.facts(ShelfSum, [ShelfSum(shelf=at(Shelf, code="a"), books=1)])
    one.facts(Book,""",
    ),
)


def test_new_fields_kinds_references_and_parts_are_added(declare: Declare, run: Run, at: str) -> None:
    declare(ONE)
    recorded(run)
    run("project")
    declare(changed(*MORE))
    recorded(run)
    changes = run("diff", "--json").json["changes"]
    assert {(one["kind"], one["change"]) for one in changes} == {
        ("shelf", "changed"),
        ("reader", "added"),
        ("shelf_sum", "added"),
    }
    assert next(one["fields"] for one in changes if one["key"] == {"code": "a"})["until"] == {
        "old": None,
        "new": "2026-01-01",
    }
    assert run("verify", "--json").json["ok"]  # the tables still show the first run
    dry = run("project", "--dry-run", "--json").json["projects"]["one"]["kinds"]
    assert (dry["shelf"]["updated"], dry["reader"]["inserted"]) == (2, 1)
    assert "until" not in columns(at, "shelfs")
    run("project")
    found = asked(at, "SELECT code, note, until, best_id IS NULL, books FROM shelfs ORDER BY code")
    assert [tuple(map(str, row[:3])) for row in found] == [("a", "a longer", "2026-01-01"), ("b", "y", "2026-01-02")]
    assert [(bool(row[3]), row[4]) for row in found] == [(False, 1), (True, 7)]
    assert run("verify", "--json").json["ok"]
    assert run("diff", "--target", "--json").json["equal"]
    run("project", "--run", "1", "--yes")  # back in time: the columns stay
    assert run("verify", "--json").json["ok"]
    run("project")
    run("project", "--rebuild", "--yes")
    assert run("verify", "--json").json["ok"]
    if at.startswith("postgresql"):
        with pytest.raises(Exception, match="fk_shelfs_best_id"):
            execute(at, "UPDATE shelfs SET best_id = 5")


def test_a_field_that_is_gone_leaves_its_column(declare: Declare, run: Run, at: str) -> None:
    declare(ONE)
    recorded(run)
    run("project")
    declare(
        changed(
            ("        note: Annotated[str, Size(5)]\n", ""),
            (', note="x"', ""),
            (', note="y")]', '), Shelf(code="c", width=3)]'),
        )
    )
    recorded(run)
    if at.startswith("sqlite"):
        error = run("project", "--json", status=3).error
        assert "shelfs.note may not be null, but no field fills it any more" in error["message"]
        assert "by hand" in error["hint"]
        assert run("verify", "--json").json["ok"]
        execute(at, "ALTER TABLE shelfs DROP COLUMN note")
    run("project")
    assert len(asked(at, "SELECT code FROM shelfs")) == 3
    assert run("verify", "--json").json["ok"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            (
                ("width: int", "width: date"),
                ("width=1", "width=date(2026, 1, 1)"),
                ("width=2", "width=date(2026, 1, 1)"),
            ),
            "width",
        ),
        (
            (('class Book(Kind, key="isbn")', 'class Book(Kind, key=("isbn", "shelf"))'),),
            "the key of books has other columns",
        ),
    ],
)
def test_what_cannot_follow_is_said_with_the_way_out(
    change: tuple[tuple[str, str], ...], told: str, declare: Declare, run: Run, at: str
) -> None:
    declare(ONE)
    recorded(run)
    run("project")
    declare(changed(*change))
    recorded(run)
    if "date" in str(change) and at.startswith("sqlite"):
        run("project")  # SQLite's columns take values of any type
        assert run("verify", "--json").json["ok"]
        return
    error = run("project", "--json", status=3).error
    assert told in error["message"]
    assert "nothing was written" in error["message"]
    assert run("verify", "--json").json["ok"]


def test_a_run_of_another_declaration_is_refused_by_a_map_and_the_kinds_are_named(
    declare: Declare, run: Run, make_url: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = make_url("postgresql")
    execute(url, "CREATE TABLE shelfs (id BIGINT PRIMARY KEY, code TEXT UNIQUE, width INT, note VARCHAR(5))")
    execute(
        url,
        "CREATE TABLE books (id BIGINT PRIMARY KEY, isbn TEXT UNIQUE, shelf_id BIGINT NOT NULL REFERENCES shelfs)",
    )
    monkeypatch.setenv("SEEDJOURNAL_TARGET", url)
    folder = declare(ONE)
    (folder / "map.py").write_text(
        "from seeds import one\nfrom seedjournal import Tables\ntarget = Tables(one)\n"
        'target.table("shelf", "shelfs")\ntarget.table("book", "books")\n'
    )
    settings = folder / "seedjournal.toml"
    settings.write_text(settings.read_text() + 'tables = "map:target"\n')
    recorded(run)
    declare(changed(("width: int", "width: int | None")))
    settings.write_text('domain = "seeds:one"\ntables = "map:target"\n')
    for name in ("seeds", "map"):
        sys.modules.pop(name, None)
    error = run("project", "--json", status=3).error
    assert "declares differently, or not at all: shelf;" in error["message"]
    assert "record" in error["hint"]
    run("record", "--project", "one")
    assert run("project", "--json").json["projects"]["one"]["kinds"]["shelf"]["inserted"] == 2


KEPT = """
    class Shelf(Kind, key="code", policy="upsert"):
        code: str
        width: int

    class Book(Kind, key="isbn", policy="upsert"):
        isbn: str
        shelf: Shelf

    class Wide(Kind, key="shelf"):
        shelf: Shelf
        books: int

    one = Domain("one", kinds=(Shelf, Book, Wide), today=date(2026, 1, 5))
    one.facts(Shelf, csv("shelves.csv"))
    one.facts(Book, csv("books.csv"))

    @one.simulate(each=Shelf)
    def wide(shelf: Shelf, books: Its[Book]) -> Iterator[Wide]:
        yield Wide(shelf=shelf, books=len(books))
"""
FILES = {"shelves_csv": "code,width\na,1\nb,2\n", "books_csv": "isbn,shelf\n1,a\n2,b\n"}


def test_what_is_kept_gets_the_defaults_of_new_fields(
    declare: Declare, run: Run, at: str, make_url: Callable[[str], str]
) -> None:
    declare(KEPT, **FILES)
    recorded(run)
    run("project")
    more = KEPT.replace(
        "        width: int\n",
        '        width: int\n        note: str | None\n        rank: int = 3\n        kind: str = "oak"\n'
        "        best: Book | None\n        any: Book | Shelf | None\n",
    ).replace("books=len(books)", "books=len(books) + shelf.rank")
    declare(more, shelves_csv="code,width,note,rank,kind,best\nc,3,x,4,fir,1\n")
    recorded(run)
    run("project")
    found = asked(at, "SELECT code, note, rank, kind, best_id IS NULL FROM shelfs ORDER BY code")
    assert [(*row[:4], bool(row[4])) for row in found] == [
        ("a", None, 3, "oak", True),
        ("b", None, 3, "oak", True),
        ("c", "x", 4, "fir", False),
    ]
    assert asked(at, "SELECT books FROM wides JOIN shelfs ON shelfs.id = shelf_id ORDER BY code") == [(4,), (4,), (4,)]
    assert run("verify", "--json").json["ok"]
    assert run("diff", "--target", "--json").json["equal"]
    other = make_url("sqlite")
    run("project", "--target", other)
    assert asked(other, "SELECT code, note, rank, kind FROM shelfs ORDER BY code") == [tuple(row[:4]) for row in found]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("width: int", "width: int\n        note: str"), "it has no note, which may not be null"),
        (("width: int", "width: int\n        best: Book"), "it has no best, which may not be null"),
        (("width: int", "width: date"), "width was integer, and is now date"),
        (("width: int", "width: Literal[2, 3]"), "shelf.width: 1 is not one of 2, 3"),
        (
            ('Shelf(Kind, key="code"', 'Shelf(Kind, key=("code", "width")'),
            "shelf leads to Shelf, whose key was code, and is now code, width",
        ),
    ],
)
def test_what_is_kept_must_fit_the_kinds_that_changed(
    change: tuple[str, str], told: str, declare: Declare, run: Run
) -> None:
    declare(KEPT, **FILES)
    recorded(run)
    declare(KEPT.replace(*change), shelves_csv="", books_csv="")
    sys.modules.pop("seeds", None)
    error = run("record", "--project", "one", "--yes", "--json", status=3).error
    name, key = ("book", "1") if "leads to" in told else ("shelf", "a")
    fault = f"The policy upsert keeps {name} {key} of an earlier run, which does not fit the kind any more: {told}."
    assert fault in error["message"]
    assert f"--policy {name}=exact" in error["hint"]
    assert len(run("log", "--json").json["runs"]) == 1
    run("record", "--project", "one", "--yes", "--fresh")
    run("project", "--yes")


@pytest.mark.parametrize("policy", ["exact", "upsert"])
def test_a_kind_that_is_gone_or_renamed_leaves_the_state_and_its_rows_follow(
    policy: str, declare: Declare, run: Run, at: str, make_url: Callable[[str], str]
) -> None:
    text = KEPT.replace("upsert", policy)
    declare(text, **FILES)
    recorded(run)
    run("project")
    declare(text.replace("Book", "Novel").replace("Wide", "Breadth"))
    sys.modules.pop("seeds", None)
    run("record", "--project", "one", "--yes")
    run("project", "--yes")
    stale = 0 if policy == "exact" else 2
    assert len(asked(at, "SELECT isbn FROM novels")) == 2
    assert (len(asked(at, "SELECT isbn FROM books")), asked(at, "SELECT count(*) FROM wides")) == (stale, [(0,)])
    assert run("verify", "--json").json["ok"]
    other = make_url("sqlite")
    run("project", "--target", other)
    assert asked(other, "SELECT id FROM novels ORDER BY id") == asked(at, "SELECT id FROM novels ORDER BY id")
    again = run("project", "--json").json["projects"]["one"]["kinds"]
    assert ("book" in again) == bool(stale)
    run("project", "--prune", "--yes")
    assert asked(at, "SELECT count(*) FROM books") == [(0,)]
    run("project", "--run", "1", "--yes")
    assert len(asked(at, "SELECT isbn FROM books")) == 2
    assert run("verify", "--json").json["ok"]


def test_tables_follow_also_where_the_run_that_they_show_is_forgotten(declare: Declare, run: Run, at: str) -> None:
    declare(KEPT, **FILES)
    recorded(run)
    run("project")
    more = KEPT.replace("width: int\n", "width: int\n        rank: int = 3\n")
    declare(
        more.replace("one = Domain", "class Door(Kind, key='n'):\n        n: int\n\n    one = Domain").replace(
            "Wide)", "Wide, Door)"
        )
    )
    recorded(run)
    run("forget", "--keep-runs", "1", "--yes")
    run("project")
    assert asked(at, "SELECT rank FROM shelfs") == [(3,), (3,)]
    assert asked(at, "SELECT count(*) FROM doors") == [(0,)]
    assert run("verify", "--json").json["ok"]

"""Hard cases of tables that others own: what a database rewrites, folds, hides, defers or keeps apart, one by one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from seedjournal import initial, now, null_as, ref, soft_delete, sql, touch
from seedjournal.journal import (
    JOURNAL_HISTORY,
    Database,
    Event,
    Field,
    Json,
    Kind,
    Misuse,
    Policy,
    Reference,
    Run,
    Type,
    Unavailable,
    Vocabulary,
    ensure,
    open_database,
)
from seedjournal.projectors.mapped import check_fit
from seedjournal.projectors.mapping import Tables
from tests.conftest import MAKES, Urls
from tests.projectors.test_mapped import changed, do, faults, note, show, trigger

PROJECT = "house"
GUEST = Kind(
    name="guest",
    key=("login",),
    fields=(
        Field(name="login"),
        Field(name="mail", nullable=True),
        Field(name="seat", type=Type.INTEGER, nullable=True),
        Field(name="price", type=Type.DECIMAL, places=4, nullable=True),
        Field(name="share", type=Type.FLOAT, nullable=True),
        Field(name="seen", type=Type.INSTANT, nullable=True),
    ),
    references=(Reference(name="host", to="guest", shared={}, nullable=True),),
    policy=Policy.EXACT,
)
NOTE = Kind(
    name="note",
    key=("number",),
    fields=(Field(name="number", type=Type.INTEGER),),
    references=(Reference(name="about", to="guest", shared={}, nullable=True),),
    policy=Policy.EXACT,
)
HOUSE = Vocabulary((GUEST, NOTE))
ALL = "login mail seat price share seen host"


def guest(login: str, **data: Json) -> Event:
    told = dict.fromkeys(("mail", "seat", "price", "share", "seen", "host"), None)
    return Event(project=PROJECT, kind="guest", key={"login": login}, data={**told, **data})


def a_note(number: int, about: str | None = None) -> Event:
    return Event(project=PROJECT, kind="note", key={"number": number}, data={"about": about})


def record(database: Database, *facts: Event) -> Run:
    return note(database, facts, slug=PROJECT, domain=HOUSE)


def guests(columns: dict[str, Any] | None = None, *, fields: str, table: str = "guests", **said: Any) -> Tables:
    """A map of guests alone, of whom the table has these fields."""
    tables = Tables(HOUSE)
    left = set(ALL.split()) - {"login"} - set(fields.split())
    tables.table("guest", table, columns=columns, leave_out=" ".join(left), **said)
    tables.leave_out("note")
    return tables


@pytest.fixture(params=MAKES)
def database(request: pytest.FixtureRequest, make_url: Urls) -> Iterable[Database]:
    yield from opened(make_url.ready(request.param))


@pytest.fixture
def postgres(make_url: Urls) -> Iterable[Database]:
    yield from opened(make_url.ready("postgresql"))


def opened(url: str) -> Iterable[Database]:
    database = open_database(url, create=True)
    ensure(database, JOURNAL_HISTORY, create=True)
    yield database
    database.engine.dispose()


def is_stable(database: Database, run: Run, tables: Tables) -> bool:
    """Whether rows are as the state says, and neither comparing nor projecting again finds anything to write."""
    return (
        faults(database, tables) == []
        and changed(show(database, run, tables)) == (0, 0, 0)
        and changed(show(database, run, tables, repair=True)) == (0, 0, 0)
    )


# What databases make of values


@pytest.mark.parametrize(
    ("make", "columns"),
    [
        ("postgresql", "price NUMERIC(6,2), share REAL, seen TIMESTAMPTZ(0), mail CHAR(9)"),
        ("postgresql", "price REAL, share NUMERIC(3,1), seen TIMESTAMP(3), mail VARCHAR(9)"),
        ("postgresql", "price DOUBLE PRECISION, share DOUBLE PRECISION, seen TIMESTAMP, mail NAME"),
        ("postgresql", 'price NUMERIC, share REAL, seen TIMESTAMPTZ, mail TEXT COLLATE "C"'),
        ("sqlite", "price NUMERIC(6,2), share REAL, seen DATETIME, mail CHAR(9)"),
        ("sqlite", "price REAL, share NUMERIC, seen TEXT, mail VARCHAR(9) COLLATE NOCASE"),
        ("sqlite", "price TEXT, share FLOAT, seen TIMESTAMP, mail"),
    ],
)
def test_types_that_round_pad_and_fold(make: str, columns: str, make_url: Urls) -> None:
    database = open_database(make_url.ready(make), create=True)
    do(database, f"CREATE TABLE guests (id BIGINT PRIMARY KEY, login TEXT NOT NULL UNIQUE, {columns})")
    tables = guests(fields="price share seen mail")
    facts = [
        guest("a", price="12.3456", share=0.1, seen="2024-03-04T07:00:00.567891Z", mail="a "),
        guest("b", price="-0.0050", share=1e-7, seen="2024-03-04T07:00:00Z", mail="B"),
        guest("c"),
    ]
    run = record(database, *facts)
    assert changed(show(database, run, tables)) == (3, 0, 0)
    assert is_stable(database, run, tables)
    do(database, "UPDATE guests SET mail = 'b' WHERE login = 'b'")
    assert faults(database, tables) == ['guest {"login":"b"}: its row differs in mail']
    assert changed(show(database, run, tables, repair=True)) == (0, 1, 0)
    assert is_stable(database, run, tables)
    database.engine.dispose()


def folded(database: Database) -> tuple[str, str, str]:
    """A type for which two texts are equal, and these two: as the server has it, in any case or with blanks behind."""
    if database.name == "sqlite":
        return "TEXT COLLATE NOCASE", "Ann", "ann"
    if do(database, "SELECT 1 FROM pg_available_extensions WHERE name = 'citext'"):
        do(database, "CREATE EXTENSION citext")
        return "citext", "Ann", "ann"
    return "CHAR(5)", "ann ", "ann"  # in the order of bytes


def test_keys_that_are_equal_for_the_table_are_named(database: Database) -> None:
    type_, one, two = folded(database)
    do(database, f"CREATE TABLE guests (id BIGINT PRIMARY KEY, login {type_} NOT NULL UNIQUE, seat INT)")
    tables = guests(fields="seat")
    told = rf'guest \{{"login":"{one}"\}} and guest \{{"login":"{two}"\}} have the same login'
    with pytest.raises(Misuse, match=told):
        show(database, record(database, guest(one), guest(two)), tables)
    show(database, record(database, guest(one)), tables)
    run = record(database, guest(two))
    assert changed(show(database, run, tables)) == (1, 0, 1)
    assert is_stable(database, run, tables)
    do(database, "DELETE FROM guests")
    do(database, f"INSERT INTO guests VALUES (5, '{one}', 1)")
    run = record(database, guest(two, seat=2), guest("bob"))
    assert changed(show(database, run, tables)) == (1, 1, 0)
    assert do(database, "SELECT id, seat FROM guests WHERE id = 5") == [(5, 2)]
    assert is_stable(database, run, tables)


@pytest.mark.parametrize("expression", ["lower(mail)", "(coalesce(mail, '') || '-')"])
def test_an_expression_that_no_two_rows_share_names_both(database: Database, expression: str) -> None:
    do(database, "CREATE TABLE guests (id BIGINT PRIMARY KEY, login TEXT NOT NULL UNIQUE, mail TEXT)")
    do(database, f"CREATE UNIQUE INDEX by_mail ON guests ({expression}) WHERE login <> 'z'")
    tables = guests(fields="mail")
    twins = [
        guest("a", mail="x" if "lower" in expression else None),
        guest("b", mail="X" if "lower" in expression else ""),
    ]
    with pytest.raises(Misuse, match=r'guest \{"login":"a"\} and guest \{"login":"b"\} have the same .*by_mail'):
        show(database, record(database, *twins), tables)
    show(database, record(database, guest("a", mail="x"), guest("b", mail="y")), tables)
    assert changed(show(database, record(database, guest("a", mail="Y"), guest("b", mail="X")), tables)) == (0, 2, 0)
    do(database, "INSERT INTO guests VALUES (1, 'mine', 'm')")
    with pytest.raises(Misuse, match=r'guest \{"login":"c"\} has the same .* as row 1 of guests'):
        show(database, record(database, guest("c", mail="M" if "lower" in expression else "m")), tables)


def test_a_key_by_expression(database: Database) -> None:
    do(database, "CREATE TABLE guests (id BIGINT PRIMARY KEY, username TEXT NOT NULL UNIQUE, mail TEXT)")
    do(database, "INSERT INTO guests VALUES (1, 'ann', 'old')")
    tables = guests({"username": sql("lower(:login)")}, fields="mail", key=["username"])
    run = record(database, guest("ANN", mail="new"), guest("Bob"))
    assert changed(show(database, run, tables)) == (1, 1, 0)
    assert do(database, "SELECT id, username, mail FROM guests WHERE id = 1") == [(1, "ann", "new")]
    assert is_stable(database, run, tables)
    with pytest.raises(Misuse, match=r'"ANN".*"ann".* have the same username'):
        show(database, record(database, guest("ANN"), guest("ann")), tables)


def test_nulls_that_are_equal(postgres: Database) -> None:
    do(
        postgres,
        "CREATE TABLE guests (id BIGINT PRIMARY KEY, login TEXT NOT NULL, mail TEXT UNIQUE NULLS NOT DISTINCT)",
    )
    with pytest.raises(Misuse, match=r'guest \{"login":"a"\} and guest \{"login":"b"\} have the same mail'):
        show(postgres, record(postgres, guest("a"), guest("b")), guests(fields="mail"))


# Ids that the database gives

ALWAYS = {
    "postgresql": "id INT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
    "sqlite": "id INTEGER PRIMARY KEY AUTOINCREMENT",
}


def test_ids_that_only_the_database_gives(database: Database) -> None:
    do(
        database,
        f"CREATE TABLE guests ({ALWAYS[database.name]}, login TEXT NOT NULL UNIQUE, seat INT UNIQUE, host_id INT)",
    )
    tables = guests(fields="seat host", ids="database", by="seat")
    run = record(database, guest("a", seat=3, host="b"), guest("b", seat=1), guest("c", seat=2, host="c"))
    assert changed(show(database, run, tables)) == (3, 0, 0)
    assert do(database, "SELECT id, login, host_id FROM guests ORDER BY id") == [
        (1, "b", None),
        (2, "c", 2),
        (3, "a", 1),
    ]
    assert is_stable(database, run, tables)
    do(database, "INSERT INTO guests (login) VALUES ('mine')")
    assert do(database, "SELECT id FROM guests WHERE login = 'mine'") == [(4,)]
    swapped = record(database, guest("a", seat=1, host="d"), guest("b", seat=3), guest("c", seat=2), guest("d", seat=0))
    assert changed(show(database, swapped, tables)) == (1, 3, 0)
    assert do(database, "SELECT id, login, host_id FROM guests WHERE login IN ('a', 'd') ORDER BY id") == [
        (3, "a", 5),
        (5, "d", None),
    ]
    assert is_stable(database, swapped, tables)


# Columns and their owners


def test_each_column_has_one_owner(database: Database) -> None:
    moment = "TIMESTAMPTZ" if database.name == "postgresql" else "TIMESTAMP"
    do(
        database,
        f"""CREATE TABLE guests (id BIGINT PRIMARY KEY, login TEXT NOT NULL UNIQUE, mail TEXT, made {moment} NOT NULL,
        changed {moment} NOT NULL, colour TEXT NOT NULL, theirs TEXT DEFAULT 'free')""",
    )
    tables = guests({"made": initial(now), "changed": touch, "colour": initial("red")}, fields="mail")
    run = record(database, guest("a", mail="x"), guest("b", mail="y"))
    show(database, run, tables)
    early = "'2020-01-01 00:00:00+00'"
    do(database, f"UPDATE guests SET made = {early}, changed = {early}, colour = 'blue', theirs = login")
    assert is_stable(database, run, tables)
    later = record(database, guest("a", mail="z"), guest("b", mail="y"))
    assert changed(show(database, later, tables)) == (0, 1, 0)
    kept = "SELECT login, made < '2021-01-01', changed < '2021-01-01', colour, theirs FROM guests ORDER BY login"
    assert do(database, kept) == [("a", True, False, "blue", "a"), ("b", True, True, "blue", "b")]


# Triggers


@pytest.mark.parametrize("what", ["swallow", "rewrite"])
@pytest.mark.parametrize("when", ["INSERT", "UPDATE"])
def test_triggers_that_meddle(database: Database, when: str, what: str) -> None:
    do(database, "CREATE TABLE guests (id BIGINT PRIMARY KEY, login TEXT NOT NULL UNIQUE, mail TEXT)")
    tables = guests(fields="mail")
    if when == "UPDATE":
        show(database, record(database, guest("a", mail="x")), tables)
    trigger(database, "guests", what, when, "mail, upper")
    before = do(database, "SELECT login, mail FROM guests")
    with pytest.raises(Unavailable, match=r"Table guests .*trigger meddles"):
        show(database, record(database, guest("a", mail="y"), guest("b", mail="z")), tables)
    assert do(database, "SELECT login, mail FROM guests") == before
    given_once = guests({"mail": initial(sql(":mail"))}, fields="mail")
    if (when, what) == ("INSERT", "rewrite"):
        run = record(database, guest("a", mail="y"))
        show(database, run, given_once)
        assert is_stable(database, run, given_once)


def test_a_trigger_that_keeps_rows_from_being_deleted(database: Database) -> None:
    do(database, "CREATE TABLE guests (id BIGINT PRIMARY KEY, login TEXT NOT NULL UNIQUE)")
    show(database, record(database, guest("a"), guest("b")), guests(fields=""))
    trigger(database, "guests", "swallow", "DELETE")
    run = record(database, guest("a"))
    done = show(database, run, guests(fields="")).kinds["guest"]
    assert (done.deleted, done.stale) == (0, 1)
    assert is_stable(database, run, guests(fields=""))


# Rows that leave


@pytest.mark.slow
@pytest.mark.parametrize("mark", ["gone TIMESTAMP", "gone BOOLEAN NOT NULL DEFAULT false", "gone BOOLEAN", "gone DATE"])
def test_soft_delete(database: Database, mark: str) -> None:
    do(database, f"CREATE TABLE guests (id BIGINT PRIMARY KEY, login TEXT NOT NULL UNIQUE, {mark})")
    tables = guests(fields="", gone=soft_delete("gone"))
    show(database, record(database, guest("a"), guest("b")), tables)
    fewer = record(database, guest("a"))
    assert changed(show(database, fewer, tables)) == (0, 0, 1)
    absent = "SELECT login FROM guests WHERE gone IS NOT NULL AND CAST(gone AS VARCHAR(5)) NOT IN ('false', '0')"
    assert do(database, absent) == [("b",)]
    assert is_stable(database, fewer, tables)
    again = record(database, guest("a"), guest("b"))
    show(database, again, tables)
    assert do(database, absent) == []
    assert is_stable(database, again, tables)


def test_rows_that_soft_pointers_hold_stay(database: Database) -> None:
    """What a map calls a reference counts as one where no foreign key says so: in rows of others too."""
    do(database, "CREATE TABLE guests (id BIGINT PRIMARY KEY, login TEXT NOT NULL UNIQUE)")
    do(database, "CREATE TABLE notes (id BIGINT PRIMARY KEY, number INT, about_id BIGINT)")
    tables = Tables(HOUSE)
    tables.table("guest", "guests", leave_out=ALL.removeprefix("login "))
    tables.table("note", "notes")
    show(database, record(database, guest("a"), guest("b"), guest("c"), a_note(1, "b")), tables)
    do(database, "INSERT INTO notes SELECT 7, 8, id FROM guests WHERE login = 'c'")
    done = show(database, record(database), tables)
    assert (done.kinds["guest"].deleted, done.kinds["guest"].stale, done.kinds["note"].deleted) == (2, 1, 1)
    assert do(database, "SELECT login FROM guests") == [("c",)]


# References that are checked late


def test_a_circle_of_columns_that_must_be_filled(database: Database) -> None:
    """Each guest has a host, in a column that must not be null and whose foreign key waits for the commit."""
    do(
        database,
        """CREATE TABLE guests (id BIGINT PRIMARY KEY, login TEXT NOT NULL UNIQUE,
        host_id BIGINT NOT NULL REFERENCES guests DEFERRABLE INITIALLY IMMEDIATE)""",
    )
    tables = guests({"host_id": null_as(ref("host"), 0)}, fields="host")
    run = record(database, guest("a", host="b"), guest("b", host="c"), guest("c", host="a"))
    assert changed(show(database, run, tables)) == (3, 0, 0)
    assert is_stable(database, run, tables)
    do(database, "INSERT INTO guests SELECT 5, 'mine', id FROM guests WHERE login = 'a'")
    done = show(database, record(database), tables)
    assert (done.kinds["guest"].deleted, done.kinds["guest"].stale) == (0, 3)


def test_two_tables_that_need_each_other(postgres: Database) -> None:
    """A column that must not be null leads to a row that is written later: its foreign key can wait."""
    do(
        postgres,
        """CREATE TABLE notes (id BIGINT PRIMARY KEY, number INT NOT NULL UNIQUE, about_id BIGINT NOT NULL);
        CREATE TABLE guests (id BIGINT PRIMARY KEY, login TEXT NOT NULL UNIQUE);
        ALTER TABLE notes ADD FOREIGN KEY (about_id) REFERENCES guests DEFERRABLE INITIALLY IMMEDIATE""",
    )
    kinds = Vocabulary((NOTE, GUEST))
    tables = Tables(kinds)
    tables.table("note", "notes", columns={"about_id": null_as(ref("about"), -1)})
    tables.table("guest", "guests", leave_out=ALL.removeprefix("login "))
    run = note(postgres, [a_note(1, "a"), guest("a")], slug=PROJECT, domain=kinds)
    assert changed(show(postgres, run, tables)) == (2, 0, 0)
    assert is_stable(postgres, run, tables)
    with pytest.raises(Unavailable, match="notes_about_id_fkey"):
        show(postgres, note(postgres, [a_note(1, "a"), a_note(2), guest("a")], slug=PROJECT, domain=kinds), tables)
    assert do(postgres, "SELECT count(*) FROM notes") == [(1,)]


@pytest.mark.parametrize(
    ("id_", "waits", "way"),
    [
        ("BIGINT", "", "allow null, or make its foreign key DEFERRABLE"),
        ("SERIAL", "DEFERRABLE", "allow null, or let ids of guest be derived, which takes a bigint or a uuid"),
    ],
)
def test_what_helps_a_circle_is_said(postgres: Database, id_: str, waits: str, way: str) -> None:
    do(
        postgres,
        f"""CREATE TABLE guests (id {id_} PRIMARY KEY, login TEXT NOT NULL UNIQUE);
        CREATE TABLE notes (id BIGINT PRIMARY KEY, number INT NOT NULL UNIQUE, about_id BIGINT NOT NULL REFERENCES guests
            {waits})""",
    )
    tables = Tables(Vocabulary((NOTE, GUEST)))
    tables.table("note", "notes", columns={"about_id": null_as(ref("about"), -1)})
    tables.table("guest", "guests", leave_out=ALL.removeprefix("login "))
    with pytest.raises(Misuse, match=f"notes.about_id is NOT NULL and refers to rows that are written later; {way}"):
        check_fit(postgres, tables)


# Rows that exchange what no two of them may share


@pytest.mark.parametrize(
    "constraint",
    [
        "UNIQUE (seat)",
        "UNIQUE (seat) DEFERRABLE",
        "EXCLUDE USING gist (int4range(seat, seat + 2) WITH &&)",
        "EXCLUDE USING gist (int4range(seat, seat + 2) WITH &&) DEFERRABLE",
    ],
)
def test_rows_that_exchange_values(postgres: Database, constraint: str) -> None:
    do(
        postgres,
        f"CREATE TABLE guests (id BIGINT PRIMARY KEY, login TEXT NOT NULL UNIQUE, seat INT, colour TEXT, {constraint})",
    )
    tables = guests(fields="seat")
    show(postgres, record(postgres, *(guest(one, seat=2 * place) for place, one in enumerate("abcd"))), tables)
    do(postgres, "CREATE TABLE likes (guest BIGINT REFERENCES guests DEFERRABLE)")
    do(postgres, "INSERT INTO likes SELECT id FROM guests")
    do(postgres, "UPDATE guests SET colour = login")
    ids = do(postgres, "SELECT id, colour FROM guests ORDER BY login")
    moved = record(postgres, *(guest(one, seat=2 * place) for place, one in enumerate("dcab")))
    assert changed(show(postgres, moved, tables)) == (0, 4, 0)
    assert do(postgres, "SELECT login FROM guests ORDER BY seat") == [(one,) for one in "dcab"]
    assert do(postgres, "SELECT id, colour FROM guests ORDER BY login") == ids
    assert is_stable(postgres, moved, tables)
    if "EXCLUDE" in constraint:
        with pytest.raises(Unavailable, match=r"Table guests: .*exclusion constraint"):
            show(postgres, record(postgres, guest("a", seat=1), guest("b", seat=2)), tables)
        assert do(postgres, "SELECT id, colour FROM guests ORDER BY login") == ids


def test_triggers_of_partitions(postgres: Database) -> None:
    do(
        postgres,
        "CREATE TABLE guests (id BIGINT, login TEXT NOT NULL, mail TEXT, PRIMARY KEY (id)) PARTITION BY HASH (id)",
    )
    do(postgres, "CREATE TABLE some_guests PARTITION OF guests FOR VALUES WITH (MODULUS 2, REMAINDER 0)")
    do(postgres, "CREATE TABLE other_guests PARTITION OF guests FOR VALUES WITH (MODULUS 2, REMAINDER 1)")
    facts = [guest(one, mail=one) for one in "abcdefgh"]
    tables = guests(fields="mail")
    do(
        postgres,
        "CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$ begin new.mail := 'x'; return new; end $$",
    )
    do(postgres, "CREATE TRIGGER meddles BEFORE INSERT ON some_guests FOR EACH ROW EXECUTE FUNCTION meddle()")
    with pytest.raises(
        Unavailable, match=r"guests stored other values than seedjournal wrote, in mail .*trigger meddles"
    ):
        show(postgres, record(postgres, *facts), tables)
    do(postgres, "DROP TRIGGER meddles ON some_guests")
    run = record(postgres, *facts)
    assert changed(show(postgres, run, tables)) == (8, 0, 0)
    assert is_stable(postgres, run, tables)


def test_a_constraint_that_swallows_rows(make_url: Urls) -> None:
    database = open_database(make_url.ready("sqlite"), create=True)
    do(database, "CREATE TABLE guests (id BIGINT PRIMARY KEY, login TEXT UNIQUE, seat INT NOT NULL ON CONFLICT IGNORE)")
    tables = guests({"seat": sql("nullif(:seat, 0)")}, fields="seat")
    with pytest.raises(Unavailable, match="guests took 1 of 2 rows"):
        show(database, record(database, guest("a", seat=1), guest("b", seat=0)), tables)
    database.engine.dispose()

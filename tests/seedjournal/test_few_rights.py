"""docs/postgresql.md, run as it stands: roles that may do what their commands need, and nothing else."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url as parsed

from tests.seedjournal.commands import DEMO, Done, rows_of

Run = Callable[..., Done]

PAGE = (Path(__file__).parents[2] / "docs" / "postgresql.md").read_text(encoding="utf-8")
FEW, MORE = (*DEMO, "--set", "prs=6"), (*DEMO, "--set", "prs=9")
ROLES = ("seed_owner", "seed_recorder", "seed_projector")


class Roles:
    """The page's roles under names of their own, in a new database."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._mark = secrets.token_hex(4)
        self._steps = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
        with psycopg.connect(url, autocommit=True) as connection:
            name = connection.info.dbname
            connection.execute(f"REVOKE ALL ON DATABASE {name} FROM PUBLIC")  # type: ignore[arg-type]
            connection.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")

    def named(self, text: str) -> str:
        """A text with the page's names for roles made unique."""
        return re.sub(r"\bseed_(owner|recorder|projector)\b", rf"seed_\1_{self._mark}", text)

    def address(self, role: str) -> str:
        """The database's URL for a role."""
        return parsed(self.url).set(username=self.named(role), password=None).render_as_string(False)

    def do(self, step: int, url: str | None = None) -> None:
        """One of the page's steps."""
        with psycopg.connect(url or self.url, autocommit=True) as connection:
            connection.execute(self.named(self._steps[step]))  # type: ignore[arg-type]

    def allow_to_connect(self) -> None:
        """What the page takes for granted."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            for role in ROLES:
                connection.execute(
                    self.named(f"GRANT CONNECT ON DATABASE {connection.info.dbname} TO {role}")  # type: ignore[arg-type]
                )

    def remove(self) -> None:
        """Drop the roles."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            for role in ROLES:
                connection.execute(self.named(f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}"))  # type: ignore[arg-type]


@pytest.fixture
def roles(make_url: Callable[[str], str]) -> Iterator[Roles]:
    """Three roles in a database where the public may do nothing, temporary tables included."""
    roles = Roles(make_url("postgresql"))
    roles.do(0)
    roles.do(1)
    roles.allow_to_connect()
    yield roles
    roles.remove()


def test_each_role_can_do_its_part_and_no_more(roles: Roles, run: Run) -> None:
    owner, recorder, projector = (("--journal", roles.address(role)) for role in ROLES)
    assert "permission denied" in run(*FEW, *recorder, status=3).err
    assert rows_of(roles.url) == {}
    run("migrate", "--tables", *owner)
    roles.do(2, roles.address("seed_owner"))

    run(*FEW, *recorder)
    before = rows_of(roles.url)
    for refused in (("project", *recorder), (*MORE, *projector)):
        assert "permission denied" in run(*refused, status=3).err
    assert rows_of(roles.url) == before

    assert run(*FEW, *recorder, "--json").first["reused"]
    run("project", *projector)
    run(*MORE, "--policy", "pull_request=upsert", *recorder)
    assert run("project", *projector, "--json").json["projects"]["demo"]["kinds"]["pull_request"]["inserted"] == 3
    run("project", "--run", "1", "--prune", "--yes", *projector)
    run("project", "--rebuild", "--yes", *projector)
    for command in (("log",), ("diff", "1", "2"), ("show", "1"), ("show", "team", "demo")):
        run(*command, *projector)
    assert run("verify", *projector, "--json").json["ok"]
    for other in (recorder, projector):
        assert run("forget", "--keep-runs", "1", "--yes", *other, status=3).err
    assert len(run("log", *projector, "--json").json["runs"]) == 3
    assert len(run("forget", "--keep-runs", "1", "--yes", *owner, "--json").json["runs"]) == 2
    run(*MORE, *recorder)
    run("project", *projector)
    assert run("verify", *projector, "--json").json["ok"]
    run("migrate", "--tables", *owner)


def test_nobody_may_do_more_than_the_page_says(roles: Roles, run: Run) -> None:
    run("migrate", "--tables", "--journal", roles.address("seed_owner"))
    roles.do(2, roles.address("seed_owner"))
    forbidden = {
        "seed_recorder": ("UPDATE journal_events SET event = ''", "DELETE FROM journal_runs", "DELETE FROM teams"),
        "seed_projector": ("INSERT INTO journal (id, created_at) VALUES ('a', 'b')", "DELETE FROM journal_events"),
    }
    for role, statements in forbidden.items():
        with psycopg.connect(roles.address(role), autocommit=True) as connection:
            row = connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()
            assert row == (False,)
            for statement in (*statements, "CREATE TABLE mine (id integer)", "DROP TABLE teams"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(statement)  # type: ignore[arg-type]

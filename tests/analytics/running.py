"""Running the Django application of the tests on a database of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import django
from django.apps import apps
from django.conf import settings
from django.db import connection, connections
from sqlalchemy import make_url

from seedjournal.journal import open_database


def database_settings(url: str) -> dict[str, Any]:
    """Return Django's settings for the database at a URL."""
    given = make_url(url)
    if given.get_backend_name() == "sqlite":
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": given.database}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": given.database,
        "USER": given.username or "",
        "PASSWORD": given.password or "",
        "HOST": given.query.get("host") or given.host or "",
        "PORT": str(given.port or ""),
    }


def set_up() -> None:
    """Set Django up in this process, for any database."""
    if not settings.configured:
        settings.configure(
            DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
            INSTALLED_APPS=["tests.analytics.apps.Metrics"],
            USE_TZ=True,
        )
        django.setup()


@contextmanager
def running(url: str) -> Iterator[Any]:
    """Run the application on the database at a URL; its models are what this gives."""
    set_up()
    open_database(url, create=True).engine.dispose()
    connection.close()
    del connections["default"]
    connections.settings["default"].update(database_settings(url))
    from tests.analytics import models

    try:
        yield models
    finally:
        connection.close()


def make_tables() -> None:
    """Make the application's tables, as its migrations would."""
    with connection.schema_editor() as editor:
        for model in apps.get_app_config("metrics").get_models():
            editor.create_model(model)

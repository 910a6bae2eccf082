"""Tables that others own: made as a Django application makes them, copied out, and filled by COPY alone.

python -m benchmarks.analytics make URL
python -m benchmarks.analytics out URL FOLDER     a file for each table
python -m benchmarks.analytics copy URL FOLDER    the floor: these files into the same tables, in one transaction
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
from psycopg import sql

from .ready import clocked

_AT_ONCE = 1 << 20  # bytes
TABLES = (  # parents before children
    "teams_team metrics_teammember metrics_pullrequest metrics_prreview metrics_commit metrics_prfile "
    "metrics_prcheckrun metrics_jiraissue metrics_prsurvey metrics_prsurveyreview metrics_aiusagedaily "
    "metrics_weeklymetrics"
).split()


def main() -> None:
    """Do one of the three."""
    verb, url, *folder = sys.argv[1:]
    if verb == "copy":
        clocked(lambda: _copy_in(url, Path(*folder)))
        return
    if verb == "make":
        from tests.analytics.running import make_tables, running

        with running(url):
            make_tables()
    else:
        _copy_out(url, Path(*folder))
    print("{}")


def _copy_out(url: str, folder: Path) -> None:
    with psycopg.connect(url) as connection:
        for name, file in _files(folder):
            statement = sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(name))
            with connection.cursor().copy(statement) as copy, file.open("wb") as out:
                out.writelines(copy)


def _copy_in(url: str, folder: Path) -> int:
    with psycopg.connect(url) as connection:
        return sum(_copied(connection, name, file) for name, file in _files(folder))


def _copied(connection: psycopg.Connection[tuple[object, ...]], name: str, file: Path) -> int:
    cursor = connection.cursor()
    with cursor.copy(sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(name))) as copy, file.open("rb") as rows:
        while piece := rows.read(_AT_ONCE):
            copy.write(piece)
    return cursor.rowcount


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    return ((name, folder / f"{name}.copy") for name in TABLES)


if __name__ == "__main__":
    main()

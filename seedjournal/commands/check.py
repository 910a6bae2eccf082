"""`check`: whether a map fits the tables that others own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from seedjournal import journal as j
from seedjournal import projectors

from .. import settings as config
from ..terminal import number_of, shown, table
from . import DIFFERENT, FINE, exits
from .databases import Databases, layout, opened_target
from .options import Common, common_options
from .runs import FORMAT, Document


@click.command(
    help="Check whether the map that the settings file names fits the target's tables.\n\n"
    "Writes nothing and needs no journal. Run it after every migration of the tables; `project` makes the same check "
    "before it writes.",
    epilog=exits("the map fits", "the map does not fit; all reasons are printed"),
)
@click.option("--schema", metavar="NAME", help="The PostgreSQL schema of the tables.")
@common_options
def check(common: Common, *, schema: str | None) -> int:
    """Print which table holds which kind, or everything that does not fit."""
    document = check_map(common.databases(schema))
    common.give(document, _text)
    return FINE if document["ok"] else DIFFERENT


def check_map(databases: Databases) -> Document:
    """Fit the map to the target's tables; the findings are what does not fit. Raise Misuse where there is no map."""
    tables = layout()
    if isinstance(tables, projectors.Layout):
        raise j.Misuse(
            "There is nothing to check: the settings file names no map, so seedjournal makes the tables itself.",
            f'To use a map, name it in {config.FILE}, for example tables = "map:target".',
        )
    from seedjournal.projectors import mapped  # which --help has no use for

    where = config.addresses(config.load(), databases.journal, databases.target)
    with opened_target(where, databases, create=False) as target:
        if target is None:
            raise j.Misuse(
                f"There is no database at {where.target}.", "Check the address, and name another with --target URL."
            )
        found: Document = {"format": FORMAT, "target": target.shown}
        try:
            return {**found, "ok": True, "tables": mapped.check_fit(target, tables), "findings": []}
        except mapped.DoesNotFit as misfit:
            return {**found, "ok": False, "tables": {}, "findings": list(misfit.problems)}


def _text(document: Mapping[str, Any]) -> str:
    """Return a table of which table holds which kind, or what does not fit."""
    if not document["ok"]:
        told = "".join(f"\n  - {one}" for one in document["findings"])
        return f"the map does not fit {shown(document['target'])}{told}\n"
    rows = [[kind, name] for kind, name in document["tables"].items()]
    told = f"the map fits {number_of(len({name for _, name in rows}), 'table')} of {shown(document['target'])}"
    return f"{told}\n{table(('kind', 'table'), rows, indent=2)}\n"

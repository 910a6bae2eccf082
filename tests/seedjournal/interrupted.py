"""A program that is interrupted while a library executes generated code, as dataclasses and SQLAlchemy do.

All that it needs is loaded before, as modules with dataclasses execute such code as well.
"""

from __future__ import annotations

from seedjournal import failures
from seedjournal.cli import main
from seedjournal.commands import looking


def interrupted() -> None:
    """Be interrupted there."""
    exec("raise KeyboardInterrupt")


if __name__ == "__main__":
    assert failures
    looking.list_registry = interrupted  # type: ignore[assignment]
    main(["registry"])

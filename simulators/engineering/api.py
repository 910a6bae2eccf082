"""The built-in domain's projects as commands use them: their settings, their sources, and how they are recorded."""

from ..recording import DEFAULT_SEED, RemovesMost
from .facts import Repository, Skipped, Source, repository
from .kinds import ENGINEERING
from .project import (
    SCENARIOS,
    SETTINGS,
    Project,
    make_project,
    parse_setting,
)
from .recording import Recorded, RecordOptions, record

__all__ = [
    "DEFAULT_SEED",
    "ENGINEERING",
    "SCENARIOS",
    "SETTINGS",
    "Project",
    "RecordOptions",
    "Recorded",
    "RemovesMost",
    "Repository",
    "Skipped",
    "Source",
    "make_project",
    "parse_setting",
    "record",
    "repository",
]

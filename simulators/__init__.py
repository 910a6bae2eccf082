"""Turns sources of facts into seed events. Knows the journal and no target."""

from .engineering.facts import Repository, Skipped, Source, repository
from .engineering.project import SETTINGS, Project, make_project, parse_setting
from .recording import DEFAULT_SEED, Recorded, RecordOptions, record

__all__ = [
    "DEFAULT_SEED",
    "SETTINGS",
    "Project",
    "RecordOptions",
    "Recorded",
    "Repository",
    "Skipped",
    "Source",
    "make_project",
    "parse_setting",
    "record",
    "repository",
]

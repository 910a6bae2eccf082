"""The built-in domain's projects as commands use them: their settings, their sources, and how they are recorded."""

from ..recording import DEFAULT_SEED, RemovesMost
from .facts import Repository, Skipped, Source, repository
from .project import (
    POLICY_GROUPS,
    SCENARIOS,
    SETTINGS,
    Project,
    make_project,
    parse_policies,
    parse_setting,
    resolve_policies,
)
from .recording import Recorded, RecordOptions, record

__all__ = [
    "DEFAULT_SEED",
    "POLICY_GROUPS",
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
    "parse_policies",
    "parse_setting",
    "record",
    "repository",
    "resolve_policies",
]

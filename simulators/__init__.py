"""Turns sources of facts into seed events. Knows the journal and no target."""

from .engineering.facts import Repository, Skipped, Source, repository
from .engineering.project import (
    POLICY_GROUPS,
    SETTINGS,
    Project,
    make_project,
    parse_policies,
    parse_setting,
    resolve_policies,
)
from .recording import DEFAULT_SEED, Recorded, RecordOptions, RemovesMost, record

__all__ = [
    "DEFAULT_SEED",
    "POLICY_GROUPS",
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

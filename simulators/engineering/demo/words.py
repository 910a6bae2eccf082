"""The words of the invented project: what pull requests are about, which files there are, who reviews and checks.

Every table is a part of the demo's format: a changed entry changes facts, and raises the demo's version.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose:
    """What a pull request is for, as its title, branch and labels tell it.

    `title` and `branch` are patterns over area and task; `labels` are those that such pull requests may carry.
    """

    title: str
    branch: str
    labels: tuple[str, ...]


# Weights sum to 1. A revert and a hotfix say so in title and branch; a branch has no number, which could pass for an
# issue's key.
PURPOSES: tuple[tuple[Purpose, float], ...] = (
    (Purpose(title="feat({area}): {task}", branch="feat/{slug}", labels=("feature",)), 0.20),
    (Purpose(title="{Task} in {area}", branch="feature/{area}-{slug}", labels=("feature", "enhancement")), 0.16),
    (Purpose(title="fix({area}): {task}", branch="fix/{slug}", labels=("bug",)), 0.16),
    (Purpose(title="Fix {area}: {task}", branch="fix/{area}-{slug}", labels=("bug", "regression")), 0.08),
    (Purpose(title="refactor({area}): {task}", branch="refactor/{slug}", labels=("enhancement", "tech debt")), 0.10),
    (Purpose(title="perf({area}): {task}", branch="perf/{slug}", labels=("enhancement", "performance")), 0.05),
    (Purpose(title="chore({area}): {task}", branch="chore/{slug}", labels=("chore",)), 0.10),
    (Purpose(title="docs({area}): {task}", branch="docs/{slug}", labels=("documentation",)), 0.06),
    (Purpose(title="test({area}): {task}", branch="test/{slug}", labels=("chore", "testing")), 0.04),
    (Purpose(title="hotfix({area}): {task}", branch="hotfix/{slug}", labels=("bug", "urgent")), 0.03),
    (Purpose(title='Revert "feat({area}): {task}"', branch="revert/{slug}", labels=("bug",)), 0.02),
)

AREAS = (
    "accounts", "analytics", "billing", "catalog", "checkout", "exports", "imports", "inventory", "mail", "orders",
    "permissions", "reports", "search", "settings", "sharing", "webhooks",
)  # fmt: skip

_THINGS = (
    "adapter", "audit", "cache", "calendar", "client", "digest", "editor", "filters", "form", "history", "index",
    "invoice", "limits", "list", "metrics", "policy", "preview", "profile", "queue", "schema", "session", "summary",
    "tokens", "upload",
)  # fmt: skip

# Pattern and weight: every category of file occurs.
_PATHS = (
    ("server/{area}/{thing}.py", 8),
    ("server/{area}/models/{thing}.py", 3),
    ("server/{area}/queries/{thing}.sql", 2),
    ("workers/{area}/{thing}.go", 2),
    ("tests/{area}/test_{thing}.py", 5),
    ("web/src/{area}/{thing}.test.tsx", 3),
    ("web/src/{area}/{thing}.tsx", 6),
    ("web/src/{area}/{thing}.css", 2),
    ("web/src/{area}/{thing}.ts", 3),
    ("web/scripts/{area}-{thing}.mjs", 1),
    ("docs/{area}/{thing}.md", 3),
    ("README.md", 1),
    ("CHANGELOG.md", 1),
    ("config/{area}/{thing}.yaml", 2),
    (".github/workflows/{area}.yml", 1),
    ("requirements.txt", 1),
    ("pyproject.toml", 1),
    ("web/public/{area}/{thing}.svg", 1),
    ("fixtures/{area}/{thing}.csv", 1),
)

FILE_STATUSES = (("modified", 0.66), ("added", 0.24), ("removed", 0.06), ("renamed", 0.03), ("copied", 0.01))

# What becomes of a pull request, if there is time enough before the demo's end.
ENDINGS = (("merged", 0.82), ("closed", 0.08), ("open", 0.10))

REVIEWS = ((1, 0.40), (2, 0.28), (0, 0.14), (3, 0.12), (4, 0.06))
REVIEW_STATES = (("approved", 0.40), ("commented", 0.37), ("changes_requested", 0.19), ("dismissed", 0.04))
SHORT_APPROVALS = (None, "LGTM", "Looks good to me.", "Nice work!", "Thanks, this reads well.")

# Programs that review; all but the last are AI services.
REVIEW_BOTS = (
    ("coderabbitai[bot]", 0.45),
    ("copilot-pull-request-reviewer[bot]", 0.35),
    ("sonarqubecloud[bot]", 0.20),
)

CHECKS = ("lint", "unit tests", "build", "type check", "end-to-end tests")
CONCLUSIONS = (("success", 0.88), ("failure", 0.07), ("skipped", 0.03), ("cancelled", 0.01), ("neutral", 0.01))

# The tool that helped, if one did: its trailer, and how a body tells of it. Addresses are the tools' own.
AI_TOOLS: tuple[tuple[tuple[str, str] | None, float], ...] = (
    (None, 0.72),
    (("Co-Authored-By: Claude <noreply@anthropic.com>", "Written with the help of Claude."), 0.13),
    (("Co-authored-by: Copilot <copilot@github.com>", "Written with the help of Copilot."), 0.08),
    (("Co-authored-by: Cursor <cursoragent@cursor.com>", "Written with the help of Cursor."), 0.07),
)
NO_AI = "No AI tool was used: nothing here was written with Copilot."


@cache
def paths(area: str) -> tuple[str, ...]:
    """The paths of an area's files, each as often as its weight says: for an even draw."""
    return tuple(
        pattern.format(area=area, thing=thing) for thing in _THINGS for pattern, weight in _PATHS for _ in range(weight)
    )

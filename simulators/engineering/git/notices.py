"""What a recording of a git history reports: the branch, the conventions, and what was not understood."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .conventions import subject

if TYPE_CHECKING:
    from .history import Plan
    from .source import Branch, _History

# How merges begin that name no pull request, or what stands below them.
_PHRASES = (
    *("See merge request", "Merge pull request", "Merged PR", "Merged in", "Pull request #", "Merge PR", "Merge #"),
    *("Differential Revision", "Reviewed-on", "Change-Id"),
    *("Merge remote-tracking branch", "Merge branch", "Merge tag", "Merge commit"),
)
_CHANGE_ID = re.compile(r"^Change-Id:", re.MULTILINE)
_MOST = 3  # numbers that a sentence names


@dataclass(slots=True)
class Merges:
    """Commits by place that name no pull request: merges with what they say, and Gerrit's without a number."""

    unnamed: dict[int, str] = field(default_factory=dict)
    changes: list[int] = field(default_factory=list)

    def saw(self, message: str, place: int, parents: int, *, is_named: bool) -> None:
        """Take a commit."""
        if is_named:
            return
        if parents > 1:
            phrase = next((phrase for phrase in _PHRASES if phrase in message), None)
            self.unnamed[place] = phrase or " ".join(subject(message).split()[:2])
        elif _CHANGE_ID.search(message):
            self.changes.append(place)


def sentences(repo: str, branch: Branch, heads: int, history: _History) -> list[str]:
    """Return the sentences, in a fixed order; those that say nothing are left out."""
    graph, refused = history.graph, history.refused
    found = [_of_branch(repo, branch)]
    chosen = Counter(plan.chosen.convention.name for plan in history.plans if plan.chosen and plan.chosen.convention)
    by = [f"{count:,} by {name}" for name, count in sorted(chosen.items(), key=lambda one: (-one[1], one[0]))]
    if any(history.rewritten):
        rebased, squashed = history.rewritten
        by.append(f"{rebased + squashed:,} landed under other names ({rebased:,} rebased, {squashed:,} squashed)")
    merged = sum(plan.state == "merged" for plan in history.plans)
    if history.plans:
        how = f": {', '.join(by)}" if by else ""
        found.append(f"{_count(merged, 'pull request')} landed{how}. {_count(heads, 'head ref')} found.")
    else:
        found.append("No pull request was found: no head refs, and no commit that names a number in a known way.")
    weak = [plan.number for plan in history.plans if _is_weak(plan) and plan.number not in history.heads]
    if weak:
        verb = "is" if len(weak) == 1 else "are"
        found.append(
            f"{_count(len(weak), 'pull request')} {verb} known by the number behind a subject alone ({_numbers(weak)})."
        )
    if refused.issues:
        found.append(
            f"{_count(len(refused.issues), 'number')} behind subjects ({_numbers(refused.issues)}) taken for issues: "
            "a pull request's head ref would be there."
        )
    if refused.bugs:
        found.append(
            f"{_count(len(refused.bugs), 'number')} behind subjects ({_numbers(refused.bugs)}) taken for a bug "
            "tracker's: far outside the repository's own."
        )
    if refused.imported:
        found.append(
            f"{_count(len(refused.imported), 'number')} ({_numbers(refused.imported)}) in an imported history "
            "not taken for this repository's."
        )
    for name, count in sorted(refused.elsewhere.items(), key=lambda one: (-one[1], one[0]))[:_MOST]:
        found.append(f"{_count(count, 'commit')} with a number of {name} not read as this repository's pull requests.")
    landed = {place for plan in history.plans for place in plan.landed}
    unnamed = Counter(
        phrase for place, phrase in history.merges.unnamed.items() if graph.brought[place] >= 0 and place not in landed
    )
    if unnamed:
        total = unnamed.total()
        phrase, most = min(unnamed.items(), key=lambda one: (-one[1], one[0]))
        verb = "names" if total == 1 else "name"
        say = "says" if most == 1 else "say"
        found.append(f"{_count(total, 'merge')} {verb} no pull request; {most:,} of them {say} '{phrase}'.")
    changes = sum(graph.brought[place] >= 0 and place not in landed for place in history.merges.changes)
    if changes:
        found.append(f"{_count(changes, 'commit')} with a Change-Id (Gerrit), but no Reviewed-on with a number.")
    return found


def _of_branch(repo: str, branch: Branch) -> str:
    if branch.name is None:
        what = f"commit {branch.tip[:12]}: {branch.reason}" if branch.tip else "no branch: there is none"
        return f"{repo}: read {what}."
    likely: list[str] = [name for name in ("main", "master", "develop", "trunk") if name in branch.others]
    also = [*likely] or [*branch.others[:_MOST]]
    verb = "is" if len(also) == 1 else "are"
    others = f" {', '.join(also)} {verb} there too: --set branch={also[0]} reads it." if also and branch.reason else ""
    return f"{repo}: read the branch {branch.name}, as {branch.reason}.{others}"


def _is_weak(plan: Plan) -> bool:
    return bool(plan.chosen and plan.chosen.convention and plan.chosen.convention.is_weak)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _numbers(numbers: list[int]) -> str:
    shown = ", ".join(f"#{number}" for number in numbers[:_MOST])
    return shown + (" and more" if len(numbers) > _MOST else "")

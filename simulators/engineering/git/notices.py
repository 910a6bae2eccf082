"""What a recording of a git history reports: the branch, the conventions, and what was not understood."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
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
_USUAL: tuple[str, ...] = ("main", "master", "develop", "trunk")
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


def sentences(repo: str, branch: Branch, heads: int, history: _History | None) -> list[str]:
    """Return the sentences, in a fixed order; those that say nothing are left out."""
    if history is None:
        return [_of_branch(repo, branch)]
    return [_of_branch(repo, branch), _of_conventions(heads, history), *_of_numbers(history), *_of_the_rest(history)]


def _of_conventions(heads: int, history: _History) -> str:
    if not history.plans:
        return "No pull request was found: no head refs, and no commit that names a number in a known way."
    chosen = Counter(plan.chosen.convention.name for plan in history.plans if plan.chosen and plan.chosen.convention)
    by = [f"{count:,} by {name}" for name, count in sorted(chosen.items(), key=lambda one: (-one[1], one[0]))]
    rebased, squashed = history.rewritten
    if rebased + squashed:
        by.append(f"{rebased + squashed:,} landed under other names ({rebased:,} rebased, {squashed:,} squashed)")
    merged = sum(plan.state == "merged" for plan in history.plans)
    alone = merged - chosen.total() - rebased - squashed
    if alone > 0:
        by.append(f"{alone:,} by the head alone")
    known = f"{_count(heads, 'head ref', 'was', 'were')} found" if heads else "No head refs were found"
    return f"{_count(merged, 'pull request')} landed{': ' if by else ''}{', '.join(by)}. {known}."


def _of_numbers(history: _History) -> Iterator[str]:
    """Yield what was taken, or not taken, for a pull request's number without proof."""
    refused = history.refused
    weak = [plan.number for plan in history.plans if _is_weak(plan) and plan.number not in history.heads]
    if weak:
        known = _count(len(weak), "pull request", "is", "are")
        yield f"{known} known by the number behind a subject alone ({_numbers(weak)})."
    for numbers, what, reason in (
        (refused.issues, "behind subjects", "taken for issues: a pull request's head ref would be there"),
        (refused.bugs, "behind subjects", "taken for a bug tracker's: far outside the repository's own"),
        (refused.imported, "in an imported history", "not taken for this repository's"),
    ):
        if numbers:
            verb = "was" if len(numbers) == 1 else "were"
            yield f"{_count(len(numbers), 'number')} {what} ({_numbers(numbers)}) {verb} {reason}."
    for name, count in sorted(refused.elsewhere.items(), key=lambda one: (-one[1], one[0]))[:_MOST]:
        verb = "was" if count == 1 else "were"
        yield f"{_count(count, 'commit')} with a number of {name} {verb} not read as this repository's pull requests."


def _of_the_rest(history: _History) -> Iterator[str]:
    """Yield what merges and changes say that name no pull request."""
    brought, merges = history.graph.brought, history.merges
    landed = {place for plan in history.plans for place in plan.landed}
    unnamed = Counter(phrase for place, phrase in merges.unnamed.items() if brought[place] >= 0 and place not in landed)
    if unnamed:
        phrase, most = min(unnamed.items(), key=lambda one: (-one[1], one[0]))
        verb = "says" if most == 1 else "say"
        yield (
            f"{_count(unnamed.total(), 'merge', 'names', 'name')} no pull request; {most:,} of them {verb} '{phrase}'."
        )
    changes = sum(brought[place] >= 0 and place not in landed for place in merges.changes)
    if changes:
        yield f"{_count(changes, 'commit', 'has', 'have')} a Change-Id (Gerrit), but no Reviewed-on with a number."


def _of_branch(repo: str, branch: Branch) -> str:
    if branch.name is None:
        what = f"commit {branch.tip[:12]}: {branch.reason}" if branch.tip else "no branch: there is none"
        return f"{repo}: read {what}."
    also = tuple(name for name in _USUAL if name in branch.others) or branch.others[:_MOST]
    others = ""
    if also and branch.is_guess:
        others = f" {', '.join(also)} {'is' if len(also) == 1 else 'are'} there too: --set branch={also[0]} reads it."
    return f"{repo}: read the branch {branch.name}, as {branch.reason}.{others}"


def _is_weak(plan: Plan) -> bool:
    return bool(plan.chosen and plan.chosen.convention and plan.chosen.convention.is_weak)


def _count(number: int, noun: str, one: str = "", many: str = "") -> str:
    verb = one if number == 1 else many
    return f"{number:,} {noun}{'' if number == 1 else 's'}{f' {verb}' if verb else ''}"


def _numbers(numbers: list[int]) -> str:
    shown = ", ".join(f"#{number}" for number in numbers[:_MOST])
    return shown + (" and more" if len(numbers) > _MOST else "")

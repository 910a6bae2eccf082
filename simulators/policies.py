"""The policies of a domain's kinds: which ones a user chooses, by kind or by group, and what follows for the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from seedjournal.journal import Misuse, Policy

from .kinds import nearest

if TYPE_CHECKING:
    from .domain import Domain


def parse_policies(domain: Domain, texts: Sequence[str]) -> dict[str, Policy]:
    """Return the policies that KIND=POLICY or GROUP=POLICY texts choose, by kind; raise Misuse for all mistakes."""
    wrong = [text for text in texts if "=" not in text]
    pairs = dict(text.split("=", 1) for text in texts if "=" in text)
    return chosen_policies(domain, pairs, "--policy ", wrong)


def chosen_policies(
    domain: Domain, chosen: Mapping[str, Any], origin: str, wrong: Sequence[str] = ()
) -> dict[str, Policy]:
    """Return policies by kind: what names a kind beats its group, and a smaller group beats a larger one.

    Raises Misuse that tells every mistake at once, with the nearest names.
    """
    kinds, groups = own_fact_kinds(domain), groups_of(domain)
    mistakes = [f"{origin}{text!r} is not KIND=POLICY." for text in wrong]
    for name, policy in chosen.items():
        if name not in kinds and name not in groups:
            mistakes.append(f"{origin}{name}={policy}: {_no_policy(domain, name, (*kinds, *groups))}.")
        if policy not in list(Policy):
            near = nearest(str(policy), [str(one) for one in Policy])
            mistakes.append(f"{origin}{name}={policy}: there is no policy {policy!r}{near}.")
    if mistakes:
        raise Misuse(
            "\n".join(mistakes),
            f"The policies are once, upsert and exact; the groups {', '.join(groups)}; the kinds {', '.join(kinds)}.",
        )
    larger_first = sorted(groups, key=lambda name: -len(groups[name]))
    found = {kind: Policy(chosen[name]) for name in larger_first if name in chosen for kind in groups[name]}
    return found | {name: Policy(policy) for name, policy in chosen.items() if name in kinds}


def own_fact_kinds(domain: Domain) -> tuple[str, ...]:
    """Return the kinds whose policy can be chosen: what all projects share is always merged."""
    return tuple(one for one in domain.fact_kinds if domain.root is None or not domain.vocabulary[one].is_shared)


def groups_of(domain: Domain) -> dict[str, tuple[str, ...]]:
    """Return the groups for which a policy can be chosen at once: all, and those that the domain names."""
    kinds = own_fact_kinds(domain)
    named = {
        name: tuple(one.__declared__.name for one in among if one.__declared__.name in kinds)
        for name, among in domain.policy_groups.items()
    }
    return {"all": kinds, **named}


def policies_of(domain: Domain, chosen: Mapping[str, Policy]) -> dict[str, Policy]:
    """Return every recorded kind's policy; computed kinds are always replaced.

    Raises Misuse, with everything that is wrong, for a kind that has no policy of its own, or where a fact kind that is
    not exact would refer to one that is: a state would then refer to what it no longer holds.
    """
    facts = [one for one in domain.fact_kinds if domain.by_name[one].recorded]
    free = own_fact_kinds(domain)
    problems = [_no_policy(domain, name, free) for name in chosen if name not in free]
    problems += [
        f"{name} is computed from the facts, so its class cannot have policy={one.policy!r}"
        for name, one in domain.by_name.items()
        if one.policy and name not in domain.fact_kinds
    ]
    policies = {name: Policy.EXACT for name, one in domain.by_name.items() if one.recorded}
    for name in facts:  # what all projects share is merged, whatever its class says
        own = chosen.get(name, domain.vocabulary[name].policy)
        policies[name] = own if name in free else Policy.UPSERT
    also: list[str] = []  # what would have to be exact as well
    for name, to in _references(domain, facts):
        if policies[name] is not Policy.EXACT and ((policies.get(to) is Policy.EXACT and to in facts) or to in also):
            problems.append(f"{to} cannot be exact while {name}, which refers to it, is {policies[name]}")
            also += [name] if name not in also else []
    if problems:
        more = " ".join(f"--policy {name}=exact" for name in also)
        raise Misuse(
            "; ".join(problems) + ".",
            f"Add {more}, or give what it refers to another policy than exact, here or in its class."
            if also
            else f"The kinds with a policy are {', '.join(free)}.",
        )
    return policies


def _references(domain: Domain, kinds: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the references between different kinds: from which kind to which."""
    for name in kinds:
        for column in domain.by_name[name].columns.values():
            for target in column.to:
                if target.__declared__.name != name:
                    yield name, target.__declared__.name


def _no_policy(domain: Domain, name: str, names: Sequence[str]) -> str:
    """Say why no policy can be chosen for a name."""
    if name not in domain.by_name:
        return f"{name!r} is not a kind of the domain {domain.name!r}{nearest(name, names)}"
    if name in domain.fact_kinds:
        return f"all projects share {name}, so its policy is always upsert"
    return f"{name} is computed from the facts, so it has no policy"

"""The policies of a domain's kinds: which ones a user chooses, by kind or by group, and what follows for the others.

What a policy keeps of an earlier run must fit the kinds as they are declared now.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Any

import orjson

from seedjournal.journal import BadInput, Misuse, Policy, Type
from seedjournal.journal import Kind as Definition

from .fields import BadEntity, Column
from .kinds import KEY_SLOT, Declared, nearest

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
        elif name in groups and not groups[name]:
            mistakes.append(f"{origin}{name}={policy}: no kind of the group has a policy.")
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


def is_changed(declared: Declared, before: Mapping[str, Definition]) -> bool:
    """Return whether an earlier run had the kind with another key, other content, or leading to other keys."""

    def content(kind: Definition) -> Definition:
        return replace(kind, policy=Policy.EXACT, table=None, unique=(), is_shared=False)

    was, now = before.get(declared.name), declared.definition
    if was is None or now is None:
        return False
    return content(now) != content(was) or any(_changed_keys(declared, before))


def _changed_keys(declared: Declared, before: Mapping[str, Definition]) -> Iterator[str]:
    """Yield the references to kinds that had another key."""
    for name, column in declared.columns.items():
        for one in column.to:
            was, now = before.get(one.__declared__.name), one.__declared__.key_names
            if was and was.key != now:
                yield f"{name} leads to {one.__name__}, whose key was {', '.join(was.key)}, and is now {', '.join(now)}"


def refuse_unfit(
    declared: Declared, before: Mapping[str, Definition], policy: Policy, text: str, *, may_choose: bool
) -> None:
    """Raise BadInput for an entity of an earlier run that its kind, as it is declared now, cannot have.

    `before` are the kinds of that run. `may_choose` says whether the user chooses the kind's policy.
    """
    was = before[declared.name]
    event = orjson.loads(text)
    key, data = event["key"], event["data"]
    for problem in chain(_changed_keys(declared, before), _unfit(declared, was, key, data)):
        name = declared.name
        shown = "/".join(str(key[part]) for part in was.key if part in key)
        raise BadInput(
            f"The policy {policy} keeps {name} {shown} of an earlier run, which does not fit the kind any more: "
            f"{problem}.",
            "Give a new field a default, or let it be null. "
            + (
                f"Or leave earlier entities out: --policy {name}=exact, or --fresh."
                if may_choose
                else "Or give the kind another name."
            ),
        )


def _unfit(declared: Declared, was: Definition, key: dict[str, Any], data: dict[str, Any]) -> Iterator[str]:
    """Yield what an entity of an earlier declaration cannot be now, the first thing first."""
    if {*key} != {*declared.key_names}:
        yield f"its key was {', '.join(was.key)}, and is now {', '.join(declared.key_names)}"
        return
    before, led = {one.name: one.type for one in was.fields}, {one.name for one in was.references}
    for name, column in declared.columns.items():
        if name in before and not column.to and before[name] is not column.holds:
            yield f"{name} was {before[name]}, and is now {column.holds}"
        elif name not in declared.key:
            yield from _unfit_value(declared, column, data)
            if name in (led if not column.to else before) and name in data:
                yield f"{name} was a {'value' if column.to else 'reference'}"
    if declared.decode is None or declared.encode is None:
        raise TypeError
    try:
        entity = declared.decode(key, data)
        entity.__dict__.pop(KEY_SLOT)  # that its key is looked at, too
        declared.encode(entity)
    except BadEntity as error:
        yield error.message.rstrip(".")
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        yield f"it cannot be read: {error!r}"


def _unfit_value(declared: Declared, column: Column, data: Mapping[str, Any]) -> Iterator[str]:
    name = column.name
    if name not in data:
        if not column.nullable and name not in declared.defaults:
            yield f"it has no {name}, which may not be null"
    elif data[name] is None and not column.nullable and column.holds is not Type.JSON:
        yield f"{name} is null, which it may not be now"

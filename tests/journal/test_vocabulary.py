"""The published language: whole, in order, and which policies go together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedjournal.journal import Event, Misuse, Policy, Type, key_fields, referred_key
from seedjournal.simulators.engineering.kinds import ENGINEERING
from seedjournal.simulators.policies import policies_of

KINDS = ENGINEERING.vocabulary

CHOICES = st.dictionaries(st.sampled_from(list(KINDS.by_name)), st.sampled_from(Policy))


def test_parents_come_before_children_and_references_fit_their_keys() -> None:
    seen: set[str] = set()
    for kind in KINDS.kinds:
        for reference in kind.references:
            assert reference.to in seen
            assert set(reference.shared) <= set(KINDS[reference.to].key)
            assert set(reference.shared.values()) <= set(kind.key)
        assert len({field.name for field in kind.fields}) == len(kind.fields)
        seen.add(kind.name)
    assert len(seen) == 13


def test_defaults_hold_where_nothing_is_chosen() -> None:
    policies = policies_of(ENGINEERING, {"pull_request": Policy.UPSERT})
    assert policies["pull_request"] is Policy.UPSERT
    assert policies["team"] is Policy.ONCE
    assert policies["jira_issue"] is Policy.EXACT  # computed
    assert list(policies) == list(KINDS.by_name)


def test_exact_is_refused_while_a_child_is_not_exact() -> None:
    with pytest.raises(Misuse) as refused:
        policies_of(ENGINEERING, {"pull_request": Policy.EXACT})
    assert "pull_request cannot be exact while pr_review, which refers to it, is once" in refused.value.message
    assert "pr_survey" not in refused.value.message  # computed
    parts = ("pr_review", "commit", "pr_file", "pr_check_run")
    assert all(f"--policy {part}=exact" in refused.value.hint for part in parts)
    every = policies_of(ENGINEERING, dict.fromkeys(("pull_request", *parts), Policy.EXACT))
    assert every["pull_request"] is every["commit"] is Policy.EXACT


def test_computed_kinds_have_no_policy() -> None:
    with pytest.raises(Misuse, match="jira_issue is computed from the facts"):
        policies_of(ENGINEERING, {"jira_issue": Policy.UPSERT})


def test_an_unknown_kind_is_refused_with_the_known_ones() -> None:
    with pytest.raises(Misuse, match="'prs' is not a kind") as refused:
        policies_of(ENGINEERING, {"prs": Policy.ONCE})
    assert "pull_request" in refused.value.hint


@given(CHOICES)
def test_accepted_policies_let_no_state_refer_outside_itself(chosen: dict[str, Policy]) -> None:
    try:
        policies = policies_of(ENGINEERING, chosen)
    except Misuse:
        return
    for kind in KINDS.kinds:
        for reference in kind.references:
            assert policies[reference.to] is not Policy.EXACT or policies[kind.name] is Policy.EXACT


def test_the_key_that_a_reference_means() -> None:
    commit = KINDS["commit"]
    team, pull_request, author = commit.references
    event = Event(
        project="p",
        kind="commit",
        key={"team": "t", "github_sha": "c0ffee"},
        data={"pull_request": {"github_repo": "o/r", "number": 5}, "author": None},
    )
    assert referred_key(KINDS, event, team) == {"slug": "t"}
    assert referred_key(KINDS, event, pull_request) == {"team": "t", "github_repo": "o/r", "number": 5}
    assert referred_key(KINDS, event, author) is None


def test_the_types_of_a_key_also_where_a_reference_brings_its_parts() -> None:
    types = {name: one.type for name, one in key_fields(KINDS, KINDS["pr_survey_review"]).items()}
    assert types == dict.fromkeys(("team", "github_repo", "reviewer"), Type.TEXT) | {"number": Type.INTEGER}

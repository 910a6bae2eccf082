"""The published language: whole, in order, and which policies go together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedjournal.journal import ENGINEERING, Event, Misuse, Policy, referred_key

CHOICES = st.dictionaries(st.sampled_from(list(ENGINEERING.by_name)), st.sampled_from(Policy))


def test_parents_come_before_children_and_references_fit_their_keys() -> None:
    seen: set[str] = set()
    for kind in ENGINEERING.kinds:
        for reference in kind.references:
            assert reference.to in seen
            assert set(reference.shared) <= set(ENGINEERING[reference.to].key)
            assert set(reference.shared.values()) <= set(kind.key)
        assert len({field.name for field in kind.fields}) == len(kind.fields)
        seen.add(kind.name)
    assert len(seen) == 12


def test_defaults_hold_where_nothing_is_chosen() -> None:
    policies = ENGINEERING.policies({"pull_request": Policy.UPSERT})
    assert policies["pull_request"] is Policy.UPSERT
    assert policies["team"] is Policy.ONCE
    assert policies["jira_issue"] is Policy.UPSERT
    assert list(policies) == list(ENGINEERING.by_name)


def test_exact_is_refused_while_a_child_is_not_exact() -> None:
    with pytest.raises(Misuse) as refused:
        ENGINEERING.policies({"pr_survey": Policy.EXACT})
    assert refused.value.message == "pr_survey cannot be exact while pr_survey_review, which refers to it, is upsert"
    assert "--policy pr_survey_review=exact" in refused.value.hint
    both = ENGINEERING.policies({"pr_survey": Policy.EXACT, "pr_survey_review": Policy.EXACT})
    assert both["pr_survey"] is both["pr_survey_review"] is Policy.EXACT


def test_an_unknown_kind_is_refused_with_the_known_ones() -> None:
    with pytest.raises(Misuse, match="unknown kind 'prs'") as refused:
        ENGINEERING.policies({"prs": Policy.ONCE})
    assert "pull_request" in refused.value.hint


@given(CHOICES)
def test_accepted_policies_let_no_state_refer_outside_itself(chosen: dict[str, Policy]) -> None:
    try:
        policies = ENGINEERING.policies(chosen)
    except Misuse:
        return
    for kind in ENGINEERING.kinds:
        for reference in kind.references:
            assert policies[reference.to] is not Policy.EXACT or policies[kind.name] is Policy.EXACT


def test_the_key_that_a_reference_means() -> None:
    commit = ENGINEERING["commit"]
    team, pull_request, author = commit.references
    event = Event(
        project="p",
        kind="commit",
        key={"team": "t", "github_sha": "c0ffee"},
        data={"pull_request": {"github_repo": "o/r", "number": 5}, "author": None},
    )
    assert referred_key(ENGINEERING, event, team) == {"slug": "t"}
    assert referred_key(ENGINEERING, event, pull_request) == {"team": "t", "github_repo": "o/r", "number": 5}
    assert referred_key(ENGINEERING, event, author) is None

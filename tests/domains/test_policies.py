"""Which policies a domain's kinds may have together."""

from __future__ import annotations

import pytest

from seedjournal import Domain, Kind
from seedjournal.journal import Misuse, Policy
from seedjournal.simulators.kinds import DeclarationError
from seedjournal.simulators.policies import parse_policies, policies_of


class User(Kind, key="email"):
    email: str


class Tenant(Kind, key="slug", policy="upsert"):
    slug: str


class Member(Kind, key=("tenant", "user"), policy="upsert"):
    tenant: Tenant
    user: User


def domain() -> Domain:
    made = Domain("tenants", root=Tenant, kinds=(User, Tenant, Member), policy_groups={"people": (User, Member)})
    made.facts(User, [User(email="a")])
    made.facts(Tenant, [Tenant(slug="a")])
    made.facts(Member, [])
    return made


def test_what_all_projects_share_may_be_referred_to_under_any_policy() -> None:
    assert policies_of(domain(), {}) == dict.fromkeys(("user", "tenant", "member"), Policy.UPSERT)


def test_what_would_have_to_be_exact_too_is_named_with_both_ways_out() -> None:
    with pytest.raises(Misuse, match="tenant cannot be exact while member") as error:
        policies_of(domain(), {"tenant": Policy.EXACT})
    assert "--policy member=exact" in error.value.hint
    assert "another policy than exact" in error.value.hint


def test_a_group_chooses_for_its_kinds_and_a_kind_beats_its_group() -> None:
    assert parse_policies(domain(), ["all=once"]) == {"tenant": Policy.ONCE, "member": Policy.ONCE}
    assert parse_policies(domain(), ["people=exact", "all=once"]) == {"tenant": Policy.ONCE, "member": Policy.EXACT}
    assert parse_policies(domain(), ["member=upsert", "all=once"]) == {"tenant": Policy.ONCE, "member": Policy.UPSERT}


def test_every_wrong_choice_is_told_at_once() -> None:
    with pytest.raises(Misuse) as refused:
        parse_policies(domain(), ["user=once", "membr=once", "tenant=onse", "exact"])
    for told in (
        "--policy user=once: all projects share user, so its policy is always upsert",
        "'membr' is not a kind of the domain 'tenants' (the nearest is 'member')",
        "there is no policy 'onse' (the nearest is 'once')",
        "'exact' is not KIND=POLICY",
    ):
        assert told in refused.value.message
    assert "the groups all, people; the kinds tenant, member" in refused.value.hint


def test_a_group_whose_kinds_have_no_policy_is_refused() -> None:
    made = Domain("tenants", root=Tenant, kinds=(User, Tenant, Member), policy_groups={"users": (User,)})
    with pytest.raises(Misuse, match="--policy users=once: no kind of the group has a policy"):
        parse_policies(made, ["users=once"])


def test_a_shared_kind_has_no_policy_of_its_own_in_the_api_either() -> None:
    with pytest.raises(Misuse, match="all projects share user"):
        policies_of(domain(), {"user": Policy.ONCE})


def test_wrong_groups_are_refused_when_the_domain_is_declared() -> None:
    class Other(Kind, key="name"):
        name: str

    with pytest.raises(DeclarationError) as refused:
        Domain("tenants", root=Tenant, kinds=(User, Tenant, Member), policy_groups={"all": (User,), "x": [Other, "y"]})
    for told in ("a policy group cannot be named 'all'", "'x' has Other", "'x' has 'y'"):
        assert told in str(refused.value)
